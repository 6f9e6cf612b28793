"""
Report what a message costs as something grows: `growth.py CONTENDER CURVE FILE BUDGET X...`.

The budget is in messages for each point. Reports a list of points: x, seconds a message, and the
resident memory in megabytes if known.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Iterator

FIELDS = {"number": 1, "text": "text", "ratio": 1.5, "flag": True}

Log = Callable[..., object]


def _resident() -> float | None:
    """Return the memory that this process occupies, in megabytes."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Floor:
    """Build a dictionary, encode, write and flush."""

    def __init__(self) -> None:
        self.dumps = importlib.import_module("orjson").dumps
        self.files: list[Any] = []
        self.task_uuid = str(uuid.uuid4())
        self.parent: list[int] = []

    def to(self, path: str) -> None:
        """Write to one more file."""
        self.files.append(Path(path).open("ab"))  # noqa: SIM115 - open until the end

    @contextlib.contextmanager
    def inside(self, depth: int) -> Iterator[None]:
        """Write messages at this depth."""
        self.parent = [2] * depth
        yield

    def log(self, message_type: str, **fields: Any) -> None:
        """Write a message."""
        fields["message_type"] = message_type
        fields["timestamp"] = time.time()
        fields["task_uuid"] = self.task_uuid
        fields["task_level"] = [*self.parent, 1]
        line = self.dumps(fields) + b"\n"
        for file in self.files:
            file.write(line)
            file.flush()


class Eliot:
    """An Eliot, this one or the published one."""

    def __init__(self) -> None:
        self.eliot = importlib.import_module("eliot")
        self.log: Log = self.eliot.log_message

    def to(self, path: str) -> None:
        """Write to one more file."""
        self.eliot.to_file(Path(path).open("ab"))  # noqa: SIM115 - open until the end

    @contextlib.contextmanager
    def inside(self, depth: int) -> Iterator[None]:
        """Write messages at this depth."""
        with contextlib.ExitStack() as stack:
            for _ in range(depth):
                stack.enter_context(self.eliot.start_action(action_type="action"))
            yield


CONTENDERS: dict[str, Callable[[], Floor | Eliot]] = {"floor": Floor, "eliot": Eliot}


def _timed(log: Log, times: int, fields: dict[str, Any]) -> float:
    """Log so many messages; return the seconds for each."""
    started = time.perf_counter()
    for _ in range(times):
        log("message", **fields)
    return (time.perf_counter() - started) / times


def by_messages(speaker: Floor | Eliot, path: str, budget: int, steps: list[int]) -> Iterator[Any]:
    """Log one message after the other in one action; the steps are where figures are taken."""
    speaker.to(path)
    done = 0
    with speaker.inside(1):
        _timed(speaker.log, budget, FIELDS)
        for step in steps:
            os.truncate(path, 0)
            seconds = _timed(speaker.log, step - done, FIELDS)
            done = step
            yield [step, seconds, _resident()]


def by_threads(speaker: Floor | Eliot, path: str, budget: int, steps: list[int]) -> Iterator[Any]:
    """Share the messages between threads, each with an action of its own."""
    speaker.to(path)
    for threads in steps:
        barrier = threading.Barrier(threads + 1)
        share = budget // threads

        def run(barrier: threading.Barrier = barrier, share: int = share) -> None:
            with speaker.inside(1):
                barrier.wait()
                _timed(speaker.log, share, FIELDS)

        running = [threading.Thread(target=run) for _ in range(threads)]
        for thread in running:
            thread.start()
        barrier.wait()
        started = time.perf_counter()
        for thread in running:
            thread.join()
        seconds = (time.perf_counter() - started) / (share * threads)
        yield [threads, seconds, _resident()]


def by_depth(speaker: Floor | Eliot, path: str, budget: int, steps: list[int]) -> Iterator[Any]:
    """Log in the innermost of so many actions."""
    speaker.to(path)
    for depth in steps:
        os.truncate(path, 0)
        with speaker.inside(depth):
            yield [depth, _timed(speaker.log, budget, FIELDS), _resident()]


def by_fields(speaker: Floor | Eliot, path: str, budget: int, steps: list[int]) -> Iterator[Any]:
    """Log messages with so many fields."""
    speaker.to(path)
    with speaker.inside(1):
        for count in steps:
            os.truncate(path, 0)
            fields = {f"field{number}": number for number in range(count)}
            yield [count, _timed(speaker.log, budget, fields), _resident()]


def by_destinations(
    speaker: Floor | Eliot, path: str, budget: int, steps: list[int]
) -> Iterator[Any]:
    """Log to so many files."""
    there = 0
    with speaker.inside(1):
        for count in steps:
            for number in range(there, count):
                speaker.to(f"{path}.{number}")
            there = count
            for number in range(there):
                os.truncate(f"{path}.{number}", 0)
            yield [count, _timed(speaker.log, budget, FIELDS), _resident()]
    for number in range(there):
        Path(f"{path}.{number}").unlink()


CURVES = {
    "messages": by_messages,
    "threads": by_threads,
    "depth": by_depth,
    "fields": by_fields,
    "destinations": by_destinations,
}


def main(contender: str, curve: str, path: str, budget: str, *steps: str) -> None:
    """Print the report."""
    points = CURVES[curve](CONTENDERS[contender](), path, int(budget), [int(x) for x in steps])
    print(json.dumps(list(points)))


if __name__ == "__main__":
    main(*sys.argv[1:])
