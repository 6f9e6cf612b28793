"""Tests of `eliot stats`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

Command = Callable[..., Any]

EXPECTED = """\
2 tasks (1 failed, 1 incomplete)
3 actions (2 failed, 1 never ended)
6 messages
from 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:22.000Z: 2.00 s
[█       ▄       ▄       ▄       ▄] at most 2 messages in each 62 ms

count  failed  never ended  kind     type
    2       1            1  action   request
    1       1               action   query
    1                       message  m
"""


class TestText:
    """What people read."""

    def test_shows_counts(self, eliot: Command, log: Path) -> None:
        """Tasks, actions and messages are counted, in all, over time, and by type."""
        assert (EXPECTED, "", 0) == eliot("stats", log)

    def test_shows_ascii(self, eliot: Command, log: Path) -> None:
        """In ASCII the bars are other characters."""
        answer = eliot("stats", "--ascii", log)

        assert answer.text.isascii()
        assert "\n[@       =       =       =       =] at most" in answer.text

    def test_shows_damage(self, eliot: Command, log: Path) -> None:
        """Bad lines, degraded values and losses are counted, the former reported, too."""
        identity = '"task_uuid":"c","timestamp":1,"task_level":[1]'
        with log.open("a") as file:
            file.write("oops\n[]\n\nno\n{}\n")
            file.write(f'{{{identity},"eliot:degraded":{{"x":"cycle cut"}}}}\n')
            file.write(f'{{{identity[:13]}d{identity[13:]},"message_type":"eliot:lost",')
            file.write('"count":1200,"types":{"m\\u001b":1200}}\n')
        answer = eliot("stats", log)

        assert (
            "4 bad lines: 2 not JSON, 1 not a JSON object, "
            "1 without task_level, task_uuid, timestamp\n"
            "1 degraded value: 1 cycle cut\n"
            "1,200 lost messages, as reported: 1,200 m\\x1b\n"
        ) in answer.text
        assert f"{log}:7: not JSON: oops" == answer.errors.splitlines()[0]
        assert 4 == len(answer.errors.splitlines())
        assert "    1                       message  (none)\n" in answer.text

    def test_of_nothing(self, eliot: Command) -> None:
        """An empty log has nothing, which the exit status says, too."""
        assert ("0 tasks\n0 actions\n0 messages\n", "", 1) == eliot("stats")

    def test_of_odd_times(self, eliot: Command) -> None:
        """Times that no calendar knows are shown as they are."""
        line = b'{"task_uuid":"u","task_level":[1],"timestamp":1e300,"message_type":"m"}'

        assert "from 1e+300 to 1e+300: 0 µs" in eliot("stats", stdin=line).text

    def test_is_coloured(self, eliot: Command, log: Path) -> None:
        """With colours the head is bold, and types that failed are red."""
        answer = eliot("stats", "--color", "always", log)

        assert "\x1b[1mcount  failed  never ended  kind     type\x1b[0m\n" in answer.text
        assert "\x1b[31m    1       1               action   query\x1b[0m\n" in answer.text
        assert "\n    1                       message  m\n" in answer.text


class TestJSON:
    """What programs read."""

    def test_is_one_object(self, eliot: Command, log: Path) -> None:
        """All counts are there, in one line."""
        answer = eliot("stats", "--json", log)
        [line] = answer.text.splitlines()

        assert (2, 2, 6) == tuple(
            json.loads(line)[name] for name in ("tasks", "failed_actions", "messages")
        )
