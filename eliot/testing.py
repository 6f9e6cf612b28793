"""Helpers for tests: capture what is logged, look at it as a tree, and make claims about it."""

# The names and arguments of published Eliot; assertions of unittest, for its test cases.
# ruff: noqa: PLR0913, PLR0917

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import wraps
from inspect import Signature, iscoroutinefunction, signature
from json import JSONEncoder
from typing import (
    Any,
    Callable,
    Dict,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
    Union,
)
from unittest import SkipTest, TestCase

import eliot._output as _output
from eliot._captured import CapturedLogs
from eliot._fields import TRACEBACK_FIELD
from eliot._logged import (
    COMPLETED_STATUSES,
    LoggedAction,
    LoggedMessage,
    issuperset,
    name_of,
)
from eliot._memory import MemoryLogger
from eliot._parameters import AS_WRITTEN
from eliot._safe import safeunicode
from eliot._typing import JSONDefault, LoggerLike, Message, Serializer
from eliot._validation import ActionType, MessageType
from eliot.json import EliotJSONEncoder, default_function, json_default

__all__ = [
    "COMPLETED_STATUSES",
    "CapturedLogs",
    "EliotJSONEncoder",
    "LoggedAction",
    "LoggedMessage",
    "MemoryLogger",
    "UnflushedTracebacks",
    "assertContainsFields",
    "assertHasAction",
    "assertHasMessage",
    "capture_logging",
    "check_for_errors",
    "issuperset",
    "swap_logger",
    "validateLogging",
    "validate_logging",
]

_F = TypeVar("_F", bound=Callable[..., Any])


class UnflushedTracebacks(Exception):
    """
    Say that tracebacks were logged that the test did not expect.

    A test that expects them calls `MemoryLogger.flush_tracebacks`.
    """

    def __str__(self) -> str:
        told = self.args[0] if self.args else []
        if not isinstance(told, list):  # somebody else raises it
            return super().__str__()
        texts = [safeunicode(message.get(TRACEBACK_FIELD)).rstrip("\n") for message in told]
        return "\n".join(["not flushed with flush_tracebacks():", *texts])


def check_for_errors(logger: MemoryLogger) -> None:
    """
    Raise an exception if something went wrong that logging itself does not raise.

    Args:
        logger: What was logged in a test.

    Raises:
        UnflushedTracebacks: If there are tracebacks that the test did not expect.
        ValidationError: If a message is not of its declared shape.
        TypeError: If a message cannot be encoded as JSON.
    """
    # First, since they point at mistakes in the program.
    if logger.tracebackMessages:
        raise UnflushedTracebacks(logger.tracebackMessages)
    logger.validate()


def swap_logger(logger: LoggerLike) -> LoggerLike:
    """
    Replace the default logger.

    Args:
        logger: Takes its place.

    Returns:
        The previous one; put it back with a second call.
    """
    previous = _output._DEFAULT_LOGGER
    _output._DEFAULT_LOGGER = logger
    return previous


def validate_logging(
    assertion: Optional[Callable[..., Any]],
    *assertionArgs: Any,
    encoder_: Type[JSONEncoder] = EliotJSONEncoder,
    json_default_: JSONDefault = json_default,
    **assertionKwargs: Any,
) -> Callable[[_F], _F]:
    """
    Give a test a `MemoryLogger`, and check at its end what was logged to it.

    The test gets the logger as keyword argument `logger`. It may be a method of a
    `unittest.TestCase` or any other function, for pytest, and `async def`. It fails if it leaves
    tracebacks behind, or messages that are invalid or that JSON cannot represent.

    For a method of a test case the checks are clean-ups; they also run if it fails or is skipped
    half-way. Another function is only checked if it returns.

    A test may have several of these decorators, and of `capture_logging`: they share one logger.

    Args:
        assertion: Called after the test with the test case, the logger and the other arguments; not
            if the test was skipped. A function that is no method of a test case is lent one.
            `None` for no more than the checks.
        assertionArgs: Passed on to it.
        encoder_: Deprecated; a `json.JSONEncoder` class for the check.
        json_default_: Converts values that JSON lacks, for the check.
        assertionKwargs: Passed on to the assertion.

    >>> @validate_logging(assertHasMessage, "hello")
    ... def test_hello(logger):
    ...     logger.write({"message_type": "hello"})
    >>> test_hello()

    .. versionchanged:: 2.0
        Added *json_default_*; accepts functions, `async def`, and to be stacked.
    """
    default = _default_of(encoder_, json_default_)
    return _decorator(_Checks(assertion, assertionArgs, assertionKwargs, default))


validateLogging = validate_logging


def capture_logging(
    assertion: Optional[Callable[..., Any]],
    *assertionArgs: Any,
    encoder_: Type[JSONEncoder] = EliotJSONEncoder,
    json_default_: JSONDefault = json_default,
    tee_: bool = False,
    **assertionKwargs: Any,
) -> Callable[[_F], _F]:
    """
    Capture all that a test logs, and check it at its end.

    Like `validate_logging`, and the logger is the default logger while the test runs.

    Args:
        assertion: Called after the test with the test case, the logger and the other arguments; not
            if the test was skipped. A function that is no method of a test case is lent one.
            `None` for no more than the checks.
        assertionArgs: Passed on to it.
        encoder_: Deprecated; a `json.JSONEncoder` class for the check.
        json_default_: Converts values that JSON lacks, for the check.
        tee_: Whether what is captured goes to the previous default logger, too, and with that to
            the real destinations.
        assertionKwargs: Passed on to the assertion.

    >>> from eliot import log_message
    >>> class MyTest(TestCase):
    ...     @capture_logging(assertHasMessage, "hello", {"name": "world"})
    ...     def test_hello(self, logger):
    ...         log_message("hello", name="world")
    >>> MyTest("test_hello").run().wasSuccessful()
    True

    .. versionchanged:: 2.0
        Added *json_default_* and *tee_*; accepts functions, `async def`, and to be stacked.
    """
    default = _default_of(encoder_, json_default_)
    checks = _Checks(assertion, assertionArgs, assertionKwargs, default, capture=True, tee=tee_)
    return _decorator(checks)


def _default_of(encoder: Type[JSONEncoder], default: JSONDefault) -> JSONDefault:
    """Choose the default function where a decorator is called, so that its line is blamed."""
    given = None if encoder is EliotJSONEncoder else encoder
    return default_function(given, default, stacklevel=3)


@dataclass(frozen=True)
class _Checks:
    """What a decorator was told to do."""

    assertion: Optional[Callable[..., Any]]
    args: Tuple[Any, ...]
    kwargs: Dict[str, Any]
    json_default: JSONDefault
    capture: bool = False
    tee: bool = False


class _TestLogger(MemoryLogger):
    """A logger that may pass on what it gets, and that the decorators of one test share."""

    #: Whether the next decorator of the test is to take it.
    offered = False
    #: The default logger in whose place it is.
    previous: Optional[LoggerLike] = None
    #: Gets everything, too.
    onward: Optional[LoggerLike] = None

    def write(self, dictionary: Message, serializer: Optional[Serializer] = None) -> None:
        """Store a message, and perhaps pass it on."""
        super().write(dictionary, serializer)
        if self.onward is not None:
            self.onward.write(dictionary, serializer)


class _LentTestCase(TestCase):
    """Makes assertions for a test that is no method of a test case."""

    def __init__(self, cleanups: ExitStack) -> None:
        super().__init__()
        self._cleanups_of_test = cleanups

    def addCleanup(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        self._cleanups_of_test.callback(function, *args, **kwargs)


class _Capture:
    """One run of a decorated test: registers its checks, and notices how it ends."""

    def __init__(self, checks: _Checks, args: Sequence[Any], given: Any, *, offer: bool) -> None:
        self._checks = checks
        self._skipped = self._abandoned = False
        # Stays empty if there is a real test case.
        self._cleanups = ExitStack()
        self._lends = not (args and hasattr(args[0], "addCleanup"))
        self._test: Any = _LentTestCase(self._cleanups) if self._lends else args[0]
        # Clean-ups run in reverse: restore the logger, call the assertion, look for errors.
        logger: MemoryLogger
        if isinstance(given, _TestLogger) and given.offered:
            logger = given
            if checks.json_default is not json_default:
                given._json_default = checks.json_default
        else:
            # Test suites written for published Eliot ask for its class.
            kind = _TestLogger if offer or checks.tee else MemoryLogger
            logger = kind(json_default=checks.json_default)
            self._test.addCleanup(self._check_for_errors)
        if isinstance(logger, _TestLogger):
            logger.offered = offer
        self.logger = logger
        self._test.addCleanup(self._call_assertion)
        if checks.capture:
            previous = swap_logger(logger)
            self._test.addCleanup(swap_logger, previous)
            if isinstance(logger, _TestLogger):
                if previous is not logger:
                    logger.previous = previous
                if checks.tee:
                    logger.onward = logger.previous

    def _check_for_errors(self) -> None:
        if not self._abandoned:
            check_for_errors(self.logger)

    def _call_assertion(self) -> None:
        checks = self._checks
        if checks.assertion is not None and not self._skipped and not self._abandoned:
            checks.assertion(self._test, self.logger, *checks.args, **checks.kwargs)

    def __enter__(self) -> MemoryLogger:
        return self.logger

    def __exit__(self, _: object, exception: object, __: object) -> None:
        self._skipped = isinstance(exception, SkipTest)
        # There is nobody to collect more than one error.
        self._abandoned = self._lends and exception is not None
        self._cleanups.close()


def _decorator(checks: _Checks) -> Callable[[_F], _F]:
    def decorate(function: Any) -> Any:
        # Copied by functools.wraps, so other decorators may be in between.
        offer = hasattr(function, "_eliot_captures")
        own: Optional[Signature] = None
        with suppress(TypeError, ValueError):  # it has none
            own = signature(function, **AS_WRITTEN)
        parameters = own.parameters.items() if own else ()
        names = [name for name, each in parameters if each.kind <= each.POSITIONAL_OR_KEYWORD]
        hidden = names.index("logger") if "logger" in names else len(names)

        def by_name(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Tuple[Any, ...]:
            """Take what was given at the position of `logger`, which is hidden, as what follows."""
            given = dict(zip(names[hidden + 1 :], args[hidden:]))
            if len(given) != len(args[hidden:]) or not given.keys().isdisjoint(kwargs):
                return args  # too much; Python says so
            kwargs.update(given)
            return args[:hidden]

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            args = by_name(args, kwargs)
            with _Capture(checks, args, kwargs.get("logger"), offer=offer) as kwargs["logger"]:
                return function(*args, **kwargs)

        @wraps(function)
        async def await_call(*args: Any, **kwargs: Any) -> Any:
            args = by_name(args, kwargs)
            with _Capture(checks, args, kwargs.get("logger"), offer=offer) as kwargs["logger"]:
                return await function(*args, **kwargs)

        decorated: Any = await_call if iscoroutinefunction(function) else call
        decorated._eliot_captures = True
        if own:
            # pytest would take a parameter for the name of a fixture.
            rest = [each for name, each in parameters if name != "logger"]
            decorated.__signature__ = own.replace(parameters=rest)
        return decorated

    return decorate


def assertContainsFields(test: TestCase, message: Message, fields: Dict[str, Any]) -> None:
    """
    Assert that a message has certain fields, among others.

    Args:
        test: The test case that fails otherwise.
        message: The message.
        fields: What it should have.
    """
    test.assertEqual({key: message[key] for key in fields if key in message}, fields)


def assertHasMessage(
    testCase: TestCase,
    logger: MemoryLogger,
    messageType: Union[str, MessageType],
    fields: Optional[Dict[str, Any]] = None,
) -> LoggedMessage:
    """
    Assert that there is a message of a type, and that the first one has certain fields.

    Args:
        testCase: The test case that fails otherwise.
        logger: What was logged.
        messageType: The type, or its name.
        fields: What it should have, among others.

    Returns:
        The first message of the type.
    """
    messages = LoggedMessage.of_type(logger.messages, messageType)
    testCase.assertTrue(messages, f"No messages of type {name_of(messageType)}")
    assertContainsFields(testCase, messages[0].message, fields or {})
    return messages[0]


def assertHasAction(
    testCase: TestCase,
    logger: MemoryLogger,
    actionType: Union[str, ActionType],
    succeeded: bool,
    startFields: Optional[Dict[str, Any]] = None,
    endFields: Optional[Dict[str, Any]] = None,
) -> LoggedAction:
    """
    Assert that there is an action of a type, how the first one ended, and what it told.

    Args:
        testCase: The test case that fails otherwise.
        logger: What was logged.
        actionType: The type, or its name.
        succeeded: Whether it should have succeeded.
        startFields: What its start message should have, among others.
        endFields: What its end message should have, among others.

    Returns:
        The first action of the type.
    """
    actions = LoggedAction.of_type(logger.messages, actionType)
    testCase.assertTrue(actions, f"No actions of type {name_of(actionType)}")
    action = actions[0]
    testCase.assertEqual(action.succeeded, succeeded)
    assertContainsFields(testCase, action.startMessage, startFields or {})
    assertContainsFields(testCase, action.endMessage, endFields or {})
    return action
