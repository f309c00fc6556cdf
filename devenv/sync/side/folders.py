"""The folders in which one side's steps are made, held open and reached without following a link."""

import errno
import os

from .stage import Stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Tree = tuple[Any, ...]

OWN = ".devenv"
"""The folder below the root that holds what is ours. It is never synchronised."""

CHANGED = "it was changed meanwhile"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Meanwhile(Exception):
    """Something else is there than was seen."""


class Folders:
    """See `apply.Applier`."""

    def __init__(
        self,
        root: str,
        seen: "Callable[..., tuple[int, ...] | None]",
        algorithm: str = "sha256",
        umask: int = 0o022,
        told: "Callable[[str, os.stat_result, bytes], None] | None" = None,
        vouched: "Callable[[str], bool]" = lambda path: True,
    ) -> None:
        self._seen = seen
        self._vouched = vouched
        self._told = told
        self._algorithm = algorithm
        self._umask = umask
        self._root = self._own = self._stage = self._trash = -1
        self._count = 0
        self._each = False  # few steps: each is made durable alone, and nobody else's writes are waited for
        self._theirs = ""  # the name in the staging folder that holds what was at a path, for a moment
        self._folder = ("", -1)  # the last one that something was done in: many steps follow each other in one
        self.weak = False
        """This file system cannot exchange names: what is written between look and move then is in the trash."""
        try:
            self._root = os.open(root, _FOLDER)
            self._own = self._made(self._root, OWN, 0o700)
            self._stage = self._made(self._own, "stage", 0o700)
        except BaseException:
            self.__exit__()
            raise
        self.contents = Stage(self._stage, algorithm, 0o666 & ~umask)

    def __exit__(self, *_: "Any") -> None:
        self._leave()
        for number in (self._trash, self._stage, self._own, self._root):
            if number >= 0:
                os.close(number)
        self._root = self._own = self._stage = self._trash = -1

    @staticmethod
    def _made(folder: int, name: str, mode: int) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=folder)
        except FileNotFoundError:
            pass
        try:
            os.mkdir(name, mode, dir_fd=folder)
        except FileExistsError:
            pass
        return os.open(name, _FOLDER, dir_fd=folder)

    def _unlink(self, name: str) -> None:
        if not name or name == self._theirs:
            return
        try:
            os.unlink(name, dir_fd=self._stage)
        except OSError:
            pass

    def _settled(self, folder: int) -> None:
        """Its names are durable. Many steps are made so together, in the end."""
        if self._each:
            os.fsync(folder)

    def _place(self, path: str) -> "tuple[int, str]":
        above, _, name = path.rpartition("/")
        if self._folder[1] < 0 or self._folder[0] != above:
            self._leave()
            self._folder = (above, self._parent(path)[0])
        elif name in ("", ".", "..") or "\0" in name or (not above and name == OWN):
            raise OSError(0, "it is no path to synchronise")
        return self._folder[1], name

    def _leave(self) -> None:
        if self._folder[1] >= 0:
            os.close(self._folder[1])
            self._folder = ("", -1)

    def _parent(self, path: str) -> "tuple[int, str]":
        """The folder of a path, reached without following a link."""
        names = path.split("/")
        if names[0] == OWN or any(part in ("", ".", "..") or "\0" in part for part in names):
            raise OSError(0, "it is no path to synchronise")
        folder = os.dup(self._root)
        try:
            for part in names[:-1]:
                below = os.open(part, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = below
        except OSError as error:
            os.close(folder)
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
                raise Meanwhile() from error
            raise
        return folder, names[-1]

    def _unused(self, what: str) -> str:
        """A name in the staging folder. Another process that had the same number may have left something there."""
        while True:
            self._count += 1
            name = "%s-%d-%d" % (what, os.getpid(), self._count)
            try:
                os.lstat(name, dir_fd=self._stage)
            except FileNotFoundError:
                return name
