"""Generators that keep to their own action context across `yield`."""

from __future__ import annotations

from functools import wraps
from typing import Any, AsyncGenerator, Callable, Generator, List, TypeVar, cast

from eliot._action import log_message
from eliot._safe import saferepr
from eliot._steps import async_steps, steps

__all__ = ["GeneratorSupportNotEnabled", "eliot_friendly_generator_function"]

_F = TypeVar("_F", bound=Callable[..., Any])


class GeneratorSupportNotEnabled(Exception):
    """Nothing raises this any more; it is kept for programs that catch it."""


def eliot_friendly_generator_function(original: _F) -> _F:
    """
    Let a generator function, plain or asynchronous, use actions around `yield`.

    The body runs in a context of its own, a copy of that of the first `next()`: the action that is
    current inside stays so across `yield`, and never leaks to the consumer.

    Args:
        original: A generator function.

    Returns:
        A function that does the same. If its attribute `debug` is true, a message of type
        `yielded` is logged inside at each `yield`.

    .. versionchanged:: 2.0
        What the generator returns is kept; asynchronous generators are supported.

    >>> import eliot
    >>> @eliot_friendly_generator_function
    ... def numbers():
    ...     with eliot.start_action(action_type="numbers"):
    ...         yield 1
    >>> for number in numbers():
    ...     print(number, eliot.current_action())
    1 None
    """

    @wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        made: List[Any] = []
        running = steps(None, made.pop, at_yield)
        generator = original(*args, **kwargs)  # after `running`: see `steps`
        if isinstance(generator, AsyncGenerator):
            return async_steps(None, generator, at_yield=at_yield)
        if not isinstance(generator, Generator):
            msg = (
                "eliot_friendly_generator_function is for generator functions; "
                f"{saferepr(original)} returned {saferepr(generator)}"
            )
            raise TypeError(msg)
        made.append(generator)
        return running

    def at_yield() -> None:
        if wrapper.debug:  # type: ignore[attr-defined] # set below
            log_message("yielded")

    wrapper.debug = False  # type: ignore[attr-defined] # for the user to set
    return cast("_F", wrapper)
