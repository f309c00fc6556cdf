"""One pair of folders, kept the same cycle by cycle: scan, merge, ask, send, apply, remember."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Sequence

from devenv.sync.core.agreed import agreed
from devenv.sync.core.changes import Step, applied_where_it_fits, needed, steps
from devenv.sync.core.entries import Kind, Tree, walk
from devenv.sync.core.guards import Halted, Replica, Side, check_sides, check_steps
from devenv.sync.core.merge import Conflict, Mode, merge
from devenv.sync.endpoint import Endpoint
from devenv.sync.store import Ancestor, Store

NOT_THERE = "its content is not there any more"


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A step that was not made. The next cycle looks again."""

    side: Side
    path: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a cycle did. With `halted` nothing was applied, and a person is to be asked."""

    halted: Halted | None = None
    conflicts: tuple[Conflict, ...] = ()
    failures: tuple[Failure, ...] = ()
    done: dict[Side, int] = dataclasses.field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether another cycle, if nobody writes meanwhile, would find nothing to do."""
        return self.halted is None and not self.failures


class Session:
    """`name()` gives each cycle a new name, for the trash. One cycle at a time."""

    def __init__(
        self,
        host: Endpoint,
        container: Endpoint,
        store: Store,
        name: Callable[[], str],
        mode: Mode = Mode.TWO_WAY_SAFE,
    ) -> None:
        self._sides = {Side.HOST: host, Side.CONTAINER: container}
        self._store = store
        self._name = name
        self._mode = mode
        self._cycling = asyncio.Lock()

    async def cycle(self, *, allow_deletions: bool = False) -> Report:
        """Raises what an endpoint raises when it is gone; the next cycle then begins where this one was."""
        async with self._cycling:
            return await self._cycle(allow_deletions)

    async def _cycle(self, allow_deletions: bool) -> Report:
        ancestor = await asyncio.to_thread(self._store.load)
        trees = dict(zip(self._sides, await asyncio.gather(*(end.scan() for end in self._sides.values())), strict=True))
        now = dict(
            zip(self._sides, await asyncio.gather(*(end.replica() for end in self._sides.values())), strict=True)
        )
        before = {Side.HOST: ancestor.host, Side.CONTAINER: ancestor.container}
        looked = [(side, trees[side], now[side], before[side]) for side in self._sides]
        if (halted := check_sides(ancestor.tree, looked)) is not None:
            return Report(halted)
        merged = merge(ancestor.tree, trees[Side.HOST], trees[Side.CONTAINER], self._mode)
        wanted = {
            Side.HOST: steps(trees[Side.HOST], merged.host),
            Side.CONTAINER: steps(trees[Side.CONTAINER], merged.container),
        }
        if not allow_deletions and (halted := check_steps(ancestor.tree, list(wanted.items()))) is not None:
            return Report(halted, merged.conflicts)
        name = self._name()
        failures: list[Failure] = []
        done: dict[Side, int] = {}
        for side, todo in wanted.items():
            other = Side.CONTAINER if side is Side.HOST else Side.HOST
            lacking = await self._send(side, todo, trees[other], trees[side])
            made, failed = await self._apply(side, todo, lacking, name)
            failures += failed
            done[side] = len(made)
            trees[side] = applied_where_it_fits(trees[side], made)
        await self._remember(ancestor, trees[Side.HOST], trees[Side.CONTAINER], now)
        return Report(None, merged.conflicts, tuple(failures), done)

    async def _send(self, side: Side, todo: Sequence[Step], other: Tree, own: Tree) -> set[bytes]:
        """Brings to a side what its steps need; what could not be had, because it changed since the scan."""
        wanted = needed(todo)
        if not wanted:
            return set()
        here, there = self._sides[side], self._sides[Side.CONTAINER if side is Side.HOST else Side.HOST]
        sources = [(here, _places(own, wanted)), (there, _places(other, wanted))]  # a copy of its own is nearer
        lacking = set()
        for digest in await here.missing(wanted):
            for source, places in sources:
                path = places.get(digest)
                if path is None:
                    continue
                with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    if await here.stage(digest, source.read(path)):
                        break
            else:
                lacking.add(digest)
        return lacking

    async def _apply(
        self, side: Side, todo: Sequence[Step], lacking: set[bytes], name: str
    ) -> tuple[list[Step], list[Failure]]:
        failures = [Failure(side, step.path, NOT_THERE) for step in todo if step.needs in lacking]
        possible = [step for step in todo if step.needs not in lacking]
        if not possible:
            return [], failures
        results = await self._sides[side].apply(possible, name)
        made = [step for step, why in zip(possible, results, strict=True) if not why]
        failures += [Failure(side, step.path, why) for step, why in zip(possible, results, strict=True) if why]
        await self._sides[side].tidy()
        return made, failures

    async def _remember(self, old: Ancestor, host: Tree, container: Tree, now: dict[Side, Replica]) -> None:
        tree = agreed(old.tree, host, container)
        for side, replica in now.items():
            if not replica.word:
                now[side] = await self._sides[side].replica(new=True)
        new = Ancestor(tree, now[Side.HOST], now[Side.CONTAINER])
        if new != old:
            await asyncio.to_thread(self._store.save, new)


def _places(tree: Tree, digests: Iterable[bytes]) -> dict[bytes, str]:
    wanted = set(digests)
    return {entry.digest: path for path, entry in walk(tree) if entry.kind is Kind.FILE and entry.digest in wanted}
