"""Why did it fail? The failures of a log with the way to each of them, equal ones together."""

from __future__ import annotations

from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from eliot._blame import Story, after, is_cancellation, same, time_of, went_on
from eliot._entries import Entry
from eliot._fields import EXCEPTION_FIELD, REASON_FIELD, TRACEBACK_FIELD
from eliot._findings import (
    HANDLED,
    PASSED,
    RAISED,
    REPLACED,
    Event,
    Failure,
    FailureGroup,
    Failures,
    Step,
    Walkable,
)
from eliot._safe import safeunicode
from eliot._stream import hold_back

__all__ = ["failures"]


#: Of the actions that failed after a failure no more are shown.
_MOST_AFTERWARDS = 10

#: What a step tells apart from its other fields.
_NOT_SHOWN = (EXCEPTION_FIELD, REASON_FIELD, TRACEBACK_FIELD, "duration")

#: So many exceptions that left a task are remembered, and so long, in seconds, one waits for the
#: message that tells of it outside.
_MOST_LEFT, _SOON = 1000, 1.0

#: Stands in a path for an action of which neither the start nor the end is known.
_UNKNOWN_TYPE = "?"


def failures(tasks: Iterable[Walkable], before: int = 5) -> Failures:
    """
    Find the failures in tasks, and group equal ones.

    A failure is an action that failed of itself: no failed action in it is to blame. To blame is,
    of the failed actions directly in it, the one that failed last with the same exception and
    text: the exception passed through. If there is none, it is the one that failed last, unless
    another action was begun after that: the exception was replaced by another one. Of a group of
    exceptions all of them are to blame. Cancellation puts no blame on anybody, and an action that
    was cancelled is no failure of its own if the action around it failed, or if one beside it did
    while it was running.

    Args:
        tasks: The tasks, as from `read`. Each is looked at once, when messages that come late have
            joined it, and not kept.
        before: How many messages and actions before each example are told.

    Returns:
        The failures as plain data. The memory needed depends on the number of different ones.

    >>> from eliot.parse import Parser, failures
    >>> log = [
    ...     {"task_level": [1], "action_type": "serve", "action_status": "started"},
    ...     {"task_level": [2, 1], "action_type": "load", "action_status": "started"},
    ...     {"task_level": [2, 2], "action_type": "load", "action_status": "failed",
    ...      "exception": "builtins.OSError", "reason": "disk on fire"},
    ...     {"task_level": [3], "action_type": "serve", "action_status": "succeeded"},
    ... ]
    >>> tasks = Parser.parse_stream({"task_uuid": "u", "timestamp": 1.0, **m} for m in log)
    >>> [group] = failures(tasks).failed
    >>> group.exception, group.path, group.number, group.handled
    ('builtins.OSError', ('serve', 'load'), 1, 1)
    >>> [step.part for step in group.example.chain]
    ['handled', 'raised']

    .. versionadded:: 2.0
    """
    failed, caught, unfinished = _Groups(), _Groups(), _Groups()
    for task in hold_back(tasks):
        story = Story(task.walk())
        views = _Views(before)
        for origin in story.origins():
            failed.add(_failed(story, origin, views))
        for message in story.loose():
            if not failed.explain(message):
                caught.add(_caught(message, views))
        for action in story.unfinished():
            unfinished.add(_unfinished(action, views))
    return Failures(failed.sorted(), caught.sorted(), unfinished.sorted())


class _Case(NamedTuple):
    """One failure, as far as it is to be counted; the rest is made of those that are shown."""

    exception: Optional[str]
    #: The innermost action.
    action: Optional[Entry]
    task_uuid: str
    time: Optional[float]
    handled: bool
    traceback: Optional[str]
    make: Callable[[_Case], Failure]
    #: The class and the text of the exception that left the task, if one did.
    left: Optional[Tuple[Optional[str], Optional[str]]] = None
    left_at: Optional[float] = None

    def rank(self) -> Tuple[bool, bool]:
        """Tell how good an example it is."""
        return not self.handled, self.traceback is not None


class _Group:
    """What is known so far of equal failures."""

    __slots__ = ("example", "first", "handled", "last", "number", "rank", "task_uuid", "tasks")

    def __init__(self, case: _Case) -> None:
        self.number = self.handled = 0
        self.task_uuid: Optional[str] = None
        self.tasks = 0
        self.first: Optional[float] = None
        self.last: Optional[float] = None
        self.example = case.make(case)
        self.rank = case.rank()

    def add(self, case: _Case) -> None:
        """Count one more."""
        self.number += 1
        self.handled += case.handled
        if self.task_uuid != case.task_uuid:  # tasks come one by one
            self.task_uuid = case.task_uuid
            self.tasks += 1
        time = case.time
        if time is not None:
            self.first = time if self.first is None else min(self.first, time)
            self.last = time if self.last is None else max(self.last, time)
        if case.rank() > self.rank:
            self.example, self.rank = case.make(case), case.rank()


class _Groups:
    """Equal failures, by class of exception and path."""

    def __init__(self) -> None:
        self.groups: Dict[Tuple[Optional[str], Tuple[str, ...]], _Group] = {}
        #: The exceptions that left a task last: when they did, and what became of them.
        self.left: Dict[Tuple[Optional[str], Optional[str]], Tuple[float, _Group]] = {}

    def add(self, case: _Case) -> None:
        """Count one more."""
        key = case.exception, _path(case.action)
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = _Group(case)
        group.add(case)
        if case.left is not None and case.left_at is not None:
            self.left.pop(case.left, None)
            self.left[case.left] = case.left_at, group
            if len(self.left) > _MOST_LEFT:
                del self.left[next(iter(self.left))]

    def explain(self, message: Entry) -> bool:
        """Tell whether a message outside of any action tells of an exception that left a task."""
        time, key = message.start, (message.exception, message.reason)
        if message.parent is not None or time is None or key not in self.left:
            return False
        left_at, group = self.left[key]
        if not left_at <= time <= left_at + _SOON:
            return False
        example, traceback = group.example, safeunicode(message.fields[TRACEBACK_FIELD])
        if (example.chain[0].exception, example.chain[0].reason) == key and len(traceback) > len(
            example.traceback or ""
        ):
            group.example = example._replace(traceback=traceback)
            group.rank = (group.rank[0], True)
        return True

    def sorted(self) -> List[FailureGroup]:
        """Return the groups in the order in which people want to know of them."""
        groups = [
            FailureGroup(*key, g.number, g.handled, g.tasks, g.first, g.last, g.example)
            for key, g in self.groups.items()
        ]
        return sorted(groups, key=_importance)


def _importance(group: FailureGroup) -> Tuple[Any, ...]:
    return (
        group.handled == group.number,
        is_cancellation(group.exception),  # what was cancelled is hardly ever the cause
        -group.number,
        -(group.last or 0.0),
        group.exception or "",
        group.path,
    )


def _path(action: Optional[Entry]) -> Tuple[str, ...]:
    """Name the actions from the top to this one, repetitions once."""
    names: List[str] = []
    while action is not None:
        name = action.type or _UNKNOWN_TYPE
        if not names or names[-1] != name:
            names.append(name)
        action = action.parent
    return tuple(reversed(names))


def _failed(story: Story, origin: Entry, views: _Views) -> _Case:
    way, around = story.way_up(origin)
    told = story.told(origin)
    texts = [message.fields[TRACEBACK_FIELD] for message in told]
    texts += [action.end_fields.get(TRACEBACK_FIELD) for action in way]
    traceback = max((safeunicode(text) for text in texts if text), key=len, default=None)
    handler = around if around is not None and went_on(around, way[-1]) else None

    def make(case: _Case) -> Failure:
        parts = {id(action): PASSED if same(action, origin) else REPLACED for action in way}
        parts[id(origin)] = RAISED
        if handler is not None:
            parts[id(handler)] = HANDLED
        later = story.afterwards(origin)
        return Failure(
            origin.exception,
            origin.reason,
            origin.task_uuid,
            origin.level,
            case.time,
            case.handled,
            _chain(origin, parts),
            views.before(origin, told),
            case.traceback,
            tuple(map(_event, later[:_MOST_AFTERWARDS])),
            len(later),
        )

    return _Case(
        exception=origin.exception,
        action=origin,
        task_uuid=origin.task_uuid,
        time=time_of(origin),
        handled=handler is not None,
        traceback=traceback,
        make=make,
        left=(way[-1].exception, way[-1].reason) if around is None else None,
        left_at=time_of(way[-1]),
    )


def _caught(message: Entry, views: _Views) -> _Case:
    def make(case: _Case) -> Failure:
        return Failure(
            message.exception,
            message.reason,
            message.task_uuid,
            message.level,
            case.time,
            case.handled,
            _chain(message.parent, {}),
            views.before(message, [message]),
            case.traceback,
            (),
            0,
        )

    return _Case(
        exception=message.exception,
        action=message.parent,
        task_uuid=message.task_uuid,
        time=message.start,
        handled=True,
        traceback=safeunicode(message.fields[TRACEBACK_FIELD]),
        make=make,
    )


def _unfinished(action: Entry, views: _Views) -> _Case:
    def make(case: _Case) -> Failure:
        return Failure(
            None,
            None,
            action.task_uuid,
            action.level,
            case.time,
            case.handled,
            _chain(action, {}),
            views.before(action, ()),
            None,
            (),
            0,
        )

    known = [time for time in map(time_of, action.children) if time is not None]
    time = max(known, default=action.start)
    return _Case(
        exception=None,
        action=action,
        task_uuid=action.task_uuid,
        time=time,
        handled=False,
        traceback=None,
        make=make,
    )


class _Views:
    """What was logged before something in one task."""

    def __init__(self, most: int) -> None:
        self.most = most
        #: What is in actions that were looked into, by the identity of their entries.
        self.inside: Dict[int, List[Entry]] = {}

    def _children(self, action: Entry) -> List[Entry]:
        children = self.inside.get(id(action))
        if children is None:
            children = self.inside[id(action)] = action.children
        return children

    def before(self, entry: Entry, but: Sequence[Entry]) -> Tuple[Event, ...]:
        """Tell what was logged last before the end of an action: in it, then around it."""
        until, packed = entry.end, [message._start for message in but]
        found: List[Event] = []
        siblings = self._children(entry)
        number = len(siblings)
        while len(found) < self.most:
            if number:
                number -= 1
                child = siblings[number]
                if (
                    child.kind != "missing"
                    and not after(child.start, until)
                    and not any(child._start is one for one in packed)
                ):
                    found.append(_event(child))
            elif entry.parent is not None:
                siblings = self._children(entry.parent)
                number = _position(siblings, entry._number)
                entry = entry.parent
            else:
                break
        return tuple(reversed(found))


def _position(children: List[Entry], number: int) -> int:
    """Find the child with that last number of its level; there is one."""
    low, high = 0, len(children) - 1
    while low < high:
        middle = (low + high) // 2
        if children[middle]._number < number:
            low = middle + 1
        else:
            high = middle
    return low


def _chain(action: Optional[Entry], parts: Mapping[int, str]) -> Tuple[Step, ...]:
    steps: List[Step] = []
    while action is not None:
        end_fields = {n: v for n, v in action.end_fields.items() if n not in _NOT_SHOWN}
        steps.append(
            Step(
                action.type,
                action.status,
                parts.get(id(action)),
                action.start,
                action.duration,
                action.fields,
                end_fields,
                action.exception,
                action.reason,
            )
        )
        action = action.parent
    return tuple(reversed(steps))


def _event(entry: Entry) -> Event:
    fields, exception, reason = entry.fields, entry.exception, entry.reason
    if entry.kind == "message":
        exception = reason = None  # they are among its fields
        fields.pop(TRACEBACK_FIELD, None)  # it takes many lines
    return Event(
        entry.type,
        entry.depth,
        entry.status,
        entry.start,
        entry.duration,
        fields,
        exception,
        reason,
    )
