"""Which failed action is to blame for which: the story of the failures in one task."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import Dict, Iterable, List, Optional, Sequence, Set, Tuple, cast

from eliot._entries import Entry
from eliot._fields import FAILED_STATUS, STARTED_STATUS, SUCCEEDED_STATUS, TRACEBACK_FIELD

__all__ = ["Story", "after", "is_cancellation", "same", "time_of", "went_on"]


class Story:
    """
    Tell what went wrong in one task, from its entries in order; nothing else of them is kept.

    That actions are to blame is a guess: a log tells no more of an exception than its class and its
    text. See `eliot.parse.failures` for what is guessed.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        #: Failed actions, and messages that tell of an exception with its traceback, in order.
        self._noted: List[Entry] = []
        self._started: List[Entry] = []
        for entry in entries:
            if entry.kind == "action":
                status = entry.status
                if status == FAILED_STATUS:
                    self._noted.append(entry)
                elif status == STARTED_STATUS:
                    self._started.append(entry)
            elif entry.exception is not None and entry.fields.get(TRACEBACK_FIELD):
                self._noted.append(entry)
        # Actions are known by the identity of their entries: to compare levels takes long.
        self._causes: Dict[int, List[Entry]] = {}
        self._blamed: Set[int] = set()
        self._origins: List[Entry] = []
        self._cancelled: Dict[int, List[Entry]] = {}
        self._told: Dict[int, List[Entry]] = {}
        self._loose: List[Entry] = []
        self._timed: List[Tuple[float, Tuple[Optional[str], Optional[str]], Entry]] = []
        self._blame()
        self._listen()

    def _blame(self) -> None:
        failed = [entry for entry in self._noted if entry.kind == "action"]
        inner: Dict[int, List[Entry]] = {}
        for action in failed:
            if action.parent is not None:
                inner.setdefault(id(action.parent), []).append(action)
        for action in failed:
            causes = _causes(action, inner[id(action)]) if id(action) in inner else []
            if causes:
                self._causes[id(action)] = causes
                self._blamed.update(map(id, causes))
        self._excuse([action for action in failed if id(action) not in self._causes], inner)

    def _excuse(self, innermost: List[Entry], inner: Dict[int, List[Entry]]) -> None:
        """Set apart those actions that were cancelled because another one failed."""
        # In each action, what failed in it but was not cancelled, by time.
        timed: Dict[int, List[Tuple[float, int, Entry]]] = {}
        for action in innermost:
            way, around = self.way_up(action)
            cause = None
            if around is not None and _cancelled(way[-1]):
                if around.status == FAILED_STATUS:
                    cause = around
                else:
                    if id(around) not in timed:
                        timed[id(around)] = _by_end(inner[id(around)])
                    cause = _last_during(way[-1], timed[id(around)])
            if cause is None:
                self._origins.append(action)
            else:
                self._cancelled.setdefault(id(self._origin(cause)), []).append(action)

    def _listen(self) -> None:
        """Find out what the messages with tracebacks tell of: the last such failure before."""
        origins = set(map(id, self._origins))
        latest: Dict[Tuple[Optional[str], Optional[str]], Entry] = {}
        for entry in self._noted:
            if entry.kind == "action":
                if id(entry) in origins:
                    for action in self.way_up(entry)[0]:
                        latest[action.exception, action.reason] = entry
                continue
            origin = latest.get((entry.exception, entry.reason))
            if origin is None:
                self._loose.append(entry)
            else:
                self._told.setdefault(id(origin), []).append(entry)

    def _origin(self, action: Entry) -> Entry:
        while id(action) in self._causes:
            action = self._causes[id(action)][0]
        return action

    def origins(self) -> List[Entry]:
        """Return the actions that failed of themselves."""
        return self._origins

    def way_up(self, origin: Entry) -> Tuple[List[Entry], Optional[Entry]]:
        """Return the actions that failed of one of them, from inside, and the one around them."""
        way = [origin]
        while id(way[-1]) in self._blamed:
            way.append(cast("Entry", way[-1].parent))
        return way, way[-1].parent

    def told(self, origin: Entry) -> Sequence[Entry]:
        """Return the messages that tell of a failure."""
        return self._told.get(id(origin), ())

    def loose(self) -> List[Entry]:
        """Return the messages that tell of no failed action."""
        return self._loose

    def afterwards(self, origin: Entry) -> List[Entry]:
        """Return actions that were cancelled because of a failed one, or failed later otherwise."""
        when = time_of(origin)
        if when is None:
            return self._cancelled.get(id(origin), [])
        if not self._timed:  # each failure is compared with all others
            # Cancellations are told of themselves, or with what they are because of.
            others = [o for o in self._origins if not _cancelled(o)]
            timed = [(time_of(o), (o.exception, o.reason), o) for o in others]
            self._timed = [(time, key, o) for time, key, o in timed if time is not None]
            self._timed.sort(key=itemgetter(0))
        own = origin.exception, origin.reason
        later = [o for time, key, o in self._timed if time > when and key != own]
        return self._cancelled.get(id(origin), []) + later

    def unfinished(self) -> List[Entry]:
        """Return the actions that never ended and have none such in them."""
        around = set()
        for entry in self._started:
            parent = entry.parent
            while parent is not None and id(parent) not in around:
                around.add(id(parent))
                parent = parent.parent
        return [entry for entry in self._started if id(entry) not in around]


def _causes(action: Entry, failed: List[Entry]) -> List[Entry]:
    """Return those of the failed actions in a failed one that are to blame for it."""
    end = action.end
    alike = [child for child in failed if same(child, action)]
    in_time = [child for child in alike if not after(child.end, end)]
    if alike:
        return [max(in_time, key=_time_key) if in_time else alike[0]]
    others = [child for child in failed if not _cancelled(child) and not after(child.end, end)]
    if not others or _cancelled(action):
        return []
    if _class_name(action.exception).endswith("ExceptionGroup"):
        return others
    last = max(others, key=_time_key)
    begun = (child.start for child in action.children if child.kind == "action")
    return [] if any(after(start, last.end) for start in begun) else [last]


def _by_end(failed: List[Entry]) -> List[Tuple[float, int, Entry]]:
    """Return those that failed at a known time and were not cancelled, in order."""
    known = [(child.end, child) for child in failed if not _cancelled(child)]
    return sorted(
        (end, number, child) for number, (end, child) in enumerate(known) if end is not None
    )


def _last_during(cancelled: Entry, failed: Sequence[Tuple[float, int, Entry]]) -> Optional[Entry]:
    """Return what failed last while an action was running that was cancelled then."""
    end = cancelled.end
    if end is None:
        return None
    number = bisect_right(failed, (end, len(failed)))
    if not number or after(cancelled.start, failed[number - 1][0]):
        return None
    return failed[number - 1][2]


def same(one: Entry, two: Entry) -> bool:
    """Tell whether two actions failed with one exception, as far as the log tells."""
    return one.exception == two.exception and (one.reason == two.reason or _cancelled(one))


def _class_name(exception: Optional[str]) -> str:
    return (exception or "").rpartition(".")[2]


def is_cancellation(exception: Optional[str]) -> bool:
    """Tell whether that is how something is cancelled: by asyncio, Twisted and others, or trio."""
    return _class_name(exception) in ("CancelledError", "Cancelled")


def _cancelled(action: Entry) -> bool:
    return is_cancellation(action.exception)


def went_on(action: Entry, child: Entry) -> bool:
    """Tell whether an action ended after one in it had failed, and not of that."""
    return action.status in (SUCCEEDED_STATUS, FAILED_STATUS) and not after(child.end, action.end)


def time_of(entry: Entry) -> Optional[float]:
    """Return when an entry ended, or at least when it began."""
    end = entry.end
    return entry.start if end is None else end


def _time_key(entry: Entry) -> float:
    return time_of(entry) or 0.0


def after(one: Optional[float], two: Optional[float]) -> bool:
    """Tell whether a time is known to be after another one."""
    return one is not None and two is not None and one > two
