"""One SSH host as long as this process uses it: connected, lost, connected again, always at the same local socket.

What waits is a verb that asked; what comes back by itself is what has been there before.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import pathlib
import shlex
import stat
import time
from collections.abc import Callable, Mapping

from devenv.errors import DevenvError
from devenv.hosts import failures, ping
from devenv.hosts.destination import Destination
from devenv.hosts.dial_stdio import Dialler
from devenv.hosts.probe import Machine, Socket
from devenv.hosts.ssh import Master

log = logging.getLogger("devenv.hosts")

_BACKOFF = (0.2, 30.0)  # seconds, first and longest
_PING = 10.0  # seconds for an answer
_AFTER_SLEEP = 4.0  # the same, when the connection is under suspicion
_LOOK = 5.0  # seconds between looks at the clocks
_EVERY = 3  # looks between two measures of the round trip
_SLEPT = 3.0  # seconds between the clocks that mean a sleep of the machine


class Via(enum.StrEnum):
    """How the engine's socket comes here."""

    FORWARD = "forward"
    DIAL = "dial-stdio"


class Connection:
    """`path` is where the engine's socket is while it is connected. `ready` may be called by many at once."""

    def __init__(self, to: Destination, folder: pathlib.Path) -> None:
        self.to = to
        self.path = folder / "engine.sock"
        self.machine = Machine()
        self.socket: Socket | None = None
        self.via = Via.FORWARD
        self.round_trip: float | None = None  # seconds, of the last measure
        self.problem: DevenvError | None = None  # why it is not connected
        self.connected = False
        self._folder = folder
        self._waiting: list[Callable[[], None]] = []
        self._listeners: list[Callable[[], None]] = []
        self._env: Mapping[str, str] = {}
        self._master: Master | None = None
        self._dialler: Dialler | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self._changed = asyncio.Condition()
        self._last = ""  # what `ssh` said when it ended
        self._retired = False
        self._begun = 0
        self._ended = 0

    async def ready(self, env: Mapping[str, str]) -> None:
        """Returns when it is connected. `env` is the asking client's, for `ssh`. Raises why it cannot be."""
        if self.connected:
            return
        self._env = dict(env)
        begun, underway = self._begun, self._begun > self._ended
        self._asked.set()

        def answered() -> bool:
            # An attempt that was on its way with another client's keys tells of the network only.
            return self.connected or self._ended > begun or (underway and self._ended == begun and self._may_pass())

        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep(), name=f"host {self.to.shown}")
        async with self._changed:
            await self._changed.wait_for(answered)
        if not self.connected:
            raise self.problem or failures.lost(self.to)

    def listen(self, tell: Callable[[], None]) -> None:
        """`tell` is called each time that it is connected."""
        self._listeners.append(tell)

    async def back(self) -> None:
        """Returns when it is connected, however long that takes; nothing is hurried."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.connected)

    def when_back(self, tell: Callable[[], None]) -> None:
        """`tell` is called once, when it is connected the next time."""
        self._waiting.append(tell)

    async def run(self, argv: str, stdin: bytes = b"", *, limit: float) -> tuple[int, bytes, str]:
        """A command there. Raises `EngineMissing` when there is no connection."""
        if self._master is None:
            raise self.problem or failures.lost(self.to)
        return await self._master.run(argv, stdin, limit=limit)

    async def _keep(self) -> None:
        """Attempts, the first at once. After a connection, or while only the network is in the way, by itself; a
        server that says no is asked again only when somebody asks."""
        delay = _BACKOFF[0]
        while True:
            self._asked.clear()
            self._begun += 1
            try:
                await self._connect()
                self.connected, self.problem = True, None
            except DevenvError as error:
                self.problem = error
            finally:
                self._ended = self._begun
            await self._tell()
            if self.connected:
                log.info("[host=%s] connected by %s", self.to.shown, self.via)
                delay = _BACKOFF[0]
                waiting, self._waiting = self._waiting, []
                for tell in (*self._listeners, *waiting):
                    tell()
                await self._watch()
                self.problem = failures.lost(self.to)
                if self._retired:
                    return
                log.warning("[host=%s] connection lost: %s", self.to.shown, self._last or "without a word")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), delay if self._may_pass() else None)
            delay = min(_BACKOFF[1], delay * 1.7)

    def _may_pass(self) -> bool:
        """Whether what is in the way may go by itself."""
        return self.problem is not None and self.problem.details.get("problem") in failures.NETWORK

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _connect(self) -> None:
        await asyncio.to_thread(_prepare, self._folder)
        master = await Master.start(self.to, self._folder / f"c{os.getpid()}", self._env)
        try:
            self.machine = master.machine
            self.socket = master.machine.socket(self.to)
            await self._lead(master, self.socket)
        except BaseException:
            await self._let_go(master)
            raise
        self._master = master

    async def _lead(self, master: Master, socket: Socket) -> None:
        """The engine's socket to `path`, tried. Raises when no way leads there."""
        if await master.forward(self.path, socket.path):
            with contextlib.suppress(OSError, TimeoutError):
                self.round_trip = await ping.round_trip(self.path, _PING)
                self.via = Via.FORWARD
                return
            await master.cancel(self.path, socket.path)
        docker = f"docker --host {shlex.quote('unix://' + socket.path)}"
        self._dialler = Dialler(master, self.path, f"{docker} system dial-stdio")
        await self._dialler.start()
        try:
            self.round_trip = await ping.round_trip(self.path, _PING)
            self.via = Via.DIAL
        except (OSError, TimeoutError) as error:
            _, _, said = await master.run(f"{docker} version", limit=_PING)
            words = said.splitlines()[-1] if said else ""
            raise failures.no_answer(self.to, socket.path, words) from error

    async def _watch(self) -> None:
        """Until the connection ends. After a sleep of this machine its end may be long in coming: it is tried."""
        assert self._master is not None
        master = self._master
        ended = asyncio.create_task(master.wait())
        looks = 0
        try:
            while not ended.done():
                before = _clocks()
                await asyncio.wait({ended}, timeout=_LOOK)
                if ended.done():
                    break
                looks += 1
                slept = _clocks() - before > _SLEPT
                if slept or looks % _EVERY == 0:
                    try:
                        self.round_trip = await ping.round_trip(self.path, _AFTER_SLEEP if slept else _PING)
                    except (FileNotFoundError, ConnectionRefusedError):
                        break  # not the host: our own socket is gone, or another's lies in its place
                    except (OSError, TimeoutError):
                        if slept:
                            break
        finally:
            ended.cancel()
            self.connected = False
            self._master = None
            await self._let_go(master)
            self._last = " ".join(master.said.split())[-200:]

    async def _let_go(self, master: Master) -> None:
        dialler, self._dialler = self._dialler, None
        if dialler is not None:
            await dialler.close()
        await master.close()

    def retire(self) -> None:
        """A successor has the path: what is open goes on, and what is lost is not made again."""
        self._retired = True

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self.connected = False


class Connections:
    """All of this process, by the local socket that they serve."""

    def __init__(self) -> None:
        self._known: dict[pathlib.Path, Connection] = {}

    def to(self, to: Destination, path: pathlib.Path) -> Connection:
        if path not in self._known:
            self._known[path] = Connection(to, path.parent)
        return self._known[path]

    def at(self, path: str | None) -> Connection | None:
        """The one whose socket this is."""
        return self._known.get(pathlib.Path(path)) if path else None

    def retire(self) -> None:
        for connection in self._known.values():
            connection.retire()

    async def drop(self, path: pathlib.Path) -> None:
        connection = self._known.pop(path, None)
        if connection is not None:
            await connection.close()

    async def close(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self._known.values()))


def _clocks() -> float:
    """How far the clock that counts sleep is ahead of the one that does not, in seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


def _prepare(folder: pathlib.Path) -> None:
    """The folder, closed to others, without what a process that was killed has left."""
    for path in (folder.parent, folder):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = path.lstat()
        if info.st_uid != os.getuid() or not stat.S_ISDIR(info.st_mode):
            raise failures.not_private(str(path))
        path.chmod(0o700)
    for left in folder.glob("c[0-9]*"):
        number = left.name[1:].partition(".")[0]
        if number.isdigit() and not pathlib.Path("/proc", number).exists():
            left.unlink(missing_ok=True)
