"""Many writers, one file: no line is torn, none is merged with another one, none is missing."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterable

import pytest

from eliot import log_message, to_file

WRITERS = 8
MESSAGES = 2000

#: Writes numbered messages of 10 bytes to 1 MB: most are small, or the log would have 1.4 GB.
PROGRAM = f"""
import multiprocessing, os, random, sys
from eliot import log_message, to_file

FILES = {{
    "path": str,
    "binary": lambda path: open(path, "ab"),
    "text": lambda path: open(path, "a", encoding="utf-8"),
}}

def size(dice, number):
    if number == {MESSAGES} // 2:
        return 1_000_000
    return int(10 ** dice.uniform(1, 6 if number % 100 == 0 else 3))

def write(writer):
    dice = random.Random(writer)
    for number in range({MESSAGES}):
        data = "ab\u00e9"[number % 3] * size(dice, number)
        log_message("numbered", id=[writer, number], data=data)

def open_and_write(kind, writer):
    to_file(FILES[kind]("eliot.log"))
    write(writer)

def main(kind, how):
    if how.isdigit():
        open_and_write(kind, int(how))
        return
    context = multiprocessing.get_context(how)
    if how == "fork":
        to_file(FILES[kind]("eliot.log"))
        processes = [context.Process(target=write, args=(i,)) for i in range({WRITERS})]
    else:
        arguments = [(kind, i) for i in range({WRITERS})]
        processes = [context.Process(target=open_and_write, args=each) for each in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


def check(lines: Iterable[bytes], writers: int, messages: int) -> None:
    """Check that each message of each writer is there once, whole."""
    ids: Counter[Any] = Counter()
    for line in lines:
        message = json.loads(line)
        if message["message_type"] == "numbered":
            ids[tuple(message["id"])] += 1

            assert message["data"] == message["data"][0] * len(message["data"])

    assert ids == {(writer, number): 1 for writer in range(writers) for number in range(messages)}


@pytest.mark.parametrize(("kind", "how"), [("path", "fork"), ("binary", "fork"), ("text", "spawn")])
def test_processes(run_program: Callable[..., Any], tmp_path: Path, kind: str, how: str) -> None:
    """Eight children, forked or spawned, append to one file at the same time."""
    run_program(PROGRAM, kind, how)

    with (tmp_path / "eliot.log").open("rb") as file:
        check(file, WRITERS, MESSAGES)


@pytest.mark.parametrize("kind", ["path", "binary"])
def test_programs(tmp_path: Path, kind: str) -> None:
    """Eight programs that know nothing of each other append to one file at the same time."""
    command = [sys.executable, "-c", PROGRAM, kind]
    programs = [
        subprocess.Popen([*command, str(writer)], cwd=str(tmp_path)) for writer in range(WRITERS)
    ]

    assert [program.wait(60) for program in programs] == [0] * WRITERS
    with (tmp_path / "eliot.log").open("rb") as file:
        check(file, WRITERS, MESSAGES)


def write_from_threads(messages: int, size: int) -> None:
    """Log large messages from eight threads."""

    def write(writer: int) -> None:
        for number in range(messages):
            log_message("numbered", id=[writer, number], data="ab"[number % 2] * size)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))


@pytest.mark.parametrize(
    "open_file",
    [
        str,
        lambda path: path.open("wb"),
        lambda path: path.open("wb", buffering=0),
        lambda path: path.open("w", encoding="utf-8"),
        lambda path: path.open("w", encoding="latin-1"),
        lambda path: gzip.open(path, "wb", 1),  # noqa: SIM115 - the test closes it
    ],
    ids=["path", "binary", "unbuffered", "text", "latin-1", "gzip"],
)
def test_threads(tmp_path: Path, open_file: Callable[[Path], Any]) -> None:
    """Eight threads log messages of 1 MB to one file, of any kind."""
    path = tmp_path / "eliot.log"
    file = open_file(path)
    to_file(file)
    write_from_threads(8, 1_000_000)
    if not isinstance(file, str):
        file.close()

    with (gzip.open if path.read_bytes()[:2] == b"\x1f\x8b" else open)(path, "rb") as written:
        check(written, WRITERS, 8)


@pytest.mark.parametrize("blocking", [True, False])
def test_threads_and_a_pipe(tmp_path: Path, blocking: bool) -> None:
    """Lines that a pipe takes in parts are whole at its other end, whichever thread comes next."""
    reader, writer = os.pipe()
    os.set_blocking(writer, blocking)
    path = tmp_path / "eliot.log"
    with path.open("wb") as target, subprocess.Popen(["cat"], stdin=reader, stdout=target):
        os.close(reader)
        with open(writer, "wb", buffering=0) as file:
            to_file(file)
            write_from_threads(8, 200_000)

    with path.open("rb") as written:
        check(written, WRITERS, 8)
