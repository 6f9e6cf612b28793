"""Tests of `eliot._select`: which tasks are meant."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot._select import Selection, condition, duration, moment
from eliot.parse import Parser, Task

Fields = Dict[str, Any]

BEGUN = {"action_type": "a", "action_status": "started"}
ENDED = {"action_type": "a", "action_status": "succeeded"}

FIRST = datetime(1971, 1, 1)  # noqa: DTZ001 - Hypothesis adds the zone, if there is to be one

#: What time it is in these tests: three hours after noon, two hours east of Greenwich.
NOW = datetime(2026, 11, 26, 15, 0, 0, tzinfo=timezone(timedelta(hours=2)))


def task_of(*messages: Fields, uuid: str = "0f1e") -> Task:
    """Make a task of messages, with their levels."""
    identity = {"task_uuid": uuid, "timestamp": 1.5}
    [task] = Parser.parse_stream([{**identity, **fields} for fields in messages])
    return task


def lone(**fields: Any) -> Task:
    """Make a task of one message."""
    return task_of({"task_level": [1], **fields})


def action(begun: Fields, ended: Fields, *inside: Fields) -> Task:
    """Make a task of one action with messages in it."""
    messages = [{"task_level": [number], **fields} for number, fields in enumerate(inside, 2)]
    return task_of(
        {"task_level": [1], **BEGUN, **begun},
        *messages,
        {"task_level": [len(inside) + 2], **ENDED, **ended},
    )


class TestTasks:
    """The option *tasks*."""

    @pytest.mark.parametrize(
        ("prefixes", "expected"),
        [
            (["0f1e"], True),
            (["0f"], True),
            (["0F1E"], True),
            (["1e"], False),
            (["0f1e2"], False),
            (["1", "0"], True),
        ],
    )
    def test_takes_prefixes(self, prefixes: List[str], expected: bool) -> None:
        """The uuid begins with any of them, in upper or lower case."""
        assert expected == Selection(tasks=prefixes).matches(lone(message_type="m"))
        assert expected == Selection(tasks=prefixes, types=["m"]).matches(lone(message_type="m"))

    def test_takes_any_uuid(self) -> None:
        """A uuid that is no text is compared as text."""
        assert Selection(tasks=["17"]).matches(task_of({"task_level": [1]}, uuid=17))  # type: ignore[arg-type] # anything may be in a log


class TestTypes:
    """The option *types*."""

    @pytest.mark.parametrize(
        ("patterns", "expected"),
        [
            (["http:request"], True),
            (["http:*"], True),
            (["*request"], True),
            (["http:reques?"], True),
            (["http"], False),
            (["HTTP:*"], False),
            (["db:*", "[fgh]ttp*"], True),
            ([""], False),
        ],
    )
    def test_are_patterns(self, patterns: List[str], expected: bool) -> None:
        """Any of them matches the whole type of a message or an action."""
        selection = Selection(types=patterns)
        both = {"action_type": "http:request"}

        assert expected == selection.matches(lone(message_type="http:request"))
        assert expected == selection.matches(action(both, both))

    def test_match_no_message_without(self) -> None:
        """A message without a type has none that could match."""
        assert not Selection(types=["*"]).matches(lone())


class TestCondition:
    """The option *where*."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("x=500", 500),
            ("x=500", 500.0),
            ("x=500", "500"),
            ("x=5e2", 500),
            (" x = 500 ", 500),
            ("x!=500", 501),
            ("x!=500", None),
            ("x=", ""),
            ("x=text", "text"),
            ('x="text"', "text"),
            ('x=" text"', " text"),
            ("x=true", True),
            ("x=null", None),
            ("x=[1,2]", [1, 2]),
            ("x===", "="),
            ("x=a=b", "a=b"),
            ("x>1000", 1001),
            ("x>=1000", 1000),
            ("x<1.5", 1),
            ("x<=1.5", 1.5),
            ("x>10", 10**30),
            ("x<2026-11-26", "2026-11-25T12:00"),
            ('x>"5"', "6"),
            ("x~^/api/", "/api/items"),
            ("x~tem", "/api/items"),
            ("x~^50.$", 503),
            ("x~b", {"a": "b"}),
            ("x!~z", "abc"),
        ],
    )
    def test_holds(self, text: str, value: Any) -> None:
        """Numbers are compared as numbers, text as text, in what is JSON as in what is not."""
        assert condition(text).holds(lone(x=value).top())

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("x=500", 501),
            ("x=500", "501"),
            ('x="500"', 500),
            ("x=1", True),
            ("x=0", False),
            ("x=true", 1),
            ("x=true", "True"),
            ("x!=500", 500),
            ("x>1000", "2000"),
            ("x>1000", 1000),
            ("x>1000", True),
            ("x>1000", None),
            ("x>a", 5),
            ("x<a", [1]),
            ("x=NaN", float("nan")),
            ("x~^api", "/api"),
            ("x!~a", "abc"),
            ("y=500", 500),
            ("y!=500", 500),
            ("y!~a", 500),
            ("y.z=500", 500),
        ],
    )
    def test_does_not_hold(self, text: str, value: Any) -> None:
        """A number is no text, a truth no number; of what is not there nothing holds."""
        assert not condition(text).holds(lone(x=value).top())

    @pytest.mark.parametrize(
        "text",
        ["a.b=1", "a.c.d=2", "a.list.1=4", "dotted.name=5", "dotted.more.deep=6", "a.list.0.e=3"],
    )
    def test_goes_into_values(self, text: str) -> None:
        """A name with dots is that of a field, or leads into the values of fields."""
        fields = {
            "a": {"b": 1, "c": {"d": 2}, "list": [{"e": 3}, 4]},
            "dotted.name": 5,
            "dotted": {"name": 0, "more.deep": 6},
        }

        assert condition(text).holds(lone(**fields).top())

    @pytest.mark.parametrize(
        "text", ["a.b.c=1", "a.list.2=4", "a..b=1", "a.list.x=1", "dotted.name=0"]
    )
    def test_finds_no_more_in_values(self, text: str) -> None:
        """What has that very name comes first, and there is no other way."""
        fields = {"a": {"b": 1, "list": [3, 4]}, "dotted.name": 5, "dotted": {"name": 0}}

        assert not condition(text).holds(lone(**fields).top())

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("action_type=a", [0]),
            ("action_type!=b", [0]),
            ("action_status=succeeded", [0]),
            ("action_status=started", []),
            ("message_type~^m", [1]),
            ("message_type!=x", [1]),
        ],
    )
    def test_knows_types_and_statuses(self, text: str, expected: List[int]) -> None:
        """The type and the status have the names that they have in messages."""
        task = action({}, {}, {"message_type": "m"}, {})
        holds = condition(text).holds

        assert expected == [number for number, entry in enumerate(task.walk()) if holds(entry)]

    def test_looks_at_both_ends(self) -> None:
        """For an action a condition holds if it does of its start or of its end."""
        entry = action({"x": 1, "same": 1}, {"y": 2, "same": 2}).top()

        assert [True, True, False, True, True, False] == [
            condition(text).holds(entry)
            for text in ["x=1", "y=2", "x=2", "same=1", "same=2", "same=3"]
        ]

    def test_equal_as_in_python(self) -> None:
        """`==` is another way to write `=`."""
        entry = lone(x=2, y="=2").top()

        assert condition("x=2") == condition("x==2")
        assert condition("x == 2").holds(entry)
        assert condition('y=="=2"').holds(entry)

    def test_bears_deep_values(self) -> None:
        """A value deeper than the stack can be searched, and asked for."""
        deep: List[Any] = []
        for _ in range(5000):
            deep = [deep]
        entry = lone(x=deep).top()

        assert condition("x~.").holds(entry)
        assert not condition("x=1").holds(entry)
        assert not condition("x=" + "[" * 100_000).holds(entry)

    @pytest.mark.parametrize("text", ["", "x", "=5", "x 5", "~", " > 3", "!x=3"])
    def test_refuses_what_is_none(self, text: str) -> None:
        """The error names the text, and shows what one looks like."""
        with pytest.raises(
            ValueError, match=r"is no condition: write FIELD .*status>=500"
        ) as error:
            condition(text)

        assert repr(text) in str(error.value)

    def test_refuses_bad_expressions(self) -> None:
        """The error names the expression, and what is wrong with it."""
        with pytest.raises(ValueError, match=r"'\(' is no regular expression: .*unterminated"):
            condition("x~(")

    @given(st.integers() | st.floats(allow_nan=False), st.integers() | st.floats(allow_nan=False))
    def test_orders_as_numbers_are(self, one: float, two: float) -> None:
        """For any two numbers, what holds is what holds in Python."""
        from json import dumps

        entry = lone(x=one).top()
        held = [
            condition(f"x{sign}{dumps(two)}").holds(entry)
            for sign in ["=", "!=", "<", "<=", ">", ">="]
        ]

        assert [one == two, one != two, one < two, one <= two, one > two, one >= two] == held

    @given(st.text(), st.text(min_size=1))
    def test_orders_as_texts_are(self, one: str, two: str) -> None:
        """For any two texts, the second one as JSON, what holds is what holds in Python."""
        from json import dumps

        entry = lone(x=one).top()
        held = [
            condition(f"x{sign}{dumps(two)}").holds(entry)
            for sign in ["=", "!=", "<", "<=", ">", ">="]
        ]

        assert [one == two, one != two, one < two, one <= two, one > two, one >= two] == held


class TestOthers:
    """The options *statuses*, *level* and *min_duration*."""

    def test_statuses(self) -> None:
        """Any of the statuses is that of an action."""
        failed = action({}, {"action_status": "failed"})
        unended = task_of({"task_level": [1], **BEGUN})

        assert [True, False, True, True] == [
            Selection(statuses=["failed"]).matches(failed),
            Selection(statuses=["succeeded"]).matches(failed),
            Selection(statuses=["succeeded", "failed"]).matches(failed),
            Selection(statuses=["started"]).matches(unended),
        ]
        assert not Selection(statuses=["started", "failed"]).matches(lone())

    def test_level_is_a_minimum(self) -> None:
        """Levels from the given one on are selected; other texts, and none, are no levels."""
        levels = ["debug", "info", "warning", "error", "critical", "CRITICAL", "fatal", 50, None]
        selection = Selection(level="Warning")

        assert [False, False, True, True, True, True, False, False, False] == [
            selection.matches(lone(log_level=level)) for level in levels
        ]
        assert not selection.matches(lone())

    @pytest.mark.parametrize(("least", "expected"), [(0.0, True), (2.5, True), (2.6, False)])
    def test_min_duration(self, least: float, expected: bool) -> None:
        """An action has taken at least so long."""
        assert expected == Selection(min_duration=least).matches(action({}, {"timestamp": 4.0}))

    def test_min_duration_selects_actions(self) -> None:
        """Not even with 0 seconds are there durations of messages, or of actions without end."""
        selection = Selection(min_duration=0.0)

        assert [True, False, False] == [
            selection.matches(task)
            for task in (action({}, {}), lone(), task_of({"task_level": [1], **BEGUN}))
        ]

    @pytest.mark.parametrize("name", ["statuses", "level"])
    def test_refuse_others(self, name: str) -> None:
        """What is no status, or no level, is an error that names all."""
        with pytest.raises(ValueError, match=r"'odd' is no (status|level): there are \w+, "):
            Selection(**{name: "odd" if name == "level" else ["odd"]})  # type: ignore[arg-type] # one of two


class TestTimes:
    """The options *since* and *until*."""

    @pytest.mark.parametrize(
        ("since", "until", "expected"),
        [
            (None, 10, True),
            (None, 9, False),
            (10, None, True),
            (20, None, True),
            (21, None, False),
            (11, 19, False),
            (11, 20, True),
        ],
    )
    def test_are_limits(self, since: Any, until: Any, expected: bool) -> None:
        """An action has begun or ended in that time, of which both ends are part."""
        task = action({"timestamp": 10}, {"timestamp": 20})

        assert expected == Selection(since=since, until=until).matches(task)

    def test_are_those_of_messages(self) -> None:
        """A message was logged in that time; without any time it was not."""
        selection = Selection(since=10)

        assert [False, True, False] == [
            selection.matches(lone(timestamp=time)) for time in (9.5, 10, "noon")
        ]


class TestSelection:
    """All options together."""

    def test_without_options_selects_all(self) -> None:
        """With nothing asked for everything is meant, and it says so."""
        assert Selection().matches(lone())
        assert not Selection()
        assert Selection(tasks=["a"])
        assert Selection(types=["a"])

    def test_holds_of_one_entry(self) -> None:
        """All conditions hold of one and the same entry."""
        apart = action({}, {}, {"message_type": "m", "x": 1}, {"message_type": "n", "x": 2})
        where = [condition("x=2")]

        assert not Selection(types=["m"], where=where).matches(apart)
        assert Selection(types=["n"], where=where).matches(apart)
        assert not Selection(where=[condition("x=1"), *where]).matches(apart)

    def test_does_not_hold_of_gaps(self) -> None:
        """What is missing is never what is meant."""
        task = task_of(
            {"task_level": [1], **BEGUN}, {"task_level": [3], "message_type": "m", "x": 1}
        )

        assert [False, False, True] == [
            Selection(where=[condition("x=1")]).holds(entry) for entry in task.walk()
        ]
        assert [True, False, True] == [Selection().holds(entry) for entry in task.walk()]


class TestDuration:
    """`duration()`."""

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("1.5", 1.5),
            ("0", 0),
            ("100ms", 0.1),
            ("250us", 0.00025),
            ("2s", 2),
            ("5m", 300),
            ("5min", 300),
            ("1h30m", 5400),
            (" 1h 30m ", 5400),
            ("1d", 86400),
            ("1w", 604800),
        ],
    )
    def test_reads(self, text: str, seconds: float) -> None:
        """Numbers are seconds, units are understood, and added."""
        assert pytest.approx(seconds) == duration(text)

    @pytest.mark.parametrize("text", ["", "s", "1 x", "-1", "1s2", "1h 30", "nan", "1e3", "1,5"])
    def test_refuses(self, text: str) -> None:
        """The error names the text, and shows how to write it."""
        with pytest.raises(ValueError, match="is no duration: write it as 100ms, 2s") as error:
            duration(text)

        assert repr(text) in str(error.value)


class TestMoment:
    """`moment()`."""

    @pytest.mark.parametrize(
        ("text", "utc"),
        [
            ("now", "2026-11-26T13:00:00"),
            ("-2h", "2026-11-26T11:00:00"),
            ("-30m", "2026-11-26T12:30:00"),
            ("-1d", "2026-11-25T13:00:00"),
            ("-1h30m", "2026-11-26T11:30:00"),
            ("2026-11-26T14:30Z", "2026-11-26T14:30:00"),
            ("2026-11-26 14:30:05.25Z", "2026-11-26T14:30:05.250000"),
            ("2026-11-26T14:30:05,1234567 Z", "2026-11-26T14:30:05.123456"),
            ("2026-11-26T14:30+01:00", "2026-11-26T13:30:00"),
            ("2026-11-26T14:30:00-0130", "2026-11-26T16:00:00"),
            ("14:30Z", "2026-11-26T14:30:00"),
        ],
    )
    def test_reads(self, text: str, utc: str) -> None:
        """What is ago, and what has a zone, means the same everywhere."""
        expected = datetime.fromisoformat(utc).replace(tzinfo=timezone.utc)

        assert expected.timestamp() == moment(text, NOW)

    @pytest.mark.parametrize(
        ("text", "local"),
        [
            ("2026-11-25", "2026-11-25T00:00:00"),
            ("2026-11-25T14:30", "2026-11-25T14:30:00"),
            ("2026-11-25 14:30:05.5", "2026-11-25T14:30:05.500000"),
            ("14:30", "2026-11-26T14:30:00"),
            ("14:30:59", "2026-11-26T14:30:59"),
        ],
    )
    def test_reads_local_time(self, text: str, local: str) -> None:
        """Without a zone time is local; a date is its beginning, a time is today's."""
        assert datetime.fromisoformat(local).timestamp() == moment(text, NOW)

    @pytest.mark.parametrize("text", ["", "yesterday", "2h", "-2", "-x", "14", "Z", "25:00"])
    @pytest.mark.parametrize("more", ["", " 2026-02-30", "2026-11", "2026-11-26T", "T14:30"])
    def test_refuses(self, text: str, more: str) -> None:
        """The error names the text, and shows how to write it."""
        with pytest.raises(ValueError, match=r"is no time: write it as 2026-11-26, ") as error:
            moment(text + more, NOW)

        assert repr(text + more) in str(error.value)

    @given(st.datetimes(FIRST, FIRST.replace(year=2200)))
    def test_reads_what_python_writes(self, time: datetime) -> None:
        """Any time that `isoformat()` shows is read, down to its microseconds."""
        utc = time.replace(tzinfo=timezone.utc)

        assert utc.timestamp() == moment(utc.isoformat(), NOW)
        assert utc.timestamp() == moment(f"{time.isoformat(' ')}Z", NOW)


@given(st.text())
def test_anything_is_read_or_refused(text: str) -> None:
    """Whatever stands behind an option is understood or refused, with an error for the user."""
    readers: List[Callable[[str], object]] = [condition, duration, lambda text: moment(text, NOW)]
    outcomes = []
    for read in readers:
        try:
            outcomes.append(read(text) is not None)
        except ValueError as error:
            outcomes.append(repr(text)[:20] in str(error) or "expression" in str(error))

    assert [True, True, True] == outcomes
