"""Waiting for a condition with a deadline, where no event can be had from outside the product."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], what: str, timeout: float = 30.0, every: float = 0.05) -> T:
    """Calls `probe` until it returns something true, and returns that. An AssertionError or OSError in it is a no."""
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            result = probe()
        except (AssertionError, OSError) as error:
            last = error
        else:
            if result:
                return result
            last = result
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s (last: {last!r})")
        time.sleep(every)
