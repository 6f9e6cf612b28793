"""Trees as they grow: a line for each message when it comes, for consoles and for growing logs."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Tuple

from eliot._draw import UNENDED, WHERE, Draw, Line
from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    FAILED_STATUS,
    MESSAGE_TYPE_FIELD,
    PROTECTED_FIELDS,
    STARTED_STATUS,
    TASK_LEVEL_FIELD,
    TASK_UUID_FIELD,
    TIMESTAMP_FIELD,
)
from eliot._later import is_cramped
from eliot._look import ID, Look, cut, value_text
from eliot._safe import printable, saferepr
from eliot._typing import Message

__all__ = ["Events"]

#: So many actions are remembered; those that never end would fill the memory.
_MOST = 10_000

#: How much is shown of the field that tells an action from others.
_HINT = 30

#: How much is shown of what is no message.
_ODD = 1000


class _Action:
    """An action that has started and not ended."""

    __slots__ = ("field", "inner", "kind", "parent", "seen", "start", "where")

    def __init__(self, parent: Optional[_Action]) -> None:
        self.parent = parent
        #: When it started, and what it is; None if that is not known.
        self.start: Any = None
        self.kind: Any = None
        #: What it said of where it was.
        self.where: Optional[Message] = None
        #: Its first field, if it has a short one.
        self.field: Optional[Tuple[str, Any]] = None
        #: The actions in it, by the last number of their level.
        self.inner: Dict[int, _Action] = {}
        #: How many messages and actions have come in it.
        self.seen = 0


class _Task:
    """What was shown of a task."""

    __slots__ = ("before", "here", "level", "root", "size")

    def __init__(self, before: str) -> None:
        #: What stands at the beginning of its lines.
        self.before = before
        self.root = _Action(None)
        #: Where the next message is if the log goes on straight: at this level, in this action.
        self.level: List[int] = []
        self.here: Optional[_Action] = self.root
        #: How many actions it has.
        self.size = 1

    def find(self, level: List[int]) -> Optional[_Action]:
        """Return the action at a level, if it is known."""
        if level == self.level:
            return self.here
        action: Optional[_Action] = self.root
        for number in level:
            if action is not None:
                action = action.inner.get(number)
        return action

    def begin(self, level: List[int]) -> _Action:
        """Return a new action at a level; the root is there already."""
        if not level:
            return self.root
        around = self.here if level[:-1] == self.level else None
        if around is None:
            around = self.root
            for number in level[:-1]:
                around = around.inner.get(number) or self._begin(around, number)
        return self._begin(around, level[-1])

    def _begin(self, around: _Action, number: int) -> _Action:
        if number not in around.inner:  # it may come twice
            self.size += 1
        action = around.inner[number] = _Action(around)
        return action

    def end(self, level: List[int], action: Optional[_Action]) -> None:
        """Forget an action, and go on in the one around it."""
        around = level[:-1]
        if action is None:
            self.here = self.find(around)
        else:
            self.here = action.parent
            if self.here is not None:
                del self.here.inner[level[-1]]
                self.size -= 1
        self.level = around


class Events:
    """
    Show messages as they come.

    Each is one line, indented as deep as it is in its tree; an action has a line for its start and
    one for its end, which tells how long it took. Lines begin with the first characters of the
    task's id, since tasks that run at the same time take turns. Where actions of one task do so, a
    line that is not in the action of the line above names its own.

    Args:
        look: How to show them.
        gaps: Whether to say how many messages are missing where an action ends.

    >>> events = Events(Look())
    >>> greet = {"task_uuid": "2cd4e99c-7b11", "action_type": "greet", "timestamp": 1443193754.5}
    >>> print(events.text({**greet, "task_level": [1], "action_status": "started", "x": 3}))
    2cd4e99c 15:09:14.500  ▶ greet  x=3
    >>> print(events.text({**greet, "task_level": [2], "action_status": "succeeded"}))
    2cd4e99c 15:09:14.500  └─✓ greet  0 µs
    """

    def __init__(self, look: Look, *, gaps: bool = False) -> None:
        self._gaps = gaps
        self.show_as(look)
        self._tasks: Dict[Any, _Task] = {}
        self._size = 0

    def show_as(self, look: Look) -> None:
        """Show what comes in another look."""
        self._look = look
        self._draw = Draw(look, packed=False)

    def text(self, message: Message) -> str:
        """Return the text of a message: one line, or several if it has a traceback."""
        try:
            return self._text(message)
        except Exception as error:  # anything may stand where its place should be
            if isinstance(error, RecursionError) and is_cramped():
                raise  # the message comes again
            return cut(printable(saferepr(message)), self._look.width or _ODD, self._look)

    def _text(self, message: Message) -> str:
        uuid, level = message[TASK_UUID_FIELD], message[TASK_LEVEL_FIELD]
        status = message.get(ACTION_STATUS_FIELD)
        is_bound = message.get(ACTION_TYPE_FIELD) is not None and (
            status is not None or MESSAGE_TYPE_FIELD not in message
        )
        task = self._tasks.get(uuid)
        if task is None:
            task = _Task(self._before(uuid))
            if not is_bound and len(level) == 1:  # probably all of its task
                return self._message(message, task, level, 0 if level == [1] else 1)
            self._tasks[uuid] = task
            self._size += 1
        if not is_bound:
            return self._message(message, task, level, len(level))
        size = task.size
        text = (self._start if status == STARTED_STATUS else self._end)(message, task, level)
        self._size += task.size - size
        if status != STARTED_STATUS and len(level) == 1:
            self._forget(uuid)
        while self._size > _MOST:
            self._forget(next(iter(self._tasks)))
        return text

    def _forget(self, uuid: Any) -> None:
        self._size -= self._tasks.pop(uuid).size

    def _before(self, uuid: Any) -> str:
        """Return the beginning of a task's lines; tasks at the same time often differ in colour."""
        text = printable(uuid)[:ID].ljust(ID)
        if not self._look.color:
            return f"{text} "
        return f"\x1b[3{2 + sum(text.encode()) % 5}m{text}{self._look.plain} "

    def _line(self, message: Message, task: _Task, depth: int, end: str) -> Line:
        look = self._look
        return Line(look, message.get(TIMESTAMP_FIELD), look.stem(depth, end), task.before)

    def _aside(self, action: Optional[_Action], *, ends: bool = False) -> str:
        """Say in which action something is, since it is not the one above."""
        if action is None or action.kind is None:
            return ""
        named = [] if ends else [printable(action.kind)]
        if action.field is not None:
            name, value = action.field
            named.append(f"{printable(name)}={value_text(value)}")
        return " ".join([self._look.inside, *named]) if named else ""

    def _message(self, message: Message, task: _Task, level: List[int], depth: int) -> str:
        look, inside, aside = self._look, level[:-1], ""
        if inside != task.level:
            task.level, task.here = inside, task.find(inside)
            aside = self._aside(task.here)
        if task.here is not None:
            task.here.seen += 1
        guides = " " * (ID + 1) + look.stem(depth, look.trunk)
        return self._draw.message(
            message, look.stem(depth, look.branch), task.before, aside, guides
        )

    def _start(self, message: Message, task: _Task, level: List[int]) -> str:
        look, inside, kind = self._look, level[:-1], message[ACTION_TYPE_FIELD]
        line = self._line(message, task, len(inside), look.branch)
        self._draw.action(line, kind, STARTED_STATUS)
        if inside and inside[:-1] != task.level:
            line.add(self._aside(task.find(inside[:-1])), look.dim)
        action = task.begin(inside)
        if action.parent is not None:
            action.parent.seen += 1
        task.level, task.here = inside, action
        action.start, action.kind = message.get(TIMESTAMP_FIELD), kind
        action.where = {name: message[name] for name in WHERE if name in message} or None
        for name, value in message.items():
            if name not in PROTECTED_FIELDS and isinstance(value, (str, int, float)):
                action.field = name, value[:_HINT] if isinstance(value, str) else value
                break
        self._draw.start(line, message)
        return line.text

    def _end(self, message: Message, task: _Task, level: List[int]) -> str:
        look, draw, inside = self._look, self._draw, level[:-1]
        status, action = message.get(ACTION_STATUS_FIELD), task.find(inside)
        line = self._line(message, task, len(level), look.last)
        draw.action(line, message[ACTION_TYPE_FIELD], status)
        duration = draw.duration(None if action is None else action.start, message)
        if duration is not None:
            line.add_duration(duration)
        if inside != task.level:
            line.add(self._aside(action, ends=True), look.dim)
        task.end(inside, action)
        if status == FAILED_STATUS:
            draw.error(line, message)
        draw.end(line, message, status, None if action is None else action.where)
        lines = [line.text]
        if status == FAILED_STATUS:
            guides = " " * (ID + 1) + look.stem(len(inside), look.trunk)
            lines.extend(draw.traceback(message, guides))
        if self._gaps and action is not None and action.kind is not None:
            missing = level[-1] - 2 - action.seen
            if missing > 0:
                gap = Line(look, None, look.stem(len(level), look.branch), task.before)
                gap.add_missing(missing)
                lines.insert(0, gap.text)
        return "\n".join(lines)

    def unended(self) -> Iterator[str]:
        """Give a line for each action that has not ended: the log has."""
        look = self._look
        for task in self._tasks.values():
            actions = [(task.root, 1)]
            for action, depth in actions:
                actions.extend((inner, depth + 1) for inner in action.inner.values())
            for action, depth in reversed(actions):
                if action.kind is not None:
                    line = Line(look, None, look.stem(depth, look.last), task.before)
                    line.add_action(action.kind, STARTED_STATUS)
                    line.add(UNENDED, look.yellow)
                    line.add(self._aside(action, ends=True), look.dim)
                    yield line.text
