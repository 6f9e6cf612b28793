"""The old door to the outlets, and the owner of the default logger."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, Type, Union

from eliot._context import Standpoint, current
from eliot._destinations import BufferingDestination, Destinations
from eliot._fields import DESTINATION_FAILURE_TYPE as DESTINATION_FAILURE
from eliot._later import CRAMPED, LATER
from eliot._loggers import Logger
from eliot._memory import MemoryLogger
from eliot._reports import TRACEBACK_SERIALIZER, placed, serialized, traceback_report
from eliot._safe import safe_dictionary as _safe_unicode_dictionary
from eliot._typing import ExcInfo, LoggerLike, Message, Serializer
from eliot.json import json_default

if TYPE_CHECKING:
    from json import JSONEncoder

    from eliot._files import FileDestination
    from eliot._interface import ILogger
    from eliot._writer import BackgroundWriter

__all__ = [
    "DESTINATION_FAILURE",
    "_DEFAULT_LOGGER",
    "BackgroundWriter",
    "BufferingDestination",
    "Destinations",
    "FileDestination",
    "ILogger",
    "Logger",
    "MemoryLogger",
    "_safe_unicode_dictionary",
    "json_default",
    "to_file",
    "write_traceback",
]

#: The logger of all who name none. Tests swap it, so it is looked up here at each use.
_DEFAULT_LOGGER: LoggerLike = Logger()


def log_here(
    message: Message, serializer: Optional[Serializer] = None, logger: Optional[LoggerLike] = None
) -> None:
    """
    Log a message where the running code is: in the current action, or in a task of its own.

    Args:
        message: Gets its place; its other fields are complete.
        serializer: Goes to the logger with it.
        logger: If not that of the current action, or the default logger outside of any.
    """
    if logger is None:
        place = current()
        logger = _DEFAULT_LOGGER if place is None else place._logger
    placed(message)
    try:
        if serializer is TRACEBACK_SERIALIZER and type(logger) is Logger:
            logger._destinations.deliver(serialized({**message}), logger)
        else:
            logger.write(message, serializer)
    except CRAMPED:
        LATER.append((logger.write, (message, serializer)))


def log_traceback(
    exception: Optional[BaseException],
    exception_class: Optional[type] = None,
    tb: Optional[TracebackType] = None,
    text: Optional[str] = None,
    logger: Optional[LoggerLike] = None,
) -> None:
    """Log the message that tells of an exception, after that of an extractor that fails on it."""
    report, failure = traceback_report(exception, exception_class, tb, text)
    if failure is not None:
        log_extractor_failure(failure, logger)
    log_here(report, TRACEBACK_SERIALIZER, logger)


def log_extractor_failure(failure: BaseException, logger: Optional[LoggerLike] = None) -> None:
    """Log that an extractor has failed; if another fails on *that*, it is not told."""
    report, _ = traceback_report(failure, tb=failure.__traceback__)
    log_here(report, TRACEBACK_SERIALIZER, logger)


def write_traceback(
    logger: Union[LoggerLike, BaseException, None] = None,
    exc_info: Union[ExcInfo, BaseException, bool, None] = None,
) -> None:
    """
    Log the traceback of an exception that the program deals with.

    An exception that leaves an action is logged by it, without traceback; this is for those that
    are caught, and should be looked into all the same. The message has type `eliot:traceback`.

    Args:
        logger: If not that of the current action, or the default logger outside of any. An
            exception is taken for *exc_info*.
        exc_info: An exception, or a triple as `sys.exc_info()` returns it; by default the
            exception that is being handled.

    >>> try:
    ...     1 / 0
    ... except ZeroDivisionError:
    ...     write_traceback()
    """
    if isinstance(logger, BaseException):
        logger, exc_info = None, logger
    if isinstance(exc_info, bool):  # as `logging` has it
        exc_info = None
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    exception_class, exception, tb = sys.exc_info() if exc_info is None else exc_info
    try:
        log_traceback(exception, exception_class, tb, None, logger)
    except CRAMPED:
        LATER.append(
            (Standpoint().run, (log_traceback, exception, exception_class, tb, None, logger))
        )


def to_file(
    output_file: Any,
    encoder: Optional[Type[JSONEncoder]] = None,
    json_default: Optional[Callable[[Any], Any]] = json_default,
    *,
    watch: bool = False,
    fsync: bool = False,
) -> None:
    """
    Log to a file: one line of JSON for each message.

    Args:
        output_file: A path, to whose file is appended; or a file that is open for writing, for
            bytes or for text.
        encoder: Deprecated; a `json.JSONEncoder` class.
        json_default: A function that converts a value that JSON lacks into one that it has; give
            one that calls `eliot.json.json_default` last.
        watch: Whether a file given by its path is opened anew when it has been moved or removed,
            for example by logrotate.
        fsync: Whether each message is on the disk before the logging call returns: a power cut
            loses nothing then. It takes milliseconds.

    Raises:
        TypeError: If the object has no `write` method, or an option makes no sense with it.
        ValueError: If the file is closed.
        RuntimeError: If it is not open for writing.
        OSError: If a path cannot be opened.

    >>> import io
    >>> to_file(io.BytesIO())
    """
    from eliot._files import FileDestination

    Logger._destinations.add(
        FileDestination(output_file, encoder, json_default, watch=watch, fsync=fsync)
    )


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """
        Open, at their first use, the rooms that need pyrsistent and zope.interface.

        To import these takes longer than all the rest of Eliot, and few programs ask for them.
        """
        if name == "FileDestination":
            from eliot._files import FileDestination

            late: Any = FileDestination
        elif name == "ILogger":
            from eliot._interface import ILogger

            late = ILogger
        elif name == "BackgroundWriter":
            from eliot._writer import BackgroundWriter

            late = BackgroundWriter
        else:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        globals()[name] = late
        return late
