"""Logging exceptions: tracebacks, and failures of Twisted."""

from __future__ import annotations

from typing import Any, Optional

from eliot._fields import TRACEBACK_TYPE
from eliot._output import log_traceback, write_traceback
from eliot._reports import TRACEBACK_SERIALIZER
from eliot._typing import LoggerLike
from eliot._validation import EXCEPTION, REASON, TRACEBACK, MessageType

__all__ = [
    "TRACEBACK_MESSAGE",
    "_writeTracebackMessage",
    "writeFailure",
    "writeTraceback",
    "write_failure",
    "write_traceback",
]

writeTraceback = write_traceback

#: The type of messages that tell of an exception.
TRACEBACK_MESSAGE = MessageType(
    TRACEBACK_TYPE, [REASON, TRACEBACK, EXCEPTION], "An exception that somebody should look into."
)
# Not the one made of these fields: messages come with the live exception and its class.
TRACEBACK_MESSAGE._serializer = TRACEBACK_SERIALIZER


def write_failure(failure: Any, logger: Optional[LoggerLike] = None) -> None:
    """
    Log the traceback of a `twisted.python.failure.Failure`; usable as an errback.

    Args:
        failure: The failure; it counts as handled, since this returns `None`.
        logger: If not that of the current action, or the default logger outside of any.

    >>> class Failure:
    ...     value = ValueError("boom")
    ...     def getBriefTraceback(self):
    ...         return "Traceback: ValueError: boom"
    >>> write_failure(Failure())
    """
    log_traceback(failure.value, text=failure.getBriefTraceback(), logger=logger)


writeFailure = write_failure


def _write_traceback_message(
    logger: Optional[LoggerLike], typ: type, exception: BaseException, traceback: str
) -> None:
    """Log an exception whose traceback is formatted already."""
    log_traceback(exception, typ, text=traceback, logger=logger)


_writeTracebackMessage = _write_traceback_message
