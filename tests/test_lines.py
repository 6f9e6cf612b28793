"""Tests of `eliot._lines`."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot._lines import Decoder
from eliot.parse import BadLine, read_lines

GOOD = b'{"task_uuid":"u","task_level":[1],"timestamp":1.5}'
MESSAGE: Dict[str, Any] = {"task_uuid": "u", "task_level": [1], "timestamp": 1.5}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(params=["orjson", "json"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read with orjson, if it is installed, and without."""
    if request.param == "json":
        monkeypatch.setitem(sys.modules, "orjson", None)


def reasons(*lines: Union[bytes, str]) -> List[str]:
    """Read lines that are no messages; return what is said about them."""
    return [str(item) for item in read_lines(lines) if isinstance(item, BadLine)]


@pytest.mark.usefixtures("decoder")
class TestGoodLines:
    """Lines that are messages."""

    def test_file(self) -> None:
        """Each line of a file becomes a dictionary."""
        assert [MESSAGE, MESSAGE] == list(read_lines(io.BytesIO(GOOD + b"\n" + GOOD)))

    def test_text(self) -> None:
        """Lines may be text, with any line ending."""
        text = GOOD.decode()

        assert [MESSAGE, MESSAGE] == list(read_lines([text + "\n", text + "\r\n"]))

    def test_lazy(self) -> None:
        """No line is read before it is needed."""
        lines = iter([GOOD, GOOD, GOOD])

        assert MESSAGE == next(read_lines(lines))
        assert 2 == len(list(lines))

    @given(st.dictionaries(st.text(), VALUES, max_size=4), st.booleans())
    def test_what_was_written(self, fields: Dict[str, Any], ascii_only: bool) -> None:
        """Every value comes back exactly."""
        message = {**fields, **MESSAGE}
        line = json.dumps(message, ensure_ascii=ascii_only)

        assert [message] == list(read_lines([line]))

    @pytest.mark.parametrize("number", [2**64, 10**40, -(2**63) - 1, 2**64 - 1, -(2**63)])
    def test_large_integers(self, number: int) -> None:
        """Integers of more than 64 bits are not rounded."""
        line = json.dumps({**MESSAGE, "id": number}).encode()

        assert [{**MESSAGE, "id": number}] == list(read_lines([line]))

    @pytest.mark.parametrize("half", ["\ud800", "\\ud800"])
    def test_lone_surrogates(self, half: str) -> None:
        """Half a character, escaped or not, is kept."""
        line = '{"s":"' + half + '",' + GOOD[1:].decode()

        assert [{**MESSAGE, "s": "\ud800"}] == list(read_lines([line]))

    def test_literals_that_json_lacks(self) -> None:
        """NaN and the infinities are understood: some writers use them."""
        (message,) = read_lines([b'{"n":NaN,"i":-Infinity,' + GOOD[1:]])

        assert isinstance(message, dict)
        assert math.isnan(message["n"])
        assert -math.inf == message["i"]


@pytest.mark.usefixtures("decoder")
class TestBadLines:
    """Lines that are none."""

    @pytest.mark.parametrize(
        "line", [b"oops", b"}{", b'"a":1}', b"\xff\xfe", b'"\xc3"', b"1 2", b"[" * 99999]
    )
    def test_not_json(self, line: bytes) -> None:
        """What cannot be decoded is not JSON, however strange it is."""
        assert ["line 1: not JSON"] == reasons(line)

    @pytest.mark.parametrize("line", [b"[]", b"3", b'"text"', b"null", b"NaN", b"9" * 30])
    def test_no_object(self, line: bytes) -> None:
        """A message is an object."""
        assert ["line 1: not a JSON object"] == reasons(line)

    def test_fields_missing(self) -> None:
        """The fields that are missing are named."""
        assert [
            "line 1: without task_level, task_uuid, timestamp",
            "line 2: without timestamp",
        ] == reasons(b"{}", b'{"task_uuid":"u","task_level":[1]}')

    def test_in_place(self) -> None:
        """Bad lines come between the good ones, each with its number and without line feed."""
        items = list(read_lines([GOOD, b"oops\r\n", GOOD, "n\u00e9"]))

        assert [
            MESSAGE,
            BadLine(2, b"oops\r", "not JSON"),
            MESSAGE,
            BadLine(4, b"n\xc3\xa9", "not JSON"),
        ] == items

    def test_many_digits(self) -> None:
        """Deep nesting around a large integer is no danger either."""
        assert ["line 1: not JSON"] == reasons(b"[" * 99999 + b"1" * 20)


def numbered(count: int) -> List[bytes]:
    """Make so many lines that differ."""
    return [GOOD[:-1] + b',"n":%d}\n' % number for number in range(count)]


@pytest.mark.usefixtures("decoder")
class TestFiles:
    """Lines of a file on disk, of which many are decoded together."""

    @given(
        st.lists(
            st.sampled_from(
                [
                    GOOD,
                    GOOD + GOOD,
                    GOOD[:-1] + b',"n":99999999999999999999}',
                    GOOD[:-1] + b',"a":[{}',
                    b"{}]}],{}",
                    b"{}",
                    b"[]",
                    b"12",
                    b" ",
                    b"oops",
                    b"",
                ]
            )
        ),
        st.sampled_from([b"", b"\n"]),
        st.integers(0, 3),
    )
    def test_like_one_by_one(self, lines: List[bytes], end: bytes, many: int) -> None:
        """It makes no difference, whatever the lines are, and neither for their numbers."""
        log = b"".join(numbered(many * 150)) + b"\n".join(lines) + end + b"".join(numbered(many))
        alone, together = Decoder(blank=True), Decoder(blank=True)
        expected = [(alone.number, item) for item in alone.items(iter(log.splitlines(True)))]

        assert expected == [(together.number, item) for item in together.items(io.BytesIO(log))]

    def test_torn_in_a_list(self) -> None:
        """A message with a line feed in a list is two bad lines; nothing is put between them."""
        torn = [GOOD[:-1] + b',"a":[1', b"2]}"]
        log = b"\n".join([*torn, GOOD, b""])

        assert [
            BadLine(1, torn[0], "not JSON"),
            BadLine(2, torn[1], "not JSON"),
            MESSAGE,
        ] == list(read_lines(io.BytesIO(log)))

    def test_cut_line_that_grows(self, tmp_path: Path) -> None:
        """What was written meanwhile is read, after a line that seemed to be cut, too."""
        path = tmp_path / "log"
        path.write_bytes(GOOD + b"\n" + GOOD[:9])
        with path.open("rb") as file, path.open("ab", buffering=0) as end:
            items = []
            for item in read_lines(file):
                items.append(item)
                if len(items) == 1:
                    end.write(b"\n" + GOOD)

        assert [MESSAGE, BadLine(2, GOOD[:9], "not JSON"), MESSAGE] == items

    def test_pipe(self) -> None:
        """From a pipe no line is read before it is needed."""
        read, write = os.pipe()
        with open(read, "rb") as file, open(write, "wb", buffering=0) as end:
            end.write(GOOD + b"\n")

            assert MESSAGE == next(read_lines(file))

    def test_memory(self, tmp_path: Path) -> None:
        """Only a small part of a file is in memory."""
        path = tmp_path / "log"
        path.write_bytes(b"".join(numbered(10_000)))
        with path.open("rb") as file:
            next(read_lines(file))

            assert file.tell() < 20_000

    def test_broken_file(self, tmp_path: Path) -> None:
        """Whatever can be read before a file fails is read."""

        class Broken(io.FileIO):
            """A file with a bad sector."""

            def readinto(self, buffer: Any) -> int:
                if self.tell() >= 40_000:
                    raise OSError(5, "Input/output error")
                return super().readinto(memoryview(buffer)[:1000]) or 0

        path = tmp_path / "log"
        path.write_bytes(b"".join(numbered(1000)))
        items: List[Any] = []
        with io.BufferedReader(Broken(str(path))) as file, pytest.raises(OSError, match="Input"):
            items.extend(read_lines(file))

        assert [{**MESSAGE, "n": n} for n in range(len(items))] == items
        assert 39_000 < sum(map(len, numbered(len(items)))) < 41_000
