"""Tests of the command `eliot timeline`; its page has tests of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sys
import webbrowser
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from eliot.cli._group import group


def action(uuid: str, start: float, end: float, **fields: Any) -> List[Dict[str, Any]]:
    """Make the messages of an action."""
    place = {"task_uuid": uuid, "action_type": "cook"}
    started = {"task_level": [1], "timestamp": start, "action_status": "started"}
    ended = {"task_level": [2], "timestamp": end, "action_status": "succeeded"}
    return [{**place, **started, **fields}, {**place, **ended}]


LOG = [*action("a-1", 1, 3, dish="soup"), *action("b-2", 2, 9)]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a folder with a log."""
    monkeypatch.chdir(tmp_path)
    write("app.log", LOG)
    monkeypatch.setattr(webbrowser, "open", refuse)
    yield

    assert "app.log" in os.listdir()


def refuse(url: str) -> None:
    """Open nothing that nobody wants to be opened."""
    raise AssertionError(url)


def write(name: str, messages: List[Dict[str, Any]]) -> None:
    """Write a log."""
    text = "".join(json.dumps(message) + "\n" for message in messages)
    Path(name).write_text(text, encoding="utf-8")


def run(*arguments: str, **options: Any) -> Result:
    """Run the command; what it raises is an error of this test."""
    return CliRunner().invoke(group, ["timeline", *arguments], catch_exceptions=False, **options)


class TestOutput:
    """Where it is written."""

    @pytest.mark.parametrize(
        ("options", "name"),
        [
            ([], "app.timeline.html"),
            (["--format", "html"], "app.timeline.html"),
            (["--format", "perfetto"], "app.perfetto.json"),
            (["--format", "speedscope"], "app.speedscope.json"),
            (["-o", "x"], "x"),
        ],
    )
    def test_file(self, options: List[str], name: str) -> None:
        """By default it is named after the log, and the command says so."""
        result = run("app.log", *options)

        assert (0, f"{name}: 2 tasks, 2 actions\n") == (result.exit_code, result.stdout)
        assert ["app.log", name] == sorted(os.listdir())
        assert Path(name).stat().st_size > 0

    def test_picture(self) -> None:
        """A picture has one task."""
        result = run("app.log", "--format", "svg")

        assert "app.timeline.svg: 1 task, 1 action\n" == result.stdout
        assert ["app.log", "app.timeline.svg"] == sorted(os.listdir())

    def test_names(self) -> None:
        """It is in the current folder, without the endings of the log; several logs have none."""
        os.mkdir("logs")
        write("logs/one.jsonl.gz", action("c", 1, 2))
        results = [
            run("logs/one.jsonl.gz"),
            run("logs/one.jsonl.gz", "app.log"),
            run("-", input=json.dumps(LOG[0])),
        ]

        assert ["one.timeline.html", "eliot.timeline.html", "eliot.timeline.html"] == [
            result.stdout.partition(":")[0] for result in results
        ]
        assert "1 task, 1 action" in results[0].stdout

    def test_stdout(self) -> None:
        """With `-` it is standard output that gets it, in UTF-8 whatever the terminal can show."""
        write("utf.log", action("a", 1, 2, dish="soupe à l'oignon ✓"))
        result = run("utf.log", "--ascii", "--format", "perfetto", "-o", "-")
        events = json.loads(result.stdout_bytes.decode("utf-8"))["traceEvents"]

        assert "soupe à l'oignon ✓" == events[-1]["args"]["fields"]["dish"]
        assert ["app.log", "utf.log"] == sorted(os.listdir())

    def test_json(self) -> None:
        """With `--json` the command says in JSON what it has written."""
        result = run("app.log", "--json")

        assert {"output": "app.timeline.html", "tasks": 2, "actions": 2} == json.loads(
            result.stdout
        )

    def test_log_is_spared(self) -> None:
        """The log itself is never overwritten."""
        os.symlink("app.log", "link")
        result = run("app.log", "-o", "link")

        assert 2 == result.exit_code
        assert "link is the log itself" in result.output
        assert len(LOG) == len(Path("app.log").read_text().splitlines())

    def test_unwritable(self) -> None:
        """Where it cannot be written the command says why."""
        result = run("app.log", "-o", "no/such/folder")

        assert 2 == result.exit_code
        assert "No such file or directory" in result.output

    def test_nothing(self, eliot: Callable[..., Any]) -> None:
        """Without a task there is no output, the command says so, and the status is 1."""
        told = "eliot: there is no such task; nothing was written\n"

        assert ("", told, 1) == eliot("timeline", "app.log", "--task", "z")
        assert ["app.log"] == os.listdir()


class TestOpen:
    """Opening the page."""

    def test_opens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The browser is told where the page is."""
        opened: List[str] = []
        monkeypatch.setattr(webbrowser, "open", opened.append)
        result = run("app.log", "--open")

        assert 0 == result.exit_code
        assert [Path("app.timeline.html").resolve().as_uri()] == opened

    def test_needs_a_file(self) -> None:
        """What is not in a file cannot be opened."""
        result = run("app.log", "--open", "-o", "-")

        assert 2 == result.exit_code
        assert "--open needs a file" in result.output


class TestContent:
    """What is in it."""

    def test_selection(self) -> None:
        """Only selected tasks are shown."""
        result = run("app.log", "--where", "dish=soup", "-o", "-", "--format", "speedscope")
        document = json.loads(result.stdout)

        assert ["cook a-1"] == [profile["name"] for profile in document["profiles"]]
        assert "app.log" == document["name"]

    def test_longest(self) -> None:
        """The picture is that of the longest of the selected tasks."""
        pictures = [
            run("app.log", "--format", "svg", "-o", "-", *more) for more in ([], ["--task", "a"])
        ]
        titles = [ET.fromstring(picture.stdout)[0].text for picture in pictures]  # noqa: S314

        assert ["cook b-2", "cook a-1"] == titles

    @pytest.mark.parametrize("options", [[], ["--task", "a"]])
    def test_late_messages(self, options: List[str]) -> None:
        """A message that was logged late is in its task, and that is there once."""
        late = {"task_uuid": "a-1", "task_level": [1, 1], "timestamp": 4, "message_type": "late"}
        write("late.log", [*LOG, late])

        tasks = 1 if options else 2

        assert f"{tasks} task" in run("late.log", *options).stdout

    def test_damaged(self) -> None:
        """What is no message is reported with its place, and all the rest is shown."""
        torn = json.dumps(LOG[0])[:-9].encode()
        lines = [json.dumps(message).encode() for message in LOG[1:]]
        Path("bad.log").write_bytes(b"\n".join([b"\x00\xff", torn, *lines, b"[]"]))
        result = run("bad.log")

        assert 0 == result.exit_code
        assert "bad.timeline.html: 2 tasks, 2 actions\n" in result.output
        assert ["bad.log:1", "bad.log:2", "bad.log:6"] == re.findall(r"bad.log:\d", result.output)


class TestPage:
    """The page as text."""

    def test_loads_nothing(self) -> None:
        """There are no addresses of anything, and the policy allows none."""
        page = run("app.log", "-o", "-").stdout
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)

        assert policy
        assert "default-src 'none'" in policy[1]
        assert "unsafe" not in policy[1]
        assert ["data:,"] == re.findall(r'\b(?:src|href)="([^"]*)"', page)
        assert not re.search(r"https?://|@import|url\(", page)

    @pytest.mark.parametrize("tag", ["style", "script"])
    def test_allows_its_own(self, tag: str) -> None:
        """The policy allows the one style and the one script that the page has."""
        page = run("app.log", "-o", "-").stdout
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

        assert f"{tag}-src 'sha256-{digest}'" in page

    @pytest.mark.skipif(sys.platform == "win32", reason="no such names on this interpreter")
    def test_hostile_name(self) -> None:
        """The name of the log is text, whatever it is."""
        name = "<script>{{fields}}&\x1b.log"
        write(name, LOG)
        run(name, "-o", "page")
        page = Path("page").read_text(encoding="utf-8")

        assert r"<h1>&lt;script&gt;{{fields}}&amp;\x1b.log</h1>" in page

    def test_hostile_fields(self) -> None:
        """No field is there as it is: fields are compressed, and in letters and digits."""
        write("bad.log", action("a", 1, 2, **{"</script>": "<!--<script>\u2028"}))
        page = run("bad.log", "-o", "-").stdout
        written = run("app.log", "-o", "-").stdout

        assert page.count("<script") == written.count("<script")
        assert page.count("</script") == written.count("</script")
        assert page.count("<!--") == written.count("<!--")
