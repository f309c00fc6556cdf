"""Where this user's environments are kept on the host, and who owns them. One change of an environment at a time."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pathlib
from collections.abc import AsyncIterator, Callable

from devenv.environment.records import RecordFile
from devenv.lifecycle.trust import TrustFile

Clock = Callable[[], float]  # seconds since the epoch

LOCK = "up.lock"


class Home:
    """`state` is devenv's state folder; `owner` the value of our owner label (`<uid>@<machine>`)."""

    def __init__(self, state: pathlib.Path, owner: str, clock: Clock, version: str) -> None:
        self.owner = owner
        self.clock = clock
        self.version = version
        self.trust = TrustFile(state)
        self.cache = state / "cache"
        self.state = state
        self._locks: dict[str, asyncio.Lock] = {}

    def folder(self, key: str) -> pathlib.Path:
        """The environment's folder, made if missing (0700)."""
        path = self.state / "envs" / key
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def record_file(self, key: str) -> RecordFile:
        return RecordFile(self.folder(key))

    def known(self) -> list[pathlib.Path]:
        """The folders of all environments that there have been. Blocking."""
        folder = self.state / "envs"
        return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    @contextlib.asynccontextmanager
    async def exclusive(self, key: str) -> AsyncIterator[None]:
        """One change of an environment at a time, in this process and in others of this user."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            descriptor = os.open(self.folder(key) / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                delay = 0.02
                while not _locked(descriptor):
                    await asyncio.sleep(delay)  # a file lock tells nobody when it is free
                    delay = min(0.2, delay * 1.5)
                yield
            finally:
                os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
