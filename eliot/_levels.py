"""Levels: how much a message matters, by the names of standard logging."""

from __future__ import annotations

from typing import Union

from eliot._safe import saferepr

__all__ = ["LEVELS", "check_level"]

#: From each level to its number in standard logging, in ascending order.
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

_NAMES = {number: name for name, number in LEVELS.items()}


def check_level(level: Union[str, int]) -> str:
    """
    Return the name of a level.

    Args:
        level: The name, in upper or lower case, or the number that standard logging has for it.

    Raises:
        ValueError: If there is no such level.

    >>> check_level("WARNING")
    'warning'
    >>> check_level(30)
    'warning'
    """
    if isinstance(level, str) and level.lower() in LEVELS:
        return level.lower()
    if isinstance(level, int) and level in _NAMES:
        return _NAMES[level]
    names = ", ".join(LEVELS)
    msg = f"{saferepr(level)} is no level: these are {names}, and the numbers of standard logging"
    raise ValueError(msg)
