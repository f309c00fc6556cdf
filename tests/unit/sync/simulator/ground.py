"""Where something is on the disks, when it was, and what the engine must never do to it.

What must never happen is seen here, at the moment it does: a person's file destroyed, a path changed that the other
side never had like that, an agreement on what a loss of power would undo.
"""

from __future__ import annotations

import errno
import functools
import stat
from collections.abc import Callable, Iterable
from typing import NoReturn

from tests.unit.sync.simulator.disks import OWN, TICK, Crash, Disk, Info, Inode, Violation, error
from tests.unit.sync.simulator.opened import Handle

NEVER = 1 << 62
_CALL = 20_000  # nanoseconds


@functools.lru_cache(maxsize=4096)
def _parts(path: str) -> tuple[str, tuple[str, ...], str]:
    """(side, or "" where the path begins at a folder that is open, the folders on the way, the name)"""
    if path[0] != "/":
        *names, name = path.split("/")
        return "", tuple(names), name
    _, side, *names = path.split("/")
    return side, tuple(names[:-1]), names[-1] if names else ""


class Ground:
    """`due(name, disk)` is called ahead of each call of a name that is `awaited`, and of the one of number `alarm`."""

    def __init__(self, disks: dict[str, Disk]) -> None:
        self.disks = disks
        self.other = dict(zip(disks.values(), reversed(disks.values()), strict=True))
        self.fds: dict[int, Handle] = {}
        self._next = 1000
        self.calls = 0
        self.now = 1_800_000_000 * 10**9
        self.due: Callable[[str, Disk], None] | None = None
        self.awaited: frozenset[str] = frozenset()
        self.alarm = NEVER
        self.excused = False  # a person prefers one side, so that the other's files may go unseen
        self.exchanges = True
        self.cycling = False
        self.decided = False  # at the end of a cycle: what was to be seen in it was reason enough for its steps
        self.violated: list[str] = []
        self._about: tuple[str, int | None] = ("", None)
        self._to: tuple[str, int | None] = ("", None)
        self.at = next(iter(disks.values()))  # where the last call was

    def forbid(self, what: str) -> NoReturn:
        """It is noted as well: an error on the way out may cover the exception."""
        self.violated.append(what)
        raise Violation(what)

    # what both engine and people need

    def enter(self, disk: Disk, name: str) -> None:
        if disk.dead:
            raise Crash
        self.calls += 1
        self.now += _CALL
        self.at = disk
        if self.due is not None and (name in self.awaited or self.calls >= self.alarm):
            self.due(name, disk)
            if disk.dead:
                raise Crash

    def stamp(self, disk: Disk) -> int:
        return (self.now + disk.skew) // TICK * TICK

    def info(self, disk: Disk, inode: Inode) -> Info:
        return Info(
            disk.device, inode.number, inode.kind | inode.mode, inode.links, len(inode.data), inode.mtime, inode.ctime
        )

    def subject(self, call: str) -> str:
        """The path that the call is about, as people know it; "" where it is none of theirs."""
        for path, dir_fd in (self._about, self._to) if call in ("exchange", "move") else (self._about,):
            if dir_fd is not None:
                above = self.at.path(self.fds[dir_fd].inode) if dir_fd in self.fds else None
                path = path if above == "" else f"{above}/{path}" if above is not None else ""
            else:
                path = "/".join(path.split("/")[2:])
            if path and path != OWN and not path.startswith(OWN + "/"):
                return path
        return ""

    def link(self, disk: Disk, folder: Inode, name: str, inode: Inode) -> None:
        folder.entries[name] = inode
        disk.moved()
        inode.parent, inode.name = folder, name
        inode.links += 1
        folder.mtime = folder.ctime = inode.ctime = self.stamp(disk)
        where = disk.path(folder)
        if where is not None and not where.startswith(OWN):
            disk.touched.add(where)
            disk.show(inode)

    def unlink_entry(self, disk: Disk, folder: Inode, name: str) -> Inode:
        inode = folder.entries.pop(name)
        disk.moved()
        inode.links -= 1
        if inode.parent is folder and inode.name == name:
            inode.parent = None
        folder.mtime = folder.ctime = inode.ctime = self.stamp(disk)
        disk.touch(folder)
        if inode.links == 0 and not inode.is_folder and not self._open(inode):
            disk.gone(inode)
        return inode

    def _open(self, inode: Inode) -> bool:
        return any(handle.inode is inode for handle in self.fds.values())

    # where something is

    def _place(self, path: str, dir_fd: int | None, call: str) -> tuple[Disk, Inode, str]:
        """(disk, folder, name); the name is "" for the start itself."""
        names: tuple[str, ...] = ()
        handle = None
        if dir_fd is not None and path[0] != "/":
            handle = self.fds[dir_fd]
            disk, name = handle.disk, path
            if "/" in path:
                _, names, name = _parts(path)
        else:
            start, names, name = _parts(path)
            if start not in self.disks:
                raise AssertionError(f"{path} is outside of both roots")
            disk = self.disks[start]
        if disk.dead:  # as `enter`, without a call of its own
            raise Crash
        self.calls += 1
        self.now += _CALL
        self.at = disk
        if self.due is not None and (call in self.awaited or self.calls >= self.alarm):
            self._about = path, dir_fd
            self.due(call, disk)
            if disk.dead:
                raise Crash
        if handle is not None:
            at = handle.inode
        elif disk.absent:
            raise error(errno.ENOENT, path)
        else:
            at = disk.root
        return disk, self._down(disk, at, names) if names else at, name

    def _down(self, disk: Disk, at: Inode, names: Iterable[str], depth: int = 0) -> Inode:
        for name in names:
            if at.denied:
                raise error(errno.EACCES)
            if name == "..":
                if at is disk.root or at.parent is None:
                    self.forbid("a way that leads out of the root was followed")
                at = at.parent
                continue
            child = at.entries.get(name) if at.is_folder else None
            if child is None:
                raise error(errno.ENOENT if at.is_folder else errno.ENOTDIR)
            if child.kind == stat.S_IFLNK:
                if depth > 8:
                    raise error(errno.ELOOP)
                child = self._down(disk, at, child.data.decode().split("/"), depth + 1)
            if not child.is_folder:
                raise error(errno.ENOTDIR)
            at = child
        return at

    def _inode(self, path: str, dir_fd: int | None, call: str) -> tuple[Disk, Inode]:
        disk, folder, name = self._place(path, dir_fd, call)
        if not name:
            return disk, folder
        if folder.denied:
            raise error(errno.EACCES, path)
        if not folder.is_folder:
            raise error(errno.ENOTDIR, path)
        inode = folder.entries.get(name)
        if inode is None:
            raise error(errno.ENOENT, path)
        return disk, inode

    # what the oracle sees

    def _visible(self, disk: Disk, folder: Inode, name: str) -> str | None:
        path = disk.path(folder)
        if path is None:
            return None
        path = f"{path}/{name}" if path else name
        return None if path == OWN or path.startswith(OWN + "/") else path

    def _changes(self, disk: Disk, folder: Inode, name: str, leaves: Inode | None = None) -> None:
        path = self._visible(disk, folder, name)
        if path is None:
            return
        if disk.untouchable or disk.gives:
            self.forbid(f"{disk.name}:{path} is changed, where only a person wrote")
        disk.steps.append(path)
        disk.undurable.add(folder)
        if leaves is not None:
            leaves.was = path

    def _takes(self, disk: Disk, folder: Inode, inode: Inode) -> None:
        """A person's file goes to the trash: only one that the other side had at this path as well, unless it comes
        back within the cycle. What a crash has left between two moves may go there unseen."""
        disk.taken_away.pop(inode, None)
        where = disk.path(folder)
        if where is None or not f"{where}/".startswith(f"{OWN}/trash/") or where.startswith(f"{OWN}/trash/recovered"):
            return
        if inode.kind != stat.S_IFREG or not inode.was or self.excused:
            return
        instead = disk.at(inode.was)
        if instead is not None and instead.kept:
            return  # a person's newer one is there
        other = self.other[disk]
        there = other.at(inode.was)
        if inode.data not in other.shown.get(inode.was, ()):
            disk.taken_away[inode] = (
                self.calls,
                f"{inode.was}: {inode.data!r} went, which the other side never had there",
            )
        elif (
            there is not None
            and there.data == inode.data
            and other.since[inode.was] < other.cycle
            and not other.of_before
        ):
            disk.taken_away[inode] = (
                self.calls,
                f"{inode.was}: {inode.data!r} went, and the other side has it there still",
            )

    def _destroys(self, disk: Disk, inode: Inode) -> None:
        if inode.kept and inode.links <= 1 and inode.kind == stat.S_IFREG:
            self.forbid(f"{disk.name}: the engine destroyed {inode.data!r}")

    def must_be_durable(self) -> None:
        """Both sides are about to agree on what is there."""
        for disk in self.disks.values():
            for inode in disk.undurable:
                path = disk.path(inode)
                if path is not None and not path.startswith(OWN):
                    self.forbid(f"{disk.name}:{path} is agreed on before it is durable")
