"""The pytest plugin, in real sessions of pytest: in this process, or in one of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

import pytest

import eliot
import eliot._captured  # now, for sessions in this process forget what they have imported
import eliot._session_log
from eliot import log_message
from eliot.parse import Entry, Parser, read_lines
from eliot.pytest_plugin import _Session

pytest_plugins = ["pytester"]

#: What the tests in these sessions are about.
SHOP = """
from eliot import *

TYPED = MessageType("typed", fields(x=int))

def pay(amount=20):
    with start_action(action_type="pay", amount=amount):
        log_message("receipt", number=1)

def stumble():
    write_traceback(exc_info=ValueError("boom"))
"""


class Session:
    """A folder with one file of tests, and what pytest says about it."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path: Path = pytester.path
        pytester.makeini("[pytest]")  # or that of a folder around it would be taken

    def write(self, source: str) -> None:
        """Write the tests, and their configuration."""
        self.pytester.makepyfile(shop=SHOP)
        self.pytester.makepyfile(test_shop="import pytest\nfrom shop import *\n" + dedent(source))

    def run(self, source: str, *arguments: str) -> Tuple[Dict[str, int], str]:
        """Run tests in this process, without the plugins that run coroutines."""
        self.write(source)
        without = ("-p", "no:asyncio", "-p", "no:anyio", "-p", "no:trio")
        result = self.pytester.runpytest_inprocess(
            *("-W", "error", "--strict-markers"), *without, *arguments
        )
        return result.parseoutcomes(), result.stdout.str()

    def run_apart(self, source: str, *arguments: str) -> Tuple[Dict[str, int], str]:
        """Run tests in a process of their own, with all plugins that are installed."""
        self.write(source)
        self.pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
        # Old versions of pytest-asyncio leave event loops open.
        options = ("-W", "error", "-W", "ignore::ResourceWarning", "--strict-markers")
        result = self.pytester.runpytest_subprocess(*options, *arguments, timeout=100)
        return result.parseoutcomes(), result.stdout.str()

    def log(self) -> List[Entry]:
        """Read the log of the session: the trees, in the order in which they began."""
        with (self.path / "session.log").open("rb") as file:
            tasks = [*Parser.parse_stream(read_lines(file))]
        return sorted((task.top() for task in tasks), key=lambda entry: entry.start or 0.0)


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Prepare a session."""
    monkeypatch.delenv("CI", raising=False)  # pytest would tell everything twice
    return Session(pytester)


def tree(top: Entry) -> List[str]:
    """Give the types of a tree, with the outcomes, indented."""
    return [
        "  " * entry.depth + f"{entry.type} {entry.end_fields.get('outcome', '')}".rstrip()
        for entry in top.walk()
    ]


class TestFixture:
    """The fixture `eliot_logs`."""

    def test_captures(self, session: Session) -> None:
        """A test looks at what it has logged, and makes claims about it."""
        outcomes, _ = session.run("""
            def test_pay(eliot_logs):
                pay()
                eliot_logs.assert_has_action("pay", succeeded=True, start_fields={"amount": 20})
                eliot_logs.assert_has_message("receipt", number=1)
                eliot_logs.assert_tree({"pay": ["receipt"]})
                assert 3 == len(eliot_logs.messages) == len(eliot_logs.live)

            def test_nothing_is_left(eliot_logs):
                assert [] == eliot_logs.messages
        """)

        assert {"passed": 2} == outcomes

    def test_failing_claim(self, session: Session) -> None:
        """
        The report has the expected action beside the nearest one, and then all that was logged.

        It shows no more code than the line of the test.
        """
        outcomes, text = session.run("""
            def test_pay(eliot_logs):
                pay(20)
                eliot_logs.assert_has_action("pay", start_fields={"amount": 21})
        """)

        assert {"failed": 1} == outcomes
        assert "? pay  amount=21" in text
        assert "amount=20" in text.partition("nearest of 1 action of type pay:")[2]
        assert "receipt" in text.partition("- Captured eliot log call -")[2]
        assert "_captured.py" not in text

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("stumble()", "a traceback was logged, and not flushed with flush_tracebacks():"),
            ("TYPED.log(x='text')", "message typed is not as declared"),
            ("log_message('big', n=2**64)", "message big cannot be written as it is"),
        ],
    )
    def test_checks(self, session: Session, body: str, said: str) -> None:
        """What is wrong with the messages fails the test itself, and says where it was logged."""
        outcomes, text = session.run(f"""
            def test_pay(eliot_logs):
                {body}
        """)

        assert {"failed": 1} == outcomes
        assert said in text
        assert "_captured.py" not in text
        assert "pytest_plugin.py" not in text

    def test_flushed(self, session: Session) -> None:
        """A traceback that a test expects does not fail it."""
        outcomes, _ = session.run("""
            def test_pay(eliot_logs):
                stumble()
                assert 1 == len(eliot_logs.flush_tracebacks(ValueError))
        """)

        assert {"passed": 1} == outcomes

    def test_checks_what_other_fixtures_log_at_their_end(self, session: Session) -> None:
        """That is an error of the test, which is over; it is told once."""
        outcomes, text = session.run("""
            @pytest.fixture
            def shop(eliot_logs):
                yield
                stumble()

            def test_pay(shop):
                pay()
        """)

        assert {"passed": 1, "errors": 1} == outcomes
        assert 1 == text.count("a traceback was logged, and not flushed with")

    def test_failing_test_is_not_checked(self, session: Session) -> None:
        """A test that has failed, or was skipped, has nothing more to say."""
        outcomes, text = session.run("""
            def test_fails(eliot_logs):
                stumble()
                assert False

            def test_skips(eliot_logs):
                stumble()
                pytest.skip("no")

            @pytest.mark.xfail
            def test_is_expected_to_fail(eliot_logs):
                stumble()
        """)

        assert {"failed": 1, "skipped": 1, "xfailed": 1} == outcomes
        assert "a traceback was logged" not in text

    def test_fails_before_it_begins(self, session: Session) -> None:
        """A failing fixture has the log in its report, too; nothing is checked."""
        outcomes, text = session.run("""
            @pytest.fixture
            def shop(eliot_logs):
                stumble()
                assert False

            def test_pay(shop):
                pass
        """)

        assert {"errors": 1} == outcomes
        assert "- Captured eliot log setup -" in text

    def test_nothing_logged(self, session: Session) -> None:
        """If nothing was logged, the report says nothing about it."""
        _, text = session.run("def test_pay(eliot_logs): assert False")

        assert "Captured eliot log" not in text

    def test_unittest(self, session: Session) -> None:
        """Test cases use the fixture by mark or by request; failures are their own."""
        outcomes, text = session.run("""
            from unittest import IsolatedAsyncioTestCase, TestCase

            @pytest.mark.usefixtures("eliot_logs")
            class TestMarked(TestCase):
                def test_fine(self):
                    pay()

                def test_traceback(self):
                    stumble()

                def test_fails(self):
                    pay(7)
                    stumble()
                    self.fail("as it should")

                def test_skips(self):
                    stumble()
                    self.skipTest("no")

            class TestRequesting(TestCase):
                @pytest.fixture(autouse=True)
                def _logs(self, request):
                    self.logs = request.getfixturevalue("eliot_logs")

                def test_fine(self):
                    pay()
                    self.logs.assert_tree({"pay": ["receipt"]})

            @pytest.mark.usefixtures("eliot_logs")
            class TestAsync(IsolatedAsyncioTestCase):
                async def test_fine(self):
                    pay()

                async def test_traceback(self):
                    stumble()
        """)

        assert {"passed": 3, "failed": 3, "skipped": 1} == outcomes
        assert 2 == text.count("a traceback was logged, and not flushed with flush_tracebacks():\n")
        assert "as it should" in text
        assert "amount=7" in text

    def test_threads(self, session: Session) -> None:
        """What threads of the test log belongs to it."""
        outcomes, _ = session.run("""
            from threading import Thread

            def test_pay(eliot_logs):
                thread = Thread(target=pay)
                thread.start()
                thread.join()
                eliot_logs.assert_tree({"pay": ["receipt"]})
        """)

        assert {"passed": 1} == outcomes

    @pytest.mark.parametrize("arguments", [(), ("--eliot-log=session.log",)])
    def test_keeps_nothing(self, session: Session, arguments: Tuple[str, ...]) -> None:
        """What a test has logged is forgotten when it is over."""
        session.pytester.makeconftest("""
            from eliot import pytest_plugin

            def pytest_sessionfinish(session):
                kept = [*pytest_plugin._captured, *pytest_plugin._shown]
                mine = [each for each in session.items if each in kept]
                print(len(session.items), "tests, kept:", mine)
        """)
        _, text = session.run(
            """
            def test_pay(eliot_logs):
                pay()

            def test_fails(eliot_logs):
                stumble()
            """,
            *arguments,
        )

        assert "2 tests, kept: []" in text

    def test_everywhere(self, session: Session) -> None:
        """A line of the configuration has all tests checked."""
        session.pytester.makeini("[pytest]\nusefixtures = eliot_logs")
        outcomes, _ = session.run("""
            def test_pay():
                pay()

            def test_stumble():
                stumble()
        """)

        assert {"passed": 1, "failed": 1} == outcomes


class TestCaptureLogging:
    """The decorator `eliot.testing.capture_logging` on functions."""

    def test_functions(self, session: Session) -> None:
        """The logger is no fixture; the other parameters are, and claims fail the test."""
        outcomes, text = session.run("""
            from eliot.testing import assertHasMessage, capture_logging

            @pytest.mark.parametrize("amount", [1, 2])
            @capture_logging(assertHasMessage, "receipt")
            def test_pay(amount, logger, tmp_path):
                pay(amount)

            class TestPay:
                @capture_logging(assertHasMessage, "bill")
                def test_fails(self, logger):
                    pay()

                @capture_logging(None, tee_=True)
                def test_both(self, logger, eliot_logs):
                    pay()
                    assert 3 == len(logger.messages) == len(eliot_logs.messages)
        """)

        assert {"passed": 3, "failed": 1} == outcomes
        assert "No messages of type bill" in text


class TestMarker:
    """The marker `eliot`."""

    def test_switches_off(self, session: Session) -> None:
        """The checks can be switched off one by one; the nearest marker decides."""
        outcomes, _ = session.run("""
            pytestmark = pytest.mark.eliot(validate=False)

            def test_invalid(eliot_logs):
                TYPED.log(x="text")

            @pytest.mark.eliot(validate=True)
            def test_switched_on_again(eliot_logs):
                TYPED.log(x="text")

            def test_traceback(eliot_logs):
                stumble()

            @pytest.mark.eliot(tracebacks=False)
            def test_both(eliot_logs):
                TYPED.log(x="text")
                stumble()
        """)

        assert {"passed": 2, "failed": 2} == outcomes

    @pytest.mark.parametrize("arguments", ["False", "valid=False"])
    def test_wrong(self, session: Session, arguments: str) -> None:
        """A marker with other arguments is an error."""
        outcomes, text = session.run(f"""
            @pytest.mark.eliot({arguments})
            def test_pay(eliot_logs):
                pass
        """)

        assert {"errors": 1} == outcomes
        assert "is not of the form eliot(validate=True, tracebacks=True)" in text

    def test_is_explained(self, session: Session) -> None:
        """`pytest --markers` shows it."""
        text = session.pytester.runpytest_inprocess("-p", "no:asyncio", "--markers").stdout.str()

        assert "@pytest.mark.eliot(validate=True, tracebacks=True): " in text


class TestSessionLog:
    """The option `--eliot-log`."""

    def test_each_test_is_a_task(self, session: Session) -> None:
        """A test is an action with three phases, in which everything is that was logged then."""
        outcomes, _ = session.run(
            """
            from threading import Thread

            @pytest.fixture
            def shop():
                log_message("opened")
                yield
                log_message("closed")

            def test_pay(shop):
                assert current_action() is None
                pay()
                thread = Thread(target=pay)
                thread.start()
                thread.join()
            """,
            "--eliot-log=session.log",
        )
        [top] = session.log()

        assert {"passed": 1} == outcomes
        assert [
            "pytest:test passed",
            *("  pytest:setup passed", "    opened"),
            *("  pytest:call passed", *2 * ("    pay", "      receipt")),
            *("  pytest:teardown passed", "    closed"),
        ] == tree(top)
        assert {"nodeid": "test_shop.py::test_pay"} == top.fields

    def test_outcomes(self, session: Session) -> None:
        """The outcome is that of pytest; failures say what was raised, and what pytest shows."""
        session.run(
            """
            def test_fails():
                raise ValueError("boom")

            def test_skips():
                pytest.skip("not today")

            @pytest.mark.xfail(reason="known")
            def test_is_expected_to_fail():
                assert False

            @pytest.mark.xfail
            def test_passes_unexpectedly():
                pass

            @pytest.mark.xfail(strict=True)
            def test_passes_unfortunately():
                pass

            @pytest.fixture
            def broken():
                yield
                raise KeyError("late")

            def test_ends_badly(broken):
                pass
            """,
            "--eliot-log=session.log",
        )
        tests = session.log()
        fails, skips, expected, _, unfortunate, _ = [test.children[1] for test in tests]

        assert [
            ("test_fails", "failed", "failed"),
            ("test_skips", "skipped", "succeeded"),
            ("test_is_expected_to_fail", "xfailed", "succeeded"),
            ("test_passes_unexpectedly", "xpassed", "succeeded"),
            ("test_passes_unfortunately", "failed", "failed"),
            ("test_ends_badly", "error", "failed"),
        ] == [
            (test.fields["nodeid"].split("::")[1], test.end_fields["outcome"], test.status)
            for test in tests
        ]
        assert ("builtins.ValueError", "boom") == (fails.exception, fails.reason)
        assert "pytest:failure" == fails.children[0].type
        assert ">       raise ValueError" in fails.children[0].fields["traceback"]
        assert ("not today", "known") == (skips.reason, expected.reason)
        assert "[XPASS(strict)]" == (unfortunate.reason or "").strip()

    def test_subtests(self, session: Session) -> None:
        """A test is one action, whatever reports there are of its parts."""
        session.pytester.makeconftest("""
            import pytest

            class PartReport(pytest.TestReport):
                pass

            def pytest_runtest_call(item):
                item.ihook.pytest_runtest_logreport(
                    report=PartReport(item.nodeid, item.location, {}, "passed", None, "call")
                )
        """)
        session.run("def test_pay(): pay()", "--eliot-log=session.log")
        [top] = session.log()

        assert "  pytest:call passed" in tree(top)
        assert "    pay" in tree(top)

    def test_run_again(self, session: Session) -> None:
        """Each run of a test is a task, though reports come late, and not all of them."""
        session.pytester.makeconftest("""
            from _pytest.runner import runtestprotocol

            def pytest_runtest_protocol(item, nextitem):
                for last in False, True:
                    item._initrequest()
                    for report in runtestprotocol(item, nextitem=nextitem, log=False):
                        if report.failed and not last:
                            report.outcome = "rerun"
                            break
                        item.ihook.pytest_runtest_logreport(report=report)
                return True
        """)
        before = len(eliot.Logger._destinations._destinations)
        session.run(
            """
            def test_pay():
                pay()
                assert False

            @pytest.fixture
            def broken():
                yield
                raise KeyError("late")

            def test_ends_badly(broken):
                pass
            """,
            "--eliot-log=session.log",
        )
        pay = [
            "pytest:test failed",
            "  pytest:setup passed",
            *("  pytest:call failed", "    pay", "      receipt", "    pytest:failure"),
            "  pytest:teardown passed",
        ]
        ends_badly = [
            "pytest:test error",
            "  pytest:setup passed",
            "  pytest:call passed",
            *("  pytest:teardown error", "    pytest:failure"),
        ]

        assert [pay, pay, ends_badly, ends_badly] == [tree(top) for top in session.log()]
        assert before == len(eliot.Logger._destinations._destinations)

    def test_report_without_the_fixture(self, session: Session) -> None:
        """The report of each failing test has what it has logged, from the first fixture on."""
        outcomes, text = session.run(
            """
            @pytest.fixture
            def shop():
                log_message("opened")

            def test_pay(shop):
                pay()
                assert False

            def test_with_fixture(shop, eliot_logs):
                pay()
                assert False
            """,
            "--eliot-log=session.log",
        )

        assert {"failed": 2} == outcomes
        assert 2 == text.count("- Captured eliot log call -")
        assert 2 == text.count("· opened")

    def test_claims_are_the_same(self, session: Session) -> None:
        """The trees that a test sees do not depend on the option."""
        outcomes, _ = session.run(
            """
            def test_pay(eliot_logs):
                pay()
                log_message("lonely")
                assert ["pay", "lonely"] == [task.top().type for task in eliot_logs.tasks]
                assert [1] == eliot_logs.messages[0]["task_level"]
            """,
            "--eliot-log=session.log",
        )

        assert {"passed": 1} == outcomes

    def test_tests_that_empty_the_destinations(self, session: Session) -> None:
        """Those that begin with a list of destinations of their own are logged, too."""
        session.run(
            """
            @pytest.fixture(autouse=True)
            def fresh():
                Logger._destinations._destinations = []

            def test_pay():
                pay()
            """,
            "--eliot-log=session.log",
        )
        [top] = session.log()

        assert "    pay" in tree(top)

    def test_what_is_before_and_between_tests(self, session: Session) -> None:
        """What was logged while there is no test are tasks of their own."""
        session.pytester.makeconftest("""
            from eliot import log_message

            def pytest_runtest_logfinish():
                log_message("between")
        """)
        session.run("def test_pay(): pay()", "--eliot-log=session.log")

        assert ["pytest:test", "between"] == [top.type for top in session.log()]

    def test_task_of_many_tests(self, session: Session) -> None:
        """A task stays where it began, however long it takes; so does what comes late."""
        session.run(
            """
            @pytest.fixture(scope="session")
            def server():
                with start_action(action_type="server") as action:
                    yield action

            @pytest.mark.parametrize("number", range(4))
            def test_pay(server, number):
                server.log("request")
                if number == 2:
                    server.finish()
                    server.log("late")
            """,
            "--eliot-log=session.log",
        )

        assert [
            *("    server", "      request", "      request", "      request", "      late"),
            "      request",
        ] == [line for line in tree(session.log()[0]) if line.startswith("    ")]
        assert 4 == len(session.log())

    def test_replaces_an_earlier_log(self, session: Session) -> None:
        """The file has one session; its folder is made."""
        for _ in range(2):
            session.run("def test_pay(): pay()", "--eliot-log=logs/session.log")

        lines = (session.path / "logs" / "session.log").read_bytes().splitlines()
        assert 11 == len(lines)

    def test_cannot_be_written(self, session: Session) -> None:
        """A file that cannot be written is an error of usage."""
        session.write("")
        result = session.pytester.runpytest_inprocess("-p", "no:asyncio", "--eliot-log=.")

        assert pytest.ExitCode.USAGE_ERROR == result.ret
        assert "--eliot-log: " in result.stderr.str()

    def test_leaves_nothing_behind(self, session: Session) -> None:
        """After the session nothing is captured any more."""
        before = [*eliot.Logger._destinations._destinations], [*eliot.Logger._inspectors]
        session.run("def test_pay(eliot_logs): pay()", "--eliot-log=session.log")

        assert before == (eliot.Logger._destinations._destinations, eliot.Logger._inspectors)


class TestUnused:
    """A session that uses nothing of it."""

    def test_notices_nothing(self, session: Session) -> None:
        """Early messages are still for the first destination, and nobody else listens."""
        log_message("before")
        outcomes, text = session.run("""
            def test_pay():
                stumble()
                TYPED.log(x=1)
                [early] = Logger._destinations._destinations
                assert ["before", "eliot:traceback", "typed"] == [
                    message["message_type"] for message in early.messages
                ]

            def test_fails():
                pay()
                assert False
        """)

        assert {"passed": 1, "failed": 1} == outcomes
        assert "eliot log" not in text

    def test_imported_before_pytest(self, session: Session) -> None:
        """A program may import Eliot, and then start pytest, warnings being errors."""
        session.write("def test_pay(): pay()")
        program = """
            import eliot, pytest, sys
            sys.exit(pytest.main(["-W", "error", "-p", "no:asyncio"]))
        """
        command = [sys.executable, "-W", "error", "-c", dedent(program)]

        assert 0 == subprocess.run(command, check=False, cwd=session.path).returncode

    def test_imports_little(self) -> None:
        """The plugin waits with what it needs until that is used."""
        program = """
            import sys, pytest
            import eliot
            before = {*sys.modules}
            import eliot.pytest_plugin
            print(*sorted({*sys.modules} - before))
        """
        command = [sys.executable, "-c", dedent(program)]
        loaded = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

        assert "eliot.pytest_plugin" == loaded.strip()


class TestAsync:
    """Tests that are coroutines, whoever runs them."""

    @pytest.mark.parametrize(
        "arguments",
        [(), pytest.param(("--eliot-log=session.log",), marks=pytest.mark.heavy)],
    )
    def test_pytest_asyncio_and_anyio(self, session: Session, arguments: Tuple[str, ...]) -> None:
        """They use the fixture like any other test, on asyncio and on Trio."""
        outcomes, text = session.run_apart(
            """
            import asyncio, anyio
            from eliot.testing import capture_logging, assertHasAction

            async def pay_twice():
                with start_action(action_type="twice"):
                    async with anyio.create_task_group() as group:
                        group.start_soon(anyio.to_thread.run_sync, pay)
                        group.start_soon(anyio.to_thread.run_sync, pay)

            @pytest.fixture(params=["asyncio", "trio"])
            def anyio_backend(request):
                return request.param

            @pytest.mark.asyncio
            async def test_asyncio(eliot_logs):
                await pay_twice()
                eliot_logs.assert_tree({"twice": [{"pay": ["receipt"]}, {"pay": ["receipt"]}]})

            @pytest.mark.asyncio
            async def test_asyncio_stumbles(eliot_logs):
                stumble()

            @pytest.mark.asyncio
            @capture_logging(assertHasAction, "twice", succeeded=True)
            async def test_asyncio_decorated(logger):
                await pay_twice()

            @pytest.mark.anyio
            async def test_anyio(eliot_logs):
                await pay_twice()
                eliot_logs.assert_tree({"twice": [{"pay": ["receipt"]}, {"pay": ["receipt"]}]})

            @pytest.mark.anyio
            async def test_anyio_stumbles(eliot_logs):
                stumble()

            @pytest.mark.anyio
            @capture_logging(assertHasAction, "twice", succeeded=True)
            async def test_anyio_decorated(logger):
                await pay_twice()
            """,
            *arguments,
        )

        assert {"passed": 6, "failed": 3} == outcomes, text
        assert 3 == text.count("a traceback was logged, and not flushed")
        if arguments:
            tests = session.log()
            assert {"pytest:test"} == {top.type for top in tests}
            assert 3 == sum("    twice" in tree(top) for top in tests)

    def test_pytest_trio(self, session: Session) -> None:
        """So do tests of pytest-trio; its fixtures begin and end within the test."""
        pytest.importorskip("pytest_trio", reason="needs pytest-trio")
        outcomes, text = session.run_apart(
            """
            import trio
            from eliot.testing import capture_logging, assertHasAction

            async def pay_twice():
                with start_action(action_type="twice"):
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(trio.to_thread.run_sync, pay)
                        nursery.start_soon(trio.to_thread.run_sync, pay)

            @pytest.fixture
            async def shop():
                log_message("opened")
                yield
                log_message("closed")

            @pytest.mark.trio
            async def test_trio(eliot_logs, shop):
                await pay_twice()
                eliot_logs.assert_has_message("opened")
                eliot_logs.assert_tree({"twice": [{"pay": ["receipt"]}, {"pay": ["receipt"]}]})

            @pytest.mark.trio
            async def test_stumbles(eliot_logs):
                stumble()

            @pytest.mark.trio
            @capture_logging(assertHasAction, "twice", succeeded=True)
            async def test_decorated(autojump_clock, logger):
                await trio.sleep(60)
                await pay_twice()
            """,
            "--eliot-log=session.log",
        )

        assert {"passed": 2, "failed": 1} == outcomes, text
        assert 1 == text.count("a traceback was logged, and not flushed")
        assert [
            "pytest:test passed",
            "  pytest:setup passed",
            "  pytest:call passed",
            "    opened",
            "    twice",
            *("      pay", "        receipt") * 2,
            "    closed",
            "  pytest:teardown passed",
        ] == tree(session.log()[0])


class TestXdist:
    """Tests that are distributed over several processes."""

    def test_worker(self, session: Session) -> None:
        """A worker leaves the file as it is, and appends to it."""
        path = session.path / "session.log"
        path.write_bytes(b"{}\n")
        config: Any = SimpleNamespace(option=SimpleNamespace(), workerinput={"workerid": "gw7"})
        log = _Session(config, "session.log")
        log.pytest_unconfigure()

        assert str(path) == config.option.eliot_log
        assert b"{}\n" == path.read_bytes()

    @pytest.mark.heavy
    def test_all_write_one_log(self, session: Session) -> None:
        """The reports come back whole, and the log has each test with its worker."""
        outcomes, text = session.run(
            """
            @pytest.mark.parametrize("number", range(20))
            def test_pay(eliot_logs, number):
                pay(number)
                eliot_logs.assert_has_action("pay", start_fields={"amount": number})
                assert number
            """,
            *("--eliot-log=session.log", "-n2"),
        )
        tests = session.log()

        assert {"passed": 19, "failed": 1} == outcomes, text
        assert 1 == text.count("- Captured eliot log call -")
        assert 20 == len(tests) == sum("    pay" in tree(top) for top in tests)
        assert {"gw0", "gw1"} == {top.fields["worker"] for top in tests}
