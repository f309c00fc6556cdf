"""What `up`, `stop`, `rebuild` and `down` mean, for the supervisor: the one entrance to this room.

Concurrency: all calls may overlap. Calls that change one environment wait for each other, also across processes (a
lock file), so that two `up` at once give one container. After an error the same call again converges.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import os
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from devcontainer import identity, workspace
from devcontainer.merge import Merged
from devenv.api.context import ClientContext
from devenv.api.views import DriftView
from devenv.engine.port import ContainerSnapshot, Engine, Progress
from devenv.environment import adopt, drift, git_safety, plan, probe, state_volume, writable_layer
from devenv.environment import target as targets
from devenv.environment.plan import KEY_LABEL, OWNER_LABEL, Plan, UpOptions
from devenv.environment.probe import ProbeCache, ProbedEnv
from devenv.environment.read_only_root import image_name as uid_image_name
from devenv.environment.records import Record, RecordFile
from devenv.environment.target import Target
from devenv.environment.trust import TrustFile
from devenv.errors import ConfigError, DevenvError, NotFound, NotUp, Refused

if TYPE_CHECKING:
    from devenv.link.port import Link

Clock = Callable[[], float]  # seconds since the epoch
EngineFor = Callable[[ClientContext], Awaitable[Engine]]


@dataclasses.dataclass(frozen=True, slots=True)
class EnvironmentState:
    """What the engine has for a target. `owner` names another owner whose container has the same project path."""

    container: ContainerSnapshot | None
    remote_user: str = ""
    workspace_folder: str = ""
    adopted: bool = False
    drift: tuple[DriftView, ...] = ()
    notes: tuple[str, ...] = ()
    owner: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class EnvironmentSummary:
    """One line of `devenv ls`."""

    key: str
    name: str
    local_folder: str
    config_file: str
    container: ContainerSnapshot
    adopted: bool
    owner: str  # "" ours


@dataclasses.dataclass(frozen=True, slots=True)
class UpResult:
    container: ContainerSnapshot
    remote_user: str
    workspace_folder: str
    created: bool
    adopted: bool = False
    notes: tuple[str, ...] = ()
    drift: tuple[DriftView, ...] = ()


class Environments:
    """`state` is devenv's state folder; `owner` the value of our owner label (`<uid>@<machine>`)."""

    def __init__(
        self, engine_for: EngineFor, state: pathlib.Path, owner: str, clock: Clock, *, version: str = "0.1.0"
    ) -> None:
        self.engine_for = engine_for
        self.owner = owner
        self.clock = clock
        self.version = version
        self.trust = TrustFile(state)
        self._state = state
        self._locks: dict[str, asyncio.Lock] = {}
        self._engines: dict[str, Engine] = {}

    def folder(self, key: str) -> pathlib.Path:
        """The environment's folder on the host, made if missing (0700)."""
        path = self._state / "envs" / key
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def record_file(self, key: str) -> RecordFile:
        return RecordFile(self.folder(key))

    async def resolve(self, folder: str, ctx: ClientContext, *, config: str | None = None) -> Target:
        """See `devenv.environment.target.resolve`."""
        return await asyncio.to_thread(targets.resolve, folder, ctx, config=config)

    async def status(self, target: Target, engine: Engine) -> EnvironmentState:
        """What is there, and how it differs from the configuration. Two or three small requests."""
        self._engines[target.key] = engine
        record = self.record_file(target.key).load()
        found = await adopt.find(engine, target, self.owner, known=record.container)
        foreign = found.foreign[0].labels.get(OWNER_LABEL, "") if found.foreign else ""
        if found.container is None:
            return EnvironmentState(None, owner=foreign)
        return await self.describe(target, engine, found.container, record, foreign=foreign)

    def merged(self, target: Target, container: ContainerSnapshot) -> Merged:
        """The file and the image's metadata as one: what holds for this container."""
        return adopt.effective(target, container, self.owner).merged

    async def describe(
        self, target: Target, engine: Engine, container: ContainerSnapshot, record: Record, *, foreign: str = ""
    ) -> EnvironmentState:
        effective = adopt.effective(target, container, self.owner)
        ours = adopt.is_ours(container.labels, self.owner)
        return EnvironmentState(
            container,
            effective.remote_user,
            adopt.mounted_folder(target, container),
            not ours,
            tuple(await self.differences(target, engine, container, record, effective)),
            tuple(_container_notes(container)) if not ours else (),
            foreign,
        )

    async def differences(
        self,
        target: Target,
        engine: Engine,
        container: ContainerSnapshot,
        record: Record,
        effective: adopt.Effective,
    ) -> Sequence[DriftView]:
        if not target.configured:
            return []
        found = drift.compare(effective.wanted, effective.actual)
        if not adopt.is_ours(container.labels, self.owner):
            return found
        build = target.config.build
        if build is not None:
            path = pathlib.Path(target.config_file).parent / build.dockerfile
            text = await asyncio.to_thread(_read_text, path)
            then = record.dockerfile if record.container == container.id else ""
            return [*found, *(drift.dockerfile_changed(text, then) if text is not None else [])]
        wanted = str(effective.wanted.get("image", ""))
        if wanted and wanted == container.image:
            image = await engine.image(wanted)
            found += drift.image_moved(wanted, image.id if image else "", container.image_id)
        return found

    async def plan(self, target: Target, ctx: ClientContext, options: UpOptions) -> Plan:
        """What `up` would do now; nothing is changed."""
        from devenv.environment.up import Up

        engine = await self.engine_for(ctx)
        return await Up(self, engine, targets.for_client(target, ctx), ctx, options, _Silent()).plan()

    async def up(self, target: Target, ctx: ClientContext, options: UpOptions, progress: Progress) -> UpResult:
        """The container, running, with its users and hooks done. Raises any `DevenvError`; again `up` goes on."""
        from devenv.environment.up import Up

        engine = await self.engine_for(ctx)
        self._engines[target.key] = engine
        async with self.exclusive(target.key):
            return await Up(self, engine, targets.for_client(target, ctx), ctx, options, progress).run()

    async def rebuild(self, target: Target, ctx: ClientContext, options: UpOptions, progress: Progress) -> UpResult:
        """A new container (and image, for a Dockerfile). The old one goes once the new image is there."""
        return await self.up(target, ctx, dataclasses.replace(options, rebuild=True), progress)

    async def start(self, target: Target, ctx: ClientContext, options: UpOptions, progress: Progress) -> UpResult:
        """`up` for a container that exists. Raises `NotUp` when there is none."""
        engine = await self.engine_for(ctx)
        record = self.record_file(target.key).load()
        if (await adopt.find(engine, target, self.owner, known=record.container)).container is None:
            raise NotUp(f"{target.name} has no container", "`devenv up` makes one")
        return await self.up(target, ctx, options, progress)

    async def stop(self, target: Target, ctx: ClientContext, progress: Progress) -> ContainerSnapshot | None:
        """The stopped container, or None when there is none. The caller has ended the runs."""
        engine = await self.engine_for(ctx)
        async with self.exclusive(target.key):
            container = await self._own(target, engine)
            if container is None:
                return None
            if container.running or container.status == "restarting":
                progress.step("stop", f"Stopping {container.name}")
                await engine.stop(container.id)
                progress.done("stop")
            return await engine.inspect(container.id)

    async def down(self, target: Target, ctx: ClientContext, progress: Progress, *, volumes: bool = False) -> bool:
        """Removes the container, and with `volumes` the environment's own volume, images and records.

        False when there was nothing. The project's files are never touched.
        """
        engine = await self.engine_for(ctx)
        async with self.exclusive(target.key):
            container = await self._own(target, engine)
            if container is not None:
                progress.step("down", f"Removing {container.name}")
                if container.status == "running":
                    with contextlib.suppress(DevenvError):  # it is removed in any case
                        await engine.stop(container.id)
                await engine.remove(container.id, force=True, volumes=volumes)
                progress.done("down")
            await engine.remove_image(uid_image_name(target.key))
            gone = container is not None
            if volumes:
                volume = state_volume.of(container.mounts) if container is not None else None
                gone = await engine.remove_volume(volume or state_volume.name(target.key)) or gone
                if target.config.build is not None:
                    with contextlib.suppress(DevenvError):  # another container may use it
                        await engine.remove_image(plan.image_name(target))
            self.record_file(target.key).forget()
            ProbeCache(self.folder(target.key)).forget()
            return gone

    async def _own(self, target: Target, engine: Engine) -> ContainerSnapshot | None:
        record = self.record_file(target.key).load()
        found = await adopt.find(engine, target, self.owner, known=record.container)
        if found.container is None and found.foreign:
            other = found.foreign[0]
            raise Refused(
                f"container {other.name} belongs to {other.labels.get(OWNER_LABEL)}",
                "it is left alone; its owner can stop it",
            )
        return found.container

    async def probe(
        self, target: Target, container: ContainerSnapshot, link: Link | None = None, *, engine: Engine | None = None
    ) -> ProbedEnv:
        """The tool environment of the remote user. From the cache when container and start-up files are the same.

        A link only tells, cheaply, whether the cache is fresh. Without `engine`, the one of the target's last `status`
        or `up` is asked.
        """
        engine = engine or self._engines.get(target.key)
        if engine is None:
            raise NotUp(f"{target.name} has not been looked at yet", "run `devenv up`")
        effective = adopt.effective(target, container, self.owner)
        user, mode, folder = effective.remote_user, effective.merged.probe, adopt.mounted_folder(target, container)
        cache = ProbeCache(self.folder(target.key))
        key, files = probe.cache_key(container, user, mode, folder), await _stamps(link, folder)
        answer = cache.load(key, files, container.env)
        note = ""
        if answer is None:
            answer, slow = await probe.run(engine, container.id, user=user, mode=mode, folder=folder)
            if slow:
                note = f"the shell's start-up files took longer than {probe.LIMIT:.0f} s and were left out"
            if answer.env is not None and not slow:
                cache.save(key, files, container.env, answer)
        env = dict(answer.env) if answer.env is not None else dict(container.env)
        if answer.venv:
            env = probe.activate(env, answer.venv)
        env = probe.with_remote_env(env, effective.merged.remote_env)
        if self._differs_in_owner(target, env, user):
            env |= git_safety.variables(env, self._git_folders(target))
        return ProbedEnv(env, answer.python, answer.python_version, answer.shell, answer.machine, note)

    def _differs_in_owner(self, target: Target, env: dict[str, str], user: str) -> bool:
        try:
            owner = pathlib.Path(target.local_folder).stat().st_uid
        except OSError:
            return False
        record = self.record_file(target.key).load()
        return owner != (record.uid if record.uid >= 0 else 0 if plan.is_root(user) else -1)

    @staticmethod
    def _git_folders(target: Target) -> Sequence[str]:
        """The workspace and, when a whole repository is mounted, its root."""
        parents = pathlib.PurePosixPath(target.workspace_folder).parents
        return [target.workspace_folder, *(str(p) for p in parents if str(p).startswith(f"{workspace.ROOT}/"))]

    async def list(self, ctx: ClientContext) -> Sequence[EnvironmentSummary]:
        """Every dev container of this engine, with whose it is."""
        engine = await self.engine_for(ctx)
        async with asyncio.TaskGroup() as tasks:
            labelled = tasks.create_task(engine.find({identity.LOCAL_FOLDER: None}))
            keyed = tasks.create_task(engine.find({KEY_LABEL: None}))
        found = {c.id: c for c in (*labelled.result(), *keyed.result()) if c.status != "removing"}
        return [self._summary(c) for c in sorted(found.values(), key=lambda c: c.created, reverse=True)]

    def _summary(self, container: ContainerSnapshot) -> EnvironmentSummary:
        labels = container.labels
        folder = labels.get(identity.LOCAL_FOLDER, "")
        file = labels.get(identity.CONFIG_FILE, "")
        ours = adopt.is_ours(labels, self.owner)
        return EnvironmentSummary(
            key=labels.get(KEY_LABEL) or targets.environment_key(folder, file),
            name=pathlib.PurePath(folder).name or container.name,
            local_folder=folder,
            config_file=file,
            container=container,
            adopted=not ours,
            owner=labels[OWNER_LABEL] if adopt.is_foreign(labels, self.owner) else "",
        )

    async def restorable(self, ctx: ClientContext) -> Sequence[tuple[Target, ContainerSnapshot, str, str, bool]]:
        """(target, container, remote user, workspace folder, adopted) of every noted environment that runs."""
        engine = await self.engine_for(ctx)
        found = []
        for folder in await asyncio.to_thread(_environment_folders, self._state):
            record = RecordFile(folder).load()
            if not record.container or not record.local_folder:
                continue
            try:
                container = await engine.inspect(record.container)
                if container is None or container.status != "running":
                    continue
                target = await self.resolve(record.local_folder, ctx, config=record.config_file or None)
            except (ConfigError, NotFound):
                continue  # the project has moved or is being edited: `up` will tell
            if target.key == folder.name:
                user = record.remote_user or adopt.effective(target, container, self.owner).remote_user
                self._engines[target.key] = engine
                found.append((target, container, user, adopt.mounted_folder(target, container), record.adopted))
        return found

    async def writable_layer(self, container: ContainerSnapshot, engine: Engine) -> Sequence[tuple[str, int]]:
        """(path, bytes) of what only this container holds: changed outside mounts, largest first."""
        return await writable_layer.contents(engine, container)

    @contextlib.asynccontextmanager
    async def exclusive(self, key: str) -> AsyncIterator[None]:
        """One change of an environment at a time, in this process and in others of this user."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            path = self.folder(key) / "up.lock"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                delay = 0.02
                while True:
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        await asyncio.sleep(delay)  # a file lock tells nobody when it is free
                        delay = min(0.2, delay * 1.5)
                yield
            finally:
                os.close(descriptor)


class _Silent:
    """Progress that nobody watches."""

    def step(self, key: str, title: str) -> None: ...
    def update(self, key: str, *, fraction: float | None = None, detail: str = "") -> None: ...
    def line(self, key: str, text: str, stream: str = "stdout") -> None: ...
    def done(self, key: str, *, ok: bool = True, detail: str = "") -> None: ...
    def note(self, text: str, *, level: str = "info") -> None: ...


async def _stamps(link: Link | None, folder: str) -> dict[str, list[Any]] | None:
    """Times and sizes of the start-up files, through the agent; without one a probe holds for one container start."""
    if link is None or link.closed:
        return None
    answer = await link.request("stat", paths=probe.startup_files(link.hello.home, folder))
    return {path: [entry["size"], entry["mtime"]] for path, entry in sorted(answer.items()) if entry}


def _container_notes(container: ContainerSnapshot) -> list[str]:
    notes = ["made by another tool: it is used as it is"]
    shm = int((container.raw.get("HostConfig") or {}).get("ShmSize") or 0)
    ipc = str((container.raw.get("HostConfig") or {}).get("IpcMode") or "")
    if 0 < shm <= 64 * 1024**2 and ipc != "host":
        notes.append(
            "/dev/shm has 64 MB only: DataLoader workers may stop with a bus error "
            '(`devenv rebuild`, or "runArgs": ["--shm-size=2g"])'
        )
    return notes


def _read_text(path: pathlib.Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _environment_folders(state: pathlib.Path) -> list[pathlib.Path]:
    folder = state / "envs"
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
