"""Where am I? The one context variable, and places in the tree that hand out the next slot."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar, Token
from itertools import count
from types import TracebackType
from typing import Any, Callable, Generic, Iterable, List, Optional, Tuple, Type, TypeVar

from eliot._fork import here
from eliot._ids import new_task_uuid
from eliot._later import CRAMPED, LATER
from eliot._safe import saferepr
from eliot._typing import LoggerLike

__all__ = ["Place", "Standpoint", "Visit", "current", "stamp"]

_T = TypeVar("_T")
_Self = TypeVar("_Self", bound="Place")


class Place:
    """
    A position in the tree of a task, which can be the current one, and numbers what happens there.

    In a child that is forked while this place exists, it is the parent's: see `_branch`.

    Args:
        logger: Takes the messages that are logged here.
        task_uuid: Which task.
        level: Where in it; the numbers of a task level.
    """

    # With a __dict__: programs have always been free to keep things of their own on an action.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_level",
        "_logger",
        "_process",
        "_slots",
        "_task_uuid",
        "_visits",
    )

    def __init__(self, logger: LoggerLike, task_uuid: str, level: Iterable[int]) -> None:
        self._logger = logger
        self._task_uuid = task_uuid
        self._level = tuple(level)
        self._process = here.process
        # next() of a count is one atomic step: threads that share a place never share a slot.
        self._slots = count(1)
        self._visits: List[Visit[Any]] = []

    def stamp(self) -> Tuple[str, List[int]]:
        """Return the task uuid, and the next slot as a list of the caller's own."""
        if self._process is not here.process:
            here.adopt(self)
        return self._task_uuid, [*self._level, next(self._slots)]

    def finish(self, exception: Optional[BaseException] = None) -> None:
        """Say that what happens here is over; a mere place has nothing to say."""

    def __enter__(self: _Self) -> _Self:  # noqa: PYI019 - typing.Self comes with Python 3.11
        """Make this the current place."""
        # A visit without calling its class: that would take time, and a frame, and the recursion
        # limit may be near.
        visit: Visit[Any] = _new(Visit)
        visit.place = self
        visit.over = False
        visit._token = _CURRENT.set(visit)
        self._visits.append(visit)
        return self

    def __exit__(
        self,
        exception_class: Optional[Type[BaseException]],
        exception: Optional[BaseException],
        tb: Optional[TracebackType],
    ) -> None:
        """
        End the last visit that began with `__enter__`, of those in this context if there are any.

        A place that was never entered leaves everything as it is. Then the place is finished.
        """
        try:
            visit = self._visits[-1]
            _CURRENT.reset(visit._token)  # type: ignore[arg-type] # it has been entered
            self._visits.remove(visit)
        except (IndexError, ValueError, RuntimeError):
            self._leave_elsewhere()
        try:
            self.finish(exception)
        except CRAMPED:
            LATER.append((self.finish, (exception,)))

    def _leave_elsewhere(self) -> None:
        """End the last visit that began in this context, or else the last one of all."""
        visits = self._visits.copy()
        for visit in reversed(visits):
            if visit.undo():
                self._visits.remove(visit)
                return
        if visits:
            visits[-1].end_elsewhere()
            with suppress(ValueError):  # another thread has come to the same end
                self._visits.remove(visits[-1])


_P = TypeVar("_P", bound=Place)


class Visit(Generic[_P]):
    """
    A stay in a place: it is the current one during a `with` block.

    A block may be left in another context than it was entered in: generators are closed by
    whoever closes them, asynchronous ones by the event loop. Nothing can be put right from there,
    so the visit is marked as over, and undone when somebody finds it in its own context. Whoever
    finds it in a copy of that stays: it may be a task that was made during the visit.

    Args:
        place: The place.
    """

    __slots__ = ("_token", "over", "place")

    def __init__(self, place: _P) -> None:
        self.place = place
        self.over = False
        self._token: Optional[Token[Optional[Visit[Any]]]] = None

    def __enter__(self) -> _P:
        if self._token is not None:
            msg = f"a context manager of {saferepr(self.place)} is for one block; make another one"
            raise RuntimeError(msg)
        self._token = _CURRENT.set(self)
        return self.place

    def __exit__(self, *_: object) -> None:
        if not self.undo():
            self.end_elsewhere()

    def end_elsewhere(self) -> None:
        """End the visit from another context than that where it began."""
        self.over = True
        if _CURRENT.get() is self:
            old = self._token.old_value  # type: ignore[union-attr] # it has been entered
            _CURRENT.set(None if old is Token.MISSING else old)

    def undo(self) -> bool:
        """Make current what was so before, and return whether that can be done in this context."""
        try:
            _CURRENT.reset(self._token)  # type: ignore[arg-type] # it has been entered
        # Made in another context, or undone by another thread that shares the place.
        except (ValueError, RuntimeError):
            return False
        return True


class Standpoint:
    """
    The current place of work that comes step by step, kept apart from that of its consumer.

    Other than `contextvars.Context`, which has the same method, it leaves alone the variables of
    the program: what a generator sets, its consumer sees, as always.
    """

    __slots__ = ("_visit",)

    def __init__(self) -> None:
        self._visit = _CURRENT.get()

    def run(self, step: Callable[..., _T], *args: Any) -> _T:
        """Call a function where the work is, and go back to where the consumer is."""
        token = _CURRENT.set(self._visit)
        try:
            return step(*args)
        finally:
            self._visit = _CURRENT.get()
            _CURRENT.reset(token)


_new: Any = object.__new__

_CURRENT: ContextVar[Optional[Visit[Any]]] = ContextVar("eliot.action", default=None)


def current() -> Optional[Place]:
    """Return the place where the running code is, if it is anywhere."""
    visit = _CURRENT.get()
    while visit is not None and visit.over and visit.undo():
        visit = _CURRENT.get()
    return None if visit is None else visit.place


def stamp() -> Tuple[str, List[int]]:
    """Return task uuid and level of the next message: a slot of the current place or a new task."""
    place = current()
    return (new_task_uuid(), [1]) if place is None else place.stamp()
