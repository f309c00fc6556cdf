"""The host ports where an environment's debuggers are reached: one that never changes, and one for each session."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time

from devenv.api.views import DebugView, PortView
from devenv.debug.door import door_port
from devenv.debug.entry.members import Member, complete
from devenv.debug.sessions import Place, Session
from devenv.errors import DebugError, DevenvError, LinkError
from devenv.forward.listener import alternative
from devenv.supervisor.registry import Registry
from devenv.supervisor.workbench import Workbench

_NAME = "debugger"
_LOOK = 1.0  # seconds between looks for processes that a run has brought under the debugger
_LOOK_FIRST = 0.2  # while ranks are expected
_QUIET = 5.0  # seconds without a new one, after which those of a launcher that does not say how many are all


class Door:
    """The forwarder holds the listeners, the sessions know where they lead."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._watched: set[tuple[str, str]] = set()  # (environment, run)

    def preferred(self, bench: Workbench) -> int:
        """The configured port, else the one that follows from the project's name. ConfigError."""
        return self._registry.config(bench).debug.port or door_port(bench.target.name)

    async def open(self, bench: Workbench) -> PortView | None:
        """Safe to repeat. None where the network is the host's: there is nothing to forward."""
        container = bench.container
        if container is None or container.network_mode == "host":
            return None
        door = await bench.forwarder.expose_door(_NAME, self.preferred(bench), bench.sessions.target)
        if door.host_port is not None:
            defaults = {"justMyCode": self._registry.config(bench).debug.just_my_code}
            bench.sessions.place = Place(door.host_port, bench.paths.host, bench.paths.container, defaults)
        await self.open_sessions(bench)
        return door

    async def open_sessions(self, bench: Workbench) -> None:
        """Each live session gets its port, the same for the same name every time. Safe to repeat."""
        for session in bench.sessions.live():
            if session.host_port is not None or bench.sessions.place is None:
                continue
            name = f"{_NAME} {session.name}"
            target = functools.partial(bench.sessions.target_of, session.run)
            view = await bench.forwarder.expose_door(name, alternative(bench.target.key, name), target)
            session.host_port = view.host_port
            bench.start(self._close_at_end(bench, session, name), name)
        for run in bench.sessions.entered():
            if (bench.target.key, run) not in self._watched:
                self._watched.add((bench.target.key, run))
                bench.start(self._watch_members(bench, run), f"members of {run}")

    async def members(self, bench: Workbench, run: str, ranks: tuple[int, ...] | None, most: float) -> list[Member]:
        """Waits until the ranks of a run are there, each with its port, or the run has ended, or `most` seconds."""
        found: list[Member] = []
        began = changed = time.monotonic()
        while run in bench.sessions.entered() and time.monotonic() < began + most:
            with contextlib.suppress(LinkError, DebugError):  # a link that was cut is opened again
                before, found = found, await bench.sessions.find_members(run)
                if found != before:
                    changed = time.monotonic()
                said = any(member.count for member in found)
                if complete(found, ranks) or (found and not said and time.monotonic() > changed + _QUIET):
                    await self.open_sessions(bench)
                    await bench.sessions.all_ready(run)
                    break
            await asyncio.sleep(_LOOK_FIRST)
        return found

    async def _watch_members(self, bench: Workbench, run: str) -> None:
        before: list[str] = []
        try:
            while run in bench.sessions.entered():
                with contextlib.suppress(DevenvError):
                    await bench.sessions.find_members(run)
                    now = [session.run for session in bench.sessions.of_run(run)]
                    if now != before:
                        before = now
                        await self.open_sessions(bench)
                        bench.changes.touch()
                await asyncio.sleep(_LOOK)
        finally:
            self._watched.discard((bench.target.key, run))

    async def _close_at_end(self, bench: Workbench, session: Session, name: str) -> None:
        await session.ended.wait()
        bench.forwarder.close_door(name)

    def view(self, bench: Workbench) -> DebugView | None:
        """What screens and `status` show of it; None before it is open."""
        for port in bench.forwarder.table():
            if port.label == _NAME and port.source == "debug" and port.host_port is not None:
                return bench.sessions.view(port.host_port, host=port.host, connections=port.connections, note=port.note)
        return None
