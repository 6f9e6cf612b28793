"""
Merge two sorted files, reading both of them line by line.

    python generator_merge.py [LOGFILE]

The files come along. Both are open at the same time, each in a generator with an action of its
own. The log (merge.log unless told otherwise) shows them side by side: neither is inside the other
one, and the lines are logged where they are consumed.
"""

from __future__ import annotations

import sys
from heapq import merge
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterator

from eliot import eliot_friendly_generator_function, log_message, start_action, to_file

CALENDARS = {
    "work.txt": "03-12 Fair\n07-01 Summer school\n",
    "home.txt": "03-20 Spring\n06-21 Summer\n12-21 Winter\n",
}


@eliot_friendly_generator_function
def lines_of(path: Path) -> Iterator[str]:
    """Read a file, in an action that lasts until its end, or until nobody wants more of it."""
    with start_action(action_type="merge:read", file=path.name) as action:
        count = 0
        with path.open() as file:
            for line in file:
                count += 1
                yield line.strip()
        action.add_success_fields(lines=count)


def merge_files(paths: list[Path]) -> list[str]:
    """Merge the lines of files that are sorted."""
    with start_action(action_type="merge"):
        merged = []
        for line in merge(*map(lines_of, paths)):
            log_message("merge:line", text=line)
            merged.append(line)
        return merged


def main(log_path: str = "merge.log") -> None:
    """Write the files, and print what they are together."""
    with Path(log_path).open("wb") as log, TemporaryDirectory() as folder:
        to_file(log)
        paths = [Path(folder, name) for name in CALENDARS]
        for path in paths:
            path.write_text(CALENDARS[path.name])
        print(*merge_files(paths), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
