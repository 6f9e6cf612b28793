"""Latency: how long one call may take, directly and in the background."""

from __future__ import annotations

from statistics import mean, median
from typing import Any

from bench.figures import Result, Table, percentile
from bench.lab import OURS, PUBLISHED, Lab, WorkerError

#: Name in the table, environment, contender.
SPEAKERS = (
    ("floor", OURS, "floor"),
    ("this Eliot, direct", OURS, "direct"),
    ("this Eliot, in the background", OURS, "background"),
    ("Eliot 1.18, direct", PUBLISHED, "direct"),
)

#: Name in the table, pause between calls in seconds, share of the calls.
PACES = (("at once", 0, 1.0), ("after 0.1 ms", 0.0001, 0.1))

CALLS = 100_000
SHARES = (0.5, 0.99, 0.999, 1.0)


def measure(lab: Lab) -> Result:
    """Measure all combinations."""
    code = "import sys, eliot; sys.exit(not hasattr(eliot, 'BackgroundWriter'))"
    speakers, notes = list(SPEAKERS), []
    try:
        lab.run([str(lab.python(OURS)), "-c", code])
    except WorkerError:
        del speakers[2]
        notes.append("The background writer is not in this version.")
    calls = CALLS // 5 if lab.quick else CALLS
    rows = []
    for disk in ("quiet", "stalled"):
        for pace, pause, share in PACES:
            reports: dict[str, list[Any]] = {title: [] for title, _, _ in speakers}
            for _ in range(1 if lab.quick else 3):
                for title, environment, contender in speakers:
                    path = lab.scratch / "latency.log"
                    arguments = (contender, disk, pause, path, int(calls * share))
                    reports[title].append(lab.work(environment, "latency", *arguments))
                    path.unlink()
            for title, found in reports.items():
                row: list[object] = [disk, pace, title]
                row += [
                    median(percentile(each["calls"], part) for each in found) * 1e6
                    for part in SHARES
                ]
                row.append(median(mean(each["calls"]) for each in found) * 1e6)
                # The pauses say more about the machine than about the writer.
                rates = [len(each["calls"]) / each["elapsed"] for each in found]
                row.append(None if pause else round(median(rates)))
                rows.append(row)
    return Result(
        [
            Table(
                "latency",
                "One call of log_message, µs",
                ["disk", "calls", "", "p50", "p99", "p99.9", "max", "mean", "written, 1/s"],
                rows,
            )
        ],
        notes=notes,
    )
