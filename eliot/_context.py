"""Where am I? The one context variable, and places in the tree that hand out the next slot."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar, Token
from itertools import count
from types import TracebackType
from typing import (
    Any,
    Callable,
    Generic,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
)

from eliot._fork import here
from eliot._ids import new_task_uuid
from eliot._later import CRAMPED, LATER
from eliot._safe import saferepr
from eliot._typing import LoggerLike

__all__ = [
    "Place",
    "Standpoint",
    "Visit",
    "current",
    "innermost",
    "make_current",
    "stamp",
    "standing",
    "undo",
]

_T = TypeVar("_T")
_Self = TypeVar("_Self", bound="Place")


class _Stay:
    """
    What is in the context variable while a place is the current one.

    A block may be left in another context than it was entered in: generators are closed by
    whoever closes them, asynchronous ones by the event loop. Nothing can be put right from there,
    so the stay is marked as over, and undone when somebody finds it in its own context. Whoever
    finds it in a copy of that stays: it may be a task that was made during the stay.

    Attributes:
        unclear: Whether it takes `current` to say which place it means.
    """

    __slots__ = ("_token", "unclear")

    _token: Optional[Token[Optional[_Stay]]]
    unclear: bool

    def undo(self) -> bool:
        """Make current what was so before, and return whether that can be done in this context."""
        try:
            _CURRENT.reset(self._token)  # type: ignore[arg-type] # None is a TypeError
        # Made in another context; undone, perhaps by another thread; never begun.
        except (ValueError, RuntimeError, TypeError):
            return False
        return True

    def end_elsewhere(self) -> None:
        """End the stay from another context than that where it began."""
        self.unclear = True
        if _CURRENT.get() is self:
            old = self._token.old_value  # type: ignore[union-attr] # it has begun
            _CURRENT.set(None if old is Token.MISSING else old)


class Place(_Stay):
    """
    A position in the tree of a task, which can be the current one, and numbers what happens there.

    In a child that is forked while this place exists, it is the parent's: see `_branch`.

    Args:
        logger: Takes the messages that are logged here.
        task_uuid: Which task.
        level: Where in it; the numbers of a task level.

    Attributes:
        has_own_log: Whether its class logs messages in a way of its own. Such a place is always
            entered by a visit, which is unclear, so that all others need not look at this.
    """

    has_own_log: bool = False

    # With a __dict__: programs have always been free to keep things of their own on an action.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_level",
        "_logger",
        "_process",
        "_slots",
        "_task_uuid",
        "_unvisited",
        "_visits",
    )

    def __init__(self, logger: LoggerLike, task_uuid: str, level: Iterable[int]) -> None:
        self._logger = logger
        self._task_uuid = task_uuid
        self._level: Sequence[int] = tuple(level)  # never changed in place
        self._process = here.process
        # next() of a count is one atomic step: threads that share a place never share a slot.
        self._slots: Iterator[int] = count(1)
        self._unvisited = True
        # All but the first one, which is the place itself: most places have no other.
        self._visits: Sequence[Visit[Any]] = ()

    def stamp(self) -> Tuple[str, List[int]]:
        """Return the task uuid, and the next slot as a list of the caller's own."""
        if self._process is not here.process:
            here.adopt(self)
        return self._task_uuid, [*self._level, next(self._slots)]

    def finish(self, exception: Optional[BaseException] = None) -> None:
        """Say that what happens here is over; a mere place has nothing to say."""

    def __enter__(self: _Self) -> _Self:  # noqa: PYI019 - typing.Self comes with Python 3.11
        """Make this the current place."""
        try:
            del self._unvisited  # one atomic step: threads may share a place
        except AttributeError:
            visit = Visit(self)
            visit.__enter__()
            # One atomic step, for threads may share a place.
            self._visits = mine = self.__dict__.setdefault("_later_visits", [])
            mine.append(visit)
        else:
            self.unclear = False
            self._token = _CURRENT.set(self)
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
        # Without a call, for the recursion limit may be near.
        if self._visits:
            self._leave()
        else:
            try:
                _CURRENT.reset(self._token)  # type: ignore[arg-type] # None is a TypeError
                self._token = None
            except (AttributeError, ValueError, RuntimeError, TypeError):
                self._leave()
        try:
            self.finish(exception)
        except CRAMPED:
            LATER.append((self.finish, (exception,)))

    def _leave(self) -> None:
        """End the last visit that began in this context, or else the last one of all."""
        stays: List[_Stay] = [*self._visits]
        if not _is_over(self) and getattr(self, "_token", None) is not None:
            stays.insert(0, self)
        for stay in reversed(stays):
            if stay.undo():
                self._forget(stay)
                return
        if stays:
            stays[-1].end_elsewhere()
            self._forget(stays[-1])

    def _forget(self, stay: _Stay) -> None:
        if stay is not self:
            with suppress(ValueError):  # another thread has come to the same end
                self.__dict__["_later_visits"].remove(stay)
        elif not _is_over(self):
            self._token = None


_P = TypeVar("_P", bound=Place)


class Visit(_Stay, Generic[_P]):
    """
    A stay in a place: it is the current one during a `with` block.

    Args:
        place: The place.
    """

    __slots__ = ("_over", "_place")

    _over: bool
    _place: _P

    def __init__(self, place: _P) -> None:
        self._place = place
        self._over = False
        self.unclear = True
        self._token = None

    def __enter__(self) -> _P:
        if self._token is not None:
            msg = f"a context manager of {saferepr(self._place)} is for one block; make another one"
            raise RuntimeError(msg)
        self._token = _CURRENT.set(self)
        return self._place

    def __exit__(self, *_: object) -> None:
        if not self.undo():
            self.end_elsewhere()

    def end_elsewhere(self) -> None:
        """End the visit from another context than that where it began."""
        self._over = True
        super().end_elsewhere()


class Standpoint:
    """
    The current place of work that comes step by step, kept apart from that of its consumer.

    Other than `contextvars.Context`, which has the same method, it leaves alone the variables of
    the program: what a generator sets, its consumer sees, as always.
    """

    __slots__ = ("_stay",)

    def __init__(self) -> None:
        self._stay = _CURRENT.get()

    def run(self, step: Callable[..., _T], *args: Any) -> _T:
        """Call a function where the work is, and go back to where the consumer is."""
        token = _CURRENT.set(self._stay)
        try:
            return step(*args)
        finally:
            self._stay = _CURRENT.get()
            _CURRENT.reset(token)


_CURRENT: ContextVar[Optional[_Stay]] = ContextVar("eliot.action", default=None)

# For other rooms on the hot path: each use of a method of an imported object would make a new
# bound method, which takes longer than the call.
innermost = _CURRENT.get
make_current = _CURRENT.set
undo = _CURRENT.reset


def _is_over(stay: _Stay) -> bool:
    """Tell whether a stay has ended elsewhere, or has never begun."""
    # A place is unclear then, and only then; what else there is, is always unclear.
    return getattr(stay, "_over", getattr(stay, "unclear", True))


def standing() -> Optional[Place]:
    """Return the place where the running code is, if it is anywhere."""
    stay: Any = _CURRENT.get()
    while stay is not None and stay.unclear:
        if not (getattr(stay, "_over", True) and stay.undo()):
            return getattr(stay, "_place", stay)  # type: ignore[no-any-return] # of a visit
        stay = _CURRENT.get()
    return stay  # type: ignore[no-any-return] # a place that is clear, or None


def current() -> Optional[Place]:
    """Return the place where what the running code says belongs: the nearest that is logged."""
    # The same as above, without a call: the recursion limit may be near.
    stay: Any = _CURRENT.get()
    while stay is not None and stay.unclear:
        if not (getattr(stay, "_over", True) and stay.undo()):
            stay = getattr(stay, "_place", stay)
            break
        stay = _CURRENT.get()
    # Of a silenced action, it is that of the one around it.
    return getattr(stay, "_logged", stay)  # type: ignore[no-any-return] # always a place


def stamp() -> Tuple[str, List[int]]:
    """Return task uuid and level of the next message: a slot of the current place or a new task."""
    place = current()
    return (new_task_uuid(), [1]) if place is None else place.stamp()
