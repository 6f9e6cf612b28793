"""Tests of `eliot._inputs` and `eliot.parse.read`: from files, in any state, to messages."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot import parse
from eliot._inputs import Log, Problem, is_compressed
from eliot.parse import Parser, read

Fields = Dict[str, Any]


def line(number: float, uuid: str = "u", **more: Any) -> bytes:
    """Make a line with a message that was logged at a time."""
    fields = {"task_uuid": uuid, "task_level": [1], "timestamp": number, "message_type": "m"}
    return json.dumps({**fields, **more}).encode() + b"\n"


def written(folder: Path, name: str, *lines: bytes) -> str:
    """Write a log; return its path."""
    path = folder / name
    path.write_bytes(b"".join(lines))
    return str(path)


def contents(*sources: Any) -> Tuple[List[Any], List[str]]:
    """Read sources; return the times of their messages, in order, and what was wrong."""
    seen: List[Any] = []
    problems: List[str] = []
    log = Log(sources, lambda problem: problems.append(str(problem)))
    seen.extend(message["timestamp"] for message in log.messages())
    return seen, problems


def zstd(data: bytes) -> bytes:
    """Compress data, where that can be done."""
    if sys.version_info >= (3, 14):
        from compression.zstd import compress
    else:
        compress = pytest.importorskip(
            "zstandard", reason="no zstandard on this interpreter"
        ).compress
    compressed: bytes = compress(data)
    return compressed


MARK = b"\x28\xb5\x2f\xfd"


class Decompressor:
    """Stands for that of zstandard, where there is none: what follows the mark is zlib's."""

    def __init__(self) -> None:
        self._frame = zlib.decompressobj()
        self._skipped = 0

    def decompressobj(self) -> Any:
        """Return what reads one frame."""
        return Decompressor()

    def decompress(self, data: bytes) -> bytes:
        """Decompress some more of a frame."""
        skip = min(len(data), len(MARK) - self._skipped)
        self._skipped += skip
        return self._frame.decompress(data[skip:])

    @property
    def eof(self) -> bool:
        """Whether the frame ended."""
        return self._frame.eof

    @property
    def unused_data(self) -> bytes:
        """What came behind it."""
        return self._frame.unused_data


class TestSources:
    """What can be read."""

    def test_are_files(self, tmp_path: Path) -> None:
        """A path, be it text or not, names a file."""
        path = written(tmp_path, "a.log", line(1), line(2))

        assert ([1, 2], []) == contents(path)
        assert ([1, 2], []) == contents(Path(path))

    def test_are_patterns(self, tmp_path: Path) -> None:
        """A pattern names all files of such names, in folders below, too, but no folders."""
        for name in ("a.log", "b.log", "c.txt"):
            written(tmp_path, name, line(ord(name[0])))
        (tmp_path / "d.log").mkdir()
        written(tmp_path / "d.log", "e.log", line(ord("e")))

        assert ([97, 98], []) == contents(str(tmp_path / "*.log"))
        assert ([97, 98, 101], []) == contents(str(tmp_path / "**" / "*.log"))

    def test_may_look_like_patterns(self, tmp_path: Path) -> None:
        """A file whose name is a pattern is that file."""
        path = written(tmp_path, "a[1].log", line(1))
        written(tmp_path, "a1.log", line(2))

        assert ([1], []) == contents(path)

    def test_are_read_once(self, tmp_path: Path) -> None:
        """A file that is named twice is one file."""
        path = written(tmp_path, "a.log", line(1))
        other = os.path.join(str(tmp_path), ".", "a.log")

        assert ([1], []) == contents(path, other, str(tmp_path / "*.log"))

    def test_are_open_files(self, tmp_path: Path) -> None:
        """Files that somebody has opened are read, in binary mode or not, and stay open."""
        path = written(tmp_path, "a.log", line(1))
        with open(path, "rb") as binary, open(path, encoding="utf-8") as text:
            seen = contents(binary, text, io.BytesIO(line(3)), io.StringIO(line(2).decode()))

            assert ([1, 1, 2, 3], []) == seen
            assert (False, False) == (binary.closed, text.closed)

    @pytest.mark.parametrize("skip", ["readline", "__next__"])
    def test_are_text_files_of_which_lines_were_read(self, skip: str, tmp_path: Path) -> None:
        """Of a text file all lines are read that nobody has read yet."""
        path = written(tmp_path, "a.log", b"# header\n", line(1), line(2))
        with open(path, encoding="utf-8") as file:
            getattr(file, skip)()

            assert ([1, 2], []) == contents(file)

    def test_are_text_files_that_cannot_go_back(self) -> None:
        """A pipe is read as bytes, be it opened as text."""
        read_end, write_end = os.pipe()
        with open(write_end, "wb") as file:
            file.write(gzip.compress(line(1)))
        with open(read_end, encoding="utf-8") as text:
            assert ([1], []) == contents(text)

    def test_are_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A dash is standard input, be it given twice."""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line(1) + b"oops\n")))

        assert ([1], ["<stdin>:2: not JSON: oops"]) == contents("-", "-")

    def test_need_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Programs without standard input say so."""
        monkeypatch.setattr(sys, "stdin", None)

        assert ([], ["<stdin>: there is no standard input"]) == contents("-")

    def test_are_reported_if_they_cannot_be_read(self, tmp_path: Path) -> None:
        """What is missing is named in one line; all else is read."""
        path, folder = written(tmp_path, "a.log", line(1)), str(tmp_path)
        missing, pattern = str(tmp_path / "b.log"), str(tmp_path / "*.txt")
        problems: List[Problem] = []
        log = Log([folder, missing, pattern, path], problems.append)

        assert [1] == [message["timestamp"] for message in log.messages()]
        assert [
            f"{folder}: a directory; its files are {os.path.join(folder, '*')!r}",
            f"{pattern}: no file has such a name",
            f"{missing}: No such file or directory",
        ] == [str(problem) for problem in problems]
        assert 3 == log.unreadable

    def test_may_be_empty(self, tmp_path: Path) -> None:
        """An empty file has no messages, and nothing is wrong with it; nor is there in no file."""
        assert ([], []) == contents(written(tmp_path, "a.log"))
        assert ([], []) == contents()


class TestCompressed:
    """Archives, told by how they begin."""

    @pytest.mark.parametrize("name", ["a.log.gz", "a.log"])
    def test_gzip_is_read(self, name: str, tmp_path: Path) -> None:
        """What gzip has compressed is read, whatever its name, in several pieces, too."""
        path = written(tmp_path, name, gzip.compress(line(1)), gzip.compress(line(2)))

        assert ([1, 2], []) == contents(path)

    def test_zstd_is_read(self, tmp_path: Path) -> None:
        """So is what zstd has compressed."""
        path = written(tmp_path, "a.log.zst", zstd(line(1)), zstd(line(2)))

        assert ([1, 2], []) == contents(path)

    @pytest.mark.parametrize("compress", [gzip.compress, zstd])
    def test_memory_is_read(self, compress: Callable[[bytes], bytes]) -> None:
        """What is in memory may be compressed, too, behind something else even."""
        file = io.BytesIO(b"oops" + compress(line(1)))
        file.seek(4)

        assert ([1], []) == contents(file)

    def test_streams_are_read(self) -> None:
        """What comes through a pipe may be compressed, too."""
        read_end, write_end = os.pipe()
        with open(write_end, "wb") as file:
            file.write(gzip.compress(line(1)))
        with open(read_end, "rb") as file:
            assert ([1], []) == contents(file)

    def test_zstd_is_read_with_what_there_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The standard library decompresses, where it can; otherwise the package does."""
        path = written(tmp_path, "a.log.zst", MARK, zlib.compress(line(2)))
        library, package = ModuleType("compression.zstd"), ModuleType("zstandard")
        library.ZstdFile = lambda file: io.BytesIO(line(1))  # type: ignore[attr-defined] # made here
        package.ZstdDecompressor = Decompressor  # type: ignore[attr-defined] # so is this
        monkeypatch.setitem(sys.modules, "compression", ModuleType("compression"))
        monkeypatch.setitem(sys.modules, "compression.zstd", library)
        monkeypatch.setitem(sys.modules, "zstandard", package)

        assert ([1], []) == contents(path)

        monkeypatch.setitem(sys.modules, "compression.zstd", None)

        assert ([2], []) == contents(path)

    def test_zstd_needs_a_package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the package for it the problem is the command that installs it."""
        path = written(tmp_path, "a.log.zst", MARK)
        monkeypatch.setitem(sys.modules, "zstandard", None)
        monkeypatch.setitem(sys.modules, "compression.zstd", None)
        needed = "to read .zst needs the package zstandard: pip install 'eliot[cli]'"

        assert ([], [f"{path}: {needed}"]) == contents(path)

    def test_cut_zstd_is_told(self, tmp_path: Path) -> None:
        """What is there of an archive that was cut is read, and that it was cut is a problem."""
        log = b"".join(line(number, text=os.urandom(1000).hex()) for number in range(1000))
        archive = zstd(log)
        path = written(tmp_path, "a.log.zst", archive[: len(archive) // 2])
        seen, [problem] = contents(path)

        assert 100 < len(seen) < 900
        assert problem.endswith("ended before the end-of-stream marker was reached")

    def test_frames_are_read_one_by_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the package decompresses, there may be many frames; only the last can be cut."""
        package = ModuleType("zstandard")
        package.ZstdDecompressor = Decompressor  # type: ignore[attr-defined] # it is made here
        monkeypatch.setitem(sys.modules, "compression.zstd", None)
        monkeypatch.setitem(sys.modules, "zstandard", package)
        frames = [MARK + zlib.compress(line(number)) for number in range(100)]
        cut = written(tmp_path, "cut.log.zst", *frames, frames[0][:-1])
        message = "Compressed file ended before the end-of-stream marker was reached"

        assert ([*range(100)], []) == contents(written(tmp_path, "a.log.zst", *frames))
        assert ([*range(100), 0], [f"{cut}:102: {message}"]) == contents(cut)

    def test_damage_ends_the_source(self, tmp_path: Path) -> None:
        """What comes before the damage is read, and so are the other sources."""
        archive = gzip.compress(b"".join(map(line, range(1000))))
        damaged = written(tmp_path, "a.log.gz", archive[: len(archive) // 2])
        seen, problems = contents(damaged, written(tmp_path, "b.log", line(5000)))

        assert 100 < len(seen)
        assert [*range(len(seen) - 1), 5000] == seen
        [problem] = [text for text in problems if "end-of-stream" in text]
        assert problem.startswith(f"{damaged}:{len(seen)}: Compressed file ended before")

    @pytest.mark.parametrize(
        ("begin", "expected"),
        [(b"\x1f\x8b", True), (b"\x28\xb5\x2f\xfd", True), (b"{", False), (b"", False)],
    )
    def test_are_told(self, begin: bytes, expected: bool, tmp_path: Path) -> None:
        """They can be told from files that may grow."""
        assert expected == is_compressed(written(tmp_path, "a", begin))
        assert not is_compressed(str(tmp_path / "b"))


class TestMerging:
    """Several sources."""

    def test_is_by_time(self, tmp_path: Path) -> None:
        """Messages come in order of time, and at one time in order of the sources."""
        one = written(tmp_path, "1", line(1), line(4), line(5, x=1))
        two = written(tmp_path, "2", line(2), line(3), line(5, x=2), line(6))

        log = Log([one, two], print)
        seen = [(message["timestamp"], message.get("x")) for message in log.messages()]

        assert [(1, None), (2, None), (3, None), (4, None), (5, 1), (5, 2), (6, None)] == seen

    def test_keeps_the_order_of_each(self, tmp_path: Path) -> None:
        """What is not in order in its source, or has no time, stays in its place there."""
        one = written(tmp_path, "1", line(3), line(1), line("noon"), line(4))  # type: ignore[arg-type] # no time
        two = written(tmp_path, "2", line(2), line(3.5))

        assert ([2, 3, 1, "noon", 3.5, 4], []) == contents(one, two)

    def test_reports_in_place(self, tmp_path: Path) -> None:
        """A bad line is reported where it is, with its source and its number there."""
        one = written(tmp_path, "1", line(1), b"oops\n", line(4))
        two = written(tmp_path, "2", line(2), line(3), b"[]\n")
        seen: List[Any] = []
        log = Log([one, two], lambda problem: seen.append(problem[:3]))
        for message in log.messages():
            seen.append(message["timestamp"])  # noqa: PERF401 - the log appends, too

        assert [
            1,
            (one, 2, "not JSON"),
            2,
            3,
            (two, 3, "not a JSON object"),
            4,
        ] == seen

    def test_opens_few_files(self, tmp_path: Path) -> None:
        """Logs that follow one another are opened one after the other."""
        paths = [written(tmp_path, f"{n}", line(n), line(n + 0.5)) for n in range(20)]
        log = Log(paths[::-1], print)
        opened = []
        for _ in log.messages():
            opened.append(sum(part._file is not None for part in log.parts))  # noqa: PERF401 - log is read

        assert 40 == len(opened)
        assert 2 >= max(opened)

    def test_begins_where_time_is_unknown(self, tmp_path: Path) -> None:
        """A source of which nobody knows when it begins is read from the beginning."""
        one = written(tmp_path, "1", line(1), line(2))
        two = written(tmp_path, "2", *[b"oops\n"] * 200, line(3))
        seen, problems = contents(one, two, written(tmp_path, "3"))

        assert ([1, 2, 3], 200) == (seen, len(problems))

    @given(st.lists(st.lists(st.integers(0, 50)), max_size=5))
    def test_loses_nothing(self, times: List[List[int]]) -> None:
        """Whatever the times, every message comes; in order if each source is."""
        files = [io.BytesIO(b"".join(map(line, numbers))) for numbers in times]
        ordered = [io.BytesIO(b"".join(map(line, sorted(numbers)))) for numbers in times]
        everything = sorted(number for numbers in times for number in numbers)

        assert everything == sorted(contents(*files)[0])
        assert everything == contents(*ordered)[0]


class TestDamage:
    """Logs that are no logs any more, or have never been."""

    def test_binary_rubbish(self, tmp_path: Path) -> None:
        """Rubbish is reported line by line, and shown so that no terminal obeys it."""
        rubbish = bytes(range(256)).replace(b"\n", b"") + b"\n\x00\xff\xfe\n"
        path = written(tmp_path, "a", rubbish, line(1), b"\x1b[2J\x1b]0;title\x07\n")
        seen, problems = contents(path)

        assert ([1], 3) == (seen, len(problems))
        assert rf"{path}:4: not JSON: \x1b[2J\x1b]0;title\x07" == problems[2]
        assert all(problem.isprintable() for problem in problems)

    def test_a_hostile_name(self, tmp_path: Path) -> None:
        """The name of a file is shown so, too."""
        problem = Problem("a\x1b[31m\n.log", 1, "not\x1bJSON")

        assert r"a\x1b[31m\n.log:1: not\x1bJSON" == str(problem)

    def test_long_lines_are_shown_in_part(self) -> None:
        """No more than 200 characters of a line are shown."""
        assert f"a:1: not JSON: {'x' * 200}..." == str(Problem("a", 1, "not JSON", b"x" * 201))
        assert f"a:1: not JSON: {'x' * 200}" == str(Problem("a", 1, "not JSON", b"x" * 200))

    def test_messages_are_shown_as_dictionaries(self) -> None:
        """A message without a place is shown as it was read."""
        assert r"a:1: odd: {'x': '\x1b'}" == str(Problem("a", 1, "odd", {"x": "\x1b"}))

    def test_a_cut_end(self, tmp_path: Path) -> None:
        """The end of a log whose writer was killed is told."""
        path = written(tmp_path, "a", line(1), line(2)[:-10])
        [problem] = contents(path)[1]

        assert problem.startswith(f"{path}:2: not JSON, the log ends in the middle of a line: ")

    def test_shuffled_and_in_two_logs(self, tmp_path: Path) -> None:
        """Tasks are put together, wherever their messages are."""
        lines = [
            line(n, uuid, task_level=[n + 1], action_type="a", action_status=status)
            for uuid in map(str, range(50))
            for n, status in enumerate(["started", "succeeded"])
        ]
        lines = lines[::7] + [text for n, text in enumerate(lines) if n % 7]
        one, two = written(tmp_path, "1", *lines[::2]), written(tmp_path, "2", *lines[1::2])

        assert [True] * 50 == [task.is_complete() for task in read(one, two)]


class TestProgress:
    """How far a log was read."""

    def test_is_told_in_bytes(self, tmp_path: Path) -> None:
        """The size is that of the files, and in the end all of it was read."""
        lines = b"".join(map(line, range(10_000)))
        plain = written(tmp_path, "1", lines)
        packed = written(tmp_path, "2", gzip.compress(lines))
        log = Log([plain, packed, io.BytesIO(lines)], print)
        positions = [log.position]
        for count, _ in enumerate(log.messages()):
            if count % 1000 == 0:
                positions.append(log.position)
        positions.append(log.position)

        assert os.path.getsize(plain) + os.path.getsize(packed) == log.size
        assert (0, log.size) == (positions[0], positions[-1])
        assert sorted(positions) == positions
        assert 5 < len(set(positions))

    def test_survives_a_race(self, tmp_path: Path) -> None:
        """A file that was closed a moment ago is where it was."""
        path = written(tmp_path, "1", line(1), line(2))
        log = Log([path], print)
        messages = log.messages()
        next(messages)
        before = log.position
        [part] = log.parts
        assert part._file is not None
        part._file.close()

        assert before == log.position


class TestRead:
    """`eliot.parse.read()`."""

    def test_gives_tasks(self, tmp_path: Path) -> None:
        """Each task comes as from a parser."""
        path = written(tmp_path, "a", line(1, "u"), line(2, "v"))
        with open(path, "rb") as file:
            messages = [json.loads(text) for text in file]

        assert list(Parser.parse_stream(messages)) == list(read(path))

    def test_reads_no_further_than_needed(self) -> None:
        """The first task comes before the rest was read."""
        lines = io.BytesIO(b"".join(map(line, range(1000))))
        next(read(lines))

        assert 500 > len(lines.getvalue()[: lines.tell()].splitlines())

    def test_asks_for_a_source(self) -> None:
        """Without a source nothing is meant."""
        with pytest.raises(TypeError, match="at least one path"):
            read()

    @pytest.mark.parametrize("wrong", [["a.log", "b.log"], 3, b"a.log"])
    def test_asks_for_a_real_source(self, wrong: Any) -> None:
        """What cannot be read, such as a list of paths, is named."""
        with pytest.raises(TypeError) as error:
            read(wrong)

        assert str(error.value).startswith(f"{wrong!r} is no path, pattern or open file; ")

    def test_tells_of_problems(self, tmp_path: Path) -> None:
        """Bad lines, messages without a place and missing files are told, and all else is read."""
        path = written(
            tmp_path,
            "a",
            line(1),
            b"oops\n",
            line(2, task_level=[]),
            line(3).replace(b"message_type", b"action_type"),
            line(4, "v"),
        )
        problems: List[Problem] = []
        tasks = list(read(path, str(tmp_path / "b"), on_error=problems.append))

        assert [1, 4] == [task.top().start for task in tasks]
        assert [
            (str(tmp_path / "b"), None, "No such file or directory"),
            (path, 2, "not JSON"),
            (path, 3, "task_level is a list of integers from 1 on, such as [2, 1], not []"),
            (path, 4, "without action_status"),
        ] == [problem[:3] for problem in problems]

    def test_tells_where_messages_are(self, tmp_path: Path) -> None:
        """A message without a place is told with its line, in a single log as in merged ones."""
        lines = [b"\n", line(1), b"oops\n", line(2, task_level=[]), line(3), line(4, task_level=[])]
        path, other = written(tmp_path, "1", *lines), written(tmp_path, "2", line(1.5), line(3.5))
        alone: List[Any] = []
        merged: List[Any] = []
        list(read(path, on_error=lambda problem: alone.append(problem[:2])))
        list(read(path, other, on_error=lambda problem: merged.append(problem[:2])))

        assert [(path, 3), (path, 4), (path, 6)] == alone == merged

    def test_warns_of_problems(self, tmp_path: Path) -> None:
        """Without anybody to be told, the first problems are warnings, and the rest is counted."""
        path = written(tmp_path, "a", *[b"oops\n"] * 13, line(1))
        with pytest.warns(RuntimeWarning) as warnings:
            tasks = list(read(path))

        assert 1 == len(tasks)
        assert [
            *(f"{path}:{number}: not JSON: oops" for number in range(1, 11)),
            "3 more lines or messages could not be read.",
        ] == [str(warning.message) for warning in warnings]

    def test_warns_of_few_problems(self, tmp_path: Path) -> None:
        """Where all problems were told, nothing is counted."""
        with pytest.warns(RuntimeWarning, match="oops") as warnings:
            list(read(written(tmp_path, "a", b"oops\n")))

        assert 1 == len(warnings)


def test_reasons_are_never_empty() -> None:
    """An error without text is told by its class."""
    messages: Iterator[Fields] = Log([io.BytesIO(line(1))], print).messages()
    log = Log([io.BytesIO(line(1))], print)
    [message] = messages

    assert "ValueError" == log.problem(message, ValueError()).reason


def test_nothing_else_is_opened_late() -> None:
    """What `eliot.parse` does not have it does not invent."""
    assert not hasattr(parse, "nothing")
    assert Problem is parse.Problem
