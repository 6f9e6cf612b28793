"""`eliot timeline`: the tasks of a log as a page for the browser, or as a document for viewers."""

from __future__ import annotations

import os
import re
import sys
import webbrowser
from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path
from pkgutil import get_data
from typing import List, Optional

import click

from eliot._lanes import Lanes
from eliot._safe import printable
from eliot._svg import svg
from eliot._timeline import PageData, json_text, perfetto, speedscope
from eliot.cli._options import Session, log_command
from eliot.cli._words import count_text

__all__ = ["page", "timeline"]

_HTML, _PERFETTO, _SPEEDSCOPE, _SVG = "html", "perfetto", "speedscope", "svg"

#: What the names of documents end with.
_ENDINGS = {
    _HTML: ".timeline.html",
    _PERFETTO: ".perfetto.json",
    _SPEEDSCOPE: ".speedscope.json",
    _SVG: ".timeline.svg",
}

#: What the names of logs end with.
_OF_LOGS = re.compile(r"(\.(log|json|jsonl|ndjson|txt))?(\.(gz|zst))?$")

_STDOUT = "-"


@log_command
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Where to write it, '-' for standard output; by default the name of the log with "
    ".timeline.html, .perfetto.json, .speedscope.json or .timeline.svg, in the current folder.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([*_ENDINGS]),
    default=_HTML,
    show_default=True,
    help="A page; a document for ui.perfetto.dev or speedscope.app; or a still picture of one "
    "task, the longest of those selected.",
)
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
def timeline(session: Session, output: Optional[str], form: str, opens: bool) -> None:
    """
    Show when it happened: the actions of each task over time, side by side where they overlapped.

    The page is one file that loads nothing: it can be kept, sent, and opened anywhere. Press "?"
    in it for its keys.
    """
    if output == _STDOUT and opens:
        msg = "--open needs a file"
        raise click.UsageError(msg)
    title = _title(session)
    path = Path(output or _OF_LOGS.sub("", title) + _ENDINGS[form])
    if output != _STDOUT and any(_is_same(part.path, path) for part in session.log.parts):
        msg = f"{printable(path)} is the log itself"
        raise click.UsageError(msg)
    tasks = [Lanes(task.top()) for task in session.tasks(settled=True)]
    if not tasks:
        session.output.note("eliot: there is no such task; nothing was written\n")
        return
    document = _document(form, tasks, title).encode("utf-8", "backslashreplace")
    if output == _STDOUT:
        sys.stdout.buffer.write(document)
        return
    path.write_bytes(document)
    shown = [_longest(tasks)] if form == _SVG else tasks
    count = sum(1 for lanes in shown for _ in lanes.actions())
    if session.json:
        session.write_json({"output": str(path), "tasks": len(shown), "actions": count})
    else:
        what = f"{count_text(len(shown), 'task')}, {count_text(count, 'action')}"
        session.write(f"{printable(path)}: {what}\n")
    if opens:
        webbrowser.open(path.resolve().as_uri())


def _title(session: Session) -> str:
    """Name what is shown: the log, if there is one."""
    paths = [part.path for part in session.log.parts]
    return os.path.basename(paths[0]) if len(paths) == 1 and paths[0] else "eliot"


def _is_same(path: Optional[str], other: Path) -> bool:
    try:
        return path is not None and os.path.samefile(path, other)
    except OSError:  # there is no such file yet
        return False


def _document(form: str, tasks: List[Lanes], title: str) -> str:
    if form == _PERFETTO:
        return json_text(perfetto(tasks))
    if form == _SPEEDSCOPE:
        return json_text(speedscope(tasks, title))
    if form == _SVG:
        return svg(_longest(tasks), max(lanes.end for lanes in tasks))
    data = PageData()
    for lanes in tasks:
        data.add(lanes)
    return page(data, title)


def _longest(tasks: List[Lanes]) -> Lanes:
    return max(tasks, key=lambda lanes: lanes.end - lanes.start)


def page(data: PageData, title: str) -> str:
    """Return the page that shows the data: one file, which may load nothing."""
    template, script = _text("timeline.html"), _text("timeline.js")
    style = template[template.index("<style>") + len("<style>") : template.index("</style>")]
    drawn, fields = data.parts()
    values = {
        "title": escape(printable(title)),
        "style-hash": _hash(style),
        "script-hash": _hash(script),
        "script": script,
        "drawn": drawn,
        "fields": fields,
    }
    return re.sub(r"\{\{([a-z-]+)\}\}", lambda found: values[found[1]], template)


def _text(name: str) -> str:
    return (get_data("eliot.cli", name) or b"").decode("utf-8")


def _hash(text: str) -> str:
    """Return how a content security policy names the one text that it allows."""
    return "sha256-" + b64encode(sha256(text.encode("utf-8")).digest()).decode("ascii")
