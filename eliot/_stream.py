"""The parser's stream: from the messages of a log to tasks, most of them by a fast lane."""

from __future__ import annotations

from collections import deque
from typing import (
    Any,
    Callable,
    Dict,
    Hashable,
    Iterable,
    Iterator,
    List,
    Mapping,
    Tuple,
    TypeVar,
    Union,
    cast,
)

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    MESSAGE_TYPE_FIELD,
    STARTED_STATUS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
)
from eliot._packed import Shape, Told, shape_of, shape_with
from eliot._safe import saferepr
from eliot._task import Source, Task
from eliot._tree import ENDED, UNKNOWN, Tree, is_boundary
from eliot._typing import Message

__all__ = ["ENDS", "KINDS", "ROOM", "TASK_ROOM", "Stream", "hold_back", "uuid_of"]

_T = TypeVar("_T")

# Completed tasks are remembered for late messages, recent and older ones apart. When the recent
# ones have filled their room, they become the older ones, and those are forgotten. A task takes as
# much room as it has messages, and some for itself.
ROOM = 5500
TASK_ROOM = 6

#: How the last message of a type looked: those of one type often have the same fields.
KINDS: Dict[str, Shape] = {}
#: The same for starts and ends of actions, by status and type.
ENDS: Dict[str, Dict[str, Shape]] = {status: {} for status in (STARTED_STATUS, *ENDED)}
_MOST = 1000

#: A task that is told in order: its messages, of which those of ended actions within are counted;
#: the level that comes next; the types of its open actions.
Teller = Tuple[Told, List[int], List[Any]]

_NOBODY: Any = object()
# How no message looks: stands for a type that has come once, for many come no more than that.
_ONCE = Shape((), -1, tuple)
_FIRST = [1]
_AMBIGUOUS = (ACTION_TYPE_FIELD, ACTION_STATUS_FIELD, MESSAGE_TYPE_FIELD)


class Stream:
    """
    Sort the messages of one log into tasks.

    Most tasks of most logs are told in order: each message comes next after the one before it. Of
    these nothing is kept but the messages, and which level comes next. The first message that
    comes elsewhere makes a tree of the task, where everything has its place.

    Args:
        on_error: As for `Parser.parse_stream`.
    """

    def __init__(self, on_error: Callable[[Any, Exception], object] | None) -> None:
        self._on_error = on_error
        #: Tasks that are not complete.
        self._opened: dict[str, Union[Teller, Tree]] = {}
        #: Tasks completed last, and those before them.
        self._recent: dict[str, Task] = {}
        self._older: dict[str, Task] = {}
        #: What is left for recent ones.
        self._room = ROOM
        #: Tasks that have grown since somebody looked at them.
        self._grown: dict[str, Task] = {}

    def tasks(  # noqa: C901, PLR0912, PLR0915 - one loop, since calls would take most of its time
        self, messages: Iterable[Any]
    ) -> Iterator[Task]:
        """
        Give each task as soon as it is complete, and at the end those that are not.

        For messages that come next in their task, and look like others of their type, this does
        without any call but to C what `_add` does for all: in a third of the time. In a run of
        messages of one type, how they look is found once.
        """
        opened, recent, older = self._opened, self._recent, self._older
        nowhere: Teller = [], [_NOBODY], [_NOBODY]
        unknown: Teller = [], [_NOBODY], []
        slots: dict[int, Any] | None = None  # of the action of the last message, in a tree
        source: Source | None = None  # of a task that is complete
        # `kind` is the type in whose shape the last message was added to `arrived`; with "" there
        # is none, and no message has a count of -1. `top` is the last index of `level`: what has a
        # negative index takes longer.
        uuid, kind, shape, top = _NOBODY, "", _ONCE, 0
        count, values_of = shape.count, shape.values_of
        arrived: Told
        level: list[int]
        types: list[Any]
        arrived, level, types = unknown
        for message in messages:
            try:
                if type(message) is dict:
                    if message[TASK_UUID_FIELD] != uuid:
                        uuid = message[TASK_UUID_FIELD]
                        known = opened.get(uuid)
                        kind, count = "", -1
                        slots = None
                        if known is None:
                            late = uuid in recent or uuid in older
                            arrived, level, types = nowhere if late else unknown
                        elif not isinstance(known, Tree):
                            arrived, level, types = known
                        elif known._here.wanted != UNKNOWN:  # the next message may complete it
                            arrived, level, types = nowhere
                        else:
                            slots = known._here.slots
                            arrived, level, types = (
                                cast("Told", known.messages),
                                known._next,
                                nowhere[1],
                            )
                        top = len(level) - 1
                    here = message[TASK_LEVEL_FIELD]
                    told = message.get(MESSAGE_TYPE_FIELD)
                    if told is not None:
                        if here == level:
                            if told != kind:
                                shape = KINDS[told]
                                kind, count, values_of = told, shape.count, shape.values_of
                                if slots is None:
                                    arrived.append(shape)
                            if len(message) == count:
                                values = values_of(message)
                                if slots is None:
                                    level[top] += 1
                                    arrived += values
                                    continue
                                number = level[top]
                                if number not in slots:
                                    packed = slots[number] = values + shape.rest
                                    arrived.append(packed)
                                    level[top] = number + 1
                                    continue
                        elif here == _FIRST and not types:
                            shape = KINDS[told]
                            if len(message) == shape.count:
                                source = shape.values_of(message) + shape.rest  # outside any action
                                self._room -= 1 + TASK_ROOM
                    elif slots is None:
                        told, status = message[ACTION_TYPE_FIELD], message[ACTION_STATUS_FIELD]
                        shape = ENDS[status][told]
                        if len(message) == shape.count:
                            values = shape.values_of(message)
                            kind, count = "", -1
                            if status == STARTED_STATUS:
                                if not types:
                                    if here == _FIRST:
                                        arrived, level, types = [0, shape, *values], [2], [told]
                                        opened[uuid] = arrived, level, types
                                        continue
                                else:
                                    level.append(1)
                                    if here == level:
                                        arrived.append(shape)
                                        arrived += values
                                        types.append(told)
                                        top += 1
                                        level[top] = 2
                                        continue
                            elif here == level and told == types[top]:
                                arrived.append(shape)
                                arrived += values
                                arrived[0] += level[top]
                                if top:
                                    level.pop()
                                    types.pop()
                                    arrived[0] -= 1
                                    top -= 1
                                    level[top] += 1
                                    continue
                                del opened[uuid]
                                source = arrived
                                self._room -= arrived[0] + TASK_ROOM
            except Exception:  # noqa: S110 - whatever it is, _add() finds it again
                pass
            if source is None:
                if slots is None:
                    del level[top + 1 :]
                task = self._plainly(message)
                level, top = nowhere[1], 0  # it may have moved on where these were
            else:
                task = recent[uuid] = Task(source, None, uuid)
                source = None
            uuid = _NOBODY
            if task is not None:
                yield task
                if self._room < 0:
                    yield from self._forget()
                    recent, older = self._recent, self._older
        yield from self._grown.values()
        for uuid, known in opened.items():
            tree = known if isinstance(known, Tree) else Tree.told(uuid, known[0])
            yield Task(tree, len(tree.messages), uuid)

    def take(self, uuid: str) -> Task | None:
        """
        Return a task that is not complete, as it is now, and forget it; None if there is none.

        It is for whoever gives the messages, in between two of them; further ones of the task must
        not be given.
        """
        known = self._opened.pop(uuid, None)
        if known is None:
            return None
        tree = known if isinstance(known, Tree) else Tree.told(uuid, known[0])
        return Task(tree, len(tree.messages), uuid)

    def sizes(self) -> dict[str, int]:
        """Return how many messages there are of each task that is not complete, oldest first."""
        return {
            uuid: len(known.messages)
            if isinstance(known, Tree)
            else known[0][0] + sum(known[1]) - len(known[1])
            for uuid, known in self._opened.items()
        }

    def _plainly(self, message: Any) -> Task | None:
        """Add any message; tell if it has no place in a task."""
        try:
            return self._add(message)
        except Exception as error:
            problem = _clearer(message, error)
            if self._on_error is None:
                raise problem from None
            self._on_error(message, problem)
            return None

    def _add(self, message: Mapping[str, Any]) -> Task | None:
        """Add a message to its task; return that if it is complete now."""
        uuid = message[TASK_UUID_FIELD]
        known = self._opened.get(uuid)
        fields = message if isinstance(message, dict) else dict(message)
        if known is None:
            return self._begin(uuid, fields)
        if not isinstance(known, Tree):
            arrived, level, types = known
            if _follow(fields, arrived, level, types):
                return None if types else self._complete(uuid, arrived, arrived[0])
            known = self._opened[uuid] = Tree.told(uuid, arrived)
        elif not is_boundary(fields):
            _note(KINDS, fields, fields.get(MESSAGE_TYPE_FIELD))
        return self._complete(uuid, known, len(known.messages)) if known.add(fields) else None

    def _begin(self, uuid: str, fields: Message) -> Task | None:
        """Begin a task, unless the message belongs to one that was complete."""
        home = self._recent if uuid in self._recent else self._older
        if uuid in home:
            self._add_late(fields, uuid, home)
            return None
        if not is_boundary(fields) and fields[TASK_LEVEL_FIELD] == _FIRST:
            shape = _note(KINDS, fields, fields.get(MESSAGE_TYPE_FIELD))
            return self._complete(uuid, shape.values_of(fields) + shape.rest, 1)
        teller: Teller = [0], [], []
        if _follow(fields, *teller):
            self._opened[uuid] = teller
            return None
        tree = Tree.of([fields])
        if tree.complete_since is not None:
            return self._complete(uuid, tree, 1)
        self._opened[uuid] = tree
        return None

    def _complete(self, uuid: str, source: Source, size: int) -> Task:
        self._opened.pop(uuid, None)
        self._room -= size + TASK_ROOM
        task = self._recent[uuid] = Task(source, None, uuid)
        return task

    def _add_late(self, message: Message, uuid: str, home: dict[str, Task]) -> None:
        """Add a message to a task that is complete; note which one came of it if that shows."""
        task = home[uuid]
        if not task._join(message):
            more = task.add(message)
            if more._known != task._known:
                home[uuid] = self._grown[uuid] = more
        self._room -= 1

    def _forget(self) -> list[Task]:
        """Forget the older tasks; return those of them that have grown."""
        grown = [self._grown.pop(uuid) for uuid in self._older if uuid in self._grown]
        self._recent, self._older, self._room = {}, self._recent, ROOM
        return grown


def hold_back(tasks: Iterable[_T]) -> Iterator[_T]:
    """
    Give tasks of a stream so late that late messages have joined them, and none comes twice.

    At that time the stream has forgotten them: it may have begun with a task to fill the room for
    recent ones, and filled it once more since.
    """
    # Each with the room that was taken in all: before it, or when it was no recent one any more.
    recent: deque[tuple[_T, int]] = deque()
    older: deque[tuple[_T, int]] = deque()
    taken = 0
    for task in tasks:
        recent.append((task, taken))
        taken += TASK_ROOM + (task._size() if isinstance(task, Task) else 0)
        while recent and taken - recent[0][1] > ROOM:
            older.append((recent.popleft()[0], taken))
        while older and taken - older[0][1] > ROOM:
            yield older.popleft()[0]
    for task, _ in (*older, *recent):
        yield task


def _follow(fields: Message, arrived: Told, level: list[int], types: list[Any]) -> bool:
    """Take a message that comes next in its task, and move on; or tell that it does not."""
    here = fields[TASK_LEVEL_FIELD]
    if not is_boundary(fields):
        if here != level or not types:
            return False
        shape = _note(KINDS, fields, fields.get(MESSAGE_TYPE_FIELD))
        if not shape.width:  # without a value of its own it would leave no trace
            return False
        level[-1] += 1
    else:
        action_type, status = fields[ACTION_TYPE_FIELD], fields[ACTION_STATUS_FIELD]
        starts = status == STARTED_STATUS
        if starts:
            if here != [*level, 1]:
                return False
        elif not types or here != level or status not in ENDED or action_type != types[-1]:
            return False
        shape = _note(ENDS[status], fields, action_type, status)
        if not shape.width or shape.status is None:  # as above
            return False
        if starts:
            level.append(2)
            types.append(action_type)
        else:
            types.pop()
            arrived[0] += level.pop()
            if level:
                arrived[0] -= 1
                level[-1] += 1
    arrived.append(shape)
    arrived += shape.values_of(fields)
    return True


def _note(shapes: dict[str, Shape], fields: Message, *shared: Any) -> Shape:
    """Return how a message looks; remember that for others of its type."""
    shape = shape_of(fields)
    kind = shared[0]
    # Anything may stand where types are, and what equals a text is not always one; and what has
    # these three may be a message or a start.
    if {*map(type, shared)} != {str} or shape.names[-3:] == _AMBIGUOUS:
        return shape
    known = shapes.get(kind)
    if known is None:
        if len(shapes) >= _MOST:
            shapes.clear()
        shapes[kind] = known = _ONCE
        if shapes is KINDS:
            return shape
    if known.names is not shape.names:
        known = shape_with(shape, shared)
        if known.width:
            shapes[kind] = known
    return known


def uuid_of(message: Any) -> str:
    """Return the task of a message, or say clearly why there is none."""
    if not isinstance(message, Mapping):
        msg = f"A message is a dictionary, not {saferepr(message)}."
        raise TypeError(msg)
    uuid: Any = message[TASK_UUID_FIELD]
    if not isinstance(uuid, Hashable):
        msg = f"task_uuid is text, not {saferepr(uuid)}."
        raise TypeError(msg)
    return uuid  # type: ignore[return-value] # anything that can be a key will do


def _clearer(message: Any, error: Exception) -> Exception:
    """Return a better error than what came of looking at a message, if there is any."""
    try:
        uuid_of(message)
    except Exception as clearer:
        return clearer
    return error
