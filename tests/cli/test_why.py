"""`eliot why`: what it says, in which form, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from click.testing import CliRunner

import eliot
from eliot.cli._group import group

Message = Dict[str, Any]

#: Where the package is.
ROOT = str(Path(eliot.__file__).parents[1])

#: 2023-11-14 22:13:20 UTC
NOW = 1_700_000_000.0


def started(kind: str, level: List[int], at: float = 0.0, **fields: Any) -> Message:
    """Start an action."""
    status = {"action_type": kind, "action_status": "started"}
    return {"task_uuid": "u1", "task_level": [*level, 1], "timestamp": NOW + at, **status, **fields}


def ended(kind: str, level: List[int], at: float = 0.0, **fields: Any) -> Message:
    """End an action: well, or with an exception."""
    status = "failed" if "exception" in fields else "succeeded"
    place = {"task_uuid": "u1", "task_level": level, "timestamp": NOW + at}
    return {**place, "action_type": kind, "action_status": status, **fields}


def said(kind: str, level: List[int], at: float = 0.0, **fields: Any) -> Message:
    """Log a message."""
    place = {"task_uuid": "u1", "task_level": level, "timestamp": NOW + at}
    return {**place, "message_type": kind, **fields}


def of(uuid: str, *messages: Message) -> List[Message]:
    """Put messages into another task."""
    return [{**message, "task_uuid": uuid} for message in messages]


LOST: Message = {"exception": "app.ConnectionLost", "reason": "by peer"}
NO_PAGE: Message = {"exception": "builtins.RuntimeError", "reason": "no page"}

SERVE: List[Message] = [
    started("serve", [], path="/"),
    said("route", [2], 0.125, handler="front"),
    started("render", [3], 0.25),
    started("query", [3, 2], 0.375, sql="select 1"),
    said("connect", [3, 2, 2], 0.5, host="db1"),
    ended("query", [3, 2, 3], 1.0, **LOST, errno=104),
    ended("render", [3, 3], 1.25, **LOST, errno=104),
    said("eliot:traceback", [4], 1.5, **NO_PAGE, traceback="Traceback:\n  File x\nno page"),
    ended("serve", [5], 2.0, **NO_PAGE),
]


def write(folder: Path, *messages: Message) -> str:
    """Write a log; return its path."""
    path = folder / "app.log"
    path.write_text("".join(f"{json.dumps(message)}\n" for message in messages))
    return str(path)


def run(*arguments: str) -> Tuple[int, str]:
    """Run the command in this process; return its exit status and its output."""
    done = CliRunner().invoke(group, ["why", *arguments], catch_exceptions=False)
    return done.exit_code, done.output


class TestText:
    """The answer for people."""

    def test_one(self, tmp_path: Path) -> None:
        """A failure is told with its way, what came before, and its traceback."""
        expected = """\
Failures: 1

✗ app.ConnectionLost: by peer
  in serve > render > query
  once, 2023-11-14 22:13:21 UTC
  task u1

22:13:20.000  ✗ serve  2.00 s  RuntimeError: no page  path="/"
22:13:20.125  ├─· route  handler="front"
22:13:20.250  └─✗ render  1.00 s  failed of it  → errno=104
22:13:20.375    └─✗ query  625 ms  raised it  sql="select 1"  → errno=104
22:13:20.500      └─· connect  host="db1"
                Traceback:
                  File x
                no page
"""

        assert (0, expected) == run(write(tmp_path, *SERVE))

    def test_where_it_ended(self, tmp_path: Path) -> None:
        """Where an action ended is shown if that was elsewhere than where it began."""
        log = [
            started("serve", [], thread="T", host="a"),
            started("query", [2], thread="T"),
            ended("query", [2, 2], **LOST, thread="U", errno=104),
            ended("serve", [3], **LOST, thread="T", host="a"),
        ]
        _, text = run(write(tmp_path, *log))

        assert 'failed of it  thread="T" host="a"\n' in text
        assert 'raised it  thread="T"  → thread="U" errno=104\n' in text

    def test_before(self, tmp_path: Path) -> None:
        """How much of what came before is told can be chosen."""
        _, text = run(write(tmp_path, *SERVE), "--before", "1")

        assert "connect" in text
        assert "route" not in text

    def test_ascii(self, tmp_path: Path) -> None:
        """Where nothing but ASCII can be shown nothing else is."""
        _, text = run(write(tmp_path, *SERVE), "--ascii")

        assert text.isascii()
        assert "22:13:20.375    `-X query  625 ms  raised it" in text

    def test_colors(self, tmp_path: Path) -> None:
        """Colours are added if they are wanted."""
        _, text = run(write(tmp_path, *SERVE), "--color", "always")

        assert "\x1b[1;31m✗ app.ConnectionLost: by peer\x1b[0m\n" in text
        assert "\x1b[32mhandled it" not in text

    def test_hostile(self, tmp_path: Path) -> None:
        """What a terminal obeys is escaped, wherever it is."""
        evil = "\x1b[31m\u202e\n"
        log = [
            started(f"a{evil}", [], 0, **{f"f{evil}": evil}),
            said(f"m{evil}", [2], 0, **{f"f{evil}": evil}),
            ended(
                f"a{evil}", [3], exception=f"e{evil}", reason=evil, traceback=f"t{evil}u", x=evil
            ),
        ]
        _, text = run(write(tmp_path, *of(f"u{evil}", *log)))

        assert "\x1b" not in text
        assert "\u202e" not in text
        assert 9 <= text.count(r"\x1b[31m")

    def test_width(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Lines are cut at the width of the screen, but for that of the failed action."""
        log = [
            started("top", [], x="x" * 200),
            started("long" * 50, [2], y="y" * 200),
            ended("long" * 50, [2, 2], **LOST),
            ended("top", [3], **LOST),
            *of("u2", started("other", []), ended("other", [2], **LOST)),
        ]
        path = write(tmp_path, *log)
        monkeypatch.setenv("COLUMNS", "60")
        _, cut = run(path)
        full = run(path, "--full")
        monkeypatch.delenv("COLUMNS")
        status, whole = run(path)
        lines = cut.splitlines()

        assert {True} == {len(line) <= 60 for line in lines if " × " in line or "✗ top" in line}
        assert 1 == sum("y" * 200 in line for line in lines)
        assert "x" * 200 not in cut
        assert "x" * 200 in whole
        assert (status, whole) == full

    def test_local_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Times are told in another time zone if that is wanted."""
        path = write(tmp_path, *SERVE)
        monkeypatch.setenv("TZ", "XXX-2")
        time.tzset()
        try:
            _, text = run(path, "--local-time")
        finally:
            monkeypatch.undo()
            time.tzset()

        assert "once, 2023-11-15 00:13:21 +0200\n" in text
        assert "\n00:13:20.000  ✗ serve" in text

    def test_groups(self, tmp_path: Path) -> None:
        """Several kinds are listed first; each is told with how often, where and when."""
        log = [
            message
            for number in range(3)
            for message in of(
                f"t{number}",
                started("top", [], number),
                started("in", [2], number),
                ended("in", [2, 2], number, **LOST),
                ended("top", [3], number, **({} if number else LOST)),
            )
        ]
        log += of("t9", started("late", [], 100), ended("late", [2], 100, **NO_PAGE))
        status, text = run(write(tmp_path, *log))
        head, _, rest = text.partition("\n\n")

        assert 0 == status
        assert head.splitlines() == [
            "Failures: 4 of 2 kinds",
            "  3 × app.ConnectionLost in top > in",
            "  1 × RuntimeError in late",
        ]
        assert (
            "  3 times in 3 tasks, 2023-11-14 22:13:20 UTC to 2023-11-14 22:13:22 UTC, "
            "2 of them handled; for example\n  task t0\n"
        ) in rest

    def test_handled(self, tmp_path: Path) -> None:
        """Who handled a failure is said, and whether all of them were."""
        log = [
            message
            for number in range(2)
            for message in of(
                f"t{number}",
                started("top", []),
                started("in", [2]),
                ended("in", [2, 2], **LOST),
                ended("top", [3]),
            )
        ]
        _, text = run(write(tmp_path, *log))

        when = "2023-11-14 22:13:20 UTC"
        assert f"  2 times in 2 tasks, {when} to {when}, handled; for example\n" in text
        assert "✓ top  0 µs  handled it\n" in text

    def test_no_time(self, tmp_path: Path) -> None:
        """Times that are missing are left out."""
        log = [{**m, "timestamp": None} for m in (started("a", []), ended("a", [2], **LOST))]
        _, once = run(write(tmp_path, *log))
        _, twice = run(write(tmp_path, *log, *of("u2", *log)))

        assert "  once\n" in once
        assert "  2 times in 2 tasks; for example\n" in twice

    def test_top(self, tmp_path: Path) -> None:
        """No more kinds are shown than wanted."""
        log = [
            message
            for number in range(12)
            for message in of(
                f"t{number}", started(f"a{number}", []), ended(f"a{number}", [2], **LOST)
            )
        ]
        path = write(tmp_path, *log)

        assert "  and 2 kinds more\n" in run(path)[1]
        assert "  and 11 kinds more\n" in run(path, "--top", "1")[1]
        assert 1 == run(path, "--top", "1")[1].count("raised it")
        assert 12 == run(path, "--top", "0")[1].count("raised it")

    def test_caught(self, tmp_path: Path) -> None:
        """Exceptions that were logged have a section of their own."""
        log = [
            started("a", []),
            said("m", [2], log_level="error"),
            said("eliot:traceback", [3], **LOST, traceback="tb"),
            ended("a", [4]),
            *of("u2", said("eliot:traceback", [1], **NO_PAGE, traceback="tb2")),
        ]
        status, text = run(write(tmp_path, *log))

        assert 0 == status
        assert text.startswith("Exceptions that were caught and logged: 2 of 2 kinds\n")
        assert "  1 × RuntimeError in no action\n" in text
        assert "└─! m  log_level=" in text
        assert "                tb2\n" in text

    def test_unfinished(self, tmp_path: Path) -> None:
        """So have actions that never ended."""
        log = [started("a", []), started("b", [2]), said("m", [2, 2], 3)]
        _, text = run(write(tmp_path, *log, *of("u2", *log, started("b", [3]))))
        _, kinds = run(write(tmp_path, *log, *of("u2", started("c", []))))

        assert text.startswith("Actions that had not ended when the log ended: 3 of 1 kind\n\n")
        assert "\n  1 × never ended in c\n" in kinds
        assert "▶ b never ended\n  in a > b\n" in text
        assert "22:13:20.000  └─▶ b  still running when the log ended\n" in text
        assert "22:13:23.000    └─· m\n" in text

    def test_all_sections(self, tmp_path: Path) -> None:
        """There is a blank line between sections, and none at the end."""
        log = [
            *SERVE,
            *of("u2", said("eliot:traceback", [1], **LOST, traceback="tb")),
            *of("u3", started("x", [])),
        ]
        _, text = run(write(tmp_path, *log))
        titles = [part.partition("\n")[0] for part in text.split("\n\n")]

        assert [
            "Failures: 1",
            "Exceptions that were caught and logged: 1",
            "Actions that had not ended when the log ended: 1",
        ] == [title for title in titles if title.endswith(": 1")]
        assert text.endswith("ended\n")

    def test_afterwards(self, tmp_path: Path) -> None:
        """What failed because of a failure, or later, is told after it."""
        log = [
            started("top", []),
            *(started("work", [n], n=n) for n in range(2, 20)),
            ended("work", [2, 2], 1, **LOST),
            *(
                ended("work", [n, 2], 2, exception="trio.Cancelled", reason="")
                for n in range(3, 20)
            ),
            ended("top", [20], 3, **LOST),
        ]
        _, text = run(write(tmp_path, *log))

        assert "\nAfterwards failed:\n22:13:20.000  ✗ work  2.00 s  trio.Cancelled  n=3\n" in text
        assert "\nand 7 actions more\n" in text

    def test_few_afterwards(self, tmp_path: Path) -> None:
        """If all are told nothing is said of more."""
        log = [
            started("top", []),
            *(m for n in (2, 3) for m in (started("in", [n]), ended("in", [n, 2], n, **LOST))),
            started("more", [4], 4),
            ended("more", [4, 2], 4),
            ended("top", [5], 5, **NO_PAGE),
        ]
        _, text = run(write(tmp_path, *log))

        assert "\nAfterwards failed:\n22:13:20.000  ✗ top  5.00 s  RuntimeError: no page\n" in text
        assert "actions more" not in text

    @pytest.mark.parametrize("depth", [400, pytest.param(5000, marks=pytest.mark.heavy)])
    def test_deep(self, tmp_path: Path, depth: int) -> None:
        """Of a very long way begin and end are shown."""
        levels = [[2] * number for number in range(depth)]
        log = [started("ab"[len(level) % 2], level) for level in levels]
        log += [ended("ab"[len(level) % 2], [*level, 3], **LOST) for level in reversed(levels)]
        _, text = run(write(tmp_path, *log))

        assert len(text.splitlines()) < 50
        assert f"… {depth - 24:,} actions more\n" in text
        assert f"({depth - 1}) └─✗ b  0 µs  raised it\n" in text
        assert " > … > " in text

    def test_long_traceback(self, tmp_path: Path) -> None:
        """Of a very long traceback begin and end are shown."""
        traceback = "\n".join(f"line {number}" for number in range(1000))
        log = [started("a", []), ended("a", [2], **LOST, traceback=traceback)]
        _, text = run(write(tmp_path, *log))

        assert "line 14\n                … 945 lines more\n                line 960\n" in text

    def test_unknown(self, tmp_path: Path) -> None:
        """What is not known of an action is not made up."""
        _, text = run(write(tmp_path, ended("in", [2, 5], **LOST)))

        assert "  in ? > in\n" in text
        assert "? (unknown)\n" in text


class TestJson:
    """The answer for programs."""

    def test_lines(self, tmp_path: Path) -> None:
        """Each group is one object in a line."""
        log = [
            *SERVE,
            *of("u2", said("eliot:traceback", [1], **LOST, traceback="tb")),
            *of("u3", started("x", [])),
        ]
        status, text = run(write(tmp_path, *log), "--json")
        failed, caught, unfinished = map(json.loads, text.splitlines())

        assert 0 == status
        assert ["failed", "caught", "unfinished"] == [
            item["kind"] for item in (failed, caught, unfinished)
        ]
        assert (["serve", "render", "query"], 1, 0, 1, NOW + 1.0) == (
            failed["path"],
            failed["number"],
            failed["handled"],
            failed["tasks"],
            failed["last"],
        )
        example = failed["example"]
        assert ("by peer", "u1", [3, 2]) == (
            example["reason"],
            example["task_uuid"],
            example["task_level"],
        )
        assert {"sql": "select 1"} == example["chain"][2]["fields"]
        assert ["route", "connect"] == [event["type"] for event in example["before"]]
        assert (None, ["x"]) == (unfinished["exception"], unfinished["path"])

    def test_top(self, tmp_path: Path) -> None:
        """No more groups of a kind are told than wanted."""
        log = [m for n in "ab" for m in of(n, started(n, []), ended(n, [2], **LOST))]

        assert 1 == len(run(write(tmp_path, *log), "--json", "--top", "1")[1].splitlines())


class TestEnd:
    """How the command ends."""

    def test_nothing_failed(self, tmp_path: Path) -> None:
        """If nothing failed the status is 1, as grep has it."""
        path = write(tmp_path, started("a", []), ended("a", [2]))

        assert (1, "Nothing failed in 1 task.\n") == run(path)
        assert (1, "") == run(path, "--json")

    def test_selection(self, tmp_path: Path) -> None:
        """The options that select tasks select failures."""
        log = [*SERVE, *of("v2", started("x", []), ended("x", [2], **LOST))]
        path = write(tmp_path, *log)

        assert "in x\n" not in run(path, "--task", "u1")[1]
        assert (1, "Nothing failed in 0 tasks.\n") == run(path, "--type", "y")

    def test_bad_lines(self, tmp_path: Path) -> None:
        """Lines that are no messages are reported; what is around them is read."""
        path = Path(write(tmp_path, *SERVE))
        path.write_bytes(b"\0oops\n" + path.read_bytes()[:-20])
        done = subprocess.run(
            [sys.executable, "-m", "eliot.cli", "why", str(path)],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": ROOT, "PYTHONIOENCODING": "utf-8"},
            encoding="utf-8",
        )

        assert "raised it" in done.stdout
        assert "app.log:1: " in done.stderr

    def test_merged(self, tmp_path: Path) -> None:
        """The logs of two processes are one; each task in them is whole."""
        one, two = tmp_path / "1.log", tmp_path / "2.log"
        for path, part in ((one, SERVE[:3] + SERVE[6:]), (two, SERVE[3:6])):
            path.write_text("".join(f"{json.dumps(message)}\n" for message in part))
        whole = run(write(tmp_path, *SERVE))

        assert whole == run(str(one), str(two)) == run(str(tmp_path / "[12].log"))

    def test_missing_file(self, tmp_path: Path) -> None:
        """A file that cannot be read is an error."""
        assert 2 == run(str(tmp_path / "no.log"))[0]

    def test_terminal(self, tmp_path: Path) -> None:
        """In a terminal there are colours, unless NO_COLOR is set."""
        path = write(tmp_path, *SERVE)
        shown = [_in_terminal(path), _in_terminal(path, NO_COLOR="1")]

        assert ["\x1b[1;31m" in text for text in shown] == [True, False]
        assert ["raised it" in text for text in shown] == [True, True]


def _in_terminal(path: str, **environment: str) -> str:
    """Run the command in a terminal of its own."""
    controller, terminal = pty.openpty()
    unset = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    done = subprocess.Popen(
        [sys.executable, "-m", "eliot.cli", "why", "--no-pager", path],
        stdout=terminal,
        env={**unset, "TERM": "xterm", "PYTHONPATH": ROOT, **environment},
    )
    os.close(terminal)
    text = b""
    while True:
        try:
            more = os.read(controller, 1 << 16)
        except OSError:  # the other side has closed it
            break
        if not more:
            break
        text += more
    os.close(controller)

    assert 0 == done.wait()
    return text.decode()
