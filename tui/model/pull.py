"""What to ask of the supervisor next, so that the visible output is current and nothing else is fetched."""

from __future__ import annotations

from typing import NamedTuple

from tui.model.viewport import Viewport
from tui.model.window import Window

TAIL = 24_576  # bytes fetched to show the end of the output
MORE = 65_536  # bytes fetched when scrolling out of what is held
FOLLOWED = 131_072  # bytes kept while following


class Request(NamedTuple):
    """A read of the output: `tail` bytes, or `length` bytes at `offset`; `side` says where the answer goes."""

    side: str  # tail | after | before
    offset: int = 0
    length: int = 0
    tail: int | None = None


def follow(window: Window, view: Viewport, *, live: bool, rushing: bool) -> Request | None:
    """The periodic read. `rushing`: the last one found more than `TAIL` new bytes, so only the end is of use."""
    if not view.following:
        return Request("after", window.end, 0) if live else None
    if window.size == 0 or rushing:
        return Request("tail", tail=TAIL)
    if view.short and window.base > 0 and len(window.data) < FOLLOWED:
        return before(window)
    if live or not window.at_end:
        return Request("after", window.end, TAIL)
    return None


def before(window: Window) -> Request:
    """The bytes above what is held. At the end of a gap: what stands before the gap."""
    high = window.base
    if window.gap is not None and window.gap[0] < high <= window.gap[1]:
        high = window.gap[0]
    low = max(0, high - MORE)
    return Request("before", low, high - low)


def after(window: Window) -> Request:
    """The bytes below what is held."""
    return Request("after", window.end, MORE)
