"""Where each value of a configuration was written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

KeyPath = tuple[str | int, ...]


class Source(NamedTuple):
    """`line` and `column` are 1-based, 0 for a value that no file holds (a default)."""

    file: str
    line: int = 0
    column: int = 0


def dotted(path: KeyPath) -> str:
    return ".".join(str(step) for step in path)


@dataclasses.dataclass(frozen=True)
class Sources:
    """`values` and `keys` give the place of each value and of the key it stands under, by path from the root."""

    file: str
    values: Mapping[KeyPath, Source] = dataclasses.field(default_factory=dict)
    keys: Mapping[KeyPath, Source] = dataclasses.field(default_factory=dict)

    def of(self, *path: str | int) -> Source:
        """Where a value stands. A default has the file without a line."""
        return self.values.get(path, Source(self.file))

    def key(self, path: KeyPath) -> Source:
        """Where the key of a value stands; the value's own place for an element of a list."""
        return self.keys.get(path) or self.nearest(path)

    def nearest(self, path: KeyPath) -> Source:
        """Where a value stands, or the nearest value around it that was written."""
        while path not in self.values and path:
            path = path[:-1]
        return self.values.get(path, Source(self.file))
