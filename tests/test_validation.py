"""Declared types of messages and actions: what they are called, and how one logs with them."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest

import eliot
import eliot._schema as schema_room
import eliot._validation as validation_room
from eliot import (
    ActionType,
    Field,
    MemoryLogger,
    Message,
    MessageType,
    ValidationError,
    current_action,
    fields,
    start_action,
)
from eliot._tasklevel import TaskLevel

Messages = List[Dict[str, Any]]


@pytest.fixture
def log() -> Messages:
    """Collect what is logged by the default logger."""
    messages: Messages = []
    eliot.add_destinations(messages.append)
    return messages


def tidy(message: Dict[str, Any]) -> Dict[str, Any]:
    """Leave out what differs from run to run."""
    return {k: v for k, v in message.items() if k not in {"timestamp", "task_uuid"}}


class TestMessageType:
    """A declared type of message."""

    def test_says_what_it_is(self) -> None:
        """Name and description are there for the reader; there may be no description."""
        described = MessageType("m", [], "A message.")

        assert ("m", "A message.") == (described.message_type, described.description)
        assert "" == MessageType("m", []).description

    @pytest.mark.parametrize(
        ("declared", "error"),
        [
            ([Field("timestamp", str)], ValueError),
            ([Field("message_type", str)], ValueError),
            ([Field("action_type", str)], ValueError),
            ([Field("_x", str)], ValueError),
            ([*fields(a=int), *fields(a=int)], ValueError),
            (["a"], TypeError),
            ((), TypeError),
        ],
    )
    def test_keeps_the_rules(self, declared: Any, error: type) -> None:
        """A wrong declaration is an error where it is made."""
        with pytest.raises(error):
            MessageType("m", declared)

    def test_rules_are_told(self) -> None:
        """The error shows the names of the fields, with those that are added."""
        with pytest.raises(ValueError, match="must not start with") as caught:
            MessageType("x", [Field("_k", len)])

        assert (
            ["_k", "message_type"],
            "Field names must not start with '_'",
        ) == caught.value.args

    def test_may_have_a_status(self) -> None:
        """A message may have a field of this name."""
        MessageType("m", fields(action_status=str)).log(action_status="odd")

    def test_logs(self, log: Messages) -> None:
        """The fields are converted, and nothing is validated."""
        MessageType("m", [Field("x", str), *fields(y=int)]).log(x=3, y="no int", z=4)

        assert [{"x": "3", "y": "no int", "z": 4, "message_type": "m", "task_level": [1]}] == [
            tidy(m) for m in log
        ]

    def test_logs_in_the_current_action(self, log: Messages) -> None:
        """The message takes a slot of the current action, and goes to its logger."""
        logger = MemoryLogger()
        message_type = MessageType("m", fields(x=int))
        with start_action(logger, "a"):
            message_type.log(x=3)

        assert [] == log
        assert {"x": 3, "message_type": "m", "task_level": [2]} == tidy(logger.messages[1])
        assert message_type._serializer is logger.serializers[1]

    def test_logs_to_another_logger(self) -> None:
        """A logger can be given, which validates in a test."""
        logger = MemoryLogger()
        message_type = MessageType("m", fields(x=int))
        message_type.log(x=3, __eliot_logger__=logger)
        logger.validate()
        message_type.log(x="3", __eliot_logger__=logger)
        with pytest.raises(ValidationError):
            logger.validate()

    def test_call_is_deprecated(self, log: Messages) -> None:
        """Calling it makes a message of the type, and says that this is deprecated."""
        message_type = MessageType("m", [Field("x", str)])
        with pytest.warns(DeprecationWarning, match="is deprecated") as caught:
            message = message_type(x=3, message_type="other")

        assert (
            "MessageType.__call__() is deprecated since 1.11.0, use MessageType.log() instead."
        ) == str(caught[0].message)
        assert __file__ == caught[0].filename
        assert (Message, {"x": 3, "message_type": "m"}) == (type(message), message.contents())
        message.write()
        assert "3" == log[0]["x"]


class TestActionType:
    """A declared type of action."""

    ACTION = ActionType(
        action_type="a",
        startFields=[Field("x", str)],
        successFields=[Field("y", str)],
        description="An action.",
    )

    def test_says_what_it_is(self) -> None:
        """Name and description are there for the reader; there may be no description."""
        assert ("a", "An action.") == (self.ACTION.action_type, self.ACTION.description)
        assert "" == ActionType("a", [], []).description

    @pytest.mark.parametrize(
        "declared", [([Field("_x", str)], []), ([], [Field("action_status", str)])]
    )
    def test_keeps_the_rules(self, declared: Tuple[List[Field], List[Field]]) -> None:
        """A wrong declaration is an error where it is made."""
        with pytest.raises(ValueError, match=r"Field|Duplicate"):
            ActionType("a", *declared)

    def test_lists_only(self) -> None:
        """The fields are given as lists."""
        wrong: Any = ()
        with pytest.raises(TypeError, match="must be given as a list"):
            ActionType("a", wrong, [])
        with pytest.raises(TypeError, match="must be given as a list"):
            ActionType("a", [], wrong)

    def test_starts_an_action(self, log: Messages) -> None:
        """The action is child of the current one; start and success are converted."""
        with start_action(action_type="outer") as outer, self.ACTION(x=1) as action:
            action.add_success_fields(y=2)

        assert outer.task_uuid == action.task_uuid
        assert [
            {"x": "1", "action_type": "a", "action_status": "started", "task_level": [2, 1]},
            {"y": "2", "action_type": "a", "action_status": "succeeded", "task_level": [2, 2]},
        ] == [tidy(m) for m in log[1:3]]

    def test_starts_a_task(self, log: Messages) -> None:
        """The action is the root of a new task, whatever the current action is."""
        with start_action(action_type="outer") as outer:
            action = self.ACTION.as_task(x=1)

        assert outer.task_uuid != action.task_uuid
        assert TaskLevel([]) == action._task_level
        assert "1" == log[1]["x"]
        assert ActionType.asTask is ActionType.as_task

    @pytest.mark.parametrize("start", [ACTION, ACTION.as_task])
    def test_takes_a_logger(self, log: Messages, start: Any) -> None:
        """The logger comes first, or by name; the serializers go to it."""
        first, second = MemoryLogger(), MemoryLogger()
        start(first, x=1).finish()
        start(logger=second, x=1).finish()
        serializers = self.ACTION._serializers

        assert [serializers.start, serializers.success] == first.serializers == second.serializers
        assert [] == log

    def test_failure(self) -> None:
        """A failed action has its own declaration, which extractors may add to."""
        logger = MemoryLogger()
        with pytest.raises(FileNotFoundError), self.ACTION(logger, x=1):
            raise FileNotFoundError(2, "text")
        logger.validate()

        assert self.ACTION._serializers.failure is logger.serializers[1]
        assert 2 == logger.messages[1]["errno"]

    def test_start_functions_can_be_replaced(self) -> None:
        """Published suites replace the functions that start the action, on the instance."""
        action_type: Any = ActionType("a", [], [])
        action_type._start_action = lambda *args, **kwargs: ("action", args, kwargs)
        action_type._startTask = lambda *args, **kwargs: ("task", args, kwargs)
        logger = MemoryLogger()

        assert ("action", (logger, "a", action_type._serializers), {"x": 1}) == action_type(
            logger, x=1
        )
        assert ("task", (None, "a", action_type._serializers), {"x": 1}) == action_type.as_task(x=1)

    def test_current_inside(self) -> None:
        """It is an action like any other."""
        with self.ACTION(x=1) as action:
            assert current_action() is action


def test_old_addresses() -> None:
    """The names of the room of shapes are still found here."""
    found = vars(validation_room)

    assert schema_room.MessageSerializer is found["_MessageSerializer"]
    assert schema_room.ActionSerializers is found["_ActionSerializers"]
    for name in ("Field", "ValidationError", "fields", "REASON", "TRACEBACK", "EXCEPTION"):
        assert vars(schema_room)[name] is found[name]
    assert ("task_level", "task_uuid", "timestamp") == found["RESERVED_FIELDS"]
    assert ["reason", "traceback", "exception"] == [
        found[name].key for name in ("REASON", "TRACEBACK", "EXCEPTION")
    ]
