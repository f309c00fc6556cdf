"""What the far side says by itself: what a save, a command's end and a storm cost in questions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import random
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from devenv.link.fakes import LocalEngine
from devenv.sync.core.changes import Step
from devenv.sync.core.entries import folder
from devenv.sync.endpoint import Endpoint, Hints, LocalEndpoint, Wanted
from devenv.sync.pair import Pair
from devenv.sync.remote import RemoteEndpoint
from devenv.sync.side import news, pack, wire
from devenv.sync.side.place import Place
from devenv.sync.side.serve import Server
from tests.unit.sync.test_pair import Rules
from tests.unit.sync.test_remote import connected, entry


async def until(probe: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not probe():
            await asyncio.sleep(0.01)


class Far:
    """A far side's process and its folder; `asked` are the requests since `began`."""

    def __init__(self, root: pathlib.Path, engine: LocalEngine) -> None:
        self.root, self._engine = root, engine
        self.asked: list[str] = []

    async def open(self) -> RemoteEndpoint:
        self.end = await connected(self._engine, self.root)
        request = self.end._request

        async def noted(value: Any) -> None:
            self.asked.append(value["op"])
            await request(value)

        self.end._request = noted  # type: ignore[method-assign]
        return self.end

    async def knock(self) -> int:
        """As an agent does when a command has ended."""
        reader, writer = await asyncio.open_unix_connection("\0" + self.end.door)
        with contextlib.closing(writer):
            return int.from_bytes(await reader.readexactly(8), "big", signed=True)


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    """Watched, scanned, and free to speak."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        made = Far(pathlib.Path(name), LocalEngine())
        for path in ("a", "b"):
            (made.root / path).mkdir()
            (made.root / path / "old").write_text(path)
        end = await made.open()
        await end.settle()
        await end.scan()
        made.asked.clear()
        yield made
        await made.end.close()


async def test_a_save_is_told_with_its_folder_and_its_content(far: Far) -> None:
    before = await far.end.scan()
    far.asked.clear()
    waiting = asyncio.create_task(far.end.wait())
    (far.root / "a" / "new").write_text("small")
    await asyncio.wait_for(waiting, 10)
    hints = await far.end.told()
    assert hints == Hints(frozenset({"a"}), False)
    after = await far.end.scan(hints.dirty)
    assert before is not None and after is not None
    assert after.children["b"] is before.children["b"]
    assert after.children["a"] == folder({"old": entry(b"a"), "new": entry(b"small")})
    found = await pack.single(far.end.pack([Wanted(entry(b"small").digest, "a/new", 0)]), 100)
    assert (found, far.asked) == (b"small", [])
    assert await far.end.told() == Hints(frozenset(), False)


async def test_what_is_asked_for_later_is_asked_for(far: Far) -> None:
    waiting = asyncio.create_task(far.end.wait())
    (far.root / "a" / "new").write_bytes(bytes(news.MOST_CONTENTS + 1))
    await asyncio.wait_for(waiting, 10)
    dirty = (await far.end.told()).dirty
    assert (dirty, far.asked) == ({"a"}, [])
    large = entry(bytes(news.MOST_CONTENTS + 1)).digest
    found = await pack.single(far.end.pack([Wanted(large, "a/new", 0)]), 1 << 20)
    assert (found is not None, far.asked) == (True, ["pack"])
    await far.end.scan(dirty | {"b"})
    assert far.asked == ["pack", "scan"], "of `b` it has said nothing"


async def test_nothing_is_said_before_somebody_listens(far: Far) -> None:
    (far.root / "a" / "new").write_text("small")
    await asyncio.sleep(0.1)
    assert await far.end.told() == Hints(frozenset(), False)
    await asyncio.wait_for(far.end.wait(), 10)
    assert await far.end.told() == Hints(frozenset({"a"}), False)
    (far.root / "b" / "new").write_text("small")
    await asyncio.sleep(0.1)
    assert await far.end.told() == Hints(frozenset(), False), "once for each time that somebody listens"


async def test_a_storm_is_asked_for(far: Far) -> None:
    """Folder by folder it would be told many times over."""
    waiting = asyncio.create_task(far.end.wait())
    for number in range(2 * news.MOST_FOLDERS):
        (far.root / f"n{number}").mkdir()
        (far.root / f"n{number}" / "f").touch()
    await asyncio.wait_for(waiting, 10)
    dirty: set[str] = set()
    async with asyncio.timeout(10):
        while len(dirty) <= 2 * news.MOST_FOLDERS:
            dirty.update((await far.end.told()).dirty)
            await asyncio.sleep(0.01)
    assert "settle" in far.asked
    tree = await far.end.scan(dirty)
    assert tree is not None and len(tree.children) == 2 + 2 * news.MOST_FOLDERS


async def test_what_was_made_by_the_host_is_not_sent_back(far: Far) -> None:
    data = os.urandom(5000)

    async def contents() -> AsyncIterator[bytes]:
        yield pack.of_contents([(entry(data).digest, data)])

    assert await far.end.apply([Step("a/new", None, entry(data))], "c", contents()) == [""]
    await asyncio.wait_for(far.end.wait(), 10)
    assert (await far.end.told()).dirty == {"a"}
    assert far.end._offered == {}
    tree = await far.end.scan(frozenset({"a"}))
    assert tree is not None and tree.children["a"].children["new"] == entry(data)


async def test_who_knocks_knows_how_far_the_host_was_told(far: Far) -> None:
    assert await far.knock() == 0, "nothing was written"
    await far.end._arm()
    (far.root / "a" / "new").write_text("small")
    number = await far.knock()
    assert number == 1 and await far.end.heard(number)
    assert (await far.end.told()).dirty == {"a"}
    assert await far.knock() == 1, "the host has all"
    (far.root / "a" / "new").write_text("other")
    assert await far.knock() == -1, "nobody listens"
    assert (await far.end.settle()).dirty == {"a"}
    assert await far.knock() == 2, "it has been asked"
    assert not await far.end.heard(3)


async def test_news_of_nothing_new_are_none(far: Far) -> None:
    await far.end._arm()
    (far.root / "a" / "old").write_text("a")
    assert await far.knock() == 0
    (far.root / "a" / "old").write_text("b")
    assert await far.knock() == 1


async def test_a_root_that_goes_away_is_asked_for(far: Far) -> None:
    waiting = asyncio.create_task(far.end.wait())
    os.rename(far.root, str(far.root) + ".away")
    try:
        await asyncio.wait_for(waiting, 10)
        assert (await far.end.told()).lost
        assert await far.end.scan() is None
    finally:
        os.rename(str(far.root) + ".away", far.root)


@pytest.fixture
async def pair(far: Far, tmp_path: pathlib.Path) -> AsyncIterator[Pair]:
    """In step, and running."""
    await far.end.close()
    host = tmp_path / "host"
    host.mkdir()

    async def connect(rules: Any) -> Endpoint:
        return await far.open()

    made = Pair(LocalEndpoint(host), connect, tmp_path / "state", Rules())
    await made.first()
    running = asyncio.create_task(made.run())
    await asyncio.sleep(0.3)
    far.asked.clear()
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await made.close()


async def test_a_save_in_the_container_costs_no_question(far: Far, pair: Pair, tmp_path: pathlib.Path) -> None:
    here = tmp_path / "host" / "a" / "new"
    for text in ("one", "two", "three"):
        (far.root / "a" / "new").write_text(text)
        await until(lambda text=text: here.is_file() and here.read_text() == text)  # type: ignore[misc]
    assert far.asked == []


async def test_a_save_here_costs_one(far: Far, pair: Pair, tmp_path: pathlib.Path) -> None:
    (tmp_path / "host" / "a" / "new").write_text("here")
    await until(lambda: (far.root / "a" / "new").is_file())
    await asyncio.sleep(0.3)
    assert far.asked == ["apply"]


async def test_the_end_of_a_command_costs_none(far: Far, pair: Pair, tmp_path: pathlib.Path) -> None:
    for number in range(3):
        (far.root / "made").write_text(str(number))
        told = await far.knock()
        assert told > 0
        await pair.flush(known=(pair.door, told))
        assert (tmp_path / "host" / "made").read_text() == str(number)
        await asyncio.sleep(0.2)
    await pair.flush(known=(pair.door, await far.knock()))
    assert far.asked == []
    (far.root / "made").write_text("last")
    await pair.flush(known=("another door", 99))
    assert (tmp_path / "host" / "made").read_text() == "last"
    assert far.asked[0] == "settle"


class Slow:
    """A stream whose pieces arrive late, each direction in its order."""

    def __init__(self, stream: Any, chance: random.Random) -> None:
        self._stream, self._chance = stream, chance
        self._out: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._in: asyncio.Queue[tuple[float, tuple[int, bytes] | None]] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]

    def _due(self) -> float:
        return asyncio.get_running_loop().time() + self._chance.choice((0.0, 0.002, 0.02))

    async def write(self, data: bytes) -> None:
        self._out.put_nowait((self._due(), data))

    async def _send(self) -> None:
        while True:
            due, data = await self._out.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            with contextlib.suppress(OSError):
                await self._stream.write(data)

    async def _receive(self) -> None:
        found: tuple[int, bytes] | None = (1, b"")
        while found is not None:
            found = await self._stream.read()
            self._in.put_nowait((self._due(), found))

    async def read(self) -> tuple[int, bytes] | None:
        due, found = await self._in.get()
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        return found

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stream.close()


class SlowEngine(LocalEngine):
    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = random.Random(seed)

    async def exec_stream(self, *words: Any, **more: Any) -> Any:
        return Slow(await super().exec_stream(*words, **more), self._chance)


@pytest.mark.parametrize("seed", range(6))
async def test_who_writes_keeps_what_he_wrote_however_late_the_news_are(seed: int, tmp_path: pathlib.Path) -> None:
    """Each side writes files of its own, in folders that both write to, and finds them as it left them, always."""
    chance = random.Random(seed)
    far = Far(tmp_path / "far", SlowEngine(seed))
    sides = {"host": tmp_path / "host", "far": far.root}
    for root in sides.values():
        (root / "a").mkdir(parents=True)

    async def connect(rules: Any) -> Endpoint:
        return await far.open()

    pair = Pair(LocalEndpoint(sides["host"]), connect, tmp_path / "state", Rules())
    await pair.first()
    running = asyncio.create_task(pair.run())
    written: dict[tuple[str, str], str] = {}

    def look() -> None:
        for (side, path), text in written.items():
            assert (sides[side] / path).read_text() == text, f"{path} of {side} was taken back"

    for number in range(150):
        look()
        side = chance.choice(list(sides))
        path = f"{chance.choice(('', 'a/'))}{side}{chance.randrange(3)}"
        if chance.random() < 0.15 and (sides[side] / path).exists():
            (sides[side] / path).unlink()
            written.pop((side, path), None)
        else:
            (sides[side] / path).write_text(f"{number}")
            written[side, path] = f"{number}"
        if side == "far" and chance.random() < 0.2:
            told = await far.knock()
            await pair.flush(known=(pair.door, told) if told >= 0 else None)
            for (of, name), text in written.items():
                assert of == "host" or (sides["host"] / name).read_text() == text, f"{name} is not here"
        await asyncio.sleep(chance.choice((0.0, 0.0, 0.005, 0.03)))
    await pair.flush()
    await pair.flush()
    look()
    for (_, path), text in written.items():
        assert [(root / path).read_text() for root in sides.values()] == [text, text]
    assert (pair.conflicts, pair.failures) == ((), ())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await pair.close()


async def test_another_folder_in_the_place_is_recognised_before_its_news_are_believed(far: Far) -> None:
    await far.end.replica(new=True)
    waiting = asyncio.create_task(far.end.wait())
    (far.root / ".devenv" / "replica").write_text("another\n")
    (far.root / "a" / "old").unlink()
    await asyncio.wait_for(waiting, 10)
    hints = await far.end.told()
    with pytest.raises(OSError, match="Stale"):
        await far.end.scan(hints.dirty)
    assert (await far.end.replica()).word == "another"
    tree = await far.end.scan(hints.dirty)
    assert tree is not None and tree.children["a"] == folder({})


def test_whoever_deletes_is_given_a_moment(tmp_path: pathlib.Path) -> None:
    """Much that is being deleted is then seen as much."""
    for number in range(3):
        (tmp_path / f"f{number}").touch()
    out, sink = os.pipe()
    os.set_blocking(out, False)

    def said() -> list[int]:
        try:
            return [kind for kind, _ in wire.Frames().feed(os.read(out, 1 << 16))]
        except BlockingIOError:
            return []

    server = Server(-1, sink)
    place = server._place = Place(str(tmp_path))
    place.watch(lambda: None)
    server._sent = place.scan(None)
    place.settle()
    try:
        for wait in (False, True):  # something new is told at once
            server._armed = True
            if wait:
                (tmp_path / "f0").unlink()
            else:
                (tmp_path / "new").touch()
            server._tell()
            assert (said(), server._due is None) == (([], False) if wait else ([wire.NEWS], True))
        (tmp_path / "f1").unlink()
        server._tell()
        assert (said(), server._armed) == ([wire.NEWS], False)
        assert server._sent is not None and set(server._sent[1]) == {"f2", "new"}
    finally:
        place.close()
        os.close(out)
        os.close(sink)


async def test_what_was_made_and_is_gone_at_once_is_told(far: Far) -> None:
    """The tree is then as it was told last, and not as the host knows it."""

    async def contents() -> AsyncIterator[bytes]:
        yield pack.of_contents([(entry(b"x").digest, b"x")])

    assert await far.end.apply([Step("a/new", None, entry(b"x"))], "c", contents()) == [""]
    (far.root / "a" / "new").unlink()
    await asyncio.wait_for(far.end.wait(), 10)
    assert (await far.end.told()).dirty == {"a"}


async def test_a_step_fits_what_the_host_has_heard_of(far: Far) -> None:
    """The far side has looked since: what it found is not what the step is about."""
    await far.end._arm()
    (far.root / "a" / "old").write_text("newer")
    assert await far.knock() == 1
    (result,) = await far.end.apply([Step("a/old", entry(b"a"), None)], "c")
    assert result and (far.root / "a" / "old").read_text() == "newer"
    await far.end.settle()
    await far.end.scan()
    await far.end._arm()
    (far.root / "a" / "old").chmod(0o755)
    assert await far.knock() > 1
    (result,) = await far.end.apply([Step("a/old", entry(b"newer"), None)], "c")
    assert result and (far.root / "a" / "old").exists(), "it can be executed now"


async def test_what_is_only_named_is_looked_at_again(far: Far) -> None:
    """Of news that were told before nothing is believed there."""
    await far.end._arm()
    (far.root / "a" / "new").write_text("x")
    assert await far.knock() == 1
    for number in range(news.MOST_CONTENTS // 100):
        (far.root / "a" / f"{number:03}{'long' * 50}").write_text(os.urandom(100).hex())
    for number in range(news.MOST_FOLDERS + 1):
        (far.root / f"n{number}").mkdir()
    hints = await far.end.settle()
    assert {"", "a"} < hints.dirty
    tree = await far.end.scan(frozenset({"a"}))
    assert tree is not None and len(tree.children["a"].children) == 2 + news.MOST_CONTENTS // 100
