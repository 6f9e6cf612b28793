"""`eliot pretty` and `eliot filter`: the readers that Eliot has had for long, for files, too."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any, Tuple

import click

from eliot._inputs import STDIN, Log, Problem
from eliot.filter import run_program
from eliot.prettyprint import show

__all__ = ["filter", "pretty"]

_SETTINGS = {"help_option_names": ["-h", "--help"]}
_FILES = click.argument("sources", nargs=-1, metavar="[FILE]...")


def _report(problem: Problem) -> None:
    sys.stderr.write(f"eliot: {problem}\n")


@click.command(context_settings=_SETTINGS)
@click.option("-c", "--compact", is_flag=True, help="One line for each message.")
@click.option("-l", "--local-timezone", is_flag=True, help="Local time instead of UTC.")
@_FILES
def pretty(sources: Tuple[str, ...], *, compact: bool, local_timezone: bool) -> None:
    """
    Show messages as text, one after the other, as eliot-prettyprint.

    Lines that are not messages are shown as they are, and counted on standard error.
    """
    log = Log(sources or (STDIN,), _report)
    show(log.lines(), compact=compact, local_timezone=local_timezone)
    sys.exit(2 if log.unreadable else 0)


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
    log = Log(sources or (STDIN,), _report)
    process: Any = SimpleNamespace(
        argv=["eliot filter", *(["--skip-errors"] if skip_errors else []), expression],
        stdin=log.lines(),
        stdout=sys.stdout,
        stderr=sys.stderr,
    )
    try:
        status = run_program(process)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status or (2 if log.unreadable else 0))
