"""A Compose project as Compose itself resolves it, and the commands that act on it.

The files of the project are never written. What the dev container adds is one file in the environment's own folder,
at a path that stays the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from devcontainer import compose
from devcontainer.compose import Project, Service
from devenv.compose import files as finding
from devenv.compose.files import ComposeFiles
from devenv.engine.port import Engine, Progress
from devenv.errors import ComposeFailed

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
FOLDER_LABEL = "com.docker.compose.project.working_dir"

_FILES_ARE_WRONG = (14, 15)  # Compose's exit codes: one cannot be opened, one cannot be understood
_MOST_LINES = 8


@dataclasses.dataclass(frozen=True)
class ComposeProject:
    """`name` is the project's; `resolved` what its files say; `main` the service to work in."""

    name: str
    files: ComposeFiles
    resolved: Project = dataclasses.field(repr=False)
    main: Service = dataclasses.field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """Of the main service's container, whoever made it."""
        return {PROJECT_LABEL: self.name, SERVICE_LABEL: self.main.name}


async def read(
    engine: Engine, files: ComposeFiles, choose: Callable[[Project], Service], *, env: Mapping[str, str] | None = None
) -> ComposeProject:
    """Asks Compose what the files say. Raises `ComposeFailed` when Compose itself fails, `compose.ComposeError` in its
    words for files that it refuses, and what `choose` raises, which says the service to work in. Every profile counts
    here: which services start is decided later."""
    done = await engine.compose([*files.words, "--profile", "*", "config", "--format", "json"], cwd=files.cwd, env=env)
    if done.exit_code in _FILES_ARE_WRONG:
        raise compose.ComposeError(_whole(done.stderr))
    if done.exit_code:
        raise failed("read the Compose files", done.stderr)
    resolved = compose.read(done.stdout.decode("utf-8", "replace"))
    name = compose.project_name(
        files.files[0] if files.files else f"{files.cwd}/docker-compose.yml",
        environment=files.environment_name,
        dot_env=files.dot_env_name,
        written=finding.written_name(files.files),
        resolved=resolved.name,
    )
    return ComposeProject(name, files, resolved, choose(resolved), tuple(_warnings(done.stderr)))


async def act(
    engine: Engine,
    project: str,
    words: Sequence[str],
    *,
    files: ComposeFiles | None = None,
    override: str = "",
    profiles: Sequence[str] = (),
    progress: Progress | None = None,
    key: str = "compose",
    what: str = "",
) -> str:
    """One command on a project; returns its stdout. Without `files` Compose goes by the labels of what it made.

    Raises `ComposeFailed` with Compose's last lines.
    """
    args = ["--progress", "plain", "-p", project]
    if files is not None:
        args += files.words
        if override:
            args += ["-f", override]
    for profile in profiles:
        args += ["--profile", profile]

    def take(line: str) -> None:
        if progress is not None and line.strip():
            progress.line(key, line.strip(), "stderr")

    done = await engine.compose([*args, *words], cwd=files.cwd if files is not None else "", take=take)
    if done.exit_code:
        raise failed(what or f"{words[0]} the Compose project {project}", done.stderr)
    return done.stdout.decode("utf-8", "replace")


def failed(what: str, stderr: bytes) -> ComposeFailed:
    said = _said(stderr)
    last = said[-1].strip() if said else "no reason given"
    return ComposeFailed(
        f"cannot {what}: {last.removeprefix('Error response from daemon: ')}", "", details={"lines": said[-20:]}
    )


def _said(stderr: bytes) -> list[str]:
    lines = [line.rstrip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return [line for line in lines if not line.startswith("time=")] or lines


def _whole(stderr: bytes) -> str:
    """A complaint about files as one line: of a circle among services, each line is a part."""
    said = " ".join(line.strip() for line in _said(stderr)[:_MOST_LINES])
    return said.removeprefix("validating ") or "no reason given"


def _warnings(stderr: bytes) -> list[str]:
    """Compose's own warnings, e.g. of a variable that is not set, without its log's decoration."""
    found = []
    for line in stderr.decode("utf-8", "replace").splitlines():
        level, _, rest = line.partition("level=warning msg=")
        if rest and level.startswith("time="):
            found.append("Compose: " + rest.strip().strip('"').replace('\\"', '"'))
    return found
