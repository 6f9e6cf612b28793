"""Files that take nothing: the program goes on, and the log says what is missing when they do."""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
import tty
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List
from uuid import UUID

import pytest

import eliot
from eliot import _ids, _sink, log_message, start_action, to_file

#: How to log to a path.
KINDS = {
    "binary": lambda path: to_file(path.open("ab")),
    "unbuffered": lambda path: to_file(path.open("ab", buffering=0)),
    "overwritten": lambda path: to_file(path.open("wb")),
    "text": lambda path: to_file(path.open("a", encoding="utf-8")),
    "path": lambda path: to_file(str(path)),
    "watched": lambda path: to_file(path, watch=True),
    "synchronized": lambda path: to_file(path, fsync=True),
}


def tell(count: int, size: int = 700) -> None:
    """Log some messages, most of them in actions."""
    for number in range(count // 4):
        with start_action(action_type="work", number=number):
            log_message("step", data="x" * size)
        log_message("lone", data="\u00e9" * size)


@contextmanager
def occupied(disk: Path) -> Iterator[None]:
    """Take all room that a disk has."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass
    yield
    ballast.unlink()


@pytest.mark.parametrize("kind", KINDS)
def test_disk_is_full(small_disk: Path, ledger: Any, kind: str) -> None:
    """A disk that is full, three times, costs the messages of these times, and the log says so."""
    path = small_disk / f"{kind}.log"
    KINDS[kind](path)
    ledger.open()
    tell(8)
    for _ in range(3):
        with occupied(small_disk):
            tell(40)
        tell(8)

    assert ledger.audit(path.read_bytes(), outages=3) > 60
    path.unlink()


def test_disk_fills_with_the_log(small_disk: Path, ledger: Any) -> None:
    """A line that has room in part is cut off: each line is whole all the time."""
    path = small_disk / "own.log"
    with path.open("ab") as file:
        to_file(file)
        ledger.open()
        tell(600, size=1400)
        while_full = path.read_bytes()
        with path.open("r+b") as other:  # as logrotate does it with copytruncate
            other.truncate()
        tell(8)

    assert [json.loads(line)["task_uuid"] for line in while_full.splitlines()]
    assert ledger.audit(while_full + path.read_bytes()) > 100
    path.unlink()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"watched"}))
def test_device_is_full(tmp_path: Path, ledger: Any, kind: str) -> None:
    """What /dev/full refuses is counted, and the log says so when the file is another one."""
    path = tmp_path / "eliot.log"
    KINDS[kind](path)
    ledger.open()
    tell(8)
    descriptor = eliot.status().destinations[0].destination.file.fileno()  # type: ignore[attr-defined] # a FileDestination
    saved = os.dup(descriptor)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, descriptor)
    tell(40)
    os.dup2(saved, descriptor)
    tell(8)
    os.close(saved)
    os.close(full)

    assert ledger.audit(path.read_bytes()) == 40


def test_descriptor_is_closed(tmp_path: Path, ledger: Any) -> None:
    """A descriptor that somebody has closed costs messages until it is open again."""
    path = tmp_path / "eliot.log"
    with path.open("ab") as file:
        to_file(file)
        ledger.open()
        tell(8)
        saved = os.dup(file.fileno())
        os.close(file.fileno())
        tell(40)
        os.dup2(saved, file.fileno())
        os.close(saved)
        tell(8)

    assert ledger.audit(path.read_bytes()) == 40


@pytest.mark.parametrize("kind", ["binary", "unbuffered", "text"])
def test_file_is_closed(tmp_path: Path, ledger: Any, kind: str) -> None:
    """A file that is closed under the destination takes nothing any more, and that is counted."""
    path = tmp_path / "eliot.log"
    KINDS[kind](path)
    ledger.open()
    tell(8)
    eliot.status().destinations[0].destination.file.close()  # type: ignore[attr-defined] # a FileDestination
    tell(40)

    assert ledger.audit(path.read_bytes(), untold=40) == 40


def test_folder_is_removed(tmp_path: Path, ledger: Any) -> None:
    """A watched file whose folder is removed is made again with it."""
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "eliot.log"
    to_file(path, watch=True)
    ledger.open()
    tell(8)
    before = path.read_bytes()
    shutil.rmtree(folder)
    tell(40)
    folder.mkdir()
    tell(8)

    assert ledger.audit(before + path.read_bytes()) == 40


def test_no_descriptors_are_left(tmp_path: Path, ledger: Any) -> None:
    """A watched file that is moved while there are no descriptors is opened when there are."""
    path = tmp_path / "eliot.log"
    to_file(path, watch=True)
    ledger.open()
    tell(8)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
    taken: List[int] = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    path.rename(tmp_path / "old.log")
    tell(40)
    for descriptor in taken:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    tell(8)

    assert ledger.audit((tmp_path / "old.log").read_bytes() + path.read_bytes()) == 40


def test_no_descriptors_for_random_numbers(
    tmp_path: Path, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks have ids of their own, in the form of a UUID, where no random numbers can be had."""

    def fail(size: int) -> bytes:
        raise OSError(24, "Too many open files: '/dev/urandom'")  # as on PyPy

    monkeypatch.setattr(_ids, "urandom", fail)
    monkeypatch.setattr(_ids, "_DRAWN", [])
    ids = [_ids.new_task_uuid() for _ in range(1000)]

    assert len(set(ids)) == 1000
    assert {UUID(each).version for each in ids} == {4}


def test_file_may_not_grow(run_program: Callable[..., Any], tmp_path: Path) -> None:
    """A limit of the size of files cuts a line, which is cut off, until it is raised."""
    result = run_program(
        """
        import json, os, resource
        from eliot import add_destinations, log_message, status, to_file

        messages = []
        to_file("eliot.log")
        add_destinations(messages.append)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        for round in range(3):
            log_message("before", data="x" * 500)
            size = os.stat("eliot.log").st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, limits[1]))
            for _ in range(20):
                log_message("during", data="x" * 500)
            assert os.stat("eliot.log").st_size < size + 1000
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            log_message("after", data="x" * 500)
        destination = status().destinations[0]
        assert destination.written + destination.failed == len(messages)
        print(destination.written)
        """
    )
    messages = [json.loads(line) for line in (tmp_path / "eliot.log").read_text().splitlines()]
    kinds = Counter(message["message_type"] for message in messages)
    lost = [message for message in messages if message["message_type"] == "eliot:lost"]

    assert (kinds["before"], kinds["during"], kinds["after"]) == (3, 3, 3)
    assert sum(each["types"]["during"] for each in lost) == 57
    assert int(result.stdout) == 9
    assert result.stderr.count("cannot write to") == 3


def test_reader_of_a_pipe_goes_and_comes(tmp_path: Path, ledger: Any) -> None:
    """A named pipe without a reader breaks, and goes on with the next one."""
    path = tmp_path / "pipe"
    os.mkfifo(str(path))
    flags = os.O_RDONLY | os.O_NONBLOCK
    reader = os.open(str(path), flags)
    to_file(path)
    ledger.open()
    tell(8)
    before = os.read(reader, 1 << 16)
    os.close(reader)
    tell(40)
    reader = os.open(str(path), flags)
    tell(8)
    after = os.read(reader, 1 << 16)
    os.close(reader)

    assert ledger.audit(before + after) == 40


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_pipe_that_does_not_block_is_full(
    ledger: Any, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """A pipe that nobody reads is waited for once; what is cut of a line there ends with it."""
    monkeypatch.setattr(_sink, "PATIENCE", 0.01)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    with open(writer, mode) as file:
        to_file(file)
        ledger.open()
        log = b""
        for _ in range(3):
            tell(40, size=5000)
            while True:
                try:
                    log += os.read(reader, 1 << 16)
                except BlockingIOError:
                    break
            tell(4)
            log += os.read(reader, 1 << 16)
    os.close(reader)

    assert ledger.audit(log, torn=True, outages=3) > 30


def test_pipe_that_does_not_block_takes_lines_in_parts(ledger: Any) -> None:
    """A line that is larger than a pipe is whole at its other end, if somebody reads there."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    child = os.fork()
    if not child:
        os.close(writer)
        with open(reader, "rb") as source:
            sizes = [len(json.loads(line)["data"]) for line in source]
        os._exit(sizes != [1_000_000, 10, 1_000_000])
    os.close(reader)
    with open(writer, "wb", buffering=0) as file:
        to_file(file)
        for size in (1_000_000, 10, 1_000_000):
            log_message("large", data="x" * size)

    assert os.waitpid(child, 0)[1] == 0


def test_terminal_is_gone(ledger: Any) -> None:
    """A terminal whose other side is gone answers with an I/O error, which is counted."""
    controller, terminal = os.openpty()
    tty.setraw(terminal)
    with open(terminal, "wb", buffering=0) as file:
        to_file(file)
        ledger.open()
        tell(4, size=10)
        before = b""
        while before.count(b"\n") < 4:  # a terminal is slower than a pipe
            before += os.read(controller, 1 << 16)
        os.close(controller)
        tell(40)

    assert ledger.audit(before, untold=40) == 40


def test_reader_of_a_pipe_is_gone_for_good(ledger: Any) -> None:
    """A pipe whose reader is gone breaks, which is counted."""
    reader, writer = os.pipe()
    with closing(open(writer, "wb")) as file:
        to_file(file)
        ledger.open()
        tell(4, size=10)
        before = os.read(reader, 1 << 16)
        os.close(reader)
        tell(40)

    assert ledger.audit(before, untold=40) == 40


@pytest.mark.parametrize(
    "kind", ['"/dev/full"', 'open("/dev/full", "ab")', 'open("/dev/full", "a", encoding="utf-8")']
)
def test_end_of_the_program(run_program: Callable[..., Any], kind: str) -> None:
    """A program that could not log says so on stderr, at first and at its end, and succeeds."""
    result = run_program(
        f"""
        from eliot import log_message, to_file

        to_file({kind})
        for _ in range(100):
            log_message("hello")
        """
    )

    assert result.stderr.splitlines() == [
        (
            "eliot: cannot write to '/dev/full', messages are lost: "
            "builtins.OSError: [Errno 28] No space left on device"
        ),
        "eliot: 100 messages could not be written to '/dev/full' before the end",
    ]


def test_file_works_at_the_end(run_program: Callable[..., Any], tmp_path: Path) -> None:
    """An outage that is over when the program ends is in the log, though nothing more is logged."""
    run_program(
        """
        import os
        from eliot import log_message, to_file

        os.mkdir("logs")
        to_file("logs/eliot.log", watch=True)
        os.remove("logs/eliot.log")
        os.rmdir("logs")
        log_message("hello")
        os.mkdir("logs")
        """
    )
    line = json.loads((tmp_path / "logs" / "eliot.log").read_text())

    assert (line["message_type"], line["count"], line["types"]) == ("eliot:lost", 1, {"hello": 1})


def test_synchronizing_takes_a_disk() -> None:
    """A device that is no disk cannot be waited for, and that is said at once."""
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)
    with pytest.raises(TypeError, match="cannot be synchronized"):
        to_file("/dev/full", fsync=True)
