"""
A message without its place: all that a tree keeps of each of its messages.

A dictionary for each message takes twice the memory, and with long levels seventy times as much;
and the garbage collector visits it again and again. It leaves flat tuples of text and numbers
alone: a task of 100,000 messages is parsed in half the time.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Callable, Dict, Tuple

from eliot._fields import TASK_LEVEL_FIELD, TASK_UUID_FIELD
from eliot._typing import Message

__all__ = ["ODD_LEVEL", "Packed", "Shape", "field_of", "pack", "same", "shape_of", "unpack"]

#: The values of the fields and, as the last item, their names.
Packed = Tuple[Any, ...]

#: The field that keeps a level that is no list while `task_level` is one; being no text, it is in
#: no log.
ODD_LEVEL: Any = (TASK_LEVEL_FIELD,)

#: The names to keep, in a tuple of their own; how many fields there are in all; and what takes the
#: values of those names.
Shape = Tuple[Tuple[Tuple[str, ...]], int, Callable[[Message], Tuple[Any, ...]]]

# How messages look that have just these names.
_shapes: Dict[Tuple[str, ...], Shape] = {}
_MOST = 1000


def shape_of(message: Message) -> Shape:
    """Return how a message looks that has a task uuid and a level."""
    everything = tuple(message)
    shape = _shapes.get(everything)
    if shape is None:
        names = tuple([n for n in everything if n not in (TASK_UUID_FIELD, TASK_LEVEL_FIELD)])
        if len(_shapes) >= _MOST:
            _shapes.clear()
        shape = _shapes[everything] = (names,), len(everything), _getter(names)
    return shape


def pack(message: Message) -> Packed:
    """Return a message that has a task uuid and a level without them."""
    names, _, values_of = shape_of(message)
    return values_of(message) + names


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
