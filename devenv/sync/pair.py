"""One folder of this machine and one of a container, kept the same for as long as somebody wants it.

Watchers only hint: what they say is looked at, merged and applied in cycles, one at a time. A side that goes away is
connected to again; what was agreed on is on disk. Whoever needs both sides alike at a moment calls `flush`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import enum
import fcntl
import logging
import os
import pathlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any, Protocol

from devenv.errors import DevenvError, LinkError, SyncHalted
from devenv.sync.core.entries import Tree
from devenv.sync.core.guards import Halt, Halted, Side
from devenv.sync.core.merge import Conflict, Mode
from devenv.sync.endpoint import Endpoint, Hints, Telling
from devenv.sync.hearing import Hearing
from devenv.sync.session import Failure, Report, Session
from devenv.sync.store import Store
from devenv.sync.words import sentence

log = logging.getLogger("devenv.sync")

_RETRY = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds after a step that was not made, because somebody wrote
_CONNECT = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to reach the other side
_LOOK = 60.0  # seconds at least between full scans; watchers can be wrong
_SHARE = 200.0  # and at least so many times what the last one took: half a percent of a core
_LOCKED = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 0.0)  # seconds between attempts to be the one who synchronises
_FRESH = 5.0  # seconds for which rules that were just read are not read again for nothing
_TRIES = 6  # cycles for which a barrier waits while somebody writes


class State(enum.StrEnum):
    STARTING = "starting"
    OFFLINE = "offline"  # the other side cannot be reached
    WORKING = "working"
    IN_STEP = "in step"
    PAUSED = "paused"
    HALTED = "halted"


class Ruler(Protocol):
    """What is synchronised: `devenv.sync.rules`, as one project has it."""

    def collect(self) -> Any:
        """The rules as they are now, JSON-able. Blocks."""

    def stale(self, dirty: Collection[str]) -> bool:
        """Whether a file that has rules in it changed, or came, in one of these folders. Blocks, for a few stats."""

    def mode(self) -> Mode | Callable[[str], Mode]:
        """Of the rules that were collected last."""


@dataclasses.dataclass(slots=True)
class Counters:
    cycles: int = 0
    to_container: int = 0  # steps made there
    to_host: int = 0
    last: float = 0.0  # when something was changed, seconds since the epoch


class Pair:
    """`connect(rules)` opens the far side; it may raise any `DevenvError`. `folder` is ours, on this machine, for this
    pair alone. `changed` is called when there is something new to show."""

    def __init__(
        self,
        host: Endpoint,
        connect: Callable[[Any], Awaitable[Endpoint]],
        folder: pathlib.Path,
        ruler: Ruler,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._host = host
        self._open = connect
        self._folder = folder
        self._ruler = ruler
        self._changed = changed
        self._far: Endpoint | None = None
        self._session: Session | None = None
        self._left: Session | None = None  # the one whose connection was lost
        self._busy = asyncio.Lock()
        self._moved = asyncio.Event()
        self._hearing = Hearing(host)
        self._again: dict[Side, set[str]] = {Side.HOST: set(), Side.CONTAINER: set()}
        self._full: set[Side] = set(Side)
        self._rules: Any = None
        self._lock: int | None = None
        self._store = Store(folder / "ancestor")
        self._due: set[Side] = set()  # those whose hints have been believed for long enough
        self._collected = 0.0  # monotonic, when the rules were read
        self._looked = 0.0  # monotonic, of the last full scan
        self._took = 0.0  # seconds
        self.state = State.STARTING
        self.halted: Halted | None = None
        self.conflicts: tuple[Conflict, ...] = ()
        self.failures: tuple[Failure, ...] = ()
        self.why = ""  # it is offline or halted
        self.counters = Counters()

    # --- what others may ask for ---

    @property
    def synced(self) -> Tree:
        """What both sides agreed on last, as far as it is known here."""
        known = self._session or self._left
        return known.ancestor if known is not None else None

    @property
    def sent(self) -> int:
        """Bytes of contents since the sides were connected."""
        return self._session.sent if self._session is not None else 0

    @property
    def door(self) -> str:
        """`Telling.door` of the side that is connected now."""
        return self._far.door if isinstance(self._far, Telling) else ""

    async def flush(self, *, both: bool = True, patience: float = 300.0, known: tuple[str, int] | None = None) -> None:
        """Returns when what was written before the call is on the other side: of this machine's folder, and with `both`
        of the container's too. Conflicts stay conflicts. `known`: a door and the number that was told there after what
        matters in the container was written; asking it is not needed then.

        Raises SyncHalted when a person has to decide first, LinkError when the other side cannot be reached.
        """
        if self.state is State.PAUSED:
            return
        async with asyncio.timeout(patience):
            for attempt in range(_TRIES):
                try:
                    async with self._busy:
                        number = known[1] if known is not None and not attempt and known[0] == self.door else None
                        report = await self._step(both=both, number=number)
                except (LinkError, OSError) as error:
                    if attempt:
                        raise
                    await self._lost(error)  # a side that ended meanwhile is there again at once, or says why not
                    continue
                if report is None or report.settled:
                    return
                if report.halted is not None:
                    raise self._refusal(report.halted)
                await asyncio.sleep(_RETRY[min(attempt, len(_RETRY) - 1)])

    def require(self) -> None:
        """Raises SyncHalted where work inside would see files that are known to be old."""
        if self.halted is not None:
            raise self._refusal(self.halted)

    async def pause(self) -> None:
        """Nothing is looked at or written, on either side, until `resume`."""
        async with self._busy:
            self._set(State.PAUSED)

    async def resume(self, *, allow_deletions: bool = False) -> None:
        """On with it, after a pause or a halt; with `allow_deletions` once without asking about them."""
        async with self._busy:
            self._set(State.WORKING)
            self.halted = None
            self._full = set(Side)
            report = await self._step(both=True, allow_deletions=allow_deletions, anyway=True)
        if report is not None and report.halted is not None:
            raise self._refusal(report.halted)

    async def reset(self) -> None:
        """Forgets what was agreed on: the two sides are merged as if they met for the first time. Nothing is deleted by
        that; what differs is a conflict."""
        async with self._busy:
            session = await self._connected()
            await session.forget()
            self.halted = None
            self._set(State.WORKING)
            self._full = set(Side)
            await self._step(both=True, anyway=True)

    async def verify(self) -> Report | None:
        """Every content is read again on both sides, and what is found is synchronised."""
        async with self._busy:
            session = await self._connected()
            report = await session.verify()
            await self._after(report)
            return report

    def look_again(self) -> None:
        """The next cycle looks at everything."""
        self._full = set(Side)

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[Session]:
        """The session, with no cycle under way."""
        async with self._busy:
            yield await self._connected()

    async def first(self) -> None:
        """Connects, and synchronises until there is nothing to do, however long that takes. Raises as `flush`."""
        await self.flush(patience=86400.0)

    # --- the loop ---

    async def run(self) -> None:
        """For ever, until it is cancelled."""
        attempt = 0
        while True:
            try:
                if self.state in (State.PAUSED, State.HALTED):
                    await self._wait_state()
                    continue
                async with self._busy:
                    await self._connected()
                await self._wait()
                await self._hearing.gather()
                async with self._busy:
                    report = await self._step(both=False)
                if report is not None and report.failures:
                    await asyncio.sleep(_RETRY[min(attempt, len(_RETRY) - 1)])
                    attempt += 1
                else:
                    attempt = 0
            except Exception as error:
                if not isinstance(error, DevenvError | OSError):
                    log.exception(
                        "[%s] a cycle failed", self._folder.parent.name
                    )  # and the next one is tried all the same
                await self._lost(error)
                await asyncio.sleep(_CONNECT[min(attempt, len(_CONNECT) - 1)])
                attempt += 1

    async def close(self) -> None:
        await self._hearing.close()
        for end in (self._far, self._host):
            if end is not None:
                with contextlib.suppress(DevenvError, OSError):
                    await end.close()
        self._far = self._session = self._left = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --- one cycle ---

    async def _step(
        self, *, both: bool, number: int | None = None, allow_deletions: bool = False, anyway: bool = False
    ) -> Report | None:
        """A cycle if there is anything to look at. Held by `_busy`. `number`: see `Hearing.told`; without it, `both`
        asks the container's side."""
        if self.state is State.PAUSED or (self.state is State.HALTED and not anyway):
            if self.halted is not None:
                return Report(self.halted)
            return None
        session = await self._connected()
        self._due = set(Side) if time.monotonic() - self._looked > max(_LOOK, _SHARE * self._took) else set()
        self._full |= self._due
        hear = self._hearing
        hints = {Side.HOST: await hear.asked(Side.HOST)}
        ask = (both and number is None) or Side.CONTAINER in self._full
        hints[Side.CONTAINER] = await (hear.asked(Side.CONTAINER) if ask else hear.told(number))
        for side in Side:
            if self._again[side]:
                hints[side] = Hints(hints[side].dirty | self._again[side], hints[side].lost)
        full = {side for side in Side if side in self._full or hints[side].lost}
        if not full and not any(hint.dirty for hint in hints.values()):
            self._set(State.IN_STEP)
            return None
        await self._renew_rules(hints[Side.HOST], full)
        self._set(State.WORKING)
        began = time.monotonic()
        try:
            report = await session.cycle(
                None if Side.HOST in full else hints[Side.HOST],
                None if Side.CONTAINER in full else hints[Side.CONTAINER],
                allow_deletions=allow_deletions,
                calm=allow_deletions,
            )
            if report.unsure:
                hints = await hear.until_calm()
                report = await session.cycle(hints[Side.HOST], hints[Side.CONTAINER])
        except BaseException:
            self._full = set(Side)  # what the hints said is not lost with this cycle
            raise
        if len(full) == len(Side):
            self._looked, self._took = time.monotonic(), time.monotonic() - began
        self._full -= full
        await self._after(report)
        await hear.rest()
        return report

    async def _after(self, report: Report) -> None:
        self.counters.cycles += 1
        for side in Side:
            self._again[side] = {f.path.rpartition("/")[0] for f in report.failures if f.side is side}
        done = {side: report.done.get(side, 0) for side in Side}
        self.counters.to_container += done[Side.CONTAINER]
        self.counters.to_host += done[Side.HOST]
        if any(done.values()):
            self.counters.last = time.time()
        self.conflicts, self.failures = report.conflicts, report.failures
        if report.halted is not None:
            self.halted = report.halted
            self._full = set(Side)
            self._set(State.HALTED, sentence(report.halted))
        else:
            self.halted = None
            self._set(State.IN_STEP if report.settled else State.WORKING)

    async def _renew_rules(self, hints: Hints, full: set[Side]) -> None:
        """Read again where a hint leads to a file of them, and whenever hints may be wrong."""
        old = time.monotonic() - self._collected > _FRESH
        thorough = old and (hints.lost or len(full) == len(Side) == len(self._due))
        if not thorough and not await asyncio.to_thread(self._ruler.stale, hints.dirty):
            return
        rules = await self._collect()
        assert self._far is not None and self._session is not None
        self._session.use_mode(self._ruler.mode())
        if rules == self._rules:
            return
        self._rules = rules
        await self._host.use_rules(rules)
        await self._far.use_rules(rules)
        full |= set(Side)

    async def _collect(self) -> Any:
        rules = await asyncio.to_thread(self._ruler.collect)
        self._collected = time.monotonic()
        return rules

    # --- connections and waiting ---

    async def _connected(self) -> Session:
        if self._session is not None:
            return self._session
        await self._take_lock()
        if self._rules is None:
            self._rules = await self._collect()
            await self._host.use_rules(self._rules)
        self._far = await self._open(self._rules)
        self._hearing.connected(self._far)
        self._full = set(Side)
        mode = self._ruler.mode()
        if self._left is not None:
            self._session, self._left = self._left.resumed(self._far, mode), None
        else:
            self._session = Session(self._host, self._far, self._store, _cycle_name, mode)
        self.why = ""
        if self.state is State.OFFLINE:
            self._set(State.WORKING)
        return self._session

    async def _take_lock(self) -> None:
        """A supervisor that hands over lets go of it in a moment."""
        if self._lock is not None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            for wait in _LOCKED:
                if _lock(number):
                    break
                await asyncio.sleep(wait)  # a file lock tells nobody when it is free
            else:
                who = os.pread(number, 32, 0).decode("ascii", "replace").strip()
                raise LinkError(
                    f"another process of devenv's synchronises these files (pid {who or 'unknown'})",
                    "it ends with its supervisor",
                )
            os.ftruncate(number, 0)
            os.pwrite(number, f"{os.getpid()}\n".encode("ascii"), 0)
        except BaseException:
            os.close(number)
            raise
        self._lock = number

    async def _lost(self, error: Exception) -> None:
        async with self._busy:
            self._left = self._session or self._left
            far, self._far, self._session = self._far, None, None
            await self._hearing.lost()
            if far is not None:
                with contextlib.suppress(DevenvError, OSError):
                    await far.close()
        if self.state not in (State.PAUSED, State.HALTED):
            self._set(State.OFFLINE, getattr(error, "message", "") or str(error))
        log.info("[%s] the other side is gone: %s", self._folder.parent.name, error)

    async def _wait(self) -> None:
        """Until a side may have changed, or it is time to look at everything."""
        if self._full or any(self._again.values()):
            return
        await self._hearing.wait(max(_LOOK, _SHARE * self._took) - (time.monotonic() - self._looked))

    async def _wait_state(self) -> None:
        """A person decides; nobody has to hurry."""
        while self.state in (State.PAUSED, State.HALTED):
            self._moved.clear()
            await self._moved.wait()

    def _set(self, state: State, why: str = "") -> None:
        if (state, why) != (self.state, self.why):
            self.state, self.why = state, why
            self._moved.set()
            self._changed()

    def _refusal(self, halted: Halted) -> SyncHalted:
        hint = "`devenv sync status` says more; "
        if halted.why is Halt.DELETIONS:
            hint += "`devenv sync resume --allow-deletions` does it, `devenv sync reset` brings back what is missing"
        else:
            hint += "`devenv sync reset` merges both sides anew, without deleting anything"
        return SyncHalted(f"the files are not kept the same: {sentence(halted)}", hint)


def _lock(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _cycle_name() -> str:
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f".{time.time_ns() % 10**9:09d}"
