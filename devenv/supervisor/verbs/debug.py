"""debug: a run under debugpy, and the one door that leads to it."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import DebugArgs, IdeArgs
from devenv.api.views import DebugView, PortView
from devenv.debug.door import door_port
from devenv.debug.launch_json import Entry, update
from devenv.runs.history import to_view
from devenv.supervisor.connection import Connection
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.registry import Registry
from devenv.supervisor.verbs.runs import RunVerbs
from devenv.supervisor.workbench import Workbench

DOOR = "debugger"


class DebugVerbs:
    def __init__(self, registry: Registry, launcher: Launcher, runs: RunVerbs) -> None:
        self._registry = registry
        self._launcher = launcher
        self._runs = runs

    async def open_door(self, bench: Workbench) -> PortView | None:
        """The environment's one debug port; stable, from the project's name. None where the network is the host's."""
        container = bench.container
        if container is None or container.network_mode == "host":
            return None
        return await bench.forwarder.expose_door(DOOR, self._preferred(bench), bench.sessions.target)

    def _preferred(self, bench: Workbench) -> int:
        configured = self._registry.config(bench).debug.port
        return configured or door_port(bench.target.name)

    async def debug(self, args: DebugArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        spec = await self._launcher.debug_spec(bench, args, ctx)
        door = await self.open_door(bench)
        if args.launch_json and door is not None:
            await self._write_launch_json(bench, args, door, connection, ctx.umask)
        record = await self._launcher.start(bench, spec)
        port = await bench.sessions.ready(record["id"])
        waits = bool(spec.meta["debug"]["wait"])
        where = f"{door.host}:{door.host_port}" if door else f"127.0.0.1:{port} (the host's own network)"
        said = f"devenv: debugger ready at {where}"
        said += "; the program waits for it" if waits else ""
        if args.detach:
            note = f"; {door.note}" if door and door.note else ""
            text = f"{said}{note}\n{record['name']} runs: {record['id']}  (devenv attach)"
            return {"run": to_view(record), "debug": self.view(bench), "text": text}
        connection.note(said)
        if door and door.note:
            connection.note(f"devenv: {door.note}")
        connection.start_stream()
        await self._runs.follow(bench, record["id"], ctx, connection, tty=spec.tty is not None)
        return None

    async def _write_launch_json(
        self, bench: Workbench, args: DebugArgs, door: PortView, connection: Connection, umask: int
    ) -> None:
        """Keeps .vscode/launch.json's entry right, and says so where it is not ours to change."""
        assert door.host_port is not None
        config = self._registry.config(bench)
        entry = Entry(
            port=door.host_port,
            preferred=self._preferred(bench),
            remote_root=bench.paths.container,
            just_my_code=args.just_my_code if args.just_my_code is not None else config.debug.just_my_code,
            subprocess=args.subprocess is not False,
        )
        merged = await asyncio.to_thread(update, pathlib.Path(bench.target.local_folder), entry, umask=umask)
        if merged.note:
            connection.note(f"devenv: {merged.note}")

    def view(self, bench: Workbench) -> DebugView | None:
        """What screens and `status` show of the door; None before it exists."""
        for port in bench.forwarder.table():
            if port.source == "debug" and port.host_port is not None:
                return bench.sessions.view(port.host_port, host=port.host, connections=port.connections, note=port.note)
        return None

    async def ide(self, args: IdeArgs, ctx: ClientContext, connection: Connection) -> Any:
        from devenv.ide.editors import EDITORS, show

        bench = await self._registry.find(args, ctx)
        door = await self.open_door(bench)
        port = door.host_port if door and door.host_port else self._preferred(bench)
        if not args.editor:
            return {"editors": list(EDITORS), "text": "\n".join(EDITORS)}
        return {"text": show(args.editor, port=port, workspace=bench.paths)}
