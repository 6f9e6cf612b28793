"""What the library writes is what the specification of the log format says."""

from __future__ import annotations

import enum
import io
import json
import logging
import re
import sys
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from typing import Any, Dict, List, Mapping, NamedTuple
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot import (
    Action,
    ActionType,
    Field,
    MessageType,
    add_destinations,
    configure,
    log_call,
    log_message,
    preserve_context,
    register_exception_extractor,
    start_action,
    start_task,
    to_file,
    write_traceback,
)
from eliot._losses import Losses
from eliot.stdlib import EliotHandler, capture_uncaught

Lines = List[Dict[str, Any]]

REFERENCE = Path(__file__).resolve().parents[1] / "docs/reference"
SCHEMA = json.loads((REFERENCE / "eliot-log.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

START = {
    "task_uuid": "u",
    "task_level": [1],
    "timestamp": 1.5,
    "action_type": "a",
    "action_status": "started",
}
MESSAGE = {"task_uuid": "u", "task_level": [1], "timestamp": 1.5, "message_type": "m"}


class Log(io.BytesIO):
    """The file that the library writes to."""

    def lines(self) -> Lines:
        """Parse what was written."""
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def log() -> Log:
    """Make everything that the test logs go to one file."""
    log = Log()
    to_file(log)
    return log


def broken(*_: object) -> Any:
    """Stand for code of the program that fails."""
    raise ValueError("broken")


def failed_action() -> None:
    """Let an exception leave two actions."""
    with pytest.raises(FileNotFoundError), start_action(action_type="outer"), start_action(
        action_type="inner"
    ):
        Path("/no/such/file").read_text("utf-8")


def handled_exception() -> None:
    """Log a traceback."""
    try:
        broken()
    except ValueError:
        write_traceback()


def no_exception() -> None:
    """Log a traceback where there is none."""
    write_traceback()


def broken_destination() -> None:
    """Log to a destination that fails."""
    add_destinations(broken)
    with start_action(action_type="a"):
        log_message("m")


def broken_serializer() -> None:
    """Log fields that cannot be serialized."""
    MessageType("m", [Field("x", broken)]).log(x=1)
    with ActionType("a", [Field("x", broken)], [Field("y", broken)])(x=1) as action:
        action.add_success_fields(y=1)


def other_threads_and_processes() -> None:
    """Continue an action elsewhere."""
    with start_action(action_type="a") as action:
        continuation = preserve_context(log_message)
        Action.continue_task(task_id=action.serialize_task_id()).finish()
    continuation("later")


def standard_logging() -> None:
    """Log by way of the standard library."""
    logger = logging.getLogger("tide")
    handler = EliotHandler()
    logger.addHandler(handler)
    logger.warning("%s is high", "tide")
    try:
        broken()
    except ValueError:
        logger.exception("caught")
    logger.removeHandler(handler)


def strange_values() -> None:
    """Log values that JSON lacks."""
    cycle: list[object] = []
    cycle.append(cycle)
    with start_task(
        action_type="a", big=2**70, nan=float("nan"), keys={1: b"\xff", None: {2}}, cycle=cycle
    ):
        log_message("m", surrogate="\ud800", obj=object(), text="line\nbreak\u2028")


def strange_types() -> None:
    """Log messages whose type is no text, or missing."""
    for strange in [None, 7, object()]:
        anything: Any = strange
        log_message(anything)
        start_action(action_type=anything).finish()
    start_action().finish()


def reserved_fields() -> None:
    """Log fields that have the names of Eliot's own."""
    with start_action(
        action_type="a", timestamp="now", task_level="top", action_status="odd", message_type="m"
    ) as action:
        log_message("m", task_uuid=7, action_status="odd")
        action.add_success_fields(exception=1, reason=2)


class OddError(Exception):
    """Has an extractor that returns Eliot's own fields."""


register_exception_extractor(
    OddError, lambda error: dict.fromkeys((*START, *MESSAGE, "exception", "reason"), 7)
)


def reserved_fields_of_an_exception() -> None:
    """Log an exception whose fields have the names of Eliot's own."""
    with suppress(OddError), start_action(action_type="a"):
        write_traceback(exc_info=OddError())
        raise OddError


def uncaught() -> None:
    """Log a warning, and what nobody caught."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = broken  # type: ignore[assignment] # one that fails
        with capture_uncaught(), suppress(ValueError):
            warnings.warn("careful", UserWarning, stacklevel=1)
    with capture_uncaught():
        sys.excepthook(ValueError, ValueError("broken"), None)


def decorated_function() -> None:
    """Log a call."""

    @log_call
    def function(a: int, *args: int, **kwargs: int) -> object:
        return a, args, kwargs

    function(1, 2, b=3)


def everything_switched_on() -> None:
    """Log what can be switched on, and silence something."""
    # Not the duration: how short ones are written differs.
    switches = {"traceback", "caller", "process", "host", "thread", "task"}
    configure(levels={"quiet": "error"}, **dict.fromkeys(switches, True))
    with suppress(ValueError), start_action("a", log_level="WARNING"), start_action("b"):
        with start_action("quiet"):
            log_message("m", log_level="debug")
        raise ValueError


STORIES = [
    failed_action,
    handled_exception,
    no_exception,
    broken_destination,
    broken_serializer,
    other_threads_and_processes,
    standard_logging,
    strange_values,
    strange_types,
    reserved_fields,
    reserved_fields_of_an_exception,
    uncaught,
    decorated_function,
    everything_switched_on,
]


class TestWhatIsWritten:
    """Whatever a program logs: the lines keep to the schema, and to the rules of the tree."""

    @pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
    def test_lines_match_schema(self, log: Log, story: Any) -> None:
        """Every line is valid."""
        story()

        assert log.lines()
        assert [] == [
            error.message for line in log.lines() for error in VALIDATOR.iter_errors(line)
        ]

    @pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
    def test_every_message_has_its_own_place(self, log: Log, story: Any) -> None:
        """No two messages have the task and the level in common."""
        story()
        places = [(line["task_uuid"], tuple(line["task_level"])) for line in log.lines()]

        assert sorted(set(places)) == sorted(places)

    @pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
    def test_actions_start_at_1_and_finish_once(self, log: Log, story: Any) -> None:
        """The level of a start message ends in 1, and each end has its start."""
        story()
        started = [
            line
            for line in log.lines()
            if line.get("action_status") == "started" and "action_type" in line
        ]
        ended = [
            line
            for line in log.lines()
            if line.get("action_status") in {"succeeded", "failed"} and "action_type" in line
        ]

        assert all(line["task_level"][-1] == 1 for line in started)
        assert sorted(map(action_of, started)) == sorted(map(action_of, ended))

    @pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
    def test_lines_are_compact_utf_8(self, log: Log, story: Any) -> None:
        """A line has no blanks, escapes or line breaks that it does not need."""
        story()
        written = log.getvalue().decode("utf-8")

        assert written.endswith("\n")
        assert written.split("\n")[:-1] == [
            json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            for line in log.lines()
        ]


def action_of(line: dict[str, Any]) -> Any:
    """Name the action that a start or end message belongs to."""
    return line["task_uuid"], line["task_level"][:-1], line["action_type"]


class TestSchema:
    """The schema says no to what is not a message."""

    def test_schema_is_a_schema(self) -> None:
        """It is valid itself, under the draft that it names."""
        assert "https://json-schema.org/draft/2020-12/schema" == SCHEMA["$schema"]
        VALIDATOR.check_schema(SCHEMA)

    @pytest.mark.parametrize(
        "wrong",
        [
            [],
            {},
            {**MESSAGE, "task_uuid": 1},
            {**MESSAGE, "task_level": []},
            {**MESSAGE, "task_level": [0]},
            {**MESSAGE, "task_level": "/1"},
            {**MESSAGE, "timestamp": "2026-11-23"},
            {**MESSAGE, "message_type": None},
            {"task_uuid": "u", "task_level": [1], "timestamp": 1.5},
            {**START, "action_type": 1},
            {**START, "action_status": "stopped"},
            {**MESSAGE, "action_type": "a", "action_status": "over"},
            {**MESSAGE, "message_type": "eliot:lost", "count": 1},
            {**START, "action_status": "failed"},
            {**START, "action_status": "failed", "exception": "builtins.ValueError"},
            {**MESSAGE, "message_type": "eliot:traceback", "exception": "e", "reason": "r"},
            {
                **MESSAGE,
                "message_type": "eliot:destination_failure",
                "exception": "e",
                "reason": "r",
            },
            {**MESSAGE, "message_type": "eliot:serialization_failure"},
            {**MESSAGE, "message_type": "eliot:stdlib", "message": "text"},
            {**MESSAGE, "message_type": "eliot:warning", "message": "text"},
            {**MESSAGE, "message_type": "eliot:uncaught"},
            {**MESSAGE, "message_type": "dask:task", "key": "k", "dependencies": "d"},
            {**MESSAGE, "message_type": "dask:reused", "key": 7},
            {**MESSAGE, "message_type": "dask:untraced"},
        ],
        ids=str,
    )
    def test_other_lines_are_refused(self, wrong: Any) -> None:
        """What lacks a field, or has one of another type, is no message."""
        assert not VALIDATOR.is_valid(wrong)

    def test_losses(self) -> None:
        """What a file says after an outage is of the declared shape."""
        losses = Losses()
        losses.add(MESSAGE)

        assert VALIDATOR.is_valid(losses.report("disk full"))

    def test_types_of_actions_in_messages(self) -> None:
        """A message may have a field of that name."""
        assert VALIDATOR.is_valid({**MESSAGE, "action_type": "a"})

    @given(
        st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.booleans()))
    )
    def test_other_fields_are_free(self, extra: dict[str, Any]) -> None:
        """A program may add whatever fields it likes."""
        assert VALIDATOR.is_valid({**extra, **START})


class TestValues:
    """The page about values tells the truth."""

    class Color(enum.Enum):
        """An example in the table."""

        RED = "red"

    @dataclass
    class Account:
        """An example in the table."""

        owner: str
        _secret: str

    class Point(NamedTuple):
        """An example in the table."""

        x: int
        y: int

    NAMES: Mapping[str, object] = {
        "Account": Account,
        "Color": Color,
        "Decimal": Decimal,
        "Point": Point,
        "PurePosixPath": PurePosixPath,
        "UUID": UUID,
        "datetime": datetime,
        "ip_address": ip_address,
        "timedelta": timedelta,
    }

    ROWS = re.findall(
        r"^   \* - .*\n(?:     .*\n)*?     - ``(.*)``\n     - ``(.*)``\n",
        (REFERENCE / "values.rst").read_text("utf-8").partition("What cannot be kept")[0],
        re.MULTILINE,
    )

    def test_table_is_found(self) -> None:
        """The table has a row for each kind of value."""
        assert 23 == len(self.ROWS)

    @pytest.mark.parametrize(("example", "expected"), ROWS)
    def test_value_becomes_what_the_table_says(self, log: Log, example: str, expected: str) -> None:
        """The example of the row gives the JSON of the row."""
        log_message("m", value=eval(example, dict(self.NAMES)))  # noqa: S307 - our own page
        [line] = log.getvalue().decode("utf-8").splitlines()

        assert f'"value":{expected},' in line
