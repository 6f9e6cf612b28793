"""What the tests of asyncio, Trio and AnyIO share: the log of a test, told as trees."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Protocol, TypeVar, Union

from eliot.parse import Parser, WrittenAction, WrittenMessage

_F = TypeVar("_F", bound=Callable[..., Any])

Message = Dict[str, Any]


class Decorator(Protocol):
    """What does something to a function, and keeps its type."""

    def __call__(self, function: _F) -> _F: ...  # noqa: D102 - see above


def tell(node: Union[WrittenAction, WrittenMessage], indent: str = "") -> Iterator[str]:
    """Tell a tree line by line."""
    if isinstance(node, WrittenMessage):
        yield indent + str(node.contents["message_type"])
        return
    yield f"{indent}{node.action_type} {node.exception or node.status}"
    for child in node.children:
        yield from tell(child, indent + "  ")


def trees(log: List[Message]) -> List[str]:
    """Tell what the parser makes of a log, whose tasks have to be whole, and come once each."""
    tasks = list(Parser.parse_stream(log))

    assert [True] * len(tasks) == [task.is_complete() and not task.missing() for task in tasks]
    assert len({message["task_uuid"] for message in log}) == len(tasks)
    return [line for task in tasks for line in tell(task.root())]
