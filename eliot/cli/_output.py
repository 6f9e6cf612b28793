"""Standard output: encoding, colour, width, pager."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from typing import IO, Any, Callable, List, Optional, Tuple

__all__ = ["Output"]

#: What answers consist of, besides ASCII, where it can be shown.
_SYMBOLS = "├─│└╰▶✓✗×…▁▂▃▄▅▆▇█"


class Output:
    """
    Write text to standard output as it can be shown there; rich can have it as its file, too.

    At a terminal, what is longer than the screen goes to a pager: that of the variable PAGER, or
    `less`. So the first screenful is held back until there is more, or no more.

    Args:
        color: `"auto"`, `"always"` or `"never"`.
        ascii_only: Whether nothing but ASCII is wanted, whatever could be shown.
        pager: Whether a pager may be used.
    """

    def __init__(self, color: str, *, ascii_only: bool, pager: bool) -> None:
        stdout: Any = sys.stdout
        self._stdout = stdout
        #: Whether it is a terminal.
        self.terminal: bool = bool(self._stdout.isatty())
        self.encoding = self._stdout.encoding or "ascii"
        #: Whether nothing but ASCII can, or may, be shown. Text is escaped then, symbols are not.
        self.ascii = ascii_only or not _can_show(self.encoding)
        if self.ascii:
            self.encoding = "ascii"
        self._stdout.reconfigure(encoding=self.encoding, errors="backslashreplace")
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        #: Whether colours are wanted.
        self.color = color == "always" or (color == "auto" and self.terminal and not plain)
        columns, lines = self._size()
        #: How many columns there are; None if lines may have any length.
        self.width: Optional[int] = columns
        self._held: Optional[List[str]] = [] if pager and self.terminal else None
        self._room = lines - 1
        self._pager: Optional[subprocess.Popen[bytes]] = None
        self._to_pager: Optional[IO[bytes]] = None
        #: Is called before anything is written to a terminal.
        self.before_writing: Callable[[], object] = _nothing
        #: Writes to standard error.
        self.write_error: Callable[[str], object] = sys.stderr.write

    def _size(self) -> Tuple[Optional[int], int]:
        """Return how many columns and lines there are: as the environment says, or the terminal."""
        told = [os.environ.get(name, "") for name in ("COLUMNS", "LINES")]
        columns, lines = (int(text) if text.isdigit() and int(text) else None for text in told)
        if self.terminal:
            size = os.get_terminal_size(self._stdout.fileno())
            # What has no size, such as a serial line, is as terminals were.
            columns, lines = columns or size.columns or 80, lines or size.lines or 24
        return columns, lines or 0

    def write(self, text: str) -> int:
        """Write text."""
        if self._to_pager is not None:
            self._to_pager.write(text.encode(self.encoding, "backslashreplace"))
        elif self._held is None:
            if self.terminal:
                self.before_writing()
            self._stdout.write(text)
        else:
            self._held.append(text)
            self._room -= text.count("\n")
            if self._room < 0:
                self._start_pager()
        return len(text)

    def note(self, text: str) -> None:
        """Write what is no answer: to standard error, or to the pager that has the screen."""
        if (self._to_pager or self._held) and sys.stderr.isatty():
            self.write(text)
        else:
            if self.terminal:
                self.flush()
            self.write_error(text)

    def show_at_once(self) -> None:
        """Hold nothing back, and use no pager; call it before anything is written."""
        self._held = None

    def _start_pager(self) -> None:
        self.before_writing()
        held, self._held = self._held, None
        command = os.environ.get("PAGER", "less")
        if command not in ("", "cat") and shutil.which(command.split()[0]):
            self._pager = subprocess.Popen(  # noqa: S602 - the user's own command
                command,
                shell=True,
                stdin=subprocess.PIPE,
                env={"LESS": "FRX", "LV": "-c", **os.environ},
            )
            self._to_pager = self._pager.stdin
        for text in held or ():
            self.write(text)

    def flush(self) -> None:
        """Show what was written, unless it is held back."""
        if self._to_pager is not None:
            self._to_pager.flush()
        elif self._held is None:
            self._stdout.flush()

    def close(self) -> None:
        """Write all that was held back, and wait for the reader to leave the pager."""
        held, self._held = self._held, None
        for text in held or ():
            self.write(text)
        if self._pager is not None and self._to_pager is not None:
            with suppress(BrokenPipeError):
                self._to_pager.close()
            while self._pager.returncode is None:
                with suppress(KeyboardInterrupt):  # it is the pager's
                    self._pager.wait()
        self._stdout.flush()


def _nothing() -> None:
    """Do it."""


def _can_show(encoding: str) -> bool:
    try:
        _SYMBOLS.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True
