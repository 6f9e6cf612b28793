"""Which extra fields describe an exception: the registry of extractors."""

from __future__ import annotations

from collections import ChainMap, UserDict
from typing import Any, Dict, Type

import pytest
from pyrsistent import pmap

import eliot
from eliot._errors import (
    ErrorExtraction,
    _error_extraction,
    get_fields_for_exception,
    register_exception_extractor,
)


class Error(Exception):
    """An exception class of the program."""


class Derived(Error):
    """One that is derived from it."""


class Mixed(Derived, OSError):
    """One with two lines of ancestors."""


class Broken(Exception):
    """One that cannot say what it is."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


@pytest.fixture
def extraction() -> ErrorExtraction:
    """Return a registry without anything in it."""
    return ErrorExtraction()


def code(exception: BaseException) -> Dict[str, Any]:
    """Extract the first argument."""
    return {"code": exception.args[0]}


class TestWhichExtractor:
    """Of an exception's classes, the most derived that is registered decides."""

    def test_none(self, extraction: ErrorExtraction) -> None:
        """An exception that nobody has registered for has no extra fields."""
        assert ({}, None) == extraction.fields_for(Error(7))

    @pytest.mark.parametrize("cls", [Error, Derived])
    def test_of_class_or_base(self, extraction: ErrorExtraction, cls: Type[Error]) -> None:
        """An extractor serves its class and the classes derived from it."""
        extraction.register_exception_extractor(Error, code)

        assert ({"code": 7}, None) == extraction.fields_for(cls(7))

    def test_not_of_derived(self, extraction: ErrorExtraction) -> None:
        """An extractor does not serve the bases of its class."""
        extraction.register_exception_extractor(Derived, code)

        assert ({}, None) == extraction.fields_for(Error(7))

    def test_most_derived(self, extraction: ErrorExtraction) -> None:
        """Only one extractor runs: the first along the method resolution order."""
        extraction.register_exception_extractor(OSError, lambda _: {"os": True})
        extraction.register_exception_extractor(Exception, lambda _: {"any": True})
        extraction.register_exception_extractor(Error, code)

        assert ({"code": 7}, None) == extraction.fields_for(Mixed(7))

    def test_registered_last(self, extraction: ErrorExtraction) -> None:
        """Registering again replaces."""
        extraction.register_exception_extractor(Error, lambda _: {"old": True})
        extraction.register_exception_extractor(Error, code)

        assert {Error: code} == extraction.registry
        assert ({"code": 7}, None) == extraction.fields_for(Error(7))

    def test_class_without_hash(self, extraction: ErrorExtraction) -> None:
        """A class that cannot be looked for has no extra fields; why, is the failure."""

        class Meta(type):
            __hash__ = None  # type: ignore[assignment] # as with an `__eq__` of its own

        class Unhashable(Exception, metaclass=Meta):
            pass

        fields, failure = extraction.fields_for(Unhashable())

        assert ({}, TypeError) == (fields, type(failure))


class TestFailure:
    """An extractor that fails does no harm: its failure is handed back."""

    @pytest.mark.parametrize(
        "failure", [ValueError("no"), KeyboardInterrupt(), SystemExit(1), Broken()], ids=type
    )
    def test_raises(self, extraction: ErrorExtraction, failure: BaseException) -> None:
        """Whatever it raises, there are no fields, and nothing is raised."""

        def fail(_: Error) -> Dict[str, Any]:
            raise failure

        extraction.register_exception_extractor(Error, fail)

        assert ({}, failure) == extraction.fields_for(Error())

    @pytest.mark.parametrize("kind", [UserDict, ChainMap, pmap])
    def test_returns_another_mapping(self, extraction: ErrorExtraction, kind: Any) -> None:
        """Any mapping will do, as in published Eliot."""
        extraction.register_exception_extractor(Error, lambda _: kind({"code": 7}))

        assert ({"code": 7}, None) == extraction.fields_for(Error())

    @pytest.mark.parametrize("result", [None, 7, "text", [("code", 7)], {1: 2}, {"a": 1, b"b": 2}])
    def test_returns_no_fields(self, extraction: ErrorExtraction, result: Any) -> None:
        """What is not a dictionary with text keys is refused, by name."""
        extraction.register_exception_extractor(Error, lambda _: result)
        fields, failure = extraction.fields_for(Error())

        assert {} == fields
        assert isinstance(failure, TypeError)
        assert f"returned {result!r}" in str(failure)

    def test_returns_something_broken(self, extraction: ErrorExtraction) -> None:
        """What is refused need not have a repr."""
        broken: Any = Broken()
        extraction.register_exception_extractor(Error, lambda _: broken)
        _, failure = extraction.fields_for(Error())

        assert isinstance(failure, TypeError)
        assert "returned eliot: unknown, str() raised exception" in str(failure)


def test_fields_are_copied(extraction: ErrorExtraction) -> None:
    """The dictionary of the extractor is not the one that is handed out."""
    kept = {"code": 7}
    extraction.register_exception_extractor(Error, lambda _: kept)
    fields, _ = extraction.fields_for(Error())
    fields["more"] = 8

    assert {"code": 7} == kept


@pytest.mark.parametrize("wrong", ["Error", Error()])
def test_refuses_what_is_no_class(extraction: ErrorExtraction, wrong: Any) -> None:
    """An instance, or a name, would never be found."""
    with pytest.raises(TypeError) as caught:
        extraction.register_exception_extractor(wrong, code)

    assert f"{wrong!r} is no class; give the class of the exceptions" == str(caught.value)
    assert {} == extraction.registry


def test_refuses_what_is_no_function(extraction: ErrorExtraction) -> None:
    """An extractor is called with the exception."""
    wrong: Any = {"code": 7}
    with pytest.raises(TypeError, match=r"^{'code': 7} cannot be called; give a function"):
        extraction.register_exception_extractor(Error, wrong)


class TestProcess:
    """The registry of the process."""

    @pytest.mark.parametrize("exception", [OSError(5, "text"), FileNotFoundError(5, "text")])
    def test_knows_errno(self, exception: OSError) -> None:
        """Errors of the operating system tell their number."""
        assert ({"errno": 5}, None) == _error_extraction.fields_for(exception)

    def test_errno_may_be_none(self) -> None:
        """The number of such an error is not always known."""
        assert ({"errno": None}, None) == _error_extraction.fields_for(OSError("text"))

    def test_is_what_programs_register_with(self) -> None:
        """The function that programs call is a method of this registry."""
        assert register_exception_extractor == _error_extraction.register_exception_extractor
        assert eliot.register_exception_extractor == register_exception_extractor

    def test_old_name(self) -> None:
        """The old way to ask it does not need a logger."""
        assert {"errno": 5} == get_fields_for_exception(None, OSError(5, "text"))
