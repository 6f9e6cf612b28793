"""Tests of `eliot._events`: messages one by one, as they come."""

from __future__ import annotations

import re
from typing import Any, Dict, List

import pytest

from eliot import _events
from eliot._events import Events
from eliot._look import PLAIN, Look
from stories import end, order, said, start


def shown(*messages: Dict[str, Any], look: Look = PLAIN, gaps: bool = False) -> List[str]:
    """Show messages; return the lines without what they have in common."""
    events = Events(look, gaps=gaps)
    lines = "\n".join(events.text(each) for each in messages).split("\n")
    return [line[23:] for line in lines]


class TestLines:
    """A message is a line."""

    def test_whole(self) -> None:
        """A line begins with task and time."""
        events = Events(PLAIN)

        assert [
            "2cd4e99c 15:09:14.500  ▶ order  number=17",
            "2cd4e99c 15:09:14.501  ├─▶ charge  amount=20",
            "2cd4e99c 15:09:14.551  │ └─✗ charge  50 ms  KeyError: '1881'  code=402",
            '2cd4e99c 15:09:14.552  ├─· invoice  why="none"',
            "2cd4e99c 15:09:14.600  └─✓ order  100 ms  items=0",
        ] == [events.text(each) for each in order("none")]

    def test_message_alone(self) -> None:
        """A message outside any action has no place in a tree."""
        assert ["· say  x=1"] == shown(said(1, x=1))

    def test_where_it_ended(self) -> None:
        """Where an action ended is shown if that was elsewhere than where it began."""
        here = {"host": "a", "thread": "T"}

        assert [
            '▶ act  host="a" thread="T"',
            '├─▶ act  host="a" thread="T"',
            '│ └─✓ act  0 µs  thread="U"',
            "└─✓ act  0 µs",
        ] == shown(
            start(1, **here),
            start(2, 1, **here),
            end(2, 2, host="a", thread="U"),
            end(3, **here),
        )
        assert ["▶ act", '└─✓ act  0 µs  thread="T"'] == shown(start(1), end(2, thread="T"))
        assert ['└─✓ act  thread="T"'] == shown(end(2, thread="T"))

    def test_colors(self) -> None:
        """Tasks that run at the same time have different colours, more often than not."""
        events = Events(Look(color=True))
        texts = [events.text(said(1, uuid=f"{number:08x}")) for number in range(100)]

        assert len({text[: len("\x1b[31m")] for text in texts}) > 2

    def test_short_uuid(self) -> None:
        """Short ids leave the columns where they are."""
        assert "u        15:09:14.500  · say" == Events(PLAIN).text(said(1, uuid="u"))

    def test_traceback(self) -> None:
        """A traceback stands below, as deep as its message."""
        fields = {"kind": "eliot:traceback", "exception": "builtins.ValueError", "reason": "no"}

        assert [
            "▶ act",
            "├─! eliot:traceback  ValueError: no",
            "│   Traceback:",
            "│   ValueError: no",
            "! eliot:traceback  ValueError: no",
            "  x",
        ] == shown(
            start(1),
            said(2, **fields, traceback="Traceback:\nValueError: no"),
            said(1, uuid="v", **fields, traceback="x"),
        )

    def test_traceback_of_an_action(self) -> None:
        """That of an action which has failed stands below its end."""
        failure = {
            "action_status": "failed",
            "exception": "builtins.ValueError",
            "reason": "no",
            "traceback": "Traceback:\nValueError: no",
        }

        assert [
            "▶ act",
            "├─▶ act",
            "│ ├─… 1 message missing",
            "│ └─✗ act  0 µs  ValueError: no  x=1",
            "│   Traceback:",
            "│   ValueError: no",
            "└─✗ act  0 µs  ValueError: no",
            "  Traceback:",
            "  ValueError: no",
        ] == shown(
            *(start(1), start(2, 1), end(2, 3, x=1, **failure), end(3, **failure)), gaps=True
        )

    def test_width(self) -> None:
        """Lines are cut where the terminal ends."""
        events = Events(Look(width=40))

        assert '2cd4e99c 15:09:14.500  · say  x="yyyyy…' == events.text(said(1, x="y" * 100))

    def test_another_look(self) -> None:
        """The look may change; what has started is remembered."""
        events = Events(PLAIN)
        events.text(start(1))
        events.show_as(Look(unicode=False))

        assert "2cd4e99c 15:09:15.500  `-+ act  1.00 s" == events.text(end(2, at=1))

    def test_no_start(self) -> None:
        """An action whose start was not seen has no duration, unless it says so itself."""
        assert ["└─✓ act", "│ └─✓ act  2.00 s", "├─· say"] == shown(
            end(2), end(2, 2, duration=2, uuid="v"), said(3, uuid="w")
        )

    @pytest.mark.parametrize(
        "odd",
        [
            {"task_uuid": ["u"]},
            {"task_level": None},
            {"task_level": ["a", {}]},
            {"task_level": []},
            {"timestamp": "soon"},
            {"action_status": "weird"},
            {"action_type": ["a"]},
        ],
    )
    def test_odd(self, odd: Dict[str, Any]) -> None:
        """Whatever stands where something of Eliot's should be: it is shown in one line."""
        events = Events(PLAIN)
        for each in (start(2, 1), end(2, 2), said(3)):
            text = events.text({**each, **odd})

            assert text.isprintable()
            assert text

    def test_no_place(self) -> None:
        """What has no place is shown as it is."""
        assert r"{'message_type': 'a\nb'}" == Events(PLAIN).text({"message_type": "a\nb"})


class TestConcurrency:
    """Actions that run at the same time."""

    def test_actions(self) -> None:
        """A line that is not in the action of the line above names its own."""
        assert [
            "▶ act  x=1",
            '├─▶ ask  shop="a"',
            '├─▶ ask  ‹ act x=1  shop="b"',
            '│ ├─· price  ‹ ask shop="a"  eur=6',
            "│ └─✓ ask  0 µs",
            '│ └─✓ ask  0 µs  ‹ shop="b"',
            "└─✓ act  0 µs",
        ] == shown(
            start(1, x=1),
            start(2, 1, kind="ask", shop="a"),
            start(3, 1, kind="ask", shop="b"),
            said(2, 2, kind="price", eur=6),
            end(2, 3, kind="ask"),
            end(3, 2, kind="ask"),
            end(4),
        )

    def test_long_field(self) -> None:
        """Fields that are named again are cut, and only simple ones are."""
        assert [f'│ ├─· say  ‹ ask x="{"y" * 30}"', "│ ├─· say  ‹ ask"] == shown(
            *(start(1), start(2, 1, kind="ask", x="y" * 99), start(3, 1, kind="ask", x=[1])),
            *(said(2, 2), said(3, 2)),
        )[-2:]

    def test_unknown(self) -> None:
        """An action that nobody has seen is not named."""
        assert [
            "▶ act",
            "│ │ ├─· say",
            "├─· say  ‹ act",
            "│ ├─▶ act",
            "│ │ └─✓ act  0 µs",
        ] == shown(
            *(start(1), said(2, 2, 1), said(3), start(4, 2, 1)),
            end(4, 2, 2),
        )

    def test_hostile(self) -> None:
        """What is named again cannot tell a terminal anything."""
        bad = "\x1b[2J"
        texts = shown(start(1, kind=bad, **{bad: bad}), start(2, 1), said(3), end(4, kind=bad))

        assert all(text.isprintable() for text in texts)

    def test_after_the_end(self) -> None:
        """What comes after the end of its action, or of its task, has its place."""
        assert ["│ ├─· say", "├─▶ act", "│ └─✓ act  0 µs"] == shown(
            *(start(1), start(2, 1), end(2, 2), end(3), said(2, 3), start(4, 1), end(4, 2))
        )[4:]


class TestDuplicates:
    """Messages that come twice."""

    def test_start(self) -> None:
        """A start that comes twice does no harm."""
        assert ["├─▶ act", "├─▶ act  ‹ act", "│ └─✓ act  0 µs", "└─✓ act  0 µs"] == shown(
            *(start(1), start(2, 1), start(2, 1), end(2, 2), end(3))
        )[1:]

    def test_end(self) -> None:
        """Nor does an end."""
        assert ["│ └─✓ act  0 µs", "│ └─✓ act", "└─✓ act  0 µs", "└─✓ act"] == shown(
            *(start(1), start(2, 1), end(2, 2), end(2, 2), end(3), end(3))
        )[2:]


class TestMemory:
    """What is remembered has an end."""

    def test_tasks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of too many actions that never end the oldest are forgotten."""
        monkeypatch.setattr(_events, "_MOST", 10)
        events = Events(PLAIN)
        for number in range(30):
            events.text(start(1, uuid=f"u{number}"))
        ends = [events.text(end(2, uuid=f"u{number}"))[23:] for number in (0, 20, 29)]

        assert ["└─✓ act", "└─✓ act  0 µs", "└─✓ act  0 µs"] == ends

    def test_one_task(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """That is true within one task, too."""
        monkeypatch.setattr(_events, "_MOST", 10)
        events = Events(PLAIN)
        texts = [events.text(start(number, 1))[23:] for number in range(2, 30)]

        assert {"├─▶ act"} == {re.sub(" .*", "", text) + " act" for text in texts}
        assert events._size <= 10

    def test_ended(self) -> None:
        """Nothing is left of what has ended."""
        events = Events(PLAIN)
        for number in range(5):
            for each in (start(1), start(2, 1), said(2, 2), end(2, 3), end(3), said(1)):
                events.text({**each, "task_uuid": f"u{number}"})

        assert (0, {}) == (events._size, events._tasks)

    def test_deep(self) -> None:
        """Depth is no danger."""
        events = Events(PLAIN)
        depth = 3000
        for number in range(depth):
            events.text(start(*[2] * number, 1))
        last = [events.text(end(*[2] * number, 2))[-12:] for number in reversed(range(depth))]

        assert {"✓ act  0 µs"} == {text[-11:] for text in last}
        assert 0 == events._size


class TestLog:
    """What can be said when a log is read."""

    def test_gaps(self) -> None:
        """Messages that must have been there are counted at the end of their action."""
        assert ["▶ act", "├─· say", "├─… 2 messages missing", "└─✓ act  0 µs"] == shown(
            *(start(1), said(2), end(5)), gaps=True
        )

    def test_no_gap(self) -> None:
        """Nothing is said where none is missing, or where the start was not seen."""
        assert ["▶ act", "├─▶ act", "│ └─✓ act  0 µs", "└─✓ act  0 µs", "└─✓ act"] == shown(
            *(start(1), start(2, 1), end(2, 2), end(3), end(7, uuid="v")), gaps=True
        )

    def test_unended(self) -> None:
        """Actions that have not ended are named at the end, inner ones first."""
        events = Events(PLAIN)
        for each in (start(1), start(2, 1, kind="ask", x=1), start(3, 2, 1), said(3, 2, 2)):
            events.text(each)

        assert [
            "2cd4e99c               │ │ └─▶ act  still running when the log ended",
            "2cd4e99c               │ └─▶ ask  still running when the log ended  ‹ x=1",
            "2cd4e99c               └─▶ act  still running when the log ended",
        ] == list(events.unended())
