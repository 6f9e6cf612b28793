"""
Write a log of a given shape: `logs.py SHAPE MESSAGES FILE`.

`flat` are tasks of ten messages; `wide` are tasks of 10,000; `deep-N` are N actions in one another;
`lone` are messages outside any action, each a task of its own; `one` is a task with all messages in
one action; `parts` is a task of actions with one message each.
`busy` is one task, in which ten workers do one job after the other at the same time.
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path
from typing import Callable, Iterator

BEGIN = 1443193754.0


def line(number: int, task: int, level: str, fields: str) -> str:
    """Make a line of a log; the level is what is between the brackets."""
    timestamp = BEGIN + number * 1e-4
    task_uuid = f"7beb23d6-11ee-407c-b43f-{task:012x}"
    place = f'"timestamp":{timestamp:.6f},"task_uuid":"{task_uuid}","task_level":[{level}]'
    return f"{{{fields},{place}}}\n"


def _start(number: int) -> str:
    return f'"number":{number},"path":"/","action_type":"request","action_status":"started"'


def _message(number: int) -> str:
    return f'"number":{number},"text":"text","ratio":1.5,"flag":true,"message_type":"step"'


def _end(number: int) -> str:
    return f'"size":{number},"action_type":"request","action_status":"succeeded"'


def wide_task(width: int) -> Callable[[int, int], Iterator[str]]:
    """Make tasks of one action with so many messages, start and end included."""

    def lines(number: int, task: int) -> Iterator[str]:
        yield line(number, task, "1", _start(number))
        for position in range(2, width):
            number += 1
            yield line(number, task, f"{position}", _message(number))
        yield line(number + 1, task, f"{width}", _end(number))

    return lines


def deep_task(depth: int) -> Callable[[int, int], Iterator[str]]:
    """Make tasks of so many actions in one another."""
    parents = ["2," * at for at in range(depth)]

    def lines(number: int, task: int) -> Iterator[str]:
        for parent in parents:
            yield line(number, task, f"{parent}1", _start(number))
            number += 1
        for at, parent in enumerate(reversed(parents)):
            # The innermost action has nothing between its start and its end.
            yield line(number, task, f"{parent}{3 if at else 2}", _end(number))
            number += 1

    return lines


def lone_task(number: int, task: int) -> Iterator[str]:
    """Make a task of one message."""
    yield line(number, task, "1", _message(number))


def task_of_parts(messages: int) -> Callable[[int, int], Iterator[str]]:
    """Make tasks of an action with as many small ones in it as so many messages make."""

    def lines(number: int, task: int) -> Iterator[str]:
        yield line(number, task, "1", _start(number))
        position = 2
        for at in range(number + 1, number + messages - 1, 3):
            yield line(at, task, f"{position},1", _start(at))
            yield line(at + 1, task, f"{position},2", _message(at + 1))
            yield line(at + 2, task, f"{position},3", _end(at + 2))
            position += 1
        yield line(number + messages, task, f"{position}", _end(number + messages))

    return lines


def busy_task(messages: int) -> Callable[[int, int], Iterator[str]]:
    """Make a task of so many messages, all of which begin or end actions."""
    workers = range(2, 12)

    def lines(number: int, task: int) -> Iterator[str]:
        numbers = count(number)
        yield line(next(numbers), task, "1", _start(0))
        for worker in workers:
            yield line(next(numbers), task, f"{worker},1", _start(worker))
        jobs = range(2, 3 + messages // (8 * len(workers)))
        for job in jobs:
            # Each takes its turn, so that all are at it.
            for worker in workers:
                yield line(next(numbers), task, f"{worker},{job},1", _start(job))
            for step in range(2, 5):
                for worker in workers:
                    place = f"{worker},{job},{step}"
                    yield line(next(numbers), task, f"{place},1", _start(step))
                for worker in workers:
                    place = f"{worker},{job},{step}"
                    yield line(next(numbers), task, f"{place},2", _end(step))
            for worker in workers:
                yield line(next(numbers), task, f"{worker},{job},5", _end(job))
        for worker in workers:
            yield line(next(numbers), task, f"{worker},{2 + len(jobs)}", _end(worker))
        yield line(next(numbers), task, "12", _end(0))

    return lines


def log(shape: str, messages: int) -> Iterator[str]:
    """Give the lines of a log of whole tasks, with about so many messages."""
    kind, _, depth = shape.partition("-")
    lines = {
        "flat": wide_task(10),
        "wide": wide_task(10_000),
        "one": wide_task(messages),
        "deep": deep_task(int(depth or 1)),
        "lone": lone_task,
        "parts": task_of_parts(messages),
        "busy": busy_task(messages),
    }[kind]
    number = task = 0
    while number < messages:
        for text in lines(number, task):
            yield text
            number += 1
        task += 1


def main(shape: str, messages: str, path: str) -> None:
    """Write the log."""
    with Path(path).open("w", encoding="ascii") as file:
        file.writelines(log(shape, int(messages)))
    print("null")


if __name__ == "__main__":
    main(*sys.argv[1:])
