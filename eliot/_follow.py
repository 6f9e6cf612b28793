"""Logs that grow: what is in them, and then what comes."""

from __future__ import annotations

import os
import time
from typing import IO, Callable, Iterable, Iterator, List, Optional, Union

from eliot._inputs import Log, OnProblem, Problem, Source, is_compressed, reason_of
from eliot._lines import BadLine, read_lines
from eliot._typing import Message

__all__ = ["Following"]

_CHUNK = 1 << 20

#: So much is remembered of what was read last, to find out whether it is still there.
_TAIL = 1024

#: How long to wait for files to grow, in seconds.
_PAUSE = 0.1


class _Growing:
    """A file that grows, may be cut, and may be moved away for a new one to take its place."""

    def __init__(self, path: str) -> None:
        self.name = path
        self.line = 0
        self._path = path
        self._file: Optional[IO[bytes]] = None
        self._identity = (0, 0)
        #: What stands before the position, and before the line that is not complete yet; where that
        #: begins.
        self._tail = self._tail_of_lines = b""
        self._whole = 0
        #: The line that is not complete yet.
        self._rest: List[bytes] = []
        self._told = False

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def news(self) -> Iterator[Union[Message, BadLine, Problem, None]]:
        """Read what has come; None says that there was something, be it no whole line."""
        file = self._file
        if file is None:
            try:
                file = self._file = self._open()
            except OSError as error:  # it may still come
                if not self._told:
                    self._told = True
                    yield Problem(self.name, None, f"{reason_of(error)}; waiting for it")
                return
        replaced = self._is_replaced()
        data = self._read(file)
        if data:
            yield None
            yield from self._decoded(data)
        elif data is None and self._go_back(file):
            yield None
        elif data is None or replaced:
            yield None
            yield from self._decoded(b"", last=True)
            if data is None:
                self._begin(file)
            else:
                self.close()

    def _open(self) -> IO[bytes]:
        file = open(self._path, "rb", buffering=0)  # noqa: SIM115 - close() closes it
        state = os.fstat(file.fileno())
        self._identity = state.st_dev, state.st_ino
        self._begin(file)
        return file

    def _begin(self, file: IO[bytes]) -> None:
        """Read from the beginning on."""
        file.seek(0)
        self._tail = self._tail_of_lines = b""
        self._whole = 0
        self.line = 0

    def _read(self, file: IO[bytes]) -> Optional[bytes]:
        """
        Read on; None says that what was read before is not there any more, for the file was cut.

        It may have grown since beyond its old size, so that the size tells nothing.
        """
        tail = self._tail
        file.seek(-len(tail), os.SEEK_CUR)
        data = file.read(len(tail) + _CHUNK)
        if not data.startswith(tail):
            return None
        self._tail = data[-_TAIL:]
        end = data.rfind(b"\n", len(tail)) + 1
        if end:
            self._tail_of_lines = data[max(end - _TAIL, 0) : end]
            self._whole = file.tell() - len(data) + end
        return data[len(tail) :]

    def _go_back(self, file: IO[bytes]) -> bool:
        """
        Go back to the last line that is complete, if that is still there.

        Who cannot write all of a line, for the disk is full, may cut off the start of it again.
        """
        tail = self._tail_of_lines
        if not tail:
            return False
        file.seek(self._whole - len(tail))
        if file.read(len(tail)) != tail:
            return False
        self._tail = tail
        self._rest = []
        return True

    def _is_replaced(self) -> bool:
        """Tell whether another file has the name; until there is one, this one may still grow."""
        try:
            state = os.stat(self._path)
        except OSError:
            return False
        return (state.st_dev, state.st_ino) != self._identity

    def _decoded(
        self, data: bytes, *, last: bool = False
    ) -> Iterator[Union[Message, BadLine, Problem]]:
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._rest, lines[0]])
            self._rest = []
        self._rest.append(rest)
        if last:
            lines, self._rest = [b"".join(self._rest)], []
        before = self.line
        for item in read_lines(self._counted(lines, b"" if last else b"\n")):
            yield item._replace(number=before + item.number) if isinstance(item, BadLine) else item

    def _counted(self, lines: Iterable[bytes], feed: bytes) -> Iterator[bytes]:
        for line in lines:
            self.line += 1
            yield line + feed


def _can_grow(path: str) -> bool:
    """Tell whether there is a file of that name that can grow, or may be one later."""
    # Nobody looks into a pipe to see what it is: what was read would be gone.
    return not is_compressed(path) if os.path.isfile(path) else not os.path.exists(path)


class Following:
    """
    Read files that grow as one stream of messages that has no end.

    It begins with what is there. A file that was cut is read from its beginning again, also if it
    has grown since; if only the start of a line was cut off, what comes in its place is read. When
    a file was moved, it is read to its end, and then the new one of that name; one that is missing
    is waited for. What cannot grow, standard input, pipes and compressed files, is read first, to
    its end; if there is nothing else, that is the end.

    Args:
        sources: As for `Log`.
        on_problem: Is called with each problem in its place.
        wait: Is called when nothing has come; returns when it is time to look again.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        on_problem: OnProblem,
        wait: Callable[[], object] = lambda: time.sleep(_PAUSE),
    ) -> None:
        self._on_problem = on_problem
        self._wait = wait
        self._log = Log(sources, on_problem)
        self._growing: List[_Growing] = []
        self._at: Optional[_Growing] = None
        for part in list(self._log.parts):
            if part.path is not None and _can_grow(part.path):
                self._log.parts.remove(part)
                self._growing.append(_Growing(part.path))

    @property
    def size(self) -> int:
        """How many bytes there are in all, without what grows."""
        return self._log.size

    @property
    def position(self) -> int:
        """How many of these were read."""
        return self._log.position

    @property
    def unreadable(self) -> int:
        """How many sources could not be read."""
        return self._log.unreadable

    def problem(self, message: Message, error: Exception) -> Problem:
        """Say where the message is that was read last, and why it has no place in a task."""
        if self._at is None:
            return self._log.problem(message, error)
        return Problem(self._at.name, self._at.line, reason_of(error), message)

    def messages(self) -> Iterator[Message]:
        """Give all messages that there are, and then those that come."""
        yield from self._log.messages()
        try:
            while self._growing:
                news = False
                for growing in self._growing:
                    self._at = growing
                    for item in growing.news():
                        if isinstance(item, dict):
                            yield item
                        elif isinstance(item, BadLine):
                            self._on_problem(
                                Problem(growing.name, item.number, item.reason, item.line)
                            )
                        elif item is None:
                            news = True
                        else:
                            self._on_problem(item)
                if not news:
                    self._wait()
        finally:
            for growing in self._growing:
                growing.close()
