"""
Report what a call of log_message takes: `background.py HOW RATE FILE`.

HOW is `direct`, `background`, or `nowhere`: there is no destination. RATE is `bursts`, of 1,000
messages with a flush after each that is not measured, or `sustained`, 200,000 messages in a row.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import eliot

BURST, BURSTS, SUSTAINED = 1000, 200, 200_000


def measured(count: int) -> float:
    """Return the seconds that a message takes."""
    log = eliot.log_message
    started = time.perf_counter()
    for number in range(count):
        log("message", number=number, text="text", ratio=1.5, flag=True)
    return (time.perf_counter() - started) / count


def main(how: str, rate: str, path: str) -> None:
    """Print the report."""
    direct = eliot.FileDestination(Path(path).open("ab"))  # noqa: SIM115 - open until the end
    writer = eliot.BackgroundWriter(direct)
    destination = writer if how == "background" else direct
    eliot.add_destinations(destination)
    if how == "nowhere":
        eliot.remove_destination(destination)
    with eliot.start_action(action_type="outer"):
        measured(BURST)
        writer.flush()
        begun = time.perf_counter()
        if rate == "bursts":
            figures = []
            for _ in range(BURSTS):
                figures.append(measured(BURST))
                writer.flush()
            seconds = sorted(figures)[len(figures) // 4]
        else:
            seconds = measured(SUSTAINED)
        writer.flush()
        elapsed = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "elapsed": elapsed}))


if __name__ == "__main__":
    main(*sys.argv[1:])
