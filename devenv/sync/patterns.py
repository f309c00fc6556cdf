"""Lines of a .gitignore to rules of `devenv.sync.side.rules`, exactly as Git understands them.

Git's own matching (dir.c, wildmatch.c) is the rule, its corners included: what stands before the first wildcard is
compared by itself, so that `**` right after it is one that crosses folders. Two things differ: a character of a name is
a character, not a byte, and what can never fit is told. Expressions take a time that grows with the name, never with a
power of it.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence

_SPECIAL = frozenset("*?[\\")
_MOST_DEEP = 4  # `**` in one pattern: each multiplies the time by the depth of a path
_MOST_STARS = 6  # in an output, whose expression has no groups
_MOST_EXPANDED = 16
_CLASSES = {
    "alnum": "09AZaz", "alpha": "AZaz", "blank": "\t\t  ", "cntrl": "\0\x1f\x7f\x7f", "digit": "09", "graph": "!~",
    "lower": "az", "print": " ~", "punct": "!/:@[`{~", "space": "\t\r  ", "upper": "AZ", "xdigit": "09AFaf",
}  # fmt: skip

Rule = tuple[bool, bool, str, bool, str, str]
"""(ignore, folders only, where, deep, kind, text), see `devenv.sync.side.rules`."""


class NeverFits(ValueError):
    """A pattern that no path fits; says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Token:
    """`kind`: one (a character), star, slash, deep (`**/`), all (`**`). `chars`: all that a short `one` can be."""

    kind: str
    text: str = ""
    chars: tuple[str, ...] = ()


_STAR, _SLASH, _DEEP, _ALL = (_Token(kind) for kind in ("star", "slash", "deep", "all"))


def lines_of(data: bytes) -> list[str]:
    """The lines of a rule file, as Git splits it. Bytes that are no UTF-8 become surrogates, as in names."""
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")
    return [line.removesuffix("\r") for line in lines]


def rules_of(line: str, folder: str = "") -> list[Rule]:
    """The rules that a line in a file of this folder means, all of the same strength; none for a comment.

    Raises NeverFits.
    """
    if line.startswith("#") or not (text := _trimmed(line)):
        return []
    ignore = not text.startswith("!")
    text = text if ignore else text[1:]
    folders_only = text.endswith("/")
    text = text[:-1] if folders_only else text
    if not text:
        raise NeverFits("it names nothing")
    anchored = "/" in text
    text = text.removeprefix("/") if anchored else text
    if anchored and ("" in text.split("/")[:-1] or (text.endswith("/") and not text.endswith("**/")) or not text):
        raise NeverFits("it has a part without a name")
    head, _, tail = text.rpartition("/")
    if _SPECIAL.isdisjoint(head) and "**" not in (tail if anchored else ""):
        where = "/".join(part for part in (folder, head) if part)
        return [(ignore, folders_only, where, not anchored, *kind) for kind in _of_name(tokens(tail))]
    found = tokens(text)
    if sum(token in (_DEEP, _ALL) for token in found) > _MOST_DEEP:
        raise NeverFits(f"more than {_MOST_DEEP} times **")
    literal = text[: _literal(text)].rpartition("/")[0]
    where = "/".join(part for part in (folder, literal) if part)
    prefix = re.escape(f"{folder}/") if folder else ""
    return [(ignore, folders_only, where, True, "path", prefix + _expression(found))]


def output_of(pattern: str) -> tuple[str, str]:
    """(expression of the paths that are an output, expression of the folders that lead there), from the root on.

    Raises NeverFits.
    """
    text = _trimmed(pattern).removeprefix("/").removesuffix("/")
    if "" in text.split("/"):
        raise NeverFits("it has a part without a name")
    found = tokens(text)
    if sum(token in (_DEEP, _ALL) for token in found) > _MOST_DEEP or found.count(_STAR) > _MOST_STARS:
        raise NeverFits("it has too many wildcards")
    leads = []
    for number, token in enumerate(found):
        before = "".join(map(_plain, found[:number]))
        if token in (_DEEP, _ALL):
            leads += [before + ".*"] + ([before[:-1]] if before.endswith("/") else [])
            break
        if token == _SLASH:
            leads.append(before)
    return "".join(map(_plain, found)) + "(?:/.*)?", "|".join(f"(?:{lead})" for lead in leads) or "(?!)"


def line_of(path: str, *, is_folder: bool) -> str:
    """The line of a rule file at the root that fits this path alone."""
    escaped = re.sub(r"([*?\[\\]|\s\Z)", r"\\\1", path)
    return "/" + re.sub(r"[\r\n]", "?", escaped.replace("\\\n", "?").replace("\\\r", "?")) + ("/" if is_folder else "")


def tokens(text: str) -> list[_Token]:
    """Raises NeverFits."""
    found: list[_Token] = []
    at, first = 0, _literal(text)
    while at < len(text):
        char = text[at]
        if char == "*":
            end = at
            while end < len(text) and text[end] == "*":
                end += 1
            begins = at == first or text[at - 1] == "/"
            if end - at > 1 and begins and (end == len(text) or text[end:].startswith(("/", "\\/"))):
                found.append(_DEEP if text[end : end + 1] == "/" else _ALL)
                at = end + (found[-1] is _DEEP)
                continue
            found.append(_STAR)
            at = end
        elif char == "[":
            token, at = _class(text, at)
            found.append(token)
        elif char == "?":
            found.append(_Token("one", "[^/]"))
            at += 1
        else:
            if char == "\\":
                at += 1
                if at == len(text):
                    raise NeverFits("it ends in a backslash")
                char = text[at]
            found.append(_SLASH if char == "/" else _Token("one", re.escape(char), (char,)))
            at += 1
    return found


def _trimmed(line: str) -> str:
    """Without spaces at its end, of which a backslash keeps one."""
    end = at = 0
    while at < len(line):
        if line[at] == "\\":
            at += 1
            end = at + 1
            if at == len(line):
                return line
        elif line[at] != " ":
            end = at + 1
        at += 1
    return line[:end]


def _literal(text: str) -> int:
    """How many characters stand before the first special one."""
    return next((number for number, char in enumerate(text) if char in _SPECIAL), len(text))


def _class(text: str, at: int) -> tuple[_Token, int]:
    """A bracket expression and where it ends. Raises NeverFits."""
    at += 1
    negated = text[at : at + 1] in ("!", "^")
    at += negated
    ranges: list[tuple[str, str]] = []
    before = ""
    start = at
    while True:
        if at >= len(text):
            raise NeverFits("it has a [ without a ]")
        char = text[at]
        if char == "]" and at > start:
            break
        if char == "-" and before and at + 1 < len(text) and text[at + 1] != "]":
            at += 1
            at += text[at] == "\\"
            if at >= len(text):
                raise NeverFits("it has a [ without a ]")
            ranges.append((before, text[at]))
            before = ""
        elif text.startswith("[:", at) and (end := text.find("]", at + 2)) >= at + 3 and text[end - 1] == ":":
            name = text[at + 2 : end - 1]
            if name not in _CLASSES:
                raise NeverFits(f"[:{name}:] is no class of characters")
            bounds = _CLASSES[name]
            ranges += zip(bounds[::2], bounds[1::2], strict=True)
            at, before = end, ""
        else:
            at += char == "\\"
            if at >= len(text):
                raise NeverFits("it has a [ without a ]")
            ranges.append((text[at], text[at]))
            before = text[at]
        at += 1
    return _one_of(ranges, negated), at + 1


def _one_of(ranges: Sequence[tuple[str, str]], negated: bool) -> _Token:
    real = [(low, high) for low, high in ranges if low <= high]
    inside = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in real)
    if negated:
        return _Token("one", f"[^/{inside}]")
    if not inside:
        return _Token("one", "(?!)")
    chars = [low for low, high in real if low == high and low != "/"]
    short = len(chars) == len(real) <= _MOST_EXPANDED
    return _Token("one", f"(?!/)[{inside}]", tuple(dict.fromkeys(chars)) if short else ())


def _of_name(found: Sequence[_Token]) -> Iterator[tuple[str, str]]:
    """(kind, text) of what a name has to be; without wildcards inside, in the forms that cost least."""
    kind, ones = "name", list(found)
    if ones and ones[0] is _STAR:
        kind, ones = "end", ones[1:]
    elif ones and ones[-1] is _STAR:
        kind, ones = "start", ones[:-1]
    count = 1
    for token in ones:
        count *= len(token.chars)  # none: a star, or one of many
    if 0 < count <= _MOST_EXPANDED:
        for chars in itertools.product(*(token.chars for token in ones)):
            yield kind, "".join(chars)
    else:
        yield "glob", _expression(found)


def _expression(found: Sequence[_Token]) -> str:
    """A star that another one follows in the same part takes as little as it can, for good: that is enough for a fit,
    and nothing is tried twice."""
    parts = []
    at = groups = 0
    while at < len(found):
        token = found[at]
        at += 1
        if token is not _STAR:
            parts.append(_plain(token))
            continue
        end = at
        while end < len(found) and found[end].kind == "one":
            end += 1
        if end < len(found) and found[end] is _STAR:
            chunk = "".join(one.text for one in found[at:end])
            parts.append(f"(?=(?P<g{groups}>[^/]*?{chunk}))(?P=g{groups})")
            groups, at = groups + 1, end
        else:
            parts.append("[^/]*")
    return "".join(parts)


def _plain(token: _Token) -> str:
    return token.text or {"star": "[^/]*", "slash": "/", "deep": "(?:.*/)?", "all": ".*"}[token.kind]
