"""The bridge to Twisted: callbacks, generators and coroutines that keep to their action."""

from __future__ import annotations

import sys
from contextvars import copy_context
from functools import partial, wraps
from inspect import iscoroutine, isgenerator
from pathlib import PurePath
from threading import Lock
from typing import (
    Any,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
    Protocol,
    TypeVar,
    overload,
)

try:
    from twisted.internet import defer
except ModuleNotFoundError as _error:
    _text = "eliot.twisted needs Twisted; install it with: pip install 'eliot[twisted]'"
    raise ModuleNotFoundError(_text, name=_error.name) from _error

from twisted.internet.defer import Deferred
from twisted.logger import Logger as TwistedLogger
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from typing_extensions import ParamSpec

from eliot._action import Action, current_action, log_message
from eliot._fields import (
    DESTINATION_FAILURE_TYPE,
    MESSAGE_TYPE_FIELD,
    SERIALIZATION_FAILURE_TYPE,
    TRACEBACK_TYPE,
)
from eliot._generators import (
    eliot_friendly_generator_function as eliot_friendly_generator_function,  # noqa: PLC0414 - its old door
)
from eliot._loggers import Logger
from eliot._safe import saferepr
from eliot._steps import steps
from eliot._typing import Message

__all__ = ["AlreadyFinished", "DeferredContext", "inline_callbacks", "redirectLogsForTrial"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class AlreadyFinished(Exception):
    """
    Say that a `DeferredContext` was used after its `addActionFinish`.

    What shall happen after the end of the action is added to the Deferred itself.
    """


def _passthrough(result: _T) -> _T:
    """Hand on a result, or a failure, as it is."""
    return result


class DeferredContext:
    """
    Add callbacks to a Deferred that run in an action; the last one may finish it.

    Without this, callbacks run in the action of whoever fires the Deferred, which may be any.

    Args:
        deferred: The Deferred; also to be had as the attribute `result`.
        action: If not the current one.

    Raises:
        RuntimeError: If there is no action.

    .. versionchanged:: 2.0
        Added *action*.

    >>> from eliot import start_action
    >>> from twisted.internet.defer import succeed
    >>> with start_action(action_type="yourapp:measure").context():
    ...     context = DeferredContext(succeed("abc")).addCallback(len)
    ...     deferred = context.addActionFinish()
    >>> deferred.result
    3
    """

    def __init__(self, deferred: Deferred[Any], action: Action | None = None) -> None:
        if action is None:
            action = current_action()
        if action is None:
            msg = "DeferredContext() should only be created in the context of an eliot.Action."
            raise RuntimeError(msg)
        self.result = deferred
        self._action = action
        self._finishAdded = False

    def _in_action(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            # A partial, for the keywords may have the names that `run` uses itself.
            return self._action.run(partial(step, *args, **kwargs))

        return run

    def addCallbacks(  # noqa: N802, PLR0913, PLR0917 - Twisted's name
        self,
        callback: Callable[..., Any],
        errback: Callable[..., Any] | None = None,
        callbackArgs: Iterable[Any] | None = None,
        callbackKeywords: Mapping[str, Any] | None = None,
        errbackArgs: Iterable[Any] | None = None,
        errbackKeywords: Mapping[str, Any] | None = None,
    ) -> DeferredContext:
        """
        Add a callback and an errback that run in the action.

        Args:
            callback: Gets a result.
            errback: Gets a failure; without one, failures are handed on.
            callbackArgs: Further arguments of the callback.
            callbackKeywords: Keyword arguments of the callback.
            errbackArgs: Further arguments of the errback.
            errbackKeywords: Keyword arguments of the errback.

        Returns:
            This object.

        Raises:
            AlreadyFinished: If `addActionFinish` was called.
        """
        if self._finishAdded:
            raise AlreadyFinished
        self.result.addCallbacks(
            self._in_action(callback),
            self._in_action(_passthrough if errback is None else errback),
            tuple(callbackArgs or ()),
            dict(callbackKeywords or {}),
            tuple(errbackArgs or ()),
            dict(errbackKeywords or {}),
        )
        return self

    def addCallback(  # noqa: N802 - Twisted's name
        self, callback: Callable[..., Any], *args: Any, **kw: Any
    ) -> DeferredContext:
        """
        Add a callback that runs in the action.

        Args:
            callback: Gets a result.
            args: Its further arguments.
            kw: Its keyword arguments.

        Returns:
            This object.

        Raises:
            AlreadyFinished: If `addActionFinish` was called.
        """
        return self.addCallbacks(callback, _passthrough, callbackArgs=args, callbackKeywords=kw)

    def addErrback(  # noqa: N802 - Twisted's name
        self, errback: Callable[..., Any], *args: Any, **kw: Any
    ) -> DeferredContext:
        """
        Add an errback that runs in the action.

        Args:
            errback: Gets a failure.
            args: Its further arguments.
            kw: Its keyword arguments.

        Returns:
            This object.

        Raises:
            AlreadyFinished: If `addActionFinish` was called.
        """
        return self.addCallbacks(_passthrough, errback, errbackArgs=args, errbackKeywords=kw)

    def addBoth(  # noqa: N802 - Twisted's name
        self, callback: Callable[..., Any], *args: Any, **kw: Any
    ) -> DeferredContext:
        """
        Add a function that runs in the action in any case.

        Args:
            callback: Gets a result or a failure.
            args: Its further arguments.
            kw: Its keyword arguments.

        Returns:
            This object.

        Raises:
            AlreadyFinished: If `addActionFinish` was called.
        """
        return self.addCallbacks(callback, callback, args, kw, args, kw)

    def addActionFinish(self) -> Deferred[Any]:  # noqa: N802 - Twisted's name
        """
        Add the end of the action: it fails if the Deferred has failed by then, or succeeds.

        Returns:
            The Deferred, for those who need not care about the action.

        Raises:
            AlreadyFinished: If this was called before.
        """
        if self._finishAdded:
            raise AlreadyFinished
        self._finishAdded = True

        def finish(result: _T) -> _T:
            self._action.finish(result.value if isinstance(result, Failure) else None)
            return result

        return self.result.addBoth(self._in_action(finish))


#: How `returnValue` leaves a generator, as long as Twisted has it.
_RETURN_VALUE = getattr(defer, "_DefGen_Return", ())


class _Body:
    """What runs in a function that `inline_callbacks` decorates, as `steps` wants it."""

    __slots__ = ("_body",)

    _body: Any  # a generator or a coroutine

    def send(self, value: object) -> object:
        return self._step(self._body.send, value)

    def throw(self, error: BaseException) -> object:
        return self._step(self._body.throw, error)

    def _step(self, step: Callable[[Any], Any], value: object) -> object:
        try:
            item: Any = step(value)
        except _RETURN_VALUE as result:
            # Twisted would warn that it was not called by the generator that it ends, `steps`.
            raise StopIteration(result.value) from None
        # Twisted would start it too, but outside of the context in which it was yielded.
        return Deferred.fromCoroutine(item) if _can_be_started(item) else item


def _can_be_started(item: object) -> bool:
    return iscoroutine(item) or isgenerator(item)


class _Decorator(Protocol):
    def __call__(
        self, original: Callable[_P, Generator[Any, Any, _T] | Coroutine[Any, Any, _T]]
    ) -> Callable[_P, Deferred[_T]]: ...


@overload
def inline_callbacks(
    original: Callable[_P, Generator[Any, Any, _T] | Coroutine[Any, Any, _T]],
    debug: bool = ...,
) -> Callable[_P, Deferred[_T]]: ...


@overload
def inline_callbacks(original: None = ..., debug: bool = ...) -> _Decorator: ...


def inline_callbacks(original: Callable[..., Any] | None = None, debug: bool = False) -> Any:
    """
    Write a function that returns a Deferred as a generator, or as a coroutine.

    It does what `twisted.internet.defer.inlineCallbacks` does, and `Deferred.fromCoroutine` for an
    `async def` function. Besides, the function runs in a context of its own, a copy of that of the
    caller: actions that it opens last across `yield` and `await`, and never leak.

    Args:
        original: The function.
        debug: Whether to log a message of type `yielded` each time when it has to wait.

    Returns:
        A function that returns a Deferred, or a decorator if only *debug* is given.

    Raises:
        TypeError: If a call of the function returns neither a generator nor a coroutine.

    .. versionchanged:: 2.0
        Works for `async def` functions, keeps returned values, can be called with *debug* alone.

    >>> from eliot import start_action
    >>> from twisted.internet.defer import succeed
    >>> @inline_callbacks
    ... def double(deferred):
    ...     with start_action(action_type="yourapp:double"):
    ...         number = yield deferred
    ...         return number * 2
    >>> double(succeed(4)).result
    8
    """
    if original is None:
        return partial(inline_callbacks, debug=debug)

    def at_yield() -> None:
        if debug:
            log_message("yielded")

    @wraps(original)
    def start(*args: Any, **kwargs: Any) -> Deferred[Any]:
        body = _Body()
        running = steps(copy_context(), lambda: body, at_yield)
        # After `running`: what is abandoned together is closed oldest first, and `steps` shall
        # close the body, in its context.
        body._body = original(*args, **kwargs)
        if not hasattr(body._body, "send"):
            returned = f"{saferepr(original)} returned {saferepr(body._body)}"
            msg = f"inline_callbacks is for generators and coroutines; {returned}"
            raise TypeError(msg)
        return Deferred.fromCoroutine(running)

    return start


class TwistedDestination:
    """
    Hand each message on to Twisted's log, as the key `eliot` of an event in the namespace `eliot`.

    Tracebacks are events of level `critical`, Eliot's reports about destinations and serializers
    that fail are of level `error`, all others of level `info`. Do not combine this with a bridge
    from Twisted's log to Eliot: messages would go round in circles.

    >>> from eliot import add_destinations
    >>> add_destinations(TwistedDestination())
    """

    def __init__(self) -> None:
        self._logger = TwistedLogger(namespace="eliot")

    def __call__(self, message: Message) -> None:
        """
        Emit an event.

        Args:
            message: Becomes part of the event as it is.
        """
        message_type = message.get(MESSAGE_TYPE_FIELD)
        level: Any  # which Twisted declares to be something else than it is
        if message_type == TRACEBACK_TYPE:
            level = LogLevel.critical
        elif message_type in (DESTINATION_FAILURE_TYPE, SERIALIZATION_FAILURE_TYPE):
            level = LogLevel.error
        else:
            level = LogLevel.info
        self._logger.emit(level, "Eliot message: {eliot}", eliot=message)


class _RedirectLogsForTrial:
    """
    The type of `redirectLogsForTrial`.

    Args:
        sys: The module.
    """

    def __init__(self, sys: Any) -> None:
        self._sys = sys
        self._redirected = False
        self._lock = Lock()

    def __call__(self) -> TwistedDestination | None:
        """
        Send messages to Twisted's log, if the program is `trial`, once.

        Returns:
            The destination that was added, or `None`.
        """
        with self._lock:
            if self._redirected or not self._is_trial():
                return None
            self._redirected = True
        destination = TwistedDestination()
        Logger._destinations.add(destination)
        return destination

    def _is_trial(self) -> bool:
        # An interpreter that is embedded in another program may have no arguments at all.
        program = next(iter(getattr(self._sys, "argv", ())), "")
        parts = PurePath(program).parts
        return parts[-1:] == ("trial",) or parts[-3:] == ("twisted", "trial", "__main__.py")


#: Call this, for instance in the `__init__` of a package of tests, to have messages in the
#: `test.log` that `trial` writes. It does nothing in other programs, and nothing the second time.
redirectLogsForTrial: _RedirectLogsForTrial = _RedirectLogsForTrial(sys)
