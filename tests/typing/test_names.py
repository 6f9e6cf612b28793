"""What is in this folder covers all that is public."""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from pathlib import Path
from types import FunctionType
from typing import Any, Iterator, List, Set, Tuple

import pytest

import eliot

HERE = Path(__file__).parent
REFERENCE = HERE.parent.parent / "docs" / "reference"

#: The modules that programs import from.
MODULES = [
    "eliot",
    *(f"eliot.{path.stem}" for path in sorted(Path(eliot.__file__).parent.glob("[a-z]*.py"))),
]

#: What the reference documents by name, and of what modules by a list of names.
ONE = re.compile(
    r"^\.\. (?:auto)?(?:function|class|exception):: (eliot(?:\.[a-z]\w*)*)\.(\w+)$", re.MULTILINE
)
LIST = re.compile(r"^\.\. automodule:: (eliot\.\w+)\n   :members: (.+)$", re.MULTILINE)


def documented() -> Iterator[Tuple[str, str]]:
    """Find what the reference names: modules and names."""
    for path in REFERENCE.glob("*.rst"):
        text = path.read_text("utf-8")
        for module, name in ONE.findall(text):
            yield module, name
        for module, names in LIST.findall(text):
            yield from ((module, name) for name in names.split(", "))


NODES = [
    node for path in HERE.glob("test_*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))
]


def used() -> Set[Tuple[str, str]]:
    """Find what this folder imports, and what it looks up in the root."""
    found: Set[Tuple[str, str]] = set()
    for node in NODES:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found.update((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add((node.value.id, node.attr))
    return found


def members(cls: type) -> Iterator[str]:
    """Name what the reference shows of a class: what has a docstring, and is no one else's."""
    for name, member in vars(cls).items():
        told = isinstance(member, (FunctionType, classmethod, property)) and member.__doc__
        inherited = any(hasattr(base, name) for base in cls.__bases__)
        if told and not inherited and not name.startswith("_"):
            yield name


def test_there_are_modules() -> None:
    """They are found."""
    assert {"eliot.parse", "eliot.testing", "eliot.twisted"} < set(MODULES)
    assert ("eliot", "start_action") in set(documented())


def test_all_that_is_documented() -> None:
    """Whatever the reference names is checked."""
    assert [] == sorted(set(documented()) - used())


def test_the_reference() -> None:
    """It has each name once; old spellings are in a table there."""
    names = Counter(documented())
    table = (REFERENCE / "api.rst").read_text("utf-8")
    missing = [
        name
        for name in eliot.__all__
        if ("eliot", name) not in names and f"``{name}``" not in table
    ]

    assert [] == [name for name, count in names.items() if count > 1]
    assert ["__version__", "_parse"] == missing


@pytest.mark.parametrize("module", MODULES)
def test_all_that_is_exported(module: str) -> None:
    """Whatever is in `__all__` is checked, with the methods and properties of classes."""
    room: Any = pytest.importorskip(
        module, reason=f"no {module} on this interpreter", exc_type=ImportError
    )
    known = used()
    looked_up = {node.attr for node in NODES if isinstance(node, ast.Attribute)}
    missing: List[str] = []
    for name in room.__all__:
        value = getattr(room, name)
        if (module, name) not in known:
            missing.append(name)
        if inspect.isclass(value):
            missing.extend(f"{name}.{each}" for each in members(value) if each not in looked_up)

    assert [] == missing
