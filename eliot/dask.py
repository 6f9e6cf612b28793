"""
The bridge to Dask: each task of a computation tells its part of the tree, on whatever machine.

What is traced is the graph that Dask would run, with what Dask documents for those who write a
collection of their own.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Tuple
from uuid import uuid4

try:
    import dask.base
except ModuleNotFoundError as _error:
    _text = "eliot.dask needs Dask; install it with: pip install 'eliot[dask]'"
    raise ModuleNotFoundError(_text, name=_error.name) from _error

import dask.config
import dask.core
import dask.highlevelgraph
import dask.utils

from eliot._action import log_message, start_action
from eliot._dask_graph import (
    Function,
    Graph,
    RunWithEliotContext,
    await_with_trace,
    futures_in,
    in_its_place,
    is_coroutine_function,
    log_untraced,
    name_of,
    rank_of,
    run_in_its_place,
    traced,
    with_trace,
)
from eliot._safe import class_name, saferepr, safeunicode

if TYPE_CHECKING:
    from distributed import Client, Future

# Pinned by published Eliot; `submit_with_trace` and `map_with_trace` are as public.
__all__ = ["compute_with_trace", "persist_with_trace"]

# Published Eliot pinned where it is.
_RunWithEliotContext = RunWithEliotContext

# Dask has types in part, which is too little for strict type checkers.
_base: Any = dask.base
_core: Any = dask.core
_layers: Any = dask.highlevelgraph
_utils: Any = dask.utils


# -- Collections ---------------------------------------------------------------------------------


def compute_with_trace(*args: Any, **kwargs: Any) -> Tuple[Any, ...]:
    """
    Do what `dask.compute` does, and log what each task did.

    Args:
        args: Dask collections, and other objects, which are returned as they are.
        kwargs: For `dask.compute`, such as `scheduler="processes"` or `retries=3`.

    Returns:
        The results.

    >>> from dask import delayed
    >>> compute_with_trace(delayed(sum)([1, 2]), "as it is")
    (3, 'as it is')
    """
    with start_action(action_type="dask:compute"):
        return _with_trace(_base.compute, args, kwargs)


def persist_with_trace(*args: Any, **kwargs: Any) -> Tuple[Any, ...]:
    """
    Do what `dask.persist` does, and log what each task did.

    On a cluster this returns before the tasks have run; they are in the same tree all the same.

    Args:
        args: Dask collections, and other objects, which are returned as they are.
        kwargs: For `dask.persist`, such as `scheduler="processes"` or `retries=3`.

    Returns:
        The collections, with their values computed, or being computed.

    >>> from dask import delayed
    >>> (total,) = persist_with_trace(delayed(sum)([1, 2]))
    >>> total.compute()
    3
    """
    with start_action(action_type="dask:persist"):
        return _with_trace(_base.persist, args, kwargs)


def _with_trace(run: Function, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Tuple[Any, ...]:
    """Compute or persist with functions that log, or as it is if that is not possible."""
    try:
        traverse = kwargs.get("traverse", True)
        collections, repack = _base.unpack_collections(*args, traverse=traverse)
        rewritten = _rewritten(collections, kwargs) if collections else []
    except Exception as error:
        # Either Dask is not as it was, or the collections are at fault: then the same comes again.
        log_untraced(f"{class_name(type(error))}: {safeunicode(error)}")
        rewritten = []
    if not rewritten:
        return run(*args, **kwargs)  # type: ignore[no-any-return] # Dask has no types
    results = run(*rewritten, **{**kwargs, "optimize_graph": False})
    return repack(results)  # type: ignore[no-any-return] # Dask has no types


class _TracedCollection:
    """A collection as Dask documents them: a graph, and what to make of its results."""

    def __init__(self, graph: Graph, like: Any) -> None:
        self._graph = graph
        self._keys = like.__dask_keys__()
        self._token = uuid4().hex
        self.__dask_scheduler__ = like.__dask_scheduler__
        self.__dask_postcompute__ = like.__dask_postcompute__
        self.__dask_postpersist__ = like.__dask_postpersist__

    def __dask_graph__(self) -> Graph:
        return self._graph

    def __dask_keys__(self) -> List[Any]:
        return self._keys  # type: ignore[no-any-return] # Dask has no types

    def __dask_tokenize__(self) -> str:
        return self._token


def _rewritten(collections: List[Any], kwargs: Dict[str, Any]) -> List[_TracedCollection]:
    """Make collections of the same values, whose tasks log."""
    schedule = _base.get_scheduler(scheduler=kwargs.get("scheduler"), collections=collections)
    futures = _futures_of(getattr(schedule, "__self__", None))
    retries = _retries(kwargs)
    annotations = _annotations(collections)
    if kwargs.get("optimize_graph", True):
        collections = _optimized(collections)
    graphs = {id(graph): graph for graph in (c.__dask_graph__() for c in collections)}
    dsk: Dict[Any, Any] = {}
    for graph in graphs.values():
        dsk.update(graph)
    result = traced(
        dsk,
        _core.flatten([collection.__dask_keys__() for collection in collections]),
        is_held=lambda key: _is_held(futures, key),
        retries=lambda key: annotations.get(key, {}).get("retries", retries),
    )
    layered = _layered(result, annotations)
    return [_TracedCollection(layered, collection) for collection in collections]


def _optimized(collections: List[Any]) -> List[Any]:
    """Optimize collections; those that are expressions have a method for it."""
    others = [collection for collection in collections if not _is_expression(collection)]
    optimized = iter(_base.optimize(*others, traverse=False))
    return [c.optimize() if _is_expression(c) else next(optimized) for c in collections]


def _is_expression(collection: Any) -> bool:
    return hasattr(type(collection), "expr")


def _annotations(collections: List[Any]) -> Dict[Any, Dict[str, Any]]:
    """Find the annotations of keys; `dask.optimize` loses them."""
    layers = {
        id(layer): layer
        for collection in collections
        if not _is_expression(collection)
        for layer in getattr(collection.__dask_graph__(), "layers", {}).values()
        if layer.annotations
    }
    return {
        key: {
            name: value(key) if callable(value) else value
            for name, value in layer.annotations.items()
        }
        for layer in layers.values()
        for key in layer
    }


def _layered(dsk: Dict[Any, Any], annotations: Dict[Any, Dict[str, Any]]) -> Graph:
    """Make the form of a graph that keeps annotations: a layer for each."""
    plain = {key: value for key, value in dsk.items() if key not in annotations}
    layers: Dict[Any, Any] = {uuid4().hex: _layers.MaterializedLayer(plain)}
    for key in dsk.keys() & annotations.keys():
        layers[key] = _layers.MaterializedLayer({key: dsk[key]}, annotations[key])
    graph: Graph = _layers.HighLevelGraph(layers, {name: set() for name in layers})
    return graph


def _retries(kwargs: Mapping[str, Any]) -> int:
    # In older Dask, annotations that are in force are configuration.
    in_force = getattr(_base, "get_annotations", lambda: dask.config.get("annotations", {}))()
    retries = kwargs.get("retries") or in_force.get("retries")
    return retries if isinstance(retries, int) else 0


def _futures_of(client: Any) -> Mapping[Any, Any]:
    """Return what a client has or waits for; it does not have what it was just told to forget."""
    if not hasattr(client, "futures"):
        return {}
    if not client.asynchronous:
        client.sync(_nothing)
    futures: Mapping[Any, Any] = client.futures
    return futures


async def _nothing() -> None:
    """Let the event loop do what is to be done before."""


def _is_held(futures: Mapping[Any, Any], key: Any) -> bool:
    """Tell whether a task is not run again, since a client has its result or waits for it."""
    # Older clients know their futures by text.
    future = futures.get(key) or futures.get(str(key))
    return future is not None and future.status not in {"cancelled", "lost"}


def _add_logging(dsk: Graph, ignore: object = None) -> Dict[Any, Any]:  # noqa: ARG001 - pinned
    """Make a graph with functions that log: what published Eliot had Dask call to optimize."""
    return traced(dsk, dsk, place=run_in_its_place)


# -- Futures -------------------------------------------------------------------------------------


def submit_with_trace(client: Client, func: Function, *args: Any, **kwargs: Any) -> Future[Any]:
    """
    Do what `client.submit` does, and log what the call did.

    Args:
        client: The client of a cluster.
        func: A function, or a coroutine function.
        args: Its arguments.
        kwargs: Its keyword arguments, and those of `client.submit`, such as `retries=3`.

    Returns:
        The future of the result.

    .. versionadded:: 2.0

    >>> from distributed import Client
    >>> with Client(processes=False, dashboard_address="127.0.0.1:0") as client:
    ...     submit_with_trace(client, sum, [1, 2]).result()
    3
    """
    with start_action(action_type="dask:submit"):
        key = kwargs.pop("key", None)
        keys = [key] if key else _keys(client.submit, func, [args], kwargs)
        calls = _calls(client, func, dict(zip(keys, [args])), kwargs)
        return client.submit(calls[keys[0]], *args, key=keys[0], **kwargs)


def map_with_trace(
    client: Client, func: Function, *iterables: Iterable[Any], **kwargs: Any
) -> List[Future[Any]]:
    """
    Do what `client.map` does, and log what each call did.

    Args:
        client: The client of a cluster.
        func: A function, or a coroutine function.
        iterables: The arguments of the calls.
        kwargs: Its keyword arguments, and those of `client.map`, such as `retries=3`.

    Returns:
        The futures of the results.

    .. versionadded:: 2.0

    >>> from distributed import Client
    >>> with Client(processes=False, dashboard_address="127.0.0.1:0") as client:
    ...     client.gather(map_with_trace(client, abs, [-1, -2]))
    [1, 2]
    """
    with start_action(action_type="dask:map"):
        rows = [*zip(*iterables)]
        names = kwargs.pop("key", None)
        is_list = names and not isinstance(names, str)
        keys = [*names] if is_list else _keys(client.map, func, rows, kwargs, prefix=names)
        calls = _calls(client, func, dict(zip(keys, rows)), kwargs)
        call = await_with_trace if is_coroutine_function(func) else with_trace
        return client.map(call, [calls[key] for key in keys], *zip(*rows), key=keys, **kwargs)


def _keys(
    method: Function,
    func: Function,
    rows: List[Tuple[Any, ...]],
    kwargs: Dict[str, Any],
    prefix: Optional[str] = None,
) -> List[str]:
    """Name calls as Dask does: equal calls of a pure function are one."""
    options = inspect.signature(method).parameters
    own = {name: value for name, value in kwargs.items() if name not in options}
    pure = kwargs.get("pure", True) and not (kwargs.get("actor") or kwargs.get("actors"))
    name = prefix or _utils.funcname(func)
    return [f"{name}-{_base.tokenize(func, own, *row) if pure else uuid4()}" for row in rows]


def _calls(
    client: Client, func: Function, rows: Dict[str, Tuple[Any, ...]], kwargs: Dict[str, Any]
) -> Dict[str, Function]:
    """Make the function of each call, which logs in its place."""
    if not callable(func):
        msg = f"{saferepr(func)} is not callable"
        raise TypeError(msg)
    calls = {}
    futures = _futures_of(client)
    for key, row in rows.items():
        if _is_held(futures, key):
            log_message("dask:reused", key=name_of(key))
            calls[key] = func
        else:
            others = {future.key for future in futures_in([row, kwargs])}
            dependencies = [name_of(other) for other in sorted(others, key=rank_of)]
            calls[key] = in_its_place(func, name_of(key), dependencies, _retries(kwargs))
    return calls
