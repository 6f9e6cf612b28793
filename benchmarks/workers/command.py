"""
Report what a command takes: `command.py PROGRAM [ARGUMENT ...]`.

Reports the seconds until its first output and until its end, and its peak of memory in megabytes.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time


def main(*command: str) -> None:
    """Print the report."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        data = process.stdout.read(1)
        first = time.perf_counter() - started
        while data:
            data = process.stdout.read(1 << 20)
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit(process.returncode)
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"first": first, "seconds": seconds, "megabytes": megabytes}))


if __name__ == "__main__":
    main(*sys.argv[1:])
