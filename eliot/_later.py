"""What cannot be logged now, near the recursion limit or without memory, is logged a bit later."""

from __future__ import annotations

import atexit
import sys
from collections import deque
from contextlib import suppress
from typing import Any, Callable, Deque, Tuple

__all__ = ["CRAMPED", "LATER", "do_now", "is_cramped"]

#: What says that there is no room for another call.
CRAMPED = (RecursionError, MemoryError)

#: Functions to be called, and their arguments; whoever has room calls `do_now`.
LATER: Deque[Tuple[Callable[..., object], Tuple[Any, ...]]] = deque()

#: Fewer frames left than this is near the recursion limit.
ROOM = 50

_busy = False


def is_cramped() -> bool:
    """Tell whether the recursion limit is near."""
    depth = 0
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        depth += 1
    return depth + ROOM > sys.getrecursionlimit()


def do_now() -> None:
    """Call what waits in `LATER`, in order; what still has no room goes on waiting."""
    global _busy  # noqa: PLW0603 - what is called logs, and comes here again
    if _busy:
        return
    _busy = True
    try:
        for _ in range(len(LATER)):
            with suppress(Exception):  # another thread was faster, or it fails for other reasons
                f, args = LATER.popleft()
                try:
                    f(*args)
                except CRAMPED:
                    LATER.appendleft((f, args))
                    return
    finally:
        _busy = False


atexit.register(do_now)
