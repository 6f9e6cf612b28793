"""The background writer in real processes: they end, are told to end, fork, and fill a disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

import eliot

PACKAGE = str(Path(eliot.__file__).parents[1])

#: A deadlock ends a program after so many seconds, with the stacks of all its threads.
PROLOGUE = """
import faulthandler
faulthandler.dump_traceback_later(60, exit=True)
import atexit, multiprocessing, os, signal, sys, threading, time
import eliot
from eliot import BackgroundWriter, FileDestination, add_destinations, log_message

path = sys.argv[1]
def writer(**options):
    writer = BackgroundWriter(FileDestination(path), **options)
    add_destinations(writer)
    return writer
"""

#: From Python 3.12 on, a fork beside threads is warned about: that is what is tried here.
FORKING = ("-W", "ignore:This process:DeprecationWarning")

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this interpreter's platform")


def run(folder: Path, program: str, *, status: int = 0, stderr: str = "") -> List[Dict[str, Any]]:
    """Run a program, and return what it logged."""
    path = folder / "eliot.log"
    script = folder / "program.py"
    script.write_text(PROLOGUE + program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, *FORKING, str(script), str(path)],
        env={**os.environ, "PYTHONPATH": PACKAGE},
        capture_output=True,
        check=False,
        text=True,
    )

    assert (status, stderr) == (done.returncode, done.stderr)
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def types(messages: List[Dict[str, Any]]) -> List[str]:
    """Tell the types of messages."""
    return [message["message_type"] for message in messages]


NUMBERS = [str(number) for number in range(5000)]
LOG_NUMBERS = """
for number in range(5000):
    log_message(str(number))
"""


class TestEnd:
    """The end of a process."""

    def test_main_program_is_done(self, tmp_path: Path) -> None:
        """What waits when the main program is done is written."""
        assert NUMBERS == types(run(tmp_path, f"writer(){LOG_NUMBERS}"))

    def test_exception(self, tmp_path: Path) -> None:
        """What waits when the program exits is written."""
        program = f"writer(){LOG_NUMBERS}\nsys.exit(3)"

        assert NUMBERS == types(run(tmp_path, program, status=3))

    def test_late_messages(self, tmp_path: Path) -> None:
        """Functions of atexit may log, before the writer's end and after it, and finalizers too."""
        program = """
class Late:
    def __del__(self, log=log_message):
        log("finalizer")

atexit.register(log_message, "after")
writer()
atexit.register(log_message, "before")
log_message("main")
late = Late()
"""

        # PyPy does not call finalizers at the end.
        finalizers = {"finalizer"} if sys.implementation.name == "cpython" else set()

        assert {"main", "before", "after"} | finalizers == {*types(run(tmp_path, program))}

    def test_nothing_before(self, tmp_path: Path) -> None:
        """The first message of all may come when no thread can be started any more."""
        program = 'writer()\natexit.register(log_message, "first")'

        assert ["first"] == types(run(tmp_path, program))

    def test_other_threads(self, tmp_path: Path) -> None:
        """Threads that are not daemons may go on after the main one, and lose nothing."""
        program = """
writer()
ended = threading.Event()  # main_thread().join() can break its end, before Python 3.13
def work():
    ended.wait()
    for number in range(5000):
        log_message(str(number))

threading.Thread(target=work).start()
ended.set()
"""

        assert NUMBERS == types(run(tmp_path, program))

    def test_has_a_limit(self, tmp_path: Path) -> None:
        """A destination that hangs does not keep the process from ending; stderr tells."""
        program = """
from eliot import _writer
_writer.EXIT_TIMEOUT = 0.1
def hang(message):
    threading.Event().wait()
add_destinations(BackgroundWriter(hang), FileDestination(path))
log_message("hello")
log_message("hello")
"""
        path = tmp_path / "eliot.log"
        script = tmp_path / "program.py"
        script.write_text(PROLOGUE + program, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, *FORKING, str(script), str(path)],
            env={**os.environ, "PYTHONPATH": PACKAGE},
            capture_output=True,
            check=False,
            text=True,
        )

        assert 0 == done.returncode
        assert "eliot: 2 messages could not be written to <function hang" in done.stderr


class TestSigterm:
    """A process is told to end."""

    @pytest.mark.parametrize(
        "handler",
        [
            "sys.exit(0)",
            "log_message('handler'); w.stop(); os._exit(0)",
            "log_message('handler'); w.flush(); os._exit(0)",
        ],
        ids=["exit", "stop", "flush"],
    )
    @pytest.mark.parametrize("max_messages", [3, 100_000])
    def test_handled(self, handler: str, max_messages: int, tmp_path: Path) -> None:
        """A handler may exit, or stop or flush the writer, wherever it interrupts the program."""
        program = f"""
w = writer(max_messages={max_messages})
def handle(number, frame):
    {handler}

signal.signal(signal.SIGTERM, handle)
print("ready", flush=True)
number = 0
while True:
    log_message(str(number))
    number += 1
    if number % 1000 == 0:
        print(number, flush=True)
"""
        script = tmp_path / "program.py"
        script.write_text(PROLOGUE + program, encoding="utf-8")
        for number in range(10):
            path = tmp_path / f"{number}.log"
            process = subprocess.Popen(
                [sys.executable, *FORKING, str(script), str(path)],
                env={**os.environ, "PYTHONPATH": PACKAGE},
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            for _ in range(number):
                process.stdout.readline()
            process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            said = process.stdout.read().split()
            process.stdout.close()

            assert 0 == process.wait()
            found = [kind for kind in types_of(path) if kind != "handler"]
            assert [str(n) for n in range(len(found))] == found
            assert len(found) >= max([0, *map(int, said)])


def types_of(path: Path) -> List[str]:
    """Tell the types of the messages in a file."""
    return types([json.loads(line) for line in path.read_bytes().splitlines()])


@forks
class TestFork:
    """Forked children."""

    def test_under_load(self, tmp_path: Path) -> None:
        """Children that are forked while many threads log have a writer of their own."""
        program = """
w = writer(max_messages=200)
done = threading.Event()
def work(name):
    number = 0
    while not done.is_set():
        log_message("parent", name=name, number=number)
        number += 1
    counts[name] = number
counts = {}
threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
for thread in threads:
    thread.start()
children = []
for child in range(20):
    pid = os.fork()
    if pid == 0:
        for number in range(300):
            log_message("child", name=child, number=number)
        done.set()
        w.stop()
        log_message("child", name=child, number=300)
        os._exit(0)
    children.append(pid)
statuses = [os.waitpid(pid, 0)[1] for pid in children]
done.set()
for thread in threads:
    thread.join()
log_message("counts", counts=[counts[name] for name in range(4)], statuses=statuses)
"""
        messages = run(tmp_path, program)
        found: Dict[str, Dict[int, List[int]]] = {"parent": {}, "child": {}}
        for message in messages[:-1]:
            numbers = found[message["message_type"]].setdefault(message["name"], [])
            numbers.append(message["number"])
        [end] = [message for message in messages if message["message_type"] == "counts"]

        assert [0] * 20 == end["statuses"]
        assert {name: [*range(301)] for name in range(20)} == found["child"]
        assert {n: [*range(count)] for n, count in enumerate(end["counts"])} == found["parent"]

    def test_keeps_the_queue_of_the_parent(self, tmp_path: Path) -> None:
        """What waits in the parent is written by the parent alone."""
        program = """
opened = threading.Event()
entered = threading.Event()
file = FileDestination(path)
def destination(message):
    entered.set()
    opened.wait()
    file(message)
w = BackgroundWriter(destination)
add_destinations(w)
log_message("one")
entered.wait()
log_message("two")
pid = os.fork()
opened.set()
if pid == 0:
    log_message("child")
    w.stop()
    os._exit(0)
else:
    os.waitpid(pid, 0)
    log_message("three")
"""

        assert ["child", "one", "three", "two"] == sorted(types(run(tmp_path, program)))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method: str, tmp_path: Path) -> None:
    """Children of multiprocessing, which end without atexit, lose nothing."""
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this interpreter's platform")
    program = f"""
def work(name):
    if multiprocessing.get_start_method() != "fork":
        writer()
    for number in range(2000):
        log_message(name, number=number)

if __name__ == "__main__":
    multiprocessing.set_start_method("{method}")
    if "{method}" == "fork":
        writer()
        log_message("main")
    processes = [multiprocessing.Process(target=work, args=(name,)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
"""
    found: Dict[str, List[int]] = {}
    for message in run(tmp_path, program):
        if message["message_type"] != "main":
            found.setdefault(message["message_type"], []).append(message["number"])

    assert {name: [*range(2000)] for name in "abc"} == found


@pytest.mark.skipif(
    not os.path.exists("/dev/full"), reason="no /dev/full on this interpreter's platform"
)
@pytest.mark.parametrize("when_full", ["wait", "drop-newest", "drop-oldest"])
def test_full_disk(when_full: str, tmp_path: Path) -> None:
    """While the disk is full nobody is held up, and each message is counted."""
    program = f"""
path = open("/dev/full", "ab", buffering=0)
w = writer(max_messages=100, when_full="{when_full}")
for number in range(5000):
    log_message(str(number))
w.stop()
lost = w._file._append_to.lost
with open(sys.argv[1], "w") as log:
    FileDestination(log)({{"lost": lost + w.dropped}})
    log.flush()
"""
    path = tmp_path / "eliot.log"
    script = tmp_path / "program.py"
    script.write_text(PROLOGUE + program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, *FORKING, str(script), str(path)],
        env={**os.environ, "PYTHONPATH": PACKAGE},
        capture_output=True,
        check=False,
        text=True,
    )

    assert 0 == done.returncode
    assert 1 == done.stderr.count("cannot write to '/dev/full'"), done.stderr
    assert 5000 == json.loads(path.read_text())["lost"]
