"""The slice of a run's output that is held here, cut into pieces that can be drawn one by one.

The output may be gigabytes; a window holds at most `LIMIT` bytes of it, pulled in chunks. A piece is a line, or a part
of a line too long to be drawn at once. Offsets are absolute: bytes since the run began, dropped ones included.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from devenv.api.views import OutputChunk
from tui.model.ansi import PLAIN, Ink, sgr

LIMIT = 524_288  # bytes held
LONG = 4096  # bytes: a longer line is drawn in parts of this size

EVENTS = 3  # the stream of structured lines (test results) between what a run prints; never drawn
HIDDEN = b"\0"  # stands for each byte that is not drawn: offsets stay what they are

_SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
_CUT = re.compile(rb"\x1b(\[[0-9;:?<=>]*)?$")
_HIDING = 16  # a piece may be this often longer than LONG when what is drawn of it is not
_SLACK = 64  # bytes: a boundary this near to the start of a part is left out
_LOOK_BACK = 4096  # bytes searched for the colour in force


def drawn(chunk: OutputChunk) -> bytes:
    """The chunk's bytes, with `HIDDEN` in place of every byte of the stream of events, its newlines too."""
    if all(stream != EVENTS for _, stream in chunk.marks):
        return chunk.data
    ends = [offset for offset, _ in chunk.marks[1:]] + [chunk.end]
    data = bytearray(chunk.data)
    for (offset, stream), end in zip(chunk.marks, ends, strict=True):
        if stream == EVENTS:
            low, high = max(0, offset - chunk.start), min(len(data), end - chunk.start)
            data[low:high] = HIDDEN * (high - low)
    return bytes(data)


class Piece(NamedTuple):
    """Bytes start..end of the output, without their newline. `gap`: stands for bytes that were dropped."""

    start: int
    end: int
    gap: int = 0


class Window:
    """Not thread-safe; every method is quick (at most one pass over `LIMIT` bytes)."""

    def __init__(self) -> None:
        self.base = 0
        self.data = b""
        self.size = 0
        self.gap: tuple[int, int] | None = None
        self._pieces: list[Piece] | None = None

    @property
    def end(self) -> int:
        return self.base + len(self.data)

    @property
    def at_start(self) -> bool:
        return self.base == 0

    @property
    def at_end(self) -> bool:
        return self.end >= self.size

    def replace(self, chunk: OutputChunk) -> bool:
        """Holds this chunk and nothing else. True when that changed what is held."""
        data = drawn(chunk)
        same = (self.base, self.data) == (chunk.start, data) and self.gap == chunk.gap
        self._take(chunk, chunk.start, data)
        return not same

    def append(self, chunk: OutputChunk, keep: int = LIMIT) -> bool:
        """Adds what follows; at most `keep` bytes stay, the newest. A chunk that does not join on replaces all."""
        if not chunk.data:
            self.size = max(chunk.size, self.end)
            return False
        if chunk.start != self.end:
            return self.replace(chunk)
        data = self.data + drawn(chunk)
        cut = max(0, len(data) - keep)
        self._take(chunk, self.base + cut, data[cut:])
        return True

    def prepend(self, chunk: OutputChunk) -> bool:
        """Adds what comes before; the newest bytes go when it becomes too much. True when something was added."""
        if not chunk.data:
            return False
        if chunk.start + len(chunk.data) != self.base:
            return self.replace(chunk)
        self._take(chunk, chunk.start, (drawn(chunk) + self.data)[:LIMIT])
        return True

    def _take(self, chunk: OutputChunk, base: int, data: bytes) -> None:
        self.base, self.data, self.size, self.gap = base, data, max(chunk.size, base + len(data)), chunk.gap
        self._pieces = None

    def pieces(self) -> list[Piece]:
        """All pieces held, in order."""
        if self._pieces is None:
            self._pieces = self._cut_up()
        return self._pieces

    def text(self, piece: Piece) -> str:
        """The piece decoded; bytes that are not UTF-8 become U+FFFD."""
        data = self.data[piece.start - self.base : piece.end - self.base]
        return data.replace(HIDDEN, b"").decode("utf-8", "replace")

    def ink_before(self, offset: int) -> Ink:
        """The colour in force at `offset`, as far as the bytes just before it tell."""
        high = max(0, offset - self.base)
        low = max(0, high - _LOOK_BACK)
        low = max(low, self.data.rfind(b"\x1b[0m", low, high), self.data.rfind(b"\x1b[m", low, high))
        ink = PLAIN
        for match in _SGR.finditer(self.data, low, high):
            ink = sgr(match.group(1).decode(), ink)
        return ink

    def _cut_up(self) -> list[Piece]:
        data, base = self.data, self.base
        pieces: list[Piece] = []
        if self.gap is not None and base == self.gap[1]:
            pieces.append(Piece(self.gap[0], self.gap[0], self.gap[1] - self.gap[0]))
        start = 0
        if base:  # a first character that lost its head
            while start < min(3, len(data)) and data[start] & 0xC0 == 0x80:
                start += 1
        while start < len(data):
            newline = data.find(b"\n", start)
            end = newline if newline >= 0 else len(data)
            stop = end
            while stop > start and data[stop - 1] == 0x0D:
                stop -= 1
            if stop - start <= LONG or (
                stop - start <= _HIDING * LONG and stop - start - data.count(HIDDEN, start, stop) <= LONG
            ):
                pieces.append(Piece(base + start, base + stop))
            else:
                self._cut_long(start, stop, pieces)
            start = end + 1
        if self.gap is not None and self.end == self.gap[0] and self.gap[1] > self.gap[0]:
            pieces.append(Piece(self.end, self.end, self.gap[1] - self.gap[0]))
        return pieces

    def _cut_long(self, start: int, stop: int, pieces: list[Piece]) -> None:
        """A long line. Of a progress bar only the newest state counts; else parts end at multiples of `LONG`."""
        data, base = self.data, self.base
        back = data.find(b"\r", stop - LONG, stop)
        if back >= 0:
            pieces.append(Piece(base + back + 1, base + stop))
            return
        start = max(start, data.rfind(b"\r", start, stop) + 1)
        while start < stop:
            end = ((base + start + _SLACK) // LONG + 1) * LONG - base
            end = stop if end >= stop else self._whole(start, end)
            pieces.append(Piece(base + start, base + end))
            start = end

    def _whole(self, start: int, end: int) -> int:
        """`end` moved back so that neither a character nor an escape sequence is cut."""
        data = self.data
        for _ in range(3):
            if data[end] & 0xC0 != 0x80:
                break
            end -= 1
        cut = _CUT.search(data[max(start + 1, end - 32) : end])
        return max(start + 1, end - (len(cut.group()) if cut else 0))
