"""Levels: how important something is, by the names of standard logging; thresholds by type."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Tuple, Union

from eliot._safe import saferepr

__all__ = ["LEVELS", "Thresholds", "check_level", "number_of"]

#: From each level to its number in standard logging, in ascending order.
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

#: Of what says nothing about its level.
INFO = LEVELS["info"]

_NAMES = {number: name for name, number in LEVELS.items()}

#: The spellings that are likely in a log, others take longer; and none at all.
_NUMBERS: Dict[Any, int] = {
    spelled: number
    for name, number in (*LEVELS.items(), ("notset", 0), ("warn", 30), ("fatal", 50))
    for spelled in (name, name.upper())
}
_NUMBERS[None] = INFO

#: No threshold is above it.
_ALWAYS = 1 << 30

#: So many types are remembered: there may be a program that makes them up without end.
_MAX_KNOWN = 10_000


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


def number_of(level: object) -> int:
    """
    Return the number of what a message has as its level, which may be anything.

    What is no level is above all: nothing is left out for having an odd one. `None` says nothing.

    >>> number_of("info") < number_of("Warning") < number_of(35) < number_of("urgent")
    True
    """
    try:
        return _NUMBERS[level]
    except Exception:  # not known, or not even hashable
        if isinstance(level, str):
            return _NUMBERS.get(str.lower(level), _ALWAYS)
        return level if type(level) is int else _ALWAYS


class Thresholds(Dict[str, int]):
    """
    The least level that is logged, by type of message or action.

    It is found once for each type, and kept.

    Args:
        levels: From patterns of types to names of levels. The last pattern that matches decides.

    Attributes:
        rules: What matches, and the level then; the first decides.

    Raises:
        TypeError: If that is no mapping, or a pattern is no text.
        ValueError: If a level is none.

    >>> thresholds = Thresholds({"*": "info", "app:db:*": "warning"})
    >>> thresholds["app:db:query"], thresholds["app:start"]
    (30, 20)
    """

    def __init__(self, levels: Mapping[str, Union[str, int]]) -> None:
        super().__init__()
        if not isinstance(levels, Mapping):
            msg = f"levels are a mapping from patterns of types to levels, not {saferepr(levels)}"
            raise TypeError(msg)
        self.rules: List[Tuple[Callable[[str], object], int]] = [
            (_matcher(pattern), LEVELS[check_level(level)])
            for pattern, level in reversed([*levels.items()])
        ]

    def __missing__(self, kind: str) -> int:
        threshold = next((least for matches, least in self.rules if matches(kind)), 0)
        if len(self) >= _MAX_KNOWN:
            self.clear()
        self[kind] = threshold
        return threshold


def _matcher(pattern: object) -> Callable[[str], object]:
    import re  # late, as is the other one: few programs have thresholds
    from fnmatch import translate

    if not isinstance(pattern, str):
        msg = f"{saferepr(pattern)} is no pattern of types, such as 'app:db:*'"
        raise TypeError(msg)
    return re.compile(translate(pattern)).match
