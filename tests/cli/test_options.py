"""Tests of what the commands share: selection, output, exit status."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, List

import pytest

from eliot._inputs import Log
from eliot.cli._options import Session

Command = Callable[..., Any]
Use = Callable[[Callable[[Session], object]], None]


def show_tasks(session: Session) -> None:
    """Write the uuid of each selected task."""
    for task in session.tasks():
        session.write(f"{task.top().task_uuid}\n")


class TestSelection:
    """The options that select tasks."""

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ([], "aa11 bb22"),
            (["--task", "a"], "aa11"),
            (["--task", "a", "--task", "BB"], "aa11 bb22"),
            (["--type", "que*"], "aa11"),
            (["--where", "rows>2"], "aa11"),
            (["--where", "url~^/", "--where", "url!=/api"], "bb22"),
            (["--status", "failed"], "aa11"),
            (["--status", "failed", "--status", "started"], "aa11 bb22"),
            (["--level", "INFO"], "aa11"),
            (["--level", "error"], ""),
            (["--since", "-2h"], ""),
            (["--until", "-2h"], "aa11 bb22"),
            (["--since", "2023-11-14T22:13:21Z"], "aa11"),
            (["--min-duration", "1500ms"], "aa11"),
            (["--min-duration", "2.5"], ""),
            (["--type", "query", "--where", "url=/api"], ""),
        ],
    )
    def test_selects(
        self, options: List[str], expected: str, eliot: Command, log: Path, use: Use
    ) -> None:
        """Each does what it says; the status tells whether there was anything."""
        use(show_tasks)
        answer = eliot("probe", *options, log)

        assert (expected.split(), "", 0 if expected else 1) == (answer.text.split(), *answer[1:])

    @pytest.mark.parametrize(
        ("option", "value", "way_out"),
        [
            ("--where", "size", "write FIELD OPERATOR VALUE, such as 'status>=500'"),
            ("--where", "url~(", "is no regular expression: "),
            ("--since", "gestern", "write it as 2026-11-26"),
            ("--until", "2h", "or as -2h, -30m, -1d before now"),
            ("--min-duration", "fast", "write it as 100ms, 2s"),
            ("--status", "odd", "succeeded"),
            ("--level", "odd", "warning"),
            ("--color", "odd", "never"),
        ],
    )
    def test_explains_mistakes(
        self, option: str, value: str, way_out: str, eliot: Command, log: Path
    ) -> None:
        """What cannot be understood is named, with the option and the way out, and ends in 2."""
        answer = eliot("stats", option, value, log)

        assert ("", 2) == (answer.text, answer.status)
        assert f"Invalid value for '{option}': " in answer.errors
        assert value.rstrip("(").split("~")[-1] in answer.errors
        assert way_out in answer.errors

    def test_help_has_own_options_first(self, eliot: Command, use: Use) -> None:
        """In the help of a command its own options come before those that all share."""
        use(show_tasks)
        text = eliot("probe", "--help").text

        assert 0 < text.index("--own") < text.index("--task")


class TestStatus:
    """The exit status, as of grep."""

    def test_is_2_if_a_source_cannot_be_read(self, eliot: Command, log: Path, use: Use) -> None:
        """The others are read all the same; the one is named in one line."""
        use(show_tasks)

        assert ("aa11\nbb22\n", f"eliot: {log}.1: No such file or directory\n", 2) == eliot(
            "probe", log, f"{log}.1"
        )

    def test_is_0_in_spite_of_bad_lines(self, eliot: Command, log: Path, use: Use) -> None:
        """Bad lines are told in place, with source and line, and are no error."""
        use(show_tasks)
        data = b"".join([b"oops\x1b[2J\n", log.read_bytes(), b"{}\n"])
        answer = eliot("probe", "-", stdin=data)

        assert ("aa11\nbb22\n", 0) == (answer.text, answer.status)
        assert [
            r"<stdin>:1: not JSON: oops\x1b[2J",
            "<stdin>:8: without task_level, task_uuid, timestamp: {}",
        ] == answer.errors.splitlines()

    def test_is_of_the_answer_if_the_reader_has_seen_enough(self, log: Path) -> None:
        """A closed pipe ends the command quietly."""
        log.write_bytes(
            b"".join(
                b'{"task_uuid":"%d","task_level":[1],"timestamp":1,"message_type":"m%d"}\n' % (n, n)
                for n in range(20_000)
            )
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "eliot.cli", "stats", str(log)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            first = process.stdout.readline()
            process.stdout.close()
            errors = process.stderr.read()

        assert (b"20,000 tasks\n", b"", 0) == (first, errors, process.returncode)

    @pytest.mark.parametrize(
        ("error", "status", "message"),
        [
            (BrokenPipeError(), 1, ""),
            (
                OSError(errno.ENOSPC, "No space left on device"),
                2,
                "eliot: No space left on device",
            ),
            (
                FileNotFoundError(errno.ENOENT, "No such file or directory", "a\x1b/b"),
                2,
                "eliot: a\\x1b/b: No such file or directory",
            ),
            (KeyboardInterrupt(), 130, ""),
        ],
    )
    def test_tells_of_interruptions(  # noqa: PLR0913, PLR0917 - cases and fixtures
        self,
        error: BaseException,
        status: int,
        message: str,
        log: Path,
        use: Use,
        terminal: Command,
    ) -> None:
        """What ends the command before its time ends it without a traceback."""

        def interrupt(session: Session) -> None:
            raise error

        use(interrupt)
        answer = terminal("probe", log)

        assert (status, message) == (
            answer.status,
            answer.text[: len(message)] if message else answer.text,
        )

    def test_asks_for_a_log_at_a_terminal(self, terminal: Command) -> None:
        """Who gives no log, and pipes none, is asked for one instead of being let wait."""
        answer = terminal("stats")

        assert 2 == answer.status
        assert "Error: give a log, or '-' to type one" in answer.text

    def test_needs_no_standard_input(self, eliot: Command, log: Path, use: Use) -> None:
        """Where there is none, files are read all the same, and that there is none is said."""
        use(show_tasks)

        assert ("aa11\nbb22\n", "", 0) == eliot("probe", log, stdin=None)
        assert ("", "eliot: <stdin>: there is no standard input\n", 2) == eliot("probe", stdin=None)

    @pytest.mark.parametrize("name", ["stdout", "stderr"])
    def test_needs_no_standard_output(self, name: str, log: Path) -> None:
        """Where standard output or error was closed, nothing is written there, and that is all."""
        closed = {"stdout": "1>&-", "stderr": "2>&-"}[name]
        command = f'"{sys.executable}" -m eliot.cli stats "{log}" "{log}.1" {closed}'
        process = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True)
        shown = {"stdout": process.stderr, "stderr": process.stdout}[name]

        assert 2 == process.returncode
        assert {"stdout": "eliot:", "stderr": "2 tasks"}[name] in shown
        assert "Traceback" not in shown


class TestSession:
    """What a command gets."""

    def test_reads_other_logs(self, eliot: Command, log: Path, tmp_path: Path, use: Use) -> None:
        """Another log can be read, with the same selection."""
        seen: List[Any] = []

        def compare(session: Session) -> None:
            seen.extend(list(session.tasks(Log([str(log)], session.report))))

        use(compare)
        (tmp_path / "empty").touch()

        assert 0 == eliot("probe", "--task", "bb", tmp_path / "empty").status
        assert ["bb22"] == [task.top().task_uuid for task in seen]

    def test_gives_settled_tasks(self, eliot: Command, log: Path, use: Use) -> None:
        """Tasks that are to be counted come once, with late messages in them."""
        late = b'{"task_uuid":"aa11","task_level":[9],"timestamp":3,"message_type":"late"}\n'
        counts: List[List[int]] = []

        def count(session: Session) -> None:
            settled = "settled" in sys.argv
            tasks = [len(list(task.walk())) for task in session.tasks(settled=settled)]
            counts.append(tasks)

        use(count)
        data = log.read_bytes() + late
        eliot("probe", stdin=data)
        eliot("probe", "--own", "settled", stdin=data)

        assert [[3, 5, 1], [5, 1]] == counts

    def test_settled_tasks_do_not_pile_up(self, eliot: Command, use: Use) -> None:
        """No more tasks are held back than can still change."""
        line = '{"task_uuid":"%d","task_level":[1],"timestamp":3,"message_type":"m"}\n'
        data = "".join(line % number for number in range(5000)).encode()
        held: List[int] = []

        def count(session: Session) -> None:
            seen = [task.top().task_uuid for task in session.tasks(settled=True)]
            held.append(len(set(seen)))

        use(count)
        eliot("probe", stdin=data)

        assert [5000] == held

    @pytest.mark.parametrize(
        "value",
        [
            {"n": 10**30, "text": "\u00e9\x7f\x1b\U0001f600\u202e\ud800", "list": [None, True]},
            [1.5],
            "plain",
        ],
    )
    def test_writes_json(self, value: Any, eliot: Command, use: Use) -> None:
        """JSON is plain ASCII, and exactly the value."""
        use(lambda session: session.write_json(value))
        text = eliot("probe", "--json").text

        assert text[:-1].isprintable()
        assert text.isascii()
        assert value == json.loads(text)

    def test_writes_json_of_anything(self, eliot: Command, use: Use) -> None:
        """What JSON lacks is written so that it can be read, and so is what is too deep."""
        deep: Any = "\u00e9"
        for _ in range(5000):
            deep = [deep]
        value = {"a": float("nan"), "b": {2}, "c": "\u00e9\x7f", "deep": deep}
        use(lambda session: session.write_json(value))
        text = eliot("probe").text
        answer = json.loads(text)

        assert text.isascii()
        assert text[:-1].isprintable()
        assert (None, [2], "\u00e9\x7f") == (answer["a"], answer["b"], answer["c"])

    @pytest.mark.parametrize(("options", "expected"), [([], "é"), (["--ascii"], r"\xe9")])
    def test_has_a_console(
        self, options: List[str], expected: str, eliot: Command, use: Use
    ) -> None:
        """What rich writes goes to the same place, as wide, and escaped if it has to be."""
        from rich.text import Text

        def show(session: Session) -> None:
            session.console.print(Text("é", style="red"))
            session.console.print("x" * 200, soft_wrap=False)

        use(show)

        assert f"{expected}\n{'x' * 120}\n{'x' * 80}\n" == eliot("probe", *options).text
        assert f"\x1b[31m{expected}\x1b[0m\n" in eliot("probe", "--color=always", *options).text


class TestEncoding:
    """What is written where not all can be shown."""

    @pytest.mark.parametrize(
        ("encoding", "only_ascii", "expected"),
        [
            ("utf-8", False, "├é\\ud800"),
            ("latin-1", True, "\\u251c\\xe9\\ud800"),
            ("ascii", True, "\\u251c\\xe9\\ud800"),
        ],
    )
    def test_is_valid(
        self, encoding: str, only_ascii: bool, expected: str, eliot: Command, use: Use
    ) -> None:
        """Output is valid UTF-8, or else plain ASCII with escapes."""
        seen: List[bool] = []

        def show(session: Session) -> None:
            seen.append(session.output.ascii)
            session.write("├é\ud800")

        use(show)

        assert (expected, [only_ascii]) == (eliot("probe", encoding=encoding).text, seen)


class TestColor:
    """Whether there are colours."""

    @pytest.mark.parametrize(
        ("options", "environment", "at_terminal", "elsewhere"),
        [
            ([], {}, True, False),
            ([], {"NO_COLOR": "1"}, False, False),
            ([], {"NO_COLOR": ""}, True, False),
            ([], {"TERM": "dumb"}, False, False),
            (["--color=always"], {"NO_COLOR": "1"}, True, True),
            (["--color=never"], {}, False, False),
        ],
    )
    def test_is_decided(  # noqa: PLR0913, PLR0917 - cases and fixtures
        self,
        options: List[str],
        environment: Any,
        at_terminal: bool,
        elsewhere: bool,
        eliot: Command,
        terminal: Command,
        use: Use,
        log: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """By the option, else by the environment, else by where output goes."""
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        seen: List[bool] = []
        use(lambda session: seen.append(session.output.color))
        terminal("probe", log, *options)
        eliot("probe", log, *options)

        assert [at_terminal, elsewhere] == seen


class TestWidth:
    """How many columns there are."""

    @pytest.mark.parametrize(
        ("environment", "at_terminal", "elsewhere"),
        [({}, 100, None), ({"COLUMNS": "60"}, 60, 60), ({"COLUMNS": "x"}, 100, None)],
    )
    def test_is_told(  # noqa: PLR0913, PLR0917 - cases and fixtures
        self,
        environment: Any,
        at_terminal: int,
        elsewhere: Any,
        eliot: Command,
        terminal: Command,
        use: Use,
        log: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """By the environment, else by the terminal; a file has any."""
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        seen: List[Any] = []
        use(lambda session: seen.append(session.output.width))
        terminal("probe", log, columns=100)
        eliot("probe", log)

        assert [at_terminal, elsewhere] == seen

    def test_is_80_where_nobody_knows(self, terminal: Command, use: Use, log: Path) -> None:
        """A terminal that does not know its size is as wide as terminals were."""
        seen: List[Any] = []
        use(lambda session: seen.append(session.output.width))
        terminal("probe", log, columns=0, lines=0)

        assert [80] == seen
