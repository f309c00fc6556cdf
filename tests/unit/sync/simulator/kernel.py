"""The calls of `os` that the two sides make, over disks that are only numbers. Everything happens at a call: people
write between two of them, and the process dies at any.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from types import SimpleNamespace

from tests.unit.sync.simulator.disks import OWN, Disk, Info, Inode, error
from tests.unit.sync.simulator.ground import Ground
from tests.unit.sync.simulator.opened import Entry, File, Handle, Listing


class Kernel(Ground):
    """Errors as the real one has them; `tests/contract/sync` compares the two."""

    def lstat(self, path: str, *, dir_fd: int | None = None) -> Info:
        return self.info(*self._inode(path, dir_fd, "lstat"))

    def stat(self, path: str, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Info:
        assert not follow_symlinks
        return self.lstat(path, dir_fd=dir_fd)

    def readlink(self, path: str, *, dir_fd: int | None = None) -> str:
        _, inode = self._inode(path, dir_fd, "readlink")
        if inode.kind != stat.S_IFLNK:
            raise error(errno.EINVAL, path)
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
            raise error(errno.EACCES, path)
        if not inode.is_folder:
            raise error(errno.ENOTDIR, path)
        return Listing([Entry(self, disk, inode, str(path), name, child) for name, child in inode.entries.items()])

    def listdir(self, path: str | int) -> list[str]:
        with self.scandir(path) as listing:
            return [entry.name for entry in listing]

    def open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        disk, folder, name = self._place(path, dir_fd, "open")
        if not name:
            inode: Inode | None = folder
        elif folder.denied:
            raise error(errno.EACCES, path)
        elif folder.is_folder:
            inode = folder.entries.get(name)
        else:
            raise error(errno.ENOTDIR, path)
        if inode is None:
            if not flags & os.O_CREAT:
                raise error(errno.ENOENT, path)
            inode = disk.born(stat.S_IFREG, mode & 0o777 & ~0o022)
            inode.mtime = self.stamp(disk)
            self._changes(disk, folder, name)
            self.link(disk, folder, name, inode)
            disk.undurable.add(inode)
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise error(errno.EEXIST, path)
        if inode.is_folder:
            if flags & _WRITES and not inode.denied:
                raise error(errno.EISDIR, path)
        elif inode.kind == stat.S_IFLNK:
            if flags & os.O_DIRECTORY and flags & os.O_NOFOLLOW:
                raise error(errno.ENOTDIR, path)
            if flags & os.O_NOFOLLOW:
                raise error(errno.ELOOP, path)
            raise AssertionError(f"a link was opened: {path}")
        elif flags & os.O_DIRECTORY:
            raise error(errno.ENOTDIR, path)
        if inode.denied:
            raise error(errno.EACCES, path)
        if inode.kind == stat.S_IFIFO and not flags & os.O_NONBLOCK:
            self.forbid("a pipe was opened so that it blocks")
        self._next = number = self._next + 1
        self.fds[number] = Handle(disk, inode, flags)
        if flags & os.O_TRUNC and inode.data:
            self.truncate(number, 0)
        return number

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
            raise error(errno.EISDIR)
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
        if not handle.flags & _WRITES:
            raise error(errno.EBADF)
        if inode.kept:
            self.forbid(f"{disk.name}: the engine wrote into {inode.data!r}")
        data = bytes(data)
        if disk.space is not None:
            if disk.space <= 0:
                raise error(errno.ENOSPC)
            data = data[: disk.space]
            disk.space -= len(data)
        at = len(inode.data) if handle.flags & os.O_APPEND else handle.position
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
            raise error(errno.EEXIST, path)
        if folder.denied:
            raise error(errno.EACCES, path)
        if folder.links == 0:
            raise error(errno.ENOENT, path)
        self._changes(disk, folder, name)
        self.link(disk, folder, name, disk.born(stat.S_IFDIR, mode & ~0o022))

    def symlink(self, target: str, path: str, *, dir_fd: int | None = None) -> None:
        disk, folder, name = self._place(path, dir_fd, "symlink")
        if name in folder.entries:
            raise error(errno.EEXIST, path)
        inode = disk.born(stat.S_IFLNK, 0o777)
        inode.data = target.encode()
        self._changes(disk, folder, name)
        self.link(disk, folder, name, inode)

    def _removable(self, path: str, dir_fd: int | None, call: str) -> tuple[Disk, Inode, str, Inode]:
        disk, folder, name = self._place(path, dir_fd, call)
        if folder.denied:
            raise error(errno.EACCES, path)
        inode = folder.entries.get(name)
        if inode is None:
            raise error(errno.ENOENT, path)
        return disk, folder, name, inode

    def unlink(self, path: str, *, dir_fd: int | None = None) -> None:
        disk, folder, name, inode = self._removable(path, dir_fd, "unlink")
        if inode.is_folder:
            raise error(errno.EISDIR, path)
        self._destroys(disk, inode)
        self._changes(disk, folder, name)
        self.unlink_entry(disk, folder, name)

    remove = unlink

    def rmdir(self, path: str, *, dir_fd: int | None = None) -> None:
        disk, folder, name, inode = self._removable(path, dir_fd, "rmdir")
        if not inode.is_folder:
            raise error(errno.ENOTDIR, path)
        if inode.entries:
            raise error(errno.ENOTEMPTY, path)
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
        _, folder, name = self._place(new, dst_dir_fd, "link")
        disk, _, _, inode = self._removable(old, src_dir_fd, "link")
        if name in folder.entries:
            raise error(errno.EEXIST, new)
        self._changes(disk, folder, name)
        self.link(disk, folder, name, inode)

    def rename(self, old: str, new: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        _, folder, to = self._place(new, dst_dir_fd, "rename")
        disk, source, name, inode = self._removable(old, src_dir_fd, "rename")
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
            raise error(errno.ENOENT, new)
        for place, at, leaves in ((source, name, inode), (folder, new, theirs)):
            self._changes(disk, place, at, leaves)
        source.entries[name], folder.entries[new] = theirs, inode
        disk.moved()
        inode.parent, inode.name, theirs.parent, theirs.name = folder, new, source, name
        for each in (source, folder):
            each.mtime = each.ctime = self.stamp(disk)
            disk.touch(each)
        for moved in (inode, theirs):
            moved.ctime = self.stamp(disk)
            disk.show(moved)

    def _move(self, disk: Disk, source: Inode, name: str, inode: Inode, folder: Inode, to: str, over: bool) -> None:
        if folder.denied:
            raise error(errno.EACCES, to)
        if folder.links == 0:
            raise error(errno.ENOENT, to)
        there = folder.entries.get(to)
        if there is not None and not over:
            raise error(errno.EEXIST, to)
        if there is inode:
            return
        if there is not None and there.is_folder is not inode.is_folder:
            raise error(errno.EISDIR if there.is_folder else errno.ENOTDIR, to)
        if there is not None and there.entries:
            raise error(errno.ENOTEMPTY, to)
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
            if (handle.disk.untouchable or handle.disk.gives) and not path.startswith(OWN):
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
            raise error(errno.ENODATA)
        return disk.attributes[name]

    def setxattr(self, path: str, name: str, value: bytes) -> None:
        disk, _ = self._inode(path, None, "setxattr")
        if disk.attributes is None:
            raise error(errno.ENOTSUP)
        disk.attributes[name] = value

    def time(self) -> float:
        """Of the side whose call was the last one."""
        return (self.now + self.at.skew) / 1e9

    def fopen(self, path: str | int, mode: str = "r", *_: object, **__: object) -> File:
        number = path if isinstance(path, int) else self.open(path, _FLAGS[mode.replace("b", "")], 0o666)
        return File(self, number, "b" not in mode)


_WRITES = os.O_WRONLY | os.O_RDWR
_FLAGS = {
    "r": os.O_RDONLY,
    "r+": os.O_RDWR,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}
