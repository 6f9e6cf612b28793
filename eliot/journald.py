"""The bridge to journald: each message becomes a journal entry with fields to search by."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from pathlib import Path
from typing import Any, Optional

try:
    from cffi import FFI
except ModuleNotFoundError as _error:
    _text = "eliot.journald needs cffi; install it with: pip install 'eliot[journald]'"
    raise ModuleNotFoundError(_text, name="cffi") from _error

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    DESTINATION_FAILURE_TYPE,
    FAILED_STATUS,
    MESSAGE_TYPE_FIELD,
    SERIALIZATION_FAILURE_TYPE,
    STDLIB_TYPE,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TRACEBACK_TYPE,
)
from eliot._safe import safeunicode
from eliot._tasklevel import TaskLevel
from eliot._typing import JSONDefault, Message
from eliot.json import encode, json_default

__all__ = ["JournaldDestination", "sd_journal_send"]

_SOCKET = Path("/run/systemd/journal/socket")

_ffi = FFI()
# The declaration of sd_journal_sendv(3), with iovec as in readv(2).
_ffi.cdef(
    """
    struct iovec { void *iov_base; size_t iov_len; };
    int sd_journal_sendv(const struct iovec *iov, int n);
    """
)


def _load() -> Any:
    failures = []
    for name in ("libsystemd.so.0", "libsystemd-journal.so.0"):
        try:
            return _ffi.dlopen(name)
        except OSError as error:
            failures.append(str(error))
    msg = f"Failed to load journald: {'; '.join(failures)}; it comes with systemd"
    raise ImportError(msg)


_libsystemd = _load()


def sd_journal_send(**fields: bytes) -> None:
    """
    Send one entry to the journal.

    The function below the destination; see sd_journal_send(3).

    Args:
        fields: The values by the names of the entry's fields, which are ASCII, in upper case.
            Values may be of any size and hold any bytes.

    Raises:
        OSError: If the journal does not take the entry: `FileNotFoundError` where there is no
            journal, `ConnectionRefusedError` where nobody reads it, EINVAL for a bad name.

    >>> sd_journal_send(MESSAGE=b"hello", PRIORITY=b"6")  # doctest: +SKIP
    """
    buffers = [
        _ffi.from_buffer(name.encode("ascii") + b"=" + bytes(value))
        for name, value in fields.items()
    ]
    vector = _ffi.new("struct iovec[]", len(buffers))
    for entry, buffer in zip(vector, buffers):
        entry.iov_base = buffer
        entry.iov_len = len(buffer)
    result = _libsystemd.sd_journal_sendv(vector, len(buffers))
    if result == 0 and not _SOCKET.exists():  # which libsystemd takes for success
        result = -errno.ENOENT
    if result != 0:
        raise OSError(-result, f"{os.strerror(-result)}: the journal's socket is {_SOCKET}")


#: Priorities of syslog(3) by the level names of standard logging.
_PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}

_BROKEN = (DESTINATION_FAILURE_TYPE, SERIALIZATION_FAILURE_TYPE)


def _priority(message: Message) -> int:
    if message.get(ACTION_TYPE_FIELD) is not None:
        return 3 if message.get(ACTION_STATUS_FIELD) == FAILED_STATUS else 6
    message_type = message.get(MESSAGE_TYPE_FIELD)
    if message_type == TRACEBACK_TYPE:
        return 2
    if message_type in _BROKEN:
        return 3
    if message_type == STDLIB_TYPE:
        return _PRIORITIES.get(message.get("log_level", ""), 6)
    return 6


def _program() -> str:
    """Name the running program, as syslog does."""
    return Path(next(iter(getattr(sys, "argv", ())), "") or sys.executable).name


class JournaldDestination:
    """
    Write each message to the journal.

    An entry has these fields: `MESSAGE`, the message as JSON, in the form in which files get it;
    `ELIOT_TASK`, its task; `ELIOT_LEVEL`, its place there; `ELIOT_TYPE`, the type of action or
    message; `ELIOT_STATUS`, if it is about an action; `PRIORITY`, 2 for tracebacks, 3 for failed
    actions and failures of Eliot itself, that of its level for a record of standard logging, else
    6; and `SYSLOG_IDENTIFIER`.

    Args:
        identifier: What `journalctl --identifier` finds; by default the name of the program.
        json_default: A function that converts a value that JSON lacks into one that it has.

    Warns:
        RuntimeWarning: If there is no journal on this machine. Entries would fail then, each with
            an `eliot:destination_failure` for the other destinations.

    >>> import eliot
    >>> eliot.add_destinations(JournaldDestination())  # doctest: +SKIP
    """

    def __init__(
        self, identifier: Optional[str] = None, json_default: JSONDefault = json_default
    ) -> None:
        self._identifier = _encoded(_program() if identifier is None else identifier)
        self._json_default = json_default
        if not _SOCKET.exists():
            warnings.warn(
                f"there is no journal on this machine: {_SOCKET} is missing; "
                "is systemd-journald running, and its socket mounted into this container?",
                RuntimeWarning,
                stacklevel=2,
            )

    def __call__(self, message: Message) -> None:
        """
        Send a message.

        Args:
            message: The message.

        Raises:
            OSError: If the journal does not take it.
        """
        fields = {
            "MESSAGE": encode(message, self._json_default),
            "ELIOT_TASK": _encoded(message.get(TASK_UUID_FIELD, "")),
            "ELIOT_LEVEL": _encoded(TaskLevel(message.get(TASK_LEVEL_FIELD, ())).to_string()),
            "ELIOT_TYPE": _encoded(_type_of(message)),
            "PRIORITY": b"%d" % _priority(message),
            "SYSLOG_IDENTIFIER": self._identifier,
        }
        if ACTION_STATUS_FIELD in message:
            fields["ELIOT_STATUS"] = _encoded(message[ACTION_STATUS_FIELD])
        sd_journal_send(**fields)


def _type_of(message: Message) -> object:
    action_type: object = message.get(ACTION_TYPE_FIELD)
    return message.get(MESSAGE_TYPE_FIELD, "") if action_type is None else action_type


def _encoded(value: object) -> bytes:
    return safeunicode(value).encode("utf-8", "backslashreplace")
