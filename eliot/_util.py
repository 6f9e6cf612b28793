"""The old address of `eliot._safe`, and a helper that programs have come to import from here."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from eliot._safe import saferepr, safeunicode

__all__ = ["load_module", "saferepr", "safeunicode"]


def load_module(name: str, original_module: ModuleType) -> ModuleType:
    """
    Load a second, independent copy of a module; `sys.modules` is left alone.

    Args:
        name: What the copy is called.
        original_module: A module that was loaded from its source or byte code.

    Raises:
        ImportError: If there is no way to load it again.

    >>> import string
    >>> load_module("another", string) is string
    False
    """
    spec = original_module.__spec__
    loader: Any = None if spec is None else spec.loader
    if spec is None or loader is None:
        msg = f"{original_module!r} was not loaded by the import system; it cannot be copied"
        raise ImportError(msg)
    from importlib.util import module_from_spec  # late: hardly anybody needs it

    copy = module_from_spec(spec)
    loader.exec_module(copy)
    copy.__name__ = name
    return copy
