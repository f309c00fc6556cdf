"""What is below a root now. Contents are read only where nothing vouches for what is known of them.

A digest that is remembered counts while (device, inode, size, mtime, ctime) are the same, and only if neither time is
so new, at the time of reading, that a second write could have left it as it was (the rule that Git calls racy).
"""

import errno
import hashlib
import os
import stat
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    Tree = tuple[Any, ...]
    Key = tuple[int, int, int, int, int]

CHUNK = 1 << 20
GRANULARITY = 10_000_000  # nanoseconds, at least; a file system that rounds more says so by its own probe
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_UNTRACKED = ("u",)  # type: Tree
_EXECUTABLE = stat.S_IXUSR
_KEY = struct.Struct("<QQQqq")
_RECORD = struct.Struct("<QQQqqq")
_NO_RECORDS = {}  # type: dict[str, bytes]
RECORD = _RECORD.size
DEEPEST = 250


class Unstable(Exception):
    """It changed while it was read."""


def pack_record(key: "Key", at: int, digest: bytes) -> bytes:
    return _RECORD.pack(*(key + (at,))) + digest


def _key(info: os.stat_result) -> "Key":
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _same(old: "dict[str, Tree]", new: "dict[str, Tree]") -> bool:
    """Every child the same object: comparing whole subtrees again at each level would take long."""
    return len(old) == len(new) and all(old.get(name) is child for name, child in new.items())


class Scanner:
    """Remembers digests from one scan to the next. `ignored(path, is_folder)` is asked once for each path, and not for
    what lies below an ignored folder; `too_big(path, size)` for each file; `entered(path, full)` hears of each folder
    before it is listed. Paths are relative to the root, with `/`."""

    def __init__(
        self,
        root: str,
        ignored: "Callable[[str, bool], bool]",
        algorithm: str = "sha256",
        granularity: int = GRANULARITY,
        too_big: "Callable[[str, int], bool] | None" = None,
        entered: "Callable[[str, str], None] | None" = None,
    ) -> None:
        self.root = root
        self.ignored = ignored
        self.too_big = too_big
        self.entered = entered
        self.known = {}  # type: dict[str, dict[str, bytes]]
        """Folder -> name -> what vouches for a file, when that was, and its digest (`pack_record`)."""
        self.fresh = set()  # type: set[str]
        """Folders that came to be since the last scan: what is known of such a path was another folder's."""
        self._algorithm = algorithm
        self._granularity = granularity
        self._seen = {}  # type: dict[str, dict[str, bytes]]
        self._before = {}  # type: dict[str, dict[str, bytes]]
        self._device = 0
        self._dirty = None  # type: set[str] | None
        self._fresh = set()  # type: set[str]
        self.hashed = 0  # files whose contents were read in the last scan
        self.hashed_bytes = 0
        self.unstable = []  # type: list[str]

    def scan(
        self, before: "Tree | None" = None, dirty: "Collection[str] | None" = None, rehash: bool = False
    ) -> "Tree | None":
        """The tree; None when there is no root. With `before`, the tree of the last scan, what is as it was is the same
        object; with `dirty` only these folders are listed, and what is above them: the others are as they were.
        `rehash`: nothing vouches for a content. Raises OSError for the root itself."""
        self.hashed = self.hashed_bytes = 0
        self.unstable = []
        try:
            info = os.lstat(self.root)
        except FileNotFoundError:
            return None
        self._device = info.st_dev
        if not stat.S_ISDIR(info.st_mode):
            return self._leaf(self.root, "", "", info)
        self._before = {} if rehash else self.known
        self._fresh, self.fresh = self.fresh, set()
        try:
            if before is None or before[0] != "d" or dirty is None:
                self._dirty = None
                self._seen = {}
                tree = self._folder(self.root, "", before, 0)
            else:
                self._dirty = set()
                for path in self._fresh.union(dirty):
                    self._dirty.add(path)
                    while path:
                        path = path.rpartition("/")[0]
                        self._dirty.add(path)
                self._seen = self.known
                tree = self._folder(self.root, "", before, 0)
        except BaseException:
            self.fresh |= self._fresh
            raise
        self.known = self._seen
        if tree[0] == "p":
            raise PermissionError(errno.EACCES, tree[1], self.root)
        return tree

    def key(self, path: str) -> "Key | None":
        """What vouched for a file in the last scan."""
        folder, _, name = path.rpartition("/")
        record = self.known.get(folder, {}).get(name)
        return None if record is None else _RECORD.unpack_from(record)[:5]

    def made(self, path: str, info: os.stat_result, digest: bytes) -> None:
        """A file was written there, by whom it was verified. It counts as read when it got its place, if no other write
        can have left its time as it was."""
        folder, _, name = path.rpartition("/")
        at = info.st_ctime_ns if info.st_mtime_ns < info.st_ctime_ns - self._granularity else 0
        self.known.setdefault(folder, {})[name] = pack_record(_key(info), at and at + self._granularity + 1, digest)

    def _folder(self, full: str, path: str, before: "Tree | None", depth: int) -> "Tree":
        if depth > DEEPEST:
            return ("p", "more than %d folders deep" % DEEPEST)
        children = {}  # type: dict[str, Tree]
        prefix = path + "/" if path else ""
        ignored, too_big, device, dirty = self.ignored, self.too_big, self._device, self._dirty
        known = self._before.get(path, _NO_RECORDS)
        seen = {}  # type: dict[str, bytes]
        old = before[1] if before is not None and before[0] == "d" else {}
        unread = dirty is not None and path in self._fresh
        if unread:
            old = {}
        if self.entered is not None:
            self.entered(path, full)
        try:
            listing = os.scandir(full)
        except FileNotFoundError:
            return ("d", children)  # gone since it was listed: the next scan sees it
        except OSError as error:
            return ("p", os.strerror(error.errno or 0))
        with listing:
            for entry in listing:
                name = entry.name
                below = prefix + name
                was = old.get(name)
                try:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if ignored(below, is_folder):
                        children[name] = _UNTRACKED
                        continue
                    if is_folder:
                        if dirty is not None and was is not None and was[0] == "d" and below not in dirty:
                            children[name] = was
                            continue
                        info = entry.stat(follow_symlinks=False)
                        if info.st_dev != device:
                            children[name] = _UNTRACKED
                        else:
                            children[name] = self._folder(entry.path, below, was, depth + 1)
                        continue
                    info = entry.stat(follow_symlinks=False)
                    mode = info.st_mode
                    if stat.S_ISREG(mode):
                        if too_big is not None and too_big(below, info.st_size):
                            children[name] = _UNTRACKED
                            continue
                        record = known.get(name)
                        if (
                            record is not None
                            and record[: _KEY.size] == _KEY.pack(*_key(info))
                            and self._settled(record)
                        ):
                            seen[name] = record
                            node = ("f", record[_RECORD.size :], bool(mode & _EXECUTABLE))  # type: Tree
                        else:
                            node = self._leaf(entry.path, below, name, info, seen)
                    else:
                        node = self._leaf(entry.path, below, name, info, seen)
                    children[name] = was if was == node else node
                except FileNotFoundError:
                    continue  # gone since it was listed
                except OSError as error:
                    children[name] = ("p", os.strerror(error.errno or 0))
        if seen:
            self._seen[path] = seen
        else:
            self._seen.pop(path, None)
        if not unread and before is not None and before[0] == "d" and _same(before[1], children):
            return before
        return ("d", children)

    def _settled(self, record: bytes) -> bool:
        _, _, _, modified, changed, at = _RECORD.unpack_from(record)
        return bool(max(modified, changed) < at - self._granularity)

    def _leaf(
        self, full: str, path: str, name: str, info: os.stat_result, seen: "dict[str, bytes] | None" = None
    ) -> "Tree":
        mode = info.st_mode
        if stat.S_ISLNK(mode):
            return ("l", os.readlink(full))
        if not stat.S_ISREG(mode):
            return _UNTRACKED
        at = int(time.time() * 1e9)
        try:
            digest, key, mode = self.read(full)
        except Unstable:
            self.unstable.append(path)
            return ("p", "it changes while it is read")
        if seen is not None:
            seen[name] = pack_record(key, at, digest)
        return ("f", digest, bool(mode & _EXECUTABLE))

    def read(self, full: str) -> "tuple[bytes, Key, int]":
        """(digest, what vouches for it, mode) of a file that stood still. Raises Unstable and OSError."""
        try:
            number = os.open(full, _FLAGS)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise Unstable() from error  # something else is there by now
            raise
        try:
            first = os.fstat(number)
            if not stat.S_ISREG(first.st_mode):
                raise Unstable()
            digest = hashlib.new(self._algorithm)
            count = 0
            while True:
                data = os.read(number, CHUNK)
                if not data:
                    break
                digest.update(data)
                count += len(data)
                if count > first.st_size:
                    raise Unstable()  # it grows: no end in sight
            last = os.fstat(number)
        finally:
            os.close(number)
        key = (last.st_dev, last.st_ino, last.st_size, last.st_mtime_ns, last.st_ctime_ns)
        if key != (first.st_dev, first.st_ino, first.st_size, first.st_mtime_ns, first.st_ctime_ns):
            raise Unstable()
        if count != last.st_size:
            raise Unstable()
        self.hashed += 1
        self.hashed_bytes += count
        return digest.digest(), key, last.st_mode
