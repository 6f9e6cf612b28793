"""What Eliot says about failures: plain dictionaries, and tracebacks."""

from __future__ import annotations

import linecache
import sys
import time
import traceback
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, NoReturn

import pytest

from eliot._context import Place, Visit
from eliot._errors import _error_extraction
from eliot._loggers import Logger
from eliot._reports import (
    TRACEBACK_SERIALIZER,
    destination_failure,
    format_traceback,
    placed,
    serialization_failure,
    serialized_traceback_report,
    traceback_report,
)

UNKNOWN = "eliot: unknown, str() raised exception"


class Error(Exception):
    """An exception class of the program."""


class Broken(Exception):
    """One that cannot say what it is."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


def caught(f: Callable[[], Any]) -> BaseException:
    """Return what a function raises."""
    try:
        f()
    except BaseException as error:
        return error
    raise AssertionError


def fail() -> NoReturn:
    """Raise an exception."""
    raise Error("boom")


def formatted(exception: BaseException) -> str:
    """Format an exception as Eliot does."""
    return format_traceback(type(exception), exception, exception.__traceback__)


def expected(exception: BaseException) -> str:
    """Format an exception as Python does when it finds no source."""
    with pytest.MonkeyPatch().context() as patch:
        patch.setattr(linecache, "getlines", lambda *_: [])
        lines = traceback.format_exception(type(exception), exception, exception.__traceback__)
    return "".join(lines).rstrip("\n")


@contextmanager
def task(name: str = "task") -> Iterator[None]:
    """Be in a place."""
    with Visit(Place(Logger(), name, [])):
        yield


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Dict[type, Callable[[Any], Any]]:
    """Give each test a registry of extractors of its own."""
    registry = dict(_error_extraction.registry)
    monkeypatch.setattr(_error_extraction, "registry", registry)
    return registry


class TestPlaced:
    """How a message gets its place."""

    def test_takes_the_next_slot(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The place is the next slot of wherever the running code is; the time is now."""
        monkeypatch.setattr(time, "time", lambda: 12.5)
        with task():
            first, second = placed({"x": 1}), placed({"timestamp": 0, "task_uuid": "other"})

        assert {"x": 1, "timestamp": 12.5, "task_uuid": "task", "task_level": [1]} == first
        assert {"timestamp": 12.5, "task_uuid": "task", "task_level": [2]} == second

    def test_is_a_task_of_its_own(self) -> None:
        """Outside of any place the message is the first one of a new task."""
        assert [1] == placed({})["task_level"]


class TestTracebackReport:
    """The message that tells of an exception."""

    def test_holds_the_live_exception(self) -> None:
        """Tests need the exception and its class, not their texts."""
        error = caught(fail)
        report, failure = traceback_report(error, tb=error.__traceback__)

        assert failure is None
        assert {
            "message_type": "eliot:traceback",
            "reason": error,
            "exception": Error,
            "traceback": formatted(error) + "\n",
        } == report

    def test_is_serialized_into_text(self) -> None:
        """Its serializer turns exception and class into text, and finds the message valid."""
        error = caught(fail)
        report, _ = traceback_report(error, text="somebody else's text")
        TRACEBACK_SERIALIZER.validate(report)
        TRACEBACK_SERIALIZER.serialize(report)
        TRACEBACK_SERIALIZER.validate(report)

        assert {
            "message_type": "eliot:traceback",
            "reason": "boom",
            "exception": f"{__name__}.Error",
            "traceback": "somebody else's text",
        } == report

    def test_built_in_fields_win(self, registry: Dict[type, Any]) -> None:
        """An extractor may add fields, but replaces none of those that belong to the message."""
        registry[Error] = lambda _: {
            "code": 7,
            "message_type": "x",
            "reason": "x",
            "exception": "x",
            "traceback": "x",
        }
        error = caught(fail)
        report, _ = traceback_report(error, tb=error.__traceback__)

        assert {
            "code": 7,
            "message_type": "eliot:traceback",
            "reason": error,
            "exception": Error,
            "traceback": formatted(error) + "\n",
        } == report

    def test_hands_back_a_failing_extractor(self, registry: Dict[type, Any]) -> None:
        """An extractor that fails takes nothing away from the message."""
        registry[Error] = lambda _: 1 / 0
        error = caught(fail)
        report, failure = traceback_report(error)

        assert isinstance(failure, ZeroDivisionError)
        assert {"message_type", "reason", "exception", "traceback"} == report.keys()

    def test_of_no_exception(self) -> None:
        """Where there is no exception the message says so, in text."""
        report, failure = traceback_report(None)
        TRACEBACK_SERIALIZER.serialize(report)

        assert failure is None
        assert {
            "message_type": "eliot:traceback",
            "reason": "no exception is being handled",
            "exception": "builtins.NoneType",
            "traceback": "NoneType: None\n",
        } == report

    def test_of_a_broken_exception(self) -> None:
        """An exception whose str() fails is told of all the same."""
        report = serialized_traceback_report(Broken())

        assert (UNKNOWN, f"{__name__}.Broken") == (report["reason"], report["exception"])


class TestReportsOfFailures:
    """What Eliot says about failures inside itself."""

    def test_traceback(self) -> None:
        """A failure is told of in place, with nothing live in the message."""
        error = caught(fail)
        with task():
            report = serialized_traceback_report(error)

        assert isinstance(report.pop("timestamp"), float)
        assert {
            "message_type": "eliot:traceback",
            "task_uuid": "task",
            "task_level": [1],
            "reason": "boom",
            "exception": f"{__name__}.Error",
            "traceback": formatted(error) + "\n",
        } == report

    def test_traceback_does_not_go_round(self, registry: Dict[type, Any]) -> None:
        """An extractor that fails on its own failure is asked once."""
        asked = []

        def extract(error: Error) -> NoReturn:
            asked.append(error)
            raise error

        registry[Error] = extract
        error = caught(fail)

        assert "boom" == serialized_traceback_report(error)["reason"]
        assert [error] == asked

    def test_serialization_failure(self) -> None:
        """The report shows the keys and values of the message, safely."""
        with task():
            report = serialization_failure({"hello": 123, "bad": Broken()})

        assert isinstance(report.pop("timestamp"), float)
        assert {
            "message_type": "eliot:serialization_failure",
            "task_uuid": "task",
            "task_level": [1],
            "message": str({"'hello'": "123", "'bad'": UNKNOWN}),
        } == report

    def test_destination_failure(self) -> None:
        """The report shows the message, and why the destination did not take it."""
        with task():
            report = destination_failure({"hello": 123}, Error("boom"))

        assert isinstance(report.pop("timestamp"), float)
        assert {
            "message_type": "eliot:destination_failure",
            "task_uuid": "task",
            "task_level": [1],
            "message": str({"'hello'": "123"}),
            "reason": "boom",
            "exception": f"{__name__}.Error",
        } == report

    def test_destination_failure_that_is_broken(self) -> None:
        """What the destination raised need not have a str()."""
        assert UNKNOWN == destination_failure({}, Broken())["reason"]


def with_cause() -> None:
    """Raise an exception with a cause."""
    try:
        fail()
    except Error as error:
        raise ValueError("effect") from error


def with_context() -> None:
    """Raise an exception while another one is handled."""
    try:
        with_cause()
    except ValueError:
        fail()


def with_suppressed_context() -> None:
    """Raise an exception that hides the one that is handled."""
    try:
        fail()
    except Error:
        raise ValueError("alone") from None


def with_cycle() -> None:
    """Raise an exception whose cause has it as context."""
    first, second = Error("first"), Error("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def recursive(depth: int = 20) -> None:
    """Raise an exception from deep down."""
    if depth:
        recursive(depth - 1)
    fail()


def with_many_lines() -> None:
    """Raise an exception with a text of many lines."""
    raise Error("first line\nsecond line\n")


def syntax_error() -> None:
    """Raise a syntax error, which tells of a place of its own."""
    compile("a b", "source.py", "exec")


def broken() -> None:
    """Raise an exception that cannot say what it is."""
    raise Broken


def interrupted() -> None:
    """Raise what is no `Exception`."""
    raise KeyboardInterrupt


def nested_class() -> None:
    """Raise an exception of a class within a class."""

    class Inner(Exception):
        pass

    raise Inner("x")


RAISING = [
    fail,
    with_cause,
    with_context,
    with_suppressed_context,
    with_cycle,
    recursive,
    with_many_lines,
    syntax_error,
    broken,
    interrupted,
    nested_class,
]


class TestFormatTraceback:
    """The text of a traceback."""

    @pytest.mark.parametrize("raising", RAISING, ids=lambda raising: raising.__name__)
    def test_is_that_of_python_without_source(self, raising: Callable[[], Any]) -> None:
        """The layout is the usual one; source lines are left out."""
        error = caught(raising)

        assert expected(error) == formatted(error)

    def test_looks_at_no_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An error can be logged when there are no file descriptors left."""
        error = caught(with_context)

        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise AssertionError

        for name in ("checkcache", "getline", "getlines", "lazycache", "updatecache"):
            monkeypatch.setattr(linecache, name, refuse)
        monkeypatch.setattr("builtins.open", refuse)
        monkeypatch.setattr("os.stat", refuse)
        text = formatted(error)
        monkeypatch.undo()

        assert f"{__name__}.Error: boom" == text.splitlines()[-1]
        assert "ValueError: effect" in text.splitlines()

    def test_shows_what_was_given(self) -> None:
        """Class and traceback need not be those of the exception."""
        assert f"{__name__}.Error: boom" == format_traceback(Error, caught(fail), None)

    @pytest.mark.skipif(
        sys.version_info < (3, 11), reason="exceptions have no notes on this interpreter"
    )
    def test_shows_notes(self) -> None:
        """Notes stand below the exception."""
        error: Any = caught(fail)
        error.add_note("first note")
        error.add_note("second note")

        assert ["first note", "second note"] == formatted(error).splitlines()[-2:]
        assert expected(error) == formatted(error)

    @pytest.mark.skipif(
        sys.version_info < (3, 11), reason="there are no exception groups on this interpreter"
    )
    def test_shows_groups(self) -> None:
        """The members of a group are shown, with their own causes and tracebacks."""
        group: Any = vars(__import__("builtins"))["ExceptionGroup"]

        def fail_together() -> None:
            raise group("many", [caught(with_cause), group("few", [caught(fail)])])

        error = caught(fail_together)

        assert expected(error) == formatted(error)
        assert 2 == formatted(error).count("in fail\n")

    def test_survives_anything(self) -> None:
        """An exception that cannot be formatted at all is named."""

        class Hostile(Exception):
            @property
            def __cause__(self) -> NoReturn:  # type: ignore[override]
                raise RuntimeError

        def fail_hostilely() -> NoReturn:
            raise Hostile

        text = formatted(caught(fail_hostilely))

        assert f"{__name__}.Hostile: {UNKNOWN}" == text
