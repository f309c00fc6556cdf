"""Contents on their way to a place: files named by their digests, verified before anything is made of them."""

import hashlib
import os
import stat
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

CHUNK = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_MORE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_MARK = struct.Struct("<QQQqI")


def mark(info: os.stat_result) -> bytes:
    """Another one: it is another file, or somebody wrote to it. Being moved does not change it."""
    return _MARK.pack(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_mode)


def mode_of(mark: bytes) -> int:
    return stat.S_IMODE(_MARK.unpack(mark)[4])


class Stage:
    """`folder` is a descriptor that stays the caller's, of a folder that nobody else may enter; `mode` is that of new
    files. `verified` are the contents that this process has written and checked itself; `marks` are what their files
    looked like then, as far as it is known: one look less for each."""

    def __init__(self, folder: int, algorithm: str = "sha256", mode: int = 0o600) -> None:
        self.folder = folder
        self.algorithm = algorithm
        self.mode = mode
        self.verified = set()  # type: set[bytes]
        self.marks = {}  # type: dict[bytes, bytes]
        self._hash = getattr(hashlib, algorithm)

    def follow(self, before: "Stage") -> None:
        """This process has checked them, through another descriptor of the same folder."""
        self.verified, self.marks = before.verified, before.marks

    def has(self, digest: bytes) -> bool:
        return self._size(digest.hex()) >= 0

    def partly(self, digest: bytes) -> int:
        """How much of a content is there that has not come whole."""
        return max(0, self._size(digest.hex() + ".part"))

    def _size(self, name: str) -> int:
        try:
            info = os.lstat(name, dir_fd=self.folder)
        except FileNotFoundError:
            return -1
        return info.st_size if stat.S_ISREG(info.st_mode) else -1

    def keep(self, digest: bytes, data: "bytes | memoryview") -> bool:
        """A whole content at once. False: it is not what its digest says, and nothing is kept."""
        if self._hash(data).digest() != digest:
            return False
        number = os.open(digest.hex(), _NEW, self.mode, dir_fd=self.folder)
        try:
            written = os.write(number, data)
            while written < len(data):
                written += os.write(number, memoryview(data)[written:])
            self.marks[digest] = mark(os.fstat(number))
        except BaseException:
            os.close(number)
            self.drop(digest)
            raise
        os.close(number)
        self.verified.add(digest)
        return True

    def keep_all(self, digest: bytes, pieces: "Iterable[bytes]") -> bool:
        """The same in pieces. Where they end early, by an error, nothing is kept."""
        part = Part(self, digest, 0)
        try:
            for piece in pieces:
                part.write(piece)
        except BaseException:
            part.close()
            self.drop(digest)
            raise
        return part.done()

    def drop(self, digest: bytes) -> None:
        for name in (digest.hex(), digest.hex() + ".part"):
            try:
                os.unlink(name, dir_fd=self.folder)
            except OSError:
                pass
        self.verified.discard(digest)
        self.marks.pop(digest, None)


class Part:
    """A content that arrives in pieces, after the `offset` bytes that are there. What has come stays when the process
    ends. Raises OSError, and ValueError where less is there than `offset`."""

    def __init__(self, stage: Stage, digest: bytes, offset: int) -> None:
        self._stage, self._digest = stage, digest
        self._name = digest.hex() + ".part"
        self._found = hashlib.new(stage.algorithm)
        number = os.open(self._name, _MORE if offset else _NEW, stage.mode, dir_fd=stage.folder)
        self._file = open(number, "r+b" if offset else "wb")  # type: Any  # noqa: SIM115
        try:
            while offset:
                data = self._file.read(min(CHUNK, offset))
                if not data:
                    raise ValueError("less is staged than the sender was told")
                self._found.update(data)
                offset -= len(data)
            self._file.seek(0, os.SEEK_CUR)  # from reading to writing
            self._file.truncate()
        except BaseException:
            self._file.close()
            raise

    def write(self, data: "Any") -> None:
        self._found.update(data)
        self._file.write(data)

    def close(self) -> None:
        """Leaves what has come, for another time."""
        try:
            self._file.close()
        except OSError:  # what was still in the buffer: the digest tells in the end
            pass

    def done(self) -> bool:
        """Whether it is what its digest says; if not, nothing of it is kept."""
        try:
            self._file.close()
            if self._found.digest() == self._digest:
                os.rename(self._name, self._digest.hex(), src_dir_fd=self._stage.folder, dst_dir_fd=self._stage.folder)
                self._stage.verified.add(self._digest)
                return True
        except BaseException:
            self._stage.drop(self._digest)
            raise
        self._stage.drop(self._digest)
        return False
