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
from devenv.engine.port import ContainerSnapshot, Engine
from devenv.environment import properties
from devenv.environment.plan import KEY_LABEL, OWNER_LABEL
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
    folder = labels.get(identity.LOCAL_FOLDER)
    if folder is None or os.path.realpath(folder) != os.path.realpath(target.local_folder):
        return False
    file = labels.get(identity.CONFIG_FILE)
    return file is None or os.path.realpath(file) == os.path.realpath(target.config_file)


async def find(engine: Engine, target: Target, owner: str, *, known: str = "") -> Found:
    """`known` is the container of the last time: one request is enough when it is still there."""
    if known:
        container = await engine.inspect(known)
        if container is not None and container.status != "removing" and same_project(container.labels, target):
            return Found(container)
    candidates = [c for c in await engine.find(target.labels) if c.status != "removing"]
    if not [c for c in candidates if not is_foreign(c.labels, owner)]:
        everyone = await engine.find({identity.LOCAL_FOLDER: None})
        candidates = [c for c in everyone if c.status != "removing" and same_project(c.labels, target)]
    return choose(candidates, owner)


def mounted_folder(target: Target, container: ContainerSnapshot) -> str:
    """Where this container has the project. A tool that opened it through a symlink named the folder after that."""
    mounts = [mount for mount in container.mounts if mount.get("Type") == "bind"]
    if any(_below(target.workspace_folder, str(mount.get("Destination", ""))) for mount in mounts):
        return target.workspace_folder
    local = os.path.realpath(target.local_folder)
    for mount in mounts:
        source = os.path.realpath(str(mount.get("Source", "")))
        if _below(local, source):
            return posixpath.normpath(posixpath.join(str(mount["Destination"]), os.path.relpath(local, source)))
    return target.workspace_folder


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
    remote_user: str
    wanted: properties.Properties
    actual: properties.Properties


def effective(target: Target, container: ContainerSnapshot, owner: str) -> Effective:
    """Our container: the image's entries and the file as it is now (hooks that failed can be corrected). Another
    tool's: as the reference reads it."""
    entries = properties.container_entries(container)
    known = properties.stored(container)
    own = properties.image_part(entries, known, target.written.metadata_entry)
    current = [*entries[:own], target.written.metadata_entry]
    ours = is_ours(container.labels, owner)
    chosen = current if ours else metadata.for_existing(entries, target.written.raw)
    substitution = dataclasses.replace(target.substitution, container_env=container.env)
    merged = merge([substitution.apply_entry(entry) for entry in chosen])
    asked_merged = merge([target.substitution.apply_entry(entry) for entry in current])
    wanted = properties.wanted(target, asked_merged, image_entries=own)
    actual = known if known is not None else properties.observed(container, wanted)
    remote_user = merged.remote_user or container.user or "root"
    return Effective(merged, remote_user, wanted, actual)
