"""Silenced actions, and messages below their threshold: the log stays whole without them."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Any, Dict, Generator, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eliot
from eliot import (
    Action,
    ActionType,
    MemoryLogger,
    MessageType,
    configure,
    current_action,
    is_enabled,
    log_call,
    log_message,
    preserve_context,
    start_action,
    start_task,
    write_traceback,
)
from eliot._levels import LEVELS
from eliot._silenced import Silenced
from eliot._tasklevel import TaskLevel
from eliot.parse import Parser

Messages = List[Dict[str, Any]]


def outline(log: Messages) -> List[Tuple[List[int], str]]:
    """List level and type of each message."""
    return [(m["task_level"], m.get("action_type") or m["message_type"]) for m in log]


def assert_whole(log: Messages) -> None:
    """Assert that all trees are complete, and nothing is left over."""
    tasks = list(Parser.parse_stream(log))

    assert all(task.is_complete() for task in tasks)
    assert len({m["task_uuid"] for m in log}) == len(tasks)


@pytest.fixture(autouse=True)
def _levels(log: Messages) -> None:
    """Silence what is below its threshold."""
    configure(levels={"*": "info", "quiet*": "warning", "eliot:remote_task": "warning"})


class TestMessages:
    """Messages of some level."""

    def test_threshold(self, log: Messages) -> None:
        """A message below the threshold of its type is not logged; without a level it is `info`."""
        log_message("a")
        log_message("a", log_level="debug")
        log_message("a", log_level="ERROR")
        log_message("quiet")
        log_message("quiet", log_level="warning")

        assert [("a", None), ("a", "ERROR"), ("quiet", "warning")] == [
            (m["message_type"], m.get("log_level")) for m in log
        ]

    def test_all_ways(self, log: Messages) -> None:
        """However a message is logged, its threshold decides."""
        with start_action("a") as action:
            action.log("quiet")
            MessageType("quiet", []).log()
            eliot.Message({"message_type": "quiet"}).write()
            eliot.Message({"message_type": "quiet"}).write(action=action)
            eliot.Message({"message_type": "loud"}).write()

        assert [([1], "a"), ([2], "loud"), ([3], "a")] == outline(log)

    def test_in_what_was_silenced(self, log: Messages) -> None:
        """Where thresholds are gone, an action that was silenced hands its messages on."""
        with start_action("a"):
            action = start_action("quiet")
            configure(levels={})
            action.log("quiet")

        assert [([1], "a"), ([2], "quiet"), ([3], "a")] == outline(log)

    def test_takes_no_slot(self, log: Messages) -> None:
        """What is not logged leaves no gap."""
        with start_action("a"):
            log_message("quiet")
            log_message("b")

        assert [([1], "a"), ([2], "b"), ([3], "a")] == outline(log)
        assert_whole(log)

    def test_odd_type(self, log: Messages) -> None:
        """A type that is no text is one by its text."""
        odd: Any = ["quiet"]
        configure(levels={"*quiet*": "critical"})
        log_message(odd)
        start_action(action_type=odd)

        assert [] == log

    def test_odd_level(self, log: Messages) -> None:
        """A message is never left out for an odd level."""
        log_message("quiet", log_level=["x"])

        assert [["x"]] == [m["log_level"] for m in log]

    def test_typed(self) -> None:
        """Typed messages and actions may have a level that they do not declare."""
        logger = MemoryLogger()
        ActionType("a", [], [])(logger, log_level="error").finish()
        MessageType("m", []).log(log_level="error", __eliot_logger__=logger)

        logger.validate()

    def test_tracebacks(self, log: Messages) -> None:
        """Tracebacks are always logged."""
        configure(levels={"*": "critical"})
        with start_action("a"):
            try:
                raise ValueError
            except ValueError:
                write_traceback()

        assert [([1], "eliot:traceback")] == outline(log)

    def test_any_time(self, log: Messages) -> None:
        """Thresholds can change at any time; an action that has started ends in the log."""
        with start_action("a"):
            configure(levels={"*": "error"})
            log_message("b")
            configure(levels={})
            log_message("quiet")

        assert [([1], "a"), ([2], "quiet"), ([3], "a")] == outline(log)


class TestActions:
    """Actions below their threshold."""

    def test_children_move_up(self, log: Messages) -> None:
        """What happens in a silenced action belongs to the nearest action that is logged."""
        with start_action("a"), start_action("quiet"), start_action("quiet:2"):
            log_message("b")
            with start_action("c"):
                log_message("d")

        assert [
            ([1], "a"),
            ([2], "b"),
            ([3, 1], "c"),
            ([3, 2], "d"),
            ([3, 3], "c"),
            ([4], "a"),
        ] == outline(log)
        assert_whole(log)

    def test_root(self, log: Messages) -> None:
        """What happens in a silenced task is a task each."""
        with start_action("a"):
            with start_task("quiet"):
                log_message("b")
                with start_action("c"):
                    pass
            log_message("d")

        assert [([1], "a"), ([1], "b"), ([1], "c"), ([2], "c"), ([2], "d"), ([3], "a")] == outline(
            log
        )
        assert_whole(log)

    def test_level(self, log: Messages) -> None:
        """The level of an action is that of its field."""
        start_action("a", log_level="debug").finish()
        start_action("quiet", log_level="error").finish()

        assert [("quiet", "error"), ("quiet", None)] == [
            (m["action_type"], m.get("log_level")) for m in log
        ]

    def test_is_current(self) -> None:
        """A silenced action is the current one, as any other."""
        with start_action("a") as outer:
            with start_action("quiet") as action:
                assert action is current_action()
                with start_action("b") as inner:
                    assert outer is inner.parent
            assert outer is current_action()

    def test_log(self, log: Messages) -> None:
        """Its method `log` logs, too."""
        with start_action("a"), start_action("quiet") as action:
            action.log("b")
            action.log("quiet")
        start_task("quiet").log("c")

        assert [([1], "a"), ([2], "b"), ([3], "a"), ([1], "c")] == outline(log)

    def test_logger(self, log: Messages) -> None:
        """Messages in it go to the logger of the action that is logged."""
        logger = MemoryLogger()
        with start_action(logger, "a"), start_action("quiet"):
            log_message("b")

        assert ([], 3) == (log, len(logger.messages))

    def test_fields_are_dropped(self, log: Messages) -> None:
        """Fields of its end are forgotten."""
        with start_action("a"), start_action("quiet") as action:
            action.add_success_fields(x=1)
            action.addSuccessFields(x=1)
            action.add_fields(x=1)
            action._start({"x": 1})

        assert [] == [m for m in log if "x" in m]

    def test_knows(self, log: Messages) -> None:
        """It knows about itself what any action knows."""
        with start_action("a") as outer:
            action = start_action("quiet")
            before = (action.status, action.action_type, action.parent, action.task_uuid)
            action.finish(ValueError("why"))
            action.finish()

        assert ("started", "quiet", outer, outer.task_uuid) == before
        assert ("failed", "why") == (action.status, str(action.exception))
        assert outer.task_level == action.task_level == action._task_level
        assert action.started_at is not None
        assert action.duration >= 0
        assert f"<Silenced 'quiet' failed {outer.task_uuid}@/>" == repr(action)
        assert {"task_uuid": outer.task_uuid, "action_type": "quiet"} == action._identification

    def test_root_knows(self) -> None:
        """Without an action around it, it has a task uuid of its own, which the log has not."""
        action = start_task("quiet")

        assert action.task_uuid == action.task_uuid != start_task("quiet").task_uuid
        assert (TaskLevel([]), None) == (action.task_level, action.parent)

    def test_task_id(self, log: Messages) -> None:
        """A task id of it is one of the nearest action that is logged."""
        with start_action("a"), start_action("quiet") as action:
            task_id = action.serialize_task_id()
            with Action.continue_task(task_id=task_id, action_type="quiet:remote"):
                pass

        assert [([1], "a"), ([2, 1], "quiet:remote"), ([2, 2], "quiet:remote"), ([3], "a")] == (
            outline(log)
        )
        assert_whole(log)

    def test_task_id_of_root(self, log: Messages) -> None:
        """A task id of a silenced task is for a whole new task, another one each time."""
        with start_task("quiet") as action:
            ids = [action.serialize_task_id() for _ in range(2)]
        for task_id in ids:
            with Action.continue_task(task_id=task_id):
                log_message("b")

        assert ids[0] != ids[1]
        assert [[1], [2], [3]] * 2 == [m["task_level"] for m in log]
        assert_whole(log)

    def test_child(self, log: Messages) -> None:
        """The method `child` makes a child of the nearest action that is logged, or a task."""
        with start_action("a"), start_action("quiet") as action:
            child = action.child(None, "b")
            child._start({})
            child.finish()
        child = start_task("quiet").child(None, "c")
        child._start({})
        child.finish()

        assert type(child) is Action
        assert [([1], "a"), ([2, 1], "b"), ([2, 2], "b"), ([3], "a"), ([1], "c"), ([2], "c")] == (
            outline(log)
        )
        assert_whole(log)

    def test_failure(self, log: Messages) -> None:
        """Its failure is seen in the actions that it leaves, too."""
        with pytest.raises(ValueError, match="why"), start_action("a"), start_action("quiet") as q:
            raise ValueError("why")

        assert [None, "why"] == [m.get("reason") for m in log]
        assert "failed" == q.status

    def test_block_after_finish(self) -> None:
        """The block of an action that has ended already restores the context."""
        with start_action("quiet") as action:
            action.finish()

        assert (None, "succeeded") == (current_action(), action.status)

    def test_several_blocks(self) -> None:
        """It can be entered more than once."""
        action = start_action("quiet")
        with action:
            with action, action.context():
                assert action is current_action()
            assert action is current_action()

    def test_block_left_elsewhere(self) -> None:
        """A block that is left in another context is over where it began."""
        action = start_action("quiet")
        context = copy_context()
        context.run(action.__enter__)
        Context().run(action.__exit__, None, None, None)

        assert context.run(current_action) is None

    def test_block_never_entered(self) -> None:
        """A block that was never entered changes nothing."""
        with start_action("a") as outer:
            start_action("quiet").__exit__(None, None, None)

            assert outer is current_action()

    def test_generators(self, log: Messages) -> None:
        """In generators it is what any action is."""

        @eliot.eliot_friendly_generator_function
        def numbers() -> Generator[int, None, None]:
            with start_action("quiet"):
                for number in range(2):
                    log_message("number", number=number)
                    yield number

        with start_action("a"):
            for _ in numbers():
                log_message("b")
            next(numbers()).bit_length()

        assert ["a", "number", "b", "number", "b", "number", "a"] == [k for _, k in outline(log)]
        assert_whole(log)

    def test_log_call(self, log: Messages) -> None:
        """Calls are silenced by the type of their action."""

        @log_call(action_type="quiet")
        def f(x: int) -> int:
            log_message("b")
            return x

        @log_call(action_type="quiet")
        async def g(x: int) -> int:
            return x

        assert (1, 2) == (f(1), asyncio.run(g(2)))
        assert [([1], "b")] == outline(log)

    def test_asyncio(self, log: Messages) -> None:
        """Tasks that begin in it are in the nearest action that is logged."""

        async def work(number: int) -> None:
            async with start_action("quiet"):
                await asyncio.sleep(0)
                with start_action("b", number=number):
                    await asyncio.sleep(0)

        async def main() -> None:
            with start_action("a"), start_action("quiet"):
                await asyncio.gather(*(work(number) for number in range(3)))

        asyncio.run(main())

        assert 8 == len(log)
        assert {2} == {len(m["task_level"]) for m in log if m["action_type"] == "b"}
        assert_whole(log)

    def test_preserve_context(self, log: Messages) -> None:
        """A preserved context is that of the nearest action that is logged."""
        configure(levels={"quiet": "error"})
        with start_action("a"), start_action("quiet"), ThreadPoolExecutor(1) as pool:
            pool.submit(preserve_context(log_message), "b").result()

        assert [
            ([1], "a"),
            ([2, 1], "eliot:remote_task"),
            ([2, 2], "b"),
            ([2, 3], "eliot:remote_task"),
            ([3], "a"),
        ] == outline(log)
        assert_whole(log)

    def test_preserve_context_of_root(self, log: Messages) -> None:
        """In a silenced task there is none to be preserved."""
        with start_task("quiet"):
            assert preserve_context(log_message) is log_message

    def test_threads(self, log: Messages) -> None:
        """Threads may share it."""
        with start_action("a"):
            action = start_action("quiet")
            barrier = threading.Barrier(4)

            def work() -> None:
                barrier.wait()
                for _ in range(50):
                    with action.context():
                        log_message("b")
                with action:
                    log_message("b")

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert 206 == len(log)
        assert_whole(log)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this interpreter's system")
    def test_fork(self, log: Messages) -> None:
        """What a child says in it is in the branch of the child."""
        reading, writing = os.pipe()
        with start_action("a"), start_action("quiet"):
            child = os.fork()
            if not child:
                try:
                    log_message("b")
                    os.write(writing, repr(outline(log)).encode())
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
        told = os.read(reading, 10000).decode()
        os.close(reading)
        os.close(writing)

        assert repr([([1], "a"), ([2, 1], "eliot:forked"), ([2, 2], "b")]) == told


class TestIsEnabled:
    """Asking beforehand."""

    def test_answers(self) -> None:
        """The answer is what the logging call does."""
        assert [True, False, False, True] == [
            is_enabled("a"),
            is_enabled("a", "debug"),
            is_enabled("quiet"),
            is_enabled("quiet", LEVELS["warning"]),
        ]

    def test_without_thresholds(self) -> None:
        """Without thresholds everything is enabled."""
        configure(levels={})

        assert is_enabled("quiet", "debug")

    def test_mistake(self) -> None:
        """What is no level is refused."""
        with pytest.raises(ValueError, match="'loud'"):
            is_enabled("a", "loud")


KINDS = st.sampled_from(["a", "b", "a:b", "c"])
LEVEL = st.sampled_from([None, *LEVELS])
LEAVES: st.SearchStrategy[Any] = st.tuples(KINDS, LEVEL, st.none())
TREES = LEAVES
for _ in range(4):
    TREES = LEAVES | st.tuples(KINDS, LEVEL, st.lists(TREES, max_size=3))
PATTERNS = st.sampled_from(["*", "a", "a*", "b", "*b", "c"])


@given(TREES, st.dictionaries(PATTERNS, st.sampled_from([*LEVELS])), st.data())
def test_any_thresholds(tree: Any, levels: Dict[str, str], data: st.DataObject) -> None:
    """Whatever the thresholds, trees are complete, and what is logged keeps its order and depth."""
    log: Messages = []
    expected: List[Tuple[str, int]] = []

    def work(tree: Any, around: int) -> None:
        kind, level, children = tree
        number = len(numbers)
        numbers.append(number)
        fields: Dict[str, Any] = {
            "number": number,
            **({} if level is None else {"log_level": level}),
        }
        logged = is_enabled(kind, level or "info")
        if children is None:
            log_message(kind, **fields)
            if logged:
                expected.append((kind, around))
            return
        start = start_task if data.draw(st.booleans()) and around == 0 else start_action
        with start(kind, **fields) as action:
            assert logged is not isinstance(action, Silenced)
            if logged:
                expected.append((kind, around))
            for child in children:
                work(child, around + logged)
            if logged:
                expected.append((kind, around))

    numbers: List[int] = []
    eliot.add_destinations(log.append)
    configure(levels=levels)
    try:
        work(tree, 0)
    finally:
        configure(levels={})
        eliot.remove_destination(log.append)

    assert [kind for kind, _ in expected] == [kind for _, kind in outline(log)]
    # An action has a level of its own, a message only outside of all actions.
    assert [max(around, 1) for _, around in expected] == [
        max(len(m["task_level"]) - ("action_type" in m), 1) for m in log
    ]
    assert_whole(log)
