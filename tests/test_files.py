"""Files get one line of JSON for each message, whatever kind of file they are."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import socket
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrsistent import PClass, field

from eliot._destinations import PROCESS, Destinations
from eliot._files import FileDestination
from eliot._jsonable import overridden
from eliot._loggers import Logger
from eliot._sink import PathFile
from eliot._status import status
from eliot.json import SURELY_SMALL, EliotJSONEncoder, _dumps_bytes, json_default

MESSAGE = {"x": "\u00e9", "l": [1, {"a": None}], "nan": float("nan")}
LINE = '{"x":"\u00e9","l":[1,{"a":null}],"nan":null}\n'


class Minimal:
    """A file that can do nothing but write."""

    def __init__(self) -> None:
        self.written: list[Any] = []

    def write(self, data: Any) -> None:
        """Keep the data."""
        self.written.append(data)


class MinimalText(Minimal):
    """A file that can do nothing but write text."""

    def write(self, data: Any) -> None:
        """Refuse bytes."""
        if not isinstance(data, str):
            raise TypeError("text, please")
        super().write(data)


class Own(io.IOBase):
    """A file that has no more than the base class of all files."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, data: bytes) -> None:
        """Keep the data."""
        self.written.append(data)


class Observed(io.BytesIO):
    """A file that tells what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[object] = []

    def write(self, data: Any) -> int:
        """Tell of writing."""
        self.calls.append(bytes(data))
        return super().write(data)

    def flush(self) -> None:
        """Tell of flushing."""
        self.calls.append("flush")


def wrapping_dumps(message: object, default: Any) -> str:
    """Encode a message in another way than Eliot does."""
    return json.dumps({"o": message}, default=default)


class Broken(io.BytesIO):
    """A file on a disk that is full."""

    def write(self, _: object) -> int:
        """Fail."""
        raise OSError(28, "No space left on device")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file."""
    return tmp_path / "eliot.log"


class TestKindsOfFiles:
    """Any open file will do."""

    @pytest.mark.parametrize(
        "open_file",
        [
            lambda path: path.open("wb"),
            lambda path: path.open("wb", buffering=0),
            lambda path: path.open("r+b") if path.exists() else path.open("w+b"),
            lambda path: path.open("w", encoding="utf-8", newline="\n"),
            lambda path: codecs.open(str(path), "w", "utf-8"),  # noqa: SIM115 - the test does
            lambda path: codecs.getwriter("utf-8")(path.open("wb")),
        ],
        ids=["binary", "raw", "random", "text", "codecs", "writer"],
    )
    @pytest.mark.filterwarnings("ignore:codecs.open:DeprecationWarning")
    def test_files(self, path: Path, open_file: Callable[[Path], Any]) -> None:
        """Lines are UTF-8, in binary files and in text files; they are there at once."""
        with open_file(path) as file:
            FileDestination(file=file)(MESSAGE)

            assert LINE.encode() == path.read_bytes()

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
    def test_other_encodings(self, path: Path, encoding: str) -> None:
        """What an encoding lacks is escaped."""
        message = {"x": "\u00e9 \u20ac \U0001f600", "e": "\u00e9"}
        with path.open("w", encoding=encoding) as file:
            FileDestination(file=file)(message)
            FileDestination(file=file)({"y": 1})

        assert [message, {"y": 1}] == [
            json.loads(line) for line in path.read_text(encoding).splitlines()
        ]

    @pytest.mark.filterwarnings("ignore:codecs.open:DeprecationWarning")
    def test_other_encodings_of_codecs(self, path: Path) -> None:
        """That holds for writers of the module `codecs` too."""
        with codecs.open(str(path), "w", "ascii") as file:
            FileDestination(file=file)({"x": "\u20ac"})

        assert b'{"x":"\\u20ac"}\n' == path.read_bytes()

    @pytest.mark.parametrize("mode", ["wb", "wt"])
    def test_compressed_files(self, path: Path, mode: Any) -> None:
        """Lines can be compressed."""
        with gzip.open(path, mode) as file:
            FileDestination(file=file)({"x": 1})
            FileDestination(file=file)({"x": 2})

        with gzip.open(path, "rb") as file:
            assert b'{"x":1}\n{"x":2}\n' == file.read()

    @pytest.mark.parametrize("mode", ["w+b", "w+"])
    @pytest.mark.parametrize(
        "open_file", [tempfile.NamedTemporaryFile, tempfile.SpooledTemporaryFile]
    )
    def test_temporary_files(self, open_file: Any, mode: str) -> None:
        """So can go to temporary files, which wrap others."""
        with open_file(mode=mode) as file:
            FileDestination(file=file)({"x": 1})
            file.seek(0)

            assert '{"x":1}\n' in {file.read(), b'{"x":1}\n'.decode()}

    @pytest.mark.parametrize("arguments", [("wb",), ("w",), ("wb", 0), ("rwb",)])
    def test_sockets(self, arguments: Any) -> None:
        """So can go over the network."""
        here, there = socket.socketpair()
        with here, there, here.makefile(*arguments) as file:
            FileDestination(file=file)({"x": 1})

            assert b'{"x":1}\n' == there.recv(100)

    def test_files_in_memory(self) -> None:
        """So can stay in memory."""
        text, binary = io.StringIO(), io.BytesIO()
        FileDestination(file=text)(MESSAGE)
        FileDestination(file=binary)(MESSAGE)

        assert LINE == text.getvalue()
        assert LINE.encode() == binary.getvalue()

    def test_standard_output(self, capsys: pytest.CaptureFixture[str]) -> None:
        """So can go to the terminal."""
        FileDestination(file=sys.stdout)({"x": 1})

        assert '{"x":1}\n' == capsys.readouterr().out

    def test_anything_that_writes(self) -> None:
        """The only method that is needed is `write`."""
        binary, text, own = Minimal(), MinimalText(), Own()
        for file in (binary, text, own):
            FileDestination(file=file)({"x": 1})

        assert [b"", b'{"x":1}\n'] == binary.written == own.written
        assert ['{"x":1}\n'] == text.written

    def test_writes_and_flushes_once(self) -> None:
        """Each message is one call of `write`, then one of `flush`; nothing is tried out before."""
        file = Observed()
        destination = FileDestination(file=file)
        assert [] == file.calls
        destination({"x": 1})
        destination({"x": 2})

        assert [b'{"x":1}\n', "flush", b'{"x":2}\n', "flush"] == file.calls

    def test_lines_stay_whole(self, path: Path) -> None:
        """Threads do not get into each other's lines."""
        with path.open("wb") as file, ThreadPoolExecutor(4) as executor:
            destination = FileDestination(file=file)
            messages = [{"number": number, "text": "x" * 1000} for number in range(400)]
            list(executor.map(destination, messages))

        written = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert messages == sorted(written, key=lambda message: int(message["number"]))


class TestErrors:
    """What is no file to log to."""

    @pytest.mark.parametrize("wrong", [None, 7, object(), type("", (), {"write": None})()])
    def test_needs_write(self, wrong: object) -> None:
        """Without a method `write` it is no file; the error says how to get one."""
        with pytest.raises(TypeError) as caught:
            FileDestination(file=wrong)

        assert str(caught.value).startswith(repr(wrong))
        assert "give a path" in str(caught.value)

    @pytest.mark.parametrize(
        "open_file",
        [
            lambda path: path.open("wb"),
            lambda path: path.open("wb", buffering=0),
            lambda path: path.open("w", encoding="utf-8"),
            lambda path: codecs.getwriter("utf-8")(path.open("wb")),
            lambda path: gzip.open(path, "wb"),  # noqa: SIM115 - the test does
            lambda _: tempfile.NamedTemporaryFile(),  # noqa: SIM115 - the test does
            lambda _: tempfile.SpooledTemporaryFile(),  # noqa: SIM115 - the test does
            lambda _: io.BytesIO(),
            lambda _: io.StringIO(),
        ],
    )
    def test_must_be_open(self, path: Path, open_file: Callable[[Path], Any]) -> None:
        """A closed file is an error."""
        with open_file(path) as file:
            pass

        with pytest.raises(ValueError, match="is closed") as caught:
            FileDestination(file=file)

        assert str(caught.value).startswith(repr(file))

    @pytest.mark.parametrize(
        "open_file",
        [
            lambda path: path.open("rb"),
            lambda path: path.open("rb", buffering=0),
            lambda path: path.open(encoding="utf-8"),
            lambda path: codecs.getreader("utf-8")(path.open("rb")),
            lambda path: gzip.open(path, "rb"),  # noqa: SIM115 - the test does
            lambda _: tempfile.NamedTemporaryFile("r"),  # noqa: SIM115 - the test does
        ],
        ids=["binary", "raw", "text", "codecs", "gzip", "temporary"],
    )
    def test_must_be_writable(self, path: Path, open_file: Callable[[Path], Any]) -> None:
        """A file that is open for reading only is an error."""
        path.write_bytes(b"")
        with open_file(path) as file:
            name = repr(file)
            with pytest.raises(RuntimeError, match="is not writable; open it with mode") as caught:
                FileDestination(file=file)

        assert str(caught.value).startswith(name)

    def test_must_take_something(self) -> None:
        """If it fails when tried out, that is the error."""

        class Full(Minimal):
            def write(self, data: Any) -> None:
                raise OSError(28, "No space left on device")

        with pytest.raises(OSError, match="No space left"):
            FileDestination(file=Full())

    def test_reports_errors_later(self) -> None:
        """What the file raises when written to is for the fan-out to report."""
        destination = FileDestination(file=Broken())
        with pytest.raises(OSError, match="No space left"):
            destination({"x": 1})

        logger = Logger()
        logger._destinations = Destinations()
        other: List[Dict[str, Any]] = []
        logger._destinations.add(destination, other.append)
        logger.write({"x": 1})

        assert ["[Errno 28] No space left on device"] == [
            m["reason"] for m in other if "reason" in m
        ]


class TestValues:
    """Values that JSON lacks."""

    def written(self, message: dict[Any, Any], **options: Any) -> Any:
        """Write a message to a text file and to a binary one; return what can be read there."""
        text, binary = io.StringIO(), io.BytesIO()
        FileDestination(file=text, **options)(message)
        FileDestination(file=binary, **options)(message)

        assert text.getvalue().encode() == binary.getvalue()
        return json.loads(text.getvalue())

    def test_are_converted(self) -> None:
        """Eliot knows many of them."""
        assert {"x": [1], "p": "a"} == self.written({"x": {1}, "p": Path("a")})

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (2**64, "18446744073709551616"),
            ({1: 2}, {"1": 2}),
            ("\ud800", "\\ud800"),
            (b"b", "b"),
        ],
    )
    def test_degrade_alone(self, value: object, expected: object) -> None:
        """What nobody can convert becomes text; the rest of the message stays as it is."""
        message = {"task_uuid": "u", "task_level": [1], "x": value}

        written = self.written(message)

        assert {"x"} >= set(written.pop("eliot:degraded", {}))
        assert {**message, "x": expected} == written

    def test_are_converted_by_the_program(self) -> None:
        """The program's own function decides first."""
        assert {"x": "D"} == self.written({"x": object()}, json_default=lambda _: "D")

    @pytest.mark.parametrize("default", [None, lambda o: o, lambda _: 1 / 0, 5])
    def test_survive_the_program(self, default: Any) -> None:
        """Where that fails, Eliot's own takes over."""
        written = self.written({"x": {1}, "y": 1}, json_default=default)

        assert {"x": [1], "y": 1} == {name: written[name] for name in "xy"}

    @pytest.mark.parametrize("message", [None, [1], "text"])
    def test_need_not_be_messages(self, message: Any) -> None:
        """Whatever is written becomes one line."""
        assert message == self.written(message)

    @given(
        st.dictionaries(
            st.text(), st.none() | st.booleans() | st.text() | st.lists(st.integers(0, 9))
        )
    )
    def test_come_back(self, message: dict[str, Any]) -> None:
        """What JSON has is read as it was written."""
        assert message == self.written(message)


class TestEncoder:
    """The deprecated encoder."""

    class Encoder(EliotJSONEncoder):
        """Encodes one thing in its own way."""

        def default(self, o: Any) -> Any:
            """Convert it."""
            return "E" if o == {1} else super().default(o)

    def test_warns_the_caller(self) -> None:
        """It works still, and the line that uses it is told."""
        file = io.StringIO()
        with pytest.warns(DeprecationWarning, match="switch to using a default function") as caught:
            destination = FileDestination(file=file, encoder=self.Encoder)
        destination({"x": {1}, "y": {2}})

        assert [__file__] == [warning.filename for warning in caught]
        assert '{"x":"E","y":[2]}\n' == file.getvalue()

    def test_cannot_come_with_a_function(self) -> None:
        """The two contradict each other."""
        with pytest.warns(DeprecationWarning, match="JSON"), pytest.raises(
            RuntimeError, match="Can't pass in both encoder and default function"
        ):
            FileDestination(io.StringIO(), self.Encoder, lambda o: o)


class TestIdentity:
    """Destinations are values."""

    def test_equal_if_the_same(self) -> None:
        """Two with the same file and function are equal, also as keys."""
        file = io.StringIO()

        assert FileDestination(file=file) == FileDestination(file)
        assert 1 == len({FileDestination(file), FileDestination(file, json_default=json_default)})

    def test_differ_in_file_and_function(self) -> None:
        """Others are not."""
        file = io.StringIO()

        assert FileDestination(file) != FileDestination(io.StringIO())
        assert FileDestination(file) != FileDestination(file, json_default=None)

    def test_can_be_removed(self) -> None:
        """An equal destination is as good as the one that was added."""
        file = io.StringIO()
        PROCESS.add(FileDestination(file=file))
        PROCESS.remove(FileDestination(file=file))
        PROCESS.send({"x": 1})

        assert "" == file.getvalue()

    def test_cannot_be_changed(self) -> None:
        """The file is there to be read, not to be replaced."""
        file = io.StringIO()
        destination = FileDestination(file=file)
        with pytest.raises(AttributeError):
            destination.file = io.StringIO()

        assert file is destination.file

    def test_has_the_known_parts(self) -> None:
        """Published programs look at them."""
        destination = FileDestination(file=io.BytesIO())

        assert (json_default, _dumps_bytes, b"\n") == (
            destination._json_default,
            destination._dumps,
            destination._linebreak,
        )
        assert "\n" == FileDestination(file=io.StringIO())._linebreak


def nested(depth: int) -> object:
    """Make a list in a list in a list."""
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


class TestSubclass:
    """Programs extend the class."""

    class Counting(FileDestination):
        """Has a field of its own, and writes differently."""

        extra: Any = field(mandatory=True)

        def __new__(cls, file: Any, extra: object) -> Any:
            """Fill in all fields."""
            return PClass.__new__(
                cls,
                file=file,
                _dumps=wrapping_dumps,
                _linebreak="\r\n",
                _json_default=json_default,
                extra=extra,
            )

        def __call__(self, message: dict[str, Any]) -> None:
            """Add a field."""
            super().__call__({**message, "extra": self.extra})

    def test_may_have_fields(self) -> None:
        """It is made as any `PClass`, and works."""
        file = io.StringIO()
        destination = self.Counting(file, extra=7)
        destination({"x": {1}})

        assert isinstance(destination, FileDestination)
        assert '{"o": {"x": [1], "extra": 7}}\r\n' == file.getvalue()
        assert destination == self.Counting(file, extra=7)
        assert destination != self.Counting(file, extra=8)

    def test_may_have_an_encoder_that_fails(self) -> None:
        """What that refuses is encoded all the same."""
        file = io.StringIO()
        destination = self.Counting(file, extra=nested(100_000))
        destination({"x": 1})

        assert file.getvalue().startswith('{"x":1,"extra":[[[')
        assert (0, 0) == (destination.degraded, destination.failed)

    def test_may_be_plain(self) -> None:
        """Without anything of its own it is made as the class itself."""

        class Plain(FileDestination):
            pass

        assert isinstance(Plain(file=io.StringIO()), Plain)


class TestPath:
    """A file that is given by its path."""

    @pytest.mark.parametrize("kind", [str, Path])
    def test_is_appended_to(self, path: Path, kind: Callable[[Path], Any]) -> None:
        """The file is made if there is none, and keeps what it has."""
        FileDestination(file=kind(path))({"n": 1})
        FileDestination(file=kind(path))({"n": 2})

        assert b'{"n":1}\n{"n":2}\n' == path.read_bytes()

    def test_stays_the_same(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A relative path means the directory of that time."""
        monkeypatch.chdir(path.parent)
        destination = FileDestination(file=path.name, watch=True)
        destination({"n": 1})
        path.unlink()
        monkeypatch.chdir("/")
        destination({"n": 2})

        assert b'{"n":2}\n' == path.read_bytes()

    def test_alone_is_watched(self) -> None:
        """What is no path cannot be watched."""
        with pytest.raises(TypeError, match=r"BytesIO object .* cannot be watched, since it is no"):
            FileDestination(file=io.BytesIO(), watch=True)

    def test_is_synchronized(self, path: Path) -> None:
        """A path can be synchronized."""
        FileDestination(file=path, fsync=True)({"n": 1})

        assert b'{"n":1}\n' == path.read_bytes()


class Moody:
    """A file that fails when it is told to, or takes only the start of a line."""

    def __init__(self, path: Path) -> None:
        self.file = PathFile(str(path), watch=False)
        self.mood: List[Any] = []

    def write(self, data: bytes) -> Any:
        """Write, or fail."""
        mood = self.mood.pop() if self.mood else len(data)
        if isinstance(mood, Exception):
            raise mood
        return self.file.write(data[:mood])


class TestAlone:
    """A file that is the only destination is written to on a shorter way, with the same result."""

    @pytest.fixture
    def moody(self, path: Path) -> Moody:
        """Log to a file that can fail."""
        moody = Moody(path)
        destination = FileDestination(file=path)
        destination._append_to.write = moody.write
        Logger._destinations.add(destination)
        return moody

    def read(self, path: Path) -> List[Any]:
        """Tell what is in the file."""
        messages = [json.loads(line) for line in path.read_bytes().splitlines()]
        return [message["message_type"] for message in messages]

    def test_converts(self, path: Path) -> None:
        """Values that orjson refuses go the second way."""
        Logger._destinations.add(FileDestination(file=path))
        Logger().write({"big": 2**64})

        assert b'{"big":"18446744073709551616"' == path.read_bytes()[:29]

    def test_looks_closer_at_large_messages(self, path: Path) -> None:
        """So do those that may be too large."""
        Logger._destinations.add(FileDestination(file=path))
        Logger().write({"x": "x" * SURELY_SMALL})

        assert SURELY_SMALL + 9 == len(path.read_bytes())

    def test_cuts_what_is_too_large(self, path: Path) -> None:
        """What is too large is cut, and counted as degraded."""
        destination = FileDestination(file=path)
        destination({"x": "x" * 11_000_000})

        assert 11_000_000 > len(path.read_bytes())
        assert 1 == destination.degraded

    def test_needs_no_orjson(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without orjson the lines are the same."""
        monkeypatch.setattr("eliot.json._WITHOUT_ORJSON", [True])
        Logger._destinations.add(FileDestination(file=path))
        Logger().write({"n": 1, "x": {1}})

        assert b'{"n":1,"x":[1]}\n' == path.read_bytes()

    def test_asks_registered_encoders(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """So does everything if an encoder is registered for what orjson knows."""
        Logger._destinations.add(FileDestination(file=path))
        monkeypatch.setattr(overridden, "some", True)
        Logger().write({"n": 1})

        assert b'{"n":1}\n' == path.read_bytes()

    def test_fails(self, moody: Moody, path: Path) -> None:
        """A failure is counted and reported, and told in the file later."""
        moody.mood = [OSError(28, "No space left on device")] * 2  # the report fails, too
        Logger().write({"message_type": "a"})
        Logger().write({"message_type": "b"})

        assert ["eliot:lost", "b"] == self.read(path)

    def test_takes_a_part(self, moody: Moody, path: Path) -> None:
        """A line of which a part is taken is completed."""
        moody.mood = [5]
        Logger().write({"message_type": "a"})

        assert ["a"] == self.read(path)

    def test_fails_after_a_part(self, moody: Moody, path: Path) -> None:
        """If that fails, the part is cut off."""
        error = OSError(28, "No space left on device")
        moody.mood = [error, error, 5]
        Logger().write({"message_type": "a"})
        Logger().write({"message_type": "b"})

        assert ["eliot:lost", "b"] == self.read(path)

    def test_has_a_status(self, moody: Moody) -> None:
        """What was written and what failed is counted; a failed report counts as well."""
        moody.mood = [OSError(28, "No space left on device")] * 2
        for _ in range(5):
            Logger().write({"message_type": "a"})
        [mine] = status().destinations

        assert (4, 2, 0, 0, 0) == mine[1:]

    @pytest.mark.parametrize(
        "make",
        [
            lambda file: TestSubclass.Counting(file, extra=1),
            lambda file: type("Own", (FileDestination,), {"__call__": lambda *_: None})(file=file),
        ],
    )
    def test_is_for_the_class_itself(self, make: Callable[[Any], Any]) -> None:
        """Subclasses that write differently do so when they are alone, too."""
        file = io.StringIO()
        Logger._destinations.add(make(file))
        Logger().write({"n": 1})

        assert file.getvalue() in ('{"o": {"n": 1, "extra": 1}}\r\n', "")


class TestBatches:
    """Several lines at a time, for a thread that writes them."""

    def test_are_appended(self) -> None:
        """Lines that were encoded before are written as they are."""
        file = io.StringIO()
        destination = FileDestination(file=file)
        destination._append(destination._encode({"n": 1}) + destination._encode({"n": 2}))

        assert '{"n":1}\n{"n":2}\n' == file.getvalue()
        assert 0 == destination.degraded
