"""What the calls give back: open files, entries of folders."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.unit.sync.simulator.disks import Disk, Info, Inode, error

if TYPE_CHECKING:
    from tests.unit.sync.simulator.kernel import Kernel


class Handle:
    __slots__ = ("disk", "flags", "inode", "position")

    def __init__(self, disk: Disk, inode: Inode, flags: int) -> None:
        self.disk = disk
        self.inode = inode
        self.flags = flags
        self.position = 0


class Entry:
    __slots__ = ("_inode", "_kernel", "_parent", "disk", "name", "path")

    def __init__(self, kernel: Kernel, disk: Disk, parent: Inode, path: str, name: str, inode: Inode) -> None:
        self._kernel = kernel
        self.disk = disk
        self._parent = parent
        self.name = name
        self._inode = inode
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
            raise error(errno.ENOENT)
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
