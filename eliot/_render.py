"""The text of a tree: a line for each entry of a task, as `eliot tree` and notebooks show it."""

from __future__ import annotations

from collections import Counter
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from eliot._entries import Entry
from eliot._fields import (
    FAILED_STATUS,
    STARTED_STATUS,
    TRACEBACK_FIELD,
)
from eliot._look import (
    DURATION_FIELD,
    INDENTED,
    PLAIN,
    Line,
    Look,
    duration_text,
    header,
    share_text,
    traceback_lines,
)
from eliot._packed import field_of
from eliot.parse import Task

__all__ = ["tree_lines"]

_ACTION = "action"
_MESSAGE = "message"
_MISSING = "missing"

#: So many siblings of a type are folded, and no fewer.
_FOLDED = 3


class Fold(NamedTuple):
    """Children of one type, shown as one."""

    first: Entry
    members: List[Entry]


_Part = Union[Entry, Fold]


class _Below(NamedTuple):
    """How to show what is in an action."""

    #: What stands before the children, for all around the action.
    guides: str
    #: How deep they are.
    depth: int
    #: How long the action took, in seconds.
    whole: Optional[float]
    #: What stands before children but the last one, and before that.
    branch: str
    last: str


def tree_lines(
    shown: Union[Task, Entry], look: Look = PLAIN, *, fold: bool = False
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
    top = shown if isinstance(shown, Entry) else next(shown.walk(), None)
    if top is None:
        return
    draw = _Drawing(look)
    if top is not shown:
        yield header(top.task_uuid, top.start, look)
    below = _Below("", 0, None, "", "")
    # Of each action on the way: what is left of its children, the next of them, how to show these.
    stack: List[Tuple[Iterator[_Part], Optional[_Part], _Below]] = []
    rest: Iterator[_Part] = iter(())
    part: Optional[_Part] = top
    while part is not None:
        following = next(rest, None)
        stem = below.last if following is None else below.branch
        if isinstance(part, Fold):
            yield draw.fold(part, stem, below.whole)
        elif part.kind == _MESSAGE:
            yield draw.message(part, stem)
            traceback = field_of(part._start, TRACEBACK_FIELD)
            if traceback is not None:
                inner = draw.below(below, None, goes_on=following is not None)
                yield from traceback_lines(traceback, inner.guides, look)
        elif part.kind == _MISSING:
            yield draw.missing(part, stem)
        else:
            duration = part.duration
            yield draw.action(part, stem, duration, below.whole)
            stack.append((rest, following, below))
            below = draw.below(below, duration, goes_on=following is not None)
            rest = _folded(part.children) if fold else part._children()
            following = next(rest, None)
        part = following
        while part is None and stack:
            rest, part, below = stack.pop()


def _folded(children: List[Entry]) -> Iterator[_Part]:
    """Put many children of one type together, where the first of them is."""
    groups: Dict[Tuple[str, Optional[str]], List[Entry]] = {}
    for child in children:
        groups.setdefault((child.kind, child.type), []).append(child)
    for child in children:
        group = groups[child.kind, child.type]
        if child.kind == _MISSING or len(group) < _FOLDED:
            yield child
        elif child is group[0]:
            yield Fold(child, group)


class _Drawing:
    """Draw entries in one look."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def below(self, around: _Below, whole: Optional[float], *, goes_on: bool) -> _Below:
        """Say how to show the children of an action."""
        look, depth = self._look, around.depth + 1
        guides = around.guides
        if 0 < around.depth <= INDENTED:
            guides += look.trunk if goes_on else "  "
        stem = guides if depth <= INDENTED else f"{guides}({depth}) "
        return _Below(guides, depth, whole, stem + look.branch, stem + look.last)

    def message(self, entry: Entry, stem: str) -> str:
        """Return the line of a message."""
        line = Line(self._look, entry.start, stem)
        line.add_message(entry.type, entry.log_level)
        fields = entry.fields
        if fields.pop(TRACEBACK_FIELD, None) is not None:
            line.add_error(fields)
        line.add_fields(fields.items())
        return line.text

    def action(
        self, entry: Entry, stem: str, duration: Optional[float], whole: Optional[float]
    ) -> str:
        """Return the line of an action."""
        look, status = self._look, entry.status
        line = Line(look, entry.start, stem)
        line.add_action(entry.type, status)
        if duration is not None:
            line.add_duration(duration, whole)
        ended = entry.end_fields
        ended.pop(DURATION_FIELD, None)
        if status == FAILED_STATUS:
            line.add_error(ended)
        elif status == STARTED_STATUS:
            line.add("still running when the log ended", look.yellow)
        line.add_fields(entry.fields.items())
        if ended:
            line.add_fields(ended.items(), f"  {look.ended} ")
        return line.text

    def missing(self, entry: Entry, stem: str) -> str:
        """Return the line of messages that must have been there."""
        line = Line(self._look, None, stem)
        what = "message" if entry.count == 1 else "messages"
        line.add(f"{self._look.missing} {entry.count:,} {what} missing", self._look.yellow, "")
        return line.text

    def fold(self, fold: Fold, stem: str, whole: Optional[float]) -> str:
        """Return the line of many children."""
        look, first, members = self._look, fold.first, fold.members
        line = Line(look, first.start, stem)
        number = f"{look.times} {len(members):,}"
        if first.kind == _MESSAGE:
            line.add_message(first.type, first.log_level)
            line.add(number, look.bold, " ")
            return line.text
        counts = Counter(each.status for each in members)
        worst = next(s for s in (FAILED_STATUS, STARTED_STATUS, *counts) if counts[s])
        line.add_action(first.type, worst)
        line.add(number, look.bold, " ")
        durations = [each.duration for each in members if each.duration is not None]
        if durations:
            total = sum(durations)
            line.add(f"mean {duration_text(total / len(durations), look)}", look.cyan)
            share = share_text(total, whole)
            if share:
                line.add(share, look.dim)
        if counts[FAILED_STATUS]:
            line.add(f"{counts[FAILED_STATUS]:,} failed", look.bold_red)
        if counts[STARTED_STATUS]:
            line.add(f"{counts[STARTED_STATUS]:,} still running", look.yellow)
        return line.text
