"""`eliot slow`: what it says, in which form, and how it ends."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from eliot.cli._group import group

Message = Dict[str, Any]

#: 2023-11-14 22:13:20 UTC
NOW = 1_700_000_000.0


def action(  # noqa: PLR0913 - it is what an action has
    kind: str,
    start: float,
    end: float,
    level: Tuple[int, ...] = (),
    *inner: List[Message],
    uuid: str = "11111111-2222",
    status: str = "succeeded",
    fields: Message = {},  # noqa: B006 - it is not changed
) -> List[Message]:
    """Log an action, and what is in it."""

    def message(number: int, at: float, **more: Any) -> Message:
        place = {"task_uuid": uuid, "task_level": [*level, number], "timestamp": NOW + at}
        return {**place, "action_type": kind, **more}

    return [
        message(1, start, action_status="started", **fields),
        *(message for messages in inner for message in messages),
        message(2 + len(inner), end, action_status=status),
    ]


def request(uuid: str, slowness: float = 1.0) -> List[Message]:
    """Log a request with two queries, of which the second one fails."""
    one = action("query", 1, 2, (2,), uuid=uuid, fields={"sql": "select 1"})
    two = action("query", 2, 2 + slowness, (3,), uuid=uuid, status="failed")
    return action("request", 0, 4, (), one, two, uuid=uuid, fields={"path": "/"})


def write(folder: Path, *logs: List[Message], name: str = "app.log") -> str:
    """Write a log; return its path."""
    path = folder / name
    path.write_text("".join(f"{json.dumps(message)}\n" for log in logs for message in log))
    return str(path)


def run(*arguments: str) -> Tuple[int, str]:
    """Run the command; return its exit status and its output."""
    done = CliRunner().invoke(group, ["slow", *arguments], catch_exceptions=False)
    return done.exit_code, done.output


def columns(text: str) -> List[str]:
    """Return the names of the columns of the first table."""
    return text.splitlines()[1].split()


class TestProfile:
    """The profile of a log."""

    def test_all(self, tmp_path: Path) -> None:
        """Types are told with their numbers and times, and the slowest tasks with their paths."""
        path = write(tmp_path, request("11111111-2222"), request("33333333-4444", 1.5))
        expected = """\
6 actions of 2 types in 2 tasks
ACTION   NUMBER  FAILED   TOTAL    SELF          MEAN     P50     P95     P99     MAX      TASK
query         4       2  4.50 s  4.50 s  56 %  1.12 s  1.00 s  1.42 s  1.48 s  1.50 s  33333333
request       2          8.00 s  3.50 s  44 %  4.00 s  4.00 s  4.00 s  4.00 s  4.00 s  11111111

Critical path of request, 4.00 s, 2023-11-14 22:13:20 UTC, task 11111111-2222
2.00 s   50 %  request  path="/"
2.00 s   50 %    query × 2

Critical path of request, 4.00 s, 2023-11-14 22:13:20 UTC, task 33333333-4444
1.50 s   38 %  request  path="/"
2.50 s   62 %    query × 2
"""

        assert (0, expected) == run(path)
        assert (0, expected.partition("\n\n")[0] + "\n") == run(path, "--slowest", "0")

    def test_never_ended(self, tmp_path: Path) -> None:
        """Actions that never ended are counted; they have no times."""
        _, text = run(write(tmp_path, action("a", 0, 1), action("b", 0, 1, uuid="v")[:1]))

        assert "NOT ENDED" in text
        assert "b            0          1" in text

    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            ("self", ["query", "request"]),
            ("total", ["request", "query"]),
            ("number", ["query", "request"]),
            ("failed", ["query", "request"]),
            ("mean", ["request", "query"]),
            ("p50", ["request", "query"]),
            ("p95", ["request", "query"]),
            ("p99", ["request", "query"]),
            ("max", ["request", "query"]),
        ],
    )
    def test_sort(self, tmp_path: Path, sort: str, expected: List[str]) -> None:
        """What comes first can be chosen."""
        _, text = run(write(tmp_path, request("u")), "--sort", sort)

        assert expected == [line.split()[0] for line in text.splitlines()[2:4]]

    def test_by(self, tmp_path: Path) -> None:
        """Actions of a type can be told apart by a field, whose values are shown."""
        _, text = run(write(tmp_path, request("u")), "--by", "sql")

        assert ["ACTION", "sql", "NUMBER"] == columns(text)[:3]
        assert [["request", "1"], ["query", "1"], ["query", '"select']] == [
            line.split()[:2] for line in text.splitlines()[2:5]
        ]

    def test_top(self, tmp_path: Path) -> None:
        """No more rows are shown than wanted."""
        logs = [action(f"a{n}", 0, 1, uuid=f"u{n}") for n in range(22)]
        path = write(tmp_path, *logs)

        assert "\nand 2 more: --top 0\n" in run(path)[1]
        assert "\nand 21 more: --top 0\n" in run(path, "--top", "1")[1]
        assert "more" not in run(path, "--top", "0")[1]

    def test_ascii(self, tmp_path: Path) -> None:
        """Where nothing but ASCII can be shown nothing else is."""
        _, text = run(write(tmp_path, request("u"), action("a", 0, 1e-5, uuid="v")), "--ascii")

        assert text.isascii()
        assert "query x 2" in text

    def test_colors(self, tmp_path: Path) -> None:
        """Colours are added if they are wanted."""
        path = write(tmp_path, request("u"))

        assert "\x1b[" in run(path, "--color", "always")[1]
        assert "\x1b[" not in run(path)[1]

    def test_local_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Times are told in another time zone if that is wanted."""
        path = write(tmp_path, request("u"))
        monkeypatch.setenv("TZ", "XXX-2")
        time.tzset()
        try:
            _, text = run(path, "--local-time")
        finally:
            monkeypatch.undo()
            time.tzset()

        assert ", 2023-11-15 00:13:20 +0200, task u\n" in text

    def test_hostile(self, tmp_path: Path) -> None:
        """What a terminal obeys is escaped, wherever it is; rich's markup is text."""
        evil = "[red]\x1b[31m\u202e\n"
        log = action(f"a{evil}", 0, 1, uuid=f"{evil}u", fields={evil: evil})
        _, text = run(write(tmp_path, log), "--by", evil)

        assert "\x1b" not in text
        assert "\u202e" not in text
        assert r"a[red]\x1b[31m\u202e\n" in text

    @pytest.mark.parametrize("width", [50, 60, 80, 100])
    @pytest.mark.parametrize("by", [[], ["--by", "sql"]])
    def test_width(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, by: List[str]
    ) -> None:
        """In a narrow terminal columns are left out; those that matter most stay, and whole."""
        path = write(tmp_path, request("u"))
        monkeypatch.setenv("COLUMNS", str(width))
        _, text = run(path, *by, "--slowest", "0")
        lines = text.splitlines()[1:]

        assert max(map(cell_len, lines)) <= width
        assert {"NUMBER", "FAILED", "SELF", "MAX"} <= set(columns(text))
        assert "…" not in text

    def test_full(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """All columns and whole lines are shown to who asks for them."""
        path = write(tmp_path, request("u"))
        _, whole = run(path)
        monkeypatch.setenv("COLUMNS", "40")

        assert (0, whole) == run(path, "--full")

    def test_long_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Names that are too long for a terminal take several lines; in a pipe they do not."""
        name = "module." * 30 + "function"
        path = write(tmp_path, action(name, 0, 1))
        _, whole = run(path)
        monkeypatch.setenv("COLUMNS", "80")
        _, folded = run(path, "--slowest", "0")

        assert name in whole
        assert name not in folded
        assert name == "".join(line.split()[0] for line in folded.splitlines()[2:])

    def test_little_steps(self, tmp_path: Path) -> None:
        """Steps that take little of a critical path are counted, but for those around others."""
        inner = action("big", 10, 190, (2, 2))
        around = action("around", 10, 190, (2,), inner)
        little = [action(f"little{n}", 190 + n, 190.5 + n, (3 + n,)) for n in range(4)]
        log = action("top", 0, 200, (), around, *little)
        _, text = run(write(tmp_path, log))

        assert ["top", "around", "big"] == [
            line.split()[-1] for line in text.splitlines() if "  " in line and " %  " in line
        ][-3:]
        assert text.endswith("\n2.00 s in 4 steps more\n")

    def test_many_steps(self, tmp_path: Path) -> None:
        """No more than the longest steps are shown."""
        steps = [action(f"s{n}", n, n + 1, (n + 2,)) for n in range(30)]
        _, text = run(write(tmp_path, action("top", 0, 100, (), *steps)))

        assert "\n15.0 s in 15 steps more\n" not in text
        assert len(text.split("Critical path")[1].splitlines()) < 40

    def test_unknown(self, tmp_path: Path) -> None:
        """What is not known of an action is not made up."""
        _, text = run(write(tmp_path, action("a", 0, 1, (2, 2))))

        assert "(unknown)" in text

    def test_deep(self, tmp_path: Path) -> None:
        """Of deep trees the indentation has an end."""
        log: List[Message] = []
        for depth in range(400):
            log += action("ab"[depth % 2], depth, 0, (2,) * depth)[:1]
        for depth in reversed(range(400)):
            end = action("ab"[depth % 2], 0, 10_000 - depth, (2,) * depth)[1]
            log.append({**end, "task_level": [*[2] * depth, 3]})
        status, text = run(write(tmp_path, log))

        assert 0 == status
        assert max(map(len, text.splitlines())) < 120


class TestAgainst:
    """The comparison with an older log."""

    def test_all(self, tmp_path: Path) -> None:
        """What adds most to the time of a task comes first."""
        old = write(tmp_path, *(request(f"u{n}") for n in range(20)), name="old.log")
        new = write(tmp_path, *(request(f"u{n}", 1.5) for n in range(10)))
        expected = """\
20 tasks before, 10 now
ACTION     ADDED  OLD NUMBER  NEW NUMBER  OLD MEAN  NEW MEAN   CHANGE         OLD P95  NEW P95  NOTE
query    +500 ms          40          20    1.00 s    1.25 s  +250 ms  +25 %   1.00 s   1.50 s
request  -500 ms          20          10    4.00 s    4.00 s    +0 µs    0 %   4.00 s   4.00 s
"""
        status, text = run(new, "--against", old)

        assert 0 == status
        assert expected.splitlines()[0] == text.splitlines()[0]
        assert [line.split() for line in expected.splitlines()] == [
            line.split() for line in text.splitlines()
        ]

    def test_notes(self, tmp_path: Path) -> None:
        """What is new, gone, or too rare to tell is noted."""
        old = write(tmp_path, action("a", 0, 1), action("b", 0, 1, uuid="v"), name="old.log")
        new = write(tmp_path, action("a", 0, 1), action("c", 0, 0, uuid="v"))
        _, text = run(new, "--against", old)
        notes = {line.split()[0]: line.split()[-1] for line in text.splitlines()[2:]}

        assert {"a": "few", "b": "gone", "c": "new"} == notes

    def test_no_time(self, tmp_path: Path) -> None:
        """What took no time before has not got slower by so many percent."""
        old = write(tmp_path, action("a", 0, 0), name="old.log")
        new = write(tmp_path, action("a", 0, 1))

        assert "%" not in run(new, "--against", old)[1]

    def test_top(self, tmp_path: Path) -> None:
        """No more rows are shown than wanted."""
        path = write(tmp_path, request("u"))

        assert "\nand 1 more: --top 0\n" in run(path, "--against", path, "--top", "1")[1]

    def test_by(self, tmp_path: Path) -> None:
        """Values of a field are compared with themselves."""
        path = write(tmp_path, request("u"))

        assert "sql" in columns(run(path, "--against", path, "--by", "sql")[1])

    def test_json(self, tmp_path: Path) -> None:
        """Each change is one object in a line."""
        old = write(tmp_path, action("a", 0, 1), name="old.log")
        new = write(tmp_path, action("a", 0, 3), action("b", 0, 1, uuid="v"))
        status, text = run(new, "--against", old, "--json")
        a, b = map(json.loads, text.splitlines())

        assert (0, "change", "a", 0.5, True) == (
            status,
            a["kind"],
            a["action_type"],
            a["added"],
            a["few"],
        )
        assert (1.0, 3.0, None) == (a["old"]["mean"], a["new"]["mean"], b["old"])

    def test_selection(self, tmp_path: Path) -> None:
        """The options that select tasks select those of both logs."""
        old = write(tmp_path, action("a", 0, 1), action("b", 0, 1, uuid="v"), name="old.log")
        new = write(tmp_path, action("a", 0, 1))
        _, text = run(new, "--against", old, "--type", "a")

        assert text.startswith("1 task before, 1 now\n")

    def test_end(self, tmp_path: Path) -> None:
        """The status is 0 if one of the logs has actions, and 2 if one cannot be read."""
        full = write(tmp_path, action("a", 0, 1))
        empty = write(tmp_path, name="empty.log")
        statuses = [
            run(one, "--against", two)[0]
            for one, two in [
                (full, empty),
                (empty, full),
                (empty, empty),
                (full, str(tmp_path / "no.log")),
            ]
        ]

        assert [0, 0, 1, 2] == statuses


class TestJson:
    """The answer for programs."""

    def test_lines(self, tmp_path: Path) -> None:
        """Each type and each of the slowest tasks is one object in a line."""
        status, text = run(write(tmp_path, request("u")), "--json")
        query, top, task = map(json.loads, text.splitlines())

        assert (0, "action", "query", 2, 1, 2.0) == (
            status,
            query["kind"],
            query["action_type"],
            query["number"],
            query["failed"],
            query["self_time"],
        )
        assert "request" == top["action_type"]
        assert ("task", "u", 4.0) == (task["kind"], task["task_uuid"], task["duration"])
        assert {"action_type": "request", "depth": 0, "number": 1, "seconds": 2.0} == {
            name: value for name, value in task["path"][0].items() if name != "fields"
        }

    def test_top(self, tmp_path: Path) -> None:
        """No more types are told than wanted."""
        _, text = run(write(tmp_path, request("u")), "--json", "--top", "1", "--slowest", "0")

        assert 1 == len(text.splitlines())


def test_nothing(tmp_path: Path) -> None:
    """Without actions the status is 1, as grep has it."""
    path = write(tmp_path)

    assert (1, "0 actions of 0 types in 0 tasks\n") == run(path)
    assert (1, "") == run(path, "--json")
