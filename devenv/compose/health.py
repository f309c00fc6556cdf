"""Health checks that nobody else runs, while Compose waits for services to become healthy.

Podman leaves the checks to timers of systemd. On a machine without systemd there are none, and Compose would wait for
ever. Each check is run in its interval, as an engine would do it, and only until its service is healthy.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from devenv.compose.project import PROJECT_LABEL
from devenv.engine.port import ContainerSnapshot, Engine
from devenv.errors import DevenvError

BOOTED_BY_SYSTEMD = pathlib.Path("/run/systemd/system")  # sd_booted(3)
NOTE = (
    "Podman runs health checks by timers of systemd, which this machine does not have: devenv runs them until the "
    "services are healthy, nobody after that"
)
_LOOK = 0.2  # seconds between looks
_SECOND = 1_000_000_000
_USUAL = 30.0  # seconds, interval and time limit where none are written


@contextlib.asynccontextmanager
async def kept(
    engine: Engine, project: str, tell: Callable[[str], None], *, systemd: pathlib.Path = BOOTED_BY_SYSTEMD
) -> AsyncIterator[None]:
    """Checks are run inside, where the engine does not; `tell` gets NOTE with the first one."""
    info = await engine.info()
    if not info.is_podman or (info.is_local_socket and await asyncio.to_thread(systemd.is_dir)):
        yield
        return
    task = asyncio.create_task(_Checks(engine, project, tell).run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class _Checks:
    def __init__(self, engine: Engine, project: str, tell: Callable[[str], None]) -> None:
        self._engine = engine
        self._project = project
        self._tell = tell
        self._due: dict[str, float] = {}

    async def run(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            with contextlib.suppress(DevenvError):  # the engine's own trouble is Compose's to tell
                for container in await self._engine.find({PROJECT_LABEL: self._project}):
                    if not container.running or not (check := _wanted(container)):
                        continue
                    if now() < self._due.setdefault(container.id, now() + _seconds(check, "Interval")):
                        continue
                    await self._check(container, _seconds(check, "Timeout"))
                    self._due[container.id] = now() + _seconds(check, "Interval")
            await asyncio.sleep(_LOOK)  # checks are due by the clock: there is no event to wait for

    async def _check(self, container: ContainerSnapshot, limit: float) -> None:
        self._tell(NOTE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._engine.check_health(container.id)


def _wanted(container: ContainerSnapshot) -> Mapping[str, Any]:
    """The health check of a service that is not healthy yet; empty where there is nothing to check."""
    check = (container.raw.get("Config") or {}).get("Healthcheck") or {}
    status = ((container.raw.get("State") or {}).get("Health") or {}).get("Status")
    words = check.get("Test") or ["NONE"]
    return check if words[0] != "NONE" and status != "healthy" else {}


def _seconds(check: Mapping[str, Any], key: str) -> float:
    return int(check.get(key) or 0) / _SECOND or _USUAL
