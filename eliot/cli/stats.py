"""`eliot stats`: what is in a log."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Dict, Iterator, List

import click

from eliot._look import Look, duration_text
from eliot._safe import printable
from eliot._summary import Summary
from eliot.cli._options import Session, log_command
from eliot.cli._words import count_text

__all__ = ["stats"]

_BARS = " ▁▂▃▄▅▆▇█"
_ASCII_BARS = " .:-=+*#@"


@log_command
def stats(session: Session) -> None:
    """
    Show what is in a log: messages by type, tasks, failures, losses.

    Lines that cannot be read are counted, and reported on standard error; the selection is of
    tasks, which are counted as a whole.
    """
    summary = Summary()
    session.on_problem = summary.add_problem
    for task in session.tasks(settled=True):
        summary.add(task)
    data = summary.data()
    if session.json:
        session.write_json(data)
        return
    for line in _lines(data, session.look(), _ASCII_BARS if session.output.ascii else _BARS):
        session.write(line + "\n")
    if data["types"]:
        session.write("\n")
        for line in _table(data["types"], color=session.output.color):
            session.write(line + "\n")


def _lines(data: Dict[str, Any], look: Look, bars: str) -> Iterator[str]:
    yield count_text(data["tasks"], "task") + _details(
        (data["failed_tasks"], "failed"), (data["incomplete_tasks"], "incomplete")
    )
    yield count_text(data["actions"], "action") + _details(
        (data["failed_actions"], "failed"), (data["unended_actions"], "never ended")
    )
    yield count_text(data["messages"], "message") + _details(
        (data["missing_messages"], "more missing"),
        (data["replaced_messages"], "in a place that another one has"),
    )
    rate = data["rate"]
    if rate is not None:
        seconds = data["last"] - data["first"]
        time = duration_text(seconds, look)
        yield f"from {_utc(data['first'])} to {_utc(data['last'])}: {time}"
        most = count_text(max(rate["messages"]), "message")
        each = f"at most {most} in each {duration_text(rate['span'], look)}"
        yield f"[{_sparkline(rate['messages'], bars)}] {each}"
    for counts, what in (
        (data["bad_lines"], "bad line"),
        (data["degradations"], "degraded value"),
    ):
        if counts:
            yield f"{count_text(sum(counts.values()), what)}: {_counted(counts)}"
    if data["loss_reports"]:
        lost = count_text(data["lost_messages"], "lost message")
        yield f"{lost}, as reported: {_counted(data['lost_types'])}"


def _details(*details: Any) -> str:
    told = ", ".join(f"{count:,} {what}" for count, what in details if count)
    return f" ({told})" if told else ""


def _counted(counts: Dict[str, int]) -> str:
    return ", ".join(f"{count:,} {printable(what)}" for what, count in counts.items())


def _utc(seconds: float) -> str:
    try:
        time = datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):  # not of this age
        return f"{seconds:g}"
    return time.isoformat("T", "milliseconds") + "Z"


def _sparkline(counts: List[int], bars: str) -> str:
    """Draw a bar for each number; no bar means 0, and nothing else."""
    most, top = max(counts), len(bars) - 1
    return "".join(bars[-(-count * top // most)] for count in counts)


def _table(types: List[Dict[str, Any]], *, color: bool) -> Iterator[str]:
    """Show what there is of each type, the most frequent first."""
    head = ("count", "failed", "never ended", "kind", "type")
    rows = [
        (
            f"{told['count']:,}",
            f"{told['failed']:,}" if told.get("failed") else "",
            f"{told['unended']:,}" if told.get("unended") else "",
            told["kind"],
            "(none)" if told["type"] is None else printable(told["type"]),
        )
        for told in types
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head) - 1)]
    for number, row in enumerate([head, *rows]):
        cells = [text.rjust(width) for text, width in zip(row[:3], widths)]
        line = "  ".join([*cells, row[3].ljust(widths[3]), row[4]])
        if color and (number == 0 or row[1]):
            line = click.style(line, bold=number == 0 or None, fg="red" if number else None)
        yield line
