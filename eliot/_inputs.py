"""Inputs: files, standard input, compressed logs and growing ones, as one stream of messages."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from glob import glob, has_magic
from heapq import heappop, heappush, heapreplace
from itertools import chain
from typing import (
    IO,
    Any,
    Callable,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Protocol,
    Set,
    Tuple,
    Union,
)

from eliot._fields import TIMESTAMP_FIELD
from eliot._lines import BadLine, Decoder
from eliot._safe import printable, saferepr, safeunicode
from eliot._typing import Message

__all__ = [
    "STDIN",
    "Log",
    "MessageStream",
    "OnProblem",
    "Problem",
    "Source",
    "is_compressed",
    "reason_of",
]

#: A path, `-` for standard input, a pattern such as `logs/*.gz`, or a file opened for reading.
Source = Union[str, "os.PathLike[str]", IO[bytes], IO[str]]

STDIN = "-"

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BUFFER = 1 << 17
#: All that is in so much of an archive is in memory at once.
_FRAME_BUFFER = 1 << 13

#: How much of a bad line is shown.
_SHOWN = 200

#: The time of what has none.
_FIRST = float("-inf")

#: How many lines are looked at for the time at which a log begins.
_PEEKED = 100


class Problem(NamedTuple):
    """
    Say what could not be read, and where it is.

    >>> from eliot.parse import Problem
    >>> print(Problem("app.log", 17, "not JSON", b"oops"))
    app.log:17: not JSON: oops

    .. versionadded:: 2.0
    """

    #: The name of the source, such as the path of a file.
    source: str
    #: The number of the line, from 1 on; None if the whole source is meant.
    line: Optional[int]
    #: What is wrong.
    reason: str
    #: The line, or what of it could not be read; the message if it is one without a place in a
    #: task; None if there is nothing to show.
    content: Union[bytes, Message, None] = None

    def __str__(self) -> str:
        where = printable(self.source) if self.line is None else f"{self.source}:{self.line}"
        text = f"{printable(where)}: {printable(self.reason)}"
        if self.content is None:
            return text
        if isinstance(self.content, bytes):
            content = self.content.strip()[: _SHOWN + 1].decode("utf-8", "backslashreplace")
        else:
            content = saferepr(self.content)
        cut = "..." if len(content) > _SHOWN else ""
        return f"{text}: {printable(content[:_SHOWN])}{cut}"


#: Is called with each problem, in its place between the messages.
OnProblem = Callable[[Problem], object]

_Item = Union[Message, BadLine, Problem]


class MessageStream(Protocol):
    """A log, however it is read."""

    @property
    def size(self) -> int:
        """How many bytes there are in all, as far as that can be told."""
        ...

    @property
    def position(self) -> int:
        """How many of these were read."""
        ...

    def messages(self) -> Iterator[Message]:
        """Give all messages; report problems in their place."""
        ...

    def problem(self, message: Message, error: Exception) -> Problem:
        """Say where the message is that was given last, and why it has no place in a task."""
        ...


class _Part:
    """One source while it is read."""

    def __init__(self, name: str, path: Optional[str], given: Optional[IO[Any]] = None) -> None:
        self.name = name
        #: What to open; None if somebody else has opened it.
        self.path = path
        self.given: Any = given
        self._file: Optional[IO[bytes]] = None
        self._decoder = Decoder()
        self._count = 0
        #: Why there are no more lines, if that is not the end.
        self.problem: Optional[Problem] = None
        self.size = 0
        if path is not None and os.path.isfile(path):
            self.size = os.path.getsize(path)
        self._read = 0

    @property
    def line(self) -> int:
        """The number of the line that was given last, or of which the message was."""
        return self._count or self._decoder.number

    def items(self) -> Iterator[_Item]:
        """Read the messages; what cannot be read comes as a problem, in its place."""
        decoder = self._decoder = Decoder()
        return chain(self._read_by(decoder.items), self._problems())

    def _problems(self) -> Iterator[Problem]:
        if self.problem is not None:
            yield self.problem

    def lines(self) -> Iterator[Any]:
        """Read the lines, as far as that can be done."""
        yield from self._read_by(self._counted)

    def _counted(self, file: Iterable[Any]) -> Iterator[Any]:
        for self._count, line in enumerate(file, 1):
            yield line

    def _read_by(self, read: Callable[[IO[bytes]], Iterator[Any]]) -> Iterator[Any]:
        self._count = 0
        self.problem = None
        try:
            file = self._open()
        except Exception as error:
            self.problem = Problem(self.name, None, reason_of(error))
            self.close()
            return
        try:
            yield from read(file)
        except Exception as error:  # such as a damaged archive: what came before it is good
            self.problem = Problem(self.name, self.line + 1, reason_of(error))
        finally:
            self.close()
            self._read = self.size

    def _open(self) -> IO[bytes]:
        if self.path is None:
            return decompressed(_binary(self.given))
        self._file = open(self.path, "rb", _BUFFER)  # noqa: SIM115 - lines() closes it
        return decompressed(self._file)

    def close(self) -> None:
        """Close the file, unless somebody else has opened it."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    @property
    def position(self) -> int:
        """How many bytes of the file were read."""
        file = self._file
        if file is not None and self.size:
            with suppress(OSError, ValueError):  # another thread may just have closed it
                self._read = os.lseek(file.fileno(), 0, os.SEEK_CUR)
        return self._read

    def begins(self) -> float:
        """Look at the first lines of a file for its first time; what cannot be told comes first."""
        if self.size:
            other = _Part(self.name, self.path)
            try:
                for item, _ in zip(other.items(), range(_PEEKED)):
                    if isinstance(item, dict):
                        return _time_of(item, _FIRST)
            finally:
                other.close()
        return _FIRST


class _Pieces(io.RawIOBase):
    """What is in an archive, as it comes: the archive's own file forgets it if damage follows."""

    def __init__(self, archive: Any) -> None:
        self._archive = archive

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._archive.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Frames:
    """What is in frames of Zstandard; the package's own reader is silent if the last one is cut."""

    def __init__(self, file: Any, new_frame: Callable[[], Any]) -> None:
        self._file = file
        self._new_frame = new_frame
        self._frame: Any = None
        self._packed = b""
        self._data = memoryview(b"")

    def read1(self, size: int) -> memoryview:
        """Return some of it, and nothing at the end."""
        while not self._data:
            packed = self._packed or self._file.read1(_FRAME_BUFFER)
            if not packed:
                if self._frame is None:
                    break
                msg = "Compressed file ended before the end-of-stream marker was reached"
                raise EOFError(msg)
            frame = self._new_frame() if self._frame is None else self._frame
            self._data = memoryview(frame.decompress(packed))
            self._packed = frame.unused_data if frame.eof else b""
            self._frame = None if frame.eof else frame
        data, self._data = self._data[:size], self._data[size:]
        return data


def is_compressed(path: str) -> bool:
    """Tell whether there is a file of that name, and an archive."""
    try:
        with open(path, "rb") as file:
            return file.read(len(_ZSTD)).startswith((_GZIP, _ZSTD))
    except OSError:
        return False


def _binary(file: Any) -> Any:
    """Return the binary file of a text file, from the line on that is next in that."""
    if isinstance(file, io.TextIOWrapper):
        try:
            if file.seekable():
                file.seek(file.tell())  # what it has read ahead comes again
        except OSError:  # somebody iterates over its lines
            return file
    return getattr(file, "buffer", file)


def decompressed(file: IO[Any]) -> IO[bytes]:
    """Return a file to read what is in an archive, or the file itself if it is none."""
    peek = getattr(file, "peek", None)
    if isinstance(file, io.BytesIO):
        begin = bytes(file.getbuffer()[file.tell() :][:4])
    else:
        begin = b"" if peek is None else peek(4)[:4]
    if begin.startswith(_GZIP):
        from gzip import GzipFile

        return io.BufferedReader(_Pieces(GzipFile(fileobj=file)), _BUFFER)
    if begin == _ZSTD:
        return _zstd(file)
    return file


def _zstd(file: IO[bytes]) -> IO[bytes]:
    raw: Any
    try:
        from compression.zstd import ZstdFile  # type: ignore[import-not-found] # Python 3.14

        raw = ZstdFile(file)
    except ImportError:
        try:
            from zstandard import ZstdDecompressor
        except ImportError:
            msg = "to read .zst needs the package zstandard: pip install 'eliot[cli]'"
            raise ModuleNotFoundError(msg) from None
        raw = _Frames(file, ZstdDecompressor().decompressobj)
    return io.BufferedReader(_Pieces(raw), _BUFFER)


def reason_of(error: Exception) -> str:
    """Say in a few words what is wrong."""
    if isinstance(error, KeyError) and error.args:
        return f"without {safeunicode(error.args[0])}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return safeunicode(error).rstrip(".") or type(error).__name__


def _time_of(message: Message, before: float) -> float:
    """Return the time of a message; if it has none, that of the one before it."""
    timestamp = message[TIMESTAMP_FIELD]
    if isinstance(timestamp, (int, float)) and timestamp - timestamp == 0:
        return timestamp
    return before


class Log:
    """
    Read one or more sources as one stream of messages, in order of time.

    A single source is read from its beginning to its end. Several are merged by the times of their
    messages; each alone keeps its order. A file is opened when the time has come at which it
    begins, so any number of rotated files can be read.

    Args:
        sources: Paths, patterns, `-`, or files that are open. Without any: standard input.
        on_problem: Is called with each problem in its place.
    """

    def __init__(self, sources: Iterable[Source], on_problem: OnProblem) -> None:
        self._on_problem = on_problem
        #: How many sources could not be read.
        self.unreadable = 0
        self.parts: List[_Part] = []
        self._at: Tuple[_Part, int] | None = None
        seen: Set[object] = set()
        for source in sources:
            for part in self._found(source):
                key = id(part.given) if part.path is None else os.path.realpath(part.path)
                if key not in seen:
                    seen.add(key)
                    self.parts.append(part)

    def _found(self, source: Source) -> Iterator[_Part]:
        """Find what a source stands for; report what is none."""
        if not isinstance(source, (str, os.PathLike)):
            yield _Part(safeunicode(getattr(source, "name", "<file>")), None, source)
            return
        name = os.fspath(source)
        if name == STDIN and sys.stdin is None:
            self._refuse("<stdin>", "there is no standard input")
        elif name == STDIN:
            yield _Part("<stdin>", None, sys.stdin)
        elif os.path.isdir(name):
            self._refuse(name, f"a directory; its files are {os.path.join(name, '*')!r}")
        elif os.path.exists(name) or not has_magic(name):
            yield _Part(name, name)
        else:
            found = [path for path in sorted(glob(name, recursive=True)) if os.path.isfile(path)]
            if not found:
                self._refuse(name, "no file has such a name")
            for path in found:
                yield _Part(path, path)

    def _refuse(self, name: str, reason: str) -> None:
        self.unreadable += 1
        self._on_problem(Problem(name, None, reason))

    @property
    def size(self) -> int:
        """How many bytes the files have in all, as far as that can be told."""
        return sum(part.size for part in self.parts)

    @property
    def position(self) -> int:
        """How many of these were read."""
        return sum(part.position for part in self.parts)

    def problem(self, message: Message, error: Exception) -> Problem:
        """Say where the message is that was read last, and why it has no place in a task."""
        return Problem(*self.place, reason_of(error), message)

    @property
    def place(self) -> Tuple[str, int]:
        """Where that is which was read last: the name of its source and the number of its line."""
        part, line = self._at or (self.parts[0], 0)
        return part.name, line or part.line

    def lines(self) -> Iterator[Any]:
        """Read all lines, one source after the other."""
        for part in self.parts:
            self._at = part, 0
            yield from part.lines()
            if part.problem is not None:
                self._tell(part, part.problem)

    def messages(self) -> Iterator[Message]:
        """Read all messages, reporting problems in their place."""
        if len(self.parts) > 1:
            yield from self._merged()
            return
        for part in self.parts:
            self._at = part, 0
            for item in part.items():
                if isinstance(item, dict):
                    yield item
                else:
                    self._tell(part, item)

    def _tell(self, part: _Part, item: Union[BadLine, Problem]) -> None:
        if isinstance(item, Problem):
            self.unreadable += 1
            self._on_problem(item)
        else:
            self._on_problem(Problem(part.name, item.number, item.reason, item.line))

    def _merged(self) -> Iterator[Message]:
        """Merge several sources by time."""
        waiting = sorted(
            ((part.begins(), index, part) for index, part in enumerate(self.parts)), reverse=True
        )
        heap: List[Tuple[float, int, int, Message, _Part, Iterator[_Item]]] = []
        while waiting or heap:
            if waiting and (not heap or waiting[-1][0] <= heap[0][0]):
                time, index, part = waiting.pop()
                items = part.items()
                first = self._next(part, items)
                if first is not None:
                    heappush(heap, (_time_of(first, time), index, part.line, first, part, items))
                continue
            time, index, line, message, part, items = heap[0]
            self._at = part, line
            yield message
            following = self._next(part, items)
            if following is None:
                heappop(heap)
            else:
                time = _time_of(following, time)
                heapreplace(heap, (time, index, part.line, following, part, items))

    def _next(self, part: _Part, items: Iterator[_Item]) -> Optional[Message]:
        for item in items:
            if isinstance(item, dict):
                return item
            self._tell(part, item)
        return None
