"""Ids of tasks: random ones, drawn ahead, never shared with a forked child."""

from __future__ import annotations

from itertools import count
from os import getpid, urandom
from time import time_ns
from typing import List

from eliot._fork import in_child

__all__ = ["new_task_uuid"]

#: So many are drawn at a time.
BATCH = 64

_DRAWN: List[str] = []

#: For ids that are merely unique.
_SEED = int.from_bytes(urandom(16), "big")
_DRAWN_BY_HAND = count()

# Or parent and child would go on with the same ids.
in_child(_DRAWN.clear)


def new_task_uuid() -> str:
    """
    Make a random task id, in the form of a version 4 UUID (RFC 9562, section 5.4).

    >>> len(new_task_uuid())
    36
    """
    try:
        return _DRAWN.pop()
    except IndexError:
        # A system call for each would cost more than all the rest, and str(uuid.uuid4()) six times
        # as much; `uuid` itself takes 5 ms to import.
        digits = _digits(16 * BATCH)
        ids = [_uuid(digits[start : start + 32]) for start in range(0, len(digits), 32)]
        _DRAWN.extend(ids[1:])
        return ids[0]


def _digits(size: int) -> str:
    """Draw random bytes, in hexadecimal digits."""
    try:
        return urandom(size).hex()
    except OSError:  # PyPy opens a file for that, and there may be no descriptors left
        number = _SEED + (getpid() << 96) + (time_ns() << 32) + next(_DRAWN_BY_HAND)
        return f"{number % 2**128:032x}"


def _uuid(digits: str) -> str:
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
