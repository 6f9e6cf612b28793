"""Tests of what the command makes of logs of real processes, whole and damaged."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

import eliot as package

Command = Callable[..., Any]

#: Logs to a file, in a task that another process has begun.
PROGRAM = """
import sys
from eliot import Action, log_message, start_action, to_file

to_file(sys.argv[1])
if len(sys.argv) == 2:
    with start_action(action_type="parent") as action:
        print(action.serialize_task_id().decode())
        log_message("asked", text="\\x1b[31mred\\u202e")
else:
    with Action.continue_task(task_id=sys.argv[2], action_type="child"):
        for depth in range(100):
            start_action(action_type="deep").__enter__()
"""


def run(*arguments: Any) -> str:
    """Run the program in a process of its own; return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        check=True,
        env={"PYTHONPATH": str(Path(package.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()


@pytest.fixture
def logs(tmp_path: Path) -> List[Path]:
    """Return the logs of two processes that share a task."""
    paths = [tmp_path / "parent.log", tmp_path / "child.log"]
    run(paths[1], run(paths[0]))
    return paths


def counted(eliot: Command, *sources: Any, **more: Any) -> Dict[str, Any]:
    """Return what `eliot stats` counts."""
    data: Dict[str, Any] = json.loads(eliot("stats", "--json", *sources, **more).text)
    return data


class TestTwoProcesses:
    """The logs of two processes that share a task."""

    def test_are_one_log(self, logs: List[Path], eliot: Command) -> None:
        """Together they are one task, of which nothing is missing; alone each lacks the rest."""
        together = counted(eliot, *logs)
        parent, child = (counted(eliot, path) for path in logs)

        assert (1, 0, 102) == (together["tasks"], together["missing_messages"], together["actions"])
        assert (1, 1) == (parent["missing_messages"], parent["incomplete_tasks"])
        assert (100, 102) == (child["unended_actions"], child["actions"])

    def test_may_be_shuffled(self, logs: List[Path], tmp_path: Path, eliot: Command) -> None:
        """In any order, in any number of files, compressed or not, it is the same."""
        lines = [line for path in logs for line in path.read_bytes().splitlines(keepends=True)]
        random.Random(7).shuffle(lines)  # noqa: S311 - no secret
        for number in range(3):
            path = tmp_path / f"part.{number}"
            data = b"".join(lines[number::3])
            path.write_bytes(gzip.compress(data) if number else data)

        assert counted(eliot, *logs) == counted(eliot, str(tmp_path / "part.*"))

    @pytest.mark.parametrize("place", [0, 5, 50, -50, -2])
    def test_may_be_cut(self, place: int, logs: List[Path], eliot: Command, tmp_path: Path) -> None:
        """What a cut leaves is counted, and the rest of a line is reported."""
        data = logs[1].read_bytes()
        cut = tmp_path / "cut.log"
        cut.write_bytes(data[:place])
        answer = eliot("stats", "--json", cut)
        whole = data[:place].count(b"\n")

        assert whole == json.loads(answer.text)["messages"]
        assert ("the log ends in the middle of a line" in answer.errors) == (place != 0)

    def test_may_have_rubbish_between(self, logs: List[Path], eliot: Command) -> None:
        """Bytes of any kind between the messages are reported, and change nothing else."""
        before = counted(eliot, *logs)
        rubbish = random.Random(7).getrandbits(80_000).to_bytes(10_000, "big")  # noqa: S311 - as above
        logs[0].write_bytes(rubbish.join([b"", b"\n" + logs[0].read_bytes(), b""]))
        answer = eliot("stats", "--json", *logs)
        after = json.loads(answer.text)

        assert 10 < sum(after.pop("bad_lines").values()) == len(answer.errors.splitlines())
        assert all(line.isprintable() for line in answer.errors.splitlines())
        assert {**before, "bad_lines": {}} == {**after, "bad_lines": {}}

    def test_can_be_selected(self, logs: List[Path], eliot: Command) -> None:
        """Conditions hold of what one process has logged, and select what both have."""
        text = eliot("stats", *logs, "--type", "asked", "--where", "text~red").text

        assert text.startswith("1 task (1 incomplete)\n102 actions (100 never ended)\n")


@pytest.mark.parametrize("depth", [400, 2000])
def test_deep_logs(depth: int, eliot: Command, tmp_path: Path) -> None:
    """Trees of any depth are counted, and found by what is at the bottom."""
    path = tmp_path / "deep.log"
    with path.open("w") as file:
        for level in range(1, depth + 1):
            message = {
                "task_uuid": "u",
                "task_level": [2] * (level - 1) + [1],
                "timestamp": level,
                "action_type": f"level {level}",
                "action_status": "started",
                "depth": level,
            }
            file.write(json.dumps(message) + "\n")
    answer = eliot("stats", "--json", "--where", f"depth={depth}", path)

    assert (depth, 0) == (json.loads(answer.text)["actions"], answer.status)
    assert ("", 1) == eliot("stats", "--where", f"depth={depth + 1}", path)[1:]


def test_hostile_types(eliot: Command) -> None:
    """Types are shown so that no terminal obeys them."""
    line = b'{"task_uuid":"u","task_level":[1],"timestamp":1,"message_type":"\\u001b[2J\\n\\u202e"}'
    text = eliot("stats", stdin=line).text

    assert text.endswith("message  \\x1b[2J\\n\\u202e\n")
