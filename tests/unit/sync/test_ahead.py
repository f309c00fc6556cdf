"""The first time into an empty side: contents that travel while the other is still being looked at."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pathlib
import signal
import threading
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import pytest

from devenv.errors import LinkError
from devenv.link.fakes import LocalEngine
from devenv.sync import exchange
from devenv.sync.ahead import Ahead
from devenv.sync.core.guards import Side
from devenv.sync.core.merge import Mode
from devenv.sync.endpoint import LocalEndpoint, Wanted
from devenv.sync.remote import RemoteEndpoint
from devenv.sync.session import Session
from devenv.sync.side import pack, scan
from devenv.sync.side.place import Place
from devenv.sync.store import Store
from tests.kit.waiting import eventually
from tests.unit.sync.test_place import f
from tests.unit.sync.test_remote import connected


class Two:
    """A full folder here, and an empty one beyond a process."""

    def __init__(self, base: pathlib.Path, far: RemoteEndpoint, engine: LocalEngine) -> None:
        self.host, self.container = base / "host", base / "container"
        self.near, self.far, self.engine, self.store = LocalEndpoint(self.host), far, engine, Store(base / "a")
        self.count = itertools.count()
        self.packed: list[Wanted] = []
        """What was asked for by name."""
        real = self.near.pack

        def noted(wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
            self.packed += wanted
            return real(wanted)

        self.near.pack = noted  # type: ignore[method-assign]

    def session(self, mode: Any = Mode.TWO_WAY_SAFE) -> Session:
        return Session(self.near, self.far, self.store, lambda: f"c{next(self.count)}", mode)

    async def reopen(self) -> None:
        await self.far.close()
        self.far = await connected(self.engine, self.container)

    def same(self) -> bool:
        trees = [
            {
                path.relative_to(root): path.is_file() and path.read_bytes()
                for path in root.rglob("*")
                if ".devenv" not in path.parts
            }
            for root in (self.host, self.container)
        ]
        return trees[0] == trees[1]

    @property
    def staged(self) -> set[str]:
        return set(os.listdir(self.container / ".devenv" / "stage"))


@pytest.fixture
async def two(tmp_path: pathlib.Path) -> AsyncIterator[Two]:
    for name in ("host", "container"):
        (tmp_path / name).mkdir()
    engine = LocalEngine()
    made = Two(tmp_path, await connected(engine, tmp_path / "container"), engine)
    yield made
    await made.far.close()
    await made.near.close()


def filled(root: pathlib.Path, files: int = 40, size: int = 1000) -> None:
    for number in range(files):
        path = root / f"p{number % 7}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(number.to_bytes(4, "big") * (size // 4))


async def test_only_what_is_big_is_asked_for(two: Two) -> None:
    filled(two.host)
    (two.host / "empty").touch()
    (two.host / "twice").write_text("as another")
    (two.host / "again").write_text("as another")
    (two.host / "again").chmod(0o755)
    (two.host / "big").write_bytes(os.urandom(scan.SMALL + 1))
    session = two.session()
    report = await session.cycle()
    assert (report.settled, report.done[Side.CONTAINER]) == (True, 40 + 7 + 4)
    assert [one.path for one in two.packed] == ["big"]
    assert two.same() and os.access(two.container / "again", os.X_OK)
    assert session.sent > scan.SMALL + 40_000
    assert two.staged == set()
    assert (await two.session().cycle()).done == {Side.HOST: 0, Side.CONTAINER: 0}


@pytest.mark.parametrize("there", ["a file", "a link"])
async def test_a_side_that_has_something_is_looked_at_first(
    there: str, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(two.host)
    if there == "a file":
        (two.container / "own").write_text("own")
    else:
        (two.container / "own").symlink_to("nowhere")
    monkeypatch.delattr(RemoteEndpoint, "_stage")
    assert (await two.session().cycle()).settled
    assert len(two.packed) == 40


async def test_what_only_comes_back_does_not_go(two: Two) -> None:
    filled(two.host)
    await two.session(lambda path: Mode.TO_HOST if path.startswith("p1") else Mode.TWO_WAY_SAFE).cycle()
    assert two.packed == []
    assert {path.name for path in two.container.iterdir()} == {
        ".devenv",
        *(f"p{number}" for number in (0, 2, 3, 4, 5, 6)),
    }
    assert (two.far._here, two.staged) == ((), set())


async def test_a_link_that_ends_meanwhile_keeps_what_had_come(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(two.host, 400, 100_000)
    sent = 0
    write = two.far._write

    async def counted(data: bytes) -> None:
        nonlocal sent
        sent += len(data)
        if sent > 10_000_000:
            two.engine.streams[-1]._process.kill()
        await write(data)

    monkeypatch.setattr(two.far, "_write", counted)
    with pytest.raises(LinkError):
        await two.session().cycle()
    assert sent < 30_000_000
    there = two.staged
    assert there and not any(path.is_dir() for path in two.container.glob("[!.]*"))
    await two.reopen()
    session = two.session()
    report = await session.cycle()
    # The one that was just being written is found out, and comes with the next cycle.
    assert [failure.why for failure in report.failures] in ([], ["what was staged is not what it was"])
    assert 0 < len(two.packed) <= 400 - len([name for name in there if "." not in name])
    assert report.settled or (await session.cycle()).settled
    assert two.same() and two.staged == set()


async def test_who_gives_up_waits_for_nobody(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for a side that takes nothing any more, nor for the scan that would have it take something."""
    monkeypatch.setattr(exchange, "PATIENCE", 0.05)
    filled(two.host, 400, 100_000)
    await two.far.scan()
    process = two.engine.streams[-1]._process
    full = asyncio.Event()
    write = two.far._write

    async def stopped(data: bytes) -> None:
        if session.sent > 1_000_000 and not full.is_set():
            process.send_signal(signal.SIGSTOP)
            full.set()
        await write(data)

    session = two.session()
    monkeypatch.setattr(two.far, "_write", stopped)
    cycle = asyncio.create_task(session.cycle())
    try:
        await full.wait()
        cycle.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cycle
        with pytest.raises(LinkError):
            await two.far.scan()
        assert await two.near.scan() is not None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)


async def test_who_speaks_waits_until_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = Ahead(lambda path: path != "not this")
    said = [os.urandom(100_000) for _ in range(100)]

    def speak() -> None:
        for number, data in enumerate(said):
            ahead.say("this", number.to_bytes(32, "big"), data)
        ahead.say("not this", b"n" * 32, b"n")
        ahead.say("this again", bytes(32), said[0])

    speaker = threading.Thread(target=speak)
    speaker.start()
    eventually(lambda: ahead._waiting > 4_000_000, "a queue that is full")
    assert ahead._waiting < 5_000_000
    ended = asyncio.create_task(asyncio.to_thread(speaker.join))
    ended.add_done_callback(lambda _: ahead.end())
    whole = b"".join([data async for data in ahead.stream()])
    assert whole.startswith(pack.beginning(0)) and whole.endswith(pack.ENDING)
    assert all(data in whole for data in said)
    assert (len(whole) < 10_100_000, len(ahead.said)) == (True, 100)
    await ended


async def test_who_speaks_to_nobody_does_not_wait() -> None:
    ahead = Ahead(lambda path: True)

    def speak() -> None:
        for number in range(100):
            ahead.say("this", number.to_bytes(32, "big"), bytes(100_000))

    speaker = threading.Thread(target=speak)
    speaker.start()
    eventually(lambda: ahead._waiting > 4_000_000, "a queue that is full")
    ahead.close()
    await asyncio.to_thread(speaker.join)
    assert not ahead._pieces
    assert [data async for data in ahead.stream()] == []


@pytest.mark.parametrize("looked", [False, True])
def test_what_came_ahead_is_used_as_it_was_verified(looked: bool, tmp_path: pathlib.Path) -> None:
    """With another look in between it is read, and verified, once more."""
    place = Place(str(tmp_path))
    place.scan(None)
    contents = [b"good", b"spoilt"]
    with place.receive_ahead() as coming:
        coming.receiver.feed(pack.beginning(0))
        for data in contents:
            coming.receiver.feed(b"".join(pack.whole(f(data)[1], data)))  # type: ignore[arg-type]
        coming.receiver.feed(pack.ENDING)
        assert (coming.receiver.ended, coming.receiver.failed) == (True, {})
    if looked:
        place.scan(None)
        (tmp_path / ".devenv" / "stage" / f(b"spoilt")[1].hex()).write_bytes(b"SPOILT")  # type: ignore[attr-defined]
    results = place.apply([("good", None, f(b"good")), ("spoilt", None, f(b"spoilt"))], "c")
    assert results == (["", "what was staged is not what it was"] if looked else ["", ""])
    assert (tmp_path / "good").read_bytes() == b"good"
    assert (tmp_path / "spoilt").exists() is not looked
    assert os.listdir(tmp_path / ".devenv" / "stage") == []


async def test_a_side_without_room_says_it_and_is_asked_again(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(two.host)
    real = two.far._stage

    async def half(contents: AsyncIterator[bytes], said: Collection[bytes]) -> None:
        await real(contents, said)
        two.far.staged, two.far._here = True, ()  # as after a reply that not all was kept
        victim = sorted(two.staged)[0]
        (two.container / ".devenv" / "stage" / victim).unlink()

    monkeypatch.setattr(two.far, "_stage", half)
    assert (await two.session().cycle()).done[Side.CONTAINER] == 47
    assert (len(two.packed), two.same()) == (1, True)
