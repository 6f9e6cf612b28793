"""What type checkers see of destinations, loggers, levels and switches."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import io
import logging
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from typing_extensions import assert_type

import eliot
from eliot import (
    BackgroundWriter,
    FileDestination,
    ILogger,
    Logger,
    MemoryLogger,
    add_destination,
    add_destinations,
    add_global_fields,
    addDestination,
    addGlobalFields,
    configure,
    is_enabled,
    register_json_encoder,
    remove_destination,
    removeDestination,
    start_action,
    status,
    to_console,
    to_file,
    use_asyncio_context,
)
from eliot._status import DestinationStatus, Status


class Collected(List[Dict[str, Any]]):
    """Be a destination, by class."""

    def __call__(self, message: Dict[str, Any]) -> None:
        """Take a message."""
        self.append(message)


class OwnLogger:
    """Be a logger without declaring it."""

    def write(self, dictionary: Dict[str, Any], serializer: Any = None) -> None:
        """Take a message."""


def test_files(tmp_path: Path) -> None:
    """They are paths, or open for bytes or for text."""
    to_file(str(tmp_path / "a"))
    to_file(tmp_path / "b", watch=True, fsync=True)
    to_file(io.BytesIO())
    to_file(io.StringIO(), json_default=str)
    destination = FileDestination(tmp_path / "c")
    assert_type(destination, FileDestination)
    destination({"x": 1})
    assert 0 == assert_type(destination.degraded, int)
    with pytest.raises(TypeError):
        to_file(tmp_path / "d", None, None, True)  # type: ignore[call-arg] # only by name


def test_console() -> None:
    """What it returns can be removed."""
    stream = io.StringIO()
    destination = to_console(stream, color=False, full=True)
    remove_destination(destination)
    remove_destination(to_console())
    with pytest.raises(TypeError):
        to_console(stream, True)  # type: ignore[call-arg] # only by name


def test_background_writer() -> None:
    """It is a destination, and a context manager."""
    with BackgroundWriter(FileDestination(io.BytesIO()), max_messages=10) as writer:
        assert_type(writer, BackgroundWriter)
        add_destinations(writer)
        remove_destination(writer)
        assert_type(writer.flush(1.0), bool)
        assert 0 == assert_type(writer.dropped, int)
    assert_type(writer.stop(timeout=1), bool)
    with pytest.raises(TypeError):
        BackgroundWriter(7)  # type: ignore[arg-type] # it cannot be called
    with pytest.raises(TypeError):
        BackgroundWriter(print, 10)  # type: ignore[call-arg] # only by name


def test_destinations() -> None:
    """Whatever takes a message is one."""
    messages: List[Dict[str, Any]] = []
    collected = Collected()
    add_destinations(messages.append, collected, print)
    remove_destination(messages.append)
    removeDestination(print)
    add_global_fields(service="web", port=80)
    addGlobalFields(host="a")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        add_destination(messages.append)
    with pytest.warns(DeprecationWarning, match="deprecated"):
        addDestination(collected)
    with pytest.raises(TypeError):
        add_destinations(7)  # type: ignore[arg-type] # it cannot be called
    with pytest.raises(TypeError):
        add_global_fields({"x": 1})  # type: ignore[call-arg] # fields have names


def test_loggers() -> None:
    """Whatever has the method is one, and can be given where one is expected."""
    logger = MemoryLogger()
    logger.write({"message_type": "m"})
    logger.validate()
    assert_type(logger.messages, List[Dict[str, Any]])
    assert_type(logger.tracebackMessages, List[Dict[str, Any]])
    assert_type(logger.flush_tracebacks(ValueError), List[Dict[str, Any]])
    assert_type(logger.flushTracebacks((ValueError, OSError)), List[Dict[str, Any]])
    logger.reset()
    assert_type(logger.serialize(), List[Dict[str, Any]])
    Logger().write({"message_type": "m"})
    start_action(OwnLogger(), "a").finish()
    assert ILogger.providedBy(logger)


def test_status() -> None:
    """It is made of named tuples."""
    add_destinations(print)
    told = status()
    assert_type(told, Status)
    assert_type(told.dropped, int)
    assert_type(told.destinations, Tuple[DestinationStatus, ...])
    assert 0 == assert_type(told.destinations[0].written, int)


def test_switches() -> None:
    """They are true or false, and given by name."""
    configure(
        duration=True,
        traceback=True,
        caller=False,
        process=True,
        host=None,
        thread=True,
        task=True,
    )
    with pytest.raises(TypeError):
        configure(duration="yes")  # type: ignore[arg-type] # it is neither
    with pytest.raises(TypeError):
        configure(user=True)  # type: ignore[call-arg] # there is no such switch
    with pytest.raises(TypeError):
        configure(True)  # type: ignore[call-arg] # which one?


def test_levels() -> None:
    """They are names, or numbers of standard logging."""
    configure(levels={"*": "info", "db:*": logging.WARNING})
    names: Dict[str, str] = {"*": "debug"}
    configure(levels=names)
    assert_type(is_enabled("db:query"), bool)
    assert_type(is_enabled("db:query", "debug"), bool)
    assert_type(is_enabled("db:query", level=logging.DEBUG), bool)
    with pytest.raises(TypeError):
        configure(levels="info")  # type: ignore[arg-type] # of which types?


def test_json_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """One takes what it is registered for."""
    monkeypatch.setattr("eliot._jsonable._REGISTERED", {})

    class Money:
        """An amount."""

        cents: int = 0

    def of_text(text: str) -> str:
        return text

    register_json_encoder(Money, lambda money: money.cents)
    register_json_encoder(Decimal, str)
    register_json_encoder(Money, of_text)  # type: ignore[arg-type] # it takes others


def test_the_rest() -> None:
    """It is there."""
    assert_type(eliot.__version__, str)
    assert eliot._parse is sys.modules["eliot.parse"]
    with pytest.warns(DeprecationWarning, match="no longer"):
        use_asyncio_context()
    with pytest.raises(AttributeError):
        eliot.nonsense  # type: ignore[attr-defined] # noqa: B018 - there is none
