"""Version numbers of features and templates: their order, and the tags under which one is published.

Semantic Versioning 2.0, compared number by number. A tag such as "1" or "1.2" stands for the newest version of that
line; what has a pre-release part is never what such a tag stands for.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable

_NUMBER = r"(?:0|[1-9][0-9]*)"
_PART = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"(?P<numbers>{_NUMBER}\.{_NUMBER}\.{_NUMBER})(?:-(?P<pre>{_PART}(?:\.{_PART})*))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII
)
_PARTIAL = re.compile(rf"{_NUMBER}(?:\.{_NUMBER})?", re.ASCII)
MAX_LENGTH = 256
LATEST = "latest"


class VersionError(ValueError):
    """A text that is no version. Message and hint."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a version")
        self.message = str(self)
        self.hint = "a version is three numbers, such as 1.2.3"


@functools.total_ordering
@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """`numbers` are major, minor and patch; `pre` are the parts of "rc.1"."""

    text: str = dataclasses.field(compare=False)
    numbers: tuple[int, int, int]
    pre: tuple[str, ...] = ()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    @property
    def major(self) -> str:
        return str(self.numbers[0])

    def matches(self, wanted: str) -> bool:
        """Whether a tag "1", "1.2", "1.2.3" or "latest" can stand for this version."""
        if wanted == LATEST:
            return not self.pre
        if _PARTIAL.fullmatch(wanted):
            parts = tuple(int(part) for part in wanted.split("."))
            return not self.pre and self.numbers[: len(parts)] == parts
        exact = _read(wanted)
        return exact == self

    def _key(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        """A pre-release comes before its release; numbers before words in it."""
        parts = tuple((not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in self.pre)
        return self.numbers, not self.pre, parts


def parse(text: str) -> Version:
    """Raises VersionError."""
    version = _read(text)
    if version is None:
        raise VersionError(text)
    return version


def versions(tags: Iterable[str]) -> list[Version]:
    """Those of the tags that are whole versions, oldest first."""
    return sorted(version for version in map(_read, tags) if version)


def newest(tags: Iterable[str], wanted: str = LATEST) -> Version | None:
    """The newest version that a tag stands for, None if there is none."""
    return next((version for version in reversed(versions(tags)) if version.matches(wanted)), None)


def tags_to_publish(version: str, published: Iterable[str]) -> list[str]:
    """The tags that a new version gets beside those `published`: major, minor, itself, latest.

    A shorter tag only if this version is the newest that it can stand for; [] if the version is published already.
    Raises VersionError.
    """
    new = parse(version)
    known = versions(published)
    if any(old.text == version for old in known):
        return []
    major, minor, _ = new.numbers
    lines = [(f"{major}", f"{major}"), (f"{major}.{minor}", f"{major}.{minor}"), (version, ""), (LATEST, LATEST)]
    return [tag for tag, line in lines if not line or all(old < new for old in known if old.matches(line))]


def _read(text: str) -> Version | None:
    match = _VERSION.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if match is None:
        return None
    major, minor, patch = (int(number) for number in match["numbers"].split("."))
    return Version(text, (major, minor, patch), tuple(match["pre"].split(".")) if match["pre"] else ())
