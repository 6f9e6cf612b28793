"""What is degraded on the way to JSON: noted where it happens, however deep in the program's code."""

from __future__ import annotations

from threading import local
from typing import Any, Callable, Dict, Optional, Tuple

__all__ = [
    "CUT_CHARACTERS",
    "CUT_ELEMENTS",
    "MAX_CHARACTERS",
    "MAX_ELEMENTS",
    "MAX_REENTRIES",
    "SHORT_TEXT",
    "ReenteredError",
    "ask",
    "note",
    "pass_on_interruption",
    "strictly",
]

#: What a message may hold in all, in characters of text and in elements of containers.
MAX_CHARACTERS = 10_000_000
MAX_ELEMENTS = 500_000

#: What is kept of a text or a container that does not fit into what is left of that.
CUT_CHARACTERS = 1_000_000
CUT_ELEMENTS = 50_000

#: Texts up to this length have `MAX_CHARACTERS` of their own: a long one costs them nothing.
SHORT_TEXT = 1_000

#: How often conversions may log within each other, before their values are cut.
MAX_REENTRIES = 8


class _Thread(local):
    """What one thread is doing."""

    #: How many conversions it is in.
    depth = 0
    #: Collects what the innermost one degrades.
    notes: Optional[Dict[str, None]] = None
    #: What has interrupted a conversion, if the fast encoder made an error like others of it.
    interruption: Optional[BaseException] = None


_thread = _Thread()


class ReenteredError(Exception):
    """The program's code logs what calls it again, and again."""


def note(degradation: str) -> None:
    """Tell whoever has asked, if anybody has, that a value cannot be kept as it is."""
    if _thread.notes is not None:
        _thread.notes[degradation] = None


def ask(function: Callable[[Any], Any], o: Any) -> Tuple[Any, Dict[str, None]]:
    """
    Call code of the program, which may log in turn, to convert a value.

    Returns:
        What the function returns, and what it has noted, in order.

    Raises:
        ReenteredError: If conversions that log are too deep within each other already.
    """
    outer = _thread.notes
    if _thread.depth >= MAX_REENTRIES:
        raise ReenteredError
    notes: Dict[str, None] = {}
    _thread.notes = notes
    _thread.depth += 1
    try:
        return function(o), notes
    finally:
        _thread.depth -= 1
        _thread.notes = outer


def strictly(function: Callable[[Any], Any], o: Any) -> Any:
    """
    Convert a value, but raise an exception if it has to be degraded.

    Raises:
        ValueError: If something was noted.
    """
    try:
        result, notes = ask(function, o)
    except Exception:
        raise
    except BaseException as interruption:
        _thread.interruption = interruption
        raise
    if notes:
        raise ValueError(*notes)
    return result


def pass_on_interruption() -> None:
    """Raise what has interrupted a conversion, such as `KeyboardInterrupt`, if it got lost."""
    interruption, _thread.interruption = _thread.interruption, None
    if interruption is not None:
        raise interruption
