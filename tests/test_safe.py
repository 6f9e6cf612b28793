"""Text of anything, even of what does not want to be text."""

from __future__ import annotations

import ast
from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eliot._safe import (
    MAX_TEXT,
    UNKNOWN,
    class_name,
    printable,
    safe_dictionary,
    saferepr,
    safeunicode,
)


class Hostile:
    """An object that cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __str__


class NoText:
    """An object whose texts are no text."""

    def __str__(self) -> Any:
        return 7  # noqa: PLE0307 - that is the point

    __repr__ = __str__


class Interrupted:
    """An object that is interrupted while it says what it is."""

    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__


class Long:
    """An object with a text that has no end."""

    def __str__(self) -> str:
        return "x" * (MAX_TEXT + 1)

    __repr__ = __str__


@pytest.mark.parametrize("text_of", [safeunicode, saferepr])
class TestText:
    """`safeunicode` and `saferepr`."""

    @pytest.mark.parametrize("hostile", [Hostile(), NoText()])
    def test_stands_in_for_failures(
        self, text_of: Callable[[object], str], hostile: object
    ) -> None:
        """What raises an exception, or gives something else than text, becomes a fixed text."""
        assert "eliot: unknown, str() raised exception" == UNKNOWN == text_of(hostile)

    def test_lets_interrupts_pass(self, text_of: Callable[[object], str]) -> None:
        """Whoever interrupts the program means the program."""
        with pytest.raises(KeyboardInterrupt):
            text_of(Interrupted())

    def test_is_bounded(self, text_of: Callable[[object], str]) -> None:
        """Very long texts are cut, and say so."""
        text = text_of(Long())

        assert "x" * MAX_TEXT + "... (cut, 100001 characters in all)" == text


def test_safeunicode_is_str() -> None:
    """Of all that can say what it is, that is what it says."""
    assert "boom" == safeunicode(ValueError("boom"))


def test_saferepr_is_repr() -> None:
    """Of all that can say what it is, that is what it says."""
    assert "ValueError('boom')" == saferepr(ValueError("boom"))


class TestClassName:
    """`class_name`."""

    class Inner:
        """A class in a class."""

    def test_is_module_and_name(self) -> None:
        """A class is named without the classes around it."""
        assert f"{__name__}.Inner" == class_name(self.Inner)
        assert "builtins.OSError" == class_name(IOError)

    def test_takes_anything(self) -> None:
        """What is no class is described as it is."""
        assert "7" == class_name(7)
        assert UNKNOWN == class_name(Hostile())


class TestSafeDictionary:
    """`safe_dictionary`."""

    def test_is_text_of_texts(self) -> None:
        """Keys and values appear as their `repr`."""
        assert "{\"'hello'\": '123'}" == safe_dictionary({"hello": 123})

    def test_takes_hostile_objects(self) -> None:
        """Keys and values without a `repr` do no harm."""
        text = safe_dictionary({Hostile(): 1, "a": Hostile()})

        assert {UNKNOWN: "1", "'a'": UNKNOWN} == ast.literal_eval(text)

    @pytest.mark.parametrize(
        ("other", "expected"), [(None, "None"), ([1], "[1]"), (Hostile(), UNKNOWN)]
    )
    def test_takes_anything(self, other: object, expected: str) -> None:
        """What is no dictionary is described as it is."""
        assert expected == safe_dictionary(other)

    def test_is_bounded(self) -> None:
        """Many long values do not add up to an even longer text."""
        text = safe_dictionary({number: Long() for number in range(3)})

        assert len(text) < MAX_TEXT + 100

    def test_survives_changes(self) -> None:
        """A dictionary that changes while it is described does no harm."""
        changing: dict[object, object] = {}

        class Changer:
            def __repr__(self) -> str:
                changing[len(changing)] = 1
                return "changer"

        changing["a"] = Changer()

        assert safe_dictionary(changing).startswith("{'a': changer")

    @given(st.dictionaries(st.text() | st.integers(), st.none() | st.floats() | st.text()))
    def test_can_be_read(self, dictionary: dict[object, object]) -> None:
        """The text is that of a dictionary of texts."""
        expected = {repr(key): repr(value) for key, value in dictionary.items()}

        assert expected == ast.literal_eval(safe_dictionary(dictionary))


class TestPrintable:
    """Text for terminals."""

    @given(st.text())
    def test_nothing_that_a_terminal_obeys(self, text: str) -> None:
        """Whatever the text, only printable characters are left, and a printable text is kept."""
        shown = printable(text)

        assert shown.isprintable()
        assert (shown == text) == text.isprintable()

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            *(("\x1b]0;title\x07", r"\x1b]0;title\x07"), ("\r\n\t\0\x08", r"\r\n\t\x00\x08")),
            *(("\x7f", r"\x7f"), ("\x80\x9b\x9f", r"\x80\x9b\x9f"), ("\ud800", r"\ud800")),
            ("\u202a\u202b\u202c\u202d\u202e", r"\u202a\u202b\u202c\u202d\u202e"),
            ("\u2066\u2067\u2068\u2069", r"\u2066\u2067\u2068\u2069"),
            ("\u200e\u200f\u2028\u2029", r"\u200e\u200f\u2028\u2029"),
            ("na\u00efve \\ \u4e2d \U0001f600", "na\u00efve \\ \u4e2d \U0001f600"),
        ],
    )
    def test_escapes(self, text: str, shown: str) -> None:
        """Control characters, direction marks and odd separators are escaped; letters are not."""
        assert shown == printable(text)

    def test_other_objects(self) -> None:
        """Anything has a printable text; one that is text already is not cut."""
        assert ["1", UNKNOWN] == [printable(1), printable(Hostile())]
        assert "x" * (MAX_TEXT + 1) == printable("x" * (MAX_TEXT + 1))
