"""What type checkers see of `log_call`: each decorated function as it was."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from functools import partial
from typing import (
    AsyncGenerator,
    Callable,
    Generator,
    Generic,
    List,
    Optional,
    Tuple,
    TypeVar,
    Union,
    overload,
)

import pytest
from typing_extensions import assert_type

from eliot import log_call

_T = TypeVar("_T")


@log_call
def function(a: int, b: str = "", *rest: float, c: bool = False, **others: bytes) -> List[int]:
    """Have parameters of all kinds."""
    return [a]


@log_call(
    action_type="typed",
    exclude_args=["b"],
    include_result=False,
    fields={"double": lambda args: 2 * args["a"], "host": "web1"},
    level="info",
    new_task=True,
)
def with_options(a: int, b: str = "") -> Tuple[int, str]:
    """Have all options."""
    return a, b


@log_call()
async def coroutine_function(a: int) -> str:
    """Be awaited."""
    return str(a)


@log_call
def generator_function(a: int) -> Generator[int, str, bytes]:
    """Yield."""
    yield a
    return b""


@log_call
async def async_generator_function(a: int) -> AsyncGenerator[int, str]:
    """Yield asynchronously."""
    yield a


@log_call
def generic(a: _T, b: List[_T]) -> _T:
    """Have a type that depends on that of the arguments."""
    return a


@overload
def overloaded(a: int) -> int: ...


@overload
def overloaded(a: str) -> str: ...


@log_call
def overloaded(a: Union[int, str]) -> Union[int, str]:
    """Have several signatures."""
    return a


class Box(Generic[_T]):
    """Have methods of all kinds."""

    @log_call
    def __init__(self, item: _T) -> None:
        self.item = item

    @log_call(level="debug")
    def method(self, a: int) -> _T:
        """Return what is inside."""
        return self.item

    @log_call
    async def coroutine_method(self, a: int) -> _T:
        """Return what is inside."""
        return self.item

    @classmethod
    @log_call
    def of_class(cls, item: _T) -> Box[_T]:
        """Make one."""
        return cls(item)

    @log_call
    @classmethod
    def outside_of_class(cls, item: _T) -> Box[_T]:
        """Make one."""
        return cls(item)

    @staticmethod
    @log_call
    def static(a: int) -> str:
        """Return a text."""
        return str(a)

    @log_call
    @staticmethod
    def outside_static(a: int) -> str:
        """Return a text."""
        return str(a)

    @property
    @log_call
    def prop(self) -> _T:
        """Return what is inside."""
        return self.item

    @log_call
    def __call__(self, a: int) -> Optional[_T]:
        """Return what is inside."""
        return self.item


def test_functions() -> None:
    """Arguments and results are those of the function."""
    assert [1] == assert_type(function(1, "", 1.5, c=True, d=b""), List[int])
    assert (1, "x") == assert_type(with_options(1, b="x"), Tuple[int, str])


def test_wrong_calls() -> None:
    """Type checkers find wrong arguments, as without the decorator."""
    assert ["a"] == function("a")  # type: ignore[arg-type] # it is wrong
    with pytest.raises(TypeError):
        with_options()  # type: ignore[call-arg] # it is wrong
    with pytest.raises(TypeError):
        with_options(1, c="")  # type: ignore[call-arg] # it is wrong
    with pytest.raises(TypeError):
        Box(1).method()  # type: ignore[call-arg] # it is wrong


def test_coroutine_functions() -> None:
    """What is awaited has its type."""

    async def main() -> Tuple[str, int]:
        return (
            assert_type(await coroutine_function(1), str),
            assert_type(await Box(2).coroutine_method(1), int),
        )

    assert ("1", 2) == asyncio.run(main())


def test_generator_functions() -> None:
    """What is yielded, sent and returned has its type."""
    generator = generator_function(1)
    assert_type(generator, Generator[int, str, bytes])
    async_generator = async_generator_function(1)
    assert_type(async_generator, AsyncGenerator[int, str])

    async def main() -> List[int]:
        return [assert_type(item, int) async for item in async_generator]

    assert ([1], [1]) == ([*generator], asyncio.run(main()))


def test_generic_functions() -> None:
    """Type variables and overloads stay."""
    assert 1 == assert_type(generic(1, [2]), int)
    assert "a" == assert_type(generic("a", []), str)
    assert 1 == assert_type(overloaded(1), int)
    assert "a" == assert_type(overloaded("a"), str)


def test_methods() -> None:
    """Methods of all kinds are bound as always."""
    box = Box("a")

    assert_type(box, Box[str])
    assert "a" == assert_type(box.method(1), str)
    assert "a" == assert_type(Box[str].method(box, 1), str)
    assert "a" == assert_type(Box[str].of_class("a").item, str)
    assert "a" == assert_type(Box[str].outside_of_class("a").item, str)
    assert "1" == assert_type(Box.static(1), str)
    assert "1" == assert_type(box.outside_static(1), str)
    assert "a" == assert_type(box.prop, str)
    assert "a" == assert_type(box(1), Optional[str])


def test_other_callables() -> None:
    """What can be called without being a function has its type."""
    assert [1] == assert_type(log_call(partial(function, 1))(), List[int])
    assert "a" == assert_type(log_call(Box("a"))(1), Optional[str])
    assert [2] == assert_type(log_call(lambda: [2])(), List[int])


def test_the_decorator_can_be_passed_on() -> None:
    """It fits where a function that decorates is expected."""

    def decorated(decorate: Callable[[Callable[[int], int]], Callable[[int], int]]) -> int:
        return decorate(lambda a: a)(1)

    assert 1 == decorated(log_call)
    assert 1 == decorated(log_call(level="info"))


def test_wrong_options() -> None:
    """Type checkers find wrong options."""
    with pytest.raises(TypeError):
        log_call(include_args=7)  # type: ignore[call-overload] # it is wrong
    with pytest.raises(TypeError):
        log_call(None, None, None, True, ["a"])  # type: ignore[call-overload] # only by keyword
    with pytest.raises(TypeError):
        log_call("download")  # type: ignore[call-overload] # it is no function
