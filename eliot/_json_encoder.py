"""The encoder class for `json.dumps`: for programs that were written before default functions."""

from __future__ import annotations

import json
from typing import Any

from eliot._jsonable import json_default

__all__ = ["EliotJSONEncoder"]


class EliotJSONEncoder(json.JSONEncoder):
    """
    Encode with `json.dumps(..., cls=EliotJSONEncoder)` what `json_default` can convert.

    Kept for programs that subclass it; a function that calls `json_default` last is the better way.

    >>> json.dumps({"s": {1}}, cls=EliotJSONEncoder)
    '{"s": [1]}'
    """

    def default(self, o: Any) -> Any:
        """Return what `json_default` makes of *o*."""
        return json_default(o)


EliotJSONEncoder.__module__ = "eliot.json"  # its address since it was published
