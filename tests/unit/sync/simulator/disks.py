"""What a file system is made of, and what the oracle wants to know about each of its files."""

from __future__ import annotations

import dataclasses
import errno
import heapq
import os
import stat
from typing import ClassVar

OWN = ".devenv"
TICK = 4_000_000  # nanoseconds: Linux stamps files with a clock that stands still in between


class Crash(BaseException):
    """The process is gone, here and now."""


class Violation(BaseException):
    """The engine did what it must never do. No handler of the engine's own may swallow it."""


_SAID = {number: os.strerror(number) for number in errno.errorcode}


def error(number: int, path: object = None) -> OSError:
    return OSError(number, _SAID[number], path)


class Inode:
    __slots__ = (
        *("ctime", "data", "denied", "entries", "is_folder", "kept", "kind", "links"),
        *("mode", "mtime", "name", "number", "parent", "was"),
    )

    def __init__(self, number: int, kind: int, mode: int) -> None:
        self.number = number
        self.kind = kind  # S_IFREG and the like
        self.is_folder = kind == stat.S_IFDIR
        self.mode = mode
        self.data = b""  # of a file; a link's target
        self.entries: dict[str, Inode] = {}
        self.links = 0
        self.mtime = self.ctime = 0
        self.parent: Inode | None = None
        self.name = ""
        self.denied = False
        self.was = ""  # the path from which the engine took it
        self.kept = False  # a person wrote it, or it outlived a cycle at its place: the engine may not destroy it


@dataclasses.dataclass(slots=True, eq=False)
class Info:
    st_dev: int
    st_ino: int
    st_mode: int
    st_nlink: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_uid: ClassVar[int] = 0
    st_gid: ClassVar[int] = 0

    @property
    def st_ctime(self) -> float:
        return self.st_ctime_ns / 1e9


class Disk:
    """One side. `dead`: the process that works on it was killed, and what it still tries does nothing."""

    def __init__(self, name: str, device: int) -> None:
        self.name = name
        self.device = device
        self.free: list[int] = []
        self._born: list[Inode] = []
        self.next = 2
        self.root = self.born(stat.S_IFDIR, 0o755)
        self.root.links = 1
        self.absent = False
        self.dead = False
        self.space: int | None = None
        self.skew = 0  # of its clock, nanoseconds
        self.of_before = False  # what is known of it may be what was there before the last things were written
        self.touched: set[str] = set()  # folders in which something happened since the last hints
        self.fresh: set[str] = set()  # folders that came since then
        self.attributes: dict[str, bytes] | None = {}  # of the root
        self.shown: dict[str, set[bytes]] = {}  # path -> contents that were ever to be seen there
        self.still: list[tuple[str, bytes]] = []  # what was there when all else was forgotten
        self.since: dict[str, int] = {}  # path -> the cycle in which that was shown
        self.cycle = 0
        self.undurable: set[Inode] = set()
        self.untouchable = False
        self.gives = False  # it is never changed, whatever happens
        self.taken_away: dict[Inode, tuple[int, str]] = {}  # what the engine should not have: when, why
        self.taken: set[str] = set()  # paths from which people took something, in this cycle
        self.steps: list[str] = []  # paths that the engine changed, in this cycle
        self._seen: list[tuple[str, Inode]] | None = None  # what a person sees, until a name comes or goes

    def born(self, kind: int, mode: int) -> Inode:
        """Numbers of files that are gone are used again, as real file systems do."""
        if self.free:
            number = heapq.heappop(self.free)
        else:
            number = self.next
            self.next += 1
        inode = Inode(number, kind, mode)
        self._born.append(inode)
        return inode

    def dissolve(self) -> None:
        """Nobody looks here any more: what holds each other lets go, and Python need not find it."""
        for inode in self._born:
            inode.parent = None
            inode.entries.clear()

    def gone(self, inode: Inode) -> None:
        heapq.heappush(self.free, inode.number)

    def path(self, inode: Inode) -> str | None:
        """Below the root; None for what is not there any more."""
        root = self.root
        if inode is root:
            return ""
        path, at = inode.name, inode.parent
        while at is not root:
            if at is None:
                return None
            path, at = f"{at.name}/{path}", at.parent
        return path

    def moved(self) -> None:
        """A name came or went, or is another file's."""
        self._seen = None

    def walk(self, inode: Inode | None = None, path: str = "") -> list[tuple[str, Inode]]:
        """What a person sees: everything but our own folder."""
        found: list[tuple[str, Inode]] = []
        if inode is not None:
            _below(inode, path, found)
            return found
        if self._seen is None:
            _below(self.root, "", found)
            self._seen = found
        return self._seen

    def files(self) -> list[tuple[str, Inode]]:
        return [(path, inode) for path, inode in self.walk() if inode.kind == stat.S_IFREG]

    def at(self, path: str) -> Inode | None:
        """The file that people see there."""
        inode = self.root
        for name in path.split("/"):
            if name not in list(inode.entries):  # spelled like this, where names are folded
                return None
            inode = inode.entries[name]
        return inode if inode.kind == stat.S_IFREG else None

    def own(self, name: str) -> Inode | None:
        folder = self.root.entries.get(OWN)
        return folder.entries.get(name) if folder is not None else None

    def show(self, inode: Inode) -> None:
        """It is to be seen at its place from now on."""
        path = self.path(inode)
        if path is None or path == OWN or path.startswith(OWN + "/"):
            return
        if inode.is_folder:
            self.fresh.add(path)
            for below, child in self.walk(inode, path):
                if child.kind == stat.S_IFREG:
                    self._show(below, child)
        elif inode.kind == stat.S_IFREG:
            self._show(path, inode)

    def _show(self, path: str, inode: Inode) -> None:
        self.shown.setdefault(path, set()).add(inode.data)
        self.since[path] = self.cycle

    def touch(self, folder: Inode) -> None:
        path = self.path(folder)
        if path is not None and not path.startswith(OWN):
            self.touched.add(path)


def _below(inode: Inode, path: str, found: list[tuple[str, Inode]]) -> None:
    for name, child in inode.entries.items():
        below = f"{path}/{name}" if path else name
        if below != OWN:
            found.append((below, child))
            if child.is_folder:
                _below(child, below, found)
