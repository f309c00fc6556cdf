"""A parsed text: its plain value, and where each part of it stands."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import re
from typing import NamedTuple, TypeAlias

from devcontainer.jsonc.nodes import Array, JsonValue, Node, Object, to_value

Path: TypeAlias = tuple[str | int, ...]
"""From the root to a value: object keys and array indexes."""

_LINE_END = re.compile(r"\r\n|\r|\n")


class Position(NamedTuple):
    """Both 1-based; a column counts characters, a tab is one."""

    line: int
    column: int


class Duplicate(NamedTuple):
    """A key written a second time in one object; the later one counts."""

    path: Path
    position: Position
    first: Position


@functools.lru_cache(maxsize=8)
def _line_starts(text: str) -> tuple[int, ...]:
    return (0, *(match.end() for match in _LINE_END.finditer(text)))


def position_at(text: str, offset: int) -> Position:
    """Line and column of an offset."""
    starts = _line_starts(text)
    line = bisect.bisect_right(starts, offset)
    return Position(line, offset - starts[line - 1] + 1)


@dataclasses.dataclass(frozen=True)
class Document:
    """`file` is only a name for messages."""

    text: str
    file: str
    root: Node

    @functools.cached_property
    def value(self) -> JsonValue:
        """The plain value. Treat it as read-only: it is shared."""
        return to_value(self.root)

    @functools.cached_property
    def spans(self) -> dict[Path, tuple[int, int]]:
        """Offsets (start, end) of every value, by path."""
        found: dict[Path, tuple[int, int]] = {}

        def walk(node: Node, path: Path) -> None:
            found[path] = (node.start, node.end)
            if isinstance(node, Array):
                for index, item in enumerate(node.items):
                    walk(item, (*path, index))
            elif isinstance(node, Object):
                for member in node.members:
                    walk(member.value, (*path, member.name))

        walk(self.root, ())
        return found

    @functools.cached_property
    def duplicates(self) -> tuple[Duplicate, ...]:
        found: list[Duplicate] = []

        def walk(node: Node, path: Path) -> None:
            if isinstance(node, Array):
                for index, item in enumerate(node.items):
                    walk(item, (*path, index))
            elif isinstance(node, Object):
                first: dict[str, int] = {}
                for member in node.members:
                    here = (*path, member.name)
                    if member.name in first:
                        found.append(Duplicate(here, self._at(member.key.start), self._at(first[member.name])))
                    first.setdefault(member.name, member.key.start)
                    walk(member.value, here)

        walk(self.root, ())
        return tuple(found)

    def node(self, path: Path) -> Node | None:
        """The value at a path, None if there is none."""
        node: Node = self.root
        for step in path:
            if isinstance(step, str) and isinstance(node, Object):
                member = node.member(step)
                if member is None:
                    return None
                node = member.value
            elif isinstance(step, int) and isinstance(node, Array) and 0 <= step < len(node.items):
                node = node.items[step]
            else:
                return None
        return node

    def position(self, path: Path) -> Position:
        """Where the value at a path begins; for a path that is not there, its nearest parent."""
        while True:
            node = self.node(path)
            if node is not None:
                return self._at(node.start)
            path = path[:-1]

    def key_position(self, path: Path) -> Position:
        """Where the key of an object member begins; the value's own position where there is no key."""
        parent = self.node(path[:-1]) if path else None
        if isinstance(parent, Object) and isinstance(path[-1], str):
            member = parent.member(path[-1])
            if member is not None:
                return self._at(member.key.start)
        return self.position(path)

    def _at(self, offset: int) -> Position:
        return position_at(self.text, offset)
