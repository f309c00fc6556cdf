"""The order of texts in which JavaScript's `localeCompare` puts them, for what must equal a list of the reference.

Unicode's root collation, exact for ASCII: punctuation, digits, letters; case counts only between texts that are equal
without it, lower case first. Other letters count as their base letter with a mark, or stand after all of ASCII by
code point, which is right within one script and an approximation between scripts.
"""

from __future__ import annotations

import unicodedata
from typing import TypeAlias

_SPACE = "\t\n\v\f\r"
_PUNCTUATION = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
_PRIMARY = {char: place for place, char in enumerate(_SPACE + _PUNCTUATION + "0123456789abcdefghijklmnopqrstuvwxyz")}

Key: TypeAlias = tuple[tuple[int, ...], tuple[tuple[int, ...], ...], tuple[bool, ...], str]


def key(text: str) -> Key:
    """A sort key: letters, then their marks, then their case, and code points where all that is equal."""
    primary: list[int] = []
    marks: list[tuple[int, ...]] = []
    upper: list[bool] = []
    for char in text if text.isascii() else unicodedata.normalize("NFD", text):
        if unicodedata.combining(char):
            if marks:
                marks[-1] = (*marks[-1], ord(char))
            continue
        folded = char.lower()
        place = _PRIMARY.get(folded, len(_PRIMARY) + ord(folded[0]))
        if char not in _SPACE and unicodedata.category(char) in ("Cc", "Cf"):
            continue  # no weight at all
        primary.append(place)
        marks.append(())
        upper.append(folded != char)
    return tuple(primary), tuple(marks), tuple(upper), text


def compare(first: str, second: str) -> int:
    """-1, 0 or 1; 0 only for the same text."""
    one, two = key(first), key(second)
    return (one > two) - (one < two)
