"""Taking the current action along: into a thread, an executor, a callback that comes later."""

from __future__ import annotations

from contextlib import suppress
from functools import update_wrapper
from threading import Lock
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from eliot._action import Action
from eliot._context import current
from eliot._fields import REMOTE_TASK_TYPE
from eliot._tasklevel import TaskLevel

__all__ = ["TooManyCalls", "preserve_context"]

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    _P = ParamSpec("_P")
else:
    _P = ...
_T = TypeVar("_T")


class TooManyCalls(Exception):
    """
    Say that what `preserve_context` returned was called a second time.

    Its place in the tree is taken then; preserve the context once for each call.

    >>> from eliot import start_action
    >>> with start_action(action_type="outer"):
    ...     work = preserve_context(lambda: None)
    >>> work()
    >>> try:
    ...     work()
    ... except TooManyCalls:
    ...     print("again")
    again
    """


def preserve_context(f: Callable[_P, _T]) -> Callable[_P, _T]:
    """
    Take the current action along into another thread.

    Args:
        f: A function, or a coroutine function.

    Returns:
        A function that may be called once, anywhere; it calls *f* within an action of type
        `eliot:remote_task`, in the place where this was called; for a coroutine function that
        action lasts until the coroutine has ended. A second call raises `TooManyCalls`. Without a
        current action, *f* itself.

    >>> from threading import Thread
    >>> from eliot import log_message, start_action
    >>> with start_action(action_type="outer"):
    ...     thread = Thread(target=preserve_context(lambda: log_message("inside")))
    >>> thread.start()
    >>> thread.join()
    """
    action = current()
    if action is None:
        return f
    from inspect import iscoroutinefunction  # late: it makes `import eliot` slower by a tenth

    task_uuid, level = action.stamp()
    work: Callable[..., Any] = f
    called = Lock()

    def remote_task() -> Action:
        if not called.acquire(blocking=False):
            raise TooManyCalls(f)
        action = Action(None, task_uuid, TaskLevel(level), REMOTE_TASK_TYPE)
        action._start({})
        return action

    async def coroutine_function(*args: Any, **kwargs: Any) -> Any:
        with remote_task():
            return await work(*args, **kwargs)

    def function(*args: Any, **kwargs: Any) -> Any:
        with remote_task():
            return work(*args, **kwargs)

    chosen: Any = function
    with suppress(Exception):  # a proxy that has nothing behind it yet tells nothing, either
        if iscoroutinefunction(f) or iscoroutinefunction(type(f).__call__):
            chosen = coroutine_function
        update_wrapper(chosen, f)
    return chosen  # type: ignore[no-any-return] # it takes and returns what the function does
