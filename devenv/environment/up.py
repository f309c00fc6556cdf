"""Executes one `up`: from whatever is there to a running container with its users and hooks done.

Convergent: killed at any step, the next `up` goes on from what the engine has. A container that was created but never
started is finished, or removed when it is not what the configuration asks for any more. What is not ours is never
removed without `rebuild`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
from collections.abc import Mapping

from devcontainer.lifecycle import Stage
from devenv.api.context import ClientContext
from devenv.engine.port import ContainerSnapshot, Engine, EngineInfo, ImageSnapshot, NameInUse, Progress
from devenv.environment import adopt, hooks, link_folder, plan, properties, read_only_root, state_volume, users
from devenv.environment.environments import Environments, UpResult
from devenv.environment.plan import ContainerPlan, Plan, Step, StepKind, UpOptions
from devenv.environment.probe import ProbeCache
from devenv.environment.records import Record
from devenv.environment.target import Target, host_variables
from devenv.environment.users import HostUser
from devenv.errors import ConfigError, ContainerGone, DevenvError, EngineError, ImageMissing, Refused

_REMOVAL = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between looks at a container that is being removed


class Up:
    """One call of `up`, under the environment's lock."""

    def __init__(
        self,
        rooms: Environments,
        engine: Engine,
        target: Target,
        ctx: ClientContext,
        options: UpOptions,
        progress: Progress,
    ) -> None:
        self._rooms = rooms
        self._engine = engine
        self._target = target
        self._ctx = ctx
        self._options = options
        self._progress = progress
        self._host = HostUser.of(ctx.uid)
        self._file = rooms.record_file(target.key)
        self._record = self._file.load()
        self._notes: list[str] = []

    # --- the two ways in ---

    async def run(self) -> UpResult:
        await self._initialize()
        found = await adopt.find(self._engine, self._target, self._rooms.owner, known=self._record.container)
        container = found.container
        created = False
        old: ContainerSnapshot | None = None
        if container is not None and (self._options.rebuild or await self._useless(container)):
            container, old = None, container
        if container is None:
            container, created = await self._create(old, self._tail if found.foreign else "")
        return await self._finish(await self._running(container), created=created)

    async def plan(self) -> Plan:
        """The same decisions, without a deed."""
        steps: list[Step] = []
        command = self._target.config.initialize_command
        if command:
            steps.append(Step(StepKind.INITIALIZE, "; ".join(step.text for step in command.steps)))
        found = await adopt.find(self._engine, self._target, self._rooms.owner, known=self._record.container)
        container = found.container
        if container is not None and not self._options.rebuild:
            effective = adopt.effective(self._target, container, self._rooms.owner)
            differences = await self._rooms.differences(self._target, self._engine, container, self._record, effective)
            if container.status == "paused":
                steps.append(Step(StepKind.UNPAUSE, f"unpause {container.name}"))
            elif container.status != "running":
                steps.append(Step(StepKind.START, f"start {container.name}"))
            done = self._record.hooks if self._record.container == container.id else {}
            steps += [
                Step(StepKind.HOOK, f"{stage.value}: {step.text}")
                for stage in hooks.due(effective.merged.hooks, done, container)
                for hook in effective.merged.hooks.get(stage, ())
                for step in hook.command.steps
            ]
            return Plan(self._target.key, tuple(steps), None, tuple(differences))
        plan.check_supported(self._target)
        if container is not None:
            steps.append(Step(StepKind.REMOVE, f"remove {container.name}"))
        reference = plan.reference(self._target)
        request = plan.build_request(self._target, self._options, log_path="")
        image, info = await self._look(reference)
        if request is not None:
            steps.append(Step(StepKind.BUILD, f"build {reference} from {request.dockerfile}"))
        elif image is None or self._options.pull:
            steps.append(Step(StepKind.PULL, f"pull {reference}"))
        create = self._container_plan(image, info) if image is not None else None
        steps.append(Step(StepKind.CREATE, f"create {plan.container_name(self._target)} from {reference}"))
        if create is not None and users.applies(create.merged, info, create.remote_user, self._host):
            steps.append(Step(StepKind.USERS, f"give {create.remote_user} the uid {self._host.uid}"))
        steps.append(Step(StepKind.START, f"start {plan.container_name(self._target)}"))
        if create is not None:
            steps += [
                Step(StepKind.HOOK, f"{stage.value}: {step.text}")
                for stage, found_hooks in create.merged.hooks.items()
                for hook in found_hooks
                for step in hook.command.steps
            ]
        return Plan(self._target.key, tuple(steps), create, (), create.notes if create else ())

    # --- on the host ---

    async def _initialize(self) -> None:
        command = self._target.config.initialize_command
        if not command:
            return
        text = "; ".join(step.text for step in self._target.written.initialize_command.steps)
        self._rooms.trust.require(
            self._target.local_folder,
            self._target.written.raw.get(Stage.INITIALIZE.value),
            text,
            given=self._options.trust,
        )
        await hooks.run_on_host(
            command,
            folder=self._target.local_folder,
            env=host_variables(self._target),
            umask=self._ctx.umask,
            progress=self._progress,
        )

    # --- what is there ---

    async def _useless(self, container: ContainerSnapshot) -> bool:
        """Whether a container can only be thrown away: dead, or ours, never started, and no longer what is wanted."""
        if container.status == "dead":
            return True
        if container.status != "created" or not adopt.is_ours(container.labels, self._rooms.owner):
            return False
        effective = adopt.effective(self._target, container, self._rooms.owner)
        return bool(await self._rooms.differences(self._target, self._engine, container, self._record, effective))

    async def _running(self, container: ContainerSnapshot) -> ContainerSnapshot:
        """The same container, running. Each state has its way."""
        status = container.status
        if status == "running":
            return container
        if status == "paused":
            await self._engine.unpause(container.id)
            self._note("the container was paused from outside; it goes on now")
            return await self._again(container)
        if status == "restarting":
            raise EngineError(
                f"container {container.name} restarts again and again (last exit code {container.exit_code})",
                f"see `docker logs {container.name}`; `devenv rebuild` makes it new",
            )
        ours = adopt.is_ours(container.labels, self._rooms.owner)
        if ours and not (self._record.container == container.id and self._record.prepared):
            effective = adopt.effective(self._target, container, self._rooms.owner)
            if self._record.container != container.id:
                self._record = self._new_record(container.id, effective.remote_user)
            await self._prepare(container, effective.remote_user, effective, await self._engine.info())
        return await self._start(container)

    async def _start(self, container: ContainerSnapshot) -> ContainerSnapshot:
        link_folder.ensure(self._rooms.folder(self._target.key))
        self._progress.step("start", f"Starting {container.name}")
        try:
            await self._engine.start(container.id)
        except BaseException:
            self._progress.done("start", ok=False)
            raise
        if not properties.keeps_itself_up(container):
            # The image's own command may end at once, and nothing but time would tell: a command in it takes longer.
            with contextlib.suppress(DevenvError):
                await self._engine.exec_capture(container.id, ["/bin/sh", "-c", "sleep 0.2"], timeout=5.0)
        started = await self._again(container)
        if started.status != "running":
            self._progress.done("start", ok=False)
            raise ContainerGone(
                f"container {started.name} ended at once with exit code {started.exit_code}",
                f"see `docker logs {started.name}`",
                details={"exit_code": started.exit_code},
            )
        self._progress.done("start")
        return started

    async def _again(self, container: ContainerSnapshot) -> ContainerSnapshot:
        now = await self._engine.inspect(container.id)
        if now is None:
            raise ContainerGone(f"container {container.name} was removed from outside", "run `devenv up` again")
        return now

    # --- a new container ---

    async def _create(self, old: ContainerSnapshot | None, tail: str) -> tuple[ContainerSnapshot, bool]:
        plan.check_supported(self._target)
        if old is None and self._record.container:
            self._note("the container was removed from outside; a new one is made")
        image, info, dockerfile = await self._image()
        made = self._container_plan(image, info, tail=tail)
        account = None
        reference = made.image
        if made.read_only and users.applies(made.merged, info, made.remote_user, self._host):
            reference, account = await read_only_root.derive(
                self._engine, image, made.image, self._target.key, made.remote_user, self._host, self._progress
            )
            if reference != made.image:
                made = self._container_plan(image, info, image_reference=reference, tail=tail)
        if old is not None:
            await self._remove(old)
        link_folder.ensure(self._rooms.folder(self._target.key))
        self._progress.step("create", f"Creating {made.name}")
        try:
            identity = await self._engine.create(made.args, env=made.secret_env)
        except NameInUse:
            container = await self._other(made)
            if container is not None:
                self._progress.done("create", detail="it is there already")
                return container, False
            if await self._engine.inspect(made.name) is not None:  # another owner's
                made = self._container_plan(image, info, image_reference=reference, tail=self._tail)
            identity = await self._engine.create(made.args, env=made.secret_env)
        except EngineError as error:
            self._progress.done("create", ok=False)
            raise await self._explained(error, made) from error
        self._progress.done("create")
        for note in made.notes:
            self._note(note)
        self._record = self._new_record(identity, made.remote_user)
        self._record.dockerfile = dockerfile
        self._file.save(self._record)
        container = await self._engine.inspect(identity)
        if container is None:
            raise ContainerGone(f"container {made.name} was removed from outside", "run `devenv up` again")
        try:
            effective = adopt.effective(self._target, container, self._rooms.owner)
            if account is not None:
                self._record.home, self._record.uid = account.home, account.uid
            await self._prepare(container, made.remote_user, effective, info, update=not made.read_only)
            return await self._start(container), True
        except DevenvError:
            # Half-made: it would only stand in the way.
            with contextlib.suppress(DevenvError):
                await self._engine.remove(identity, force=True)
            self._file.forget()
            raise

    def _new_record(self, container: str, user: str) -> Record:
        return Record(
            local_folder=self._target.local_folder,
            config_file=self._target.config_file,
            container=container,
            remote_user=user,
            workspace_folder=self._target.workspace_folder,
            said=self._record.said,
        )

    def _container_plan(
        self, image: ImageSnapshot, info: EngineInfo, *, image_reference: str = "", tail: str = ""
    ) -> ContainerPlan:
        folder = link_folder.folder(self._rooms.folder(self._target.key))
        return plan.container_plan(
            self._target,
            image,
            info,
            owner=self._rooms.owner,
            version=self._rooms.version,
            link=str(folder) if info.is_local_socket else None,
            uid=self._host.uid,
            image_reference=image_reference,
            tail=tail,
        )

    async def _look(self, reference: str) -> tuple[ImageSnapshot | None, EngineInfo]:
        async with asyncio.TaskGroup() as tasks:
            image = tasks.create_task(self._engine.image(reference))
            info = tasks.create_task(self._engine.info())
        return image.result(), info.result()

    async def _image(self) -> tuple[ImageSnapshot, EngineInfo, str]:
        """(image, engine, text of the Dockerfile). Builds or pulls what is not there."""
        reference = plan.reference(self._target)
        log = self._rooms.folder(self._target.key) / "build.log"
        request = plan.build_request(self._target, self._options, log_path=str(log))
        if request is not None:
            text = await asyncio.to_thread(pathlib.Path(request.dockerfile).read_text, "utf-8", "replace")
            info = await self._engine.info()
            return await self._engine.build(request, self._progress), info, text
        image, info = await self._look(reference)
        if image is None or self._options.pull:
            image = await self._engine.pull(reference, self._progress)
        return image, info, ""

    async def _explained(self, error: EngineError, made: ContainerPlan) -> DevenvError:
        """Why a container could not be created, where it can be asked instead of read from a message."""
        if await self._engine.image(made.image) is None:
            return ImageMissing(f"image {made.image} is not there any more", "run `devenv up` again")
        for mount in made.merged.mounts:
            if mount.type == "bind" and mount.source and not await asyncio.to_thread(os.path.lexists, mount.source):
                return ConfigError(
                    [self._target.problem("mounts", f"there is no {mount.source} on this machine to mount")],
                    "create it, or change the mount",
                )
        return error

    async def _remove(self, container: ContainerSnapshot) -> None:
        self._progress.step("remove", f"Removing {container.name}")
        if container.status == "running":
            with contextlib.suppress(DevenvError):  # it is removed in any case
                await self._engine.stop(container.id)
        await self._engine.remove(container.id, force=True)
        self._progress.done("remove")

    @property
    def _tail(self) -> str:
        """Of our names, where another owner has the plain ones on a shared engine."""
        user, _, machine = self._rooms.owner.partition("@")
        return f"-{user}-{machine[:6]}"

    async def _other(self, made: ContainerPlan) -> ContainerSnapshot | None:
        """The container that has the name; None when it belongs to another owner, or has gone meanwhile.

        Ours can only be one whose `up` was killed while the engine made it: we hold the environment's lock.
        """
        container = await self._engine.inspect(made.name)
        for delay in _REMOVAL:
            if container is None or container.status != "removing":
                break
            await asyncio.sleep(delay)  # it keeps its name until it is gone; no subscription is held for this
            container = await self._engine.inspect(made.name)
        if container is None:
            return None
        if adopt.is_foreign(container.labels, self._rooms.owner):
            return None
        if not adopt.same_project(container.labels, self._target):
            raise Refused(
                f"a container named {made.name} exists and belongs to another project",
                f'remove it, or choose another name with "runArgs": ["--name", "{made.name}-2"]',
            )
        return container

    # --- users ---

    async def _prepare(
        self,
        container: ContainerSnapshot,
        user: str,
        effective: adopt.Effective,
        info: EngineInfo,
        *,
        update: bool = True,
    ) -> None:
        """Ids and the state volume, in a container that is not running yet."""
        read_only = bool((container.raw.get("HostConfig") or {}).get("ReadonlyRootfs"))
        applies = update and not read_only and users.applies(effective.merged, info, user, self._host)
        account, archive = await users.examine(self._engine, container.id, user, self._host, update=applies)
        if account is None:
            raise ConfigError([self._target.problem("remoteUser", f"the image has no user {user}")])
        if account.note:
            self._note(account.note)
        if plan.is_root(user) and plan.outputs_belong_to_root(self._target, info, self._host.uid):
            passwd, _ = await users.read_accounts(self._engine, container.id)
            if names := users.ordinary(passwd):
                self._note(f'the image has the user {names[0]}: "remoteUser": "{names[0]}" works as that user')
        self._record.home, self._record.uid = account.home, account.uid
        if archive is not None and account.chown is not None:
            # Noted before it is done: killed in between, the next `up` still knows whose files the home has.
            self._record.chown = list(account.chown)
            self._file.save(self._record)
            await self._engine.put_archive(container.id, "/etc", archive)
        if any(m.get("Destination") == state_volume.MOUNT_POINT for m in container.mounts):
            archive = state_volume.user_folder(account.uid, account.gid, now=self._rooms.clock())
            await self._engine.put_archive(container.id, state_volume.MOUNT_POINT, archive)
        self._record.prepared = True
        self._file.save(self._record)

    async def _reown(self, container: ContainerSnapshot) -> None:
        if len(self._record.chown) == 4 and self._record.home:
            a, b, c, d = self._record.chown
            await users.reown(self._engine, container.id, self._record.home, (a, b, c, d))
            self._record.chown = []
            self._file.save(self._record)

    # --- the end ---

    async def _finish(self, container: ContainerSnapshot, *, created: bool) -> UpResult:
        rooms, target = self._rooms, self._target
        ours = adopt.is_ours(container.labels, rooms.owner)
        effective = adopt.effective(target, container, rooms.owner)
        if self._record.container != container.id:
            await self._adopt(container, effective, ours)
        await self._reown(container)
        stages = hooks.due(effective.merged.hooks, self._record.hooks, container)

        def succeeded(stage: Stage) -> None:
            stamp = hooks.stamp_of(stage, container)
            if stamp:
                self._record.hooks = {**self._record.hooks, stage.value: stamp}
                if effective.merged.hooks.get(stage):
                    self._file.save(self._record)

        async def environment() -> Mapping[str, str]:
            return (await rooms.probe(target, container, engine=self._engine)).env

        await hooks.run_stages(
            self._engine,
            container,
            stages,
            effective.merged.hooks,
            user=effective.remote_user,
            folder=adopt.mounted_folder(target, container),
            environment=environment,
            progress=self._progress,
            succeeded=succeeded,
        )
        if stages:
            self._file.save(self._record)
        if any(effective.merged.hooks.get(stage) for stage in stages):
            ProbeCache(rooms.folder(target.key)).forget()  # a hook may have changed what the user's shell reads
        differences = (
            [] if created else await rooms.differences(target, self._engine, container, self._record, effective)
        )
        return UpResult(
            container=container,
            remote_user=effective.remote_user,
            workspace_folder=adopt.mounted_folder(target, container),
            created=created,
            adopted=not ours,
            notes=tuple(self._notes),
            drift=tuple(differences),
        )

    async def _adopt(self, container: ContainerSnapshot, effective: adopt.Effective, ours: bool) -> None:
        """Notes a container that our records do not know: another tool's, or ours from before the records were lost."""
        user = effective.remote_user
        passwd, group = ("", "") if plan.is_root(user) else await users.read_accounts(self._engine, container.id)
        account = None if plan.is_root(user) else users.lookup(passwd, group, user)
        done = {}
        if any(effective.merged.hooks.values()):
            done = await hooks.read_markers(self._engine, container, user)
        self._record = self._new_record(container.id, user)
        self._record.adopted = not ours
        self._record.prepared = True
        self._record.home = account.home if account else "/root"
        self._record.uid = account.uid if account else 0
        self._record.hooks = done
        self._file.save(self._record)
        if not ours:
            self._note(f"using container {container.name}, which another tool made")

    def _note(self, text: str) -> None:
        """Told now and in the result; what is always true of a machine is told once per environment."""
        if "live-restore" in text:
            if text in self._record.said:
                return
            self._record.said = [*self._record.said, text]
        self._notes.append(text)
        self._progress.note(text, level="warning" if "belong to root" in text else "info")
