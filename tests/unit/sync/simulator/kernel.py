"""The calls of `os` that the two sides make, over disks that are only numbers. Everything happens at a call: people
write between two of them, and the process dies at any.

What must never happen is seen here, at the moment it does: a person's file destroyed, a path changed that the other
side never had like that, an agreement on what a loss of power would undo.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NoReturn

from tests.unit.sync.simulator.disks import OWN, TICK, Crash, Disk, Info, Inode, Violation

_CALL = 20_000  # nanoseconds


class Handle:
    __slots__ = ("append", "disk", "inode", "position", "writes")

    def __init__(self, disk: Disk, inode: Inode, flags: int) -> None:
        self.disk, self.inode = disk, inode
        self.position = 0
        self.writes = flags & (os.O_WRONLY | os.O_RDWR) != 0
        self.append = flags & os.O_APPEND != 0


class Entry:
    __slots__ = ("_inode", "_kernel", "_parent", "disk", "name", "path")

    def __init__(self, kernel: Kernel, disk: Disk, parent: Inode, path: str, name: str, inode: Inode) -> None:
        self._kernel, self.disk, self._parent, self.name, self._inode = kernel, disk, parent, name, inode
        self.path = f"{path}/{name}"

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        assert not follow_symlinks
        return self._inode.is_folder

    def is_symlink(self) -> bool:
        return self._inode.kind == stat.S_IFLNK

    def stat(self, *, follow_symlinks: bool) -> Info:
        assert not follow_symlinks
        self._kernel.enter(self.disk, "lstat")
        inode = self._parent.entries.get(self.name)
        if inode is None:
            raise _error(errno.ENOENT)
        return self._kernel.info(self.disk, inode)


class Listing:
    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def close(self) -> None:
        pass


class File:
    """What `open` gives: not buffered."""

    def __init__(self, kernel: Kernel, number: int, text: bool) -> None:
        self._kernel, self._number, self._text = kernel, number, text
        self.closed = False

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        return self._number

    def read(self, size: int = -1) -> Any:
        data = self._kernel.read(self._number, 1 << 40 if size < 0 else size)
        return data.decode() if self._text else data

    def write(self, data: Any) -> int:
        raw = data.encode() if self._text else bytes(data)
        at = 0
        while at < len(raw):
            at += self._kernel.write(self._number, raw[at:])
        return len(raw)

    def seek(self, position: int, whence: int = 0) -> int:
        here = self.tell() if whence == os.SEEK_CUR else 0
        return self._kernel.lseek(self._number, here + position, os.SEEK_SET)

    def tell(self) -> int:
        return self._kernel.fds[self._number].position

    def truncate(self, size: int | None = None) -> int:
        return self._kernel.truncate(self._number, size)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._kernel.close(self._number)


def _error(number: int, path: object = None) -> OSError:
    return OSError(number, os.strerror(number), path)


class Kernel:
    """`due(name, disk)` is called ahead of each call, while something waits for its turn."""

    def __init__(self, disks: dict[str, Disk]) -> None:
        self.disks = disks
        self.other = dict(zip(disks.values(), reversed(disks.values()), strict=True))
        self.fds: dict[int, Handle] = {}
        self._next = 1000
        self.calls = 0
        self.now = 1_800_000_000 * 10**9
        self.due: Callable[[str, Disk], None] | None = None
        self.excused = False  # a person prefers one side, so that the other's files may go unseen
        self.exchanges = True
        self.cycling = False
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
        if self.due is not None:
            self.due(name, disk)
            if disk.dead:
                raise Crash

    def stamp(self, disk: Disk) -> int:
        return (self.now + disk.skew) // TICK * TICK

    def info(self, disk: Disk, inode: Inode) -> Info:
        device = disk.device
        return Info(
            device, inode.number, inode.kind | inode.mode, inode.links, len(inode.data), inode.mtime, inode.ctime
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
        inode.parent, inode.name = folder, name
        inode.links += 1
        folder.mtime = folder.ctime = inode.ctime = self.stamp(disk)
        disk.touch(folder)
        disk.show(inode)

    def unlink_entry(self, disk: Disk, folder: Inode, name: str) -> Inode:
        inode = folder.entries.pop(name)
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
        self._about = path, dir_fd
        if dir_fd is not None and path[0] != "/":
            handle = self.fds[dir_fd]
            disk, at = handle.disk, handle.inode
            self.enter(disk, call)
            if "/" not in path:
                return disk, at, path
            names = path.split("/")
        else:
            _, side, *names = path.split("/")
            if side not in self.disks:
                raise AssertionError(f"{path} is outside of both roots")
            disk = self.disks[side]
            self.enter(disk, call)
            if disk.absent:
                raise _error(errno.ENOENT, path)
            at = disk.root
            if not names:
                return disk, at, ""
        name = names.pop()
        return disk, self._down(disk, at, names) if names else at, name

    def _down(self, disk: Disk, at: Inode, names: list[str], depth: int = 0) -> Inode:
        for name in names:
            if at.denied:
                raise _error(errno.EACCES)
            if name == "..":
                if at is disk.root or at.parent is None:
                    self.forbid("a way that leads out of the root was followed")
                at = at.parent
                continue
            child = at.entries.get(name) if at.is_folder else None
            if child is None:
                raise _error(errno.ENOENT if at.is_folder else errno.ENOTDIR)
            if child.kind == stat.S_IFLNK:
                if depth > 8:
                    raise _error(errno.ELOOP)
                child = self._down(disk, at, child.data.decode().split("/"), depth + 1)
            if not child.is_folder:
                raise _error(errno.ENOTDIR)
            at = child
        return at

    def _inode(self, path: str, dir_fd: int | None, call: str) -> tuple[Disk, Inode]:
        disk, folder, name = self._place(path, dir_fd, call)
        if not name:
            return disk, folder
        if folder.denied:
            raise _error(errno.EACCES, path)
        if not folder.is_folder:
            raise _error(errno.ENOTDIR, path)
        inode = folder.entries.get(name)
        if inode is None:
            raise _error(errno.ENOENT, path)
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
        if disk.untouchable:
            self.forbid(f"{disk.name}:{path} is changed, where only a person wrote")
        disk.steps.append(path)
        disk.undurable.add(folder)
        if leaves is not None:
            leaves.was = path

    def _takes(self, disk: Disk, folder: Inode, inode: Inode) -> None:
        """A person's file goes to the trash: only one that the other side had at this path as well. What a crash has
        left between two moves may go there unseen."""
        where = disk.path(folder)
        if where is None or not f"{where}/".startswith(f"{OWN}/trash/") or where.startswith(f"{OWN}/trash/recovered"):
            return
        if inode.kind != stat.S_IFREG or not inode.was or self.excused:
            return
        instead = disk.at(inode.was)
        if instead is not None and instead.kept:
            return  # a person's newer one is there
        if inode.data not in self.other[disk].shown.get(inode.was, ()):
            self.forbid(f"{disk.name}:{inode.was}: {inode.data!r} went, which the other side never had there")
        other = self.other[disk]
        there = other.at(inode.was)
        if there is not None and there.data == inode.data and other.since[inode.was] < other.cycle:
            self.forbid(f"{disk.name}:{inode.was}: {inode.data!r} went, and the other side has it there still")

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

    # the calls

    def lstat(self, path: str, *, dir_fd: int | None = None) -> Info:
        return self.info(*self._inode(path, dir_fd, "lstat"))

    def stat(self, path: str, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Info:
        assert not follow_symlinks
        return self.lstat(path, dir_fd=dir_fd)

    def readlink(self, path: str, *, dir_fd: int | None = None) -> str:
        _, inode = self._inode(path, dir_fd, "readlink")
        if inode.kind != stat.S_IFLNK:
            raise _error(errno.EINVAL, path)
        return inode.data.decode()

    def scandir(self, path: str | int) -> Listing:
        if isinstance(path, int):
            disk, inode = self.fds[path].disk, self.fds[path].inode
            self.enter(disk, "scandir")
        else:
            disk, inode = self._inode(path, None, "scandir")
            if inode.kind == stat.S_IFLNK:
                assert inode.parent is not None
                inode = self._down(disk, inode.parent, [inode.name])
        if inode.denied:
            raise _error(errno.EACCES, path)
        if not inode.is_folder:
            raise _error(errno.ENOTDIR, path)
        return Listing([Entry(self, disk, inode, str(path), name, child) for name, child in inode.entries.items()])

    def listdir(self, path: str | int) -> list[str]:
        with self.scandir(path) as listing:
            return [entry.name for entry in listing]

    def open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        disk, folder, name = self._place(path, dir_fd, "open")
        inode = folder if not name else folder.entries.get(name)
        if name and folder.denied:
            raise _error(errno.EACCES, path)
        if name and not folder.is_folder:
            raise _error(errno.ENOTDIR, path)
        if inode is None:
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT, path)
            inode = disk.born(stat.S_IFREG, mode & 0o777 & ~0o022)
            inode.mtime = self.stamp(disk)
            self._changes(disk, folder, name)
            self.link(disk, folder, name, inode)
            disk.undurable.add(inode)
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise _error(errno.EEXIST, path)
        if inode.kind == stat.S_IFLNK:
            if flags & os.O_DIRECTORY and flags & os.O_NOFOLLOW:
                raise _error(errno.ENOTDIR, path)
            if flags & os.O_NOFOLLOW:
                raise _error(errno.ELOOP, path)
            raise AssertionError(f"a link was opened: {path}")
        if flags & os.O_DIRECTORY and not inode.is_folder:
            raise _error(errno.ENOTDIR, path)
        if inode.denied:
            raise _error(errno.EACCES, path)
        if inode.is_folder and flags & (os.O_WRONLY | os.O_RDWR):
            raise _error(errno.EISDIR, path)
        if inode.kind == stat.S_IFIFO and not flags & os.O_NONBLOCK:
            self.forbid("a pipe was opened so that it blocks")
        self._next += 1
        self.fds[self._next] = Handle(disk, inode, flags)
        if flags & os.O_TRUNC and inode.data:
            self.truncate(self._next, 0)
        return self._next

    def close(self, number: int) -> None:
        handle = self.fds.pop(number, None)
        if handle is None:
            return  # the process that had it is gone
        if handle.inode.links == 0 and not handle.inode.is_folder and not self._open(handle.inode):
            handle.disk.gone(handle.inode)

    def dup(self, number: int) -> int:
        handle = self.fds[number]
        self._next += 1
        self.fds[self._next] = Handle(handle.disk, handle.inode, 0)
        return self._next

    def fstat(self, number: int) -> Info:
        handle = self.fds[number]
        self.enter(handle.disk, "fstat")
        return self.info(handle.disk, handle.inode)

    def read(self, number: int, size: int) -> bytes:
        handle = self.fds[number]
        self.enter(handle.disk, "read")
        if handle.inode.is_folder:
            raise _error(errno.EISDIR)
        data = handle.inode.data[handle.position : handle.position + size]
        handle.position += len(data)
        return data

    def lseek(self, number: int, position: int, whence: int) -> int:
        assert whence == os.SEEK_SET
        self.fds[number].position = position
        return position

    def write(self, number: int, data: bytes) -> int:
        handle = self.fds[number]
        disk, inode = handle.disk, handle.inode
        self.enter(disk, "write")
        if not handle.writes:
            raise _error(errno.EBADF)
        if inode.kept:
            self.forbid(f"{disk.name}: the engine wrote into {inode.data!r}")
        data = bytes(data)
        if disk.space is not None:
            if disk.space <= 0:
                raise _error(errno.ENOSPC)
            data = data[: disk.space]
            disk.space -= len(data)
        at = len(inode.data) if handle.append else handle.position
        inode.data = inode.data[:at].ljust(at, b"\0") + data + inode.data[at + len(data) :]
        handle.position = at + len(data)
        inode.mtime = inode.ctime = self.stamp(disk)
        disk.undurable.add(inode)
        if inode.parent is not None:
            disk.touch(inode.parent)
            disk.show(inode)
        return len(data)

    def truncate(self, number: int, size: int | None) -> int:
        handle = self.fds[number]
        self.enter(handle.disk, "truncate")
        if handle.inode.kept:
            self.forbid(f"{handle.disk.name}: the engine cut off {handle.inode.data!r}")
        size = handle.position if size is None else size
        handle.inode.data = handle.inode.data[:size].ljust(size, b"\0")
        handle.inode.mtime = handle.inode.ctime = self.stamp(handle.disk)
        return size

    def mkdir(self, path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        disk, folder, name = self._place(path, dir_fd, "mkdir")
        if not name or name in folder.entries:
            raise _error(errno.EEXIST, path)
        if folder.denied:
            raise _error(errno.EACCES, path)
        if folder.links == 0:
            raise _error(errno.ENOENT, path)
        self._changes(disk, folder, name)
        self.link(disk, folder, name, disk.born(stat.S_IFDIR, mode & ~0o022))

    def symlink(self, target: str, path: str, *, dir_fd: int | None = None) -> None:
        disk, folder, name = self._place(path, dir_fd, "symlink")
        if name in folder.entries:
            raise _error(errno.EEXIST, path)
        inode = disk.born(stat.S_IFLNK, 0o777)
        inode.data = target.encode()
        self._changes(disk, folder, name)
        self.link(disk, folder, name, inode)

    def _removable(self, path: str, dir_fd: int | None, call: str) -> tuple[Disk, Inode, str, Inode]:
        disk, folder, name = self._place(path, dir_fd, call)
        if folder.denied:
            raise _error(errno.EACCES, path)
        inode = folder.entries.get(name)
        if inode is None:
            raise _error(errno.ENOENT, path)
        return disk, folder, name, inode

    def unlink(self, path: str, *, dir_fd: int | None = None) -> None:
        disk, folder, name, inode = self._removable(path, dir_fd, "unlink")
        if inode.is_folder:
            raise _error(errno.EISDIR, path)
        self._destroys(disk, inode)
        self._changes(disk, folder, name)
        self.unlink_entry(disk, folder, name)

    remove = unlink

    def rmdir(self, path: str, *, dir_fd: int | None = None) -> None:
        disk, folder, name, inode = self._removable(path, dir_fd, "rmdir")
        if not inode.is_folder:
            raise _error(errno.ENOTDIR, path)
        if inode.entries:
            raise _error(errno.ENOTEMPTY, path)
        self._changes(disk, folder, name)
        self.unlink_entry(disk, folder, name)

    def link_(
        self,
        old: str,
        new: str,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        disk, _, _, inode = self._removable(old, src_dir_fd, "link")
        _, folder, name = self._place(new, dst_dir_fd, "link")
        if name in folder.entries:
            raise _error(errno.EEXIST, new)
        self._changes(disk, folder, name)
        self.link(disk, folder, name, inode)

    def rename(self, old: str, new: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        disk, source, name, inode = self._removable(old, src_dir_fd, "rename")
        _, folder, to = self._place(new, dst_dir_fd, "rename")
        self._move(disk, source, name, inode, folder, to, True)

    replace = rename

    def renameat2(self, old_folder: int, old: str, new_folder: int, new: str, flags: int) -> None:
        call = "exchange" if flags == 2 else "move"
        self._to = new, new_folder
        disk, source, name, inode = self._removable(old, old_folder, call)
        folder = self.fds[new_folder].inode
        if flags != 2:
            self._move(disk, source, name, inode, folder, new, False)
            return
        theirs = folder.entries.get(new)
        if theirs is None:
            raise _error(errno.ENOENT, new)
        for place, at, leaves in ((source, name, inode), (folder, new, theirs)):
            self._changes(disk, place, at, leaves)
        source.entries[name], folder.entries[new] = theirs, inode
        inode.parent, inode.name, theirs.parent, theirs.name = folder, new, source, name
        for each in (source, folder):
            each.mtime = each.ctime = self.stamp(disk)
            disk.touch(each)
        for moved in (inode, theirs):
            moved.ctime = self.stamp(disk)
            disk.show(moved)

    def _move(self, disk: Disk, source: Inode, name: str, inode: Inode, folder: Inode, to: str, over: bool) -> None:
        if folder.denied:
            raise _error(errno.EACCES, to)
        if folder.links == 0:
            raise _error(errno.ENOENT, to)
        there = folder.entries.get(to)
        if there is not None and not over:
            raise _error(errno.EEXIST, to)
        if there is inode:
            return
        if there is not None and there.is_folder is not inode.is_folder:
            raise _error(errno.EISDIR if there.is_folder else errno.ENOTDIR, to)
        if there is not None and there.entries:
            raise _error(errno.ENOTEMPTY, to)
        self._changes(disk, source, name, inode)
        self._takes(disk, folder, inode)
        if there is not None:
            self._destroys(disk, there)
            self.unlink_entry(disk, folder, to)
        self._changes(disk, folder, to)
        self.carry(disk, source, name, folder, to)

    def carry(self, disk: Disk, source: Inode, name: str, folder: Inode, to: str) -> None:
        inode = source.entries.pop(name)
        inode.links -= 1
        source.mtime = source.ctime = self.stamp(disk)
        disk.touch(source)
        self.link(disk, folder, to, inode)

    def chmod(self, path: str, mode: int, *, dir_fd: int | None = None) -> None:
        disk, inode = self._inode(path, dir_fd, "chmod")
        inode.mode, inode.ctime = mode, self.stamp(disk)

    def fchmod(self, number: int, mode: int) -> None:
        handle = self.fds[number]
        self.enter(handle.disk, "chmod")
        handle.inode.mode, handle.inode.ctime = mode, self.stamp(handle.disk)
        handle.disk.undurable.add(handle.inode)
        if handle.inode.parent is not None:
            handle.disk.touch(handle.inode.parent)
        if (path := handle.disk.path(handle.inode)) is not None:
            handle.disk.steps.append(path)
            if handle.disk.untouchable and not path.startswith(OWN):
                self.forbid(f"{handle.disk.name}:{path} has another mode, where only a person wrote")

    def utime(self, path: str, *, ns: tuple[int, int], dir_fd: int | None = None) -> None:
        disk, inode = self._inode(path, dir_fd, "utime")
        inode.mtime, inode.ctime = ns[1], self.stamp(disk)

    def fsync(self, number: int) -> None:
        handle = self.fds[number]
        self.enter(handle.disk, "fsync")
        handle.disk.undurable.discard(handle.inode)

    fdatasync = fsync

    def flush(self, folder: int) -> None:
        disk = self.fds[folder].disk
        self.enter(disk, "syncfs")
        disk.undurable.clear()

    def statvfs(self, path: str | int) -> SimpleNamespace:
        disk = self.fds[path].disk if isinstance(path, int) else self._inode(path, None, "statvfs")[0]
        free = 1 << 40 if disk.space is None else max(0, disk.space) + (1 << 30)
        return SimpleNamespace(f_bavail=free >> 12, f_frsize=4096, f_blocks=1 << 28, f_bfree=free >> 12)

    def walk(self, top: str, topdown: bool = True) -> Iterator[tuple[str, list[str], list[str]]]:
        try:
            listing = list(self.scandir(top))
        except OSError:
            return
        folders = [entry.name for entry in listing if entry.is_dir(follow_symlinks=False)]
        names = [entry.name for entry in listing if entry.name not in folders]
        if topdown:
            yield top, folders, names
        for name in folders:
            yield from self.walk(f"{top}/{name}", topdown)
        if not topdown:
            yield top, folders, names

    def isdir(self, path: str) -> bool:
        try:
            return self._inode(path, None, "stat")[1].is_folder
        except OSError:
            return False

    def getxattr(self, path: str, name: str) -> bytes:
        disk, _ = self._inode(path, None, "getxattr")
        if disk.attributes is None or name not in disk.attributes:
            raise _error(errno.ENODATA)
        return disk.attributes[name]

    def setxattr(self, path: str, name: str, value: bytes) -> None:
        disk, _ = self._inode(path, None, "setxattr")
        if disk.attributes is None:
            raise _error(errno.ENOTSUP)
        disk.attributes[name] = value

    def time(self) -> float:
        """Of the side whose call was the last one."""
        return (self.now + self.at.skew) / 1e9

    def fopen(self, path: str | int, mode: str = "r", *_: object, **__: object) -> File:
        number = path if isinstance(path, int) else self.open(path, _FLAGS[mode.replace("b", "")], 0o666)
        return File(self, number, "b" not in mode)


_FLAGS = {
    "r": os.O_RDONLY,
    "r+": os.O_RDWR,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}


def as_os(kernel: Kernel) -> SimpleNamespace:
    """In the place of the module `os`: what is not here is not simulated, and says so."""
    same = {name: getattr(os, name) for name in dir(os) if name.startswith(("O_", "SEEK_"))}
    pure = {name: getattr(os, name) for name in ("strerror", "fsencode", "fsdecode", "getpid", "sep", "fspath")}
    calls = (
        *("lstat", "stat", "readlink", "scandir", "listdir", "open", "close", "dup", "fstat", "read", "lseek", "write"),
        *("mkdir", "symlink", "unlink", "remove", "rmdir", "rename", "replace", "chmod", "fchmod", "utime", "fsync"),
        *("fdatasync", "statvfs", "walk", "getxattr", "setxattr"),
    )
    path = SimpleNamespace(join=os.path.join, isdir=kernel.isdir, relpath=os.path.relpath)
    return SimpleNamespace(
        **same,
        **pure,
        **{name: getattr(kernel, name) for name in calls},
        link=kernel.link_,
        path=path,
        urandom=_Word(),
    )


class _Word:
    """A random word that the next run has as well."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(size, "big")
