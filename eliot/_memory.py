"""A logger that remembers: for tests, which look at its messages and have them validated."""

from __future__ import annotations

import sys
from threading import RLock
from types import FrameType
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Type, Union

from eliot._fields import REASON_FIELD
from eliot._reports import TRACEBACK_SERIALIZER
from eliot._safe import saferepr, safeunicode, text_within
from eliot._schema import ValidationError
from eliot._typing import JSONDefault, Message, Serializer
from eliot.json import check_encodable, default_function, json_default

if TYPE_CHECKING:
    from json import JSONEncoder

__all__ = ["MemoryLogger"]


class MemoryLogger:
    """
    Store messages in memory, and check them.

    Args:
        encoder: Deprecated; a `json.JSONEncoder` class.
        json_default: Converts values that JSON lacks; `validate` complains about those that it
            refuses by raising `TypeError`.

    Attributes:
        messages: The messages, as they were given.
        serializers: The serializer of each message, or `None`.
        tracebackMessages: Those of the messages that tell of an exception.

    >>> logger = MemoryLogger()
    >>> logger.write({"message_type": "hello"})
    >>> logger.validate()
    >>> logger.messages
    [{'message_type': 'hello'}]
    """

    def __init__(
        self,
        encoder: Optional[Type[JSONEncoder]] = None,
        json_default: JSONDefault = json_default,
    ) -> None:
        self._json_default = default_function(encoder, json_default, stacklevel=2)
        self._lock = RLock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self.messages: List[Message] = []
            self.serializers: List[Optional[Serializer]] = []
            self.tracebackMessages: List[Message] = []
            self._failed_validations: List[str] = []
            # What `validate` has put into `messages`, by id: not to be converted a second time.
            self._converted: Dict[int, Message] = {}

    def write(self, dictionary: Message, serializer: Optional[Serializer] = None) -> None:
        """
        Store a message; what is wrong with it is told by `validate`.

        Args:
            dictionary: The message; stored as it is.
            serializer: Used for its validation.
        """
        failure = ""
        try:
            self._checked(dictionary, serializer)
        except Exception as error:
            from traceback import format_stack  # late: it takes a tenth of `import eliot`

            failure = f"{_text_of(error)}: {''.join(format_stack(_caller()))}"
        # Not held while checking: a serializer may log.
        with self._lock:
            if failure:
                self._failed_validations.append(failure)
            self.messages.append(dictionary)
            self.serializers.append(serializer)
            if serializer is TRACEBACK_SERIALIZER:
                self.tracebackMessages.append(dictionary)

    def validate(self) -> None:
        """
        Check all messages, and replace them in `messages` by what would be in the log.

        May be called more than once.

        Raises:
            ValidationError: If one is not of its declared shape; tells of all that are wrong, and
                where they were logged.
            TypeError: The same, if one cannot be encoded as JSON.
        """
        # The lock is not held while a serializer runs: it may log, or wait for a thread that does.
        with self._lock:
            messages = self.messages
            pairs = list(zip(messages, self.serializers))
        for index, (message, serializer) in enumerate(pairs):
            if self._is_converted(message):
                continue
            try:
                converted = self._checked(message, serializer)
            except (TypeError, ValidationError) as error:
                raise self._renewed(error) from error
            except Exception as error:
                raise error from ValidationError(self._report(error))
            with self._lock:
                messages[index] = converted
                self._converted[id(converted)] = converted

    def serialize(self) -> List[Message]:
        """
        Convert copies of all messages to what would be in the log.

        Raises:
            AttributeError: If a message has no serializer.
        """
        with self._lock:
            pairs = list(zip(self.messages, self.serializers))
        result = []
        for message, serializer in pairs:
            serialize = serializer.serialize  # type: ignore[union-attr] # as documented
            copy = message.copy()
            if not self._is_converted(message):
                serialize(copy)
            result.append(copy)
        return result

    def flush_tracebacks(
        self, exceptionType: Union[Type[BaseException], Tuple[Type[BaseException], ...]]
    ) -> List[Message]:
        """
        Take out the tracebacks that a test expects; those that are left fail it.

        Args:
            exceptionType: A class of exceptions, or a tuple of classes.

        Returns:
            The messages, in order; they also stay in `messages`.
        """
        with self._lock:
            flushed: List[Message] = []
            kept: List[Message] = []
            for message in self.tracebackMessages:
                expected = isinstance(message.get(REASON_FIELD), exceptionType)
                (flushed if expected else kept).append(message)
            self.tracebackMessages = kept
            return flushed

    flushTracebacks = flush_tracebacks

    def _is_converted(self, message: Message) -> bool:
        return id(message) in self._converted

    def _checked(self, dictionary: Any, serializer: Optional[Serializer]) -> Message:
        """Validate a message; return what would be in the log."""
        if not isinstance(dictionary, dict):
            raise TypeError(dictionary, "is not a dictionary")
        message: Message = dictionary.copy()
        if serializer is not None:
            serializer.validate(message)
        for key in dictionary:
            if isinstance(key, bytes):
                key.decode("utf-8")
            elif not isinstance(key, str):
                raise TypeError(dictionary, f"{saferepr(key)} is not unicode")
        if serializer is not None:
            serializer.serialize(message)
        try:
            _check_json(message, self._json_default)
        except Exception as error:
            shown = text_within(saferepr, dictionary)
            msg = f"Message {shown} doesn't encode to JSON: {safeunicode(error)}"
            raise TypeError(msg) from error
        return message

    def _report(self, error: Exception) -> str:
        return "\n\n".join(self._failed_validations) or _text_of(error)

    def _renewed(self, error: Exception) -> Exception:
        """Make an exception of the same class that tells of all that was found wrong."""
        text = self._report(error)
        try:
            return type(error)(text)
        except Exception:  # a subclass that cannot be made of a text
            return ValidationError(text) if isinstance(error, ValidationError) else TypeError(text)


def _check_json(message: Dict[Any, Any], default: JSONDefault) -> None:
    for key in message:
        if not isinstance(key, str):
            msg = f"Dict key must be str, not {saferepr(key)}"
            raise TypeError(msg)
    check_encodable(message, default)


def _caller() -> FrameType:
    """Find the frame that called into Eliot."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "eliot":
        frame = frame.f_back
    return frame


def _text_of(error: Exception) -> str:
    return f"{type(error).__name__}: {safeunicode(error)}"
