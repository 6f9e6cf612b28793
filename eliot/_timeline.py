"""Timelines: a log's tasks as documents for viewers, and as the data of the page of our own."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections import Counter
from itertools import count
from json import JSONEncoder
from math import isfinite
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from eliot._entries import Entry
from eliot._fields import FAILED_STATUS, STARTED_STATUS, SUCCEEDED_STATUS
from eliot._lanes import Lanes, Place
from eliot._safe import saferepr

#: A nanosecond: later than what began in a microsecond, earlier than what begins in the next one.
_MOMENT = 0.001

#: What the format's own schema calls itself.
SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"

# What the page knows of an entry's kind and status, see timeline.html.
_SUCCEEDED, _FAILED, _OPEN, _UNKNOWN, _MESSAGE, _WARNING, _ERROR, _MISSING = range(8)
_STATUSES = {SUCCEEDED_STATUS: _SUCCEEDED, FAILED_STATUS: _FAILED, STARTED_STATUS: _OPEN}
_LEVELS = {"warning": _WARNING, "error": _ERROR, "critical": _ERROR}

# Deeper than any logged value is, see eliot.json, and far from what the encoder can do.
_DEEP = 200


def name_of(entry: Entry) -> str:
    """Return the type of an entry, or what stands for it."""
    if entry.kind == "missing":
        return "missing"
    return "unknown" if entry.type is None else entry.type


def place_text(entry: Entry) -> str:
    """Return the level of an entry as text, such as `/2/1`."""
    return "/" + "/".join(map(str, entry.level))


def status_of(place: Place) -> str:
    """Tell in words what became of an action."""
    status = place.entry.status
    return "never ended" if status == STARTED_STATUS else status or "unknown"


def _sound(value: Any, depth: int = 0) -> Any:
    """Replace by text what strict JSON cannot say, and what is nested too deep to be encoded."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if depth == _DEEP and isinstance(value, (dict, list)):
        return saferepr(value)
    if isinstance(value, dict):
        return {key: _sound(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_sound(each, depth + 1) for each in value]
    return value


_encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def json_text(value: Any) -> str:
    """Return strict JSON, which knows no NaN, on one line."""
    try:
        return _encode(value)
    except (ValueError, RecursionError):
        return _encode(_sound(value))


# --- The page ---------------------------------------------------------------------------------


class PageData:
    """
    Collect what the page shows, task by task.

    There are two parts: what is drawn, and the fields, which are most of it. The page decodes them
    later, when it has been drawn.
    """

    def __init__(self) -> None:
        #: How many actions there are.
        self.actions: int = 0
        self.tasks: List[List[Any]] = []
        self._names: Dict[str, int] = {}
        self._end = 0
        self._deflate = zlib.compressobj()
        self._fields: List[bytes] = []

    def add(self, lanes: Lanes) -> None:
        """Add a task."""
        columns: List[List[int]] = [[], [], [], [], [], [], []]
        append = [column.append for column in columns]
        texts: List[str] = []
        actions = failures = 0
        for place in lanes.places:
            entry, parent = place.entry, place.parent
            kind = _kind(place)
            if place.is_action():
                actions += 1
                failures += kind == _FAILED
                texts.append(json_text([entry.fields, entry.end_fields]))
            else:
                texts.append(
                    json_text([{"count": entry.count} if kind == _MISSING else entry.fields])
                )
            values = (
                kind,
                0 if parent is None else place.number - parent.number,
                entry._number,
                self._names.setdefault(name_of(entry), len(self._names)),
                place.start - lanes.start,
                -1 if place.is_open() else place.end - place.start,
                place.row,
            )
            for add, value in zip(append, values):
                add(value)
        self.actions += actions
        self._end = max(self._end, lanes.end)
        known = lanes.end - lanes.start
        uuid = lanes.top.entry.task_uuid
        self.tasks.append([uuid, lanes.start, known, lanes.rows, actions, failures, columns])
        self._fields.append(self._deflate.compress(_bytes("\n".join([*texts, ""]))))

    def parts(self) -> Tuple[str, str]:
        """Return both parts, once: as JSON and as lines of JSON, compressed, in base64."""
        drawn = {"names": [*self._names], "end": self._end, "tasks": self.tasks}
        fields = [*self._fields, self._deflate.flush()]
        compressed = zlib.compress(_bytes(json_text(drawn))), b"".join(fields)
        return b64encode(compressed[0]).decode(), b64encode(compressed[1]).decode()


def _kind(place: Place) -> int:
    entry = place.entry
    if entry.kind == "missing":
        return _MISSING
    if entry.kind == "message":
        return _LEVELS.get(entry.log_level or "", _MESSAGE)
    return _STATUSES.get(entry.status or "", _UNKNOWN)


def _bytes(text: str) -> bytes:
    """Encode JSON; a lone surrogate, which can only be in a string, gets its escape."""
    return text.encode("utf-8", "backslashreplace")


# --- Exports ----------------------------------------------------------------------------------


def _bounds(tasks: Iterable[Lanes]) -> Tuple[int, int]:
    """Return when the first task began, and the last time that is known of any."""
    starts, ends = zip(*((lanes.start, lanes.end) for lanes in tasks))
    return min(starts), max(ends)


def perfetto(tasks: Sequence[Lanes]) -> Dict[str, Any]:
    """
    Return the tasks as Chrome trace JSON, which Perfetto opens.

    Each task is a process, each track a thread, since slices of one thread must not overlap.
    Where an action is on another track than the one that it is in, a flow joins them, unless
    something else began there in the same microsecond.
    """
    origin, end = _bounds(tasks)
    events: List[Dict[str, Any]] = []
    tids, flows = count(1), count(1)
    for pid, lanes in enumerate(tasks, 1):
        top = lanes.top.entry
        events.append(_named("process_name", pid, 0, f"{name_of(top)} {top.task_uuid}"))
        threads: Dict[int, int] = {}
        shown = [*lanes.actions(), *_marks(lanes)]
        for place in shown:
            if place.track not in threads:
                threads[place.track] = next(tids)
                lane = f"lane {len(threads)}"
                events.append(_named("thread_name", pid, threads[place.track], lane))
        begun = Counter((place.track, place.start) for place in shown)
        for place in lanes.actions():
            spot = {"pid": pid, "tid": threads[place.track]}
            events.append(_slice(place, {**spot, "ts": place.start - origin}, end))
            for child in place.actions:
                other = {"pid": pid, "tid": threads[child.track]}
                forward = child.track != place.track and place.start <= child.start
                # The end of a flow belongs to what began last on its thread.
                if forward and all(begun[each.track, each.start] == 1 for each in (place, child)):
                    number = next(flows)
                    leaves, arrives = (each.start - origin + _MOMENT for each in (place, child))
                    events.append(_flow("s", number, {**spot, "ts": leaves}))
                    events.append(_flow("f", number, {**other, "ts": arrives, "bp": "e"}))
        for place in _marks(lanes):
            spot = {"pid": pid, "tid": threads[place.track], "ts": place.start - origin}
            events.append(_instant(place, spot))
    return {"displayTimeUnit": "ms", "traceEvents": events}


def _marks(lanes: Lanes) -> Iterator[Place]:
    return (place for place in lanes.places if place.timed and not place.is_action())


def _named(what: str, pid: int, tid: int, name: str) -> Dict[str, Any]:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}


def _slice(place: Place, spot: Dict[str, Any], end: int) -> Dict[str, Any]:
    entry = place.entry
    return {
        "ph": "X",
        "name": name_of(entry),
        "cat": status_of(place),
        **spot,
        "dur": ended(place, end) - place.start,
        "args": {
            "task_level": place_text(entry),
            "status": status_of(place),
            "fields": _sound(entry.fields),
            "end_fields": _sound(entry.end_fields),
        },
    }


def _instant(place: Place, spot: Dict[str, Any]) -> Dict[str, Any]:
    entry = place.entry
    args = {"task_level": place_text(entry), "fields": _sound(entry.fields)}
    name = name_of(entry)
    return {"ph": "i", "s": "t", "name": name, "cat": "message", **spot, "args": args}


def _flow(phase: str, number: int, spot: Dict[str, Any]) -> Dict[str, Any]:
    return {"ph": phase, "name": "starts", "cat": "flow", "id": number, **spot}


def ended(place: Place, end: int) -> int:
    """Return when an action ended; one that never did lasts until the end of the log."""
    return max(place.start, end) if place.is_open() else place.end


def speedscope(tasks: Sequence[Lanes], name: str) -> Dict[str, Any]:
    """
    Return the tasks in the file format of speedscope.

    Each track of each task is a profile, since the format knows no two calls at the same time.
    """
    _, end = _bounds(tasks)
    frames: Dict[str, int] = {}
    profiles: List[Dict[str, Any]] = []
    longest, active = -1, 0
    for lanes in tasks:
        tracks: Dict[int, List[Place]] = {}
        for place in lanes.actions():
            tracks.setdefault(place.track, []).append(place)
        for number, track in enumerate(tracks.values(), 1):
            events = list(_calls(track, frames, lanes.start, end))
            if number == 1 and events[-1]["at"] > longest:
                longest, active = events[-1]["at"], len(profiles)
            entry = lanes.top.entry
            lane = f", lane {number}" if len(tracks) > 1 else ""
            profiles.append(
                {
                    "type": "evented",
                    "name": f"{name_of(entry)} {entry.task_uuid}{lane}",
                    "unit": "microseconds",
                    "startValue": 0,
                    "endValue": events[-1]["at"],
                    "events": events,
                }
            )
    return {
        "$schema": SPEEDSCOPE_SCHEMA,
        "shared": {"frames": [{"name": frame} for frame in frames]},
        "profiles": profiles,
        "name": name,
        "activeProfileIndex": active,
        "exporter": "eliot",
    }


def _calls(
    track: Iterable[Place], frames: Dict[str, int], origin: int, end: int
) -> Iterator[Dict[str, Any]]:
    """Open and close a frame for each action of a track, each one within what it is in."""
    opened: List[Tuple[Optional[Place], int, int]] = []
    for place in track:
        while opened and opened[-1][0] is not place.parent:
            _, frame, at = opened.pop()
            yield {"type": "C", "frame": frame, "at": at}
        status = status_of(place)
        name = name_of(place.entry)
        name = name if status == SUCCEEDED_STATUS else f"{name} ({status})"
        frame = frames.setdefault(name, len(frames))
        yield {"type": "O", "frame": frame, "at": place.start - origin}
        opened.append((place, frame, ended(place, end) - origin))
    while opened:
        _, frame, at = opened.pop()
        yield {"type": "C", "frame": frame, "at": at}
