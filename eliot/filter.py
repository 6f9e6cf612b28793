"""Filtering logs with Python expressions: `python -m eliot.filter`."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from json import dumps, loads
from typing import Any, Callable, Iterable, List, Optional, Protocol, Union

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
standard error with its number; without, it ends the program.

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
        self.code = compile(expr, "<expr>", "eval")
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
            try:
                result = self._evaluate(loads(line))
                text = "" if result is self._SKIP else dumps(result, default=_json_default) + "\n"
            except Exception as error:
                if self.on_error is None:
                    raise
                self.on_error(number, error)
                continue
            if text:
                self.output.write(text)

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
        The exit status: 0, or 1 after a wrong number of arguments.
    """
    arguments = sys.argv[1:]

    def report(number: int, error: Exception) -> None:
        sys.stderr.write(f"line {number}: {type(error).__name__}: {error}\n")

    skip_errors = arguments[:1] == ["--skip-errors"]
    if skip_errors:
        del arguments[0]
    if len(arguments) != 1:
        sys.stderr.write(USAGE)
        return 1
    on_error = report if skip_errors else None
    EliotFilter(arguments[0], sys.stdin, sys.stdout, on_error).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
