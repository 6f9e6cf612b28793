"""Tests of `eliot tree`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any, Callable, Dict, Iterator, List

import pytest

import eliot as package
from eliot import _stream
from eliot._follow import Following
from eliot.cli import tree as command

Command = Callable[..., Any]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def message(uuid: str, *level: int, **more: Any) -> Dict[str, Any]:
    """Make a message, which is plain if nothing else is said."""
    kind = {} if "action_type" in more else {"message_type": "m"}
    fields = {"task_uuid": uuid, "task_level": list(level), "timestamp": 1700000000.0}
    return {**fields, **kind, **more}


def start(uuid: str, *level: int, **more: Any) -> Dict[str, Any]:
    """Make the start of an action."""
    return message(uuid, *level, action_type="act", action_status="started", **more)


def end(uuid: str, *level: int, **more: Any) -> Dict[str, Any]:
    """Make the end of an action."""
    return message(uuid, *level, action_type="act", action_status="succeeded", **more)


def written(path: Path, *messages: Dict[str, Any]) -> Path:
    """Write a log."""
    path.write_bytes(b"".join(json.dumps(each).encode() + b"\n" for each in messages))
    return path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks be large when they have five messages, and all that wait many when they are ten."""
    monkeypatch.setattr(command, "PATIENCE", 5)
    monkeypatch.setattr(command, "ROOM", 10)
    monkeypatch.setattr(_stream, "ROOM", -1)  # nothing is remembered, and held back


def bodies(text: str) -> List[str]:
    """Return the lines without what stands before the tree, and without headers."""
    lines = [
        re.sub(r"^(\w+ +)?(\d\d:\d\d:\d\d\.\d{3}| {12})  ", "", line) for line in text.splitlines()
    ]
    return [line for line in lines if not re.fullmatch(r".*\d{4}-\d\d-\d\d.*", line)]


TREE = """\
aa11  2023-11-14 22:13:20 UTC
22:13:20.000  ✗ request  2.00 s  failed  url="/api"
22:13:20.500  └─✗ query  1.00 s  50 %  ValueError: no\\x1b[31m
22:13:21.000    └─· m  rows=3 log_level="info"
bb22  2023-11-14 22:13:20 UTC
22:13:20.000  ▶ request  still running when the log ended  url="/é"
"""


class TestTree:
    """Tasks as trees."""

    def test_log(self, eliot: Command, log: Path) -> None:
        """Tasks come when they are complete, those that are not at the end."""
        assert (TREE, "", 0) == eliot("tree", log)

    def test_stdin(self, eliot: Command, log: Path) -> None:
        """A log can come from standard input."""
        assert (TREE, "", 0) == eliot("tree", stdin=log.read_bytes())

    def test_nothing(self, eliot: Command) -> None:
        """A log without tasks is not an error, but nothing was found."""
        assert ("", "", 1) == eliot("tree", stdin=b"")

    def test_ascii(self, eliot: Command, log: Path) -> None:
        """It can be ASCII from the first to the last character."""
        text = eliot("tree", "--ascii", log).text

        assert "+" not in text
        assert r'> request  still running when the log ended  url="/\xe9"' in text
        assert text.isascii()

    def test_color(self, eliot: Command, log: Path) -> None:
        """Colours change nothing but the colours."""
        text = eliot("tree", "--color", "always", log).text

        assert TREE == re.sub(r"\x1b\[[\d;]*m", "", text)
        assert "\x1b[1;31m✗\x1b[0m" in text

    def test_local_time(self, eliot: Command, log: Path) -> None:
        """Times can be local, and say so."""
        header = eliot("tree", "--local-time", log).text.splitlines()[0]

        assert re.fullmatch(r"aa11  2023-11-1\d \d\d:\d\d:\d\d [+-]\d{4}", header)

    def test_fold(self, eliot: Command, tmp_path: Path) -> None:
        """Siblings of one type can be one line."""
        messages = [start("u", 1), *(message("u", number) for number in range(2, 9)), end("u", 9)]
        path = written(tmp_path / "log", *messages)

        assert ["✓ act  0 µs", "└─· m × 7"] == bodies(eliot("tree", "--fold", path).text)

    def test_selection(self, eliot: Command, log: Path) -> None:
        """What is selected is whole tasks."""
        assert TREE.splitlines()[:4] == eliot("tree", "--type", "query", log).text.splitlines()

    def test_selects_nothing(self, eliot: Command, log: Path) -> None:
        """Where no task is selected, a word says so; not to programs."""
        nothing = eliot("tree", "--type", "quarry", log)

        assert ("", "eliot: there is no such task\n", 1) == nothing
        assert ("", "", 1) == eliot("tree", "--type", "quarry", "--json", log)

    def test_json(self, eliot: Command, log: Path) -> None:
        """For programs there is a line of JSON for each task."""
        failed, unended = map(json.loads, eliot("tree", "--json", log).text.splitlines())

        assert ["request", "query", "m"] == [entry["type"] for entry in failed["entries"]]
        assert ("bb22", False) == (unended["task_uuid"], unended["complete"])

    def test_late_message(self, eliot: Command, tmp_path: Path) -> None:
        """A message that comes after its task's end is in its place, and the task comes once."""
        late = [start("u", 1), end("u", 2), start("v", 1), message("u", 3), end("v", 2)]
        path = written(tmp_path / "log", *late)

        assert ["✓ act  0 µs", "└─· m", "✓ act  0 µs"] == bodies(eliot("tree", path).text)

    def test_late_message_after_a_large_task(self, eliot: Command, tmp_path: Path) -> None:
        """However many messages of another task come in between, it comes once."""
        large = [start("v", 1), *(message("v", n) for n in range(2, 12_000)), end("v", 12_000)]
        late = [start("u", 1), end("u", 2), *large, message("u", 3)]
        text = eliot("tree", written(tmp_path / "log", *late)).text

        assert ["✓ act  0 µs", "└─· m", "✓ act  0 µs", "├─· m"] == bodies(text)[:4]
        assert 2 == text.count("✓ act")

    def test_no_place(self, eliot: Command, tmp_path: Path) -> None:
        """Messages that have no place in a task are reported, and the others shown."""
        odd: Any = ["v"]
        path = written(tmp_path / "log", message("u", 0), message(odd, 1), message("w", 1))
        answer = eliot("tree", path)

        assert ["· m"] == bodies(answer.text)
        assert 2 == len(answer.errors.splitlines())


class TestTerminal:
    """At a real (pseudo-)terminal."""

    def test_width(self, terminal: Command, log: Path) -> None:
        """Lines are cut where it ends, and are in colours."""
        text = terminal("tree", "--no-pager", log, columns=40).text.replace("\r\n", "\n")
        lines = re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()

        assert "\x1b[1;31m" in text
        assert all(len(line) <= 40 for line in lines)
        assert [line[:30] for line in TREE.splitlines()] == [line[:30] for line in lines]

    def test_full(self, terminal: Command, log: Path) -> None:
        """They are whole if that is wanted."""
        text = terminal("tree", "--no-pager", "--full", "--color", "never", log, columns=40).text

        assert TREE == text.replace("\r\n", "\n")


@pytest.mark.usefixtures("small")
class TestLarge:
    """Logs that do not fit into memory."""

    def test_opened(self, eliot: Command, tmp_path: Path) -> None:
        """A task of very many messages is shown as it goes on."""
        messages = [start("u", 1), *(message("u", n) for n in range(2, 12)), end("u", 12)]
        text = eliot("tree", written(tmp_path / "log", *messages)).text

        assert "u  2023-11-14 22:13:20 UTC" == text.splitlines()[0]
        assert ["▶ act", *["├─· m"] * 10, "└─✓ act  0 µs"] == bodies(text)
        assert all(line.startswith("u        22:13:20.000") for line in text.splitlines()[1:])

    def test_small_ones_between(self, eliot: Command, tmp_path: Path) -> None:
        """Others are shown when they are complete, in between."""
        messages = [start("big", 1)]
        for number in range(2, 12):
            messages += [message("big", number), start(f"s{number}", 1), end(f"s{number}", 2)]
        text = eliot("tree", written(tmp_path / "log", *messages)).text

        assert 10 == text.count("✓ act")
        assert 10 == text.count("├─· m")
        assert "▶ act  still running when the log ended" == bodies(text)[-1][2:]

    def test_silence(self, eliot: Command, tmp_path: Path) -> None:
        """When nothing is complete for long, the oldest task is shown as it is."""
        messages = [start(f"u{number}", 1) for number in range(7)]
        text = eliot("tree", written(tmp_path / "log", *messages)).text

        assert "u0       22:13:20.000  ▶ act" == text.splitlines()[1]

    def test_room(self, eliot: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """So few messages wait that memory does not fill up."""
        monkeypatch.setattr(command, "PATIENCE", 1000)
        messages = [start(f"u{number}", 1) for number in range(13)]
        text = eliot("tree", written(tmp_path / "log", *messages)).text
        opened = [line for line in text.splitlines() if re.match(r"u\d+ +22:13:20.000  ▶", line)]

        assert [f"u{number}" for number in range(4)] == [line.split()[0] for line in opened]

    def test_missing(self, eliot: Command, tmp_path: Path) -> None:
        """What is missing is said there, too."""
        messages = [start("u", 1), *(message("u", n) for n in range(5, 12)), end("u", 12)]
        text = eliot("tree", written(tmp_path / "log", *messages)).text

        assert ["├─… 3 messages missing", "└─✓ act  0 µs"] == bodies(text)[-2:]

    def test_odd_uuids(self, eliot: Command, tmp_path: Path) -> None:
        """Messages whose uuid is no text are reported there, too."""
        odd: Any = ["v"]
        messages = [start(f"u{number}", 1) for number in range(4)]
        answer = eliot("tree", written(tmp_path / "log", *messages, message(odd, 1)))

        assert ["▶ act  still running when the log ended"] * 4 == bodies(answer.text)
        assert 1 == len(answer.errors.splitlines())

    def test_messages_without_place(self, eliot: Command, tmp_path: Path) -> None:
        """Messages that are not in any tree are waited for no longer."""
        messages = [message("u", 0) for _ in range(20)]
        answer = eliot("tree", written(tmp_path / "log", *messages, message("w", 1)))

        assert ["· m"] == bodies(answer.text)
        assert 20 == len(answer.errors.splitlines())

    def test_many_lines(
        self, eliot: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Trees of any length are written in parts."""
        monkeypatch.setattr(command, "PATIENCE", 10_000)
        monkeypatch.setattr(command, "ROOM", 10_000)
        messages = [start("u", 1), *(message("u", n) for n in range(2, 1300)), end("u", 1300)]
        text = eliot("tree", written(tmp_path / "log", *messages)).text

        assert 1300 == len(text.splitlines())

    def test_first_line(self) -> None:
        """A task of 100,000 messages is shown long before its end is there."""
        line = json.dumps(message("u", 999)) + "\n"
        lines = [line.replace("999", str(number), 1).encode() for number in range(2, 100_000)]
        lines.insert(0, json.dumps(start("u", 1)).encode() + b"\n")
        half = len(lines) // 2
        shown = Event()
        in_time = []

        def write(stdin: IO[bytes]) -> None:
            with stdin:
                stdin.writelines(lines[:half])
                stdin.flush()
                in_time.append(shown.wait(60))
                stdin.writelines(lines[half:])

        with subprocess.Popen(
            [sys.executable, "-m", "eliot.cli", "tree", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])},
        ) as process:
            writer = Thread(target=write, args=(process.stdin,))
            writer.start()
            assert process.stdout is not None
            first = process.stdout.readline()
            shown.set()
            count = sum(1 for _ in process.stdout)
            writer.join()

        assert [True] == in_time
        assert first.startswith(b"u  ")
        assert 100_000 == count


class TestFollow:
    """Logs that grow."""

    @pytest.fixture(autouse=True)
    def _no_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the log end where nothing more has come."""

        class Ended(Following):
            def messages(self) -> Iterator[Any]:
                with suppress(EOFError):
                    yield from super().messages()

        def stop() -> None:
            raise EOFError

        monkeypatch.setattr(
            command, "Following", lambda sources, report: Ended(sources, report, stop)
        )

    def test_messages(self, eliot: Command, log: Path) -> None:
        """Each message is shown as it comes."""
        assert [
            '▶ request  url="/api"',
            "├─▶ query",
            '│ ├─· m  rows=3 log_level="info"',
            r"│ └─✗ query  1.00 s  ValueError: no\x1b[31m",
            '▶ request  url="/é"',
            "└─✗ request  2.00 s  failed",
        ] == bodies(eliot("tree", "--follow", log).text)

    def test_selection(self, eliot: Command, log: Path) -> None:
        """What is selected is shown when it is complete."""
        assert (
            TREE.splitlines()[:4]
            == eliot("tree", "-f", "--status", "failed", log).text.splitlines()
        )

    def test_json(self, eliot: Command, log: Path) -> None:
        """So is what programs get."""
        assert 2 == len(eliot("tree", "-f", "--json", log).text.splitlines())

    def test_terminal(self, terminal: Command, log: Path) -> None:
        """There is no pager, and nothing is held back."""
        text = terminal("tree", "--follow", "--color", "never", log, lines=3).text

        assert 6 == len(text.splitlines())


class TestPrograms:
    """Logs of real programs."""

    def test_linkcheck(self, eliot: Command, tmp_path: Path) -> None:
        """The broken link stands out, below the page that has it."""
        subprocess.run(
            [sys.executable, EXAMPLES / "linkcheck.py", tmp_path / "linkcheck.log"],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])},
        )
        text = eliot("tree", tmp_path / "linkcheck.log").text
        [failed] = [line for line in text.splitlines() if "✗" in line]

        assert "│   └─✗ linkcheck:fetch" in failed
        assert "__main__.BrokenLinkError" in failed

    def test_damaged(self, eliot: Command, log: Path) -> None:
        """Rubbish between the lines, a cut and a wrong order: what is left is a tree."""
        lines = log.read_bytes().splitlines(keepends=True)
        damaged = b"".join([b"\x00\xff\n", *reversed(lines), b"[1]\n", lines[0][:-9]])
        answer = eliot("tree", stdin=damaged)

        assert TREE == answer.text
        assert 3 == len(answer.errors.splitlines())

    def test_two_processes(self, eliot: Command, log: Path, tmp_path: Path) -> None:
        """Logs of several processes are one set of tasks."""
        lines = log.read_bytes().splitlines(keepends=True)
        for number in range(2):
            (tmp_path / f"p{number}.log").write_bytes(b"".join(lines[number::2]))

        assert TREE == eliot("tree", str(tmp_path / "p?.log")).text

    @pytest.mark.parametrize("depth", [400, 5000])
    def test_deep(self, depth: int, eliot: Command, tmp_path: Path) -> None:
        """Depth is no danger, whichever way a task is shown."""
        messages = [start("u", *[2] * number, 1) for number in range(depth)]
        path = written(tmp_path / "log", *messages)

        assert depth + 1 == len(eliot("tree", path).text.splitlines())
        assert depth == len(json.loads(eliot("tree", "--json", path).text)["entries"])
