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
    """How messages look that have the same names."""

    __slots__ = ("count", "names", "values_of")

    def __init__(self, everything: Tuple[str, ...]) -> None:
        names = tuple([n for n in everything if n not in (TASK_UUID_FIELD, TASK_LEVEL_FIELD)])
        #: The names to keep.
        self.names: Tuple[str, ...] = names
        #: How many fields there are in all.
        self.count: int = len(everything)
        #: What takes the values of those names.
        self.values_of: Callable[[Message], Tuple[Any, ...]] = _getter(names)


# How messages look that have just these names.
_shapes: Dict[Tuple[str, ...], Shape] = {}
_MOST = 1000


def shape_of(message: Message) -> Shape:
    """Return how a message looks that has a task uuid and a level."""
    everything = tuple(message)
    shape = _shapes.get(everything)
    if shape is None:
        if len(_shapes) >= _MOST:
            _shapes.clear()
        shape = _shapes[everything] = Shape(everything)
    return shape


def pack(message: Message) -> Packed:
    """Return a message that has a task uuid and a level without them."""
    shape = shape_of(message)
    return (*shape.values_of(message), shape.names)


def packed_of(told: Told) -> Iterator[Packed]:
    """Give each of the messages that were told in order, packed."""
    names: Tuple[str, ...] = ()
    at = 1
    while at < len(told):
        if type(told[at]) is Shape:
            names = told[at].names
            at += 1
        else:
            after = at + len(names)
            yield (*told[at:after], names)
            at = after


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
