"""Levels: the names that there are, and what says so."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from eliot._levels import LEVELS, check_level


@pytest.mark.parametrize("name", LEVELS)
def test_names_are_those_of_standard_logging(name: str) -> None:
    """Each level has the name and the number that standard logging has for it."""
    assert LEVELS[name] == getattr(logging, name.upper())


@pytest.mark.parametrize("name", LEVELS)
def test_may_be_given_in_any_way(name: str) -> None:
    """Upper and lower case mean the same, and so does the number."""
    assert [name] * 4 == [
        check_level(given) for given in (name, name.upper(), name.title(), LEVELS[name])
    ]


@pytest.mark.parametrize("given", ["loud", "", 0, 25, True, None, 10.0, ["info"]])
def test_others_are_errors(given: Any) -> None:
    """What is no level is an error that names it, and the levels."""
    with pytest.raises(ValueError, match="is no level") as caught:
        check_level(given)

    assert (
        f"{given!r} is no level: these are debug, info, warning, error, critical, and the numbers "
        "of standard logging"
    ) == str(caught.value)
