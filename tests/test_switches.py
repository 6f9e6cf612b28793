"""Switches: what messages tell when the program asks for it."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import pickle
import socket
import sys
import threading
from contextlib import suppress
from typing import Any, Callable, Dict, List

import pytest

import eliot
from eliot import (
    Action,
    ActionType,
    MemoryLogger,
    MessageType,
    configure,
    fields,
    log_call,
    log_message,
    preserve_context,
    start_action,
    start_task,
)
from eliot._switches import prepare, switches

Messages = List[Dict[str, Any]]

SWITCHES = ["duration", "traceback", "caller", "process", "host", "thread", "task"]


class TestConfigure:
    """The call that switches."""

    def test_off(self, log: Messages) -> None:
        """By default nothing is told."""
        with start_action("a"):
            log_message("b")

        assert not switches.on
        assert [{}] * 3 == [
            {k: v for k, v in m.items() if k in {*SWITCHES, "traceback_at"}} for m in log
        ]

    @pytest.mark.parametrize("name", SWITCHES)
    def test_one(self, name: str) -> None:
        """What is not named stays as it is, and all can be switched off again."""
        switch_on: Dict[str, Any] = {name: True}
        configure(**switch_on)
        configure(thread=True)
        configure()
        on = [each for each in SWITCHES if switches.chosen[each]]
        switch_off: Dict[str, Any] = {name: False, "thread": False}
        configure(**switch_off)

        assert {name, "thread"} == set(on)
        assert not switches.on

    @pytest.mark.parametrize("wrong", [1, 0, "yes", [], object])
    def test_no_switch(self, wrong: Any) -> None:
        """What is neither true nor false is refused, and nothing is changed."""
        with pytest.raises(TypeError, match="expected True or False"):
            configure(duration=True, caller=wrong)

        assert not switches.on

    def test_no_level(self) -> None:
        """So are levels that are none."""
        with pytest.raises(ValueError, match="'loud'"):
            configure(duration=True, levels={"*": "loud"})

        assert not switches.on

    def test_unknown(self) -> None:
        """So is what there is not."""
        unknown: Any = {"colour": True}
        with pytest.raises(TypeError, match="colour"):
            configure(**unknown)


class TestDuration:
    """How long actions take."""

    def test_end_messages(self, log: Messages) -> None:
        """End messages have it, whether the action has succeeded or failed."""
        configure(duration=True)
        outer = start_action("a")
        with outer.context(), start_action("b") as inner:
            pass
        outer.finish(ValueError("why"))

        assert [None, None, inner.duration, outer.duration] == [m.get("duration") for m in log]
        assert 0 <= inner.duration <= outer.duration

    def test_is_monotonic(self, log: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
        """A clock that is set back does not matter."""
        configure(duration=True)
        with start_action("a") as action:
            monkeypatch.setattr("time.time", lambda: 0.0)
            running = action.duration

        assert 0 <= running <= action.duration == log[1]["duration"]

    def test_all_actions(self, log: Messages) -> None:
        """However an action is made, it is timed."""
        configure(duration=True)
        with start_action("a") as action:
            preserve_context(lambda: None)()
            task_id = action.serialize_task_id()
        Action.continue_task(task_id=task_id).finish()
        log_call(lambda: None)()

        ends = [m for m in log if m["action_status"] != "started"]

        assert [True] * 4 == ["duration" in m for m in ends]

    def test_started_before(self, log: Messages) -> None:
        """An action that has started before is not timed."""
        action = start_action("a")
        configure(duration=True)
        action.finish()

        assert "duration" not in log[1]

    def test_own_field(self, log: Messages) -> None:
        """The program's own field of that name stays."""
        configure(duration=True)
        with start_action("a") as action:
            action.add_success_fields(duration="long")

        assert "long" == log[1]["duration"]


class Hostile(Exception):
    """An exception that helps nobody."""

    def __setattr__(self, name: str, value: object) -> None:
        """Fail."""
        raise OSError

    def __getattribute__(self, name: str) -> object:
        """Fail."""
        raise OSError(name)


class TestTraceback:
    """Where an exception came from."""

    @pytest.fixture(autouse=True)
    def _on(self) -> None:
        configure(traceback=True)

    def test_told_once(self, log: Messages) -> None:
        """The innermost action tells it in full; the others say where it did."""
        with pytest.raises(ValueError, match="why"), start_action("a"), start_action("b"):
            raise ValueError("why")

        assert [None, None, True, None] == [m.get("traceback") and True for m in log]
        assert "ValueError: why" == log[2]["traceback"].splitlines()[-1]
        assert f"{log[0]['task_uuid']}@/2" == log[3]["traceback_at"]
        assert "traceback_at" not in log[2]

    def test_across_tasks(self, log: Messages) -> None:
        """An exception that leaves its task is told again, once, with where it was told before."""
        with pytest.raises(ValueError, match="why"), start_action("a"), start_action(
            "b"
        ), start_task("c"):
            raise ValueError("why")
        outer, inner = log[0]["task_uuid"], log[2]["task_uuid"]

        assert [(True, None), (True, f"{inner}@/"), (None, f"{outer}@/2")] == [
            (m.get("traceback") and True, m.get("traceback_at")) for m in log[3:]
        ]

    def test_raised_again(self, log: Messages) -> None:
        """An exception that was made once is told in each task in which it is raised."""
        error = ValueError("why")
        for _ in range(3):
            with suppress(ValueError), start_task("a"), start_action("b"):
                raise error

        told = [m["traceback"].splitlines()[-1] for m in log if "traceback" in m]
        assert ["ValueError: why"] * 3 == told
        assert [log[2], log[6], log[10]] == [m for m in log if "traceback" in m]

    def test_causes(self, log: Messages) -> None:
        """Its causes are part of it."""
        try:
            try:
                raise ValueError("first")
            except ValueError as first:
                raise KeyError("second") from first
        except KeyError as second:
            start_action("b").finish(second)

        assert "ValueError: first" in log[1]["traceback"]
        assert "direct cause" in log[1]["traceback"]

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="no groups on this interpreter")
    def test_groups_and_notes(self, log: Messages) -> None:
        """So are the members of groups, and notes."""
        namespace: Dict[str, Any] = {}
        exec(  # noqa: S102 - older versions have no such names
            "error = ValueError('member'); error.add_note('a note')\n"
            "group = ExceptionGroup('several', [error])",
            namespace,
        )
        start_action("a").finish(namespace["group"])

        assert all(text in log[1]["traceback"] for text in ("member", "a note", "several"))

    def test_pickled(self, log: Messages) -> None:
        """An exception that has come from another process says where it was told there."""
        error = ValueError("why")
        start_action("a").finish(error)
        start_action("b").finish(pickle.loads(pickle.dumps(error)))  # noqa: S301 - its own

        assert f"{log[0]['task_uuid']}@/" == log[3]["traceback_at"]

    def test_silenced(self, log: Messages) -> None:
        """A silenced action leaves it to the first one that is logged."""
        configure(levels={"quiet": "error"})
        with pytest.raises(ValueError, match="why"), start_action("a"), start_action("quiet"):
            raise ValueError("why")

        assert "ValueError: why" in log[1]["traceback"]

    @pytest.mark.parametrize("make", [Hostile, str, int])
    def test_hostile(self, log: Messages, make: Callable[[], Any]) -> None:
        """Whatever an action fails with, it ends, and the program goes on."""
        start_action("a").finish(make())

        assert "failed" == log[1]["action_status"]
        assert isinstance(log[1]["traceback"], str)

    def test_success(self, log: Messages) -> None:
        """An action that succeeds has none."""
        start_action("a").finish()

        assert "traceback" not in log[1]


def line_of(f: Callable[..., Any]) -> int:
    """Return the number of the first line of a function."""
    return inspect.getsourcelines(f)[1]


class TestCaller:
    """Where the logging call is."""

    @pytest.fixture(autouse=True)
    def _on(self) -> None:
        configure(caller=True)

    def test_messages(self, log: Messages) -> None:
        """Messages and start messages have it; end messages do not."""

        def speak() -> None:
            with start_action("a") as action:
                log_message("b")
                action.log("c")
                MessageType("d", []).log()
                eliot.Message({"message_type": "e"}).write()

        speak()
        first = line_of(speak)

        assert [first + 1, first + 2, first + 3, first + 4, first + 5] == [
            m["caller"]["line"] for m in log[:-1]
        ]
        assert {"file": __file__, "line": first + 1, "function": "speak"} == log[0]["caller"]
        assert "caller" not in log[-1]

    def test_calls(self, log: Messages) -> None:
        """A logged call is where the function is called."""

        @log_call(action_type="f")
        def f() -> None:
            pass

        def work() -> None:
            f()

        work()

        assert (line_of(work) + 1, "work") == (
            log[0]["caller"]["line"],
            log[0]["caller"]["function"],
        )

    def test_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where nobody but Eliot is, there is none."""
        monkeypatch.setattr("eliot._switches._HERE", "")
        message: Dict[str, Any] = {}
        prepare("a", message)

        assert {} == message

    def test_own_field(self, log: Messages) -> None:
        """The program's own field of that name stays."""
        log_message("a", caller="me")

        assert "me" == log[0]["caller"]


class TestNames:
    """Process, host, thread and task."""

    def test_all_messages(self, log: Messages) -> None:
        """All messages of actions, and those in them, have them."""
        configure(process=True, host=True, thread=True)
        with start_action("a"):
            log_message("b")

        expected = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "thread": threading.current_thread().name,
        }

        assert [expected] * 3 == [{k: m[k] for k in expected} for m in log]

    def test_thread(self, log: Messages) -> None:
        """The thread is the one that logs."""
        configure(thread=True)
        thread = threading.Thread(target=log_message, args=("a",), name="worker 7")
        thread.start()
        thread.join()

        assert ["worker 7"] == [m["thread"] for m in log]

    def test_task(self, log: Messages) -> None:
        """The task is that of asyncio, if there is one."""
        configure(task=True)

        async def work() -> None:
            log_message("a")

        async def main() -> None:
            task = asyncio.ensure_future(work())
            task.set_name("task 7")
            await task
            asyncio.get_running_loop().call_soon(log_message, "b")
            await asyncio.sleep(0)

        asyncio.run(main())
        log_message("c")

        assert ["task 7", None, None] == [m.get("task") for m in log]

    def test_no_asyncio(self, log: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without asyncio there is none."""
        configure(task=True)
        monkeypatch.delitem(sys.modules, "asyncio")
        log_message("a")

        assert "task" not in log[0]

    def test_own_fields(self, log: Messages) -> None:
        """The program's own fields of these names stay."""
        configure(process=True, host=True, thread=True, task=True)
        log_message("a", host="far away", task=5)

        assert ("far away", 5) == (log[0]["host"], log[0]["task"])

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this interpreter's system")
    def test_fork(self, log: Messages) -> None:
        """A forked child has a number of its own."""
        configure(process=True)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                log_message("a")
                os.write(writing, json.dumps([os.getpid(), log[0]["process"]]).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        told = json.loads(os.read(reading, 1000))
        os.close(reading)
        os.close(writing)

        assert [child, child] == told


class TestTyped:
    """Messages of declared types."""

    def test_validation(self) -> None:
        """What is switched on need not be declared."""
        switch_on: Dict[str, Any] = dict.fromkeys(SWITCHES, True)
        configure(**switch_on)
        logger = MemoryLogger()
        with ActionType("a", fields(x=int), fields(y=int))(logger, x=1) as action:
            action.add_success_fields(y=2)
            MessageType("m", []).log()

        logger.validate()

    def test_validation_off(self) -> None:
        """What is not switched on has to be."""
        logger = MemoryLogger()
        ActionType("a", [], [])(logger, host="here")

        with pytest.raises(eliot.ValidationError):
            logger.validate()
