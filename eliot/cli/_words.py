"""Numbers with nouns."""

from __future__ import annotations

__all__ = ["count_text"]


def count_text(number: int, noun: str) -> str:
    """
    Return a number with its noun, which gets an "s" if there is not one.

    >>> count_text(1, "task"), count_text(1200, "task")
    ('1 task', '1,200 tasks')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
