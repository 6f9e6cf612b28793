"""Lanes: where in a picture each action of a task goes, so that what overlaps in time does not."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import accumulate
from typing import Iterator, List, Optional, Tuple

from eliot._entries import Entry
from eliot._fields import STARTED_STATUS

#: Later than everything; the end of an action that never ended in its log.
NEVER = 1 << 62

# What is after the year 9999, or as long before 1970, is no time.
_LIMIT = 253_402_300_799


def _microseconds(seconds: Optional[float]) -> Optional[int]:
    """Convert seconds since 1970 to whole microseconds; what can be no time gives None."""
    if seconds is None or abs(seconds) > _LIMIT:
        return None
    return round(seconds * 1_000_000)


class Place:
    """
    Hold the place of one entry of a task: its time, its row and its track.

    Times are in microseconds since 1970. An action takes a rectangle with all that is in it: from
    `first` to `last`, and from `row` on `height` rows down. The rectangles of siblings do not
    overlap, and are below the action that they are in. Its own bar is in the first row, from
    `start` to `end`, which is `NEVER` if it has not ended, and no less than `start` whatever the
    clocks did. A message is a mark in the row of its action.

    A track is a chain of actions in which each is within the time of the one that it is in, and
    overlaps no other: what other viewers want. Its number is that of the row in which it begins.
    """

    __slots__ = (
        "actions",
        "end",
        "entry",
        "first",
        "height",
        "last",
        "number",
        "parent",
        "row",
        "start",
        "timed",
        "track",
    )

    start: int
    end: int
    first: int
    last: int
    row: int
    track: int

    def __init__(self, entry: Entry, parent: Optional[Place], number: int) -> None:
        self.entry: Entry = entry
        self.parent: Optional[Place] = parent
        #: How many entries of the task are before it.
        self.number: int = number
        #: The actions right inside it; once they have lanes, in the order of time.
        self.actions: List[Place] = []
        self.start = self.end = self.first = self.last = 0
        #: Whether its own messages, or any in it, tell a time.
        self.timed: bool = False
        self.height: int = 1
        #: Both are relative to its parent until all heights are known: how many rows below it,
        #: and 0 if on the same track.
        self.row = self.track = 0

    def is_action(self) -> bool:
        """Tell whether it is an action, which has a bar."""
        return self.entry.kind == "action"

    def is_open(self) -> bool:
        """Tell whether it is an action that never ended in its log."""
        return self.end == NEVER


class Lanes:
    """
    Arrange the entries of one task in rows and tracks.

    Args:
        top: The task's outermost action, or its message.

    Attributes:
        places: All entries, each before those that are in it.
        rows: How many rows they take.
        start: When the task began, in microseconds since 1970; 0 if it has no times.
        end: The last time that is known of it.
    """

    def __init__(self, top: Entry) -> None:
        places = _places(top)
        self.places: List[Place] = places
        for place in reversed(places):  # what is in it before the action itself
            _take_time(place)
        for place in places:
            if not place.timed and place.parent is not None:
                place.start = place.end = place.first = place.last = place.parent.start
        for place in reversed(places):
            _pack(place)
        for place in places:
            parent = place.parent
            if parent is not None:
                place.row += parent.row
                place.track = place.row if place.track else parent.track
        self.rows: int = places[0].height
        self.start: int = places[0].first
        self.end: int = max(place.start if place.is_open() else place.end for place in places)

    @property
    def top(self) -> Place:
        """The outermost action, or the message."""
        return self.places[0]

    def actions(self) -> Iterator[Place]:
        """List the actions in the order of time, each before those that are in it."""
        todo = [self.top] if self.top.is_action() else []
        while todo:
            place = todo.pop()
            yield place
            todo.extend(reversed(place.actions))


def _places(top: Entry) -> List[Place]:
    """List all entries, each before those that are in it."""
    places: List[Place] = []
    around: List[Place] = []
    for entry in top.walk():
        del around[entry.depth :]
        parent = around[-1] if around else None
        place = Place(entry, parent, len(places))
        places.append(place)
        if place.is_action():
            around.append(place)
            if parent is not None:
                parent.actions.append(place)
    return places


def _take_time(place: Place) -> None:
    """Set the times of an entry, what is in it having told it its own."""
    entry = place.entry
    start, end = _microseconds(entry.start), _microseconds(entry.end)
    if start is None:  # the first that is known
        start = end if not place.timed else place.first if end is None else min(place.first, end)
    if start is not None:
        if end is None:
            never = entry.status == STARTED_STATUS
            end = NEVER if never else place.last if place.timed else start
        elif end < start:  # the clock was set back
            end = start + (_microseconds(entry.duration) or 0)
        end = max(start, end)
        place.start, place.end = start, end
        place.first = min(place.first, start) if place.timed else start
        place.last = max(place.last, end) if place.timed else end
        place.timed = True
    parent = place.parent
    if parent is not None and place.timed:
        parent.first = min(parent.first, place.first) if parent.timed else place.first
        parent.last = max(parent.last, place.last) if parent.timed else place.last
        parent.timed = True


def _pack(place: Place) -> None:
    """Put the actions in an action into lanes of their own where they overlap."""
    if not place.actions:
        return
    # The first lane goes on with the track of the action, so all there is within its time. The
    # others are taken in order, each as soon as it is free again.
    heights = [0]
    free_since = place.start
    free: List[int] = []
    busy: List[Tuple[int, int]] = []
    place.actions.sort(key=_first)
    for child in place.actions:
        while busy and busy[0][0] <= child.first:
            heappush(free, heappop(busy)[1])
        if free_since <= child.first and child.last <= place.end:
            free_since = child.last
            lane = 0
        else:
            if free:
                lane = heappop(free)
            else:
                lane = len(heights)
                heights.append(0)
            heappush(busy, (child.last, lane))
        heights[lane] = max(heights[lane], child.height)
        child.track = lane
    above = list(accumulate(heights, initial=1))
    for child in place.actions:
        child.row = above[child.track]
    place.height = 1 + sum(heights)


def _first(place: Place) -> int:
    return place.first
