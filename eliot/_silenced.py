"""Silenced actions: below the threshold of their type, so that the log does not have them."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, List, Optional, Tuple, Type

from eliot._act import Action
from eliot._context import Place, make_current, undo
from eliot._ids import new_task_uuid
from eliot._later import CRAMPED, LATER
from eliot._schema import ActionSerializers
from eliot._speech import say_as_told
from eliot._switches import prepare, switches
from eliot._tasklevel import TaskLevel
from eliot._typing import LoggerLike, Message

__all__ = ["Silenced"]


class Silenced(Action):
    """
    An action that the log does not have.

    It is the current one as any other, but takes no place in the tree: what happens in it belongs
    to the nearest action around it that is logged. Without such an action, each message and each
    action in it is the root of a task of its own.

    `eliot._action.begin` makes one, of the parts that differ.

    Attributes:
        _logged: The nearest action around it that is logged.
    """

    __slots__ = ("_logged",)

    _logged: Optional[Place]

    if not TYPE_CHECKING:  # checkers would miss the arguments of an action
        __init__ = object.__init__  # takes two thirds of the time of an own one that does nothing

    # So few of them are ever another's that they have no slots here: each one filled costs time.
    # Other than a place, this is always unclear: it is a kind of visit to the place of another.
    unclear = True
    _over = False
    _visits = ()
    _successFields = None

    @property
    def parent(self) -> Optional[Action]:
        """The nearest action around it that is logged."""
        return self._logged  # type: ignore[return-value] # only actions are ever made current

    @property
    def task_uuid(self) -> str:
        """The id of the task that what happens here is part of; if there is none, a new one."""
        place = self._logged
        if place is not None:
            return place._task_uuid
        # One atomic step, for threads may share an action.
        uuid: str = self.__dict__.setdefault("_own_task_uuid", new_task_uuid())
        return uuid

    @property
    def task_level(self) -> TaskLevel:
        """The place of the nearest action that is logged; the root if there is none."""
        place = self._logged
        return TaskLevel(() if place is None else place._level)

    def stamp(self) -> Tuple[str, List[int]]:
        """Return a place for another action: task uuid, and level as a list of the caller's own."""
        place = self._logged
        return (new_task_uuid(), []) if place is None else place.stamp()

    def child(
        self,
        logger: Optional[LoggerLike],
        action_type: str,
        serializers: Optional[ActionSerializers] = None,
    ) -> Any:
        """Make an action in the next slot of the nearest one that is logged."""
        place: Any = self._logged
        if place is not None:
            return place.child(logger, action_type, serializers)
        return Action(logger, new_task_uuid(), TaskLevel(()), action_type, serializers)

    def _start(self, fields: Message) -> None:
        """Log nothing."""

    def log(self, message_type: str, **fields: Any) -> None:
        """Log a message in the nearest action that is logged."""
        if switches.on:
            try:
                if not prepare(message_type, fields):
                    return
            except CRAMPED:  # it is logged as if nothing were switched on
                pass
        try:
            say_as_told(self._logged, message_type, fields)
        except CRAMPED:
            LATER.append((say_as_told, (self._logged, message_type, fields)))

    def add_success_fields(self, **fields: Any) -> None:
        """Forget them."""

    addSuccessFields = add_success_fields

    def add_fields(self, **fields: Any) -> None:
        """Forget them."""

    def finish(self, exception: Optional[BaseException] = None) -> None:
        """End, and log nothing."""
        if self._ended_at is None:
            if exception is not None:
                self._exception = exception
            self._ended_at = time.time()

    def __enter__(self) -> Silenced:  # noqa: PYI034 - typing.Self comes with Python 3.11
        """Make this the current action."""
        try:
            del self._unvisited
        except AttributeError:
            return super().__enter__()
        self._token = make_current(self)
        return self

    def __exit__(
        self,
        exception_class: Optional[Type[BaseException]],
        exception: Optional[BaseException],
        tb: Optional[TracebackType],
    ) -> None:
        """Do what any action does, in half the time if it was entered once."""
        if exception is None and not self._visits and self._ended_at is None:
            try:
                undo(self._token)  # type: ignore[arg-type] # None is a TypeError
            except (AttributeError, ValueError, RuntimeError, TypeError):
                pass
            else:
                self._token = None
                self._ended_at = time.time()
                return
        super().__exit__(exception_class, exception, tb)

    def end_elsewhere(self) -> None:
        """End the stay from another context than that where it began."""
        self._over = True
        super().end_elsewhere()
