"""Tests of `eliot._captured`: what `CapturedLogs` sees, and what it says."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Thread
from typing import Any, Callable, Dict, List
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot import (
    ActionType,
    Logger,
    MemoryLogger,
    MessageType,
    add_destinations,
    add_global_fields,
    fields,
    log_message,
    remove_destination,
    start_action,
    start_task,
    write_traceback,
)
from eliot._destinations import Destinations
from eliot.parse import Entry
from eliot.testing import CapturedLogs

TYPED = MessageType("typed", fields(x=int))
ACTED = ActionType("acted", fields(x=int), fields(y=int))


def pay(amount: object = 20) -> None:
    """Log a small tree."""
    with start_action(action_type="pay", amount=amount) as action:
        with start_action(action_type="charge"):
            log_message("charged", card="1881")
        log_message("receipt", number=1)
        action.add_success_fields(total=21)


@pytest.fixture
def paid() -> CapturedLogs:
    """Capture a payment and a message."""
    with CapturedLogs() as logs:
        pay()
        log_message("lonely", path=Path("/tmp"))  # noqa: S108 - nothing is written there
    return logs


def types(logs: CapturedLogs) -> List[str]:
    """Name what was captured."""
    return [
        message.get("message_type") or message["action_type"] + ":" + message["action_status"]
        for message in logs.messages
    ]


def plain(line: str) -> str:
    """Hide durations."""
    return re.sub(r"<?[\d.]+ (µs|ms|s|%)", "~", line)


def problem(claim: Callable[..., object], *args: Any, **kwargs: Any) -> List[str]:
    """Return what a claim that does not hold says, line by line."""
    with pytest.raises(AssertionError) as raised:
        claim(*args, **kwargs)
    return str(raised.value).splitlines()


class TestCapturing:
    """What is captured, and when."""

    def test_all_that_is_dispatched(self) -> None:
        """It does not matter which logger a message goes to, nor when that was made."""
        early = start_action(action_type="early")
        logger = Logger()
        with CapturedLogs() as logs:
            early.log("in an action of before")
            log_message("to a logger of before", __eliot_logger__=logger)
            log_message("to the default logger")
            thread = Thread(target=log_message, args=["in a thread"])
            thread.start()
            thread.join()
        log_message("too late")

        assert [
            "in an action of before",
            "to a logger of before",
            "to the default logger",
            "in a thread",
        ] == types(logs)

    def test_not_what_goes_elsewhere(self) -> None:
        """What a `MemoryLogger` takes is not dispatched."""
        with CapturedLogs() as logs:
            log_message("hello", __eliot_logger__=MemoryLogger())

        assert [] == logs.messages

    def test_destinations_notice_nothing(self, log: List[Dict[str, Any]]) -> None:
        """They get the messages as always."""
        with CapturedLogs() as logs:
            log_message("hello")

        assert logs.live == log

    def test_early_messages_stay_for_the_first_destination(self) -> None:
        """What is logged before there is any destination is not lost to it, nor captured."""
        log_message("before")
        with CapturedLogs() as logs:
            log_message("during")
        log_message("after")
        received: List[Dict[str, Any]] = []
        add_destinations(received.append)

        assert ["during"] == types(logs)
        assert ["before", "during", "after"] == [each["message_type"] for each in received]

    def test_destination_that_comes_meanwhile(self) -> None:
        """Capturing goes on when the first destination comes."""
        with CapturedLogs() as logs:
            log_message("before")
            received: List[Dict[str, Any]] = []
            add_destinations(received.append)
            log_message("after")
            remove_destination(received.append)

        assert ["before", "after"] == types(logs)
        assert logs.live == received

    def test_inside_of_each_other(self) -> None:
        """Each gets everything that is logged while it captures."""
        with CapturedLogs() as outer:
            log_message("outer")
            with CapturedLogs() as inner:
                log_message("inner")

        assert ["inner"] == types(inner)
        assert ["outer", "inner"] == types(outer)

    def test_emptied_destinations(self) -> None:
        """A test that begins with a list of destinations of its own ends capturing, no more."""
        with CapturedLogs() as logs:
            Logger._destinations._destinations = []
            log_message("unseen")

        assert [] == logs.messages

    def test_other_destinations(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Capturing ends where it began, whatever a test has put in its place."""
        original = Logger._destinations
        before = [*original._destinations]
        with CapturedLogs():
            monkeypatch.setattr(Logger, "_destinations", Destinations())

        assert before == original._destinations

    def test_start_and_stop_again(self) -> None:
        """Each message is captured once, however often one starts; stopping twice is fine."""
        logs = CapturedLogs()
        logs.start()
        logs.start()
        log_message("hello")
        logs.stop()
        logs.stop()

        assert ["hello"] == types(logs)

    def test_keeps_the_newest(self) -> None:
        """A limit keeps the newest messages."""
        with CapturedLogs(keep=2) as logs:
            for number in range(5):
                log_message("hello", number=number)

        assert [3, 4] == [message["number"] for message in logs.messages]


class TestViews:
    """Two views of the same messages, and their trees."""

    def test_written_and_live(self) -> None:
        """There is what a reader of the log gets, and what was logged; global fields in both."""
        add_global_fields(service="shop")
        path = Path("/tmp")  # noqa: S108 - nothing is written there
        with CapturedLogs() as logs:
            log_message("hello", path=path, numbers={1})
        [written], [live] = logs.messages, logs.live

        assert (str(path), [1], "shop") == (written["path"], written["numbers"], written["service"])
        assert (path, {1}, "shop") == (live["path"], live["numbers"], live["service"])

    def test_written_when_it_was_logged(self) -> None:
        """What changes later does not change what was written."""
        numbers = [1]
        with CapturedLogs() as logs:
            log_message("hello", numbers=numbers)
            numbers.append(2)

        assert [1] == logs.messages[0]["numbers"]

    def test_tasks_in_the_order_of_their_beginnings(self) -> None:
        """The trees come in the order in which they began, ended or not."""
        with CapturedLogs() as logs:
            start_task(action_type="endless")
            log_message("lonely")
            pay()

        assert ["endless", "lonely", "pay"] == [task.top().type for task in logs.tasks]

    def test_messages_without_a_place(self) -> None:
        """What belongs into no tree is among the messages, not in the trees."""
        with CapturedLogs() as logs:
            Logger().write({"odd": 1})
            log_message("hello")

        assert {"odd": 1} == logs.messages[0]
        assert 1 == len(logs.tasks)

    def test_text(self, paid: CapturedLogs) -> None:
        """As text it is all trees, one below the other."""
        assert [
            "✓ pay  ~  amount=20  → total=21",
            "├─✓ charge  ~  ~",
            '│ └─· charged  card="1881"',
            "└─· receipt  number=1",
            '· lonely  path="/tmp"',
        ] == [plain(line[14:]) for line in str(paid).splitlines()]
        assert "<CapturedLogs: 7 messages>" == repr(paid)
        assert "" == str(CapturedLogs())

    def test_text_of_very_much(self) -> None:
        """The text has the newest messages, and says how many others there are."""
        with CapturedLogs() as logs:
            for number in range(1003):
                log_message("hello", number=number)
        first, second, *_, last = str(logs).splitlines()

        assert "(3 older messages are left out)" == first
        assert "number=3" in second
        assert "number=1002" in last


class TestCheck:
    """What is wrong with what was logged."""

    def test_nothing_wrong(self, paid: CapturedLogs) -> None:
        """Valid messages are fine."""
        with CapturedLogs() as logs:
            TYPED.log(x=1)
            with ACTED(x=1) as action:
                action.add_success_fields(y=2)
        logs.check()

        assert ["typed", "acted:started", "acted:succeeded"] == types(logs)

    @pytest.mark.parametrize(
        ("log_it", "what"),
        [
            (lambda: TYPED.log(x="text"), "message typed is not as declared: "),
            (TYPED.log, "message typed is not as declared: "),
            (lambda: TYPED.log(x=1, z=2), "message typed is not as declared: "),
            (lambda: ACTED(x="text"), "the started message of action acted is not as declared: "),
            (lambda: log_message("hello", n=2**64), "message hello cannot be written as it is: "),
            (lambda: start_action(action_type="a", n=2**64), "the started message of action a "),
        ],
    )
    def test_invalid(self, log_it: Callable[[], object], what: str) -> None:
        """What is wrong is said, and the line that logged it; once."""
        logs = CapturedLogs()
        logs.start()
        log_it()
        logs.stop()
        said = "\n".join(problem(logs.check))

        assert said.startswith(what)
        assert f'  File "{__file__}"' in said
        logs.check()

    def test_all_that_is_wrong(self) -> None:
        """All problems are told together."""
        logs = CapturedLogs()
        logs.start()
        TYPED.log(x="text")
        TYPED.log(x="text")
        write_traceback(exc_info=ValueError("boom"))
        logs.stop()
        said = "\n".join(problem(logs.check))

        assert 2 == said.count("not as declared")
        assert 1 == said.count("ValueError: boom")

    def test_end_of_a_block(self) -> None:
        """A block is checked at its end, unless it raises something itself."""
        with pytest.raises(AssertionError, match="not as declared"), CapturedLogs():
            TYPED.log(x="text")
        with pytest.raises(KeyError), CapturedLogs():  # noqa: PT012 - it is about blocks
            TYPED.log(x="text")
            raise KeyError

    def test_switched_off(self) -> None:
        """Both kinds of checks can be switched off."""
        with CapturedLogs(validate=False):
            TYPED.log(x="text")
        with CapturedLogs(tracebacks=False):
            write_traceback(exc_info=ValueError("boom"))
        with pytest.raises(AssertionError, match="boom"), CapturedLogs(validate=False):
            write_traceback(exc_info=ValueError("boom"))

    def test_failed_destination(self) -> None:
        """A destination that fails is reported to the log, which is a problem, too."""

        def broken(message: Dict[str, Any]) -> None:
            raise ValueError("full")

        add_destinations(broken)
        with pytest.raises(AssertionError, match="has failed: full"), CapturedLogs():
            log_message("hello")

    def test_failed_serializer(self) -> None:
        """A serializer that fails leaves a traceback."""
        broken = MessageType("broken", fields(x=int))
        broken._serializer.fields["x"]._serializer = lambda value: 1 // 0
        logs = CapturedLogs()
        logs.start()
        broken.log(x=1)
        logs.stop()

        assert "ZeroDivisionError: " in problem(logs.check)[-1]


class TestTracebacks:
    """Tracebacks that a test expects are flushed."""

    def test_flushed(self) -> None:
        """They are returned, stay among the messages, and are no problem any more."""
        with CapturedLogs() as logs:
            write_traceback(exc_info=ZeroDivisionError("first"))
            write_traceback(exc_info=ValueError("second"))
            flushed = logs.flush_tracebacks(ArithmeticError)
            others = logs.flush_tracebacks((KeyError, ValueError))

        assert ["first"] == [message["reason"] for message in flushed]
        assert ["second"] == [message["reason"] for message in others]
        assert [*flushed, *others] == logs.messages

    def test_others_are_left(self) -> None:
        """Those of other classes are still a problem."""
        logs = CapturedLogs()
        logs.start()
        write_traceback(exc_info=ZeroDivisionError("boom"))
        logs.stop()

        assert [] == logs.flush_tracebacks(KeyError)
        assert "ZeroDivisionError: boom" == problem(logs.check)[-1]

    def test_own_classes(self) -> None:
        """Classes of the program are found, and their subclasses."""

        class Base(Exception):
            pass

        class Derived(Base):
            pass

        with CapturedLogs() as logs:
            write_traceback(exc_info=Derived("boom"))
            [message] = logs.flush_tracebacks(Base)

        assert "boom" == message["reason"]


class TestHasMessage:
    """There is a message like this."""

    def test_found(self, paid: CapturedLogs) -> None:
        """The first one with these fields is returned, wherever it is."""
        assert 1 == paid.assert_has_message("receipt", number=1).fields["number"]
        assert "charged" == paid.assert_has_message("charged").type

    def test_values_as_logged_or_as_written(self, paid: CapturedLogs) -> None:
        """A value is expected as it was logged, or as it is in the log, or by anything equal."""
        for path in (Path("/tmp"), "/tmp", ANY):  # noqa: S108 - nothing is written there
            paid.assert_has_message("lonely", path=path)

    def test_any_field_name(self) -> None:
        """Fields may have any name."""
        with CapturedLogs() as logs:
            log_message("hello", self=1, fields=2)

        logs.assert_has_message("hello", self=1, fields=2)

    def test_typed(self) -> None:
        """The type may be given as such."""
        with CapturedLogs() as logs:
            TYPED.log(x=1)

        logs.assert_has_message(TYPED, x=1)

    def test_second_one(self) -> None:
        """It need not be the first one of its type."""
        with CapturedLogs() as logs:
            log_message("hello", number=1)
            log_message("hello", number=2, name="world")

        assert "world" == logs.assert_has_message("hello", number=2).fields["name"]


class TestHasAction:
    """There is an action like this."""

    def test_found(self, paid: CapturedLogs) -> None:
        """The first one that ended so, and told that, is returned."""
        action = paid.assert_has_action(
            "pay", succeeded=True, start_fields={"amount": 20}, end_fields={"total": 21}
        )

        assert isinstance(action, Entry)
        assert "pay" == action.type
        assert action == paid.assert_has_action("pay")

    def test_failed(self) -> None:
        """Whether it failed can be asked for."""
        with CapturedLogs() as logs:
            start_action(action_type="pay").finish(ValueError("boom"))

        logs.assert_has_action("pay", succeeded=False, end_fields={"reason": "boom"})
        problem(logs.assert_has_action, "pay", succeeded=True)

    def test_not_ended(self) -> None:
        """One that has not ended has neither succeeded nor failed, nor has it any end fields."""
        with CapturedLogs() as logs:
            start_action(action_type="pay")

        logs.assert_has_action("pay")
        problem(logs.assert_has_action, "pay", succeeded=True)
        problem(logs.assert_has_action, "pay", succeeded=False)
        problem(logs.assert_has_action, "pay", end_fields={"x": None})

    def test_not_begun(self) -> None:
        """One that began before has no start fields."""
        action = start_action(action_type="pay", amount=20)
        with CapturedLogs() as logs:
            action.finish()

        logs.assert_has_action("pay", succeeded=True)
        problem(logs.assert_has_action, "pay", start_fields={"amount": 20})

    def test_typed(self) -> None:
        """The type may be given as such."""
        with CapturedLogs(validate=False, tracebacks=False) as logs:
            ACTED(x=1).finish()

        logs.assert_has_action(ACTED, start_fields={"x": 1})


class TestTree:
    """There is an action with exactly this in it."""

    def test_found(self, paid: CapturedLogs) -> None:
        """It may be anywhere in a tree."""
        tree = {"pay": [{"charge": ["charged"]}, "receipt"]}

        assert "pay" == paid.assert_tree(tree).type
        assert "charge" == paid.assert_tree({"charge": ["charged"]}).type

    def test_typed(self) -> None:
        """Types may be given as such."""
        with CapturedLogs() as logs, ACTED(x=1) as action:
            TYPED.log(x=1)
            action.add_success_fields(y=1)

        logs.assert_tree({ACTED: [TYPED]})

    def test_empty_action_is_no_message(self) -> None:
        """The name alone does not tell."""
        with CapturedLogs() as logs, start_action(action_type="pay"):
            log_message("receipt")

        problem(logs.assert_tree, {"pay": [{"receipt": []}]})

    def test_deep(self) -> None:
        """A tree may be deeper than the stack."""
        depth = 1500
        expected: Dict[str, Any] = {}
        with CapturedLogs() as logs:
            action = start_action(action_type="deep")
            for _ in range(depth):
                action = action.child(None, "deep")
                action._start({})
                expected = {"deep": [expected] if expected else []}
        logs.assert_tree({"deep": [expected]})

    @pytest.mark.parametrize("wrong", ["pay", {}, {"a": [], "b": []}, {"pay": [1]}, {"pay": [{}]}])
    def test_no_tree(self, wrong: Any) -> None:
        """What is no tree is refused."""
        with pytest.raises(TypeError, match="a tree is a dictionary of one item"):
            CapturedLogs().assert_tree(wrong)


class TestFailures:
    """What claims say that do not hold: what is expected, and beside that what comes nearest."""

    def test_wrong_field_of_a_message(self) -> None:
        """The message with most of the fields comes nearest."""
        with CapturedLogs() as logs:
            log_message("hello", a=1, b=2)
            log_message("hello", a=1, b=3, c=4)

        assert [
            "2 messages of type hello, but none as expected",
            "expected:",
            "                · hello  a=1 b=2 c=4",
            "nearest of 2 messages of type hello:",
        ] == problem(logs.assert_has_message, "hello", a=1, b=2, c=4)[:4]

    def test_wrong_field_of_an_action(self, paid: CapturedLogs) -> None:
        """The action is shown with all that is in it."""
        said = problem(
            paid.assert_has_action,
            "pay",
            succeeded=True,
            start_fields={"amount": 21},
            end_fields={"total": 20},
        )

        assert [
            "1 action of type pay, but none as expected",
            "expected:",
            "                ✓ pay  amount=21  → total=20",
            "nearest of 1 action of type pay:",
        ] == said[:4]
        assert [
            "✓ pay  ~  amount=20  → total=21",
            "├─✓ charge  ~  ~",
            '│ └─· charged  card="1881"',
            "└─· receipt  number=1",
        ] == [plain(line[16:]) for line in said[4:]]

    def test_misspelled(self, paid: CapturedLogs) -> None:
        """If there is none of the type, one with nearly that type is shown."""
        said = problem(paid.assert_has_message, "reciept", number=1)

        assert [
            "no messages of type reciept",
            "expected:",
            "                · reciept  number=1",
            "nearest type:",
        ] == said[:4]
        assert said[4].endswith("· receipt  number=1")
        assert 5 == len(said)

    def test_nothing_like_it(self, paid: CapturedLogs) -> None:
        """If there is none of that either, everything is shown."""
        said = problem(paid.assert_has_action, "something else")

        assert "all that was logged:" == said[3]
        assert 5 == len(said[4:])

    def test_nothing_at_all(self) -> None:
        """If nothing was logged, that is said."""
        assert ["all that was logged:", "  nothing"] == problem(
            CapturedLogs().assert_has_message, "hello"
        )[-2:]

    def test_very_much(self) -> None:
        """Not more than some lines are shown."""
        with CapturedLogs() as logs, start_action(action_type="pay"):
            for _ in range(100):
                log_message("receipt")
        said = problem(logs.assert_has_action, "pay", succeeded=False)

        assert "  (51 more lines)" == said[-1]

    def test_other_tree(self, paid: CapturedLogs) -> None:
        """What is missing, and what is there instead, is marked."""
        assert [
            "no action has this tree",
            "expected (-) and nearest (+):",
            "   pay:",
            "     charge:",
            "  -    refused",
            "  +    charged",
            "     receipt",
        ] == problem(paid.assert_tree, {"pay": [{"charge": ["refused"]}, "receipt"]})

    def test_nearest_tree(self) -> None:
        """The most similar action of that type is compared with."""
        with CapturedLogs() as logs:
            for types_ in ("ab", "abc", "x"):
                with start_action(action_type="pay"):
                    for each in types_:
                        log_message(each)

        assert ["   pay:", "     a", "     b", "     c", "  -  d"] == problem(
            logs.assert_tree, {"pay": ["a", "b", "c", "d"]}
        )[2:]

    def test_tree_of_another_type(self, paid: CapturedLogs) -> None:
        """If there is no action of that type, another one is compared with."""
        assert ["  -payment:", "  +charge:", "     charged"] == problem(
            paid.assert_tree, {"payment": ["charged"]}
        )[2:]

    def test_no_tree(self) -> None:
        """If there is no action at all, the expected tree is shown."""
        assert ["no action was logged; expected:", "  pay:", "    receipt"] == problem(
            CapturedLogs().assert_tree, {"pay": ["receipt"]}
        )


TREES = st.recursive(
    st.sampled_from("ab"),
    lambda children: st.dictionaries(
        st.sampled_from("ab"), st.lists(children, max_size=3), min_size=1, max_size=1
    ),
)


def tell(tree: Any) -> None:
    """Log a tree."""
    if isinstance(tree, str):
        log_message(tree)
        return
    [(action_type, children)] = tree.items()
    with start_action(action_type=action_type):
        for child in children:
            tell(child)


@given(st.lists(TREES, max_size=3), st.lists(TREES, max_size=3))
def test_finds_just_what_was_told(one: List[Any], other: List[Any]) -> None:
    """A tree is found if and only if that tree was logged."""
    with CapturedLogs() as logs:
        tell({"root": one})

    logs.assert_tree({"root": one})
    if one != other:
        problem(logs.assert_tree, {"root": other})
