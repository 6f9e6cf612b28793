"""Tests of `eliot._summary`: what is counted of a log."""

from __future__ import annotations

from typing import Any, Dict, List

from hypothesis import given
from hypothesis import strategies as st

from eliot._inputs import Problem
from eliot._summary import Rate, Summary
from eliot.parse import Parser

Fields = Dict[str, Any]


def message(uuid: str, *level: int, **more: Any) -> Fields:
    """Make a plain message."""
    identity = {"task_uuid": uuid, "task_level": list(level), "timestamp": 10.0}
    return {**identity, "message_type": "m", **more}


def boundary(uuid: str, status: str, *level: int, **more: Any) -> Fields:
    """Make the start or the end of an action."""
    identity = {"task_uuid": uuid, "task_level": list(level), "timestamp": 10.0}
    return {**identity, "action_type": "a", "action_status": status, **more}


def data_of(*messages: Fields) -> Dict[str, Any]:
    """Summarize a log."""
    summary = Summary()
    for task in Parser.parse_stream(messages):
        summary.add(task)
    return summary.data()


class TestSummary:
    """`Summary`."""

    def test_counts(self) -> None:
        """Tasks, actions and messages are counted, in all and by type, the most frequent first."""
        data = data_of(
            boundary("u", "started", 1),
            boundary("u", "started", 2, 1, action_type="b", timestamp=8.0),
            boundary("u", "failed", 2, 2, action_type="b"),
            message("u", 3),
            message("u", 4),
            boundary("u", "failed", 5, timestamp=12.0),
            boundary("v", "started", 1),
            message("v", 4, message_type=None),
            message("w", 1),
        )
        rate, types = data.pop("rate"), data.pop("types")

        assert 9 == sum(rate["messages"])
        assert {
            "messages": 9,
            "tasks": 3,
            "incomplete_tasks": 1,
            "failed_tasks": 1,
            "actions": 3,
            "failed_actions": 2,
            "unended_actions": 1,
            "missing_messages": 2,
            "replaced_messages": 0,
            "first": 8.0,
            "last": 12.0,
            "bad_lines": {},
            "degraded_messages": 0,
            "degradations": {},
            "loss_reports": 0,
            "lost_messages": 0,
            "lost_types": {},
        } == data
        assert [
            {"kind": "message", "type": "m", "count": 3},
            {"kind": "action", "type": "a", "count": 2, "failed": 1, "unended": 1},
            {"kind": "action", "type": "b", "count": 1, "failed": 1, "unended": 0},
            {"kind": "message", "type": None, "count": 1},
        ] == types

    def test_counts_what_lost_its_place(self) -> None:
        """A message in whose place is another one is a message all the same."""
        data = data_of(boundary("u", "started", 1), message("u", 2), message("u", 2, x=1))

        assert (3, 1) == (data["messages"], data["replaced_messages"])

    def test_counts_ends_alone(self) -> None:
        """An action of which only the end is known is one message, and misses one."""
        data = data_of(boundary("u", "succeeded", 2))

        assert (1, 1, 1) == (data["messages"], data["actions"], data["missing_messages"])

    def test_counts_what_has_no_time(self) -> None:
        """A message without a time is a message, but at no time."""
        data = data_of(message("u", 1, timestamp="noon"))

        assert (1, None) == (data["messages"], data["rate"])

    def test_of_nothing(self) -> None:
        """Where there is nothing there are no times either."""
        data = Summary().data()

        assert (0, None, None, None) == (data["tasks"], data["rate"], data["first"], data["last"])

    def test_collects_degradations(self) -> None:
        """What could not be kept as it was is counted, by what was done to it."""
        data = data_of(
            message(
                "u", 1, **{"eliot:degraded": {"x": "cycle cut; cut, too large", "y": "cycle cut"}}
            ),
            message("v", 1, **{"eliot:degraded": "odd"}),
            boundary("w", "started", 1),
            boundary("w", "failed", 2, **{"eliot:degraded": {"x": "cycle cut"}}),
        )

        assert (3, {"cycle cut": 3, "cut, too large": 1}) == (
            data["degraded_messages"],
            data["degradations"],
        )

    def test_collects_losses(self) -> None:
        """What was reported lost is added up."""
        data = data_of(
            message("u", 1, message_type="eliot:lost", count=3, types={"a": 2, "b": 1}),
            message("v", 1, message_type="eliot:lost", count=1, types={"b": "odd"}),
            message("w", 1, message_type="eliot:lost", types=[]),
        )

        assert (3, 5, {"a": 2, "b": 2}) == (
            data["loss_reports"],
            data["lost_messages"],
            data["lost_types"],
        )

    def test_collects_problems(self) -> None:
        """Bad lines are counted by what is wrong with them; a source that is missing is none."""
        summary = Summary()
        for reason in ("not JSON", "without timestamp", "not JSON"):
            summary.add_problem(Problem("a", 1, reason))
        summary.add_problem(Problem("a", None, "No such file"))

        assert {"not JSON": 2, "without timestamp": 1} == summary.data()["bad_lines"]

    def test_counts_messages_without_place_together(self) -> None:
        """What is wrong with messages that have no place differs from one to the other."""
        summary = Summary()
        for number in range(3):
            message = {"task_uuid": "u", "task_level": [-number], "timestamp": 1}
            summary.add_problem(Problem("a", number, f"no level: [{-number}]", message))

        assert {"no place in its task": 3} == summary.data()["bad_lines"]


class TestRate:
    """`Rate`."""

    @given(st.lists(st.floats(-1e12, 1e12), min_size=1))
    def test_counts_everything(self, times: List[float]) -> None:
        """However the times are, all are counted, in few spans that hold the first and the last."""
        rate = Rate()
        for time in times:
            rate.add(time)
        data = rate.data()
        assert data is not None

        assert len(times) == sum(data["messages"])
        assert 1 <= len(data["messages"]) <= 60
        assert data["messages"][0]
        assert data["messages"][-1]
        assert data["begin"] <= min(times) < data["begin"] + data["span"]

    def test_survives_odd_clocks(self) -> None:
        """Times of another age make spans longer, and nothing else."""
        rate = Rate()
        for time in (1.7e9, 0.0, -1e300, 1e300, 1.7e9):
            rate.add(time)
        data = rate.data()
        assert data is not None

        assert 5 == sum(data["messages"])
