"""The far side's own process on this machine, beside a folder looked at directly; and far sides that mean harm."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import hashlib
import itertools
import json
import os
import pathlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from devenv.errors import LinkError
from devenv.link.fakes import LocalEngine
from devenv.sync.core.changes import Step
from devenv.sync.core.entries import file, folder
from devenv.sync.core.guards import Side
from devenv.sync.endpoint import Hints, LocalEndpoint, Wanted
from devenv.sync.remote import RemoteEndpoint, open_remote
from devenv.sync.session import Report, Session
from devenv.sync.side import pack, wire
from devenv.sync.store import Store


def entry(data: bytes) -> Any:
    return file(hashlib.sha256(data).digest())


@dataclasses.dataclass
class Two:
    """A folder here and one beyond a process, and what keeps them the same."""

    base: pathlib.Path
    engine: LocalEngine
    near: LocalEndpoint
    far: RemoteEndpoint
    session: Session
    store: Store
    count: Any

    @property
    def host(self) -> pathlib.Path:
        return self.base / "host"

    @property
    def container(self) -> pathlib.Path:
        return self.base / "container"

    async def reopen(self) -> None:
        await self.far.close()
        self.far = await connected(self.engine, self.container)
        self.session = Session(self.near, self.far, self.store, lambda: f"c{next(self.count)}")

    async def cycle(self, *, full: bool = False) -> Report:
        hints = [None, None] if full else [await end.settle() for end in (self.near, self.far)]
        return await self.session.cycle(*hints)


async def connected(engine: LocalEngine, root: pathlib.Path) -> RemoteEndpoint:
    return await open_remote(engine, "c", user="", root=str(root), umask=0o022, rules=None)  # type: ignore[arg-type]


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        base = pathlib.Path(name)
        (base / "host").mkdir()
        (base / "container").mkdir()
        engine, near, store, count = LocalEngine(), LocalEndpoint(base / "host"), Store(base / "a"), itertools.count()
        far = await connected(engine, base / "container")
        made = Two(base, engine, near, far, Session(near, far, store, lambda: f"c{next(count)}"), store, count)
        yield made
        await made.far.close()
        await made.near.close()


async def test_both_ways_through_a_process(two: Two) -> None:
    odd = os.fsdecode(b"caf\xe9 \n")
    (two.host / "src").mkdir()
    (two.host / "src" / odd).write_text("odd")
    (two.host / "big").write_bytes(os.urandom(3_000_000))
    (two.host / "link").symlink_to("src")
    (two.container / "out").write_text("out")
    assert (await two.cycle()).done == {Side.HOST: 1, Side.CONTAINER: 4}
    assert (two.container / "src" / odd).read_text() == "odd"
    assert (two.container / "big").read_bytes() == (two.host / "big").read_bytes()
    assert (two.host / "out").read_text() == "out"
    while any((await two.cycle()).done.values()):
        pass
    (two.host / "src" / odd).write_text("edited")
    await two.near.wait()
    report = await two.session.cycle(await two.near.settle(), Hints(frozenset(), False))
    assert (report.done, (two.container / "src" / odd).read_text()) == ({Side.HOST: 0, Side.CONTAINER: 1}, "edited")
    (two.container / "src" / odd).unlink()
    await two.far.wait()
    assert (await two.cycle()).done == {Side.HOST: 1, Side.CONTAINER: 0}
    assert not (two.host / "src" / odd).exists()


async def test_thousands_of_files_and_messages_that_are_long(two: Two) -> None:
    for number in range(3000):
        (two.host / f"{number:04}{'x' * 200}").write_text(str(number))
        (two.container / f"y{number:04}{'x' * 200}").write_text(str(number))
    assert (await two.cycle()).done == {Side.HOST: 3000, Side.CONTAINER: 3000}
    assert {path.name for path in two.host.iterdir()} == {path.name for path in two.container.iterdir()}
    assert (await two.cycle(full=True)).done == {Side.HOST: 0, Side.CONTAINER: 0}


async def test_a_connection_that_comes_back_sends_no_tree_that_is_known(two: Two) -> None:
    for number in range(300):
        (two.host / f"f{number}").write_text(str(number))
    (two.container / "pipe").touch()
    (two.container / "pipe").unlink()
    os.mkfifo(two.container / "pipe")  # what is not tracked is told
    await two.cycle()
    await two.cycle()
    await two.reopen()
    assert (await two.cycle()).done == {Side.HOST: 0, Side.CONTAINER: 0}
    assert list(two.far._forms) == ["expected"]
    (two.container / "f7").write_text("7!")
    assert (await two.cycle(full=True)).done == {Side.HOST: 1, Side.CONTAINER: 0}
    assert list(two.far._forms) == ["expected", "delta"]
    await two.far.close()
    (two.container / "f8").write_text("8!")
    await two.reopen()
    assert (await two.cycle()).done == {Side.HOST: 1, Side.CONTAINER: 0}
    assert list(two.far._forms) == ["whole"]


async def test_unchanged_subtrees_are_the_same_objects(two: Two) -> None:
    for path in ("a", "b"):
        (two.container / path).mkdir()
        (two.container / path / "f").write_text(path)
    await two.far.settle()
    first = await two.far.scan()
    assert await two.far.scan() is first
    (two.container / "a" / "f").write_text("new")
    second = await two.far.scan((await two.far.settle()).dirty)
    assert first is not None and second is not None
    assert (second.children["b"] is first.children["b"], second.children["a"]) == (True, folder({"f": entry(b"new")}))


async def test_a_transfer_that_was_cut_goes_on_where_it_was(two: Two) -> None:
    data = os.urandom(4 * pack.PIECE)
    (two.host / "a").write_bytes(data)
    stream = b"".join([piece async for piece in two.near.pack([Wanted(entry(data).digest, "a", 0)])])

    async def cut() -> AsyncIterator[bytes]:
        yield stream[: 3 * pack.PIECE]
        raise OSError(5, "the source is gone")

    step = Step("a", None, entry(data))
    with pytest.raises(OSError, match="the source is gone"):
        await two.far.apply([step], "c", cut())
    with pytest.raises(LinkError, match="given up"):
        await two.far.scan()
    await two.reopen()
    (there,) = (await two.far.missing([entry(data).digest])).values()
    assert 2 * pack.PIECE <= there < len(data)
    assert (await two.cycle()).done == {Side.HOST: 0, Side.CONTAINER: 1}
    assert (two.container / "a").read_bytes() == data


async def test_of_a_big_file_only_what_changed_travels(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(os.urandom(12 << 20))
    (two.host / "big").write_bytes(data)
    await two.cycle()
    sent = []
    write = two.far._write

    async def counted(frame: bytes) -> None:
        sent.append(len(frame))
        await write(frame)

    monkeypatch.setattr(two.far, "_write", counted)
    data[5 << 20] ^= 1
    (two.host / "big").write_bytes(data)
    assert (await two.cycle()).done == {Side.HOST: 0, Side.CONTAINER: 1}
    assert (two.container / "big").read_bytes() == data
    assert sum(sent) < 2 << 20
    data += b"from inside"
    with (two.container / "big").open("ab") as file:
        file.write(b"from inside")
    assert (await two.cycle()).done == {Side.HOST: 1, Side.CONTAINER: 0}
    assert (two.host / "big").read_bytes() == data


async def test_a_rename_moves_no_content(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    (two.host / "old").write_bytes(os.urandom(1 << 20))
    await two.cycle()

    def none(wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
        raise AssertionError("a content is sent that is there")

    monkeypatch.setattr(two.near, "pack", none)
    (two.host / "old").rename(two.host / "new")
    assert (await two.cycle()).done == {Side.HOST: 0, Side.CONTAINER: 2}
    assert (two.container / "new").stat().st_size == 1 << 20


async def test_errors_of_the_far_side_have_their_number(two: Two) -> None:
    with pytest.raises(FileNotFoundError, match="in the container: No such file"):
        await two.far.restore("never")
    assert await two.far.trashed() == []


async def test_a_side_that_is_killed_ends_everything_that_waits(two: Two) -> None:
    await two.far.settle()
    waiting = asyncio.create_task(two.far.wait())
    two.engine.streams[-1]._process.kill()
    with pytest.raises(LinkError):
        await waiting
    with pytest.raises(LinkError):
        await two.far.settle()
    await two.reopen()
    await two.cycle()


async def test_who_gives_up_leaves_a_link_that_works(two: Two) -> None:
    for number in range(500):
        (two.container / f"f{number}").write_text(str(number))
    for _ in range(5):
        task = asyncio.create_task(two.far.scan())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    tree = await two.far.scan()
    assert tree is not None and len(tree.children) == 500


async def test_half_a_pack_leaves_a_link_that_works(two: Two) -> None:
    data = os.urandom(20 << 20)
    (two.container / "big").write_bytes(data)
    stream = two.far.pack([Wanted(entry(data).digest, "big", 0)])
    assert await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert await pack.single(two.far.pack([Wanted(entry(data).digest, "big", 0)]), 1000) is None
    assert (await two.far.replica()).word == ""


class Liar:
    """A stream that greets and then answers as it was told."""

    exec_id = "x"

    def __init__(
        self, answer: Callable[[dict[str, Any]], bytes], greeting: bytes = wire.MAGIC, door: str = "", python: str = ""
    ) -> None:
        self._answer = answer
        self._out: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._frames = wire.Frames()
        self._booted = False
        hello = {"ok": True, "result": {"python": python, "staged": False, "door": door}}
        self._greeting = greeting + wire.message(wire.REPLY, hello)

    async def write(self, data: bytes) -> None:
        if not self._booted:
            self._booted = True
            self._out.put_nowait(self._greeting)
            return
        for kind, payload in self._frames.feed(data):
            if kind == wire.REQUEST:
                self._out.put_nowait(self._answer(json.loads(payload)))

    async def read(self) -> tuple[int, bytes] | None:
        data = await self._out.get()
        return None if data is None else (1, data)

    async def exit_code(self) -> int | None:
        return None

    async def resize(self, rows: int, columns: int) -> None: ...

    async def close(self) -> None:
        self._out.put_nowait(None)


class LyingEngine:
    def __init__(self, stream: Liar) -> None:
        self._stream = stream

    async def exec_stream(self, *_: Any, **__: Any) -> Liar:
        return self._stream


def reply(result: Any) -> bytes:
    return wire.message(wire.REPLY, {"ok": True, "result": result})


def tree(said: Any, **more: Any) -> bytes:
    head = {"form": "whole", "replica": ["w", 1], "hashed": 0, "lacking": "", **more}
    return wire.frame(wire.DATA, said if isinstance(said, bytes) else wire.packed(said)) + reply(head)


def news(said: Any, *contents: bytes, **more: Any) -> bytes:
    head = {"number": 1, "dirty": [""], "replica": ["w", 1], "lacking": "", "contents": []}
    return wire.news({**head, **more}, said if isinstance(said, bytes) else wire.packed(said), list(contents))


ABOVE = {"..": "f" + "00" * 32}
SAME = {wire.SAME: 0}
QUIET = reply({"dirty": [], "lost": False})


async def scan_twice(end: RemoteEndpoint) -> None:
    await end.scan()
    await end.scan()


@pytest.mark.parametrize(
    ("answer", "call"),
    [
        pytest.param(tree(ABOVE), lambda end: end.scan(), id="a name above"),
        pytest.param(tree({}, form="delta"), lambda end: end.scan(), id="a delta to nothing"),
        pytest.param(tree({}, form="expected"), lambda end: end.scan(), id="what nobody expects"),
        pytest.param(tree({}, replica=["w"]), lambda end: end.scan(), id="half a replica"),
        pytest.param(tree({}, lacking=7), lambda end: end.scan(), id="a number for a text"),
        pytest.param(tree(b"junk"), lambda end: end.scan(), id="a tree that is none"),
        pytest.param(reply({"dirty": 3, "lost": False}), lambda end: end.settle(), id="a number of folders"),
        pytest.param(reply({"dirty": [3], "lost": False}), lambda end: end.settle(), id="folders that are numbers"),
        pytest.param(reply({"dirty": ["x"] * 30000, "lost": 0}), lambda end: end.settle(), id="very many folders"),
        pytest.param(reply(["", ""]), lambda end: end.apply([Step("a", None, folder({}))], "c"), id="other results"),
        pytest.param(reply(None), lambda end: end.apply([Step("a", None, folder({}))], "c"), id="no results"),
        pytest.param(reply([["c"]]), lambda end: end.trashed(), id="half a record"),
        pytest.param(reply({str(n): n for n in range(201)}), lambda end: end.large(), id="very many large files"),
        pytest.param(reply([1]), lambda end: end.large(), id="large files of no form"),
        pytest.param(wire.frame(wire.REPLY, b"{"), lambda end: end.settle(), id="no JSON"),
        pytest.param(wire.frame(wire.REPLY, b"[" * 50000), lambda end: end.settle(), id="JSON without end"),
        pytest.param(wire.message(wire.REPLY, {"ok": False}), lambda end: end.settle(), id="an error that is none"),
        pytest.param(wire.frame(wire.END), lambda end: end.settle(), id="no reply"),
        pytest.param(b"\xff" * 64, lambda end: end.settle(), id="no frames"),
        pytest.param(news(SAME), lambda end: end.settle(), id="news for whoever has no tree"),
        pytest.param(tree({}) + news({**SAME, **ABOVE}), scan_twice, id="news of a name above"),
        pytest.param(tree({}) + news(b"junk"), scan_twice, id="news that cannot be read"),
        pytest.param(tree({}) + news(SAME, b"data"), scan_twice, id="contents of no name"),
        pytest.param(tree({}) + news(SAME, contents=[["00", 5]]), scan_twice, id="contents that are not there"),
        pytest.param(tree({}) + news(SAME, contents=[["00", -1]]), scan_twice, id="less than no contents"),
        pytest.param(tree({}) + news(SAME, contents=[["0", 0]]), scan_twice, id="half a digest"),
        pytest.param(tree({}) + news(SAME, contents=7), scan_twice, id="a number of contents"),
        pytest.param(tree({}) + news(SAME, dirty=[7]), scan_twice, id="news of folders that are numbers"),
        pytest.param(tree({}) + news(SAME, number="1"), scan_twice, id="a number that is a text"),
        pytest.param(tree({}) + news(SAME, replica=None), scan_twice, id="news of no replica"),
        pytest.param(tree({}) + wire.frame(wire.NEWS, b"\xff" * 9), scan_twice, id="news of no form"),
        pytest.param(tree({}) + wire.frame(wire.NEWS), scan_twice, id="no news"),
    ],
)
async def test_a_far_side_that_means_harm_is_left(answer: bytes, call: Callable[[RemoteEndpoint], Any]) -> None:
    engine = LyingEngine(Liar(lambda request: answer))
    end = await connected(engine, pathlib.Path("/nowhere"))  # type: ignore[arg-type]
    with pytest.raises(LinkError, match="broke the protocol"):
        await call(end)
    with pytest.raises(LinkError, match="broke the protocol"):
        await end.settle()
    await end.close()


async def test_a_door_that_is_none() -> None:
    with pytest.raises(LinkError, match="a door of no known form"):
        await connected(LyingEngine(Liar(lambda request: QUIET, door="/etc/passwd")), pathlib.Path("/nowhere"))  # type: ignore[arg-type]


async def test_contents_that_mean_harm_reach_nothing(tmp_path: pathlib.Path) -> None:
    (tmp_path / "root").mkdir()
    near = LocalEndpoint(tmp_path / "root")
    await near.scan()
    lie = bytes(8) + bytes([32]) + hashlib.sha256(b"other").digest() + bytes(16)
    engine = LyingEngine(Liar(lambda request: wire.frame(wire.DATA, lie) + wire.frame(wire.END) + reply(None)))
    end = await connected(engine, pathlib.Path("/nowhere"))  # type: ignore[arg-type]
    with pytest.raises(LinkError, match="nobody asked for"):
        await near.apply([Step("a", None, entry(b"a"))], "c", end.pack([Wanted(entry(b"a").digest, "a", 0)]))
    assert not (tmp_path / "root" / "a").exists()
    await end.close()
    await near.close()


async def test_another_folder_at_the_path_is_not_taken_for_the_one_that_was_recognised(two: Two) -> None:
    (two.host / "a").write_text("a")
    (two.host / "b").write_text("b")
    await two.cycle()
    two.container.rename(two.base / "before")
    two.container.mkdir()
    (two.container / "a").write_text("other")
    with pytest.raises(OSError, match="in the container") as raised:
        await two.cycle(full=True)
    assert raised.value.errno == errno.ESTALE
    report = await two.cycle(full=True)
    assert [conflict.path for conflict in report.conflicts] == ["a"]
    assert (two.host / "b").read_text() == (two.container / "b").read_text() == "b"


async def test_noise_before_the_greeting_is_read_past() -> None:
    engine = LyingEngine(Liar(lambda request: reply({"dirty": [], "lost": True}), b"Welcome!\n" * 20 + wire.MAGIC))
    end = await connected(engine, pathlib.Path("/nowhere"))  # type: ignore[arg-type]
    assert await end.settle() == Hints(frozenset(), True)
    await end.close()
