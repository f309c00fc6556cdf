"""The engines that clients mean, one connection per endpoint. A client's own variables go with each of its requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from devenv.api.context import ClientContext
from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.endpoint import resolve


class Engines:
    """`on_new` is told of each engine that is met for the first time, so that its events can be followed."""

    def __init__(self, on_new: Callable[[DockerEngine], None]) -> None:
        self._on_new = on_new
        self._connected: dict[str, DockerEngine] = {}
        self._lock = asyncio.Lock()

    async def engine_for(self, ctx: ClientContext) -> DockerEngine:
        """Raises EngineMissing, EngineDenied and EngineError; a later call may succeed."""
        endpoint = resolve(ctx.env)
        async with self._lock:
            engine = self._connected.get(endpoint.url)
            if engine is None:
                engine = await DockerEngine.connect(ctx.env)
                self._connected[endpoint.url] = engine
                self._on_new(engine)
        return engine.for_client(ctx.env)

    async def close(self) -> None:
        for engine in self._connected.values():
            await engine.close()
