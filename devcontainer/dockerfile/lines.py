"""From text to instructions: parser directives, comments, continued lines, here-documents. Nothing is interpreted.

Every instruction remembers at which offsets of the text its arguments stand, so that a text can be changed in one
place and kept in all others.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from devcontainer.dockerfile import words

DEFAULT_ESCAPE = "\\"
DIRECTIVES = ("syntax", "escape", "check")

_LINE = re.compile(r"[^\n]*(?:\n|\Z)")
_DIRECTIVE = re.compile(r"[ \t]*#[ \t]*([A-Za-z][A-Za-z0-9_-]*)[ \t]*=[ \t]*(.+?)[ \t]*\r?\n?\Z")
_KEYWORD = re.compile(r"\s*(\S+)(?:\s+|\Z)")
_HEREDOC = re.compile(r"[0-9]*<<(?P<tabs>-?)(?P<word>[^<]+)")
_FLAG = re.compile(r"--[^\s=]+(?:=(\S*))?(?:\s+|\Z)")
_WITH_HEREDOC = ("RUN", "COPY", "ADD")


class SourceError(ValueError):
    """The text cannot be cut into instructions; `line` is 1-based."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclasses.dataclass(frozen=True, slots=True)
class Instruction:
    """`text` is what follows keyword and flags, with continued lines joined, without the body of a here-document."""

    keyword: str  # upper case
    text: str
    line: int  # 1-based, of the keyword
    flags: tuple[str, ...] = ()  # as written: "--platform=linux/amd64"
    offsets: tuple[int, ...] = dataclasses.field(default=(), repr=False)
    """Where each character of `text` stands in the file."""


@dataclasses.dataclass(frozen=True, slots=True)
class Directive:
    """One of the special comments in front of everything: `# syntax=…`."""

    name: str  # lower case
    value: str
    line: int
    start: int  # offsets of its line, the line end included
    end: int


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    directives: tuple[Directive, ...]
    instructions: tuple[Instruction, ...]
    escape: str = DEFAULT_ESCAPE


@dataclasses.dataclass(slots=True)
class _Line:
    text: str  # without its end
    start: int
    end: int  # after its end
    number: int


def cut(text: str) -> Source:
    """Raises SourceError for a here-document without end, and for directives that contradict each other."""
    found = _lines(text)
    directives = tuple(_directives(found))
    escape = next((d.value for d in directives if d.name == "escape"), DEFAULT_ESCAPE)
    if escape not in ("\\", "`"):
        raise SourceError(f"the escape character must be \\ or `, not {escape!r}", directives[0].line)
    return Source(directives, tuple(_instructions(found, escape)), escape)


def _lines(text: str) -> list[_Line]:
    found: list[_Line] = []
    offset = 1 if text.startswith("\ufeff") else 0
    while offset < len(text):
        match = _LINE.match(text, offset)
        end = match.end() if match else len(text)
        found.append(_Line(text[offset:end].rstrip("\r\n"), offset, end, len(found) + 1))
        offset = end
    return found


def _directives(lines: list[_Line]) -> Iterator[Directive]:
    seen: set[str] = set()
    for line in lines:
        match = _DIRECTIVE.match(line.text)
        if match is None or match[1].lower() not in DIRECTIVES:
            return
        name = match[1].lower()
        if name in seen:
            raise SourceError(f"the directive {name!r} is written twice", line.number)
        seen.add(name)
        yield Directive(name, match[2], line.number, line.start, line.end)


def _instructions(lines: list[_Line], escape: str) -> Iterator[Instruction]:
    continued = re.compile(rf"(?<!{re.escape(escape)}){re.escape(escape)}[ \t]*\Z")
    place = 0
    while place < len(lines):
        first = lines[place]
        if _is_comment(first.text) or not first.text.strip():
            place += 1
            continue
        text, offsets = "", list[int]()
        while place < len(lines):
            line = lines[place]
            place += 1
            if line is not first and (_is_comment(line.text) or not line.text.strip()):
                continue  # neither ends an instruction that goes on
            end = continued.search(line.text)
            part = line.text[: end.start()] if end else line.text
            text += part
            offsets += range(line.start, line.start + len(part))
            if end is None:
                break
        instruction = _instruction(text, offsets, first.number)
        for strip_tabs, word in _heredocs(instruction, escape):
            place = _after_heredoc(lines, place, strip_tabs, word, first.number)
        yield instruction


def _instruction(text: str, offsets: list[int], line: int) -> Instruction:
    keyword = _KEYWORD.match(text)
    if keyword is None:  # a line of nothing but a continuation
        return Instruction("", "", line)
    start, flags = keyword.end(), list[str]()
    while flag := _FLAG.match(text, start):
        flags.append(flag[0].strip())
        start = flag.end()
    end = len(text.rstrip())
    return Instruction(keyword[1].upper(), text[start:end], line, tuple(flags), tuple(offsets[start:end]))


def _heredocs(instruction: Instruction, escape: str) -> Iterator[tuple[bool, str]]:
    inner = instruction
    if instruction.keyword == "ONBUILD":
        inner = _instruction(instruction.text, list(instruction.offsets), instruction.line)
    if inner.keyword not in _WITH_HEREDOC:
        return
    for word in words.split(inner.text, escape):
        match = _HEREDOC.fullmatch(word)
        if match is None:
            continue
        try:
            yield bool(match["tabs"]), words.unquoted(match["word"], escape)
        except words.WordError:
            continue  # a word with an open quote is the shell's business


def _after_heredoc(lines: list[_Line], place: int, strip_tabs: bool, word: str, line: int) -> int:
    for number in range(place, len(lines)):
        text = lines[number].text
        if (text.lstrip("\t") if strip_tabs else text) == word:
            return number + 1
    raise SourceError(f"the here-document <<{word} has no end", line)


def _is_comment(text: str) -> bool:
    return text.lstrip().startswith("#")
