"""Live output for people: the tree of actions while the program runs, a line for each message."""

from __future__ import annotations

import sys
from collections import deque
from threading import RLock
from typing import Any, Deque, Optional, TextIO, Tuple

from eliot._depth import at_depth, depth
from eliot._destinations import PROCESS
from eliot._events import Events
from eliot._fork import renew_in_child
from eliot._look import Look, look_of, width_of
from eliot._safe import saferepr
from eliot._typing import Message

__all__ = ["Console", "to_console"]


class Console:
    """
    Show each message as it comes; a destination.

    Lines of several threads are never mixed. The look is found anew when standard error is replaced
    by another file, and the width when a terminal is made wider.

    Args:
        stream: Where to write; None is standard error, whatever that is at the time.
        color: Whether there are colours; None is for terminals only.
        full: Whether lines are shown as a whole, however wide the terminal is.

    .. versionadded:: 2.0
    """

    def __init__(
        self, stream: Optional[TextIO] = None, *, color: Optional[bool] = None, full: bool = False
    ) -> None:
        self._stream = stream
        self._color = color
        self._full = full
        self._known: Any = None
        self._look = Look()
        self._events = Events(self._look)
        self._waiting: Deque[Tuple[int, Message]] = deque()
        self._busy = False
        self._lock = RLock()
        renew_in_child(self)

    def _renew(self) -> None:
        self._lock = RLock()
        self._busy = False
        self._waiting.clear()

    def __call__(self, message: Message) -> None:
        """
        Show a message.

        Raises:
            Exception: What the stream raises, such as `BrokenPipeError`.
        """
        with self._lock:
            # What logs itself when it is shown is stopped, as if it were shown right away.
            self._waiting.append((depth(), message))
            if self._busy:  # a signal handler or finalizer, in the midst of what follows
                return
            self._busy = True
            try:
                while self._waiting:
                    level, waiting = self._waiting.popleft()
                    at_depth(level, self._show, waiting)
            finally:
                self._busy = False

    def _show(self, message: Message) -> None:
        stream = sys.stderr if self._stream is None else self._stream
        if stream is None:  # a program without a console
            return
        if stream is not self._known:
            self._known = stream
            self._look = look_of(stream, self._color, local=True)
            self._events.show_as(self._look)
        if self._full:
            self._look.width = None
        elif self._look.width is not None:
            self._look.width = width_of(stream)
        text = self._events.text(message) + "\n"
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


def to_console(
    stream: Optional[TextIO] = None, *, color: Optional[bool] = None, full: bool = False
) -> Console:
    """
    Show what is logged while the program runs: each message as a line, indented as in its tree.

    The start of an action is a line, and so is its end, which tells how long it took. Lines begin
    with the first characters of the task's id, and the local time.

    It is a destination like any other; to end it, give it to `eliot.remove_destination`. A second
    call for the same stream replaces the first.

    Args:
        stream: A file opened for writing text. By default standard error, which leaves alone what
            the program prints.
        color: Whether there are colours; by default on terminals, unless the environment has
            `NO_COLOR`.
        full: Show lines as a whole; by default a line is cut where a terminal ends.

    Returns:
        The destination.

    Raises:
        TypeError: If the stream has no `write` method.

    >>> import io, eliot
    >>> stream = io.StringIO()
    >>> console = eliot.to_console(stream)
    >>> with eliot.start_action(action_type="bake", bread="rye"):
    ...     eliot.log_message("oven", celsius=240)
    >>> eliot.remove_destination(console)
    >>> for line in stream.getvalue().splitlines()[-3:]:
    ...     print(line[23:])  # doctest: +ELLIPSIS
    ▶ bake  bread="rye"
    ├─· oven  celsius=240
    └─✓ bake  ...s

    .. versionadded:: 2.0
    """
    if stream is not None and not callable(getattr(stream, "write", None)):
        msg = f"{saferepr(stream)} is not a file: it has no write method"
        raise TypeError(msg)
    for each in tuple(PROCESS._destinations):
        if isinstance(each, Console) and each._stream is stream:
            PROCESS.remove(each)
    console = Console(stream, color=color, full=full)
    PROCESS.add(console)
    return console
