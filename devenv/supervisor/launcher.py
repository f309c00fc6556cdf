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
from devenv.debug import pass_through
from devenv.debug.cache import DebugpyCache
from devenv.debug.delivery import Delivery
from devenv.debug.door import check_network
from devenv.debug.endpoints import await_endpoints, read_endpoints
from devenv.debug.entry import plan as entry
from devenv.debug.spec import DebugOptions, debug_spec, endpoints_path
from devenv.delivery.inspect import collect
from devenv.delivery.interpreter import Interpreter
from devenv.delivery.placing import Placing
from devenv.environment import link_folder
from devenv.environment import target as targets
from devenv.environment.adopt import mounted_folder
from devenv.environment.inside.probe import ProbedEnv, startup_files, with_remote_env
from devenv.environment.inside.surroundings import stamps
from devenv.errors import LinkError, NoPython
from devenv.link.port import WindowSize
from devenv.runs.history import Again, rerun
from devenv.runs.resolve import LinkFiles, resolve_run
from devenv.runs.spec import RunSpec
from devenv.runs.tests import build_test_spec, plugin_payload
from devenv.supervisor.registry import Registry
from devenv.supervisor.workbench import Workbench

_IN_FRONT = 20.0  # seconds for the pass-through's start on a busy machine
_PATH = "/usr/local/bin:/usr/bin:/bin"


class Launcher:
    """Stateless but for deliveries, which are remembered per container, and for who is probing."""

    def __init__(self, registry: Registry, cache: DebugpyCache) -> None:
        self._registry = registry
        self._cache = cache
        self._deliveries: dict[str, tuple[tuple[str, str], Delivery]] = {}  # of each environment's present start
        self._probing: dict[str, asyncio.Lock] = {}

    async def probed(self, bench: Workbench, ctx: ClientContext | None = None, *, unchecked: bool = False) -> ProbedEnv:
        """The remote user's environment in the container, as `ctx` means it: `remoteEnv` may name the client's
        variables. `unchecked`: as it was the last time; `expected` says what it rests on."""
        known = bench.probed if unchecked and bench.running else None
        found = known or await self._probed(bench)
        container = bench.container
        if ctx is None or container is None or not targets.names_client_variables(bench.target):
            return found
        remote = self._registry.environments.merged(targets.for_client(bench.target, ctx), container).remote_env
        return dataclasses.replace(found, env=with_remote_env(found.env, remote))

    def expected(self, bench: Workbench) -> dict[str, Any] | None:
        """The start-up files of what `probed` knows, for `Link.spawn`; None where that has to be asked first."""
        link, probed, container = bench.current_link, bench.probed, bench.container
        if link is None or container is None or probed is None or probed.files is None:
            return None
        paths = startup_files(link.hello.home, mounted_folder(bench.target, container))
        return {path: probed.files.get(path) for path in paths}

    async def _probed(self, bench: Workbench) -> ProbedEnv:
        """Asked for once per container start and state of the start-up files, by however many."""
        if bench.probed is not None and bench.running and await self._is_fresh(bench, bench.probed):
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

    async def _is_fresh(self, bench: Workbench, probed: ProbedEnv) -> bool:
        """Whether the shell would still say the same: one small request. Where nobody can look, it would."""
        link, container = bench.current_link, bench.container
        if link is None or container is None:
            return True
        try:
            now = await stamps(link, mounted_folder(bench.target, container))
        except LinkError:
            return True
        if bench.probed is not probed:
            return bench.probed is not None  # another one has looked meanwhile
        if probed.files is None:
            bench.probed = dataclasses.replace(probed, files=now)
        elif probed.files != now:
            bench.probed = None
        return bench.probed is not None

    async def run_spec(self, bench: Workbench, args: RunArgs, ctx: ClientContext, kind: str = "run") -> RunSpec:
        bench.require_running()
        await _files_there(bench)
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
            probed=await self.probed(bench, ctx),
            ctx=ctx,
            tty=_window(args.tty, ctx),
            kind=kind,
        )
        env = {**spec.env, **args.env}
        return dataclasses.replace(spec, env=env, name=args.name or spec.name)

    async def debug_spec(self, bench: Workbench, args: DebugArgs, ctx: ClientContext, door: str = "") -> RunSpec:
        """The run under debugpy, which is delivered when it is not there yet; or with debugpy in its ranks, or where an
        exception is not caught. `door` is where a person is told to attach."""
        container = bench.require_running()
        check_network(container.network_mode, allowed=args.allow_host_network)
        spec = await self.run_spec(bench, args, ctx, "debug")
        wanted = entry.wanted(spec.program, args.ranks, args.post_mortem)
        link = await bench.link()
        delivery = self._delivery(bench)
        python = spec.program.python or (await self.probed(bench)).python or "python3"
        interpreter = await delivery.interpreter(link, python, env=spec.env, cwd=spec.cwd)
        configured = self._registry.config(bench).runs.get(args.target)
        options = DebugOptions(
            wait=_first(args.wait, configured.debug.wait if configured else None, True),
            subprocess=_first(args.subprocess, configured.debug.subprocess if configured else None, True),
            just_my_code=args.just_my_code,
        )
        debugpy = await delivery.debugpy(link, interpreter)
        proxy = await delivery.place(link, *pass_through.payload())
        endpoints = endpoints_path(link.hello.state_dir)
        if wanted is None:
            return debug_spec(
                spec, interpreter=interpreter, debugpy=debugpy, proxy=proxy, endpoints=endpoints, options=options
            )
        return entry.entry_spec(
            spec,
            wanted,
            interpreter=interpreter,
            entry=await delivery.place(link, *entry.payload()),
            debugpy=debugpy,
            proxy=proxy,
            endpoints=endpoints,
            door=door or "a port of this container",
            options=options,
        )

    async def put_in_front(
        self, bench: Workbench, adapter: str, pid: int, *, children: bool, answers: bool = True
    ) -> str:
        """Puts the pass-through in front of an adapter that runs already, or will (`answers` is False); the file in
        which it tells its port."""
        link = await bench.link()
        endpoints = f"{adapter}.front"
        if await read_endpoints(link, endpoints) is not None:
            return endpoints
        folder = await self.delivery(bench).place(link, *pass_through.payload())
        words = pass_through.serve(link.hello.executable, folder, adapter, endpoints, pid, children=children)
        channel = await link.spawn(words, env={"PATH": _PATH}, cwd="/")
        try:
            await channel.send_eof()
            await collect(channel, 4096)
        finally:
            await channel.close()
        if answers:
            async with asyncio.timeout(_IN_FRONT):
                await await_endpoints(link, endpoints, asyncio.Event())
        return endpoints

    async def prepare_debugger(self, bench: Workbench) -> None:
        """Delivers and compiles debugpy ahead of its first use. Safe to repeat; nothing depends on it."""
        probed = await self.probed(bench)
        container = bench.require_running()
        if probed.python and container.network_mode != "host":
            link = await bench.link()
            await self._delivery(bench).prepare(link, probed.python, env=probed.env, cwd=bench.paths.workspace)

    async def test_spec(
        self, bench: Workbench, args: TestArgs, ctx: ClientContext, first: tuple[str, ...] = ()
    ) -> RunSpec:
        bench.require_running()
        await _files_there(bench)
        link = await bench.link()
        folder, name = plugin_payload()
        plugin = await self._delivery(bench).place(link, folder, name)
        return build_test_spec(
            self._registry.config(bench).test,
            args.args,
            workspace=bench.paths,
            probed=await self.probed(bench, ctx),
            plugin=plugin,
            ctx=ctx,
            tty=_window(args.tty, ctx),
            first=first,
        )

    async def again(
        self, bench: Workbench, record: Mapping[str, Any], tty: bool, ctx: ClientContext, door: str = ""
    ) -> RunSpec:
        """The same words with the environment and the files of today. `door` is as in `debug_spec`."""
        what: Again = rerun(record)
        there = dataclasses.replace(ctx, cwd=what.client_cwd or ctx.cwd)
        if what.kind == "test":
            return await self.test_spec(bench, TestArgs(args=list(what.args), tty=tty), there)
        if what.kind == "debug":
            args = DebugArgs(
                target=what.target,
                args=list(what.args),
                tty=tty,
                wait=what.wait,
                ranks=entry.ranks_text(what.mode, what.ranks),
                post_mortem=what.mode == entry.POST_MORTEM,
            )
            return await self.debug_spec(bench, args, there, door)
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

    def delivery(self, bench: Workbench) -> Delivery:
        """What brings debugpy into this container."""
        return self._delivery(bench)

    def placing(self, bench: Workbench) -> Placing:
        """Where tools go in this container."""
        return self._delivery(bench)

    async def interpreter(self, bench: Workbench, python: str, *, env: Mapping[str, str], cwd: str) -> Interpreter:
        """What an interpreter in the container is. Raises DebugError when it does not work."""
        return await self._delivery(bench).interpreter(await bench.link(), python, env=env, cwd=cwd)

    def _delivery(self, bench: Workbench) -> Delivery:
        container = bench.require_running()
        start = (container.id, container.started_at)
        known = self._deliveries.get(bench.target.key)
        if known is None or known[0] != start:
            pub = link_folder.mounted(bench.folder, container)
            known = (start, Delivery(self._cache, pub / "payload" if pub is not None else None))
            self._deliveries[bench.target.key] = known
        return known[1]


async def _files_there(bench: Workbench) -> None:
    """What was saved before the command is what it sees."""
    if bench.files is not None:
        await bench.files.before()


def _first(*values: bool | None) -> bool:
    return next(value for value in values if value is not None)


def _window(tty: bool, ctx: ClientContext) -> WindowSize | None:
    return WindowSize(ctx.rows or 24, ctx.columns or 80) if tty else None
