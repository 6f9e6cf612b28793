"""
Do a piece of work so many times, for the instructions to be counted: `counted.py WORK TIMES FILE`.

The work is a workload of Eliot's, or `parse`, which reads that many lines of the file.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import reading
from speakers import eliot


def main(work: str, times: str, path: str) -> None:
    """Do it."""
    if work == "parse":
        with Path(path).open("rb") as file:
            lines = list(itertools.islice(file, int(times)))
        for _ in reading.parse(lines):
            pass
    else:
        eliot(path)[work](int(times))
    print("null")


if __name__ == "__main__":
    main(*sys.argv[1:])
