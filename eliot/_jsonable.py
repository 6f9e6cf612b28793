"""What JSON makes of a Python value: one step of conversion for each type that JSON lacks."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import EnumMeta
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Callable

from eliot._safe import class_name, saferepr, safeunicode

__all__ = ["UNSUPPORTED", "json_default", "native"]

Converter = Callable[[Any], Any]

#: Arrays with more elements than this are logged by their beginning.
MAX_ARRAY_SIZE = 10_000


class _Unsupported:
    """The type of `UNSUPPORTED`."""

    def __repr__(self) -> str:
        return "UNSUPPORTED"


#: What a converter answers for a value that is none of its business.
UNSUPPORTED = _Unsupported()


def bytes_text(o: Any) -> str:
    r"""Decode bytes as UTF-8; bytes that are not become visible `\xNN` escapes."""
    return bytes(o).decode("utf-8", "backslashreplace")


def _complex(o: complex) -> dict[str, float]:
    return {"real": float(o.real), "imag": float(o.imag)}


def _isoformat(o: Any) -> Any:
    return o.isoformat()


def _public(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if not name.startswith("_")}


def _dataclass(o: Any) -> dict[str, Any]:
    """Collect the attributes of an instance of a dataclass, as orjson does."""
    if hasattr(o, "__dict__") and "__slots__" not in vars(type(o)):
        return _public(vars(o))
    from dataclasses import fields

    names = [field.name for field in fields(o)]
    return _public({name: getattr(o, name) for name in names if hasattr(o, name)})


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
    "builtins.complex": _complex,
    "builtins.float": float,
    "builtins.frozenset": list,
    "builtins.mappingproxy": dict,
    "builtins.memoryview": bytes_text,
    "builtins.set": list,
    "builtins.tuple": lambda o: o._asdict() if hasattr(o, "_asdict") else list(o),
    "builtins.type": class_name,
    "collections.deque": list,
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
    if "__dataclass_fields__" in vars(cls) and not isinstance(o, (str, int, list, dict)):
        return _dataclass(o)
    return UNSUPPORTED


def _numpy(o: Any, numpy: Any) -> Any:
    if isinstance(o, numpy.ndarray):
        if o.dtype.kind in "mM":
            o = o.astype(str)
        if o.size > MAX_ARRAY_SIZE:
            start = o.flat[:MAX_ARRAY_SIZE].tolist()
            return {"array_start": start, "original_shape": list(o.shape)}
        return o.tolist()
    if isinstance(o, (numpy.datetime64, numpy.timedelta64)):
        return str(o)
    if isinstance(o, numpy.complexfloating):
        return _complex(complex(o))
    if isinstance(o, numpy.floating):
        return float(o)  # item() of a long double is no Python float
    return o.item() if isinstance(o, (numpy.integer, numpy.bool_)) else UNSUPPORTED


def _pandas(o: Any, pandas: Any) -> Any:
    if o is pandas.NaT:
        return "NaT"
    if isinstance(o, pandas.Timestamp):
        return o.isoformat()
    if isinstance(o, pandas.Series):
        return o.to_list()
    if isinstance(o, pandas.DataFrame):
        return o.to_dict(orient="records")
    if isinstance(o, pandas.Interval):
        return {"left": o.left, "right": o.right, "closed": o.closed}
    return str(o) if isinstance(o, pandas.Period) else UNSUPPORTED


def _polars(o: Any, polars: Any) -> Any:
    if isinstance(o, polars.Series):
        return o.to_list()
    return o.to_dicts() if isinstance(o, polars.DataFrame) else UNSUPPORTED


def _pydantic(o: Any, pydantic: Any) -> Any:
    if not isinstance(o, pydantic.BaseModel):
        return UNSUPPORTED
    return o.model_dump() if hasattr(o, "model_dump") else o.dict()


# Consulted only when the application has imported the package: logging never does.
_LIBRARIES: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("numpy", _numpy),
    ("pandas", _pandas),
    ("polars", _polars),
    ("pydantic", _pydantic),
)


def _by_library(o: object) -> Any:
    for name, convert in _LIBRARIES:
        module = sys.modules.get(name)
        if module is not None:
            result = convert(o, module)
            if result is not UNSUPPORTED:
                return result
    return UNSUPPORTED


def _by_shape(o: Any) -> Any:
    cls = type(o)
    if hasattr(cls, "__fspath__"):
        return os.fspath(o)
    if isinstance(o, Mapping):
        return dict(o)
    if isinstance(o, (BuiltinFunctionType, FunctionType, MethodType)) and o.__module__:
        return f"{o.__module__}.{o.__qualname__}"
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass(o)
    if hasattr(cls, "__attrs_attrs__"):
        names = [attribute.name for attribute in cls.__attrs_attrs__]
        return _public({name: getattr(o, name) for name in names})
    return UNSUPPORTED


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
    for convert in (_by_library, _by_name, _by_shape):
        try:
            result = convert(o)
        except Exception:  # noqa: S112 - another way may still work, and the last one always does
            continue
        if result is not UNSUPPORTED:
            return result
    return saferepr(o)
