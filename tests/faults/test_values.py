"""No value costs a message: whatever is logged comes back, and what could not be kept is marked."""

from __future__ import annotations

import ctypes
import enum
import io
import json
import sys
import weakref
from abc import ABCMeta
from collections import OrderedDict, UserDict, UserList, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from itertools import count
from pathlib import PurePosixPath
from threading import Event, Thread
from types import MappingProxyType
from typing import Any, Callable, Dict, Iterator, List, NoReturn, Tuple, Type
from unittest.mock import MagicMock, Mock, sentinel

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eliot._fields import BIG_INTEGER, DEGRADED_FIELD, FAILED_CONVERSION, TOO_DEEP, TOO_LARGE
from eliot._safe import UNKNOWN
from eliot.json import MAX_DEPTH, encode, json_default, second_way
from eliot.parse import Parser

IDENTITY = {"task_uuid": "u", "task_level": [1], "timestamp": 1.5, "message_type": "m"}


def fail(*_: object, **__: object) -> NoReturn:
    """Be code of the program that fails."""
    raise ZeroDivisionError


def lie(*_: object, **__: object) -> Any:
    """Return what nobody expects: an object that is nothing in particular."""
    return Nothing()


def itself(o: object, *_: object, **__: object) -> Any:
    """Go round in circles."""
    return o


def recurse(*arguments: object, **__: object) -> Any:
    """Never come to an end."""
    return recurse(*arguments)  # without them, Python 3.13.0 misses the recursion limit


class Nothing:
    """An object that cannot be used for anything."""

    __repr__ = __str__ = fail


#: Methods and attributes that code in between may use, all of which may be overridden.
PROTOCOL = [
    *(
        "__repr__",
        "__str__",
        "__format__",
        "__bytes__",
        "__fspath__",
        "__hash__",
        "__eq__",
        "__lt__",
    ),
    *("__bool__", "__int__", "__float__", "__index__", "__add__", "__len__", "__length_hint__"),
    *("__iter__", "__next__", "__reversed__", "__contains__", "__getitem__", "__getattr__"),
    *("items", "keys", "values", "get", "copy", "encode", "decode", "value", "isoformat", "tolist"),
    *("_asdict", "total_seconds"),
]

#: What they may be on: the types that JSON and the encoder treat in a way of their own.
BASES: List[Any] = [
    *(object, str, int, float, list, dict, tuple, set, frozenset, bytes, bytearray, deque),
    *(complex, OrderedDict, UserDict, UserList, Exception, PurePosixPath),
]


def hostile_class(
    base: Any, names: Tuple[str, ...], behave: Callable[..., Any], *, by_class: bool
) -> Any:
    """Make a class whose methods of these names, or the same of its class, do something else."""
    # The class of an abstract class has a say in isinstance() of values that are not its own.
    if not by_class or isinstance(base, ABCMeta):
        return type("Hostile", (base,), dict.fromkeys(names, behave))
    meta = type("Meta", (type(base),), dict.fromkeys(set(names) - {"__getattr__"}, behave))
    return meta("Hostile", (base,), {})


def instance(cls: Any) -> Any:
    """Make an instance past whatever the class does on that."""
    try:
        return cls()
    except Exception:
        return Nothing()


def cyclic(values: List[Any]) -> Any:
    """Make a list and a dictionary that contain each other, and some values."""
    mapping: Dict[str, Any] = {"values": values}
    values.append({"mapping": mapping})
    return values


def nested(depth: int, innermost: object = 1) -> object:
    """Put a value into lists into lists."""
    for _ in range(depth):
        innermost = [innermost]
    return innermost


class Liar:
    """An object that says it is of another class."""

    def __init__(self, cls: Any) -> None:
        self._cls = cls

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, "_cls" if name == "__class__" else name)


class Reluctant:
    """An object that has no attributes."""

    __getattribute__ = fail


class Growing:
    """An object that changes the list that it is in while it is looked at."""

    def __init__(self, values: List[Any]) -> None:
        self._values = values

    def __repr__(self) -> str:
        self._values.append(1)
        return "growing"


def growing() -> List[Any]:
    """Make a list that grows while it is written."""
    values: List[Any] = []
    values += [Growing(values), 2]
    return values


class Broken(Mapping):  # type: ignore[type-arg] # there are no generic mappings in 3.8
    """A mapping whose parts fail."""

    __len__ = __iter__ = __getitem__ = fail


def dead_proxy() -> Any:
    """Make a weak reference that is dead."""
    return weakref.proxy(Nothing())


def object_array() -> Any:
    """Make a NumPy array that contains itself."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return cyclic([])
    array = numpy.empty(2, dtype=object)
    array[:] = [array, 2**70]
    return array


#: Values that are degraded whatever is around them.
DEGRADED: List[Callable[[], Any]] = [
    Nothing,
    lambda: 2**64,
    lambda: -(2**63) - 1,
    lambda: "a\ud800",
    lambda: {1: 2},
    lambda: {"\udfff": 1},
    lambda: {None: Nothing()},
    lambda: cyclic([]),
    lambda: nested(MAX_DEPTH + 10),
    lambda: ValueError(Nothing()),
    lambda: {b"": 0},
    lambda: {PurePosixPath("a"): 1, "a": 2},
    lambda: deque([Nothing()]),
    lambda: [{"deep": ({Nothing()},)}],
    Broken,
    Reluctant,
]

#: Values that have a conversion.
CONVERTED: List[Callable[[], Any]] = [
    object,
    lambda: float("nan"),
    lambda: float("-inf"),
    lambda: b"\xff",
    lambda: {1},
    lambda: deque([1, {2}]),
    lambda: memoryview(b"abcdef")[::2],
    lambda: (number for number in [1]),
    lambda: iter([1]),
    lambda: io.StringIO("text"),
    lambda: ctypes.c_int(1),
    ctypes.c_char * 3,
    lambda: sentinel.value,
    Mock,
    MagicMock,
    lambda: OrderedDict(a=UserDict(b=1)),
    lambda: weakref.proxy(Mock),
    # The orjson of older Pythons crashes on a list that changes while it is written.
    *([growing] if sys.version_info >= (3, 10) or sys.implementation.name == "pypy" else []),
]

#: Values of which all that can be said is that they must not do any harm.
OTHERS: List[Callable[[], Any]] = [
    *(partial(Liar, cls) for cls in BASES),
    *(partial(Mock, spec=cls) for cls in BASES),
    *(partial(MagicMock, spec=cls) for cls in BASES),
    dead_proxy,
    object_array,
]

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda values: (
        st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3)
    ),
    max_leaves=4,
)


class Recipe:
    """How a value is made: in the test, since Hypothesis looks at what it gives."""

    def __init__(self, make: Callable[..., Any], *arguments: Recipe) -> None:
        self.make: Callable[[], Any] = lambda: make(*(argument.make() for argument in arguments))


def made(makers: List[Callable[[], Any]]) -> st.SearchStrategy[Recipe]:
    """Make one of some values, anew each time."""
    return st.sampled_from([Recipe(make) for make in makers])


def containers(values: st.SearchStrategy[Recipe]) -> st.SearchStrategy[Recipe]:
    """Put values into lists, cycles, tuples and dictionaries."""
    several = st.lists(values, max_size=3)
    return st.builds(
        lambda make, recipes: Recipe(make, *recipes),
        st.sampled_from([as_list, as_tuple, as_dictionary, lambda *values: cyclic([*values])]),
        several,
    )


def as_list(*values: Any) -> Any:
    """Make a list."""
    return [*values]


def as_tuple(*values: Any) -> Any:
    """Make a tuple."""
    return values


def as_dictionary(*values: Any) -> Any:
    """Make a dictionary, whose keys are of all kinds."""
    return dict(zip(("a", 1, "\ud800"), values))


HOSTILE_CLASSES = st.builds(
    lambda base, names, behave, by_class: Recipe(
        lambda: hostile_class(base, tuple(names), behave, by_class=by_class)
    ),
    st.sampled_from(BASES),
    st.lists(st.sampled_from(PROTOCOL), min_size=1, max_size=6),
    st.sampled_from([fail, lie, itself, recurse]),
    st.booleans(),
)

HOSTILE = st.recursive(
    made(DEGRADED)
    | made(CONVERTED)
    | made(OTHERS)
    | HOSTILE_CLASSES
    | HOSTILE_CLASSES.map(lambda recipe: Recipe(instance, recipe)),
    containers,
    max_leaves=3,
)

MESSAGES = st.fixed_dictionaries(
    {"c": made(CONVERTED), "h": HOSTILE, "d": made(DEGRADED), "p": PLAIN}
)


def distinct(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """Read an object, and refuse one with equal keys."""
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def strictly_read(line: bytes) -> Any:
    """Read a line as strictly as the standard says, and as orjson does."""
    assert b"\n" not in line
    value = json.loads(line.decode("utf-8"), parse_constant=fail, object_pairs_hook=distinct)
    orjson = sys.modules.get("orjson")
    if orjson is not None:
        assert value == orjson.loads(line)
    return value


@given(MESSAGES)
@settings(settings.get_profile("many"))
def test_no_message_is_lost(fields: Dict[str, Any]) -> None:
    """
    Each message has its line of valid JSON, and the parser takes it.

    Plain fields come back as they were, and exactly those that were degraded are marked.
    """
    made = {name: fields[name].make() for name in "chd"}

    written = strictly_read(encode({**fields, **made, **IDENTITY}))
    [task] = Parser.parse_stream([written])
    marks = written.pop(DEGRADED_FIELD)

    assert task.is_complete()
    assert {"p": fields["p"], **IDENTITY} == {name: written[name] for name in ("p", *IDENTITY)}
    assert {*fields, *IDENTITY} == set(written)
    assert {"d"} <= set(marks) <= {"d", "h"}


class Endless(Mapping):  # type: ignore[type-arg] # there are no generic mappings in 3.8
    """A mapping without end."""

    def __getitem__(self, key: str) -> str:
        return key

    def __iter__(self) -> Iterator[str]:
        return map(str, count())

    def __len__(self) -> int:
        return fail()


def test_an_endless_mapping_is_cut() -> None:
    """A mapping whose members are made while one looks is not looked at for ever."""
    written = strictly_read(encode({"endless": Endless(), "z": 1}))

    assert "(cut, more than 500000 members in all)" == written["endless"]["..."]
    assert (1, {"endless": TOO_LARGE}) == (written["z"], written[DEGRADED_FIELD])


def test_a_large_mapping_says_its_size() -> None:
    """A mapping that is too large, and no dictionary, says how many members it has."""
    members = dict.fromkeys(map(str, range(600_000)))
    written = strictly_read(encode([MappingProxyType(members), UserDict(a=1)]))

    assert "(cut, 600000 members in all)" == written[0]["..."]
    assert {"a": 1} == written[1]


@pytest.mark.parametrize("encoder", [encode, lambda message: second_way(message)[0]])
def test_nothing_is_consumed(encoder: Callable[[Any], bytes]) -> None:
    """Generators, iterators and files are what they were, after they were logged."""
    generator = (number for number in (1, 2))
    iterator = iter([1, 2])
    text, data = io.StringIO("12"), io.BytesIO(b"12")
    values = [generator, iterator, map(int, iterator), zip(iterator), text, data]

    assert [repr(value) for value in values] == json.loads(encoder({"x": values}))["x"]
    assert [[1, 2], [1, 2], "12", b"12"] == [
        list(generator),
        list(iterator),
        text.read(),
        data.read(),
    ]


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_depth_costs_nothing(depth: int) -> None:
    """Structures of any depth are cut where orjson would give up, and so are those around them."""
    mapping: Any = {}
    for _ in range(depth):
        mapping = {"x": mapping}
    written = strictly_read(encode({"list": nested(depth), "mapping": mapping, "z": 1}))

    assert (1, {"list": TOO_DEEP, "mapping": TOO_DEEP}) == (written["z"], written[DEGRADED_FIELD])


@pytest.mark.parametrize("left", [25, 40, 100])
def test_little_stack_is_enough(left: int) -> None:
    """A program that has nearly reached the recursion limit still gets a line for what it logs."""
    lines: List[bytes] = []
    message = {"big": 2**64, "list": [[1, {"x": "\ud800"}]], "nothing": Nothing(), **IDENTITY}

    def descend(frames: int) -> None:
        if frames:
            descend(frames - 1)
        else:
            lines.append(encode(message))

    frame, frames = sys._getframe(), 0
    while frame.f_back:
        frame, frames = frame.f_back, frames + 1
    encode(message)  # imports orjson
    descend(sys.getrecursionlimit() - frames - left)

    written = strictly_read(lines[0])
    assert IDENTITY == {name: written[name] for name in IDENTITY}
    assert {"nothing"} <= set(written[DEGRADED_FIELD])


def test_an_unlimited_program_is_no_danger() -> None:
    """An object whose `repr` calls itself for ever costs no more than its own field."""

    class Recursive:
        __repr__ = __str__ = recurse

    written = strictly_read(encode({"x": Recursive(), "e": ValueError(Recursive()), "z": 1}))

    assert UNKNOWN == written["x"]
    assert (1, {"x", "e"}) == (written["z"], set(written[DEGRADED_FIELD]))


def test_other_threads_may_change_things() -> None:
    """A message that another thread changes all the time has a line each time."""
    shared: Dict[Any, Any] = {"x": 2**64}
    values: List[Any] = []
    stop = Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            shared[f"n{number % 100}"] = [number]
            shared.pop(f"n{(number + 50) % 100}", None)
            values.append(number)
            if number % 1000 == 0:
                del values[:]

    thread = Thread(target=change)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        lines = [encode({"shared": shared, "values": values, **IDENTITY}) for _ in range(200)]
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)

    for line in lines:
        written = strictly_read(line)
        assert str(2**64) == written["shared"]["x"]
        assert {"shared": BIG_INTEGER} == written[DEGRADED_FIELD]


class Unstable(enum.Enum):
    """An enum whose members have no value."""

    MEMBER = 1

    @property
    def value(self) -> Any:
        """Fail."""
        return fail()


@dataclass
class Slotted:
    """A dataclass with a field that cannot be had."""

    __slots__ = ("a", "b")
    a: int
    b: int

    def __getattribute__(self, name: str) -> Any:
        return fail() if name == "b" else object.__getattribute__(self, name)


class Nowhere(tzinfo):
    """A time zone that does not know its offset."""

    utcoffset = tzname = dst = fail

    def __repr__(self) -> str:
        return "Nowhere()"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Unstable.MEMBER, repr(Unstable.MEMBER)),
        (Slotted(1, 2), {"a": 1, "b": UNKNOWN}),
        (
            datetime(2024, 1, 2, tzinfo=Nowhere()),
            "datetime.datetime(2024, 1, 2, 0, 0, tzinfo=Nowhere())",
        ),
    ],
)
def test_native_values_that_fail(value: object, expected: object) -> None:
    """
    Values that orjson converts by itself are degraded in the second way.

    In the fast way they crash orjson 3.13, which does not expect that: see the reference.
    """
    line, marks = second_way({"value": value, "z": 1}, json_default)

    assert {"value": FAILED_CONVERSION} == marks
    assert {"value": expected, "z": 1, DEGRADED_FIELD: marks} == strictly_read(line)


@pytest.mark.parametrize("cls", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interruptions_pass(cls: Type[BaseException]) -> None:
    """Logging does not keep anybody from stopping the program."""

    class Interrupting:
        def __repr__(self) -> str:
            raise cls

    with pytest.raises(cls):
        encode({"x": Interrupting()})
    with pytest.raises(cls):
        second_way({"x": [Interrupting()]})
