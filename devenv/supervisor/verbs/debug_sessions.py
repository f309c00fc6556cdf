"""debug --list and --select: the sessions of an environment, and which of them its door leads to."""

from __future__ import annotations

from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import DebugSessionsArgs
from devenv.api.views import DebugSessionView
from devenv.debug.sessions import Session
from devenv.supervisor.connection import Connection
from devenv.supervisor.door import Door
from devenv.supervisor.registry import Registry
from devenv.supervisor.workbench import Workbench


class DebugSessionVerbs:
    def __init__(self, registry: Registry, door: Door) -> None:
        self._registry = registry
        self._door = door

    async def sessions(self, args: DebugSessionsArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        bench.require_running()
        await bench.link()
        await self._door.open(bench)
        await bench.sessions.look()
        if args.select:
            bench.sessions.choose(args.select)
            bench.changes.touch()
        leading = bench.sessions.leading()
        views = [await self._view(bench, session, leading) for session in bench.sessions.live()]
        return {"sessions": views, "debug": self._door.view(bench)}

    async def _view(self, bench: Workbench, session: Session, leading: Session | None) -> DebugSessionView:
        said = await bench.sessions.status(session)
        at = said.get("at") or {}
        path = bench.paths.to_host(str(at.get("path") or "")) or str(at.get("path") or "")
        children = said.get("children") or {}
        pid = session.process or session.record.get("pid") or None
        return DebugSessionView(
            name=session.name,
            run=str(session.record.get("id") or session.run),
            pid=pid if isinstance(pid, int) else None,
            port=session.host_port,
            state=_state(session, said),
            at=f"{path}:{at.get('line')}" if said.get("held") and at else "",
            chosen=session is leading,
            silent_children=sum(1 for state in children.values() if state == "silent"),
        )


def _state(session: Session, said: Any) -> str:
    if said.get("held"):
        return "left"
    if said.get("clients"):
        return "stopped" if said.get("stopped") else "attached"
    return "waiting" if session.waiting else "running"
