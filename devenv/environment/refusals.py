"""Why the engine has refused a container, asked of this machine and of the engine: never read out of a message."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

from devcontainer import mounts
from devenv.engine.host_ports import holder, published_loopback
from devenv.engine.port import ContainerSnapshot
from devenv.environment.shape import Shape
from devenv.environment.target import Target
from devenv.errors import ConfigError, PortTaken, Problem


async def missing_source(target: Target, wanted: Shape) -> ConfigError | None:
    """Bind mounts of what is not there. No engine makes it; Compose does, but only for mounts of its own files."""
    missing = []
    for mount in wanted.mounts:
        if mount.type == "bind" and mount.source and not await asyncio.to_thread(os.path.lexists, mount.source):
            missing.append(_problem(target, mount.source))
    return ConfigError(missing, "create it, or change the mount") if missing else None


def _problem(target: Target, source: str) -> Problem:
    written = target.config.raw.get("mounts")
    found = mounts.parse_all(written) if isinstance(written, list) else ()
    index = next((f".{at}" for at, mount in enumerate(found) if mount.source == source), "")
    return target.problem(f"mounts{index}", f"there is no {source} on this machine to mount")


async def taken_port(containers: Iterable[ContainerSnapshot], change: str) -> PortTaken | None:
    """Of containers that do not run: a port of this machine that one publishes and somebody else has. `change` names
    where it is written."""
    for container in containers:
        for address, port in published_loopback(container.raw) if not container.running else ():
            if (who := await asyncio.to_thread(holder, address, port)) is not None:
                return PortTaken(
                    f"port {port} of this machine, which container {container.name} publishes, is taken by {who}",
                    f"stop it, or change {change}",
                    details={"port": port, "holder": who},
                )
    return None
