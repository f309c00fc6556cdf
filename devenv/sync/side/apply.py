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
import time

from . import renaming
from .stage import Stage, mark, mode_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Tree = tuple[Any, ...]
    Step = tuple[str, "Tree | None", "Tree | None"]

OWN = ".devenv"
"""The folder below the root that holds what is ours. It is never synchronised."""

MOVING = ("made-", "gone-")
"""How names in the staging folder begin that hold somebody's file for a moment."""

CHANGED = "it was changed meanwhile"
NOT_THERE = "its content is not there any more"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_FEW = 8


class Meanwhile(Exception):
    """Something else is there than was seen."""


def _said(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error.strerror)


class Applier:
    """`seen(path)` is what the last scan found of a file: (device, inode, size, mtime, ctime) in nanoseconds, or None;
    `told(path, info, digest)` hears of files that were made; `vouched(path)` says whether the key alone is proof of the
    content. Use with `with`. Raises OSError when the root cannot be opened."""

    def __init__(
        self,
        root: str,
        seen: "Callable[[str], tuple[int, ...] | None]",
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

    def __enter__(self) -> "Applier":
        return self

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

    # contents

    def has(self, digest: bytes) -> bool:
        return self.contents.has(digest)

    def stage(self, digest: bytes, pieces: "Iterable[bytes]") -> bool:
        """Keeps the content for steps to come. False: it is not what its digest says, and nothing is kept."""
        return self.contents.keep_all(digest, pieces)

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
        made = {}  # type: dict[int, tuple[str, bytes]]
        results = [""] * len(steps)
        uses = {}  # type: dict[bytes, int]
        leaving = {}  # type: dict[bytes, str]
        for step in steps:
            path, before, after = step
            if after is not None and after[0] == "f" and not self._mode_alone(step):
                uses[after[1]] = uses.get(after[1], 0) + 1
            elif after is None and before is not None and before[0] == "f":
                leaving[before[1]] = path
        for at, step in enumerate(steps):
            after = step[2]
            if after is not None and after[0] in ("f", "l") and not self._mode_alone(step):
                try:
                    if after[0] == "f" and after[1] in leaving and not self.contents.has(after[1]):
                        self._copy(after[1], leaving[after[1]])
                    made[at] = self._make(step, after[0] == "f" and uses[after[1]] == 1)
                except FileNotFoundError:
                    results[at] = NOT_THERE
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
                    self._step(step, *made.pop(at, ("", b"")))
                except Meanwhile:
                    results[at] = CHANGED
                except OSError as error:
                    results[at] = _said(error)
            if not self._each:
                renaming.flush(self._root)
        finally:
            self._leave()
            for name, _ in made.values():
                self._unlink(name)
            os.close(trash)
            os.close(self._trash)
            self._trash = -1
        return results

    @staticmethod
    def _mode_alone(step: "Step") -> bool:
        _, before, after = step
        return before is not None and after is not None and before[0] == after[0] == "f" and before[1] == after[1]

    def _step(self, step: "Step", made: str, looks: bytes) -> None:
        path, before, after = step
        try:
            folder, name = self._place(path)
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
            self._settled(folder)
            if before is None:
                made = ""  # it has another name now
            if looks and after is not None:
                self._tell(folder, name, path, looks, after[1])
        except FileExistsError:
            raise Meanwhile() from None
        finally:
            if after is None and before is not None and before[0] == "d":
                self._leave()
            self._unlink(made)

    def _settled(self, folder: int) -> None:
        """Its names are durable. Many steps are made so together, in the end."""
        if self._each:
            os.fsync(folder)

    def _tell(self, folder: int, name: str, path: str, looks: bytes, digest: bytes) -> None:
        """Nobody has to read what was written here, if it is still that."""
        if self._told is None:
            return
        try:
            now = os.lstat(name, dir_fd=folder)
            if mark(now) == looks:
                self._told(path, now, digest)
        except OSError:
            pass  # gone again: the next scan tells

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

    def _create_folder(self, folder: int, name: str) -> None:
        try:
            os.mkdir(name, 0o777 & ~self._umask, dir_fd=folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
                raise

    def _copy(self, digest: bytes, path: str) -> None:
        """A content that leaves one place for another is at hand."""
        try:
            folder, name = self._parent(path)
        except Meanwhile:
            raise OSError(0, CHANGED) from None
        try:
            number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            with open(number, "rb", buffering=0) as file:
                if not self.contents.keep_all(digest, iter(lambda: file.read(_CHUNK), b"")):
                    raise OSError(0, CHANGED)
        finally:
            os.close(folder)

    def _make(self, step: "Step", alone: bool) -> "tuple[str, bytes]":
        """A new file or link in the staging folder, under a name of its own, and what a file looks like there. Where it
        replaces a file, its time is now, and of another second if the size is the same: that is how bytecode and make
        know old from new.

        `alone`: no other step needs the content, so that one which was verified here is moved and not copied.
        """
        path, before, after = step
        assert after is not None
        verified = after[0] == "f" and alone and after[1] in self.contents.verified
        # Where it takes nobody's place it stays under its digest until it is moved: it is no one's only copy.
        made = after[1].hex() if verified and before is None else self._unused("made")
        if after[0] == "l":
            os.symlink(after[1], made, dir_fd=self._stage)
            return made, b""
        try:
            looks = b""
            if verified:
                self.contents.verified.discard(after[1])
                looks = self.contents.marks.pop(after[1], b"")
                if before is not None:
                    os.rename(after[1].hex(), made, src_dir_fd=self._stage, dst_dir_fd=self._stage)
            else:
                self._written(after[1], made)
            looks = looks or mark(os.lstat(made, dir_fd=self._stage))
            mode = (0o777 if after[2] else 0o666) & ~self._umask
            is_new = before is None and mode_of(looks) == mode
            if mode_of(looks) != mode:
                os.chmod(made, mode, dir_fd=self._stage)
            if before is not None:
                self._now(made, self._seen(path))
            if not is_new:
                looks = mark(os.lstat(made, dir_fd=self._stage))
            if self._each:
                self._durable(made)
        except BaseException:
            self._unlink(made)
            raise
        return made, looks

    def _unused(self, what: str) -> str:
        """A name in the staging folder. Another process that had the same number may have left something there."""
        while True:
            self._count += 1
            name = "%s-%d-%d" % (what, os.getpid(), self._count)
            try:
                os.lstat(name, dir_fd=self._stage)
            except FileNotFoundError:
                return name

    def _written(self, digest: bytes, made: str) -> None:
        found = hashlib.new(self._algorithm)
        source = os.open(digest.hex(), os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._stage)
        with open(source, "rb") as reading:
            number = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._stage)
            with open(number, "wb") as writing:
                while True:
                    data = reading.read(_CHUNK)
                    if not data:
                        break
                    found.update(data)
                    writing.write(data)
        if found.digest() != digest:
            self.contents.drop(digest)
            raise OSError(0, "what was staged is not what it was")

    def _now(self, made: str, replaces: "tuple[int, ...] | None") -> None:
        now = int(time.time() * 1e9)
        size = os.lstat(made, dir_fd=self._stage).st_size
        if replaces is not None and (size, now // 10**9) == (replaces[2], replaces[3] // 10**9):
            now = (now // 10**9 + 1) * 10**9
        os.utime(made, ns=(now, now), dir_fd=self._stage)

    def _durable(self, made: str) -> None:
        number = os.open(made, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._stage)
        try:
            os.fsync(number)
        finally:
            os.close(number)

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
                if not self._is(self._stage, made, ours):
                    # Somebody wrote into ours, or in its place, in that moment: that is the newest.
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
            for data in iter(lambda: file.read(_CHUNK), b""):
                found.update(data)
        return bool(found.digest() == before[1])

    @classmethod
    def _is(cls, folder: int, name: str, info: os.stat_result) -> bool:
        return cls._same(os.lstat(name, dir_fd=folder), info)

    @staticmethod
    def _same(now: os.stat_result, info: os.stat_result) -> bool:
        """Whether it is the file that was looked at, unwritten since. Being moved changes its ctime."""
        return (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_mode) == (
            info.st_dev,
            info.st_ino,
            info.st_size,
            info.st_mtime_ns,
            info.st_mode,
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
