"""Why is it slow? Where the time of a log went, by type of action, and the critical paths."""

from __future__ import annotations

from array import array
from heapq import heappush, heappushpop
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Union

from eliot._entries import Entry
from eliot._fields import FAILED_STATUS, STARTED_STATUS
from eliot._findings import ActionProfile, Change, PathStep, Profile, SlowTask, Walkable
from eliot._safe import saferepr, safeunicode
from eliot._stream import hold_back

__all__ = ["changes", "profile"]

#: Two readings of a clock, and one that is being set right meanwhile, differ by so much: a child
#: that seems to end a little later than the next one begins has ended before it. An interval of
#: time that NTP slews is up to 0.05 % off.
_SLACK, _DRIFT = 50e-6, 0.001

#: With fewer actions than this a change says little.
_FEW = 10


def profile(tasks: Iterable[Walkable], by: Optional[str] = None, slowest: int = 3) -> Profile:
    """
    Measure where the time of tasks went, by type of action.

    The percentiles are interpolated linearly between the closest ranks: of *n* durations in order,
    numbered from 0, a fraction *p* is the one number *p* (*n* - 1). `numpy.percentile` and
    `statistics.quantiles` with its method "inclusive" do the same.

    The critical path of a task is made from its end backwards: what the outermost action waited
    for last is the action in it that ended last, before that it waited for the one that ended last
    before this one began, and so on; and so in each of these actions. The time between them is the
    action's own.

    Args:
        tasks: The tasks, as from `read`. Each is looked at once, when messages that come late have
            joined it; those that are slowest are kept.
        by: The name of a field: count the actions of one type apart by its values. That of the
            start message counts, else that of the end message.
        slowest: Of how many of the slowest tasks the critical path is told.

    Returns:
        The profile as plain data. Eight bytes are needed for each action meanwhile.

    >>> from eliot.parse import Parser, profile
    >>> log = [
    ...     {"task_level": [1], "action_type": "serve", "action_status": "started", "timestamp": 0},
    ...     {"task_level": [2, 1], "action_type": "load", "action_status": "started",
    ...      "timestamp": 1},
    ...     {"task_level": [2, 2], "action_type": "load", "action_status": "succeeded",
    ...      "timestamp": 9},
    ...     {"task_level": [3], "action_type": "serve", "action_status": "succeeded",
    ...      "timestamp": 10},
    ... ]
    >>> found = profile(Parser.parse_stream({"task_uuid": "u", **message} for message in log))
    >>> [(action.action_type, action.total, action.self_time) for action in found.actions]
    [('load', 8.0, 8.0), ('serve', 10.0, 2.0)]
    >>> [(step.action_type, step.seconds) for step in found.slowest[0].path]
    [('serve', 2.0), ('load', 8.0)]

    .. versionadded:: 2.0
    """
    collected: Dict[Any, _Actions] = {}
    longest: List[Tuple[float, int, Entry]] = []
    number = 0
    for task in hold_back(tasks):
        top = next(task.walk(), None)
        if top is None or top.kind != "action":
            continue
        number += 1
        _Walk(collected, by).through(top.walk())
        duration = top.duration
        if duration is not None and top.start is not None:
            # Of tasks that took equally long the first ones are kept.
            item = duration, -number, top
            if len(longest) < slowest:
                heappush(longest, item)
            elif slowest:
                heappushpop(longest, item)
    actions = [found.profile() for found in collected.values()]
    actions.sort(key=lambda action: (-action.self_time, *_name(action)))
    longest.sort(reverse=True)
    return Profile(number, actions, [_slow_task(top) for _, _, top in longest])


def changes(old: Profile, new: Profile) -> List[Change]:
    """
    Compare the profiles of two logs.

    Args:
        old: What `profile` said before.
        new: What it says now, with the same field *by*.

    Returns:
        One change for each type of action, what adds most to the time of a task first.

    >>> from eliot.parse import Parser, changes, profile
    >>> def log(end):
    ...     load = {"task_uuid": "u", "action_type": "load"}
    ...     yield {**load, "task_level": [1], "action_status": "started", "timestamp": 0}
    ...     yield {**load, "task_level": [2], "action_status": "succeeded", "timestamp": end}
    >>> old, new = profile(Parser.parse_stream(log(2))), profile(Parser.parse_stream(log(3)))
    >>> [(change.action_type, change.added, change.few) for change in changes(old, new)]
    [('load', 1.0, True)]

    .. versionadded:: 2.0
    """
    before = {_key(action.action_type, action.by): action for action in old.actions}
    pairs: List[Tuple[Optional[ActionProfile], Optional[ActionProfile]]] = [
        (before.pop(_key(action.action_type, action.by), None), action) for action in new.actions
    ]
    pairs.extend((action, None) for action in before.values())
    found = []
    for one, two in pairs:
        known = [action for action in (one, two) if action is not None]
        spent = 0.0 if one is None else one.self_time / old.tasks
        spends = 0.0 if two is None else two.self_time / new.tasks
        few = min(action.number for action in known) < _FEW
        action_type, by = known[0].action_type, known[0].by
        found.append(Change(action_type, by, one, two, spends - spent, few))
    return sorted(found, key=lambda change: (-change.added, *_name(change)))


def _name(item: Union[ActionProfile, Change]) -> Tuple[str, str]:
    return item.action_type or "", safeunicode(item.by)


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """Return a percentile of numbers that are in order, interpolated linearly."""
    place = (len(ordered) - 1) * fraction
    below = int(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low + (high - low) * (place - below)


class _Actions:
    """The actions of one type, as far as they were seen."""

    __slots__ = (
        "action_type",
        "by",
        "durations",
        "failed",
        "longest",
        "max_task",
        "open",
        "self_time",
        "total",
        "unfinished",
    )

    def __init__(self, action_type: Optional[str], by: Any) -> None:
        self.action_type = action_type
        self.by = by
        self.durations = array("d")
        self.failed = self.unfinished = 0
        self.total = self.self_time = 0.0
        self.longest = -1.0
        self.max_task: Optional[str] = None
        #: How many of them, with a duration, are around what is looked at.
        self.open = 0

    def profile(self) -> ActionProfile:
        """Return what is to be told of them."""
        count = len(self.durations)
        ordered = sorted(self.durations) if count else [0.0]
        mean = sum(ordered) / len(ordered)
        p50, p95, p99 = (percentile(ordered, fraction) for fraction in (0.5, 0.95, 0.99))
        return ActionProfile(
            self.action_type,
            self.by,
            count,
            self.failed,
            self.unfinished,
            self.total,
            self.self_time,
            # Sums of floats are not exact, and a mean beyond the maximum is odd.
            min(mean, ordered[-1]),
            p50,
            p95,
            p99,
            ordered[-1],
            self.max_task,
        )


class _Walk:
    """
    The way through one task: which actions are open, and when those in them ran.

    It needs no recursion, and does not look at the children of an action apart, which would make
    every entry twice.
    """

    def __init__(self, collected: Dict[Any, _Actions], by: Optional[str]) -> None:
        self.collected = collected
        self.by = by
        #: The open actions: to whom they belong, when they ran, and when those in them did.
        self.open: List[Tuple[_Actions, Optional[float], Optional[_Interval], List[_Interval]]] = []

    def through(self, entries: Iterable[Entry]) -> None:
        """Go through all entries of a task."""
        for entry in entries:
            if entry.kind == "action":
                self._close(entry.depth)
                self._open(entry)
        self._close(0)

    def _open(self, entry: Entry) -> None:
        by = self.by
        action_type, value = entry.type, None
        if by is not None:
            fields = entry.fields
            value = fields[by] if by in fields else entry.end_fields.get(by)
            if value is not None and not isinstance(value, (str, int)):
                value = saferepr(value)
        key = _key(action_type, value)
        found = self.collected.get(key)
        if found is None:
            found = self.collected[key] = _Actions(action_type, value)
        duration, status = entry.duration, entry.status
        if status == FAILED_STATUS:
            found.failed += 1
        elif status == STARTED_STATUS:
            found.unfinished += 1
        if duration is not None:
            found.durations.append(duration)
            if not found.open:
                found.total += duration
            if duration > found.longest:
                found.longest, found.max_task = duration, entry.task_uuid
            found.open += 1
        self.open.append((found, duration, _interval(entry, duration), []))

    def _close(self, depth: int) -> None:
        """Close the actions so deep and deeper."""
        while len(self.open) > depth:
            found, duration, interval, inner = self.open.pop()
            if duration is None:
                continue
            found.open -= 1
            covered = 0.0
            if interval is not None:
                covered = _covered(inner, *interval)
                if self.open:
                    self.open[-1][3].append(interval)
            found.self_time += max(duration - covered, 0.0)


_Interval = Tuple[float, float]


def _key(action_type: Optional[str], value: Any) -> Any:
    """Tell types apart, and values, also 1 from True."""
    return (action_type, value.__class__, value)


def _interval(entry: Entry, duration: Optional[float]) -> Optional[_Interval]:
    """Return when an action ran; its duration counts, since clocks are set meanwhile."""
    if duration is None:
        return None
    start, end = entry.start, entry.end
    if start is not None:
        return start, start + duration
    return None if end is None else (end - duration, end)


def _covered(intervals: List[_Interval], start: float, end: float) -> float:
    """Return how much of an interval others cover."""
    intervals.sort()
    covered = 0.0
    for one, other in intervals:
        begin, stop = max(one, start), min(other, end)
        if stop > begin:
            covered += stop - begin
            start = stop
    return covered


class _Row:
    """One step of a critical path in the making."""

    __slots__ = ("action", "action_type", "count", "inner", "most", "seconds", "start")

    def __init__(self, action: Entry, start: float) -> None:
        self.action_type = action.type
        self.action = action
        self.start = start
        self.count = 0
        self.seconds = 0.0
        self.most = -1.0
        #: The steps in it, by type.
        self.inner: Dict[Optional[str], _Row] = {}

    def add(self, action: Entry, start: float, seconds: float) -> None:
        """Count one more action."""
        self.count += 1
        self.seconds += seconds
        self.start = min(self.start, start)
        if seconds > self.most:
            self.most, self.action = seconds, action


def _slow_task(top: Entry) -> SlowTask:
    start, duration = top.start or 0.0, top.duration or 0.0
    first = _Row(top, start)
    pending = [(first, top, start, start + duration, start + duration)]
    while pending:
        row, action, begin, end, limit = pending.pop()
        waited = _waited_for(action, begin, end, limit)
        own = end - begin - sum(until - since for _, since, until, _ in waited)
        row.add(action, begin, max(own, 0.0))
        for child, since, until, stop in waited:
            inner = row
            if child.type != row.action_type:
                inner = row.inner.get(child.type) or row.inner.setdefault(
                    child.type, _Row(child, since)
                )
            pending.append((inner, child, since, until, stop))
    return SlowTask(top.task_uuid, top.type, start, duration, _steps(first))


def _waited_for(
    action: Entry, begin: float, end: float, limit: float
) -> List[Tuple[Entry, float, float, float]]:
    """
    Return the actions in one that it waited for in an interval, from its end backwards.

    One that ended after *limit* it did not wait for. With each action come the part of the interval
    that it takes, and the time when it ended.
    """
    inner = []
    for child in action.children:
        interval = _interval(child, child.duration) if child.kind == "action" else None
        if interval is not None:
            inner.append((interval[1], interval[0], child))
    inner.sort(key=lambda item: item[:2], reverse=True)
    waited = []
    for stop, since, child in inner:
        if stop > limit + _SLACK + (stop - since) * _DRIFT:
            continue
        one, until = max(since, begin), min(stop, end)
        if until > one:
            waited.append((child, one, until, stop))
            end = limit = one
    return waited


def _steps(first: _Row) -> Tuple[PathStep, ...]:
    steps = []
    pending = [(first, 0)]
    while pending:
        row, depth = pending.pop()
        fields = row.action.fields
        steps.append(PathStep(row.action_type, depth, row.count, row.seconds, fields))
        inner = sorted(row.inner.values(), key=lambda other: other.start, reverse=True)
        pending.extend((other, depth + 1) for other in inner)
    return tuple(steps)
