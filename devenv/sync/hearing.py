"""What was heard of two sides: hints of where something was written, and waiting for some."""

from __future__ import annotations

import asyncio
import pathlib

from devenv.sync.core.guards import Side
from devenv.sync.endpoint import Endpoint, Hints, Telling

NOTHING = Hints(frozenset(), False)

_GATHER = 0.01  # seconds: an editor's save is several events
_STORM = 0.3  # seconds between looks while Git writes its index, or somebody deletes
_LOOKS = 10


class Hearing:
    """The host's side is there always, the container's comes and goes."""

    def __init__(self, host: Endpoint) -> None:
        self._ends: dict[Side, Endpoint] = {Side.HOST: host}
        self._waits: dict[Side, asyncio.Task[None]] = {}
        self._first = True  # nobody has asked the container's side yet

    def connected(self, far: Endpoint) -> None:
        self._ends[Side.CONTAINER] = far
        self._first = True

    async def lost(self) -> None:
        self._ends.pop(Side.CONTAINER, None)
        await self._leave(Side.CONTAINER)

    async def asked(self, side: Side) -> Hints:
        """What was written there until now; from here on `wait` means newer things."""
        await self._leave(side)
        if side is Side.CONTAINER:
            self._first = False
        return await self._ends[side].settle()

    async def told(self, number: int | None = None) -> Hints:
        """What the container's side has said so far, by itself. With `number` all that was written before somebody was
        given that number (`Telling.door`); it is asked where that has not come."""
        far = self._ends[Side.CONTAINER]
        moved = self._has_moved(Side.CONTAINER)
        if moved:
            self._waits.pop(Side.CONTAINER, None)
        if isinstance(far, Telling) and not self._first and (number is None or await far.heard(number)):
            return await far.told()
        if number is None and not self._first and not moved:
            return NOTHING
        return await self.asked(Side.CONTAINER)

    async def wait(self, seconds: float) -> None:
        """Until something may have been written on a side."""
        for side, end in self._ends.items():
            if side not in self._waits:
                self._waits[side] = asyncio.create_task(end.wait(), name=f"sync hints of {side.value}")
        waits = set(self._waits.values())
        done, _ = await asyncio.wait(waits, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def gather(self) -> None:
        """A few milliseconds more: what belongs together comes together. While Git writes, until it has written."""
        if self._has_moved(Side.HOST):
            await asyncio.sleep(_GATHER)
        for _ in range(_LOOKS):
            if not self._git_writes():
                return
            await asyncio.sleep(_STORM)

    async def until_calm(self) -> dict[Side, Hints]:
        """Whoever deletes much has done so: what was heard of until nobody wrote any more."""
        found = dict.fromkeys(Side, NOTHING)
        for _ in range(_LOOKS):
            await asyncio.sleep(_STORM)
            told = {side: await self.asked(side) for side in Side}
            found = {s: Hints(found[s].dirty | told[s].dirty, found[s].lost or told[s].lost) for s in Side}
            if not any(hint.dirty or hint.lost for hint in told.values()):
                break
        return found

    async def rest(self) -> None:
        """The container's side may say something by itself again: whoever waits begins anew."""
        await self._leave(Side.CONTAINER)

    async def close(self) -> None:
        for side in list(self._waits):
            await self._leave(side)

    def _has_moved(self, side: Side) -> bool:
        task = self._waits.get(side)
        return task is None or task.done()

    async def _leave(self, side: Side) -> None:
        if (task := self._waits.pop(side, None)) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _git_writes(self) -> bool:
        root = getattr(self._ends[Side.HOST], "root", None)
        return root is not None and pathlib.Path(root, ".git", "index.lock").exists()
