"""Reading: from the messages of a log, in any order, to the trees of actions that they tell of."""

from __future__ import annotations

import os
import warnings
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    NamedTuple,
    Tuple,
)

from eliot._lines import BadLine as BadLine  # noqa: PLC0414 - exported, see below
from eliot._lines import read_lines as read_lines  # noqa: PLC0414
from eliot._safe import saferepr
from eliot._stream import ROOM, TASK_ROOM, Stream, uuid_of
from eliot._task import Task
from eliot._tasklevel import TaskLevel
from eliot._written import WrittenAction, WrittenMessage

if TYPE_CHECKING:
    from pyrsistent.typing import PMap

    from eliot._entries import Entry as Entry  # noqa: PLC0414 - exported, see below
    from eliot._failures import failures as failures  # noqa: PLC0414
    from eliot._findings import ActionProfile as ActionProfile  # noqa: PLC0414
    from eliot._findings import Change as Change  # noqa: PLC0414
    from eliot._findings import Event as Event  # noqa: PLC0414
    from eliot._findings import Failure as Failure  # noqa: PLC0414
    from eliot._findings import FailureGroup as FailureGroup  # noqa: PLC0414
    from eliot._findings import Failures as Failures  # noqa: PLC0414
    from eliot._findings import PathStep as PathStep  # noqa: PLC0414
    from eliot._findings import Profile as Profile  # noqa: PLC0414
    from eliot._findings import SlowTask as SlowTask  # noqa: PLC0414
    from eliot._findings import Step as Step  # noqa: PLC0414
    from eliot._inputs import MessageStream, Source
    from eliot._inputs import Problem as Problem  # noqa: PLC0414
    from eliot._profile import changes as changes  # noqa: PLC0414
    from eliot._profile import profile as profile  # noqa: PLC0414

# As in published Eliot, to the letter; `BadLine`, `Entry`, `Problem`, `read`, `read_lines` and what
# answers questions are public, too.
__all__ = ["Parser", "Task", "TaskLevel", "WrittenAction", "WrittenMessage"]

#: What answers to questions are made of.
_FINDINGS = frozenset(
    (
        "ActionProfile",
        "Change",
        "Event",
        "Failure",
        "FailureGroup",
        "Failures",
        "PathStep",
        "Profile",
        "SlowTask",
        "Step",
    )
)

#: How many problems are told one by one.
_WARNINGS = 10


class _State(NamedTuple):
    """What a parser knows."""

    #: Tasks that are not complete, each with a number that tells their order.
    incomplete: PMap[str, Tuple[int, Task]]
    #: Tasks completed last, and those before them.
    recent: PMap[str, Task]
    older: PMap[str, Task]
    #: What is left for recent ones, see ROOM.
    room: int
    #: How many tasks have begun.
    begun: int = 0

    def completed(self, uuid: str, task: Task, room: int) -> _State:
        """Remember a complete task, and forget the oldest ones from time to time."""
        from pyrsistent import pmap

        incomplete, recent = self.incomplete.discard(uuid), self.recent.set(uuid, task)
        if room < self.room:
            return self._replace(incomplete=incomplete, recent=recent, room=self.room - room)
        return self._replace(incomplete=incomplete, recent=pmap(), older=recent, room=ROOM)


def _new_state() -> _State:
    from pyrsistent import pmap

    return _State(pmap(), pmap(), pmap(), ROOM)


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
        uuid = uuid_of(message_dict)
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
            room = 1 if late is not None else len(grown._messages()) + TASK_ROOM
            return [grown], Parser(state.completed(uuid, grown, room))
        incomplete = state.incomplete.set(uuid, (number, grown))
        begun = max(state.begun, number + 1)
        return [], Parser(state._replace(incomplete=incomplete, begun=begun))

    def incomplete_tasks(self) -> list[Task]:
        """Return the tasks that are not complete, in the order of their first messages."""
        return [task for _, task in sorted(self._state.incomplete.values(), key=_number)]

    @classmethod
    def parse_stream(
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
        return Stream(on_error).tasks(iterable)

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
        TypeError: If there is no source, or what is given is none.

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
    for source in sources:
        if not isinstance(source, (str, os.PathLike)) and not hasattr(source, "read"):
            msg = (
                f"{saferepr(source)} is no path, pattern or open file; several are given one by "
                "one: read(*paths)"
            )
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
        elif name == "failures":
            from eliot._failures import failures

            late = failures
        elif name in ("changes", "profile"):
            import eliot._profile as profile_room

            late = getattr(profile_room, name)
        elif name in _FINDINGS:
            import eliot._findings as findings_room

            late = getattr(findings_room, name)
        else:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        globals()[name] = late
        return late
