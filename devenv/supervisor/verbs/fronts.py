"""leave, opening: what front ends that watch an environment settle among each other."""

from __future__ import annotations

from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import LeaveArgs, OpeningArgs, StopArgs
from devenv.api.sentences import pending
from devenv.errors import DevenvError, LiveRuns
from devenv.supervisor.connection import Connection
from devenv.supervisor.registry import Registry
from devenv.supervisor.verbs.environment import EnvironmentVerbs
from devenv.supervisor.workbench import Workbench

_STOPS = ("stopContainer", "stopCompose")


class FrontVerbs:
    def __init__(self, registry: Registry, environment: EnvironmentVerbs) -> None:
        self._registry = registry
        self._environment = environment

    async def opening(self, args: OpeningArgs, ctx: ClientContext, connection: Connection) -> Any:
        """Of all front ends that see a server begin, the first one that asks opens the browser."""
        bench = await self._registry.find(args, ctx)
        return {"granted": bench.forwarder.claim_opening(args.port, args.since)}

    async def leave(self, args: LeaveArgs, ctx: ClientContext, connection: Connection) -> Any:
        """`shutdownAction`, where a configuration writes one: environments outlive windows unless it asks for the stop
        (spec, *shutdownAction*). Whatever is still used goes on."""
        bench = await self._registry.find(args, ctx)
        action = self._registry.merged(bench).shutdown_action
        name = bench.target.name
        if action not in _STOPS or not bench.running:
            return {"stopped": False, "sentence": ""}
        await bench.refresh_runs()
        if why := needed(bench, args.front):
            return {"stopped": False, "sentence": f"{name} goes on, although shutdownAction is {action}: {why}"}
        try:
            await self._environment.stop(StopArgs(folder=args.folder, config=args.config), ctx, connection)
        except LiveRuns as error:  # one has just begun
            return {"stopped": False, "sentence": f"{name} goes on: {error.message}"}
        except DevenvError as error:
            return {"stopped": False, "sentence": f"{name} could not be stopped: {error.message}"}
        return {
            "stopped": True,
            "sentence": f"{name} is stopped, as its shutdownAction asks ({action}); `devenv start` continues",
        }


def needed(bench: Workbench, front: str) -> str:
    """Why the environment must not stop because one window was closed; "" when nothing speaks against it."""
    if bench.adopted:
        return "another tool made its container and may be using it"
    if any(other != front for other in bench.fronts):
        return "another window shows it"
    live = [record["name"] for record in bench.runs.live() if record["kind"] != "service"]
    if live:
        return f"{', '.join(live)} still run{'s' * (len(live) == 1)} (`devenv stop --force` ends what runs)"
    if bench.operation is not None and bench.operation.running:
        return pending(bench.pending) if bench.pending else f"`devenv {bench.operation.verb}` is at work"
    if bench.guests:
        return "a command or a shell is open in it"
    if not bench.forwarder.idle:
        return "somebody is connected to one of its ports"
    return ""
