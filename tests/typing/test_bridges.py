"""What type checkers see of the bridges that need no other package, and of small modules."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import io
import logging
from datetime import datetime, timezone
from typing import Any, Dict, List

import pytest
from typing_extensions import assert_type

from eliot import add_destinations
from eliot.json import EliotJSONEncoder, encode, json_default, set_max_values
from eliot.serializers import identity, md5hex, timestamp
from eliot.stdlib import (
    EliotHandler,
    HandlerDestination,
    TaskFilter,
    UncaughtCapture,
    capture_uncaught,
)
from eliot.tai64n import decode
from eliot.tai64n import encode as encode_tai64n


def test_standard_logging() -> None:
    """Handlers, filters and destinations are what standard logging takes, and Eliot."""
    handler: logging.Handler = EliotHandler(logging.INFO)
    handler.addFilter(TaskFilter())
    file = logging.StreamHandler(io.StringIO())
    destination = HandlerDestination(file)
    add_destinations(destination)
    destination({"message_type": "m"})
    with pytest.raises(TypeError):
        HandlerDestination()  # type: ignore[call-arg] # of which handler?


def test_uncaught() -> None:
    """What captures is a context manager."""
    with capture_uncaught() as capture:
        assert_type(capture, UncaughtCapture)
    capture.stop()


def test_json() -> None:
    """Anything becomes bytes."""
    assert b'{"x":1}' == assert_type(encode({"x": 1}), bytes)
    assert_type(encode({"x": object()}, default=None), bytes)
    assert_type(json_default({1}), Any)
    assert_type(EliotJSONEncoder().default({1}), Any)
    assert_type(EliotJSONEncoder().encode({"x": 1}), str)
    set_max_values(10000)
    with pytest.raises(TypeError):
        set_max_values("10")  # type: ignore[arg-type] # it is no number


def test_serializers() -> None:
    """Each takes what it is for."""
    assert_type(timestamp(datetime(2020, 1, 1, tzinfo=timezone.utc)), str)
    assert 1 == assert_type(identity(1), int)
    assert "a" == assert_type(identity("a"), str)
    assert_type(md5hex(b""), str)
    with pytest.raises(TypeError):
        md5hex("")  # type: ignore[arg-type] # it is no bytes


def test_tai64n() -> None:
    """Timestamps become text, and numbers again."""
    text = assert_type(encode_tai64n(1.5), str)
    assert 1.5 == assert_type(decode(text), float)


def test_journald() -> None:
    """The destination is one."""
    pytest.importorskip(
        "eliot.journald", reason="no libsystemd on this interpreter", exc_type=ImportError
    )
    from eliot.journald import JournaldDestination, sd_journal_send

    destination = JournaldDestination(identifier="eliot-tests")
    assert_type(destination, JournaldDestination)
    messages: List[Dict[str, Any]] = []
    add_destinations(messages.append, destination)
    with pytest.raises(TypeError):
        sd_journal_send(b"x")  # type: ignore[call-arg] # fields have names
