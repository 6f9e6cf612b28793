"""Tests of `eliot.journald`, with a real systemd-journald: the one that runs, or one they start."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import IO, Any, Callable, Dict, Iterator, List

import pytest

import eliot
from eliot import add_destinations, log_message, start_action, start_task
from eliot._util import load_module

journald = pytest.importorskip(
    "eliot.journald", reason="needs cffi and libsystemd", exc_type=ImportError
)

DAEMON = Path("/lib/systemd/systemd-journald")
SOCKET = Path("/run/systemd/journal/socket")
PID_FILE = Path(gettempdir(), "eliot-tests-journald.pid")

Entry = Dict[str, Any]


def is_running() -> bool:
    """Find out whether somebody reads the journal's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        try:
            client.connect(str(SOCKET))
        except OSError:
            return False
    return True


def start_daemon() -> None:
    """Start a journal daemon that outlives this process; return when it takes entries."""
    if os.geteuid() != 0 or not DAEMON.exists():
        pytest.skip("no journal daemon runs, and only root can start one")
    SOCKET.parent.mkdir(parents=True, exist_ok=True)
    started = subprocess.run(
        ["sh", "-c", f"{DAEMON} >/dev/null 2>&1 & echo $!"],
        stdout=subprocess.PIPE,
        check=True,
    )
    PID_FILE.write_bytes(started.stdout)
    while not is_running():
        os.kill(int(started.stdout), 0)  # raises if it has ended


@contextmanager
def locked(name: str, mode: int) -> Iterator[IO[str]]:
    """Hold a lock that test runs of several interpreters share."""
    with Path(gettempdir(), f"eliot-tests-journald.{name}").open("w") as file:
        fcntl.flock(file, mode)
        yield file


@pytest.fixture(scope="module")
def read_journal() -> Iterator[Callable[..., List[Entry]]]:
    """Read entries back; the first run of tests starts a daemon, the last one ends it."""
    with locked("users", fcntl.LOCK_SH) as users:
        with locked("start", fcntl.LOCK_EX):
            if not is_running():
                start_daemon()

        yield read_entries

        with locked("start", fcntl.LOCK_EX):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            if PID_FILE.exists():
                os.kill(int(PID_FILE.read_bytes()), signal.SIGTERM)
                PID_FILE.unlink()


def read_entries(*matches: str) -> List[Entry]:
    """Read the journal's entries that match."""
    subprocess.run(["journalctl", "--sync"], check=True)
    output = subprocess.run(
        ["journalctl", "--output=json", "--all", "--no-pager", "--quiet", *matches],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def logged(read_journal: Callable[..., List[Entry]]) -> Callable[[], List[Entry]]:
    """Log to the journal; give a function that reads all entries of this test."""
    identifier = f"eliot-test-{os.urandom(8).hex()}"
    add_destinations(journald.JournaldDestination(identifier=identifier))
    return lambda: read_journal(f"--identifier={identifier}")


class TestJournaldDestination:
    """Each message becomes an entry."""

    def test_message_is_the_line_that_files_get(self, logged: Callable[[], List[Entry]]) -> None:
        """MESSAGE is JSON of the whole message, with the conversions of files."""
        messages: List[Dict[str, Any]] = []
        add_destinations(messages.append)

        log_message("hello", path=Path("a/b"), numbers={1}, big=2**63, text="\u00e9\x00%s\nline")

        [entry] = logged()
        assert {**messages[0], "path": "a/b", "numbers": [1]} == json.loads(entry["MESSAGE"])

    def test_fields(self, logged: Callable[[], List[Entry]]) -> None:
        """Task, level, type and status are fields that the journal can be searched by."""
        with start_task(action_type="outer") as outer, start_action(action_type="inner"):
            log_message("hello")

        fields = ("ELIOT_TASK", "ELIOT_LEVEL", "ELIOT_TYPE", "ELIOT_STATUS")
        assert [
            (outer.task_uuid, "/1", "outer", "started"),
            (outer.task_uuid, "/2/1", "inner", "started"),
            (outer.task_uuid, "/2/2", "hello", None),
            (outer.task_uuid, "/2/3", "inner", "succeeded"),
            (outer.task_uuid, "/3", "outer", "succeeded"),
        ] == [tuple(map(entry.get, fields)) for entry in logged()]

    def test_search_by_task(
        self, logged: Callable[[], List[Entry]], read_journal: Callable[..., List[Entry]]
    ) -> None:
        """Journalctl ELIOT_TASK=... finds the entries of a task."""
        with start_task(action_type="one") as action:
            pass
        log_message("another")

        assert ["one", "one"] == [
            entry["ELIOT_TYPE"] for entry in read_journal(f"ELIOT_TASK={action.task_uuid}")
        ]

    @pytest.mark.parametrize(
        ("message", "priority"),
        [
            ({"message_type": "hello"}, "6"),
            ({"message_type": "eliot:traceback"}, "2"),
            ({"message_type": "eliot:destination_failure"}, "3"),
            ({"message_type": "eliot:serialization_failure"}, "3"),
            ({"message_type": "eliot:stdlib", "log_level": "CRITICAL"}, "2"),
            ({"message_type": "eliot:stdlib", "log_level": "WARNING"}, "4"),
            ({"message_type": "eliot:stdlib", "log_level": "DEBUG"}, "7"),
            ({"message_type": "eliot:stdlib", "log_level": "MINE"}, "6"),
            ({"action_type": "a", "action_status": "started"}, "6"),
            ({"action_type": "a", "action_status": "failed"}, "3"),
            ({"action_type": "a", "message_type": "eliot:traceback"}, "6"),
            ({}, "6"),
        ],
    )
    def test_priority(
        self, logged: Callable[[], List[Entry]], message: Dict[str, Any], priority: str
    ) -> None:
        """PRIORITY tells how bad it is."""
        eliot.Logger().write({**message, "task_uuid": "u", "task_level": [1]})

        assert [priority] == [entry["PRIORITY"] for entry in logged()]

    @pytest.mark.parametrize("size", [100_000, 9_000_000])
    def test_any_size(self, logged: Callable[[], List[Entry]], size: int) -> None:
        """Messages that no datagram could hold arrive whole."""
        log_message("large", text="x" * size)

        [entry] = logged()
        assert size == len(json.loads(entry["MESSAGE"])["text"])

    def test_strange_types(self, logged: Callable[[], List[Entry]]) -> None:
        """Messages that others than Eliot made are taken as they are."""
        eliot.Logger().write({"message_type": "\ud800", "task_uuid": 7})

        [entry] = logged()
        assert ("\\ud800", "7", "/") == (
            entry["ELIOT_TYPE"],
            entry["ELIOT_TASK"],
            entry["ELIOT_LEVEL"],
        )

    @pytest.mark.parametrize(
        ("argv", "identifier"),
        [
            (["/usr/bin/caf\u00e9.py"], "caf\u00e9.py"),
            ([], Path(sys.executable).name),
            ([""], Path(sys.executable).name),
        ],
    )
    def test_default_identifier(
        self,
        read_journal: Callable[..., List[Entry]],
        monkeypatch: pytest.MonkeyPatch,
        argv: List[str],
        identifier: str,
    ) -> None:
        """SYSLOG_IDENTIFIER is the name of the program, or of the interpreter if it has none."""
        monkeypatch.setattr(sys, "argv", argv)
        add_destinations(journald.JournaldDestination())

        with start_task(action_type="one") as action:
            pass

        assert {identifier} == {
            entry["SYSLOG_IDENTIFIER"] for entry in read_journal(f"ELIOT_TASK={action.task_uuid}")
        }


class TestSdJournalSend:
    """The function below the destination."""

    def test_values_are_bytes(self, read_journal: Callable[..., List[Entry]]) -> None:
        """Percent signs, line breaks and NULs arrive as they are."""
        identifier = f"eliot-test-{os.urandom(8).hex()}"
        journald.sd_journal_send(MESSAGE=b"100%s\n\x00.", SYSLOG_IDENTIFIER=identifier.encode())

        [entry] = read_journal(f"--identifier={identifier}")
        message = entry["MESSAGE"]  # journalctl shows what is not printable as a list of numbers
        assert b"100%s\n\x00." == (message.encode() if isinstance(message, str) else bytes(message))

    def test_bad_name(self, read_journal: Callable[..., List[Entry]]) -> None:
        """What the journal refuses is an OSError that names the reason."""
        with pytest.raises(OSError, match="Invalid argument") as raised:
            journald.sd_journal_send(**{"": b"123"})

        assert errno.EINVAL == raised.value.errno


class TestNoJournal:
    """Where there is no journal, it is said what is missing."""

    def test_warning_and_error(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Making the destination warns; using it fails."""
        monkeypatch.setattr(journald, "_SOCKET", tmp_path / "socket")
        monkeypatch.setattr(journald, "_libsystemd", _Succeeding())
        with pytest.warns(RuntimeWarning, match="socket is missing"):
            destination = journald.JournaldDestination()

        with pytest.raises(FileNotFoundError, match="the journal's socket is"):
            destination({"message_type": "hello"})

    def test_no_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A machine without libsystemd gets an ImportError that says so."""

        class NoLibraries:
            def dlopen(self, name: str) -> None:
                raise OSError(name, "not found")

        monkeypatch.setattr(journald, "_ffi", NoLibraries())
        with pytest.raises(ImportError, match=r"Failed to load journald: .*libsystemd\.so\.0"):
            journald._load()

    def test_no_cffi(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An installation without cffi gets the command that installs it."""
        monkeypatch.setitem(sys.modules, "cffi", None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'eliot\[journald\]'"):
            load_module("again", journald)


class _Succeeding:
    """Stands in for libsystemd, which takes a missing journal for success."""

    def sd_journal_sendv(self, vector: object, count: int) -> int:
        return 0


#: What the page and a run of it have in common only in kind: tasks, times and a folder.
VOLATILE = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    r"|(?<=\W)/srv/files|(?<=\W)/[^\s\"']*/tmp\w+"
)


@pytest.mark.usefixtures("read_journal")
def test_page(tmp_path: Path) -> None:
    """What the page about the journal shows is what its reader gets."""
    root = Path(__file__).parents[2]
    page = (root / "docs/howto/journald.rst").read_text("utf-8")
    blocks = re.findall(r"^\.\. code-block:: text\n\n((?: .*\n|\n)+)", page, re.MULTILINE)
    program, session = map(textwrap.dedent, blocks)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(Path(eliot.__file__).parents[1])}

    def output(*command: str) -> str:
        return subprocess.run(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, check=True
        ).stdout.decode()

    output(sys.executable, "-c", program)
    output(sys.executable, str(root / "examples/journald_backup.py"))
    output("journalctl", "--sync")
    task = ""
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        actual = output("sh", "-c", re.sub("ELIOT_TASK=.*?(?= )", f"ELIOT_TASK={task}", command))
        task = task or actual.strip()

        assert VOLATILE.sub("~", expected.strip()) == VOLATILE.sub("~", actual.strip())


def test_example(read_journal: Callable[..., List[Entry]], tmp_path: Path) -> None:
    """The example leaves a task in the journal, and says how to find it."""
    example = Path(__file__).parents[2] / "examples" / "journald_backup.py"
    package = str(Path(eliot.__file__).parents[1])
    printed = subprocess.run(
        [sys.executable, str(example), "example.log"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": package},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.decode()

    entries = read_journal(printed.split()[-1])
    assert [
        ("backup", "started", "6"),
        ("__main__.copy", "started", "6"),
        ("__main__.copy", "failed", "3"),
        ("__main__.copy", "started", "6"),
        ("__main__.copy", "succeeded", "6"),
        ("backup", "succeeded", "6"),
    ] == [(entry["ELIOT_TYPE"], entry["ELIOT_STATUS"], entry["PRIORITY"]) for entry in entries]
    assert (tmp_path / "example.log").read_text("utf-8").splitlines() == [
        entry["MESSAGE"] for entry in entries
    ]
