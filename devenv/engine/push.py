"""Sends images to the registries that their names tell, by the `docker` command: what Buildx does within a build."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from devenv.engine.docker_cli import DockerCli, end, read_line, reason
from devenv.engine.port import Progress
from devenv.errors import RegistryFailed


async def push(cli: DockerCli, references: Sequence[str], progress: Progress, write: Callable[[str], None]) -> None:
    """One after the other. Raises `RegistryFailed`; those before the one that failed are there then."""
    for reference in references:
        key = f"push:{reference}"
        progress.step(key, f"Pushing {reference}")
        code, said = await _run(cli, reference, write)
        progress.done(key, ok=code == 0)
        if code:
            host = reference.partition("/")[0] if "/" in reference else "docker.io"
            raise RegistryFailed(
                f"{reference} is built, and cannot be pushed: {reason(said)}",
                f"`docker login {host}`, and `docker push {reference}` tries again",
                details={"registry": host},
            )


async def _run(cli: DockerCli, reference: str, write: Callable[[str], None]) -> tuple[int, str]:
    process = await cli.spawn(["push", reference])
    assert process.stdout is not None and process.stderr is not None
    try:
        while line := await read_line(process.stdout):
            write(line.rstrip("\n"))
        said = (await process.stderr.read()).decode("utf-8", "replace")
        return await process.wait(), said
    except BaseException:
        await end(process)
        raise
