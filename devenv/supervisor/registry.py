"""All environments that this supervisor holds, and the way from a client's folder to one of them."""

from __future__ import annotations

import asyncio
import logging
import os
import pathlib
import time
from collections.abc import Iterable

from devenv.api.context import ClientContext
from devenv.api.messages import Args
from devenv.config import DevenvConfig
from devenv.config import load as load_config
from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.endpoint import resolve, same_place
from devenv.environment.environments import Environments
from devenv.environment.target import Target
from devenv.errors import DevenvError, Refused
from devenv.forward.handover import Listener
from devenv.supervisor.background import Background
from devenv.supervisor.engines import Engines
from devenv.supervisor.root import project_root
from devenv.supervisor.workbench import Workbench
from devenv.version import VERSION

log = logging.getLogger("devenv.supervisor")

Stamp = tuple[tuple[str, int, int], ...]


class Registry:
    """Finding one is cheap when nothing changed on disk: a few stats, no parsing, no engine call."""

    def __init__(
        self,
        state: pathlib.Path,
        owner: str,
        inherited: dict[str, list[Listener]] | None = None,
    ) -> None:
        self.state = state
        self._engines = Engines(self._on_engine)
        self.environments = Environments(self._engines.engine_for, state, owner, time.time, version=VERSION)
        self._inherited = dict(inherited or {})  # a predecessor's listening sockets, until their environment is held
        self._retired = False
        self._benches: dict[str, Workbench] = {}
        self._found: dict[tuple[str, str | None], tuple[Stamp, Workbench]] = {}
        self._configs: dict[str, tuple[Stamp, DevenvConfig]] = {}
        self._background = Background("registry")
        self._looking: dict[str, asyncio.Lock] = {}

    def all(self) -> list[Workbench]:
        return list(self._benches.values())

    async def find(self, args: Args, ctx: ClientContext) -> Workbench:
        """The environment that the client means, running or not. ConfigError when its files are wrong."""
        asked = (args.folder or ctx.cwd, args.config)
        known = self._found.get(asked)
        if known is not None and _is_current(known[0]):
            await self._on_asked_engine(known[1], ctx)
            if known[1].container is None:
                await self._look(known[1])
            return known[1]
        root = args.folder or project_root(ctx.cwd, {bench.target.local_folder for bench in self._benches.values()})
        target = await self.environments.resolve(root, ctx, config=args.config)
        # One look at a time at one environment; an engine that does not answer holds up nobody else.
        async with self._looking.setdefault(target.key, asyncio.Lock()):
            bench = self._benches.get(target.key)
            if bench is None:
                engine = await self._engines.engine_for(ctx)
                bench = self.hold(target, engine)
            else:
                await self._on_asked_engine(bench, ctx)
                bench.target = target
            if bench.container is None:
                await self._look(bench)
            self._found[asked] = (_stamp_of(target, root), bench)
            return bench

    async def _on_asked_engine(self, bench: Workbench, ctx: ClientContext) -> None:
        """A client that names another engine must not be shown, or change, what is on this one."""
        asked = resolve(ctx.env)
        if same_place(asked.url, bench.engine_name):
            return
        if bench.container is not None:
            raise Refused(
                f"{bench.target.name} is on the engine {bench.engine_name}; {asked.source} names {asked.url}",
                "set DOCKER_HOST to that engine, or take the environment down there first",
            )
        engine = await self._engines.engine_for(ctx)
        bench.engine, bench.engine_name = engine, engine.endpoint.url

    async def _look(self, bench: Workbench) -> None:
        """Whether there is a container by now: another tool may have made one."""
        if bench.operation is not None and bench.operation.running:
            return
        state = await self.environments.status(bench.target, bench.engine)
        bench.owner = state.owner
        if state.container is not None:
            bench.drift, bench.notes = list(state.drift), list(state.notes)
            await bench.adopt(state.container, state.remote_user, state.workspace_folder, adopted=state.adopted)

    def hold(self, target: Target, engine: DockerEngine) -> Workbench:
        """A workbench for a target that has none yet. What its files say of ports follows with its container."""
        folder = self.state / "envs" / target.key
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        bench = Workbench(target, engine, folder)
        self._benches[target.key] = bench
        if listeners := self._inherited.pop(target.key, None):
            bench.forwarder.adopt(listeners)
        if self._retired:
            bench.retire()
        return bench

    def forget_paths(self) -> None:
        """The next look-up reads the files again."""
        self._found.clear()

    def _on_engine(self, engine: DockerEngine) -> None:
        self._background.start(self._follow(engine), f"events of {engine.endpoint.url}")

    async def _follow(self, engine: DockerEngine) -> None:
        """What the engine says, to the environments that live on it."""
        url = engine.endpoint.url
        async for event in engine.events():
            for bench in self.all():
                if bench.engine_name == url:
                    try:
                        await bench.on_event(event)
                    except DevenvError as error:
                        log.warning("[env=%s] after %s: %s", bench.target.key, event.action, error)

    def config(self, bench: Workbench) -> DevenvConfig:
        """The project's devenv.yaml as it is now; ConfigError names all of its problems."""
        return self.config_of(bench.target.local_folder)

    def config_of(self, folder: str) -> DevenvConfig:
        stamp = _stamp((os.path.join(folder, "devenv.yaml"),))
        known = self._configs.get(folder)
        if known is None or known[0] != stamp:
            known = (stamp, load_config(pathlib.Path(folder)))
            self._configs[folder] = known
        return known[1]

    async def restore(self, ctx: ClientContext) -> list[Workbench]:
        """After a start: every environment of ours whose container runs is held again."""
        restored = []
        for target, container, user, workspace, adopted in await self.environments.restorable(ctx):
            bench = self._benches.get(target.key)
            if bench is None:
                bench = self.hold(target, await self._engines.engine_for(ctx))
            if bench.container is None:  # also one that a client has just asked for, and that is still being looked up
                await bench.adopt(container, user, workspace, adopted=adopted)
            restored.append(bench)
        return restored

    def drop_inherited(self) -> None:
        """Closes the sockets of environments that are not there any more."""
        for listeners in self._inherited.values():
            for _, _, opened in listeners:
                opened.close()
        self._inherited.clear()

    def retire(self) -> None:
        """A successor holds every environment."""
        self._retired = True
        for bench in self.all():
            bench.retire()

    async def close(self) -> None:
        self.drop_inherited()
        await self._background.close()
        for bench in self.all():
            await bench.close()
        await self._engines.close()


def _stamp(paths: Iterable[str]) -> Stamp:
    """(path, mtime, size) of each file, zeros for a missing one."""
    stamp = []
    for path in paths:
        try:
            info = os.stat(path)
            stamp.append((path, info.st_mtime_ns, info.st_size))
        except OSError:
            stamp.append((path, 0, 0))
    return tuple(stamp)


def _is_current(stamp: Stamp) -> bool:
    return stamp == _stamp(path for path, _, _ in stamp)


def _stamp_of(target: Target, root: str) -> Stamp:
    """The files whose change makes a look-up stale."""
    names = [target.config_file] if target.config_file else []
    names += [os.path.join(root, name) for name in (".devcontainer", ".devcontainer.json", "devenv.yaml")]
    return _stamp(names)
