"""Tests of `eliot._packed`."""

from __future__ import annotations

from typing import Any, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot import _packed
from eliot._packed import field_of, pack, same, shape_of, shape_with, unpack

FIELDS = st.dictionaries(st.text(), st.none() | st.integers() | st.lists(st.text()), max_size=5)


def message(**fields: Any) -> Dict[str, Any]:
    """Make a message."""
    return {"task_level": [2, 1], **fields, "task_uuid": "u"}


class TestPack:
    """A message loses its place and gets it back."""

    @given(FIELDS)
    def test_there_and_back(self, fields: Dict[str, Any]) -> None:
        """Nothing is lost, whatever the fields are."""
        whole = {**fields, **message()}

        assert whole == unpack(pack(whole), "u", (2, 1))

    def test_only_a_place(self) -> None:
        """Messages with no other field or just one are no exception."""
        for whole in (message(), message(x=1)):
            assert whole == unpack(pack(whole), "u", (2, 1))

    def test_many_shapes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is remembered of shapes has an end."""
        monkeypatch.setattr(_packed, "_shapes", {})
        for number in range(3500):
            pack(message(**{f"x{number}": 1}))

        assert 500 == len(_packed._shapes)

    def test_many_types(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is remembered of types has an end."""
        monkeypatch.setattr(_packed, "_sharing", {})
        shape = shape_of(message(x=1, message_type="m"))
        for number in range(3500):
            shape_with(shape, (f"m{number}",))

        assert 500 == len(_packed._sharing)

    def test_types_last(self) -> None:
        """Those with the same fields may have their types in common, which come last."""
        whole = message(message_type="m", x=1, y=2)
        shape = shape_with(shape_of(whole), ("m",))

        assert (2, None) == (shape.width, shape.status)
        assert pack(whole) == shape.values_of(whole) + shape.rest


class TestFieldOf:
    """One field."""

    def test_value(self) -> None:
        """The value of a field that is there, else nothing."""
        packed = pack(message(x=1, y=2))

        assert (1, 2, None) == (field_of(packed, "x"), field_of(packed, "y"), field_of(packed, "z"))
        assert field_of(None, "x") is None


class TestSame:
    """Comparing."""

    @given(FIELDS, FIELDS)
    def test_like_dictionaries(self, one: Dict[str, Any], two: Dict[str, Any]) -> None:
        """They are equal if the messages are, in whatever order the fields come."""
        backwards = dict(reversed(list(one.items())))

        assert same(pack({**message(), **one}), pack({**backwards, **message()}))
        assert same(pack({**one, **message()}), pack({**two, **message()})) == (
            {**one, **message()} == {**two, **message()}
        )
