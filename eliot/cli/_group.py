"""The group of all commands: each is loaded when it is called, and not for the help of all."""

from __future__ import annotations

import importlib
import os
from shlex import quote
from typing import Dict, List, Optional, Tuple

import click

__all__ = ["COMMANDS", "group"]

#: The module in which a command is, under its own name, and what it does.
COMMANDS: Dict[str, Tuple[str, str]] = {
    "tree": ("tree", "What happened: each task as a tree."),
    "why": ("why", "Why it failed: the causes of each failure."),
    "slow": ("slow", "Why it was slow: a profile by type of action."),
    "timeline": ("timeline", "When it happened: a picture of each task."),
    "stats": ("stats", "What is in a log: counts, times, losses."),
    "pretty": ("old", "Messages as text, one after the other, as eliot-prettyprint."),
    "filter": ("old", "What a Python expression makes of each line."),
}


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> List[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Optional[click.Command]:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"eliot.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: List[str]
    ) -> Tuple[Optional[str], Optional[click.Command], List[str]]:
        name = args[0]
        if name not in COMMANDS and not ctx.resilient_parsing:
            if os.path.exists(name):
                ctx.fail(f"{name!r} is no command; to see that log: eliot tree {quote(name)}")
            ctx.fail(f"No such command {name!r}; there are {', '.join(COMMANDS)}.")
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "--version", package_name="eliot", prog_name="eliot")
def group() -> None:
    """
    Answer questions about logs of Eliot.

    Each command takes files, patterns such as "logs/*.gz", or "-" for standard input, which is
    also what it reads if none is given; "eliot COMMAND --help" tells the rest.

    The exit status is 0 if something was found, 1 if nothing was, 2 after an error.
    """
