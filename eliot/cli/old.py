"""`eliot pretty` and `eliot filter`: the readers that Eliot has had for long, for files, too."""

from __future__ import annotations

import os
import sys
from typing import Callable, Tuple

import click

from eliot._inputs import Log, Problem
from eliot._lines import BadLine
from eliot.cli._options import given, problem_text
from eliot.filter import EliotFilter
from eliot.prettyprint import show

__all__ = ["filter", "pretty"]

_SETTINGS = {"help_option_names": ["-h", "--help"]}
_FILES = click.argument("sources", nargs=-1, metavar="[FILE]...")


def _report(problem: Problem) -> None:
    sys.stdout.flush()  # so that it is in its place
    sys.stderr.write(problem_text(problem))


class _Output:
    """Standard output, and whether anything was written to it."""

    found = False

    def write(self, text: str) -> None:
        self.found = True
        sys.stdout.write(text)


def _end(log: Log, run: Callable[[], bool]) -> None:
    """End with the exit status of grep."""
    try:
        found = run()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        found = True
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(2 if log.unreadable else int(not found))


@click.command(context_settings=_SETTINGS)
@click.option("-c", "--compact", is_flag=True, help="One line for each message.")
@click.option("-l", "--local-timezone", is_flag=True, help="Local time instead of UTC.")
@_FILES
def pretty(sources: Tuple[str, ...], *, compact: bool, local_timezone: bool) -> None:
    """
    Show messages as text, one after the other, as eliot-prettyprint.

    Lines that are not messages are shown as they are, and reported on standard error.
    """
    log = Log(given(sources), _report)

    def tell(line: BadLine) -> None:
        _report(Problem(*log.place, line.reason))

    _end(
        log,
        lambda: show(log.lines(), compact=compact, local_timezone=local_timezone, on_bad=tell),
    )


@click.command(context_settings=_SETTINGS)
@click.option("--skip-errors", is_flag=True, help="Report bad lines, and go on.")
@click.argument("expression")
@_FILES
def filter(expression: str, sources: Tuple[str, ...], *, skip_errors: bool) -> None:  # noqa: A001
    """
    Show what a Python expression makes of each line, as JSON, as python -m eliot.filter.

    In the expression there are J, the decoded line; datetime and timedelta, the classes; and SKIP,
    the result for which nothing is written. Without --skip-errors a bad line ends the program.

    \b
    Examples:
      eliot filter "J if 'key' in J else SKIP" app.log
      eliot filter "J.get('action_type') or J.get('message_type')" app.log
    """  # noqa: D301 - click's sign for what is not to be filled
    log = Log(given(sources), _report)
    output = _Output()

    def tell(error: Exception) -> None:
        _report(Problem(*log.place, f"{type(error).__name__}: {error}"))

    def run() -> bool:
        try:
            chosen.run()
        except BrokenPipeError:
            raise
        except Exception as error:
            tell(error)
            log.unreadable += 1
        return output.found

    def skip(_: int, error: Exception) -> None:
        tell(error)

    try:
        chosen = EliotFilter(expression, log.lines(), output, skip if skip_errors else None)
    except (SyntaxError, ValueError) as error:  # ValueError: NUL characters, before Python 3.12
        msg = f"{expression!r} is no Python expression: {error}"
        raise click.BadParameter(msg, param_hint="EXPRESSION") from None
    _end(log, run)
