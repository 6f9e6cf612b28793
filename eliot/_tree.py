"""
The tree of one task while its messages come in: the only part of the readers' tower that changes.

A message costs a constant number of steps wherever in the tree it belongs, as long as most follow
their neighbours in the log. Nothing here is recursive, since trees may be deeper than the stack.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Iterable, Iterator

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    FAILED_STATUS,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
)
from eliot._safe import saferepr
from eliot._tasklevel import TaskLevel, level_of
from eliot._typing import Message
from eliot._written import (
    InvalidStartMessage,
    InvalidStatus,
    WrittenAction,
    WrittenMessage,
    WrongActionType,
    WrongTask,
    read_level,
)

__all__ = ["Tree"]

_ENDED = (SUCCEEDED_STATUS, FAILED_STATUS)

# For Node.wanted.
_UNKNOWN = -1
_COMPLETE = -2


class Node:
    """One action: what is known of it so far."""

    __slots__ = (
        "actions",
        "depth",
        "end",
        "next",
        "parent",
        "place",
        "slots",
        "start",
        "unfinished",
        "wanted",
    )

    def __init__(self, parent: Node | None, place: list[int], depth: int) -> None:
        self.parent = parent
        # The level is the first numbers of a message's: copies of long ones would need much memory.
        self.place = place
        self.depth = depth
        #: The level that the next message here may well have.
        self.next: list[int] = []
        self.start: Message | None = None
        self.end: Message | None = None
        #: The children, messages and actions, by the last number of their level.
        self.slots: dict[int, Message | Node] = {}
        #: Those of them that are actions, in the order in which they were found.
        self.actions: list[Node] | None = None
        #: How many of these are not complete.
        self.unfinished = 0
        #: How many children make the action complete.
        self.wanted = _UNKNOWN


class Tree:
    """
    The messages of one task, each in its place.

    Whoever shares a tree with others holds its lock while reading or changing it.
    """

    __slots__ = (
        "_here",
        "_root",
        "_views",
        "complete_since",
        "lock",
        "messages",
        "replaced",
        "uuid",
    )

    def __init__(self, first: Message) -> None:
        self.lock = Lock()
        self.uuid: str = first[TASK_UUID_FIELD]
        #: All messages that changed the tree, in order of arrival.
        self.messages: list[Message] = []
        #: Those that lost their place to another one.
        self.replaced: list[Message] = []
        #: How many messages had come when the task was complete.
        self.complete_since: int | None = None
        self._root = self._here = Node(None, [], 0)
        self._root.next = [1]
        #: The public form of actions; that of an action is here only if all below are, too.
        self._views: dict[Node, WrittenAction] = {}
        self.add(first)
        if self._root.slots.get(1) is first:  # logged outside any action
            self._root.wanted = _COMPLETE
            self.complete_since = 1

    @classmethod
    def of(cls, messages: Iterable[Message]) -> Tree:
        """Make a tree of messages that made one before."""
        rest = iter(messages)
        tree = cls(next(rest))
        for message in rest:
            tree.add(message)
        return tree

    # Look at the message, find its action, then change something. It runs for every message of a
    # log, so the usual way makes no calls: each would add a tenth to the time.
    def add(self, message: Message) -> bool:  # noqa: C901, PLR0912 - hot: calls would cost more
        """Put a message into its place, or leave the tree as it was; tell if that completed it."""
        level = message[TASK_LEVEL_FIELD]
        if level.__class__ is not list:
            level = read_level(message).as_list() or level
        action_type = message.get(ACTION_TYPE_FIELD)
        status = None
        if action_type is not None:
            status = message[ACTION_STATUS_FIELD]
            if status == STARTED_STATUS:
                if level[-1:] != [1]:
                    raise InvalidStartMessage.wrong_task_level(WrittenMessage(message))
            elif status not in _ENDED:
                action = WrittenAction(self.uuid, (level, len(level) - 1), None, None, {})
                raise InvalidStatus(action, WrittenMessage(message))

        node = self._here
        if level != node.next:
            node = self._find(level)
        expected = node.next
        number = expected[-1]
        expected[-1] = number + 1

        slots = node.slots
        if status is None:
            if number in slots:
                return self._collide(slots, number, message)
            slots[number] = message
        else:
            if status == STARTED_STATUS:
                before, node.start = node.start, message
            else:
                before = node.start or node.end
                if before is not None and before[ACTION_TYPE_FIELD] != action_type:
                    raise WrongActionType(self._outline(node, {}), WrittenMessage(message))
                before, node.end = node.end, message
                if node.wanted != _COMPLETE:
                    node.wanted = number - 2
            if before is not None:
                if _same(before, message):
                    return False
                self.replaced.append(before)
        self.messages.append(message)
        return len(slots) == node.wanted and self._settle(node)

    def _find(self, level: list[int]) -> Node:
        """Go to the action of a message, making those on the way that were not known yet."""
        if not level:
            raise _no_level(level)
        here = self._here
        parent = here.parent
        if parent is not None and level == parent.next:  # the action here is over
            self._here = parent
            return parent
        path = level[:-1]
        if path == here.next:  # an action in the one here
            here.next[-1] += 1
            node, depth, unchecked = here, here.depth, level[-1:]
        else:
            node, depth, unchecked = self._root, 0, level
        for number in unchecked:
            if number.__class__ is not int or number < 1:
                return self._find(_integers(level))
        while depth < len(path):
            part = node.slots.get(path[depth])
            depth += 1
            node = part if isinstance(part, Node) else self._open(node, path, depth)
        node.next = level[:]
        self._here = node
        return node

    def _open(self, parent: Node, place: list[int], depth: int) -> Node:
        """Make an action that was not known yet."""
        node = Node(parent, place, depth)
        number = place[depth - 1]
        before = parent.slots.get(number)
        if before is not None and not isinstance(before, Node):
            self.replaced.append(before)
        parent.slots[number] = node
        if parent.actions is None:
            parent.actions = [node]
        else:
            parent.actions.append(node)
        parent.unfinished += 1
        if self._views:
            self._forget_views(parent)
        return node

    def _collide(self, slots: dict[int, Message | Node], number: int, message: Message) -> bool:
        """Put a message where another one is: the last one wins, but an action stays."""
        before = slots[number]
        if isinstance(before, Node):
            self.replaced.append(message)
        elif _same(before, message):
            return False
        else:
            slots[number] = message
            self.replaced.append(before)
        self.messages.append(message)
        return False

    def _settle(self, node: Node) -> bool:
        """See whether an action is complete now, and those around it; tell if the task is."""
        while node.start is not None and not node.unfinished and len(node.slots) == node.wanted:
            node.wanted = _COMPLETE
            parent, node.parent = node.parent, None  # or only the garbage collector could free them
            if parent is None:
                self.complete_since = len(self.messages)
                return True
            parent.unfinished -= 1
            node = parent
            if node.next:  # where the log probably goes on
                self._here = node
        return False

    def extend(self, message: Message) -> None:
        """Put a message into its place in a tree of which parts may have been shown."""
        if message[TASK_UUID_FIELD] != self.uuid:
            raise WrongTask(self._outline(self._root, {}), WrittenMessage(message))
        self.add(message)
        self._forget_views(self._here)

    def _forget_views(self, node: Node) -> None:
        while self._views.pop(node, None) is not None:
            if node.parent is None:  # the root, or an action that was complete
                self._views.clear()
                return
            node = node.parent

    def _lone_message(self) -> Message | None:
        """Return the message of a task that has no action and no other message."""
        root = self._root
        part = root.slots.get(1)
        if len(root.slots) > 1 or root.start is not None or root.end is not None:
            return None
        return None if isinstance(part, Node) else part

    def view(self) -> WrittenAction | WrittenMessage:
        """Return the public form of the tree."""
        message = self._lone_message()
        if message is not None:
            return WrittenMessage(message)
        views = self._views
        nodes = [self._root]
        for node in nodes:
            nodes.extend(child for child in node.actions or () if child not in views)
        for node in reversed(nodes):  # inner actions first
            parts: dict[int, Any] = dict(node.slots)
            for child in node.actions or ():
                parts[child.place[child.depth - 1]] = views[child]
            views[node] = self._outline(node, parts)
        return views[self._root]

    def _outline(self, node: Node, parts: dict[int, Any]) -> WrittenAction:
        return WrittenAction(
            self.uuid,
            (node.place, node.depth),
            None if node.start is None else WrittenMessage(node.start),
            None if node.end is None else WrittenMessage(node.end),
            parts,
        )

    def missing(self) -> Iterator[TaskLevel]:
        """Find the places where messages must have been, outer actions first."""
        nodes = [self._root] if self._lone_message() is None else []
        for node in nodes:
            nodes.extend(node.actions or ())
            taken = set(node.slots)
            if node.start is not None:
                taken.add(1)
            if node.end is not None:
                taken.add(read_level(node.end).as_tuple()[-1])
            last = max(taken) + (node.end is None)
            for number in range(1, last + 1):
                if number not in taken:
                    yield level_of((*node.place[: node.depth], number))


def _integers(level: list[Any]) -> list[int]:
    """Make integers of numbers that equal some, such as 2.0 from other writers, or refuse."""
    try:
        numbers = [int(number) for number in level]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if numbers != level or min(numbers) < 1:
        raise _no_level(level)
    return numbers


def _no_level(level: object) -> ValueError:
    msg = f"task_level is a list of integers from 1 on, such as [2, 1], not {saferepr(level)}."
    return ValueError(msg)


def _same(one: Message, two: Message) -> bool:
    try:
        return one == two
    except Exception:  # such as arrays, in messages that were never written
        return False
