"""Switches: what each of `eliot.configure` costs, and what a call costs that is silenced."""

from __future__ import annotations

from functools import partial

from bench.figures import Result, Table, middle
from bench.lab import OURS, Lab, alternate
from bench.writing import TITLES

SWITCHES = ("duration", "traceback", "caller", "process", "host", "thread", "task", "levels")

#: The calls that `workers/silenced.py` knows.
CALLS = (
    "message of a quiet type",
    "message of a low level",
    "start of a quiet action",
    "block of a quiet action",
    "is_enabled",
)


def measure(lab: Lab) -> Result:
    """Measure both."""
    rounds = 3 if lab.quick else 7
    path = lab.scratch / "switches.log"
    budget = 0.1 if lab.quick else 0.25

    def figure(switch: str, workload: str) -> float:
        path.write_bytes(b"")
        return float(lab.work(OURS, "switches", switch, workload, path, budget)["seconds"])

    rows = []
    for workload, switches in (("nested", SWITCHES), ("failing", ("traceback",))):
        contenders = {each: partial(figure, each, workload) for each in ("none", *switches)}
        found = alternate(contenders, rounds)
        without = found.pop("none")
        for switch, figures in found.items():
            more = [one - other for one, other in zip(figures, without)]
            rows.append([TITLES[workload], switch, middle(figures, 1e6), middle(more, 1e6)])
    path.unlink()
    columns = ["workload", "switch", "a message, µs", "more than without, µs"]
    table = Table("switches", "What each switch costs", columns, rows)
    calls = alternate(
        {each: partial(_silenced, lab, each, budget) for each in CALLS},
        rounds,
    )
    silenced = [[call, middle(figures, 1e6)] for call, figures in calls.items()]
    title = "What is below its threshold, net of the call of an empty function"
    return Result([table, Table("silenced", title, ["call", "µs"], silenced)])


def _silenced(lab: Lab, call: str, budget: float) -> float:
    return float(lab.work(OURS, "silenced", call, budget)["seconds"])
