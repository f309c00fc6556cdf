"""What a container would be made from, asked without building anything: for tools that only want to read."""

from __future__ import annotations

import asyncio
import pathlib

from devcontainer import dockerfile
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
    config = target.config
    if config.kind is Kind.COMPOSE:
        service = (await project_of(engine, target)).main
        build = service.raw.get("build")
        if not isinstance(build, dict):
            return service.image
        file = pathlib.Path(str(build.get("context", "")), str(build.get("dockerfile", "Dockerfile")))
        args = {str(k): str(v) for k, v in args.items()} if isinstance(args := build.get("args"), dict) else {}
        return await asyncio.to_thread(_of_file, target, file, args, str(build.get("target") or ""), "service")
    if config.kind is Kind.DOCKERFILE and config.build is not None:
        file = pathlib.Path(target.config_folder, config.build.dockerfile)
        return await asyncio.to_thread(
            _of_file, target, file, dict(config.build.args), config.build.target or "", "build.dockerfile"
        )
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


def _of_file(target: Target, file: pathlib.Path, args: dict[str, str], stage: str, key: str) -> str:
    try:
        return read_dockerfile(target, file, key).base_image(args, stage or None)
    except DockerfileError as error:
        raise ConfigError([target.problem("build.target" if stage else key, error.message, error.hint)]) from error
