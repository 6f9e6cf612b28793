"""Generators that keep to their own action context across `yield`."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
from typing import Any, AsyncGenerator, Callable, Dict, Generator, List, Optional, Tuple

import pytest

import eliot
from eliot import add_destinations, current_action, log_call, log_message, start_action
from eliot._generators import GeneratorSupportNotEnabled, eliot_friendly_generator_function

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


@eliot_friendly_generator_function
def talk(last: str = "end") -> Generator[int, str, str]:
    """Yield twice within an action, and return."""
    log_message("first")
    with start_action(action_type="inside"):
        log_message((yield 1))
        try:
            yield 2
        except KeyError:
            log_message("thrown")
    return last


@eliot_friendly_generator_function
async def async_talk() -> AsyncGenerator[int, str]:
    """Do the same, asynchronously."""
    log_message("first")
    with start_action(action_type="inside"):
        log_message((yield 1))
        await asyncio.sleep(0)
        try:
            yield 2
        except KeyError:
            log_message("thrown")


TALK = [
    ([1], "outer", "started"),
    ([2], "first", None),
    ([3, 1], "inside", "started"),
    ([4], "between", None),
    ([3, 2], "sent", None),
    ([3, 3], "thrown", None),
    ([3, 4], "inside", "succeeded"),
    ([5], "outer", "succeeded"),
]


class TestGenerators:
    """Plain generators."""

    def test_keep_to_their_action(self, log: Messages) -> None:
        """Actions of the body do not leak to the consumer; values go both ways."""
        with start_action(action_type="outer") as outer:
            generator = talk()
            assert 1 == next(generator)
            assert current_action() is outer
            log_message("between")
            assert 2 == generator.send("sent")
            assert current_action() is outer
            with pytest.raises(StopIteration) as stop:
                generator.throw(KeyError())
            assert "end" == stop.value.value

        assert TALK == outline(log)

    def test_return_values(self) -> None:
        """What the generator returns is the value of `yield from`."""

        def delegate() -> Generator[int, Any, str]:
            return (yield from talk("returned"))

        generator = delegate()
        next(generator)
        generator.send("sent")
        with pytest.raises(StopIteration) as stop:
            generator.send("again")

        assert "returned" == stop.value.value

    def test_consumer_does_not_matter(self, log: Messages) -> None:
        """The body stays where the generator was first advanced, wherever the consumer is."""
        generator = talk()
        with start_action(action_type="outer"):
            next(generator)
        with start_action(action_type="second consumer") as second:
            generator.send("sent")

            assert current_action() is second
        generator.close()

        assert [
            ([1], "outer", "started"),
            ([2], "first", None),
            ([3, 1], "inside", "started"),
            ([4], "outer", "succeeded"),
            ([3, 2], "sent", None),
            ([3, 3], "inside", "failed"),
        ] == outline([m for m in log if m["task_uuid"] == log[0]["task_uuid"]])

    def test_interleave(self, log: Messages) -> None:
        """Generators that take turns do not get into each other's way."""
        with start_action(action_type="outer") as outer:
            first, second = talk(), talk()
            next(first)
            next(second)
            first.send("of first")
            second.send("of second")
            first.close()
            second.close()

            assert current_action() is outer
        assert [
            ([1], "outer", "started"),
            ([2], "first", None),
            ([3, 1], "inside", "started"),
            ([3, 2], "of first", None),
            ([3, 3], "inside", "failed"),
            ([4], "first", None),
            ([5, 1], "inside", "started"),
            ([5, 2], "of second", None),
            ([5, 3], "inside", "failed"),
            ([6], "outer", "succeeded"),
        ] == sorted(outline(log))

    @pytest.mark.parametrize("collected", [True, False])
    def test_closed_early(self, log: Messages, *, collected: bool) -> None:
        """`GeneratorExit` reaches the body, whoever closes it."""
        with start_action(action_type="outer") as outer:
            generator: Any = talk()
            next(generator)
            if not collected:
                generator.close()
            del generator
            gc.collect()

            assert current_action() is outer

        assert [([3, 2], "inside", "failed"), ([4], "outer", "succeeded")] == outline(log)[3:]
        assert "builtins.GeneratorExit" == log[3]["exception"]

    def test_exceptions(self, log: Messages) -> None:
        """An exception that the body does not deal with comes out, through its actions."""
        generator = talk()
        next(generator)
        with pytest.raises(ZeroDivisionError, match="mine"):
            generator.throw(ZeroDivisionError("mine"))

        assert ("failed", "mine") == (log[-1]["action_status"], log[-1]["reason"])

    def test_debug(self, log: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
        """If asked for, each `yield` is told of in the context of the body."""
        assert talk.debug is False  # type: ignore[attr-defined]
        monkeypatch.setattr(talk, "debug", True)
        with start_action(action_type="outer"):
            generator = talk()
            next(generator)
            generator.close()

        assert [
            ([3, 1], "inside", "started"),
            ([3, 2], "yielded", None),
            ([3, 3], "inside", "failed"),
        ] == outline(log)[2:5]

    def test_looks_like_the_function(self) -> None:
        """Name, documentation and signature are those of the function."""
        function: Any = talk

        assert ("talk", f"{__name__}", "Yield twice within an action, and return.") == (
            function.__name__,
            function.__module__,
            function.__doc__,
        )
        assert ["last"] == list(inspect.signature(talk).parameters)
        assert inspect.isgeneratorfunction(function.__wrapped__)

    def test_methods(self, log: Messages) -> None:
        """Methods can be decorated too."""

        class Talker:
            @eliot_friendly_generator_function
            def talk(self, *, number: int) -> Generator[int, None, None]:
                yield number

        assert [7] == list(Talker().talk(number=7))


class TestAsyncGenerators:
    """Asynchronous generators."""

    def test_keep_to_their_action(self, log: Messages) -> None:
        """Actions of the body do not leak to the consumer; values go both ways."""

        async def main() -> None:
            with start_action(action_type="outer") as outer:
                generator = async_talk()
                assert 1 == await generator.__anext__()
                assert current_action() is outer
                log_message("between")
                assert 2 == await generator.asend("sent")
                assert current_action() is outer
                with pytest.raises(StopAsyncIteration):
                    await generator.athrow(KeyError())

        asyncio.run(main())

        assert TALK == outline(log)

    @pytest.mark.parametrize("how", ["aclose", "aclose in a task", "collect", "end of loop"])
    def test_closed_early(self, log: Messages, how: str) -> None:
        """`GeneratorExit` reaches the body in its context, whoever closes it."""
        generators: List[Any] = []
        reports: List[Any] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda *args: reports.append(args))
            closed = asyncio.Event()
            eliot.add_destinations(
                lambda m: closed.set() if m.get("action_status") == "failed" else None
            )
            with start_action(action_type="outer") as outer:
                generators.append(async_talk())
                async for _ in generators[0]:
                    break
                assert current_action() is outer
                if how == "aclose":
                    await generators[0].aclose()
                elif how == "aclose in a task":
                    await asyncio.ensure_future(generators[0].aclose())
                elif how == "collect":
                    generators.clear()
                    gc.collect()
                    await closed.wait()

                assert current_action() is outer

        asyncio.run(main())

        assert [] == reports
        assert [
            ([1], "outer", "started"),
            ([2], "first", None),
            ([3, 1], "inside", "started"),
            ([3, 2], "inside", "failed"),
            ([4], "outer", "succeeded"),
        ] == sorted(outline(log))

    def test_debug(self, log: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
        """If asked for, each `yield` is told of in the context of the body."""
        monkeypatch.setattr(async_talk, "debug", True)

        async def main() -> None:
            generator = async_talk()
            await generator.__anext__()
            await generator.aclose()

        asyncio.run(main())

        assert [
            ([1], "first", None),
            ([1], "inside", "started"),
            ([2], "yielded", None),
            ([3], "inside", "failed"),
        ] == outline(log)


def test_old_exception() -> None:
    """Programs may still catch the exception that nothing raises."""
    assert issubclass(GeneratorSupportNotEnabled, Exception)


class TestAbandoned:
    """Generators that are closed by the garbage collector, and what is none."""

    @pytest.mark.parametrize(
        "decorator", [eliot_friendly_generator_function, log_call(include_args=[])]
    )
    def test_garbage(self, decorator: Callable[[Any], Any]) -> None:
        """One in a cycle is closed in its own action too, and leaves alone that of a bystander."""
        log: List[Any] = []
        add_destinations(log.append)

        @decorator
        def numbers(cycle: List[Any]) -> Generator[int, None, None]:
            log_message("begin")
            try:
                with start_action(action_type="numbers"):
                    yield 1
            finally:
                log_message("end", cycle=len(cycle))

        with start_action(action_type="main"):
            cycle: List[Any] = []
            cycle.append(numbers(cycle))
            next(cycle[0])
            del cycle
            with start_action(action_type="bystander") as bystander:
                for _ in range(3):
                    gc.collect()

                assert current_action() is bystander
        levels = {m["message_type"]: m["task_level"] for m in log if "message_type" in m}

        assert levels["begin"][:-1] == levels["end"][:-1]

    def test_generator_exit_is_an_exception_like_others(self) -> None:
        """One that is thrown in may be dealt with, as by an undecorated generator."""

        def stubborn() -> Generator[str, None, str]:
            try:
                yield "first"
            except GeneratorExit:
                yield "stubborn"
            return "end"

        for function in (stubborn, eliot_friendly_generator_function(stubborn)):
            generator = function()

            assert "first" == next(generator)
            assert "stubborn" == generator.throw(GeneratorExit())
            with pytest.raises(StopIteration) as stop:
                next(generator)
            assert "end" == stop.value.value

    def test_close_returns_what_it_does_without(self) -> None:
        """Since Python 3.13 `close` returns what the generator returns."""

        def last_word() -> Generator[str, None, str]:
            try:
                yield "first"
            except GeneratorExit:
                return "last"
            return "end"

        results = []
        for function in (last_word, eliot_friendly_generator_function(last_word)):
            generator: Any = function()
            next(generator)
            results.append(generator.close())

        expected = "last" if sys.version_info >= (3, 13) else None
        assert [expected] * 2 == results


@pytest.mark.parametrize("function", [lambda: 5, lambda: [1]])
def test_refuses_what_is_no_generator(function: Callable[[], Any]) -> None:
    """A call of a function that returns no generator says so."""
    with pytest.raises(TypeError, match=r"is for generator functions; .* returned"):
        eliot_friendly_generator_function(function)()
