"""The simulator's kernel answers as the real one does: results, errors, and what is there afterwards."""

from __future__ import annotations

import os
import pathlib
import random
import stat
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devenv.sync.side import renaming
from tests.unit.sync.simulator.disks import Disk
from tests.unit.sync.simulator.kernel import Kernel
from tests.unit.sync.simulator.system import as_os

NAMES = ("a", "b", "d", "d/a", "d/e", "d/e/a", "link", "link/a", "none/a")
READ, FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
CALLS = (
    "lstat", "readlink", "listdir", "read", "folder", "create", "write", "mkdir", "symlink", "unlink", "rmdir",
    "rename", "chmod", "utime", "exchange", "move",
)  # fmt: skip


class Machine:
    """One of the two: its `os`, its root, and renameat2."""

    def __init__(self, os_: Any, root: str, renameat2: Callable[[int, str, int, str, int], None]) -> None:
        self.os, self.root, self._renameat2 = os_, root, renameat2

    def do(self, call: str, name: str, to: str) -> object:
        """What it gives, or the number of its error."""
        path, there = f"{self.root}/{name}", f"{self.root}/{to}"
        try:
            return self._do(call, path, there)
        except OSError as error:
            return "error", error.errno

    def _do(self, call: str, path: str, there: str) -> object:
        match call:
            case "lstat":
                info = self.os.lstat(path)
                return stat.S_IFMT(info.st_mode), info.st_size if not stat.S_ISDIR(info.st_mode) else 0
            case "listdir":
                return sorted(self.os.listdir(path))
            case "read":
                return self._with(path, READ, lambda number: self.os.read(number, 100))
            case "folder":
                return self._with(path, FOLDER, lambda number: sorted(self.os.listdir(number)))
            case "create":
                return self._with(path, NEW, lambda number: self.os.write(number, there.rpartition("/")[2].encode()))
            case "write":
                write = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW
                return self._with(path, write, lambda number: self.os.write(number, b"more"))
            case "symlink":
                return self.os.symlink("d", path)
            case "rename":
                return self.os.rename(path, there)
            case "chmod" if stat.S_ISLNK(self.os.lstat(path).st_mode):
                return None  # there is no such call for links
            case "chmod":
                return self.os.chmod(path, 0o755)
            case "utime" if stat.S_ISLNK(self.os.lstat(path).st_mode):
                return None
            case "utime":
                self.os.utime(path, ns=(10**9, 2 * 10**9))
                return self.os.lstat(path).st_mtime_ns
            case "exchange" | "move":
                flags = 2 if call == "exchange" else 1
                return self._with(
                    self.root,
                    FOLDER,
                    lambda folder: self._renameat2(
                        folder, path.rpartition("/")[2], folder, there.rpartition("/")[2], flags
                    ),
                )
        return getattr(self.os, call)(path)

    def _with(self, path: str, flags: int, use: Callable[[int], object]) -> object:
        number = self.os.open(path, flags, 0o644)
        try:
            return use(number)
        finally:
            self.os.close(number)

    def times(self) -> dict[str, tuple[int, int, int]]:
        found = {}
        for name in NAMES:
            try:
                info = self.os.lstat(f"{self.root}/{name}")
            except OSError:
                continue
            found[name] = info.st_ino, info.st_mtime_ns, info.st_ctime_ns
        return found


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made:
        yield pathlib.Path(made)


@pytest.mark.parametrize("block", range(4))
def test_the_same_calls_give_the_same(block: int, folder: pathlib.Path) -> None:
    for seed in range(block * 50, (block + 1) * 50):
        chance = random.Random(seed)
        kernel = Kernel({"host": Disk("host", 1), "container": Disk("container", 2)})
        root = folder / str(seed)
        root.mkdir()
        both = Machine(os, str(root), renaming._call), Machine(as_os(kernel), "/host", kernel.renameat2)
        said = []
        for _ in range(60):
            call, name, to = chance.choice(CALLS), chance.choice(NAMES), chance.choice(NAMES)
            if call in ("rename", "exchange", "move") and f"{to}/".startswith(f"{name}/"):
                continue  # into itself: the engine never does
            if call in ("exchange", "move") and f"{name}/".startswith(f"{to}/"):
                continue
            kernel.now += 10**9
            before = [machine.times() for machine in both]
            real, simulated = (machine.do(call, name, to) for machine in both)
            said.append(f"{call} {name} {to}: {real}")
            if call == "rename" and isinstance(real, tuple) and isinstance(simulated, tuple):
                continue  # which of two reasons comes first
            assert simulated == real, f"seed {seed}: {simulated}\n" + "\n".join(said)
            if call in ("listdir", "read", "lstat", "folder"):
                continue
            # Whoever stays at its name under the same number has another ctime in both or in none.
            after = [machine.times() for machine in both]
            for path in before[0].keys() & after[0].keys() & before[1].keys() & after[1].keys():
                stays = [was[path][0] == now[path][0] for was, now in zip(before, after, strict=True)]
                if all(stays):
                    changed = [was[path][2] != now[path][2] for was, now in zip(before, after, strict=True)]
                    assert changed[1] or not changed[0], f"seed {seed}: ctime of {path}\n" + "\n".join(said)
        assert both[0].times().keys() == both[1].times().keys()
