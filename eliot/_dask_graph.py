"""
What the bridge to Dask does to a graph: its functions get places in the tree, and log there.

The form of the values of a graph is known to `_read` alone.
"""

from __future__ import annotations

import copy
import inspect
import re
import sys
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Tuple

import dask.core

from eliot._action import Action, current_action, log_message
from eliot._safe import class_name

try:
    import dask._task_spec
except ImportError:
    _spec: Any = None  # older Dask has no nodes, but tuples
else:
    _spec = dask._task_spec

__all__ = [
    "Function",
    "Graph",
    "RunWithEliotContext",
    "await_with_trace",
    "futures_in",
    "in_its_place",
    "is_coroutine_function",
    "log_untraced",
    "name_of",
    "rank_of",
    "run_in_its_place",
    "traced",
    "with_trace",
]

Function = Callable[..., Any]
Graph = Mapping[Any, Any]

_NUMBER = re.compile("([0-9]{1,18})")

#: A place in the tree, and how many attempts may follow the one that is made there.
_Place = Tuple[str, int]

# Dask has types in part, which is too little for strict type checkers.
_core: Any = dask.core


# -- Functions -----------------------------------------------------------------------------------


class RunWithEliotContext:
    """
    Call a function in its place of the tree; otherwise be like that function.

    If the cluster may try the call again, an attempt that fails leaves a place inside of itself to
    the next one. Nobody knows where that will run, so the cluster's scheduler keeps a note of it.

    Args:
        task_id: The place.
        func: The function.
        key: The name of the task.
        dependencies: The names of the tasks that it depends on.
        retries: How often the cluster tries it again.
    """

    def __init__(
        self, task_id: str, func: Function, key: str, dependencies: List[str], retries: int = 0
    ) -> None:
        self.task_id = task_id
        self.func = func
        self.key = key
        self.dependencies = dependencies
        self.retries = retries

    def __repr__(self) -> str:
        return f"<traced {getattr(self.func, '__name__', self.func)}>"

    def __eq__(self, other: object) -> bool:
        return bool(self.func == (other.func if isinstance(other, type(self)) else other))

    def __hash__(self) -> int:
        return hash(self.func)

    @property
    def __tornado_coroutine__(self) -> bool:
        # Thus Dask recognizes coroutine functions.
        return is_coroutine_function(self.func)

    def __dask_tokenize__(self) -> Tuple[str, str]:
        # The same function in another place makes another graph.
        return "RunWithEliotContext", self.task_id

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if is_coroutine_function(self.func):
            return self._await(*args, **kwargs)
        client = self._client()
        place: _Place = (self.task_id, 0)
        next_places: List[_Place] = []
        if client:
            with suppress(Exception):
                place = client.get_metadata(self._note, (self.task_id, self.retries))
        try:
            with self._attempt(place, next_places):
                return self.func(*args, **kwargs)
        finally:
            for next_place in next_places:
                with suppress(Exception):
                    client.set_metadata(self._note, next_place)

    async def _await(self, *args: Any, **kwargs: Any) -> Any:
        client = self._client()
        place: _Place = (self.task_id, 0)
        next_places: List[_Place] = []
        if client:
            with suppress(Exception):
                place = await client.get_metadata(self._note, (self.task_id, self.retries))
        try:
            with self._attempt(place, next_places):
                return await self.func(*args, **kwargs)
        finally:
            for next_place in next_places:
                with suppress(Exception):
                    await client.set_metadata(self._note, next_place)

    @contextmanager
    def _attempt(self, place: _Place, next_places: List[_Place]) -> Iterator[None]:
        """Be in the action of an attempt; if that fails and another one follows, add its place."""
        task_id, retries = place
        with Action.continue_task(task_id=task_id) as action:
            log_message("dask:task", key=self.key, dependencies=self.dependencies)
            try:
                yield
            except Exception:
                if retries:
                    next_places.append((action.serialize_task_id().decode(), retries - 1))
                raise

    @property
    def _note(self) -> List[str]:
        """Say where the scheduler keeps the note."""
        return ["eliot:attempts", self.task_id]

    def _client(self) -> Any:
        """Return a client of the scheduler, if this runs in a cluster that may try it again."""
        distributed: Any = sys.modules.get("distributed")
        if self.retries and distributed is not None:
            with suppress(Exception):
                distributed.get_worker()
                return distributed.get_client()
        return None


def is_coroutine_function(func: Function) -> bool:
    """Find out whether Dask awaits what the function returns."""
    return inspect.iscoroutinefunction(func) or getattr(func, "__tornado_coroutine__", False)


def with_trace(run: Function, *args: Any, **kwargs: Any) -> Any:
    """Call a function."""
    return run(*args, **kwargs)


async def await_with_trace(run: Function, *args: Any, **kwargs: Any) -> Any:
    """Call a coroutine function."""
    return await run(*args, **kwargs)


def run_in_its_place(
    func: Function, key: str, dependencies: List[str], retries: int = 0
) -> RunWithEliotContext:
    """Take a place in the current action for a function that will be called elsewhere."""
    action = current_action()
    if action is None:
        msg = "Dask tasks can be traced only within an action"
        raise RuntimeError(msg)
    task_id = action.serialize_task_id().decode()
    return RunWithEliotContext(task_id, func, key, dependencies, retries)


def in_its_place(func: Function, key: str, dependencies: List[str], retries: int = 0) -> Function:
    """Do the same for Dask, which until 2024 kept functions in a cache: this equals no other."""
    run = run_in_its_place(func, key, dependencies, retries)
    return partial(await_with_trace if is_coroutine_function(func) else with_trace, run)


# -- Values --------------------------------------------------------------------------------------


def _classes(names: str) -> Tuple[Any, ...]:
    return tuple(getattr(_spec, name) for name in names.split() if hasattr(_spec, name))


_NODES = _classes("GraphNode")
_TASKS = _classes("Task")
_ALIASES = _classes("Alias")
_DATA = _classes("DataNode NestedContainer")

_Change = Callable[[Function], Function]


class _Value(NamedTuple):
    """What is known of a value in a graph."""

    #: The keys that it depends on, in a stable order.
    dependencies: List[Any]
    #: Makes the same value with other functions.
    changed: Callable[[_Change], Any]
    #: The keys that it is just another name of: one or none.
    target: Tuple[Any, ...] = ()
    #: Its class, if that is unknown.
    unknown: str = ""


def _read(dsk: Graph, key: Any) -> _Value:
    """Read a value in a graph."""
    value = dsk[key]
    if isinstance(value, _NODES):
        dependencies = sorted(value.dependencies, key=rank_of)
        if isinstance(value, _ALIASES):
            return _Value(dependencies, lambda _: value, target=(value.target,))
        if isinstance(value, _DATA):
            return _Value(dependencies, lambda _: value)
        if isinstance(value, _TASKS):
            return _Value(dependencies, partial(_changed_task, value))
    else:
        futures = {future.key for future in futures_in(value)}
        dependencies = sorted({*_core.get_dependencies(dsk, key), *futures}, key=rank_of)
        if _is_key(dsk, value):
            return _Value(dependencies, lambda _: value, target=(value,))
        if not (callable(value) and type(value).__module__.startswith("dask.")):
            return _Value(dependencies, partial(_changed_tuples, value))
    return _Value(dependencies, lambda _: value, unknown=class_name(type(value)))


def _changed_task(task: Any, change: _Change) -> Any:
    changed = copy.copy(task)
    changed.func = change(task.func)
    changed._token = None
    return changed


def _changed_tuples(value: Any, change: _Change) -> Any:
    if isinstance(value, list):
        return [_changed_tuples(item, change) for item in value]
    if isinstance(value, tuple) and value and callable(value[0]):
        return (change(value[0]), *value[1:])
    return value


def futures_in(value: Any) -> Iterator[Any]:
    """Find futures, as deep as Dask looks for them."""
    if isinstance(value, getattr(sys.modules.get("distributed"), "Future", ())):
        yield value
    elif isinstance(value, dict):
        yield from futures_in([*value.values()])
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from futures_in(item)


def _is_key(dsk: Graph, value: Any) -> bool:
    try:
        return value in dsk
    except TypeError:  # not hashable
        return False


def name_of(key: Any) -> str:
    """Name a key as the log does."""
    return "-".join(map(str, key)) if isinstance(key, tuple) else str(key)


def rank_of(key: Any) -> List[Tuple[int, str]]:
    """Sort keys as people do: the numbers in them as numbers."""
    parts = key if isinstance(key, tuple) else (key,)
    pieces = [piece for part in parts for piece in _NUMBER.split(str(part))]
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]


# -- Graphs --------------------------------------------------------------------------------------


def traced(
    dsk: Graph,
    keys: Iterable[Any],
    is_held: Callable[[Any], bool] = lambda _: False,
    retries: Callable[[Any], int] = lambda _: 0,
    place: Callable[..., Function] = in_its_place,
) -> Dict[Any, Any]:
    """
    Make the same graph with functions that log, each in a place of the current action.

    Args:
        dsk: The graph.
        keys: What is asked for. What that does not need is not run, and has no place.
        is_held: Tells whether a key needs not be computed, since that was done before.
        retries: Tells how often the task of a key is tried again.
        place: Makes the functions that log.
    """
    values = _in_order(dsk, keys, is_held)
    unknown = sorted({value.unknown for value in values.values() if value.unknown})
    if unknown:
        log_untraced(f"{', '.join(unknown)}: unknown in a graph")
    names: Dict[Any, str] = {}
    result = dict(dsk)
    for key, value in values.items():
        (named,) = value.target or (key,)
        name = names[key] = names.get(named, name_of(named))
        dependencies = [names.get(other, name_of(other)) for other in value.dependencies]
        change = partial(place, key=name, dependencies=dependencies, retries=retries(key))
        result[key] = value.changed(change)
    return result


def _in_order(dsk: Graph, keys: Iterable[Any], is_held: Callable[[Any], bool]) -> Dict[Any, _Value]:
    """Read what has to run for the sake of some keys, dependencies first."""
    values: Dict[Any, _Value] = {}
    begun: Dict[Any, _Value] = {}
    stack = sorted(keys, key=rank_of, reverse=True)
    while stack:
        key = stack.pop()
        if key in begun:
            values.setdefault(key, begun[key])
        elif key in dsk and not is_held(key):
            begun[key] = _read(dsk, key)
            stack.append(key)
            stack.extend(d for d in reversed(begun[key].dependencies) if d not in begun)
    return values


def log_untraced(reason: str) -> None:
    """Log that Dask does its work, of which the log will not tell everything."""
    log_message("dask:untraced", reason=reason)
