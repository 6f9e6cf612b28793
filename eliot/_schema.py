"""The shapes of messages: fields and serializers that check and convert, and never log."""

from __future__ import annotations

from typing import Any, Callable, Collection, Dict, Iterable, List, Optional, Sequence, Tuple

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    EXCEPTION_FIELD,
    FAILED_STATUS,
    IDENTITY_FIELDS,
    MESSAGE_TYPE_FIELD,
    REASON_FIELD,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TRACEBACK_FIELD,
)
from eliot._safe import class_name, saferepr, safeunicode
from eliot._switches import switches
from eliot._typing import Message

__all__ = [
    "EXCEPTION",
    "REASON",
    "RESERVED_FIELDS",
    "TRACEBACK",
    "ActionSerializers",
    "Field",
    "MessageSerializer",
    "ValidationError",
    "action_serializers",
    "fields",
    "message_serializer",
    "traceback_serializer",
]

RESERVED_FIELDS = IDENTITY_FIELDS

Validator = Callable[[Any], object]

_JSON_TYPES = (str, bytes, int, float, bool, list, dict, type(None))


class ValidationError(Exception):
    """
    Say that a message is not of its declared shape.

    Raised by validators, your own included, and only in tests: logging never validates.

    >>> def even(value):
    ...     if value % 2:
    ...         raise ValidationError(value, "must be even")
    """


def _identity(value: Any) -> Any:
    return value


class Field:
    """
    Describe one field of a message: its name, what it looks like in the log, what is valid.

    Args:
        key: The name.
        serializer: Converts the value given by the program into the one that is logged.
        description: For the reader of the program.
        extraValidator: Called with the value in tests; raises `ValidationError` if it is wrong.

    >>> Field("path", str, "The file's path.").serialize(3)
    '3'
    """

    def __init__(
        self,
        key: str,
        serializer: Callable[[Any], Any],
        description: str = "",
        extraValidator: Optional[Validator] = None,
    ) -> None:
        self.key = key
        self.description = description
        self._serializer = serializer
        self._extra_validator = extraValidator

    def __repr__(self) -> str:
        return f"<Field {self.key!r}>"

    def validate(self, input: Any) -> None:  # noqa: A002 - its published name
        """
        Check a value as given by the program.

        Args:
            input: The value.

        Raises:
            ValidationError: If it is not valid; a serializer that fails raises what it raises.

        >>> Field.for_types("size", [int]).validate(3)
        """
        self._serializer(input)
        if self._extra_validator is not None:
            self._extra_validator(input)

    def serialize(self, input: Any) -> Any:  # noqa: A002 - its published name
        """
        Return what is logged for a value.

        Args:
            input: The value as given by the program.

        >>> Field("path", str).serialize(3)
        '3'
        """
        return self._serializer(input)

    @classmethod
    def for_value(cls, key: str, value: Any, description: str = "") -> Field:
        """
        Describe a field that always has the same value.

        Args:
            key: The name.
            value: What is logged, and the only value that is valid.
            description: For the reader of the program.

        >>> Field.for_value("version", 2).serialize("whatever")
        2
        """

        def check(checked: Any) -> None:
            if checked != value:
                msg = f"Field {key!r} must be {value!r}"
                raise ValidationError(checked, msg)

        return cls(key, lambda _: value, description, check)

    forValue = for_value

    @classmethod
    def for_types(
        cls,
        key: str,
        classes: Iterable[Any],
        description: str = "",
        extraValidator: Optional[Validator] = None,
    ) -> Field:
        """
        Describe a field that is logged as it is, and is of one of several types.

        Args:
            key: The name.
            classes: Out of `str`, `bytes`, `int`, `float`, `bool`, `list`, `dict` and `None`.
            description: For the reader of the program.
            extraValidator: Called with a value that is of the right type.

        Raises:
            TypeError: If one of the classes is none of these.

        >>> Field.for_types("size", [int, None]).validate(3)
        """
        if isinstance(classes, type):
            msg = f"{classes!r} is one class; give a list: [{classes.__name__}]"
            raise TypeError(msg)
        shown = classes if isinstance(classes, Collection) else list(classes)
        allowed = tuple(type(None) if each is None else each for each in shown)
        for each in allowed:
            if each not in _JSON_TYPES:
                msg = (
                    f"{saferepr(each)} is not JSON-encodeable; "
                    f"for what JSON lacks give a serializer: Field({key!r}, str)"
                )
                raise TypeError(msg)

        def check(value: Any) -> None:
            if not isinstance(value, allowed):
                msg = f"Field {key!r} requires type to be one of {shown}"
                raise ValidationError(value, msg)
            if extraValidator is not None:
                extraValidator(value)

        return cls(key, _identity, description, check)

    forTypes = for_types


def fields(*fields: Field, **keys: Any) -> List[Field]:
    """
    List fields, the simple ones by name and type.

    Args:
        fields: Fields, as they are.
        keys: Name and type of others: see `Field.for_types`.

    >>> fields(Field("path", str), size=int)
    [<Field 'path'>, <Field 'size'>]
    """
    return [*fields, *(Field.for_types(key, [cls]) for key, cls in keys.items())]


REASON = Field.for_types(REASON_FIELD, [str], "The reason for an event.")
TRACEBACK = Field.for_types(TRACEBACK_FIELD, [str], "The traceback for an exception.")
EXCEPTION = Field.for_types(EXCEPTION_FIELD, [str], "The full name of an exception class.")


def _problem_of(keys: List[str]) -> Tuple[str, ...]:
    """Say what is wrong with the names of the fields of a message; nothing if they are fine."""
    if len(set(keys)) != len(keys):
        return ("Duplicate field name",)
    if ACTION_TYPE_FIELD in keys and MESSAGE_TYPE_FIELD in keys:
        return ("Messages must have either 'action_type' or 'message_type', not both",)
    if ACTION_TYPE_FIELD not in keys and MESSAGE_TYPE_FIELD not in keys:
        return ("Messages must have either 'action_type' ", "or 'message_type'")
    if any(key.startswith("_") for key in keys):
        return ("Field names must not start with '_'",)
    for key in RESERVED_FIELDS:
        if key in keys:
            return (f"The field name {key!r} is reserved for use by the logging framework",)
    return ()


class MessageSerializer:
    """
    Check and convert the messages of one type.

    Args:
        fields: What such a message has.
        allow_additional_fields: Whether it may have others too.

    Raises:
        TypeError: If one of the fields is no `Field`.
        ValueError: If a name is reserved or comes twice, or there is not one type field.
    """

    def __init__(
        self,
        fields: Iterable[Field],
        allow_additional_fields: bool = False,
    ) -> None:
        fields = list(fields)
        for field in fields:
            if not isinstance(field, Field):
                msg = "Expected a Field instance but got"
                raise TypeError(msg, field)
        keys = [field.key for field in fields]
        problem = _problem_of(keys)
        if problem:
            raise ValueError(keys, *problem)
        self.fields: Dict[str, Field] = {field.key: field for field in fields}
        self.allow_additional_fields = allow_additional_fields

    def serialize(self, message: Message) -> None:
        """
        Convert the declared fields of a message, in place.

        All that can be converted is converted, even if one of them fails.

        Args:
            message: The message.

        Raises:
            KeyError: If a declared field is missing.
            Exception: The first thing that a field's own serializer raised.
        """
        failure: Optional[Exception] = None
        for key, field in self.fields.items():
            try:
                message[key] = field.serialize(message[key])
            except Exception as error:
                failure = error if failure is None else failure
        if failure is not None:
            raise failure

    def validate(self, message: Message) -> None:
        """
        Check a message as logged by the program.

        Args:
            message: The message.

        Raises:
            ValidationError: If a field is missing, unexpected or wrong.
        """
        for key, field in self.fields.items():
            if key not in message:
                msg = f"Field {key!r} is missing"
                raise ValidationError(message, msg)
            field.validate(message[key])
        if self.allow_additional_fields:
            return
        for key in message:
            if key not in self.fields and key not in RESERVED_FIELDS and key not in switches.fields:
                msg = f"Unexpected field {key!r}"
                raise ValidationError(message, msg)


class ActionSerializers:
    """
    The three serializers of an action type.

    Args:
        start: For its start message.
        success: For the message that it has succeeded.
        failure: For the message that it has failed.
    """

    def __init__(
        self, start: MessageSerializer, success: MessageSerializer, failure: MessageSerializer
    ) -> None:
        self.start = start
        self.success = success
        self.failure = failure


def _declared(declared: Sequence[Field]) -> List[Field]:
    if not isinstance(declared, list):
        msg = f"Fields must be given as a list, not {declared!r}"
        raise TypeError(msg)
    return declared


def message_serializer(message_type: str, declared: Sequence[Field]) -> MessageSerializer:
    """Make the serializer of a message type; `TypeError` if its fields are not in a list."""
    return MessageSerializer(
        [*_declared(declared), Field.for_value(MESSAGE_TYPE_FIELD, message_type)]
    )


def action_serializers(
    action_type: str, start: Sequence[Field], success: Sequence[Field]
) -> ActionSerializers:
    """Make the serializers of an action type."""

    def of_status(
        status: str, declared: Sequence[Field], *, more: bool = False
    ) -> MessageSerializer:
        return MessageSerializer(
            [
                *_declared(declared),
                Field.for_value(ACTION_TYPE_FIELD, action_type),
                Field.for_value(ACTION_STATUS_FIELD, status),
            ],
            allow_additional_fields=more,
        )

    return ActionSerializers(
        of_status(STARTED_STATUS, start),
        of_status(SUCCEEDED_STATUS, success),
        # Extractors add fields that nobody can declare.
        of_status(FAILED_STATUS, [REASON, EXCEPTION], more=True),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else safeunicode(value)


def traceback_serializer(message_type: str) -> MessageSerializer:
    """Make the serializer of tracebacks, which come with the live exception and its class."""
    return MessageSerializer(
        [
            Field(REASON_FIELD, safeunicode, "The exception's value."),
            Field(TRACEBACK_FIELD, _text, "The exception's traceback."),
            Field(EXCEPTION_FIELD, class_name, "The exception's class."),
            Field.for_value(MESSAGE_TYPE_FIELD, message_type),
        ],
        # Extractors add fields that nobody can declare.
        allow_additional_fields=True,
    )
