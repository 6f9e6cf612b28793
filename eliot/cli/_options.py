"""What all commands that ask a log share: sources, selection, output, progress, exit status."""

from __future__ import annotations

import functools
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Tuple

import click

from eliot._inputs import STDIN, Log, Problem
from eliot.cli._output import Output
from eliot.parse import Task, tasks_of

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Session", "log_command"]


class Session:
    """
    One call of a command: the log that it asks, and the place where it answers.

    Attributes:
        output: Where to write: `output.write(text)`. It knows `color`, `ascii`, `width` (None if
            lines may have any length) and `terminal`, and can be rich's file.
        json: Whether JSON is wanted.
        found: Whether there was anything to answer; with nothing the exit status is 1. `tasks` sets
            it, a command may change it.
        log: The sources.
    """

    def __init__(self, sources: Tuple[str, ...], output: Output, *, json: bool) -> None:
        self.output = output
        self.json = json
        self.found = False
        self.log = Log(sources or (STDIN,), self.report)

    def tasks(self) -> Iterator[Task]:
        """Give the selected tasks of the log."""
        for task in tasks_of(self.log, self.report):
            self.found = True
            yield task

    def report(self, problem: Problem) -> None:
        """Say on standard error what could not be read."""
        sys.stderr.write(f"{problem}\n")

    def write(self, text: str) -> None:
        """Write text to standard output, or to the pager."""
        self.output.write(text)

    def write_json(self, value: Any) -> None:
        """Write a line of JSON."""
        self.output.write(json.dumps(value, default=str) + "\n")

    @functools.cached_property
    def console(self) -> Console:
        """Rich's console, for tables; it takes long to import."""
        from rich.console import Console

        return Console(
            file=self.output,  # type: ignore[arg-type] # it is all that rich needs of a file
            color_system="auto" if self.output.color else None,
            force_terminal=self.output.color,
            no_color=not self.output.color,
            width=self.output.width or 120,
            highlight=False,
            markup=False,
            emoji=False,
        )


def log_command(function: Callable[..., None]) -> click.Command:
    """
    Make a command of a function that takes a `Session` and its own options.

    Options of its own stand below this one:

        @log_command
        @click.option("--limit", type=int)
        def tree(session: Session, limit: int | None) -> None:
            ...

    The exit status is 0 if something was found, 1 if nothing was, 2 if a source could not be read.
    """

    @functools.wraps(function)
    def command(
        sources: Tuple[str, ...],
        color: str,
        ascii_only: bool,
        no_pager: bool,
        json: bool,
        **options: Any,
    ) -> None:
        output = Output(color, ascii_only=ascii_only, pager=not no_pager and not json)
        session = Session(sources, output, json=json)
        try:
            try:
                function(session, **options)
            finally:
                output.close()
        except BrokenPipeError:  # the reader has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt:
            sys.exit(130)
        sys.exit(2 if session.log.unreadable else int(not session.found))

    own: List[Any] = getattr(command, "__click_params__", [])
    command.__click_params__ = []  # type: ignore[attr-defined]
    for option in reversed(_SHARED):
        option(command)
    command.__click_params__ += own  # type: ignore[attr-defined]
    return click.command(context_settings={"help_option_names": ["-h", "--help"]})(command)


_SHARED: List[Callable[[Any], Any]] = [
    click.argument("sources", nargs=-1, metavar="[FILE]..."),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        help="Colour; by default if standard output is a terminal and NO_COLOR is not set.",
    ),
    click.option("--ascii", "ascii_only", is_flag=True, help="Nothing but ASCII characters."),
    click.option("--no-pager", is_flag=True, help="No pager for what is longer than the screen."),
    click.option("--json", is_flag=True, help="JSON for programs, one object a line."),
]
