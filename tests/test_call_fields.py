"""The fields of logged calls: which arguments are logged, and what else."""

from __future__ import annotations

import sys
from functools import cached_property, partial, partialmethod
from typing import Any, Callable, Dict, List, Mapping, Tuple

import pytest

import eliot
from eliot import log_call, log_message, start_action

Messages = List[Dict[str, Any]]

BUILT_IN = {"timestamp", "task_uuid", "task_level", "action_type", "action_status"}


@pytest.fixture
def log() -> Messages:
    """Collect what is logged by the default logger."""
    messages: Messages = []
    eliot.add_destinations(messages.append)
    return messages


def own(message: Mapping[str, Any]) -> Dict[str, Any]:
    """Leave out the fields that every start message has."""
    return {name: value for name, value in message.items() if name not in BUILT_IN}


class TestExcluded:
    """Arguments that are not to be logged."""

    def test_are_not_logged(self, log: Messages) -> None:
        """All others are."""

        @log_call(exclude_args=["password", "kw"])
        def login(user: str, password: str, **kw: int) -> None:
            pass

        login("ada", "1234", x=1)

        assert {"user": "ada"} == own(log[0])

    def test_besides_those_of_methods(self, log: Messages) -> None:
        """The object of a method is not logged in any case, and may be named."""

        class Site:
            @log_call(exclude_args=iter(["b"]))
            def one(self, a: int, b: int) -> None:
                pass

            @log_call(exclude_args={"self"})
            def other(self, a: int, b: int) -> None:
                pass

        Site().one(1, 2)
        Site().other(1, 2)

        assert [{"a": 1}, {"a": 1, "b": 2}] == [own(log[0]), own(log[2])]

    def test_none(self, log: Messages) -> None:
        """An empty choice leaves nothing out."""
        log_call(exclude_args=[])(lambda a: None)(1)

        assert {"a": 1} == own(log[0])


class TestClassParameter:
    """The first parameter of class methods."""

    def test_is_left_out_whatever_its_name(self, log: Messages) -> None:
        """From outside, it is certain which one it is."""

        def make(kind: Any, x: int) -> None:
            pass

        def make_any(*args: Any) -> None:
            pass

        class Kind:
            one: Any = log_call(classmethod(make))
            other: Any = log_call(classmethod(make_any))

        Kind.one(1)
        Kind.other(1)

        assert [{"x": 1}, {}] == [own(log[0]), own(log[2])]

    def test_is_known_by_name_in_a_class(self, log: Messages) -> None:
        """From inside, it is a first parameter `cls` of a function that is in a class."""

        class Kind:
            def __new__(cls, x: int) -> Kind:  # noqa: PYI034 - not of interest here
                return super().__new__(cls)

            __new__ = log_call(__new__)

            @classmethod
            @log_call
            def make(cls, x: int) -> Kind:
                return cls(x)

        Kind.make(1)

        assert [{"x": 1}, {"x": 1}] == [own(log[0]), own(log[1])]

    def test_is_any_other_elsewhere(self, log: Messages) -> None:
        """A function that has such a parameter without being in a class logs it."""
        log_call(lambda cls, x: None)(1, 2)

        class Kind:
            @log_call
            def method(self, cls: int) -> None:
                pass

        Kind().method(3)

        assert [{"cls": 1, "x": 2}, {"cls": 3}] == [own(log[0]), own(log[2])]

    def test_can_be_chosen(self, log: Messages) -> None:
        """Who names it gets it."""

        class Kind:
            @log_call(include_args=["cls"])
            @classmethod
            def make(cls) -> None:
                pass

        Kind.make()

        assert {"cls": Kind} == own(log[0])


class TestFields:
    """More fields."""

    def test_are_values(self, log: Messages) -> None:
        """They are in the start message of each call, beside the arguments."""

        @log_call(fields={"host": "web1", "port": None})
        def f(a: int) -> int:
            return a

        f(1)
        f(2)

        assert [
            {"a": 1, "host": "web1", "port": None},
            {"a": 2, "host": "web1", "port": None},
        ] == [own(log[0]), own(log[2])]
        assert {"result": 1} == own(log[1])

    @pytest.mark.parametrize(
        ("args", "kwargs"), [((1, [1, 2]), {}), ((1,), {"b": [1, 2]}), ((), {"b": [1, 2], "a": 1})]
    )
    def test_are_functions_of_the_arguments(
        self, log: Messages, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> None:
        """A function gets all arguments of the call by name, defaults and all; none is left out."""

        @log_call(
            include_args=["a"],
            fields={
                "length": lambda args: len(args["b"]),
                "names": lambda args: [*args],
                "c": lambda args: args["c"],
            },
        )
        def f(a: int, b: List[int], *rest: int, c: int = 3, **others: int) -> None:
            pass

        f(*args, **kwargs)

        assert {
            "a": 1,
            "length": 2,
            "names": ["a", "b", "rest", "c", "others"],
            "c": 3,
        } == own(log[0])

    def test_functions_of_methods(self, log: Messages) -> None:
        """The object of a method is among the arguments."""

        class Site:
            name = "home"

            @log_call(fields={"site": lambda args: args["self"].name})
            def visit(self) -> None:
                pass

        Site().visit()

        assert {"site": "home"} == own(log[0])

    def test_replace_arguments(self, log: Messages) -> None:
        """A field of the name of an argument is logged instead of it."""

        @log_call(fields={"data": lambda args: len(args.pop("data")), "password": "***"})
        def f(data: bytes, password: str, x: int = 0) -> int:
            return len(data)

        assert 3 == f(b"abc", "1234")
        assert {"data": 3, "password": "***", "x": 0} == own(log[0])

    def test_come_before_the_action(self, log: Messages) -> None:
        """What a function logs belongs to the caller."""

        def look(args: Dict[str, Any]) -> int:
            log_message("look")
            return 1

        with start_action(action_type="outer"):
            log_call(fields={"x": look})(lambda: None)()

        assert ["look", 1] == [log[1].get("message_type"), log[2].get("x")]
        assert [[2], [3, 1]] == [message["task_level"] for message in log[1:3]]

    def test_failing_function(self, log: Messages) -> None:
        """A function that fails costs its own field; the message says so, and the call goes on."""

        @log_call(fields={"size": lambda args: args["b"], "x": 1, "half": lambda args: 1 / 0})
        def f(a: int) -> int:
            return a

        assert 1 == f(1)
        assert {
            "a": 1,
            "size": "eliot: unknown, builtins.KeyError: 'b'",
            "x": 1,
            "half": "eliot: unknown, builtins.ZeroDivisionError: division by zero",
            "eliot:degraded": {
                "size": "function of the field failed",
                "half": "function of the field failed",
            },
        } == own(log[0])

    @pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
    def test_interrupted_function(self, interruption: Any) -> None:
        """What shall end the program does."""

        def interrupt(args: Dict[str, Any]) -> None:
            raise interruption

        with pytest.raises(interruption):
            log_call(fields={"x": interrupt})(lambda: None)()

    def test_wrong_call(self, log: Messages) -> None:
        """A wrong call asks no function."""
        asked: List[Any] = []
        f: Any = log_call(fields={"x": asked.append, "y": 1}, level="info")(lambda a: None)
        with pytest.raises(TypeError):
            f()

        assert ([], []) == (asked, log)

    def test_are_fixed(self, log: Messages) -> None:
        """What happens later to the mapping changes nothing."""
        fields = {"x": 1}
        f: Any = log_call(lambda: None, fields=fields)
        fields["y"] = 2
        f()

        assert {"x": 1} == own(log[0])


class TestLevel:
    """The level."""

    @pytest.mark.parametrize("given", ["debug", "DEBUG", 10])
    def test_is_a_field(self, log: Messages, given: Any) -> None:
        """The start message has the name of the level."""

        @log_call(level=given)
        def f(a: int) -> None:
            pass

        f(1)

        assert {"a": 1, "log_level": "debug"} == own(log[0])

    def test_argument_of_its_name(self, log: Messages) -> None:
        """An argument of that name gets another one; without a level, it is like any other."""
        log_call(lambda log_level: None, level="error")(1)
        log_call(lambda log_level: None)(1)

        assert [{"log_level_": 1, "log_level": "error"}, {"log_level": 1}] == [
            own(log[0]),
            own(log[2]),
        ]


class TestTask:
    """Calls that are tasks of their own."""

    def test_is_new(self, log: Messages) -> None:
        """A call is the root of a new tree, and what is inside belongs to that."""
        with start_action(action_type="outer") as outer:
            log_call(new_task=True)(lambda: log_message("inside"))()

            assert outer is eliot.current_action()

        assert [[1], [1], [2], [3], [2]] == [message["task_level"] for message in log]
        assert log[0]["task_uuid"] == log[4]["task_uuid"]
        assert {log[1]["task_uuid"]} == {message["task_uuid"] for message in log[1:4]}
        assert log[0]["task_uuid"] != log[1]["task_uuid"]


class TestNames:
    """Names of arguments that are taken."""

    def test_are_never_lost(self, log: Messages) -> None:
        """An argument that has the other name, too, keeps it."""
        log_call(lambda timestamp, timestamp_: None)(1, 2)

        assert {"timestamp__": 1, "timestamp_": 2} == own(log[0])

    def test_self_by_keyword(self, log: Messages) -> None:
        """Parameters of the names that Python's own functions use can be given by keyword."""

        @log_call
        def f(self: int, args: int, kwargs: int, f: int, cls: int = 0) -> int:
            return self

        assert 1 == f(self=1, args=2, kwargs=3, f=4)
        assert {"args": 2, "kwargs": 3, "f": 4, "cls": 0} == own(log[0])

    def test_unknown_parameters(self, log: Messages) -> None:
        """What cannot say which parameters it has, as some built-in functions, is logged, too."""

        class BuiltIn:
            @property
            def __signature__(self) -> None:
                raise ValueError("no signature found")

            def __call__(self, a: int, b: int) -> int:
                return a + b

        f = log_call(BuiltIn())

        assert 3 == f(1, b=2)
        assert {"args": (1,), "kwargs": {"b": 2}} == own(log[0])

    @pytest.mark.skipif(
        sys.version_info < (3, 14), reason="annotations are evaluated at once on this interpreter"
    )
    def test_annotations_of_what_is_not_there(self, log: Messages) -> None:
        """Annotations need not be evaluated."""
        namespace: Dict[str, Any] = {}
        exec("def f(a: Later) -> Never: return a", namespace)  # noqa: S102 - not as in this module

        assert 1 == log_call(namespace["f"])(1)
        with pytest.raises(ValueError, match="Later"):
            log_call(include_args=["b"])(namespace["f"])


async def no_field(args: Dict[str, Any]) -> None:
    """Take too long to be a field."""


def function(a: int, *, b: int = 0) -> int:
    """Be decorated."""
    return a + b


class Class:
    """Be no function."""


#: From each mistake to its error.
MISTAKES: Dict[str, Tuple[Callable[[], Any], Exception]] = {
    "both": (
        lambda: log_call(include_args=["a"], exclude_args=["b"]),
        ValueError("include_args and exclude_args are two ways to say the same: give one of them"),
    ),
    "both, empty": (
        lambda: log_call(function, include_args=[], exclude_args=[]),
        ValueError("include_args and exclude_args are two ways to say the same: give one of them"),
    ),
    "included": (
        lambda: log_call(include_args=["a", "y", "x"])(function),
        ValueError(
            "include_args (x, y) lists arguments not in the wrapped function "
            f"{__name__}.function(a: 'int', *, b: 'int' = 0) -> 'int'"
        ),
    ),
    "excluded": (
        lambda: log_call(exclude_args=["x", "b"])(function),
        ValueError(
            "exclude_args (x) lists arguments not in the wrapped function "
            f"{__name__}.function(a: 'int', *, b: 'int' = 0) -> 'int'"
        ),
    ),
    "level": (
        lambda: log_call(level="loud"),
        ValueError(
            "'loud' is no level: these are debug, info, warning, error, critical, and the numbers "
            "of standard logging"
        ),
    ),
    **{
        name: (
            lambda name=name: log_call(fields={name: 1}),  # type: ignore[misc] # its default
            ValueError(f"{name!r} is a field of Eliot's own"),
        )
        for name in (*BUILT_IN, "message_type", "eliot:degraded")
    },
    "log_level": (
        lambda: log_call(level="info", fields={"log_level": "info"}),
        ValueError("'log_level' is a field of Eliot's own; use level=..."),
    ),
    "name": (
        lambda: log_call(fields={1: 2}),  # type: ignore[dict-item] # the mistake
        TypeError("1 is no name of a field: names are text"),
    ),
    "no mapping": (
        lambda: log_call(fields=["a"]),  # type: ignore[call-overload] # the mistake
        TypeError("fields are given as a mapping from names to values, not as ['a']"),
    ),
    "async field": (
        lambda: log_call(fields={"x": no_field}),
        TypeError("the function of the field 'x' is async: nothing would await it"),
    ),
    "type": (
        lambda: log_call("download"),  # type: ignore[call-overload] # the mistake
        TypeError("log_call got 'download' for a function; a type is given as action_type=..."),
    ),
    "class": (
        lambda: log_call(Class),
        TypeError(
            f"log_call would make a function of the class {__name__}.Class; decorate its methods, "
            "for example __init__"
        ),
    ),
    **{
        type(nothing).__name__: (
            lambda nothing=nothing: log_call(nothing),  # type: ignore[misc] # its default
            TypeError(
                f"{nothing!r} cannot be called; log_call goes next to the function, below other "
                "decorators such as @property"
            ),
        )
        for nothing in (
            7,
            property(function),
            cached_property(function),
            partialmethod(function, 1),
        )
    },
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str) -> None:
    """A mistake is an error when the function is decorated, and is told in full."""
    decorate, error = MISTAKES[mistake]
    with pytest.raises(type(error)) as caught:
        decorate()

    assert str(error) == str(caught.value)


def test_partial_of_a_class(log: Messages) -> None:
    """What makes objects is a function like any other if it is no class."""
    assert {"a": 1, "b": 2} == log_call(partial(dict, a=1))(b=2)

    assert "builtins.dict" == log[0]["action_type"]
