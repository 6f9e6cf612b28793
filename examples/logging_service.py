"""
Join the log records of a library with the actions of the program that uses it.

Usage: python logging_service.py [LOG]
"""

from __future__ import annotations

import logging
import sys
import warnings
from logging.handlers import RotatingFileHandler

from eliot import add_destinations, log_call, start_task
from eliot.stdlib import EliotHandler, HandlerDestination, capture_uncaught

library = logging.getLogger("library")


def fetch(user: int) -> str:
    """Play the library: it knows nothing of Eliot."""
    library.info("fetching user %d", user)
    if user % 2 == 0:
        warnings.warn("users with even numbers are deprecated", FutureWarning, stacklevel=2)
    try:
        return {1: "Ada", 2: "Grace"}[user]
    except KeyError:
        library.exception("no such user")
        return "nobody"


@log_call
def greet(user: int) -> str:
    """Greet a user."""
    return f"Hello, {fetch(user)}!"


def main(log: str = "service.log") -> None:
    """Greet three users; log to a file that is rotated."""
    logging.basicConfig(level=logging.INFO, handlers=[EliotHandler()])
    warnings.simplefilter("always")
    warnings.showwarning = lambda *_, **__: None  # only in the log, please
    add_destinations(HandlerDestination(RotatingFileHandler(log, maxBytes=10**8, backupCount=5)))
    with capture_uncaught(), start_task(action_type="service"):
        for user in (1, 2, 3):
            print(greet(user))


if __name__ == "__main__":
    main(*sys.argv[1:])
