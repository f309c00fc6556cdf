"""The engines that clients mean, one connection per endpoint. A client's own variables go with each of its requests."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Callable

from devenv.api.context import ClientContext
from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.endpoint import DEFAULT_URL, Endpoint
from devenv.environment.image.nearby import Nearby
from devenv.errors import EngineError
from devenv.hosts import destination, failures
from devenv.hosts.book import LOCAL
from devenv.hosts.choose import Chooser, sockets_folder
from devenv.hosts.connection import Connection, Connections
from devenv.hosts.version import is_too_old


class Engines:
    """`on_new` is told of each engine that is met for the first time, so that its events can be followed.

    Concurrency: engines are connected to one by one for each address; one that does not answer holds up nobody else.
    """

    def __init__(self, state: pathlib.Path, on_new: Callable[[DockerEngine], None]) -> None:
        self.chooser = Chooser(sockets_folder(state))
        self.connections = Connections()
        self._on_new = on_new
        self._connected: dict[str, DockerEngine] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def endpoint(self, ctx: ClientContext) -> Endpoint:
        """The address that the client means; nothing is connected. Raises what `Chooser.endpoint` does."""
        return self.chooser.endpoint(ctx.env)

    def connection(self, endpoint: Endpoint) -> Connection | None:
        """What carries the address; None where nothing has to."""
        path = endpoint.socket_path
        if not endpoint.ssh or path is None:
            return None
        return self.connections.to(destination.parse(endpoint.ssh), pathlib.Path(path))

    def carrier(self, endpoint: Endpoint) -> Connection | None:
        """As `connection`, where one has been made."""
        return self.connections.at(endpoint.socket_path)

    def round_trip(self, endpoint: Endpoint) -> float | None:
        """Seconds, where they are known."""
        found = self.connections.at(endpoint.socket_path)
        return found.round_trip if found is not None and found.connected else None

    def holds(self, endpoint: Endpoint) -> bool:
        return endpoint.url in self._connected

    async def engine_for(self, ctx: ClientContext) -> DockerEngine:
        """Raises EngineMissing, EngineDenied and EngineError; a later call may succeed."""
        return await self.engine_at(self.endpoint(ctx), ctx)

    async def engine_at(self, endpoint: Endpoint, ctx: ClientContext) -> DockerEngine:
        """As `engine_for`, of a given address."""
        carrier = self.connection(endpoint)
        if carrier is not None:
            await carrier.ready(ctx.env)
        async with self._locks.setdefault(endpoint.url, asyncio.Lock()):
            engine = self._connected.get(endpoint.url)
            if engine is None:
                engine = await DockerEngine.open(endpoint, ctx.env)
                if endpoint.name and is_too_old(engine.api_version):
                    info = await engine.info()
                    await engine.close()
                    raise failures.too_old(endpoint.shown, info.version, info.api_version)
                engine.limits = carrier.machine.limits if carrier is not None else None
                if carrier is not None:
                    carrier.listen(engine.wake)
                self._connected[endpoint.url] = engine
                self._on_new(engine)
        return engine.for_client(ctx.env, endpoint)

    async def awake(self, endpoint: Endpoint, ctx: ClientContext) -> None:
        """A host whose connection is lost is tried at once, because somebody asks. Raises why it cannot be reached."""
        carrier = self.connections.at(endpoint.socket_path)
        if carrier is not None and not carrier.connected:
            await carrier.ready(ctx.env)

    async def nearby(self, ctx: ClientContext) -> Nearby | None:
        """This machine's own engine, where the client means another one's and this machine has one that answers."""
        there = self.endpoint(ctx)
        if not there.remote:
            return None
        own = self.chooser.named(LOCAL, ctx.env)
        if own.remote:
            own = Endpoint(DEFAULT_URL, "default")
        try:
            return Nearby(await self.engine_at(own, ctx), there.name or there.shown)
        except EngineError:
            return None

    async def let_go(self, endpoint: Endpoint) -> None:
        """Of a host that nothing here is on: neither engine nor connection are kept."""
        engine = self._connected.pop(endpoint.url, None)
        if engine is not None:
            await engine.close()
        path = endpoint.socket_path
        if endpoint.ssh and path is not None:
            await self.connections.drop(pathlib.Path(path))

    async def close(self) -> None:
        for engine in self._connected.values():
            await engine.close()
        await self.connections.close()
