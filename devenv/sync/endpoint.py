"""One side as the session sees it, and the one that is a folder of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from devenv.errors import LinkError
from devenv.sync.core.changes import Step
from devenv.sync.core.entries import Tree
from devenv.sync.core.given import as_node, grown
from devenv.sync.core.guards import Replica
from devenv.sync.side import pack
from devenv.sync.side.place import Place

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Hints:
    """Folders in which something may have been written, relative to the root, "" is the root itself. `lost`: elsewhere
    as well, and only a full scan tells where."""

    dirty: frozenset[str]
    lost: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """A content, the path at which it was seen, and how much of it is there already. `old` are the digests of the
    blocks that the receiver has at the path (`side.pack`), b"" for none."""

    digest: bytes
    path: str
    offset: int
    old: bytes = b""


@dataclasses.dataclass(frozen=True, slots=True)
class Trashed:
    """What one cycle did away with on a side. `at` is in seconds since the epoch."""

    cycle: str
    at: float
    paths: tuple[str, ...]
    size: int  # bytes


class Endpoint(Protocol):
    """Everything raises OSError, or a LinkError, when the side is not there any more; nothing is half done then. One
    call at a time, but `wait` overlaps."""

    async def scan(self, dirty: Collection[str] | None = None, *, rehash: bool = False) -> Tree:
        """What is there now. With `dirty` only these folders are looked at, and what is above them. Unchanged subtrees
        are the same objects as in the last scan's tree. `rehash`: every content is read."""
        ...

    async def replica(self, *, new: bool = False) -> Replica:
        """Which folder it is; with `new` it gets a word of its own first, if it has none."""
        ...

    async def missing(self, digests: Collection[bytes]) -> dict[bytes, int]:
        """Those that are not staged, and how many bytes are there of each."""
        ...

    def pack(self, wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
        """The contents as they are now, in the format of `side.pack`. They are checked where they arrive."""
        ...

    async def apply(self, steps: Sequence[Step], cycle: str, contents: AsyncIterator[bytes] | None = None) -> list[str]:
        """ "" for each step that is done, else why not. `contents`, a stream of `pack`, is staged and verified first;
        afterwards nothing is staged any more. `cycle` names the part of the trash that takes what goes."""
        ...

    async def settle(self) -> Hints:
        """What was written since the last call: everything that was before this one is in it."""
        ...

    async def wait(self) -> None:
        """Until something may have been written since the last `settle`."""
        ...

    async def use_rules(self, rules: Any) -> None:
        """What is not synchronised, as `devenv.sync.rules` compiles it. The next scan is a full one."""
        ...

    async def described(self, paths: Collection[str]) -> dict[str, tuple[int, float]]:
        """(bytes, when it was written in seconds since the epoch) of those that are there, for people."""
        ...

    async def large(self) -> dict[str, int]:
        """Files that stay where they are because of their sizes (bytes), as the last scan saw what is there."""
        ...

    async def trashed(self) -> Sequence[Trashed]: ...

    async def restore(self, cycle: str) -> dict[str, str]:
        """What that cycle did away with is put back; what is there now changes places with it. "" for each path, or why
        not."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Blockwise(Protocol):
    """An endpoint that can say what its big files consist of, so that only what has changed travels."""

    async def big(self, paths: Collection[str]) -> list[str]:
        """Those that are big files."""
        ...

    async def blocks(self, paths: Collection[str]) -> dict[str, bytes]:
        """The block digests (`Wanted.old`) of those that are big files."""
        ...


@runtime_checkable
class Telling(Protocol):
    """An endpoint that says by itself what was written there, after `wait` began and until it is asked for something.
    It looks first, so that scanning those folders costs nothing."""

    @property
    def door(self) -> str:
        """Whoever in the container asks there is given the number of the news that hold all that was written before; ""
        where nobody can ask."""
        ...

    async def told(self) -> Hints:
        """What it has said since the last time. It is asked only where it said that there is more."""
        ...

    async def heard(self, number: int) -> bool:
        """Whether these news are here, now or in a moment."""
        ...


@runtime_checkable
class Expecting(Protocol):
    """An endpoint that sends less where its tree is what was expected."""

    def expect(self, tree: Tree) -> None: ...


@runtime_checkable
class Aloud(Protocol):
    """An endpoint that can say what it reads while it looks at everything."""

    async def scan_aloud(self, say: Callable[[str, bytes, bytes], None]) -> Tree:
        """`say(path, digest, content)` is called in the scan's thread, and may keep it waiting."""
        ...


@runtime_checkable
class Staging(Protocol):
    """An endpoint that keeps contents for steps which nobody has thought of yet."""

    @property
    def staged(self) -> bool:
        """Whether contents may be there already, of which `missing` tells."""
        ...

    async def stage(self, contents: AsyncIterator[bytes], said: Collection[bytes]) -> None:
        """Takes a stream of `pack`, for the next `apply`. `said` are the digests of what was in it, in the end."""
        ...


async def _to_its_end(function: Callable[..., T], *args: Any, **named: Any) -> T:
    """In a thread. Who is cancelled waits until it has ended: nobody else may begin meanwhile."""
    running = asyncio.ensure_future(asyncio.to_thread(function, *args, **named))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.gather(running, return_exceptions=True)
        raise


class LocalEndpoint:
    """A folder of this machine. The files that it makes have the umask's modes."""

    def __init__(self, root: pathlib.Path, *, umask: int = 0o022, rules: Any = None) -> None:
        self.root = root
        self._place = Place(str(root), umask)
        if sys.platform != "linux":
            from devenv.sync.elsewhere import ObserverWatcher

            self._place.other = ObserverWatcher
        self._one = asyncio.Lock()
        self._tree: Tree = None
        self._node: Any = None
        self._moved = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        if rules is not None:
            self._place.use_rules(rules)

    async def _call(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        async with self._one:
            return await _to_its_end(function, *args, **named)

    async def scan(self, dirty: Collection[str] | None = None, *, rehash: bool = False) -> Tree:
        return self._seen(await self._call(self._place.scan, dirty, rehash))

    async def scan_aloud(self, say: Callable[[str, bytes, bytes], None]) -> Tree:
        return self._seen(await self._call(self._place.scan_aloud, say))

    def _seen(self, node: Any) -> Tree:
        self._tree = grown(self._tree, self._node, node)
        self._node = node
        return self._tree

    def expect(self, tree: Tree) -> None:
        """Equal parts are then the same objects."""
        if self._tree is None and tree is not None:
            self._tree = tree

    async def replica(self, *, new: bool = False) -> Replica:
        return Replica(*await self._call(self._place.replica, new))

    async def missing(self, digests: Collection[bytes]) -> dict[bytes, int]:
        return await self._call(self._place.missing, digests)

    async def pack(self, wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
        stream = self._place.pack([(one.digest, one.path, one.offset, one.old) for one in wanted])
        while (data := await asyncio.to_thread(next, stream, None)) is not None:
            yield data

    async def big(self, paths: Collection[str]) -> list[str]:
        return await self._call(self._place.big, paths)

    async def blocks(self, paths: Collection[str]) -> dict[str, bytes]:
        return await self._call(self._place.blocks, paths)

    async def apply(self, steps: Sequence[Step], cycle: str, contents: AsyncIterator[bytes] | None = None) -> list[str]:
        nodes = [(step.path, as_node(step.before), as_node(step.after)) for step in steps]
        async with self._one:
            if contents is None:
                return await _to_its_end(self._place.apply, nodes, cycle)
            with await _to_its_end(self._place.receive, nodes) as coming:
                async with contextlib.aclosing(contents) as pieces:  # type: ignore[type-var]
                    async for data in pieces:
                        try:
                            await _to_its_end(coming.receiver.feed, data)
                        except pack.Broken as error:
                            raise LinkError(f"the other side broke the protocol: {error}") from None
                        if coming.receiver.refused:
                            break
                return await _to_its_end(self._place.apply, nodes, cycle, coming)

    async def settle(self) -> Hints:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            await self._call(self._place.watch, self._tell)
        self._moved.clear()
        dirty, lost = await self._call(self._place.settle)
        return Hints(frozenset(dirty), lost)

    def _tell(self) -> None:
        """From the watcher's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._moved.set)

    async def wait(self) -> None:
        await self._moved.wait()

    async def use_rules(self, rules: Any) -> None:
        await self._call(self._place.use_rules, rules)

    async def described(self, paths: Collection[str]) -> dict[str, tuple[int, float]]:
        return await self._call(self._place.described, paths)

    async def large(self) -> dict[str, int]:
        return await self._call(self._place.large)

    async def trashed(self) -> Sequence[Trashed]:
        return [
            Trashed(cycle, at, tuple(paths), size) for cycle, at, paths, size in await self._call(self._place.trashed)
        ]

    async def restore(self, cycle: str) -> dict[str, str]:
        return await self._call(self._place.restore, cycle)

    async def close(self) -> None:
        await self._call(self._place.close)
