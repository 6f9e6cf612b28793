"""Running generators step by step in a context of their own, so that nothing leaks at a yield."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from contextvars import Context
from typing import (
    Any,
    AsyncGenerator,
    Awaitable,
    Callable,
    ContextManager,
    Generator,
    Optional,
    Union,
)

from eliot._context import Standpoint

__all__ = ["async_steps", "steps"]

#: Where the steps run: apart in all context variables, or in the current place alone.
_Context = Union[Context, Standpoint]


def _nothing() -> None:
    """Do nothing at a yield."""


def steps(
    context: _Context, generator: Any, at_yield: Callable[[], None] = _nothing
) -> Generator[Any, Any, Any]:
    """
    Yield what a generator yields, running each of its steps in a context.

    What comes from outside, by `send`, `throw` and `close`, is passed on; so is the result.

    Args:
        context: Entered for each step, left at each yield.
        generator: A generator, a coroutine, or an awaitable step of an asynchronous generator.
        at_yield: Called in the context at each yield.
    """
    step, value = generator.send, None
    while True:
        try:
            item = context.run(step, value)
        except StopIteration as stop:
            return stop.value
        context.run(at_yield)
        try:
            step, value = generator.send, (yield item)
        except BaseException as error:  # GeneratorExit, too: what that does is its own business
            step, value = generator.throw, error


class _Step:
    """One step of an asynchronous generator, to be awaited in its context."""

    __slots__ = ("_awaitable", "_context")

    def __init__(self, context: _Context, awaitable: Awaitable[Any]) -> None:
        self._context = context
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, Any]:
        return steps(self._context, self._awaitable)


def _first_step(generator: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """
    Take the first step of an asynchronous generator, without the event loop's knowledge.

    A loop that ends closes all generators that it knows, at the same time. It shall close the one
    around this one, which closes this one in its context.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


async def async_steps(
    context: _Context,
    generator: AsyncGenerator[Any, Any],
    block: Optional[ContextManager[Any]] = None,
    at_yield: Callable[[], None] = _nothing,
) -> AsyncGenerator[Any, Any]:
    """
    Yield what an asynchronous generator yields, running each of its steps in a context.

    Args:
        context: Entered for each step, left at each await and yield.
        generator: The generator.
        block: Entered, in the context, from the first step to the last.
        at_yield: Called in the context at each yield.
    """
    with ExitStack() as stack:
        if block is not None:
            context.run(block.__enter__)
            stack.push(lambda *exc_info: context.run(block.__exit__, *exc_info))
        step = _first_step(generator)
        while True:
            try:
                item = await _Step(context, step)
            except StopAsyncIteration:
                return
            context.run(at_yield)
            try:
                step = generator.asend((yield item))
            except BaseException as error:  # GeneratorExit, too, as above
                step = generator.athrow(error)
