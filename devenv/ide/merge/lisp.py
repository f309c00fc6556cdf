"""Emacs Lisp data, read with positions: enough of its syntax to put a value into a `.dir-locals.el`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from devenv.ide.merge.outcome import Unmergeable

_BLANK = re.compile(r"(?:[ \t\r\n\f\ufeff]|;[^\n]*)*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CHARACTER = re.compile(r"\?(?:\\.[^\s()\[\]\"';]*|.)", re.DOTALL)
_ATOM = re.compile(r"(?:[^\s()\[\]\"';\\`,]|\\.)+", re.DOTALL)
_PREFIX = re.compile(r"#'|,@|['`,]")
_CLOSING = {"(": ")", "[": "]"}
_MAX_DEPTH = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """`items` None: an atom or string, with its `text`; else a list or vector. `end` is exclusive."""

    text: str
    start: int
    end: int
    items: tuple[Form, ...] | None = None

    def atoms(self) -> Iterator[Form]:
        """Every atom in it, in order."""
        if self.items is None:
            yield self
        for item in self.items or ():
            yield from item.atoms()


def parse(text: str) -> list[Form]:
    """The forms of a whole text. Raises Unmergeable with the line of the first mistake."""
    forms = []
    at = _skip(text, 0)
    while at < len(text):
        form = _form(text, at, 0)
        forms.append(form)
        at = _skip(text, form.end)
    return forms


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _wrong(text: str, at: int, what: str) -> Unmergeable:
    return Unmergeable(f"it is no Emacs Lisp that can be read (line {text.count(chr(10), 0, at) + 1}: {what})")


def _form(text: str, at: int, depth: int) -> Form:
    if depth > _MAX_DEPTH:
        raise _wrong(text, at, "too many parentheses")
    first = text[at : at + 1]
    prefix = _PREFIX.match(text, at)
    if prefix:
        inner = _form(text, _skip(text, prefix.end()), depth + 1)
        return Form(text[at : inner.end], at, inner.end)
    if first in _CLOSING:
        return _sequence(text, at, depth)
    for kind in (_STRING, _CHARACTER, _ATOM):
        found = kind.match(text, at)
        if found:
            return Form(found[0], at, found.end())
    raise _wrong(text, at, f"{first!r} has no beginning" if first else "it ends too early")


def _sequence(text: str, start: int, depth: int) -> Form:
    closing = _CLOSING[text[start]]
    items = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != closing:
        if at >= len(text):
            raise _wrong(text, start, f"this {text[start]!r} is never closed")
        item = _form(text, at, depth + 1)
        items.append(item)
        at = _skip(text, item.end)
    return Form(text[start : at + 1], start, at + 1, tuple(items))


def column(text: str, at: int) -> int:
    """Characters before `at` on its line."""
    return at - (text.rfind("\n", 0, at) + 1)
