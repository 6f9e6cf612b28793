"""Logging from anywhere: signal handlers, finalizers, destinations, exits, the last frames."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from eliot import (
    Field,
    MemoryLogger,
    MessageType,
    add_destinations,
    configure,
    log_message,
    register_exception_extractor,
    start_action,
    start_task,
    status,
    to_file,
    write_traceback,
)
from eliot._depth import MAX_DEPTH
from eliot._errors import _error_extraction
from eliot._later import LATER
from eliot.parse import Parser

Message = Dict[str, Any]
Log = Callable[[], List[Message]]

#: Logs from the handler of a signal that comes all the time, in the middle of logging.
STORM = """
import os, signal, sys, threading
import eliot
from eliot import MemoryLogger, log_message, start_action, to_file

handled = 0
inside = False

def handle(*_):
    global handled, inside
    if inside:
        return
    inside = True
    with start_action(action_type="handler"):
        log_message("handled", data="x" * (10 if handled % 10 else 20_000))
    handled += 1
    inside = False

def weather(kind):
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    logged = 0
    while handled < 300:
        with start_action(action_type="main"):
            log_message("logged", data="x" * (10 if logged % 10 else 20_000))
        logged += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(handled, logged, file=sys.stderr)
"""

FILES = {
    "path": 'to_file("eliot.log")',
    "watched": 'to_file("eliot.log", watch=True)',
    "text": 'to_file(open("eliot.log", "w", encoding="utf-8"))',
    "latin-1": 'to_file(open("eliot.log", "w", encoding="latin-1"))',
    "buffered": 'to_file(open("eliot.log", "wb"))',
    "stdout": "to_file(sys.stdout)",
}


@pytest.mark.parametrize("kind", FILES)
def test_signal_handlers(run_program: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    """What signal handlers log in the middle of logging is there, as is what they interrupt."""
    result = run_program(f"{STORM}\n{FILES[kind]}\nweather({kind!r})")
    handled, logged = map(int, result.stderr.split())
    text = result.stdout if kind == "stdout" else (tmp_path / "eliot.log").read_text()
    messages = [json.loads(line) for line in text.splitlines()]
    places = {(each["task_uuid"], *each["task_level"]) for each in messages}

    assert len(places) == len(messages) == 3 * (handled + logged)
    assert not [task for task in Parser.parse_stream(messages) if not task.is_complete()]


def test_signal_handlers_and_memory_logger(run_program: Callable[..., Any]) -> None:
    """The logger of tests takes what signal handlers log, too."""
    result = run_program(
        f"""{STORM}
logger = eliot._output._DEFAULT_LOGGER = MemoryLogger()
weather("memory")
print(len(logger.messages))
"""
    )
    handled, logged = map(int, result.stderr.split())

    assert int(result.stdout) == 3 * (handled + logged)


def test_signal_handlers_and_a_pipe(run_program: Callable[..., Any], tmp_path: Path) -> None:
    """Lines to a pipe that is full most of the time are whole."""
    result = run_program(
        f"""{STORM}
import subprocess
with open("eliot.log", "wb") as target:
    cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=target, bufsize=0)
    to_file(cat.stdin)
    weather("pipe")
    cat.communicate()
"""
    )
    handled, logged = map(int, result.stderr.split())
    lines = (tmp_path / "eliot.log").read_text().splitlines()

    assert len([json.loads(line) for line in lines]) == 3 * (handled + logged)


def test_signal_handlers_during_outages(run_program: Callable[..., Any], tmp_path: Path) -> None:
    """Losses are counted once each, also when a signal comes while they are counted or told."""
    result = run_program(
        f"""{STORM}
import threading
to_file("eliot.log")
full = os.open("/dev/full", os.O_WRONLY)
descriptor = eliot.status().destinations[0].destination.file.fileno()
regular = os.dup(descriptor)
stop = threading.Event()

def flap():
    while not stop.is_set():
        os.dup2(full, descriptor)
        os.dup2(regular, descriptor)

thread = threading.Thread(target=flap)
thread.start()
weather("outages")
stop.set()
thread.join()
log_message("last")
"""
    )
    numbers = [line for line in result.stderr.splitlines() if not line.startswith("eliot: ")]
    handled, logged = map(int, numbers[0].split())
    lines = (tmp_path / "eliot.log").read_text().splitlines()
    messages = [json.loads(line) for line in lines]
    told = [each for each in messages if each.get("message_type") == "eliot:lost"]
    kept = [each for each in messages if not each.get("message_type", "").startswith("eliot:")]

    assert told
    assert len(kept) + sum(each["count"] for each in told) == 3 * (handled + logged) + 1


def test_finalizers(run_program: Callable[..., Any], log: Log) -> None:
    """What `__del__` logs, whenever the garbage collector comes, is there."""
    run_program(
        """
        import gc
        from eliot import log_message, start_action, to_file

        class Node:
            def __init__(self, number):
                self.me = self
                self.number = number

            def __del__(self):
                with start_action(action_type="collected"):
                    log_message("finalized", number=self.number)

        if hasattr(gc, "set_threshold"):  # PyPy's has none
            gc.set_threshold(3, 1, 1)
        to_file("eliot.log")
        for number in range(500):
            Node(number)
            log_message("made", number=number, data=[[], {}, [{}]])
        gc.collect()
        gc.collect()
        """
    )
    kinds = [each["number"] for each in log() if each.get("message_type") == "finalized"]

    assert sorted(kinds) == list(range(500))


def test_end_of_the_interpreter(run_program: Callable[..., Any], log: Log) -> None:
    """Functions of `atexit`, threads that outlive the program, and last objects can log."""
    run_program(
        """
        import atexit, threading
        from eliot import log_message, start_action, to_file

        class Last:
            def __init__(self, name):
                self.log = log_message
                self.name = name

            def __del__(self):
                self.log("finalized", name=self.name)

        @atexit.register
        def at_exit():
            with start_action(action_type="at exit"):
                log_message("exiting")

        ended = threading.Event()

        def outlive():
            ended.wait()
            log_message("outlived")

        to_file("eliot.log")
        threading.Thread(target=outlive).start()
        last = Last("global")
        log_message.__dict__["kept"] = Last("kept")
        ended.set()
        """
    )
    kinds = {each.get("message_type", each.get("action_type")) for each in log()}

    assert kinds >= {"exiting", "at exit", "outlived"}


class TestUserCode:
    """Code of the program that Eliot calls may log."""

    def test_destination_that_logs(self) -> None:
        """A destination that logs on each message is stopped where it would go on for ever."""
        messages: List[Message] = []

        def echo(message: Message) -> None:
            log_message("echo")

        add_destinations(echo, messages.append)
        for _ in range(10):
            log_message("hello")
        kinds = [message["message_type"] for message in messages]

        assert kinds.count("hello") == 10
        assert (
            10 * (MAX_DEPTH - 1) <= kinds.count("echo") <= 10 * MAX_DEPTH
        )  # the last one reaches no destination in Python
        assert status().destinations[0].failed >= 10

    def test_destination_that_logs_and_fails(self) -> None:
        """A destination that logs and then fails is reported, and stopped as well."""
        messages: List[Message] = []

        def echo(message: Message) -> None:
            log_message("echo")
            raise ValueError("broken")

        add_destinations(echo, messages.append)
        log_message("hello")
        kinds = [message["message_type"] for message in messages]

        assert kinds.count("hello") == 1
        assert len(kinds) < 200

    def test_file_that_logs(self) -> None:
        """A file that logs when it is written to is not written to for ever."""
        lines: List[bytes] = []

        class Chatty:
            def write(self, data: bytes) -> None:
                if data:
                    lines.append(data)
                    log_message("written")

        to_file(Chatty())
        for _ in range(10):
            log_message("hello")
        kinds = [json.loads(line)["message_type"] for line in lines]

        assert kinds.count("hello") == 10
        assert len(kinds) < 2000

    def test_serializer_and_extractor_that_log(self) -> None:
        """A serializer and an extractor that log what they are called for are stopped, too."""
        messages: List[Message] = []
        add_destinations(messages.append)

        def serialize(value: object) -> object:
            kind.log(x=value)
            return value

        class OwnError(Exception):
            pass

        def extract(error: OwnError) -> Dict[str, Any]:
            write_traceback(exc_info=error)
            return {"extracted": True}

        kind = MessageType("own", [Field("x", serialize)])
        register_exception_extractor(OwnError, extract)
        kind.log(x=1)
        try:
            raise OwnError
        except OwnError:
            write_traceback()
        del _error_extraction.registry[OwnError]

        assert 5 <= len(messages) < 500


class TestMemoryError:
    """Where there is no memory, the program goes on."""

    def test_everything_that_is_called(self, tmp_path: Path) -> None:
        """A destination, a default function, and a serializer without memory disturb nobody."""
        messages: List[Message] = []

        def fail(_: object) -> Any:
            raise MemoryError

        path = tmp_path / "eliot.log"
        with path.open("wb") as file:
            to_file(file, json_default=fail)
            add_destinations(fail, messages.append)
            log_message("hello", x=object())
            MessageType("own", [Field("x", fail)]).log(x=1)
            for _ in range(3):
                log_message("next")
        kinds = [json.loads(line)["message_type"] for line in path.read_bytes().splitlines()]

        assert [kind for kind in kinds if not kind.startswith("eliot:")] == [
            "hello",
            "own",
            *["next"] * 3,
        ]
        assert [message["message_type"] for message in messages].count("next") == 3


def descend(depth: int, f: Callable[[], object]) -> object:
    """Call a function at some depth of the stack."""
    return f() if depth == 0 else descend(depth - 1, f)


def helper() -> int:
    """Do what any function does."""
    return inner_helper()


def inner_helper() -> int:
    """Do the same, two calls deep, with something built in."""
    return max(1, 2)


def to_two(path: Path) -> None:
    """Log to a function, too, so that there is no short way for messages."""
    to_file(path)
    add_destinations(lambda _: helper())


def to_more(path: Path) -> None:
    """Log to a file, with all that can be switched on."""
    to_file(path)
    switches: Any = ("duration", "traceback", "caller", "process", "host", "thread", "task")
    configure(levels={"quiet": "error"}, **dict.fromkeys(switches, True))


KINDS: Dict[str, Callable[[Path], object]] = {
    "path": lambda path: to_file(str(path)),
    "watched": lambda path: to_file(path, watch=True),
    "text": lambda path: to_file(path.open("w", encoding="utf-8")),
    "latin-1": lambda path: to_file(path.open("w", encoding="latin-1")),
    "two": to_two,
    "more": to_more,
}


@pytest.mark.parametrize("kind", KINDS)
def test_recursion_limit(  # noqa: C901 - most of it is one logging call after the other
    tmp_path: Path, kind: str
) -> None:
    """At whatever depth a function is that can call others, it can log, and it is in the log."""
    path = tmp_path / "eliot.log"
    KINDS[kind](path)
    raised: List[object] = []
    expected: Dict[int, int] = {}

    def log(number: int) -> None:
        try:
            helper()
        except RecursionError:
            return
        expected[number] = 0
        try:
            log_message("message", number=number)
            outer.log("method", number=number)
            with start_action(action_type="inner", number=number) as inner:
                log_message("in it", number=number)
                with start_task(action_type="task", number=number):
                    log_message("in task", number=number)
                inner.add_success_fields(x=1)
        except RecursionError as error:
            raised.append((number, error.__traceback__.tb_next.tb_lineno))  # type: ignore[union-attr] # it has one

    depth, frame = 0, sys._getframe()
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 200)
    try:
        with start_action(action_type="outer") as outer:
            for number in range(120, 200):
                try:
                    descend(number, lambda number=number: log(number))  # type: ignore[misc] # its default
                except RecursionError:
                    break
    finally:
        sys.setrecursionlimit(limit)
    log_message("after")
    messages = [json.loads(line) for line in path.read_bytes().splitlines()]
    for message in messages:
        if "number" in message:
            expected[message["number"]] += 1
    tasks = list(Parser.parse_stream(messages))
    for each in status().destinations:
        if hasattr(each.destination, "file"):
            each.destination.file.close()  # type: ignore[attr-defined,unused-ignore] # see above

    assert raised == []
    assert set(expected.values()) == {6}
    assert len(expected) > 60
    assert [task for task in tasks if not task.is_complete()] == []
    assert not LATER


class SelfLogging:
    """Logs itself whenever it is asked what it is."""

    def __init__(self, log: Callable[[Any], object]) -> None:
        self.log = log
        self.depth = self.deepest = 0

    def __repr__(self) -> str:
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.depth < 20:
            self.log(self)
        self.depth -= 1
        return "me"


class SelfLoggingError(SelfLogging, Exception):
    """Does the same when it is asked for its text."""

    def __str__(self) -> str:
        return repr(self)


def broken(_: object) -> None:
    """Fail: a destination, or a serializer."""
    raise ValueError


def test_reports_about_what_logs_itself() -> None:
    """What logs itself in the text of a report about itself is stopped."""
    typed = MessageType("typed", [Field("it", broken)])
    memory = MemoryLogger(json_default=broken)
    about: List[Any] = [
        SelfLogging(lambda it: typed.log(it=it)),
        SelfLogging(lambda it: memory.write({"it": it})),
        SelfLoggingError(lambda it: write_traceback(exc_info=it)),
        SelfLogging(lambda it: log_message("untyped", it=it)),
    ]
    taken: List[Message] = []
    add_destinations(taken.append)
    for it in about[:-1]:
        it.log(it)
    add_destinations(broken)
    about[-1].log(about[-1])

    assert all(1 < it.deepest <= MAX_DEPTH + 1 for it in about), [it.deepest for it in about]
