"""Filtering logs with Python expressions: `python -m eliot.filter`."""

from __future__ import annotations

import sys
import traceback
from datetime import datetime, timedelta
from json import dumps, loads
from types import CodeType
from typing import Any, Callable, Iterable, List, Optional, Protocol, Sequence, Union

from eliot._lines import is_cut, salvage
from eliot._safe import printable

__all__ = ["USAGE", "EliotFilter", "main"]

USAGE = """\
Usage: cat eliot.log | python -m eliot.filter <expr>
       cat eliot.log | python -m eliot.filter --skip-errors <expr>

Read JSON-encoded objects from standard input, one a line, and write what the Python expression
<expr> makes of each to standard output, one a line, as JSON.

In the expression there are:

  J          the decoded object
  datetime   the class datetime.datetime
  timedelta  the class datetime.timedelta
  SKIP       the result for which nothing is written

With --skip-errors a line that is not JSON, or for which the expression fails, is reported on
standard error with its number, and Eliot's messages in a damaged line are still read; without, it
ends the program.

Examples:

  # Pass on messages that have a field "key"; leave out the others.
  cat eliot.log | python -m eliot.filter "J if 'key' in J else SKIP"

  # Shorten messages to their types.
  cat eliot.log | python -m eliot.filter "J.get('action_type') or J.get('message_type')"
"""


class _Writable(Protocol):
    def write(self, text: str, /) -> object: ...


class _Process(Protocol):
    """What `main` needs of the module `sys`."""

    argv: List[str]
    stdin: Any
    stdout: Any
    stderr: Any


class EliotFilter:
    """
    Write what an expression makes of each line.

    Args:
        expr: A Python expression; see `USAGE`.
        incoming: The lines, text or UTF-8.
        output: Gets the results as text, one a line.
        on_error: Called with the number of a line, from 1, and what went wrong with it; that line
            is left out then. By default `run` raises what went wrong.

    Attributes:
        code: The compiled expression.

    Raises:
        SyntaxError: If the expression is not one.

    >>> import sys
    >>> EliotFilter("J['x'] + 1 if J['x'] else SKIP", ['{"x": 1}', '{"x": 0}'], sys.stdout).run()
    2
    """

    #: The result for which nothing is written.
    _SKIP = object()

    def __init__(
        self,
        expr: str,
        incoming: Iterable[Union[str, bytes]],
        output: _Writable,
        on_error: Optional[Callable[[int, Exception], object]] = None,
    ) -> None:
        self.code: CodeType = compile(expr, "<expr>", "eval")
        self.incoming = incoming
        self.output = output
        self.on_error = on_error

    def run(self) -> None:
        """
        Process all lines.

        Raises:
            Exception: What the first bad line raises, unless there is somebody to be told.
        """
        for number, line in enumerate(self.incoming, 1):
            for message in self._decode(number, line):
                try:
                    text = self._convert(message)
                except Exception as error:
                    if self.on_error is None:
                        raise
                    self.on_error(number, error)
                    continue
                if text:
                    self.output.write(text)

    def _decode(self, number: int, line: Union[str, bytes]) -> Sequence[Any]:
        """Decode a line; if errors are no end, return what can be read of it."""
        try:
            return [loads(line)]
        except Exception as error:
            if self.on_error is None:
                raise
            if not line.strip():
                return []
            messages, rest = salvage(line)
            if is_cut(line, rest):
                error = ValueError(f"the line is cut off: {error}")
            if rest:
                self.on_error(number, error)
            return messages

    def _convert(self, message: Any) -> str:
        """Return the line to write for a message, or nothing."""
        result = self._evaluate(message)
        if result is self._SKIP:
            return ""
        text = dumps(result, default=_json_default)
        return text.replace("\x7f", r"\u007f") + "\n"  # the one control character that JSON leaves

    def _evaluate(self, message: Any) -> Any:
        """Evaluate the expression in one namespace, so that inner scopes see the names too."""
        names = {"J": message, "datetime": datetime, "timedelta": timedelta, "SKIP": self._SKIP}
        return eval(self.code, names)  # noqa: S307 - it is the user's own program


def _json_default(o: object) -> str:
    if isinstance(o, datetime):
        return o.isoformat()
    msg = f"Object of type {type(o).__name__} is not JSON serializable"
    raise TypeError(msg)


def main(sys: _Process = sys) -> int:
    """
    Run the command line program.

    Args:
        sys: Has `argv`, `stdin`, `stdout` and `stderr`.

    Returns:
        The exit status: 0; 1 after a wrong number of arguments; 2 if the expression is none.
    """
    arguments = sys.argv[1:]

    left_out = 0

    def report(number: int, error: Exception) -> None:
        nonlocal left_out
        left_out += 1
        sys.stderr.write(f"line {number}: {type(error).__name__}: {printable(error)}\n")

    skip_errors = arguments[:1] == ["--skip-errors"]
    if skip_errors:
        del arguments[0]
    if len(arguments) != 1:
        sys.stderr.write(USAGE)
        return 1
    on_error = report if skip_errors else None
    # As bytes, if possible: a line that is no UTF-8 is one bad line then, not the end.
    lines = getattr(sys.stdin, "buffer", sys.stdin)
    try:
        chosen = EliotFilter(arguments[0], lines, sys.stdout, on_error)
    except (SyntaxError, ValueError) as error:  # ValueError: NUL characters, before Python 3.12
        sys.stderr.write(f"not a Python expression: {printable(arguments[0])}: {error}\n{USAGE}")
        return 2
    chosen.run()
    if left_out:
        sys.stderr.write(f"left out: {left_out}\n")
    return 0


def run_program(sys: _Process = sys) -> int:
    """Run `main`; what is in the traceback of an error may come from the log."""
    try:
        return main(sys)
    except BrokenPipeError:
        raise
    except Exception:
        lines = traceback.format_exc().splitlines()
        sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
        return 1


if __name__ == "__main__":
    sys.exit(run_program())
