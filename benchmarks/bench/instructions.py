"""
Instructions: what the main workloads execute, which does not depend on the machine's load.

Counts are compared with the accepted ones, in `instructions.json`, which differ by version of
Python. `run.py instructions --accept` accepts what it measures.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
from pathlib import Path

from bench.figures import TOLERANCE, Result, Table, grown
from bench.lab import BENCHMARKS, OURS, WORKERS, Lab

#: For each workload, the messages of which it consists, and how often it is done.
WORKLOADS = {
    "message": (1, 2000),
    "nested": (5, 400),
    "task": (2, 1000),
    "lone": (1, 2000),
    "log_call": (2, 1000),
    "failing": (2, 1000),
    "parse": (1, 4000),
}

ACCEPTED = BENCHMARKS / "instructions.json"


def read_accepted(path: Path = ACCEPTED) -> dict[str, dict[str, float]]:
    """Read the accepted counts, by version of Python."""
    if not path.exists():
        return {}
    accepted: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))
    return accepted


def accept(counts: dict[str, float], version: str, path: Path = ACCEPTED) -> None:
    """Write the accepted counts of a version of Python."""
    accepted = {**read_accepted(path), version: counts}
    path.write_text(json.dumps(accepted, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def measure(lab: Lab, *, accepting: bool = False) -> Result:
    """Count, and compare or accept."""
    if shutil.which("valgrind") is None:
        return Result(notes=["Instructions are not counted: valgrind is missing."])
    version = f"{platform.python_implementation()} {platform.python_version()}"
    path = lab.scratch / "parsed.log"
    lab.work(OURS, "logs", "flat", 2 * WORKLOADS["parse"][1], path)
    counts = {
        name: round(
            (_count(lab, name, 2 * times, path) - _count(lab, name, times, path)) / times / messages
        )
        for name, (messages, times) in WORKLOADS.items()
    }
    path.unlink()
    (lab.scratch / "counted.log").unlink()
    accepted = read_accepted().get(version, {})
    if accepting:
        accept({**accepted, **counts}, version)
    rows = [
        [name, count, accepted.get(name), f"{count / accepted[name] - 1:+.1%}"]
        if name in accepted
        else [name, count, None, None]
        for name, count in counts.items()
    ]
    columns = ["workload", "instructions", "accepted", "change"]
    title = f"Instructions a message, {version}"
    notes = []
    if accepting:
        notes.append("These counts are accepted now.")
    elif not accepted:
        notes.append(f"No counts are accepted for {version}: --accept does so.")
    failures = [] if accepting else grown(counts, accepted, TOLERANCE)
    return Result([Table("instructions", title, columns, rows)], notes=notes, failures=failures)


def _count(lab: Lab, name: str, times: int, path: Path) -> int:
    """Count the instructions of a whole process."""
    log = path if name == "parse" else lab.scratch / "counted.log"
    lab.work(OURS, "counted", name, 1, log)  # so that all modules are compiled
    report = lab.scratch / "callgrind.txt"
    lab.run(
        [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            f"--log-file={report}",
            str(lab.python(OURS)),
            str(WORKERS / "counted.py"),
            name,
            str(times),
            str(log),
        ]
    )
    found = re.search(r"Collected : (\d+)", report.read_text(encoding="utf-8"))
    if found is None:
        msg = f"callgrind has not reported: {report}"
        raise ValueError(msg)
    report.unlink()
    return int(found.group(1))
