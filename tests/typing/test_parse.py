"""What type checkers see of `eliot.parse`, and of what else reads logs."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union

import pytest
from typing_extensions import assert_type

from eliot import MemoryLogger, log_message, start_action
from eliot.filter import USAGE, EliotFilter, main
from eliot.parse import (
    ActionProfile,
    BadLine,
    Change,
    Entry,
    Event,
    Failure,
    FailureGroup,
    Failures,
    Parser,
    PathStep,
    Problem,
    Profile,
    SlowTask,
    Step,
    Task,
    TaskLevel,
    WrittenAction,
    WrittenMessage,
    changes,
    failures,
    profile,
    read,
    read_lines,
)
from eliot.prettyprint import compact_format, pretty_format


@pytest.fixture
def task() -> Task:
    """Log a task that fails."""
    logger = MemoryLogger()
    with start_action(logger, "a", x=1) as action:
        with start_action(logger, "b"):
            log_message("m", y=2)
        action.finish(ValueError())
    [task] = Parser.parse_stream(logger.messages)
    return task


def test_parsing(task: Task) -> None:
    """Messages become tasks."""
    messages: List[Mapping[str, Any]] = []
    problems: List[Exception] = []

    def on_error(message: object, error: Exception) -> None:
        problems.append(error)

    assert_type(Parser.parse_stream(messages), Iterator[Task])
    assert_type(Parser.parse_stream(iter(messages), on_error), Iterator[Task])
    assert_type(Parser().incomplete_tasks(), List[Task])
    message = {"task_uuid": "u", "task_level": [1], "message_type": "m"}
    done, parser = Parser().add(message)
    assert_type(done, List[Task])
    assert_type(parser, Parser)
    with pytest.raises(AttributeError):
        Parser.parse()  # type: ignore[attr-defined] # there is no such method


def test_tasks(task: Task) -> None:
    """They know their tree."""
    assert_type(Task().add({"task_uuid": "u", "task_level": [1]}), Task)
    assert_type(task.is_complete(), bool)
    assert_type(task.missing(), List[TaskLevel])
    assert_type(task.missing(limit=1), List[TaskLevel])
    assert_type(task.replaced(), List[WrittenMessage])
    assert_type(task.top(), Entry)
    assert_type(task.walk(), Iterator[Entry])
    root = task.root()
    assert_type(root, Union[WrittenAction, WrittenMessage])


def test_written(task: Task) -> None:
    """What was written is a message or an action, told apart with isinstance()."""
    root = task.root()
    with pytest.raises(AttributeError):
        assert root.contents  # type: ignore[union-attr] # it may be an action
    assert isinstance(root, WrittenAction)
    assert_type(root.task_uuid, str)
    assert_type(root.task_level, TaskLevel)
    assert_type(root.action_type, Optional[str])
    assert_type(root.status, Optional[str])
    assert_type(root.start_time, Optional[float])
    assert_type(root.end_time, Optional[float])
    assert_type(root.exception, Optional[str])
    assert_type(root.reason, Optional[str])
    assert_type(root.start_message, Optional[WrittenMessage])
    assert_type(root.end_message, Optional[WrittenMessage])
    for child in root.children:
        assert_type(child, Union[WrittenAction, WrittenMessage])
    message = root.start_message
    assert message is not None
    assert_type(message.timestamp, float)
    assert_type(message.task_uuid, str)
    assert_type(message.task_level, TaskLevel)
    assert 1 == assert_type(message.contents["x"], Any)
    assert_type(message.as_dict(), Dict[str, Any])
    assert_type(message.transform(["x"], 2), WrittenMessage)
    assert_type(WrittenMessage.from_dict(message.as_dict()), WrittenMessage)
    assert_type(WrittenAction.from_messages(message), WrittenAction)


def test_task_levels() -> None:
    """They are made of integers, and of each other."""
    level = TaskLevel([1, 2])
    assert_type(level.child(), TaskLevel)
    assert_type(level.next_sibling(), TaskLevel)
    assert_type(level.parent(), Optional[TaskLevel])
    assert_type(level.is_sibling_of(level), bool)
    assert_type(level < level.child(), bool)
    assert_type(level.as_list(), List[int])
    assert_type(level.as_tuple(), Tuple[int, ...])
    assert_type([*level.level], List[int])
    assert_type(level.to_string(), str)
    assert_type(TaskLevel.from_string("/1/2"), TaskLevel)
    assert_type(level.toString(), str)
    assert_type(TaskLevel.fromString("/1/2"), TaskLevel)


def test_entries(task: Task) -> None:
    """They tell of actions and messages alike."""
    entry = task.top()
    assert_type(entry.kind, str)
    assert_type(entry.type, Optional[str])
    assert_type(entry.status, Optional[str])
    assert_type(entry.task_uuid, str)
    assert_type(entry.level, Tuple[int, ...])
    assert_type(entry.depth, int)
    assert_type(entry.count, int)
    assert_type(entry.begun, bool)
    assert_type(entry.ended, bool)
    assert_type(entry.start, Optional[float])
    assert_type(entry.end, Optional[float])
    assert_type(entry.duration, Optional[float])
    assert_type(entry.fields, Dict[str, Any])
    assert_type(entry.end_fields, Dict[str, Any])
    assert_type(entry.exception, Optional[str])
    assert_type(entry.reason, Optional[str])
    assert_type(entry.log_level, Optional[str])
    assert_type(entry.parent, Optional[Entry])
    assert_type(entry.children, List[Entry])
    assert_type(entry.walk(), Iterator[Entry])
    with pytest.raises(AttributeError):
        entry.fields = {}  # type: ignore[misc] # it can only be read


def test_reading(tmp_path: Path) -> None:
    """Sources are paths, patterns, or files that are open."""
    path = tmp_path / "a.log"
    path.write_bytes(b'nonsense\n{"task_uuid":"u","task_level":[1]}\n')
    problems: List[Problem] = []
    for task in read(path, on_error=problems.append):
        assert_type(task, Task)
    assert_type(read(str(path), path, io.BytesIO()), Iterator[Task])
    problem = problems[0]
    assert_type(problem.source, str)
    assert_type(problem.line, Optional[int])
    assert_type(problem.reason, str)
    assert_type(problem.content, Union[bytes, Dict[str, Any], None])
    with path.open("rb") as file:
        for item in read_lines(file):
            assert_type(item, Union[Dict[str, Any], BadLine])
            if isinstance(item, BadLine):
                assert_type(item.number, int)
                assert_type(item.line, bytes)
                assert_type(item.reason, str)
                assert_type(item.is_cut(), bool)
            else:
                assert_type(item["task_uuid"], Any)


def test_failures(task: Task) -> None:
    """They are named tuples all through."""
    found = failures([task], before=3)
    assert_type(found, Failures)
    assert_type(found.caught, List[FailureGroup])
    assert_type(found.unfinished, List[FailureGroup])
    [group] = assert_type(found.failed, List[FailureGroup])
    assert_type(group.exception, Optional[str])
    assert_type(group.path, Tuple[str, ...])
    assert_type(group.number, int)
    failure = assert_type(group.example, Failure)
    assert_type(failure.chain, Tuple[Step, ...])
    assert_type(failure.before, Tuple[Event, ...])
    assert_type(failure.afterwards, Tuple[Event, ...])
    assert_type(failure.traceback, Optional[str])
    assert_type(failure.chain[0].action_type, Optional[str])
    for event in failure.before:
        assert_type(event.fields, Dict[str, Any])


def test_profiles(task: Task) -> None:
    """They are named tuples all through."""
    found = profile([task], by="x", slowest=1)
    assert_type(found, Profile)
    [action, _] = assert_type(found.actions, List[ActionProfile])
    assert_type(action.action_type, Optional[str])
    assert_type(action.by, Any)
    assert_type(action.self_time, float)
    [slow] = assert_type(found.slowest, List[SlowTask])
    assert_type(slow.path, Tuple[PathStep, ...])
    assert_type(slow.path[0].seconds, float)
    change = assert_type(changes(found, found), List[Change])[0]
    assert_type(change.old, Optional[ActionProfile])
    assert_type(change.added, float)
    with pytest.raises(TypeError):
        profile()  # type: ignore[call-arg] # of what?


def test_text(task: Task) -> None:
    """Messages become text."""
    message = {"task_uuid": "u", "task_level": [1], "timestamp": 0.0}
    assert_type(pretty_format(message), str)
    assert_type(compact_format(message, local_timezone=True), str)


def test_filters() -> None:
    """They read lines, and write to a file."""
    output = io.StringIO()
    filter_ = EliotFilter("J['x']", [json.dumps({"x": 1})], output)
    assert_type(filter_, EliotFilter)
    filter_.run()
    assert "1\n" == output.getvalue()
    usage: str = USAGE
    assert usage
    assert callable(main)
