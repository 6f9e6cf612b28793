"""Actions in asyncio: the tree tells what caused what, whichever task, thread or loop ran it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from contextvars import copy_context
from pathlib import Path
from threading import Thread
from typing import (
    Any,
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Dict,
    Generator,
    List,
    Optional,
    TypeVar,
)

import pytest

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
from eliot.parse import Parser
from trees import Decorator, Message, tell, trees

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def where() -> Optional[str]:
    """Name the current action."""
    action = current_action()
    return None if action is None else action._action_type


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine as a program does, in which nothing may reach the loop's last resort."""
    problems: List[Dict[str, Any]] = []

    async def watched() -> _T:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        return await main

    try:
        return asyncio.run(watched())
    finally:
        gc.collect()  # or a task whose exception nobody has fetched would go unnoticed

        assert [] == problems


async def collect_garbage() -> None:
    """Have abandoned generators closed: some interpreters need more than one round for that."""
    for _ in range(5):
        gc.collect()
        await asyncio.sleep(0)


class TestTasks:
    """The current action in coroutines, tasks and callbacks."""

    def test_awaited_coroutine_is_in_the_action_of_its_caller(self, log: List[Message]) -> None:
        """Awaiting is like calling."""

        async def inner() -> None:
            with start_action(action_type="inner"):
                await asyncio.sleep(0)
                log_message("there")

        async def main() -> None:
            with start_action(action_type="main"):
                await inner()
                log_message("back")

        run(main())

        assert ["main succeeded", "  inner succeeded", "    there", "  back"] == trees(log)

    def test_task_is_in_the_action_where_it_was_created(self, log: List[Message]) -> None:
        """What becomes current later, on either side, does not concern the other side."""

        async def child(go: asyncio.Event, begun: asyncio.Event) -> None:
            await go.wait()
            log_message("in child")
            with start_action(action_type="child"):
                begun.set()
                await asyncio.sleep(0)

        async def main() -> None:
            go, begun = asyncio.Event(), asyncio.Event()
            with start_action(action_type="main"):
                task = asyncio.create_task(child(go, begun))
                with start_action(action_type="other"):
                    go.set()
                    await begun.wait()
                    log_message("in other")
                await task

        run(main())

        assert [
            "main succeeded",
            "  other succeeded",
            "    in other",
            "  in child",
            "  child succeeded",
        ] == trees(log)

    @pytest.mark.parametrize("schedule", [asyncio.gather, asyncio.wait])
    def test_siblings_overlap(
        self, log: List[Message], schedule: Callable[..., Awaitable[object]]
    ) -> None:
        """Tasks that take turns do not nest in each other."""

        async def child(name: str) -> None:
            with start_action(action_type=name):
                for _ in range(3):
                    await asyncio.sleep(0)
                    log_message(f"by {name}")

        async def main() -> None:
            with start_action(action_type="main"):
                tasks = [asyncio.ensure_future(child(name)) for name in "abc"]
                await (schedule(tasks) if schedule is asyncio.wait else schedule(*tasks))

        run(main())

        assert [
            "main succeeded",
            *("  a succeeded", "    by a", "    by a", "    by a"),
            *("  b succeeded", "    by b", "    by b", "    by b"),
            *("  c succeeded", "    by c", "    by c", "    by c"),
        ] == trees(log)

    def test_slots_are_unique(self, log: List[Message]) -> None:
        """A thousand tasks in one action number what they do without gap or clash."""

        async def child() -> None:
            log_message("one")
            await asyncio.sleep(0)
            log_message("two")

        async def main() -> None:
            with start_action(action_type="main"):
                await asyncio.gather(*(child() for _ in range(1000)))

        run(main())

        assert ["main succeeded", *["  one"] * 1000, *["  two"] * 1000] == trees(log)
        assert [[number] for number in range(1, 2003)] == [m["task_level"] for m in log]

    def test_callbacks(self) -> None:
        """A callback runs in the action where it was scheduled, or added to its future."""
        seen: Dict[str, Optional[str]] = {}

        async def main() -> None:
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            all_seen = asyncio.Event()

            def see(name: str) -> None:
                seen[name] = where()
                if len(seen) == 4:
                    all_seen.set()

            with start_action(action_type="main"):
                loop.call_soon(see, "call_soon")
                loop.call_soon_threadsafe(see, "call_soon_threadsafe")
                loop.call_later(0, see, "call_later")
                future.add_done_callback(lambda _: see("add_done_callback"))
            with start_action(action_type="other"):
                future.set_result(None)
                await all_seen.wait()

        run(main())

        assert {
            "call_soon": "main",
            "call_soon_threadsafe": "main",
            "call_later": "main",
            "add_done_callback": "main",
        } == seen

    def test_server_handlers_do_not_share(self, log: List[Message]) -> None:
        """Each connection to a server is in the action where the server was started."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with start_task(action_type="request"):
                writer.write(await reader.readline())
                writer.close()

        async def ask(port: int) -> bytes:
            with start_action(action_type="ask"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"hello\n")
                answer = await reader.read()
                writer.close()
                return answer

        async def main() -> List[bytes]:
            server = await asyncio.start_server(handle, "127.0.0.1", 0)
            port: int = server.sockets[0].getsockname()[1]
            with start_action(action_type="main"):
                answers = await asyncio.gather(ask(port), ask(port))
            server.close()
            await server.wait_closed()
            return [*answers]

        assert [b"hello\n"] * 2 == run(main())
        assert [
            "main succeeded",
            "  ask succeeded",
            "  ask succeeded",
            "request succeeded",
            "request succeeded",
        ] == sorted(trees(log), key=lambda line: "request" in line)


if sys.version_info >= (3, 11):

    class TestTaskGroup:
        """Tasks of a group, and what else came with Python 3.11."""

        def test_are_siblings(self, log: List[Message]) -> None:
            """The tasks are in the action around the group."""

            async def child(name: str) -> None:
                with start_action(action_type=name):
                    await asyncio.sleep(0)

            async def main() -> None:
                with start_action(action_type="main"):
                    async with asyncio.TaskGroup() as group:
                        group.create_task(child("a"))
                        group.create_task(child("b"))
                    log_message("after")

            run(main())

            assert ["main succeeded", "  a succeeded", "  b succeeded", "  after"] == trees(log)

        def test_failure_cancels_the_others(self, log: List[Message]) -> None:
            """One task fails, the others are cancelled, and the action around tells the group."""

            async def child(name: str) -> None:
                with start_action(action_type=name):
                    await asyncio.sleep(0)
                    if name == "b":
                        raise ValueError(name)
                    await asyncio.Event().wait()

            async def main() -> None:
                with start_action(action_type="main"):
                    async with asyncio.TaskGroup() as group:
                        group.create_task(child("a"))
                        group.create_task(child("b"))

            with pytest.raises(Exception, match="unhandled errors in a TaskGroup"):
                run(main())

            assert [
                "main builtins.ExceptionGroup",
                "  a asyncio.exceptions.CancelledError",
                "  b builtins.ValueError",
            ] == trees(log)

        def test_action_inside_a_group_ends_before_the_tasks(self, log: List[Message]) -> None:
            """An action that is opened inside ends first; the tasks stay below it all the same."""

            async def child() -> None:
                log_message("late")
                with start_action(action_type="child"):
                    await asyncio.sleep(0)

            async def main() -> None:
                async with asyncio.TaskGroup() as group:
                    with start_action(action_type="main"):
                        group.create_task(child())

            run(main())

            assert ["main succeeded", "  late", "  child succeeded"] == trees(log)
            assert [[1], [2], [3], [4, 1], [4, 2]] == [m["task_level"] for m in log]

        def test_context_of_ones_own(self, log: List[Message]) -> None:
            """A task that is given a context is in the action that is current there."""
            outside = copy_context()

            async def child() -> None:
                log_message("outside")

            async def main() -> None:
                with start_action(action_type="main"):
                    await asyncio.create_task(child(), context=outside)

            run(main())

            assert ["outside", "main succeeded"] == sorted(trees(log), reverse=True)

        def test_runner_keeps_the_context(self, log: List[Message]) -> None:
            """What one run of a runner makes current is so in the next one."""

            async def begin() -> Action:
                return start_action(action_type="main").__enter__()

            async def go_on() -> None:
                log_message("next run")

            async def end(action: Action) -> None:
                action.__exit__(None, None, None)
                log_message("outside")

            with asyncio.Runner() as runner:
                action = runner.run(begin())
                runner.run(go_on())
                runner.run(end(action))

            assert current_action() is None
            assert ["main succeeded", "  next run", "outside"] == trees(log)

        def test_timeout(self, log: List[Message]) -> None:
            """The action inside is cancelled; the one around sees that it took too long."""

            async def main() -> None:
                with start_action(action_type="main"):
                    async with asyncio.timeout(0):
                        with start_action(action_type="slow"):
                            await asyncio.Event().wait()

            with pytest.raises(TimeoutError):
                run(main())

            assert [
                "main builtins.TimeoutError",
                "  slow asyncio.exceptions.CancelledError",
            ] == trees(log)

        def test_timeout_around_an_action_that_goes_on(self, log: List[Message]) -> None:
            """A timeout that is dealt with leaves the surrounding action current."""

            async def main() -> None:
                with start_action(action_type="main"):
                    try:
                        async with asyncio.timeout(0):
                            with start_action(action_type="slow"):
                                await asyncio.Event().wait()
                    except TimeoutError:
                        log_message("too slow")

            run(main())

            assert [
                "main succeeded",
                "  slow asyncio.exceptions.CancelledError",
                "  too slow",
            ] == trees(log)


if sys.version_info >= (3, 12):

    class TestEagerTasks:
        """Tasks that begin to run while they are created."""

        def test_are_like_other_tasks(self, log: List[Message]) -> None:
            """What an eager task makes current does not leak to whoever created it."""

            async def child(name: str) -> None:
                with start_action(action_type=name):
                    await asyncio.sleep(0)
                    log_message(f"by {name}")

            async def main() -> None:
                asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
                with start_action(action_type="main"):
                    tasks = [asyncio.create_task(child(name)) for name in "ab"]
                    log_message("by main")
                    await asyncio.gather(*tasks)

            run(main())

            assert [
                "main succeeded",
                *("  a succeeded", "    by a"),
                *("  b succeeded", "    by b"),
                "  by main",
            ] == trees(log)


class TestThreads:
    """The current action in threads that a loop starts, and in a loop that threads call."""

    if sys.version_info >= (3, 9):

        def test_to_thread(self, log: List[Message]) -> None:
            """The thread is in the action of the task; what it opens does not leak back."""

            def work() -> None:
                start_action(action_type="work").__enter__()
                log_message("working")

            async def main() -> None:
                with start_action(action_type="main"):
                    await asyncio.to_thread(log_message, "in thread")
                    await asyncio.to_thread(work)
                    log_message("back")

            run(main())

            tasks = list(Parser.parse_stream(log))
            assert [
                ["main succeeded", "  in thread", "  work started", "    working", "  back"]
            ] == [[*tell(task.root())] for task in tasks]

        def test_threads_share_an_action(self, log: List[Message]) -> None:
            """Threads of one action never get the same slot."""

            def work() -> None:
                for _ in range(500):
                    log_message("working")

            async def main() -> None:
                with start_action(action_type="main"):
                    await asyncio.gather(*(asyncio.to_thread(work) for _ in range(8)))

            run(main())

            assert ["main succeeded", *["  working"] * 4000] == trees(log)

    @pytest.mark.skipif(
        getattr(sys.flags, "thread_inherit_context", False),
        reason="threads inherit the context on this interpreter",
    )
    def test_run_in_executor(self, log: List[Message]) -> None:
        """A thread of an executor is in no action, unless the context is preserved."""

        async def main() -> None:
            run_in_executor = asyncio.get_running_loop().run_in_executor
            with start_action(action_type="main"):
                await run_in_executor(None, log_message, "alone")
                await run_in_executor(None, preserve_context(log_message), "preserved")

        run(main())

        assert [
            "alone",
            "main succeeded",
            "  eliot:remote_task succeeded",
            "    preserved",
        ] == trees(log)

    def test_executor_finishes_after_the_action(self, log: List[Message]) -> None:
        """What was sent to a thread has its place, even if it begins after the action's end."""

        async def main() -> None:
            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(1) as pool:
                with start_action(action_type="main"):
                    work = preserve_context(log_message)
                await loop.run_in_executor(pool, work, "late")

        run(main())

        assert ["main succeeded", "  eliot:remote_task succeeded", "    late"] == trees(log)

    def test_preserved_coroutine_function(self, log: List[Message]) -> None:
        """A coroutine function takes its action to the loop of another thread."""

        async def work() -> str:
            await asyncio.sleep(0)
            log_message("working")
            return "done"

        async def main() -> str:
            with start_action(action_type="main"):
                there = preserve_context(work)

            def other_loop() -> str:
                return asyncio.run(there())

            return await asyncio.get_running_loop().run_in_executor(None, other_loop)

        assert "done" == run(main())
        assert ["main succeeded", "  eliot:remote_task succeeded", "    working"] == trees(log)

    def test_run_coroutine_threadsafe(self, log: List[Message]) -> None:
        """A coroutine that a thread sends to the loop is in the action of the thread."""

        async def on_loop() -> None:
            with start_action(action_type="on loop"):
                await asyncio.sleep(0)

        def from_thread(loop: asyncio.AbstractEventLoop) -> None:
            with start_task(action_type="thread"):
                asyncio.run_coroutine_threadsafe(on_loop(), loop).result()

        async def main() -> None:
            loop = asyncio.get_running_loop()
            with start_action(action_type="main"):
                await loop.run_in_executor(None, from_thread, loop)

        run(main())

        assert ["thread succeeded", "  on loop succeeded", "main succeeded"] == trees(log)

    def test_loops_in_several_threads(self, log: List[Message]) -> None:
        """Each loop, in its own thread, tells a task of its own."""

        async def main(name: str) -> None:
            with start_action(action_type=name):
                await asyncio.gather(*(child() for _ in range(3)))

        async def child() -> None:
            with start_action(action_type="child"):
                await asyncio.sleep(0)

        threads = [Thread(target=asyncio.run, args=[main(name)]) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        children = ["  child succeeded"] * 3
        assert trees(log) in (
            ["a succeeded", *children, "b succeeded", *children],
            ["b succeeded", *children, "a succeeded", *children],
        )


class TestCancellation:
    """Actions in tasks that are cancelled."""

    def test_action_fails(self, log: List[Message]) -> None:
        """A cancelled task leaves its actions, the inner one first, with the cancellation."""

        async def child(waiting: asyncio.Event) -> None:
            with start_action(action_type="child"), start_action(action_type="wait"):
                waiting.set()
                await asyncio.Event().wait()

        async def main() -> None:
            waiting = asyncio.Event()
            with start_action(action_type="main"):
                task = asyncio.create_task(child(waiting))
                await waiting.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                log_message("after")

        run(main())

        assert [
            "main succeeded",
            "  child asyncio.exceptions.CancelledError",
            "    wait asyncio.exceptions.CancelledError",
            "  after",
        ] == trees(log)

    def test_task_that_never_began(self, log: List[Message]) -> None:
        """A task that is cancelled before its first step has done nothing, and logs nothing."""

        async def child() -> None:
            with start_action(action_type="child"):
                """Never get here."""

        async def main() -> None:
            with start_action(action_type="main"):
                task = asyncio.create_task(child())
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

        run(main())

        assert ["main succeeded"] == trees(log)

    def test_cleaning_up(self, log: List[Message]) -> None:
        """What a cancelled task still does is in the action where it does it."""

        async def child(waiting: asyncio.Event) -> None:
            with start_action(action_type="child"):
                try:
                    waiting.set()
                    await asyncio.Event().wait()
                finally:
                    with start_action(action_type="clean up"):
                        await asyncio.sleep(0)

        async def main() -> None:
            waiting = asyncio.Event()
            task = asyncio.create_task(child(waiting))
            await waiting.wait()
            task.cancel()
            await asyncio.wait([task])

        run(main())

        assert [
            "child asyncio.exceptions.CancelledError",
            "  clean up succeeded",
        ] == trees(log)

    def test_wait_for(self, log: List[Message]) -> None:
        """A timeout cancels the action inside, and leaves the one around current."""

        async def slow() -> None:
            with start_action(action_type="slow"):
                await asyncio.Event().wait()

        async def main() -> None:
            with start_action(action_type="main"):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(slow(), 0.001)
                log_message("too slow")

        run(main())

        assert [
            "main succeeded",
            "  slow asyncio.exceptions.CancelledError",
            "  too slow",
        ] == trees(log)

    def test_shield(self, log: List[Message]) -> None:
        """What is shielded goes on in its place after whoever waited for it was cancelled."""
        tasks: List[asyncio.Task[None]] = []

        async def precious(begun: asyncio.Event, go: asyncio.Event) -> None:
            with start_action(action_type="precious"):
                begun.set()
                await go.wait()
                log_message("saved")

        async def child(*events: asyncio.Event) -> None:
            with start_action(action_type="child"):
                tasks.append(asyncio.ensure_future(precious(*events)))
                await asyncio.shield(tasks[0])

        async def main() -> None:
            begun, go = asyncio.Event(), asyncio.Event()
            with start_action(action_type="main"):
                task = asyncio.create_task(child(begun, go))
                await begun.wait()
                task.cancel()
                await asyncio.wait([task])
            go.set()
            await tasks[0]

        run(main())

        assert [
            "main succeeded",
            "  child asyncio.exceptions.CancelledError",
            "    precious succeeded",
            "      saved",
        ] == trees(log)

    def test_nobody_catches_it(self, log: List[Message]) -> None:
        """A program that cancels itself leaves a whole tree."""

        async def main() -> None:
            with start_action(action_type="main"):
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.sleep(0)

        with pytest.raises(asyncio.CancelledError):
            run(main())

        assert ["main asyncio.exceptions.CancelledError"] == trees(log)

    def test_tasks_left_at_the_end(self, log: List[Message]) -> None:
        """Tasks that are running when the program ends are cancelled, and say so in their place."""

        async def background() -> None:
            with start_action(action_type="background"):
                await asyncio.Event().wait()

        async def main() -> None:
            with start_action(action_type="main"):
                tasks.append(asyncio.create_task(background()))
                await asyncio.sleep(0)

        tasks: List[asyncio.Task[None]] = []
        run(main())

        assert [
            "main succeeded",
            "  background asyncio.exceptions.CancelledError",
        ] == trees(log)

    def test_control_c(self, log: List[Message]) -> None:
        """A program that is interrupted at the keyboard leaves a whole tree, and raises that."""

        async def child() -> None:
            with start_action(action_type="child"):
                await asyncio.Event().wait()

        async def main() -> None:
            with start_action(action_type="main"):
                task_id = start_action(action_type="client").serialize_task_id()
                task = asyncio.create_task(child())
                await asyncio.sleep(0)
                with Action.continue_task(task_id=task_id):
                    signal.raise_signal(signal.SIGINT)
                    await task

        with pytest.raises(KeyboardInterrupt):
            run(main())

        assert {"main", "child", "eliot:remote_task"} == {
            message["action_type"] for message in log if message.get("action_status") == "failed"
        }


class TestOutlivingTheParent:
    """Tasks that go on after the end of the action in which they were created."""

    def test_child_ends_after_its_parent(self, log: List[Message]) -> None:
        """It is in the same tree, in the log and for the parser."""

        async def child(go: asyncio.Event) -> None:
            with start_action(action_type="child"):
                await go.wait()
                log_message("late")

        async def main() -> None:
            go = asyncio.Event()
            with start_action(action_type="main"):
                task = asyncio.create_task(child(go))
                await asyncio.sleep(0)
            go.set()
            await task

        run(main())

        assert ["main succeeded", "  child succeeded", "    late"] == trees(log)
        assert [[1], [2, 1], [3], [2, 2], [2, 3]] == [m["task_level"] for m in log]

    def test_child_begins_after_the_end(self, log: List[Message]) -> None:
        """So is what a task begins when the action, and its whole task, have ended."""

        async def child(go: asyncio.Event) -> None:
            await go.wait()
            log_message("late")
            with start_action(action_type="child"):
                log_message("later")
            log_message("latest")

        async def main() -> None:
            go = asyncio.Event()
            with start_action(action_type="main"):
                task = asyncio.create_task(child(go))
            go.set()
            await task
            log_message("main goes on")

        run(main())

        assert [
            "main succeeded",
            "  late",
            "  child succeeded",
            "    later",
            "  latest",
            "main goes on",
        ] == trees(log)

    def test_grandchildren(self, log: List[Message]) -> None:
        """Each generation may end before the next one."""

        async def generation(number: int) -> None:
            with start_action(action_type=f"generation {number}"):
                if number < 4:
                    tasks.append(asyncio.create_task(generation(number + 1)))
            log_message("after", number=number)

        async def main() -> None:
            tasks.append(asyncio.create_task(generation(1)))
            for task in tasks:
                await task

        tasks: List[asyncio.Task[None]] = []
        run(main())

        assert [
            "generation 1 succeeded",
            "  generation 2 succeeded",
            "    generation 3 succeeded",
            "      generation 4 succeeded",
            "      after",
            "    after",
            "  after",
            "after",
        ] == trees(log)

    def test_many_requests(self, log: List[Message]) -> None:
        """Background work of many requests that are long over joins each one's own tree."""

        async def clean_up(go: asyncio.Event, number: int) -> None:
            await go.wait()
            with start_action(action_type="clean up", number=number):
                await asyncio.sleep(0)

        async def request(go: asyncio.Event, number: int) -> asyncio.Task[None]:
            with start_task(action_type="request", number=number):
                return asyncio.create_task(clean_up(go, number))

        async def main() -> None:
            go = asyncio.Event()
            tasks = [await request(go, number) for number in range(100)]
            go.set()
            await asyncio.gather(*tasks)

        run(main())

        assert ["request succeeded", "  clean up succeeded"] * 100 == trees(log)
        numbers: Dict[str, set[int]] = {}
        for message in log:
            if "number" in message:
                numbers.setdefault(message["task_uuid"], set()).add(message["number"])
        assert [{number} for number in range(100)] == list(numbers.values())

    def test_queue(self, log: List[Message]) -> None:
        """What a worker does for somebody else is below whoever put it into the queue."""

        async def worker(queue: asyncio.Queue[bytes]) -> None:
            while True:
                with Action.continue_task(task_id=await queue.get(), action_type="work"):
                    await asyncio.sleep(0)
                queue.task_done()

        async def main() -> None:
            queue: asyncio.Queue[bytes] = asyncio.Queue()
            task = asyncio.create_task(worker(queue))
            for name in "ab":
                with start_action(action_type=name) as action:
                    queue.put_nowait(action.serialize_task_id())
            await queue.join()
            task.cancel()

        run(main())

        assert ["a succeeded", "  work succeeded", "b succeeded", "  work succeeded"] == trees(log)


class TestAsyncGenerators:
    """
    Asynchronous generators that are not decorated, with an action around `yield`.

    That action is the current one for the consumer too, as long as the generator is not closed.
    Then it is as if it had never been.
    """

    @staticmethod
    async def numbers() -> AsyncGenerator[int, None]:
        """Yield inside of an action."""
        with start_action(action_type="numbers"):
            for number in range(1, 10):
                yield number

    def test_exhausted(self, log: List[Message]) -> None:
        """A loop to the end leaves its surroundings current."""

        async def main() -> None:
            with start_action(action_type="main"):
                async for _ in self.numbers():
                    pass
                log_message("after")

        run(main())

        assert ["main succeeded", "  numbers succeeded", "  after"] == trees(log)

    def test_closed_by_another_task(self, log: List[Message]) -> None:
        """Nothing is raised, the end is logged, and the consumer is where it was before."""

        async def main() -> None:
            with start_action(action_type="main"):
                generator = self.numbers()
                await generator.__anext__()
                await asyncio.create_task(_close(generator))
                log_message("after")

        run(main())

        assert [
            "main succeeded",
            "  numbers builtins.GeneratorExit",
            "  after",
        ] == trees(log)

    def test_closed_in_a_context_that_knows_nothing_of_it(self, log: List[Message]) -> None:
        """The action of whoever closes it is not disturbed."""
        generator = self.numbers()

        async def begin() -> None:
            await generator.__anext__()

        async def close() -> None:
            with start_action(action_type="closer"):
                await generator.aclose()
                log_message("closed")

        async def main() -> None:
            await asyncio.create_task(begin())
            await asyncio.create_task(close())

        run(main())

        assert [
            "numbers builtins.GeneratorExit",
            "closer succeeded",
            "  closed",
        ] == trees(log)

    def test_broken_out_of(self, log: List[Message]) -> None:
        """The garbage collector has the loop close it; the consumer is where it was before."""

        async def main() -> None:
            with start_action(action_type="main"):
                async for number in self.numbers():
                    if number == 2:
                        break
                await collect_garbage()
                log_message("after")

        run(main())

        assert [
            "main succeeded",
            "  numbers builtins.GeneratorExit",
            "  after",
        ] == trees(log)

    def test_broken_out_of_again_and_again(self, log: List[Message]) -> None:
        """Loops that are broken out of do not nest in each other."""

        async def main() -> None:
            for _ in range(3):
                async for _ in self.numbers():
                    break
                await collect_garbage()

        run(main())

        assert ["numbers builtins.GeneratorExit"] * 3 == trees(log)

    def test_garbage(self, log: List[Message]) -> None:
        """Being part of a cycle makes no difference."""

        class Owner:
            """Owns a generator that knows it."""

            def __init__(self) -> None:
                self.generator = self.numbers()

            async def numbers(self) -> AsyncGenerator[Owner, None]:
                """Yield inside of an action."""
                with start_action(action_type="numbers"):
                    yield self

        async def begin() -> None:
            await Owner().generator.__anext__()

        async def main() -> None:
            with start_action(action_type="main"):
                await begin()
                await collect_garbage()
                log_message("after")

        run(main())

        assert [
            "main succeeded",
            "  numbers builtins.GeneratorExit",
            "  after",
        ] == trees(log)

    def test_garbage_found_by_a_thread(self, log: List[Message]) -> None:
        """Nor does it matter in which thread the garbage collector is at work."""

        async def begin() -> None:
            generator = self.numbers()
            cycle: List[object] = [generator]
            cycle.append(cycle)
            await generator.__anext__()

        async def main() -> None:
            with start_action(action_type="main"):
                await begin()
                with start_action(action_type="bystander"):
                    for _ in range(3):
                        await asyncio.get_running_loop().run_in_executor(None, gc.collect)
                    log_message("collected")
                await collect_garbage()

        run(main())

        assert [
            "main succeeded",
            "  numbers builtins.GeneratorExit",
            "    bystander succeeded",
            "      collected",
        ] == trees(log)

    def test_left_to_the_loop(self, log: List[Message]) -> None:
        """One that is still open when the program ends is closed by the loop, and says so."""
        generator = self.numbers()

        async def main() -> None:
            with start_action(action_type="main"):
                await generator.__anext__()

        run(main())

        assert ["main succeeded", "  numbers builtins.GeneratorExit"] == trees(log)

    def test_cancelled(self, log: List[Message]) -> None:
        """A consumer that is cancelled inside of the generator leaves it first."""

        async def waiting() -> AsyncGenerator[int, None]:
            with start_action(action_type="waiting"):
                yield 1
                await asyncio.Event().wait()

        async def consume(begun: asyncio.Event) -> None:
            with start_action(action_type="consume"):
                async for _ in waiting():
                    begun.set()

        async def main() -> None:
            begun = asyncio.Event()
            task = asyncio.create_task(consume(begun))
            await begun.wait()
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        run(main())

        assert [
            "consume asyncio.exceptions.CancelledError",
            "  waiting asyncio.exceptions.CancelledError",
        ] == trees(log)

    @pytest.mark.parametrize("surroundings", [True, False])
    def test_tasks_made_inside_stay_there(self, log: List[Message], surroundings: bool) -> None:
        """What a generator has set off stays below its action after somebody else closed it."""

        async def child(go: asyncio.Event) -> None:
            await go.wait()
            log_message("late")
            with start_action(action_type="child"):
                log_message("later")

        async def parent(go: asyncio.Event) -> AsyncGenerator[asyncio.Task[None], None]:
            with start_action(action_type="parent"):
                yield asyncio.create_task(child(go))

        async def consume() -> None:
            go = asyncio.Event()
            generator = parent(go)
            task = await generator.__anext__()
            await asyncio.create_task(_close(generator))
            go.set()
            await task

        async def main() -> None:
            if surroundings:
                with start_action(action_type="main"):
                    await consume()
            else:
                await consume()

        run(main())
        indent = "  " if surroundings else ""

        assert [
            *(["main succeeded"] if surroundings else []),
            f"{indent}parent builtins.GeneratorExit",
            f"{indent}  late",
            f"{indent}  child succeeded",
            f"{indent}    later",
        ] == trees(log)

    def test_context_manager(self, log: List[Message]) -> None:
        """An action in an asynchronous context manager is current in its block, and only there."""

        @asynccontextmanager
        async def connection(name: str) -> AsyncIterator[str]:
            with start_action(action_type=name):
                await asyncio.sleep(0)
                yield name
                await asyncio.sleep(0)

        async def main() -> None:
            async with connection("outer"), connection("inner"):
                log_message("inside")
            log_message("outside")

        run(main())

        assert [
            "outer succeeded",
            "  inner succeeded",
            "    inside",
            "outside",
        ] == trees(log)

    def test_context_manager_of_two_tasks(self, log: List[Message]) -> None:
        """A stack of resources may be closed by another task than the one that opened them."""

        @asynccontextmanager
        async def resource(name: str) -> AsyncIterator[str]:
            with start_action(action_type=name):
                yield name

        async def open_all(stack: AsyncExitStack) -> None:
            for name in ("database", "cache"):
                await stack.enter_async_context(resource(name))

        async def main() -> None:
            stack = AsyncExitStack()
            with start_action(action_type="main"):
                await asyncio.create_task(open_all(stack))
                with start_action(action_type="work"):
                    log_message("working")
                await asyncio.create_task(stack.aclose())
                log_message("after")

        run(main())

        assert [
            "main succeeded",
            "  database succeeded",
            "    cache succeeded",
            "  work succeeded",
            "    working",
            "  after",
        ] == trees(log)

    def test_fixture(self, log: List[Message]) -> None:
        """A fixture that one run of a loop sets up and another one tears down tells its end."""

        @asynccontextmanager
        async def fixture() -> AsyncIterator[int]:
            with start_action(action_type="fixture"):
                yield 1

        async def test() -> None:
            with start_action(action_type="test"):
                await asyncio.sleep(0)

        manager = fixture()
        loop = asyncio.new_event_loop()
        loop.run_until_complete(manager.__aenter__())
        loop.run_until_complete(test())
        loop.run_until_complete(manager.__aexit__(None, None, None))
        loop.close()

        assert ["test succeeded", "fixture succeeded"] == trees(log)


async def _close(generator: AsyncGenerator[Any, Any]) -> None:
    """Close a generator: a coroutine, since tasks cannot be made of what `aclose` returns."""
    await generator.aclose()


def decorated(function: _F) -> _F:
    """Have generators keep to themselves."""
    return eliot_friendly_generator_function(function)


def called(function: _F) -> _F:
    """Make an action of each generator."""
    return log_call(action_type="numbers")(function)


def make_numbers(decorator: Decorator, seen: List[Any]) -> Callable[[], Any]:
    """Make a generator function with an action around `yield`, which cleans up slowly."""

    @decorator
    async def numbers() -> AsyncGenerator[int, Optional[str]]:
        with nullcontext() if decorator is called else start_action(action_type="numbers"):
            try:
                for number in range(1, 10):
                    seen.append((yield number))
                    log_message("inside")
            finally:
                await asyncio.sleep(0)
                log_message("clean up")

    return numbers


@pytest.mark.parametrize("decorator", [decorated, called])
class TestGeneratorsThatKeepToThemselves:
    """Asynchronous generators with a context of their own: decorated ones, and logged calls."""

    @pytest.fixture
    def seen(self) -> List[Any]:
        """Collect what is sent to the generators."""
        return []

    @pytest.fixture
    def numbers(self, decorator: Decorator, seen: List[Any]) -> Callable[[], Any]:
        """Make the generator function."""
        return make_numbers(decorator, seen)

    def test_action_does_not_leak(
        self, log: List[Message], numbers: Callable[[], AsyncGenerator[int, None]]
    ) -> None:
        """Consumer and generator each keep to their own action."""

        async def main() -> None:
            with start_action(action_type="main"):
                async for number in numbers():
                    with start_action(action_type="consume"):
                        log_message("outside")
                    if number == 2:
                        break
                await collect_garbage()

        run(main())

        assert [
            "main succeeded",
            *("  numbers builtins.GeneratorExit", "    inside", "    clean up"),
            *("  consume succeeded", "    outside") * 2,
        ] == trees(log)

    def test_each_step_in_a_task_of_its_own(
        self, log: List[Message], numbers: Callable[[], AsyncGenerator[int, None]]
    ) -> None:
        """It does not matter who asks for the next value, after the first one."""

        async def step(generator: AsyncGenerator[int, None]) -> int:
            with start_action(action_type="step"):
                return await generator.__anext__()

        async def main() -> List[int]:
            generator = numbers()
            values = [await generator.__anext__()]
            values += [await asyncio.create_task(step(generator)) for _ in range(2)]
            await asyncio.create_task(_close(generator))
            return values

        assert [1, 2, 3] == run(main())
        assert [
            *["step succeeded"] * 2,
            *("numbers builtins.GeneratorExit", "  inside", "  inside", "  clean up"),
        ] == sorted(trees(log), key=lambda line: line != "step succeeded")

    def test_context(
        self,
        log: List[Message],
        numbers: Callable[[], AsyncGenerator[int, None]],
        decorator: Decorator,
    ) -> None:
        """A decorated generator is where it was first advanced, a logged call where it was made."""

        async def main() -> None:
            with start_action(action_type="made"):
                generator = numbers()
            with start_action(action_type="begun"):
                await generator.__anext__()
            await generator.aclose()

        run(main())
        body = ("  numbers builtins.GeneratorExit", "    clean up")

        assert (
            ["made succeeded", *body, "begun succeeded"]
            if decorator is called
            else ["made succeeded", "begun succeeded", *body]
        ) == trees(log)

    def test_several_at_once(
        self, log: List[Message], numbers: Callable[[], AsyncGenerator[int, None]]
    ) -> None:
        """Generators that take turns do not nest in each other, in whatever order they end."""

        async def main() -> None:
            with start_action(action_type="main"):
                first, second = numbers(), numbers()
                await first.__anext__()
                await second.__anext__()
                await first.aclose()
                log_message("between")
                await second.__anext__()
                await second.aclose()

        run(main())

        assert [
            "main succeeded",
            *("  numbers builtins.GeneratorExit", "    clean up"),
            *("  numbers builtins.GeneratorExit", "    inside", "    clean up"),
            "  between",
        ] == trees(log)

    def test_left_to_the_loop(
        self, log: List[Message], numbers: Callable[[], AsyncGenerator[int, None]]
    ) -> None:
        """One that is open at the end of the program is closed once, in its own action."""
        held = []

        async def main() -> None:
            with start_action(action_type="main"):
                held.append(numbers())
                await held[0].__anext__()

        run(main())

        assert [
            "main succeeded",
            *("  numbers builtins.GeneratorExit", "    clean up"),
        ] == trees(log)

    def test_garbage(self, log: List[Message], decorator: Decorator) -> None:
        """One in a cycle is closed in its own action too, not in that of a bystander."""

        class Owner:
            """Owns a generator that knows it."""

            def __init__(self) -> None:
                self.generator = self.make()

            def make(self) -> AsyncGenerator[Any, Any]:
                """Make a generator that knows its owner."""
                seen: List[Any] = [self]
                generator: AsyncGenerator[Any, Any] = make_numbers(decorator, seen)()
                return generator

        async def begin() -> None:
            await Owner().generator.__anext__()

        async def main() -> None:
            with start_action(action_type="main"):
                await begin()
                with start_action(action_type="bystander"):
                    await collect_garbage()
                    log_message("after")

        run(main())

        assert [
            "main succeeded",
            *("  numbers builtins.GeneratorExit", "    clean up"),
            *("  bystander succeeded", "    after"),
        ] == trees(log)

    def test_cancelled_while_it_waits(self, log: List[Message], decorator: Decorator) -> None:
        """Cancelling the consumer cancels what the generator waits for."""

        async def body() -> AsyncGenerator[int, None]:
            yield 1
            with start_action(action_type="wait"):
                await asyncio.Event().wait()

        async def consume(begun: asyncio.Event) -> None:
            with start_action(action_type="consume"):
                async for _ in decorator(body)():
                    begun.set()

        async def main() -> None:
            begun = asyncio.Event()
            task = asyncio.create_task(consume(begun))
            await begun.wait()
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        run(main())
        logged = [line.strip() for line in trees(log)]

        assert "consume asyncio.exceptions.CancelledError" == logged[0]
        assert "wait asyncio.exceptions.CancelledError" == logged[-1]

    def test_what_is_sent_arrives(
        self, numbers: Callable[[], AsyncGenerator[int, Optional[str]]], seen: List[Any]
    ) -> None:
        """Values go both ways."""

        async def main() -> List[int]:
            generator = numbers()
            got = [await generator.asend(None), await generator.asend("x")]
            got.append(await generator.asend("y"))
            await generator.aclose()
            return got

        assert [1, 2, 3] == run(main())
        assert ["x", "y"] == seen

    def test_what_is_thrown_arrives(self, decorator: Decorator) -> None:
        """So do exceptions, also the one that closes a generator, which may go on all the same."""

        async def stubborn() -> AsyncGenerator[str, None]:
            try:
                yield "first"
            except ValueError as error:
                try:
                    yield f"caught {error}"
                except GeneratorExit:
                    yield "stubborn"

        async def main() -> List[str]:
            generator = decorator(stubborn)()
            got = [await generator.__anext__()]
            got.append(await generator.athrow(ValueError("it")))
            got.append(await generator.athrow(GeneratorExit()))
            with pytest.raises(StopAsyncIteration):
                await generator.__anext__()
            return got

        assert ["first", "caught it", "stubborn"] == run(main())

    def test_exceptions_pass(self, log: List[Message], decorator: Decorator) -> None:
        """What the generator raises reaches the consumer."""

        async def broken() -> AsyncGenerator[int, None]:
            yield 1
            raise LookupError

        async def main() -> None:
            with pytest.raises(LookupError):
                async for _ in decorator(broken)():
                    pass

        run(main())

        assert [] == [line for line in trees(log) if not line.endswith("LookupError")]

    def test_closed_before_it_began(
        self, log: List[Message], numbers: Callable[[], AsyncGenerator[int, None]]
    ) -> None:
        """A generator that never began has done nothing."""

        async def main() -> None:
            await numbers().aclose()

        run(main())

        assert [] == trees(log)


def test_thousand_generators_left_to_the_loop(log: List[Message]) -> None:
    """Many generators may be open when the program ends."""
    numbers = make_numbers(decorated, [])

    async def main() -> List[Any]:
        held = [numbers() for _ in range(1000)]
        for generator in held:
            await generator.__anext__()
        return held

    run(main())

    assert ["numbers builtins.GeneratorExit", "  clean up"] * 1000 == trees(log)


def test_coroutine_driven_by_hand(log: List[Message]) -> None:
    """Whoever takes the steps of a coroutine in copies of a context gets a whole tree."""

    class Step:
        """Suspends a coroutine once."""

        def __await__(self) -> Generator[None, None, None]:
            yield

    async def work() -> None:
        with start_action(action_type="work"):
            await Step()
            await Step()

    with start_action(action_type="main"):
        coroutine = work()
        for _ in range(2):
            copy_context().run(coroutine.send, None)
        copy_context().run(coroutine.close)
        log_message("after")

    assert current_action() is None
    assert ["main succeeded", "  work builtins.GeneratorExit", "  after"] == trees(log)


def run_example(name: str, folder: Path) -> str:
    """Run an example in a folder, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), "example.log"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(eliot.__file__).parents[1])},
        capture_output=True,
        check=False,
        text=True,
    )

    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def read(path: Path) -> List[Message]:
    """Read a log."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class TestExamples:
    """What the examples print and tell, on every interpreter."""

    def test_asyncio_shopping(self, tmp_path: Path) -> None:
        """Two shops are asked at the same time, one of them in vain; the delivery comes late."""
        printed = run_example("asyncio_shopping.py", tmp_path)

        assert "6 coins received with thanks\n" == printed
        assert [
            "shopping succeeded",
            *("  shopping:ask succeeded", "    shop:answer succeeded"),
            "  shopping:ask asyncio.exceptions.CancelledError",
            *("  eliot:remote_task succeeded", "    __main__.write_invoice succeeded"),
            *("  shopping:deliver succeeded", "    shopping:doorbell"),
        ] == trees(read(tmp_path / "example.log"))

    def test_generator_merge(self, tmp_path: Path) -> None:
        """The two files are read side by side, in the action that merges them."""
        printed = run_example("generator_merge.py", tmp_path)

        assert 5 == len(printed.splitlines())
        assert [
            "merge succeeded",
            *["  merge:read succeeded"] * 2,
            *["  merge:line"] * 5,
        ] == trees(read(tmp_path / "example.log"))
