"""Tests of `eliot pretty` and `eliot filter`."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from eliot.cli import main
from eliot.filter import main as run_filter
from eliot.prettyprint import _main as run_prettyprint

Command = Callable[..., Any]


class TestPretty:
    """`eliot pretty`."""

    @pytest.mark.parametrize("options", [[], ["-c"], ["--local-timezone"], ["--compact", "-l"]])
    def test_is_eliot_prettyprint(
        self,
        options: Any,
        eliot: Command,
        log: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """It writes what the old command writes, with the same options, and reads files, too."""
        log.write_bytes(log.read_bytes() + b"oops\n")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(log.read_bytes())))
        run_prettyprint(options)
        expected = capsys.readouterr().out

        assert (expected, f"{log}:7: not JSON\n", 0) == eliot("pretty", *options, log)
        assert (expected, "<stdin>:7: not JSON\n", 0) == eliot(
            "pretty", *options, stdin=log.read_bytes()
        )

    def test_reports_files(self, eliot: Command, log: Path) -> None:
        """What cannot be read is reported, and the rest is shown."""
        answer = eliot("pretty", "-c", f"{log}.1", log)

        assert 6 == len(answer.text.splitlines())
        assert (f"eliot: {log}.1: No such file or directory\n", 2) == answer[1:]

    @pytest.mark.parametrize("content", [b"", b"\n\n"])
    def test_finds_nothing(self, content: bytes, eliot: Command) -> None:
        """The exit status is 1 if there is no message."""
        assert 1 == eliot("pretty", stdin=content).status

    def test_counts_lines_of_each_file(self, eliot: Command, log: Path) -> None:
        """A line that is no message is reported with its file and the number that it has there."""
        other = log.with_name("other.log")
        other.write_bytes(b"\n{}\n")
        answer = eliot("pretty", log, other)

        assert f"{other}:2: without task_level, task_uuid, timestamp\n" == answer.errors
        assert 0 == answer.status


class TestFilter:
    """`eliot filter`."""

    @pytest.mark.parametrize(
        "arguments", [["J.get('message_type', SKIP)"], ["--skip-errors", "J['message_type']"]]
    )
    def test_is_the_old_filter(self, arguments: Any, eliot: Command, log: Path) -> None:
        """It writes what `python -m eliot.filter` writes, and reads files, too."""
        stdin, stdout, stderr = io.BytesIO(log.read_bytes()), io.StringIO(), io.StringIO()
        process: Any = SimpleNamespace(
            argv=["filter", *arguments], stdin=stdin, stdout=stdout, stderr=stderr
        )

        assert 0 == run_filter(process)
        assert (stdout.getvalue(), 0) == eliot("filter", *arguments, log)[::2]
        assert (stdout.getvalue(), 0) == eliot("filter", *arguments, stdin=log.read_bytes())[::2]

    def test_ends_with_a_bad_line(self, eliot: Command, log: Path) -> None:
        """Without --skip-errors the first line for which the expression fails is the end."""
        assert ('"/api"\n', f"{log}:3: KeyError: 'url'\n", 2) == eliot(
            "filter", "J['url'] if J['task_level'] != [2, 1] else SKIP", log
        )

    def test_skips_bad_lines(self, eliot: Command, log: Path) -> None:
        """With --skip-errors bad lines are reported with their place, and the rest is filtered."""
        other = log.with_name("other.log")
        other.write_bytes(b'oops\n{"x": "\\u001b"}\n')
        answer = eliot("filter", "--skip-errors", "{'\x1b': 1}[J['x']]", log, other)

        *errors, last = answer.errors.splitlines()

        assert [f"{log}:{number}: KeyError: 'x'" for number in range(1, 7)] == errors
        assert last.startswith(f"{other}:1: JSONDecodeError: ")  # PyPy says why in its own words
        assert ("1\n", 0) == answer[::2]

    @pytest.mark.parametrize("expression", ["J +", "J\0"])
    def test_needs_an_expression(self, expression: str, eliot: Command, log: Path) -> None:
        """What is no expression is explained."""
        answer = eliot("filter", expression, log)

        assert ("", 2) == answer[::2]
        assert f"Invalid value for EXPRESSION: {expression!r} is no Python" in answer.errors

    def test_finds_nothing(self, eliot: Command, log: Path) -> None:
        """The exit status is 1 if nothing was written."""
        assert ("", "", 1) == eliot("filter", "SKIP", log)

    def test_reports_files(self, eliot: Command, log: Path) -> None:
        """What cannot be read is reported, and the rest is filtered."""
        assert ("6\n" * 6, f"eliot: {log}.1: No such file or directory\n", 2) == eliot(
            "filter", "6", f"{log}.1", log
        )


@pytest.mark.parametrize("arguments", [["pretty"], ["filter", "J"]])
def test_interruption_is_an_end(
    arguments: Any, log: Path, monkeypatch: pytest.MonkeyPatch, eliot: Command
) -> None:
    """An interrupted command ends with the exit status that shells expect."""

    def interrupt(log: object) -> Any:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("eliot._inputs.Log.lines", interrupt)

    assert ("", "", 130) == eliot(*arguments, log)


@pytest.mark.parametrize("arguments", [["pretty"], ["filter", "J"]])
def test_nobody_has_to_type_a_log(arguments: Any, terminal: Command) -> None:
    """At a terminal a log has to be named."""
    answer = terminal(*arguments)

    assert 2 == answer.status
    assert "give a log, or '-' to type one" in answer.text


@pytest.mark.parametrize("arguments", [["pretty"], ["filter", "J"]])
def test_broken_pipes_are_no_errors(
    arguments: Any, log: Path, monkeypatch: pytest.MonkeyPatch, eliot: Command
) -> None:
    """When the reader has seen enough, that is the end, without a word."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "w", buffering=1) as stdout, monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["eliot", *arguments, str(log)])
        patch.setattr(sys, "stdout", stdout)
        with pytest.raises(SystemExit) as end:
            main()

    assert 0 == end.value.code
