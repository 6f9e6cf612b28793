"""What type checkers see of `eliot.testing` and of the pytest plugin."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from typing import Any, Callable, Coroutine, Dict, Iterator, List, Tuple, Union
from unittest import TestCase

import pytest
from typing_extensions import assert_type

from eliot import ActionType, MessageType, log_message, start_action, write_traceback
from eliot.parse import Entry, Task
from eliot.pytest_plugin import eliot_logs
from eliot.testing import (
    COMPLETED_STATUSES,
    CapturedLogs,
    EliotJSONEncoder,
    LoggedAction,
    LoggedMessage,
    MemoryLogger,
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

RECEIPT = MessageType("receipt", [])
PAY = ActionType("pay", [], [])


def pay() -> None:
    """Be tested."""
    with start_action("pay", amount=20):
        log_message("receipt", number=1)


def check(test: TestCase, logger: MemoryLogger) -> None:
    """Be an assertion."""
    assertHasMessage(test, logger, RECEIPT)


class PayTests(TestCase):
    """Have tests of all kinds."""

    @capture_logging(assertHasMessage, RECEIPT, {"number": 1})
    def test_method(self, logger: MemoryLogger) -> None:
        """Be a method."""
        pay()
        action = assertHasAction(self, logger, PAY, succeeded=True, startFields={"amount": 20})
        assert_type(action, LoggedAction)
        message = assertHasMessage(self, logger, "receipt", {"number": 1})
        assert_type(message, LoggedMessage)
        assertContainsFields(self, message.message, {"number": 1})

    @validate_logging(None)
    def test_validated(self, logger: MemoryLogger) -> None:
        """Be a method."""
        logger.write({"message_type": "m"})

    @validateLogging(check, encoder_=EliotJSONEncoder)
    @capture_logging(assertHasAction, "pay", succeeded=True)
    def test_stacked(self, logger: MemoryLogger) -> None:
        """Be decorated twice."""
        pay()


@capture_logging(check, json_default_=str, tee_=True)
def test_function(logger: MemoryLogger) -> None:
    """Be a function."""
    pay()


@capture_logging(None)
async def count_later(logger: MemoryLogger) -> int:
    """Be a coroutine function."""
    pay()
    return len(logger.messages)


def test_the_signature_stays() -> None:
    """A decorated test is for type checkers what it was."""
    function: Callable[[MemoryLogger], None] = test_function
    coroutine_function: Callable[[MemoryLogger], Coroutine[Any, Any, int]] = count_later
    assert callable(function)
    assert callable(coroutine_function)
    assert 3 == assert_type(asyncio.run(count_later(logger=MemoryLogger())), int)
    with pytest.raises(TypeError):
        test_function(number=1)  # type: ignore[call-arg] # it has no such parameter
    with pytest.raises(TypeError):
        capture_logging()  # type: ignore[call-arg] # None is to be said
    capture_logging("receipt")  # type: ignore[arg-type] # it cannot be called


def test_logged() -> None:
    """What was logged is found by name or by type."""
    logger = MemoryLogger()
    with start_action(logger, "pay") as action:
        action.log("receipt")
    messages = assert_type(LoggedMessage.of_type(logger.messages, RECEIPT), List[LoggedMessage])
    assert_type(LoggedMessage.ofType(logger.messages, "receipt"), List[LoggedMessage])
    assert_type(messages[0].message, Dict[str, Any])
    [logged] = assert_type(LoggedAction.of_type(logger.messages, PAY), List[LoggedAction])
    assert_type(LoggedAction.ofType(logger.messages, "pay"), List[LoggedAction])
    assert_type(LoggedAction.from_messages(action.task_uuid, [1], logger.messages), LoggedAction)
    assert_type(LoggedAction.fromMessages(action.task_uuid, [1], logger.messages), LoggedAction)
    assert_type(logged.start_message, Dict[str, Any])
    assert_type(logged.end_message, Dict[str, Any])
    assert_type(logged.startMessage, Dict[str, Any])
    assert_type(logged.endMessage, Dict[str, Any])
    assert_type(logged.succeeded, bool)
    assert_type(logged.type_tree(), Dict[str, List[Any]])
    assert_type(logged.children, List[Union[LoggedMessage, LoggedAction]])
    assert_type(logged.descendants(), Iterator[Union[LoggedMessage, LoggedAction]])
    assert_type(issuperset({"x": 1}, {}), bool)
    statuses: Tuple[str, ...] = COMPLETED_STATUSES
    assert "failed" in statuses


def test_loggers() -> None:
    """The default logger is whatever is one."""
    logger = MemoryLogger()
    previous = swap_logger(logger)
    write_traceback(exc_info=ValueError())
    swap_logger(previous)
    with pytest.raises(UnflushedTracebacks):
        check_for_errors(logger)
    with pytest.raises(AttributeError):
        check_for_errors(previous)  # type: ignore[arg-type] # it keeps nothing


def test_captured() -> None:
    """Claims give entries."""
    with CapturedLogs(validate=True, tracebacks=True, keep=10) as logs:
        assert_type(logs, CapturedLogs)
        pay()
        write_traceback(exc_info=ValueError())
        assert_type(logs.flush_tracebacks(ValueError), List[Dict[str, Any]])
        assert_type(logs.flush_tracebacks((KeyError, OSError)), List[Dict[str, Any]])
    assert_type(logs.messages, List[Dict[str, Any]])
    assert_type(logs.live, List[Dict[str, Any]])
    assert_type(logs.tasks, List[Task])
    assert_type(logs.assert_has_message("receipt", number=1), Entry)
    assert_type(logs.assert_has_message(RECEIPT), Entry)
    assert_type(logs.assert_has_action("pay"), Entry)
    assert_type(logs.assert_has_action(PAY, succeeded=True, start_fields={"amount": 20}), Entry)
    assert_type(logs.assert_tree({"pay": ["receipt"]}), Entry)
    assert_type(logs.assert_tree({PAY: [RECEIPT]}), Entry)
    logs.check()
    with pytest.raises(AttributeError):
        logs.messages = []  # type: ignore[misc] # it can only be read
    with pytest.raises(KeyError):
        logs.assert_has_action("pay", succeeded="yes")  # type: ignore[arg-type] # it is no bool
    with pytest.raises(TypeError):
        CapturedLogs(False)  # type: ignore[call-arg] # only by name


@pytest.mark.eliot(validate=False, tracebacks=False)
def test_fixture(eliot_logs: CapturedLogs) -> None:
    """What it gives has a class that can be named."""
    pay()
    assert_type(eliot_logs.assert_has_action("pay"), Entry)


def test_plugin() -> None:
    """The fixture itself is public, for plugins that ask for it by another name."""
    assert callable(eliot_logs)
