"""The old door to the outlets, and the shortest way to a log file."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any, Dict, List

import pytest

import eliot._output as output
from eliot import add_destinations, log_message, remove_destination, start_action, start_task
from eliot._destinations import PROCESS, Destinations
from eliot._errors import _error_extraction
from eliot._files import FileDestination
from eliot._loggers import Logger
from eliot._memory import MemoryLogger
from eliot._output import log_here, log_traceback, to_file, write_traceback
from eliot.json import EliotJSONEncoder, json_default

Messages = List[Dict[str, Any]]


@pytest.fixture
def logged() -> Messages:
    """Collect what is logged."""
    messages: Messages = []
    add_destinations(messages.append)
    return messages


class TestDefaultLogger:
    """`_DEFAULT_LOGGER`."""

    def test_writes_to_the_process(self) -> None:
        """It is an ordinary logger."""
        assert isinstance(output._DEFAULT_LOGGER, Logger)
        assert PROCESS is Logger._destinations

    def test_is_looked_up_at_each_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who replaces it gets what is logged from then on; actions keep the one they have."""
        logger = MemoryLogger()
        before = start_action(action_type="before")
        monkeypatch.setattr(output, "_DEFAULT_LOGGER", logger)
        log_message("lone")
        with before:
            log_message("in the old action")
            start_action(action_type="child")
        start_task(action_type="task")
        write_traceback(exc_info=ValueError("v"))

        assert ["lone", "child", "task", "eliot:traceback"] == [
            m.get("message_type") or m["action_type"] for m in logger.messages
        ]

    def test_takes_raw_messages(self, logged: Messages) -> None:
        """Programs write dictionaries to it, which pass as they are."""
        message = {"anything": "goes"}
        output._DEFAULT_LOGGER.write(message)
        output._DEFAULT_LOGGER.write(message, None)

        assert [message, message] == logged


class TestLogHere:
    """`log_here`."""

    def test_starts_a_task(self, logged: Messages) -> None:
        """Outside of actions, a message is a task of its own."""
        log_here({"x": 1})
        log_here({"x": 2})

        assert [(1, [1]), (2, [1])] == [(m["x"], m["task_level"]) for m in logged]
        assert 2 == len({m["task_uuid"] for m in logged})

    def test_continues_the_action(self, logged: Messages) -> None:
        """Inside it is part of the current one, and goes to its logger."""
        logger = MemoryLogger()
        with start_action(logger, "act"):
            log_here({"x": 1})

        assert [[1], [2], [3]] == [m["task_level"] for m in logger.messages]
        assert [] == logged

    def test_goes_where_it_is_told(self, logged: Messages) -> None:
        """A logger that is named gets the message."""
        logger = MemoryLogger()
        with start_action(action_type="act"):
            log_here({"x": 1}, logger=logger)

        assert [[2]] == [m["task_level"] for m in logger.messages]
        assert 2 == len(logged)


class TestWriteTraceback:
    """`write_traceback`."""

    def test_tells_of_the_current_exception(self, logged: Messages) -> None:
        """Without arguments it is the one that is being handled."""
        try:
            raise FileNotFoundError(2, "No such file", "a.txt")
        except OSError:
            write_traceback()
        [message] = logged

        assert (
            "eliot:traceback",
            "builtins.FileNotFoundError",
            "[Errno 2] No such file: 'a.txt'",
            2,
        ) == (
            message["message_type"],
            message["exception"],
            message["reason"],
            message["errno"],
        )
        assert re.fullmatch(
            "Traceback \\(most recent call last\\):\n"
            '  File ".*test_output.py", line \\d+, in test_tells_of_the_current_exception\n'
            "FileNotFoundError: \\[Errno 2\\] No such file: 'a.txt'\n",
            message["traceback"],
        )

    @pytest.mark.parametrize("as_instance", [True, False])
    def test_takes_any_exception(self, logged: Messages, as_instance: bool) -> None:
        """It may be given as an instance, or as a triple."""
        error = ValueError("v")
        write_traceback(exc_info=error if as_instance else (ValueError, error, None))

        assert [("v", "ValueError: v\n")] == [(m["reason"], m["traceback"]) for m in logged]

    def test_tells_if_there_is_none(self, logged: Messages) -> None:
        """Where there is no exception, one message says so."""
        write_traceback()

        assert ["no exception is being handled"] == [m["reason"] for m in logged]

    def test_goes_where_it_is_told(self) -> None:
        """A logger that is named gets the message, with the live exception in it."""
        logger = MemoryLogger()
        error = ValueError("v")
        write_traceback(logger, error)

        assert error is logger.messages[0]["reason"]
        assert ValueError is logger.messages[0]["exception"]
        assert logger.messages == logger.tracebackMessages

    def test_tells_of_failing_extractors(
        self, logged: Messages, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If an extractor fails, that is told first, once."""

        class OwnError(Exception):
            """An error with an extractor."""

        def broken(_: object) -> Dict[str, Any]:
            raise OwnError("from the extractor")

        monkeypatch.setitem(_error_extraction.registry, OwnError, broken)
        log_traceback(OwnError("from the program"))

        assert ["from the extractor", "from the program"] == [m["reason"] for m in logged]


class TestToFile:
    """`to_file`."""

    def test_adds_a_destination(self) -> None:
        """It adds an ordinary destination, and returns nothing."""
        file = io.StringIO()
        to_file(file)
        log_message("hello", x={1})

        assert [FileDestination(file=file)] == PROCESS._destinations
        assert [1] == json.loads(file.getvalue())["x"]

    def test_can_be_undone(self) -> None:
        """An equal destination removes it."""
        file = io.StringIO()
        to_file(file)
        remove_destination(FileDestination(file=file))
        log_message("hello")

        assert "" == file.getvalue()

    def test_gets_what_was_logged_before(self) -> None:
        """The first file has all from the beginning."""
        log_message("early")
        file = io.StringIO()
        to_file(file)

        assert "early" == json.loads(file.getvalue())["message_type"]

    def test_follows_the_destinations(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who replaces the destinations of all loggers gets the file."""
        monkeypatch.setattr(Logger, "_destinations", Destinations())
        file = io.StringIO()
        to_file(file)

        assert [FileDestination(file=file)] == Logger._destinations._destinations
        assert PROCESS is not Logger._destinations

    def test_takes_a_default_function(self) -> None:
        """The function converts values that JSON lacks."""

        def default(o: object) -> Any:
            return "a set" if isinstance(o, set) else json_default(o)

        file = io.StringIO()
        to_file(file, json_default=default)
        log_message("hello", x={1}, y=Path("a"))
        message = json.loads(file.getvalue())

        assert ("a set", "a") == (message["x"], message["y"])

    def test_takes_an_encoder(self) -> None:
        """The deprecated way works still."""

        class Encoder(EliotJSONEncoder):
            def default(self, o: Any) -> Any:
                return "a set" if isinstance(o, set) else super().default(o)

        file = io.StringIO()
        with pytest.warns(DeprecationWarning, match="switch to using a default function"):
            to_file(file, Encoder)
        log_message("hello", x={1}, y=Path("a"))
        message = json.loads(file.getvalue())

        assert ("a set", "a") == (message["x"], message["y"])

    def test_refuses_encoder_and_function(self) -> None:
        """The two contradict each other."""
        with pytest.warns(DeprecationWarning, match="JSON"), pytest.raises(
            RuntimeError, match="Can't pass in both encoder and default function"
        ):
            to_file(io.StringIO(), encoder=EliotJSONEncoder, json_default=lambda o: o)

    def test_refuses_bad_files(self, tmp_path: Path) -> None:
        """What cannot be written to is an error at once, and adds no destination."""
        path = tmp_path / "eliot.log"
        path.write_bytes(b"")
        closed = io.BytesIO()
        closed.close()
        anything: Any = 7
        with pytest.raises(TypeError, match=r"^7 is not a file"):
            to_file(anything)
        with pytest.raises(ValueError, match=r"BytesIO object at .* is closed$"):
            to_file(closed)
        with path.open("rb") as file, pytest.raises(
            RuntimeError, match=r"eliot\.log.* is not writable"
        ):
            to_file(file)
        log_message("early")
        log = io.StringIO()
        to_file(log)

        assert "early" in log.getvalue()


class TestOldDoor:
    """Names that published programs import from here."""

    def test_star_import(self) -> None:
        """A star import gives them all."""
        namespace: Dict[str, Any] = {}
        exec("from eliot._output import *", namespace)  # noqa: S102 - the only way to ask for all names
        expected = """
            Logger MemoryLogger ILogger FileDestination to_file Destinations BufferingDestination
            DESTINATION_FAILURE json_default write_traceback _DEFAULT_LOGGER
        """

        assert set(expected.split()) <= namespace.keys()
        assert FileDestination is namespace["FileDestination"]
        assert "eliot:destination_failure" == namespace["DESTINATION_FAILURE"]

    def test_has_no_others(self) -> None:
        """Other names are an error, as in any module."""
        with pytest.raises(AttributeError, match=r"^module 'eliot\._output' has no attribute 'x'$"):
            _ = output.x  # type: ignore[attr-defined] # that is the point
