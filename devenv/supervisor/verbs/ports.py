"""ports, forward, services, address: what listens inside and where it is here."""

from __future__ import annotations

from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import Args, ForwardArgs, ServiceArgs
from devenv.errors import NotFound, Refused
from devenv.supervisor.connection import Connection
from devenv.supervisor.live import Live
from devenv.supervisor.registry import Registry


class PortVerbs:
    def __init__(self, registry: Registry, live: Live) -> None:
        self._registry = registry
        self._live = live

    async def ports(self, args: Args, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        if bench.running:
            await self._live.connect(bench, None)
        views = bench.forwarder.table()
        reverse = [{"port": port, "host_port": host_port} for port, host_port in sorted(bench.reverse.ports.items())]
        return {"ports": [_without_secret(view) for view in views], "reverse": reverse}

    async def forward(self, args: ForwardArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        container = bench.require_running()
        await self._live.connect(bench, None)
        if args.reverse:
            if container.network_mode == "host":
                raise Refused("the container uses the host's network: it reaches the host's ports by itself")
            await bench.link()  # NoPython says why it cannot be had without an agent
            host_port = args.host_port or args.port
            await bench.reverse.add(args.port, host_port)
            return {"port": args.port, "host_port": host_port, "reverse": True}
        return await bench.forwarder.expose(
            args.port, host=args.host, host_port=args.host_port, label=args.label, source="configured"
        )

    async def services(self, args: ServiceArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        bench.require_running()
        await self._live.connect(bench, None)
        book = await self._live.find_services(bench)
        link = await bench.link()
        if args.action in ("stop", "restart"):
            await book.stop(args.name, link)
        if args.action in ("start", "restart"):
            await book.start(args.name, link, bench.forwarder)
        return {"services": [_without_secret(view) for view in book.views()]}

    async def address(self, args: ServiceArgs, ctx: ClientContext, connection: Connection) -> Any:
        """For `devenv open`: the only answer that holds a token, asked for by name."""
        bench = await self._registry.find(args, ctx)
        bench.require_running()
        await self._live.connect(bench, None)
        book = await self._live.find_services(bench)
        for service in book.views():
            if service.name == args.name and service.url:
                return {"url": service.url, "secret_url": service.secret_url or service.url}
        for port in bench.forwarder.table():
            if args.name in (str(port.port), str(port.host_port), port.label) and port.host_port:
                url = port.url or f"http://{port.host}:{port.host_port}"
                return {"url": url, "secret_url": port.secret_url or url}
        raise NotFound(f"nothing called {args.name!r} has an address", "see: devenv ports and devenv services")


def _without_secret(view: Any) -> Any:
    """Lists are printed and logged: the token stays with who asks for one address."""
    return type(view)(**{name: getattr(view, name) for name in view.__struct_fields__ if name != "secret_url"})
