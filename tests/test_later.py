"""What cannot be logged for want of room is logged when there is some."""

from __future__ import annotations

import sys
import time
from typing import Any, Callable, Dict, Generator, List
from uuid import RFC_4122, UUID

import pytest

from eliot import _destinations as destinations_room
from eliot import _output as output_room
from eliot._action import log_message, say, start_action
from eliot._context import Place
from eliot._errors import fields_for
from eliot._ids import new_task_uuid
from eliot._later import LATER, do_now, is_cramped, is_short
from eliot._loggers import Logger
from eliot._output import write_traceback
from eliot._speech import say_as_told
from eliot._switches import add, configure, prepare

Messages = List[Dict[str, Any]]

#: A call that fails for want of room, whichever it is.
CRAMPED_CALLS: List[Any] = [RecursionError, MemoryError]


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Generator[None, None, None]:
    """Check that all is done in the end."""
    yield

    assert not LATER


@pytest.fixture
def messages() -> Messages:
    """Collect what is logged."""
    collected: Messages = []
    Logger._destinations.add(collected.append)
    return collected


@pytest.fixture
def _no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that there is no room, whenever something fails for that."""
    monkeypatch.setattr("eliot._later.is_short", lambda _: True)


class TestDoNow:
    """Calling what waits."""

    def test_keeps_the_order(self) -> None:
        """What came first is called first."""
        called: List[int] = []
        LATER.extend((called.append, (number,)) for number in range(3))
        do_now()

        assert [0, 1, 2] == called

    @pytest.mark.parametrize("cramped", CRAMPED_CALLS)
    @pytest.mark.usefixtures("_no_room")
    def test_goes_on_waiting(self, cramped: Any) -> None:
        """What still has no room stays where it is, and the others behind it."""
        called: List[str] = []
        failures = [cramped()]

        def fail_once() -> None:
            if failures:
                raise failures.pop()
            called.append("first")

        LATER.extend([(fail_once, ()), (called.append, ("second",))])
        do_now()

        assert [] == called
        do_now()

        assert ["first", "second"] == called

    @pytest.mark.parametrize("cramped", CRAMPED_CALLS)
    def test_no_room_to_find_out(self, monkeypatch: pytest.MonkeyPatch, cramped: Any) -> None:
        """What may have no room, as nobody has room to find out, stays where it is, too."""
        monkeypatch.setattr("eliot._later.is_short", fail_once(cramped, is_short))
        called: List[int] = []
        LATER.append((fail_once(cramped, called.append), (1,)))
        do_now()
        do_now()

        assert [1] == called

    @pytest.mark.parametrize("cramped", CRAMPED_CALLS)
    def test_fails_for_ever(self, messages: Messages, cramped: Any) -> None:
        """A logger that fails in the same way, although there is room, holds up nobody."""

        class Endless:
            def write(self, fields: Dict[str, Any], serializer: Any = None) -> None:
                raise cramped

        log_message("lost", __eliot_logger__=Endless())
        log_message("next")
        log_message("after")

        assert ["next", "after"] == [m["message_type"] for m in messages]

    def test_is_not_done_inside_of_itself(self) -> None:
        """What is called may come here again; then it finds nothing to do."""
        called: List[str] = []
        LATER.extend([(do_now, ()), (called.append, ("second",))])
        do_now()

        assert ["second"] == called

    def test_another_thread_may_be_faster(self) -> None:
        """What is gone meanwhile is no error."""
        LATER.extend([(LATER.clear, ()), (sys.exit, ())])
        do_now()

    def test_raises_nothing(self) -> None:
        """Who happens to log next has nothing to do with what fails for other reasons."""
        called: List[str] = []
        LATER.extend([(divmod, (1, 0)), (called.append, ("second",))])
        do_now()

        assert ["second"] == called


class TestIsShort:
    """Whether there is no room, or a logger fails for ever."""

    def test_frames(self) -> None:
        """There is room if half of the frames are left."""
        seen: List[bool] = []

        def dive(calls: int) -> None:
            seen.append(is_short(RecursionError()))
            if calls:
                dive(calls - 1)

        dive(sys.getrecursionlimit() * 2 // 3)

        assert (False, True) == (seen[0], seen[-1])

    def test_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """There is memory if one can have plenty of it."""
        assert not is_short(MemoryError())
        monkeypatch.setattr("eliot._later.PLENTY", sys.maxsize - 100)

        assert is_short(MemoryError())


class TestIsCramped:
    """The number of frames that are left."""

    def test_is_so_near_the_limit(self) -> None:
        """At the recursion limit there is no room; here there is."""
        seen: List[bool] = []

        def dive() -> None:
            seen.append(is_cramped())
            dive()

        with pytest.raises(RecursionError):
            dive()

        assert not is_cramped()
        assert not seen[0]
        # PyPy's limit is not one of frames.
        assert seen[-1] or sys.implementation.name == "pypy"


def fail_once(error: Any, then: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that fails the first time, and then does its work."""
    failures = [error]

    def function(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        return then(*args)

    return function


@pytest.mark.parametrize("cramped", CRAMPED_CALLS)
class TestLogging:
    """Each of the calls that a message takes may have no room."""

    @pytest.fixture
    def _deliver_once_cramped(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any
    ) -> None:
        fan_out = Logger._destinations
        monkeypatch.setattr(fan_out, "deliver", fail_once(cramped, fan_out.deliver))

    @pytest.mark.usefixtures("_deliver_once_cramped")
    def test_message(self, messages: Messages) -> None:
        """A message is logged by the next one."""
        with start_action(action_type="a"):
            log_message("b")

        assert ["started", None, "succeeded"] == [m.get("action_status") for m in messages]
        assert [[1], [2], [3]] == [m["task_level"] for m in messages]

    @pytest.mark.usefixtures("_deliver_once_cramped")
    def test_message_outside(self, messages: Messages) -> None:
        """So is one outside of any action."""
        log_message("a")
        log_message("b")

        assert ["a", "b"] == [m["message_type"] for m in messages]

    def test_message_inside(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any
    ) -> None:
        """So is one inside, and the end of the action."""
        fan_out = Logger._destinations
        with start_action(action_type="a"):
            with monkeypatch.context() as patch:
                patch.setattr(fan_out, "deliver", fail_once(cramped, fan_out.deliver))
                log_message("b")
            patch.setattr(fan_out, "deliver", fail_once(cramped, fan_out.deliver))
        do_now()
        patch.undo()

        assert [[1], [2], [3]] == sorted(m["task_level"] for m in messages)

    def test_other_loggers(self, cramped: Any) -> None:
        """Loggers of the program's own get it later, too."""
        written: Messages = []

        class Own:
            write = staticmethod(
                fail_once(cramped, lambda fields, serializer: written.append(fields))
            )

        action = start_action(Own(), "a")
        action.finish()

        assert ["started", "succeeded"] == [m["action_status"] for m in written]

    def test_end_of_an_action(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any
    ) -> None:
        """An action that has no room to say why it failed says so later, and in full."""
        action = start_action(action_type="a")
        monkeypatch.setattr("eliot._act.fields_for", fail_once(cramped, fields_for))
        action.finish(ValueError("why"))
        action.finish()
        assert 1 == len(messages)
        log_message("next")

        assert [[1], [2], [1]] == [m["task_level"] for m in messages]
        assert "why" == messages[1]["reason"]

    def test_end_without_room_for_the_time(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any
    ) -> None:
        """The same if there is no room to call a built-in function."""
        action = start_action(action_type="a")
        with monkeypatch.context() as patch:
            patch.setattr("eliot._act.time.time", fail_once(cramped, time.time))
            action.finish(ValueError("why"))
        assert "started" == action.status
        do_now()

        assert ["started", "failed"] == [m["action_status"] for m in messages]

    def test_end_that_cannot_be_delivered(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any
    ) -> None:
        """An end that has its place already keeps it."""
        action = start_action(action_type="a")
        fan_out = Logger._destinations
        monkeypatch.setattr(fan_out, "deliver", fail_once(cramped, fan_out.deliver))
        action.finish()
        assert 1 == len(messages)
        do_now()

        assert [[1], [2]] == [m["task_level"] for m in messages]

    def test_end_without_room_to_wait(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any
    ) -> None:
        """If it cannot even be noted, the end of the block notes it."""

        class Full:
            append = staticmethod(fail_once(cramped, LATER.append))

        with monkeypatch.context() as patch, start_action(action_type="a"):
            patch.setattr("eliot._act.LATER", Full)
            patch.setattr("eliot._act.time.time", fail_once(cramped, time.time))
        log_message("next")

        assert [[1], [2], [1]] == [m["task_level"] for m in messages]

    @pytest.mark.parametrize("name", ["log_traceback", "placed", "serialized"])
    def test_traceback(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any, name: str
    ) -> None:
        """A traceback is logged later where it was to be logged."""
        original = getattr(output_room, name)
        with start_action(action_type="a"):
            with monkeypatch.context() as patch:
                patch.setattr(output_room, name, fail_once(cramped, original))
                write_traceback(exc_info=ValueError("why"))
            assert 1 == len(messages)
            with start_action(action_type="b"):
                pass

        [told] = [m for m in messages if m.get("message_type") == "eliot:traceback"]
        assert ("why", "builtins.ValueError") == (told["reason"], told["exception"])
        assert 1 == len(told["task_level"])
        levels = [m["task_level"][0] for m in messages]
        assert [1, 2, 3, 4] == sorted({*levels})

    def test_end_comes_last(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any
    ) -> None:
        """A message that had no room to find its place is still logged before the end."""
        with start_action(action_type="a") as action, monkeypatch.context() as patch:
            patch.setattr("eliot._act.say_as_told", fail_once(cramped, say_as_told))
            action.log("b")

        assert ["a", "b", "a"] == [m.get("message_type", "a") for m in messages]
        assert [[1], [2], [3]] == [m["task_level"] for m in messages]

    @pytest.mark.usefixtures("_no_room")
    def test_end_waits(self, messages: Messages, cramped: Any) -> None:
        """As long as such a message has no room, the end has none."""
        action = start_action(action_type="a")
        LATER.append((fail_once(cramped, action.log), ("b",)))
        action.finish(ValueError("why"))
        ended = action.duration
        action.add_success_fields(late=1)
        action.finish()
        assert 1 == len(messages)
        do_now()

        assert ("failed", ended) == (action.status, action.duration)
        assert ["a", "b", "a"] == [m.get("message_type", "a") for m in messages]
        assert [[1], [2], [3]] == [m["task_level"] for m in messages]
        assert "why" == messages[2]["reason"]
        assert "late" not in messages[2]
        assert action.started_at is not None
        assert ended == messages[2]["timestamp"] - action.started_at

    def test_end_waits_for_room_to_look(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any
    ) -> None:
        """The same if there is no room even to find out whether something waits."""
        action = start_action(action_type="a")
        LATER.append((action.log, ("b",)))
        monkeypatch.setattr("eliot._act.do_now", fail_once(cramped, do_now))
        action.finish()
        assert 1 == len(messages)
        do_now()

        assert [[1], [2], [3]] == [m["task_level"] for m in messages]

    def test_end_of_a_block(self, cramped: Any) -> None:
        """Leaving a block never raises for want of room."""
        ended: List[object] = []

        class Own(Place):
            finish = staticmethod(fail_once(cramped, ended.append))

        with Own(Logger(), "uuid", []):
            pass
        assert [] == ended
        do_now()

        assert [None] == ended

    def test_destination(self, messages: Messages, cramped: Any) -> None:
        """Near the recursion limit, a destination gets its message later, and the others now."""
        calls: List[bool] = []

        def needs_room(message: Dict[str, Any]) -> None:
            calls.append(is_cramped())
            if calls[-1]:
                raise RecursionError
            messages.append({**message, "twice": True})

        Logger._destinations.add(needs_room)

        def dive(depth: int) -> None:
            if depth:
                dive(depth - 1)
            else:
                log_message("deep")

        frames = 0
        frame = sys._getframe()
        while frame.f_back is not None:
            frame = frame.f_back
            frames += 1
        dive(sys.getrecursionlimit() - frames - 40)
        if sys.implementation.name != "pypy":  # whose limit is not one of frames
            assert ["deep"] == [m["message_type"] for m in messages]
        log_message("next")

        assert cramped
        assert [("deep", None), ("deep", True), ("next", None), ("next", True)] == sorted(
            ((m["message_type"], m.get("twice")) for m in messages), key=str
        )

    def test_switches(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any
    ) -> None:
        """Without room for what is switched on, a message is logged all the same, without it."""
        configure(process=True, levels={"a": "critical", "c": "critical"})
        monkeypatch.setattr("eliot._speech.prepare", fail_once(cramped, prepare))
        monkeypatch.setattr("eliot._act.prepare", fail_once(cramped, prepare))
        monkeypatch.setattr("eliot._action.add", fail_once(cramped, add))
        monkeypatch.setattr("eliot._silenced.prepare", fail_once(cramped, prepare))
        log_message("a")
        start_action("b").log("c")
        start_action("c").log("d")
        do_now()

        assert [("a", None), ("b", None), ("c", None), ("d", None)] == [
            (m.get("message_type") or m["action_type"], m.get("process")) for m in messages
        ]

    def test_other_ways(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any
    ) -> None:
        """A message to an action by its method comes later, and so does a lone one."""
        action = start_action(action_type="a")
        monkeypatch.setattr("eliot._act.say_as_told", fail_once(cramped, say_as_told))
        action.log("b")
        monkeypatch.setattr("eliot._speech.say", fail_once(cramped, say))
        log_message("c")
        configure(levels={"quiet": "error"})
        monkeypatch.setattr("eliot._silenced.say_as_told", fail_once(cramped, say_as_told))
        start_action("quiet").log("d")
        monkeypatch.undo()
        assert 1 == len(messages)
        do_now()

        assert ["b", "c", "d"] == [m["message_type"] for m in messages[1:]]

    def test_new_task(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, cramped: Any
    ) -> None:
        """A task gets an id of the usual form, even if there is no room to draw one."""
        monkeypatch.setattr("eliot._action.new_task_uuid", fail_once(cramped, new_task_uuid))
        start_action(action_type="a")
        uuid = UUID(messages[0]["task_uuid"])

        assert (4, RFC_4122) == (uuid.version, uuid.variant)
        assert str(uuid) == messages[0]["task_uuid"]


class TestFanOut:
    """What has no room in the fan-out."""

    @pytest.fixture(autouse=True)
    def _cramped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("eliot._destinations.is_cramped", lambda: True)
        monkeypatch.setattr("eliot._loggers.is_cramped", lambda: True)

    def test_destination(self, messages: Messages) -> None:
        """A destination gets the message again."""
        late: Messages = []
        Logger._destinations.add(fail_once(RecursionError, late.append))
        log_message("a")
        assert [] == late
        do_now()

        assert ["a"] == [m["message_type"] for m in late]
        assert 1 == len(messages)

    @pytest.mark.parametrize("name", ["_report", "destination_failure"])
    def test_report(self, messages: Messages, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """A report comes later."""
        room = f"eliot._destinations.{name}"
        monkeypatch.setattr(room, fail_once(RecursionError, getattr(destinations_room, name)))

        def broken(message: Dict[str, Any]) -> None:
            raise ValueError

        Logger._destinations.add(broken)
        log_message("a")
        do_now()

        assert ["a", "eliot:destination_failure"] == [m["message_type"] for m in messages]

    def test_counting(self, messages: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
        """So does the counting of a failure."""
        fan_out = Logger._destinations

        def broken(message: Dict[str, Any]) -> None:
            raise ValueError

        fan_out.add(broken)
        monkeypatch.setattr(fan_out, "_failed", fail_once(RecursionError, fan_out._failed))
        log_message("a")
        assert 1 == len(messages)
        do_now()

        assert "eliot:destination_failure" == messages[1]["message_type"]

    def test_serializer(self, messages: Messages) -> None:
        """A message whose serializer has no room is serialized later."""

        class Serializer:
            serialize = staticmethod(fail_once(RecursionError, lambda m: m.update(done=True)))
            validate = serialize

        Logger().write({"message_type": "a"}, Serializer())
        assert [] == messages
        do_now()

        assert [{"message_type": "a", "done": True}] == messages
