"""
The bridge to standard logging, in both directions.

`EliotHandler` puts log records into the tree, `TaskFilter` stamps them with their place in it, and
`HandlerDestination` feeds Eliot's messages to any handler. `capture_uncaught` logs what otherwise
ends on stderr.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, TextIO, Tuple, Type, Union, final

from eliot._action import log_message
from eliot._backlog import WRITES
from eliot._context import current
from eliot._fields import (
    ACTION_STATUS_FIELD,
    DESTINATION_FAILURE_TYPE,
    FAILED_STATUS,
    LOG_LEVEL_FIELD,
    MESSAGE_TYPE_FIELD,
    SERIALIZATION_FAILURE_TYPE,
    STDLIB_TYPE,
    TIMESTAMP_FIELD,
    TRACEBACK_TYPE,
    UNCAUGHT_TYPE,
    WARNING_TYPE,
)
from eliot._safe import class_name, saferepr
from eliot._traceback import write_traceback
from eliot._typing import Message
from eliot.json import encode

__all__ = [
    "EliotHandler",
    "HandlerDestination",
    "TaskFilter",
    "UncaughtCapture",
    "capture_uncaught",
]

#: What a record has before anybody adds anything to it; the rest is `extra`.
_OWN_ATTRIBUTES = frozenset(
    (*vars(logging.LogRecord("", 0, "", 0, "", (), None)), "message", "asctime", "taskName")
)

#: The handler at work, on either way between the two worlds: what it makes others log stays out.
_at_work: ContextVar[Optional[logging.Handler]] = ContextVar("eliot.stdlib.at_work", default=None)

#: True while a hook logs, so that what that leads to is not logged in turn.
_in_hook: ContextVar[bool] = ContextVar("eliot.stdlib.in_hook", default=False)


class EliotHandler(logging.Handler):
    """
    Log the records of standard logging in the current action.

    A record becomes a message of type `eliot:stdlib` with the fields `log_level`, `logger`,
    `message`, `file`, `line`, `function`, `thread` and `process`; if the record has them, also
    `message_template` and `message_args` (what `message` was formatted from), `extra` and
    `stack_info`. If it comes with an exception, its traceback follows as a message of its own; if
    it comes from another process with the text of a traceback, that is the field `exc_text`.

    Level and filters of the handler decide as usual. Records that a `HandlerDestination` has made
    are left out, and so is what a handler or a destination logs while it deals with a record, and
    what is logged in the thread of a `BackgroundWriter`: the two directions cannot loop.

    >>> import logging
    >>> logging.getLogger("yourapp").addHandler(EliotHandler())
    """

    def handle(self, record: logging.LogRecord) -> bool:
        """
        Log a record if the filters let it pass.

        The lock that other handlers hold meanwhile is not taken: destinations have their own, and
        where one of those logs in turn, two threads would wait for each other.

        Args:
            record: What standard logging hands over.

        Returns:
            Whether it passed.
        """
        passed: Any = self.filter(record)  # since Python 3.12, a record to take instead
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """
        Log a record; if its text cannot be formatted, `handleError` deals with that as usual.

        Args:
            record: What standard logging hands over.
        """
        if _at_work.get() is not None or WRITES.get() or hasattr(record, "eliot_message"):
            return
        token = _at_work.set(self)
        try:
            log_message(STDLIB_TYPE, **_fields_of(record))
            # Outside of any `except` block, exc_info=True leaves nothing to tell of.
            if record.exc_info and record.exc_info[1] is not None:
                write_traceback(exc_info=record.exc_info)
        except Exception:
            self.handleError(record)
        finally:
            _at_work.reset(token)


def _fields_of(record: logging.LogRecord) -> Dict[str, Any]:
    fields: Dict[str, Any] = {
        LOG_LEVEL_FIELD: record.levelname,
        "logger": record.name,
        "message": record.getMessage(),
        "file": record.pathname,
        "line": record.lineno,
        "function": record.funcName,
        "thread": record.threadName,
        "process": record.process,
    }
    if record.args:
        fields["message_template"] = record.msg
        fields["message_args"] = record.args
    extra = {name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES}
    if extra:
        fields["extra"] = extra
    if record.stack_info:
        fields["stack_info"] = record.stack_info
    # Otherwise a formatter has left it there, and the traceback follows.
    if record.exc_text and not record.exc_info:
        fields["exc_text"] = record.exc_text
    return fields


class TaskFilter(logging.Filter):
    """
    Stamp log records with the action in which they were logged; let all of them pass.

    Records get the attributes `task_uuid` and `task_level`, the level of the current action in text
    form such as `/2/1`, for use in a formatter; both are empty outside any action.

    >>> import logging
    >>> handler = logging.StreamHandler()
    >>> handler.addFilter(TaskFilter())
    >>> handler.setFormatter(logging.Formatter("%(task_uuid)s%(task_level)s %(message)s"))

    .. versionadded:: 2.0
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """
        Stamp a record.

        Args:
            record: Gets the two attributes.

        Returns:
            True, so that it passes.
        """
        place: Any = current()
        record.task_uuid = "" if place is None else place.task_uuid
        record.task_level = "" if place is None else place.task_level.to_string()
        return True


def _json_line(message: Message) -> str:
    return encode(message).decode("utf-8")


class _Carried(Dict[str, Any]):
    """A message in a record, which is pickled as what its line of JSON says."""

    def __reduce__(self) -> Tuple[Any, ...]:
        # For handlers that send records: any value gets through, and needs no class over there.
        return json.loads, (_json_line(self),)


#: Of messages that tell of something bad.
_LEVELS = {
    TRACEBACK_TYPE: logging.ERROR,
    DESTINATION_FAILURE_TYPE: logging.ERROR,
    SERIALIZATION_FAILURE_TYPE: logging.ERROR,
}


class HandlerDestination:
    """
    Feed Eliot's messages to a handler of standard logging: rotated files, syslog, sockets, HTTP.

    Each message becomes a record of the logger `eliot`, with the time of the message. Its level is
    that of the field `log_level`, if it has one; ERROR for failed actions, tracebacks and failures
    of Eliot itself; else INFO. Level and filters of the handler decide as usual. The attribute
    `eliot_message` of the record is the message.

    What the handler fails to do, since the disk is full or nobody listens, is reported as for any
    destination, by an `eliot:destination_failure`. If the handler has a `handleError` of its own,
    that deals with it instead.

    Args:
        handler: The handler.
        render: Makes the text of a message; by default one line of JSON, the same as in files;
            `eliot.prettyprint.compact_format` makes it readable.

    Raises:
        TypeError: If the handler is not one, or the function cannot be called.

    >>> import eliot
    >>> from logging.handlers import RotatingFileHandler
    >>> handler = RotatingFileHandler("app.log", maxBytes=10**7, backupCount=3, delay=True)
    >>> eliot.add_destinations(HandlerDestination(handler))

    .. versionadded:: 2.0
    """

    def __init__(
        self, handler: logging.Handler, render: Callable[[Message], str] = _json_line
    ) -> None:
        if not isinstance(handler, logging.Handler):
            msg = f"{handler!r} is not a logging.Handler"
            raise TypeError(msg)
        if not callable(render):
            msg = f"{render!r} cannot be called; give a function that makes text of a message"
            raise TypeError(msg)
        self._handler = handler
        self._render = render
        _hand_on_errors(handler)

    def __call__(self, message: Message) -> None:
        """
        Feed a message to the handler.

        Args:
            message: The message.

        Raises:
            Exception: What goes wrong in the handler; the fan-out reports it.
        """
        record = logging.makeLogRecord(
            {
                "name": "eliot",
                "levelno": _level_of(message),
                "levelname": logging.getLevelName(_level_of(message)),
                "msg": self._render(message),
                "eliot_message": _Carried(message),
            }
        )
        timestamp = message.get(TIMESTAMP_FIELD)
        if isinstance(timestamp, (int, float)):
            record.created = timestamp
            record.msecs = int(timestamp % 1 * 1000)
        if record.levelno >= self._handler.level:
            token = _at_work.set(self._handler)
            try:
                passed = self._handler.handle(record)
            finally:
                _at_work.reset(token)
            # A SocketHandler drops in silence what it cannot send.
            if passed and getattr(self._handler, "sock", self) is None:
                msg = f"{self._handler!r} is not connected"
                raise ConnectionError(msg)


def _hand_on_errors(handler: logging.Handler) -> None:
    """Let a handler raise what goes wrong with a message, where it would print a traceback."""
    handle_error: Any = handler.handleError
    if getattr(handle_error, "__module__", "") not in {"logging", "logging.handlers"}:
        return  # that of somebody who knows better, or this one

    def hand_on(record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if error is not None and _at_work.get() is handler:
            raise error
        handle_error(record)

    handler.handleError = hand_on  # type: ignore[method-assign] # of this handler only


def _level_of(message: Message) -> int:
    if message.get(ACTION_STATUS_FIELD) == FAILED_STATUS:
        return logging.ERROR
    given = message.get(LOG_LEVEL_FIELD)
    if isinstance(given, str):
        # The inverse of getLevelName(), which answers a text to a name that it does not know.
        for name in (given, given.upper()):
            level = logging.getLevelName(name)
            if isinstance(level, int):
                return level
    return _LEVELS.get(str(message.get(MESSAGE_TYPE_FIELD)), logging.INFO)


@final
class UncaughtCapture:
    """What `capture_uncaught` returns; ends capturing by `stop`, or as a context manager."""

    def __init__(self) -> None:
        self._capturing = True
        self._restores: List[Callable[[], None]] = []
        self._extend(warnings, "showwarning", _log_warning)
        self._extend(sys, "excepthook", _log_exception)
        self._extend(sys, "unraisablehook", _log_unraisable)
        self._extend(threading, "excepthook", _log_thread_exception)
        handler, logger = _AsyncioHandler(), logging.getLogger("asyncio")
        logger.addHandler(handler)
        self._restores.append(lambda: logger.removeHandler(handler))

    def _extend(self, module: Any, name: str, log: Callable[..., None]) -> None:
        """Let a hook log, and then do what it did before."""
        before = getattr(module, name)

        def hook(*args: Any, **kwargs: Any) -> None:
            if self._capturing and not _in_hook.get():
                token = _in_hook.set(True)
                try:
                    # Raising in a hook would hide what it was called for.
                    with suppress(Exception):
                        log(*args, **kwargs)
                finally:
                    _in_hook.reset(token)
            before(*args, **kwargs)

        def restore() -> None:
            if getattr(module, name) is hook:  # else somebody has built on it since
                setattr(module, name, before)

        setattr(module, name, hook)
        self._restores.append(restore)

    def stop(self) -> None:
        """Put everything back; a second call does nothing."""
        self._capturing = False
        while self._restores:
            self._restores.pop()()

    def __enter__(self) -> UncaughtCapture:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _AsyncioHandler(EliotHandler):
    """Takes what event loops complain of, and shows it as if there were no handler."""

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if logging.getLogger(record.name).handlers == [self] and not logging.root.handlers:
            last_resort = logging.lastResort
            if last_resort is not None and record.levelno >= last_resort.level:
                last_resort.handle(record)


def capture_uncaught() -> UncaughtCapture:
    """
    Log warnings, and exceptions that nobody catches.

    A warning becomes a message of type `eliot:warning`. What comes to `sys.excepthook`,
    `threading.excepthook` or `sys.unraisablehook` becomes one of type `eliot:uncaught`, followed by
    its traceback. What asyncio complains of, such as exceptions that were never retrieved, comes as
    `eliot:stdlib`. All of them also go their usual way, to stderr. What comes up while one of them
    is logged goes only that way.

    Returns:
        What ends it, by its method `stop` or at the end of a `with` block.

    >>> capture = capture_uncaught()
    >>> capture.stop()

    .. versionadded:: 2.0
    """
    return UncaughtCapture()


def _log_warning(  # noqa: PLR0913, PLR0917 - the signature of warnings.showwarning
    message: Union[Warning, str],
    category: Type[Warning],
    filename: str,
    lineno: int,
    file: Optional[TextIO] = None,
    line: Optional[str] = None,  # noqa: ARG001
) -> None:
    if file is None:  # else it is meant for that file
        log_message(
            WARNING_TYPE,
            message=str(message),
            category=class_name(category),
            file=filename,
            line=lineno,
        )


def _log_exception(
    exception_class: Type[BaseException],
    exception: BaseException,
    tb: Optional[TracebackType],
) -> None:
    log_message(UNCAUGHT_TYPE, hook="sys.excepthook", thread=threading.current_thread().name)
    write_traceback(exc_info=(exception_class, exception, tb))


def _log_unraisable(unraisable: Any) -> None:
    log_message(
        UNCAUGHT_TYPE,
        hook="sys.unraisablehook",
        thread=threading.current_thread().name,
        message=unraisable.err_msg or "Exception ignored in",
        object=saferepr(unraisable.object),
    )
    write_traceback(exc_info=(unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback))


def _log_thread_exception(args: Any) -> None:
    if args.exc_type is not SystemExit:  # which ends a thread without a word
        name = None if args.thread is None else args.thread.name
        log_message(UNCAUGHT_TYPE, hook="threading.excepthook", thread=name)
        write_traceback(exc_info=(args.exc_type, args.exc_value, args.exc_traceback))
