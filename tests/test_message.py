"""Messages that are made first and written later: the deprecated `Message` class."""

from __future__ import annotations

import time
import warnings
from typing import Any, Dict, List

import pytest

import eliot
import eliot._message as message_room
import eliot._written as written_room
from eliot import MemoryLogger, Message, MessageType, fields, log_message, start_action
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


class Subclass(Message):
    """A program's own kind of message."""


class TestDeprecation:
    """The ways to make a message that are deprecated say so, each time, and blame the caller."""

    def test_new(self) -> None:
        """`Message.new` names its replacement."""
        for _ in range(2):
            with pytest.warns(DeprecationWarning, match="is deprecated") as caught:
                Message.new(x=1)

            assert (
                "Message.new() is deprecated since 1.11.0, use eliot.log_message() instead."
            ) == str(caught[0].message)
            assert __file__ == caught[0].filename

    def test_log(self, log: Messages) -> None:
        """`Message.log` names its replacements, and logs."""
        with pytest.warns(DeprecationWarning, match="is deprecated") as caught:
            Message.log(message_type="m", x=1)

        assert (
            "Message.log() is deprecated since 1.11.0, "
            "use Action.log() or eliot.log_message() instead."
        ) == str(caught[0].message)
        assert __file__ == caught[0].filename
        assert [{"message_type": "m", "x": 1, "task_level": [1]}] == [tidy(m) for m in log]

    def test_comes_first(self, log: Messages) -> None:
        """Where warnings are errors nothing is logged."""
        with pytest.raises(DeprecationWarning):
            Message.log()

        assert [] == log

    def test_all_else_is_silent(self) -> None:
        """Making a message by its class, and writing it, warns of nothing."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Message({}).bind(x=1).write()


class TestMaking:
    """Messages are values."""

    def test_contents_are_copied(self) -> None:
        """The dictionary that a message is made of can change, and so can what it returns."""
        contents = {"x": 1}
        message = Message(contents)
        contents["x"] = 2
        message.contents()["x"] = 3

        assert {"x": 1} == message.contents()

    def test_new(self) -> None:
        """A message is made of keywords; the serializer comes first, or by name."""
        serializer: Any = object()
        for args, kwargs in (((serializer,), {}), ((), {"_serializer": serializer})):
            with pytest.warns(DeprecationWarning, match="is deprecated"):
                message = Subclass.new(*args, **kwargs, logger="x", action=2)

            assert Subclass is type(message)
            assert serializer is message._serializer
            assert {"logger": "x", "action": 2} == message.contents()

    def test_bind(self) -> None:
        """Another message has more fields; the first one stays as it is."""
        serializer: Any = object()
        message = Subclass({"x": 1, "y": 2}, serializer)
        bound = message.bind(y=3, z=4)

        assert Message is type(bound)
        assert serializer is bound._serializer
        assert {"x": 1, "y": 3, "z": 4} == bound.contents()
        assert {"x": 1, "y": 2} == message.contents()

    def test_clock(self) -> None:
        """Published suites look for the clock."""
        assert time.time is Message({})._time


class TestWrite:
    """Writing a message."""

    def test_to_the_default_logger(self, log: Messages) -> None:
        """Without more words it goes where all messages go; it need not have a type."""
        Message({"x": 1}).write()
        Message({"message_type": "m"}).write(None)

        assert [
            {"x": 1, "message_type": "", "task_level": [1]},
            {"message_type": "m", "task_level": [1]},
        ] == [tidy(m) for m in log]
        assert log[0]["task_uuid"] != log[1]["task_uuid"]

    def test_to_another_logger(self, log: Messages) -> None:
        """It may go to another logger, with its serializer."""
        logger, serializer = MemoryLogger(), MessageType("m", fields(x=int))._serializer
        Message({"x": 1, "message_type": "m"}, serializer).write(logger)

        assert [] == log
        assert {"x": 1, "message_type": "m", "task_level": [1]} == tidy(logger.messages[0])
        assert [serializer] == logger.serializers

    def test_in_the_current_action(self) -> None:
        """It takes the next slot of the current action, and goes to its logger or another one."""
        own, other = MemoryLogger(), MemoryLogger()
        with start_action(own, "a") as action:
            Message({"message_type": "first"}).write()
            Message({"message_type": "second"}).write(other)

        assert {"message_type": "first", "task_level": [2]} == tidy(own.messages[1])
        assert {"message_type": "second", "task_level": [3]} == tidy(other.messages[0])
        assert action.task_uuid == other.messages[0]["task_uuid"]

    def test_in_another_action(self) -> None:
        """An action that is given has the say, and its logger takes the message."""
        own, other = MemoryLogger(), MemoryLogger()
        action = start_action(own, "a")
        with start_action(action_type="current"):
            Message({"message_type": "m"}).write(other, action)
            Message({"message_type": "m"}).write(action=action)

        assert [] == other.messages
        assert [[1], [2], [3]] == [message["task_level"] for message in own.messages]
        assert {action.task_uuid} == {message["task_uuid"] for message in own.messages}

    def test_again(self, log: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each time it is another message, with its own dictionary, time and place."""
        logger = MemoryLogger()
        message = Message({"x": 1})
        for now in (1.5, 2.5):
            monkeypatch.setattr(time, "time", lambda now=now: now)
            message.write(logger)
        first, second = logger.messages

        assert (1.5, 2.5) == (first["timestamp"], second["timestamp"])
        assert first["task_uuid"] != second["task_uuid"]
        assert first is not second
        assert {"x": 1} == message.contents()


def test_old_addresses() -> None:
    """The names of other rooms that were found here still are."""
    found = vars(message_room)

    assert log_message is found["log_message"]
    assert TaskLevel is found["TaskLevel"]
    assert written_room.WrittenMessage is found["WrittenMessage"]
    assert ["exception", "message_type", "reason", "task_level", "task_uuid", "timestamp"] == [
        found[f"{name}_FIELD"]
        for name in ("EXCEPTION", "MESSAGE_TYPE", "REASON", "TASK_LEVEL", "TASK_UUID", "TIMESTAMP")
    ]
