"""Tests of `eliot._tree`, through the tasks that stand for it."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref
from typing import Any, Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrsistent import pmap, pvector

from eliot._tree import Tree
from eliot._written import (
    InvalidStartMessage,
    InvalidStatus,
    WrittenAction,
    WrittenMessage,
    WrongActionType,
    WrongTask,
)
from eliot.parse import Task, TaskLevel

Fields = Dict[str, Any]

#: What happens in an action: a message (None), or another action with what happens in it.
STORIES = st.recursive(
    st.lists(st.none(), max_size=3), lambda inner: st.lists(st.none() | inner, max_size=4)
)


def message(level: Any, **more: Any) -> Fields:
    """Make a plain message."""
    return {"task_uuid": "u", "task_level": level, "timestamp": 1.5, "message_type": "m", **more}


def boundary(level: Any, status: str, action_type: str = "a", **more: Any) -> Fields:
    """Make the start or the finish message of an action."""
    identity = {"task_uuid": "u", "task_level": level, "timestamp": 1.5}
    return {**identity, "action_type": action_type, "action_status": status, **more}


def start(level: Any, action_type: str = "a", **more: Any) -> Fields:
    """Make a start message."""
    return boundary(level, "started", action_type, **more)


def end(level: Any, action_type: str = "a", **more: Any) -> Fields:
    """Make a finish message."""
    return boundary(level, "succeeded", action_type, **more)


def log(story: List[Any]) -> List[Fields]:
    """Log a story as Eliot does, in order; without recursion, since stories may be deep."""
    messages: List[Fields] = []
    open_actions: List[Tuple[List[int], List[Any], int]] = [([], story, 0)]
    while open_actions:
        level, events, position = open_actions.pop()
        if position == 0:
            messages.append(start([*level, 1], f"a{len(level)}"))
        if position == len(events):
            messages.append(end([*level, position + 2], f"a{len(level)}"))
            continue
        open_actions.append((level, events, position + 1))
        if events[position] is None:
            messages.append(message([*level, position + 2]))
        else:
            open_actions.append(([*level, position + 2], events[position], 0))
    return messages


def deep_story(depth: int) -> List[Any]:
    """Make a story of actions in actions, so many deep, with a message on each side."""
    story: List[Any] = [None]
    for _ in range(depth):
        story = [None, story, None]
    return story


def told(story: List[Any], level: Tuple[int, ...] = ()) -> WrittenAction:
    """Make the tree of a story by hand."""
    action_type = f"a{len(level)}"
    children = [
        WrittenMessage.from_dict(message([*level, n]))
        if event is None
        else told(event, (*level, n))
        for n, event in enumerate(story, 2)
    ]
    return WrittenAction.from_messages(
        WrittenMessage.from_dict(start([*level, 1], action_type)),
        children,
        WrittenMessage.from_dict(end([*level, len(story) + 2], action_type)),
    )


def task_of(*messages: Any) -> Task:
    """Make a task of messages."""
    task = Task()
    for fields in messages:
        task = task.add(fields)
    return task


def levels(part: Any) -> Any:
    """Return the levels of the messages of a tree, as text, nested as the tree is."""
    if isinstance(part, WrittenMessage):
        return part.task_level.to_string()
    ends = [m and m.task_level.to_string() for m in (part.start_message, part.end_message)]
    return [ends[0], *map(levels, part.children), ends[1]]


def missing(*messages: Fields) -> List[str]:
    """Return where messages are missing, as text."""
    return [level.to_string() for level in task_of(*messages).missing()]


class TestPlaces:
    """Each message has its place."""

    @given(st.data())
    def test_any_order(self, data: st.DataObject) -> None:
        """A story is told the same in whatever order it comes, and complete at its last message."""
        story = data.draw(STORIES)
        messages = data.draw(st.permutations(log(story)))
        task = task_of(*messages[:-1])

        assert not task.is_complete()

        task = task.add(messages[-1])

        assert task.is_complete()
        assert told(story) == task.root()
        assert [] == task.missing() == task.replaced()

    @given(STORIES, st.data())
    def test_looking_changes_nothing(self, story: List[Any], data: st.DataObject) -> None:
        """Asking for the tree after each message gives that of just those messages."""
        messages = data.draw(st.permutations(log(story)))
        task = Task()
        for number, fields in enumerate(messages, 1):
            task = task.add(fields)

            assert Task.root(task_of(*messages[:number])) == task.root()

    def test_ancestors_are_made(self) -> None:
        """One message is enough to know the actions around it."""
        task = task_of(message([2, 3, 4]))

        assert [None, [None, [None, "/2/3/4", None], None], None] == levels(task.root())
        assert not task.is_complete()

    def test_level_of_unknown_actions(self) -> None:
        """Actions without messages of their own know their place."""
        action = task_of(message([2, 3, 4])).root()
        assert isinstance(action, WrittenAction)
        inner = action.children[0]

        assert (TaskLevel([]), TaskLevel([2])) == (action.task_level, inner.task_level)
        assert isinstance(inner, WrittenAction)
        assert (None, None) == (inner.status, inner.action_type)

    @pytest.mark.parametrize("level", [(1, 2), pvector([1, 2]), "/1/2"])
    def test_forms_of_levels(self, level: Any) -> None:
        """The level may be a tuple, a vector or text."""
        assert [None, [None, "/1/2", None], None] == levels(task_of(message(level)).root())

    @pytest.mark.parametrize("level", [(1, 2), "/1/2", [1, 2]])
    @pytest.mark.parametrize("name", ["x", "\0task_level"])
    def test_levels_stay_as_they_were_written(self, level: Any, name: str) -> None:
        """Messages and their copies are as they were logged, in whatever form."""
        task = task_of(message(level, **{name: 1}))
        part: Any = pickle.loads(pickle.dumps(task.root()))  # noqa: S301 - our own
        part = part.children[0].children[0]

        assert message(level, **{name: 1}) == part.as_dict()
        assert TaskLevel([1, 2]) == part.task_level

    @pytest.mark.parametrize("level", [[1.0, 2.0], [1.0, 2], [1, 2.0]])
    @pytest.mark.parametrize("before", [[message([1, 1])], []])
    def test_floats(self, before: List[Fields], level: Any) -> None:
        """Numbers that other writers made floats of are still numbers."""
        part: Any = task_of(*before, message(level)).root()

        assert "/1/2" == levels(part.children[0].children[-1])
        assert TaskLevel([1]) == part.children[0].task_level

    def test_forms_of_messages(self) -> None:
        """A message may be any mapping."""
        assert task_of(message([1])) == task_of(pmap(message([1])))

    def test_empty_action_type(self) -> None:
        """An empty action type makes an action, too."""
        assert ["/1", None] == levels(task_of(start([1], "")).root())

    def test_interleaved_actions(self) -> None:
        """Actions that run side by side are kept apart."""
        task = task_of(
            start([1]),
            start([2, 1]),
            start([3, 1]),
            message([2, 2]),
            message([3, 2]),
            end([2, 3]),
            end([3, 3]),
            end([4]),
        )

        assert task.is_complete()
        assert levels(task.root()) == [
            "/1",
            ["/2/1", "/2/2", "/2/3"],
            ["/3/1", "/3/2", "/3/3"],
            "/4",
        ]

    def test_unknown_actions_between(self) -> None:
        """An action of which nothing is known, between others, is no obstacle."""
        task = task_of(
            end([2, 2, 3]), message([2, 2, 2]), start([2, 2, 1]), message([3]), message([2, 3])
        )

        assert levels(task.root()) == [
            None,
            [None, ["/2/2/1", "/2/2/2", "/2/2/3"], "/2/3", None],
            "/3",
            None,
        ]

    def test_child_outlives_parent(self) -> None:
        """An action that ends after the one around it is part of the same tree."""
        task = task_of(start([1]), start([2, 1]), end([3]))

        assert not task.is_complete()

        task = task.add(end([2, 2]))

        assert ["/1", ["/2/1", "/2/2"], "/3"] == levels(task.root())
        assert task.is_complete()

    def test_input_is_copied(self) -> None:
        """A dictionary that is changed later does not change the task."""
        fields = message([1])
        task = task_of(fields)
        fields["message_type"] = "other"

        assert WrittenMessage.from_dict(message([1])) == task.root()


class TestLoneMessages:
    """Messages outside of any action."""

    def test_root(self) -> None:
        """A plain message at the first place is a task of its own."""
        task = task_of(message([1]))

        assert WrittenMessage.from_dict(message([1])) == task.root()
        assert task.is_complete()
        assert [] == task.missing()

    def test_company(self) -> None:
        """If others come, the message is part of an action, and nothing is lost."""
        task = task_of(message([1]), message([2]), start([3, 1]))

        assert [None, "/1", "/2", ["/3/1", None], None] == levels(task.root())
        assert task.is_complete()
        assert ["/4", "/3/2"] == [level.to_string() for level in task.missing()]

    def test_late_to_company(self) -> None:
        """Neither is it if they were there before."""
        assert ["/1", "/1", "/2"] == levels(task_of(start([1]), message([1]), end([2])).root())
        assert [None, "/1", "/2", None] == levels(task_of(message([2]), message([1])).root())

    def test_another_one(self) -> None:
        """The last one with the same place wins."""
        task = task_of(message([1]), message([1], x=1))

        assert WrittenMessage.from_dict(message([1], x=1)) == task.root()
        assert task.is_complete()


class TestCompleteness:
    """When a task is complete."""

    @given(STORIES, st.data())
    def test_incomplete_without_any_message(self, story: List[Any], data: st.DataObject) -> None:
        """As long as one message is missing, the task is incomplete and says which one it is."""
        messages = log(story)
        lost = data.draw(st.sampled_from(messages))
        rest = [m for m in messages if m is not lost]
        task = task_of(*rest)
        level = TaskLevel(lost["task_level"])

        assert not task.is_complete()
        # An action of which nothing is known but its place in the numbers may have been a message.
        only = lost.get("action_type") and not any(
            m["task_level"][: len(level.as_list()) - 1] == level.as_list()[:-1] for m in rest
        )
        assert only or level in task.missing()

    @pytest.mark.parametrize(
        "messages",
        [
            [end([2])],
            [start([1])],
            [start([1]), end([3])],
            [start([1]), end([1])],
            [start([1]), message([3]), end([2])],
            [start([1]), start([2, 1]), end([3])],
            [start([1]), start([2, 1]), end([3]), message([4]), end([2, 2])],
        ],
    )
    def test_never(self, messages: List[Fields]) -> None:
        """Something is missing, or there is too much."""
        assert not task_of(*messages).is_complete()

    @pytest.mark.parametrize(
        "late", [message([3]), message([9, 9]), start([5, 1]), start([1], "b"), end([7])]
    )
    def test_stays(self, late: Fields) -> None:
        """What was complete stays so, whatever comes."""
        task = task_of(start([1]), end([2])).add(late)

        assert task.is_complete()

    def test_inner_action_stays(self) -> None:
        """A late message in an inner action that was complete does not matter."""
        task = task_of(start([1]), start([2, 1]), end([2, 2]), message([2, 3]), end([3]))

        assert task.is_complete()
        assert ["/1", ["/2/1", "/2/3", "/2/2"], "/3"] == levels(task.root())


class TestMissing:
    """Which messages have not come."""

    def test_empty(self) -> None:
        """Nothing is known to be missing where nothing is."""
        assert [] == Task().missing()

    def test_start_and_end(self) -> None:
        """The start is the first place; the end is after the last one that is known."""
        assert ["/1", "/4"] == missing(message([2]), message([3]))
        assert ["/2"] == missing(start([1]))
        assert ["/1"] == missing(end([2]))

    def test_gaps(self) -> None:
        """Numbers that were left out are missing, those of inner actions later."""
        assert ["/2", "/4", "/3/2"] == missing(start([1]), start([3, 1]), end([3, 3]), end([5]))

    def test_after_the_end(self) -> None:
        """Late messages tell of others."""
        assert ["/3", "/4"] == missing(start([1]), end([2]), message([5]))

    def test_limit(self) -> None:
        """A gap of any size is no danger."""
        task = task_of(start([1]), message([10**12]))

        assert 1000 == len(task.missing())
        assert [TaskLevel([2]), TaskLevel([3])] == task.missing(limit=2)

    def test_text_levels(self) -> None:
        """Levels as text are understood here, too."""
        assert ["/2"] == missing(start("/1"), end("/3"))


class TestDuplicates:
    """Two messages in one place."""

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (message([2]), message([2], x=1)),
            (start([1]), start([1], "b")),
            (end([3]), end([3], x=1)),
            (end([3]), end([4])),
        ],
    )
    def test_last_wins(self, first: Fields, second: Fields) -> None:
        """The later one is in the tree, the other one is reported."""
        task = task_of(first, second)

        assert task_of(second).root() == task.root()
        assert [WrittenMessage.from_dict(first)] == task.replaced()

    @given(STORIES, st.data())
    def test_same_message_twice(self, story: List[Any], data: st.DataObject) -> None:
        """A log that is read twice, in any order, is as if it was read once."""
        messages = log(story)
        twice = task_of(*data.draw(st.permutations(messages * 2)))

        assert task_of(*messages) == twice
        assert [] == twice.replaced()

    @pytest.mark.parametrize("order", [1, -1])
    def test_message_in_the_place_of_an_action(self, order: int) -> None:
        """The action stays, with all that is in it; the message is reported."""
        messages = [message([2]), start([2, 1])]
        task = task_of(start([1]), *messages[::order])

        assert ["/1", ["/2/1", None], None] == levels(task.root())
        assert [WrittenMessage.from_dict(message([2]))] == task.replaced()

    def test_values_that_cannot_be_compared(self) -> None:
        """Values that refuse to be compared, as arrays do, make different messages."""

        class Array:
            def __eq__(self, other: object) -> bool:
                raise ValueError

            __hash__ = None  # type: ignore[assignment]

        task = task_of(message([2], x=Array()), message([2], x=Array()))

        assert 1 == len(task.replaced())

    def test_empty(self) -> None:
        """Nothing was replaced where nothing is."""
        assert [] == Task().replaced()


class TestRefusals:
    """Messages that have no place."""

    @pytest.mark.parametrize(
        "level",
        [
            [],
            (),
            "",
            "/",
            "/x",
            [0],
            [-1],
            ["1"],
            [1.5],
            [1e400],
            [None],
            [[1]],
            [[1], 1],
            [2, "1", 1],
            [0, 1],
            None,
            5,
            {"a": 1},
        ],
    )
    @pytest.mark.parametrize("make", [message, end])
    def test_levels(self, level: Any, make: Any) -> None:
        """A level that can be none is refused, by name."""
        with pytest.raises((TypeError, ValueError)) as error:
            task_of(make(level))

        assert (repr(level) if isinstance(level, str) else str(level)) in str(error.value)

    @pytest.mark.parametrize("level", [[2], [], [2, 2], ["1"], "/2"])
    def test_level_of_start(self, level: Any) -> None:
        """A start message is the first one of its action."""
        with pytest.raises(InvalidStartMessage):
            task_of(start(level))

    @pytest.mark.parametrize("name", ["task_uuid", "task_level", "action_status"])
    def test_missing_field(self, name: str) -> None:
        """Fields without which there is no place have to be there."""
        fields = start([1])
        del fields[name]
        with pytest.raises(KeyError, match=name):
            task_of(fields)
        with pytest.raises(KeyError, match=name):
            task_of(start([1]), fields)

    @pytest.mark.parametrize("wrong", [None, [], "text", 3])
    def test_no_mapping(self, wrong: Any) -> None:
        """A message is a mapping."""
        with pytest.raises(TypeError, match="A message is a dictionary"):
            Task().add(wrong)

    @pytest.mark.parametrize("status", ["weird", None, ["started"], 1])
    def test_status(self, status: Any) -> None:
        """A status that is none is refused."""
        with pytest.raises(InvalidStatus):
            task_of(boundary([2, 5], status))

    @pytest.mark.parametrize("part", [message([2, 2]), start([1]), start([2, 1]), end([3])])
    def test_other_task(self, part: Fields) -> None:
        """A message of another task is refused."""
        with pytest.raises(WrongTask):
            task_of(start([1]), {**part, "task_uuid": "v"})

    def test_other_type(self) -> None:
        """An action ends as what it began."""
        with pytest.raises(WrongActionType):
            task_of(start([1]), end([2], "b"))
        with pytest.raises(WrongActionType):
            task_of(end([2]), end([2], "b"))

    def test_other_type_before_the_start(self) -> None:
        """An end that came before the start cannot be checked."""
        assert task_of(end([2], "b"), start([1])).is_complete()

    @pytest.mark.parametrize(
        "wrong",
        [
            message([5, 0]),
            message([5, "x", 1]),
            start([5, 2]),
            boundary([5, 5], "weird"),
            end([4], "b"),
        ],
    )
    def test_leaves_no_trace(self, wrong: Fields) -> None:
        """A message that is refused leaves the task as it was."""
        task = task_of(start([1]), message([2]))
        before = task_of(start([1]), message([2]))
        with pytest.raises(Exception):  # noqa: B017 - any will do
            task.add(wrong)

        assert before == task
        assert task.add(end([3])).is_complete()


class TestDeepTrees:
    """Trees deeper than the stack."""

    def test_everything(self) -> None:
        """They can be parsed, compared, copied and looked through."""
        task = task_of(*log(deep_story(1100)))
        root = task.root()

        assert task.is_complete()
        assert [] == task.missing()
        assert task == pickle.loads(pickle.dumps(task))  # noqa: S301 - our own
        assert root == copy.deepcopy(root)
        depth = 0
        part: Any = root
        while len(part.children) == 3:
            part = part.children[1]
            depth += 1
        assert 1100 == depth

    def test_backwards(self) -> None:
        """The order of the messages does not matter."""
        messages = log(deep_story(300))

        assert task_of(*messages) == task_of(*messages[::-1])

    def test_one_deep_message(self) -> None:
        """A single message at an absurd depth costs no absurd memory."""
        task = task_of(message([1] * 20_000))
        part: Any = task.root()
        for _ in range(10):
            part = part.children[0]

        assert TaskLevel([1] * 10) == part.task_level
        assert task == copy.copy(task)

    @pytest.mark.skipif(
        sys.implementation.name != "cpython", reason="no reference counts on this interpreter"
    )
    def test_complete_trees_are_freed(self) -> None:
        """A tree that is complete goes away without the garbage collector."""

        class Value:
            """A value that can be watched."""

        messages = [{**fields, "x": Value()} for fields in log(deep_story(20))]
        watched = [weakref.ref(fields["x"]) for fields in messages]
        tree = Tree.of(messages)
        gc.disable()
        try:
            del tree, messages
            gone = [value() is None for value in watched]
        finally:
            gc.enable()

        assert all(gone)


class TestVersions:
    """Tasks are values."""

    @given(STORIES, st.data())
    def test_old_ones_stay_valid(self, story: List[Any], data: st.DataObject) -> None:
        """Whatever came later, each task has just its own messages."""
        messages = data.draw(st.permutations(log(story)))
        tasks = [Task()]
        for fields in messages:
            tasks.append(tasks[-1].add(fields))
        number = data.draw(st.integers(min_value=1, max_value=len(messages)))
        alone = task_of(*messages[:number])

        assert alone == tasks[number]
        assert alone.root() == tasks[number].root()
        assert alone.missing() == tasks[number].missing()
        assert alone.is_complete() == tasks[number].is_complete()
        assert hash(alone) == hash(tasks[number])

    def test_branches(self) -> None:
        """Two ways to go on from one task do not meet."""
        trunk = task_of(start([1]))
        one, two = trunk.add(message([2])), trunk.add(end([2]))
        three = one.add(end([3]))

        assert ["/1", None] == levels(trunk.root())
        assert ["/1", "/2", None] == levels(one.root())
        assert ["/1", "/2"] == levels(two.root())
        assert ["/1", "/2", "/3"] == levels(three.root())
        assert [False, False, True, True] == [t.is_complete() for t in (trunk, one, two, three)]

    def test_root_is_made_once(self) -> None:
        """Asking twice gives the same tree, also of an old task."""
        old = task_of(start([1]))
        root = old.root()
        old.add(end([2]))

        assert root is old.root()

    def test_roots_do_not_change(self) -> None:
        """A tree that was handed out stays as it was, wherever messages come later."""
        task = task_of(start([1]), start([2, 1]), start([2, 2, 1]), end([2, 2, 2]))
        root = task.root()
        for late in (message([2, 2, 3]), message([2, 2, 4]), message([2, 3]), message([3, 1, 1])):
            task = task.add(late)
            task.root()

        assert ["/1", ["/2/1", ["/2/2/1", "/2/2/2"], None], None] == levels(root)
        assert levels(task.root()) == [
            "/1",
            ["/2/1", ["/2/2/1", "/2/2/3", "/2/2/4", "/2/2/2"], "/2/3", None],
            [None, [None, "/3/1/1", None], None],
            None,
        ]

    def test_same_message_makes_no_new_task(self) -> None:
        """A task that has the message already is returned as it is."""
        task = task_of(start([1]), message([2]))

        assert task is task.add(message([2]))

    def test_empty(self) -> None:
        """An empty task has no root; all empty tasks are equal."""
        with pytest.raises(KeyError):
            Task().root()

        assert not Task().is_complete()
        assert Task() == Task()
        assert hash(Task()) == hash(Task())
        assert Task() != task_of(message([1]))

    def test_strangers(self) -> None:
        """Nothing but a task is equal to one."""
        assert task_of(message([1])) != message([1])

    def test_never_changes(self) -> None:
        """Nothing can be assigned."""
        for name in ("root", "add", "other"):
            with pytest.raises(AttributeError):
                setattr(Task(), name, 1)

    @pytest.mark.parametrize("messages", [[], [message([1])], log([None, [None], None])])
    def test_copies_are_equal(self, messages: List[Fields]) -> None:
        """Pickling and copying keep the content."""
        task = task_of(*messages)

        assert task == pickle.loads(pickle.dumps(task))  # noqa: S301 - our own
        assert task == copy.copy(task) == copy.deepcopy(task)
        assert task.is_complete() == copy.deepcopy(task).is_complete()

    def test_repr(self) -> None:
        """The repr is short."""
        assert "Task()" == repr(Task())
        assert "<Task 'u': 1 messages, incomplete>" == repr(task_of(start([1])))
        assert "<Task 'u': 2 messages, complete>" == repr(task_of(start([1]), end([2])))
