"""What needs a running reactor: tests for trial, which test_twisted.py runs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Iterator

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent
from twisted.web.http_headers import Headers

from eliot import (
    FileDestination,
    add_destinations,
    current_action,
    log_message,
    preserve_context,
    remove_destination,
    start_action,
)
from eliot.logwriter import ThreadedWriter
from eliot.parse import Parser, Task, WrittenAction
from eliot.twisted import (
    DeferredContext,
    TwistedDestination,
    inline_callbacks,
    redirectLogsForTrial,
)

reactor: Any = installed_reactor


def shape(node: Any) -> Any:
    """Describe a tree: the type of a message, or type and status of an action, and its children."""
    if isinstance(node, WrittenAction):
        return {f"{node.action_type} {node.status}": [shape(child) for child in node.children]}
    return node.contents["message_type"]


class EliotTestCase(TestCase):
    """A test that collects messages."""

    def setUp(self) -> None:
        """Start without a current action, and collect what is logged."""
        assert current_action() is None
        self.messages: list[dict[str, Any]] = []
        add_destinations(self.messages.append)
        self.addCleanup(remove_destination, self.messages.append)

    def tree(self) -> Any:
        """Describe the tree of the only task, which is complete."""
        [task] = Parser.parse_stream(self.messages)
        assert task.is_complete()
        return shape(task.root())


class DeferredContextTests(EliotTestCase):
    """Callbacks that the reactor calls."""

    def test_callbacks_run_in_the_action(self) -> Deferred[None]:
        """The reactor, which knows nothing of the action, calls them in it."""
        with start_action(action_type="act").context():
            context = DeferredContext(deferLater(reactor, 0))
            context.addCallback(lambda _: deferLater(reactor, 0))
            context.addCallback(lambda _: log_message("later"))
            deferred = context.addActionFinish()

        def check(_: object) -> None:
            assert {"act succeeded": ["later"]} == self.tree()

        return deferred.addCallback(check)

    def test_timeout_fails_the_action(self) -> Deferred[None]:
        """A Deferred that is cancelled because it takes too long fails its action."""
        with start_action(action_type="act").context():
            waiting: Deferred[None] = Deferred()
            waiting.addTimeout(0, reactor)
            deferred = DeferredContext(waiting).addActionFinish()

        def check(failure: Failure) -> None:
            assert {"act failed": []} == self.tree()
            assert self.messages[-1]["exception"].endswith(".TimeoutError")

        return deferred.addErrback(check)


class InlineCallbacksTests(EliotTestCase):
    """Coroutines that wait for the reactor."""

    @inline_callbacks
    async def test_context_is_right_after_await(self) -> None:
        """Coroutines that run at the same time, each in the steps of the others, do not mix."""

        @inline_callbacks
        async def child(name: str) -> str:
            with start_action(action_type=name) as action:
                for _ in range(3):
                    await deferLater(reactor, 0)
                    log_message(f"{name} goes on")

                    assert action is current_action()
            return name

        with start_action(action_type="parent") as parent:
            names = await gatherResults([child("a"), child("b")])

            assert ["a", "b"] == names
            assert parent is current_action()

        assert {
            "parent succeeded": [
                {"a succeeded": ["a goes on"] * 3},
                {"b succeeded": ["b goes on"] * 3},
            ]
        } == self.tree()

    @inline_callbacks
    async def test_cancelled_coroutine_fails_its_actions(self) -> None:
        """Cancelling ends the actions of the coroutine, the inner one first."""

        @inline_callbacks
        async def hangs() -> None:
            with start_action(action_type="outer"), start_action(action_type="inner"):
                await Deferred()

        deferred = hangs()
        reactor.callLater(0, deferred.cancel)
        [(success, _)] = await DeferredList([deferred], consumeErrors=True)

        assert not success
        assert {"outer failed": [{"inner failed": []}]} == self.tree()

    @inline_callbacks
    async def test_preserve_context_for_threads(self) -> None:
        """`preserve_context` takes the action along into a thread of the reactor's pool."""
        with start_action(action_type="act"):
            lost = await deferToThread(current_action)
            await deferToThread(preserve_context(log_message), "in thread")

        assert lost is None
        assert {"act succeeded": [{"eliot:remote_task succeeded": ["in thread"]}]} == self.tree()


class RedirectLogsForTrialTests(TestCase):
    """The log of trial."""

    def test_redirects(self) -> None:
        """Messages go to the log of trial, which runs this test."""
        destination = redirectLogsForTrial()
        assert isinstance(destination, TwistedDestination)
        self.addCleanup(remove_destination, destination)
        log_message("told to trial")

        assert "'message_type': 'told to trial'" in Path("test.log").read_text(encoding="utf-8")
        assert redirectLogsForTrial() is None


class Server(ProcessProtocol):
    """The server in a process of its own."""

    transport: Any

    def __init__(self) -> None:
        self.port: Deferred[int] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.output = b""

    def outReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Wait for the line that names the port."""
        self.output += data
        if self.output.endswith(b"\n"):
            self.port.callback(int(self.output))

    def errReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Show what should not be there."""
        sys.stderr.write(data.decode())

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """Tell whether all went well."""
        outcome = None if reason.check(ProcessDone) else reason
        if not self.port.called:
            self.port.errback(reason)
        self.ended.callback(outcome)


def parsed(*paths: Path) -> Iterator[Task]:
    """Parse logs, one after the other."""
    return Parser.parse_stream(
        json.loads(line) for path in paths for line in path.read_bytes().splitlines()
    )


class TwoProcessesTests(TestCase):
    """A client and a server that speak HTTP, each with a log that a thread writes."""

    @inline_callbacks
    async def test_logs_join(self) -> None:
        """In whichever order the two logs are read, they tell one complete tree."""
        client_log, server_log = Path("client.log"), Path("server.log")
        server = Server()
        program = str(Path(__file__).with_name("twisted_server.py"))
        arguments = [sys.executable, "-W", "error", program, str(server_log)]
        reactor.spawnProcess(server, sys.executable, arguments, env=os.environ)
        with client_log.open("wb") as log:  # noqa: ASYNC230 - nothing else is going on
            writer = ThreadedWriter(FileDestination(file=log), reactor)
            writer.startService()
            try:
                await self.ask_twice(await server.port)
            finally:
                await writer.stopService()
        server.transport.signalProcess("TERM")
        await server.ended

        answer = {"server:answer succeeded": ["server:waited"]}
        expected = {"client succeeded": [{"ask succeeded": [answer]}] * 2}
        for paths in (client_log, server_log), (server_log, client_log):
            [task] = parsed(*paths)

            assert task.is_complete()
            assert expected == shape(task.root())
        assert [False] == [task.is_complete() for task in parsed(client_log)]

    @inline_callbacks
    async def ask_twice(self, port: int) -> None:
        """Send two requests at once."""
        agent = Agent(reactor)

        @inline_callbacks
        async def ask() -> None:
            with start_action(action_type="ask") as action:
                headers = Headers({b"Eliot-Task-Id": [action.serialize_task_id()]})
                response = await agent.request(b"GET", b"http://127.0.0.1:%d/" % port, headers)

                assert 204 == response.code

        with start_action(action_type="client"):
            await gatherResults([ask(), ask()])
