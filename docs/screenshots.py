"""
Make the pictures in docs/images: what the commands show on a terminal, and a page in a browser.

    python docs/screenshots.py [NAME ...]

Needs the package with its extra `test`, on Python 3.11, and Chromium. The log of the terminals is
that of the shop in docs/howto/answers.rst, whose first program is run for it. Times differ from run
to run, so commit only pictures that changed.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

DOCS = Path(__file__).resolve().parent
EXAMPLES = DOCS.parent / "examples"
IMAGES = DOCS / "images"

#: For each picture of a terminal, the command that it shows.
TERMINALS = {
    "tree": "eliot tree shop.log",
    "why": "eliot why shop.log",
    "slow": "eliot slow shop.log",
}

#: Fonts from the network, which a picture in a page may not load.
_WEB_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def make_log(folder: Path) -> None:
    """Run the first program of the page about answers."""
    page = (DOCS / "howto" / "answers.rst").read_text("utf-8")
    block = re.search(r"^\.\. code-block:: python\n((?:\s*\n| +.*\n)+)", page, re.MULTILINE)
    assert block is not None
    (folder / "shop.py").write_text(textwrap.dedent(block[1]), encoding="utf-8")
    subprocess.run([sys.executable, "shop.py"], cwd=folder, check=True)


def terminal(name: str, command: str, folder: Path, columns: int = 110) -> None:
    """Make a picture of a terminal in which a command was run."""
    arguments = [sys.executable, "-m", "eliot.cli", *command.split()[1:], "--color", "always"]
    done = subprocess.run(arguments, cwd=folder, check=True, stdout=subprocess.PIPE)
    shown = done.stdout.decode().replace(f"{folder}/", "")  # in tracebacks
    console = Console(file=io.StringIO(), record=True, width=columns, force_terminal=True)
    console.print(Text.from_ansi(f"$ {command}"), soft_wrap=False)
    console.print(Text.from_ansi(shown), no_wrap=True, overflow="crop", crop=True)
    svg = console.export_svg(title=command, theme=MONOKAI, unique_id=f"eliot-{name}")
    (IMAGES / f"{name}.svg").write_text(_WEB_FONTS.sub("", svg), encoding="utf-8")


def timeline(folder: Path) -> None:
    """Make a picture of the page of `eliot timeline`, with a failure that is selected."""
    from playwright.sync_api import (  # type: ignore[import-not-found,unused-ignore] # only on 3.11
        sync_playwright,
    )

    log, page = folder / "mirrors.log", folder / "mirrors.html"
    command = [sys.executable, "-m", "eliot.cli", "timeline", str(log), "--output", str(page)]
    subprocess.run([sys.executable, EXAMPLES / "trio_mirrors.py", log], check=True)
    subprocess.run(command, check=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        window = browser.new_page(viewport={"width": 1150, "height": 440})
        window.goto(page.as_uri())
        window.wait_for_selector("html[data-state=ready]")
        window.keyboard.press("e")
        window.screenshot(path=IMAGES / "timeline.png")
        browser.close()


def main(names: list[str]) -> None:
    """Make the pictures with these names, or all."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_log(folder)
        for name, command in TERMINALS.items():
            if not names or name in names:
                terminal(name, command, folder)
        if not names or "timeline" in names:
            timeline(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
