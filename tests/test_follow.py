"""Tests of `eliot._follow`: logs that grow, are cut, and are moved away."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Callable, List

import pytest

from eliot import _follow
from eliot._follow import Following
from eliot._inputs import Problem
from eliot.parse import tasks_of


def line(number: int, **more: Any) -> bytes:
    """Make a line with a message that was logged at a time."""
    fields = {"task_uuid": "u", "task_level": [number], "timestamp": number, "message_type": "m"}
    return json.dumps({**more, **fields, **more}).encode() + b"\n"  # as Eliot does, place last


class Enough(Exception):
    """Nothing more is going to happen."""


class Reader:
    """Follow logs, to which something happens each time when nothing has come."""

    def __init__(self, *sources: Any) -> None:
        self.seen: List[Any] = []
        self.steps: List[Callable[[], object]] = []
        self.following = Following(sources, self.report, self.wait)

    def report(self, problem: Problem) -> None:
        """Note a problem in its place."""
        self.seen.append(f"{problem.line}: {problem.reason}")

    def wait(self) -> None:
        """Do the next step, or end."""
        self.seen.append("")
        if not self.steps:
            raise Enough
        self.steps.pop(0)()

    def read(self, *steps: Callable[[], object]) -> List[Any]:
        """Do these steps, one each time when nothing has come; return what was seen."""
        self.steps = list(steps)
        try:
            for message in self.following.messages():
                self.seen.append(message["timestamp"])
        except Enough:
            pass
        return self.seen


def append(path: Path, *lines: bytes) -> Callable[[], object]:
    """Return what appends to a file."""

    def do() -> None:
        with path.open("ab") as file:
            file.write(b"".join(lines))

    return do


class TestFollowing:
    """`Following`."""

    def test_begins_with_what_is_there(self, tmp_path: Path) -> None:
        """Then it gives what comes, whole lines only, and reports what is none."""
        path = tmp_path / "a"
        append(path, line(1), line(2))()
        steps = (
            append(path, line(3)[:20]),
            append(path, line(3)[20:], b"oops\n", line(4)[:5]),
            append(path, line(4)[5:], line(5)),
        )

        assert [1, 2, "", "", 3, "4: not JSON", "", 4, 5, ""] == Reader(path).read(*steps)

    def test_reads_several(self, tmp_path: Path) -> None:
        """Several files may grow, in turn."""
        one, two = tmp_path / "1", tmp_path / "2"
        append(one, line(1))()
        append(two, line(2))()
        steps = append(two, line(3)), append(one, line(4))

        assert [1, 2, "", 3, "", 4, ""] == Reader(one, str(tmp_path / "?")).read(*steps)

    def test_waits_for_missing_files(self, tmp_path: Path) -> None:
        """A file that is not there yet is told once, and waited for."""
        path = tmp_path / "a"
        reader = Reader(path)
        seen = reader.read(lambda: None, append(path, line(1)))

        assert ["None: No such file or directory; waiting for it", "", "", 1, ""] == seen
        assert 0 == reader.following.unreadable

    def test_notices_cuts(self, tmp_path: Path) -> None:
        """A file that was cut is read from its beginning again."""
        path = tmp_path / "a"
        append(path, line(1), line(2), line(3)[:10])()
        steps = (
            lambda: path.write_bytes(line(4) + b"oops\n"),
            append(path, line(5)),
        )

        assert [
            *[1, 2, ""],
            "3: not JSON, the log ends in the middle of a line",
            *[4, "2: not JSON", "", 5, ""],
        ] == Reader(path).read(*steps)

    @pytest.mark.parametrize("number", [1, 2, 5])
    @pytest.mark.parametrize("size", [0, 100_000])
    def test_notices_cuts_of_files_that_grow_on(
        self, size: int, number: int, tmp_path: Path
    ) -> None:
        """That is so, too, if the file has got as long as it was, or longer, in the meantime."""
        path = tmp_path / "a"
        append(path, line(1, x="x" * size), line(2, x="x" * size))()
        lines = [line(n, x="x" * size) for n in range(3, 3 + number)]
        steps = lambda: path.write_bytes(b"".join(lines)), append(path, line(9))

        assert [1, 2, "", *range(3, 3 + number), "", 9, ""] == Reader(path).read(*steps)

    def test_notices_cuts_that_leave_a_hole(self, tmp_path: Path) -> None:
        """That is so, too, if the writer goes on where it was, which leaves a hole before."""
        path = tmp_path / "a"
        append(path, line(1))()
        steps = (lambda: path.write_bytes(b"\0" * len(line(1)) + line(2)),)
        hole = f"1: not JSON, with a hole of {len(line(1))} NUL bytes"

        assert [1, "", 2, hole, ""] == Reader(path).read(*steps)

    @pytest.mark.parametrize("size", [0, 100_000])
    def test_goes_on_where_a_line_was_cut_off(self, size: int, tmp_path: Path) -> None:
        """If a writer removes the start of a line that it could not end, nothing is repeated."""
        path = tmp_path / "a"
        begin = line(1, x="x" * size)
        append(path, begin, line(2, x="x" * size)[:-5])()
        steps = (
            lambda: path.write_bytes(begin),
            append(path, line(3)[:10]),
            lambda: path.write_bytes(begin + line(4) + line(5)),
            append(path, b"oops\n"),
        )

        assert [1, "", "", "", 4, 5, "", "4: not JSON", ""] == Reader(path).read(*steps)

    def test_notices_a_cut_of_all(self, tmp_path: Path) -> None:
        """A file without a whole line that is emptied begins anew."""
        path = tmp_path / "a"
        append(path, line(1)[:10])()
        steps = (lambda: path.write_bytes(b""), append(path, line(2)))
        cut = "1: not JSON, the log ends in the middle of a line"

        assert ["", cut, "", 2, ""] == Reader(path).read(*steps)

    def test_reads_pipes_first(self, tmp_path: Path) -> None:
        """What cannot grow is read to its end, nothing of it is lost, and then the others."""
        path, pipe = tmp_path / "a", tmp_path / "pipe"
        append(path, line(1))()
        os.mkfifo(str(pipe))
        writer = threading.Thread(target=pipe.write_bytes, args=[line(2)])
        writer.start()
        seen = Reader(path, pipe).read()
        writer.join()

        assert [2, 1, ""] == seen

    def test_notices_rotation(self, tmp_path: Path) -> None:
        """A file that was moved away is read to its end, then the new one of that name."""
        path, old = tmp_path / "a", tmp_path / "a.1"
        append(path, line(1))()

        def rotate() -> None:
            path.rename(old)
            append(old, line(3))()
            append(path, line(4), b"oops\n")()

        steps = (
            lambda: path.rename(old),
            append(old, line(2)),
            lambda: old.rename(path),
            rotate,
            append(path, line(5)),
        )

        assert [1, "", "", 2, "", "", 3, 4, "2: not JSON", "", 5, ""] == Reader(path).read(*steps)

    def test_reads_the_last_line_before_rotation(self, tmp_path: Path) -> None:
        """What is left without line feed in a file that was moved away is read, too."""
        path, old = tmp_path / "a", tmp_path / "a.1"
        append(path, line(1)[:-1])()

        def rotate() -> None:
            path.rename(old)
            append(path, line(2))()

        assert ["", 1, 2, ""] == Reader(path).read(rotate)

    def test_reads_long_lines(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A line may come in many pieces."""
        monkeypatch.setattr(_follow, "_CHUNK", 7)
        path = tmp_path / "a"
        append(path, line(1, x="x" * 100), line(2))()

        assert [1, 2, ""] == Reader(path).read()

    def test_reads_what_cannot_grow_first(self, tmp_path: Path) -> None:
        """Archives and files that somebody has opened are read to their end."""
        path, archive = tmp_path / "a", tmp_path / "a.gz"
        append(archive, gzip.compress(line(2)))()
        append(path, line(1))()

        reader = Reader(path, io.BytesIO(line(3)), archive)

        assert [2, 3, 1, ""] == reader.read()
        assert archive.stat().st_size == reader.following.size == reader.following.position

    def test_ends_if_nothing_can_grow(self, tmp_path: Path) -> None:
        """Without a file that may grow there is an end; what cannot be read is counted."""
        reader = Reader(io.BytesIO(line(1)), tmp_path)

        assert [1] == reader.read()[1:]
        assert 1 == reader.following.unreadable

    def test_tells_where_messages_are(self, tmp_path: Path) -> None:
        """A message without a place in a task is told with its source and line."""
        path = tmp_path / "a"
        append(path, line(1), b"\n", line(2, task_level=[]), line(3))()
        problems: List[Problem] = []

        def wait() -> None:
            raise Enough

        following = Following([path, io.BytesIO(line(4, task_level=[]))], problems.append, wait)
        with pytest.raises(Enough):
            list(tasks_of(following, problems.append))

        assert [(1, "<file>"), (3, str(path))] == [
            (problem.line, problem.source) for problem in problems
        ]

    def test_need_not_find_anything(self, tmp_path: Path) -> None:
        """Who does not want to wait any longer for a missing file may leave."""
        reader = Reader(tmp_path / "a")

        assert ["None: No such file or directory; waiting for it", ""] == reader.read()

    def test_closes_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who wants no more closes the iterator, and with it the files."""
        append(tmp_path / "a", line(1))()
        following = Following([tmp_path / "a"], print)
        messages = following.messages()
        next(messages)
        [growing] = following._growing
        assert growing._file is not None
        messages.close()  # type: ignore[attr-defined] # it is a generator

        assert growing._file is None

    def test_does_not_keep_the_machine_busy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between two looks at files that do not grow it sleeps."""
        path = tmp_path / "a"
        append(path, line(1))()
        slept: List[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            append(path, line(2))()

        monkeypatch.setattr(time, "sleep", sleep)
        messages = Following([path], print).messages()

        assert [1, 2] == [next(messages)["timestamp"] for _ in range(2)]
        assert [0.1] == slept
        messages.close()  # type: ignore[attr-defined] # it is a generator
