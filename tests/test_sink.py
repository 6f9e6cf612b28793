"""Appending lines to files, also to failing ones; real faults are in tests/faults."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Generator, List, Optional

import pytest

from eliot import _sink as sink_room
from eliot._depth import TooDeepError
from eliot._sink import PathFile, Sink, sink_of


def line(number: int, size: int = 0) -> bytes:
    """Make a line of a log."""
    message = {"message_type": "m", "timestamp": float(number), "n": number, "x": "x" * size}
    return json.dumps(message).encode() + b"\n"


def read(path: Path) -> List[Dict[str, Any]]:
    """Read the messages of a log, each of whose lines is JSON."""
    return [json.loads(each) for each in path.read_bytes().splitlines()]


def summary(messages: List[Dict[str, Any]]) -> List[Any]:
    """Say which messages there are: their numbers, or how many are lost."""
    return [m["n"] if "n" in m else (m["message_type"], m["count"], m["types"]) for m in messages]


class Flaky:
    """Writes to a file, but only as many bytes as it is told."""

    def __init__(self, path: Path) -> None:
        self.raw = path.open("ab", buffering=0)
        self.room: Optional[int] = None
        self.error: BaseException = OSError(errno.ENOSPC, "No space left on device")

    def write(self, data: bytes) -> Optional[int]:
        """Write as many bytes as there is room for; fail if there is none."""
        if self.room is None:
            return self.raw.write(data)
        if self.room == 0:
            raise self.error
        written = self.raw.write(data[: self.room]) or 0
        self.room -= written
        return written


class Interrupted(io.StringIO):
    """Somebody presses Ctrl-C whenever something is written."""

    def write(self, _: str) -> int:
        """Interrupt."""
        raise KeyboardInterrupt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a log."""
    return tmp_path / "eliot.log"


@pytest.fixture
def flaky(path: Path) -> Generator[Flaky, None, None]:
    """Open a file that can be made to fail."""
    file = Flaky(path)
    yield file
    file.raw.close()


class TestOutage:
    """A file that fails for a while."""

    def sink(self, flaky: Flaky) -> Sink:
        """Make a sink that writes to the file."""
        return Sink(flaky.raw, flaky.write, flaky.raw)

    def test_works(self, flaky: Flaky, path: Path) -> None:
        """As long as nothing fails, lines are appended."""
        sink = self.sink(flaky)
        sink.append(line(1))
        sink.append(line(2) + line(3))

        assert [1, 2, 3] == summary(read(path))
        assert (None, 0) == (sink.outage, sink.lost)

    def test_goes_on_after_a_part(self, flaky: Flaky, path: Path) -> None:
        """A line of which only a part is taken at first is written in several calls."""
        sink = self.sink(flaky)
        writes: List[int] = []

        def slowly(data: bytes) -> Optional[int]:
            writes.append(len(data))
            return flaky.raw.write(data[:20])

        sink.write = slowly
        sink.append(line(1))

        assert [1] == summary(read(path))
        assert len(writes) > 1

    @pytest.mark.parametrize("room", [0, 1, 30, len(line(1)) - 1])
    def test_counts_and_tells(
        self, flaky: Flaky, path: Path, capsys: pytest.CaptureFixture[str], room: int
    ) -> None:
        """What is lost is counted, told on stderr once, and told in the log afterwards."""
        sink = self.sink(flaky)
        sink.append(line(1))
        flaky.room = room
        for number in (2, 3, 4):
            with pytest.raises(OSError, match="No space left"):
                sink.append(line(number))

        assert [1] == summary(read(path))  # the start of a line has been cut off
        assert 3 == sink.lost
        shown = capsys.readouterr().err
        assert 1 == shown.count("eliot: cannot write to ")
        assert f"{str(path)!r}, messages are lost: builtins.OSError: [Errno 28]" in shown
        flaky.room = None
        sink.append(line(5))
        sink.append(line(6))

        assert [1, ("eliot:lost", 3, {"m": 3}), 5, 6] == summary(read(path))
        lost = read(path)[1]
        assert (2.0, 4.0) == (lost["first"], lost["last"])
        assert "builtins.OSError: [Errno 28] No space left on device" == lost["reason"]
        assert sink.outage is None

    def test_keeps_whole_lines_of_a_batch(self, flaky: Flaky, path: Path) -> None:
        """Of several lines, those that fit are kept, and the others are lost."""
        sink = self.sink(flaky)
        flaky.room = len(line(1)) + 10
        with pytest.raises(OSError, match="No space left"):
            sink.append(line(1) + line(2) + line(3))
        flaky.room = None
        sink.append(line(4))

        assert [1, ("eliot:lost", 2, {"m": 2}), 4] == summary(read(path))

    def test_room_for_the_report_alone(
        self, flaky: Flaky, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """If only the report finds room, the outage goes on, with a new count."""
        sink = self.sink(flaky)
        flaky.room = 0
        with pytest.raises(OSError, match="No space left"):
            sink.append(line(1))
        flaky.room = 300
        with pytest.raises(OSError, match="No space left"):
            sink.append(line(2, size=1000))
        flaky.room = None
        sink.append(line(3))

        assert [("eliot:lost", 1, {"m": 1}), ("eliot:lost", 1, {"m": 1}), 3] == summary(read(path))
        assert 1 == capsys.readouterr().err.count("eliot: cannot write")

    def test_no_room_for_the_report(self, flaky: Flaky, path: Path) -> None:
        """If even the report finds no room, nothing of it stays."""
        sink = self.sink(flaky)
        flaky.room = 0
        for number in (1, 2):
            with pytest.raises(OSError, match="No space left"):
                sink.append(line(number))
            flaky.room = 20
        assert b"" == path.read_bytes()
        flaky.room = None
        sink.append(line(3))

        assert [("eliot:lost", 2, {"m": 2}), 3] == summary(read(path))

    def test_ends_a_torn_line(self, flaky: Flaky, path: Path) -> None:
        """Where the start of a line cannot be cut off, a line break keeps it apart."""
        sink = Sink(flaky.raw, flaky.write)  # without the file that could be cut
        flaky.room = 10
        with pytest.raises(OSError, match="No space left"):
            sink.append(line(1))
        flaky.room = None
        sink.append(line(2))
        torn, *others = path.read_bytes().splitlines()

        assert line(1)[:10] == torn
        assert [("eliot:lost", 1, {"m": 1}), 2] == summary([json.loads(each) for each in others])

    def test_leaves_alone_what_others_have_written(self, flaky: Flaky, path: Path) -> None:
        """If another process has written behind the start of a line, nothing is cut off."""
        sink = self.sink(flaky)
        real = flaky.write

        def then_another(data: bytes) -> Optional[int]:
            written = real(data)
            with path.open("ab") as other:
                other.write(b"other\n")
            return written

        sink.write = then_another
        flaky.room = 10
        with pytest.raises(OSError, match="No space left"):
            sink.append(line(1))

        assert line(1)[:10] + b"other\n" == path.read_bytes()

    def test_interrupts_pass(self, flaky: Flaky, path: Path) -> None:
        """Ctrl-C in the middle of a line is passed on, and leaves whole lines."""
        sink = self.sink(flaky)
        flaky.room = 10
        flaky.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            sink.append(line(1))
        flaky.room = None
        sink.append(line(2))

        assert [("eliot:lost", 1, {"m": 1}), 2] == summary(read(path))

    def test_interrupted_reports(
        self, flaky: Flaky, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ctrl-C while stderr is told of an outage is passed on, and does not end the log."""
        sink = self.sink(flaky)
        flaky.room = 0
        monkeypatch.setattr(sys, "stderr", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            sink.append(line(1))
        monkeypatch.undo()
        flaky.room = None
        sink.append(line(2))
        flaky.room = 0
        monkeypatch.setattr(sys, "stderr", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            sink.fail(line(3), 0, OSError(errno.ENOSPC, "No space left on device"))
        flaky.room = None
        sink.append(line(4))

        lost = ("eliot:lost", 1, {"m": 1})
        assert [lost, 2, lost, 4] == summary(read(path))

    def test_reports_are_not_counted(self, flaky: Flaky, path: Path) -> None:
        """If only reports of failures were lost, there is nothing to tell."""
        sink = self.sink(flaky)
        flaky.room = 0
        with pytest.raises(OSError, match="No space left"):
            sink.append(b'{"message_type":"eliot:destination_failure"}\n')
        flaky.room = None
        sink.append(line(1))

        assert [1] == summary(read(path))
        assert 0 == sink.lost

    def test_of_the_parent(self, flaky: Flaky, path: Path) -> None:
        """A forked child goes on with the outage, but not with the count: the parent tells it."""
        sink = self.sink(flaky)
        sink._renew()
        flaky.room = 0
        with pytest.raises(OSError, match="No space left"):
            sink.append(line(1))
        sink._renew()
        flaky.room = None
        sink.append(line(2))

        assert [2] == summary(read(path))

    def test_is_told_at_the_end(self, flaky: Flaky, capsys: pytest.CaptureFixture[str]) -> None:
        """If it lasts until the process ends, stderr has the count."""
        sink = self.sink(flaky)
        flaky.room = 0
        with pytest.raises(OSError, match="No space left"):
            sink.append(line(1))
        capsys.readouterr()
        sink_room._settle_all()
        assert "eliot: 1 messages could not be written to " in capsys.readouterr().err
        sink._renew()  # with nothing to tell
        sink_room._settle_all()

        assert "" == capsys.readouterr().err

    def test_needs_no_stderr(self, flaky: Flaky, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without stderr, or with a broken one, nothing is said."""
        sink = self.sink(flaky)
        flaky.room = 0
        monkeypatch.setattr(sys, "stderr", None)
        with pytest.raises(OSError, match="No space left"):
            sink.append(line(1))

        assert 1 == sink.lost


class TestPathFile:
    """A file that is given by its path."""

    def test_appends(self, path: Path) -> None:
        """What is there already stays."""
        path.write_bytes(b"old\n")
        file = PathFile(str(path), watch=False)
        file.write(b"new\n")
        file.close()

        assert b"old\nnew\n" == path.read_bytes()

    def test_is_renewed(self, path: Path) -> None:
        """It goes on in a forked child."""
        file = PathFile(str(path), watch=True)
        file._renew()
        file.write(b"x\n")

        assert b"x\n" == path.read_bytes()

    @pytest.mark.parametrize("watch", [True, False])
    def test_moved(self, path: Path, watch: bool) -> None:
        """A file that was moved is opened anew, if it is watched."""
        file = PathFile(str(path), watch=watch)
        descriptor = file.fileno()
        file.write(b"1\n")
        old = path.with_name("old.log")
        path.rename(old)
        file.write(b"2\n")

        assert watch == path.exists()
        assert (b"1\n" if watch else b"1\n2\n") == old.read_bytes()
        assert watch == (descriptor != file.fileno())

    def test_replaced(self, path: Path) -> None:
        """So is one whose path names another file now."""
        file = PathFile(str(path), watch=True)
        other = path.with_name("other.log")
        other.write_bytes(b"other\n")
        other.replace(path)
        file.write(b"1\n")

        assert b"other\n1\n" == path.read_bytes()

    def test_cannot_be_opened(self, tmp_path: Path) -> None:
        """A path that cannot be opened is an error, which names it."""
        with pytest.raises(IsADirectoryError, match="Is a directory") as caught:
            PathFile(str(tmp_path), watch=False)

        assert str(tmp_path) == caught.value.filename


class TestSinkOf:
    """Which file is written to, and how."""

    def test_is_the_same(self, path: Path) -> None:
        """The same file has the same sink, as long as somebody has it."""
        with path.open("ab") as file:
            sink = sink_of(file, text=False)

            assert sink is sink_of(file, text=False)
            assert file is sink.file

    @pytest.mark.parametrize(
        "arguments",
        [
            {"mode": "ab"},
            {"mode": "wb"},
            {"mode": "ab", "buffering": 0},
            {"mode": "a", "encoding": "utf-8"},
            {"mode": "w", "encoding": "UTF8"},
        ],
    )
    def test_goes_round_buffers(self, path: Path, arguments: Any) -> None:
        """What a usual file has in its buffer is written first, then lines go to the descriptor."""
        with path.open(**arguments) as file:
            file.write("head\n" if "encoding" in arguments else b"head\n")
            sink = sink_of(file, text="encoding" in arguments)
            sink.append(line(1))

            assert b"head\n" + line(1) == path.read_bytes()
            assert io.FileIO is type(sink._raw)

    @pytest.mark.parametrize("arguments", [{"mode": "w", "encoding": "utf-16"}, {"mode": "w+b"}])
    def test_uses_unusual_files(self, path: Path, arguments: Any) -> None:
        """Files that convert what is written, or can be read, are written to as they are."""
        with path.open(**arguments) as file:
            sink = sink_of(file, text="encoding" in arguments)
            sink.append(line(1))

            assert sink._raw is None
        encoding = arguments.get("encoding", "utf-8")
        assert line(1).decode() == path.read_bytes().decode(encoding)

    def test_windows_line_breaks(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """On Windows, text files have their own line breaks."""
        monkeypatch.setattr(os, "linesep", "\r\n")
        with path.open("w", encoding="utf-8") as file:
            assert sink_of(file, text=True)._raw is None

    def test_standard_streams(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was printed before a line stands before it, also when a signal handler logs."""
        flushes: List[str] = []
        with path.open("w", encoding="utf-8") as stream:
            raw: Any = stream.buffer.raw  # type: ignore[attr-defined] # a real file has it
            monkeypatch.setattr(sink_room, "_LAST_STREAM", raw.fileno())
            sink = sink_of(stream, text=True)
            print("printed", file=stream)
            sink.append(line(1))

            class Reentered:
                """What the stream is to a handler that interrupts a flush."""

                def flush(self) -> None:
                    flushes.append("flush")
                    raise RuntimeError("reentrant call inside")

            write = sink_room._stream_writer(Reentered(), raw)
            write(line(2))

        assert b"printed\n" + line(1) + line(2) == path.read_bytes()
        assert ["flush"] == flushes

    def test_waits_for_slow_readers(self) -> None:
        """A pipe that does not block, and is full, is waited for a moment."""
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETFL, fcntl.fcntl(writer, fcntl.F_GETFL) | os.O_NONBLOCK)
        with open(reader, "rb", buffering=0) as source, open(writer, "wb", buffering=0) as file:
            sink = sink_of(file, text=False)
            with pytest.raises(BlockingIOError, match="it takes nothing, and does not block"):
                sink.append(line(1, size=1_000_000))
            assert 1 == sink.lost
            sizes = [len(source.read(1 << 20))]
            sink.append(line(2))
            sizes.append(len(source.read(1 << 20)))

        assert sizes[0] > sizes[1] > 0

    def test_waits_only_for_descriptors(self) -> None:
        """What says that it would block, and is no file, is not waited for."""
        sink = Sink(None, lambda _: None)
        with pytest.raises(BlockingIOError):
            sink.append(line(1))

    def test_synchronizes(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """If asked for, the disk is waited for after each line."""
        synchronized: List[bytes] = []
        monkeypatch.setattr(os, "fsync", lambda _: synchronized.append(path.read_bytes()))
        with path.open("ab") as file:
            sink = sink_of(file, text=False, fsync=True)
            sink.append(line(1))
            sink.append(line(2))

        assert [line(1), line(1) + line(2)] == synchronized

    def test_needs_a_disk_to_synchronize(self) -> None:
        """What has no descriptor cannot be synchronized."""
        with pytest.raises(TypeError, match=r"^<_io.BytesIO .* cannot be synchronized"):
            sink_of(io.BytesIO(), text=False, fsync=True)


class TestFilesThatLog:
    """A file that logs whenever it is written to."""

    def test_are_written_to_later(self) -> None:
        """What comes in the middle of a write is written after it, but not for ever."""
        written: List[bytes] = []

        def write(data: bytes) -> int:
            if data:
                written.append(data)
                sink.append(line(len(written)))
            return len(data)

        sink = Sink(None, write)
        sink.append(line(0))

        assert line(0) == written[0]
        assert 1 < len(written) < 1000

    def test_have_an_end(self) -> None:
        """Too much at a time is refused."""

        def write(data: bytes) -> int:
            while data:
                sink.append(line(1))
            return len(data)

        sink = Sink(None, write)
        with pytest.raises(TooDeepError, match="logs whenever it is written"):
            sink.append(line(0))

        assert sink.lost

    def test_may_fail_later(self) -> None:
        """What cannot be written after the logging call has returned is counted as late."""
        written: List[bytes] = []

        def write(data: bytes) -> int:
            written.append(data)
            if len(written) == 1:
                sink.append(line(1))
            else:
                raise OSError(errno.ENOSPC, "No space left on device")
            return len(data)

        sink = Sink(None, write)
        sink.append(line(0))

        assert (1, 1) == (sink.lost, sink.late)


class TestRoom:
    """A file whose write has no room for its calls."""

    def test_comes_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Near the recursion limit nothing is counted as lost: it is logged later."""
        monkeypatch.setattr(sink_room, "is_cramped", lambda: True)
        error = RecursionError()

        def write(data: bytes) -> int:
            raise error

        sink = Sink(None, write)
        with pytest.raises(RecursionError):
            sink.append(line(0))
        assert (0, None) == (sink.lost, sink.outage)
        sink.outage = sink_room.Outage("some reason")
        with pytest.raises(RecursionError):
            sink.append(line(0))

        assert 0 == sink.lost


class TestForks:
    """What is done around a fork."""

    def test_files_are_held(self) -> None:
        """Nobody writes to a file with a lock of its own meanwhile."""
        sink = sink_of(io.BytesIO(), text=False)
        sink_room._hold_files()
        held = sink_room._held.locks
        sink_room._release_files()

        assert sink._lock in held
        assert () == sink_room._held.locks


def test_closed_descriptors_are_no_files(path: Path) -> None:
    """What has lost its descriptor is written to with care."""
    file = path.open("ab", buffering=0)
    os.close(file.fileno())
    sink = Sink(file, file.write, file)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sink.append(line(1))
    with suppress(OSError):
        file.close()

    assert sink.exclusive


def test_failures_in_the_middle_of_others(path: Path) -> None:
    """What a signal handler could not write in the middle of another write is counted after it."""
    with path.open("ab", buffering=0) as file:
        sink = Sink(file, file.write, file)
        error = OSError(errno.ENOSPC, "No space left on device")
        sink._busy = True
        sink.fail(line(1), 0, error)
        sink.fail(line(2), 0, error)
        assert 0 == sink.lost
        sink._busy = False
        sink._catch_up()
        sink.fail(line(3), 0, error)
        assert 3 == sink.lost
        sink.append(line(4))

    assert [("eliot:lost", 3, {"m": 3}), 4] == summary(read(path))
