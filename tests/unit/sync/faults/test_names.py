"""Names, types and permissions: c36 to c50."""

from __future__ import annotations

import os
import pathlib
import socket
import stat
import subprocess
import tempfile
import unicodedata
from collections.abc import Callable, Iterator

import pytest

from devenv.sync.core.guards import Side
from devenv.sync.session import Report
from tests.unit.sync.simulator.folding import FoldingDisk
from tests.unit.sync.simulator.installed import install
from tests.unit.sync.simulator.people import Action
from tests.unit.sync.simulator.schedule import Schedule
from tests.unit.sync.simulator.world import World
from tests.unit.sync.test_session import Pair


@pytest.fixture
def pair() -> Iterator[Pair]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Pair(pathlib.Path(folder))


class Folding:
    """A host whose file system folds names, and a container whose does not."""

    def __init__(self, stores: Callable[[str], str], same: Callable[[str], str]) -> None:
        host = FoldingDisk("host", 1, stores, same)
        self.world = World(Schedule(0, ()), host)

    def act(self, what: str, side: str, path: str, text: bytes = b"", to: str = "") -> None:
        assert self.world.people.act(self.world.disks[side], Action(what, side, path, to, text))

    def cycle(self) -> Report:
        self.world.kernel.now += 3 * 10**9
        with install(self.world.kernel):
            report = self.world.cycle("none")
        assert report is not None
        return report

    def files(self, side: str) -> dict[str, bytes]:
        disk = self.world.disks[side]
        return {path: inode.data for path, inode in disk.walk() if inode.kind == stat.S_IFREG}


def plain(name: str) -> str:
    return name


def decomposed(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def test_c36_two_names_that_are_one_on_the_other_side() -> None:
    folding = Folding(plain, str.casefold)
    folding.act("save", "container", "A.txt", b"upper")
    folding.act("save", "container", "a.txt", b"lower")
    first = folding.cycle()
    assert [failure.path for failure in first.failures] == ["a.txt"]
    for _ in range(3):
        report = folding.cycle()
        assert [failure.path for failure in report.failures] == ["a.txt"] and not any(report.done.values())
    assert folding.files("host") == {"A.txt": b"upper"}
    assert folding.files("container") == {"A.txt": b"upper", "a.txt": b"lower"}


@pytest.mark.parametrize("side", ["host", "container"])
def test_c37_only_the_case_of_a_name_changes(side: str) -> None:
    folding = Folding(plain, str.casefold)
    folding.act("save", "host", "Foo", b"text")
    folding.cycle()
    other = "container" if side == "host" else "host"
    disk = folding.world.disks[side]
    folding.world.kernel.carry(disk, disk.root, "Foo", disk.root, "foo")
    for _ in range(3):
        report = folding.cycle()
    assert report.settled and not any(report.done.values())
    assert folding.files(side) == folding.files(other) == {"foo": b"text"}


def test_c38_a_host_that_decomposes_names() -> None:
    folding = Folding(decomposed, decomposed)
    composed = unicodedata.normalize("NFC", "café")
    folding.act("save", "container", composed, b"text")
    reports = [folding.cycle() for _ in range(5)]
    assert reports[-1].settled and not any(reports[-1].done.values())
    assert folding.files("host") == {decomposed(composed): b"text"}
    assert list(folding.files("container").values()) == [b"text"]


async def test_c39_names_that_nobody_likes(pair: Pair) -> None:
    names = [b"\xff", b"new\nline", b"tab\t", b"-rf", b"space ", b"dot.", "🙂".encode(), b"n" * 255, b"*", b'"', b"con"]
    for name in names:
        pathlib.Path(os.fsdecode(bytes(pair.host) + b"/" + name)).write_bytes(name)
    report = await pair.settle()
    assert not report.conflicts
    assert sorted(map(os.fsencode, os.listdir(pair.container))) == sorted([*names, b".devenv"])


async def test_c39_a_path_longer_than_paths_may_be(pair: Pair) -> None:
    depth = 0
    here = os.open(pair.host, os.O_RDONLY)
    while depth < 20:
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here, depth = below, depth + 1
    os.close(here)
    (pair.host / "a").write_text("a")
    report = await pair.cycle()
    assert (pair.container / "a").read_text() == "a"
    assert report.conflicts and all(conflict.why.name == "UNREADABLE" for conflict in report.conflicts)


async def test_c41_what_is_no_file_stays_where_it_is(pair: Pair) -> None:
    os.mkfifo(pair.host / "pipe")
    os.mknod(pair.host / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(pair.host / "socket"))
        (pair.host / "a").write_text("a")
        report = await pair.settle()
    assert not report.conflicts and pair.files(Side.CONTAINER) == {"a": b"a"}
    assert sorted(os.listdir(pair.host)) == [".devenv", "a", "null", "pipe", "socket"]


async def test_c42_links_are_copied_and_never_followed(pair: Pair, tmp_path: pathlib.Path) -> None:
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "secret").write_text("secret")
    (pair.host / "in").mkdir()
    (pair.host / "in" / "a").write_text("a")
    for name, target in {
        "relative": "in/a", "absolute": str(canary), "out": "../../etc/passwd", "nowhere": "none", "loop": "loop",
    }.items():  # fmt: skip
        (pair.host / name).symlink_to(target)
    (pair.host / "swapped").mkdir()
    (pair.host / "swapped" / "b").write_text("b")
    await pair.settle()
    for name in ("relative", "absolute", "out", "nowhere", "loop"):
        assert (pair.container / name).readlink() == (pair.host / name).readlink()
    (pair.container / "swapped").rename(pair.container / "was")
    (pair.container / "swapped").symlink_to(canary)
    (pair.host / "swapped" / "b").write_text("edited")
    await pair.cycle()
    assert [path.name for path in canary.iterdir()] == ["secret"] and (canary / "secret").read_text() == "secret"


async def test_c42_a_link_gives_way_to_a_folder(pair: Pair) -> None:
    (pair.host / "in").mkdir()
    (pair.host / "d").symlink_to("in")
    await pair.settle()
    (pair.host / "d").unlink()
    (pair.host / "d").mkdir()
    (pair.host / "d" / "a").write_text("a")
    assert not (await pair.settle()).conflicts
    assert not (pair.container / "d").is_symlink() and (pair.container / "d" / "a").read_text() == "a"
    assert list((pair.container / "in").iterdir()) == []


async def test_c44_what_may_not_be_written_is_a_failure_of_that_path(pair: Pair) -> None:
    for name in ("fixed/a", "free/a"):
        (pair.host / name).parent.mkdir()
        (pair.host / name).write_text("old")
    await pair.settle()
    mounted = pair.container / "fixed"
    subprocess.run(["mount", "--bind", str(mounted), str(mounted)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(mounted)], check=True)
        for name in ("fixed/a", "free/a"):
            (pair.host / name).write_text("new")
        report = await pair.cycle()
        assert [failure.path for failure in report.failures] == ["fixed/a"]
        assert (pair.container / "free" / "a").read_text() == "new"
        assert (pair.host / "fixed" / "a").read_text() == "new"
    finally:
        subprocess.run(["umount", str(mounted)], check=True)
    await pair.settle()
    assert (pair.container / "fixed" / "a").read_text() == "new"


async def test_c46_the_executable_bit_alone(pair: Pair) -> None:
    (pair.host / "run").write_text("run")
    await pair.settle()
    before = (pair.container / "run").stat().st_ino
    for mode in (0o755, 0o644):
        (pair.host / "run").chmod(mode)
        await pair.settle()
        there = (pair.container / "run").stat()
        assert stat.S_IMODE(there.st_mode) == mode and there.st_ino == before


async def test_c47_no_other_bit_travels(pair: Pair) -> None:
    for mode in (0o4755, 0o2755, 0o1644, 0o666, 0o700):
        (pair.host / f"{mode:o}").write_text("a")
        (pair.host / f"{mode:o}").chmod(mode)
    await pair.settle()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in pair.container.iterdir() if path.is_file()}
    assert modes == {"4755": 0o755, "2755": 0o755, "1644": 0o644, "666": 0o644, "700": 0o755}


async def test_c48_two_names_of_one_file(pair: Pair) -> None:
    (pair.host / "a").write_text("one")
    os.link(pair.host / "a", pair.host / "b")
    await pair.settle()
    with open(pair.host / "a", "w") as file:
        file.write("both")
    await pair.settle()
    assert pair.files(Side.CONTAINER) == {"a": b"both", "b": b"both"}
    (pair.container / "a").write_text("apart")
    await pair.settle()
    assert pair.files(Side.HOST) == {"a": b"apart", "b": b"both"} == pair.files(Side.CONTAINER)


async def test_c49_c50_another_file_system_inside(pair: Pair) -> None:
    (pair.host / "a").write_text("a")
    (pair.container / "mounted").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(pair.container / "mounted")], check=True)
    try:
        (pair.container / "mounted" / "x").write_text("x")
        report = await pair.settle()
        assert not report.conflicts and pair.files(Side.HOST) == {"a": b"a"}
        assert (pair.container / "mounted" / "x").read_text() == "x"
    finally:
        subprocess.run(["umount", str(pair.container / "mounted")], check=True)
