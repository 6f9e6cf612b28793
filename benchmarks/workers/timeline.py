"""
Look at the page of `eliot timeline`: `timeline.py PAGE CHROMIUM`.

Reports the milliseconds from opening the page until it is drawn, and until all of it can be
searched, and those that it takes to draw it again, zoomed in and elsewhere.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import (  # type: ignore[import-not-found,unused-ignore] # only on 3.11
    sync_playwright,
)

#: Draw what is seen when zooming in and moving; what the browser defers is done in the next frame.
LOOK_AROUND = """async () => {
    const {total} = timeline.state(), drawings = [];
    for (const zoom of [1, 2, 5, 20, 100, 1000, 10000]) {
        for (const at of [0, 0.3, 0.9]) {
            const begin = total * at * (1 - 1 / zoom);
            timeline.look(begin, begin + total / zoom);
            await new Promise(requestAnimationFrame);
            const began = performance.now();
            timeline.draw();
            document.getElementById("canvas").getContext("2d").getImageData(0, 0, 1, 1);
            drawings.push(performance.now() - began);
        }
    }
    return drawings;
}"""


def main(path: str, chromium: str) -> None:
    """Open the page, and look around."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(Path(path).as_uri())
        page.wait_for_selector("html[data-state=ready]")
        marks = page.evaluate(
            "performance.getEntriesByType('mark').map(mark => [mark.name, mark.startTime])"
        )
        drawings = page.evaluate(LOOK_AROUND)
        browser.close()
    print(json.dumps({**dict(marks), "drawings": drawings}))


if __name__ == "__main__":
    main(*sys.argv[1:])
