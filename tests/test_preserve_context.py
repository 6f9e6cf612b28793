"""`preserve_context`: the current action, taken along into another thread."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Barrier, Thread
from typing import Any, Dict, List, NoReturn, Optional, Tuple

import pytest

import eliot
import eliot._action as action_room
from eliot import Action, current_action, log_message, preserve_context, start_action
from eliot._preserve_context import TooManyCalls
from eliot._tasklevel import TaskLevel

Messages = List[Dict[str, Any]]


@pytest.fixture
def log() -> Messages:
    """Collect what is logged by the default logger."""
    messages: Messages = []
    eliot.add_destinations(messages.append)
    return messages


def outline(log: Messages) -> List[Tuple[List[int], str, Optional[str]]]:
    """List level, type and status of each message."""
    return [
        (m["task_level"], m.get("action_type") or m["message_type"], m.get("action_status"))
        for m in log
    ]


def work(*args: Any, **kwargs: Any) -> Any:
    """Log, and return the arguments."""
    log_message("work")
    return args, kwargs


def fail() -> NoReturn:
    """Raise an exception."""
    raise ValueError("boom")


class Coworker:
    """Something that is called, and awaited."""

    async def __call__(self) -> Optional[Action]:
        """Return the current action."""
        await asyncio.sleep(0)
        return current_action()

    async def method(self) -> Optional[Action]:
        """Return the current action."""
        return await self()


class TestPreserveContext:
    """What `preserve_context` returns."""

    def test_without_action(self) -> None:
        """Outside of any action there is nothing to preserve."""
        assert work is preserve_context(work)

    def test_runs_in_the_slot_of_the_wrapping(self, log: Messages) -> None:
        """The slot is taken at once; arguments and result are passed."""
        with start_action(action_type="outer"):
            preserved = preserve_context(work)
            log_message("between")
        results: List[Any] = []
        thread = Thread(target=lambda: results.append(preserved(1, c=3)))
        thread.start()
        thread.join()

        assert [((1,), {"c": 3})] == results
        assert [
            ([1], "outer", "started"),
            ([3], "between", None),
            ([4], "outer", "succeeded"),
            ([2, 1], "eliot:remote_task", "started"),
            ([2, 2], "work", None),
            ([2, 3], "eliot:remote_task", "succeeded"),
        ] == outline(log)
        assert 1 == len({message["task_uuid"] for message in log})

    def test_fails(self, log: Messages) -> None:
        """An exception fails the action, and goes on."""
        with start_action(action_type="outer"):
            preserved = preserve_context(fail)
        with pytest.raises(ValueError, match="boom"):
            preserved()

        assert ([2, 2], "eliot:remote_task", "failed") == outline(log)[-1]

    @pytest.mark.parametrize("f", [work, fail])
    def test_is_for_one_call(self, log: Messages, f: Any) -> None:
        """A second call is refused, even after a failure; nothing runs, nothing is logged."""
        with start_action(action_type="outer"):
            preserved = preserve_context(f)
        with suppress(ValueError):
            preserved()
        log.clear()
        with pytest.raises(TooManyCalls) as caught:
            preserved()

        assert (f,) == caught.value.args
        assert [] == log

    def test_is_for_one_call_among_threads(self, log: Messages) -> None:
        """Of several threads that call at the same time, one gets through."""
        rounds, threads = 100, 4
        barrier = Barrier(threads)
        with start_action(action_type="outer"):
            preserved = [preserve_context(work) for _ in range(rounds)]

        def call_all() -> int:
            calls = 0
            for each in preserved:
                barrier.wait()
                try:
                    each()
                except TooManyCalls:
                    continue
                calls += 1
            return calls

        with ThreadPoolExecutor(threads) as pool:
            calls = [future.result() for future in [pool.submit(call_all) for _ in range(threads)]]

        assert rounds == sum(calls)
        assert rounds == sum(message.get("message_type") == "work" for message in log)

    def test_many_at_once(self, log: Messages) -> None:
        """Each function that is preserved has a place of its own."""
        with start_action(action_type="outer"), ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(preserve_context(work)) for _ in range(100)]:
                future.result()

        assert 302 == len({tuple(message["task_level"]) for message in log})
        assert [102] == log[-1]["task_level"]

    def test_looks_like_the_function(self) -> None:
        """Name and documentation are those of the function."""
        with start_action(action_type="outer"):
            preserved: Any = preserve_context(work)

        assert ("work", work.__doc__) == (preserved.__name__, preserved.__doc__)

    def test_foreign_task(self, log: Messages) -> None:
        """A task uuid from elsewhere may be any text."""
        with Action(None, "\xfc@/1", TaskLevel([2]), "outer"):
            preserve_context(work)()

        assert [([2, 1, 1], "\xfc@/1"), ([2, 1, 2], "\xfc@/1")] == [
            (message["task_level"], message["task_uuid"]) for message in log[:2]
        ]

    def test_old_address(self) -> None:
        """The names are found at their old addresses, too."""
        assert preserve_context is eliot.preserve_context
        assert preserve_context is vars(action_room)["preserve_context"]
        assert TooManyCalls is vars(action_room)["TooManyCalls"]
        assert (Exception,) == TooManyCalls.__bases__

    def test_proxy_without_anything_behind(self, log: Messages) -> None:
        """What cannot be asked for its name yet, as the proxies of web frameworks, is called."""

        class Proxy:
            behind: List[Any] = []  # noqa: RUF012 - there is one proxy

            def __getattr__(self, name: str) -> Any:
                raise RuntimeError(name)

            def __call__(self) -> Any:
                return self.behind[0]()

        with start_action(action_type="outer"):
            preserved = preserve_context(Proxy())
        Proxy.behind.append(lambda: work(1))

        assert ((1,), {}) == preserved()
        assert ([2, 2], "work", None) == outline(log)[3]


class TestCoroutineFunctions:
    """`async def` functions."""

    def test_lasts_as_long_as_the_coroutine(self, log: Messages) -> None:
        """The action begins and ends with the coroutine, which runs inside."""

        async def f(x: int) -> int:
            log_message("before")
            await asyncio.sleep(0)
            log_message("after")
            return x + 1

        with start_action(action_type="outer"):
            preserved = preserve_context(f)
        assert inspect.iscoroutinefunction(preserved)
        assert 2 == asyncio.run(preserved(1))

        assert [
            ([2, 1], "eliot:remote_task", "started"),
            ([2, 2], "before", None),
            ([2, 3], "after", None),
            ([2, 4], "eliot:remote_task", "succeeded"),
        ] == outline(log)[2:]
        with pytest.raises(TooManyCalls):
            asyncio.run(preserved(1))

    @pytest.mark.parametrize(
        "f", [Coworker(), Coworker().method, partial(Coworker.method, Coworker())]
    )
    def test_of_other_kinds(self, f: Any) -> None:
        """What can be called and awaited, without being a function, does likewise."""
        with start_action(action_type="outer"):
            preserved = preserve_context(f)

        assert isinstance(asyncio.run(preserved()), Action)
