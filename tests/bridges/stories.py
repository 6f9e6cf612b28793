"""Messages of logs, as tests of what shows them need them: what was said, and when."""

from __future__ import annotations

from typing import Any, Dict, List

UUID = "2cd4e99c-7b11"


def message(*level: int, at: float = 0.0, uuid: str = UUID, **fields: Any) -> Dict[str, Any]:
    """Make a message that was logged so many seconds after the first."""
    return {"task_uuid": uuid, "task_level": [*level], "timestamp": 1443193754.5 + at, **fields}


def start(*level: int, kind: Any = "act", **fields: Any) -> Dict[str, Any]:
    """Make the start of an action."""
    return message(*level, action_type=kind, action_status="started", **fields)


def end(*level: int, kind: str = "act", **fields: Any) -> Dict[str, Any]:
    """Make the end of an action, which succeeded unless something else is said."""
    ending: Dict[str, Any] = {"action_status": "succeeded", **fields}
    return message(*level, action_type=kind, **ending)


def said(*level: int, kind: str = "say", **fields: Any) -> Dict[str, Any]:
    """Make a message outside the boundaries of actions."""
    return message(*level, message_type=kind, **fields)


def order(why: str) -> List[Dict[str, Any]]:
    """Tell an order, for which a card could not be charged."""
    return [
        start(1, kind="order", number=17),
        start(2, 1, kind="charge", amount=20, at=0.001),
        end(
            *(2, 2),
            kind="charge",
            at=0.051,
            action_status="failed",
            exception="builtins.KeyError",
            reason="'1881'",
            code=402,
        ),
        said(3, kind="invoice", why=why, at=0.052),
        end(4, kind="order", at=0.1, items=0),
    ]
