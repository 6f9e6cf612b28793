"""Running generators step by step in a context of their own, so that nothing leaks at a yield."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from contextvars import Context, copy_context
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
    context: Optional[_Context], start: Callable[[], Any], at_yield: Callable[[], None] = _nothing
) -> Generator[Any, Any, Any]:
    """
    Yield what a generator yields, running each of its steps in a context.

    What comes from outside, by `send`, `throw` and `close`, is passed on; so is the result.

    Args:
        context: Entered for each step, left at each yield; `None` is a copy of that of the first
            step.
        start: Called at the first step for the generator, the coroutine, or the awaitable step of
            an asynchronous generator. It is best made after this generator: what is abandoned
            together is closed oldest first, and only this generator closes it in its context.
        at_yield: Called in the context at each yield.
    """
    if context is None:
        context = copy_context()
    generator = start()
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
        return steps(self._context, lambda: self._awaitable)


def _first_step(generator: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """
    Take the first step of an asynchronous generator, without the event loop's knowledge.

    A loop closes all generators that it knows: those that are garbage, and at its end all at the
    same time. It shall close the one around this one, which closes this one in its context.
    """
    hooks = sys.get_asyncgen_hooks()
    # Without a finalizer, garbage is closed on the spot, in whatever context that happens to be.
    sys.set_asyncgen_hooks(None, _leave_alone)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _leave_alone(generator: AsyncGenerator[Any, Any]) -> None:
    """Do nothing about an abandoned generator."""


async def async_steps(
    context: Optional[_Context],
    generator: AsyncGenerator[Any, Any],
    block: Optional[ContextManager[Any]] = None,
    at_yield: Callable[[], None] = _nothing,
) -> AsyncGenerator[Any, Any]:
    """
    Yield what an asynchronous generator yields, running each of its steps in a context.

    Args:
        context: As for `steps`; it is left at each await, too.
        generator: The generator.
        block: Entered, in the context, from the first step to the last. It is best no generator,
            which could be closed before its time when all of this is abandoned together.
        at_yield: Called in the context at each yield.
    """
    if context is None:
        context = copy_context()
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
