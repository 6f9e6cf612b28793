"""Every example is a program that runs, and whose log is as good as it promises."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator
from urllib.parse import urlsplit

import pytest

import eliot
from eliot.parse import Parser, Task, WrittenAction, WrittenMessage

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(example: Path, folder: Path) -> str:
    """Run a program that has to succeed without a word on stderr, and return what it printed."""
    package = str(Path(eliot.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": package},
        capture_output=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr.decode())
    return done.stdout.decode()


def tasks(log: Path) -> list[Task]:
    """Parse a log."""
    return list(Parser.parse_stream(map(json.loads, log.read_text("utf-8").splitlines())))


def test_every_example_is_run() -> None:
    """No example is forgotten: a test runs it, or a page shows what it prints."""
    root = EXAMPLES.parent
    runners = [*(root / "tests").rglob("*.py"), *(root / "docs").rglob("*.rst")]
    texts = "".join(path.read_text("utf-8") for path in runners)
    forgotten = [
        path.name
        for path in EXAMPLES.glob("*.py")
        if f'"{path.name}"' not in texts and f"$ python examples/{path.name}" not in texts
    ]

    assert [] == forgotten


def actions(node: WrittenAction, action_type: str) -> Iterator[WrittenAction]:
    """Find the actions of a type in a tree, in its order."""
    if node.action_type == action_type:
        yield node
    for child in node.children:
        if isinstance(child, WrittenAction):
            yield from actions(child, action_type)


def field(message: WrittenMessage | None, name: str) -> object:
    """Read a field of a message that has to be there."""
    assert message is not None
    return message.contents[name]


def path_of(action: WrittenAction) -> str:
    """Tell which page an action of the checker is about."""
    return urlsplit(str(field(action.start_message, "url"))).path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> WrittenAction:
    """Run the link checker and parse its log, which is a single task."""
    folder = tmp_path_factory.mktemp("linkcheck")
    printed = run(EXAMPLES / "linkcheck.py", folder)
    [task] = tasks(folder / "linkcheck.log")
    root = task.root()

    assert re.fullmatch(
        r"5 addresses checked, 1 broken: http://127\.0\.0\.1:\d+/guide/lost\n", printed
    )
    assert task.is_complete()
    assert isinstance(root, WrittenAction)
    return root


class TestLinkcheck:
    """The link checker's log tells what happened, and why."""

    def test_broken_link_is_a_failed_fetch(self, root: WrittenAction) -> None:
        """The one action that fails is the fetch of the broken link; it names the exception."""
        [failed] = [fetch for fetch in actions(root, "linkcheck:fetch") if fetch.status == "failed"]

        assert "/guide/lost" == path_of(failed)
        assert "__main__.BrokenLinkError" == failed.exception
        assert str(failed.reason).endswith("/guide/lost answers 404")

    def test_failure_has_the_field_of_the_extractor(self, root: WrittenAction) -> None:
        """The end message of the failed fetch has the HTTP status as a field of its own."""
        [failed] = [fetch for fetch in actions(root, "linkcheck:fetch") if fetch.status == "failed"]

        assert 404 == field(failed.end_message, "status")

    def test_broken_link_hangs_below_the_page_that_has_it(self, root: WrittenAction) -> None:
        """The tree tells how the checker came to the broken link: home, guide, lost."""
        way = {
            path_of(inner): path_of(outer)
            for outer in actions(root, "linkcheck:check")
            for inner in outer.children
            if isinstance(inner, WrittenAction) and inner.action_type == "linkcheck:check"
        }

        assert {"/guide": "/", "/news": "/", "/report": "/", "/guide/lost": "/guide"} == way

    def test_redirect_is_a_fetch_inside_a_fetch(self, root: WrittenAction) -> None:
        """The fetch of the page that moved contains that of the page that it moved to."""
        way = [
            (path_of(outer), path_of(inner))
            for outer in actions(root, "linkcheck:fetch")
            for inner in actions(outer, "linkcheck:fetch")
            if inner is not outer
        ]

        assert [("/news", "/latest")] == way

    def test_slow_page_shows_what_it_waited_for(self, root: WrittenAction) -> None:
        """The count of visits is all that the website did for the slow page, and it took long."""
        [answer] = [
            action
            for action in actions(root, "website:answer")
            if field(action.start_message, "path") == "/report"
        ]
        [count] = answer.children

        assert isinstance(count, WrittenAction)
        assert "__main__.count_visits" == count.action_type
        assert float(count.end_time or 0) - float(count.start_time or 0) > 0.2

    def test_address_is_not_checked_twice(self, root: WrittenAction) -> None:
        """The log tells which link was not followed, and why."""
        [skip] = [
            child
            for page in actions(root, "linkcheck:check")
            for child in page.children
            if isinstance(child, WrittenMessage)
        ]

        assert "linkcheck:skip" == field(skip, "message_type")
        assert "checked already" == field(skip, "why")
