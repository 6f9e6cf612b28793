"""SIGKILL: every message whose logging call has returned is in the log."""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Callable, Dict

import pytest

from eliot import log_message, to_file
from eliot.parse import BadLine, read_lines

KINDS: Dict[str, Callable[[Path], object]] = {
    "path": str,
    "binary": lambda path: path.open("ab"),
    "unbuffered": lambda path: path.open("wb", buffering=0),
    "text": lambda path: path.open("w", encoding="utf-8"),
}

ROUNDS = 60


def log_for_ever(file: object, returned: mmap.mmap, size: int) -> None:
    """Log numbered messages, and count those whose logging call has returned."""
    to_file(file)
    data = "x" * size
    for number in count(1):
        log_message("numbered", number=number, data=data)
        struct.pack_into("q", returned, 0, number)


@pytest.mark.parametrize("kind", KINDS)
def test_kill_at_a_random_moment(tmp_path: Path, kind: str) -> None:
    """What was logged before SIGKILL is there, whole; at most the last line is cut."""
    dice = random.Random(kind)  # noqa: S311 - not for secrets
    returned = mmap.mmap(-1, 8)
    for round_ in range(ROUNDS):
        path = tmp_path / f"{round_}.log"
        returned[:] = bytes(8)
        size = dice.choice([10, 1000, 200_000])
        enough = dice.randrange(100 if size < 10_000 else 4)
        child = os.fork()
        if not child:
            try:
                log_for_ever(KINDS[kind](path), returned, size)
            finally:
                os._exit(1)
        while struct.unpack_from("q", returned)[0] < enough:
            assert os.waitpid(child, os.WNOHANG) == (0, 0)
        for _ in range(dice.randrange(1000)):  # somewhere in the middle of another one
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lines = path.read_bytes() if path.exists() else b""
        with path.open("ab+") as file:
            file.seek(0)
            items = list(read_lines(file))
        if not lines.endswith(b"\n") and lines:
            cut = items.pop()

            assert isinstance(cut, BadLine)
            assert cut.is_cut()
        numbers = [item["number"] for item in items if not isinstance(item, BadLine)]

        assert numbers == list(range(1, len(items) + 1))
        assert {len(json.loads(line)["data"]) for line in lines.split(b"\n")[:-1]} <= {size}
        assert len(numbers) >= struct.unpack_from("q", returned)[0] >= enough
        path.unlink()


def test_readers_say_that_the_last_line_is_cut(tmp_path: Path) -> None:
    """The lines before one that is cut are read, and it is told of."""
    path = tmp_path / "eliot.log"
    with path.open("wb") as file:
        to_file(file)
        log_message("first")
        log_message("second")
    lines = path.read_bytes()
    shown = subprocess.run(
        [sys.executable, "-m", "eliot.prettyprint", "--compact"],
        check=True,
        input=lines[:-10],
        capture_output=True,
    )

    assert b'message_type="first"' in shown.stdout
    assert b"Not JSON: " in shown.stdout
    assert b"line 2: not JSON" in shown.stderr
