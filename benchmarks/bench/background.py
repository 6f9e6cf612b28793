"""Background: what a caller pays when a thread writes, beside a file that is written at once."""

from __future__ import annotations

from functools import partial

from bench.figures import Result, Table, middle, ratio
from bench.lab import OURS, Lab, alternate

RATES = {
    "bursts": "in bursts of 1,000 messages",
    "sustained": "200,000 messages in a row",
}
WAYS = ("nowhere", "direct", "background")


def measure(lab: Lab) -> Result:
    """Measure what each way to write to a file adds to a message that goes nowhere."""

    def figures(how: str, rate: str) -> tuple[float, float]:
        path = lab.scratch / "background.log"
        path.write_bytes(b"")
        report = lab.work(OURS, "background", how, rate, path)
        path.unlink()
        return report["seconds"], report["elapsed"]

    rows = []
    for rate, title in RATES.items():
        contenders = {how: partial(figures, how, rate) for how in WAYS}
        found = alternate(contenders, 3 if lab.quick else 9)
        nowhere, direct, background = ([seconds for seconds, _ in found[how]] for how in WAYS)
        paid = {
            how: [seconds - least for seconds, least in zip(all_, nowhere)]
            for how, all_ in (("direct", direct), ("background", background))
        }
        once, later = ([elapsed for _, elapsed in found[how]] for how in WAYS[1:])
        rows.append(
            [
                title,
                middle(nowhere, 1e6),
                middle(direct, 1e6),
                middle(background, 1e6),
                ratio(paid["background"], paid["direct"]),
                ratio(once, later) if rate == "sustained" else None,
            ]
        )
    columns = [
        "log_message",
        "nowhere, µs",
        "at once, µs",
        "in the background, µs",
        "of what the file costs",
        "× throughput",
    ]
    return Result([Table("background", "What the caller pays", columns, rows)])
