"""Messages that are made first and written later: the deprecated `Message` class."""

from __future__ import annotations

import time
from typing import Any, Optional

from eliot._action import Action, log_message, say
from eliot._context import current
from eliot._deprecation import warn_deprecated
from eliot._fields import (
    EXCEPTION_FIELD,
    MESSAGE_TYPE_FIELD,
    REASON_FIELD,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
)
from eliot._switches import prepare, switches
from eliot._tasklevel import TaskLevel
from eliot._typing import LoggerLike, Serializer
from eliot._typing import Message as Fields
from eliot._written import WrittenMessage

# The names from other rooms have always been importable from here too.
__all__ = [
    "EXCEPTION_FIELD",
    "MESSAGE_TYPE_FIELD",
    "REASON_FIELD",
    "TASK_LEVEL_FIELD",
    "TASK_UUID_FIELD",
    "TIMESTAMP_FIELD",
    "Message",
    "TaskLevel",
    "WrittenMessage",
    "log_message",
]


class Message:
    """
    A message that can be logged, even more than once.

    .. deprecated:: 1.11.0
        Use `eliot.log_message` or `eliot.Action.log`.

    Args:
        contents: The fields; they are copied.
        serializer: Checks and converts them, or `None`.

    >>> message = Message({"message_type": "hello"})
    >>> message.bind(name="world").write()
    """

    def __init__(self, contents: Fields, serializer: Optional[Serializer] = None) -> None:
        self._contents = contents.copy()
        self._serializer = serializer

    # Published suites look for it.
    _time = staticmethod(time.time)

    @classmethod
    def new(cls, _serializer: Optional[Serializer] = None, **fields: Any) -> Message:
        """
        Make a message.

        .. deprecated:: 1.11.0
            Use `eliot.log_message`.

        Args:
            _serializer: Checks and converts the fields, or `None`.
            fields: The fields.
        """
        warn_deprecated(
            "Message.new() is deprecated since 1.11.0, use eliot.log_message() instead."
        )
        return cls(fields, _serializer)

    @classmethod
    def log(cls, **fields: Any) -> None:
        """
        Make a message and log it.

        .. deprecated:: 1.11.0
            Use `eliot.log_message` or `eliot.Action.log`.

        Args:
            fields: The fields.
        """
        warn_deprecated(
            "Message.log() is deprecated since 1.11.0, "
            "use Action.log() or eliot.log_message() instead."
        )
        cls(fields).write()

    def bind(self, **fields: Any) -> Message:
        """
        Make a message with more fields; this one stays as it is.

        Args:
            fields: Added to those of this message.

        >>> Message({"message_type": "hello"}).bind(name="world").contents()
        {'message_type': 'hello', 'name': 'world'}
        """
        return Message({**self._contents, **fields}, self._serializer)

    def contents(self) -> Fields:
        """
        Return a copy of the fields.

        >>> Message({"message_type": "hello"}).contents()
        {'message_type': 'hello'}
        """
        return self._contents.copy()

    def write(self, logger: Optional[LoggerLike] = None, action: Optional[Action] = None) -> None:
        """
        Log the message; each time it is another one, with its own time and place.

        Args:
            logger: If not that of the current action, or the default logger outside of any.
            action: Where to log it, if not in the current action; its logger is used then.

        >>> Message({"message_type": "hello"}).write()
        """
        fields = self._contents.copy()
        message_type = fields.pop(MESSAGE_TYPE_FIELD, "")
        if switches.on and not prepare(message_type, fields):
            return
        if action is None:
            say(current(), message_type, fields, logger, self._serializer)
        else:
            place = getattr(action, "_logged", action)  # of a silenced one, the one around it
            say(place, message_type, fields, None, self._serializer)
