"""
Order from a warehouse over HTTP, with Twisted on both sides, and log one tree.

    python twisted_http.py [LOGFILE]

The shop orders two things at once. The warehouse, a web server on a free port of this machine, has
but one of them. A thread writes the log (twisted_http.log unless told otherwise), which tells how
the two, which only speak HTTP to each other, worked together.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from twisted.internet.defer import DeferredList
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import deferLater, react
from twisted.python.failure import Failure
from twisted.web.client import Agent
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from eliot import Action, FileDestination, log_call, start_action, write_failure
from eliot.logwriter import ThreadedWriter
from eliot.twisted import DeferredContext, inline_callbacks

STOCK = {"bolts": 480, "nuts": 12}


class Warehouse(Resource):
    """The server: it continues the action of the customer, in callbacks."""

    isLeaf = True

    def __init__(self, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Twisted has no types there
        self.reactor = reactor

    def render_POST(self, request: Request) -> int:  # noqa: N802 - Twisted's name
        """Ship one thing, a little later."""
        item = request.path.decode()[1:]
        task_id = request.getHeader("Eliot-Task-Id") or ""
        with Action.continue_task(task_id=task_id, action_type="warehouse:ship").context():
            shipping = DeferredContext(deferLater(self.reactor, 0.01))
            shipping.addCallback(lambda _: take(item))
            shipping.addBoth(answer, request)
            shipping.addActionFinish()
        return NOT_DONE_YET


@log_call(action_type="warehouse:take")
def take(item: str) -> int:
    """Take one thing from its shelf, and return how many are left."""
    STOCK[item] -= 1
    return STOCK[item]


def answer(taken: object, request: Request) -> None:
    """Send a response that is nothing but a code."""
    if isinstance(taken, Failure):
        write_failure(taken)
        request.setResponseCode(HTTPStatus.NOT_FOUND)
    else:
        request.setResponseCode(HTTPStatus.NO_CONTENT)
    request.setHeader("Content-Length", "0")
    request.finish()


class OutOfStockError(Exception):
    """Raised when the warehouse has not what was ordered."""


@inline_callbacks
async def order(agent: Agent, address: str, item: str) -> None:
    """Order one thing; the header says where in the tree the warehouse shall go on."""
    with start_action(action_type="shop:order", item=item) as action:
        headers = Headers({b"Eliot-Task-Id": [action.serialize_task_id()]})
        response = await agent.request(b"POST", f"{address}/{item}".encode(), headers)
        if response.code != HTTPStatus.NO_CONTENT:
            raise OutOfStockError(item)


async def shop(reactor: Any, address: str, *items: str) -> None:
    """Order several things at once."""
    agent = Agent(reactor)
    with start_action(action_type="shop") as action:
        orders = [order(agent, address, item) for item in items]
        results = await DeferredList(orders, consumeErrors=True)
        delivered = [item for item, (success, _) in zip(items, results) if success]
        action.add_success_fields(delivered=delivered)
    print("delivered:", *delivered)


async def main(reactor: Any, log_path: str = "twisted_http.log") -> None:
    """Open the warehouse and the shop, and log to a file."""
    with Path(log_path).open("wb") as log:  # noqa: ASYNC230 - nobody waits yet
        writer = ThreadedWriter(FileDestination(file=log), reactor)
        writer.startService()
        try:
            endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
            port = await endpoint.listen(Site(Warehouse(reactor)))
            await shop(reactor, f"http://127.0.0.1:{port.getHost().port}", "bolts", "screws")
            await port.stopListening()
        finally:
            await writer.stopService()


if __name__ == "__main__":
    react(main, sys.argv[1:])
