"""Text of anything: `str()`, `repr()` and class names that never raise and have an end."""

from __future__ import annotations

from typing import Any, Callable

from eliot._degraded import note
from eliot._depth import within
from eliot._fields import FAILED_CONVERSION, NO_TEXT, TOO_LARGE

__all__ = [
    "UNKNOWN",
    "class_name",
    "printable",
    "safe_dictionary",
    "saferepr",
    "safeunicode",
    "text_within",
]

#: What stands in for an object that cannot say what it is.
UNKNOWN = "eliot: unknown, str() raised exception"

#: Longest text kept of one object, in characters; the rest is cut and its size said.
MAX_TEXT = 100_000


def _bounded(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    note(TOO_LARGE)
    return f"{text[:MAX_TEXT]}... (cut, {len(text)} characters in all)"


def safeunicode(o: object) -> str:
    """
    Return `str(o)`, or a fixed text if that fails.

    The result is cut at 100,000 characters.

    >>> safeunicode(ValueError("boom"))
    'boom'
    """
    try:
        text = str(o)
        return text if len(text) <= MAX_TEXT else _bounded(text)
    except Exception:
        note(NO_TEXT)
        return UNKNOWN


def saferepr(o: object) -> str:
    """
    Return `repr(o)`, or a fixed text if that fails.

    The result is cut at 100,000 characters.

    >>> saferepr("a")
    "'a'"
    """
    try:
        return _bounded(repr(o))
    except Exception:
        note(NO_TEXT)
        return UNKNOWN


def printable(o: object) -> str:
    r"""
    Return `str(o)` without anything that a terminal obeys.

    What is not printable is escaped as in a `repr`: control characters, line feeds and tabs among
    them, marks that change the direction of text, invisible characters and separators other than
    the blank.

    >>> print(printable("red\x1b[31m \u202etxt"))
    red\x1b[31m \u202etxt
    """
    text = o if isinstance(o, str) else safeunicode(o)
    if text.isprintable():  # by far the most
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def class_name(cls: object) -> str:
    """
    Return `module.name` of a class.

    The name is `__name__`, not `__qualname__`: that is what Eliot's logs have always shown.

    >>> class_name(ValueError)
    'builtins.ValueError'
    """
    try:
        return f"{cls.__module__}.{cls.__name__}"  # type: ignore[attr-defined] # any object may come
    except Exception:
        note(FAILED_CONVERSION)
        return saferepr(cls)


def safe_dictionary(dictionary: object) -> str:
    r"""
    Describe a dictionary whose keys and values may be anything.

    Returns:
        The text of a dictionary that maps the `repr` of each key to the `repr` of its value; for
        anything but a dictionary its `repr`.

    >>> safe_dictionary({"hello": 123})
    '{"\'hello\'": \'123\'}'
    """
    if not isinstance(dictionary, dict):
        return saferepr(dictionary)
    try:
        return _bounded(str({saferepr(key): saferepr(value) for key, value in dictionary.items()}))
    except Exception:  # another thread has changed it meanwhile
        return saferepr(dictionary)


def text_within(text_of: Callable[[Any], str], o: object) -> str:
    """
    Ask for a text inside of logging: what is asked may log, and lead to the same question again.

    Args:
        text_of: `safeunicode`, `saferepr`, or another one that raises nothing.
        o: What it is asked for.

    Returns:
        The text, or a fixed one if five such questions are open already.

    >>> text_within(saferepr, "a")
    "'a'"
    """
    try:
        return within(text_of, o)
    except Exception:
        return UNKNOWN
