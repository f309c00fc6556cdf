"""Steps made on one side, each only where it finds what it expects. Nothing is overwritten and nothing deleted that
was not seen before: old contents change places with new ones in one move, are looked at once more, and go to the
trash.

Contents are staged first, by their digest, and verified. The order is: contents durable, names changed, folders
durable; then whoever called may remember what both sides agree on.
"""

import errno
import hashlib
import os
import stat

from . import renaming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Tree = tuple[Any, ...]
    Step = tuple[str, "Tree | None", "Tree | None"]

OWN = ".devenv"
"""The folder below the root that holds what is ours. It is never synchronised."""

CHANGED = "it was changed meanwhile"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_FEW = 8


class Meanwhile(Exception):
    """Something else is there than was seen."""


def _said(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error.strerror)


class Applier:
    """`seen(path)` is what the last scan found of a file: (device, inode, size, mtime, ctime) in nanoseconds, or None.
    Use with `with`. Raises OSError when the root cannot be opened."""

    def __init__(
        self, root: str, seen: "Callable[[str], tuple[int, ...] | None]", algorithm: str = "sha256", umask: int = 0o022
    ) -> None:
        self._seen = seen
        self._algorithm = algorithm
        self._umask = umask
        self._root = os.open(root, _FOLDER)
        self._own = self._made(self._root, OWN, 0o700)
        self._stage = self._made(self._own, "stage", 0o700)
        self._trash = -1
        self._count = 0
        self._each = False  # few steps: each is made durable alone, and nobody else's writes are waited for
        self._theirs = ""  # the name in the staging folder that holds what was at a path, for a moment
        self.weak = False
        """This file system cannot exchange names: what is written between look and move then is in the trash."""

    def __enter__(self) -> "Applier":
        return self

    def __exit__(self, *_: "Any") -> None:
        for number in (self._trash, self._stage, self._own, self._root):
            if number >= 0:
                os.close(number)

    @staticmethod
    def _made(folder: int, name: str, mode: int) -> int:
        try:
            os.mkdir(name, mode, dir_fd=folder)
        except FileExistsError:
            pass
        return os.open(name, _FOLDER, dir_fd=folder)

    # contents

    def has(self, digest: bytes) -> bool:
        try:
            return stat.S_ISREG(os.lstat(digest.hex(), dir_fd=self._stage).st_mode)
        except FileNotFoundError:
            return False

    def stage(self, digest: bytes, pieces: "Iterable[bytes]") -> bool:
        """Keeps the content for steps to come. False: it is not what its digest says, and nothing is kept."""
        part = digest.hex() + ".part"
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600, dir_fd=self._stage)
        found = hashlib.new(self._algorithm)
        try:
            with open(number, "wb") as file:
                for piece in pieces:
                    found.update(piece)
                    file.write(piece)
            if found.digest() != digest:
                os.unlink(part, dir_fd=self._stage)
                return False
            os.rename(part, digest.hex(), src_dir_fd=self._stage, dst_dir_fd=self._stage)
        except BaseException:
            self._unlink(part)
            raise
        return True

    def clear(self) -> None:
        """What was staged and is not needed any more. What a crash left there between two moves may be somebody's only
        copy, and goes to the trash."""
        for name in os.listdir(self._stage):
            if name.startswith(("made-", "gone-")):
                trash = self._made(self._own, "trash", 0o700)
                self._trash = self._made(trash, "recovered", 0o700)
                self._away(self._stage, name, name)
                os.close(trash)
                os.close(self._trash)
                self._trash = -1
            else:
                self._unlink(name)

    def _unlink(self, name: str) -> None:
        if not name or name == self._theirs:
            return
        try:
            os.unlink(name, dir_fd=self._stage)
        except OSError:
            pass

    # steps

    def apply(self, steps: "Iterable[Step]", cycle: str) -> "list[str]":
        """For each step "" where it is done, else why it is not; nothing is half done. `cycle` names the part of the
        trash that takes what goes."""
        steps = list(steps)
        self._each = len(steps) <= _FEW
        made = {}  # type: dict[int, str]
        results = [""] * len(steps)
        for at, (path, _, after) in enumerate(steps):
            if after is not None and after[0] in ("f", "l") and not self._mode_alone(steps[at]):
                try:
                    made[at] = self._make(after, self._seen(path))
                except OSError as error:
                    results[at] = _said(error)
        if not self._each:
            renaming.flush(self._stage)
        trash = self._made(self._own, "trash", 0o700)
        try:
            self._trash = self._made(trash, cycle, 0o700)
            for at, step in enumerate(steps):
                if results[at]:
                    continue
                try:
                    self._step(step, made.pop(at, ""))
                except Meanwhile:
                    results[at] = CHANGED
                except OSError as error:
                    results[at] = _said(error)
            if not self._each:
                renaming.flush(self._root)
        finally:
            for name in made.values():
                self._unlink(name)
            os.close(trash)
            os.close(self._trash)
            self._trash = -1
        return results

    @staticmethod
    def _mode_alone(step: "Step") -> bool:
        _, before, after = step
        return before is not None and after is not None and before[0] == after[0] == "f" and before[1] == after[1]

    def _step(self, step: "Step", made: str) -> None:
        path, before, after = step
        folder = -1
        try:
            folder, name = self._parent(path)
            if self._mode_alone(step):
                self._mode(folder, name, path, step)
            elif after is None:
                self._delete(folder, name, path, before)
            elif after[0] == "d":
                self._create_folder(folder, name)
            elif before is None:
                renaming.move(self._stage, made, folder, name)
            else:
                self._replace(folder, name, path, before, made)
            if self._each:
                os.fsync(folder)
        except FileExistsError:
            raise Meanwhile() from None
        finally:
            if folder >= 0:
                os.close(folder)
            self._unlink(made)

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

    def _create_folder(self, folder: int, name: str) -> None:
        try:
            os.mkdir(name, 0o777 & ~self._umask, dir_fd=folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
                raise

    def _make(self, after: "Tree", replaces: "tuple[int, ...] | None") -> str:
        """A new file or link in the staging folder, under a name of its own. Its time is now; where the file that it
        replaces has the same size, it is of another second: that is how bytecode and make know old from new."""
        self._count += 1
        made = "made-%d-%d" % (os.getpid(), self._count)
        self._unlink(made)
        if after[0] == "l":
            os.symlink(after[1], made, dir_fd=self._stage)
            return made
        digest = after[1]
        found = hashlib.new(self._algorithm)
        source = os.open(digest.hex(), os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._stage)
        mode = (0o777 if after[2] else 0o666) & ~self._umask
        try:
            number = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._stage)
            with open(source, "rb", closefd=False) as reading, open(number, "wb") as writing:
                while True:
                    data = reading.read(_CHUNK)
                    if not data:
                        break
                    found.update(data)
                    writing.write(data)
                writing.flush()
                os.fchmod(number, mode)
                info = os.fstat(number)
                second = info.st_mtime_ns // 10**9
                if replaces is not None and (info.st_size, second) == (replaces[2], replaces[3] // 10**9):
                    os.utime(number, ns=(info.st_atime_ns, (second + 1) * 10**9))
                if self._each:
                    os.fsync(number)
            if found.digest() != digest:
                raise OSError(0, "what was staged is not what it was")
        except BaseException:
            self._unlink(made)
            raise
        finally:
            os.close(source)
        return made

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
        seen = self._seen(path)
        now = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        if seen is None or tuple(seen) != now:
            raise Meanwhile()
        return info

    def _replace(self, folder: int, name: str, path: str, before: "Tree", made: str) -> None:
        info = self._expected(folder, name, path, before)
        self._theirs = made  # from the exchange on; a crash in between is `clear`'s
        try:
            renaming.exchange(self._stage, made, folder, name)
        except renaming.Unsupported:
            self._theirs = ""
            self.weak = True
            self._delete(folder, name, path, before)
            renaming.move(self._stage, made, folder, name)
            return
        except OSError as error:
            self._theirs = ""
            if error.errno == errno.ENOENT:
                raise Meanwhile() from None
            raise
        try:
            if not self._is(self._stage, made, info):
                raise Meanwhile()
            self._away(self._stage, made, path)
        except (Meanwhile, OSError):
            renaming.exchange(self._stage, made, folder, name)
            self._theirs = ""
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
        self._count += 1
        gone = "gone-%d-%d" % (os.getpid(), self._count)
        renaming.move(folder, name, self._stage, gone)
        try:
            if not self._is(self._stage, gone, info):
                raise Meanwhile()
            self._away(self._stage, gone, path)
        except (Meanwhile, OSError):
            renaming.move(self._stage, gone, folder, name)
            raise

    @staticmethod
    def _is(folder: int, name: str, info: os.stat_result) -> bool:
        """Whether it is the file that was looked at, unwritten since. Being moved changes its ctime."""
        now = os.lstat(name, dir_fd=folder)
        return (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_mode) == (
            info.st_dev,
            info.st_ino,
            info.st_size,
            info.st_mtime_ns,
            info.st_mode,
        )

    def _away(self, folder: int, name: str, path: str) -> None:
        """Into the trash, under its own path."""
        names = path.split("/")
        there = os.dup(self._trash)
        try:
            for part in names[:-1]:
                below = self._made(there, part, 0o700)
                os.close(there)
                there = below
            number = 0
            while True:
                try:
                    renaming.move(folder, name, there, names[-1] if number == 0 else "%s.%d" % (names[-1], number))
                    return
                except FileExistsError:
                    number += 1
        finally:
            os.close(there)
