"""Declared types of messages and actions: what they are called, and how one logs with them."""

from __future__ import annotations

from typing import Any, List, Optional

from eliot._action import Action, log_message, start_action, start_task
from eliot._deprecation import warn_deprecated
from eliot._fields import MESSAGE_TYPE_FIELD, SERIALIZER_KEY
from eliot._message import Message
from eliot._schema import (
    EXCEPTION,
    REASON,
    RESERVED_FIELDS,
    TRACEBACK,
    Field,
    ValidationError,
    action_serializers,
    fields,
    message_serializer,
)
from eliot._schema import ActionSerializers as _ActionSerializers
from eliot._schema import MessageSerializer as _MessageSerializer
from eliot._typing import LoggerLike

# The names from other rooms have always been importable from here too.
__all__ = [
    "EXCEPTION",
    "REASON",
    "RESERVED_FIELDS",
    "TRACEBACK",
    "ActionType",
    "Field",
    "MessageType",
    "ValidationError",
    "_ActionSerializers",
    "_MessageSerializer",
    "fields",
]


class MessageType:
    """
    A declared type of message.

    The fields are converted when a message is logged, and validated only in tests.

    Args:
        message_type: The name of the type.
        fields: A list of `Field` objects, for example made by `eliot.fields`.
        description: For the reader of the program.

    Raises:
        TypeError: If the fields are no list, or one of them is no `Field`.
        ValueError: If the name of a field is reserved or comes twice.

    >>> from eliot import fields
    >>> CACHE_MISS = MessageType("yourapp:cache:miss", fields(key=str), "Had to ask the database.")
    >>> CACHE_MISS.log(key="a")
    """

    def __init__(self, message_type: str, fields: List[Field], description: str = "") -> None:
        self.message_type = message_type
        self.description = description
        self._serializer = message_serializer(message_type, fields)

    def log(self, **fields: Any) -> None:
        """
        Log a message of this type in the current action.

        Args:
            fields: The declared fields, unconverted.

        >>> MessageType("hello", []).log()
        """
        fields[SERIALIZER_KEY] = self._serializer
        log_message(self.message_type, **fields)

    def __call__(self, **fields: Any) -> Message:
        """
        Make a message of this type.

        .. deprecated:: 1.11.0
            Use `log`.

        Args:
            fields: The declared fields, unconverted.
        """
        warn_deprecated(
            "MessageType.__call__() is deprecated since 1.11.0, use MessageType.log() instead."
        )
        return Message({**fields, MESSAGE_TYPE_FIELD: self.message_type}, self._serializer)


class ActionType:
    """
    A declared type of action.

    The fields are converted when a message is logged, and validated only in tests.

    Args:
        action_type: The name of the type.
        startFields: A list of the `Field` objects of the start message.
        successFields: A list of the `Field` objects of what `Action.add_success_fields` adds.
        description: For the reader of the program.

    Raises:
        TypeError: If the fields are no list, or one of them is no `Field`.
        ValueError: If the name of a field is reserved or comes twice.

    >>> from eliot import fields
    >>> DOWNLOAD = ActionType("yourapp:download", fields(url=str), fields(size=int), "Gets a page.")
    >>> with DOWNLOAD(url="http://example.com") as action:
    ...     action.add_success_fields(size=1024)
    """

    # Published suites replace these on instances.
    _start_action = staticmethod(start_action)
    _startTask = staticmethod(start_task)

    def __init__(
        self,
        action_type: str,
        startFields: List[Field],
        successFields: List[Field],
        description: str = "",
    ) -> None:
        self.action_type = action_type
        self.description = description
        self._serializers = action_serializers(action_type, startFields, successFields)

    def __call__(self, logger: Optional[LoggerLike] = None, **fields: Any) -> Action:
        """
        Start an action of this type in the current one.

        Args:
            logger: Takes its messages; `None` is the default logger.
            fields: The declared start fields, unconverted.
        """
        return self._start_action(logger, self.action_type, self._serializers, **fields)

    def as_task(self, logger: Optional[LoggerLike] = None, **fields: Any) -> Action:
        """
        Start an action of this type as the root of a new task.

        Args:
            logger: Takes its messages; `None` is the default logger.
            fields: The declared start fields, unconverted.

        >>> with ActionType("yourapp:request", [], []).as_task():
        ...     pass
        """
        return self._startTask(logger, self.action_type, self._serializers, **fields)

    asTask = as_task
