"""Why it was slow: durations by type, self times, percentiles, critical paths, comparisons."""

from __future__ import annotations

import asyncio
import random
import statistics
from typing import Any, Dict, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot import start_action
from eliot._profile import _covered, percentile
from eliot.parse import ActionProfile, Parser, Profile, Task, changes, profile

Message = Dict[str, Any]
Log = List[Message]

#: Of times in tests, which are sums of floats.
CLOSE = 1e-9


def action(  # noqa: PLR0913 - it is what an action has
    kind: str,
    start: Optional[float],
    end: Optional[float],
    level: Tuple[int, ...] = (),
    *inner: Log,
    uuid: str = "u",
    status: str = "succeeded",
    **fields: Any,
) -> Log:
    """Log an action, and what is in it."""

    def message(number: int, timestamp: float, **more: Any) -> Message:
        place = {"task_uuid": uuid, "task_level": [*level, number], "timestamp": timestamp}
        return {**place, "action_type": kind, **more}

    log = [message for messages in inner for message in messages]
    if start is not None:
        log.insert(0, message(1, start, action_status="started", **fields))
    if end is not None:
        number = 2 + len({m["task_level"][len(level)] for messages in inner for m in messages})
        log.append(message(number, end, action_status=status))
    return log


def measure(log: Log, by: Optional[str] = None, slowest: int = 3) -> Profile:
    """Measure a log."""
    return profile(Parser.parse_stream(log), by, slowest)


def of(found: Profile, kind: Optional[str], by: Any = None) -> ActionProfile:
    """Find the profile of a type."""
    [one] = [a for a in found.actions if a.action_type == kind and a.by == by]
    return one


def path(found: Profile) -> List[Tuple[int, Optional[str], int, float]]:
    """Tell the critical path of the slowest task."""
    return [
        (step.depth, step.action_type, step.number, round(step.seconds, 6))
        for step in found.slowest[0].path
    ]


class TestNumbers:
    """What is measured of a type."""

    def test_nothing(self) -> None:
        """A log without actions has no profile."""
        message = {"task_uuid": "u", "task_level": [1], "timestamp": 0, "message_type": "m"}

        assert Profile(0, [], []) == measure([message]) == measure([]) == profile([Task()])

    def test_all(self) -> None:
        """Durations are summed up; the longest one is told with its task."""
        log = [m for n in range(1, 5) for m in action("a", 0, n, uuid=f"u{n}")]
        [found] = measure(log).actions

        assert ("a", None, 4, 0, 0) == found[:5]
        assert (10.0, 10.0, 2.5, 2.5, 4.0, "u4") == (
            found.total,
            found.self_time,
            found.mean,
            found.p50,
            found.max,
            found.max_task,
        )
        assert pytest.approx((3.85, 3.97)) == (found.p95, found.p99)

    def test_late_message(self) -> None:
        """A task that gets a message after its end is measured once."""
        late = {"task_uuid": "u", "task_level": [3], "timestamp": 4, "message_type": "late"}
        found = measure([*action("a", 0, 3), late])

        assert (1, 1) == (found.tasks, of(found, "a").number)

    def test_failed(self) -> None:
        """Failed actions are counted, and their durations, too."""
        log = action("a", 0, 1) + action("a", 0, 3, uuid="v", status="failed")
        [found] = measure(log).actions

        assert (2, 1, 4.0) == (found.number, found.failed, found.total)

    def test_unknown_durations(self) -> None:
        """Actions that did not end, or of which the start is missing, have no duration."""
        log = (
            action("a", 0, None, (), action("b", None, 5, (2,)), action("a", 1, 2, (3,)))
            + action("a", 1, None, uuid="v")
            + action("c", 1, None, uuid="w")
        )
        found = measure(log)

        assert (1, 2, 1.0) == (of(found, "a")[2], of(found, "a").unfinished, of(found, "a").total)
        assert (0, 0, 0.0, None) == (
            of(found, "b").number,
            of(found, "b").unfinished,
            of(found, "b").max,
            of(found, "b").max_task,
        )
        assert (0, 1, 0.0) == (of(found, "c").number, of(found, "c").unfinished, of(found, "c").p50)
        assert (3, []) == (found.tasks, found.slowest)

    def test_missing_type(self) -> None:
        """Actions of which nothing is known but what is in them have no type, and no numbers."""
        found = measure(action("a", 0, 1, (2, 2)))

        assert ["a", None] == [one.action_type for one in found.actions]
        assert (0, 0, 0, 0.0, 0.0) == of(found, None)[2:7]

    def test_told_duration(self) -> None:
        """What an end message says of the duration counts, whatever the clocks say."""
        log = action("a", 100, 50)
        log[-1]["duration"] = 2.5
        [found] = measure(log).actions

        assert (2.5, 2.5) == (found.total, found.self_time)

    def test_told_duration_without_start(self) -> None:
        """If the start is missing it is known from the end and the duration."""
        inner = action("b", None, 8, (2,))
        inner[-1]["duration"] = 3.0
        found = measure(action("a", 0, 10, (), inner))

        assert (3.0, 7.0) == (of(found, "b").self_time, of(found, "a").self_time)

    def test_duration_without_times(self) -> None:
        """A duration without any time counts, but not in the action around."""
        inner = action("b", None, 8, (2,))
        inner[-1].update(duration=3.0, timestamp="then")
        found = measure(action("a", 0, 10, (), inner))

        assert (3.0, 10.0) == (of(found, "b").self_time, of(found, "a").self_time)

    def test_order(self) -> None:
        """Most self time comes first; equal ones are in order of their names."""
        log = action("b", 0, 1) + action("a", 0, 1, uuid="v") + action("c", 0, 2, uuid="w")

        assert ["c", "a", "b"] == [found.action_type for found in measure(log).actions]

    @given(st.lists(st.floats(0, 1e6), min_size=2, max_size=50))
    def test_percentiles(self, durations: List[float]) -> None:
        """Percentiles are those of the standard library's inclusive method."""
        expected = statistics.quantiles(durations, n=100, method="inclusive")
        ordered = sorted(durations)

        for percent in (1, 50, 95, 99):
            actual = percentile(ordered, percent / 100)
            assert pytest.approx(expected[percent - 1], rel=1e-9, abs=1e-9) == actual
        assert (ordered[0], ordered[-1]) == (percentile(ordered, 0.0), percentile(ordered, 1.0))

    def test_percentiles_of_numpy(self) -> None:
        """Percentiles are those of NumPy."""
        numpy = pytest.importorskip("numpy", reason="no NumPy on this interpreter")
        values = sorted(random.Random(3).random() for _ in range(1237))  # noqa: S311 - no secret

        for fraction in (0.5, 0.95, 0.99):
            expected = numpy.percentile(values, fraction * 100)
            assert pytest.approx(expected) == percentile(values, fraction)


class TestSelfTime:
    """The time that an action spends in no other one."""

    def test_in_a_row(self) -> None:
        """Actions one after the other are subtracted."""
        log = action("a", 0, 10, (), action("b", 1, 3, (2,)), action("b", 5, 9, (3,)))
        found = measure(log)

        assert (4.0, 10.0) == (of(found, "a").self_time, of(found, "a").total)
        assert (6.0, 6.0) == (of(found, "b").self_time, of(found, "b").total)

    def test_side_by_side(self) -> None:
        """Actions at the same time are subtracted once."""
        log = action("a", 0, 10, (), *(action("b", 1, 9, (n,)) for n in range(2, 7)))
        found = measure(log)

        assert (2.0, 40.0) == (of(found, "a").self_time, of(found, "b").self_time)

    def test_outlived(self) -> None:
        """What goes on after the end of an action is not subtracted from it."""
        log = action("a", 0, 10, (), action("b", 8, 30, (2,)), action("b", 40, 50, (3,)))
        found = measure(log)

        assert (8.0, 32.0) == (of(found, "a").self_time, of(found, "b").self_time)

    def test_only_children(self) -> None:
        """Only what is directly in an action is subtracted; the rest is in that."""
        log = action("a", 0, 10, (), action("b", 1, 9, (2,), action("c", 2, 8, (2, 2))))
        found = measure(log)

        assert [2.0, 2.0, 6.0] == [of(found, kind).self_time for kind in "abc"]

    def test_recursion(self) -> None:
        """In the total an action in another one of its type does not count again."""
        inner = action("b", 2, 8, (2, 2), action("a", 3, 7, (2, 2, 2)))
        found = measure(action("a", 0, 10, (), action("a", 1, 9, (2,), inner)))

        assert (3, 10.0, 8.0) == (
            of(found, "a").number,
            of(found, "a").total,
            of(found, "a").self_time,
        )
        assert pytest.approx(22 / 3) == of(found, "a").mean

    def test_asyncio(self, log: Log) -> None:
        """So it is with the actions of a real event loop."""

        async def work() -> None:
            with start_action(action_type="work"):
                await asyncio.sleep(0.01)

        async def main() -> None:
            with start_action(action_type="main"):
                await asyncio.gather(*(work() for _ in range(5)))

        asyncio.run(main())
        found = measure(log)

        assert of(found, "work").total > 4 * 0.01
        assert of(found, "main").self_time < of(found, "main").total / 2
        assert [1, 1] == [step.number for step in found.slowest[0].path]

    @given(st.randoms(use_true_random=True))
    def test_sequential_times_add_up(self, chance: random.Random) -> None:
        """Where one thing happens after the other the self times are the wall time, in sum."""
        log, end = _story(chance, side_by_side=False)
        found = measure(log)

        assert pytest.approx(end) == sum(one.self_time for one in found.actions)
        assert pytest.approx(end) == sum(step.seconds for step in found.slowest[0].path)

    @given(st.randoms(use_true_random=True))
    def test_concurrent_times_are_bounded(self, chance: random.Random) -> None:
        """Where things happen side by side each self time is within its duration."""
        log, end = _story(chance, side_by_side=True)
        found = measure(log)

        for one in found.actions:
            assert 0 <= one.self_time <= one.mean * one.number + CLOSE
            assert one.p50 <= one.p95 <= one.p99 <= one.max <= end + CLOSE
            assert 0 <= one.mean <= one.max
        assert pytest.approx(end) == sum(step.seconds for step in found.slowest[0].path)

    @given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8))
    def test_covered(self, pairs: List[Tuple[int, int]]) -> None:
        """What is covered is each moment in any of the intervals, once."""
        intervals = [(float(min(pair)), float(max(pair))) for pair in pairs]
        moments = {n for one, two in map(sorted, pairs) for n in range(one, two) if 5 <= n < 20}

        assert len(moments) == _covered(intervals, 5.0, 20.0)


def _story(chance: random.Random, *, side_by_side: bool) -> Tuple[Log, float]:
    """Make up a task that begins at 0; return the time of its end, too."""

    def act(start: float, level: Tuple[int, ...]) -> Tuple[Log, float]:
        inner: List[Log] = []
        now = end = start
        while len(level) < 4 and len(inner) < 4 and chance.random() < 0.6:
            now += chance.random()
            log, ended = act(now, (*level, len(inner) + 2))
            inner.append(log)
            end = max(end, ended)
            if not side_by_side:
                now = end
        end += chance.random()
        return action(chance.choice("abc"), start, end, level, *inner), end

    return act(0.0, ())


class TestBy:
    """Actions told apart by a field."""

    def test_values(self) -> None:
        """Each value has a profile, and those without one."""
        log = (
            action("a", 0, 1, x="one")
            + action("a", 0, 2, uuid="v", x="one")
            + action("a", 0, 4, uuid="w", x=1)
            + action("a", 0, 5, uuid="x", x=True)
            + action("a", 0, 6, uuid="y")
            + action("a", 0, 7, uuid="z", x=[1, {"y": 2}])
        )
        found = measure(log, "x")
        values = {(one.by.__class__, one.by): one.total for one in found.actions}

        assert {
            (str, "one"): 3.0,
            (int, 1): 4.0,
            (bool, True): 5.0,
            (type(None), None): 6.0,
            (str, "[1, {'y': 2}]"): 7.0,
        } == values

    def test_end(self) -> None:
        """A field of the end message will do, if the start message lacks it."""
        log = action("a", 0, 1) + action("a", 0, 2, uuid="v", code=200)
        log[1]["code"] = 404
        log[3]["code"] = 500

        assert [(200, 2.0), (404, 1.0)] == [
            (one.by, one.total) for one in measure(log, "code").actions
        ]

    def test_recursion(self) -> None:
        """Recursion with another value is no recursion."""
        log = action("a", 0, 10, (), action("a", 1, 9, (2,), x=2), x=1)
        found = measure(log, "x")

        assert (10.0, 8.0) == (of(found, "a", 1).total, of(found, "a", 2).total)


class TestCriticalPath:
    """What a task waited for."""

    def test_in_a_row(self) -> None:
        """What happens one after the other is all on the path."""
        log = action("a", 0, 10, (), action("b", 1, 3, (2,), x=1), action("c", 5, 9, (3,), x=2))
        found = measure(log)

        assert [(0, "a", 1, 4.0), (1, "b", 1, 2.0), (1, "c", 1, 4.0)] == path(found)
        assert ("u", "a", 0.0, 10.0) == found.slowest[0][:4]
        assert [{}, {"x": 1}, {"x": 2}] == [step.fields for step in found.slowest[0].path]

    def test_side_by_side(self) -> None:
        """Of what happens at the same time it is what ended last, and what was before that."""
        log = action(
            "a",
            0,
            10,
            (),
            action("first", 0, 2, (2,)),
            action("quick", 2, 5, (3,)),
            action("long", 2, 9, (4,)),
            action("overlapping", 1, 3, (5,)),
        )

        assert [(0, "a", 1, 1.0), (1, "first", 1, 2.0), (1, "long", 1, 7.0)] == path(measure(log))

    def test_outlived(self) -> None:
        """Nobody waits for what goes on after the end."""
        log = action("a", 0, 10, (), action("b", 1, 3, (2,)), action("background", 2, 30, (3,)))

        assert [(0, "a", 1, 8.0), (1, "b", 1, 2.0)] == path(measure(log))

    def test_nested(self) -> None:
        """It goes on in the actions on the path, and leaves out what is in others."""
        inner = [action("c", 1, 4, (2, 2)), action("d", 4, 8, (2, 3))]
        other = action("e", 0, 6, (3,), action("f", 0, 5, (3, 2)))
        log = action("a", 0, 10, (), action("b", 0, 9, (2,), *inner), other)

        assert [
            (0, "a", 1, 1.0),
            (1, "b", 1, 2.0),
            (2, "c", 1, 3.0),
            (2, "d", 1, 4.0),
        ] == path(measure(log))

    def test_clocks(self) -> None:
        """A little overlap, as clocks have it, does not matter."""
        children = [action("b", n, n + 1.00002, (n + 2,)) for n in range(10)]
        log = action("a", 0, 10.00001, (), *children)

        assert 10 == path(measure(log))[1][2]

    def test_clocks_below(self) -> None:
        """Nor does it farther below."""
        inner = action("c", 0, 1.0004, (2, 2), action("d", 1.0003, 1.0004, (2, 2, 2)))
        log = action("a", 0, 2, (), action("b", 0, 1.0005, (2,), inner), action("e", 1, 2, (3,)))

        assert ["a", "b", "c", "e"] == [step[1] for step in path(measure(log))]

    def test_many(self) -> None:
        """Actions of one type in the same place are one step: so much for a thousand queries."""
        children = [
            action("query", n, n + 1.0, (n + 2,), action("wait", n, n + 0.5, (n + 2, 2)), n=n)
            for n in range(1000)
        ]
        log = action("a", 0, 1001, (), *children)
        children[3][0]["timestamp"] += 0.6  # shorter, so that it is not the longest

        assert [(0, "a", 1), (1, "query", 1000), (2, "wait", 999)] == [
            step[:3] for step in path(measure(log))
        ]

    def test_recursion(self) -> None:
        """So are those directly in one of their type."""
        log = action("a", 0, 10, (), action("a", 1, 9, (2,), action("b", 2, 8, (2, 2)), n=2), n=1)
        found = measure(log)

        assert [(0, "a", 2, 4.0), (1, "b", 1, 6.0)] == path(found)
        assert {"n": 1} == found.slowest[0].path[0].fields

    def test_longest_fields(self) -> None:
        """The fields are those of the action that took longest itself."""
        log = action("a", 0, 10, (), action("b", 1, 2, (2,), n=1), action("b", 2, 9, (3,), n=2))

        assert {"n": 2} == measure(log).slowest[0].path[1].fields

    def test_order(self) -> None:
        """Steps in one step are in order of time, whatever their level says."""
        log = action("a", 0, 10, (), action("late", 5, 9, (2,)), action("early", 1, 4, (3,)))

        assert ["a", "early", "late"] == [step[1] for step in path(measure(log))]

    def test_slowest(self) -> None:
        """As many tasks as wanted are told, the slowest first; of equal ones the first."""
        log = [
            message
            for number, end in enumerate([3, 9, 1, 9, 5])
            for message in action("a", 0, end, uuid=str(number))
        ]
        told = {n: [task.task_uuid for task in measure(log, None, n).slowest] for n in (0, 1, 3, 9)}

        assert {0: [], 1: ["1"], 3: ["1", "3", "4"], 9: ["1", "3", "4", "0", "2"]} == told

    @pytest.mark.parametrize("depth", [400, 5000])
    def test_deep(self, depth: int) -> None:
        """Trees may be deeper than the stack."""
        log: Log = []
        for number in range(depth):
            log += action("ab"[number % 2], number, None, (2,) * number)
        for number in reversed(range(depth)):
            [end] = action("ab"[number % 2], None, 3 * depth - number, (2,) * number)
            end["task_level"][-1] = 3
            log.append(end)
        found = measure(log)

        assert (depth, 2 * depth + depth) == (len(found.slowest[0].path), found.slowest[0].duration)
        assert pytest.approx(3 * depth) == sum(one.self_time for one in found.actions)


class TestChanges:
    """The comparison of two logs."""

    def test_slower(self) -> None:
        """What adds most to the time of a task comes first, what was saved last."""
        old = action("a", 0, 10, (), action("b", 1, 2, (2,)), action("c", 2, 4, (3,)))
        new = action("a", 0, 12, (), action("b", 1, 5, (2,)), action("c", 5, 6, (3,)))
        found = changes(measure(old), measure(new))

        assert [("b", 3.0), ("a", 0.0), ("c", -1.0)] == [
            (change.action_type, change.added) for change in found
        ]
        assert (1.0, 4.0) == (
            found[0].old and found[0].old.mean,
            found[0].new and found[0].new.mean,
        )

    def test_more(self) -> None:
        """More actions of a type add time, even if each is as fast as before."""
        old = action("a", 0, 10, (), action("b", 1, 2, (2,)))
        new = action("a", 0, 12, (), *(action("b", n, n + 1, (n + 1,)) for n in range(1, 5)))

        assert ("b", 3.0) == changes(measure(old), measure(new))[0][:5:4]

    def test_for_each_task(self) -> None:
        """Logs may have any number of tasks."""
        old = action("a", 0, 2)
        new = [message for n in range(5) for message in action("a", 0, 3, uuid=str(n))]

        assert [1.0] == [change.added for change in changes(measure(old), measure(new))]

    def test_new_and_gone(self) -> None:
        """A type that is in one of the logs only is told as well."""
        found = changes(measure(action("a", 0, 2)), measure(action("b", 0, 3)))

        assert [("b", 3.0, True), ("a", -2.0, True)] == [
            (change.action_type, change.added, change.few) for change in found
        ]
        assert (None, None) == (found[0].old, found[1].new)

    @pytest.mark.parametrize(("number", "few"), [(9, True), (10, False)])
    def test_few(self, number: int, few: bool) -> None:
        """Less than ten actions are said to be few."""
        logs = [
            [message for n in range(count) for message in action("a", 0, 2, uuid=str(n))]
            for count in (number, 20)
        ]
        one, two = map(measure, logs)

        assert (few, few) == (changes(one, two)[0].few, changes(two, one)[0].few)

    def test_by(self) -> None:
        """Values of a field are compared with themselves."""
        old = action("a", 0, 1, x=1) + action("a", 0, 1, uuid="v", x=True)
        new = action("a", 0, 1, x=1) + action("a", 0, 5, uuid="v", x=True)
        found = changes(measure(old, "x"), measure(new, "x"))

        assert [(True, 2.0), (1, 0.0)] == [(change.by, change.added) for change in found]

    def test_nothing(self) -> None:
        """Empty logs may be compared, too."""
        empty = measure([])

        assert [] == changes(empty, empty)
        assert [2.0] == [change.added for change in changes(empty, measure(action("a", 0, 2)))]
