"""Executes one `up`: from whatever is there to a running container with its users and hooks done.

Convergent: killed at any step, the next `up` goes on from what the engine has. A container that was created but never
started is finished, or removed when it is not what the configuration asks for any more. What is not ours is never
removed without `rebuild`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Protocol

from devenv.api.context import ClientContext
from devenv.engine.port import ContainerSnapshot, Engine, EngineInfo, Progress
from devenv.environment import (
    adopt,
    condition,
    engine_notes,
    files,
    host_side,
    linger,
    link_folder,
    plan,
    properties,
    settings_drift,
    shape,
    storage,
)
from devenv.environment.composed import ComposeMaker
from devenv.environment.finish import Finish
from devenv.environment.home import Home
from devenv.environment.image import feature_image
from devenv.environment.image.images import Images
from devenv.environment.image.nearby import NearbyFor
from devenv.environment.inside import users
from devenv.environment.inside.users import Account
from devenv.environment.job import Arrived, Job, Leaving
from devenv.environment.plan import Plan, Step, StepKind, UpOptions
from devenv.environment.results import UpResult
from devenv.environment.shape import Made, Shape
from devenv.environment.single import SingleMaker
from devenv.environment.target import Target, host_variables
from devenv.environment.training.extras import Extras
from devenv.errors import ContainerGone, DevenvError, EngineError, GpuMissing, NotUp
from devenv.lifecycle import hooks, secrets

_LAST_LINES = 20  # of a container that did not stay up


class Maker(Protocol):
    """A way to make containers: the engine's own, or Compose's. Errors leave nothing half-made of the call's own."""

    async def wanted(self, made: Made, info: EngineInfo, *, tail: str = "") -> Shape: ...
    def shown(self, wanted: Shape) -> tuple[str, ...]:
        """What `up --dry-run` prints of the creation, without secrets."""

    async def create(
        self, made: Made, info: EngineInfo, *, tail: str = ""
    ) -> tuple[ContainerSnapshot, Shape, Account | None, bool]: ...
    async def start(self, container: ContainerSnapshot) -> None: ...
    async def stop(self, container: ContainerSnapshot) -> None: ...
    async def clear(self, container: ContainerSnapshot) -> None:
        """Removes one that did not come up."""

    def host_network(self, wanted: Shape) -> bool: ...


class Up:
    """One call of `up`, under the environment's lock."""

    def __init__(
        self,
        home: Home,
        engine: Engine,
        target: Target,
        ctx: ClientContext,
        options: UpOptions,
        progress: Progress,
        arrived: Arrived | None = None,
        nearby: NearbyFor | None = None,
        leaving: Leaving | None = None,
    ) -> None:
        file = home.record_file(target.key)
        job = Job(home, engine, target, ctx, options, progress, file, file.load(), arrived=arrived, leaving=leaving)
        self._job = dataclasses.replace(job, nearby=nearby)
        self._engine = engine
        self._target = target
        extras = Extras(self._job)
        maker = ComposeMaker(self._job, extras) if target.is_compose else SingleMaker(self._job, extras)
        self._images = Images(self._job, maker)
        self._maker: Maker = maker
        self._extras = extras

    # --- the two ways in ---

    async def run(self) -> UpResult:
        await self._initialize()
        job = self._job
        for sentence in secrets.wanted(self._target.config.secrets, job.options.secrets):
            job.note(sentence)
        found = await self._find()
        container = found.container
        created = False
        old: ContainerSnapshot | None = None
        if container is not None and (job.options.rebuild or await self._useless(container)):
            container, old = None, container
        if container is None and job.options.expect_existing:
            raise NotUp("The expected container does not exist.", "run `up` without --expect-existing-container")
        if container is None:
            container, created = await self._create(old, job.tail if found.foreign else "")
        result = await Finish(job).run(await self._running(container), created=created)
        if old is not None and old.image != result.container.image and feature_image.is_ours(old.image):
            with contextlib.suppress(DevenvError):  # another container uses it
                await self._engine.remove_image(old.image)
        return result

    async def run_pending(self) -> None:
        job = self._job
        container = (await self._find()).container
        if container is None or container.status != "running":
            return  # the next `up` does it all
        await Finish(job).run(container, created=False)

    async def plan(self) -> Plan:
        """The same decisions, without a deed."""
        job = self._job
        steps: list[Step] = []
        command = self._target.config.initialize_command
        if command:
            steps.append(Step(StepKind.INITIALIZE, "; ".join(step.text for step in command.steps)))
        container = (await self._find()).container
        if container is not None and not job.options.rebuild:
            return await self._plan_existing(container, steps)
        plan.check(self._target)
        if container is not None:
            steps.append(Step(StepKind.REMOVE, f"remove {container.name}"))
        made, info, more = await self._images.look()
        steps += more
        if self._target.config.features:
            names = ", ".join(self._target.config.features)
            steps.append(Step(StepKind.FEATURES, f"install the features {names}, unless that image is there"))
        wanted = await self._maker.wanted(made, info) if made is not None else None
        name = plan.container_name(self._target)
        if isinstance(self._maker, ComposeMaker):
            project = await self._maker.project()
            name = f"service {project.main.name} of {project.name}"
        steps.append(Step(StepKind.CREATE, f"create {name}" + (f" from {made.reference}" if made else "")))
        if wanted is not None and users.applies(wanted.merged, info, wanted.remote_user, job.host_user):
            steps.append(Step(StepKind.USERS, f"give {wanted.remote_user} the uid {job.host_user.uid}"))
        steps.append(Step(StepKind.START, f"start {name}"))
        if wanted is None:
            return Plan(self._target.key, tuple(steps))
        steps += [
            Step(StepKind.HOOK, f"{stage.value}: {step.text}")
            for stage, found_hooks in wanted.merged.hooks.items()
            for hook in found_hooks
            for step in hook.command.steps
        ]
        additions = wanted.additions
        notes = [*additions.lines, *additions.defaults, *additions.notes, *self._notes(wanted, info)]
        shown = self._maker.shown(wanted)
        words, lines = ((), shown) if self._target.is_compose else (shown, ())
        return Plan(self._target.key, tuple(steps), words, lines, (), tuple(notes))

    async def _plan_existing(self, container: ContainerSnapshot, steps: list[Step]) -> Plan:
        job = self._job
        effective = adopt.effective(self._target, container, job.home.owner)
        differences = await condition.differences(
            self._target, self._engine, container, job.record, effective, job.home.owner
        )
        if container.status == "paused":
            steps.append(Step(StepKind.UNPAUSE, f"unpause {container.name}"))
        elif container.status != "running":
            steps.append(Step(StepKind.START, f"start {container.name}"))
        steps += [
            Step(StepKind.HOOK, f"{stage.value}: {step.text}")
            for stage in Finish(job).due(effective.merged.hooks, container)
            for hook in effective.merged.hooks.get(stage, ())
            for step in hook.command.steps
        ]
        return Plan(self._target.key, tuple(steps), drift=tuple(differences))

    async def _find(self) -> adopt.Found:
        """Also a container that `docker compose up` made by hand, of a project that we have not met yet."""
        job, owner = self._job, self._job.home.owner
        found = await adopt.find(
            self._engine, self._target, owner, known=job.record.container, project=job.record.project
        )
        if found.container is not None or found.foreign or not isinstance(self._maker, ComposeMaker):
            return found
        project = (await self._maker.project()).name
        if project == job.record.project:
            return found
        return await adopt.find(self._engine, self._target, owner, project=project)

    # --- on the host ---

    async def _initialize(self) -> None:
        """What the repository does on this machine: asked for trust once."""
        job, target = self._job, self._target
        job.require_trust(host_side.claims(target))
        command = target.config.initialize_command
        if not command:
            return
        await hooks.run_on_host(
            command,
            folder=target.local_folder,
            env=host_variables(target),
            umask=job.ctx.umask,
            progress=job.progress,
            limit=job.options.hook_limit or 0.0,
        )

    # --- what is there ---

    async def _useless(self, container: ContainerSnapshot) -> bool:
        """Whether a container can only be thrown away: dead, or ours, never started, and no longer what is wanted."""
        job = self._job
        if container.status == "dead":
            return True
        if container.status != "created" or not adopt.is_ours(container.labels, job.home.owner):
            return False
        effective = adopt.effective(self._target, container, job.home.owner)
        found = await condition.differences(
            self._target, self._engine, container, job.record, effective, job.home.owner
        )
        return any(not difference.live for difference in found)

    async def _running(self, container: ContainerSnapshot) -> ContainerSnapshot:
        """The same container, running. Each state has its way."""
        job, status = self._job, container.status
        if status == "running":
            return container
        if status == "paused":
            await self._engine.unpause(container.id)
            job.note("the container was paused from outside; it goes on now")
            return await self._again(container)
        if status == "restarting":
            raise EngineError(
                f"container {container.name} restarts again and again (last exit code {container.exit_code})",
                f"see `docker logs {container.name}`; `devenv rebuild` makes it new",
            )
        ours = adopt.is_ours(container.labels, job.home.owner)
        if ours and not (job.record.container == container.id and job.record.prepared):
            effective = adopt.effective(self._target, container, job.home.owner)
            if job.record.container != container.id:
                job.new_record(container.id, effective.remote_user)
            await Finish(job).prepare(container, effective.remote_user, effective.merged, await self._engine.info())
        return await self._start(container)

    async def _start(self, container: ContainerSnapshot) -> ContainerSnapshot:
        job = self._job
        link_folder.ensure(job.folder)
        job.progress.step("start", f"Starting {container.name}")
        try:
            await self._maker.start(container)
        except BaseException:
            job.progress.done("start", ok=False)
            raise
        if not properties.keeps_itself_up(container):
            # The image's own command may end at once, and nothing but time would tell: a command in it takes longer.
            with contextlib.suppress(DevenvError):
                await self._engine.exec_capture(container.id, ["/bin/sh", "-c", "sleep 0.2"], timeout=5.0)
        started = await self._again(container)
        if started.status != "running":
            job.progress.done("start", ok=False)
            raise await self._ended_at_once(started)
        job.progress.done("start")
        return started

    async def _ended_at_once(self, container: ContainerSnapshot) -> ContainerGone:
        """With its last lines: a new container that does not stay is removed, and its log with it."""
        said = b""
        with contextlib.suppress(DevenvError):
            said = await self._engine.logs(container.id, tail_lines=_LAST_LINES)
        hint = "its first process must stay: see what it printed"
        if not properties.keeps_itself_up(container):
            own = "the service's own command" if self._target.is_compose else "the image's own command"
            hint = f'that was {own}; "overrideCommand": true keeps the container up without it'
        return ContainerGone(
            f"container {container.name} ended at once with exit code {container.exit_code}",
            hint,
            details={"exit_code": container.exit_code, "lines": said.decode("utf-8", "replace").splitlines()},
        )

    async def _again(self, container: ContainerSnapshot) -> ContainerSnapshot:
        now = await self._engine.inspect(container.id)
        if now is None:
            raise ContainerGone(f"container {container.name} was removed from outside", "run `devenv up` again")
        return now

    # --- a new container ---

    async def _create(self, old: ContainerSnapshot | None, tail: str) -> tuple[ContainerSnapshot, bool]:
        job = self._job
        plan.check(self._target)
        if old is None and job.record.container:
            job.note("the container was removed from outside; a new one is made")
        made, info = await self._images.obtain()
        wanted = await self._maker.wanted(made, info, tail=tail)  # what is refused is so before anything is removed
        if wanted.synced is not None and job.leaving is not None:
            await job.leaving(wanted.synced)
        if old is not None:
            await job.remove(old)
        link_folder.ensure(job.folder)
        first: EngineError | None = None
        while True:
            try:
                return await self._attempt(made, info, tail)
            except EngineError as error:
                first = first or error
                if not self._extras.try_another_way():
                    raise first from error
            except GpuMissing as refusal:
                # The next way is none: the first failure is what happened, and this what there is to say of GPUs.
                if first is None:
                    raise
                raise EngineError(f"{first.message}\n{refusal.message}", refusal.hint) from refusal

    async def _attempt(self, made: Made, info: EngineInfo, tail: str) -> tuple[ContainerSnapshot, bool]:
        """One container, created, prepared and started; nothing is left of it when that fails."""
        job = self._job
        container, wanted, account, new = await self._maker.create(made, info, tail=tail)
        if not new:
            return container, False
        for line in wanted.additions.lines:
            job.progress.note(line)
        own_uid, _ = await self._engine.own_ids(container.id) if info.rootless else (0, 0)
        for note in (*wanted.additions.notes, *self._notes(wanted, info, own_uid)):
            job.note(note)
        record = job.new_record(container.id, wanted.remote_user)
        record.secrets_file = job.options.secrets_file or record.secrets_file
        record.dockerfile = made.dockerfile
        record.features = dict(made.features)
        record.local_features = dict(made.local_features)
        record.settings = settings_drift.portrait(job.settings(wanted.merged).container)
        await self._remember(wanted)
        job.save()
        try:
            if account is not None:
                record.home, record.uid = account.home, account.uid
            finish = Finish(job)
            await finish.prepare(container, wanted.remote_user, wanted.merged, info, update=account is None)
            return await self._start(container), True
        except DevenvError:
            # Half-made: it would only stand in the way.
            with contextlib.suppress(DevenvError):
                await self._maker.clear(container)
            job.forget()
            raise

    async def _remember(self, wanted: Shape) -> None:
        """What cannot be read off the container later, and drift is measured against."""
        if isinstance(self._maker, ComposeMaker):
            project = await self._maker.project()
            self._job.record.project = project.name
            self._job.record.service = self._maker.portrait(project)

    def _notes(self, wanted: Shape, info: EngineInfo, own_uid: int = 0) -> list[str]:
        host = self._job.host(info)
        storage_there = storage.free(info) if wanted.merged.host_requirements.storage else None
        host_network = self._maker.host_network(wanted)
        return [
            *shape.notes(wanted, info, host, host_network=host_network, storage=storage_there),
            *engine_notes.notes(wanted, info, own_uid=own_uid, lingers=linger.lingers(host.uid)),
            *([] if info.is_local_socket else self._elsewhere(wanted)),
        ]

    def _elsewhere(self, wanted: Shape) -> list[str]:
        """Of folders of this machine that the engine does not see."""
        sources = [mount.source for mount in wanted.mounts if mount.type == "bind" and mount.source]
        service = self._maker.service() if isinstance(self._maker, ComposeMaker) else None
        if service is not None:
            sources += [source for source, place in files.binds(service) if _stays(place, wanted)]
        found = files.unreachable(sources, wanted.synced)
        if not found:
            return []
        return [f"the engine is on another machine: {', '.join(found)} is a folder there, not this machine's"]


def _stays(place: str, wanted: Shape) -> bool:
    """Whether a service's bind mount is one still, in the container as it is wanted."""
    return wanted.synced is None or place != wanted.synced.place
