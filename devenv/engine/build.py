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
from devenv.engine.docker_cli import DockerCli, end, reason
from devenv.engine.port import BuildRequest, Progress
from devenv.errors import BuildFailed

RAWJSON_SINCE = (0, 13)


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


async def buildx_version(cli: DockerCli) -> tuple[int, int] | None:
    if not cli.plugin("buildx"):
        return None
    code, out, _ = await cli.run(["buildx", "version"])
    match = re.search(r"\bv?(\d+)\.(\d+)", out.split(" ", 1)[-1]) if code == 0 else None
    return (int(match[1]), int(match[2])) if match else None


async def build(cli: DockerCli, request: BuildRequest, progress: Progress, buildx: tuple[int, int] | None) -> str:
    """Builds and returns the image's id. `buildx` is what `buildx_version` said."""
    with _log_file(request.log_path) as write, tempfile.TemporaryDirectory(prefix="devenv-build-") as folder:
        id_file = pathlib.Path(folder, "id")
        shared = [*arguments(request), "--iidfile", str(id_file), request.context]
        settings: dict[str, str] = {}
        reader: BuildLog
        if buildx is None:
            progress.note("Buildx is not installed: using the classic builder", level="info")
            reader = ClassicLog(progress, write)
            command = ["build", "--force-rm", *shared]  # a failed step must not leave its container
            settings["DOCKER_BUILDKIT"] = "0"
        else:
            raw = buildx >= RAWJSON_SINCE
            reader = RawJsonLog(progress, write) if raw else PlainLog(progress, write)
            command = ["buildx", "build", f"--progress={'rawjson' if raw else 'plain'}", "--load", *shared]
        code, complaint = await _run(cli, command, request.secret_args, settings, reader)
        reader.finish()
        if code:
            raise _failed(request, reader, complaint, code)
        return (await asyncio.to_thread(id_file.read_text)).strip()


async def _run(
    cli: DockerCli, command: list[str], env: Mapping[str, str], settings: Mapping[str, str], reader: BuildLog
) -> tuple[int, str]:
    process = await cli.spawn(command, env=env, settings=settings)
    complaint: list[str] = []
    assert process.stdout is not None and process.stderr is not None

    async def pump(stream: asyncio.StreamReader, take: Callable[[str], None]) -> None:
        while line := await _line(stream):
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


async def _line(stream: asyncio.StreamReader) -> str:
    try:
        return (await stream.readuntil(b"\n")).decode("utf-8", "replace")
    except asyncio.IncompleteReadError as rest:
        return rest.partial.decode("utf-8", "replace")
    except asyncio.LimitOverrunError as over:
        return (await stream.read(over.consumed)).decode("utf-8", "replace") + "\n"


def _failed(request: BuildRequest, reader: BuildLog, complaint: str, code: int) -> BuildFailed:
    step, lines = reader.failure()
    lines = lines or complaint.splitlines()
    last = next((line for line in reversed(lines) if line.strip()), "")
    where = f"at step {step}" if step else f"({request.dockerfile})"
    return BuildFailed(
        f"the image build failed {where}: {last}" if last else f"the image build failed {where}",
        "`devenv logs --build` shows the whole output" if request.log_path else "",
        details={"step": step, "lines": lines[-20:], "exit_code": code, "log": request.log_path},
    )


@contextlib.contextmanager
def _log_file(path: str) -> Iterator[Callable[[str], None]]:
    if not path:
        yield lambda line: None
        return
    file: TextIO
    with open(path, "w", encoding="utf-8", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:

        def write(line: str) -> None:
            file.write(line + "\n")
            file.flush()

        yield write
