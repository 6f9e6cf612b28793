"""Actions: begin, say what happens, end; the tree of causes that all of Eliot is about."""

from __future__ import annotations

import re
import time
from itertools import count
from os import urandom
from typing import Any, Callable, Dict, Optional, Tuple, Type, TypeVar, Union

from boltons.typeutils import make_sentinel

import eliot._output as _output
from eliot._context import _CURRENT, Place, Visit, current
from eliot._errors import fields_for
from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    EXCEPTION_FIELD,
    FAILED_STATUS,
    MESSAGE_TYPE_FIELD,
    REASON_FIELD,
    REMOTE_TASK_TYPE,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
    VALID_STATUSES,
)
from eliot._fork import here
from eliot._ids import new_task_uuid
from eliot._later import CRAMPED, LATER, do_now
from eliot._loggers import Logger
from eliot._safe import class_name, saferepr, safeunicode
from eliot._schema import ActionSerializers
from eliot._tasklevel import TaskLevel
from eliot._typing import LoggerLike, Message, Serializer
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

_T = TypeVar("_T")
_A = TypeVar("_A", bound="Action")

_new: Any = object.__new__

_REQUIRED: Any = make_sentinel("_REQUIRED", var_name="_REQUIRED")


class Action(Place):
    """
    Something that a program does: it begins, other things happen in it, it succeeds or fails.

    Actions are made by `start_action` and `start_task`; a `with` block is the life of one.

    Args:
        logger: Takes its messages; `None` is the default logger.
        task_uuid: The task that it is part of.
        task_level: Its own place there.
        action_type: Its type.
        serializers: Those of an `ActionType`, or `None`.

    >>> with start_action(action_type="download", url="http://example.com") as action:
    ...     action.log("connected", ip="192.0.2.1")
    ...     action.add_success_fields(size=1024)
    """

    __slots__ = ("_action_type", "_serializers", "_successFields", "_unfinished")

    def __init__(
        self,
        logger: Optional[LoggerLike],
        task_uuid: str,
        task_level: TaskLevel,
        action_type: str,
        serializers: Optional[ActionSerializers] = None,
    ) -> None:
        super().__init__(_logger_or_default(logger), task_uuid, task_level.as_tuple())
        self._action_type = _type_text(action_type)
        self._serializers = serializers
        self._successFields: Optional[Message] = None  # until there are any
        self._unfinished = True

    def __repr__(self) -> str:
        return f"<Action {self._action_type!r} {self._task_uuid}@{self._task_level.to_string()}>"

    @property
    def task_uuid(self) -> str:
        """The id of the task that this action is part of."""
        return self._task_uuid

    @property
    def _task_level(self) -> TaskLevel:
        return TaskLevel(self._level)

    @property
    def _identification(self) -> Dict[str, str]:
        return {TASK_UUID_FIELD: self._task_uuid, ACTION_TYPE_FIELD: self._action_type}

    def _next_task_level(self) -> TaskLevel:
        return TaskLevel(self.stamp()[1])

    _nextTaskLevel = _next_task_level

    # -- Telling ---------------------------------------------------------------------------------

    def _start(self, fields: Message) -> None:
        """Log the start message with these fields, to which the others are added."""
        fields[ACTION_TYPE_FIELD] = self._action_type
        fields[ACTION_STATUS_FIELD] = STARTED_STATUS
        fields[TIMESTAMP_FIELD] = time.time()
        fields[TASK_UUID_FIELD], fields[TASK_LEVEL_FIELD] = self.stamp()
        serializer = None if self._serializers is None else self._serializers.start
        _deliver(fields, self._logger, serializer)

    def log(
        self,
        message_type: str,
        *,
        __eliot_logger__: Any = None,
        __eliot_serializer__: Any = None,
        **fields: Any,
    ) -> None:
        """
        Log a message in this action, whether it is the current one or not.

        Args:
            message_type: The type of the message, for example `"yourapp:cache:miss"`.
            fields: Whatever belongs to it.

        >>> with start_action(action_type="download") as action:
        ...     action.log("yourapp:cache:miss", key="a")
        """
        try:
            say(self, message_type, fields, __eliot_logger__, __eliot_serializer__)
        except CRAMPED:
            given = (self, message_type, fields, __eliot_logger__, __eliot_serializer__)
            LATER.append((say, given))

    def add_success_fields(self, **fields: Any) -> None:
        """
        Add fields to the message that will say that the action has succeeded.

        Args:
            fields: A later value of the same field wins. If the action fails, they are dropped.

        >>> with start_action(action_type="download") as action:
        ...     action.add_success_fields(size=1024)
        """
        mine = self._successFields
        if mine is None:
            # One atomic step, for threads may share an action.
            mine = self._successFields = self.__dict__.setdefault("_collected", {})
        mine.update(fields)

    addSuccessFields = add_success_fields

    def finish(self, exception: Optional[BaseException] = None) -> None:
        """
        Log the end of the action; a second call does nothing.

        A `with` block calls this. It does not touch the context.

        Args:
            exception: What the action failed with; `None` says that it succeeded.

        >>> action = start_action(action_type="dial")
        >>> action.finish(ConnectionError("no answer"))
        """
        try:
            del self._unfinished  # one atomic step: only one of several threads gets further
        except AttributeError:
            return
        fields: Message = {}
        try:
            if self._process is not here.process:
                here.end(self, exception)
                return
            if exception is not None:
                fields = self._failure_fields(exception)
            elif self._successFields is not None:
                fields = self._successFields
                self._successFields = {}  # what is added later changes nothing that is written
        except CRAMPED:
            self._unfinished = True
            LATER.append((self.finish, (exception,)))
            return
        serializers = self._serializers
        serializer: Optional[Serializer] = None
        if serializers is not None:
            serializer = serializers.success if exception is None else serializers.failure
        fields[ACTION_STATUS_FIELD] = SUCCEEDED_STATUS if exception is None else FAILED_STATUS
        fields[ACTION_TYPE_FIELD] = self._action_type
        fields[TIMESTAMP_FIELD] = time.time()
        fields[TASK_UUID_FIELD] = self._task_uuid
        fields[TASK_LEVEL_FIELD] = [*self._level, next(self._slots)]
        logger = self._logger
        try:
            if serializer is None and type(logger) is Logger and not LATER:
                logger._destinations.deliver(fields, logger)
            else:
                _deliver(fields, logger, serializer)
        except CRAMPED:
            LATER.append((_deliver, (fields, logger, serializer)))

    def _failure_fields(self, exception: BaseException) -> Message:
        fields, failure = fields_for(exception)
        if failure is not None:
            _output.log_extractor_failure(failure, self._logger)
        fields[EXCEPTION_FIELD] = class_name(type(exception))
        fields[REASON_FIELD] = safeunicode(exception)
        return fields

    # -- The tree --------------------------------------------------------------------------------

    def child(  # noqa: PYI019 - typing.Self comes with Python 3.11
        self: _A,
        logger: Optional[LoggerLike],
        action_type: str,
        serializers: Optional[ActionSerializers] = None,
    ) -> _A:
        """
        Make an action in the next slot of this one; nothing is logged yet.

        Args:
            logger: Takes its messages; `None` is the default logger, not that of the parent.
            action_type: Its type.
            serializers: Those of an `ActionType`, or `None`.

        Raises:
            AttributeError: If the logger has no `write` method.

        >>> with start_action(action_type="download") as action:
        ...     action.child(None, "retry").finish()
        """
        if logger is not None:
            _logger_or_default(logger)  # first, so that what is no logger takes no slot
        task_level = self._nextTaskLevel()  # first: in a forked child it changes the task uuid
        return type(self)(logger, self._task_uuid, task_level, action_type, serializers)

    def serialize_task_id(self) -> bytes:
        """
        Make an id by which the task can be continued elsewhere: see `continue_task`.

        Returns:
            The id, in ASCII. Each is for one continuation; it takes a slot of this action.

        Raises:
            UnicodeEncodeError: If the task uuid, which is from elsewhere then, is not ASCII.

        >>> Action(None, "uuid", TaskLevel([2]), "client").serialize_task_id()
        b'uuid@/2/1'
        """
        level = self._nextTaskLevel().to_string()  # first, as in `child`
        return f"{self._task_uuid}@{level}".encode("ascii")

    serializeTaskId = serialize_task_id

    @classmethod
    def continue_task(
        cls: Type[_A],
        logger: Optional[LoggerLike] = None,
        task_id: Union[bytes, str] = _REQUIRED,
        *,
        action_type: str = REMOTE_TASK_TYPE,
        _serializers: Optional[ActionSerializers] = None,
        **fields: Any,
    ) -> _A:
        """
        Start an action that continues a task of another thread, process or machine.

        Args:
            logger: Takes its messages; `None` is the default logger.
            task_id: What `serialize_task_id` returned there.
            action_type: Its type.
            _serializers: Those of an `ActionType`, or `None`.
            fields: The fields of its start message.

        Raises:
            RuntimeError: If there is no task id.
            ValueError: If the task id is malformed.
            AttributeError: If the logger has no `write` method.

        >>> with start_action(action_type="client") as action:
        ...     task_id = action.serialize_task_id()
        >>> with Action.continue_task(task_id=task_id):
        ...     log_message("on the server")
        """
        if task_id is _REQUIRED:
            msg = "You must supply a task_id keyword argument."
            raise RuntimeError(msg)
        task_uuid, task_level = _parse_task_id(task_id)
        action = cls(logger, task_uuid, task_level, action_type, _serializers)
        action._start(fields)
        return action

    continueTask = continue_task

    # -- The context -----------------------------------------------------------------------------

    def run(self, f: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """
        Call a function with this action as the current one; the action does not end.

        Args:
            f: The function.
            args: Its arguments.
            kwargs: Its keyword arguments.

        Returns:
            What the function returns.

        >>> start_action(action_type="long").run(pow, 2, 3)
        8
        """
        with Visit(self):
            return f(*args, **kwargs)

    def context(self: _A) -> Visit[_A]:  # noqa: PYI019 - typing.Self comes with Python 3.11
        """
        Make this the current action for a `with` block that does not end it.

        Returns:
            A context manager, for one block; it gives the action.

        >>> action = start_action(action_type="long")
        >>> with action.context():
        ...     log_message("inside")
        >>> action.finish()
        """
        return Visit(self)


def _type_text(given: Any) -> str:
    return given if isinstance(given, str) else safeunicode(given)


def _logger_or_default(logger: Optional[LoggerLike]) -> LoggerLike:
    if logger is None:
        return _output._DEFAULT_LOGGER
    if not hasattr(logger, "write"):
        msg = (
            f"{type(logger).__name__!r} object has no attribute 'write', so {saferepr(logger)} "
            "is no logger; the type of an action is given as action_type=..."
        )
        raise AttributeError(msg)
    return logger


_TASK_ID = r"([^@]{0,1000})@/*((?:[0-9]{1,19}(?![0-9])/*){0,1000})"
_TOO_LARGE = 2**63
_MAX_SHOWN = 200


def _parse_task_id(task_id: Union[bytes, str]) -> Tuple[str, TaskLevel]:
    """Read an id that may come from anybody: nothing odd in it gets into the log."""
    try:
        text = task_id.decode("ascii") if isinstance(task_id, bytes) else task_id
        found = re.fullmatch(_TASK_ID, text)  # compiled when needed: not all programs do
    except UnicodeDecodeError as error:
        error.reason += f"; {_no_task_id(task_id)}"
        raise
    except TypeError:
        found = None
    if found is not None:
        task_uuid, level = found.groups()
        numbers = [int(part) for part in level.split("/") if part]
        if task_uuid.isprintable() and all(0 < number < _TOO_LARGE for number in numbers):
            return task_uuid, TaskLevel(numbers)
    raise ValueError(_no_task_id(task_id))


def _no_task_id(given: object) -> str:
    shown = saferepr(given)
    if len(shown) > _MAX_SHOWN:
        shown = f"{shown[:_MAX_SHOWN]}..."
    return (
        f"{shown} is not a task id, which looks like '<uuid>@/2/1': up to 1000 printable "
        "characters, then up to 1000 numbers from 1 to 2**63 - 1"
    )


def _deliver(fields: Message, logger: LoggerLike, serializer: Optional[Serializer]) -> None:
    """Log fields that have their place, and are used up."""
    if LATER and not do_now():
        LATER.append((_deliver, (fields, logger, serializer)))  # or it would come before them
        return
    try:
        if serializer is None and type(logger) is Logger:
            logger._destinations.deliver(fields, logger)
        else:
            logger.write(fields, serializer)
    except CRAMPED:
        LATER.append((logger.write, (fields, serializer)))


def say(
    place: Optional[Place],
    message_type: str,
    fields: Message,
    logger: Optional[LoggerLike],
    serializer: Optional[Serializer],
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
        _logger_or_default(logger)  # first, so that what is no logger takes no slot
    elif place is None:
        logger = _output._DEFAULT_LOGGER
    else:
        logger = place._logger
    fields[MESSAGE_TYPE_FIELD] = (
        message_type if type(message_type) is str else _type_text(message_type)
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
            logger._destinations.deliver(fields, logger)
        else:
            _deliver(fields, logger, serializer)
    except CRAMPED:
        LATER.append((_deliver, (fields, logger, serializer)))


def current_action() -> Optional[Action]:
    """
    Return the action that the running code is in, or `None`.

    >>> with start_action(action_type="outer") as action:
    ...     current_action() is action
    True
    """
    return current()  # type: ignore[return-value] # only actions are ever made current


def log_message(
    message_type: str,
    *,
    __eliot_logger__: Any = None,
    __eliot_serializer__: Any = None,
    **fields: Any,
) -> None:
    """
    Log a message in the current action, or in a task of its own if there is none.

    Args:
        message_type: The type of the message, for example `"yourapp:cache:miss"`.
        fields: Whatever belongs to it.

    >>> log_message("yourapp:cache:miss", key="a", size=1024)
    """
    # What `say` does for most messages, without a call: that is a twentieth of the time.
    place: Any = _CURRENT.get()
    if place is not None and place.unclear:
        place = current()
    if __eliot_logger__ is not None or place is None or type(message_type) is not str:
        try:
            say(place, message_type, fields, __eliot_logger__, __eliot_serializer__)
        except CRAMPED:
            LATER.append(
                (say, (place, message_type, fields, __eliot_logger__, __eliot_serializer__))
            )
        return
    logger = place._logger
    if place._process is not here.process:
        here.adopt(place)
    fields[MESSAGE_TYPE_FIELD] = message_type
    fields[TIMESTAMP_FIELD] = time.time()
    fields[TASK_UUID_FIELD] = place._task_uuid
    fields[TASK_LEVEL_FIELD] = [*place._level, next(place._slots)]
    try:
        if __eliot_serializer__ is None and type(logger) is Logger and not LATER:
            logger._destinations.deliver(fields, logger)
        else:
            _deliver(fields, logger, __eliot_serializer__)
    except CRAMPED:
        LATER.append((_deliver, (fields, logger, __eliot_serializer__)))


def begin(
    parent: Optional[Place],
    logger: Optional[LoggerLike],
    action_type: str,
    serializers: Optional[ActionSerializers],
    fields: Message,
) -> Action:
    """Start an action in another one, or a task; the dictionary of fields is used up."""
    if logger is not None:
        _logger_or_default(logger)  # first, so that what is no logger takes no slot
    if parent is not None and type(parent) is not Action:
        action: Action = parent.child(logger, action_type, serializers)  # type: ignore[attr-defined] # only actions are ever made current
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
            level = [*parent._level, next(parent._slots)]
            action._level = tuple(level)
            level.append(1)
        action._logger = _output._DEFAULT_LOGGER if logger is None else logger
        action._process = process
        action._slots = count(2)  # the start message has the first one
        action._action_type = action_type if type(action_type) is str else _type_text(action_type)
        action._serializers = serializers
        action._successFields = None
        action._visits = ()
        action._unfinished = action._unvisited = True
    fields[ACTION_TYPE_FIELD] = action._action_type
    fields[ACTION_STATUS_FIELD] = STARTED_STATUS
    fields[TIMESTAMP_FIELD] = time.time()
    fields[TASK_UUID_FIELD] = action._task_uuid
    fields[TASK_LEVEL_FIELD] = level
    used = action._logger
    serializer = None if serializers is None else serializers.start
    try:
        if serializer is None and type(used) is Logger and not LATER:
            used._destinations.deliver(fields, used)
        else:
            _deliver(fields, used, serializer)
    except CRAMPED:
        LATER.append((_deliver, (fields, used, serializer)))
    return action


def start_action(
    logger: Optional[LoggerLike] = None,
    action_type: str = "",
    _serializers: Optional[ActionSerializers] = None,
    **fields: Any,
) -> Action:
    """
    Start an action in the current one, or a task if there is none.

    The start message is logged at once. The action becomes the current one, and ends, with a
    `with` block.

    Args:
        logger: Takes its messages; `None` is the default logger.
        action_type: Its type, for example `"yourapp:download"`.
        _serializers: Those of an `ActionType`, or `None`.
        fields: The fields of its start message. Those that have the name of a built-in one, for
            example `timestamp` or `action_status`, are replaced by it.

    Raises:
        AttributeError: If the logger has no `write` method.

    >>> with start_action(action_type="yourapp:download", url="http://example.com"):
    ...     pass
    """
    parent: Any = _CURRENT.get()
    if parent is not None and parent.unclear:
        parent = current()
    return begin(parent, logger, action_type, _serializers, fields)


startAction = start_action


def start_task(
    logger: Optional[LoggerLike] = None,
    action_type: str = "",
    _serializers: Optional[ActionSerializers] = None,
    **fields: Any,
) -> Action:
    """
    Start an action that is the root of a new task, whatever the current action is.

    Args:
        logger: Takes its messages; `None` is the default logger.
        action_type: Its type, for example `"yourapp:request"`.
        _serializers: Those of an `ActionType`, or `None`.
        fields: The fields of its start message.

    Raises:
        AttributeError: If the logger has no `write` method.

    >>> with start_task(action_type="yourapp:request", path="/"):
    ...     pass
    """
    return begin(None, logger, action_type, _serializers, fields)


startTask = start_task
