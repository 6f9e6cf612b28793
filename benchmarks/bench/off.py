"""Off: what a message costs when no destination is left."""

from __future__ import annotations

from functools import partial

from bench.figures import Result, Table, middle, ratio
from bench.lab import OURS, PUBLISHED, Lab, alternate
from bench.writing import TITLES


def measure(lab: Lab) -> Result:
    """Measure both Eliots."""

    def figure(environment: str, workload: str) -> float:
        path = lab.scratch / "off.log"
        path.write_bytes(b"")
        budget = 0.1 if lab.quick else 0.25
        return float(lab.work(environment, "off", workload, path, budget)["seconds"])

    rows = []
    for workload in ("message", "nested", "task", "lone", "log_call"):
        contenders = {each: partial(figure, each, workload) for each in (OURS, PUBLISHED)}
        found = alternate(contenders, 3 if lab.quick else 7)
        ours, published = found[OURS], found[PUBLISHED]
        faster = ratio(published, ours)
        rows.append([TITLES[workload], middle(ours, 1e6), middle(published, 1e6), faster])
    columns = ["workload", "this Eliot, µs", "Eliot 1.18, µs", "× faster"]
    title = "A message when no destination is left"
    return Result([Table("off", title, columns, rows)])
