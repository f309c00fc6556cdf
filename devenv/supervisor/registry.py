"""All environments that this supervisor holds, and the way from a client's folder to one of them."""

from __future__ import annotations

import asyncio
import logging
import os
import pathlib
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, NamedTuple

from devcontainer import discover
from devcontainer.merge import Merged, merge
from devenv.api.context import ClientContext
from devenv.api.messages import Args
from devenv.config import DevenvConfig
from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.endpoint import same_place
from devenv.engine.port import ContainerSnapshot
from devenv.environment import settings
from devenv.environment.environments import Environments
from devenv.environment.target import Choice, Target
from devenv.errors import ConfigError, DevenvError
from devenv.forward.handover import Listener
from devenv.hosts.choose import VARIABLE as HOST_VARIABLE
from devenv.supervisor.background import Background
from devenv.supervisor.choices import Choices
from devenv.supervisor.engines import Engines
from devenv.supervisor.root import project_root
from devenv.supervisor.whereabouts import Whereabouts, refusal
from devenv.supervisor.workbench import Workbench
from devenv.version import VERSION

log = logging.getLogger("devenv.supervisor")

Stamp = tuple[tuple[str, int, int], ...]


class _Settings(NamedTuple):
    """A configuration and what it was read for."""

    stamp: Stamp
    target: Target
    container: ContainerSnapshot | None
    config: DevenvConfig


class _Merged(NamedTuple):
    target: Target
    container: ContainerSnapshot | None
    merged: Merged


class _Found(NamedTuple):
    """What a client's words meant when they were looked up."""

    stamp: Stamp
    bench: Workbench
    target: Target


class Registry:
    """Finding one is cheap when nothing changed on disk: a few stats, no parsing, no engine call."""

    def __init__(
        self,
        state: pathlib.Path,
        owner: str,
        inherited: dict[str, list[Listener]] | None = None,
    ) -> None:
        self.state = state
        self.engines = Engines(state, self._on_engine)
        self.where = Whereabouts(state, self.engines, self.all)
        self.environments = Environments(
            self.engines.engine_for, state, owner, time.time, version=VERSION, nearby=self.engines.nearby
        )
        self._inherited = dict(inherited or {})  # a predecessor's listening sockets, until their environment is held
        self._retired = False
        self._benches: dict[str, Workbench] = {}
        self.choices = Choices(state)
        self._found: dict[tuple[str, str | None, str], _Found] = {}
        self._configs: dict[str, _Settings] = {}
        self._merged: dict[str, _Merged] = {}
        self._background = Background("registry")
        self._looking: dict[str, asyncio.Lock] = {}

    def all(self) -> list[Workbench]:
        return list(self._benches.values())

    async def find(
        self, args: Args, ctx: ClientContext, choice: Choice | None = None, *, strict: bool = False
    ) -> Workbench:
        """The environment that the client means, running or not. ConfigError when its files are wrong.

        Unless `strict`, a container that is there goes on with what was read before: who is in the middle of an edit
        can still work in it, and stop it.
        """
        asked = (args.folder or ctx.cwd, args.config, repr(choice))
        known = self._found.get(asked)
        if known is not None and _is_current(known.stamp):
            bench = known.bench
            await self._on_asked_engine(bench, ctx)
            bench.target = known.target  # others may have asked for the same environment in another way
            if bench.container is None:
                await self._look(bench)
            return bench
        root = self.root_of(args, ctx)
        try:
            target = await self.environments.resolve(root, ctx, config=args.config, choice=choice)
        except ConfigError as error:
            if error.details.get("offer") == "configs":
                error.details["remembered"] = self.choices.get(root)
            if strict or choice is not None or (before := self._before_the_edit(root, args.config, error)) is None:
                raise
            await self._on_asked_engine(before, ctx)
            return before
        return await self._held(target, ctx, asked, root)

    def _before_the_edit(self, root: str, config: str | None, error: ConfigError) -> Workbench | None:
        """The one environment of the folder with a container, where the client leaves no choice."""
        local = os.path.normpath(root)
        found = [bench for bench in self._benches.values() if bench.target.local_folder == local and bench.container]
        if config is not None or len(found) != 1 or "offer" in error.details:
            return None
        found[0].misread = f"{error.message}; what was read before this edit still counts"
        return found[0]

    def root_of(self, args: Args, ctx: ClientContext) -> str:
        """The project folder that the client means."""
        return args.folder or project_root(ctx.cwd, {bench.target.local_folder for bench in self._benches.values()})

    def held(self, key: str) -> Workbench | None:
        return self._benches.get(key)

    def remember(self, bench: Workbench) -> None:
        """A person chose this configuration; of a folder with a default one there is nothing to remember."""
        target = bench.target
        paths = [pathlib.Path(path) for path in (target.config_file, *target.others) if path]
        root = pathlib.Path(target.local_folder)
        if len(paths) > 1 and discover.default(root, sorted(paths, key=lambda path: len(path.parts))) is None:
            self.choices.put(target.local_folder, target.config_file)

    async def find_container(
        self,
        container: ContainerSnapshot,
        ctx: ClientContext,
        config: str | None,
        labels: Mapping[str, str] | None = None,
    ) -> Workbench:
        """The environment of a container that is known by itself; `config` says what is configured, if anything.
        `labels` are those that it was found by."""
        target = await self.environments.resolve_container(container, ctx, config, labels)
        return await self._held(target, ctx, None, target.local_folder)

    async def _held(
        self, target: Target, ctx: ClientContext, asked: tuple[str, str | None, str] | None, root: str
    ) -> Workbench:
        # One look at a time at one environment; an engine that does not answer holds up nobody else.
        async with self._looking.setdefault(target.key, asyncio.Lock()):
            bench = self._benches.get(target.key)
            if bench is None:
                engine = await self.engines.engine_for(ctx)
                bench = self.hold(target, engine)
            else:
                await self._on_asked_engine(bench, ctx)
                bench.target = target
            bench.misread = ""
            if bench.container is None:
                await self._look(bench)
            if asked is not None:
                self._found[asked] = _Found(_stamp_of(target, root), bench, target)
            return bench

    async def _on_asked_engine(self, bench: Workbench, ctx: ClientContext) -> None:
        """A client that names another engine must not be shown, or change, what is on this one."""
        asked = self.engines.endpoint(ctx)
        if same_place(asked.url, bench.endpoint.url):
            await self.engines.awake(asked, ctx)
            if bench.container is None:
                bench.endpoint = asked  # by the name that it is called now
            return
        if bench.container is not None:
            raise refusal(bench, asked)
        bench.use_engine(await self.engines.engine_for(ctx))

    async def _look(self, bench: Workbench) -> None:
        """Whether there is a container by now: another tool may have made one."""
        if bench.operation is not None and bench.operation.running:
            return
        state = await self.environments.status(bench.target, bench.engine)
        bench.owner = state.owner
        if state.container is not None:
            bench.drift, bench.notes = list(state.drift), list(state.notes)
            await bench.adopt(state.container, state.remote_user, state.workspace_folder, adopted=state.adopted)

    async def engine_for(self, ctx: ClientContext) -> DockerEngine:
        """The engine that the client means."""
        return await self.engines.engine_for(ctx)

    def placed(self, args: Args, ctx: ClientContext) -> ClientContext:
        """The client with the host that its folder's environment is on, where it names none itself."""
        if ctx.env.get(HOST_VARIABLE):
            return ctx
        return self.where.placed(os.path.normpath(self._root_of_known(args, ctx) or self.root_of(args, ctx)), ctx)

    def _root_of_known(self, args: Args, ctx: ClientContext) -> str:
        """Of what was asked for before in the same words; "" else. Looks at no file."""
        known = self._found.get((args.folder or ctx.cwd, args.config, repr(None)))
        return known.target.local_folder if known is not None else ""

    def hold(self, target: Target, engine: DockerEngine) -> Workbench:
        """A workbench for a target that has none yet. What its files say of ports follows with its container."""
        folder = self.state / "envs" / target.key
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        bench = Workbench(target, engine, folder)
        bench.carrier = lambda: self.engines.carrier(bench.endpoint)
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
                if bench.endpoint.url == url:
                    try:
                        await bench.on_event(event)
                    except DevenvError as error:
                        log.warning("[env=%s] after %s: %s", bench.target.key, event.action, error)

    def config(self, bench: Workbench) -> DevenvConfig:
        """devenv.yaml as it is now, over the customizations of configuration, features and image; ConfigError names
        all of its problems."""
        target, container = bench.target, bench.container
        stamp = _stamp((os.path.join(target.local_folder, "devenv.yaml"),))
        known = self._configs.get(target.key)
        if known is None or known.stamp != stamp or known.target is not target or known.container is not container:
            merged = self.merged(bench) if container is not None else None
            known = _Settings(stamp, target, container, settings.of(target, merged))
            self._configs[target.key] = known
        return known.config

    def merged(self, bench: Workbench) -> Merged:
        """The configuration and what the image's metadata says, for the container that there is."""
        target, container = bench.target, bench.container
        known = self._merged.get(target.key)
        if known is None or known.target is not target or known.container is not container:
            if container is not None:
                merged = self.environments.merged(target, container)
            else:
                merged = merge([target.substitution.apply_entry(entry) for entry in target.entries])
            known = self._merged[target.key] = _Merged(target, container, merged)
        return known.merged

    def when_back(self, ctx: ClientContext, again: Callable[[ClientContext], Coroutine[Any, Any, None]]) -> None:
        """Once more, when the client's host is connected."""
        self.where.when_back(ctx, lambda: self._start(again(ctx), "restore"))

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._background.start(work, name)

    async def restore(self, ctx: ClientContext) -> list[Workbench]:
        """After a start: every environment of ours whose container runs on the client's engine is held again."""
        restored = []
        for target, container, user, workspace, adopted in await self.environments.restorable(ctx):
            bench = self._benches.get(target.key)
            if bench is None:
                bench = self.hold(target, await self.engines.engine_for(ctx))
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
        self.engines.connections.retire()
        for bench in self.all():
            bench.retire()

    async def close(self) -> None:
        self.drop_inherited()
        await self._background.close()
        for bench in self.all():
            await bench.close()
        await self.engines.close()


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
    names = [*([target.config_file] if target.config_file else []), *target.personal_files]
    names += [os.path.join(root, name) for name in (".devcontainer", ".devcontainer.json", "devenv.yaml")]
    return _stamp(names)
