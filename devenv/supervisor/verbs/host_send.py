"""host send: an image of this machine's engine to another one's, by hand."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import HostArgs
from devenv.engine.moving import full_name, move
from devenv.errors import EngineMissing, UsageError
from devenv.hosts.choose import VARIABLE
from devenv.supervisor.connection import Connection
from devenv.supervisor.operation import Telling
from devenv.supervisor.registry import Registry


async def send(registry: Registry, args: HostArgs, ctx: ClientContext, connection: Connection) -> dict[str, Any]:
    """`args.name` is the image, `args.address` the host. Raises what `devenv.engine.moving.move` does."""
    if not args.name or not args.address:
        raise UsageError("host send needs an image and a host", "devenv host send python:3.11 gpu-box")
    there = dataclasses.replace(ctx, env={**ctx.env, VARIABLE: args.address})
    engines = registry.engines
    if not engines.endpoint(there).remote:
        raise UsageError(f"{args.address} is this machine's own engine", "`devenv host ls` lists the others")
    target = await engines.engine_for(there)
    near = await engines.nearby(there)
    if near is None:
        raise EngineMissing("this machine has no engine that could send an image", "see `docker info`")
    telling = Telling(asyncio.get_running_loop(), connection.send)
    folder = registry.state / "cache" / "images"
    moved = await move(near.engine, target, args.name, telling, to=args.address, folder=folder)
    return {
        "image": full_name(args.name),
        "id": moved.image.id,
        "host": args.address,
        "layers_sent": moved.layers_sent,
        "layers_there": moved.layers_there,
        "bytes": moved.bytes,
    }
