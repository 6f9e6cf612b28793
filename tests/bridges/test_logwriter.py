"""The service that writes the log in a thread, on a real reactor."""

from __future__ import annotations

from threading import Event, Thread, current_thread
from typing import Any, Awaitable, Callable, Iterator

import pytest

pytest.importorskip("twisted", reason="needs Twisted")

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.python import threadable
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from eliot import (
    Logger,
    add_destinations,
    current_action,
    log_message,
    remove_destination,
    start_action,
)
from eliot.logwriter import ThreadedWriter


def destinations() -> list[Any]:
    """Tell where messages go."""
    return Logger._destinations._destinations


class Written:
    """A destination that remembers what it got, and in which thread."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.threads: set[Thread] = set()
        self.allowed = Event()
        self.allowed.set()

    def __call__(self, message: dict[str, Any]) -> None:
        """Remember the message, as soon as that is allowed."""
        self.allowed.wait()
        self.threads.add(current_thread())
        self.messages.append(message)

    def types(self) -> list[str]:
        """Tell the types of the messages."""
        return [message["message_type"] for message in self.messages]


class Breaking(Written):
    """A destination that refuses some messages."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self.refused = refused

    def __call__(self, message: dict[str, Any]) -> None:
        """Remember the message, or refuse it."""
        if message["message_type"] in self.refused:
            raise ZeroDivisionError("broken")
        super().__call__(message)

    def __repr__(self) -> str:
        return "<Breaking>"


@pytest.fixture
def reactor() -> Iterator[Any]:
    """Make a reactor that is not the global one, so that each test can run its own."""
    reactor: Any = SelectReactor()
    yield reactor
    for waker in reactor.getReaders():
        waker.connectionLost(Failure(ConnectionAbortedError()))


@pytest.fixture
def run(reactor: Any) -> Callable[[Callable[[], Awaitable[None]]], None]:
    """Get a function that runs the reactor until a coroutine is done."""

    def run(main: Callable[[], Any]) -> None:
        outcomes: list[object] = []

        def start() -> None:
            done = Deferred.fromCoroutine(main())
            done.addBoth(outcomes.append).addBoth(lambda _: reactor.stop())

        reactor.callWhenRunning(start)
        reactor.run(installSignalHandlers=False)
        [outcome] = outcomes
        if isinstance(outcome, Failure):
            outcome.raiseException()

    return run


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    """Collect the errors in Twisted's log."""
    events: list[LogEvent] = []
    publisher: Any = globalLogPublisher

    def observe(event: LogEvent) -> None:
        if event["log_level"] is LogLevel.error:
            events.append(event)

    publisher.addObserver(observe)
    yield events
    publisher.removeObserver(observe)


Run = Callable[[Callable[[], Awaitable[None]]], None]


class TestService:
    """The writer as a service."""

    def test_is_a_service(self, reactor: Any) -> None:
        """It is what Twisted calls a service, and has a name."""
        writer = ThreadedWriter(Written(), reactor)

        assert verifyObject(IService, writer)
        assert "Eliot Log Writer" == writer.name
        assert not writer.running

    def test_start(self, reactor: Any, run: Run) -> None:
        """Its start starts a thread, and adds it to the destinations."""
        writer = ThreadedWriter(Written(), reactor)

        async def main() -> None:
            writer.startService()

            assert writer.running
            assert [writer] == destinations()
            assert writer._thread is not None
            assert writer._thread.is_alive()
            assert not writer._thread.daemon

            await writer.stopService()

        run(main)

    def test_stop(self, reactor: Any, run: Run) -> None:
        """Its stop removes it from the destinations, and ends the thread."""
        writer = ThreadedWriter(Written(), reactor)

        async def main() -> None:
            writer.startService()
            outcomes: list[object] = []
            stopped = writer.stopService().addCallback(outcomes.append)

            assert not writer.running
            assert [] == destinations()

            await stopped

            assert [None] == outcomes
            assert writer._thread is not None
            assert not writer._thread.is_alive()

        run(main)

    def test_belongs_to_other_services(self, reactor: Any, run: Run) -> None:
        """A parent starts and stops it, and waits until it is done."""
        written = Written()
        program = MultiService()
        program.addService(ThreadedWriter(written, reactor))

        async def main() -> None:
            program.startService()
            log_message("hello")
            await program.stopService()

            assert ["hello"] == written.types()

        run(main)

    def test_reader_of_a_test(self, reactor: Any) -> None:
        """Test suites may put a function without parameters in place of what the thread runs."""
        threads: list[Thread] = []
        writer: Any = ThreadedWriter(Written(), reactor)
        writer._reader = lambda: threads.append(current_thread())
        writer.startService()
        writer._thread.join()

        assert [writer._thread] == threads

    def test_starts_once(self, reactor: Any, run: Run) -> None:
        """A second start changes nothing."""
        written = Written()
        writer = ThreadedWriter(written, reactor)

        async def main() -> None:
            writer.startService()
            thread = writer._thread
            writer.startService()
            log_message("hello")

            assert thread is writer._thread
            assert [writer] == destinations()

            await writer.stopService()

        run(main)

        assert ["hello"] == written.types()

    def test_stop_needs_no_start(self, reactor: Any, run: Run) -> None:
        """To stop what is not running is no error, and takes no time."""
        writer = ThreadedWriter(Written(), reactor)

        async def main() -> None:
            await writer.stopService()
            writer.startService()
            await writer.stopService()

            assert writer.stopService().called

        run(main)

    def test_stops_though_removed(self, reactor: Any, run: Run) -> None:
        """If somebody has removed it from the destinations it stops all the same."""
        writer = ThreadedWriter(Written(), reactor)

        async def main() -> None:
            writer.startService()
            remove_destination(writer)
            await writer.stopService()

        run(main)

        assert writer._thread is not None
        assert not writer._thread.is_alive()

    def test_starts_again(self, reactor: Any, run: Run) -> None:
        """After a stop it can be started again; what comes in between waits."""
        written = Written()
        writer = ThreadedWriter(written, reactor)

        async def main() -> None:
            writer.startService()
            await writer.stopService()
            writer({"message_type": "between"})

            assert [] == written.types()

            writer.startService()
            log_message("after")
            await writer.stopService()

        run(main)

        assert ["between", "after"] == written.types()

    def test_leaves_the_reactor_its_thread(self, reactor: Any, run: Run) -> None:
        """What Twisted takes for the thread of the reactor stays that."""
        writer = ThreadedWriter(Written(), reactor)

        async def main() -> None:
            before = threadable.ioThread
            writer.startService()
            log_message("hello")
            await writer.stopService()

            assert before == threadable.ioThread

        run(main)


class TestWriting:
    """What becomes of messages."""

    def test_writes_in_a_thread(self, reactor: Any, run: Run) -> None:
        """The destination is called in the thread of the writer alone."""
        written = Written()
        writer = ThreadedWriter(written, reactor)

        async def main() -> None:
            writer.startService()
            log_message("hello")
            await writer.stopService()

        run(main)

        assert {writer._thread} == written.threads

    @pytest.mark.usefixtures("threads_inherit")
    def test_in_no_action(self, reactor: Any, run: Run) -> None:
        """The thread is in no action, whoever starts the service."""
        seen: list[object] = []
        writer = ThreadedWriter(lambda _: seen.append(current_action()), reactor)

        async def main() -> None:
            with start_action(action_type="a"):
                writer.startService()
            await writer.stopService()

        run(main)

        assert [None, None] == seen

    def test_writes_what_came_before_the_start(self, reactor: Any, run: Run) -> None:
        """Messages that it gets before its start are written after that, first."""
        written = Written()
        writer = ThreadedWriter(written, reactor)
        writer({"message_type": "before"})

        async def main() -> None:
            writer.startService()
            log_message("after")
            await writer.stopService()

        run(main)

        assert ["before", "after"] == written.types()

    def test_writes_in_order(self, reactor: Any, run: Run) -> None:
        """Messages are written in the order in which they come, all of them."""
        written = Written()
        writer = ThreadedWriter(written, reactor)

        async def main() -> None:
            writer.startService()
            for number in range(1000):
                log_message(str(number))
            await writer.stopService()

        run(main)

        assert [str(number) for number in range(1000)] == written.types()

    def test_any_thread_may_log(self, reactor: Any, run: Run) -> None:
        """Threads that log at the same time lose nothing."""
        written = Written()
        writer = ThreadedWriter(written, reactor)

        def work(name: str) -> None:
            for number in range(1000):
                log_message(f"{name}{number}")

        async def main() -> None:
            writer.startService()
            threads = [Thread(target=work, args=(name,)) for name in "abcd"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            await writer.stopService()

        run(main)

        assert {f"{name}{number}" for name in "abcd" for number in range(1000)} == {
            *written.types()
        }
        assert 4000 == len(written.messages)

    def test_reactor_goes_on(self, reactor: Any, run: Run) -> None:
        """While the destination blocks, also at the end, the reactor does its work."""
        written = Written()
        written.allowed.clear()
        writer = ThreadedWriter(written, reactor)

        async def main() -> None:
            writer.startService()
            log_message("hello")
            stopped = writer.stopService()
            await deferLater(reactor, 0)

            assert not stopped.called
            assert [] == written.types()

            written.allowed.set()
            await stopped

            assert ["hello"] == written.types()

        run(main)

    def test_destination_may_log(self, reactor: Any, run: Run) -> None:
        """What the destination itself logs is written when its turn comes."""
        written = Written()

        def talkative(message: dict[str, Any]) -> None:
            if message["message_type"] == "hello":
                log_message("writing hello")
                echoed.set()
            written(message)

        echoed = Event()
        writer = ThreadedWriter(talkative, reactor)

        async def main() -> None:
            writer.startService()
            log_message("hello")
            echoed.wait()
            await writer.stopService()

        run(main)

        assert ["hello", "writing hello"] == written.types()


class TestFork:
    """A process that becomes a daemon after the service was made."""

    def test_keeps_messages(self, reactor: Any, run: Run) -> None:
        """What came before the start is written by the child, which has the service."""
        written = Written()
        writer = ThreadedWriter(written, reactor)
        writer({"message_type": "before"})
        writer._renew()

        async def main() -> None:
            writer.startService()
            await writer.stopService()

        run(main)

        assert ["before"] == written.types()


class TestBrokenDestination:
    """Destinations that raise exceptions."""

    def test_others_are_written(self, reactor: Any, run: Run) -> None:
        """A message that the destination refuses does not keep others from being written."""
        written = Breaking("odd")
        writer = ThreadedWriter(written, reactor)
        writer({"message_type": "odd"})
        writer({"message_type": "even"})

        async def main() -> None:
            writer.startService()
            await writer.stopService()

        run(main)

        assert "even" in written.types()

    def test_odd_things_are_refused(self, reactor: Any, run: Run) -> None:
        """Whatever is put in, even what is no message, the thread goes on."""
        written = Written()

        def only_messages(message: dict[str, Any]) -> None:
            written({**message})

        writer: Any = ThreadedWriter(only_messages, reactor)
        writer("odd")
        writer({"message_type": "even"})

        async def main() -> None:
            writer.startService()
            await writer.stopService()

        run(main)

        assert "even" in written.types()

    def test_failure_is_reported(self, reactor: Any, run: Run, events: list[LogEvent]) -> None:
        """A report tells what was refused and why; all destinations get it, once."""
        written, other = Breaking("odd"), Written()
        reported = Event()
        writer = ThreadedWriter(written, reactor)

        def wait_for_report(message: dict[str, Any]) -> None:
            if message["message_type"] == "eliot:destination_failure":
                reported.set()

        async def main() -> None:
            add_destinations(other)
            writer.startService()
            add_destinations(wait_for_report)
            log_message("odd", x=1)
            reported.wait()
            await writer.stopService()

        run(main)
        odd, report = other.messages

        assert "odd" == odd["message_type"]
        assert [report] == written.messages
        assert "eliot:destination_failure" == report["message_type"]
        assert "broken" == report["reason"]
        assert "builtins.ZeroDivisionError" == report["exception"]
        assert "\"'x'\": '1'" in report["message"]
        assert [] == events

    def test_twisted_is_told_at_last(self, reactor: Any, run: Run, events: list[LogEvent]) -> None:
        """If the destination refuses the report too, Twisted's log says so."""
        writer = ThreadedWriter(Breaking("eliot:destination_failure"), reactor)
        writer({"message_type": "eliot:destination_failure"})

        async def main() -> None:
            writer.startService()
            await writer.stopService()

        run(main)
        [event] = events

        assert "eliot" == event["log_namespace"]
        assert "<Breaking>" == event["destination"]
        assert "builtins.ZeroDivisionError" == event["exception"]
        assert "broken" == event["reason"]

    def test_twisted_is_told_when_nobody_else_listens(
        self, reactor: Any, run: Run, events: list[LogEvent]
    ) -> None:
        """What is refused while the writer stops, which is no destination by then, is told too."""
        written = Breaking("odd")
        written.allowed.clear()
        writer = ThreadedWriter(written, reactor)
        writer({"message_type": "even"})
        writer({"message_type": "odd"})

        async def main() -> None:
            writer.startService()
            stopped = writer.stopService()
            written.allowed.set()
            await stopped

        run(main)

        assert ["broken"] == [event["reason"] for event in events]

    @pytest.mark.parametrize(
        ("between", "expected"), [("eliot:destination_failure", 1), ("good", 2)]
    )
    def test_twisted_is_told_once(
        self, between: str, expected: int, reactor: Any, run: Run, events: list[LogEvent]
    ) -> None:
        """Twisted's log says it once, until the destination has worked again."""
        writer = ThreadedWriter(Breaking("eliot:destination_failure"), reactor)
        for message_type in "eliot:destination_failure", between, "eliot:destination_failure":
            writer({"message_type": message_type})

        async def main() -> None:
            writer.startService()
            await writer.stopService()

        run(main)

        assert expected == len(events)
