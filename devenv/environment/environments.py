"""What `up`, `stop`, `rebuild` and `down` mean, for the supervisor: the one entrance to this room.

Concurrency: all calls may overlap. Calls that change one environment wait for each other, also across processes (a
lock file), so that two `up` at once give one container. After an error the same call again converges.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from devcontainer import identity, metadata
from devcontainer.merge import Merged
from devenv.api.context import ClientContext
from devenv.compose.project import PROJECT_LABEL
from devenv.engine.port import ContainerSnapshot, Engine, Progress
from devenv.environment import adopt, composed, condition, files, plan, state_volume
from devenv.environment import target as targets
from devenv.environment.home import LOCK, Clock, Home
from devenv.environment.image import feature_image
from devenv.environment.image.read_only_root import image_name as uid_image_name
from devenv.environment.inside import surroundings, writable_layer
from devenv.environment.inside.probe import ProbeCache, ProbedEnv
from devenv.environment.plan import Plan, UpOptions
from devenv.environment.records import Record, RecordFile
from devenv.environment.results import EnvironmentState, EnvironmentSummary, UpResult
from devenv.environment.shape import KEY_LABEL, OWNER_LABEL
from devenv.environment.target import Choice, Target
from devenv.errors import ConfigError, DevenvError, NotFound, NotUp, Refused
from devenv.lifecycle import secrets

if TYPE_CHECKING:
    from devenv.environment.image.nearby import NearbyFor
    from devenv.environment.image.prebuild import Destination
    from devenv.environment.job import Arrived, Leaving
    from devenv.link.port import Link

EngineFor = Callable[[ClientContext], Awaitable[Engine]]


class Environments:
    """`state` is devenv's state folder; `owner` the value of our owner label (`<uid>@<machine>`)."""

    def __init__(
        self,
        engine_for: EngineFor,
        state: pathlib.Path,
        owner: str,
        clock: Clock,
        *,
        version: str = "0.1.0",
        nearby: NearbyFor | None = None,
    ) -> None:
        self.engine_for = engine_for
        self._nearby = nearby
        self.home = Home(state, owner, clock, version)
        self._engines: dict[str, Engine] = {}

    async def resolve(
        self, folder: str, ctx: ClientContext, *, config: str | None = None, choice: Choice | None = None
    ) -> Target:
        """See `devenv.environment.target.resolve`."""
        return await asyncio.to_thread(targets.resolve, folder, ctx, config=config, choice=choice)

    async def resolve_container(
        self,
        container: ContainerSnapshot,
        ctx: ClientContext,
        config: str | None,
        labels: Mapping[str, str] | None = None,
    ) -> Target:
        """See `devenv.environment.target.of_container`. Without `labels` the container's own identity labels count."""
        own = {name: container.labels[name] for name in identity.id_labels("", "") if name in container.labels}
        known = labels or (own if len(own) == 2 else None)
        return await asyncio.to_thread(targets.of_container, container.id, ctx, config, known)

    async def status(self, target: Target, engine: Engine) -> EnvironmentState:
        """What is there, and how it differs from the configuration. Two or three small requests."""
        self._engines[target.key] = engine
        record = self.home.record_file(target.key).load()
        found = await adopt.find(engine, target, self.home.owner, known=record.container, project=record.project)
        foreign = found.foreign[0].labels.get(OWNER_LABEL, "") if found.foreign else ""
        if found.container is None:
            return EnvironmentState(None, owner=foreign)
        return await condition.describe(target, engine, found.container, record, self.home.owner, foreign=foreign)

    def merged(self, target: Target, container: ContainerSnapshot) -> Merged:
        """The file and the image's metadata as one: what holds for this container."""
        return adopt.effective(target, container, self.home.owner).merged

    def entries(self, target: Target, container: ContainerSnapshot) -> Sequence[metadata.Entry]:
        """The metadata entries that hold for this container, variables resolved."""
        return adopt.effective(target, container, self.home.owner).entries

    async def plan(self, target: Target, ctx: ClientContext, options: UpOptions) -> Plan:
        """What `up` would do now; nothing is changed."""
        from devenv.environment.up import Up

        engine = await self.engine_for(ctx)
        return await Up(self.home, engine, targets.for_client(target, ctx), ctx, options, _Silent()).plan()

    async def up(
        self,
        target: Target,
        ctx: ClientContext,
        options: UpOptions,
        progress: Progress,
        arrived: Arrived | None = None,
        leaving: Leaving | None = None,
    ) -> UpResult:
        """The container, running, with its users and hooks done. Raises any `DevenvError`; again `up` goes on.

        `arrived` and `leaving`: see `devenv.environment.job`.
        """
        from devenv.environment.up import Up

        engine = await self.engine_for(ctx)
        self._engines[target.key] = engine
        async with self.home.exclusive(target.key):
            options = await self._with_secrets(target, options, progress)
            mine = targets.for_client(target, ctx)
            return await Up(self.home, engine, mine, ctx, options, progress, arrived, self._nearby, leaving).run()

    async def build(
        self, target: Target, ctx: ClientContext, options: UpOptions, destination: Destination, progress: Progress
    ) -> tuple[str, ...]:
        """An image that carries its configuration; its names. See `devenv.environment.image.prebuild`."""
        from devenv.environment.image import prebuild
        from devenv.environment.job import Job

        engine = await self.engine_for(ctx)
        file = self.home.record_file(target.key)
        async with self.home.exclusive(target.key):
            target = targets.for_client(target, ctx)
            job = Job(self.home, engine, target, ctx, options, progress, file, file.load(), nearby=self._nearby)
            return await prebuild.build(job, destination)

    async def vendor(self, target: Target, ctx: ClientContext, progress: Progress) -> Sequence[str]:
        """Keeps what the configuration's features need in `.devcontainer/vendor`, and nothing else there. Returns the
        files that were written. Raises what resolving features raises."""
        from devenv.environment.image.feature_image import FeatureImage
        from devenv.environment.job import Job
        from devenv.features.cache import FeatureCache
        from devenv.features.vendoring import vendor

        plan.check(target)
        engine = await self.engine_for(ctx)
        file = self.home.record_file(target.key)
        async with self.home.exclusive(target.key):
            target = targets.for_client(target, ctx)
            job = Job(self.home, engine, target, ctx, UpOptions(), progress, file, file.load())
            resolved = await FeatureImage(job).resolve()
            cache = FeatureCache(self.home.cache / "features")
            written = await asyncio.to_thread(vendor, resolved, pathlib.Path(target.local_folder), cache)
        return [str(path.relative_to(target.local_folder)) for path in written]

    async def run_pending(self, target: Target, ctx: ClientContext, options: UpOptions, progress: Progress) -> None:
        """The lifecycle commands that an `up` left for later, in the container as it is now. Raises `HookFailed`."""
        from devenv.environment.up import Up

        engine = await self.engine_for(ctx)
        async with self.home.exclusive(target.key):
            options = await self._with_secrets(target, options, progress)
            await Up(self.home, engine, targets.for_client(target, ctx), ctx, options, progress).run_pending()

    async def _with_secrets(self, target: Target, options: UpOptions, progress: Progress) -> UpOptions:
        """The secrets of the file that is named now, or was named last. One that has gone since is told, no error."""
        if options.secrets_file:
            found = await asyncio.to_thread(secrets.read, options.secrets_file)
            return dataclasses.replace(options, secrets={**found, **options.secrets})
        remembered = self.home.record_file(target.key).load().secrets_file
        if not remembered:
            return options
        try:
            found = await asyncio.to_thread(secrets.read, remembered)
        except ConfigError as error:
            progress.note(f"going on without the secrets of last time: {error.message}", level="warning")
            return options
        return dataclasses.replace(options, secrets={**found, **options.secrets})

    async def rebuild(self, target: Target, ctx: ClientContext, options: UpOptions, progress: Progress) -> UpResult:
        """A new container (and image, for a Dockerfile). The old one goes once the new image is there."""
        return await self.up(target, ctx, dataclasses.replace(options, rebuild=True), progress)

    async def start(self, target: Target, ctx: ClientContext, options: UpOptions, progress: Progress) -> UpResult:
        """`up` for a container that exists. Raises `NotUp` when there is none."""
        engine = await self.engine_for(ctx)
        record = self.home.record_file(target.key).load()
        found = await adopt.find(engine, target, self.home.owner, known=record.container, project=record.project)
        if found.container is None:
            raise NotUp(f"{target.name} has no container", "`devenv up` makes one")
        return await self.up(target, ctx, options, progress)

    async def stop(self, target: Target, ctx: ClientContext, progress: Progress) -> ContainerSnapshot | None:
        """The stopped container, or None when there is none. The caller has ended the runs.

        Of a Compose project all services stop, unless its `shutdownAction` is none.
        """
        engine = await self.engine_for(ctx)
        async with self.home.exclusive(target.key):
            container = await self._own(target, engine)
            if container is None:
                return None
            project = container.labels.get(PROJECT_LABEL, "")
            if project and self.merged(target, container).shutdown_action != "none":
                progress.step("stop", f"Stopping the services of {project}")
                await composed.stop(engine, project, progress)
                progress.done("stop")
            elif container.running or container.status == "restarting":
                progress.step("stop", f"Stopping {container.name}")
                await engine.stop(container.id)
                progress.done("stop")
            return await engine.inspect(container.id)

    async def down(self, target: Target, ctx: ClientContext, progress: Progress, *, volumes: bool = False) -> bool:
        """Removes the container (of a Compose project: all of it), and with `volumes` the environment's own volumes,
        images and records.

        False when there was nothing. The project's files are never touched.
        """
        engine = await self.engine_for(ctx)
        async with self.home.exclusive(target.key):
            container = await self._own(target, engine)
            record = self.home.record_file(target.key).load()
            project = container.labels.get(PROJECT_LABEL, "") if container is not None else record.project
            built = await composed.default_images(engine, target, project) if project and volumes else []
            if container is not None or project:
                name = f"the Compose project {project}" if project else container.name if container else ""
                progress.step("down", f"Removing {name}")
                if project:
                    await composed.down(engine, project, volumes=volumes, progress=progress)
                elif container is not None:
                    await _remove(engine, container, volumes=volumes)
                progress.done("down")
            await engine.remove_image(uid_image_name(target.key))
            gone = container is not None or bool(project)
            if volumes:
                volume = state_volume.of(container.mounts) if container is not None else None
                gone = await engine.remove_volume(volume or state_volume.name(target.key)) or gone
                for own in _own_volumes(target, container):
                    with contextlib.suppress(DevenvError):  # another container uses it all the same
                        await engine.remove_volume(own)
                await self._remove_images(target, engine, container, built)
            if project and not volumes:
                # Its volumes are there still: `down --volumes` finds them by this name.
                self.home.record_file(target.key).save(Record(project=project))
            else:
                self.home.record_file(target.key).forget()
            ProbeCache(self.home.folder(target.key)).forget()
            composed.override_file(self.home.folder(target.key)).unlink(missing_ok=True)
            if volumes:
                await asyncio.to_thread(_empty, self.home.folder(target.key))
            return gone

    async def _remove_images(
        self, target: Target, engine: Engine, container: ContainerSnapshot | None, built: Sequence[str]
    ) -> None:
        """What was built for this environment. An image that another container uses stays."""
        names = {*built, *([plan.image_name(target)] if target.config.build is not None else [])}
        if container is not None and feature_image.is_ours(container.image):
            names.add(container.image)
        for name in names:
            with contextlib.suppress(DevenvError):
                await engine.remove_image(name)

    async def _own(self, target: Target, engine: Engine) -> ContainerSnapshot | None:
        record = self.home.record_file(target.key).load()
        found = await adopt.find(engine, target, self.home.owner, known=record.container, project=record.project)
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

        Without `engine`, the one of the target's last `status` or `up` is asked.
        """
        engine = engine or self._engines.get(target.key)
        if engine is None:
            raise NotUp(f"{target.name} has not been looked at yet", "run `devenv up`")
        effective = adopt.effective(target, container, self.home.owner)
        record, folder = self.home.record_file(target.key).load(), self.home.folder(target.key)
        return await surroundings.tool_environment(target, container, effective, engine, link, record, folder)

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
        ours = adopt.is_ours(labels, self.home.owner)
        return EnvironmentSummary(
            key=labels.get(KEY_LABEL) or targets.environment_key(folder, file),
            name=pathlib.PurePath(folder).name or container.name,
            local_folder=folder,
            config_file=file,
            container=container,
            adopted=not ours,
            owner=labels[OWNER_LABEL] if adopt.is_foreign(labels, self.home.owner) else "",
        )

    async def restorable(self, ctx: ClientContext) -> Sequence[tuple[Target, ContainerSnapshot, str, str, bool]]:
        """(target, container, remote user, workspace folder, adopted) of every noted environment that runs."""
        engine = await self.engine_for(ctx)
        found = []
        for folder in await asyncio.to_thread(self.home.known):
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
                user = record.remote_user or adopt.effective(target, container, self.home.owner).remote_user
                self._engines[target.key] = engine
                found.append((target, container, user, adopt.mounted_folder(target, container), record.adopted))
        return found

    async def writable_layer(self, container: ContainerSnapshot, engine: Engine) -> Sequence[tuple[str, int]]:
        """(path, bytes) of what only this container holds: changed outside mounts, largest first."""
        return await writable_layer.contents(engine, container)


def _empty(folder: pathlib.Path) -> None:
    """Of all that an environment has noted here, logs and copies included; the lock stays, because others may wait
    for it."""
    for path in folder.iterdir():
        if path.name == LOCK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


async def _remove(engine: Engine, container: ContainerSnapshot, *, volumes: bool) -> None:
    if container.status == "running":
        with contextlib.suppress(DevenvError):  # it is removed in any case
            await engine.stop(container.id)
    await engine.remove(container.id, force=True, volumes=volumes)


def _own_volumes(target: Target, container: ContainerSnapshot | None) -> list[str]:
    """Those that are called after the environment's ${devcontainerId}, and its copy of the project; another one may be
    others' as well."""
    known, mounts = target.substitution.devcontainer_id, container.mounts if container is not None else ()
    names = [str(mount.get("Name") or "") for mount in mounts if mount.get("Type") == "volume"]
    synced = {name for name in (files.volume_name(target.key), *names) if name.startswith(f"devenv-{target.key}")}
    return [*(name for name in names if known and known in name), *sorted(n for n in synced if n.endswith("-files"))]


class _Silent:
    """Progress that nobody watches."""

    def step(self, key: str, title: str) -> None: ...
    def update(self, key: str, *, fraction: float | None = None, detail: str = "") -> None: ...
    def line(self, key: str, text: str, stream: str = "stdout") -> None: ...
    def done(self, key: str, *, ok: bool = True, detail: str = "") -> None: ...
    def note(self, text: str, *, level: str = "info") -> None: ...
