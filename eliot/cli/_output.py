"""Standard output: encoding, colour, width, pager."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any, List, Optional

__all__ = ["Output"]

#: What output consists of besides ASCII, for the question whether it can be shown.
_SYMBOLS = "├─│└▶✓✗×…▁█"


class Output:
    """
    Write text to standard output as it can be shown there: the file for commands, and for rich.

    Args:
        color: `"auto"`, `"always"` or `"never"`.
        ascii_only: Whether nothing but ASCII is wanted, whatever could be shown.
        pager: Whether a pager may show what is longer than the screen.
    """

    def __init__(self, color: str, *, ascii_only: bool, pager: bool) -> None:
        self._stdout: Any = sys.stdout
        self.terminal = bool(self._stdout.isatty())
        self.encoding = (
            "ascii" if ascii_only else getattr(self._stdout, "encoding", None) or "ascii"
        )
        self.ascii = ascii_only or not _can_show(self.encoding)
        if self.ascii:
            self.encoding = "ascii"
        if hasattr(self._stdout, "reconfigure"):
            self._stdout.reconfigure(encoding=self.encoding, errors="backslashreplace")
        dumb = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        self.color = color == "always" or (color == "auto" and self.terminal and not dumb)
        size = shutil.get_terminal_size()
        #: How many columns there are; None if lines may have any length.
        self.width: Optional[int] = None
        if self.terminal or os.environ.get("COLUMNS", "").isdigit():
            self.width = size.columns
        self._held: Optional[List[str]] = [] if pager and self.terminal else None
        self._room = size.lines - 1
        self._pager: Optional[subprocess.Popen[bytes]] = None
        #: Is called before anything is written.
        self.before_writing: Any = None

    def write(self, text: str) -> int:
        """Write text; what may have to go to a pager is held back at first."""
        if self.before_writing is not None:
            self.before_writing()
        if self._pager is not None:
            assert self._pager.stdin is not None
            self._pager.stdin.write(text.encode(self.encoding, "backslashreplace"))
        elif self._held is None:
            self._stdout.write(text)
        else:
            self._held.append(text)
            self._room -= text.count("\n")
            if self._room < 0:
                self._start_pager()
        return len(text)

    def _start_pager(self) -> None:
        held, self._held = self._held, None
        command = os.environ.get("PAGER", "less")
        environment = {"LESS": "FRX", "LV": "-c", **os.environ}
        if command and command != "cat":
            try:
                self._pager = subprocess.Popen(
                    command, shell=True, stdin=subprocess.PIPE, env=environment
                )
            except OSError:
                pass
        for text in held or ():
            self.write(text)

    def flush(self) -> None:
        """Show what was written, unless it is held back."""
        if self._pager is not None:
            assert self._pager.stdin is not None
            self._pager.stdin.flush()
        elif self._held is None:
            self._stdout.flush()

    def isatty(self) -> bool:
        """Tell whether this is a terminal."""
        return self.terminal

    def close(self) -> None:
        """Write all that was held back, and wait for the reader to leave the pager."""
        held, self._held = self._held, None
        for text in held or ():
            self._stdout.write(text)
        if self._pager is not None:
            assert self._pager.stdin is not None
            try:
                self._pager.stdin.close()
            except BrokenPipeError:
                pass
            self._pager.wait()
        self._stdout.flush()


def _can_show(encoding: str) -> bool:
    try:
        _SYMBOLS.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True
