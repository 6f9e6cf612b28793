"""What all tests share: a fresh process for each, and no silent skips where everything is there."""

from __future__ import annotations

import gc
import os
from contextvars import copy_context
from functools import partial
from threading import Thread
from typing import Any, Callable, Dict, Generator, Iterator, List, TypeVar

import pytest
from hypothesis import HealthCheck, settings

import eliot._output as output
from eliot import add_destinations, current_action
from eliot._destinations import Destinations
from eliot._loggers import Logger
from eliot._sink import _FAILING
from eliot._switches import Switches, switches

#: Where tox says so, what takes long is left out: very large values, the browser, most examples.
LIGHTLY = os.environ.get("ELIOT_TEST_LIGHTLY") == "yes"

# Slow machines and interpreters are no failures.
settings.register_profile(
    "unhurried",
    settings(),
    deadline=None,
    max_examples=20 if LIGHTLY else 100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unhurried")

#: For what has to hold whatever comes: many more examples, where tox asks for them.
_MANY = int(os.environ.get("ELIOT_TEST_VALUES", "200"))
settings.register_profile("many", settings.get_profile("unhurried"), max_examples=_MANY)

collect_ignore = [
    *(["test_benchmarks.py", "cli/test_timeline_page.py"] if LIGHTLY else []),
    *(["faults"] if os.environ.get("ELIOT_TEST_FAULTS") == "no" else []),
]

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

#: What the reason of a skip has to say for CI to accept it: that the thing cannot be had.
UNAVAILABLE = "on this interpreter"


@pytest.fixture(autouse=True)
def _fresh_process() -> None:
    """Give each test the destinations, the default logger and the switches of a new process."""
    Destinations.__init__(Logger._destinations)
    output._DEFAULT_LOGGER = Logger()
    _FAILING.clear()
    Switches.__init__(switches)


@pytest.fixture
def log() -> Iterator[List[Dict[str, Any]]]:
    """Collect what a test logs, which leaves no action behind."""
    messages: List[Dict[str, Any]] = []
    add_destinations(messages.append)
    yield messages

    assert current_action() is None


@pytest.fixture
def threads_inherit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have new threads inherit the context, as is usual in Python without a GIL."""
    start = Thread.start

    def start_in_context(thread: Thread) -> None:
        run: Callable[[], None] = partial(copy_context().run, thread.run)
        monkeypatch.setattr(thread, "run", run)
        start(thread)

    monkeypatch.setattr(Thread, "start", start_in_context)


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Leave out what takes long, if that is wanted."""
    if LIGHTLY:
        items[:] = [item for item in items if item.get_closest_marker("heavy") is None]


def pytest_collection_finish() -> None:
    """Spare the garbage collector all that is there already: tests call it again and again."""
    if hasattr(gc, "freeze"):
        gc.collect()
        gc.freeze()


def _refuse_skip(report: Report) -> Report:
    """Make a skip a failure if the variable CI is set, unless its reason is accepted."""
    if (
        "CI" in os.environ
        and report.skipped
        and not hasattr(report, "wasxfail")
        and UNAVAILABLE not in str(report.longrepr)
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI refuses: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Look at the outcome of each phase of a test."""
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Look at the outcome of the collection of a file."""
    return _refuse_skip((yield))
