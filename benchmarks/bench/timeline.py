"""Timeline: how large the page is, how soon it is there, and how fast it is drawn again."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from bench.figures import Result, Table, middle
from bench.lab import OURS, Lab

#: So many actions, in one task.
SIZES = (10_000, 100_000, 300_000)
QUICK_SIZES = (10_000,)


def measure(lab: Lab) -> Result:
    """Make pages and look at them, in Chromium without a window."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not lab.has(OURS, "playwright"):
        return Result(notes=["There is no Chromium here, or no playwright."])
    rows: list[list[Any]] = []
    for size in QUICK_SIZES if lab.quick else SIZES:
        log, page = lab.scratch / "busy.log", lab.scratch / "busy.html"
        lab.work(OURS, "logs", "busy", 2 * size, log)
        started = time.perf_counter()
        lab.run([str(lab.python(OURS)), "-m", "eliot.cli", "timeline", str(log), "-o", str(page)])
        made = time.perf_counter() - started
        rows.append([f"{size:,}", made, _megabytes(page), *_looked_at(lab, page, chromium)])
        log.unlink()
        page.unlink()
    columns = [
        "actions",
        "made, s",
        "page, MB",
        "drawn, ms",
        "complete, ms",
        "drawn again, ms",
        "at most, ms",
    ]
    title = "The page of eliot timeline in Chromium"
    return Result([Table("timeline", title, columns, rows)])


def _megabytes(page: Path) -> float:
    return page.stat().st_size / 1e6


def _looked_at(lab: Lab, page: Path, chromium: str) -> list[float | None]:
    """Open the page several times; return medians, and the longest time to draw."""
    visits = [lab.work(OURS, "timeline", page, chromium) for _ in range(3 if lab.quick else 9)]
    drawings = [drawing for visit in visits for drawing in visit["drawings"]]
    return [
        middle([visit["drawn"] for visit in visits]),
        middle([visit["ready"] for visit in visits]),
        middle(drawings),
        max(middle(each) or 0 for each in zip(*(visit["drawings"] for visit in visits))),
    ]
