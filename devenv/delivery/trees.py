"""Folders of tools on the host's disk: made beside their place, readable by anyone, there whole or not at all.

All calls block (disk): use a thread.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import pathlib
import shutil
import tarfile
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def making(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """An empty folder that becomes `target` by a rename when the block ends well, else nothing.

    If `target` is there by then, because another process was faster, that one stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield work
        work.chmod(0o755)
        try:
            work.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


@functools.cache
def named(folder: pathlib.Path, prefix: str) -> tuple[pathlib.Path, str]:
    """A folder of our own Python sources, and the name that it gets in a container, which follows what is in it."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return folder, f"{prefix}{digest.hexdigest()[:12]}"


def copy_tree(source: pathlib.Path, target: pathlib.Path, *, link: bool = False) -> None:
    """Copies a tree so that anyone can read it whatever the umask: folders and programs 0755, other files 0644.

    `link` makes hard links where both lie on one file system. `target` appears whole; if it is there already, that one
    stays.
    """
    if target.exists():
        return
    with making(target) as work:
        for folder, folders, files in os.walk(source):
            folders[:] = [name for name in folders if name != "__pycache__"]
            here = work / os.path.relpath(folder, source)
            here.mkdir(exist_ok=True)
            here.chmod(0o755)
            for name in files:
                place_file(pathlib.Path(folder, name), here / name, link=link)


def place_file(source: pathlib.Path, target: pathlib.Path, *, link: bool = False, mode: int | None = None) -> None:
    """`mode`: None keeps a program executable."""
    if link:
        try:
            target.hardlink_to(source)
            return
        except OSError:
            pass  # another file system, or a file system without links
    shutil.copyfile(source, target)
    target.chmod(_mode(source) if mode is None else mode)


def _mode(path: pathlib.Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def tar_of(tree: pathlib.Path) -> bytes:
    """The tree as tar bytes: no owners, no times, folders and programs 0755, other files 0644."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(tree.rglob("*")):
            if "__pycache__" in path.parts:
                continue
            entry = tarfile.TarInfo(path.relative_to(tree).as_posix())
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                entry.size, entry.mode = path.stat().st_size, _mode(path)
                with path.open("rb") as file:
                    archive.addfile(entry, file)
    return buffer.getvalue()
