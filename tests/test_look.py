"""Tests of `eliot._look`: symbols, colours, times, durations and fields as text."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
import time
from typing import Any, Generator, Mapping, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot._look import (
    INDENTED,
    PLAIN,
    Look,
    columns,
    cut,
    duration_text,
    exception_text,
    fields_text,
    look_of,
    share_text,
    value_text,
)

TIME = 1443193754.5
ASCII = Look(unicode=False)
COLOR = Look(color=True)


class Stream(io.StringIO):
    """A file that is what it is told to be."""

    def __init__(self, encoding: Optional[str] = "utf-8", *, terminal: bool = False) -> None:
        super().__init__()
        self._encoding = encoding
        self._terminal = terminal

    @property
    def encoding(self) -> Any:  # type: ignore[override] # a fact, and not to be set
        """How text becomes bytes."""
        return self._encoding

    def isatty(self) -> bool:
        """Tell whether this is a terminal."""
        return self._terminal


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Generator[None, None, None]:
    """Be nine hours ahead of UTC."""
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class TestTimes:
    """Times of day, and dates."""

    def test_clock(self) -> None:
        """A time is shown to the millisecond, which is not rounded up to one to come."""
        assert ["15:09:14.500", "15:09:14.999", "15:09:15.000"] == [
            PLAIN.clock(when) for when in (TIME, 1443193754.9999, 1443193755)
        ]

    def test_clock_before_1970(self) -> None:
        """The distant past has times, too."""
        assert "23:59:59.250" == PLAIN.clock(-0.75)

    @pytest.mark.parametrize("when", [None, "soon", float("nan"), float("inf"), 1e300, [1]])
    def test_no_clock(self, when: Any) -> None:
        """What is no time leaves the column blank, and has no date."""
        assert (" " * 12, "") == (PLAIN.clock(when), PLAIN.date(when))

    @pytest.mark.usefixtures("tokyo")
    def test_local(self) -> None:
        """Local time can be had, and says so."""
        look = Look(local=True)

        assert ("00:09:14.500", "2015-09-26 00:09:14 +0900") == (look.clock(TIME), look.date(TIME))

    @given(st.floats(0, 4e9))
    def test_width(self, when: float) -> None:
        """All times are equally wide."""
        assert 12 == len(PLAIN.clock(when))


class TestStems:
    """What stands before an entry."""

    def test_depth(self) -> None:
        """An entry is indented as deep as it is; the root is not."""
        assert ["", "├─", "│ ├─", "│ │ ├─"] == [PLAIN.stem(n, PLAIN.branch) for n in range(4)]

    def test_deep(self) -> None:
        """From a depth on the indentation does not grow; it is a number then."""
        stem = ASCII.stem(INDENTED + 1, ASCII.branch)

        assert "| " * INDENTED + "(17) |-" == stem


class TestLookOf:
    """How a stream wants to be written to."""

    def test_file(self) -> None:
        """A file has no colours and no width."""
        look = look_of(Stream())

        assert (False, None, "✓") == (look.color, look.width, look.succeeded)

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "nonsense"])
    def test_poor_encoding(self, encoding: str) -> None:
        """What cannot show the symbols gets ASCII."""
        assert "+" == look_of(Stream(encoding)).succeeded

    def test_no_encoding(self) -> None:
        """A file in memory takes all characters."""
        assert "✓" == look_of(Stream(None)).succeeded

    def test_object(self) -> None:
        """Whatever has a `write` method, and nothing else, is no terminal."""
        look = look_of(object())

        assert (False, None, "✓") == (look.color, look.width, look.succeeded)

    @pytest.mark.parametrize(
        ("environment", "colors"),
        [
            ({"TERM": "xterm"}, True),
            ({"TERM": "xterm", "NO_COLOR": ""}, True),
            ({"TERM": "xterm", "NO_COLOR": "1"}, False),
            ({"TERM": "dumb"}, False),
        ],
    )
    def test_colors(
        self, environment: Mapping[str, str], colors: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A terminal has colours, unless the environment says no."""
        monkeypatch.delenv("NO_COLOR", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

        assert colors == look_of(Stream(terminal=True)).color
        assert not look_of(Stream()).color

    @pytest.mark.parametrize(("name", "colors"), [("TERM", False), ("WT_SESSION", True)])
    def test_windows(self, name: str, colors: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """On Windows a terminal has colours if it says that it is a new one."""
        for each in ("NO_COLOR", "TERM", "ANSICON", "WT_SESSION"):
            monkeypatch.delenv(each, raising=False)
        if name != "TERM":
            monkeypatch.setenv(name, "1")
        stream = Stream(terminal=True)
        with monkeypatch.context() as patch:
            patch.setattr("eliot._look.os.name", "nt")
            actual = look_of(stream).color

        assert colors == actual

    @pytest.mark.parametrize("color", [True, False])
    def test_choice(self, color: bool) -> None:
        """Who says whether there are colours is obeyed."""
        assert color == look_of(Stream(terminal=True), color).color

    def test_width(self) -> None:
        """A real terminal has a width; one that has none is as a file."""
        outside, inside = pty.openpty()
        with open(inside, "w", encoding="utf-8") as terminal:
            unknown = look_of(terminal).width
            fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 72, 0, 0))
            known = look_of(terminal).width
        os.close(outside)

        assert (None, 72, None) == (unknown, known, look_of(Stream(terminal=True)).width)


class TestDurations:
    """Durations and shares."""

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0 µs"),
            (0.0009994, "999 µs"),
            (0.0009996, "1.0 ms"),
            (0.00994, "9.9 ms"),
            (0.00996, "10 ms"),
            (0.9994, "999 ms"),
            (0.9996, "1.00 s"),
            (9.996, "10.0 s"),
            (59.96, "1 min 00 s"),
            (3599.6, "1 h 00 min"),
            (86399, "23 h 59 min"),
            (86400, "1 d 00 h"),
            (1e9, "11574 d 01 h"),
            (float("inf"), "inf s"),
            (float("nan"), "nan s"),
        ],
    )
    def test_duration(self, seconds: float, text: str) -> None:
        """Units change where the digits that count would become too few or too many."""
        assert text == duration_text(seconds)

    def test_ascii(self) -> None:
        """Without µ microseconds have another unit."""
        assert "5 us" == duration_text(5e-6, ASCII)

    @given(st.floats(0, 1e9))
    def test_short(self, seconds: float) -> None:
        """No duration takes more than twelve characters."""
        assert len(duration_text(seconds)) <= 12

    @pytest.mark.parametrize(
        ("part", "whole", "text"),
        [(1, None, ""), (1, 0, ""), (0, 1, "0 %"), (0.0049, 1, "<1 %"), (2, 1, "200 %")],
    )
    def test_share(self, part: float, whole: Any, text: str) -> None:
        """A share needs something to be a share of."""
        assert text == share_text(part, whole)


class TestValues:
    """Values of fields."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("a b", '"a b"'),
            ('a "b" \\', r'"a \"b\" \\"'),
            ("a\nb\x1b[31m\u202e", r'"a\nb\x1b[31m\u202e"'),
            (True, "true"),
            (False, "false"),
            (None, "null"),
            (1, "1"),
            (2**64, "18446744073709551616"),
            (1.5, "1.5"),
            (float("nan"), "nan"),
            ([1, {"a": "é"}], '[1,{"a":"é"}]'),
            ({1}, "[1]"),
            ({"a": "\x9b"}, r'{"a":"\x9b"}'),
        ],
    )
    def test_value(self, value: Any, text: str) -> None:
        """Values look like JSON, and have nothing that a terminal obeys."""
        assert text == value_text(value)

    def test_huge_integer(self) -> None:
        """An integer that Python refuses to show is shown all the same."""
        assert value_text(10**5000)

    @given(st.recursive(st.none() | st.text() | st.floats() | st.integers(), st.lists))
    def test_one_line(self, value: Any) -> None:
        """Any value is one line of printable characters."""
        assert value_text(value).isprintable()

    def test_exception(self) -> None:
        """Built-in exceptions go without their module; what is not known is left out."""
        assert ["KeyError: 'x'", "KeyError", "app.Error", "why", ""] == [
            exception_text("builtins.KeyError", "'x'"),
            exception_text("builtins.KeyError", ""),
            exception_text("app.Error", None),
            exception_text(None, "why"),
            exception_text(None, None),
        ]

    def test_hostile_exception(self) -> None:
        """Exceptions cannot say anything to a terminal either."""
        assert r"a\x1bb: c\nd" == exception_text("a\x1bb", "c\nd")


class TestFields:
    """Fields in a row."""

    def test_color(self) -> None:
        """With colours, names are dim."""
        assert '\x1b[2ma=\x1b[0m1 \x1b[2mb=\x1b[0m"c"' == fields_text({"a": 1, "b": "c"}, COLOR)

    def test_hostile_name(self) -> None:
        """Names cannot say anything to a terminal either."""
        assert r"a\x1b=1" == fields_text({"a\x1b": 1})

    def test_room(self) -> None:
        """What there is no room for is cut, or left out."""
        fields = {"first": "x" * 1000, "second": 2}

        assert ['first="xxxxx…', 'first="…', "…", ""] == [
            fields_text(fields, room=room) for room in (14, 9, 2, 1)
        ]
        assert "second=2…" == fields_text([("second", 2), ("third", 3)], room=10)

    def test_fits(self) -> None:
        """What fits is not cut."""
        assert "a=1 b=2" == fields_text([("a", 1), ("b", 2)], room=8)


class TestCut:
    """Texts that are too long."""

    def test_wide(self) -> None:
        """Wide characters take two columns, and combining ones none."""
        assert (6, 1) == (columns("日本語"), columns("e\u0301"))

    @given(st.text(), st.integers(1, 20))
    def test_length(self, text: str, room: int) -> None:
        """What was cut fits, and what fits is not cut."""
        result = cut(text, room)

        assert columns(result) <= room
        assert (result == text) == (columns(text) <= room)

    def test_ascii(self) -> None:
        """In ASCII, dots show that something was cut."""
        assert "ab..." == cut("abcdefgh", 5, ASCII)
