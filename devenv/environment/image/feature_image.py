"""Images with features installed: one for each content, shared by all projects that ask for the same.

The name of such an image is made from all that went into it, so that whether it is there already is one question to the
engine: neither another project nor another remote user builds it again, unless a feature asks who the users are.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import pathlib
import tempfile
from collections.abc import Sequence

from devcontainer import locate
from devcontainer.features import install, layers, review
from devcontainer.features.graph import InstallStep
from devcontainer.features.layers import Layer, Users
from devcontainer.features.reference import LocalReference
from devcontainer.merge import merge
from devcontainer.problem import Severity
from devenv.engine.port import LOCAL_BUILDER, BuildRequest, EngineInfo, ImageSnapshot
from devenv.environment import properties
from devenv.environment.image.feature_lock import FeatureLock
from devenv.environment.job import Job
from devenv.environment.shape import Made
from devenv.errors import ConfigError, EngineError
from devenv.features import fetch, materialise
from devenv.features.cache import FeatureCache
from devenv.features.fetch import Resolved

_KEY = "features"
REPOSITORY = "devenv/features"

# The text names no image, so that equal features on equal images give equal layers, whatever the image is called.
_BASE_ARGUMENT = "DEVENV_BASE_IMAGE"
_BASE = f"${{{_BASE_ARGUMENT}}}"


class FeatureImage:
    """The features of one configuration on top of one image."""

    def __init__(self, job: Job) -> None:
        self._job = job

    async def resolve(self) -> Resolved:
        """Their order, and their files at hand. Raises what `devenv.features.fetch.resolve` raises, and the lockfile's
        own errors before anything is built."""
        job, target = self._job, self._job.target
        lock = FeatureLock(target, job.options.lock)
        known = await asyncio.to_thread(lock.read)
        resolved = await fetch.resolve(
            target.config.features,
            configuration=pathlib.Path(target.config_file),
            workspace=pathlib.Path(target.local_folder),
            env=job.ctx.env,
            cache=FeatureCache(job.home.cache / "features"),
            progress=job.progress,
            override_order=target.config.override_feature_install_order,
            lockfile=known,
            map_bare_ids=target.choice.map_bare_features,
            lines=self._lines,
        )
        self._review(resolved)
        await asyncio.to_thread(lock.settle, resolved.lockfile)
        for note in resolved.notes:
            job.note(note)
        return resolved

    def _lines(self, written: str) -> tuple[int, int]:
        document = self._job.target.written.document
        at = document.key_position((_KEY, written) if written else (_KEY,)) if document is not None else (0, 0)
        return at[0], at[1]

    def _review(self, resolved: Resolved) -> None:
        """What is wrong with options stops here, with its line; what is worth knowing is told."""
        job, document = self._job, self._job.target.written.document
        for step in resolved.steps:
            if _is_local(step):  # of a published one nobody here can change the file
                for problem in step.manifest.warnings:
                    job.progress.note(str(problem), level="warning")
        issues = list(review.issues(resolved.resolution, resolved.steps))
        errors = []
        for issue in issues:
            (problem,) = locate.without_text(job.target.config_file, [issue])
            if document is not None:
                at = document.key_position(issue.path) if issue.at_key else document.position(issue.path)
                problem = problem._replace(line=at.line, column=at.column)
            if problem.severity is Severity.ERROR and job.options.strict_features:
                errors.append(problem)
            else:
                job.note(str(problem), level="warning")
        if errors:
            raise ConfigError(errors)

    async def add(self, base: Made, info: EngineInfo, service_user: str = "") -> Made:
        """The image with the features; the same one when there are none."""
        job, target = self._job, self._job.target
        if not target.config.features:
            return base
        resolved = await self.resolve()
        users = self._users(base, service_user)
        with tempfile.TemporaryDirectory(prefix="devenv-features-") as temporary:
            folder = pathlib.Path(temporary, "context")
            mounts = info.has_buildkit and not job.options.classic
            name = await asyncio.to_thread(_prepare, folder, base, resolved.steps, users, mounts)
            image = None if job.options.no_cache else await job.engine.image(name)
            if image is None:
                image = await self._build(name, base, folder)
        entries = (*base.entries, *(install.metadata_entry(step) for step in resolved.steps))
        made = {step.written: f"{step.manifest.version} {step.digest or ''}".strip() for step in resolved.steps}
        local = {step.written: materialise.content_digest(step) for step in resolved.steps if _is_local(step)}
        return dataclasses.replace(
            base,
            reference=name,
            image=image,
            entries=entries,
            installed=len(resolved.steps),
            features=made,
            local_features=local,
        )

    async def _build(self, name: str, base: Made, folder: pathlib.Path) -> ImageSnapshot:
        job = self._job
        request = BuildRequest(
            context=str(folder),
            dockerfile=str(folder / "Dockerfile"),
            tags=(name,),
            args={_BASE_ARGUMENT: base.reference},
            builder=LOCAL_BUILDER,
            base_is_local=True,
            classic=job.options.classic,
            no_cache=job.options.no_cache,
            cache_from=job.options.cache_from,
            masked=tuple(self._secret_values()),
            log_path=str(job.folder / "build.log"),
            append_log=True,
        )
        image = await job.engine.build(request, job.progress)
        if image is None:
            raise EngineError("the build did not put its image into the engine", "is the builder another engine?")
        return image

    def _users(self, base: Made, service_user: str) -> Users:
        target = self._job.target
        merged = merge([target.substitution.apply_entry(entry) for entry in (*base.entries, *target.entries)])
        container, remote = merged.users(service_user or base.image.user)
        return Users(container, remote, base.image.user)

    def _secret_values(self) -> list[str]:
        """Values of options that come from the client's environment: the log of a build is a log."""
        target, found = self._job.target, []
        for name, written in target.written.features.items():
            if properties.uses_host_variables(written):
                given = target.config.features.get(name)
                values = given.values() if isinstance(given, dict) else [given]
                found += [value for value in values if isinstance(value, str)]
        return found


def is_ours(reference: str) -> bool:
    """Whether an image was made here; Podman puts a host before its name. It is made again where it is needed."""
    return f"/{reference}".rpartition(":")[0].endswith(f"/{REPOSITORY}")


def _is_local(step: InstallStep) -> bool:
    return isinstance(step.reference, LocalReference)


def _prepare(folder: pathlib.Path, base: Made, steps: Sequence[InstallStep], users: Users, mounts: bool) -> str:
    """Writes the build folder. Returns the image's name, a digest of all of it and of the image that it starts from."""
    made = prepare_layers(folder, steps)
    text = layers.dockerfile(_BASE, made, users, mounts=mounts, before=f"ARG {_BASE_ARGUMENT}")
    (folder / "Dockerfile").write_text(text, encoding="utf-8")
    return f"{REPOSITORY}:{_digest(folder, base.image.id)}"


def prepare_layers(folder: pathlib.Path, steps: Sequence[InstallStep]) -> list[Layer]:
    """Makes `folder` hold the files of each feature with the script that installs it. Blocking."""
    folder.mkdir()
    made = [_feature(folder, step) for step in steps]
    (folder / layers.RUNNER).write_text(layers.runner(), encoding="utf-8")
    return made


def _feature(folder: pathlib.Path, step: InstallStep) -> Layer:
    place = folder / step.consecutive_id
    files = materialise.materialise(step, place)
    by_user = install.mentions_user((place / name).read_bytes() for name in files)
    (place / install.OPTIONS_FILE).write_text(install.options_text(step), encoding="utf-8")
    (place / install.SCRIPT).write_text(install.script(step), encoding="utf-8")
    return Layer(step, step.consecutive_id, by_user)


def _digest(folder: pathlib.Path, base: str) -> str:
    digest = hashlib.sha256(base.encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_mode & 0o111}\0{content}\n".encode())
    return digest.hexdigest()[:24]
