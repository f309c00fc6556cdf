"""Text to syntax tree, stopping at the first thing that is not JSONC and saying where and why."""

from __future__ import annotations

import re

from devcontainer.jsonc.document import Document, position_at
from devcontainer.jsonc.nodes import Array, Member, Node, Object, Scalar

MAX_DEPTH = 150
"""Deeper nesting is refused, so that hostile text cannot exhaust the interpreter's stack."""

_BLANK = re.compile(r"[ \t\r\n]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_PLAIN = re.compile(r'[^"\\\x00-\x08\x0a-\x1f]+')
_HEX4 = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_MAX_DIGITS = 4000  # the interpreter refuses to read longer integers


class JsoncError(ValueError):
    """The text is not JSONC. `line` and `column` are 1-based; `message` is one line without the position."""

    def __init__(self, message: str, file: str, line: int, column: int) -> None:
        super().__init__(f"{file}:{line}:{column}: {message}")
        self.message = message
        self.file = file
        self.line = line
        self.column = column


def parse(text: str, file: str = "") -> Document:
    """Read a whole text. Raises JsoncError at the first mistake."""
    parser = _Parser(text, file)
    root = parser.document()
    return Document(text=text, file=file, root=root)


def skip_trivia(text: str, offset: int) -> tuple[int, bool]:
    """The offset after white space and comments, and whether the last block comment was closed."""
    while True:
        blank = _BLANK.match(text, offset)
        if blank:
            offset = blank.end()
        if text.startswith("//", offset):
            line_end = re.compile(r"[\r\n]").search(text, offset)
            offset = line_end.start() if line_end else len(text)
        elif text.startswith("/*", offset):
            close = text.find("*/", offset + 2)
            if close < 0:
                return offset, False
            offset = close + 2
        else:
            return offset, True


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._at = 1 if text.startswith("\ufeff") else 0
        self._depth = 0

    def document(self) -> Node:
        self._skip()
        if self._at == len(self._text):
            raise self._error("the file is empty", self._at)
        root = self._value()
        self._skip()
        if self._at < len(self._text):
            raise self._error(f"unexpected {self._seen()} after the end of the value", self._at)
        return root

    def _value(self) -> Node:
        char = self._text[self._at : self._at + 1]
        if char == "{":
            return self._object()
        if char == "[":
            return self._array()
        if char == '"':
            return self._string()
        if char == "-" or char.isdigit():
            return self._number()
        word = _WORD.match(self._text, self._at)
        if word and word[0] in _WORDS:
            self._at = word.end()
            return Scalar(_WORDS[word[0]], word.start(), word.end())
        if word:
            raise self._error(f"{word[0]!r} is not a JSON value; a text needs double quotes", self._at)
        if char == "'":
            raise self._error("a text needs double quotes", self._at)
        raise self._error(f"a value is missing here; found {self._seen()}", self._at)

    def _object(self) -> Object:
        start = self._open()
        members: list[Member] = []
        while True:
            self._skip()
            char = self._text[self._at : self._at + 1]
            if char == "}":
                return Object(tuple(members), start, self._close())
            if char == "":
                raise self._unclosed("{", start)
            if char != '"':
                raise self._error(f"a key in double quotes or '}}' belongs here; found {self._seen()}", self._at)
            key = self._string()
            self._skip()
            if self._text[self._at : self._at + 1] != ":":
                raise self._error(f"':' is missing after the key {key.value!r}", key.end)
            self._at += 1
            self._skip()
            members.append(Member(key, self._value()))
            self._separator("}", "{", start)

    def _array(self) -> Array:
        start = self._open()
        items: list[Node] = []
        while True:
            self._skip()
            char = self._text[self._at : self._at + 1]
            if char == "]":
                return Array(tuple(items), start, self._close())
            if char == "":
                raise self._unclosed("[", start)
            items.append(self._value())
            self._separator("]", "[", start)

    def _open(self) -> int:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} levels deep", self._at)
        self._at += 1
        return self._at - 1

    def _close(self) -> int:
        self._depth -= 1
        self._at += 1
        return self._at

    def _separator(self, closing: str, opening: str, start: int) -> None:
        """After an element: eat a comma, or stop before the closing bracket."""
        before = self._at
        self._skip()
        char = self._text[self._at : self._at + 1]
        if char == ",":
            self._at += 1
        elif char == "":
            raise self._unclosed(opening, start)
        elif char in "]}" and char != closing:
            where = position_at(self._text, start)
            raise self._error(
                f"{char!r} does not close the {opening!r} of line {where.line}, column {where.column}", self._at
            )
        elif char != closing:
            raise self._error("a comma is missing here", before)

    def _string(self) -> Scalar:
        start = self._at
        self._at += 1
        parts: list[str] = []
        while True:
            plain = _PLAIN.match(self._text, self._at)
            if plain:
                parts.append(plain[0])
                self._at = plain.end()
            char = self._text[self._at : self._at + 1]
            if char == '"':
                self._at += 1
                value = "".join(parts)
                self._check_surrogates(value, start)
                return Scalar(value, start, self._at)
            if char in ("", "\n", "\r"):
                raise self._error("this text is not closed with a double quote", start)
            if char == "\\":
                parts.append(self._escape())
            else:
                raise self._error(f"control character U+{ord(char):04X} inside a text", self._at)

    def _escape(self) -> str:
        at = self._at
        char = self._text[at + 1 : at + 2]
        if char in _ESCAPES and char:
            self._at += 2
            return _ESCAPES[char]
        digits = _HEX4.match(self._text, at + 2) if char == "u" else None
        if digits is None:
            raise self._error(f"'\\{char}' is not an escape; a backslash is written '\\\\'", at)
        self._at = digits.end()
        code = int(digits[0], 16)
        if 0xD800 <= code < 0xDC00 and self._text.startswith("\\u", self._at):
            low = _HEX4.match(self._text, self._at + 2)
            if low and 0xDC00 <= int(low[0], 16) < 0xE000:
                self._at = low.end()
                return chr(0x10000 + ((code - 0xD800) << 10) + int(low[0], 16) - 0xDC00)
        return chr(code)

    def _check_surrogates(self, value: str, start: int) -> None:
        """Half a character cannot be written to any file or passed to any program."""
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise self._error("this text holds half of a surrogate pair", start)

    def _number(self) -> Scalar:
        match = _NUMBER.match(self._text, self._at)
        end = match.end() if match else self._at + 1
        trailing = self._text[end : end + 1]
        if match is None or trailing.isalnum() or trailing in (".", "_", "+", "-"):
            raise self._error("this is not a JSON number", self._at)
        self._at = end
        if match[1] is None and match[2] is None:
            if len(match[0]) > _MAX_DIGITS:
                raise self._error("this number has too many digits", match.start())
            return Scalar(int(match[0]), match.start(), end)
        value = float(match[0])
        if value in (float("inf"), float("-inf")):
            raise self._error("this number is too large", match.start())
        return Scalar(value, match.start(), end)

    def _skip(self) -> None:
        self._at, closed = skip_trivia(self._text, self._at)
        if not closed:
            raise self._error("this comment is not closed with '*/'", self._at)

    def _seen(self) -> str:
        char = self._text[self._at : self._at + 1]
        if not char:
            return "the end of the file"
        return repr(char) if char.isprintable() else f"U+{ord(char):04X}"

    def _unclosed(self, bracket: str, start: int) -> JsoncError:
        return self._error(f"this {bracket!r} is not closed before the end of the file", start)

    def _error(self, message: str, offset: int) -> JsoncError:
        line, column = position_at(self._text, offset)
        return JsoncError(message, self._file, line, column)
