"""Still pictures: the timeline of one task as SVG."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from html import escape
from typing import Iterator, Set, Tuple

from eliot._fields import FAILED_STATUS
from eliot._lanes import Lanes, Place
from eliot._safe import printable
from eliot._timeline import ended, json_text, name_of, place_text, status_of

_WIDTH = 1200  # of the whole picture, in pixels, of which times take what the margin leaves
_MARGIN = 10
_ROW = 20
_TOP = 60
_LETTER = 6.7  # the width of a letter of this size

#: What is narrower, in pixels, is left out unless it failed.
_VISIBLE = 0.2
_THIN = 0.5  # as narrow as a bar gets

#: So much of the fields is shown when the mouse is on a bar.
_TITLE = 500

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, and shown without saying so

#: Between two lines of the grid there is at least as much room.
_GRID = 100

_STEPS = [step * 10**power for power in range(18) for step in (1, 2, 5)]

_STYLE = """
svg { background: #fff; color: #1f2328; font: 11px ui-monospace, Menlo, Consolas, monospace }
text { fill: currentColor }
.name { font-weight: bold; font-size: 13px }
.grid { stroke: currentColor; stroke-opacity: .15 }
.mark { stroke: currentColor; stroke-opacity: .6 }
rect { stroke: currentColor; stroke-opacity: .35; fill: #b6d7f2 }
rect.failed { fill: #f2a29b; stroke: #a40e26; stroke-opacity: 1; stroke-width: 1.5 }
rect.open { fill: #f3dfa2; stroke-dasharray: 4 2 }
rect.unknown { fill: #ddd }
@media (prefers-color-scheme: dark) {
svg { background: #15181c; color: #e6e8ea }
rect { fill: #23517a } rect.failed { fill: #7d2129; stroke: #ff8a80 }
rect.open { fill: #6b5518 } rect.unknown { fill: #444 }
}
"""


def svg(lanes: Lanes, end: int) -> str:
    """
    Return a picture of one task.

    An action is a bar whose text says more when the mouse is on it. One that failed is red and
    has a cross, one that never ended is dashed and lasts until the end of the log. What is narrower
    than a fifth of a pixel is left out, and counted at the bottom, unless it failed.

    Args:
        lanes: The task.
        end: The end of the log, in microseconds since 1970.
    """
    top = lanes.top.entry
    last = max(lanes.end, *(ended(place, end) for place in lanes.actions()), lanes.start + 1)
    scale = (_WIDTH - 2 * _MARGIN) / (last - lanes.start)
    height = _TOP + lanes.rows * _ROW + 2 * _MARGIN + 10
    began = _EPOCH + timedelta(seconds=lanes.start // 1_000_000)
    name = _xml(f"{name_of(top)} {top.task_uuid}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" role="img">',
        f"<title>{name}</title><style>{_STYLE}</style>",
        f'<text class="name" x="{_MARGIN}" y="20">{name}</text>',
        f'<text x="{_MARGIN}" y="38">{began} UTC, {_time(last - lanes.start)}</text>',
        *_grid(last - lanes.start, scale, height),
    ]
    omitted = 0
    for place in lanes.actions():
        width = (ended(place, end) - place.start) * scale
        if width < _VISIBLE and status_of(place) != FAILED_STATUS:
            omitted += 1
        else:
            parts.extend(_bar(place, _MARGIN + (place.start - lanes.start) * scale, width))
    parts.extend(_marks(lanes, scale))
    if omitted:
        text = f"{omitted} actions are too short to be seen"
        parts.append(f'<text x="{_MARGIN}" y="{height - _MARGIN}">{text}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _xml(text: str) -> str:
    """Escape text for XML, which has no way to say most control characters."""
    return escape(printable(text))


def _time(microseconds: int) -> str:
    """Convert a duration that is a round number."""
    for factor, unit in ((1_000_000, "s"), (1000, "ms")):
        if microseconds >= factor:
            return f"{microseconds / factor:.10g} {unit}"
    return f"{microseconds} µs"


def _grid(total: int, scale: float, height: int) -> Iterator[str]:
    step = _STEPS[min(bisect_left(_STEPS, _GRID / scale), len(_STEPS) - 1)]
    for time in range(0, total + 1, step):
        x = _MARGIN + time * scale
        yield f'<path class="grid" d="M{x:.1f} {_TOP - 6}V{height - 25}"/>'
        if x < _WIDTH - _GRID / 2:
            yield f'<text x="{x:.1f}" y="{_TOP - 10}">{_time(time)}</text>'


def _bar(place: Place, x: float, width: float) -> Iterator[str]:
    status = status_of(place)
    kind = {FAILED_STATUS: "failed", "never ended": "open", "unknown": "unknown"}.get(status)
    kind = f' class="{kind}"' if kind else ""
    y = _TOP + place.row * _ROW
    mark = {FAILED_STATUS: "✗ ", "never ended": "▶ ", "unknown": "? "}.get(status, "")
    entry = place.entry
    fields = json_text({**entry.fields, **entry.end_fields})
    lasted = "" if place.is_open() else f", {_time(place.end - place.start)}"
    about = f"{name_of(entry)} {place_text(entry)}: {status}{lasted} {fields[:_TITLE]}"
    letters = int((width - 4) / _LETTER)
    name = printable(name_of(entry))
    name = name if len(mark + name) <= letters else name[: max(0, letters - len(mark) - 1)] + "…"
    label = mark + name if letters > len(mark) + 1 else mark.strip()
    yield (
        f'<g><title>{_xml(about)}</title><rect{kind} x="{x:.2f}" y="{y}" rx="2"'
        f' width="{max(width, _THIN):.2f}" height="{_ROW - 3}"/>'
    )
    yield f'<text x="{x + 4:.2f}" y="{y + 13}">{escape(label)}</text></g>' if label else "</g>"


def _marks(lanes: Lanes, scale: float) -> Iterator[str]:
    """Draw the messages, of which no more than one is seen in each pixel."""
    seen: Set[Tuple[int, int]] = set()
    for place in lanes.places:
        x = _MARGIN + (place.start - lanes.start) * scale
        spot = (place.row, int(x))
        if place.is_action() or not place.timed or spot in seen:
            continue
        seen.add(spot)
        y = _TOP + place.row * _ROW + _ROW - 9
        about = _xml(f"{name_of(place.entry)} {place_text(place.entry)}")
        yield f'<path class="mark" d="M{x:.1f} {y}v6"><title>{about}</title></path>'
