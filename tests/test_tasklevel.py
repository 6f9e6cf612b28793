"""Tests of `eliot._tasklevel`."""

from __future__ import annotations

import copy
import operator
import pickle
from typing import Any, Callable, List

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrsistent import pvector

from eliot._tasklevel import TaskLevel

NUMBERS = st.lists(st.integers(min_value=1, max_value=5), max_size=4)
LEVELS = NUMBERS.map(TaskLevel)
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge]


class TestMaking:
    """What a level can be made of."""

    @pytest.mark.parametrize("convert", [list, tuple, pvector, iter])
    @given(numbers=NUMBERS)
    def test_any_iterable(self, convert: Callable[[List[int]], Any], numbers: List[int]) -> None:
        """Lists, tuples, vectors and iterators of the same numbers make the same level."""
        assert TaskLevel(numbers) == TaskLevel(level=convert(numbers))

    def test_copies(self) -> None:
        """A list that changes later does not change the level."""
        numbers = [1, 2]
        level = TaskLevel(numbers)
        numbers.append(3)

        assert [1, 2] == level.as_list()

    @pytest.mark.parametrize("wrong", ["/1", "12", [1.5], ["1"], [None], None, 3])
    def test_refuses_what_is_no_integer(self, wrong: Any) -> None:
        """Anything else is refused, by name."""
        with pytest.raises(TypeError) as error:
            TaskLevel(wrong)

        assert repr(wrong) in str(error.value)

    def test_never_changes(self) -> None:
        """Nothing can be assigned, known or unknown."""
        level = TaskLevel([1])
        for name in ("level", "parent", "other"):
            with pytest.raises(AttributeError):
                setattr(level, name, [2])

        assert [1] == level.as_list()


class TestText:
    """The text form."""

    @given(NUMBERS)
    def test_there_and_back(self, numbers: List[int]) -> None:
        """Reading what was written gives the level back."""
        level = TaskLevel(numbers)

        assert level == TaskLevel.from_string(level.to_string())

    def test_form(self) -> None:
        """Numbers are separated by slashes; the root is one slash."""
        assert ["/", "/2/1"] == [TaskLevel([]).to_string(), TaskLevel([2, 1]).to_string()]

    @pytest.mark.parametrize("text", ["2/1", "/2/1", "//2/1/"])
    def test_empty_parts_are_ignored(self, text: str) -> None:
        """It does not matter where else there are slashes."""
        assert TaskLevel([2, 1]) == TaskLevel.from_string(text)

    @pytest.mark.parametrize("text", ["", "/"])
    def test_root(self, text: str) -> None:
        """No numbers make the root."""
        assert TaskLevel([]) == TaskLevel.from_string(text)

    @pytest.mark.parametrize("text", ["/a", "/1/x", "/1.5", "1,2"])
    def test_refuses_other_text(self, text: str) -> None:
        """Text that is none is refused, by name."""
        with pytest.raises(ValueError) as error:
            TaskLevel.from_string(text)

        assert repr(text) in str(error.value)

    def test_old_names(self) -> None:
        """The names of older programs are the same methods."""
        assert TaskLevel.to_string is TaskLevel.toString
        assert TaskLevel.from_string == TaskLevel.fromString


class TestNumbers:
    """Looking at the numbers."""

    def test_list_is_a_copy(self) -> None:
        """Changing the list that was handed out does not change the level."""
        level = TaskLevel([1, 2])
        level.as_list().append(3)

        assert [1, 2] == level.as_list()
        assert (1, 2) == level.as_tuple()

    def test_vector(self) -> None:
        """`level` can be iterated, indexed, compared and appended to."""
        vector = TaskLevel([1, 2]).level

        assert [1, 2] == list(vector)
        assert 2 == vector[-1]
        assert pvector([1, 2]) == vector
        assert pvector([1, 2, 3]) == vector.append(3)

    def test_repr_can_be_pasted(self) -> None:
        """The repr is an expression that makes the level."""
        assert "TaskLevel([2, 1])" == repr(TaskLevel([2, 1]))


class TestMoving:
    """From a level to those around it."""

    @given(LEVELS)
    def test_child_and_parent(self, level: TaskLevel) -> None:
        """The first child is one number longer, and its parent is where it came from."""
        assert [*level.as_list(), 1] == level.child().as_list()
        assert level == level.child().parent()

    @given(LEVELS)
    def test_siblings(self, level: TaskLevel) -> None:
        """Siblings follow each other under one parent."""
        first = level.child()
        second = first.next_sibling()

        assert [*level.as_list(), 2] == second.as_list()
        assert first.is_sibling_of(second)
        assert not first.is_sibling_of(level)

    def test_root_has_no_parent(self) -> None:
        """The root is the top."""
        assert TaskLevel([]).parent() is None

    def test_root_has_no_sibling(self) -> None:
        """There is nothing beside the root but the root."""
        with pytest.raises(IndexError):
            TaskLevel([]).next_sibling()

        assert TaskLevel([]).is_sibling_of(TaskLevel([]))
        assert not TaskLevel([]).is_sibling_of(TaskLevel([1]))


class TestComparing:
    """Levels are values."""

    @given(NUMBERS, NUMBERS)
    def test_by_content(self, one: List[int], two: List[int]) -> None:
        """Levels compare as their lists do, and equal ones hash alike."""
        first, second = TaskLevel(one), TaskLevel(two)

        assert (one == two) == (first == second)
        assert (one != two) == (first != second)
        assert (one != two) or hash(first) == hash(second)
        for compare in COMPARISONS:
            assert compare(one, two) == compare(first, second)

    def test_parents_come_first(self) -> None:
        """Sorting tells the story depth first."""
        root, first, inner, second = (TaskLevel(n) for n in ([], [1], [1, 1], [2]))

        assert [root, first, inner, second] == sorted([second, inner, root, first])

    @pytest.mark.parametrize("stranger", [[1], (1,), "/1", None])
    def test_strangers(self, stranger: Any) -> None:
        """Nothing else is equal to a level, or comes before or after it."""
        assert TaskLevel([1]) != stranger
        for compare in COMPARISONS:
            with pytest.raises(TypeError):
                compare(TaskLevel([1]), stranger)

    @given(LEVELS)
    def test_copies_are_equal(self, level: TaskLevel) -> None:
        """Pickling and copying keep the content."""
        assert level == pickle.loads(pickle.dumps(level))  # noqa: S301 - our own
        assert level == copy.copy(level) == copy.deepcopy(level)
