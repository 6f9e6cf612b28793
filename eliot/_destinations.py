"""The fan-out: every message to every destination, and a report for each one that fails."""

from __future__ import annotations

import warnings
from threading import RLock
from typing import Any, Iterable, List

from eliot._context import current
from eliot._fields import DESTINATION_FAILURE_TYPE, MESSAGE_TYPE_FIELD, PROTECTED_FIELDS
from eliot._reports import destination_failure
from eliot._safe import saferepr
from eliot._typing import Destination, LoggerLike, Message

__all__ = ["PROCESS", "BufferingDestination", "Destinations"]

#: How many messages are kept for the first destination.
BUFFER_SIZE = 1000


class BufferingDestination:
    """
    Keep the newest 1,000 messages until somebody wants them.

    Attributes:
        messages: The messages, oldest first.
    """

    def __init__(self) -> None:
        self.messages: List[Message] = []

    def __call__(self, message: Message) -> None:
        self.messages.append(message)
        if len(self.messages) > BUFFER_SIZE:
            del self.messages[0]


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
        self._destinations: List[Destination] = [BufferingDestination()]
        self._any_added = False
        self._globalFields: Message = {}
        # Re-entrant: a destination may add or remove destinations, or log.
        self._lock = RLock()

    def send(self, message: Message, logger: LoggerLike | None = None) -> None:
        """
        Deliver a message.

        Args:
            message: The global fields are added to it.
            logger: Gets the reports of failures; if none is named, the logger of the current
                action, or else the destinations of the process.
        """
        if not self._any_added:
            with self._lock:  # or the message could miss both the buffer and its heir
                if not self._any_added:
                    self._deliver(message, self._destinations, logger)
                    return
        self._deliver(message, self._destinations, logger)

    def _deliver(
        self, message: Message, destinations: Iterable[Destination], logger: LoggerLike | None
    ) -> None:
        """Give the message to each destination once, then report those that raised something."""
        if self._globalFields:
            message.update(self._globalFields)
        failures = []
        # A copy, for destinations may come and go meanwhile.
        for destination in tuple(destinations):
            try:
                destination(message)
            except Exception as error:
                failures.append(error)
        # A report that fails is not reported in turn: that could go on for ever.
        if failures and message.get(MESSAGE_TYPE_FIELD) != DESTINATION_FAILURE_TYPE:
            for failure in failures:
                _report(message, failure, logger)

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
                "to log to a file use to_file(file)"
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
                        self._destinations.remove(each)
            self._destinations.extend(destinations)
            self._any_added = True  # from now on nobody waits for the lock
        for message in early:
            self._deliver(message, destinations, None)

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

    addGlobalFields = add_global_fields


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
    except Exception:  # noqa: S110 - there is nobody left to tell
        pass
