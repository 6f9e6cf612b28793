"""
Every example of README.rst, of the documentation and of the docstrings does what it shows.

In a document, the `python` blocks are one program, shown.py. At each `console` block the program so
far is run in an empty folder, then the commands behind `$` are, and their output is compared with
what the document shows. `shell` blocks are for the reader to run, `text` blocks are illustrations.
"""

from __future__ import annotations

import doctest
import importlib
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import pytest

import eliot

# Small programs leave it to the interpreter's end to close their files.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.rst", *sorted((ROOT / "docs").rglob("*.rst"))]

BLOCK = re.compile(r"^( *)\.\. code-block:: *(\S+)\n((?:\s*\n|\1 +.*\n)+)", re.MULTILINE)

#: What differs from run to run.
VOLATILE = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # task_uuid
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?"  # time
    r"|^[0-9a-f]{8}(?= +\d\d:\d\d:\d\d)"  # the beginning of one
    r"|\d\d:\d\d:\d\d\.\d{3}"  # time of day
    r'|(?<="timestamp":)\d+(\.\d+)?'
    r"|(?<=, line )\d+"  # in tracebacks
    r"|(?<=in )\d+\.\d+s"  # duration of a test run
    r"|(?<=duration=)[\d.e-]+"  # duration of an action
    r"| *\b\d+(\.\d+)? (ms|s|µs)\b"  # duration
    r"| *<?\b\d+ %"  # share
    r"|\b[0-9a-f]{8}$"  # beginning of a task_uuid
    r"|(?<=\S) {2,}(?=\S)"  # width of columns
    r'|(?<=File ").*?(?=shown\.py")',
    re.MULTILINE,
)

#: What eliot.to_console() shows, which is no trouble.
CONSOLE = re.compile(r"^[0-9a-f]{8} \d\d:\d\d:\d\d\.\d{3}  .*\n", re.MULTILINE)


class Block(NamedTuple):
    """A code block: its language, its source, and the number of lines above it."""

    language: str
    source: str
    above: int


def blocks(text: str) -> Iterator[Block]:
    """Find the code blocks of a text."""
    for match in BLOCK.finditer(text):
        above = text.count("\n", 0, match.start(3))
        yield Block(match.group(2), textwrap.dedent(match.group(3)), above)


def output(*command: str, folder: Path) -> str:
    """Run a command in the environment of the tests; return what the terminal shows."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        command,
        check=False,
        cwd=folder,
        # As at home: pytest says more where CI is set, and not everybody has pytest-asyncio, some
        # versions of which have something to say first.
        env={**environment, "PATH": path, "PYTEST_ADDOPTS": "-p no:asyncio"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ).stdout.rstrip()


class Reader:
    """Someone who tries out what a document shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = ""
        self.runs = 0

    def run_program(self) -> Path:
        """Run the program so far in a new folder; the program itself shows no trouble."""
        self.runs += 1
        folder = self.folder / str(self.runs)
        folder.mkdir()
        (folder / "examples").symlink_to(ROOT / "examples")
        (folder / "shown.py").write_text(self.program, encoding="utf-8")
        result = subprocess.run(
            [sys.executable, "shown.py"], check=False, cwd=folder, stderr=subprocess.PIPE
        )

        assert (0, "") == (result.returncode, CONSOLE.sub("", result.stderr.decode()))

        return folder

    def python(self, block: Block) -> None:
        """Continue the program, on the lines of the document, for the sake of tracebacks."""
        self.program += "\n" * (block.above - self.program.count("\n")) + block.source

    def console(self, block: Block) -> None:
        """Run the program and then each command, and compare."""
        folder = self.run_program()
        for part in re.split(r"^\$ ", block.source, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            actual = output("sh", "-c", command, folder=folder)

            assert VOLATILE.sub("~", expected.rstrip()) == VOLATILE.sub("~", actual)

    def json(self, block: Block) -> None:
        """Check that it is JSON."""
        json.loads(block.source)

    def text(self, block: Block) -> None:
        """Look at it."""

    shell = text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document(path: Path, tmp_path: Path) -> None:
    """What the document shows is what its reader gets."""
    reader = Reader(tmp_path)
    for block in blocks(path.read_text(encoding="utf-8")):
        getattr(reader, block.language)(block)
    reader.run_program()


def docstrings() -> Iterator[Any]:
    """Find the docstrings with examples, in every room that can be opened here."""
    finder = doctest.DocTestFinder()
    for path in sorted(Path(eliot.__file__).parent.glob("*.py")):
        name = "eliot" if path.stem == "__init__" else f"eliot.{path.stem}"
        try:
            module = importlib.import_module(name)
        except ImportError:  # tests/test_architecture.py finds out whether it may be missing
            continue
        for found in finder.find(module, name):
            if found.examples or ".. code-block::" in (found.docstring or ""):
                yield pytest.param(found, id=found.name)


@pytest.mark.parametrize("found", [*docstrings()])
def test_docstring(found: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of the docstring give what they show."""
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    for block in blocks(textwrap.dedent(found.docstring or "")):
        if block.language == "python" and not block.source.startswith(">>>"):
            exec(block.source, dict(found.globs))  # noqa: S102 - running it is the test
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=report.append)

    assert "" == "".join(report)
