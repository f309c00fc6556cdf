"""Hints on a real file system: nothing that was written before `take` is missing in it."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from devenv.sync.side import watch
from devenv.sync.side.watch import Watcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


class Seen:
    """A watcher of a root whose folders are all added."""

    def __init__(self, root: pathlib.Path, ignored: Callable[[str, bool], bool]) -> None:
        self.root = root
        self.told = threading.Semaphore(0)
        self.watcher = Watcher(ignored, self.told.release)

    def add(self, *paths: str) -> None:
        for path in paths or ("", *(str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_dir())):
            self.watcher.add(path, str(self.root / path))

    def take(self) -> tuple[set[str], set[str], bool]:
        return self.watcher.take()


@pytest.fixture
def seen(tmp_path: pathlib.Path) -> Iterator[Seen]:
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "c").mkdir()
    (root / "a" / "f").write_text("f")
    made = Seen(root, lambda path, is_folder: path == ".devenv" or path.endswith(".swp"))
    made.add()
    assert made.take() == (set(), set(), False)
    yield made
    made.watcher.close()


def test_who_writes_where(seen: Seen) -> None:
    (seen.root / "a" / "b" / "new").write_text("n")
    assert seen.take() == ({"a/b"}, set(), False)
    (seen.root / "a" / "f").chmod(0o755)
    (seen.root / "top").write_text("t")
    assert seen.take() == ({"a", ""}, set(), False)
    (seen.root / "a" / "f").rename(seen.root / "c" / "g")
    assert seen.take() == ({"a", "c"}, set(), False)
    (seen.root / "c" / "g").unlink()
    assert seen.take() == ({"c"}, set(), False)
    assert seen.take() == (set(), set(), False)


def test_who_only_looks_is_not_heard(seen: Seen) -> None:
    (seen.root / "a" / "f").read_text()
    os.listdir(seen.root / "a")
    (seen.root / ".devenv").mkdir()
    (seen.root / "a" / ".f.swp").write_text("")
    assert seen.take() == (set(), set(), False)


def test_every_write_before_is_in_it(seen: Seen) -> None:
    """Without any waiting: the kernel queues an event before the writer goes on."""
    for number in range(500):
        folder = "a/b" if number % 2 else "c"
        (seen.root / folder / "f").write_text(str(number))
        assert seen.take()[0] == {folder}


def test_told_once_until_somebody_looks(seen: Seen) -> None:
    for _ in range(3):
        (seen.root / "c" / "x").write_text("1")
        (seen.root / "c" / "x").write_text("2")
        assert seen.told.acquire(timeout=10)
        assert seen.take()[0] == {"c"}
        assert not seen.told.acquire(blocking=False)


def test_folders_that_come_are_fresh(seen: Seen) -> None:
    (seen.root / "c" / "n" / "deep").mkdir(parents=True)
    assert seen.take() == ({"c"}, {"c/n"}, False)
    seen.add("c/n", "c/n/deep")
    (seen.root / "c" / "n" / "deep" / "x").write_text("x")
    assert seen.take() == ({"c/n/deep"}, set(), False)
    shutil.rmtree(seen.root / "c" / "n")
    (seen.root / "c" / "n").mkdir()
    dirty, fresh, _ = seen.take()
    assert ({"c"} <= dirty, fresh) == (True, {"c/n"})


def test_a_folder_that_moved_is_known_by_its_new_name(seen: Seen) -> None:
    (seen.root / "a").rename(seen.root / "z")
    assert seen.take() == ({""}, {"z"}, False)
    seen.add("z", "z/b")
    (seen.root / "z" / "b" / "x").write_text("x")
    assert seen.take() == ({"z/b"}, set(), False)


def test_a_folder_that_left_is_not_heard_any_more(seen: Seen, tmp_path: pathlib.Path) -> None:
    (seen.root / "a").rename(tmp_path / "away")
    seen.take()
    assert seen.watcher.count() == 2
    (tmp_path / "away" / "b" / "x").write_text("x")
    assert seen.take() == (set(), set(), False)


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_a_root_that_is_gone_is_told(how: str, seen: Seen, tmp_path: pathlib.Path) -> None:
    if how == "moved":
        seen.root.rename(tmp_path / "elsewhere")
    else:
        shutil.rmtree(seen.root)
    assert seen.take()[2]


def test_more_than_the_queue_holds_is_lost_and_said(seen: Seen) -> None:
    limit = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    with seen.watcher._lock:  # nobody reads meanwhile
        for number in range(limit // 2 + 100):  # each file is created, and closed
            os.close(os.open(seen.root / "c" / str(number), os.O_CREAT | os.O_WRONLY))
    assert seen.take()[2]
    assert not seen.take()[2]


def test_more_folders_than_may_be_watched_are_looked_at_now_and_then(tmp_path: pathlib.Path) -> None:
    """In a user namespace with a limit of its own: the machine's is never touched."""
    if os.getuid() != 0:
        pytest.skip("needs root, for a user namespace with another limit")
    for number in range(6):
        (tmp_path / f"d{number}").mkdir()
    code = (
        "import sys, threading\n"
        f"sys.path.insert(0, {str(pathlib.Path(__file__).parents[3])!r})\n"
        "from devenv.sync.side import watch\n"
        "watch.POLL = 0.05\n"
        "open('/proc/sys/user/max_inotify_watches', 'w').write('3')\n"
        "told = threading.Event()\n"
        "watcher = watch.Watcher(lambda path, folder: False, told.set)\n"
        f"for n in range(6): watcher.add('d%d' % n, {str(tmp_path)!r} + '/d%d' % n)\n"
        "print(watcher.take()[2], watcher.lacking, watcher.count())\n"
        "told.clear(); print(told.wait(10))\n"
        "watcher.close()\n"
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    why = "6 folders are to be watched, and this user may watch no more than 3 (fs.inotify.max_user_watches)"
    assert done.stdout == f"True {why} 3\nTrue\n", done.stderr


def test_very_many_dirty_folders_are_everything(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_MOST", 2)
    for path in ("a/x", "a/b/x", "c/x"):
        (seen.root / path).write_text("x")
    assert seen.take()[2]
