"""Actions in Trio: the tree tells what caused what, whichever task or thread ran it."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import (
    Any,
    AsyncGenerator,
    AsyncIterator,
    Callable,
    List,
    Optional,
    Tuple,
    TypeVar,
)

import pytest
import trio
import trio.lowlevel
import trio.testing

import eliot
from eliot import (
    Action,
    current_action,
    eliot_friendly_generator_function,
    log_call,
    log_message,
    preserve_context,
    start_action,
    start_task,
)
from trees import Decorator, Message, trees

_F = TypeVar("_F", bound=Callable[..., Any])

CANCELLED = "trio.Cancelled"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "trio_mirrors.py"


def where() -> Optional[str]:
    """Name the current action."""
    action = current_action()
    return None if action is None else action._action_type


async def collect_garbage() -> None:
    """Have abandoned generators closed: some interpreters need more than one round for that."""
    for _ in range(5):
        gc.collect()
        await trio.testing.wait_all_tasks_blocked()


async def child(name: str = "child") -> None:
    """Do something in an action."""
    with start_action(action_type=name):
        await trio.lowlevel.checkpoint()


class TestNurseries:
    """The current action in the tasks of a nursery."""

    def test_action_around_the_nursery(self, log: List[Message]) -> None:
        """Tasks are in the action in which they were started; it ends after them."""

        async def main() -> None:
            with start_action(action_type="main"):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(child)
                    nursery.start_soon(child)
                log_message("after")

        trio.run(main)

        assert [
            "main succeeded",
            "  child succeeded",
            "  child succeeded",
            "  after",
        ] == trees(log)

    def test_action_inside_the_nursery(self, log: List[Message]) -> None:
        """An action that is opened inside ends first; the tasks stay below it all the same."""

        async def late() -> None:
            log_message("late")
            await child()

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                with start_action(action_type="main"):
                    nursery.start_soon(late)

        trio.run(main)

        assert ["main succeeded", "  late", "  child succeeded"] == trees(log)
        assert [[1], [2], [3], [4, 1], [4, 2]] == [message["task_level"] for message in log]

    def test_nursery_of_somebody_else(self, log: List[Message]) -> None:
        """What counts is where a task is started, not where its nursery was opened."""

        async def main() -> None:
            with start_action(action_type="main"):
                async with trio.open_nursery() as nursery:
                    with start_action(action_type="request"):
                        nursery.start_soon(child)
                    log_message("between")

        trio.run(main)

        assert [
            "main succeeded",
            "  request succeeded",
            "    child succeeded",
            "  between",
        ] == trees(log)

    def test_nursery_start(self, log: List[Message]) -> None:
        """A task that `start` waits for is in the action where it was started, to its end."""

        async def server(task_status: trio.TaskStatus[None]) -> None:
            with start_action(action_type="server"):
                log_message("ready")
                task_status.started()
                await trio.testing.wait_all_tasks_blocked()
                log_message("serving")

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                with start_action(action_type="main"):
                    await nursery.start(server)
                    log_message("started")

        trio.run(main)

        assert [
            "main succeeded",
            *("  server succeeded", "    ready", "    serving"),
            "  started",
        ] == trees(log)

    def test_tasks_take_turns(self, log: List[Message]) -> None:
        """Tasks that take turns do not nest in each other."""

        async def turn(name: str) -> None:
            with start_action(action_type=name):
                for _ in range(3):
                    await trio.lowlevel.checkpoint()
                    log_message(f"by {name}")

        async def main() -> None:
            with start_action(action_type="main"):
                async with trio.open_nursery() as nursery:
                    for name in "ab":
                        nursery.start_soon(turn, name)

        trio.run(main)
        a, b = ([f"  {name} succeeded", *[f"    by {name}"] * 3] for name in "ab")

        # In which order tasks begin is up to chance.
        assert trees(log) in (["main succeeded", *a, *b], ["main succeeded", *b, *a])

    def test_task_of_a_started_action(self, log: List[Message]) -> None:
        """An action may be started where it is caused, and take place in a task."""

        async def work(action: Action) -> None:
            with action:
                await trio.lowlevel.checkpoint()
                log_message("working")

        async def main() -> None:
            with start_action(action_type="main"):
                async with trio.open_nursery() as nursery:
                    for name in "abc":
                        nursery.start_soon(work, start_action(action_type=name))

        trio.run(main)

        assert [
            "main succeeded",
            *("  a succeeded", "    working"),
            *("  b succeeded", "    working"),
            *("  c succeeded", "    working"),
        ] == trees(log)

    def test_slots_are_unique(self, log: List[Message]) -> None:
        """A thousand tasks in one action number what they do without gap or clash."""

        async def two() -> None:
            log_message("working")
            await trio.lowlevel.checkpoint()
            log_message("working")

        async def main() -> None:
            with start_action(action_type="main"):
                async with trio.open_nursery() as nursery:
                    for _ in range(1000):
                        nursery.start_soon(two)

        trio.run(main)

        assert ["main succeeded", *["  working"] * 2000] == trees(log)
        assert [[number] for number in range(1, 2003)] == [m["task_level"] for m in log]

    def test_failure_cancels_the_others(self, log: List[Message]) -> None:
        """One task fails, the others are cancelled, and the action around tells the group."""

        async def fail() -> None:
            with start_action(action_type="fail"):
                await trio.testing.wait_all_tasks_blocked()
                raise ValueError

        async def wait() -> None:
            with start_action(action_type="wait"):
                await trio.sleep_forever()

        async def main() -> None:
            with start_action(action_type="main"):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(fail)
                    nursery.start_soon(wait)

        with pytest.raises(Exception, match="Exceptions from Trio nursery"):
            trio.run(main)

        assert {
            "  fail builtins.ValueError",
            f"  wait {CANCELLED}",
        } == {line for line in trees(log) if "ExceptionGroup" not in line}

    def test_child_ends_long_after_its_parent(self, log: List[Message]) -> None:
        """It is in the same tree, in the log and for the parser, among many others."""

        async def clean_up(go: trio.Event) -> None:
            with start_action(action_type="clean up"):
                await go.wait()
                log_message("late")

        async def main() -> None:
            go = trio.Event()
            async with trio.open_nursery() as nursery:
                for _ in range(100):
                    with start_task(action_type="request"):
                        nursery.start_soon(clean_up, go)
                await trio.testing.wait_all_tasks_blocked()
                go.set()

        trio.run(main)

        assert ["request succeeded", "  clean up succeeded", "    late"] * 100 == trees(log)

    def test_system_task(self) -> None:
        """A system task is outside of everything, unless it is given a context."""
        seen: List[Optional[str]] = []

        async def see() -> None:
            seen.append(where())

        async def main() -> None:
            with start_action(action_type="main"):
                trio.lowlevel.spawn_system_task(see)
                await trio.testing.wait_all_tasks_blocked()

        trio.run(main)

        assert [None] == seen

    def test_channel(self, log: List[Message]) -> None:
        """What a worker does for somebody else is below whoever sent it the work."""

        async def worker(work: trio.MemoryReceiveChannel[bytes]) -> None:
            async for task_id in work:
                with Action.continue_task(task_id=task_id, action_type="work"):
                    await trio.lowlevel.checkpoint()

        async def main() -> None:
            send: trio.MemorySendChannel[bytes]
            send, receive = trio.open_memory_channel(0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(worker, receive)
                async with send:
                    for name in "ab":
                        with start_action(action_type=name) as action:
                            await send.send(action.serialize_task_id())

        trio.run(main)

        assert ["a succeeded", "  work succeeded", "b succeeded", "  work succeeded"] == trees(log)


class TestCancellation:
    """Actions in scopes that are cancelled."""

    def test_cancel_scope(self, log: List[Message]) -> None:
        """The actions inside fail with the cancellation; the one around is current again."""

        async def main() -> None:
            with start_action(action_type="main"):
                with trio.CancelScope() as scope, start_action(action_type="inside"):
                    scope.cancel()
                    await trio.sleep_forever()
                log_message("after")

        trio.run(main)

        assert ["main succeeded", f"  inside {CANCELLED}", "  after"] == trees(log)

    def test_scope_inside_the_action(self, log: List[Message]) -> None:
        """An action around the scope does not learn of the cancellation."""

        async def main() -> None:
            with start_action(action_type="outside"), trio.CancelScope() as scope:
                scope.cancel()
                await child()

        trio.run(main)

        assert ["outside succeeded", f"  child {CANCELLED}"] == trees(log)

    def test_timeout(self, log: List[Message]) -> None:
        """A timeout cancels the action inside, and is an error for the one around."""

        async def main() -> None:
            with start_action(action_type="main"), trio.fail_after(0):
                await child("slow")

        with pytest.raises(trio.TooSlowError):
            trio.run(main)

        assert ["main trio.TooSlowError", f"  slow {CANCELLED}"] == trees(log)

    def test_all_tasks(self, log: List[Message]) -> None:
        """Each task of a nursery that is cancelled tells so, and cleans up in its place."""

        async def wait() -> None:
            with start_action(action_type="wait"):
                try:
                    await trio.sleep_forever()
                finally:
                    with trio.CancelScope(shield=True):
                        await child("clean up")

        async def main() -> None:
            with start_action(action_type="main"):
                async with trio.open_nursery() as nursery:
                    for _ in range(3):
                        nursery.start_soon(wait)
                    await trio.testing.wait_all_tasks_blocked()
                    nursery.cancel_scope.cancel()

        trio.run(main)

        assert [
            "main succeeded",
            *(f"  wait {CANCELLED}", "    clean up succeeded") * 3,
        ] == trees(log)

    def test_control_c(self, log: List[Message]) -> None:
        """A program that is interrupted at the keyboard leaves a whole tree, and raises that."""

        async def main() -> None:
            with start_action(action_type="main") as action:
                task_id = action.serialize_task_id()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(child)
                    with Action.continue_task(task_id=task_id):
                        signal.raise_signal(signal.SIGINT)
                        await trio.sleep_forever()

        with pytest.raises(BaseException) as raised:
            trio.run(main)

        assert is_interrupt(raised.value)
        assert "  eliot:remote_task builtins.KeyboardInterrupt" == trees(log)[1]


def is_interrupt(error: BaseException) -> bool:
    """Look for the interrupt in the group that a nursery makes of it."""
    return isinstance(error, KeyboardInterrupt) or any(
        map(is_interrupt, getattr(error, "exceptions", ()))
    )


class TestThreads:
    """The current action in threads that Trio starts, and in what they ask of Trio."""

    def test_to_thread(self, log: List[Message]) -> None:
        """The thread is in the action of the task."""

        def work() -> None:
            with start_action(action_type="work"):
                log_message("working")

        async def main() -> None:
            with start_action(action_type="main"):
                await trio.to_thread.run_sync(work)
                log_message("after")

        trio.run(main)

        assert ["main succeeded", "  work succeeded", "    working", "  after"] == trees(log)

    def test_what_a_thread_opens_does_not_leak(self) -> None:
        """Neither back to the task nor to the next user of the thread."""
        seen: List[Optional[str]] = []

        def work() -> None:
            seen.append(where())
            start_action(action_type="leak").__enter__()

        async def main() -> None:
            with start_action(action_type="main"):
                await trio.to_thread.run_sync(work)
                await trio.to_thread.run_sync(work)
                seen.append(where())

        trio.run(main)

        assert ["main", "main", "main"] == seen

    def test_from_thread(self, log: List[Message]) -> None:
        """What a thread asks of Trio is in the action of the thread."""

        def work() -> None:
            with start_action(action_type="thread"):
                trio.from_thread.run(child)
                trio.from_thread.run_sync(log_message, "in trio")

        async def main() -> None:
            with start_action(action_type="main"):
                await trio.to_thread.run_sync(work)

        trio.run(main)

        assert [
            "main succeeded",
            "  thread succeeded",
            "    child succeeded",
            "    in trio",
        ] == trees(log)

    def test_threads_share_an_action(self, log: List[Message]) -> None:
        """Threads of one action never get the same slot."""

        def work() -> None:
            for _ in range(500):
                log_message("working")

        async def main() -> None:
            with start_action(action_type="main"):
                async with trio.open_nursery() as nursery:
                    for _ in range(8):
                        nursery.start_soon(trio.to_thread.run_sync, work)

        trio.run(main)

        assert ["main succeeded", *["  working"] * 4000] == trees(log)

    def test_token(self, log: List[Message]) -> None:
        """A preserved function takes its action to wherever Trio runs it."""

        async def main() -> None:
            token = trio.lowlevel.current_trio_token()
            done = trio.Event()
            with start_action(action_type="main"):
                work = preserve_context(log_message)
            token.run_sync_soon(work, "later")
            token.run_sync_soon(done.set)
            await done.wait()

        trio.run(main)

        assert ["main succeeded", "  eliot:remote_task succeeded", "    later"] == trees(log)


async def open_numbers() -> AsyncGenerator[int, None]:
    """Yield inside of an action."""
    with start_action(action_type="numbers"):
        for number in range(1, 10):
            yield number


class TestAsyncGenerators:
    """Asynchronous generators that are not decorated, with an action around `yield`."""

    def test_closed_by_another_task(self, log: List[Message]) -> None:
        """Nothing is raised, the end is logged, and the consumer is where it was before."""

        async def main() -> None:
            with start_action(action_type="main"):
                generator = open_numbers()
                await generator.__anext__()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(generator.aclose)
                log_message("after")

        trio.run(main)

        assert ["main succeeded", "  numbers builtins.GeneratorExit", "  after"] == trees(log)

    @pytest.mark.filterwarnings("ignore:Async generator .*:ResourceWarning")
    def test_broken_out_of(self, log: List[Message]) -> None:
        """The garbage collector has Trio close it; the consumer is where it was before."""

        async def main() -> None:
            with start_action(action_type="main"):
                async for number in open_numbers():
                    if number == 2:
                        break
                await collect_garbage()
                log_message("after")

        trio.run(main)

        assert ["main succeeded", "  numbers builtins.GeneratorExit", "  after"] == trees(log)

    def test_left_to_trio(self, log: List[Message]) -> None:
        """One that is still open when the program ends is closed by Trio, and says so."""
        generator = open_numbers()

        async def main() -> None:
            with start_action(action_type="main"):
                await generator.__anext__()

        trio.run(main)

        assert ["main succeeded", "  numbers builtins.GeneratorExit"] == trees(log)

    def test_tasks_made_inside_stay_there(self, log: List[Message]) -> None:
        """What a generator has set off stays below its action after somebody else closed it."""

        async def late(go: trio.Event) -> None:
            await go.wait()
            log_message("late")

        async def parent(nursery: trio.Nursery, go: trio.Event) -> AsyncGenerator[None, None]:
            with start_action(action_type="parent"):
                nursery.start_soon(late, go)
                yield

        async def main() -> None:
            go = trio.Event()
            async with trio.open_nursery() as nursery:
                generator = parent(nursery, go)
                await generator.__anext__()
                async with trio.open_nursery() as other:
                    other.start_soon(generator.aclose)
                go.set()
            log_message("after")

        trio.run(main)

        assert ["parent builtins.GeneratorExit", "  late", "after"] == trees(log)

    def test_context_manager(self, log: List[Message]) -> None:
        """Around a nursery, an action in a context manager is current in its tasks too."""

        @asynccontextmanager
        async def service() -> AsyncIterator[trio.Nursery]:
            with start_action(action_type="service"):
                async with trio.open_nursery() as nursery:
                    yield nursery
                    nursery.cancel_scope.cancel()

        async def main() -> None:
            async with service() as nursery:
                log_message("inside")
                nursery.start_soon(child)
                await trio.testing.wait_all_tasks_blocked()
            log_message("outside")

        trio.run(main)

        assert [
            "service succeeded",
            "  inside",
            "  child succeeded",
            "outside",
        ] == trees(log)


def decorated(function: _F) -> _F:
    """Have generators keep to themselves."""
    return eliot_friendly_generator_function(function)


def called(function: _F) -> _F:
    """Make an action of each generator."""
    return log_call(action_type="numbers")(function)


@pytest.mark.parametrize("decorator", [decorated, called])
class TestGeneratorsThatKeepToThemselves:
    """Asynchronous generators with a context of their own: decorated ones, and logged calls."""

    @pytest.fixture
    def numbers(self, decorator: Decorator) -> Callable[[], AsyncGenerator[int, None]]:
        """Make a generator function with an action around `yield`, which cleans up in it."""

        @decorator
        async def numbers() -> AsyncGenerator[int, None]:
            with nullcontext() if decorator is called else start_action(action_type="numbers"):
                try:
                    for number in range(1, 10):
                        yield number
                finally:
                    log_message("clean up")

        return numbers

    @pytest.mark.filterwarnings("ignore:Async generator .*:ResourceWarning")
    def test_action_does_not_leak(
        self, log: List[Message], numbers: Callable[[], AsyncGenerator[int, None]]
    ) -> None:
        """Consumer and generator each keep to their own action."""

        async def main() -> None:
            with start_action(action_type="main"):
                async for number in numbers():
                    await child("consume")
                    if number == 2:
                        break
                await collect_garbage()

        trio.run(main)

        assert [
            "main succeeded",
            *("  numbers builtins.GeneratorExit", "    clean up"),
            *["  consume succeeded"] * 2,
        ] == trees(log)

    def test_each_step_in_a_task_of_its_own(
        self, log: List[Message], numbers: Callable[[], AsyncGenerator[int, None]]
    ) -> None:
        """It does not matter who asks for the next value, and who closes it."""
        seen: List[Tuple[int, Optional[str]]] = []

        async def step(generator: AsyncGenerator[int, None]) -> None:
            with start_action(action_type="step"):
                seen.append((await generator.__anext__(), where()))

        async def main() -> None:
            with start_action(action_type="main"):
                generator = numbers()
            for _ in range(3):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(step, generator)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(generator.aclose)

        trio.run(main)

        assert [(1, "step"), (2, "step"), (3, "step")] == seen
        assert [
            *("main succeeded", "  numbers builtins.GeneratorExit", "    clean up"),
            *["step succeeded"] * 3,
        ] == sorted(trees(log), key=lambda line: line.startswith("step"))

    def test_left_to_trio(
        self, log: List[Message], numbers: Callable[[], AsyncGenerator[int, None]]
    ) -> None:
        """One that is open at the end of the program is closed once, in its own action."""
        held = []

        async def main() -> None:
            with start_action(action_type="main"):
                held.append(numbers())
                await held[0].__anext__()

        trio.run(main)

        assert [
            "main succeeded",
            *("  numbers builtins.GeneratorExit", "    clean up"),
        ] == trees(log)

    def test_cancelled_while_it_waits(self, log: List[Message], decorator: Decorator) -> None:
        """A scope around the consumer cancels what the generator waits for."""

        @decorator
        async def waiting() -> AsyncGenerator[int, None]:
            with start_action(action_type="waiting"):
                yield 1
                await trio.sleep_forever()

        async def main() -> None:
            with start_action(action_type="main"):
                with trio.move_on_after(0):
                    async for _ in waiting():
                        log_message("consume")
                log_message("after")

        trio.run(main)
        lines = trees(log)

        assert f"waiting {CANCELLED}" in [line.strip() for line in lines]
        assert ["main succeeded", "  consume", "  after"] == [
            line for line in lines if CANCELLED not in line
        ]


def test_guest(log: List[Message]) -> None:
    """As a guest of another loop, Trio's tasks are in the action in which it was started."""
    todo: List[Callable[[], object]] = []
    outcomes: List[Any] = []
    with start_action(action_type="host"):
        trio.lowlevel.start_guest_run(
            child,
            run_sync_soon_threadsafe=todo.append,
            done_callback=outcomes.append,
        )
    while not outcomes:
        if todo:
            todo.pop(0)()

    assert ["host succeeded", "  child succeeded"] == trees(log)


def test_example(tmp_path: Path) -> None:
    """The mirrors are asked at the same time; the slow ones are cancelled when one has answered."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE), "example.log"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(eliot.__file__).parents[1])},
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    lines = (tmp_path / "example.log").read_text(encoding="utf-8").splitlines()

    assert (0, "") == (done.returncode, done.stderr)
    assert [
        "mirrors:download succeeded",
        f"  mirrors:fetch {CANCELLED}",
        *("  mirrors:fetch succeeded", "    __main__.checksum succeeded"),
        f"  mirrors:fetch {CANCELLED}",
    ] == trees([json.loads(line) for line in lines])
