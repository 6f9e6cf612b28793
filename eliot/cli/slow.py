"""The command `eliot slow`: where the time went, on which way, and what got slower."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import click

from eliot._inputs import Log
from eliot._look import INDENTED, Look, duration_text, fields_text, share_text, value_text
from eliot._safe import printable
from eliot.cli._options import (
    Session,
    full_option,
    local_time_option,
    log_command,
    number_option,
)
from eliot.cli._words import count_text
from eliot.parse import ActionProfile, Change, PathStep, Profile, SlowTask, changes, profile

__all__ = ["slow"]

#: Of a critical path no steps are shown that take less of it, and no more than so many.
_LITTLE = 0.01
_STEPS = 15

#: How much of a task's uuid is shown in tables: enough for the option --task.
_UUID = 8

_Sorting = Callable[[ActionProfile], Any]

_SORTINGS: Dict[str, _Sorting] = {
    "self": lambda action: action.self_time,
    "total": lambda action: action.total,
    "number": lambda action: action.number,
    "failed": lambda action: action.failed,
    "mean": lambda action: action.mean,
    "p50": lambda action: action.p50,
    "p95": lambda action: action.p95,
    "p99": lambda action: action.p99,
    "max": lambda action: action.max,
}


@log_command
@click.option(
    "--by",
    metavar="FIELD",
    help="Tell the actions of one type apart by the value of a field.",
)
@click.option(
    "--sort",
    type=click.Choice(list(_SORTINGS)),
    default="self",
    show_default=True,
    help="What comes first: the largest of that.",
)
@number_option("--top", 20, "How many rows to show; 0 shows all.")
@number_option("--slowest", 3, "Of how many of the slowest tasks to show the critical path.")
@click.option(
    "--against",
    metavar="OLD",
    help="Compare with an older log: show what got slower.",
)
@full_option
@local_time_option
def slow(  # noqa: PLR0913 - these are its options
    session: Session,
    *,
    by: str | None,
    sort: str,
    top: int,
    slowest: int,
    against: str | None,
    full: bool,
    local_time: bool,
) -> None:
    """
    Show why it was slow: a profile by type of action.

    TOTAL is how long the actions of a type took. SELF is the part of it that was spent in no
    action in them: that is where the time went. Actions side by side in one action are not
    subtracted twice, recursion is not added twice. P50, P95 and P99 are percentiles. TASK is the
    one with the longest action.

    Below are the critical paths of the slowest tasks: what each waited for, from its end backwards.
    Only these actions need to be faster for the task to be faster.

    With --against the rows tell what changed since an older log. ADDED is how much more self time
    there is now for each task: because the actions take longer, or because there are more of them.
    CHANGE is that of the mean. Where NOTE says "few", one log has fewer than ten of the actions, so
    that it may be chance.
    """
    new = profile(session.tasks(settled=True), by, slowest)
    session.found = bool(new.actions)
    answer = _Answer(session, by, top, session.look(full=full, local=local_time))
    if against is None:
        answer.show(new, sort)
        return
    log = Log((against,), session.report)
    old = profile(session.tasks(log, settled=True), by, 0)
    session.log.unreadable += log.unreadable
    session.found = bool(new.actions or old.actions)
    answer.compare(old, new)


class _Column(NamedTuple):
    """One column of a table."""

    name: str
    cells: List[str]
    #: Those with a higher number are left out first where there is too little room; 0 stays.
    spare: int = 0
    style: str = ""
    left: bool = False


class _Answer:
    """What is to be said, as tables for people or as JSON for programs."""

    def __init__(self, session: Session, by: str | None, top: int, look: Look) -> None:
        self.session = session
        self.by = by
        self.top = top
        self.look = look

    def show(self, found: Profile, sort: str) -> None:
        """Show a profile."""
        # Those that are equal stay in the order of their self times.
        actions = sorted(found.actions, key=_SORTINGS[sort], reverse=True)
        shown = actions[: self.top or None]
        if self.session.json:
            for action in shown:
                self.session.write_json({"kind": "action", **action._asdict()})
            for task in found.slowest:
                path = [step._asdict() for step in task.path]
                self.session.write_json({"kind": "task", **task._asdict(), "path": path})
            return
        number = sum(action.number + action.unfinished for action in actions)
        types = len({action.action_type for action in actions})
        self._say(
            f"{count_text(number, 'action')} of {count_text(types, 'type')} "
            f"in {count_text(found.tasks, 'task')}"
        )
        if not actions:
            return
        whole = sum(action.self_time for action in actions)

        def times(name: str) -> List[str]:
            return [self._time(getattr(a, name)) if a.number else "" for a in shown]

        columns = [
            *self._names(shown),
            _Column("NUMBER", [f"{action.number:,}" for action in shown]),
            _Column("FAILED", [_unless_none(action.failed) for action in shown], style="red"),
            _Column(
                "NOT ENDED", [_unless_none(action.unfinished) for action in shown], style="yellow"
            ),
            _Column("TOTAL", times("total"), 4),
            _Column("SELF", times("self_time"), style="bold"),
            _Column("", [share_text(a.self_time, whole) if a.number else "" for a in shown], 1),
            _Column("MEAN", times("mean"), 7),
            _Column("P50", times("p50"), 5),
            _Column("P95", times("p95"), 2),
            _Column("P99", times("p99"), 6),
            _Column("MAX", times("max")),
            _Column("TASK", [printable(action.max_task or "")[:_UUID] for action in shown], 3),
        ]
        self._table([column for column in columns if any(column.cells)])
        self._more(len(actions) - len(shown))
        for task in found.slowest:
            self._say("")
            for line in self._path(task):
                self._say(line)

    def compare(self, old: Profile, new: Profile) -> None:
        """Show what changed."""
        found = changes(old, new)
        shown = found[: self.top or None]
        if self.session.json:
            for change in shown:
                sides = {
                    "old": change.old and change.old._asdict(),
                    "new": change.new and change.new._asdict(),
                }
                self.session.write_json({"kind": "change", **change._asdict(), **sides})
            return
        self._say(f"{count_text(old.tasks, 'task')} before, {new.tasks:,} now")
        if not found:
            return
        pairs = [(change.old, change.new) for change in shown]
        self._table(
            [
                *self._names(shown),
                _Column("ADDED", [self._signed(change.added) for change in shown], style="bold"),
                *self._sides("NUMBER", [_both(pair, _number) for pair in pairs], 2),
                *self._sides("MEAN", [_both(pair, self._mean) for pair in pairs], 1),
                _Column("CHANGE", [self._changed(*pair) for pair in pairs]),
                _Column("", [_relative(*pair) for pair in pairs]),
                *self._sides("P95", [_both(pair, self._p95) for pair in pairs], 3),
                _Column("NOTE", [_note(change) for change in shown], style="dim", left=True),
            ]
        )
        self._more(len(found) - len(shown))

    def _say(self, line: str) -> None:
        self.session.write(f"{line}\n")

    def _more(self, number: int) -> None:
        if number:
            self._say(f"{self.look.dim}and {number:,} more: --top 0{self.look.plain}")

    def _time(self, seconds: float) -> str:
        return duration_text(seconds, self.look)

    def _signed(self, seconds: float) -> str:
        return f"{'-' if seconds < 0 else '+'}{self._time(abs(seconds))}"

    def _mean(self, action: ActionProfile) -> str:
        return self._time(action.mean)

    def _p95(self, action: ActionProfile) -> str:
        return self._time(action.p95)

    def _changed(self, old: ActionProfile | None, new: ActionProfile | None) -> str:
        return "" if old is None or new is None else self._signed(new.mean - old.mean)

    def _names(self, shown: Sequence[ActionProfile | Change]) -> Iterator[_Column]:
        names = ["(unknown)" if s.action_type is None else s.action_type for s in shown]
        yield _Column("ACTION", list(map(printable, names)), left=True)
        if self.by is not None:
            values = ["" if item.by is None else value_text(item.by) for item in shown]
            yield _Column(printable(self.by), values, left=True)

    def _sides(self, name: str, sides: List[Tuple[str, str]], spare: int) -> List[_Column]:
        old, new = [one for one, _ in sides], [two for _, two in sides]
        return [_Column(f"OLD {name}", old, spare), _Column(f"NEW {name}", new, spare)]

    def _table(self, columns: List[_Column]) -> None:
        """Show a table; too little room is left to the columns that are wanted most."""
        from rich.table import Table
        from rich.text import Text

        console, width = self.session.console, self.look.width
        while True:
            table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
            for column in columns:
                table.add_column(
                    Text(column.name),
                    style=column.style,
                    justify="left" if column.left else "right",
                    overflow="fold",
                    no_wrap=not column.left,
                )
            for cells in zip(*(column.cells for column in columns)):
                table.add_row(*map(Text, cells))
            needed = console.measure(table, options=console.options.update(width=10_000)).maximum
            spare = max(columns, key=lambda column: column.spare)
            if width is None or needed <= width or not spare.spare:
                break
            columns = [column for column in columns if column.spare != spare.spare]
        console.width = needed if width is None else width
        with console.capture() as captured:
            console.print(table)
        for line in captured.get().splitlines():
            self._say(line.rstrip())

    def _path(self, task: SlowTask) -> Iterator[str]:
        """Draw the critical path of a task."""
        look = self.look
        name = "(unknown)" if task.action_type is None else printable(task.action_type)
        yield (
            f"{look.bold}Critical path of {name}, {self._time(task.duration)}{look.plain}, "
            f"{look.date(task.start)}, task {printable(task.task_uuid)}"
        )
        steps = _worth_showing(task)
        times = [self._time(step.seconds) for step in steps]
        width = max(map(len, times))
        for step, time in zip(steps, times):
            share = share_text(step.seconds, task.duration)
            start = f"{time:>{width}}  {share:>5}  {'  ' * min(step.depth, INDENTED)}"
            name = "(unknown)" if step.action_type is None else printable(step.action_type)
            number = f" {look.times} {step.number:,}" if step.number > 1 else ""
            room = None if look.width is None else look.width - len(f"{start}{name}{number}") - 2
            # What many actions began with nobody wants to know of one of them.
            fields = "" if number else fields_text(step.fields, look, room)
            yield f"{start}{look.bold}{name}{look.plain}{number}  {fields}".rstrip()
        left_out = len(task.path) - len(steps)
        if left_out:
            rest = task.duration - sum(step.seconds for step in steps)
            more = f"{self._time(max(rest, 0.0))} in {count_text(left_out, 'step')} more"
            yield f"{look.dim}{more}{look.plain}"


def _both(
    pair: Tuple[ActionProfile | None, ActionProfile | None], text: Callable[[ActionProfile], str]
) -> Tuple[str, str]:
    one, two = pair
    return "" if one is None else text(one), "" if two is None else text(two)


def _number(action: ActionProfile) -> str:
    return f"{action.number:,}"


def _unless_none(number: int) -> str:
    return f"{number:,}" if number else ""


def _relative(old: ActionProfile | None, new: ActionProfile | None) -> str:
    if old is None or new is None or not old.mean:
        return ""
    percent = round((new.mean / old.mean - 1) * 100)
    return f"{percent:+,} %" if percent else "0 %"


def _note(change: Change) -> str:
    if change.old is None:
        return "new"
    if change.new is None:
        return "gone"
    return "few" if change.few else ""


def _worth_showing(task: SlowTask) -> List[PathStep]:
    """Choose the steps that take much of a path, and those around them."""
    limit = task.duration * _LITTLE
    longest = sorted((step.seconds for step in task.path), reverse=True)[:_STEPS]
    limit = max(limit, longest[-1])
    shown, depth = [], 0
    for step in reversed(task.path):
        # Those around come before those in them.
        if step.seconds >= limit or step.depth < depth or not step.depth:
            shown.append(step)
            depth = step.depth
    return shown[::-1]
