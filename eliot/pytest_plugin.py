"""The pytest plugin: the fixture `eliot_logs`, the marker `eliot`, the option `--eliot-log`."""

from __future__ import annotations

import os
from typing import Any, Dict, Generator, Iterator
from weakref import WeakKeyDictionary, WeakSet

import pytest

__all__ = ["eliot_logs"]

_MARKER = "eliot(validate=True, tracebacks=True)"
_MEANING = (
    "whether a test that uses the fixture eliot_logs fails if it logs invalid messages, or "
    "tracebacks that it does not flush"
)

#: So many messages of a test that does not use the fixture are in its report, the newest ones.
_KEPT = 1000

#: The `CapturedLogs` of the tests that use the fixture, and those that reports are to show.
_captured: WeakKeyDictionary[pytest.Item, Any] = WeakKeyDictionary()
_shown: WeakKeyDictionary[pytest.Item, Any] = WeakKeyDictionary()

#: The tests with the fixture that have come to their end, and all was well.
_passed: WeakSet[pytest.Item] = WeakSet()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("eliot").addoption(
        "--eliot-log",
        metavar="FILE",
        help="write to FILE what the tests log, each test being a task",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and start the log of the session if there is to be one."""
    config.addinivalue_line("markers", f"{_MARKER}: {_MEANING}")
    path = config.getoption("eliot_log")
    if path is not None:
        config.pluginmanager.register(_Session(config, path), "eliot-log")


@pytest.fixture
def eliot_logs(request: pytest.FixtureRequest) -> Iterator[Any]:
    """
    Capture what the test logs: an `eliot.testing.CapturedLogs`.

    Invalid messages, and tracebacks that it does not flush, fail the test; the marker `eliot` can
    switch that off. If the test fails, its report shows the trees of what was logged.
    """
    from eliot._captured import CapturedLogs

    item = request.node
    logs = _captured[item] = CapturedLogs(**_options(item))
    _shown.setdefault(item, logs)
    _passed.discard(item)  # it may be run once more
    logs.start()
    yield logs
    logs.stop()
    if item in _passed:  # else it has trouble enough
        _check(logs)


def _options(item: pytest.Item) -> Dict[str, bool]:
    """Read the markers of a test, the nearest of which decides."""
    options: Dict[str, bool] = {}
    for marker in item.iter_markers("eliot"):
        if marker.args or not {"validate", "tracebacks"}.issuperset(marker.kwargs):
            pytest.fail(f"{marker} is not of the form {_MARKER}", pytrace=False)
        options = {**marker.kwargs, **options}
    return options


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Check what was logged, as the last part of the test; not reached if that has failed."""
    logs = _captured.get(item)
    if logs is not None:
        _check(logs)
        _passed.add(item)


def _check(logs: Any) -> None:
    problem = ""
    try:
        logs.check()
    except AssertionError as error:
        problem = str(error)
    if problem:
        pytest.fail(problem, pytrace=False)


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Attach what a failing test has logged, and leave the report itself to pytest."""
    failed = call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception)
    if failed and item in _shown:
        text = str(_shown.pop(item))
        if text:
            item.add_report_section(call.when, "eliot log", text)
    if call.when == "teardown":  # pytest keeps the tests to the end of the session
        for each in (_captured, _shown):
            each.pop(item, None)


class _Session:
    """
    Write the log of a session.

    Args:
        config: That of the session.
        path: The file.

    Raises:
        UsageError: If the file cannot be written.
    """

    def __init__(self, config: pytest.Config, path: str) -> None:
        from eliot._session_log import SessionLog

        # Workers of pytest-xdist run elsewhere, and get the options of the session.
        config.option.eliot_log = path = os.path.abspath(path)
        worker = getattr(config, "workerinput", None)
        try:
            if worker is None:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb"):  # without what an earlier session has left
                    pass
            self._log = SessionLog(path)
        except OSError as error:
            msg = f"--eliot-log: {error}"
            raise pytest.UsageError(msg) from error
        self._worker = {} if worker is None else {"worker": worker["workerid"]}
        self._logs: Any = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin a test, and its first phase."""
        from eliot._captured import CapturedLogs

        self._stop()
        self._logs = _shown[item] = CapturedLogs(keep=_KEPT)
        self._log.begin_test(nodeid=item.nodeid, **self._worker)
        self._begin("setup")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Begin the second phase."""
        self._begin("call")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Begin the last phase."""
        self._begin("teardown")

    def _begin(self, phase: str) -> None:
        # Tests may have emptied the list of destinations.
        self._logs.start()
        self._log.begin_phase(phase)

    # Outermost, after all who change the report. All versions of pytest know this form.
    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[Any]) -> Generator[None, Any, None]:
        """Remember how a phase has ended."""
        result = yield
        self._log.report = result.get_result()
        self._log.raised = None if call.excinfo is None else call.excinfo.value

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """End a phase, and with the last one the test."""
        if type(report).__name__ == "TestReport":  # not one of a part of a test
            self._log.end_phase()
            if report.when == "teardown":
                self._stop()

    def _stop(self) -> None:
        if self._logs is not None:
            self._logs.stop()

    def pytest_unconfigure(self) -> None:
        """End the log."""
        self._log.close()
