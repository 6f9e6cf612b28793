"""The encoder: the same JSON by the fast way and by the one that cannot fail."""

from __future__ import annotations

import inspect
import json
import sys
from collections import OrderedDict, defaultdict, deque
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from typing import Any, Callable, Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eliot.json as encoder
from eliot._degraded import (
    CUT_CHARACTERS,
    CUT_ELEMENTS,
    MAX_CHARACTERS,
    MAX_ELEMENTS,
    RESERVED_ELEMENTS,
    SHORT_TEXT,
    TINY_TEXT,
)
from eliot._depth import MAX_DEPTH as REENTRIES
from eliot._fields import (
    BIG_INTEGER,
    CYCLE,
    EQUAL_KEYS,
    FAILED_CONVERSION,
    LONE_SURROGATE,
    NO_TEXT,
    NO_TEXT_KEY,
    REENTERED,
    REFUSED,
    TOO_DEEP,
    TOO_LARGE,
)
from eliot._jsonable import json_default
from eliot._safe import UNKNOWN
from eliot.json import (
    MAX_DEPTH,
    SURELY_SMALL,
    EliotJSONEncoder,
    _dumps_unicode,
    _encoder_to_default_function,
    _strict_dumps,
    check_encodable,
    default_function,
    dumps_anyway,
    encode,
    fast_default,
    second_way,
    too_large,
)


def distinct(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """Read an object, and refuse one with equal keys."""
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def strict(line: bytes) -> Any:
    """Read JSON as strictly as the standard says: no NaN, no equal keys, UTF-8, one line."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    assert b"\n" not in line
    return json.loads(line.decode("utf-8"), parse_constant=refuse, object_pairs_hook=distinct)


def nested(depth: int, innermost: object = 1) -> object:
    """Put a value into lists into lists."""
    for _ in range(depth):
        innermost = [innermost]
    return innermost


class Color(Enum):
    """An enum."""

    RED = "r"


class Level(IntEnum):
    """An enum whose members are integers."""

    LOW = 1


class Hostile:
    """An object that fails in every way."""

    def __repr__(self) -> str:
        raise ValueError("no")

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise ValueError("no")


_UTC_OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))

# orjson 3.13.0 writes time(0, 0, 0, 10_000) as "00:00:00.10000": it drops a zero.
_TIMES = st.times(timezones=st.none() | _UTC_OFFSETS).filter(
    lambda time: not 10_000 <= time.microsecond < 100_000
)

#: Values that both ways have to represent alike.
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.complex_numbers()
    | st.dates()
    | st.datetimes(timezones=st.none() | _UTC_OFFSETS)
    | _TIMES
    | st.timedeltas()
    | st.uuids()
    | st.decimals()
    | st.fractions()
    | st.ip_addresses()
    | st.sampled_from([*Color, *Level, object(), int, len, ValueError("x"), PurePosixPath("a/b")])
)

#: Values that can be keys; no two of them are equal, for their text would not be the same.
KEYS = st.none() | st.integers(2) | st.text(st.characters()) | st.binary() | st.dates() | st.uuids()

VALUES = st.recursive(
    SCALARS,
    lambda values: (
        st.lists(values)
        | st.lists(values).map(tuple)
        | st.lists(values).map(deque)
        | st.sets(KEYS)
        | st.frozensets(KEYS)
        | st.dictionaries(KEYS, values)
        | st.dictionaries(st.text(), values).map(OrderedDict)
    ),
    max_leaves=20,
)


class TestEliotJSONEncoder:
    """The class for `json.dumps`."""

    def test_is_an_encoder(self) -> None:
        """It converts what `json_default` converts."""
        assert issubclass(EliotJSONEncoder, json.JSONEncoder)
        assert '{"s": [1]}' == json.dumps({"s": {1}}, cls=EliotJSONEncoder)
        assert {"real": 1.0, "imag": 2.0} == EliotJSONEncoder().default(1 + 2j)

    def test_can_be_extended(self) -> None:
        """A subclass calls `default` last."""

        class Encoder(EliotJSONEncoder):
            def default(self, o: Any) -> Any:
                return "a class" if o is Encoder else super().default(o)

        assert '["a class", [1]]' == json.dumps([Encoder, {1}], cls=Encoder)

    def test_gives_its_default_function(self) -> None:
        """The method of an instance is a default function."""
        assert "a/b" == _encoder_to_default_function(EliotJSONEncoder())(PurePosixPath("a/b"))


class TestOldNames:
    """Names that published programs import."""

    def test_public_names(self) -> None:
        """There are two."""
        assert ["EliotJSONEncoder", "json_default"] == encoder.__all__
        assert json_default is encoder.json_default

    def test_fast_encoder(self) -> None:
        """`_dumps_bytes` is the function of orjson itself."""
        orjson = pytest.importorskip("orjson", reason="no orjson on this interpreter")

        assert orjson.dumps is encoder._dumps_bytes

    def test_without_orjson(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where there is no orjson, the other way is at its place."""
        monkeypatch.setitem(sys.modules, "orjson", None)

        assert _strict_dumps is encoder._dumps_bytes
        assert '{"x":[1]}' == _dumps_unicode({"x": {1}}, json_default)

    def test_encodes_as_text(self) -> None:
        """`_dumps_unicode` gives text."""
        assert '{"e":"\u00e9"}' == _dumps_unicode({"e": "\u00e9"})

    def test_has_no_others(self) -> None:
        """Other names are an error, as in any module."""
        with pytest.raises(
            AttributeError, match=r"^module 'eliot\.json' has no attribute 'dumps'$"
        ):
            _ = encoder.dumps  # type: ignore[attr-defined] # that is the point


@pytest.mark.parametrize("dumps", [encoder._dumps_bytes, _strict_dumps, dumps_anyway])
class TestFormat:
    """What all encoders have in common."""

    def test_is_compact(self, dumps: Callable[..., bytes]) -> None:
        """There are no blanks, and no escapes but the necessary ones."""
        value = {"e": "\u00e9", "l": [1, {"a": None}], "c": '\x00\x1f\n"\\/\u2028\U0001f600'}
        expected = (
            '{"e":"\u00e9","l":[1,{"a":null}],"c":"\\u0000\\u001f\\n\\"\\\\/\u2028\U0001f600"}'
        ).encode()

        assert expected == dumps(value)

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
    def test_knows_no_nan(self, dumps: Callable[..., bytes], number: float) -> None:
        """Floats that JSON lacks become null."""
        assert b"[null]" == dumps([number])

    @pytest.mark.parametrize("number", [0, -(2**63), 2**64 - 1, 0.1, -0.0, 5e-324, 1e16, 1e300])
    def test_keeps_numbers(self, dumps: Callable[..., bytes], number: float) -> None:
        """Integers of 64 bits and all other floats are exact."""
        assert repr(number) == repr(strict(dumps(number)))

    def test_takes_subclasses(self, dumps: Callable[..., bytes]) -> None:
        """Subclasses of what JSON has are written like their base."""

        class Text(str):
            __slots__ = ()

        class Number(int):
            pass

        class Sequence(List[int]):
            pass

        mappings = [OrderedDict(a=1), defaultdict(None, b=2)]
        value = [Text("t"), Number(3), Sequence([1]), *mappings]

        assert ["t", 3, [1], {"a": 1}, {"b": 2}] == strict(dumps(value))

    def test_keeps_what_orjson_takes(self, dumps: Callable[..., bytes]) -> None:
        """Structures may be deep."""
        assert nested(MAX_DEPTH) == strict(dumps(nested(MAX_DEPTH)))

    def test_asks_the_default_function(self, dumps: Callable[..., bytes]) -> None:
        """What the function returns is encoded in turn."""
        assert {"x": [1, [2, 3]]} == strict(
            dumps({"x": b"x"}, lambda o: [1, {2}] if o == b"x" else [*o, 3])
        )

    def test_asks_for_little(self, dumps: Callable[..., bytes]) -> None:
        """The function is asked for exactly those values that neither JSON nor orjson has."""
        asked: list[Any] = []

        class Moment(datetime):
            """A subclass of what is native."""

        foreign = [Moment(2024, 1, 1), 1 + 2j, b"b", Decimal(1), {1}, Moment]
        native: list[object] = [
            None,
            1,
            "a",
            1.5,
            (1,),
            {},
            [],
            date(2024, 1, 2),
            Color.RED,
            Level.LOW,
        ]

        def default(o: Any) -> str:
            asked.append(o)
            return "D"

        assert [*["D"] * 6, None, 1, "a", 1.5, [1], {}, [], "2024-01-02", "r", 1] == strict(
            dumps([*foreign, *native], default)
        )
        assert foreign == asked


@pytest.mark.heavy
class TestBothWays:
    """The fast way and the other one."""

    @given(VALUES)
    def test_anything_has_a_line(self, value: object) -> None:
        """Whatever is logged: there is one line of JSON that a strict reader accepts."""
        strict(dumps_anyway({"value": value}, json_default))

    @given(VALUES)
    def test_nothing_is_refused(self, value: object) -> None:
        """With Eliot's own default function, no value is one that tests would complain about."""
        check_encodable({"value": value}, json_default)

    @given(VALUES)
    def test_are_alike(self, value: object) -> None:
        """What orjson writes is what is written without it, and then nothing is degraded."""
        orjson = pytest.importorskip("orjson", reason="no orjson on this interpreter")
        line, marks = second_way({"value": value}, json_default)
        try:
            fast = orjson.dumps({"value": value}, fast_default(json_default))
        except TypeError:
            fast = None

        assert fast is None or (strict(fast), {}) == (strict(line), marks)

    @given(VALUES)
    def test_stand_in_for_orjson(self, value: object) -> None:
        """Where there is no orjson, the stand-in refuses exactly what has to be marked."""
        line, marks = second_way({"value": value}, json_default)
        try:
            instead = _strict_dumps({"value": value}, fast_default(json_default))
        except TypeError:
            instead = None

        assert instead == (None if marks else line)


class TestStrictDumps:
    """The stand-in for orjson."""

    @pytest.mark.parametrize("value", [2**64, {1: 2}, "\ud800", nested(300), [{2: Hostile()}]])
    def test_refuses_what_it_would_degrade(self, value: object) -> None:
        """What orjson refuses is refused, within a message and elsewhere."""
        for o in (value, {"x": value}):
            with pytest.raises(TypeError):
                _strict_dumps(o, fast_default(json_default))

    def test_refuses_what_nobody_converts(self) -> None:
        """Without a default function, values that JSON lacks are an error."""
        with pytest.raises(TypeError, match="Type is not JSON serializable: set"):
            _strict_dumps({"x": {1}})

    def test_refuses_what_the_function_refuses(self) -> None:
        """An exception of the default function is the cause of the error."""

        def default(_: object) -> None:
            raise ZeroDivisionError("z")

        with pytest.raises(TypeError, match="z") as caught:
            _strict_dumps({"x": {1}}, default)

        assert isinstance(caught.value.__cause__, ZeroDivisionError)


class TestDumpsAnyway:
    """The way that cannot fail."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (2**64, "18446744073709551616"),
            (-(2**63) - 1, "-9223372036854775809"),
            ("a\ud800b", "a\\ud800b"),
            (b"caf\xc3\xa9", "caf\u00e9"),
            ({2: 2, None: 3, True: 4, 1.5: 5}, {"2": 2, "null": 3, "true": 4, "1.5": 5}),
            ({float("nan"): 1, b"b": 2, Color.RED: 3}, {"null": 1, "b": 2, "r": 3}),
            ({date(2024, 1, 2): 1, PurePosixPath("a"): 2}, {"2024-01-02": 1, "a": 2}),
            ({2**70: 1, (1, 2): 2}, {"1180591620717411303424": 1, "(1, 2)": 2}),
            ({Level.LOW: 1, Decimal("1.5"): 2}, {"1": 1, "1.5": 2}),
            ({"a\ud800": 1}, {"a\\ud800": 1}),
            (Hostile(), "eliot: unknown, str() raised exception"),
            ({Hostile(): 1}, {"eliot: unknown, str() raised exception": 1}),
        ],
    )
    def test_degrades_values(self, value: object, expected: object) -> None:
        """A value that JSON lacks becomes text, and all around it stays as it is."""
        message = {"before": [1], "value": value, "after": {"a": None}}
        written = strict(dumps_anyway(message, json_default))

        assert {"value"} >= set(written.pop("eliot:degraded", {}))
        assert {"before": [1], "value": expected, "after": {"a": None}} == written

    def test_takes_huge_integers(self) -> None:
        """There is a text of any integer, though Python may refuse the decimal one."""
        text = strict(dumps_anyway(16**5000))

        assert 16**5000 == int(text, 16 if text.startswith("0x") else 10)

    @pytest.mark.skipif(
        not hasattr(sys, "set_int_max_str_digits"), reason="no such limit on this interpreter"
    )
    def test_takes_integers_that_the_program_does_not(self) -> None:
        """Nor does it matter how long a text the program allows."""
        digits = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(640)
        try:
            line = dumps_anyway(10**700)
        finally:
            sys.set_int_max_str_digits(digits)

        assert f"{10**700:#x}" == strict(line)

    def test_survives_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An exception where none is expected, such as for want of stack, costs one value."""

        def fail(_: object) -> None:
            raise RecursionError

        monkeypatch.setattr("eliot._anyway.before_default", fail)
        line, marks = second_way({"a": 1, "b": {2}})

        assert {"b": FAILED_CONVERSION} == marks
        assert {"a": 1, "b": UNKNOWN, "eliot:degraded": marks} == strict(line)

    def test_keeps_all_items(self) -> None:
        """Keys that would become equal stay apart, and those that are text stay as they are."""
        value = {1: "integer", "1": "text", 1.5: "float", "1.5": "other text"}
        expected = {"1": "text", "1.5": "other text", "1 (int)": "integer", "1.5 (float)": "float"}

        assert [expected] == strict(dumps_anyway([value]))

    def test_cuts_cycles(self) -> None:
        """A structure that contains itself is cut where it begins again."""
        sequence: list[Any] = [1]
        mapping: dict[str, Any] = {"sequence": sequence}
        sequence.append(mapping)

        assert {"sequence": [1, "<cycle: dict>"], "eliot:degraded": {"sequence": CYCLE}} == strict(
            dumps_anyway(mapping)
        )
        assert [1, {"sequence": "<cycle: list>"}] == strict(dumps_anyway(sequence))

    def test_cuts_cycles_of_conversions(self) -> None:
        """So is one that a default function makes endless."""

        class Node:
            pass

        node = Node()

        assert [["<cycle: Node>"]] == strict(dumps_anyway([node], lambda o: [o]))

    def test_cuts_endless_conversions(self) -> None:
        """A default function that always returns something new does not go on for ever."""

        class Node:
            pass

        expected = f"<Node nested more than {MAX_DEPTH} deep>"

        assert expected == strict(dumps_anyway(Node(), lambda _: Node()))

    def test_keeps_repetitions(self) -> None:
        """A value that occurs twice, side by side, is no cycle."""
        shared = [1]

        assert {"a": [[1], [1]], "b": [1]} == strict(
            dumps_anyway({"a": [shared, shared], "b": shared})
        )

    def test_cuts_deep_structures(self) -> None:
        """Very deep structures end in a note."""
        line = dumps_anyway(nested(10_000))
        note = json.dumps(f"<list nested more than {MAX_DEPTH} deep>").encode()

        assert b"[" * MAX_DEPTH + note + b"]" * MAX_DEPTH == line

    def test_survives_failing_functions(self) -> None:
        """Where the caller's default function fails, Eliot's own takes over."""

        def default(o: Any) -> str:
            if isinstance(o, PurePosixPath):
                return "P"
            raise TypeError

        assert ["P", [1]] == strict(dumps_anyway([PurePosixPath("a"), {1}], default))

    def test_survives_functions_that_do_nothing(self) -> None:
        """A function that returns what it was given has not converted it."""
        assert ["a/b"] == strict(dumps_anyway([PurePosixPath("a/b")], lambda o: o))

    def test_survives_failing_conversions(self) -> None:
        """A value that fails while it is converted becomes its `repr`."""

        class Failing(Enum):
            MEMBER = 1

            @property
            def value(self) -> Any:
                raise ValueError("no")

        assert [1, repr(Failing.MEMBER), 2] == strict(dumps_anyway([1, Failing.MEMBER, 2]))

    def test_ignores_the_ideas_of_subclasses(self) -> None:
        """Containers and scalars with methods of their own are written by their contents."""

        class Mapping(Dict[str, int]):
            def items(self) -> Any:
                raise ValueError

            __iter__ = keys = values = items

        class Sequence(List[int]):
            def __iter__(self) -> Any:
                raise ValueError

        class Text(str):
            __slots__ = ()

            def encode(self, encoding: str = "", errors: str = "") -> Any:
                raise ValueError

            __str__ = encode

        class Number(int):
            def __str__(self) -> Any:
                raise ValueError

            __repr__ = __int__ = __index__ = __str__

        value = [Mapping(a=1), Sequence([2]), Text("t"), Number(3), Number(2**64)]

        assert [{"a": 1}, [2], "t", 3, str(2**64)] == strict(dumps_anyway(value))

    def test_needs_little_stack(self) -> None:
        """A program that runs out of stack can still log what it has, however deep that is."""
        depths: list[int] = []

        class Probe:
            def __repr__(self) -> str:
                frames, frame = 0, inspect.currentframe()
                while frame:
                    frames, frame = frames + 1, frame.f_back
                depths.append(frames)
                return "probe"

        dumps_anyway(nested(1, innermost=Probe()))
        dumps_anyway(nested(MAX_DEPTH - 1, innermost=Probe()))

        assert depths[0] == depths[1]


class TestMarks:
    """The field that says what was degraded."""

    @pytest.mark.parametrize(
        ("value", "mark"),
        [
            (2**64, BIG_INTEGER),
            (-(2**63) - 1, BIG_INTEGER),
            ({1: 2}, NO_TEXT_KEY),
            ({1: 2, "1": 3}, f"{NO_TEXT_KEY}; {EQUAL_KEYS}"),
            ("\ud800", LONE_SURROGATE),
            ({"\ud800": 1}, LONE_SURROGATE),
            (nested(MAX_DEPTH + 10), TOO_DEEP),
            ("x" * (MAX_CHARACTERS + 1), TOO_LARGE),
            (b"x" * (MAX_CHARACTERS + 1), TOO_LARGE),
            ([1] * (MAX_ELEMENTS + 1), TOO_LARGE),
            (Hostile(), NO_TEXT),
            (ValueError(Hostile()), NO_TEXT),
            ([2**64, {"x": [2**65, "\ud800"]}], f"{BIG_INTEGER}; {LONE_SURROGATE}"),
        ],
    )
    def test_tell_the_field(self, value: object, mark: str) -> None:
        """Each field in which something was degraded is named, with what was done."""
        line, marks = second_way({"a": 1, "value": value, "z": [1]}, json_default)

        assert {"value": mark} == marks == strict(line)["eliot:degraded"]
        assert line == encode({"a": 1, "value": value, "z": [1]})

    @pytest.mark.parametrize(
        "value",
        [float("nan"), b"\xff", {1}, object(), Color.RED, "x" * 1_000_000, nested(MAX_DEPTH - 1)],
    )
    def test_are_no_conversions(self, value: object) -> None:
        """What is documented as the JSON of a value is not degraded."""
        line, marks = second_way({"value": value}, json_default)

        assert {} == marks
        assert {"value"} == set(strict(line))

    def test_tell_of_names(self) -> None:
        """A name that is no text is marked under the name that was written."""
        line, marks = second_way({1: 2, "a": 3, "b\ud800": 4})

        assert {"1": NO_TEXT_KEY, "b\\ud800": LONE_SURROGATE} == marks
        assert {"a": 3, "b\\ud800": 4, "1": 2, "eliot:degraded": marks} == strict(line)

    def test_tell_of_cycles(self) -> None:
        """Cycles are named by the field that they are in."""
        message: dict[str, Any] = {"a": 1}
        message["me"] = [message]

        assert {"me": CYCLE} == second_way(message)[1]

    @pytest.mark.parametrize("default", [lambda _: 1 / 0, lambda o: o])
    def test_tell_of_refusals(self, default: Any) -> None:
        """So are values that the program's own function refused."""
        line, marks = second_way({"a": {1}, "b": 2}, default)

        assert {"a": REFUSED} == marks
        assert {"a": [1], "b": 2, "eliot:degraded": marks} == strict(line)

    def test_tell_nothing_without_a_function(self) -> None:
        """Where there is no such function, nobody has refused anything."""
        assert (b'{"a":[1]}', {}) == second_way({"a": {1}})

    @pytest.mark.parametrize("value", [[2**64], 2**64, "\ud800", Hostile()])
    def test_are_for_messages(self, value: object) -> None:
        """What is no dictionary has no fields."""
        line, marks = second_way(value)

        assert {} == marks
        assert b"eliot:degraded" not in line

    def test_notice_what_the_function_hides(self) -> None:
        """A function of the program that ends with `json_default` hides nothing."""
        message = {"a": Hostile(), "b": object()}
        line = encode(message, lambda o: "B" if o is message["b"] else json_default(o))

        assert {"a": UNKNOWN, "b": "B", "eliot:degraded": {"a": NO_TEXT}} == strict(line)

    @pytest.mark.parametrize("position", [0, 1])
    def test_are_merged(self, position: int) -> None:
        """A message that has marks already, such as one that was read from a log, keeps them."""
        earlier = {"eliot:degraded": {"old": CYCLE, "big": f"{TOO_DEEP}; {BIG_INTEGER}"}}
        message = {**earlier, "big": 2**64} if position == 0 else {"big": 2**64, **earlier}
        expected = {"old": CYCLE, "big": f"{TOO_DEEP}; {BIG_INTEGER}"}
        line, marks = second_way(message)

        assert {"big": BIG_INTEGER} == marks
        assert {"big": str(2**64), "eliot:degraded": expected} == strict(line)
        assert strict(line) == strict(encode(strict(line)))

    @pytest.mark.parametrize("position", [0, 1])
    @pytest.mark.parametrize(
        "foreign", [[1], 1, {"a": 1}, dict.fromkeys(map(str, range(2000)), "")]
    )
    def test_make_room(self, foreign: object, position: int) -> None:
        """A field of that name that means something else is kept under another one."""
        fields = [("eliot:degraded", foreign), ("big", 2**64)]
        message = dict(fields[::-1] if position else fields)
        name = f"eliot:degraded ({type(foreign).__name__})"
        line, marks = second_way(message)

        assert {name: foreign, "big": str(2**64), "eliot:degraded": marks} == strict(line)
        assert b'{"eliot:degraded":[1]}' == dumps_anyway({"eliot:degraded": [1]})

    def test_are_not_taken_for_others(self) -> None:
        """A name that only looks the same as text is another one."""
        line, marks = second_way({b"eliot:degraded": 1})
        name = "eliot:degraded (bytes)"

        assert {name: f"{NO_TEXT_KEY}; {EQUAL_KEYS}"} == marks
        assert {name: 1, "eliot:degraded": marks} == strict(line)

    def test_need_no_other_field(self) -> None:
        """A message that is empty can be marked, too."""

        class Message(Dict[str, int]):
            pass

        def encoder(_: object) -> None:
            raise ValueError

        registered = {Message: encoder}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("eliot._jsonable._REGISTERED", registered)
            line, marks = second_way(Message())

        assert {"": FAILED_CONVERSION} == marks
        assert {"eliot:degraded": marks} == strict(line)


@pytest.mark.heavy
class TestLimits:
    """What is too large."""

    def test_text_is_cut(self) -> None:
        """A text that is too long says how long it was; the others are kept."""
        text = "x" * 100_000_000
        written = strict(encode({"a": "y" * 5_000, "text": text, "z": "z" * 1_000_000}))
        expected = f"{'x' * CUT_CHARACTERS}... (cut, 100000000 characters in all)"

        assert expected == written["text"]
        assert ("y" * 5_000, "z" * 1_000_000) == (written["a"], written["z"])
        assert {"text": TOO_LARGE} == written["eliot:degraded"]

    def test_texts_are_counted_together(self) -> None:
        """Many texts are no way around it; the beginning of each is kept."""
        written = strict(encode({"texts": ["x" * CUT_CHARACTERS] * 12, "short": "s" * SHORT_TEXT}))
        cut = f"{'x' * SHORT_TEXT}... (cut, {CUT_CHARACTERS} characters in all)"

        assert ["x" * CUT_CHARACTERS] * 10 + [cut] * 2 == written["texts"]
        assert "s" * SHORT_TEXT == written["short"]

    def test_short_texts_are_counted_together(self) -> None:
        """Not even many short ones are a way around it."""
        line = encode({"texts": ["x" * SHORT_TEXT] * (MAX_CHARACTERS // SHORT_TEXT + 9)})

        assert f"{'x' * TINY_TEXT}... (cut, 1000 characters in all)" == strict(line)["texts"][-1]
        assert MAX_CHARACTERS - SHORT_TEXT < line.count(b"x") < MAX_CHARACTERS + SHORT_TEXT

    @pytest.mark.parametrize("make", [list, tuple, set, lambda numbers: [*numbers, 2**64]])
    def test_container_is_cut(self, make: Callable[[Any], Any]) -> None:
        """The last element of a container that was cut says how many there were."""
        value = make(range(1_000_000))
        note = f"... (cut, {len(value)} elements in all)"
        written = strict(encode({"value": value, "z": [1]}))

        assert [*range(CUT_ELEMENTS), note] == written["value"]
        assert {"z": [1], "eliot:degraded": {"value": TOO_LARGE}} == {
            name: written[name] for name in ("z", "eliot:degraded")
        }

    def test_dictionary_is_cut(self) -> None:
        """So does the last member of a dictionary."""
        value = {**{str(number): number for number in range(MAX_ELEMENTS + 1)}, "...": 1}
        written = strict(encode({"value": value}))["value"]

        assert CUT_ELEMENTS + 1 == len(written)
        assert {"...": f"(cut, {MAX_ELEMENTS + 2} members in all)"} == {"...": written["..."]}

    def test_nesting_is_no_way_around(self) -> None:
        """All containers of a message are counted together, and later fields have room left."""
        value: Any = 1
        for _ in range(40):
            value = [value, value]
        line, marks = second_way({"value": value, "z": list(range(RESERVED_ELEMENTS))})

        assert {"value": TOO_LARGE} == marks
        assert len(line) < 30 * MAX_ELEMENTS
        assert list(range(RESERVED_ELEMENTS)) == strict(line)["z"]

    def test_fields_are_cut(self) -> None:
        """A message of too many fields keeps what makes it a message."""
        fields = {f"f{number}": number for number in range(MAX_ELEMENTS + 1)}
        identity = {"task_uuid": "u", "task_level": [1], "timestamp": 1.5, "message_type": "m"}
        written = strict(encode({**fields, **identity}))

        assert identity == {name: written[name] for name in identity}
        assert {"...": TOO_LARGE} == written["eliot:degraded"]
        assert f"(cut, {len(fields) + 4} members in all)" == written["..."]

    def test_identity_is_kept(self) -> None:
        """However large other fields are, there is room for the place of the message."""
        level = list(range(1, 5_000))
        message = {"x": [[1]] * MAX_ELEMENTS, "task_level": level, "task_uuid": "u" * 5_000}
        written = strict(second_way({"t": "x" * MAX_CHARACTERS, **message})[0])

        assert (level, "u" * 5_000) == (written["task_level"], written["task_uuid"])

    def test_bytes_are_cut_between_characters(self) -> None:
        """Bytes say how many there were, and no half character is left."""
        euro = "\u20ac"
        data = (euro * 4_000_000).encode()
        text = f"{euro * (CUT_CHARACTERS // 3)}... (cut, 12000000 bytes in all)"

        assert [text, "abc" * 2] == strict(encode([data, b"abcabc"]))
        assert f"{'a' * CUT_CHARACTERS}... (cut, 12000000 bytes in all)" == strict(
            encode(memoryview(b"ab" * 12_000_000)[::2])
        )

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            (b"," * SURELY_SMALL, False),
            (b"x" * (SURELY_SMALL + 1), False),
            (b"," * MAX_ELEMENTS + b"x" * MAX_ELEMENTS + b"x", True),
            (b"[{" * MAX_ELEMENTS + b"x", True),
            (b"x" * (MAX_CHARACTERS + 1), True),
        ],
    )
    def test_are_noticed(self, line: bytes, expected: bool) -> None:
        """The fast way looks closer at long lines with many elements, and at very long ones."""
        assert expected is too_large(line)

    def test_are_the_same_for_both_ways(self) -> None:
        """A line that is large, but not too large, is written alike."""
        message = {"text": "," * 2_000_000, "list": [[1, 2]] * 100_000}

        assert encode(message) == dumps_anyway(message)
        assert {} == second_way(message)[1]


class TestReentry:
    """Code of the program that logs while it converts."""

    @pytest.mark.parametrize("default", [json_default, repr])
    @pytest.mark.parametrize("broken", [False, True])
    def test_has_an_end(self, default: Any, broken: bool) -> None:
        """An object whose `repr` logs the object itself is cut, and said to be."""
        lines: list[Any] = []

        class Chatty:
            def __repr__(self) -> str:
                lines.append(strict(encode({"me": self}, default)))
                if broken:
                    raise ValueError
                return "chatty"

        lines.append(strict(encode({"me": Chatty()}, default)))

        assert {
            "me": "<Chatty logged by its own conversion>",
            "eliot:degraded": {"me": REENTERED},
        } == lines[0]
        assert broken or len(lines) == REENTRIES + 1
        assert (UNKNOWN if broken else "chatty") == lines[-1]["me"]

    def test_does_not_mark_others(self) -> None:
        """What is degraded in a message is marked there, and not in the one around it."""
        inner: list[Any] = []

        class Chatty:
            def __repr__(self) -> str:
                inner.append(strict(encode({"it": Hostile()})))
                return "chatty"

        assert {"me": "chatty"} == strict(encode({"me": Chatty()}))
        assert [{"it": UNKNOWN, "eliot:degraded": {"it": NO_TEXT}}] == inner


class TestInterruption:
    """Exceptions that are not of the kind `Exception`."""

    @pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
    def test_passes(self, interruption: type[BaseException]) -> None:
        """A program that is interrupted while a value is converted is interrupted."""

        def default(_: object) -> None:
            raise interruption

        with pytest.raises(interruption):
            encode({"x": {1}}, default)
        assert b'{"x":[1]}' == encode({"x": {1}})

    def test_passes_in_the_second_way(self) -> None:
        """It makes no difference where that is."""

        def default(_: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            dumps_anyway({"x": {1}}, default)
        assert b'{"1":[1]' == encode({1: {1}})[:8]


class TestFastDefault:
    """`fast_default`."""

    def test_converts(self) -> None:
        """It converts as the function does, and is nothing where that is nothing."""
        convert = fast_default(json_default)

        assert convert
        assert [1] == convert({1})
        assert fast_default(None) is None

    def test_refuses_what_is_broken(self) -> None:
        """An object that cannot say what it is does not pass."""
        convert = fast_default(json_default)

        assert convert
        with pytest.raises(ValueError, match=r"repr\(\) failed"):
            convert(Hostile())
        assert UNKNOWN == json_default(Hostile())

    def test_is_a_value(self) -> None:
        """Two that are made from the same function are equal, so that destinations can be."""
        assert fast_default(json_default) == fast_default(json_default)
        assert fast_default(json_default) != fast_default(repr)


class TestEncode:
    """`encode`: one way, or the other."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ({"x": {1}}, b'{"x":[1]}'),
            ([{"x": {1}, 1: 2**64}], b'[{"x":[1],"1":"18446744073709551616"}]'),
        ],
    )
    def test_takes_anything(self, value: object, expected: bytes) -> None:
        """It is fast where that works, and never fails."""
        assert expected == encode(value)

    def test_asks_the_default_function(self) -> None:
        """The caller's function comes first."""
        assert b'["D"]' == encode([{1}], lambda _: "D")


class TestCheckEncodable:
    """`check_encodable`."""

    @pytest.mark.parametrize(
        "value", [{"x": 2**70}, {1: 2}, {"x": "\ud800"}, {"x": nested(300)}, {"x": {1}}]
    )
    def test_accepts_what_is_degraded(self, value: object) -> None:
        """What no default function is asked for is not its fault."""
        check_encodable(value, json_default)

    @pytest.mark.parametrize("default", [None, lambda o: o, lambda _: 1 / 0])
    def test_complains_about_functions(self, default: Any) -> None:
        """A function that refuses a value, or returns it as it is, is told so."""
        with pytest.raises(TypeError):
            check_encodable({"x": {1}}, default)

    def test_survives_hostile_errors(self) -> None:
        """An exception that has no text is an error like others."""

        class Wordless(Exception):
            def __str__(self) -> str:
                raise ValueError

        def default(_: object) -> None:
            raise Wordless

        with pytest.raises(TypeError, match="eliot: unknown"):
            check_encodable({"x": {1}}, default)


class TestDefaultFunction:
    """`default_function`."""

    @pytest.mark.parametrize("default", [None, json_default, repr])
    def test_is_the_function(self, default: Any) -> None:
        """Without an encoder it is the function that was given."""
        assert default is default_function(None, default, stacklevel=2)

    def test_is_that_of_the_encoder(self) -> None:
        """An encoder class is deprecated; its method `default` is used."""

        class Encoder(json.JSONEncoder):
            def default(self, o: Any) -> Any:
                return f"E:{o}"

        with pytest.warns(DeprecationWarning, match="JSON encoder subclass is no longer supported"):
            default = default_function(Encoder, json_default, stacklevel=2)

        assert default
        assert "E:1" == default(1)

    def test_cannot_be_both(self) -> None:
        """An encoder and a function of one's own contradict each other."""
        message = "Can't pass in both encoder and default function"

        with pytest.warns(DeprecationWarning, match="JSON"), pytest.raises(
            RuntimeError, match=message
        ):
            default_function(EliotJSONEncoder, repr, stacklevel=2)

    def test_can_be_called(self) -> None:
        """A mode in the place of the encoder is an error that says so."""
        wrong: Any = "w"
        with pytest.raises(TypeError, match=r"^'w' is no class of JSON encoders; .* a mode is not"):
            default_function(wrong, json_default, stacklevel=2)


def test_orjson_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it cannot be imported, the standard way does all, with the same result."""
    monkeypatch.setitem(sys.modules, "orjson", None)

    assert b'{"x":[1]}' == encode({"x": {1}})
