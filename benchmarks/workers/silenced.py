"""
Report what a call costs that is below its threshold: `silenced.py CALL SECONDS`.

The figure is net of what the call of an empty function with the same arguments costs.
"""

from __future__ import annotations

import json
import sys
import timeit
from contextlib import nullcontext
from typing import Any

import eliot
from eliot import log_message, start_action

LEVELS = {"*": "info", "quiet:*": "warning"}

#: For each call, itself and the empty one. A block is compared with one that does nothing.
CALLS = {
    "message of a quiet type": (
        "log_message('quiet:m', number=1, text='text')",
        "empty('m', number=1, text='text')",
    ),
    "message of a low level": (
        "log_message('m', number=1, text='text', log_level='debug')",
        "empty('m', number=1, text='text', log_level='debug')",
    ),
    "start of a quiet action": (
        "start_action('quiet:a', number=1, text='text')",
        "empty('quiet:a', number=1, text='text')",
    ),
    "block of a quiet action": (
        "with start_action('quiet:a', number=1, text='text'): pass",
        "with nothing: empty('quiet:a', number=1, text='text')",
    ),
    "is_enabled": ("is_enabled('quiet:m', 'debug')", "empty('quiet:m', 'debug')"),
}


def empty(*args: Any, **fields: Any) -> None:
    """Do nothing."""


def seconds(statement: str, budget: float) -> float:
    """Return the quickest time of one execution."""
    names = {
        "empty": empty,
        "is_enabled": eliot.is_enabled,
        "log_message": log_message,
        "nothing": nullcontext(),
        "start_action": start_action,
    }
    timer = timeit.Timer(statement, globals=names)
    times, elapsed = timer.autorange()
    times = max(1, int(times * budget / 20 / elapsed))
    return min(timer.repeat(20, times)) / times


def main(call: str, budget: str) -> None:
    """Print the report."""
    eliot.add_destinations(len)
    eliot.configure(levels=LEVELS)
    statement, nothing = CALLS[call]
    with start_action("outer"):
        net = seconds(statement, float(budget) / 2) - seconds(nothing, float(budget) / 2)
    print(json.dumps({"seconds": net}))


if __name__ == "__main__":
    main(*sys.argv[1:])
