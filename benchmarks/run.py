"""
Measure Eliot beside its peers: `python benchmarks/run.py [topic ...] [--quick] [--json FILE]`.

Topics, all of them by default:

writing       eight workloads: this Eliot, Eliot 1.18, peers, against the floor
reading       decode, parse, print, draw trees of logs of several shapes and sizes
growth        what a message costs as the log gets longer, wider, deeper, has more writers
latency       how long one call takes, directly and in the background, on two kinds of disk
background    what the caller pays when a thread writes
import        what `import eliot` takes
command       the command `eliot`: its start, its first output, its time and memory for large logs
timeline      how soon the page of `eliot timeline` is there, and how fast it scrolls
instructions  what the main workloads execute, by callgrind, checked against accepted counts
off           what a message costs when no destination is left
switches      what each switch of `eliot.configure` costs, and a call that is silenced

Needs Python 3.8 or later on a POSIX system, a network at the first run, valgrind for the
instructions, and Chromium for the timeline. It makes its own environments, with the Python that
runs it, in `.benchmarks/`; remove that folder to have them made again. Tables are printed; the
figures of the topics that were run replace theirs in the JSON file, from which `benchmarks/plot.py`
makes tables and plots of the page docs/explanation/performance.rst. So all figures of the
documentation are refreshed by

    python benchmarks/run.py && python benchmarks/plot.py

and are in docs/explanation/performance/ then. All topics take about twenty minutes on two quiet
cores, with `--quick` about six.

The status is 1 when instructions have grown by more than 3 %. If that has a good reason,
`python benchmarks/run.py instructions --accept` writes the new counts to
`benchmarks/instructions.json`; commit it with the reason. Counts are kept for each version of
Python.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable

from bench import (
    background,
    command,
    growth,
    importing,
    instructions,
    latency,
    off,
    reading,
    switches,
    timeline,
    writing,
)
from bench.figures import Result, text_table
from bench.lab import ROOT, Lab

TOPICS: dict[str, Callable[[Lab], Result]] = {
    "writing": writing.measure,
    "reading": reading.measure,
    "growth": growth.measure,
    "latency": latency.measure,
    "background": background.measure,
    "import": importing.measure,
    "command": command.measure,
    "timeline": timeline.measure,
    "instructions": instructions.measure,
    "off": off.measure,
    "switches": switches.measure,
}

FOLDER = ROOT / ".benchmarks"
RESULTS = FOLDER / "results.json"


def described(lab: Lab) -> dict[str, Any]:
    """Say what the figures of this run depend on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "date": dt.datetime.now(dt.timezone.utc).date().isoformat(),
        "quick": lab.quick,
        "versions": lab.versions(),
    }


def save(path: Path, topic: str, result: Result, run: dict[str, Any]) -> None:
    """Replace the figures of a topic in the file."""
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    results[topic] = {
        "run": run,
        "tables": [table._asdict() for table in result.tables],
        "curves": [curve._asdict() for curve in result.curves],
        "notes": result.notes,
    }
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Measure; return the status."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("topics", nargs="*", metavar="topic", help=", ".join(TOPICS))
    parser.add_argument("--quick", action="store_true", help="smaller logs, fewer rounds")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="the figures")
    parser.add_argument("--accept", action="store_true", help="accept the counts of instructions")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.topics) - set(TOPICS))
    if unknown:
        parser.error(f"no such topic: {', '.join(unknown)}")
    lab = Lab(FOLDER, quick=options.quick)
    lab.prepare()
    run = described(lab)
    failures: list[str] = []
    for topic in options.topics or TOPICS:
        measure = TOPICS[topic]
        if topic == "instructions":
            measure = partial(instructions.measure, accepting=options.accept)
        started = time.monotonic()
        result = measure(lab)
        save(options.json, topic, result, run)
        for table in result.tables:
            print("\n" + text_table(table), flush=True)
        for note in result.notes:
            print(note)
        print(f"({topic}: {time.monotonic() - started:.0f} s)", flush=True)
        failures.extend(result.failures)
    for failure in failures:
        print(f"grown: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
