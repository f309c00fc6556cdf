"""The editors' files of an environment: its facts for them, and what was once written kept up to date."""

from __future__ import annotations

import asyncio
import logging
import pathlib

from devenv.errors import DevenvError
from devenv.ide.facts import Address, Facts
from devenv.ide.written import keep
from devenv.supervisor.connection import Connection
from devenv.supervisor.door import Door
from devenv.supervisor.registry import Registry
from devenv.supervisor.workbench import Workbench

log = logging.getLogger("devenv.supervisor")


class EditorFiles:
    def __init__(self, registry: Registry, door: Door) -> None:
        self._registry = registry
        self._door = door

    def facts(
        self,
        bench: Workbench,
        *,
        just_my_code: bool | None = None,
        subprocess: bool | None = None,
        joined: bool = False,
    ) -> Facts:
        """As they are now; before the door is open, with the port that it will try first. The sessions that live now
        are among them: an editor's file takes them only where `ide write` was asked for. ConfigError."""
        preferred = self._door.preferred(bench)
        door = self._door.view(bench)
        configured = self._registry.config(bench).debug.just_my_code
        return Facts(
            door=Address(door.port if door else preferred),
            sessions=self._sessions(bench),
            preferred=preferred,
            local_root=bench.paths.host,
            remote_root=bench.paths.container,
            just_my_code=configured if just_my_code is None else just_my_code,
            subprocess=subprocess is not False,
            joined=joined,
        )

    def _sessions(self, bench: Workbench) -> tuple[Address, ...]:
        """Those with ports of their own; a lone one needs none beside the door."""
        live = [Address(session.host_port, session.name) for session in bench.sessions.live() if session.host_port]
        return tuple(live) if len(live) > 1 else ()

    async def keep(
        self, bench: Workbench, umask: int, connection: Connection, facts: Facts | None = None, *, attach: bool = False
    ) -> None:
        """Corrects what was written before; with `attach`, VS Code is told of the debugger in any case.

        A file that cannot be kept right is told and nothing else: what was asked for is worth more than it.
        """
        if facts is None and self._door.view(bench) is None:
            return
        try:
            facts = facts or self.facts(bench)
            folder = pathlib.Path(bench.target.local_folder)
            written = await asyncio.to_thread(lambda: list(keep(folder, facts, umask=umask, attach=attach)))
        except (DevenvError, OSError) as error:
            log.warning("env=%s the editors' files were not looked at: %s", bench.target.key, error)
            return
        for file in written:
            if file.note:
                connection.note(f"devenv: {file.note}")
