"""Where the project appears inside the container when the configuration does not say."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

ROOT = "/workspaces"


class Workspace(NamedTuple):
    mount: str  # value of `docker create --mount`; "" means: mount nothing
    folder: str  # working folder of tools and hooks in the container


def default(local_folder: str, git_root: str | None = None) -> Workspace:
    """The default mount and folder of a workspace (byte-equal to the reference on Linux hosts).

    `git_root` is the folder of the repository that holds the workspace, as a path with the same symlinks as
    `local_folder`; it is mounted whole, and the folder points into it. A root that does not hold the workspace is
    ignored. On other hosts the reference adds a consistency option that no engine has acted on for years; it is
    not written.
    """
    local_folder = _normal(local_folder)
    root = _normal(git_root) if git_root else local_folder
    if root != local_folder and not local_folder.startswith(root.rstrip("/") + "/"):
        root = local_folder
    target = posixpath.join(ROOT, posixpath.basename(root))
    folder = posixpath.normpath(posixpath.join(target, posixpath.relpath(local_folder, root)))
    return Workspace(f"type=bind,{_field('source', root)},{_field('target', target)}", folder)


def resolve(
    workspace_mount: str | None, workspace_folder: str | None, local_folder: str, git_root: str | None = None
) -> Workspace:
    """The configuration's own values where it has them (each for itself, as the reference does), else the default.

    An empty `workspaceMount` means that nothing is mounted.
    """
    wanted = default(local_folder, git_root)
    return Workspace(
        wanted.mount if workspace_mount is None else workspace_mount,
        workspace_folder or wanted.folder,
    )


def _normal(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"not an absolute path: {path!r}")
    return "/" + posixpath.normpath(path).lstrip("/")


def _field(key: str, value: str) -> str:
    """One field of a CSV line. A comma or a quote needs quoting; the reference forgets the quote."""
    field = f"{key}={value}"
    return '"' + field.replace('"', '""') + '"' if "," in field or '"' in field else field
