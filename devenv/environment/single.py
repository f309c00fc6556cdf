"""A container made by the engine from an argument list: image and Dockerfile configurations."""

from __future__ import annotations

import asyncio

from devenv.engine.port import ContainerSnapshot, EngineInfo, NameInUse
from devenv.environment import adopt, arguments, plan, refusals
from devenv.environment.arguments import ContainerPlan
from devenv.environment.image import read_only_root
from devenv.environment.inside import users
from devenv.environment.inside.users import Account
from devenv.environment.job import Job
from devenv.environment.shape import Made, Shape, shape
from devenv.environment.target import Target
from devenv.environment.training.extras import Extras
from devenv.errors import ContainerGone, DevenvError, EngineError, ImageMissing, Refused

_PASSED_ON = (
    "runArgs",
    "mounts",
    "workspaceMount",
    "appPort",
    "containerEnv",
    "containerUser",
    "capAdd",
    "securityOpt",
    "privileged",
)
"""Properties whose values are the engine's to understand."""

_REMOVAL = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between looks at a container that is being removed


class SingleMaker:
    """See `devenv.environment.up.Maker`."""

    def __init__(self, job: Job, extras: Extras) -> None:
        self._job = job
        self._extras = extras

    async def wanted(self, made: Made, info: EngineInfo, *, tail: str = "") -> Shape:
        additions = await self._extras.decide(made, info, self._job.target.config.run_args)
        more = self._job.options.mounts
        return shape(self._job.target, made, self._job.host(info), additions, tail=tail, more_mounts=more)

    def shown(self, wanted: Shape) -> tuple[str, ...]:
        return self._plan(wanted).args

    async def create(
        self, made: Made, info: EngineInfo, *, tail: str = ""
    ) -> tuple[ContainerSnapshot, Shape, Account | None, bool]:
        """(container, what was wanted, its account if that is settled already, whether it is new)."""
        job = self._job
        wanted = await self.wanted(made, info, tail=tail)
        if (
            info.is_podman
            and info.is_local_socket
            and (missing := await refusals.missing_source(job.target, wanted)) is not None
        ):
            raise missing  # Podman would make an empty folder of root's there
        planned = self._plan(wanted, tail)
        reference, account = made.reference, None
        if planned.read_only and users.applies(wanted.merged, info, wanted.remote_user, job.host_user):
            reference, account = await read_only_root.derive(
                job.engine, made.image, made.reference, job.target.key, wanted.remote_user, job.host_user, job.progress
            )
        planned = self._plan(wanted, tail, reference)
        job.progress.step("create", f"Creating {planned.name}")
        try:
            identity = await self._create(planned)
        except NameInUse:
            container = await self._other(planned)
            if container is not None:
                job.progress.done("create", detail="it is there already")
                return container, wanted, account, False
            if await job.engine.inspect(planned.name) is not None:  # another owner's
                wanted = await self.wanted(made, info, tail=job.tail)
                planned = self._plan(wanted, job.tail, reference)
            identity = await job.engine.create(planned.args, env=planned.secret_env)
        except EngineError as error:
            job.progress.done("create", ok=False)
            raise await self._explained(error, planned, info) from error
        job.progress.done("create")
        container = await job.engine.inspect(identity)
        if container is None:
            raise ContainerGone(f"container {planned.name} was removed from outside", "run `devenv up` again")
        return container, wanted, account, True

    async def start(self, container: ContainerSnapshot) -> None:
        await self._job.engine.start(container.id)

    async def stop(self, container: ContainerSnapshot) -> None:
        await self._job.engine.stop(container.id)

    async def clear(self, container: ContainerSnapshot) -> None:
        await self._job.engine.remove(container.id, force=True)

    def host_network(self, wanted: Shape) -> bool:
        return self._plan(wanted).host_network

    async def _create(self, planned: ContainerPlan) -> str:
        return await self._job.engine.create(planned.args, env=planned.secret_env)

    def _plan(self, wanted: Shape, tail: str = "", reference: str = "") -> ContainerPlan:
        name = plan.container_name(self._job.target) + tail
        return arguments.container_plan(wanted, name, image_reference=reference)

    async def _explained(self, error: EngineError, planned: ContainerPlan, info: EngineInfo) -> DevenvError:
        """Why a container could not be created, where it can be asked instead of read from a message."""
        target, wanted = self._job.target, planned.shape
        if await self._job.engine.image(wanted.made.reference) is None:
            return ImageMissing(f"image {wanted.made.reference} is not there any more", "run `devenv up` again")
        if info.is_local_socket:
            if (missing := await refusals.missing_source(target, wanted)) is not None:
                return missing
        elif any(mount.type == "bind" for mount in wanted.mounts):
            error.hint = error.hint or "a bind mount needs a folder of the engine's machine; a volume needs none"
        error.hint = "; ".join(hint for hint in (error.hint, _passed_on(target)) if hint)
        return error

    async def _other(self, planned: ContainerPlan) -> ContainerSnapshot | None:
        """The container that has the name; None when it belongs to another owner, or has gone meanwhile.

        Ours can only be one whose `up` was killed while the engine made it: we hold the environment's lock.
        """
        engine, name = self._job.engine, planned.name
        container = await engine.inspect(name)
        for delay in _REMOVAL:
            if container is None or container.status != "removing":
                break
            await asyncio.sleep(delay)  # it keeps its name until it is gone; no subscription is held for this
            container = await engine.inspect(name)
        if container is None or adopt.is_foreign(container.labels, self._job.home.owner):
            return None
        if not adopt.same_project(container.labels, self._job.target):
            raise Refused(
                f"a container named {name} exists and belongs to another project",
                f'remove it, or choose another name with "runArgs": ["--name", "{name}-2"]',
            )
        return container


def _passed_on(target: Target) -> str:
    """Where the file says what the engine has refused."""
    said = [key for key in _PASSED_ON if key in target.written.raw]
    named = [f"{key} (line {line})" if (line := target.written.position(key)[0]) else key for key in said]
    if not named:
        return ""
    return f"see {' and '.join([', '.join(named[:-1]), named[-1]] if named[1:] else named)} in {target.config_file}"
