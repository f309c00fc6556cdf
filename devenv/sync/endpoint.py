"""One side as the session sees it, and the one that is a folder of this machine."""

from __future__ import annotations

import asyncio
import os
import pathlib
import secrets
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from typing import Protocol

from devenv.sync.core.changes import Step
from devenv.sync.core.entries import Tree
from devenv.sync.core.given import as_node, parse
from devenv.sync.core.guards import Replica
from devenv.sync.side.apply import OWN, Applier
from devenv.sync.side.scan import CHUNK, Scanner

IGNORED = (OWN,)


class Endpoint(Protocol):
    """Everything raises OSError, or a LinkError, when the side is not there any more; nothing is half done then."""

    async def scan(self) -> Tree:
        """What is there now."""
        ...

    async def replica(self, *, new: bool = False) -> Replica:
        """Which folder it is; with `new` it gets a word of its own first, if it has none."""
        ...

    def read(self, path: str) -> AsyncIterator[bytes]:
        """A file's content as it is now. It is checked where it arrives."""
        ...

    async def missing(self, digests: Collection[bytes]) -> set[bytes]:
        """Those of which nothing is staged."""
        ...

    async def stage(self, digest: bytes, pieces: AsyncIterator[bytes]) -> bool:
        """False where the content was another one."""
        ...

    async def apply(self, steps: Sequence[Step], cycle: str) -> list[str]:
        """ "" for each step that is done, else why not."""
        ...

    async def tidy(self) -> None:
        """Nothing that was staged is needed any more."""
        ...


class LocalEndpoint:
    """A folder of this machine. The files that it makes have the umask's modes."""

    def __init__(self, root: pathlib.Path, *, umask: int = 0o022) -> None:
        self._root = root
        self._umask = umask
        self._scanner = Scanner(str(root), self._ignored)

    @staticmethod
    def _ignored(path: str, is_folder: bool) -> bool:
        return path in IGNORED

    def _applier(self) -> Applier:
        return Applier(str(self._root), self._scanner.key, umask=self._umask)

    async def scan(self) -> Tree:
        return parse(await asyncio.to_thread(self._scanner.scan))

    async def replica(self, *, new: bool = False) -> Replica:
        return await asyncio.to_thread(self._replica, new)

    def _replica(self, new: bool) -> Replica:
        file = self._root / OWN / "replica"
        try:
            word = file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            word = ""
            if new:
                file.parent.mkdir(mode=0o700, exist_ok=True)
                word = secrets.token_hex(16)
                file.write_text(word + "\n", encoding="ascii")
        return Replica(word, os.lstat(self._root).st_dev if self._root.exists() else 0)

    async def read(self, path: str) -> AsyncIterator[bytes]:
        number = await asyncio.to_thread(os.open, self._root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            while data := await asyncio.to_thread(os.read, number, CHUNK):
                yield data
        finally:
            os.close(number)

    async def missing(self, digests: Collection[bytes]) -> set[bytes]:
        def look() -> set[bytes]:
            with self._applier() as applier:
                return {digest for digest in digests if not applier.has(digest)}

        return await asyncio.to_thread(look)

    async def stage(self, digest: bytes, pieces: AsyncIterator[bytes]) -> bool:
        whole = [piece async for piece in pieces]

        def keep(parts: Iterator[bytes]) -> bool:
            with self._applier() as applier:
                return applier.stage(digest, parts)

        return await asyncio.to_thread(keep, iter(whole))

    async def apply(self, steps: Sequence[Step], cycle: str) -> list[str]:
        wanted = [(step.path, as_node(step.before), as_node(step.after)) for step in steps]

        def make() -> list[str]:
            with self._applier() as applier:
                return applier.apply(wanted, cycle)

        return await asyncio.to_thread(make)

    async def tidy(self) -> None:
        def clear() -> None:
            with self._applier() as applier:
                applier.clear()

        await asyncio.to_thread(clear)
