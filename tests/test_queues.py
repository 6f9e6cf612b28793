"""What waits to be written."""

from __future__ import annotations

import json
from threading import Barrier, Thread
from typing import Any, List, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot._queues import Batch, Lines, Measured, Messages, batch_of

Queue = Union[Lines, Messages]


def line(number: int, width: int = 0) -> bytes:
    """Return a line."""
    return json.dumps({"n": number, "x": "x" * width}).encode() + b"\n"


def entry(queue: Queue, number: int, width: int = 0) -> Any:
    """Return what a queue of that kind takes."""
    if isinstance(queue, Lines):
        return line(number, width)
    return Measured(json.loads(line(number, width)), len(line(number, width)))


def numbers(batch: Batch) -> List[int]:
    """Tell which messages a batch has."""
    return [message["n"] for message in batch.newest_first()][::-1] if batch.messages else []


@pytest.fixture(params=[Lines, Messages])
def queue(request: pytest.FixtureRequest) -> Queue:
    """Return a queue of each kind."""
    made: Queue = request.param()
    made.grant(1000, 1_000_000)
    return made


class TestQueues:
    """What both kinds do."""

    def test_order(self, queue: Queue) -> None:
        """What comes first leaves first."""
        added = [queue.add(entry(queue, number)) for number in range(3)]
        dropped = queue.drop()

        assert [True] * 3 == added
        assert 0 == dropped["n"]
        assert (2, 2 * len(line(0))) == (len(queue), queue.size)
        assert [1] == numbers(queue.take(1, 1_000_000))
        assert [2] == numbers(queue.take(1, 1_000_000))
        assert Batch(queue.take(1, 1).content, 0, 0) == queue.take(1, 1)
        assert (0, 0) == (len(queue), queue.size)

    def test_no_room(self, queue: Queue) -> None:
        """Only so much is taken as was granted; what is put is not asked."""
        queue.grant(2, 1_000_000)
        added = [queue.add(entry(queue, number)) for number in range(3)]
        queue.put(entry(queue, 3))

        assert [True, True, False] == added
        assert 3 == len(queue)

        queue.grant(10, queue.size)

        assert not queue.add(entry(queue, 4))

        queue.grant(10, queue.size + len(line(0)))

        assert queue.add(entry(queue, 4))

    def test_clear(self, queue: Queue) -> None:
        """A child forgets what its parent writes."""
        queue.add(entry(queue, 1))
        queue.clear()
        queue.grant(1, 1000)

        assert (0, 0) == (len(queue), queue.size)
        assert queue.add(entry(queue, 2))
        assert [2] == numbers(queue.take(1, 1000))

    @given(data=st.data(), kind=st.sampled_from([Lines, Messages]))
    def test_nothing_is_lost(self, data: st.DataObject, kind: Any) -> None:
        """Whatever is added is given back once, in order, and what waits is counted."""
        queue: Queue = kind()
        queue.grant(1000, 1_000_000)
        model: List[int] = []
        sizes: List[int] = []
        taken: List[int] = []
        expected: List[int] = []
        for number in range(data.draw(st.integers(0, 20))):
            if data.draw(st.booleans()):
                width = data.draw(st.integers(0, 50))
                queue.add(entry(queue, number, width))
                model.append(number)
                sizes.append(len(line(number, width)))
            else:
                most = data.draw(st.integers(1, 5))
                batch = queue.take(most, data.draw(st.integers(0, 200)))
                count = batch.messages
                taken.extend(numbers(batch))
                expected.extend(model[:count])

                assert sum(sizes[:count]) == batch.size
                assert bool(model) <= count <= most

                del model[:count], sizes[:count]

            assert (len(model), sum(sizes)) == (len(queue), queue.size)

        assert expected == taken

    def test_threads(self, queue: Queue) -> None:
        """Threads may add at the same time, while one takes."""
        together = Barrier(5)
        queue.grant(40_000, 100_000_000)

        def add(first: int) -> None:
            together.wait()
            for number in range(first, first + 1000):
                queue.add(entry(queue, number))

        threads = [Thread(target=add, args=(first * 1000,)) for first in range(4)]
        for thread in threads:
            thread.start()
        together.wait()
        found: List[int] = []
        while len(found) < 4000:
            found += numbers(queue.take(100, 10_000))
        for thread in threads:
            thread.join()

        assert [*range(4000)] == sorted(found)
        assert all(
            [n for n in found if n // 1000 == first] == [*range(first * 1000, first * 1000 + 1000)]
            for first in range(4)
        )
        assert (0, 0) == (len(queue), queue.size)


class TestLines:
    """Lines in one piece of memory."""

    def test_longer_than_wanted(self) -> None:
        """A line that is longer than a batch is taken whole."""
        queue = Lines()
        queue.put(line(1, 1000))
        queue.put(line(2))

        assert [1] == numbers(queue.take(10, 100))
        assert [2] == numbers(queue.take(10, 100))

    def test_being_added(self) -> None:
        """A line whose message is not counted yet is not forgotten."""
        queue = Lines()
        queue.buffer.extend(line(1))

        assert 1 == len(queue)


def test_batch_of() -> None:
    """A message is a batch, as a line or as it is."""
    assert Batch(b"{}\n", 1, 3) == batch_of(b"{}\n")
    assert Batch({"a": 1}, 1, 9) == batch_of(Measured({"a": 1}, 9))
