"""`eliot tree`: what happened, task by task."""

from __future__ import annotations

from itertools import islice
from typing import Any, Dict, Iterator, Optional, Set

import click

from eliot._draw import header
from eliot._events import Events
from eliot._fields import TASK_UUID_FIELD
from eliot._follow import Following
from eliot._inputs import STDIN
from eliot._look import Look
from eliot._render import Renderer, tree_data
from eliot._stream import Stream, hold_back
from eliot._task import Task
from eliot._typing import Message
from eliot.cli._options import Session, full_option, local_time_option, log_command

__all__ = ["tree"]

#: So many messages of a task wait for its end, and so many of all tasks while nothing is shown;
#: then a task is shown as it goes on.
PATIENCE = 20_000

#: So many messages wait in all.
ROOM = 200_000

#: So many lines are written at a time.
_CHUNK = 500


@log_command
@click.option("--fold", is_flag=True, help="Three or more siblings of one type as one line.")
@full_option
@local_time_option
@click.option(
    "-f",
    "--follow",
    is_flag=True,
    help="Go on when the log grows; each message is shown as it comes.",
)
def tree(session: Session, *, fold: bool, full: bool, local_time: bool, follow: bool) -> None:
    """
    Show what happened: each task as a tree of actions and messages.

    A task comes when it is complete, and at the end come those that are not. One of very many
    messages is shown as it goes on, with a line for the start of each action and one for its end;
    so are all tasks with --follow. What is selected is whole tasks: those with an entry for which
    all of the options hold.
    """
    output = session.output
    look = session.look(full=full, local=local_time)
    if follow:
        output.show_at_once()
        sources = [part.path or STDIN for part in session.log.parts]
        session.log = Following(sources, session.report)  # type: ignore[assignment] # as good
    if session.json:
        for task in session.tasks(settled=not follow):
            session.write_json(tree_data(task))
            output.flush()
    elif follow and not session.selection:
        _follow(session, look)
    elif follow or fold or session.selection:
        renderer = Renderer(look, fold=fold)
        for task in session.tasks(settled=not follow):
            _write_tree(session, task, renderer)
            output.flush()
    else:
        _Flow(session, look).run()
    if session.selection and not session.found and not session.json:
        output.note("eliot: there is no such task\n")


def _follow(session: Session, look: Look) -> None:
    """Show each message as it comes."""
    events = Events(look)
    for message in session.log.messages():
        session.found = True
        session.write(events.text(message) + "\n")
        session.output.flush()


def _write_tree(session: Session, task: Task, renderer: Renderer) -> None:
    source = task._settled()
    if isinstance(source, tuple):
        session.write(renderer.lone(task._uuid, source))
        return
    if source is None or renderer.folds:
        lines = renderer.lines(task)
    else:
        lines = renderer.told(task._uuid, source)
    chunk = list(islice(lines, _CHUNK))
    while chunk:
        session.write("\n".join([*chunk, ""]))
        chunk = list(islice(lines, _CHUNK))


class _Flow:
    """
    Show each task when it is complete, or as it goes on if it has very many messages.

    As long as few messages wait, they are only counted, many at a time: to count them for each task
    would take a tenth of all.
    """

    def __init__(self, session: Session, look: Look) -> None:
        self._session = session
        self._look = look
        self._renderer = Renderer(look)
        self._events = Events(look, gaps=True)
        self._stream = Stream(self._refuse)
        #: How many messages wait for the end of their task: in all, and of each task, the oldest
        #: one first; None as long as few wait.
        self._size = 0
        self._waiting: Optional[Dict[Any, int]] = None
        #: How many messages have come since something was shown.
        self._silent = 0
        #: The tasks that are shown as they go on.
        self._opened: Set[Any] = set()

    def run(self) -> None:
        """Show all tasks."""
        session = self._session
        with session.progress(session.log):
            for task in hold_back(self._tasks()):
                self._show(task)
            for line in self._events.unended():
                session.write(line + "\n")

    def _tasks(self) -> Iterator[Task]:
        """Give the tasks whose messages wait no longer."""
        for task in self._stream.tasks(self._messages()):
            if self._waiting is not None:
                self._size -= self._waiting.pop(task._uuid, 0)
            else:
                self._size -= task._size()
            yield task

    def _refuse(self, message: Any, error: Exception) -> None:
        """Report a message that has no place in a task."""
        self._session.report(self._session.log.problem(message, error))

    def _show(self, task: Task) -> None:
        """Show a task that is complete, or that does not go on."""
        self._session.found = True
        self._silent = 0
        _write_tree(self._session, task, self._renderer)

    def _messages(self) -> Iterator[Message]:
        """Give the messages of tasks that are not shown yet, and show the others."""
        rest = self._session.log.messages()
        few = min(PATIENCE, ROOM)
        batch = max(few // 20, 1)
        for message in rest:
            yield message
            yield from islice(rest, batch - 1)
            self._size += batch
            self._silent += batch
            if max(self._size, self._silent) > few - 2 * batch:
                break
        waiting = self._waiting = self._stream.sizes()
        self._size = sum(waiting.values())
        yield from self._one_by_one(rest, waiting)

    def _one_by_one(self, rest: Iterator[Message], waiting: Dict[Any, int]) -> Iterator[Message]:
        opened = self._opened
        write, text = self._session.write, self._events.text
        for message in rest:
            uuid = message[TASK_UUID_FIELD]
            try:
                if uuid in opened:
                    write(text(message) + "\n")
                    self._silent = 0
                    continue
                count = waiting[uuid] = waiting.get(uuid, 0) + 1
            except TypeError:  # it is no text: there is no such task
                yield message
                continue
            yield message
            self._size += 1
            self._silent += 1
            if count >= PATIENCE:
                self._open(uuid, waiting)
            elif self._silent >= PATIENCE or self._size >= ROOM:
                self._open(next(iter(waiting), None), waiting)

    def _open(self, uuid: Any, waiting: Dict[Any, int]) -> None:
        """Show what is known of a task, and from now on its messages as they come."""
        self._size -= waiting.pop(uuid, 0)
        task = self._stream.take(uuid)
        if task is None:  # its messages had no place
            return
        self._session.found = True
        self._opened.add(uuid)
        self._silent = 0
        write, text = self._session.write, self._events.text
        write(header(uuid, task.top().start, self._look) + "\n")
        for message in task._messages():
            write(text(message) + "\n")
        self._session.output.flush()
