"""What type checkers see of actions and of what carries them along."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from typing import AsyncGenerator, Awaitable, Callable, Generator, Optional

import pytest
from typing_extensions import assert_type

from eliot import (
    Action,
    Logger,
    MemoryLogger,
    current_action,
    eliot_friendly_generator_function,
    preserve_context,
    start_action,
    start_task,
    startAction,
    startTask,
)
from eliot.parse import TaskLevel


def double(number: int, *, times: int = 2) -> int:
    """Return the double of a number."""
    return number * times


async def double_later(number: int) -> int:
    """Return the double of a number, later."""
    return 2 * number


def test_starting() -> None:
    """The type may come first, by name, or after a logger."""
    assert_type(start_action("a", x=1), Action)
    assert_type(start_action(action_type="a", x=1), Action)
    assert_type(start_action(MemoryLogger(), "a", x=1), Action)
    assert_type(start_action(Logger(), action_type="a"), Action)
    assert_type(start_action(None, "a"), Action)
    assert_type(start_task("a", x=1), Action)
    assert_type(start_task(action_type="a", x=1), Action)
    assert_type(start_task(MemoryLogger(), "a", x=1), Action)
    assert_type(startAction(action_type="a"), Action)
    assert_type(startTask(action_type="a"), Action)
    with pytest.raises(AttributeError):
        start_action(7)  # type: ignore[arg-type] # it is neither a logger nor a type
    with pytest.raises(AttributeError):
        start_task(["a"])  # type: ignore[arg-type] # nor is this


def test_blocks() -> None:
    """Each kind of block gives the action."""

    async def main() -> Action:
        async with start_action("c") as action:
            return assert_type(action, Action)

    with start_action("a") as one:
        assert_type(one, Action)
    with start_action("b").context() as two:
        assert_type(two, Action)
        assert two is assert_type(current_action(), Optional[Action])
    assert "c" == asyncio.run(main()).action_type


def test_a_block_may_not_swallow() -> None:
    """What follows a block that always raises or returns is not reachable for type checkers."""

    def main() -> int:
        with start_action("a"):
            return 1

    assert 1 == main()


def test_properties() -> None:
    """Each has its type."""
    with start_action("a") as outer, start_action("b") as action:
        assert "b" == assert_type(action.action_type, str)
        assert "started" == assert_type(action.status, str)
        assert outer is assert_type(action.parent, Optional[Action])
        assert outer.task_uuid == assert_type(action.task_uuid, str)
        assert TaskLevel([2]) == assert_type(action.task_level, TaskLevel)
        assert_type(action.started_at, Optional[float])
        assert_type(action.duration, float)
        assert None is assert_type(action.exception, Optional[BaseException])


def test_properties_are_read_only() -> None:
    """Type checkers find assignments to them."""
    action = start_action("a")
    with pytest.raises(AttributeError):
        action.status = "failed"  # type: ignore[misc] # it can only be read
    with pytest.raises(AttributeError):
        action.parent = None  # type: ignore[misc] # so can this
    with pytest.raises(AttributeError):
        action.result  # type: ignore[attr-defined] # noqa: B018 - there is none


def test_methods() -> None:
    """Fields are anything, by name; what is run keeps the type of its result."""
    action = start_action("a")
    action.add_fields(x=1, y="2")
    action.add_success_fields(z=[3])
    action.addSuccessFields(z={4})
    action.log("m", x=object())
    action.log(message_type="m")
    assert 6 == assert_type(action.run(double, 2, times=3), int)
    assert_type(action.child(None, "b"), Action)
    action.finish()
    action.finish(ValueError())
    action.finish(exception=None)
    with pytest.raises(TypeError):
        action.add_fields({"x": 1})  # type: ignore[call-arg] # fields have names
    with pytest.raises(TypeError):
        action.log()  # type: ignore[call-arg] # a message has a type


def test_task_ids() -> None:
    """A task id is bytes, and is accepted as text, too."""
    action = start_action("a")
    task_id = action.serialize_task_id()
    assert_type(task_id, bytes)
    assert_type(action.serializeTaskId(), bytes)
    assert_type(Action.continue_task(task_id=task_id, action_type="b", x=1), Action)
    assert_type(Action.continue_task(MemoryLogger(), task_id.decode("ascii")), Action)
    assert_type(Action.continueTask(task_id="u@/2"), Action)
    with pytest.raises(ValueError):
        Action.continue_task(task_id=7)  # type: ignore[arg-type] # it is no text


def test_subclasses() -> None:
    """Class methods and blocks of a subclass give the subclass."""

    class Own(Action):
        """An action of one's own."""

    with Own.continue_task(task_id="u@/2") as action:
        assert_type(action, Own)
        assert_type(action.child(None, "b"), Own)
    with Own.continue_task(task_id="u@/3").context() as another:
        assert_type(another, Own)


def test_preserve_context() -> None:
    """The function stays what it is."""
    with start_action("a"):
        preserved = preserve_context(double)
        later = preserve_context(double_later)

    assert 6 == assert_type(preserved(2, times=3), int)
    assert 4 == assert_type(asyncio.run(later(2)), int)
    fits: Callable[[int], Awaitable[int]] = later
    assert callable(fits)
    with pytest.raises(TypeError):
        preserve_context(double)()  # type: ignore[call-arg] # it needs a number
    preserve_context(7)  # type: ignore[arg-type] # it cannot be called


def test_generator_functions() -> None:
    """Generator functions stay what they are."""

    @eliot_friendly_generator_function
    def numbers(first: int) -> Generator[int, str, bytes]:
        yield first
        return b""

    @eliot_friendly_generator_function
    async def later(first: int) -> AsyncGenerator[int, str]:
        yield first

    assert_type(numbers(1), Generator[int, str, bytes])
    assert_type(later(1), AsyncGenerator[int, str])
    assert [1] == [*numbers(1)]
    with pytest.raises(TypeError):
        [*numbers()]  # type: ignore[call-arg]
