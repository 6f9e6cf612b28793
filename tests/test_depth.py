"""User code that Eliot calls may log, but not for ever."""

from __future__ import annotations

from threading import Thread
from typing import List

import pytest

from eliot._depth import MAX_DEPTH, TooDeepError, within


class TestWithin:
    """Calls of user code inside of each other."""

    def test_calls(self) -> None:
        """The function gets the arguments, and its result is returned."""
        assert 8 == within(pow, 2, 3)

    def test_ends(self) -> None:
        """A few inside of each other are allowed, more are refused."""
        depths: List[int] = []

        def again(depth: int) -> None:
            depths.append(depth)
            within(again, depth + 1)

        with pytest.raises(TooDeepError, match=r"^logging inside of logging, 6 deep: <function"):
            within(again, 1)

        assert [1, 2, 3, 4, 5] == depths
        assert MAX_DEPTH == len(depths)

    def test_forgets(self) -> None:
        """What failed is not counted any more."""
        for _ in range(10):
            with pytest.raises(ZeroDivisionError):
                within(divmod, 1, 0)

    def test_threads_count_for_themselves(self) -> None:
        """Another thread starts at the top."""
        results: List[int] = []

        def in_thread() -> None:
            thread = Thread(target=lambda: results.append(within(len, "abc")))
            thread.start()
            thread.join()

        def dive(depth: int) -> None:
            if depth == MAX_DEPTH:
                in_thread()
            else:
                within(dive, depth + 1)

        dive(0)

        assert [3] == results
