"""What the tests of faults share: a ledger of what was logged, and programs of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple, Union

import pytest

import eliot
from eliot.parse import Parser, WrittenAction, WrittenMessage

Message = Dict[str, Any]

#: After so many seconds a program hangs.
TIMEOUT = 60


def tell(node: Union[WrittenAction, WrittenMessage], indent: str = "") -> Iterator[str]:
    """Tell a tree line by line."""
    if isinstance(node, WrittenMessage):
        yield indent + str(node.contents["message_type"])
        return
    yield f"{indent}{node.action_type} {node.exception or node.status}"
    for child in node.children:
        yield from tell(child, indent + "  ")


def place(message: Message) -> Tuple[str, Tuple[int, ...]]:
    """Name the place of a message, which no other one has."""
    return message["task_uuid"], tuple(message["task_level"])


class Ledger:
    """All messages that a program has logged, by a destination that never fails."""

    def __init__(self) -> None:
        self.messages: List[Message] = []
        self.stderr = ""

    def open(self) -> None:
        """Write down what is logged from now on; the destination to be audited has been added."""
        eliot.add_destinations(self.messages.append)

    def audit(self, lines: bytes, *, torn: bool = False, untold: int = 0, outages: int = 1) -> int:
        """
        Check that what is missing in a log is counted and said.

        Args:
            lines: The log.
            torn: Whether it may hold starts of lost lines, for nothing can be cut off there.
            untold: How many lost messages the log need not tell of, since it never worked again.
            outages: How many there were; it may have been more, between which a small message
                found room, and is told so after them.

        Returns:
            How many messages are lost.
        """
        assert lines == b"" or lines.endswith(b"\n")
        written: List[Message] = []
        bad = 0
        for line in lines.splitlines():
            try:
                written.append(json.loads(line))
            except ValueError:
                bad += 1
        told = [message for message in written if message.get("message_type") == "eliot:lost"]
        kept = {place(message) for message in written if message not in told}
        failure = "eliot:destination_failure"
        logged = [each for each in self.messages if each.get("message_type") != failure]
        lost = [message for message in logged if place(message) not in kept]
        kinds: Counter[str] = Counter()
        for report in told:
            kinds.update(report["types"])
            times = {message["timestamp"] for message in lost}

            assert report["first"] in times
            assert report["last"] in times
            assert report["count"] == sum(report["types"].values())
        status = eliot.status().destinations[0]
        reports = len(self.messages) - len(logged)

        assert bad <= (len(lost) if torn else 0)
        assert len(kept) == len(written) - len(told)  # none is there twice
        assert sum(kinds.values()) + untold == len(lost)
        if not untold:
            assert kinds == Counter(
                each.get("message_type", each.get("action_type")) for each in lost
            )
            assert [min(m["timestamp"] for m in lost), max(m["timestamp"] for m in lost)] == [
                min(report["first"] for report in told),
                max(report["last"] for report in told),
            ]
        assert reports == len(lost)
        assert status.written == len(kept)
        assert status.written + status.failed == len(self.messages)
        assert outages <= self.stderr.count("cannot write to") <= max(outages, len(told))
        return len(lost)


@pytest.fixture
def ledger(capsys: pytest.CaptureFixture[str]) -> Iterator[Ledger]:
    """Write down what is logged, and what is said on stderr."""

    class WithStderr(Ledger):
        def audit(self, lines: bytes, **expected: Any) -> int:
            self.stderr += capsys.readouterr().err
            return super().audit(lines, **expected)

    yield WithStderr()
    for status in eliot.status().destinations:
        with suppress(AttributeError):  # the ledger has no file
            status.destination.file.close()  # type: ignore[attr-defined] # see above

    assert "Traceback" not in capsys.readouterr().err


@pytest.fixture
def run_program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program of its own, in an empty folder; one that hangs is ended and fails."""

    def run(program: str, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(program), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", str(path), *arguments],
            cwd=str(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, errors = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGABRT)  # its children, too; each tells where it was
            output, errors = process.communicate()

        assert process.returncode == status, errors
        return subprocess.CompletedProcess(process.args, status, output, errors)

    return run


@pytest.fixture
def log(tmp_path: Path) -> Callable[[], List[Message]]:
    """Read the log of a program, in which nothing is there twice."""

    def read() -> List[Message]:
        lines = (tmp_path / "eliot.log").read_bytes()
        messages = [json.loads(line) for line in lines.splitlines()]

        assert lines.endswith(b"\n")
        assert len({place(message) for message in messages}) == len(messages)
        return messages

    return read


@pytest.fixture
def trees(log: Callable[[], List[Message]]) -> Callable[[], List[List[str]]]:
    """Tell the tasks in the log of a program line by line, in some order."""

    def read() -> List[List[str]]:
        return sorted([*tell(task.root())] for task in Parser.parse_stream(log()))

    return read


@pytest.fixture(scope="session")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a disk of 256 KiB in memory."""
    path = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=777", "tmpfs", str(path)]
    if (
        os.name != "posix"
        or subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode
    ):
        pytest.skip("no disk can be mounted on this interpreter's machine")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)
