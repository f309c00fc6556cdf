"""A survey as lines for a terminal."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator

from devenv.sync.survey import Finding, Kind, Survey
from devenv.sync.words import printable

MOST_SHOWN = 8  # of a kind
_HEADS = {
    Kind.SECRET: "These look like secrets:",
    Kind.LEFT_OUT: "These are larger than they may be, and stay where they are:",
    Kind.BIG: "These are large:",
    Kind.TWINS: "These are called alike but for case, and are one file on some machines:",
    Kind.NOT_UTF8: "These have names that are not UTF-8:",
    Kind.UNREADABLE: "These cannot be read, and stay where they are:",
}


def lines(survey: Survey, width: int = 80) -> list[str]:
    """At most so many columns wide; what a name has that a terminal would obey is written as an escape."""
    return [_fitted(line, width) for line in _lines(survey, width)]


def size_text(size: int) -> str:
    """`17 B`, `1.5 KB`, `120 MB`: powers of two, three digits at most."""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("KB", "MB", "GB", "TB"):
        value /= 1024
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def _lines(survey: Survey, width: int) -> Iterator[str]:
    yield f"{survey.files:,} files, {size_text(survey.size)}"
    if survey.too_many:
        yield f"That is more than {survey.limits.max_files:,} files (sync.max-files)."
    if survey.folders:
        yield ""
        yield f"{'size':>8}  {'files':>9}  folder"
        for weight in survey.folders:
            yield f"{size_text(weight.size):>8}  {weight.files:>9,}  {_cut(printable(weight.path) + '/', width - 21)}"
    for kind, head in _HEADS.items():
        found = [finding for finding in survey.findings if finding.kind is kind]
        if not found:
            continue
        yield ""
        yield from textwrap.wrap(head, width)
        shown = found[:MOST_SHOWN]
        yield from (_row(finding, width) for finding in shown)
        if (more := survey.counts[kind] - len(shown)) > 0:
            yield f"  and {more:,} more"


def _row(finding: Finding, width: int) -> str:
    match finding.kind:
        case Kind.SECRET | Kind.UNREADABLE:
            told = finding.why
        case Kind.TWINS:
            told = _cut(printable(finding.why), width // 3)
        case Kind.NOT_UTF8:
            told = ""
        case _:
            told = size_text(finding.size)
    name = _cut(printable(finding.path) + "/" * finding.is_folder, max(width - 4 - _columns(told), width // 4))
    gap = max(2, min(width // 2, width - 2 - _columns(told)) - _columns(name))
    return f"  {name}{' ' * gap}{told}".rstrip()


def _columns(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _cut(text: str, width: int) -> str:
    """Its end says more than its beginning."""
    if _columns(text) <= width:
        return text
    while text and _columns(text) > width - 1:
        text = text[1:]
    return "…" + text


def _fitted(line: str, width: int) -> str:
    while _columns(line) > width:
        line = line[:-1]
    return line
