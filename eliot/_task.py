"""Tasks: the tree of each, as far as its messages are known."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from threading import RLock
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Iterator,
    Mapping,
    TypeVar,
    Union,
    cast,
)

from eliot._fields import TASK_UUID_FIELD
from eliot._packed import Packed, Told, unpack
from eliot._tasklevel import TaskLevel
from eliot._tree import Tree
from eliot._typing import Message
from eliot._written import WrittenAction, WrittenMessage, copy_of

if TYPE_CHECKING:
    from eliot._entries import Entry

__all__ = ["Task"]

_T = TypeVar("_T")

# Held while told messages get a tree; re-entrant, since the garbage collector may run then.
_PLANTING = RLock()

# The level of a message outside any action.
_FIRST = (1,)

#: What a task is made of: a tree; or, as long as nobody asks for more, the messages of one that
#: came in just the order in which they were logged, or its only message, outside any action.
Source = Union[Tree, Told, Packed]


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

    __slots__ = ("_known", "_root", "_source", "_uuid")

    # Tasks share one growing tree, of which each knows the first so many messages: the newest task
    # is the tree itself, an older one that is asked for anything makes its own. None means all
    # messages, however many come until somebody looks: see Parser.parse_stream(). What is complete
    # and came in order gets a tree when somebody asks.
    _known: int | None
    _source: Source | None
    _root: WrittenAction | WrittenMessage | None

    def __init__(
        self, _source: Source | None = None, _known: int | None = 0, _uuid: str = ""
    ) -> None:
        self._source = _source
        self._known = _known
        self._uuid = _uuid
        self._root = None

    def _tree(self) -> Tree | None:
        source = self._source
        if source is None or isinstance(source, Tree):
            return source
        with _PLANTING:
            if self._source is source:
                if isinstance(source, tuple):
                    self._source = Tree.of([unpack(source, self._uuid, _FIRST)])
                else:
                    self._source = Tree.told(self._uuid, source)
        return self._tree()

    def _size(self) -> int:
        """Return how many messages there are; to ask for it is not to look at the task."""
        source = self._source
        if isinstance(source, Tree):
            return len(source.messages)
        return int(source[0]) if isinstance(source, list) else 1

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
            return Task(Tree.of([message]), 1, message[TASK_UUID_FIELD])
        with tree.lock:
            known = self._look(tree)
            if known == len(tree.messages) and not tree.shown:
                tree.extend(message)
                grown = len(tree.messages)
                return self if grown == known else Task(tree, grown, tree.uuid)
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
        room = _entries()
        lone = self._lone()
        if lone is not None:
            entry: Entry | None = room.message_entry(self._uuid, lone)
        else:
            entry = self._ask(room.top_entry, None)
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
            lone = self._lone()
            if lone is None:
                self._root = self._ask(Tree.view, None)
            else:
                self._root = WrittenMessage(unpack(lone, self._uuid, _FIRST))
        return self._root

    def _settled(self) -> Told | Packed | None:
        """Return the messages if they came in order and nobody has asked for their tree yet."""
        source = self._source
        if source is None or isinstance(source, Tree):
            return None
        with _PLANTING:
            if self._source is not source:
                return None
            self._known = self._size()
            return source

    def _lone(self) -> Packed | None:
        source = self._settled() if isinstance(self._source, tuple) else None
        return cast("Packed | None", source)

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

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show the tree at the end of a notebook's cell."""
        from eliot._render import mime_bundle  # late: few look at tasks like this

        return mime_bundle(self)

    def __rich__(self) -> Any:
        """Show the tree where rich prints the task."""
        from eliot._render import rich_text  # late, as above

        return rich_text(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_task, (self._messages(),)


@lru_cache(maxsize=None)
def _entries() -> Any:
    """Open late what writers do not need; to do so for each task would take a third of `top`."""
    import eliot._entries as room

    return room


def _restore_task(messages: list[Message]) -> Task:
    """Undo `Task.__reduce__`."""
    return Task(Tree.of(messages), len(messages)) if messages else Task()
