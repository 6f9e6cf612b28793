"""Tests of the command at a real (pseudo-)terminal: progress, pager, what is shown when."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from eliot._inputs import Problem
from eliot.cli import _progress
from eliot.cli._options import Session

Command = Callable[..., Any]
Use = Callable[[Callable[[Session], object]], None]

#: A pager that shows what it gets, and that it was there.
PAGER = f"{sys.executable} -c \"import sys; [print('paged', line, end='') for line in sys.stdin]\""

LINE = '{"task_uuid":"%d","task_level":[1],"timestamp":%d,"message_type":"m%d"}\n'


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Return a log with messages of fifty types."""
    path = tmp_path / "many.log"
    path.write_text("".join(LINE % (n, n, n) for n in range(50)))
    return path


def lines_of(answer: Any) -> List[str]:
    """Return the lines that a terminal shows."""
    text: str = answer.text.replace("\r\n", "\n")
    return text.splitlines()


class TestPager:
    """What is longer than the screen."""

    @pytest.fixture(autouse=True)
    def _patient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Show no progress, however slow the machine is."""
        monkeypatch.setattr(_progress, "_PATIENCE", 600.0)

    def test_goes_to_a_pager(
        self, terminal: Command, many: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The pager of the environment shows everything from the first line on."""
        monkeypatch.setenv("PAGER", PAGER)
        lines = lines_of(terminal("stats", many))

        assert 50 < len(lines)
        assert all(line.startswith("paged ") for line in lines)
        assert "paged 50 tasks" == lines[0]

    def test_does_not_if_it_fits(
        self, terminal: Command, many: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What fits the screen, to the last line, is shown as it is."""
        monkeypatch.setenv("PAGER", PAGER)
        height = len(lines_of(terminal("stats", many)))

        assert "50 tasks" == lines_of(terminal("stats", many, lines=height + 1))[0]
        assert "paged 50 tasks" == lines_of(terminal("stats", many, lines=height))[0]

    @pytest.mark.parametrize("options", [["--no-pager"], ["--json"]])
    def test_can_do_without(
        self, options: List[str], terminal: Command, many: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On demand, and in JSON, there is no pager."""
        monkeypatch.setenv("PAGER", PAGER)

        assert "paged" not in terminal("stats", many, *options, lines=1).text

    @pytest.mark.parametrize("pager", ["", "cat", "no-such-pager -R"])
    def test_does_without_if_there_is_none(
        self, pager: str, terminal: Command, many: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the pager is turned off, or missing, everything is shown at once."""
        monkeypatch.setenv("PAGER", pager)

        assert 50 < len(lines_of(terminal("stats", many)))

    def test_may_be_left_early(
        self, terminal: Command, many: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who leaves the pager has seen enough; that is no error."""
        many.write_text("".join(LINE % (n, n, n) for n in range(20_000)))
        monkeypatch.setenv("PAGER", "head -n 1")
        answer = terminal("stats", many)

        assert (["20,000 tasks"], 0) == (lines_of(answer), answer.status)

    def test_shows_problems_in_place(
        self, terminal: Command, many: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Bad lines are among the rest there, instead of anywhere on the screen."""
        with many.open("a") as file:
            file.write("oops\n" * 30)
        monkeypatch.setenv("PAGER", PAGER)
        lines = lines_of(terminal("stats", many))

        assert f"{many}:51: not JSON: oops" == lines[0]
        assert "paged 50 tasks" == lines[30]

    def test_keeps_the_order(
        self, terminal: Command, many: Path, use: Use, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is reported after something was held back comes after it, in a pager or not."""

        def show(session: Session) -> None:
            session.write("first\n")
            session.report(Problem("a", 1, "second"))
            session.console.print("third")
            session.report(Problem("a", 1, "fourth"))
            session.console.print("fifth")

        monkeypatch.setenv("PAGER", PAGER)
        use(show)
        expected = ["first", "a:1: second", "third", "a:1: fourth", "fifth"]

        assert expected == lines_of(terminal("probe", many))
        assert expected == lines_of(terminal("probe", many, "--no-pager"))
        assert [f"paged {line}" for line in expected] == lines_of(terminal("probe", many, lines=4))

    def test_is_less_by_default(
        self, terminal: Command, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without any PAGER it is `less`, with the options that git gives to it."""
        less = tmp_path / "less"
        less.write_text('#!/bin/sh\necho "less $LESS $LV"\n')
        less.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

        assert "less FRX -c" == lines_of(terminal("stats", many))[0]

    def test_outlives_an_interrupt(
        self, terminal: Command, many: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who interrupts what is in the pager is not thrown out of it."""
        monkeypatch.setenv("PAGER", PAGER)
        wait = subprocess.Popen.wait
        waits: List[Any] = []

        def interrupted(self: Any) -> Any:
            waits.append(self)
            if len(waits) < 3:
                raise KeyboardInterrupt
            return wait(self)

        monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
        answer = terminal("stats", many)

        assert (3, 0) == (len(waits), answer.status)
        assert "paged 50 tasks" == lines_of(answer)[0]


class TestProgress:
    """What is shown while a log is read."""

    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Show progress at once, often."""
        monkeypatch.setattr(_progress, "_PATIENCE", 0.0)
        monkeypatch.setattr(_progress, "_INTERVAL", 0.001)

    @pytest.fixture
    def long(self, tmp_path: Path) -> Path:
        """Return a log that takes a while."""
        path = tmp_path / "long.log"
        path.write_text("".join(LINE % (n, n, n % 9) for n in range(30_000)))
        return path

    def test_is_shown_and_taken_away(self, terminal: Command, long: Path) -> None:
        """At a terminal there is a bar, which is gone before the answer is shown."""
        text = terminal("stats", long).text
        before, _, after = text.partition("30,000 tasks")

        assert "reading" in before
        assert "%" in before or "MB" in before
        assert "\x1b[2K" in before
        assert "reading" not in after

    def test_goes_with_an_answer_to_a_file(self, terminal: Command, long: Path) -> None:
        """The bar is on standard error, so the answer may go anywhere."""
        answer = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        shown = terminal("stats", long, stdout=answer)
        answer.seek(0)

        assert "reading" in shown.text
        assert "30,000 tasks" not in shown.text
        assert "30,000 tasks\n" == answer.readline()

    def test_lets_problems_through(self, terminal: Command, long: Path, use: Use) -> None:
        """Bad lines are shown as they are, and as a whole, above the bar."""
        name = "a[red]" * 30

        def show(session: Session) -> None:
            with session.progress(session.log) as progress:
                while progress._console is None:
                    progress._done.wait(0.001)
                session.report(Problem(name, 1, ":bug: 3"))
            session.report(Problem(name, 2, "later"))

        use(show)
        text = terminal("probe", long).text

        assert f"{name}:1: :bug: 3\r\n" in text
        assert f"{name}:2: later\r\n" in text

    def test_is_not_shown_elsewhere(self, eliot: Command, long: Path) -> None:
        """Without a terminal there is none."""
        assert "" == eliot("stats", long).errors

    def test_is_not_shown_for_small_logs(
        self, terminal: Command, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is read in a moment needs none."""
        monkeypatch.setattr(_progress, "_PATIENCE", 60.0)

        assert "reading" not in terminal("stats", log).text


def test_a_real_process_at_a_terminal(log: Path) -> None:
    """The command, started as people do, has colours at a terminal and none in a pipe."""
    import pty

    command = [sys.executable, "-m", "eliot.cli", "stats", str(log)]
    outside, inside = pty.openpty()
    with subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside):
        os.close(inside)
        shown = b"".join(read_all(outside))
    piped = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout

    assert b"\x1b[31m" in shown
    assert b"\x1b" not in piped
    assert b"request" in shown


def read_all(outside: int) -> Iterator[bytes]:
    """Read what a terminal shows until nobody has it open."""
    while True:
        try:
            data = os.read(outside, 1 << 16)
        except OSError:
            data = b""
        if not data:
            os.close(outside)
            return
        yield data
