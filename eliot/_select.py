"""Selection: which tasks of a log are meant, as all commands that ask a log have it."""

from __future__ import annotations

import operator
import re
from datetime import datetime, timedelta, timezone
from fnmatch import translate
from json import dumps, loads
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Pattern, Sequence

from eliot._entries import Entry
from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    MESSAGE_TYPE_FIELD,
    VALID_STATUSES,
)
from eliot._levels import LEVELS
from eliot._safe import saferepr
from eliot.parse import Task

__all__ = ["Condition", "Selection", "condition", "duration", "moment"]

_CONDITION = re.compile(r"\s*([^=<>~!]*[^=<>~!\s])\s*(!=|>=|<=|!~|==?|<|>|~)\s*(.*?)\s*", re.DOTALL)

_ORDER: Dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_OWN = (MESSAGE_TYPE_FIELD, ACTION_TYPE_FIELD, ACTION_STATUS_FIELD)

#: Seconds in each unit of time.
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|min|s|m|h|d|w)\s*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DATE = re.compile(
    r"(?:(\d{4}-\d\d-\d\d)(?:[T ](?=\d)|$))?"
    r"(?:(\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,6})\d*)?)?\s*(Z|[+-]\d\d:?\d\d)?)?"
)


class Condition(NamedTuple):
    """A comparison of a field of an entry with a value; `condition` reads it from text."""

    #: The name of the field; after a dot the key, or the index, in it.
    field: str
    operator: str
    #: The value as it was written, and what it is as JSON, if it is that.
    text: str
    value: Any
    pattern: Optional[Pattern[str]]

    def holds(self, entry: Entry) -> bool:
        """Tell whether a field has such a value in the entry: at its start or at its end."""
        if self.field in _OWN:
            value = _own(entry).get(self.field)
            return value is not None and self._compare(value)
        return any(
            self._compare(value)
            for fields in (entry.fields, entry.end_fields)
            for value in _found(fields, self.field)
        )

    def _compare(self, value: Any) -> bool:
        sign = self.operator
        if self.pattern is not None:
            return (self.pattern.search(_text_of(value)) is None) == (sign == "!~")
        if sign in _ORDER:
            if _is_number(value) and _is_number(self.value):
                return _ORDER[sign](value, self.value)
            if isinstance(value, str) and not _is_number(self.value):
                return _ORDER[sign](value, self._as_text())
            return False
        if isinstance(value, str):
            equal = value == self._as_text()
        else:  # False == 0 for Python
            equal = value == self.value and isinstance(value, bool) == isinstance(self.value, bool)
        return equal == (sign == "=")

    def _as_text(self) -> str:
        return self.value if isinstance(self.value, str) else self.text


def _own(entry: Entry) -> Dict[str, Optional[str]]:
    """Return those fields of a message that an entry has under other names."""
    if entry.kind == "action":
        return {ACTION_TYPE_FIELD: entry.type, ACTION_STATUS_FIELD: entry.status}
    return {MESSAGE_TYPE_FIELD: entry.type}


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return dumps(value, default=saferepr)
    except (ValueError, RecursionError):
        return saferepr(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _found(fields: Any, name: str) -> Iterator[Any]:
    """Find a value by name; by the first part of the name, and the rest in what is there."""
    if isinstance(fields, list):
        fields = {str(index): value for index, value in enumerate(fields)}
    if not isinstance(fields, dict):
        return
    if name in fields:
        yield fields[name]
        return
    at = name.find(".")
    while at >= 0:
        if name[:at] in fields:
            yield from _found(fields[name[:at]], name[at + 1 :])
        at = name.find(".", at + 1)


def condition(text: str) -> Condition:
    """
    Read a condition, such as `status=500`, `size>1000`, `url~^/api/` or `user.name=Ann`.

    With `=`, `!=`, `<`, `<=`, `>` and `>=` numbers are compared as numbers, text as text; a number
    is never more or less than a text. With `~` and `!~` a regular expression is searched for in the
    text, or in the JSON of what is no text. The value may be in double quotes, as JSON. No
    condition holds for a field that is not there, `!=` and `!~` included.

    Raises:
        ValueError: If it is none.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        msg = f"{text!r} is no condition: write FIELD OPERATOR VALUE, such as 'status>=500'"
        raise ValueError(msg)
    field, sign, written = match.groups()
    if sign == "==":  # as in Python
        sign = "="
    if sign in ("~", "!~"):
        try:
            return Condition(field, sign, written, None, re.compile(written))
        except re.error as error:
            msg = f"{written!r} is no regular expression: {error}"
            raise ValueError(msg) from None
    try:
        value = loads(written)
    except (ValueError, RecursionError):
        value = written
    return Condition(field, sign, written, value, None)


def duration(text: str) -> float:
    """
    Read a duration, such as `100ms`, `2s`, `1.5` or `1h 30m`, in seconds.

    Raises:
        ValueError: If it is none.
    """
    seconds = _span(text.strip())
    if seconds is None:
        msg = f"{text!r} is no duration: write it as 100ms, 2s, 1.5 (seconds), 5m or 1h30m"
        raise ValueError(msg)
    return seconds


def _span(text: str) -> Optional[float]:
    if _NUMBER.fullmatch(text):
        return float(text)
    spans = _SPAN.findall(text)
    if not spans or _SPAN.sub("", text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in spans)


def moment(text: str, now: datetime) -> float:
    """
    Read a time: a date, a time of today, both, or how long ago, such as `-2h`.

    A date alone means its beginning. Without a zone (`Z`, `+01:00`) it is local time.

    Args:
        text: The time.
        now: What time it is, as local time with its zone.

    Returns:
        Seconds since 1970, UTC.

    Raises:
        ValueError: If it is none.
    """
    stripped = text.strip()
    if stripped == "now":
        return now.timestamp()
    if stripped.startswith("-"):
        seconds = _span(stripped[1:])
        if seconds is not None and not _NUMBER.fullmatch(stripped[1:]):
            return now.timestamp() - seconds
    match = _DATE.fullmatch(stripped)
    try:
        if match is not None and (match[1] or match[2]):
            return _timestamp(match, now)
    except (ValueError, OverflowError, OSError):  # such as the 30th of February
        pass
    msg = (
        f"{text!r} is no time: write it as 2026-11-26, 2026-11-26T14:30, 14:30:05 (today, local "
        "time), 2026-11-26T14:30Z, or as -2h, -30m, -1d before now"
    )
    raise ValueError(msg)


def _timestamp(match: Any, now: datetime) -> float:
    date, time, seconds, fraction, zone = match.groups()
    given = datetime.strptime(  # noqa: DTZ007 - see below
        f"{date or now.strftime('%Y-%m-%d')} {time or '00:00'}:{seconds or '00'}",
        "%Y-%m-%d %H:%M:%S",
    ).replace(microsecond=int((fraction or "").ljust(6, "0")))
    if zone is None:
        return given.timestamp()
    if zone == "Z":
        return given.replace(tzinfo=timezone.utc).timestamp()
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return given.replace(tzinfo=timezone(-offset if zone.startswith("-") else offset)).timestamp()


def _at_least(number: Optional[float], least: float) -> bool:
    return number is not None and number >= least


class Selection:
    """
    Select tasks.

    A task is selected, as a whole, if all conditions hold of one and the same entry in it, be it
    an action or a message. A condition that is not given always holds.

    Args:
        tasks: The task uuid begins with one of these.
        types: The type of the action or message matches one of these patterns, in which `*` stands
            for any text, `?` for a character, `[ab]` for one of some; as a whole, and upper and
            lower case are different.
        where: All these hold of its fields.
        statuses: It is an action with one of these statuses.
        level: Its `log_level` is at least as urgent as this one.
        since: It began, or ended, at this time or later (seconds since 1970).
        until: It began, or ended, at this time or earlier; with *since* that is the same time.
        min_duration: It is an action that took at least so many seconds.

    Raises:
        ValueError: If there is no such level or status.
    """

    def __init__(  # noqa: PLR0913 - one for each option
        self,
        *,
        tasks: Sequence[str] = (),
        types: Sequence[str] = (),
        where: Sequence[Condition] = (),
        statuses: Sequence[str] = (),
        level: Optional[str] = None,
        since: Optional[float] = None,
        until: Optional[float] = None,
        min_duration: Optional[float] = None,
    ) -> None:
        self._tasks = tuple(prefix.lower() for prefix in tasks)
        holds: List[Callable[[Entry], bool]] = []
        if types:
            match = re.compile("|".join(f"(?:{translate(pattern)})" for pattern in types)).match
            holds.append(lambda entry: entry.type is not None and match(entry.type) is not None)
        for status in statuses:
            if status not in VALID_STATUSES:
                msg = f"{status!r} is no status: there are {', '.join(VALID_STATUSES)}"
                raise ValueError(msg)
        if statuses:
            wanted = frozenset(statuses)
            holds.append(lambda entry: entry.status in wanted)
        if level is not None:
            if level.lower() not in LEVELS:
                msg = f"{level!r} is no level: there are {', '.join(LEVELS)}"
                raise ValueError(msg)
            least = LEVELS[level.lower()]
            urgent = frozenset(name for name, number in LEVELS.items() if number >= least)
            holds.append(lambda entry: (entry.log_level or "").lower() in urgent)
        if since is not None or until is not None:
            first = float("-inf") if since is None else since
            last = float("inf") if until is None else until
            holds.append(
                lambda entry: any(
                    time is not None and first <= time <= last for time in (entry.start, entry.end)
                )
            )
        if min_duration is not None:
            shortest = min_duration
            holds.append(lambda entry: _at_least(entry.duration, shortest))
        holds.extend(compare.holds for compare in where)
        self._holds = holds

    def __bool__(self) -> bool:
        """Tell whether there is any condition."""
        return bool(self._tasks or self._holds)

    def holds(self, entry: Entry) -> bool:
        """Tell whether an entry is of a selected task and one for which all conditions hold."""
        if entry.kind == "missing":
            return False
        if self._tasks and not str(entry.task_uuid).lower().startswith(self._tasks):
            return False
        return all(hold(entry) for hold in self._holds)

    def matches(self, task: Task) -> bool:
        """Tell whether a task is selected."""
        if not self._holds:
            return not self._tasks or self.holds(task.top())
        return any(map(self.holds, task.walk()))
