"""A local feature's folder as a list of files: what is copied into a build, and what its digest is made of.

Links are followed and stand for what they lead to, as long as that lies inside the project's `.devcontainer` folder.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import stat
from collections.abc import Iterator
from typing import NamedTuple

from devenv.errors import FeatureError

FOLDER = ".devcontainer"


class File(NamedTuple):
    path: str  # relative to the feature's folder, "/" between
    source: pathlib.Path
    executable: bool


def boundary(folder: pathlib.Path) -> pathlib.Path:
    """The `.devcontainer` folder in which a local feature lies, symlinks resolved; its own folder without one."""
    for above in folder.parents:
        if above.name == FOLDER:
            return pathlib.Path(os.path.realpath(above))
    return pathlib.Path(os.path.realpath(folder))


def files(folder: pathlib.Path, what: str) -> list[File]:
    """Every file below a folder, sorted by path. Raises FeatureError for what cannot be part of a build."""
    return sorted(_walk(folder, "", boundary(folder), (), what))


def _walk(folder: pathlib.Path, prefix: str, root: pathlib.Path, above: tuple[str, ...], what: str) -> Iterator[File]:
    real = os.path.realpath(folder)
    if real in above:
        raise _refused(what, f"{prefix or folder.name} is a link to a folder above itself")
    try:
        found = sorted(folder.iterdir(), key=lambda one: one.name)
    except OSError as error:
        raise _refused(what, f"{folder} cannot be read: {error.strerror}") from error
    for source in found:
        path = f"{prefix}{source.name}"
        inside = pathlib.Path(os.path.realpath(source))
        if inside != root and root not in inside.parents:
            raise _refused(what, f"{path} is a link to {inside}, outside of {root}")
        try:
            mode = source.stat().st_mode
        except OSError as error:
            raise _refused(what, f"{path} cannot be read: {error.strerror}") from error
        if stat.S_ISDIR(mode):
            yield from _walk(source, f"{path}/", root, (*above, real), what)
        elif stat.S_ISREG(mode):
            yield File(path, source, bool(mode & 0o100))
        else:
            raise _refused(what, f"{path} is neither a file nor a folder")


def copy(folder: pathlib.Path, target: pathlib.Path, what: str) -> list[str]:
    """Copies into `target`, which must be new or empty; the paths. Files are 0644 or 0755, folders 0755."""
    target.mkdir(parents=True, exist_ok=True)
    found = files(folder, what)
    for file in found:
        place = target / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(file.source, place)
        except OSError as error:
            raise _refused(what, f"{file.path} cannot be copied: {error.strerror}") from error
        place.chmod(0o755 if file.executable else 0o644)
    for below, _, _ in os.walk(target):
        pathlib.Path(below).chmod(0o755)
    return [file.path for file in found]


def digest(folder: pathlib.Path, what: str) -> str:
    """Of names, modes and bytes: equal for two folders from which the same image is built."""
    running = hashlib.sha256()
    for file in files(folder, what):
        try:
            content = hashlib.sha256(file.source.read_bytes()).digest()
        except OSError as error:
            raise _refused(what, f"{file.path} cannot be read: {error.strerror}") from error
        name = file.path.encode("utf-8", "surrogateescape")
        running.update(b"%d:%b:%d:%b" % (len(name), name, file.executable, content))
    return f"sha256:{running.hexdigest()}"


def _refused(what: str, why: str) -> FeatureError:
    return FeatureError(f"{what!r} cannot be used: {why}", "", details={"feature": what})
