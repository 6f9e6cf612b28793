"""The text of a tree: a line for each entry of a task, as `eliot tree` and notebooks show it."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Protocol, Tuple, Union

from eliot._draw import UNENDED, Draw, Line, header
from eliot._entries import Entry, seconds_of
from eliot._fields import (
    ACTION_STATUS_FIELD,
    FAILED_STATUS,
    MESSAGE_TYPE_FIELD,
    STARTED_STATUS,
    TIMESTAMP_FIELD,
)
from eliot._look import INDENTED, PLAIN, Look, duration_text, share_text
from eliot._packed import TYPE, Packed, Told, field_of, unfold
from eliot._safe import saferepr
from eliot._tree import ENDED, Node

__all__ = ["Renderer", "mime_bundle", "rich_text", "tree_data", "tree_lines"]

#: So many lines of a task are shown in a notebook.
_ENOUGH = 1000

#: So many siblings of a type are folded, and no fewer.
_FOLDED = 3

#: The number of the end of an action in which nothing was logged.
_NO_CHILDREN = 2

_SECOND = itemgetter(1)

#: What goes on in an action: a message, or another one that starts. And what comes after the task.
_GOES_ON = (None, STARTED_STATUS)
_AFTER = ""

#: Children of one type, shown as one.
_Fold = List[Any]

#: A message, an action, so many missing messages, or a fold.
_Part = Union[Packed, Node, int, _Fold]


class Walkable(Protocol):
    """A task, as far as this room needs to know; `eliot.parse` itself is above."""

    def walk(self) -> Iterator[Entry]:
        """Give all entries."""
        ...

    def is_complete(self) -> bool:
        """Tell whether all messages have come."""
        ...


class _Below(NamedTuple):
    """How to show what is in an action."""

    depth: int
    #: What stands before children but the last one, and before that.
    branch: str
    last: str
    #: What stands there before what is in them.
    inside_branch: str
    inside_last: str


_TOP = _Below(0, "", "", "", "")


def tree_lines(
    shown: Union[Walkable, Entry], look: Look = PLAIN, *, fold: bool = False
) -> Iterator[str]:
    """
    Give the text of a tree, line by line, without line feeds.

    Each entry is one line; a traceback has as many below it as it needs. Nothing is recursive and
    nothing is collected, so that trees of any depth and size can be shown.

    Args:
        shown: A task, which gets a header with its id; or a part of it.
        look: How to show it.
        fold: Show three or more children of one type as one line.

    >>> from eliot.parse import Task
    >>> start = {"action_type": "greet", "action_status": "started", "timestamp": 1.5, "x": 3}
    >>> end = {"action_type": "greet", "action_status": "succeeded", "timestamp": 4.0}
    >>> task = Task().add({**start, "task_uuid": "u", "task_level": [1]})
    >>> for line in tree_lines(task.add({**end, "task_uuid": "u", "task_level": [2]})):
    ...     print(line)
    u  1970-01-01 00:00:01 UTC
    00:00:01.500  ✓ greet  2.50 s  x=3
    """
    return Renderer(look, fold=fold).lines(shown)


def tree_data(task: Walkable) -> Dict[str, Any]:
    """
    Return a task as plain data, for JSON: a flat list of its entries, since trees may be deep.

    Args:
        task: The task.

    >>> from eliot.parse import Task
    >>> hello = {"message_type": "hello", "timestamp": 1.5, "x": 3}
    >>> data = tree_data(Task().add({**hello, "task_uuid": "u", "task_level": [1]}))
    >>> data["complete"], [entry["type"] for entry in data["entries"]]
    (True, ['hello'])
    """
    entries: List[Dict[str, Any]] = []
    way: List[int] = []
    uuid = None
    for entry in task.walk():
        uuid = entry.task_uuid
        del way[entry.depth :]
        data: Dict[str, Any] = {"parent": way[-1] if way else None, "number": entry._number}
        data["kind"] = entry.kind
        if entry.kind == "missing":
            data["count"] = entry.count
        else:
            data.update(type=entry.type, start=entry.start, fields=entry.fields)
        if entry.kind == "action":
            way.append(len(entries))
            data.update(
                status=entry.status,
                end=entry.end,
                duration=entry.duration,
                end_fields=entry.end_fields,
                exception=entry.exception,
                reason=entry.reason,
            )
        entries.append(data)
    return {"task_uuid": uuid, "complete": task.is_complete(), "entries": entries}


class Renderer:
    """
    Render trees in one look.

    Args:
        look: How to show them.
        fold: Show three or more children of one type as one line.
    """

    def __init__(self, look: Look = PLAIN, *, fold: bool = False) -> None:
        self._look = look
        #: Whether it shows three or more children of one type as one line.
        self.folds = fold
        self._draw = Draw(look, packed=True)

    def lines(self, shown: Union[Walkable, Entry]) -> Iterator[str]:
        """Give the lines of a task, the first of which is a header; or of a part of one."""
        if isinstance(shown, Entry):
            top = shown
        else:
            first = next(shown.walk(), None)
            if first is None:
                return
            top = first
            start = top.start
            if start is None:
                start = next((e.start for e in top.walk() if e.start is not None), top.end)
            yield header(top.task_uuid, start, self._look)
        yield from self._parts(top._node or top._start or top.count)

    def lone(self, task_uuid: str, message: Packed) -> str:
        """Return all lines of a task that is one message, in little more than half the time."""
        start = seconds_of(field_of(message, TIMESTAMP_FIELD))
        return f"{header(task_uuid, start, self._look)}\n{self._draw.message(message, '')}\n"

    def told(self, task_uuid: str, told: Told) -> Iterator[str]:
        """Give the lines of a task that came in order; without a tree that takes a third less."""
        parts, statuses = unfold(told)
        yield header(task_uuid, _first_time(parts, statuses), self._look)
        statuses.append(_AFTER)
        draw, ends = self._draw, _ends(statuses)
        below, whole = _TOP, None
        # As in `_parts`, but here everything is known from where it is.
        stack: List[Tuple[_Below, Optional[float]]] = []
        for number, part in enumerate(parts):
            status = statuses[number]
            if status in ENDED:
                if statuses[number - 1] != STARTED_STATUS:
                    below, whole = stack.pop()
                continue
            end = ends.get(number, number)
            if statuses[end + 1] in _GOES_ON:
                stem, guides = below.branch, below.inside_branch
            else:
                stem, guides = below.last, below.inside_last
            if status is None:
                text = draw.message(part, stem, guides=guides)
                if "\n" in text:  # a traceback
                    yield from text.split("\n")
                else:
                    yield text
                continue
            ended = parts[end]
            duration = draw.duration(field_of(part, TIMESTAMP_FIELD), ended)
            yield self._action(part, ended, part[TYPE], statuses[end], stem, duration, whole)
            if end > number + 1:
                stack.append((below, whole))
                below, whole = self._below(below.depth + 1, guides), duration
                guides = below.inside_branch
            if statuses[end] == FAILED_STATUS:
                yield from draw.traceback(ended, guides)

    def _parts(self, top: _Part) -> Iterator[str]:
        """Give the lines of a part of a tree and of all in it."""
        draw = self._draw
        part: Optional[_Part] = top
        below, whole = _TOP, None
        # Of each action on the way: its children that are left, the next one, how to show these.
        stack: List[Tuple[Iterator[_Part], Optional[_Part], _Below, Optional[float]]] = []
        rest: Iterator[_Part] = iter(())
        while part is not None:
            following = next(rest, None)
            if following is None:
                stem, guides = below.last, below.inside_last
            else:
                stem, guides = below.branch, below.inside_branch
            if isinstance(part, tuple):
                text = draw.message(part, stem, guides=guides)
                if "\n" in text:  # a traceback
                    yield from text.split("\n")
                else:
                    yield text
            elif isinstance(part, Node):
                duration = self._duration(part)
                yield self._action(
                    part.start, part.end, part.type, _status_of(part), stem, duration, whole
                )
                if part.slots or part.start is None or part.last > _NO_CHILDREN:
                    stack.append((rest, following, below, whole))
                    below, whole = self._below(below.depth + 1, guides), duration
                    guides = below.inside_branch
                    rest = self._children(part)
                    following = next(rest, None)
                if part.end is not None and _status_of(part) == FAILED_STATUS:
                    yield from draw.traceback(part.end, guides)
            elif isinstance(part, int):
                line = Line(self._look, None, stem)
                line.add_missing(part)
                yield line.text
            else:
                yield self._folded(part, stem, whole)
            part = following
            while part is None and stack:
                rest, part, below, whole = stack.pop()

    def _below(self, depth: int, guides: str) -> _Below:
        """Say how to show what is in an action."""
        look = self._look
        if depth > INDENTED:
            stem = f"{guides}({depth}) "
            return _Below(depth, stem + look.branch, stem + look.last, guides, guides)
        trunk, blank = guides + look.trunk, guides + "  "
        return _Below(depth, guides + look.branch, guides + look.last, trunk, blank)

    def _children(self, node: Node) -> Iterator[_Part]:
        parts: Iterator[_Part] = map(_SECOND, node.parts())
        return self._with_folds(list(parts)) if self.folds else parts

    def _with_folds(self, parts: List[_Part]) -> Iterator[_Part]:
        """Put many children of one type together, where the first of them is."""
        groups: Dict[Any, _Fold] = {}
        for part in parts:
            groups.setdefault(_kind_of(part), []).append(part)
        for part in parts:
            group = groups[_kind_of(part)]
            if isinstance(part, int) or len(group) < _FOLDED:
                yield part
            elif part is group[0]:
                yield group

    def _duration(self, node: Node) -> Optional[float]:
        if node.end is None:
            return None
        return self._draw.duration(field_of(node.start, TIMESTAMP_FIELD), node.end)

    def _action(  # noqa: PLR0913, PLR0917 - of a tree or of a list, which keep them otherwise
        self,
        start: Optional[Packed],
        end: Optional[Packed],
        kind: Any,
        status: Any,
        stem: str,
        duration: Optional[float],
        whole: Optional[float],
    ) -> str:
        """Return the line of an action."""
        look, draw = self._look, self._draw
        line = Line(look, field_of(start, TIMESTAMP_FIELD), stem)
        draw.action(line, kind, status)
        if duration is not None:
            line.add_duration(duration, whole)
        if status == FAILED_STATUS:
            draw.error(line, end)
        elif status == STARTED_STATUS:
            line.add(UNENDED, look.yellow)
        if start is not None:
            draw.start(line, start)
        if end is not None:
            draw.end(line, end, status, start, f"  {look.ended} ")
        return line.text

    def _folded(self, fold: _Fold, stem: str, whole: Optional[float]) -> str:
        """Return the line of many children."""
        look, first = self._look, fold[0]
        number = f"{look.times} {len(fold):,}"
        if not isinstance(first, Node):
            line = Line(look, field_of(first, TIMESTAMP_FIELD), stem)
            line.add_message(field_of(first, MESSAGE_TYPE_FIELD), None)
            line.add(number, look.bold, " ")
            return line.text
        line = Line(look, field_of(first.start, TIMESTAMP_FIELD), stem)
        counts = Counter(map(_status_of, fold))
        worst = next(s for s in (FAILED_STATUS, STARTED_STATUS, *counts) if counts[s])
        line.add_action(first.type, worst)
        line.add(number, look.bold, " ")
        durations = [d for d in map(self._duration, fold) if d is not None]
        if durations:
            total = sum(durations)
            line.add(f"mean {duration_text(total / len(durations), look)}", look.cyan)
            line.add(share_text(total, whole), look.dim)
        if counts[FAILED_STATUS]:
            line.add(f"{counts[FAILED_STATUS]:,} failed", look.bold_red)
        if counts[STARTED_STATUS]:
            line.add(f"{counts[STARTED_STATUS]:,} still running", look.yellow)
        return line.text


def _first_time(parts: List[Packed], statuses: List[Any]) -> Optional[float]:
    """Return the time at which a task begins: of the first start or message, or else of its end."""
    first = (part for part, status in zip(parts, statuses) if status not in ENDED)
    times = (seconds_of(field_of(part, TIMESTAMP_FIELD)) for part in chain(first, parts[-1:]))
    return next((time for time in times if time is not None), None)


def _ends(statuses: List[Any]) -> Dict[int, int]:
    """Return which status is the end of which start."""
    ends: Dict[int, int] = {}
    starts: List[int] = []
    for number, status in enumerate(statuses):
        if status == STARTED_STATUS:
            starts.append(number)
        elif status in ENDED:
            ends[starts.pop()] = number
    return ends


def _status_of(node: Node) -> Any:
    if node.end is not None:
        return field_of(node.end, ACTION_STATUS_FIELD)
    return None if node.start is None else STARTED_STATUS


def _kind_of(part: _Part) -> Any:
    """Return what children have in common that are folded."""
    if isinstance(part, tuple):
        return "message", saferepr(field_of(part, MESSAGE_TYPE_FIELD))
    return "action", saferepr(part.type) if isinstance(part, Node) else None


def mime_bundle(task: Walkable) -> Dict[str, str]:
    """Return how a notebook shows a task: as plain text, and in colours."""
    return {
        "text/plain": "\n".join(_beginning(task, PLAIN)),
        "text/html": _html("\n".join(_beginning(task, Look(color=True)))),
    }


def rich_text(task: Walkable) -> Any:
    """Return how rich shows a task."""
    from rich.console import Group
    from rich.text import Text

    text = "\n".join(_beginning(task, Look(color=True)))
    return Group(Text.from_ansi(text, no_wrap=True, overflow="ellipsis"))


def _beginning(task: Walkable, look: Look) -> Iterator[str]:
    """Give as many lines as somebody may want to see at once."""
    lines = tree_lines(task, look)
    yield from islice(lines, _ENOUGH)
    more = sum(1 for _ in lines)
    if more:
        yield f"{look.ellipsis} {more:,} more lines; `eliot tree` shows all"


_CODE = re.compile("\x1b\\[([\\d;]*)m")

_CSS = {
    "1": "font-weight:bold",
    "2": "opacity:0.6",
    "31": "color:#c22",
    "32": "color:#292",
    "33": "color:#a70",
    "36": "color:#088",
    "1;31": "color:#c22;font-weight:bold",
}


def _html(text: str) -> str:
    """Make HTML of text in colours."""
    from html import escape  # late: it takes long, and only notebooks need it

    parts = []
    for number, part in enumerate(_CODE.split(text)):
        if number % 2 == 0:
            parts.append(escape(part))
        else:
            parts.append("</span>" if part == "0" else f'<span style="{_CSS[part]}">')
    return f'<pre style="line-height:1.2;white-space:pre">{"".join(parts)}</pre>'
