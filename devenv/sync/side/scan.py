"""What is below a root now. Contents are read only where nothing vouches for what is known of them.

A digest that is remembered counts while (device, inode, size, mtime, ctime) are the same, and only if neither time is
so new, at the time of reading, that a second write could have left it as it was (the rule that Git calls racy).
"""

import errno
import hashlib
import os
import stat
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


class Unstable(Exception):
    """It changed while it was read."""


class Scanner:
    """Remembers digests from one scan to the next. `ignored(path, is_folder)` is asked once for each path, and not for
    what lies below an ignored folder. Paths are relative to the root, with `/`."""

    def __init__(
        self,
        root: str,
        ignored: "Callable[[str, bool], bool]",
        algorithm: str = "sha256",
        granularity: int = GRANULARITY,
    ) -> None:
        self.root = root
        self._ignored = ignored
        self._algorithm = algorithm
        self._granularity = granularity
        self._known = {}  # type: dict[str, tuple[Key, bytes, int]]
        self._seen = {}  # type: dict[str, tuple[Key, bytes, int]]
        self._device = 0
        self._dirty = None  # type: set[str] | None
        self.hashed = 0  # files whose contents were read in the last scan
        self.hashed_bytes = 0
        self.unstable = []  # type: list[str]

    def scan(self, before: "Tree | None" = None, dirty: "Collection[str] | None" = None) -> "Tree | None":
        """The tree; None when there is no root. With `before`, the tree of the last scan, only the folders in `dirty`
        are listed, and what is above them: the others are as they were. Raises OSError for the root itself."""
        self.hashed = self.hashed_bytes = 0
        self.unstable = []
        try:
            info = os.lstat(self.root)
        except FileNotFoundError:
            return None
        self._device = info.st_dev
        if not stat.S_ISDIR(info.st_mode):
            return self._leaf(self.root, "", info)
        if before is None or before[0] != "d" or dirty is None:
            self._dirty = None
            self._seen = {}
            tree = self._folder(self.root, "", None)
            self._known = self._seen
        else:
            self._dirty = set()
            for path in dirty:
                self._dirty.add(path)
                while path:
                    path = path.rpartition("/")[0]
                    self._dirty.add(path)
            self._seen = self._known
            tree = self._folder(self.root, "", before)
        if tree[0] == "p":
            raise PermissionError(errno.EACCES, tree[1], self.root)
        return tree

    def key(self, path: str) -> "Key | None":
        """What vouched for a file in the last scan."""
        known = self._known.get(path)
        return None if known is None else known[0]

    def _folder(self, full: str, path: str, before: "Tree | None") -> "Tree":
        children = {}  # type: dict[str, Tree]
        prefix = path + "/" if path else ""
        ignored, device, known, seen = self._ignored, self._device, self._known, self._seen
        dirty = self._dirty
        old = before[1] if before is not None and before[0] == "d" else None
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
                try:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if ignored(below, is_folder):
                        children[name] = _UNTRACKED
                        continue
                    if is_folder:
                        if old is not None and dirty is not None and below not in dirty and name in old:
                            children[name] = old[name]
                            continue
                        info = entry.stat(follow_symlinks=False)
                        if info.st_dev != device:
                            children[name] = _UNTRACKED
                        else:
                            children[name] = self._folder(entry.path, below, old.get(name) if old else None)
                        continue
                    info = entry.stat(follow_symlinks=False)
                    mode = info.st_mode
                    if stat.S_ISREG(mode):
                        key = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
                        remembered = known.get(below)
                        if remembered is not None and remembered[0] == key and self._settled(remembered):
                            seen[below] = remembered
                            children[name] = ("f", remembered[1], bool(mode & _EXECUTABLE))
                            continue
                    children[name] = self._leaf(entry.path, below, info)
                except FileNotFoundError:
                    continue  # gone since it was listed
                except OSError as error:
                    children[name] = ("p", os.strerror(error.errno or 0))
        return ("d", children)

    def _settled(self, remembered: "tuple[Key, bytes, int]") -> bool:
        key, _, at = remembered
        return max(key[3], key[4]) < at - self._granularity

    def _leaf(self, full: str, path: str, info: os.stat_result) -> "Tree":
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
            self._seen.pop(path, None)
            return ("p", "it changes while it is read")
        self._seen[path] = (key, digest, at)
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
