"""What a forked child has to make anew; real forks are in tests/faults."""

from __future__ import annotations

import gc
import multiprocessing.util
import os
import sys
from typing import Any, Dict, Generator, List

import pytest

from eliot import _fork as fork_room
from eliot._action import log_message, start_action
from eliot._branch import _fork
from eliot._fork import here, in_child, renew_in_child
from eliot._ids import new_task_uuid
from eliot._loggers import Logger

Messages = List[Dict[str, Any]]


@pytest.fixture
def messages() -> Messages:
    """Collect what is logged."""
    collected: Messages = []
    Logger._destinations.add(collected.append)
    return collected


@pytest.fixture(autouse=True)
def _come_back(monkeypatch: pytest.MonkeyPatch) -> Generator[None, None, None]:
    """Be the parent again in the end."""
    monkeypatch.setattr("atexit.register", lambda _: None)
    process = here.process
    yield
    here.process = process
    _fork._reserved.slot = None
    _fork.renew()


def become_child() -> None:
    """Do what happens in a child that is forked now."""
    _fork.reserve()
    fork_room._become_another()


class TestChild:
    """A process that was forked."""

    def test_is_another_one(self) -> None:
        """It knows that it is not its parent."""
        process = here.process
        become_child()

        assert process is not here.process

    def test_renews(self) -> None:
        """It has renewed what asked for it, as far as that is still there."""
        renewed: List[str] = []

        class Renewable:
            def _renew(self) -> None:
                renewed.append("renewable")

        renewable, gone = Renewable(), Renewable()
        renew_in_child(renewable)
        renew_in_child(gone)
        in_child(lambda: renewed.append("called"))
        del gone
        gc.collect()
        become_child()
        fork_room._CALLED_IN_CHILD.pop()

        assert ["called", "renewable"] == renewed

    def test_draws_other_ids(self) -> None:
        """It does not use those that its parent has drawn ahead."""
        from eliot import _ids

        new_task_uuid()
        assert _ids._DRAWN
        become_child()

        assert not _ids._DRAWN


def seen(messages: Messages) -> List[Any]:
    """Say where each message is, and what."""
    return [
        (m["task_level"], m.get("action_type", m.get("message_type")), m.get("action_status"))
        for m in messages
    ]


class TestBranch:
    """What a child logs in actions that it has inherited."""

    def test_is_below_the_current_action(self, messages: Messages) -> None:
        """It has a slot of that action, which the parent will not use."""
        with start_action(action_type="a"):
            become_child()
            log_message("b")
            with start_action(action_type="c"):
                pass

        assert [
            ([1], "a", "started"),
            ([2, 1], "eliot:forked", "started"),
            ([2, 2], "b", None),
            ([2, 3, 1], "c", "started"),
            ([2, 3, 2], "c", "succeeded"),
            ([2, 4], "eliot:forked", "succeeded"),
        ] == seen(messages)
        assert os.getpid() == messages[1]["pid"]
        assert 1 == len({m["task_uuid"] for m in messages})

    def test_ends_with_the_current_action(self, messages: Messages) -> None:
        """An exception that leaves the action leaves the branch; outer actions say nothing."""

        def work() -> None:
            with start_action(action_type="a") as outer, start_action(action_type="b") as inner:
                become_child()
                outer.log("c")
                inner.log("d")
                raise ZeroDivisionError("e")

        with pytest.raises(ZeroDivisionError):
            work()

        assert [
            ([1], "a", "started"),
            ([2, 1], "b", "started"),
            ([2, 2, 1], "eliot:forked", "started"),
            ([2, 2, 2], "c", None),
            ([2, 2, 3], "d", None),
            ([2, 2, 4], "eliot:forked", "failed"),
        ] == seen(messages)
        assert "e" == messages[-1]["reason"]

    def test_may_be_empty(self, messages: Messages) -> None:
        """If nothing is logged there, it just ends."""
        with start_action(action_type="a"):
            become_child()

        assert [
            ([1], "a", "started"),
            ([2, 1], "eliot:forked", "started"),
            ([2, 2], "eliot:forked", "succeeded"),
        ] == seen(messages)

    def test_outside_of_any_action(self, messages: Messages) -> None:
        """If there was no current action, it is a task of its own."""
        action = start_action(action_type="a")
        become_child()
        action.log("b")
        child = action.child(None, "c")
        child._start({})
        action.finish()

        assert [
            ([1], "a", "started"),
            ([1], "eliot:forked", "started"),
            ([2], "b", None),
            ([3, 1], "c", "started"),
        ] == seen(messages)
        assert messages[0]["task_uuid"] != messages[1]["task_uuid"]
        assert messages[1]["task_uuid"] == messages[2]["task_uuid"] == messages[3]["task_uuid"]

    def test_hands_out_ids(self, messages: Messages) -> None:
        """Ids for other processes are of the branch."""
        with start_action(action_type="a") as action:
            uuid = action.task_uuid
            become_child()
            task_id = action.serialize_task_id()

        assert f"{uuid}@/2/2".encode() == task_id
        assert 3 == len(messages)

    def test_of_a_grandchild(self, messages: Messages) -> None:
        """A child that forks in turn gives a slot of its own branch."""
        with start_action(action_type="a"):
            become_child()
            log_message("b")
            become_child()
            log_message("c")

        assert [
            ([1], "a", "started"),
            ([2, 1], "eliot:forked", "started"),
            ([2, 2], "b", None),
            ([2, 3, 1], "eliot:forked", "started"),
            ([2, 3, 2], "c", None),
            ([2, 3, 3], "eliot:forked", "succeeded"),
        ] == seen(messages)

    @pytest.mark.parametrize("loaded", [True, False])
    def test_ends_with_the_process(
        self, messages: Messages, monkeypatch: pytest.MonkeyPatch, loaded: bool
    ) -> None:
        """At the latest, it ends when the process does, also in children of multiprocessing."""
        ends: List[Any] = []
        monkeypatch.setattr("atexit.register", ends.append)
        if loaded:
            monkeypatch.setattr(
                multiprocessing.util, "Finalize", lambda _, end, exitpriority: ends.append(end)
            )
        else:
            monkeypatch.delitem(sys.modules, "multiprocessing.util")
        action = start_action(action_type="a")
        with action.context():
            become_child()
            log_message("b")
        for end in ends:
            end()

        assert (2 if loaded else 1) == len(ends)
        assert ([2, 3], "eliot:forked", "succeeded") == seen(messages)[-1]
        assert 4 == len(messages)

    def test_parent_forgets(self, messages: Messages) -> None:
        """In the parent, the fork leaves a slot out, and nothing else."""
        with start_action(action_type="a"):
            _fork.reserve()
            log_message("b")

        assert [([1], "a", "started"), ([3], "b", None), ([4], "a", "succeeded")] == seen(messages)

    def test_may_end_in_the_child(self, messages: Messages) -> None:
        """An action of the child's own ends as any other."""
        become_child()
        action = start_action(action_type="a")
        action.finish()

        assert [([1], "a", "started"), ([2], "a", "succeeded")] == seen(messages)
