"""The class of actions: they begin, say what happens in them, and end."""

from __future__ import annotations

import time
from _weakref import ReferenceType  # as `weakref` has it, which takes longer to import
from types import TracebackType
from typing import Any, Callable, Dict, Optional, Type, TypeVar, Union

from boltons.typeutils import make_sentinel

import eliot._output as _output
from eliot._context import Place, Visit
from eliot._errors import fields_for
from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    DURATION_FIELD,
    EXCEPTION_FIELD,
    FAILED_STATUS,
    REASON_FIELD,
    REMOTE_TASK_TYPE,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
    TRACEBACK_AT_FIELD,
    TRACEBACK_FIELD,
)
from eliot._fork import here
from eliot._later import CRAMPED, LATER, do_now
from eliot._loggers import Logger
from eliot._reports import format_exception, told_at
from eliot._safe import class_name, safeunicode
from eliot._schema import ActionSerializers
from eliot._speech import deliver, logger_or_default, say_as_told, type_text
from eliot._switches import add, prepare, switches
from eliot._task_id import parse_task_id
from eliot._tasklevel import TaskLevel
from eliot._typing import LoggerLike, Message, Serializer

__all__ = ["Action"]

_T = TypeVar("_T")
_A = TypeVar("_A", bound="Action")

_REQUIRED: Any = make_sentinel("_REQUIRED", var_name="_REQUIRED")


class _EndFields(Dict[str, Any]):
    """The fields that were added for the end of an action; those for any end are kept beside it."""

    __slots__ = ()


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

    >>> from eliot import start_action
    >>> with start_action(action_type="download", url="http://example.com") as action:
    ...     action.log("connected", ip="192.0.2.1")
    ...     action.add_success_fields(size=1024)
    """

    __slots__ = (
        "_action_type",
        "_began",
        "_ended_at",
        "_exception",
        "_parent",
        "_serializers",
        "_started_at",
        "_successFields",
        "_took",
        "_unfinished",
    )

    has_own_log: bool
    _began: float  # by a clock that is never set, if actions are timed; so is the next one
    _took: float
    _ended_at: Optional[float]  # missing before the end
    _exception: BaseException  # if it has failed
    _started_at: Optional[float]

    def __init__(
        self,
        logger: Optional[LoggerLike],
        task_uuid: str,
        task_level: TaskLevel,
        action_type: str,
        serializers: Optional[ActionSerializers] = None,
    ) -> None:
        super().__init__(logger_or_default(logger), task_uuid, task_level.as_tuple())
        self._action_type = type_text(action_type)
        self._serializers = serializers
        #: `None` until there are any; a dictionary of its own kind if they were added here.
        self._successFields: Optional[Message] = None
        #: After the end of both it is a weak reference: see `finish`.
        self._parent: Union[Place, ReferenceType[Place], None] = None
        self._started_at = None
        self._unfinished = True
        if self.has_own_log:
            del self._unvisited

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.has_own_log = cls.log is not Action.log

    def __repr__(self) -> str:
        where = f"{self.task_uuid}@{self.task_level.to_string()}"
        return f"<{type(self).__name__} {self._action_type!r} {self.status} {where}>"

    # -- What it knows ---------------------------------------------------------------------------

    @property
    def task_uuid(self) -> str:
        """The id of the task that this action is part of."""
        return self._task_uuid

    @property
    def task_level(self) -> TaskLevel:
        """
        Its place in the task; its messages are one level below.

        .. versionadded:: 2.0
        """
        return TaskLevel(self._level)

    @property
    def _task_level(self) -> TaskLevel:
        return self.task_level

    @property
    def action_type(self) -> str:
        """
        Its type.

        .. versionadded:: 2.0
        """
        return self._action_type

    @property
    def parent(self) -> Optional[Action]:
        """
        The action in which it was started.

        It is `None` for the root of a task, and for an action that continues a task. If the parent
        ended first, and nobody else keeps it, it is forgotten when this action ends.

        .. versionadded:: 2.0
        """
        parent: Any = self._parent
        return parent() if type(parent) is ReferenceType else parent

    @property
    def status(self) -> str:
        """
        Whether it is `"started"`, has `"succeeded"` or has `"failed"`.

        .. versionadded:: 2.0
        """
        if getattr(self, "_ended_at", None) is None:
            return STARTED_STATUS
        return SUCCEEDED_STATUS if self.exception is None else FAILED_STATUS

    @property
    def exception(self) -> Optional[BaseException]:
        """
        What it failed with; `None` if it did not.

        It is kept as long as the action is, and with it what its traceback refers to.

        .. versionadded:: 2.0
        """
        return getattr(self, "_exception", None)

    @property
    def started_at(self) -> Optional[float]:
        """
        When its start message was logged, in seconds since 1970; `None` if it was not.

        .. versionadded:: 2.0
        """
        return self._started_at

    @property
    def duration(self) -> float:
        """
        For how many seconds it has been going on, or went on, if it has ended.

        If `eliot.configure` has switched `duration` on, this is by a clock that is never set; else
        it is the time between two timestamps, or 0 if the clock of these was set back meanwhile.

        .. versionadded:: 2.0
        """
        ended = getattr(self, "_ended_at", None)
        began = getattr(self, "_began", None)
        if began is not None:
            return time.monotonic() - began if ended is None else self._took
        started = self._started_at
        if started is None:
            return 0.0
        return max(0.0, (time.time() if ended is None else ended) - started)

    @property
    def _identification(self) -> Dict[str, str]:
        return {TASK_UUID_FIELD: self.task_uuid, ACTION_TYPE_FIELD: self._action_type}

    def _next_task_level(self) -> TaskLevel:
        return TaskLevel(self.stamp()[1])

    _nextTaskLevel = _next_task_level

    # -- Telling ---------------------------------------------------------------------------------

    def _start(self, fields: Message) -> None:
        """Log the start message with these fields, to which the others are added."""
        if switches.on:
            # Whatever its level: its place in the tree is taken already.
            add(fields)
            self._clock()
        fields[ACTION_TYPE_FIELD] = self._action_type
        fields[ACTION_STATUS_FIELD] = STARTED_STATUS
        fields[TIMESTAMP_FIELD] = self._started_at = time.time()
        fields[TASK_UUID_FIELD], fields[TASK_LEVEL_FIELD] = self.stamp()
        serializer = None if self._serializers is None else self._serializers.start
        deliver(fields, self._logger, serializer)

    def log(self, message_type: str, **fields: Any) -> None:
        """
        Log a message in this action, whether it is the current one or not.

        Args:
            message_type: The type of the message, for example `"yourapp:cache:miss"`.
            fields: Whatever belongs to it.

        >>> from eliot import start_action
        >>> with start_action(action_type="download") as action:
        ...     action.log("yourapp:cache:miss", key="a")
        """
        if switches.on:
            try:
                if not prepare(message_type, fields):
                    return
            except CRAMPED:  # it is logged as if nothing were switched on
                pass
        try:
            say_as_told(self, message_type, fields)
        except CRAMPED:
            LATER.append((say_as_told, (self, message_type, fields)))

    def add_success_fields(self, **fields: Any) -> None:
        """
        Add fields to the message that will say that the action has succeeded.

        Args:
            fields: A later value of the same field wins. If the action fails, they are dropped.
                After its end they come too late.

        >>> from eliot import start_action
        >>> with start_action(action_type="download") as action:
        ...     action.add_success_fields(size=1024)
        """
        given = mine = self._successFields
        if type(mine) is not _EndFields:
            # One atomic step, for threads may share an action; no call, for the recursion limit may
            # be near.
            mine = self._successFields = self.__dict__.setdefault("_collected", _EndFields())
            mine.update(given or ())
        mine.update(fields)

    addSuccessFields = add_success_fields

    def add_fields(self, **fields: Any) -> None:
        """
        Add fields to the message that will say how the action has ended, whether well or not.

        Args:
            fields: A later value of the same field wins. Those of `add_success_fields` win over
                them, and so do those that describe the exception. After the end of the action they
                come too late.

        >>> from eliot import start_action
        >>> with start_action(action_type="download") as action:
        ...     action.add_fields(attempts=2)

        .. versionadded:: 2.0
        """
        self.__dict__.setdefault("_always", {}).update(fields)
        self.add_success_fields()  # so that `finish` looks for them

    def finish(  # noqa: C901, PLR0912, PLR0915 - all in one place, for calls would cost more
        self, exception: Optional[BaseException] = None
    ) -> None:
        """
        Log the end of the action; a second call does nothing.

        A `with` block calls this. It does not touch the context.

        Args:
            exception: What the action failed with; `None` says that it succeeded.

        >>> from eliot import start_action
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
                self._ended_at = time.time()
                return
            mine = self._successFields
            if exception is not None:
                self._exception = exception
                fields = self._failure_fields(exception)
                if type(mine) is _EndFields:
                    fields = {**self.__dict__.get("_always", {}), **fields}
            elif mine is not None:
                fields = mine
                if type(mine) is _EndFields:  # a copy, for what is added later is too late
                    fields = {**self.__dict__.get("_always", {}), **mine}
            if switches.on:
                self._tell_more(fields, exception)
            ended_at = time.time()  # here, for a built-in function takes room, too
        except CRAMPED:
            try:
                LATER.append((self._finish_again, (exception,)))
            except CRAMPED:  # the caller may have room for that
                self._unfinished = True
                raise
            return
        parent: Any = self._parent
        if parent is not None:
            try:
                parent._unfinished  # noqa: B018 - missing if the parent has ended
            except AttributeError:
                # Or work that is handed on for ever would keep all that went before.
                self._parent = ReferenceType(parent)
        serializers = self._serializers
        serializer: Optional[Serializer] = None
        if serializers is not None:
            serializer = serializers.success if exception is None else serializers.failure
        fields[ACTION_STATUS_FIELD] = SUCCEEDED_STATUS if exception is None else FAILED_STATUS
        fields[ACTION_TYPE_FIELD] = self._action_type
        fields[TIMESTAMP_FIELD] = self._ended_at = ended_at
        fields[TASK_UUID_FIELD] = self._task_uuid
        logger = self._logger
        try:
            waits = LATER and not do_now()
        except CRAMPED:
            waits = True
        if waits:  # or what has no place here yet would get one after the end
            LATER.append((self._place_end, (fields, serializer)))
            return
        fields[TASK_LEVEL_FIELD] = [*self._level, next(self._slots)]
        try:
            if serializer is None and type(logger) is Logger:
                to_all = logger._destinations.deliver
                to_all(fields, logger)
            else:
                deliver(fields, logger, serializer)
        except CRAMPED:
            LATER.append((deliver, (fields, logger, serializer)))

    def _finish_again(self, exception: Optional[BaseException]) -> None:
        """Finish, after that had no room to find the fields; nobody else does so meanwhile."""
        self._unfinished = True
        self.finish(exception)

    def _place_end(self, fields: Message, serializer: Optional[Serializer]) -> None:
        """Log an end message, whose fields are complete but for its place."""
        fields[TASK_LEVEL_FIELD] = self.stamp()[1]
        deliver(fields, self._logger, serializer)

    def _failure_fields(self, exception: BaseException) -> Message:
        fields, failure = fields_for(exception)
        if failure is not None:
            _output.log_extractor_failure(failure, self._logger)
        fields[EXCEPTION_FIELD] = class_name(type(exception))
        fields[REASON_FIELD] = safeunicode(exception)
        return fields

    def _clock(self) -> None:
        if switches.duration:
            self._began = time.monotonic()

    def _tell_more(self, fields: Message, exception: Optional[BaseException]) -> None:
        """Add what is switched on to the fields of the end message."""
        began = getattr(self, "_began", None)
        if began is not None:
            self._took = time.monotonic() - began
            fields.setdefault(DURATION_FIELD, self._took)
        if exception is not None and switches.traceback:
            where = f"{self._task_uuid}@{self.task_level.to_string()}"
            told, in_full = told_at(exception, where)
            if in_full:
                fields[TRACEBACK_FIELD] = format_exception(exception)
            if told is not None:
                fields[TRACEBACK_AT_FIELD] = told
        switches.name(fields)

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

        >>> from eliot import start_action
        >>> with start_action(action_type="download") as action:
        ...     action.child(None, "retry").finish()
        """
        if logger is not None:
            logger_or_default(logger)  # first, so that what is no logger takes no slot
        task_uuid, level = self.stamp()
        made = type(self)(logger, task_uuid, TaskLevel(level), action_type, serializers)
        made._parent = self
        return made

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
        task_uuid, level = self.stamp()
        return f"{task_uuid}@{TaskLevel(level).to_string()}".encode("ascii")

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

        >>> from eliot import log_message, start_action
        >>> with start_action(action_type="client") as action:
        ...     task_id = action.serialize_task_id()
        >>> with Action.continue_task(task_id=task_id):
        ...     log_message("on the server")
        """
        if task_id is _REQUIRED:
            msg = "You must supply a task_id keyword argument."
            raise RuntimeError(msg)
        task_uuid, task_level = parse_task_id(task_id)
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

        >>> from eliot import start_action
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

        >>> from eliot import log_message, start_action
        >>> action = start_action(action_type="long")
        >>> with action.context():
        ...     log_message("inside")
        >>> action.finish()
        """
        return Visit(self)

    async def __aenter__(self: _A) -> _A:  # noqa: PYI019 - typing.Self comes with Python 3.11
        """Do what `with` does: nothing is waited for."""
        return self.__enter__()

    async def __aexit__(
        self,
        exception_class: Optional[Type[BaseException]],
        exception: Optional[BaseException],
        tb: Optional[TracebackType],
    ) -> None:
        """Do what `with` does, as above."""
        self.__exit__(exception_class, exception, tb)
