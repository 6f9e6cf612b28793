"""The parameters of a function, and which arguments a call has for them, found in no time."""

from __future__ import annotations

import sys
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from eliot._typing import Message

if TYPE_CHECKING:
    from inspect import Signature

__all__ = ["AS_WRITTEN", "Bind", "Parameters"]

#: For `inspect.signature`: in Python 3.14 and later an annotation may name what is not there, now
#: or ever; 4 is `Format.STRING`.
AS_WRITTEN: Dict[str, Any] = {"annotation_format": 4} if sys.version_info >= (3, 14) else {}

#: Finds the fields of a call, in a dictionary of the caller's own; `None` for a wrong call.
Bind = Callable[[Tuple[Any, ...], Dict[str, Any]], Optional[Message]]


class Parameters:
    """
    The parameters of a function.

    What does not depend on the call is done here, once: `inspect.Signature.bind` takes ten times as
    long.

    Args:
        signature: That of the function.

    Attributes:
        names: The names of the parameters, in order.
    """

    def __init__(self, signature: Signature) -> None:
        parameters = signature.parameters
        self.names = tuple(parameters)
        by_kind: Tuple[List[str], ...] = ([], [], [], [], [])
        for name, parameter in parameters.items():
            by_kind[parameter.kind].append(name)
        only_by_position, by_both, rest, only_by_keyword, others = by_kind
        self._has_rest, self._has_others = bool(rest), bool(others)
        self._most = len(only_by_position) + len(by_both)
        self._by_keyword = frozenset([*by_both, *only_by_keyword])
        self._named = (*only_by_position, *by_both, *only_by_keyword)
        self._defaults = {
            name: parameter.default
            for name, parameter in parameters.items()
            if parameter.default is not parameter.empty
        }
        # So many arguments by position, and no others, are all the values; -1 is no such number.
        self._all = self._most if self._most == len(parameters) else -1
        # So many or more, and no others, are followed by defaults.
        self._least = len(self._named) - len(self._defaults)
        if rest or others or not self._defaults.keys() >= {*only_by_keyword}:
            self._least = self._most + 1
        self._tail = tuple(self._defaults.get(name) for name in self._named)

    def values(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Optional[Sequence[Any]]:
        """Find the value of each parameter, in order, as the call does; `None` for a wrong call."""
        most = self._most
        if not kwargs and self._least <= len(args) <= most:
            return args + self._tail[len(args) :]
        if len(args) > most and not self._has_rest:
            return None
        found = [*args[:most]]
        left = len(kwargs)
        for name in self._named[len(found) :]:
            if name in kwargs and name in self._by_keyword:
                found.append(kwargs[name])
                left -= 1
            elif name in self._defaults:
                found.append(self._defaults[name])
            else:
                return None
        if self._has_rest:
            found.insert(most, args[most:])
        if self._has_others:
            others = {name: kwargs[name] for name in kwargs if name not in self._by_keyword}
            found.append(others)
            left -= len(others)
        return None if left else found

    def bind(self, fields: Mapping[str, str]) -> Bind:
        """
        Choose parameters to be logged.

        Args:
            fields: For the name of each of these parameters that of its field.

        Returns:
            A function that finds the fields of a call, made for the number of parameters: to write
            down a small dictionary takes a quarter of the time of what works for all numbers.
        """
        values_of, count = self.values, self._all
        places = [place for place, name in enumerate(self.names) if name in fields]
        names = [fields[self.names[place]] for place in places]

        def none(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Optional[Message]:
            values = args if len(args) == count and not kwargs else values_of(args, kwargs)
            return None if values is None else {}

        def one(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Optional[Message]:
            values = args if len(args) == count and not kwargs else values_of(args, kwargs)
            return None if values is None else {a: values[i]}

        def two(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Optional[Message]:
            values = args if len(args) == count and not kwargs else values_of(args, kwargs)
            return None if values is None else {a: values[i], b: values[j]}

        def three(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Optional[Message]:
            values = args if len(args) == count and not kwargs else values_of(args, kwargs)
            return None if values is None else {a: values[i], b: values[j], c: values[k]}

        def more(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Optional[Message]:
            values = args if len(args) == count and not kwargs else values_of(args, kwargs)
            return None if values is None else dict(zip(names, chosen(values)))

        a, b, c = (*names, "", "", "")[:3]
        i, j, k = (*places, 0, 0, 0)[:3]
        if len(names) > len((a, b, c)):
            chosen: Callable[[Sequence[Any]], Tuple[Any, ...]] = itemgetter(*places)
            return more
        return (none, one, two, three)[len(names)]
