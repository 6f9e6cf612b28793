"""
Count prime numbers on a cluster of two processes, and show what each task did there.

    python dask_primes.py [FOLDER]

Each process logs to a file of its own in the folder (dask_primes unless told otherwise); together
these files are one log.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

from dask.delayed import delayed
from distributed import Client, LocalCluster

from eliot import start_action, to_file
from eliot.dask import compute_with_trace
from eliot.parse import Parser, WrittenAction, WrittenMessage


def log_to(folder: Path) -> None:
    """Log to a file that no other process writes to."""
    to_file((folder / f"{os.getpid()}.log").open("wb"))


def is_prime(number: int) -> bool:
    """Find out the hard way."""
    return number > 1 and all(number % factor for factor in range(2, int(number**0.5) + 1))


def count_primes(start: int, stop: int) -> int:
    """Count the prime numbers in a range."""
    with start_action(action_type="count", start=start, stop=stop) as action:
        found = sum(map(is_prime, range(start, stop)))
        action.add_success_fields(found=found)
        return found


def show(node: WrittenAction | WrittenMessage, indent: str = "") -> None:
    """Print a tree."""
    if isinstance(node, WrittenAction):
        end = node.end_message.contents if node.end_message else {}
        print(f"{indent}{node.action_type} {node.status} {end.get('found', '')}".rstrip())
        for child in node.children:
            show(child, indent + "  ")
    else:
        task = node.contents
        print(f"{indent}{task['message_type']}", task["key"], *task["dependencies"])


def main(folder_name: str = "dask_primes") -> None:
    """Count, then read the log of all processes."""
    folder = Path(folder_name).resolve()
    folder.mkdir(exist_ok=True)
    log_to(folder)
    counts = [
        delayed(count_primes)(start, start + 50_000, dask_key_name=f"primes-{start}")
        for start in range(0, 150_000, 50_000)
    ]
    total = delayed(sum)(counts, dask_key_name="total")

    two_processes = LocalCluster(  # type: ignore[no-untyped-call] # Dask has no types there
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    )
    with two_processes, Client(two_processes) as client:  # type: ignore[no-untyped-call] # as above
        client.register_worker_callbacks(partial(log_to, folder))
        with start_action(action_type="primes"):
            print(*compute_with_trace(total), "primes")

    lines = [line for log in folder.glob("*.log") for line in log.read_text().splitlines()]
    for task in Parser.parse_stream(map(json.loads, lines)):
        show(task.root())


if __name__ == "__main__":
    main(*sys.argv[1:])
