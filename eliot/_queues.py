"""What waits to be written: lines in one piece of memory, or messages one after the other."""

from __future__ import annotations

from collections import deque
from itertools import repeat
from json import loads
from operator import length_hint
from threading import RLock
from typing import Any, Deque, Iterator, NamedTuple, Union

from eliot._depth import depth
from eliot._typing import Message

__all__ = ["Batch", "Lines", "Measured", "Messages", "batch_of"]


class Batch(NamedTuple):
    """What is written together."""

    #: Lines, or a message.
    content: Any
    #: How many messages it has, and how many bytes.
    messages: int
    size: int
    #: How deep inside of logging they were logged, if they are to be counted; see `_depth`.
    depth: int = 0

    def newest_first(self) -> Iterator[Any]:
        """Give the messages, the last one first."""
        if isinstance(self.content, bytes):
            return map(loads, reversed(self.content.splitlines()))
        return iter([self.content])


class Lines:
    """
    Lines for a file, in one piece of memory.

    An object for each line would cost those who log a third more, and the thread that writes three
    times as much, for which those who log have to wait: benchmarks/bench/background.py.

    One at a time may call `grant`, `put`, `take` and `drop`; anybody may add lines meanwhile, with
    `add`, or as that does it: each of its steps is atomic.

    Attributes:
        buffer: The lines. To append to it is atomic, and so is to remove from its front.
        room: An iterator with as many items as messages may be added: to take one is atomic.
        most_bytes: As large may the buffer become.
    """

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.grant(0, 0)

    def clear(self) -> None:
        """Forget what waits."""
        self.buffer.clear()

    def grant(self, messages: int, size: int) -> None:
        """Say how many messages, of how many bytes, may wait from now on."""
        self._before = len(self)
        self._granted = max(0, messages - self._before)
        self.room = repeat("room", self._granted)
        self.most_bytes = size

    def __len__(self) -> int:
        """Return how many messages wait, but for those that are being added."""
        if not self.buffer:
            return 0
        return max(1, self._before + self._granted - length_hint(self.room))

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return len(self.buffer)

    def add(self, line: bytes) -> bool:
        """Add a line if there is room; tell if there was."""
        if len(self.buffer) + len(line) > self.most_bytes or not next(self.room, None):
            return False
        self.buffer.extend(line)
        return True

    def put(self, line: bytes) -> None:
        """Add a line whether there is room or not."""
        self.buffer.extend(line)
        self._before += 1

    def take(self, messages: int, size: int) -> Batch:
        """Remove the oldest lines: so many, and so many bytes, at the most; but at least one."""
        buffer = self.buffer
        if len(buffer) <= size:
            lines = bytes(buffer)
        else:
            end = buffer.rfind(b"\n", 0, size) + 1
            lines = bytes(buffer[: end or buffer.find(b"\n") + 1])
        # As `count` finds it, in a third of the time, before Python 3.13: that looks at one byte
        # after the other, and those who log have to wait for it.
        count = len(lines) - len(lines.replace(b"\n", b""))
        if count > messages:
            lines = b"".join(line + b"\n" for line in lines.split(b"\n", messages)[:-1])
            count = messages
        del buffer[: len(lines)]
        self._before -= count
        return Batch(lines, count, len(lines))

    def drop(self) -> Message:
        """Remove the oldest message."""
        message: Message = loads(self.take(1, 0).content)
        return message


class Measured:
    """A message, the size of its line, and how deep inside of logging it was logged."""

    __slots__ = ("depth", "message", "size")

    def __init__(self, message: Message, size: int) -> None:
        self.message = message
        self.size = size
        self.depth = depth()

    def __len__(self) -> int:
        return self.size


class Messages:
    """
    Messages for any destination.

    It does what `Lines` does, with a lock: a destination that is no file takes longer than that.
    """

    def __init__(self) -> None:
        self._waiting: Deque[Measured] = deque()
        self.clear()
        self.grant(0, 0)

    def clear(self) -> None:
        """Forget what waits."""
        self._lock = RLock()  # a forked child may have got it locked
        self._waiting.clear()
        self.size = 0

    def grant(self, messages: int, size: int) -> None:
        """Say how many messages, of how many bytes, may wait from now on."""
        self._most, self._most_bytes = messages, size

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, entry: Measured) -> bool:
        """Add a message if there is room; tell if there was."""
        with self._lock:
            if self.size + entry.size > self._most_bytes or len(self._waiting) >= self._most:
                return False
            self.put(entry)
            return True

    def put(self, entry: Measured) -> None:
        """Add a message whether there is room or not."""
        with self._lock:
            self._waiting.append(entry)
            self.size += entry.size

    def take(self, messages: int, _: int) -> Batch:
        """Remove the oldest message, if there is any and it is wanted."""
        if not self._waiting or not messages:
            return Batch(None, 0, 0)
        return batch_of(self._pop())

    def drop(self) -> Message:
        """Remove the oldest message."""
        return self._pop().message

    def _pop(self) -> Measured:
        with self._lock:
            entry = self._waiting.popleft()
            self.size -= entry.size
            return entry


def batch_of(entry: Union[bytes, Measured]) -> Batch:
    """Return a batch of one message."""
    if isinstance(entry, Measured):
        return Batch(entry.message, 1, entry.size, entry.depth)
    return Batch(entry, 1, len(entry))
