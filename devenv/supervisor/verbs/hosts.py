"""host: the machines that have an engine, by the person's own names."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import HostArgs
from devenv.api.views import HostCheckView, HostView
from devenv.engine.endpoint import Endpoint
from devenv.errors import DevenvError, EngineError, UsageError
from devenv.hosts import book, check, failures
from devenv.hosts.book import KINDS, LOCAL, Book, Host
from devenv.hosts.choose import VARIABLE
from devenv.supervisor.connection import Connection
from devenv.supervisor.registry import Registry
from devenv.supervisor.verbs import host_send

_PATIENCE = 6.0  # seconds for hosts that do not answer, in a list


class HostVerbs:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def host(self, args: HostArgs, ctx: ClientContext, connection: Connection) -> Any:
        if args.action == "send":
            return await host_send.send(self._registry, args, ctx, connection)
        does = {"ls": self._ls, "add": self._add, "rm": self._rm, "use": self._use, "check": self._check}.get(
            args.action
        )
        if does is None:
            raise UsageError(f"host: {args.action!r} is no action", "one of ls, add, rm, use, check, send")
        return await does(args, ctx)

    def _path(self, ctx: ClientContext) -> pathlib.Path:
        path = book.path_for(ctx.env)
        if path is None:
            raise UsageError("neither HOME nor XDG_CONFIG_HOME is set: there is no place for names of hosts")
        return path

    async def _add(self, args: HostArgs, ctx: ClientContext) -> Any:
        if not args.name or not args.address:
            raise UsageError("host add needs a name and an address", "devenv host add gpu-box me@gpu.example")
        kind, address = _kind(args.address)
        tls = str(pathlib.Path(ctx.cwd, args.tls)) if args.tls else ""
        host = book.checked(args.name, kind, address, tls)
        path = self._path(ctx)
        known = self._registry.engines.chooser.book(ctx.env).hosts.get(args.name)
        if known is not None and known != host:
            self._refuse_used(args.name, "another address")
        await asyncio.to_thread(book.add, path, host)
        return {"name": host.name, "kind": host.kind, "address": host.address, "file": str(path)}

    async def _rm(self, args: HostArgs, ctx: ClientContext) -> Any:
        self._registry.engines.chooser.book(ctx.env).require(args.name)
        await asyncio.to_thread(book.remove, self._path(ctx), args.name)
        left = [
            bench.target.name for bench in self._registry.all() if bench.container and bench.endpoint.name == args.name
        ]
        return {"name": args.name, "environments": left}

    async def _use(self, args: HostArgs, ctx: ClientContext) -> Any:
        if not args.name:
            raise UsageError("host use needs a name", "`devenv host ls` lists them; `local` is this machine's engine")
        await asyncio.to_thread(book.use, self._path(ctx), args.name)
        return {"default": args.name}

    def _refuse_used(self, name: str, what: str) -> None:
        held = [bench.target.name for bench in self._registry.all() if bench.container and bench.endpoint.name == name]
        if held:
            raise UsageError(
                f"{name} has environments ({', '.join(held)}): {what} would lose them", "take them down first"
            )

    async def _ls(self, args: HostArgs, ctx: ClientContext) -> Any:
        """Every host at once; one that is slow to answer is told as such."""
        own = self._registry.engines.chooser.book(ctx.env)
        asked: list[tuple[str, Host | None]] = [(LOCAL, None), *own.hosts.items()]
        for other in self._registry.where.elsewhere(ctx):
            name = other.env[VARIABLE]
            if name not in own.hosts:
                asked.append((name, None))
        views = await asyncio.gather(*(self._view(name, host, own, ctx) for name, host in asked))
        return {"hosts": list(views), "file": str(own.file)}

    async def _view(self, name: str, host: Host | None, own: Book, ctx: ClientContext) -> HostView:
        known = name == LOCAL or host is not None
        default = name == (own.default or LOCAL)
        there = dataclasses.replace(ctx, env={**ctx.env, VARIABLE: name})
        engines = self._registry.engines
        try:
            endpoint = engines.endpoint(there)
        except DevenvError as error:
            kind, address = (host.kind, host.shown) if host is not None else ("", name)
            return HostView(
                name=name,
                address=address,
                kind=kind,
                default=default,
                known=known,
                problem=error.message,
                hint=error.hint,
            )
        kind = LOCAL if name == LOCAL else host.kind if host is not None else "ssh" if endpoint.ssh else "tcp"
        held = [b.target.name for b in self._registry.all() if b.container and b.endpoint.url == endpoint.url]
        problem, hint, version = "", "", ""
        used = engines.holds(endpoint)
        try:
            async with asyncio.timeout(_PATIENCE):
                version = (await (await engines.engine_at(endpoint, there)).info()).version
        except TimeoutError:
            problem, hint = "no answer yet", f"see what is wrong: devenv host check {name}"
        except DevenvError as error:
            problem, hint = error.message, error.hint
        view = HostView(
            name=name,
            address=endpoint.shown,
            kind=kind,
            default=default,
            known=known,
            reachable=not problem,
            round_trip=engines.round_trip(endpoint),
            engine=version,
            environments=held,
            problem=problem,
            hint=hint,
        )
        if not used:
            await self._let_go(endpoint)
        return view

    async def _let_go(self, endpoint: Endpoint) -> None:
        """A host that was only looked at is not stayed connected to."""
        if endpoint.remote and not any(bench.endpoint.url == endpoint.url for bench in self._registry.all()):
            await self._registry.engines.let_go(endpoint)

    async def _check(self, args: HostArgs, ctx: ClientContext) -> Any:
        name = args.name or ctx.env.get(VARIABLE) or self._registry.engines.chooser.book(ctx.env).default or LOCAL
        there = dataclasses.replace(ctx, env={**ctx.env, VARIABLE: name})
        endpoint = self._registry.engines.endpoint(there)
        used = self._registry.engines.holds(endpoint)
        checks = [view async for view in _checked(self._registry, endpoint, there)]
        if not used:
            await self._let_go(endpoint)
        return {"name": name, "address": endpoint.shown, "checks": checks, "ok": all(view.ok for view in checks)}


async def _checked(registry: Registry, endpoint: Endpoint, ctx: ClientContext) -> Any:
    engines = registry.engines
    carrier = engines.connection(endpoint)
    if carrier is not None:
        try:
            await carrier.ready(ctx.env)
        except DevenvError as error:
            there = error.details.get("problem") in failures.BEHIND
            if there:
                yield HostCheckView(what="ssh", ok=True, said=f"{endpoint.shown}, as {carrier.machine.user}")
            yield check.failed("socket" if there else "ssh", error)
            return
        async for view in check.of_connection(carrier, endpoint):
            yield view
    try:
        engine = await engines.engine_at(endpoint, ctx)
        info = await engine.info()
    except EngineError as error:
        yield check.failed("engine", error)
        return
    async for view in check.of_engine(engine, info):
        yield view
    if carrier is not None:
        if carrier.round_trip is not None:
            yield HostCheckView(what="round trip", ok=True, said=f"{carrier.round_trip * 1000:.1f} ms")
        for view in await check.of_machine(carrier, info):
            yield view


def _kind(address: str) -> tuple[str, str]:
    """An address as people write it: context:NAME, tcp://HOST:PORT, else a destination of ssh."""
    for kind in KINDS:
        if kind != "tcp" and address.startswith(f"{kind}:") and not address.startswith(f"{kind}://"):
            return kind, address.removeprefix(f"{kind}:")
    return ("tcp", address) if address.startswith("tcp:") else ("ssh", address)
