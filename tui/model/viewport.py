"""Which rows of a window stand on the screen. Only the visible rows are ever decoded, coloured and wrapped.

A position is an anchor: the piece at the top (by its absolute offset) and the row within it. So a position stays where
it is while output is added below and while earlier output is pulled in above.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size

from tui.model.ansi import PLAIN, Ink, overwritten
from tui.model.formatting import size as bytes_text
from tui.model.window import Piece, Window

GAP_INK = Ink(dim=True, italic=True)

Inked = tuple[str, Ink]


class Anchor(NamedTuple):
    offset: int
    row: int = 0


class VisualRow(NamedTuple):
    anchor: Anchor
    parts: tuple[Inked, ...]

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.parts)

    @property
    def cells(self) -> int:
        """The width of the row."""
        return sum(len(text) if text.isascii() else cell_len(text) for text, _ in self.parts)


def wrap_parts(parts: list[Inked], cells: int) -> list[tuple[Inked, ...]]:
    """Rows of at most `cells` cells, broken at cells as a terminal does; at least one row."""
    rows: list[tuple[Inked, ...]] = []
    row: list[Inked] = []
    left = cells
    for text, ink in parts:
        while text:
            ascii_text = text.isascii()
            length = len(text) if ascii_text else cell_len(text)
            if length <= left:
                row.append((text, ink))
                left -= length
                break
            head = left if ascii_text else _fitting(text, left)
            if head:
                row.append((text[:head], ink))
                text = text[head:]
            rows.append(tuple(row))
            row, left = [], cells
    if row or not rows:
        rows.append(tuple(row))
    return rows


def _fitting(text: str, cells: int) -> int:
    """How many characters fit."""
    for index, character in enumerate(text):
        cells -= get_character_cell_size(character)
        if cells < 0:
            return index
    return len(text)


class Viewport:
    """Looks at one window with a width and a height in cells."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.width = 80
        self.height = 24
        self.wrapping = True
        self.anchor: Anchor | None = None  # None: follows the end

    @property
    def following(self) -> bool:
        return self.anchor is None

    def resize(self, width: int, height: int) -> None:
        self.width, self.height = max(2, width), max(1, height)

    def rows(self) -> list[VisualRow]:
        """The visible rows, at most `height`."""
        anchor = self.anchor or self._bottom()
        if anchor is None:
            return []
        pieces = self.window.pieces()
        index = self._index(anchor.offset)
        ink = self.window.ink_before(pieces[index].start)
        out: list[VisualRow] = []
        skip = min(anchor.row, self._count(pieces[index]) - 1) if pieces[index].start == anchor.offset else 0
        while index < len(pieces) and len(out) < self.height + skip:
            piece = pieces[index]
            wrapped, ink = self._draw(piece, ink)
            out += [VisualRow(Anchor(piece.start, n), parts) for n, parts in enumerate(wrapped)]
            index += 1
        return out[skip:][: self.height]

    def scroll(self, delta: int) -> int:
        """Moves by `delta` rows (negative: up). Returns the rows that could not be moved because none are held.

        Reaching the last row of a window that holds the end of the output begins to follow.
        """
        pieces = self.window.pieces()
        if not pieces:
            return delta
        anchor = self.anchor or self._bottom()
        assert anchor is not None
        index = self._index(anchor.offset)
        row = min(anchor.row, self._count(pieces[index]) - 1) + delta
        while row < 0 and index > 0:
            index -= 1
            row += self._count(pieces[index])
        while row >= self._count(pieces[index]) and index + 1 < len(pieces):
            row -= self._count(pieces[index])
            index += 1
        missing = row if row < 0 else max(0, row - self._count(pieces[index]) + 1)
        self.anchor = Anchor(pieces[index].start, min(max(row, 0), self._count(pieces[index]) - 1))
        bottom = self._bottom()
        if bottom is not None and delta > 0 and self.anchor >= bottom:
            missing = 0 if self.window.at_end else missing + self._between(bottom, self.anchor)
            self.anchor = None if self.window.at_end else bottom
        return missing

    def _between(self, upper: Anchor, lower: Anchor) -> int:
        """How many rows `lower` stands under `upper`."""
        pieces = self.window.pieces()
        skipped = pieces[self._index(upper.offset) : self._index(lower.offset)]
        return sum(self._count(piece) for piece in skipped) + lower.row - upper.row

    def hold(self) -> None:
        """Stops following, where it is now."""
        if self.anchor is None:
            self.anchor = self._bottom()

    def follow(self) -> None:
        self.anchor = None

    @property
    def short(self) -> bool:
        """Whether the window holds too few rows to fill the screen."""
        count = 0
        for piece in reversed(self.window.pieces()):
            count += self._count(piece)
            if count >= self.height:
                return False
        return True

    def place(self, rows: list[VisualRow] | None = None) -> tuple[float, float]:
        """The visible part as (begin, end), fractions of the whole output. `rows`: the visible ones, if at hand."""
        rows = self.rows() if rows is None else rows
        if not rows or not self.window.size:
            return 0.0, 1.0
        last = self.window.end if self.following else self._end(rows[-1].anchor)
        return rows[0].anchor.offset / self.window.size, min(1.0, last / self.window.size)

    def _end(self, anchor: Anchor) -> int:
        """Up to which offset a row shows its piece; the last row shows all of it."""
        piece = self.window.pieces()[self._index(anchor.offset)]
        return piece.end if anchor.row == self._count(piece) - 1 else anchor.offset

    def _bottom(self) -> Anchor | None:
        pieces = self.window.pieces()
        left = self.height
        for piece in reversed(pieces):
            left -= self._count(piece)
            if left <= 0:
                return Anchor(piece.start, -left)
        return Anchor(pieces[0].start, 0) if pieces else None

    def _index(self, offset: int) -> int:
        return max(0, bisect_right(self.window.pieces(), offset, key=lambda piece: piece.start) - 1)

    def _count(self, piece: Piece) -> int:
        if piece.gap or not self.wrapping or piece.end - piece.start <= self.width:
            return 1
        return len(self._draw(piece, PLAIN)[0])

    def _draw(self, piece: Piece, ink: Ink) -> tuple[list[tuple[Inked, ...]], Ink]:
        if piece.gap:
            return [((f"··· {bytes_text(piece.gap)} of output dropped here ···", GAP_INK),)], ink
        parts, ink = overwritten(self.window.text(piece), ink)
        return (wrap_parts(parts, self.width) if self.wrapping else [tuple(parts)]), ink
