"""What published programs rely on in the handler for standard logging; more is in bridges/."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any, Dict, List

import pytest

from eliot import MemoryLogger, add_destinations, start_action
from eliot.stdlib import EliotHandler
from eliot.testing import UnflushedTracebacks, check_for_errors, swap_logger

Messages = List[Dict[str, Any]]


@pytest.fixture
def logged() -> Messages:
    """Collect what is logged."""
    messages: Messages = []
    add_destinations(messages.append)
    return messages


@pytest.fixture
def log() -> logging.Logger:
    """Make a logger of the standard library with a handler of Eliot's."""
    log = logging.Logger("demo.x")  # noqa: LOG001 - one that nobody else has
    log.addHandler(EliotHandler())
    return log


class TestEliotHandler:
    """`EliotHandler`."""

    def test_is_a_handler(self) -> None:
        """It is made as any handler."""
        handler = EliotHandler(logging.ERROR)

        assert isinstance(handler, logging.Handler)
        assert logging.ERROR == handler.level

    def test_tells_what_a_record_says(self, log: logging.Logger, logged: Messages) -> None:
        """Level, logger and text become fields, outside of actions in a task of its own."""
        log.warning("hello %s", "w")
        [message] = logged
        expected = {
            "message_type": "eliot:stdlib",
            "log_level": "WARNING",
            "logger": "demo.x",
            "message": "hello w",
            "task_level": [1],
        }

        assert {**message, **expected} == message
        assert (str, float) == (type(message["task_uuid"]), type(message["timestamp"]))

    def test_is_part_of_the_action(self, log: logging.Logger, logged: Messages) -> None:
        """Inside an action it is a message of that."""
        with start_action(action_type="act"):
            log.info("inside")

        assert [[1], [2], [3]] == [m["task_level"] for m in logged]

    def test_ignores_formatters(self, log: logging.Logger, logged: Messages) -> None:
        """The text is that of the record."""
        log.handlers[0].setFormatter(logging.Formatter("formatted %(message)s"))
        log.warning("hello", extra={"x": 1})

        assert [("hello", False)] == [(m["message"], "x" in m) for m in logged]

    def test_adds_tracebacks(self, log: logging.Logger, logged: Messages) -> None:
        """A record with an exception is followed by its traceback, in the same action."""
        with start_action(action_type="act"):
            try:
                raise ValueError("v")
            except ValueError:
                log.exception("oh no")

        assert [
            ("eliot:stdlib", [2], "ERROR"),
            ("eliot:traceback", [3], None),
        ] == [(m["message_type"], m["task_level"], m.get("log_level")) for m in logged[1:3]]
        assert ("v", "builtins.ValueError") == (logged[2]["reason"], logged[2]["exception"])
        assert logged[2]["traceback"].endswith("\nValueError: v\n")

    def test_takes_exceptions(self, log: logging.Logger, logged: Messages) -> None:
        """It may be given as `logging` permits."""
        log.error("oh no", exc_info=ValueError("v"))

        assert ["v"] == [m["reason"] for m in logged if "reason" in m]

    def test_tells_of_no_exception(self, log: logging.Logger, logged: Messages) -> None:
        """If there is none, there is no traceback."""
        log.error("oh no", exc_info=True)  # noqa: LOG014 - that is the point

        assert ["oh no"] == [m["message"] for m in logged]

    def test_handles_errors_as_usual(
        self, log: logging.Logger, logged: Messages, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A record that cannot be formatted is reported to standard error, as by other handlers."""
        stderr = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stderr)
        log.warning("%d", "no number")

        assert [] == logged
        assert "--- Logging error ---" in stderr.getvalue()

    def test_does_not_hide_bugs(self, log: logging.Logger) -> None:
        """In tests, exceptions that were logged count as tracebacks."""
        logger = MemoryLogger()
        previous = swap_logger(logger)
        log.error("oh no", exc_info=ValueError("v"))
        swap_logger(previous)

        with pytest.raises(UnflushedTracebacks):
            check_for_errors(logger)
        logger.flush_tracebacks(ValueError)
        check_for_errors(logger)
