"""Growth: what a message costs as logs get longer, wider, deeper, and have more writers."""

from __future__ import annotations

from statistics import median
from typing import Any, Mapping, NamedTuple, Sequence

from bench.figures import Curve, Result, Table
from bench.lab import OURS, PUBLISHED, Lab

#: Name in tables, environment, contender.
SPEAKERS = (
    ("floor", OURS, "floor"),
    ("this Eliot", OURS, "eliot"),
    ("Eliot 1.18", PUBLISHED, "eliot"),
)


class Growth(NamedTuple):
    """What grows, how far, and how many messages are logged for each point."""

    title: str
    label: str
    steps: tuple[int, ...]
    messages: int


GROWTHS = {
    "threads": Growth("More threads", "threads", (1, 2, 4, 8, 16, 32, 64), 32_000),
    "depth": Growth("Deeper actions", "depth", (1, 3, 10, 30, 100, 300, 1000), 3_000),
    "fields": Growth("More fields", "fields", (1, 2, 5, 10, 20, 50), 10_000),
    "destinations": Growth("More files", "destinations", (1, 2, 4, 8), 10_000),
}

MESSAGES = 10_000_000
QUICK_MESSAGES = 300_000
#: Published Eliot gets as far as this, at a fraction of the speed.
PUBLISHED_MESSAGES = 3_000_000
#: Where figures are taken, in percent.
SHARES = (1, 3, 10, 20, 30, 50, 70, 100)


def measure(lab: Lab) -> Result:
    """Measure all curves."""
    tables, curves = [], []
    for name, growth in GROWTHS.items():
        messages = growth.messages // 4 if lab.quick else growth.messages
        lines = _points(lab, name, messages, growth.steps, 2 if lab.quick else 5)
        tables.append(
            Table(
                f"growth-{name}",
                f"{growth.title}: µs a message",
                [growth.label, *map(str, growth.steps)],
                [[title, *(point[1] for point in line)] for title, line in lines.items()],
            )
        )
        curves.append(Curve(f"growth-{name}", growth.title, growth.label, "µs a message", lines))
    costs, memory = _long(lab)
    tables += [
        _along("growth-messages", "A longer log: µs a message", costs),
        _along("growth-memory", "A longer log: resident memory in MB", memory),
    ]
    curves += [
        Curve("growth-messages", "A longer log", "messages", "µs a message", costs),
        Curve("growth-memory", "A longer log: memory", "messages", "resident MB", memory),
    ]
    notes = []
    if not lab.quick:
        notes.append(f"Eliot 1.18 is followed for {PUBLISHED_MESSAGES:,} messages only.")
    return Result(tables, curves, notes)


def _along(name: str, title: str, lines: Mapping[str, Sequence[Sequence[float]]]) -> Table:
    """Make a table of lines of which some are shorter."""
    steps = [point[0] for point in max(lines.values(), key=len)]
    rows: list[list[Any]] = []
    for label, line in lines.items():
        rows.append([label, *(point[1] for point in line), *[None] * (len(steps) - len(line))])
    return Table(name, title, ["messages", *(f"{step:,.0f}" for step in steps)], rows)


def _points(
    lab: Lab, curve: str, messages: int, steps: tuple[int, ...], rounds: int
) -> dict[str, list[list[float]]]:
    """Let the contenders take turns; return for each the medians of its points."""
    reports: dict[str, list[Any]] = {title: [] for title, _, _ in SPEAKERS}
    for _ in range(rounds):
        for title, environment, contender in SPEAKERS:
            path = lab.scratch / "growth.log"
            report = lab.work(environment, "growth", contender, curve, path, messages, *steps)
            reports[title].append(report)
            path.unlink(missing_ok=True)
    return {
        title: [
            [step, median(report[at][1] for report in of_contender) * 1e6]
            for at, step in enumerate(steps)
        ]
        for title, of_contender in reports.items()
    }


def _long(lab: Lab) -> tuple[dict[str, list[list[float]]], dict[str, list[list[float]]]]:
    """Follow the contenders through millions of messages."""
    last = QUICK_MESSAGES if lab.quick else MESSAGES
    costs: dict[str, list[list[float]]] = {}
    memory: dict[str, list[list[float]]] = {}
    for title, environment, contender in SPEAKERS:
        end = min(last, PUBLISHED_MESSAGES) if environment == PUBLISHED else last
        steps = [last * share // 100 for share in SHARES if last * share // 100 <= end]
        path = lab.scratch / "growth.log"
        report = lab.work(environment, "growth", contender, "messages", path, 1000, *steps)
        costs[title] = [[step, seconds * 1e6] for step, seconds, _ in report]
        memory[title] = [[step, resident] for step, _, resident in report if resident is not None]
        path.unlink()
    return costs, memory
