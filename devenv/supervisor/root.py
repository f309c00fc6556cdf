"""Which project a client means: the nearest folder upwards that says it is one."""

from __future__ import annotations

import os

_MARKS = (".devcontainer/devcontainer.json", ".devcontainer.json", "devenv.yaml")


def project_root(cwd: str, known: set[str]) -> str:
    """The nearest ancestor of `cwd` (or itself) with a configuration or an environment of ours; else the Git root;
    else `cwd`. `known`: project folders that have an environment. Symbolic links in `cwd` stay as they were typed."""
    git = ""
    folder = os.path.normpath(cwd)
    while True:
        if folder in known or any(os.path.isfile(os.path.join(folder, mark)) for mark in _MARKS):
            return folder
        if _has_subfolder_config(folder):
            return folder
        if not git and os.path.exists(os.path.join(folder, ".git")):
            git = folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return git or os.path.normpath(cwd)
        folder = parent


def _has_subfolder_config(folder: str) -> bool:
    try:
        with os.scandir(os.path.join(folder, ".devcontainer")) as entries:
            return any(
                entry.is_dir() and os.path.isfile(os.path.join(entry.path, "devcontainer.json")) for entry in entries
            )
    except OSError:
        return False
