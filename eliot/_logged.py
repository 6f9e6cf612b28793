"""What was logged, as values that tests look at: messages, and actions with all that is in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Sequence, Tuple, Union

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    FAILED_STATUS,
    MESSAGE_TYPE_FIELD,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
)
from eliot._typing import Message
from eliot._validation import ActionType, MessageType

__all__ = ["COMPLETED_STATUSES", "LoggedAction", "LoggedMessage", "issuperset", "name_of"]

COMPLETED_STATUSES = (FAILED_STATUS, SUCCEEDED_STATUS)


def name_of(named: Union[str, MessageType, ActionType]) -> str:
    """Return the name of a type, which may be given as such."""
    if isinstance(named, MessageType):
        return named.message_type
    return named.action_type if isinstance(named, ActionType) else named


def issuperset(a: Dict[Any, Any], b: Dict[Any, Any]) -> bool:
    """
    Find out whether all items of one dictionary are in another.

    >>> issuperset({"x": 1, "y": 2}, {"x": 1})
    True
    """
    return all(item in a.items() for item in b.items())


@dataclass(frozen=True)
class LoggedMessage:
    """
    A message that was logged.

    Attributes:
        message: Its fields.

    >>> LoggedMessage.of_type([{"message_type": "hello", "name": "world"}], "hello")
    [LoggedMessage(message={'message_type': 'hello', 'name': 'world'})]
    """

    message: Message

    @classmethod
    def of_type(
        cls, messages: Iterable[Message], messageType: Union[str, MessageType]
    ) -> List[LoggedMessage]:
        """
        Find all messages of a type, in the order of the log.

        Args:
            messages: Those of a `MemoryLogger`.
            messageType: The type, or its name.
        """
        name = name_of(messageType)
        return [cls(message) for message in messages if message.get(MESSAGE_TYPE_FIELD) == name]

    ofType = of_type


@dataclass(frozen=True)
class LoggedAction:
    """
    An action that was logged, with all that happened in it.

    Attributes:
        startMessage: The fields of its start message.
        endMessage: The fields of its end message.
        children: The messages and actions in it, in the order of the log.

    >>> from eliot import MemoryLogger, start_action
    >>> logger = MemoryLogger()
    >>> with start_action(logger, "outer") as action:
    ...     action.log("hello")
    >>> [outer] = LoggedAction.of_type(logger.messages, "outer")
    >>> outer.type_tree()
    {'outer': ['hello']}
    """

    startMessage: Message
    endMessage: Message
    children: List[Union[LoggedMessage, LoggedAction]]

    @property
    def start_message(self) -> Message:
        """The fields of its start message."""
        return self.startMessage

    @property
    def end_message(self) -> Message:
        """The fields of its end message."""
        return self.endMessage

    @classmethod
    def from_messages(
        cls, uuid: str, level: Sequence[int], messages: Iterable[Message]
    ) -> LoggedAction:
        """
        Collect an action from a log.

        Args:
            uuid: Its task.
            level: The level of its start message.
            messages: Those of a `MemoryLogger`.

        Raises:
            ValueError: If the action, or one in it, has not started or has not ended.
        """
        return cls._from_index(_Index(messages), (uuid, *level[:-1]))

    fromMessages = from_messages

    @classmethod
    def of_type(
        cls, messages: Iterable[Message], actionType: Union[str, ActionType]
    ) -> List[LoggedAction]:
        """
        Find all actions of a type, in the order in which they started.

        Args:
            messages: Those of a `MemoryLogger`.
            actionType: The type, or its name.

        Raises:
            ValueError: If one of them, or an action in one of them, has not ended.
        """
        name = name_of(actionType)
        index = _Index(messages)
        return [
            cls._from_index(index, key)
            for key, start in index.starts.items()
            if start[ACTION_TYPE_FIELD] == name
        ]

    ofType = of_type

    @classmethod
    def _from_index(cls, index: _Index, key: _Key) -> LoggedAction:
        if key not in index.starts:
            msg = "Missing start message"
            raise ValueError(msg)
        # Parents first, without recursion: actions may be nested more deeply than calls.
        keys: List[_Key] = []
        pending = [key]
        while pending:
            each = pending.pop()
            if each not in index.ends:
                msg = f"Missing end message of type {index.starts[each][ACTION_TYPE_FIELD]}"
                raise ValueError(msg)
            keys.append(each)
            within = reversed(index.children.get(each, ()))
            pending.extend(child for child in within if isinstance(child, tuple))
        made: Dict[_Key, LoggedAction] = {}
        for each in reversed(keys):
            children: List[Union[LoggedMessage, LoggedAction]] = [
                made[child] if isinstance(child, tuple) else LoggedMessage(child)
                for child in index.children.get(each, ())
            ]
            made[each] = cls(index.starts[each], index.ends[each], children)
        return made[key]

    def descendants(self) -> Iterator[Union[LoggedMessage, LoggedAction]]:
        """Yield all that happened in the action, parents before children."""
        for child in self.children:
            yield child
            if isinstance(child, LoggedAction):
                yield from child.descendants()

    @property
    def succeeded(self) -> bool:
        """Whether the action ended without an exception."""
        return bool(self.endMessage[ACTION_STATUS_FIELD] == SUCCEEDED_STATUS)

    def type_tree(self) -> Dict[str, List[Any]]:
        """
        Reduce the action to its type and the types of what happened in it.

        Returns:
            A dictionary of one item, from the type of the action to a list of message types and of
            such dictionaries.
        """
        result: Dict[str, List[Any]] = {}
        pending: List[Tuple[LoggedAction, Dict[str, List[Any]]]] = [(self, result)]
        while pending:
            action, tree = pending.pop()
            types = tree[action.startMessage[ACTION_TYPE_FIELD]] = []
            for child in action.children:
                if isinstance(child, LoggedAction):
                    types.append({})
                    pending.append((child, types[-1]))
                else:
                    types.append(child.message.get(MESSAGE_TYPE_FIELD, ""))
        return result


#: An action of a log: its task uuid and its own level.
_Key = Tuple[Any, ...]


class _Index:
    """The starts and ends of all actions of a log, and what is directly in each."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.starts: Dict[_Key, Message] = {}
        self.ends: Dict[_Key, Message] = {}
        self.children: Dict[_Key, List[Union[Message, _Key]]] = {}
        for message in messages:
            key = (message.get(TASK_UUID_FIELD), *message.get(TASK_LEVEL_FIELD, ())[:-1])
            status = message.get(ACTION_STATUS_FIELD) if ACTION_TYPE_FIELD in message else None
            if status == STARTED_STATUS:
                self.starts[key] = message
                self.children.setdefault(key[:-1], []).append(key)
            elif status in COMPLETED_STATUSES:
                self.ends[key] = message
            else:
                self.children.setdefault(key, []).append(message)
