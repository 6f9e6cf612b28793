"""
Ask two shops for a price at the same time, and buy from the one that answers first.

    python asyncio_shopping.py [LOGFILE]

The shops come along: servers on free ports of this machine, one of which never answers. The log
(shopping.log unless told otherwise) is one tree of what the buyer, the shop, a thread and the
delivery did, though they took turns, and though the delivery came when all the rest was over.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import StreamReader, StreamWriter
from pathlib import Path

from eliot import Action, log_call, log_message, preserve_context, start_action, to_file


async def open_shop(reader: StreamReader, writer: StreamWriter) -> None:
    """Greet, and name a price, in the action of whoever asks: their first line is its id."""
    writer.write(b"Good morning!\n")
    task_id = (await reader.readline()).strip()
    with Action.continue_task(task_id=task_id, action_type="shop:answer") as action:
        item = (await reader.readline()).decode().strip()
        action.add_success_fields(price=len(item))
        writer.write(b"%d\n" % len(item))
    writer.close()


async def closed_shop(reader: StreamReader, writer: StreamWriter) -> None:
    """Wait until the customer has left."""
    await reader.read()
    writer.close()


async def ask(name: str, port: int, item: str) -> int:
    """Ask one shop for the price of an item."""
    with start_action(action_type="shopping:ask", shop=name) as action:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await reader.readline()
            writer.write(b"%s\n%s\n" % (action.serialize_task_id(), item.encode()))
            return int(await reader.readline())
        finally:
            writer.close()


@log_call
def write_invoice(path: Path, price: int) -> None:
    """Write a file, which would hold up the other tasks if it were done in one of them."""
    path.write_text(f"{price} coins received with thanks\n")


async def deliver(item: str) -> None:
    """Bring the item, after the buyer has turned to other things."""
    with start_action(action_type="shopping:deliver", item=item):
        await asyncio.sleep(0)
        log_message("shopping:doorbell")


async def buy(item: str, ports: dict[str, int], invoice: Path) -> asyncio.Task[None]:
    """Buy an item, and return its delivery, which is still to come."""
    with start_action(action_type="shopping", item=item):
        asked = [asyncio.ensure_future(ask(name, port, item)) for name, port in ports.items()]
        answered, others = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        price = answered.pop().result()
        # A thread of an executor is in no action, unless one preserves it.
        write = preserve_context(write_invoice)
        await asyncio.get_running_loop().run_in_executor(None, write, invoice, price)
        return asyncio.ensure_future(deliver(item))


async def shop(item: str, invoice: Path) -> None:
    """Open the shops, buy something, and wait for it."""
    servers = {
        "corner": await asyncio.start_server(open_shop, "127.0.0.1", 0),
        "closed": await asyncio.start_server(closed_shop, "127.0.0.1", 0),
    }
    ports = {name: server.sockets[0].getsockname()[1] for name, server in servers.items()}
    delivery = await buy(item, ports, invoice)
    await delivery
    for server in servers.values():
        server.close()


def main(log_path: str = "shopping.log") -> None:
    """Buy a teapot, log to a file, and show the invoice."""
    invoice = Path(log_path).with_name("invoice.txt")
    with Path(log_path).open("wb") as log:
        to_file(log)
        asyncio.run(shop("teapot", invoice))
    print(invoice.read_text(), end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
