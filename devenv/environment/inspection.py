"""What a container would be made from, asked without building anything: for tools that only want to read."""

from __future__ import annotations

import asyncio
import pathlib
from typing import NamedTuple

from devcontainer import dockerfile
from devcontainer.compose import Service
from devcontainer.dockerfile import DockerfileError
from devcontainer.model import Kind
from devenv.engine.port import Engine, ImageSnapshot, Progress
from devenv.environment.composed import project_of
from devenv.environment.target import Target
from devenv.errors import ConfigError

SCRATCH = "scratch"


async def base_image(engine: Engine, target: Target, progress: Progress) -> ImageSnapshot | None:
    """The image that the configuration begins from, pulled if it is not here; None for `scratch` and for nothing.

    Raises `ConfigError` for a Dockerfile that does not parse, `ImageMissing`.
    """
    reference = await base_reference(engine, target)
    if not reference or reference == SCRATCH:
        return None
    return await engine.image(reference) or await engine.pull(reference, progress)


async def base_reference(engine: Engine, target: Target) -> str:
    """Its name; "" where the configuration names none."""
    service = (await project_of(engine, target)).main if target.config.kind is Kind.COMPOSE else None
    found = _build_of(target, service)
    return await asyncio.to_thread(_of_file, target, found) if isinstance(found, _Build) else found


def outside_images(target: Target, service: Service | None = None) -> tuple[str, ...]:
    """All images that a build may begin or copy from; () without a build, and for a file that only its builder can
    read. `service` is the one that Compose builds. Blocking."""
    found = _build_of(target, service)
    if not isinstance(found, _Build):
        return ()
    try:
        text = found.file.read_text("utf-8", "replace")
        return dockerfile.parse(text, str(found.file)).images(found.args, found.stage or None)
    except (OSError, DockerfileError):
        return ()  # the builder tells


class _Build(NamedTuple):
    file: pathlib.Path
    args: dict[str, str]
    stage: str
    key: str  # of the configuration, for problems


def _build_of(target: Target, service: Service | None) -> _Build | str:
    """The build, or the image where there is none."""
    config = target.config
    if service is not None:
        build = service.raw.get("build")
        if not isinstance(build, dict):
            return service.image
        file = pathlib.Path(str(build.get("context", "")), str(build.get("dockerfile", "Dockerfile")))
        args = {str(k): str(v) for k, v in args.items()} if isinstance(args := build.get("args"), dict) else {}
        return _Build(file, args, str(build.get("target") or ""), "service")
    if config.kind is Kind.DOCKERFILE and config.build is not None:
        file = pathlib.Path(target.config_folder, config.build.dockerfile)
        return _Build(file, dict(config.build.args), config.build.target or "", "build.dockerfile")
    return config.image or ""


def read_dockerfile(target: Target, file: pathlib.Path, key: str) -> dockerfile.Dockerfile:
    """Raises `ConfigError` with each of its mistakes."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        problem = target.problem(key, f"{file} cannot be read: {error.strerror}")
        raise ConfigError([problem]) from error
    found = dockerfile.parse(text, str(file))
    if found.errors:
        raise ConfigError(list(found.errors))
    return found


def _of_file(target: Target, build: _Build) -> str:
    try:
        return read_dockerfile(target, build.file, build.key).base_image(build.args, build.stage or None)
    except DockerfileError as error:
        key = "build.target" if build.stage else build.key
        raise ConfigError([target.problem(key, error.message, error.hint)]) from error
