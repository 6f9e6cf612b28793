"""Tests of `eliot.testing`."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import unittest
import warnings
from typing import Any, Callable, Dict, List, Tuple, Type, TypeVar
from unittest import IsolatedAsyncioTestCase, SkipTest, TestCase, mock

import pytest
from hypothesis import given, settings
from hypothesis.strategies import just

import eliot
from eliot import MemoryLogger, _output, fields, log_message, start_action, write_traceback
from eliot.testing import (
    COMPLETED_STATUSES,
    EliotJSONEncoder,
    LoggedAction,
    LoggedMessage,
    UnflushedTracebacks,
    assertContainsFields,
    assertHasAction,
    assertHasMessage,
    capture_logging,
    check_for_errors,
    issuperset,
    swap_logger,
    validate_logging,
    validateLogging,
)

_F = TypeVar("_F", bound=Callable[..., Any])

TYPED = eliot.MessageType("typed", fields(x=int))
ACTION = eliot.ActionType("acted", fields(), fields())


def fail() -> None:
    """Log a traceback."""
    try:
        raise ZeroDivisionError("expected")
    except ZeroDivisionError:
        write_traceback()


class ToString(json.JSONEncoder):
    """An encoder class, of the deprecated kind."""

    def default(self, o: Any) -> str:
        """Represent anything."""
        return str(o)


def run(decorate: Callable[[Any], Any], body: Callable[..., Any]) -> unittest.TestResult:
    """Run a function as the decorated method of a test case."""

    class Case(TestCase):
        test = decorate(body)

    return run_case(Case)


def run_case(case: Type[TestCase]) -> unittest.TestResult:
    """Run the method `test` of a test case."""
    result = unittest.TestResult()
    case("test").run(result)
    return result


def outcome(result: unittest.TestResult) -> Tuple[int, int, int]:
    """Count errors, failures and skips."""
    return len(result.errors), len(result.failures), len(result.skipped)


def texts(result: unittest.TestResult) -> str:
    """Return what the errors say."""
    return "".join(text for _, text in result.errors)


class TestSwapLogger:
    """The default logger can be exchanged."""

    def test_returns_the_previous_one(self) -> None:
        """What was the default logger can be put back."""
        logger = MemoryLogger()
        before = swap_logger(logger)
        log_message("hello")

        assert ["hello"] == [message["message_type"] for message in logger.messages]
        assert logger is swap_logger(before)
        assert before is _output._DEFAULT_LOGGER


class TestCheckForErrors:
    """Mistakes that logging does not raise are raised at the end of a test."""

    def test_nothing_wrong(self) -> None:
        """Valid messages pass, any number of times."""
        logger = MemoryLogger()
        TYPED.log(x=1, __eliot_logger__=logger)
        check_for_errors(logger)
        check_for_errors(logger)

    def test_tracebacks_come_first(self) -> None:
        """Unexpected tracebacks are raised, even if there are invalid messages too."""
        logger = MemoryLogger()
        TYPED.log(x="no", __eliot_logger__=logger)
        write_traceback(logger, exc_info=ValueError("unexpected"))
        with pytest.raises(UnflushedTracebacks) as raised:
            check_for_errors(logger)

        assert (logger.tracebackMessages,) == raised.value.args

    def test_unflushed_tracebacks_as_text(self) -> None:
        """Tracebacks that nobody flushed are shown as Python does."""
        logger = MemoryLogger()
        write_traceback(logger, exc_info=ValueError("one"))
        write_traceback(logger, exc_info=ValueError("two"))
        with pytest.raises(UnflushedTracebacks) as raised:
            check_for_errors(logger)

        assert [
            "not flushed with flush_tracebacks():",
            "ValueError: one",
            "ValueError: two",
        ] == str(raised.value).split("\n")
        assert "not flushed with flush_tracebacks():" == str(UnflushedTracebacks())
        assert "mine" == str(UnflushedTracebacks("mine"))

    def test_flushed_tracebacks_are_fine(self) -> None:
        """A traceback that was expected is no mistake, however often one looks."""
        logger = MemoryLogger()
        write_traceback(logger, exc_info=ValueError("expected"))

        assert 1 == len(logger.flush_tracebacks(ValueError))
        check_for_errors(logger)
        check_for_errors(logger)

    def test_invalid_messages(self) -> None:
        """Messages that are not of their shape are raised."""
        logger = MemoryLogger()
        TYPED.log(x="no", __eliot_logger__=logger)
        with pytest.raises(eliot.ValidationError):
            check_for_errors(logger)


Decorator = Callable[..., Callable[[_F], _F]]


@pytest.mark.parametrize("decorator", [validate_logging, capture_logging])
class TestBothDecorators:
    """What `validate_logging` and `capture_logging` have in common."""

    def test_passes_arguments_and_result(self, decorator: Decorator[Any]) -> None:
        """The method gets its own arguments and the logger, instead of one that was given."""

        class Case(TestCase):
            @decorator(None)
            def method(self, *args: Any, logger: Any, **kwargs: Any) -> Any:
                return args, kwargs, logger

            def test(self) -> None:
                args, kwargs, logger = self.method(1, k=2, logger="mine")
                assert ((1,), {"k": 2}) == (args, kwargs)
                assert type(logger) is MemoryLogger  # as test suites for published Eliot ask
                assert logger is not self.method()[2]

        assert (0, 0, 0) == outcome(run_case(Case))

    def test_keeps_metadata(self, decorator: Decorator[Any]) -> None:
        """Name, docstring and the original are kept."""

        def method(self: object, logger: object) -> None:
            """Say what it does."""

        decorated = decorator(None)(method)

        assert ("method", "Say what it does.", method) == (
            decorated.__name__,
            decorated.__doc__,
            decorated.__wrapped__,
        )

    def test_assertion_gets_all(self, decorator: Decorator[Any]) -> None:
        """The assertion is called with test case, logger and the other arguments."""
        calls: List[Any] = []
        case, loggers = [], []

        def body(self: TestCase, logger: MemoryLogger) -> None:
            case.append(self)
            loggers.append(logger)

        def check(*args: Any, **kwargs: Any) -> None:
            calls.append((args, kwargs))

        result = run(decorator(check, 1, z=2, json_default=3), body)

        assert (0, 0, 0) == outcome(result)
        assert [((case[0], loggers[0], 1), {"z": 2, "json_default": 3})] == calls

    def test_failing_assertion_fails_the_test(self, decorator: Decorator[Any]) -> None:
        """The other checks still run, and may add errors."""

        def body(self: TestCase, logger: MemoryLogger) -> None:
            write_traceback(logger, exc_info=ValueError("unexpected"))

        result = run(decorator(lambda self, logger: self.fail("no")), body)

        assert (1, 1, 0) == outcome(result)

    def test_failing_body(self, decorator: Decorator[Any]) -> None:
        """The assertion still runs after a failing body."""
        called: List[bool] = []

        def body(self: TestCase, logger: MemoryLogger) -> None:
            self.fail("no")

        result = run(decorator(lambda self, logger: called.append(True)), body)

        assert (0, 1, 0) == outcome(result)
        assert [True] == called

    @pytest.mark.parametrize("skip", [lambda self: self.skipTest("s"), None])
    def test_skipped(self, decorator: Any, skip: Any) -> None:
        """The assertion is not called after a skip; what was logged is checked all the same."""

        def body(self: TestCase, logger: MemoryLogger) -> None:
            write_traceback(logger, exc_info=ValueError("unexpected"))
            if skip is not None:
                skip(self)
            raise SkipTest("s")

        result = run(decorator(lambda self, logger: self.fail("not reached")), body)

        assert (1, 0, 1) == outcome(result)

    def test_unflushed_traceback(self, decorator: Decorator[Any]) -> None:
        """A traceback that nobody expected is an error; the assertion may flush it."""

        def body(self: TestCase, logger: MemoryLogger) -> None:
            write_traceback(logger, exc_info=ValueError("boom"))

        result = run(decorator(None), body)
        flushed = run(decorator(lambda self, logger: logger.flush_tracebacks(ValueError)), body)

        assert (1, 0, 0) == outcome(result)
        assert "UnflushedTracebacks" in texts(result)
        assert (0, 0, 0) == outcome(flushed)

    def test_invalid_message(self, decorator: Decorator[Any]) -> None:
        """A typed message of wrong shape is an error that shows where it was logged."""

        def body(self: TestCase, logger: MemoryLogger) -> None:
            TYPED.log(x="s", __eliot_logger__=logger)

        result = run(decorator(None), body)

        assert (1, 0, 0) == outcome(result)
        assert "ValidationError" in texts(result)
        assert __file__ in texts(result)

    def test_json_default(self, decorator: Decorator[Any]) -> None:
        """What the given function refuses is an error that shows where it was logged."""

        def refuse(o: object) -> None:
            raise TypeError("refused")

        def body(self: TestCase, logger: MemoryLogger) -> None:
            log_message("hello", x=object(), __eliot_logger__=logger)

        result = run(decorator(None, json_default_=refuse), body)

        assert (0, 0, 0) == outcome(run(decorator(None), body))
        assert (1, 0, 0) == outcome(result)
        assert "doesn't encode to JSON" in texts(result)
        assert __file__ in texts(result)

    def test_no_warning_of_its_own(self, decorator: Decorator[Any]) -> None:
        """Only an encoder that somebody gives is deprecated."""

        def body(self: TestCase, logger: MemoryLogger) -> None:
            log_message("hello", x=object(), __eliot_logger__=logger)

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert (0, 0, 0) == outcome(run(decorator(None, encoder_=EliotJSONEncoder), body))
        with pytest.warns(DeprecationWarning, match="default function") as caught:
            decorate = decorator(None, encoder_=ToString)

        assert [__file__] == [warning.filename for warning in caught]
        assert (0, 0, 0) == outcome(run(decorate, body))

    def test_encoder_is_no_business_of_the_assertion(self, decorator: Decorator[Any]) -> None:
        """It decides what JSON can represent, and goes no further."""
        kwargs: List[Dict[str, Any]] = []

        class Refusing(json.JSONEncoder):
            pass

        def body(self: TestCase, logger: MemoryLogger) -> None:
            log_message("hello", x={1}, __eliot_logger__=logger)

        with pytest.warns(DeprecationWarning, match="default function"):
            decorate = decorator(
                lambda self, logger, **given: kwargs.append(given), encoder_=Refusing, k=1
            )
        result = run(decorate, body)

        assert [{"k": 1}] == kwargs
        assert (1, 0, 0) == outcome(result)
        assert "doesn't encode to JSON" in texts(result)

    def test_encoder_and_function(self, decorator: Decorator[Any]) -> None:
        """The two contradict each other."""
        with pytest.warns(DeprecationWarning, match="JSON"), pytest.raises(
            RuntimeError, match="Can't pass in both encoder and default function"
        ):
            decorator(None, encoder_=ToString, json_default_=str)

    def test_exceptions_propagate(self, decorator: Decorator[Any]) -> None:
        """What the method raises is raised; anything that takes clean-ups is a test case."""

        class Case:
            def __init__(self) -> None:
                self.cleanups: List[Any] = []

            def addCleanup(self, function: Any, *args: Any) -> None:  # noqa: N802 - of unittest
                self.cleanups.append((function, args))

            @decorator(None)
            def test(self, logger: MemoryLogger) -> None:
                raise KeyError(logger)

        case: Any = Case()
        with pytest.raises(KeyError) as raised:
            case.test()

        assert isinstance(raised.value.args[0], MemoryLogger)
        assert case.cleanups

    def test_serializers_may_log(self, decorator: Decorator[Any]) -> None:
        """A serializer that logs does not stop the test for ever."""

        def body(self: TestCase, logger: MemoryLogger) -> None:
            def serialize(value: object) -> object:
                log_message("serialized", __eliot_logger__=logger)
                return value

            typed = eliot.MessageType("typed", [eliot.Field("x", serialize)])
            typed.log(x=1, __eliot_logger__=logger)

        assert (0, 0, 0) == outcome(run(decorator(assertHasMessage, "serialized"), body))

    def test_async_tests_are_awaited(self, decorator: Decorator[Any]) -> None:
        """The body of an `async def` test runs, and its failures count."""
        ran: List[str] = []

        class Case(IsolatedAsyncioTestCase):
            @decorator(assertHasMessage, "hello")
            async def test(self, logger: MemoryLogger) -> None:
                await asyncio.sleep(0)
                log_message("hello", __eliot_logger__=logger)
                ran.append("body")
                self.fail("no")

        assert (0, 1, 0) == outcome(run_case(Case))
        assert ["body"] == ran

    def test_async_skip(self, decorator: Decorator[Any]) -> None:
        """An `async def` test may skip itself."""

        class Case(IsolatedAsyncioTestCase):
            @decorator(assertHasMessage, "hello")
            async def test(self, logger: MemoryLogger) -> None:
                self.skipTest("s")

        assert (0, 0, 1) == outcome(run_case(Case))


class TestCaptureLogging:
    """The default logger is exchanged while the test runs."""

    def test_captures(self) -> None:
        """What is logged without a logger is captured."""

        def body(self: TestCase, logger: MemoryLogger) -> None:
            log_message("hello", x=1, y=2)
            assert _output._DEFAULT_LOGGER is logger

        before = _output._DEFAULT_LOGGER

        assert (0, 0, 0) == outcome(run(capture_logging(assertHasMessage, "hello", {"x": 1}), body))
        assert before is _output._DEFAULT_LOGGER

    def test_validate_logging_does_not(self) -> None:
        """`validate_logging` leaves the default logger alone."""

        def body(self: TestCase, logger: MemoryLogger) -> None:
            assert _output._DEFAULT_LOGGER is not logger

        assert (0, 0, 0) == outcome(run(validateLogging(None), body))
        assert validateLogging is validate_logging

    def test_order_of_clean_ups(self) -> None:
        """Clean-ups of the body are captured; the assertion sees the old default logger."""
        order: List[Any] = []

        class Case(TestCase):
            def setUp(self) -> None:
                self.addCleanup(lambda: order.append("of setUp"))

            def tearDown(self) -> None:
                order.append("tearDown")
                log_message("from tearDown")

            @capture_logging(
                lambda self, logger: order.append(
                    (len(logger.messages), _output._DEFAULT_LOGGER is logger)
                )
            )
            def test(self, logger: MemoryLogger) -> None:
                self.addCleanup(lambda: log_message("from clean-up"))
                log_message("from body")

        assert (0, 0, 0) == outcome(run_case(Case))
        assert ["tearDown", (3, False), "of setUp"] == order

    def test_passes_on(self) -> None:
        """If it is told to, what is captured goes to the real destinations, too."""
        received: List[Dict[str, Any]] = []
        eliot.add_destinations(received.append)

        def body(self: TestCase, logger: MemoryLogger) -> None:
            with start_action(action_type="acted", x=1):
                TYPED.log(x=2)

        result = run(capture_logging(assertHasAction, "acted", True, tee_=True), body)
        run(capture_logging(None), body)

        assert (0, 0, 0) == outcome(result)
        assert [1, 2, 3] == [message["task_level"][-1] for message in received]


@pytest.mark.parametrize("decorator", [validate_logging, capture_logging])
class TestFunctions:
    """Tests that are no methods of a test case, as pytest has them."""

    def test_function(self, decorator: Decorator[Any]) -> None:
        """It gets the logger and its own arguments, and returns what it returns."""

        @decorator(assertHasMessage, "hello", {"x": 1})
        def function(x: int, *, logger: MemoryLogger) -> Tuple[int, MemoryLogger]:
            log_message("hello", x=x, __eliot_logger__=logger)
            return x, logger

        assert 1 == function(1)[0]
        with pytest.raises(AssertionError):
            function(x=2)

    def test_method(self, decorator: Decorator[Any]) -> None:
        """So does a method of any other class; the assertion is lent a test case."""
        lent: List[object] = []

        class TestIt:
            @decorator(lambda case, logger: lent.append(case))
            def test(self, logger: MemoryLogger) -> object:
                return self

        case: Any = TestIt()

        assert case is case.test()
        assert isinstance(lent[0], TestCase)

    def test_coroutine(self, decorator: Decorator[Any]) -> None:
        """So does a coroutine function."""

        @decorator(assertHasMessage, "hello")
        async def function(x: int, *, logger: MemoryLogger) -> int:
            await asyncio.sleep(0)
            log_message("hello", __eliot_logger__=logger)
            return x

        assert inspect.iscoroutinefunction(function)
        assert 1 == asyncio.run(function(1))

    def test_no_parameter(self, decorator: Decorator[Any]) -> None:
        """The logger is no parameter of what is decorated: pytest would look for a fixture."""

        def function(x: int, logger: MemoryLogger, y: int = 1) -> None:
            """Do nothing."""

        decorated = decorator(None)(function)

        assert ["x", "y"] == [*inspect.signature(decorated).parameters]
        assert "function" == decorated.__name__

    def test_parameters_behind_the_logger(self, decorator: Decorator[Any]) -> None:
        """Others, who do not see that parameter, may give by position what follows."""

        @decorator(None)
        def function(x: int, logger: MemoryLogger, y: int = 1, *, z: int = 2) -> Tuple[int, ...]:
            logger.write({})
            return x, y, z

        function_of_any: Any = function

        assert [(3, 1, 2), (3, 4, 2), (3, 4, 5), (3, 4, 2)] == [
            function_of_any(3),
            function_of_any(3, 4),
            function_of_any(3, 4, z=5),
            function_of_any(3, y=4),
        ]
        for args, kwargs in [((3, 4, 5), {}), ((3, 4), {"y": 4})]:
            with pytest.raises(TypeError):
                function_of_any(*args, **kwargs)

    def test_hypothesis(self, decorator: Decorator[Any]) -> None:
        """Values of Hypothesis come wherever the logger is."""
        drawn: List[int] = []

        class Case(TestCase):
            @settings(max_examples=3, database=None)
            @given(just(5))
            @decorator(None)
            def test(self, logger: MemoryLogger, number: int) -> None:
                drawn.append(number + len(logger.messages))

        assert (0, 0, 0) == outcome(run_case(Case))
        assert {5} == {*drawn}

    @pytest.mark.skipif(
        sys.version_info < (3, 14), reason="annotations are evaluated at once on this interpreter"
    )
    def test_annotations_of_what_is_not_there(self, decorator: Decorator[Any]) -> None:
        """Annotations need not be evaluated."""
        namespace: Dict[str, Any] = {}
        exec("def f(x: Later, logger: Other) -> Never: return x", namespace)  # noqa: S102 - see above
        decorated = decorator(None)(namespace["f"])

        assert 1 == decorated(1)
        assert ["x"] == [*inspect.signature(decorated, annotation_format=4).parameters]  # type: ignore[call-arg] # Python 3.14

    def test_without_signature(self, decorator: Decorator[Any]) -> None:
        """What has no signature can be decorated, too."""

        class Odd:
            __name__ = "odd"
            __signature__ = "none"

            def __call__(self, logger: MemoryLogger) -> int:
                return len(logger.messages)

        assert 0 == decorator(None)(Odd())()

    def test_errors(self, decorator: Decorator[Any]) -> None:
        """What is wrong with the messages is raised."""

        @decorator(None)
        def stumbles(logger: MemoryLogger) -> None:
            write_traceback(logger, exc_info=ValueError("boom"))

        @decorator(lambda case, logger: logger.flush_tracebacks(ValueError))
        def expects(logger: MemoryLogger) -> None:
            write_traceback(logger, exc_info=ValueError("boom"))

        @decorator(None)
        def invalid(logger: MemoryLogger) -> None:
            TYPED.log(x="text", __eliot_logger__=logger)

        undecided: Any = expects
        undecided()
        for wrong, error in ((stumbles, UnflushedTracebacks), (invalid, eliot.ValidationError)):
            test: Any = wrong
            with pytest.raises(error):
                test()

    @pytest.mark.parametrize("error", [KeyError, SkipTest, KeyboardInterrupt])
    def test_raises(self, decorator: Decorator[Any], error: Type[BaseException]) -> None:
        """If it raises something itself, nothing else is checked."""
        before = _output._DEFAULT_LOGGER

        @decorator(lambda case, logger: case.fail("not reached"))
        def function(logger: MemoryLogger) -> None:
            write_traceback(logger, exc_info=ValueError("boom"))
            raise error

        test: Any = function
        with pytest.raises(error):
            test()

        assert before is _output._DEFAULT_LOGGER


class TestStacked:
    """Several decorators of one test share one logger."""

    def test_all_assertions_are_called(self) -> None:
        """Each sees all messages, those of the inner ones come first; errors are told once."""
        called: List[Tuple[str, MemoryLogger]] = []
        before = _output._DEFAULT_LOGGER

        def check(case: TestCase, logger: MemoryLogger, name: str) -> None:
            called.append((name, logger))
            assert ["hello"] == [each["message_type"] for each in logger.messages[:1]]

        class Case(TestCase):
            @validate_logging(check, "outer")
            @capture_logging(check, "middle")
            @capture_logging(check, "inner")
            def test(self, logger: MemoryLogger) -> None:
                log_message("hello")
                called.append(("body", logger))
                write_traceback(exc_info=ValueError("boom"))

        result = run_case(Case)

        assert (1, 0, 0) == outcome(result)
        assert ["body", "inner", "middle", "outer"] == [name for name, _ in called]
        assert 1 == len({id(logger) for _, logger in called})
        assert before is _output._DEFAULT_LOGGER

    def test_with_other_decorators_between(self) -> None:
        """There may be others in between."""

        @capture_logging(assertHasMessage, "hello")
        @mock.patch("os.getpid")
        @capture_logging(assertHasMessage, "hello")
        def function(getpid: mock.Mock, logger: MemoryLogger) -> None:
            log_message("hello")

        test: Any = function
        test()

    def test_json_default(self) -> None:
        """A default function that is given counts for all."""

        def refuse(o: object) -> None:
            raise TypeError("refused")

        @capture_logging(None)
        @capture_logging(None, json_default_=refuse)
        def function(logger: MemoryLogger) -> None:
            log_message("hello", x=object())

        test: Any = function
        with pytest.raises(TypeError, match="refused"):
            test()

    @pytest.mark.parametrize(("outer", "inner"), [(True, False), (False, True), (True, True)])
    def test_passes_on(self, outer: bool, inner: bool) -> None:
        """If one of them is to pass messages on, each is passed on once."""
        received: List[Dict[str, Any]] = []
        eliot.add_destinations(received.append)

        @capture_logging(None, tee_=outer)
        @capture_logging(None, tee_=inner)
        def function(logger: MemoryLogger) -> None:
            log_message("hello")

        test: Any = function
        test()

        assert 1 == len(received)

    def test_inner_test(self) -> None:
        """A decorated function that the test calls has a logger of its own, even if given one."""

        @capture_logging(None)
        def inner(logger: MemoryLogger) -> MemoryLogger:
            return logger

        @capture_logging(None)
        def outer(logger: MemoryLogger) -> None:
            assert logger is not inner(logger=logger)

        test: Any = outer
        test()


@pytest.fixture
def logger() -> MemoryLogger:
    """Log a small tree."""
    logger = MemoryLogger()
    with start_action(logger, "root", a=1) as root:
        root.log("m1", x=1)
        with start_action(logger, "c1") as child:
            child.log("m2")
            with start_action(logger, "gc"):
                pass
        root.log("m3")
        root.add_success_fields(result=5)
    return logger


class TestLoggedMessage:
    """Messages of a type."""

    def test_of_type(self, logger: MemoryLogger) -> None:
        """Messages are found by the name of their type, or by the type."""
        TYPED.log(x=1, __eliot_logger__=logger)

        assert [LoggedMessage(logger.messages[1])] == LoggedMessage.of_type(logger.messages, "m1")
        assert [logger.messages[-1]] == [
            found.message for found in LoggedMessage.ofType(logger.messages, TYPED)
        ]
        assert [] == LoggedMessage.of_type(logger.messages, "none")

    def test_is_a_value(self) -> None:
        """It compares by content, and cannot be changed."""
        message = LoggedMessage({"x": 1})

        assert LoggedMessage({"x": 1}) == message
        assert LoggedMessage({"x": 2}) != message
        with pytest.raises(AttributeError):
            message.message = {}  # type: ignore[misc] # that is the point


class TestLoggedAction:
    """Actions of a type, as trees."""

    def test_tree(self, logger: MemoryLogger) -> None:
        """The whole tree can be compared in one go."""
        [root] = LoggedAction.of_type(logger.messages, "root")

        assert {"root": ["m1", {"c1": ["m2", {"gc": []}]}, "m3"]} == root.type_tree()
        assert logger.messages[0] is root.start_message is root.startMessage
        assert logger.messages[-1] is root.end_message is root.endMessage
        assert root.succeeded

    def test_is_a_value(self, logger: MemoryLogger) -> None:
        """It compares by content, and cannot be changed."""
        [root] = LoggedAction.of_type(logger.messages, "root")
        same = LoggedAction(
            startMessage=root.startMessage, endMessage=root.endMessage, children=list(root.children)
        )

        assert root == same
        assert root != LoggedAction(root.startMessage, root.endMessage, [])
        assert list is type(root.children)
        with pytest.raises(AttributeError):
            root.children = []  # type: ignore[misc] # that is the point

    def test_one_of_many(self, logger: MemoryLogger) -> None:
        """An action is found by its task and the level of its start message."""
        uuid = logger.messages[0]["task_uuid"]
        [child] = LoggedAction.of_type(logger.messages, "c1")

        assert child == LoggedAction.from_messages(uuid, [3, 1], logger.messages)
        assert child == LoggedAction.from_messages(uuid, level=(3, 1), messages=logger.messages)

    def test_order_of_start(self) -> None:
        """Actions of a type come in the order in which they started."""
        logger = MemoryLogger()
        first, second = start_action(logger, "a", n=1), start_action(logger, "a", n=2)
        second.finish()
        first.finish()

        assert [1, 2] == [
            found.startMessage["n"] for found in LoggedAction.of_type(logger.messages, "a")
        ]

    def test_descendants(self, logger: MemoryLogger) -> None:
        """Parents come before their children."""
        [root] = LoggedAction.ofType(logger.messages, "root")

        assert [
            "m1",
            "c1",
            "m2",
            "gc",
            "m3",
        ] == [
            found.message["message_type"]
            if isinstance(found, LoggedMessage)
            else found.startMessage["action_type"]
            for found in root.descendants()
        ]

    def test_by_type_object(self) -> None:
        """Actions are found by their ActionType."""
        logger = MemoryLogger()
        with pytest.raises(ValueError, match="boom"), ACTION(logger):
            raise ValueError("boom")

        [action] = LoggedAction.of_type(logger.messages, ACTION)
        assert not action.succeeded

    def test_children_in_log_order(self) -> None:
        """Children come in the order of the log, which need not be that of the levels."""
        logger = MemoryLogger()
        with start_action(logger, "a") as action:
            action.log("first")
            action.log("second")
        logger.messages[1:3] = logger.messages[2:0:-1]

        [found] = LoggedAction.of_type(logger.messages, "a")
        assert {"a": ["second", "first"]} == found.type_tree()

    def test_other_tasks_and_orphans_are_ignored(self, logger: MemoryLogger) -> None:
        """Only what is directly in the action, and what is in that, counts."""
        uuid = logger.messages[0]["task_uuid"]
        orphan = {"task_uuid": uuid, "task_level": [9, 9], "message_type": "deep"}
        other = {"task_uuid": "another", "task_level": [2], "message_type": "other"}
        nowhere = {"message_type": "raw"}
        found = LoggedAction.from_messages(uuid, [1], [orphan, other, nowhere, *logger.messages])

        assert ["m1", "m3"] == [
            child.message["message_type"]
            for child in found.children
            if isinstance(child, LoggedMessage)
        ]

    def test_missing_start(self, logger: MemoryLogger) -> None:
        """An action without start cannot be found."""
        uuid = logger.messages[0]["task_uuid"]
        with pytest.raises(ValueError, match=r"^Missing start message$"):
            LoggedAction.fromMessages(uuid, [1], logger.messages[1:])

    @pytest.mark.parametrize(("last", "named"), [(1, "root"), (3, "root"), (-1, "root")])
    def test_missing_end(self, logger: MemoryLogger, last: int, named: str) -> None:
        """The error names the action that has not ended."""
        uuid = logger.messages[0]["task_uuid"]
        with pytest.raises(ValueError, match=f"^Missing end message of type {named}$"):
            LoggedAction.from_messages(uuid, [1], logger.messages[:last])

    def test_missing_end_inside(self, logger: MemoryLogger) -> None:
        """An action inside has to have ended, too."""
        messages = [
            message
            for message in logger.messages
            if (message.get("action_type"), message.get("action_status")) != ("gc", "succeeded")
        ]
        with pytest.raises(ValueError, match=r"^Missing end message of type gc$"):
            LoggedAction.of_type(messages, "root")

    def test_deep(self) -> None:
        """Actions may be nested as deeply as they can be logged."""
        depth = sys.getrecursionlimit()
        messages: List[Dict[str, Any]] = [
            {
                "task_uuid": "task",
                "task_level": [*[2] * number, slot],
                "action_type": "deep",
                "action_status": status,
            }
            for slot, status in [(1, "started"), (3, "succeeded")]
            for number in range(depth)
        ]
        action = LoggedAction.from_messages("task", [1], messages)
        found, level = 0, [action.type_tree()]
        while level:
            found, [level] = found + 1, level[0].values()

        assert depth == found

    def test_strange_messages(self) -> None:
        """Messages without a type, and action messages without a status, are tolerated."""
        logger = MemoryLogger()
        with start_action(logger, "a") as action:
            pass
        stranger: List[Dict[str, Any]] = [
            {"x": 1},
            {"action_type": "b"},
            {"action_type": "b", "action_status": "odd", "message_type": "c"},
        ]
        for number, strange in enumerate(stranger, 8):
            message = {**strange, "task_uuid": action.task_uuid, "task_level": [number]}
            logger.messages.append(message)

        [found] = LoggedAction.of_type(logger.messages, "a")
        assert {"a": ["", "", "c"]} == found.type_tree()
        assert [] == LoggedAction.of_type(logger.messages, "b")


class TestAssertions:
    """Assertions fail through the given test case."""

    case = TestCase()

    def test_contains_fields(self) -> None:
        """A message may have more fields, but not fewer or others."""
        assertContainsFields(self.case, {"a": 1, "b": 2}, {"a": 1})
        for fields_ in ({"a": 2}, {"c": 1}, {"a": 1, "c": 1}):
            with pytest.raises(AssertionError):
                assertContainsFields(self.case, {"a": 1, "b": 2}, fields_)

    def test_has_message(self, logger: MemoryLogger) -> None:
        """The first message of the type is returned."""
        found = assertHasMessage(self.case, logger, "m1", {"x": 1})

        assert LoggedMessage(logger.messages[1]) == found
        assert found == assertHasMessage(self.case, logger, "m1")
        with pytest.raises(AssertionError):
            assertHasMessage(self.case, logger, "m1", {"x": 2})
        with pytest.raises(AssertionError, match="No messages of type typed"):
            assertHasMessage(self.case, logger, TYPED)

    def test_has_action(self, logger: MemoryLogger) -> None:
        """The first action of the type is returned, if it ended as it should."""
        found = assertHasAction(self.case, logger, "root", True, {"a": 1}, {"result": 5})

        assert logger.messages[0] is found.startMessage
        assert found == assertHasAction(self.case, logger, "root", succeeded=True)
        wrong: List[Tuple[bool, Dict[str, Any], Dict[str, Any]]] = [
            (False, {}, {}),
            (True, {"a": 2}, {}),
            (True, {}, {"result": 6}),
        ]
        for arguments in wrong:
            with pytest.raises(AssertionError):
                assertHasAction(self.case, logger, "root", *arguments)
        with pytest.raises(AssertionError, match="No actions of type acted"):
            assertHasAction(self.case, logger, ACTION, succeeded=True)


def test_issuperset() -> None:
    """All items of the second dictionary are in the first."""
    assert issuperset({"a": 1, "b": [2]}, {"b": [2]})
    assert not issuperset({"a": 1}, {"a": 2})


def test_completed_statuses() -> None:
    """The statuses of actions that have ended."""
    assert ("failed", "succeeded") == COMPLETED_STATUSES
