"""The simulated kernel in the form of the module `os`."""

from __future__ import annotations

import os
from types import SimpleNamespace

from tests.unit.sync.simulator.kernel import Kernel

_SAME = {name: getattr(os, name) for name in dir(os) if name.startswith(("O_", "SEEK_"))}
_PURE = {name: getattr(os, name) for name in ("strerror", "fsencode", "fsdecode", "getpid", "sep", "fspath")}
_CALLS = (
    *("lstat", "stat", "readlink", "scandir", "listdir", "open", "close", "dup", "fstat", "read", "lseek", "write"),
    *("mkdir", "symlink", "unlink", "remove", "rmdir", "rename", "replace", "chmod", "fchmod", "utime", "fsync"),
    *("fdatasync", "statvfs", "walk", "getxattr", "setxattr"),
)


def as_os(kernel: Kernel) -> SimpleNamespace:
    """In the place of the module `os`: what is not here is not simulated, and says so."""
    path = SimpleNamespace(join=_join, isdir=kernel.isdir, relpath=os.path.relpath)
    return SimpleNamespace(
        **_SAME,
        **_PURE,
        **{name: getattr(kernel, name) for name in _CALLS},
        link=kernel.link_,
        path=path,
        urandom=_Word(),
    )


def _join(folder: str, *names: str) -> str:
    """No name of the engine's begins with a slash."""
    return "/".join((folder, *names))


class _Word:
    """A random word that the next run has as well."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(size, "big")
