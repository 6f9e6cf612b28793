"""Import: what `import eliot` adds to the start of a program."""

from __future__ import annotations

import time
from functools import partial

from bench.figures import Result, Table, middle, ratio
from bench.lab import OURS, PUBLISHED, Lab, alternate


def measure(lab: Lab) -> Result:
    """Start interpreters, bare ones and ones that import."""

    def seconds(environment: str, code: str) -> float:
        command = [str(lab.python(environment)), "-c", code]
        started = time.perf_counter()
        lab.run(command)
        return time.perf_counter() - started

    contenders = {
        (environment, code): partial(seconds, environment, code)
        for environment in (OURS, PUBLISHED)
        for code in ("pass", "import eliot")
    }
    alternate(contenders, 1)  # compiled, and in the cache of the disk
    figures = alternate(contenders, 10 if lab.quick else 40)

    def net(environment: str) -> list[float]:
        pairs = zip(figures[environment, "import eliot"], figures[environment, "pass"])
        return [imported - bare for imported, bare in pairs]

    ours, published = net(OURS), net(PUBLISHED)
    rows = [
        ["bare interpreter", middle(figures[OURS, "pass"], 1e3), None, None, None],
        ["this Eliot", middle(ours, 1e3), "≤ 25", ratio(published, ours), "≥ 2"],
        ["Eliot 1.18", middle(published, 1e3), None, None, None],
    ]
    columns = ["", "ms", "target", "× faster", "target"]
    title = "import eliot, net of a bare interpreter"
    return Result([Table("import", title, columns, rows)])
