"""The lines of a log: from bytes to messages, with a report in place of each line that is none."""

from __future__ import annotations

import json
from typing import Any, Callable, Iterable, Iterator, NamedTuple

from eliot._fields import (
    IDENTITY_FIELDS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
)
from eliot._typing import Message

__all__ = ["BadLine", "read_lines"]

_NOT_JSON = object()

# To find integers that orjson would round: makes zeros of all digits and blanks of all else.
_BLUR = bytes(ord("0" if chr(byte) in "0123456789" else " ") for byte in range(256))
_MANY_DIGITS = b"0" * 19


class BadLine(NamedTuple):
    """
    Hold a line of a log that is no message.

    .. versionadded:: 2.0
    """

    #: Its number, from 1 on.
    number: int
    #: The line without its line feed.
    line: bytes
    #: What is wrong with it: `"not JSON"`, `"not a JSON object"`, `"without timestamp"`.
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.reason}"


def read_lines(lines: Iterable[bytes | str]) -> Iterator[Message | BadLine]:
    """
    Decode the lines of a log, reporting those that are no messages in their place.

    Integers are exact, however large; `NaN` and `Infinity`, which published Eliot wrote without
    orjson, are understood.

    Args:
        lines: A file opened for reading, best in binary mode, or any other lines.

    Returns:
        An iterator that gives, for each line, either the message or a `BadLine`.

    >>> from eliot.parse import BadLine, Parser, read_lines
    >>> lines = ['{"task_uuid":"u","task_level":[1],"timestamp":1.5,"message_type":"m"}', "oops"]
    >>> messages = []
    >>> for item in read_lines(lines):
    ...     if isinstance(item, BadLine):
    ...         print(item)
    ...     else:
    ...         messages.append(item)
    line 2: not JSON
    >>> [task.root().contents.message_type for task in Parser.parse_stream(messages)]
    ['m']

    .. versionadded:: 2.0
    """
    fast = _fast_loads()
    for number, text in enumerate(lines, 1):
        line = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
        try:
            rounds = _MANY_DIGITS in line.translate(_BLUR)
            message = json.loads(line) if rounds else fast(line)
        except (ValueError, RecursionError):
            message = _slow_loads(line)
        if (
            isinstance(message, dict)
            and TASK_UUID_FIELD in message
            and TASK_LEVEL_FIELD in message
            and TIMESTAMP_FIELD in message
        ):
            yield message
        else:
            yield BadLine(number, line[:-1] if line.endswith(b"\n") else line, _reason(message))


def _fast_loads() -> Callable[[bytes], Any]:
    try:
        from orjson import loads
    except ImportError:  # PyPy
        return json.loads
    return loads


def _slow_loads(line: bytes) -> Any:
    """Decode what orjson refuses, if the standard library does not."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _reason(message: Any) -> str:
    if message is _NOT_JSON:
        return "not JSON"
    if not isinstance(message, dict):
        return "not a JSON object"
    return "without " + ", ".join(name for name in IDENTITY_FIELDS if name not in message)
