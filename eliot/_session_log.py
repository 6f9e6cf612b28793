"""The log of a session of tests: each test is a task, and what it logs is a part of that."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from time import time
from typing import Any, Dict, List, Optional, Tuple

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    EXCEPTION_FIELD,
    FAILED_STATUS,
    MESSAGE_TYPE_FIELD,
    REASON_FIELD,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
    TRACEBACK_FIELD,
)
from eliot._files import FileDestination
from eliot._ids import new_task_uuid
from eliot._loggers import Logger
from eliot._safe import class_name, safeunicode
from eliot._sink import PathFile
from eliot._typing import Message

__all__ = ["SessionLog"]

_PASSED = "passed"

#: What pytest shows of a failure.
_FAILURE = "pytest:failure"

#: The level of the first message of a task.
_FIRST = [1]

_ENDED = (SUCCEEDED_STATUS, FAILED_STATUS)

#: Where the tasks of a test have gone, by their uuid: a task, and a level in it.
_Moves = Dict[Any, Tuple[str, List[int]]]


class _Step:
    """An action of the log: a test, or a phase in it."""

    def __init__(
        self, log: SessionLog, action_type: str, test: Optional[_Step], **fields: Any
    ) -> None:
        self._log = log
        self._action_type = action_type
        self._slots = count(1)
        self._level: List[int] = [] if test is None else test.next_level()
        self.task_uuid: str = new_task_uuid() if test is None else test.task_uuid
        self.tell(STARTED_STATUS, fields)

    def next_level(self) -> List[int]:
        """Return the level of the next thing in it."""
        return [*self._level, next(self._slots)]

    def tell(self, status: str, fields: Message) -> None:
        """Write its start, or its end."""
        mine = {ACTION_TYPE_FIELD: self._action_type, ACTION_STATUS_FIELD: status}
        self.log({**mine, **fields})

    def log(self, fields: Message) -> None:
        """Write a message in it."""
        self._log.write(
            {
                **fields,
                TIMESTAMP_FIELD: time(),
                TASK_UUID_FIELD: self.task_uuid,
                TASK_LEVEL_FIELD: self.next_level(),
            }
        )


class SessionLog:
    """
    Write what is logged to a file, each task as a part of the test in which it began.

    The program notices nothing: it has no current action where it had none before, and its own
    destinations get what they always get. Only on its way to the file each task is moved into the
    tree of the phase that the test is in, in whatever thread or event loop it was logged.

    Args:
        path: The file, to which is appended.

    Raises:
        OSError: If it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._file = PathFile(path, watch=False)
        self._destination = FileDestination(self._file)
        self._process = os.getpid()
        self._test: Optional[_Step] = None
        self._phase: Optional[_Step] = None
        # How the test ends, as far as it is known.
        self._outcome = _PASSED
        #: The report on the phase, once there is one, and what the phase has raised.
        self.report: Any = None
        self.raised: Optional[BaseException] = None
        # Of tasks that have not ended, and of those that have in this test and in the one before
        # it: a thread may still be at work.
        self._moves: _Moves = {}
        self._ended: _Moves = {}
        self._ended_before: _Moves = {}

    # -- Tests -----------------------------------------------------------------------------------

    def begin_test(self, **fields: Any) -> None:
        """Begin a test; one that has not come to its end is left as it is."""
        self.end_phase()
        self._ended_before, self._ended = self._ended, {}
        self._outcome = _PASSED
        self._test = _Step(self, "pytest:test", None, **fields)

    def begin_phase(self, name: str) -> None:
        """Begin a phase of the test, and take what is logged in it."""
        self.end_phase()
        self.report = None  # one that came between phases is on none
        self._uninstall()  # tests may have emptied the list of destinations, or have added some
        # Not by add(): that hands over what was logged early, which is for the program's own.
        Logger._destinations._destinations.append(self)
        self._phase = _Step(self, f"pytest:{name}", self._test)

    def end_phase(self) -> None:
        """
        End a phase if there is a report on it, and with the last one the test.

        Where tests may be run again, pytest hands over the reports only after the last phase. Those
        on tests of other processes are not made here.
        """
        test, phase, report = self._test, self._phase, self.report
        if test is None or phase is None or report is None:
            return
        end = _end_of(report, self.raised)
        self.report = self.raised = None  # it holds all that its frames hold
        if report.outcome == "failed":
            what = {key: value for key, value in end.items() if key != "outcome"}
            text = report.longreprtext
            phase.log({**what, MESSAGE_TYPE_FIELD: _FAILURE, TRACEBACK_FIELD: text})
        phase.tell(_status_of(end["outcome"]), end)
        self._phase = None
        if self._outcome == _PASSED:  # the first thing that is not decides
            self._outcome = end["outcome"]
        if report.when == "teardown":
            self._test = None
            test.tell(_status_of(self._outcome), {"outcome": self._outcome})

    def close(self) -> None:
        """Take no more messages, and close the file."""
        self._uninstall()
        self._file.close()

    def _uninstall(self) -> None:
        with suppress(ValueError):
            Logger._destinations._destinations.remove(self)

    # -- Messages --------------------------------------------------------------------------------

    def write(self, message: Message) -> None:
        """Write a message as it is; a file that fails says so on stderr."""
        with suppress(Exception):
            self._destination(message)

    def __call__(self, message: Message) -> None:
        """Write a message where it belongs."""
        uuid, level = message.get(TASK_UUID_FIELD), message.get(TASK_LEVEL_FIELD)
        move = self._moves.get(uuid) or self._ended.get(uuid) or self._ended_before.get(uuid)
        if move is None and level == _FIRST:
            step = self._phase or self._test
            # A forked child would take the same places as its parent.
            if step is not None and os.getpid() == self._process:
                move = step.task_uuid, step.next_level()
                if ACTION_TYPE_FIELD in message:
                    self._moves[uuid] = move
                else:
                    level = []  # a message on its own takes the place itself
        if move is not None and isinstance(level, list):
            task_uuid, place = move
            if len(level) == 1 and message.get(ACTION_STATUS_FIELD) in _ENDED:
                self._moves.pop(uuid, None)
                self._ended[uuid] = move
            level = [*place, *level]
            message = {**message, TASK_UUID_FIELD: task_uuid, TASK_LEVEL_FIELD: level}
        self._destination(message)


def _end_of(report: Any, raised: Optional[BaseException]) -> Message:
    """Say how a phase has ended, in the words of pytest."""
    expected = getattr(report, "wasxfail", None)  # why it was expected to fail
    if report.outcome == "failed":
        outcome = "failed" if report.when == "call" else "error"
        if raised is None:
            return {"outcome": outcome, REASON_FIELD: _first_line(report.longreprtext)}
        exception, reason = class_name(type(raised)), _first_line(safeunicode(raised))
        return {"outcome": outcome, EXCEPTION_FIELD: exception, REASON_FIELD: reason}
    if expected is not None:
        outcome = "xpassed" if report.outcome == _PASSED else "xfailed"
        return {"outcome": outcome, REASON_FIELD: expected}
    if report.outcome == "skipped":
        return {"outcome": "skipped", REASON_FIELD: safeunicode(raised)}
    return {"outcome": report.outcome}


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _status_of(outcome: str) -> str:
    return FAILED_STATUS if outcome in ("failed", "error") else SUCCEEDED_STATUS
