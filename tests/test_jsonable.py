"""What becomes of values that JSON lacks."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections import ChainMap, Counter, OrderedDict, UserDict, deque
from dataclasses import InitVar, dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, EnumMeta, Flag, IntEnum
from fractions import Fraction
from io import BytesIO, StringIO
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType, ModuleType
from typing import Any, Callable, ClassVar, NamedTuple, Tuple
from uuid import UUID

import pytest

from eliot import FileDestination, _jsonable, register_json_encoder
from eliot._fields import FAILED_CONVERSION
from eliot._jsonable import UNSUPPORTED, json_default, native
from eliot._safe import UNKNOWN
from eliot.json import dumps_anyway, encode

UTC = timezone.utc


class Color(Enum):
    """An enum."""

    RED = "r"


class Permission(Flag):
    """An enum of flags."""

    READ = 1
    WRITE = 2


class Level(IntEnum):
    """An enum whose members are integers."""

    LOW = 1


class Shout(str, Enum):
    """An enum whose members are texts."""

    HEY = "hey!"


class OtherMeta(EnumMeta):
    """A metaclass that orjson does not know."""


class Other(Enum, metaclass=OtherMeta):
    """An enum that orjson does not know."""

    ONE = 1


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: int


@dataclass
class Account:
    """A dataclass with everything that is no field to be logged."""

    owner: str
    seed: InitVar[int] = 0
    kind: ClassVar[str] = "account"
    _secret: str = "xyz"


class Savings(Account):
    """A subclass that is no dataclass itself."""


@dataclass
class Slotted:
    """A dataclass without a dictionary."""

    __slots__ = ("_b", "a")
    a: int
    _b: int


@dataclass
class Registry(dict):  # type: ignore[type-arg] # mypy knows no generic dictionaries in 3.8
    """A dataclass that is a dictionary all the same."""

    name: str = "n"


class Moment(datetime):
    """A subclass of what orjson converts."""


class Half(float):
    """A subclass of what JSON has."""


class Located:
    """Something that has a path."""

    def __init__(self, path: str | bytes) -> None:
        self._path = path

    def __fspath__(self) -> str | bytes:
        return self._path


class Hostile:
    """An object that fails in every way."""

    def __fspath__(self) -> str:
        raise ValueError("no")

    def __repr__(self) -> str:
        raise ValueError("no")


class Magic:
    """An object that has every attribute."""

    def __getattr__(self, name: str) -> str:
        return name

    def __repr__(self) -> str:
        return "<Magic>"


class Unknown:
    """An object of a type that nobody knows."""

    def __repr__(self) -> str:
        return "<Unknown>"


def function() -> None:
    """Stand for functions."""


VALUES: list[tuple[object, object]] = [
    (datetime(2024, 1, 2, 3, 4, 5, 6), "2024-01-02T03:04:05.000006"),  # noqa: DTZ001 - naive
    (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), "2024-01-02T03:04:05+00:00"),
    (Moment(2024, 1, 2, 3), "2024-01-02T03:00:00"),
    (date(2024, 1, 2), "2024-01-02"),
    (time(12, 0, 1, 5), "12:00:01.000005"),
    (time(12, tzinfo=UTC), "12:00:00+00:00"),
    (timedelta(minutes=2), 120.0),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Color.RED, "r"),
    (Permission.READ | Permission.WRITE, 3),
    (Level.LOW, 1),
    (Shout.HEY, "hey!"),
    (Other.ONE, 1),
    (Account("ada", seed=7), {"owner": "ada"}),
    (Savings("ada", seed=7), {"owner": "ada"}),
    (Slotted(1, 2), {"a": 1}),
    (Point(1, 2), {"x": 1, "y": 2}),
    (type("Pair", (tuple,), {})((1, 2)), [1, 2]),
    (Half(0.5), 0.5),
    (1 + 2j, {"real": 1.0, "imag": 2.0}),
    (b"caf\xc3\xa9", "caf\u00e9"),
    (b"\xff", "\\xff"),
    (bytearray(b"a"), "a"),
    (memoryview(b"a"), "a"),
    ({1}, [1]),
    (frozenset([1]), [1]),
    (deque([1, 2]), [1, 2]),
    (OrderedDict(a=1), {"a": 1}),
    (Counter("aa"), {"a": 2}),
    (ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
    (MappingProxyType({"a": 1}), {"a": 1}),
    (UserDict({"a": 1}), {"a": 1}),
    (Decimal("1.10"), "1.10"),
    (Fraction(1, 2), "1/2"),
    (Path("a/b"), str(Path("a/b"))),
    (PurePosixPath("a/b"), "a/b"),
    (PureWindowsPath("a/b"), "a\\b"),
    (Located("a/b"), "a/b"),
    (Located(b"a/b"), "a/b"),
    (ip_address("127.0.0.1"), "127.0.0.1"),
    (ip_network("::/64"), "::/64"),
    (ip_interface("10.0.0.1/8"), "10.0.0.1/8"),
    (ValueError("no"), "builtins.ValueError: no"),
    (int, "builtins.int"),
    (Color, f"{__name__}.Color"),
    (len, "builtins.len"),
    (function, f"{__name__}.function"),
    (Magic().__repr__, f"{__name__}.Magic.__repr__"),
    ([].append, re.compile("<built-in method append of list object at|<bound method list.append")),
    (range(3), "range(0, 3)"),
    (re.compile("x"), "re.compile('x')"),
    (os, re.compile("<module 'os' ")),
    (Unknown(), "<Unknown>"),
    (Magic(), "<Magic>"),
    (object(), re.compile("<object object at 0x")),
    (Hostile(), UNKNOWN),
]


def as_logged(value: object) -> Any:
    """Convert a value as destinations do."""
    return json.loads(encode(value))


def without_orjson(value: object) -> Any:
    """Convert a value as destinations do where there is no orjson."""
    return json.loads(dumps_anyway(value, json_default))


class TestValues:
    """Every kind of value."""

    @pytest.mark.parametrize("convert", [as_logged, without_orjson])
    @pytest.mark.parametrize(("value", "expected"), VALUES)
    def test_becomes_json(
        self, convert: Callable[[object], Any], value: object, expected: Any
    ) -> None:
        """Values become what a reader would expect of them; nothing is refused."""
        [converted] = convert([value])

        if isinstance(expected, re.Pattern):
            assert expected.match(converted)
        else:
            assert expected == converted

    @pytest.mark.parametrize("convert", [as_logged, without_orjson])
    def test_shows_what_a_dataclass_holds(self, convert: Callable[[object], Any]) -> None:
        """Attributes that were added or deleted count as orjson counts them."""
        account = Account("ada")
        account.extra = 1  # type: ignore[attr-defined] # that is the point
        del account.owner

        assert [{"extra": 1}] == convert([account])

    def test_survives_empty_slots(self) -> None:
        """A dataclass that is not complete shows what it has."""
        slotted = Slotted.__new__(Slotted)

        assert {} == json_default(slotted)

    @pytest.mark.parametrize("convert", [as_logged, without_orjson])
    def test_prefers_json_to_dataclasses(self, convert: Callable[[object], Any]) -> None:
        """A dataclass that is a dictionary is one."""
        registry = Registry()
        registry["a"] = 1

        assert [{"a": 1}] == convert([registry])

    def test_takes_attrs_classes(self) -> None:
        """They become dictionaries as dataclasses do."""
        attr = pytest.importorskip("attr", reason="no attrs on this interpreter")
        cls = attr.make_class("cls", ["name", "_secret"])

        assert {"name": "ada"} == json_default(cls("ada", secret="xyz"))


class TestJSONDefault:
    """`json_default`."""

    @pytest.mark.parametrize(
        ("value", "expected"), [(None, "None"), ("x", "'x'"), ([1], "[1]"), (1, "1")]
    )
    def test_describes_what_needs_no_conversion(self, value: object, expected: str) -> None:
        """It is not made for values that JSON has, and gives their `repr`."""
        assert expected == json_default(value)

    def test_converts_one_step(self) -> None:
        """What is inside is converted later."""
        assert [Color.RED] == json_default({Color.RED})

    @pytest.mark.parametrize("stub", [None, ModuleType("numpy")])
    def test_survives_stubs(self, monkeypatch: pytest.MonkeyPatch, stub: object) -> None:
        """What stands in for a library, as in tests of programs, does no harm."""
        for library in ("numpy", "pandas", "polars", "pydantic"):
            monkeypatch.setitem(sys.modules, library, stub)

        assert [1] == json_default({1})

    def test_imports_nothing(self) -> None:
        """Libraries that the program has not imported stay so."""
        program = (
            "import sys; from eliot.json import json_default; json_default(object());"
            "print(*{'numpy', 'pandas', 'polars', 'pydantic', 'dataclasses'} & {*sys.modules})"
        )
        loaded = subprocess.run(
            [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE
        ).stdout

        assert b"" == loaded.strip()


class TestNative:
    """`native`."""

    @pytest.mark.parametrize(
        "value", [None, "a", 1, [1], object(), Moment(2024, 1, 1), Savings("a"), Other.ONE, {1}]
    )
    def test_leaves_other_values_alone(self, value: object) -> None:
        """What orjson does not convert, or has no need to, is left to others."""
        assert UNSUPPORTED is native(value)
        assert "UNSUPPORTED" == repr(UNSUPPORTED)


class TestNumPy:
    """NumPy."""

    @pytest.fixture
    def np(self) -> Any:
        """Import it."""
        return pytest.importorskip("numpy", reason="no numpy on this interpreter")

    def test_scalars(self, np: Any) -> None:
        """Scalars become numbers, exactly."""
        values = [
            np.float64(0.5),
            np.float32(0.5),
            np.float16(0.5),
            np.longdouble(0.5),
            np.int8(-1),
            np.uint64(2**64 - 1),
            np.bool_(True),
            np.complex128(1 + 2j),
            np.complex64(1 + 2j),
            np.float64("nan"),
            np.str_("a"),
            np.bytes_(b"a"),
        ]
        z = {"real": 1.0, "imag": 2.0}

        expected = [0.5, 0.5, 0.5, 0.5, -1, 2**64 - 1, True, z, z, None, "a", "a"]
        assert expected == as_logged(values) == without_orjson(values)

    def test_times(self, np: Any) -> None:
        """Dates and durations become text."""
        values = [np.datetime64("2024-01-02T03"), np.timedelta64(3, "s")]
        expected = ["2024-01-02T03", "3 seconds"]

        assert expected == as_logged(values) == without_orjson(values)
        assert ["2024-01-02T03"] == as_logged(np.array(values[:1]))
        assert ["3"] == [text.split()[0] for text in as_logged(np.array(values[1:]))]

    def test_arrays(self, np: Any) -> None:
        """Arrays become nested lists."""
        values = [np.zeros((2, 2)), np.array(7), np.array([]), np.array([1 + 2j]), np.array([{1}])]
        expected = [[[0, 0], [0, 0]], 7, [], [{"real": 1.0, "imag": 2.0}], [[1]]]

        assert expected == as_logged(values) == without_orjson(values)

    def test_large_arrays(self, np: Any) -> None:
        """Of a large array only the beginning is kept."""
        side = int(10_000**0.5)

        assert side == len(json_default(np.zeros((side, side))))
        assert {
            "array_start": [*range(10_000)],
            "original_shape": [2, 10_000],
            "dtype": "int64",
        } == json_default(np.arange(2 * 10_000, dtype=np.int64).reshape((2, -1)))

    def test_keys(self, np: Any) -> None:
        """Scalars can be keys."""
        assert [{"1": 2, "0.5": 3}] == as_logged([{np.int64(1): 2, np.float64(0.5): 3}])

    def test_others(self, np: Any) -> None:
        """What else there is becomes text."""
        assert isinstance(json_default(np.random.default_rng()), str)

    def test_only_if_imported(self, np: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the library, its values are like any other."""
        monkeypatch.delitem(sys.modules, "numpy")

        assert repr(np.int64(1)) == json_default(np.int64(1))


class TestPandas:
    """The library pandas."""

    @pytest.fixture
    def pd(self) -> Any:
        """Import it."""
        return pytest.importorskip("pandas", reason="no pandas on this interpreter")

    def test_values(self, pd: Any) -> None:
        """Values become text, lists and dictionaries."""
        values = [
            pd.Timestamp("2024-01-02T03:04:05"),
            pd.NaT,
            pd.NA,
            pd.Timedelta(minutes=2),
            pd.Interval(0, 1),
            pd.Period("2024-01"),
            pd.Series([1, 2]),
            pd.DataFrame({"a": [1, 2], 3: ["x", pd.Timestamp("2024-01-02")]}),
        ]
        expected = [
            "2024-01-02T03:04:05",
            "NaT",
            None,
            120.0,
            {"left": 0, "right": 1, "closed": "right"},
            "2024-01",
            [1, 2],
            [{"a": 1, "3": "x"}, {"a": 2, "3": "2024-01-02T00:00:00"}],
        ]

        assert expected == as_logged(values) == without_orjson(values)


class TestPolars:
    """The library polars."""

    def test_values(self) -> None:
        """Values become lists and dictionaries."""
        pl = pytest.importorskip("polars", reason="no polars on this interpreter")
        values = [pl.Series([1, 2]), pl.DataFrame({"a": [1, 2]})]
        expected = [[1, 2], [{"a": 1}, {"a": 2}]]

        assert expected == as_logged(values) == without_orjson(values)
        assert isinstance(json_default(pl.DataFrame({"a": [1]}).lazy()), str)


class TestPydantic:
    """The library pydantic."""

    def test_models(self) -> None:
        """Models become dictionaries, their values are converted in turn."""
        pydantic = pytest.importorskip("pydantic", reason="no pydantic on this interpreter")
        model = pydantic.create_model("model", path=(Path, ...), colors=(set, ...))
        values = [model(path="a", colors={Color.RED})]

        assert [{"path": "a", "colors": ["r"]}] == as_logged(values) == without_orjson(values)

    def test_old_models(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So do those of its first version."""

        class BaseModel:
            def dict(self) -> dict[str, int]:
                return {"a": 1}

        pydantic: Any = ModuleType("pydantic")
        pydantic.BaseModel = BaseModel
        monkeypatch.setitem(sys.modules, "pydantic", pydantic)

        assert {"a": 1} == json_default(BaseModel())
        assert [1] == json_default({1})


class Money:
    """A class of the program."""

    def __init__(self, cents: int) -> None:
        self.cents = cents


class Dollars(Money):
    """A more derived one."""


@dataclass
class Spot:
    """Something that orjson converts without asking."""

    x: int
    y: int


class Loud(str):  # noqa: SLOT000 - as programs do
    """Something that orjson takes for text."""


@pytest.fixture
def _fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jsonable, "_REGISTERED", {})
    for flag in ("some", "askable", "hidden"):
        monkeypatch.setattr(_jsonable.overridden, flag, False)


def in_a_file(value: Any, **arguments: Any) -> Any:
    """Log a value to files of both kinds; return what is there."""
    binary, text = BytesIO(), StringIO()
    FileDestination(binary, **arguments)({"value": value})
    FileDestination(text, **arguments)({"value": value})

    assert binary.getvalue().decode("utf-8") == text.getvalue()
    return json.loads(text.getvalue())["value"]


@pytest.mark.usefixtures("_fresh_registry")
class TestRegisterJSONEncoder:
    """Programs say how instances of their classes look in the log."""

    def test_class_and_subclasses(self) -> None:
        """The encoder holds for subclasses, too, unless one of them has its own."""
        register_json_encoder(Money, lambda money: {"cents": money.cents})

        assert [{"cents": 1}, {"cents": 2}] == in_a_file([Money(1), Dollars(2)])

        register_json_encoder(Dollars, lambda dollars: f"${dollars.cents / 100}")
        assert [{"cents": 1}, "$0.02"] == in_a_file([Money(1), Dollars(2)])

    def test_registering_again_replaces(self) -> None:
        """The last encoder counts."""
        register_json_encoder(Money, lambda _: 1)
        register_json_encoder(Money, lambda _: 2)

        assert 2 == in_a_file(Money(1))

    def test_what_it_returns_is_converted(self) -> None:
        """The result may need conversion in turn."""
        register_json_encoder(Money, lambda money: [Dollars(money.cents), Path("a")])
        register_json_encoder(Dollars, lambda _: "dollars")

        assert ["dollars", "a"] == in_a_file(Money(1))

    def test_beside_a_default_function(self) -> None:
        """A function of the destination that calls json_default last leaves it in force."""
        register_json_encoder(Money, lambda money: money.cents)

        def default(o: Any) -> Any:
            return "set" if isinstance(o, set) else json_default(o)

        assert [1, "set"] == in_a_file([Money(1), {1}], json_default=default)

    def test_failing_encoder(self) -> None:
        """An encoder that fails costs nothing but itself."""
        register_json_encoder(Money, lambda _: 1 / 0)
        register_json_encoder(Spot, lambda _: 1 / 0)

        assert b'{"x":1,"y":2}' == dumps_anyway(Spot(1, 2))
        assert [True, {"x": 1, "y": 2}] == in_a_file(
            [in_a_file(Money(1)).startswith("<"), Spot(1, 2)]
        )

    def test_beyond_orjson(self) -> None:
        """Classes that orjson converts without asking can be registered, too."""
        register_json_encoder(Spot, lambda spot: [spot.x, spot.y])
        register_json_encoder(Loud, lambda text: text.upper())
        other = dataclasses.make_dataclass("other", [("z", int)])

        class Whisper(str):  # noqa: SLOT000 - as programs do
            pass

        assert [[1, 2], "HEY", {"z": 3}, "hey", {"k": [0]}] == in_a_file(
            [Spot(1, 2), Loud("hey"), other(3), Whisper("hey"), OrderedDict(k=[0])]
        )

    def test_hidden_from_orjson(self) -> None:
        """So can enums, dates, times and UUIDs; the rest stays as it was."""
        register_json_encoder(Color, lambda color: color.name)
        register_json_encoder(date, lambda day: day.year)

        assert ["RED", 2024, 2024, [1.5, None, "x"]] == in_a_file(
            [Color.RED, date(2024, 1, 2), datetime(2024, 1, 2), (1.5, None, "x")]  # noqa: DTZ001
        )

    @pytest.mark.parametrize(
        ("cls", "encoder", "complaint"),
        [
            ("Money", str, "'Money' is no class"),
            (str, str, "str cannot be registered"),
            (object, str, "object cannot be registered"),
            (Money, "text", "'text' cannot be called"),
        ],
    )
    def test_mistakes(self, cls: Any, encoder: Any, complaint: str) -> None:
        """Wrong arguments are errors that name them."""
        with pytest.raises(TypeError, match=complaint):
            register_json_encoder(cls, encoder)


class TestHostileSubclasses:
    """Instances of subclasses whose own methods cannot be used."""

    @pytest.mark.parametrize(
        ("base", "arguments", "expected"),
        [
            (set, [{1}], [1]),
            (frozenset, [{1}], [1]),
            (tuple, [(1, 2)], [1, 2]),
            (deque, [[1, 2]], [1, 2]),
            (float, [-0.5], -0.5),
            (bytes, [b"ab"], "ab"),
            (bytearray, [b"ab"], "ab"),
            (str, ["ab"], "ab"),
            (int, [7], 7),
            (list, [[1]], [1]),
            (dict, [{"a": 1}], {"a": 1}),
        ],
    )
    def test_are_written_by_their_contents(self, base: Any, arguments: Any, expected: Any) -> None:
        """What they hold is written, whatever they say that it is."""

        def fail(*_: object) -> None:
            raise ValueError

        names = ["__iter__", "__len__", "__float__", "__int__", "__str__", "__bytes__", "__repr__"]
        names += ["items", "keys", "__getitem__", "__add__", "copy", "__pos__", "__contains__"]
        value = type("Own", (base,), dict.fromkeys(names, fail))(*arguments)

        assert expected == json_default(value)
        assert {"x": expected} == as_logged({"x": value}) == without_orjson({"x": value})

    def test_lie(self) -> None:
        """A conversion that gives something else than it should is none."""

        class Timeless(datetime):
            def isoformat(self, sep: str = "", timespec: str = "") -> Any:
                return 7

            def __repr__(self) -> str:
                return "timeless"

        class Fieldless(Tuple[int]):
            __slots__ = ()

            def _asdict(self) -> Any:
                return 7

        assert ["timeless", "(1,)"] == [
            json_default(Timeless(2024, 1, 1)),
            json_default(Fieldless([1])),
        ]
        assert {"x": FAILED_CONVERSION} == as_logged({"x": Fieldless([1])})["eliot:degraded"]

    def test_keep_their_other_attributes(self) -> None:
        """An attribute that cannot be had does not cost those that can."""
        attr = pytest.importorskip("attr")

        @attr.s
        class Partial:
            a = attr.ib(default=1)
            b = attr.ib(default=2)

            def __getattribute__(self, name: str) -> Any:
                if name == "b":
                    raise ValueError
                return super().__getattribute__(name)

        assert {"a": 1, "b": UNKNOWN} == json_default(Partial())
