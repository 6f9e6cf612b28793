"""The background writer takes the disk off the caller's thread, and loses nothing silently."""

from __future__ import annotations

import io
import json
import threading
import time
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any, Callable, Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import eliot
from eliot import (
    BackgroundWriter,
    FileDestination,
    add_destinations,
    current_action,
    log_message,
    register_json_encoder,
    remove_destination,
    start_action,
)
from eliot import _backlog as backlog
from eliot import _writer as writer_room
from eliot._destinations import Destinations
from eliot._jsonable import _REGISTERED, overridden
from eliot._queues import Batch
from eliot._status import status


class Gate:
    """A destination that takes no message before it may."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.threads: set[Thread] = set()
        self.entered = Event()
        self.open = Event()

    def __call__(self, message: dict[str, Any]) -> None:
        """Wait until it may, and take the message."""
        self.entered.set()
        self.open.wait()
        self.threads.add(threading.current_thread())
        self.messages.append(message)

    def types(self) -> list[str]:
        """Tell the types of the messages."""
        return [message["message_type"] for message in self.messages]

    def lost(self) -> list[dict[str, Any]]:
        """Find the reports of losses."""
        return [message for message in self.messages if message["message_type"] == "eliot:lost"]


class GatedFile(io.BytesIO):
    """A file that takes nothing before it may, and remembers how often it was written to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes] = []
        self.entered = Event()
        self.open = Event()

    def write(self, data: Any) -> int:
        """Wait until it may, and take the data."""
        self.entered.set()
        self.open.wait()
        self.calls.append(bytes(data))
        return super().write(data)

    def types(self) -> list[str]:
        """Tell the types of the messages."""
        return [json.loads(line)["message_type"] for line in self.getvalue().splitlines()]


class Broken(io.BytesIO):
    """A file whose disk is full until it is repaired."""

    works = False

    def write(self, data: Any) -> int:
        """Fail."""
        if not self.works:
            raise OSError(28, "No space left on device")
        return super().write(data)


def message(message_type: object, **fields: object) -> dict[str, Any]:
    """Make a message."""
    return {"message_type": str(message_type), "timestamp": 1.5, **fields}


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Make a destination that opens at the end."""
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def file() -> Iterator[GatedFile]:
    """Make a file that opens at the end."""
    file = GatedFile()
    yield file
    file.open.set()


def blocked(destination: Any, gate: Any, **options: Any) -> BackgroundWriter:
    """Make a writer whose thread is in the middle of writing a first message."""
    writer = BackgroundWriter(destination, **options)
    writer(message("first"))
    gate.entered.wait()
    return writer


class TestArguments:
    """What it is made from."""

    def test_destination(self) -> None:
        """A destination is something that can be called."""
        not_callable: Any = "x.log"

        with pytest.raises(TypeError, match=r"^'x.log' cannot be .*FileDestination\(file\)"):
            BackgroundWriter(not_callable)

    @pytest.mark.parametrize("name", ["max_messages", "max_bytes"])
    @pytest.mark.parametrize(
        ("value", "error", "text"),
        [
            (0, ValueError, "at least 1"),
            (-1, ValueError, "at least 1"),
            (1.5, TypeError, "integer"),
        ],
    )
    def test_bounds(self, name: str, value: Any, error: type[Exception], text: str) -> None:
        """Bounds are integers from 1 on."""
        arguments: Any = {name: value}

        with pytest.raises(error, match=f"{name} is {value}.*{text}"):
            BackgroundWriter(print, **arguments)

    def test_policy(self) -> None:
        """There are three policies."""
        with pytest.raises(ValueError, match="'panic'; give one of wait, drop-newest, drop-oldest"):
            BackgroundWriter(print, when_full="panic")

    def test_starts_no_thread(self) -> None:
        """There is a thread no sooner than there is something to do."""
        before = threading.active_count()
        writer = BackgroundWriter(print)

        assert before == threading.active_count()
        assert writer.flush()
        assert writer.stop()
        assert before == threading.active_count()


class TestWriting:
    """What becomes of messages."""

    def test_writes_in_a_thread(self, gate: Gate) -> None:
        """The destination is called in the writer's daemon thread alone."""
        gate.open.set()
        with BackgroundWriter(gate) as writer:
            writer(message(1))
            writer(message(2))
        [thread] = gate.threads

        assert ["1", "2"] == gate.types()
        assert "eliot-writer" == thread.name
        assert thread.daemon
        assert thread is not threading.current_thread()

    @pytest.mark.usefixtures("threads_inherit")
    def test_in_no_action(self) -> None:
        """The thread is in no action, whoever logs first."""
        seen: list[object] = []
        writer = BackgroundWriter(lambda _: seen.append(current_action()))
        with start_action(action_type="a"):
            writer(message(1))
        writer.stop()

        assert [None] == seen

    def test_writes_files(self, tmp_path: Path) -> None:
        """A file gets the same lines as it would without, in order."""
        one, other = tmp_path / "one", tmp_path / "other"
        messages = [message(number, x="\u00e9", y={1}, z=2**70) for number in range(100)]
        with BackgroundWriter(FileDestination(str(one))) as writer:
            for each in messages:
                writer(each)
        direct = FileDestination(str(other))
        for each in messages:
            direct(each)

        assert other.read_bytes() == one.read_bytes()

    @pytest.mark.parametrize("text", [True, False])
    def test_is_a_destination(self, text: bool, tmp_path: Path) -> None:
        """It can be added and removed, also for a file that takes text."""
        path = tmp_path / "log"
        file: Any = path.open("w", encoding="utf-8") if text else path.open("wb")
        with file, BackgroundWriter(FileDestination(file)) as writer:
            add_destinations(writer)
            log_message("odd", x=2**70)
            for number in range(100):
                log_message(f"hello{number}", x={1})
            remove_destination(writer)
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]

        assert ["odd", *(f"hello{number}" for number in range(100))] == [
            line["message_type"] for line in lines
        ]
        assert [1] == lines[1]["x"]
        assert str(2**70) == lines[0]["x"]

    def test_writes_batches(self, file: GatedFile) -> None:
        """What waits for a file is written by one call; more than a megabyte by several."""
        writer = blocked(FileDestination(file), file)
        for number in range(100):
            writer(message(number))
        file.open.set()
        writer.flush()

        assert [1, 100] == [call.count(b"\n") for call in file.calls]

        for number in range(5):
            writer(message(number, x="x" * 400_000))
        writer.stop()

        assert 105 + 1 == len(file.types())
        assert 1_300_000 > max(map(len, file.calls))

    def test_takes_snapshots(self, file: GatedFile) -> None:
        """What is logged to a file may be changed at once."""
        writer = blocked(FileDestination(file), file)
        items = [1]
        writer(message("items", items=items))
        items.append(2)
        file.open.set()
        writer.stop()

        assert [1] == json.loads(file.getvalue().splitlines()[1])["items"]

    def test_respects_overrides(self) -> None:
        """A subclass that does something of its own is called for each message."""

        class Own(FileDestination):
            def __call__(self, message: dict[str, Any]) -> None:
                super().__call__({**message, "own": 1})

        file = io.BytesIO()
        with BackgroundWriter(Own(file)) as writer:
            add_destinations(writer)
            log_message("hello")

        assert 1 == json.loads(file.getvalue())["own"]

    def test_respects_registered_encoders(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is registered later holds."""

        class Text(str):
            __slots__ = ()

        file = io.BytesIO()
        with BackgroundWriter(FileDestination(file)) as writer:
            add_destinations(writer)
            for flag in ("some", "askable"):
                monkeypatch.setattr(overridden, flag, getattr(overridden, flag))
            register_json_encoder(Text, lambda _: "registered")
            try:
                log_message("hello", x=Text("x"))
            finally:
                del _REGISTERED[Text]

        assert "registered" == json.loads(file.getvalue())["x"]

    def test_large_messages(self) -> None:
        """A message of some megabytes is written like others."""
        file = io.BytesIO()
        with BackgroundWriter(FileDestination(file)) as writer:
            add_destinations(writer)
            log_message("large", x="x" * 3_000_000)

        assert 3_000_000 < len(file.getvalue())

    def test_many_threads(self, tmp_path: Path) -> None:
        """Of threads that log at the same time nothing is lost, and each keeps its order."""
        path = tmp_path / "log"
        writer = BackgroundWriter(FileDestination(str(path)), max_messages=500)
        add_destinations(writer)

        def work(name: int) -> None:
            for number in range(1000):
                log_message(str(name), number=number)

        threads = [Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.stop()
        found: dict[str, list[int]] = {}
        for line in path.read_text().splitlines():
            each = json.loads(line)
            found.setdefault(each["message_type"], []).append(each["number"])

        assert {str(name): list(range(1000)) for name in range(8)} == found
        assert (0, 0, 0) == (writer.dropped, writer.waiting, writer.waiting_bytes)

    def test_sleeps_and_wakes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A thread that has nothing to do for a while is woken by the next message."""
        monkeypatch.setattr(backlog, "PAUSE", 0.0001)
        written: list[Any] = []
        arrived = Event()

        def destination(message: dict[str, Any]) -> None:
            written.append(message)
            arrived.set()

        writer = BackgroundWriter(destination)
        for number in range(20):
            arrived.clear()
            writer(message(number))
            arrived.wait()
            while not writer._idle:  # it pauses ten times, then it sleeps
                threading.Event().wait(0.0001)
        writer.stop()

        assert 20 == len(written)


class TestFlush:
    """Waiting for what was logged."""

    def test_flush(self, gate: Gate) -> None:
        """It waits until all is written, or says that time is up."""
        writer = blocked(gate, gate)

        assert not writer.flush(0)
        assert not writer.flush(0.001)

        gate.open.set()

        assert writer.flush()
        assert writer.flush(1e300)
        assert ["first"] == gate.types()

    def test_waits_for_no_more(self, gate: Gate) -> None:
        """What is logged while it waits is not waited for."""
        again = Event()

        def destination(message: dict[str, Any]) -> None:
            gate(message)
            if message["message_type"] == "second":
                again.wait()

        writer = blocked(destination, gate)
        flushed: list[bool] = []
        flusher = Thread(target=lambda: flushed.append(writer.flush()))
        flusher.start()
        while not writer._progress._waiters:  # type: ignore[attr-defined] # private
            Event().wait(0.0001)
        writer(message("second"))
        gate.open.set()
        flusher.join()

        assert [True] == flushed
        assert 1 == writer.waiting

        again.set()

        assert writer.stop()

    def test_in_its_own_thread(self) -> None:
        """In the writer's thread there is nothing that could be waited for."""
        outcomes = []

        def destination(message: dict[str, Any]) -> None:
            outcomes.append(writer.flush())

        writer = BackgroundWriter(destination)
        writer(message(1))
        writer.stop()

        assert [False] == outcomes


class TestStop:
    """The end."""

    def test_drains(self, gate: Gate) -> None:
        """It ends the thread when all is written."""
        writer = blocked(gate, gate)
        writer(message("second"))

        assert not writer.stop(0)

        writer(message("third"))
        gate.open.set()

        assert writer.stop()
        assert ["first", "second", "third"] == gate.types()
        assert writer.stop()
        [thread] = gate.threads
        thread.join()

    @pytest.mark.parametrize("started", [True, False])
    def test_writes_directly_afterwards(self, started: bool, gate: Gate, tmp_path: Path) -> None:
        """What is logged after that is written at once."""
        gate.open.set()
        path = tmp_path / "log"
        for destination in gate, FileDestination(str(path)):
            writer = BackgroundWriter(destination)
            if started:
                writer(message("before"))
            writer.stop()
            writer(message("after"))
        before = ["before"] * started

        assert [*before, "after"] == gate.types()
        assert threading.current_thread() in gate.threads
        assert [*before, "after"] == [
            json.loads(line)["message_type"] for line in path.read_text().splitlines()
        ]

    def test_failures_afterwards(self) -> None:
        """What goes wrong then is reported by the fan-out, once."""
        reports: list[Any] = []

        def destination(message: dict[str, Any]) -> None:
            raise ZeroDivisionError

        writer = BackgroundWriter(destination)
        writer.stop()
        add_destinations(reports.append, writer)
        log_message("hello")

        assert ["hello", "eliot:destination_failure"] == [
            report["message_type"] for report in reports
        ]

    def test_callers_that_wait(self, gate: Gate) -> None:
        """Threads that wait for room are let through."""
        writer = blocked(gate, gate, max_messages=1)
        threads = [Thread(target=writer, args=(message(number),)) for number in range(4)]
        for thread in threads:
            thread.start()
        while len(writer._progress._waiters) < 4:  # type: ignore[attr-defined] # private
            Event().wait(0.0001)
        stopped = writer.stop(0)
        gate.open.set()
        for thread in threads:
            thread.join()

        assert not stopped
        assert writer.stop()
        assert {"first", *"0123"} == {*gate.types()}
        assert 5 == len(gate.messages)

    def test_while_others_log(self, tmp_path: Path) -> None:
        """It comes to an end while threads go on logging, and nothing is lost."""
        path = tmp_path / "log"
        writer = BackgroundWriter(FileDestination(str(path)))
        done = Event()
        numbers = count()

        def work() -> None:
            while not done.is_set():
                writer(message(next(numbers)))

        threads = [Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        while not writer._done:
            Event().wait(0.0001)

        assert writer.stop()

        done.set()
        for thread in threads:
            thread.join()
        types = [int(json.loads(line)["message_type"]) for line in path.read_text().splitlines()]

        assert list(range(next(numbers))) == sorted(types)


class TestFull:
    """What happens when there is no more room."""

    def test_wait(self, gate: Gate) -> None:
        """Whoever logs waits, and nothing is lost."""
        writer = blocked(gate, gate, max_messages=3)
        went_on = Event()

        def work() -> None:
            for number in range(100):
                writer(message(number))
            went_on.set()

        thread = Thread(target=work)
        thread.start()
        while not writer._progress._waiters:  # type: ignore[attr-defined] # private
            Event().wait(0.0001)

        assert 3 == writer.waiting
        assert not went_on.is_set()

        gate.open.set()
        thread.join()
        writer.stop()

        assert ["first", *map(str, range(100))] == gate.types()
        assert 0 == writer.dropped

    def test_drop_newest(self, gate: Gate) -> None:
        """What does not fit is dropped, counted, and told when there is room again."""
        writer = blocked(gate, gate, max_messages=3, when_full="drop-newest")
        for number in range(5):
            writer(message(number, timestamp=float(number)))

        assert 3 == writer.dropped

        gate.open.set()
        writer.flush()
        writer(message("last"))
        writer.stop()
        report = gate.messages[3]

        assert ["first", "0", "1", "eliot:lost", "last"] == gate.types()
        assert 3 == report["count"]
        assert {"2": 1, "3": 1, "4": 1} == report["types"]
        assert (2.0, 4.0) == (report["first"], report["last"])
        assert "too many messages were waiting to be written" == report["reason"]
        assert [1] == report["task_level"]

    def test_many_types(self, gate: Gate) -> None:
        """Of the types of what is dropped a hundred are told apart."""
        writer = blocked(gate, gate, max_messages=1, when_full="drop-newest")
        for number in range(150):
            writer(message(number))
        gate.open.set()
        writer.stop()
        [report] = gate.lost()

        assert 150 == report["count"]
        assert 101 == len(report["types"])
        assert 50 == report["types"]["other types"]

    def test_drop_oldest(self, gate: Gate) -> None:
        """The oldest that are not being written are dropped."""
        writer = blocked(gate, gate, max_messages=3, when_full="drop-oldest")
        for number in range(5):
            writer(message(number))
        gate.open.set()
        writer.stop()
        [report] = gate.lost()

        assert ["first", "3", "4", "eliot:lost"] == gate.types()
        assert 3 == writer.dropped == report["count"]
        assert {"0": 1, "1": 1, "2": 1} == report["types"]

    def test_drop_oldest_of_a_file(self, file: GatedFile) -> None:
        """That holds for lines, too; of those half are kept from being in flight."""
        writer = blocked(FileDestination(file), file, max_messages=4, when_full="drop-oldest")
        for number in range(10):
            writer(message(number))
        file.open.set()
        writer.stop()

        assert ["first", "7", "8", "9", "eliot:lost"] == file.types()
        assert 7 == json.loads(file.getvalue().splitlines()[-1])["count"]

    def test_bytes(self, gate: Gate) -> None:
        """Bytes are counted, of those that are being written, too."""
        size = len(eliot.json.encode(message("first")))
        writer = blocked(gate, gate, max_bytes=2 * size, when_full="drop-newest")
        writer(message("12345"))
        writer(message("dropped"))

        assert (2, 2 * size, 1) == (writer.waiting, writer.waiting_bytes, writer.dropped)

        gate.open.set()
        writer.stop()

        assert (0, 0) == (writer.waiting, writer.waiting_bytes)

    def test_keeps_its_room(self, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
        """What has waited for room is written, even if another one takes room at that moment."""
        writer = blocked(gate, gate, max_messages=1)
        later = [False, True]  # the room is there, and gone again when somebody looks twice
        monkeypatch.setattr(writer, "_fits", lambda _: later.pop())
        writer(message("waited"))
        gate.open.set()
        writer.stop()

        assert ["first", "waited"] == gate.types()
        assert 0 == writer.dropped

    @pytest.mark.parametrize("when_full", ["wait", "drop-newest", "drop-oldest"])
    def test_larger_than_all(self, when_full: str, gate: Gate) -> None:
        """A message that is larger than the bound is taken when it is alone."""
        gate.open.set()
        with BackgroundWriter(gate, max_bytes=10, when_full=when_full) as writer:
            writer(message("large"))

        assert ["large"] == gate.types()

    def test_nothing_that_could_be_dropped(self, gate: Gate) -> None:
        """If all that waits is being written, the newest is dropped after all."""
        writer = blocked(gate, gate, max_messages=1, when_full="drop-oldest")
        writer(message("second"))
        gate.open.set()
        writer.stop()

        assert ["first", "eliot:lost"] == gate.types()

    def test_told_under_load(self, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
        """If there is never room again, it is told all the same, from time to time."""
        monkeypatch.setattr(backlog, "TELL_EVERY", -1.0)
        writer = blocked(gate, gate, max_messages=3, when_full="drop-newest")
        for number in range(5):
            writer(message(number))
        gate.open.set()
        writer.stop()

        assert ["first", "0", "eliot:lost", "1"] == gate.types()

    def test_pause_ends(self, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
        """When the queue is half full the thread does not pause any longer, so nothing is lost."""
        monkeypatch.setattr(backlog, "PAUSE", 1e6)
        gate.open.set()
        writer = BackgroundWriter(gate, max_messages=4, when_full="drop-newest")
        writer(message("first"))
        queue: Any = writer._queue
        while not gate.messages or queue._most == 4:  # it is going to pause
            Event().wait(0.0001)
        for number in range(3):
            writer(message(number))
            gate.entered.clear()
        while writer.waiting:
            Event().wait(0.0001)

        assert ["first", *"012"] == gate.types()

        writer.stop()

        assert 0 == writer.dropped

    def test_in_its_own_thread(self, gate: Gate) -> None:
        """The writer's own thread never waits for itself."""
        gate.open.set()

        def destination(message: dict[str, Any]) -> None:
            gate(message)
            if message["message_type"] == "hello":
                for number in range(3):
                    writer({"message_type": str(number)})

        writer = BackgroundWriter(destination, max_messages=2)
        writer(message("hello"))
        writer.stop()

        assert ["hello", "0", "eliot:lost"] == gate.types()
        assert 2 == writer.dropped

    def test_signal_handlers(self, gate: Gate) -> None:
        """Whoever interrupts the thread that holds the lock does not wait for ever, either."""
        writer = blocked(gate, gate, max_messages=1)

        def interrupt() -> None:
            with writer._lock:
                Thread(target=gate.open.set).start()
                writer(message("handler"))

        interrupt()
        writer.stop()

        assert ["first", "handler"] == gate.types()


class TestFailures:
    """Destinations that raise exceptions."""

    def test_reported_once(self) -> None:
        """A message that is refused is reported, to all destinations; the thread goes on."""
        others: list[Any] = []
        taken: list[Any] = []

        def destination(message: dict[str, Any]) -> None:
            if message["message_type"] != "good":
                raise ZeroDivisionError("broken")
            taken.append(message)

        with BackgroundWriter(destination) as writer:
            add_destinations(writer, others.append)
            log_message("bad", x=1)
            log_message("good")
        reports = [m for m in others if m["message_type"] == "eliot:destination_failure"]

        assert ["good"] == [each["message_type"] for each in taken]
        assert 1 == len(reports)
        assert "broken" == reports[0]["reason"]
        assert "\"'x'\": '1'" in reports[0]["message"]
        assert 2 == writer.failed  # with the report

    @pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
    def test_odd_exceptions(self, error: type[BaseException], gate: Gate) -> None:
        """The thread survives whatever is raised, for it has no caller to be told."""
        gate.open.set()

        def destination(message: dict[str, Any]) -> None:
            if message["message_type"] == "bad":
                raise error
            gate(message)

        with BackgroundWriter(destination) as writer:
            add_destinations(writer)
            log_message("bad")
            log_message("good")

        # The thread may be done with the first one before the second one is logged.
        assert ["eliot:destination_failure", "good"] == sorted(gate.types())

    def test_odd_exceptions_in_the_callers_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If there can be no thread, such an exception is raised to the caller."""

        def destination(message: dict[str, Any]) -> None:
            raise KeyboardInterrupt

        def fail(_: object) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(Thread, "start", fail)
        writer = BackgroundWriter(destination)

        with pytest.raises(KeyboardInterrupt):
            writer(message("hello"))
        assert 0 == writer.waiting

    def test_no_thread(self, monkeypatch: pytest.MonkeyPatch, gate: Gate) -> None:
        """If no thread can be started, the caller writes, until one can be."""
        gate.open.set()

        def fail(_: object) -> None:
            raise RuntimeError("can't start new thread")

        writer = BackgroundWriter(gate)
        with monkeypatch.context() as patch:
            patch.setattr(Thread, "start", fail)
            writer(message(1))

            assert ["1"] == gate.types()

        writer(message(2))
        writer.stop()

        assert ["1", "2"] == gate.types()
        assert 2 == len(gate.threads)

    def test_full_without_thread(self, monkeypatch: pytest.MonkeyPatch, gate: Gate) -> None:
        """If the queue is full and no thread can be started, the caller writes what waits."""
        gate.open.set()
        errors = [KeyboardInterrupt(), *[RuntimeError("can't start new thread")] * 2]

        def fail(_: object) -> None:
            raise errors.pop(0)

        monkeypatch.setattr(Thread, "start", fail)
        writer = BackgroundWriter(gate, max_messages=1)
        with pytest.raises(KeyboardInterrupt):
            writer(message(1))
        writer(message(2))

        assert ["1", "2"] == gate.types()

    def test_destinations_that_log(self) -> None:
        """A destination that logs does not feed itself for ever."""
        taken: list[str] = []

        def destination(message: dict[str, Any]) -> None:
            taken.append(message["message_type"])
            if len(taken) < 100:
                log_message("again")

        with BackgroundWriter(destination) as writer:
            add_destinations(writer)
            log_message("hello")
            while writer.waiting:
                writer.flush()

        assert ["hello", *["again"] * 4] == taken

    def test_interrupted_start(self, monkeypatch: pytest.MonkeyPatch, file: GatedFile) -> None:
        """After Ctrl-C while the thread is started, the next one who needs it starts it."""
        file.open.set()
        monkeypatch.setattr(writer_room, "_RUNNING", set())
        monkeypatch.setattr(writer_room, "_ENDED", Event())

        def interrupt(_: object) -> None:
            raise KeyboardInterrupt

        writers = [BackgroundWriter(FileDestination(file), max_messages=1) for _ in range(3)]
        with monkeypatch.context() as patch:
            patch.setattr(Thread, "start", interrupt)
            for number, writer in enumerate(writers):
                with pytest.raises(KeyboardInterrupt):
                    writer(message(number))
        helper = Thread(target=writers[0], args=[message("next")], daemon=True)
        helper.start()
        helper.join(30)

        assert not helper.is_alive()
        assert writers[0].flush(30)
        assert writers[1].flush(30)

        writer_room._end_all()

        assert ["0", "1", "2", "next"] == sorted(file.types())

    def test_files(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A file that fails counts what it loses; nobody is stopped by it, and the log tells."""
        others: list[Any] = []
        file = Broken()
        writer = BackgroundWriter(FileDestination(file), max_messages=10)
        add_destinations(writer, others.append)
        for number in range(50):
            log_message(f"lost{number}", x=1)
        writer.flush()
        file.works = True
        log_message("good")
        writer.stop()
        written = [json.loads(line) for line in file.getvalue().splitlines()]
        [report] = [m for m in written if m["message_type"] == "eliot:lost"]
        failures = [m for m in others if m["message_type"] == "eliot:destination_failure"]

        assert 50 == report["count"]
        assert writer.failed >= 50  # and reports
        assert "good" in [each["message_type"] for each in written]
        assert failures
        assert all("lost" in each["message"] for each in failures)
        assert 1 == capsys.readouterr().err.count("cannot write to")

    def test_reports_that_a_file_loses(self) -> None:
        """A batch that ends in reports is reported by its last message, or not at all."""
        others: list[Any] = []
        file = Broken()
        add_destinations(others.append)
        failure = message("eliot:destination_failure")
        writer = BackgroundWriter(FileDestination(file))
        lines = [eliot.json.encode(each) + b"\n" for each in (message("lost"), failure, failure)]
        writer._try(Batch(b"".join(lines), 3, 0))
        writer._try(Batch(lines[1] * 2, 2, 0))

        assert ["eliot:destination_failure"] == [each["message_type"] for each in others]
        assert "lost" in others[0]["message"]

    def test_losses_that_a_file_loses(self, file: GatedFile) -> None:
        """The report of what was dropped counts as that when it cannot be written."""
        broken = Broken()
        destination = FileDestination(broken)
        writer = BackgroundWriter(destination, when_full="drop-newest")
        writer._drop(message("a", timestamp=1.0))
        writer._drop(message("b", timestamp=9.0))
        writer(message("c", timestamp=5.0))
        writer.flush()
        broken.works = True
        writer(message("d"))
        writer.stop()
        report = json.loads(broken.getvalue().splitlines()[0])

        assert {"a": 1, "b": 1, "c": 1} == report["types"]
        assert (3, 1.0, 9.0) == (report["count"], report["first"], report["last"])
        assert (2, 1) == (writer.dropped, writer.failed)


class TestStatus:
    """What it tells of itself."""

    def test_status(self, gate: Gate) -> None:
        """`eliot.status()` tells what waits and what was dropped."""
        writer = BackgroundWriter(gate, max_messages=2, when_full="drop-newest")
        add_destinations(writer)
        log_message("first")
        gate.entered.wait()
        for _ in range(3):
            log_message("hello")
        [status] = eliot.status().destinations

        assert (0, 2, 2) == (status.written, status.waiting, status.dropped)

        gate.open.set()
        writer.stop()
        [status] = eliot.status().destinations

        assert (2, 0, 2, 0) == (status.written, status.waiting, status.dropped, status.degraded)

    def test_counts_at_full_speed(self) -> None:
        """As the only destination it gets messages the short way, and they are counted, too."""
        file = io.BytesIO()
        writer = BackgroundWriter(FileDestination(file), max_messages=10)
        destinations = Destinations()
        destinations.add(writer)
        for number in range(100):
            destinations.send(message(number))
        writer.stop()
        [mine] = status(destinations).destinations

        assert 100 == mine.written == file.getvalue().count(b"\n")


class TestAlone:
    """A writer that is the only destination is given messages on a shorter way."""

    def test_all_kinds_of_messages(self) -> None:
        """Whatever the message is, it is written, before the end and after it."""
        file = io.BytesIO()
        with BackgroundWriter(FileDestination(file)) as writer:
            add_destinations(writer)
            log_message("plain")
            log_message("big", number=2**64)
            log_message("large", x="x" * 1_500_000)
        log_message("late")

        assert ["plain", "big", "large", "late"] == [
            json.loads(line)["message_type"] for line in file.getvalue().splitlines()
        ]

    def test_failure_after_the_end(self, tmp_path: Path) -> None:
        """What cannot be written by whoever logs is reported as a failure."""
        file = (tmp_path / "log").open("ab", buffering=0)
        writer = BackgroundWriter(FileDestination(file))
        add_destinations(writer)
        log_message("good")
        writer.stop()
        file.close()
        log_message("bad")
        [mine] = status().destinations

        assert (1, 2) == (mine.written, mine.failed)  # the report is not written, either


class TestExit:
    """The end of the process; tests/faults has real ones."""

    def test_has_a_limit(
        self, gate: Gate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It is not put off for longer than half a minute; what is lost is told."""
        monkeypatch.setattr(writer_room, "EXIT_TIMEOUT", 0.01)
        monkeypatch.setattr(writer_room, "_ENDED", Event())
        blocked(gate, gate)
        writer_room._end_all()

        assert "eliot: 1 messages could not be written to <" in capsys.readouterr().err


class TestChildren:
    """What a child makes anew; tests/faults has real ones."""

    def test_forked(self, gate: Gate) -> None:
        """A forked child has an empty queue, and starts a thread of its own."""
        child = Gate()
        gates = [gate]  # the parent's thread, which no child has, stays where it is

        def destination(given: dict[str, Any]) -> None:
            gates[-1](given)

        writer = blocked(destination, gate, when_full="drop-newest")
        writer(message("second"))
        writer._drop(message("dropped"))
        writer._renew()

        assert (0, 0, 0) == (writer.waiting, writer.waiting_bytes, writer.dropped)

        gates.append(child)
        child.open.set()
        writer(message("child"))
        writer.flush()

        assert ["child"] == child.types()

    def test_of_multiprocessing(self, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
        """A child of multiprocessing has a finalizer, which writes what waits."""
        from multiprocessing import process, util

        monkeypatch.setattr(process, "parent_process", object)
        monkeypatch.setattr(writer_room, "_ENDED", Event())
        finalizers: dict[Any, Any] = util._finalizer_registry  # type: ignore[attr-defined] # private
        before = set(finalizers)
        gate.open.set()
        writer = BackgroundWriter(gate)
        writer(message("hello"))
        [added] = set(finalizers) - before
        finalizers[added]()

        assert ["hello"] == gate.types()
        assert writer._closed


class Bounds(RuleBasedStateMachine):
    """Whatever happens, bounds are kept, and each message is written, dropped or waiting."""

    policies: Any = st.sampled_from(["drop-newest", "drop-oldest"])

    def __init__(self) -> None:
        super().__init__()
        self.permits = threading.Semaphore(0)
        self.written: list[dict[str, Any]] = []
        self.sent = 0
        self.writer = BackgroundWriter(
            self.destination, max_messages=4, max_bytes=400, when_full="drop-newest"
        )

    def destination(self, message: dict[str, Any]) -> None:
        """Take a message when there is a permit, and reports of losses at any time."""
        if message["message_type"] != "eliot:lost":
            self.permits.acquire()
        self.written.append(message)

    @rule(when_full=policies)
    def change(self, when_full: str) -> None:
        """Choose another policy."""
        self.writer._when_full = when_full

    @rule(size=st.integers(0, 500))
    def log(self, size: int) -> None:
        """Log a message."""
        self.sent += 1
        self.writer({"message_type": str(self.sent), "x": "x" * size})

    @rule()
    def write(self) -> None:
        """Let one message be written, if there is one."""
        if not self.writer.waiting:
            return
        done = self.writer._done
        self.permits.release()
        while self.writer._done == done:
            time.sleep(0)

    @invariant()
    def bounded(self) -> None:
        """There are no more messages than may be, and no more bytes unless it is one message."""
        writer = self.writer

        assert writer.waiting <= 4
        assert writer.waiting_bytes <= 400 or writer.waiting == 1

    @invariant()
    def complete(self) -> None:
        """Each message is somewhere."""
        written = [each for each in self.written if each["message_type"] != "eliot:lost"]

        assert self.sent <= len(written) + self.writer.waiting + self.writer.dropped

    def teardown(self) -> None:
        """Write all, and look whether the reports tell of all losses."""
        for _ in range(10_000):
            self.permits.release()
        assert self.writer.stop()
        lost = [each for each in self.written if each["message_type"] == "eliot:lost"]

        assert self.writer.dropped == sum(each["count"] for each in lost)
        assert self.sent == len(self.written) - len(lost) + self.writer.dropped


TestBounds: Callable[[], object] = Bounds.TestCase
