"""How the project's files get into the container: by a bind mount where the engine sees them, else by a volume that is
kept the same as the folder (`devenv.sync`).

Which folder of the container that is stands in a label. Which folder of this machine it belongs to never does: whoever
can make containers on a shared engine must not be able to name one. It is the project's, or its repository's, even
where the mount would show more.
"""

# Paths are compared as text here, as identity labels are.

from __future__ import annotations

import dataclasses
import io
import os
import posixpath
import tarfile
from collections.abc import Iterator, Mapping, Sequence

from devcontainer import mounts
from devcontainer.compose import Service, unescaped
from devcontainer.mounts import Mount, MountError
from devenv.engine.port import ContainerSnapshot
from devenv.environment.target import Target, git_root
from devenv.errors import ConfigError

LABEL = "devenv.files"
"""On a container whose project lies in a volume: `project:` or `repository:`, and the folder that is kept the same."""

_PROJECT, _REPOSITORY = "project", "repository"


@dataclasses.dataclass(frozen=True, slots=True)
class Synced:
    """`host` and `container` are the two folders, absolute; `volume` is mounted at `place`, which holds the second."""

    host: str
    container: str
    volume: str
    place: str

    @property
    def mount(self) -> Mount:
        """Nothing of the image shows through: as with a bind mount, the project is what is there."""
        return Mount("volume", self.volume, self.place, (("volume-nocopy", None),))

    def label(self, target: Target) -> str:
        which = _PROJECT if self.host == os.path.normpath(target.local_folder) else _REPOSITORY
        return f"{which}:{self.container}"


def volume_name(key: str, tail: str = "") -> str:
    return f"devenv-{key}{tail}-files"


def synced(target: Target, service: Service | None = None, *, tail: str = "") -> Synced | None:
    """What would be kept the same for this configuration; None where it mounts no folder of this machine that holds the
    project. Raises ConfigError for a workspace that is another folder of this machine."""
    if not target.local_folder:
        return None
    if service is not None:
        found = next((pair for pair in binds(service) if _holds(pair[0], target.local_folder)), None)
    else:
        found = _workspace(target)
    if found is None:
        return None
    source, place = found
    root = git_root(target.local_folder) or target.local_folder
    host = root if _holds(source, root) else target.local_folder
    inside = os.path.relpath(os.path.realpath(host), os.path.realpath(source))
    container = posixpath.normpath(posixpath.join(place, inside))
    return Synced(os.path.normpath(host), container, volume_name(target.key, tail), place)


def of_container(target: Target, container: ContainerSnapshot) -> Synced | None:
    """What is kept the same for a container that is there."""
    which, colon, inside = container.labels.get(LABEL, "").partition(":")
    if not colon or not target.local_folder or posixpath.normpath(inside) != inside:
        return None
    host = (git_root(target.local_folder) or target.local_folder) if which == _REPOSITORY else target.local_folder
    for mount in container.mounts:
        place, volume = str(mount.get("Destination") or ""), str(mount.get("Name") or "")
        if mount.get("Type") == "volume" and volume and _below(inside, place):
            return Synced(os.path.normpath(host), inside, volume, place)
    return None


def binds(service: Service) -> Iterator[tuple[str, str]]:
    """(folder of this machine, place in the container) of a Compose service, in the order of its file."""
    volumes = service.raw.get("volumes")
    for entry in volumes if isinstance(volumes, list) else ():
        if isinstance(entry, Mapping) and entry.get("type") == "bind":
            source, place = entry.get("source"), entry.get("target")
            if isinstance(source, str) and isinstance(place, str):
                yield unescaped(source), posixpath.normpath(unescaped(place))


def shared_mounts(services: Mapping[str, Service], main: str, kept: Synced) -> dict[str, list[Mount]]:
    """Of each other service that mounts the same folder: the volume, in that place."""
    source = next((source for source, place in binds(services[main]) if place == kept.place), "")
    found = {
        name: [dataclasses.replace(kept, place=place).mount for one, place in binds(service) if one == source]
        for name, service in services.items()
        if name != main
    }
    return {name: mounts for name, mounts in found.items() if mounts}


def unreachable(sources: Sequence[str], kept: Synced | None) -> list[str]:
    """Folders of this machine that a container on another one would see as another folder, or none."""
    own = kept.host if kept is not None else ""
    return sorted({source for source in sources if source != own and not source.startswith("/var/run/docker.sock")})


def _workspace(target: Target) -> tuple[str, str] | None:
    if not target.workspace_mount:
        return None
    try:
        mount = mounts.parse(target.workspace_mount)
    except MountError:
        return None  # the engine refuses it, with its own words
    if mount.type != "bind" or not mount.source:
        return None
    source = os.path.normpath(mount.source)
    if not _holds(source, target.local_folder):
        raise ConfigError(
            [
                target.problem(
                    "workspaceMount",
                    f"{source} cannot be kept the same on another machine: it does not hold the project",
                    "name a folder that does, or mount a volume",
                )
            ]
        )
    return source, posixpath.normpath(mount.target)


def _holds(folder: str, path: str) -> bool:
    return _below(os.path.realpath(path), os.path.realpath(folder))


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def owned_folder(kept: Synced, uid: int, gid: int, *, now: float) -> tuple[str, bytes]:
    """(folder, tar archive to put there) that makes the container's folder the user's."""
    parent, name = posixpath.split(kept.place)
    names = [name]
    inside = posixpath.relpath(kept.container, kept.place)
    for part in inside.split("/") if inside != "." else ():
        names.append(f"{names[-1]}/{part}")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in names:
            entry = tarfile.TarInfo(path)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o755
            entry.uid, entry.gid = uid, gid
            entry.mtime = int(now)
            tar.addfile(entry)
    return parent or "/", buffer.getvalue()
