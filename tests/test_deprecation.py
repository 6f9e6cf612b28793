"""Deprecated names tell whoever uses them."""

from __future__ import annotations

from typing import Callable

import pytest

from eliot._deprecation import warn_deprecated


def old(stacklevel: int = 2) -> None:
    """Stand for a deprecated function."""
    warn_deprecated("old() is deprecated since 1.0, use new().", stacklevel)


def caller() -> None:
    """Stand for a program that calls it."""
    old()


def helper() -> None:
    """Stand for a deprecated function that has a helper."""
    old(stacklevel=3)


def caller_of_helper() -> None:
    """Stand for a program that calls that."""
    helper()


@pytest.mark.parametrize("program", [caller, caller_of_helper])
def test_blames_the_caller(program: Callable[[], None]) -> None:
    """The warning names the line that calls the deprecated function, past its helpers."""
    with pytest.warns(DeprecationWarning, match=r"^old\(\) is deprecated since 1.0") as caught:
        program()

    line = program.__code__.co_firstlineno + 2
    assert [(__file__, line)] == [(each.filename, each.lineno) for each in caught]
