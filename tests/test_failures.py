"""Why it failed: who is to blame, what is one failure, what came before and after it."""

from __future__ import annotations

import asyncio
import random
import sys
from contextlib import suppress
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eliot import log_call, log_message, start_action, start_task, write_traceback
from eliot.parse import Failure, FailureGroup, Failures, Parser, Task, failures

Message = Dict[str, Any]
Log = List[Message]

CANCELLED = "asyncio.exceptions.CancelledError"


class Told:
    """A log that is told by hand, with a clock that goes on by one second for each message."""

    def __init__(self, uuid: str = "u") -> None:
        self.uuid = uuid
        self.messages: Log = []

    def add(self, level: List[int], at: Optional[float], **fields: Any) -> None:
        """Add a message."""
        timestamp = float(len(self.messages)) if at is None else at
        identity = {"task_uuid": self.uuid, "task_level": level, "timestamp": timestamp}
        self.messages.append({**identity, **fields})

    def start(self, kind: str, *level: int, at: Optional[float] = None, **fields: Any) -> None:
        """Start an action."""
        self.add([*level, 1], at, action_type=kind, action_status="started", **fields)

    def end(self, kind: str, *level: int, at: Optional[float] = None, **fields: Any) -> None:
        """End it at the last number of the level, well."""
        self.add([*level], at, action_type=kind, action_status="succeeded", **fields)

    def fail(
        self,
        kind: str,
        *level: int,
        exception: str = "E",
        reason: str = "no",
        at: Optional[float] = None,
        **fields: Any,
    ) -> None:
        """Let it fail."""
        told = {"exception": exception, "reason": reason, **fields}
        self.add([*level], at, action_type=kind, action_status="failed", **told)

    def say(self, kind: str, *level: int, at: Optional[float] = None, **fields: Any) -> None:
        """Log a message."""
        self.add([*level], at, message_type=kind, **fields)

    def trace(
        self, *level: int, exception: str = "E", reason: str = "no", text: str = "tb"
    ) -> None:
        """Log a traceback."""
        told: Message = {"exception": exception, "reason": reason, "traceback": text}
        self.say("eliot:traceback", *level, **told)

    def find(self, before: int = 5) -> Failures:
        """Find what failed."""
        return find(self.messages, before)


def find(log: Log, before: int = 5) -> Failures:
    """Find what failed in a log."""
    return failures(Parser.parse_stream(log), before)


def brief(groups: List[FailureGroup]) -> List[Tuple[Optional[str], str, int, int]]:
    """Tell the exceptions, ways and numbers of groups."""
    return [
        (group.exception, " > ".join(group.path), group.number, group.handled) for group in groups
    ]


def parts(failure: Failure) -> List[Tuple[Optional[str], Optional[str]]]:
    """Tell the actions on the way to a failure, and their parts."""
    return [(step.action_type, step.part) for step in failure.chain]


class TestBlame:
    """Which failed action is to blame."""

    def test_nothing(self) -> None:
        """Where nothing fails nothing is found."""
        told = Told()
        told.start("a")
        told.say("m", 2)
        told.end("a", 3)

        assert Failures([], [], []) == told.find()
        assert Failures([], [], []) == failures([Task()])

    def test_passed_on(self, log: Log) -> None:
        """An exception that passes through actions is one failure, that of the innermost."""
        with suppress(KeyError), start_action(action_type="outer", x=1), start_action(
            action_type="middle"
        ), start_action(action_type="inner", y=2):
            raise KeyError("k")
        [group] = find(log).failed

        assert ("builtins.KeyError", ("outer", "middle", "inner")) == (group.exception, group.path)
        assert (1, 0, 1) == (group.number, group.handled, group.tasks)
        failure = group.example
        assert (False, "'k'", (2, 2), log[3]["timestamp"]) == (
            failure.handled,
            failure.reason,
            failure.task_level,
            failure.time,
        )
        expected = [("outer", "passed on"), ("middle", "passed on"), ("inner", "raised")]
        assert expected == parts(failure)
        assert [{"x": 1}, {}, {"y": 2}] == [step.fields for step in failure.chain]

    def test_handled(self, log: Log) -> None:
        """A failure that does not reach the top was handled by the action that went on."""
        with start_action(action_type="top"), start_action(action_type="outer"), suppress(
            KeyError
        ), start_action(action_type="middle"), start_action(action_type="inner"):
            raise KeyError("k")
        [group] = find(log).failed

        assert (1, 1) == (group.number, group.handled)
        expected = [
            ("top", None),
            ("outer", "handled"),
            ("middle", "passed on"),
            ("inner", "raised"),
        ]
        assert expected == parts(group.example)

    def test_replaced(self, log: Log) -> None:
        """An exception that is raised when another one was caught is not a failure of its own."""
        with suppress(ValueError), start_action(action_type="outer"):
            try:
                with start_action(action_type="inner"):
                    raise KeyError("k")
            except KeyError as error:
                log_message("translating")
                raise ValueError("v") from error
        [group] = find(log).failed

        assert ("builtins.KeyError", 0) == (group.exception, group.handled)
        assert [("outer", "replaced"), ("inner", "raised")] == parts(group.example)
        assert "v" == group.example.chain[0].reason

    def test_something_else(self, log: Log) -> None:
        """If more was begun after a failure, what fails then fails of something else."""
        with suppress(ValueError), start_action(action_type="outer"):
            with suppress(KeyError), start_action(action_type="inner"):
                raise KeyError("k")
            with start_action(action_type="more"):
                pass
            raise ValueError("v")
        found = find(log).failed

        expected = [
            ("builtins.ValueError", "outer", 1, 0),
            ("builtins.KeyError", "outer > inner", 1, 1),
        ]
        assert expected == brief(found)
        assert [("outer", "handled"), ("inner", "raised")] == parts(found[1].example)
        [later] = found[1].example.afterwards
        assert ("outer", "builtins.ValueError", "v", 1) == (
            later.type,
            later.exception,
            later.reason,
            found[1].example.afterwards_count,
        )
        assert () == found[0].example.afterwards

    def test_attempts(self, log: Log) -> None:
        """Of equal failures in a row the last one is that which passed; the others were handled."""
        with suppress(KeyError), start_action(action_type="retry"):
            for attempt in range(3):
                try:
                    with start_action(action_type="try", attempt=attempt):
                        raise KeyError("k")
                except KeyError:
                    if attempt == 2:
                        raise
        [group] = find(log).failed

        assert (3, 2, 1) == (group.number, group.handled, group.tasks)
        assert (False, {"attempt": 2}) == (group.example.handled, group.example.chain[1].fields)
        assert () == group.example.afterwards

    def test_outlived(self) -> None:
        """What failed after its parent had ended was not handled, nor passed on."""
        told = Told()
        told.start("parent")
        told.start("one", 2)
        told.start("two", 3)
        told.fail("one", 2, 2)
        told.fail("parent", 4)
        told.fail("two", 3, 2)
        [two, one] = told.find().failed

        assert ("parent", "one") == one.path
        assert [("parent", "passed on"), ("one", "raised")] == parts(one.example)
        assert [("parent", None), ("two", "raised")] == parts(two.example)
        assert not two.example.handled

    def test_other_clock(self) -> None:
        """An exception that came from a machine with another clock is still the same one."""
        told = Told()
        told.start("parent")
        told.start("child", 2, at=1000.0)
        told.fail("child", 2, 2, at=1001.0)
        told.fail("parent", 3)
        [group] = told.find().failed

        assert [("parent", "passed on"), ("child", "raised")] == parts(group.example)

    def test_unknown_end(self) -> None:
        """In an action that has not ended a failure was neither handled nor passed on."""
        told = Told()
        told.start("parent")
        told.start("child", 2)
        told.fail("child", 2, 2)
        found = told.find()

        assert [("E", "parent > child", 1, 0)] == brief(found.failed)
        assert [("parent", None), ("child", "raised")] == parts(found.failed[0].example)
        assert [(None, "parent", 1, 0)] == brief(found.unfinished)

    def test_missing(self) -> None:
        """Where messages are missing the way is as good as can be."""
        told = Told()
        told.fail("child", 2, 7)
        [group] = told.find().failed

        assert ("?", "child") == group.path
        assert [None, "failed"] == [step.status for step in group.example.chain]
        assert (None, None) == (group.example.chain[1].start, group.example.chain[1].duration)

    def test_no_times(self) -> None:
        """Times that are none do no harm."""
        told = Told()
        told.start("parent")
        told.start("child", 2)
        told.fail("child", 2, 2)
        told.fail("parent", 3)
        for message in told.messages:
            message["timestamp"] = "then"
        [group] = told.find().failed

        assert (None, None, 1) == (group.first, group.last, group.number)
        assert [("parent", "passed on"), ("child", "raised")] == parts(group.example)


async def cancel_others(*, go_on: bool) -> None:
    """Do three things at the same time, of which one fails, and cancel the others."""

    async def work(name: str) -> None:
        with start_action(action_type=name):
            if name == "bad":
                await asyncio.sleep(0)
                raise KeyError("k")
            await asyncio.Event().wait()

    with start_action(action_type="main"):
        tasks = [asyncio.ensure_future(work(name)) for name in ("a", "bad", "b")]
        try:
            await asyncio.gather(*tasks)
        except KeyError:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if not go_on:
                raise


class TestCancellation:
    """Actions that are cancelled."""

    def test_gathered(self, log: Log) -> None:
        """What is cancelled since something beside it failed is part of that failure."""
        with pytest.raises(KeyError):
            asyncio.run(cancel_others(go_on=False))
        [group] = find(log).failed

        assert ("builtins.KeyError", ("main", "bad"), 0) == (group[0], group.path, group.handled)
        told = [(later.type, later.status, later.depth) for later in group.example.afterwards]
        assert [("a", "failed", 1), ("b", "failed", 1)] == told
        assert 2 == group.example.afterwards_count

    def test_handled(self, log: Log) -> None:
        """That is so, too, if the action around them goes on; each is told once."""
        asyncio.run(cancel_others(go_on=True))
        [group] = find(log).failed

        assert ("builtins.KeyError", ("main", "bad"), 1) == (group[0], group.path, group.handled)
        assert ["a", "b"] == [later.type for later in group.example.afterwards]

    def test_which_failure(self) -> None:
        """Of several failures the last one was the cause that came while the action was running."""
        told = Told()
        told.start("main")
        for number, kind in enumerate("abc", 2):
            told.start(kind, number)
        told.fail("a", 2, 2, exception="A")
        told.fail("b", 3, 2, exception="B")
        told.fail("c", 4, 2, exception=CANCELLED)
        told.start("d", 5)
        told.fail("d", 5, 2, exception="D")
        told.end("main", 6)
        found = {group.exception: group.example for group in told.find().failed}

        assert {"A", "B", "D"} == set(found)
        assert ["b", "d"] == [later.type for later in found["A"].afterwards]
        assert ["c", "d"] == [later.type for later in found["B"].afterwards]
        assert () == found["D"].afterwards

    def test_of_its_own(self) -> None:
        """What was begun after a failure was not cancelled because of it, and is told by itself."""
        told = Told()
        told.start("main")
        told.start("one", 2)
        told.fail("one", 2, 2)
        told.start("two", 3)
        told.fail("two", 3, 2, exception=CANCELLED)
        told.end("main", 4)
        found = told.find().failed

        assert [("E", "main > one", 1, 1), (CANCELLED, "main > two", 1, 1)] == brief(found)
        assert [(), ()] == [group.example.afterwards for group in found]

    def test_before_the_failure(self) -> None:
        """Nor was what was cancelled before."""
        told = Told()
        told.start("main")
        told.start("one", 2)
        told.start("two", 3)
        told.fail("two", 3, 2, exception=CANCELLED)
        told.fail("one", 2, 2)
        told.end("main", 4)

        expected = [("E", "main > one", 1, 1), (CANCELLED, "main > two", 1, 1)]
        assert expected == brief(told.find().failed)

    @pytest.mark.parametrize("whose", ["one", "two"])
    def test_unknown_times(self, whose: str) -> None:
        """If nobody knows what was first, each is told by itself."""
        told = Told()
        told.start("main")
        told.start("one", 2)
        told.start("two", 3)
        told.fail("one", 2, 2)
        told.fail("two", 3, 2, exception=CANCELLED)
        told.end("main", 4)
        for message in told.messages:
            if message.get("action_type") == whose:
                message["timestamp"] = "then"

        assert [1, 1] == [group.number for group in told.find().failed]

    def test_timeout(self, log: Log) -> None:
        """What a timeout cancels is part of the failure that the timeout is."""

        async def work() -> None:
            with start_action(action_type="outer"), start_action(action_type="stuck"):
                await asyncio.Event().wait()

        async def main() -> None:
            with start_action(action_type="main"):
                await asyncio.wait_for(work(), 0.001)

        with pytest.raises(asyncio.TimeoutError):
            asyncio.run(main())
        [group] = find(log).failed

        assert ("main",) == group.path
        assert (group.exception or "").endswith("TimeoutError")
        assert ["stuck"] == [later.type for later in group.example.afterwards]

    def test_all(self) -> None:
        """A cancellation that reaches the top is a failure, and its text does not matter."""
        told = Told()
        told.start("main")
        told.start("one", 2)
        told.start("two", 3)
        told.fail("one", 2, 2, exception=CANCELLED, reason="")
        told.fail("two", 3, 2, exception=CANCELLED, reason="")
        told.fail("main", 4, exception=CANCELLED, reason="stop")
        [group] = told.find().failed

        assert [("main", "passed on"), ("two", "raised")] == parts(group.example)
        assert ["one"] == [later.type for later in group.example.afterwards]

    def test_wanted(self) -> None:
        """A cancellation in an action that succeeds is a failure that was handled."""
        told = Told()
        told.start("main")
        told.start("one", 2)
        told.fail("one", 2, 2, exception="trio.Cancelled")
        told.end("main", 3)

        assert [("trio.Cancelled", "main > one", 1, 1)] == brief(told.find().failed)

    def test_after_failure(self) -> None:
        """Who is cancelled after a failure was handled is not cancelled because of it."""
        told = Told()
        told.start("main")
        told.start("one", 2)
        told.fail("one", 2, 2)
        told.fail("main", 3, exception=CANCELLED)

        assert [(CANCELLED, "main", 1, 0), ("E", "main > one", 1, 1)] == brief(told.find().failed)

    @pytest.mark.parametrize("name", ["builtins.ExceptionGroup", "exceptiongroup.ExceptionGroup"])
    def test_group(self, name: str) -> None:
        """All that failed is to blame for a group of exceptions, but for what was cancelled."""
        told = Told()
        told.start("main")
        for number, kind in enumerate("abc", 2):
            told.start(kind, number)
        told.fail("a", 2, 2, exception="A")
        told.fail("b", 3, 2, exception=CANCELLED)
        told.fail("c", 4, 2, exception="C")
        told.fail("main", 5, exception=name, reason="2 sub-exceptions")
        found = told.find().failed

        assert [("C", "main > c", 1, 0), ("A", "main > a", 1, 0)] == brief(found)
        for group in found:
            assert "replaced" == group.example.chain[0].part
        assert ["b", "c"] == [later.type for later in found[1].example.afterwards]

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="no task groups on this interpreter")
    def test_task_group(self, log: Log) -> None:
        """That is what task groups do."""
        task_group: Any = getattr(asyncio, "TaskGroup", None)

        async def work(name: str) -> None:
            with start_action(action_type=name):
                if name == "bad":
                    raise KeyError("k")
                await asyncio.Event().wait()

        async def main() -> None:
            with start_action(action_type="main"):
                async with task_group() as group:
                    group.create_task(work("good"))
                    group.create_task(work("bad"))

        with pytest.raises(Exception, match="TaskGroup"):
            asyncio.run(main())
        [group] = find(log).failed

        assert ("builtins.KeyError", ("main", "bad"), 0) == (group[0], group.path, group.handled)
        assert ["good"] == [later.type for later in group.example.afterwards]


class TestGroups:
    """Equal failures."""

    def test_late_message(self) -> None:
        """The failure of a task that gets a message after its end is counted once."""
        told = Told()
        told.start("a")
        told.fail("a", 2)
        told.say("late", 3)
        [group] = told.find().failed

        assert 1 == group.number

    def test_counted(self) -> None:
        """Failures with the same exception on the same way are counted, with their times."""
        log: Log = []
        for number in range(5):
            told = Told(f"u{number}")
            told.start("top", at=number * 10.0)
            told.start("in", 2, at=number * 10.0 + 1)
            told.fail("in", 2, 2, at=number * 10.0 + 2, reason=str(number))
            told.fail("top", 3, at=number * 10.0 + 3, reason=str(number))
            log += told.messages
        [group] = find(log).failed

        assert (5, 0, 5) == (group.number, group.handled, group.tasks)
        assert (2.0, 42.0) == (group.first, group.last)
        assert ("u0", "0", 2.0) == (
            group.example.task_uuid,
            group.example.reason,
            group.example.time,
        )

    def test_recursion(self) -> None:
        """How often an action is directly in one of its type makes no difference."""
        log: Log = []
        for depth in (1, 2, 7):
            told = Told(f"u{depth}")
            levels = [[2] * number for number in range(depth)]
            for level in levels:
                told.start("dive", *level)
            for level in reversed(levels):
                told.fail("dive", *level, 3)
            log += told.messages
        [group] = find(log).failed

        assert (("dive",), 3) == (group.path, group.number)

    def test_order(self) -> None:
        """Those that nobody handled come first, then the most frequent, then the latest."""
        log: Log = []
        for number, (kind, handled) in enumerate(
            [("a", True), ("a", True), ("a", True), ("b", False), ("c", False), ("d", True)]
        ):
            told = Told(f"u{number}")
            told.start("top", at=number * 10.0)
            told.start(kind, 2, at=number * 10.0)
            told.fail(kind, 2, 2, at=number * 10.0)
            if handled:
                told.end("top", 3, at=number * 10.0)
            else:
                told.fail("top", 3, at=number * 10.0)
            log += told.messages

        assert ["c", "b", "a", "d"] == [group.path[-1] for group in find(log).failed]

    def test_cancellations_come_last(self) -> None:
        """What was cancelled is behind what failed, be it more frequent, and before the handled."""
        told = Told()
        told.start("top")
        for number, exception in enumerate([CANCELLED, CANCELLED, "E"], 2):
            told.start("in", number)
            told.fail("in", number, 2, exception=exception)
        told.end("top", 5)
        log = told.messages
        told = Told("v")
        told.start("alone")
        told.fail("alone", 2, exception="trio.Cancelled")
        groups = find(log + told.messages).failed

        assert [("trio.Cancelled", 1), ("E", 1), (CANCELLED, 2)] == [
            (group.exception, group.number) for group in groups
        ]

    def test_example(self) -> None:
        """The example is the first one, but rather one that was not handled, or has a traceback."""

        def messages(uuid: str, *, handled: bool, traceback: bool) -> Log:
            told = Told(uuid)
            told.start("top")
            told.start("in", 2)
            told.fail("in", 2, 2)
            if traceback:
                told.trace(3)
            (told.end if handled else told.fail)("top", 4 if traceback else 3)
            return told.messages

        kinds = [(True, False), (True, False), (True, True), (False, False), (False, True)]
        logs = [
            messages(str(number), handled=handled, traceback=traceback)
            for number, (handled, traceback) in enumerate(kinds)
        ]
        uuids = []
        for number in range(1, 6):
            [group] = find([message for log in logs[:number] for message in log]).failed
            uuids.append(group.example.task_uuid)

        assert ["0", "0", "2", "3", "4"] == uuids


class TestTracebacks:
    """Tracebacks that were logged."""

    def test_in_the_way(self, log: Log) -> None:
        """A traceback that an action around a failure logs belongs to it."""
        with start_action(action_type="outer"):
            try:
                with start_action(action_type="inner"):
                    raise KeyError("k")
            except KeyError:
                write_traceback()
        found = find(log)

        assert [] == found.caught
        [group] = found.failed
        assert "KeyError: 'k'" in (group.example.traceback or "")
        assert 1 == group.handled

    def test_inside(self, log: Log) -> None:
        """So does one that the failed action itself logs; it is not told twice."""
        with suppress(KeyError), start_action(action_type="a"):
            try:
                log_message("before")
                raise KeyError("k")
            except KeyError:
                write_traceback()
                raise
        found = find(log)

        assert [] == found.caught
        [group] = found.failed
        assert "KeyError: 'k'" in (group.example.traceback or "")
        assert ["before"] == [event.type for event in group.example.before]

    def test_replaced(self) -> None:
        """So does that of the exception that replaced it; the longest is told."""
        told = Told()
        told.start("top")
        told.start("outer", 2)
        told.start("inner", 2, 2)
        told.fail("inner", 2, 2, 2)
        told.trace(2, 3, text="short")
        told.fail("outer", 2, 4, exception="F", reason="f")
        told.trace(3, exception="F", reason="f", text="with its cause")
        told.end("top", 4)
        found = told.find()

        assert [] == found.caught
        assert "with its cause" == found.failed[0].example.traceback

    def test_field(self) -> None:
        """A failed action may tell its traceback itself."""
        told = Told()
        told.start("a")
        told.fail("a", 2, traceback="tb", code=3, duration=0.5)
        [group] = told.find().failed

        assert "tb" == group.example.traceback
        assert [] == told.find().caught
        assert ({"code": 3}, 0.5) == (group.example.chain[0].end_fields, group.example.chain[0][4])

    def test_each_its_own(self) -> None:
        """A traceback belongs to the last such failure before it."""
        told = Told()
        told.start("top")
        for number in (2, 4):
            told.start("try", number, attempt=number)
            told.fail("try", number, 2)
            told.trace(number + 1, text=f"tb{number}")
        told.end("top", 6)
        [group] = told.find().failed

        assert ("tb2", {"attempt": 2}) == (group.example.traceback, group.example.chain[1].fields)

    def test_caught(self, log: Log) -> None:
        """A traceback with which no action failed is told apart, with what was before."""
        with start_action(action_type="serve", path="/"):
            log_message("before")
            try:
                raise KeyError("k")
            except KeyError:
                write_traceback()
        found = find(log)

        assert [] == found.failed
        [group] = found.caught
        assert [("builtins.KeyError", "serve", 1, 1)] == brief(found.caught)
        example = group.example
        assert ("'k'", (3,), log[2]["timestamp"]) == (
            example.reason,
            example.task_level,
            example.time,
        )
        assert [("serve", None)] == parts(example)
        assert ["before"] == [event.type for event in example.before]
        assert "KeyError: 'k'" in (example.traceback or "")

    def test_outside(self, log: Log) -> None:
        """So is one outside of any action."""
        for number in range(3):
            try:
                raise KeyError(number)
            except KeyError:
                write_traceback()
        found = find(log)

        assert [("builtins.KeyError", "", 3, 3)] == brief(found.caught)
        assert ((), (), 3) == (
            found.caught[0].example.chain,
            found.caught[0].example.before,
            found.caught[0].tasks,
        )

    def test_top_level(self, log: Log) -> None:
        """A traceback that is logged where the program has left the task belongs to the failure."""
        for number in (1, 2):
            try:
                with start_action(action_type="serve"):
                    try:
                        with start_action(action_type="load"):
                            raise KeyError(number)
                    except KeyError as error:
                        raise ValueError("v") from error
            except ValueError:
                write_traceback()
        found = find(log)

        assert [] == found.caught
        [group] = found.failed
        assert (2, 0) == (group.number, group.handled)
        text = group.example.traceback or ""
        assert text.index("KeyError: 1") < text.index("ValueError: v")

    @pytest.mark.parametrize(
        ("at", "reason", "caught"),
        [(1.5, "no", 0), (2.5, "no", 1), (0.5, "no", 1), (1.5, "other", 1), ("then", "no", 1)],
    )
    def test_top_level_soon(self, at: Any, reason: str, caught: int) -> None:
        """It does so within a second, and if it tells of the same exception."""
        told = Told()
        told.start("a")
        told.fail("a", 2)
        outside = Told("v")
        outside.trace(1, reason=reason)
        outside.messages[0]["timestamp"] = at
        found = find(told.messages + outside.messages)

        assert caught == len(found.caught)
        assert (None if caught else "tb") == found.failed[0].example.traceback

    def test_top_level_of_another(self) -> None:
        """It is not told with an example of which the text is another one, or which knows more."""
        log: Log = []
        for number, reason in enumerate(["first", "second"]):
            told = Told(f"u{number}")
            told.start("a")
            told.fail("a", 2, reason=reason, traceback="a longer one" if number == 0 else None)
            outside = Told(f"v{number}")
            outside.trace(1, reason=reason)
            outside.messages[0]["timestamp"] = 1.5
            log += told.messages + outside.messages
        found = find(log)

        assert [] == found.caught
        assert ("first", "a longer one") == (
            found.failed[0].example.reason,
            found.failed[0].example.traceback,
        )

    def test_top_level_of_the_last(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Only so many exceptions are remembered for that."""
        monkeypatch.setattr("eliot._failures._MOST_LEFT", 1)
        log: Log = []
        for number in range(2):
            told = Told(f"u{number}")
            told.start("a")
            told.fail("a", 2, reason=str(number))
            log += told.messages
        for number in range(2):
            outside = Told(f"v{number}")
            outside.trace(1, reason=str(number))
            outside.messages[0]["timestamp"] = 1.5
            log += outside.messages

        assert ["0"] == [group.example.reason for group in find(log).caught]

    def test_no_traceback(self) -> None:
        """A message that names an exception, without a traceback, is a message."""
        told = Told()
        told.say("m", 1, exception="E", reason="no")
        silent = Told("v")
        silent.start("a")
        silent.trace(2, text="")
        silent.fail("a", 3, traceback=None)

        assert None is silent.find().failed[0].example.traceback
        assert Failures([], [], []) == told.find()


class TestBefore:
    """What was logged just before."""

    def test_in_it_and_around_it(self) -> None:
        """The last messages and actions are told, first those in the action, then those around."""
        told = Told()
        told.start("top")
        told.say("m1", 2, x=1)
        told.start("done", 3, y=2)
        told.fail("done", 3, 2, exception="Other")
        told.start("in", 4)
        told.say("m2", 4, 2)
        told.fail("in", 4, 3)
        told.say("late", 5)
        told.fail("top", 6)
        events = {
            number: [
                (event.type, event.depth, event.status)
                for event in told.find(number).failed[0].example.before
            ]
            for number in (0, 1, 2, 9)
        }

        assert {
            0: [],
            1: [("m2", 2, None)],
            2: [("done", 1, "failed"), ("m2", 2, None)],
            9: [("m1", 1, None), ("done", 1, "failed"), ("m2", 2, None)],
        } == events
        [m1, done, _] = told.find(9).failed[0].example.before
        assert ({"x": 1}, 1.0, None, None) == (m1.fields, m1.time, m1.duration, m1.exception)
        assert ({"y": 2}, 2.0, 1.0, "Other") == (
            done.fields,
            done.time,
            done.duration,
            done.exception,
        )

    def test_side_by_side(self) -> None:
        """What was logged later is not told, even if its place is before."""
        told = Told()
        told.start("top")
        told.start("other", 2, at=1.0)
        told.say("early", 3, at=2.0)
        told.say("late", 4, at=9.0)
        told.start("in", 5, at=3.0)
        told.fail("in", 5, 2, at=4.0)
        told.fail("top", 6, at=10.0)

        before = told.find().failed[0].example.before
        assert ["other", "early"] == [event.type for event in before]

    def test_many_siblings(self) -> None:
        """The place of an action among many is found quickly."""
        told = Told()
        told.start("top")
        for number in range(2, 2002):
            told.start(f"a{number}", number)
            told.fail(f"a{number}", number, 2)
        told.end("top", 2002)
        found = told.find(1).failed

        assert 2000 == len(found)
        last = next(group for group in found if group.path[-1] == "a2001")
        assert ["a2000"] == [event.type for event in last.example.before]

    def test_afterwards_has_an_end(self) -> None:
        """Of very many failures that followed ten are told, and how many there were."""
        told = Told()
        told.start("top")
        for number in range(2, 32):
            told.start("a", number)
            told.fail("a", number, 2, reason=str(number))
        told.end("top", 32)
        [group] = told.find().failed

        assert (10, 29) == (len(group.example.afterwards), group.example.afterwards_count)
        assert "3" == group.example.afterwards[0].reason


class TestUnfinished:
    """Actions that never ended."""

    def test_innermost(self) -> None:
        """The innermost of those that did not end is told, with what was last heard of it."""
        told = Told()
        told.start("outer")
        told.start("inner", 2, x=1)
        told.say("last words", 2, 2)
        found = told.find()

        assert [] == found.failed
        [group] = found.unfinished
        assert (None, ("outer", "inner"), 1) == (group.exception, group.path, group.number)
        example = group.example
        assert (None, False, 2.0, (2,)) == (
            example.reason,
            example.handled,
            example.time,
            example.task_level,
        )
        assert ["started", "started"] == [step.status for step in example.chain]
        assert ["last words"] == [event.type for event in example.before]

    def test_side_by_side(self) -> None:
        """Of several side by side each is told; those that are around them are not."""
        told = Told()
        told.start("outer")
        told.start("one", 2)
        told.start("two", 3)
        told.start("done", 4)
        told.end("done", 4, 2)
        told.start("two", 5)

        assert [(None, "outer > two", 2, 0), (None, "outer > one", 1, 0)] == brief(
            told.find().unfinished
        )

    def test_silent(self) -> None:
        """If nothing was heard the start is the last."""
        told = Told()
        told.start("outer", at=7.0)

        assert 7.0 == told.find().unfinished[0].last


class TestRealLogs:
    """Logs of programs, and what becomes of them."""

    @pytest.fixture
    def written(self, log: Log) -> Log:
        """Give the log of a program with all that can go wrong."""

        @log_call
        def fetch(number: int) -> int:
            if number % 3 == 0:
                raise OSError(5, "broken")
            return number

        for number in range(9):
            try:
                with start_task(action_type="request", number=number):
                    try:
                        fetch(number)
                    except OSError:
                        if number:
                            raise
            except OSError:
                pass
        return log

    def test_whole(self, written: Log) -> None:
        """All failures are found."""
        [group] = find(written).failed

        assert (3, 1, 3) == (group.number, group.handled, group.tasks)
        assert {"errno": 5} == group.example.chain[-1].end_fields

    @given(chance=st.randoms(use_true_random=False))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_shuffled(self, written: Log, chance: random.Random) -> None:
        """The order of the messages makes no difference, but for which one is the example."""
        expected = find(written).failed[0]
        shuffled = written.copy()
        chance.shuffle(shuffled)
        [group] = find(shuffled).failed

        assert expected[:-1] == group[:-1]

    @given(st.randoms(use_true_random=False), st.floats(0, 1))
    def test_damaged(self, chance: random.Random, share: float) -> None:
        """Whatever is missing, what is found was there: no exception is lost that is in the log."""
        told = _story(chance)
        left = [message for message in told if chance.random() < share]
        found = find(left)

        assert len({m["exception"] for m in left if "exception" in m}) >= len(
            {group.exception for group in found.failed}
        )
        failed = {m["exception"] for m in left if m.get("action_status") == "failed"}
        assert bool(failed) == bool(found.failed)

    @pytest.mark.parametrize("depth", [400, 5000])
    def test_deep(self, depth: int) -> None:
        """Trees may be deeper than the stack."""
        told = Told()
        for number in range(depth):
            told.start("ab"[number % 2], *[2] * number)
        for number in reversed(range(depth)):
            told.fail("ab"[number % 2], *[2] * number, 3)
        [group] = told.find().failed

        assert depth == len(group.path) == len(group.example.chain)
        assert {"passed on"} == {step.part for step in group.example.chain[:-1]}


def _story(chance: random.Random) -> Log:
    """Make up the log of a program whose actions fail at random, of each other or of themselves."""
    told = Told()

    def act(level: List[int]) -> Optional[str]:
        kind = chance.choice("abc")
        told.start(kind, *level)
        number, exception = 2, None
        while exception is None and chance.random() < 0.6 and len(level) < 5:
            inner = act([*level, number])
            number += 1
            if chance.random() < 0.5:
                exception = inner
        if exception is None and chance.random() < 0.3:
            exception = chance.choice(["E", "F", CANCELLED])
        if exception is None:
            told.end(kind, *level, number)
        else:
            told.fail(kind, *level, number, exception=exception)
        return exception

    act([])
    return told.messages


@given(st.randoms(use_true_random=False))
def test_every_failure_is_told(chance: random.Random) -> None:
    """Each failed action is on the way of a failure, or is told to have been cancelled with it."""
    log = _story(chance)
    number = sum(message.get("action_status") == "failed" for message in log)
    [task] = Parser.parse_stream(log)
    found = failures([task])

    assert bool(number) == bool(found.failed)
    assert sum(group.number for group in found.failed) <= number
    assert [] == found.unfinished == found.caught


def test_one_by_one() -> None:
    """Tasks are read one by one, and not kept."""
    told = Told()
    told.start("a")
    told.fail("a", 2)
    [task] = Parser.parse_stream(told.messages)
    seen: List[int] = []

    def tasks() -> Iterator[Task]:
        for number in range(3):
            seen.append(number)
            yield task

    assert 3 == failures(tasks()).failed[0].number
    assert [0, 1, 2] == seen
