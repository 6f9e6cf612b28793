"""What all commands that ask a log share: sources, selection, output, progress, exit status."""

from __future__ import annotations

import functools
import os
import sys
from datetime import datetime
from json import dumps
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Generic,
    Iterator,
    List,
    Optional,
    Tuple,
    TypeVar,
)

import click

from eliot._fields import VALID_STATUSES
from eliot._inputs import STDIN, Log, MessageStream, Problem, reason_of
from eliot._levels import LEVELS
from eliot._look import Look
from eliot._safe import printable
from eliot._select import Selection, condition, duration, moment
from eliot._stream import hold_back
from eliot.cli._output import Output
from eliot.cli._progress import Progress
from eliot.json import encode
from eliot.parse import Task, tasks_of

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Session",
    "Value",
    "full_option",
    "given",
    "local_time_option",
    "log_command",
    "number_option",
    "problem_text",
]

_T = TypeVar("_T")


def given(sources: Tuple[str, ...]) -> Tuple[str, ...]:
    """Return the sources that were given: standard input for none, if nobody has to type it."""
    if not sources and sys.stdin is not None and sys.stdin.isatty():
        msg = "give a log, or '-' to type one"
        raise click.UsageError(msg)
    return sources or (STDIN,)


def problem_text(problem: Problem) -> str:
    """Return a line that says what could not be read."""
    return f"{problem}\n" if problem.line is not None else f"eliot: {problem}\n"


class Session:
    """
    One call of a command: the log that it asks, and the place where it answers.

    Attributes:
        output: Where answers go. It knows `color`, `ascii`, `width` (None if lines may have any
            length) and `terminal`.
        json: Whether JSON is wanted.
        selection: Which tasks are wanted.
        found: Whether there was anything to answer; with nothing the exit status is 1. `tasks` sets
            it, a command may change it.
        log: The sources.
        on_problem: Is called with each problem, too, if it is set.
    """

    def __init__(
        self, sources: Tuple[str, ...], selection: Selection, output: Output, *, json: bool
    ) -> None:
        self.output = output
        self.json = json
        self.selection = selection
        self.found = False
        self.on_problem: Optional[Callable[[Problem], object]] = None
        self.log = Log(sources, self.report)

    def tasks(
        self, log: Optional[MessageStream] = None, *, settled: bool = False
    ) -> Iterator[Task]:
        """
        Give the selected tasks; show progress, and problems in their place.

        Args:
            log: Another log than that of the session.
            settled: Whether each task comes once, late messages included, for it is to be counted;
                otherwise it comes as soon as it can, and perhaps once more, grown.
        """
        log = self.log if log is None else log
        tasks = tasks_of(log, self.report)
        with self.progress(log):
            for task in hold_back(tasks) if settled else tasks:
                if not self.selection or self.selection.matches(task):
                    self.found = True
                    yield task

    def progress(self, log: MessageStream) -> Progress:
        """Show how far a log was read until something else is shown on the same screen."""
        progress = Progress(log)
        self.output.before_writing = progress.stop
        self.output.write_error = progress.note
        return progress

    def report(self, problem: Problem) -> None:
        """Say in its place what could not be read."""
        if self.on_problem is not None:
            self.on_problem(problem)
        self.output.note(problem_text(problem))

    def look(self, *, full: bool = False, local: bool = False) -> Look:
        """Say how answers look: `full` for lines of any length, `local` for local time."""
        output = self.output
        return Look(
            unicode=not output.ascii,
            color=output.color,
            width=None if full else output.width,
            local=local,
        )

    def write(self, text: str) -> None:
        """Write text to standard output, or to the pager."""
        self.output.write(text)

    def write_json(self, value: Any) -> None:
        """Write a line of JSON, which is ASCII."""
        try:
            text = dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):  # what JSON lacks, or deeper than the stack
            text = encode(value).decode("utf-8")
            text = "".join(char if " " <= char <= "~" else dumps(char)[1:-1] for char in text)
        self.output.write(text + "\n")

    @functools.cached_property
    def console(self) -> Console:
        """The console of rich that writes to the output; to import rich takes long."""
        from rich.console import Console

        output = self.output
        return Console(
            file=output,  # type: ignore[arg-type] # it has all that rich needs of a file
            color_system="auto" if output.color else None,
            force_terminal=output.color,
            width=output.width or 120,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )


if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:  # older ones are not generic
    _ParamType = click.ParamType


class Value(_ParamType, Generic[_T]):
    """The value of an option that a function reads; what is wrong with it says the function."""

    def __init__(self, name: str, read: Callable[[str], _T]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Read the text, or say what is wrong with it."""
        try:
            return self._read(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(printable(error), param, ctx)


def _moment(text: str) -> float:
    return moment(text, datetime.now().astimezone())


_SHARED: List[Callable[[Any], Any]] = [
    click.argument("sources", nargs=-1, metavar="[FILE]..."),
    click.option(
        "--task",
        "tasks",
        metavar="UUID",
        multiple=True,
        help="Tasks whose uuid begins so; may be repeated: any of them.",
    ),
    click.option(
        "--type",
        "types",
        metavar="PATTERN",
        multiple=True,
        help="An action or message of such a type, such as 'http:*'; repeated: any of them.",
    ),
    click.option(
        "--where",
        metavar="FIELD OP VALUE",
        multiple=True,
        type=Value("condition", condition),
        help="A field that has such a value, such as 'status>=500', 'user.name=Ann' or "
        "'url~^/api/'; OP is = != < <= > >= ~ !~, the last two for regular expressions; "
        "repeated: all of them.",
    ),
    click.option(
        "--status",
        "statuses",
        multiple=True,
        type=click.Choice(VALID_STATUSES),
        help="An action with this status, 'started' if it never ended; repeated: any of them.",
    ),
    click.option(
        "--level",
        type=click.Choice(LEVELS, case_sensitive=False),
        help="Something whose field log_level is at least that.",
    ),
    click.option(
        "--since",
        metavar="TIME",
        type=Value("time", _moment),
        help="Something that began or ended then or later: 2026-11-26, '2026-11-26 14:30', 14:30 "
        "(today), 2026-11-26T14:30Z, or -2h, -30m, -1d before now.",
    ),
    click.option(
        "--until",
        metavar="TIME",
        type=Value("time", _moment),
        help="Something that began or ended then or earlier.",
    ),
    click.option(
        "--min-duration",
        metavar="DURATION",
        type=Value("duration", duration),
        help="An action that took at least so long: 100ms, 2s, 1.5 (seconds), 1h30m.",
    ),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        help="Colours; by default if standard output is a terminal and NO_COLOR is not set.",
    ),
    click.option("--ascii", "ascii_only", is_flag=True, help="Nothing but ASCII characters."),
    click.option("--no-pager", is_flag=True, help="No pager for what is longer than the screen."),
    click.option("--json", is_flag=True, help="JSON for programs, one object a line."),
]


def number_option(name: str, default: int, text: str) -> Callable[[Any], Any]:
    """Make an option that is a number: of what is shown."""
    return click.option(
        name, metavar="N", type=click.IntRange(0), default=default, show_default=True, help=text
    )


local_time_option = click.option(
    "--local-time", is_flag=True, help="Times in the local time zone, and not in UTC."
)

full_option = click.option(
    "--full", is_flag=True, help="Whole lines, however wide the terminal is."
)

#: The options that make a selection.
_SELECTION = (
    "tasks",
    "types",
    "where",
    "statuses",
    "level",
    "since",
    "until",
    "min_duration",
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
    def command(**options: Any) -> None:
        sys.exit(_call(function, options))

    own: List[Any] = getattr(command, "__click_params__", [])
    command.__click_params__ = []  # type: ignore[attr-defined]
    for option in reversed(_SHARED):
        option(command)
    command.__click_params__ += own  # type: ignore[attr-defined]
    return click.command(context_settings={"help_option_names": ["-h", "--help"]})(command)


def _call(function: Callable[..., None], options: Dict[str, Any]) -> int:
    """Call a command; return the exit status."""
    sources = given(options.pop("sources"))
    selection = Selection(**{name: options.pop(name) for name in _SELECTION})
    json = options.pop("json")
    output = Output(
        options.pop("color"),
        ascii_only=options.pop("ascii_only"),
        pager=not options.pop("no_pager") and not json,
    )
    session = Session(sources, selection, output, json=json)
    status = 2
    try:
        try:
            function(session, **options)
        finally:
            output.close()
        status = 2 if session.log.unreadable else int(not session.found)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = int(not session.found)
    except OSError as error:
        where = "" if error.filename is None else f"{printable(error.filename)}: "
        sys.stderr.write(f"eliot: {where}{printable(reason_of(error))}\n")
    except KeyboardInterrupt:
        status = 130
    return status
