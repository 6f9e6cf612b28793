"""Entries: the actions and messages of one task, one by one, as questions about a log need them."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Iterator, List, Optional, Tuple

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    DURATION_FIELD,
    EXCEPTION_FIELD,
    LOG_LEVEL_FIELD,
    MESSAGE_TYPE_FIELD,
    REASON_FIELD,
    STARTED_STATUS,
    TIMESTAMP_FIELD,
)
from eliot._packed import ODD_LEVEL, Packed, field_of
from eliot._safe import safeunicode
from eliot._tree import Node, Tree

__all__ = ["Entry", "message_entry", "seconds_of", "top_entry"]

_ACTION = "action"
_MESSAGE = "message"
_MISSING = "missing"

_NOT_OWN: Dict[str, FrozenSet[Any]] = {
    _ACTION: frozenset((TIMESTAMP_FIELD, ACTION_TYPE_FIELD, ACTION_STATUS_FIELD, ODD_LEVEL)),
    _MESSAGE: frozenset((TIMESTAMP_FIELD, MESSAGE_TYPE_FIELD, ODD_LEVEL)),
}


class Entry:
    """
    Hold one place in the tree of a task: an action, a message, or a gap; an immutable value.

    `Task.walk` gives the entries of a task. They look things up when asked, and take no memory for
    what nobody asks: a task of a million messages can be walked. Other writers, and damage, may put
    anything anywhere: what is no number is no time, and so on.

    Entries are equal if they are the same place, with the same messages, in the same task.

    >>> from eliot.parse import Task
    >>> greet = {"task_uuid": "u", "action_type": "greet"}
    >>> start = {**greet, "task_level": [1], "action_status": "started", "timestamp": 1.5, "x": 3}
    >>> end = {**greet, "task_level": [2], "action_status": "succeeded", "timestamp": 4.0}
    >>> entry = Task().add(start).add(end).top()
    >>> entry
    <Entry: action 'greet', succeeded, at []>
    >>> entry.duration, entry.fields
    (2.5, {'x': 3})

    .. versionadded:: 2.0
    """

    __slots__ = (
        "_end",
        "_node",
        "_number",
        "_start",
        "count",
        "depth",
        "kind",
        "parent",
        "task_uuid",
    )

    #: `"action"`, `"message"`, or `"missing"` where messages must have been that have not come.
    kind: str
    #: The task.
    task_uuid: str
    #: The action around it, or None.
    parent: Optional[Entry]
    #: How many actions are around it.
    depth: int
    #: How many places in a row are missing; 1 for what is there.
    count: int

    def __init__(  # noqa: PLR0913, PLR0917 - by position, since that is faster
        self,
        kind: str,
        task_uuid: str,
        parent: Optional[Entry],
        depth: int,
        number: int,
        start: Optional[Packed],
        node: Optional[Node] = None,
        count: int = 1,
    ) -> None:
        self.kind = kind
        self.task_uuid = task_uuid
        self.parent = parent
        self.depth = depth
        self.count = count
        self._number = number
        self._start = start
        self._end = None if node is None else node.end
        self._node = node

    @property
    def level(self) -> Tuple[int, ...]:
        """
        Its place in the tree, for a message its `task_level`, for an action that of its children.

        Without the last number, of course: the root action has `()`. For what is missing it is the
        first place.
        """
        numbers: List[int] = []
        entry: Optional[Entry] = self
        while entry is not None:
            if entry._number:
                numbers.append(entry._number)
            entry = entry.parent
        numbers.reverse()
        return tuple(numbers)

    @property
    def type(self) -> Optional[str]:
        """The type of the action or message; None if it has none, or none that is known."""
        if self._node is not None:
            value: Any = self._node.type
        else:
            value = field_of(self._start, MESSAGE_TYPE_FIELD)
        return _text(value)

    @property
    def status(self) -> Optional[str]:
        """
        How an action ended, `"succeeded"` or `"failed"`; `"started"` if that is all that is known.

        None for messages, and for actions of which neither the start nor the end is known.
        """
        if self._end is not None:
            return _text(field_of(self._end, ACTION_STATUS_FIELD))
        return None if self._node is None or self._start is None else STARTED_STATUS

    @property
    def begun(self) -> bool:
        """Whether the start message of an action is known; for a message True."""
        return self._start is not None

    @property
    def ended(self) -> bool:
        """Whether the end message of an action is known."""
        return self._end is not None

    @property
    def start(self) -> Optional[float]:
        """When an action began or a message was logged, in seconds since 1970 (UTC), or None."""
        return seconds_of(field_of(self._start, TIMESTAMP_FIELD))

    @property
    def end(self) -> Optional[float]:
        """When an action ended; for a message the same as `start`."""
        if self._node is None:
            return self.start
        return seconds_of(field_of(self._end, TIMESTAMP_FIELD))

    @property
    def duration(self) -> Optional[float]:
        """
        How long an action took, in seconds, never negative; None if that is not known.

        It is what the end message itself says in a field `duration`, if that is a number, else
        the difference of both times. None for messages.
        """
        if self._node is None:
            return None
        told = seconds_of(field_of(self._end, DURATION_FIELD))
        if told is None:
            start, end = self.start, self.end
            if start is None or end is None:
                return None
            told = end - start
        return max(told, 0.0)

    @property
    def fields(self) -> Dict[str, Any]:
        """A new dictionary of the fields of the start message, or the message, without Eliot's."""
        return self._own(self._start)

    @property
    def end_fields(self) -> Dict[str, Any]:
        """The same of the end message of an action."""
        return self._own(self._end)

    def _own(self, packed: Optional[Packed]) -> Dict[str, Any]:
        if packed is None:
            return {}
        not_own = _NOT_OWN[self.kind]
        return {name: value for name, value in zip(packed[-1], packed) if name not in not_own}

    @property
    def exception(self) -> Optional[str]:
        """The class of the exception with which an action failed, or of which a message tells."""
        return self._told(EXCEPTION_FIELD)

    @property
    def reason(self) -> Optional[str]:
        """The text of that exception, or what else a message gives as reason."""
        return self._told(REASON_FIELD)

    def _told(self, name: str) -> Optional[str]:
        return _text(field_of(self._start if self._node is None else self._end, name))

    @property
    def log_level(self) -> Optional[str]:
        """The field `log_level` of the message or the start message, `"debug"` to `"critical"`."""
        value = field_of(self._start, LOG_LEVEL_FIELD)
        return value if isinstance(value, str) else None

    @property
    def children(self) -> List[Entry]:
        """
        What is in an action, in order of level, missing messages among it.

        It is made anew each time, so that a task which nobody uses any more is freed at once.
        """
        return list(self._children())

    def _children(self) -> Iterator[Entry]:
        node, uuid = self._node, self.task_uuid
        if node is None:
            return
        depth = self.depth + 1
        for number, part in node.parts():
            if isinstance(part, tuple):
                yield Entry(_MESSAGE, uuid, self, depth, number, part)
            elif isinstance(part, Node):
                yield Entry(_ACTION, uuid, self, depth, number, part.start, part)
            else:
                yield Entry(_MISSING, uuid, self, depth, number, None, None, part)

    def walk(self) -> Iterator[Entry]:
        """Give this entry and all in it: each action before what is in it, in order of level."""
        return iter((self,)) if self._node is None else self._walk()

    def _walk(self) -> Iterator[Entry]:
        yield self
        stack = [self._children()]
        while stack:
            for entry in stack[-1]:
                yield entry
                if entry._node is not None:
                    stack.append(entry._children())
                    break
            else:
                stack.pop()

    def _content(self) -> Tuple[Any, ...]:
        return (self.kind, self.task_uuid, self.level, self._start, self._end, self.count)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entry):
            return NotImplemented
        return self._content() == other._content()

    def __hash__(self) -> int:
        return hash((self.kind, self.task_uuid, self.level))

    def __repr__(self) -> str:
        what = [self.kind]
        if self.kind == _MISSING:
            what = [f"{self.count} {_MISSING}"]
        elif self.type is not None:
            what = [f"{self.kind} {self.type!r}"]
        if self.status is not None:
            what.append(self.status)
        return f"<Entry: {', '.join(what)}, at {list(self.level)}>"


def top_entry(tree: Tree) -> Entry:
    """Return the entry of the outermost action, or of the only message."""
    top = tree.top()
    if isinstance(top, Node):
        return Entry(_ACTION, tree.uuid, None, 0, 0, top.start, top)
    return Entry(_MESSAGE, tree.uuid, None, 0, 1, top)


def message_entry(uuid: str, packed: Packed) -> Entry:
    """Return the entry of a message that is the only one of its task."""
    return Entry(_MESSAGE, uuid, None, 0, 1, packed)


def seconds_of(value: Any) -> Optional[float]:
    """Return a finite number as such, anything else as None."""
    if value.__class__ is not float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return None
        try:
            value = float(value)
        except OverflowError:
            return None
    return value if value - value == 0 else None


def _text(value: Any) -> Optional[str]:
    return value if value is None or isinstance(value, str) else safeunicode(value)
