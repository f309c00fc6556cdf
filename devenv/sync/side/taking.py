"""What a step takes from its place: only what was seen there, looked at once more when it is taken, and then in the
trash."""

import errno
import hashlib
import os
import stat

from . import renaming
from .folders import Folders, Meanwhile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Tree = tuple[Any, ...]
    Step = tuple[str, "Tree | None", "Tree | None"]

MOVING = ("made-", "gone-")
"""How names in the staging folder begin that hold somebody's file for a moment."""

CHUNK = 1 << 20


class Taking(Folders):
    """See `apply.Applier`."""

    def clear(self) -> None:
        """What was staged and is not needed any more."""
        self.recover()
        for name in os.listdir(self._stage):
            self._unlink(name)

    def recover(self) -> None:
        """What a crash left between two moves may be somebody's only copy, and goes to the trash."""
        for name in os.listdir(self._stage):
            if name.startswith(MOVING):
                trash = self._made(self._own, "trash", 0o700)
                try:
                    self._trash = self._made(trash, "recovered", 0o700)
                    self._away(self._stage, name, name)
                finally:
                    os.close(trash)
                    if self._trash >= 0:
                        os.close(self._trash)
                    self._trash = -1

    def _expected(self, folder: int, name: str, path: str, before: "Tree") -> os.stat_result:
        """What is there, if it is what was seen."""
        try:
            info = os.lstat(name, dir_fd=folder)
        except FileNotFoundError:
            raise Meanwhile() from None
        if before[0] == "l":
            if not stat.S_ISLNK(info.st_mode) or os.readlink(name, dir_fd=folder) != before[1]:
                raise Meanwhile()
            return info
        if not stat.S_ISREG(info.st_mode):
            raise Meanwhile()
        if bool(info.st_mode & stat.S_IXUSR) is not before[2]:
            raise Meanwhile()
        seen = self._seen(path, before[1])
        now = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        if seen is None or tuple(seen) != now:
            raise Meanwhile()
        return info

    def _replace(self, folder: int, name: str, path: str, before: "Tree", made: str) -> None:
        info = self._expected(folder, name, path, before)
        ours = os.lstat(made, dir_fd=self._stage)
        self._theirs = made  # from the exchange on; a crash in between is `recover`'s
        try:
            renaming.exchange(self._stage, made, folder, name)
        except renaming.Unsupported:
            self._theirs = ""
            self.weak = True
            self._delete(folder, name, path, before)
            try:
                renaming.move(self._stage, made, folder, name)
            finally:
                self._settled(folder)
            return
        except OSError as error:
            self._theirs = ""
            if error.errno == errno.ENOENT:
                raise Meanwhile() from None
            raise
        try:
            if not self._unwritten((self._stage, made), path, before, info):
                raise Meanwhile()
            self._away(self._stage, made, path, lambda at: self._unwritten(at, path, before, info))
        except (Meanwhile, OSError):
            try:
                renaming.exchange(self._stage, made, folder, name)
                if not self._is(self._stage, made, ours, mode=False):
                    # Somebody wrote into ours, or in its place, in that moment: that is the newest. Another mode of
                    # ours is nothing for which a content may go.
                    renaming.exchange(self._stage, made, folder, name)
                    self._away(self._stage, made, path)
                self._theirs = ""
            finally:
                self._settled(folder)
            raise
        self._theirs = ""

    def _mode(self, folder: int, name: str, path: str, step: "Step") -> None:
        _, before, after = step
        assert before is not None and after is not None
        self._expected(folder, name, path, before)
        number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            mode = stat.S_IMODE(os.fstat(number).st_mode)
            os.fchmod(number, (mode | (mode & 0o444) >> 2) if after[2] else mode & ~0o111)
            if self._each:
                os.fsync(number)
        finally:
            os.close(number)

    def _delete(self, folder: int, name: str, path: str, before: "Tree | None") -> None:
        assert before is not None
        if before[0] == "d":
            try:
                os.rmdir(name, dir_fd=folder)
            except FileNotFoundError:
                pass  # as wanted
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise Meanwhile() from error
                raise
            return
        info = self._expected(folder, name, path, before)
        gone = self._unused("gone")
        renaming.take(folder, name, self._stage, gone)
        try:
            if not self._unwritten((self._stage, gone), path, before, info):
                raise Meanwhile()
            self._away(self._stage, gone, path, lambda at: self._unwritten(at, path, before, info))
        except (Meanwhile, OSError):
            try:
                renaming.move(self._stage, gone, folder, name)
            finally:
                self._settled(folder)
            raise

    def _unwritten(self, at: "tuple[int, str]", path: str, before: "Tree", info: os.stat_result) -> bool:
        """Whether what was taken from the path is what was looked at. A file so new that a second write can have left
        its time as it was is read once more."""
        folder, name = at
        if not self._is(folder, name, info):
            return False
        if before[0] != "f" or self._vouched(path):
            return True
        found = hashlib.new(self._algorithm)
        number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with open(number, "rb", buffering=0) as file:
            for data in iter(lambda: file.read(CHUNK), b""):
                found.update(data)
        return bool(found.digest() == before[1])

    @classmethod
    def _is(cls, folder: int, name: str, info: os.stat_result, mode: bool = True) -> bool:
        now = os.lstat(name, dir_fd=folder)
        return cls._same(now, info) and (not mode or now.st_mode == info.st_mode)

    @staticmethod
    def _same(now: os.stat_result, info: os.stat_result) -> bool:
        """Whether it is the file that was looked at, unwritten since. Being moved changes its ctime."""
        return (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) == (
            info.st_dev,
            info.st_ino,
            info.st_size,
            info.st_mtime_ns,
        )

    def _away(
        self, folder: int, name: str, path: str, unwritten: "Callable[[tuple[int, str]], bool] | None" = None
    ) -> None:
        """Into the trash, under its own path. Who has it open still may write until then: where it is not `unwritten`
        there, it is taken out again. Raises Meanwhile."""
        names = path.split("/")
        there = os.dup(self._trash)
        try:
            for part in names[:-1]:
                below = self._made(there, part, 0o700)
                os.close(there)
                there = below
            number = 0
            while True:
                to = names[-1] if number == 0 else "%s.%d" % (names[-1], number)
                try:
                    renaming.take(folder, name, there, to)
                    break
                except FileExistsError:
                    number += 1
            if unwritten is not None and not unwritten((there, to)):
                renaming.take(there, to, folder, name)
                raise Meanwhile()
        finally:
            os.close(there)
