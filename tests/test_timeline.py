"""Tests of timelines: `eliot._lanes`, `eliot._timeline` and `eliot._svg`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from base64 import b64decode
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eliot
from eliot._lanes import NEVER, Lanes, Place
from eliot._svg import svg
from eliot._timeline import PageData, json_text, perfetto, speedscope
from eliot.parse import Task, read

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SCHEMA = json.loads((Path(__file__).parent / "data" / "speedscope.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
SVG = "{http://www.w3.org/2000/svg}"


class Spec(NamedTuple):
    """An action to be: when it starts, how long it takes, how it ends, and what is in it."""

    start: Any = 0
    end: Any = 10
    status: str = "succeeded"
    inside: Sequence[Any] = ()
    #: Added to its start message.
    fields: Dict[str, Any] = {}  # noqa: RUF012 - nobody changes it
    #: Added to its finish message.
    end_fields: Dict[str, Any] = {}  # noqa: RUF012
    name: Any = "cook"


def messages(spec: Any, level: Tuple[int, ...] = ()) -> Iterator[Dict[str, Any]]:
    """List the messages of an action; what is no `Spec` is a message at such a time."""
    if not isinstance(spec, Spec):
        fields = spec if isinstance(spec, dict) else {"timestamp": spec}
        yield {"task_uuid": "u", "task_level": [*level], "message_type": "note", **fields}
        return
    action = {"task_uuid": "u", "action_type": spec.name}
    yield {
        **action,
        "task_level": [*level, 1],
        "timestamp": spec.start,
        "action_status": "started",
        **spec.fields,
    }
    for number, child in enumerate(spec.inside, 2):
        yield from messages(child, (*level, number))
    if spec.status != "started":
        yield {
            **action,
            "task_level": [*level, len(spec.inside) + 2],
            "timestamp": spec.end,
            "action_status": spec.status,
            **spec.end_fields,
        }


def lanes_of(spec: Any, without: Sequence[int] = (), uuid: str = "u") -> Lanes:
    """Make lanes of an action, of which some messages are not there."""
    task = Task()
    level = (1,) if not isinstance(spec, Spec) else ()
    for number, message in enumerate(messages(spec, level)):
        if number not in without:
            task = task.add({**message, "task_uuid": uuid})
    return Lanes(task.top())


def _action(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Spec]:
    return st.builds(
        Spec,
        start=st.integers(0, 20) | st.none(),
        end=st.integers(0, 25) | st.none(),
        status=st.sampled_from(["succeeded", "succeeded", "failed", "started"]),
        inside=inside,
        fields=st.just({}),
        end_fields=st.just({}),
        name=st.sampled_from(["cook", "cut"]),
    )


def _around(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Spec]:
    return _action(st.lists(inside, max_size=5))


#: Actions with whatever times, many of which make no sense.
ACTIONS = _around(st.recursive(st.integers(0, 20) | _action(st.just(())), _around, max_leaves=15))


@st.composite
def some_lanes(draw: st.DrawFn) -> Lanes:
    """Make a task, of which not all messages need to be there."""
    spec = draw(ACTIONS)
    count = len([*messages(spec)])
    without = draw(st.sets(st.integers(0, count - 1), max_size=count - 1))
    return lanes_of(spec, [*without])


def in_order(lanes: Lanes) -> List[Place]:
    """List the actions."""
    return [*lanes.actions()]


def shape(lanes: Lanes) -> List[Tuple[int, int, int]]:
    """Tell start, end and row of each action, in seconds."""
    return [
        (place.start // 1_000_000, place.end // 1_000_000, place.row) for place in in_order(lanes)
    ]


def disjoint(begin: int, end: int, other_begin: int, other_end: int) -> bool:
    """Tell whether two ranges have nothing in common."""
    return end <= other_begin or other_end <= begin


class TestLanes:
    """Where actions go."""

    def test_follow_each_other(self) -> None:
        """Actions one after the other share a row, below the one that they are in."""
        lanes = lanes_of(Spec(0, 10, inside=[Spec(1, 3), Spec(3, 5), Spec(7, 9)]))

        assert [(0, 10, 0), (1, 3, 1), (3, 5, 1), (7, 9, 1)] == shape(lanes)
        assert 2 == lanes.rows

    def test_side_by_side(self) -> None:
        """Those that overlap have rows of their own, with room for what is in them."""
        inner = Spec(1, 2)
        lanes = lanes_of(
            Spec(0, 10, inside=[Spec(1, 5, inside=[inner]), Spec(2, 6), Spec(5, 8), Spec(4, 9)])
        )

        assert [(0, 10, 0), (1, 5, 1), (1, 2, 2), (2, 6, 3), (4, 9, 4), (5, 8, 1)] == shape(lanes)
        assert 5 == lanes.rows

    def test_longer_than_its_parent(self) -> None:
        """What lasts longer than the action that it is in is below it, on a track of its own."""
        lanes = lanes_of(Spec(0, 3, inside=[Spec(1, 5), Spec(1, 2)]))
        parent, longer, within = in_order(lanes)

        assert [(0, 3, 0), (1, 5, 2), (1, 2, 1)] == shape(lanes)
        assert [parent.track] * 2 != [longer.track, longer.track]
        assert parent.track == within.track

    def test_never_ended(self) -> None:
        """An action that never ended takes its row for good."""
        lanes = lanes_of(Spec(0, 10, inside=[Spec(1, status="started"), Spec(5, 6)]))

        assert [(0, 10), (1, NEVER), (5, 6)] == [
            (place.start // 1_000_000, place.end if place.is_open() else place.end // 1_000_000)
            for place in in_order(lanes)
        ]
        assert [0, 2, 1] == [place.row for place in in_order(lanes)]
        assert 10_000_000 == lanes.end

    def test_clock_set_back(self) -> None:
        """Where the end is before the start it is at the start, or as much later as it says."""
        told = lanes_of(Spec(10, 3, end_fields={"duration": 2.5}))

        assert [(10, 10, 0)] == shape(lanes_of(Spec(10, 3)))
        assert [12_500_000] == [place.end for place in in_order(told)]

    @pytest.mark.parametrize(
        ("spec", "without", "expected"),
        [
            (Spec(0, 9, inside=[4, Spec(5, 7)]), [0], [(4, 9, 0), (5, 7, 1)]),
            (Spec(0, 9, inside=[Spec(5, 7)]), [0, 3], [(5, 7, 0), (5, 7, 1)]),
            (Spec(0, 9, inside=[Spec(1, 2, inside=[4])]), [1, 3], [(0, 9, 0), (4, 4, 1)]),
            (Spec(0, 9), [0], [(9, 9, 0)]),
        ],
    )
    def test_unknown_times(self, spec: Spec, without: List[int], expected: object) -> None:
        """An action of which messages are missing lasts as long as what is in it."""
        assert expected == shape(lanes_of(spec, without))

    def test_no_times(self) -> None:
        """What has no time at all, or an impossible one, is where its action begins."""
        lanes = lanes_of(Spec(3, 9, inside=[Spec("?", None), "??", Spec(1e300, -1e300)]))

        assert [(3, 9, 0), (3, 3, 1), (3, 3, 1)] == shape(lanes)
        assert [(0, 0, 0)] == shape(lanes_of(Spec(None, None)))

    def test_message(self) -> None:
        """A message outside of any action is all there is."""
        lanes = lanes_of(7)

        assert [] == in_order(lanes)
        assert (1, 7_000_000, 7_000_000) == (lanes.rows, lanes.start, lanes.end)

    def test_deep(self) -> None:
        """There may be any number of levels."""
        task = Task()
        for depth in range(5000):
            level = [2] * depth + [1]
            start = {"task_uuid": "u", "action_type": "a", "action_status": "started"}
            task = task.add({**start, "task_level": level, "timestamp": depth})
        lanes = Lanes(task.top())

        assert 5000 == lanes.rows
        assert [*range(5000)] == [place.row for place in lanes.actions()]

    def test_wide(self) -> None:
        """There may be any number of actions at the same time."""
        lanes = lanes_of(Spec(0, 9999, inside=[Spec(i, 5000 + i) for i in range(5000)]))

        assert 5001 == lanes.rows

    @given(some_lanes())
    def test_nothing_overlaps(self, lanes: Lanes) -> None:
        """Rectangles are below those around them, beside their siblings, and around their bars."""
        for place in lanes.actions():
            assert place.first <= place.start <= place.end <= place.last
            for one, other in combinations(place.actions, 2):
                assert disjoint(one.first, one.last, other.first, other.last) or disjoint(
                    one.row, one.row + one.height, other.row, other.row + other.height
                )
            for child in place.actions:
                assert place.first <= child.first
                assert child.last <= place.last
                assert place.row < child.row
                assert child.row + child.height <= place.row + place.height
        assert lanes.rows == lanes.top.height

    @given(some_lanes())
    def test_rows_have_one_at_a_time(self, lanes: Lanes) -> None:
        """Two bars in one row never overlap; messages are in the row of their action."""
        for one, other in combinations(lanes.actions(), 2):
            assert one.row != other.row or disjoint(one.start, one.end, other.start, other.end)
        for place in lanes.places:
            if not place.is_action() and place.parent is not None:
                assert place.parent.row == place.row

    @given(some_lanes())
    def test_tracks_nest(self, lanes: Lanes) -> None:
        """On a track each action is within the time of its parent, or alone."""
        open_: Dict[int, List[Place]] = {}
        for place in lanes.actions():
            track = open_.setdefault(place.track, [])
            while track and track[-1] is not place.parent:
                assert track.pop().end <= place.start
            if track:
                assert track[-1].start <= place.start
                assert place.end <= track[-1].end
            track.append(place)


def page_data(*tasks: Lanes) -> Tuple[Any, List[Any]]:
    """Return what the page will decode."""
    data = PageData()
    for lanes in tasks:
        data.add(lanes)
    drawn, fields = (zlib.decompress(b64decode(part)) for part in data.parts())
    return strict(drawn.decode()), [strict(line) for line in fields.decode().split("\n")[:-1]]


def strict(text: str) -> Any:
    """Decode JSON, refusing what Python alone allows."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


class TestPageData:
    """What the page gets."""

    def test_columns(self) -> None:
        """A task has columns of numbers: kind, parent, number, type, start, duration, row."""
        failing = Spec(2, 5, "failed", name="cut", fields={"x": 1}, end_fields={"reason": "no"})
        lanes = lanes_of(Spec(1, status="started", inside=[failing, 3, 3, Spec(4, 4)]), [2, 4])
        drawn, fields = page_data(lanes, lanes_of(9, uuid="v"))

        assert ["cook", "cut", "note", "missing"] == drawn["names"]
        assert 9_000_000 == drawn["end"]
        assert ["u", 1_000_000, 3_000_000, 3, 3, 0] == drawn["tasks"][0][:-1]
        assert ["v", 9_000_000, 0, 1, 0, 0] == drawn["tasks"][1][:-1]
        kinds, parents, numbers, types, starts, durations, rows = drawn["tasks"][0][-1]
        assert [2, 2, 4, 7, 0] == kinds
        assert [0, 1, 2, 3, 4] == parents
        assert [0, 2, 3, 4, 5] == numbers
        assert [0, 1, 2, 3, 0] == types
        assert [0, 1_000_000, 2_000_000, 0, 3_000_000] == starts
        assert [-1, -1, 0, 0, 0] == durations
        assert [0, 1, 0, 0, 2] == rows
        assert [[{}, {}], [{"x": 1}, {}], [{}], [{"count": 1}], [{}, {}], [{}]] == fields

    def test_kinds(self) -> None:
        """Failures, and messages of a high level, are told from others."""
        levels = [{"log_level": level} for level in ("info", "warning", "error", "critical")]
        unknown = Spec(status="failed", inside=[Spec(inside=[3])])
        drawn, _ = page_data(
            lanes_of(Spec(0, 9, "failed", inside=levels)), lanes_of(unknown, [0, 1, 3])
        )

        assert [1, 4, 5, 6, 6] == drawn["tasks"][0][-1][0]
        assert [1, 1] == drawn["tasks"][0][4:6]
        assert 3 in drawn["tasks"][1][-1][0]

    def test_whatever_is_logged(self) -> None:
        """Neither NaN, nor lone surrogates, nor line ends, nor deep lists do harm."""
        deep: Any = []
        for _ in range(900):
            deep = [deep]
        fields = {"nan": float("nan"), "x": ["\udc80\u2028\n", {"y": float("-inf")}], "deep": deep}
        _, texts = page_data(lanes_of({"timestamp": 3, **fields}))

        assert ["nan", ["\udc80\u2028\n", {"y": "-inf"}]] == [texts[0][0]["nan"], texts[0][0]["x"]]
        assert [[]] == json.loads(json_text([[]]))


def latest(events: List[Any], time: float) -> Any:
    """Find what Perfetto joins to an end of a flow: what began last on its thread."""
    before = [event for event in events if event["ts"] <= time]
    last = max(event["ts"] for event in before)
    (found,) = (event for event in before if event["ts"] == last)
    return found["args"]["task_level"]


def check_trace(document: Any) -> None:
    """Check what Perfetto wants of a trace: slices that nest, flows from slice to slice."""
    threads: Dict[int, List[Any]] = {}
    flows: Dict[int, List[Any]] = {}
    for event in document["traceEvents"]:
        if event["ph"] in {"X", "i"}:
            assert isinstance(event["ts"], int)
            threads.setdefault(event["tid"], []).append(event)
        elif event["ph"] in {"s", "f"}:
            flows.setdefault(event["id"], []).append(event)
        else:
            assert event["ph"] == "M"
    for events in threads.values():
        stack: List[int] = []
        for event in events:
            if event["ph"] == "X":
                assert event["dur"] >= 0
                while stack and stack[-1] <= event["ts"]:
                    stack.pop()
                stack.append(event["ts"] + event["dur"])
                assert sorted(stack, reverse=True) == stack
    for begin, finish in flows.values():
        assert ["s", "f", "e"] == [begin["ph"], finish["ph"], finish["bp"]]
        assert begin["ts"] <= finish["ts"]
        parent, child = (latest(threads[end["tid"]], end["ts"]) for end in (begin, finish))
        assert parent.rstrip("/") == child.rpartition("/")[0]


class TestPerfetto:
    """Chrome trace JSON."""

    def test_events(self) -> None:
        """Actions are slices, messages instants; a flow leads to another lane."""
        spec = Spec(
            1, 9, inside=[Spec(2, 4, "failed", name="a"), Spec(3, status="started", name="b"), 5]
        )
        events = perfetto([lanes_of(spec), lanes_of(11, uuid="v")])["traceEvents"]
        slices = {event["name"]: event for event in events if event["ph"] == "X"}

        assert [
            ("M", "process_name", 0),
            ("M", "thread_name", 1),
            ("M", "thread_name", 2),
            ("X", "cook", 1),
            ("s", "starts", 1),
            ("f", "starts", 2),
            ("X", "a", 1),
            ("X", "b", 2),
            ("i", "note", 1),
            ("M", "process_name", 0),
            ("M", "thread_name", 3),
            ("i", "note", 3),
        ] == [(event["ph"], event["name"], event["tid"]) for event in events]
        assert (0, 8_000_000) == (slices["cook"]["ts"], slices["cook"]["dur"])
        assert (2_000_000, 8_000_000) == (slices["b"]["ts"], slices["b"]["dur"])
        assert ["failed", "never ended"] == [slices[name]["args"]["status"] for name in "ab"]
        assert ["/2", "/3"] == [slices[name]["args"]["task_level"] for name in "ab"]

    def test_strict(self) -> None:
        """Fields that JSON has no way to say are text."""
        document = perfetto([lanes_of(Spec(fields={"x": float("nan"), "y": [float("inf")]}))])
        event = json.loads(json.dumps(document, allow_nan=False))["traceEvents"][-1]

        assert {"x": "nan", "y": ["inf"]} == event["args"]["fields"]

    @given(some_lanes())
    def test_valid(self, lanes: Lanes) -> None:
        """Slices of a thread nest; flows go from a slice to a later one of another thread."""
        document = perfetto([lanes])
        count = sum(event["ph"] == "X" for event in document["traceEvents"])

        check_trace(document)
        assert len(in_order(lanes)) == count


class TestSpeedscope:
    """The file format of speedscope."""

    def test_profiles(self) -> None:
        """Each lane is a profile; what did not succeed has a frame of its own."""
        spec = Spec(1, 9, inside=[Spec(2, 4), Spec(3, 8, "failed"), Spec(5, 5)])
        document = speedscope([lanes_of(spec), lanes_of(3, uuid="v")], "log")
        frames = [frame["name"] for frame in document["shared"]["frames"]]

        VALIDATOR.validate(document)
        assert ["cook", "cook (failed)"] == frames
        assert ["cook u, lane 1", "cook u, lane 2"] == [
            profile["name"] for profile in document["profiles"]
        ]
        assert [
            ("O", 0, 0),
            ("O", 0, 1_000_000),
            ("C", 0, 3_000_000),
            ("O", 0, 4_000_000),
            ("C", 0, 4_000_000),
            ("C", 0, 8_000_000),
        ] == [
            (event["type"], event["frame"], event["at"])
            for event in document["profiles"][0]["events"]
        ]

    def test_longest_first_shown(self) -> None:
        """The viewer begins with the longest task."""
        document = speedscope([lanes_of(Spec(0, 1)), lanes_of(Spec(2, 9)), lanes_of(Spec(5))], "x")

        assert 1 == document["activeProfileIndex"]

    @given(st.lists(some_lanes(), min_size=1, max_size=3))
    def test_valid(self, tasks: List[Lanes]) -> None:
        """Events are in order of time, and each frame is closed before those around it."""
        document = speedscope(tasks, "log")

        VALIDATOR.validate(document)
        opened = 0
        for profile in document["profiles"]:
            stack: List[int] = []
            last = profile["startValue"]
            for event in profile["events"]:
                assert last <= event["at"] <= profile["endValue"]
                last = event["at"]
                if event["type"] == "O":
                    opened += 1
                    stack.append(event["frame"])
                else:
                    assert stack.pop() == event["frame"]
            assert [] == stack
        assert sum(len(in_order(lanes)) for lanes in tasks) == opened


def picture(lanes: Lanes, end: Optional[int] = None) -> ET.Element:
    """Draw and decode a picture."""
    text = svg(lanes, lanes.end if end is None else end)
    return ET.fromstring(text)  # noqa: S314 - it is our own


def texts(element: ET.Element) -> List[str]:
    """List the texts of a picture."""
    return [text.text or "" for text in element.iter(f"{SVG}text")]


class TestSvg:
    """Still pictures."""

    def test_bars(self) -> None:
        """Actions have bars that say what they are; failures have a cross besides their colour."""
        spec = Spec(0, 9, inside=[Spec(1, 4, "failed", name="f"), Spec(3, status="started"), 5])
        found = picture(lanes_of(spec), 12_000_000)
        bars = [(bar.get("class"), bar.get("y")) for bar in found.iter(f"{SVG}rect")]

        assert [(None, "60"), ("failed", "80"), ("open", "100")] == bars
        assert ["cook", "✗ f", "▶ cook"] == texts(found)[-3:]
        assert "cook u" == texts(found)[0]
        assert "1970-01-01 00:00:00 UTC, 12 s" == texts(found)[1]
        assert "0 µs" in texts(found)
        assert 1 == sum(path.get("class") == "mark" for path in found.iter(f"{SVG}path"))
        assert "f /2: failed, 3 s {}" in [title.text for title in found.iter(f"{SVG}title")]

    def test_never_ended_is_seen(self) -> None:
        """An action that never ended lasts until the end of the log, and says so."""
        found = picture(lanes_of(Spec(0, status="started")), 50_000_000)

        assert "▶ cook" == texts(found)[-1]
        assert "1970-01-01 00:00:00 UTC, 50 s" == texts(found)[1]

    def test_short(self) -> None:
        """What is too short to be seen is counted, unless it failed; names are cut."""
        tiny = [Spec(i, i + 0.000_001) for i in range(5)]
        failed = Spec(6, 6.000_001, "failed")
        named = Spec(7, 7.5, name="a long name that does not fit")
        found = picture(lanes_of(Spec(0, 10, inside=[*tiny, failed, named, 3, 3])))

        assert "5 actions are too short to be seen" == texts(found)[-1]
        assert {"✗", "a long …"} <= set(texts(found))
        assert 3 == len([*found.iter(f"{SVG}rect")])

    def test_hostile(self) -> None:
        """Whatever is logged is text."""
        spec = Spec(name="</title><script>\x00\x1b\ud800&", fields={"x": "]]>\x00<a>"})
        found = picture(lanes_of(spec))

        assert [] == [*found.iter(f"{SVG}script")]
        assert r"</title><script>\x00\x1b\ud800&" == texts(found)[-1]

    @pytest.mark.parametrize("spec", [Spec(None, None), Spec(0, 0), 3, Spec(0, 250_000_000_000)])
    def test_odd_times(self, spec: Any) -> None:
        """Tasks that took no time, or ages, have pictures too."""
        assert texts(picture(lanes_of(spec)))

    def test_unknown(self) -> None:
        """An action of which only something in it is known has a bar."""
        found = picture(lanes_of(Spec(inside=[Spec(2, 5)]), [0, 3]))

        assert ["unknown", None] == [bar.get("class") for bar in found.iter(f"{SVG}rect")]
        assert "? unknown" in texts(found)

    @given(some_lanes())
    def test_well_formed(self, lanes: Lanes) -> None:
        """Each picture is XML, with bars that have a width."""
        for bar in picture(lanes).iter(f"{SVG}rect"):
            assert float(bar.get("width", "0")) > 0


def run_example(name: str, folder: Path) -> List[Lanes]:
    """Run an example, and arrange what it logs."""
    package = str(Path(eliot.__file__).parents[1])
    subprocess.run(
        [sys.executable, str(EXAMPLES / name), "made.log"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": package},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    # All of it first: what is logged late joins its task.
    return [Lanes(task.top()) for task in list(read(folder / "made.log"))]


class TestPrograms:
    """The logs of real programs."""

    @pytest.mark.parametrize(
        ("name", "least"), [("asyncio_shopping.py", 2), ("trio_mirrors.py", 2), ("linkcheck.py", 1)]
    )
    def test_examples(self, name: str, least: int, tmp_path: Path) -> None:
        """What ran at the same time is side by side, and all documents are valid."""
        tasks = run_example(name, tmp_path)
        document = perfetto(tasks)
        actions = [event for event in document["traceEvents"] if event["ph"] == "X"]
        drawn, _ = page_data(*tasks)

        check_trace(document)
        VALIDATOR.validate(speedscope(tasks, name))
        assert least <= len({event["tid"] for event in actions})
        assert len(actions) == drawn["tasks"][0][4]
        assert "failed" in {event["args"]["status"] for event in actions}
        assert 0 < len([*picture(tasks[0]).iter(f"{SVG}rect")]) <= len(actions)

    @given(ACTIONS, st.randoms(use_true_random=False))
    def test_any_order(self, spec: Spec, random: Random) -> None:
        """The order of the lines of the log does not matter."""
        shuffled = [*messages(spec)]
        random.shuffle(shuffled)
        task = Task()
        for message in shuffled:
            task = task.add(message)

        assert page_data(lanes_of(spec)) == page_data(Lanes(task.top()))
