"""
Report what a message costs with something switched on: `switches.py SWITCH WORKLOAD FILE SECONDS`.

`SWITCH` is one of those of `eliot.configure`, `levels` for a threshold that everything passes, or
`none`.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Dict

from speakers import MESSAGES
from speakers import eliot as workloads
from writing import seconds_per_operation

import eliot


def main(switch: str, workload: str, path: str, budget: str) -> None:
    """Print the report."""
    work = workloads(path)[workload]
    chosen: Dict[str, Any] = {"none": {}, "levels": {"levels": {"*": "info"}}}.get(
        switch, {switch: True}
    )
    eliot.configure(**chosen)
    seconds = seconds_per_operation(work, path, float(budget)) / MESSAGES[workload]
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
