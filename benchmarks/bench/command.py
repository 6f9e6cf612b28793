"""The command `eliot`: when it says something, when it is done, and in how much memory."""

from __future__ import annotations

from typing import NamedTuple

from bench.figures import Result, Table, middle
from bench.lab import OURS, Lab

SIZE = 1_000_000
QUICK_SIZE = 100_000

#: The logs, and what they are.
SHAPES = {
    "flat": "tasks of ten messages",
    "wide": "tasks of 10,000 messages",
    "one": "one task, all messages in one action",
    "parts": "one task of small actions",
}


class Run(NamedTuple):
    """What a call took."""

    first: float
    seconds: float
    megabytes: float


def measure(lab: Lab) -> Result:
    """Call the command, for its help and for large logs."""
    size = QUICK_SIZE if lab.quick else SIZE
    python = str(lab.python(OURS))
    path = lab.scratch / "command.log"

    def call(*arguments: str) -> Run:
        report = lab.work(OURS, "command", python, "-m", "eliot.cli", *arguments)
        return Run(**report)

    def row(title: str, runs: list[Run]) -> list[object]:
        return [title, *(middle([getattr(run, name) for run in runs]) for name in Run._fields)]

    rounds = 3 if lab.quick else 15
    call("--help")  # compiled, and in the cache of the disk
    rows = [row("eliot --help", [call("--help") for _ in range(rounds)])]
    for shape, title in SHAPES.items():
        lab.work(OURS, "logs", shape, size, path)
        runs = [call("tree", str(path)) for _ in range(1 if lab.quick else 3)]
        rows.append(row(f"eliot tree, {title}", runs))
        path.unlink()
    rows.append(["targets", "≤ 0.3", "≤ 10", "≤ 300"])
    columns = [f"logs of {size:,} messages", "first output, s", "all, s", "peak of memory, MB"]
    return Result([Table("command", "The command eliot", columns, rows)])
