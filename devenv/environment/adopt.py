"""Finds the container of a project: ours, or one that VS Code or the reference CLI made. Never touches it.

Look-up goes by the identity labels as written; then by resolved paths, so that a symlink to the same folder finds the
same container. A container of another owner (a shared engine) is told apart and left alone.
"""

from __future__ import annotations

import dataclasses
import os
import posixpath
from collections.abc import Mapping, Sequence

from devcontainer import identity, metadata
from devcontainer.merge import Merged, merge
from devenv.compose.project import PROJECT_LABEL, SERVICE_LABEL
from devenv.engine.port import ContainerSnapshot, Engine
from devenv.environment import properties
from devenv.environment.shape import KEY_LABEL, OWNER_LABEL
from devenv.environment.target import Target


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """`container` is ours or nobody's; `foreign` belong to other owners."""

    container: ContainerSnapshot | None
    foreign: tuple[ContainerSnapshot, ...] = ()


def is_foreign(labels: Mapping[str, str], owner: str) -> bool:
    """No owner label: made by another tool of the same user, as far as anybody can say."""
    return labels.get(OWNER_LABEL, owner) != owner


def is_ours(labels: Mapping[str, str], owner: str) -> bool:
    return labels.get(OWNER_LABEL) == owner and KEY_LABEL in labels


def same_project(labels: Mapping[str, str], target: Target) -> bool:
    """Whether these labels mean the target, symlinks resolved. Containers from before `config_file` count too."""
    if target.choice.id_labels is not None:
        return all(labels.get(name) == value for name, value in target.choice.id_labels.items())
    folder = labels.get(identity.LOCAL_FOLDER)
    if folder is None or os.path.realpath(folder) != os.path.realpath(target.local_folder):
        return False
    file = labels.get(identity.CONFIG_FILE)
    return file is None or os.path.realpath(file) == os.path.realpath(target.config_file)


async def find(engine: Engine, target: Target, owner: str, *, known: str = "", project: str = "") -> Found:
    """`known` is the container of the last time: one request is enough when it is still there. `project` is the Compose
    project, as far as it is known: `docker compose up` by hand makes containers without our labels."""
    if target.choice.container_id:
        named = await engine.inspect(target.choice.container_id)
        return Found(named if named is not None and named.status != "removing" else None)
    if known:
        container = await engine.inspect(known)
        if container is not None and container.status != "removing" and same_project(container.labels, target):
            return Found(container)
    candidates = [c for c in await engine.find(target.labels) if c.status != "removing"]
    if not [c for c in candidates if not is_foreign(c.labels, owner)] and target.choice.id_labels is None:
        everyone = await engine.find({identity.LOCAL_FOLDER: None})
        candidates = [c for c in everyone if c.status != "removing" and same_project(c.labels, target)]
    if not candidates and target.is_compose and project:
        labels = {PROJECT_LABEL: project, SERVICE_LABEL: target.config.service or ""}
        candidates = [c for c in await engine.find(labels) if c.status != "removing" and not is_marked(c.labels)]
    return choose(candidates, owner)


def is_marked(labels: Mapping[str, str]) -> bool:
    """Whether a dev container tool made it."""
    return identity.LOCAL_FOLDER in labels or identity.METADATA in labels


def is_by_compose(labels: Mapping[str, str]) -> bool:
    """Whether `docker compose` made it by itself, from the project's own files: it makes the same again."""
    return PROJECT_LABEL in labels and not is_marked(labels)


def mounted_folder(target: Target, container: ContainerSnapshot) -> str:
    """The folder that tools open in this container: what it was made for, else what the configuration says. Another
    tool that opened the project through a symlink named the folder after that."""
    known = properties.stored(container)
    if known is not None and isinstance(made_for := known.get("workspaceFolder"), str) and made_for:
        return made_for
    if target.written.workspace_folder:
        return target.workspace_folder
    mounts = [mount for mount in container.mounts if mount.get("Type") == "bind"]
    if not target.local_folder:
        return target.workspace_folder
    if any(_below(target.workspace_folder, str(mount.get("Destination", ""))) for mount in mounts):
        return target.workspace_folder
    local = os.path.realpath(target.local_folder)
    for mount in mounts:
        source = os.path.realpath(str(mount.get("Source", "")))
        if _below(local, source):
            return posixpath.normpath(posixpath.join(str(mount["Destination"]), os.path.relpath(local, source)))
    return target.workspace_folder


def project_folder(target: Target, container: ContainerSnapshot) -> str:
    """Where the local folder itself is in the container. In a Compose project that is not always what tools open: a
    service may mount the project in one place and have `workspaceFolder` below it."""
    opened = mounted_folder(target, container)
    if not target.local_folder:
        return opened
    local = os.path.realpath(target.local_folder)
    found = []
    for mount in container.mounts:
        source = os.path.realpath(str(mount.get("Source", "")))
        if mount.get("Type") == "bind" and _below(local, source):
            inside = os.path.relpath(local, source)
            found.append(posixpath.normpath(posixpath.join(str(mount["Destination"]), inside)))
    # The mount that the opened folder lies in counts before any other.
    return next((folder for folder in found if _below(opened, folder)), found[0] if found else opened)


def _below(path: str, folder: str) -> bool:
    return bool(folder) and (path == folder or path.startswith(folder.rstrip("/") + "/"))


def choose(candidates: Sequence[ContainerSnapshot], owner: str) -> Found:
    """Ours before others', running before stopped, the newest first."""
    usable = [c for c in candidates if not is_foreign(c.labels, owner)]
    newest = sorted(usable, key=lambda c: c.created, reverse=True)
    ranked = sorted(newest, key=lambda c: (not is_ours(c.labels, owner), not c.running, c.status == "created"))
    foreign = tuple(c for c in candidates if is_foreign(c.labels, owner))
    return Found(ranked[0] if ranked else None, foreign)


@dataclasses.dataclass(frozen=True, slots=True)
class Effective:
    """What counts for an existing container: its own metadata, and of the file what applies without a new one."""

    merged: Merged
    entries: tuple[metadata.Entry, ...]  # what `merged` is made of, variables resolved
    remote_user: str
    wanted: properties.Properties
    actual: properties.Properties


def effective(target: Target, container: ContainerSnapshot, owner: str) -> Effective:
    """Our container: the image's entries and the file as it is now (hooks that failed can be corrected). Another
    tool's: as the reference reads it."""
    entries = properties.container_entries(container)
    known = properties.stored(container)
    own = properties.image_part(entries, known, target.entries)
    current = [*entries[:own], *target.entries]
    # What no dev container tool has made has no metadata of the project: all of it counts.
    own_metadata = identity.METADATA not in container.labels or (
        is_ours(container.labels, owner) and not target.choice.container_id
    )
    chosen = current if own_metadata else [*entries, *target.live_entries]
    substitution = dataclasses.replace(target.substitution, container_env=container.env)
    resolved = tuple(substitution.apply_entry(entry) for entry in chosen if entry)
    merged = merge(resolved)
    asked_merged = merge([target.substitution.apply_entry(entry) for entry in current])
    wanted = properties.wanted(target, asked_merged, image_entries=own)
    actual = known if known is not None else properties.observed(container, wanted)
    _, container_user = Merged().users(container.user)
    remote_user = merged.remote_user or container_user
    if known is not None and isinstance(created := known.get("remoteUser"), str) and not target.choice.live_user:
        remote_user = created or container_user
    return Effective(merged, resolved, remote_user, wanted, actual)
