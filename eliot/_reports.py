"""What Eliot says about failures, its own and the program's: plain dictionaries, and tracebacks."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import groupby
from types import TracebackType
from typing import TYPE_CHECKING, Any, Iterator, List, Optional, Tuple, Type

from eliot._context import stamp
from eliot._depth import within
from eliot._errors import fields_for
from eliot._fields import (
    ACTION_TYPE_FIELD,
    DESTINATION_FAILURE_TYPE,
    EXCEPTION_FIELD,
    MESSAGE_TYPE_FIELD,
    REASON_FIELD,
    SERIALIZATION_FAILURE_TYPE,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
    TRACEBACK_FIELD,
    TRACEBACK_TYPE,
)
from eliot._safe import UNKNOWN, class_name, safe_dictionary, safeunicode, text_within
from eliot._schema import traceback_serializer
from eliot._typing import Message

if TYPE_CHECKING:
    from traceback import FrameSummary, TracebackException

__all__ = [
    "TRACEBACK_SERIALIZER",
    "destination_failure",
    "format_exception",
    "format_traceback",
    "placed",
    "serialization_failure",
    "serialized",
    "serialized_traceback_report",
    "told_at",
    "traceback_report",
]

TRACEBACK_SERIALIZER = traceback_serializer(TRACEBACK_TYPE)


def placed(report: Message) -> Message:
    """Give a message its place: the next slot of wherever the running code is."""
    report[TIMESTAMP_FIELD] = time.time()
    report[TASK_UUID_FIELD], report[TASK_LEVEL_FIELD] = stamp()
    return report


def traceback_report(
    exception: Optional[BaseException],
    exception_class: Optional[type] = None,
    tb: Optional[TracebackType] = None,
    text: Optional[str] = None,
) -> Tuple[Message, Optional[BaseException]]:
    """
    Build the message that tells of an exception.

    Args:
        exception: The exception; `None` says that there was none to tell of.
        exception_class: If not that of the exception.
        tb: Its traceback.
        text: The formatted traceback, if somebody else has formatted it.

    Returns:
        The message, without a place, and the failure of an extractor, if one failed. The message
        holds the live exception and its class, which `TRACEBACK_SERIALIZER` turns into text.
    """
    if exception_class is None:
        exception_class = type(exception)
    if text is None:
        # With a line break, as published Eliot has it: its test suites compare the text.
        text = format_traceback(exception_class, exception, tb) + "\n"
    report, failure = fields_for(exception)
    report.pop(ACTION_TYPE_FIELD, None)  # which would make it a message of an action
    report[MESSAGE_TYPE_FIELD] = TRACEBACK_TYPE
    report[REASON_FIELD] = "no exception is being handled" if exception is None else exception
    report[TRACEBACK_FIELD] = text
    report[EXCEPTION_FIELD] = exception_class
    return report, failure


def serialized_traceback_report(failure: BaseException) -> Message:
    """Build the placed message that tells of a failure inside Eliot, with nothing live in it."""
    # An extractor that fails on this one too is not reported in turn: that could go on for ever.
    report, _ = traceback_report(failure, tb=failure.__traceback__)
    return placed(serialized(report))


def serialized(report: Message) -> Message:
    """Do to a traceback's message what `TRACEBACK_SERIALIZER` does, in a third of its time."""
    report[REASON_FIELD] = text_within(safeunicode, report[REASON_FIELD])
    if not isinstance(report[TRACEBACK_FIELD], str):
        report[TRACEBACK_FIELD] = text_within(safeunicode, report[TRACEBACK_FIELD])
    report[EXCEPTION_FIELD] = class_name(report[EXCEPTION_FIELD])
    return report


def serialization_failure(message: Message) -> Message:
    """Build the placed message that says which message could not be serialized as declared."""
    return placed(
        {
            MESSAGE_TYPE_FIELD: SERIALIZATION_FAILURE_TYPE,
            "message": text_within(safe_dictionary, message),
        }
    )


def destination_failure(message: Message, failure: BaseException) -> Message:
    """Build the placed message that says which message a destination failed to take."""
    return placed(
        {
            MESSAGE_TYPE_FIELD: DESTINATION_FAILURE_TYPE,
            "message": text_within(safe_dictionary, message),
            REASON_FIELD: text_within(safeunicode, failure),
            EXCEPTION_FIELD: class_name(type(failure)),
        }
    )


def format_traceback(
    exception_class: Type[Any], exception: Optional[BaseException], tb: Optional[TracebackType]
) -> str:
    """
    Format an exception as Python does, with its causes, groups and notes, but without source lines.

    No file is touched: an error may be logged when there are no descriptors left, and source lines
    would multiply the size of the log.

    >>> try:
    ...     1 / 0
    ... except ZeroDivisionError as error:
    ...     text = format_traceback(type(error), error, error.__traceback__)
    >>> print(text)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
      File "...", line 2, in <module>
    ZeroDivisionError: division by zero
    """
    if exception is None:
        return "NoneType: None"  # what traceback.format_exc() says then
    try:
        return within(_format, exception_class, exception, tb)
    except Exception:
        return f"{class_name(exception_class)}: {UNKNOWN}"


def _format(
    exception_class: Type[Any], exception: BaseException, tb: Optional[TracebackType]
) -> str:
    if tb is not None and exception_class is type(exception) and _is_plain(exception):
        with suppress(Exception):  # its text cannot be had: the long way says so
            return _format_plain(exception, tb)
    # limit=0 keeps the standard library from collecting frames, which looks at files.
    from traceback import TracebackException  # late: it takes a tenth of `import eliot`

    formatted = TracebackException(exception_class, exception, tb, limit=0)
    _add_frames(formatted, exception, tb)
    return "".join(formatted.format()).rstrip("\n")


def format_exception(exception: Any) -> str:
    """Format whatever an action fails with, as `format_traceback` does."""
    tb = None
    with suppress(Exception):  # not what its class makes of attributes
        tb = BaseException.__getattribute__(exception, "__traceback__")
    return format_traceback(type(exception), exception, tb)


#: Marks an exception whose traceback is in the log; it goes with it to another process, too.
_TOLD_AT = "_eliot_told_at"


def told_at(exception: Any, here: str) -> Tuple[Optional[str], bool]:
    """
    Find out whether the traceback of an exception is in the log already.

    One that is raised again somewhere else, or comes from another task, is told again: once in each
    task, unless it has lost its traceback on the way from another process.

    Args:
        exception: Anything, for `Action.finish` takes anything; it is marked, if that can be done.
        here: The task uuid and the level of an action.

    Returns:
        Where it was told last, if it was; and whether to tell it here.
    """
    told = tb = None
    with suppress(Exception):
        # Not what its class makes of attributes.
        tb = BaseException.__getattribute__(exception, "__traceback__")
        told = BaseException.__getattribute__(exception, _TOLD_AT)
    if not isinstance(told, str) or told == here:
        told = None
    elif tb is None or told.partition("@")[0] == here.partition("@")[0]:
        return told, False
    with suppress(Exception):
        BaseException.__setattr__(exception, _TOLD_AT, here)
    return told, True


#: Their text ends in a guess of what was meant, or shows a place in a program.
_EXPLAINED = (AttributeError, ImportError, NameError, SyntaxError)


def _is_plain(exception: BaseException) -> bool:
    """Tell whether an exception has nothing to show but its stack, its class and its text."""
    return (
        exception.__cause__ is None
        and (exception.__context__ is None or exception.__suppress_context__)
        and not isinstance(exception, _EXPLAINED)
        # Notes, and the members of groups: of Python 3.11 and later.
        and getattr(exception, "__notes__", None) is None
        and getattr(exception, "exceptions", None) is None
        and isinstance(type(exception).__module__, str)
    )


def _format_plain(exception: BaseException, tb: TracebackType) -> str:
    """Do what the standard library does, in a fifth of its time; most exceptions are plain."""
    lines = []
    step: Optional[TracebackType] = tb
    while step is not None:
        code = step.tb_frame.f_code
        lines.append(f'  File "{code.co_filename}", line {step.tb_lineno}, in {code.co_name}')
        step = step.tb_next
    if len(lines) > _REPEATED:
        lines = list(_folded(lines))
    cls = type(exception)
    name = cls.__qualname__
    if cls.__module__ not in ("__main__", "builtins"):
        name = f"{cls.__module__}.{name}"
    text = str(exception)
    lines.append(f"{name}: {text}" if text else name)
    lines.insert(0, "Traceback (most recent call last):")
    return "\n".join(lines).rstrip("\n")


#: So often is the same line of a stack shown; then the others are counted.
_REPEATED = 3


def _folded(lines: List[str]) -> Iterator[str]:
    for line, group in groupby(lines):
        number = sum(1 for _ in group)
        yield from [line] * min(number, _REPEATED)
        more = number - _REPEATED
        if more > 0:
            yield f"  [Previous line repeated {more} more time{'s' if more > 1 else ''}]"


def _add_frames(
    formatted: TracebackException, exception: BaseException, tb: Optional[TracebackType]
) -> None:
    """Fill in the stacks of an exception and of all that hangs on it."""
    from traceback import StackSummary  # late, as above

    pending = [(formatted, exception, tb)]
    while pending:
        formatted, exception, tb = pending.pop()
        formatted.stack = StackSummary.from_list(list(_frames(tb)))
        # Only exception groups, of Python 3.11 and later, have "exceptions".
        members = getattr(formatted, "exceptions", None) or ()
        pairs = [
            (formatted.__cause__, exception.__cause__),
            (formatted.__context__, exception.__context__),
            *zip(members, getattr(exception, "exceptions", ())),
        ]
        pending.extend((f, e, e.__traceback__) for f, e in pairs if f is not None and e is not None)


def _frames(tb: Optional[TracebackType]) -> Iterator[FrameSummary]:
    from traceback import FrameSummary, walk_tb  # late, as above

    for frame, line_number in walk_tb(tb):
        code = frame.f_code
        yield FrameSummary(code.co_filename, line_number, code.co_name, lookup_line=False, line="")
