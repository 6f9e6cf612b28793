"""
A message without its place: all that a tree keeps of each of its messages.

A dictionary for each message takes twice the memory, and with long levels seventy times as much;
and the garbage collector visits it again and again. It leaves flat tuples of text and numbers
alone: a task of 100,000 messages is parsed in half the time.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Callable, Dict, Iterator, List, Tuple

from eliot._fields import TASK_LEVEL_FIELD, TASK_UUID_FIELD
from eliot._typing import Message

__all__ = [
    "ODD_LEVEL",
    "Packed",
    "Shape",
    "Told",
    "field_of",
    "pack",
    "packed_of",
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


class Shape:
    """
    How messages look that have the same names.

    Args:
        message: One of them.
        fixed: The fields that have one value in all of them.
    """

    __slots__ = ("_arrange", "_fixed", "all_of", "count", "names", "values_of", "width")

    def __init__(self, message: Message, fixed: Tuple[str, ...] = ()) -> None:
        place = (TASK_UUID_FIELD, TASK_LEVEL_FIELD)
        #: The names to keep.
        self.names: Tuple[str, ...] = tuple([name for name in message if name not in place])
        #: How many fields there are in all.
        self.count: int = len(message)
        #: What takes the values of all of them.
        self.all_of: Callable[[Message], Tuple[Any, ...]] = _getter(self.names)
        varying = tuple([name for name in self.names if name not in fixed])
        #: How many values may differ, and what takes them.
        self.width: int = len(varying)
        self.values_of: Callable[[Message], Tuple[Any, ...]] = _getter(varying)
        self._fixed = _getter(fixed)(message)
        found = varying + fixed
        self._arrange = _getter(tuple([found.index(name) for name in self.names]))

    def packed(self, values: List[Any]) -> Packed:
        """Return the packed message that has these values where others may have different ones."""
        return (*self._arrange((*values, *self._fixed)), self.names)


# How messages look that have just these names.
_shapes: Dict[Tuple[Any, ...], Shape] = {}
_MOST = 1000


def shape_of(message: Message) -> Shape:
    """Return how a message looks that has a task uuid and a level."""
    everything = tuple(message)
    shape = _shapes.get(everything)
    if shape is None:
        if len(_shapes) >= _MOST:
            _shapes.clear()
        shape = _shapes[everything] = Shape(message)
    return shape


def shape_with(message: Message, fixed: Tuple[str, ...]) -> Shape:
    """Return how those messages look that have these fields in common with this one."""
    key = (*[message[name] for name in fixed], tuple(message))
    shape = _shapes.get(key)
    if shape is None:
        if len(_shapes) >= _MOST:
            _shapes.clear()
        shape = _shapes[key] = Shape(message, fixed)
    return shape


def pack(message: Message) -> Packed:
    """Return a message that has a task uuid and a level without them."""
    shape = shape_of(message)
    return (*shape.all_of(message), shape.names)


def packed_of(told: Told) -> Iterator[Packed]:
    """Give each of the messages that were told in order, packed."""
    at = 1
    while at < len(told):
        if type(told[at]) is Shape:
            shape = told[at]
            at += 1
        else:
            yield shape.packed(told[at : at + shape.width])
            at += shape.width


def _getter(names: Tuple[Any, ...]) -> Callable[[Any], Tuple[Any, ...]]:
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
