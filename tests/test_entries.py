"""Tests of `eliot._entries`: the places in the tree of a task, one by one."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot.parse import Entry, Parser, Task, TaskLevel

Fields = Dict[str, Any]

UUID = "0f1e"

STEPS = st.lists(st.sampled_from(["message", "start", "end"]), max_size=30)


def message(*level: int, **more: Any) -> Fields:
    """Make a plain message."""
    fields = {"task_uuid": UUID, "task_level": list(level), "timestamp": 1.5, "message_type": "m"}
    return {**fields, **more}


def start(*level: int, **more: Any) -> Fields:
    """Make a start message."""
    identity = {"task_uuid": UUID, "task_level": list(level), "timestamp": 1.5}
    return {**identity, "action_type": "a", "action_status": "started", **more}


def end(*level: int, **more: Any) -> Fields:
    """Make a finish message."""
    return {**start(*level), "action_status": "succeeded", "timestamp": 4.0, **more}


def task_of(*messages: Fields) -> Task:
    """Make a task of messages."""
    task = Task()
    for fields in messages:
        task = task.add(fields)
    return task


def walked(task: Task) -> List[Tuple[int, str, Tuple[int, ...]]]:
    """Walk a task; tell of each entry how deep it is, what it is, and where."""
    return [(entry.depth, entry.kind, entry.level) for entry in task.walk()]


class TestWalk:
    """`Task.walk()`."""

    def test_gives_parents_first(self) -> None:
        """Each action comes before what is in it, which comes in order of level."""
        task = task_of(start(1), message(3), start(2, 1), message(2, 2), end(2, 3), end(4))

        assert [
            (0, "action", ()),
            (1, "action", (2,)),
            (2, "message", (2, 2)),
            (1, "message", (3,)),
        ] == walked(task)

    def test_shows_what_is_missing(self) -> None:
        """Messages that must have been are there as gaps, wherever in an action they are."""
        task = task_of(start(1), message(4), end(2, 3), end(7))

        assert [
            (0, "action", ()),
            (1, "action", (2,)),
            (2, "missing", (2, 1)),
            (1, "missing", (3,)),
            (1, "message", (4,)),
            (1, "missing", (5,)),
        ] == walked(task)
        assert [1, 1, 2, 1, 1, 2] == [entry.count for entry in task.walk()]

    def test_misses_no_end(self) -> None:
        """An action that has not ended misses nothing after its last message."""
        assert [(0, "action", ()), (1, "message", (2,))] == walked(task_of(start(1), message(2)))

    def test_has_no_end_of_gaps(self) -> None:
        """A gap is one entry, however long it is."""
        [_, gap, _] = task_of(start(1), message(10**12)).walk()

        assert ("missing", 10**12 - 2) == (gap.kind, gap.count)

    def test_gives_a_lone_message(self) -> None:
        """A message outside any action is all there is."""
        [entry] = task_of(message(1, x=3)).walk()

        assert ("message", 0, (1,), None, {"x": 3}) == (
            entry.kind,
            entry.depth,
            entry.level,
            entry.parent,
            entry.fields,
        )

    def test_gives_a_lone_message_of_a_stream(self) -> None:
        """A message for which the parser has made no tree is the same."""
        [task] = Parser.parse_stream([message(1, x=3)])

        assert task_of(message(1, x=3)).top() == task.top()
        assert [task.top()] == list(task.walk())
        assert task_of(message(1, x=3)).root() == task.root()

    def test_gives_nothing_of_nothing(self) -> None:
        """An empty task has no entries, and no top."""
        assert [] == list(Task().walk())
        with pytest.raises(KeyError, match="no top"):
            Task().top()

    @pytest.mark.parametrize("depth", [400, 5000])
    def test_goes_deep(self, depth: int) -> None:
        """Trees deeper than the stack are walked, and forgotten."""
        levels = [[2] * above for above in range(depth)]
        messages = [start(*level, 1) for level in levels]
        messages += [end(*level, 3 if level != levels[-1] else 2) for level in levels[::-1]]
        [task] = Parser.parse_stream(messages)
        entries = list(task.walk())

        assert list(range(depth)) == [entry.depth for entry in entries]
        assert (2,) * (depth - 1) == entries[-1].level
        assert all(entry.status == "succeeded" for entry in entries)

    @pytest.mark.skipif(
        sys.implementation.name != "cpython", reason="no reference counts on this interpreter"
    )
    def test_keeps_nothing(self) -> None:
        """What was walked is freed at once, without the garbage collector, when nobody uses it."""
        [task] = Parser.parse_stream([start(1), start(2, 1), end(2, 2), end(3)])
        watched = weakref.ref(task._tree().lock)  # type: ignore[union-attr] # it has one
        gc.disable()
        try:
            assert [1, 0] == [len(entry.children) for entry in task.walk()]
            del task
        finally:
            gc.enable()

        assert watched() is None

    def test_stays_as_it_was(self) -> None:
        """Entries know no message that their task does not know."""
        early = task_of(start(1), message(3))
        top = early.top()
        children = iter(top.walk())
        next(children)
        late = early.add(message(2))

        assert ["missing", "message"] == [entry.kind for entry in children]
        assert ["missing", "message"] == [entry.kind for entry in top.children]
        assert ["message", "message"] == [entry.kind for entry in late.top().children]

    def test_stays_as_it_was_in_a_stream(self) -> None:
        """A late message makes another task of one that was walked."""
        tasks = Parser.parse_stream([start(1), message(2), end(3), message(4)])
        first = next(tasks)
        before = list(first.walk())
        [grown] = tasks

        assert before == list(first.walk())
        assert [*walked(first), (1, "message", (4,))] == walked(grown)

    @given(STEPS, st.randoms())
    def test_misses_what_the_task_misses(self, steps: List[str], random: Any) -> None:
        """Gaps are the places that `Task.missing()` tells, without those of ends to come."""
        messages = list(nested(steps))
        task = task_of(*random.sample(messages, random.randint(1, len(messages))))
        gaps = [
            TaskLevel([*entry.level[:-1], entry.level[-1] + index])
            for entry in task.walk()
            if entry.kind == "missing"
            for index in range(entry.count)
        ]
        to_come = [
            TaskLevel([*entry.level, last_place(entry) + 1])
            for entry in task.walk()
            if entry.kind == "action" and not entry.ended
        ]

        assert sorted(task.missing()) == sorted(gaps + to_come)

    @given(STEPS, st.randoms())
    def test_finds_all_messages_in_any_order(self, steps: List[str], random: Any) -> None:
        """Every message is in one entry, whatever the order in which they came."""
        messages = list(nested(steps))
        expected = [(fields["task_level"], fields["number"]) for fields in messages]
        random.shuffle(messages)
        found = []
        for entry in task_of(*messages).walk():
            level = list(entry.level)
            if entry.kind == "message":
                found.append((level, entry.fields["number"]))
            if entry.kind == "action":
                found.append(([*level, 1], entry.fields["number"]))
            if entry.ended:
                found.append(([*level, len(entry.children) + 2], entry.end_fields["number"]))

        assert sorted(expected) == sorted(found)


def last_place(entry: Entry) -> int:
    """Return the last place in an action that is known, without its end."""
    children = entry.children
    return children[-1].level[-1] if children else 1


def nested(steps: List[str]) -> Iterator[Fields]:
    """Make the messages of a task out of steps, in the order in which they are logged."""
    stack = [[1]]
    number = 0
    yield start(1, number=number)
    for step in steps:
        number += 1
        if step == "end" and len(stack) == 1:
            continue
        stack[-1][-1] += 1
        level = [last for [*_, last] in stack]
        if step == "message":
            yield message(*level, number=number)
        elif step == "start":
            stack.append([1])
            yield start(*level, 1, number=number)
        else:
            yield end(*level, number=number)
            stack.pop()


class TestEntry:
    """One entry."""

    def test_of_an_action(self) -> None:
        """An action has a type, a status, times, and the fields of both its messages."""
        task = task_of(
            start(1, x=[1], log_level="info"),
            end(2, action_status="failed", exception="E", reason="no", y=2),
        )
        entry = task.top()

        assert (UUID, "a", "failed", 1.5, 4.0, 2.5) == (
            entry.task_uuid,
            entry.type,
            entry.status,
            entry.start,
            entry.end,
            entry.duration,
        )
        assert ({"x": [1], "log_level": "info"}, {"exception": "E", "reason": "no", "y": 2}) == (
            entry.fields,
            entry.end_fields,
        )
        assert ("E", "no", "info") == (entry.exception, entry.reason, entry.log_level)
        assert (True, True) == (entry.begun, entry.ended)

    def test_of_a_message(self) -> None:
        """A message has its time twice, no status, and all other fields as its own."""
        fields = {
            "exception": "E",
            "reason": "no",
            "action_type": "of its own",
            "log_level": "error",
        }
        [_, entry] = task_of(start(1), message(2, **fields)).walk()

        assert ("m", None, 1.5, 1.5, None) == (
            entry.type,
            entry.status,
            entry.start,
            entry.end,
            entry.duration,
        )
        assert (fields, {}) == (entry.fields, entry.end_fields)
        assert ("E", "no", "error") == (entry.exception, entry.reason, entry.log_level)
        assert [] == entry.children
        assert (True, False) == (entry.begun, entry.ended)

    def test_of_a_gap(self) -> None:
        """Of what is missing only the place is known."""
        [top, gap, _] = task_of(start(1), message(3)).walk()

        assert (None, None, None, None, None) == (
            gap.type,
            gap.status,
            gap.start,
            gap.end,
            gap.duration,
        )
        assert ({}, {}, None, None, None) == (
            gap.fields,
            gap.end_fields,
            gap.exception,
            gap.reason,
            gap.log_level,
        )
        assert top == gap.parent

    def test_that_never_ended(self) -> None:
        """An action of which the end is not known is started, and has no duration."""
        entry = task_of(start(1)).top()

        assert ("started", None, None) == (entry.status, entry.end, entry.duration)

    def test_of_which_the_end_is_known_alone(self) -> None:
        """An action of which the start is not known has the type and the status of its end."""
        entry = task_of(end(2)).top()

        assert ("a", "succeeded", None, 4.0, None) == (
            entry.type,
            entry.status,
            entry.start,
            entry.end,
            entry.duration,
        )
        assert (False, True) == (entry.begun, entry.ended)

    def test_of_which_nothing_is_known(self) -> None:
        """An action of which only a part is known has no type and no status."""
        entry = task_of(message(2, 2)).top()

        assert (None, None, ["action"]) == (
            entry.type,
            entry.status,
            [child.kind for child in entry.children if child.kind != "missing"],
        )

    @pytest.mark.parametrize(
        ("told", "duration"),
        [(0.25, 0.25), (3, 3.0), (-1, 0.0), ("long", 2.5), (True, 2.5), (10**400, 2.5)],
    )
    def test_takes_as_long_as_it_says(self, told: Any, duration: float) -> None:
        """A number in the field `duration` of the end is the duration; time may have been set."""
        assert duration == task_of(start(1), end(2, duration=told)).top().duration

    def test_takes_no_negative_time(self) -> None:
        """Where clocks were set back, the duration is 0."""
        assert 0.0 == task_of(start(1, timestamp=5), end(2)).top().duration

    @pytest.mark.parametrize("time", ["noon", None, [], True, float("nan"), float("inf"), 10**400])
    def test_has_no_other_times(self, time: Any) -> None:
        """What is no finite number is no time."""
        assert task_of(message(1, timestamp=time)).top().start is None

    def test_has_text_where_text_is_expected(self) -> None:
        """What other writers put in the place of text is shown as text, but is no level."""
        entry = task_of(message(1, message_type=3, exception=[1], reason={}, log_level=30)).top()

        assert ("3", "[1]", "{}", None) == (
            entry.type,
            entry.exception,
            entry.reason,
            entry.log_level,
        )

    def test_compares_by_content(self) -> None:
        """Entries are equal if they are the same place with the same messages."""
        one, same = task_of(start(1), message(2)), task_of(message(2), start(1))
        other = task_of(start(1), message(2, x=1))

        assert list(one.walk()) == list(same.walk())
        assert set(one.walk()) == set(same.walk())
        assert one.top().children != other.top().children
        assert one.top().children[0] != one.top()
        assert one.top() != "action"

    def test_says_what_it_is(self) -> None:
        """An entry says what it is, and where."""
        assert [
            "<Entry: action 'a', started, at []>",
            "<Entry: 1 missing, at [2]>",
            "<Entry: message 'm', at [3]>",
            "<Entry: action, at [4]>",
            "<Entry: 1 missing, at [4, 1]>",
            "<Entry: message 'm', at [4, 2]>",
        ] == list(map(repr, task_of(start(1), message(3), message(4, 2)).walk()))
