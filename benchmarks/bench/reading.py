"""Reading: decode, parse, print and render logs of several shapes and sizes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Tuple

from bench.figures import Curve, Result, Table, middle, ratio
from bench.lab import OURS, PUBLISHED, Lab, WorkerError

#: Who is not done by then is left out, with all larger logs of the shape.
LIMIT = 60

SIZES = {
    "flat": (10_000, 100_000, 1_000_000, 3_000_000),
    "wide": (10_000, 100_000, 1_000_000),
    "lone": (100_000,),
    "deep-400": (800, 80_000),
    "deep-1000": (2_000, 80_000),
}
QUICK_SIZES = {
    "flat": (10_000, 100_000),
    "wide": (10_000,),
    "lone": (10_000,),
    "deep-400": (800,),
    "deep-1000": (2_000,),
}

#: Ways to read that know nothing of other messages, and the size up to which they are measured.
STATELESS = ("pretty", "compact")
ENOUGH = 1_000_000

#: Logs up to this size are read several times.
SMALL = 100_000


class Figure(NamedTuple):
    """Seconds a message, and the peak of memory in megabytes if known."""

    seconds: float
    megabytes: float | None


class Reader(NamedTuple):
    """A way to read, and who does it."""

    title: str
    way: str
    environment: str


READERS = (
    Reader("orjson.loads", "decode", OURS),
    Reader("parse, this Eliot", "parse", OURS),
    Reader("parse with read_lines, this Eliot", "parse_lines", OURS),
    Reader("parse, Eliot 1.18", "parse", PUBLISHED),
    Reader("pretty_format, this Eliot", "pretty", OURS),
    Reader("pretty_format, Eliot 1.18", "pretty", PUBLISHED),
    Reader("compact_format, this Eliot", "compact", OURS),
    Reader("compact_format, Eliot 1.18", "compact", PUBLISHED),
    Reader("eliot tree", "tree", OURS),
    Reader("eliot-tree", "tree", PUBLISHED),
)

#: The programs that draw trees, in the folder of the interpreter.
TREE = {OURS: ["eliot", "tree"], PUBLISHED: ["eliot-tree", "--color", "always"]}


#: For each log, what each reader took, one figure a round.
Figures = Dict[Tuple[str, int], Dict[Reader, List[Figure]]]


def measure(lab: Lab) -> Result:
    """Measure all readers, a log at a time."""
    there = [reader for reader in READERS if _there(lab, reader)]
    session = Session(lab)
    session.notes += [
        f"{each.title}: not in this version." for each in READERS if each not in there
    ]
    for shape, sizes in (QUICK_SIZES if lab.quick else SIZES).items():
        session.read(shape, sizes, there)
    figures = session.figures
    return Result(
        [_costs(figures, there), _targets(figures), _memory(figures, there)],
        [_curve(figures, there)],
        session.notes,
    )


def _there(lab: Lab, reader: Reader) -> bool:
    if reader.way == "tree":
        return (lab.python(reader.environment).parent / TREE[reader.environment][0]).exists()
    return True


class Session:
    """Let readers read, and leave out those that take too long."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.limit = LIMIT / 6 if lab.quick else LIMIT
        self.figures: Figures = {}
        self.notes: list[str] = []

    def read(self, shape: str, sizes: Sequence[int], readers: Sequence[Reader]) -> None:
        """Read logs of a shape, from the smallest on."""
        path = self.lab.scratch / f"{shape}.log"
        left = list(readers)
        for size in sizes:
            self.lab.work(OURS, "logs", shape, size, path)
            found = self.figures[shape, size] = {reader: [] for reader in readers}
            for reader in list(left):
                expected = self._expected(shape, reader) * size
                if reader.way in STATELESS and size > ENOUGH:
                    late = "not measured, since each is read by itself"
                elif expected > self.limit:
                    late = f"would take {expected:,.0f} s"
                else:
                    late = self._try(found[reader], reader, path)
                if late:
                    left.remove(reader)
                    self.notes.append(f"{reader.title}, {shape}, {size:,} messages: {late}.")
            if size <= SMALL and not self.lab.quick:
                again = [each for each in left if found[each][0].seconds * size < LIMIT / 10]
                for _ in range(2):
                    for reader in again:
                        self._try(found[reader], reader, path)
            path.unlink()

    def _expected(self, shape: str, reader: Reader) -> float:
        """Return the seconds that a message took in smaller logs; 0 if there were none."""
        known = [
            figure.seconds
            for (of, _), found in self.figures.items()
            if of == shape
            for figure in found[reader]
        ]
        return max(known, default=0)

    def _try(self, figures: list[Figure], reader: Reader, path: Path) -> str:
        """Add a figure; or return why there is none."""
        try:
            figures.append(self._figure(reader, path))
        except WorkerError as error:
            return str(error)
        return ""

    def _figure(self, reader: Reader, path: Path) -> Figure:
        lab, limit = self.lab, self.limit * 1.2
        if reader.way != "tree":
            report = lab.work(reader.environment, "reading", reader.way, path, timeout=limit)
            return Figure(report["seconds"] / report["messages"], report["megabytes"])
        command = list(TREE[reader.environment])
        command[0] = str(lab.python(reader.environment).parent / command[0])

        def seconds(log: Path) -> float:
            started = time.perf_counter()
            lab.run([*command, str(log)], limit, stdout=subprocess.DEVNULL)
            return time.perf_counter() - started

        short = path.with_name("short.log")
        with path.open("rb") as file:
            short.write_bytes(file.readline())
            messages = 1 + sum(1 for _ in file)
        try:
            # Net of the start of the program.
            return Figure((seconds(path) - seconds(short)) / messages, None)
        finally:
            short.unlink()


def _titles(figures: Figures) -> list[str]:
    return [f"{shape} {size:,}" for shape, size in figures]


def _costs(figures: Figures, readers: list[Reader]) -> Table:
    rows = [
        [
            reader.title,
            *(
                middle([figure.seconds for figure in found.get(reader, ())], 1e6)
                for found in figures.values()
            ),
        ]
        for reader in readers
    ]
    return Table("reading", "Reading, µs a message", ["", *_titles(figures)], rows)


def _memory(figures: Figures, readers: list[Reader]) -> Table:
    rows = [
        [
            reader.title,
            *(
                middle([each.megabytes for each in found.get(reader, ()) if each.megabytes])
                for found in figures.values()
            ),
        ]
        for reader in readers
        if reader.way != "tree"
    ]
    return Table("reading-memory", "Reading, peak of memory in MB", ["", *_titles(figures)], rows)


def _targets(figures: Figures) -> Table:
    """Compare this project with its targets."""
    decoded, parsed, _, published, *_, tree, peer = READERS

    def seconds(found: dict[Reader, list[Figure]], reader: Reader) -> list[float]:
        return [figure.seconds for figure in found.get(reader, ())]

    def compare(one: Reader, other: Reader) -> list[float | None]:
        return [ratio(seconds(found, one), seconds(found, other)) for found in figures.values()]

    rows: list[list[object]] = [
        ["parse ÷ orjson.loads", "≤ 2", *compare(parsed, decoded)],
        ["parse, times faster than Eliot 1.18", "≥ 100", *compare(published, parsed)],
        [
            "tree, µs a message",
            "≤ 6",
            *(middle(seconds(found, tree), 1e6) for found in figures.values()),
        ],
        ["tree, times faster than eliot-tree", "≥ 50", *compare(peer, tree)],
    ]
    columns = ["", "target", *_titles(figures)]
    return Table("reading-targets", "Reading, beside the targets", columns, rows)


def _curve(figures: Figures, readers: list[Reader]) -> Curve:
    lines: dict[str, list[list[float]]] = {}
    for reader in readers:
        points = [
            [float(size), value]
            for (shape, size), found in figures.items()
            if shape == "flat"
            and (value := middle([each.seconds for each in found.get(reader, ())], 1e6)) is not None
        ]
        # Others are so far above that they would press these lines to the ground.
        if points and reader.environment == OURS and reader.way not in STATELESS:
            lines[reader.title] = points
    return Curve("reading", "Reading flat logs", "messages", "µs a message", lines)
