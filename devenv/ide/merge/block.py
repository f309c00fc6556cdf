"""Our lines in a file whose language nobody here parses: between two marks, replaced as a whole; the rest stays."""

from __future__ import annotations

import re

from devenv.ide.merge.outcome import Unmergeable


def find(text: str, begin: str, end: str) -> tuple[int, int] | None:
    """Offsets of what stands between the marks, from the line after `begin` to the line of `end`; None without marks.

    A mark is a whole line, whatever its indentation. Raises Unmergeable when only one of the two is there, or more.
    """
    begins = list(re.finditer(rf"^[ \t]*{re.escape(begin)}[ \t]*(?:\r?\n|\Z)", text, re.MULTILINE))
    ends = list(re.finditer(rf"^[ \t]*{re.escape(end)}[ \t]*\r?$", text, re.MULTILINE))
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or ends[0].start() < begins[0].end():
        raise Unmergeable(f"its marks {begin!r} and {end!r} are not one pair any more; remove what is left of them")
    return begins[0].end(), ends[0].start()


def replace(text: str, span: tuple[int, int], lines: str) -> str:
    """`lines` (each ended by a newline) in place of what is there, with the line ends of the text."""
    return text[: span[0]] + as_in(text, lines) + text[span[1] :]


def as_in(text: str, lines: str) -> str:
    """`lines` with the line ends of `text`."""
    return lines.replace("\n", "\r\n") if "\r\n" in text else lines
