"""The lines of a log: from bytes to messages, with a report in place of each line that is none."""

from __future__ import annotations

import io
import os
import re
from collections import deque
from itertools import chain
from operator import itemgetter, length_hint
from stat import S_ISREG
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Sized

from eliot._fields import (
    IDENTITY_FIELDS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
)
from eliot._typing import Message

__all__ = ["NOT_JSON", "BadLine", "Decoder", "is_cut", "read_lines", "salvage"]

#: How the reason of a line begins that could not be decoded.
NOT_JSON = "not JSON"

_CUT = f"{NOT_JSON}, the log ends in the middle of a line"

_UNDECODED = object()

# To find integers that orjson would round: makes zeros of all digits and blanks of all else.
_BLUR = bytes(ord("0" if chr(byte) in "0123456789" else " ") for byte in range(256))
_MANY_DIGITS = b"0" * 19

# So many bytes of a file are decoded together.
_BLOCK = 16_384
_identity = itemgetter(*IDENTITY_FIELDS)

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
        lines: A file opened for reading, best in binary mode, or any other lines. From a file on
            disk up to 16 KiB are read ahead, which takes a quarter less time; from others nothing.

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
    return Decoder().items(lines)


class Decoder:
    """
    Do the work of `read_lines`.

    Args:
        blank: Whether to report blank lines, too.
    """

    def __init__(self, *, blank: bool = False) -> None:
        self._blank = blank
        self._loads = _fast_loads()
        #: How many lines were decoded, and what of them was not given yet.
        self._decoded = 0
        self._left: Sized | Iterator[Any] = ()
        #: A line that was cut, as it seems: only a last one can be.
        self._cut: BadLine | None = None

    @property
    def number(self) -> int:
        """The number of the line that was given last."""
        return self._decoded - length_hint(self._left)

    def items(self, lines: Iterable[bytes | str]) -> Iterator[Message | BadLine]:
        """Give the message or messages of each line, or a `BadLine`."""
        return chain.from_iterable(self._parts(lines))

    def _parts(self, lines: Iterable[bytes | str]) -> Iterator[Iterable[Message | BadLine]]:
        """Give the same in parts, which takes less than to pass on each message."""
        if _is_on_disk(lines):
            for block in _blocks(lines):
                messages = self._together(block)
                if messages is None:
                    yield self._one_by_one(block)
                else:
                    self._decoded += len(block)
                    self._left = iter(messages)
                    yield self._left
        else:
            yield self._one_by_one(lines)
        if self._cut is not None:
            yield [self._cut]

    def _together(self, block: list[bytes]) -> list[Message] | None:
        """Decode lines that are all messages; what is special in any is left to others."""
        if self._cut is not None or _MANY_DIGITS in b"".join(block).translate(_BLUR):
            return None
        try:
            messages = list(map(self._loads, block))
            deque(map(_identity, messages), maxlen=0)  # have they all?
        except (ValueError, RecursionError, KeyError, TypeError):
            return None
        return messages

    def _one_by_one(self, lines: Iterable[bytes | str]) -> Iterator[Message | BadLine]:
        from json import loads as exact  # late: writers do not need it

        fast = self._loads
        for number, text in enumerate(lines, self._decoded + 1):
            self._decoded = number
            if self._cut is not None:
                yield self._cut._replace(reason=NOT_JSON)
                self._cut = None
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
            elif self._blank or line.strip():
                messages, rest = salvage(line)
                yield from messages
                if is_cut(line, rest):
                    self._cut = BadLine(number, rest, _CUT)
                elif rest or not messages:
                    yield BadLine(number, _without_feed(rest), _undecoded(rest))


def _is_on_disk(lines: Any) -> bool:
    """Tell whether all lines are there already, so that to read ahead waits for nothing."""
    if isinstance(lines, io.BytesIO):
        return True
    if not (isinstance(lines, io.BufferedReader) and isinstance(lines.raw, io.FileIO)):
        return False
    return S_ISREG(os.fstat(lines.fileno()).st_mode)


def _blocks(file: Any) -> Iterator[list[bytes]]:
    """Read lines, many at a time; where that fails one by one, so that what is good is read."""
    begin = file.tell()
    try:
        while True:
            block = file.readlines(_BLOCK)
            if not block:
                return
            begin += sum(map(len, block))
            yield block
    except OSError:
        file.seek(begin)
    yield from ([line] for line in file)


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
    return f"{NOT_JSON}, with a hole of {holes} NUL byte{'' if holes == 1 else 's'}"


def _reason(message: Any) -> str:
    if not isinstance(message, dict):
        return "not a JSON object"
    return "without " + ", ".join(name for name in IDENTITY_FIELDS if name not in message)
