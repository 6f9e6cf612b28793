"""The house: who may know whom, and what `import eliot` may cost. import-linter has the floors."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Iterator

import pytest

import eliot

ROOT = Path(__file__).parent.parent
PACKAGE = Path(eliot.__file__).parent
ROOMS = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")

LATE = {"eliot._files", "eliot._interface", "eliot._writer"}

#: Opened at first use by the shop window and the old door, for it needs pyrsistent.
OPENED_LATE = {
    "__init__": LATE | {"eliot._console", "eliot._parse", "eliot._status", "eliot.parse"},
    "_output": LATE,
    "json": {"eliot._json_encoder"},
    "parse": {
        "eliot._entries",
        "eliot._failures",
        "eliot._findings",
        "eliot._inputs",
        "eliot._profile",
    },
    "_task": {"eliot._entries", "eliot._render"},
    # Sessions that use neither the fixture nor the option are not to wait for these.
    "pytest_plugin": {"eliot._captured", "eliot._session_log"},
}

#: Optional packages, by room; the room may be missing with them.
OPTIONAL = {
    "_dask_graph": "dask",
    "dask": "dask",
    "journald": "cffi",
    "logwriter": "twisted",
    "twisted": "twisted",
}

#: What `import eliot` leaves alone: worlds that it serves, and packages that take long to import.
NOT_LOADED = (
    "cffi dask numpy pandas polars pydantic trio twisted "
    "dataclasses inspect orjson pyrsistent uuid zope.interface "
    "eliot._entries eliot._follow eliot._inputs eliot._select eliot._summary eliot.cli "
    "eliot._console eliot._draw eliot._events eliot._look eliot._render"
)


def fresh_interpreter(program: str) -> str:
    """Run a program in an interpreter of its own, warnings being errors; return its output."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def tree(room: str) -> ast.Module:
    """Parse the source of a room."""
    return ast.parse((PACKAGE / f"{room}.py").read_text(encoding="utf-8"))


def imported(node: ast.AST) -> Iterator[str]:
    """Name the modules that a statement imports, relative ones with their dots."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield "." * node.level + (node.module or "")


class TestRooms:
    """Each module of the package."""

    @pytest.mark.parametrize("room", ROOMS)
    def test_comes_first(self, room: str) -> None:
        """Any room can be the first one that a program imports."""
        if room in OPTIONAL:
            pytest.importorskip(OPTIONAL[room], reason=f"no {OPTIONAL[room]} on this interpreter")

        fresh_interpreter(f"import eliot.{room}")

    @pytest.mark.parametrize(
        ("room", "missing", "extra"),
        [
            ("dask", "dask.base", "dask"),
            ("journald", "cffi", "journald"),
            ("logwriter", "twisted.application.service", "twisted"),
            ("twisted", "twisted.internet", "twisted"),
        ],
    )
    def test_says_what_is_missing(
        self, room: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where an optional package is missing, importing its room gives the command for that."""
        monkeypatch.delitem(sys.modules, f"eliot.{room}", raising=False)
        monkeypatch.setitem(sys.modules, missing, None)
        with pytest.raises(ModuleNotFoundError, match=rf"pip install 'eliot\[{extra}\]'"):
            importlib.import_module(f"eliot.{room}")

    @pytest.mark.parametrize("room", ROOMS)
    def test_says_what_it_is_for(self, room: str) -> None:
        """The first line of a room says what it is for."""
        docstring = ast.get_docstring(tree(room))

        assert docstring
        assert re.match(r"\S.{10,}[.:]$", docstring.splitlines()[0])

    @pytest.mark.parametrize("room", ROOMS)
    def test_offers_what_it_has(self, room: str) -> None:
        """`__all__` names nothing that is not there, nothing twice, and is sorted."""
        if room in OPTIONAL:
            pytest.importorskip(OPTIONAL[room], reason=f"no {OPTIONAL[room]} on this interpreter")
        module = importlib.import_module(f"eliot.{room}")
        names = getattr(module, "__all__", [])

        assert [] == [name for name in names if not hasattr(module, name)]
        assert sorted(set(names)) == sorted(names)

    @pytest.mark.parametrize("room", ROOMS)
    def test_does_not_know_the_root(self, room: str) -> None:
        """No room imports the package itself; `from eliot._room import name` is the way."""
        names = {name for node in ast.walk(tree(room)) for name in imported(node)}

        assert set() == {name for name in names if name == "eliot" or name.startswith(".")}

    @pytest.mark.parametrize("room", ["__init__", *ROOMS])
    def test_imports_rooms_at_the_top(self, room: str) -> None:
        """Functions import no rooms, but for the one that is opened at first use."""
        late = {
            name
            for function in ast.walk(tree(room))
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
            for node in ast.walk(function)
            for name in imported(node)
            if name.startswith((".", "eliot"))
        }

        assert late <= OPENED_LATE.get(room, set())


class TestShopWindow:
    """The package itself."""

    def test_offers_what_it_promises(self) -> None:
        """`__all__` is what programs rely on."""
        expected = """
            Action ActionType BackgroundWriter Field FileDestination ILogger Logger MemoryLogger
            Message MessageType ValidationError __version__ _parse addDestination addGlobalFields
            add_destination add_destinations add_global_fields configure current_action
            eliot_friendly_generator_function fields is_enabled log_call log_message
            preserve_context
            register_exception_extractor register_json_encoder removeDestination remove_destination
            startAction startTask start_action start_task status to_console to_file
            use_asyncio_context writeFailure writeTraceback write_failure write_traceback
        """

        assert set(expected.split()) == set(eliot.__all__)

    def test_has_what_it_offers(self) -> None:
        """Each name is there, and none besides: no helper leaks."""
        leaks = {
            name
            for name, value in vars(eliot).items()
            if not name.startswith("_")
            and not isinstance(value, ModuleType)
            and name not in eliot.__all__
        }

        assert sorted(set(eliot.__all__)) == sorted(eliot.__all__)
        assert [] == [name for name in eliot.__all__ if not hasattr(eliot, name)]
        assert set() == leaks

    def test_knows_its_version(self) -> None:
        """The package and the distribution have the same version."""
        assert version("eliot") == eliot.__version__

    def test_opens_cheaply(self) -> None:
        """Importing the package loads nothing that takes long and that only some programs need."""
        program = (
            "import sys; before = {*sys.modules}; import eliot; print(*{*sys.modules} - before)"
        )
        loaded = fresh_interpreter(program).split()

        assert [] == [name for name in NOT_LOADED.split() if name in loaded]

    def test_starts_nothing(self) -> None:
        """Importing the package starts no thread."""
        program = "import threading, eliot; print(threading.active_count())"

        assert "1" == fresh_interpreter(program).strip()

    @pytest.mark.skipif("TOX_ENV_NAME" not in os.environ, reason="tox alone installs the wheel")
    def test_is_the_installed_one(self) -> None:
        """What tox tests is the installed wheel, in this process and in those that it starts."""
        program = "import eliot; print(eliot.__file__)"

        assert Path(sys.prefix) in Path(eliot.__file__).parents
        assert eliot.__file__ == fresh_interpreter(program).strip()
        assert (PACKAGE / "py.typed").exists()


class TestReadme:
    """The commands that README.rst tells its reader to run."""

    def test_are_what_is_run(self) -> None:
        """There are two, which .ci/run runs: one shows a log, the other one runs the tests."""
        program = [sys.executable, str(ROOT / ".ci" / "readme_commands.py")]
        demonstration, tests = subprocess.run(
            program, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.split("\0")[:-1]

        assert "eliot tree" in demonstration
        assert "tox run-parallel" in tests
