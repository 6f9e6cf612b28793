"""Print the commands that README.rst tells its reader to run: its shell blocks, NUL after each."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

README = Path(__file__).parent.parent / "README.rst"
BLOCK = re.compile(r"^\.\. code-block:: shell\n((?:\s*\n| +.*\n)+)", re.MULTILINE)

if __name__ == "__main__":
    for block in BLOCK.findall(README.read_text(encoding="utf-8")):
        print(textwrap.dedent(block).strip(), end="\0")
