"""The command `eliot`: what is in a log, what happened, why it failed, why it was slow."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

__all__ = ["main"]


def main() -> None:
    """Run the command `eliot`."""
    missing = [name for name in ("click", "rich") if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"The command eliot needs {' and '.join(missing)}: pip install 'eliot[cli]'\n"
        )
        sys.exit(2)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed by who started the program
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - to the end
    from eliot.cli._group import group

    group(prog_name="eliot")
