"""Words of a Dockerfile: where they end, and what is left of them when quotes and variables are resolved.

The builder's rules, which are a small part of a shell's: `$v`, `${v}`, `${v:-x}`, `${v-x}`, `${v:+x}`, `${v+x}`,
`${v:?x}`, and the pattern forms `#`, `##`, `%`, `%%`, `/`, `//`; no variables in single quotes; the escape character.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]", re.ASCII)
MAX_DEPTH = 50
"""Of variables in the defaults of variables: hostile text cannot exhaust the interpreter's stack."""

_BLANK = " \t\r\n\v\f"


class WordError(ValueError):
    """A quote or a brace that is not closed, or a variable that must be set and is not."""


def split(text: str, escape: str) -> list[str]:
    """The words of a text as written, quotes included. A quote that is not closed reaches to the end."""
    return [text[start:end] for start, end in spans(text, escape)]


def spans(text: str, escape: str) -> list[tuple[int, int]]:
    """Start and end of each word."""
    found: list[tuple[int, int]] = []
    start, quote, place = -1, "", 0
    while place < len(text):
        char = text[place]
        if not quote and char in _BLANK:
            if start >= 0:
                found.append((start, place))
                start = -1
            place += 1
            continue
        if start < 0:
            start = place
        if char == escape and quote != "'":
            place += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        place += 1
    if start >= 0:
        found.append((start, len(text)))
    return found


def unquoted(word: str, escape: str) -> str:
    """The word without its quotes, variables left alone."""
    return _Reader(word, {}, escape, expand=False).read()


def expand(word: str, variables: Mapping[str, str], escape: str) -> str:
    """What the builder makes of a word; a variable that is not set is empty. Raises WordError."""
    return _Reader(word, variables, escape).read()


class _Reader:
    def __init__(self, text: str, variables: Mapping[str, str], escape: str, *, expand: bool = True) -> None:
        self.text = text
        self.variables = variables
        self.escape = escape
        self.expand = expand
        self.place = 0
        self.depth = 0

    def read(self, stop: str = "") -> str:
        """Up to one of the characters of `stop`, or to the end."""
        parts: list[str] = []
        while self.place < len(self.text):
            char = self.text[self.place]
            if char in stop:
                break
            if char == "'":
                parts.append(self._single())
            elif char == '"':
                parts.append(self._double())
            elif char == "$" and self.expand:
                parts.append(self._variable())
            elif char == self.escape:
                self.place += 1
                parts.append(self._take())
            else:
                parts.append(self._take())
        return "".join(parts)

    def _take(self) -> str:
        char = self.text[self.place : self.place + 1]
        self.place += 1
        return char

    def _single(self) -> str:
        end = self.text.find("'", self.place + 1)
        if end < 0:
            raise WordError("a single quote is not closed")
        inside = self.text[self.place + 1 : end]
        self.place = end + 1
        return inside

    def _double(self) -> str:
        self.place += 1
        parts: list[str] = []
        while self.place < len(self.text):
            char = self.text[self.place]
            if char == '"':
                self.place += 1
                return "".join(parts)
            if char == "$" and self.expand:
                parts.append(self._variable())
            elif char == self.escape:
                self.place += 1
                escaped = self._take()
                parts.append(escaped if escaped in ('"', "$", self.escape) else self.escape + escaped)
            else:
                parts.append(self._take())
        raise WordError("a double quote is not closed")

    def _variable(self) -> str:
        self.place += 1
        braces = self.text[self.place : self.place + 1] == "{"
        self.place += braces
        match = _NAME.match(self.text, self.place)
        if match is None:
            if braces:
                raise WordError("'${' is not followed by a name")
            return "$"
        self.place = match.end()
        value = self.variables.get(match[0])
        if not braces:
            return value or ""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise WordError(f"more than {MAX_DEPTH} variables in each other")
        modified = self._modified(match[0], value)
        self.depth -= 1
        return modified

    def _modified(self, name: str, value: str | None) -> str:
        colon = self._takes(":")
        kind = self._take()
        if kind == "}" and not colon:
            return value or ""
        missing = value is None or (colon and value == "")
        if kind in ("-", "+", "?") and kind:
            word = self._word(name)
            if kind == "?" and missing:
                raise WordError(f"{name}: {word or 'is not set'}")
            return (word if missing else value or "") if kind != "+" else ("" if missing else word)
        if kind in ("#", "%", "/") and kind and not colon:
            return self._cut(kind, name, value or "")
        raise WordError(f"'${{{name}' is not closed" if not kind else f"'${{{name}:{kind}' is not known")

    def _cut(self, kind: str, name: str, value: str) -> str:
        twice = self._takes(kind)
        if kind != "/":
            pattern = _pattern(self._word(name))
            return _without_start(value, pattern, twice) if kind == "#" else _without_end(value, pattern, twice)
        old = _pattern(self.read("/}"))
        new = self._word(name) if self._takes("/") else self._close(name)
        return re.sub(old, lambda _: new, value, count=0 if twice else 1, flags=re.DOTALL)

    def _word(self, name: str) -> str:
        word = self.read("}")
        return word + self._close(name)

    def _close(self, name: str) -> str:
        if not self._takes("}"):
            raise WordError(f"'${{{name}' is not closed")
        return ""

    def _takes(self, char: str) -> bool:
        taken = self.text.startswith(char, self.place)
        self.place += taken
        return taken


def _pattern(word: str) -> str:
    return "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in word)


def _without_start(value: str, pattern: str, longest: bool) -> str:
    ends = range(len(value), -1, -1) if longest else range(len(value) + 1)
    return next((value[end:] for end in ends if re.fullmatch(pattern, value[:end], re.DOTALL)), value)


def _without_end(value: str, pattern: str, longest: bool) -> str:
    starts = range(len(value) + 1) if longest else range(len(value), -1, -1)
    return next((value[:start] for start in starts if re.fullmatch(pattern, value[start:], re.DOTALL)), value)
