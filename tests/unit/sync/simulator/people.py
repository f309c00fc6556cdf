"""What people and their programs do on a disk: never asked, at any moment, and each of it is whole at once."""

from __future__ import annotations

import dataclasses
import stat

from tests.unit.sync.simulator.disks import OWN, Disk, Inode
from tests.unit.sync.simulator.kernel import Kernel


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    what: str
    side: str = ""
    path: str = ""
    to: str = ""
    text: bytes = b""

    def __str__(self) -> str:
        said = [self.what.replace("_", " "), self.side]
        said += [self.path] if self.path else []
        said += ["->", self.to] if self.to else []
        said += [repr(self.text)[1:]] if self.text else []
        return " ".join(said)


class People:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._open: dict[str, Inode] = {}

    def act(self, disk: Disk, action: Action) -> bool:
        """False: it was not possible, as things are."""
        return bool(getattr(self, action.what)(disk, action))

    def _above(self, disk: Disk, path: str, make: bool = False) -> tuple[Inode, str] | None:
        at = disk.root
        *above, name = path.split("/")
        for part in above:
            below = at.entries.get(part)
            if below is None and make:
                below = disk.born(stat.S_IFDIR, 0o755)
                self._kernel.link(disk, at, part, below)
            if below is None or not below.is_folder or below.denied:
                return None
            at = below
        return at, name

    def _file(self, disk: Disk, path: str) -> Inode | None:
        place = self._above(disk, path)
        inode = place[0].entries.get(place[1]) if place else None
        return inode if inode is not None and inode.kind == stat.S_IFREG else None

    def _write(self, disk: Disk, inode: Inode, text: bytes) -> None:
        inode.data, inode.kept = text, True
        inode.mtime = inode.ctime = self._kernel.stamp(disk)
        disk.undurable.discard(inode)
        if inode.parent is not None:
            disk.touch(inode.parent)
            disk.show(inode)

    def _new(self, disk: Disk, folder: Inode, name: str, text: bytes) -> Inode:
        inode = disk.born(stat.S_IFREG, 0o644)
        inode.data, inode.kept = text, True
        inode.mtime = self._kernel.stamp(disk)
        self._kernel.link(disk, folder, name, inode)
        return inode

    def save(self, disk: Disk, action: Action) -> bool:
        """In place."""
        place = self._above(disk, action.path, make=True)
        if place is None:
            return False
        there = place[0].entries.get(place[1])
        if there is None:
            self._new(disk, *place, action.text)
        elif there.kind == stat.S_IFREG and not there.denied:
            self._write(disk, there, action.text)
        else:
            return False
        return True

    def put(self, disk: Disk, action: Action) -> bool:
        """A new file takes the name of the old one, as careful editors do."""
        place = self._above(disk, action.path, make=True)
        if place is None:
            return False
        there = place[0].entries.get(place[1])
        if there is not None:
            if there.is_folder:
                return False
            self._lose(disk, *place)
        self._new(disk, *place, action.text)
        return True

    def back(self, disk: Disk, action: Action) -> bool:
        inode = self._file(disk, action.path)
        if inode is None:
            return False
        text = inode.data
        self._write(disk, inode, action.text)
        self._write(disk, inode, text)
        return True

    def backdate(self, disk: Disk, action: Action) -> bool:
        """As long as before, and its time set back."""
        inode = self._file(disk, action.path)
        if inode is None:
            return False
        at = inode.mtime
        self._write(disk, inode, action.text.ljust(len(inode.data), b".")[: max(len(inode.data), len(action.text))])
        inode.mtime = at
        return True

    def hold(self, disk: Disk, action: Action) -> bool:
        inode = self._file(disk, action.path)
        if inode is None:
            return False
        self._open[disk.name] = inode
        return True

    def late(self, disk: Disk, action: Action) -> bool:
        """By a descriptor that was opened long ago, wherever the file is by now."""
        inode = self._open.pop(disk.name, None)
        if inode is None or inode.parent is None:
            return False
        self._write(disk, inode, action.text)
        return True

    def _lose(self, disk: Disk, folder: Inode, name: str) -> None:
        path = disk.path(folder)
        disk.taken.add(f"{path}/{name}" if path else name)
        inode = self._kernel.unlink_entry(disk, folder, name)
        if inode.links:
            inode.kept = (
                False  # only a second name of ours is left, from a move that a crash ended: they wanted it gone
            )

    def delete(self, disk: Disk, action: Action) -> bool:
        place = self._above(disk, action.path)
        inode = place[0].entries.get(place[1]) if place else None
        if place is None or inode is None:
            return False
        self._delete(disk, *place)
        return True

    def _delete(self, disk: Disk, folder: Inode, name: str) -> None:
        inode = folder.entries[name]
        for below in list(inode.entries):
            self._delete(disk, inode, below)
        self._lose(disk, folder, name)

    def move(self, disk: Disk, action: Action) -> bool:
        """Over what is there, if that is a file."""
        source = self._above(disk, action.path)
        inode = source[0].entries.get(source[1]) if source else None
        if source is None or inode is None or f"{action.to}/".startswith(f"{action.path}/"):
            return False
        target = self._above(disk, action.to, make=True)
        if target is None:
            return False
        if disk.path(target[0]) is None or f"{disk.path(target[0])}/".startswith(f"{action.path}/"):
            return False
        there = target[0].entries.get(target[1])
        if there is inode:
            return False
        if there is not None:
            if there.is_folder or inode.is_folder:
                return False
            self._lose(disk, *target)
        if inode.is_folder and self._kernel.cycling:
            self._kernel.excused = True  # from now on a path is not what the engine took it for
        disk.taken.add(action.path)
        disk.taken.update(path for path, _ in disk.walk(inode, action.path))
        self._kernel.carry(disk, *source, *target)
        return True

    def mkdir(self, disk: Disk, action: Action) -> bool:
        place = self._above(disk, action.path, make=True)
        if place is None or place[1] in place[0].entries:
            return False
        self._kernel.link(disk, *place, disk.born(stat.S_IFDIR, 0o755))
        return True

    def chmod(self, disk: Disk, action: Action) -> bool:
        inode = self._file(disk, action.path)
        if inode is None:
            return False
        inode.mode ^= 0o111
        inode.ctime = self._kernel.stamp(disk)
        assert inode.parent is not None
        disk.touch(inode.parent)
        return True

    def _odd(self, disk: Disk, action: Action, kind: int, target: bytes) -> bool:
        place = self._above(disk, action.path, make=True)
        if place is None or place[1] in place[0].entries:
            return False
        inode = disk.born(kind, 0o777)
        inode.data = target
        self._kernel.link(disk, *place, inode)
        return True

    def symlink(self, disk: Disk, action: Action) -> bool:
        return self._odd(disk, action, stat.S_IFLNK, action.to.encode())

    def pipe(self, disk: Disk, action: Action) -> bool:
        return self._odd(disk, action, stat.S_IFIFO, b"")

    def deny(self, disk: Disk, action: Action) -> bool:
        """Nobody may read it from now on."""
        place = self._above(disk, action.path)
        inode = place[0].entries.get(place[1]) if place else None
        if inode is None or inode.kind not in (stat.S_IFREG, stat.S_IFDIR):
            return False
        self._access(disk, inode, denied=True)
        return True

    def _access(self, disk: Disk, inode: Inode, *, denied: bool) -> None:
        inode.denied, inode.ctime = denied, self._kernel.stamp(disk)
        assert inode.parent is not None
        disk.touch(inode.parent)
        if inode.is_folder:
            disk.touch(inode)

    def allow(self, disk: Disk) -> None:
        for _, inode in disk.walk():
            if inode.denied:
                self._access(disk, inode, denied=False)

    def checkout(self, disk: Disk, action: Action) -> bool:
        """Another branch: everything of it at once, and what the old one had besides is gone."""
        for name in [name for name in disk.root.entries if name != OWN]:
            self._delete(disk, disk.root, name)
        for number, path in enumerate(action.to.split(" ")):
            place = self._above(disk, path, make=True)
            if place is not None and place[1] not in place[0].entries:
                self._new(disk, *place, action.text + b"%d" % number)
        return True

    def thin(self, disk: Disk, action: Action) -> bool:
        """All but one."""
        files = [path for path, inode in disk.walk() if inode.kind == stat.S_IFREG]
        for path in files[1:]:
            self.delete(disk, Action("delete", disk.name, path))
        return len(files) > 1

    def swap(self, disk: Disk, action: Action) -> bool:
        """Two folders change places."""
        there = [disk.root.entries.get(name) for name in (action.path, action.to)]
        if not all(inode is not None and inode.is_folder for inode in there):
            return False
        return (
            self.move(disk, Action("move", disk.name, action.path, "x"))
            and self.move(disk, Action("move", disk.name, action.to, action.path))
            and self.move(disk, Action("move", disk.name, "x", action.to))
        )

    def empty(self, disk: Disk, action: Action) -> bool:
        """`rm -rf *`; with `.devenv`, `.[a-z]*` as well."""
        for name in list(disk.root.entries):
            if name != OWN or action.path == OWN:
                self._delete(disk, disk.root, name)
        return True
