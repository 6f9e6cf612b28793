"""What `eliot why` and `eliot slow` say about the logs of real programs, and of damaged ones."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

import eliot
from eliot.parse import Failures, failures, profile, read

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = str(Path(eliot.__file__).parents[1])
UNAVAILABLE = "not available on this interpreter"

#: A computation of which one part fails.
DASK = """
import dask
from dask.delayed import delayed
from eliot import start_action, to_file
from eliot.dask import compute_with_trace

def divide(one, two):
    with start_action(action_type="divide", two=two):
        return one / two

to_file(open("dask.log", "wb"))
parts = [delayed(divide)(1, two, dask_key_name=f"part-{two}") for two in (2, 0)]
with dask.config.set(scheduler="synchronous"):
    try:
        with start_action(action_type="main"):
            compute_with_trace(*parts)
    except ZeroDivisionError:
        pass
"""

#: A program that is killed in the middle of its work.
KILLED = """
import os, signal
from eliot import log_message, start_action, to_file

to_file(open("killed.log", "wb"))
with start_action(action_type="serve"):
    with start_action(action_type="done"):
        pass
    with start_action(action_type="write", path="x"):
        log_message("half done")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def run(folder: Path, *command: str, status: int = 0) -> None:
    """Run a program in a folder."""
    environment = {**os.environ, "PYTHONPATH": PACKAGE}
    done = subprocess.run(
        [sys.executable, *command],
        check=False,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )

    assert (status, b"") == (done.returncode, done.stderr)


def example(folder: Path, name: str) -> None:
    """Run an example in a folder."""
    run(folder, str(ROOT / "examples" / name))


def brief(found: Failures) -> List[Tuple[str, str, int, int]]:
    """Tell the failures."""
    return [
        (
            str(group.exception).rpartition(".")[2],
            " > ".join(group.path),
            group.number,
            group.handled,
        )
        for group in found.failed
    ]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the link checker; give its log."""
    folder = tmp_path_factory.mktemp("linkcheck")
    example(folder, "linkcheck.py")
    return folder / "linkcheck.log"


class TestLinkcheck:
    """The link checker: a client and a server in two threads."""

    def test_why(self, log: Path) -> None:
        """A link is broken, which the checker expected."""
        found = failures(read(log))

        expected = [("BrokenLinkError", "linkcheck:check > linkcheck:fetch", 1, 1)]
        assert expected == brief(found)
        assert ([], []) == (found.caught, found.unfinished)
        example = found.failed[0].example
        assert {"status": 404} == example.chain[-1].end_fields
        assert "linkcheck:skip" in [event.type for event in example.before]
        assert "website:answer" == example.before[-1].type

    def test_slow(self, log: Path) -> None:
        """It took so long since the report counts visits."""
        found = profile(read(log))

        assert "__main__.count_visits" == found.actions[0].action_type
        steps = [step.action_type for step in found.slowest[0].path]
        expected = ["linkcheck:check", "linkcheck:fetch", "website:answer", "__main__.count_visits"]
        assert expected == steps

    def test_damaged(self, log: Path, tmp_path: Path) -> None:
        """Whatever is lost of the log, the rest has its answer."""
        lines = log.read_bytes().splitlines(keepends=True)
        chance = random.Random(5)  # noqa: S311 - no secret
        for _ in range(30):
            left = [line for line in lines if chance.random() < 0.7]
            chance.shuffle(left)
            damaged = tmp_path / "damaged.log"
            damaged.write_bytes(b"\0\xff\n".join(left)[: -chance.randrange(1, 40)])
            problems: List[Any] = []
            failed = failures(read(damaged, on_error=problems.append)).failed
            measured = profile(read(damaged, on_error=problems.append))

            assert len(failed) <= 1
            assert measured.tasks <= 1
            assert problems

    def test_merged(self, log: Path, tmp_path: Path) -> None:
        """Divided between two files, as by two processes, it is the same log."""
        lines = log.read_bytes().splitlines(keepends=True)
        paths = [tmp_path / "even.log", tmp_path / "odd.log"]
        for number, path in enumerate(paths):
            path.write_bytes(b"".join(lines[number::2]))

        assert failures(read(log)) == failures(read(*paths))
        assert profile(read(log)) == profile(read(*paths))


def test_asyncio(tmp_path: Path) -> None:
    """In a program of asyncio's that waits for the first answer all other ones are cancelled."""
    example(tmp_path, "asyncio_shopping.py")
    log = tmp_path / "shopping.log"

    [(exception, way, number, handled)] = brief(failures(read(log)))

    assert ("CancelledError", "shopping > shopping:ask") == (exception, way)
    assert 1 <= number == handled
    assert "shopping" == profile(read(log)).slowest[0].path[0].action_type


def test_twisted(tmp_path: Path) -> None:
    """In a program of Twisted's the failure of the server comes before that of the client."""
    pytest.importorskip("twisted", reason=f"Twisted is {UNAVAILABLE}")
    example(tmp_path, "twisted_http.py")
    found = failures(read(tmp_path / "twisted_http.log"))

    assert {
        ("OutOfStockError", "shop > shop:order", 1, 1),
        ("KeyError", "shop > shop:order > warehouse:ship > warehouse:take", 1, 1),
    } == set(brief(found))
    inner = next(group.example for group in found.failed if "KeyError" in str(group.exception))
    assert "take" in (inner.traceback or "")
    assert ["shop:order"] == [event.type for event in inner.afterwards]


def test_dask(tmp_path: Path) -> None:
    """In a computation of Dask's the part that failed is found, with what it was given."""
    pytest.importorskip("dask", reason=f"Dask is {UNAVAILABLE}")
    run(tmp_path, "-c", DASK)
    [group] = failures(read(tmp_path / "dask.log")).failed

    assert (("builtins.ZeroDivisionError", 1, 0)) == (group.exception, group.number, group.handled)
    assert ("main", "divide") == (group.path[0], group.path[-1])
    assert {"two": 0} == group.example.chain[-1].fields
    assert {"raised", "passed on"} == {step.part for step in group.example.chain}


def test_dask_cluster(tmp_path: Path) -> None:
    """On a cluster, whose processes log to files of their own, counting is what takes long."""
    pytest.importorskip("distributed", reason=f"Dask is {UNAVAILABLE}")
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    subprocess.run(
        [sys.executable, str(ROOT / "examples" / "dask_primes.py")],
        check=True,
        cwd=run_folder,
        env={**os.environ, "PYTHONPATH": PACKAGE},
        capture_output=True,
    )
    found = profile(read(str(run_folder / "dask_primes" / "*.log")))

    assert ("count", 3) == (found.actions[0].action_type, found.actions[0].number)
    path = {step.action_type: step for step in found.slowest[0].path}
    assert ("primes", "dask:compute") == tuple(path)[:2]
    assert 1 <= path["count"].number <= 3


def test_killed(tmp_path: Path) -> None:
    """Of a program that was killed it is told what it was doing."""
    run(tmp_path, "-c", KILLED, status=-9)
    found = failures(read(tmp_path / "killed.log"))

    assert [] == found.failed
    [group] = found.unfinished
    assert ("serve", "write") == group.path
    assert {"path": "x"} == group.example.chain[-1].fields
    assert ["done", "half done"] == [event.type for event in group.example.before]


@pytest.mark.parametrize("command", ["why", "slow"])
def test_streams(log: Path, command: str) -> None:
    """The commands read standard input, too, and answer in JSON that programs understand."""
    done = subprocess.run(
        [sys.executable, "-m", "eliot.cli", command, "--json"],
        check=True,
        input=log.read_bytes(),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": PACKAGE},
    )
    answers: List[Dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]

    assert {"why": ["failed"], "slow": ["action"] * 4 + ["task"]}[command] == [
        answer["kind"] for answer in answers
    ]
