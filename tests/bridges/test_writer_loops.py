"""The background writer under asyncio, Trio, AnyIO and Twisted: no loop ever waits for a disk."""

from __future__ import annotations

import asyncio
import sys
from threading import Event
from typing import Any, Callable, Iterator

import anyio
import anyio.lowlevel
import pytest
import trio

from eliot import BackgroundWriter
from eliot._loops import in_event_loop, signal_here


def with_asyncio(main: Any) -> None:
    """Run a coroutine under asyncio."""
    asyncio.run(main())


def with_trio(main: Any) -> None:
    """Run a coroutine under Trio."""
    trio.run(main)


def with_trio_as_guest(main: Any) -> None:
    """Run a coroutine under Trio, which is a guest of asyncio."""

    async def host() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        trio.lowlevel.start_guest_run(
            main,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        (await done).unwrap()

    asyncio.run(host())


every_loop = pytest.mark.parametrize("run", [with_asyncio, with_trio, with_trio_as_guest])


class Gate:
    """A destination that takes no message before it may."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.entered = Event()
        self.open = Event()

    def __call__(self, message: dict[str, Any]) -> None:
        """Wait until it may, and take the message."""
        self.entered.set()
        self.open.wait()
        self.messages.append(message)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Make a destination that opens at the end."""
    gate = Gate()
    yield gate
    gate.open.set()


class TestFlush:
    """Waiting in a task."""

    @every_loop
    def test_others_go_on(self, run: Callable[[Any], None], gate: Gate) -> None:
        """While a task waits until all is written, others go on."""
        writer = BackgroundWriter(gate)
        steps: list[object] = []

        async def flush() -> None:
            steps.append(await writer.aflush())

        async def main() -> None:
            writer({"message_type": "hello"})
            async with anyio.create_task_group() as group:
                group.start_soon(flush)
                await anyio.lowlevel.checkpoint()
                await anyio.lowlevel.checkpoint()
                steps.append("tick")
                gate.open.set()

        run(main)

        assert ["tick", True] == steps
        assert 1 == len(gate.messages)

    @every_loop
    def test_time_is_up(self, run: Callable[[Any], None], gate: Gate) -> None:
        """It waits no longer than it is told, and may be called again."""
        writer = BackgroundWriter(gate)
        outcomes: list[bool] = []

        async def main() -> None:
            outcomes.append(await writer.aflush())
            writer({"message_type": "hello"})
            outcomes.append(await writer.aflush(0.001))
            gate.open.set()
            outcomes.append(await writer.aflush(60))

        run(main)

        assert [True, False, True] == outcomes

    @every_loop
    def test_waits_for_no_more(self, run: Callable[[Any], None], gate: Gate) -> None:
        """It waits for its own messages, not for those that come later."""
        second = Event()

        def destination(message: dict[str, Any]) -> None:
            gate(message)
            if message["message_type"] == "second":
                second.wait()

        writer = BackgroundWriter(destination)
        outcomes: list[bool] = []

        async def flush() -> None:
            outcomes.append(await writer.aflush())
            second.set()

        async def main() -> None:
            writer({"message_type": "first"})
            async with anyio.create_task_group() as group:
                group.start_soon(flush)
                await anyio.lowlevel.checkpoint()
                await anyio.lowlevel.checkpoint()
                writer({"message_type": "second"})
                group.start_soon(writer.aflush)
                await anyio.lowlevel.checkpoint()
                await anyio.lowlevel.checkpoint()
                gate.open.set()

        run(main)

        assert [True] == outcomes

    @pytest.mark.parametrize("run", [with_asyncio, with_trio])
    def test_loops_that_are_gone(self, run: Callable[[Any], None]) -> None:
        """A loop that has ended meanwhile is no problem of the thread."""
        signals: list[Any] = []

        async def main() -> None:
            signals.append(signal_here())

        run(main)
        signals[0].set()

        assert 1 == len(signals)

    def test_elsewhere(self) -> None:
        """Where no such loop runs, it says so."""
        writer = BackgroundWriter(print)

        with pytest.raises(RuntimeError, match="elsewhere call flush"):
            writer.aflush().send(None)


class TestFull:
    """A full queue."""

    @every_loop
    def test_nobody_waits(self, run: Callable[[Any], None], gate: Gate) -> None:
        """In the thread of a loop messages are dropped, where others would wait."""
        writer = BackgroundWriter(gate, max_messages=2)
        ticks = 0

        async def main() -> None:
            nonlocal ticks
            for number in range(10):
                writer({"message_type": str(number)})
                await anyio.lowlevel.checkpoint()
                ticks += 1

        run(main)
        gate.open.set()
        writer.stop()

        assert 10 == ticks
        assert (8, 3) == (writer.dropped, len(gate.messages))
        assert 8 == gate.messages[-1]["count"]

    @every_loop
    def test_other_threads_wait(self, run: Callable[[Any], None], gate: Gate) -> None:
        """A thread that a loop has work done in waits, as any other."""
        writer = BackgroundWriter(gate, max_messages=2)

        def work() -> None:
            for number in range(10):
                writer({"message_type": str(number)})

        async def main() -> None:
            gate.open.set()
            await anyio.to_thread.run_sync(work)

        run(main)
        writer.stop()

        assert (0, 10) == (writer.dropped, len(gate.messages))


class TestInEventLoop:
    """Where nobody must wait."""

    def test_outside(self) -> None:
        """A thread without a loop may wait."""
        assert not in_event_loop()

    def test_twisted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The thread of Twisted's reactor must not wait while the reactor runs; others may."""
        pytest.importorskip("twisted", reason="no Twisted on this interpreter")
        from twisted.internet.selectreactor import SelectReactor
        from twisted.python import threadable
        from twisted.python.failure import Failure

        reactor: Any = SelectReactor()
        monkeypatch.setitem(sys.modules, "twisted.internet.reactor", reactor)
        monkeypatch.setattr(threadable, "ioThread", None)
        answers = [in_event_loop()]

        def ask() -> None:
            answers.append(in_event_loop())

        def work() -> None:
            ask()
            reactor.callFromThread(reactor.stop)

        reactor.callWhenRunning(ask)
        reactor.callInThread(work)
        reactor.run(installSignalHandlers=False)
        ask()
        for waker in reactor.getReaders():
            waker.connectionLost(Failure(ConnectionAbortedError()))

        assert [False, True, False, False] == [answers[0], *sorted(answers[1:3])[::-1], answers[3]]

    def test_without_frameworks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A program that has loaded none of them has no loop."""
        for name in "asyncio", "trio", "twisted.internet.reactor", "twisted.python.threadable":
            monkeypatch.delitem(sys.modules, name, raising=False)

        assert not in_event_loop()
        with pytest.raises(RuntimeError, match="asyncio, Trio and AnyIO"):
            signal_here()
