"""The command `eliot slow`: where the time went, on which way, and what got slower."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import click

from eliot._inputs import Log
from eliot._look import Line, Look, duration_text, share_text, value_text
from eliot._safe import printable
from eliot.cli._options import Session, log_command
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
@click.option(
    "--top",
    metavar="N",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="How many rows to show; 0 shows all.",
)
@click.option(
    "--slowest",
    metavar="N",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Of how many of the slowest tasks to show the critical path.",
)
@click.option(
    "--against",
    metavar="OLD",
    help="Compare with an older log: show what got slower.",
)
def slow(  # noqa: PLR0913 - these are its options
    session: Session,
    *,
    by: str | None,
    sort: str,
    top: int,
    slowest: int,
    against: str | None,
) -> None:
    """
    Why it was slow: a profile by type of action.

    TOTAL is how long the actions of a type took. SELF is the part of it that was spent in no
    action in them: that is where the time went. Actions side by side in one action are not
    subtracted twice, recursion is not added twice. P50, P95 and P99 are percentiles. TASK is the
    one with the longest action.

    Below are the critical paths of the slowest tasks: what each waited for, from its end backwards.
    Only these actions need to be faster for the task to be faster.

    With --against the rows tell what changed since an older log. COST is by how much the mean self
    time is longer now, times the number of actions: what the change costs in the newer log.
    """
    new = profile(session.tasks(), by, slowest)
    session.found = bool(new.actions)
    answer = _Answer(session, by)
    if against is not None:
        old = profile(session.selected(Log((against,), session.report)), by, 0)
        answer.compare(changes(old, new), top)
    else:
        answer.show(new, sort, top)
