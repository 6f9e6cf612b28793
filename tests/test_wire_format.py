"""The log format end to end: which messages there are, where they stand, and which value wins."""

from __future__ import annotations

import json
import re
import time
import warnings
from io import BytesIO
from threading import Thread
from typing import Any, ClassVar, Dict, List, NoReturn, Optional, Tuple, Type

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eliot
from eliot import (
    Action,
    ActionType,
    Message,
    MessageType,
    add_destinations,
    add_global_fields,
    current_action,
    fields,
    log_message,
    preserve_context,
    register_exception_extractor,
    start_action,
    start_task,
    to_file,
    write_traceback,
)
from eliot.parse import Parser, TaskLevel

Messages = List[Dict[str, Any]]


@pytest.fixture
def messages() -> Messages:
    """Collect what is logged."""
    result: Messages = []
    add_destinations(result.append)
    return result


def outline(messages: Messages) -> List[Tuple[List[int], str, Optional[str]]]:
    """Reduce messages to level, type and status."""
    return [
        (
            message["task_level"],
            message.get("action_type") or message["message_type"],
            message.get("action_status"),
        )
        for message in messages
    ]


def without_identity(message: Dict[str, Any]) -> Dict[str, Any]:
    """Leave out what differs from run to run, and the level."""
    identity = ("task_uuid", "task_level", "timestamp")
    return {key: value for key, value in message.items() if key not in identity}


class TestIdentity:
    """Each message is known by its task and its level, and says when it was logged."""

    def test_uuid_is_that_of_version_4(self, messages: Messages) -> None:
        """Generated ids look like str(uuid.uuid4())."""
        for _ in range(100):
            log_message("hello")

        pattern = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
        assert all(pattern.fullmatch(message["task_uuid"]) for message in messages)
        assert 100 == len({message["task_uuid"] for message in messages})

    def test_time_is_looked_up(self, messages: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
        """Tests may patch time.time, at any time."""
        monkeypatch.setattr(time, "time", lambda: 17.5)
        with start_action(action_type="a"):
            log_message("hello")
            Message({}).write()
            write_traceback(exc_info=ValueError("boom"))

        assert [17.5] * 5 == [message["timestamp"] for message in messages]

    def test_levels_are_lists_of_their_own(self, messages: Messages) -> None:
        """Whoever changes the list of a message does no harm to later ones."""
        with start_action(action_type="a"):
            messages[0]["task_level"].append(99)
            log_message("hello")

        assert [[1, 99], [2], [3]] == [message["task_level"] for message in messages]

    def test_unique_among_threads(self, messages: Messages) -> None:
        """Threads that share an action never share a place."""
        action = start_task(action_type="shared")

        def work() -> None:
            for _ in range(5000):
                action.log("hello")

        threads = [Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert set(range(1, 40_002)) == {message["task_level"][0] for message in messages}
        assert 40_001 == len(messages)


class TestLevels:
    """Every message, child and handed-out id takes the next slot of its action."""

    def test_all_that_takes_a_slot(self, messages: Messages) -> None:
        """One story with everything in it."""
        with start_action(action_type="outer", x=1) as action:
            log_message("note", n=1)
            with start_action(action_type="inner") as inner:
                inner.log("note", n=2)
                inner.add_success_fields(result=5)
            work = preserve_context(lambda: log_message("in-thread"))
            task_id = action.serialize_task_id()
            work()
            with Action.continue_task(task_id=task_id, host="b"):
                log_message("remote-note")
            action.log("last")
        action.log("late")

        assert f"{action.task_uuid}@/5".encode() == task_id
        assert [
            ([1], "outer", "started"),
            ([2], "note", None),
            ([3, 1], "inner", "started"),
            ([3, 2], "note", None),
            ([3, 3], "inner", "succeeded"),
            ([4, 1], "eliot:remote_task", "started"),
            ([4, 2], "in-thread", None),
            ([4, 3], "eliot:remote_task", "succeeded"),
            ([5, 1], "eliot:remote_task", "started"),
            ([5, 2], "remote-note", None),
            ([5, 3], "eliot:remote_task", "succeeded"),
            ([6], "last", None),
            ([7], "outer", "succeeded"),
            ([8], "late", None),
        ] == outline(messages)
        assert {action.task_uuid} == {message["task_uuid"] for message in messages}

    def test_outside_any_action(self, messages: Messages) -> None:
        """A message of no action is a task of its own."""
        log_message("one")
        log_message("two")

        assert [[1], [1]] == [message["task_level"] for message in messages]
        assert messages[0]["task_uuid"] != messages[1]["task_uuid"]

    def test_continued_deep_down(self, messages: Messages) -> None:
        """The id names the level of the continuing action itself."""
        with Action.continue_task(task_id="u@/3/4/1"):
            pass

        assert [[3, 4, 1, 1], [3, 4, 1, 2]] == [message["task_level"] for message in messages]

    def test_last_number_tells_how_many(self, messages: Messages) -> None:
        """The number of the end, minus 2, is that of the messages, children and ids before it."""
        with start_action(action_type="a") as action:
            log_message("one")
            start_action(action_type="two").finish()
            action.serialize_task_id()

        assert [3 + 2] == messages[-1]["task_level"]

    def test_id_that_nobody_continues(self, messages: Messages) -> None:
        """It leaves a gap, which a reader waits for."""
        with start_action(action_type="a") as action:
            action.serialize_task_id()
        [task] = Parser.parse_stream(iter(messages))

        assert [[1], [3]] == [message["task_level"] for message in messages]
        assert not task.is_complete()

    @given(st.recursive(st.just(None), lambda inner: st.lists(inner, max_size=4), max_leaves=30))
    def test_every_tree_is_complete(self, tree: Optional[List[Any]]) -> None:
        """Whatever tree is told, the parser finds it complete with its last message, not before."""
        messages: Messages = []

        def tell(tree: Optional[List[Any]]) -> None:
            if tree is None:
                log_message("leaf")
            else:
                with start_action(action_type="branch"):
                    for inner in tree:
                        tell(inner)

        add_destinations(messages.append)
        with start_task(action_type="root"):
            tell(tree)
        eliot.remove_destination(messages.append)

        parsed = list(Parser.parse_stream(iter(messages)))
        assert [True] == [task.is_complete() for task in parsed]
        assert [] == Parser.parse_stream(messages[:-1]).__next__().missing()[:-1]
        levels = [message["task_level"] for message in messages]
        assert sorted(levels) == levels


class TestLifeCycle:
    """An action has a start message, and in the end one that tells how it went."""

    def test_success(self, messages: Messages) -> None:
        """Start fields are not repeated; of success fields the later value wins."""
        with start_action(action_type="a", x=1) as action:
            action.add_success_fields(y=2, z=3)
            action.add_success_fields(z=4)
        action.finish()
        action.finish(ValueError("too late"))

        assert [
            {"action_type": "a", "action_status": "started", "x": 1},
            {"action_type": "a", "action_status": "succeeded", "y": 2, "z": 4},
        ] == [without_identity(message) for message in messages]

    def test_failure(self, messages: Messages) -> None:
        """Success fields are dropped, the exception is told, at each level that it passes."""

        def program() -> NoReturn:
            with start_task(action_type="parent"), start_action(action_type="child") as child:
                child.add_success_fields(y=2)
                raise FileNotFoundError(2, "No such file", "a.txt")

        with pytest.raises(FileNotFoundError):
            program()

        failure = {
            "action_status": "failed",
            "exception": "builtins.FileNotFoundError",
            "reason": "[Errno 2] No such file: 'a.txt'",
            "errno": 2,
        }
        assert [
            {"action_type": "child", **failure},
            {"action_type": "parent", **failure},
        ] == [without_identity(message) for message in messages[2:]]
        assert [[2, 2], [3]] == [message["task_level"] for message in messages[2:]]

    @pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit, GeneratorExit])
    def test_base_exceptions_are_failures(
        self, messages: Messages, exception: Type[BaseException]
    ) -> None:
        """Whatever leaves the block has made it fail."""
        with pytest.raises(exception), start_action(action_type="a"):
            raise exception

        assert f"builtins.{exception.__name__}" == messages[1]["exception"]

    def test_unfinished(self, messages: Messages) -> None:
        """An action that does not end leaves no other trace."""
        start_action(action_type="a")

        assert [([1], "a", "started")] == outline(messages)


class TestExceptions:
    """How an exception is described."""

    def test_name_not_qualified_name(self, messages: Messages) -> None:
        """A class inside of another is named without that."""

        class Inner(Exception):
            pass

        with pytest.raises(Inner), start_action(action_type="a"):
            raise Inner

        assert f"{__name__}.Inner" == messages[1]["exception"]

    @pytest.mark.parametrize("text", [None, 17])
    def test_broken_str(self, messages: Messages, text: Any) -> None:
        """An exception that cannot say what it is does not hide that it was there."""

        class Broken(Exception):
            def __str__(self) -> str:
                if text is None:
                    raise RuntimeError("no")
                return text  # type: ignore[no-any-return] # that is the point

        with pytest.raises(Broken), start_action(action_type="a"):
            raise Broken

        assert "eliot: unknown, str() raised exception" == messages[1]["reason"]


class TestWhichValueWins:
    """User's fields give way to built-in ones; global ones override users' fields."""

    BUILT_IN: ClassVar[Dict[str, Any]] = {"timestamp": "x", "task_uuid": "x", "task_level": "x"}

    def test_identity(self, messages: Messages) -> None:
        """No field can pretend to be another message."""
        with start_action(action_type="a", **self.BUILT_IN) as action:
            log_message("hello", **self.BUILT_IN)
            action.add_success_fields(**self.BUILT_IN)

        assert [[1], [2], [3]] == [message["task_level"] for message in messages]
        assert not any("x" in message.values() for message in messages)

    def test_types(self, messages: Messages) -> None:
        """Type and status of an action are its own; message_type is just a field there."""
        with start_action(action_type="a", action_status="x", message_type="m") as action:
            action.add_success_fields(action_type="x", action_status="x", exception="e", reason="r")

        assert [
            {"action_type": "a", "action_status": "started", "message_type": "m"},
            {"action_type": "a", "action_status": "succeeded", "exception": "e", "reason": "r"},
        ] == [without_identity(message) for message in messages]

    def test_extractors(self, messages: Messages) -> None:
        """What an extractor says about the exception itself is not believed."""

        class Odd(Exception):
            pass

        register_exception_extractor(
            Odd,
            lambda _: {
                "exception": 1, "reason": 2, "action_status": 3, "action_type": 4,
                "message_type": 5, "traceback": 6, "mine": 7, **self.BUILT_IN,
            },
        )  # fmt: skip
        with pytest.raises(Odd), start_action(action_type="a"):
            raise Odd("odd")
        write_traceback(exc_info=Odd("odd"))

        for message in messages[1:]:
            assert (f"{__name__}.Odd", "odd", 7) == tuple(
                message[key] for key in ("exception", "reason", "mine")
            )
            assert message["task_uuid"] != "x"
        assert ("a", "failed") == (messages[1]["action_type"], messages[1]["action_status"])
        assert "eliot:traceback" == messages[2]["message_type"]
        assert messages[2]["traceback"].endswith("Odd: odd\n")

    def test_global_fields(self, messages: Messages) -> None:
        """Global fields override users' fields, also in Eliot's own messages."""
        add_global_fields(x="global", reason="global")
        log_message("hello", x=1)
        write_traceback(exc_info=ValueError("boom"))

        assert {"message_type": "hello", "x": "global", "reason": "global"} == without_identity(
            messages[0]
        )
        assert ("global", "global") == (messages[1]["x"], messages[1]["reason"])

    @pytest.mark.parametrize(
        "name",
        ["task_uuid", "task_level", "timestamp", "message_type", "action_type", "action_status"],
    )
    def test_global_fields_cannot_destroy_identity(self, messages: Messages, name: str) -> None:
        """A global field with a protected name is refused with a warning."""
        with pytest.warns(UserWarning, match=f"cannot replace {name}"):
            add_global_fields(**{name: "global", "x": 1})
        with start_action(action_type="a"):
            log_message("hello")

        assert not any("global" in message.values() for message in messages)
        assert [1, 1, 1] == [message["x"] for message in messages]

    def test_any_text_is_a_name(self, messages: Messages) -> None:
        """Names of fields need not be identifiers, and may begin with an underscore."""
        log_message("hello", **{"a b": 1, "_private": 2, "\u00e9": 3})

        assert {"message_type": "hello", "a b": 1, "_private": 2, "\u00e9": 3} == without_identity(
            messages[0]
        )


class TestTypesAsFields:
    """A message that has the type of an action as a field of its own."""

    def test_is_a_message(self, messages: Messages) -> None:
        """Readers take it for what it is, in an action and alone."""
        with start_action(action_type="a"):
            log_message("m", action_type="b")
        log_message("lone", action_type="c")
        first, second = Parser.parse_stream(messages)
        action: Any = first.root()
        lone: Any = second.root()

        assert ["m"] == [child.contents["message_type"] for child in action.children]
        assert first.is_complete()
        assert {"action_type": "c", "message_type": "lone"} == dict(lone.contents)


class TestTypesOfAnyKind:
    """Types that are no text are logged as text."""

    @pytest.mark.parametrize(
        ("given", "logged"),
        [(None, "None"), (17, "17"), (b"x", "b'x'"), (ValueError("x"), "x"), ("", "")],
    )
    def test_non_text(self, messages: Messages, given: Any, logged: str) -> None:
        """Nothing is raised, and readers get text."""
        log_message(given)
        with start_action(action_type=given) as action:
            action.log(given)

        assert [logged] * 4 == [
            message.get("action_type", message.get("message_type")) for message in messages
        ]


class TestOwnMessages:
    """Messages that Eliot makes by itself."""

    def test_destination_failure(self, messages: Messages) -> None:
        """Who failed, on what, and why, in the current action or a task of its own."""

        def broken(message: Dict[str, Any]) -> None:
            raise ValueError("bad destination")

        add_destinations(broken)
        with start_action(action_type="a"):
            log_message("hello")

        assert [
            ([1], "a", "started"),
            ([1], "eliot:destination_failure", None),
            ([2], "hello", None),
            ([3], "eliot:destination_failure", None),
            ([4], "a", "succeeded"),
            ([1], "eliot:destination_failure", None),
        ] == outline(messages)
        assert {
            "message_type": "eliot:destination_failure",
            "reason": "bad destination",
            "exception": "builtins.ValueError",
            "message": str({repr(key): repr(value) for key, value in messages[2].items()}),
        } == without_identity(messages[3])

    def test_failing_serializer(self, messages: Messages) -> None:
        """The message keeps its place, after a traceback and a report."""
        typed = MessageType("typed", [eliot.Field("x", int), eliot.Field("y", str)])
        with start_action(action_type="a"):
            typed.log(x="no number", y=2, z=3)

        assert [
            ([1], "a", "started"),
            ([3], "eliot:traceback", None),
            ([4], "eliot:serialization_failure", None),
            ([2], "typed", None),
            ([5], "a", "succeeded"),
        ] == outline(messages)
        assert {
            "message_type": "typed",
            "x": "no number",
            "y": "2",
            "z": 3,
        } == without_identity(messages[3])
        assert "'no number'" in messages[2]["message"]
        [task] = Parser.parse_stream(iter(messages))
        assert task.is_complete()

    def test_failing_serializer_of_an_end(self, messages: Messages) -> None:
        """An action whose success fields cannot be serialized has ended all the same."""
        acted = ActionType("acted", [], [eliot.Field("n", int)])
        with acted() as action:
            action.add_success_fields(n="no number")

        assert ("acted", "succeeded", "no number") == tuple(
            messages[-1][key] for key in ("action_type", "action_status", "n")
        )
        assert any(task.is_complete() for task in Parser.parse_stream(iter(messages)))

    def test_failing_extractor(self, messages: Messages) -> None:
        """Its traceback comes first, then the message without its fields; nothing recurses."""

        class Sad(Exception):
            pass

        def extract(error: Sad) -> Dict[str, Any]:
            assert current_action() is None
            raise Sad("extractor")

        register_exception_extractor(Sad, extract)
        with pytest.raises(Sad, match="program"), start_action(action_type="a"):
            raise Sad("program")

        assert [
            ([1], "a", "started"),
            ([1], "eliot:traceback", None),
            ([2], "a", "failed"),
        ] == outline(messages)
        assert ["extractor", "program"] == [message["reason"] for message in messages[1:]]

    def test_nothing_takes_a_message_out_of_the_tree(self, messages: Messages) -> None:
        """Whatever fails: the program gets its own exception, and each message has its place."""

        class Broken(Exception):
            def __repr__(self) -> str:
                raise RuntimeError("no text")

            __str__ = __repr__

        def broken(*_: object) -> NoReturn:
            raise Broken

        file = BytesIO()
        register_exception_extractor(Broken, broken)
        add_destinations(broken)
        to_file(file)
        acted = ActionType("acted", [eliot.Field("x", broken)], [eliot.Field("y", broken)])
        exception = Broken()

        def program() -> NoReturn:
            with start_task(action_type="task"):
                with acted(x=Broken()) as action:
                    MessageType("typed", [eliot.Field("z", broken)]).log(z=Broken())
                    action.add_success_fields(y=Broken())
                write_traceback(exc_info=Broken())
                raise exception

        with pytest.raises(Broken) as caught:
            program()

        assert exception is caught.value
        own = {m["task_uuid"] for m in messages if m.get("action_type") == "task"}
        tasks = list(Parser.parse_stream(json.loads(line) for line in file.getvalue().splitlines()))
        assert own <= {task.root().task_uuid for task in tasks}
        assert all(task.is_complete() for task in tasks)
        assert [
            ("task", "started"),
            ("acted", "started"),
            ("typed", None),
            ("acted", "succeeded"),
            ("task", "failed"),
        ] == [
            (name, status)
            for _, name, status in sorted(outline([m for m in messages if m["task_uuid"] in own]))
            if not name.startswith("eliot:")
        ]

    def test_no_deprecated_calls(self, messages: Messages) -> None:
        """Eliot's own messages come without a warning."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            write_traceback(exc_info=ValueError("boom"))
            MessageType("typed", fields()).log()

        assert 2 == len(messages)


def test_level_text() -> None:
    """The text of a level is what task ids are made of."""
    assert ("/", "/2/1") == (TaskLevel([]).to_string(), TaskLevel([2, 1]).to_string())
