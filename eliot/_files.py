"""Logging to files: one line of JSON for each message."""

from __future__ import annotations

import io
import json
import re
from typing import Any, Optional, Type, TypeVar

from pyrsistent import PClass, field

from eliot._jsonable import overridden
from eliot._safe import saferepr
from eliot._typing import JSONDefault, Message
from eliot.json import (
    _dumps_bytes,
    _dumps_unicode,
    default_function,
    dumps_anyway,
    encode,
    json_default,
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

    Args:
        file: An object with a `write` method, for bytes or for text.
        encoder: Deprecated; a `json.JSONEncoder` class, of which only `default` is used.
        json_default: A function that converts a value that JSON lacks into one that it has.

    Raises:
        TypeError: If it has no `write` method.
        ValueError: If the file is closed.
        RuntimeError: If it is not open for writing.

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

    def __new__(
        cls: Type[_F],
        file: Any,
        encoder: Optional[Type[json.JSONEncoder]] = None,
        json_default: JSONDefault = json_default,
    ) -> _F:
        default = default_function(encoder, json_default, stacklevel=2)
        text = _takes_text(file)
        destination: _F = PClass.__new__(
            cls,
            file=file,
            _json_default=default,
            _dumps=_dumps_unicode if text else _dumps_bytes,
            _linebreak="\n" if text else b"\n",
        )
        return destination

    def __call__(self, message: Message) -> None:
        """
        Write a message.

        Raises:
            Exception: What the file raises; the fan-out reports it.
        """
        line = self._line(message)
        try:
            self.file.write(line)
        except UnicodeEncodeError:  # a text file whose encoding lacks a character
            self.file.write(_ascii(line))
        flush = getattr(self.file, "flush", None)
        if flush is not None:
            flush()

    def _line(self, message: Message) -> Any:
        """Encode a message, as text or bytes as the file wants it."""
        if overridden.askable or overridden.hidden:
            line = encode(message, self._json_default)
        else:
            try:
                return self._dumps(message, self._json_default) + self._linebreak
            except Exception:
                line = dumps_anyway(message, self._json_default)
        if isinstance(self._linebreak, str):
            return line.decode("utf-8") + self._linebreak
        return line + self._linebreak


def _takes_text(file: Any) -> bool:
    """Find out whether a file takes text or bytes, or raise an exception if it takes neither."""
    if not callable(getattr(file, "write", None)):
        msg = f"{saferepr(file)} is not a file: it has no write method; give open(path, 'ab')"
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
    if isinstance(file, (io.RawIOBase, io.BufferedIOBase)):
        return False
    try:
        file.write(b"")
    except TypeError:
        return True
    return False


def _ascii(line: str) -> str:
    """Escape what is not ASCII; that occurs only inside of strings."""
    return re.sub(r"[^\x00-\x7f]", lambda match: json.dumps(match.group())[1:-1], line)
