"""Ids of tasks: random ones, drawn ahead, never shared with a forked child."""

from __future__ import annotations

from itertools import count
from os import getpid, urandom
from struct import iter_unpack
from time import time_ns
from typing import List

from eliot._fork import in_child

__all__ = ["new_task_uuid"]

#: So many are drawn at a time.
BATCH = 64

_DRAWN: List[str] = []

#: The bits of as many ids that are random, and those that say "version 4, variant 10".
_KEPT = int.from_bytes(bytes.fromhex("ffffffffffff0fff3fffffffffffffff") * BATCH, "big")
_VERSION_AND_VARIANT = int.from_bytes(
    bytes.fromhex("00000000000040008000000000000000") * BATCH, "big"
)

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
        # One system call for many: each would cost more than all the rest of a message, and
        # str(uuid.uuid4()) four times as much; `uuid` itself takes 5 ms to import.
        drawn = int.from_bytes(_draw(), "big") & _KEPT | _VERSION_AND_VARIANT
        digits = drawn.to_bytes(16 * BATCH, "big").hex().encode("ascii")
        ids = [b"-".join(parts).decode("ascii") for parts in iter_unpack("8s4s4s4s12s", digits)]
        _DRAWN.extend(ids[1:])
        return ids[0]


def _draw() -> bytes:
    """Draw random bytes for as many ids."""
    try:
        return urandom(16 * BATCH)
    except OSError:  # PyPy opens a file for that, and there may be no descriptors left
        seed = _SEED + (getpid() << 96) + (time_ns() << 32)
        numbers = [(seed + next(_DRAWN_BY_HAND)) % 2**128 for _ in range(BATCH)]
        return b"".join(number.to_bytes(16, "big") for number in numbers)
