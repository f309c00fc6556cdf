"""What was fetched once, for all projects of a user: manifests and archives by digest, and what each tag last meant.

A digest never asks the network. A tag is asked for again when the answer is older than `FRESH`; when the network is
away the old answer serves. Archives are kept packed: verified at each use, they unpack in milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import time
from collections.abc import Callable
from typing import NamedTuple

from devenv.features.content import ContentFolder

FRESH = 10 * 60.0  # seconds
SIZE_LIMIT = 512 * 1024 * 1024  # bytes of content
_LEAST_AGE = 60 * 60.0  # seconds since its last use before a file may be pruned: somebody may be building with it
_ABANDONED = 24 * 60 * 60.0  # seconds after which a half-written file has no owner any more


class Remembered(NamedTuple):
    digest: str
    age: float  # seconds since the registry said so; negative when a clock was set back


class FeatureCache(ContentFolder):
    """In a folder of the user's own. Blocking; safe with other processes: each write is one rename."""

    def __init__(
        self, folder: pathlib.Path, *, size_limit: int = SIZE_LIMIT, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(folder)
        self._size_limit = size_limit
        self._now = now

    def find(self, digest: str) -> pathlib.Path | None:
        found = super().find(digest)
        if found is not None:
            self._used(found)
        return found

    def read(self, digest: str) -> bytes | None:
        found = super().read(digest)
        if found is not None:
            self._used(self.path(digest))
        return found

    def remember(self, name: str, digest: str) -> None:
        """That a tag ("registry/repository:tag") or an address meant this digest just now."""
        with self.incoming() as file:
            file.write_text(json.dumps({"name": name, "digest": digest, "asked": self._now()}), encoding="utf-8")
            place = self._note(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)

    def recall(self, name: str) -> Remembered | None:
        try:
            value = json.loads(self._note(name).read_text(encoding="utf-8"))
            found = Remembered(value["digest"], self._now() - value["asked"])
            self.path(found.digest)
            return found if value["name"] == name else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def prune(self) -> int:
        """Removes what was used longest ago until the size limit is kept; the number of bytes freed."""
        now = self._now()
        for file in self._files("incoming"):
            if now - file.used > _ABANDONED:
                file.path.unlink(missing_ok=True)
        kept = sorted(self._files("blobs"), key=lambda file: file.used)
        excess = sum(file.size for file in kept) - self._size_limit
        freed = 0
        for file in kept:
            if freed >= excess or now - file.used < _LEAST_AGE:
                break
            file.path.unlink(missing_ok=True)
            freed += file.size
        return freed

    def _used(self, path: pathlib.Path) -> None:
        now = self._now()
        try:
            os.utime(path, (now, now))
        except OSError:
            pass  # pruned at this moment, or a folder that is only read

    def _note(self, name: str) -> pathlib.Path:
        return self.folder / "tags" / hashlib.sha256(name.encode()).hexdigest()

    def _files(self, folder: str) -> list[_File]:
        found = []
        for above, _, names in os.walk(self.folder / folder):
            for name in names:
                path = pathlib.Path(above, name)
                try:
                    status = path.stat()
                except OSError:
                    continue  # another process was faster
                found.append(_File(path, status.st_size, status.st_mtime))
        return found


class _File(NamedTuple):
    path: pathlib.Path
    size: int
    used: float
