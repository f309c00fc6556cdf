"""On which host a project folder's environment is: written when one is brought up, dropped when it is taken down.

Kept in the state folder. A file that cannot be read is as good as none: the environment is then found by naming its
host again.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from typing import NamedTuple

from devenv.atomic_file import write_atomic
from devenv.engine.endpoint import Endpoint
from devenv.hosts.book import LOCAL, Book

_MOST = 2000  # folders


class Place(NamedTuple):
    """`asked`: as a person called the host. `address`: what a name of the book meant then, "" for other names; it
    counts when the book has the name no more."""

    asked: str
    address: str

    def name(self, book: Book) -> str:
        """What stands for the host now, as `--host` takes it."""
        return self.address if self.address and self.asked not in book.hosts else self.asked


class Places:
    def __init__(self, state: pathlib.Path) -> None:
        self._path = state / "places.json"
        self._known: tuple[tuple[int, int], dict[str, Place]] | None = None

    def get(self, folder: str) -> Place | None:
        return self._read().get(os.path.realpath(folder))

    def all(self) -> list[Place]:
        """Each host once, this machine's own engine aside."""
        return [*dict.fromkeys(place for place in self._read().values() if place.asked != LOCAL)]

    def put(self, folder: str, endpoint: Endpoint, book: Book) -> None:
        """An engine that only the client's DOCKER_HOST names is nothing to remember: the client names it each time."""
        if endpoint.remote and not endpoint.name:
            return
        place = Place(LOCAL, "")
        if endpoint.remote:
            place = Place(endpoint.name, endpoint.ssh if endpoint.name in book.hosts else "")
        known = dict(self._read())
        key = os.path.realpath(folder)
        if known.get(key) == place:
            return
        known.pop(key, None)
        known[key] = place
        self._write(dict([*known.items()][-_MOST:]))

    def drop(self, folder: str) -> None:
        known = dict(self._read())
        if known.pop(os.path.realpath(folder), None) is not None:
            self._write(known)

    def _write(self, known: dict[str, Place]) -> None:
        folders = {folder: {"host": place.asked, "address": place.address} for folder, place in known.items()}
        with contextlib.suppress(OSError):  # a full disk costs a `--host` next time
            write_atomic(self._path, json.dumps({"version": 1, "folders": folders}, indent=1) + "\n")

    def _read(self) -> dict[str, Place]:
        """Two supervisors may follow one another: a file that has changed is read again."""
        try:
            info = self._path.stat()
            stamp = (info.st_mtime_ns, info.st_ino)
            if self._known is None or self._known[0] != stamp:
                folders = json.loads(self._path.read_text(encoding="utf-8"))["folders"]
                found = {str(key): Place(str(one["host"]), str(one.get("address", ""))) for key, one in folders.items()}
                self._known = (stamp, found)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}
        return self._known[1]
