"""Messages on their way to a destination: a queue, its bounds, and what happens when it is full."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from contextvars import ContextVar
from threading import TIMEOUT_MAX, Condition, Lock, RLock, get_ident
from typing import Any, Callable, Dict, Iterator, List, Optional, Union

from eliot._depth import at_depth, within
from eliot._destinations import PROCESS
from eliot._fields import DESTINATION_FAILURE_TYPE, MESSAGE_TYPE_FIELD
from eliot._files import FileDestination
from eliot._jsonable import overridden
from eliot._loops import Signal, in_event_loop, signal_here
from eliot._losses import Losses
from eliot._queues import Batch, Lines, Measured, Messages, batch_of
from eliot._reports import destination_failure
from eliot._typing import Destination, Message
from eliot.json import SURELY_SMALL, encode, fast_default, fast_dumps

__all__ = ["WRITES", "Backlog", "is_report"]

#: True where messages are written, for bridges: what a library logs there would come back for ever.
WRITES: ContextVar[bool] = ContextVar("eliot.writes", default=False)

#: So much is written by one system call; in bytes.
CHUNK = 1_000_000

#: After work the thread looks for more by itself, so many times, with a pause before, in seconds:
#: to wake it costs the caller as much as writing a line.
ROUNDS = 10
PAUSE = 0.01

#: While the queue is full all the time, losses are told of now and then; in seconds.
TELL_EVERY = 10.0


class Backlog:
    """
    Take messages, and have them written by whoever calls `work`.

    What is written to a `FileDestination` is encoded at once, and many lines are written together.
    Other destinations get one message after the other, the same dictionaries.

    Args:
        destination: Where the messages go to.
        max_messages: How many may wait, those that are being written included.
        max_bytes: How large they may be, as lines.
        when_full: "wait", "drop-newest" or "drop-oldest".

    Attributes:
        dropped: How many messages were dropped so far, since the queue was full.
        failed: How many the destination could not take, for it raised an exception.
    """

    def __init__(
        self,
        destination: Destination,
        max_messages: int = sys.maxsize,
        max_bytes: int = sys.maxsize,
        when_full: str = "wait",
    ) -> None:
        self._destination = destination
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._when_full = when_full
        self._file: Optional[FileDestination] = None
        self._prepare: Callable[[Message], Union[bytes, Measured]] = self._measure
        # What is in flight cannot be dropped, so half of what fits stays in the queue.
        self._chunk_messages = 1
        self._chunk_bytes = min(CHUNK, max_bytes // 2)
        if (
            isinstance(destination, FileDestination)
            and type(destination).__call__ is FileDestination.__call__
            and destination._ways is not None
        ):
            self._file = destination
            self._prepare = destination._encode
            self._chunk_messages = max(1, max_messages // 2)
        self._queue: Union[Lines, Messages] = Messages() if self._file is None else Lines()
        self._reset()

    def _measure(self, message: Message) -> Measured:
        return Measured(message, 0 if self._max_bytes == sys.maxsize else len(encode(message)))

    def _reset(self) -> None:
        self._queue.clear()
        self._in_flight = 0
        self._bytes_in_flight = 0
        self._done = 0
        self._losses = Losses()
        self.dropped: int = 0
        self.failed: int = 0
        self._renew_locks()

    def _renew_locks(self) -> None:
        self._lock = RLock()  # re-entrant: a signal handler or a `__del__` may log
        self._progress = Condition(self._lock)
        self._signals: Dict[Signal, int] = {}
        # Set by the thread before it looks into the queue for the last time, so that either it sees
        # what somebody puts there, or that one sees that it has to be woken.
        self._idle = True
        self._wake = Lock()  # released to wake it
        self._wake.acquire()
        self._hurry = Lock()  # released to end its pause
        self._hurry.acquire()
        self._set_limits(1)
        self._worker: Optional[int] = None
        self._losing_since = time.monotonic()

    def __call__(self, message: Message) -> None:
        """
        Take a message; callable from any thread.

        Args:
            message: A message.
        """
        # Without the lock: threads that come at the same time may exceed the bounds by a message
        # each.
        entry: Any = self._prepare(message)
        if not self._queue.add(entry):
            self._overflow(message, entry)
        elif self._idle:
            self._attend()

    def _deliverer(self, sent: Iterator[int], failed: Any) -> Any:
        """
        Make what delivers messages if this is the only destination: all that `__call__` does.

        Args:
            sent: Counts the messages.
            failed: Takes those that could not be written, if that is done at once.
        """
        file, queue = self._file, self._queue
        dumps, newline = fast_dumps()
        if file is None or newline is None or not isinstance(queue, Lines):
            return None
        default = fast_default(file._json_default)
        buffer, extend = queue.buffer, queue.buffer.extend

        def plain(message: Message, logger: Any) -> None:
            next(sent)
            try:
                self(message)
            except Exception as error:
                failed(message, logger, [(self, error)])

        def deliver(message: Message, logger: Any) -> None:
            if overridden.some:
                plain(message, logger)
                return
            try:
                line = dumps(message, default, newline)
            except Exception:
                plain(message, logger)
                return
            size = len(line)
            # As `Lines.add` does it, without a call.
            if (
                size > SURELY_SMALL
                or len(buffer) + size > queue.most_bytes
                or not next(queue.room, None)
            ):
                plain(message, logger)
                return
            next(sent)
            extend(line)
            if self._idle:
                self._attend()

        return deliver

    def _overflow(self, message: Message, entry: Any) -> None:
        """Do what is to be done when the queue is full, or the thread must not pause any longer."""
        size = len(entry)
        with self._lock:
            self._hurry_up()
            # Asked no more often than needed: others, who do not wait for the lock, may take the
            # room that there was a moment ago.
            fits = self._fits(size)
            if self._when_full == "wait" and get_ident() != self._worker and not in_event_loop():
                while not fits:
                    self._attend()  # what fills it may have come a moment ago, in this very thread
                    if not self._fits(size):
                        self._progress.wait()
                    fits = self._fits(size)
            elif self._when_full == "drop-oldest":
                while len(self._queue) and not fits:
                    self._done += 1
                    self._drop(self._queue.drop())
                    fits = self._fits(size)
            if not fits:
                self._drop(message)
                return
            self._queue.put(entry)
        self._attend()

    def _fits(self, size: int) -> bool:
        if not self.waiting:  # even if it is larger than all that may wait
            return True
        return self.waiting < self._max_messages and self.waiting_bytes + size <= self._max_bytes

    def _set_limits(self, parts: int) -> None:
        """Say how much of what may wait is taken without a closer look: a half, or all."""
        with self._lock:
            self._queue.grant(
                self._max_messages // parts - self._in_flight,
                self._max_bytes // parts - self._bytes_in_flight,
            )

    def _drop(self, message: Any) -> None:
        before = self._losses.added
        if not before:
            self._losing_since = time.monotonic()
        self._losses.add(message)
        self.dropped += self._losses.added - before

    def _attend(self) -> None:
        """Have the queue attended to."""
        self.rouse()

    def rouse(self) -> None:
        """End the sleep of whoever works, or a pause."""
        if self._wake.locked():
            with suppress(RuntimeError):  # a signal handler was faster
                self._wake.release()
        self._hurry_up()

    def _hurry_up(self) -> None:
        self._set_limits(1)
        if self._hurry.locked():
            with suppress(RuntimeError):
                self._hurry.release()

    def work(self, is_over: Callable[[], bool]) -> None:
        """
        Write what comes.

        Args:
            is_over: Asked before each batch whether it is time to end.
        """
        self._worker = get_ident()
        token = WRITES.set(True)
        self._idle = False
        rounds = 0
        while not is_over():
            if self._write_some():
                rounds = ROUNDS
            if rounds:
                rounds -= 1
                self._pause()
            else:
                self._idle = True
                self._wake.acquire(blocking=not len(self._queue))
                self._idle = False
        WRITES.reset(token)
        self._worker = None

    def _pause(self) -> None:
        """Wait a little, unless there is much to do; nobody needs to wake the thread meanwhile."""
        with self._lock:
            queue = self._queue
            if len(queue) >= self._chunk_messages or queue.size >= self._chunk_bytes:
                return
            self._set_limits(2)  # at half of them somebody calls _hurry_up
        self._hurry.acquire(timeout=PAUSE)
        self._set_limits(1)

    def _write_some(self) -> bool:
        """Write what waits, or the first part of it; return whether there was any."""
        with self._lock:
            batch = self._queue.take(self._chunk_messages, self._chunk_bytes)
            self._in_flight += batch.messages
            self._bytes_in_flight += batch.size
            self._set_limits(1)
            report = self._take_report()
        try:
            parts = self._parts(batch, report)
            for part in parts:
                self._try(part)
        finally:
            self._finish(batch)
        return bool(parts)

    def _parts(self, batch: Batch, report: Optional[Message]) -> List[Batch]:
        """Return what is to be written at a time: a report of losses goes with what precedes it."""
        parts = [batch] if batch.messages else []
        if report is not None:
            last = batch_of(self._prepare(report))
            if parts and self._file is not None:
                return [batch._replace(content=batch.content + last.content)]
            parts.append(last)
        return parts

    def _take_report(self) -> Optional[Message]:
        """Take the report of losses, if there is room again, or they have lasted for long."""
        losses = self._losses
        if not losses.count:
            return None
        if self._queue and time.monotonic() < self._losing_since + TELL_EVERY:
            return None
        self._losses = Losses()
        return losses.report("too many messages were waiting to be written")

    def _try(self, batch: Batch) -> None:
        lost = self._lost_by_file()
        try:
            self._write(batch)
        except BaseException as failure:
            self.failed += (self._lost_by_file() - lost) or batch.messages
            with suppress(Exception):  # there is no memory, for example
                at_depth(batch.depth, self._failed, _last_message(batch), failure)
            # The thread has no caller who waits for an exception, and has to go on.
            if not isinstance(failure, Exception) and get_ident() != self._worker:
                raise
        else:
            self._worked()

    def _write(self, batch: Batch) -> None:
        if self._file is None:
            # As deep as the one who logged it: a destination that logs would feed itself for ever.
            at_depth(batch.depth, within, self._destination, batch.content)
        else:
            self._file._append(batch.content)

    def _lost_by_file(self) -> int:
        file = self._file
        return 0 if file is None else file._append_to.lost

    @property
    def degraded(self) -> int:
        """How many messages were written with a part that could not be kept."""
        degraded: int = getattr(self._destination, "degraded", 0)
        return degraded

    def _failed(self, message: Any, failure: BaseException) -> None:
        """Report a failure, as the fan-out does; if the report fails, that is the end of it."""
        if not is_report(message):
            PROCESS.send(destination_failure(message, failure))

    def _worked(self) -> None:
        """Note that the destination works."""

    def _finish(self, batch: Batch) -> None:
        """Note that messages are no longer in flight."""
        with self._lock:
            self._in_flight -= batch.messages
            self._bytes_in_flight -= batch.size
            self._done += batch.messages
            self._set_limits(1)
            self._progress.notify_all()
            for signal, target in tuple(self._signals.items()):
                if self.has_done(target):
                    del self._signals[signal]
                    signal.set()

    @property
    def waiting(self) -> int:
        """How many messages are not yet written."""
        with self._lock:  # or one that is just being taken would be nowhere
            return len(self._queue) + self._in_flight

    @property
    def waiting_bytes(self) -> int:
        """How large they are, as lines of JSON."""
        with self._lock:
            return self._queue.size + self._bytes_in_flight

    def target(self) -> int:
        """Return what `_done` will be when all that waits is written."""
        with self._lock:  # or something that is done between the two would be left out
            return self._done + self.waiting

    def has_done(self, target: int) -> bool:
        return self._done >= target or not self.waiting

    def _wait_until(self, condition: Callable[[], bool], timeout: Optional[float]) -> bool:
        """Wait, with the lock, which is released meanwhile, however often it is held."""
        if self.waiting:
            self._attend()  # the call that has logged it may be interrupted before it did so
        else:
            self.rouse()
        if get_ident() == self._worker:  # it would wait for itself
            return condition()
        return self._progress.wait_for(
            condition, None if timeout is None else min(timeout, TIMEOUT_MAX)
        )

    def flush(self, timeout: Optional[float] = None) -> bool:
        """
        Wait until all that was logged before is written.

        Args:
            timeout: For how many seconds at most; by default as long as it takes.

        Returns:
            Whether all is written.
        """
        with self._lock:
            target = self.target()
            return self._wait_until(lambda: self.has_done(target), timeout)

    async def aflush(self, timeout: Optional[float] = None) -> bool:
        """
        Do the same as `flush` in a task of asyncio, Trio or AnyIO; others go on meanwhile.

        Args:
            timeout: For how many seconds at most; by default as long as it takes.

        Returns:
            Whether all is written.

        Raises:
            RuntimeError: If it is called elsewhere.
        """
        signal = signal_here()
        with self._lock:
            target = self.target()
            if self.has_done(target):
                return True
            self._signals[signal] = target
            self.rouse()
        try:
            await signal.wait(timeout)
        finally:
            with self._lock:
                self._signals.pop(signal, None)
        return self.has_done(target)


def is_report(message: Any) -> bool:
    return isinstance(message, dict) and message.get(MESSAGE_TYPE_FIELD) == DESTINATION_FAILURE_TYPE


def _last_message(batch: Batch) -> Any:
    """Find the last message that is no report of a failure: the one that is lost for sure."""
    messages = batch.newest_first()
    last = next(messages)
    if is_report(last):
        return next((message for message in messages if not is_report(message)), last)
    return last
