"""
Write a log of a given shape: `logs.py SHAPE MESSAGES FILE`.

`flat` are tasks of ten messages; `wide` are tasks of 10,000; `deep-N` are N actions in one another;
`lone` are messages outside any action, each a task of its own.
"""

from __future__ import annotations

import sys
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


def log(shape: str, messages: int) -> Iterator[str]:
    """Give the lines of a log of whole tasks, with about so many messages."""
    kind, _, depth = shape.partition("-")
    lines = {
        "flat": wide_task(10),
        "wide": wide_task(10_000),
        "deep": deep_task(int(depth or 1)),
        "lone": lone_task,
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
