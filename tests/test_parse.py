"""Tests of `eliot.parse`: what `Parser` makes of the messages of many tasks."""

from __future__ import annotations

import copy
import importlib
import itertools
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterable, Iterator, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrsistent import pmap

import eliot._parse
import eliot._written
import eliot.parse
from eliot import _task
from eliot._written import InvalidStatus, WrongActionType
from eliot.parse import Parser, Task

Fields = Dict[str, Any]


def message(uuid: str, level: Any, **more: Any) -> Fields:
    """Make a plain message."""
    return {"task_uuid": uuid, "task_level": level, "timestamp": 1.5, "message_type": "m", **more}


def start(uuid: str, level: Any) -> Fields:
    """Make a start message."""
    identity = {"task_uuid": uuid, "task_level": level, "timestamp": 1.5}
    return {**identity, "action_type": "a", "action_status": "started"}


def end(uuid: str, level: Any) -> Fields:
    """Make a finish message."""
    return {**start(uuid, level), "action_status": "succeeded"}


def task_of(*messages: Fields) -> Task:
    """Make a task of messages."""
    task = Task()
    for fields in messages:
        task = task.add(fields)
    return task


def fed(messages: Iterable[Any]) -> Tuple[List[Task], Parser]:
    """Feed messages to a parser one by one; return what it completed, and the parser."""
    done: List[Task] = []
    parser = Parser()
    for fields in messages:
        completed, parser = parser.add(fields)
        done += completed
    return done, parser


def lone(count: int, first: int = 0) -> List[Fields]:
    """Make tasks of one message each, all different."""
    return [message(f"lone {number}", [1]) for number in range(first, first + count)]


def uuids(tasks: Iterable[Task]) -> List[str]:
    """Return which tasks these are."""
    return [task.root().task_uuid for task in tasks]


#: Tasks complete and incomplete, each a list of messages.
TASKS = st.lists(
    st.sampled_from(["lone", "empty", "nested", "unfinished"]), min_size=1, max_size=5
).map(
    lambda kinds: [
        {
            "lone": [message(str(n), [1])],
            "empty": [start(str(n), [1]), end(str(n), [2])],
            "nested": [
                start(str(n), [1]),
                start(str(n), [2, 1]),
                message(str(n), [2, 2]),
                end(str(n), [2, 3]),
                end(str(n), [3]),
            ],
            "unfinished": [start(str(n), [1]), message(str(n), [2])],
        }[kind]
        for n, kind in enumerate(kinds)
    ]
)


class TestAdd:
    """Message by message."""

    def test_completes(self) -> None:
        """A task is returned by the message that completes it, and is then forgotten."""
        done, parser = Parser().add(start("u", [1]))

        assert [] == done
        assert [task_of(start("u", [1]))] == parser.incomplete_tasks()

        done, parser = parser.add(end("u", [2]))

        assert [task_of(start("u", [1]), end("u", [2]))] == done
        assert [] == parser.incomplete_tasks()

    def test_lone_message(self) -> None:
        """A message outside of any action completes its task at once."""
        done, parser = Parser().add(message("u", [1]))

        assert [task_of(message("u", [1]))] == done
        assert Parser() == parser

    def test_old_ones_stay_valid(self) -> None:
        """A parser is a value: adding to it does not change it."""
        _, before = Parser().add(start("u", [1]))
        one, _ = before.add(end("u", [2]))
        other, after = before.add(message("u", [2]))

        assert [True] == [task.is_complete() for task in one]
        assert [] == other
        assert [task_of(start("u", [1]))] == before.incomplete_tasks()
        assert [task_of(start("u", [1]), message("u", [2]))] == after.incomplete_tasks()

    def test_order_of_incomplete_tasks(self) -> None:
        """Incomplete tasks come in the order of their first messages."""
        names = [str(number) for number in range(50)]
        _, parser = fed(
            itertools.chain(
                [start(name, [1]) for name in names],
                [message(name, [2]) for name in reversed(names)],
                [end(name, [3]) for name in names[::2]],
            )
        )

        assert names[1::2] == uuids(parser.incomplete_tasks())

    @given(TASKS, st.data())
    def test_like_a_stream(self, tasks: List[List[Fields]], data: st.DataObject) -> None:
        """One by one or all at once, the same tasks come, in the same order."""
        messages = data.draw(st.permutations([m for task in tasks for m in task]))
        done, parser = fed(messages)

        assert [*done, *parser.incomplete_tasks()] == list(Parser.parse_stream(messages))

    @pytest.mark.parametrize("wrong", [None, [], "text", 3])
    def test_no_mapping(self, wrong: Any) -> None:
        """A message is a mapping."""
        with pytest.raises(TypeError, match="A message is a dictionary"):
            Parser().add(wrong)

    def test_no_uuid(self) -> None:
        """A message that does not say which task is meant is refused, by name."""
        with pytest.raises(KeyError, match="task_uuid"):
            Parser().add({"task_level": [1]})
        with pytest.raises(TypeError, match=r"task_uuid is text, not \['u'\]"):
            Parser().add({"task_uuid": ["u"], "task_level": [1]})

    def test_errors_of_tasks(self) -> None:
        """What the task does not like is raised."""
        _, parser = Parser().add(start("u", [1]))
        with pytest.raises(WrongActionType):
            parser.add({**end("u", [2]), "action_type": "b"})


class TestLate:
    """A message for a task that is complete, one by one."""

    def test_whole_task_again(self) -> None:
        """The whole task comes once more, grown."""
        _, parser = fed([start("u", [1]), end("u", [2])])
        done, parser = parser.add(message("u", [3]))

        assert [task_of(start("u", [1]), end("u", [2]), message("u", [3]))] == done
        assert [] == parser.incomplete_tasks()

        done, _ = parser.add(message("u", [4]))

        assert [
            task_of(start("u", [1]), end("u", [2]), message("u", [3]), message("u", [4]))
        ] == done

    def test_same_message(self) -> None:
        """A message that is known does not make the task come again."""
        _, parser = fed([start("u", [1]), end("u", [2])])

        assert ([], parser) == parser.add(end("u", [2]))

    def test_among_the_last(self) -> None:
        """So it is for the last 500 tasks, whatever came before them."""
        for before in range(0, 1600, 200):
            _, parser = fed([*lone(before), message("u", [1]), *lone(499, before)])
            done, _ = parser.add(message("u", [2]))

            assert [task_of(message("u", [1]), message("u", [2]))] == done

    def test_not_for_ever(self) -> None:
        """A task that was complete long ago is forgotten; its late messages begin a new one."""
        _, parser = fed([message("u", [1]), *lone(2000)])
        done, parser = parser.add(message("u", [2]))

        assert [] == done
        assert [task_of(message("u", [2]))] == parser.incomplete_tasks()

    def test_large_tasks(self) -> None:
        """A task of any size is remembered for a while."""
        large = [start("u", [1]), *[message("u", [n]) for n in range(2, 9000)], end("u", [9000])]
        _, parser = fed([*large, *lone(500)])
        done, _ = parser.add(message("u", [9001]))

        assert ["u"] == uuids(done)


class TestParseStream:
    """A whole log."""

    def test_order(self) -> None:
        """Tasks come when they are complete, then the others by their first messages."""
        tasks = Parser.parse_stream(
            [
                start("z", [1]),
                start("y", [1]),
                message("x", [1]),
                end("y", [2]),
                start("w", [1]),
                message("z", [2]),
            ]
        )

        assert [("x", True), ("y", True), ("z", False), ("w", False)] == [
            (task.root().task_uuid, task.is_complete()) for task in tasks
        ]

    def test_lazy(self) -> None:
        """No message is read before it is needed."""
        messages = iter([start("u", [1]), end("u", [2]), message("v", [1]), message("w", [1])])
        tasks = Parser.parse_stream(messages)

        assert "u" == next(tasks).root().task_uuid
        assert [message("v", [1]), message("w", [1])] == list(messages)

    def test_empty(self) -> None:
        """An empty log has no tasks."""
        assert [] == list(Parser.parse_stream([]))

    @given(TASKS, st.data())
    def test_any_order(self, tasks: List[List[Fields]], data: st.DataObject) -> None:
        """Each task comes once, with all its messages, however they are shuffled."""
        messages = data.draw(st.permutations([m for task in tasks for m in task]))
        parsed = list(Parser.parse_stream(messages))

        assert {task[0]["task_uuid"]: task_of(*task) for task in tasks} == {
            task.root().task_uuid: task for task in parsed
        }
        assert len(tasks) == len(parsed)

    @given(TASKS, st.data())
    def test_twice(self, tasks: List[List[Fields]], data: st.DataObject) -> None:
        """Messages that come twice change nothing."""
        once = [m for task in tasks for m in task]
        twice = data.draw(st.permutations(once * 2))
        by_uuid = {task.root().task_uuid: task for task in Parser.parse_stream(twice)}

        assert {task[0]["task_uuid"]: task_of(*task) for task in tasks} == by_uuid

    @pytest.mark.parametrize("level", [(1,), "/1", [1.0], "1"])
    def test_lone_messages_in_other_forms(self, level: Any) -> None:
        """A lone message completes its task, however its level is written."""
        task, _ = Parser.parse_stream([start("v", [1]), message("u", level)])

        assert ("u", True) == (task.root().task_uuid, task.is_complete())

    def test_any_mapping(self) -> None:
        """Messages may be any mappings."""
        messages = [start("u", [1]), end("u", [2]), message("v", [1])]

        assert list(Parser.parse_stream(messages)) == list(Parser.parse_stream(map(pmap, messages)))

    def test_input_is_copied(self) -> None:
        """Dictionaries that are changed later do not change the tasks."""
        messages = [start("u", [1]), message("u", [2]), end("u", [3]), message("v", [1])]
        tasks = list(Parser.parse_stream(messages))
        expected = list(Parser.parse_stream(copy.deepcopy(messages)))
        for fields in messages:
            fields.clear()

        assert expected == tasks


class TestLateInStream:
    """A message for a task that is complete, in a whole log."""

    LOG = (start("u", [1]), end("u", [2]), message("v", [1]), message("u", [3]), message("v", [2]))

    def test_nobody_has_looked(self) -> None:
        """It joins that very task, as if it had come in time."""
        tasks = list(Parser.parse_stream(self.LOG))

        assert [
            task_of(start("u", [1]), end("u", [2]), message("u", [3])),
            task_of(message("v", [1]), message("v", [2])),
        ] == tasks

    def test_somebody_has_looked(self) -> None:
        """The task that was seen stays as it is; the whole one comes again before the others."""
        tasks = [(task, task.root()) for task in Parser.parse_stream([start("w", [1]), *self.LOG])]

        assert ["u", "v", "u", "v", "w"] == uuids(task for task, _ in tasks)
        assert task_of(start("u", [1]), end("u", [2])) == tasks[0][0]
        assert task_of(message("v", [1])) == tasks[1][0]
        assert task_of(start("u", [1]), end("u", [2]), message("u", [3])) == tasks[2][0]
        assert task_of(message("v", [1]), message("v", [2])) == tasks[3][0]
        assert all(task.root() is root for task, root in tasks)

    @pytest.mark.parametrize(
        "look",
        [
            Task.root,
            Task.missing,
            Task.replaced,
            repr,
            hash,
            copy.copy,
            lambda task: task == Task(),
            lambda task: task.add(message(task.root().task_uuid, [9])),
        ],
    )
    @pytest.mark.parametrize("log", [LOG[:2] + LOG[3:4], LOG[2:3] + LOG[4:]])
    def test_what_looking_is(self, log: Tuple[Fields, ...], look: Any) -> None:
        """Whatever shows the content of a task settles it."""
        tasks = Parser.parse_stream(log)
        first = next(tasks)
        look(first)
        (second,) = tasks

        assert task_of(*log[:-1]) == first
        assert task_of(*log) == second

    @pytest.mark.parametrize("log", [LOG[:2] + LOG[3:4], LOG[2:3] + LOG[4:]])
    def test_what_looking_is_not(self, log: Tuple[Fields, ...]) -> None:
        """Asking whether it is complete does not: a task that comes is, and stays so."""
        tasks = Parser.parse_stream(log)
        first = next(tasks)

        assert first.is_complete()
        assert [] == list(tasks)
        assert task_of(*log) == first

    def test_several(self) -> None:
        """Several late messages make the task come again once."""
        late = [message("u", [3]), message("u", [4]), message("u", [3])]
        tasks = [
            task
            for task in Parser.parse_stream([start("u", [1]), end("u", [2]), *late])
            if task.root()
        ]

        assert 2 == len(tasks)
        assert task_of(start("u", [1]), end("u", [2]), *late) == tasks[1]

    def test_same_message(self) -> None:
        """A message that is known does not make the task come again."""
        log = [start("u", [1]), end("u", [2]), end("u", [2])]

        assert ["u"] == uuids(Parser.parse_stream(log))

    def test_long_streams(self) -> None:
        """The grown task comes when it is forgotten, which is before the stream's end."""
        endless = (message(str(n), [1]) for n in itertools.count())
        log = itertools.chain(self.LOG[:2], [self.LOG[3]], endless)
        seen = itertools.islice(uuids_while_looking(log), 3000)

        assert 2 == list(seen).count("u")

    def test_not_for_ever(self) -> None:
        """A task that was complete long ago is forgotten; its late messages begin a new one."""
        log = [message("u", [1]), *lone(2000), message("u", [2]), message("u", [3])]
        tasks = [task for task in Parser.parse_stream(log) if task.root().task_uuid == "u"]

        assert [task_of(message("u", [1])), task_of(message("u", [2]), message("u", [3]))] == tasks
        assert [True, False] == [task.is_complete() for task in tasks]

    def test_memory_is_bounded(self) -> None:
        """Late messages without end do not keep other tasks for ever."""
        late = (message("u", [n]) for n in range(2, 7000))
        log = [message("u", [1]), *late, message("v", [1]), *lone(2000), message("v", [2])]
        tasks = list(Parser.parse_stream(log))

        assert ["v", "v"] == [uuid for uuid in uuids(tasks) if uuid == "v"]


def uuids_while_looking(log: Iterable[Fields]) -> Iterator[str]:
    """Parse a log, look at each task at once, and tell which one it is."""
    for task in Parser.parse_stream(log):
        yield task.root().task_uuid


class TestErrors:
    """Messages in a stream that have no place."""

    BAD: Tuple[Any, ...] = (
        None,
        [],
        "text",
        3,
        {},
        {"task_uuid": "u"},
        {"task_level": [1]},
        message("u", []),
        message("u", ["x"]),
        {**message("u", [1]), "task_uuid": ["u"]},
        {**end("u", [5]), "action_status": "weird"},
        {**end("u", [5]), "action_type": "b"},
    )

    @pytest.mark.parametrize("bad", BAD)
    def test_raised(self, bad: Any) -> None:
        """Without anybody to tell, the first one ends the stream."""
        with pytest.raises(Exception):  # noqa: B017 - each has its own
            list(Parser.parse_stream([start("u", [1]), bad]))

    def test_same_as_one_by_one(self) -> None:
        """The error is the one that adding the message raises."""
        for bad in self.BAD:
            log = [start("u", [1]), bad]
            with pytest.raises(Exception) as one_by_one:
                fed(log)
            with pytest.raises(Exception) as in_stream:
                list(Parser.parse_stream(log))

            assert one_by_one.type is in_stream.type
            assert str(one_by_one.value) == str(in_stream.value)

    def test_reported(self) -> None:
        """With somebody to tell, bad messages are left out, and no good one is."""
        told: List[Tuple[Any, Exception]] = []
        good = [start("u", [1]), message("u", [2]), end("u", [3])]
        log = [*self.BAD[:5], good[0], *self.BAD, good[1], good[2], *self.BAD[4:]]
        tasks = list(
            Parser.parse_stream(log, on_error=lambda bad, error: told.append((bad, error)))
        )

        assert [task_of(*good)] == tasks
        assert [*self.BAD[:5], *self.BAD, *self.BAD[4:]] == [bad for bad, _ in told]
        assert isinstance(told[15][1], InvalidStatus)

    def test_iterable_that_fails(self) -> None:
        """What the input itself raises is not taken for a bad message."""

        def broken() -> Iterator[Fields]:
            yield message("u", [1])
            raise OSError

        tasks = Parser.parse_stream(broken(), on_error=lambda *_: None)
        next(tasks)
        with pytest.raises(OSError):
            next(tasks)


class TestValues:
    """Parsers are values."""

    def test_equality(self) -> None:
        """Parsers with the same incomplete tasks are equal, however they came about."""
        _, one = fed([start("u", [1]), start("v", [1]), message("w", [1])])
        _, two = fed([start("v", [1]), start("u", [1])])

        assert one == two
        assert hash(one) == hash(two)
        assert Parser() != one
        assert Parser() != Task()

    def test_never_changes(self) -> None:
        """Nothing can be assigned."""
        for name in ("add", "other"):
            with pytest.raises(AttributeError):
                setattr(Parser(), name, 1)

    def test_copies(self) -> None:
        """Pickling and copying keep the tasks, and what late messages need."""
        _, parser = fed([start("u", [1]), message("v", [1]), start("w", [1])])
        for restored in (
            pickle.loads(pickle.dumps(parser)),  # noqa: S301 - our own
            copy.copy(parser),
            copy.deepcopy(parser),
        ):
            assert parser == restored
            assert ["u", "w"] == uuids(restored.incomplete_tasks())
            assert ["v"] == uuids(restored.add(message("v", [2]))[0])

    def test_repr(self) -> None:
        """The repr is short."""
        assert "<Parser: 1 incomplete tasks>" == repr(fed([start("u", [1])])[1])


class TestThreads:
    """Values may be shared."""

    def test_adding_to_one_task(self) -> None:
        """Threads that go on from the same task do not meet."""
        trunk = task_of(start("u", [1]))

        def branch(number: int) -> Tuple[Task, Task]:
            first = message("u", [2], number=number)
            task, expected = trunk.add(first), task_of(start("u", [1]), first)
            for n in range(3, 30):
                task = task.add(message("u", [n]))
                expected = expected.add(message("u", [n]))
                task.root()
            return task, expected

        with ThreadPoolExecutor(8) as pool:
            for task, expected in pool.map(branch, range(40)):
                assert expected == task

        assert task_of(start("u", [1])) == trunk

    def test_looking_at_tasks_of_a_stream(self) -> None:
        """A task that one thread looks at while another reads on is settled once."""
        log = [m for n in range(300) for m in (message(str(n), [1]), message(str(n), [2]))]
        with ThreadPoolExecutor(4) as pool:
            looked = [(task, pool.submit(task.root)) for task in Parser.parse_stream(log)]
        for task, root in looked:
            assert task.root() is root.result()
        whole = {task.root().task_uuid: task for task, _ in looked}

        assert whole == {
            str(n): task_of(message(str(n), [1]), message(str(n), [2])) for n in range(300)
        }

    @pytest.mark.parametrize("look", [Task.root, Task.missing])
    def test_overtaken(self, monkeypatch: pytest.MonkeyPatch, look: Any) -> None:
        """A message may join a task just when another thread begins to look at it."""
        lock = _task._PLANTING
        (task,) = Parser.parse_stream([message("u", [1])])

        class SlowLock:
            """Lets the reading thread go first."""

            def __enter__(self) -> None:
                monkeypatch.setattr(_task, "_PLANTING", lock)
                assert task._join(message("u", [2]))

            def __exit__(self, *_: object) -> None:
                """Do nothing."""

        monkeypatch.setattr(_task, "_PLANTING", SlowLock())
        look(task)

        assert task_of(message("u", [1]), message("u", [2])) == task


class TestNames:
    """Where things are."""

    def test_all(self) -> None:
        """`__all__` is as it always was."""
        assert ["Parser", "Task", "TaskLevel", "WrittenAction", "WrittenMessage"] == sorted(
            eliot.parse.__all__
        )

    def test_old_name(self) -> None:
        """The module answers to its old name, too."""
        assert eliot.parse is eliot._parse is sys.modules["eliot._parse"]
        assert eliot.parse is importlib.import_module("eliot._parse")

    def test_classes(self) -> None:
        """There is one class of each kind."""
        assert eliot._written.WrittenAction is eliot.parse.WrittenAction
        assert eliot._written.WrittenMessage is eliot.parse.WrittenMessage
