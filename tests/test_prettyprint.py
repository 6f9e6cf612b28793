"""Tests of `eliot.prettyprint`."""

from __future__ import annotations

import io
import json
import os
import pprint
import runpy
import subprocess
import sys
import time
import warnings
from typing import Any, Dict, Generator, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrsistent import pvector

import eliot.prettyprint
from eliot.parse import WrittenMessage
from eliot.prettyprint import REQUIRED_FIELDS, compact_format, pretty_format

MESSAGE: Dict[str, Any] = {
    "timestamp": 1443193754,
    "task_uuid": "u-1",
    "task_level": [1],
    "message_type": "m",
    "key": "x\ny",
}
GOOD = json.dumps(MESSAGE).encode() + b"\n"
PRETTY = """\
u-1 -> /1
2015-09-25T15:09:14Z
  message_type: 'm'
  key: 'x
     |  y'

"""
COMPACT = 'u-1/1 2015-09-25T15:09:14Z message_type="m" key="x\\ny"\n'

#: Neither JSON nor `pprint` leaves out anything of these.
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text("a b'\"\u00e9\u202e\x00", max_size=60)
)


def message(**fields: Any) -> Dict[str, Any]:
    """Make a message."""
    return {"timestamp": 1443193754, "task_uuid": "u", "task_level": [1], **fields}


def shown(value: Any) -> str:
    """Return how a value is shown, from the field's name on."""
    return pretty_format(message(k=value)).split("\n", 2)[2]


def run(
    monkeypatch: pytest.MonkeyPatch, data: bytes, *options: str, encoding: str = "utf-8"
) -> Tuple[str, str]:
    """Run the command; return what it writes to standard output and standard error."""
    output, errors = io.BytesIO(), io.StringIO()
    stdout = io.TextIOWrapper(output, encoding=encoding, newline="\n")
    monkeypatch.setattr(sys, "argv", ["eliot-prettyprint", *options])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", errors)
    eliot.prettyprint._main()
    return output.getvalue().decode(encoding), errors.getvalue()


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Generator[None, None, None]:
    """Be nine hours ahead of UTC."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone cannot be changed on this interpreter")
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class TestPrettyFormat:
    """Several lines."""

    def test_layout(self) -> None:
        """Types and status come first, then the other fields by name; lines are marked."""
        text = pretty_format(
            {
                "timestamp": 1443193754.25,
                "task_uuid": "8c668cde",
                "task_level": [1, 2],
                "zed": None,
                "keys": [123, 456],
                "action_status": "failed",
                "text": "line1\nline2\tX\n",
                "d": {"another": [1, 2, {"more": "data"}], "value": 123},
                "message_type": "app:msg",
                "B": "\u00e9",
                "action_type": "",
            }
        )

        assert text == (
            "8c668cde -> /1/2\n"
            "2015-09-25T15:09:14.250000Z\n"
            "  action_type: ''\n"
            "  message_type: 'app:msg'\n"
            "  action_status: 'failed'\n"
            "  B: '\u00e9'\n"
            "  d: {'another': [1, 2, {'more': 'data'}],\n"
            "   |  'value': 123}\n"
            "  keys: [123, 456]\n"
            "  text: 'line1\n"
            "      |  line2\tX\n"
            "      |  '\n"
            "  zed: None\n"
        )

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("c:\\new\\table", "'c:\\\\new\\\\table'"),
            ("a\\\nb\\\tc", "'a\\\\\n   |  b\\\\\tc'"),
            ("\x1b[31m\r\x07\u202e", "'\\x1b[31m\\r\\x07\\u202e'"),
            (b"b\n", "b'b\n   |  '"),
            ({1}, "{1}"),
        ],
    )
    def test_values(self, value: Any, text: str) -> None:
        """Only real line feeds and tabs are shown as such; what terminals obey is escaped."""
        assert f"  k: {text}\n" == shown(value)

    @given(SCALARS | st.lists(st.text("ab", max_size=9)))
    def test_like_pprint(self, value: Any) -> None:
        """Values of any type are broken into lines as `pprint` does it."""
        lines = pprint.pformat(value, width=40).split("\n")

        assert "  k: " + "\n   | ".join(lines) + "\n" == shown(value)

    def test_names_are_escaped(self) -> None:
        """So are names, the uuid and odd levels."""
        text = pretty_format(
            {"timestamp": 1, "task_uuid": "u\x1b\n", "task_level": ["\x1b"], "a\nb": 1, "\u00e9": 2}
        )

        assert "u\\x1b\\n -> /\\x1b\n1970-01-01T00:00:01Z\n  a\\nb: 1\n  \u00e9: 2\n" == text

    def test_repr_of_other_objects(self) -> None:
        """What an object says of itself is escaped; its lines are kept."""

        class Red:
            def __repr__(self) -> str:
                return "\x1b[31m\n\x9b\u2028\tred"

        assert "  k: \\x1b[31m\n   | \\x9b\\u2028\tred\n" == shown(Red())

    def test_degraded(self) -> None:
        """What the encoder says of values that it had to change is a field like any other."""
        text = pretty_format(message(**{"eliot:degraded": {"x": "cut"}, "a": 1}))

        assert text.endswith("Z\n  a: 1\n  eliot:degraded: {'x': 'cut'}\n")

    def test_value_without_repr(self) -> None:
        """A value that cannot be shown does not hide the others."""

        class Broken:
            def __repr__(self) -> str:
                raise ValueError

        assert "  k: eliot: unknown, str() raised exception\n" == shown(Broken())

    def test_parsed_message(self) -> None:
        """What a parsed message says of itself can be shown."""
        assert PRETTY == pretty_format(WrittenMessage.from_dict(MESSAGE).as_dict()) + "\n"

    @given(st.dictionaries(st.text(), st.text() | st.floats() | st.lists(st.text())))
    def test_shape(self, fields: Dict[str, Any]) -> None:
        """Whatever the fields are, each line begins as it should, and the last one ends."""
        lines = pretty_format(message(**fields)).split("\n")

        assert "" == lines.pop()
        assert all(line.startswith("  ") for line in lines[2:])
        assert all(line.replace("\t", "").isprintable() for line in lines)


class TestCompactFormat:
    """One line."""

    def test_layout(self) -> None:
        """Values are JSON."""
        text = compact_format(
            message(message_type="m", d={"b": [1, None]}, B="\u00e9", text="1\n\t", zed=None)
        )

        assert text == (
            'u/1 2015-09-25T15:09:14Z message_type="m" B="\\u00e9" d={"b":[1,null]} '
            'text="1\\n\\t" zed=null'
        )

    @given(SCALARS | st.lists(SCALARS))
    def test_like_json(self, value: Any) -> None:
        """Values of any type are JSON, all of it in ASCII."""
        text = json.dumps(value, separators=(",", ":"))

        assert f"u/1 2015-09-25T15:09:14Z k={text}" == compact_format(message(k=value))

    def test_delete(self) -> None:
        """The control character that JSON leaves as it is, is escaped, too."""
        text = compact_format(message(**{"k": "\x7f", "\x7f": {"\x7f": 1}}))

        assert 'u/1 2015-09-25T15:09:14Z k="\\u007f" \\x7f={"\\u007f":1}' == text

    def test_no_fields(self) -> None:
        """Without fields there is a blank at the end."""
        assert "u/1 2015-09-25T15:09:14Z " == compact_format(message())

    def test_other_values(self) -> None:
        """What JSON lacks is refused."""
        with pytest.raises(TypeError):
            compact_format(message(k=b""))

    @given(st.dictionaries(st.text(), st.text() | st.floats() | st.lists(st.text())))
    def test_shape(self, fields: Dict[str, Any]) -> None:
        """Whatever the fields are, it is one printable line."""
        assert compact_format(message(**fields)).isprintable()


@pytest.mark.parametrize("convert", [pretty_format, compact_format])
class TestBoth:
    """What the two formats have in common."""

    @pytest.mark.parametrize(
        ("timestamp", "text"),
        [
            (0, "1970-01-01T00:00:00Z"),
            (-1.5, "1969-12-31T23:59:58.500000Z"),
            (1443193754.5, "2015-09-25T15:09:14.500000Z"),
            (1e300, "1e+300"),
            (float("nan"), "nan"),
            ("15:09\x1b", "15:09\\x1b"),
            (None, "None"),
            ([1], "[1]"),
        ],
    )
    def test_times(self, convert: Any, timestamp: Any, text: str) -> None:
        """Times are in UTC; what is no time is shown as it is."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")

            assert text in convert(message(timestamp=timestamp)).replace("\n", " ").split(" ")

    @pytest.mark.usefixtures("tokyo")
    def test_local_times(self, convert: Any) -> None:
        """Local times have no suffix."""
        text = convert(message(), local_timezone=True).replace("\n", " ").split(" ")

        assert "2015-09-26T00:09:14" in text

    @pytest.mark.parametrize(
        ("level", "text"),
        [
            ([], "/"),
            ((2, 1), "/2/1"),
            (pvector([2, 1]), "/2/1"),
            ("/2/1", "/2/1"),
            (5, "5"),
            (None, "None"),
        ],
    )
    def test_levels(self, convert: Any, level: Any, text: str) -> None:
        """Levels are paths; what is no level is shown as it is."""
        assert convert(message(task_level=level)).startswith((f"u -> {text}\n", f"u{text} 2015"))

    @pytest.mark.parametrize("name", sorted(REQUIRED_FIELDS))
    def test_missing(self, convert: Any, name: str) -> None:
        """A message has an identity."""
        fields = message()
        del fields[name]
        with pytest.raises(KeyError, match=name):
            convert(fields)


class TestCommand:
    """The command `eliot-prettyprint`."""

    @pytest.mark.parametrize(
        ("options", "text"),
        [([], PRETTY), (["-c"], COMPACT), (["--compact"], COMPACT)],
    )
    def test_formats(self, monkeypatch: pytest.MonkeyPatch, options: List[str], text: str) -> None:
        """Each message is formatted as asked for; nothing is said if all is well."""
        assert (text * 2, "") == run(monkeypatch, GOOD * 2, *options)

    @pytest.mark.usefixtures("tokyo")
    @pytest.mark.parametrize("option", ["-l", "--local-timezone"])
    def test_local_times(self, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
        """Times may be local."""
        assert "u-1/1 2015-09-26T00:09:14 m" in run(monkeypatch, GOOD, "-c", option)[0]

    def test_bad_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Lines that are no messages are shown in their place, and listed at the end."""
        lines = [b"NOT JSON!!", b'{"a":1}', b"", b"[1]", b"3", b"null", b'"\xff"', b"x\r"]
        output, errors = run(monkeypatch, GOOD + b"\n".join([*lines, GOOD]))

        assert (
            output
            == PRETTY
            + (
                "Not JSON: b'NOT JSON!!'\n\n"
                "Not an Eliot message: b'{\"a\":1}'\n\n"
                "Not JSON: b''\n\n"
                "Not an Eliot message: b'[1]'\n\n"
                "Not an Eliot message: b'3'\n\n"
                "Not an Eliot message: b'null'\n\n"
                "Not JSON: b'\"\\xff\"'\n\n"
                "Not JSON: b'x\\r'\n\n"
            )
            + PRETTY
        )
        assert errors == (
            "7 lines are no messages: line 2: not JSON; line 3: without task_level, task_uuid, "
            "timestamp; line 5: not a JSON object; line 6: not a JSON object; "
            "line 7: not a JSON object; line 8: not JSON; line 9: not JSON\n"
        )

    def test_one_bad_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One bad line is spoken of in the singular."""
        assert ("Not JSON: b'x'\n\n", "1 line is no Eliot message: line 1: not JSON\n") == run(
            monkeypatch, b"x\n"
        )

    def test_many_bad_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of many bad lines the first ten are named, and all are counted."""
        _, errors = run(monkeypatch, b"x\n" * 1000)

        assert errors.startswith("1000 lines are no messages: line 1: not JSON; ")
        assert errors.endswith("; line 10: not JSON; and 990 more\n")

    def test_cut_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """That the log ends in the middle of a line is said, however many bad lines there are."""
        _, errors = run(monkeypatch, b"x\n" * 1000 + GOOD[:20])

        assert errors.endswith(
            "; line 10: not JSON; line 1001: not JSON, the log ends in the middle of a line; "
            "and 990 more\n"
        )

    def test_long_bad_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not all of a very long line is shown."""
        output, _ = run(monkeypatch, b"x" * 100_001)

        assert f"Not JSON: b'{'x' * 100_000}'... (cut, 100001 bytes in all)\n\n" == output

    def test_merged_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Messages in one line are shown one by one, then what else is in it."""
        assert (
            PRETTY * 2 + "Not JSON: b'oops'\n\n",
            "1 line is no Eliot message: line 1: not JSON\n",
        ) == run(monkeypatch, GOOD[:-1] + b"oops" + GOOD)

    @pytest.mark.parametrize("options", [[], ["-c"]])
    def test_odd_messages(self, monkeypatch: pytest.MonkeyPatch, options: List[str]) -> None:
        """No message is so odd that it stops the others."""
        odd = [
            message(timestamp="abc"),
            message(timestamp=1e300),
            message(task_level={"a": 1}),
            message(task_uuid=None),
            {**message(), "": float("nan")},
        ]
        deep = json.dumps(message(k=None)).replace("null", "[" * 1015 + "]" * 1015)
        data = "\n".join([*map(json.dumps, odd), deep, '{"a":1}', ""]).encode()
        output, _ = run(monkeypatch, data + GOOD, *options)

        assert output.endswith(
            "Not an Eliot message: b'{\"a\":1}'\n\n" + (COMPACT if options else PRETTY)
        )

    def test_large_integers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Numbers are shown as they were written."""
        output, _ = run(monkeypatch, json.dumps(message(k=2**100)).encode(), "-c")

        assert f"u/1 2015-09-25T15:09:14Z k={2**100}\n" == output

    def test_characters_that_the_terminal_lacks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """They are escaped."""
        data = json.dumps(message(k="\u00e9\u4e2d")).encode()

        assert "  k: '\\xe9\\u4e2d'\n" in run(monkeypatch, data, encoding="ascii")[0]

    def test_other_streams(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Streams of text will do."""
        output = io.StringIO()
        monkeypatch.setattr(sys, "argv", ["eliot-prettyprint", "-c"])
        monkeypatch.setattr(sys, "stdin", io.StringIO(GOOD.decode()))
        monkeypatch.setattr(sys, "stdout", output)
        eliot.prettyprint._main()

        assert COMPACT == output.getvalue()

    def test_missing_streams(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No input is an empty one, no output is an error, and no place for errors is accepted."""
        monkeypatch.setattr(sys, "stdin", None)
        eliot.prettyprint._main([])
        monkeypatch.setattr(sys, "stdin", io.StringIO("x"))
        monkeypatch.setattr(sys, "stderr", None)
        eliot.prettyprint._main([])
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        monkeypatch.setattr(sys, "stdout", None)
        with pytest.raises(SystemExit) as status:
            eliot.prettyprint._main([])

        assert 2 == status.value.code

    def test_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The help says how to use it."""
        with pytest.raises(SystemExit) as status:
            eliot.prettyprint._main(["--help"])

        output = capsys.readouterr().out
        assert 0 == status.value.code
        assert "cat messages | eliot-prettyprint [options]" in output
        assert "\n\nConvert Eliot messages into more readable format." in output

    @pytest.mark.parametrize("argument", ["file.log", "--unknown"])
    def test_unknown_arguments(self, capsys: pytest.CaptureFixture[str], argument: str) -> None:
        """Other arguments are a mistake."""
        with pytest.raises(SystemExit) as status:
            eliot.prettyprint._main([argument])

        assert 2 == status.value.code
        assert argument in capsys.readouterr().err

    def test_reader_that_stops(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A reader that has seen enough is no error."""
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as stdout:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD * 10_000)))
            monkeypatch.setattr(sys, "stdout", stdout)
            eliot.prettyprint._main([])

    @pytest.mark.parametrize("options", [[], ["-c"]])
    def test_as_a_program(self, monkeypatch: pytest.MonkeyPatch, options: List[str]) -> None:
        """It can be run as a module."""
        output = io.StringIO()
        monkeypatch.setattr(sys, "argv", ["prettyprint", *options])
        monkeypatch.setattr(sys, "stdin", io.StringIO(GOOD.decode()))
        monkeypatch.setattr(sys, "stdout", output)
        runpy.run_path(eliot.prettyprint.__file__, run_name="__main__")

        assert (COMPACT if options else PRETTY) == output.getvalue()

    @pytest.mark.parametrize("lines", [GOOD, GOOD + b"x\n"])
    def test_in_its_own_process(self, lines: bytes) -> None:
        """The status is 0, whatever the lines are."""
        process = subprocess.run(
            [sys.executable, "-c", "from eliot.prettyprint import _main; _main()", "-c"],
            input=lines,
            stdout=subprocess.PIPE,
            check=True,
        )

        assert process.stdout.decode().splitlines()[0] + "\n" == COMPACT
