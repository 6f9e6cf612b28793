"""Progress on standard error, while a log is read by somebody who waits for it at a terminal."""

from __future__ import annotations

import sys
from threading import Event, Thread
from typing import TYPE_CHECKING, Optional

from eliot._inputs import MessageStream

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Progress"]

#: Work that takes no longer than this, in seconds, shows no progress.
_PATIENCE = 0.5
_INTERVAL = 0.1


class Progress:
    """
    Show how much of a log was read, once that takes long; it is gone when all is done.

    A thread looks at how far the files were read, so reading itself costs nothing.
    """

    def __init__(self, log: MessageStream) -> None:
        self._log = log
        self._done = Event()
        #: What shows the bar, while there is one.
        self._console: Optional[Console] = None
        self._thread: Optional[Thread] = None
        if log.size and sys.stderr is not None and sys.stderr.isatty():
            self._thread = Thread(target=self._show, name="eliot-progress", daemon=True)
            self._thread.start()

    def _show(self) -> None:
        if self._done.wait(_PATIENCE):
            return
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = "reading", BarColumn(), DownloadColumn(), TimeRemainingColumn()
        console = Console(stderr=True)
        bar = Bar(
            *columns,
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with bar:
            self._console = console
            task = bar.add_task("", total=self._log.size)
            while not self._done.wait(_INTERVAL):
                bar.update(task, completed=self._log.position)
            self._console = None

    def note(self, text: str) -> None:
        """Write to standard error, above the progress."""
        console = self._console
        if console is None:
            sys.stderr.write(text)
        else:
            console.print(text, end="", soft_wrap=True, markup=False, highlight=False, emoji=False)

    def __enter__(self) -> Progress:  # noqa: PYI034 - Self is not in Python 3.8
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the progress away, for something else is to be shown."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
