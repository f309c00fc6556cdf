"""Which programs have been attached to, on disk: a new supervisor finds their debuggers again.

An entry counts for one start of one container. What has ended since is found out by whoever asks, and dropped.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterable

from devenv.atomic_file import write_atomic


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """`key` is the run's id, or "process-PID" for a process outside of runs. `at`: seconds since the epoch."""

    container: str
    started: str  # the container's start, as the engine writes it
    key: str
    name: str
    pid: int
    endpoints: str
    at: float


class Book:
    """Reads at every question: another supervisor may have written."""

    def __init__(self, file: pathlib.Path) -> None:
        self._file = file

    def all(self) -> list[Entry]:
        try:
            return [Entry(**item) for item in json.loads(self._file.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError):
            return []

    def of(self, container: str, started: str) -> list[Entry]:
        return [entry for entry in self.all() if (entry.container, entry.started) == (container, started)]

    def add(self, entry: Entry) -> None:
        """Entries of other containers and starts mean nothing any more."""
        kept = [known for known in self.of(entry.container, entry.started) if known.key != entry.key]
        self._write([*kept, entry])

    def drop(self, keys: Iterable[str]) -> None:
        gone = set(keys)
        if gone:
            self._write([entry for entry in self.all() if entry.key not in gone])

    def _write(self, entries: list[Entry]) -> None:
        if self._file.parent.is_dir():
            write_atomic(self._file, json.dumps([dataclasses.asdict(entry) for entry in entries]))
