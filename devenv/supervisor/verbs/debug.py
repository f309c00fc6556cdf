"""debug: a run under debugpy, and the one door that leads to it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import DebugArgs
from devenv.api.views import PortView
from devenv.debug.entry import plan as entry
from devenv.debug.entry.members import Member
from devenv.debug.sessions import Session
from devenv.debug.versions import cost
from devenv.runs.history import to_view
from devenv.runs.spec import RunSpec
from devenv.supervisor.asides import tell_pending
from devenv.supervisor.connection import Connection
from devenv.supervisor.door import Door
from devenv.supervisor.editor_files import EditorFiles
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.registry import Registry
from devenv.supervisor.verbs.runs import RunVerbs
from devenv.supervisor.workbench import Workbench

_LAST_WORDS = 2.0  # seconds after a run's end, to say that none of its ranks came
_RANKS_COME = 60.0  # seconds in which a launcher starts its ranks, for one who does not stay to look


class DebugVerbs:
    def __init__(self, registry: Registry, launcher: Launcher, runs: RunVerbs, door: Door, files: EditorFiles) -> None:
        self._registry = registry
        self._door = door
        self._files = files
        self._launcher = launcher
        self._runs = runs

    async def debug(self, args: DebugArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        door = await self._door.open(bench)
        place = f"{door.host}:{door.host_port}" if door else ""
        spec = await self._launcher.debug_spec(bench, args, ctx, place)
        tell_pending(bench, ctx, connection)
        record = await self._launcher.start(bench, spec)
        await self._door.open_sessions(bench)
        await self._keep(bench, args, ctx, connection)
        if not args.detach:
            connection.start_stream()  # from here on Ctrl-C is the program's, also while the debugger starts
        entered = spec.meta["debug"].get("entry")
        if entered is None:
            ready = self._ready(bench, record, spec, door)
        elif entered["mode"] == entry.POST_MORTEM:
            ready = _when_it_fails(place)
        else:
            ready = self._ranks(bench, record, entered["ranks"], args, ctx, connection)
        more = [door.note] if door and door.note else []
        if args.detach:
            said = [f"devenv: {line}" for line in [*await ready, *more]]
            text = "\n".join([*said, f"{record['name']} runs: {record['id']}  (devenv attach)"])
            return {"run": to_view(record), "debug": self._door.view(bench), "text": text}
        if entered is None:
            await _tell(ready, more, connection)
            await self._runs.follow(bench, record["id"], ctx, connection, tty=spec.tty is not None)
            return None
        telling = asyncio.ensure_future(_tell(ready, more, connection))
        try:
            ended = await self._runs.stream_run(bench, record["id"], ctx, connection, tty=spec.tty is not None)
            await asyncio.wait({telling}, timeout=_LAST_WORDS)
            await self._runs.finish(connection, ended)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        return None

    async def _keep(
        self, bench: Workbench, args: DebugArgs, ctx: ClientContext, connection: Connection, *, joined: bool = False
    ) -> None:
        """VS Code's file leads to the debugger; with `joined`, to each of the ranks as well."""
        if args.launch_json and self._door.view(bench) is not None:
            facts = self._files.facts(bench, just_my_code=args.just_my_code, subprocess=args.subprocess, joined=joined)
            await self._files.keep(bench, ctx.umask, connection, facts, attach=True)

    async def _ready(
        self, bench: Workbench, record: Mapping[str, Any], spec: RunSpec, door: PortView | None
    ) -> list[str]:
        port = await bench.sessions.ready(record["id"])
        where = f"{door.host}:{door.host_port}" if door else f"127.0.0.1:{port} (the host's own network)"
        waits = "; the program waits for it" if spec.meta["debug"]["wait"] else ""
        python = await self._launcher.interpreter(bench, spec.program.python, env=spec.env, cwd=spec.cwd)
        costs = cost(python)
        return [f"debugger ready at {where}{waits}", *([costs] if costs else [])]

    async def _ranks(
        self,
        bench: Workbench,
        record: Mapping[str, Any],
        asked: Sequence[int] | None,
        args: DebugArgs,
        ctx: ClientContext,
        connection: Connection,
    ) -> list[str]:
        most = _RANKS_COME if args.detach else math.inf
        found = await self._door.members(bench, record["id"], None if asked is None else tuple(asked), most)
        sessions = bench.sessions.of_run(record["id"])
        await self._keep(bench, args, ctx, connection, joined=True)
        return told(found, {session.process: session for session in sessions}, asked)


async def _when_it_fails(place: str) -> list[str]:
    where = f" at {place}" if place else ""
    return [f"no debugger until an exception is not caught; then it waits for one{where}"]


async def _tell(ready: Awaitable[list[str]], more: Sequence[str], connection: Connection) -> None:
    for line in [*await ready, *more]:
        connection.note(f"devenv: {line}")


def told(found: Sequence[Member], sessions: Mapping[int, Session], asked: Sequence[int] | None) -> list[str]:
    """Where each rank's debugger is."""
    lines = []
    for member in found:
        session = sessions.get(member.pid)
        if session is not None:
            port = f"port {session.host_port}" if session.host_port else "no port of its own (the host's own network)"
            lines.append(f"{member.title}: debugger at {port}" + ("; it waits" if session.wait else ""))
    missing = sorted({*(asked or ())} - {member.rank for member in found if member.rank is not None})
    if missing:
        lines.append(f"no process came with rank {', '.join(map(str, missing))}")
    elif not found:
        lines.append("no process came with a rank, so nothing was debugged; --rank none debugs the program itself")
    return lines
