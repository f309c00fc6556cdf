"""Size, space and streams: c48 to c54."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from devenv.sync.core.guards import Side
from devenv.sync.side.apply import OWN
from tests.unit.sync.faults.test_crashes import BEFORE, CYCLE, swept
from tests.unit.sync.simulator.people import Action
from tests.unit.sync.simulator.runner import run
from tests.unit.sync.simulator.schedule import Item, Schedule
from tests.unit.sync.test_session import Pair

BLOCK = 1 << 20


@pytest.fixture
def pair() -> Iterator[Pair]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Pair(pathlib.Path(folder))


async def test_c51_sizes_around_the_edges(pair: Pair) -> None:
    for size in (0, 1, BLOCK // 4 - 1, BLOCK // 4, BLOCK // 4 + 1, BLOCK - 1, BLOCK, BLOCK + 1, 9 * BLOCK + 1):
        (pair.host / str(size)).write_bytes(os.urandom(size))
    deep = pair.host.joinpath(*["d"] * 200)
    deep.mkdir(parents=True)
    (deep / "a").write_bytes(b"deep")
    for number in range(2000):
        (pair.host / f"empty{number}").touch()
    report = await pair.settle()
    assert not report.conflicts and pair.files(Side.HOST) == pair.files(Side.CONTAINER)
    with open(pair.host / str(9 * BLOCK + 1), "ab") as file:
        file.write(b"more")
    await pair.settle()
    assert pair.files(Side.HOST) == pair.files(Side.CONTAINER)


async def test_c51_deeper_than_anybody_needs(pair: Pair) -> None:
    pair.host.joinpath(*["d"] * 260).mkdir(parents=True)
    (pair.host / "a").write_bytes(b"a")
    report = await pair.cycle()
    assert (pair.container / "a").read_bytes() == b"a"
    assert [conflict.why.name for conflict in report.conflicts] == ["UNREADABLE"]


@pytest.mark.parametrize("side", ["host", "container"])
def test_c52_a_disk_that_is_full_at_any_byte(side: str) -> None:
    for room in range(1, 60):
        full = Item(Action("full", side, to=str(room)))
        failed = run(Schedule(0, (*BEFORE, full, CYCLE)))
        assert failed is None, str(failed)


async def test_c52_a_real_disk_that_is_full(pair: Pair) -> None:
    small = pair.container
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=True)
    try:
        pair.restart()
        (pair.host / "a").write_bytes(b"old")
        await pair.settle()
        (pair.host / "a").write_bytes(os.urandom(600_000))
        (pair.host / "b").write_bytes(os.urandom(600_000))
        for _ in range(2):
            try:
                report = await pair.cycle()
            except OSError:
                continue
            assert {failure.path for failure in report.failures} == {"a", "b"}
            assert all("not enough room" in failure.why for failure in report.failures)
        content = (small / "a").read_bytes()
        assert content in (b"old", (pair.host / "a").read_bytes())
        subprocess.run(["mount", "-o", "remount,size=512m", str(small)], check=True)
        await pair.settle()
        assert pair.files(Side.HOST) == pair.files(Side.CONTAINER)
        assert list((small / OWN / "stage").iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_c53_a_connection_that_is_cut_at_any_operation() -> None:
    swept("cut", pieces=3)


@pytest.mark.parametrize("side", ["host", "container"])
def test_c54_any_byte_of_a_stream_that_is_wrong(side: str) -> None:
    for byte in range(1, 200, 2):
        flip = Item(Action("flip", side, to=str(byte)))
        failed = run(dataclasses.replace(Schedule(0, (*BEFORE, flip, CYCLE)), pieces=7))
        assert failed is None, str(failed)
