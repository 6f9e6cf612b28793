"""Branches: what a forked child logs under the action in which the fork happened."""

from __future__ import annotations

import atexit
import os
import sys
from threading import RLock, local
from typing import List, Optional, Tuple

from eliot._action import Action
from eliot._context import Place, current
from eliot._fields import FORKED_TYPE
from eliot._fork import at_fork, here, in_child
from eliot._ids import new_task_uuid
from eliot._tasklevel import TaskLevel

__all__: List[str] = []


class _Reserved(local):
    slot: Optional[Tuple[Place, str, List[int]]] = None


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
        # Threads may fork at the same time; in the child, there is but the one that did.
        self._reserved = _Reserved()
        self._begin_child()

    def reserve(self) -> None:
        """Take a slot of the current place for the child that is to be forked."""
        self._reserved.slot = None  # or a failure would leave that of another fork
        place = current()
        if place is not None:
            self._reserved.slot = (place, *place.stamp())

    def renew(self) -> None:
        """Start a child with a branch of its own, to be made when it is needed."""
        self._begin_child()

    def _begin_child(self) -> None:
        self._slot = self._reserved.slot
        self._branch: Optional[Action] = None
        self._lock = RLock()

    def adopt(self, place: Place) -> Action:
        """Have a place that was inherited from the parent stand for the branch; return that."""
        with self._lock:
            branch = self._branch
            if branch is None:
                branch = self._make(place)
                self._branch = branch  # first: whoever takes its first message may log here, too
                self._begin(branch)
        place._task_uuid, place._level, place._slots = (
            branch._task_uuid,
            branch._level,
            branch._slots,
        )
        return branch

    def _make(self, place: Place) -> Action:
        if self._slot is None:  # the fork happened outside of any action
            return Action(place._logger, new_task_uuid(), TaskLevel([]), FORKED_TYPE)
        here, task_uuid, level = self._slot
        return Action(here._logger, task_uuid, TaskLevel(level), FORKED_TYPE)

    def _begin(self, branch: Action) -> None:
        branch._start({"pid": os.getpid()})

        def finish() -> None:
            branch.finish(sys.exc_info()[1])  # multiprocessing comes here while it is on its way

        atexit.register(finish)
        # Before Python 3.13, its children end without the functions of atexit.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, finish, exitpriority=100)

    def end(self, place: Place, exception: Optional[BaseException]) -> None:
        """End, in a child, an action of the parent, where it goes on."""
        if self._slot is not None and place is self._slot[0]:
            self.adopt(place).finish(exception)


_fork = _Fork()
here.adopt = _fork.adopt
here.end = _fork.end
in_child(_fork.renew)
at_fork(before=_fork.reserve)
