"""What JSON makes of values of NumPy, pandas, polars and pydantic, without importing them."""

from __future__ import annotations

import sys
from typing import Any, Callable

__all__ = ["UNSUPPORTED", "by_library", "complex_parts", "set_max_values"]


class _Unsupported:
    """The type of `UNSUPPORTED`."""

    def __repr__(self) -> str:
        return "UNSUPPORTED"


#: What a converter answers for a value that is none of its business.
UNSUPPORTED = _Unsupported()

_max_values = 10_000


def set_max_values(number: int) -> None:
    """
    Set how many values of an array, a series or a frame are logged; of larger ones it is the first.

    A larger array gives an object with `array_start`, its first values, `original_shape` and
    `dtype`; a larger series or frame one with `series_start` or `frame_start` instead, whole rows.

    Args:
        number: That many values; at first it is 10,000.

    Raises:
        TypeError: If the number is no integer.
        ValueError: If the number is negative.

    >>> set_max_values(10_000)

    .. versionadded:: 2.0
    """
    global _max_values  # noqa: PLW0603 - one limit for the process, as for destinations
    if not isinstance(number, int):
        msg = f"the number of values to log is an integer, and {number!r} is none"
        raise TypeError(msg)
    if number < 0:
        msg = f"the number of values to log cannot be negative, as {number!r} is"
        raise ValueError(msg)
    _max_values = number


def complex_parts(o: complex) -> dict[str, float]:
    """Take a complex number apart."""
    return {"real": float(o.real), "imag": float(o.imag)}


def _numpy(o: Any, numpy: Any) -> Any:
    if isinstance(o, numpy.ndarray):
        return _array(o)
    if isinstance(o, (numpy.datetime64, numpy.timedelta64)):
        return str(o)
    if isinstance(o, numpy.complexfloating):
        return complex_parts(o)
    if isinstance(o, numpy.floating):
        return float(o)  # item() of a long double is no Python float
    if isinstance(o, numpy.void) and o.dtype.names:
        return {name: o[name] for name in o.dtype.names}
    return o.item() if isinstance(o, (numpy.integer, numpy.bool_)) else UNSUPPORTED


def _array(o: Any) -> Any:
    dtype = str(o.dtype)
    large = o.size > _max_values
    values = o.reshape(-1)[:_max_values] if large else o
    if o.dtype.kind in "mM":
        values = values.astype(str)
    # A list of scalars knows the names of their fields; tolist() would make plain tuples of them.
    start = list(values) if o.dtype.names and o.ndim == 1 else values.tolist()
    if large:
        return {"array_start": start, "original_shape": list(o.shape), "dtype": dtype}
    return start


def _pandas(o: Any, pandas: Any) -> Any:  # noqa: PLR0911 - one for each type
    if o is pandas.NaT:
        return "NaT"
    if o is getattr(pandas, "NA", UNSUPPORTED):
        return None
    if isinstance(o, pandas.Timestamp):
        return o.isoformat()
    if isinstance(o, pandas.DataFrame):
        return _frame(o, len(o), lambda rows: _records(o.head(rows)))
    if isinstance(o, (pandas.Series, pandas.Index, pandas.api.extensions.ExtensionArray)):
        return _series(o, lambda values: values.tolist())
    if isinstance(o, pandas.Interval):
        return {"left": o.left, "right": o.right, "closed": o.closed}
    return str(o) if isinstance(o, pandas.Period) else UNSUPPORTED


def _records(frame: Any) -> Any:
    """Make a dictionary of each row; columns of the same name get numbers."""
    if not frame.columns.is_unique:
        seen: dict[Any, int] = {}
        names = []
        for name in frame.columns:
            seen[name] = seen.get(name, 0) + 1
            names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
        frame = frame.set_axis(names, axis=1)
    return frame.to_dict(orient="records")


def _polars(o: Any, polars: Any) -> Any:
    if isinstance(o, polars.Series):
        return _series(o, lambda values: values.to_list())
    if isinstance(o, polars.DataFrame):
        return _frame(o, o.height, lambda rows: o.head(rows).to_dicts())
    return UNSUPPORTED  # a LazyFrame is never collected: it shows its plan


def _series(o: Any, to_list: Callable[[Any], Any]) -> Any:
    if len(o) <= _max_values:
        return to_list(o)
    return {
        "series_start": to_list(o[:_max_values]),
        "original_shape": [len(o)],
        "dtype": str(o.dtype),
    }


def _frame(o: Any, rows: int, head: Callable[[int], Any]) -> Any:
    columns = len(o.columns)
    if rows * columns <= _max_values:
        return head(rows)
    return {
        "frame_start": head(_max_values // columns),
        "original_shape": [rows, columns],
        "dtypes": {str(name): str(dtype) for name, dtype in zip(o.columns, o.dtypes)},
    }


def _pydantic(o: Any, pydantic: Any) -> Any:
    if not isinstance(o, pydantic.BaseModel):
        return UNSUPPORTED
    return o.model_dump() if hasattr(o, "model_dump") else o.dict()


# Consulted only when the application has imported the package: logging never does. The names are
# those that the function looks up in it.
_LIBRARIES: tuple[tuple[str, Callable[[Any, Any], Any], str], ...] = (
    ("numpy", _numpy, "ndarray datetime64 timedelta64 complexfloating floating void integer bool_"),
    ("pandas", _pandas, "NaT Timestamp DataFrame Series Index api Interval Period"),
    ("polars", _polars, "Series DataFrame"),
    ("pydantic", _pydantic, "BaseModel"),
    ("pydantic.v1", _pydantic, "BaseModel"),
)


def by_library(o: object) -> Any:
    """Convert a value of one of the libraries, as far as the application has imported them."""
    for name, convert, needed in _LIBRARIES:
        module = sys.modules.get(name)
        if module is not None:
            try:
                result = convert(o, module)
            except Exception:
                if all(hasattr(module, name) for name in needed.split()):
                    raise
                continue  # another thread is importing it right now, or it is something else
            if result is not UNSUPPORTED:
                return result
    return UNSUPPORTED
