"""Logging to files: one line of JSON for each message."""

from __future__ import annotations

import io
import json
import os
import traceback as _traceback  # noqa: F401 - now: there may be no descriptors left when it is needed
from typing import Any, Callable, Iterator, List, Optional, Tuple, Type, TypeVar

from pyrsistent import PClass, field

from eliot._jsonable import overridden
from eliot._later import is_cramped, need_room
from eliot._safe import saferepr
from eliot._sink import PathFile, Sink, sink_of
from eliot._typing import Destination, JSONDefault, LoggerLike, Message
from eliot.json import (
    SURELY_SMALL,
    _dumps,
    _dumps_bytes,
    _dumps_unicode,
    default_function,
    fast_default,
    fast_dumps,
    json_default,
    second_way,
    too_large,
)

__all__ = ["FileDestination"]

_F = TypeVar("_F", bound="FileDestination")

#: Delivers a message; the logger gets the reports of failures.
_Deliver = Callable[[Message, Optional[LoggerLike]], None]

#: Takes a message that could not be delivered, the logger, and which destination raised what.
_Failed = Callable[[Message, Optional[LoggerLike], List[Tuple[Destination, Exception]]], None]


class FileDestination(PClass):
    r"""
    Write each message to a file as one line of JSON, and flush it.

    Instances are values: two with the same file, kind of file and default function are equal, so a
    destination can be removed by an equal one. What JSON cannot represent is converted by
    `json_default`; if that raises an exception, the value degrades to text and the line is written
    all the same.

    Each line is appended by one system call, so threads and processes may share a file that is
    opened for appending. While a file cannot be written to, messages are counted; when it works
    again, a message of type `eliot:lost` says how many are missing, of which types, and when.

    Args:
        file: An object with a `write` method, for bytes or for text; or a path, to whose file is
            appended.
        encoder: Deprecated; a `json.JSONEncoder` class, of which only `default` is used.
        json_default: A function that converts a value that JSON lacks into one that it has.
        watch: Whether a file given by its path is opened anew when it has been moved or removed,
            for example by logrotate.
        fsync: Whether each message is on the disk before the logging call returns: a power cut
            loses nothing then. It takes milliseconds.

    Raises:
        TypeError: If it has no `write` method, or an option makes no sense with it.
        ValueError: If the file is closed.
        RuntimeError: If it is not open for writing.
        OSError: If a path cannot be opened.

    >>> import io
    >>> file = io.StringIO()
    >>> FileDestination(file=file)({"x": {1}, "nan": float("nan")})
    >>> file.getvalue()
    '{"x":[1],"nan":null}\n'
    """

    file: Any = field(mandatory=True)
    _json_default: Any = field(mandatory=True)
    _dumps: Any = field(mandatory=True)
    _linebreak: Any = field(mandatory=True)
    # Not mandatory: subclasses make instances by PClass.__new__ with the fields above.
    _ways: Any = field(initial=None)

    def __new__(
        cls: Type[_F],
        file: Any,
        encoder: Optional[Type[json.JSONEncoder]] = None,
        json_default: JSONDefault = json_default,
        *,
        watch: bool = False,
        fsync: bool = False,
    ) -> _F:
        default = default_function(encoder, json_default, stacklevel=2)
        if isinstance(file, (str, os.PathLike)):
            path: str = os.path.abspath(os.fspath(file))  # the program may change its directory
            file = PathFile(path, watch=watch)
        elif watch:
            msg = f"{saferepr(file)} cannot be watched, since it is no path"
            raise TypeError(msg)
        text = _takes_text(file)
        sink = sink_of(file, text=text, fsync=fsync)
        destination: _F = PClass.__new__(
            cls,
            file=file,
            _json_default=default,
            _dumps=_dumps_unicode if text else _dumps_bytes,
            _linebreak="\n" if text else b"\n",
            _ways=_Ways(default, sink),
        )
        return destination

    def __call__(self, message: Message) -> None:
        """
        Write a message.

        Raises:
            Exception: What the file raises; the fan-out reports it.
        """
        (self._ways or self._own_ways()).put(message)

    def _own_ways(self) -> _Ways:
        """Find the ways of an instance that was made from the four fields that all have."""
        text = isinstance(self._linebreak, str)
        ways = _Ways(self._json_default, sink_of(self.file, text=text))
        ways.encode = self._encode_as_told
        return ways

    def _encode_as_told(self, message: Message) -> bytes:
        try:
            line = self._dumps(message, fast_default(self._json_default))
        except Exception:
            line, _ = second_way(message, self._json_default)
        return b"".join(
            part.encode("utf-8") if isinstance(part, str) else part
            for part in (line, self._linebreak)
        )

    def _encode(self, message: Message) -> bytes:
        """Encode a message as one line, with its line break."""
        return (self._ways or self._own_ways()).encode(message)

    def _append(self, lines: bytes) -> None:
        """Write what `_encode` has returned, for several messages at a time."""
        self._append_to.append(lines)

    @property
    def _append_to(self) -> Sink:
        sink: Sink = (self._ways or self._own_ways()).sink
        return sink

    @property
    def _caller(self) -> Callable[[Message], None]:
        """What to call instead of this: something that costs less, and does the same."""
        if type(self).__call__ is FileDestination.__call__ and self._ways is not None:
            put: Callable[[Message], None] = self._ways.put
            return put
        return self

    def _deliverer(self, sent: Iterator[int], failed: _Failed) -> Optional[_Deliver]:
        """
        Make what delivers messages if this is the only destination.

        Args:
            sent: Counts the messages.
            failed: Takes those that could not be written.
        """
        if self._caller is self:
            return None
        ways: _Ways = self._ways
        return ways.deliverer(self, sent, failed)

    @property
    def failed(self) -> int:
        """How many messages it could not write after the logging call had returned."""
        return self._ways.sink.late if self._ways else 0

    @property
    def degraded(self) -> int:
        """How many messages were written with a part that could not be kept."""
        return self._ways.sink.degraded if self._ways else 0


class _Ways:
    """
    How a destination does what it does, with all that it needs at hand.

    It says nothing about what the destination is, so all of them are equal.

    Args:
        default: Converts values that JSON lacks.
        sink: Takes the lines.
    """

    def __init__(self, default: JSONDefault, sink: Sink) -> None:
        self.sink = sink
        self._default = default
        self._fast_default = fast_default(default)
        self._dumps, self._newline = fast_dumps()
        self.encode: Callable[[Message], bytes] = self._encode

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def _encode(self, message: Message) -> bytes:
        try:
            if overridden.some:
                line = _dumps()(message, self._fast_default) + b"\n"
            else:
                line = self._dumps(message, self._fast_default, self._newline)
        except Exception:  # noqa: S110 - the second way copes with everything
            pass
        else:
            if not too_large(line):
                return line
        line, marks = second_way(message, self._default)
        if marks:
            self.sink.degraded += 1
        return line + b"\n"

    def put(self, message: Message) -> None:
        """
        Encode and write a message.

        Raises:
            Exception: What the file raises.
        """
        line = self.encode(message)
        sink = self.sink
        if sink.exclusive or sink.outage is not None:
            sink.append(line)
            return
        # As `append` does it, without its lock: the file itself keeps lines apart.
        try:
            written = sink.write(line)
        except Exception as error:
            sink.fail(line, 0, error)
            raise
        if written != len(line):
            sink.resume(line, written)

    def deliverer(
        self, destination: FileDestination, sent: Iterator[int], failed: _Failed
    ) -> _Deliver:
        """Make what counts a message, puts it, and reports what goes wrong with that."""
        put = self.put

        def deliver(message: Message, logger: Optional[LoggerLike]) -> None:
            need_room()  # now, or it would come again later although it is written
            try:
                put(message)
            except Exception as error:
                _raise_if_cramped(error)
                next(sent)
                failed(message, logger, [(destination, error)])
            else:
                next(sent)

        return deliver if self.sink.exclusive else self._fast(deliver, destination, sent, failed)

    def _fast(
        self, deliver: _Deliver, destination: FileDestination, sent: Iterator[int], failed: _Failed
    ) -> _Deliver:
        """Do the same for most messages without any calls but those that do the work."""
        sink, dumps, default, newline = self.sink, self._dumps, self._fast_default, self._newline
        write = sink.write

        def deliver_fast(message: Message, logger: Optional[LoggerLike]) -> None:
            if sink.outage is not None or overridden.some:
                deliver(message, logger)
                return
            try:
                line = dumps(message, default, newline)
            except Exception:
                deliver(message, logger)
                return
            size = len(line)
            if size > SURELY_SMALL:
                deliver(message, logger)
                return
            try:
                written = write(line)
            except Exception as error:
                _raise_if_cramped(error)
                next(sent)
                sink.fail(line, 0, error)
                failed(message, logger, [(destination, error)])
                return
            next(sent)
            if written != size:
                try:
                    sink.resume(line, written)
                except Exception as error:
                    failed(message, logger, [(destination, error)])

        return deliver_fast


def _raise_if_cramped(error: Exception) -> None:
    """Raise an error again that comes from too little room: the message comes again, too."""
    if isinstance(error, RecursionError) and is_cramped():
        raise error


def _takes_text(file: Any) -> bool:
    """Find out whether a file takes text or bytes, or raise an exception if it takes neither."""
    if not callable(getattr(file, "write", None)):
        msg = f"{saferepr(file)} is not a file: it has no write method; give a path"
        raise TypeError(msg)
    if getattr(file, "closed", False) is True:
        msg = f"{saferepr(file)} is closed"
        raise ValueError(msg)
    writable = getattr(file, "writable", None)  # wrappers have it too, and are no io.IOBase
    if callable(writable) and not writable():
        msg = f"{saferepr(file)} is not writable; open it with mode 'ab' or 'wb'"
        raise RuntimeError(msg)
    if isinstance(file, io.TextIOBase):
        return True
    if isinstance(file, (io.RawIOBase, io.BufferedIOBase, PathFile)):
        return False
    try:
        file.write(b"")
    except TypeError:
        return True
    return False
