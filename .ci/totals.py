"""Print what passed and failed in each environment; fail if anything failed or is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def totals(report: Path) -> dict[str, int]:
    """Add up a JUnit report of pytest."""
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 - pytest wrote it
        for key in counts:
            counts[key] += int(suite.get(key, 0))
    return counts


def main(folder: str, *expected: str) -> int:
    """Print one line for each environment, and the sum."""
    passed = failed = 0
    reports = {report.stem: totals(report) for report in sorted(Path(folder).glob("*.xml"))}
    for name, counts in reports.items():
        wrong = counts["failures"] + counts["errors"]
        right = counts["tests"] - wrong - counts["skipped"]
        print(f"{name}: {right} passed, {wrong} failed, {counts['skipped']} skipped")
        passed += right
        failed += wrong
    missing = sorted(set(expected) - set(reports))
    if missing:
        print("not run: " + ", ".join(missing))
    print(f"{passed} passed, {failed} failed in {len(reports)} environments")
    return 1 if failed or missing or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
