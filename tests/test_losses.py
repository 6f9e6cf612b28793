"""Counting what is lost, and saying it."""

from __future__ import annotations

from typing import Any

import pytest

from eliot._losses import MAX_TYPES, Losses
from eliot.json import encode


class TestLosses:
    """The count of lost messages."""

    def test_nothing(self) -> None:
        """At first nothing is lost."""
        losses = Losses()

        assert (0, {}, None, None) == (losses.count, losses.types, losses.first, losses.last)

    def test_types_and_times(self) -> None:
        """Messages and actions are counted by type; the earliest and the latest time are kept."""
        losses = Losses()
        for message in (
            {"message_type": "a", "timestamp": 3.0},
            {"action_type": "b", "timestamp": 1.0},
            {"message_type": "a", "action_type": "b", "timestamp": 2.0},
        ):
            losses.add(message)

        assert 3 == losses.count
        assert {"a": 2, "b": 1} == losses.types
        assert (1.0, 3.0) == (losses.first, losses.last)

    @pytest.mark.parametrize("message", [{}, {"timestamp": "noon"}, None, 7])
    def test_odd_messages(self, message: Any) -> None:
        """What has neither type nor time is counted all the same."""
        losses = Losses()
        losses.add(message)

        assert {"": 1} == losses.types
        assert losses.first is None

    def test_reports_are_left_out(self) -> None:
        """A report of a failed delivery is about a message that is counted."""
        losses = Losses()
        losses.add({"message_type": "eliot:destination_failure"})

        assert 0 == losses.count

    def test_lines(self) -> None:
        """Lines of JSON are counted as the messages that they are."""
        losses = Losses()
        losses.add_lines(
            encode({"message_type": "a"}) + b"\n" + encode({"message_type": "b"}) + b"\r\n"
        )

        assert {"a": 1, "b": 1} == losses.types

    def test_types_have_an_end(self) -> None:
        """Whoever makes up a type for each message does not fill the memory."""
        losses = Losses()
        for number in range(2 * MAX_TYPES):
            losses.add({"message_type": str(number)})

        assert MAX_TYPES + 1 == len(losses.types)
        assert MAX_TYPES == losses.types["other types"]
        assert 2 * MAX_TYPES == sum(losses.types.values())

    def test_lines_that_are_none(self) -> None:
        """A line that is no message, by an encoder of the program's own, counts, too."""
        losses = Losses()
        losses.add_lines(b'{"message_type":"a"}\noops\n')

        assert 2 == losses.count
        assert 1 == losses.types["a"]

    def test_report(self) -> None:
        """The report says it all, in a task of its own."""
        losses = Losses()
        losses.add({"message_type": "a", "timestamp": 1.5})
        report = losses.report("disk full")
        assert report.pop("timestamp")
        assert 36 == len(report.pop("task_uuid"))

        assert {
            "message_type": "eliot:lost",
            "count": 1,
            "types": {"a": 1},
            "first": 1.5,
            "last": 1.5,
            "reason": "disk full",
            "task_level": [1],
        } == report
