"""build and vendor: what a team prepares ahead, so that others bring a container up quickly, or without a network."""

from __future__ import annotations

import asyncio
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import Args, BuildArgs
from devenv.environment.image.prebuild import Destination
from devenv.environment.plan import Lock, UpOptions
from devenv.errors import UsageError
from devenv.supervisor.connection import Connection
from devenv.supervisor.operation import Telling
from devenv.supervisor.registry import Registry


class ImageVerbs:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def build(self, args: BuildArgs, ctx: ClientContext, connection: Connection) -> Any:
        """Returns `images`, the names that the image has."""
        bench = await self._registry.find(args, ctx, strict=True)
        if args.push and args.output:
            raise UsageError("--push and --output name two places", "give one of them")
        if args.push and not args.images:
            raise UsageError("--push needs to know where to", "give --image REGISTRY/NAME:TAG")
        destination = Destination(
            names=tuple(args.images),
            platforms=tuple(part for value in args.platforms for part in value.split(",") if part),
            push=args.push,
            output=args.output,
        )
        options = UpOptions(
            trust=args.trust,
            agreed=tuple(args.agreed),
            no_cache=args.no_cache,
            pull=args.pull,
            cache_from=tuple(args.cache_from),
            cache_to=tuple(args.cache_to),
            lock=Lock.FROZEN if args.frozen else Lock.UPDATE,
        )
        names = await self._registry.environments.build(bench.target, ctx, options, destination, _telling(connection))
        return {"images": list(names), "pushed": args.push}

    async def vendor(self, args: Args, ctx: ClientContext, connection: Connection) -> Any:
        """Returns `written`, the files that changed, from the project's folder."""
        bench = await self._registry.find(args, ctx, strict=True)
        written = await self._registry.environments.vendor(bench.target, ctx, _telling(connection))
        return {"written": list(written), "features": list(bench.target.config.features)}


def _telling(connection: Connection) -> Telling:
    return Telling(asyncio.get_running_loop(), connection.send)
