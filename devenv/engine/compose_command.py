"""`docker compose` as a child process: its stdout as data, its stderr as lines while it works."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from devenv.engine.docker_cli import DockerCli, end, read_line
from devenv.engine.port import ExecResult
from devenv.errors import EngineError


async def run(
    cli: DockerCli,
    args: Sequence[str],
    *,
    cwd: str = "",
    env: Mapping[str, str] | None = None,
    take: Callable[[str], None] | None = None,
    take_output: Callable[[str], None] | None = None,
    settings: Mapping[str, str] | None = None,
) -> ExecResult:
    """`settings` are variables for Compose itself.

    Raises `EngineError` where the command has no Compose plugin (the old `docker-compose` is not one).
    """
    if not cli.plugin("compose"):
        raise EngineError(
            "this `docker` command has no Compose",
            "install Compose 2 (package docker-compose-plugin or docker-compose-v2)",
        )
    process = await cli.spawn(["compose", *args], env=env, settings=settings, cwd=cwd)
    assert process.stdout is not None and process.stderr is not None
    printed: list[str] = []
    said: list[str] = []

    async def listen(stream: asyncio.StreamReader, lines: list[str], tell: Callable[[str], None] | None) -> None:
        while line := await read_line(stream):
            lines.append(line)
            if tell is not None:
                tell(line.rstrip("\n"))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(listen(process.stdout, printed, take_output))
            group.create_task(listen(process.stderr, said, take))
        code = await process.wait()
    except BaseException:
        await end(process)
        raise
    return ExecResult(code, "".join(printed).encode(), "".join(said).encode())
