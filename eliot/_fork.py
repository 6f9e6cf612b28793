"""Forks: which process this is, and what a forked child has to make anew."""

from __future__ import annotations

import os
from _weakrefset import WeakSet  # as `weakref` has it, which takes longer to import
from typing import Any, Callable, List, Protocol

__all__ = ["at_fork", "here", "in_child", "renew_in_child"]


class Renewable(Protocol):
    """Whatever holds locks, or is in the middle of something in another thread."""

    def _renew(self) -> None:
        """Make it usable in a child that was just forked: no other thread is left."""


class _Here:
    """
    The process that runs this.

    Attributes:
        process: Another object in each child; compared by identity, which is faster than `getpid`.
        adopt: Called with a place of the parent that is used here; see `_branch`.
        end: Called with a place of the parent that ends here, and the exception, if it fails.
    """

    __slots__ = ("adopt", "end", "process")

    adopt: Callable[[Any], object]
    end: Callable[[Any, Any], None]

    def __init__(self) -> None:
        self.process: object = object()


here = _Here()

_RENEWABLES: WeakSet[Renewable] = WeakSet()
_CALLED_IN_CHILD: List[Callable[[], object]] = []


def renew_in_child(renewable: Renewable) -> None:
    """
    Have the method `_renew` of an object called in each child that this process forks.

    Args:
        renewable: The object; this does not keep it alive.
    """
    _RENEWABLES.add(renewable)


def in_child(f: Callable[[], object]) -> None:
    """
    Have a function called in each child that this process forks.

    Args:
        f: The function.
    """
    _CALLED_IN_CHILD.append(f)


def at_fork(**hooks: Callable[[], object]) -> None:
    """
    Call `os.register_at_fork`, where there is fork at all.

    Args:
        hooks: Its arguments.
    """
    if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
        os.register_at_fork(**hooks)


def _become_another() -> None:
    here.process = object()
    for f in _CALLED_IN_CHILD:
        f()
    for renewable in list(_RENEWABLES):
        renewable._renew()


at_fork(after_in_child=_become_another)
