"""
TAI64N timestamps, as defined at https://cr.yp.to/libtai/tai64.html.

Ten seconds are added to Unix time, as many other programs do: leap seconds since 1972 are ignored.
"""

from __future__ import annotations

from binascii import hexlify, unhexlify
from struct import Struct

__all__ = ["decode", "encode"]

_STRUCT = Struct(">QI")

#: The label of the second in which 1970 began.
_OFFSET = 2**62 + 10


def encode(timestamp: float) -> str:
    """
    Convert a time to a label.

    Args:
        timestamp: Seconds since 1970, as from `time.time()`; its fraction is cut to nanoseconds.

    Returns:
        A label of 25 characters.

    Raises:
        struct.error: If the time is before 1970 and not a whole number of seconds.

    >>> encode(1387299889.153187625)
    '@4000000052b0843b092174b9'
    """
    seconds = int(timestamp)
    nanoseconds = int((timestamp - seconds) * 1_000_000_000)
    return "@" + hexlify(_STRUCT.pack(seconds + _OFFSET, nanoseconds)).decode("ascii")


def decode(tai64n: str) -> float:
    """
    Convert a label to a time.

    Args:
        tai64n: A label as `encode` returns it.

    Returns:
        Seconds since 1970.

    Raises:
        ValueError: If what follows the first character is not hexadecimal.

    >>> decode("@4000000052b0843b092174b9")
    1387299889.1531875
    """
    seconds: int
    nanoseconds: int
    seconds, nanoseconds = _STRUCT.unpack(unhexlify(tai64n[1:]))
    return seconds - _OFFSET + nanoseconds / 1_000_000_000
