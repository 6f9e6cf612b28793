"""The logger for tests: it keeps everything, and says later what was wrong with it."""

from __future__ import annotations

import inspect
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest

from eliot._action import log_message, start_action
from eliot._memory import MemoryLogger
from eliot._output import Logger, write_traceback
from eliot._traceback import TRACEBACK_MESSAGE
from eliot._validation import ActionType, Field, MessageType, ValidationError, fields
from eliot.json import EliotJSONEncoder, json_default

HELLO = MessageType("hello", fields(x=int))._serializer
NO_TEXT: Any = {1: 2}
SHOUT = MessageType("shout", [Field("x", lambda value: value + "!")])._serializer


class Serializer:
    """Does what it is told to."""

    def __init__(
        self,
        validate: Callable[[dict[str, Any]], object] = bool,
        serialize: Callable[[dict[str, Any]], object] = bool,
    ) -> None:
        self._validate = validate
        self._serialize = serialize

    def validate(self, message: dict[str, Any]) -> None:
        """Check the message."""
        self._validate(message)

    def serialize(self, message: dict[str, Any]) -> None:
        """Convert the message."""
        self._serialize(message)


def fail(_: object) -> None:
    """Fail."""
    raise ZeroDivisionError("z")


def invalid(_: object) -> None:
    """Find fault."""
    raise ValidationError("invalid")


@pytest.fixture
def logger() -> MemoryLogger:
    """Make a logger."""
    return MemoryLogger()


class TestWrite:
    """`MemoryLogger.write`."""

    def test_keeps_everything(self, logger: MemoryLogger) -> None:
        """It keeps the very objects that it is given, in parallel lists."""
        messages = [{"message_type": "hello", "x": 1}, {"y": object()}]
        logger.write(messages[0], HELLO)
        logger.write(messages[1])

        assert messages == logger.messages
        assert [id(m) for m in messages] == [id(m) for m in logger.messages]
        assert [HELLO, None] == logger.serializers
        assert [] == logger.tracebackMessages

    def test_leaves_the_message_alone(self, logger: MemoryLogger) -> None:
        """Validation works on a copy."""
        message = {"message_type": "shout", "x": "hey"}
        logger.write(message, SHOUT)

        assert {"message_type": "shout", "x": "hey"} == message

    def test_notices_tracebacks(self, logger: MemoryLogger) -> None:
        """Messages with the serializer of tracebacks are listed apart."""
        logger.write({"x": 1})
        report = {
            "message_type": "eliot:traceback",
            "reason": ValueError(),
            "exception": ValueError,
        }
        logger.write(report, TRACEBACK_MESSAGE._serializer)

        assert [id(report)] == [id(message) for message in logger.tracebackMessages]
        assert [report] == logger.messages[1:]

    @pytest.mark.parametrize(
        ("message", "serializer"),
        [
            (None, None),
            (["x"], None),
            ({1: 2}, None),
            ({b"x": 1}, None),
            ({"x": 1}, object()),
            ({"x": 1}, Serializer(fail)),
            ({"x": 1}, Serializer(serialize=fail)),
        ],
    )
    def test_never_complains(self, logger: MemoryLogger, message: Any, serializer: Any) -> None:
        """Whatever it is given, nothing is raised and everything is kept."""
        logger.write(message, serializer)

        assert ([message], [serializer]) == (logger.messages, logger.serializers)

    def test_survives_hostile_errors(self, logger: MemoryLogger) -> None:
        """Not even if an exception has no text."""

        class HostileError(Exception):
            def __str__(self) -> str:
                raise ValueError("no")

        def hostile(_: object) -> None:
            raise HostileError

        logger.write({"x": 1}, Serializer(hostile))

        assert [{"x": 1}] == logger.messages

    def test_lets_serializers_log(self, logger: MemoryLogger) -> None:
        """A serializer may log to the same logger, even from another thread."""

        def log(_: object) -> None:
            with ThreadPoolExecutor(1) as executor:
                executor.submit(logger.write, {"inner": 1}).result()
            logger.write({"inner": 2})

        logger.write({"outer": 1}, Serializer(serialize=log))

        assert [{"inner": 1}, {"inner": 2}, {"outer": 1}] == logger.messages

    def test_takes_threads(self) -> None:
        """Ten threads lose nothing, and messages stay with their serializers."""
        logger = MemoryLogger()
        pairs = [({"thread": number}, Serializer()) for number in range(10)]

        def write(message: dict[str, Any], serializer: Serializer) -> None:
            for _ in range(10_000):
                logger.write(message, serializer)

        with ThreadPoolExecutor(10) as executor:
            for pair in pairs:
                executor.submit(write, *pair)
        numbers = [message["thread"] for message in logger.messages]

        assert [10_000] * 10 == [numbers.count(number) for number in range(10)]
        assert [pairs[number][1] for number in numbers] == logger.serializers


class TestValidate:
    """`MemoryLogger.validate`."""

    def test_accepts_what_is_right(self, logger: MemoryLogger) -> None:
        """Of messages as they should be there is nothing to say."""
        logger.write({"message_type": "hello", "x": 1}, HELLO)
        logger.write({"anything": {"goes": [1, None]}})
        logger.validate()

    @pytest.mark.parametrize(
        "message",
        [
            {"message_type": "hello", "x": "no number"},
            {"message_type": "hello"},
            {"message_type": "hello", "x": 1, "y": 2},
            {"message_type": "bye", "x": 1},
        ],
    )
    def test_finds_wrong_fields(self, logger: MemoryLogger, message: dict[str, Any]) -> None:
        """Wrong, missing and unexpected fields are invalid."""
        logger.write(message, HELLO)

        with pytest.raises(ValidationError):
            logger.validate()

    def test_finds_wrong_actions(self, logger: MemoryLogger) -> None:
        """So are those of actions."""
        ActionType("act", fields(a=int), fields(b=int))(logger, a=1).finish()

        with pytest.raises(ValidationError, match="'b' is missing"):
            logger.validate()

    @pytest.mark.parametrize(
        ("key", "error"),
        [
            (1, "1 is not unicode"),
            (None, "None is not unicode"),
            (b"x", "doesn't encode to JSON: Dict key must be str, not b'x'"),
        ],
    )
    def test_finds_wrong_keys(self, logger: MemoryLogger, key: Any, error: str) -> None:
        """The names of fields are text."""
        logger.write({key: 1})

        with pytest.raises(TypeError) as caught:
            logger.validate()

        assert error in str(caught.value)

    def test_finds_keys_that_are_no_text(self, logger: MemoryLogger) -> None:
        """Bytes have to be UTF-8 even to be found wrong; the cause says where they come from."""
        message: Any = {"\u1234".encode("utf-16"): 1}
        logger.write(message)

        with pytest.raises(UnicodeDecodeError) as caught:
            logger.validate()

        assert isinstance(caught.value.__cause__, ValidationError)
        assert "test_memory.py" in str(caught.value.__cause__)

    def test_finds_keys_that_a_serializer_makes(self, logger: MemoryLogger) -> None:
        """A serializer cannot smuggle them in."""
        logger.write({}, Serializer(serialize=lambda message: message.update(NO_TEXT)))

        with pytest.raises(TypeError, match="must be str, not 1"):
            logger.validate()

    @pytest.mark.parametrize("message", [None, ["x"], "text"])
    def test_finds_what_is_no_message(self, logger: MemoryLogger, message: Any) -> None:
        """A message is a dictionary."""
        logger.write(message)

        with pytest.raises(TypeError, match="is not a dictionary"):
            logger.validate()

    def test_finds_what_json_lacks(self) -> None:
        """Values that the caller's own default function refuses are an error."""

        def default(o: object) -> Any:
            if isinstance(o, complex):
                raise TypeError("no complex numbers here")
            return json_default(o)

        logger = MemoryLogger(json_default=default)
        logger.write({"x": {1}})
        logger.validate()
        logger.write({"x": 1 + 2j})

        with pytest.raises(
            TypeError, match=r"Message {'x': \(1\+2j\)} doesn't encode to JSON: no complex numbers"
        ):
            logger.validate()

    @pytest.mark.parametrize("value", [object(), {1: 2}, 2**70, "\ud800", b"x", Path("a")])
    def test_accepts_all_values(self, logger: MemoryLogger, value: object) -> None:
        """Eliot's own default function refuses nothing."""
        logger.write({"x": value})
        logger.validate()

    def test_may_do_without_default_function(self) -> None:
        """`None` says that there is none."""
        logger = MemoryLogger(json_default=None)
        logger.write({"x": Path("a")})

        with pytest.raises(TypeError, match="doesn't encode to JSON"):
            logger.validate()

    def test_tells_of_all_failures(self, logger: MemoryLogger) -> None:
        """The text says of each failure what was wrong and where it was logged."""
        frame = inspect.currentframe()
        assert frame is not None
        line = frame.f_lineno + 1
        logger.write({"message_type": "hello", "x": "first"}, HELLO)
        logger.write({"message_type": "hello", "x": 2}, HELLO)
        logger.write(NO_TEXT)
        with pytest.raises(ValidationError) as caught:
            logger.validate()
        first, second = str(caught.value).split("\n\n")

        assert "first" in first
        assert f'test_memory.py", line {line}, in test_tells_of_all_failures' in first
        assert "is not unicode" in second
        assert f'test_memory.py", line {line + 2}, in test_tells_of_all_failures' in second

    def test_names_the_line_that_logs(self, logger: MemoryLogger) -> None:
        """That is where the program calls Eliot, not somewhere in Eliot."""
        with start_action(logger, "act"):
            log_message("hello", **{"\ud800": object(), "__eliot_serializer__": HELLO})
        [text] = logger._failed_validations

        assert 'log_message("hello"' in text.splitlines()[-1]

    def test_raises_an_exception_of_the_same_class(self, logger: MemoryLogger) -> None:
        """Tests may expect a class of their own."""

        class OwnError(ValidationError):
            """An error of one's own."""

        def own(_: object) -> None:
            raise OwnError("x", 2)

        logger.write({}, Serializer(own))
        with pytest.raises(OwnError) as caught:
            logger.validate()

        assert "test_memory.py" in str(caught.value)
        assert ("x", 2) == caught.value.__cause__.args  # type: ignore[union-attr] # fails then

    @pytest.mark.parametrize("base", [ValidationError, TypeError])
    def test_survives_classes_of_another_shape(self, logger: MemoryLogger, base: Any) -> None:
        """If the class cannot be made of a text, its base is."""

        class OwnError(base):  # type: ignore[misc] # two classes in one test
            def __init__(self, a: int, b: int) -> None:
                super().__init__(a, b)

        def own(_: object) -> None:
            raise OwnError(1, 2)

        logger.write({}, Serializer(own))
        with pytest.raises(base) as caught:
            logger.validate()

        assert base is type(caught.value)
        assert "OwnError: (1, 2)" in str(caught.value)

    def test_passes_other_exceptions_on(self, logger: MemoryLogger) -> None:
        """They come with the list of all failures as their cause."""
        logger.write({}, Serializer(fail))
        logger.write({}, Serializer(serialize=invalid))
        with pytest.raises(ZeroDivisionError, match="z") as caught:
            logger.validate()

        assert isinstance(caught.value.__cause__, ValidationError)
        assert 2 == len(str(caught.value.__cause__).split("\n\n"))

    def test_notices_later_changes(self, logger: MemoryLogger) -> None:
        """A message that was changed after it was logged is validated as it is now."""
        message: dict[Any, Any] = {"x": 1}
        logger.write(message)
        message[1] = 2

        with pytest.raises(TypeError, match="1 is not unicode"):
            logger.validate()

    def test_shows_what_would_be_logged(self, logger: MemoryLogger) -> None:
        """Afterwards `messages` has the serialized messages."""
        logger.write({"message_type": "shout", "x": "hey"}, SHOUT)
        logger.write({"y": 1})
        logger.validate()

        assert [{"message_type": "shout", "x": "hey!"}, {"y": 1}] == logger.messages

    def test_leaves_what_was_written_alone(self, logger: MemoryLogger) -> None:
        """The dictionaries of the program stay as they were."""
        message = {"message_type": "shout", "x": "hey"}
        logger.write(message, SHOUT)
        logger.validate()

        assert {"message_type": "shout", "x": "hey"} == message

    def test_may_be_repeated(self, logger: MemoryLogger) -> None:
        """A second time changes nothing, except that newer messages are validated."""
        logger.write({"message_type": "shout", "x": "hey"}, SHOUT)
        write_traceback(logger, ValueError("v"))
        logger.validate()
        logger.write({"message_type": "shout", "x": "ho"}, SHOUT)
        logger.validate()
        logger.validate()

        assert ["hey!", "v", "ho!"] == [m.get("x") or m["reason"] for m in logger.messages]

    def test_keeps_failing(self, logger: MemoryLogger) -> None:
        """What is wrong stays wrong."""
        logger.write(NO_TEXT)
        for _ in range(2):
            with pytest.raises(TypeError):
                logger.validate()

    def test_lets_serializers_log(self, logger: MemoryLogger) -> None:
        """A serializer may log to the same logger, even from another thread."""

        def log(_: object) -> None:
            with ThreadPoolExecutor(1) as executor:
                executor.submit(logger.write, {"inner": 1}).result()

        logger.write({"outer": 1}, Serializer(serialize=log))
        logger.reset()
        logger.messages.append({"outer": 1})
        logger.serializers.append(Serializer(serialize=log))
        logger.validate()
        logger.validate()

        assert [{"outer": 1}, {"inner": 1}] == logger.messages


class TestSerialize:
    """`MemoryLogger.serialize`."""

    def test_gives_copies(self, logger: MemoryLogger) -> None:
        """It returns what would be logged, and changes nothing."""
        logger.write({"message_type": "shout", "x": "hey"}, SHOUT)

        assert [{"message_type": "shout", "x": "hey!"}] == logger.serialize()
        assert [{"message_type": "shout", "x": "hey"}] == logger.messages

    def test_is_the_same_after_validation(self, logger: MemoryLogger) -> None:
        """Nothing is serialized twice."""
        logger.write({"message_type": "shout", "x": "hey"}, SHOUT)
        before = logger.serialize()
        logger.validate()

        assert before == logger.serialize()
        assert logger.serialize()[0] is not logger.messages[0]

    @pytest.mark.parametrize("validate", [False, True])
    def test_needs_serializers(self, logger: MemoryLogger, validate: bool) -> None:
        """It is an error if a message has none."""
        assert [] == logger.serialize()
        logger.write({"x": 1})
        if validate:
            logger.validate()

        with pytest.raises(AttributeError):
            logger.serialize()


class TestFlushTracebacks:
    """`MemoryLogger.flush_tracebacks`."""

    def test_has_an_old_name(self) -> None:
        """It is the same function."""
        assert MemoryLogger.flush_tracebacks is MemoryLogger.flushTracebacks

    def test_takes_out_what_is_expected(self, logger: MemoryLogger) -> None:
        """It returns the tracebacks of a class and its subclasses, in order."""
        for error in [KeyError("1"), ValueError("2"), IndexError("3"), OSError("4")]:
            write_traceback(logger, error)
        everything = list(logger.messages)
        flushed = logger.flush_tracebacks(LookupError)

        assert [everything[0], everything[2]] == flushed
        assert [everything[1], everything[3]] == logger.tracebackMessages
        assert everything == logger.messages

    def test_takes_classes(self, logger: MemoryLogger) -> None:
        """Several classes can be given in a tuple."""
        for error in [KeyError("1"), ValueError("2"), OSError("4")]:
            write_traceback(logger, error)

        assert 2 == len(logger.flush_tracebacks((KeyError, OSError)))
        assert [] == logger.flush_tracebacks((KeyError, OSError))

    def test_works_after_validation(self, logger: MemoryLogger) -> None:
        """Validation does not turn the exceptions that are looked for into text."""
        write_traceback(logger, ValueError("v"))
        logger.validate()

        assert 1 == len(logger.flush_tracebacks(ValueError))

    def test_survives_odd_tracebacks(self, logger: MemoryLogger) -> None:
        """What tells of no exception is not what is looked for."""
        logger.write({}, TRACEBACK_MESSAGE._serializer)
        write_traceback(logger)

        assert [] == logger.flush_tracebacks(BaseException)


class TestReset:
    """`MemoryLogger.reset`."""

    def test_forgets_everything(self, logger: MemoryLogger) -> None:
        """The lists are new, old ones stay as they are."""
        logger.write(NO_TEXT)
        write_traceback(logger, ValueError("v"))
        messages, serializers = logger.messages, logger.serializers
        tracebacks = logger.tracebackMessages
        logger.reset()

        assert ([], [], []) == (logger.messages, logger.serializers, logger.tracebackMessages)
        assert [2, 2, 1] == [len(messages), len(serializers), len(tracebacks)]
        logger.validate()


class TestEncoder:
    """The deprecated encoder."""

    class Encoder(json.JSONEncoder):
        """Encodes nothing that JSON lacks, and says so."""

        def default(self, o: Any) -> Any:
            """Fail."""
            raise TypeError("no", o)

    def test_warns_the_caller(self) -> None:
        """It works still, and the line that uses it is told."""
        with pytest.warns(DeprecationWarning, match="switch to using a default function") as caught:
            logger = MemoryLogger(encoder=self.Encoder)
        logger.write({"x": {1}})

        assert [__file__] == [warning.filename for warning in caught]
        with pytest.raises(TypeError, match=r"'no', {1}"):
            logger.validate()

    def test_cannot_come_with_a_function(self) -> None:
        """The two contradict each other."""
        with pytest.warns(DeprecationWarning, match="JSON"), pytest.raises(
            RuntimeError, match="Can't pass in both encoder and default function"
        ):
            MemoryLogger(EliotJSONEncoder, lambda o: o)


def test_messages_can_be_written_again() -> None:
    """What was captured can be passed on to another logger."""
    logger, other = MemoryLogger(), MemoryLogger()
    MessageType("shout", [Field("x", str.upper)]).log(x="hey", __eliot_logger__=logger)
    log_message("plain", __eliot_logger__=logger)
    for message, serializer in zip(logger.messages, logger.serializers):
        other.write(message, serializer)

    assert (logger.messages, logger.serializers) == (other.messages, other.serializers)
    other.validate()


def test_global_fields_do_not_appear() -> None:
    """Only destinations have them."""
    logger = MemoryLogger()
    Logger._destinations.add_global_fields(g=1)
    start_action(logger, "act")

    assert "g" not in logger.messages[0]
