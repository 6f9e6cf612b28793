"""Logs that a crash, a full disk or somebody hostile has damaged: what is whole is still read."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eliot
from eliot.parse import BadLine, Parser, WrittenMessage, read_lines

Fields = Dict[str, Any]

CUT = "not JSON, the log ends in the middle of a line"

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
MESSAGES = st.builds(
    lambda fields, uuid: {
        **fields,
        "message_type": "m",
        "task_uuid": uuid,
        "task_level": [1],
        "timestamp": 1.5,
    },
    st.dictionaries(st.text(), VALUES, max_size=4),
    st.uuids().map(str),
)
#: Those have others in them.
NESTING = st.builds(
    lambda outer, inner, text: {"in": inner, **outer, "behind": {**inner, "text": text}},
    MESSAGES,
    MESSAGES,
    st.text(),
)
LOGS = st.lists(MESSAGES, min_size=1, max_size=6)


def message(number: int = 1, **more: Any) -> Fields:
    """Make a message."""
    return {"task_uuid": "u", "task_level": [number], "timestamp": 1.5, "x": "\u00e9", **more}


def line(fields: Fields) -> bytes:
    """Write a message as Eliot does."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"


def is_message(value: Any) -> bool:
    """Tell whether a value looks like a message."""
    return isinstance(value, dict) and {"task_uuid", "task_level", "timestamp"} <= set(value)


ONE, TWO, THREE = message(1), message(2), message(3)
A, B, C = map(line, (ONE, TWO, THREE))


def read(log: bytes) -> Tuple[List[Fields], List[str], List[bytes]]:
    """Read a log; return its messages, what is said about bad lines, and what they are."""
    items = list(read_lines(io.BytesIO(log)))
    bad = [item for item in items if isinstance(item, BadLine)]
    good = [item for item in items if not isinstance(item, BadLine)]
    return good, [str(item) for item in bad], [item.line for item in bad]


class TestCutLogs:
    """The end is missing: the program was killed while it wrote."""

    @given(LOGS, st.data())
    def test_at_any_byte(self, messages: List[Fields], data: st.DataObject) -> None:
        """All whole lines are read; at most one line is reported, as the cut one."""
        lines = list(map(line, messages))
        log = b"".join(lines)
        size = data.draw(st.integers(0, len(log)))
        whole = log[:size].count(b"\n")
        rest = log[:size][len(b"".join(lines[:whole])) :]
        if rest + b"\n" == lines[min(whole, len(lines) - 1)]:  # only its line feed is missing
            whole, rest = whole + 1, b""
        reports = [f"line {whole + 1}: {CUT}"] if rest else []

        assert (messages[:whole], reports, [rest][: len(reports)]) == read(log[:size])

    def test_at_every_byte_of_a_line(self) -> None:
        """No place to cut is special, not even the midst of a character."""
        for size in range(1, len(B) - 1):
            assert ([ONE], [f"line 2: {CUT}"], [B[:size]]) == read(A + B[:size])

    def test_only_the_last_line_is_cut(self) -> None:
        """A torn line elsewhere is damaged in another way, also in a list of lines."""
        items = list(read_lines([A, B[:9], C[:9]]))

        assert [ONE, BadLine(2, B[:9], "not JSON"), BadLine(3, C[:9], CUT)] == items
        assert isinstance(items[-1], BadLine)
        assert items[-1].is_cut()

    def test_in_a_hole(self) -> None:
        """A log that ends in a line with a hole is cut, too."""
        assert ([ONE], [f"line 2: {CUT}"], [B[:9] + b"\0\0"]) == read(A + B[:9] + b"\0\0")


class TestTornLines:
    """A message was torn, and the next writer went on in its line."""

    @given(MESSAGES, MESSAGES, st.data())
    def test_the_neighbour_is_read(self, torn: Fields, whole: Fields, data: st.DataObject) -> None:
        """What follows the torn message is read, and the torn one is reported."""
        size = data.draw(st.integers(1, len(line(torn)) - 2))
        head = line(torn)[:size]

        assert ([ONE, whole, TWO], ["line 2: not JSON"], [head]) == read(A + head + line(whole) + B)

    @given(st.lists(NESTING, min_size=1, max_size=3), LOGS, st.data())
    def test_at_any_byte(
        self, torn: List[Fields], whole: List[Fields], data: st.DataObject
    ) -> None:
        """
        However many were torn in one line, wherever: all whole messages are read, and no others.

        Only if one was torn directly behind a part that looks like a message nobody can tell
        whether that is one.
        """
        heads = [data.draw(st.integers(1, len(line(fields)) - 2)) for fields in torn]
        texts = [line(fields)[:size] for fields, size in zip(torn, heads)]
        parts = [part for fields in torn for part in fields.values() if is_message(part)]
        behind = [p for text in texts for p in parts if text.endswith(line(p)[:-1])]
        good, _, _ = read(b"".join(texts) + b"".join(line(m)[:-1] for m in whole) + b"\n")

        assert whole == good[len(good) - len(whole) :]
        assert all(fields in behind for fields in good[: len(good) - len(whole)])

    @pytest.mark.parametrize(
        "key", ["}", "]}", " }", "}]}", "a}", ",", ":", "{", "[", "\\", '"', "\0"]
    )
    @pytest.mark.parametrize("head", ['{"a":"b', '{"a":["b', '[{"a":"', '{"a":"\\', '{"a":', "{"])
    def test_keys_like_the_rest_of_the_torn_message(self, key: str, head: str) -> None:
        """A key that may complete what was torn hides no message."""
        whole = {key: "x", **message(2)}

        assert ([whole], ["line 1: not JSON"], [head.encode()]) == read(head.encode() + line(whole))

    def test_a_torn_message_that_seems_complete(self) -> None:
        """A torn message and the key of a whole one make no message."""
        head, whole = line(message(1, text="?"))[:-4], {"}": 1, **message(2)}

        assert ([whole], ["line 1: not JSON"], [head]) == read(head + line(whole))

    def test_many_parts(self) -> None:
        """However many objects were in the torn message, what follows is read."""
        head = line(message(1, parts=[{"n": n} for n in range(1000)]))[:-5]

        assert ([TWO], ["line 1: not JSON"], [head]) == read(head + B)

    def test_the_end_of_another_message(self) -> None:
        """A message is read if the end of another one follows, of which the start is lost."""
        assert ([ONE], ["line 1: not JSON"], [b',"n":1}']) == read(A[:-1] + b',"n":1}\n')

    def test_brackets_that_do_not_match(self) -> None:
        """Garbage around messages does not hide them."""
        assert ([ONE, TWO], ["line 1: not JSON"], [b'{["}}}]["]]}{']) == read(
            b'{["}}}]' + A[:-1] + b'["]]}{' + B
        )

    def test_names_of_fields_elsewhere(self) -> None:
        """What has the names of the fields, but not as its own, is no message."""
        names = json.dumps(["task_uuid", "task_level", "timestamp"]).encode()

        for text in (
            names,
            b'{"x":%b}' % names,
            b'{"a":"task_uuid","b":"task_level","c":"timestamp"}',
        ):
            assert ([ONE], ["line 1: not JSON"], [text + b"x"]) == read(text + b"x" + A)

    def test_a_message_in_a_torn_message(self) -> None:
        """A dictionary inside a torn message is no message of its own."""
        outer = line({"inner": message(7), "list": [message(8), message(9)], **message(1)})

        assert ([TWO], ["line 1: not JSON"], [outer[:-30]]) == read(outer[:-30] + b"\n" + B)

    def test_text_that_looks_like_a_message(self) -> None:
        """Nobody can put a message into the log by logging its text."""
        outer = line(message(1, text=A.decode(), list=[A.decode()]))

        assert ([], ["line 1: not JSON"], [outer[:-30]]) == read(outer[:-30] + b"\n")

    def test_bytes_that_are_no_text(self) -> None:
        """A message with bytes that are no UTF-8 is not read; its neighbours are."""
        wrong = line(message(2, x="?")).replace(b"?", b"\xc3")

        assert ([ONE, THREE], ["line 2: not JSON"], [wrong[:-1]]) == read(A + wrong + C)
        assert ([ONE, THREE], ["line 1: not JSON"], [wrong[:-1]]) == read(A[:-1] + wrong[:-1] + C)

    def test_text_around_messages(self) -> None:
        """What others have written into the line is reported."""
        assert ([ONE, TWO], ["line 1: not JSON"], [b"warning: {}  oops "]) == read(
            b"warning: {}" + A[:-1] + b"  oops " + B
        )


class TestMergedLines:
    """Line feeds are missing."""

    @given(LOGS, st.sampled_from([b"", b" ", b"\r"]))
    def test_all_messages_are_read(self, messages: List[Fields], between: bytes) -> None:
        """Messages in one line are read one by one."""
        assert (messages, [], []) == read(between.join(line(m)[:-1] for m in messages) + b"\n")

    def test_thousands(self) -> None:
        """However many there are."""
        assert ([ONE] * 5000, [], []) == read(A[:-1] * 5000)


class TestHoles:
    """NUL bytes: blocks that were never written before the machine stopped."""

    @pytest.mark.parametrize("size", [1, 4096])
    def test_between_messages(self, size: int) -> None:
        """Messages before and behind a hole are read; its size is said."""
        hole = b"\0" * size
        said = f"not JSON, with a hole of {size} NUL byte{'s' if size > 1 else ''}"

        assert ([ONE, TWO], [f"line 2: {said}"], [hole]) == read(A + hole + B)
        assert ([ONE, TWO], [f"line 1: {said}"], [hole]) == read(A[:-1] + hole + B)
        assert ([ONE, TWO], [f"line 2: {said}"], [hole]) == read(A + hole + b"\n" + B)
        assert ([ONE], [f"line 2: {said}"], [hole]) == read(A + hole)

    @given(LOGS, st.data())
    def test_anywhere(self, messages: List[Fields], data: st.DataObject) -> None:
        """A hole costs only the messages that it touches."""
        log = b"".join(map(line, messages))
        begin = data.draw(st.integers(0, len(log) - 1))
        size = data.draw(st.integers(1, len(log) - begin))
        good, _, _ = read(log[:begin] + b"\0" * size + log[begin + size :])
        touched = log[: begin + size].rstrip(b"\n").count(b"\n") - log[:begin].count(b"\n") + 1

        assert len(messages) - touched <= len(good)
        assert all(fields in messages for fields in good)


class TestHarmless:
    """What is no damage."""

    def test_blank_lines(self) -> None:
        """They are passed over, and counted as lines."""
        assert ([ONE, TWO], ["line 5: not JSON"], [b"x"]) == read(
            b"\n" + A + b" \t\r\n" + B + b"x\n\r\n"
        )

    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_other_editors(self, mark: bytes) -> None:
        """Windows' line ends and byte order marks, also of files put together."""
        log = (mark + A + B).replace(b"\n", b"\r\n")

        assert ([ONE, TWO] * 2, [], []) == read(log + log)
        assert ([ONE, TWO], [], []) == read(mark + A[:-1] + mark + B)


class TestLongLines:
    """Lines of any length."""

    def test_long_message(self) -> None:
        """A message of 100 MB is a message."""
        text = "x" * 100_000_000
        (good,), bad, _ = read(line(message(text=text)))

        assert ([], text) == (bad, good["text"])

    @pytest.mark.parametrize(
        "text",
        [
            b'{"',
            b"{",
            b"[",
            b"{}",
            b'{"task_uuid":1,"task_level":1,"timestamp":1,"x":',
            b'"timestamp":',
        ],
    )
    def test_long_garbage_that_looks_like_json(self, text: bytes) -> None:
        """A bad line that looks like messages is one bad line, however long."""
        names = b'"task_uuid""task_level""timestamp"'
        garbage = names + text * (1_000_000 // len(text))

        assert ([ONE, TWO], ["line 2: not JSON"], [garbage]) == read(A + garbage + b"\n" + B)

    def test_many_bad_objects(self) -> None:
        """After many objects that are no JSON the search ends."""
        bad = b"{" + A[1:-2] + b",}"

        assert ([ONE], ["line 1: not JSON"], [bad * 49]) == read(A[:-1] + bad * 49 + b"\n")
        assert ([], ["line 1: not JSON"], [A[:-1] + bad * 50]) == read(A[:-1] + bad * 50 + b"\n")

    @pytest.mark.parametrize("size", [1_000_000, 100_000_000])
    def test_long_garbage(self, size: int) -> None:
        """A bad line of 100 MB is one bad line."""
        good, bad, _ = read(A + b'{"' * (size // 2) + b"\n" + B)

        assert ([ONE, TWO], ["line 2: not JSON"]) == (good, bad)

    def test_torn_long_message(self) -> None:
        """What follows a long torn message is read."""
        head = b'{"text":"' + b"x" * 1_000_000

        assert ([ONE], ["line 1: not JSON"], [head]) == read(head + A)


HOSTILE = "".join(map(chr, [*range(10), *range(11, 32), *range(0x7F, 0xA0)]))
HOSTILE += "\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class TestHostileLogs:
    """Text that would do something to the terminal."""

    @pytest.mark.parametrize(
        "command",
        [
            ["eliot.prettyprint"],
            ["eliot.prettyprint", "--compact"],
            ["eliot.filter", "--skip-errors", "J"],
            ["eliot.filter", "--skip-errors", "getattr(J, J['message_type'])"],
            ["eliot.filter", "getattr(J, J['message_type'])"],
        ],
    )
    def test_commands(self, command: List[str]) -> None:
        """Nothing of it reaches the terminal, wherever in the log it is."""
        fields = {
            **message(),
            **dict.fromkeys(["task_uuid", "message_type", "action_type", "action_status"], HOSTILE),
            HOSTILE: HOSTILE,
            "deep": [{HOSTILE: HOSTILE}],
        }
        odd = [
            {**fields, "task_level": level, "timestamp": HOSTILE} for level in (HOSTILE, [HOSTILE])
        ]
        raw = HOSTILE.encode() + b"\n" + b'{"' + HOSTILE.encode() + b'":1}\n"' + HOSTILE.encode()
        process = subprocess.run(
            [sys.executable, "-m", *command],
            input=b"".join(map(line, [fields, *odd])) + raw,
            capture_output=True,
            cwd=str(Path(eliot.__file__).parents[1]),
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            check=False,
        )
        text = (process.stdout + process.stderr).decode()

        assert text
        assert [] == [part for part in text.split("\n") if not part.replace("\t", "").isprintable()]

    def test_errors(self) -> None:
        """Nothing of it is in the texts of errors."""
        errors: List[Exception] = []
        for more in (
            {"task_level": [HOSTILE]},
            {"task_level": HOSTILE},
            {"action_type": HOSTILE, "action_status": HOSTILE},
            {"action_type": HOSTILE, "action_status": "started", "task_level": [2]},
        ):
            stream = [{**message(), "task_uuid": HOSTILE, **more}]
            assert [] == list(Parser.parse_stream(stream, lambda _, error: errors.append(error)))

        assert 4 == len(errors)
        assert all(str(error).isprintable() for error in errors)

    def test_representations(self) -> None:
        """Nothing of it is in what tasks and actions say of themselves."""
        fields = {"task_uuid": HOSTILE, "action_type": HOSTILE, "x": HOSTILE}
        (task,) = Parser.parse_stream([{**message(), "action_status": "started", **fields}])

        assert repr(task).isprintable()
        assert repr(task.root()).isprintable()
        assert repr(WrittenMessage.from_dict(fields)).isprintable()
