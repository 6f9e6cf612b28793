"""
Make the screenshots of the documentation: `python docs/screenshots.py [NAME ...]`.

Needs the extra `test`, on Python 3.11, and Chromium. The pictures are in docs/images/.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict

from playwright.sync_api import sync_playwright  # type: ignore[import-not-found,unused-ignore]

DOCS = Path(__file__).resolve().parent
EXAMPLES = DOCS.parent / "examples"
IMAGES = DOCS / "images"


def timeline(browser: Any, folder: Path) -> None:
    """Show the page of `eliot timeline`, with a failure that is selected."""
    log, page = folder / "mirrors.log", folder / "mirrors.html"
    subprocess.run([sys.executable, EXAMPLES / "trio_mirrors.py", log], check=True)
    subprocess.run(
        [sys.executable, "-m", "eliot.cli", "timeline", log, "--output", page], check=True
    )
    window = browser.new_page(viewport={"width": 1150, "height": 440})
    window.goto(page.as_uri())
    window.wait_for_selector("html[data-state=ready]")
    window.keyboard.press("e")
    window.screenshot(path=IMAGES / "timeline.png")


PICTURES: Dict[str, Callable[[Any, Path], None]] = {"timeline": timeline}


def main(*names: str) -> None:
    """Make some pictures, or all."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name in names or PICTURES:
            PICTURES[name](browser, Path(folder))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
