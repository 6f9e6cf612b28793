"""The background writer: a thread writes, and whoever logs does not wait for the disk."""

from __future__ import annotations

import atexit
import sys
import time
from contextvars import Context
from threading import Event, Thread
from types import TracebackType
from typing import Any, Optional, Set, Type, TypeVar

from eliot._backlog import Backlog
from eliot._fork import renew_in_child
from eliot._queues import batch_of
from eliot._safe import saferepr
from eliot._sink import _say
from eliot._typing import Destination, Message

__all__ = ["BackgroundWriter"]

#: For how long the end of the process is put off; in seconds.
EXIT_TIMEOUT = 30.0

POLICIES = ("wait", "drop-newest", "drop-oldest")

_W = TypeVar("_W", bound="BackgroundWriter")


class BackgroundWriter(Backlog):
    """
    Have a thread write to a destination, so that whoever logs does not wait for the disk.

    It is a destination itself. Messages wait in a queue, which has bounds; when it is full, the
    one who logs waits, or messages are dropped, as you choose. Those that are dropped are counted,
    and a message of type `eliot:lost` says how many, of which types, and when. In the thread of
    an event loop nobody waits: there "wait" is "drop-newest".

    Messages for a `FileDestination` are encoded at once, so that what is logged may be changed
    later, and many are written together. Another destination gets the dictionaries themselves, one
    at a time, in the writer's thread. If it raises an exception, an `eliot:destination_failure` is
    logged.

    What waits is written before the process ends: when the main program is done, or a signal
    handler raises `SystemExit`, and in the children of multiprocessing. A forked child has a queue
    and a thread of its own. What ends a process without asking Python, such as `SIGKILL` or
    `os._exit`, loses what waits; call `flush` before.

    Args:
        destination: For example a `FileDestination`.
        max_messages: How many messages may wait.
        max_bytes: How large they may be together, as lines of JSON; by default 64 MiB. A larger
            message is taken if it is alone.
        when_full: "wait", "drop-newest" or "drop-oldest".

    Attributes:
        dropped: How many messages were dropped.

    Raises:
        TypeError: If the destination cannot be called, or a bound is no integer.
        ValueError: If a bound is less than 1, or there is no such policy.

    >>> import io
    >>> from eliot import FileDestination, add_destinations, log_message, remove_destination
    >>> file = io.BytesIO()
    >>> with BackgroundWriter(FileDestination(file)) as writer:
    ...     add_destinations(writer)
    ...     log_message("hello")
    ...     remove_destination(writer)
    >>> file.getvalue().count(b"hello")
    1

    .. versionadded:: 2.0
    """

    def __init__(
        self,
        destination: Destination,
        *,
        max_messages: int = 100_000,
        max_bytes: int = 64 * 1024 * 1024,
        when_full: str = "wait",
    ) -> None:
        if not callable(destination):
            msg = (
                f"{saferepr(destination)} cannot be a destination, since it cannot be called; "
                "for a file give FileDestination(file), "
                "for a handler of standard logging eliot.stdlib.HandlerDestination(handler)"
            )
            raise TypeError(msg)
        _check_bound("max_messages", max_messages)
        _check_bound("max_bytes", max_bytes)
        if when_full not in POLICIES:
            msg = f"when_full is {saferepr(when_full)}; give one of {', '.join(POLICIES)}"
            raise ValueError(msg)
        super().__init__(destination, max_messages, max_bytes, when_full)
        self._thread: Optional[Thread] = None
        self._end_at: Optional[int] = None  # it is told to stop, when so many are done
        self._closed = False  # whoever logs writes himself
        self._ended = True  # no thread is at work
        renew_in_child(self)

    def _renew(self) -> None:
        self._reset()  # the parent writes what waits
        self._thread = None
        self._ended = True
        _RUNNING.discard(self)

    def _overflow(self, message: Message, entry: Any) -> None:
        if self._closed:
            self._write(batch_of(entry))
        else:
            super()._overflow(message, entry)

    def _attend(self) -> None:
        """Wake the thread, or start it; if there can be none, write here."""
        with self._lock:
            if self._thread is not None or self._start():
                self.rouse()
                return
        self._drain()

    def _drain(self) -> None:
        while self._write_some():
            pass

    def _start(self) -> bool:
        """Start the thread, and return whether there is one now."""
        if self._closed or _ENDED.is_set():
            return False
        thread = Thread(target=self.work, args=(self._is_over,), name="eliot-writer", daemon=True)
        _RUNNING.add(self)  # whatever interrupts this, what waits is written at the end
        try:
            # In no action: Python without a GIL has a thread inherit the context where it starts.
            Context().run(thread.start)
        except (RuntimeError, MemoryError):  # there are too many
            _RUNNING.discard(self)
            return False
        # Not before: a signal handler may come in between, and wait for a thread that is no more
        # than announced.
        self._thread = thread
        self._ended = False
        _end_with_multiprocessing()
        return True

    def _is_over(self) -> bool:
        with self._lock:
            if self._end_at is None or not self.has_done(self._end_at):
                return False
            self._close()
            self._idle = True
        self._drain()  # what came meanwhile
        with self._lock:
            self._ended = True
            _RUNNING.discard(self)
            self._progress.notify_all()
        return True

    def _close(self) -> None:
        """Have nobody rely on the thread any more."""
        self._thread = None
        self._closed = True
        self._max_messages = 0  # all go through _overflow
        self._set_limits(1)

    def stop(self, timeout: Optional[float] = None) -> bool:
        """
        End the thread, when all that was logged before is written.

        What is logged afterwards is written at once by whoever logs it. It stays a destination, if
        it was added to them.

        Args:
            timeout: For how many seconds to wait at most; by default as long as it takes.

        Returns:
            Whether all is written; if not, the thread goes on, and ends when it is.
        """
        with self._lock:
            if self._thread is not None:
                if self._end_at is None:
                    self._end_at = self.target()
                return self._wait_until(lambda: self._ended, timeout)
            self._close()
        self._drain()
        return self.flush(timeout)

    def __enter__(self: _W) -> _W:  # noqa: PYI019 - Self is too new
        return self

    def __exit__(
        self,
        exception_class: Optional[Type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stop()


#: The writers that have a thread, or are about to.
_RUNNING: Set[BackgroundWriter] = set()

#: Set at the end of the process, when threads may be stopped at any time. To ask whether the
#: main thread is alive would not do: before Python 3.13 that can break its last steps.
_ENDED = Event()


def _end_all() -> None:
    """Have all written that waits; runs at the end of the process."""
    _ENDED.set()
    deadline = time.monotonic() + EXIT_TIMEOUT
    for writer in tuple(_RUNNING):
        if not writer.stop(max(0, deadline - time.monotonic())):
            lost = writer.waiting + writer._losses.count
            destination = saferepr(writer._destination)
            _say(f"{lost} messages could not be written to {destination} before the end")


atexit.register(_end_all)


def _end_with_multiprocessing() -> None:
    """Have `_end_all` called in a child of multiprocessing, which ends without atexit."""
    util: Any = sys.modules.get("multiprocessing.util")
    process: Any = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, _end_all, exitpriority=-100)  # after all others, which may log


def _check_bound(name: str, bound: object) -> None:
    if not isinstance(bound, int):
        msg = f"{name} is {saferepr(bound)}; give an integer"
        raise TypeError(msg)
    if bound < 1:
        msg = f"{name} is {bound}; give at least 1"
        raise ValueError(msg)
