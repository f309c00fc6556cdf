"""Builds an image with the `docker` command: BuildKit where Buildx is, the classic builder otherwise.

The output is parsed into progress (`build_log`) and kept in the request's log file. A failed build is `BuildFailed`
with the step and its last lines; nothing is tagged then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import TextIO

from devenv.engine.build_log import BuildLog, ClassicLog, PlainLog, RawJsonLog
from devenv.engine.docker_cli import DockerCli, end, read_line, reason
from devenv.engine.masking import NO_MASK, Mask, MaskedProgress
from devenv.engine.port import BuildRequest, Progress
from devenv.engine.push import push
from devenv.errors import BuildFailed, EngineError

RAWJSON_SINCE = (0, 13)

_OF_BUILDX = {
    "--allow", "--annotation", "--attest", "--build-context", "--builder", "--cache-to", "--load", "--metadata-file",
    "--no-cache-filter", "--output", "-o", "--progress", "--provenance", "--push", "--sbom", "--secret", "--ssh",
}  # fmt: skip
"""Options that `docker build` has only where it goes by Buildx: with the classic builder it prints its usage."""


def arguments(request: BuildRequest) -> list[str]:
    """The options that both builders share, in a fixed order."""
    args: list[str] = ["--file", request.dockerfile]
    for tag in request.tags:
        args += ["--tag", tag]
    for name, value in request.args.items():
        args += ["--build-arg", f"{name}={value}"]
    for name in request.secret_args:
        args += ["--build-arg", name]
    if request.target:
        args += ["--target", request.target]
    if request.no_cache:
        args.append("--no-cache")
    else:
        for source in request.cache_from:
            args += ["--cache-from", source]
    if request.pull:
        args.append("--pull")
    for name, value in request.labels.items():
        args += ["--label", f"{name}={value}"]
    return [*args, *request.options]


def buildkit_arguments(request: BuildRequest) -> list[str]:
    """What only BuildKit can: where the result goes, caches that leave the engine, named contexts."""
    args: list[str] = ["--builder", request.builder] if request.builder else []
    if request.platforms:
        args += ["--platform", ",".join(request.platforms)]
    for place in request.cache_to:
        args += ["--cache-to", place]
    for name, folder in request.contexts.items():
        args += ["--build-context", f"{name}={folder}"]
    if request.output:
        return [*args, "--output", request.output]
    return [*args, "--push" if request.push else "--load"]


async def buildx_version(cli: DockerCli) -> tuple[int, int] | None:
    if not cli.plugin("buildx"):
        return None
    code, out, _ = await cli.run(["buildx", "version"])
    match = re.search(r"\bv?(\d+)\.(\d+)", out.split(" ", 1)[-1]) if code == 0 else None
    return (int(match[1]), int(match[2])) if match else None


async def build(
    cli: DockerCli,
    request: BuildRequest,
    progress: Progress,
    buildx: tuple[int, int] | None,
    *,
    podman: bool = False,
    known: bool = False,
) -> str:
    """Builds and returns the image's id. `buildx` is what `buildx_version` said, None for Podman. `known`: who builds
    has been told."""
    mask = Mask(request.masked)
    shown = MaskedProgress(progress, mask) if request.masked else progress
    with (
        log_file(request.log_path, append=request.append_log, mask=mask) as write,
        tempfile.TemporaryDirectory(prefix="devenv-build-") as folder,
    ):
        id_file = pathlib.Path(folder, "id")
        shared = [*arguments(request), "--iidfile", str(id_file), request.context]
        settings: dict[str, str] = {}
        reader: BuildLog
        if buildx is None:
            if not request.classic and not known:
                shown.note(_PODMAN if podman else _NO_BUILDX, level="info")
            reader = ClassicLog(shown, write)
            _refuse_without_buildkit(request, podman)
            command = ["build", "--force-rm", *shared]  # a failed step must not leave its container
            settings["DOCKER_BUILDKIT"] = "0"
        else:
            raw = buildx >= RAWJSON_SINCE
            reader = RawJsonLog(shown, write) if raw else PlainLog(shown, write)
            style = f"--progress={'rawjson' if raw else 'plain'}"
            command = ["buildx", "build", style, *buildkit_arguments(request), *shared]
        code, complaint = await _run(cli, command, request.secret_args, settings, reader)
        reader.finish()
        if code:
            raise failure(reader, complaint, code, what=request.dockerfile, log_path=request.log_path, mask=mask)
        if buildx is None and request.push:
            await push(cli, request.tags, shown, write)
        return (await asyncio.to_thread(id_file.read_text)).strip() if request.into_engine else ""


_NO_BUILDX = (
    "this `docker` command has no Buildx: using the classic builder, without BuildKit's caches and `RUN --mount` "
    "(package docker-buildx or docker-buildx-plugin)"
)
_PODMAN = "Podman builds with its own builder, Buildah, instead of BuildKit"


def _refuse_without_buildkit(request: BuildRequest, podman: bool) -> None:
    asked = [
        name
        for name, wanted in (
            ("--platform", request.platforms),
            ("--output", request.output),
            ("--cache-to", request.cache_to),
        )
        if wanted
    ]
    written = [word.split("=", 1)[0] for word in request.options]
    asked += [f"{word} (build.options)" for word in written if word in _OF_BUILDX]
    if request.contexts and not asked:
        asked = ["named build contexts"]
    if not asked:
        return
    need = f"{', '.join(asked)}: {'need' if len(asked) > 1 else 'needs'} BuildKit"
    if podman:
        raise EngineError(f"{need}, and Podman has none", "leave it out here, or build with a Docker engine")
    if request.classic:
        raise EngineError(f"{need}, which was switched off", "leave one of the two out")
    raise EngineError(
        f"{need}, and this `docker` command has no Buildx", "package docker-buildx or docker-buildx-plugin"
    )


async def _run(
    cli: DockerCli, command: list[str], env: Mapping[str, str], settings: Mapping[str, str], reader: BuildLog
) -> tuple[int, str]:
    process = await cli.spawn(command, env=env, settings=settings)
    complaint: list[str] = []
    assert process.stdout is not None and process.stderr is not None

    async def pump(stream: asyncio.StreamReader, take: Callable[[str], None]) -> None:
        while line := await read_line(stream):
            take(line)

    def classic_stderr(line: str) -> None:
        complaint.append(line.rstrip("\n"))

    # BuildKit writes its progress to stderr; the classic builder writes output to stdout and complaints to stderr.
    classic = isinstance(reader, ClassicLog)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(pump(process.stdout, reader.feed if classic else lambda line: None))
            group.create_task(pump(process.stderr, classic_stderr if classic else reader.feed))
        code = await process.wait()
    except BaseException:
        await end(process)
        raise
    words = [line for line in complaint if line.strip() and "DEPRECATED" not in line and not line.startswith("     ")]
    if code and isinstance(reader, ClassicLog):
        reader.failed(reason("\n".join(words)))
    return code, "\n".join(words)


def failure(
    reader: BuildLog, complaint: str, code: int, *, what: str, log_path: str, mask: Mask = NO_MASK
) -> BuildFailed:
    """The step that failed with its last lines. `what` names the build where no step does."""
    step, lines = reader.failure()
    lines = [mask(line) for line in lines or complaint.splitlines()]
    last = next((line for line in reversed(lines) if line.strip()), "")
    where = f"at step {step}" if step else f"({what})"
    return BuildFailed(
        f"the image build failed {where}: {last}" if last else f"the image build failed {where}",
        "`devenv logs --build` shows the whole output" if log_path else "",
        details={"step": step, "lines": lines[-20:], "exit_code": code, "log": log_path},
    )


@contextlib.contextmanager
def log_file(path: str, *, append: bool = False, mask: Mask = NO_MASK) -> Iterator[Callable[[str], None]]:
    """Where a build's whole output is kept, readable by its user only; "" keeps nothing."""
    if not path:
        yield lambda line: None
        return
    file: TextIO
    with open(path, "a" if append else "w", encoding="utf-8", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:

        def write(line: str) -> None:
            file.write(mask(line) + "\n")
            file.flush()

        yield write
