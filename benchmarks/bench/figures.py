"""What becomes of figures: medians, ratios, tables, curves, and the check of counts."""

from __future__ import annotations

import csv
import io
from statistics import median
from typing import Any, Mapping, NamedTuple, Sequence

#: What stands in a table where nothing was measured.
NOTHING = "–"

#: Instructions may grow by this share before the check says so.
TOLERANCE = 0.03


class Table(NamedTuple):
    """Figures side by side; a cell is text, a number, or `None` where there is none."""

    #: Of the file that the page includes.
    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class Curve(NamedTuple):
    """How figures grow: for each line its points, from left to right."""

    #: Of the file that the page includes.
    name: str
    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, Sequence[Sequence[float]]]


class Result(NamedTuple):
    """What a topic has found out."""

    tables: Sequence[Table] = ()
    curves: Sequence[Curve] = ()
    #: What was left out, and why.
    notes: Sequence[str] = ()
    #: Messages of checks that failed.
    failures: Sequence[str] = ()


def cell(value: Any) -> str:
    """Show a value: numbers with three digits that count, thousands with commas."""
    if value is None:
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or abs(value) >= 100:  # noqa: PLR2004 - three digits
        return f"{value:,.0f}"
    digits = 0
    while digits < 4 and abs(value) * 10**digits < 99.95:  # noqa: PLR2004 - three digits
        digits += 1
    return f"{value:.{digits}f}"


def text_table(table: Table) -> str:
    """Lay a table out for the terminal; what starts with a digit stands on the right."""
    rows = [list(table.columns), *([cell(value) for value in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [table.title]
    for number, row in enumerate(rows):
        cells = [
            text.rjust(width) if at else text.ljust(width)
            for at, (text, width) in enumerate(zip(row, widths))
        ]
        lines.append("  ".join(cells).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join(lines) + "\n"


def csv_table(table: Table) -> str:
    """Write a table as CSV, with a header."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([cell(value) for value in row] for row in table.rows)
    return file.getvalue()


def ratio(figures: Sequence[float] | None, to: Sequence[float] | None) -> float | None:
    """
    Compare the figures of two contenders, round by round.

    Both of a round are from about the same moment, so what slows the machine down for a while
    slows both.

    Returns:
        The median of the ratios; `None` if there is nothing to compare.
    """
    if not figures or not to:
        return None
    return median(one / other for one, other in zip(figures, to))


def middle(figures: Sequence[float] | None, scale: float = 1.0) -> float | None:
    """Return the median of the figures, scaled; `None` if there are none."""
    return median(figures) * scale if figures else None


def grown(
    counts: Mapping[str, float], accepted: Mapping[str, float], tolerance: float = TOLERANCE
) -> list[str]:
    """Say which counts are above the accepted ones by more than the tolerance."""
    return [
        f"{name}: {count:,.0f} instructions, accepted are {accepted[name]:,.0f}"
        for name, count in counts.items()
        if name in accepted and count > accepted[name] * (1 + tolerance)
    ]


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest figure that the share, between 0 and 1, of them does not exceed."""
    at = max(0, -int(-share * len(ordered) // 1) - 1)
    return ordered[at]
