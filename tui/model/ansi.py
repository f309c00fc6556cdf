"""One line of a program's output as a terminal would have left it: colours kept, overwriting done, the rest dropped.

Handles SGR colours, carriage return and backspace (progress bars), erase in line and moves along the line. Every other
escape sequence is dropped, so that nothing a program prints reaches the user's terminal as a command.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rich.cells import get_character_cell_size

Colour = int | tuple[int, int, int] | None  # 0..255 of the palette, a true colour, or the default


class Ink(NamedTuple):
    """How a cell is drawn."""

    fg: Colour = None
    bg: Colour = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    strike: bool = False


PLAIN = Ink()

Cell = tuple[str, Ink, int]  # a character with its combining marks, ink, width in cells (0: right half of a wide one)
Piece = tuple[str, Ink]

_SEQUENCE = re.compile(
    r"\x1b\[([0-9;:?<=>]*)[ -/]*([@-~])"  # CSI
    r"|\x1b\[[0-9;:?<=>]*[ -/]*$"  # a CSI that is cut off
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]?"  # other escapes
    r"|[\x00-\x1f\x7f-\x9f\u200d\u200e\u200f\u2028-\u202e\u2066-\u2069\ufe0f]"  # controls, joiners, direction marks
)
_COLOUR = re.compile(r"\x1b\[([0-9;:]*)m")
_STEERS = re.compile(
    r"\x1b(?!\[[0-9;:]*m)|[\x00-\x1a\x1c-\x1f\x7f-\x9f\u200d\u200e\u200f\u2028-\u202e\u2066-\u2069\ufe0f]"
)
_TAB = 8
_WIDEST = 8192  # cells: a move to the right goes no further


def overwritten(text: str, ink: Ink = PLAIN) -> tuple[list[Piece], Ink]:
    """The line `text` (no newline in it) as pieces of equal ink, and the ink in force after it."""
    if "\x1b" not in text and text.isprintable() and "\u200d" not in text:
        return ([(text, ink)] if text else []), ink
    if _STEERS.search(text) is None:
        return _coloured(text, ink)
    cells: list[Cell] = []
    cursor = 0
    position = 0
    for match in _SEQUENCE.finditer(text):
        if match.start() > position:
            cursor = _write(cells, cursor, text[position : match.start()], ink)
        position = match.end()
        final = match.group(2)
        if final == "m":
            ink = sgr(match.group(1), ink)
        elif final is not None:
            cursor = _csi(cells, cursor, match.group(1), final)
        else:
            cursor = _control(cells, cursor, match.group(), ink)
    if position < len(text):
        _write(cells, cursor, text[position:], ink)
    return _merge(cells), ink


def _coloured(text: str, ink: Ink) -> tuple[list[Piece], Ink]:
    """The quick way for most lines: printable text and colours, nothing that moves the cursor."""
    pieces: list[Piece] = []
    position = 0
    for match in _COLOUR.finditer(text):
        if match.start() > position:
            pieces.append((text[position : match.start()], ink))
        ink = sgr(match.group(1), ink)
        position = match.end()
    if position < len(text):
        pieces.append((text[position:], ink))
    return pieces, ink


def _write(cells: list[Cell], cursor: int, text: str, ink: Ink) -> int:
    if cursor > len(cells):
        cells.extend([(" ", PLAIN, 1)] * (cursor - len(cells)))
    if text.isascii():
        cells[cursor : cursor + len(text)] = [(c, ink, 1) for c in text]
        return cursor + len(text)
    for character in text:
        wide = get_character_cell_size(character)
        if wide == 0:
            if cursor and cells[cursor - 1][2]:
                mark = cells[cursor - 1]
                cells[cursor - 1] = (mark[0] + character, mark[1], mark[2])
            continue
        new: list[Cell] = [(character, ink, wide)]
        if wide == 2:
            new.append(("", ink, 0))
        cells[cursor : cursor + wide] = new
        cursor += wide
    return cursor


def _control(cells: list[Cell], cursor: int, sequence: str, ink: Ink) -> int:
    if sequence == "\r":
        return 0
    if sequence == "\b":
        return max(0, cursor - 1)
    if sequence == "\t":
        return _write(cells, cursor, " " * (_TAB - cursor % _TAB), ink)
    return cursor


def _csi(cells: list[Cell], cursor: int, arguments: str, final: str) -> int:
    first = arguments.split(";")[0]
    count = int(first) if first.isdigit() else 0
    match final:
        case "K" if count == 0:
            del cells[cursor:]
        case "K" if count == 1:
            cells[:cursor] = [(" ", PLAIN, 1)] * cursor
        case "K" | "J":
            if count == 2:
                cells.clear()
        case "C":
            return min(cursor + max(count, 1), _WIDEST)
        case "D":
            return max(0, cursor - max(count, 1))
        case "G" | "`":
            return min(max(count, 1), _WIDEST) - 1
        case "P":
            del cells[cursor : cursor + max(count, 1)]
        case _:
            pass
    return cursor


def _merge(cells: list[Cell]) -> list[Piece]:
    pieces: list[Piece] = []
    run: list[str] = []
    current: Ink | None = None
    for character, ink, _ in cells:
        if ink is not current and ink != current:
            if run and current is not None:
                pieces.append(("".join(run), current))
            run, current = [], ink
        run.append(character)
    if run and current is not None:
        pieces.append(("".join(run), current))
    return pieces


_ON: dict[int, dict[str, bool]] = {
    1: {"bold": True},
    2: {"dim": True},
    3: {"italic": True},
    4: {"underline": True},
    7: {"reverse": True},
    9: {"strike": True},
    21: {"underline": True},
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": False},
    27: {"reverse": False},
    29: {"strike": False},
}


@lru_cache(maxsize=4096)
def sgr(arguments: str, ink: Ink) -> Ink:
    """The ink after `ESC [ arguments m`. What is not understood changes nothing."""
    codes = [int(a) if a.isdigit() else 0 for a in arguments.replace(":", ";").split(";")]
    index = 0
    while index < len(codes):
        code = codes[index]
        index += 1
        if code == 0:
            ink = PLAIN
        elif code in _ON:
            ink = ink._replace(**_ON[code])
        elif code in (38, 48):
            colour, index = _extended(codes, index)
            ink = ink._replace(fg=colour) if code == 38 else ink._replace(bg=colour)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            ink = ink._replace(fg=code - 30 if code < 90 else code - 82)
        elif 40 <= code <= 47 or 100 <= code <= 107:
            ink = ink._replace(bg=code - 40 if code < 100 else code - 92)
        elif code == 39:
            ink = ink._replace(fg=None)
        elif code == 49:
            ink = ink._replace(bg=None)
    return ink


def _extended(codes: list[int], index: int) -> tuple[Colour, int]:
    kind = codes[index] if index < len(codes) else 0
    if kind == 5 and index + 1 < len(codes):
        return min(codes[index + 1], 255), index + 2
    if kind == 2 and index + 3 < len(codes):
        red, green, blue = (min(c, 255) for c in codes[index + 1 : index + 4])
        return (red, green, blue), index + 4
    return None, len(codes)
