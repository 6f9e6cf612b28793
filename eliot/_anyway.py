"""The second way to JSON: it cannot fail, keeps what can be kept, and says what it could not."""

from __future__ import annotations

from itertools import islice
from math import isfinite
from typing import Any, Callable, Iterable, Iterator

from eliot._degraded import (
    CUT_CHARACTERS,
    CUT_ELEMENTS,
    MAX_CHARACTERS,
    MAX_ELEMENTS,
    RESERVED_ELEMENTS,
    RESERVED_FIELDS,
    SHORT_TEXT,
    TINY_TEXT,
    ask,
)
from eliot._depth import TooDeepError
from eliot._fields import (
    BIG_INTEGER,
    CYCLE,
    DEGRADED_FIELD,
    EQUAL_KEYS,
    FAILED_CONVERSION,
    LONE_SURROGATE,
    NO_TEXT_KEY,
    PROTECTED_FIELDS,
    REENTERED,
    REFUSED,
    TOO_DEEP,
    TOO_LARGE,
)
from eliot._jsonable import UNSUPPORTED, Beginning, before_default, json_default, text_of
from eliot._safe import UNKNOWN, saferepr

__all__ = ["MAX_DEPTH", "Writer"]

#: Containers nested deeper than this are cut: orjson gives up there.
MAX_DEPTH = 254

#: Integers of more bits are written in hexadecimal: Python may refuse the decimal text.
_DECIMAL_BITS = 14_000

#: Asked for past whatever a metaclass has in its place.
_NAME_OF_CLASS = type.__dict__["__name__"]


def encode_basestring(text: str) -> str:
    """Stand in for the one of `json.encoder` until its first use: that takes long to import."""
    from json.encoder import encode_basestring as real

    globals()["encode_basestring"] = real
    return real(text)


class _Budget:
    """What may still be written. Nothing is cut of a message that is within both limits."""

    __slots__ = ("elements", "long", "short")

    def __init__(self) -> None:
        self.elements = MAX_ELEMENTS
        self.long = MAX_CHARACTERS
        self.short = MAX_CHARACTERS

    def characters(self, size: int) -> int:
        """Take what a text of this size gets."""
        if size > SHORT_TEXT:
            kept = size if size <= self.long else min(self.long, CUT_CHARACTERS)
            if kept > SHORT_TEXT:
                self.long -= kept
                return kept
        kept = min(size, SHORT_TEXT, max(self.short, TINY_TEXT))
        self.short -= kept
        return kept

    def members(self, size: int) -> int:
        """Take what a container of this size gets."""
        kept = size if size <= self.elements else min(self.elements, CUT_ELEMENTS)
        self.elements -= kept
        return kept


class _Open:
    """A container that is being written: its rest, its brackets, and what it was made from."""

    __slots__ = ("closing", "opening", "rest", "sources")

    def __init__(
        self, opening: str, rest: Iterator[tuple[str, Any]], closing: str, sources: list[Any]
    ) -> None:
        self.opening = opening
        self.rest = rest
        self.closing = closing
        self.sources = sources  # kept alive, or their ids could come again


class Writer:
    """
    Write one value as JSON, whatever it is, keeping all of it that can be kept.

    Iterative, since the program may be near its recursion limit already. Types are asked for with
    `type()`, since `__class__` may lie, and never hashed, since a metaclass may object.

    Args:
        default: Asked first for values that JSON lacks.
    """

    def __init__(self, default: Callable[[Any], Any] | None) -> None:
        self._default = default
        #: What the caller's own default function refused a value with.
        self.refusal: Exception | None = None
        #: What could not be kept, by the field of the message; `None` outside of a field.
        self.notes: dict[str | None, dict[str, None]] = {}
        self._pieces: list[str] = []
        self._open: list[_Open] = []
        self._path: set[int] = set()
        self._budget = self._shared = _Budget()
        self._reserves = RESERVED_FIELDS
        self._is_message = False
        self._field: str | None = None
        self._names: set[str] = set()  # of the message's fields
        # The marks that the message has already, and where among the pieces they are.
        self._earlier: Any = None
        self._earlier_pieces: slice | None = None

    def write(self, o: Any) -> tuple[bytes, dict[str, str]]:
        """Return the line and the marks of a message: what could not be kept, by field."""
        self._is_message = issubclass(type(o), dict)
        self._put(o)
        marks: dict[str, str] = {}
        while self._open:
            container = self._open[-1]
            for before, value in container.rest:
                self._pieces.append(before)
                if self._put(value):
                    break  # the rest of its own container comes later
            else:
                self._open.pop()
                if not self._open and self.notes and self._is_message:
                    marks = {name or "": "; ".join(texts) for name, texts in self.notes.items()}
                    self._put_marks(marks)
                self._pieces.append(container.closing)
                self._path.difference_update(map(id, container.sources))
        return "".join(self._pieces).encode("utf-8"), marks

    def _put(self, o: Any) -> bool:
        """Write a value, or the opening of a container: then the answer is true."""
        try:
            plain = self._simplify(o)
        except Exception:  # such as a RecursionError: nothing that needs a call is left to do
            self.notes.setdefault(self._field, {})[FAILED_CONVERSION] = None
            plain = f'"{UNKNOWN}"'
        if isinstance(plain, str):
            self._pieces.append(plain)
            return False
        self._pieces.append(plain.opening)
        self._path.update(map(id, plain.sources))
        self._open.append(plain)
        return True

    def _simplify(self, o: Any) -> str | _Open:  # noqa: C901, PLR0911, PLR0912 - one for each word of JSON
        """Convert step by step, until JSON has a word for it or it is a container."""
        sources: list[Any] = []
        while True:
            cls = type(o)
            if cls is str:
                return encode_basestring(self._fit(o))
            if cls is int:
                return self._integer(o)
            if cls is float or cls is bool or o is None:
                return _word(o)
            converted = UNSUPPORTED
            if not (cls is dict or cls is list or cls is tuple):
                converted = self._ask(before_default, o)
                if converted is UNSUPPORTED and issubclass(cls, str):
                    return encode_basestring(self._fit(text_of(o)))
                if converted is UNSUPPORTED and issubclass(cls, int):
                    return self._integer(int.__add__(o, 0))
            if id(o) in self._path or any(o is source for source in sources):
                self._note(CYCLE)
                return encode_basestring(f"<cycle: {_class_name(o)}>")
            if len(self._open) >= MAX_DEPTH or len(sources) > MAX_DEPTH:
                self._note(TOO_DEEP)
                return encode_basestring(f"<{_class_name(o)} nested more than {MAX_DEPTH} deep>")
            sources.append(o)
            if converted is not UNSUPPORTED:
                o = converted
            elif issubclass(cls, dict):
                return _Open("{", self._members(o), "}", sources)
            elif issubclass(cls, list) or cls is tuple:
                return _Open("[", self._elements(o), "]", sources)
            else:
                o = self._convert(o)

    # --- What the program's code says

    def _ask(self, function: Callable[[Any], Any], o: Any) -> Any:
        try:
            converted, notes = ask(function, o)
        except TooDeepError:
            self._note(REENTERED)
            return f"<{_class_name(o)} logged by its own conversion>"
        for text in notes:
            self._note(text)
        return converted

    def _convert(self, o: Any) -> Any:
        """Ask the caller's default function, then Eliot's own."""
        try:
            if self._default is None:
                _refuse(o)
            else:
                converted = self._ask(self._default, o)
                if converted is not o:
                    return converted
                _refuse(o)
        except Exception as error:
            self.refusal = self.refusal or error
        if self._default is not None:
            self._note(REFUSED)
        return self._ask(json_default, o)

    # --- Words

    def _fit(self, text: str) -> str:
        """Cut a text if there is no room for it, and make each lone surrogate a visible escape."""
        size = len(text)
        kept = self._budget.characters(size)
        if kept < size:
            self._note(TOO_LARGE)
            text = f"{text[:kept]}... (cut, {size} characters in all)"
        encodable = _encodable(text)
        if encodable is not text:
            self._note(LONE_SURROGATE)
        return encodable

    def _integer(self, number: int) -> str:
        """Write what 64 bits hold; larger integers become text, since readers would round them."""
        if -(2**63) <= number < 2**64:
            return str(number)
        self._note(BIG_INTEGER)
        return f'"{self._fit(_digits(number))}"'

    def _name(self, key: Any, names: set[str]) -> str:
        """Make text of a dictionary's key: the same as of a value, or its `repr`."""
        is_text = issubclass(type(key), str)
        if not is_text:
            self._note(NO_TEXT_KEY)
        name = self._fit(text_of(key) if is_text else self._key_text(key))
        # 1 and "1" are two keys in Python, and one in JSON; the field of the marks is no number.
        if name in names or (name == DEGRADED_FIELD and not is_text):
            self._note(EQUAL_KEYS)
            return _distinct(f"{name} ({_class_name(key)})", _class_name(key), names)
        names.add(name)
        return name

    def _key_text(self, key: Any) -> str:
        for o in (key, self._ask(json_default, key)):
            cls = type(o)
            if issubclass(cls, str):
                return text_of(o)
            if cls is float or cls is bool or o is None:
                return _word(o)
            if issubclass(cls, int):
                return _digits(int.__add__(o, 0))
        text: str = self._ask(saferepr, key)
        return text

    # --- Containers. Contents are copied as they are now, whatever another thread does.

    def _elements(self, o: Any) -> Iterator[tuple[str, Any]]:
        """Yield what stands before each value of an array, and the value."""
        cls: Any = tuple if type(o) is tuple else list
        size = cls.__len__(o)
        kept = self._budget.members(size)
        total = "" if kept == size else str(size)
        return self._each_element(cls.__getitem__(o, slice(kept)), total)

    def _each_element(self, items: Iterable[Any], total: str) -> Iterator[tuple[str, Any]]:
        comma = ""
        for item in items:
            yield comma, item
            comma = ","
        if total:
            self._note(TOO_LARGE)
            yield comma, f"... (cut, {total} elements in all)"

    def _members(self, o: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
        """Yield what stands before each value of an object, and the value."""
        is_message = self._is_message and not self._open
        size = dict.__len__(o)
        kept = (_Budget() if is_message else self._budget).members(size)
        if kept == size:
            # A copy is made in one go; of a subclass it would be made by methods of its own.
            items = list(iter(dict.items(dict.copy(o) if type(o) is dict else o)))
            return self._each_member(items, "", is_message=is_message)
        items = list(islice(dict.items(o), kept))
        if is_message:  # which has its place, however many other fields there are
            seen = {key for key, _ in items if type(key) is str}
            missing = sorted(PROTECTED_FIELDS - seen)
            items += [(key, dict.get(o, key)) for key in missing if dict.__contains__(o, key)]
        total = o.total if isinstance(o, Beginning) else str(size)
        return self._each_member(items, total, is_message=is_message)

    def _each_member(
        self, items: list[tuple[Any, Any]], total: str, *, is_message: bool
    ) -> Iterator[tuple[str, Any]]:
        names = self._names if is_message else set()
        comma = ""
        # Text first: keys that are text already stay what they are.
        for key, value in sorted(items, key=_is_no_text):
            if is_message:
                self._field, self._budget = None, self._shared
            name = self._name(key, names)
            if is_message:
                self._enter(name)
            start = len(self._pieces)
            yield f"{comma}{_member(name)}", value
            comma = ","
            if is_message and name == DEGRADED_FIELD:
                self._earlier, self._earlier_pieces = value, slice(start, len(self._pieces))
        if total:
            name = _distinct("...", "cut", names)
            if is_message:
                self._enter(name)
            self._note(TOO_LARGE)
            yield f"{comma}{_member(name)}", f"(cut, {total} members in all)"

    # --- Marks

    def _note(self, text: str) -> None:
        self.notes.setdefault(self._field, {})[text] = None

    def _enter(self, name: str) -> None:
        """Begin a field of the message."""
        self._field = name
        if None in self.notes:  # it was the name that could not be kept
            self.notes[name] = self.notes.pop(None)
        if name in PROTECTED_FIELDS:  # there is room for them, however large the others are
            self._budget = _Budget()
        elif self._reserves and self._shared.elements < RESERVED_ELEMENTS:
            self._reserves -= 1
            self._shared.elements = RESERVED_ELEMENTS

    def _put_marks(self, marks: dict[str, str]) -> None:
        """Write the marks as a field; if the message has some already, together with them."""
        place = self._earlier_pieces
        if place is None:
            comma = "," if self._names else ""
            self._pieces.append(f"{comma}{_member(DEGRADED_FIELD)}{_marks(marks)}")
            return
        comma = "," if self._pieces[place.start].startswith(",") else ""
        if _are_marks(self._earlier):
            merged = dict(self._earlier)
            for name, text in marks.items():
                texts = [*merged.get(name, text).split("; "), *text.split("; ")]
                merged[name] = "; ".join(dict.fromkeys(texts))
            self._pieces[place] = [f"{comma}{_member(DEGRADED_FIELD)}{_marks(merged)}"]
        else:
            other = _distinct(DEGRADED_FIELD, _class_name(self._earlier), self._names)
            self._pieces[place.start] = f"{comma}{_member(other)}"
            self._pieces.append(f",{_member(DEGRADED_FIELD)}{_marks(marks)}")


def _member(name: str) -> str:
    return f"{encode_basestring(name)}:"


def _marks(marks: dict[str, str]) -> str:
    """Write marks as an object."""
    members = (
        f"{encode_basestring(_encodable(name))}:{encode_basestring(_encodable(text))}"
        for name, text in marks.items()
    )
    return f"{{{','.join(members)}}}"


def _are_marks(o: Any) -> bool:
    """Find out whether a field's value is what is written there."""
    return (
        type(o) is dict
        and len(o) <= SHORT_TEXT
        and all(
            type(text) is str and len(text) <= SHORT_TEXT for item in o.items() for text in item
        )
    )


def _distinct(name: str, suffix: str, names: set[str]) -> str:
    """Make a name that is not there yet."""
    while name in names:
        name = f"{name} ({suffix})"
    names.add(name)
    return name


def _is_no_text(item: tuple[Any, Any]) -> bool:
    return not issubclass(type(item[0]), str)


def _class_name(o: Any) -> str:
    """Return the name of an object's class, whatever its metaclass says."""
    name: str = _NAME_OF_CLASS.__get__(type(o))
    return name


def _encodable(text: str) -> str:
    """Make each lone surrogate a visible escape."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def _word(o: float | None) -> str:
    """Write what JSON has a word for; NaN and the infinities it lacks."""
    if o is None:
        return "null"
    if isinstance(o, bool):
        return "true" if o else "false"
    return repr(o) if isfinite(o) else "null"


def _digits(number: int) -> str:
    """Write an integer as decimal text, unless that takes too long: Python may even refuse it."""
    if number.bit_length() <= _DECIMAL_BITS:
        try:
            return str(number)
        except ValueError:  # the program allows fewer digits than usual
            pass
    return f"{number:#x}"


def _refuse(o: Any) -> None:
    msg = f"Type is not JSON serializable: {_class_name(o)}"
    raise TypeError(msg)
