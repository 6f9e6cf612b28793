"""What is degraded on the way to JSON, noted where it happens, and the limits of a message."""

from __future__ import annotations

from threading import local
from typing import Any, Callable, Dict, Optional, Tuple

from eliot._depth import within

__all__ = [
    "CUT_CHARACTERS",
    "CUT_ELEMENTS",
    "MAX_CHARACTERS",
    "MAX_ELEMENTS",
    "RESERVED_ELEMENTS",
    "RESERVED_FIELDS",
    "SHORT_TEXT",
    "TINY_TEXT",
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

#: So much is kept of every text: to say that it was cut takes as long.
TINY_TEXT = 40

#: Where a field has used up the elements, so many of those that follow get so many all the same.
RESERVED_ELEMENTS = 1_000
RESERVED_FIELDS = 100


class _State:
    """What a thread is doing."""

    __slots__ = ("interruption", "notes")

    def __init__(self) -> None:
        #: Collects what the innermost one degrades.
        self.notes: Optional[Dict[str, None]] = None
        #: What has interrupted a conversion: orjson makes an error like others of it.
        self.interruption: Optional[BaseException] = None


class _Thread(local):
    def __init__(self) -> None:
        self.state = _State()


_thread = _Thread()


def note(degradation: str) -> None:
    """Tell whoever has asked, if anybody has, that a value cannot be kept as it is."""
    notes = _thread.state.notes
    if notes is not None:
        notes[degradation] = None


def ask(function: Callable[[Any], Any], o: Any) -> Tuple[Any, Dict[str, None]]:
    """
    Call code of the program, which may log in turn, to convert a value.

    Returns:
        What the function returns, and what it has noted, in order.

    Raises:
        TooDeepError: If it does so too often within each other already.
    """
    state = _thread.state
    outer = state.notes
    notes: Dict[str, None] = {}
    state.notes = notes
    try:
        return within(function, o), notes
    finally:
        state.notes = outer


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
        _thread.state.interruption = interruption
        raise
    if notes:
        raise ValueError(*notes)
    return result


def pass_on_interruption() -> None:
    """Raise what has interrupted a conversion, such as `KeyboardInterrupt`, if it got lost."""
    state = _thread.state
    interruption, state.interruption = state.interruption, None
    if interruption is not None:
        raise interruption
