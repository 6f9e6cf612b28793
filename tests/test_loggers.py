"""Loggers serialize messages and pass them on."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from zope.interface import Interface, implementer
from zope.interface.verify import verifyClass, verifyObject

from eliot._action import start_action
from eliot._destinations import PROCESS, Destinations
from eliot._errors import _error_extraction
from eliot._interface import ILogger
from eliot._loggers import Logger
from eliot._memory import MemoryLogger
from eliot._validation import Field, MessageType

Messages = List[Dict[str, Any]]


class Serializer:
    """Changes the message in place, may fail half-way."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.failure = failure

    def serialize(self, message: dict[str, Any]) -> None:
        """Change it."""
        message["first"] = "converted"
        if self.failure is not None:
            raise self.failure
        message["second"] = "converted"

    def validate(self, message: dict[str, Any]) -> None:
        """Loggers have no use for this."""
        raise AssertionError(message)


@pytest.fixture
def logged() -> Messages:
    """Collect what is logged."""
    messages: Messages = []
    PROCESS.add(messages.append)
    return messages


class TestILogger:
    """The interface."""

    def test_is_an_interface(self) -> None:
        """It is one of zope.interface, and has one method."""
        assert issubclass(type(ILogger), type(Interface))
        assert ["write"] == list(ILogger)  # type: ignore[call-overload] # an object, not a class

    @pytest.mark.parametrize("cls", [Logger, MemoryLogger])
    def test_is_implemented(self, cls: type[Any]) -> None:
        """The loggers declare it, and keep to it."""
        assert verifyClass(ILogger, cls)
        assert verifyObject(ILogger, cls())
        assert ILogger.providedBy(cls())

    def test_can_be_implemented(self) -> None:
        """Programs declare it on loggers of their own."""

        @implementer(ILogger)
        class Own:
            def write(self, dictionary: Any, serializer: Any = None) -> None:
                """Do nothing."""

        assert verifyClass(ILogger, Own)

    def test_need_not_be_declared(self) -> None:
        """Any object that has the method is a logger."""
        written: Messages = []

        class Own:
            def write(self, dictionary: Any, serializer: Any = None) -> None:
                written.append(dictionary)

        start_action(Own(), "act").finish()

        assert ["started", "succeeded"] == [m["action_status"] for m in written]


class TestLogger:
    """`Logger`."""

    def test_writes_to_the_process(self, logged: Messages) -> None:
        """All loggers share the destinations of the process."""
        Logger().write({"hello": 1})
        Logger().write({"hello": 2})

        assert isinstance(Logger._destinations, Destinations)
        assert [{"hello": 1}, {"hello": 2}] == logged

    def test_may_have_its_own_destinations(self, logged: Messages) -> None:
        """An instance can be given others."""
        logger = Logger()
        logger._destinations = Destinations()
        own: Messages = []
        logger._destinations.add(own.append)
        logger.write({"hello": 1})

        assert ([{"hello": 1}], []) == (own, logged)

    def test_adds_nothing(self, logged: Messages) -> None:
        """Raw dictionaries pass as they are, apart from global fields."""
        PROCESS.add_global_fields(g=1)
        Logger().write({})

        assert [{"g": 1}] == logged

    def test_leaves_the_message_alone(self, logged: Messages) -> None:
        """What is written is a copy."""
        PROCESS.add_global_fields(g=1)
        message = {"first": 1}
        Logger().write(message, Serializer())

        assert {"first": 1} == message
        assert [{"first": "converted", "second": "converted", "g": 1}] == logged

    def test_lets_interrupts_pass(self) -> None:
        """Whoever interrupts the program means the program."""
        with pytest.raises(KeyboardInterrupt):
            Logger().write({}, Serializer(KeyboardInterrupt()))


class TestFailingSerializer:
    """What a logger does if a serializer fails."""

    def test_tells_and_keeps_the_message(self, logged: Messages) -> None:
        """The traceback is logged, then what could not be serialized, then the message itself."""
        message = {"message_type": "mine", "first": 1, "second": 2}
        Logger().write(message, Serializer(RuntimeError("oops")))
        traceback, failure, kept = logged

        assert "eliot:traceback" == traceback["message_type"]
        assert ("oops", "builtins.RuntimeError") == (traceback["reason"], traceback["exception"])
        assert traceback["traceback"].endswith("\nRuntimeError: oops\n")
        assert "serialize" in traceback["traceback"]
        assert "eliot:serialization_failure" == failure["message_type"]
        assert (
            "{\"'message_type'\": \"'mine'\", \"'first'\": \"'converted'\", \"'second'\": '2'}"
            == failure["message"]
        )
        assert {"message_type": "mine", "first": "converted", "second": 2} == kept

    def test_keeps_its_place(self, logged: Messages) -> None:
        """The message stays where it belongs in the tree; the reports are in the current action."""
        typed = MessageType("mine", [Field("x", int)])
        with start_action(action_type="act"):
            typed.log(x="no number")

        assert [
            ("act", [1]),
            ("eliot:traceback", [3]),
            ("eliot:serialization_failure", [4]),
            ("mine", [2]),
            ("act", [5]),
        ] == [(m.get("message_type") or m["action_type"], m["task_level"]) for m in logged]
        assert 1 == len({m["task_uuid"] for m in logged})
        assert "no number" == logged[3]["x"]

    def test_restores_what_was_removed(self, logged: Messages) -> None:
        """A serializer that removes fields before it fails does not take them out of the log."""

        class Remover(Serializer):
            def serialize(self, message: dict[str, Any]) -> None:
                message.clear()
                super().serialize(message)

        Logger().write({"task_uuid": "u", "first": 1}, Remover(ValueError()))

        assert {"task_uuid": "u", "first": "converted"} == logged[-1]

    def test_uses_the_same_logger(self) -> None:
        """The reports go through `write`, as subclasses expect."""
        written: list[object] = []

        class Own(Logger):
            def write(self, dictionary: Any, serializer: Any = None) -> None:
                written.append(dictionary.get("message_type"))
                super().write(dictionary, serializer)

        Own().write({"message_type": "mine"}, Serializer(ValueError()))

        assert ["mine", "eliot:traceback", "eliot:serialization_failure"] == written

    def test_survives_failing_extractors(
        self, logged: Messages, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An extractor that fails on the exception does not hide it."""

        def broken(_: object) -> dict[str, Any]:
            raise ZeroDivisionError

        monkeypatch.setitem(_error_extraction.registry, RuntimeError, broken)
        Logger().write({"first": 1}, Serializer(RuntimeError("oops")))

        assert ["oops"] == [m["reason"] for m in logged if "reason" in m]
        assert 3 == len(logged)
