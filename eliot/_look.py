"""How trees look on a terminal: symbols, colours, times, durations and fields as text."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any, Iterable, List, Mapping, Tuple

from eliot._safe import printable
from eliot.json import encode

__all__ = [
    "ALARMING",
    "CLOCK",
    "ID",
    "INDENTED",
    "PLAIN",
    "WARNING",
    "Look",
    "columns",
    "cut",
    "duration_text",
    "exception_text",
    "fields_text",
    "look_of",
    "share_text",
    "shown_fields",
    "value_text",
    "width_of",
]

#: The values of the field `log_level` that ask for attention.
WARNING = "warning"
ALARMING = (WARNING, "error", "critical")
#: So many levels are indented; a number tells of more.
INDENTED = 16

#: How wide `Look.clock` is, and how much is shown of a task's id where tasks take turns.
CLOCK = len("07:52:43.727")
ID = 8

# What numbers with a point may lack, in milliseconds.
_EXACT = 0.001

# The last one is for what is all but a second.
_THOUSANDTHS = [*[f".{number:03d}" for number in range(1000)], ".999"]

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
    "inside": ("‹", "<"),
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

    __slots__ = (*_SYMBOLS, *_STYLES, "_date", "_second", "color", "local", "width")

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
        self._second: Tuple[float | None, str] = (None, "")
        self._date: Tuple[float | None, str] = (None, "")

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
            second = timestamp // 1
            known, text = self._second
            if known != second:
                text = self._moment(second).strftime("%H:%M:%S")
                self._second = second, text
            return text + _THOUSANDTHS[int((timestamp - second) * 1000 + _EXACT)]
        except Exception:  # anything may stand there
            return " " * CLOCK

    def date(self, timestamp: Any) -> str:
        """
        Return date and time, to the second, with the time zone; nothing for what is no time.

        >>> Look().date(1443193754.5)
        '2015-09-25 15:09:14 UTC'
        """
        try:
            second = timestamp // 1
            known, text = self._date
            if known != second:
                form = "%Y-%m-%d %H:%M:%S %z" if self.local else "%Y-%m-%d %H:%M:%S UTC"
                text = self._moment(second).strftime(form)
                self._date = second, text
        except Exception:  # as above
            return ""
        return text

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
        unicode=unicode, color=color, width=width_of(stream) if terminal else None, local=local
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


def width_of(stream: Any) -> int | None:
    """Return how many columns a terminal has, or None if that cannot be told."""
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


#: How values without a text of their own are shown.
CONSTANTS = {None: "null", False: "false", True: "true"}


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
    if value is None or kind is bool:
        return CONSTANTS[value]
    return printable(encode(value).decode())


def columns(text: str) -> int:
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
    if len(text) * 2 <= room or columns(text) <= room:
        return text
    text = text[: max(0, room - len(look.ellipsis))]
    while text and columns(text) > room - len(look.ellipsis):
        text = text[:-1]
    return text + look.ellipsis


def fields_text(
    fields: Any,
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
    'card="1881"…'
    """
    pairs: Iterable[Tuple[str, Any]] = fields.items() if isinstance(fields, dict) else fields
    if look.color or room is not None:
        room = None if room is None else room - len(look.ellipsis)
        return shown_fields(pairs, look, room)[0]
    text = " ".join(
        [
            f'{name}="{value}"'
            if value.__class__ is str and '"' not in value and "\\" not in value
            else f"{name}={value_text(value)}"
            for name, value in pairs
        ]
    )
    return text if text.isprintable() else printable(text)


def shown_fields(
    pairs: Iterable[Tuple[str, Any]], look: Look, room: int | None
) -> Tuple[str, int | None, bool]:
    """
    Return fields in colour; what is left of the room; and whether anything had none.

    If so, the text ends with an ellipsis, which may take more room, unless it is empty.
    """
    shown: List[str] = []
    is_cut = False
    for name, value in pairs:
        if room is None:
            piece = f"{printable(name)}={value_text(value)}"
        elif is_cut:
            break
        elif room <= 0:
            is_cut = True
            if shown:
                shown[-1] += look.ellipsis
            break
        else:
            if value.__class__ is str:
                value = value[: room + 1]  # noqa: PLW2901 - no more than that is ever shown
            whole = f"{printable(name)}={value_text(value)}"
            piece = cut(whole, room, look)
            is_cut = piece != whole
            room -= columns(piece) + 1
        head, equals, tail = piece.partition("=")
        shown.append(f"{look.dim}{head}{equals}{look.plain}{tail}")
    if shown and room is not None:
        room += 1  # there is no blank behind the last one
    return " ".join(shown), room, is_cut
