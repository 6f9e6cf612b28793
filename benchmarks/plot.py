"""
Make the tables and plots of docs/explanation/performance.rst: `python benchmarks/plot.py [FILE]`.

FILE is what `benchmarks/run.py` has written, by default where it writes. The folder
docs/explanation/performance/ gets a CSV file for each table, an SVG file for each curve, and
run.csv, which says how it was measured. Commit them with

    git commit -m "Refresh the figures" docs/explanation/performance
"""

from __future__ import annotations

import json
import math
import sys
from html import escape
from pathlib import Path
from typing import Any

from bench.figures import Curve, Table, cell, csv_table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / ".benchmarks" / "results.json"
FOLDER = ROOT / "docs" / "explanation" / "performance"

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 170, 40, 50

#: The same colour for the same contender everywhere, told apart by colour-blind people too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def nice(highest: float) -> list[float]:
    """Return about five round numbers from 0 to at least the highest."""
    rough = highest / 4 or 1
    magnitude: float = 10.0 ** math.floor(math.log10(rough))
    step = next(each * magnitude for each in (1, 2, 2.5, 5, 10) if each * magnitude >= rough)
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def short(value: float) -> str:
    """Write a number for an axis: `3M` for three million."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def svg(curve: Curve) -> str:
    """Draw a curve: x is logarithmic, y begins at 0."""
    points = [point for line in curve.lines.values() for point in line]
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    ticks = nice(max(y for _, y in points))

    def at_x(x: float) -> float:
        share = math.log(x / low) / math.log(high / low) if high > low else 0.5
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def at_y(y: float) -> float:
        return round(HEIGHT - BOTTOM - y / ticks[-1] * (HEIGHT - TOP - BOTTOM), 1)

    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        '<g font-family="sans-serif" font-size="12" fill="#333">',
        # Readable on dark pages, too.
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 18, curve.title, "start", ' font-size="14" font-weight="bold"'),
        _text(LEFT, 33, curve.y_label, "start"),
        _text((LEFT + right) / 2, HEIGHT - 10, curve.x_label, "middle"),
    ]
    for tick in ticks:
        y = at_y(tick)
        parts.append(f'<path d="M{LEFT} {y}H{right}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 6, y + 4, short(tick), "end"))
    last = -math.inf
    for x in sorted({x for x, _ in points}):
        if at_x(x) - last > 30:  # noqa: PLR2004 - or they would touch
            last = at_x(x)
            parts.append(f'<path d="M{last} {bottom}v5" stroke="#333"/>')
            parts.append(_text(last, bottom + 18, short(x), "middle"))
    for number, (label, line) in enumerate(curve.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = "L".join(f"{at_x(x)} {at_y(y)}" for x, y in line)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{at_x(x)}" cy="{at_y(y)}" r="3" fill="{colour}"/>' for x, y in line]
        y = TOP + 10 + 20 * number
        parts.append(f'<path d="M{right + 12} {y}h18" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(right + 36, y + 4, label, "start"))
    return "\n".join([*parts, "</g>", "</svg>\n"])


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def run_table(results: dict[str, Any]) -> Table:
    """Say how each topic was measured, and with what."""
    rows = []
    for topic, result in results.items():
        run = result["run"]
        extent = "quick, preliminary" if run["quick"] else "whole"
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        what = [extent, run["python"], run["machine"], run["load"], versions]
        rows.append([topic, run["date"], *what])
    columns = ["topic", "date", "run", "Python", "machine", "load", "versions"]
    return Table("run", "How it was measured", columns, rows)


def notes_table(results: dict[str, Any]) -> Table:
    """List what is missing in the tables, and why."""
    rows = [[topic, cell(note)] for topic, result in results.items() for note in result["notes"]]
    rows = rows or [["", "nothing"]]
    return Table("notes", "What was left out", ["topic", "what"], rows)


def main(path: Path = RESULTS, folder: Path = FOLDER) -> None:
    """Write the files."""
    results = json.loads(path.read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    tables = [Table(**table) for result in results.values() for table in result["tables"]]
    for table in [*tables, run_table(results), notes_table(results)]:
        (folder / f"{table.name}.csv").write_text(csv_table(table), encoding="utf-8")
    for result in results.values():
        for curve in result["curves"]:
            text = svg(Curve(**curve))
            (folder / f"{curve['name']}.svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
