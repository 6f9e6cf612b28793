"""
Copy files, and log why one could not be copied to the journal of the machine.

Usage: python journald_backup.py; then ask the journal as the program says.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from eliot import add_destinations, log_call, start_task, to_file
from eliot.journald import JournaldDestination


@log_call(include_result=False)
def copy(source: Path, target: Path) -> None:
    """Copy one file."""
    shutil.copy(source, target)


def main(log: str | None = None) -> None:
    """Back up a folder with a dangling link in it."""
    add_destinations(JournaldDestination(identifier="backup"))
    if log is not None:
        to_file(Path(log).open("ab"))  # noqa: SIM115 - until the program ends
    with TemporaryDirectory() as folder:
        Path(folder, "good.txt").write_text("precious", encoding="utf-8")
        Path(folder, "gone.txt").symlink_to("nowhere")
        Path(folder, "copies").mkdir()
        with start_task(action_type="backup", folder=folder) as action:
            for source in sorted(Path(folder).glob("*.txt")):
                try:
                    copy(source, Path(folder, "copies", source.name))
                except OSError:
                    print(f"{source.name} could not be copied; the journal knows why:")
                    print(f"  journalctl --output=cat ELIOT_TASK={action.task_uuid}")


if __name__ == "__main__":
    main(*sys.argv[1:])
