"""TaskLevel: the position of a message or an action in the tree of its task, immutable."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any, Iterable

from eliot._safe import saferepr

if TYPE_CHECKING:
    from pyrsistent.typing import PVector

__all__ = ["TaskLevel", "level_of"]


class TaskLevel:
    """
    Say where in the tree of its task a message or an action stands.

    The level of a task's root action is empty; each step down adds one number. Levels are values:
    they never change, compare by content and only with each other, sort depth first (a parent
    before its children) and can be keys of dictionaries.

    Args:
        level: The numbers from the root downwards: a list, tuple, vector or any other iterable of
            integers. It is copied.

    Raises:
        TypeError: If *level* holds anything but integers.

    >>> TaskLevel([2]).child()
    TaskLevel([2, 1])
    >>> TaskLevel([2]) < TaskLevel([2, 1]) < TaskLevel([3])
    True
    """

    __slots__ = ("_numbers",)

    _numbers: tuple[int, ...]

    def __init__(self, level: Iterable[int]) -> None:
        try:
            self._numbers = tuple(map(index, level))
        except TypeError:
            given = saferepr(level)
            msg = f"A task level is made of integers, not {given}; from_string() reads text."
            raise TypeError(msg) from None

    @classmethod
    def from_string(cls, string: str) -> TaskLevel:
        """
        Read a level from its text form, the opposite of `to_string`.

        Args:
            string: Numbers separated by slashes; empty parts are ignored.

        Raises:
            ValueError: If a part is not an integer.

        >>> TaskLevel.from_string("/2/1")
        TaskLevel([2, 1])
        """
        try:
            return level_of(tuple([int(part) for part in string.split("/") if part]))
        except ValueError:
            msg = f"{saferepr(string)} is not a task level, which looks like '/2/1'."
            raise ValueError(msg) from None

    fromString = from_string

    @property
    def level(self) -> PVector[int]:
        """
        Return the numbers as a persistent vector, whose `append` makes a new vector.

        >>> TaskLevel([2, 1]).level.append(4)
        pvector([2, 1, 4])
        """
        from pyrsistent import pvector

        return pvector(self._numbers)

    def as_tuple(self) -> tuple[int, ...]:
        """
        Return the numbers as a tuple, which costs nothing.

        >>> TaskLevel([2, 1]).as_tuple()
        (2, 1)

        .. versionadded:: 2.0
        """
        return self._numbers

    def as_list(self) -> list[int]:
        """
        Return the numbers as a new list, as a message's `task_level` has them.

        >>> TaskLevel([2, 1]).as_list()
        [2, 1]
        """
        return list(self._numbers)

    def to_string(self) -> str:
        """
        Return the text form, the opposite of `from_string`.

        >>> TaskLevel([2, 1]).to_string(), TaskLevel([]).to_string()
        ('/2/1', '/')
        """
        return "/" + "/".join(map(str, self._numbers))

    toString = to_string

    def child(self) -> TaskLevel:
        """
        Return the first level below this one.

        >>> TaskLevel([2]).child()
        TaskLevel([2, 1])
        """
        return level_of((*self._numbers, 1))

    def next_sibling(self) -> TaskLevel:
        """
        Return the next level under the same parent.

        Raises:
            IndexError: If this is the root, which has no siblings.

        >>> TaskLevel([2, 1]).next_sibling()
        TaskLevel([2, 2])
        """
        numbers = self._numbers
        if not numbers:
            msg = "The root of a task has no siblings."
            raise IndexError(msg)
        return level_of((*numbers[:-1], numbers[-1] + 1))

    def parent(self) -> TaskLevel | None:
        """
        Return the level one step up, which is that of the action around; None for the root.

        >>> TaskLevel([2, 1]).parent()
        TaskLevel([2])
        """
        return level_of(self._numbers[:-1]) if self._numbers else None

    def is_sibling_of(self, task_level: TaskLevel) -> bool:
        """
        Tell whether both levels have the same parent.

        Args:
            task_level: The other level.

        >>> TaskLevel([2, 1]).is_sibling_of(TaskLevel([2, 5]))
        True
        """
        return self.parent() == task_level.parent()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TaskLevel):
            return NotImplemented
        return self._numbers == other._numbers

    def __lt__(self, other: TaskLevel) -> bool:
        if not isinstance(other, TaskLevel):
            return NotImplemented
        return self._numbers < other._numbers

    def __le__(self, other: TaskLevel) -> bool:
        if not isinstance(other, TaskLevel):
            return NotImplemented
        return self._numbers <= other._numbers

    def __gt__(self, other: TaskLevel) -> bool:
        if not isinstance(other, TaskLevel):
            return NotImplemented
        return self._numbers > other._numbers

    def __ge__(self, other: TaskLevel) -> bool:
        if not isinstance(other, TaskLevel):
            return NotImplemented
        return self._numbers >= other._numbers

    def __hash__(self) -> int:
        return hash(self._numbers)

    def __repr__(self) -> str:
        return f"TaskLevel({list(self._numbers)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return level_of, (self._numbers,)


def level_of(numbers: tuple[int, ...]) -> TaskLevel:
    """Make the level of numbers that are known to be integers, at a third of the usual cost."""
    level = TaskLevel.__new__(TaskLevel)
    level._numbers = numbers
    return level
