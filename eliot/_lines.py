"""The lines of a log: from bytes to messages, with a report in place of each line that is none."""

from __future__ import annotations

import re
from typing import Any, Callable, Iterable, Iterator, NamedTuple

from eliot._fields import (
    IDENTITY_FIELDS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
)
from eliot._typing import Message

__all__ = ["NOT_JSON", "BadLine", "decode_lines", "is_cut", "read_lines", "salvage"]

#: How the reason of a line begins that could not be decoded.
NOT_JSON = "not JSON"

_CUT = f"{NOT_JSON}, the log ends in the middle of a line"

_UNDECODED = object()

# To find integers that orjson would round: makes zeros of all digits and blanks of all else.
_BLUR = bytes(ord("0" if chr(byte) in "0123456789" else " ") for byte in range(256))
_MANY_DIGITS = b"0" * 19

# A damaged line is searched for messages at so many places in a row, and only if it is not too
# long: no line, whoever made it, keeps the reader busy for ever.
_PLACES = 50
_SEARCHED = 20_000_000
# What follows an object in the midst of another one.
_INSIDE = r"\s*[],}]"
# Bytes that are no UTF-8, decoded with "surrogateescape".
_NO_UTF8 = "[\udc80-\udcff]"


class BadLine(NamedTuple):
    """
    Hold a line of a log that is no message.

    .. versionadded:: 2.0
    """

    #: Its number, from 1 on.
    number: int
    #: The line without its line feed, and without the messages that were found in it.
    line: bytes
    #: What is wrong with it: `"not JSON"`, `"not a JSON object"`, `"without timestamp"`.
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.reason}"

    def is_cut(self) -> bool:
        """Tell whether the log ends in the middle of this line."""
        return self.reason == _CUT


def read_lines(lines: Iterable[bytes | str]) -> Iterator[Message | BadLine]:
    """
    Decode the lines of a log, reporting those that are no messages in their place.

    Integers are exact, however large; `NaN` and `Infinity`, which published Eliot wrote without
    orjson, are understood. Blank lines are passed over.

    Damage stays where it is. Messages that were merged into one line are read one by one; where a
    message was torn, what follows in its line is still read, and so is what stands around a hole
    of NUL bytes. A last line that was cut says so: it is what a killed program leaves behind.

    Args:
        lines: A file opened for reading, best in binary mode, or any other lines.

    Returns:
        An iterator that gives, for each line, either the message or a `BadLine`; for a damaged
        line first the messages in it.

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
    return decode_lines(lines, blank=False)


def decode_lines(lines: Iterable[bytes | str], *, blank: bool) -> Iterator[Message | BadLine]:
    """Do the work of `read_lines`; report blank lines, too, if they are wanted."""
    from json import loads as exact  # late: writers do not need it

    fast = _fast_loads()
    cut: BadLine | None = None  # as it seems: only a last line can be
    for number, text in enumerate(lines, 1):
        if cut is not None:
            yield cut._replace(reason=NOT_JSON)
            cut = None
        line = text if isinstance(text, bytes) else _encoded(text)
        try:
            rounds = _MANY_DIGITS in line.translate(_BLUR)
            message = exact(line) if rounds else fast(line)
        except (ValueError, RecursionError):
            message = _slow_loads(line)
        if (  # as in _is_message(): a call would cost a twentieth
            isinstance(message, dict)
            and TASK_UUID_FIELD in message
            and TASK_LEVEL_FIELD in message
            and TIMESTAMP_FIELD in message
        ):
            yield message
        elif message is not _UNDECODED:
            yield BadLine(number, _without_feed(line), _reason(message))
        elif blank or line.strip():
            messages, rest = salvage(line)
            yield from messages
            if is_cut(line, rest):
                cut = BadLine(number, rest, _CUT)
            elif rest or not messages:
                yield BadLine(number, _without_feed(rest), _undecoded(rest))
    if cut is not None:
        yield cut


def _encoded(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")


def _is_message(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and TASK_UUID_FIELD in value
        and TASK_LEVEL_FIELD in value
        and TIMESTAMP_FIELD in value
    )


def _without_feed(line: bytes) -> bytes:
    return line[:-1] if line.endswith(b"\n") else line


def is_cut(line: bytes | str, rest: bytes) -> bool:
    """Tell whether a line, of which that much was not read, ends in the middle of a message."""
    line = _encoded(line)
    return rest.lstrip(b"\0").startswith(b"{") and line.endswith(rest) and not line.endswith(b"\n")


def salvage(line: bytes | str) -> tuple[list[Message], bytes]:
    """
    Find the whole messages in a line that is not JSON.

    Returns:
        The messages, and the line without them; nothing if only white space is left.
    """
    from json import JSONDecoder  # late, as above

    decode = JSONDecoder().raw_decode
    inside, no_utf8 = re.compile(_INSIDE), re.compile(_NO_UTF8)
    messages: list[Message] = []
    line = _encoded(line)
    if len(line) > _SEARCHED:
        return messages, line
    text = line.decode("utf-8", "surrogateescape")
    rest, read, tried = "", 0, 0
    begin = text.find("{")
    while begin >= 0 and tried < _PLACES:
        tried += 1
        try:
            value, end = decode(text, begin)
        except (ValueError, RecursionError):
            end = begin + 1
        else:
            whole = not inside.match(text, end) and not no_utf8.search(text, begin, end)
            if whole and _is_message(value):
                messages.append(value)
                rest += text[read:begin]
                read, tried = end, 0
        begin = text.find("{", end)
    rest += text[read:]
    if messages and not rest.strip("\ufeff \t\r\n"):
        rest = ""
    return messages, rest.encode("utf-8", "surrogateescape")


def _fast_loads() -> Callable[[bytes], Any]:
    try:
        from orjson import loads
    except ImportError:  # PyPy
        from json import loads  # type: ignore[assignment] # it takes more
    return loads


def _slow_loads(line: bytes) -> Any:
    """Decode what orjson refuses, if the standard library does not."""
    from json import loads  # late, as above

    try:
        return loads(line)
    except (ValueError, RecursionError):
        return _UNDECODED


def _undecoded(rest: bytes) -> str:
    holes = rest.count(b"\0")
    if not holes:
        return NOT_JSON
    return f"{NOT_JSON}, with a hole of {holes} NUL bytes"


def _reason(message: Any) -> str:
    if not isinstance(message, dict):
        return "not a JSON object"
    return "without " + ", ".join(name for name in IDENTITY_FIELDS if name not in message)
