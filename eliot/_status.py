"""The self-report: what has become of the messages."""

from __future__ import annotations

from typing import NamedTuple, Tuple

from eliot._destinations import PROCESS, Destinations
from eliot._typing import Destination

__all__ = ["DestinationStatus", "Status", "status"]


class DestinationStatus(NamedTuple):
    """
    What has become of the messages that a destination was given.

    Attributes:
        destination: The destination.
        written: How many it has taken.
        failed: How many it has not, for it raised an exception; see `eliot:destination_failure`.
        degraded: How many it has written with a part that could not be kept; see `eliot:degraded`.
        dropped: How many it has dropped, for its queue was full.
        waiting: How many are in its queue.

    .. versionadded:: 2.0
    """

    destination: Destination
    written: int
    failed: int
    degraded: int
    dropped: int
    waiting: int


class Status(NamedTuple):
    """
    What has become of the messages of this process.

    Attributes:
        destinations: One entry for each destination.
        dropped: How many messages were dropped before there was any: of those the newest 1,000 are
            kept.

    .. versionadded:: 2.0
    """

    destinations: Tuple[DestinationStatus, ...]
    dropped: int


def status(destinations: Destinations = PROCESS) -> Status:
    """
    Tell what has become of the messages so far: written, failed, degraded, dropped, waiting.

    It costs nothing before it is called, and microseconds then.

    Args:
        destinations: Those of the process.

    >>> import eliot
    >>> for destination in eliot.status().destinations:
    ...     print(destination.written, destination.failed)

    .. versionadded:: 2.0
    """
    sent, numbers, dropped = destinations.numbers()
    return Status(tuple(_of(sent, *each) for each in numbers), dropped)


def _of(sent: int, destination: Destination, before: int, failed: int) -> DestinationStatus:
    degraded, dropped, waiting, late = (
        getattr(destination, name, 0) for name in ("degraded", "dropped", "waiting", "failed")
    )
    failed += late
    written = sent - before - failed - dropped - waiting
    return DestinationStatus(destination, written, failed, degraded, dropped, waiting)
