"""The benchmarks do right by figures, and their workers do the work; nothing is timed here."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree as ET

import plot
import pytest
import run
from hypothesis import given
from hypothesis import strategies as st

import eliot
from bench import instructions, switches, writing
from bench.figures import (
    Curve,
    Result,
    Table,
    cell,
    csv_table,
    grown,
    middle,
    percentile,
    ratio,
    text_table,
)
from bench.lab import WORKERS, Lab, WorkerError, alternate
from eliot.parse import Parser

TABLE = Table("name", "Title", ["what", "µs"], [["a", 1.25], ["b, c", None]])
CURVE = Curve("name", "A < B", "x", "y", {"a": [[1, 2.0], [1000, 3.5]], "b": [[10, 1.0]]})

#: How many messages each workload writes, with the two of the action around some of them.
LINES = {
    "message": 3,
    "nested": 7,
    "task": 2,
    "lone": 1,
    "log_call": 4,
    "recursion": 102,
    "failing": 4,
    "traceback": 3,
}


def work(worker: str, *arguments: object) -> Any:
    """Run a worker with the Eliot of these tests; return its report."""
    done = subprocess.run(
        [sys.executable, str(WORKERS / f"{worker}.py"), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(Path(eliot.__file__).parents[1])},
        capture_output=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr.decode())
    return json.loads(done.stdout)


class TestFigures:
    """Figures become medians, ratios and tables."""

    def test_median(self) -> None:
        """The middle figure counts, scaled."""
        assert 2000 == middle([1.0, 9.0, 2.0], 1e3)

    def test_no_median(self) -> None:
        """Without figures there is no median."""
        assert (None, None) == (middle([]), middle(None))

    def test_ratio_by_round(self) -> None:
        """A slow round slows both, so the ratio is that of each round."""
        assert 2 == ratio([2.0, 20.0, 4.0], [1.0, 10.0, 2.0])

    def test_no_ratio(self) -> None:
        """What was not measured has no ratio."""
        assert (None, None) == (ratio([1.0], []), ratio(None, [1.0]))

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (None, "–"),
            ("text", "text"),
            (3_000_000, "3,000,000"),
            (1234.5, "1,234"),
            (99.96, "100"),
            (12.34, "12.3"),
            (1.0, "1.00"),
            (0.01234, "0.0123"),
            (0.0, "0.0000"),
        ],
    )
    def test_cell(self, value: object, expected: str) -> None:
        """Numbers are shown with three digits that count."""
        assert expected == cell(value)

    def test_text_table(self) -> None:
        """A table is laid out in columns."""
        expected = "Title\nwhat    µs\n----  ----\na     1.25\nb, c     –\n"

        assert expected == text_table(TABLE)

    def test_csv_table(self) -> None:
        """A table is CSV, with a header."""
        rows = list(csv.reader(io.StringIO(csv_table(TABLE))))

        assert [["what", "µs"], ["a", "1.25"], ["b, c", "–"]] == rows

    @given(st.lists(st.floats(allow_nan=False), min_size=1), st.floats(0, 1))
    def test_percentile(self, figures: list[float], share: float) -> None:
        """At least this share of the figures is not above the percentile, which is one of them."""
        ordered = sorted(figures)
        found = percentile(ordered, share)

        assert found in ordered
        assert sum(figure <= found for figure in ordered) >= int(share * len(ordered))

    def test_percentile_of_hundred(self) -> None:
        """Percentiles are the figures that one expects."""
        ordered = list(range(1, 101))

        assert [50, 99, 100, 100] == [percentile(ordered, x) for x in (0.5, 0.99, 0.999, 1)]

    def test_turns(self) -> None:
        """Contenders take turns."""
        calls: list[str] = []

        def contender(name: str) -> float:
            calls.append(name)
            return len(calls)

        figures = alternate({"a": lambda: contender("a"), "b": lambda: contender("b")}, 2)

        assert (["a", "b", "a", "b"], {"a": [1, 3], "b": [2, 4]}) == (calls, figures)


class TestInstructions:
    """Counts of instructions are compared with accepted ones."""

    def test_within_tolerance(self) -> None:
        """A little more is accepted, and so are less and what is new."""
        assert [] == grown({"a": 1030, "b": 10, "c": 1}, {"a": 1000, "b": 1000})

    def test_grown(self) -> None:
        """Too much more is named."""
        expected = ["a: 1,031 instructions, accepted are 1,000"]

        assert expected == grown({"a": 1031, "b": 1}, {"a": 1000, "b": 1})

    def test_accept(self, tmp_path: Path) -> None:
        """Accepting the counts of a version leaves those of others alone."""
        path = tmp_path / "accepted.json"
        instructions.accept({"a": 1}, "CPython 3.8", path)
        instructions.accept({"a": 2}, "CPython 3.9", path)
        instructions.accept({"a": 3}, "CPython 3.9", path)

        assert {"CPython 3.8": {"a": 1}, "CPython 3.9": {"a": 3}} == instructions.read_accepted(
            path
        )

    def test_nothing_accepted(self, tmp_path: Path) -> None:
        """Without a file, nothing is accepted yet."""
        assert {} == instructions.read_accepted(tmp_path / "accepted.json")

    def test_accepted(self) -> None:
        """The accepted counts are those of workloads that there are."""
        names = {name for counts in instructions.read_accepted().values() for name in counts}

        assert set(instructions.WORKLOADS) == names


class TestResults:
    """What is measured is kept, and becomes the files that the documentation includes."""

    RUN: ClassVar[dict[str, Any]] = {
        "python": "CPython 3.8",
        "machine": "PDP-11",
        "load": 0.5,
        "date": "1970-01-01",
        "quick": True,
        "versions": {"orjson": "3.8"},
    }

    def test_topics_are_replaced(self, tmp_path: Path) -> None:
        """A topic that is run again replaces its figures, and no others."""
        path = tmp_path / "results.json"
        run.save(path, "a", Result([TABLE]), self.RUN)
        run.save(path, "b", Result([TABLE]), self.RUN)
        run.save(path, "a", Result(notes=["new"]), self.RUN)
        results = json.loads(path.read_text("utf-8"))

        assert {"a": 0, "b": 1} == {topic: len(each["tables"]) for topic, each in results.items()}

    def test_files(self, tmp_path: Path) -> None:
        """Each table and each curve has a file; others tell of the run, and of what is missing."""
        path = tmp_path / "results.json"
        run.save(path, "topic", Result([TABLE], [CURVE], ["left out"]), self.RUN)
        plot.main(path, tmp_path / "files")
        files = {each.name: each.read_text("utf-8") for each in (tmp_path / "files").iterdir()}

        assert {"name.csv", "name.svg", "run.csv", "notes.csv"} == set(files)
        assert "topic,what\ntopic,left out\n" == files["notes.csv"]
        assert "preliminary" in files["run.csv"]

    def test_svg(self) -> None:
        """A plot is XML, with texts, and all points of each contender."""
        root = ET.fromstring(plot.svg(CURVE))  # noqa: S314 - from here
        texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
        points = [*root.iter("{http://www.w3.org/2000/svg}circle")]

        assert {"A < B", "x", "y", "a", "b", "1k"} <= set(texts)
        assert 3 == len(points)

    @given(st.floats(1e-3, 1e9))
    def test_axis(self, highest: float) -> None:
        """An axis has a few ticks, from zero to the highest value or a little more."""
        ticks = plot.nice(highest)

        assert 0 == ticks[0]
        assert highest <= ticks[-1] * (1 + 1e-6) <= 2 * highest
        assert len(ticks) <= 6

    def test_unknown_topic(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A topic that there is not is an error, before anything is measured."""
        with pytest.raises(SystemExit):
            run.main(["reding"])

        assert "no such topic: reding" in capsys.readouterr().err


class TestLab:
    """The lab runs workers and says what is wrong with them."""

    def test_failure(self, tmp_path: Path) -> None:
        """A command that fails is reported with its last word."""
        lab = Lab(tmp_path)
        lab.scratch.mkdir()
        with pytest.raises(WorkerError, match=r"^nothing to be done$"):
            lab.run([sys.executable, "-c", "import sys; sys.exit('nothing to be done')"])

    def test_timeout(self, tmp_path: Path) -> None:
        """A command that takes too long is stopped."""
        lab = Lab(tmp_path)
        lab.scratch.mkdir()
        with pytest.raises(WorkerError, match=r"^not done after 0 s$"):
            lab.run([sys.executable, "-c", "input()"], 0, stdin=subprocess.PIPE)


class TestWorkers:
    """The workers that this Eliot has do their work, once."""

    def test_workloads(self) -> None:
        """The workloads are those that have targets."""
        assert set(LINES) == set(writing.WORKLOADS) == set(writing.TITLES)

    @pytest.mark.parametrize("workload", LINES)
    def test_writing(self, workload: str, tmp_path: Path) -> None:
        """A workload writes as many messages as its cost is divided by."""
        log = tmp_path / "writing.log"
        log.touch()
        report = work("writing", "eliot", workload, log, 0)

        assert {"seconds": None} == report
        assert LINES[workload] == len(log.read_bytes().splitlines())

    @pytest.mark.parametrize(
        ("shape", "messages"),
        [
            ("flat", 30),
            ("wide", 10_000),
            ("deep-12", 48),
            ("one", 25),
            ("parts", 26),
            ("busy", 102),
        ],
    )
    def test_logs(self, shape: str, messages: int, tmp_path: Path) -> None:
        """The logs consist of complete tasks, no fewer messages than were asked for."""
        log = tmp_path / "made.log"
        work("logs", shape, 25, log)
        lines = log.read_bytes().splitlines()

        assert messages == len(lines)
        assert all(task.is_complete() for task in Parser.parse_stream(map(json.loads, lines)))

    def test_command(self, tmp_path: Path) -> None:
        """A command is run to its end, and one that fails is not measured."""
        report = work("command", sys.executable, "-c", "print('x' * 100_000)")
        failed = subprocess.run(
            [sys.executable, str(WORKERS / "command.py"), sys.executable, "-c", "exit(3)"],
            check=False,
        )

        assert 0 < report["first"] <= report["seconds"]
        assert report["megabytes"] > 1
        assert 3 == failed.returncode

    def test_timeline(self, tmp_path: Path) -> None:
        """The page is drawn, and again for each place that is looked at."""
        chromium = shutil.which("chromium") or pytest.skip("there is no Chromium")
        log, page = tmp_path / "busy.log", tmp_path / "busy.html"
        work("logs", "busy", 25, log)
        command = [sys.executable, "-m", "eliot.cli", "timeline", str(log), "-o", str(page)]
        subprocess.run(command, check=True)
        report = work("timeline", page, chromium)

        assert 0 < report["drawn"] < report["ready"]
        assert 21 == len(report["drawings"])

    @pytest.mark.parametrize("way", ["decode", "parse", "parse_lines", "pretty", "compact"])
    def test_reading(self, way: str, tmp_path: Path) -> None:
        """A log is read to its end."""
        log = tmp_path / "read.log"
        work("logs", "flat", 20, log)
        report = work("reading", way, log)

        assert 20 == report["messages"]

    @pytest.mark.parametrize("curve", ["messages", "threads", "depth", "fields", "destinations"])
    def test_growth(self, curve: str, tmp_path: Path) -> None:
        """There is a point for each step."""
        report = work("growth", "eliot", curve, tmp_path / "growth.log", 10, 1, 3)

        assert [1, 3] == [x for x, _, _ in report]

    @pytest.mark.parametrize("disk", ["quiet", "stalled"])
    def test_latency(self, disk: str, tmp_path: Path) -> None:
        """There is a figure for each call, and each call has written a message."""
        log = tmp_path / "latency.log"
        report = work("latency", "direct", disk, 0, log, 5)

        assert 5 == len(report["calls"])
        # The start of the action, and warming up.
        assert 1 + 1000 + 5 == len(log.read_bytes().splitlines())

    @pytest.mark.parametrize("how", ["nowhere", "direct", "background"])
    def test_background(self, how: str, tmp_path: Path) -> None:
        """Each message is in the file, unless it goes nowhere."""
        log = tmp_path / "background.log"
        report = work("background", how, "bursts", log)

        assert ["seconds", "elapsed"] == list(report)
        # The action, warming up, and 200 bursts.
        assert (how != "nowhere") * (2 + 201 * 1000) == log.read_bytes().count(b"\n")

    def test_off(self, tmp_path: Path) -> None:
        """Nothing gets to the destination that was removed, which would print it."""
        file = tmp_path / "truncated"
        file.touch()
        report = work("off", "message", file, 0)

        assert ["seconds"] == list(report)

    @pytest.mark.parametrize("switch", ["none", "levels", *switches.SWITCHES])
    def test_switches(self, switch: str, tmp_path: Path) -> None:
        """There is a figure with each switch, and nothing is silenced."""
        log = tmp_path / "switches.log"
        log.touch()
        report = work("switches", switch, "failing", log, 0)

        assert ["seconds"] == list(report)

    @pytest.mark.parametrize("call", switches.CALLS)
    def test_silenced(self, call: str) -> None:
        """There is a figure for each call."""
        assert ["seconds"] == list(work("silenced", call, 0.001))

    @pytest.mark.parametrize("name", ["message", "parse"])
    def test_counted(self, name: str, tmp_path: Path) -> None:
        """What is counted is a workload of Eliot's, or parsing."""
        log = tmp_path / "counted.log"
        work("logs", "flat", 10, log)

        assert None is work("counted", name, 5, log)
