"""Tests of `eliot.stdlib`: standard logging in both directions, and what nobody caught."""

from __future__ import annotations

import json
import logging
import pickle
import socket
import subprocess
import sys
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from itertools import count
from logging.handlers import (
    BufferingHandler,
    HTTPHandler,
    RotatingFileHandler,
    SocketHandler,
    SysLogHandler,
    TimedRotatingFileHandler,
)
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List
from urllib.parse import parse_qs
from uuid import uuid4

import pytest

from eliot import BackgroundWriter, add_destinations, log_message, start_action, start_task
from eliot.json import encode
from eliot.prettyprint import compact_format
from eliot.stdlib import EliotHandler, HandlerDestination, TaskFilter, capture_uncaught

Messages = List[Dict[str, Any]]


@pytest.fixture
def messages() -> Messages:
    """Collect what is logged."""
    result: Messages = []
    add_destinations(result.append)
    return result


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Make a logger with an `EliotHandler`; nothing goes to its ancestors."""
    logger = logging.getLogger(f"{__name__}.{uuid4()}")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(EliotHandler())
    yield logger
    logger.handlers.clear()


def numbers_in(folder: Path) -> List[int]:
    """Collect the numbers in the lines of all log files of a folder."""
    lines = [line for file in folder.iterdir() for line in file.read_text("utf-8").splitlines()]
    return sorted(json.loads(line)["number"] for line in lines)


class TestEliotHandler:
    """Log records become messages."""

    def test_all_that_a_record_knows(self, logger: logging.Logger, messages: Messages) -> None:
        """Level, logger, place, thread, process, template and arguments come along."""
        logger.warning("%s is %d", "answer", 42)

        [message] = messages
        assert {
            "message_type": "eliot:stdlib",
            "log_level": "WARNING",
            "logger": logger.name,
            "message": "answer is 42",
            "message_template": "%s is %d",
            "message_args": ("answer", 42),
            "file": __file__,
            "function": "test_all_that_a_record_knows",
            "thread": threading.current_thread().name,
            "process": logging.LogRecord("", 0, "", 0, "", (), None).process,
        } == {
            key: value
            for key, value in message.items()
            if key not in ("task_uuid", "task_level", "timestamp", "line")
        }
        assert message["line"] > 0

    def test_extra(self, logger: logging.Logger, messages: Messages) -> None:
        """What the caller added to the record is a field of its own."""
        logger.info("hello", extra={"user": 7, "task_uuid": "mine"})

        assert {"user": 7, "task_uuid": "mine"} == messages[0]["extra"]
        assert "message_template" not in messages[0]

    def test_stack_info(self, logger: logging.Logger, messages: Messages) -> None:
        """The stack is told if it was asked for."""
        logger.info("hello", stack_info=True)
        logger.info("hello")

        assert "test_stack_info" in messages[0]["stack_info"]
        assert "stack_info" not in messages[1]

    def test_exception_of_another_process(self, logger: logging.Logger, messages: Messages) -> None:
        """Of an exception that was sent there is only the text."""
        try:
            raise ZeroDivisionError("division by zero")
        except ZeroDivisionError:
            info = sys.exc_info()
        record = logging.LogRecord("", logging.ERROR, __file__, 1, "went wrong", None, info)
        sent = SocketHandler("localhost", 1).makePickle(record)[4:]
        logger.handle(record)
        logger.handle(logging.makeLogRecord(pickle.loads(sent)))  # noqa: S301 - made above

        assert ["eliot:stdlib", "eliot:traceback", "eliot:stdlib"] == [
            message["message_type"] for message in messages
        ]
        assert "exc_text" not in messages[0]
        assert "ZeroDivisionError: division by zero" in messages[2]["exc_text"]

    def test_exception(self, logger: logging.Logger, messages: Messages) -> None:
        """The traceback follows, in the same action."""
        with start_action(action_type="outer"):
            try:
                raise ZeroDivisionError("division by zero")
            except ZeroDivisionError:
                logger.exception("went wrong")

        assert [
            ([1], None),
            ([2], "eliot:stdlib"),
            ([3], "eliot:traceback"),
            ([4], None),
        ] == [(m["task_level"], m.get("message_type")) for m in messages]
        assert "division by zero" == messages[2]["reason"]

    def test_levels_and_filters(self, logger: logging.Logger, messages: Messages) -> None:
        """The handler's level and filters decide, as for any handler."""
        [handler] = [each for each in logger.handlers if isinstance(each, EliotHandler)]
        handler.setLevel(logging.INFO)
        handler.addFilter(lambda record: "secret" not in record.getMessage())
        logger.debug("too low")
        logger.info("secret")
        logger.info("logged")

        assert ["logged"] == [message["message"] for message in messages]

    @pytest.mark.skipif(
        sys.version_info < (3, 12), reason="filters replace no records on this interpreter"
    )
    def test_filter_that_replaces_the_record(
        self, logger: logging.Logger, messages: Messages
    ) -> None:
        """A filter of the handler may return another record, which is logged instead."""

        def replace(record: logging.LogRecord) -> Any:
            return logging.makeLogRecord({**vars(record), "msg": "hidden"})

        logger.handlers[0].addFilter(replace)
        logger.info("secret")

        assert ["hidden"] == [message["message"] for message in messages]

    def test_holds_no_lock(self, logger: logging.Logger) -> None:
        """A thread need not wait for what destinations do with the record of another one."""
        busy, other_is_done = threading.Event(), threading.Event()
        waited: List[bool] = []

        def wait(message: Dict[str, Any]) -> None:
            if message["message"] == "first":
                busy.set()
                waited.append(other_is_done.wait(5))

        add_destinations(wait)
        thread = threading.Thread(target=logger.info, args=("first",))
        thread.start()
        busy.wait()
        logger.info("second")
        other_is_done.set()
        thread.join()

        assert [True] == waited


class TestTaskFilter:
    """Existing log lines join the tree."""

    @pytest.fixture
    def lines(self, logger: logging.Logger) -> Callable[[], List[str]]:
        """Format records in the old way, with the two attributes."""
        stream = StringIO()
        handler = logging.StreamHandler(stream)
        handler.addFilter(TaskFilter())
        handler.setFormatter(logging.Formatter("%(task_uuid)s %(task_level)s %(message)s"))
        logger.handlers = [handler]
        return lambda: stream.getvalue().splitlines()

    def test_in_an_action(
        self, logger: logging.Logger, lines: Callable[[], List[str]], messages: Messages
    ) -> None:
        """Records are stamped with task and level of the current action, and take no slot."""
        with start_task(action_type="outer") as outer, start_action(action_type="inner"):
            logger.info("hello")
            log_message("next")

        assert [f"{outer.task_uuid} /2 hello"] == lines()
        assert [2, 2] == messages[2]["task_level"]

    def test_outside(self, logger: logging.Logger, lines: Callable[[], List[str]]) -> None:
        """Outside any action they are empty, so that a formatter finds them."""
        logger.info("hello")

        assert ["  hello"] == lines()


class TestHandlerDestination:
    """Messages become log records."""

    @pytest.fixture
    def records(self) -> List[logging.LogRecord]:
        """Feed a handler that keeps its records."""
        handler = BufferingHandler(1000)
        add_destinations(HandlerDestination(handler))
        return handler.buffer

    def test_json(self, records: List[logging.LogRecord], messages: Messages) -> None:
        """The text is the JSON line, the time is that of the message."""
        log_message("hello", path=Path("a"))

        assert {**messages[0], "path": "a"} == json.loads(records[0].getMessage())
        assert messages[0] == vars(records[0])["eliot_message"]
        assert messages[0]["timestamp"] == records[0].created
        assert ("eliot", "INFO") == (records[0].name, records[0].levelname)

    def test_readable(self, messages: Messages) -> None:
        """Any function makes the text."""
        stream = StringIO()
        add_destinations(HandlerDestination(logging.StreamHandler(stream), compact_format))
        log_message("hello", percent="100%s")

        assert compact_format(messages[0]) + "\n" == stream.getvalue()

    @pytest.mark.parametrize(
        ("message", "level"),
        [
            ({"message_type": "hello"}, "INFO"),
            ({"message_type": "eliot:traceback"}, "ERROR"),
            ({"message_type": "eliot:destination_failure"}, "ERROR"),
            ({"message_type": "eliot:serialization_failure"}, "ERROR"),
            ({"message_type": "eliot:stdlib", "log_level": "CRITICAL"}, "CRITICAL"),
            ({"message_type": "eliot:stdlib", "log_level": "MINE"}, "INFO"),
            ({"message_type": "m", "log_level": "debug"}, "DEBUG"),
            ({"message_type": "m", "log_level": 5}, "INFO"),
            ({"action_type": "a", "action_status": "started", "log_level": "error"}, "ERROR"),
            ({"message_type": "eliot:stdlib"}, "INFO"),
            ({"action_type": "a", "action_status": "failed"}, "ERROR"),
            ({"action_type": "a", "action_status": "succeeded"}, "INFO"),
        ],
    )
    def test_levels(self, message: Dict[str, Any], level: str) -> None:
        """The level tells how bad it is."""
        handler = BufferingHandler(2)
        HandlerDestination(handler)(message)

        assert [level] == [record.levelname for record in handler.buffer]

    def test_handlers_level(self) -> None:
        """The level of the handler decides what it gets."""
        handler = BufferingHandler(10)
        handler.setLevel(logging.ERROR)
        add_destinations(HandlerDestination(handler))
        with pytest.raises(ValueError, match="boom"), start_action(action_type="a"):
            raise ValueError("boom")

        assert ["ERROR"] == [record.levelname for record in handler.buffer]

    def test_rotation(self, tmp_path: Path) -> None:
        """Log files are rotated by the standard library."""
        path = tmp_path / "app.log"
        handler = RotatingFileHandler(path, maxBytes=1000, backupCount=50)
        add_destinations(HandlerDestination(handler))
        for number in range(20):
            log_message("hello", number=number)
        handler.close()

        assert list(range(20)) == numbers_in(tmp_path)
        assert len(list(tmp_path.iterdir())) > 1

    def test_rotation_by_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By the clock, too; no line is lost."""
        clock = count(time.time(), 0.25)
        monkeypatch.setattr(time, "time", lambda: next(clock))
        handler = TimedRotatingFileHandler(tmp_path / "app.log", when="S")
        add_destinations(HandlerDestination(handler))
        for number in range(20):
            log_message("hello", number=number)
        handler.close()

        assert list(range(20)) == numbers_in(tmp_path)
        assert len(list(tmp_path.iterdir())) > 3

    def test_rotation_under_threads(self, tmp_path: Path) -> None:
        """Whoever writes meanwhile loses nothing, and no line is torn."""
        handler = RotatingFileHandler(tmp_path / "app.log", maxBytes=10_000, backupCount=500)
        add_destinations(HandlerDestination(handler))

        def work(first: int) -> None:
            for number in range(first, first + 500):
                log_message("hello", number=number)

        threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 2000, 500)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        handler.close()

        assert list(range(2000)) == numbers_in(tmp_path)
        assert len(list(tmp_path.iterdir())) > 3

    def test_not_a_handler(self) -> None:
        """Anything but a handler is refused at once."""
        with pytest.raises(TypeError, match=r"'app\.log' is not a logging\.Handler"):
            HandlerDestination("app.log")  # type: ignore[arg-type] # that is the point

    def test_not_a_function(self) -> None:
        """What should make the text of messages is called for each."""
        wrong: Any = "%(message)s"
        with pytest.raises(TypeError, match=r"^'%\(message\)s' cannot be called; give a function"):
            HandlerDestination(logging.NullHandler(), wrong)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="on this interpreter's system")
    @pytest.mark.parametrize("handler_class", [logging.FileHandler, RotatingFileHandler])
    def test_disk_full(
        self,
        handler_class: Callable[[str], logging.Handler],
        messages: Messages,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """What a handler cannot do is reported as for any destination, once."""
        handler = handler_class("/dev/full")
        add_destinations(HandlerDestination(handler))
        log_message("hello")
        with pytest.raises(OSError, match="No space left"):  # of what waits to be written
            handler.close()

        assert [
            ("hello", None),
            ("eliot:destination_failure", "[Errno 28] No space left on device"),
        ] == [(m["message_type"], m.get("reason")) for m in messages]
        assert "" == capsys.readouterr().err

    def test_nobody_listens(self, messages: Messages) -> None:
        """A socket that nobody reads, where a handler says nothing, is reported, too."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            handler = SocketHandler(*address)
            add_destinations(HandlerDestination(handler))
            log_message("heard")
            handler.close()
        handler.addFilter(lambda record: "secret" not in record.getMessage())
        log_message("secret")
        log_message("unheard")
        handler.close()

        assert ["heard", "secret", "unheard", "eliot:destination_failure"] == [
            message["message_type"] for message in messages
        ]
        assert "<SocketHandler (NOTSET)> is not connected" == messages[-1]["reason"]

    def test_sends_any_value(self, messages: Messages) -> None:
        """A handler that sends records sends what the line of JSON says, whatever was logged."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            handler = SocketHandler(*server.getsockname())
            add_destinations(HandlerDestination(handler))
            log_message("hello", lock=threading.Lock(), path=Path("a"))
            handler.close()
            with server.accept()[0] as connection, connection.makefile("rb") as stream:
                record = pickle.loads(stream.read()[4:])  # noqa: S301 - our own

        assert record["eliot_message"] == json.loads(record["msg"])
        assert "a" == record["eliot_message"]["path"]
        assert ["hello"] == [message["message_type"] for message in messages]

    def test_syslog(self, messages: Messages) -> None:
        """Syslog gets the line of JSON and the severity; what no datagram holds is reported."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            handler = SysLogHandler(server.getsockname())
            add_destinations(HandlerDestination(handler))
            log_message("hello", text="é")
            log_message("large", text="x" * 100_000)
            handler.close()
            received = server.recv(100_000)

        assert b"<14>" + encode(messages[0]) + b"\0" == received
        assert ["hello", "large", "eliot:destination_failure"] == [
            message["message_type"] for message in messages
        ]

    def test_http(self, messages: Messages) -> None:
        """A web server gets the line of JSON as a form."""
        bodies: List[bytes] = []

        class Server(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Say nothing on stderr."""

        with HTTPServer(("127.0.0.1", 0), Server) as server:
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            address = f"127.0.0.1:{server.server_port}"
            add_destinations(HandlerDestination(HTTPHandler(address, "/log", "POST")))
            log_message("hello", text="&=")
            thread.join()
        log_message("unheard")

        assert [encode(messages[0])] == parse_qs(bodies[0])[b"msg"]
        assert ["hello", "unheard", "eliot:destination_failure"] == [
            message["message_type"] for message in messages
        ]

    def test_handlers_own_errors(self, messages: Messages) -> None:
        """A handler that has a `handleError` of its own deals with errors itself."""
        dealt_with: List[str] = []

        class Broken(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                self.handleError(record)

            def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
                dealt_with.append(record.getMessage())

        add_destinations(HandlerDestination(Broken()))
        log_message("hello")

        assert [messages[0]] == [json.loads(line) for line in dealt_with]
        assert ["hello"] == [message["message_type"] for message in messages]

    def test_other_records_of_the_handler(
        self, messages: Messages, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What others log with the same handler is dealt with as before."""
        handler = logging.StreamHandler(StringIO())
        for _ in range(2):
            HandlerDestination(handler)
        record = logging.LogRecord("theirs", logging.INFO, "", 0, "%d", ("no number",), None)
        handler.handle(record)

        assert 1 == capsys.readouterr().err.count("--- Logging error ---")
        assert [] == messages

    def test_directions_do_not_loop(self, logger: logging.Logger, messages: Messages) -> None:
        """A handler that leads back to Eliot, or logs by itself, does not make it go round."""

        class Chatty(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                logger.info("sending %s", record.name)
                logger.handle(record)

        add_destinations(HandlerDestination(EliotHandler()), HandlerDestination(Chatty()))
        log_message("hello")
        logger.info("from the program")

        assert ["hello", "eliot:stdlib"] == [message["message_type"] for message in messages]

    def test_destinations_that_log(self, logger: logging.Logger, messages: Messages) -> None:
        """What a destination logs while it gets a record does not come back for ever."""

        def chatty(_: Dict[str, Any]) -> None:
            logger.info("writing")
            logger.info("written")

        add_destinations(chatty)
        log_message("hello")

        assert ["hello", "writing", "written"] == [
            message.get("message", "hello") for message in messages
        ]

    def test_background_writer_that_logs(self, logger: logging.Logger) -> None:
        """Nor does what is logged in the thread that writes."""
        written: List[Any] = []

        def chatty(message: Dict[str, Any]) -> None:
            if len(written) < 10:  # enough to see it
                written.append(message.get("message", "hello"))
                logger.info("writing")

        writer = BackgroundWriter(chatty)
        add_destinations(writer)
        log_message("hello")
        logger.info("told")
        for _ in range(12):
            writer.flush()
        writer.stop()

        assert ["hello", "told"] == written


class TestCaptureUncaught:
    """What otherwise ends on stderr is in the log, too."""

    def test_warnings(self, messages: Messages) -> None:
        """A warning is logged and shown, until capturing ends."""
        shown: List[Any] = []
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda *args, **kwargs: shown.append(args)
            with capture_uncaught():
                warnings.warn("careful", UserWarning, stacklevel=1)
                warnings.showwarning("for a file", UserWarning, "a.py", 1, StringIO())
            warnings.warn("not captured", UserWarning, stacklevel=1)

        [message] = messages
        assert ("eliot:warning", "careful", "builtins.UserWarning", __file__) == tuple(
            message[key] for key in ("message_type", "message", "category", "file")
        )
        assert 3 == len(shown)

    def test_destination_that_warns(self, messages: Messages) -> None:
        """A warning for each message is not a message for each warning."""
        shown: List[Any] = []

        def deprecated(_: Dict[str, Any]) -> None:
            for text in ("old", "outdated"):
                warnings.warn(text, UserWarning, stacklevel=1)

        add_destinations(deprecated)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda *args, **kwargs: shown.append(args)
            with capture_uncaught():
                log_message("hello")

        assert ["hello", "old", "outdated"] == [
            message.get("message", "hello") for message in messages
        ]
        assert 6 == len(shown)

    def test_program_that_dies(self, tmp_path: Path) -> None:
        """The last words of a program, of its threads and its destructors are in its log."""
        program = """
import gc, sys, threading, asyncio
from eliot import start_action, to_file
from eliot.stdlib import capture_uncaught
to_file(open(sys.argv[1], "wb"))
capture_uncaught()
def fail(error):
    raise error
class Bad:
    def __del__(self):
        fail(ValueError("in a destructor"))
Bad()
gc.collect()
for error in (ValueError("in a thread"), SystemExit()):
    thread = threading.Thread(target=fail, args=(error,), name="worker")
    thread.start()
    thread.join()
async def main():
    async def lost():
        fail(ValueError("in a task"))
    await asyncio.wait([asyncio.ensure_future(lost())])
asyncio.run(main())
gc.collect()
fail(ValueError("in the end"))
"""
        log = tmp_path / "program.log"
        ended = subprocess.run(
            [sys.executable, "-c", program, str(log)], stderr=subprocess.PIPE, check=False
        )
        messages = [json.loads(line) for line in log.read_text("utf-8").splitlines()]

        assert [
            ("sys.unraisablehook", "in a destructor"),
            ("threading.excepthook", "in a thread"),
            ("asyncio", "in a task"),
            ("sys.excepthook", "in the end"),
        ] == [
            (first.get("hook") or first.get("logger"), second["reason"])
            for first, second in zip(messages[::2], messages[1::2])
        ]
        for text in ("a destructor", "a thread", "a task", "the end"):
            assert f"ValueError: in {text}".encode() in ended.stderr

    def test_stop_leaves_later_hooks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Hooks that somebody has put on top since stay where they are, and are not logged."""
        called: List[Any] = []
        monkeypatch.setattr(sys, "excepthook", lambda *args: called.append(args))
        capture = capture_uncaught()
        ours = sys.excepthook
        monkeypatch.setattr(sys, "excepthook", lambda *args: ours(*args))  # noqa: PLW0108 - another function
        theirs = sys.excepthook
        capture.stop()
        capture.stop()

        assert theirs is sys.excepthook
        theirs(ValueError, ValueError("boom"), None)
        assert 1 == len(called)

    def test_hooks(self, messages: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each hook logs, and then does what it did before."""
        hooks: List[str] = []

        def called_as(name: str) -> Callable[..., None]:
            return lambda *_: hooks.append(name)

        # Not in a fixture: older pytest sets hooks of its own between setup and call.
        for module, name in (
            (sys, "excepthook"),
            (sys, "unraisablehook"),
            (threading, "excepthook"),
        ):
            monkeypatch.setattr(module, name, called_as(f"{module.__name__}.{name}"))
        error = ValueError("boom")
        thread_hook: Any = threading.excepthook
        with capture_uncaught():
            sys.excepthook(ValueError, error, None)
            for err_msg in (None, "Exception ignored in thread"):
                unraisable: Any = SimpleNamespace(
                    exc_type=ValueError,
                    exc_value=error,
                    exc_traceback=None,
                    err_msg=err_msg,
                    object=messages,
                )
                sys.unraisablehook(unraisable)
            thread_hook = threading.excepthook
            for exc_type, thread in (
                (ValueError, threading.current_thread()),
                (ValueError, None),
                (SystemExit, None),
            ):
                thread_hook(
                    SimpleNamespace(
                        exc_type=exc_type, exc_value=error, exc_traceback=None, thread=thread
                    )
                )

        assert [
            "sys.excepthook",
            *["sys.unraisablehook"] * 2,
            *["threading.excepthook"] * 3,
        ] == hooks
        assert hooks[:-1] == [message["hook"] for message in messages[::2]]
        assert ["boom"] * 5 == [message["reason"] for message in messages[1::2]]
        assert [None, threading.current_thread().name] == [
            message["thread"] for message in (messages[8], messages[6])
        ]

    @pytest.mark.parametrize(
        ("level", "shown"), [(logging.ERROR, "a task failed\n"), (logging.INFO, "")]
    )
    def test_asyncio(
        self,
        messages: Messages,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        level: int,
        shown: str,
    ) -> None:
        """What asyncio logs is shown as if nobody listened, if nobody else does."""
        logger = logging.getLogger("asyncio")
        monkeypatch.setattr(logger, "level", logging.INFO)
        with capture_uncaught():
            logger.log(level, "a task failed")
            monkeypatch.setattr(logging.root, "handlers", [])
            logger.log(level, "a task failed")
            monkeypatch.setattr(logging, "lastResort", None)
            logger.log(level, "a task failed")

        assert ["a task failed"] * 3 == [message["message"] for message in messages]
        assert shown == capsys.readouterr().err
