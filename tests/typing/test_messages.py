"""What type checkers see of messages, tracebacks, and declared types."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from typing_extensions import assert_type

import eliot
from eliot import (
    Action,
    ActionType,
    Field,
    MemoryLogger,
    Message,
    MessageType,
    ValidationError,
    fields,
    log_message,
    register_exception_extractor,
    write_failure,
    write_traceback,
    writeFailure,
    writeTraceback,
)

SIZE = MessageType("size", fields(bytes=int), "How large it is.")
COPY = ActionType("copy", fields(Field("source", str), times=int), [], "A copy is made.")


def refuse_negative(number: int) -> None:
    """Be a validator."""
    if number < 0:
        raise ValidationError(number, "it is negative")


class Failure:
    """Look like one of Twisted."""

    value = ValueError("boom")

    def getBriefTraceback(self) -> str:  # noqa: N802 - Twisted's name
        """Return a text."""
        return "boom"


def test_messages() -> None:
    """A message has a type, and fields of any kind."""
    log_message("m", x=1, log_level="debug")
    log_message(message_type="m", x=object())
    log_message("m", **{"a b": 1})
    with pytest.raises(TypeError):
        log_message()  # type: ignore[call-arg] # it has a type
    with pytest.raises(TypeError):
        log_message("m", 1)  # type: ignore[call-arg] # fields have names


def test_tracebacks() -> None:
    """The exception is the one being handled, or any."""
    try:
        raise KeyError
    except KeyError as error:
        write_traceback()
        write_traceback(exc_info=error)
        write_traceback(exc_info=(KeyError, error, error.__traceback__))
        write_traceback(MemoryLogger(), exc_info=error)
        writeTraceback()
    write_failure(Failure())
    write_failure(Failure(), MemoryLogger())
    writeFailure(Failure())


def test_extractors(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extractor takes what it is registered for."""
    monkeypatch.setattr("eliot._errors._error_extraction.registry", {})

    def extract(error: OSError) -> Dict[str, Any]:
        return {"errno": error.errno}

    register_exception_extractor(FileNotFoundError, extract)
    register_exception_extractor(OSError, lambda error: {"file": error.filename})
    register_exception_extractor(KeyError, extract)  # type: ignore[arg-type] # it takes others


def test_declared_messages() -> None:
    """They are logged with fields by name."""
    assert_type(SIZE, MessageType)
    assert_type(SIZE.message_type, str)
    assert_type(SIZE.description, str)
    SIZE.log(bytes=3)
    with pytest.raises(TypeError):
        SIZE.log(3)  # type: ignore[call-arg] # fields have names
    with pytest.warns(DeprecationWarning, match="deprecated"):
        assert_type(SIZE(bytes=3), Message)
    with pytest.raises(TypeError):
        MessageType("size", {"bytes": int})  # type: ignore[arg-type] # it takes a list


def test_declared_actions() -> None:
    """They make actions."""
    assert_type(COPY, ActionType)
    assert_type(COPY.action_type, str)
    assert_type(COPY.description, str)
    with COPY(source="a", times=1) as action:
        assert_type(action, Action)
    assert_type(COPY(MemoryLogger(), source="a", times=1), Action)
    assert_type(COPY.as_task(source="a", times=1), Action)
    assert_type(COPY.asTask(source="a", times=1), Action)
    with pytest.raises(TypeError):
        ActionType("copy", [])  # type: ignore[call-arg] # the fields of the end are missing


def test_fields() -> None:
    """They are made in several ways; `fields` makes a list of them."""
    field = Field("x", str, "A text.", refuse_negative)
    assert "1" == assert_type(field.serialize(1), Any)
    field.validate(1)
    assert_type(field.key, str)
    assert_type(field.description, str)
    assert_type(Field.for_value("x", 1), Field)
    assert_type(Field.forValue("x", 1, "One."), Field)
    assert_type(Field.for_types("x", [int, None], "A number.", refuse_negative), Field)
    assert_type(Field.forTypes("x", [int]), Field)
    assert_type(fields(field, y=int), List[Field])
    with pytest.raises(TypeError):
        Field("x")  # type: ignore[call-arg] # it needs a serializer
    fields("x")  # type: ignore[arg-type] # it is no field
    with pytest.raises(ValidationError):
        field.validate(-1)


def test_deprecated_messages() -> None:
    """They have types, too."""
    message = Message({"message_type": "m"})
    assert_type(message.bind(x=1), Message)
    assert_type(message.contents(), Dict[str, Any])
    message.write()
    message.write(MemoryLogger())
    message.write(None, eliot.start_action("a"))
    with pytest.warns(DeprecationWarning, match="deprecated"):
        assert_type(Message.new(x=1), Message)
    with pytest.warns(DeprecationWarning, match="deprecated"):
        Message.log(x=1)
