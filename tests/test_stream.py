"""Tests of `eliot._stream`, through the parser that uses it."""

from __future__ import annotations

import pickle
from collections import defaultdict
from typing import Any, Dict, Iterator, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot import _stream
from eliot._stream import ENDS, KINDS, Stream, hold_back
from eliot.parse import Parser, Task, WrittenMessage

Fields = Dict[str, Any]


def message(level: Any, **more: Any) -> Fields:
    """Make a plain message."""
    return {"task_uuid": "u", "task_level": level, "timestamp": 1.5, "message_type": "m", **more}


def start(level: Any, **more: Any) -> Fields:
    """Make a start message."""
    place = {"task_uuid": "u", "task_level": level, "timestamp": 1.5}
    return {**place, "action_type": "a", "action_status": "started", **more}


def end(level: Any, status: Any = "succeeded", **more: Any) -> Fields:
    """Make the end of an action."""
    return {**start(level), "action_status": status, **more}


def bare(level: Any) -> Fields:
    """Make a message with no field but its type."""
    return {"task_uuid": "u", "task_level": level, "message_type": "bare"}


LEVELS = st.lists(st.integers(1, 4), min_size=1, max_size=3)

#: Messages of one task that follow one another, with all that may be special about one.
STEPS = st.lists(
    st.builds(
        message,
        LEVELS,
        message_type=st.sampled_from(["m", "n", None, ["m"]]),
        x=st.integers(0, 1),
    )
    | st.builds(message, LEVELS, y=st.none())
    | st.builds(message, LEVELS, action_type=st.sampled_from(["a", None]))
    | st.builds(
        message,
        LEVELS,
        action_type=st.sampled_from(["a", None]),
        action_status=st.sampled_from(["started", "succeeded", None]),
    )
    | st.builds(start, LEVELS.map(lambda level: [*level[:-1], 1]))
    | st.builds(end, LEVELS, st.sampled_from(["succeeded", "failed", "odd", ["odd"]]))
    | st.builds(end, LEVELS, reason=st.just("why"), action_type=st.sampled_from(["a", "b"]))
    | st.builds(bare, LEVELS)
    | st.just({"task_uuid": "u"}),
    max_size=20,
)


def one_by_one(messages: List[Fields]) -> Task:
    """Make a task without the fast lane."""
    task = Task()
    for fields in messages:
        try:
            task = task.add(fields)
        except Exception:  # noqa: S112 - as parse_stream() does with on_error
            continue
    return task


def in_order(steps: List[Fields]) -> List[Fields]:
    """Give each message the level that comes next, as far as that makes sense."""
    levels = [[1]]
    ordered: List[Fields] = []
    for step in steps:
        boundary = step.get("action_type") is not None and "action_status" in step
        if boundary and step["action_status"] == "started":
            levels.append([*levels[-1], 1] if ordered else [1])
        ordered.append({**step, "task_level": list(levels[-1])})
        if boundary and step["action_status"] != "started" and len(levels) > 1:
            levels.pop()
        levels[-1][-1] += 1
    return ordered


@given(STEPS, st.booleans())
def test_like_one_by_one(steps: List[Fields], order: bool) -> None:
    """Whatever the messages are and in whatever order they come, the tree is the same."""
    messages = in_order([start([1]), *steps]) if order else [start([1]), *steps]
    bad: List[Any] = []
    (task,) = Parser.parse_stream(messages, lambda what, error: bad.append(what))

    assert one_by_one(messages) == task
    assert one_by_one(messages).missing() == task.missing()
    assert one_by_one(messages).replaced() == task.replaced()


@given(st.lists(STEPS, min_size=2, max_size=4), st.data())
def test_side_by_side(tasks: List[List[Fields]], data: st.DataObject) -> None:
    """Tasks that are told side by side do not meet."""
    logs = [
        [{**fields, "task_uuid": str(n)} for fields in in_order([start([1]), *steps])]
        for n, steps in enumerate(tasks)
    ]
    turns = data.draw(st.permutations([n for n, log in enumerate(logs) for _ in log]))
    left = [iter(log) for log in logs]
    stream = Parser.parse_stream([next(left[n]) for n in turns], lambda what, error: None)
    parsed = {task.root().task_uuid: task for task in stream}

    assert {str(n): one_by_one(log) for n, log in enumerate(logs)} == parsed


@given(STEPS, st.data())
def test_never_changes(steps: List[Fields], data: st.DataObject) -> None:
    """A task that was shown stays as it was, whatever comes late."""
    messages = in_order([start([1]), *steps, end([1])])
    late = data.draw(STEPS)
    stream = Parser.parse_stream([*messages, *late], lambda what, error: None)
    seen = [(task, task.root(), hash(task)) for task in stream]

    assert all(task.root() is root and hash(task) == before for task, root, before in seen)
    assert one_by_one([*messages, *late]) == seen[-1][0]


def test_order_that_ends() -> None:
    """A task told in order goes on as a tree where the order ends."""
    messages = [start([1]), start([2, 1]), message([2, 2]), end([2, 3]), start([3, 1])]
    disorder = [message([3, 3]), message([3, 2]), end([3, 4]), end([4])]
    (task,) = Parser.parse_stream([*messages, *disorder])

    assert task.is_complete()
    assert one_by_one([*messages, *disorder]) == task


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
        ENDS["succeeded"].clear()
        yield end([5])

    (task,) = Parser.parse_stream(log())

    assert one_by_one(list(log())) == task


def test_unusable_uuid() -> None:
    """A message with an unusable uuid does not end up in the task before it."""
    bad: List[Any] = []
    odd = {**message([2]), "task_uuid": ["v"]}
    (task,) = Parser.parse_stream([start([1]), odd, odd], lambda what, error: bad.append(what))

    assert [odd, odd] == bad
    assert one_by_one([start([1])]) == task


def test_unusable_message_between() -> None:
    """A message that is none does not move the one that follows it."""
    bad: List[Any] = []
    odd = {**message([2]), "task_uuid": ["v"]}
    inner = start([2, 1], action_type="between")
    log = [start([1]), inner, odd, inner]
    (task,) = Parser.parse_stream(log, lambda what, error: bad.append(what))

    assert [odd] == bad
    assert one_by_one(log) == task
    assert [] == task.replaced()


def test_many_kinds() -> None:
    """What is remembered of kinds has an end."""
    KINDS.clear()
    log = [start([1]), *[message([n], message_type=f"kind {n}") for n in range(2, 3502)]]
    (task,) = Parser.parse_stream(log)

    assert 500 == len(KINDS)
    assert one_by_one(log) == task


@given(STEPS, st.booleans(), st.data())
def test_taken(steps: List[Fields], order: bool, data: st.DataObject) -> None:
    """A task that is not complete can be measured between two messages, and taken out once."""
    log = in_order([start([1]), *steps]) if order else [start([1]), *steps]
    log = log[: data.draw(st.integers(1, len(log)))]
    stream = Stream(lambda *_: None)
    taken: List[Any] = []

    def messages() -> Iterator[Fields]:
        yield from log
        taken.extend([stream.sizes(), stream.take("u"), stream.take("u")])

    complete = list(stream.tasks(messages()))
    task = one_by_one(log)

    assert [{}, None, None] if complete else [{"u": task._size()}, task, None] == taken


def test_large_tasks_do_not_pile_up() -> None:
    """As many messages are held back as the stream remembers, in few tasks or in many."""
    read: List[str] = []

    def messages() -> Iterator[Fields]:
        for uuid in "abcde":
            read.append(uuid)
            yield {**start([1]), "task_uuid": uuid}
            for number in range(2, 6000):
                yield message([number], task_uuid=uuid)
            yield end([6000], task_uuid=uuid)

    tasks = hold_back(Parser.parse_stream(messages()))

    assert "a" == next(tasks).top().task_uuid
    assert ["a", "b"] == read
    assert [*"bcde"] == [task.top().task_uuid for task in tasks]


@given(st.data(), st.lists(st.sampled_from([0, 1, 5, 40, 60, 200]), min_size=1, max_size=30))
def test_held_back(data: st.DataObject, sizes: List[int]) -> None:
    """Whoever looks at tasks that were held back sees none again, however large others are."""
    log: List[Fields] = []
    for uuid, size in enumerate(sizes):
        numbers = range(2, size + 2)
        task = [start([1]), *(message([number]) for number in numbers), end([size + 2])]
        log.extend({**fields, "task_uuid": uuid} for fields in task)
        late = data.draw(st.integers(0, 2 * uuid))
        if late < uuid:
            log.append(message([999 + uuid], task_uuid=late))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_stream, "ROOM", 50)
        tasks = hold_back(Parser.parse_stream(log))
        seen = [task.top().task_uuid for task in tasks if task.is_complete()]

    assert [*range(len(sizes))] == seen


@given(STEPS)
def test_counts_messages(steps: List[Fields]) -> None:
    """A task takes as much room as it has messages, those of actions within among them."""
    bad: List[Any] = []
    log = in_order([start([1]), *steps])
    (task,) = Parser.parse_stream(log, lambda what, error: bad.append(what))
    size = task._size()

    assert len(task._messages()) == size


def test_counts_messages_of_actions_within() -> None:
    """Those of actions that have ended are counted once, whoever counts them."""
    inner = [start([2, 1]), message([2, 2]), start([2, 3, 1]), end([2, 3, 2]), end([2, 4])]
    log = [start([1]), *inner, message([3]), end([4])]
    again = [{**fields, "task_uuid": "v"} for fields in log]
    known = [{**fields, "task_uuid": "w"} for fields in log]

    assert [8, 8, 8] == [t._size() for t in Parser.parse_stream([*log, *again, *known])]


def test_no_level() -> None:
    """A message with an empty level does not end up in the task that begins after it."""
    odd = message([], task_uuid="v")
    begin = [start([1]), message([2]), message([3])]
    bad: List[Any] = []
    log = [odd, *begin, odd, *[{**fields, "task_uuid": "w"} for fields in begin]]
    tasks = Parser.parse_stream(log, lambda what, error: bad.append(what))

    assert [one_by_one(begin), one_by_one(log[-3:])] == list(tasks)
    assert [odd, odd] == bad


def test_no_fields() -> None:
    """Messages without any field but their type are as good as others."""
    begin = {"task_uuid": "u", "action_type": "b", "action_status": "started"}
    finish = {**begin, "action_status": "succeeded"}
    levels = [[number] for number in range(2, 6)]
    logs: List[List[Fields]] = [
        [start([1]), *map(bare, levels), message([6]), bare([7]), end([8])],
        [{**begin, "task_level": [1]}, *map(message, levels), {**finish, "task_level": [6]}],
        [start([1]), *map(message, levels), {**finish, "action_type": "a", "task_level": [6]}],
    ]
    for log in logs:
        again = [{**fields, "task_uuid": "v"} for fields in log]

        assert [one_by_one(log), one_by_one(again)] == list(Parser.parse_stream([*log, *again]))


def test_values_in_common() -> None:
    """What messages of a type have in common is kept for each type, and for each set of fields."""
    kinds = [message([1], message_type=kind) for kind in "mnmnmn"]
    fields = [message([1], **{name: 1}) for name in "xyxyxy"]
    messages = [
        {**each, "task_level": [number], "number": number}
        for number, each in enumerate([*kinds, *fields], 2)
    ]
    (task,) = Parser.parse_stream([start([1]), *messages])
    root: Any = task.root()

    assert messages == [child.as_dict() for child in root.children]


def test_only_a_place() -> None:
    """Messages with no field but their place each keep their own."""
    nothing = [{"task_uuid": "u", "task_level": [number]} for number in (2, 3)]
    (task,) = Parser.parse_stream([start([1]), *nothing, end([4])])
    again = pickle.loads(pickle.dumps(task))  # noqa: S301 - our own

    assert task == again
    assert [] == again.missing()


def test_texts_of_other_classes() -> None:
    """What is equal to a text of another log, but of another class, stays in its own log."""

    class Text(str):
        __slots__ = ()

    odd = [start([1], action_type="odd"), end([2], action_type="odd")]
    for fields in odd:
        fields["action_status"] = Text(fields["action_status"])
    plain = [start([1], action_type="odd"), end([2], action_type="odd")]
    for log in (odd, odd, plain):
        tasks = list(Parser.parse_stream(log))
    (task,) = tasks

    assert {str} == {type(fields["action_status"]) for fields in task._messages()}
