"""Text with meaning instead of colour: a span says what it is, the theme says how that looks.

Everything that a screen shows is made of spans, so that it can be compared as a value and drawn as plain text.
Text that comes from a container passes `clean` first: nothing that a program prints may steer the terminal.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size


class Tone(enum.StrEnum):
    PLAIN = "plain"
    STRONG = "strong"
    DIM = "dim"
    FAINT = "faint"
    ACCENT = "accent"
    OK = "ok"
    BAD = "bad"
    WARN = "warn"
    INFO = "info"
    KEY = "key"


class Span(NamedTuple):
    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]
Lines = tuple[Line, ...]


class Row(NamedTuple):
    """A row of a list. A row without a key is a heading or a message and cannot be chosen."""

    key: str
    left: Line
    right: Line = ()


def clean(text: str) -> str:
    """One line without control characters and without the joiners whose width terminals disagree about."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in text if c not in "\u200d\ufe0f")


def width(line: Iterable[Span]) -> int:
    """Cells that the line takes."""
    return sum(cell_len(span.text) for span in line)


def clip(text: str, cells: int) -> str:
    """The text in at most `cells` cells; a cut is shown by an ellipsis."""
    if cell_len(text) <= cells:
        return text
    if cells <= 1:
        return "…"[:cells]
    taken = 0
    for index, character in enumerate(text):
        taken += get_character_cell_size(character)
        if taken > cells - 1:
            return text[:index] + "…"
    return text


def clip_line(line: Line, cells: int) -> Line:
    """The line in at most `cells` cells."""
    if width(line) <= cells:
        return line
    out: list[Span] = []
    left = cells
    for span in line:
        size = cell_len(span.text)
        if size > left or (size == left and span is not line[-1]):
            out.append(Span(clip(span.text + " ", left), span.tone))
            break
        out.append(span)
        left -= size
    return tuple(out)


def spread(left: Line, right: Line, cells: int) -> Line:
    """`left` at the left edge, `right` at the right one; `left` is cut first, `right` goes when nothing fits."""
    room = cells - width(right) - 1 if right else cells
    if room < min(8, width(left)):
        return fill(clip_line(left, cells), cells)
    left = clip_line(left, room)
    return (*left, Span(" " * (cells - width(left) - width(right))), *right)


def fill(line: Line, cells: int) -> Line:
    """The line padded to exactly `cells` cells (never cut)."""
    missing = cells - width(line)
    return (*line, Span(" " * missing)) if missing > 0 else line


def wrap(text: str, cells: int) -> list[str]:
    """Words broken into lines of at most `cells` cells; a word that is too long is cut."""
    cells = max(cells, 1)
    lines: list[str] = []
    for paragraph in text.split("\n"):
        body = clean(paragraph).lstrip(" ")
        indent = min(len(paragraph) - len(body), cells // 2) if body else 0
        current = " " * indent
        for word in body.split(" "):
            candidate = f"{current} {word}" if current.strip() else current + word
            if cell_len(candidate) <= cells:
                current = candidate
                continue
            if current.strip():
                lines.append(current)
            while cell_len(word) > cells:
                head = clip(word, cells + 1)[:-1] or word[0]
                lines.append(head)
                word = word[len(head) :]
            current = word
        lines.append(current.rstrip())
    return lines


def plain(lines: Iterable[Line]) -> str:
    """The lines as text, for goldens and for copying."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)
