"""
What was written: the messages and actions read back from a log, and what may be wrong with them.

The errors, each of them directly an `Exception`, as in published Eliot:

* Exception

  * WrongTask: a message belongs to another task
  * WrongTaskLevel: a message is no direct child of the action
  * DuplicateChild: there is another message or action at the same level
  * InvalidStartMessage: a start message has another status, or is not its action's first message
  * WrongActionType: a finish message is of another type than the action
  * InvalidStatus: a finish message says neither that its action succeeded nor that it failed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Mapping, Optional, Tuple

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    EXCEPTION_FIELD,
    FAILED_STATUS,
    IDENTITY_FIELDS,
    MESSAGE_TYPE_FIELD,
    REASON_FIELD,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
)
from eliot._packed import ODD_LEVEL, Packed, field_of, pack, same, unpack
from eliot._safe import printable, saferepr
from eliot._tasklevel import TaskLevel, level_of
from eliot._typing import Message

if TYPE_CHECKING:
    from pyrsistent.typing import PMap, PVector

__all__ = [
    "DuplicateChild",
    "InvalidStartMessage",
    "InvalidStatus",
    "WrittenAction",
    "WrittenMessage",
    "WrongActionType",
    "WrongTask",
    "WrongTaskLevel",
]


#: The place of an action: that of the action around it, and the last number of its level; the root
#: has none. Copies of long levels, one for each action in a deep tree, would need much memory.
Place = Optional[Tuple[Any, int]]


class WrittenMessage:
    """
    Hold one message that was read back from a log; an immutable value.

    Make it with `from_dict`, which copies; the class itself takes the dictionary that it is given.

    >>> from eliot.parse import WrittenMessage
    >>> message = WrittenMessage.from_dict(
    ...     {"task_uuid": "u", "task_level": [1], "timestamp": 1.5, "message_type": "m", "x": 3}
    ... )
    >>> message.task_level, message.timestamp, message.contents.x
    (TaskLevel([1]), 1.5, 3)
    """

    __slots__ = ("_contents", "_logged_dict")

    _contents: PMap[str, Any]
    _logged_dict: Message

    def __init__(self, logged_dict: Message) -> None:
        self._logged_dict = logged_dict

    @classmethod
    def from_dict(cls, logged_dictionary: Mapping[str, Any]) -> WrittenMessage:
        """
        Make a message of a copy of what was logged.

        Args:
            logged_dictionary: A message as logged, or as decoded from a line of a log.

        Raises:
            TypeError: If it is no mapping.
        """
        return cls(copy_of(logged_dictionary))

    @property
    def timestamp(self) -> float:
        """When it was logged, in seconds since 1970 (UTC)."""
        timestamp: float = self._logged_dict[TIMESTAMP_FIELD]
        return timestamp

    @property
    def task_uuid(self) -> str:
        """The task that it belongs to."""
        task_uuid: str = self._logged_dict[TASK_UUID_FIELD]
        return task_uuid

    @property
    def task_level(self) -> TaskLevel:
        """Its place in the tree of that task."""
        return read_level(self._logged_dict)

    @property
    def contents(self) -> PMap[str, Any]:
        """All other fields, as a persistent map; each can be reached as an attribute, too."""
        try:
            return self._contents
        except AttributeError:
            from pyrsistent import pmap

            fields = {k: v for k, v in self._logged_dict.items() if k not in IDENTITY_FIELDS}
            self._contents = pmap(fields)
            return self._contents

    def as_dict(self) -> Message:
        """Return all fields as a new dictionary, equal to the one that was logged."""
        return dict(self._logged_dict)

    def transform(self, *transformations: Any) -> WrittenMessage:
        """
        Return a changed copy.

        Args:
            transformations: Paths and commands in turn, as for `transform` of a persistent map;
                a path begins with `"_logged_dict"`, a field's name follows.

        >>> message = WrittenMessage.from_dict({"task_uuid": "u", "task_level": [1]})
        >>> message.transform(["_logged_dict", "task_level"], lambda level: [2, *level]).task_level
        TaskLevel([2, 1])
        """
        from pyrsistent import pmap

        before = pmap({"_logged_dict": pmap(self._logged_dict)})
        return WrittenMessage.from_dict(before.transform(*transformations)["_logged_dict"])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WrittenMessage):
            return NotImplemented
        return self._logged_dict == other._logged_dict

    def __hash__(self) -> int:
        fields = self._logged_dict
        return hash((fields.get(TASK_UUID_FIELD), fields.get(TIMESTAMP_FIELD)))

    def __repr__(self) -> str:
        return f"WrittenMessage.from_dict({self._logged_dict!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return WrittenMessage, (self._logged_dict,)


class WrittenAction:
    """
    Hold one action that was read back from a log, with all that happened in it; an immutable value.

    `Parser` and `Task` make them; `from_messages` makes one by hand.
    """

    __slots__ = ("_children", "_end", "_first", "_last", "_parts", "_place", "_start", "_uuid")

    # Made when they are asked for.
    _children: PVector[WrittenMessage | WrittenAction]
    _first: WrittenMessage
    _last: WrittenMessage

    def __init__(
        self,
        uuid: str,
        place: Place,
        start: Packed | None,
        end: tuple[int, Packed] | None,
        parts: dict[int, Packed | WrittenAction],
    ) -> None:
        self._uuid = uuid
        self._place = place
        self._start = start
        self._end = end  # with the last number of its level
        self._parts = parts  # the children by the last number of their level

    @classmethod
    def from_messages(
        cls,
        start_message: WrittenMessage | None = None,
        children: Iterable[WrittenMessage | WrittenAction] = (),
        end_message: WrittenMessage | None = None,
    ) -> WrittenAction:
        """
        Make an action of its parts; at least one is needed, any may be missing.

        Args:
            start_message: The first message of the action.
            children: Messages and actions directly in this one, in any order.
            end_message: The one that says how the action ended.

        Raises:
            IndexError: If no part is given.
            InvalidStartMessage: If the start message has another status, or is not the first one.
            DuplicateChild: If children that differ have the same level.
            WrongTask: If a part belongs to another task than the first one given.
            WrongTaskLevel: If a part is not directly in the action.
            WrongActionType: If the end message is of another type than the start message.
            InvalidStatus: If the end message says neither that the action succeeded nor failed.

        >>> def message(level, **fields):
        ...     identity = {"task_uuid": "u", "task_level": level, "timestamp": 1.0}
        ...     return WrittenMessage.from_dict({**identity, **fields})
        >>> action = WrittenAction.from_messages(
        ...     message([1], action_type="greet", action_status="started"),
        ...     [message([2], message_type="hello")],
        ...     message([3], action_type="greet", action_status="succeeded"),
        ... )
        >>> action.action_type, action.status, len(action.children)
        ('greet', 'succeeded', 1)
        """
        children = list(children)
        given = [p for p in (start_message, end_message, *children) if p is not None]
        if not given:
            msg = "An action is made of at least one message."
            raise IndexError(msg)
        place = place_of(given[0].task_level.as_tuple()[:-1])
        action = cls(given[0].task_uuid, place, None, None, {})
        if start_message is not None:
            check_start(start_message)
            action._start = _packed(start_message)
        for child in children:
            action._insert(child)
        if end_message is not None:
            check_end(action, end_message)
            action._end = end_message.task_level.as_tuple()[-1], _packed(end_message)
        return action

    def _insert(self, child: WrittenMessage | WrittenAction) -> None:
        *place, number = child.task_level.as_tuple() or (0,)
        taken = number in self._parts and self.task_level == TaskLevel(place)
        if taken and self._child(number) != child:
            raise DuplicateChild(self, child)
        check_place(self, child)
        self._parts[number] = _packed(child) if isinstance(child, WrittenMessage) else child

    def _ending(self) -> Packed | None:
        return None if self._end is None else self._end[1]

    def _child(self, number: int) -> WrittenMessage | WrittenAction:
        part = self._parts[number]
        return part if isinstance(part, WrittenAction) else self._message(number, part)

    def _message(self, number: int, packed: Packed) -> WrittenMessage:
        return WrittenMessage(unpack(packed, self._uuid, (*numbers_of(self._place), number)))

    @property
    def task_uuid(self) -> str:
        """The task that it belongs to."""
        return self._uuid

    @property
    def task_level(self) -> TaskLevel:
        """Its place in the tree of that task, one step above its own messages."""
        return level_of(numbers_of(self._place))

    @property
    def start_message(self) -> WrittenMessage | None:
        """The message that it began with, None if that is not known."""
        if self._start is None:
            return None
        try:
            return self._first
        except AttributeError:
            self._first = self._message(1, self._start)
            return self._first

    @property
    def end_message(self) -> WrittenMessage | None:
        """The message that says how it ended, None if that is not known."""
        if self._end is None:
            return None
        try:
            return self._last
        except AttributeError:
            self._last = self._message(*self._end)
            return self._last

    @property
    def action_type(self) -> str | None:
        """Its type, None if neither its start nor its end is known."""
        return _text(self._start or self._ending(), ACTION_TYPE_FIELD)

    @property
    def status(self) -> str | None:
        """`"started"`, `"succeeded"` or `"failed"`; None if neither start nor end is known."""
        return _text(self._ending() or self._start, ACTION_STATUS_FIELD)

    @property
    def start_time(self) -> float | None:
        """When it began, in seconds since 1970 (UTC), None if that is not known."""
        message = self.start_message
        return None if message is None else message.timestamp

    @property
    def end_time(self) -> float | None:
        """When it ended, in seconds since 1970 (UTC), None if that is not known."""
        message = self.end_message
        return None if message is None else message.timestamp

    @property
    def exception(self) -> str | None:
        """The class of the exception that it failed with, as text, None if it did not fail."""
        return _text(self._ending(), EXCEPTION_FIELD)

    @property
    def reason(self) -> str | None:
        """The text of the exception that it failed with, None if it did not fail."""
        return _text(self._ending(), REASON_FIELD)

    @property
    def children(self) -> PVector[WrittenMessage | WrittenAction]:
        """The messages and actions directly in it, by level, without its start and end."""
        try:
            return self._children
        except AttributeError:
            from pyrsistent import pvector

            level, uuid = numbers_of(self._place), self._uuid
            self._children = pvector(
                part
                if isinstance(part, WrittenAction)
                else WrittenMessage(unpack(part, uuid, (*level, number)))
                for number, part in sorted(self._parts.items(), key=_number)
            )
            return self._children

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WrittenAction):
            return NotImplemented
        if self.task_level != other.task_level:
            return False
        pairs: list[tuple[WrittenAction, WrittenAction]] = [(self, other)]
        while pairs:
            one, two = pairs.pop()
            if one is two:
                continue
            if not one._looks_like(two):
                return False
            for number, part in one._parts.items():
                counterpart = two._parts[number]
                if isinstance(part, WrittenAction) and isinstance(counterpart, WrittenAction):
                    pairs.append((part, counterpart))
                elif not _alike(part, counterpart):
                    return False
        return True

    def _looks_like(self, other: WrittenAction) -> bool:
        """Compare all but the level and what the children are."""
        return (
            self._uuid == other._uuid
            and self._parts.keys() == other._parts.keys()
            and _alike(self._start, other._start)
            and _alike(self._ending(), other._ending())
            and (self._end is None or other._end is None or self._end[0] == other._end[0])
        )

    def __hash__(self) -> int:
        return hash((self._uuid, self.task_level))

    def __repr__(self) -> str:
        return f"<{describe(self)}: {printable(self.status)}, {len(self._parts)} children>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Flat, since trees may be deeper than pickle and deepcopy can follow: in the place of an
        # inner action stands its position in the list.
        order: list[WrittenAction] = [self]
        for action in order:
            order.extend(p for p in action._parts.values() if isinstance(p, WrittenAction))
        position = {id(action): number for number, action in enumerate(order)}
        records = [
            (a._start, a._end, {n: position.get(id(part), part) for n, part in a._parts.items()})
            for a in order
        ]
        return _restore, (self._uuid, numbers_of(self._place), records)


def _restore(uuid: str, level: tuple[int, ...], records: list[Any]) -> WrittenAction:
    """Undo `WrittenAction.__reduce__`."""
    actions = [WrittenAction(uuid, None, *record) for record in records]
    actions[0]._place = place_of(level)
    for action in actions:  # outer ones first
        for number, part in action._parts.items():
            if isinstance(part, int):
                inner = action._parts[number] = actions[part]
                inner._place = action._place, number
    return actions[0]


def place_of(level: Iterable[int]) -> Place:
    """Return the place with that level."""
    place: Place = None
    for number in level:
        place = place, number
    return place


def numbers_of(place: Place) -> tuple[int, ...]:
    """Return the level of a place."""
    numbers = []
    while place is not None:
        place, number = place
        numbers.append(number)
    return tuple(reversed(numbers))


def _number(item: tuple[int, object]) -> int:
    return item[0]


def _packed(message: WrittenMessage) -> Packed:
    return pack(with_list(message._logged_dict))


def _alike(one: Any, two: Any) -> bool:
    """Compare two packed messages, or what may be in the place of one."""
    if isinstance(one, tuple) and isinstance(two, tuple):
        return same(one, two)
    return one is two


def _text(packed: Packed | None, name: str) -> str | None:
    text: str | None = field_of(packed, name)
    return text


def copy_of(message: Any) -> Message:
    """Copy a message into a dictionary of our own."""
    if not isinstance(message, Mapping):
        msg = f"A message is a dictionary, not {saferepr(message)}."
        raise TypeError(msg)
    fields: Message = dict(message)  # pyright: ignore[reportUnknownArgumentType] - any mapping
    return fields


def read_level(message: Message) -> TaskLevel:
    """Read the level of a message, which may be text, as in journals, or have floats, as 2.0."""
    level = message[TASK_LEVEL_FIELD]
    if isinstance(level, str):
        return TaskLevel.from_string(level)
    if isinstance(level, list):
        level = [int(n) if isinstance(n, float) and n.is_integer() else n for n in level]
    return TaskLevel(level)


def with_list(message: Message) -> Message:
    """Return a message of which the level is a list; what is no level stays as it is."""
    level = message[TASK_LEVEL_FIELD]
    if level.__class__ is list:
        return message
    numbers = read_level(message).as_list()
    return {**message, TASK_LEVEL_FIELD: numbers, ODD_LEVEL: level} if numbers else message


def check_start(message: WrittenMessage) -> None:
    """Raise `InvalidStartMessage` unless the message can be the first one of an action."""
    if message._logged_dict.get(ACTION_STATUS_FIELD) != STARTED_STATUS:
        raise InvalidStartMessage.wrong_status(message)
    if message.task_level.as_tuple()[-1:] != (1,):
        raise InvalidStartMessage.wrong_task_level(message)


def check_place(action: WrittenAction, part: WrittenMessage | WrittenAction) -> None:
    """Raise `WrongTask` or `WrongTaskLevel` unless the part is directly in the action."""
    if part.task_uuid != action.task_uuid:
        raise WrongTask(action, part)
    if part.task_level.parent() != action.task_level:
        raise WrongTaskLevel(action, part)


def check_end(action: WrittenAction, message: WrittenMessage) -> None:
    """Raise an error unless the message can be the last one of the action."""
    if action.action_type not in (None, message._logged_dict.get(ACTION_TYPE_FIELD)):
        raise WrongActionType(action, message)
    check_place(action, message)
    if message._logged_dict.get(ACTION_STATUS_FIELD) not in (SUCCEEDED_STATUS, FAILED_STATUS):
        raise InvalidStatus(action, message)


def describe(part: object) -> str:
    """Say in a few words which message or action this is."""
    if isinstance(part, WrittenAction):
        return (
            f"action {saferepr(part.action_type)} at {saferepr(part.task_level)} "
            f"of task {saferepr(part.task_uuid)}"
        )
    if isinstance(part, WrittenMessage):
        fields = part._logged_dict
        kind = printable(fields.get(ACTION_STATUS_FIELD, "message"))
        name = fields.get(ACTION_TYPE_FIELD, fields.get(MESSAGE_TYPE_FIELD))
        level, uuid = fields.get(TASK_LEVEL_FIELD), fields.get(TASK_UUID_FIELD)
        return f"{kind} {saferepr(name)} at {saferepr(level)} of task {saferepr(uuid)}"
    return saferepr(part)


def _refusal(error: Exception, why: str) -> str:
    action, message = error.args
    return f"Cannot add {describe(message)} to {describe(action)}: {why}."


class WrongTask(Exception):
    """Say that a part (the second argument) is of another task than an action (the first)."""

    def __str__(self) -> str:
        return _refusal(self, "it belongs to another task")


class WrongTaskLevel(Exception):
    """Say that the level of a part is not directly below that of an action."""

    def __str__(self) -> str:
        return _refusal(self, "its level is not directly below the action's")


class DuplicateChild(Exception):
    """Say that an action has another part at the same level."""

    def __str__(self) -> str:
        return _refusal(self, "another child has that level")


class WrongActionType(Exception):
    """Say that a finish message is of another type than an action."""

    def __str__(self) -> str:
        return _refusal(self, "it ends an action of another type")


class InvalidStatus(Exception):
    """Say that a finish message does not tell how an action ended."""

    def __str__(self) -> str:
        return _refusal(self, f"its status is neither {SUCCEEDED_STATUS!r} nor {FAILED_STATUS!r}")


class InvalidStartMessage(Exception):
    """Say why a message (the first argument) cannot be the first one of an action."""

    def __str__(self) -> str:
        message, reason = self.args
        return f"Invalid start message {describe(message)}: {reason}"

    @classmethod
    def wrong_status(cls, message: WrittenMessage) -> InvalidStartMessage:
        """Say that the message has another status."""
        return cls(message, 'must have status "STARTED"')

    @classmethod
    def wrong_task_level(cls, message: WrittenMessage) -> InvalidStartMessage:
        """Say that the message is not the first one of its action."""
        return cls(message, "first message must have task level ending in 1")
