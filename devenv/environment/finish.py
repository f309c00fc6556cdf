"""What follows once a container is there: ids and state volume before it starts, lifecycle commands after.

Everything is noted when it has succeeded, so that the next `up` goes on where this one was killed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from devcontainer.lifecycle import Stage, has_run
from devcontainer.merge import Hook, Merged
from devenv.compose.project import PROJECT_LABEL
from devenv.engine.port import ContainerSnapshot, EngineInfo
from devenv.environment import adopt, condition, files, settings, shape, state_volume
from devenv.environment.inside import surroundings, users, working_folder
from devenv.environment.inside.probe import ProbeCache
from devenv.environment.inside.users import HostUser
from devenv.environment.job import Job
from devenv.environment.plan import Hooks
from devenv.environment.results import UpResult
from devenv.environment.target import Target
from devenv.errors import ConfigError, Problem
from devenv.lifecycle import hooks
from devenv.lifecycle.dotfiles import MARKER, Dotfiles
from devenv.lifecycle.hooks import Place

_FAILED = "failed"  # where a stamp would stand
_KEPT = "outputs of earlier runs are kept: `devenv rebuild` brings them back, and what the dev container adds"


class Finish:
    def __init__(self, job: Job) -> None:
        self._job = job

    # --- before the start ---

    async def prepare(
        self,
        container: ContainerSnapshot,
        user: str,
        merged: Merged,
        info: EngineInfo,
        *,
        update: bool = True,
    ) -> None:
        """Ids and the state volume, in a container that is not running yet."""
        job = self._job
        read_only = bool((container.raw.get("HostConfig") or {}).get("ReadonlyRootfs"))
        host = HostUser(*await job.engine.own_ids(container.id)) if info.rootless else job.host_user
        said = job.options.update_uid
        applies = update and not read_only and users.applies(merged, info, user, host, said, mapped=info.rootless)
        account, archive = await users.examine(job.engine, container.id, user, host, update=applies)
        if account is None:
            raise ConfigError([_unknown_user(job.target, user, container.image)])
        if account.note:
            job.note(account.note)
        if shape.is_root(user) and shape.outputs_belong_to_root(job.target, info, job.host_user.uid):
            passwd, _ = await users.read_accounts(job.engine, container.id)
            if names := users.ordinary(passwd):
                job.note(f'the image has the user {names[0]}: "remoteUser": "{names[0]}" works as that user')
        job.record.home, job.record.uid = account.home, account.uid
        if archive is not None and account.chown is not None:
            # Noted before it is done: killed in between, the next `up` still knows whose files the home has.
            job.record.chown = list(account.chown)
            job.save()
            await job.engine.put_archive(container.id, "/etc", archive)
        if any(m.get("Destination") == state_volume.MOUNT_POINT for m in container.mounts):
            archive = state_volume.user_folder(account.uid, account.gid, now=job.home.clock())
            await job.engine.put_archive(container.id, state_volume.MOUNT_POINT, archive)
        if synced := files.of_container(job.target, container):
            folder, archive = files.owned_folder(synced, account.uid, account.gid, now=job.home.clock())
            await job.engine.put_archive(container.id, folder, archive)
        job.record.prepared = True
        job.save()

    async def _reown(self, container: ContainerSnapshot) -> None:
        job = self._job
        if len(job.record.chown) == 4 and job.record.home:
            a, b, c, d = job.record.chown
            await users.reown(job.engine, container.id, job.record.home, (a, b, c, d))
            job.record.chown = []
            job.save()

    # --- after the start ---

    def due(self, found: Mapping[Stage, Sequence[Hook]], container: ContainerSnapshot) -> list[Stage]:
        """Stages that are to run now: those that have not succeeded, and those whose commands were edited since."""
        job = self._job
        same = job.record.container == container.id
        done = job.record.hooks if same else {}
        digests = job.record.changed_hooks if same else {}
        wanted = hooks.due(found, done, container, digests)
        if not job.options.attach_hook:
            wanted = [stage for stage in wanted if stage is not Stage.POST_ATTACH]
        match job.options.hooks:
            case Hooks.NONE:
                return []
            case Hooks.PREBUILD:
                early = [stage for stage in wanted if stage in (Stage.ON_CREATE, Stage.UPDATE_CONTENT)]
                again = [] if Stage.UPDATE_CONTENT in early else [Stage.UPDATE_CONTENT]
                return [*early, *again]
            case Hooks.PERSONALIZATION:
                return [stage for stage in wanted if stage not in (Stage.POST_START, Stage.POST_ATTACH)]
        return wanted

    async def run(self, container: ContainerSnapshot, *, created: bool) -> UpResult:
        job = self._job
        home, target = job.home, job.target
        ours = adopt.is_ours(container.labels, home.owner)
        effective = adopt.effective(target, container, home.owner)
        if job.record.container != container.id:
            await self._adopt(container, effective, ours)
        elif not created:
            await self._heed_markers(container, effective)
        if job.options.secrets_file and job.record.secrets_file != job.options.secrets_file:
            job.record.secrets_file = job.options.secrets_file
            job.save()
        await self._reown(container)
        if job.arrived is not None:
            await job.arrived(container, effective.remote_user, job.progress)
        if created:
            await working_folder.check(job.engine, target, container, effective.remote_user)
        stages = self.due(effective.merged.hooks, container)
        now, later = _split(stages, effective.merged, job.options.hooks)
        before = [stage for stage in now if stage not in (Stage.POST_START, Stage.POST_ATTACH)]
        await self.run_hooks(container, effective, before)
        again = job.record.hooks.get(hooks.DOTFILES) == _FAILED
        settled = job.options.hooks in (Hooks.ALL, Hooks.CONFIGURED, Hooks.BLOCKING)
        if settled and (Stage.POST_CREATE in before or again):
            await self._dotfiles(container, effective)
        await self.run_hooks(container, effective, now[len(before) :])
        differences = (
            []
            if created
            else await condition.differences(target, job.engine, container, job.record, effective, home.owner)
        )
        return UpResult(
            container=container,
            remote_user=effective.remote_user,
            workspace_folder=adopt.mounted_folder(target, container),
            created=created,
            adopted=not ours,
            notes=tuple(job.notes),
            drift=tuple(differences),
            pending=tuple(later),
        )

    async def _dotfiles(self, container: ContainerSnapshot, effective: adopt.Effective) -> None:
        """Once per container, after it was created; again when that failed."""
        job = self._job
        chosen = job.options.dotfiles
        if chosen is None:
            said = job.settings(effective.merged).dotfiles
            chosen = Dotfiles(said.repository, said.target, said.install or "") if said is not None else None
        if chosen is None or has_run(job.record.hooks.get(hooks.DOTFILES), container.created):
            return
        job.record.hooks = {**job.record.hooks, hooks.DOTFILES: _FAILED}
        job.save()  # killed in between, the next `up` tries again
        await hooks.run_one(job.engine, self._place(container, effective), hooks.DOTFILES, chosen.command, job.progress)
        job.record.hooks = {**job.record.hooks, hooks.DOTFILES: container.created}
        job.save()
        await hooks.mark(job.engine, container, effective.remote_user, [MARKER, container.created])
        ProbeCache(job.folder).forget()

    def _place(self, container: ContainerSnapshot, effective: adopt.Effective) -> Place:
        job = self._job

        async def environment() -> Mapping[str, str]:
            probed = await surroundings.tool_environment(
                job.target, container, effective, job.engine, None, job.record, job.folder
            )
            said = effective.merged.remote_env
            return {**probed.env, **{name: v for name, v in job.options.remote_env.items() if name not in said}}

        return Place(
            container,
            effective.remote_user,
            adopt.mounted_folder(job.target, container),
            environment,
            job.options.secrets,
            self._limit(effective.merged),
        )

    def _limit(self, merged: Merged) -> float:
        """Seconds for one lifecycle command; 0: none."""
        if self._job.options.hook_limit is not None:
            return self._job.options.hook_limit
        return settings.seconds(self._job.settings(merged).container.hook_timeout) or 0.0

    async def run_hooks(
        self, container: ContainerSnapshot, effective: adopt.Effective, stages: Sequence[Stage]
    ) -> None:
        """Raises `HookFailed`; what succeeded before it stays done."""
        job, merged = self._job, effective.merged

        def succeeded(stage: Stage) -> None:
            stamp = hooks.stamp_of(stage, container)
            if stamp:
                job.record.hooks = {**job.record.hooks, stage.value: stamp}
                job.record.changed_hooks = {
                    **job.record.changed_hooks,
                    stage.value: hooks.digest(merged.hooks.get(stage, ())),
                }
                if merged.hooks.get(stage):
                    job.save()

        if not stages:
            return
        for stage in stages:
            if hooks.was_edited(stage, merged.hooks, job.record.hooks, job.record.changed_hooks, container):
                job.note(f"{stage.value} was edited since it ran: running it again")
        place = self._place(container, effective)
        await hooks.run_stages(job.engine, place, stages, merged.hooks, progress=job.progress, succeeded=succeeded)
        job.save()
        if any(merged.hooks.get(stage) for stage in stages):
            ProbeCache(job.folder).forget()  # a hook may have changed what the user's shell reads

    async def _heed_markers(self, container: ContainerSnapshot, effective: adopt.Effective) -> None:
        """Another tool may have run what our record does not know of: it started the container again, or went on
        where an `up` of ours had failed."""
        job, commands = self._job, effective.merged.hooks
        unknown = {
            stage: stamp
            for stage in self.due(commands, container)
            if commands.get(stage)
            and (stamp := hooks.stamp_of(stage, container))
            and not has_run(job.record.hooks.get(stage.value), stamp)
        }
        if not unknown:
            return
        found = await hooks.read_markers(job.engine, container, effective.remote_user)
        done = {stage: stamp for stage, stamp in unknown.items() if has_run(found.get(stage.value), stamp)}
        if done:
            digests = {stage.value: hooks.digest(commands[stage]) for stage in done}
            job.record.hooks = {**job.record.hooks, **{stage.value: stamp for stage, stamp in done.items()}}
            job.record.changed_hooks = {**job.record.changed_hooks, **digests}
            job.save()

    async def _adopt(self, container: ContainerSnapshot, effective: adopt.Effective, ours: bool) -> None:
        """Notes a container that our records do not know: another tool's, or ours from before the records were lost."""
        job, user = self._job, effective.remote_user
        passwd, group = ("", "") if shape.is_root(user) else await users.read_accounts(job.engine, container.id)
        account = None if shape.is_root(user) else users.lookup(passwd, group, user)
        done = {}
        if any(effective.merged.hooks.values()):
            done = await hooks.read_markers(job.engine, container, user)
        record = job.new_record(container.id, user)
        record.adopted = not ours
        record.prepared = True
        record.home = account.home if account else "/root"
        record.uid = account.uid if account else 0
        record.hooks = done
        record.project = container.labels.get(PROJECT_LABEL, "")
        job.save()
        if not ours:
            by_hand = record.project and not adopt.is_marked(container.labels)
            maker = f"`docker compose` made by itself; {_KEPT}" if by_hand else "another tool made"
            job.note(f"using container {container.name}, which {maker}")


def _split(stages: Sequence[Stage], merged: Merged, which: Hooks) -> tuple[list[Stage], list[Stage]]:
    """(now, later): what the caller waits for, where the configuration names a stage to wait for."""
    if which is not Hooks.BLOCKING and not (which is Hooks.CONFIGURED and merged.wait_for is not None):
        return list(stages), []
    order = list(Stage)
    last = order.index(merged.waits_for)
    return [s for s in stages if order.index(s) <= last], [s for s in stages if order.index(s) > last]


def _unknown_user(target: Target, user: str, image: str) -> Problem:
    """Where the name stands: in the project's own file, or in what came with the image."""
    message, hint = f"the image has no user {user}", "name one that it has, or make it in a Dockerfile"
    for entry in reversed(target.entries):
        for key in ("remoteUser", "containerUser"):
            if entry.get(key):
                return target.problem(key, message, hint)
    if target.is_compose:
        return target.problem("service", f"{message}, which the service or its image's label names", hint)
    return Problem(
        f"image {image}", 0, 0, "", f"names the user {user}, whom it does not have", '"remoteUser" overrides it'
    )
