"""
A message without its place: all that a tree keeps of each of its messages.

A dictionary for each message takes twice the memory, and with long levels seventy times as much;
and the garbage collector visits it again and again. It leaves flat tuples of text and numbers
alone: a task of 100,000 messages is parsed in half the time.
"""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import Any, Callable, Dict, List, Tuple, cast

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
    "TYPE",
    "Packed",
    "Shape",
    "Told",
    "field_of",
    "pack",
    "same",
    "shape_of",
    "shape_with",
    "unfold",
    "unpack",
]

#: The values of the fields and, as the last item, their names.
Packed = Tuple[Any, ...]

#: The field that keeps a level that is no list while `task_level` is one; being no text, it is in
#: no log.
ODD_LEVEL: Any = (TASK_LEVEL_FIELD,)

#: Messages in the order in which they were told: how many there are; then the values of each, and
#: before them, whenever it changes, the shape that says how they look. A tuple for each message
#: would take a sixth more memory, and a tenth more time in a program that has just begun.
Told = List[Any]

#: Where the type of an action is in starts and ends that have a status, as `unfold` tells.
TYPE = -3

_PLACE = (TASK_UUID_FIELD, TASK_LEVEL_FIELD)
_TYPES = (ACTION_TYPE_FIELD, ACTION_STATUS_FIELD, MESSAGE_TYPE_FIELD)


class Shape:
    """
    How messages look that have the same names, and in the last ones, maybe, the same values.

    Args:
        names: Those to keep, types last.
        count: How many fields there are in all.
        values_of: What takes the values that each message has of its own.
        shared: The values of the other names.
    """

    __slots__ = ("count", "names", "rest", "status", "values_of", "width")

    def __init__(
        self,
        names: Tuple[str, ...],
        count: int,
        values_of: Callable[[Message], Tuple[Any, ...]],
        shared: Tuple[Any, ...] = (),
    ) -> None:
        self.names = names
        self.count = count
        self.values_of = values_of
        #: How many values each message has of its own.
        self.width: int = len(names) - len(shared)
        #: What follows these when a message is packed.
        self.rest: Tuple[Any, ...] = (*shared, names)
        #: The status of starts and ends, if they share action type and status.
        self.status: Any = shared[1] if len(shared) > 1 else None


# How messages look that have just these names.
_shapes: Dict[Tuple[str, ...], Shape] = {}
# The same for those that share values.
_sharing: Dict[Tuple[Any, ...], Shape] = {}
_MOST = 1000


def shape_of(message: Message) -> Shape:
    """Return how a message looks that has a task uuid and a level."""
    everything = tuple(message)
    shape = _shapes.get(everything)
    if shape is None:
        names = tuple([name for name in everything if name not in _PLACE + _TYPES])
        names += tuple([name for name in _TYPES if name in everything])
        if len(_shapes) >= _MOST:
            _shapes.clear()
        shape = _shapes[everything] = Shape(names, len(everything), _getter(names))
    return shape


def shape_with(shape: Shape, shared: Tuple[Any, ...]) -> Shape:
    """Return how those messages look that share the values of their last fields."""
    key = (shape.names, shared)
    found = _sharing.get(key)
    if found is None:
        if len(_sharing) >= _MOST:
            _sharing.clear()
        values_of = _getter(shape.names[: -len(shared)])
        found = _sharing[key] = Shape(shape.names, shape.count, values_of, shared)
    return found


def pack(message: Message) -> Packed:
    """Return a message that has a task uuid and a level without them; each time another tuple."""
    shape = shape_of(message)
    return (*shape.values_of(message), *shape.rest)


@lru_cache(maxsize=_MOST)
def _getter(names: Tuple[str, ...]) -> Callable[[Message], Tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda message: tuple([message[name] for name in names])


def unfold(told: Told) -> Tuple[List[Packed], List[Any]]:
    """Return messages that were told, each packed; and their statuses, None for no start or end."""
    messages: List[Packed] = []
    statuses: List[Any] = []
    width, rest, status = 0, cast("Packed", ()), cast("Any", None)
    values = tuple(told)
    at, end = 1, len(values)
    while at < end:
        shape = values[at]
        if type(shape) is Shape:
            width, rest, status = shape.width, shape.rest, shape.status
            at += 1
            continue  # there may be another one
        after = at + width
        messages.append(values[at:after] + rest)
        statuses.append(status)
        at = after
    return messages, statuses


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
