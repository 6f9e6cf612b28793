"""What JSON makes of a Python value: one step of conversion for each type that JSON lacks."""

from __future__ import annotations

import os
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Mapping
from enum import EnumMeta
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Callable, Iterable, Type, TypeVar

from eliot._degraded import CUT_CHARACTERS, MAX_CHARACTERS, MAX_ELEMENTS, note
from eliot._fields import FAILED_CONVERSION, TOO_LARGE
from eliot._libraries import UNSUPPORTED, by_library, complex_parts
from eliot._safe import UNKNOWN, class_name, saferepr, safeunicode

__all__ = [
    "UNSUPPORTED",
    "Beginning",
    "before_default",
    "json_default",
    "native",
    "overridden",
    "register_json_encoder",
    "text_of",
]

_T = TypeVar("_T")

Converter = Callable[[Any], Any]

#: What programs have registered, by class.
_REGISTERED: dict[type, Converter] = {}


def text_of(o: str) -> str:
    """Take the text out of an instance of a subclass."""
    return str.__getitem__(o, slice(None))


#: Classes that orjson converts without asking, and that it can be told to ask for; and how to take
#: what an instance of a subclass holds, whatever methods that has.
_PASSED_ON: dict[Any, Converter] = {
    str: text_of,
    int: lambda o: int.__add__(o, 0),
    list: lambda o: list.__getitem__(o, slice(None)),
    dict: lambda o: dict(iter(dict.items(o))),  # PyPy would ask the instance, but for iter()
}


class Beginning(dict):  # type: ignore[type-arg] # there are no generic dictionaries in 3.8
    """The first members of a mapping that has more of them than a message may have."""

    __slots__ = ("total",)

    #: How many there were, as text.
    total: str


def bytes_text(o: Any) -> str:
    r"""Decode bytes as UTF-8; bytes that are not become visible `\xNN` escapes."""
    view = memoryview(o)
    if view.nbytes <= MAX_CHARACTERS:
        return view.tobytes().decode("utf-8", "backslashreplace")
    note(TOO_LARGE)
    start = view.cast("B")[:CUT_CHARACTERS] if view.c_contiguous else view.tobytes()
    # It leaves out the first bytes of a character that was cut in two.
    text = getincrementaldecoder("utf-8")("backslashreplace").decode(start[:CUT_CHARACTERS])
    return f"{text}... (cut, {view.nbytes} bytes in all)"


def _isoformat(o: Any) -> str:
    text = o.isoformat()
    if isinstance(text, str):
        return text
    raise TypeError


def _tuple(o: Any) -> Any:
    if not hasattr(o, "_asdict"):
        return list(tuple.__getitem__(o, slice(None)))
    members = o._asdict()
    if isinstance(members, Mapping):
        return members
    raise TypeError


def _mapping(o: Mapping[Any, Any]) -> dict[Any, Any]:
    """Make a dictionary of any mapping, though it may have no end."""
    members = {key: o[key] for key in islice(iter(o), MAX_ELEMENTS + 1)}
    if len(members) <= MAX_ELEMENTS:
        return members
    members = Beginning(members)
    try:
        members.total = f"{len(o)}"
    except Exception:  # endless, or it does not know
        members.total = f"more than {MAX_ELEMENTS}"
    return members


def _public(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if not name.startswith("_")}


def _attributes(o: Any, names: Iterable[str]) -> dict[str, Any]:
    """Collect those attributes that there are; one that cannot be had does not cost the others."""
    attributes: dict[str, Any] = {}
    for name in names:
        try:
            if hasattr(o, name):
                attributes[name] = getattr(o, name)
        except Exception:
            note(FAILED_CONVERSION)
            attributes[name] = UNKNOWN
    return _public(attributes)


def _dataclass(o: Any) -> dict[str, Any]:
    """Collect the attributes of an instance of a dataclass, as orjson does."""
    if hasattr(o, "__dict__") and "__slots__" not in vars(type(o)):
        return _public(vars(o))
    from dataclasses import fields

    return _attributes(o, [field.name for field in fields(o)])


# By name, so that nothing is imported for the sake of a value that never comes. What orjson
# converts by itself comes first.
_NATIVE: dict[str, Converter] = {
    "datetime.datetime": _isoformat,
    "datetime.date": _isoformat,
    "datetime.time": _isoformat,
    "uuid.UUID": str,
}

# Looked up along the MRO: subclasses convert like their base.
_CONVERTERS: dict[str, Converter] = {
    **_NATIVE,
    "builtins.BaseException": lambda o: f"{class_name(type(o))}: {safeunicode(o)}",
    "builtins.bytearray": bytes_text,
    "builtins.bytes": bytes_text,
    "builtins.complex": complex_parts,
    "builtins.float": float.__pos__,
    # Not what the methods of a subclass say: they may fail, or have no end.
    "builtins.frozenset": lambda o: list(frozenset.__iter__(o)),
    "builtins.mappingproxy": _mapping,
    "builtins.memoryview": bytes_text,
    "builtins.set": lambda o: list(set.__iter__(o)),
    "builtins.tuple": _tuple,
    "builtins.type": class_name,
    "collections.deque": lambda o: list(deque.__iter__(o)),
    "datetime.timedelta": lambda o: o.total_seconds(),
    "decimal.Decimal": str,
    "enum.Enum": lambda o: o.value,
    "fractions.Fraction": str,
    "ipaddress._IPAddressBase": str,
}


def _by_name(o: object) -> Any:
    for cls in type(o).__mro__:
        convert = _CONVERTERS.get(f"{cls.__module__}.{cls.__name__}")
        if convert is not None:
            return convert(o)
    return UNSUPPORTED


def native(o: Any) -> Any:
    """
    Convert what orjson converts by itself, before it asks the default function.

    Returns:
        Enum members as their value, dates, times and UUIDs as text, dataclasses as a dictionary;
        `UNSUPPORTED` for anything else, such as an instance of a subclass of these.
    """
    cls = type(o)
    if type(cls) is EnumMeta:
        return o.value
    convert = _NATIVE.get(f"{cls.__module__}.{cls.__name__}")
    if convert is not None:
        return convert(o)
    if "__dataclass_fields__" in vars(cls) and not issubclass(cls, tuple(_PASSED_ON)):
        return _dataclass(o)
    return UNSUPPORTED


def _by_shape(o: Any) -> Any:  # noqa: PLR0911 - one for each shape
    cls = type(o)
    if hasattr(cls, "__fspath__"):
        return os.fspath(o)
    for base, contents in _PASSED_ON.items():
        if issubclass(cls, base) and cls is not base:  # orjson asks for subclasses if told to
            return contents(o)
    if isinstance(o, Mapping):
        return _mapping(o)
    if isinstance(o, (BuiltinFunctionType, FunctionType, MethodType)) and o.__module__:
        return f"{o.__module__}.{o.__qualname__}"
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass(o)
    if hasattr(cls, "__attrs_attrs__"):
        return _attributes(o, [attribute.name for attribute in cls.__attrs_attrs__])
    return UNSUPPORTED


def by_registration(o: Any) -> Any:
    """Convert what the program has registered an encoder for."""
    if _REGISTERED:
        for cls in type(o).__mro__:
            encoder = _REGISTERED.get(cls)
            if encoder is not None:
                return encoder(o)
    return UNSUPPORTED


def register_json_encoder(cls: Type[_T], encoder: Callable[[_T], Any]) -> None:
    """
    Register how the instances of a class, and of its subclasses, look in the log.

    Of an instance's classes the most derived one that is registered decides. Registering again
    replaces. It holds for all destinations, before and beside their own `json_default`, for which
    `eliot.json.json_default` is called last.

    Classes that would be converted without asking may be registered, too. That has a price for all
    messages: a little for dataclasses and subclasses of `str`, `int`, `list` and `dict`; for enums,
    dates, times and UUIDs orjson cannot be used at all, and encoding takes ten times as long.

    Args:
        cls: The class.
        encoder: Called with an instance; returns something that JSON has, or that can be converted.
            If it raises an exception, the instance is logged as if nothing was registered.

    Raises:
        TypeError: If it is no class, or one that JSON has, or the encoder cannot be called.

    >>> import eliot
    >>> class Money:
    ...     cents = 250
    >>> eliot.register_json_encoder(Money, lambda money: f"{money.cents / 100:.2f}")
    >>> from eliot.json import json_default
    >>> json_default(Money())
    '2.50'

    .. versionadded:: 2.0
    """
    if not isinstance(cls, type):
        msg = f"{saferepr(cls)} is no class; give the class whose instances are to be encoded"
        raise TypeError(msg)
    if cls in (object, str, int, float, bool, list, dict, tuple, type(None)):
        msg = f"{cls.__name__} cannot be registered: JSON has it; register a class of your own"
        raise TypeError(msg)
    if not callable(encoder):
        msg = f"{saferepr(encoder)} cannot be called; give a function that takes an instance"
        raise TypeError(msg)
    _REGISTERED[cls] = encoder
    names = {f"{base.__module__}.{base.__name__}" for base in cls.__mro__}
    if isinstance(cls, EnumMeta) or not names.isdisjoint(_NATIVE):
        overridden.some = overridden.hidden = True
    elif issubclass(cls, tuple(_PASSED_ON)) or hasattr(cls, "__dataclass_fields__"):
        overridden.some = overridden.askable = True


class _Overridden:
    """
    Which of the types that orjson converts by itself have a registered encoder.

    Attributes:
        some: Any of them.
        askable: Some that it can be told to ask for: dataclasses, and subclasses of what JSON has.
        hidden: Some that it cannot, so that it is of no use: enums, dates, times and UUIDs.
    """

    __slots__ = ("askable", "hidden", "some")

    def __init__(self) -> None:
        self.some = self.askable = self.hidden = False


overridden = _Overridden()


def before_default(o: Any) -> Any:
    """
    Convert what comes before anybody's default function; the program's own encoder may fail.

    Returns:
        `UNSUPPORTED` if nothing does.
    """
    try:
        converted = by_registration(o)
    except Exception:
        note(FAILED_CONVERSION)
        converted = UNSUPPORTED
    if converted is not UNSUPPORTED:
        return converted
    try:
        return native(o)
    except Exception:
        note(FAILED_CONVERSION)
        return saferepr(o)


def json_default(o: object) -> Any:
    """
    Convert one object that JSON cannot represent.

    This is the default function of all destinations; call it last from a function of your own.
    The result may hold values that need conversion in turn. An object of an unknown type gives
    its `repr`, or a fixed text if even that fails: nothing is raised. NumPy, pandas, polars and
    pydantic values are recognised if the program has imported these libraries.

    >>> json_default({1})
    [1]
    >>> json_default(1 + 2j)
    {'real': 1.0, 'imag': 2.0}
    """
    for convert in (by_registration, by_library, _by_name, _by_shape):
        try:
            result = convert(o)
        except Exception:  # another way may still work, and the last one always does
            note(FAILED_CONVERSION)
            continue
        if result is not UNSUPPORTED:
            return result
    return saferepr(o)
