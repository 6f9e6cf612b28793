"""Switches: what the program has asked for that messages do not tell, or not log, by default."""

from __future__ import annotations

import os
import sys
from threading import RLock, current_thread
from types import FrameType
from typing import Any, Callable, Dict, FrozenSet, Mapping, Optional, Tuple, Union

from eliot._fields import (
    CALLER_FIELD,
    DURATION_FIELD,
    HOST_FIELD,
    LOG_LEVEL_FIELD,
    PROCESS_FIELD,
    TASK_FIELD,
    THREAD_FIELD,
    TRACEBACK_AT_FIELD,
    TRACEBACK_FIELD,
)
from eliot._fork import renew_in_child
from eliot._levels import INFO, LEVELS, Thresholds, check_level, number_of
from eliot._safe import safeunicode
from eliot._typing import Message

__all__ = ["add", "configure", "is_enabled", "prepare", "switches"]

#: Finds what is to be said; `None` if there is nothing.
_Find = Callable[[], Optional[object]]


class Switches:
    """
    What is switched on in this process.

    Attributes:
        on: Whether anything is. Hot paths look here, once, and nowhere else.
        chosen: Each switch.
        duration: Whether actions are timed.
        traceback: Whether failed actions tell the traceback.
        caller: Whether messages say where the logging call is.
        names: The fields of all messages, and how to find their values.
        thresholds: The least levels, or `None`.
        fields: The names of the fields that may come with any message.
    """

    __slots__ = (
        "__weakref__",
        "_lock",
        "caller",
        "chosen",
        "duration",
        "fields",
        "names",
        "on",
        "thresholds",
        "traceback",
    )

    fields: FrozenSet[str]
    names: Tuple[Tuple[str, _Find], ...]

    def __init__(self) -> None:
        self._lock = RLock()
        self.chosen = dict.fromkeys(_FIELDS, False)
        self.thresholds: Optional[Thresholds] = None
        self._plan()
        renew_in_child(self)

    def _renew(self) -> None:
        self._lock = RLock()
        self._plan()  # the process is another one

    def change(self, chosen: Dict[str, bool], thresholds: Optional[Thresholds]) -> None:
        """Change some of the switches, and the thresholds if there are new ones."""
        with self._lock:
            self.chosen = {**self.chosen, **chosen}
            if thresholds is not None:
                self.thresholds = thresholds if thresholds.rules else None
            self._plan()

    def _plan(self) -> None:
        chosen = self.chosen
        self.duration = chosen["duration"]
        self.traceback = chosen["traceback"]
        self.caller = chosen["caller"]
        self.names = tuple((name, find()) for name, find in _FINDERS.items() if chosen[name])
        self.fields = frozenset(
            (
                LOG_LEVEL_FIELD,
                *(field for name in chosen if chosen[name] for field in _FIELDS[name]),
            )
        )
        self.on = self.thresholds is not None or any(chosen.values())

    def name(self, fields: Message) -> None:
        """Add the names of process, host, thread and task to a message that lacks them."""
        for name, find in self.names:
            if name not in fields:
                value = find()
                if value is not None:
                    fields[name] = value


#: The fields that each switch adds.
_FIELDS = {
    "duration": (DURATION_FIELD,),
    "traceback": (TRACEBACK_FIELD, TRACEBACK_AT_FIELD),
    "caller": (CALLER_FIELD,),
    "process": (PROCESS_FIELD,),
    "host": (HOST_FIELD,),
    "thread": (THREAD_FIELD,),
    "task": (TASK_FIELD,),
}


def _constant(value: object) -> _Find:
    return lambda: value


def _host() -> _Find:
    from socket import gethostname  # late: few programs ask for it

    return _constant(gethostname())


def _thread() -> str:
    return current_thread().name


def _task() -> Optional[str]:
    try:
        # Nothing is imported: where a loop runs, it is loaded. To ask for the running one would
        # raise an exception where there is none, which takes longer than all the rest.
        asyncio: Any = sys.modules["asyncio"]
        loop = asyncio._get_running_loop()
        return None if loop is None else safeunicode(asyncio.current_task(loop).get_name())
    except Exception:  # nothing of the kind, or a task of a strange kind
        return None


#: How each name is found, when it is switched on and in each forked child.
_FINDERS: Dict[str, Callable[[], _Find]] = {
    "process": lambda: _constant(os.getpid()),
    "host": _host,
    "thread": lambda: _thread,
    "task": lambda: _task,
}

switches = Switches()


def prepare(kind: object, fields: Message) -> bool:
    """
    Add what is switched on to a message that is about to be logged.

    Args:
        kind: The type of the message, or of the action that it starts.
        fields: The message; its own fields stay as they are.

    Returns:
        Whether it is to be logged at all.
    """
    thresholds = switches.thresholds
    if thresholds is not None:
        level = number_of(fields[LOG_LEVEL_FIELD]) if LOG_LEVEL_FIELD in fields else INFO
        if thresholds[kind if type(kind) is str else safeunicode(kind)] > level:
            return False
    add(fields)
    return True


def add(fields: Message) -> None:
    """Add what is switched on to a message, or a start message, that is logged in any case."""
    if switches.caller and CALLER_FIELD not in fields:
        caller = _caller()
        if caller is not None:
            fields[CALLER_FIELD] = caller
    switches.name(fields)


def _caller() -> Optional[Dict[str, Any]]:
    """Find the frame that has called Eliot, whose own modules come before it."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    if frame is None:
        return None
    code = frame.f_code
    return {"file": code.co_filename, "line": frame.f_lineno, "function": code.co_name}


#: The folder of Eliot's own modules.
_HERE = _caller.__code__.co_filename[: -len("_switches.py")]


def configure(  # noqa: PLR0913 - each is given by its name
    *,
    duration: Optional[bool] = None,
    traceback: Optional[bool] = None,
    caller: Optional[bool] = None,
    process: Optional[bool] = None,
    host: Optional[bool] = None,
    thread: Optional[bool] = None,
    task: Optional[bool] = None,
    levels: Optional[Mapping[str, Union[str, int]]] = None,
) -> None:
    """
    Choose what all messages of the process tell, and which of them are logged.

    Everything is off to begin with, and what is not named stays as it is. Can be called at any
    time, from any thread. A field that the program itself gives to a message is never replaced.

    Args:
        duration: Whether the end message of each action that starts from now on has the field
            `duration`: how long it took in seconds, by a clock that is never set.
        traceback: Whether the end message of an action that fails has the field `traceback`. An
            exception that leaves several actions is told by the innermost in each task; the others
            have the field `traceback_at`, which says which action that is.
        caller: Whether messages, and start messages of actions, have the field `caller`: file,
            line and function of the logging call.
        process: Whether all messages have the field `process`, the number of the process.
        host: Whether all messages have the field `host`, the name of the machine.
        thread: Whether all messages have the field `thread`, its name.
        task: Whether messages that are logged in a task of asyncio have the field `task`, its name.
        levels: The least level that is logged, by type of message or action: from patterns, in
            which `*` stands for anything, to names of levels. The last one that matches decides. An
            empty mapping has everything logged.

    Raises:
        TypeError: If a switch is neither true nor false, or the levels are no mapping.
        ValueError: If a level is none. Nothing is changed then.

    >>> import eliot
    >>> eliot.configure(duration=True, levels={"*": "info", "app:db:*": "warning"})
    >>> eliot.configure(duration=False, levels={})

    .. versionadded:: 2.0
    """
    given = {
        "duration": duration,
        "traceback": traceback,
        "caller": caller,
        "process": process,
        "host": host,
        "thread": thread,
        "task": task,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in chosen.items():
        if not isinstance(value, bool):
            msg = f"{name} is {value!r}; expected True or False"
            raise TypeError(msg)
    switches.change(chosen, None if levels is None else Thresholds(levels))


def is_enabled(kind: str, level: Union[str, int] = "info") -> bool:
    """
    Tell whether a message or an action of a type and level is logged.

    For fields that take long to compute; everything else is decided by the logging call itself.

    Args:
        kind: The type of the message or the action.
        level: Its level.

    Raises:
        ValueError: If the level is none.

    >>> import eliot
    >>> if is_enabled("app:db:plan", "debug"):
    ...     eliot.log_message("app:db:plan", plan="...", log_level="debug")

    .. versionadded:: 2.0
    """
    number = LEVELS[check_level(level)]
    thresholds = switches.thresholds
    return thresholds is None or number >= thresholds[kind]
