"""What only the fake promises: its script."""

from __future__ import annotations

import pytest

from devenv.api import fake_scenes
from devenv.api.fake_spool import FakeSpool, RatedSpool
from devenv.errors import EngineMissing, NotFound


async def test_a_scripted_failure_comes_once() -> None:
    client = fake_scenes.ready()
    client.fail_next("run", EngineMissing("No engine answers.", "Start it."))
    with pytest.raises(EngineMissing):
        await client.run("train", [])
    assert await client.run("train", [])
    assert client.calls == [("run", "train", (), False, False)] * 2


async def test_a_scripted_loss_ends_the_watch() -> None:
    client = fake_scenes.ready()
    watch = client.watch()
    await anext(watch)
    client.fail_next("watch", EngineMissing("gone", ""))
    with pytest.raises(EngineMissing):
        await anext(watch)


async def test_input_is_echoed_and_refused_after_the_end() -> None:
    client = fake_scenes.ready()
    run = await client.run("train", [])
    await client.send_input(run, b"yes\r")
    assert (await client.read_output(run)).data == b"yes\r\n"
    client.finish(run)
    with pytest.raises(NotFound):
        await client.send_input(run, b"x")


def test_a_gap_is_never_returned() -> None:
    spool = FakeSpool(b"0123456789abcdef", head=10, dropped=1000)
    assert spool.size == 1016
    assert spool.read(5, 100, None).data == b"56789"
    assert (spool.read(500, 3, None).start, spool.read(500, 3, None).data) == (1010, b"abc")
    assert spool.read(None, 0, 4).data == b"cdef"


def test_rated_lines_are_the_same_however_they_are_read() -> None:
    now = [0.0]
    spool = RatedSpool(1000, clock=lambda: now[0])
    now[0] = 2.0
    whole = spool.read(0, 262_144, None)
    assert whole.size == 2000 * spool.LINE and whole.data.count(b"\n") == 2000
    assert spool.read(100, 1000, None).data == whole.data[100:1100]
