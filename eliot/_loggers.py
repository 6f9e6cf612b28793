"""Loggers: take a message from those who speak, serialize it, hand it to the fan-out."""

from __future__ import annotations

from typing import Callable, List, Optional

from eliot._depth import within
from eliot._destinations import PROCESS
from eliot._later import LATER, is_cramped
from eliot._reports import serialization_failure, serialized_traceback_report
from eliot._typing import Message, Serializer

__all__ = ["Logger"]


class Logger:
    """
    Write messages to the destinations of the process.

    The default logger is one of these; few programs need another.

    >>> Logger().write({"message_type": "hello"})
    """

    #: The destinations of the process; an instance may be given its own.
    _destinations = PROCESS

    #: See typed messages before they are serialized, while a test wants to check them; never raise.
    _inspectors: List[Callable[[Message, Serializer], None]] = []  # noqa: RUF012 - all share it

    def write(self, dictionary: Message, serializer: Optional[Serializer] = None) -> None:
        """
        Serialize a message and deliver it to the destinations.

        If the serializer fails, its traceback is logged, then an `eliot:serialization_failure`,
        then the message all the same, as far as it could be serialized. Nothing is raised.

        Args:
            dictionary: The message; it is copied.
            serializer: Converts the fields of the copy.
        """
        message = dictionary.copy()
        if serializer is not None:
            if self._inspectors:
                for inspect in tuple(self._inspectors):
                    inspect(message, serializer)
            try:
                within(serializer.serialize, message)
            except Exception as failure:
                if isinstance(failure, RecursionError) and is_cramped():
                    LATER.append((self.write, (dictionary, serializer)))
                    return
                self.write(serialized_traceback_report(failure))
                self.write(serialization_failure(message))
                # Whatever the serializer has left of it: the message keeps its place in the tree.
                message = {**dictionary, **message}
        self._destinations.send(message, self)
