"""Logging exceptions: `write_traceback` and `write_failure`."""

from __future__ import annotations

import sys
import traceback
from typing import Any, Callable, Dict, List, NoReturn, Optional

import pytest

import eliot
import eliot._output as output_room
import eliot._traceback as traceback_room
from eliot import MemoryLogger, start_action, write_failure, write_traceback
from eliot._errors import _error_extraction
from eliot._reports import TRACEBACK_SERIALIZER
from eliot._traceback import TRACEBACK_MESSAGE, _writeTracebackMessage

Messages = List[Dict[str, Any]]

TEXT = "Traceback (most recent call last):"


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


class Error(Exception):
    """An exception class of the program."""


def caught(exception: Optional[BaseException] = None) -> BaseException:
    """Return an exception that has been raised."""
    try:
        raise exception or Error("boom")
    except BaseException as error:
        return error


class Failure:
    """What Twisted calls a failure."""

    def __init__(self, value: BaseException) -> None:
        self.value = value

    def getBriefTraceback(self) -> str:  # noqa: N802 - Twisted's name
        """Return a text."""
        return "brief text"


class TestWriteTraceback:
    """Logging an exception that the program deals with."""

    def test_of_what_is_handled(self, log: Messages) -> None:
        """By default it is the exception that is being handled."""
        try:
            raise Error("boom")
        except Error:
            write_traceback()

        assert ("eliot:traceback", "boom", f"{__name__}.Error", [1]) == tuple(
            log[0][key] for key in ("message_type", "reason", "exception", "task_level")
        )
        lines = log[0]["traceback"].splitlines()
        assert (3, TEXT, f"{__name__}.Error: boom") == (len(lines), lines[0], lines[-1])
        assert "raise Error" not in log[0]["traceback"]

    def test_of_a_triple(self, log: Messages) -> None:
        """It may be given as `sys.exc_info()` returns it."""
        error = caught()
        write_traceback(exc_info=(Error, error, error.__traceback__))

        assert "boom" == log[0]["reason"]
        assert "in caught" in log[0]["traceback"]

    def test_of_an_exception(self, log: Messages) -> None:
        """It may be given as it is."""
        write_traceback(exc_info=caught())
        write_traceback(exc_info=Error("never raised"))

        assert ["boom", "never raised"] == [message["reason"] for message in log]
        assert "in caught" in log[0]["traceback"]
        assert f"{__name__}.Error: never raised\n" == log[1]["traceback"]

    def test_of_an_exception_in_the_first_place(self, log: Messages) -> None:
        """It is not taken for a logger."""
        write_traceback(caught())

        assert ["boom"] == [message["reason"] for message in log]
        assert "in caught" in log[0]["traceback"]

    def test_ends_as_python_has_it(self, log: Messages) -> None:
        """The text ends with a line break, as that of `traceback.format_exc()` and of 1.18."""
        error = caught()
        write_traceback(exc_info=error)
        printed = traceback.format_exception(Error, error, error.__traceback__)
        without_source = [line.split("\n    ")[0].rstrip("\n") + "\n" for line in printed]

        assert "".join(without_source) == log[0]["traceback"]

    @pytest.mark.parametrize("exc_info", [None, (None, None, None)])
    def test_of_nothing(self, log: Messages, exc_info: Any) -> None:
        """Where there is no exception, one message says so."""
        write_traceback(exc_info=exc_info)

        assert [("no exception is being handled", "builtins.NoneType", "NoneType: None\n")] == [
            (message["reason"], message["exception"], message["traceback"]) for message in log
        ]

    def test_keeps_the_live_exception(self) -> None:
        """A logger of a test sees the exception and its class, and turns them into text."""
        logger, error = MemoryLogger(), caught()
        write_traceback(logger, (Error, error, error.__traceback__))
        (message,) = logger.messages

        assert error is message["reason"]
        assert Error is message["exception"]
        assert [TRACEBACK_MESSAGE._serializer] == logger.serializers
        assert f"{__name__}.Error" == logger.serialize()[0]["exception"]
        logger.validate()
        assert 1 == len(logger.flush_tracebacks(Error))

    def test_in_the_current_action(self, log: Messages) -> None:
        """It takes a slot of the current action, and goes to its logger or another one."""
        own, other = MemoryLogger(), MemoryLogger()
        with start_action(own, "a") as action:
            write_traceback(exc_info=caught())
            write_traceback(other, caught())

        assert [] == log
        assert ([2], action.task_uuid) == (
            own.messages[1]["task_level"],
            own.messages[1]["task_uuid"],
        )
        assert ([3], action.task_uuid) == (
            other.messages[0]["task_level"],
            other.messages[0]["task_uuid"],
        )

    def test_returns_nothing(self) -> None:
        """There is nothing to return."""
        result: Any = write_traceback(exc_info=caught())  # type: ignore[func-returns-value]

        assert result is None

    def test_extractor(self, log: Messages, registry: Dict[type, Any]) -> None:
        """An extractor adds fields, and replaces none of those that belong to the message."""
        registry[Error] = lambda _: {"code": 7, "exception": "x", "reason": "x", "traceback": "x"}
        write_traceback(exc_info=caught())

        assert (7, "boom", f"{__name__}.Error") == tuple(
            log[0][key] for key in ("code", "reason", "exception")
        )
        assert log[0]["traceback"].startswith(TEXT)
        assert 1 == len(log)

    def test_extractor_that_fails(self, log: Messages, registry: Dict[type, Any]) -> None:
        """Its failure is told first; even one that fails on its own failure ends there."""

        def fail(error: Error) -> NoReturn:
            raise Error("extractor") from error

        registry[Error] = fail
        with start_action(action_type="a"):
            write_traceback(exc_info=caught())

        assert [("extractor", [2]), ("boom", [3])] == [
            (message["reason"], message["task_level"]) for message in log[1:3]
        ]
        assert 4 == len(log)

    def test_extractor_failure_goes_to_the_same_logger(self, registry: Dict[type, Any]) -> None:
        """A logger that is given gets both messages."""
        registry[Error] = lambda _: None
        logger = MemoryLogger()
        write_traceback(logger, caught())

        assert [TypeError, Error] == [message["exception"] for message in logger.messages]

    def test_exception_without_text(self, log: Messages) -> None:
        """An exception whose str() fails is logged all the same."""

        class Broken(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        write_traceback(exc_info=caught(Broken()))

        assert ["eliot: unknown, str() raised exception"] == [m["reason"] for m in log]

    def test_chain(self, log: Messages) -> None:
        """Causes are part of the text."""
        try:
            try:
                _ = 1 / 0
            except ZeroDivisionError as error:
                raise Error("boom") from error
        except Error:
            write_traceback()

        assert 2 == log[0]["traceback"].count(TEXT)
        assert "ZeroDivisionError: division by zero" in log[0]["traceback"]

    def test_handled_exception_stays(self) -> None:
        """The program may raise it again."""

        def handle() -> NoReturn:
            try:
                raise Error("boom")
            except Error:
                write_traceback()
                assert isinstance(sys.exc_info()[1], Error)
                raise

        with pytest.raises(Error, match="boom"):
            handle()


class TestWriteFailure:
    """Logging a failure of Twisted."""

    def test_uses_its_own_text(self, log: Messages) -> None:
        """The failure knows the exception, and its traceback; it counts as handled."""
        result: Any = write_failure(Failure(Error("boom")))  # type: ignore[func-returns-value]

        assert result is None
        assert [("boom", f"{__name__}.Error", "brief text")] == [
            (message["reason"], message["exception"], message["traceback"]) for message in log
        ]

    def test_keeps_the_live_exception(self, log: Messages) -> None:
        """A logger may be given; one of a test sees the exception and its class."""
        logger, error = MemoryLogger(), Error("boom")
        with start_action(action_type="a"):
            write_failure(Failure(error), logger)

        assert error is logger.messages[0]["reason"]
        assert Error is logger.messages[0]["exception"]
        assert [2] == logger.messages[0]["task_level"]
        assert 2 == len(log)

    def test_extractor(self, log: Messages, registry: Dict[type, Any]) -> None:
        """Extractors add fields to failures too."""
        registry[Error] = lambda _: {"code": 7}
        write_failure(Failure(Error("boom")))

        assert 7 == log[0]["code"]


class TestOldNames:
    """What published suites look for."""

    def test_functions(self) -> None:
        """The camelCase names are the same functions, at all their addresses."""
        room = vars(traceback_room)

        assert eliot.writeTraceback is write_traceback
        assert write_traceback is room["writeTraceback"]
        assert write_traceback is room["write_traceback"]
        assert write_traceback is output_room.write_traceback
        assert eliot.writeFailure is write_failure
        assert write_failure is room["writeFailure"]

    def test_message_type(self) -> None:
        """A captured traceback is recognised by the serializer of the declared type."""
        assert "eliot:traceback" == TRACEBACK_MESSAGE.message_type
        assert TRACEBACK_SERIALIZER is TRACEBACK_MESSAGE._serializer

    def test_ready_made(self) -> None:
        """An exception whose traceback is formatted already can be logged."""
        logger, error = MemoryLogger(), Error("boom")
        _writeTracebackMessage(logger, KeyError, error, "text")

        assert [(error, KeyError, "text")] == [
            (message["reason"], message["exception"], message["traceback"])
            for message in logger.messages
        ]

    def test_not_formatted(self, log: Messages) -> None:
        """Anything may stand for the formatted traceback; its text is logged."""
        logger, error = MemoryLogger(), Error("boom")
        for each in (logger, None):
            _writeTracebackMessage(each, Error, error, 5)  # type: ignore[arg-type] # as said
        logger.validate()

        assert ["5", "5"] == [logger.messages[0]["traceback"], log[0]["traceback"]]


def test_as_logging_says_it(log: Messages) -> None:
    """The exception that is being handled may also be asked for by `True`."""
    try:
        raise Error("boom")
    except Error:
        write_traceback(exc_info=True)

    assert "boom" == log[0]["reason"]
