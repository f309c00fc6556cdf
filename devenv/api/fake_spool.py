"""The output of a run as a fake client holds it: bytes that were written, or lines that arise as time passes.

Offsets count every byte that the run ever wrote. Bytes between the two ends of a gap were dropped and are never
returned: a read that starts inside the gap begins after it, a read that reaches the gap ends before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from devenv.api.views import OutputChunk

MAXIMUM = 262_144  # bytes in one chunk


class Spool(Protocol):
    @property
    def size(self) -> int: ...
    def read(self, offset: int | None, length: int, tail: int | None) -> OutputChunk: ...


class FakeSpool:
    """Bytes in memory. `head` bytes are kept before the gap of `dropped` bytes, when there is one."""

    def __init__(self, data: bytes = b"", *, head: int = 0, dropped: int = 0) -> None:
        self._data = bytearray(data)
        self._gap = (head, head + dropped) if dropped else None
        self._dropped = dropped

    def write(self, data: bytes) -> None:
        self._data += data

    @property
    def size(self) -> int:
        return len(self._data) + self._dropped

    def read(self, offset: int | None, length: int, tail: int | None) -> OutputChunk:
        start, end = span(self.size, offset, length, tail)
        if self._gap is not None:
            low, high = self._gap
            if low <= start < high:
                start, end = high, min(high + (end - start), self.size)
            elif start < low:
                end = min(end, low)
        skipped = self._dropped if self._gap is not None and start >= self._gap[1] else 0
        data = bytes(self._data[start - skipped : end - skipped])
        return OutputChunk(start=start, end=end, size=self.size, data=data, marks=[(start, 1)], gap=self._gap)


class RatedSpool:
    """Numbered lines of 67 bytes, `rate` a second since `started`, made only when they are read.

    So that a benchmark of the reader is not a benchmark of the writer.
    """

    LINE = 67

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._started = clock()

    @property
    def size(self) -> int:
        return int((self._clock() - self._started) * self._rate) * self.LINE

    def read(self, offset: int | None, length: int, tail: int | None) -> OutputChunk:
        size = self.size
        start, end = span(size, offset, length, tail)
        first, last = start // self.LINE, -(-end // self.LINE)
        text = b"".join(b"%012d epoch 3 loss \x1b[32m0.1234\x1b[0m %s\n" % (n, b"." * 24) for n in range(first, last))
        skip = start - first * self.LINE
        return OutputChunk(start=start, end=end, size=size, data=text[skip : skip + end - start], marks=[(start, 1)])


def span(size: int, offset: int | None, length: int, tail: int | None) -> tuple[int, int]:
    """The bytes that a read means, inside 0..size and at most MAXIMUM long."""
    if tail is not None:
        start, end = max(0, size - tail), size
        return max(start, end - MAXIMUM), end
    start = min(max(0, offset or 0), size)
    return start, min(size, start + min(length, MAXIMUM))
