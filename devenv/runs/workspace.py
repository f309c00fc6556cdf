"""Where the project is on the host and in the container, and the way from one to the other.

Pure path arithmetic: nothing here looks at a disk, because one side's disk is another machine's.
"""

from __future__ import annotations

import dataclasses
import posixpath


def _inside(path: str, root: str) -> str | None:
    """`path` relative to `root` ("." for the root itself), or None when it lies elsewhere. Both absolute and normal."""
    if path == root:
        return "."
    prefix = root if root.endswith("/") else root + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None


@dataclasses.dataclass(frozen=True, slots=True)
class WorkspacePaths:
    """One folder under its two names: `host` is mounted at `container`. Both absolute, without a trailing slash.

    `opened` is the folder that tools open, where it is not the project's own (Compose); "" means that it is.
    """

    host: str
    container: str
    opened: str = ""

    @property
    def workspace(self) -> str:
        """The workspace folder: where tools and lifecycle commands start."""
        return self.opened or self.container

    def to_container(self, host_path: str) -> str | None:
        """The container's name of a host path, or None when the path is not in the project."""
        inside = _inside(posixpath.normpath(host_path), self.host) if self.host else None
        return None if inside is None else posixpath.normpath(posixpath.join(self.container, inside))

    def to_host(self, container_path: str) -> str | None:
        """The host's name of a container path, or None when the path is not in the project."""
        inside = _inside(posixpath.normpath(container_path), self.container)
        return None if inside is None else posixpath.normpath(posixpath.join(self.host, inside))

    def relative(self, container_path: str) -> str | None:
        """A container path relative to the workspace folder, or None when it lies elsewhere."""
        return _inside(posixpath.normpath(container_path), self.container)

    def working_folder(self, client_cwd: str) -> str:
        """The container folder that corresponds to the client's; the workspace folder for a client elsewhere, or at
        the project's root."""
        inside = self.to_container(client_cwd)
        return self.workspace if inside in (None, self.container) else inside or self.workspace
