"""Forks: no place in the tree is given twice, nobody hangs, and children tell where they belong."""

from __future__ import annotations

from collections import Counter
from typing import Any, Callable, Dict, List

import pytest

Message = Dict[str, Any]
Trees = Callable[[], List[List[str]]]
Log = Callable[[], List[Message]]

#: Forks in an action; the child logs, and ends in the way that is named.
ENDS = """
import os, sys
from eliot import log_message, start_action, to_file

to_file("eliot.log")

def in_child():
    log_message("in child")
    with start_action(action_type="work"):
        pass
    if END == "exit":
        sys.exit()
    if END == "_exit":
        os._exit(0)
    if END == "fail":
        sys.stderr.close()
        raise KeyError("in child")

with start_action(action_type="parent"):
    log_message("before")
    child = os.fork()
    if not child:
        in_child()
    else:
        os.waitpid(child, 0)
        log_message("after")
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("return", "succeeded"),
        ("exit", "builtins.SystemExit"),
        ("fail", "builtins.KeyError"),
        ("_exit", "started"),
    ],
)
def test_child_is_a_branch(
    run_program: Callable[..., Any], trees: Trees, end: str, status: str
) -> None:
    """What a child logs is under the action in which the fork happened, and ends as it does."""
    run_program(f"END = {end!r}\n{ENDS}")

    assert trees() == [
        [
            "parent succeeded",
            "  before",
            f"  eliot:forked {status}",
            "    in child",
            "    work succeeded",
            "  after",
        ]
    ]


def test_grandchildren(run_program: Callable[..., Any], trees: Trees) -> None:
    """A child's child is a branch of the branch, also where the child has logged nothing yet."""
    run_program(
        """
        import os
        from eliot import log_message, start_action, to_file

        def fork(f):
            child = os.fork()
            if not child:
                f()
                os._exit(0)
            os.waitpid(child, 0)

        def child():
            fork(grandchild)
            log_message("child")
            with start_action(action_type="new"):
                fork(grandchild)
            outer.finish()

        def grandchild():
            log_message("grandchild")
            fork(lambda: log_message("last"))

        to_file("eliot.log")
        with start_action(action_type="outer") as outer:
            fork(child)
            fork(grandchild)
        """
    )
    grandchild = ["eliot:forked started", "  grandchild", "  eliot:forked started", "    last"]

    assert trees() == [
        [
            "outer succeeded",
            "  eliot:forked succeeded",
            *(f"    {line}" for line in grandchild),
            "    child",
            "    new succeeded",
            *(f"      {line}" for line in grandchild),
            *(f"  {line}" for line in grandchild),
        ]
    ]


def test_inherited_actions(run_program: Callable[..., Any], log: Log, trees: Trees) -> None:
    """What a child logs in any inherited action is in its branch; their ends are the parent's."""
    run_program(
        """
        import os
        from eliot import log_message, start_action, start_task, to_file

        to_file("eliot.log")
        other = start_task(action_type="other")
        with start_action(action_type="outer") as outer:
            with start_action(action_type="inner"):
                child = os.fork()
                if not child:
                    other.log("in other")
                    outer.log("in outer")
                    log_message("in inner")
                    outer.child(None, "work").finish()
                    other.finish()
                    outer.finish()
                    other.finish()
                else:
                    os.waitpid(child, 0)
        if not child:
            os._exit(0)
        other.finish()
        """
    )

    assert trees() == [
        ["other succeeded"],
        [
            "outer succeeded",
            "  inner succeeded",
            "    eliot:forked succeeded",
            "      in other",
            "      in outer",
            "      in inner",
            "      work succeeded",
        ],
    ]


def test_fork_outside_of_actions(run_program: Callable[..., Any], trees: Trees) -> None:
    """A child that is forked outside of any action has tasks of its own."""
    run_program(
        """
        import os
        from eliot import log_message, start_action, start_task, to_file

        to_file("eliot.log")
        other = start_task(action_type="other")
        child = os.fork()
        if not child:
            log_message("child")
            other.log("in other")
            with other.context():
                log_message("again")
        else:
            os.waitpid(child, 0)
            log_message("parent")
            other.finish()
        """
    )

    assert trees() == [
        ["child"],
        ["eliot:forked succeeded", "  in other", "  again"],
        ["other succeeded"],
        ["parent"],
    ]


def test_exception_leaves_inherited_actions(
    run_program: Callable[..., Any], log: Log, trees: Trees
) -> None:
    """An exception ends the branch where it leaves the action of the fork; others go on."""
    run_program(
        """
        import os
        from eliot import log_message, start_action, to_file

        to_file("eliot.log")
        with start_action(action_type="outer"):
            try:
                with start_action(action_type="inner"):
                    child = os.fork()
                    if not child:
                        log_message("in child")
                        raise ValueError("in child")
                    os.waitpid(child, 0)
            except ValueError:
                log_message("still in child")
        if not child:
            log_message("outside")
        """
    )

    assert trees() == [
        [
            "outer succeeded",
            "  inner succeeded",
            "    eliot:forked builtins.ValueError",
            "      in child",
            "      still in child",
        ],
        ["outside"],
    ]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(
    run_program: Callable[..., Any], log: Log, trees: Trees, method: str
) -> None:
    """Children of each start method log to the same file; forked ones in their branches."""
    run_program(
        """
        import multiprocessing, os, sys
        from eliot import log_message, start_action, to_file

        def work(number, method):
            if method != "fork":
                to_file("eliot.log")
            log_message("hello", number=number)
            with start_action(action_type="work"):
                pass
            if number == 1:
                sys.stderr.close()
                raise ValueError(number)

        if __name__ == "__main__":
            method = sys.argv[1]
            context = multiprocessing.get_context(method)
            to_file("eliot.log")
            with start_action(action_type="parent"):
                for number in range(3):
                    process = context.Process(target=work, args=(number, method))
                    process.start()
                    process.join()
                    assert process.exitcode == (number == 1)
                log_message("after")
        """,
        method,
    )
    children = [
        [f"  eliot:forked {status}", "    hello", "    work succeeded"]
        for status in ("succeeded", "builtins.ValueError", "succeeded")
    ]

    assert trees() == (
        [["parent succeeded", *children[0], *children[1], *children[2], "  after"]]
        if method == "fork"
        else [*[["hello"]] * 3, ["parent succeeded", "  after"], *[["work succeeded"]] * 3]
    )


#: A server that opens its log, starts threads that log, and then forks its workers.
PRELOADING = """
import os, threading
from eliot import log_message, start_action, start_task, status, to_file

to_file("eliot.log")
stop = threading.Event()

def maintain(number):
    while not stop.is_set():
        with start_task(action_type="maintain", number=number):
            log_message("maintained", data="x" * 5000)

def serve(worker):
    def handle(thread):
        for number in range(100):
            with start_task(action_type="request", id=[worker, thread, number]):
                log_message("handled", id=[worker, thread, number])

    log_message("worker", worker=worker)
    threads = [threading.Thread(target=handle, args=(thread,)) for thread in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert status().destinations[0].failed == 0

maintainers = [threading.Thread(target=maintain, args=(number,)) for number in range(4)]
for thread in maintainers:
    thread.start()
children = []
with start_action(action_type="master"):
    for worker in range(4):
        child = os.fork()
        if not child:
            serve(worker)
            os._exit(0)
        children.append(child)
    statuses = [os.waitpid(child, 0)[1] for child in children]
stop.set()
for thread in maintainers:
    thread.join()
assert statuses == [0] * 4, statuses
"""


def test_preloading(run_program: Callable[..., Any], log: Log) -> None:
    """Workers of a server that has loaded its program before it forked them log as it does."""
    run_program(PRELOADING)
    messages = log()
    handled = [each["id"] for each in messages if each.get("message_type") == "handled"]
    begun = [each for each in messages if each.get("action_status") == "started"]
    roots = [each["task_uuid"] for each in begun if each["task_level"] == [1]]

    assert sorted(handled) == [[w, t, n] for w in range(4) for t in range(2) for n in range(100)]
    assert len(set(roots)) == len(roots) > 800
    assert sum(each["action_type"] == "eliot:forked" for each in begun) == 4


def test_fork_under_load(run_program: Callable[..., Any], log: Log) -> None:
    """Children of a process in which many threads log neither hang nor repeat a place."""
    run_program(
        """
        import os, threading
        from eliot import log_message, start_action, to_file

        to_file("eliot.log", watch=True)
        to_file(open("other.log", "a", encoding="latin-1"))
        stop = threading.Event()

        def load():
            with action.context():
                while not stop.is_set():
                    log_message("load", data="x" * 3000)
                    with start_action(action_type="loaded"):
                        pass

        with start_action(action_type="shared") as action:
            threads = [threading.Thread(target=load) for _ in range(6)]
            for thread in threads:
                thread.start()
            for number in range(40):
                child = os.fork()
                if not child:
                    for step in range(5):
                        log_message("child", id=[number, step])
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
            stop.set()
            for thread in threads:
                thread.join()
        """
    )
    messages = log()
    kinds = Counter(each.get("message_type", each.get("action_type")) for each in messages)

    assert kinds["child"] == 200
    assert kinds["eliot:forked"] == 40


def test_threads_fork_at_the_same_time(
    run_program: Callable[..., Any], log: Log, trees: Trees
) -> None:
    """Each child is a branch of the action of the thread that has forked it."""
    run_program(
        """
        import os, threading
        from eliot import log_message, start_task, to_file

        to_file("eliot.log")

        def fork_often(name):
            with start_task(action_type=name):
                for _ in range(10):
                    child = os.fork()
                    if not child:
                        log_message("in " + name)
                        os._exit(0)
                    os.waitpid(child, 0)

        threads = [threading.Thread(target=fork_often, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """
    )
    branches = {name: ["  eliot:forked started", f"    in {name}"] * 10 for name in "abcd"}

    assert trees() == [[f"{name} succeeded", *branches[name]] for name in "abcd"]


def test_outages_of_parent_and_child(run_program: Callable[..., Any], log: Log) -> None:
    """Each tells of its own losses, and of nobody else's."""
    run_program(
        """
        import os, sys
        from eliot import log_message, to_file

        sys.stderr = open(os.devnull, "w")
        os.mkdir("logs")
        to_file("logs/eliot.log", watch=True)
        os.remove("logs/eliot.log")
        os.rmdir("logs")
        log_message("parent")
        log_message("parent")
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        else:
            log_message("child")
            log_message("child")
            os.mkdir("logs")
        log_message("works again")
        if child:
            os.rename("logs/eliot.log", "eliot.log")
        sys.stderr.close()
        """
    )
    told = [each["types"] for each in log() if each["message_type"] == "eliot:lost"]

    assert told == [{"child": 2}, {"parent": 2}]
