"""The parameters of functions: arguments are found as Python itself finds them."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eliot._parameters import Parameters

Values = Optional[Tuple[Any, ...]]


@st.composite
def functions(draw: st.DrawFn) -> Callable[..., Dict[str, Any]]:
    """Make functions with parameters of all kinds, that return the value of each by name."""
    names = iter("abcdefghij")
    positional_only = [next(names) for _ in range(draw(st.integers(0, 2)))]
    positional = [next(names) for _ in range(draw(st.integers(0, 3)))]
    named = [next(names) for _ in range(draw(st.integers(0, 2)))]
    by_position = [*positional_only, *positional]
    first = draw(st.integers(0, len(by_position)))
    parts = [
        name if place < first else f"{name}={100 + place}" for place, name in enumerate(by_position)
    ]
    if positional_only:
        parts.insert(len(positional_only), "/")
    if draw(st.booleans()):
        parts.append("*rest")
    elif named:
        parts.append("*")
    parts += [f"{name}=200" if draw(st.booleans()) else name for name in named]
    if draw(st.booleans()):
        parts.append("**others")
    namespace: Dict[str, Any] = {}
    exec(f"def f({', '.join(parts)}): return locals()", namespace)  # noqa: S102 - such functions can only be written
    f: Callable[..., Dict[str, Any]] = namespace["f"]
    f.__doc__ = ", ".join(parts)  # for the report of a failure
    return f


def truly(
    f: Callable[..., Dict[str, Any]], args: Tuple[int, ...], kwargs: Dict[str, int]
) -> Values:
    """Ask the function itself: its values in the order of the signature."""
    try:
        values = f(*args, **kwargs)
    except TypeError:
        return None
    return tuple(values[name] for name in inspect.signature(f).parameters)


ARGS = st.lists(st.integers(0, 9), max_size=7).map(tuple)
KWARGS = st.dictionaries(
    st.sampled_from([*"abcdefghij", "x", "rest"]), st.integers(10, 19), max_size=5
)


class TestValues:
    """The values of all parameters."""

    @settings(max_examples=500)
    @given(f=functions(), args=ARGS, kwargs=KWARGS)
    def test_are_those_that_the_function_gets(
        self, f: Callable[..., Dict[str, Any]], args: Tuple[int, ...], kwargs: Dict[str, int]
    ) -> None:
        """Whatever the call, each parameter has its value, or the call is found to be wrong."""
        values = Parameters(inspect.signature(f)).values(args, kwargs)

        assert truly(f, args, kwargs) == (None if values is None else tuple(values))

    @settings(max_examples=500)
    @given(f=functions(), data=st.data())
    def test_are_those_that_the_signature_binds(
        self, f: Callable[..., Dict[str, Any]], data: st.DataObject
    ) -> None:
        """Right calls are bound as `inspect.Signature.bind` does it."""
        signature = inspect.signature(f)
        args: List[int] = []
        kwargs: Dict[str, int] = {}
        for name, parameter in signature.parameters.items():
            is_given = parameter.default is parameter.empty or data.draw(st.booleans())
            if parameter.kind is parameter.VAR_POSITIONAL:
                if not kwargs:
                    args += data.draw(st.lists(st.integers(0, 9), max_size=2))
            elif parameter.kind is parameter.VAR_KEYWORD:
                kwargs.update(data.draw(st.dictionaries(st.sampled_from("xyz"), st.integers())))
            elif not is_given:
                pass
            elif parameter.kind is parameter.POSITIONAL_ONLY:
                args.append(7)
            elif (
                parameter.kind is parameter.POSITIONAL_OR_KEYWORD
                and not kwargs
                and data.draw(st.booleans())
            ):
                args.append(8)
            else:
                kwargs[name] = 9
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:  # arguments by position have slipped behind those that were left out
            expected = None
        else:
            bound.apply_defaults()
            expected = tuple(bound.arguments.values())

        values = Parameters(signature).values(tuple(args), kwargs)

        assert expected == (None if values is None else tuple(values))


class TestBind:
    """The fields of a call."""

    @given(f=functions(), args=ARGS, kwargs=KWARGS, data=st.data())
    def test_have_the_values_that_are_chosen(
        self,
        f: Callable[..., Dict[str, Any]],
        args: Tuple[int, ...],
        kwargs: Dict[str, int],
        data: st.DataObject,
    ) -> None:
        """The chosen parameters are there under the names of their fields, in order."""
        names = [*inspect.signature(f).parameters]
        chosen = [name for name in names if data.draw(st.booleans())]

        bind = Parameters(inspect.signature(f)).bind({name: f"{name}!" for name in chosen})
        fields = bind(args, kwargs)

        values = truly(f, args, kwargs)
        found = None if values is None else dict(zip(names, values))
        assert (None if found is None else [(f"{name}!", found[name]) for name in chosen]) == (
            None if fields is None else [*fields.items()]
        )

    @pytest.mark.parametrize("number", range(6))
    def test_any_number(self, number: int) -> None:
        """There is a way for each number of parameters, and each call has fields of its own."""
        names = "abcdef"[:number]
        parameters = inspect.Signature(
            [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        )

        bind = Parameters(parameters).bind({name: name.upper() for name in names})
        first = bind(tuple(range(number)), {})

        assert dict(zip(names.upper(), range(number))) == first
        assert bind(tuple(range(number)), {}) is not first
        assert bind((), {"x": 1}) is None
