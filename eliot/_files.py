"""Logging to files: one line of JSON for each message."""

from __future__ import annotations

import io
import json
import os
from typing import Any, Iterator, Optional, Type, TypeVar, Union

from pyrsistent import PClass, field

from eliot._jsonable import overridden
from eliot._later import is_cramped
from eliot._safe import saferepr
from eliot._sink import PathFile, Sink, sink_of
from eliot._typing import JSONDefault, Message
from eliot.json import (
    LARGE,
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
    _sink: Any = field(initial=None)

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
        destination: _F = PClass.__new__(
            cls,
            file=file,
            _json_default=default,
            _dumps=_dumps_unicode if text else _dumps_bytes,
            _linebreak="\n" if text else b"\n",
            _sink=sink_of(file, text=text, fsync=fsync),
        )
        return destination

    def __call__(self, message: Message) -> None:
        """
        Write a message.

        Raises:
            Exception: What the file raises; the fan-out reports it.
        """
        line = self._encode(message)
        sink = self._sink
        if sink is None:
            sink = self._find_sink()
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

    def _deliverer(self, sent: Iterator[int], plain: Any, failed: Any) -> Any:
        """
        Make what delivers messages if this is the only destination: all that follows, in one call.

        Args:
            sent: Counts the messages.
            plain: Delivers those that need more.
            failed: Takes those that could not be written.
        """
        sink = self._sink
        dumps, newline = fast_dumps()
        if (
            type(self).__call__ is not FileDestination.__call__
            or self._dumps not in (_dumps_bytes, _dumps_unicode)
            or sink is None
            or sink.exclusive
            or dumps is None
        ):
            return plain
        default = fast_default(self._json_default)
        write = sink.write

        def deliver(message: Message, logger: Any) -> None:
            if sink.outage is not None or overridden.askable or overridden.hidden:
                plain(message, logger)
                return
            try:
                line = dumps(message, default, newline)
            except Exception:
                plain(message, logger)
                return
            if len(line) > LARGE:
                plain(message, logger)
                return
            try:
                written = write(line)
            except Exception as error:
                sink.fail(line, 0, error)
                if isinstance(error, RecursionError) and is_cramped():
                    raise  # it comes again
                next(sent)
                failed(message, logger, [(self, error)])
                return
            next(sent)
            if written != len(line):
                try:
                    sink.resume(line, written)
                except Exception as error:
                    failed(message, logger, [(self, error)])

        return deliver

    @property
    def failed(self) -> int:
        """How many messages it could not write after the logging call had returned."""
        return (self._sink or self._find_sink()).late

    @property
    def degraded(self) -> int:
        """How many messages were written with a part that could not be kept."""
        return (self._sink or self._find_sink()).degraded

    def _find_sink(self) -> Sink:
        return sink_of(self.file, text=isinstance(self._linebreak, str))

    def _append(self, lines: bytes) -> None:
        """Write what `_encode` has returned, for several messages at a time."""
        (self._sink or self._find_sink()).append(lines)

    def _encode(self, message: Message) -> bytes:
        """Encode a message as one line, with its line break."""
        default = self._json_default
        if not (overridden.askable or overridden.hidden):
            try:
                dumped = self._dumps(message, fast_default(default))
            except Exception:  # noqa: S110 - the second way copes with everything
                pass
            else:
                line: bytes = dumped.encode("utf-8") if isinstance(dumped, str) else dumped
                if not too_large(line):
                    return line + self._end()
        line, marks = second_way(message, default)
        if marks:
            (self._sink or self._find_sink()).degraded += 1
        return line + self._end()

    def _end(self) -> bytes:
        linebreak: Union[str, bytes] = self._linebreak
        return linebreak.encode() if isinstance(linebreak, str) else linebreak


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
