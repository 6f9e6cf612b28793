"""Ready-made serializers for the fields of declared types."""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["identity", "md5hex", "timestamp"]

_T = TypeVar("_T")


def timestamp(dt: datetime) -> str:
    """
    Convert a time in UTC to text.

    Args:
        dt: The time; it is labelled as UTC, and not converted, whatever its time zone.

    Returns:
        The time in ISO 8601 form, with microseconds.

    >>> from datetime import datetime
    >>> timestamp(datetime(2012, 9, 28, 14, 53, 6, 123456))
    '2012-09-28T14:53:06.123456Z'
    """
    return dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def identity(value: _T) -> _T:
    """
    Return a value as it is.

    Args:
        value: Anything that JSON can represent.

    >>> identity(3)
    3
    """
    return value


def md5hex(data: bytes) -> str:
    """
    Convert bytes, such as the content of a file, to their MD5 digest.

    Args:
        data: The bytes.

    Returns:
        The digest, in hexadecimal.

    >>> md5hex(b"a")
    '0cc175b9c0f1b6a831c399e269772661'
    """
    return md5(data).hexdigest()  # noqa: S324 - tells contents apart, protects nothing
