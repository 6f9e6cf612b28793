"""Messages as text that people read: two formats, and the command `eliot-prettyprint`."""

from __future__ import annotations

import argparse
import os
import pprint
import re
import sys
from datetime import datetime, timezone
from json import JSONEncoder
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Any, Callable, Iterable, List, Mapping, Optional, Sequence

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    IDENTITY_FIELDS,
    MESSAGE_TYPE_FIELD,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
)
from eliot._lines import NOT_JSON, BadLine, Decoder
from eliot._safe import MAX_TEXT, printable, saferepr

__all__ = ["compact_format", "pretty_format"]

REQUIRED_FIELDS = set(IDENTITY_FIELDS)

_FIRST_FIELDS = (ACTION_TYPE_FIELD, MESSAGE_TYPE_FIELD, ACTION_STATUS_FIELD)
_APART = frozenset((*IDENTITY_FIELDS, *_FIRST_FIELDS))

# The escapes of a repr() that are shown as what they stand for. A backslash is `\\` there, and no
# beginning of another one.
_ESCAPE = re.compile(r"\\[\\nt]")
_SHOWN = {r"\n": "\n ", r"\t": "\t"}

# What `pprint` finds out about values of these types is their `repr()`; the same is true for texts
# that fit in a line. They are most of all, and all else takes ten times as long.
_PLAIN = frozenset((int, float, bool, type(None)))
_WIDTH = 40

_to_json = JSONEncoder(separators=(",", ":")).encode

#: How many bad lines are named at the end.
_NAMED = 10


def _time(timestamp: Any, *, local: bool) -> str:
    """Convert seconds since 1970 to ISO 8601; what is no such number is shown as it is."""
    try:
        if local:
            return datetime.fromtimestamp(timestamp).isoformat("T")  # noqa: DTZ006 - as asked for
        utc = datetime.fromtimestamp(timestamp, timezone.utc).isoformat("T")
        return utc[: -len("+00:00")] + "Z"
    except (TypeError, ValueError, OverflowError, OSError):
        return printable(timestamp)


def _level(level: Any) -> str:
    if type(level) is list or (isinstance(level, Sequence) and not isinstance(level, str)):
        level = "/" + "/".join(map(str, level))
    return printable(level)


def _ordered(message: Mapping[str, Any]) -> List[str]:
    """Put the names of fields in order: types and status first, then by name."""
    first = [name for name in _FIRST_FIELDS if name in message]
    return first + sorted([name for name in message if name not in _APART])


def pretty_format(message: Mapping[str, Any], local_timezone: bool = False) -> str:
    """
    Convert a message to text of several lines, one field on each.

    Args:
        message: A message as logged, or as decoded from a line of a log.
        local_timezone: Show local time instead of UTC.

    Returns:
        The text, ending with a line break.

    Raises:
        KeyError: If the message lacks `task_uuid`, `task_level` or `timestamp`.

    >>> message = {"task_uuid": "u", "task_level": [1, 2], "timestamp": 1443193754, "x": [1]}
    >>> print(pretty_format(message), end="")
    u -> /1/2
    2015-09-25T15:09:14Z
      x: [1]
    """
    lines = [
        f"{printable(message[TASK_UUID_FIELD])} -> {_level(message[TASK_LEVEL_FIELD])}",
        _time(message[TIMESTAMP_FIELD], local=local_timezone),
    ]
    for field in _ordered(message):
        name = printable(field)
        text = _pformat(message[field])
        if "\\" in text:
            text = _ESCAPE.sub(lambda found: _SHOWN.get(found[0], found[0]), text)
        if "\n" in text:
            text = text.replace("\n", "\n" + " " * (len(name) + 2) + "| ")
        lines.append(f"  {name}: {text}")
    return "\n".join(lines) + "\n"


def _pformat(value: object) -> str:
    try:
        kind = type(value)
        if kind in _PLAIN:
            return repr(value)
        if kind is str:
            text = repr(value)
            if len(text) <= _WIDTH:
                return text
        text = pprint.pformat(value, width=_WIDTH)
    except Exception:
        text = saferepr(value)
    return "\n".join(map(printable, text.split("\n")))  # objects may have any repr()


def compact_format(message: Mapping[str, Any], local_timezone: bool = False) -> str:
    r"""
    Convert a message to one line of text.

    Args:
        message: A message as decoded from a line of a log.
        local_timezone: Show local time instead of UTC.

    Returns:
        The text, without a line break.

    Raises:
        KeyError: If the message lacks `task_uuid`, `task_level` or `timestamp`.
        TypeError: If JSON cannot represent a value.

    >>> compact_format({"task_uuid": "u", "task_level": [1, 2], "timestamp": 1443193754, "x": "\n"})
    'u/1/2 2015-09-25T15:09:14Z x="\\n"'
    """
    fields = " ".join(f"{printable(name)}={_compact(message[name])}" for name in _ordered(message))
    place = f"{printable(message[TASK_UUID_FIELD])}{_level(message[TASK_LEVEL_FIELD])}"
    return f"{place} {_time(message[TIMESTAMP_FIELD], local=local_timezone)} {fields}"


def _compact(value: object) -> str:
    kind = type(value)
    if kind is int or (kind is float and isfinite(value)):  # type: ignore[arg-type] # a number
        return repr(value)
    if kind is bool:
        return "true" if value else "false"
    try:
        text = encode_basestring_ascii(value) if kind is str else _to_json(value)  # type: ignore[arg-type] # it is a text
    except RecursionError:
        text = _to_json(saferepr(value))
    return text.replace("\x7f", r"\u007f")  # the one control character that JSON leaves as it is


class _BadLines:
    """How many lines are no messages, and which; and how many are messages."""

    def __init__(self, tell: Optional[Callable[[BadLine], object]]) -> None:
        self.messages = 0
        self.count = 0
        self._tell = tell
        self.named: List[BadLine] = []

    def add(self, line: BadLine) -> None:
        if self._tell is not None:
            self._tell(line)
            return
        self.count += 1
        if self.count <= _NAMED or line.is_cut():
            self.named.append(line)

    def summary(self) -> str:
        named = "; ".join(map(str, self.named))
        more = self.count - len(self.named)
        what = (
            "1 line is no Eliot message"
            if self.count == 1
            else f"{self.count} lines are no messages"
        )
        return f"{what}: {named}{f'; and {more} more' if more else ''}\n"


def _render(
    lines: Iterable[Any], bad: _BadLines, *, compact: bool, local_timezone: bool
) -> Iterable[str]:
    """Convert each line to text, in place; collect those that are no messages."""
    format_message = compact_format if compact else pretty_format
    for item in Decoder(blank=True).items(lines):
        if isinstance(item, BadLine):
            if item.line.strip():
                bad.add(item)
            what = "Not JSON" if item.reason.startswith(NOT_JSON) else "Not an Eliot message"
            yield f"{what}: {_quoted(item.line)}\n\n"
        else:
            bad.messages += 1
            yield format_message(item, local_timezone) + "\n"


def _quoted(line: bytes) -> str:
    cut = f"... (cut, {len(line)} bytes in all)" if len(line) > MAX_TEXT else ""
    return f"{line[:MAX_TEXT]!r}{cut}"


def _main(arguments: Optional[List[str]] = None) -> None:
    """Run the command `eliot-prettyprint`."""
    parser = argparse.ArgumentParser(
        prog="eliot-prettyprint",
        usage="cat messages | %(prog)s [options]",
        description="Convert Eliot messages into more readable format. Reads JSON, one message a "
        "line, from standard input. Lines that are no messages are shown as they are, and counted "
        "on standard error.",
    )
    parser.add_argument("-c", "--compact", action="store_true", help="one line for each message")
    parser.add_argument(
        "-l", "--local-timezone", action="store_true", help="local time instead of UTC"
    )
    options = parser.parse_args(arguments)
    # Looked up now: programs that only format may have no standard input at all.
    stdin: Any = sys.stdin
    lines = () if stdin is None else getattr(stdin, "buffer", stdin)
    if sys.stdout is None:
        parser.error("there is no standard output")
    show(lines, compact=options.compact, local_timezone=options.local_timezone)


def show(
    lines: Iterable[Any],
    *,
    compact: bool,
    local_timezone: bool,
    on_bad: Optional[Callable[[BadLine], object]] = None,
) -> bool:
    """
    Write lines as text to standard output; return whether there was a message.

    What is no message goes to a function, in its place, or else is counted on standard error.
    """
    stdout: Any = sys.stdout
    if hasattr(stdout, "reconfigure"):  # a terminal may lack a character
        stdout.reconfigure(errors="backslashreplace")
    bad = _BadLines(on_bad)
    try:
        for text in _render(lines, bad, compact=compact, local_timezone=local_timezone):
            stdout.write(text)
        stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
    if bad.count and sys.stderr is not None:
        sys.stderr.write(bad.summary())
    return bad.messages > 0


if __name__ == "__main__":
    _main()
