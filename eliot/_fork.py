"""What a forked child has to make anew: locks that another thread held, things of the parent."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["renew_in_child"]


class Renewable(Protocol):
    """Whatever holds locks, or is in the middle of something in another thread."""

    def _renew(self) -> None:
        """Make it usable in a child that was just forked: no other thread is left."""


_RENEWABLES: WeakSet[Renewable] = WeakSet()


def renew_in_child(renewable: Renewable) -> None:
    """
    Have the method `_renew` of an object called in each child that this process forks.

    Args:
        renewable: The object; this does not keep it alive.
    """
    _RENEWABLES.add(renewable)


def _renew_all() -> None:
    for renewable in list(_RENEWABLES):
        renewable._renew()


# Not on Windows, which has no fork.
getattr(os, "register_at_fork", lambda **_: None)(after_in_child=_renew_all)
