"""A dict becomes a project folder on disk."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.kit.users import User

Content = str | bytes | Mapping[str, Any] | list[Any]


def write_project(root: Path, files: Mapping[str, Content], *, owner: User | None = None, git: bool = False) -> Path:
    """Writes `files` (relative path -> content) under `root` and returns it.

    A mapping or list becomes JSON when the path ends in `.json`; a mapping otherwise is a sub-folder; an empty
    mapping is an empty folder. A file whose content starts with `#!` is made executable. With `owner`, everything
    belongs to that user, as if the user had made it.
    """
    root.mkdir(parents=True, exist_ok=True)
    _write(root, files)
    if git:
        subprocess.run(["git", "-c", "init.defaultBranch=main", "init", "--quiet", str(root)], check=True)
    if owner is not None:
        give_to(root, owner)
    return root


def give_to(root: Path, owner: User) -> None:
    """Makes `owner` the owner of everything under `root`, links themselves included."""
    os.chown(root, owner.uid, owner.gid)
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            os.chown(Path(folder, name), owner.uid, owner.gid, follow_symlinks=False)


def devcontainer(image: str, **properties: Any) -> dict[str, Content]:
    """The files of a project whose dev container is `image`, with further properties of `devcontainer.json`."""
    return {".devcontainer/devcontainer.json": {"image": image, **properties}}


def _write(folder: Path, files: Mapping[str, Content]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json" and isinstance(content, Mapping | list):
            path.write_text(json.dumps(content, indent=2) + "\n")
        elif isinstance(content, Mapping):
            path.mkdir(exist_ok=True)
            _write(path, content)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(str(content))
        if path.is_file() and path.read_bytes()[:2] == b"#!":
            path.chmod(0o755)
