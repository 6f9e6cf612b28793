"""
A web server that continues the task of whoever asks, and has a log of its own.

    python twisted_server.py LOGFILE

It prints its port, and stops when it is told to terminate.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import MultiService
from twisted.internet import reactor as installed_reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import deferLater
from twisted.web.server import NOT_DONE_YET, Request, Site

from eliot import Action, FileDestination, log_message
from eliot.logwriter import ThreadedWriter
from eliot.twisted import inline_callbacks

reactor: Any = installed_reactor


class Everything:
    """The resource that every path leads to."""

    isLeaf = True

    def render(self, request: Request) -> int:
        """Answer later."""
        answer(request)
        return NOT_DONE_YET


@inline_callbacks
async def answer(request: Request) -> None:
    """Continue the task, wait, and answer without a body."""
    with Action.continue_task(
        task_id=request.getHeader("Eliot-Task-Id") or "", action_type="server:answer"
    ):
        await deferLater(reactor, 0)
        log_message("server:waited", path=request.path.decode())
        request.setResponseCode(204)
        request.finish()


class Announced:
    """
    Tell on which port an endpoint listens.

    Args:
        endpoint: The endpoint.
    """

    def __init__(self, endpoint: Any) -> None:
        self.endpoint = endpoint

    def listen(self, factory: Any) -> Any:
        """Listen, and print the port."""
        return self.endpoint.listen(factory).addCallback(self.announce)

    def announce(self, port: Any) -> Any:
        """Print the port."""
        sys.stdout.write(f"{port.getHost().port}\n")
        sys.stdout.flush()
        return port


def main(log_path: str) -> None:
    """Serve until terminated."""
    with Path(log_path).open("wb") as log:
        program = MultiService()
        program.addService(ThreadedWriter(FileDestination(file=log), reactor))
        endpoint = Announced(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"))
        program.addService(StreamServerEndpointService(endpoint, Site(Everything())))
        program.startService()
        reactor.addSystemEventTrigger("before", "shutdown", program.stopService)
        reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
