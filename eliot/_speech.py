"""Messages: give one its place in the tree, and hand it to its logger."""

from __future__ import annotations

import time
from typing import Any, Optional

import eliot._output as _output
from eliot._context import Place, current, innermost
from eliot._fields import (
    LOGGER_KEY,
    MESSAGE_TYPE_FIELD,
    SERIALIZER_KEY,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
)
from eliot._fork import here
from eliot._ids import new_task_uuid
from eliot._later import CRAMPED, LATER, do_now
from eliot._loggers import Logger
from eliot._safe import saferepr, safeunicode
from eliot._switches import prepare, switches
from eliot._typing import LoggerLike, Message, Serializer

__all__ = ["deliver", "log_message", "logger_or_default", "say", "say_as_told", "type_text"]


def type_text(given: Any) -> str:
    # Not isinstance(), which asks the object, too.
    return given if issubclass(type(given), str) else safeunicode(given)


def logger_or_default(logger: Optional[LoggerLike]) -> LoggerLike:
    if logger is None:
        return _output._DEFAULT_LOGGER
    if not hasattr(logger, "write"):
        msg = (
            f"{type(logger).__name__!r} object has no attribute 'write', so {saferepr(logger)} "
            "is no logger; the type of an action is given as action_type=..."
        )
        raise AttributeError(msg)
    return logger


def deliver(fields: Message, logger: LoggerLike, serializer: Optional[Serializer]) -> None:
    """Log fields that have their place, and are used up."""
    if LATER and not do_now():
        LATER.append((deliver, (fields, logger, serializer)))  # or it would come before them
        return
    try:
        if serializer is None and type(logger) is Logger:
            to_all = logger._destinations.deliver
            to_all(fields, logger)
        else:
            logger.write(fields, serializer)
    except CRAMPED:
        LATER.append((logger.write, (fields, serializer)))


def say(
    place: Optional[Place],
    message_type: str,
    fields: Message,
    logger: Optional[LoggerLike] = None,
    serializer: Optional[Serializer] = None,
) -> None:
    """
    Log a message in an action, or in a task of its own.

    Args:
        place: The action.
        message_type: Its type.
        fields: Its other fields; used up.
        logger: If not that of the action, or the default logger.
        serializer: Goes to the logger with the message.
    """
    if logger is not None:
        logger_or_default(logger)  # first, so that what is no logger takes no slot
    elif place is None:
        logger = _output._DEFAULT_LOGGER
    else:
        logger = place._logger
    fields[MESSAGE_TYPE_FIELD] = (
        message_type if type(message_type) is str else type_text(message_type)
    )
    fields[TIMESTAMP_FIELD] = time.time()
    # place.stamp(), without a call: all messages come through here.
    if place is None:
        fields[TASK_UUID_FIELD] = new_task_uuid()
        fields[TASK_LEVEL_FIELD] = [1]
    else:
        if place._process is not here.process:
            here.adopt(place)
        fields[TASK_UUID_FIELD] = place._task_uuid
        fields[TASK_LEVEL_FIELD] = [*place._level, next(place._slots)]
    try:
        if serializer is None and type(logger) is Logger and not LATER:
            to_all = logger._destinations.deliver
            to_all(fields, logger)
        else:
            deliver(fields, logger, serializer)
    except CRAMPED:
        LATER.append((deliver, (fields, logger, serializer)))


def say_as_told(place: Optional[Place], message_type: str, fields: Message) -> None:
    """Log a message whose fields may say which logger and serializer it goes to."""
    if LOGGER_KEY in fields or SERIALIZER_KEY in fields:
        # A copy, since what has no room for the rest of this is done again.
        rest = {name: fields[name] for name in fields if name not in (LOGGER_KEY, SERIALIZER_KEY)}
        say(place, message_type, rest, fields.get(LOGGER_KEY), fields.get(SERIALIZER_KEY))
    else:
        say(place, message_type, fields)


def log_message(  # noqa: C901 - all in one place, for calls would cost more
    message_type: str, **fields: Any
) -> None:
    """
    Log a message in the current action, or in a task of its own if there is none.

    Args:
        message_type: The type of the message, for example `"yourapp:cache:miss"`.
        fields: Whatever belongs to it.

    >>> log_message("yourapp:cache:miss", key="a", size=1024)
    """
    if switches.on:
        try:
            if not prepare(message_type, fields):
                return
        except CRAMPED:  # it is logged as if nothing were switched on
            pass
    # What `say` does for most messages, without a call: that is a twentieth of the time.
    place: Any = innermost()
    if place is not None and place.unclear:
        place = current()
        if place is not None and place.has_own_log:
            place.log(message_type, **fields)
            return
    # These are no parameters, for the name of each field would be compared with their names.
    routed = LOGGER_KEY in fields or SERIALIZER_KEY in fields
    if routed or place is None or type(message_type) is not str:
        speak: Any = say_as_told if routed else say
        try:
            speak(place, message_type, fields)
        except CRAMPED:
            LATER.append((speak, (place, message_type, fields)))
        return
    logger = place._logger
    if place._process is not here.process:
        here.adopt(place)
    fields[MESSAGE_TYPE_FIELD] = message_type
    fields[TIMESTAMP_FIELD] = time.time()
    fields[TASK_UUID_FIELD] = place._task_uuid
    fields[TASK_LEVEL_FIELD] = [*place._level, next(place._slots)]
    try:
        if type(logger) is Logger and not LATER:
            to_all = logger._destinations.deliver
            to_all(fields, logger)
        else:
            deliver(fields, logger, None)
    except CRAMPED:
        LATER.append((deliver, (fields, logger, None)))
