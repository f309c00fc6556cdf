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
SMALL = 256 << 10  # bytes of a file that is read at once
GRANULARITY = 10_000_000  # nanoseconds, at least; a file system that rounds more says so by its own probe
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_UNTRACKED = ("u",)  # type: Tree
_EXECUTABLE = stat.S_IXUSR
_KEY = struct.Struct("<QQQqq")
_SETTLED = _KEY.size  # whether nothing can have been written unseen since it was read
_DIGEST = _KEY.size + 1
_NO_RECORDS = {}  # type: dict[str, bytes]
RECORD = _DIGEST
DEEPEST = 200


class Unstable(Exception):
    """It changed while it was read."""


def pack_record(key: "Key", settled: bool, digest: bytes) -> bytes:
    return _KEY.pack(*key) + (b"\1" if settled else b"\0") + digest


def _key(info: os.stat_result) -> "Key":
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _same(now: os.stat_result, before: os.stat_result) -> bool:
    return (
        now.st_mtime_ns == before.st_mtime_ns
        and now.st_ctime_ns == before.st_ctime_ns
        and now.st_size == before.st_size
        and now.st_ino == before.st_ino
        and now.st_dev == before.st_dev
        and now.st_mode == before.st_mode
    )


class Scanner:
    """Remembers digests from one scan to the next. `ignored(path, is_folder)` is asked once for each path, and not for
    what lies below an ignored folder; `too_big(path, size)` for each file; `entered(path, full)` hears of each folder
    before it is listed, `aloud(path, digest, content)` of each small file that is read. Paths are relative to the root,
    with `/`."""

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
        self.aloud = None  # type: Callable[[str, bytes, bytes], None] | None
        self.known = {}  # type: dict[str, dict[str, bytes]]
        """Folder -> name -> what vouches for a file, and its digest (`pack_record`)."""
        self.tracked = False
        """Whether all of them were tracked by the rules of now: then nobody asks about one that is as it was."""
        self.fresh = set()  # type: set[str]
        """Folders that came to be since the last scan: what is known of such a path was another folder's."""
        self._hash = getattr(hashlib, algorithm)
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
        object, and what was tracked is not asked for again; with `dirty` only these folders are listed, and what is
        above them: the others are as they were. `rehash`: nothing vouches for a content. Raises OSError for the root
        itself."""
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
            last = os.lstat(self.root)
            if (last.st_dev, last.st_ino) != (info.st_dev, info.st_ino):
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), self.root)  # what was not found may be there
        except BaseException:
            self.fresh |= self._fresh
            raise
        self.known = self._seen
        self.tracked = self.tracked or self._dirty is None
        if tree[0] == "p":
            raise PermissionError(errno.EACCES, tree[1], self.root)
        return tree

    def key(self, path: str, digest: "bytes | None" = None) -> "Key | None":
        """What vouched for a file in the last scan; for that content, where one is named: the host may not have heard
        of the last scan yet."""
        folder, _, name = path.rpartition("/")
        record = self.known.get(folder, {}).get(name)
        if record is None or (digest is not None and record[_DIGEST:] != digest):
            return None
        return _KEY.unpack_from(record)

    def vouched(self, path: str) -> bool:
        """Whether nobody can have written to the file since without another key."""
        folder, _, name = path.rpartition("/")
        record = self.known.get(folder, {}).get(name)
        return record is not None and bool(record[_SETTLED])

    def made(self, path: str, info: os.stat_result, digest: bytes) -> None:
        """A file was written there, by whom it was verified. It counts as read when it got its place, if no other write
        can have left its time as it was."""
        folder, _, name = path.rpartition("/")
        settled = info.st_mtime_ns < info.st_ctime_ns - self._granularity
        self.known.setdefault(folder, {})[name] = pack_record(_key(info), settled, digest)

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
        # This loop is what a look at everything costs: whatever it does, it does for each file.
        pack, regular, any_link, executable = _KEY.pack, stat.S_IFREG, 0o170000, _EXECUTABLE
        asked = self.tracked
        same = True
        with listing:
            for entry in listing:
                name = entry.name
                was = old.get(name)
                node = None  # type: Tree | None
                try:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    record = None if is_folder else known.get(name)
                    if asked and record is not None and record[_SETTLED]:
                        info = entry.stat(follow_symlinks=False)
                        mode = info.st_mode
                        key = pack(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
                        if mode & any_link == regular and record.startswith(key):
                            seen[name] = record
                            runs = mode & executable != 0
                            if (
                                was is not None
                                and was[0] == "f"
                                and was[2] is runs
                                and record.startswith(was[1], _DIGEST)
                            ):
                                children[name] = was
                            else:
                                children[name] = ("f", record[_DIGEST:], runs)
                                same = False
                            continue
                    below = prefix + name
                    tracked = was is not None and (was[0] == "d" if is_folder else was[0] in "fl")
                    if not tracked and ignored(below, is_folder):
                        node = _UNTRACKED
                    elif is_folder:
                        if dirty is not None and was is not None and was[0] == "d" and below not in dirty:
                            node = was
                        elif entry.stat(follow_symlinks=False).st_dev != device:
                            node = _UNTRACKED
                        else:
                            node = self._folder(entry.path, below, was, depth + 1)
                    else:
                        info = entry.stat(follow_symlinks=False)
                        mode = info.st_mode
                        if mode & any_link != regular:
                            node = self._leaf(entry.path, below, name, info, seen)
                        elif too_big is not None and too_big(below, info.st_size):
                            node = _UNTRACKED
                        else:
                            if (
                                record is None
                                or not record[_SETTLED]
                                or not record.startswith(
                                    pack(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
                                )
                            ):
                                node = self._leaf(entry.path, below, name, info, seen)
                            else:
                                seen[name] = record
                                runs = mode & executable != 0
                                if (
                                    was is not None
                                    and was[0] == "f"
                                    and was[2] is runs
                                    and record.startswith(was[1], _DIGEST)
                                ):
                                    children[name] = was
                                    continue
                                node = ("f", record[_DIGEST:], runs)
                except FileNotFoundError:
                    continue  # gone since it was listed
                except OSError as error:
                    node = ("p", os.strerror(error.errno or 0))
                if node is not was:
                    if node == was and not is_folder:
                        node = was
                    else:
                        same = False
                children[name] = node  # type: ignore[assignment]
        if seen:
            self._seen[path] = seen
        else:
            self._seen.pop(path, None)
        if same and not unread and before is not None and before[0] == "d" and len(children) == len(old):
            return before
        return ("d", children)

    def _leaf(
        self, full: str, path: str, name: str, info: os.stat_result, seen: "dict[str, bytes] | None" = None
    ) -> "Tree":
        mode = info.st_mode
        if stat.S_ISLNK(mode):
            return ("l", os.readlink(full))
        if not stat.S_ISREG(mode):
            return _UNTRACKED
        at = int(time.time() * 1e9)
        data = self._at_once(full, info) if info.st_size <= SMALL else None
        if data is not None:
            digest, key = self._hash(data).digest(), _key(info)
            self.hashed += 1
            self.hashed_bytes += len(data)
            if self.aloud is not None:
                self.aloud(path, digest, data)
        else:
            try:
                digest, key, mode = self.read(full)
            except Unstable:
                self.unstable.append(path)
                return ("p", "it changes while it is read")
        if seen is not None:
            seen[name] = pack_record(key, max(key[3], key[4]) < at - self._granularity, digest)
        return ("f", digest, mode & _EXECUTABLE != 0)

    @staticmethod
    def _at_once(full: str, info: os.stat_result) -> "bytes | None":
        """The content of a small file that is still what was looked at, when it was read; None where it is not."""
        try:
            number = os.open(full, _FLAGS)
        except OSError:
            return None
        try:
            data = os.read(number, info.st_size + 1)
            last = os.fstat(number)
        except OSError:
            return None
        finally:
            os.close(number)
        return data if len(data) == info.st_size and _same(last, info) else None

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
            digest = self._hash()
            count = 0
            while count <= first.st_size:
                data = os.read(number, min(CHUNK, first.st_size - count + 1))
                digest.update(data)
                count += len(data)
                if not data or count == first.st_size < CHUNK:
                    break
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
