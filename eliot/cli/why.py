"""The command `eliot why`: what failed, of what, on which way, and what came of it."""

from __future__ import annotations

from typing import Any, Iterator, List, Tuple

from eliot._draw import Line, repeats
from eliot._look import CLOCK, INDENTED, Look, cut, exception_text
from eliot._safe import printable
from eliot.cli._options import (
    Session,
    full_option,
    local_time_option,
    log_command,
    number_option,
)
from eliot.cli._words import count_text
from eliot.parse import Event, Failure, FailureGroup, Step, Task, failures

__all__ = ["why"]

#: Of a longer way its begin and its end are shown, and of a longer traceback.
_WAY = (8, 16)
_TRACEBACK = (15, 40)


@log_command
@number_option("--before", 5, "How many messages and actions just before each failure to show.")
@number_option("--top", 10, "How many kinds of failures to show; 0 shows all.")
@full_option
@local_time_option
def why(session: Session, *, before: int, top: int, full: bool, local_time: bool) -> None:
    """
    Show why it failed: the way to each failure, equal ones together.

    A failure is an action that failed with an exception of its own. It is shown with the actions
    around it, outermost first: which of them the exception passed through, and which one handled
    it. Failures with the same exception on the same way are shown once, and counted. First come
    those that nobody handled, of these the most frequent; what was merely cancelled comes behind.

    Then come exceptions that were caught and logged with their traceback, and actions that never
    ended. The exit status is 1 if there is nothing of all that.
    """
    counted = _Counted()
    found = failures(counted.through(session.tasks(settled=True)), before)
    sections: List[Tuple[str, str, List[FailureGroup]]] = [
        ("failed", "Failures", found.failed),
        ("caught", "Exceptions that were caught and logged", found.caught),
        ("unfinished", "Actions that had not ended when the log ended", found.unfinished),
    ]
    session.found = any(groups for _, _, groups in sections)
    if session.json:
        for kind, _, groups in sections:
            for group in groups[: top or None]:
                session.write_json({"kind": kind, **_plain(group)})
        return
    look, wide = (session.look(full=whole, local=local_time) for whole in (full, True))
    if not session.found:
        session.write(f"Nothing failed in {count_text(counted.number, 'task')}.\n")
    shown = [(title, groups) for _, title, groups in sections if groups]
    for number, (title, groups) in enumerate(shown):
        if number:
            session.write("\n")
        for line in _section(title, groups, top, (look, wide)):
            session.write(f"{line}\n")


class _Counted:
    def __init__(self) -> None:
        self.number = 0

    def through(self, tasks: Iterator[Task]) -> Iterator[Task]:
        """Count the tasks."""
        for task in tasks:
            self.number += 1
            yield task


def _plain(value: Any) -> Any:
    """Make dictionaries of named tuples."""
    if hasattr(value, "_asdict"):
        return {name: _plain(item) for name, item in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _section(
    title: str, groups: List[FailureGroup], top: int, looks: Tuple[Look, Look]
) -> Iterator[str]:
    """Give a list of the groups, and then each of them."""
    look, wide = looks
    number = sum(group.number for group in groups)
    shown = groups[: top or None]
    kinds = f" of {count_text(len(groups), 'kind')}" if number > 1 else ""
    yield f"{look.bold}{title}: {number:,}{kinds}{look.plain}"
    if len(groups) > 1:
        width = max(len(f"{group.number:,}") for group in shown)
        for group in shown:
            times = f"{group.number:>{width},} {look.times} "
            room = None if look.width is None else look.width - len(times) - 2
            text = f"{_name(group)} in {_path(group, look)}"
            text = text if room is None else cut(text, room, look)
            yield f"  {look.bold}{times}{look.plain}{text}"
    if len(shown) < len(groups):
        yield f"  {look.dim}and {count_text(len(groups) - len(shown), 'kind')} more{look.plain}"
    for group in shown:
        yield ""
        yield from _group(group, look, wide)


def _name(group: FailureGroup) -> str:
    if group.exception is None:
        return "never ended"
    return exception_text(group.exception, None)


def _path(group: FailureGroup, look: Look) -> str:
    names = [printable(name) for name in group.path] or ["no action"]
    begin, end = _WAY
    if len(names) > begin + end:
        names[begin:-end] = [look.ellipsis]
    return " > ".join(names)


def _group(group: FailureGroup, look: Look, wide: Look) -> Iterator[str]:
    failure = group.example
    if failure.exception is None:
        name = printable(group.path[-1])
        yield f"{look.yellow}{look.started} {name} never ended{look.plain}"
    else:
        text = exception_text(failure.exception, failure.reason)
        yield f"{look.bold_red}{look.failed} {text}{look.plain}"
    yield f"  {look.dim}in{look.plain} {_path(group, look)}"
    yield f"  {look.dim}{_how_often(group, look)}{look.plain}"
    yield f"  {look.dim}task {printable(failure.task_uuid)}{look.plain}"
    yield ""
    yield from _way(failure, look, wide)
    if failure.afterwards:
        yield ""
        yield f"{look.bold}Afterwards failed:{look.plain}"
        for event in failure.afterwards:
            yield _event(event, "", look)
        more = failure.afterwards_count - len(failure.afterwards)
        if more:
            yield f"{look.dim}and {count_text(more, 'action')} more{look.plain}"


def _how_often(group: FailureGroup, look: Look) -> str:
    first, last = look.date(group.first), look.date(group.last)
    if group.number == 1:
        text = f"once, {first}" if first else "once"
    else:
        text = f"{group.number:,} times in {count_text(group.tasks, 'task')}"
        if first:
            text += f", {first} to {last}"
    if any(step.part == "raised" for step in group.example.chain):
        if group.handled == group.number:
            text += ", handled"
        elif group.handled:
            text += f", {group.handled:,} of them handled"
    return text if group.number == 1 else f"{text}; for example"


def _way(failure: Failure, look: Look, wide: Look) -> Iterator[str]:
    """Draw the tree of the actions on the way, and of what came just before."""
    chain, before = failure.chain, list(failure.before)
    begin, end = _WAY
    left_out = range(begin, len(chain) - end)
    for depth, step in enumerate(chain):
        while before and before[0].depth <= depth:
            event = before.pop(0)
            yield _event(event, _stem(event.depth, look.branch), look)
        last = depth == len(chain) - 1
        if depth not in left_out:
            yield _step(step, _stem(depth, look.last), wide if last else look)
        elif depth == begin:
            yield f"{look.dim}{look.ellipsis} {len(left_out):,} actions more{look.plain}"
    for event in before:
        mark = look.last if event is before[-1] else look.branch
        yield _event(event, _stem(event.depth, mark), look)
    if failure.traceback is not None:
        yield from _traceback(failure.traceback, look)


def _stem(depth: int, mark: str) -> str:
    if not depth:
        return ""
    more = f"({depth}) " if depth > INDENTED else ""
    return "  " * (min(depth, INDENTED) - 1) + more + mark


def _step(step: Step, stem: str, look: Look) -> str:
    line = Line(look, step.start, stem)
    line.add_action(step.action_type, step.status)
    if step.duration is not None:
        line.add_duration(step.duration)
    if step.part == "raised":
        line.add("raised it", look.bold_red)
    elif step.part == "passed on":
        line.add("failed of it", look.red)
    elif step.part == "handled":
        line.add("handled it", look.green)
    elif step.exception is not None:
        line.add(exception_text(step.exception, step.reason), look.red)
    elif step.status == "started":
        line.add("still running when the log ended", look.yellow)
    line.add_fields(step.fields.items())
    line.add_fields(
        (
            (name, value)
            for name, value in step.end_fields.items()
            if not repeats(name, step.fields.get(name), value)
        ),
        f"  {look.ended} ",
    )
    return line.text


def _event(event: Event, stem: str, look: Look) -> str:
    line = Line(look, event.time, stem)
    if event.status is None:
        line.add_message(event.type, event.fields.get("log_level"))
    else:
        line.add_action(event.type, event.status)
    if event.duration is not None:
        line.add_duration(event.duration)
    if event.exception is not None:
        line.add(exception_text(event.exception, event.reason), look.red)
    line.add_fields(event.fields.items())
    return line.text


def _traceback(traceback: str, look: Look) -> Iterator[str]:
    lines = traceback.rstrip("\n").split("\n")
    begin, end = _TRACEBACK
    if len(lines) > begin + end:
        lines[begin:-end] = [f"{look.ellipsis} {len(lines) - begin - end:,} lines more"]
    for line in lines:
        text = f"{' ' * (CLOCK + 4)}{printable(line)}".rstrip()
        yield f"{look.red}{text}{look.plain}" if line is lines[-1] else text
