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
    "Layout",
    "Packed",
    "Shape",
    "Told",
    "field_of",
    "layout_of",
    "pack",
    "same",
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


#: The names to keep, types last; how many fields there are in all; and what takes the values, but
#: for the shared ones.
Layout = Tuple[Tuple[str, ...], int, Callable[[Message], Tuple[Any, ...]]]


class Shape:
    """
    How messages look that have the same names, and of the last fields the same values.

    Args:
        layout: Their names.
        shared: The values.
    """

    __slots__ = ("count", "names", "rest", "status", "values_of", "width")

    def __init__(self, layout: Layout, shared: Tuple[Any, ...]) -> None:
        self.names, self.count, self.values_of = layout
        #: How many values each message has of its own, which `values_of` takes.
        self.width: int = len(self.names) - len(shared)
        #: What follows these when a message is packed.
        self.rest: Tuple[Any, ...] = (*shared, self.names)
        #: The status of starts and ends, which share action type and status.
        self.status: Any = shared[1] if len(shared) > 1 else None


# By how many fields are shared, and all names.
_layouts: Dict[Tuple[Any, ...], Layout] = {}
_MOST = 1000


def layout_of(message: Message, shared: int = 0) -> Layout:
    """Return the names of a message that has a task uuid and a level."""
    key = (shared, *message)
    layout = _layouts.get(key)
    if layout is None:
        names = tuple([name for name in message if name not in _PLACE + _TYPES])
        names += tuple([name for name in _TYPES if name in message])
        if len(_layouts) >= _MOST:
            _layouts.clear()
        values_of = _getter(names[: len(names) - shared])
        layout = _layouts[key] = names, len(message), values_of
    return layout


def pack(message: Message) -> Packed:
    """Return a message that has a task uuid and a level without them."""
    names, _, values_of = layout_of(message)
    return (*values_of(message), names)


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
