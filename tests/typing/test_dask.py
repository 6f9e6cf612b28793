"""What type checkers see of the bridge to Dask."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import Any, Callable, List, Tuple

import pytest
from typing_extensions import assert_type

MISSING = "Dask is not available on this interpreter"
pytest.importorskip("dask", reason=MISSING)
pytest.importorskip("distributed", reason=MISSING)

from eliot.dask import (  # noqa: E402 - needs Dask
    compute_with_trace,
    map_with_trace,
    persist_with_trace,
    submit_with_trace,
)


def test_collections() -> None:
    """Each gives its results in a tuple."""
    assert (1, 2) == assert_type(compute_with_trace(1, 2, scheduler="sync"), Tuple[Any, ...])
    assert_type(persist_with_trace(1), Tuple[Any, ...])


def test_futures() -> None:
    """They are made by a client."""
    submit: Callable[..., Any] = submit_with_trace
    many: Callable[..., List[Any]] = map_with_trace
    assert callable(submit)
    assert callable(many)
    with pytest.raises(TypeError):
        submit_with_trace()  # type: ignore[call-arg] # by which client?
    with pytest.raises(TypeError):
        map_with_trace()  # type: ignore[call-arg] # and of what?
