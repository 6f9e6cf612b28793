"""Actions in AnyIO, on asyncio and on Trio: the same program tells the same tree on both."""

from __future__ import annotations

import gc
import importlib
import re
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import (
    Any,
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    List,
    TypeVar,
)

import anyio
import anyio.abc
import anyio.from_thread
import anyio.lowlevel
import anyio.to_process
import anyio.to_thread
import pytest

from eliot import (
    Action,
    eliot_friendly_generator_function,
    log_call,
    log_message,
    start_action,
    start_task,
)
from trees import Decorator, Message
from trees import trees as exact_trees

_F = TypeVar("_F", bound=Callable[..., Any])
Run = Callable[[Callable[[], Awaitable[object]]], object]

CANCELLED = ("asyncio.exceptions.CancelledError", "trio.Cancelled")


@pytest.fixture
def run(anyio_backend_name: str) -> Run:
    """Run programs with each backend in turn."""
    return partial(anyio.run, backend=anyio_backend_name)


def trees(log: List[Message]) -> List[str]:
    """Tell the trees of a log in the words of both backends."""
    return [re.sub("|".join(CANCELLED), "cancelled", line) for line in exact_trees(log)]


async def checkpoint(times: int = 5) -> None:
    """Let other tasks run."""
    for _ in range(times):
        await anyio.lowlevel.checkpoint()


async def collect_garbage() -> None:
    """Have abandoned generators closed: some interpreters need more than one round for that."""
    for _ in range(5):
        gc.collect()
        await checkpoint()


async def close(generator: AsyncGenerator[Any, Any]) -> None:
    """Close a generator: a coroutine function, which `aclose` is not for Python 3.9 and before."""
    await generator.aclose()


async def child(name: str = "child") -> None:
    """Do something in an action."""
    with start_action(action_type=name):
        await checkpoint()


class TestTaskGroups:
    """The current action in the tasks of a group."""

    def test_action_around_the_group(self, log: List[Message], run: Run) -> None:
        """Tasks are in the action in which they were started; it ends after them."""

        async def main() -> None:
            with start_action(action_type="main"):
                async with anyio.create_task_group() as group:
                    group.start_soon(child)
                    group.start_soon(child)
                log_message("after")

        run(main)

        assert [
            "main succeeded",
            "  child succeeded",
            "  child succeeded",
            "  after",
        ] == trees(log)

    def test_action_inside_the_group(self, log: List[Message], run: Run) -> None:
        """An action that is opened inside ends first; the tasks stay below it all the same."""

        async def late() -> None:
            log_message("late")
            await child()

        async def main() -> None:
            async with anyio.create_task_group() as group:
                with start_action(action_type="main"):
                    group.start_soon(late)

        run(main)

        assert ["main succeeded", "  late", "  child succeeded"] == trees(log)
        assert [[1], [2], [3], [4, 1], [4, 2]] == [message["task_level"] for message in log]

    def test_start(self, log: List[Message], run: Run) -> None:
        """A task that `start` waits for is in the action where it was started, to its end."""

        async def server(go: anyio.Event, *, task_status: anyio.abc.TaskStatus[None]) -> None:
            with start_action(action_type="server"):
                log_message("ready")
                task_status.started()
                await go.wait()
                log_message("serving")

        async def main() -> None:
            go = anyio.Event()
            async with anyio.create_task_group() as group:
                with start_action(action_type="main"):
                    await group.start(server, go)
                    log_message("started")
                go.set()

        run(main)

        assert [
            "main succeeded",
            *("  server succeeded", "    ready", "    serving"),
            "  started",
        ] == trees(log)

    def test_child_ends_long_after_its_parent(self, log: List[Message], run: Run) -> None:
        """It is in the same tree, in the log and for the parser, among many others."""

        async def clean_up(go: anyio.Event) -> None:
            with start_action(action_type="clean up"):
                await go.wait()
                log_message("late")

        async def main() -> None:
            go = anyio.Event()
            async with anyio.create_task_group() as group:
                for _ in range(100):
                    with start_task(action_type="request"):
                        group.start_soon(clean_up, go)
                await checkpoint()
                go.set()

        run(main)

        assert ["request succeeded", "  clean up succeeded", "    late"] * 100 == trees(log)

    def test_failure_cancels_the_others(self, log: List[Message], run: Run) -> None:
        """One task fails, the others are cancelled, and the action around tells the group."""

        async def fail() -> None:
            with start_action(action_type="fail"):
                await checkpoint()
                raise ValueError

        async def wait() -> None:
            with start_action(action_type="wait"):
                await anyio.sleep_forever()

        async def main() -> None:
            with start_action(action_type="main"):
                async with anyio.create_task_group() as group:
                    group.start_soon(fail)
                    group.start_soon(wait)

        with pytest.raises(Exception, match=r"unhandled errors|Exceptions from Trio nursery"):
            run(main)

        assert ["  fail builtins.ValueError", "  wait cancelled"] == sorted(
            line for line in trees(log) if "ExceptionGroup" not in line
        )

    def test_stream(self, log: List[Message], run: Run) -> None:
        """What a worker does for somebody else is below whoever sent it the work."""

        async def main() -> None:
            send, receive = anyio.create_memory_object_stream[bytes]()

            async def worker() -> None:
                async with receive:
                    async for task_id in receive:
                        with Action.continue_task(task_id=task_id, action_type="work"):
                            await checkpoint()

            async with anyio.create_task_group() as group:
                group.start_soon(worker)
                async with send:
                    for name in "ab":
                        with start_action(action_type=name) as action:
                            await send.send(action.serialize_task_id())

        run(main)

        assert ["a succeeded", "  work succeeded", "b succeeded", "  work succeeded"] == trees(log)


class TestCancellation:
    """Actions in scopes that are cancelled."""

    def test_cancel_scope(self, log: List[Message], run: Run) -> None:
        """The actions inside fail with the cancellation; the one around is current again."""

        async def main() -> None:
            with start_action(action_type="main"):
                with anyio.CancelScope() as scope, start_action(action_type="inside"):
                    scope.cancel()
                    await anyio.sleep_forever()
                log_message("after")

        run(main)

        assert ["main succeeded", "  inside cancelled", "  after"] == trees(log)

    def test_timeout(self, log: List[Message], run: Run) -> None:
        """A timeout cancels the action inside, and is an error for the one around."""

        async def main() -> None:
            with start_action(action_type="main"), anyio.fail_after(0):
                await child("slow")

        with pytest.raises(TimeoutError):
            run(main)

        assert ["main builtins.TimeoutError", "  slow cancelled"] == trees(log)

    def test_all_tasks(self, log: List[Message], run: Run) -> None:
        """Each task of a group that is cancelled tells so, and cleans up in its place."""

        async def wait() -> None:
            with start_action(action_type="wait"):
                try:
                    await anyio.sleep_forever()
                finally:
                    with anyio.CancelScope(shield=True):
                        await child("clean up")

        async def main() -> None:
            with start_action(action_type="main"):
                async with anyio.create_task_group() as group:
                    for _ in range(3):
                        group.start_soon(wait)
                    await checkpoint()
                    group.cancel_scope.cancel()

        run(main)

        assert [
            "main succeeded",
            *("  wait cancelled", "    clean up succeeded") * 3,
        ] == trees(log)


class TestThreads:
    """The current action in threads that AnyIO starts, and in what they ask of the loop."""

    def test_to_thread(self, log: List[Message], run: Run) -> None:
        """The thread is in the action of the task; what it opens does not leak back."""

        def work() -> None:
            log_message("in thread")
            start_action(action_type="leak").__enter__().finish()

        async def main() -> None:
            with start_action(action_type="main"):
                await anyio.to_thread.run_sync(work)
                await anyio.to_thread.run_sync(work)
                log_message("after")

        run(main)

        assert [
            "main succeeded",
            *("  in thread", "  leak succeeded") * 2,
            "  after",
        ] == trees(log)

    def test_from_thread(self, log: List[Message], run: Run) -> None:
        """What a thread asks of the loop is in the action of the thread."""

        def work() -> None:
            with start_action(action_type="thread"):
                anyio.from_thread.run(child)
                anyio.from_thread.run_sync(log_message, "in loop")

        async def main() -> None:
            with start_action(action_type="main"):
                await anyio.to_thread.run_sync(work)

        run(main)

        assert [
            "main succeeded",
            "  thread succeeded",
            "    child succeeded",
            "    in loop",
        ] == trees(log)

    def test_portal(self, log: List[Message], anyio_backend_name: str) -> None:
        """What a portal runs is in the action of whoever calls it."""
        with anyio.from_thread.start_blocking_portal(anyio_backend_name) as portal:
            with start_action(action_type="main"):
                portal.call(child, "call")
                portal.start_task_soon(child, "task").result()
            portal.call(child, "alone")

        assert [
            "main succeeded",
            "  call succeeded",
            "  task succeeded",
            "alone succeeded",
        ] == trees(log)

    def test_portal_to_a_context_manager(self, log: List[Message], anyio_backend_name: str) -> None:
        """An asynchronous context manager that a thread uses tells its end."""

        @asynccontextmanager
        async def service() -> AsyncIterator[int]:
            with start_action(action_type="service"):
                yield 1
                await checkpoint()

        start_portal = anyio.from_thread.start_blocking_portal
        with start_portal(anyio_backend_name) as portal, start_action(action_type="main"):
            with portal.wrap_async_context_manager(service()):
                log_message("inside")
            log_message("outside")

        assert ["main succeeded", "  service succeeded", "  inside", "  outside"] == trees(log)

    def test_to_process(
        self, log: List[Message], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process continues the task; its messages join the tree when the logs are joined."""
        (tmp_path / "work_of_a_process.py").write_text(
            "import eliot\n"
            "def work(task_id):\n"
            "    messages = []\n"
            "    eliot.add_destinations(messages.append)\n"
            "    with eliot.Action.continue_task(task_id=task_id):\n"
            "        eliot.log_message('in process')\n"
            "    return messages\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        module = importlib.import_module("work_of_a_process")

        async def main() -> None:
            with start_action(action_type="main") as action:
                there = await anyio.to_process.run_sync(module.work, action.serialize_task_id())
                log.extend(there)

        run(main)

        assert [
            "main succeeded",
            "  eliot:remote_task succeeded",
            "    in process",
        ] == trees(log)


def plain(function: _F) -> _F:
    """Leave generators as they are."""
    return function


def decorated(function: _F) -> _F:
    """Have generators keep to themselves."""
    return eliot_friendly_generator_function(function)


def called(function: _F) -> _F:
    """Make an action of each generator."""
    return log_call(action_type="numbers")(function)


@pytest.mark.filterwarnings("ignore:Async generator .*:ResourceWarning")  # says Trio
@pytest.mark.parametrize("decorator", [plain, decorated, called])
class TestAsyncGenerators:
    """Asynchronous generators with an action around `yield`, and how they end."""

    @pytest.fixture
    def numbers(self, decorator: Decorator) -> Callable[[], AsyncGenerator[int, None]]:
        """Make the generator function."""

        @decorator
        async def numbers() -> AsyncGenerator[int, None]:
            with nullcontext() if decorator is called else start_action(action_type="numbers"):
                try:
                    for number in range(1, 10):
                        yield number
                finally:
                    if decorator is not plain:
                        log_message("clean up")

        return numbers

    @pytest.fixture
    def ended(self, decorator: Decorator) -> List[str]:
        """Tell what is logged of a generator that is closed early."""
        clean_up = [] if decorator is plain else ["    clean up"]
        return ["  numbers builtins.GeneratorExit", *clean_up]

    def test_closed_by_another_task(
        self,
        log: List[Message],
        run: Run,
        numbers: Callable[[], AsyncGenerator[int, None]],
        ended: List[str],
    ) -> None:
        """Nothing is raised, the end is logged, and the consumer is where it was before."""

        async def main() -> None:
            with start_action(action_type="main"):
                generator = numbers()
                await generator.__anext__()
                async with anyio.create_task_group() as group:
                    group.start_soon(close, generator)
                log_message("after")

        run(main)

        assert ["main succeeded", *ended, "  after"] == trees(log)

    def test_broken_out_of(
        self,
        log: List[Message],
        run: Run,
        numbers: Callable[[], AsyncGenerator[int, None]],
        ended: List[str],
    ) -> None:
        """The garbage collector has it closed; the consumer is where it was before."""

        async def main() -> None:
            with start_action(action_type="main"):
                async for number in numbers():
                    if number == 2:
                        break
                await collect_garbage()
                log_message("after")

        run(main)

        assert ["main succeeded", *ended, "  after"] == trees(log)

    def test_left_to_the_loop(
        self,
        log: List[Message],
        run: Run,
        numbers: Callable[[], AsyncGenerator[int, None]],
        ended: List[str],
    ) -> None:
        """One that is still open when the program ends is closed, and says so."""
        held = []

        async def main() -> None:
            with start_action(action_type="main"):
                held.append(numbers())
                await held[0].__anext__()

        run(main)

        assert ["main succeeded", *ended] == trees(log)

    def test_cancelled(
        self,
        log: List[Message],
        run: Run,
        numbers: Callable[[], AsyncGenerator[int, None]],
        ended: List[str],
    ) -> None:
        """A scope around the loop is as good a way out as any."""

        async def main() -> None:
            with start_action(action_type="main"):
                generator = numbers()
                with anyio.CancelScope() as scope:
                    async for _ in generator:
                        scope.cancel()
                        await checkpoint()
                with anyio.CancelScope(shield=True):
                    await generator.aclose()
                log_message("after")

        run(main)

        assert ["main succeeded", *ended, "  after"] == trees(log)


@pytest.fixture
def told(log: List[Message]) -> Generator[List[str], None, None]:
    """Check the log after a test and all of its fixtures have ended."""
    expected: List[str] = []
    yield expected

    assert expected == trees(log)


@pytest.fixture
async def resource(told: List[str]) -> AsyncIterator[List[str]]:
    """Be in an action from before a test until after it."""
    with start_action(action_type="fixture"):
        await checkpoint()
        yield told
        await checkpoint()


@pytest.mark.anyio
async def test_fixture(resource: List[str]) -> None:
    """An asynchronous fixture of pytest is set up before, torn down after, and tells one tree."""
    with start_action(action_type="test"):
        await checkpoint()
    resource += ["fixture succeeded", "  test succeeded"]
