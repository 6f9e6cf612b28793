"""Losses: which messages something could not take, and the message that says so."""

from __future__ import annotations

import json
import time
from typing import Any, Dict, Optional

from eliot._fields import (
    ACTION_TYPE_FIELD,
    DESTINATION_FAILURE_TYPE,
    LOST_TYPE,
    MESSAGE_TYPE_FIELD,
    REASON_FIELD,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
)
from eliot._ids import new_task_uuid
from eliot._typing import Message

__all__ = ["Losses"]

#: So many types are told apart; whoever makes up a type for each message shall not fill the memory.
MAX_TYPES = 100
OTHER_TYPES = "other types"


class Losses:
    """
    Count messages that are lost: how many, of which types, between which times.

    Reports of failed deliveries are left out: each is about a message that is counted. A report of
    losses that is lost itself counts as all those that it tells of.

    Attributes:
        count: How many.
        added: How many of them were added themselves, and are not of a report that was lost.
        types: How many of each message type or action type; at most 100 are told apart.
        first: The earliest timestamp among them, Unix time in seconds; `None` if none has one.
        last: The latest one.

    >>> losses = Losses()
    >>> losses.add({"message_type": "hello", "timestamp": 1.5})
    >>> losses.count, losses.types, losses.first, losses.last
    (1, {'hello': 1}, 1.5, 1.5)
    """

    __slots__ = ("added", "count", "first", "last", "types")

    def __init__(self) -> None:
        self.added = 0
        self.count = 0
        self.types: Dict[str, int] = {}
        self.first: Optional[float] = None
        self.last: Optional[float] = None

    def add(self, message: Any) -> None:
        """Count a message."""
        fields = message if isinstance(message, dict) else {}
        kind = str(fields.get(MESSAGE_TYPE_FIELD, fields.get(ACTION_TYPE_FIELD, "")))
        if kind == DESTINATION_FAILURE_TYPE:
            return
        types = fields.get("types")
        if kind == LOST_TYPE and isinstance(types, dict):
            for told, count in types.items():
                self._count(str(told), count if isinstance(count, int) else 1)
            self._note(fields.get("first"))
            self._note(fields.get("last"))
        else:
            self.added += 1
            self._count(kind, 1)
            self._note(fields.get(TIMESTAMP_FIELD))

    def _count(self, kind: str, count: int) -> None:
        self.count += count
        if kind not in self.types and len(self.types) >= MAX_TYPES:
            kind = OTHER_TYPES
        self.types[kind] = self.types.get(kind, 0) + count

    def _note(self, timestamp: Any) -> None:
        if isinstance(timestamp, (int, float)):
            self.first = timestamp if self.first is None else min(self.first, timestamp)
            self.last = timestamp if self.last is None else max(self.last, timestamp)

    def add_lines(self, lines: bytes) -> None:
        """Count the messages in lines of JSON."""
        for line in lines.splitlines():
            try:
                message = json.loads(line)
            except Exception:  # no JSON, for the program has its own encoder; or no memory
                message = {}
            self.add(message)

    def report(self, reason: str) -> Message:
        """
        Build the message that tells of the losses, in a task of its own.

        Args:
            reason: Why they could not be taken.
        """
        return {
            MESSAGE_TYPE_FIELD: LOST_TYPE,
            "count": self.count,
            "types": self.types,
            "first": self.first,
            "last": self.last,
            REASON_FIELD: reason,
            TIMESTAMP_FIELD: time.time(),
            TASK_UUID_FIELD: new_task_uuid(),
            TASK_LEVEL_FIELD: [1],
        }
