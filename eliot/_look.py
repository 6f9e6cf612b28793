"""How trees look on a terminal: symbols, colours, times, durations and fields as text."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any, Dict, Iterable, List, Mapping, Tuple

from eliot._fields import (
    DESTINATION_FAILURE_TYPE,
    EXCEPTION_FIELD,
    FAILED_STATUS,
    LOST_TYPE,
    REASON_FIELD,
    SERIALIZATION_FAILURE_TYPE,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TRACEBACK_TYPE,
    UNCAUGHT_TYPE,
    WARNING_TYPE,
)
from eliot._safe import printable
from eliot.json import encode

__all__ = [
    "DURATION_FIELD",
    "LEVEL_FIELD",
    "PLAIN",
    "Line",
    "Look",
    "cut",
    "duration_text",
    "exception_text",
    "fields_text",
    "header",
    "look_of",
    "share_text",
    "traceback_lines",
    "value_text",
]

#: Fields that others than Eliot's own messages may have, too.
DURATION_FIELD = "duration"
LEVEL_FIELD = "log_level"

WARNING = "warning"
_ALARMING = (WARNING, "error", "critical")
_REPORTS = (
    DESTINATION_FAILURE_TYPE,
    EXCEPTION_FIELD,
    FAILED_STATUS,
    LOST_TYPE,
    REASON_FIELD,
    SERIALIZATION_FAILURE_TYPE,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TRACEBACK_TYPE,
    UNCAUGHT_TYPE,
    WARNING_TYPE,
)

#: So many levels are indented; a number tells of more.
INDENTED = 16

#: How wide `Look.clock` is, and how much is shown of a task's id where tasks take turns.
CLOCK = len("07:52:43.727")
ID = 8

_SYMBOLS = {
    "succeeded": ("✓", "+"),
    "failed": ("✗", "X"),
    "started": ("▶", ">"),
    "unknown": ("?", "?"),
    "message": ("·", "."),
    "warning": ("!", "!"),
    "missing": ("…", "~"),
    "branch": ("├─", "|-"),
    "last": ("└─", "`-"),
    "trunk": ("│ ", "| "),
    "ended": ("→", "->"),
    "inside": ("‹", "<"),  # noqa: RUF001 - it is what is meant
    "times": ("×", "x"),
    "micro": ("µs", "us"),
    "ellipsis": ("…", "..."),
}

_STYLES = {
    "plain": "\x1b[0m",
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "red": "\x1b[31m",
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
    "cyan": "\x1b[36m",
    "bold_red": "\x1b[1;31m",
}


class Look:
    """
    Say how trees are shown.

    Args:
        unicode: Draw with characters that ASCII lacks.
        color: Use the escape codes of terminals for colours.
        width: Cut lines that are longer, in columns; None cuts nothing.
        local: Show times in the local time zone, and not in UTC.
    """

    ellipsis: str
    micro: str
    ended: str
    inside: str
    times: str
    branch: str
    last: str
    trunk: str
    succeeded: str
    failed: str
    started: str
    unknown: str
    message: str
    warning: str
    missing: str
    plain: str
    bold: str
    dim: str
    red: str
    green: str
    yellow: str
    cyan: str
    bold_red: str

    def __init__(
        self,
        *,
        unicode: bool = True,
        color: bool = False,
        width: int | None = None,
        local: bool = False,
    ) -> None:
        self.color = color
        self.width = width
        self.local = local
        for name, (symbol, in_ascii) in _SYMBOLS.items():
            setattr(self, name, symbol if unicode else in_ascii)
        for name, code in _STYLES.items():
            setattr(self, name, code if color else "")
        # The last second that was shown, and its text: one pair, since threads share it.
        self._second: Tuple[int | None, str] = (None, "")

    def _moment(self, timestamp: float) -> datetime:
        moment = datetime.fromtimestamp(timestamp, timezone.utc)
        return moment.astimezone() if self.local else moment

    def clock(self, timestamp: Any) -> str:
        """
        Return the time of day, to the millisecond; blanks for what is no time.

        >>> Look().clock(1443193754.5)
        '15:09:14.500'
        """
        try:
            second = int(timestamp // 1)
            known, text = self._second
            if known != second:
                text = self._moment(second).strftime("%H:%M:%S")
                self._second = second, text
            return f"{text}.{int((timestamp - second) * 1000):03d}"
        except Exception:  # anything may stand there
            return " " * CLOCK

    def date(self, timestamp: Any) -> str:
        """
        Return date and time, to the second, with the time zone; nothing for what is no time.

        >>> Look().date(1443193754.5)
        '2015-09-25 15:09:14 UTC'
        """
        try:
            return self._moment(timestamp // 1).strftime(
                "%Y-%m-%d %H:%M:%S %z" if self.local else "%Y-%m-%d %H:%M:%S UTC"
            )
        except Exception:  # as above
            return ""

    def stem(self, depth: int, end: str) -> str:
        """
        Return what stands before an entry whose parents all go on.

        >>> Look().stem(3, Look().branch)
        '│ │ ├─'
        >>> Look(unicode=False).stem(1000, "|-").lstrip("| ")
        '(1000) |-'
        """
        if depth <= INDENTED:
            return self.trunk * (depth - 1) + end if depth else ""
        return f"{self.trunk * INDENTED}({depth}) {end}"


#: Unicode without colours.
PLAIN = Look()


def look_of(stream: Any, color: bool | None = None, *, local: bool = False) -> Look:
    """
    Find out how to show trees on a stream.

    Colours are for terminals, unless the environment has `NO_COLOR`; lines are cut at the width of
    terminals only; characters that ASCII lacks are for encodings that have them.

    Args:
        stream: A text file.
        color: Whether there are colours; by default as said above.
        local: Show times in the local time zone.
    """
    terminal = _tells(stream, "isatty")
    if color is None:
        color = terminal and not os.environ.get("NO_COLOR") and _obeys_codes(os.environ)
    try:
        "".join(symbol for symbol, _ in _SYMBOLS.values()).encode(stream.encoding or "utf-8")
        unicode = True
    except Exception:  # it has no encoding, or a poor one
        unicode = getattr(stream, "encoding", None) is None
    return Look(
        unicode=unicode, color=color, width=_width(stream) if terminal else None, local=local
    )


def _tells(stream: Any, question: str) -> bool:
    try:
        return bool(getattr(stream, question)())
    except Exception:  # it is closed, or no file at all
        return False


def _obeys_codes(environ: Mapping[str, str]) -> bool:
    """Tell whether a terminal knows colours; on Windows not all of them do."""
    if os.name == "nt":
        return any(name in environ for name in ("WT_SESSION", "ANSICON", "TERM"))
    return environ.get("TERM") != "dumb"


def _width(stream: Any) -> int | None:
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except Exception:  # it is no real one
        return None


#: Below which limit a duration is shown in which unit, and with how many digits behind the point.
_UNITS = (
    (0.0009995, 1e6, 0, ""),
    (0.00995, 1e3, 1, "ms"),
    (0.9995, 1e3, 0, "ms"),
    (9.995, 1, 2, "s"),
    (59.95, 1, 1, "s"),
)
_DAY = 24 * 60 * 60

#: Shares that would be rounded to nothing.
_LITTLE = 0.005


def duration_text(seconds: float, look: Look = PLAIN) -> str:
    """
    Return a duration with two or three digits that count.

    >>> [duration_text(s) for s in (0, 44e-6, 0.0012, 0.012, 3.414, 42.5, 125, 7320, 180000)]
    ['0 µs', '44 µs', '1.2 ms', '12 ms', '3.41 s', '42.5 s', '2 min 05 s', '2 h 02 min', '2 d 02 h']
    """
    for limit, factor, digits, unit in _UNITS:
        if seconds < limit:
            return f"{seconds * factor:.{digits}f} {unit or look.micro}"
    if seconds < _DAY:
        minutes, second = divmod(round(seconds), 60)
        hours, minute = divmod(minutes, 60)
        return f"{hours} h {minute:02d} min" if hours else f"{minute} min {second:02d} s"
    try:
        days, second = divmod(round(seconds), _DAY)
    except (ValueError, OverflowError):  # it is infinite, or not a number
        return f"{seconds} s"
    return f"{days} d {second // 3600:02d} h"


def share_text(part: float, whole: float | None) -> str:
    """
    Return how much of the parent's time an action took, or nothing if that has no sense.

    >>> share_text(1, 3), share_text(0.001, 1), share_text(1, 0)
    ('33 %', '<1 %', '')
    """
    if not whole:
        return ""
    share = part / whole
    return f"{share * 100:.0f} %" if share >= _LITTLE or not share else "<1 %"


def exception_text(exception: Any, reason: Any) -> str:
    """
    Return what an exception is called and what it says.

    >>> exception_text("builtins.KeyError", "'1881'")
    "KeyError: '1881'"
    """
    name = "" if exception is None else printable(exception)
    if name.startswith("builtins."):
        name = name[len("builtins.") :]
    text = "" if reason is None else printable(reason)
    return f"{name}: {text}" if name and text else name or text


def value_text(value: Any) -> str:
    r"""
    Return a value as one line without anything that a terminal obeys; JSON, near enough.

    >>> print(value_text("a\n\"b\""), value_text([1, None]), value_text(1.5))
    "a\n\"b\"" [1,null] 1.5
    """
    kind = value.__class__
    if kind is str:
        if '"' in value or "\\" in value:
            value = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{value if value.isprintable() else printable(value)}"'
    if kind is int or kind is float:
        try:
            return repr(value)
        except ValueError:  # there is a limit for digits
            pass
    return printable(encode(value).decode())


def _columns(text: str) -> int:
    """Tell how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # late: hardly anybody needs it

    return sum(
        0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text
    )


def cut(text: str, room: int, look: Look = PLAIN) -> str:
    """
    Cut a text that takes more than so many columns, and show that.

    >>> cut("charge", 4), cut("charge", 6), cut("日本語", 4)
    ('cha…', 'charge', '日…')
    """
    if len(text) * 2 <= room or _columns(text) <= room:
        return text
    text = text[: max(0, room - len(look.ellipsis))]
    while text and _columns(text) > room - len(look.ellipsis):
        text = text[:-1]
    return text + look.ellipsis


def fields_text(
    fields: Mapping[str, Any] | Iterable[Tuple[str, Any]],
    look: Look = PLAIN,
    room: int | None = None,
) -> str:
    r"""
    Return fields as `name=value`, with blanks between them.

    Args:
        fields: A dictionary, or pairs of names and values.
        look: Names are dim if it has colours.
        room: Cut the text if it takes more columns.

    >>> fields_text({"card": "1881", "amount": 20})
    'card="1881" amount=20'
    >>> fields_text({"card": "1881", "amount": 20}, room=13)
    'card="1881" …'
    """
    pairs: Iterable[Tuple[str, Any]] = fields.items() if isinstance(fields, Mapping) else fields
    if look.color or room is not None:
        return _shown(pairs, look, room)[0]
    text = " ".join(
        [
            f'{name}="{value}"'
            if value.__class__ is str and '"' not in value and "\\" not in value
            else f"{name}={value_text(value)}"
            for name, value in pairs
        ]
    )
    return text if text.isprintable() else printable(text)


def _shown(
    pairs: Iterable[Tuple[str, Any]], look: Look, room: int | None
) -> Tuple[str, int | None]:
    """Return fields in colour, as many as there is room for, and what is left of the room."""
    shown: List[str] = []
    for name, value in pairs:
        if room is None:
            text = value_text(value)
            piece = f"{printable(name)}={text}"
        elif room <= 0:
            break
        else:
            if value.__class__ is str:
                value = value[: room + 1]  # noqa: PLW2901 - no more than that is ever shown
            piece = cut(f"{printable(name)}={value_text(value)}", room, look)
            room -= _columns(piece) + 1
        head, equals, tail = piece.partition("=")
        shown.append(f"{look.dim}{head}{equals}{look.plain}{tail}")
    return " ".join(shown), room


def header(task_uuid: Any, start: Any, look: Look = PLAIN) -> str:
    """
    Return the line above a tree.

    >>> header("2cd4e99c-7b11-4b1c-8a5e-4f6a1f0ad6a1", 1443193754.5)
    '2cd4e99c-7b11-4b1c-8a5e-4f6a1f0ad6a1  2015-09-25 15:09:14 UTC'
    """
    text = f"{look.bold}{printable(task_uuid)}{look.plain}"
    date = look.date(start)
    return f"{text}  {look.dim}{date}{look.plain}" if date else text


class Line:
    """
    Write one line of a tree, as long as there is room.

    Args:
        look: How it looks.
        start: Its time, in seconds since 1970 (UTC).
        stem: What stands between time and entry.
        before: What stands before the time, in colours; nothing, or `ID` columns and a blank.

    >>> line = Line(Look(width=35), 1443193754.5, "├─")
    >>> line.add_action("charge", "succeeded")
    >>> line.add_fields([("card", "1881")])
    >>> line.text
    '15:09:14.500  ├─✓ charge  card="18…'
    """

    __slots__ = ("_look", "_room", "text")

    def __init__(self, look: Look, start: Any, stem: str, before: str = "") -> None:
        clock = look.clock(start)
        self.text = f"{before}{look.dim}{clock}  {stem}{look.plain}"
        self._look = look
        self._room = None
        if look.width is not None:
            self._room = look.width - len(clock) - 2 - len(stem) - (ID + 1 if before else 0)

    def add(self, text: str, style: str = "", gap: str = "  ") -> None:
        """Add a text, in a style, behind a gap; cut it if there is too little room."""
        if self._room is not None:
            self._room -= len(gap)
            if self._room <= 0:
                return
            text = cut(text, self._room, self._look)
            self._room -= _columns(text)
        self.text += f"{gap}{style}{text}{self._look.plain}" if style else gap + text

    def add_action(self, kind: Any, status: Any) -> None:
        """Add the type of an action, with a mark for its status."""
        look = self._look
        style = look.bold
        if status == SUCCEEDED_STATUS:
            self.add(look.succeeded, look.green, "")
        elif status == FAILED_STATUS:
            style = look.bold_red
            self.add(look.failed, style, "")
        elif status == STARTED_STATUS:
            self.add(look.started, look.yellow, "")
        else:
            self.add(look.unknown, look.yellow, "")
        self.add("(unknown)" if kind is None else printable(kind), style, " ")

    def add_message(self, kind: Any, level: Any) -> None:
        """
        Add the type of a message.

        Those that tell of trouble have a mark of their own: by their `log_level`, or by their type
        if they are reports of Eliot's.
        """
        look = self._look
        text = "" if kind is None else printable(kind)
        if level in _ALARMING or text in _REPORTS:
            self.add(f"{look.warning} {text}", look.yellow if level == WARNING else look.red, "")
        else:
            self.add(f"{look.message} {text}", "", "")

    def add_duration(self, seconds: float, whole: float | None = None) -> None:
        """Add how long an action took, and how much that is of the time of the one around it."""
        self.add(duration_text(seconds, self._look), self._look.cyan)
        share = share_text(seconds, whole)
        if share:
            self.add(share, self._look.dim)

    def add_error(self, fields: Dict[str, Any]) -> None:
        """Add an exception, which is taken out of the fields."""
        error = exception_text(fields.pop(EXCEPTION_FIELD, None), fields.pop(REASON_FIELD, None))
        self.add(error or FAILED_STATUS, self._look.red)

    def add_fields(self, pairs: Iterable[Tuple[str, Any]], gap: str = "  ") -> None:
        """Add fields behind a gap."""
        if self._room is None:
            text = fields_text(pairs, self._look)
        else:
            text, self._room = _shown(pairs, self._look, self._room - len(gap))
        if text:
            self.text += gap + text


def traceback_lines(traceback: Any, guides: str, look: Look = PLAIN) -> List[str]:
    """Return a traceback line by line, below the entry that it belongs to; nothing is cut."""
    lines = (traceback if isinstance(traceback, str) else printable(traceback)).split("\n")
    before = f"{look.dim}{' ' * (CLOCK + 2)}{guides}{look.plain}  "
    return [f"{before}{printable(line)}" for line in lines[:-1]] + [
        f"{before}{look.red}{printable(lines[-1])}{look.plain}"
    ]
