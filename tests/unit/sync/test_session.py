"""Two real folders, kept the same while people write in both, processes die and contents change under way."""

from __future__ import annotations

import asyncio
import itertools
import os
import pathlib
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from devenv.sync.core.guards import Halt, Side
from devenv.sync.core.merge import Mode, Why
from devenv.sync.endpoint import LocalEndpoint, Wanted
from devenv.sync.session import Report, Session
from devenv.sync.side.apply import NOT_THERE
from devenv.sync.store import Ancestor, Store


class Pair:
    """A session over two folders below `base`, as a new process would make it."""

    def __init__(self, base: pathlib.Path) -> None:
        self.roots = {Side.HOST: base / "host", Side.CONTAINER: base / "container"}
        for root in self.roots.values():
            root.mkdir(parents=True, exist_ok=True)
        self.host, self.container = self.roots.values()
        self.file = base / "ancestor"
        self._names = itertools.count()
        self.restart()

    def restart(self, mode: Mode = Mode.TWO_WAY_SAFE) -> None:
        self.ends = {side: LocalEndpoint(root) for side, root in self.roots.items()}
        self.store = Store(self.file)
        self.session = Session(
            self.ends[Side.HOST], self.ends[Side.CONTAINER], self.store, lambda: f"c{next(self._names)}", mode
        )

    async def cycle(self, *, allow_deletions: bool = False) -> Report:
        return await self.session.cycle(allow_deletions=allow_deletions)

    async def settle(self) -> Report:
        for _ in range(4):
            report = await self.cycle(allow_deletions=True)
            if report.settled and not any(report.done.values()):
                return report
        raise AssertionError(f"no end: {report}")

    def files(self, side: Side) -> dict[str, bytes]:
        root = self.roots[side]
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and not path.is_symlink() and ".devenv" not in path.parts
        }

    def everything(self) -> set[bytes]:
        return {path.read_bytes() for root in self.roots.values() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def pair() -> Iterator[Pair]:
    """In memory: what is made durable costs nothing there."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Pair(pathlib.Path(folder))


async def test_another_connection_reads_nothing_of_what_was_agreed_on(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pair.host / "old").write_text("agreed")
    await pair.settle()
    (pair.host / "old").unlink()
    (pair.container / "new").write_text("made meanwhile")
    pair.ends[Side.CONTAINER] = LocalEndpoint(pair.container)
    with monkeypatch.context() as patch:
        patch.delattr(Store, "load")
        pair.session = pair.session.resumed(pair.ends[Side.CONTAINER], Mode.TWO_WAY_SAFE)
        assert (await pair.cycle()).done == {Side.HOST: 1, Side.CONTAINER: 1}
    assert pair.files(Side.HOST) == pair.files(Side.CONTAINER) == {"new": b"made meanwhile"}
    pair.restart()
    assert (await pair.cycle()).done == {Side.HOST: 0, Side.CONTAINER: 0}


async def test_a_first_time_and_a_second(pair: Pair) -> None:
    (pair.host / "src").mkdir()
    (pair.host / "src" / "a.py").write_text("a")
    (pair.host / "run.sh").write_text("same")
    (pair.host / "run.sh").chmod(0o755)
    (pair.container / "out").mkdir()
    (pair.container / "out" / "model.bin").write_bytes(bytes(3_000_000))
    (pair.container / "copy.sh").write_text("same")
    report = await pair.cycle()
    assert (report.settled, report.done) == (True, {Side.HOST: 3, Side.CONTAINER: 3})
    assert pair.files(Side.HOST) == pair.files(Side.CONTAINER)
    assert os.access(pair.container / "run.sh", os.X_OK) and not os.access(pair.host / "copy.sh", os.X_OK)
    assert (await pair.cycle()).done == {Side.HOST: 0, Side.CONTAINER: 0}
    pair.restart()
    assert (await pair.cycle()).done == {Side.HOST: 0, Side.CONTAINER: 0}


async def test_both_write_and_both_see(pair: Pair) -> None:
    for name in ("a", "b", "c"):
        (pair.host / name).write_text(name)
    await pair.cycle()
    (pair.host / "a").write_text("host's")
    (pair.container / "b").unlink()
    (pair.host / "c").write_text("one")
    (pair.container / "c").write_text("other")
    report = await pair.cycle()
    assert [(found.path, found.why) for found in report.conflicts] == [("c", Why.BOTH_CHANGED)]
    assert pair.files(Side.HOST) == {"a": b"host's", "c": b"one"}
    assert pair.files(Side.CONTAINER) == {"a": b"host's", "c": b"other"}
    (pair.host / "c").write_text("other")  # somebody has looked at both
    assert (await pair.settle()).conflicts == ()


async def test_content_that_changes_under_way_is_not_taken_for_what_was_seen(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pair.host / "a").write_text("seen")
    pack = pair.ends[Side.HOST].pack

    async def late(wanted: Sequence[Wanted]) -> AsyncIterator[bytes]:
        (pair.host / "a").write_text("later")
        async for piece in pack(wanted):
            yield piece

    monkeypatch.setattr(pair.ends[Side.HOST], "pack", late)
    report = await pair.cycle()
    assert [(failure.path, failure.why) for failure in report.failures] == [("a", NOT_THERE)]
    assert pair.files(Side.CONTAINER) == {}
    monkeypatch.undo()
    await pair.settle()
    assert pair.files(Side.CONTAINER) == {"a": b"later"}


async def test_a_crash_before_it_is_remembered_costs_a_look(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    (pair.host / "a").write_text("a")
    await pair.cycle()
    (pair.host / "a").write_text("b")
    (pair.container / "n").write_text("n")
    monkeypatch.setattr(Store, "save", lambda *args: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        await pair.cycle()
    monkeypatch.undo()
    pair.restart()
    report = await pair.cycle()
    assert (report.conflicts, report.done) == ((), {Side.HOST: 0, Side.CONTAINER: 0})
    assert pair.files(Side.HOST) == pair.files(Side.CONTAINER) == {"a": b"b", "n": b"n"}


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "later"])
async def test_an_ancestor_that_cannot_be_trusted_deletes_nothing(damage: str, pair: Pair) -> None:
    (pair.host / "a").write_text("a")
    (pair.host / "b").write_text("b")
    await pair.cycle()
    (pair.container / "b").unlink()
    data = pair.file.read_bytes()
    broken = {
        "cut": data[:-3],
        "flipped": data[:-1] + bytes([data[-1] ^ 1]),
        "empty": b"",
        "later": data.replace(b"ancestor 1", b"ancestor 2"),
    }[damage]
    pair.file.write_bytes(broken)
    pair.restart()
    await pair.settle()
    assert pair.files(Side.HOST) == pair.files(Side.CONTAINER) == {"a": b"a", "b": b"b"}
    assert pair.file.with_suffix(".corrupt").read_bytes() == broken


async def test_another_folder_in_its_place_deletes_nothing(pair: Pair) -> None:
    for number in range(3):
        (pair.host / f"f{number}").write_text("only copy")
    await pair.cycle()
    shutil.rmtree(pair.container)
    pair.container.mkdir()
    (pair.container / "f0").write_text("what an image ships")
    pair.restart()
    report = await pair.cycle()
    assert (report.halted, [found.path for found in report.conflicts]) == (None, ["f0"])
    assert pair.files(Side.HOST) == {f"f{number}": b"only copy" for number in range(3)}
    assert pair.files(Side.CONTAINER) == {"f0": b"what an image ships", "f1": b"only copy", "f2": b"only copy"}
    shutil.rmtree(pair.container)
    report = await pair.cycle()
    assert report.halted is not None and report.halted.why is Halt.ROOT_GONE
    assert len(pair.files(Side.HOST)) == 3


async def test_another_folder_of_the_host_is_a_question(pair: Pair) -> None:
    for number in range(3):
        (pair.host / f"f{number}").write_text("only copy")
    await pair.cycle()
    shutil.rmtree(pair.host)
    pair.host.mkdir()
    (pair.host / "f0").write_text("another checkout")
    pair.restart()
    report = await pair.cycle()
    assert report.halted is not None and (report.halted.why, report.halted.side) == (Halt.REPLICA, Side.HOST)
    assert len(pair.files(Side.CONTAINER)) == 3


async def test_many_deletions_wait_for_a_word(pair: Pair) -> None:
    for number in range(80):
        (pair.host / f"f{number}").write_text(str(number))
    await pair.cycle()
    for number in range(60):
        (pair.container / f"f{number}").unlink()
    report = await pair.cycle()
    assert report.halted is not None and (report.halted.why, report.halted.count) == (Halt.DELETIONS, 60)
    assert len(pair.files(Side.HOST)) == 80
    await pair.cycle(allow_deletions=True)
    assert pair.files(Side.HOST) == pair.files(Side.CONTAINER)
    assert len(pair.files(Side.HOST)) == 20
    assert {str(number).encode() for number in range(60)} <= pair.everything()  # the trash has them


def test_the_store(tmp_path: pathlib.Path) -> None:
    assert Store(tmp_path / "none").load() == Ancestor()


NAMES = ("a", "b", "d", "d/x", "d/y", "d/e/z")


class Person:
    """Writes and deletes as somebody would who does not know of synchronising. `gave_up` is what they did away with."""

    def __init__(self, chance: random.Random, pair: Pair) -> None:
        self._chance, self._pair = chance, pair
        self._count = itertools.count()
        self.wrote: set[bytes] = set()
        self.gave_up: set[bytes] = set()

    def act(self) -> None:
        root = self._pair.roots[self._chance.choice(list(Side))]
        path = root / self._chance.choice(NAMES)
        self._clear(root, path)
        match self._chance.randrange(5):
            case 0:
                self._remove(path)
            case 1 if path.is_file() and not path.is_symlink():
                path.chmod(path.stat().st_mode ^ 0o111)
            case 2 if path.exists() and not (other := root / self._chance.choice("abc")).exists():
                if not path.is_relative_to(other):
                    path.rename(other)
            case _:
                self._write(path)

    def _clear(self, root: pathlib.Path, path: pathlib.Path) -> None:
        """A file where a folder is needed."""
        for parent in reversed(path.relative_to(root).parents):
            if (root / parent).is_file():
                self._remove(root / parent)

    def _remove(self, path: pathlib.Path) -> None:
        if path.is_dir():
            self.gave_up |= {file.read_bytes() for file in path.rglob("*") if file.is_file()}
            shutil.rmtree(path)
        elif path.exists():
            self.gave_up.add(path.read_bytes())
            path.unlink()

    def _write(self, path: pathlib.Path) -> None:
        self._remove(path) if path.is_dir() else None
        if path.exists():
            self.gave_up.add(path.read_bytes())
        path.parent.mkdir(parents=True, exist_ok=True)
        content = f"content {next(self._count)}".encode()
        self.wrote.add(content)
        if self._chance.random() < 0.5:
            path.write_bytes(content)
        else:  # as careful editors do
            new = path.with_name("new~")
            new.write_bytes(content)
            new.replace(path)


def story(seed: int, folder: pathlib.Path) -> None:
    """People write at any moment, also between a scan and its steps; now and then the process starts anew."""
    chance = random.Random(seed)
    pair = Pair(folder)
    person = Person(chance, pair)
    real = {name: getattr(LocalEndpoint, name) for name in ("scan", "apply", "missing")}

    async def between(name: str, end: LocalEndpoint, *args: object, **named: object) -> object:
        if chance.random() < 0.3:
            person.act()
        return await real[name](end, *args, **named)

    async def told() -> None:
        for _ in range(chance.randrange(2, 7)):
            for _ in range(chance.randrange(4)):
                person.act()
            await pair.cycle(allow_deletions=True)
            assert person.wrote - person.gave_up <= pair.everything(), seed
            if chance.random() < 0.2:
                pair.restart()

    with pytest.MonkeyPatch.context() as patch:
        for name in real:

            async def call(end: LocalEndpoint, *args: object, name: str = name, **named: object) -> object:
                return await between(name, end, *args, **named)

            patch.setattr(LocalEndpoint, name, call)
        asyncio.run(told())
    report = asyncio.run(pair.settle())
    assert person.wrote - person.gave_up <= pair.everything(), seed
    apart = tuple(found.path for found in report.conflicts)
    host, container = pair.files(Side.HOST), pair.files(Side.CONTAINER)
    for path in host.keys() | container.keys():
        if not any(path == found or path.startswith(f"{found}/") for found in apart):
            assert host.get(path) == container.get(path), (seed, path)
    assert all(not list((root / ".devenv" / "stage").glob("*")) for root in pair.roots.values()), seed


@pytest.mark.parametrize("block", range(4))
def test_stories(block: int) -> None:
    """Each seed is one story: `story(SEED, folder)` tells it again."""
    count = int(os.environ.get("DEVENV_STORIES", "60"))
    for seed in range(block * count, (block + 1) * count):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            story(seed, pathlib.Path(folder))
