"""Actions: start one; the tree of causes that all of Eliot is about."""

from __future__ import annotations

import sys
import time
from os import urandom
from typing import Any, Dict, Optional, Union

import eliot._output as _output
from eliot._act import Action
from eliot._context import Place, current, innermost, standing
from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    EXCEPTION_FIELD,
    FAILED_STATUS,
    LOG_LEVEL_FIELD,
    MESSAGE_TYPE_FIELD,
    REASON_FIELD,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
    VALID_STATUSES,
)
from eliot._fork import here
from eliot._ids import new_task_uuid
from eliot._later import CRAMPED, LATER
from eliot._levels import INFO, number_of
from eliot._loggers import Logger
from eliot._schema import ActionSerializers
from eliot._silenced import Silenced
from eliot._speech import deliver, log_message, logger_or_default, say, type_text
from eliot._switches import add, switches
from eliot._tasklevel import TaskLevel
from eliot._typing import LoggerLike, Message
from eliot._written import (
    DuplicateChild,
    InvalidStartMessage,
    InvalidStatus,
    WrittenAction,
    WrittenMessage,
    WrongActionType,
    WrongTask,
    WrongTaskLevel,
)

# The names from other rooms have always been importable from here too.
__all__ = [
    "ACTION_STATUS_FIELD",
    "ACTION_TYPE_FIELD",
    "EXCEPTION_FIELD",
    "FAILED_STATUS",
    "MESSAGE_TYPE_FIELD",
    "REASON_FIELD",
    "STARTED_STATUS",
    "SUCCEEDED_STATUS",
    "TASK_LEVEL_FIELD",
    "TASK_UUID_FIELD",
    "TIMESTAMP_FIELD",
    "VALID_STATUSES",
    "Action",
    "DuplicateChild",
    "InvalidStartMessage",
    "InvalidStatus",
    "TaskLevel",
    "WrittenAction",
    "WrittenMessage",
    "WrongActionType",
    "WrongTask",
    "WrongTaskLevel",
    "begin",
    "current_action",
    "log_message",
    "say",
    "startAction",
    "startTask",
    "start_action",
    "start_task",
]

_new: Any = object.__new__
_silenced: Any = Silenced  # other than its type says, without arguments

#: The start message has the first one. A count would take twice as long to make.
_LATER_SLOTS = range(2, sys.maxsize)

#: To look up an attribute of a module that opens rooms late takes five times as long.
_defaults: Dict[str, Any] = _output.__dict__


def current_action() -> Optional[Action]:
    """
    Return the action that the running code is in, or `None`.

    >>> with start_action(action_type="outer") as action:
    ...     current_action() is action
    True
    """
    return standing()  # type: ignore[return-value] # only actions are ever made current


def begin(  # noqa: C901, PLR0912, PLR0915 - all in one place, for calls would cost more
    parent: Optional[Place],
    logger: Any,
    action_type: str,
    serializers: Optional[ActionSerializers],
    fields: Message,
) -> Action:
    """
    Start an action in another one, or a task.

    Args:
        parent: The other one.
        logger: As in `start_action`.
        action_type: Its type.
        serializers: Those of an `ActionType`, or `None`.
        fields: Those of the start message; used up.
    """
    if logger is not None:
        given: object = logger
        if isinstance(given, str) and not action_type:
            action_type = given
            logger = None
        else:
            logger_or_default(logger)  # first, so that what is no logger takes no slot
    if switches.on:
        # What `prepare` does, without a call: that is a sixth of what a silenced action costs.
        try:
            thresholds = switches.thresholds
            if thresholds is not None:
                log_level = (
                    number_of(fields[LOG_LEVEL_FIELD]) if LOG_LEVEL_FIELD in fields else INFO
                )
                kind = action_type if type(action_type) is str else type_text(action_type)
                if thresholds[kind] > log_level:
                    unheard: Any = _silenced()
                    unheard._logged = parent
                    unheard._action_type = action_type
                    unheard._unvisited = True
                    unheard._ended_at = None
                    unheard._started_at = time.time()
                    return unheard  # type: ignore[no-any-return] # it is one
            add(fields)
        except CRAMPED:  # it is logged as if nothing were switched on
            pass
    if parent is not None and type(parent) is not Action:
        action: Action = parent.child(logger, action_type, serializers)  # type: ignore[attr-defined] # only actions are ever made current
        if type(action)._start is not Action._start:
            try:
                action._start(fields)
            except CRAMPED:  # it starts as any other does
                pass
            else:
                return action
        level = action.stamp()[1]
    else:
        # What Action() and child() do, from the parts that are at hand here, in half the time, and
        # without a call: the recursion limit may be near.
        action = _new(Action)
        process = here.process
        if parent is None:
            try:
                action._task_uuid = new_task_uuid()
            except CRAMPED:  # by what is built in alone: the id cannot come later
                x = urandom(16).hex()
                action._task_uuid = f"{x[:8]}-{x[8:12]}-4{x[13:16]}-a{x[17:20]}-{x[20:]}"
            action._level = ()
            level = [1]
        else:
            if parent._process is not process:
                here.adopt(parent)
            action._task_uuid = parent._task_uuid
            action._level = [*parent._level, next(parent._slots)]
            level = [*action._level, 1]
        action._logger = _defaults["_DEFAULT_LOGGER"] if logger is None else logger
        action._process = process
        action._slots = iter(_LATER_SLOTS)
        action._action_type = action_type if type(action_type) is str else type_text(action_type)
        action._serializers = serializers
        action._parent = parent
        action._successFields = None
        action._visits = ()
        action._unfinished = action._unvisited = True
    fields[ACTION_TYPE_FIELD] = action._action_type
    fields[ACTION_STATUS_FIELD] = STARTED_STATUS
    fields[TIMESTAMP_FIELD] = action._started_at = time.time()
    fields[TASK_UUID_FIELD] = action._task_uuid
    fields[TASK_LEVEL_FIELD] = level
    used = action._logger
    serializer = None if serializers is None else serializers.start
    try:
        if switches.on:
            action._clock()
        if serializer is None and type(used) is Logger and not LATER:
            to_all = used._destinations.deliver  # no method, so a call of it would be slower
            to_all(fields, used)
        else:
            deliver(fields, used, serializer)
    except CRAMPED:
        LATER.append((deliver, (fields, used, serializer)))
    return action


def start_action(
    logger: Union[LoggerLike, str, None] = None,
    action_type: str = "",
    _serializers: Optional[ActionSerializers] = None,
    **fields: Any,
) -> Action:
    """
    Start an action in the current one, or a task if there is none.

    The start message is logged at once. The action becomes the current one, and ends, with a
    `with` block.

    Args:
        logger: Takes its messages; `None` is the default logger. A text is the type of the action
            instead.
        action_type: Its type, for example `"yourapp:download"`.
        _serializers: Those of an `ActionType`, or `None`.
        fields: The fields of its start message. Those that have the name of a built-in one, for
            example `timestamp` or `action_status`, are replaced by it.

    Raises:
        AttributeError: If the logger has no `write` method.

    >>> with start_action("yourapp:download", url="http://example.com"):
    ...     pass
    """
    parent: Any = innermost()
    if parent is not None and parent.unclear:
        parent = current()
    return begin(parent, logger, action_type, _serializers, fields)


startAction = start_action


def start_task(
    logger: Union[LoggerLike, str, None] = None,
    action_type: str = "",
    _serializers: Optional[ActionSerializers] = None,
    **fields: Any,
) -> Action:
    """
    Start an action that is the root of a new task, whatever the current action is.

    Args:
        logger: Takes its messages; `None` is the default logger. A text is the type of the action
            instead.
        action_type: Its type, for example `"yourapp:request"`.
        _serializers: Those of an `ActionType`, or `None`.
        fields: The fields of its start message.

    Raises:
        AttributeError: If the logger has no `write` method.

    >>> with start_task("yourapp:request", path="/"):
    ...     pass
    """
    return begin(None, logger, action_type, _serializers, fields)


startTask = start_task
