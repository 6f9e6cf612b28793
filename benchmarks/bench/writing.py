"""Writing: eight workloads, everybody against the floor."""

from __future__ import annotations

from functools import partial
from typing import Callable, Mapping, NamedTuple, Sequence

from bench.figures import Result, Table, middle, ratio
from bench.lab import OURS, PUBLISHED, Lab, alternate


class Target(NamedTuple):
    """What this project has to reach: at most so many floors, so many times faster."""

    floors: float
    faster: float


#: The workloads and their targets.
WORKLOADS = {
    "message": Target(1.25, 2),
    "nested": Target(1.4, 2),
    "task": Target(1.6, 2),
    "lone": Target(1.8, 2.5),
    "log_call": Target(1.8, 4),
    "recursion": Target(1.4, 2),
    "failing": Target(2, 1.8),
    "traceback": Target(10, 2.5),
}

TITLES = {
    "message": "message in an action",
    "nested": "nested actions",
    "task": "tasks",
    "lone": "lone messages",
    "log_call": "log_call",
    "recursion": "recursion 50 deep",
    "failing": "failing action",
    "traceback": "write_traceback",
}

_LOGGERS = ("message", "traceback")
_SPANS = ("message", "nested", "task", "recursion", "failing")

#: The peers: what they are called in tables, and which workloads they have.
PEERS: Mapping[str, tuple[str, Sequence[str]]] = {
    "bare": ("a bare tree, nothing kept safe", (*_SPANS, "lone")),
    "structlog": ("structlog", _LOGGERS),
    "stdlib": ("standard logging, JSON", _LOGGERS),
    "loguru": ("loguru", _LOGGERS),
    "picologging": ("picologging (text)", _LOGGERS),
    "opentelemetry": ("OpenTelemetry, no exporter", _SPANS),
    "opentelemetry_batch": ("OpenTelemetry, batches to JSON", _SPANS),
    "logfire": ("logfire, no exporter", ("message", "nested", "task", "log_call")),
}

FLOOR = "floor"
THIS = "this"


def measure(lab: Lab) -> Result:
    """Measure all contenders, a workload at a time."""
    rounds, budget = (3, 0.1) if lab.quick else (7, 0.25)
    notes = []
    peers = dict(PEERS)
    if not lab.has(OURS, "picologging"):
        del peers["picologging"]
        notes.append("picologging cannot be installed on this Python.")

    def figure(environment: str, contender: str, workload: str) -> float:
        path = lab.scratch / "writing.log"
        path.write_bytes(b"")
        report = lab.work(environment, "writing", contender, workload, path, budget)
        return float(report["seconds"])

    figures: dict[str, dict[str, list[float]]] = {}
    for workload in WORKLOADS:
        contenders: dict[str, Callable[[], float]] = {
            FLOOR: partial(figure, OURS, "floor", "message"),
            THIS: partial(figure, OURS, "eliot", workload),
            PUBLISHED: partial(figure, PUBLISHED, "eliot", workload),
        }
        for peer, (_, workloads) in peers.items():
            if workload in workloads:
                contenders[peer] = partial(figure, OURS, peer, workload)
        figures[workload] = alternate(contenders, rounds)
    return Result([_targets(figures), _peers(figures, peers)], notes=notes)


def _targets(figures: dict[str, dict[str, list[float]]]) -> Table:
    rows = []
    for workload, target in WORKLOADS.items():
        found = figures[workload]
        floors = ratio(found[THIS], found[FLOOR]) or 0
        faster = ratio(found[PUBLISHED], found[THIS]) or 0
        reached = floors <= target.floors and faster >= target.faster
        rows.append(
            [
                TITLES[workload],
                middle(found[THIS], 1e6),
                floors,
                f"≤ {target.floors:g}",
                faster,
                f"≥ {target.faster:g}",
                ratio(found[PUBLISHED], found[FLOOR]),
                "yes" if reached else "no",
            ]
        )
    return Table(
        "writing",
        "A message to a file, beside the floor and published Eliot",
        [
            "workload",
            "µs",
            "× floor",
            "target",
            "× faster",
            "target",
            "published × floor",
            "reached",
        ],
        rows,
    )


def _peers(
    figures: dict[str, dict[str, list[float]]], peers: Mapping[str, tuple[str, Sequence[str]]]
) -> Table:
    names = {FLOOR: "floor", THIS: "this Eliot", PUBLISHED: "Eliot 1.18"}
    names.update({peer: title for peer, (title, _) in peers.items()})
    rows = [
        [
            title,
            middle(figures["message"][name], 1e6),
            *(ratio(found.get(name), found[FLOOR]) for found in figures.values()),
        ]
        for name, title in names.items()
    ]
    # The floor has one workload, which the figures of all are compared with.
    rows[0][3:] = [None] * (len(WORKLOADS) - 1)
    return Table(
        "peers",
        "Times the floor, for each message that Eliot writes",
        ["", "message, µs", *(TITLES[workload] for workload in WORKLOADS)],
        rows,
    )
