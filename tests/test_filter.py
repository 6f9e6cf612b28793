"""Tests of `eliot.filter`."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any, List, Tuple, Union

import pytest

import eliot
import eliot.filter
from eliot.filter import USAGE, EliotFilter, main, run_program


def filtered(expression: str, *lines: Union[str, bytes]) -> List[Any]:
    """Filter lines; return what the output's lines decode to."""
    output = StringIO()
    EliotFilter(expression, lines, output).run()
    return [json.loads(line) for line in output.getvalue().splitlines()]


class Process:
    """Stands in for the module `sys`."""

    def __init__(self, arguments: List[str], text: str) -> None:
        self.argv = ["program", *arguments]
        self.stdin = StringIO(text)
        self.stdout = StringIO()
        self.stderr = StringIO()

    def run(self) -> Tuple[int, str, str]:
        """Run `main`; return its result and what it wrote."""
        return main(self), self.stdout.getvalue(), self.stderr.getvalue()


class TestEliotFilter:
    """An expression is evaluated for each line."""

    def test_j_is_the_decoded_line(self) -> None:
        """Text and bytes are both lines."""
        assert [1, "\u00e9"] == filtered("J['x']", '{"x": 1}', b'{"x": "\xc3\xa9"}\n')

    def test_skip(self) -> None:
        """SKIP writes nothing."""
        assert [2] == filtered("J if J > 1 else SKIP", "1", "2")

    def test_output_is_ascii_with_blanks(self) -> None:
        """The output looks as that of json.dumps."""
        output = StringIO()
        EliotFilter("J", ['{"b":"\u00e9","a":[1,2]}'], output).run()

        assert '{"b": "\\u00e9", "a": [1, 2]}\n' == output.getvalue()

    def test_output_has_no_control_characters(self) -> None:
        """The one that JSON leaves as it is, is escaped, too."""
        output = StringIO()
        EliotFilter("J", [json.dumps({"\x7f": "\x1b\x7f\x9b\u202e"})], output).run()

        assert '{"\\u007f": "\\u001b\\u007f\\u009b\\u202e"}\n' == output.getvalue()

    def test_damaged_lines(self) -> None:
        """Messages in a damaged line are filtered, and the rest of it is reported."""
        output, errors = StringIO(), []
        good = '{"task_uuid":"u","task_level":[1],"timestamp":1}'
        EliotFilter(
            "J['task_uuid']",
            [good + good, b"\0" + good.encode(), b"", b'"\xff"'],
            output,
            on_error=lambda number, error: errors.append(number),
        ).run()

        assert '"u"\n' * 3 == output.getvalue()
        assert [2, 4] == errors

    def test_datetime(self) -> None:
        """Times can be calculated with, and are written in ISO form."""
        expression = "datetime(2012, 12, 31) + timedelta(days=J)"

        assert ["2013-01-01T00:00:00"] == filtered(expression, "1")

    def test_inner_scopes_see_the_names(self) -> None:
        """Comprehensions, generator expressions and lambdas know J and SKIP, too."""
        assert [[3, 3]] == filtered("[J for _ in range(2)]", "3")
        assert [True] == filtered("any(J > x for x in (5, 1))", "3")
        assert [4] == filtered("(lambda: SKIP if J > 4 else J)()", "4", "5")

    def test_namespace_is_clean(self) -> None:
        """Nothing of the module is visible, but for what is documented; builtins are."""
        for name in ("sys", "loads", "EliotFilter", "self", "line"):
            with pytest.raises(NameError):
                filtered(name, "1")

        assert [3] == filtered("max(J)", "[1, 3]")

    def test_assignments_do_not_stay(self) -> None:
        """Lines do not see each other."""
        assert [1, 1] == filtered("globals().setdefault('n', 0) + 1", "1", "2")

    @pytest.mark.parametrize(
        ("expression", "line", "error"),
        [
            ("J", "not json", ValueError),
            ("J", "", ValueError),
            ("J['x']", "{}", KeyError),
            ("object()", "1", TypeError),
        ],
    )
    def test_errors_end_it(self, expression: str, line: str, error: type[Exception]) -> None:
        """A bad line, expression or result raises."""
        with pytest.raises(error):
            filtered(expression, line)

    def test_syntax_error_at_once(self) -> None:
        """An expression that is none is refused before a line is read."""
        with pytest.raises(SyntaxError):
            EliotFilter("J if", [], StringIO())

    def test_evaluate_can_be_replaced(self) -> None:
        """Programs replace _evaluate, and return _SKIP from it."""
        output = StringIO()
        eliot_filter = EliotFilter("J", ["1", "2"], output)
        eliot_filter._evaluate = lambda message: (  # type: ignore[method-assign] # see above
            eliot_filter._SKIP if message == 1 else "two"
        )
        eliot_filter.run()

        assert '"two"\n' == output.getvalue()

    def test_on_error(self) -> None:
        """Somebody who wants to know is told of bad lines, and the others are written."""
        output, errors = StringIO(), []
        EliotFilter(
            "1 / J", ["1", "0", "x"], output, on_error=lambda *error: errors.append(error)
        ).run()

        assert "1.0\n" == output.getvalue()
        assert [(2, ZeroDivisionError), (3, json.JSONDecodeError)] == [
            (number, type(error)) for number, error in errors
        ]


class TestMain:
    """The command line program."""

    def test_filters_standard_input(self) -> None:
        """Lines go from stdin to stdout."""
        assert (0, "1\n4\n", "") == Process(["J[0]"], "[1, 2]\n[4, 5]\n").run()

    @pytest.mark.parametrize("arguments", [[], ["J", "J"], ["--skip-errors"]])
    def test_wrong_number_of_arguments(self, arguments: List[str]) -> None:
        """Usage goes to stderr, with status 1."""
        assert (1, "", USAGE) == Process(arguments, "").run()
        assert USAGE.startswith("Usage: cat eliot.log | python -m eliot.filter <expr>")

    def test_skip_errors(self) -> None:
        """Bad lines are reported in place, with their numbers; the others are written."""
        status, out, err = Process(["--skip-errors", "1 / J"], "1\n\nx\n0\n4\n").run()

        assert (0, "1.0\n0.25\n") == (status, out)
        assert [
            ["line 3", "JSONDecodeError"],
            ["line 4", "ZeroDivisionError"],
            ["left out", "2"],
        ] == [line.split(": ")[:2] for line in err.splitlines()]

    def test_cut_line(self) -> None:
        """That a line is cut off is said."""
        _, out, err = Process(["--skip-errors", "J"], '1\n{"a": "b').run()

        assert "1\n" == out
        assert err.startswith("line 2: ValueError: the line is cut off: Unterminated string")

    def test_errors_are_escaped(self) -> None:
        """What the log says does not reach the terminal through an error."""
        _, _, err = Process(["--skip-errors", "getattr(J, J)"], '"\\u001b[31m"\n').run()

        assert (
            "line 1: AttributeError: 'str' object has no attribute '\\x1b[31m'\nleft out: 1\n"
            == err
        )

    @pytest.mark.parametrize("expression", ["J[", "J = 1", "", "J\0"])
    def test_no_expression(self, expression: str) -> None:
        """What is no Python expression is named, with the usage and status 2."""
        status, out, err = Process([expression], "1\n").run()

        assert (2, "") == (status, out)
        assert err.startswith("not a Python expression: ")
        assert err.endswith(USAGE)

    def test_as_a_program(self) -> None:
        """Python -m eliot.filter passes on the exit status."""
        package = str(Path(eliot.__file__).parents[1])
        command = [sys.executable, "-m", "eliot.filter"]
        good = subprocess.run(
            [*command, "J"], input=b"1\n", capture_output=True, cwd=package, check=False
        )
        bad = subprocess.run(command, input=b"", capture_output=True, cwd=package, check=False)

        assert (0, ["1"]) == (good.returncode, good.stdout.decode().splitlines())
        assert (1, USAGE.splitlines()) == (bad.returncode, bad.stderr.decode().splitlines())

    def test_traceback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An error ends the program with a traceback in which the log's text is escaped."""
        monkeypatch.setattr(sys, "argv", ["filter", "getattr(J, J)"])
        monkeypatch.setattr(sys, "stdin", StringIO('"\\u001b[31m"'))
        errors = StringIO()
        monkeypatch.setattr(sys, "stderr", errors)
        with pytest.raises(SystemExit) as status:
            runpy.run_path(eliot.filter.__file__, run_name="__main__")
        lines = errors.getvalue().splitlines()

        assert 1 == status.value.code
        assert "Traceback (most recent call last):" == lines[0]
        assert r"AttributeError: 'str' object has no attribute '\x1b[31m'" == lines[-1]

    def test_left_early(self) -> None:
        """That the reader has seen enough is for the interpreter to deal with."""

        class Closed(StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        process = Process(["J"], "1\n")
        process.stdout = Closed()
        with pytest.raises(BrokenPipeError):
            run_program(process)

    def test_as_a_module(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is the same program in this process."""
        monkeypatch.setattr(sys, "argv", ["filter", "J + 1"])
        monkeypatch.setattr(sys, "stdin", StringIO("1\n"))
        output = StringIO()
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(SystemExit) as status:
            runpy.run_path(eliot.filter.__file__, run_name="__main__")

        assert 0 == status.value.code
        assert "2\n" == output.getvalue()
