"""A container made by Docker Compose: the main service of a project, with what the dev container adds.

The project's files stay untouched; one override file in the environment's own folder comes after them. Compose makes
the containers and waits for what they depend on; ids and state volume are prepared before the main one starts.
"""

# Paths are compared with labels here: text, which pathlib would normalise.
# ruff: noqa: PTH120

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
from collections.abc import Iterable, Mapping

from devcontainer import compose
from devcontainer.checks import nearest
from devcontainer.compose import ComposeError, Override, Project, Service
from devcontainer.jsonc import JsonValue
from devcontainer.mounts import Mount
from devenv.api.views import DriftView
from devenv.atomic_file import write_atomic
from devenv.compose import files as compose_files
from devenv.compose import health, portrait
from devenv.compose.files import ComposeFiles
from devenv.compose.project import FOLDER_LABEL, PROJECT_LABEL, SERVICE_LABEL, ComposeProject, act, read
from devenv.engine.port import ContainerSnapshot, Engine, EngineInfo, Progress
from devenv.environment import files as project_files
from devenv.environment import host_side, refusals, state_volume
from devenv.environment.inside.users import Account
from devenv.environment.job import Job
from devenv.environment.shape import Made, Shape, shape
from devenv.environment.target import Target, host_variables
from devenv.environment.training.extras import Extras
from devenv.errors import ComposeFailed, ConfigError, ContainerGone, DevenvError, Refused

# The reference and VS Code take a file of such a name among those that made a container for what they would have
# written themselves: they start a stopped container of ours with it, and build nothing.
_OVERRIDE = "docker-compose.devcontainer.containerFeatures.json"
_WAY_OUT = "`devenv compose logs` shows what the services printed; `devenv down` removes them"
_BY_HAND = (
    "`docker compose up` by hand makes this container anew without what devenv adds; "
    "`devenv compose up` does it with the same files (run outputs are kept in any case)"
)


def files_of(target: Target) -> ComposeFiles:
    env = host_variables(target)
    return compose_files.find(target.config.docker_compose_files, target.config_folder, target.local_folder, env)


def override_file(folder: pathlib.Path) -> pathlib.Path:
    return folder / _OVERRIDE


async def project_of(engine: Engine, target: Target) -> ComposeProject:
    """Raises `ConfigError` for files that are not there or wrong and services that they lack, `ComposeFailed` when
    Compose itself fails."""
    files = await asyncio.to_thread(files_of, target)
    if missing := await asyncio.to_thread(files.missing):
        problems = [target.problem("dockerComposeFile", f"there is no file {file}") for file in missing]
        raise ConfigError(target.unusable or problems)
    try:
        return await read(engine, files, lambda resolved: _main(target, resolved))
    except ComposeError as error:
        wrong = f"Compose refuses {', '.join(files.files)}: {error}"
        raise ConfigError([target.problem("dockerComposeFile", wrong)]) from error


def _main(target: Target, resolved: Project) -> Service:
    """The service to work in, once all that the configuration names are there."""
    named = {"service": target.config.service or ""}
    named.update({f"runServices.{index}": name for index, name in enumerate(target.config.run_services)})
    there = list(resolved.services)
    problems = [
        target.problem(
            key, f"there is no service {name!r}; the Compose files have {', '.join(there)}", nearest(name, there)
        )
        for key, name in named.items()
        if name not in there
    ]
    if problems:
        raise ConfigError(problems)
    return resolved.service(named["service"])


class ComposeMaker:
    """See `devenv.environment.up.Maker`."""

    def __init__(self, job: Job, extras: Extras) -> None:
        self._job = job
        self._extras = extras
        self._project: ComposeProject | None = None

    async def project(self) -> ComposeProject:
        if self._project is None:
            self._project = await project_of(self._job.engine, self._job.target)
            for note in self._project.notes:
                self._job.note(note)
        return self._project

    def service(self) -> Service | None:
        """The main one, once the project was read."""
        return self._project.main if self._project is not None else None

    async def wanted(self, made: Made, info: EngineInfo, *, tail: str = "") -> Shape:
        project = await self.project()
        additions = await self._extras.decide(made, info, (), service=project.main)
        return shape(
            self._job.target,
            made,
            self._job.host(info),
            additions,
            service=project.main,
            tail=tail,
            extra={"compose.project": project.name, "compose.service": project.main.name},
            more_mounts=self._job.options.mounts,
        )

    def shown(self, wanted: Shape) -> tuple[str, ...]:
        """Values that come from the client's environment are not shown."""
        environment = {name: "***" if name in wanted.secret else value for name, value in wanted.environment.items()}
        return tuple(compose.text(self._override(wanted, environment)).splitlines())

    async def create(
        self, made: Made, info: EngineInfo, *, tail: str = ""
    ) -> tuple[ContainerSnapshot, Shape, Account | None, bool]:
        job, project = self._job, await self.project()
        job.require_trust(host_side.provider_claims(project.resolved))
        await self._refuse_others(project)
        job.record.project = project.name  # `down` finds by it what is made by halves
        job.save()
        wanted = await self.wanted(made, info, tail=tail)
        path = override_file(job.folder)
        text = compose.text(self._override(wanted, wanted.environment))
        await asyncio.to_thread(write_atomic, path, text)
        services = self._services(project)
        job.progress.step("create", f"Creating {project.name}: {', '.join(services)}")
        try:
            await act(
                job.engine,
                project.name,
                # Other services of an older text are made anew here, as Compose does it; those as they were go on.
                ["up", "--no-start", *services],
                files=project.files,
                override=str(path),
                profiles=job.options.profiles,
                progress=job.progress,
                key="create",
                what=f"create the containers of {project.name}",
            )
            container = await self._main(project)
        except DevenvError as error:
            job.progress.done("create", ok=False)
            if info.is_local_socket and (missing := await refusals.missing_source(job.target, wanted)) is not None:
                raise missing from error
            error.hint = error.hint or _WAY_OUT
            raise
        job.progress.done("create", detail=container.name)
        job.note(_BY_HAND)
        return container, wanted, None, True

    async def start(self, container: ContainerSnapshot) -> None:
        """With the services that it needs, in their order, and after their health checks."""
        job = self._job
        name = container.labels.get(PROJECT_LABEL, "")
        path = override_file(job.folder)
        what = f"start the services of {name}"
        if self._project is not None:
            job.require_trust(host_side.provider_claims(self._project.resolved))
        async with health.kept(job.engine, name, job.note):
            try:
                if self._project is None:
                    await act(job.engine, name, ["start"], progress=job.progress, key="start", what=what)
                    return
                await act(
                    job.engine,
                    name,
                    ["up", "-d", "--no-recreate", *self._services(self._project)],
                    files=self._project.files,
                    override=str(path),
                    profiles=job.options.profiles,
                    progress=job.progress,
                    key="start",
                    what=what,
                )
            except ComposeFailed as error:
                made = await job.engine.find({PROJECT_LABEL: name})
                here = (await job.engine.info()).is_local_socket
                if here and (taken := await refusals.taken_port(made, "`ports` of its service")) is not None:
                    raise taken from error
                error.hint = error.hint or _WAY_OUT
                raise

    async def stop(self, container: ContainerSnapshot) -> None:
        await stop(self._job.engine, container.labels.get(PROJECT_LABEL, ""), self._job.progress)

    async def clear(self, container: ContainerSnapshot) -> None:
        """The services that it needs stay: their logs may say why it did not come up."""
        engine, name = self._job.engine, container.labels.get(PROJECT_LABEL, "")
        await engine.remove(container.id, force=True)
        if not await engine.find({PROJECT_LABEL: name}):
            await down(engine, name, volumes=False, progress=self._job.progress)  # its networks

    def images(self, project: ComposeProject) -> list[str]:
        """Of the other services that start with the main one and are not built."""
        others = [project.resolved.services[name] for name in self._services(project) if name != project.main.name]
        return [service.image for service in others if service.image and not service.is_built]

    def portrait(self, project: ComposeProject) -> dict[str, str]:
        """What the files say of the services, and a stamp that tells whether to ask again."""
        stamp = stamp_of(self._job.target, project.files)
        return {"": stamp, **_portrait(project, self._services(project))}

    def host_network(self, wanted: Shape) -> bool:
        return self._project is not None and self._project.main.network_mode == "host"

    def _services(self, project: ComposeProject) -> list[str]:
        profiles = [*self._job.options.profiles, *_active_profiles(self._job.target)]
        return project.resolved.wanted(project.main.name, self._job.target.config.run_services, profiles)

    def _override(self, wanted: Shape, environment: Mapping[str, str]) -> dict[str, JsonValue]:
        assert self._project is not None
        merged, service = wanted.merged, self._project.main
        link = [wanted.link_mount] if wanted.link_mount is not None else []
        same_image = wanted.made.reference == service.image
        return compose.override(
            Override(
                service=service.name,
                image=None if same_image else wanted.made.reference,
                command=wanted.command,
                user=merged.container_user,
                init=True if wanted.init else None,
                privileged=merged.privileged,
                cap_add=merged.cap_add,
                security_opt=merged.security_opt,
                environment=environment,
                labels=wanted.labels,
                mounts=[*wanted.mounts, *link],
                own_volumes={wanted.state_volume: state_volume.MOUNT_POINT},
                shared=self._shared(wanted),
                patches=wanted.additions.patches,
            )
        )

    def _shared(self, wanted: Shape) -> dict[str, list[Mount]]:
        """The volume of the project's files in place of the bind mounts of that folder, in every service."""
        if wanted.synced is None or self._project is None:
            return {}
        services, main = self._project.resolved.services, self._project.main.name
        return {main: [wanted.synced.mount], **project_files.shared_mounts(services, main, wanted.synced)}

    async def _main(self, project: ComposeProject) -> ContainerSnapshot:
        found = [c for c in await self._job.engine.find({**project.labels}) if c.status != "removing"]
        found.sort(key=lambda c: int(c.labels.get("com.docker.compose.container-number") or 1))
        if not found:
            raise ContainerGone(
                f"the container of service {project.main.name} was removed from outside", "run `devenv up` again"
            )
        return found[0]

    async def _refuse_others(self, project: ComposeProject) -> None:
        """Projects are known by name alone: one of the same name in another folder would be taken over."""
        ours = os.path.dirname(project.files.files[0])
        for container in await self._job.engine.find({PROJECT_LABEL: project.name}):
            folder = container.labels.get(FOLDER_LABEL, "")
            if folder and not _same(folder, ours):
                raise Refused(
                    f"the Compose project {project.name} is already that of {folder} (container {container.name})",
                    "give this one another name: `name:` in its Compose file, or COMPOSE_PROJECT_NAME",
                )


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


async def stop(engine: Engine, name: str, progress: Progress) -> None:
    """All services of the project."""
    await act(engine, name, ["stop"], progress=progress, key="stop", what=f"stop the services of {name}")


async def down(engine: Engine, name: str, *, volumes: bool, progress: Progress) -> None:
    """Containers and networks of the project; its named volumes only when asked for."""
    words = ["down", "--remove-orphans", *(["--volumes"] if volumes else [])]
    await act(engine, name, words, progress=progress, key="down", what=f"remove the Compose project {name}")


def _active_profiles(target: Target) -> list[str]:
    return list(filter(None, host_variables(target).get("COMPOSE_PROFILES", "").split(",")))


async def default_images(engine: Engine, target: Target, name: str) -> list[str]:
    """What Compose calls the images that it builds for the project's services, also when their containers are gone
    already. One that the files name themselves, or that was pulled, is called otherwise."""
    services = {c.labels.get(SERVICE_LABEL, "") for c in await engine.find({PROJECT_LABEL: name})}
    with contextlib.suppress(DevenvError):  # the files may be wrong by now, or gone
        services |= set((await project_of(engine, target)).resolved.services)
    return [f"{name}-{service}" for service in sorted(services)]


def stamp_of(target: Target, files: ComposeFiles) -> str:
    return portrait.stamp(files.watched, host_variables(target))


def _portrait(project: ComposeProject, services: Iterable[str]) -> dict[str, str]:
    known = project.resolved.services
    names = [name for name in dict.fromkeys(services) if name in known and name != project.main.name]
    return {**portrait.portrait(project.main), **portrait.others(known[name] for name in names)}


async def differences(engine: Engine, target: Target, then: dict[str, str]) -> list[DriftView]:
    """What the Compose files say of the services now and said at creation. Compose is asked only when a file, or a
    variable that a file names, has changed."""
    if not then:
        return []
    files = await asyncio.to_thread(files_of, target)
    if await asyncio.to_thread(stamp_of, target, files) == then.get(""):
        return []
    project = await project_of(engine, target)
    wanted = project.resolved.wanted(project.main.name, target.config.run_services, _active_profiles(target))
    now = _portrait(project, [*portrait.other_names(then), *wanted])
    return portrait.differences({key: value for key, value in then.items() if key}, now)
