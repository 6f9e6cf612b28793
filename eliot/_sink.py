"""Where lines go: they are appended whole; what cannot be written is counted, and told later."""

from __future__ import annotations

import atexit
import codecs
import errno
import io
import json
import os
import re
import select
import stat
import sys
from collections import deque
from contextlib import suppress
from threading import RLock, local
from typing import Any, Callable, Deque, Optional, Set, Tuple, Union
from weakref import WeakValueDictionary

from eliot._depth import TooDeepError
from eliot._fork import at_fork, renew_in_child
from eliot._later import is_cramped, need_room
from eliot._losses import Losses
from eliot._safe import class_name, saferepr, safeunicode
from eliot.json import encode

__all__ = ["PathFile", "Sink", "sink_of"]

#: The descriptors of stdin, stdout and stderr are 0 to 2.
_LAST_STREAM = 2

#: How long a file that does not block, and takes nothing, is waited for; in seconds.
PATIENCE = 1.0

#: So many lines that came in the middle of another one are written right after it, and so many
#: others can wait for the next one.
MAX_CATCH_UP = 100
MAX_WAITING = 1000


class Outage:
    """The time from a failed write to the next one that works."""

    __slots__ = ("losses", "reason")

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.losses = Losses()


class Sink:
    """
    Append lines to a file, and heal it.

    Lines are whole: what the file has taken of one before it failed is cut off again, or ended by
    a line break, before anything else is written. While the file fails, messages are counted; the
    first failure is also told on stderr. When it works again, the next line is an `eliot:lost`
    message.

    Args:
        file: The file.
        write: Writes bytes to it, and returns how many it took.
        raw: The file without buffers, if its descriptor is written to.
        guarded: Whether writing takes locks of the file's own, which no child must be forked in.

    Attributes:
        file: The file.
        write: For whoever writes one line himself, and then calls `fail` or `resume` if need be.
        exclusive: Whether only `append` may be used, for the file may take a part of a line, and
            the next one must not come in between: pipes, terminals, objects of the program.
        outage: If the file fails at the moment; then, too, only `append` may be used.
        lost: How many messages it could not take so far.
        late: How many of these after the logging call had returned.
        degraded: How many messages it took of which a part could not be kept.
    """

    def __init__(
        self,
        file: Any,
        write: Callable[[bytes], Optional[int]],
        raw: Union[io.FileIO, PathFile, None] = None,
        *,
        guarded: bool = False,
    ) -> None:
        self.file = file
        self.write = write
        self.guarded = guarded
        self.exclusive = guarded or not _is_regular(raw)
        self.outage: Optional[Outage] = None
        self.lost = 0
        self.late = 0
        self.degraded = 0
        self._raw = raw
        self._torn = False  # whether the file ends in the middle of a line
        self._lock = RLock()
        self._busy = False
        self._waiting: Deque[bytes] = deque()
        self._losing: Deque[Tuple[bytes, BaseException]] = deque()
        renew_in_child(self)

    def _renew(self) -> None:
        self._lock = RLock()
        self._busy = False
        # What is the parent's to write, and its losses, it tells of itself.
        self._waiting.clear()
        self._losing.clear()
        if self.outage is not None:
            self.outage = Outage(self.outage.reason)

    def append(self, lines: bytes) -> None:
        """
        Append one or more lines.

        If this thread is in the middle of that already, since a signal handler logs or the file
        itself does, they are appended right after.

        Args:
            lines: Each ends in a line break.

        Raises:
            Exception: What the file raises; the lines that are lost are counted then.
        """
        with self._lock:
            if self._busy:
                if len(self._waiting) >= MAX_WAITING:
                    msg = f"{self.name} logs whenever it is written"
                    raise TooDeepError(msg)
                self._waiting.append(lines)
                return
            self._busy = True
            try:
                self._put(lines)
            finally:
                try:
                    self._count_losing()
                finally:  # also if a signal handler raises KeyboardInterrupt
                    self._busy = False
                self._catch_up()

    def _catch_up(self) -> None:
        """Append what has come meanwhile, but not for ever: a file may log when it is written."""
        for _ in range(MAX_CATCH_UP):
            if not self._waiting and not self._losing:
                return
            before = self.lost
            self._busy = True
            try:
                self._count_losing()
                if self._waiting:
                    self._put(self._waiting.popleft())
            except Exception:
                self._count_losing()
                self.late += self.lost - before
            finally:
                self._busy = False

    def _put(self, lines: bytes) -> None:
        outage = self.outage
        if outage is None:
            done, error = self._attempt(lines, 0)
            if error is not None:
                self.fail(lines, done, error)
                raise error
            return
        head = b"\n" if self._torn else b""
        if outage.losses.count:
            head += encode(outage.losses.report(outage.reason)) + b"\n"
        done, error = self._attempt(head + lines, 0)
        if done >= len(head):
            outage.losses = Losses()  # the others are told of
        if error is not None:
            if _comes_again(error):
                raise error
            whole = self._end(head + lines, done)
            self._count(outage, lines[max(0, whole - len(head)) :])
            raise error
        self._torn = False
        self.outage = None
        _FAILING.discard(self)

    def settle(self) -> None:
        """Write what can be written before the process ends, and tell of the rest on stderr."""
        with suppress(Exception):
            self.append(b"")
        if self.outage is not None and self.outage.losses.count:
            count = self.outage.losses.count
            _say(f"{count} messages could not be written to {self.name} before the end")

    def resume(self, lines: bytes, done: Optional[int]) -> None:
        """
        Go on with lines of which the file has taken some bytes.

        Args:
            lines: Each ends in a line break.
            done: What `write` returned.

        Raises:
            Exception: As `append`.
        """
        done, error = self._attempt(lines, done or 0)
        if error is not None:
            self.fail(lines, done, error)
            raise error

    def fail(self, lines: bytes, done: int, error: BaseException) -> None:
        """
        Count what is lost of lines that the file could not take, after taking some bytes.

        Args:
            lines: Each ends in a line break.
            done: How many bytes of them are in the file.
            error: Why the others are not.
        """
        if _comes_again(error):
            return
        with self._lock:
            self._losing.append((lines[self._end(lines, done) :], error))
            if not self._busy:
                self._busy = True
                try:
                    self._count_losing()
                finally:
                    self._busy = False
                self._catch_up()

    def _count_losing(self) -> None:
        """Count what is lost, one after the other, whatever a signal handler logs meanwhile."""
        while self._losing:
            lines, error = self._losing.popleft()
            if self.outage is not None:
                self._count(self.outage, lines)
                continue
            reason = f"{class_name(type(error))}: {safeunicode(error)}"
            self.outage = Outage(reason)
            _FAILING.add(self)
            self._count(self.outage, lines)
            _say(f"cannot write to {self.name}, messages are lost: {reason}")

    def _attempt(self, lines: bytes, done: int) -> Tuple[int, Optional[BaseException]]:
        """Write the rest of lines; return how many bytes are written, and what went wrong."""
        try:
            while done < len(lines):
                written = self.write(lines[done:] if done else lines)
                done += self._wait() if written is None else written
        except BaseException as error:  # KeyboardInterrupt, too, leaves a file that needs healing
            return done, error
        return done, None

    def _wait(self) -> int:
        """Wait until a file that does not block takes something; it has taken nothing yet."""
        # Not once more for each message: nobody reads.
        patience = PATIENCE if self.outage is None else 0
        if self._raw is None or not _is_writable(self._raw.fileno(), patience):
            raise BlockingIOError(errno.EAGAIN, "it takes nothing, and does not block")
        return 0

    def _end(self, lines: bytes, done: int) -> int:
        """Deal with the start of a line at the end of the file; return the size of whole lines."""
        whole = lines.rfind(b"\n", 0, done) + 1
        if done:
            self._torn = whole < done and not self._cut(lines[whole:done])
        return whole

    def _cut(self, start: bytes) -> bool:
        """Cut off the start of a line, if it is still the end of the file."""
        if self._raw is None:
            return False
        try:
            descriptor = self._raw.fileno()
            size = os.fstat(descriptor).st_size - len(start)
            with open(f"/proc/self/fd/{descriptor}", "rb") as reader:  # only Linux has that
                reader.seek(size)
                if reader.read() != start:  # somebody else has written meanwhile
                    return False
            os.ftruncate(descriptor, size)
            os.lseek(descriptor, 0, os.SEEK_END)
        except (OSError, ValueError):  # no regular file, or closed
            return False
        return True

    def _count(self, outage: Outage, lines: bytes) -> None:
        before = outage.losses.added
        outage.losses.add_lines(lines)
        self.lost += outage.losses.added - before

    @property
    def name(self) -> str:
        """What to call the file in a report."""
        return saferepr(getattr(self.file, "name", self.file))


#: The sinks that have an outage.
_FAILING: Set[Sink] = set()


def _say(text: str) -> None:
    with suppress(Exception):  # there is nobody left to tell
        sys.stderr.write(f"eliot: {text}\n")
        sys.stderr.flush()


def _settle_all() -> None:
    for sink in {*_SINKS.values(), *_FAILING}:
        sink.settle()


atexit.register(_settle_all)


def _comes_again(error: BaseException) -> bool:
    """Tell whether a line could not be written for want of room on the stack; see `_later`."""
    return isinstance(error, RecursionError) and is_cramped()


class _Held(local):
    """The locks that a thread holds while it forks."""

    locks: Tuple[Any, ...] = ()


_held = _Held()


def _hold_files() -> None:
    """Have no other thread write to files with locks of their own, but not wait for ever."""
    locks = [sink._lock for sink in list(_SINKS.values()) if sink.guarded]
    _held.locks = tuple(lock for lock in locks if lock.acquire(timeout=PATIENCE))


def _release_files() -> None:
    for lock in _held.locks:
        lock.release()
    _held.locks = ()


at_fork(before=_hold_files, after_in_parent=_release_files)  # the child makes new locks


def _is_regular(file: Union[io.FileIO, PathFile, None]) -> bool:
    """Tell whether the file is one on a disk: it takes each line as a whole, or it is full."""
    try:
        return file is not None and stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:  # its descriptor is closed
        return False


def _is_writable(descriptor: int, patience: float) -> bool:
    """Wait until a descriptor takes something, or for some seconds."""
    poll = select.poll()  # select() does not know all descriptors
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(patience * 1000))


class _OwnFile(io.FileIO):
    """A file that only a destination has, so that nobody can be told to close it."""

    def __del__(self) -> None:
        self.close()


class PathFile:
    """
    The file at a path, for appending.

    Args:
        path: The path; the file is made if there is none.
        watch: Whether it is opened anew when it has been moved or removed, as logrotate does.

    Raises:
        OSError: If it cannot be opened.
    """

    def __init__(self, path: str, *, watch: bool) -> None:
        self.name = path
        self.watch = watch
        self._lock = RLock()
        self._open()
        renew_in_child(self)

    def _renew(self) -> None:
        self._lock = RLock()

    def _open(self) -> None:
        self.raw = _OwnFile(self.name, "ab")
        status = os.fstat(self.raw.fileno())
        self._identity = status.st_dev, status.st_ino

    def write(self, data: bytes) -> Optional[int]:
        """Write bytes to the file that the path names now, and return how many it took."""
        with self._lock:
            if self.watch and self._has_gone():
                old = self.raw
                self._open()
                old.close()
            return self.raw.write(data)

    def _has_gone(self) -> bool:
        try:
            status = os.stat(self.name)
        except FileNotFoundError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def fileno(self) -> int:
        """Return the descriptor, which is another one after the file was opened anew."""
        return self.raw.fileno()

    def close(self) -> None:
        """Close the file."""
        self.raw.close()


#: The sinks that are in use, by the id of their file: each file has one.
_SINKS: WeakValueDictionary[int, Sink] = WeakValueDictionary()


def sink_of(file: Any, *, text: bool, fsync: bool = False) -> Sink:
    """
    Return the sink of a file: for the same file the same one.

    Args:
        file: An object with a `write` method, and perhaps `flush`.
        text: Whether it takes text.
        fsync: Whether the disk is waited for after each write.

    Raises:
        TypeError: If the disk is to be waited for, and the file has none.
    """
    sink = _SINKS.get(id(file))
    if sink is None or fsync:
        sink = _SINKS[id(file)] = _new_sink(file, text=text, fsync=fsync)
    return sink


def _new_sink(file: Any, *, text: bool, fsync: bool) -> Sink:
    raw = _raw(file)
    write: Callable[[bytes], Optional[int]]
    guarded = True
    if raw is None:
        write = _object_writer(file, text=text)
    elif raw.fileno() <= _LAST_STREAM and raw is not file:
        write = _stream_writer(file, raw)
    else:
        # The file has a buffer, and a lock, that a child may be forked in the middle of. So the
        # descriptor is written to, one call for each line, which is faster, too.
        write = raw.write
        guarded = False
    if fsync:
        if raw is None or not _is_regular(raw):
            msg = f"{saferepr(file)} cannot be synchronized with a disk; give a path"
            raise TypeError(msg)
        write = _syncing_writer(write, raw)
    return Sink(file, write, raw, guarded=guarded)


def _raw(file: Any) -> Union[io.FileIO, PathFile, None]:
    """Find the file below the buffers, if all of them are known, and what is in them is written."""
    raw = file
    if type(raw) is io.TextIOWrapper:
        # Others than UTF-8, and Windows' line breaks, are the wrapper's business.
        if codecs.lookup(raw.encoding).name != "utf-8" or os.linesep != "\n":
            return None
        raw = raw.buffer
    if type(raw) is io.BufferedWriter:
        raw = raw.raw
    if isinstance(raw, PathFile):
        return raw if raw.watch else raw.raw
    if type(raw) is not io.FileIO:
        return None
    file.flush()
    return raw


def _object_writer(file: Any, *, text: bool) -> Callable[[bytes], int]:
    def write(data: bytes) -> int:
        need_room(10)  # a file that has taken the line, and cannot flush it, would get it twice
        if text:
            line = data.decode("utf-8")
            try:
                file.write(line)
            except UnicodeEncodeError:  # a text file whose encoding lacks a character
                file.write(_ascii(line))
        else:
            file.write(data)
        flush = getattr(file, "flush", None)
        if flush is not None:
            flush()
        return len(data)

    return write


def _stream_writer(file: Any, raw: Any) -> Callable[[bytes], Optional[int]]:
    def write(data: bytes) -> Optional[int]:
        with suppress(RuntimeError):  # a signal handler logs in the middle of that
            file.flush()  # what the program has printed comes first
        written: Optional[int] = raw.write(data)
        return written

    return write


def _syncing_writer(
    write: Callable[[bytes], Optional[int]], raw: Union[io.FileIO, PathFile]
) -> Callable[[bytes], Optional[int]]:
    def write_and_wait(data: bytes) -> Optional[int]:
        written = write(data)
        if written == len(data):  # or the rest comes, or fails, first
            os.fsync(raw.fileno())
        return written

    return write_and_wait


def _ascii(line: str) -> str:
    """Escape what is not ASCII; that occurs only inside of strings."""
    return re.sub(r"[^\x00-\x7f]", lambda match: json.dumps(match.group())[1:-1], line)
