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
from uuid import uuid4

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
# What stands between lines that are decoded together; no line can hold it by chance.
_SEAM = uuid4().hex
_SEWN = b',"%b",' % _SEAM.encode()
_identity = itemgetter(*IDENTITY_FIELDS)

# In a damaged line so many objects in a row may turn out to be no messages before the search ends,
# and it is searched only if it is not too long: no line, whoever made it, keeps the reader busy for
# ever.
_FAILURES = 50
_SEARCHED = 20_000_000
# Deeper ones cannot be decoded.
_DEPTH = 1000
# All that tells where objects begin and end, and which of them may be messages.
_MARKS = r"""\\["\\]|"(?=(task_uuid|task_level|timestamp)")|["{}[\]]"""
_BITS = {TASK_UUID_FIELD: 1, TASK_LEVEL_FIELD: 2, TIMESTAMP_FIELD: 4}
# What stands before an object in the midst of another one, and what follows it.
_BEFORE = (":", ",", "[")
_INSIDE = r"\s*[],}]"
# White space before an object is looked through only so far.
_NEAR = 9
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
    #: What is wrong with it, `"not JSON"`, `"not a JSON object"` or `"without timestamp"`.
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
            disk up to 16 KiB are read ahead, which takes little more than half the time; from
            others nothing.

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
                    yield self._one_by_one(io.BytesIO(block))
                else:
                    self._decoded += len(messages)
                    self._left = iter(messages)
                    yield self._left
        else:
            yield self._one_by_one(lines)
        if self._cut is not None:
            yield [self._cut]

    def _together(self, block: bytes) -> list[Message] | None:
        """
        Decode lines that are all messages; what is special in any is left to others.

        They become one array, for to decode each by itself takes a third more.
        """
        if self._cut is not None or not block.endswith(b"\n"):
            return None
        if block.translate(_BLUR).rfind(_MANY_DIGITS) >= 0:  # from its end: in half the time
            return None
        try:
            # If every second value is a seam, and no seam is within one, every line is one value.
            sewn = block.replace(b"\n", _SEWN)
            lines = (len(sewn) - len(block)) // (len(_SEWN) - 1)
            values = self._loads(b"[%b0]" % sewn)
            messages: list[Message] = values[:-1:2]
            if not values[1::2].count(_SEAM) == len(messages) == lines:
                return None
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


def _blocks(file: Any) -> Iterator[bytes]:
    """Read lines, many at a time; where that fails one by one, so that what is good is read."""
    begin = file.tell()
    try:
        while True:
            block = file.read(_BLOCK)
            if not block:
                return
            block += file.readline()
            begin += len(block)
            yield block
    except OSError:
        file.seek(begin)
    yield from file


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

    All whole messages behind a torn one are found, whatever they hold and wherever it was torn.
    What looks like a message but is part of another one is none, with one exception: if a message
    was torn directly behind such a part, the same bytes could be the start of the one message and
    all of another one, and that is what they are taken for.

    Returns:
        The messages, and the line without them; nothing if only white space is left.
    """
    from json import JSONDecoder  # late, as above

    decode = JSONDecoder().raw_decode
    inside, no_utf8 = re.compile(_INSIDE), re.compile(_NO_UTF8)
    line = _encoded(line)
    if len(line) > _SEARCHED or not all(b'"%b"' % name.encode() in line for name in _BITS):
        return [], line
    text = line.decode("utf-8", "surrogateescape")
    messages: list[Message] = []
    rest: list[str] = []
    left, failures = len(text), 0  # what is left of the line to search, from its end
    # A message behind a torn one may hold what completes that one: the later one is right. And
    # what is around others comes before them.
    for begin, end in reversed(_objects(text)):
        if end > left or failures == _FAILURES:
            continue
        before = text[max(begin - _NEAR, 0) : begin].rstrip()
        if before.endswith(_BEFORE) and inside.match(text, end):
            continue
        value: Any = None
        try:
            if not no_utf8.search(text, begin, end):
                value, _ = decode(text, begin)
        except (ValueError, RecursionError):
            pass
        if _is_message(value):
            messages.append(value)
            rest.append(text[end:left])
            left, failures = begin, 0
        else:
            failures += 1
    rest.append(text[:left])
    whole = "".join(reversed(rest))
    if messages and not whole.strip("\ufeff \t\r\n"):
        whole = ""
    return messages[::-1], whole.encode("utf-8", "surrogateescape")


def _objects(text: str) -> list[tuple[int, int]]:
    """
    Find the objects in a text that may be messages, in the order of their ends.

    Behind a torn message nobody knows what is inside of a string and what outside. But every quote
    turns one into the other; so there are but two ways to read the text, and both are gone at once.
    """
    objects: list[tuple[int, int]] = []
    # What is open in either way: where it begins, and which fields of messages it has; -1 for "[".
    open_: list[deque[list[int]]] = [deque(maxlen=_DEPTH), deque(maxlen=_DEPTH)]
    way, other = open_
    all_fields = sum(_BITS.values())
    for mark in re.finditer(_MARKS, text):
        kind = mark[0]
        if kind == '"':
            name = mark[1]
            if name is not None and way:
                way[-1][1] |= _BITS[name]
            way, other = other, way
        elif kind == "{":
            way.append([mark.start(), 0])
        elif kind == "[":
            way.append([-1, 0])
        elif kind in "]}":
            begin, fields = way.pop() if way else (-1, 0)
            if (begin < 0) is (kind == "}"):  # nothing around this is JSON
                way.clear()
            elif kind == "}" and fields == all_fields:
                objects.append((begin, mark.end()))
    return objects


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
