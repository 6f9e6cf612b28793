from typing import Any, Callable, TypeVar

_T = TypeVar("_T")

class Interface:
    @classmethod
    def providedBy(cls, ob: object, /) -> bool: ...
    @classmethod
    def implementedBy(cls, cls_: type[Any], /) -> bool: ...

def implementer(*interfaces: type[Interface]) -> Callable[[_T], _T]: ...
