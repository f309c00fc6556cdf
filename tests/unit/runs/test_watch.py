"""Watching real folders with real events, overflow and limits injected."""

from __future__ import annotations

import asyncio
import os
import pathlib
import shutil
from collections.abc import Callable

import pytest

from devenv.runs.ignore import Rules
from devenv.runs.snapshot import Change, ChangeKind
from devenv.runs.watch import Hints, Source, Watch, default_source, watch_project

ADDED, MODIFIED, DELETED = ChangeKind.ADDED, ChangeKind.MODIFIED, ChangeKind.DELETED


def write(root: pathlib.Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


class Recorded:
    """A real source that tells which folders it was asked to watch."""

    def __init__(self) -> None:
        self.folders: set[str] = set()
        self.hints: Hints | None = None

    def __call__(self, root: str, hints: Hints) -> Source:
        self.hints = hints
        inner = default_source(root, hints)
        outer = self

        class Telling:
            def add(self, folder: str) -> None:
                outer.folders.add(folder)
                inner.add(folder)

            def settle(self, folders: set[str]) -> None:
                outer.folders &= folders
                inner.settle(folders)

            def close(self) -> None:
                inner.close()

        return Telling()


async def until(watch: Watch, *wanted: Change) -> None:
    """Waits until all these changes were reported, and nothing besides."""
    left = set(wanted)
    while left:
        for change in await asyncio.wait_for(watch.changes(), 20):
            assert change in left, f"{change} was not expected; still waiting for {left}"
            left.discard(change)


async def nothing_but(watch: Watch, root: pathlib.Path, barrier: str = "barrier.py") -> None:
    """Everything that happened until now is no change: a later edit is the first thing to be reported."""
    write(root, barrier, os.urandom(4).hex())
    found = await asyncio.wait_for(watch.changes(), 20)
    assert [change.path for change in found] == [barrier]


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    write(tmp_path, "train.py", "import net\n")
    write(tmp_path, "net/__init__.py")
    write(tmp_path, "net/model.py", "layers = 3\n")
    return tmp_path


async def test_edits_in_every_way_that_editors_save(root: pathlib.Path) -> None:
    async with watch_project(str(root), []) as watch:
        write(root, "train.py", "in place")
        await until(watch, Change("train.py", MODIFIED))
        write(root, ".train.py.tmp", "by rename")
        os.rename(root / ".train.py.tmp", root / "train.py")
        await until(watch, Change("train.py", MODIFIED))
        os.rename(root / "train.py", root / "train.py~")
        write(root, "train.py", "with a backup")
        await until(watch, Change("train.py", MODIFIED))
        (root / "train.py").unlink()
        await until(watch, Change("train.py", DELETED))
        write(root, "other.py", "new")
        await until(watch, Change("other.py", ADDED))


async def test_what_is_no_change(root: pathlib.Path) -> None:
    async with watch_project(str(root), []) as watch:
        os.utime(root / "train.py")
        write(root, "train.py", "import net\n")  # saved, not edited
        write(root, "notes.md", "text")
        write(root, "weights.pt", "bytes")
        os.symlink("/etc/passwd", root / "link.py")
        os.mkfifo(root / "pipe.py")
        await nothing_but(watch, root)


async def test_pruned_folders_are_never_watched(root: pathlib.Path) -> None:
    write(root, ".gitignore", "/scratch/\n*_local.py\nruns/\n!runs/keep/\n")
    write(root, "sub/.gitignore", "inner/\n")
    kept = ["", "net", "sub", "sub/deep", "pkg", "pkg/data"]
    write(root, "pkg/data/__init__.py")
    write(root, "sub/deep/a.py")
    pruned = [
        ".git/x",
        ".venv/lib",
        "node_modules/a",
        "data/raw",
        "wandb/r1",
        "scratch/a",
        "sub/inner/b",
        "own/big",
        "runs/1",
    ]
    for folder in pruned:
        write(root, f"{folder}/a.py")
    source = Recorded()
    async with watch_project(str(root), ["own/"], source=source) as watch:
        assert source.folders == set(kept)
        for folder in pruned:
            write(root, f"{folder}/a.py", "changed")
            write(root, f"{folder}/more/b.py", "new")
        write(root, "train_local.py", "ignored by name")
        await nothing_but(watch, root)


async def test_a_rule_of_the_user_takes_back_a_default(root: pathlib.Path) -> None:
    write(root, "data/fixture.json", "{}")
    async with watch_project(str(root), ["!data/"]) as watch:
        write(root, "data/fixture.json", "[]")
        await until(watch, Change("data/fixture.json", MODIFIED))


async def test_folders_that_come_move_and_go(root: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = Recorded()
    async with watch_project(str(root), [], source=source) as watch:
        write(root, "new/deep/er/a.py", "1")
        await until(watch, Change("new/deep/er/a.py", ADDED))
        write(root, "new/deep/er/a.py", "2")
        await until(watch, Change("new/deep/er/a.py", MODIFIED))

        os.rename(root / "new/deep", root / "moved")
        await until(watch, Change("new/deep/er/a.py", DELETED), Change("moved/er/a.py", ADDED))
        write(root, "moved/er/a.py", "3")
        await until(watch, Change("moved/er/a.py", MODIFIED))

        elsewhere = tmp_path_factory.mktemp("elsewhere")
        write(elsewhere, "tree/b.py", "1")
        os.rename(elsewhere / "tree", root / "tree")
        await until(watch, Change("tree/b.py", ADDED))
        write(root, "tree/b.py", "2")
        await until(watch, Change("tree/b.py", MODIFIED))

        shutil.rmtree(root / "moved")
        await until(watch, Change("moved/er/a.py", DELETED))
        assert source.folders == {"", "net", "new", "tree"}


async def test_a_gitignore_that_changes_counts_from_then_on(root: pathlib.Path) -> None:
    async with watch_project(str(root), []) as watch:
        write(root, ".gitignore", "net/\n")
        await until(watch, Change("net/__init__.py", DELETED), Change("net/model.py", DELETED))
        write(root, "net/model.py", "layers = 4\n")
        await nothing_but(watch, root)


async def test_lost_events_are_made_up_for_by_comparing(root: pathlib.Path) -> None:
    """The kernel's queue overflows: no event of the files arrives, only the sign that some were lost."""

    class Deaf:
        def __init__(self, hints: Hints) -> None:
            self.hints = hints

        def add(self, folder: str) -> None: ...
        def settle(self, folders: set[str]) -> None: ...
        def close(self) -> None: ...

    made: list[Deaf] = []

    def source(root: str, hints: Hints) -> Source:
        made.append(Deaf(hints))
        return made[0]

    async with watch_project(str(root), [], source=source) as watch:
        for number in range(50):
            write(root, f"flood/f{number}.py", "x")
        write(root, "train.py", "edited")
        (root / "net/model.py").unlink()
        made[0].hints.everything()
        await until(
            watch,
            Change("train.py", MODIFIED),
            Change("net/model.py", DELETED),
            *(Change(f"flood/f{number}.py", ADDED) for number in range(50)),
        )


async def test_watchdogs_overflow_sign_reaches_us(root: pathlib.Path) -> None:
    from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, Mask, WatchDescriptor

    from devenv.runs.watch import linux_source

    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Listener:
        def file(self, path: str) -> None: ...
        def everything(self) -> None:
            loop.call_soon_threadsafe(asked.set)

    source = linux_source(str(root), Listener())
    try:
        source.add("")
        event = InotifyEvent(WatchDescriptor(-1), Mask(InotifyConstants.IN_Q_OVERFLOW), 0, b"")
        await asyncio.to_thread(source._inotify.handle_event, event)  # type: ignore[attr-defined]
        await asyncio.wait_for(asked.wait(), 20)
    finally:
        source.close()


def at_once(root: str, hints: Hints) -> Source:
    raise OSError(24, "inotify instance limit reached")


def after_two(root: str, hints: Hints) -> Source:
    inner = default_source(root, hints)
    added = []

    class Limited:
        def add(self, folder: str) -> None:
            added.append(folder)
            if len(added) > 2:
                raise OSError(28, "inotify watch limit reached")
            inner.add(folder)

        def settle(self, folders: set[str]) -> None: ...
        def close(self) -> None:
            inner.close()

    return Limited()


@pytest.mark.parametrize("source", [at_once, after_two])
async def test_without_kernel_watches_it_polls_and_says_so(
    root: pathlib.Path, source: Callable[[str, Hints], Source]
) -> None:
    write(root, "sub/deep/a.py", "1")
    notes: list[str] = []
    async with watch_project(str(root), [], source=source, on_note=notes.append, poll=0.05) as watch:
        assert watch.polling
        write(root, "sub/deep/a.py", "2")
        write(root, "sub/deep/new/b.py", "2")
        await until(watch, Change("sub/deep/a.py", MODIFIED), Change("sub/deep/new/b.py", ADDED))
    (note,) = notes
    assert "limit reached" in note
    assert "fs.inotify.max_user_watches" in note


async def test_a_folder_that_is_unmounted_is_not_a_deletion(root: pathlib.Path) -> None:
    async with watch_project(str(root), []) as watch:
        os.rename(root, root.with_name("away"))
        assert await watch.compare(whole=True) == []
        os.rename(root.with_name("away"), root)
        write(root, "train.py", "edited")
        assert Change("train.py", MODIFIED) in await watch.compare(whole=True)


async def test_cancelling_loses_nothing(root: pathlib.Path) -> None:
    async with watch_project(str(root), []) as watch:
        for turn in range(20):
            waiting = asyncio.create_task(watch.changes())
            await asyncio.sleep(0)
            write(root, "train.py", f"edit {turn}")
            for _ in range(turn):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting})
            found = waiting.result() if not waiting.cancelled() else await asyncio.wait_for(watch.changes(), 20)
            assert found == [Change("train.py", MODIFIED)]


def test_rules_ask_the_inner_gitignore_first(tmp_path: pathlib.Path) -> None:
    write(tmp_path, ".gitignore", "*.json\n")
    write(tmp_path, "tests/.gitignore", "!golden.json\n")
    rules = Rules(str(tmp_path))
    assert not rules.keeps_file("a.json")
    assert not rules.keeps_file("tests/other.json")
    assert rules.keeps_file("tests/golden.json")
    assert not Rules(str(tmp_path), ["golden.json"]).keeps_file("tests/golden.json")
