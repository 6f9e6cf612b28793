"""
Report what a call costs when nobody listens: `off.py WORKLOAD FILE SECONDS`.

There was a destination, which was removed again, so that nothing is kept for a later one.
"""

from __future__ import annotations

import json
import sys

from speakers import MESSAGES, actions
from writing import seconds_per_operation


def main(workload: str, path: str, budget: str) -> None:
    """Print the report."""
    from eliot import add_destinations, remove_destination

    work = actions()[workload]
    add_destinations(print)
    remove_destination(print)
    seconds = seconds_per_operation(work, path, float(budget)) / MESSAGES[workload]
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
