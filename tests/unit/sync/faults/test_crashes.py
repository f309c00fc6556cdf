"""Crash and power: c1 to c13."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

from devenv.sync.core.guards import Halt, Side
from devenv.sync.core.merge import Why
from tests.unit.sync.simulator.people import Action
from tests.unit.sync.simulator.runner import run
from tests.unit.sync.simulator.schedule import Item, Schedule
from tests.unit.sync.simulator.world import World
from tests.unit.sync.test_session import Pair

CYCLE = Item(Action("cycle", to="none"))
BEFORE = (
    Item(Action("save", "host", "a", text=b"0001")),
    Item(Action("save", "host", "d/a", text=b"0002")),
    Item(Action("save", "container", "b", text=b"0003")),
    CYCLE,
    Item(Action("save", "host", "a", text=b"0004")),
    Item(Action("delete", "host", "d/a")),
    Item(Action("save", "container", "b", text=b"0005")),
    Item(Action("save", "container", "e/a", text=b"0006")),
    Item(Action("chmod", "container", "a")),
)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Pair(pathlib.Path(folder))


def calls() -> int:
    world = World(Schedule(0, (*BEFORE, CYCLE)))
    world.run()
    return world.kernel.calls


def swept(what: str, pieces: int = 0) -> None:
    """It happens at each call of the kernel once, and everything must come right every time."""
    most = calls()
    assert most > 300
    for count in range(1, most + 1):
        trouble = Item(Action(what, "container"), "", count)
        failed = run(dataclasses.replace(Schedule(0, (*BEFORE, trouble, CYCLE)), pieces=pieces))
        assert failed is None, str(failed)


@pytest.mark.parametrize("what", ["crash", "orphan"])
def test_c01_the_host_dies_at_any_operation(what: str) -> None:
    swept(what)


def test_c02_the_far_side_dies_at_any_operation() -> None:
    swept("kill", pieces=5)


def test_c03_what_was_done_and_not_remembered_is_adopted() -> None:
    world = World(Schedule(0, (*BEFORE, Item(Action("crash"), "save", 1), CYCLE)))
    world.run()
    after = world.story[world.story.index("  quiet") + 1 :]
    assert "  cycle: Crash()" in world.story
    assert set(after) == {"  cycle: nothing"}


def test_c04_between_exchange_and_trash_the_old_content_is_found() -> None:
    crash = Item(Action("crash"), "move", 1)
    items = (
        Item(Action("save", "host", "a", text=b"0001")),
        CYCLE,
        Item(Action("save", "host", "a", text=b"0002")),
        crash,
        CYCLE,
    )
    world = World(Schedule(0, items))
    world.run()
    disk = world.disks["container"]
    there = disk.at("a")
    assert there is not None and there.data == b"0002"
    trash = disk.own("trash")
    assert trash is not None
    (recovered,) = trash.entries["recovered"].entries.values()
    assert recovered.data == b"0001"


SCRIPT = """
import asyncio, pathlib, sys
from tests.unit.sync.test_session import Pair
base = pathlib.Path(sys.argv[1])
pair = Pair(base)
count = int(sys.argv[2])
for number in range(count):
    (pair.host / f"new{number}").write_text("new")
(pair.host / "edited").write_text("old")
asyncio.run(pair.cycle())
print("begins", flush=True)
(pair.host / "edited").write_text("newer")
for number in range(count):
    (pair.host / f"new{number}").write_text("newer")
asyncio.run(pair.cycle())
"""


@pytest.mark.parametrize("count", [1, 20], ids=["few", "many"])
def test_c05_contents_then_names_then_the_agreement(count: int, tmp_path: pathlib.Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    log = tmp_path / "log"
    traced = "trace=fsync,fdatasync,syncfs,renameat2,rename,renameat,write,pwrite64"
    command = [
        "strace",
        "-f",
        "-y",
        "-e",
        traced,
        "-o",
        str(log),
        sys.executable,
        "-c",
        SCRIPT,
        str(tmp_path),
        str(count),
    ]
    subprocess.run(command, check=True, cwd=pathlib.Path(__file__).parents[4], stdout=subprocess.DEVNULL)
    said = log.read_text(errors="replace")
    said = said[said.index('"begins') :]
    order = []
    for line in said.splitlines():
        if re.search(r"renameat2\(.*edited.*RENAME_EXCHANGE", line):
            order.append("name")
        elif re.search(r"fsync\(\d+<[^>]*(made-[^>]*|/container)>", line) or "syncfs(" in line:
            order.append("durable")
        elif re.search(r"fsync\(\d+<[^>]*ancestor[^>]*>", line):
            order.append("agreed")
    assert order.index("durable") < order.index("name") < len(order) - 1 - order[::-1].index("durable")
    assert order[-1] == "agreed" and order.count("agreed") >= 1
    assert order.index("agreed") > len(order) - 1 - order[::-1].index("durable")


async def test_c06_a_file_that_lost_its_data_never_wins(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    (pair.host / "a").write_bytes(b"good")
    await pair.cycle()
    (pair.host / "a").write_bytes(b"better")
    with monkeypatch.context() as patch:
        patch.setattr(pair.store, "save", lambda ancestor: (_ for _ in ()).throw(OSError(5, "power")))
        with pytest.raises(OSError, match="power"):
            await pair.cycle()
    os.truncate(pair.container / "a", 0)
    pair.restart()
    report = await pair.cycle()
    assert (pair.host / "a").read_bytes() == b"better"
    assert [(conflict.path, conflict.why) for conflict in report.conflicts] == [("a", Why.BOTH_CHANGED)]


async def test_c08_no_room_for_the_agreement(pair: Pair, tmp_path: pathlib.Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=True)
    try:
        pair.file = small / "ancestor"
        pair.restart()
        (pair.host / "a").write_bytes(b"a")
        await pair.cycle()
        with pytest.raises(OSError), open(small / "fill", "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        for number in range(60):
            (pair.host / f"{number:0200}").write_bytes(b"%d" % number)
        with pytest.raises(OSError):
            await pair.cycle()
        (small / "fill").unlink()
        pair.restart()
        report = await pair.cycle()
        assert report.settled and not any(report.done.values())
        assert pair.files(Side.HOST) == pair.files(Side.CONTAINER)
    finally:
        pair.file = pathlib.Path("/nonexistent")
        subprocess.run(["umount", str(small)], check=True)


async def test_c11_a_container_made_anew_with_files_of_its_image(pair: Pair) -> None:
    for name in "abc":
        (pair.host / name).write_text(name)
    await pair.cycle()
    shutil.rmtree(pair.container)
    pair.container.mkdir()
    (pair.container / "a").write_text("of the image")
    pair.restart()
    report = await pair.cycle()
    assert pair.files(Side.HOST) == {"a": b"a", "b": b"b", "c": b"c"}
    assert pair.files(Side.CONTAINER) == {"a": b"of the image", "b": b"b", "c": b"c"}
    assert [conflict.path for conflict in report.conflicts] == ["a"]


async def test_c13_another_checkout_in_place_of_the_hosts(pair: Pair) -> None:
    for name in "abc":
        (pair.host / name).write_text(name)
    await pair.cycle()
    pair.host.rename(pair.host.with_name("away"))
    pair.host.mkdir()
    (pair.host / "other").write_text("other")
    report = await pair.cycle(allow_deletions=True)
    assert report.halted is not None and report.halted.why in (Halt.REPLICA, Halt.ROOT_GONE)
    assert set(pair.files(Side.CONTAINER)) == {"a", "b", "c"}


async def test_c13_an_emptied_folder_that_is_ours_still(pair: Pair) -> None:
    for name in "abc":
        (pair.host / name).write_text(name)
    await pair.cycle()
    for name in "abc":
        (pair.host / name).unlink()
    report = await pair.cycle(allow_deletions=True)
    assert report.halted is not None and report.halted.why is Halt.EMPTIED
    assert set(pair.files(Side.CONTAINER)) == {"a", "b", "c"}
