"""
Download a file from the fastest of three mirrors, and let go of the others.

    python trio_mirrors.py [LOGFILE]

The mirrors come along: servers on free ports of this machine, two of which keep one waiting. The
log (mirrors.log unless told otherwise) tells which of them were asked, which one was first, and
that the others were cancelled.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import trio

from eliot import Action, log_call, start_action, to_file

FILE = b"All the news that fit.\n"


async def fast_mirror(stream: trio.SocketStream) -> None:
    """Send the file."""
    await stream.send_all(FILE)


async def slow_mirror(stream: trio.SocketStream) -> None:
    """Wait until the client hangs up."""
    await stream.receive_some()


MIRRORS = {"north": slow_mirror, "east": fast_mirror, "south": slow_mirror}


@log_call(include_args=[])
def checksum(content: bytes) -> str:
    """Compute what takes long for files of a decent size."""
    return hashlib.sha256(content).hexdigest()[:8]


async def fetch(action: Action, port: int, race: trio.CancelScope) -> None:
    """Download the file from one mirror, in an action that was started for that, and win."""
    with action:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            content = b"".join([part async for part in stream])
        # The thread is in the action of the task.
        action.add_success_fields(checksum=await trio.to_thread.run_sync(checksum, content))
        race.cancel()


async def download(ports: dict[str, int]) -> None:
    """Ask all mirrors at the same time; the action is around the nursery, and ends after it."""
    with start_action(action_type="mirrors:download", size=len(FILE)):
        async with trio.open_nursery() as nursery:
            for name, port in ports.items():
                # Started here, since Trio runs new tasks in any order.
                action = start_action(action_type="mirrors:fetch", mirror=name)
                nursery.start_soon(fetch, action, port, nursery.cancel_scope)


async def serve_and_download() -> None:
    """Open the mirrors, and download the file."""
    async with trio.open_nursery() as nursery:
        ports = {}
        for name, mirror in MIRRORS.items():
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
            ports[name] = listener.socket.getsockname()[1]
            nursery.start_soon(trio.serve_listeners, mirror, [listener])
        await download(ports)
        nursery.cancel_scope.cancel()


def main(log_path: str = "mirrors.log") -> None:
    """Log to a file what happens."""
    with Path(log_path).open("wb") as log:
        to_file(log)
        trio.run(serve_and_download)


if __name__ == "__main__":
    main(*sys.argv[1:])
