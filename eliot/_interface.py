"""The interface of loggers, for programs that ask objects what they provide."""

from __future__ import annotations

from typing import Any

from zope.interface import Interface, classImplements

from eliot._loggers import Logger
from eliot._memory import MemoryLogger

__all__ = ["ILogger"]


class ILogger(Interface):
    """
    Take messages.

    Any object with such a method will do, whether it declares the interface or not.
    """

    def write(dictionary: Any, serializer: Any = None) -> Any:  # noqa: N805 - no self in interfaces
        """
        Log one message; callable from any thread.

        Args:
            dictionary: The message; not to be changed.
            serializer: Checks and converts its fields, or `None`.
        """


classImplements(Logger, ILogger)
classImplements(MemoryLogger, ILogger)
