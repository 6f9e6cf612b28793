"""The fan-out: who gets which message, and what happens if somebody cannot take it."""

from __future__ import annotations

import io
import sys
from functools import partial
from threading import Barrier, Event, Thread
from typing import Any, Callable, Dict, List

import pytest

from eliot._action import log_message, start_action
from eliot._destinations import PROCESS, BufferingDestination, Destinations
from eliot._files import FileDestination
from eliot._loggers import Logger
from eliot._memory import MemoryLogger
from eliot._output import DESTINATION_FAILURE
from eliot._status import status

Messages = List[Dict[str, Any]]


class Broken:
    """A destination that fails as often as one likes, then keeps what it gets."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures = list(failures)
        self.messages: Messages = []

    def __call__(self, message: dict[str, Any]) -> None:
        """Fail, or keep it."""
        if self.failures:
            raise self.failures.pop(0)
        self.messages.append(message)


def always_broken(_: object) -> None:
    """Fail."""
    raise ZeroDivisionError("z")


@pytest.fixture
def destinations() -> Destinations:
    """Make some of their own."""
    return Destinations()


@pytest.fixture
def process() -> Messages:
    """Collect what the destinations of the process get."""
    messages: Messages = []
    PROCESS.add(messages.append)
    return messages


class TestBufferingDestination:
    """`BufferingDestination`."""

    def test_keeps_messages(self) -> None:
        """It keeps what it gets, oldest first."""
        destination = BufferingDestination()
        destination({"k": 1})
        destination({"k": 2})

        assert [{"k": 1}, {"k": 2}] == destination.messages

    def test_keeps_the_newest(self) -> None:
        """It keeps no more than 1,000 messages."""
        destination = BufferingDestination()
        for number in range(1050):
            destination({"k": number})

        assert [{"k": number} for number in range(50, 1050)] == destination.messages


class TestSend:
    """`Destinations.send`."""

    def test_delivers_in_order(self, destinations: Destinations) -> None:
        """All get the same dictionary, in the order in which they were added."""
        got: list[tuple[str, object]] = []
        destinations.add(lambda m: got.append(("a", m)), lambda m: got.append(("b", m)))
        destinations.add(lambda m: got.append(("c", m)))
        message = {"hello": 123}
        destinations.send(message)

        assert ["a", "b", "c"] == [name for name, _ in got]
        assert all(delivered is message for _, delivered in got)

    def test_merges_global_fields(self, destinations: Destinations) -> None:
        """Global fields are added to the message itself, and win."""
        destinations.add(lambda _: None)
        destinations.add_global_fields(x=1, y=2)
        destinations.add_global_fields(y=3)
        message = {"x": 0, "z": 4}
        destinations.send(message)

        assert {"x": 1, "y": 3, "z": 4} == message

    def test_spares_the_others(self, destinations: Destinations, process: Messages) -> None:
        """A destination that fails keeps no message from the others."""
        before: Messages = []
        after: Messages = []
        destinations.add(before.append, always_broken, after.append)
        destinations.send({"hello": 123})

        assert [{"hello": 123}] == before == after
        assert [DESTINATION_FAILURE] == [m["message_type"] for m in process]

    def test_goes_on(self, destinations: Destinations) -> None:
        """A destination that has failed gets later messages."""
        broken = Broken(ValueError())
        destinations.add(broken)
        destinations.send({"hello": 123})
        destinations.send({"hello": 200})

        assert [{"hello": 200}] == broken.messages

    @pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
    def test_lets_interrupts_pass(
        self, destinations: Destinations, interrupt: type[BaseException]
    ) -> None:
        """Whoever interrupts the program means the program."""
        destinations.add(Broken(interrupt()))

        with pytest.raises(interrupt):
            destinations.send({"hello": 123})

    def test_own_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A subclass may deliver in a way of its own, whether there are destinations or not."""

        class Stamping(Destinations):
            def send(self, message: Dict[str, Any], logger: Any = None) -> None:
                super().send({**message, "stamped": True}, logger)

        log: Messages = []
        destinations = Stamping()
        monkeypatch.setattr(Logger, "_destinations", destinations)
        with start_action("early"):
            pass
        destinations.add(log.append)
        with start_action("late"):
            log_message("m")

        assert [True] * 5 == [message.get("stamped") for message in log]


class TestReports:
    """What is logged of a destination that fails."""

    @pytest.fixture
    def logger(self, destinations: Destinations) -> Logger:
        """Make a logger for these destinations."""
        logger = Logger()
        logger._destinations = destinations
        return logger

    def test_tells_what_happened(self, destinations: Destinations, logger: Logger) -> None:
        """One message says what was not taken, and why; the broken one gets it too."""
        broken = Broken(ValueError("b"))
        good: Messages = []
        destinations.add(broken, good.append)
        logger.write({"hello": 123})
        message, report = good
        level, uuid, when = (report.pop(k) for k in ("task_level", "task_uuid", "timestamp"))

        assert {"hello": 123} == message
        assert {
            "message_type": "eliot:destination_failure",
            "message": "{\"'hello'\": '123'}",
            "reason": "b",
            "exception": "builtins.ValueError",
        } == report
        assert [report] == broken.messages
        assert ([1], 36, float) == (level, len(uuid), type(when))

    def test_tells_of_each(self, destinations: Destinations, logger: Logger) -> None:
        """There is one report for each failure, in the order of the destinations."""
        good: Messages = []
        destinations.add(Broken(ValueError("1")), good.append, Broken(ValueError("2")))
        logger.write({"hello": 123})

        assert ["1", "2"] == [m["reason"] for m in good if "reason" in m]

    def test_is_no_endless_story(self, destinations: Destinations, logger: Logger) -> None:
        """Failures to deliver reports are dropped."""
        good: Messages = []
        destinations.add(always_broken, good.append, always_broken)
        logger.write({"hello": 123})

        assert [None, *[DESTINATION_FAILURE] * 2] == [m.get("message_type") for m in good]

    def test_ignores_failures_of_reports(
        self, destinations: Destinations, process: Messages
    ) -> None:
        """That holds for reports that come from elsewhere, too."""
        destinations.add(always_broken)
        destinations.send({"message_type": DESTINATION_FAILURE})

        assert [] == process

    def test_has_its_place_in_the_current_action(
        self, destinations: Destinations, logger: Logger
    ) -> None:
        """A report is a message of the current action, if there is one."""
        good: Messages = []
        broken = Broken()
        destinations.add(broken, good.append)
        with start_action(logger, "act") as action:
            broken.failures.append(ValueError())
            action.log("hello")

        expected = [(None, [1]), ("hello", [2]), (DESTINATION_FAILURE, [3]), (None, [4])]
        assert expected == [(m.get("message_type"), m["task_level"]) for m in good]
        assert 1 == len({m["task_uuid"] for m in good})

    def test_goes_to_the_logger(self, destinations: Destinations, process: Messages) -> None:
        """The logger that the message came from gets the report."""
        logger = MemoryLogger()
        destinations.add(always_broken)
        destinations.send({"hello": 123}, logger)

        assert [DESTINATION_FAILURE] == [m["message_type"] for m in logger.messages]
        assert [] == process

    def test_goes_to_the_logger_of_the_action(
        self, destinations: Destinations, process: Messages
    ) -> None:
        """If none is named, that of the current action gets it."""
        logger = MemoryLogger()
        destinations.add(always_broken)
        with start_action(logger, "act"):
            destinations.send({"hello": 123})

        assert [None, DESTINATION_FAILURE, None] == [m.get("message_type") for m in logger.messages]
        assert [] == process

    def test_survives_broken_loggers(self, destinations: Destinations) -> None:
        """A logger that fails to take the report does no harm."""

        class BrokenLogger:
            def write(self, dictionary: object, serializer: object = None) -> None:
                raise ValueError("no")

        destinations.add(always_broken)
        destinations.send({"hello": 123}, BrokenLogger())

    def test_survives_hostile_objects(self, destinations: Destinations, logger: Logger) -> None:
        """Neither messages nor exceptions have to have a text."""

        class HostileError(Exception):
            def __str__(self) -> str:
                raise ValueError("no")

            __repr__ = __str__

        good: Messages = []
        destinations.add(Broken(HostileError()), good.append)
        logger.write({"hello": HostileError()})
        unknown = "eliot: unknown, str() raised exception"

        assert unknown == good[1]["reason"]
        assert f"{{\"'hello'\": '{unknown}'}}" == good[1]["message"]


class TestAdd:
    """`Destinations.add`."""

    def test_hands_over_what_was_before(self, destinations: Destinations) -> None:
        """The first destinations get the newest 1,000 messages, later ones do not."""
        for number in range(1050):
            destinations.send({"k": number})
        destinations.add_global_fields(g=1)
        first: Messages = []
        second: Messages = []
        third: Messages = []
        destinations.add(first.append, second.append)
        destinations.add(third.append)

        assert [{"k": number, "g": 1} for number in range(50, 1050)] == first == second
        assert [] == third

    def test_hands_over_once(self, destinations: Destinations) -> None:
        """Without destinations once more, messages are dropped."""
        got: Messages = []
        destinations.add(got.append)
        destinations.remove(got.append)
        destinations.send({"k": 1})
        destinations.add(got.append)

        assert [] == got

    def test_ignores_nothing(self, destinations: Destinations) -> None:
        """Adding no destination loses no message."""
        destinations.send({"k": 1})
        destinations.add()
        destinations.send({"k": 2})
        got: Messages = []
        destinations.add(got.append)

        assert [{"k": 1}, {"k": 2}] == got

    def test_survives_removal_of_the_buffer(self, destinations: Destinations) -> None:
        """Who takes the buffer away by hand loses what is in it, and no more."""
        destinations.send({"k": 1})
        destinations.remove(destinations._destinations[0])
        got: Messages = []
        destinations.add(got.append)
        destinations.send({"k": 2})

        assert [{"k": 2}] == got

    def test_survives_removal_of_everything(self, destinations: Destinations) -> None:
        """The list may be emptied by hand."""
        got: Messages = []
        destinations.add(got.append)
        del destinations._destinations[:]
        destinations.send({"k": 1})
        destinations.add(got.append)
        destinations.send({"k": 2})

        assert [{"k": 2}] == got

    def test_keeps_what_was_put_there_by_hand(self, destinations: Destinations) -> None:
        """The first destinations join those that are in the list already."""
        by_hand: Messages = []
        got: Messages = []
        destinations._destinations.append(by_hand.append)
        destinations.send({"k": 1})
        destinations.add(got.append)
        destinations.send({"k": 2})

        assert [{"k": 1}, {"k": 2}] == by_hand == got

    def test_may_be_repeated(self, destinations: Destinations) -> None:
        """A destination that is added twice gets each message twice."""
        got: Messages = []
        destinations.add(got.append, got.append)
        destinations.send({"k": 1})

        assert [{"k": 1}, {"k": 1}] == got

    @pytest.mark.parametrize("wrong", [None, "app.log", io.StringIO()])
    def test_refuses_what_cannot_be_called(self, destinations: Destinations, wrong: Any) -> None:
        """The error names what cannot be a destination, and adds none of the others."""
        got: Messages = []
        with pytest.raises(TypeError) as caught:
            destinations.add(got.append, wrong)
        destinations.send({"k": 1})

        assert str(caught.value).startswith(repr(wrong))
        assert "to_file" in str(caught.value)
        assert "HandlerDestination" in str(caught.value)
        assert [] == got

    def test_reports_failures_with_what_was_before(self, process: Messages) -> None:
        """Who fails with old messages gets them all the same, and is reported."""
        destinations = Destinations()
        destinations.send({"k": 1})
        destinations.send({"k": 2})
        broken = Broken(ValueError("b"))
        destinations.add(broken)

        assert [{"k": 2}] == broken.messages
        assert ["b"] == [m["reason"] for m in process]


class TestRemove:
    """`Destinations.remove`."""

    def test_removes_equal_ones(self, destinations: Destinations) -> None:
        """The first one that is equal is removed: a bound method, say, or a file destination."""
        got: Messages = []
        file = io.StringIO()
        destinations.add(got.append, FileDestination(file=file), got.append)
        destinations.remove(got.append)
        destinations.remove(FileDestination(file=file))
        destinations.send({"k": 1})

        assert [{"k": 1}] == got
        assert "" == file.getvalue()

    def test_refuses_unknown_ones(self, destinations: Destinations) -> None:
        """What was never added cannot be removed."""
        with pytest.raises(ValueError, match="<built-in function print> is not among the dest"):
            destinations.remove(print)


class TestAddGlobalFields:
    """`Destinations.add_global_fields`."""

    def test_has_an_old_name(self) -> None:
        """It is the same function."""
        assert Destinations.add_global_fields is Destinations.addGlobalFields

    @pytest.mark.parametrize(
        "field",
        [
            "task_uuid",
            "task_level",
            "timestamp",
            "message_type",
            "action_type",
            "action_status",
        ],
    )
    def test_refuses_to_replace_identity(self, destinations: Destinations, field: str) -> None:
        """What says which message it is cannot be replaced; the caller is warned."""
        got: Messages = []
        destinations.add(got.append)
        with pytest.warns(UserWarning, match=f"global fields cannot replace {field}") as caught:
            destinations.add_global_fields(**{field: "x", "other": "y"})
        destinations.send({field: "real"})

        assert [{field: "real", "other": "y"}] == got
        assert [__file__] == [warning.filename for warning in caught]

    def test_names_all_that_it_refuses(self, destinations: Destinations) -> None:
        """One warning is enough."""
        with pytest.warns(UserWarning, match="replace task_uuid, timestamp: ignored"):
            destinations.add_global_fields(timestamp=1, task_uuid=2)

    def test_reaches_reports(self, destinations: Destinations) -> None:
        """Messages of Eliot's own have the global fields, too."""
        logger = Logger()
        logger._destinations = destinations
        good: Messages = []
        destinations.add(good.append, always_broken)
        destinations.add_global_fields(g=1)
        logger.write({"hello": 123})

        assert [1, 1] == [m["g"] for m in good]


class TestReentrance:
    """Destinations that do something with the destinations."""

    def test_may_remove_themselves(self, destinations: Destinations) -> None:
        """The following one gets the message all the same."""
        got: Messages = []

        def once(_: object) -> None:
            destinations.remove(once)

        destinations.add(once, got.append)
        destinations.send({"k": 1})
        destinations.send({"k": 2})

        assert [{"k": 1}, {"k": 2}] == got

    def test_may_add_others(self, destinations: Destinations) -> None:
        """A new one gets the next message."""
        got: Messages = []

        def grow(_: object) -> None:
            destinations.add(got.append)
            destinations.remove(grow)

        destinations.add(grow)
        destinations.send({"k": 1})
        destinations.send({"k": 2})

        assert [{"k": 2}] == got

    def test_may_log(self, destinations: Destinations) -> None:
        """What they log arrives, in between."""
        got: Messages = []

        def echo(message: dict[str, Any]) -> None:
            if "echo" not in message:
                destinations.send({"echo": message["k"]})

        destinations.add(echo, got.append)
        destinations.send({"k": 1})

        assert [{"echo": 1}, {"k": 1}] == got

    def test_may_log_while_they_get_what_was_before(self, destinations: Destinations) -> None:
        """That holds for the first destination, too."""
        got: Messages = []

        def echo(message: dict[str, Any]) -> None:
            got.append(message)
            if "echo" not in message:
                destinations.send({"echo": message["k"]})

        destinations.send({"k": 1})
        destinations.add(echo)

        assert [{"k": 1}, {"echo": 1}] == got

    def test_may_wait_for_threads_that_log(self, destinations: Destinations) -> None:
        """No lock is held while a destination runs."""
        got: Messages = []

        def wait(message: dict[str, Any]) -> None:
            got.append(message)
            if "thread" not in message:
                thread = Thread(target=destinations.send, args=[{"thread": message["k"]}])
                thread.start()
                thread.join()

        destinations.send({"k": 1})
        destinations.add(wait)
        destinations.send({"k": 2})

        assert [{"k": 1}, {"thread": 1}, {"k": 2}, {"thread": 2}] == got


class TestThreads:
    """Destinations that several threads use."""

    @pytest.fixture(autouse=True)
    def _switch_often(self) -> Any:
        """Let threads take turns as often as possible."""
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(interval)

    def run(self, *functions: Callable[[], object]) -> None:
        """Run functions, each in a thread, all at once."""
        barrier = Barrier(len(functions))

        def start(function: Callable[[], object]) -> None:
            barrier.wait()
            function()

        threads = [Thread(target=start, args=[function]) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @pytest.mark.parametrize("attempt", range(20))
    def test_first_destination_gets_everything_once(
        self, destinations: Destinations, attempt: int
    ) -> None:
        """While threads log, one adds the first destination: nothing is lost or comes twice."""
        got: Messages = []
        logged = 100

        def log(thread: int) -> None:
            for number in range(logged):
                destinations.send({"k": (thread, number)})

        self.run(
            *(partial(log, thread) for thread in range(4)), lambda: destinations.add(got.append)
        )

        expected = [(thread, number) for thread in range(4) for number in range(logged)]
        assert expected == sorted(message["k"] for message in got)

    def test_come_and_go(self, destinations: Destinations) -> None:
        """Those that stay miss nothing while others come and go."""
        got: Messages = []
        done = Event()
        destinations.add(got.append)

        def log() -> None:
            for number in range(1000):
                destinations.send({"k": number})
            done.set()

        def come_and_go() -> None:
            other: Messages = []
            while not done.is_set():
                destinations.add(other.append)
                destinations.remove(other.append)

        self.run(log, come_and_go, come_and_go)

        assert [{"k": number} for number in range(1000)] == got
        assert [got.append] == destinations._destinations

    def test_global_fields_add_up(self, destinations: Destinations) -> None:
        """Fields that several threads add are all there."""
        destinations.add(lambda _: None)
        self.run(
            *(
                partial(destinations.add_global_fields, **{f"field {thread}": thread})
                for thread in range(8)
            )
        )
        message: dict[str, Any] = {}
        destinations.send(message)

        assert {f"field {thread}": thread for thread in range(8)} == message


class TestStatus:
    """What has become of the messages."""

    def test_counts(self, destinations: Destinations) -> None:
        """Each destination counts from when it came; what was kept for it counts."""
        for number in range(1002):
            destinations.send({"n": number})
        assert ((), 2) == status(destinations)
        first: Messages = []
        destinations.add(first.append)
        destinations.add(always_broken)
        destinations.send({"n": 3})
        (_, *good), (_, *bad) = status(destinations).destinations

        assert [1001, 0, 0, 0, 0] == good
        assert [0, 1, 0, 0, 0] == bad
        assert 2 == status(destinations).dropped

    def test_of_one_that_leaves(self, destinations: Destinations) -> None:
        """A destination that removes itself and fails is not counted any more."""

        def leave(_: object) -> None:
            destinations.remove(leave)
            raise ZeroDivisionError

        destinations.add(leave)
        destinations.send({"n": 1})

        assert ((), 0) == status(destinations)
