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

from devcontainer import discover, identity, metadata, model, overlay, variables, workspace
from devcontainer.jsonc import JsonValue
from devcontainer.model import DevContainer, Kind
from devcontainer.problem import Severity
from devenv.api.context import ClientContext
from devenv.config import customization_problems
from devenv.errors import ConfigError, NotFound, Problem


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a client may say beside the folder. Each changes which container is meant, or what it is made from."""

    config: str | None = None  # a path, or NAME of .devcontainer/NAME
    override_config: str | None = None  # its content instead of the project's file, whose place stays
    id_labels: Mapping[str, str] | None = None  # instead of the two identity labels
    container_id: str = ""  # this container, whatever its labels
    live_user: bool = False  # `remoteUser` as it is written now, whoever the container was made for
    user_env_probe: str = ""  # stands where no configuration says
    additional_features: Mapping[str, JsonValue] = dataclasses.field(default_factory=dict)
    map_bare_features: bool = True  # an id without a registry is one of the old collection
    personal: bool = True  # the person's own files lie over the project's
    complete: bool = True  # what the container is made from must be said; False: nothing is to be made
    mount_git_root: bool = True
    mount_git_worktree_common_dir: bool = True


@dataclasses.dataclass(frozen=True)
class Target:
    """One project folder with one configuration, as a client sees them.

    `config` has host variables resolved (${localEnv:…} with the client's values: never store or log it);
    `written` is as the files have it. Without a configuration both are empty and `config_file` is "".
    `entries` are the project's contributions to the metadata label, the team's before the person's, as written.
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
    entries: tuple[metadata.Entry, ...] = ()
    live_entries: tuple[metadata.Entry, ...] = ()
    personal_files: tuple[str, ...] = ()  # where the person's own settings may stand, there or not
    extra_mounts: tuple[str, ...] = ()  # values for --mount beside the workspace's
    team_features: frozenset[str] = frozenset()  # those that the project's own file names: what a lockfile may mention
    choice: Choice = dataclasses.field(default_factory=Choice)
    files: tuple[DevContainer, ...] = dataclasses.field(default=(), repr=False)  # as read, the team's first

    @property
    def unusable(self) -> list[Problem]:
        """Values that variables make wrong. They stand in the way of a new container, not of one that is there: who
        works in it need not have the variables that it was made with."""
        return [problem for file in self.files for problem in file.resolved_errors(self.substitution)]

    @property
    def configured(self) -> bool:
        return bool(self.config_file)

    @property
    def labels(self) -> dict[str, str]:
        if self.choice.id_labels is not None:
            return dict(self.choice.id_labels)
        return identity.id_labels(self.local_folder, self.config_file)

    @property
    def is_compose(self) -> bool:
        return self.config.kind is Kind.COMPOSE

    @property
    def config_folder(self) -> str:
        """Of the configuration file: what its relative paths start from."""
        return os.path.dirname(self.config_file)

    def problem(self, key: str, message: str, hint: str = "") -> Problem:
        line, column = self.written.position(key) if key else (0, 0)
        return Problem(self.config_file or self.local_folder, line, column, key, message, hint)


def environment_key(local_folder: str, config_file: str, id_labels: Mapping[str, str] | None = None) -> str:
    """12 hex digits: the environment's identity on this machine. Of the resolved paths, so that a symlink to the
    same folder means the same environment; or of the identity labels that were given instead."""
    if id_labels is not None:
        text = "\0".join(f"{name}={value}" for name, value in sorted(id_labels.items()))
    else:
        config = os.path.realpath(config_file) if config_file else ""
        text = f"{os.path.realpath(local_folder)}\0{config}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def container_key(container_id: str) -> str:
    """The identity of an environment that is one container and no project."""
    return hashlib.sha256(container_id.encode()).hexdigest()[:12]


def resolve(folder: str, ctx: ClientContext, *, config: str | None = None, choice: Choice | None = None) -> Target:
    """Raises `NotFound` (no such folder or configuration) and `ConfigError` (with every error of the files).

    `config` is a path (relative to the client's folder, else to the project), or NAME of `.devcontainer/NAME`.
    """
    choice = choice or Choice(config=config)
    local = os.path.normpath(os.path.join(ctx.cwd, folder))
    if not os.path.isdir(local):
        raise NotFound(f"there is no folder {local}", "give the project's folder")
    found = discover.find(pathlib.Path(local))
    chosen = _chosen(local, found, ctx, choice.config, optional=choice.override_config is not None)
    if choice.override_config is not None:
        place = str(chosen) if chosen is not None else os.path.join(local, discover.FOLDER, discover.NAME)
        content = os.path.normpath(os.path.join(ctx.cwd, choice.override_config))
        written = _read(content, personal=not choice.complete)
    elif chosen is None:
        return _target(local, "", DevContainer("", {}), [], ctx, (), choice)
    else:
        place, written = str(chosen), _read(str(chosen), personal=not choice.complete)
    personal = [
        _read(path, personal=True) for path in _personal_files(place, ctx) if choice.personal and _is_file(path)
    ]
    files = (written, *personal)
    problems = [problem for file in files for problem in (*file.problems, *_own_problems(file))]
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise ConfigError(problems)  # what only warns is told too: a misspelt key may be why another one is missing
    others = tuple(str(path) for path in found if path != chosen)
    return _target(local, place, written, personal, ctx, others, choice)


def of_container(
    container_id: str, ctx: ClientContext, config: str | None, labels: Mapping[str, str] | None = None
) -> Target:
    """What is wanted of a container that is known by its id alone; `config` is a file, if there is one. `labels` are
    those that give it its `${devcontainerId}`.

    There is no project on this machine then, and no workspace folder but the one that the file names.
    """
    choice = Choice(config=config, container_id=container_id, personal=False)
    file = os.path.normpath(os.path.join(ctx.cwd, config)) if config else ""
    written = _read(file) if file else DevContainer("", {})
    if file:
        # Only a container that is to be made needs to know from what.
        written = dataclasses.replace(
            model.load(written.document.text if written.document else "{}", file, personal=True), file=file
        )
        if written.errors:
            raise ConfigError(list(written.errors))
    substitution = variables.Substitution(
        local_env=ctx.env,
        container_workspace_folder=written.workspace_folder,
        devcontainer_id=identity.devcontainer_id(labels) if labels else None,
    )
    return Target(
        key=container_key(container_id),
        name=container_id[:12],
        local_folder="",
        config_file=file,
        workspace_folder=substitution.text(written.workspace_folder or ""),
        workspace_mount="",
        config=written.substituted(substitution),
        written=written,
        substitution=substitution,
        entries=(written.metadata_entry,) if written.metadata_entry else (),
        live_entries=(written.metadata_entry,) if written.metadata_entry else (),
        choice=choice,
    )


def _read(path: str, *, personal: bool = False) -> DevContainer:
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(path, 0, 0, "", f"not UTF-8 (byte {error.start})")]) from error
    except FileNotFoundError:
        raise NotFound(f"there is no configuration {path}", "check the path") from None
    except OSError as error:
        raise ConfigError([Problem(path, 0, 0, "", f"cannot be read: {error.strerror}")]) from error
    return model.load(text, path, personal=personal)


def _own_problems(file: DevContainer) -> list[Problem]:
    """What is wrong with `customizations.devenv`, where it stands."""
    customizations = file.raw.get("customizations")
    value = customizations.get("devenv") if isinstance(customizations, Mapping) else None
    found = []
    for problem in customization_problems(value) if value is not None else ():
        key = ".".join(part for part in ("customizations", "devenv", problem.key) if part)
        line, column = file.position(key)
        found.append(Problem(file.file, line, column, key, problem.message, problem.hint))
    return found


def _personal_files(config_file: str, ctx: ClientContext) -> list[str]:
    """The person's settings for all projects, then those beside this configuration."""
    folder = ctx.env.get("XDG_CONFIG_HOME") or (f"{ctx.env['HOME']}/.config" if ctx.env.get("HOME") else "")
    everywhere = [os.path.join(folder, "devenv", discover.NAME)] if folder else []
    here = os.path.join(os.path.dirname(config_file), overlay.local_name(os.path.basename(config_file)))
    return [*everywhere, here]


def _is_file(path: str) -> bool:
    return pathlib.Path(path).is_file()


def _chosen(
    local: str, found: list[pathlib.Path], ctx: ClientContext, config: str | None, *, optional: bool = False
) -> pathlib.Path | None:
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
    if found[0] not in by_default and len(found) > 1 and not optional:
        error = ConfigError(
            [Problem(str(pathlib.Path(local, discover.FOLDER)), 0, 0, "", "has several configurations")],
            _choices(local, found),
        )
        error.details["offer"] = "configs"  # a front end may ask which one
        raise error
    return found[0]


def _choices(local: str, found: list[pathlib.Path]) -> str:
    names = [os.path.relpath(path, local) for path in found]
    return "choose with --config: " + ", ".join(names) if names else "`devenv init` writes one"


def _target(
    local: str,
    config_file: str,
    team: DevContainer,
    personal: list[DevContainer],
    ctx: ClientContext,
    others: tuple[str, ...],
    choice: Choice,
) -> Target:
    layered = overlay.layer(team, personal)
    written = layered.config
    if choice.additional_features:
        added = {name: value for name, value in choice.additional_features.items() if name not in written.features}
        features = {**written.features, **added}
        written = dataclasses.replace(written, raw={**written.raw, "features": features})
    problems = tuple(problem for file in (team, *personal) for problem in file.problems)
    written = dataclasses.replace(written, problems=problems)
    place = _place(written, local, choice)
    labels = choice.id_labels if choice.id_labels is not None else identity.id_labels(local, config_file)
    substitution = variables.Substitution(
        local_env=ctx.env,
        local_workspace_folder=local,
        container_workspace_folder=place.folder,
        devcontainer_id=identity.devcontainer_id(labels),
    )
    return Target(
        key=container_key(choice.container_id)
        if choice.container_id
        else environment_key(local, config_file, choice.id_labels),
        name=written.name or os.path.basename(local) or "root",
        local_folder=local,
        config_file=config_file,
        workspace_folder=substitution.text(place.folder),
        workspace_mount=substitution.text(place.mount),
        extra_mounts=place.extra,
        config=written.substituted(substitution),
        written=written,
        substitution=substitution,
        others=others,
        entries=layered.entries,
        live_entries=layered.live_entries,
        team_features=frozenset(team.features),
        personal_files=tuple(_personal_files(config_file, ctx)) if choice.personal and config_file else (),
        choice=choice,
        files=(team, *personal),
    )


def _place(written: DevContainer, local: str, choice: Choice) -> workspace.Workspace:
    """Where the project appears inside. Compose mounts what its own files say, and nothing of itself."""
    if written.kind is Kind.COMPOSE:
        return workspace.Workspace("", written.workspace_folder or "/")
    root = git_root(local) if choice.mount_git_root else None
    git_dir = _worktree_git_dir(root) if root and choice.mount_git_worktree_common_dir else ""
    return workspace.resolve(written.workspace_mount, written.workspace_folder, local, root, git_dir)


def _worktree_git_dir(root: str) -> str:
    """What the `.git` file of a worktree says; "" for an ordinary repository, and for a submodule."""
    try:
        text = pathlib.Path(root, ".git").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    path = text.strip().removeprefix("gitdir:").strip()
    return path if text.startswith("gitdir:") and os.path.basename(os.path.dirname(path)) == "worktrees" else ""


def git_root(folder: str) -> str | None:
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
    place = _place(written, target.local_folder, target.choice)
    return dataclasses.replace(
        target,
        substitution=substitution,
        config=written.substituted(substitution),
        workspace_folder=substitution.text(place.folder),
        workspace_mount=substitution.text(place.mount),
    )


def names_client_variables(target: Target) -> bool:
    """Whether `remoteEnv` says anything that differs from client to client."""
    values = [entry.get("remoteEnv") for entry in target.live_entries]
    return any(variables.names_used(value, kind) for value in values for kind in ("localEnv", "env"))


def host_variables(target: Target) -> Mapping[str, str]:
    """The client's environment, for commands on the host and values passed to builders."""
    return target.substitution.local_env or {}
