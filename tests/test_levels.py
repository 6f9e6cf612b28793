"""Levels, and thresholds by type."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot import _levels
from eliot._levels import LEVELS, Thresholds, check_level, number_of


class TestCheckLevel:
    """What can be given as a level."""

    @pytest.mark.parametrize("name", LEVELS)
    def test_names(self, name: str) -> None:
        """A name may be in any case, or be its number in standard logging."""
        number = getattr(logging, name.upper())

        assert {name} == {check_level(each) for each in (name, name.upper(), name.title(), number)}

    @pytest.mark.parametrize("wrong", ["loud", "", 15, True, None, 1.0, b"info", ["info"]])
    def test_others(self, wrong: Any) -> None:
        """Anything else is refused, with what there is to choose from."""
        with pytest.raises(ValueError, match="debug, info, warning, error, critical") as caught:
            check_level(wrong)

        assert repr(wrong) in str(caught.value)


class Hostile:
    """A value that cannot even be looked up."""

    def __hash__(self) -> int:
        """Fail."""
        raise OSError


class TestNumberOf:
    """What a message has as its level."""

    @pytest.mark.parametrize(
        ("level", "number"),
        [
            ("debug", 10),
            ("INFO", 20),
            ("Warning", 30),
            ("WARN", 30),
            ("fatal", 50),
            (35, 35),
            (None, 20),
        ],
    )
    def test_known(self, level: object, number: int) -> None:
        """Names in any case, those of standard logging too, and numbers; `None` says nothing."""
        assert number == number_of(level)

    @pytest.mark.parametrize("odd", ["urgent", 1.5, ["info"], Hostile(), True])
    def test_odd(self, odd: object) -> None:
        """What is none is above all."""
        assert number_of(odd) > number_of("critical")


class TestThresholds:
    """The least level of each type."""

    def test_none_matches(self) -> None:
        """A type that nothing matches has no threshold."""
        assert 0 == Thresholds({"a": "error"})["b"]

    def test_last_match_decides(self) -> None:
        """Of the patterns that match, the last one decides."""
        first, second = ("*", "info"), ("app:*", "error")

        assert 40 == Thresholds(dict([first, second]))["app:start"]
        assert 20 == Thresholds(dict([second, first]))["app:start"]

    @pytest.mark.parametrize(
        ("pattern", "kind", "matches"),
        [
            ("app:*", "app:", True),
            ("app:*", "other:app:x", False),
            ("app:?", "app:x", True),
            ("app:[xy]", "app:z", False),
            ("App", "app", False),
            ("*", "", True),
            ("*", "two\nlines", True),
        ],
    )
    def test_patterns(self, pattern: str, kind: str, *, matches: bool) -> None:
        """A pattern matches a whole type, as the shell does."""
        assert matches is (Thresholds({pattern: "error"})[kind] == 40)

    @pytest.mark.parametrize("wrong", [["*"], "*", 5, {1: "info"}])
    def test_no_mapping(self, wrong: Any) -> None:
        """They are a mapping from texts."""
        with pytest.raises(TypeError):
            Thresholds(wrong)

    def test_no_level(self) -> None:
        """Their values are levels."""
        with pytest.raises(ValueError, match="'loud'"):
            Thresholds({"*": "loud"})

    def test_are_kept(self) -> None:
        """Each type is looked up in the patterns once."""
        thresholds = Thresholds({"*": "info"})
        asked = [thresholds[kind] for kind in "aab"]

        assert ([20, 20, 20], {"a": 20, "b": 20}) == (asked, dict(thresholds))

    def test_have_an_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A program that makes types up does not fill the memory."""
        monkeypatch.setattr(_levels, "_MAX_KNOWN", 3)
        thresholds = Thresholds({"*": "info"})
        for number in range(10):
            assert 20 == thresholds[str(number)]

        assert len(thresholds) <= 3

    @given(st.dictionaries(st.text("ab:*", max_size=4), st.sampled_from([*LEVELS])), st.text("ab:"))
    def test_any(self, levels: Any, kind: str) -> None:
        """A threshold is that of one of the patterns, or there is none."""
        assert Thresholds(levels)[kind] in {0, *(LEVELS[level] for level in levels.values())}
