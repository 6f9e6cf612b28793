"""Event loops, of whatever framework: is one running in this thread, and how to be called by it."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, Optional, Protocol

__all__ = ["Signal", "in_event_loop", "signal_here"]


class Signal(Protocol):
    """An event that a task of a loop waits for, and another thread sets."""

    def set(self) -> None:
        """Set it; callable from any thread, also when the loop is gone."""

    async def wait(self, timeout: Optional[float]) -> None:
        """Wait until it is set, or some seconds have passed."""


class _AsyncioSignal:
    def __init__(self, asyncio: Any) -> None:
        self._asyncio = asyncio
        self._loop = asyncio.get_running_loop()
        self._future = self._loop.create_future()

    def set(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._future.set_result, None)

    async def wait(self, timeout: Optional[float]) -> None:
        await self._asyncio.wait([self._future], timeout=timeout)


class _TrioSignal:
    def __init__(self, trio: Any) -> None:
        trio.lowlevel.current_task()  # raises RuntimeError outside of any
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._event = trio.Event()

    def set(self) -> None:
        with suppress(self._trio.RunFinishedError):
            self._token.run_sync_soon(self._event.set)

    async def wait(self, timeout: Optional[float]) -> None:
        with self._trio.move_on_after(float("inf") if timeout is None else timeout):
            await self._event.wait()


def signal_here() -> Signal:
    """
    Make a signal for the task that is running.

    Raises:
        RuntimeError: If there is none, of asyncio or Trio.
    """
    # Nothing is imported: a framework that is running is loaded. Trio first, for it can be a guest
    # of asyncio.
    for name, kind in ("trio", _TrioSignal), ("asyncio", _AsyncioSignal):
        with suppress(KeyError, AttributeError, RuntimeError):
            signal: Signal = kind(sys.modules[name])
            return signal
    msg = "aflush() is for tasks of asyncio, Trio and AnyIO; elsewhere call flush() in a thread"
    raise RuntimeError(msg)


def in_event_loop() -> bool:
    """Find out whether this thread must not wait, since it runs asyncio, Trio or Twisted."""
    with suppress(KeyError, AttributeError, RuntimeError):
        sys.modules["asyncio"].get_running_loop()
        return True
    with suppress(KeyError, AttributeError, RuntimeError):
        sys.modules["trio"].lowlevel.current_trio_token()
        return True
    with suppress(KeyError, AttributeError):
        reactor: Any = sys.modules["twisted.internet.reactor"]
        in_its_thread: bool = sys.modules["twisted.python.threadable"].isInIOThread()
        return in_its_thread and reactor.running
    return False
