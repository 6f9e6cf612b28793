"""Tests of `eliot._render` and `eliot._draw`: tasks as text, a line for each entry."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eliot
from eliot import add_destinations, log_message, remove_destination, start_action, write_traceback
from eliot._draw import Draw, Line
from eliot._look import PLAIN, Look
from eliot._render import Renderer, mime_bundle, tree_data, tree_lines
from eliot.parse import Parser, Task, read_lines
from stories import UUID, end, message, order, said, start

ASCII = Look(unicode=False)
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
HEADER = f"{UUID}  2015-09-25 15:09:14 UTC"


def task_of(*messages: Dict[str, Any]) -> Task:
    """Make a task."""
    task = Task()
    for each in messages:
        task = task.add(each)
    return task


def lines(*messages: Dict[str, Any], look: Look = PLAIN, fold: bool = False) -> List[str]:
    """Show a task."""
    return list(tree_lines(task_of(*messages), look, fold=fold))


def body(*messages: Dict[str, Any], look: Look = PLAIN, fold: bool = False) -> List[str]:
    """Show a task without header and times."""
    return [line[14:] for line in lines(*messages, look=look, fold=fold)[1:]]


ORDER = order("no such card")

#: What may be special about a message.
SPECIAL: List[Dict[str, Any]] = [
    {},
    {"timestamp": "then"},
    {"text": 'a "b" \u00e9\x1b', "number": 10**20, "ratio": 1.5, "flag": True, "nothing": None},
    {"log_level": "error", "duration": 1.5},
    {"traceback": "Traceback:\n  here", "exception": "builtins.KeyError", "reason": "'x'"},
    {"thread": "T"},
    {"thread": "U"},
]


@st.composite
def told(draw: st.DrawFn) -> List[Dict[str, Any]]:
    """Tell a task in order."""
    special = st.sampled_from(SPECIAL)
    status = st.sampled_from(["succeeded", "failed"])
    log = [start(1, **draw(special))]
    level = [2]
    steps = draw(st.lists(st.sampled_from([said, start, end]), max_size=20))
    for at, step in enumerate(steps):
        if step is said:
            log.append(said(*level, at=at, **draw(special)))
        elif step is start:
            level.append(1)
            log.append(start(*level, at=at, **draw(special)))
        elif len(level) > 1:
            log.append(end(*level, at=at, action_status=draw(status), **draw(special)))
            level.pop()
        else:
            continue
        level[-1] += 1
    while level:
        log.append(end(*level, at=len(steps), action_status=draw(status), **draw(special)))
        level.pop()
        level[-1:] = [number + 1 for number in level[-1:]]
    return log


class TestTree:
    """A task is a tree."""

    def test_order(self) -> None:
        """Each entry is a line: time, place, status, type, duration, share, error, fields."""
        assert [
            HEADER,
            "15:09:14.500  ✓ order  100 ms  number=17  → items=0",
            "15:09:14.501  ├─✗ charge  50 ms  50 %  KeyError: '1881'  amount=20  → code=402",
            '15:09:14.552  └─· invoice  why="no such card"',
        ] == lines(*ORDER)

    def test_ascii(self) -> None:
        """It can be drawn in ASCII."""
        assert [
            "+ order  100 ms  number=17  -> items=0",
            "|-X charge  50 ms  50 %  KeyError: '1881'  amount=20  -> code=402",
            '`-. invoice  why="no such card"',
        ] == body(*ORDER, look=ASCII)

    def test_color(self) -> None:
        """Colours change nothing else, and failures are red."""
        look = Look(color=True)
        plain, colored = lines(*ORDER), lines(*ORDER, look=look)

        assert plain == [re.sub(r"\x1b\[[\d;]*m", "", line) for line in colored]
        assert "\x1b[1;31m✗\x1b[0m \x1b[1;31mcharge\x1b[0m" in colored[2]
        assert "\x1b[31mKeyError: '1881'\x1b[0m" in colored[2]

    @pytest.mark.parametrize("color", [True, False])
    def test_width(self, color: bool) -> None:
        """Lines are cut where the terminal ends, and show that."""
        whole = lines(*ORDER)[1:]
        for width in range(30, 80):
            look = Look(width=width, color=color)
            shown = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines(*ORDER, look=look)[1:]]

            assert all(len(line) <= width for line in shown)
            assert all(
                short == line if len(line) < width else line.startswith(short[:-1])
                for short, line in zip(shown, whole)
            )
            assert [len(line) >= width for line in whole] == [line.endswith("…") for line in shown]

    def test_message_alone(self) -> None:
        """A message outside of any action is a task of one line."""
        assert [HEADER, "15:09:14.500  · say  x=1"] == lines(said(1, x=1))

    def test_empty(self) -> None:
        """An empty task has no text."""
        assert [] == list(tree_lines(Task()))

    def test_part(self) -> None:
        """A part of a task is shown as a task, without a header."""
        [_, part, _] = task_of(*ORDER).walk()

        assert ["15:09:14.501  ✗ charge  50 ms  KeyError: '1881'  amount=20  → code=402"] == list(
            tree_lines(part)
        )

    def test_missing_part(self) -> None:
        """What is missing is shown even if nothing else is."""
        [_, part, _] = task_of(start(1), said(4)).walk()

        assert ["              … 2 messages missing"] == list(tree_lines(part))

    def test_guides(self) -> None:
        """Lines lead from an action to its last child, and no further."""
        assert ["✓ act  0 µs", "├─✓ act  0 µs", "│ └─· say", "└─✓ act  0 µs", "  └─· say"] == body(
            *(start(1), start(2, 1), said(2, 2), end(2, 3), start(3, 1), said(3, 2), end(3, 3)),
            end(4),
        )

    def test_duration_of_its_own(self) -> None:
        """An end message that says how long the action took is believed."""
        assert ["✓ act  250 ms"] == body(start(1), end(2, at=9, duration=0.25))

    @pytest.mark.parametrize("duration", ["long", None, True, float("inf"), 10**400])
    def test_no_duration_of_its_own(self, duration: Any) -> None:
        """If what it says is no number, the times of both messages count."""
        assert ["✓ act  9.00 s"] == body(start(1), end(2, at=9, duration=duration))

    def test_clock_went_back(self) -> None:
        """No action takes less than nothing."""
        assert ["✓ act  0 µs"] == body(start(1), end(2, at=-9))

    def test_no_times(self) -> None:
        """What is no time is no duration."""
        assert ["✓ act", "└─· say"] == body(
            start(1), {**said(2), "timestamp": "now"}, {**end(3), "timestamp": [1]}
        )

    def test_fields(self) -> None:
        """A succeeded action may have a field `reason`, a failed one may have no exception."""
        assert ['✓ act  0 µs  → reason="fun"'] == body(start(1), end(2, reason="fun"))
        assert ["✗ act  0 µs  failed  a=1"] == body(start(1, a=1), end(2, action_status="failed"))

    @pytest.mark.parametrize("status", ["succeeded", "failed"])
    def test_where_it_ended(self, status: str) -> None:
        """Where an action ended is shown if that was elsewhere than where it began."""
        here: Dict[str, Any] = {"process": 7, "host": "a", "thread": "T", "task": "t"}
        fields = 'process=7 host="a" thread="T" task="t"'
        there: Dict[str, Any] = {**here, "thread": "U", "process": True}
        error = "" if status == "succeeded" else "  failed"

        for ends, shown in (
            ({**here, "x": 1}, "  → x=1"),
            (here, ""),
            (there, '  → process=true thread="U"'),
            ({**there, "host": ["a"]}, '  → process=true host=["a"] thread="U"'),
        ):
            mark = "✓" if status == "succeeded" else "✗"
            ending: Dict[str, Any] = {"action_status": status, **ends}
            [line] = body(start(1, **here), end(2, **ending))

            assert f"{mark} act  0 µs{error}  {fields}{shown}" == line

    def test_where_it_began_is_unknown(self) -> None:
        """If nobody knows where it began, it is shown where it ended."""
        assert ['✓ act  0 µs  x=1  → thread="T"'] == body(start(1, x=1), end(2, thread="T"))
        assert '✓ act  → thread="T"' == body(end(2, thread="T"))[0]

    def test_shapes(self) -> None:
        """Messages of one type may differ in their fields, and those without a type have none."""
        assert ["✓ act  0 µs", "├─· say  a=1", "├─· say  a=1 b=2", "├─· say", "└─·   c=3"] == body(
            *(start(1), said(2, a=1), said(3, a=1, b=2), said(4), message(5, c=3), end(6))
        )

    @pytest.mark.parametrize("kind", [None, 1, ["list"], {"a": 1}])
    def test_odd_types(self, kind: Any) -> None:
        """Types may be anything."""
        [line] = body(said(1, kind=kind))

        assert f"· {'' if kind is None else kind}" == line

    def test_odd_level(self) -> None:
        """A level that is no list leaves no trace."""
        assert ["· say"] == body({**said(1), "task_level": (1,)})

    def test_many_shapes(self) -> None:
        """It does not matter how many shapes and types of messages a log has."""
        count = 2100
        messages = [said(n + 2, kind=f"say{n}", **{f"field{n}": n}) for n in range(count)]
        shown = body(start(1), *messages, end(count + 2))

        assert [f"└─· say{count - 1}  field{count - 1}={count - 1}"] == shown[-1:]

    def test_many_types_of_actions(self) -> None:
        """The same is true of actions."""
        draw = Draw(PLAIN, packed=False)
        heads = []
        for number in range(1100):
            line = Line(PLAIN, None, "")
            draw.action(line, f"act{number}", "started")
            heads.append(line.text.strip())

        assert [f"▶ act{number}" for number in range(1100)] == heads

    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"timestamp": "then"},
            {"log_level": "error", "text": "a b", "number": 10**20, "flag": True},
            {"message_type": "eliot:traceback", "traceback": "Traceback:\n  here", "reason": "r"},
            {"message_type": 7},
        ],
    )
    @pytest.mark.parametrize("look", [PLAIN, Look(color=True), Look(width=30)])
    def test_lone_messages(self, more: Dict[str, Any], look: Look) -> None:
        """A message outside any action is drawn in one step, and looks like all others."""
        (task,) = Parser.parse_stream([{**message(1), **more}])
        source = task._lone()
        assert source is not None
        text = Renderer(look).lone(UUID, source)

        assert "\n".join([*Renderer(look).lines(task), ""]) == text

    @given(told(), st.sampled_from([PLAIN, Look(color=True), Look(width=50)]))
    def test_tasks_told_in_order(self, log: List[Dict[str, Any]], look: Look) -> None:
        """A task that came in order is drawn without its tree, and looks like all others."""
        (task,) = Parser.parse_stream(log)
        source = task._settled()
        assert isinstance(source, list)
        text = list(Renderer(look).told(UUID, source))

        assert list(Renderer(look).lines(task)) == text


class TestTrouble:
    """What did not go well stands out."""

    @pytest.mark.parametrize(
        ("level", "mark"),
        [("debug", "·"), ("info", "·"), ("warning", "!"), ("error", "!"), ("critical", "!")],
    )
    def test_levels(self, level: str, mark: str) -> None:
        """A message that asks for attention has a mark of its own."""
        assert [f'{mark} say  log_level="{level}"'] == body(said(1, log_level=level))

    @pytest.mark.parametrize("kind", ["eliot:lost", "eliot:destination_failure", "eliot:uncaught"])
    def test_reports(self, kind: str) -> None:
        """So have the reports of Eliot's own."""
        assert [f"! {kind}"] == body(said(1, kind=kind))

    def test_warning_is_yellow(self) -> None:
        """Warnings are less red than errors."""
        look = Look(color=True)
        shown = [body(said(1, log_level=level), look=look)[0] for level in ("warning", "error")]

        assert ["\x1b[33m! say\x1b[0m", "\x1b[31m! say\x1b[0m"] == [
            re.findall(r"\x1b\[3\d.*?say\x1b\[0m", line)[0] for line in shown
        ]

    def test_traceback(self) -> None:
        """A traceback stands below its message, as deep."""
        message: Dict[str, Any] = {
            "kind": "eliot:traceback",
            "exception": "builtins.ValueError",
            "reason": "no",
        }
        traceback = "Traceback:\n  File \x1b\n\nValueError: no"

        assert [
            "15:09:14.500  ✓ act  0 µs",
            "15:09:14.500  ├─! eliot:traceback  ValueError: no  x=1",
            "              │   Traceback:",
            r"              │     File \x1b",
            "              │",
            "              │   ValueError: no",
            "15:09:14.500  └─! eliot:traceback  ValueError: no",
            "                  oops",
        ] == lines(
            *(start(1), said(2, **message, traceback=traceback, x=1)),
            *(said(3, **message, traceback="oops"), end(4)),
        )[1:]

    def test_traceback_of_an_action(self) -> None:
        """That of an action which has failed stands below its first line, before what is in it."""
        failure: Any = {
            "action_status": "failed",
            "exception": "builtins.ValueError",
            "reason": "no",
            "traceback": "Traceback:\nValueError: no",
        }

        assert [
            "✗ act  0 µs  ValueError: no  → x=1",
            "│   Traceback:",
            "│   ValueError: no",
            "├─✗ act  0 µs  ValueError: no",
            "│   Traceback:",
            "│   ValueError: no",
            "└─✓ act  0 µs  → traceback=1",
        ] == body(
            *(start(1), start(2, 1), end(2, 2, **failure)),
            *(start(3, 1), end(3, 2, traceback=1), end(4, x=1, **failure)),
        )

    def test_odd_traceback(self) -> None:
        """A field of that name may hold anything."""
        assert ['! say  failed  log_level="error"', "  [1]"] == body(
            said(1, traceback=[1], log_level="error")
        )

    def test_unended(self) -> None:
        """Actions that never ended were running when the log ended."""
        assert [
            "▶ act  still running when the log ended  x=1",
            "└─▶ act  still running when the log ended",
        ] == body(start(1, x=1), start(2, 1))

    def test_missing(self) -> None:
        """Missing messages are counted where they are missing."""
        assert [
            "✓ act  0 µs",
            "├─… 1 message missing",
            "├─· say",
            "├─… 3 messages missing",
            "└─? (unknown)",
            "  ├─… 1 message missing",
            "  └─· say",
        ] == body(start(1), said(3), said(7, 2), end(8))

    def test_no_start(self) -> None:
        """An action of which only the end is known has no time."""
        assert ["                  ", "✓ act  → x=1"] == ["    " + " " * 14, *body(end(1, x=1))]

    def test_hostile(self) -> None:
        """Nothing in a log can tell a terminal anything, wherever it is."""
        bad: Any = "a\x1b[2J\x07\u202e\r\nb"
        messages = [
            start(1, kind=bad, **{bad: bad}),
            {**said(2, kind=bad), bad: [bad]},
            said(3, kind="eliot:traceback", traceback=bad, reason=bad, exception=bad),
            end(4, kind=bad, action_status="failed", exception=bad, reason=bad, **{bad: bad}),
        ]
        for each in messages:
            each["task_uuid"] = bad
        for look in (PLAIN, Look(width=200)):
            text = list(tree_lines(task_of(*messages), look))

            assert all(line.isprintable() for line in text)
            assert r"a\x1b[2J\x07\u202e\r\nb" in text[0]

    @pytest.mark.parametrize("depth", [400, 5000])
    def test_deep(self, depth: int) -> None:
        """Depth is no danger to anything, and soon a number: lines do not get longer."""
        parents = [[2] * n for n in range(depth)]
        messages = [
            *(start(*parent, 1) for parent in parents),
            *(end(*parent, 3 if parent != parents[-1] else 2) for parent in reversed(parents)),
        ]
        shown = list(tree_lines(next(Parser.parse_stream(messages))))

        assert depth + 1 == len(shown)
        assert f"15:09:14.500  {' ' * 32}({depth - 1}) └─✓ act  0 µs" == shown[-1]


class TestFold:
    """Many siblings of one type can be one line."""

    def test_actions(self) -> None:
        """A line tells how many they are, how long they took, and how many failed."""
        messages = [start(1)]
        for number in range(2, 6):
            at = number / 10
            status = {"action_status": "failed"} if number == 3 else {}
            messages += [
                start(number, 1, kind="load", at=at),
                end(number, 2, kind="load", at=at + 0.1, **status),
            ]
        messages += [start(6, 1, kind="load", at=0.7), end(7, at=1)]

        assert [
            "✓ act  1.00 s",
            "└─✗ load × 5  mean 100 ms  40 %  1 failed  1 still running",
        ] == body(*messages, fold=True)

    def test_messages(self) -> None:
        """Messages are folded, too; what stands between them stays."""
        assert ["✓ act  0 µs", "├─· say × 3", "├─· tell", "└─· tell"] == body(
            *(start(1), said(2), said(3, kind="tell"), said(4), said(5, kind="tell"), said(6)),
            end(7),
            fold=True,
        )

    def test_unknown(self) -> None:
        """Actions of which nothing is known are folded as well."""
        assert ["▶ act  still running when the log ended", "└─? (unknown) × 3"] == body(
            *(start(1), said(2, 1), said(3, 1), said(4, 1)), fold=True
        )

    def test_missing(self) -> None:
        """Missing messages stay where they are missing."""
        assert ["… 1 message missing", "… 1 message missing", "… 1 message missing"] == [
            line[2:]
            for line in body(start(1), said(3), said(5), end(7), fold=True)
            if "missing" in line
        ]


class TestData:
    """A task as plain data."""

    def test_entries(self) -> None:
        """Each entry names the one around it by its place in the list."""
        data = tree_data(task_of(start(1, x=1), start(2, 1), said(2, 3), end(3)))
        entries = data["entries"]

        assert (UUID, False) == (data["task_uuid"], data["complete"])
        assert [(None, "action"), (0, "action"), (1, "missing"), (1, "message")] == [
            (entry["parent"], entry["kind"]) for entry in entries
        ]
        assert ({"x": 1}, "started", 1) == (
            entries[0]["fields"],
            entries[1]["status"],
            entries[2]["count"],
        )

    def test_parents(self) -> None:
        """After the end of an inner action its neighbours have the same parent."""
        data = tree_data(task_of(start(1), start(2, 1), end(2, 2), said(3), end(4)))

        assert [None, 0, 0] == [entry["parent"] for entry in data["entries"]]

    def test_empty(self) -> None:
        """An empty task has no entries."""
        assert {"task_uuid": None, "complete": False, "entries": []} == tree_data(Task())


class TestDisplay:
    """Tasks where they are looked at from Python."""

    def test_notebook(self) -> None:
        """A notebook gets the tree as plain text, and as HTML in which nothing is executed."""
        task = task_of(start(1, x="<script>"), end(2, action_status="failed"))
        bundle = task._repr_mimebundle_(include=None, exclude=None)

        assert "\n".join(tree_lines(task)) == bundle["text/plain"]
        assert "&lt;script&gt;" in bundle["text/html"]
        assert "<script>" not in bundle["text/html"]
        assert bundle["text/html"].count("<span") == bundle["text/html"].count("</span>")

    def test_long(self) -> None:
        """A long task is not shown to its end."""
        task = task_of(start(1), *(said(n) for n in range(2, 2000)), end(2000))
        text = mime_bundle(task)["text/plain"].splitlines()

        assert (1001, "… 1,000 more lines; `eliot tree` shows all") == (len(text), text[-1])

    def test_rich(self) -> None:
        """Rich prints the tree, and cuts what is too long."""
        from rich.console import Console

        file = io.StringIO()
        Console(file=file, width=40, color_system=None).print(task_of(*ORDER))

        assert [
            HEADER,
            "15:09:14.500  ✓ order  100 ms  number=1…",
            "15:09:14.501  ├─✗ charge  50 ms  50 %  …",
            '15:09:14.552  └─· invoice  why="no such…',
        ] == file.getvalue().splitlines()

    def test_rich_is_loaded_late(self) -> None:
        """What a notebook shows needs no rich."""
        program = (
            "import sys; from eliot.parse import Task; task = Task().add({'task_uuid': 'u', "
            "'task_level': [1], 'timestamp': 1, 'message_type': 'm'}); "
            "task._repr_mimebundle_(); print('rich' in sys.modules)"
        )
        printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

        assert b"False\n" == printed.stdout.replace(b"\r", b"")


class TestPrograms:
    """Logs of real programs."""

    def shown(self, *arguments: str, folder: Path, log: str) -> List[str]:
        """Run a program and show the tasks of its log without what differs from run to run."""
        subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(Path(eliot.__file__).parents[1])},
        )
        renderer = Renderer()
        tasks = list(Parser.parse_stream(read_lines((folder / log).read_bytes().splitlines())))
        text = [line for task in tasks for line in list(renderer.lines(task))[1:]]
        return [re.sub(r"  \d[^ ]* (µs|ms|s)(  <?\d+ %)?", "", line[14:]) for line in text]

    def test_asyncio(self, tmp_path: Path) -> None:
        """A cancelled coroutine is a failed action; what came after the end has its place."""
        shown = self.shown(
            str(EXAMPLES / "asyncio_shopping.py"), folder=tmp_path, log="shopping.log"
        )

        assert [
            '✓ shopping  item="teapot"',
            '├─✓ shopping:ask  shop="corner"',
            "│ └─✓ shop:answer  → price=6",
            '├─✗ shopping:ask  asyncio.exceptions.CancelledError  shop="closed"',
            "├─✓ eliot:remote_task",
            '│ └─✓ __main__.write_invoice  path="invoice.txt" price=6  → result=null',
            '└─✓ shopping:deliver  item="teapot"',
            "  └─· shopping:doorbell",
        ] == shown

    def test_this_process(self) -> None:
        """What this process logs can be shown as well, with the traceback of an exception."""
        messages: List[Dict[str, Any]] = []
        add_destinations(messages.append)
        try:
            with start_action(action_type="try"):
                log_message("next", x=1)
                try:
                    {"y": 1}["x"]
                except KeyError:
                    write_traceback()
        finally:
            remove_destination(messages.append)
        [task] = Parser.parse_stream(messages)
        shown = [line[14:] for line in tree_lines(task)][2:]

        assert [
            "├─· next  x=1",
            "└─! eliot:traceback  KeyError: 'x'",
        ] == shown[:2]
        assert "    KeyError: 'x'" == shown[-1]


@given(st.data())
def test_damaged(data: st.DataObject) -> None:
    """Whatever is left of a log, in whatever order: each entry is a line that can be printed."""
    order = data.draw(st.permutations(ORDER))
    left = order[: data.draw(st.integers(1, len(order)))]
    tasks = list(Parser.parse_stream(json.loads(json.dumps(left)), on_error=lambda *_: None))
    shown = [line for task in tasks for line in Renderer().lines(task)]
    entries = [entry for task in tasks for entry in task.walk()]

    assert len(tasks) + len(entries) == len(shown)
    assert all(line.isprintable() for line in shown)
