"""The project's files of an environment whose container has them in a volume: a `Pair`, as front ends see it."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from devenv.api.views import ConflictView, LargeFileView, SyncView
from devenv.engine.port import ContainerSnapshot, Engine
from devenv.environment.files import Synced
from devenv.environment.inside import users
from devenv.environment.shape import is_root
from devenv.errors import DevenvError, LinkError, NoPython, NotUp
from devenv.sync.core.entries import Kind, Tree, count_files
from devenv.sync.core.guards import Side
from devenv.sync.core.merge import Conflict
from devenv.sync.endpoint import Endpoint, LocalEndpoint
from devenv.sync.one_way import SENTENCE, OneWay
from devenv.sync.pair import Pair
from devenv.sync.remote import open_remote
from devenv.sync.ruler import ProjectRules
from devenv.sync.survey_text import size_text
from devenv.sync.words import printable, reason

if TYPE_CHECKING:
    from devenv.engine.port import Progress

_SHOWN = 200  # conflicts and failures
_TELL = 0.5  # seconds between words of how far it is
_AFTER = 60.0  # seconds that the end of a command waits for its outputs


class Files:
    """Lives as long as the environment has a container with this volume. `where` gives the engine and the container as
    they are now, or None while it does not run."""

    def __init__(
        self,
        synced: Synced,
        folder: pathlib.Path,
        ruler: ProjectRules,
        where: Callable[[], tuple[Engine, ContainerSnapshot, str] | None],
        changed: Callable[[], None],
        *,
        umask: int,
    ) -> None:
        self.synced = synced
        self._where = where
        self._umask = umask
        self.local = LocalEndpoint(pathlib.Path(synced.host), umask=umask)
        self._folder, self._ruler, self._changed = folder, ruler, changed
        self.pair: Pair | OneWay = Pair(self.local, self._connect, folder, ruler, changed)
        self._loop: asyncio.Task[None] | None = None
        self._begin: Callable[[Any, str], asyncio.Task[None]] | None = None

    async def _connect(self, rules: Any) -> Endpoint:
        now = self._where()
        if now is None:
            raise NotUp("the container does not run", "run: devenv start")
        engine, container, user = now
        return await open_remote(
            engine, container.id, user=user, root=self.synced.container, umask=self._umask, rules=rules
        )

    async def first(self, progress: Progress) -> None:
        """All files are there when it returns: before any lifecycle command."""
        key = "files"
        progress.step(key, f"Copying the project's files to {self.synced.container}")
        try:
            watching = asyncio.create_task(self._tell_how_far(progress, key), name="files that travel")
            try:
                await self.pair.first()
            except NoPython:
                await self.go_one_way()
                progress.note(SENTENCE, level="warning")
                await self.pair.first()
            finally:
                watching.cancel()
        except BaseException:
            progress.done(key, ok=False)
            raise
        files = count_files(self.pair.synced)
        told = f"{files} files" + (f", {len(self.pair.conflicts)} conflicts" if self.pair.conflicts else "")
        progress.done(key, detail=told)

    async def _tell_how_far(self, progress: Progress, key: str) -> None:
        while True:
            await asyncio.sleep(_TELL)
            sent = self.pair.sent
            progress.update(key, detail=f"{size_text(sent)} sent" if sent else "looking at both sides")

    async def go_one_way(self) -> None:
        """No process of ours can run in this image."""
        now = self._where()
        if now is None:
            raise NotUp("the container does not run", "run: devenv start")
        if self._loop is not None:
            self._loop.cancel()
        await self.pair.close()
        engine, container, user = now
        owner = (0, 0) if is_root(user) else await _ids(engine, container.id, user)
        place = self.synced.container

        async def put_archive(archive: bytes) -> None:
            found = self._where()
            if found is None:
                raise NotUp("the container does not run", "run: devenv start")
            await found[0].put_archive(found[1].id, place, archive)

        self.local = LocalEndpoint(pathlib.Path(self.synced.host), umask=self._umask)
        self.pair = OneWay(self.local, put_archive, self._folder, self._ruler, owner, self._changed)
        if self._loop is not None and self._begin is not None:
            self._loop = self._begin(self.pair.run(), "sync")

    def start(self, begin: Callable[[Any, str], asyncio.Task[None]]) -> None:
        """Watches and synchronises from now on; safe to repeat."""
        self._begin = begin
        if self._loop is None or self._loop.done():
            self._loop = begin(self.pair.run(), "sync")

    async def before(self) -> None:
        """What was saved on this machine is visible inside when it returns. Raises SyncHalted and LinkError."""
        self.pair.require()
        try:
            try:
                await self.pair.flush(both=False)
            except NoPython:
                await self.go_one_way()
                await self.pair.flush(both=False)
        except TimeoutError:
            raise LinkError(
                "the project's files did not get to the container in time", "see: devenv sync status"
            ) from None

    @property
    def door(self) -> str:
        """Where the end of a command asks, inside, how far this side was told (`after`); "" where it cannot."""
        return self.pair.door

    async def after(self, known: tuple[str, int] | None = None) -> str:
        """What a command made inside is here when it returns; else a sentence that says why not. `known`: the door that
        was asked when it ended, and its answer."""
        try:
            await self.pair.flush(both=True, patience=_AFTER, known=known)
        except (DevenvError, OSError, TimeoutError) as error:
            why = getattr(error, "message", "") or str(error) or "it takes longer than a minute"
            return f"what it wrote is not here yet: {why} (devenv sync status)"
        return ""

    async def close(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop
            self._loop = None
        await self.pair.close()

    def view(self) -> SyncView:
        pair = self.pair
        return SyncView(
            state=pair.state.value,
            why=pair.why,
            host=self.synced.host,
            container=self.synced.container,
            files=count_files(pair.synced),
            conflicts=[conflict_view(c) for c in pair.conflicts[:_SHOWN]],
            failures=[f"{printable(f.path)} ({f.side.value}): {f.why}" for f in pair.failures[:_SHOWN]],
            problems=[printable(str(problem)) for problem in self._ruler.problems[:_SHOWN]],
            to_container=pair.counters.to_container,
            to_host=pair.counters.to_host,
            last=pair.counters.last,
        )

    async def large(self) -> list[LargeFileView]:
        """What stays where it is because of its size."""
        if not isinstance(self.pair, Pair):
            return []
        async with self.pair.held() as session:
            here, there = await asyncio.gather(session.host.large(), session.container.large())
        return [
            LargeFileView(path=printable(path), side=side.value, size=size)
            for side, found in ((Side.HOST, here), (Side.CONTAINER, there))
            for path, size in sorted(found.items())
        ]

    async def described(self) -> list[ConflictView]:
        """The conflicts, with sizes and times of both sides."""
        views = self.view().conflicts
        if not views or not isinstance(self.pair, Pair):
            return views
        paths = {printable(conflict.path): conflict.path for conflict in self.pair.conflicts[:_SHOWN]}
        async with self.pair.held() as session:
            asked = list(paths.values())
            here, there = await asyncio.gather(session.host.described(asked), session.container.described(asked))
        found = []
        for view in views:
            host, container = (side.get(paths.get(view.path, ""), (None, None)) for side in (here, there))
            found.append(
                msgspec.structs.replace(
                    view, host_size=host[0], host_time=host[1], container_size=container[0], container_time=container[1]
                )
            )
        return found


def conflict_view(conflict: Conflict) -> ConflictView:
    return ConflictView(
        path=printable(conflict.path),
        why=reason(conflict),
        host=_kind(conflict.host),
        container=_kind(conflict.container),
    )


def _kind(tree: Tree) -> str:
    if tree is None:
        return "absent"
    return {Kind.FILE: "file", Kind.FOLDER: "folder", Kind.LINK: "link"}.get(tree.kind, "unreadable")


async def _ids(engine: Engine, container: str, user: str) -> tuple[int, int]:
    """Of a user whose name the container's own files explain."""
    account = users.lookup(*await users.read_accounts(engine, container), user)
    return (account.uid, account.gid) if account is not None else (0, 0)
