"""How deep is logging inside of logging? User code that Eliot calls may log, but not for ever."""

from __future__ import annotations

from threading import local
from typing import Any, Callable, TypeVar

__all__ = ["MAX_DEPTH", "TooDeepError", "at_depth", "depth", "within"]

_T = TypeVar("_T")

#: So often may a destination, a serializer, an extractor, a `repr` that logs, or whatever else the
#: program has given to Eliot be called inside of the call of another one.
MAX_DEPTH = 5


class TooDeepError(Exception):
    """User code that Eliot calls logs something that makes Eliot call it again, and again."""


class _Depth(local):
    depth = 0


_here = _Depth()


def depth() -> int:
    """Tell how many such calls are going on here."""
    return _here.depth


def at_depth(depth: int, f: Callable[..., _T], *args: Any) -> _T:
    """
    Do later, maybe in another thread, what somebody has left to be done, as deep as he was.

    Args:
        depth: What `depth` returned there.
        f: Does it.
        args: Its arguments.

    >>> at_depth(3, depth)
    3
    """
    outer = _here.depth
    _here.depth = depth
    try:
        return f(*args)
    finally:
        _here.depth = outer


def within(f: Callable[..., _T], *args: Any) -> _T:
    """
    Call user code from inside of logging.

    Args:
        f: A destination, a serializer, an extractor, a conversion.
        args: Its arguments.

    Raises:
        TooDeepError: If five such calls are going on already, inside of each other, here.

    >>> within(len, "abc")
    3
    """
    depth = _here.depth
    if depth >= MAX_DEPTH:
        msg = f"logging inside of logging, {depth + 1} deep: {f!r}"
        raise TooDeepError(msg)
    _here.depth = depth + 1
    try:
        return f(*args)
    finally:
        _here.depth = depth
