"""Tests of `eliot.serializers`."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from eliot.serializers import identity, md5hex, timestamp


def test_identity_returns_its_argument() -> None:
    """A value comes back as it is."""
    value = [1]

    assert value is identity(value)


def test_timestamp_has_six_digits() -> None:
    """Microseconds are always there."""
    assert "2012-09-28T14:53:06.000000Z" == timestamp(datetime(2012, 9, 28, 14, 53, 6))  # noqa: DTZ001


def test_timestamp_does_not_convert() -> None:
    """The time is labelled as UTC, whatever its zone is."""
    zone = timezone(timedelta(hours=2))

    assert "2012-09-28T14:53:06.123456Z" == timestamp(
        datetime(2012, 9, 28, 14, 53, 6, 123456, tzinfo=zone)
    )


def test_md5hex() -> None:
    """Bytes become their digest; text is refused."""
    assert "0cc175b9c0f1b6a831c399e269772661" == md5hex(b"a")
    with pytest.raises(TypeError):
        md5hex("a")  # type: ignore[arg-type] # that is the point
