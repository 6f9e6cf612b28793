"""Tests of the command `eliot` itself."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, List

import click
import pytest
from click.shell_completion import ShellComplete

import eliot as package
from eliot.cli import _group, main
from eliot.cli._group import COMMANDS

Command = Callable[..., Any]

#: What must not be loaded where only help is wanted.
HEAVY = ("rich", "asyncio", "orjson", "pyrsistent", "eliot._inputs")


def test_help_names_all_commands(eliot: Command) -> None:
    """The help says what each command is for."""
    answer = eliot("--help")

    assert 0 == answer.status
    assert answer.text == eliot("-h").text
    assert all(f"\n  {name} " in answer.text for name in COMMANDS)
    assert all(text in answer.text for _, text in COMMANDS.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_have_help(name: str, eliot: Command) -> None:
    """Each command is found under its name, and has a help of its own."""
    answer = eliot(name, "--help")

    assert (f"Usage: eliot {name} [OPTIONS]", 0) == (
        answer.text[: len(f"Usage: eliot {name} [OPTIONS]")],
        answer.status,
    )


def test_commands_are_where_they_are_said_to_be() -> None:
    """The module of each command has it, under its name."""
    for name in COMMANDS:
        module = importlib.import_module(f"eliot.cli.{COMMANDS[name][0]}")

        assert isinstance(getattr(module, name), click.Command)
        assert name in module.__all__


@pytest.mark.parametrize("name", COMMANDS)
def test_options_are_documented(name: str) -> None:
    """Each option of each command is in the documentation."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "commands.rst"
    text = page.read_text(encoding="utf-8")
    module = importlib.import_module(f"eliot.cli.{COMMANDS[name][0]}")
    options = {option for param in getattr(module, name).params for option in param.opts}

    assert [] == [
        option for option in options if option.startswith("--") and f"``{option}" not in text
    ]
    assert f"\neliot {name}\n~~~" in text


def test_version(eliot: Command) -> None:
    """The version is that of the package."""
    assert (f"eliot, version {package.__version__}\n", "", 0) == eliot("--version")


@pytest.mark.parametrize("arguments", [["nothing"], ["stats", "--nothing"], ["filter"]])
def test_mistakes_are_explained(arguments: Any, eliot: Command) -> None:
    """What there is not is an error that shows the way to the help."""
    answer = eliot(*arguments)

    assert 2 == answer.status
    assert "Try 'eliot" in answer.errors


def test_logs_are_no_commands(eliot: Command, log: Path) -> None:
    """Who gives a log where a command should be is told how to see it."""
    odd = log.with_name("a b.log")
    odd.write_bytes(b"")

    assert f"{str(log)!r} is no command; to see that log: eliot tree {log}" in eliot(log).errors
    assert f"eliot tree '{odd}'" in eliot(odd).errors
    assert 2 == eliot(log).status
    missing = eliot(f"{log}.1")

    assert 2 == missing.status
    assert f"No such command {str(log) + '.1'!r}; there are tree, why, " in missing.errors
    assert "No such command 'tre'; there are tree, why, " in eliot("tre").errors


def test_completion() -> None:
    """A shell completes the names of commands; what is none does not matter to it."""
    complete = ShellComplete(_group.group, {}, "eliot", "_ELIOT_COMPLETE").get_completions

    assert ["tree", "timeline"] == [item.value for item in complete([], "t")]
    assert [*COMMANDS] == [item.value for item in complete(["tre"], "")]


@pytest.mark.parametrize(
    ("missing", "named"),
    [({"click"}, "click"), ({"rich"}, "rich"), ({"click", "rich"}, "click and rich")],
)
def test_says_what_is_missing(
    missing: Any, named: str, eliot: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its packages the command says in one sentence how to get them."""
    monkeypatch.setattr("eliot.cli.find_spec", lambda name: None if name in missing else True)

    assert ("", f"The command eliot needs {named}: pip install 'eliot[cli]'\n", 2) == eliot("-h")


def test_help_loads_little() -> None:
    """What takes long to import is not loaded for the help."""
    program = (
        "import sys; sys.argv = ['eliot', '--help']\n"
        "from eliot.cli import main\n"
        "try: main()\n"
        "except SystemExit: print('|', *sys.modules)"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    loaded = output.split("|")[-1].split()

    assert "click" in loaded
    assert [] == [name for name in HEAVY if name in loaded]


def test_runs_as_a_module() -> None:
    """`python -m eliot.cli` is the command, too."""
    output = subprocess.run(
        [sys.executable, "-m", "eliot.cli", "--version"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout

    assert f"eliot, version {package.__version__}\n" == output


def test_is_a_module(eliot: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module runs the command wherever it is run."""
    called: List[bool] = []
    monkeypatch.setattr("eliot.cli.main", lambda: called.append(True))
    monkeypatch.delitem(sys.modules, "eliot.cli.__main__", raising=False)
    importlib.import_module("eliot.cli.__main__")

    assert [True] == called


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_needs_no_output(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard output or error is closed, what is written goes nowhere."""
    monkeypatch.setattr(sys, "argv", ["eliot", "--nothing" if name == "stderr" else "--version"])
    monkeypatch.setattr(sys, name, None)
    with pytest.raises(SystemExit) as end:
        main()
    getattr(sys, name).close()

    assert {"stdout": 0, "stderr": 2}[name] == end.value.code


def test_group_is_one_command() -> None:
    """Other programs that use click can have it as a part."""
    assert isinstance(_group.group, click.Group)
    assert list(COMMANDS) == _group.group.list_commands(click.Context(_group.group))
