"""The fields of logged calls: which arguments are among them, and what else is."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Tuple, Union

from eliot._fields import (
    DEGRADED_FIELD,
    FAILED_FUNCTION,
    LOG_LEVEL_FIELD,
    MESSAGE_TYPE_FIELD,
    PROTECTED_FIELDS,
)
from eliot._levels import check_level
from eliot._parameters import AS_WRITTEN, Bind, Parameters
from eliot._safe import class_name, saferepr, safeunicode
from eliot._typing import Message

__all__ = ["CallFields", "name_of", "named", "without_partial"]

#: What only a logging call itself may say.
_RESERVED = PROTECTED_FIELDS | {LOG_LEVEL_FIELD, DEGRADED_FIELD}

_Function = Callable[[Dict[str, Any]], Any]


class CallFields:
    """
    The fields that the start messages of calls are to have.

    Args:
        included: The names of the arguments that are logged; `None` for all but the excluded ones,
            and the one that a method gets its object or class in.
        excluded: The names of arguments that are not.
        fields: More fields, by name: values, or functions that get all arguments and return one.
        level: The level.

    Raises:
        TypeError: If the fields are none.
        ValueError: If arguments are chosen in both ways, a field has the name of a built-in one, or
            there is no such level.
    """

    def __init__(
        self,
        included: Optional[Iterable[str]],
        excluded: Optional[Iterable[str]],
        fields: Optional[Mapping[str, Any]],
        level: Optional[Union[str, int]],
    ) -> None:
        if included is not None and excluded is not None:
            msg = "include_args and exclude_args are two ways to say the same: give one of them"
            raise ValueError(msg)
        self._included = None if included is None else frozenset(included)
        self._excluded = frozenset(excluded or ())
        self._functions: Dict[str, _Function] = {}
        self._values: Message = {}
        for name, value in _checked(fields).items():
            (self._functions if callable(value) else self._values)[name] = value
        #: The fields that no argument can replace. Published Eliot lets it have a message type.
        self._taken = PROTECTED_FIELDS - {MESSAGE_TYPE_FIELD}
        if level is not None:
            self._values[LOG_LEVEL_FIELD] = check_level(level)
            self._taken |= {LOG_LEVEL_FIELD}

    def bind(self, f: Any, *, is_class_method: bool) -> Bind:
        """
        Make the function that finds the fields of a call.

        Args:
            f: The function that is called.
            is_class_method: Whether its first parameter is the class that it is called on.

        Raises:
            ValueError: If the function does not have an argument that is to be logged, or not to.
        """
        from inspect import signature  # late: it takes a tenth of the time that `import eliot` does

        try:
            its_signature = signature(f, **AS_WRITTEN)
        except ValueError:  # what is built in may have none
            its_signature = signature(lambda *args, **kwargs: None)  # noqa: ARG005 - that is its use
        parameters = Parameters(its_signature)
        names = parameters.names
        self._check_names(names, f"{name_of(f)}{its_signature}")
        included = self._included
        if included is None:
            included = frozenset(names) - self._excluded - {"self"}
            if is_class_method or (names[:1] == ("cls",) and _is_in_class(f)):
                included -= {*names[:1]}
        more = {*self._functions, *self._values}
        chosen: Dict[str, str] = {}
        for name in names:
            field = name
            while field in self._taken or (field != name and field in names):
                field += "_"
            if name in included and field not in more:
                chosen[name] = field
        bind = parameters.bind(chosen)
        return self._with_more(bind, parameters) if more else bind

    def _check_names(self, names: Tuple[str, ...], function: str) -> None:
        for option, chosen in (("include", self._included), ("exclude", self._excluded)):
            unknown = (chosen or frozenset()).difference(names)
            if unknown:
                msg = (
                    f"{option}_args ({', '.join(sorted(map(str, unknown)))}) lists arguments not "
                    f"in the wrapped function {function}"
                )
                raise ValueError(msg)

    def _with_more(self, bind: Bind, parameters: Parameters) -> Bind:
        functions, values = self._functions, self._values
        bind_all = parameters.bind({name: name for name in parameters.names})

        def bind_with_values(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Optional[Message]:
            fields = bind(args, kwargs)
            if fields is not None:
                fields.update(values)
            return fields

        def bind_with_functions(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Optional[Message]:
            fields = bind_with_values(args, kwargs)
            if fields is not None:
                for name, function in functions.items():
                    try:
                        fields[name] = function(bind_all(args, kwargs) or {})
                    except Exception as error:
                        told = f"{class_name(type(error))}: {safeunicode(error)}"
                        fields[name] = f"eliot: unknown, {told}"
                        fields.setdefault(DEGRADED_FIELD, {})[name] = FAILED_FUNCTION
            return fields

        return bind_with_functions if functions else bind_with_values


def _checked(fields: Optional[Mapping[str, Any]]) -> Mapping[str, Any]:
    if fields is None:
        return {}
    if not isinstance(fields, Mapping):
        msg = f"fields are given as a mapping from names to values, not as {saferepr(fields)}"
        raise TypeError(msg)
    from inspect import iscoroutinefunction  # late, as below

    for name, value in fields.items():
        if not isinstance(name, str):
            msg = f"{saferepr(name)} is no name of a field: names are text"
            raise TypeError(msg)
        if name in _RESERVED:
            advice = "; use level=..." if name == LOG_LEVEL_FIELD else ""
            msg = f"{name!r} is a field of Eliot's own{advice}"
            raise ValueError(msg)
        if iscoroutinefunction(value):
            msg = f"the function of the field {name!r} is async: nothing would await it"
            raise TypeError(msg)
    return fields


def _is_in_class(f: Any) -> bool:
    """Tell whether a function was defined in the body of a class."""
    scope = getattr(f, "__qualname__", "").rpartition(".")[0]
    return bool(scope) and not scope.endswith("<locals>")


def without_partial(f: Any) -> Any:
    """Return what is called in the end."""
    while isinstance(f, partial):
        f = f.func
    return f


def named(f: Any) -> Any:
    """Return what has the name of something that can be called: itself, or its class."""
    f = without_partial(f)
    return f if hasattr(f, "__qualname__") else type(f)


def name_of(f: Any) -> str:
    """Return module and qualified name of what can be called."""
    f = named(f)
    # Built-in methods have a class, but no module.
    module = getattr(f, "__module__", None) or type(f).__module__
    return f"{module}.{f.__qualname__}"
