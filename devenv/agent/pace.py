"""Pace: how often a descriptor that trickles is read.

A program that prints ten thousand lines a second, each with its own write, would wake us for each. After a burst of
small reads the next one waits a few milliseconds, so that the kernel gathers the lines; a quiet descriptor is still
read at once, and a full one is never made to wait.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

_BURST = 32.0  # small reads in a row before gathering starts
_RATE = 20.0  # small reads a second in the long run
PAUSE = 0.02  # seconds; a pipe holds 64 KiB, so gathering costs no throughput
ENOUGH = 1 << 15  # bytes in one go that show that gathering would only cost throughput


class Pace:
    def __init__(self, now: "Callable[[], float]") -> None:
        self._now = now
        self._tokens = _BURST
        self._last = now()

    def pause(self, got: int) -> bool:
        """True when, after having read `got` bytes, the descriptor should rest for `PAUSE` seconds."""
        now = self._now()
        self._tokens = min(_BURST, self._tokens + (now - self._last) * _RATE)
        self._last = now
        if got >= ENOUGH:
            return False
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return False
        return True
