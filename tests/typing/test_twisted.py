"""What type checkers see of the bridges to Twisted."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import io
from typing import Any, Generator, Optional

import pytest
from typing_extensions import assert_type

pytest.importorskip("twisted", reason="needs Twisted")

from twisted.application.service import IService
from twisted.internet.defer import Deferred, succeed

from eliot import FileDestination, add_destinations, remove_destination, start_action
from eliot.logwriter import ThreadedWriter
from eliot.twisted import (
    AlreadyFinished,
    DeferredContext,
    TwistedDestination,
    inline_callbacks,
    redirectLogsForTrial,
)


@inline_callbacks
def generator_function(number: int) -> Generator[Deferred[int], int, str]:
    """Yield."""
    return str((yield succeed(number)))


@inline_callbacks(debug=True)
def with_option(number: int) -> Generator[Deferred[int], int, str]:
    """Yield."""
    return str((yield succeed(number)))


@inline_callbacks
async def coroutine_function(number: int) -> str:
    """Await."""
    return str(await succeed(number))


def test_inline_callbacks() -> None:
    """The result is in a Deferred, and the parameters stay."""
    assert_type(generator_function(1), "Deferred[str]")
    assert_type(with_option(1), "Deferred[str]")
    assert_type(coroutine_function(1), "Deferred[str]")
    with pytest.raises(TypeError):
        generator_function()  # type: ignore[call-arg] # it needs a number
    coroutine_function("a")  # type: ignore[arg-type] # it is no number


def test_deferred_context() -> None:
    """Callbacks can be chained, up to the end."""
    with start_action("a").context() as action:
        context = DeferredContext(succeed(1))
    assert_type(context, DeferredContext)
    assert_type(context.addCallback(str), DeferredContext)
    assert_type(context.addErrback(str), DeferredContext)
    assert_type(context.addBoth(str), DeferredContext)
    assert_type(context.addCallbacks(str, str), DeferredContext)
    result: Deferred[Any] = context.addActionFinish()
    assert result.called
    assert_type(DeferredContext(succeed(1), action), DeferredContext)
    with pytest.raises(AlreadyFinished):
        context.addCallback(str)
    with pytest.raises(TypeError):
        context.addCallback()  # type: ignore[call-arg] # which one?


def test_destinations() -> None:
    """They take messages."""
    destination = TwistedDestination()
    add_destinations(destination)
    remove_destination(destination)
    assert_type(redirectLogsForTrial(), Optional[TwistedDestination])


def test_writer() -> None:
    """It is a service, and a destination."""
    writer = ThreadedWriter(FileDestination(io.BytesIO()), reactor=None)
    assert_type(writer, ThreadedWriter)
    add_destinations(writer)
    assert IService.providedBy(writer)
    with pytest.raises(TypeError):
        ThreadedWriter()  # type: ignore[call-arg] # of what?
