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
        expected = (*capsys.readouterr(), 0)

        assert expected == eliot("pretty", *options, log)
        assert expected == eliot("pretty", *options, stdin=log.read_bytes())

    def test_reports_files(self, eliot: Command, log: Path) -> None:
        """What cannot be read is reported, and the rest is shown."""
        answer = eliot("pretty", "-c", f"{log}.1", log)

        assert 6 == len(answer.text.splitlines())
        assert (f"eliot: {log}.1: No such file or directory\n", 2) == answer[1:]


class TestFilter:
    """`eliot filter`."""

    @pytest.mark.parametrize(
        "arguments",
        [["J.get('message_type', SKIP)"], ["--skip-errors", "J['message_type']"], ["J +"]],
    )
    def test_is_the_old_filter(self, arguments: Any, eliot: Command, log: Path) -> None:
        """It writes what `python -m eliot.filter` writes, and reads files, too."""
        stdin, stdout, stderr = io.BytesIO(log.read_bytes()), io.StringIO(), io.StringIO()
        process: Any = SimpleNamespace(
            argv=["filter", *arguments], stdin=stdin, stdout=stdout, stderr=stderr
        )
        status = run_filter(process)
        expected = (stdout.getvalue(), stderr.getvalue(), status)

        assert expected == eliot("filter", *arguments, log)
        assert expected == eliot("filter", *arguments, stdin=log.read_bytes())

    def test_ends_with_a_bad_line(self, eliot: Command, log: Path) -> None:
        """Without --skip-errors the first line for which the expression fails is the end."""
        answer = eliot("filter", "J['message_type']", log)

        assert ("", "KeyError: 'message_type'", 1) == (
            answer.text,
            answer.errors.splitlines()[-1],
            answer.status,
        )

    def test_reports_files(self, eliot: Command, log: Path) -> None:
        """What cannot be read is reported, and the rest is filtered."""
        assert ("6\n" * 6, f"eliot: {log}.1: No such file or directory\n", 2) == eliot(
            "filter", "6", f"{log}.1", log
        )


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
