"""Task ids: where in a task somebody else goes on, in a text that may come from anybody."""

from __future__ import annotations

import re
from typing import Tuple, Union

from eliot._safe import saferepr
from eliot._tasklevel import TaskLevel

__all__ = ["parse_task_id"]

_TASK_ID = r"([^@]{0,1000})@/*((?:[0-9]{1,19}(?![0-9])/*){0,1000})"
_TOO_LARGE = 2**63
_MAX_SHOWN = 200


def parse_task_id(task_id: Union[bytes, str]) -> Tuple[str, TaskLevel]:
    """Read an id that may come from anybody: nothing odd in it gets into the log."""
    try:
        text = task_id.decode("ascii") if isinstance(task_id, bytes) else task_id
        found = re.fullmatch(_TASK_ID, text)  # compiled when needed: not all programs do
    except UnicodeDecodeError as error:
        error.reason += f"; {_no_task_id(task_id)}"
        raise
    except TypeError:
        found = None
    if found is not None:
        task_uuid, level = found.groups()
        numbers = [int(part) for part in level.split("/") if part]
        if task_uuid.isprintable() and all(0 < number < _TOO_LARGE for number in numbers):
            return task_uuid, TaskLevel(numbers)
    raise ValueError(_no_task_id(task_id))


def _no_task_id(given: object) -> str:
    shown = saferepr(given)
    if len(shown) > _MAX_SHOWN:
        shown = f"{shown[:_MAX_SHOWN]}..."
    return (
        f"{shown} is not a task id, which looks like '<uuid>@/2/1': up to 1000 printable "
        "characters, then up to 1000 numbers from 1 to 2**63 - 1"
    )
