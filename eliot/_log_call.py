"""Logging calls: a decorator that makes an action of every call of a function."""

from __future__ import annotations

from functools import partial, wraps
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Generator,
    Iterable,
    List,
    Optional,
    Tuple,
    TypeVar,
    overload,
)

from eliot._action import Action, begin
from eliot._context import _CURRENT, Standpoint, current
from eliot._fields import MESSAGE_TYPE_FIELD, PROTECTED_FIELDS
from eliot._steps import async_steps, steps
from eliot._typing import Message

__all__ = ["log_call"]

#: The fields of a start message that no argument can replace.
_TAKEN = PROTECTED_FIELDS - {MESSAGE_TYPE_FIELD}

_F = TypeVar("_F", bound=Callable[..., Any])

#: Finds the fields of a call; `None` for a wrong call.
_Bind = Callable[[Tuple[Any, ...], Dict[str, Any]], Optional[Message]]

#: Begins the action of a call.
_Begin = Callable[[Message], Action]

#: Adds a result to the action, and returns it.
_End = Callable[[Action, Any], Any]


@overload
def log_call(
    wrapped_function: _F,
    action_type: Optional[str] = None,
    include_args: Optional[Iterable[str]] = None,
    include_result: bool = True,
) -> _F: ...


@overload
def log_call(
    wrapped_function: None = None,
    action_type: Optional[str] = None,
    include_args: Optional[Iterable[str]] = None,
    include_result: bool = True,
) -> Callable[[_F], _F]: ...


def log_call(
    wrapped_function: Optional[Callable[..., Any]] = None,
    action_type: Optional[str] = None,
    include_args: Optional[Iterable[str]] = None,
    include_result: bool = True,
) -> Any:
    """
    Make an action of every call of a function, with its arguments and its result.

    The action lasts as long as the work does: for an `async def` function until the coroutine has
    ended, for a generator from the first `next()` to its end. An argument whose name is that of a
    built-in field of start messages, for example `timestamp`, is logged as `timestamp_`.

    Args:
        wrapped_function: The function, if this is used without parentheses.
        action_type: By default the module and the qualified name of the function.
        include_args: The names of the arguments to log; by default all but `self`.
        include_result: Whether to log the result.

    Raises:
        ValueError: At decoration time, if `include_args` names no argument of the function.

    >>> @log_call
    ... def add(a, b):
    ...     return a + b
    >>> add(1, 2)
    3
    """
    included = None if include_args is None else frozenset(include_args)

    def decorate(f: Any) -> Any:
        if isinstance(f, (staticmethod, classmethod)):
            return type(f)(decorate(f.__func__))
        chosen = _name(f) if action_type is None else action_type
        return _decorated(f, chosen, included, include_result)

    return decorate if wrapped_function is None else decorate(wrapped_function)


def _decorated(
    f: Any, action_type: str, included: Optional[FrozenSet[str]], include_result: bool
) -> Any:
    import inspect  # late: it takes a tenth of the time that `import eliot` does

    parameters = _Parameters(f, included)

    def begin_call(fields: Message) -> Action:
        return begin(current(), None, action_type, None, fields)

    def end(action: Action, result: Any) -> Any:
        if include_result:
            action.add_success_fields(result=result)
        return result

    called = _without_partial(f)
    kinds = (
        (inspect.iscoroutinefunction, _coroutine_function),
        (inspect.isgeneratorfunction, _generator_function),
        (inspect.isasyncgenfunction, _async_generator_function),
    )
    for is_kind, wrap in kinds:
        # What can be called, but is no function, is of the kind of its class's __call__.
        if is_kind(called) or is_kind(type(called).__call__):
            return wraps(f)(wrap(f, parameters.bind, begin_call, end))
    return wraps(f)(_function(f, parameters, action_type, include_result))


# A wrong call, for which there are no fields, raises the function's own error.


def _function(f: Any, parameters: _Parameters, action_type: str, include_result: bool) -> Any:
    # The same as `_coroutine_function`, with fewer calls, in three quarters of the time.
    bind, names, skipped = parameters.bind, parameters.plain_names, parameters.skipped
    count = len(names) + skipped if parameters.are_plain else -1

    def logged(*args: Any, **kwargs: Any) -> Any:
        if len(args) == count and not kwargs:
            fields: Optional[Message] = dict(zip(names, args[skipped:] if skipped else args))
        else:
            fields = bind(args, kwargs)
        if fields is None:
            return f(*args, **kwargs)
        parent: Any = _CURRENT.get()
        if parent is not None and parent.unclear:
            parent = current()
        with begin(parent, None, action_type, None, fields) as action:
            result = f(*args, **kwargs)
            if include_result:
                if action._successFields is None:
                    action._successFields = {"result": result}
                else:
                    action.add_success_fields(result=result)
            return result

    return logged


def _coroutine_function(f: Any, bind: _Bind, begin_call: _Begin, end: _End) -> Any:
    async def logged(*args: Any, **kwargs: Any) -> Any:
        fields = bind(args, kwargs)
        if fields is None:
            return await f(*args, **kwargs)
        with begin_call(fields) as action:
            return end(action, await f(*args, **kwargs))

    return logged


def _generator_function(f: Any, bind: _Bind, begin_call: _Begin, end: _End) -> Any:
    def logged(*args: Any, **kwargs: Any) -> Any:
        fields = bind(args, kwargs)
        made: List[Generator[Any, Any, Any]] = []

        def run() -> Generator[Any, Any, Any]:
            with begin_call(fields or {}) as action:
                return end(action, (yield from made.pop()))

        running = steps(Standpoint(), run)
        made.append(f(*args, **kwargs))  # after `running`: see `steps`
        return running

    return logged


class _Call:
    """An action that begins with a block."""

    def __init__(self, begin: Callable[[], Action]) -> None:
        self._begin = begin

    def __enter__(self) -> Action:
        self._action = self._begin()
        return self._action.__enter__()

    def __exit__(self, *exc_info: Any) -> None:  # noqa: PYI036 - handed on as they are
        self._action.__exit__(*exc_info)


def _async_generator_function(f: Any, bind: _Bind, begin_call: _Begin, _: _End) -> Any:
    def logged(*args: Any, **kwargs: Any) -> Any:
        fields = bind(args, kwargs)
        generator = f(*args, **kwargs)
        return async_steps(Standpoint(), generator, _Call(lambda: begin_call(fields or {})))

    return logged


def _without_partial(f: Any) -> Any:
    while isinstance(f, partial):
        f = f.func
    return f


def _name(f: Any) -> str:
    f = _without_partial(f)
    module = getattr(f, "__module__", None) or type(f).__module__
    return f"{module}.{getattr(f, '__qualname__', None) or type(f).__qualname__}"


class _Parameters:
    """
    The parameters of a function, and how to find the fields of a call.

    Args:
        f: The function.
        included: The names of those that are logged; `None` for all but `self`.

    Attributes:
        are_plain: Whether a call with only as many positional arguments as there are parameters
            needs no more than to give them their names: most functions are called so.
        skipped: How many of these arguments come first, and are not logged.
        plain_names: The names of the others.

    Raises:
        ValueError: If an included name is none of a parameter.
    """

    def __init__(self, f: Callable[..., Any], included: Optional[FrozenSet[str]]) -> None:
        from inspect import signature  # late, as above

        self._signature = signature(f)
        parameters = self._signature.parameters
        unknown = (included or frozenset()) - set(parameters)
        if unknown:
            msg = (
                f"include_args ({', '.join(sorted(map(str, unknown)))}) lists arguments not in the "
                f"wrapped function {_name(f)}{self._signature}"
            )
            raise ValueError(msg)
        #: From the name of each parameter that is logged to that of its field.
        self._fields = {
            name: f"{name}_" if name in _TAKEN else name
            for name in parameters
            if (name != "self" if included is None else name in included)
        }
        self.plain_names = tuple(self._fields.values())
        self.skipped = len(parameters) - len(self._fields)
        self.are_plain = [*parameters][self.skipped :] == [*self._fields] and all(
            parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            for parameter in parameters.values()
        )

    def bind(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Optional[Message]:
        """Find the fields of a call; `None` for a wrong call."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:
            return None
        bound.apply_defaults()
        return {field: bound.arguments[name] for name, field in self._fields.items()}
