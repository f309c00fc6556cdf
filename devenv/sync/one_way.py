"""Files into a container in which nothing of ours can run: archives, through the engine. What the container writes
stays there, nothing is deleted in it, and it is sent only what has changed on this machine.
"""

from __future__ import annotations

import asyncio
import io
import os
import pathlib
import stat
import tarfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from devenv.errors import DevenvError
from devenv.sync.core.changes import Step, put, steps
from devenv.sync.core.entries import Kind, Tree, is_folder, tracked_part
from devenv.sync.core.guards import Side
from devenv.sync.endpoint import LocalEndpoint
from devenv.sync.pair import Counters, Ruler, State
from devenv.sync.session import Failure
from devenv.sync.store import Ancestor, Store

SENTENCE = "nothing of devenv can run in this image (no Python): files only go into it, and what it writes stays there"

_TOGETHER = 16 << 20  # bytes of one archive, about
_MOST = 512 << 20  # bytes of one file: an archive is held in memory

Put = Callable[[bytes], Awaitable[None]]
"""Unpacks a tar archive at the container's folder. Raises any DevenvError."""


class OneWay:
    """In the place of a `Pair`. Files belong to `owner` (uid, gid) in the container."""

    conflicts = ()
    halted = None

    def __init__(
        self,
        host: LocalEndpoint,
        put_archive: Put,
        folder: pathlib.Path,
        ruler: Ruler,
        owner: tuple[int, int],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._host = host
        self._put = put_archive
        self._store = Store(folder / "sent")
        self._ruler = ruler
        self._owner = owner
        self._changed = changed
        self._busy = asyncio.Lock()
        self._sent: Ancestor | None = None
        self._bytes = 0
        self.state = State.STARTING
        self.why = SENTENCE
        self.failures: tuple[Failure, ...] = ()
        self.counters = Counters()

    @property
    def synced(self) -> Tree:
        return self._sent.tree if self._sent is not None else None

    @property
    def sent(self) -> int:
        return self._bytes

    def require(self) -> None:
        """There is nothing to decide."""

    door = ""  # nobody in the container could answer there

    async def flush(self, *, both: bool = True, patience: float = 300.0, known: tuple[str, int] | None = None) -> None:
        """What was saved on this machine is in the container when it returns."""
        if self.state is State.PAUSED:
            return
        async with self._busy:
            await self._send()

    async def first(self) -> None:
        await self.flush()

    async def pause(self) -> None:
        async with self._busy:
            self._set(State.PAUSED)

    async def resume(self, *, allow_deletions: bool = False) -> None:
        self._set(State.WORKING)
        await self.flush()

    async def run(self) -> None:
        """For ever, until it is cancelled."""
        while True:
            await self._host.wait()
            try:
                await self.flush()
            except (DevenvError, OSError) as error:
                self._set(State.OFFLINE, getattr(error, "message", "") or str(error))
                await asyncio.sleep(2.0)  # an engine that is away tells nobody here when it is back

    async def close(self) -> None:
        await self._host.close()

    async def _send(self) -> None:
        if self._sent is None:
            self._sent = await asyncio.to_thread(self._store.load)
            await self._host.use_rules(await asyncio.to_thread(self._ruler.collect))
        hints = await self._host.settle()
        if not hints.dirty and not hints.lost and self.state is State.IN_STEP:
            return
        tree = tracked_part(await self._host.scan())
        todo = [step for step in steps(self._sent.tree, tree) if step.after is not None]
        self._set(State.WORKING)
        failures, done = [], self._sent.tree if is_folder(self._sent.tree) else None
        for batch in self._batches(todo):
            archive, made, failed = await asyncio.to_thread(self._archive, batch)
            failures += failed
            if made:
                await self._put(archive)
                self._bytes += len(archive)
            for step in made:
                done = put(done, step.path, step.after)
        self._sent = Ancestor(done)
        await asyncio.to_thread(self._store.save, self._sent)
        self.failures = tuple(failures)
        if todo:
            self.counters.cycles += 1
            self.counters.to_container += len(todo) - len(failures)
            self.counters.last = time.time()
        self._set(State.IN_STEP)

    def _batches(self, todo: Sequence[Step]) -> Iterable[list[Step]]:
        batch: list[Step] = []
        size = 0
        for step in todo:
            batch.append(step)
            size += self._size(step)
            if size > _TOGETHER:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _size(self, step: Step) -> int:
        try:
            return os.lstat(self._host.root / step.path).st_size
        except OSError:
            return 0

    def _archive(self, batch: Sequence[Step]) -> tuple[bytes, list[Step], list[Failure]]:
        made, failed = [], []
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for step in batch:
                why = self._add(tar, step) if step.path else ""
                if why:
                    failed.append(Failure(Side.CONTAINER, step.path, why))
                else:
                    made.append(step)
        return buffer.getvalue(), made, failed

    def _add(self, tar: tarfile.TarFile, step: Step) -> str:
        """ "" when it is in the archive, else why not."""
        entry = tarfile.TarInfo(step.path)
        entry.uid, entry.gid = self._owner
        entry.mtime = int(time.time())
        after = step.after
        assert after is not None
        if after.kind is Kind.FOLDER:
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        elif after.kind is Kind.LINK:
            entry.type, entry.linkname = tarfile.SYMTYPE, after.target
            tar.addfile(entry)
        else:
            try:
                number = os.open(self._host.root / step.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                with open(number, "rb") as file:
                    info = os.fstat(number)
                    if not stat.S_ISREG(info.st_mode):
                        return "it is no file any more"
                    if info.st_size > _MOST:
                        return f"it is larger than {_MOST >> 20} MB, which is too much for this way"
                    data = file.read()
            except OSError as error:
                return error.strerror or str(error)
            entry.size, entry.mode = len(data), 0o755 if after.executable else 0o644
            tar.addfile(entry, io.BytesIO(data))
        return ""

    def _set(self, state: State, why: str = SENTENCE) -> None:
        if (state, why) != (self.state, self.why):
            self.state, self.why = state, why
            self._changed()
