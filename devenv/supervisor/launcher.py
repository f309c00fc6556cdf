"""From what a person asked for to a started run: configuration, probed environment, resolution, keeper.

The rooms do the work (`devenv.runs`, `devenv.debug`); this file brings them together for one environment.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import DebugArgs, RunArgs, TestArgs
from devenv.debug.cache import DebugpyCache
from devenv.debug.delivery import Delivery
from devenv.debug.door import check_network
from devenv.debug.spec import DebugOptions, debug_spec, endpoints_path
from devenv.environment import link_folder
from devenv.environment.probe import ProbedEnv
from devenv.errors import NoPython
from devenv.link.port import WindowSize
from devenv.runs.history import Again, rerun
from devenv.runs.resolve import LinkFiles, resolve_run
from devenv.runs.spec import RunSpec
from devenv.runs.tests import build_test_spec, plugin_payload
from devenv.supervisor.registry import Registry
from devenv.supervisor.workbench import Workbench


class Launcher:
    """Stateless but for deliveries, which are remembered per container, and for who is probing."""

    def __init__(self, registry: Registry, cache: DebugpyCache) -> None:
        self._registry = registry
        self._cache = cache
        self._deliveries: dict[str, tuple[tuple[str, str], Delivery]] = {}  # of each environment's present start
        self._probing: dict[str, asyncio.Lock] = {}

    async def probed(self, bench: Workbench) -> ProbedEnv:
        """The remote user's environment in the container; asked for once per container start, by however many."""
        if bench.probed is not None and bench.running:
            return bench.probed
        async with self._probing.setdefault(bench.target.key, asyncio.Lock()):
            container = bench.require_running()
            if bench.probed is not None:
                return bench.probed
            found = await self._registry.environments.probe(
                bench.target, container, bench.current_link, engine=bench.engine
            )
            now = bench.container
            if now is not None and (now.id, now.started_at) == (container.id, container.started_at):
                bench.probed = found  # else it was restarted meanwhile, and the next one looks again
                bench.changes.touch()
            return found

    async def run_spec(self, bench: Workbench, args: RunArgs, ctx: ClientContext, kind: str = "run") -> RunSpec:
        bench.require_running()
        config = self._registry.config(bench)
        try:
            link = await bench.link()
        except NoPython as error:
            raise NoPython(
                f"{args.target} needs a Python in the container to be kept alive: {error.message}",
                "use an image with Python 3.6 or later; `devenv exec` runs commands without one",
            ) from error
        spec = await resolve_run(
            config,
            args.target,
            args.args,
            workspace=bench.paths,
            files=LinkFiles(link),
            probed=await self.probed(bench),
            ctx=ctx,
            tty=_window(args.tty, ctx),
            kind=kind,
        )
        env = {**spec.env, **args.env}
        return dataclasses.replace(spec, env=env, name=args.name or spec.name)

    async def debug_spec(self, bench: Workbench, args: DebugArgs, ctx: ClientContext) -> RunSpec:
        """The run under debugpy, which is delivered when it is not there yet."""
        container = bench.require_running()
        check_network(container.network_mode, allowed=args.allow_host_network)
        spec = await self.run_spec(bench, args, ctx, "debug")
        link = await bench.link()
        delivery = self._delivery(bench)
        python = spec.program.python or (await self.probed(bench)).python or "python3"
        interpreter = await delivery.interpreter(link, python, env=spec.env, cwd=spec.cwd)
        configured = self._registry.config(bench).runs.get(args.target)
        options = DebugOptions(
            wait=_first(args.wait, configured.debug.wait if configured else None, True),
            subprocess=_first(args.subprocess, configured.debug.subprocess if configured else None, True),
        )
        return debug_spec(
            spec,
            interpreter=interpreter,
            debugpy=await delivery.debugpy(link, interpreter),
            endpoints=endpoints_path(link.hello.state_dir),
            options=options,
        )

    async def prepare_debugger(self, bench: Workbench) -> None:
        """Delivers and compiles debugpy ahead of its first use. Safe to repeat; nothing depends on it."""
        probed = await self.probed(bench)
        container = bench.require_running()
        if probed.python and container.network_mode != "host":
            link = await bench.link()
            await self._delivery(bench).prepare(link, probed.python, env=probed.env, cwd=bench.paths.container)

    async def test_spec(
        self, bench: Workbench, args: TestArgs, ctx: ClientContext, first: tuple[str, ...] = ()
    ) -> RunSpec:
        bench.require_running()
        link = await bench.link()
        folder, name = plugin_payload()
        plugin = await self._delivery(bench).place(link, folder, name)
        return build_test_spec(
            self._registry.config(bench).test,
            args.args,
            workspace=bench.paths,
            probed=await self.probed(bench),
            plugin=plugin,
            ctx=ctx,
            tty=_window(args.tty, ctx),
            first=first,
        )

    async def again(self, bench: Workbench, record: Mapping[str, Any], tty: bool, ctx: ClientContext) -> RunSpec:
        """The same words with the environment and the files of today."""
        what: Again = rerun(record)
        there = dataclasses.replace(ctx, cwd=what.client_cwd or ctx.cwd)
        if what.kind == "test":
            return await self.test_spec(bench, TestArgs(args=list(what.args), tty=tty), there)
        if what.kind == "debug":
            args = DebugArgs(target=what.target, args=list(what.args), tty=tty, wait=what.wait)
            return await self.debug_spec(bench, args, there)
        name = str(record.get("name", ""))
        args_again = RunArgs(target=what.target, args=list(what.args), tty=tty, name=name)
        return await self.run_spec(bench, args_again, there)

    async def start(self, bench: Workbench, spec: RunSpec) -> dict[str, Any]:
        """Hands the spec to a keeper; the new run's record."""
        link = await bench.link()
        record: dict[str, Any] = await link.request("runs.start", run=spec.to_wire())
        bench.runs.update(record)
        bench.sessions.update([record])
        return record

    def _delivery(self, bench: Workbench) -> Delivery:
        container = bench.require_running()
        start = (container.id, container.started_at)
        known = self._deliveries.get(bench.target.key)
        if known is None or known[0] != start:
            pub = link_folder.mounted(bench.folder, container)
            known = (start, Delivery(self._cache, pub / "payload" if pub is not None else None))
            self._deliveries[bench.target.key] = known
        return known[1]


def _first(*values: bool | None) -> bool:
    return next(value for value in values if value is not None)


def _window(tty: bool, ctx: ClientContext) -> WindowSize | None:
    return WindowSize(ctx.rows or 24, ctx.columns or 80) if tty else None
