"""Tests of `eliot._stream`, through the parser that uses it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Dict, List

from hypothesis import given
from hypothesis import strategies as st

from eliot._stream import ENDS, KINDS
from eliot.parse import Parser, Task, WrittenMessage

Fields = Dict[str, Any]


def message(level: Any, **more: Any) -> Fields:
    """Make a plain message."""
    return {"task_uuid": "u", "task_level": level, "timestamp": 1.5, "message_type": "m", **more}


def start(level: Any) -> Fields:
    """Make a start message."""
    return {"task_uuid": "u", "task_level": level, "action_type": "a", "action_status": "started"}


#: Messages of one action, with fields of their own; some places are taken twice.
STEPS = st.lists(
    st.builds(
        message,
        st.integers(2, 9).map(lambda number: [number]),
        message_type=st.sampled_from(["m", "n", None, ["m"]]),
        x=st.integers(0, 1),
    )
    | st.builds(message, st.integers(2, 9).map(lambda number: [number]), y=st.none())
    | st.builds(start, st.integers(2, 9).map(lambda number: [number, 1])),
    max_size=20,
)


def one_by_one(messages: List[Fields]) -> Task:
    """Make a task without the fast lane."""
    task = Task()
    for fields in messages:
        task = task.add(fields)
    return task


@given(STEPS, st.booleans())
def test_like_one_by_one(steps: List[Fields], sort: bool) -> None:
    """Whatever the messages are and in whatever order they come, the tree is the same."""
    messages = [
        start([1]),
        *(sorted(steps, key=lambda m: list(m["task_level"])) if sort else steps),
    ]
    (task,) = Parser.parse_stream(messages)

    assert one_by_one(messages) == task
    assert one_by_one(messages).replaced() == task.replaced()


def test_fields_of_the_same_number() -> None:
    """Messages of one type with other fields, but as many, keep theirs."""
    messages = [start([1]), message([2], x=1), message([3], x=2), message([4], y=3), message([5])]
    (task,) = Parser.parse_stream(messages)
    root: Any = task.root()

    assert [WrittenMessage.from_dict(fields) for fields in messages[1:]] == root.children


def test_dictionaries_that_make_up_values() -> None:
    """A dictionary with a value for every name is neither changed nor believed."""
    last: Fields = defaultdict(int, message([4], y=3))
    messages = [start([1]), message([2], x=1), message([3], x=2), last]
    (task,) = Parser.parse_stream(messages)
    root: Any = task.root()

    assert message([4], y=3) == last == root.children[-1].as_dict()


def test_forgotten_kinds() -> None:
    """Nothing depends on what is remembered of earlier messages."""

    def log() -> Any:
        yield start([1])
        yield message([2])
        KINDS.clear()
        yield message([3])
        yield message([4])

    (task,) = Parser.parse_stream(log())

    assert one_by_one(list(log())) == task


def test_unusable_uuid() -> None:
    """A message with an unusable uuid does not end up in the task before it."""
    bad: List[Any] = []
    odd = {**message([2]), "task_uuid": ["v"]}
    (task,) = Parser.parse_stream([start([1]), odd, odd], lambda what, error: bad.append(what))

    assert [odd, odd] == bad
    assert one_by_one([start([1])]) == task
