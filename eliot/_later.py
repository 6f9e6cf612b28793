"""What cannot be logged now, near the recursion limit or without memory, is logged a bit later."""

from __future__ import annotations

import atexit
import sys
from collections import deque
from typing import Any, Callable, Deque, Tuple

from eliot._fork import in_child

__all__ = ["CRAMPED", "LATER", "do_now", "is_cramped", "is_short", "need_room"]

#: What says that there is no room for another call.
CRAMPED = (RecursionError, MemoryError)

#: Functions to be called, and their arguments; whoever has room calls `do_now`.
LATER: Deque[Tuple[Callable[..., object], Tuple[Any, ...]]] = deque()

#: Fewer frames left than this is near the recursion limit.
ROOM = 50

#: Where there are so many bytes, there is memory for any message.
PLENTY = 2**26

_busy = False


def is_cramped(room: int = ROOM) -> bool:
    """
    Tell whether the recursion limit is near.

    Args:
        room: So many frames are wanted.
    """
    depth = 0
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        depth += 1
    return depth + room > sys.getrecursionlimit()


def is_short(error: BaseException) -> bool:
    """Tell whether it is for want of room that something failed; else it would fail for ever."""
    if isinstance(error, RecursionError):
        return is_cramped(sys.getrecursionlimit() // 2)
    try:
        bytearray(PLENTY)
    except MemoryError:
        return True
    return False


def need_room(calls: int = 3) -> None:
    """
    Raise `RecursionError` now if there is no room for some calls inside of each other.

    Args:
        calls: How many; a built-in function comes on top of them.
    """
    if calls > 1:
        need_room(calls - 1)
    else:
        max(0, calls)


def do_now() -> bool:
    """Call what waits in `LATER`, in order; `False` says that some of it still has no room."""
    global _busy  # noqa: PLW0603 - what is called logs, and comes here again
    if _busy:
        return True
    _busy = True
    try:
        for _ in range(len(LATER)):
            try:
                f, args = LATER.popleft()
            except IndexError:  # another thread was faster
                break
            try:
                f(*args)
            except CRAMPED as error:
                try:
                    waits = is_short(error)
                except CRAMPED:
                    waits = True
                if waits:
                    LATER.appendleft((f, args))
                    break
                # It is a logger that always does so: nothing may wait for that.
            except Exception:  # noqa: S110 - a logger that raises, of somebody who has gone on
                pass
    finally:
        _busy = False
    return not LATER


def _renew() -> None:
    """Leave what waits to the parent of this process, which has it, too."""
    global _busy  # noqa: PLW0603 - another thread of the parent may have been at it
    _busy = False
    LATER.clear()


in_child(_renew)
atexit.register(do_now)
