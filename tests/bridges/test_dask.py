"""Tests of `eliot.dask`: four collections on three schedulers, futures, attempts, other Dasks."""

from __future__ import annotations

import asyncio
import copyreg
import inspect
import json
import logging
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple, TypeVar, Union

import pytest

import eliot
from eliot import add_destinations, current_action, log_message, start_action
from eliot.parse import Parser, Task, WrittenAction, WrittenMessage

MISSING = "Dask is not available on this interpreter"
dask = pytest.importorskip("dask", reason=MISSING)
bag = pytest.importorskip("dask.bag", reason=MISSING)
array = pytest.importorskip("dask.array", reason=MISSING)
dataframe = pytest.importorskip("dask.dataframe", reason=MISSING)
distributed = pytest.importorskip("distributed", reason=MISSING)
pandas = pytest.importorskip("pandas", reason=MISSING)

from eliot import _dask_graph  # noqa: E402 - needs Dask
from eliot.dask import (  # noqa: E402 - needs Dask
    _add_logging,
    _RunWithEliotContext,
    compute_with_trace,
    map_with_trace,
    persist_with_trace,
    submit_with_trace,
)

T = TypeVar("T")

#: The type of a message, or that of an action with what is in it.
Shape = Union[str, Dict[str, List[Any]]]

#: What processes do that Dask starts: log to a file of their own, and keep stderr clean.
SETUP = """
import logging, os, sys
import eliot
logging.disable(logging.CRITICAL)
eliot.to_file(open(os.path.join({folder!r}, f"{{os.getpid()}}.log"), "ab"))
"""


@pytest.fixture(autouse=True, scope="module")
def _usual_pickling() -> Iterator[None]:
    """
    Pickle methods as usual.

    Dask sends class methods, which break if they are pickled as Twisted wants it: that is so in the
    whole process once `twisted.persisted.styles` was imported, by the tests of another bridge.
    """
    table = copyreg.dispatch_table
    removed = {kind: table.pop(kind, None) for kind in (FunctionType, MethodType, ModuleType)}
    yield
    table.update({kind: reducer for kind, reducer in removed.items() if reducer})


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder for the logs of all processes that Dask starts."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def pool(logs: Path) -> Iterator[ProcessPoolExecutor]:
    """Give two processes for the scheduler of that name."""
    setup = SETUP.format(folder=str(logs))
    with ProcessPoolExecutor(2, get_context("spawn"), exec, (setup,)) as pool:
        yield pool


@contextmanager
def cluster(folder: Path, **options: Any) -> Iterator[Any]:
    """Start a cluster that only this machine can reach; give a client of it."""
    with distributed.LocalCluster(
        local_directory=str(folder),
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
        **options,
    ) as started, distributed.Client(started, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def client(logs: Path) -> Iterator[Any]:
    """Give the client of a cluster with two worker processes."""
    with cluster(logs, n_workers=2, host="127.0.0.1") as client:
        client.run(exec, SETUP.format(folder=str(logs)))
        yield client


@pytest.fixture
def threads_client(logs: Path) -> Iterator[Any]:
    """Give the client of a cluster whose one worker is a thread of this process."""
    # Not for the whole module: this process becomes one where a task made a client its default.
    with cluster(logs, n_workers=1, processes=False) as client:
        yield client


@pytest.fixture(params=["client", "threads_client"])
def any_client(request: pytest.FixtureRequest) -> Any:
    """Give either client."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["threads", "processes", "distributed"])
def scheduler(request: pytest.FixtureRequest) -> Iterator[Dict[str, Any]]:
    """Give the arguments that choose a scheduler."""
    if request.param == "processes":
        yield {"scheduler": "processes", "pool": request.getfixturevalue("pool")}
    elif request.param == "distributed":
        client = request.getfixturevalue("client")
        with client.as_current():  # only then Dask before 2026 persists data there
            yield {"scheduler": client}
    else:
        yield {"scheduler": "threads"}


class Log:
    """What this process and those of Dask log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.messages: List[Dict[str, Any]] = []
        add_destinations(self.messages.append)

    def task(self, f: Callable[[], T]) -> Tuple[T, Task]:
        """Call a function in an action, and parse the task that this makes."""
        with start_action(action_type="program") as action:
            result = f()
        others = [
            json.loads(line)
            for path in sorted(self.folder.glob("*.log"))
            for line in path.read_text("utf-8").splitlines()
        ]
        [task] = Parser.parse_stream(
            message
            for message in [*self.messages, *others]
            if message["task_uuid"] == action.task_uuid
        )
        return result, task

    def tree(self, f: Callable[[], T]) -> Tuple[T, WrittenAction]:
        """Call a function in an action, and return the action in it, the task being complete."""
        result, task = self.task(f)
        root = task.root()

        assert task.is_complete()
        assert isinstance(root, WrittenAction)
        [child] = root.children
        assert isinstance(child, WrittenAction)
        return result, child


@pytest.fixture
def log(logs: Path) -> Log:
    """Give the log."""
    return Log(logs)


def shape(node: WrittenAction | WrittenMessage) -> Shape:
    """Tell the types in a tree."""
    if isinstance(node, WrittenAction):
        return {str(node.action_type): [shape(child) for child in node.children]}
    return str(node.contents["message_type"])


def actions(node: WrittenAction) -> Iterator[WrittenAction]:
    """List the actions just below."""
    for child in node.children:
        if isinstance(child, WrittenAction):
            yield child


def task_messages(node: WrittenAction | WrittenMessage) -> Iterator[WrittenMessage]:
    """Find the messages that tell of Dask's tasks, in the order of their places."""
    if isinstance(node, WrittenAction):
        for child in node.children:
            yield from task_messages(child)
    elif node.contents["message_type"] == "dask:task":
        yield node


def keys(node: WrittenAction) -> List[Any]:
    """List the keys of tasks."""
    return [message.contents["key"] for message in task_messages(node)]


def dependencies(node: WrittenAction) -> List[Any]:
    """List the dependencies of tasks."""
    return [list(message.contents["dependencies"]) for message in task_messages(node)]


class Case(NamedTuple):
    """A computation whose functions log."""

    collection: Any
    expected: Any
    #: What each task logs.
    messages: List[str]
    #: Makes a result comparable.
    plain: Callable[[Any], Any] = lambda result: result


# Functions are local ones, which Dask sends to other processes by value: those do not have this
# module.


def a_bag() -> Case:
    """Multiply and add up."""

    def multiply(x: int) -> int:
        log_message("multiply")
        return x * 4

    def add(x: int, y: int) -> int:
        log_message("add")
        return x + y

    folded = bag.from_sequence([1, 2]).map(multiply).fold(add)
    return Case(folded, 12, ["multiply", "multiply", "add"])


def a_delayed() -> Case:
    """Increase and add up."""

    def increase(x: int) -> int:
        log_message("increase")
        return x + 1

    def add(x: int, y: int) -> int:
        log_message("add")
        return x + y

    increased = dask.delayed(increase)
    return Case(dask.delayed(add)(increased(1), increased(2)), 5, ["increase", "increase", "add"])


def an_array() -> Case:
    """Increase each block."""

    def increase(block: Any) -> Any:
        log_message("block")
        return block + 1

    ones = array.ones(4, chunks=2, dtype=int)
    blocks = ones.map_blocks(increase, dtype=int, meta=ones._meta)
    return Case(blocks, [2, 2, 2, 2], ["block", "block"], lambda result: result.tolist())


def a_dataframe() -> Case:
    """Double each partition."""

    def double(partition: Any) -> Any:
        log_message("partition")
        return partition * 2

    frame = dataframe.from_pandas(pandas.DataFrame({"a": [1, 2, 3, 4]}), npartitions=2)
    partitions = frame.map_partitions(double, meta={"a": "int64"})
    return Case(partitions, [2, 4, 6, 8], ["partition"] * 2, lambda result: result["a"].tolist())


@pytest.fixture(params=[a_bag, a_delayed, an_array, a_dataframe])
def case(request: pytest.FixtureRequest) -> Case:
    """Give a computation."""
    made: Case = request.param()
    return made


class TestCollections:
    """Each collection, on each scheduler."""

    def test_compute(self, case: Case, scheduler: Dict[str, Any], log: Log) -> None:
        """Each task is in an action of its own, whatever process runs it."""
        (result,), tree = log.tree(lambda: compute_with_trace(case.collection, **scheduler))
        tasks = [{"eliot:remote_task": ["dask:task", message]} for message in case.messages]

        assert case.expected == case.plain(result)
        assert {"dask:compute": tasks} == shape(tree)

    def test_persist(self, case: Case, scheduler: Dict[str, Any], log: Log) -> None:
        """The same holds for persisting, and what is persisted is not computed again."""

        def persist_and_compute() -> Any:
            (persisted,) = persist_with_trace(case.collection, **scheduler)
            return persisted.compute(**scheduler)

        result, tree = log.tree(persist_and_compute)
        tasks = [{"eliot:remote_task": ["dask:task", message]} for message in case.messages]

        assert case.expected == case.plain(result)
        assert {"dask:persist": tasks} == shape(tree)


class TestOtherProcesses:
    """Programs that collect the logs of processes that Dask starts."""

    def test_own_processes(self, logs: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        """Dask's configuration says how the processes that it starts for a computation log."""
        case = a_bag()
        initializer = partial(exec, SETUP.format(folder=str(logs)))
        monkeypatch.setenv("PYTHONHASHSEED", "1")  # or Dask sets it, for good
        with dask.config.set({"multiprocessing.initializer": initializer, "num_workers": 2}):
            (result,), tree = log.tree(
                lambda: compute_with_trace(case.collection, scheduler="processes")
            )
        tasks = [{"eliot:remote_task": ["dask:task", message]} for message in case.messages]

        assert case.expected == result
        assert {"dask:compute": tasks} == shape(tree)

    def test_example(self, tmp_path: Path) -> None:
        """The example shows one tree, and says nothing else."""
        example = Path(__file__).parents[2] / "examples" / "dask_primes.py"
        package = str(Path(eliot.__file__).parents[1])
        done = subprocess.run(
            [sys.executable, "-W", "error", str(example)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": package},
            capture_output=True,
            check=False,
        )

        assert (0, "") == (done.returncode, done.stderr.decode())
        assert [
            "13848 primes",
            "primes succeeded",
            "  dask:compute succeeded",
            "    eliot:remote_task succeeded",
            "      dask:task primes-0",
            "      count succeeded 5133",
            "    eliot:remote_task succeeded",
            "      dask:task primes-50000",
            "      count succeeded 4459",
            "    eliot:remote_task succeeded",
            "      dask:task primes-100000",
            "      count succeeded 4256",
            "    eliot:remote_task succeeded",
            "      dask:task total primes-0 primes-50000 primes-100000",
        ] == done.stdout.decode().splitlines()


class TestPlaces:
    """Where tasks are in the tree, and what they tell of themselves."""

    def test_levels(self, scheduler: Dict[str, Any], log: Log) -> None:
        """Places are taken in the order of dependencies, however the tasks run."""
        _, compute = log.tree(lambda: compute_with_trace(a_bag().collection, **scheduler))
        first, second, aggregate = keys(compute)
        levels = [message.task_level.as_list() for message in task_messages(compute)]

        assert [[2, 2, 2], [2, 3, 2], [2, 4, 2]] == levels
        assert [first, second] == dependencies(compute)[2]
        assert not {first, second, aggregate}.intersection(*dependencies(compute)[:2])
        assert (first[:-1], "0", "1") == (second[:-1], first[-1], second[-1])
        assert aggregate.startswith("reduce-aggregate-")

    def test_order_of_names(self, log: Log) -> None:
        """Where dependencies leave a choice, places are in the order of names."""
        names = ["a-2", "a-10", "b", "b-1"]
        ones = [dask.delayed(lambda: 1)(dask_key_name=name) for name in reversed(names)]
        _, compute = log.tree(lambda: compute_with_trace(ones, scheduler="sync"))

        assert names == keys(compute)

    def test_many_partitions(self, log: Log) -> None:
        """The tenth partition comes after the second one."""
        numbers = bag.from_sequence(range(12), npartitions=12).map(str)
        _, compute = log.tree(lambda: compute_with_trace(numbers, scheduler="sync"))

        assert [str(n) for n in range(12)] == [key.split("-")[-1] for key in keys(compute)]

    def test_shared_tasks(self, log: Log) -> None:
        """A task that several collections need is run, and told, once."""

        def make() -> int:
            log_message("one")
            return 1

        one = dask.delayed(make)()
        more = [dask.delayed(lambda x, y: x + y)(one, n) for n in range(3)]
        result, compute = log.tree(lambda: compute_with_trace(*more, one, scheduler="threads"))

        assert (1, 2, 3, 1) == result
        assert {
            "dask:compute": [
                {"eliot:remote_task": ["dask:task", "one"]},
                {"eliot:remote_task": ["dask:task"]},
                {"eliot:remote_task": ["dask:task"]},
                {"eliot:remote_task": ["dask:task"]},
            ]
        } == shape(compute)
        assert [[], *[keys(compute)[:1]] * 3] == dependencies(compute)

    def test_new_task(self, log: Log) -> None:
        """Outside of any action, a computation is a task of its own; no action remains current."""
        compute_with_trace(a_delayed().collection, scheduler="threads")
        [task] = Parser.parse_stream(log.messages)
        root = task.root()

        assert current_action() is None
        assert task.is_complete()
        assert isinstance(root, WrittenAction)
        assert "dask:compute" == root.action_type

    def test_own_actions(self, scheduler: Dict[str, Any], log: Log) -> None:
        """What a task does is inside of its action."""

        def work() -> None:
            with start_action(action_type="work"):
                log_message("working")

        _, compute = log.tree(lambda: compute_with_trace(dask.delayed(work)(), **scheduler))

        assert {
            "dask:compute": [{"eliot:remote_task": ["dask:task", {"work": ["working"]}]}]
        } == shape(compute)

    def test_persisted_input(self, client: Any, log: Log) -> None:
        """What the cluster has is not told again, but named."""
        numbers = array.ones(4, chunks=2, dtype=int).map_blocks(lambda x: x + 1)
        persisted = client.persist(numbers)
        doubled = persisted.map_blocks(lambda x: x * 2, dtype=int)
        (result,), compute = log.tree(lambda: compute_with_trace(doubled, scheduler=client))

        assert [4, 4, 4, 4] == result.tolist()
        assert [[f"{persisted.name}-{n}"] for n in range(2)] == dependencies(compute)

    def test_local_input(self, log: Log) -> None:
        """What was computed on this machine before is a value like others."""
        numbers = array.ones(4, chunks=2, dtype=int).map_blocks(lambda x: x + 1)
        persisted = numbers.persist(scheduler="threads")
        doubled = persisted.map_blocks(lambda x: x * 2, dtype=int)
        (result,), compute = log.tree(lambda: compute_with_trace(doubled, scheduler="threads"))

        assert [4, 4, 4, 4] == result.tolist()
        assert 2 == len(keys(compute))

    def test_running_input(self, client: Any, log: Log) -> None:
        """What the cluster computes anyway for the same client is not told, but named."""
        one = dask.delayed(lambda: 1)()
        two = dask.delayed(lambda x: x + 1)(one)
        three = dask.delayed(lambda x: x + 1)(two)
        future = client.compute(two)
        result, compute = log.tree(lambda: compute_with_trace(three, scheduler=client))

        assert ((3,), 2) == (result, future.result())
        assert [[two.key]] == dependencies(compute)

    def test_inside_of_a_task(self, client: Any, log: Log) -> None:
        """A task on a cluster may compute something else there."""

        def outer() -> Any:
            return compute_with_trace(dask.delayed(lambda: log_message("inner"))())

        _, compute = log.tree(lambda: compute_with_trace(dask.delayed(outer)(), scheduler=client))

        assert {
            "dask:compute": [
                {
                    "eliot:remote_task": [
                        "dask:task",
                        {"dask:compute": [{"eliot:remote_task": ["dask:task", "inner"]}]},
                    ]
                }
            ]
        } == shape(compute)

    def test_coroutine_function(self, client: Any, log: Log) -> None:
        """A coroutine function is awaited in its action."""

        async def increase(x: int) -> int:
            with start_action(action_type="increase"):
                return x + 1

        delayed = dask.delayed(increase)(1)
        result, compute = log.tree(lambda: compute_with_trace(delayed, scheduler=client))

        assert (2,) == result
        assert {"dask:compute": [{"eliot:remote_task": ["dask:task", {"increase": []}]}]} == shape(
            compute
        )


class TestResults:
    """Tracing changes no result, and no way to get it."""

    def test_other_arguments(self, log: Log) -> None:
        """What is no collection is returned as it is; collections are found inside of lists."""
        one = dask.delayed(lambda: 1)()
        result, _ = log.tree(lambda: compute_with_trace({"a": [one, 2]}, 3, scheduler="sync"))

        assert ({"a": [1, 2]}, 3) == result

    @pytest.mark.parametrize("trace", [compute_with_trace, persist_with_trace])
    def test_no_collection(self, trace: Callable[..., Any], log: Log) -> None:
        """Without any collection, there is just the outer action."""
        argument = [1, {"a": 2}]
        result, action = log.tree(lambda: trace(argument, 3))

        assert (argument, 3) == result
        assert result[0] is argument
        assert ["dask:compute", "dask:persist"].index(str(action.action_type)) >= 0
        assert () == tuple(action.children)

    def test_forwarded_arguments(self, log: Log) -> None:
        """Keyword arguments are Dask's."""
        one = dask.delayed(lambda: 1)()
        scheduled: List[Any] = []

        def schedule(dsk: Any, keys: Any, **kwargs: Any) -> Any:
            scheduled.append(kwargs)
            return dask.get(dsk, keys)

        compute_with_trace([one], traverse=False, scheduler=schedule, a=1)
        (result,) = compute_with_trace([one], scheduler=schedule, a=1)

        assert [1] == result
        assert [{"a": 1}] == scheduled

    def test_without_optimization(self, log: Log) -> None:
        """If Dask shall not optimize, each task as it was written is told."""
        steps = array.ones(2, chunks=2, dtype=int).map_blocks(lambda x: x + 1, dtype=int) + 1
        optimized = log.tree(lambda: compute_with_trace(steps, scheduler="sync"))
        written = log.tree(
            lambda: compute_with_trace(steps, scheduler="sync", optimize_graph=False)
        )

        assert (1, 3) == (len(keys(optimized[1])), len(keys(written[1])))
        assert [3, 3] == optimized[0][0].tolist() == written[0][0].tolist()

    def test_scalar(self, scheduler: Dict[str, Any], log: Log) -> None:
        """Scalars of a data frame are told."""
        frame = dataframe.from_pandas(pandas.DataFrame({"a": [1, 2, 3, 4]}), npartitions=2)
        (result,), compute = log.tree(lambda: compute_with_trace(frame["a"].sum(), **scheduler))

        assert 10 == result
        assert len(keys(compute)) >= 3
        assert {"eliot:remote_task"} == {child.action_type for child in actions(compute)}

    def test_expressions_are_optimized(self, log: Log) -> None:
        """A data frame and an array that depend on each other's types give what Dask gives."""
        frame = pandas.DataFrame({"a": range(20), "b": range(20)})
        parts = dataframe.from_pandas(frame, npartitions=3)
        rolled = (parts["a"] * 2 + parts["b"]).rolling(2).sum()
        expected = (frame["a"] * 2 + frame["b"]).rolling(2).sum()
        (result,), _ = log.tree(lambda: compute_with_trace(rolled, scheduler="threads"))

        assert expected.fillna(-1).tolist() == result.fillna(-1).tolist()

    def test_merge_on_a_cluster(self, client: Any, log: Log) -> None:
        """Data frames that are shuffled between workers are told, and right."""
        pytest.importorskip("pyarrow", reason="Dask comes without Arrow on this interpreter")
        left = pandas.DataFrame({"k": range(20), "a": range(20)})
        right = pandas.DataFrame({"k": range(0, 20, 2), "b": range(10)})
        merged = dataframe.from_pandas(left, npartitions=3, sort=False).merge(
            dataframe.from_pandas(right, npartitions=2, sort=False), on="k"
        )
        with dask.config.set({"dataframe.shuffle.method": "p2p"}):
            (result,), compute = log.tree(lambda: compute_with_trace(merged, scheduler=client))
        expected = left.merge(right, on="k").sort_values("k")

        assert expected.to_numpy().tolist() == result.sort_values("k").to_numpy().tolist()
        assert len(keys(compute)) > 5

    def test_annotations(self, client: Any) -> None:
        """What Dask's users say of a task, such as where it has to run, is not lost."""
        for address, pid in client.run(os.getpid).items():
            with dask.annotate(workers=[address]):
                getpid = dask.delayed(os.getpid, pure=False)
                pids = [getpid(dask_key_name=f"{address}-{n}") for n in range(2)]
            result = compute_with_trace(*pids, dask.delayed(len)(pids), scheduler=client)

            assert (pid, pid, 2) == result

    def test_again(self, client: Any, log: Log) -> None:
        """What was computed before, and is not held, is computed and told again."""
        case = a_bag()
        tasks = [{"eliot:remote_task": ["dask:task", message]} for message in case.messages]
        for _ in range(20):
            (result,), tree = log.tree(
                lambda: compute_with_trace(case.collection, scheduler=client)
            )

            assert case.expected == result
            assert {"dask:compute": tasks} == shape(tree)


class TestFailures:
    """Tasks that raise an exception."""

    def test_failing_task(self, scheduler: Dict[str, Any], log: Log) -> None:
        """The exception comes out; the action of the task and that of the computation fail."""

        def fail() -> None:
            log_message("failing")
            message = "no such thing"
            raise KeyError(message)

        def compute() -> None:
            with pytest.raises(KeyError, match="no such thing"):
                compute_with_trace(dask.delayed(fail)(), **scheduler)

        _, tree = log.tree(compute)
        (task,) = actions(tree)

        assert {"dask:compute": [{"eliot:remote_task": ["dask:task", "failing"]}]} == shape(tree)
        assert ("failed", "builtins.KeyError") == (task.status, task.exception)
        assert ("failed", "builtins.KeyError") == (tree.status, tree.exception)

    def test_task_that_never_runs(self, scheduler: Dict[str, Any], log: Log) -> None:
        """The places of tasks that were waiting for one that failed are known to be missing."""

        def fail() -> None:
            message = "no such thing"
            raise KeyError(message)

        def compute() -> None:
            waiting = dask.delayed(lambda x: x)(dask.delayed(fail)())
            with pytest.raises(KeyError, match="no such thing"):
                compute_with_trace(waiting, **scheduler)

        _, task = log.task(compute)

        assert not task.is_complete()
        assert [[2, 3]] == [level.as_list() for level in task.missing()]

    def test_exception_without_distributed(self, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a cluster nothing is tried again, whatever one asks for."""
        monkeypatch.delitem(sys.modules, "distributed")

        def compute() -> None:
            with pytest.raises(ZeroDivisionError):
                compute_with_trace(dask.delayed(lambda: 1 / 0)(), scheduler="sync", retries=3)

        _, tree = log.tree(compute)

        assert {"dask:compute": [{"eliot:remote_task": ["dask:task"]}]} == shape(tree)


def statuses(node: WrittenAction) -> List[Any]:
    """Tell the statuses of attempts, each of them inside of the one before."""
    return [node.status, *(status for child in actions(node) for status in statuses(child))]


class TestAttempts:
    """Calls that the cluster tries again."""

    @pytest.fixture
    def flaky(self, tmp_path: Path) -> Callable[[int], int]:
        """Give a function that counts its calls, and fails up to some number of them."""
        calls = str(tmp_path / "calls")

        def flaky(failures: int) -> int:
            log_message("try")
            with open(calls, "a+b") as file:
                file.write(b".")
                made = file.tell()
            if made <= failures:
                message = f"attempt {made}"
                raise ConnectionError(message)
            return made

        return flaky

    def test_second_attempt(self, any_client: Any, log: Log, flaky: Any) -> None:
        """Each attempt is told, inside of the one that failed before."""
        delayed = dask.delayed(flaky)(2)
        result, compute = log.tree(
            lambda: compute_with_trace(delayed, scheduler=any_client, retries=3)
        )

        assert (3,) == result
        assert {
            "dask:compute": [
                {
                    "eliot:remote_task": [
                        "dask:task",
                        "try",
                        {
                            "eliot:remote_task": [
                                "dask:task",
                                "try",
                                {"eliot:remote_task": ["dask:task", "try"]},
                            ]
                        },
                    ]
                }
            ]
        } == shape(compute)
        assert ["succeeded", "failed", "failed", "succeeded"] == statuses(compute)
        assert 1 == len({*keys(compute)})

    def test_last_attempt(self, any_client: Any, log: Log, flaky: Any) -> None:
        """If no attempt succeeds, the last one is as complete as the others."""

        def compute() -> None:
            with pytest.raises(ConnectionError, match="attempt 3"):
                compute_with_trace(dask.delayed(flaky)(9), scheduler=any_client, retries=2)

        _, tree = log.tree(compute)

        assert ["failed", "failed", "failed", "failed"] == statuses(tree)

    def test_needless_attempts(self, case: Case, any_client: Any, log: Log) -> None:
        """If nothing fails, nothing is different."""
        _, tree = log.tree(
            lambda: compute_with_trace(case.collection, scheduler=any_client, retries=3)
        )
        tasks = [{"eliot:remote_task": ["dask:task", message]} for message in case.messages]

        assert {"dask:compute": tasks} == shape(tree)

    def test_annotated_attempts(self, any_client: Any, log: Log, flaky: Any) -> None:
        """The attempts that Dask's users want for some tasks only are told, too."""
        with dask.annotate(retries=1):
            annotated = dask.delayed(flaky)(1)
        result, compute = log.tree(
            lambda: compute_with_trace(dask.delayed(lambda x: x)(annotated), scheduler=any_client)
        )

        assert (2,) == result
        assert ["succeeded", "failed", "succeeded", "succeeded"] == statuses(compute)

    def test_attempts_in_force(self, any_client: Any, log: Log, flaky: Any) -> None:
        """So are those that they want for all they compute in a block."""

        def compute() -> Any:
            with dask.annotate(retries=1):
                return compute_with_trace(dask.delayed(flaky)(1), scheduler=any_client)

        result, tree = log.tree(compute)

        assert (2,) == result
        assert ["succeeded", "failed", "succeeded"] == statuses(tree)

    def test_other_worker(self, client: Any, log: Log, flaky: Any) -> None:
        """The second attempt finds its place on another worker, too."""
        first, second = client.run(os.getpid)

        def attempts() -> Any:
            with start_action(action_type="calls"):
                call = _dask_graph.in_its_place(flaky, "k", [], retries=1)
            failed = client.submit(call, 1, workers=[first], pure=False)
            assert isinstance(failed.exception(), ConnectionError)
            return client.submit(call, 1, workers=[second], pure=False).result()

        result, tree = log.tree(attempts)

        assert 2 == result
        assert ["succeeded", "failed", "succeeded"] == statuses(tree)

    def test_coroutine_function(self, any_client: Any, log: Log, flaky: Any) -> None:
        """Attempts of a coroutine function are told as well."""
        if not hasattr(distributed.worker, "_worker_cvar"):
            pytest.skip("Dask does not know the worker of a coroutine on this interpreter")

        async def awaiting(failures: int) -> int:
            made: int = flaky(failures)
            return made

        result, submit = log.tree(
            lambda: submit_with_trace(any_client, awaiting, 2, retries=2).result()
        )

        assert 3 == result
        assert ["succeeded", "failed", "failed", "succeeded"] == statuses(submit)

    @pytest.mark.parametrize("order", [1, -1])
    def test_same_place(self, client: Any, log: Log, order: int) -> None:
        """A call that the cluster makes twice unasked, as when a worker is lost, is told once."""

        def attempts() -> Any:
            with start_action(action_type="calls"):
                call = _dask_graph.in_its_place(lambda: log_message("work"), "k", [])
            for address in [*client.run(os.getpid)][::order]:
                client.submit(call, workers=[address], pure=False).result()

        _, task = log.task(attempts)

        assert task.is_complete()
        assert {"program": [{"calls": [{"eliot:remote_task": ["dask:task", "work"]}]}]} == shape(
            task.root()
        )
        assert 4 == len(task.replaced())


class TestFutures:
    """Calls of functions on a cluster."""

    def test_submit(self, client: Any, log: Log) -> None:
        """A call is told in its own action, and names the calls that it depends on."""

        def add(x: int, *more: int) -> int:
            log_message("add")
            return x + sum(more)

        def submit() -> Any:
            one = submit_with_trace(client, add, 1)
            two = submit_with_trace(client, add, 1, 1)
            return submit_with_trace(client, sum, [one, two, {"a": one}["a"]]).result(), one, two

        (result, one, two), task = log.task(submit)
        root = task.root()
        assert isinstance(root, WrittenAction)

        assert 4 == result
        assert task.is_complete()
        assert {
            "program": [
                {"dask:submit": [{"eliot:remote_task": ["dask:task", "add"]}]},
                {"dask:submit": [{"eliot:remote_task": ["dask:task", "add"]}]},
                {"dask:submit": [{"eliot:remote_task": ["dask:task"]}]},
            ]
        } == shape(root)
        assert [one.key, two.key] == keys(root)[:2]
        assert [[], [], {one.key, two.key}] == [*dependencies(root)[:2], {*dependencies(root)[2]}]

    def test_submit_with_options(self, client: Any, log: Log) -> None:
        """Options of `client.submit` are for it, all other arguments for the function."""
        address = next(iter(client.run(os.getpid)))

        def submit() -> Any:
            future = submit_with_trace(client, dict, a=1, key="k-1", workers=[address])
            return future.key, future.result()

        result, tree = log.tree(submit)

        assert ("k-1", {"a": 1}) == result
        assert ["k-1"] == keys(tree)

    def test_map(self, any_client: Any, log: Log) -> None:
        """Each call is told in its own action."""

        def multiply(x: int, y: int, plus: int = 0) -> int:
            log_message("multiply")
            return x * y + plus

        def calls() -> Any:
            futures = map_with_trace(any_client, multiply, [1, 2], (3, 4), plus=1)
            return any_client.gather(futures), [future.key for future in futures]

        (result, names), tree = log.tree(calls)

        assert [4, 9] == result
        assert {"dask:map": [{"eliot:remote_task": ["dask:task", "multiply"]}] * 2} == shape(tree)
        assert names == keys(tree)
        assert names[0].startswith("multiply-")

    @pytest.mark.parametrize("key", ["calls", ["calls-0", "calls-1"]])
    def test_map_with_names(self, client: Any, log: Log, key: Any) -> None:
        """The calls may be given names, or the beginning of a name."""

        def calls() -> Any:
            futures = map_with_trace(client, str, range(2), key=key, pure=False)
            return client.gather(futures), [future.key for future in futures]

        (result, names), tree = log.tree(calls)

        assert ["0", "1"] == result
        assert names == keys(tree)
        assert ["calls", "calls"] == [name.split("-")[0] for name in names]

    def test_map_nothing(self, client: Any, log: Log) -> None:
        """No calls give no futures."""
        result, tree = log.tree(lambda: map_with_trace(client, str, []))

        assert [] == result
        assert {"dask:map": []} == shape(tree)

    def test_map_coroutine_function(self, any_client: Any, log: Log) -> None:
        """Coroutine functions are awaited."""

        async def increase(x: int) -> int:
            with start_action(action_type="increase"):
                return x + 1

        result, tree = log.tree(
            lambda: any_client.gather(map_with_trace(any_client, increase, [1, 2]))
        )

        assert [2, 3] == result
        assert {"dask:map": [{"eliot:remote_task": ["dask:task", {"increase": []}]}] * 2} == shape(
            tree
        )

    def test_equal_calls(self, client: Any, log: Log) -> None:
        """Dask makes one of equal calls, and does not make it again: the log tells that."""

        def calls() -> Any:
            futures = map_with_trace(client, abs, [-1, -2, -1])
            futures.append(submit_with_trace(client, abs, -2))
            return client.gather(futures)

        result, task = log.task(calls)

        assert task.is_complete()
        assert {
            "program": [
                {"dask:map": [{"eliot:remote_task": ["dask:task"]}] * 2},
                {"dask:submit": ["dask:reused"]},
            ]
        } == shape(task.root())
        assert [1, 2, 1, 2] == result

    def test_same_key_as_without_trace(self, client: Any) -> None:
        """A call that was made without trace is not made again with it."""
        future = client.submit(abs, -3)

        assert future.key == submit_with_trace(client, abs, -3).key

    def test_random_results(self, client: Any, log: Log) -> None:
        """Functions that are not pure are called each time."""

        def calls() -> Any:
            futures = [submit_with_trace(client, os.getpid, pure=False) for _ in range(2)]
            futures += map_with_trace(client, lambda _: os.getpid(), [1, 1], pure=False)
            return {*client.gather(futures)}

        pids, task = log.task(calls)

        assert pids <= {*client.run(os.getpid).values()}
        assert 4 == len([*task_messages(task.root())])

    def test_asynchronous_client(self, client: Any, log: Log) -> None:
        """A client that lives in an event loop is as good."""
        address = client.scheduler.address

        async def calls() -> Any:
            options = {"asynchronous": True, "set_as_default": False}
            async with distributed.Client(address, **options) as asynchronous:
                return await submit_with_trace(asynchronous, abs, -4)

        result, tree = log.tree(lambda: asyncio.run(calls()))

        assert 4 == result
        assert {"dask:submit": [{"eliot:remote_task": ["dask:task"]}]} == shape(tree)

    def test_actor(self, client: Any, log: Log) -> None:
        """An actor is made in its place."""

        def submit() -> Any:
            with client.as_current():
                actor = submit_with_trace(client, list, (1, 2), actor=True).result()
                return actor.index(2).result()

        result, tree = log.tree(submit)

        assert 1 == result
        assert {"dask:submit": [{"eliot:remote_task": ["dask:task"]}]} == shape(tree)

    @pytest.mark.parametrize("trace", [submit_with_trace, map_with_trace])
    def test_no_function(self, client: Any, trace: Callable[..., Any]) -> None:
        """What cannot be called is refused at once."""
        with pytest.raises(TypeError, match=r"^3 is not callable$"):
            trace(client, 3, [])


class TestOtherForms:
    """Graphs of other times, past and future."""

    @pytest.fixture
    def add(self) -> Iterator[Callable[[Any], Dict[Any, Any]]]:
        """Give the function that rewrites a graph, within an action whose task is `u`."""
        with eliot.Action(None, "u", eliot._action.TaskLevel(level=[]), "program"):
            yield _add_logging

    def test_tuples(self, add: Callable[[Any], Dict[Any, Any]]) -> None:
        """In tuples and lists, the outermost functions are replaced, dependencies first."""

        def f(*_: Any) -> None:
            pass

        def g(*_: Any) -> None:
            pass

        graph = {
            "a": "d",
            "d": [1, (f, ("b", 0)), [(g, 2)]],
            ("b", 0): (g, (f, 1), "e"),
            "c": (f, "a", ["d"]),
            "e": 1,
            4: (),
        }
        result = add(graph)
        runs = [result["b", 0][0], result["d"][1][0], result["d"][2][0][0], result["c"][0]]

        assert graph == result
        assert [*graph] == [*result]
        assert all(isinstance(run, _RunWithEliotContext) for run in runs)
        assert [g, f, g, f] == [run.func for run in runs]
        assert [f"u@/{n}" for n in (1, 2, 3, 4)] == [run.task_id for run in runs]
        assert ["b-0", "d", "d", "c"] == [run.key for run in runs]
        assert [["e"], ["b-0"], ["b-0"], ["d", "d"]] == [run.dependencies for run in runs]

    def test_high_level_graph(self, add: Callable[[Any], Dict[Any, Any]]) -> None:
        """A graph of layers becomes a dictionary of the same keys."""
        graph = a_bag().collection.__dask_graph__()

        assert {*graph} == {*add(graph)}
        assert dict is type(add(graph))

    def test_no_action(self) -> None:
        """Outside of any action there is no place for a task."""
        with pytest.raises(RuntimeError, match="only within an action"):
            _add_logging({"a": (print,)})

    def test_numbers_as_keys(self, log: Log) -> None:
        """Keys may be anything that Dask takes."""
        graph = {1: (abs, -1), ("x", 2): (abs, 1)}
        with start_action(action_type="program"):
            result = _add_logging(graph)

        assert ["1", "x-2"] == [result[1][0].key, result["x", 2][0].key]

    def test_cycle(self, add: Callable[[Any], Dict[Any, Any]]) -> None:
        """A graph that cannot be computed is left to Dask."""
        graph = {"a": (abs, "b"), "b": (abs, "a"), "c": "c"}

        assert graph == add(graph)

    def test_unknown_values(self, case: Case, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        """Values of an unknown class stay as they are; the log tells which."""
        if int(dask.__version__[:4]) < 2025:
            pytest.skip("Dask's tasks are tuples on this interpreter")
        monkeypatch.setattr(_dask_graph, "_TASKS", ())
        (result,), tree = log.tree(lambda: compute_with_trace(case.collection, scheduler="threads"))
        first = tree.children[0]

        assert case.expected == case.plain(result)
        assert isinstance(first, WrittenMessage)
        assert "dask:untraced" == first.contents["message_type"]
        assert "dask._task_spec.Task: unknown in a graph" == first.contents["reason"]

    def test_unknown_classes(self, log: Log, add: Callable[[Any], Dict[Any, Any]]) -> None:
        """So do values of classes that Dask may have one day."""
        task = type("Job", (), {"__module__": "dask.jobs", "__call__": lambda self: 1})()

        assert {"a": task} == add({"a": task})
        assert ["dask.jobs.Job: unknown in a graph"] == [m["reason"] for m in log.messages]

    @pytest.mark.parametrize("trace", [compute_with_trace, persist_with_trace])
    def test_unknown_dask(
        self, trace: Callable[..., Any], log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If Dask itself is not as it was, it does its work as it would without trace."""
        one = dask.delayed(lambda: 1)()
        monkeypatch.setattr("dask.base.optimize", None)
        (result,), tree = log.tree(lambda: trace(one, scheduler="threads"))
        monkeypatch.undo()

        assert 1 == dask.compute(result)[0]
        assert ["dask:untraced"] == [shape(child) for child in tree.children]

    def test_refused_arguments(self, log: Log) -> None:
        """What Dask refuses, it refuses with trace, too."""

        def compute() -> None:
            with pytest.raises(ValueError, match="Expected one of"):
                compute_with_trace(dask.delayed(abs)(1), scheduler="no-such")

        _, tree = log.tree(compute)

        assert "failed" == tree.status


class TestRunWithEliotContext:
    """The function that stands in for a task's own."""

    def test_looks_like_the_function(self) -> None:
        """It equals the function, and has its hash."""
        run = _RunWithEliotContext("u@/1", len, "k", [])
        other = _RunWithEliotContext("u@/2", len, "k", [])

        assert run == len
        assert run == other
        assert run != abs
        assert hash(len) == hash(run)
        assert "<traced len>" == repr(run)

    def test_what_dask_gets_is_unique(self, log: Log) -> None:
        """What is put into graphs does not equal anything else: it has a place of its own."""
        with start_action(action_type="program"):
            one, other = (_dask_graph.in_its_place(len, "k", []) for _ in range(2))

        assert len({one, other, len}) == 3
        assert dask.base.tokenize(one) != dask.base.tokenize(other)
        assert dask.base.tokenize(one) == dask.base.tokenize(one)

    def test_keeps_its_values(self) -> None:
        """It can be pickled."""
        pickled = pickle.dumps(_RunWithEliotContext("u@/1", len, "k", ["j"], 3))
        run = pickle.loads(pickled)  # noqa: S301 - made on the line above

        assert ("u@/1", len, "k", ["j"], 3) == (
            run.task_id,
            run.func,
            run.key,
            run.dependencies,
            run.retries,
        )

    def test_coroutine_functions_stay_such(self, log: Log) -> None:
        """Dask can tell coroutine functions by what stands in for them."""

        async def increase(x: int) -> int:
            return x + 1

        with start_action(action_type="program"):
            one, other = (_dask_graph.in_its_place(f, "k", []) for f in (increase, len))

        assert inspect.iscoroutinefunction(one)
        assert not inspect.iscoroutinefunction(other)
        assert [True, False] == [
            distributed.utils.iscoroutinefunction(_RunWithEliotContext("u@/1", f, "k", []))
            for f in (increase, len)
        ]
