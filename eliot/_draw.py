"""Lines of trees: how an action or a message is shown, as a whole or as it happens."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, Optional, Tuple

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    DESTINATION_FAILURE_TYPE,
    DURATION_FIELD,
    EXCEPTION_FIELD,
    FAILED_STATUS,
    HOST_FIELD,
    LOG_LEVEL_FIELD,
    LOST_TYPE,
    MESSAGE_TYPE_FIELD,
    PROCESS_FIELD,
    REASON_FIELD,
    SERIALIZATION_FAILURE_TYPE,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TASK_FIELD,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    THREAD_FIELD,
    TIMESTAMP_FIELD,
    TRACEBACK_FIELD,
    TRACEBACK_TYPE,
    UNCAUGHT_TYPE,
    WARNING_TYPE,
)
from eliot._look import (
    ALARMING,
    CLOCK,
    ID,
    PLAIN,
    WARNING,
    Look,
    columns,
    cut,
    duration_text,
    exception_text,
    share_text,
    shown_fields,
    value_text,
)
from eliot._safe import printable

__all__ = ["UNENDED", "WHERE", "Draw", "Line", "header", "repeats"]

#: What is said of actions without an end.
UNENDED = "still running when the log ended"

#: Fields that tell where the code runs, in all messages if at all. Most actions end where they
#: began: the end shows them only if it was elsewhere.
WHERE = (PROCESS_FIELD, HOST_FIELD, THREAD_FIELD, TASK_FIELD)

#: Messages that tell of trouble whatever their level.
_REPORTS = (
    DESTINATION_FAILURE_TYPE,
    LOST_TYPE,
    SERIALIZATION_FAILURE_TYPE,
    TRACEBACK_TYPE,
    UNCAUGHT_TYPE,
    WARNING_TYPE,
)

#: A field of packed messages that is no text.
_ODD = (TASK_LEVEL_FIELD,)

_PLACE = (_ODD, TASK_UUID_FIELD, TASK_LEVEL_FIELD, TIMESTAMP_FIELD)
_OF_MESSAGE: FrozenSet[Any] = frozenset((*_PLACE, MESSAGE_TYPE_FIELD))
_OF_ACTION: FrozenSet[Any] = frozenset((*_PLACE, ACTION_TYPE_FIELD, ACTION_STATUS_FIELD))
_OF_END = _OF_ACTION | {DURATION_FIELD}
_OF_FAILURE = _OF_END | {EXCEPTION_FIELD, REASON_FIELD, TRACEBACK_FIELD}
_OF_TRACEBACK = _OF_MESSAGE | {EXCEPTION_FIELD, REASON_FIELD, TRACEBACK_FIELD}

#: Larger integers take care.
_LARGE = 1 << 64

#: So many shapes of messages, and types, are remembered.
_MOST = 1000


def header(task_uuid: Any, start: Any, look: Look = PLAIN) -> str:
    """
    Return the line above a tree.

    >>> header("2cd4e99c-7b11-4b1c-8a5e-4f6a1f0ad6a1", 1443193754.5)
    '2cd4e99c-7b11-4b1c-8a5e-4f6a1f0ad6a1  2015-09-25 15:09:14 UTC'
    """
    text = f"{look.bold}{printable(task_uuid)}{look.plain}"
    date = look.date(start)
    return f"{text}  {look.dim}{date}{look.plain}" if date else text


def repeats(name: str, began: Any, ended: Any) -> bool:
    """Tell whether the value of a field at an action's end says where it was, again."""
    kind = ended.__class__
    return name in WHERE and kind in (str, int) and kind is began.__class__ and began == ended


class Line:
    """
    Write one line of a tree, as long as there is room.

    Args:
        look: How it looks.
        start: Its time, in seconds since 1970 (UTC).
        stem: What stands between time and entry.
        before: What stands before the time, in colours: nothing, or `ID` columns and a blank.

    >>> line = Line(Look(width=35), 1443193754.5, "├─")
    >>> line.add_action("charge", "succeeded")
    >>> line.add_fields([("card", "1881")])
    >>> line.text
    '15:09:14.500  ├─✓ charge  card="1…'
    """

    __slots__ = ("_is_cut", "look", "room", "text")

    def __init__(self, look: Look, start: Any, stem: str, before: str = "") -> None:
        clock = look.clock(start)
        self.text = f"{before}{look.dim}{clock}  {stem}{look.plain}"
        self.look = look
        self.room = None
        self._is_cut = False
        if look.width is not None:
            used = (ID + 1 if before else 0) + len(clock) + 2 + len(stem)
            self.room = look.width - used - len(look.ellipsis)  # that may come at the end

    def add(self, text: str, style: str = "", gap: str = "  ") -> None:
        """Add a text, in a style, behind a gap; cut it if there is too little room."""
        if not text:
            return
        if self.room is not None:
            self.room -= len(gap)
            if self.room <= 0 or self._is_cut:
                self._cut()
                return
            whole = text
            text = cut(whole, self.room, self.look)
            self._is_cut = text != whole
            self.room -= columns(text)
        self.text += f"{gap}{style}{text}{self.look.plain}" if style else gap + text

    def add_action(self, kind: Any, status: Any) -> None:
        """Add the type of an action, with a mark for its status."""
        look = self.look
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
        look = self.look
        text = "" if kind is None else printable(kind)
        if level in ALARMING or text in _REPORTS:
            self.add(f"{look.warning} {text}", look.yellow if level == WARNING else look.red, "")
        else:
            self.add(f"{look.message} {text}", "", "")

    def add_duration(self, seconds: float, whole: Optional[float] = None) -> None:
        """Add how long an action took, and how much that is of the time of the one around it."""
        look = self.look
        text, share = duration_text(seconds, look), share_text(seconds, whole)
        if self.room is None:
            self.text += f"  {look.cyan}{text}{look.plain}"
            if share:
                self.text += f"  {look.dim}{share}{look.plain}"
        else:
            self.add(text, look.cyan)
            self.add(share, look.dim)

    def add_missing(self, count: int) -> None:
        """Add how many messages must have been there."""
        what = "message" if count == 1 else "messages"
        self.add(f"{self.look.missing} {count:,} {what} missing", self.look.yellow, "")

    def add_fields(self, pairs: Iterable[Tuple[str, Any]], gap: str = "  ") -> None:
        """Add fields behind a gap."""
        if self._is_cut:
            return
        room = None if self.room is None else self.room - len(gap)
        text, room, is_cut = shown_fields(pairs, self.look, room)
        if text:
            self.text += gap + text
            self.room = room
        elif is_cut:
            self._cut()
        self._is_cut = is_cut

    def _cut(self) -> None:
        """Show that there is more than there is room for."""
        if not self._is_cut:
            self._is_cut = True
            self.text += self.look.ellipsis


class _Shape:
    """
    Say where to find what in messages that have the same fields.

    Args:
        keys: The keys of what is Eliot's own.
        rest: The keys of the other fields, with their names.
        shown: The same with what is shown before the values.
    """

    __slots__ = ("is_plain", "keys", "rest", "shown", "timestamp", "type", "where")

    def __init__(
        self, keys: Dict[str, Any], rest: List[Tuple[Any, str]], shown: List[Tuple[Any, str]]
    ) -> None:
        self.keys = keys
        self.rest = rest
        self.shown = shown
        self.timestamp: Any = keys.get(TIMESTAMP_FIELD)
        self.type: Any = keys.get(MESSAGE_TYPE_FIELD)
        #: Whether there are a type and a time, and neither a level nor a traceback.
        self.is_plain = {MESSAGE_TYPE_FIELD, TIMESTAMP_FIELD} <= set(keys) and not (
            {LOG_LEVEL_FIELD, TRACEBACK_FIELD} & set(keys)
        )
        #: Those of the rest that say where the code ran.
        self.where = [(key, name) for key, name in rest if name in WHERE]

    def get(self, values: Any, name: str) -> Any:
        """Return a field of Eliot's own, or None."""
        key = self.keys.get(name)
        return None if key is None else values[key]


_Shapes = Dict[Tuple[str, ...], _Shape]


class Draw:
    """
    Draw actions and messages in one look.

    Messages are dictionaries or, if *packed*, tuples of values with the tuple of their names last.
    What those with the same fields have in common is found out once: most of a log is drawn in a
    third of the time.
    """

    def __init__(self, look: Look, *, packed: bool) -> None:
        self.look = look
        self._packed = packed
        self._messages: _Shapes = {}
        self._starts: _Shapes = {}
        self._ends: _Shapes = {}
        self._failures: _Shapes = {}
        # The same without some fields, by these.
        self._shortened: Dict[FrozenSet[Any], _Shapes] = {}
        # How types of messages are shown, and types of actions with a status.
        self._heads: Dict[str, str] = {}
        self._actions: Dict[Tuple[str, Any], str] = {}

    def _shape(self, shapes: _Shapes, values: Any, own: FrozenSet[Any]) -> _Shape:
        """Find out what messages with such fields have in common."""
        names = values[-1] if self._packed else tuple(values)
        shape = shapes.get(names)
        if shape is not None:
            return shape
        keys = {name: number if self._packed else name for number, name in enumerate(names)}
        if own is _OF_MESSAGE and TRACEBACK_FIELD in keys:
            own = _OF_TRACEBACK
        rest = [(key, name) for name, key in keys.items() if name not in own]
        look = self.look
        shown = [(key, f"{look.dim}{printable(name)}={look.plain}") for key, name in rest]
        shape = _Shape(keys, rest, shown)
        if len(shapes) >= _MOST:
            shapes.clear()
        shapes[names] = shape
        return shape

    def message(
        self, values: Any, stem: str, before: str = "", aside: str = "", guides: str = ""
    ) -> str:
        """
        Return the text of a message: its line and, below, its traceback if it has one.

        Args:
            values: The message.
            stem: What stands between time and message.
            before: What stands before the time.
            aside: What stands between message and fields.
            guides: What stands before the traceback.
        """
        look = self.look
        # One call less for most.
        shape = self._messages.get(values[-1] if self._packed else tuple(values)) or self._shape(
            self._messages, values, _OF_MESSAGE
        )
        if shape.is_plain and look.width is None and not aside:
            kind = values[shape.type]
            head = self._heads.get(kind) if kind.__class__ is str else None
            if head is None:
                head = self._head(kind)
            clock = look.clock(values[shape.timestamp])
            fields = self._fields(values, shape)
            return f"{before}{look.dim}{clock}  {stem}{look.plain}{head}{fields}"
        line = Line(look, shape.get(values, TIMESTAMP_FIELD), stem, before)
        line.add_message(shape.get(values, MESSAGE_TYPE_FIELD), shape.get(values, LOG_LEVEL_FIELD))
        if aside:
            line.add(aside, look.dim)
        traceback = shape.get(values, TRACEBACK_FIELD)
        if traceback is not None:
            self._add_error(line, values, shape)
        self._add_fields(line, values, shape)
        if traceback is None:
            return line.text
        return "\n".join([line.text, *_traceback(traceback, guides, look)])

    def _head(self, kind: Any) -> str:
        """Return how a type of messages is shown."""
        line = Line(self.look, None, "")
        begin = len(line.text)
        line.add_message(kind, None)
        head = line.text[begin:]
        if kind.__class__ is str:
            if len(self._heads) >= _MOST:
                self._heads.clear()
            self._heads[kind] = head
        return head

    def _fields(self, values: Any, shape: _Shape, gap: str = "  ") -> str:
        """Return all fields, with a gap before them."""
        text = ""
        # With `!r` a float takes half as long.
        for key, name in shape.shown:
            value = values[key]
            kind = value.__class__
            if kind is str and value.isprintable() and '"' not in value and "\\" not in value:
                text = f'{text}{gap}{name}"{value}"'
            elif kind is float or (kind is int and -_LARGE < value < _LARGE):
                text = f"{text}{gap}{name}{value!r}"
            else:
                text = f"{text}{gap}{name}{value_text(value)}"
            gap = " "
        return text

    def _add_fields(self, line: Line, values: Any, shape: _Shape, gap: str = "  ") -> None:
        if line.room is None:
            line.text += self._fields(values, shape, gap)
        else:
            line.add_fields([(name, values[key]) for key, name in shape.rest], gap)

    def _add_error(self, line: Line, values: Any, shape: _Shape) -> None:
        exception, reason = shape.get(values, EXCEPTION_FIELD), shape.get(values, REASON_FIELD)
        line.add(exception_text(exception, reason) or FAILED_STATUS, self.look.red)

    def action(self, line: Line, kind: Any, status: Any) -> None:
        """Add the type of an action, with a mark for its status."""
        if line.room is not None or kind.__class__ is not str:
            line.add_action(kind, status)
            return
        head = self._actions.get((kind, status))
        if head is None:
            begin = len(line.text)
            line.add_action(kind, status)
            if len(self._actions) >= _MOST:
                self._actions.clear()
            self._actions[kind, status] = line.text[begin:]
        else:
            line.text += head

    def start(self, line: Line, values: Any) -> None:
        """Add the fields of the start of an action."""
        self._add_fields(line, values, self._shape(self._starts, values, _OF_ACTION))

    def end(
        self, line: Line, values: Any, status: Any, started: Any = None, gap: str = "  "
    ) -> None:
        """
        Add the fields of the end of an action.

        Those that tell of an exception are shown otherwise; those that say where it ended are
        needless if it began there.

        Args:
            line: The line.
            values: The message of the end.
            status: The status in it.
            started: The message of the start, or what of it says where that was, if it is known.
            gap: What stands before the fields.
        """
        shapes, own = (
            (self._failures, _OF_FAILURE) if status == FAILED_STATUS else (self._ends, _OF_END)
        )
        shape = self._shape(shapes, values, own)
        if shape.where and started is not None:
            began = self._shape(self._starts, started, _OF_ACTION)
            own = own.union(
                name
                for key, name in shape.where
                if repeats(name, began.get(started, name), values[key])
            )
            shape = self._shape(self._shortened.setdefault(own, {}), values, own)
        self._add_fields(line, values, shape, gap)

    def error(self, line: Line, values: Any) -> None:
        """Add the exception of an action that has failed."""
        self._add_error(line, values, self._shape(self._failures, values, _OF_FAILURE))

    def traceback(self, values: Any, guides: str) -> Iterator[str]:
        """Give the traceback of an action that has failed line by line, if its end has one."""
        shape = self._shape(self._failures, values, _OF_FAILURE)
        traceback = shape.get(values, TRACEBACK_FIELD)
        return iter(()) if traceback is None else _traceback(traceback, guides, self.look)

    def duration(self, start: Any, end: Any) -> Optional[float]:
        """
        Return how long an action took, or None if that is not known.

        Args:
            start: When it started.
            end: The message of its end.
        """
        shape = self._shape(self._ends, end, _OF_END)
        told = seconds_of(shape.get(end, DURATION_FIELD))
        if told is None:
            began, ended = seconds_of(start), seconds_of(shape.get(end, TIMESTAMP_FIELD))
            if began is None or ended is None:
                return None
            told = ended - began
        return max(told, 0.0)


def _traceback(traceback: Any, guides: str, look: Look) -> Iterator[str]:
    """Give a traceback line by line, of which nothing is cut."""
    before = f"{look.dim}{' ' * (CLOCK + 2)}{guides}{look.plain}  "
    text = traceback if isinstance(traceback, str) else printable(traceback)
    lines = text.rstrip("\n").split("\n")
    for line in lines[:-1]:
        yield f"{before}{printable(line)}".rstrip()
    yield f"{before}{look.red}{printable(lines[-1])}{look.plain}"


def seconds_of(value: Any) -> Optional[float]:
    """Return a finite number as such, anything else as None."""
    if value.__class__ is not float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return None
        try:
            value = float(value)
        except OverflowError:
            return None
    return value if value - value == 0 else None
