"""A file system for which some names are the same: macOS's, as far as the engine meets it."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.sync.simulator.disks import Disk, Inode


class Folded(dict[str, Inode]):
    """The entries of a folder. `stores` is what becomes of a name when it is written; names that are `same` are one."""

    def __init__(self, stores: Callable[[str], str], same: Callable[[str], str]) -> None:
        super().__init__()
        self._stores, self._same = stores, same
        self._names: dict[str, str] = {}

    def _name(self, name: str) -> str:
        return self._names.get(self._same(name), name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(self._name(name))

    def __getitem__(self, name: str) -> Inode:
        return super().__getitem__(self._name(name))

    def __setitem__(self, name: str, inode: Inode) -> None:
        name = self._names.setdefault(self._same(name), self._stores(name))
        super().__setitem__(name, inode)

    def get(self, name: str, default: object = None) -> Inode | None:  # type: ignore[override]
        return super().get(self._name(name))

    def pop(self, name: str) -> Inode:  # type: ignore[override]
        return super().pop(self._names.pop(self._same(name), name))


class FoldingDisk(Disk):
    def __init__(
        self, name: str, device: int, stores: Callable[[str], str] = str, same: Callable[[str], str] = str.casefold
    ) -> None:
        self._stores, self._same = stores, same
        super().__init__(name, device)

    def born(self, kind: int, mode: int) -> Inode:
        inode = super().born(kind, mode)
        inode.entries = Folded(self._stores, self._same)
        return inode
