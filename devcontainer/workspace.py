"""Where the project appears inside the container when the configuration does not say."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

ROOT = "/workspaces"


class Workspace(NamedTuple):
    mount: str  # value of `docker create --mount`; "" means: mount nothing
    folder: str  # working folder of tools and hooks in the container
    extra: tuple[str, ...] = ()  # further values of `--mount`


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


def worktree(local_folder: str, root: str, git_dir: str) -> Workspace:
    """As `default`, for a Git worktree: Git inside needs the repository's common folder, too.

    `root` is the worktree's root; `git_dir` is what its `.git` file says, `…/.git/worktrees/NAME`. A relative one is
    followed from below /workspaces, where everything up to the folder that both have in common is laid out as on the
    host (byte-equal to the reference). An absolute one is mounted where it says, which the reference leaves out.
    """
    root, local_folder = _normal(root), _normal(local_folder)
    common = posixpath.dirname(posixpath.dirname(posixpath.normpath(posixpath.join(root, git_dir))))
    if git_dir.startswith("/"):
        plain = default(local_folder, root)
        return plain._replace(extra=(f"type=bind,{_field('source', common)},{_field('target', common)}",))
    shared = posixpath.commonpath([root, common])
    target = posixpath.join(ROOT, posixpath.relpath(root, shared))
    there = posixpath.join(ROOT, posixpath.relpath(common, shared))
    return Workspace(
        f"type=bind,{_field('source', root)},{_field('target', target)}",
        posixpath.normpath(posixpath.join(target, posixpath.relpath(local_folder, root))),
        (f"type=bind,{_field('source', common)},{_field('target', there)}",),
    )


def resolve(
    workspace_mount: str | None,
    workspace_folder: str | None,
    local_folder: str,
    git_root: str | None = None,
    git_dir: str = "",
) -> Workspace:
    """The configuration's own values where it has them (each for itself, as the reference does), else the default.

    An empty `workspaceMount` means that nothing is mounted. `git_dir` is that of a worktree whose common folder is to
    be mounted, too; it is not beside a mount of the configuration's own.
    """
    wanted = default(local_folder, git_root)
    if git_dir and git_root and workspace_mount is None:
        wanted = worktree(local_folder, git_root, git_dir)
    return Workspace(
        wanted.mount if workspace_mount is None else workspace_mount,
        workspace_folder or wanted.folder,
        wanted.extra,
    )


def _normal(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"not an absolute path: {path!r}")
    return "/" + posixpath.normpath(path).lstrip("/")


def _field(key: str, value: str) -> str:
    """One field of a CSV line. A comma or a quote needs quoting; the reference forgets the quote."""
    field = f"{key}={value}"
    return '"' + field.replace('"', '""') + '"' if "," in field or '"' in field else field
