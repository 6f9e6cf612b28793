"""
A message without its place: all that a tree keeps of each of its messages.

A dictionary for each message takes twice the memory, and with long levels seventy times as much;
and the garbage collector visits it again and again. It leaves flat tuples of text and numbers
alone: a task of 100,000 messages is parsed in half the time.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Callable, Dict, List, Tuple

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    MESSAGE_TYPE_FIELD,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
)
from eliot._typing import Message

__all__ = [
    "ODD_LEVEL",
    "Packed",
    "Shape",
    "Told",
    "field_of",
    "pack",
    "same",
    "shape_of",
    "unpack",
]

#: The values of the fields and, as the last item, their names.
Packed = Tuple[Any, ...]

#: The field that keeps a level that is no list while `task_level` is one; being no text, it is in
#: no log.
ODD_LEVEL: Any = (TASK_LEVEL_FIELD,)

#: Messages in the order in which they were told: how many there are; then, whenever it changes, how
#: they look, and the values of each. A tuple for each message would take a fifth more memory, and
#: time of the garbage collector.
Told = List[Any]

_PLACE = (TASK_UUID_FIELD, TASK_LEVEL_FIELD)
_TYPES = (ACTION_TYPE_FIELD, ACTION_STATUS_FIELD, MESSAGE_TYPE_FIELD)


class Shape:
    """
    How messages look that have the same names.

    Args:
        message: One of them.
        shared: Those of the last names that have the same value in all of the messages.
    """

    __slots__ = ("count", "rest", "status", "values_of", "width")

    def __init__(self, message: Message, shared: Tuple[str, ...] = ()) -> None:
        names = tuple([name for name in message if name not in _PLACE + _TYPES])
        names += tuple([name for name in _TYPES if name in message])
        #: How many fields there are in all.
        self.count: int = len(message)
        #: How many values each message has of its own, and what takes them.
        self.width: int = len(names) - len(shared)
        self.values_of: Callable[[Message], Tuple[Any, ...]] = _getter(names[: self.width])
        #: What follows these when a message is packed.
        self.rest: Tuple[Any, ...] = (*[message[name] for name in shared], names)
        #: The status of starts and ends, if they share it.
        self.status: Any = message[ACTION_STATUS_FIELD] if ACTION_STATUS_FIELD in shared else None


# How messages look that have just these names.
_shapes: Dict[Tuple[Any, ...], Shape] = {}
_MOST = 1000


def shape_of(message: Message, shared: Tuple[str, ...] = ()) -> Shape:
    """Return how a message looks that has a task uuid and a level, and those that share fields."""
    key = tuple(message)
    if shared:
        key = (*[message[name] for name in shared], key)
    shape = _shapes.get(key)
    if shape is None:
        if len(_shapes) >= _MOST:
            _shapes.clear()
        shape = _shapes[key] = Shape(message, shared)
    return shape


def pack(message: Message) -> Packed:
    """Return a message that has a task uuid and a level without them."""
    shape = shape_of(message)
    return shape.values_of(message) + shape.rest


def _getter(names: Tuple[str, ...]) -> Callable[[Message], Tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda message: tuple([message[name] for name in names])


def unpack(packed: Packed, uuid: str, level: Tuple[int, ...]) -> Message:
    """Return the message again, as it was."""
    message: Message = dict(zip(packed[-1], packed))
    message[TASK_UUID_FIELD] = uuid
    message[TASK_LEVEL_FIELD] = message.pop(ODD_LEVEL) if ODD_LEVEL in message else list(level)
    return message


def field_of(packed: Packed | None, name: str) -> Any:
    """Return the value of a field, or None."""
    if packed is None or name not in packed[-1]:
        return None
    return packed[packed[-1].index(name)]


def same(one: Packed, two: Packed) -> bool:
    """Tell whether two messages at one place are equal; if that cannot be told, they are not."""
    try:
        return one == two or dict(zip(one[-1], one)) == dict(zip(two[-1], two))
    except Exception:  # such as arrays, in messages that were never written
        return False
