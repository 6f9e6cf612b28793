"""What tests of the command share: logs, the command itself, and a terminal to run it at."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path
from threading import Thread
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import click
import pytest

from eliot.cli import _group, main
from eliot.cli._options import Session, log_command

#: What a terminal obeys.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


class Answer(NamedTuple):
    """What a command wrote to standard output and error, and its exit status."""

    text: str
    errors: str
    status: int


Command = Callable[..., Answer]
Use = Callable[[Callable[[Session], object]], None]


def called(arguments: List[str]) -> int:
    """Run the command in this process; return its exit status."""
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing of the environment that the tests run in decide on output."""
    for name in ("COLUMNS", "LINES", "NO_COLOR", "PAGER", "LESS", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def eliot(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs the command `eliot`, without a terminal."""

    def run(*arguments: Any, stdin: Optional[bytes] = b"", encoding: str = "utf-8") -> Answer:
        buffers = [io.BytesIO(data) for data in (stdin or b"", b"", b"")]
        texts = [io.TextIOWrapper(buffer, encoding=encoding) for buffer in buffers]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["eliot", *map(str, arguments)])
            for name, file in zip(("stdin", "stdout", "stderr"), texts):
                patch.setattr(sys, name, file)
            if stdin is None:
                patch.setattr(sys, "stdin", None)
            status = called(sys.argv)
        for file in texts[1:]:
            file.flush()
        text, errors = (buffer.getvalue().decode(encoding) for buffer in buffers[1:])
        return Answer(text, errors, status)

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Command:
    """
    Return a function that runs the command `eliot` at a real (pseudo-)terminal.

    Standard output and error are the same terminal then, as for people; `errors` is empty.
    """

    def run(
        *arguments: Any,
        columns: int = 80,
        lines: int = 24,
        encoding: str = "utf-8",
        stdout: Any = None,
        before: Callable[[], object] = lambda: None,
    ) -> Answer:
        outside, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        shown: List[bytes] = []
        thread = Thread(target=drain, args=(outside, shown))
        thread.start()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["eliot", *map(str, arguments)])
            files = [open(os.dup(inside), "w", encoding=encoding) for _ in range(2)]  # noqa: SIM115 - closed below
            files.append(open(os.dup(inside), encoding=encoding))  # noqa: SIM115 - so is this
            patch.setattr(sys, "stdout", stdout or files[0])
            patch.setattr(sys, "stderr", files[1])
            patch.setattr(sys, "stdin", files[2])
            # What a pager inherits.
            kept = [os.dup(number) for number in (0, 1, 2)]
            for number in (0, 1, 2):
                os.dup2(inside, number)
            try:
                before()
                status = called(sys.argv)
            finally:
                for file in files:
                    file.close()
                for number, copy in enumerate(kept):
                    os.dup2(copy, number)
                    os.close(copy)
        os.close(inside)
        thread.join()
        os.close(outside)
        return Answer(b"".join(shown).decode(encoding), "", status)

    return run


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Return a function that makes the command `eliot probe` of a function."""

    def add(function: Callable[[Session], object]) -> None:
        @log_command
        @click.option("--own", help="An option of its own.")
        def probe(session: Session, own: str) -> None:
            """Do whatever the test wants."""
            function(session)

        monkeypatch.setitem(_group.COMMANDS, "probe", ("probe", "Do it."))
        module = type(sys)("eliot.cli.probe")
        module.probe = probe  # type: ignore[attr-defined] # it is made here
        monkeypatch.setitem(sys.modules, "eliot.cli.probe", module)

    return add


def drain(outside: int, shown: List[bytes]) -> None:
    """Read what a terminal shows until nobody has it open any more."""
    while True:
        try:
            data = os.read(outside, 1 << 16)
        except OSError:  # so Linux says that it was closed
            return
        if not data:
            return
        shown.append(data)


def message(uuid: str, *level: int, **more: Any) -> Dict[str, Any]:
    """Make a message, which is plain if nothing else is said."""
    kind = {} if "action_type" in more else {"message_type": "m"}
    fields = {"task_uuid": uuid, "task_level": list(level), "timestamp": 1700000000.0}
    return {**fields, **kind, **more}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log of two tasks: one failed, one was not ended."""
    messages = [
        message("aa11", 1, action_type="request", action_status="started", url="/api"),
        message("aa11", 2, 1, action_type="query", action_status="started", timestamp=1700000000.5),
        message("aa11", 2, 2, rows=3, log_level="info", timestamp=1700000001),
        message(
            *("aa11", 2, 3),
            action_type="query",
            action_status="failed",
            exception="builtins.ValueError",
            reason="no\x1b[31m",
            timestamp=1700000001.5,
        ),
        message("bb22", 1, action_type="request", action_status="started", url="/\u00e9"),
        message("aa11", 3, action_type="request", action_status="failed", timestamp=1700000002),
    ]
    path = tmp_path / "app.log"
    path.write_bytes(b"".join(json.dumps(fields).encode() + b"\n" for fields in messages))
    return path
