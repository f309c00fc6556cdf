"""People and programs that write at the same time: c16 to c25, and times that lie: c31 to c35."""

from __future__ import annotations

import mmap
import os
import pathlib
import tempfile
import threading
from collections.abc import Iterator

import pytest

from devenv.sync.core.guards import Halt, Side
from devenv.sync.core.merge import Why
from devenv.sync.side.apply import OWN
from tests.unit.sync.simulator.people import Action
from tests.unit.sync.simulator.schedule import Item, Schedule
from tests.unit.sync.simulator.world import World
from tests.unit.sync.test_session import Pair


@pytest.fixture
def pair() -> Iterator[Pair]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Pair(pathlib.Path(folder))


def write(root: pathlib.Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


async def test_c16_a_late_write_by_an_open_file_is_in_the_trash(pair: Pair) -> None:
    write(pair.container, "log", "old")
    await pair.cycle()
    with open(pair.container / "log", "a") as held:
        write(pair.host, "log", "new")
        assert (await pair.cycle()).settled
        held.write(" and late")
    assert (pair.container / "log").read_text() == "new"
    assert "old and late" in [
        path.read_text() for path in (pair.container / OWN / "trash").rglob("*") if path.is_file()
    ]


async def test_c17_a_file_that_grows_is_never_torn(pair: Pair) -> None:
    write(pair.host, "other", "other")
    log, stop = pair.host / "log", threading.Event()
    line = b"%09d\n" * 100

    def grow() -> None:
        with open(log, "ab", buffering=0) as file:
            while not stop.is_set():
                file.write(line)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        for _ in range(5):
            await pair.cycle()
            there = pair.container / "log"
            assert not there.exists() or log.read_bytes().startswith(there.read_bytes())
    finally:
        stop.set()
        writer.join()
    assert (pair.container / "other").read_text() == "other"
    await pair.settle()
    assert (pair.container / "log").read_bytes() == log.read_bytes()


async def test_c18_the_same_on_both_sides_is_no_conflict(pair: Pair) -> None:
    for root in pair.roots.values():
        write(root, "a", "same")
    report = await pair.cycle()
    assert report.settled and not report.conflicts and not any(report.done.values())
    for side, root in pair.roots.items():
        write(root, "b", side.value)
    report = await pair.settle()
    assert [(conflict.path, conflict.why) for conflict in report.conflicts] == [("b", Why.BOTH_CHANGED)]
    assert [(root / "b").read_text() for root in pair.roots.values()] == ["host", "container"]


@pytest.mark.parametrize(
    ("host", "container", "both"),
    [
        ([("write", "d/a", "new")], [("delete", "d/a")], {"d/a": b"new", "d/b": b"b"}),
        ([("write", "d/a", "new")], [("move", "d", "e")], {"d/a": b"new", "e/a": b"a", "e/b": b"b"}),
        ([("delete", "d/a")], [("move", "d/a", "c")], {"c": b"a", "d/b": b"b"}),
        ([("move", "d/a", "x")], [("move", "d/a", "y")], {"x": b"a", "y": b"a", "d/b": b"b"}),
        ([("move", "d", "x")], [("write", "d/new", "n")], {"x/a": b"a", "x/b": b"b", "d/new": b"n"}),
        ([("delete", "d/a"), ("delete", "d/b")], [("write", "d/b", "n")], {"d/b": b"n"}),
    ],
    ids=["edit-delete", "edit-move", "delete-move", "move-move", "move-new", "rm-new"],
)
async def test_c19_c24_edits_deletions_and_moves(
    host: list[tuple[str, ...]], container: list[tuple[str, ...]], both: dict[str, bytes], pair: Pair
) -> None:
    write(pair.host, "d/a", "a")
    write(pair.host, "d/b", "b")
    await pair.cycle()
    for root, done in ((pair.host, host), (pair.container, container)):
        for what, path, *more in done:
            if what == "write":
                write(root, path, *more)
            elif what == "delete":
                (root / path).unlink()
            else:
                (root / path).rename(root / more[0])
    report = await pair.settle()
    assert not report.conflicts
    assert pair.files(Side.HOST) == pair.files(Side.CONTAINER) == both


async def test_c20_moves_into_each_other_end(pair: Pair) -> None:
    write(pair.host, "a/x", "x")
    write(pair.host, "b/y", "y")
    await pair.cycle()
    (pair.host / "a").rename(pair.host / "b" / "a")
    (pair.container / "b").rename(pair.container / "a" / "b")
    report = await pair.settle()
    assert not report.conflicts
    files = pair.files(Side.HOST)
    assert files == pair.files(Side.CONTAINER) and set(files.values()) == {b"x", b"y"}


async def test_c21_a_file_in_place_of_a_folder_that_was_edited(pair: Pair) -> None:
    write(pair.host, "d/a", "a")
    await pair.cycle()
    (pair.host / "d" / "a").unlink()
    (pair.host / "d").rmdir()
    write(pair.host, "d", "a file")
    write(pair.container, "d/a", "edited")
    report = await pair.settle()
    assert [conflict.path for conflict in report.conflicts] == ["d"]
    assert (pair.host / "d").read_text() == "a file" and (pair.container / "d" / "a").read_text() == "edited"


async def test_c22_another_branch_while_it_is_looked_at(pair: Pair) -> None:
    for number in range(300):
        write(pair.host, f"src/{number % 20}/{number}.py", f"old {number}")
    await pair.cycle()

    def checkout() -> None:
        for number in range(300):
            path = pair.host / f"src/{number % 20}/{number}.py"
            if number % 10 == 0:
                path.unlink()
            else:
                path.with_suffix(".new").write_text(f"new {number}")
                path.with_suffix(".new").rename(path)
        write(pair.host, "src/added.py", "added")

    git = threading.Thread(target=checkout)
    git.start()
    while git.is_alive():
        await pair.cycle(allow_deletions=True)
    git.join()
    report = await pair.settle()
    assert not report.conflicts
    files = pair.files(Side.HOST)
    assert len(files) == 271 and files == pair.files(Side.CONTAINER)


async def test_c25_there_and_back_is_nothing(pair: Pair) -> None:
    write(pair.host, "a", "one")
    await pair.cycle()
    write(pair.host, "a", "two")
    write(pair.host, "a", "one")
    report = await pair.cycle()
    assert report.settled and not any(report.done.values())


async def test_c31_a_root_that_is_gone_is_no_deletion(pair: Pair) -> None:
    write(pair.host, "a", "a")
    await pair.cycle()
    pair.host.rename(pair.host.with_name("moved"))
    report = await pair.cycle(allow_deletions=True)
    assert report.halted is not None and report.halted.why is Halt.ROOT_GONE
    pair.host.with_name("moved").rename(pair.host)
    report = await pair.cycle()
    assert report.settled and pair.files(Side.CONTAINER) == {"a": b"a"}


def test_c33_clocks_that_jump() -> None:
    for side in ("host", "container"):
        items = [Item(Action("save", side, "a", text=b"0001")), Item(Action("cycle", to="exact"))]
        for number in range(2, 6):
            items += [Item(Action("jump", side)), Item(Action("save", side, "a", text=b"%04d" % number))]
            items += [Item(Action("cycle", to="exact"))]
        world = World(Schedule(0, tuple(items), alone=side))
        world.run()
        assert [disk.at("a").data for disk in world.disks.values()] == [b"0005", b"0005"]  # type: ignore[union-attr]


async def test_c34_an_edit_with_its_time_set_back(pair: Pair) -> None:
    write(pair.host, "a", "one")
    await pair.cycle()
    info = (pair.host / "a").stat()
    write(pair.host, "a", "two")
    os.utime(pair.host / "a", ns=(info.st_atime_ns, info.st_mtime_ns))
    await pair.settle()
    assert (pair.container / "a").read_text() == "two"


async def test_c35_what_was_written_through_memory(pair: Pair) -> None:
    (pair.host / "a").write_bytes(bytes(4096))
    await pair.cycle()
    with open(pair.host / "a", "r+b") as file, mmap.mmap(file.fileno(), 4096) as memory:
        memory[0:3] = b"new"
        await pair.session.verify()
    assert (pair.container / "a").read_bytes()[:3] == b"new"
