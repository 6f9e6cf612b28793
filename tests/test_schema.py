"""The shapes of messages: fields and serializers that check and convert, and never log."""

from __future__ import annotations

from typing import Any, Dict, List, NoReturn, Type

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot._schema import (
    ActionSerializers,
    Field,
    MessageSerializer,
    ValidationError,
    action_serializers,
    fields,
    message_serializer,
    traceback_serializer,
)

TYPE = Field.for_value("message_type", "m")

JSON_TYPES: List[Any] = [str, bytes, int, float, bool, list, dict, None, type(None)]


class Unfriendly(Exception):
    """An exception that seems to be nothing, like an empty list."""

    def __len__(self) -> int:
        return 0


def refuse(value: Any) -> NoReturn:
    """Find every value wrong."""
    raise ValidationError(value, "refused")


def identity(value: Any) -> Any:
    """Log a value as it is."""
    return value


class TestField:
    """A field of a message."""

    def test_says_what_it_is(self) -> None:
        """Name and description are there for the reader."""
        field = Field("path", str, "The file's path.")

        assert ("path", "The file's path.") == (field.key, field.description)
        assert "<Field 'path'>" == repr(field)

    def test_description_is_optional(self) -> None:
        """A field need not be described."""
        described = [Field("k", str), Field.for_value("k", 1), Field.for_types("k", [int])]

        assert ["", "", ""] == [field.description for field in described]

    def test_serializes(self) -> None:
        """What is logged is what the serializer makes of the value."""
        assert "3" == Field("k", str).serialize(3)

    def test_validation_serializes(self) -> None:
        """A value that cannot be serialized is not valid; the error is the serializer's own."""
        with pytest.raises(ValueError, match="invalid literal"):
            Field("k", int).validate("x")

    def test_validates_the_original_value(self) -> None:
        """The validator gets the value of the program; whatever it returns is ignored."""
        seen: List[Any] = []
        Field("k", str, extraValidator=seen.append).validate(3)
        Field("k", str, "", lambda _: False).validate(3)

        assert [3] == seen

    def test_serializer_comes_first(self) -> None:
        """The validator can rely on a value that can be serialized."""
        with pytest.raises(ValueError, match="invalid literal"):
            Field("k", int, "", refuse).validate("x")


class TestForValue:
    """A field that always has the same value."""

    def test_serializes_to_the_value(self) -> None:
        """Whatever is given, the value is logged."""
        assert 5 == Field.for_value("k", 5, "d").serialize(object())

    def test_validates(self) -> None:
        """Only the value itself is valid."""
        field = Field.for_value("k", 5, "d")
        field.validate(5)
        with pytest.raises(ValidationError) as caught:
            field.validate(6)

        assert (6, "Field 'k' must be 5") == caught.value.args

    def test_old_name(self) -> None:
        """The camelCase name is the same method."""
        assert Field.forValue == Field.for_value


class TestForTypes:
    """A field that is of one of several types."""

    @given(st.text() | st.binary() | st.integers() | st.floats() | st.none())
    def test_logs_the_value_as_it_is(self, value: Any) -> None:
        """Nothing is converted."""
        assert value is Field.for_types("k", JSON_TYPES).serialize(value)

    @pytest.mark.parametrize(
        ("classes", "valid"),
        [
            ([int], 3),
            ([int], True),
            ([str, None], None),
            ([str, type(None)], None),
            (iter([float, bytes]), b"x"),
            ({dict, list}, []),
        ],
    )
    def test_accepts(self, classes: Any, valid: Any) -> None:
        """Instances of the classes are valid, `None` stands for null; a bool is an int."""
        Field.for_types("k", classes, "d").validate(valid)

    @pytest.mark.parametrize(
        ("classes", "invalid", "shown"),
        [
            ([int], "x", "[<class 'int'>]"),
            ([int, None], "x", "[<class 'int'>, None]"),
            ((float,), 3, "(<class 'float'>,)"),
            (iter([str]), 3, "[<class 'str'>]"),
        ],
    )
    def test_refuses(self, classes: Any, invalid: Any, shown: str) -> None:
        """Others are not; the error shows the classes as they were given."""
        with pytest.raises(ValidationError) as caught:
            Field.for_types("k", classes, "d").validate(invalid)

        assert (invalid, f"Field 'k' requires type to be one of {shown}") == caught.value.args

    def test_validator_gets_values_of_the_right_type(self) -> None:
        """The validator is asked only if the type is right."""
        field = Field.for_types("k", [int], "d", refuse)
        with pytest.raises(ValidationError, match="refused"):
            field.validate(3)
        with pytest.raises(ValidationError, match="requires type"):
            field.validate("x")

    @pytest.mark.parametrize("cls", [complex, object, set, "int"])
    def test_knows_json(self, cls: Any) -> None:
        """A class that JSON lacks is refused."""
        with pytest.raises(TypeError) as caught:
            Field.for_types("k", [int, cls])

        assert (
            f"{cls!r} is not JSON-encodeable; for what JSON lacks give a serializer: "
            "Field('k', str)"
        ) == str(caught.value)

    def test_wants_several_classes(self) -> None:
        """Who gives a single class is told how a list looks."""
        one: Any = int
        with pytest.raises(TypeError, match=r"is one class; give a list: \[int\]"):
            Field.for_types("k", one)

    def test_old_name(self) -> None:
        """The camelCase name is the same method."""
        assert Field.forTypes == Field.for_types


class TestFields:
    """The list of fields by name and type."""

    def test_lists_given_fields_first(self) -> None:
        """Fields come as they are, the others follow."""
        given_field = Field("first", str)
        listed = fields(given_field, second=int, third=None)

        assert given_field is listed[0]
        assert ["first", "second", "third"] == [field.key for field in listed]

    def test_makes_fields_of_types(self) -> None:
        """A name and a type make a field for that type."""
        (field,) = fields(size=int)
        field.validate(3)
        with pytest.raises(ValidationError, match="requires type to be one of"):
            field.validate("x")

    def test_of_nothing(self) -> None:
        """There may be none."""
        assert [] == fields()


NOT_BOTH = "Messages must have either 'action_type' or 'message_type', not both"
NEITHER = ("Messages must have either 'action_type' ", "or 'message_type'")
UNDERSCORE = "Field names must not start with '_'"
DUPLICATE = "Duplicate field name"


class TestRules:
    """What the fields of a message may be."""

    @pytest.mark.parametrize("wrong", ["x", None, Field])
    def test_only_fields(self, wrong: Any) -> None:
        """What is no field is refused, and shown."""
        with pytest.raises(TypeError) as caught:
            MessageSerializer([TYPE, wrong])

        assert ("Expected a Field instance but got", wrong) == caught.value.args

    @pytest.mark.parametrize(
        ("keys", "problem"),
        [
            (["message_type", "a", "a"], [DUPLICATE]),
            (["message_type", "message_type"], [DUPLICATE]),
            (["message_type", "action_type"], [NOT_BOTH]),
            (["a"], [*NEITHER]),
            ([], [*NEITHER]),
            (["message_type", "_a"], [UNDERSCORE]),
            *(
                (
                    ["action_type", key],
                    [f"The field name {key!r} is reserved for use by the logging framework"],
                )
                for key in ("task_uuid", "task_level", "timestamp")
            ),
            # The rules are checked in the order in which they stand here.
            (["_a", "_a"], [DUPLICATE]),
            (["message_type", "action_type", "_a"], [NOT_BOTH]),
            (["_a", "timestamp"], [*NEITHER]),
            (["message_type", "timestamp", "_a"], [UNDERSCORE]),
        ],
    )
    def test_names(self, keys: List[str], problem: List[str]) -> None:
        """Names are unique, free, and there is exactly one type."""
        with pytest.raises(ValueError, match=r"^\(\[") as caught:
            MessageSerializer([Field(key, str) for key in keys])

        assert (keys, *problem) == caught.value.args

    @pytest.mark.parametrize("key", ["exception", "reason", "traceback", "action_status"])
    def test_names_that_are_free(self, key: str) -> None:
        """Other names that Eliot uses are free."""
        assert {key, "message_type"} == MessageSerializer([Field(key, str), TYPE]).fields.keys()

    @pytest.mark.parametrize("wrong", [(), None, iter([]), {"a": str}])
    def test_lists_only(self, wrong: Any) -> None:
        """The fields of a type are given as a list."""
        for make in (
            lambda: message_serializer("m", wrong),
            lambda: action_serializers("a", wrong, []),
            lambda: action_serializers("a", [], wrong),
        ):
            with pytest.raises(TypeError, match="must be given as a list"):
                make()


class TestSerialize:
    """Converting a message."""

    def test_converts_in_place(self) -> None:
        """Declared fields are converted, others stay as they are."""
        message = {"a": 3, "b": 4, "message_type": "m"}
        MessageSerializer([Field("a", str), TYPE]).serialize(message)

        assert {"a": "3", "b": 4, "message_type": "m"} == message

    def test_forces_the_type(self) -> None:
        """The type is the declared one."""
        message = {"message_type": "other"}
        MessageSerializer([TYPE]).serialize(message)

        assert {"message_type": "m"} == message

    def test_missing_field(self) -> None:
        """A declared field that is missing is an error."""
        with pytest.raises(KeyError, match="'a'"):
            MessageSerializer([Field("a", str), TYPE]).serialize({"message_type": "m"})

    @pytest.mark.parametrize("cls", [ValueError, Unfriendly])
    def test_goes_on_after_a_failure(self, cls: Type[Exception]) -> None:
        """One field that cannot be converted does not keep the others from being converted."""

        def fail(value: int) -> NoReturn:
            raise cls(value)

        serializer = MessageSerializer([Field("a", fail), Field("b", fail), Field("c", str), TYPE])
        message = {"a": 1, "b": 2, "c": 3, "message_type": "other"}
        with pytest.raises(cls) as caught:
            serializer.serialize(message)

        assert {"a": 1, "b": 2, "c": "3", "message_type": "m"} == message
        assert (1,) == caught.value.args


class TestValidate:
    """Checking a message."""

    def test_accepts_what_is_declared(self) -> None:
        """Declared fields and those of the identity make a valid message."""
        serializer = MessageSerializer([*fields(a=int), TYPE])
        message = {"a": 3, "message_type": "m"}
        serializer.validate(message)
        serializer.validate({**message, "task_uuid": "u", "task_level": [1], "timestamp": 1.5})

    @pytest.mark.parametrize(
        ("message", "problem"),
        [
            ({"message_type": "m"}, "Field 'a' is missing"),
            ({"a": 3}, "Field 'message_type' is missing"),
            ({"a": 3, "message_type": "m", "b": 4}, "Unexpected field 'b'"),
        ],
    )
    def test_refuses_what_is_not(self, message: Dict[str, Any], problem: str) -> None:
        """A field too few or too many is an error that shows the message."""
        with pytest.raises(ValidationError) as caught:
            MessageSerializer([*fields(a=int), TYPE]).validate(message)

        assert (message, problem) == caught.value.args

    def test_asks_each_field(self) -> None:
        """A value that its field finds wrong makes the message wrong."""
        with pytest.raises(ValidationError, match="requires type"):
            MessageSerializer([*fields(a=int), TYPE]).validate({"a": "x", "message_type": "m"})

    def test_additional_fields(self) -> None:
        """They can be allowed."""
        serializer = MessageSerializer([TYPE], allow_additional_fields=True)
        serializer.validate({"b": 4, "message_type": "m"})

        assert serializer.allow_additional_fields
        assert not MessageSerializer([TYPE]).allow_additional_fields

    def test_does_not_change_the_message(self) -> None:
        """Validation converts nothing."""
        message = {"a": 3, "message_type": "m"}
        MessageSerializer([Field("a", str), TYPE]).validate(message)

        assert {"a": 3, "message_type": "m"} == message


class TestDeclaredTypes:
    """The serializers of declared types."""

    def test_message(self) -> None:
        """A message has the declared fields and its type; the list given stays as it is."""
        declared = fields(a=int)
        serializer = message_serializer("m", declared)

        assert ["a"] == [field.key for field in declared]
        assert {"a", "message_type"} == serializer.fields.keys()
        assert "m" == serializer.fields["message_type"].serialize(None)

    def test_action(self) -> None:
        """The three messages of an action differ in their fields and in their status."""
        serializers = action_serializers("a", fields(x=int), fields(y=int))
        shapes = {
            status: (
                sorted(serializer.fields),
                serializer.fields["action_type"].serialize(None),
                serializer.fields["action_status"].serialize(None),
                serializer.allow_additional_fields,
            )
            for status, serializer in vars(serializers).items()
        }

        assert {
            "start": (["action_status", "action_type", "x"], "a", "started", False),
            "success": (["action_status", "action_type", "y"], "a", "succeeded", False),
            "failure": (
                ["action_status", "action_type", "exception", "reason"],
                "a",
                "failed",
                True,
            ),
        } == shapes

    def test_failure_is_text(self) -> None:
        """The reason and the exception of a failure are text."""
        failure = action_serializers("a", [], []).failure
        message = {"action_type": "a", "action_status": "failed", "exception": "e", "reason": "r"}
        failure.validate({**message, "errno": 2})
        for key in ("exception", "reason"):
            with pytest.raises(ValidationError, match=f"Field '{key}' requires type"):
                failure.validate({**message, key: 3})

    def test_action_serializers_by_name(self) -> None:
        """They can be put together by hand."""
        serializer = MessageSerializer([TYPE])
        made = ActionSerializers(start=serializer, success=serializer, failure=serializer)

        assert [serializer] * 3 == [made.start, made.success, made.failure]

    def test_traceback(self) -> None:
        """The live exception and its class become text; extractors may have added fields."""
        serializer = traceback_serializer("t")
        message: Dict[str, Any] = {
            "reason": ValueError("boom"),
            "exception": ValueError,
            "traceback": "text",
            "message_type": "t",
            "errno": 2,
        }
        serializer.validate(message)
        serializer.serialize(message)

        assert {
            "reason": "boom",
            "exception": "builtins.ValueError",
            "traceback": "text",
            "message_type": "t",
            "errno": 2,
        } == message


class TestValidationError:
    """The exception that says what is wrong with a message."""

    @pytest.mark.parametrize("args", [(), ("text",), (1, "text"), ({"a": 1}, "text", 3)])
    def test_is_a_plain_exception(self, args: Any) -> None:
        """Validators of programs raise it with whatever they have to say."""
        error = ValidationError(*args)

        assert (Exception,) == ValidationError.__bases__
        assert args == error.args
