"""The helpers that programs have come to import."""

from __future__ import annotations

import string
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

import eliot._safe as safe
import eliot._util as util
from eliot._util import load_module


def test_text_helpers_are_at_their_old_address() -> None:
    """`safeunicode` and `saferepr` are the ones of all the package."""
    assert safe.safeunicode is util.safeunicode
    assert safe.saferepr is util.saferepr


class TestLoadModule:
    """`load_module`."""

    def test_makes_a_copy(self) -> None:
        """The copy has the name that was asked for, and objects of its own."""
        copy: Any = load_module("another_string", string)

        assert "another_string" == copy.__name__
        assert string.ascii_letters == copy.ascii_letters
        assert string.Template is not copy.Template

    def test_leaves_the_original_alone(self) -> None:
        """Neither the original nor the table of modules changes."""
        before = dict(sys.modules)
        template = string.Template
        copy: Any = load_module("another_string", string)
        copy.Template = None

        assert before == sys.modules
        assert template is string.Template

    def test_copies_are_independent(self) -> None:
        """Each call makes another copy."""
        assert load_module("a", string) is not load_module("a", string)

    def test_copies_modules_of_eliot(self) -> None:
        """A copy of one of the package's own modules works."""
        copy: Any = load_module("copied", safe)

        assert "1" == copy.saferepr(1)

    def test_refuses_what_was_not_imported(self) -> None:
        """A module that was made by hand cannot be made again."""
        with pytest.raises(
            ImportError, match="<module 'made'> was not loaded by the import system"
        ):
            load_module("copy", ModuleType("made"))

    def test_refuses_what_has_no_loader(self) -> None:
        """A module whose origin is unknown cannot be made again."""
        module = ModuleType("made")
        module.__spec__ = ModuleSpec("made", None)

        with pytest.raises(ImportError, match="made"):
            load_module("copy", module)
