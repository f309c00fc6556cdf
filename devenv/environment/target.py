"""From a folder to what is wanted there: the configuration found, read, and its host variables resolved.

No engine is asked here. A target is a value; when a file changes, a new one is made.
"""

# Paths are identity labels here: text to be compared byte for byte, which pathlib would normalise.
# ruff: noqa: PTH110, PTH112, PTH118, PTH119, PTH120

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Mapping

from devcontainer import discover, identity, model, variables, workspace
from devcontainer.model import DevContainer
from devenv.api.context import ClientContext
from devenv.errors import ConfigError, NotFound, Problem


@dataclasses.dataclass(frozen=True)
class Target:
    """One project folder with one configuration, as a client sees them.

    `config` has host variables resolved (${localEnv:…} with the client's values: never store or log it);
    `written` is as the file has it. Without a configuration both are empty and `config_file` is "".
    """

    key: str
    name: str
    local_folder: str  # absolute, symlinks kept: it is an identity label
    config_file: str
    workspace_folder: str
    workspace_mount: str  # value for --mount; "" mounts nothing
    config: DevContainer = dataclasses.field(repr=False)
    written: DevContainer = dataclasses.field(repr=False)
    substitution: variables.Substitution = dataclasses.field(repr=False)
    others: tuple[str, ...] = ()  # further configurations of this folder

    @property
    def configured(self) -> bool:
        return bool(self.config_file)

    @property
    def labels(self) -> dict[str, str]:
        return identity.id_labels(self.local_folder, self.config_file)

    def problem(self, key: str, message: str, hint: str = "") -> Problem:
        line, column = self.written.position(key) if key else (0, 0)
        return Problem(self.config_file or self.local_folder, line, column, key, message, hint)


def environment_key(local_folder: str, config_file: str) -> str:
    """12 hex digits: the environment's identity on this machine. Of the resolved paths, so that a symlink to the
    same folder means the same environment."""
    config = os.path.realpath(config_file) if config_file else ""
    return hashlib.sha256(f"{os.path.realpath(local_folder)}\0{config}".encode()).hexdigest()[:12]


def resolve(folder: str, ctx: ClientContext, *, config: str | None = None) -> Target:
    """Raises `NotFound` (no such folder or configuration) and `ConfigError` (with every error of the file).

    `config` is a path (relative to the client's folder, else to the project), or NAME of `.devcontainer/NAME`.
    """
    local = os.path.normpath(os.path.join(ctx.cwd, folder))
    if not os.path.isdir(local):
        raise NotFound(f"there is no folder {local}", "give the project's folder")
    found = discover.find(pathlib.Path(local))
    chosen = _chosen(local, found, ctx, config)
    if chosen is None:
        return _target(local, "", DevContainer("", {}), ctx, ())
    try:
        text = chosen.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(chosen), 0, 0, "", f"not UTF-8 (byte {error.start})")]) from error
    except OSError as error:
        raise ConfigError([Problem(str(chosen), 0, 0, "", f"cannot be read: {error.strerror}")]) from error
    written = model.load(text, str(chosen))
    if written.errors:
        raise ConfigError(list(written.errors))
    return _target(local, str(chosen), written, ctx, tuple(str(path) for path in found if path != chosen))


def _chosen(local: str, found: list[pathlib.Path], ctx: ClientContext, config: str | None) -> pathlib.Path | None:
    if config:
        candidates = [pathlib.Path(os.path.normpath(os.path.join(base, config))) for base in (ctx.cwd, local)]
        candidates.append(pathlib.Path(local, discover.FOLDER, config, discover.NAME))
        for path in candidates:
            if path.is_file():
                return path
        raise NotFound(f"there is no configuration {config}", _choices(local, found))
    if not found:
        return None
    by_default = {pathlib.Path(local, discover.FOLDER, discover.NAME), pathlib.Path(local, f".{discover.NAME}")}
    if found[0] not in by_default and len(found) > 1:
        raise ConfigError(
            [Problem(str(pathlib.Path(local, discover.FOLDER)), 0, 0, "", "has several configurations")],
            _choices(local, found),
        )
    return found[0]


def _choices(local: str, found: list[pathlib.Path]) -> str:
    names = [os.path.relpath(path, local) for path in found]
    return "choose with --config: " + ", ".join(names) if names else "`devenv init` writes one"


def _target(local: str, config_file: str, written: DevContainer, ctx: ClientContext, others: tuple[str, ...]) -> Target:
    place = workspace.resolve(written.workspace_mount, written.workspace_folder, local, _git_root(local))
    substitution = variables.Substitution(
        local_env=ctx.env,
        local_workspace_folder=local,
        container_workspace_folder=place.folder,
        devcontainer_id=identity.devcontainer_id(identity.id_labels(local, config_file)),
    )
    return Target(
        key=environment_key(local, config_file),
        name=written.name or os.path.basename(local) or "root",
        local_folder=local,
        config_file=config_file,
        workspace_folder=substitution.text(place.folder),
        workspace_mount=substitution.text(place.mount),
        config=written.substituted(substitution),
        written=written,
        substitution=substitution,
        others=others,
    )


def _git_root(folder: str) -> str | None:
    """The nearest ancestor with `.git` (a folder, or the file of a worktree), with the path's own symlinks."""
    while True:
        if os.path.exists(os.path.join(folder, ".git")):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def for_client(target: Target, ctx: ClientContext) -> Target:
    """The same target with the host variables of another client; targets may be kept longer than a client lives."""
    if target.substitution.local_env == ctx.env:
        return target
    substitution = dataclasses.replace(target.substitution, local_env=ctx.env)
    written = target.written
    place = workspace.resolve(
        written.workspace_mount, written.workspace_folder, target.local_folder, _git_root(target.local_folder)
    )
    return dataclasses.replace(
        target,
        substitution=substitution,
        config=written.substituted(substitution),
        workspace_folder=substitution.text(place.folder),
        workspace_mount=substitution.text(place.mount),
    )


def host_variables(target: Target) -> Mapping[str, str]:
    """The client's environment, for commands on the host and values passed to builders."""
    return target.substitution.local_env or {}
