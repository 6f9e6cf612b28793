"""`log_call`: an action for every call of a function, of whatever kind."""

from __future__ import annotations

import asyncio
import copyreg
import gc
import inspect
import pickle
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from decimal import Decimal, getcontext, localcontext
from functools import partial, wraps
from typing import (
    Any,
    AsyncGenerator,
    Awaitable,
    Callable,
    Dict,
    Generator,
    Iterator,
    List,
    Optional,
    Tuple,
)

import pytest

import eliot
import eliot._action as action_room
from eliot import current_action, log_call, log_message, start_action, start_task

Messages = List[Dict[str, Any]]


@pytest.fixture
def log() -> Messages:
    """Collect what is logged by the default logger."""
    messages: Messages = []
    eliot.add_destinations(messages.append)
    return messages


def outline(log: Messages) -> List[Tuple[List[int], str, Optional[str]]]:
    """List level, type and status of each message; of the types the last part."""
    return [
        (
            m["task_level"],
            (m.get("action_type") or m["message_type"]).rpartition(".")[2],
            m.get("action_status"),
        )
        for m in log
    ]


def arguments(message: Dict[str, Any]) -> Dict[str, Any]:
    """Leave out all but the fields that the call has given to a message."""
    own = {"timestamp", "task_uuid", "task_level", "action_type", "action_status"}
    return {key: value for key, value in message.items() if key not in own}


@log_call
def at_module_level(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


@log_call
async def at_module_level_async(a: int) -> int:
    """Return what it gets."""
    return a


@log_call
def generator_at_module_level(a: int) -> Iterator[int]:
    """Yield what it gets."""
    yield a


def plain(a: Any, b: Any = 2, *args: Any, c: Any, d: Any = 4, **kw: Any) -> Any:
    """Take arguments of all kinds."""
    return a


class TestFields:
    """What is logged of a call."""

    def test_of_all_kinds(self, log: Messages) -> None:
        """Arguments are logged by name, defaults filled in, rests as a tuple and a dictionary."""
        assert 1 == log_call(plain)(1, 2, 3, c=5, e=6)

        assert {"a": 1, "b": 2, "args": (3,), "c": 5, "d": 4, "kw": {"e": 6}} == arguments(log[0])
        assert {"result": 1} == arguments(log[1])
        assert [([1], "plain", "started"), ([2], "plain", "succeeded")] == outline(log)

    @pytest.mark.parametrize(
        ("args", "kwargs"), [((1, 3), {}), ((1,), {"b": 3}), ((), {"b": 3, "a": 1})]
    )
    def test_do_not_depend_on_the_way(
        self, log: Messages, args: Tuple[int, ...], kwargs: Dict[str, int]
    ) -> None:
        """It does not matter which arguments are given by position and which by name."""
        assert 4 == at_module_level(*args, **kwargs)

        assert {"a": 1, "b": 3} == arguments(log[0])

    def test_values_are_not_copied(self) -> None:
        """Arguments and results are logged as they are."""
        logger = eliot.MemoryLogger()
        value: List[int] = []
        with pytest.MonkeyPatch().context() as patch:
            patch.setattr("eliot._output._DEFAULT_LOGGER", logger)
            log_call(lambda v: v)(value)

        assert value is logger.messages[0]["v"]
        assert value is logger.messages[1]["result"]

    def test_result_may_be_none(self, log: Messages) -> None:
        """`None` is a result like any other."""
        log_call(lambda: None)()

        assert {"result": None} == arguments(log[1])

    def test_without_result(self, log: Messages) -> None:
        """The result need not be logged."""
        assert 1 == log_call(include_result=False)(plain)(1, c=3)

        assert {} == arguments(log[1])

    @pytest.mark.parametrize("include", [["b", "kw"], ("b", "kw"), {"b", "kw"}])
    def test_only_some(self, log: Messages, include: Any) -> None:
        """The arguments that are logged can be chosen."""
        log_call(include_args=include)(plain)(1, c=3, e=5)

        assert {"b": 2, "kw": {"e": 5}} == arguments(log[0])

    def test_only_some_once(self, log: Messages) -> None:
        """The choice may be something that can be read only once."""
        f = log_call(include_args=iter(["a"]))(plain)
        f(1, c=3)
        f(2, c=3)

        assert [{"a": 1}, {"a": 2}] == [arguments(log[0]), arguments(log[2])]

    def test_none(self, log: Messages) -> None:
        """An empty choice is none of them."""
        log_call(include_args=[])(plain)(1, c=3)

        assert {} == arguments(log[0])

    def test_self_is_left_out(self, log: Messages) -> None:
        """An argument of exactly this name is not logged, others like it are."""
        log_call(lambda self, this, cls: None)(1, 2, 3)

        assert {"this": 2, "cls": 3} == arguments(log[0])

    def test_self_can_be_chosen(self, log: Messages) -> None:
        """Who names it gets it."""
        log_call(include_args=["self"])(lambda self, this: None)(1, 2)

        assert {"self": 1} == arguments(log[0])

    def test_names_of_parameters_of_eliot(self, log: Messages) -> None:
        """Arguments may have the names of Eliot's own parameters."""

        @log_call
        def f(logger: int, _serializers: int, action: int, fields: int, message_type: int) -> None:
            pass

        f(1, _serializers=2, action=3, fields=4, message_type=5)

        assert {
            "logger": 1,
            "_serializers": 2,
            "action": 3,
            "fields": 4,
            "message_type": 5,
        } == arguments(log[0])

    def test_names_of_built_in_fields(self, log: Messages) -> None:
        """Arguments that have the name of a field of every start message get another one."""

        @log_call(action_type="typed")
        def f(action_type: int, timestamp: int, task_uuid: int, **action_status: int) -> None:
            pass

        f(1, timestamp=2, task_uuid=3, x=4)

        assert ("typed", "started", [1]) == tuple(
            log[0][key] for key in ("action_type", "action_status", "task_level")
        )
        assert {
            "action_type_": 1,
            "timestamp_": 2,
            "task_uuid_": 3,
            "action_status_": {"x": 4},
        } == arguments(log[0])

    def test_names_of_built_in_fields_can_be_chosen(self, log: Messages) -> None:
        """They are chosen by the name of the parameter."""
        log_call(include_args=["task_level"])(lambda a, task_level: None)(1, 2)

        assert {"task_level_": 2} == arguments(log[0])

    def test_same_name_twice(self, log: Messages) -> None:
        """A keyword may have the name of an argument that is given by position alone."""
        namespace: Dict[str, Any] = {}
        exec("def f(a, /, **kw): return kw", namespace)  # noqa: S102 - Python 3.8 has no stubs for it
        assert {"a": 2} == log_call(namespace["f"])(1, a=2)

        assert {"a": 1, "kw": {"a": 2}} == arguments(log[0])


class TestType:
    """The type of the action."""

    def test_is_the_name(self, log: Messages) -> None:
        """It is the module and the qualified name."""

        @log_call
        def f() -> None:
            pass

        f()

        assert f"{__name__}.TestType.test_is_the_name.<locals>.f" == log[0]["action_type"]

    def test_can_be_given(self, log: Messages) -> None:
        """It can be another one."""
        log_call(action_type="mine")(plain)(1, c=3)
        log_call(action_type="")(plain)(1, c=3)

        assert ["mine", "mine", "", ""] == [message["action_type"] for message in log]

    @pytest.mark.parametrize(
        ("f", "name"),
        [
            (partial(plain, 1, c=3), f"{__name__}.plain"),
            (partial(partial(plain, 1), c=3), f"{__name__}.plain"),
            (lambda: 1, f"{__name__}.<lambda>"),
        ],
    )
    def test_of_other_callables(self, log: Messages, f: Any, name: str) -> None:
        """Whatever can be called has a name: that of the function within, or of the class."""
        assert 1 == log_call(f)()

        assert name.replace("<lambda>", "TestType.<lambda>") == log[0]["action_type"]

    def test_of_instances(self, log: Messages) -> None:
        """What can be called without being a function is called as its class is."""

        class Adder:
            def __call__(self, a: int) -> int:
                return a + 1

        assert 2 == log_call(Adder())(1)
        assert "Ab" == log_call(str.capitalize)("ab")

        assert ["Adder", "Adder", "capitalize", "capitalize"] == [
            name for _, name, _ in outline(log)
        ]
        assert "builtins.str.capitalize" == log[2]["action_type"]
        assert {"a": 1} == arguments(log[0])


class TestCall:
    """What a call does."""

    def test_runs_inside(self, log: Messages) -> None:
        """The action is current inside, and child of the one that is current outside."""

        @log_call
        def f() -> None:
            log_message("m")

        with start_action(action_type="outer"):
            f()

        assert current_action() is None
        assert [
            ([1], "outer", "started"),
            ([2, 1], "f", "started"),
            ([2, 2], "m", None),
            ([2, 3], "f", "succeeded"),
            ([3], "outer", "succeeded"),
        ] == outline(log)

    def test_can_add_to_its_action(self, log: Messages) -> None:
        """What is added to the current action inside comes with the result."""

        @log_call
        def f() -> int:
            action = current_action()
            assert action is not None
            action.add_success_fields(size=2)
            return 1

        f()

        assert {"size": 2, "result": 1} == arguments(log[1])

    def test_in_a_place_that_is_visited(self, log: Messages) -> None:
        """An action that is current for a block has the calls in there."""
        action = start_action(action_type="outer")
        with action.context():
            log_call(lambda: None)()

        assert [[1], [2, 1], [2, 2]] == [message["task_level"] for message in log]

    def test_fails(self, log: Messages) -> None:
        """An exception fails the action, and goes on."""
        with pytest.raises(ZeroDivisionError):
            log_call(lambda a: a / 0)(1)

        assert "failed" == log[1]["action_status"]
        assert {
            "exception": "builtins.ZeroDivisionError",
            "reason": "division by zero",
        } == arguments(log[1])

    @pytest.mark.parametrize(
        "call",
        [lambda f: f(), lambda f: f(1), lambda f: f(1, c=3, a=4)],
        ids=["none", "few", "twice"],
    )
    def test_wrong_arguments(self, log: Messages, call: Callable[[Any], Any]) -> None:
        """A wrong call raises the function's own error, and logs nothing."""
        with pytest.raises(TypeError) as expected:
            call(plain)
        with pytest.raises(TypeError) as caught:
            call(log_call(plain))

        assert str(expected.value) == str(caught.value)
        assert [] == log

    def test_deceptive_signature(self, log: Messages) -> None:
        """A function that takes other arguments than it says runs all the same."""

        def decorator(f: Callable[..., int]) -> Callable[..., int]:
            return wraps(f)(lambda: f(1, 2))

        assert 3 == log_call(decorator(lambda a, b: a + b))()

    def test_type_error_of_the_function(self, log: Messages) -> None:
        """A `TypeError` from inside fails the action like any other exception."""
        with pytest.raises(TypeError):
            log_call(lambda a: a + "")(1)

        assert [([1], "<lambda>", "started"), ([2], "<lambda>", "failed")] == outline(log)


class TestDecoration:
    """What the decorator makes of a function."""

    def test_looks_like_the_function(self) -> None:
        """Name, documentation, annotations and signature are those of the function."""
        logged = log_call(plain)

        assert plain is logged.__wrapped__  # type: ignore[attr-defined]
        assert str(inspect.signature(plain)) == str(inspect.signature(logged))
        for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
            assert getattr(plain, name) == getattr(logged, name)

    def test_can_be_pickled(self) -> None:
        """A function of a module is pickled by its name, as always."""
        assert at_module_level is pickle.loads(pickle.dumps(at_module_level))  # noqa: S301 - our own

    @pytest.mark.parametrize(
        "decorate",
        [
            log_call,
            log_call(),
            log_call(action_type="a"),
            log_call(None, "a", ["a"], False),
            lambda f: log_call(f, "a", ["a"], False),
            lambda f: log_call(f, include_result=False),
        ],
    )
    def test_with_and_without_parentheses(self, log: Messages, decorate: Any) -> None:
        """The decorator is used bare, or with options."""
        assert 3 == decorate(lambda a, b: a + b)(1, 2)

        assert 2 == len(log)

    @pytest.mark.parametrize("include", [["nope"], ["a", "nope"], [7], "nope"])
    def test_wrong_choice(self, include: Any) -> None:
        """Choosing an argument that is not there is an error, at once."""
        with pytest.raises(
            ValueError, match="lists arguments not in the wrapped function"
        ) as caught:
            log_call(include_args=include)(plain)

        assert str(caught.value).startswith("include_args (")
        assert f"{__name__}.plain(a" in str(caught.value)

    def test_wrong_choice_is_named(self) -> None:
        """The error names the arguments, and the function."""
        with pytest.raises(ValueError, match="include_args") as caught:
            log_call(include_args=["z", "x", "a"])(lambda a: None)

        assert (
            "include_args (x, z) lists arguments not in the wrapped function "
            f"{__name__}.TestDecoration.test_wrong_choice_is_named.<locals>.<lambda>(a)"
        ) == str(caught.value)

    def test_not_callable(self) -> None:
        """What cannot be called cannot be decorated."""
        nothing: Any = 7
        with pytest.raises(TypeError):
            log_call(nothing)

    def test_old_address(self) -> None:
        """The decorator is found at its old address, too."""
        assert log_call is eliot.log_call
        assert log_call is vars(action_room)["log_call"]


class TestMethods:
    """Functions in classes."""

    def test_of_all_kinds(self, log: Messages) -> None:
        """Methods, and static and class methods, with the decorator inside or outside."""

        class Counter:
            @log_call
            def method(self, x: int) -> Counter:
                return self

            @staticmethod
            @log_call
            def static(x: int) -> int:
                return x

            @classmethod
            @log_call
            def of_class(cls, x: int) -> type:
                return cls

            @log_call
            @staticmethod
            def outside_static(x: int) -> int:
                return x

            @log_call(action_type="c")
            @classmethod
            def outside_of_class(cls, x: int) -> type:
                return cls

        counter = Counter()

        assert counter is counter.method(1)
        assert (1, 1) == (Counter.static(1), counter.static(1))
        assert Counter is counter.of_class(1)
        assert (1, 1) == (Counter.outside_static(1), counter.outside_static(1))
        assert Counter is Counter.outside_of_class(1)
        assert [
            {"x": 1},
        ] * 7 == [arguments(message) for message in log[::2]]


def run(awaitable: Awaitable[Any]) -> Any:
    """Await something in an event loop of its own."""

    async def main() -> Any:
        return await awaitable

    return asyncio.run(main())


class TestCoroutineFunctions:
    """`async def` functions."""

    def test_lasts_as_long_as_the_coroutine(self, log: Messages) -> None:
        """The action begins and ends with the coroutine, which runs inside."""

        @log_call
        async def f(x: int) -> int:
            log_message("before")
            await asyncio.sleep(0)
            log_message("after")
            return x + 1

        coroutine = f(1)
        assert [] == log
        assert 2 == run(coroutine)

        assert [
            ([1], "f", "started"),
            ([2], "before", None),
            ([3], "after", None),
            ([4], "f", "succeeded"),
        ] == outline(log)
        assert ({"x": 1}, {"result": 2}) == (arguments(log[0]), arguments(log[3]))

    def test_does_not_leak(self, log: Messages) -> None:
        """Calls that take turns each keep to their own action."""

        @log_call(include_args=[], include_result=False)
        async def f() -> None:
            for _ in range(2):
                await asyncio.sleep(0)
                log_message("m")

        async def main() -> None:
            with start_action(action_type="main") as action:
                await asyncio.gather(asyncio.ensure_future(f()), f())

                assert current_action() is action

        run(main())

        assert [
            ([1], "main", "started"),
            *(
                ([number, *level], *rest)
                for number in (2, 3)
                for level, *rest in (
                    ([1], "f", "started"),
                    ([2], "m", None),
                    ([3], "m", None),
                    ([4], "f", "succeeded"),
                )
            ),
            ([4], "main", "succeeded"),
        ] == sorted(outline(log))

    def test_fails(self, log: Messages) -> None:
        """An exception fails the action, and goes on; so does cancellation."""

        @log_call
        async def f(exception: BaseException) -> None:
            await asyncio.sleep(0)
            raise exception

        for exception in (ValueError("boom"), asyncio.CancelledError()):
            with pytest.raises(type(exception)):
                run(f(exception))

        assert ["started", "failed"] * 2 == [message["action_status"] for message in log]

    def test_wrong_arguments(self, log: Messages) -> None:
        """A wrong call raises the function's own error, and logs nothing."""

        @log_call
        async def f(x: int) -> None:
            pass

        wrong: Any = f
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
            run(wrong())

        assert [] == log

    def test_stays_a_coroutine_function(self) -> None:
        """Frameworks recognise it."""

        @log_call
        async def f() -> None:
            pass

        assert inspect.iscoroutinefunction(f)

    def test_of_instances(self, log: Messages) -> None:
        """What can be called and awaited, without being a function, is logged likewise."""

        class Service:
            async def __call__(self, x: int) -> int:
                log_message("m")
                return x

            async def method(self, x: int) -> int:
                return await self(x)

        assert 1 == run(log_call(Service())(1))
        assert 1 == run(log_call(Service().method)(1))
        assert 1 == run(log_call(partial(Service().method, 1))())

        assert ["Service", "m", "Service"] == [name for _, name, _ in outline(log[:3])]
        assert ["method", "m", "method"] * 2 == [name for _, name, _ in outline(log[3:])]


class TestGeneratorFunctions:
    """Functions with `yield`."""

    @staticmethod
    @log_call
    def counter(x: int) -> Generator[int, str, str]:
        """Yield twice, and return."""
        log_message("first")
        got = yield x
        log_message(got)
        try:
            yield x + 1
        except KeyError:
            log_message("thrown")
        return "end"

    def test_lasts_from_first_next_to_the_end(self, log: Messages) -> None:
        """The action is current inside, not in between; values go both ways."""
        with start_action(action_type="outer") as outer:
            generator = self.counter(1)
            assert 1 == len(log)
            assert 1 == next(generator)
            assert current_action() is outer
            log_message("between")
            assert 2 == generator.send("sent")
            with pytest.raises(StopIteration) as stop:
                generator.throw(KeyError())
            assert "end" == stop.value.value

        assert [
            ([1], "outer", "started"),
            ([2, 1], "counter", "started"),
            ([2, 2], "first", None),
            ([3], "between", None),
            ([2, 3], "sent", None),
            ([2, 4], "thrown", None),
            ([2, 5], "counter", "succeeded"),
            ([4], "outer", "succeeded"),
        ] == outline(log)
        assert ({"x": 1}, {"result": "end"}) == (arguments(log[1]), arguments(log[6]))

    def test_result_can_be_left_out(self, log: Messages) -> None:
        """The returned value need not be logged, and is returned all the same."""

        @log_call(include_result=False)
        def f() -> Generator[None, None, int]:
            yield
            return 7

        def outer() -> Generator[None, None, int]:
            return (yield from f())

        generator = outer()
        next(generator)
        with pytest.raises(StopIteration) as stop:
            next(generator)

        assert 7 == stop.value.value
        assert {} == arguments(log[1])

    def test_fails(self, log: Messages) -> None:
        """An exception fails the action, and goes on."""

        @log_call
        def f() -> Generator[int, None, None]:
            yield 1
            raise ValueError("boom")

        with pytest.raises(ValueError, match="boom"):
            list(f())

        assert [([1], "f", "started"), ([2], "f", "failed")] == outline(log)

    @pytest.mark.parametrize("collected", [True, False])
    def test_closed_early(self, log: Messages, *, collected: bool) -> None:
        """A generator that is closed, or broken out of, ends its action."""
        with start_action(action_type="outer") as outer:
            generator: Any = self.counter(1)
            next(generator)
            if not collected:
                generator.close()
            del generator
            gc.collect()

            assert current_action() is outer

        assert [([2, 3], "counter", "failed"), ([3], "outer", "succeeded")] == outline(log)[3:]
        assert "builtins.GeneratorExit" == log[3]["exception"]

    def test_never_begun(self, log: Messages) -> None:
        """A generator that is never asked for anything logs nothing."""
        self.counter(1).close()

        assert [] == log

    def test_variables_of_the_program(self, log: Messages) -> None:
        """Logging changes nothing else: what the generator sets, its consumer sees."""

        @contextmanager
        @log_call
        def precision(digits: int) -> Iterator[int]:
            with localcontext() as context:
                context.prec = digits
                with start_action(action_type="block"):
                    yield digits

        with start_action(action_type="outer") as outer, precision(3):
            assert outer is current_action()
            assert "0.333" == str(Decimal(1) / 3)
        assert 28 == getcontext().prec

        assert [
            ([1], "outer", "started"),
            ([2, 1], "precision", "started"),
            ([2, 2, 1], "block", "started"),
            ([2, 2, 2], "block", "succeeded"),
            ([2, 3], "precision", "succeeded"),
            ([3], "outer", "succeeded"),
        ] == outline(log)

    def test_begun_and_ended_in_threads(self, log: Messages) -> None:
        """Steps may be taken in any thread; actions inside last, and nothing leaks."""
        with start_action(action_type="outer"):
            generator = self.counter(1)

            def consume(step: Callable[[], Any]) -> None:
                with start_task(action_type="consumer") as consumer:
                    step()
                    assert consumer is current_action()

            for step in (lambda: next(generator), lambda: generator.send("sent"), generator.close):
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(consume, step).result()

        assert [
            ([2, 1], "counter", "started"),
            ([2, 2], "first", None),
            ([2, 3], "sent", None),
            ([2, 4], "counter", "failed"),
        ] == [each for each in outline(log) if each[0][0] == 2 and len(each[0]) == 2]

    def test_consumed_elsewhere(self, log: Messages) -> None:
        """The action stands where the call was, wherever the generator is consumed."""
        with start_action(action_type="outer"):
            generator = self.counter(1)
        with start_action(action_type="other"):
            next(generator)
            generator.close()

        assert [
            ([1], "outer", "started"),
            ([2], "outer", "succeeded"),
            ([1], "other", "started"),
            ([3, 1], "counter", "started"),
            ([3, 2], "first", None),
            ([3, 3], "counter", "failed"),
            ([2], "other", "succeeded"),
        ] == outline(log)
        assert log[0]["task_uuid"] == log[3]["task_uuid"]

    def test_wrong_arguments(self, log: Messages) -> None:
        """A wrong call raises the function's own error at once, and logs nothing."""
        wrong: Any = self.counter
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
            wrong()

        assert [] == log

    def test_deceptive_signature(self, log: Messages) -> None:
        """A function that takes other arguments than it says is logged without them."""

        def f(a: int) -> Generator[int, None, None]:
            yield a

        def deceptive() -> Generator[int, None, None]:
            yield from f(1)

        assert [1] == list(log_call(wraps(f)(deceptive))())
        assert {} == arguments(log[0])


class TestAsyncGeneratorFunctions:
    """`async def` functions with `yield`."""

    @staticmethod
    @log_call
    async def counter(x: int) -> AsyncGenerator[int, str]:
        """Yield twice."""
        log_message("first")
        got = yield x
        await asyncio.sleep(0)
        log_message(got)
        try:
            yield x + 1
        except KeyError:
            log_message("thrown")

    def test_lasts_from_first_step_to_the_end(self, log: Messages) -> None:
        """The action is current inside, not in between; values go both ways."""

        async def main() -> None:
            with start_action(action_type="outer") as outer:
                generator = self.counter(1)
                assert 1 == await generator.__anext__()
                assert current_action() is outer
                log_message("between")
                assert 2 == await generator.asend("sent")
                assert current_action() is outer
                with pytest.raises(StopAsyncIteration):
                    await generator.athrow(KeyError())
                assert current_action() is outer

        run(main())

        assert [
            ([1], "outer", "started"),
            ([2, 1], "counter", "started"),
            ([2, 2], "first", None),
            ([3], "between", None),
            ([2, 3], "sent", None),
            ([2, 4], "thrown", None),
            ([2, 5], "counter", "succeeded"),
            ([4], "outer", "succeeded"),
        ] == outline(log)
        assert ({"x": 1}, {}) == (arguments(log[1]), arguments(log[6]))

    def test_fails(self, log: Messages) -> None:
        """An exception fails the action, and goes on."""

        @log_call
        async def f() -> AsyncGenerator[int, None]:
            yield 1
            raise ValueError("boom")

        async def main() -> None:
            async for _ in f():
                pass

        with pytest.raises(ValueError, match="boom"):
            run(main())

        assert [([1], "f", "started"), ([2], "f", "failed")] == outline(log)

    @pytest.mark.parametrize("how", ["aclose", "aclose in a task", "collect", "end of loop"])
    def test_closed_early(self, log: Messages, how: str) -> None:
        """However it is closed, what it still says and the end of its action are in their place."""
        generators: List[Any] = []
        reports: List[Any] = []

        @log_call
        async def f() -> AsyncGenerator[int, None]:
            try:
                yield 1
            finally:
                await asyncio.sleep(0)
                log_message("cleaned")

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda *args: reports.append(args))
            closed = asyncio.Event()
            eliot.add_destinations(
                lambda m: closed.set() if m.get("action_status") == "failed" else None
            )
            with start_action(action_type="main") as action:
                generators.append(f())
                async for _ in generators[0]:
                    break
                assert current_action() is action
                if how == "aclose":
                    await generators[0].aclose()
                elif how == "aclose in a task":
                    await asyncio.ensure_future(generators[0].aclose())
                elif how == "collect":
                    generators.clear()
                    gc.collect()
                    await closed.wait()

                assert current_action() is action

        run(main())

        assert [] == reports
        assert [
            ([1], "main", "started"),
            ([2, 1], "f", "started"),
            ([2, 2], "cleaned", None),
            ([2, 3], "f", "failed"),
            ([3], "main", "succeeded"),
        ] == sorted(outline(log))
        (end,) = [message for message in log if message.get("action_status") == "failed"]
        assert {
            "exception": "builtins.GeneratorExit",
            "reason": "",
        } == arguments(end)

    def test_wrong_arguments(self, log: Messages) -> None:
        """A wrong call raises the function's own error at once, and logs nothing."""
        wrong: Any = self.counter
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
            wrong()

        assert [] == log

    def test_deceptive_signature(self, log: Messages) -> None:
        """A function that takes other arguments than it says is logged without them."""

        def f(a: int) -> None:
            pass

        async def deceptive() -> AsyncGenerator[int, None]:
            yield 1

        async def main() -> List[int]:
            generator: Any = log_call(wraps(f)(deceptive))
            return [item async for item in generator()]

        assert [1] == run(main())
        assert {} == arguments(log[0])


# --- Every kind of callable, and what holds for all of them ---------------------------------------

#: Decorates, as `log_call` does.
Decorate = Callable[[Any], Any]


def work(x: int, y: int = 2) -> int:
    """Do the work of all kinds of callables."""
    log_message("inside")
    if x < 0:
        raise ValueError(x)
    return x + y


def of_function(decorate: Decorate) -> Any:
    """Make a function."""

    @decorate
    def logged(x: int, y: int = 2) -> int:
        """Work."""
        return work(x, y)

    return logged


def of_coroutine_function(decorate: Decorate) -> Any:
    """Make an `async def` function."""

    @decorate
    async def logged(x: int, y: int = 2) -> int:
        """Work."""
        await asyncio.sleep(0)
        return work(x, y)

    return logged


def of_old_coroutine_function(decorate: Decorate) -> Any:
    """Make a coroutine function out of a generator function."""

    @decorate
    @types.coroutine
    def logged(x: int, y: int = 2) -> Generator[Any, Any, int]:
        """Work."""
        yield from asyncio.sleep(0).__await__()
        return work(x, y)

    return logged


def of_generator_function(decorate: Decorate) -> Any:
    """Make a generator function."""

    @decorate
    def logged(x: int, y: int = 2) -> Generator[int, None, int]:
        """Work."""
        yield 1
        return work(x, y)

    return logged


def of_async_generator_function(decorate: Decorate) -> Any:
    """Make an asynchronous generator function."""

    @decorate
    async def logged(x: int, y: int = 2) -> AsyncGenerator[int, None]:
        """Work."""
        await asyncio.sleep(0)
        yield work(x, y)

    return logged


def of_method(decorate: Decorate) -> Any:
    """Make a method."""

    class Worker:
        @decorate
        def logged(self, x: int, y: int = 2) -> int:
            """Work."""
            return work(x, y)

    return Worker().logged


def of_coroutine_method(decorate: Decorate) -> Any:
    """Make an `async def` method."""

    class Worker:
        @decorate
        async def logged(self, x: int, y: int = 2) -> int:
            """Work."""
            return work(x, y)

    return Worker().logged


def of_class_method(decorate: Decorate) -> Any:
    """Make a class method, decorated inside."""

    class Worker:
        @classmethod
        @decorate
        def logged(cls, x: int, y: int = 2) -> int:
            """Work."""
            return work(x, y)

    return Worker.logged


def of_class_method_outside(decorate: Decorate) -> Any:
    """Make a class method, decorated outside."""

    class Worker:
        @decorate
        @classmethod
        def logged(cls, x: int, y: int = 2) -> int:
            """Work."""
            return work(x, y)

    return Worker().logged


def of_static_method(decorate: Decorate) -> Any:
    """Make a static method, decorated inside."""

    class Worker:
        @staticmethod
        @decorate
        def logged(x: int, y: int = 2) -> int:
            """Work."""
            return work(x, y)

    return Worker().logged


def of_static_method_outside(decorate: Decorate) -> Any:
    """Make a static method that is a generator function, decorated outside."""

    class Worker:
        @decorate
        @staticmethod
        def logged(x: int, y: int = 2) -> Generator[int, None, int]:
            """Work."""
            yield 1
            return work(x, y)

    return Worker.logged


def of_call(decorate: Decorate) -> Any:
    """Make an object of a class whose `__call__` is decorated."""

    class Worker:
        @decorate
        def __call__(self, x: int, y: int = 2) -> int:
            """Work."""
            return work(x, y)

    return Worker()


def of_instance(decorate: Decorate) -> Any:
    """Make an object that can be called, and decorate that."""

    class Worker:
        """Work."""

        def __call__(self, x: int, y: int = 2) -> int:
            return work(x, y)

    return decorate(Worker())


def of_coroutine_instance(decorate: Decorate) -> Any:
    """Make an object that can be called and awaited, and decorate that."""

    class Worker:
        """Work."""

        async def __call__(self, x: int, y: int = 2) -> int:
            return work(x, y)

    return decorate(Worker())


def of_partial(decorate: Decorate) -> Any:
    """Make a function with some of its arguments."""

    def worker(z: int, x: int, y: int) -> int:
        """Work."""
        return work(x, y)

    return decorate(partial(worker, 0, y=2))


def of_coroutine_partial(decorate: Decorate) -> Any:
    """Make an `async def` function with some of its arguments."""

    async def worker(z: int, x: int, y: int) -> int:
        """Work."""
        return work(x, y)

    return decorate(partial(partial(worker, 0), y=2))


def of_generator_partial(decorate: Decorate) -> Any:
    """Make a generator function with some of its arguments."""

    def worker(z: int, x: int, y: int) -> Generator[int, None, int]:
        """Work."""
        yield 1
        return work(x, y)

    return decorate(partial(worker, 0, y=2))


def of_lambda(decorate: Decorate) -> Any:
    """Make a function without a name."""
    logged = decorate(lambda x, y=2: work(x, y))
    logged.__doc__ = "Work."
    return logged


def exhaust(generator: Generator[Any, Any, Any]) -> Any:
    """Return what a generator returns."""
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value


def exhaust_async(generator: AsyncGenerator[Any, Any]) -> Any:
    """Return the last of what an asynchronous generator yields."""

    async def last() -> Any:
        return [item async for item in generator][-1]

    return asyncio.run(last())


def returned(value: Any) -> Any:
    """Return what a function returns."""
    return value


#: From each kind to how its work is done.
KINDS: Dict[Callable[[Decorate], Any], Callable[[Any], Any]] = {
    of_function: returned,
    of_lambda: returned,
    of_coroutine_function: run,
    of_old_coroutine_function: run,
    of_generator_function: exhaust,
    of_async_generator_function: exhaust_async,
    of_method: returned,
    of_coroutine_method: run,
    of_class_method: returned,
    of_class_method_outside: returned,
    of_static_method: returned,
    of_static_method_outside: exhaust,
    of_call: returned,
    of_instance: returned,
    of_coroutine_instance: run,
    of_partial: returned,
    of_coroutine_partial: run,
    of_generator_partial: exhaust,
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__[3:])
class TestAllKinds:
    """What holds for everything that can be decorated."""

    def test_lasts_as_long_as_the_work(self, log: Messages, kind: Any) -> None:
        """The action is in the current one, and around all that the work logs."""
        with start_action(action_type="outer") as outer:
            assert 3 == KINDS[kind](kind(log_call)(1))

            assert outer is current_action()

        assert [([2, 1], "started"), ([2, 2], None), ([2, 3], "succeeded")] == [
            (message["task_level"], message.get("action_status")) for message in log[1:-1]
        ]
        assert "inside" == log[2]["message_type"]

    def test_arguments_and_result(self, log: Messages, kind: Any) -> None:
        """Arguments are logged, defaults too, but no object or class; so is what is returned."""
        KINDS[kind](kind(log_call)(1))
        KINDS[kind](kind(log_call)(x=1, y=2))

        assert {"x": 1, "y": 2} == arguments(log[0]) == arguments(log[3])
        expected = {} if kind is of_async_generator_function else {"result": 3}
        assert expected == arguments(log[2]) == arguments(log[5])

    def test_fails(self, log: Messages, kind: Any) -> None:
        """What the work raises fails the action, and goes on."""
        with pytest.raises(ValueError, match="-1"):
            KINDS[kind](kind(log_call)(-1))

        assert ["started", None, "failed"] == [each.get("action_status") for each in log]
        assert "-1" == log[2]["reason"]
        assert current_action() is None

    def test_wrong_call(self, log: Messages, kind: Any) -> None:
        """A wrong call raises the error of what is decorated, and logs nothing."""
        with pytest.raises(TypeError) as expected:
            KINDS[kind](kind(returned)())
        with pytest.raises(TypeError) as caught:
            KINDS[kind](kind(log_call)())

        assert (str(expected.value), []) == (str(caught.value), log)

    def test_options(self, log: Messages, kind: Any) -> None:
        """All options work."""
        decorate = log_call(
            action_type="typed",
            exclude_args=["y"],
            include_result=False,
            fields={"double": lambda args: 2 * args["x"], "host": "web1"},
            level="debug",
            new_task=True,
        )
        with start_action(action_type="outer"):
            KINDS[kind](kind(decorate)(1))

        assert ([1], "typed") == (log[1]["task_level"], log[1]["action_type"])
        assert {"x": 1, "double": 2, "host": "web1", "log_level": "debug"} == arguments(log[1])
        assert {} == arguments(log[3])

    def test_chosen_arguments(self, log: Messages, kind: Any) -> None:
        """Arguments can be chosen, and a wrong choice is an error at once."""
        KINDS[kind](kind(log_call(include_args=["y"]))(1))

        assert {"y": 2} == arguments(log[0])
        with pytest.raises(ValueError, match="include_args"):
            kind(log_call(include_args=["z"]))

    def test_looks_the_same(self, kind: Any) -> None:
        """Signature and documentation are as they were, and there is a name."""
        logged, plain = kind(log_call), kind(returned)

        assert inspect.signature(plain) == inspect.signature(logged)
        assert inspect.iscoroutinefunction(plain) <= inspect.iscoroutinefunction(logged)
        plain_one = plain.func if isinstance(plain, partial) else plain
        plain_one = plain_one.func if isinstance(plain_one, partial) else plain_one
        if kind is not of_call:
            described = plain_one if hasattr(plain_one, "__name__") else type(plain_one)
            for name in ("__name__", "__qualname__", "__module__", "__doc__"):
                assert getattr(described, name) == getattr(logged, name)


class TestPickle:
    """Pickling, by name."""

    class Worker:
        """Have methods of all kinds."""

        @log_call
        def method(self, x: int) -> int:
            """Work."""
            return x

        @classmethod
        @log_call
        def of_class(cls, x: int) -> int:
            """Work."""
            return x

        @log_call
        @classmethod
        def outside_of_class(cls, x: int) -> int:
            """Work."""
            return x

        @log_call
        @staticmethod
        def static(x: int) -> int:
            """Work."""
            return x

        @log_call
        def __call__(self, x: int) -> int:
            """Work."""
            return x

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    @pytest.mark.parametrize(
        "logged",
        [
            at_module_level,
            at_module_level_async,
            generator_at_module_level,
            Worker().method,
            Worker.method,
            Worker.of_class,
            Worker.outside_of_class,
            Worker.static,
            Worker(),
            partial(at_module_level, 1),
        ],
    )
    def test_works(self, monkeypatch: pytest.MonkeyPatch, logged: Any, protocol: int) -> None:
        """Functions and methods that are decorated can go to another process, as others can."""
        # Twisted has a way of its own with methods, which fails for all class methods.
        monkeypatch.delitem(copyreg.dispatch_table, types.MethodType, raising=False)
        again = pickle.loads(pickle.dumps(logged, protocol))  # noqa: S301 - our own

        assert type(logged) is type(again)
        assert inspect.signature(logged) == inspect.signature(again)


@log_call(fields={"y": lambda args: 1})
def sync_one(a: int, b: int = 2, **kw: int) -> int:
    """Do nothing."""
    return a


@log_call(fields={"y": lambda args: 1})
async def async_one(a: int, b: int = 2, **kw: int) -> int:
    """Do nothing."""
    return a


@log_call(fields={"y": lambda args: 1})
def generating_one(a: int, b: int = 2, **kw: int) -> Generator[None, None, int]:
    """Do nothing."""
    yield from ()
    return a


def take_the_step(steps: Any) -> None:
    """Take the only step of a generator or a coroutine."""
    with suppress(StopIteration):
        steps.send(None)


@pytest.mark.skipif(
    sys.implementation.name == "pypy", reason="there is no limit of frames on this interpreter"
)
# One more frame than most runs need: Python counts calls of built-in functions or not, depending on
# how often the code ran before.
@pytest.mark.parametrize(
    ("frames", "function"), [(3, sync_one), (5, async_one), (8, generating_one)]
)
def test_recursion_limit(log: Messages, frames: int, function: Any) -> None:
    """At whatever depth there is room for a few calls, decorated functions can be called."""
    take = returned if function is sync_one else take_the_step

    def helper(depth: int) -> None:
        if depth > 1:
            helper(depth - 1)
        else:
            max(0, depth)

    def descend(more: int, number: int) -> None:
        if more:
            descend(more - 1, number)
            return
        try:
            helper(frames)
        except RecursionError:
            return
        possible.append(number)
        take(function(number, kw=1))
        done.append(number)

    possible: List[int] = []
    done: List[int] = []
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    for left in range(40):
        with suppress(RecursionError):
            descend(sys.getrecursionlimit() - depth - left, left)
    log_message("after")

    assert possible == done
    assert 0 < len(done) < 40
    assert 2 * len(done) + 1 == len(log)
