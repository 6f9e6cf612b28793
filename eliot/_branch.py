"""Branches: what a forked child logs under the action in which the fork happened."""

from __future__ import annotations

import atexit
import os
import sys
from threading import RLock
from typing import List, Optional

from eliot._action import Action
from eliot._context import Place, current
from eliot._fields import FORKED_TYPE
from eliot._fork import at_fork, here, in_child
from eliot._ids import new_task_uuid
from eliot._tasklevel import TaskLevel

__all__: List[str] = []


class _Fork:
    """
    The fork that this process has come from, or is about to make.

    Parent and child both have a copy of each action, and would both give out its next slot. So the
    child takes none: the parent reserves a slot of the current action when it forks, and that is
    the level of an action of type `eliot:forked`, the branch. All that the child logs in inherited
    actions is logged there. The branch begins with the first such message, and ends with the action
    that was current, or with the process.
    """

    def __init__(self) -> None:
        self.place: Optional[Place] = None
        self._task_uuid = ""
        self._level: List[int] = []
        self.renew()

    def reserve(self) -> None:
        """Take a slot of the current place for the child that is to be forked."""
        self.place = current()
        if self.place is not None:
            self._task_uuid, self._level = self.place.stamp()

    def forget(self) -> None:
        """Drop what was reserved: this is the parent, and the child has its own copy."""
        self.place = None

    def renew(self) -> None:
        """Start a child with a branch of its own, to be made when it is needed."""
        self._branch: Optional[Action] = None
        self._lock = RLock()

    def adopt(self, place: Place) -> None:
        """Have a place that was inherited from the parent stand for the branch."""
        with self._lock:
            branch = self._branch
            if branch is None:
                branch = self._branch = self._begin(place)
        place._task_uuid, place._level, place._slots = (
            branch._task_uuid,
            branch._level,
            branch._slots,
        )

    def _begin(self, place: Place) -> Action:
        if self.place is None:  # the fork happened outside of any action
            branch = Action(place._logger, new_task_uuid(), TaskLevel([]), FORKED_TYPE)
        else:
            level = TaskLevel(self._level)
            branch = Action(self.place._logger, self._task_uuid, level, FORKED_TYPE)
        branch._start({"pid": os.getpid()})
        atexit.register(branch.finish)
        # The children that multiprocessing forks end without the functions of atexit.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, lambda: branch.finish(sys.exc_info()[1]), exitpriority=100)
        return branch

    def end(self, place: Place, exception: Optional[BaseException]) -> None:
        """End, in a child, an action of the parent, where it goes on."""
        if place is self.place:
            self.adopt(place)
            branch = self._branch
            if branch is not None:
                branch.finish(exception)


_fork = _Fork()
here.adopt = _fork.adopt
here.end = _fork.end
in_child(_fork.renew)
at_fork(before=_fork.reserve, after_in_parent=_fork.forget)
