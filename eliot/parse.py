"""Reading: from the messages of a log, in any order, to the trees of actions that they tell of."""

from __future__ import annotations

import warnings
from collections import deque
from itertools import islice
from threading import RLock
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    NamedTuple,
    Tuple,
    TypeVar,
    cast,
)

from eliot._fields import TASK_LEVEL_FIELD, TASK_UUID_FIELD
from eliot._lines import BadLine as BadLine  # noqa: PLC0414 - exported, see below
from eliot._lines import read_lines as read_lines  # noqa: PLC0414
from eliot._run import Run
from eliot._safe import saferepr
from eliot._tasklevel import TaskLevel
from eliot._tree import Tree, is_boundary
from eliot._typing import Message
from eliot._written import WrittenAction, WrittenMessage, copy_of

if TYPE_CHECKING:
    from pyrsistent.typing import PMap

    from eliot._entries import Entry as Entry  # noqa: PLC0414 - exported, see below
    from eliot._inputs import MessageStream, Source
    from eliot._inputs import Problem as Problem  # noqa: PLC0414

# As in published Eliot, to the letter; `BadLine`, `Entry`, `Problem`, `read` and `read_lines` are
# public, too.
__all__ = ["Parser", "Task", "TaskLevel", "WrittenAction", "WrittenMessage"]

_T = TypeVar("_T")

# Held while a lone message gets a tree; re-entrant, since the garbage collector may run then.
_PLANTING = RLock()

# Completed tasks are remembered for late messages, recent and older ones apart. When the recent
# ones have filled their room, they become the older ones, and those are forgotten. A task takes as
# much room as it has messages, and some for itself.
_ROOM = 5500
_TASK_ROOM = 6
_MOST_RECENT = 2 * (_ROOM // (_TASK_ROOM + 1) + 1)

#: How many problems are told one by one.
_WARNINGS = 10


class Task:
    """
    Hold the tree of one task, as far as its messages are known; an immutable value.

    Messages may come in any order. Each has its place, the one where it was logged: what comes
    after its action's end, or after the task was complete, is put there too. Of two messages with
    one place the later one wins; `replaced` keeps the other one. A message that is where a child
    action is, is only there.

    >>> from eliot.parse import Task
    >>> greet = {"task_uuid": "u", "action_type": "greet"}
    >>> task = Task()
    >>> task = task.add({**greet, "task_level": [2], "action_status": "succeeded"})
    >>> task.is_complete(), task.missing()
    (False, [TaskLevel([1])])
    >>> task = task.add({**greet, "task_level": [1], "action_status": "started"})
    >>> task.is_complete(), task.root().status
    (True, 'succeeded')
    """

    __slots__ = ("_known", "_root", "_source")

    # Tasks share one growing tree, of which each knows the first so many messages: the newest task
    # is the tree itself, an older one that is asked for anything makes its own. None means all
    # messages, however many come until somebody looks: see Parser.parse_stream(). A message
    # outside any action is not worth a tree until somebody asks for more than that message.
    _known: int | None
    _source: Tree | Message | None
    _root: WrittenAction | WrittenMessage | None

    def __init__(self, _source: Tree | Message | None = None, _known: int | None = 0) -> None:
        self._source = _source
        self._known = _known
        self._root = None

    def _tree(self) -> Tree | None:
        source = self._source
        if not isinstance(source, dict):
            return source
        with _PLANTING:
            if self._source is source:
                self._source = Tree(source)
        return self._tree()

    def add(self, message_dict: Mapping[str, Any]) -> Task:
        """
        Return the task with one more message.

        Args:
            message_dict: A message as logged, or as decoded from a line of a log. It is copied.

        Raises:
            TypeError: If it is no mapping, or its level holds anything but integers.
            KeyError: If it lacks `task_uuid`, `task_level` or, in an action, `action_status`.
            ValueError: If its level cannot be one.
            WrongTask: If it belongs to another task.
            InvalidStartMessage: If it starts an action, but is not the first message there.
            WrongActionType: If it ends an action of another type.
            InvalidStatus: If its status is unknown.
        """
        message = copy_of(message_dict)
        tree = self._tree()
        if tree is None:
            return Task(Tree(message), 1)
        with tree.lock:
            known = self._look(tree)
            if known == len(tree.messages) and not tree.shown:
                tree.extend(message)
                grown = len(tree.messages)
                return self if grown == known else Task(tree, grown)
            earlier = tree.first(known)
        return Task(Tree.of(earlier), known).add(message)

    def _look(self, tree: Tree) -> int:
        """Settle which messages the task has; call it with the tree locked."""
        if self._known is None:
            self._known = len(tree.messages)
        return self._known

    def _ask(self, question: Callable[[Tree], _T], nothing: _T) -> _T:
        """Ask the tree, as it was when it had just the messages of this task."""
        tree = self._tree()
        if tree is None:
            return nothing
        with tree.lock:
            known = self._look(tree)
            if known == len(tree.messages):
                return question(tree)
            earlier = tree.first(known)
        return question(Tree.of(earlier))

    def _messages(self) -> list[Message]:
        tree = self._tree()
        if tree is None:
            return []
        with tree.lock:
            return tree.first(self._look(tree))

    def _join(self, message: Message) -> bool:
        """Add a message in place, unless somebody has looked at the task; tell if that was done."""
        tree = cast("Tree", self._tree())  # it is complete, so it is not empty
        with tree.lock:
            if self._known is None:
                tree.extend(message)
            return self._known is None

    def root(self) -> WrittenAction | WrittenMessage:
        """
        Return the top of the tree.

        Returns:
            The outermost action, of which not all messages need to be known; the message itself
            for a message logged outside of any action.

        Raises:
            KeyError: If the task is empty.
        """
        root = self._view()
        if root is None:
            msg = "A task without messages has no root."
            raise KeyError(msg)
        return root

    def top(self) -> Entry:
        """
        Return the top of the tree as an entry, which takes much less than `root`.

        Raises:
            KeyError: If the task is empty.

        .. versionadded:: 2.0
        """
        from eliot._entries import message_entry, top_entry  # late: writers do not need it

        message = self._lone_message()
        if message is not None:
            return message_entry(message._logged_dict)
        entry = self._ask(top_entry, None)
        if entry is None:
            msg = "A task without messages has no top."
            raise KeyError(msg)
        return entry

    def walk(self) -> Iterator[Entry]:
        """
        Give all entries of the task: each action before what is in it, in order of level.

        Trees of any depth and size can be walked: nothing is recursive, and nothing is kept.

        >>> from eliot.parse import Task
        >>> greet = {"task_uuid": "u", "action_type": "greet"}
        >>> task = Task().add({**greet, "task_level": [1], "action_status": "started"})
        >>> task = task.add({"task_uuid": "u", "task_level": [3], "message_type": "hello"})
        >>> for entry in task.walk():
        ...     print("  " * entry.depth, entry.kind, entry.type)
         action greet
           missing None
           message hello

        .. versionadded:: 2.0
        """
        return iter(()) if self._source is None else self.top().walk()

    def _view(self) -> WrittenAction | WrittenMessage | None:
        if self._root is None:
            self._root = self._lone_message() or self._ask(Tree.view, None)
        return self._root

    def _lone_message(self) -> WrittenMessage | None:
        source = self._source
        if not isinstance(source, dict):
            return None
        with _PLANTING:
            if self._source is not source:
                return None
            self._known = 1
            return WrittenMessage(source)

    def is_complete(self) -> bool:
        """
        Tell whether every message of the task has come, as far as the messages themselves say.

        Each finish message tells how many messages and actions were logged before it. A task that
        was complete stays so, whatever comes later.
        """
        source = self._source
        if not isinstance(source, Tree):
            return source is not None
        since = source.complete_since
        return since is not None and (self._known is None or since <= self._known)

    def missing(self, limit: int = 1000) -> list[TaskLevel]:
        """
        Return the places where messages must have been that have not come.

        They were lost or filtered out, or are still to come. For an action that has not ended this
        includes the next place, where its finish message may be.

        Args:
            limit: Return no more than that many.

        Returns:
            The places, those in outer actions first.

        .. versionadded:: 2.0
        """
        return self._ask(lambda tree: list(islice(tree.missing(), limit)), [])

    def replaced(self) -> list[WrittenMessage]:
        """
        Return the messages that are not in the tree, since another one has the same place.

        A message that came twice, being the same, is not among them.

        .. versionadded:: 2.0
        """
        return self._ask(lambda tree: list(map(WrittenMessage, tree.replaced())), [])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task):
            return NotImplemented
        return self._view() == other._view() and self.is_complete() == other.is_complete()

    def __hash__(self) -> int:
        messages = self._messages()
        return hash(messages[0][TASK_UUID_FIELD] if messages else None)

    def __repr__(self) -> str:
        messages = self._messages()
        if not messages:
            return "Task()"
        state = "complete" if self.is_complete() else "incomplete"
        return f"<Task {messages[0][TASK_UUID_FIELD]!r}: {len(messages)} messages, {state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_task, (self._messages(),)


def _restore_task(messages: list[Message]) -> Task:
    """Undo `Task.__reduce__`."""
    return Task(Tree.of(messages), len(messages)) if messages else Task()


class _State(NamedTuple):
    """What a parser knows."""

    #: Tasks that are not complete, each with a number that tells their order.
    incomplete: PMap[str, Tuple[int, Task]]
    #: Tasks completed last, and those before them.
    recent: PMap[str, Task]
    older: PMap[str, Task]
    #: What is left for recent ones, see _ROOM.
    room: int
    #: How many tasks have begun.
    begun: int = 0

    def completed(self, uuid: str, task: Task, room: int) -> _State:
        """Remember a complete task, and forget the oldest ones from time to time."""
        from pyrsistent import pmap

        incomplete, recent = self.incomplete.discard(uuid), self.recent.set(uuid, task)
        if room < self.room:
            return self._replace(incomplete=incomplete, recent=recent, room=self.room - room)
        return self._replace(incomplete=incomplete, recent=pmap(), older=recent, room=_ROOM)


def _new_state() -> _State:
    from pyrsistent import pmap

    return _State(pmap(), pmap(), pmap(), _ROOM)


class Parser:
    """
    Sort the messages of a log into tasks; an immutable value.

    Use `Parser.parse_stream` to read a whole log, and `add` to be asked message by message.

    A message that comes after its task was complete, since a thread or another process logged it
    late, still finds its task if that is one of the last 500 that were completed and these have no
    more than 2,500 messages together. Later than that it may begin a new task, never complete.

    >>> from eliot.parse import Parser
    >>> greet = {"task_uuid": "u", "action_type": "greet"}
    >>> done, parser = Parser().add({**greet, "task_level": [1], "action_status": "started"})
    >>> len(done), len(parser.incomplete_tasks())
    (0, 1)
    >>> done, parser = parser.add({**greet, "task_level": [2], "action_status": "succeeded"})
    >>> [task.root().action_type for task in done], parser.incomplete_tasks()
    (['greet'], [])
    """

    __slots__ = ("_state",)

    def __init__(self, _state: _State | None = None) -> None:
        self._state = _state or _new_state()

    def add(self, message_dict: Mapping[str, Any]) -> tuple[list[Task], Parser]:
        """
        Take one more message.

        Args:
            message_dict: A message as logged, or as decoded from a line of a log. It is copied.

        Returns:
            The task that this message completes, in a list, which is empty if there is none; and
            the parser to go on with. A message that comes late, but in time to find its task,
            gives that whole task once more, grown by the message.

        Raises:
            Exception: What `Task.add` raises.
        """
        uuid = _uuid_of(message_dict)
        state = self._state
        late = None
        number, task = state.incomplete.get(uuid) or (state.begun, None)
        if task is None:
            late = state.recent.get(uuid) or state.older.get(uuid)
            task = late or Task()
        grown = task.add(message_dict)
        if late is not None and grown._known == late._known:
            return [], self  # the same message once more
        if grown.is_complete():
            room = 1 if late is not None else len(grown._messages()) + _TASK_ROOM
            return [grown], Parser(state.completed(uuid, grown, room))
        incomplete = state.incomplete.set(uuid, (number, grown))
        begun = max(state.begun, number + 1)
        return [], Parser(state._replace(incomplete=incomplete, begun=begun))

    def incomplete_tasks(self) -> list[Task]:
        """Return the tasks that are not complete, in the order of their first messages."""
        return [task for _, task in sorted(self._state.incomplete.values(), key=_number)]

    @classmethod
    def parse_stream(  # noqa: C901 - the usual way makes few calls
        cls,
        iterable: Iterable[Mapping[str, Any] | BadLine],
        on_error: Callable[[Any, Exception], object] | None = None,
    ) -> Iterator[Task]:
        """
        Sort a whole log into tasks, reading no further than needed and keeping only what is.

        Each task comes as soon as its last message was read; those that are not complete come at
        the end, in the order of their first messages.

        A message that comes late, but in time to find its task, joins that very task if nobody has
        asked it for its tree yet, so that `list(Parser.parse_stream(log))` has every message in
        place. Otherwise the task comes a second time, grown: as soon as it is forgotten,
        before the incomplete ones at the latest.

        Args:
            iterable: The messages, in any order. They are copied.
            on_error: Called with each message that has no place in a task, and with the reason;
                the message is left out then. Without it the exception is raised.

        Returns:
            An iterator over the tasks.

        Raises:
            Exception: What `Task.add` raises, unless there is *on_error*.

        >>> log = [{"task_uuid": "u", "task_level": [1], "message_type": "hello"}, {"oops": 1}]
        >>> tasks = Parser.parse_stream(log, on_error=lambda message, error: print(message, error))
        >>> [task.root().contents.message_type for task in tasks]
        {'oops': 1} 'task_uuid'
        ['hello']

        .. versionchanged:: 2.0
            Added *on_error*.
        """
        trees: dict[str, Tree] = {}
        recent: dict[str, Task] = {}
        older: dict[str, Task] = {}
        grown: dict[str, Task] = {}
        room = _ROOM
        run = Run()
        for message in run.others(iterable):
            tree, run.tree = run.tree, None
            try:
                uuid = message[TASK_UUID_FIELD]
                if tree is None or tree.uuid != uuid:
                    tree = trees.get(uuid)
                fields = message if isinstance(message, dict) else dict(message)
                if tree is not None:
                    if not tree.add(fields):
                        run.tree = tree
                        continue
                    del trees[uuid]
                    task = Task(tree, None)
                    room -= len(tree.messages) + _TASK_ROOM
                elif uuid in recent or uuid in older:
                    _add_late(fields, uuid, recent if uuid in recent else older, grown)
                    room -= 1
                    continue
                elif fields[TASK_LEVEL_FIELD] == [1] and not is_boundary(fields):
                    task = Task(fields.copy(), None)
                    room -= 1 + _TASK_ROOM
                else:
                    tree = Tree(fields)
                    if tree.complete_since is None:
                        trees[uuid] = run.tree = tree
                        continue
                    task = Task(tree, None)
                    room -= 1 + _TASK_ROOM
            except Exception as error:
                problem = _clearer(message, error)
                if on_error is None:
                    raise problem from None
                on_error(message, problem)
                continue
            recent[uuid] = task
            yield task
            if room < 0:
                yield from [grown.pop(late) for late in older if late in grown]
                recent, older, room = {}, recent, _ROOM
        yield from grown.values()
        for tree in trees.values():
            yield Task(tree, len(tree.messages))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parser):
            return NotImplemented
        return self._tasks() == other._tasks()

    def __hash__(self) -> int:
        return hash(frozenset(self._state.incomplete))

    def __repr__(self) -> str:
        return f"<Parser: {len(self._state.incomplete)} incomplete tasks>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_parser, (self._state,)

    def _tasks(self) -> dict[str, Task]:
        return {uuid: task for uuid, (_, task) in self._state.incomplete.items()}


def _restore_parser(state: _State) -> Parser:
    """Undo `Parser.__reduce__`; a class method would not do: Twisted breaks pickles of those."""
    return Parser(state)


def read(*sources: Source, on_error: Callable[[Problem], object] | None = None) -> Iterator[Task]:
    """
    Read logs, and give their tasks, as `Parser.parse_stream` does.

    Nothing more is read than is asked for. Several logs, of several processes for example, are
    merged in order of time, so that tasks that went through more than one process are whole.

    Args:
        sources: Paths of files; patterns such as `"logs/*.log.gz"`; `"-"` for standard input; or
            files that are open for reading. What is compressed with gzip or Zstandard is
            decompressed.
        on_error: Called, in its place, with each problem: a line that is no message, a message
            that has no place in a task, a file that cannot be read. Without it there is a warning
            for each of the first ten, and the rest is counted in another one.

    Returns:
        An iterator over the tasks.

    Raises:
        TypeError: If there is no source.

    >>> import io
    >>> from eliot.parse import read
    >>> log = b'{"task_uuid":"u","task_level":[1],"timestamp":1.5,"message_type":"m","x":3}'
    >>> [entry.fields for task in read(io.BytesIO(log)) for entry in task.walk()]
    [{'x': 3}]

    .. versionadded:: 2.0
    """
    from eliot._inputs import Log  # late: writers do not need it

    if not sources:
        msg = "read() takes at least one path, pattern or open file."
        raise TypeError(msg)
    if on_error is not None:
        return tasks_of(Log(sources, on_error), on_error)
    return _warned(sources)


def _warned(sources: Iterable[Source]) -> Iterator[Task]:
    from eliot._inputs import Log  # late, as above

    count = 0

    def warn(problem: Problem) -> None:
        nonlocal count
        count += 1
        if count <= _WARNINGS:
            warnings.warn(str(problem), RuntimeWarning, stacklevel=2)

    yield from tasks_of(Log(sources, warn), warn)
    if count > _WARNINGS:
        msg = f"{count - _WARNINGS} more lines or messages could not be read."
        warnings.warn(msg, RuntimeWarning, stacklevel=2)


def tasks_of(log: MessageStream, on_problem: Callable[[Problem], object]) -> Iterator[Task]:
    """Give the tasks of a log; report messages without a place where they are."""
    return Parser.parse_stream(
        log.messages(), lambda message, error: on_problem(log.problem(message, error))
    )


def hold_back(tasks: Iterable[Task]) -> Iterator[Task]:
    """Give tasks of a stream so late that late messages have joined them, and none comes twice."""
    held: deque[Task] = deque()
    for task in tasks:
        held.append(task)
        if len(held) > _MOST_RECENT:
            yield held.popleft()
    yield from held


def _add_late(message: Message, uuid: str, home: dict[str, Task], grown: dict[str, Task]) -> None:
    """Add a message to a task that is complete; note which one came of it if that shows."""
    task = home[uuid]
    if not task._join(message):
        more = task.add(message)
        if more._known != task._known:
            home[uuid] = grown[uuid] = more


def _uuid_of(message: Any) -> str:
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
        _uuid_of(message)
    except Exception as clearer:
        return clearer
    return error


def _number(item: tuple[int, Task]) -> int:
    return item[0]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Open late what programs that write have no use for."""
        if name == "Entry":
            from eliot._entries import Entry

            late: Any = Entry
        elif name == "Problem":
            from eliot._inputs import Problem

            late = Problem
        else:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        globals()[name] = late
        return late
