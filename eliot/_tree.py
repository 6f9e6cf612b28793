"""
The tree of one task while its messages come in: the only part of the readers' tower that changes.

A message costs a constant number of steps wherever in the tree it belongs, as long as most follow
their neighbours in the log. Nothing here is recursive, since trees may be deeper than the stack.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Collection, Iterable, Iterator

from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    FAILED_STATUS,
    MESSAGE_TYPE_FIELD,
    STARTED_STATUS,
    SUCCEEDED_STATUS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
)
from eliot._packed import ODD_LEVEL, TYPE, Packed, Told, pack, same, unfold, unpack
from eliot._safe import saferepr
from eliot._tasklevel import TaskLevel, level_of
from eliot._typing import Message
from eliot._written import (
    InvalidStartMessage,
    InvalidStatus,
    Place,
    WrittenAction,
    WrittenMessage,
    WrongActionType,
    WrongTask,
    numbers_of,
    place_of,
    with_list,
)

__all__ = ["ENDED", "UNKNOWN", "Node", "Tree", "is_boundary"]

ENDED = (SUCCEEDED_STATUS, FAILED_STATUS)

# For Node.wanted.
UNKNOWN = -1
_COMPLETE = -2


class Node:
    """One action: what is known of it so far."""

    __slots__ = (
        "actions",
        "end",
        "last",
        "number",
        "parent",
        "slots",
        "start",
        "type",
        "unfinished",
        "wanted",
    )

    def __init__(self, parent: Node | None, number: int) -> None:
        self.parent: Node | None = parent
        #: The last number of its level.
        self.number: int = number
        self.type: str | None = None
        self.start: Packed | None = None
        self.end: Packed | None = None
        #: The last number of the level of its end.
        self.last: int = 0
        #: The children, messages and actions, by the last number of their level.
        self.slots: dict[int, Packed | Node] = {}
        #: Those of them that are actions, in the order in which they were found.
        self.actions: list[Node] | None = None
        #: How many of these are not complete.
        self.unfinished: int = 0
        #: How many children make the action complete.
        self.wanted: int = UNKNOWN

    def parts(self) -> Iterator[tuple[int, Packed | Node | int]]:
        """Find the children in order of level; where some are missing, how many in a row."""
        slots = self.slots
        numbers = sorted(slots)
        if self.end is not None and self.last not in slots:
            numbers.append(self.last)
            numbers.sort()
        after = 1 if self.start is None else 2
        for number in numbers:
            if number > after:
                yield after, number - after
            if number in slots:
                yield number, slots[number]
            after = number + 1


def is_boundary(message: Message) -> bool:
    """
    Tell whether a message is the start or the end of an action.

    One that has an action's type as a field of its own, beside a message type, is not.
    """
    return message.get(ACTION_TYPE_FIELD) is not None and (
        ACTION_STATUS_FIELD in message or MESSAGE_TYPE_FIELD not in message
    )


class Tree:
    """
    The messages of one task, each in its place.

    Whoever shares a tree with others holds its lock while reading or changing it.
    """

    __slots__ = (
        "_here",
        "_next",
        "_replaced",
        "_root",
        "_views",
        "complete_since",
        "lock",
        "messages",
        "shown",
        "uuid",
    )

    def __init__(self, uuid: str) -> None:
        self.lock: Any = Lock()
        self.uuid: str = uuid
        #: All messages that changed the tree, in order of arrival.
        self.messages: list[Packed] = []
        #: Those that lost their place to another one.
        self._replaced: list[tuple[Packed, Message]] = []
        #: How many messages had come when the task was complete.
        self.complete_since: int | None = None
        #: Whether others look at its nodes, which must not change any more.
        self.shown: bool = False
        #: The action of the last message, and the level that the next one there may well have.
        self._root = self._here = Node(None, 0)
        self._next = [1]
        #: The public form of actions; that of an action is here only if all below are, too.
        self._views: dict[Node, WrittenAction] = {}

    @classmethod
    def of(cls, messages: Iterable[Message]) -> Tree:
        """Make a tree of one message or more."""
        rest = iter(messages)
        first = next(rest)
        tree = cls(first[TASK_UUID_FIELD])
        tree.add(first)
        if isinstance(tree._root.slots.get(1), tuple):  # logged outside any action
            tree._root.wanted = _COMPLETE
            tree.complete_since = 1
        for message in rest:
            tree.add(message)
        return tree

    @classmethod
    def told(cls, uuid: str, told: Told) -> Tree:
        """
        Make a tree of messages that came in just the order in which they were logged.

        Each is then in the place that follows from the one before it: nothing has to be checked.
        """
        tree = cls(uuid)
        node, number, slots = tree._root, 1, tree._root.slots
        tree.messages, statuses = unfold(told)
        for packed, status in zip(tree.messages, statuses):
            if status is None:
                slots[number] = packed
                number += 1
            elif status == STARTED_STATUS:
                if node.start is not None:
                    node = tree._child(node, [number], 1)
                node.start, node.type = packed, packed[TYPE]
                number, slots = 2, node.slots
            else:
                node.end, node.last, node.wanted = packed, number, _COMPLETE
                outer, node.parent = node.parent, None  # as in _settle()
                if outer is None:
                    tree.complete_since = len(tree.messages)
                    number += 1
                else:
                    outer.unfinished -= 1
                    node, number, slots = outer, node.number + 1, outer.slots
        tree._here, tree._next = node, [*tree._way(node), number]
        return tree

    @staticmethod
    def _way(node: Node) -> list[int]:
        """Return the level of an action that is not complete."""
        numbers: list[int] = []
        while node.parent is not None:
            numbers.append(node.number)
            node = node.parent
        return numbers[::-1]

    def add(self, message: Message) -> bool:
        """
        Put a message into its place, or leave the tree as it was; tell if that completed it.

        The message itself is not kept.
        """
        level = message[TASK_LEVEL_FIELD]
        expected = level == self._next
        if not expected and level.__class__ is not list:
            message = with_list(message)
            level = message[TASK_LEVEL_FIELD]
            if level.__class__ is not list:
                raise _no_level(level)
        if message.get(ACTION_TYPE_FIELD) is not None and is_boundary(message):
            return self._add_boundary(message, level, expected=expected)
        if not expected:
            self._go(level)
        node = self._here
        slots = node.slots
        number = self._next[-1]
        packed = pack(message)
        if number in slots:
            return self._collide(slots, number, packed)
        slots[number] = packed
        self._next[-1] = number + 1
        self.messages.append(packed)
        return len(slots) == node.wanted and self._settle(node)

    def _add_boundary(  # noqa: C901 - nothing may change before all checks are done
        self, message: Message, level: list[int], *, expected: bool
    ) -> bool:
        """Put the start or the end of an action into its place."""
        action_type, status = message[ACTION_TYPE_FIELD], message[ACTION_STATUS_FIELD]
        if status == STARTED_STATUS:
            if level[-1:] != [1]:
                raise InvalidStartMessage.wrong_task_level(_written(message))
        elif status not in ENDED:
            place = place_of(level[:-1])
            raise InvalidStatus(WrittenAction(self.uuid, place, None, None, {}), _written(message))
        if not expected:
            self._go(level)
        node = self._here
        number = self._next[-1]
        packed = pack(message)
        if status == STARTED_STATUS:
            before, last = node.start, 1
        elif node.type is None or node.type == action_type:
            before, last = node.end, node.last
        else:
            action = self._outline(node, place_of(level[:-1]), {})
            raise WrongActionType(action, _written(message))
        if before is not None:
            if last == number and same(before, packed):
                return False
            self._replaced.append((before, unpack(before, self.uuid, (*level[:-1], last))))

        if status == STARTED_STATUS:
            node.start, node.type = packed, action_type
        else:
            node.end, node.type, node.last = packed, node.type or action_type, number
            if node.wanted != _COMPLETE:
                node.wanted = number - 2
        self._next[-1] = number + 1
        self.messages.append(packed)
        return len(node.slots) == node.wanted and self._settle(node)

    def _go(self, level: list[int]) -> None:
        """Go to the action of a message, making those on the way that were not known yet."""
        here, expected = self._here, self._next
        steps = len(level) - len(expected)
        for number in level[-2:] or _integers(level):
            if number.__class__ is not int or number < 1:
                level = _integers(level)
        # The neighbours first: copies of long levels, and ways from the root, would take long.
        node: Node | None = None
        if steps == 0:
            expected[-1] = level[-1]
            node = here
        elif steps == 1:
            expected[-1:] = level[-2:]
            node = here
        elif steps == -1:
            expected[-2:] = level[-1:]
            node = here.parent
        if node is None or level != expected:
            self._here, self._next = self._root, [1]  # in case that it is refused
            level = _integers(level)
            node = self._root
            for depth in range(1, len(level)):
                node = self._child(node, level, depth)
            self._next = level
        elif steps == 1:
            node = self._child(here, level, len(level) - 1)
        self._here = node

    def _child(self, parent: Node, level: list[int], depth: int) -> Node:
        """Return the action with so many numbers of a level; make it if it was not known yet."""
        number = level[depth - 1]
        before = parent.slots.get(number)
        if isinstance(before, Node):
            return before
        node = Node(parent, number)
        if before is not None:
            self._replaced.append((before, unpack(before, self.uuid, tuple(level[:depth]))))
        parent.slots[number] = node
        if parent.actions is None:
            parent.actions = [node]
        else:
            parent.actions.append(node)
        parent.unfinished += 1
        if self._views:
            self._forget_views(parent)
        return node

    def _collide(self, slots: dict[int, Packed | Node], number: int, packed: Packed) -> bool:
        """Put a message where another one is: the last one wins, but an action stays."""
        before = slots[number]
        level = tuple(self._next)
        if isinstance(before, Node):
            self._replaced.append((packed, unpack(packed, self.uuid, level)))
        elif same(before, packed):
            return False
        else:
            slots[number] = packed
            self._replaced.append((before, unpack(before, self.uuid, level)))
        self._next[-1] = number + 1
        self.messages.append(packed)
        return False

    def _settle(self, node: Node) -> bool:
        """See whether an action is complete now, and those around it; tell if the task is."""
        while node.start is not None and not node.unfinished and len(node.slots) == node.wanted:
            node.wanted = _COMPLETE
            if self._views:
                self._forget_views(node)
            parent, node.parent = node.parent, None  # or only the garbage collector could free them
            if parent is None:
                self.complete_since = len(self.messages)
                return True
            parent.unfinished -= 1
            node = self._here = parent  # where the log probably goes on
            self._next.pop()
            self._next[-1] += 1
        return False

    def extend(self, message: Message) -> None:
        """Put a message into its place in a tree of which parts may have been shown."""
        if message[TASK_UUID_FIELD] != self.uuid:
            action = self._outline(self._root, None, {})
            raise WrongTask(action, WrittenMessage.from_dict(message))
        self.add(message)
        self._forget_views(self._here)

    def _forget_views(self, node: Node) -> None:
        while self._views.pop(node, None) is not None:
            if node.parent is None:  # the root, or an action that was complete
                self._views.clear()
                return
            node = node.parent

    def _lone_message(self) -> Packed | None:
        """Return the message of a task that has no action and no other message."""
        root = self._root
        part = root.slots.get(1)
        if len(root.slots) > 1 or root.start is not None or root.end is not None:
            return None
        return None if isinstance(part, Node) else part

    def top(self) -> Node | Packed:
        """Show the outermost action, or else the only message."""
        self.shown = True
        return self._lone_message() or self._root

    def _nodes(self, known: Collection[Node] = ()) -> list[tuple[Node, Place]]:
        """Return all actions but some that are known, with all in them: outer ones first."""
        nodes: list[tuple[Node, Place]] = [(self._root, None)]
        for node, place in nodes:
            nodes.extend((c, (place, c.number)) for c in node.actions or () if c not in known)
        return nodes

    def view(self) -> WrittenAction | WrittenMessage:
        """Return the public form of the tree."""
        message = self._lone_message()
        if message is not None:
            return WrittenMessage(unpack(message, self.uuid, (1,)))
        views = self._views
        for node, place in reversed(self._nodes(views)):  # inner actions first
            parts: dict[int, Any] = dict(node.slots)
            for child in node.actions or ():
                parts[child.number] = views[child]
            views[node] = self._outline(node, place, parts)
        return views[self._root]

    def _outline(self, node: Node, place: Place, parts: dict[int, Any]) -> WrittenAction:
        end = None if node.end is None else (node.last, node.end)
        return WrittenAction(self.uuid, place, node.start, end, parts)

    def missing(self) -> Iterator[TaskLevel]:
        """Find the places where messages must have been, outer actions first."""
        for node, place in self._nodes() if self._lone_message() is None else []:
            taken = set(node.slots)
            if node.start is not None:
                taken.add(1)
            if node.end is not None:
                taken.add(node.last)
            last = max(taken) + (node.end is None)
            for number in range(1, last + 1):
                if number not in taken:
                    yield level_of((*numbers_of(place), number))

    def replaced(self) -> list[Message]:
        """Return the messages that lost their place to another one."""
        return [message for _, message in self._replaced]

    def first(self, count: int) -> list[Message]:
        """Return so many messages, in order of arrival."""
        found = {id(packed): message for packed, message in self._replaced}
        for node, place in self._nodes():
            parts = [(1, node.start), (node.last, node.end), *node.slots.items()]
            messages = [(number, part) for number, part in parts if isinstance(part, tuple)]
            level = numbers_of(place) if messages else ()
            for number, packed in messages:
                found[id(packed)] = unpack(packed, self.uuid, (*level, number))
        return [found[id(packed)] for packed in self.messages[:count]]


def _written(message: Message) -> WrittenMessage:
    """Return the public form of a message that is not in the tree."""
    fields = message.copy()
    fields[TASK_LEVEL_FIELD] = fields.pop(ODD_LEVEL, fields[TASK_LEVEL_FIELD])
    return WrittenMessage(fields)


def _integers(level: list[Any]) -> list[int]:
    """Make integers of numbers that equal some, such as 2.0 from other writers, or refuse."""
    try:
        numbers = [int(number) for number in level]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if not numbers or numbers != level or min(numbers) < 1:
        raise _no_level(level)
    return numbers


def _no_level(level: object) -> ValueError:
    given = saferepr(level)
    return ValueError(f"task_level is a list of integers from 1 on, such as [2, 1], not {given}.")
