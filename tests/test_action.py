"""Actions: begin, say what happens, end; and how they become the current one."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any, AsyncGenerator, Callable, Dict, Generator, List, Optional, Tuple, Type

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eliot
import eliot._action as action_room
import eliot._output as output_room
from eliot import (
    Action,
    Logger,
    MemoryLogger,
    MessageType,
    add_destinations,
    current_action,
    log_call,
    log_message,
    preserve_context,
    start_action,
    start_task,
)
from eliot._errors import _error_extraction
from eliot._tasklevel import TaskLevel

Messages = List[Dict[str, Any]]


@pytest.fixture
def log() -> Messages:
    """Collect what is logged by the default logger."""
    messages: Messages = []
    eliot.add_destinations(messages.append)
    return messages


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Dict[type, Callable[[Any], Any]]:
    """Give the test a registry of extractors of its own."""
    registry = dict(_error_extraction.registry)
    monkeypatch.setattr(_error_extraction, "registry", registry)
    return registry


def tidy(message: Dict[str, Any]) -> Dict[str, Any]:
    """Leave out what differs from run to run."""
    return {k: v for k, v in message.items() if k not in {"timestamp", "task_uuid"}}


def outline(log: Messages) -> List[Tuple[List[int], str, Optional[str]]]:
    """List level, type and status of each message."""
    return [
        (m["task_level"], m.get("action_type") or m["message_type"], m.get("action_status"))
        for m in log
    ]


START = {"action_status": "started", "task_level": [1]}


class Subclass(Action):
    """A program's own kind of action."""

    __slots__ = ()


class Talkative(Action):
    """One that adds fields to what it logs."""

    def _start(self, fields: Dict[str, Any]) -> None:
        super()._start({**fields, "begun": True})

    def log(self, message_type: str, **fields: Any) -> None:
        """Log a message with one more field."""
        super().log(message_type, said=True, **fields)


class Recorder:
    """A logger of a program's own."""

    def __init__(self) -> None:
        self.written: List[Tuple[Dict[str, Any], Any]] = []

    def write(self, dictionary: Dict[str, Any], serializer: Any = None) -> None:
        """Keep the message."""
        self.written.append((dictionary, serializer))


class TestStartAction:
    """`start_action`: an action in the current one."""

    def test_without_parent(self, log: Messages) -> None:
        """Outside of any action, it is the root of a new task."""
        action = start_action(action_type="a", key=1)

        assert [{"key": 1, "action_type": "a", "action_status": "started", "task_level": [1]}] == [
            tidy(m) for m in log
        ]
        assert action.task_uuid == log[0]["task_uuid"]

    def test_with_parent(self, log: Messages) -> None:
        """Inside of an action, it takes the next slot of that one."""
        with start_action(action_type="outer") as outer:
            inner = start_action(action_type="inner")

        assert outer.task_uuid == inner.task_uuid
        assert [
            ([1], "outer", "started"),
            ([2, 1], "inner", "started"),
            ([3], "outer", "succeeded"),
        ] == outline(log)

    def test_does_not_make_it_current(self) -> None:
        """Starting an action does not change the current one."""
        start_action(action_type="a")

        assert current_action() is None

    def test_type_is_empty_by_default(self, log: Messages) -> None:
        """An action need not have a type."""
        start_action()

        assert "" == log[0]["action_type"]

    def test_logger_comes_first(self) -> None:
        """The first argument is the logger, then come the type and the serializers."""
        logger = MemoryLogger()
        start_action(logger, "a", None, x=1)

        assert {"x": 1, "action_type": "a", "action_status": "started", "task_level": [1]} == tidy(
            logger.messages[0]
        )

    def test_logger_is_not_inherited(self, log: Messages) -> None:
        """`None` always means the default logger, whatever logger the parent has."""
        with start_action(MemoryLogger(), "outer"):
            start_action(action_type="inner")

        assert [([2, 1], "inner", "started")] == outline(log)

    def test_keeps_its_logger(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The default logger is looked up when the action is made, and kept."""
        first, second = MemoryLogger(), MemoryLogger()
        monkeypatch.setattr(output_room, "_DEFAULT_LOGGER", first)
        action = start_action(action_type="a")
        monkeypatch.setattr(output_room, "_DEFAULT_LOGGER", second)
        action.log("m")
        action.finish()

        assert (3, 0) == (len(first.messages), len(second.messages))

    def test_any_other_keyword_is_a_field(self, log: Messages) -> None:
        """Only the names of the three parameters cannot be fields."""
        fields: Any = {"self": 1, "message_type": 2, "a b": 3, "__eliot_logger__": 4}
        start_action(action_type="a", **fields)

        assert fields.items() <= log[0].items()

    @pytest.mark.parametrize("start", [start_action, start_task])
    def test_type_in_place_of_logger(self, start: Callable[..., Action], log: Messages) -> None:
        """A text where the logger has its place is the type."""
        start("my_type", number=1)

        assert [{**START, "action_type": "my_type", "number": 1}] == [tidy(m) for m in log]

    @pytest.mark.parametrize("start", [start_action, start_task])
    def test_two_types(self, start: Callable[..., Action]) -> None:
        """What is no logger is refused, by name, with the way out."""
        with pytest.raises(AttributeError) as caught:
            start("my_type", action_type="another")

        assert (
            "'str' object has no attribute 'write', so 'my_type' is no logger; "
            "the type of an action is given as action_type=..."
        ) == str(caught.value)

    def test_no_logger_takes_no_slot(self, log: Messages) -> None:
        """A call that is refused leaves no gap in the tree."""
        nothing: Any = object()
        with start_action(action_type="a") as action:
            for refused in (
                lambda: start_action(nothing),
                lambda: action.child(nothing, "b"),
                lambda: action.log("m", __eliot_logger__=nothing),
                lambda: log_message("m", __eliot_logger__=nothing),
            ):
                with pytest.raises(AttributeError, match="has no attribute 'write'"):
                    refused()

        assert [([1], "a", "started"), ([2], "a", "succeeded")] == outline(log)

    def test_child_is_of_the_parents_class(self) -> None:
        """Children of a subclass are of that subclass; new tasks are not."""
        with Subclass(None, "u", TaskLevel([]), "a"):
            assert Subclass is type(start_action())
            assert Action is type(start_task())

    def test_old_names(self) -> None:
        """The camelCase names are the same functions."""
        assert eliot.startAction is start_action
        assert action_room.startAction is start_action
        assert eliot.startTask is start_task
        assert action_room.startTask is start_task


class TestStartTask:
    """`start_task`: the root of a new task."""

    def test_ignores_the_current_action(self, log: Messages) -> None:
        """Even inside of an action it has a task of its own, and takes no slot."""
        with start_action(action_type="outer") as outer:
            task = start_task(action_type="task", x=1)

        assert outer.task_uuid != task.task_uuid
        assert [
            ([1], "outer", "started"),
            ([1], "task", "started"),
            ([2], "outer", "succeeded"),
        ] == outline(log)
        assert 1 == log[1]["x"]

    def test_logger_comes_first(self) -> None:
        """The first argument is the logger, then come the type and the serializers."""
        logger = MemoryLogger()
        start_task(logger, "a", None, x=1)

        assert {"x": 1, "action_type": "a", "action_status": "started", "task_level": [1]} == tidy(
            logger.messages[0]
        )


class TestAction:
    """An action that is made by hand."""

    def test_by_keyword(self) -> None:
        """Programs name the parameters; nothing is logged yet."""
        logger = MemoryLogger()
        action = Action(
            logger=logger,
            task_uuid="u",
            task_level=TaskLevel(level=[2, 3]),
            action_type="a",
            serializers=None,
        )

        assert "u" == action.task_uuid
        assert {"task_uuid": "u", "action_type": "a"} == action._identification
        assert TaskLevel([2, 3]) == action._task_level
        assert logger is action._logger
        assert action._serializers is None
        assert [] == logger.messages
        assert "<Action 'a' started u@/2/3>" == repr(action)

    def test_default_logger(self, log: Messages) -> None:
        """Without a logger of its own it has the default one."""
        Action(None, "u", TaskLevel([]), "a").log("m")

        assert [([1], "m", None)] == outline(log)

    def test_first_message_is_whatever_comes_first(self, log: Messages) -> None:
        """The first message takes slot 1, be it the last one."""
        Action(None, "u", TaskLevel([2]), "a").finish()

        assert [([2, 1], "a", "succeeded")] == outline(log)

    def test_starts_with_the_given_dictionary(self) -> None:
        """Starting by hand adds the built-in fields to the dictionary."""
        logger = Recorder()
        fields: Dict[str, Any] = {"x": 1}
        Action(logger, "u", TaskLevel([]), "a")._start(fields)

        assert logger.written[0][0] is fields
        assert {"x": 1, "action_type": "a", "action_status": "started", "task_level": [1]} == tidy(
            fields
        )

    def test_takes_attributes_of_the_program(self) -> None:
        """A program may keep things of its own on an action."""
        action: Any = start_action(action_type="a")
        action.request_id = 7

        assert 7 == action.request_id

    def test_can_be_collected(self) -> None:
        """A finished action that nobody holds is gone."""
        with start_action(action_type="a") as action:
            log_message("m")
        reference = weakref.ref(action)
        del action
        gc.collect()

        assert reference() is None

    @pytest.mark.parametrize("given_type", [None, 7, b"bytes", ["list"]])
    def test_type_that_is_no_text(self, log: Messages, given_type: Any) -> None:
        """A type of any other kind is logged as text."""
        with start_action(action_type=given_type):
            log_message(given_type)

        assert [str(given_type)] * 3 == [type_ for _, type_, _ in outline(log)]

    def test_type_without_class(self, log: Messages) -> None:
        """Neither does one that does not say of what class it is."""

        def fail(_: object) -> object:
            raise RuntimeError

        proxy = type("Proxy", (), {"__class__": property(fail), "__str__": lambda _: "proxy"})
        given: Any = proxy()
        with start_action(action_type=given):
            log_message(given)

        assert ["proxy"] * 3 == [type_ for _, type_, _ in outline(log)]

    def test_type_without_text(self, log: Messages) -> None:
        """Not even a type that cannot say what it is makes the program fail."""

        class Broken:
            def __str__(self) -> str:
                raise RuntimeError

        broken: Any = Broken()
        start_action(action_type=broken).log(broken)

        assert ["eliot: unknown, str() raised exception"] * 2 == [t for _, t, _ in outline(log)]


class TestLog:
    """`Action.log`: a message in an action."""

    def test_whenever(self, log: Messages) -> None:
        """The action need not be the current one, and may have ended."""
        action = start_action(action_type="a")
        action.log("m", x=1)
        action.finish()
        action.log("late")

        assert [
            ([1], "a", "started"),
            ([2], "m", None),
            ([3], "a", "succeeded"),
            ([4], "late", None),
        ] == outline(log)
        assert {"x": 1, "message_type": "m", "task_level": [2]} == tidy(log[1])
        assert log[0]["task_uuid"] == log[1]["task_uuid"]

    def test_names_that_are_free(self, log: Messages) -> None:
        """Names of other parameters of this module can be fields."""
        start_action().log("m", action=1, logger=2, message=3, fields=4, serializer=5)

        assert {
            "action": 1,
            "logger": 2,
            "message": 3,
            "fields": 4,
            "serializer": 5,
            "message_type": "m",
            "task_level": [2],
        } == tidy(log[1])

    @pytest.mark.parametrize("call", [lambda f: f(), lambda f: f("m", message_type="m")])
    @pytest.mark.parametrize("log_one", [log_message, Action(None, "u", TaskLevel([]), "").log])
    def test_one_type(self, call: Callable[[Any], Any], log_one: Any) -> None:
        """There is exactly one message type; it may be given by name."""
        log_one(message_type="m")
        with pytest.raises(TypeError, match="message_type"):
            call(log_one)

    def test_other_logger(self, log: Messages) -> None:
        """One message can go to another logger, with a serializer; the slot is the action's."""
        logger, serializer = Recorder(), object()
        action = start_action(action_type="a")
        action.log("m", x=1, __eliot_logger__=logger, __eliot_serializer__=serializer)
        action.log("n", __eliot_logger__=logger)

        assert [([1], "a", "started")] == outline(log)
        assert [
            ({"x": 1, "message_type": "m", "task_level": [2]}, serializer),
            ({"message_type": "n", "task_level": [3]}, None),
        ] == [(tidy(message), used) for message, used in logger.written]

    def test_other_logger_that_is_none(self, log: Messages) -> None:
        """`None` is the same as nothing."""
        action = start_action(action_type="a")
        action.log("m", __eliot_logger__=None, __eliot_serializer__=None)

        assert {"message_type": "m", "task_level": [2]} == tidy(log[1])


class TestLogMessage:
    """`log_message`: a message where the running code is."""

    def test_in_an_action(self, log: Messages) -> None:
        """It takes the next slot of the current action, and goes to its logger."""
        logger = MemoryLogger()
        with start_action(logger, "a") as action:
            log_message("m", x=1)

        assert [] == log
        assert {"x": 1, "message_type": "m", "task_level": [2]} == tidy(logger.messages[1])
        assert action.task_uuid == logger.messages[1]["task_uuid"]

    def test_alone(self, log: Messages) -> None:
        """Outside of any action it is a task of its own."""
        log_message("m", x=1)
        log_message("m")

        assert {"x": 1, "message_type": "m", "task_level": [1]} == tidy(log[0])
        assert log[0]["task_uuid"] != log[1]["task_uuid"]

    def test_other_logger(self, log: Messages) -> None:
        """A message can go to another logger, with a serializer, in or outside of an action."""
        logger, serializer = Recorder(), object()
        log_message("alone", x=1, __eliot_logger__=logger, __eliot_serializer__=serializer)
        with start_action(action_type="a"):
            log_message("inside", __eliot_logger__=logger)

        assert [
            ({"x": 1, "message_type": "alone", "task_level": [1]}, serializer),
            ({"message_type": "inside", "task_level": [2]}, None),
        ] == [(tidy(message), used) for message, used in logger.written]
        assert [([1], "a", "started"), ([3], "a", "succeeded")] == outline(log)

    def test_other_logger_that_is_none(self, log: Messages) -> None:
        """`None` is the same as nothing."""
        log_message("m", __eliot_logger__=None)

        assert {"message_type": "m", "task_level": [1]} == tidy(log[0])

    def test_default_logger_is_looked_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The default logger is the one that is there when the message is logged."""
        logger = MemoryLogger()
        monkeypatch.setattr(output_room, "_DEFAULT_LOGGER", logger)
        log_message("m")

        assert [([1], "m", None)] == outline(logger.messages)

    def test_time_is_that_of_the_call(self, log: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
        """The clock is looked up at each message, so that a test can set it."""
        with start_action(action_type="a"):
            monkeypatch.setattr(time, "time", lambda: 12.5)
            log_message("m")
        start_action(action_type="b")
        log_message("m")

        assert [12.5] * 4 == [message["timestamp"] for message in log[1:]]


class TestOwnWays:
    """A subclass of `Action` may start, and log messages, in a way of its own."""

    def test_messages(self, log: Messages) -> None:
        """Messages in such an action are logged in its way, at whatever depth."""
        action = Talkative(None, "u", TaskLevel([]), "a")
        with action, action:
            log_message("m", x=1)
            MessageType("t", []).log()
            with action.context():
                log_message("n")

        assert [
            {"message_type": "m", "x": 1, "said": True, "task_level": [1]},
            {"message_type": "t", "said": True, "task_level": [2]},
            {"message_type": "n", "said": True, "task_level": [3]},
            {"action_type": "a", "action_status": "succeeded", "task_level": [4]},
        ] == [tidy(message) for message in log]
        assert current_action() is None

    def test_children(self, log: Messages) -> None:
        """Its children start, and log, in that way, too."""
        with Talkative(None, "u", TaskLevel([]), "a"), start_action("b", x=1) as child:
            log_message("m")
            assert child is current_action()

        started = {"action_type": "b", "action_status": "started", "x": 1, "begun": True}
        assert [
            {**started, "task_level": [1, 1]},
            {"message_type": "m", "said": True, "task_level": [1, 2]},
        ] == [tidy(message) for message in log[:2]]

    def test_start_without_room(self, log: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
        """A child that has no room for its own way starts as any other does."""

        def cramped(self: Action, fields: Dict[str, Any]) -> None:
            raise RecursionError

        monkeypatch.setattr(Talkative, "_start", cramped)
        with Talkative(None, "u", TaskLevel([]), "a"), start_action("b"):
            log_message("m")

        assert [[1, 1], [1, 2], [1, 3], [2]] == [message["task_level"] for message in log]
        assert "begun" not in log[0]


class TestFinish:
    """The end of an action."""

    def test_success(self, log: Messages) -> None:
        """The last message has the fields that were added; a later value wins."""
        action = start_action(action_type="a", key=1)
        action.add_success_fields(x=1, y=2)
        action.add_success_fields(y=3)
        action.finish()

        assert {
            "x": 1,
            "y": 3,
            "action_type": "a",
            "action_status": "succeeded",
            "task_level": [2],
        } == tidy(log[1])

    def test_failure(self, log: Messages) -> None:
        """The last message names the exception; fields for success are dropped."""
        action = start_action(action_type="a")
        action.add_success_fields(x=1)
        action.finish(ValueError("boom"))

        assert {
            "exception": "builtins.ValueError",
            "reason": "boom",
            "action_type": "a",
            "action_status": "failed",
            "task_level": [2],
        } == tidy(log[1])

    @pytest.mark.parametrize(
        ("failure", "name", "reason"),
        [
            (ValueError, "builtins.type", "<class 'ValueError'>"),
            (3, "builtins.int", "3"),
            ("", "builtins.str", ""),
        ],
    )
    def test_failure_of_another_kind(
        self, log: Messages, failure: Any, name: str, reason: str
    ) -> None:
        """Anything but `None` is a failure."""
        start_action(action_type="a").finish(failure)

        assert ("failed", name, reason) == tuple(
            log[1][key] for key in ("action_status", "exception", "reason")
        )

    def test_ends_once(self, log: Messages) -> None:
        """After the first end, another one changes nothing."""
        action = start_action(action_type="a")
        action.finish()
        action.finish(ValueError())
        with action:
            pass

        assert [([1], "a", "started"), ([2], "a", "succeeded")] == outline(log)

    def test_ends_once_among_threads(self, log: Messages) -> None:
        """Of several threads that finish an action, one does."""
        actions = [start_action(action_type=str(number)) for number in range(200)]
        barrier = threading.Barrier(4)

        def finish() -> None:
            for action in actions:
                barrier.wait()
                action.finish()

        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(finish) for _ in range(4)]:
                future.result()

        assert 400 == len(log)

    def test_written_fields_stay_as_they_are(self) -> None:
        """Fields that are added after the end change no message that is written."""
        logger = MemoryLogger()
        action = start_action(logger, "a")
        action.add_success_fields(x=1)
        action.finish()
        action.add_success_fields(x=2, y=3)

        assert {
            "x": 1,
            "action_type": "a",
            "action_status": "succeeded",
            "task_level": [2],
        } == tidy(logger.messages[1])

    def test_does_not_touch_the_context(self) -> None:
        """The current action stays so when it ends."""
        with start_action(action_type="a") as action:
            action.finish()

            assert current_action() is action

    def test_old_name(self) -> None:
        """The camelCase name is the same method."""
        assert Action.addSuccessFields is Action.add_success_fields


class TestExtractors:
    """Extra fields of the exception that an action failed with."""

    def test_fields_are_added(self, log: Messages, registry: Dict[type, Any]) -> None:
        """The extractor's fields are in the last message, but replace none of Eliot's own."""
        registry[ValueError] = lambda _: {
            "code": 7,
            "exception": "x",
            "reason": "x",
            "action_type": "x",
            "action_status": "x",
            "task_level": "x",
        }
        start_action(action_type="a").finish(ValueError("boom"))

        assert {
            "code": 7,
            "exception": "builtins.ValueError",
            "reason": "boom",
            "action_type": "a",
            "action_status": "failed",
            "task_level": [2],
        } == tidy(log[1])

    def test_extractor_that_fails(self, log: Messages, registry: Dict[type, Any]) -> None:
        """Its own traceback comes first, in the parent's context; then the end, without fields."""

        def fail(_: ValueError) -> Dict[str, Any]:
            raise KeyError("extractor")

        registry[ValueError] = fail
        with start_action(action_type="outer"), pytest.raises(
            ValueError, match="boom"
        ), start_action(action_type="inner"):
            raise ValueError("boom")

        assert [
            ([1], "outer", "started"),
            ([2, 1], "inner", "started"),
            ([3], "eliot:traceback", None),
            ([2, 2], "inner", "failed"),
            ([4], "outer", "succeeded"),
        ] == outline(log)
        assert ("builtins.KeyError", "'extractor'") == (log[2]["exception"], log[2]["reason"])
        assert {
            "exception": "builtins.ValueError",
            "reason": "boom",
            "action_type": "inner",
            "action_status": "failed",
            "task_level": [2, 2],
        } == tidy(log[3])

    def test_failure_goes_to_the_logger_of_the_action(self, registry: Dict[type, Any]) -> None:
        """The traceback of the extractor is logged where the end of the action is."""
        registry[ValueError] = lambda _: 1 / 0
        logger = MemoryLogger()
        start_action(logger, "a").finish(ValueError("boom"))

        assert [
            ([1], "a", "started"),
            ([1], "eliot:traceback", None),
            ([2], "a", "failed"),
        ] == outline(logger.messages)
        assert 1 == len(logger.flush_tracebacks(ZeroDivisionError))

    def test_extractor_without_fields(self, log: Messages, registry: Dict[type, Any]) -> None:
        """An extractor that returns no dictionary has failed too; the action ends all the same."""
        registry[ValueError] = lambda _: None
        start_action(action_type="a").finish(ValueError("boom"))

        assert [
            ([1], "a", "started"),
            ([1], "eliot:traceback", None),
            ([2], "a", "failed"),
        ] == outline(log)
        assert "builtins.TypeError" == log[1]["exception"]

    def test_extractor_that_fails_on_its_own_failure(
        self, log: Messages, registry: Dict[type, Any]
    ) -> None:
        """Two messages tell the story, not an endless row of them."""

        def fail(exception: ValueError) -> Dict[str, Any]:
            raise ValueError("again") from exception

        registry[ValueError] = fail
        start_action(action_type="a").finish(ValueError("boom"))

        assert ["again", "boom"] == [message["reason"] for message in log[1:]]

    def test_exception_without_text(self, log: Messages) -> None:
        """An exception whose str() fails, or is no text, ends the action all the same."""

        class Broken(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        class Wrong(Exception):
            def __str__(self) -> str:
                return 3  # type: ignore[return-value]  # noqa: PLE0307 - that is the point

        for exception in (Broken(), Wrong()):
            with pytest.raises(type(exception)), start_action(action_type="a"):
                raise exception

        assert ["eliot: unknown, str() raised exception"] * 2 == [
            log[1]["reason"],
            log[3]["reason"],
        ]


class TestWith:
    """A `with` block is the life of an action."""

    def test_success(self, log: Messages) -> None:
        """The action is current inside, and has succeeded afterwards."""
        with start_action(action_type="a") as action:
            assert current_action() is action
        assert current_action() is None

        assert [([1], "a", "started"), ([2], "a", "succeeded")] == outline(log)

    @pytest.mark.parametrize(
        "cls", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]
    )
    def test_failure(self, log: Messages, cls: Type[BaseException]) -> None:
        """Any exception that leaves the block fails the action, and goes on."""
        exception = cls("boom")
        with pytest.raises(cls) as caught, start_action(action_type="a"):
            raise exception

        assert exception is caught.value
        assert (f"{cls.__module__}.{cls.__name__}", "boom", "failed") == tuple(
            log[1][key] for key in ("exception", "reason", "action_status")
        )
        assert current_action() is None

    def test_context_is_left_first(self, log: Messages) -> None:
        """What is logged while an action ends is logged in its parent."""
        seen: List[Optional[Action]] = []
        with start_action(action_type="outer") as outer:
            eliot.add_destinations(lambda _: seen.append(current_action()))
            start_action(action_type="inner").__enter__().__exit__(None, None, None)
            seen_in_outer, seen[:] = seen[:], []

        assert [outer, outer] == seen_in_outer
        assert [None] == seen

    def test_finished_action(self, log: Messages) -> None:
        """An action that has ended can still be the current one."""
        action = start_action(action_type="a")
        action.finish()
        with action:
            assert current_action() is action
        assert current_action() is None

        assert 2 == len(log)

    def test_nested(self, log: Messages) -> None:
        """The same action twice: it ends with the inner block, both restore the context."""
        with start_action(action_type="a") as action:
            with action:
                assert current_action() is action
            assert current_action() is action
            log_message("m")
        assert current_action() is None

        assert [
            ([1], "a", "started"),
            ([2], "a", "succeeded"),
            ([3], "m", None),
        ] == outline(log)

    def test_exit_without_enter(self, log: Messages) -> None:
        """The action ends; the context stays as it is."""
        action = start_action(action_type="a")
        with start_action(action_type="b") as other:
            action.__exit__(None, None, None)

            assert current_action() is other
        assert ([2], "a", "succeeded") in outline(log)

    def test_out_of_order(self) -> None:
        """Leaving a block restores the action that was current when it was entered."""
        a, b = start_action(action_type="a"), start_action(action_type="b")
        with b.context():
            a.__enter__()
            b.__enter__()
            a.__exit__(None, None, None)
            assert current_action() is b
            b.__exit__(None, None, None)

            assert current_action() is a


class TestContext:
    """Making an action the current one, without ending it."""

    def test_run(self, log: Messages) -> None:
        """A function runs within the action, with its arguments and its result."""
        action = start_action(action_type="a")

        def f(*args: Any, **kwargs: Any) -> Any:
            return current_action(), args, kwargs

        assert (action, (1,), {"k": 2}) == action.run(f, 1, k=2)
        assert current_action() is None
        assert 1 == len(log)

    def test_run_restores_after_an_exception(self) -> None:
        """An exception passes; the context is restored."""
        with pytest.raises(ZeroDivisionError):
            start_action(action_type="a").run(lambda: 1 / 0)

        assert current_action() is None

    def test_context(self, log: Messages) -> None:
        """The block gets the action, as often as wanted, nested too; it logs nothing."""
        action = start_action(action_type="a")
        for _ in range(2):
            with action.context() as same, action.context():
                assert same is action
                assert current_action() is action
        assert current_action() is None
        assert 1 == len(log)

    def test_context_restores_after_an_exception(self) -> None:
        """An exception passes; the context is restored, and the action goes on."""
        with pytest.raises(ZeroDivisionError), start_action(action_type="a").context():
            _ = 1 / 0

        assert current_action() is None

    def test_context_of_a_finished_action(self) -> None:
        """An action that has ended can still be the current one."""
        action = start_action(action_type="a")
        action.finish()
        with action.context():
            assert current_action() is action


class TestChild:
    """`Action.child`: an action in the next slot, by hand."""

    def test_takes_the_next_slot(self, log: Messages) -> None:
        """It is of the same task and class, and has logged nothing."""
        serializers: Any = object()
        parent = Subclass(None, "u", TaskLevel([3]), "parent")
        child = parent.child(None, "child", serializers)

        assert [] == log
        assert (Subclass, TaskLevel([3, 1])) == (type(child), child._task_level)
        assert {"task_uuid": "u", "action_type": "child"} == child._identification
        assert serializers is child._serializers

    def test_logger_is_not_inherited(self) -> None:
        """`None` is the default logger; another one is that one."""
        logger = MemoryLogger()
        parent = start_action(logger, "parent")

        assert output_room._DEFAULT_LOGGER is parent.child(None, "child")._logger
        assert logger is parent.child(logger, "child")._logger

    def test_next_task_level(self) -> None:
        """The next slot can be taken by hand."""
        action = Action(None, "u", TaskLevel([3]), "a")

        assert [TaskLevel([3, 1]), TaskLevel([3, 2])] == [
            action._nextTaskLevel(),
            action._nextTaskLevel(),
        ]


class TestTaskId:
    """Continuing a task elsewhere."""

    def test_names_the_next_slot(self, log: Messages) -> None:
        """Each id takes a slot; nothing is logged."""
        action = Action(None, "u", TaskLevel([3]), "a")

        assert [b"u@/3/1", b"u@/3/2"] == [action.serialize_task_id(), action.serializeTaskId()]
        assert [] == log
        assert Action.serializeTaskId is Action.serialize_task_id

    def test_is_ascii(self) -> None:
        """A foreign task uuid that is not cannot be serialized."""
        with pytest.raises(UnicodeEncodeError):
            Action(None, "\xfc", TaskLevel([]), "a").serialize_task_id()

    @pytest.mark.parametrize("task_id", [b"abc@/3/4/1", "abc@/3/4/1", "abc@3/4//1/"])
    def test_continue(self, log: Messages, task_id: Any) -> None:
        """The action has the level that the id names; it is started, not current, not finished."""
        action = Action.continue_task(None, task_id, action_type="custom", field="v")

        assert "abc" == action.task_uuid
        assert current_action() is None
        assert [
            {
                "field": "v",
                "action_type": "custom",
                "action_status": "started",
                "task_level": [3, 4, 1, 1],
            }
        ] == [tidy(message) for message in log]

    @pytest.mark.parametrize("task_id", ["u@", "u@/", b"u@"])
    def test_continue_at_the_root(self, log: Messages, task_id: Any) -> None:
        """An empty level is that of the root."""
        Action.continue_task(task_id=task_id)

        assert [([1], "eliot:remote_task", "started")] == outline(log)

    @given(st.lists(st.integers(min_value=1, max_value=2**63 - 1), max_size=6))
    def test_there_and_back(self, level: List[int]) -> None:
        """What continues an id stands in the slot that the id took."""
        task_id = Action(None, "u", TaskLevel(level), "a").serialize_task_id()
        continued = Action.continue_task(MemoryLogger(), task_id)

        assert ("u", TaskLevel([*level, 1])) == (continued.task_uuid, continued._task_level)

    def test_is_of_the_class(self) -> None:
        """A subclass makes one of its own."""
        assert Subclass is type(Subclass.continue_task(MemoryLogger(), "u@/1"))
        assert Action.continueTask == Action.continue_task

    def test_takes_serializers(self) -> None:
        """Those of a declared type may be given."""
        logger = Recorder()
        serializers: Any = eliot.ActionType("a", [], [])._serializers
        Action.continue_task(logger, "u@/1", _serializers=serializers)

        assert serializers.start is logger.written[0][1]

    def test_without_id(self) -> None:
        """There must be one."""
        with pytest.raises(RuntimeError) as caught:
            Action.continue_task()

        assert "You must supply a task_id keyword argument." == str(caught.value)

    @pytest.mark.parametrize(
        "task_id",
        [
            *("", "u", "/1", "u@/1@/2", "u@/x", "u@/1/2.5", b"u", b"u@/x"),
            *(None, 7, ["u", "1"], bytearray(b"u@/1"), object()),
        ],
    )
    def test_malformed(self, log: Messages, task_id: Any) -> None:
        """What is no task id is refused, by name, with an example; nothing is logged."""
        with pytest.raises(ValueError, match="is not a task id, which looks like") as caught:
            Action.continue_task(task_id=task_id)

        assert repr(task_id) in str(caught.value)
        assert [] == log

    @pytest.mark.parametrize(
        "level",
        [
            *("1_0", " 1", "1 ", "+1", "-1", "\u0663", "\u00b2", "0", "/1/0", "1\n", "1.", "1e3"),
            *(str(2**63), "/" + "1" * 5000, "/1" * 1001),
        ],
    )
    def test_odd_levels(self, level: str) -> None:
        """A level has at most 1000 numbers from 1 on, in plain digits, of 63 bits."""
        with pytest.raises(ValueError, match="is not a task id"):
            Action.continue_task(MemoryLogger(), f"u@/{level}")

    @pytest.mark.parametrize(
        "task_uuid", ["u" * 1001, "\x1b[31m", "u\n", "\x9b", "\u202e", "\ud800"]
    )
    def test_odd_uuids(self, task_uuid: str) -> None:
        """A task uuid has at most 1000 characters, all of them printable."""
        with pytest.raises(ValueError, match="is not a task id"):
            Action.continue_task(MemoryLogger(), f"{task_uuid}@/1")

    @pytest.mark.parametrize(
        ("task_id", "level"),
        [
            ("u" * 1000 + "@/1", [1]),
            (" \u00e9@/1", [1]),
            ("@//2", [2]),
            (f"u@/{2**63 - 1}", [2**63 - 1]),
            ("u@" + "/1" * 1000, [1] * 1000),
        ],
    )
    def test_unusual_but_legal(self, task_id: str, level: List[int]) -> None:
        """Everything up to these limits is a task id."""
        action = Action.continue_task(MemoryLogger(), task_id)

        assert (task_id.rpartition("@")[0], TaskLevel(level)) == (
            action.task_uuid,
            action._task_level,
        )

    def test_long_values_are_shortened(self) -> None:
        """The error does not repeat all of a long value."""
        with pytest.raises(ValueError, match="'uuu") as caught:
            Action.continue_task(task_id="u" * 10_000_000)

        assert len(str(caught.value)) < 500

    def test_malformed_bytes(self) -> None:
        """Bytes that are not ASCII are refused in the same way."""
        with pytest.raises(UnicodeDecodeError, match=r"b'\\xff@/1' is not a task id"):
            Action.continue_task(task_id=b"\xff@/1")

    def test_wrong_logger(self, log: Messages) -> None:
        """What is no logger is refused."""
        wrong: Any = "u@/1"
        with pytest.raises(AttributeError, match="has no attribute 'write'"):
            Action.continue_task(wrong, "u@/1")

        assert [] == log


class TestThreads:
    """Actions and threads."""

    @pytest.mark.skipif(
        getattr(sys.flags, "thread_inherit_context", False),
        reason="threads inherit the context on this interpreter",
    )
    def test_start_with_no_action(self) -> None:
        """A new thread, or one of a pool, is in no action."""
        seen: List[Optional[Action]] = []
        with start_action(action_type="a"), ThreadPoolExecutor(1) as pool:
            thread = threading.Thread(target=lambda: seen.append(current_action()))
            thread.start()
            thread.join()

            assert [None] == seen
            assert pool.submit(current_action).result() is None

    @pytest.mark.usefixtures("threads_inherit")
    def test_inherit(self) -> None:
        """Where threads inherit the context, those of a pool stay in it, but for calls."""
        with ThreadPoolExecutor(1) as pool, start_action(action_type="a") as outer:
            assert pool.submit(current_action).result() is outer
            with start_action(action_type="b") as inner:
                assert pool.submit(current_action).result() is outer
                remote = pool.submit(preserve_context(current_action)).result()

        assert remote is not None
        assert inner.task_level == remote.task_level.parent()

    def test_share_an_action(self, log: Messages) -> None:
        """Threads that log in the same action never log in the same slot."""
        barrier = threading.Barrier(8)

        with start_action(action_type="shared") as action:

            def work() -> None:
                with action.context():
                    barrier.wait()
                    for _ in range(5000):
                        log_message("m")

            with ThreadPoolExecutor(8) as pool:
                for future in [pool.submit(work) for _ in range(8)]:
                    future.result()

        assert 40_002 == len({(m["task_uuid"], tuple(m["task_level"])) for m in log})
        assert [40_002] == log[-1]["task_level"]


class TestAsyncio:
    """Actions and coroutines."""

    def test_tasks_inherit(self, log: Messages) -> None:
        """A task is in the action that was current when it was made; neither disturbs the other."""

        async def child(name: str) -> None:
            with start_action(action_type=name):
                await asyncio.sleep(0)

        async def main() -> None:
            with start_action(action_type="main"):
                await asyncio.gather(asyncio.ensure_future(child("a")), child("b"))
                with start_action(action_type="awaited"):
                    await child("c")

        asyncio.run(main())

        assert [
            ([1], "main", "started"),
            ([2, 1], "a", "started"),
            ([2, 2], "a", "succeeded"),
            ([3, 1], "b", "started"),
            ([3, 2], "b", "succeeded"),
            ([4, 1], "awaited", "started"),
            ([4, 2, 1], "c", "started"),
            ([4, 2, 2], "c", "succeeded"),
            ([4, 3], "awaited", "succeeded"),
            ([5], "main", "succeeded"),
        ] == sorted(outline(log))

    def test_where_the_context_goes(self) -> None:
        """Callbacks inherit it from where they were scheduled."""

        async def main() -> None:
            loop = asyncio.get_running_loop()
            seen: asyncio.Future[Optional[Action]] = loop.create_future()
            with start_action(action_type="main") as action:
                loop.call_soon(lambda: seen.set_result(current_action()))
            assert await seen is action

        asyncio.run(main())

    def test_task_that_outlives_its_action(self, log: Messages) -> None:
        """It keeps logging into that action, in slots after the end."""

        async def child(ended: asyncio.Event) -> None:
            await ended.wait()
            log_message("late")

        async def main() -> None:
            ended = asyncio.Event()
            with start_action(action_type="main"):
                task = asyncio.ensure_future(child(ended))
            ended.set()
            await task

        asyncio.run(main())

        assert [
            ([1], "main", "started"),
            ([2], "main", "succeeded"),
            ([3], "late", None),
        ] == outline(log)

    def test_cancelled_task(self, log: Messages) -> None:
        """An action that a cancelled task leaves has failed; the canceller's is still current."""

        async def child(started: asyncio.Event) -> None:
            with start_action(action_type="child"):
                started.set()
                await asyncio.Event().wait()

        async def main() -> None:
            started = asyncio.Event()
            with start_action(action_type="main") as action:
                task = asyncio.ensure_future(child(started))
                await started.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

                assert current_action() is action

        asyncio.run(main())

        assert [
            ([1], "main", "started"),
            ([2, 1], "child", "started"),
            ([2, 2], "child", "failed"),
            ([3], "main", "succeeded"),
        ] == outline(log)
        name = f"{asyncio.CancelledError.__module__}.CancelledError"
        assert name == log[2]["exception"]


def numbers() -> Generator[int, None, None]:
    """Yield within an action, which is not what one should do."""
    with start_action(action_type="numbers"):
        yield 1
        yield 2


async def async_numbers() -> AsyncGenerator[int, None]:
    """Yield within an action, which is not what one should do."""
    with start_action(action_type="numbers"):
        yield 1
        yield 2


class TestLeftElsewhere:
    """
    An action that is left in another context than it was entered in.

    Nothing is raised, the last message is written, and what was current before is so again.
    """

    def test_in_another_thread(self, log: Messages) -> None:
        """A thread may end what another one has begun."""
        with start_action(action_type="outer") as outer:
            action = start_action(action_type="inner")
            action.__enter__()
            thread = threading.Thread(target=action.__exit__, args=(None, None, None))
            thread.start()
            thread.join()

            assert current_action() is outer
            assert (action, action) == (action.run(current_action), action.run(current_action))
            with action.context():
                assert current_action() is action
            log_message("m")

        assert [
            ([1], "outer", "started"),
            ([2, 1], "inner", "started"),
            ([2, 2], "inner", "succeeded"),
            ([3], "m", None),
            ([4], "outer", "succeeded"),
        ] == outline(log)

    def test_exception_in_another_thread(self, log: Messages) -> None:
        """The exception is not replaced by another one."""
        generator = numbers()
        next(generator)

        def throw() -> None:
            with pytest.raises(ZeroDivisionError, match="mine"):
                generator.throw(ZeroDivisionError("mine"))

        with ThreadPoolExecutor(1) as pool:
            pool.submit(throw).result()

        assert current_action() is None
        assert ("failed", "mine") == (log[1]["action_status"], log[1]["reason"])

    def test_generator_closed_in_another_thread(self, log: Messages) -> None:
        """A generator may be closed by whoever closes it."""
        with start_action(action_type="outer") as outer:
            generator = numbers()
            next(generator)
            thread = threading.Thread(target=generator.close)
            thread.start()
            thread.join()

            assert current_action() is outer

        assert [
            ([1], "outer", "started"),
            ([2, 1], "numbers", "started"),
            ([2, 2], "numbers", "failed"),
            ([3], "outer", "succeeded"),
        ] == outline(log)
        assert "builtins.GeneratorExit" == log[2]["exception"]

    def test_generator_broken_out_of(self, log: Messages) -> None:
        """A loop that is left early closes its generator, sooner or later."""
        with start_action(action_type="outer") as outer:
            for _ in numbers():
                break
            gc.collect()

            assert current_action() is outer

        assert [
            ([1], "outer", "started"),
            ([2, 1], "numbers", "started"),
            ([2, 2], "numbers", "failed"),
            ([3], "outer", "succeeded"),
        ] == outline(log)

    def test_generator_collected_elsewhere(self, log: Messages) -> None:
        """The garbage collector may run in another thread, in the midst of another action."""
        with start_action(action_type="outer") as outer:
            generators = [numbers()]
            next(generators[0])

            def collect() -> None:
                with start_task(action_type="other") as other:
                    generators.clear()
                    gc.collect()

                    assert current_action() is other

            with ThreadPoolExecutor(1) as pool:
                pool.submit(collect).result()

            assert current_action() is outer
        assert ([2, 2], "numbers", "failed") in outline(log)

    @pytest.mark.parametrize("held", [True, False])
    def test_async_generator_closed_by_the_loop(self, log: Messages, *, held: bool) -> None:
        """The loop closes an asynchronous generator that nobody holds, or when it ends itself."""
        generators: List[AsyncGenerator[int, None]] = []
        reports: List[Any] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda *args: reports.append(args))
            closed = asyncio.Event()
            eliot.add_destinations(
                lambda m: closed.set() if m.get("action_status") == "failed" else None
            )
            with start_action(action_type="main") as action:
                generators.append(async_numbers())
                async for _ in generators[0]:
                    break
                if not held:
                    generators.clear()
                    gc.collect()
                    await closed.wait()

                    assert current_action() is action
                    log_message("m")

        asyncio.run(main())

        assert [] == reports
        assert sorted(
            [
                ([1], "main", "started"),
                ([2, 1], "numbers", "started"),
                ([2, 2], "numbers", "failed"),
                *([] if held else [([3], "m", None)]),
                ([3 if held else 4], "main", "succeeded"),
            ]
        ) == sorted(outline(log))

    def test_async_generator_closed_by_another_task(self, log: Messages) -> None:
        """`aclose()` may run in another task; its action stays as it is, the consumer's is back."""

        async def close(generator: AsyncGenerator[int, None]) -> None:
            with start_action(action_type="closer") as closer:
                await generator.aclose()

                assert current_action() is closer

        async def main() -> None:
            with start_action(action_type="main") as action:
                generator = async_numbers()
                await generator.__anext__()
                await asyncio.ensure_future(close(generator))

                assert current_action() is action
                await asyncio.ensure_future(close(generator))

        asyncio.run(main())

        assert [
            ([1], "main", "started"),
            ([2, 1], "numbers", "started"),
            # The generator has not left its action yet.
            ([2, 2, 1], "closer", "started"),
            ([2, 3], "numbers", "failed"),
            ([2, 2, 2], "closer", "succeeded"),
            ([3, 1], "closer", "started"),
            ([3, 2], "closer", "succeeded"),
            ([4], "main", "succeeded"),
        ] == outline(log)

    def test_task_that_is_never_resumed(self, log: Messages) -> None:
        """A coroutine that is thrown away ends its actions where it is collected."""

        async def forever() -> None:
            with start_action(action_type="forever"):
                await asyncio.get_running_loop().create_future()

        async def main() -> Any:
            coroutine = forever()
            coroutine.send(None)
            return coroutine

        with start_action(action_type="outer") as outer:
            asyncio.run(main()).close()

            assert current_action() is outer
        assert ([2, 2], "forever", "failed") in outline(log)


def test_current_action_outside() -> None:
    """Outside of any action there is none."""
    assert current_action() is None


def test_default_logger_is_real() -> None:
    """The default logger is there from the beginning."""
    assert isinstance(output_room._DEFAULT_LOGGER, Logger)


class TestPlaceOfNewActions:
    """Where an action begins."""

    def test_in_a_context(self) -> None:
        """What begins while `context` makes an action the current one is in that action."""
        messages: List[Dict[str, Any]] = []
        add_destinations(messages.append)

        @log_call
        def add(a: int, b: int) -> int:
            current: Any = current_action()
            current.add_success_fields(more=a)
            return a + b

        with start_action(action_type="a").context():
            with start_action(action_type="b"):
                pass
            add(1, 2)

        assert [[1], [2, 1], [2, 2], [3, 1], [3, 2]] == [m["task_level"] for m in messages]
        assert (1, 3) == (messages[-1]["more"], messages[-1]["result"])


class TestKnows:
    """What an action knows about itself."""

    def test_running(self) -> None:
        """While it runs, it is started, and has not failed."""
        before = time.time()
        with start_action("a") as outer, start_action("b") as action:
            seen = (action.action_type, action.status, action.exception, action.parent)

            assert action.started_at is not None
            assert before <= action.started_at <= time.time()
            assert 0 <= action.duration < 60

        assert ("b", "started", None, outer) == seen
        assert (TaskLevel([2]), TaskLevel([2])) == (action.task_level, action._task_level)

    def test_succeeded(self, log: Messages) -> None:
        """After its end its status and its duration do not change any more."""
        with start_action("a") as action:
            pass
        again = (action.duration, action.duration)
        action.finish(ValueError())

        assert ("succeeded", None) == (action.status, action.exception)
        assert again[0] == again[1] == log[1]["timestamp"] - log[0]["timestamp"]
        assert log[0]["timestamp"] == action.started_at

    def test_failed(self) -> None:
        """It keeps what it has failed with."""
        error = ValueError()
        with pytest.raises(ValueError), start_action("a") as action:
            raise error

        assert ("failed", error) == (action.status, action.exception)
        assert f"<Action 'a' failed {action.task_uuid}@/>" == repr(action)

    def test_clock_set_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A duration is never negative."""
        action = start_action("a")
        monkeypatch.setattr(time, "time", lambda: 0.0)
        running = action.duration
        action.finish()

        assert (0, 0) == (running, action.duration)

    def test_never_started(self) -> None:
        """One that has not logged its start does not know when that was."""
        action = Action(None, "u", TaskLevel([]), "a")

        assert (None, 0) == (action.started_at, action.duration)
        action._start({})
        assert action.started_at is not None

    def test_is_read_only(self) -> None:
        """None of that can be changed."""
        action: Any = start_action("a")
        for name in [
            "action_type",
            "duration",
            "exception",
            "parent",
            "started_at",
            "status",
            "task_level",
            "task_uuid",
        ]:
            with pytest.raises(AttributeError):
                setattr(action, name, None)

    def test_parents(self) -> None:
        """Roots, and those that continue a task, have no parent; children of all kinds have one."""
        with start_action("a") as outer:
            task_id = outer.serialize_task_id()
            child = outer.child(None, "b")
        with Subclass(None, "u", TaskLevel([]), "c") as own, start_action("d") as inner:
            pass

        assert (None, None) == (outer.parent, start_task("a").parent)
        assert None is Action.continue_task(task_id=task_id).parent
        assert outer is child.parent
        assert own is inner.parent

    def test_parent_after_its_end(self) -> None:
        """A parent that has ended first is known as long as somebody keeps it."""
        outer = start_action("a")
        with outer.context():
            inner = start_action("b")
        outer.finish()
        inner.finish()
        known = inner.parent
        assert known is outer
        del known, outer
        gc.collect()

        assert inner.parent is None

    def test_relay(self) -> None:
        """Work that is handed on for ever does not keep all that went before."""
        first = following = action = start_action("a")
        reference = weakref.ref(first)
        for _ in range(10):
            with action.context():
                following = start_action("a")
            action.finish()
            action = following
        del first, following
        gc.collect()

        assert reference() is None
        assert action.parent is not None

    def test_no_cycle(self) -> None:
        """An action that ends well is gone as soon as nobody keeps it."""
        gc.collect()
        gc.disable()
        try:
            with start_action("a"), start_action("b") as action:
                action.add_fields(x=1)
            reference = weakref.ref(action)
            del action
            if sys.implementation.name == "pypy":
                gc.collect()

            assert reference() is None
        finally:
            gc.enable()


class TestAddFields:
    """`Action.add_fields`: fields of the end message, whatever the end is."""

    def test_success(self, log: Messages) -> None:
        """They are there if the action succeeds; those for success win, and later ones do."""
        with start_action("a") as action:
            action.add_success_fields(x=1, y=1)
            action.add_fields(x=2, z=2, w=2)
            action.add_fields(w=3)

        assert {"x": 1, "y": 1, "z": 2, "w": 3}.items() <= log[1].items()

    def test_failure(self, log: Messages) -> None:
        """They are there if it fails, too; what describes the exception wins."""
        action = start_action("a")
        action.add_success_fields(x=1)
        action.add_fields(y=2, reason="mine", errno=0, action_type="mine", task_level="mine")
        action.finish(OSError(5, "why"))

        assert {"y": 2, "reason": "[Errno 5] why", "errno": 5, "task_level": [2]}.items() <= (
            log[1].items()
        )
        assert ("a", False) == (log[1]["action_type"], "x" in log[1])

    def test_first(self, log: Messages) -> None:
        """They may come first."""
        with start_action("a") as action:
            action.add_fields(x=1)
            action.add_success_fields(y=2)

        assert {"x": 1, "y": 2}.items() <= log[1].items()

    def test_with_result(self, log: Messages) -> None:
        """They may come from inside of a logged call."""

        @log_call
        def f() -> int:
            action = current_action()
            assert action is not None
            action.add_fields(x=1)
            return 2

        f()

        assert {"x": 1, "result": 2}.items() <= log[1].items()

    def test_too_late(self, log: Messages) -> None:
        """After the end they change nothing."""
        plain, added, called = (start_action("a") for _ in range(3))
        added.add_fields(x=1)
        called._successFields = {"result": 1}  # as `log_call` does
        for action in (plain, added, called):
            action.finish()
            action.add_fields(x=2, y=2)
            action.add_success_fields(x=2, y=2)

        assert [None, 1, None] == [m.get("x") for m in log[3:]]
        assert not any("y" in m for m in log)

    def test_threads(self, log: Messages) -> None:
        """Threads that share an action lose none."""
        action = start_action("a")
        barrier = threading.Barrier(8)

        def work(number: int) -> None:
            barrier.wait()
            action.add_fields(**{f"always{number}": number})
            action.add_success_fields(**{f"success{number}": number})

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        action.finish()

        assert 16 == sum(name.startswith(("always", "success")) for name in log[1])


class TestAsyncWith:
    """`async with`: the same as `with`."""

    def test_block(self, log: Messages) -> None:
        """The action is the current one in the block, and ends with it."""

        async def work() -> None:
            async with start_action("a") as action:
                assert action is current_action()
                await asyncio.sleep(0)
                log_message("b")
            assert current_action() is None
            async with start_action("c"):
                raise ValueError("why")

        with pytest.raises(ValueError, match="why"):
            asyncio.run(work())

        assert [
            ([1], "a", "started"),
            ([2], "b", None),
            ([3], "a", "succeeded"),
            ([1], "c", "started"),
            ([2], "c", "failed"),
        ] == outline(log)
