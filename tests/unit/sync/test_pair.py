"""A pair of folders as the supervisor keeps it: barriers, pauses, halts, choices, a far side that comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import shutil
from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest

from devenv.errors import LinkError, NotUp, Refused, SyncHalted
from devenv.sync.core.merge import Mode
from devenv.sync.endpoint import Endpoint, Hints, LocalEndpoint
from devenv.sync.pair import Pair, State
from devenv.sync.resolve import Take, beside, content_of, resolve
from devenv.sync.words import printable


class Rules:
    """None but our own folder's."""

    def collect(self) -> Any:
        return None

    def stale(self, dirty: Collection[str]) -> bool:
        return False

    def mode(self) -> Mode:
        return Mode.TWO_WAY_SAFE


class Site:
    def __init__(self, root: pathlib.Path) -> None:
        self.host, self.far, self.state = root / "host", root / "far", root / "state"
        self.host.mkdir()
        self.far.mkdir()
        self.up = True
        self.connected = 0
        self.pair = self.make()

    def make(self) -> Pair:
        return Pair(LocalEndpoint(self.host), self._open, self.state, Rules())

    async def _open(self, rules: Any) -> Endpoint:
        if not self.up:
            raise NotUp("the container does not run")
        self.connected += 1
        return LocalEndpoint(self.far)

    def paths(self) -> list[str]:
        return [c.path for c in self.pair.conflicts]


@pytest.fixture
async def site(tmp_path: pathlib.Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    yield made
    await made.pair.close()


async def test_a_barrier_brings_what_was_saved(site: Site) -> None:
    (site.host / "a").write_text("1")
    (site.far / "b").write_text("2")
    await site.pair.flush()
    assert (site.far / "a").read_text() == "1"
    assert (site.host / "b").read_text() == "2"
    assert site.pair.state is State.IN_STEP
    assert (site.pair.counters.to_container, site.pair.counters.to_host) == (1, 1)


async def test_conflicts_end_as_a_person_says(site: Site) -> None:
    for name in ("f", "g", "h.tar.gz"):
        (site.host / name).write_text("0")
    await site.pair.flush()
    for name in ("f", "g", "h.tar.gz"):
        (site.host / name).write_text(f"host {name}")
        (site.far / name).write_text(f"far {name}")
    await site.pair.flush()
    assert site.paths() == ["f", "g", "h.tar.gz"]
    found = {c.path: c for c in site.pair.conflicts}
    async with site.pair.held() as session:
        assert await content_of(session.container, found["f"].container, "f", 100) == b"far f"
        assert await content_of(session.host, found["f"].host, "f", 100) == b"host f"
        await resolve(session, found["f"], Take.HOST)
        await resolve(session, found["g"], Take.CONTAINER)
        await resolve(session, found["h.tar.gz"], Take.BOTH)
    site.pair.look_again()
    await site.pair.flush()
    assert site.paths() == []
    both = {p.name: p.read_text() for p in site.host.iterdir() if p.is_file()}
    assert both == {p.name: p.read_text() for p in site.far.iterdir() if p.is_file()}
    (name,) = [n for n in both if n.startswith("h.tar.conflict-container-") and n.endswith(".gz")]
    assert both == {"f": "host f", "g": "far g", "h.tar.gz": "host h.tar.gz", name: "far h.tar.gz"}


def test_a_name_beside_is_no_longer_than_names_may_be() -> None:
    assert beside("a/b.py", 0.0) == "a/b.conflict-container-19700101T000000.py"
    assert beside(".env", 0.0) == ".env.conflict-container-19700101T000000"
    long = beside("x" * 250 + ".py", 0.0)
    assert len(long) == 255
    assert long.endswith(".conflict-container-19700101T000000.py")


async def test_folders_cannot_be_kept_twice(site: Site) -> None:
    (site.host / "f").write_text("a file")
    (site.far / "f").mkdir()
    (site.far / "f" / "x").write_text("in a folder")
    await site.pair.flush()
    (conflict,) = site.pair.conflicts
    async with site.pair.held() as session:
        with pytest.raises(Refused, match="only files can be kept twice"):
            await resolve(session, conflict, Take.BOTH)
        await resolve(session, conflict, Take.CONTAINER)
    site.pair.look_again()
    await site.pair.flush()
    assert (site.host / "f" / "x").read_text() == "in a folder"


async def fill(site: Site, count: int = 120) -> None:
    for number in range(count):
        (site.host / f"f{number}").write_text(str(number))
    await site.pair.flush()


def empty(folder: pathlib.Path) -> None:
    for path in folder.iterdir():
        if path.name.startswith("f"):
            path.unlink()


async def test_many_deletions_halt_until_a_person_says_yes(site: Site) -> None:
    await fill(site)
    (site.far / "keep").write_text("x")
    await site.pair.flush()
    empty(site.far)
    with pytest.raises(SyncHalted, match="120 of 121 files would be deleted on this machine") as halted:
        await site.pair.flush()
    assert "--allow-deletes" not in halted.value.hint and "--allow-deletions" in halted.value.hint
    assert site.pair.state is State.HALTED
    with pytest.raises(SyncHalted):
        site.pair.require()
    with pytest.raises(SyncHalted):
        await site.pair.flush()
    assert len(list(site.host.glob("f*"))) == 120
    await site.pair.resume(allow_deletions=True)
    assert not list(site.host.glob("f*"))
    assert site.pair.state is State.IN_STEP


async def test_a_reset_brings_back_instead(site: Site) -> None:
    await fill(site)
    (site.far / "keep").write_text("x")
    await site.pair.flush()
    empty(site.far)
    with pytest.raises(SyncHalted):
        await site.pair.flush()
    await site.pair.reset()
    assert len(list(site.far.glob("f*"))) == 120
    assert site.pair.state is State.IN_STEP


async def test_nothing_is_done_while_it_is_paused(site: Site) -> None:
    await fill(site, 1)
    await site.pair.pause()
    (site.host / "new").write_text("x")
    await site.pair.flush()
    assert not (site.far / "new").exists()
    await site.pair.resume()
    assert (site.far / "new").exists()


async def test_one_process_at_a_time(site: Site) -> None:
    await site.pair.flush()
    other = site.make()
    with pytest.raises(LinkError, match=r"another process .* synchronises these files \(pid \d+\)"):
        await other.flush()
    await site.pair.close()
    await other.flush()
    await other.close()


async def test_a_far_side_that_comes_back_goes_on(site: Site) -> None:
    await fill(site, 3)
    task = asyncio.create_task(site.pair.run())
    try:
        site.up = False
        await site.pair._lost(LinkError("cut"))
        assert site.pair.state is State.OFFLINE
        (site.host / "meanwhile").write_text("x")
        with pytest.raises(NotUp):
            await site.pair.flush()
        site.up = True
        await site.pair.flush()
        assert (site.far / "meanwhile").read_text() == "x"
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_far_folder_that_was_made_anew_deletes_nothing(site: Site) -> None:
    await fill(site, 60)
    await site.pair.close()
    shutil.rmtree(site.far)
    site.far.mkdir()
    site.pair = site.make()
    await site.pair.flush()
    assert len(list(site.host.glob("f*"))) == len(list(site.far.glob("f*"))) == 60


async def test_another_folder_on_this_machine_halts(site: Site) -> None:
    await fill(site, 60)
    await site.pair.close()
    shutil.rmtree(site.host)
    site.host.mkdir()
    (site.host / "other").write_text("another checkout")
    site.pair = site.make()
    with pytest.raises(SyncHalted, match="the folder on this machine is another one"):
        await site.pair.flush()
    assert len(list(site.far.glob("f*"))) == 60


async def test_our_own_word_that_was_cleaned_away_is_no_other_folder(site: Site) -> None:
    """`git clean -fdx` takes it, on either side."""
    await fill(site, 60)
    await site.pair.close()
    for root in (site.host, site.far):
        shutil.rmtree(root / ".devenv")
    (site.host / "f0").unlink()
    site.pair = site.make()
    await site.pair.flush()
    assert not (site.far / "f0").exists(), "it is known still what was agreed on"
    assert len(list(site.far.glob("f*"))) == 59


async def test_everything_is_read_again_when_asked(site: Site) -> None:
    await fill(site, 3)
    report = await site.pair.verify()
    assert report is not None
    assert sum(report.done.values()) == 0


class Once(LocalEndpoint):
    """A far side that fails at its first look."""

    failure: Exception | None = None

    async def settle(self) -> Hints:
        failure, Once.failure = Once.failure, None
        if failure is not None:
            raise failure
        return await super().settle()


@pytest.mark.parametrize("failure", [LinkError("the container's side ended"), OSError("cut")])
async def test_a_barrier_outlives_a_side_that_ended(site: Site, failure: Exception) -> None:
    async def connect(rules: Any) -> Endpoint:
        site.connected += 1
        return Once(site.far)

    site.pair = Pair(LocalEndpoint(site.host), connect, site.state, Rules())
    await site.pair.flush()
    (site.host / "a").write_text("1")
    Once.failure = failure
    await site.pair.flush()
    assert (site.far / "a").read_text() == "1"
    assert site.connected == 2


async def test_the_loop_goes_on_after_what_nobody_expected(site: Site) -> None:
    async def connect(rules: Any) -> Endpoint:
        site.connected += 1
        return Once(site.far)

    site.pair = Pair(LocalEndpoint(site.host), connect, site.state, Rules())
    await site.pair.flush()
    Once.failure = ZeroDivisionError("a defect")
    task = asyncio.create_task(site.pair.run())
    try:
        (site.host / "a").write_text("1")
        (site.far / "b").write_text("2")
        async with asyncio.timeout(20):
            while not ((site.far / "a").exists() and (site.host / "b").exists()):
                await asyncio.sleep(0.05)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_both_folders_made_anew_at_once_halt(site: Site) -> None:
    await fill(site, 3)
    await site.pair.close()
    for root in (site.host, site.far):
        shutil.rmtree(root)
        root.mkdir()
    (site.host / "other").write_text("another checkout")
    site.pair = site.make()
    with pytest.raises(SyncHalted, match="the folder on this machine is another one"):
        await site.pair.flush()
    assert not (site.far / "other").exists()
    await site.pair.reset()
    assert (site.far / "other").read_text() == "another checkout"


def test_nothing_that_a_terminal_obeys_is_shown() -> None:
    assert printable("a\x1b[31m\tb\udcff", "\t") == "a\\x1b[31m\tb\\udcff"
    assert printable("a\tb\n") == "a\\tb\\n"
