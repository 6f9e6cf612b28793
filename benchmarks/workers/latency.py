"""
Report how long single calls take: `latency.py CONTENDER DISK PAUSE FILE CALLS`.

The contender is `floor`, `direct` or `background`; the disk is `quiet` or `stalled`, which holds
one of 1,000 writes up for 20 milliseconds; the pause between calls is in seconds. Reports seconds.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

HICCUP = 1_000
STALL = 0.02

#: How long the background writer may take to write what is left, in seconds.
PATIENCE = 600


class StallingFile:
    """A file on a disk that is busy with something else now and then."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.flush = file.flush
        self.writes = 0
        self.never = threading.Event()

    def write(self, data: bytes) -> None:
        """Write, sometimes later."""
        self.writes += 1
        if self.writes % HICCUP == 0:
            self.never.wait(STALL)
        self.file.write(data)


def _floor(file: Any) -> tuple[Callable[[int], object], Callable[[], object]]:
    dumps = importlib.import_module("orjson").dumps

    def log(number: int) -> None:
        fields = {
            "number": number,
            "text": "text",
            "ratio": 1.5,
            "flag": True,
            "message_type": "message",
            "timestamp": time.time(),
            "task_uuid": "7beb23d6-11ee-407c-b43f-b6e2f5c67c2c",
            "task_level": [2, number],
        }
        file.write(dumps(fields) + b"\n")
        file.flush()

    return log, file.flush


def _direct(file: Any) -> tuple[Callable[[int], object], Callable[[], object]]:
    from eliot import log_message, start_action, to_file

    to_file(file)
    start_action(action_type="outer").__enter__()

    def log(number: int) -> None:
        log_message("message", number=number, text="text", ratio=1.5, flag=True)

    return log, file.flush


def _background(file: Any) -> tuple[Callable[[int], object], Callable[[], object]]:
    eliot = importlib.import_module("eliot")
    writer = eliot.BackgroundWriter(eliot.FileDestination(file))
    eliot.add_destinations(writer)
    eliot.start_action(action_type="outer").__enter__()

    def log(number: int) -> None:
        eliot.log_message("message", number=number, text="text", ratio=1.5, flag=True)

    return log, lambda: writer.flush(PATIENCE)


CONTENDERS = {"floor": _floor, "direct": _direct, "background": _background}


def main(contender: str, disk: str, pause: str, path: str, calls: str) -> None:
    """Print the report."""
    file: Any = Path(path).open("ab")  # noqa: SIM115 - open until the end
    log, flush = CONTENDERS[contender](StallingFile(file) if disk == "stalled" else file)
    now = time.perf_counter
    for number in range(1000):
        log(number)
    flush()
    figures = []
    rest = float(pause)
    begun = now()
    for number in range(int(calls)):
        started = now()
        log(number)
        figures.append(now() - started)
        if rest:
            time.sleep(rest)  # the program that logs does something else as well
    flush()
    elapsed = now() - begun
    print(json.dumps({"calls": sorted(figures), "elapsed": elapsed}))


if __name__ == "__main__":
    main(*sys.argv[1:])
