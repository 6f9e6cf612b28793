"""Summary: what is in a log, counted, as `eliot stats` shows it."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from eliot._entries import Entry
from eliot._fields import DEGRADED_FIELD, FAILED_STATUS, LOST_TYPE, STARTED_STATUS
from eliot._inputs import Problem
from eliot._safe import safeunicode
from eliot.parse import Task

__all__ = ["Rate", "Summary"]

#: In how many spans of time the messages are counted, at most.
_SPANS = 60

#: The shortest span, in seconds; each of the others is a power of two times as long.
_SHORTEST = 2.0**-10


#: Why messages are bad that cannot be put into their task: what is said of each has no end.
_NO_PLACE = "no place in its task"


class Rate:
    """
    Count the messages in spans of time of one length, which grows with the time of the log.

    >>> rate = Rate()
    >>> for second in range(100):
    ...     rate.add(1000.0 + second)
    >>> rate.data()["span"], rate.data()["messages"][:5]
    (2.0, [2, 2, 2, 2, 2])
    """

    def __init__(self) -> None:
        self._span = _SHORTEST
        self._counts: Dict[float, int] = {}
        #: The first and the last time.
        self.first = float("inf")
        self.last = float("-inf")

    def add(self, time: float) -> None:
        """Count a message at a time, in seconds since 1970."""
        if not self.first <= time <= self.last:
            self.first, self.last = min(self.first, time), max(self.last, time)
            while self.last // self._span - self.first // self._span >= _SPANS:
                self._span *= 2
                counts, self._counts = self._counts, {}
                for span, count in counts.items():
                    self._counts[span // 2] = self._counts.get(span // 2, 0) + count
        span = time // self._span
        self._counts[span] = self._counts.get(span, 0) + 1

    def data(self) -> Optional[Dict[str, Any]]:
        """Tell when the first span begins, how long each is, and what was counted in each."""
        if not self._counts:
            return None
        first = self.first // self._span
        spans = int(self.last // self._span - first) + 1
        counts = [self._counts.get(first + index, 0) for index in range(spans)]
        return {"begin": first * self._span, "span": self._span, "messages": counts}


class _Type:
    """What is counted of one type of action or message."""

    __slots__ = ("count", "failed", "unended")

    def __init__(self) -> None:
        self.count = 0
        self.failed = 0
        self.unended = 0


class Summary:
    """
    Count what is in a log, task by task.

    >>> summary = Summary()
    >>> greet = {"task_uuid": "u", "action_type": "greet", "timestamp": 1.5}
    >>> summary.add(Task().add({**greet, "task_level": [1], "action_status": "started"}))
    >>> data = summary.data()
    >>> data["messages"], data["tasks"], data["incomplete_tasks"]
    (1, 1, 1)
    """

    def __init__(self) -> None:
        self._tasks = self._incomplete = self._failed_tasks = 0
        self._messages = self._missing = self._replaced = 0
        self._types: Dict[Tuple[str, Optional[str]], _Type] = {}
        self._rate = Rate()
        self._bad: Dict[str, int] = {}
        self._degraded = 0
        self._degradations: Dict[str, int] = {}
        self._lost = self._reports = 0
        self._lost_types: Dict[str, int] = {}

    def add(self, task: Task) -> None:
        """Count a task."""
        self._tasks += 1
        self._incomplete += not task.is_complete()
        self._replaced += len(task.replaced())
        self._messages += len(task.replaced())
        for entry in task.walk():
            if entry.kind == "missing":
                self._missing += entry.count
            else:
                self._count(entry)

    def _count(self, entry: Entry) -> None:
        key = entry.kind, entry.type
        counted = self._types.get(key)
        if counted is None:
            counted = self._types[key] = _Type()
        counted.count += 1
        action = entry.kind == "action"
        ends = action and entry.ended
        if not action or entry.begun:
            self._count_message(entry.start, entry.fields)
        if ends:
            self._count_message(entry.end, entry.end_fields)
        if action:
            failed = entry.status == FAILED_STATUS
            counted.failed += failed
            counted.unended += entry.status == STARTED_STATUS
            self._failed_tasks += failed and entry.parent is None
        elif entry.type == LOST_TYPE:
            self._count_lost(entry.fields)

    def _count_message(self, time: Optional[float], fields: Dict[str, Any]) -> None:
        self._messages += 1
        if time is not None:
            self._rate.add(time)
        if DEGRADED_FIELD in fields:
            self._degraded += 1
            told = fields[DEGRADED_FIELD]
            for reasons in told.values() if isinstance(told, dict) else ():
                for reason in safeunicode(reasons).split("; "):
                    self._degradations[reason] = self._degradations.get(reason, 0) + 1

    def _count_lost(self, fields: Dict[str, Any]) -> None:
        self._reports += 1
        self._lost += _whole(fields.get("count"))
        types = fields.get("types")
        for name, count in types.items() if isinstance(types, dict) else ():
            self._lost_types[name] = self._lost_types.get(name, 0) + _whole(count)

    def add_problem(self, problem: Problem) -> None:
        """Count what could not be read."""
        if problem.line is not None:
            reason = _NO_PLACE if isinstance(problem.content, dict) else problem.reason
            self._bad[reason] = self._bad.get(reason, 0) + 1

    def data(self) -> Dict[str, Any]:
        """Return all counts as plain data."""
        types: List[Dict[str, Any]] = []
        for (kind, name), counted in self._types.items():
            told: Dict[str, Any] = {"kind": kind, "type": name, "count": counted.count}
            if kind == "action":
                told.update(failed=counted.failed, unended=counted.unended)
            types.append(told)
        types.sort(key=lambda told: (-told["count"], told["kind"], told["type"] or ""))
        rate = self._rate.data()
        actions = [told for told in types if told["kind"] == "action"]
        return {
            "messages": self._messages,
            "tasks": self._tasks,
            "incomplete_tasks": self._incomplete,
            "failed_tasks": self._failed_tasks,
            "actions": sum(told["count"] for told in actions),
            "failed_actions": sum(told["failed"] for told in actions),
            "unended_actions": sum(told["unended"] for told in actions),
            "missing_messages": self._missing,
            "replaced_messages": self._replaced,
            "first": None if rate is None else self._rate.first,
            "last": None if rate is None else self._rate.last,
            "rate": rate,
            "types": types,
            "bad_lines": _sorted(self._bad),
            "degraded_messages": self._degraded,
            "degradations": _sorted(self._degradations),
            "loss_reports": self._reports,
            "lost_messages": self._lost,
            "lost_types": _sorted(self._lost_types),
        }


def _whole(count: Any) -> int:
    return count if isinstance(count, int) else 1


def _sorted(counts: Dict[str, int]) -> Dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
