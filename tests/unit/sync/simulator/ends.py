"""The two endpoints as the session has them: the product's own, behind a link that can be cut, and the record of what
was agreed on."""

from __future__ import annotations

import errno
import os
import pathlib
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from typing import Any, TypeVar

from devenv.sync.core.changes import Step
from devenv.sync.core.entries import Tree
from devenv.sync.core.given import as_node, parse
from devenv.sync.core.guards import Replica
from devenv.sync.endpoint import Hints, LocalEndpoint, Wanted
from devenv.sync.side.place import Place
from devenv.sync.store import Ancestor
from tests.unit.sync.simulator.disks import OWN, Crash, Disk

T = TypeVar("T")


class Link:
    """Between the host and one side. `down` until it is made anew; `flip` is the byte that comes wrong."""

    def __init__(self, pieces: int) -> None:
        self.down = False
        self.flip = 0
        self.pieces = pieces  # bytes that arrive together, 0 for all

    def check(self) -> None:
        if self.down:
            raise OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    def arrives(self, data: bytes) -> list[bytes]:
        if self.flip:
            if self.flip > len(data):
                self.flip -= len(data)
            else:
                wrong = bytearray(data)
                wrong[self.flip - 1] ^= 1 << (self.flip % 8)
                data, self.flip = bytes(wrong), 0
        if not self.pieces:
            return [data]
        return [data[at : at + self.pieces] for at in range(0, len(data), self.pieces)]


class End:
    """One side. What it raises says only that it is gone, except where the whole host is."""

    def __init__(self, disk: Disk, link: Link, host_is_dead: Callable[[], bool]) -> None:
        self.disk, self.link, self._host_is_dead = disk, link, host_is_dead
        self.local = LocalEndpoint(pathlib.Path("/" + disk.name))
        self.place = self.local._place
        self.late: tuple[set[str], set[str]] = (set(), set())

    async def _over(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            self.link.check()
        except OSError:
            call.close()
            raise
        try:
            result = await call
        except Crash:
            if self._host_is_dead():
                raise
            self.link.down = True
        else:
            if self._host_is_dead():
                raise Crash
            self.link.check()
            return result
        raise OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    async def scan(self, dirty: Collection[str] | None = None, *, rehash: bool = False) -> Tree:
        return await self._over(self.local.scan(dirty, rehash=rehash))

    async def replica(self, *, new: bool = False) -> Replica:
        return await self._over(self.local.replica(new=new))

    async def missing(self, digests: Collection[bytes]) -> dict[bytes, int]:
        return await self._over(self.local.missing(digests))

    def pack(self, wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
        return self._arriving(self.local.pack(wanted))

    async def _arriving(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for data in stream:
                self.link.check()
                for piece in self.link.arrives(data):
                    yield piece
        except Crash:
            if self._host_is_dead():
                raise
            self.link.down = True
            self.link.check()

    async def apply(self, steps: Sequence[Step], cycle: str, contents: AsyncIterator[bytes] | None = None) -> list[str]:
        return await self._over(self.local.apply(steps, cycle, contents))

    def heard(self, late: bool) -> Hints:
        """What the watcher saw; with `late` nothing yet, and all of it the next time."""
        dirty, fresh = self.disk.touched | self.late[0], self.disk.fresh | self.late[1]
        self.disk.touched, self.disk.fresh = set(), set()
        if late:
            self.late = dirty, fresh
            return Hints(frozenset(), False)
        self.late = set(), set()
        self._freshly(fresh)
        return Hints(frozenset(dirty | fresh), False)

    def _freshly(self, fresh: set[str]) -> None:
        self.place.scanner.fresh |= fresh

    def ignore(self, names: frozenset[str]) -> None:
        self._ignoring(self.place, names)

    @staticmethod
    def _ignoring(place: Place, names: frozenset[str]) -> None:
        place.use_rules(None)
        place.scanner.ignored = lambda path, is_folder: path == OWN or path.rpartition("/")[2] in names

    @property
    def gone(self) -> bool:
        """Whether only another one can be asked from now on."""
        return self.disk.dead or self.link.down

    def finish(self) -> None:
        """The host has left it."""

    async def settle(self) -> Hints:
        raise NotImplementedError

    async def wait(self) -> None:
        raise NotImplementedError

    async def use_rules(self, rules: Any) -> None:
        raise NotImplementedError

    async def trashed(self) -> Sequence[Any]:
        raise NotImplementedError

    async def restore(self, cycle: str) -> dict[str, str]:
        raise NotImplementedError

    async def close(self) -> None:
        self.place.close()


class Record:
    """As `Store`, in memory. `before` and `after` are called around a save, `voided` when what was saved is damaged."""

    def __init__(self, before: Callable[[], None], after: Callable[[], None], voided: Callable[[], None]) -> None:
        self._before, self._after, self._voided = before, after, voided
        self.kept: tuple[Any, Replica, Replica] | None = None
        self.saves = 0
        self.damaged = False

    def load(self) -> Ancestor:
        if self.damaged:
            self.damaged, self.kept = False, None
            self._voided()
        if self.kept is None:
            return Ancestor()
        return Ancestor(parse(self.kept[0]), *self.kept[1:])

    def save(self, ancestor: Ancestor) -> None:
        self._before()
        self.kept = as_node(ancestor.tree), ancestor.host, ancestor.container
        self.saves += 1
        self._after()

    @property
    def tree(self) -> Tree:
        return parse(self.kept[0]) if self.kept is not None else None
