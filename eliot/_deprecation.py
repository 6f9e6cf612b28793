"""How deprecated names say so: one helper, so that the blamed line is always the caller's."""

from __future__ import annotations

import warnings

__all__ = ["warn_deprecated"]


def warn_deprecated(text: str, stacklevel: int = 2) -> None:
    """
    Issue a `DeprecationWarning`.

    Args:
        text: What is deprecated, since when, and what replaces it.
        stacklevel: Whose line is blamed, counted from the deprecated function: 2 is its caller.
    """
    warnings.warn(text, DeprecationWarning, stacklevel=stacklevel + 1)
