"""Where a project keeps its dev container configurations. The one file of this package that looks at a disk."""

from __future__ import annotations

import pathlib

NAME = "devcontainer.json"
FOLDER = ".devcontainer"


def find(root: str | pathlib.Path) -> list[pathlib.Path]:
    """Every configuration of a project folder, the one to use by default first.

    Order: `.devcontainer/devcontainer.json`, `.devcontainer.json`, then `.devcontainer/<folder>/devcontainer.json`
    by folder name (Dev Container spec, *devcontainer.json*: exactly one level). Symlinks are followed but not
    resolved, because the path becomes an identity label. A folder that cannot be read counts as empty.
    """
    root = pathlib.Path(root)
    folder = root / FOLDER
    found = [path for path in (folder / NAME, root / f".{NAME}") if _is_file(path)]
    try:
        children = sorted(folder.iterdir(), key=lambda child: child.name)
    except OSError:
        children = []
    return found + [child / NAME for child in children if _is_file(child / NAME)]


def default(root: pathlib.Path, found: list[pathlib.Path]) -> pathlib.Path | None:
    """Of what `find` gave, the one that is used when nobody chooses: None when there is none, or several in folders."""
    if found and (len(found) == 1 or found[0] in (root / FOLDER / NAME, root / f".{NAME}")):
        return found[0]
    return None


def _is_file(path: pathlib.Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
