"""The interface of loggers, for programs that ask objects what they provide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, ClassVar

from zope.interface import classImplements

from eliot._loggers import Logger
from eliot._memory import MemoryLogger

if TYPE_CHECKING:

    class Interface:
        """That of zope.interface, which ships no types."""

        providedBy: ClassVar[Callable[[object], bool]]
        implementedBy: ClassVar[Callable[[type], bool]]

else:
    from zope.interface import Interface

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
