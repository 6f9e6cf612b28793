"""Running generators step by step in a context of their own."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any, AsyncGenerator, Awaitable, Generator, Iterator, List

import pytest

from eliot._steps import async_steps, steps

VARIABLE: ContextVar[str] = ContextVar("variable", default="outside")


def entered(value: str = "inside") -> Context:
    """Return a copy of this context in which the variable is set."""
    context = copy_context()
    context.run(VARIABLE.set, value)
    return context


def run(awaitable: Awaitable[Any]) -> Any:
    """Await something in an event loop of its own."""

    async def main() -> Any:
        return await awaitable

    return asyncio.run(main())


def echo(seen: List[Any]) -> Generator[str, Any, str]:
    """Note what comes in, from inside of the context; yield the value of the variable."""
    try:
        seen.append((yield VARIABLE.get()))
        seen.append((yield VARIABLE.get()))
    except KeyError as error:
        seen.append(error)
        seen.append((yield "caught"))
    finally:
        seen.append(VARIABLE.get())
    return "result"


async def async_echo(seen: List[Any]) -> AsyncGenerator[str, Any]:
    """Do the same, asynchronously."""
    try:
        await asyncio.sleep(0)
        seen.append((yield VARIABLE.get()))
        await asyncio.sleep(0)
        seen.append((yield VARIABLE.get()))
    except KeyError as error:
        seen.append(error)
        seen.append((yield "caught"))
    finally:
        await asyncio.sleep(0)
        seen.append(VARIABLE.get())


class TestSteps:
    """A generator in a context of its own."""

    def test_runs_inside(self) -> None:
        """Each step sees the context; nothing of it is seen outside, in between."""
        seen: List[Any] = []
        generator = steps(entered(), lambda: echo(seen))

        assert "inside" == next(generator)
        assert "outside" == VARIABLE.get()
        assert "inside" == generator.send(1)
        with pytest.raises(StopIteration) as stop:
            generator.send(2)
        assert "result" == stop.value.value
        assert [1, 2, "inside"] == seen

    def test_keeps_changes(self) -> None:
        """What a step sets is there at the next one, and not outside."""

        def change() -> Generator[str, None, None]:
            for value in ("a", "b"):
                VARIABLE.set(value)
                yield VARIABLE.get()
            yield VARIABLE.get()

        assert ["a", "b", "b"] == list(steps(entered(), change))
        assert "outside" == VARIABLE.get()

    def test_throws(self) -> None:
        """An exception that is thrown in arrives, and may be dealt with."""
        seen: List[Any] = []
        generator = steps(entered(), lambda: echo(seen))
        next(generator)
        error = KeyError("thrown")

        assert "caught" == generator.throw(error)
        with pytest.raises(StopIteration):
            generator.send(3)
        assert [error, 3, "inside"] == seen

    def test_lets_exceptions_out(self) -> None:
        """An exception that the generator does not deal with comes out."""
        seen: List[Any] = []
        generator = steps(entered(), lambda: echo(seen))
        next(generator)
        with pytest.raises(ZeroDivisionError):
            generator.throw(ZeroDivisionError())

        assert ["inside"] == seen

    def test_closes(self) -> None:
        """A generator that is closed is closed inside."""
        seen: List[Any] = []
        generator = steps(entered(), lambda: echo(seen))
        next(generator)
        generator.close()

        assert ["inside"] == seen

    def test_closes_what_goes_on(self) -> None:
        """A generator that does not end when it is closed is told off, as always."""

        def stubborn() -> Generator[None, None, None]:
            try:
                yield
            except GeneratorExit:
                yield

        generator = steps(entered(), stubborn)
        next(generator)
        with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
            generator.close()

    def test_tells_of_each_yield(self) -> None:
        """A function is called inside at each yield."""
        seen: List[str] = []
        generator = steps(entered(), lambda: echo([]), lambda: seen.append(VARIABLE.get()))

        assert ["inside", "inside"] == list(generator)
        assert ["inside", "inside"] == seen

    def test_runs_coroutines(self) -> None:
        """A coroutine is driven in the same way."""

        async def coroutine() -> str:
            await asyncio.sleep(0)
            return VARIABLE.get()

        class Awaited:
            def __await__(self) -> Generator[Any, Any, Any]:
                return steps(entered(), coroutine)

        assert "inside" == run(Awaited())


class TestAsyncSteps:
    """An asynchronous generator in a context of its own."""

    def test_runs_inside(self) -> None:
        """Each step sees the context; nothing of it is seen outside, in between."""
        seen: List[Any] = []

        async def main() -> None:
            generator = async_steps(entered(), async_echo(seen))
            assert "inside" == await generator.__anext__()
            assert "outside" == VARIABLE.get()
            assert "inside" == await generator.asend(1)
            with pytest.raises(StopAsyncIteration):
                await generator.asend(2)
            assert "outside" == VARIABLE.get()

        run(main())

        assert [1, 2, "inside"] == seen

    def test_throws(self) -> None:
        """An exception that is thrown in arrives, and may be dealt with."""
        seen: List[Any] = []
        error = KeyError("thrown")

        async def main() -> None:
            generator = async_steps(entered(), async_echo(seen))
            await generator.__anext__()
            assert "caught" == await generator.athrow(error)
            with pytest.raises(StopAsyncIteration):
                await generator.asend(3)

        run(main())

        assert [error, 3, "inside"] == seen

    def test_closes(self) -> None:
        """A generator that is closed is closed inside, with all that it awaits."""
        seen: List[Any] = []

        async def main() -> None:
            generator = async_steps(entered(), async_echo(seen))
            await generator.__anext__()
            await generator.aclose()

        run(main())

        assert ["inside"] == seen

    def test_cancelled(self) -> None:
        """A task that is cancelled while the generator awaits cancels it inside."""
        seen: List[Any] = []

        async def wait() -> AsyncGenerator[None, None]:
            try:
                await asyncio.get_running_loop().create_future()
                yield
            except asyncio.CancelledError:
                seen.append(VARIABLE.get())
                raise

        async def consume() -> None:
            async for _ in async_steps(entered(), wait()):
                pass

        async def main() -> None:
            task = asyncio.ensure_future(consume())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        run(main())

        assert ["inside"] == seen

    def test_block(self) -> None:
        """A block can be entered, inside, around all steps; it sees how they end."""
        seen: List[Any] = []

        @contextmanager
        def block() -> Iterator[None]:
            seen.append(("enter", VARIABLE.get()))
            try:
                yield
            except BaseException as error:
                seen.append((type(error), VARIABLE.get()))
                raise
            seen.append(("leave", VARIABLE.get()))

        async def main() -> None:
            assert ["inside"] * 2 == [
                item async for item in async_steps(entered(), async_echo([]), block())
            ]
            generator = async_steps(entered(), async_echo([]), block())
            assert 2 == len(seen)
            await generator.__anext__()
            with pytest.raises(ZeroDivisionError):
                await generator.athrow(ZeroDivisionError())

        run(main())

        assert [
            ("enter", "inside"),
            ("leave", "inside"),
            ("enter", "inside"),
            (ZeroDivisionError, "inside"),
        ] == seen

    def test_tells_of_each_yield(self) -> None:
        """A function is called inside at each yield, not at each await."""
        seen: List[str] = []

        async def main() -> None:
            async for _ in async_steps(
                entered(), async_echo([]), at_yield=lambda: seen.append(VARIABLE.get())
            ):
                pass

        run(main())

        assert ["inside", "inside"] == seen

    def test_loop_knows_the_outer_generator_only(self) -> None:
        """A loop that ends closes the outer generator, which closes the inner one."""
        known: List[Any] = []

        async def main() -> None:
            hooks = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(known.append, None)
            generator = async_steps(entered(), async_echo([]))
            assert ["inside", "inside"] == [item async for item in generator]
            assert (known.append, None) == sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(*hooks)

            assert [generator] == known

        run(main())
