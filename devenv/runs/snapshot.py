"""What a project's kept files were like when last looked at, and what became different since.

A file is different when its bytes are: touching it, or saving it unchanged, is no change. Everything here blocks on
the disk and belongs to one thread at a time.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import os
import pathlib
import posixpath
from collections.abc import Callable, Iterable
from typing import NamedTuple

from devenv.runs.ignore import Rules
from devenv.runs.project_file import read_regular


class ChangeKind(enum.StrEnum):
    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


class Change(NamedTuple):
    path: str  # relative to the project's root
    kind: ChangeKind


class Stamp(NamedTuple):
    """Equal stamps mean, for a rescan, equal contents; an event is looked into whatever the stamp says."""

    mtime_ns: int
    size: int
    inode: int


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    stamp: Stamp
    digest: bytes


def walk(root: str, rules: Rules, on_folder: Callable[[str], None]) -> dict[str, Stamp]:
    """Kept files and their stamps. Links are not followed.

    `on_folder` is called for each kept folder ("" is the root) before it is listed, so that a watch set there misses
    nothing.
    """
    files: dict[str, Stamp] = {}
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        on_folder(folder)
        try:
            entries = list(os.scandir(posixpath.join(root, folder)))
        except OSError:
            continue  # gone or closed to us since its parent was listed
        for entry in entries:
            path = posixpath.join(folder, entry.name)
            try:
                if entry.is_dir(follow_symlinks=False):
                    if rules.keeps_folder(path):
                        waiting.append(path)
                elif entry.is_file(follow_symlinks=False) and rules.keeps_file(path):
                    status = entry.stat(follow_symlinks=False)
                    files[path] = Stamp(status.st_mtime_ns, status.st_size, status.st_ino)
            except OSError:
                continue
    return files


class Snapshot:
    """The files as last seen. `contents` of a changed file are handed to `on_contents` (None: it is gone)."""

    def __init__(self, root: str, rules: Rules, on_contents: Callable[[str, bytes | None], None] | None = None) -> None:
        self.root = root
        self.rules = rules
        self._known: dict[str, Known] = {}
        self._on_contents = on_contents or (lambda path, data: None)

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(self._known)

    def rescan(self, on_folder: Callable[[str], None] = lambda folder: None) -> list[Change]:
        """Compares the whole kept tree. A root that is not there (unmounted) is no change: nothing is concluded."""
        if not pathlib.Path(self.root).is_dir():
            return []
        self.rules.forget()
        found = walk(self.root, self.rules, on_folder)
        suspects = [
            path for path, stamp in found.items() if path not in self._known or self._known[path].stamp != stamp
        ]
        gone = [path for path in self._known if path not in found]
        return self.look_at([*suspects, *gone])

    def look_at(self, paths: Iterable[str]) -> list[Change]:
        """Compares these files and remembers them as they are now."""
        changes = []
        for path in paths:
            change = self._look_at(path)
            if change is not None:
                changes.append(change)
        return changes

    def _look_at(self, path: str) -> Change | None:
        known = self._known.get(path)
        full = posixpath.join(self.root, path)
        try:
            status = os.lstat(full)
            data = read_regular(full) if self.rules.keeps_file(path) else None
        except OSError:
            data = None
        if data is None:
            if known is None:
                return None
            del self._known[path]
            self._on_contents(path, None)
            return Change(path, ChangeKind.DELETED)
        digest = hashlib.blake2b(data, digest_size=16).digest()
        self._known[path] = Known(Stamp(status.st_mtime_ns, status.st_size, status.st_ino), digest)
        if known is not None and known.digest == digest:
            return None
        self._on_contents(path, data)
        return Change(path, ChangeKind.ADDED if known is None else ChangeKind.MODIFIED)
