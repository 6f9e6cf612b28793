"""
The JSON encoder: orjson at full speed, and a second way, for what orjson refuses, that cannot fail.

Everything that Eliot writes goes through here, so that a value looks the same in every log:
compact separators, UTF-8, `null` for NaN and the infinities, ISO 8601 for dates and times.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from json.encoder import encode_basestring
from math import isfinite
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator

from eliot._deprecation import warn_deprecated
from eliot._jsonable import (
    UNSUPPORTED,
    by_registration,
    json_default,
    native,
    overridden,
)
from eliot._libraries import set_max_values as set_max_values  # noqa: PLC0414 - exported
from eliot._safe import saferepr, safeunicode

# As in published Eliot, to the letter; `encode` and `set_max_values` are public, too.
__all__ = ["EliotJSONEncoder", "json_default"]

#: Containers nested deeper than this are cut: orjson gives up there.
MAX_DEPTH = 254

#: A line of more bytes than this may hold more than is kept of one message.
LARGE = 1_000_000


class EliotJSONEncoder(json.JSONEncoder):
    """
    Encode with `json.dumps(..., cls=EliotJSONEncoder)` what `json_default` can convert.

    Kept for programs that subclass it; a function that calls `json_default` last is the better way.

    >>> json.dumps({"s": {1}}, cls=EliotJSONEncoder)
    '{"s": [1]}'
    """

    def default(self, o: Any) -> Any:
        """Return what `json_default` makes of *o*."""
        return json_default(o)


def _encoder_to_default_function(encoder: json.JSONEncoder) -> Callable[[Any], Any]:
    return encoder.default


def _encodable(text: str) -> str:
    """Make each lone surrogate a visible escape."""
    return str.encode(text, "utf-8", "backslashreplace").decode("utf-8")


def _quoted(text: str) -> str:
    return encode_basestring(_encodable(text))


def _integer(number: int) -> str:
    """Write what 64 bits hold; larger integers become text, since readers would round them."""
    number = int.__add__(number, 0)  # a subclass may have its own idea of str()
    if -(2**63) <= number < 2**64:
        return str(number)
    try:
        return f'"{number}"'
    except ValueError:  # more digits than Python converts
        return f'"{number:#x}"'


#: How to write what JSON has a word for.
_WORDS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    int: _integer,
    float: lambda number: repr(number) if isfinite(number) else "null",
    bool: lambda truth: "true" if truth else "false",
    type(None): lambda _: "null",
}


def _word(o: Any) -> str | None:
    """Write what JSON has a word for; `None` for anything else."""
    write = _WORDS.get(type(o))
    if write is not None:
        return write(o)
    if isinstance(o, str):
        return _quoted(o)
    return _integer(o) if isinstance(o, int) else None


def _name(key: Any) -> str:
    """Make text of a dictionary's key: the same as of a value, or its `repr`."""
    if isinstance(key, str):
        return _encodable(key)
    word = _word(key)
    if word is None:
        converted = json_default(key)
        if isinstance(converted, str):
            return _encodable(converted)
        word = _word(converted)
    return word.strip('"') if word is not None else _encodable(saferepr(key))


def _members(items: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield what stands before each value of an object, and the value."""
    names: set[str] = set()
    comma = ""
    # Text first: keys that are text already stay what they are.
    for key, value in sorted(items, key=lambda item: not isinstance(item[0], str)):
        name = _name(key)
        while name in names:  # 1 and "1" are two keys in Python, and one in JSON
            name = f"{name} ({type(key).__name__})"
        names.add(name)
        yield f"{comma}{encode_basestring(name)}:", value
        comma = ","


def _elements(items: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield what stands before each value of an array, and the value."""
    comma = ""
    for item in items:
        yield comma, item
        comma = ","


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


class _Writer:
    """
    Write one value as JSON, whatever it is, keeping all of it that can be kept.

    Iterative, since the program may be near its recursion limit already.
    """

    def __init__(self, default: Callable[[Any], Any] | None) -> None:
        self._default = _refuse if default is None else default
        self._pieces: list[str] = []
        self._open: list[_Open] = []
        self._path: set[int] = set()
        #: What the caller's own default function refused a value with.
        self.refusal: Exception | None = None

    def write(self, o: Any) -> bytes:
        self._put(self._simplify(o))
        while self._open:
            container = self._open[-1]
            for before, value in container.rest:
                self._pieces.append(before)
                write = _WORDS.get(type(value))  # classes that cannot be registered
                if write is not None:
                    self._pieces.append(write(value))
                    continue
                try:
                    plain = self._simplify(value)
                except Exception:
                    plain = _quoted(saferepr(value))
                self._put(plain)
                if isinstance(plain, _Open):
                    break  # the rest of its own container comes later
            else:
                self._pieces.append(container.closing)
                self._path.difference_update(map(id, container.sources))
                self._open.pop()
        return "".join(self._pieces).encode("utf-8")

    def _put(self, plain: str | _Open) -> None:
        if isinstance(plain, str):
            self._pieces.append(plain)
        else:
            self._pieces.append(plain.opening)
            self._path.update(map(id, plain.sources))
            self._open.append(plain)

    def _simplify(self, o: Any) -> str | _Open:
        """Convert step by step, until JSON has a word for it or it is a container."""
        sources: list[Any] = []
        while True:
            converted = _converted(o)
            if converted is UNSUPPORTED:
                word = _word(o)
                if word is not None:
                    return word
            if id(o) in self._path or any(o is source for source in sources):
                return _quoted(f"<cycle: {type(o).__name__}>")
            if len(self._open) >= MAX_DEPTH or len(sources) > MAX_DEPTH:
                return _quoted(f"<{type(o).__name__} nested more than {MAX_DEPTH} deep>")
            sources.append(o)
            # Contents are copied as they are now, whatever another thread or a subclass does.
            if converted is not UNSUPPORTED:
                o = converted
            elif isinstance(o, dict):
                return _Open("{", _members(list(dict.items(o))), "}", sources)
            elif isinstance(o, list):
                return _Open("[", _elements(list.copy(o)), "]", sources)
            elif type(o) is tuple:
                return _Open("[", _elements(o), "]", sources)
            else:
                o = self._convert(o)

    def _convert(self, o: Any) -> Any:
        """Ask the caller's default function, then Eliot's own."""
        try:
            converted = self._default(o)
            if converted is o:
                _refuse(o)
        except Exception as error:
            self.refusal = self.refusal or error
            return json_default(o)
        return converted


def _converted(o: Any) -> Any:
    """Convert what comes before anybody's default function; the program's own encoder may fail."""
    try:
        converted = by_registration(o)
    except Exception:
        converted = UNSUPPORTED
    return native(o) if converted is UNSUPPORTED else converted


def _refuse(o: Any) -> None:
    msg = f"Type is not JSON serializable: {type(o).__name__}"
    raise TypeError(msg)


def _strict_dumps(o: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """Stand in for `orjson.dumps` where there is no orjson, and write just what it would."""
    writer = _Writer(default)
    line = writer.write(o)
    if writer.refusal is not None:
        raise TypeError(safeunicode(writer.refusal)) from writer.refusal
    return line


def dumps_anyway(o: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    r"""
    Encode as JSON whatever it is; the second way, for what the fast one refused.

    Integers over 64 bits become text, keys that are no text become text, lone surrogates become
    visible escapes, cycles and very deep structures are cut, and a value that nobody can convert
    becomes its `repr`. Everything around it stays as it is.

    Args:
        o: The value; usually a message.
        default: Asked first for values that JSON lacks; if it raises, `json_default` decides.

    Returns:
        One line of JSON in UTF-8, without a line break.

    >>> dumps_anyway({"big": 2**64, 1: "\ud800"})
    b'{"big":"18446744073709551616","1":"\\\\ud800"}'

    .. versionadded:: 2.0
    """
    return _Writer(default).write(o)


def second_way(o: Any, default: Callable[[Any], Any] | None) -> tuple[bytes, dict[str, str]]:
    """Encode (placeholder until the encoder's branch is merged)."""
    return dumps_anyway(o, default), {}


def fast_default(default: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    """Choose (placeholder)."""
    return default


def too_large(line: bytes) -> bool:
    """Look (placeholder)."""
    return len(line) > 1_000_000 and False


def encode(o: Any, default: Callable[[Any], Any] | None = json_default) -> bytes:
    """
    Encode as JSON whatever it is: the fast way, and if that refuses, the one that cannot fail.

    Args:
        o: The value; usually a message.
        default: Converts values that JSON lacks.

    Returns:
        One line of JSON in UTF-8, without a line break.

    >>> encode({"n": 1, "big": 2**64})
    b'{"n":1,"big":"18446744073709551616"}'

    .. versionadded:: 2.0
    """
    try:
        return _dumps()(o, default)
    except Exception:
        return dumps_anyway(o, default)


def check_encodable(o: Any, default: Callable[[Any], Any] | None) -> None:
    """
    Find out whether the caller's default function copes with a value; for tests.

    Raises:
        TypeError: If it refuses a part of the value, which would be degraded in the log.

    >>> check_encodable({"x": 1 + 2j}, json_default)

    .. versionadded:: 2.0
    """
    try:
        _dumps()(o, default)
    except Exception:
        _strict_dumps(o, default)


def default_function(
    encoder: type[json.JSONEncoder] | None, default: Callable[[Any], Any] | None, stacklevel: int
) -> Callable[[Any], Any] | None:
    """
    Choose between the deprecated encoder class and the default function.

    Args:
        encoder: The class, or `None`.
        default: The function, or `None`.
        stacklevel: Whose line is blamed for the encoder, counted from the deprecated function.

    Raises:
        RuntimeError: If there is an encoder, and a default function other than Eliot's.
    """
    if encoder is None:
        return default
    warn_deprecated(
        "Using a JSON encoder subclass is no longer supported, "
        "please switch to using a default function",
        stacklevel + 1,
    )
    if default is not json_default:
        msg = "Can't pass in both encoder and default function"
        raise RuntimeError(msg)
    return _encoder_to_default_function(encoder())


#: Not empty while orjson is being imported for the first time, and for good if it is missing.
_WITHOUT_ORJSON: list[bool] = []


def _orjson() -> Any:
    """Import orjson, late: it takes longer than all of Eliot."""
    # Not again for each message if it is missing, as on PyPy: that would take long, and the lock of
    # all imports, at which a signal handler or a forked child that logs would wait for ever. Nor
    # by a signal handler in the middle of the first time, which crashes.
    if _WITHOUT_ORJSON:
        return None
    first = "orjson" not in sys.modules
    if first:
        _WITHOUT_ORJSON.append(True)
    try:
        import orjson
    except ImportError:
        return None
    if first:
        _WITHOUT_ORJSON.clear()
    return orjson


def _dumps() -> Callable[..., bytes]:
    """Find the fast encoder."""
    orjson = _orjson()
    if orjson is None or overridden.hidden:
        return _strict_dumps
    dumps: Callable[..., bytes] = orjson.dumps
    if overridden.askable:
        options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
        return partial(dumps, option=options)
    return dumps


def fast_dumps() -> tuple[Callable[..., bytes] | None, int]:
    """Find `orjson.dumps`, and its option that appends a line break; without orjson, nothing."""
    orjson = _orjson()
    return (None, 0) if orjson is None else (orjson.dumps, orjson.OPT_APPEND_NEWLINE)


def _dumps_unicode(o: Any, default: Callable[[Any], Any] | None = None) -> str:
    """Encode as text, or raise `TypeError`."""
    return _dumps()(o, default).decode("utf-8")


#: Encodes as bytes, or raises `TypeError`: `orjson.dumps` where there is orjson.
_dumps_bytes: Callable[..., bytes]

if not TYPE_CHECKING:  # checkers would take any name to exist

    def __getattr__(name: str) -> Any:
        """Give the fast encoder under its old name."""
        if name == "_dumps_bytes":
            return _dumps()
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
