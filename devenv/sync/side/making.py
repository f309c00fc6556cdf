"""What a step makes anew: whole in the staging folder first, of contents that were verified."""

import hashlib
import os
import stat
import time

from .folders import CHANGED, Folders, Meanwhile
from .stage import mark, mode_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Tree = tuple[Any, ...]
    Step = tuple[str, "Tree | None", "Tree | None"]

CHUNK = 1 << 20


class Making(Folders):
    """See `apply.Applier`."""

    def has(self, digest: bytes) -> bool:
        return self.contents.has(digest)

    def stage(self, digest: bytes, pieces: "Iterable[bytes]") -> bool:
        """Keeps the content for steps to come. False: it is not what its digest says, and nothing is kept."""
        return self.contents.keep_all(digest, pieces)

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
                if not self.contents.keep_all(digest, iter(lambda: file.read(CHUNK), b"")):
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

    def _written(self, digest: bytes, made: str) -> None:
        found = hashlib.new(self._algorithm)
        source = os.open(digest.hex(), os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._stage)
        with open(source, "rb") as reading:
            number = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._stage)
            with open(number, "wb") as writing:
                while True:
                    data = reading.read(CHUNK)
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
