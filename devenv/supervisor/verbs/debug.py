"""debug: a run under debugpy, and the one door that leads to it."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import DebugArgs, IdeArgs
from devenv.api.views import PortView
from devenv.debug.launch_json import Entry, update
from devenv.runs.history import to_view
from devenv.supervisor.connection import Connection
from devenv.supervisor.door import Door
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.registry import Registry
from devenv.supervisor.verbs.runs import RunVerbs
from devenv.supervisor.workbench import Workbench


class DebugVerbs:
    def __init__(self, registry: Registry, launcher: Launcher, runs: RunVerbs, door: Door) -> None:
        self._registry = registry
        self._door = door
        self._launcher = launcher
        self._runs = runs

    async def debug(self, args: DebugArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        spec = await self._launcher.debug_spec(bench, args, ctx)
        door = await self._door.open(bench)
        if args.launch_json and door is not None:
            await self._write_launch_json(bench, args, door, connection, ctx.umask)
        record = await self._launcher.start(bench, spec)
        if not args.detach:
            connection.start_stream()  # from here on Ctrl-C is the program's, also while the debugger starts
        port = await bench.sessions.ready(record["id"])
        waits = bool(spec.meta["debug"]["wait"])
        where = f"{door.host}:{door.host_port}" if door else f"127.0.0.1:{port} (the host's own network)"
        said = f"devenv: debugger ready at {where}"
        said += "; the program waits for it" if waits else ""
        if args.detach:
            note = f"; {door.note}" if door and door.note else ""
            text = f"{said}{note}\n{record['name']} runs: {record['id']}  (devenv attach)"
            return {"run": to_view(record), "debug": self._door.view(bench), "text": text}
        connection.note(said)
        if door and door.note:
            connection.note(f"devenv: {door.note}")
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
            preferred=self._door.preferred(bench),
            remote_root=bench.paths.container,
            just_my_code=args.just_my_code if args.just_my_code is not None else config.debug.just_my_code,
            subprocess=args.subprocess is not False,
        )
        merged = await asyncio.to_thread(update, pathlib.Path(bench.target.local_folder), entry, umask=umask)
        if merged.note:
            connection.note(f"devenv: {merged.note}")

    async def ide(self, args: IdeArgs, ctx: ClientContext, connection: Connection) -> Any:
        from devenv.ide.editors import EDITORS, show

        bench = await self._registry.find(args, ctx)
        door = await self._door.open(bench)
        port = door.host_port if door and door.host_port else self._door.preferred(bench)
        if not args.editor:
            return {"editors": list(EDITORS), "text": "\n".join(EDITORS)}
        return {"text": show(args.editor, port=port, workspace=bench.paths)}
