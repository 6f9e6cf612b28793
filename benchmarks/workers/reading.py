"""
Report what it takes to read a log in one way: `reading.py WAY FILE`.

Reports the number of messages, the seconds, and the most memory that was in use, in megabytes.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


def _loads() -> Callable[[bytes], Any]:
    """Find the decoder that the log was written with."""
    try:
        from orjson import loads
    except ImportError:
        from json import loads  # type: ignore[assignment]
    return loads


def decode(lines: Iterable[bytes]) -> Iterator[Any]:
    """Decode the lines, no more: the least that reading takes."""
    return map(_loads(), lines)


def parse(lines: Iterable[bytes]) -> Iterator[Any]:
    """Put the messages together to trees."""
    from eliot.parse import Parser

    return Parser.parse_stream(decode(lines))


def parse_lines(lines: Iterable[bytes]) -> Iterator[Any]:
    """Put the messages together to trees, looking for bad lines on the way."""
    from eliot.parse import Parser, read_lines

    messages = read_lines(lines)
    return Parser.parse_stream(messages, on_error=print)


def pretty(lines: Iterable[bytes]) -> Iterator[Any]:
    """Make text of several lines of each message."""
    from eliot.prettyprint import pretty_format

    return map(pretty_format, decode(lines))


def compact(lines: Iterable[bytes]) -> Iterator[Any]:
    """Make a line of text of each message."""
    from eliot.prettyprint import compact_format

    return map(compact_format, decode(lines))


WAYS = {each.__name__: each for each in (decode, parse, parse_lines, pretty, compact)}


def main(way: str, path: str) -> None:
    """Print the report."""
    with Path(path).open("rb") as file:
        list(WAYS[way](itertools.islice(file, 10)))  # imports
    with Path(path).open("rb") as file:
        started = time.perf_counter()
        for _ in WAYS[way](file):
            pass
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 if resource else None
    with Path(path).open("rb") as file:
        messages = sum(1 for _ in file)
    print(json.dumps({"messages": messages, "seconds": seconds, "megabytes": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
