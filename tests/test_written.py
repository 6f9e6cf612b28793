"""Tests of `eliot._written`."""

from __future__ import annotations

import copy
import pickle
from types import MappingProxyType
from typing import Any, Dict, List, Type

import pytest
from pyrsistent import discard, ny, pmap, pvector

from eliot._written import (
    DuplicateChild,
    InvalidStartMessage,
    InvalidStatus,
    WrittenAction,
    WrittenMessage,
    WrongActionType,
    WrongTask,
    WrongTaskLevel,
    describe,
)
from eliot.parse import TaskLevel

ERRORS = [
    DuplicateChild,
    InvalidStartMessage,
    InvalidStatus,
    WrongActionType,
    WrongTask,
    WrongTaskLevel,
]


def fields(level: Any, **more: Any) -> Dict[str, Any]:
    """Return the fields of a message."""
    return {"task_uuid": "u", "task_level": level, "timestamp": 1.5, **more}


def message(level: Any, **more: Any) -> WrittenMessage:
    """Make a plain message."""
    return WrittenMessage.from_dict(fields(level, message_type="m", **more))


def start(level: Any, action_type: str = "a", **more: Any) -> WrittenMessage:
    """Make a start message."""
    identity = {"action_type": action_type, "action_status": "started"}
    return WrittenMessage.from_dict(fields(level, **identity, **more))


def end(
    level: Any, action_type: Any = "a", status: str = "succeeded", **more: Any
) -> WrittenMessage:
    """Make a finish message."""
    identity = {"action_type": action_type, "action_status": status}
    return WrittenMessage.from_dict(fields(level, **identity, **more))


def chain(depth: int) -> WrittenAction:
    """Make actions in actions, so many deep."""
    action = WrittenAction.from_messages(start([2] * depth + [1]))
    for above in reversed(range(depth)):
        action = WrittenAction.from_messages(start([2] * above + [1]), [action])
    return action


class TestWrittenMessage:
    """One message."""

    def test_identity(self) -> None:
        """The identifying fields have attributes."""
        written = message([1, 2])

        assert (1.5, "u", TaskLevel([1, 2])) == (
            written.timestamp,
            written.task_uuid,
            written.task_level,
        )

    def test_contents(self) -> None:
        """The other fields are a mapping, with attributes."""
        contents = message([1], x=5).contents

        assert {"message_type": "m", "x": 5} == contents == dict(contents)
        assert {"message_type": "m", "x": 5}.items() == set(contents.items())
        assert ("m", 5, None) == (contents.message_type, contents["x"], contents.get("y"))
        assert "x" in contents
        assert 2 == len(contents)

    def test_contents_are_made_once(self) -> None:
        """Asking twice gives the same map."""
        written = message([1])

        assert written.contents is written.contents

    def test_as_dict(self) -> None:
        """All fields come as a dictionary that may be changed."""
        written = message([1])
        written.as_dict()["x"] = 1

        assert fields([1], message_type="m") == written.as_dict()
        assert dict is type(written.as_dict())

    @pytest.mark.parametrize("convert", [dict, pmap, MappingProxyType])
    def test_copies_any_mapping(self, convert: Any) -> None:
        """It is made of a copy of any mapping."""
        original = fields([1], message_type="m")
        written = WrittenMessage.from_dict(convert(original))
        original["x"] = 1

        assert message([1]) == written

    @pytest.mark.parametrize("wrong", [None, [], "text", 3, [("a", 1)]])
    def test_refuses_what_is_no_mapping(self, wrong: Any) -> None:
        """Anything else is refused, by name."""
        with pytest.raises(TypeError) as error:
            WrittenMessage.from_dict(wrong)

        assert repr(wrong) in str(error.value)

    @pytest.mark.parametrize("name", ["timestamp", "task_uuid", "task_level"])
    def test_missing_field(self, name: str) -> None:
        """A field that is not there raises when it is read, and not before."""
        written = WrittenMessage.from_dict({"x": 1})
        with pytest.raises(KeyError):
            getattr(written, name)

        assert {"x": 1} == written.contents

    @pytest.mark.parametrize("level", [[1, 2], (1, 2), pvector([1, 2]), "/1/2"])
    def test_forms_of_the_level(self, level: Any) -> None:
        """The level may be a list, a tuple, a vector or text."""
        assert TaskLevel([1, 2]) == message(level).task_level

    def test_value(self) -> None:
        """Equal content makes equal messages, which hash alike, and nothing else is equal."""
        assert message([1]) == message([1])
        assert hash(message([1])) == hash(message([1]))
        assert message([1]) != message([2])
        assert message([1]) != message([1]).as_dict()
        assert 1 == len({message([1]), message([1])})
        assert message([1])

    def test_never_changes(self) -> None:
        """Nothing can be assigned."""
        written = message([1])
        for name in ("timestamp", "contents", "other"):
            with pytest.raises(AttributeError):
                setattr(written, name, 1)

    def test_copies_are_equal(self) -> None:
        """Pickling and copying keep the content."""
        written = message([1], x={"deep": [1]})

        assert written == pickle.loads(pickle.dumps(written))  # noqa: S301 - our own
        assert written == copy.copy(written) == copy.deepcopy(written)

    def test_repr_can_be_pasted(self) -> None:
        """The repr is an expression that makes the message."""
        written = message([1])

        assert written == eval(repr(written))  # noqa: S307 - our own

    def test_transform(self) -> None:
        """A changed copy is made as of a persistent map: with functions, values and commands."""
        written = message([1], x=1).transform(
            ["_logged_dict", "task_level"],
            lambda level: [2, *level],
            ["_logged_dict", "message_type"],
            "other",
            ["_logged_dict", "x"],
            discard,
        )

        assert WrittenMessage.from_dict(fields([2, 1], message_type="other")) == written

    def test_transform_of_children(self) -> None:
        """So can copies of an action's children."""
        action = WrittenAction.from_messages(start([1]), [message([2]), message([3])])
        moved = action.children.transform(
            [ny], lambda child: child.transform(["_logged_dict", "task_uuid"], "v")
        )

        assert [message([2], task_uuid="v"), message([3], task_uuid="v")] == list(moved)


class TestWrittenAction:
    """One action, made by hand."""

    def test_whole(self) -> None:
        """An action is described by its messages."""
        first, last = start([1], timestamp=1), end([4], status="failed", exception="E", reason="R")
        action = WrittenAction.from_messages(first, [message([3]), message([2])], last)

        assert (first, last) == (action.start_message, action.end_message)
        assert ("u", TaskLevel([])) == (action.task_uuid, action.task_level)
        assert ("a", "failed", 1, 1.5) == (
            action.action_type,
            action.status,
            action.start_time,
            action.end_time,
        )
        assert ("E", "R") == (action.exception, action.reason)
        assert [message([2]), message([3])] == list(action.children)

    def test_only_start(self) -> None:
        """Without its end an action is started, and no more is known."""
        action = WrittenAction.from_messages(start([2, 1]))

        assert ("a", "started", 1.5) == (action.action_type, action.status, action.start_time)
        assert TaskLevel([2]) == action.task_level
        assert (None, None, None) == (action.end_time, action.exception, action.reason)
        assert [] == list(action.children)

    def test_only_end(self) -> None:
        """The end alone tells the type, the status and the place."""
        action = WrittenAction.from_messages(end_message=end([2, 5]))

        assert ("a", "succeeded", None) == (action.action_type, action.status, action.start_time)
        assert TaskLevel([2]) == action.task_level

    def test_only_children(self) -> None:
        """Children alone tell the place."""
        action = WrittenAction.from_messages(children=[message([2, 5])])

        assert (None, None) == (action.action_type, action.status)
        assert ("u", TaskLevel([2])) == (action.task_uuid, action.task_level)

    def test_success_has_no_exception(self) -> None:
        """A success has no reason."""
        action = WrittenAction.from_messages(start([1]), (), end([2]))

        assert (None, None) == (action.exception, action.reason)

    def test_any_iterable_of_children(self) -> None:
        """Children may come from a generator."""
        action = WrittenAction.from_messages(children=(message([n]) for n in (2, 3)))

        assert [message([2]), message([3])] == list(action.children)

    def test_children_are_a_sequence(self) -> None:
        """Children can be counted, indexed and iterated; equal ones count once."""
        child = WrittenAction.from_messages(start([3, 1]))
        action = WrittenAction.from_messages(start([1]), [child, message([2]), message([2])])

        same: Any = [message([2]), child]

        assert same == action.children
        assert 2 == len(action.children)
        assert child == action.children[1]
        assert [message([2]), child] == list(action.children)
        assert action.children is action.children

    def test_nothing(self) -> None:
        """There is no action without any message."""
        with pytest.raises(IndexError):
            WrittenAction.from_messages()

    @pytest.mark.parametrize(
        ("expected", "parts"),
        [
            (InvalidStartMessage, [start([2])]),
            (InvalidStartMessage, [start([])]),
            (InvalidStartMessage, [end([1])]),
            (InvalidStartMessage, [message([1])]),
            (DuplicateChild, [start([1]), [message([2]), message([2], x=1)]]),
            (DuplicateChild, [start([1]), [message([2]), chain(1).children[0]]]),
            (WrongTask, [start([1]), [message([2], task_uuid="v")]]),
            (WrongTaskLevel, [start([1]), [message([2, 1])]]),
            (WrongTaskLevel, [start([1]), [chain(0)]]),
            (WrongTaskLevel, [None, [message([])]]),
            (WrongActionType, [start([1]), [], end([2], "b")]),
            (WrongActionType, [start([1]), [], end([2], None)]),
            (WrongActionType, [start([1]), [], message([2])]),
            (WrongTask, [start([1]), [], end([2], task_uuid="v")]),
            (WrongTaskLevel, [start([1]), [], end([2, 2])]),
            (InvalidStatus, [start([1]), [], end([2], status="started")]),
            (InvalidStatus, [None, [], message([2])]),
        ],
    )
    def test_checks(self, expected: Type[Exception], parts: List[Any]) -> None:
        """Parts that do not belong together are refused."""
        with pytest.raises(expected):
            WrittenAction.from_messages(*parts)

    def test_order_of_checks(self) -> None:
        """Of several faults the first one is reported."""
        other = end([9, 9], "b", "weird", task_uuid="v")
        with pytest.raises(WrongActionType):
            WrittenAction.from_messages(start([1]), [], other)
        with pytest.raises(DuplicateChild):
            WrittenAction.from_messages(start([1]), [message([2]), message([2], task_uuid="v")])
        with pytest.raises(WrongTask):
            WrittenAction.from_messages(start([1]), [message([2, 2], task_uuid="v")])

    def test_value(self) -> None:
        """Equal content makes equal actions, which hash alike, and nothing else is equal."""
        assert chain(3) == chain(3)
        assert hash(chain(3)) == hash(chain(3))
        assert chain(3) != chain(3).start_message
        assert chain(3)

    @pytest.mark.parametrize(
        "other",
        [
            WrittenAction.from_messages(start([1]), [message([2])]),
            WrittenAction.from_messages(start([1]), [message([3], x=1)]),
            WrittenAction.from_messages(start([1]), [chain(1).children[0]]),
            WrittenAction.from_messages(start([1], "b"), [message([2], x=1)]),
            WrittenAction.from_messages(None, [message([2], x=1)]),
            WrittenAction.from_messages(start([1]), [message([2], x=1)], end([3])),
            WrittenAction.from_messages(start([3, 1]), [message([3, 2], x=1)]),
            WrittenAction.from_messages(
                start([1], task_uuid="v"), [message([2], x=1, task_uuid="v")]
            ),
        ],
    )
    def test_differences(self, other: WrittenAction) -> None:
        """Any difference makes actions unequal."""
        action = WrittenAction.from_messages(start([1]), [message([2], x=1)])

        assert action != other
        assert other != action

    def test_differences_below(self) -> None:
        """So does a difference in an inner action."""
        inner = WrittenAction.from_messages(start([2, 1]))
        other = WrittenAction.from_messages(start([2, 1]), [message([2, 2])])

        assert WrittenAction.from_messages(start([1]), [inner]) != WrittenAction.from_messages(
            start([1]), [other]
        )

    def test_never_changes(self) -> None:
        """Nothing can be assigned."""
        for name in ("task_uuid", "children", "start_message", "other"):
            with pytest.raises(AttributeError):
                setattr(chain(1), name, 1)

    @pytest.mark.parametrize("depth", [0, 3, 1200])
    def test_copies_are_equal(self, depth: int) -> None:
        """Pickling and copying keep the content, in trees deeper than the stack too."""
        action = chain(depth)

        assert action == copy.copy(action)
        assert action == copy.deepcopy(action)
        assert action == pickle.loads(pickle.dumps(action))  # noqa: S301 - our own
        assert hash(action) == hash(copy.deepcopy(action))

    def test_repr_is_short(self) -> None:
        """The repr says which action it is, and does not show all that is in it."""
        action = WrittenAction.from_messages(start([1]), [message([2])])

        assert "<action 'a' at TaskLevel([]) of task 'u': started, 1 children>" == repr(action)


class TestErrors:
    """What may be wrong with messages."""

    @pytest.mark.parametrize("error", ERRORS)
    def test_family(self, error: Type[Exception]) -> None:
        """Each is an exception of its own kind."""
        assert (Exception,) == error.__bases__

    def test_text(self) -> None:
        """The text tells what does not fit, and is short."""
        error = WrongTaskLevel(chain(50), message([2, 1], x="long" * 1000))

        assert (
            "Cannot add message 'm' at [2, 1] of task 'u' to action 'a' at TaskLevel([]) of task "
            "'u': its level is not directly below the action's." == str(error)
        )

    @pytest.mark.parametrize("error", [e for e in ERRORS if e is not InvalidStartMessage])
    def test_all_have_text(self, error: Type[Exception]) -> None:
        """Each names both parts, whatever they are."""
        text = str(error(chain(0), "stranger"))

        assert "'stranger'" in text
        assert "action 'a'" in text

    def test_text_of_start_messages(self) -> None:
        """The two ways to be no start message have the texts that they always had."""
        error = InvalidStartMessage.wrong_status(message([2]))

        assert str(error) == (
            "Invalid start message message 'm' at [2] of task 'u': must have status \"STARTED\""
        )
        assert str(InvalidStartMessage.wrong_task_level(start([2]))).endswith(
            ": first message must have task level ending in 1"
        )

    @pytest.mark.parametrize("error", ERRORS)
    def test_copies(self, error: Type[Exception]) -> None:
        """Errors can be sent to other processes."""
        original = error(message([2]), "reason")
        restored = pickle.loads(pickle.dumps(original))  # noqa: S301 - our own

        assert (error, original.args) == (type(restored), restored.args)

    def test_description_of_odd_messages(self) -> None:
        """Describing a message that lacks everything raises nothing."""
        assert "message None at None of task None" == describe(WrittenMessage.from_dict({}))
