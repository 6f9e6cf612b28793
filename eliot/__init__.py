"""
Eliot: logging that tells you why it happened.

PYTEST_DONT_REWRITE: or pytest would warn programs that import Eliot before they start it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any as _Any
from typing import List as _List

from eliot import _action as _action
from eliot import _branch as _branch
from eliot import _errors as _errors
from eliot import _message as _message
from eliot import _output as _output
from eliot import _traceback as _traceback
from eliot import _util as _util
from eliot import _validation as _validation
from eliot import json as json
from eliot._action import Action, current_action, log_message, start_action, start_task
from eliot._deprecation import warn_deprecated as _warn_deprecated
from eliot._errors import register_exception_extractor
from eliot._generators import eliot_friendly_generator_function
from eliot._jsonable import register_json_encoder
from eliot._log_call import log_call
from eliot._message import Message
from eliot._output import Logger, MemoryLogger, to_file
from eliot._preserve_context import TooManyCalls as _TooManyCalls
from eliot._preserve_context import preserve_context
from eliot._switches import configure, is_enabled
from eliot._traceback import write_failure, write_traceback
from eliot._typing import Destination as _Destination
from eliot._validation import ActionType, Field, MessageType, ValidationError, fields

if TYPE_CHECKING:
    from typing import Callable as _Callable
    from typing import Protocol as _Protocol

    from eliot import _parse as _parse
    from eliot import parse as parse
    from eliot._console import to_console
    from eliot._files import FileDestination
    from eliot._interface import ILogger
    from eliot._status import status
    from eliot._writer import BackgroundWriter

    class _AddDestinations(_Protocol):
        def __call__(self, *destinations: _Destination) -> None: ...

    class _AddGlobalFields(_Protocol):
        def __call__(self, **fields: _Any) -> None: ...


__version__ = "2.0.0"

add_destinations: _AddDestinations = Logger._destinations.add
remove_destination: _Callable[[_Destination], None] = Logger._destinations.remove
add_global_fields: _AddGlobalFields = Logger._destinations.add_global_fields


def add_destination(destination: _Destination) -> None:
    """
    Add a destination.

    .. deprecated:: 1.1.0
        Use `add_destinations`.

    Args:
        destination: A callable that takes a message.

    Raises:
        TypeError: If it cannot be called.
    """
    _warn_deprecated("add_destination is deprecated since 1.1.0. Use add_destinations instead.")
    add_destinations(destination)


def use_asyncio_context() -> None:
    """
    Do nothing: asyncio works without.

    .. deprecated:: 1.8.0
        There is nothing to be set up.
    """
    _warn_deprecated("This function is no longer as needed as of Eliot 1.8.0.")


# Spellings and addresses from before.
addDestination = add_destination
addGlobalFields = add_global_fields
removeDestination = remove_destination
startAction = start_action
startTask = start_task
writeFailure = write_failure
writeTraceback = write_traceback
for _name, _moved in (
    ("log_call", log_call),
    ("preserve_context", preserve_context),
    ("TooManyCalls", _TooManyCalls),
):
    setattr(_action, _name, _moved)
del _name, _moved, annotations

__all__ = [
    "Action",
    "ActionType",
    "BackgroundWriter",
    "Field",
    "FileDestination",
    "ILogger",
    "Logger",
    "MemoryLogger",
    "Message",
    "MessageType",
    "ValidationError",
    "__version__",
    "_parse",
    "addDestination",
    "addGlobalFields",
    "add_destination",
    "add_destinations",
    "add_global_fields",
    "configure",
    "current_action",
    "eliot_friendly_generator_function",
    "fields",
    "is_enabled",
    "log_call",
    "log_message",
    "preserve_context",
    "register_exception_extractor",
    "register_json_encoder",
    "removeDestination",
    "remove_destination",
    "startAction",
    "startTask",
    "start_action",
    "start_task",
    "status",
    "to_console",
    "to_file",
    "use_asyncio_context",
    "writeFailure",
    "writeTraceback",
    "write_failure",
    "write_traceback",
]

if not TYPE_CHECKING:  # under no other name, which type checkers would not know

    def __getattr__(name: str) -> _Any:
        """Open late what few programs need, or what `eliot._output` opens late."""
        if name in ("BackgroundWriter", "FileDestination", "ILogger"):
            return getattr(_output, name)
        if name in ("_parse", "parse"):  # writers do not need the readers
            from importlib import import_module

            return import_module(f"eliot.{name}")
        if name == "status":
            from eliot._status import status

            return status
        if name == "to_console":
            from eliot._console import to_console

            return to_console
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)

    def __dir__() -> _List[str]:
        return sorted({*globals(), *__all__})


del TYPE_CHECKING
