"""The fan-out: every message to every destination, and a report for each one that fails."""

from __future__ import annotations

import warnings
from itertools import count
from threading import RLock
from types import BuiltinFunctionType
from typing import Any, Callable, Dict, Iterable, List, Tuple

from eliot._context import current
from eliot._depth import within
from eliot._fields import DESTINATION_FAILURE_TYPE, MESSAGE_TYPE_FIELD, PROTECTED_FIELDS
from eliot._fork import renew_in_child
from eliot._later import LATER, is_cramped, need_room
from eliot._reports import destination_failure
from eliot._safe import saferepr
from eliot._typing import Destination, LoggerLike, Message

__all__ = ["PROCESS", "BufferingDestination", "Destinations"]

#: How many messages are kept for the first destination.
BUFFER_SIZE = 1000

#: Delivers a message; the logger gets the reports of failures.
_Deliver = Callable[[Message, "LoggerLike | None"], None]


class BufferingDestination:
    """
    Keep the newest 1,000 messages until somebody wants them.

    Attributes:
        messages: The messages, oldest first.
        dropped: How many older ones are gone.
    """

    def __init__(self) -> None:
        self.messages: List[Message] = []
        self.dropped = 0

    def __call__(self, message: Message) -> None:
        self.messages.append(message)
        if len(self.messages) > BUFFER_SIZE:
            del self.messages[0]
            self.dropped += 1


class _Record:
    """When a destination came, and how often it has failed since."""

    __slots__ = ("before", "failed")

    def __init__(self, before: int) -> None:
        self.before = before
        self.failed = count()


class _Members(List[Destination]):
    """The list of destinations, which also programs change; its owner hears of it."""

    def __init__(self, destinations: Iterable[Destination], changed: Callable[[], None]) -> None:
        super().__init__(destinations)
        self._changed = changed


def _telling(name: str) -> Callable[..., Any]:
    change = getattr(list, name)

    def change_and_tell(self: _Members, *args: Any, **kwargs: Any) -> Any:
        try:
            return change(self, *args, **kwargs)
        finally:
            self._changed()

    return change_and_tell


for _name in (
    "__delitem__",
    "__iadd__",
    "__imul__",
    "__setitem__",
    "append",
    "clear",
    "extend",
    "insert",
    "pop",
    "remove",
    "reverse",
    "sort",
):
    setattr(_Members, _name, _telling(_name))


class Destinations:
    """
    Deliver messages to all destinations, in the order in which these were added.

    A destination is any callable that takes a message, a dictionary. All of them get the same
    dictionary, so they must not change it. One that raises an exception does not disturb the
    others: they get the message, and then, together with the broken one, a message of type
    `eliot:destination_failure` that tells what happened. What goes wrong with *that* is dropped.

    Until the first destination is added, the newest 1,000 messages are kept for it.
    """

    def __init__(self) -> None:
        self._any_added = False
        self._dropped_early = 0
        self._globalFields: Message = {}
        # How many messages there were: next() is atomic, other than += 1.
        self._sent = count()
        self._records: Dict[int, _Record] = {}
        # Re-entrant: a destination may add or remove destinations, or log.
        self._lock = RLock()
        self._destinations = [BufferingDestination()]
        renew_in_child(self)

    def _renew(self) -> None:
        self._lock = RLock()
        self._plan()  # another thread may have been in the middle of that

    @property
    def _destinations(self) -> List[Destination]:
        return self._members

    @_destinations.setter
    def _destinations(self, destinations: Iterable[Destination]) -> None:
        self._members = _Members(destinations, self._plan)
        self._plan()

    def _plan(self) -> None:
        """Find the shortest way for messages, after a change of anything."""
        with self._lock:
            members = tuple(self._members)
            sent = _value(self._sent)
            self._records = {
                id(each): self._records.get(id(each)) or _Record(sent) for each in members
            }
            # A copy, for destinations may come and go meanwhile.
            self._way = tuple(_called(each) for each in members)
            deliver: _Deliver = self._deliver if self._any_added else self._deliver_early
            if self._any_added and not members:
                deliver = _only_count(self._sent)
            elif self._any_added and len(members) == 1 and not self._globalFields:
                compile_for = getattr(members[0], "_deliverer", None)
                if compile_for is not None:
                    deliver = compile_for(self._sent, self._failed) or deliver
            self._shortest = deliver
            #: Delivers a message, to which global fields may be added; see `send`, which a subclass
            #: may do in a way of its own.
            own = type(self).send is not Destinations.send
            self.deliver: _Deliver = self.send if own else deliver

    def send(self, message: Message, logger: LoggerLike | None = None) -> None:
        """
        Deliver a message.

        Args:
            message: The global fields are added to it.
            logger: Gets the reports of failures; if none is named, the logger of the current
                action, or else the destinations of the process.
        """
        self._shortest(message, logger)

    def _deliver_early(self, message: Message, logger: LoggerLike | None) -> None:
        """Deliver while nobody has come yet."""
        with self._lock:  # or the message could miss both the buffer and its heir
            if not self._any_added:
                self._deliver(message, logger)
                return
        self._deliver(message, logger)

    def _deliver(self, message: Message, logger: LoggerLike | None) -> None:
        need_room()  # now, or a destination that has the message would get it again later
        self._give(message, self._way, logger)
        next(self._sent)

    def _give(
        self,
        message: Message,
        way: Tuple[Tuple[Destination, Callable[[Message], object]], ...],
        logger: LoggerLike | None,
    ) -> None:
        """Give the message to each destination once, then report those that raised something."""
        if self._globalFields:
            message.update(self._globalFields)
        failures: List[Tuple[Destination, Exception]] = []
        for destination, call in way:
            try:
                call(message)
            except Exception as error:
                if isinstance(error, RecursionError) and is_cramped():
                    LATER.append((self._give, (message, ((destination, call),), logger)))
                else:
                    failures.append((destination, error))
        if failures:
            try:
                self._failed(message, logger, failures)
            except RecursionError:
                LATER.append((self._failed, (message, logger, failures)))

    def _failed(
        self,
        message: Message,
        logger: LoggerLike | None,
        failures: List[Tuple[Destination, Exception]],
    ) -> None:
        """Count and report failures."""
        for destination, _ in failures:
            record = self._records.get(id(destination))
            if record is not None:  # else it has been removed meanwhile
                next(record.failed)
        # A report that fails is not reported in turn: that could go on for ever.
        if message.get(MESSAGE_TYPE_FIELD) != DESTINATION_FAILURE_TYPE:
            for _, failure in failures:
                try:
                    _report(message, failure, logger)
                except RecursionError:
                    LATER.append((_report, (message, failure, logger)))

    def numbers(self) -> Tuple[int, List[Tuple[Destination, int, int]], int]:
        """
        Return what `eliot.status()` is made of.

        Returns:
            How many messages there were; for each destination, how many there were before it came,
            and how many it could not take; and how many were dropped before there was any.
        """
        numbers = []
        sent = _value(self._sent)
        dropped = self._dropped_early
        for each in tuple(self._members):
            if isinstance(each, BufferingDestination):
                dropped += each.dropped
                continue
            # It may have been removed meanwhile.
            record = self._records.get(id(each)) or _Record(sent)
            numbers.append((each, record.before, _value(record.failed)))
        return sent, numbers, dropped

    def add(self, *destinations: Destination) -> None:
        """
        Add destinations; the first ones also get what was logged before, up to 1,000 messages.

        Args:
            destinations: Callables that take a message.

        Raises:
            TypeError: If one of them cannot be called; none is added then.

        >>> import eliot
        >>> eliot.add_destinations(lambda message: None)
        """
        wrong: List[object] = [each for each in destinations if not callable(each)]
        if wrong:
            msg = (
                f"{saferepr(wrong[0])} cannot be a destination, since it cannot be called; "
                "to log to a file use to_file(file), "
                "to a handler of standard logging eliot.stdlib.HandlerDestination(handler)"
            )
            raise TypeError(msg)
        if not destinations:
            return
        early: List[Message] = []
        with self._lock:
            if not self._any_added:
                for each in tuple(self._destinations):
                    if isinstance(each, BufferingDestination):
                        early.extend(each.messages)
                        self._dropped_early += each.dropped
                        self._destinations.remove(each)
            self._any_added = True  # from now on nobody waits for the lock
            self._destinations.extend(destinations)
            for each in destinations:
                self._records[id(each)].before -= len(early)
        way = tuple(_called(each) for each in destinations)
        for message in early:
            self._give(message, way, None)

    def remove(self, destination: Destination) -> None:
        """
        Remove a destination.

        Args:
            destination: The first one that is equal to it is removed.

        Raises:
            ValueError: If there is none.
        """
        with self._lock:
            try:
                self._destinations.remove(destination)
            except ValueError:
                msg = f"{saferepr(destination)} is not among the destinations"
                raise ValueError(msg) from None

    def add_global_fields(self, **fields: Any) -> None:
        """
        Add fields to every message from now on.

        They override fields of the same name, but for those that say which message it is:
        `task_uuid`, `task_level`, `timestamp`, `message_type`, `action_type`, `action_status`.
        These are refused with a warning.

        >>> import eliot
        >>> eliot.add_global_fields(service="billing")
        """
        refused = sorted(PROTECTED_FIELDS.intersection(fields))
        if refused:
            warnings.warn(
                f"global fields cannot replace {', '.join(refused)}: ignored; choose another name",
                UserWarning,
                stacklevel=2,
            )
        with self._lock:
            self._globalFields = {
                **self._globalFields,
                **{key: value for key, value in fields.items() if key not in PROTECTED_FIELDS},
            }
            self._plan()

    addGlobalFields = add_global_fields


def _only_count(sent: Any) -> _Deliver:
    """Make what delivers a message to nobody."""

    def deliver(message: Message, logger: LoggerLike | None) -> None:  # noqa: ARG001 - see `send`
        next(sent)

    return deliver


def _value(counter: Any) -> int:
    """Read a count without taking its next number."""
    return int(repr(counter)[len("count(") : -1])


def _called(destination: Destination) -> Tuple[Destination, Callable[[Message], object]]:
    """Say how to call a destination: with an eye on its logging something, unless it never does."""
    if isinstance(destination, BuiltinFunctionType) or hasattr(destination, "_deliverer"):
        return destination, getattr(destination, "_caller", destination)
    return destination, lambda message: within(destination, message)


#: The destinations of the process.
PROCESS = Destinations()


def _report(message: Message, failure: Exception, logger: LoggerLike | None) -> None:
    """Log a failure where the running code is; what goes wrong with that is dropped."""
    try:
        report = destination_failure(message, failure)
        if logger is None:
            place = current()
            logger = None if place is None else place._logger
        if logger is None:
            PROCESS.send(report)
        else:
            logger.write(report)
    except Exception as error:  # there is nobody left to tell, but perhaps later
        if isinstance(error, RecursionError) and is_cramped():
            LATER.append((_report, (message, failure, logger)))
