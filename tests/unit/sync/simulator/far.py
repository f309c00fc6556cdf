"""The container's side behind its wire: the product's own process there, and both streams, which end at any byte."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from typing import Any, TypeVar, cast

from devenv.errors import LinkError
from devenv.sync.core.changes import Step
from devenv.sync.core.entries import Tree
from devenv.sync.core.guards import Replica
from devenv.sync.endpoint import Hints, Wanted
from devenv.sync.remote import RemoteEndpoint, _greeting
from devenv.sync.side import pack, wire
from devenv.sync.side.place import Place
from devenv.sync.side.serve import Server
from tests.unit.sync.simulator.disks import Crash, Disk, Violation
from tests.unit.sync.simulator.ends import End, Link

T = TypeVar("T")


class _Dry(BaseException):
    """Nothing has come yet."""


class _Watch:
    """The container's watcher."""

    lacking = ""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def take(self) -> tuple[set[str], set[str], bool]:
        found = self._disk.touched, self._disk.fresh, False
        self._disk.touched, self._disk.fresh = set(), set()
        return found

    def close(self) -> None:
        pass


class Process:
    """It is both of its own streams, and works when the host waits for it. What was on its way when the link went down
    arrives in part."""

    def __init__(self, link: Link, chance: random.Random) -> None:
        self._link, self._chance = link, chance
        self._at_once = 1 + 8 * link.pieces if link.pieces else 1 << 20
        self._in, self.out = bytearray(), bytearray()
        self._closed = False  # nothing more comes
        self._cut = False
        self.ended = False
        self._server = Server(self, self)  # type: ignore[arg-type]

    @property
    def place(self) -> Place | None:
        return self._server._place

    # as it sees them

    def read(self, size: int) -> bytes:
        self.look()
        if not self._in and not self._closed:
            raise _Dry
        data = bytes(self._in[: min(size, self._at_once)])
        del self._in[: len(data)]
        return data

    def write(self, data: bytes) -> int:
        self.look()
        if self._closed:
            raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
        self.out += data
        return len(data)

    @property
    def waits(self) -> bool:
        return bool(self._in) or self._closed

    # as the host does

    def look(self) -> bool:
        """Whether the link is up."""
        if self._link.down and not self._cut:
            self._cut = self._closed = True
            for stream in (self._in, self.out):
                del stream[self._chance.randint(0, len(stream)) :]
        return not self._cut

    def given(self, data: bytes) -> None:
        self._in += data

    def taken(self) -> bytes:
        data = bytes(self.out[: self._at_once])
        del self.out[: len(data)]
        return data

    def close(self) -> None:
        self._closed = True

    def work(self) -> None:
        """As far as it comes with what is there."""
        self.look()
        while not self.ended and (self._in or self._closed or self._server._waiting):
            answers = False
            with self._ending():
                try:
                    frame = self._server._next()
                    answers = True
                    self._server._take_frame(*frame)
                except _Dry:
                    assert not answers, "a request that is not whole when the host waits for the answer"
                    return

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except (Crash, Violation):  # the latter is noted
            self.ended = True
        except (EOFError, OSError, wire.Broken, pack.Broken):  # the last ones where a byte came wrong
            self._leave()

    def watch(self, disk: Disk) -> None:
        """From now on it hears by itself of what is written."""
        place = self.place
        assert place is not None

        def anew() -> None:
            place._whole = True

        place._rewatch = anew  # type: ignore[method-assign]
        place.watcher, place._notify = _Watch(disk), lambda: None

    def tell(self) -> None:
        """What it has heard, where the host wants to hear of it."""
        self.work()
        with self._ending():
            for _ in range(2):  # whoever deletes is given a moment
                if self._server._armed and not self.ended:
                    self._server._tell()

    def _leave(self) -> None:
        self.ended = True
        if self.place is not None:
            try:
                self.place.close()
            except (Crash, Violation):
                pass

    def finish(self) -> None:
        """The host has left: what it was asked for last it does to the end."""
        self.look()
        self.close()
        self.work()


class Stream:
    """As `ExecStream`, of which nothing else is asked."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: asyncio.Future[None] | None = None

    def _up(self) -> None:
        if not self._process.look():
            raise OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    async def write(self, data: bytes) -> None:
        self._up()
        self._process.given(data)

    async def read(self) -> tuple[int, bytes] | None:
        while True:
            up = self._process.look()
            if self._process.out:
                return 1, self._process.taken()
            if self._process.ended or not up:
                return None
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def idle(self) -> bool:
        """Everybody waits on the host: the other side works, and whether anything has come of it."""
        self._process.work()
        if self._waiting is None or self._waiting.done():
            return False
        if not self._process.out and not self._process.ended and self._process.look():
            return False
        self._waiting.set_result(None)
        return True

    async def close(self) -> None:
        self._process.close()


class Near(End):
    """The host, where what it has may go ahead of the first look."""

    async def scan_aloud(self, say: Callable[[str, bytes, bytes], None]) -> Tree:
        return await self._over(self.local.scan_aloud(say))


class Far(End):
    """The container. Its process begins when the first thing is asked of it."""

    def __init__(
        self,
        disk: Disk,
        link: Link,
        host_is_dead: Callable[[], bool],
        chance: random.Random,
        driven: Callable[[Coroutine[Any, Any, Any]], Any],
        *,
        news: bool,
    ) -> None:
        self.disk, self.link, self._host_is_dead = disk, link, host_is_dead
        self.late: tuple[set[str], set[str]] = (set(), set())
        self._process = Process(link, chance)
        self._stream = Stream(self._process)
        self._remote: RemoteEndpoint | None = None
        self._chance = chance if news else None
        self._driven = driven
        self.thorough = False
        """Whether all that was written is asked for, each time."""
        self.anew = False
        """Whether all that was written is asked for the next time: what was said before counts no more."""
        self._expected: Tree = None
        self._ignored: frozenset[str] = frozenset()

    @property
    def gone(self) -> bool:
        return super().gone or self._process.ended or (self._remote is not None and self._remote._gone is not None)

    def idle(self) -> bool:
        return self._stream.idle()

    def finish(self) -> None:
        self._process.finish()

    async def _asked(self, ask: Callable[[RemoteEndpoint], Awaitable[T]]) -> T:
        return await ask(self._remote or await self._begun())

    async def _begun(self) -> RemoteEndpoint:
        hello = {"op": "hello", "root": f"/{self.disk.name}", "umask": 0o022, "rules": None}
        await self._stream.write(wire.message(wire.REQUEST, hello))
        remote = RemoteEndpoint(self._stream, await _greeting(self._stream))  # type: ignore[arg-type]
        await remote.begin()
        if self._chance is not None:
            self._process.watch(self.disk)
        remote.expect(self._expected)
        self._remote = remote
        if self._ignored:
            self.ignore(self._ignored)
        return remote

    def expect(self, tree: Tree) -> None:
        self._expected = tree
        if self._remote is not None:
            self._remote.expect(tree)

    async def scan(self, dirty: Collection[str] | None = None, *, rehash: bool = False) -> Tree:
        return await self._over(self._asked(lambda remote: remote.scan(dirty, rehash=rehash)))

    async def replica(self, *, new: bool = False) -> Replica:
        return await self._over(self._asked(lambda remote: remote.replica(new=new)))

    async def missing(self, digests: Collection[bytes]) -> dict[bytes, int]:
        return await self._over(self._asked(lambda remote: remote.missing(digests)))

    async def _packed(self, wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
        stream = (self._remote or await self._begun()).pack(wanted)
        try:
            async for data in stream:
                yield data
        finally:
            await stream.aclose()  # type: ignore[attr-defined]

    def pack(self, wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
        return self._arriving(self._packed(wanted))

    async def apply(self, steps: Sequence[Step], cycle: str, contents: AsyncIterator[bytes] | None = None) -> list[str]:
        return await self._over(self._asked(lambda remote: remote.apply(steps, cycle, contents)))

    @property
    def staged(self) -> bool:
        return self._remote is None or self._remote.staged

    async def stage(self, contents: AsyncIterator[bytes], said: Collection[bytes]) -> None:
        arriving = self._arriving(contents)
        await self._over(self._asked(lambda remote: remote.stage(arriving, said)))

    # news

    def heard(self, late: bool) -> Hints:
        """As the host has it from the process's own words, some of which are still on their way."""
        remote = self._remote
        if self._chance is None or remote is None:
            return super().heard(late)
        if late:
            return Hints(frozenset(), False)
        try:
            return cast(Hints, self._driven(self._hear(remote, self._chance.random)))
        except (OSError, LinkError):
            return Hints(frozenset(), True)  # it is gone, as whoever asks next is told

    async def _hear(self, remote: RemoteEndpoint, chance: Callable[[], float]) -> Hints:
        self.disk.of_before = not self.thorough and not self.anew and chance() < 0.7
        self.anew = False
        if not self.disk.of_before:
            return await remote.settle()
        await self._rest(remote)
        if chance() < 0.7:
            self._process.tell()
        if chance() < 0.7:
            self._stream.idle()
            for _ in range(8):
                await asyncio.sleep(0)  # it arrives
        return await remote.told()

    def breathe(self) -> None:
        """It may say something now."""
        if self._chance is not None and self._remote is not None and self._chance.random() < 0.5:
            self._process.tell()

    def rest(self) -> None:
        """The host waits for it to say something."""
        if self._chance is not None and self._remote is not None and self._chance.random() < 0.7:
            with contextlib.suppress(OSError, LinkError):
                self._driven(self._rest(self._remote))

    async def _rest(self, remote: RemoteEndpoint) -> None:
        if not remote._armed:
            await remote._arm()

    def _freshly(self, fresh: set[str]) -> None:
        if self._process.place is not None:
            self._process.place.scanner.fresh |= fresh

    def ignore(self, names: frozenset[str]) -> None:
        self._ignored = names
        if self._process.place is not None:
            self._ignoring(self._process.place, names)

    async def close(self) -> None:
        if self._remote is not None:
            await self._remote.close()
        self.finish()
