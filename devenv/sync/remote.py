"""The side that is a folder in a container: its process, started by an engine exec, and what it is asked for.

Nothing that it says is believed: sizes, names and kinds are checked before they are used, and a process that does not
keep to the format is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Any, TypeVar

from devenv.engine.port import Engine, ExecStream
from devenv.errors import EngineError, LinkError
from devenv.link import bundle
from devenv.link.bootstrap import BOOT, DEFAULT_PYTHONS, boot_argv, find_python, search_argv
from devenv.sync.core.changes import Step
from devenv.sync.core.entries import Tree
from devenv.sync.core.given import received
from devenv.sync.core.guards import Replica
from devenv.sync.core.told import tell
from devenv.sync.endpoint import Hints, Trashed, Wanted
from devenv.sync.exchange import PATIENCE, Exchange, believed, given, quietly_close
from devenv.sync.side import pack, wire
from devenv.sync.side.place import MOST_LARGE

T = TypeVar("T")

PACKAGE = "devenv.sync.side"
SYNC_BOOT = BOOT.replace("devenv_agent", "devenv_sync")

_START = 30.0  # seconds for a cold interpreter on a busy machine
_NOISE = 64 << 10  # bytes before the greeting
_MOST_COMPRESSED = 256 << 20  # bytes of a tree
_MOST_DIRTY = 20_000
_MOST_PYTHONS = 1000
_LONGEST = 4096  # characters of a path
_MOST_OFFERED = 1 << 20  # bytes of contents that came unasked
_LATE = 0.3  # seconds for news that are under way, beside what overtook them
_DOOR = re.compile(r"(devenv-sync-[0-9a-f]{32})?")


_pythons: dict[tuple[str, str], str] = {}
"""The interpreters that fitted, by container and user: a connection that comes back looks for none."""


async def open_remote(
    engine: Engine, container_id: str, *, user: str, root: str, umask: int, rules: Any
) -> RemoteEndpoint:
    """The folder `root` of a running container, as `user` sees it. Raises NoPython, LinkError and engine errors."""
    modules = bundle.required_modules(PACKAGE)
    hello = {"op": "hello", "root": root, "umask": umask, "rules": rules}
    ways = [search_argv(DEFAULT_PYTHONS, modules, SYNC_BOOT)]
    if python := _pythons.pop((container_id, user), ""):
        ways.insert(0, boot_argv(python, SYNC_BOOT))
    for argv in ways:
        try:
            end = await _open(engine, container_id, user, argv, hello)
        except (LinkError, EngineError, OSError) as error:  # OSError: it ended before all was written
            if isinstance(error, LinkError) and "noise" not in error.details:
                raise
        else:
            break
    else:
        python = await find_python(engine, container_id, user=user, pythons=DEFAULT_PYTHONS, modules=modules)
        end = await _open(engine, container_id, user, boot_argv(python, SYNC_BOOT), hello)
    if len(_pythons) >= _MOST_PYTHONS:
        _pythons.clear()
    if end.python:
        _pythons[container_id, user] = end.python
    return end


async def _open(engine: Engine, container: str, user: str, argv: Sequence[str], hello: Any) -> RemoteEndpoint:
    stream = await engine.exec_stream(container, argv, user=user)
    try:
        async with asyncio.timeout(_START):
            await stream.write(bundle.payload(PACKAGE) + wire.message(wire.REQUEST, hello))
            rest = await _greeting(stream)
            end = RemoteEndpoint(stream, rest)
            await end.begin()
            return end
    except TimeoutError:
        await quietly_close(stream)
        raise LinkError(
            "the container's side did not answer in time", "is the container very busy, or paused?"
        ) from None
    except BaseException:
        await quietly_close(stream)
        raise


async def _greeting(stream: ExecStream) -> bytes:
    """What came behind the magic bytes."""
    told, errors = bytearray(), b""
    while (at := told.find(wire.MAGIC)) < 0:
        chunk = await stream.read()
        if chunk is None or len(told) > _NOISE:
            text = (bytes(told) + errors).decode("utf-8", "replace").strip()
            last = text.splitlines()[-1][:300] if text else "nothing was said"
            raise LinkError(f"the container's side did not start: {last}", details={"noise": text[-4000:]})
        number, data = chunk
        if number == 2:
            errors = (errors + data)[-4000:]
        else:
            told += data
    return bytes(told[at + len(wire.MAGIC) :])


class RemoteEndpoint(Exchange):
    """Made by `open_remote`. Once anything raised LinkError, everything does."""

    def __init__(self, stream: ExecStream, early: bytes = b"") -> None:
        super().__init__(stream, early)
        self._tree: Tree = None
        self._base = ""  # what the other side is to tell its tree against
        self._replica: Replica | None = None
        self.staged = True
        self._here: Collection[bytes] = ()  # what came ahead
        self._forms: deque[str] = deque(maxlen=8)  # how trees came
        self._dirty: set[str] = set()  # what it has told by itself and nobody has taken yet
        self._seen: set[str] = set()  # folders of which `_tree` holds what was told of them
        self._offered: dict[bytes, bytes] = {}  # contents that came with news
        self._number = 0  # of the last news
        self._asks = False  # it has only said that there is something
        self._newer = asyncio.Event()
        self.door = ""
        """Where a process in the container asks how far we were told; "" where there is none."""
        self.python = ""
        """The interpreter in which it runs, as a path of the container, if it knows."""
        self.lacking = ""
        """Why not everything is watched there."""

    async def begin(self) -> None:
        self.start()

        def read(said: Any) -> tuple[bool, str, str]:
            door, python = given(said, "door", str), given(said, "python", str)
            if not _DOOR.fullmatch(door):
                raise wire.Broken("a door of no known form")
            if python and (not python.startswith("/") or len(python) > _LONGEST or "\0" in python):
                raise wire.Broken("an interpreter of no known form")
            return given(said, "staged", bool), door, python

        self.staged, self.door, self.python = await self._checked(await self._reply(), read)

    def expect(self, tree: Tree) -> None:
        """If it still has that, it need not be sent."""
        if self._tree is None:
            self._tree, self._base = tree, "expected"

    async def scan(self, dirty: Collection[str] | None = None, *, rehash: bool = False) -> Tree:
        """Raises OSError as well where it is another folder than `replica` has told: what is there is to be recognised
        before anything follows from it."""
        if dirty is not None and not rehash and self._seen.issuperset(dirty):
            self._seen -= set(dirty)  # it has looked before it told us
            return self._tree
        self._seen.clear()
        listed = None if dirty is None else sorted(dirty)
        return await self._whole(self._scan({"op": "scan", "dirty": listed, "rehash": rehash}))

    async def _scan(self, request: dict[str, Any]) -> Tree:
        async with self._one:
            base = self._base
            if base == "expected":
                base = await asyncio.to_thread(_fingerprint, self._tree)
            await self._request({**request, "base": base})
            packed = bytearray()
            while (frame := await self._frame())[0] == wire.DATA:
                packed += frame[1]
                if len(packed) > _MOST_COMPRESSED:
                    raise await self._broken("a tree that is too big")
            said = await self._reply(frame)
            known = self._replica
            self._tree = await self._checked(said, lambda said: self._heard(said, bytes(packed)))
            self._base = "last"
            self._must_be(known)
            return self._tree

    def _heard(self, said: Any, packed: bytes) -> Tree:
        form = given(said, "form", str)
        told = wire.unpacked(packed)
        self._forms.append(form)
        self._replica = _replica(said["replica"])
        self.lacking = given(said, "lacking", str)[:300]
        if form == "whole":
            return received(self._tree, told, whole=True)
        if (form == "delta" and self._base == "last") or (form == "expected" and self._base == "expected"):
            return received(self._tree, told)
        raise wire.Broken("a tree that was not asked for")

    def _must_be(self, known: Replica | None) -> None:
        """One that is gone says so by its tree."""
        now = self._replica
        if known is not None and now is not None and now != known and now.device:
            raise OSError(errno.ESTALE, f"in the container: {os.strerror(errno.ESTALE)}")

    async def replica(self, *, new: bool = False) -> Replica:
        """As it was at the last scan, where that is known."""
        if self._replica is None or new:
            self._replica = await self._call("replica", _replica, new=new)
        return self._replica

    async def missing(self, digests: Collection[bytes]) -> dict[bytes, int]:
        if not self.staged:
            return {digest: 0 for digest in digests if digest not in self._here}
        asked = set(digests)

        def read(said: Any) -> dict[bytes, int]:
            found = {bytes.fromhex(name): int(size) for name, size in said.items()}
            if not found.keys() <= asked or any(size < 0 for size in found.values()):
                raise wire.Broken("contents that nobody asked for")
            return found

        return await self._call("missing", read, digests=[digest.hex() for digest in digests])

    async def big(self, paths: Collection[str]) -> list[str]:
        return await self._call("big", lambda said: [path for path in said if path in paths], paths=list(paths))

    async def blocks(self, paths: Collection[str]) -> dict[str, bytes]:
        def read(said: Any) -> dict[str, bytes]:
            return {path: bytes.fromhex(found) for path, found in said.items() if path in paths}

        return await self._call("blocks", read, paths=list(paths))

    async def pack(self, wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
        if wanted and all(one.digest in self._offered and not one.offset for one in wanted):
            yield pack.of_contents((one.digest, self._offered[one.digest]) for one in wanted)
            return
        asked = [[one.digest.hex(), one.path, one.offset, one.old.hex()] for one in wanted]
        async with self._one:
            due = True
            try:
                await self._request({"op": "pack", "wanted": asked})
                while (frame := await self._frame())[0] == wire.DATA:
                    yield frame[1]
                due = False
                await self._reply(None if frame[0] == wire.END else frame)
            finally:
                if due and self._gone is None:
                    await self._enough()

    async def _enough(self) -> None:
        """Nobody wants the rest of a pack."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._write(wire.frame(wire.STOP))
                while (frame := await self._frame())[0] == wire.DATA:
                    pass
                await self._reply(None if frame[0] == wire.END else frame)
        except (TimeoutError, OSError, LinkError):
            await self._broken("a transfer was given up")

    async def apply(self, steps: Sequence[Step], cycle: str, contents: AsyncIterator[bytes] | None = None) -> list[str]:
        told = [[step.path, tell(step.before), tell(step.after)] for step in steps]
        request = {"op": "apply", "steps": told, "cycle": cycle, "contents": contents is not None}

        def read(said: Any) -> list[str]:
            found = [str(why)[:1000] for why in said]
            if len(found) != len(steps):
                raise wire.Broken("results of other steps")
            return found

        return await self._whole(self._apply(request, contents, read))

    async def _apply(self, request: Any, contents: AsyncIterator[bytes] | None, read: Callable[[Any], T]) -> T:
        async with self._one:
            self.staged, self._here = True, ()
            await self._request(request)
            if contents is not None:
                await self._send(contents)
            results = await self._checked(await self._reply(), read)
            self._seen.clear()  # what it said meanwhile it had seen before it made the steps
            self.staged = False
            return results

    async def stage(self, contents: AsyncIterator[bytes], said: Collection[bytes]) -> None:
        await self._whole(self._stage(contents, said))

    async def _stage(self, contents: AsyncIterator[bytes], said: Collection[bytes]) -> None:
        async with self._one:
            known, self.staged = not self.staged, True
            await self._request({"op": "stage"})
            await self._send(contents)
            whole = await self._checked(await self._reply(), lambda reply: given(reply, "whole", bool))
            if known and whole:
                self.staged, self._here = False, frozenset(said)

    async def _send(self, contents: AsyncIterator[bytes]) -> None:
        self._stop = False
        try:
            async with contextlib.aclosing(contents) as pieces:  # type: ignore[type-var]
                async for data in pieces:
                    if self._stop:
                        break
                    for at in range(0, len(data), wire.TEXT):
                        await self._write(wire.frame(wire.DATA, data[at : at + wire.TEXT]))
            await self._write(wire.frame(wire.END))
        except BaseException:
            await self._broken("a transfer was given up")
            raise

    async def settle(self) -> Hints:
        self._moved.clear()
        self._asks = False
        hints = await self._call("settle", lambda said: Hints(frozenset(_folders(said)), bool(said["lost"])))
        self._seen = set() if hints.lost else self._seen - hints.dirty  # it has not looked there again
        return Hints(hints.dirty | self._taken().dirty, hints.lost)

    async def told(self) -> Hints:
        return await self.settle() if self._asks else self._taken()

    def _taken(self) -> Hints:
        dirty, self._dirty = frozenset(self._dirty), set()
        if not self._asks and self._gone is None:
            self._moved.clear()
        return Hints(dirty, False)

    async def heard(self, number: int) -> bool:
        try:
            async with asyncio.timeout(_LATE):
                while self._number < number and self._gone is None:
                    self._newer.clear()
                    await self._newer.wait()
        except TimeoutError:
            return False
        return self._gone is None

    def _on_news(self, payload: bytes | None) -> None:
        if payload is None:
            self._asks = True
        else:
            header, tree, contents = wire.told(payload)
            believed(header, lambda said: self._learn(said, tree, contents))
        self._moved.set()

    def _learn(self, said: Any, packed: bytes, contents: dict[bytes, bytes]) -> None:
        if self._base != "last":
            raise wire.Broken("a tree that was not asked for")
        number, dirty = given(said, "number", int), _folders(said)
        if any(len(data) > pack.PIECE for data in contents.values()):
            raise wire.Broken("contents that are not small")
        replica = _replica(said["replica"])
        self.lacking = given(said, "lacking", str)[:300]
        self._tree = received(self._tree, wire.unpacked(packed))
        self._dirty.update(dirty)
        if self._replica in (None, replica):
            self._replica = replica
            self._seen.update(dirty)
        else:
            self._asks = True  # and whoever scans is told that it is another folder
            self._seen.clear()
        if len(self._dirty) > _MOST_DIRTY or len(self._seen) > _MOST_DIRTY:
            raise wire.Broken("more news than anybody wants")
        if sum(map(len, self._offered.values())) + sum(map(len, contents.values())) > _MOST_OFFERED:
            self._offered.clear()  # nobody wanted them
        self._offered.update(contents)
        self._number = number
        self._newer.set()

    async def wait(self) -> None:
        if not self._moved.is_set() and not self._armed:
            await self._whole(self._arm())
        await self._moved.wait()
        if self._gone is not None:
            raise self._gone

    async def use_rules(self, rules: Any) -> None:
        await self._call("rules", lambda said: None, rules=rules)

    async def described(self, paths: Collection[str]) -> dict[str, tuple[int, float]]:
        asked = set(paths)

        def read(said: Any) -> dict[str, tuple[int, float]]:
            return {path: (int(one[0]), float(one[1])) for path, one in said.items() if path in asked}

        return await self._call("described", read, paths=sorted(asked))

    async def large(self) -> dict[str, int]:
        def read(said: Any) -> dict[str, int]:
            if len(said) > MOST_LARGE:
                raise wire.Broken("more large files than anybody asked for")
            return {str(path): int(size) for path, size in said.items()}

        return await self._call("large", read)

    async def trashed(self) -> Sequence[Trashed]:
        def read(said: Any) -> list[Trashed]:
            return [Trashed(str(one[0]), float(one[1]), tuple(map(str, one[2])), int(one[3])) for one in said]

        return await self._call("trashed", read)

    async def restore(self, cycle: str) -> dict[str, str]:
        def read(said: Any) -> dict[str, str]:
            return {str(path): str(why) for path, why in said.items()}

        found = await self._call("restore", read, cycle=cycle)
        self._seen.clear()
        return found


_last: tuple[Tree, str] = (None, "")


def _fingerprint(tree: Tree) -> str:
    """The last one is remembered: connections come back, and nothing has changed."""
    global _last
    known, found = _last
    if not found or known is not tree:
        found = wire.fingerprint(tell(tree))
        _last = (tree, found)
    return found


def _folders(said: Any) -> list[str]:
    dirty = given(said, "dirty", list)
    if len(dirty) > _MOST_DIRTY or not all(isinstance(path, str) for path in dirty):
        raise wire.Broken("hints of no known form")
    return dirty


def _replica(said: Any) -> Replica:
    word, device = said
    return Replica(str(word)[:64], int(device))
