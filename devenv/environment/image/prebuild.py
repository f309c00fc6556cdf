"""`build`: an image that carries its dev container configuration, to be used or pushed.

What goes into the engine is made in steps that share their layers with every other image here. For other platforms or
another place it is one Dockerfile, because only then can the builder send it away.
"""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import tempfile
from collections.abc import Mapping

from devcontainer import identity, metadata
from devcontainer.dockerfile import DockerfileError
from devcontainer.features import install, layers
from devcontainer.features.layers import Users
from devcontainer.merge import merge
from devcontainer.metadata import Entry
from devenv.engine.port import LOCAL_BUILDER, BuildRequest, ImageSnapshot
from devenv.environment import host_side, inspection, plan, properties
from devenv.environment.composed import ComposeMaker
from devenv.environment.image.feature_image import FeatureImage, prepare_layers
from devenv.environment.image.images import Images
from devenv.environment.job import Job
from devenv.environment.shape import image_entries
from devenv.environment.single import SingleMaker
from devenv.environment.training.extras import Extras
from devenv.errors import ConfigError, UsageError

_BASE = "devenv_base"
_FINAL = "devenv_final"
_CONTEXT = "devenv_features"


@dataclasses.dataclass(frozen=True, slots=True)
class Destination:
    """`names` are the image's; "" and () mean: into the engine, for its own platform."""

    names: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    push: bool = False
    output: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    feature_customizations: bool = True

    @property
    def leaves(self) -> bool:
        return bool(self.platforms or self.output)


async def build(job: Job, destination: Destination) -> tuple[str, ...]:
    """Builds and returns the image's names. Raises what `up` raises of builds, `UsageError` for what does not go
    together."""
    target = job.target
    plan.check(target)
    job.require_trust(host_side.claims(target))
    if target.is_compose and (destination.leaves or destination.push or job.options.cache_to):
        raise UsageError("--platform, --push, --output and --cache-to: not with a Compose configuration")
    if destination.leaves:
        return await _in_one(job, destination)
    extras = Extras(job)
    maker = ComposeMaker(job, extras) if target.is_compose else SingleMaker(job, extras)
    made, _ = await Images(job, maker).obtain()
    names = destination.names or (await _default_name(maker, job),)
    entries = [*made.entries, *target.entries]
    if not destination.feature_customizations:
        own = len(made.entries) - made.installed
        entries[own : len(made.entries)] = [
            {key: value for key, value in entry.items() if key != "customizations"} for entry in made.entries[own:]
        ]
    text = layers.dockerfile(
        made.reference,
        [],
        Users("", "", made.image.user),
        labels=_labels(entries, destination),
        environment=_environment(job, entries),
    )
    with tempfile.TemporaryDirectory(prefix="devenv-prebuild-") as folder:
        file = pathlib.Path(folder, "Dockerfile")
        await asyncio.to_thread(file.write_text, text, "utf-8")
        request = BuildRequest(
            context=folder,
            dockerfile=str(file),
            tags=names,
            builder=LOCAL_BUILDER,
            base_is_local=True,
            classic=job.options.classic,
            push=destination.push,
            log_path=str(job.folder / "build.log"),
            append_log=True,
        )
        await job.engine.build(request, job.progress)
    return names


async def _default_name(maker: SingleMaker | ComposeMaker, job: Job) -> str:
    if isinstance(maker, ComposeMaker):
        project = await maker.project()
        return project.main.image or f"{project.name}-{project.main.name}"
    return f"{plan.container_name(job.target)}-prebuilt".lower()


async def _in_one(job: Job, destination: Destination) -> tuple[str, ...]:
    """One Dockerfile: the project's own, or its image, then the features, then the label."""
    target = job.target
    await job.images.prepare([await inspection.base_reference(job.engine, target)])
    base = await inspection.base_image(job.engine, target, job.progress)
    steps = (await FeatureImage(job).resolve()).steps if target.config.features else ()
    entries: list[Entry] = [*(image_entries(base) if base is not None else ())]
    entries += [install.metadata_entry(step, customizations=destination.feature_customizations) for step in steps]
    entries += target.entries
    names = destination.names or (f"{plan.container_name(target)}-prebuilt".lower(),)
    with tempfile.TemporaryDirectory(prefix="devenv-prebuild-") as temporary:
        folder = pathlib.Path(temporary, "features")
        users = await asyncio.to_thread(_users, job, base)
        made = await asyncio.to_thread(prepare_layers, folder, steps)
        before, stage, request = await asyncio.to_thread(_beginning, job)
        text = layers.dockerfile(
            stage,
            made,
            users,
            before=before,
            name=_FINAL,
            labels=_labels(entries, destination),
            environment=_environment(job, entries),
            context=_CONTEXT,
        )
        file = pathlib.Path(temporary, "Dockerfile")
        await asyncio.to_thread(file.write_text, text, "utf-8")
        request = dataclasses.replace(
            request,
            context=request.context or temporary,
            dockerfile=str(file),
            tags=names,
            target=_FINAL,
            contexts={_CONTEXT: str(folder)},
            platforms=destination.platforms,
            push=destination.push,
            output=destination.output,
        )
        await job.engine.build(request, job.progress)
    return names


def _beginning(job: Job) -> tuple[str, str, BuildRequest]:
    """(text before our stages, what they begin from, the build of the project's own Dockerfile)."""
    target, log = job.target, str(job.folder / "build.log")
    request = plan.build_request(target, job.options, log_path=log)
    if request is None:
        plain = BuildRequest(
            context="",
            dockerfile="",
            tags=(),
            cache_from=job.options.cache_from,
            cache_to=job.options.cache_to,
            no_cache=job.options.no_cache,
            log_path=log,
        )
        return "", target.config.image or "", plain
    found = inspection.read_dockerfile(target, pathlib.Path(request.dockerfile), "build.dockerfile")
    try:
        stage, text = found.with_named_final_stage(_BASE, request.target)
    except DockerfileError as error:
        raise ConfigError([target.problem("build.target", error.message, error.hint)]) from error
    return text, stage, request


def _users(job: Job, base: ImageSnapshot | None) -> Users:
    """As the Dockerfile leaves them: nothing is built yet that could be asked."""
    target = job.target
    user, env = (base.user, base.env) if base is not None else ("", {})
    build = target.config.build
    if build is not None and not target.is_compose:
        file = pathlib.Path(target.config_folder, build.dockerfile)
        found = inspection.read_dockerfile(target, file, "build.dockerfile")
        user = found.user(user, env, dict(build.args), build.target)
    entries = [*(image_entries(base) if base is not None else ()), *target.entries]
    merged = merge([target.substitution.apply_entry(entry) for entry in entries])
    container, remote = merged.users(user)
    return Users(container, remote, user)


def _labels(entries: list[Entry], destination: Destination) -> dict[str, str]:
    written = [entry for entry in entries if entry]
    return {**destination.labels, **({identity.METADATA: metadata.write(written)} if written else {})}


def _environment(job: Job, entries: list[Entry]) -> dict[str, str]:
    """`containerEnv` as the image's own, for whoever runs it without a dev container tool. What comes from this
    machine's environment stays out: a layer is for everybody."""
    found: dict[str, str] = {}
    for entry in entries:
        values = entry.get("containerEnv")
        for name, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, str) and not properties.uses_host_variables(value):
                found[name] = job.target.substitution.text(value)
            else:
                found.pop(name, None)
    return found
