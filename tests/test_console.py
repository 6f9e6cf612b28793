"""Tests of `eliot._console`: what is logged, live and for people."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator, List, Optional

import pytest

import eliot
from eliot import (
    MemoryLogger,
    log_message,
    remove_destination,
    start_action,
    start_task,
    to_console,
)
from eliot._console import Console
from eliot._destinations import PROCESS

#: Ids, times and durations.
VOLATILE = re.compile(r"^\S+ \d\d:\d\d:\d\d\.\d{3}  |  \d[\d.]* (µs|ms|s)")


@contextlib.contextmanager
def console(stream: Any = None, **options: Any) -> Iterator[Console]:
    """Show on the console what is logged meanwhile."""
    destination = to_console(stream, **options)
    try:
        yield destination
    finally:
        remove_destination(destination)


def shown(stream: io.StringIO) -> List[str]:
    """Return the lines without what differs from run to run."""
    return [VOLATILE.sub("", line) for line in stream.getvalue().splitlines()]


class TestConsole:
    """A destination that shows each message."""

    def test_tree(self) -> None:
        """A line is there as soon as its message is logged."""
        stream = io.StringIO()
        with console(stream), start_action(action_type="bake", bread="rye"):
            assert ['▶ bake  bread="rye"'] == shown(stream)

            log_message("oven", celsius=240)

        assert ['▶ bake  bread="rye"', "├─· oven  celsius=240", "└─✓ bake"] == shown(stream)

    def test_removed(self) -> None:
        """It is a destination like any other: when it is removed, it shows nothing more."""
        stream = io.StringIO()
        with console(stream) as destination:
            assert destination in PROCESS._destinations
        log_message("unseen")

        assert "" == stream.getvalue()

    def test_memory_logger(self) -> None:
        """What goes to a logger of its own is not shown."""
        stream, logger = io.StringIO(), MemoryLogger()
        with console(stream), start_action(logger, "quiet"):
            pass

        assert ("", 2) == (stream.getvalue(), len(logger.messages))

    def test_twice(self) -> None:
        """A second call for a stream replaces the first one."""
        stream, other = io.StringIO(), io.StringIO()
        first = to_console(stream)
        with console(other), console(stream):
            log_message("once")

        assert (["· once"], ["· once"]) == (shown(stream), shown(other))
        assert first not in PROCESS._destinations

    def test_values(self) -> None:
        """Values look as in the log, whatever they are, and say nothing to a terminal."""

        class Odd:
            def __str__(self) -> str:
                raise ValueError

            __repr__ = __str__

        stream = io.StringIO()
        with console(stream):
            log_message("odd", path=Path("/x"), text="\x1b[2J", odd=Odd(), big=10**5000, s={1})
        [line] = shown(stream)

        assert line.isprintable()
        assert '· odd  path="/x" text="\\x1b[2J"' in line

    def test_failure(self) -> None:
        """A failed action tells why."""
        stream = io.StringIO()
        with console(stream), contextlib.suppress(KeyError), start_action(action_type="find"):
            raise KeyError("x")

        assert ["▶ find", "└─✗ find  KeyError: 'x'"] == shown(stream)

    def test_tasks(self) -> None:
        """Tasks that take turns can be told apart."""
        stream = io.StringIO()
        with console(stream):
            first, second = start_task(action_type="first"), start_task(action_type="second")
            for task in (first, second):
                task.finish()
        ids = [line.split()[0] for line in stream.getvalue().splitlines()]

        assert [first.task_uuid[:8], second.task_uuid[:8]] * 2 == ids

    def test_no_file(self) -> None:
        """What cannot be written to is refused at once."""
        with pytest.raises(TypeError, match=r"^'out.txt' is not a file: it has no write method$"):
            to_console("out.txt")  # type: ignore[arg-type] # this is the point


class TestStream:
    """Where the lines go."""

    def test_stderr(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """By default they go to standard error, whatever that is at the time."""
        streams = [io.StringIO(), io.StringIO()]
        with console():
            for stream in streams:
                monkeypatch.setattr(sys, "stderr", stream)
                log_message("here")

        assert [["· here"], ["· here"]] == [shown(stream) for stream in streams]

    def test_no_stderr(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A program without a standard error shows nothing."""
        with console() as destination:
            monkeypatch.setattr(sys, "stderr", None)
            destination({"message_type": "unseen"})
            monkeypatch.undo()

    def test_broken(self) -> None:
        """A stream that does not take a line does not disturb the program; it is counted."""
        stream = io.StringIO()
        with console(stream) as destination:
            stream.close()
            log_message("lost")
            [status] = [d for d in eliot.status().destinations if d.destination is destination]

        assert status.failed > 0

    @pytest.mark.parametrize(
        ("encoding", "expected"), [("ascii", r"s=\xe9"), ("latin-1", "s=\xe9"), ("utf-8", "s=\xe9")]
    )
    def test_encoding(self, encoding: str, expected: str) -> None:
        """What the stream cannot write is escaped, and trees are drawn in ASCII then."""
        file = io.BytesIO()
        stream = io.TextIOWrapper(file, encoding)
        with console(stream), start_action(action_type="a", s="\xe9"):
            pass
        text = file.getvalue().decode(encoding)

        assert expected in text.replace('"', "")
        assert ("└─✓ a" if encoding == "utf-8" else "`-+ a") in text

    def terminal(self, columns: Optional[List[int]], **options: Any) -> List[str]:
        """Log as often as there are widths at a real (pseudo-)terminal; return what it shows."""
        outside, inside = pty.openpty()
        with open(inside, "w", encoding="utf-8") as stream, console(stream, **options):
            for width in columns or [0]:
                size = struct.pack("HHHH", 24, width, 0, 0)
                fcntl.ioctl(inside, termios.TIOCSWINSZ, size)
                log_message("say", text="x" * 100)
            text = b""
            while text.count(b"\n") < len(columns or [0]):
                text += os.read(outside, 10_000)
        os.close(outside)
        return text.decode().replace("\r\n", "\n").splitlines()

    def test_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """At a terminal there are colours, and lines are cut at its width, which may change."""
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        lines = self.terminal([60, 80])

        assert [59, 79] == [len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in lines]
        assert "\x1b[" in lines[0]

    def test_no_color(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """NO_COLOR is obeyed, and so is whoever calls."""
        monkeypatch.setenv("NO_COLOR", "1")

        assert "\x1b[" not in self.terminal([60])[0]
        assert "\x1b[" in self.terminal([60], color=True)[0]

    def test_full(self) -> None:
        """Lines are shown whole if that is wanted."""
        [line] = self.terminal([60], full=True, color=False)

        assert len(line) > 100

    def test_unknown_width(self) -> None:
        """A terminal that does not know its width cuts nothing."""
        [line] = self.terminal(None, color=False)

        assert len(line) > 100


class TestThreads:
    """Several at the same time."""

    def test_lines_are_whole(self) -> None:
        """Lines of several threads are never mixed."""
        stream = io.StringIO()

        def speak(number: int) -> None:
            with start_action(action_type="speak", number=number):
                for _ in range(50):
                    log_message("say", text="x" * 50)

        with console(stream), ThreadPoolExecutor(4) as pool:
            list(pool.map(speak, range(4)))
        lines = shown(stream)

        assert 4 * 52 == len(lines)
        assert {"▶", "├", "└"} == {line[0] for line in lines}

    def test_values_that_log_themselves(self) -> None:
        """What logs itself whenever it is shown is stopped."""

        class Logs:
            shown = 0

            def __repr__(self) -> str:
                self.shown += 1
                if self.shown < 100:
                    log_message("inner", x=self)
                return "me"

        stream = io.StringIO()
        with console(stream):
            log_message("outer", x=Logs())
        lines = shown(stream)

        assert '· outer  x="me"' == lines[0]
        assert len(lines) < 10

    def test_reentrant(self) -> None:
        """What is logged while a line is being written comes in a line of its own."""

        class Stream(io.StringIO):
            def write(self, text: str) -> int:
                if "inner" not in text and "outer" in text:
                    destination({"task_uuid": "u", "task_level": [1], "message_type": "inner"})
                return super().write(text)

        stream = Stream()
        with console(stream) as destination:
            log_message("outer")

        assert ["outer", "inner"] == [line.split()[-1] for line in shown(stream)]

    def test_stream_that_logs(self) -> None:
        """A stream that logs whenever it is written keeps nobody for ever, and fills no memory."""

        class Stream(io.StringIO):
            written = 0

            def write(self, text: str) -> int:
                self.written += 1
                if self.written < 9000:  # enough to see it
                    log_message("inner")
                    log_message("inner")
                return super().write(text)

        stream = Stream()
        with console(stream) as destination:
            for _ in range(20):
                log_message("outer")

        assert stream.written < 20 * 200
        assert not destination._waiting

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this interpreter")
    def test_fork(self) -> None:
        """A child that was forked while a line was being written goes on with its own lines."""
        program = (
            "import eliot, os, sys, threading\n"
            "console = eliot.to_console(sys.stdout)\n"
            "console._lock.acquire(); console._busy = True\n"
            "console._waiting.append({})\n"
            "def child():\n"
            "    pid = os.fork()\n"
            "    if not pid:\n"
            "        eliot.log_message('child')\n"
            "        os._exit(0)\n"
            "    os.waitpid(pid, 0)\n"
            "thread = threading.Thread(target=child); thread.start(); thread.join()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, timeout=60
        )

        assert b"child" in done.stdout
        assert b"{}" not in done.stdout

    def test_renewed(self) -> None:
        """What the child makes anew is what another thread of its parent may have had."""
        stream = io.StringIO()
        with console(stream) as destination:
            destination._busy = True
            log_message("waits")
            destination._renew()
            log_message("goes on")

        assert ["· goes on"] == shown(stream)

    def test_deep(self) -> None:
        """Near the recursion limit a message is shown later, and once."""
        stream = io.StringIO()

        def fall(number: int) -> None:
            try:
                fall(number + 1)
            finally:
                if number % 10 == 0:
                    log_message("deep", number=number)

        with console(stream):
            with contextlib.suppress(RecursionError):
                fall(0)
            log_message("above")
        numbers = re.findall(r"deep  number=(\d+)", stream.getvalue())

        assert sorted(map(int, numbers)) == [10 * n for n in range(len(numbers))]


def test_signal() -> None:
    """A signal handler that logs does not disturb the line that is being written."""
    stream = io.StringIO()
    before = signal.signal(signal.SIGUSR1, lambda *_: log_message("signal"))
    try:
        with console(stream):
            for _ in range(20):
                log_message("usual")
                os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert (20, 20) == (shown(stream).count("· usual"), shown(stream).count("· signal"))
