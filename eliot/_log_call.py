"""Logging calls: a decorator that makes an action of every call of a function."""

from __future__ import annotations

from functools import update_wrapper
from typing import (
    Any,
    Callable,
    Dict,
    Generator,
    Iterable,
    List,
    Mapping,
    Optional,
    Tuple,
    TypeVar,
    Union,
    overload,
)

from eliot._action import Action, begin
from eliot._call_fields import CallFields, name_of, named, without_partial
from eliot._context import Standpoint, current, innermost
from eliot._later import CRAMPED
from eliot._parameters import Bind
from eliot._safe import class_name, saferepr
from eliot._steps import async_steps, steps
from eliot._typing import Message

__all__ = ["log_call"]

_Decorated = Union[Callable[..., Any], "staticmethod[Any, Any]", "classmethod[Any, Any, Any]"]
_F = TypeVar("_F", bound=_Decorated)
_T = TypeVar("_T")

_DESCRIPTION = ("__module__", "__name__", "__qualname__", "__doc__")


@overload
def log_call(
    wrapped_function: _F,
    action_type: Optional[str] = None,
    include_args: Optional[Iterable[str]] = None,
    include_result: bool = True,
    *,
    exclude_args: Optional[Iterable[str]] = None,
    fields: Optional[Mapping[str, Any]] = None,
    level: Optional[Union[str, int]] = None,
    new_task: bool = False,
) -> _F: ...


@overload
def log_call(
    wrapped_function: None = None,
    action_type: Optional[str] = None,
    include_args: Optional[Iterable[str]] = None,
    include_result: bool = True,
    *,
    exclude_args: Optional[Iterable[str]] = None,
    fields: Optional[Mapping[str, Any]] = None,
    level: Optional[Union[str, int]] = None,
    new_task: bool = False,
) -> Callable[[_F], _F]: ...


def log_call(  # noqa: PLR0913 - each is a setting of its own, and only the first go by position
    wrapped_function: Optional[_Decorated] = None,
    action_type: Optional[str] = None,
    include_args: Optional[Iterable[str]] = None,
    include_result: bool = True,
    *,
    exclude_args: Optional[Iterable[str]] = None,
    fields: Optional[Mapping[str, Any]] = None,
    level: Optional[Union[str, int]] = None,
    new_task: bool = False,
) -> Any:
    """
    Make an action of every call of a function, with its arguments and its result.

    It is for functions, methods, static and class methods, `functools.partial` and other objects
    that can be called. The action lasts as long as the work does: for an `async def` function until
    the coroutine has ended, for a generator from the first `next()` to its end. An argument whose
    name is that of a built-in field of start messages, for example `timestamp`, is logged as
    `timestamp_`.

    Args:
        wrapped_function: The function, if this is used without parentheses.
        action_type: By default the module and the qualified name of the function.
        include_args: The names of the arguments to log; by default all but `self`, and the `cls` of
            a class method.
        include_result: Whether to log the result.
        exclude_args: The names of arguments that are not logged.
        fields: More fields of the start message, by name: values, or functions that get a
            dictionary of all arguments of the call and return the value. They replace arguments
            of the same name. A function that fails costs its own field alone.
        level: The `log_level` of the start message: `"debug"`, `"info"`, `"warning"`, `"error"` or
            `"critical"`.
        new_task: Whether each call is a task of its own, as with `start_task`.

    Raises:
        TypeError: At decoration time, for what is no function, and for fields that are none.
        ValueError: At decoration time, if arguments are named that the function does not have, or
            in both ways; if there is no such level; if a field has the name of a built-in one.

    .. versionchanged:: 2.0
        Added *exclude_args*, *fields*, *level* and *new_task*.

    >>> @log_call
    ... def add(a, b):
    ...     return a + b
    >>> add(1, 2)
    3
    >>> @log_call(exclude_args=["password"], fields={"domain": lambda args: args["user"][-3:]})
    ... def login(user, password):
    ...     return True
    >>> login("ada@org", password="secret")
    True
    """
    call_fields = CallFields(include_args, exclude_args, fields, level)

    def decorate(f: Any, *, is_class_method: bool = False) -> Any:
        if isinstance(f, (staticmethod, classmethod)):
            inner = decorate(f.__func__, is_class_method=isinstance(f, classmethod))
            return type(f)(inner)
        _check(f)
        bind = call_fields.bind(f, is_class_method=is_class_method)
        chosen = name_of(f) if action_type is None else action_type
        return _like(f, _logged(f, chosen, bind, include_result, new_task))

    return decorate if wrapped_function is None else decorate(wrapped_function)


def _check(f: Any) -> None:
    if isinstance(f, type):
        msg = (
            f"log_call would make a function of the class {class_name(f)}; decorate its methods, "
            "for example __init__"
        )
    elif isinstance(f, str):
        msg = f"log_call got {saferepr(f)} for a function; a type is given as action_type=..."
    elif not callable(f):
        msg = (
            f"{saferepr(f)} cannot be called; log_call goes next to the function, below other "
            "decorators such as @property"
        )
    else:
        return
    raise TypeError(msg)


def _like(f: Any, logged: Any) -> Any:
    """Make a function look like what it calls."""
    update_wrapper(logged, f)
    described = named(f)
    if described is not f:  # which has no name, and the documentation of its class
        update_wrapper(logged, described, _DESCRIPTION, ())
        logged.__wrapped__ = f
    return logged


def _logged(f: Any, action_type: str, bind: Bind, include_result: bool, new_task: bool) -> Any:
    import inspect  # late: it takes a tenth of the time that `import eliot` does

    called = without_partial(f)
    kinds = (
        (inspect.iscoroutinefunction, _coroutine_function),
        (_is_generator_based_coroutine_function, _coroutine_function),
        (inspect.isgeneratorfunction, _generator_function),
        (inspect.isasyncgenfunction, _async_generator_function),
    )
    for is_kind, wrap in kinds:
        # What can be called, but is no function, is of the kind of its class's __call__.
        if is_kind(called) or is_kind(type(called).__call__):
            return wrap(f, _Calls(action_type, bind, include_result, new_task))
    return _function(f, action_type, bind, include_result, new_task)


def _is_generator_based_coroutine_function(f: Any) -> bool:
    """Tell whether it was made by `types.coroutine`: its generators are to be awaited."""
    from inspect import CO_ITERABLE_COROUTINE  # late, as above

    code = getattr(f, "__code__", None)
    return bool(getattr(code, "co_flags", 0) & CO_ITERABLE_COROUTINE)


# A wrong call, for which there are no fields, raises the function's own error. Where there is no
# room to find the fields, near the recursion limit, the call goes on without.


def _function(
    f: Any, action_type: str, bind: Bind, include_result: bool, new_task: bool
) -> Callable[..., Any]:
    # The same as `_coroutine_function`, with fewer calls, in three quarters of the time.
    def logged(*args: Any, **kwargs: Any) -> Any:
        try:
            fields = bind(args, kwargs)
        except CRAMPED:
            fields = {}
        if fields is None:
            return f(*args, **kwargs)
        parent: Any = None if new_task else innermost()
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


class _Calls:
    """
    What the calls of a function have in common.

    Args:
        action_type: The type of their actions.
        bind: Finds their fields.
        include_result: Whether their results are logged.
        new_task: Whether each is a task of its own.
    """

    def __init__(self, action_type: str, bind: Bind, include_result: bool, new_task: bool) -> None:
        self._action_type = action_type
        self._bind = bind
        self._include_result = include_result
        self._new_task = new_task

    def bind(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Optional[Message]:
        """Find the fields of a call; `None` for a wrong call."""
        try:
            return self._bind(args, kwargs)
        except CRAMPED:
            return {}

    def begin(self, fields: Message) -> Action:
        """Begin the action of a call."""
        parent = None if self._new_task else current()
        return begin(parent, None, self._action_type, None, fields)

    def end(self, action: Action, result: _T) -> _T:
        """Add the result to the action, and return it."""
        if self._include_result:
            action.add_success_fields(result=result)
        return result


def _coroutine_function(f: Any, calls: _Calls) -> Callable[..., Any]:
    async def logged(*args: Any, **kwargs: Any) -> Any:
        fields = calls.bind(args, kwargs)
        if fields is None:
            return await f(*args, **kwargs)
        with calls.begin(fields) as action:
            return calls.end(action, await f(*args, **kwargs))

    return logged


# What makes a generator raises the error of a wrong call; if the function takes other arguments
# than it says, there is a generator without fields.


def _generator_function(f: Any, calls: _Calls) -> Callable[..., Any]:
    def logged(*args: Any, **kwargs: Any) -> Any:
        made: List[Generator[Any, Any, Any]] = []

        def run() -> Generator[Any, Any, Any]:
            with calls.begin(calls.bind(args, kwargs) or {}) as action:
                return calls.end(action, (yield from made.pop()))

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


def _async_generator_function(f: Any, calls: _Calls) -> Callable[..., Any]:
    def logged(*args: Any, **kwargs: Any) -> Any:
        generator = f(*args, **kwargs)
        call = _Call(lambda: calls.begin(calls.bind(args, kwargs) or {}))
        return async_steps(Standpoint(), generator, call)

    return logged
