"""What was logged in a test, as the log would have it, and claims about that which show trees."""

from __future__ import annotations

import json
from difflib import SequenceMatcher, get_close_matches, unified_diff
from traceback import format_stack
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from eliot._depth import within
from eliot._fields import (
    ACTION_STATUS_FIELD,
    ACTION_TYPE_FIELD,
    DEGRADED_FIELD,
    DESTINATION_FAILURE_TYPE,
    EXCEPTION_FIELD,
    FAILED_STATUS,
    MESSAGE_TYPE_FIELD,
    REASON_FIELD,
    SUCCEEDED_STATUS,
    TASK_UUID_FIELD,
    TRACEBACK_FIELD,
    TRACEBACK_TYPE,
)
from eliot._logged import name_of
from eliot._loggers import Logger
from eliot._look import CLOCK, PLAIN, fields_text
from eliot._memory import _caller
from eliot._render import tree_lines
from eliot._safe import class_name, printable, safeunicode
from eliot._typing import Message, Serializer
from eliot._validation import ActionType, MessageType
from eliot.json import encode
from eliot.parse import Entry, Parser, Task

__all__ = ["CapturedLogs"]

_S = TypeVar("_S", bound="CapturedLogs")
_Exceptions = Union[Type[BaseException], Tuple[Type[BaseException], ...]]

#: So many messages are shown as text, the newest ones.
_SHOWN = 1000

#: So many trees are compared with one that is not there.
_COMPARED = 100

#: So many lines of the nearest tree are shown.
_LINES = 50


class CapturedLogs:
    """
    Capture what is logged in the whole process, and make claims about it.

    Messages are taken where they are handed to the destinations, which get them as always. So it
    does not matter when loggers and actions were made, and the program notices nothing. What goes
    to a `MemoryLogger` is not captured.

    The fixture `eliot_logs` of the pytest plugin is one of these. Elsewhere it is a context
    manager, which calls `check` at the end of a block that raises nothing. Captures may be inside
    of each other; each gets everything.

    Args:
        validate: Whether `check` complains about messages that cannot be written as they are, or
            that are not of their declared type.
        tracebacks: Whether `check` complains about tracebacks that were not flushed.
        keep: How many messages are kept, the newest ones; `None` is all.

    >>> from eliot import log_message, start_action
    >>> with CapturedLogs() as logs:
    ...     with start_action(action_type="pay", amount=20):
    ...         log_message("receipt", number=1)
    >>> action = logs.assert_has_action("pay", succeeded=True, start_fields={"amount": 20})
    >>> message = logs.assert_has_message("receipt", number=1)
    >>> action = logs.assert_tree({"pay": ["receipt"]})

    .. versionadded:: 2.0
    """

    def __init__(
        self, *, validate: bool = True, tracebacks: bool = True, keep: Optional[int] = None
    ) -> None:
        self._validate = validate
        self._watches_tracebacks = tracebacks
        self._keep = keep
        self._taken: List[Tuple[Message, bytes]] = []
        self._faults: List[str] = []
        self._tracebacks: List[Message] = []
        self._destinations = Logger._destinations

    # -- Capturing -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to capture; a second call makes sure that it is still going on."""
        self.stop()
        self._destinations = Logger._destinations
        # Not by add(): that hands over what was logged early, which is for the program's own.
        self._destinations._destinations.append(self._take)
        Logger._inspectors.append(self._inspect)

    def stop(self) -> None:
        """End capturing; a second call does nothing."""
        _discard(self._destinations._destinations, self._take)
        _discard(Logger._inspectors, self._inspect)

    def __enter__(self: _S) -> _S:  # noqa: PYI019 - typing.Self comes with Python 3.11
        self.start()
        return self

    def __exit__(self, exception_class: object, *_: object) -> None:
        self.stop()
        if exception_class is None:
            self.check()

    def _take(self, message: Message) -> None:
        """Be a destination."""
        line = encode(message)
        kind = message.get(MESSAGE_TYPE_FIELD)
        if kind == TRACEBACK_TYPE:
            self._tracebacks.append(json.loads(line))
        elif kind == DESTINATION_FAILURE_TYPE:
            self._note(f"a destination has failed: {safeunicode(message.get(REASON_FIELD))}")
        # A search in bytes, to decode few messages twice.
        written = json.loads(line) if _DEGRADED in line else {}
        marks = written.get(DEGRADED_FIELD)
        if isinstance(marks, dict):
            self._note(f"{_named(written)} cannot be written as it is: {fields_text(marks)}")
        self._taken.append((message, line))
        if self._keep is not None and len(self._taken) > self._keep:
            del self._taken[0]

    def _inspect(self, message: Message, serializer: Serializer) -> None:
        """See a typed message before it is serialized."""
        try:
            within(serializer.validate, message.copy())
        except Exception as error:
            why = safeunicode(error.args[-1] if error.args else error)
            self._note(f"{_named(message)} is not as declared: {why}")

    def _note(self, fault: str) -> None:
        where = "".join(format_stack(_caller(), limit=1)).rstrip()
        self._faults.append(f"{fault}\n{where}")

    # -- Looking ---------------------------------------------------------------------------------

    @property
    def messages(self) -> List[Message]:
        """The messages as a reader of the log gets them, encoded and decoded again."""
        return [json.loads(line) for _, line in [*self._taken]]

    @property
    def live(self) -> List[Message]:
        """The messages as destinations get them, with the values that were logged."""
        return [message for message, _ in [*self._taken]]

    @property
    def tasks(self) -> List[Task]:
        """The trees of the messages, in the order in which they began."""
        return _tasks_of(self.messages)

    def __str__(self) -> str:
        """Return the trees as text: of the newest 1,000 messages, if there are more."""
        left_out = max(len(self._taken) - _SHOWN, 0)
        lines = [f"({left_out} older messages are left out)"] if left_out else []
        for task in _tasks_of(self.messages[left_out:]):
            lines.extend(tree_lines(task.top()))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<CapturedLogs: {len(self._taken)} messages>"

    def flush_tracebacks(self, exception_type: _Exceptions) -> List[Message]:
        """
        Take out the tracebacks that a test expects; those that are left fail it.

        Args:
            exception_type: A class of exceptions, or a tuple of classes.

        Returns:
            Their messages, as in `messages`, where they stay.

        >>> from eliot import write_traceback
        >>> with CapturedLogs() as logs:
        ...     write_traceback(exc_info=ZeroDivisionError("oops"))
        ...     [message] = logs.flush_tracebacks(ArithmeticError)
        >>> message["reason"]
        'oops'
        """
        names = _names_of(exception_type)
        flushed = [each for each in self._tracebacks if each.get(EXCEPTION_FIELD) in names]
        self._tracebacks = [each for each in self._tracebacks if each not in flushed]
        return flushed

    # -- Claims ----------------------------------------------------------------------------------

    def check(self) -> None:
        """
        Look for what is wrong with what was logged since the last call.

        Raises:
            AssertionError: If there are tracebacks that were not flushed; messages that cannot be
                written as they are, or that are not of their declared type; or if a destination
                has failed. Says where that was logged.
        """
        faults, self._faults = self._faults, []
        tracebacks, self._tracebacks = self._tracebacks, []
        problems = faults if self._validate else []
        if self._watches_tracebacks:
            problems.extend(
                "a traceback was logged, and not flushed with flush_tracebacks():\n"
                + safeunicode(each.get(TRACEBACK_FIELD)).rstrip("\n")
                for each in tracebacks
            )
        if problems:
            raise AssertionError("\n\n".join(problems))

    def assert_has_message(self, message_type: Union[str, MessageType], /, **fields: Any) -> Entry:
        """
        Assert that there is a message of a type with certain fields.

        Args:
            message_type: The type, or its name.
            fields: What it should have, among others; as it was logged, or as it is in the log.

        Returns:
            The first such message.

        Raises:
            AssertionError: If there is none; shows the nearest one.

        >>> from eliot import log_message
        >>> with CapturedLogs() as logs:
        ...     log_message("receipt", number=1, paid={"card"})
        >>> logs.assert_has_message("receipt", paid={"card"}).fields["number"]
        1
        """
        __tracebackhide__ = True
        name = name_of(message_type)

        def conditions(message: Entry) -> List[bool]:
            return _matches(message.fields, fields)

        return self._nearest(_MESSAGE, name, conditions, _line(PLAIN.message, name, fields, {}))

    def assert_has_action(
        self,
        action_type: Union[str, ActionType],
        /,
        *,
        succeeded: Optional[bool] = None,
        start_fields: Optional[Mapping[str, Any]] = None,
        end_fields: Optional[Mapping[str, Any]] = None,
    ) -> Entry:
        """
        Assert that there is an action of a type, how it ended, and what it told.

        Args:
            action_type: The type, or its name.
            succeeded: Whether it should have succeeded or failed; `None` does not ask.
            start_fields: What its start message should have, among others.
            end_fields: What its end message should have, among others.

        Returns:
            The first such action.

        Raises:
            AssertionError: If there is none; shows the nearest one, with all that is in it.

        >>> from eliot import start_action
        >>> with CapturedLogs() as logs:
        ...     with start_action(action_type="pay", amount=20) as action:
        ...         action.add_success_fields(receipt=1)
        >>> logs.assert_has_action("pay", succeeded=True, end_fields={"receipt": 1}).status
        'succeeded'
        """
        __tracebackhide__ = True
        name = name_of(action_type)
        start, end = start_fields or {}, end_fields or {}
        status, mark = {
            None: (None, PLAIN.unknown),
            True: (SUCCEEDED_STATUS, PLAIN.succeeded),
            False: (FAILED_STATUS, PLAIN.failed),
        }[succeeded]

        def conditions(action: Entry) -> List[bool]:
            return [
                status is None or action.status == status,
                *_matches(action.fields, start),
                *_matches(action.end_fields, end),
            ]

        return self._nearest(_ACTION, name, conditions, _line(mark, name, start, end))

    def assert_tree(self, expected: Mapping[Any, Sequence[Any]], /) -> Entry:
        """
        Assert that there is an action with exactly certain messages and actions in it.

        Args:
            expected: The type of the action, and a list of what is in it, in order: the type of
                each message, and a dictionary like this one for each action.

        Returns:
            The first such action, wherever it is in a tree.

        Raises:
            AssertionError: If there is none; shows how the nearest one differs.

        >>> from eliot import log_message, start_action
        >>> with CapturedLogs() as logs:
        ...     with start_action(action_type="pay"):
        ...         with start_action(action_type="charge"):
        ...             log_message("charged")
        ...         log_message("receipt")
        >>> action = logs.assert_tree({"pay": [{"charge": ["charged"]}, "receipt"]})
        """
        __tracebackhide__ = True
        wanted = _expected_types(expected)
        actions = self._entries(_ACTION)
        alike = [each for each in actions if f"{each.type}:" == wanted[0]]
        for action in alike:
            if _types(action) == wanted:
                return action
        trees = [_types(action) for action in (alike or actions)[:_COMPARED]]
        if not trees:
            raise AssertionError(_block("no action was logged; expected", wanted))
        nearest = max(trees, key=lambda tree: SequenceMatcher(None, wanted, tree).ratio())
        number = len(wanted) + len(nearest)
        differences = [*unified_diff(wanted, nearest, lineterm="", n=number)][3:]
        problem = "no action has this tree\n"
        raise AssertionError(problem + _block("expected (-) and nearest (+)", differences))

    def _entries(self, kind: str) -> List[Entry]:
        """Return all messages, or all actions, parents before children."""
        return [entry for task in self.tasks for entry in task.walk() if entry.kind == kind]

    def _nearest(
        self, kind: str, name: str, conditions: Callable[[Entry], List[bool]], expected: str
    ) -> Entry:
        """Return the first entry that fulfils all conditions, or say which comes nearest."""
        __tracebackhide__ = True
        entries = self._entries(kind)
        alike = [each for each in entries if each.type == name]
        for each in alike:
            if all(conditions(each)):
                return each
        number = f"{len(alike)} {kind}{'' if len(alike) == 1 else 's'} of type {name}"
        if alike:
            nearest = max(alike, key=lambda each: sum(conditions(each)))
            title, lines = f"nearest of {number}", [*tree_lines(nearest)]
        else:
            types = [each.type or "" for each in entries]
            close = get_close_matches(name, types, 1)
            found = [*tree_lines(entries[types.index(close[0])])] if close else []
            title = "nearest type" if close else "all that was logged"
            lines = found or str(self).splitlines() or ["nothing"]
        if len(lines) > _LINES:
            lines[_LINES:] = [f"({len(lines) - _LINES} more lines)"]
        problem = f"{number}, but none as expected" if alike else f"no {number[2:]}"
        raise AssertionError(
            "\n".join([problem, _block("expected", [expected]), _block(title, lines)])
        )


_DEGRADED = encode(DEGRADED_FIELD)
_INDENT = "  "

# The kinds of entries.
_ACTION = "action"
_MESSAGE = "message"


def _discard(members: List[Any], member: object) -> None:
    if member in members:  # else somebody has emptied the list meanwhile
        members.remove(member)


def _names_of(exceptions: _Exceptions) -> Set[str]:
    """Return what the log calls these classes and all their subclasses."""
    classes = [*exceptions] if isinstance(exceptions, tuple) else [exceptions]
    for each in classes:
        classes.extend(each.__subclasses__())
    return {class_name(each) for each in classes}


def _named(message: Message) -> str:
    """Say which message it is."""
    if ACTION_TYPE_FIELD in message:
        status = printable(message.get(ACTION_STATUS_FIELD))
        return f"the {status} message of action {printable(message[ACTION_TYPE_FIELD])}"
    return f"message {printable(message.get(MESSAGE_TYPE_FIELD))}"


# -- Trees -----------------------------------------------------------------------------------------


def _tasks_of(messages: List[Message]) -> List[Task]:
    """Make trees; messages that have no place in one are left out."""
    order: Dict[Any, int] = {}
    for number, message in enumerate(messages):
        order.setdefault(message.get(TASK_UUID_FIELD), number)
    tasks = Parser.parse_stream(messages, on_error=_pass_over)
    return sorted(tasks, key=lambda task: order[task.top().task_uuid])


def _pass_over(message: object, error: Exception) -> None:
    """Leave out what has no place in a tree."""


def _types(action: Entry) -> List[str]:
    """Give the types of an action and of all that is in it as indented lines."""
    lines = []
    for entry in action.walk():
        colon = ":" if entry.kind == _ACTION else ""
        name = entry.type or entry.kind
        lines.append(f"{_INDENT * (entry.depth - action.depth)}{name}{colon}")
    return lines


def _expected_types(expected: Any) -> List[str]:
    """Do the same for what is expected."""
    lines: List[str] = []
    pending: List[Tuple[Any, str]] = [(expected, "")]
    while pending:
        part, indent = pending.pop()
        if isinstance(part, Mapping) and len(part) == 1:
            [(named, children)] = part.items()
            lines.append(f"{indent}{name_of(named)}:")
            pending.extend((child, indent + _INDENT) for child in reversed(children))
        elif indent and isinstance(part, (str, MessageType)):
            lines.append(f"{indent}{name_of(part)}")
        else:
            msg = f"a tree is a dictionary of one item, from a type to a list, not {part!r}"
            raise TypeError(msg)
    return lines


def _matches(actual: Mapping[str, Any], fields: Mapping[str, Any]) -> List[bool]:
    """Tell for each field whether it is there, as it was logged or as it was written."""
    return [
        name in actual and (value == actual[name] or json.loads(encode(value)) == actual[name])
        for name, value in fields.items()
    ]


# -- Text ------------------------------------------------------------------------------------------


def _line(mark: str, name: str, fields: Mapping[str, Any], end_fields: Mapping[str, Any]) -> str:
    """Show what is expected, in line with the trees, which begin with the time."""
    parts = [f"{mark} {name}", fields_text(fields)]
    if end_fields:
        parts.append(f"{PLAIN.ended} {fields_text(end_fields)}")
    return f"{' ' * CLOCK}  {'  '.join(part for part in parts if part)}"


def _block(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"{title}:", *(f"{_INDENT}{line}" for line in lines)])
