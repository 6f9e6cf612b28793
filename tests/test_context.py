"""Where the running code is: the current place, its slots, and the way back to what was before."""

from __future__ import annotations

import gc
import uuid
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from itertools import chain
from threading import Barrier, Event, Thread
from typing import Any, Callable, Generator, List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot._context import Place, Standpoint, Visit, current, stamp
from eliot._ids import new_task_uuid
from eliot._loggers import Logger


def place(name: str = "task", level: Optional[List[int]] = None) -> Place:
    """Make a place."""
    return Place(Logger(), name, level or [])


def enter(here: Place) -> None:
    """Begin a visit of a place."""
    here.__enter__()


def leave(here: Place) -> None:
    """End the last visit of a place."""
    here.__exit__(None, None, None)


def in_new_thread(f: Callable[[], Any]) -> None:
    """Call a function in a thread of its own."""
    thread = Thread(target=f)
    thread.start()
    thread.join()


@pytest.fixture(autouse=True)
def _nowhere() -> Generator[None, None, None]:
    """Check that a test leaves the context as it was."""
    yield

    assert current() is None


class TestNewTaskUuid:
    """The id of a new task."""

    def test_is_a_version_4_uuid(self) -> None:
        """Whatever reads UUIDs reads it, and writes it in the same way."""
        for _ in range(100):
            text = new_task_uuid()
            parsed = uuid.UUID(text)

            assert text == str(parsed)
            assert (4, uuid.RFC_4122) == (parsed.version, parsed.variant)

    def test_is_never_the_same(self) -> None:
        """Each call gives another one."""
        assert 1000 == len({new_task_uuid() for _ in range(1000)})


class TestSlots:
    """The numbers that a place hands out."""

    @given(st.lists(st.integers(min_value=1), max_size=5))
    def test_count_from_1_below_the_place(self, level: List[int]) -> None:
        """The first slot is 1, each later one is the next, and the place's level is in front."""
        here = place(level=level)

        assert [[*level, 1], [*level, 2], [*level, 3]] == [here.stamp()[1] for _ in range(3)]

    def test_lists_are_the_callers_own(self) -> None:
        """Who changes the list of a level does not disturb the next one."""
        here = place(level=[2])
        here.stamp()[1].append(99)

        assert [2, 2] == here.stamp()[1]

    def test_level_of_the_caller_is_copied(self) -> None:
        """Who changes the list that a place was made of does not move the place."""
        level = [2]
        here = place(level=level)
        level.append(99)

        assert [2, 1] == here.stamp()[1]

    def test_are_unique_among_threads(self) -> None:
        """Threads that share a place never get the same slot, and leave no gap."""
        here = place()
        barrier = Barrier(8)

        def take() -> List[int]:
            barrier.wait()
            return [here.stamp()[1][0] for _ in range(5000)]

        with ThreadPoolExecutor(8) as pool:
            taken = [future.result() for future in [pool.submit(take) for _ in range(8)]]

        assert list(range(1, 40_001)) == sorted(chain(*taken))


class TestStamp:
    """The identity of the next message."""

    def test_outside_any_place(self) -> None:
        """A message outside of any place is a task of its own."""
        (first, first_level), (second, second_level) = stamp(), stamp()

        assert first != second
        assert ([1], [1]) == (first_level, second_level)

    def test_in_a_place(self) -> None:
        """A message in a place gets its next slot."""
        here = place("task", [3])
        with Visit(here):
            assert [("task", [3, 1]), ("task", [3, 2])] == [stamp(), stamp()]


class TestVisit:
    """A block during which a place is the current one."""

    def test_gives_the_place(self) -> None:
        """The block gets the place, which is the current one until it ends."""
        here = place()
        with Visit(here) as given_place:
            assert given_place is here
            assert current() is here

    def test_ends_with_an_exception(self) -> None:
        """An exception passes through and ends the visit too."""
        with pytest.raises(ZeroDivisionError), Visit(place()):
            raise ZeroDivisionError

    def test_is_for_one_block(self) -> None:
        """A visit cannot be begun twice, and stays what it was when somebody tries."""
        visit = Visit(place())
        with visit, pytest.raises(RuntimeError, match="is for one block"), visit:
            pass
        assert current() is None
        with pytest.raises(RuntimeError, match="is for one block"), visit:
            pass

    def test_restores_what_was_before_it(self) -> None:
        """Leaving blocks out of order restores what was current when that block was entered."""
        a, b = Visit(place("a")), Visit(place("b"))

        def leave_out_of_order() -> List[Optional[Place]]:
            a.__enter__()
            b.__enter__()
            a.__exit__()
            seen = [current()]
            b.__exit__()
            return [*seen, current()]

        assert [None, a._place] == Context().run(leave_out_of_order)

    def test_holds_nothing_back(self) -> None:
        """A place that was left can be collected."""
        here = place()
        reference = weakref.ref(here)
        with Visit(here):
            pass
        here.__enter__()
        leave(here)
        del here
        gc.collect()

        assert reference() is None


class TestStandpoint:
    """The current place of work that comes step by step."""

    def test_is_kept_apart(self) -> None:
        """The work stays where it was at first, and where it goes; its consumer does not notice."""
        outer, inner = place("outer"), place("inner")
        with Visit(outer):
            standpoint = Standpoint()
        assert outer is standpoint.run(current)
        assert current() is None
        standpoint.run(enter, inner)
        with Visit(place("consumer")) as consumer:
            assert inner is standpoint.run(current)
            assert consumer is current()
        standpoint.run(leave, inner)

        assert outer is standpoint.run(current)

    def test_passes_what_comes(self) -> None:
        """Arguments, results and exceptions pass."""
        assert 8 == Standpoint().run(pow, 2, 3)
        with Visit(place()) as here:
            with pytest.raises(ZeroDivisionError):
                Standpoint().run(divmod, 1, 0)

            assert here is current()

    def test_leaves_other_variables_alone(self) -> None:
        """A context variable of the program is the same one inside and outside."""
        variable: ContextVar[int] = ContextVar("variable")
        Standpoint().run(variable.set, 7)

        assert 7 == variable.get()


class TestEnterAndLeave:
    """Visits that the place itself keeps track of."""

    def test_nest(self) -> None:
        """A place may be entered again while it is the current one."""
        here = place()
        here.__enter__()
        here.__enter__()
        leave(here)

        assert current() is here
        leave(here)

    def test_interleave(self) -> None:
        """Each `leave` belongs to the last `enter` of the same place."""
        a, b = place("a"), place("b")
        seen = []
        steps = (enter, a), (enter, b), (enter, a), (leave, a), (leave, b), (leave, a)
        for step, where in steps:
            step(where)
            seen.append(current())

        assert [a, b, a, b, a, None] == seen

    def test_leave_without_enter(self) -> None:
        """Leaving a place that was never entered changes nothing."""
        with Visit(place()) as here:
            leave(place())

            assert current() is here

    def test_leave_before_others(self) -> None:
        """Who entered first, and leaves while another context is in the place, goes back."""
        here, entered, left = place(), Event(), Event()

        def visit() -> None:
            with here:
                entered.set()
                left.wait()

        here.__enter__()
        thread = Thread(target=visit)
        thread.start()
        entered.wait()
        leave(here)

        assert current() is None
        left.set()
        thread.join()

    def test_leave_twice(self) -> None:
        """So does leaving a place once more."""
        other = place()
        with Visit(place()) as here:
            other.__enter__()
            leave(other)
            leave(other)

            assert current() is here

    def test_of_several_threads(self) -> None:
        """Threads that share a place each go back to what was current for them."""
        shared, barrier = place("shared"), Barrier(8)
        own = [place(str(number)) for number in range(8)]

        def work(mine: Place) -> List[Optional[Place]]:
            seen = []
            for _ in range(200):
                barrier.wait()
                with Visit(mine):
                    shared.__enter__()
                    seen.append(current())
                    leave(shared)
                    seen.append(current())
                seen.append(current())
            return seen

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(work, own))

        assert [[shared, mine, None] * 200 for mine in own] == results


def by_visit(here: Place) -> List[Callable[[], Any]]:
    """Come and go with a visit."""
    visit = Visit(here)
    return [visit.__enter__, visit.__exit__]


def by_place(here: Place) -> List[Callable[[], Any]]:
    """Come and go with the place's own methods."""
    return [here.__enter__, lambda: leave(here)]


#: Two ways to come and go: a visit, and the place's own methods.
Ways = Callable[[Place], List[Callable[[], Any]]]


@pytest.mark.parametrize("ways", [by_visit, by_place])
class TestLeftElsewhere:
    """A place that is left in another context than it was entered in."""

    def test_is_left_where_it_was_entered(self, ways: Ways) -> None:
        """What was before is current again, there and in the context where it was left."""
        outer, inner = place("outer"), place("inner")
        enter, leave = ways(inner)
        with Visit(outer):
            enter()
            assert current() is inner
            in_new_thread(leave)

            assert current() is outer

    def test_leaves_the_other_context_alone(self, ways: Ways) -> None:
        """In the context where it is left another place may be current, and stays so."""
        enter, leave = ways(place("inner"))
        enter()

        def leave_in_another_place() -> bool:
            with Visit(place("other")) as other:
                leave()
                return current() is other

        assert Context().run(leave_in_another_place)
        assert current() is None

    def test_is_left_in_a_copy(self, ways: Ways) -> None:
        """In a copy of the context, what was before is current again too."""
        outer, inner = place("outer"), place("inner")
        enter, leave = ways(inner)
        with Visit(outer):
            enter()

            def leave_in_copy() -> Optional[Place]:
                leave()
                return current()

            assert copy_context().run(leave_in_copy) is outer
            assert current() is outer
            assert copy_context().run(current) is outer

    def test_can_be_visited_again(self, ways: Ways) -> None:
        """A place that was left elsewhere can be the current one again, even where it was."""
        here = place()
        enter, leave = ways(here)
        enter()
        in_new_thread(leave)
        with Visit(here):
            assert current() is here
        assert current() is None
        here.__enter__()

        assert current() is here
        here.__exit__(None, None, None)

    def test_below_others(self, ways: Ways) -> None:
        """Places that were entered later, and are still current, are not disturbed."""
        outer, middle, inner = place("outer"), place("middle"), place("inner")
        enter, leave = ways(middle)
        with Visit(outer):
            enter()
            with Visit(inner):
                in_new_thread(leave)

                assert current() is inner
            assert current() is outer

    def test_does_not_pile_up(self, ways: Ways) -> None:
        """A loop that leaves its places elsewhere does not keep them alive."""

        def come_and_go() -> Callable[[], Optional[Place]]:
            here = place()
            enter, leave = ways(here)
            enter()
            in_new_thread(leave)
            assert current() is None
            return weakref.ref(here)

        def loop() -> List[Optional[Place]]:
            references = [come_and_go() for _ in range(10)]
            gc.collect()
            return [reference() for reference in references]

        assert [None] * 10 == Context().run(loop)
