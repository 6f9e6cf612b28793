"""
The JSON encoder: orjson at full speed, and a second way, for what orjson refuses, that cannot fail.

Everything that Eliot writes goes through here, so that a value looks the same in every log:
compact separators, UTF-8, `null` for NaN and the infinities, ISO 8601 for dates and times.
"""

from __future__ import annotations

import sys
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple

from eliot._anyway import MAX_DEPTH as MAX_DEPTH  # noqa: PLC0414 - exported
from eliot._anyway import Writer
from eliot._degraded import (
    MAX_CHARACTERS,
    MAX_ELEMENTS,
    pass_on_interruption,
    strictly,
)
from eliot._deprecation import warn_deprecated
from eliot._jsonable import json_default, overridden
from eliot._libraries import set_max_values as set_max_values  # noqa: PLC0414 - exported
from eliot._safe import saferepr, safeunicode

if TYPE_CHECKING:
    import json

    from eliot._json_encoder import EliotJSONEncoder

# As in published Eliot, to the letter; `encode` and `set_max_values` are public, too.
__all__ = ["EliotJSONEncoder", "json_default"]

#: Lines of up to so many bytes are within all limits.
SURELY_SMALL = 1_000_000


def _encoder_to_default_function(encoder: json.JSONEncoder) -> Callable[[Any], Any]:
    return encoder.default


def _strict_dumps(o: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """Stand in for `orjson.dumps` where there is no orjson: write what it would, or refuse it."""
    # The writer notices by itself what `strictly` looks for.
    strict = isinstance(default, MethodType) and default.__func__ is strictly
    writer = Writer(default.__self__ if strict else default)  # type: ignore[union-attr] # as above
    line, _ = writer.write(o)
    if writer.refusal is not None:
        raise TypeError(safeunicode(writer.refusal)) from writer.refusal
    if writer.notes:
        msg = "; ".join(text for texts in writer.notes.values() for text in texts)
        raise TypeError(msg)
    return line


def fast_default(default: Optional[Callable[[Any], Any]]) -> Optional[Callable[[Any], Any]]:
    """
    Make the default function for the fast encoder, which has to notice what `json_default` hides.

    It calls the function that it is made from, and raises an exception if an object could not say
    what it is, for a message that holds one goes the second way. Those that are made from the same
    function are equal.

    Args:
        default: A destination's default function, or `None`.

    Returns:
        The function to hand to orjson.

    >>> fast_default(json_default)({1})
    [1]

    .. versionadded:: 2.0
    """
    return None if default is None else MethodType(strictly, default)


def too_large(line: bytes) -> bool:
    """
    Tell whether a line may be over the limits of a message, so that the second way has to look.

    Args:
        line: What the fast way has made. Up to a million bytes of it cost nothing.

    >>> too_large(b'{"x":1}')
    False

    .. versionadded:: 2.0
    """
    return len(line) > SURELY_SMALL and (
        len(line) > MAX_CHARACTERS
        or line.count(b",") + line.count(b"[") + line.count(b"{") >= MAX_ELEMENTS
    )


def second_way(
    o: Any, default: Optional[Callable[[Any], Any]] = None
) -> Tuple[bytes, Dict[str, str]]:
    r"""
    Encode as JSON whatever it is, for what the fast way refused, and tell what was degraded.

    Integers over 64 bits become text, keys that are no text become text, lone surrogates become
    visible escapes; cycles, very deep structures and what is too large are cut, and a value that
    nobody can convert becomes its `repr`. Everything around it stays as it is. A dictionary, which
    is a message, gets a field `eliot:degraded` that says what was done to which field.

    Args:
        o: The value; usually a message.
        default: Asked first for values that JSON lacks; if it raises, `json_default` decides.

    Returns:
        One line of JSON in UTF-8, without a line break; and what that field says.

    >>> line, marks = second_way({"n": 2**64})
    >>> line
    b'{"n":"18446744073709551616","eliot:degraded":{"n":"integer over 64 bits written as text"}}'
    >>> marks
    {'n': 'integer over 64 bits written as text'}

    .. versionadded:: 2.0
    """
    pass_on_interruption()
    return Writer(default).write(o)


def dumps_anyway(o: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    r"""
    Encode as JSON whatever it is; the first part of what `second_way` returns.

    Args:
        o: The value; usually a message.
        default: Asked first for values that JSON lacks; if it raises, `json_default` decides.

    Returns:
        One line of JSON in UTF-8, without a line break.

    >>> dumps_anyway([2**64, "\ud800"])
    b'["18446744073709551616","\\\\ud800"]'

    .. versionadded:: 2.0
    """
    return second_way(o, default)[0]


def encode(o: Any, default: Callable[[Any], Any] | None = json_default) -> bytes:
    """
    Encode as JSON whatever it is: the fast way, and if that refuses, the one that cannot fail.

    Args:
        o: The value; usually a message.
        default: Converts values that JSON lacks.

    Returns:
        One line of JSON in UTF-8, without a line break.

    >>> encode({"n": 1, "s": {2}})
    b'{"n":1,"s":[2]}'

    .. versionadded:: 2.0
    """
    try:
        line = _dumps()(o, fast_default(default))
    except Exception:
        return dumps_anyway(o, default)
    if len(line) > SURELY_SMALL and too_large(line):
        return dumps_anyway(o, default)
    return line


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
        writer = Writer(default)
        writer.write(o)
        if writer.refusal is not None:
            raise TypeError(safeunicode(writer.refusal)) from writer.refusal


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
        TypeError: If the encoder cannot be called.
        RuntimeError: If there is an encoder, and a default function other than Eliot's.
    """
    if encoder is None:
        return default
    if not callable(encoder):
        msg = (
            f"{saferepr(encoder)} is no class of JSON encoders; to convert values give a function "
            "as json_default=...; a mode is not needed, since a path is opened for appending"
        )
        raise TypeError(msg)
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


def fast_dumps() -> Tuple[Callable[..., bytes], Optional[int]]:
    """Return what encodes a value as a line, and what to give it after the default function."""
    orjson = _orjson()
    return (_line, None) if orjson is None else (orjson.dumps, orjson.OPT_APPEND_NEWLINE)


def _line(o: Any, default: Callable[[Any], Any] | None, _: None) -> bytes:
    return _strict_dumps(o, default) + b"\n"


def _dumps_unicode(o: Any, default: Callable[[Any], Any] | None = None) -> str:
    """Encode as text, or raise `TypeError`."""
    return _dumps()(o, default).decode("utf-8")


#: Encodes as bytes, or raises `TypeError`: `orjson.dumps` where there is orjson.
_dumps_bytes: Callable[..., bytes]

if not TYPE_CHECKING:  # checkers would take any name to exist

    def __getattr__(name: str) -> Any:
        """Give the fast encoder under its old name, and open late what few programs need."""
        if name == "_dumps_bytes":
            return _dumps()
        if name == "EliotJSONEncoder":  # the standard library's takes long to import
            from eliot._json_encoder import EliotJSONEncoder

            return EliotJSONEncoder
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
