"""
Report the seconds that a message costs: `writing.py CONTENDER WORKLOAD FILE SECONDS`.

With 0 seconds the work is done once, and reported without a figure.
"""

from __future__ import annotations

import json
import os
import sys
import time

from speakers import CONTENDERS, MESSAGES, Workload

SLICES = 10


def seconds_per_operation(work: Workload, path: str, budget: float) -> float:
    """
    Measure slices of the work that together take about the budget; return the quickest.

    In the others, more often than not, another program was given the processor.
    """
    times = 1
    while True:
        started = time.perf_counter()
        work(times)
        elapsed = time.perf_counter() - started
        if elapsed > budget / SLICES / 2:
            break
        times *= 2
    figures = []
    for _ in range(SLICES):
        os.truncate(path, 0)  # or the disk fills up
        started = time.perf_counter()
        work(times)
        figures.append((time.perf_counter() - started) / times)
    return min(figures)


def main(contender: str, workload: str, path: str, budget: str) -> None:
    """Print the report."""
    work = CONTENDERS[contender](path)[workload]
    seconds = None
    if float(budget):
        seconds = seconds_per_operation(work, path, float(budget)) / MESSAGES[workload]
    else:
        work(1)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
