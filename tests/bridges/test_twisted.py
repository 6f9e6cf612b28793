"""The bridge to Twisted; tests that need a running reactor are in twisted_reactor.py."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path
from threading import Barrier, Thread
from types import SimpleNamespace
from typing import Any, Callable, Generator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("twisted", reason="needs Twisted")

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, fail, inlineCallbacks, succeed
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

import eliot
import eliot.twisted
from eliot import (
    Action,
    MemoryLogger,
    add_destinations,
    current_action,
    log_message,
    register_exception_extractor,
    start_action,
    write_failure,
)
from eliot.parse import Parser, WrittenAction
from eliot.twisted import (
    AlreadyFinished,
    DeferredContext,
    TwistedDestination,
    _passthrough,
    _RedirectLogsForTrial,
    eliot_friendly_generator_function,
    inline_callbacks,
    redirectLogsForTrial,
)


class Log:
    """A destination that shows messages in short."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def __call__(self, message: dict[str, Any]) -> None:
        """Remember the message."""
        self.messages.append(message)

    def lines(self) -> list[tuple[list[int], str, str | None]]:
        """Show level, type and status of each message, of a single task."""
        assert len({message["task_uuid"] for message in self.messages}) == 1
        return [
            (
                message["task_level"],
                message.get("action_type") or message["message_type"],
                message.get("action_status"),
            )
            for message in self.messages
        ]


@pytest.fixture
def log() -> Log:
    """Collect what is logged."""
    log = Log()
    add_destinations(log)
    return log


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    """Collect what Twisted logs."""
    events: list[LogEvent] = []
    publisher: Any = globalLogPublisher
    publisher.addObserver(events.append)
    yield events
    publisher.removeObserver(events.append)


def result_of(deferred: Deferred[Any]) -> Any:
    """Return the result of a Deferred that has fired; of a failure, the exception."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    [result] = results
    return result.value if isinstance(result, Failure) else result


def where(*_: object) -> Action | None:
    """Tell the current action, as a callback."""
    return current_action()


ADD = ["addCallback", "addErrback", "addBoth", "addCallbacks"]


class TestDeferredContext:
    """Callbacks on a Deferred that run in an action."""

    def test_needs_an_action(self) -> None:
        """Outside of any action it is refused."""
        with pytest.raises(RuntimeError) as error:
            DeferredContext(Deferred())

        assert "DeferredContext() should only be created in the context of an eliot.Action." == str(
            error.value
        )

    def test_takes_an_action(self) -> None:
        """An action can be given, which need not be the current one."""
        given = start_action(action_type="given")
        with start_action(action_type="current"):
            deferred = DeferredContext(succeed(None), action=given).addCallback(where).result

        assert given is result_of(deferred)

    def test_result_is_the_deferred(self) -> None:
        """The Deferred itself can be had."""
        deferred: Deferred[None] = Deferred()
        with start_action(action_type="act"):
            context = DeferredContext(deferred)

        assert deferred is context.result

    @pytest.mark.parametrize("method", ADD)
    def test_returns_itself(self, method: str) -> None:
        """Calls can be chained."""
        with start_action(action_type="act"):
            context = DeferredContext(Deferred())

        assert context is getattr(context, method)(where)

    @pytest.mark.parametrize("method", ["addCallback", "addBoth", "addCallbacks"])
    def test_callback_runs_in_the_action(self, method: str) -> None:
        """A callback runs in the captured action, whatever is current when the Deferred fires."""
        deferred: Deferred[None] = Deferred()
        with start_action(action_type="act") as action:
            context = DeferredContext(deferred)
        getattr(context, method)(where)
        with start_action(action_type="other") as other:
            deferred.callback(None)

            assert other is current_action()

        assert action is result_of(deferred)

    @pytest.mark.parametrize("method", ["addErrback", "addBoth"])
    def test_errback_runs_in_the_action(self, method: str) -> None:
        """So does an errback."""
        deferred: Deferred[None] = Deferred()
        with start_action(action_type="act") as action:
            context = DeferredContext(deferred)
        getattr(context, method)(where)
        with start_action(action_type="other"):
            deferred.errback(ValueError())

        assert action is result_of(deferred)

    @pytest.mark.parametrize("method", ["addCallback", "addBoth"])
    def test_callback_gets_arguments(self, method: str) -> None:
        """Further arguments are those of the callback, whatever their names are."""
        with start_action(action_type="act"):
            context = DeferredContext(succeed("result"))
        getattr(context, method)(lambda *args, **kw: (args, kw), 1, f=2, action=3)

        assert (("result", 1), {"f": 2, "action": 3}) == result_of(context.result)

    @pytest.mark.parametrize("method", ["addErrback", "addBoth"])
    def test_errback_gets_arguments(self, method: str) -> None:
        """Further arguments are those of the errback, whatever their names are."""
        failure = Failure(ValueError())
        with start_action(action_type="act"):
            context = DeferredContext(fail(failure))
        getattr(context, method)(lambda *args, **kw: (args, kw), 1, f=2, action=3)

        assert ((failure, 1), {"f": 2, "action": 3}) == result_of(context.result)

    @pytest.mark.parametrize("fired", [1, Failure(ValueError())], ids=["result", "failure"])
    def test_pair_gets_arguments(self, fired: object) -> None:
        """A callback and an errback that are added together have arguments of their own."""

        def show(name: str) -> Callable[..., object]:
            return lambda *args, **kw: (name, current_action(), args, kw)

        deferred: Deferred[Any] = Deferred()
        with start_action(action_type="act") as action:
            context = DeferredContext(deferred)
        context.addCallbacks(show("callback"), show("errback"), [2], {"a": 3}, [4], {"b": 5})
        deferred.callback(fired)
        expected = {
            False: ("callback", action, (fired, 2), {"a": 3}),
            True: ("errback", action, (fired, 4), {"b": 5}),
        }

        assert expected[isinstance(fired, Failure)] == result_of(deferred)

    @pytest.mark.parametrize("method", ["addCallback", "addCallbacks"])
    def test_failure_passes_callbacks(self, method: str) -> None:
        """Without an errback a failure is handed on."""
        error = ValueError()
        with start_action(action_type="act"):
            context = DeferredContext(fail(error))
        getattr(context, method)(where)

        assert error is result_of(context.result)

    def test_result_passes_errbacks(self) -> None:
        """A result is handed on by errbacks."""
        with start_action(action_type="act"):
            context = DeferredContext(succeed(4)).addErrback(where)

        assert 4 == result_of(context.result)

    @pytest.mark.parametrize(
        ("method", "expected"),
        [
            ("addCallback", {"callbackArgs": (1,), "callbackKeywords": {"a": 2}}),
            ("addErrback", {"errbackArgs": (1,), "errbackKeywords": {"a": 2}}),
            (
                "addBoth",
                {
                    "callbackArgs": (1,),
                    "callbackKeywords": {"a": 2},
                    "errbackArgs": (1,),
                    "errbackKeywords": {"a": 2},
                },
            ),
        ],
    )
    def test_all_roads_lead_to_add_callbacks(
        self, method: str, expected: dict[str, object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever replaces `addCallbacks` sees all that is added."""
        names = ["callbackArgs", "callbackKeywords", "errbackArgs", "errbackKeywords"]
        calls: list[tuple[object, object, dict[str, object]]] = []

        def record(callback: object, errback: object, *args: object, **kw: object) -> str:
            calls.append((callback, errback, dict(zip(names, args), **kw)))
            return "returned"

        with start_action(action_type="act"):
            context = DeferredContext(Deferred())
        monkeypatch.setattr(context, "addCallbacks", record)

        assert "returned" == getattr(context, method)(where, 1, a=2)
        callback = _passthrough if method == "addErrback" else where
        errback = _passthrough if method == "addCallback" else where

        assert [(callback, errback, expected)] == calls

    def test_waits_for_a_deferred(self, log: Log) -> None:
        """A callback may return a Deferred; those after it run, in the action, when that fires."""
        inner: Deferred[int] = Deferred()
        with start_action(action_type="act").context():
            context = DeferredContext(succeed(None))
            context.addCallback(lambda _: inner)
            context.addCallback(lambda number: log_message("number", number=number))
            context.addActionFinish()
        with start_action(action_type="other").context():
            inner.callback(7)
        del log.messages[1]  # the start of the other action, another task

        assert [
            ([1], "act", "started"),
            ([2], "number", None),
            ([3], "act", "succeeded"),
        ] == log.lines()

    def test_finishes_the_action(self, log: Log) -> None:
        """The action succeeds if the Deferred has, whose result stays what it is."""
        with start_action(action_type="act").context():
            context = DeferredContext(Deferred())
            deferred = context.addActionFinish()
        before = log.lines()
        deferred.callback(4)

        assert deferred is context.result
        assert [([1], "act", "started")] == before
        assert [([1], "act", "started"), ([2], "act", "succeeded")] == log.lines()
        assert 4 == result_of(deferred)

    def test_fails_the_action(self, log: Log) -> None:
        """The action fails if the Deferred has, whose failure stays what it is."""
        error = ZeroDivisionError("oh")
        with start_action(action_type="act").context():
            deferred = DeferredContext(fail(error)).addActionFinish()

        assert [([1], "act", "started"), ([2], "act", "failed")] == log.lines()
        assert "builtins.ZeroDivisionError" == log.messages[1]["exception"]
        assert "oh" == log.messages[1]["reason"]
        assert error is result_of(deferred)

    def test_handled_failure_is_success(self, log: Log) -> None:
        """A failure that an errback deals with does not fail the action."""
        with start_action(action_type="act").context():
            DeferredContext(fail(ValueError())).addErrback(lambda _: None).addActionFinish()

        assert [([1], "act", "started"), ([2], "act", "succeeded")] == log.lines()

    def test_cancelled_action_fails(self, log: Log) -> None:
        """Cancelling the Deferred fails the action."""
        with start_action(action_type="act").context():
            deferred = DeferredContext(Deferred()).addActionFinish()
        deferred.cancel()

        assert "twisted.internet.defer.CancelledError" == log.messages[1]["exception"]
        assert isinstance(result_of(deferred), CancelledError)

    def test_finished_action_stays_finished(self, log: Log) -> None:
        """An action that has ended meanwhile does not end again."""
        with start_action(action_type="act"):
            deferred = DeferredContext(Deferred()).addActionFinish()
        deferred.callback(None)

        assert [([1], "act", "started"), ([2], "act", "succeeded")] == log.lines()

    def test_extractor_fails_in_the_action(self, log: Log) -> None:
        """The traceback of an exception extractor that fails at the end is part of the action."""

        class OddError(Exception):
            """An exception whose extractor fails."""

        register_exception_extractor(OddError, lambda _: {"code": 1 // 0})
        with start_action(action_type="act").context():
            deferred = DeferredContext(fail(OddError())).addActionFinish()
        deferred.addErrback(lambda _: None)

        assert [
            ([1], "act", "started"),
            ([2], "eliot:traceback", None),
            ([3], "act", "failed"),
        ] == log.lines()

    @pytest.mark.parametrize("method", ADD)
    def test_end_is_the_end(self, method: str) -> None:
        """Nothing can be added after the end of the action."""
        with start_action(action_type="act").context():
            context = DeferredContext(Deferred())
            context.addActionFinish()

        with pytest.raises(AlreadyFinished):
            getattr(context, method)(where)

    def test_ends_once(self) -> None:
        """A second end of the action is refused."""
        with start_action(action_type="act").context():
            context = DeferredContext(Deferred())
            context.addActionFinish()

        with pytest.raises(AlreadyFinished):
            context.addActionFinish()

    @given(
        first=st.booleans(),
        steps=st.lists(
            st.tuples(
                st.sampled_from(["addCallback", "addErrback", "addBoth"]),
                st.sampled_from(["value", "error", "fired", "failed"]),
            )
        ),
    )
    def test_gives_what_a_deferred_gives(self, first: bool, steps: list[tuple[str, str]]) -> None:
        """Results and failures take the same way as without it."""

        def outcome(wrap: Callable[[Deferred[Any]], Any]) -> object:
            deferred: Deferred[Any] = Deferred()
            target = wrap(deferred)
            for number, (method, kind) in enumerate(steps):
                getattr(target, method)(step, number, kind)
            if first:
                deferred.callback("first")
            else:
                deferred.errback(KeyError("first"))
            return repr(result_of(deferred))

        def step(_: object, number: int, kind: str) -> object:
            if kind == "error":
                raise ValueError(number)
            if kind == "failed":
                return fail(KeyError(number))
            return succeed(number) if kind == "fired" else number

        def wrapped(deferred: Deferred[Any]) -> DeferredContext:
            with start_action(MemoryLogger(), "act"):
                return DeferredContext(deferred)

        assert outcome(lambda deferred: deferred) == outcome(wrapped)


def flow_of(waiting: Deferred[Any]) -> Generator[Deferred[Any], Any, tuple[str, Any]]:
    """Wait inside an action."""
    with start_action(action_type="flow"):
        result = yield waiting
        log_message("after")
    return "done", result


async def coroutine_of(waiting: Deferred[Any]) -> tuple[str, Any]:
    """Wait inside an action."""
    with start_action(action_type="flow"):
        result = await waiting
        log_message("after")
    return "done", result


@pytest.mark.parametrize("original", [flow_of, coroutine_of])
class TestInlineCallbacks:
    """Generators and coroutines that return a Deferred, alike."""

    def test_keeps_the_result(self, original: Any) -> None:
        """The Deferred fires with what the function returns."""
        assert ("done", 4) == result_of(inline_callbacks(original)(succeed(4)))

    def test_action_lasts_and_does_not_leak(self, original: Any, log: Log) -> None:
        """An action in the function lasts while it waits, and the caller never sees it."""
        waiting: Deferred[int] = Deferred()
        with start_action(action_type="outer") as outer:
            inline_callbacks(original)(waiting)

            assert outer is current_action()

        waiting.callback(4)

        assert current_action() is None
        assert [
            ([1], "outer", "started"),
            ([2, 1], "flow", "started"),
            ([3], "outer", "succeeded"),
            ([2, 2], "after", None),
            ([2, 3], "flow", "succeeded"),
        ] == log.lines()

    def test_belongs_to_the_caller(self, original: Any, log: Log) -> None:
        """Whoever fires a Deferred does not see the action either, nor lend it his own."""
        waiting: Deferred[int] = Deferred()
        inline_callbacks(original)(waiting)
        with start_action(MemoryLogger(), "other") as other:
            waiting.callback(4)

            assert other is current_action()

        assert [
            ([1], "flow", "started"),
            ([2], "after", None),
            ([3], "flow", "succeeded"),
        ] == log.lines()

    def test_functions_at_work_do_not_meet(self, original: Any, log: Log) -> None:
        """Calls that wait at the same time keep to their own actions."""
        one: Deferred[int] = Deferred()
        two: Deferred[int] = Deferred()
        with start_action(action_type="outer"):
            for waiting in one, two:
                inline_callbacks(original)(waiting)
            two.callback(2)
            one.callback(1)

        assert [
            ([1], "outer", "started"),
            ([2, 1], "flow", "started"),
            ([3, 1], "flow", "started"),
            ([3, 2], "after", None),
            ([3, 3], "flow", "succeeded"),
            ([2, 2], "after", None),
            ([2, 3], "flow", "succeeded"),
            ([4], "outer", "succeeded"),
        ] == log.lines()

    def test_failure_fails_the_action(self, original: Any, log: Log) -> None:
        """A Deferred that fails raises its exception inside, and leaves the action."""
        error = ValueError("oh")
        deferred = inline_callbacks(original)(fail(error))

        assert error is result_of(deferred)
        assert [([1], "flow", "started"), ([2], "flow", "failed")] == log.lines()

    def test_cancelling_fails_the_action(self, original: Any, log: Log) -> None:
        """Cancelling cancels what the function waits for, and the action fails."""
        waiting: Deferred[int] = Deferred()
        deferred = inline_callbacks(original)(waiting)
        deferred.cancel()

        assert isinstance(result_of(deferred), CancelledError)
        assert [([1], "flow", "started"), ([2], "flow", "failed")] == log.lines()
        assert "twisted.internet.defer.CancelledError" == log.messages[1]["exception"]

    @pytest.mark.parametrize(
        "way", [partial(inline_callbacks, debug=True), inline_callbacks(debug=True)]
    )
    def test_debug_logs_waiting(self, way: Any, original: Any, log: Log) -> None:
        """When asked for, a message tells each time when the function waits."""
        waiting: Deferred[int] = Deferred()
        deferred = way(original)(waiting)
        waiting.callback(4)

        assert ("done", 4) == result_of(deferred)
        assert [
            ([1], "flow", "started"),
            ([2], "yielded", None),
            ([3], "after", None),
            ([4], "flow", "succeeded"),
        ] == log.lines()

    def test_looks_like_the_function(self, original: Any) -> None:
        """Name and docstring stay."""
        decorated = inline_callbacks(original)

        assert original.__name__ == decorated.__name__
        assert original.__doc__ == decorated.__doc__

    def test_works_for_methods(self, original: Any) -> None:
        """A method can be decorated."""

        class Owner:
            """Has a method."""

            method = inline_callbacks(lambda self, waiting: original(waiting))

        assert ("done", 4) == result_of(Owner().method(succeed(4)))

    def test_twisted_alone_gives_the_same(self, original: Any, log: Log) -> None:
        """Twisted's own decorator, and its coroutines, keep the action too."""
        waiting: Deferred[int] = Deferred()
        with start_action(action_type="outer") as outer:
            if original is flow_of:
                deferred: Deferred[Any] = inlineCallbacks(original)(waiting)
            else:
                deferred = Deferred.fromCoroutine(original(waiting))

            assert outer is current_action()

        waiting.callback(4)

        assert ("done", 4) == result_of(deferred)
        assert [
            ([1], "outer", "started"),
            ([2, 1], "flow", "started"),
            ([3], "outer", "succeeded"),
            ([2, 2], "after", None),
            ([2, 3], "flow", "succeeded"),
        ] == log.lines()

    def test_starts_what_is_yielded_in_its_action(self, original: Any, log: Log) -> None:
        """A coroutine or generator that a generator waits for runs in the action that it is in."""

        @inline_callbacks
        def outer() -> Generator[Any, Any, Any]:
            with start_action(action_type="outer"):
                yield waiting
                return (yield original(succeed(4)))

        waiting: Deferred[None] = Deferred()
        deferred = outer()
        waiting.callback(None)

        assert ("done", 4) == result_of(deferred)
        assert [
            ([1], "outer", "started"),
            ([2, 1], "flow", "started"),
            ([2, 2], "after", None),
            ([2, 3], "flow", "succeeded"),
            ([3], "outer", "succeeded"),
        ] == log.lines()


def hanging_generator() -> Generator[Deferred[None], None, None]:
    """Wait for ever, inside an action."""
    with start_action(action_type="flow"):
        try:
            yield Deferred()
        finally:
            log_message("cleanup")


async def hanging_coroutine() -> None:
    """Wait for ever, inside an action."""
    with start_action(action_type="flow"):
        try:
            await Deferred()
        finally:
            log_message("cleanup")


@pytest.mark.parametrize("original", [hanging_generator, hanging_coroutine])
def test_inline_callbacks_closes_abandoned_functions_in_their_action(original: Any) -> None:
    """If nobody can ever fire the Deferred, the garbage collector ends the action, and no other."""
    gc.collect()
    log = Log()
    add_destinations(log)
    with start_action(action_type="outer"):
        inline_callbacks(original)()
    with start_action(MemoryLogger(), "other") as other:
        gc.collect()

        assert other is current_action()

    assert [
        ([1], "outer", "started"),
        ([2, 1], "flow", "started"),
        ([2, 2], "cleanup", None),
        ([2, 3], "flow", "failed"),
        ([3], "outer", "succeeded"),
    ] == sorted(log.lines())


def test_inline_callbacks_refuses_other_functions() -> None:
    """A function that returns neither a generator nor a coroutine is named in the error."""

    def ordinary() -> Any:
        return 4

    with pytest.raises(TypeError, match=r"ordinary at 0x\w+> returned 4"):
        inline_callbacks(ordinary)()


def test_inline_callbacks_accepts_return_value() -> None:
    """The old way to return a value works, without warnings that the new Eliot is to blame for."""

    @inline_callbacks
    def old() -> Generator[Deferred[int], int, None]:
        defer.returnValue((yield succeed(4)))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        assert 4 == result_of(old())

    assert [] == [str(w.message) for w in caught if "Twisted 24.7.0" not in str(w.message)]


def test_generator_function_keeps_the_result() -> None:
    """The other decorator, below Twisted's own, keeps the result as well."""
    flow = inlineCallbacks(eliot_friendly_generator_function(flow_of))

    assert ("done", 4) == result_of(flow(succeed(4)))


class TestTwistedDestination:
    """Messages in Twisted's log."""

    def test_message_is_part_of_the_event(self, events: list[LogEvent]) -> None:
        """The event has the message as it is, and a namespace."""
        message = {"message_type": "hello"}
        TwistedDestination()(message)
        [event] = events

        assert message is event["eliot"]
        assert "eliot" == event["log_namespace"]
        assert "Eliot message: {eliot}" == event["log_format"]

    @pytest.mark.parametrize(
        ("message", "level"),
        [
            ({"message_type": "hello"}, LogLevel.info),
            ({"message_type": ["odd"]}, LogLevel.info),
            ({"action_type": "act", "action_status": "failed"}, LogLevel.info),
            ({"message_type": "eliot:traceback"}, LogLevel.critical),
            ({"message_type": "eliot:destination_failure"}, LogLevel.error),
            ({"message_type": "eliot:serialization_failure"}, LogLevel.error),
        ],
    )
    def test_level_tells_trouble(
        self, message: dict[str, Any], level: object, events: list[LogEvent]
    ) -> None:
        """Tracebacks are critical, lost messages are errors, all others are information."""
        TwistedDestination()(message)

        assert [level] == [event["log_level"] for event in events]


def program(*arguments: str) -> Any:
    """Make what the module `sys` of a program looks like."""
    return SimpleNamespace(argv=list(arguments))


class TestRedirectLogsForTrial:
    """Messages in the log that trial writes."""

    @pytest.mark.parametrize(
        "name", ["trial", "/usr/bin/trial", "/x/site-packages/twisted/trial/__main__.py"]
    )
    def test_redirects_in_trial(self, name: str, events: list[LogEvent]) -> None:
        """In trial, whichever way it is started, messages go to Twisted's log."""
        destination = _RedirectLogsForTrial(program(name, "yourapp"))()
        log_message("hello")

        assert isinstance(destination, TwistedDestination)
        assert ["hello"] == [event["eliot"]["message_type"] for event in events]

    @pytest.mark.parametrize(
        "sys_",
        [
            program("pytest"),
            program("trial.py"),
            program("/usr/bin/trial/pytest"),
            program("/x/__main__.py", "trial"),
            program(""),
            program(),
            SimpleNamespace(),
        ],
        ids=str,
    )
    def test_does_nothing_elsewhere(self, sys_: Any, events: list[LogEvent]) -> None:
        """In other programs, even those that have no arguments, nothing happens."""
        redirect = _RedirectLogsForTrial(sys_)
        returned = redirect()
        log_message("hello")

        assert returned is None
        assert not redirect._redirected
        assert [] == events

    def test_redirects_once(self) -> None:
        """A second call does nothing."""
        redirect = _RedirectLogsForTrial(program("trial"))
        redirect()

        assert redirect._redirected
        assert redirect() is None

    def test_redirects_once_from_threads(self, events: list[LogEvent]) -> None:
        """Of calls in several threads, one does something."""
        redirect = _RedirectLogsForTrial(program("trial"))
        together = Barrier(8)

        def call() -> None:
            together.wait()
            redirect()

        threads = [Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        log_message("hello")

        assert 1 == len(events)

    def test_public_one_looks_at_this_program(self) -> None:
        """What users call looks at `sys` itself."""
        assert isinstance(redirectLogsForTrial, _RedirectLogsForTrial)
        assert sys is redirectLogsForTrial._sys


class TestWriteFailure:
    """Failures of Twisted, logged as tracebacks."""

    def test_logs_a_traceback(self, log: Log) -> None:
        """As an errback it logs the failure, which counts as handled."""

        def boom(_: object) -> None:
            raise ZeroDivisionError("oh")

        with start_action(action_type="act").context():
            deferred = DeferredContext(succeed(None)).addCallback(boom).addErrback(write_failure)
            result = result_of(deferred.addActionFinish())
        [_, message, _] = log.messages

        assert result is None
        assert [
            ([1], "act", "started"),
            ([2], "eliot:traceback", None),
            ([3], "act", "succeeded"),
        ] == log.lines()
        assert "builtins.ZeroDivisionError" == message["exception"]
        assert "oh" == message["reason"]
        assert ":boom\n" in message["traceback"]

    def test_can_be_flushed(self) -> None:
        """A test that expects the exception finds it."""
        logger = MemoryLogger()
        failure = Failure(ZeroDivisionError("oh"))
        write_failure(failure, logger)
        logger.validate()
        [message] = logger.flush_tracebacks(ZeroDivisionError)

        assert failure.value is message["reason"]
        assert failure.getBriefTraceback() == message["traceback"]


def test_names() -> None:
    """The star gives four names; others are to be had by name."""
    assert [
        "AlreadyFinished",
        "DeferredContext",
        "inline_callbacks",
        "redirectLogsForTrial",
    ] == eliot.twisted.__all__
    assert issubclass(AlreadyFinished, Exception)


#: All are errors, but for those of the way in which the oldest supported Twisted finds trial.
WARNINGS = ("-W", "error", "-W", "ignore:pkg_resources", "-W", "ignore:Deprecated call to `pkg_res")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with warnings as errors; it finds this package, and the tests beside this one."""
    paths = [str(Path(__file__).parent), str(Path(eliot.__file__).parents[1])]
    return subprocess.run(
        [sys.executable, *WARNINGS, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("reactor", ["select", "asyncio"])
def test_on_a_reactor(reactor: str, tmp_path: Path) -> None:
    """All tests in twisted_reactor.py pass in trial, whatever the reactor is."""
    done = run(tmp_path, "-m", "twisted.trial", "--reactor", reactor, "twisted_reactor")

    assert "\nPASSED (successes=7)\n" in done.stdout, done.stdout
    assert 0 == done.returncode


def test_example_tells_one_tree(tmp_path: Path) -> None:
    """The shop's orders contain what the warehouse did for them, in a single complete task."""
    example = Path(__file__).resolve().parents[2] / "examples" / "twisted_http.py"
    printed = run(tmp_path, str(example), "shop.log").stdout
    lines = (tmp_path / "shop.log").read_text("utf-8").splitlines()
    [task] = Parser.parse_stream(map(json.loads, lines))

    def shape(node: Any) -> Any:
        if isinstance(node, WrittenAction):
            return {f"{node.action_type} {node.status}": [shape(child) for child in node.children]}
        return node.contents["message_type"]

    bolts: dict[str, Any] = {"warehouse:ship succeeded": [{"warehouse:take succeeded": []}]}
    screws = {"warehouse:ship succeeded": [{"warehouse:take failed": []}, "eliot:traceback"]}

    assert "delivered: bolts\n" == printed
    assert task.is_complete()
    assert {
        "shop succeeded": [{"shop:order succeeded": [bolts]}, {"shop:order failed": [screws]}]
    } == shape(task.root())
