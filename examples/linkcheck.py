"""
Find the broken links of a website, and log why each of them is broken.

    python linkcheck.py [LOGFILE]

The website comes along: a few pages on a free port of this machine. One link is broken, one is
redirected, and one leads to a slow page. The log (linkcheck.log unless told otherwise) tells these
three stories, and how the checker and the website, two threads that only speak HTTP to each other,
worked together.
"""

from __future__ import annotations

import re
import sys
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Iterator
from urllib.parse import urljoin, urlsplit

from eliot import Action, log_call, log_message, register_exception_extractor, start_action, to_file

PAGES = {
    "/": '<a href="/guide">Guide</a> <a href="/news">News</a> <a href="/report">Report</a>',
    "/guide": '<a href="/">Home</a> <a href="/guide/lost">Next</a>',
    "/latest": "Nothing new.",
    "/report": "Many visits.",
}
MOVED = {"/news": "/latest"}


class Website(BaseHTTPRequestHandler):
    """The site: it continues the action of whoever asks, so that both sides log one tree."""

    def do_GET(self) -> None:
        """Answer one request."""
        task_id = self.headers["Eliot-Task-Id"]
        with Action.continue_task(
            task_id=task_id, action_type="website:answer", path=self.path
        ) as action:
            if self.path == "/report":
                count_visits()
            if self.path in MOVED:
                status = HTTPStatus.MOVED_PERMANENTLY
            else:
                status = HTTPStatus.OK if self.path in PAGES else HTTPStatus.NOT_FOUND
            action.add_success_fields(status=status)
        self.send_response(status)
        if self.path in MOVED:
            self.send_header("Location", MOVED[self.path])
        self.end_headers()
        self.wfile.write(PAGES.get(self.path, "").encode())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing to stderr: the log has it."""


@log_call
def count_visits() -> int:
    """Take as long as a busy database would."""
    Event().wait(0.3)
    return 42


@contextmanager
def website() -> Iterator[str]:
    """Serve the site in a thread of its own, and give its address."""
    with HTTPServer(("127.0.0.1", 0), Website) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class BrokenLinkError(Exception):
    """Raised when a link leads nowhere."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(f"{url} answers {status}")
        self.status = status


register_exception_extractor(BrokenLinkError, lambda error: {"status": error.status})


def fetch(url: str, redirects: int = 5) -> str:
    """Return the page at an address, or at the address that it moved to."""
    with start_action(action_type="linkcheck:fetch", url=url) as action:
        with closing(HTTPConnection(urlsplit(url).netloc, timeout=10)) as connection:
            task_id = action.serialize_task_id().decode()
            connection.request("GET", urlsplit(url).path, headers={"Eliot-Task-Id": task_id})
            response = connection.getresponse()
            page = response.read().decode()
        if response.status == HTTPStatus.MOVED_PERMANENTLY and redirects:
            return fetch(urljoin(url, response.getheader("Location", "")), redirects - 1)
        if response.status != HTTPStatus.OK:
            raise BrokenLinkError(url, response.status)
        return page


def check(url: str, seen: set[str]) -> list[str]:
    """Return the broken links among an address and all that can be reached from it."""
    with start_action(action_type="linkcheck:check", url=url) as action:
        seen.add(url)
        try:
            page = fetch(url)
        except BrokenLinkError:
            action.add_success_fields(verdict="broken")
            return [url]
        broken = []
        for link in re.findall('href="(.*?)"', page):
            target = urljoin(url, link)
            if target in seen:
                log_message("linkcheck:skip", url=target, why="checked already")
            else:
                broken += check(target, seen)
        action.add_success_fields(verdict="good")
        return broken


def main(log_path: str = "linkcheck.log") -> None:
    """Check the site, log to a file, and say what was found."""
    seen: set[str] = set()
    with Path(log_path).open("wb") as log, website() as home:
        to_file(log)
        broken = check(home, seen)
    print(f"{len(seen)} addresses checked, {len(broken)} broken:", *broken)


if __name__ == "__main__":
    main(*sys.argv[1:])
