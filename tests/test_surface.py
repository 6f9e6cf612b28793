"""The shop window: what programs written for Eliot 1.18 import is where they look for it."""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
from types import ModuleType
from typing import Any, Callable, Dict, List

import pytest
from pyrsistent import PClass, field
from zope.interface import Interface
from zope.interface.verify import verifyClass

import eliot
import eliot._action
import eliot._errors
import eliot._message
import eliot._output
import eliot._traceback
import eliot._validation
import eliot.json
import eliot.parse
import eliot.testing
from eliot import start_action
from eliot._output import *  # noqa: F403 - as programs do; what must come with it is tested
from eliot.prettyprint import pretty_format

NAMES = {
    "eliot": """Action ActionType Field FileDestination ILogger Logger MemoryLogger Message
        MessageType ValidationError addDestination addGlobalFields add_destination
        add_destinations add_global_fields current_action fields log_call log_message
        preserve_context register_exception_extractor removeDestination remove_destination
        startAction startTask start_action start_task to_file use_asyncio_context writeFailure
        writeTraceback write_failure write_traceback __version__ _parse
        _action _errors _message _output _traceback _util _validation json parse""",
    "eliot._action": """Action TaskLevel WrittenAction current_action start_action startTask
        log_call log_message preserve_context ACTION_STATUS_FIELD ACTION_TYPE_FIELD
        STARTED_STATUS SUCCEEDED_STATUS FAILED_STATUS VALID_STATUSES TASK_UUID_FIELD
        TASK_LEVEL_FIELD TIMESTAMP_FIELD MESSAGE_TYPE_FIELD EXCEPTION_FIELD REASON_FIELD
        TooManyCalls WrongTask WrongTaskLevel WrongActionType InvalidStatus DuplicateChild
        InvalidStartMessage WrittenMessage""",
    "eliot._message": """Message WrittenMessage MESSAGE_TYPE_FIELD TASK_UUID_FIELD
        TASK_LEVEL_FIELD TIMESTAMP_FIELD EXCEPTION_FIELD REASON_FIELD log_message TaskLevel""",
    "eliot._output": """Logger MemoryLogger ILogger FileDestination to_file Destinations
        BufferingDestination DESTINATION_FAILURE json_default write_traceback _DEFAULT_LOGGER
        _safe_unicode_dictionary""",
    "eliot._validation": """ValidationError Field fields MessageType ActionType
        _MessageSerializer _ActionSerializers RESERVED_FIELDS REASON TRACEBACK EXCEPTION""",
    "eliot._traceback": "write_traceback writeFailure TRACEBACK_MESSAGE _writeTracebackMessage",
    "eliot._errors": """register_exception_extractor get_fields_for_exception ErrorExtraction
        _error_extraction""",
    "eliot._generators": "eliot_friendly_generator_function GeneratorSupportNotEnabled",
    "eliot._util": "safeunicode saferepr load_module",
    "eliot._parse": "Parser Task TaskLevel WrittenMessage WrittenAction",
    "eliot.parse": "Parser Task TaskLevel WrittenMessage WrittenAction",
    "eliot.testing": """capture_logging validate_logging validateLogging LoggedAction
        LoggedMessage assertContainsFields assertHasMessage assertHasAction swap_logger
        check_for_errors UnflushedTracebacks issuperset COMPLETED_STATUSES MemoryLogger
        EliotJSONEncoder""",
    "eliot.json": """json_default EliotJSONEncoder _dumps_bytes _dumps_unicode
        _encoder_to_default_function""",
    "eliot.prettyprint": "pretty_format compact_format REQUIRED_FIELDS _main",
    "eliot.filter": "EliotFilter main USAGE",
    "eliot.serializers": "timestamp identity md5hex",
    "eliot.tai64n": "encode decode",
    "eliot.stdlib": "EliotHandler",
}


@pytest.mark.parametrize("module", NAMES)
def test_names(module: str) -> None:
    """The module has each of the names."""
    missing = [
        name for name in NAMES[module].split() if not hasattr(importlib.import_module(module), name)
    ]

    assert [] == missing


@pytest.mark.parametrize("module", [eliot, eliot._output], ids=lambda module: module.__name__)
def test_lists_what_it_has(module: ModuleType) -> None:
    """dir() and __all__ know the names that come late; no other name is invented."""
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="nonsense"):
        module.nonsense  # noqa: B018 - it is the access that fails


def test_all_of_the_package() -> None:
    """__all__ has all names that are no submodules, and a single one that is."""
    names = set(NAMES["eliot"].split())
    submodules = {name for name in names if isinstance(getattr(eliot, name), ModuleType)}

    assert names - submodules <= set(eliot.__all__)
    assert {"_parse"} == submodules & set(eliot.__all__)


@pytest.mark.parametrize(
    "name",
    ["eliot._bytesjson", "eliot._action._context", "eliot._action._ExecutionContext"],
)
def test_names_of_long_ago(name: str) -> None:
    """What was gone in 1.18 does not come back."""
    module, _, attribute = name.rpartition(".")

    assert not hasattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (
            start_action(eliot.MemoryLogger(), "a"),
            "_start _identification _task_level _logger _nextTaskLevel _serializers",
        ),
        (eliot.MessageType("m", []), "_serializer"),
        (eliot.ActionType("a", [], []), "_serializers _start_action _startTask"),
        (eliot._errors.ErrorExtraction(), "registry"),
        (eliot._output.Destinations(), "_destinations _any_added _globalFields"),
        (eliot._output.BufferingDestination(), "messages"),
    ],
)
def test_private_attributes(owner: object, names: str) -> None:
    """Objects have the private attributes that published suites look at."""
    assert [] == [name for name in names.split() if not hasattr(owner, name)]


def test_star_import_of_the_old_door() -> None:
    """`from eliot._output import *` gives the names that programs rely on."""
    assert set(NAMES["eliot._output"].split()) <= set(globals())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("startAction", "start_action"),
        ("startTask", "start_task"),
        ("writeTraceback", "write_traceback"),
        ("writeFailure", "write_failure"),
        ("removeDestination", "remove_destination"),
        ("addGlobalFields", "add_global_fields"),
        ("addDestination", "add_destination"),
    ],
)
def test_old_spellings(old: str, new: str) -> None:
    """The old spelling is the same object, or an equal bound method."""
    assert getattr(eliot, new) == getattr(eliot, old)


@pytest.mark.parametrize(
    ("owner", "old", "new"),
    [
        (eliot.Action, "addSuccessFields", "add_success_fields"),
        (eliot.Action, "serializeTaskId", "serialize_task_id"),
        (eliot.Action, "continueTask", "continue_task"),
        (eliot.MemoryLogger, "flushTracebacks", "flush_tracebacks"),
        (eliot.Field, "forValue", "for_value"),
        (eliot.Field, "forTypes", "for_types"),
        (eliot.ActionType, "asTask", "as_task"),
        (eliot.parse.TaskLevel, "toString", "to_string"),
        (eliot.parse.TaskLevel, "fromString", "from_string"),
    ],
)
def test_old_methods(owner: type, old: str, new: str) -> None:
    """The old spelling of a method is the same function."""
    assert getattr(owner, new) == getattr(owner, old)


def test_one_object_each() -> None:
    """A class is the same one at all its addresses, so that isinstance() may mix them."""
    assert sys.modules["eliot._parse"] is sys.modules["eliot.parse"] is eliot._parse
    assert eliot.parse.WrittenAction is eliot._action.WrittenAction
    assert eliot.parse.WrittenMessage is eliot._message.WrittenMessage
    assert eliot.parse.TaskLevel is eliot._action.TaskLevel is eliot._message.TaskLevel
    assert eliot.Action is eliot._action.Action
    assert eliot._output.write_traceback is eliot._traceback.write_traceback
    assert eliot.FileDestination is eliot._output.FileDestination
    assert eliot.json.json_default is eliot._output.json_default
    assert eliot.MemoryLogger is eliot._output.MemoryLogger is eliot.testing.MemoryLogger
    assert eliot.json.EliotJSONEncoder is eliot.testing.EliotJSONEncoder
    assert eliot.testing.validate_logging is eliot.testing.validateLogging


def test_bindings_of_the_fan_out() -> None:
    """The functions of the package are methods of the one object that all loggers share."""
    destinations = eliot.Logger._destinations

    assert destinations.add == eliot.add_destinations
    assert destinations.remove == eliot.remove_destination
    assert destinations.addGlobalFields == eliot.add_global_fields
    assert eliot._errors._error_extraction.register_exception_extractor == (
        eliot.register_exception_extractor
    )


def test_constants() -> None:
    """The names of fields and statuses have their values."""
    assert (
        "action_status", "action_type", "started", "succeeded", "failed",
        "task_uuid", "task_level", "timestamp", "message_type", "exception", "reason",
    ) == tuple(
        getattr(eliot._action, name)
        for name in (
            "ACTION_STATUS_FIELD", "ACTION_TYPE_FIELD", "STARTED_STATUS", "SUCCEEDED_STATUS",
            "FAILED_STATUS", "TASK_UUID_FIELD", "TASK_LEVEL_FIELD", "TIMESTAMP_FIELD",
            "MESSAGE_TYPE_FIELD", "EXCEPTION_FIELD", "REASON_FIELD",
        )
    )  # fmt: skip
    assert ("started", "succeeded", "failed") == eliot._action.VALID_STATUSES
    assert "eliot:destination_failure" == eliot._output.DESTINATION_FAILURE
    assert ("task_level", "task_uuid", "timestamp") == eliot._validation.RESERVED_FIELDS


MESSAGE_LOG = (
    "Message.log() is deprecated since 1.11.0, use Action.log() or eliot.log_message() instead."
)
MESSAGE_TYPE = "MessageType.__call__() is deprecated since 1.11.0, use MessageType.log() instead."
ENCODER = (
    "Using a JSON encoder subclass is no longer supported, "
    "please switch to using a default function"
)
CALLED = eliot.MessageType("m", [])


class Encoder(json.JSONEncoder):
    """An encoder of the deprecated kind."""


class TestDeprecated:
    """What is deprecated says so, each time, and blames the line that called it."""

    @pytest.mark.parametrize(
        ("call", "text"),
        [
            (
                lambda: eliot.addDestination(print),
                "add_destination is deprecated since 1.1.0. Use add_destinations instead.",
            ),
            (
                lambda: eliot.Message.new(x=1),
                "Message.new() is deprecated since 1.11.0, use eliot.log_message() instead.",
            ),
            (lambda: eliot.Message.log(x=1), MESSAGE_LOG),
            (lambda: CALLED(), MESSAGE_TYPE),  # noqa: PLW0108 - the line that calls
            (lambda: eliot.FileDestination(io.StringIO(), encoder=Encoder), ENCODER),
            (lambda: eliot.MemoryLogger(encoder=Encoder), ENCODER),
        ],
    )
    def test_blames_the_caller(self, call: Callable[[], object], text: str) -> None:
        """Each of them warns, in the words that are known."""
        for _ in range(2):
            with pytest.warns(DeprecationWarning, match=re.escape(text)) as caught:
                call()

            assert [(__file__, text)] == [
                (warning.filename, str(warning.message)) for warning in caught
            ]

    def test_encoder_of_a_file(self) -> None:
        """`to_file` hands the encoder on; the line that does is the one that is known."""
        with pytest.warns(DeprecationWarning, match="JSON encoder subclass") as caught:
            eliot.to_file(io.StringIO(), encoder=Encoder)

        assert [eliot._output.__file__] == [warning.filename for warning in caught]

    def test_add_destination(self) -> None:
        """It adds the destination all the same."""
        messages: List[Dict[str, Any]] = []
        with pytest.warns(
            DeprecationWarning,
            match="^add_destination is deprecated since 1.1.0. Use add_destinations instead.$",
        ) as caught:
            eliot.add_destination(messages.append)

        eliot.log_message("hello")
        assert __file__ == caught[0].filename
        assert ["hello"] == [message["message_type"] for message in messages]

    def test_use_asyncio_context(self) -> None:
        """It does nothing."""
        with pytest.warns(
            DeprecationWarning, match="^This function is no longer as needed as of Eliot 1.8.0.$"
        ) as caught:
            eliot.use_asyncio_context()

        assert __file__ == caught[0].filename


class TestPublishedUses:
    """Uses seen in published programs."""

    def test_subclass_of_file_destination(self) -> None:
        """FileDestination is a PClass, which programs extend and make without its constructor."""

        class Reopening(eliot.FileDestination):
            path: Any = field(mandatory=True)

        file = io.BytesIO()
        made = eliot.FileDestination(file=file)
        destination = PClass.__new__(
            Reopening,
            file=file,
            _dumps=made._dumps,
            _linebreak=made._linebreak,
            _json_default=made._json_default,
            path="a",
        )
        destination({"x": 1})

        assert (b'{"x":1}\n', "a") == (file.getvalue(), destination.path)

    def test_clearing_destinations_by_hand(self) -> None:
        """The list of destinations may be emptied, and added to afterwards."""
        eliot.add_destinations(lambda message: None)
        del eliot.Logger._destinations._destinations[:]
        messages: List[Dict[str, Any]] = []
        eliot.Logger._destinations.add(messages.append)
        eliot.log_message("hello")

        assert 1 == len(messages)

    def test_raw_dictionaries(self) -> None:
        """What is written to the default logger comes out as it went in."""
        messages: List[Dict[str, Any]] = []
        eliot.add_destinations(messages.append)
        eliot._output._DEFAULT_LOGGER.write({"anything": 1})

        assert [{"anything": 1}] == messages

    def test_default_logger_is_looked_up_late(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Tests replace the default logger; messages captured there can be written again."""
        logger = eliot.MemoryLogger()
        monkeypatch.setattr(eliot._output, "_DEFAULT_LOGGER", logger)
        eliot.log_message("hello")
        again = eliot.MemoryLogger()
        for message, serializer in zip(logger.messages, logger.serializers):
            again.write(message, serializer)

        assert logger.messages == again.messages

    def test_real_interface(self) -> None:
        """ILogger is an interface of zope, which both loggers declare."""
        assert issubclass(type(eliot.ILogger), type(Interface))
        assert eliot.ILogger.providedBy(eliot.Logger())
        assert verifyClass(eliot.ILogger, eliot.Logger)
        assert verifyClass(eliot.ILogger, eliot.MemoryLogger)

    def test_action_made_by_hand(self) -> None:
        """Programs make actions, and log their start message, by themselves."""
        logger = eliot.MemoryLogger()
        action = eliot.Action(
            logger=logger,
            task_uuid="u",
            task_level=eliot.parse.TaskLevel(level=[]),
            action_type="a",
        )
        action._start({"x": 1})
        with action:
            pass

        assert [[1], [2]] == [message["task_level"] for message in logger.messages]
        assert 1 == logger.messages[0]["x"]

    def test_validation_error_is_plain(self) -> None:
        """Validators raise it with any arguments."""
        assert ("text",) == eliot.ValidationError("text").args
        assert (1, "text") == eliot.ValidationError(1, "text").args
        assert Exception is eliot.ValidationError.__base__

    def test_keywords_of_types(self) -> None:
        """Types are declared with these keywords."""
        messages: List[Dict[str, Any]] = []
        eliot.add_destinations(messages.append)
        declared = eliot.ActionType(
            action_type="a",
            startFields=[eliot.Field(key="x", serializer=str, description="X")],
            successFields=[eliot.Field.for_types("y", [int], "Y", extraValidator=None)],
            description="Something.",
        )
        eliot.MessageType(message_type="m", fields=[], description="Something.").log()
        with declared(x=1) as action:
            action.add_success_fields(y=2)

        assert ["m", "a", "a"] == [m.get("message_type") or m["action_type"] for m in messages]
        assert ("1", 2) == (messages[1]["x"], messages[2]["y"])

    def test_logger_may_be_a_field(self) -> None:
        """Messages that are made first may have a field of that name, and any logger or none."""
        messages: List[Dict[str, Any]] = []
        eliot.add_destinations(messages.append)
        logger = eliot.MemoryLogger()
        with pytest.warns(DeprecationWarning, match="Message.new"):
            message = eliot.Message.new(message_type="m", logger="x", n=1)
        message.write(None)
        message.write(logger)

        assert ["x", "x"] == [m["logger"] for m in [*messages, *logger.messages]]


class TestReaders:
    """What programs that read logs do with the classes of `eliot.parse`."""

    @pytest.fixture
    def task(self) -> eliot.parse.Task:
        """Log a task, and parse it."""
        logger = eliot.MemoryLogger()
        with start_action(logger, "a", x=1) as action:
            action.log("m", y=2)
        [task] = eliot.parse.Parser.parse_stream(logger.messages)
        return task

    def test_contents(self, task: eliot.parse.Task) -> None:
        """They have attributes, and are mappings."""
        action: Any = task.root()
        contents = action.start_message.contents

        assert ("a", 1) == (contents.action_type, contents["x"])
        assert {"action_type", "action_status", "x"} == {key for key, _ in contents.items()}
        assert "x" in contents
        assert "y" not in contents

    def test_levels(self, task: eliot.parse.Task) -> None:
        """They have a text, and can be joined by hand."""
        action: Any = task.root()
        level = action.children[0].task_level

        assert "/2" == level.to_string() == "/" + "/".join(map(str, level.level))

    def test_are_true(self, task: eliot.parse.Task) -> None:
        """So that those that are missing can be filtered out."""
        action: Any = task.root()
        nodes = list(
            filter(None, [None, action.start_message, *action.children, action.end_message])
        )

        assert [action.start_message, *action.children, action.end_message] == nodes
        assert isinstance(action, eliot._action.WrittenAction)
        assert all(isinstance(node, eliot._message.WrittenMessage) for node in nodes)

    def test_are_messages(self, task: eliot.parse.Task) -> None:
        """As a dictionary, what was read is what can be shown."""
        action: Any = task.root()
        text = pretty_format(action.children[0].as_dict())

        assert "message_type: 'm'" in text
        assert "y: 2" in text


def test_readers_are_opened_late() -> None:
    """The readers are there as soon as somebody asks for them, under both names."""
    open_late = vars(eliot)["__getattr__"]

    assert eliot.parse is open_late("parse")
    assert eliot._parse is open_late("_parse")
