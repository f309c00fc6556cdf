"""One pair of folders, kept the same cycle by cycle: scan, merge, ask, send, apply, remember."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence

from devenv.sync.ahead import Ahead
from devenv.sync.core.agreed import agreed
from devenv.sync.core.changes import Step, applied_where_it_fits, deletions, needed, put, steps
from devenv.sync.core.entries import Kind, Tree, children_of, is_folder, tracked_part, walk
from devenv.sync.core.guards import Halt, Halted, Replica, Side, check_sides, check_steps, is_another, is_new
from devenv.sync.core.merge import Conflict, Mode, ModeOf, Quiet, merge
from devenv.sync.endpoint import Aloud, Blockwise, Endpoint, Expecting, Hints, Staging, Wanted
from devenv.sync.store import Ancestor, Store

SEVERAL = 8  # deletions


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A step that was not made. The next cycle looks again."""

    side: Side
    path: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a cycle did. With `halted` nothing was applied, and a person is to be asked; with `unsure` neither, because
    somebody may be in the middle of deleting."""

    halted: Halted | None = None
    conflicts: tuple[Conflict, ...] = ()
    failures: tuple[Failure, ...] = ()
    done: dict[Side, int] = dataclasses.field(default_factory=dict)
    unsure: bool = False

    @property
    def settled(self) -> bool:
        """Whether another cycle, if nobody writes meanwhile, would find nothing to do."""
        return self.halted is None and not self.failures and not self.unsure


class Session:
    """`name()` gives each cycle a new name, for the trash. One cycle at a time. Trees and ancestor are kept in memory
    from one to the next; after an error both sides are scanned whole."""

    def __init__(
        self,
        host: Endpoint,
        container: Endpoint,
        store: Store,
        name: Callable[[], str],
        mode: Mode | ModeOf = Mode.TWO_WAY_SAFE,
    ) -> None:
        self.host, self.container = host, container
        self._sides = {Side.HOST: host, Side.CONTAINER: container}
        self._store = store
        self._name = name
        self._mode = mode
        self._cycling = asyncio.Lock()
        self._ancestor: Ancestor | None = None
        self._trees: dict[Side, Tree] = {}
        self._replicas: dict[Side, Replica] = {}
        self._quiet = Quiet()
        self.sent = 0
        """Bytes of contents that went from one side to the other, for who watches."""

    def resumed(self, container: Endpoint, mode: Mode | ModeOf) -> Session:
        """The same pair over another connection to the container. What was agreed on is known and need not be read
        again: what is equal in it and in the trees of this machine stays the same object. This one is done with."""
        new = Session(self.host, container, self._store, self._name, mode)
        new._ancestor = self._ancestor
        if self._ancestor is not None and isinstance(container, Expecting):
            container.expect(self._ancestor.tree)
        return new

    @property
    def ancestor(self) -> Tree:
        """What both sides agreed on last, as far as it was read."""
        return self._ancestor.tree if self._ancestor is not None else None

    def use_mode(self, mode: Mode | ModeOf) -> None:
        """From the next cycle on, for all that is there."""
        self._mode = mode
        self._quiet = Quiet()

    async def cycle(
        self,
        host: Hints | None = None,
        container: Hints | None = None,
        *,
        allow_deletions: bool = False,
        calm: bool = True,
    ) -> Report:
        """What the hints name is looked at; None, or lost ones, is everything of that side. Not `calm`: somebody writes
        just now, and several deletions may be the beginning of many, so they are not begun with.

        Raises what an endpoint raises when it is gone; the next cycle then begins where this one was.
        """
        async with self._cycling:
            return await self._safely({Side.HOST: host, Side.CONTAINER: container}, allow_deletions, calm=calm)

    async def verify(self, *, allow_deletions: bool = False) -> Report:
        """A cycle that reads every content again."""
        async with self._cycling:
            return await self._safely(dict.fromkeys(Side), allow_deletions, rehash=True)

    async def forget(self) -> None:
        """Nothing is agreed on any more: the next cycle merges as if the sides met for the first time."""
        async with self._cycling:
            self._trees.clear()
            await self._save(Ancestor())

    async def pretend(self, path: str, tree: Tree) -> None:
        """Takes it that both sides had agreed on this at the path. Whoever has it there still is the unchanged one."""
        async with self._cycling:
            old = await self._load()
            await self._save(dataclasses.replace(old, tree=put(old.tree, path, tree)))

    async def _safely(
        self, hints: dict[Side, Hints | None], allow_deletions: bool, *, rehash: bool = False, calm: bool = True
    ) -> Report:
        try:
            return await self._cycle(hints, allow_deletions, rehash, calm)
        except BaseException:
            self._trees.clear()
            raise

    async def _load(self) -> Ancestor:
        if self._ancestor is None:
            self._ancestor = await asyncio.to_thread(self._store.load)
            for end in self._sides.values():
                if isinstance(end, Expecting):
                    end.expect(self._ancestor.tree)
        return self._ancestor

    async def _each(self, sides: Collection[Side], look: Callable[[Side], Awaitable[None]]) -> None:
        """At the same time, and each to its end: no thread goes on looking when the other side is gone."""
        for error in await asyncio.gather(*(look(side) for side in sides), return_exceptions=True):
            if error is not None:
                raise error

    async def _introduced(self, old: Ancestor) -> Ancestor:
        """Folders that meet for the first time get their words before anybody looks into them: one that takes the place
        of such a folder under way has none, and is not taken for it."""
        now = self._replicas
        if now[Side.CONTAINER].device and is_new(now[Side.CONTAINER], old.container):
            old = Ancestor()
        if old.tree is not None:
            return old
        for side, end in self._sides.items():
            if not now[side].word:
                now[side] = await end.replica(new=True)
        new = Ancestor(None, now[Side.HOST], now[Side.CONTAINER])
        if new != self._ancestor:
            await self._save(new)
        return new

    async def _cycle(self, hints: dict[Side, Hints | None], allow_deletions: bool, rehash: bool, calm: bool) -> Report:
        ancestor = await self._load()
        dirty: dict[Side, Collection[str] | None] = {}
        for side, heard in hints.items():
            if side not in self._trees or rehash or heard is None or heard.lost:
                dirty[side] = None
            elif heard.dirty:
                dirty[side] = heard.dirty

        async def recognise(side: Side) -> None:
            self._replicas[side] = await self._sides[side].replica()

        async def look(side: Side) -> None:
            self._trees[side] = await self._sides[side].scan(dirty[side], rehash=rehash)

        await self._each(dirty, recognise)
        if is_another(self._replicas[Side.HOST], ancestor.host):
            return Report(Halted(Halt.REPLICA, Side.HOST))
        known, ancestor = ancestor.container, await self._introduced(ancestor)
        if ancestor.container != known and Side.CONTAINER in dirty:
            dirty[Side.CONTAINER] = None  # hints tell of the folder that was there before
        if ancestor.tree is None and len(dirty) == len(Side) and not any(dirty.values()):
            await self._each([Side.CONTAINER], look)
            if not await self._sent_ahead():
                await self._each([Side.HOST], look)
        else:
            await self._each(dirty, look)
        trees, now = dict(self._trees), dict(self._replicas)
        before = {Side.HOST: ancestor.host, Side.CONTAINER: ancestor.container}
        looked = [(side, trees[side], now[side], before[side]) for side in self._sides]
        if (halted := check_sides(ancestor.tree, looked)) is not None:
            return Report(halted)
        merged = merge(ancestor.tree, trees[Side.HOST], trees[Side.CONTAINER], self._mode, self._quiet)
        aims = {Side.HOST: merged.host, Side.CONTAINER: merged.container}
        wanted = {side: steps(trees[side], aims[side]) for side in self._sides}
        if not calm and any(sum(1 for _ in deletions(todo)) >= SEVERAL for todo in wanted.values()):
            return Report(None, merged.conflicts, unsure=True)
        if not allow_deletions and (halted := check_steps(ancestor.tree, list(wanted.items()))) is not None:
            return Report(halted, merged.conflicts)
        name = self._name()
        failures: list[Failure] = []
        done: dict[Side, int] = {}
        for side, todo in wanted.items():
            results = await self._make(side, todo, name) if todo else []
            made = [step for step, why in zip(todo, results, strict=True) if not why]
            failures += [Failure(side, step.path, why) for step, why in zip(todo, results, strict=True) if why]
            done[side] = len(made)
            trees[side] = aims[side] if len(made) == len(todo) else applied_where_it_fits(trees[side], made)
        self._trees.update(trees)
        await self._remember(ancestor, trees[Side.HOST], trees[Side.CONTAINER], now)
        return Report(None, merged.conflicts, tuple(failures), done)

    async def _sent_ahead(self) -> bool:
        """The host is looked at, and what it has goes meanwhile to a container that has nothing, if the two can."""
        host, container = self.host, self.container
        if not isinstance(host, Aloud) or not isinstance(container, Staging) or container.staged:
            return False
        if not is_folder(there := self._trees[Side.CONTAINER]) or children_of(tracked_part(there)):
            return False
        mode = self._mode
        ahead = Ahead(lambda path: (mode if isinstance(mode, Mode) else mode(path)) is not Mode.TO_HOST)

        async def look() -> None:
            try:
                self._trees[Side.HOST] = await host.scan_aloud(ahead.say)
            finally:
                ahead.end()

        async def send() -> None:
            try:
                await container.stage(self._counted(ahead.stream()), ahead.said)
            finally:
                ahead.close()

        tasks = [asyncio.create_task(each, name="sync: the first look") for each in (look(), send())]
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            ahead.close()  # the scan goes to its end, and waits for nobody
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        for task in tasks:
            task.result()
        return True

    async def _make(self, side: Side, todo: Sequence[Step], name: str) -> list[str]:
        """Brings to a side what its steps need, and makes them. What a step takes away is at hand there already."""
        here = self._sides[side]
        other = Side.CONTAINER if side is Side.HOST else Side.HOST
        leaving = {step.before.digest for step in todo if step.after is None and step.before is not None}
        want = needed(todo)
        lacking = await here.missing([digest for digest in want if digest not in leaving]) if want else {}
        if not lacking:
            return await here.apply(todo, name)
        places = _places(self._trees[other], {digest: want[digest] for digest in lacking})
        old = await self._old_blocks(here, todo, lacking)
        sent = [
            Wanted(digest, places[digest], offset, b"" if offset else old.get(digest, b""))
            for digest, offset in lacking.items()
            if digest in places
        ]
        return await here.apply(todo, name, self._counted(self._sides[other].pack(sent)))

    async def _counted(self, contents: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async with contextlib.aclosing(contents) as pieces:  # type: ignore[type-var]
            async for data in pieces:
                self.sent += len(data)
                yield data

    async def _old_blocks(self, here: Endpoint, todo: Sequence[Step], lacking: Collection[bytes]) -> dict[bytes, bytes]:
        """What big files consist of that are replaced. Whether any is big is seen on this machine, at no cost."""
        replaced = {
            step.path: step.needs
            for step in todo
            if step.needs in lacking and step.before is not None and step.before.kind is Kind.FILE
        }
        if not replaced or not isinstance(here, Blockwise) or not isinstance(self.host, Blockwise):
            return {}
        big = await self.host.big(list(replaced))
        if not big:
            return {}
        return {replaced[path]: old for path, old in (await here.blocks(big)).items() if path in replaced}

    async def _remember(self, old: Ancestor, host: Tree, container: Tree, now: dict[Side, Replica]) -> None:
        tree = agreed(old.tree, host, container, self._quiet)
        new = Ancestor(tree, now[Side.HOST], now[Side.CONTAINER])
        if new != old:
            await self._save(new)

    async def _save(self, new: Ancestor) -> None:
        await asyncio.to_thread(self._store.save, new)
        self._ancestor = new


def _places(tree: Tree, wanted: dict[bytes, Iterable[str]]) -> dict[bytes, str]:
    """Where the other side has these contents: mostly at the paths that want them."""
    found = {}
    for digest, paths in wanted.items():
        for path in paths:
            if (entry := _at(tree, path)) is not None and entry.digest == digest:
                found[digest] = path
                break
    left = wanted.keys() - found.keys()
    if left:
        for path, entry in walk(tree):
            if entry.kind is Kind.FILE and entry.digest in left:
                found.setdefault(entry.digest, path)
    return found


def _at(tree: Tree, path: str) -> Tree:
    for name in path.split("/"):
        if tree is None:
            return None
        tree = tree.children.get(name)
    return tree
