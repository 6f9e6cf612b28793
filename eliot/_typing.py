"""The shapes that the rooms agree on: type aliases and protocols."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Callable, Dict, Optional, Protocol, Tuple, Type, Union

__all__ = [
    "Destination",
    "ExcInfo",
    "Extractor",
    "JSONDefault",
    "LoggerLike",
    "Message",
    "Serializer",
]

#: One logged message: field names to values.
Message = Dict[str, Any]

#: Gets each message; what it returns is ignored.
Destination = Callable[[Message], object]

#: Turns a value that JSON lacks into one that it has, or raises `TypeError`.
JSONDefault = Optional[Callable[[Any], Any]]

#: Gives the extra fields that describe an exception.
Extractor = Callable[[Any], Dict[str, Any]]

#: What `sys.exc_info()` returns.
ExcInfo = Union[
    Tuple[Type[BaseException], BaseException, Optional[TracebackType]],
    Tuple[None, None, None],
]


class Serializer(Protocol):
    """Checks and converts the fields of one type of message."""

    def serialize(self, message: Message) -> None:
        """Convert the values of the message, in place."""

    def validate(self, message: Message) -> None:
        """Raise an exception if the message is not of the declared shape."""


class LoggerLike(Protocol):
    """Whatever can be given as a logger."""

    def write(self, dictionary: Message, serializer: Serializer | None = None) -> object:
        """Log one message; must not change the dictionary."""
