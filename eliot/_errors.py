"""Which extra fields describe an exception: the registry of extractors, which never logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple, Type, TypeVar

from eliot._depth import within
from eliot._safe import saferepr
from eliot._typing import Extractor

__all__ = ["ErrorExtraction", "get_fields_for_exception", "register_exception_extractor"]

_E = TypeVar("_E", bound=BaseException)

if TYPE_CHECKING:  # to make a protocol takes a hundredth of the time that `import eliot` does
    from typing import Protocol

    class _Register(Protocol):
        def __call__(
            self, exception_class: Type[_E], extractor: Callable[[_E], Dict[str, Any]]
        ) -> None: ...


class ErrorExtraction:
    """
    Know the extractor of each exception class.

    Attributes:
        registry: From class to extractor.
    """

    def __init__(self) -> None:
        self.registry: Dict[type, Extractor] = {}

    def register_exception_extractor(
        self, exception_class: Type[_E], extractor: Callable[[_E], Dict[str, Any]]
    ) -> None:
        """
        Register which extra fields describe an exception in failed actions and tracebacks.

        Of an exception's classes the most derived that is registered decides. Registering again
        replaces. An extractor that fails does no harm: its own traceback is logged, then the
        message without extra fields.

        Args:
            exception_class: For this class and its subclasses.
            extractor: Called with the exception; returns a dictionary of fields.

        Raises:
            TypeError: If it is no class, or the extractor cannot be called.

        >>> import eliot
        >>> class HTTPError(Exception):
        ...     status = 404
        >>> eliot.register_exception_extractor(HTTPError, lambda e: {"status": e.status})
        """
        if not isinstance(exception_class, type):
            msg = f"{saferepr(exception_class)} is no class; give the class of the exceptions"
            raise TypeError(msg)
        if not callable(extractor):
            msg = f"{saferepr(extractor)} cannot be called; give a function of the exception"
            raise TypeError(msg)
        self.registry[exception_class] = extractor

    def fields_for(self, exception: object) -> Tuple[Dict[str, Any], Optional[BaseException]]:
        """
        Ask the extractor that is responsible.

        Args:
            exception: Anything, for anything may be raised or given to `Action.finish`.

        Returns:
            The fields, in a dictionary of the caller's own, and what went wrong, if anything.
        """
        registry = self.registry
        try:
            for cls in type(exception).__mro__:
                if cls in registry:
                    extractor = registry[cls]
                    break
            else:
                return {}, None
        except Exception as failure:  # the class has no hash
            return {}, failure
        try:
            return _checked(extractor, within(extractor, exception)), None
        # Whatever an extractor raises: the exception that it describes matters more.
        except BaseException as failure:
            return {}, failure


def _checked(extractor: Extractor, extracted: object) -> Dict[str, Any]:
    if not isinstance(extracted, Mapping) or not all(isinstance(key, str) for key in extracted):
        msg = (
            f"the exception extractor {saferepr(extractor)} returned {saferepr(extracted)}; "
            "expected a dictionary with text keys"
        )
        raise TypeError(msg)
    return dict(extracted)


_error_extraction = ErrorExtraction()


# The registry's method; `eliot.register_exception_extractor` is this.
register_exception_extractor: _Register = _error_extraction.register_exception_extractor

fields_for = _error_extraction.fields_for


def get_fields_for_exception(
    logger: object,  # noqa: ARG001 - reports its failures, says the docstring
    exception: object,
) -> Dict[str, Any]:
    """
    Return the extra fields of an exception: the old name of `ErrorExtraction.fields_for`.

    Args:
        logger: Ignored; reporting a failed extractor is up to the caller.
        exception: The exception.
    """
    return fields_for(exception)[0]


# The errno is what programs act upon, and it is not always part of an OSError's text.
register_exception_extractor(OSError, lambda error: {"errno": error.errno})
