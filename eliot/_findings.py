"""What is told of a log: failures and times, as plain data."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Protocol, Tuple

from eliot._entries import Entry

__all__ = [
    "HANDLED",
    "PASSED",
    "RAISED",
    "REPLACED",
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
    "Walkable",
]

#: What an action had to do with a failure.
RAISED, PASSED, REPLACED, HANDLED = "raised", "passed on", "replaced", "handled"


class Walkable(Protocol):
    """A task, as far as the rooms need to know that find all this; `eliot.parse` is above."""

    def walk(self) -> Iterator[Entry]:
        """Give all entries."""
        ...


class Step(NamedTuple):
    """
    Describe one action on the way from the top of a task to a failure.

    Attributes:
        action_type: Its type, None if that is not known.
        status: `"started"`, `"succeeded"` or `"failed"`, None if that is not known.
        part: What it had to do with the failure: it `"raised"` the exception, `"passed on"` the
            same exception, `"replaced"` it by another one, or `"handled"` it; None if it was
            around all that, or did not end in this log.
        start: When it began, in seconds since 1970 (UTC), None if that is not known.
        duration: How long it took, in seconds, None if that is not known.
        fields: What it began with.
        end_fields: What it ended with, but for exception, reason, traceback and duration.
        exception: The class of the exception that it failed with, None if it did not.
        reason: The text of that exception.

    .. versionadded:: 2.0
    """

    action_type: Optional[str]
    status: Optional[str]
    part: Optional[str]
    start: Optional[float]
    duration: Optional[float]
    fields: Dict[str, Any]
    end_fields: Dict[str, Any]
    exception: Optional[str]
    reason: Optional[str]


class Event(NamedTuple):
    """
    Describe a message, or an action, that came before or after a failure.

    * `type`: its message type or action type, None if that is not known.
    * `depth`: how many actions are around it.
    * `status`: the status of an action, None for a message.
    * `time`: when the message was logged, or when the action began, in seconds since 1970 (UTC).
    * `duration`: how long an action took, in seconds.
    * `fields`: those of the message, or those that the action began with.
    * `exception`: the class of the exception that an action failed with.
    * `reason`: the text of that exception.

    .. versionadded:: 2.0
    """

    type: Optional[str]
    depth: int
    status: Optional[str]
    time: Optional[float]
    duration: Optional[float]
    fields: Dict[str, Any]
    exception: Optional[str]
    reason: Optional[str]


class Failure(NamedTuple):
    """
    Describe one failure and the way to it.

    Attributes:
        exception: The class of the exception, as text; None for an action that never ended.
        reason: The text of the exception.
        task_uuid: The task that it happened in.
        task_level: The level of the innermost failed action; of a logged traceback that of its
            message.
        time: When it happened, in seconds since 1970 (UTC), None if that is not known; for an
            action that never ended the time of the last that is known of it.
        handled: Whether an action around it went on.
        chain: The actions from the top of the task to the innermost one.
        before: What was logged just before, in order.
        traceback: The longest traceback that was logged of it, None if there is none: in the task,
            or outside of any action within a second after the exception left the task.
        afterwards: Actions of the task that failed later with another exception, or that were
            cancelled because of this failure; the first ten.
        afterwards_count: How many of those there are.

    .. versionadded:: 2.0
    """

    exception: Optional[str]
    reason: Optional[str]
    task_uuid: str
    task_level: Tuple[int, ...]
    time: Optional[float]
    handled: bool
    chain: Tuple[Step, ...]
    before: Tuple[Event, ...]
    traceback: Optional[str]
    afterwards: Tuple[Event, ...]
    afterwards_count: int


class FailureGroup(NamedTuple):
    """
    Count failures with the same class of exception on the same way.

    Attributes:
        exception: The class of the exception, as text; None for actions that never ended.
        path: The types of the actions from the top of the task to the innermost one. An action
            directly in one of the same type does not count: recursion has any depth.
        number: How many there are.
        handled: How many of them were handled by an action around them, which went on.
        tasks: In how many tasks they are.
        first: When the first one happened, in seconds since 1970 (UTC), None if that is not known.
        last: When the last one happened.
        example: One of them: the first one, if possible one that nobody handled, and that has a
            traceback.

    .. versionadded:: 2.0
    """

    exception: Optional[str]
    path: Tuple[str, ...]
    number: int
    handled: int
    tasks: int
    first: Optional[float]
    last: Optional[float]
    example: Failure


class Failures(NamedTuple):
    """
    Hold what went wrong in a log.

    Attributes:
        failed: Failed actions; first those that nobody handled, of these cancellations last, of
            these the most frequent first, of these the latest.
        caught: Exceptions that were logged with their tracebacks, but with which no action failed.
        unfinished: Actions that had not ended when the log ended, and no unfinished one in them.

    .. versionadded:: 2.0
    """

    failed: List[FailureGroup]
    caught: List[FailureGroup]
    unfinished: List[FailureGroup]


class ActionProfile(NamedTuple):
    """
    Say where the time of the actions of one type went; all times in seconds.

    Attributes:
        action_type: The type, None for actions of which neither start nor end is known.
        by: The value of the field that was asked for, None if they lack it, or none was.
        number: How many of the actions have a known duration; all that follows is about these.
        failed: How many of all the actions failed.
        unfinished: How many of all the actions did not end in this log.
        total: The sum of the durations, but for those of actions within others of the same kind:
            recursion does not count twice.
        self_time: The sum of the self times. That of an action is the time that it spent in no
            action directly in it, at whatever time those were running side by side.
        mean: The arithmetic mean.
        p50: The median.
        p95: So long took 95 % of the actions at most.
        p99: So long took 99 % of the actions at most.
        max: So long took the longest one.
        max_task: The task that it was in.

    .. versionadded:: 2.0
    """

    action_type: Optional[str]
    by: Any
    number: int
    failed: int
    unfinished: int
    total: float
    self_time: float
    mean: float
    p50: float
    p95: float
    p99: float
    max: float
    max_task: Optional[str]


class PathStep(NamedTuple):
    """
    Describe a step of a critical path: actions of one type at the same place in the path of types.

    Attributes:
        action_type: Their type.
        depth: How many steps are around it: 0 for that of the task's outermost action.
        number: How many actions it stands for.
        seconds: The time that these themselves took of the path, without actions in them.
        fields: What the one of them began with that took most of it.

    .. versionadded:: 2.0
    """

    action_type: Optional[str]
    depth: int
    number: int
    seconds: float
    fields: Dict[str, Any]


class SlowTask(NamedTuple):
    """
    Describe the critical path of a task.

    Attributes:
        task_uuid: The task.
        action_type: The type of its outermost action.
        start: When it began, in seconds since 1970 (UTC).
        duration: How long it took, in seconds: the sum of the steps.
        path: The critical path, outer steps before inner ones, and those before later ones.

    .. versionadded:: 2.0
    """

    task_uuid: str
    action_type: Optional[str]
    start: float
    duration: float
    path: Tuple[PathStep, ...]


class Profile(NamedTuple):
    """
    Hold where the time of a log went.

    Attributes:
        tasks: How many tasks with actions there are.
        actions: One for each type of action, most self time first.
        slowest: The tasks that took longest, the longest first.

    .. versionadded:: 2.0
    """

    tasks: int
    actions: List[ActionProfile]
    slowest: List[SlowTask]


class Change(NamedTuple):
    """
    Compare the actions of one type in two logs; all times in seconds.

    Attributes:
        action_type: The type.
        by: The value of the field that was asked for.
        old: Their profile in the old log, None if it has none.
        new: Their profile in the new log, None if it has none.
        added: How much more self time there is for each task of the log: because they take longer,
            or because there are more of them. Negative if there is less.
        few: Whether a log that has some has fewer than ten, so that this may be an accident.

    .. versionadded:: 2.0
    """

    action_type: Optional[str]
    by: Any
    old: Optional[ActionProfile]
    new: Optional[ActionProfile]
    added: float
    few: bool
