"""Tests of `eliot.tai64n`."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot.tai64n import decode, encode


def test_known_label() -> None:
    """A label that other programs agree on."""
    assert "@4000000052b0843b092174b9" == encode(1387299889.153187625)
    assert 1387299889.1531875 == decode("@4000000052b0843b092174b9")


@given(st.integers(min_value=-(2**40), max_value=2**40))
def test_whole_seconds_survive(seconds: int) -> None:
    """Whole seconds come back as they were, also those before 1970."""
    assert seconds == decode(encode(seconds))


@given(st.floats(min_value=0, max_value=2**31))
def test_fractions_survive(timestamp: float) -> None:
    """Fractions come back to the nanosecond, as far as floats can tell."""
    assert timestamp == pytest.approx(decode(encode(timestamp)), abs=1e-6)


def test_fractions_before_1970_are_refused() -> None:
    """A negative fraction has no label."""
    with pytest.raises(struct.error):
        encode(-1.5)
