"""
The least that a tree of actions takes in pure Python, with nothing kept safe.

It writes the lines that Eliot writes, to one file, and does no more: a file that fails is an
exception in the program; so is a value that orjson refuses; an action that is entered or ended
twice, inherited by a forked process or left in another context is wrong in the log; there is
nothing but this file, one logger and these calls. What Eliot takes beyond this is what its safety
and its interfaces cost.
"""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from itertools import count
from os import urandom
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

import orjson

_CURRENT: ContextVar[Any] = ContextVar("bare", default=None)
_innermost, _make_current, _undo = _CURRENT.get, _CURRENT.set, _CURRENT.reset
_dumps, _NEWLINE = orjson.dumps, orjson.OPT_APPEND_NEWLINE
_new: Any = object.__new__


class Bare(NamedTuple):
    """What programs call."""

    log_message: Callable[..., None]
    start_action: Callable[..., Any]
    start_task: Callable[..., Any]


def _new_uuid() -> str:
    x = urandom(16).hex()
    return f"{x[:8]}-{x[8:12]}-4{x[13:16]}-a{x[17:20]}-{x[20:]}"


def bare(path: str) -> Bare:
    """Log to a file."""
    file = Path(path).open("ab", buffering=0)  # noqa: SIM115 - open until the end
    write: Any = file.write

    class Action:
        __slots__ = ("kind", "level", "slots", "token", "uuid")

        kind: str
        level: Sequence[int]
        slots: Any
        token: Token[Any]
        uuid: str

        def __enter__(self) -> Action:  # noqa: PYI034 - it is final
            self.token = _make_current(self)
            return self

        def __exit__(self, kind: object, error: Optional[BaseException], tb: object) -> None:
            _undo(self.token)
            fields: Dict[str, Any] = {}
            if error is not None:
                fields["exception"] = f"{type(error).__module__}.{type(error).__name__}"
                fields["reason"] = str(error)
            fields["action_status"] = "succeeded" if error is None else "failed"
            fields["action_type"] = self.kind
            fields["timestamp"] = time.time()
            fields["task_uuid"] = self.uuid
            fields["task_level"] = [*self.level, next(self.slots)]
            write(_dumps(fields, None, _NEWLINE))

    def begin(parent: Optional[Action], action_type: str, fields: Dict[str, Any]) -> Action:
        action: Action = _new(Action)
        action.kind = action_type
        action.slots = count(2)
        if parent is None:
            action.uuid = _new_uuid()
            action.level = ()
            level: List[int] = [1]
        else:
            action.uuid = parent.uuid
            action.level = [*parent.level, next(parent.slots)]
            level = [*action.level, 1]
        fields["action_type"] = action_type
        fields["action_status"] = "started"
        fields["timestamp"] = time.time()
        fields["task_uuid"] = action.uuid
        fields["task_level"] = level
        write(_dumps(fields, None, _NEWLINE))
        return action

    def start_action(action_type: str, **fields: Any) -> Action:
        return begin(_innermost(), action_type, fields)

    def start_task(action_type: str, **fields: Any) -> Action:
        return begin(None, action_type, fields)

    def log_message(message_type: str, **fields: Any) -> None:
        place = _innermost()
        fields["message_type"] = message_type
        fields["timestamp"] = time.time()
        if place is None:
            fields["task_uuid"] = _new_uuid()
            fields["task_level"] = [1]
        else:
            fields["task_uuid"] = place.uuid
            fields["task_level"] = [*place.level, next(place.slots)]
        write(_dumps(fields, None, _NEWLINE))

    return Bare(log_message, start_action, start_task)
