"""One side whole: hints lead to what a full look finds, what is known outlives the process, and trash comes back."""

from __future__ import annotations

import hashlib
import os
import pathlib
import random
import shutil
import tempfile
import threading
from collections.abc import Iterator

import pytest

from devenv.sync.side import trash
from devenv.sync.side.place import Place
from devenv.sync.side.watch import Poller


def f(text: bytes) -> tuple[object, ...]:
    return ("f", hashlib.sha256(text).digest(), False)


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def place(root: pathlib.Path) -> Iterator[Place]:
    made = Place(str(root))
    yield made
    made.close()


NAMES = ("a", "b", "c")


class Vandal:
    """Does anything that can be done to a tree of few names, so that the same ones come and go."""

    def __init__(self, root: pathlib.Path, aside: pathlib.Path, seed: int) -> None:
        self._root, self._aside, self._chance = root, aside, random.Random(seed)
        self._count = 0

    def _any(self) -> pathlib.Path:
        path = self._root
        for _ in range(self._chance.randint(1, 4)):
            path = path / self._chance.choice(NAMES)
            if not path.is_dir() or path.is_symlink():
                break
        return path

    def act(self) -> None:
        path, other = self._any(), self._any()
        there = os.path.lexists(path)
        self._count += 1
        match self._chance.randrange(9):
            case 0 | 1:
                if not there or not path.is_dir():
                    path.write_text(str(self._count)) if not path.is_symlink() else path.unlink()
            case 2:
                if not there:
                    path.mkdir()
            case 3:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                    if self._chance.random() < 0.5:
                        path.mkdir()  # the same name, and often the same inode
                        (path / self._chance.choice(NAMES)).write_text(str(self._count))
                elif there:
                    path.unlink()
            case 4:
                if there and not os.path.lexists(other) and not other.is_relative_to(path):
                    path.rename(other)
            case 5:
                if there and not path.is_symlink():
                    path.chmod(0o755 if self._chance.random() < 0.5 else 0o700)
            case 6:
                if not there:
                    path.symlink_to(self._chance.choice(NAMES))
            case 7:  # out of the tree, changed there, and in again
                if there:
                    away = self._aside / str(self._count)
                    path.rename(away)
                    new = away / self._chance.choice(NAMES)
                    if away.is_dir() and not away.is_symlink() and not os.path.lexists(new):
                        new.mkdir()
                    if not os.path.lexists(other) and other.parent.is_dir():
                        away.rename(other)
            case 8:
                for depth in range(1, 4):  # deep at once
                    below = path.joinpath(*NAMES[:depth])
                    if not os.path.lexists(below) and below.parent.is_dir() and not below.parent.is_symlink():
                        below.mkdir()


@pytest.mark.parametrize("block", range(4))
def test_what_hints_lead_to_is_what_a_full_look_finds(block: int) -> None:
    """Each seed is one story."""
    count = int(os.environ.get("DEVENV_STORIES", "40"))
    for seed in range(block * count, (block + 1) * count):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            root, aside = pathlib.Path(folder, "root"), pathlib.Path(folder, "aside")
            root.mkdir()
            aside.mkdir()
            place = Place(str(root))
            try:
                place.watch(lambda: None)
                place.settle()
                place.scan(None)
                vandal, chance = Vandal(root, aside, seed), random.Random(seed)
                for _ in range(chance.randrange(3, 12)):
                    for _ in range(chance.randrange(1, 6)):
                        vandal.act()
                    dirty, lost = place.settle()
                    assert not lost, seed
                    before = place.tree
                    tree = place.scan(dirty)
                    assert tree == Place(str(root)).scan(None), seed
                    if not dirty:
                        assert tree is before, seed
            finally:
                place.close()


def test_unchanged_folders_are_the_same_objects(place: Place, root: pathlib.Path) -> None:
    for path in ("a/b", "c/d"):
        (root / path).mkdir(parents=True)
        (root / path / "f").write_text(path)
    before = place.scan(None)
    assert place.scan(None) is before
    (root / "a" / "b" / "f").write_text("new")
    for tree in (place.scan({"a/b"}), place.scan(None)):
        assert before is not None and tree is not None
        assert tree[1]["c"] is before[1]["c"]
        assert tree[1]["a"][1]["b"] == ("d", {"f": f(b"new")})


def aged(place: Place) -> None:
    """As if all had been written long before it was read: ctime cannot be feigned."""
    place.replica(new=True)
    place.scanner._granularity = -3600 * 10**9
    place.scan(None)


def test_the_next_process_reads_nothing_again(root: pathlib.Path, place: Place) -> None:
    for number in range(30):
        (root / f"f{number}").write_text(str(number))
    (root / os.fsdecode(b"caf\xe9\n")).write_text("odd")
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "x").write_text("x")
    aged(place)
    place.close()
    again = Place(str(root))
    assert again.scan(None) == place.tree
    assert again.scanner.hashed == 0
    (root / "f3").write_text("another")
    assert again.scan(None) != place.tree
    assert again.scanner.hashed == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "another", "link"])
def test_a_memory_that_is_damaged_is_none(damage: str, root: pathlib.Path, place: Place) -> None:
    (root / "f").write_text("f")
    aged(place)
    place.close()
    file = root / ".devenv" / "scan"
    data = file.read_bytes()
    broken = {"cut": data[:-1], "flipped": data[:-1] + bytes([data[-1] ^ 1]), "empty": b"", "another": b"text\n" * 50}
    if damage == "link":
        file.rename(root.parent / "moved")
        file.symlink_to(root.parent / "moved")
    else:
        file.write_bytes(broken[damage])
    again = Place(str(root))
    assert (again.scan(None), again.scanner.hashed) == (place.tree, 1)


def test_rehashing_believes_nothing(root: pathlib.Path, place: Place) -> None:
    (root / "f").write_text("f")
    aged(place)
    assert (place.scan(None), place.scanner.hashed) == (place.tree, 0)
    assert (place.scan(None, rehash=True), place.scanner.hashed) == (place.tree, 1)


def test_what_was_written_here_is_not_read_again(root: pathlib.Path, place: Place) -> None:
    place.scan(None)
    steps = [("new", None, f(b"new"))]
    with place.receive(steps) as coming:
        assert coming.applier.contents.keep(f(b"new")[1], b"new")  # type: ignore[arg-type]
        staged = root / ".devenv" / "stage" / f(b"new")[1].hex()  # type: ignore[attr-defined]
        os.utime(staged, (1_000_000, 1_000_000))  # as if it had waited for others
        coming.applier.contents.marks.clear()
        assert place.apply(steps, "c", coming) == [""]
    tree = place.scan({""})
    assert tree is not None and (tree[1]["new"], place.scanner.hashed) == (f(b"new"), 0)


def test_what_was_written_to_in_the_stage_is_read_again(root: pathlib.Path, place: Place) -> None:
    place.scan(None)
    steps = [("new", None, f(b"new"))]
    with place.receive(steps) as coming:
        assert coming.applier.contents.keep(f(b"new")[1], b"new")  # type: ignore[arg-type]
        staged = root / ".devenv" / "stage" / f(b"new")[1].hex()  # type: ignore[attr-defined]
        staged.write_text("her")
        os.utime(staged, (1_000_000, 1_000_000))
        assert place.apply(steps, "c", coming) == [""]
    tree = place.scan({""})
    assert tree is not None and (tree[1]["new"], place.scanner.hashed) == (f(b"her"), 1)


def test_our_folder_is_nothing_that_git_sees(root: pathlib.Path, place: Place) -> None:
    place.replica(new=True)
    assert (root / ".devenv" / ".gitignore").read_text() == "*\n"
    assert place.replica() == place.replica(new=True)


def test_a_cycle_is_undone_and_that_is_undone(root: pathlib.Path, place: Place) -> None:
    (root / "sub").mkdir()
    for path in ("edited", "sub/gone", "sub/link"):
        (root / path).symlink_to("there") if path.endswith("link") else (root / path).write_text("old")
    place.scan(None)
    steps = [
        ("sub/gone", f(b"old"), None),
        ("sub/link", ("l", "there"), None),
        ("sub", ("d", {}), None),
        ("edited", f(b"old"), f(b"new")),
    ]
    with place.receive(steps) as coming:
        coming.applier.contents.keep(f(b"new")[1], b"new")  # type: ignore[arg-type]
        assert place.apply(steps, "c1", coming) == [""] * 4
    ((cycle, _, paths, size),) = place.trashed()
    assert (cycle, paths, size) == ("c1", ["edited", "sub/gone", "sub/link"], 11)
    assert place.restore("c1") == {"edited": "", "sub/gone": "", "sub/link": ""}
    assert (root / "edited").read_text() == "old"
    assert (root / "sub" / "gone").read_text() == "old"
    assert os.readlink(root / "sub" / "link") == "there"
    assert place.restore("c1") == {"edited": ""}
    assert (root / "edited").read_text() == "new"


@pytest.mark.parametrize("cycle", ["", ".", "..", "../stage", "never"])
def test_no_such_cycle(cycle: str, root: pathlib.Path, place: Place) -> None:
    (root / ".devenv" / "trash").mkdir(parents=True)
    with pytest.raises(FileNotFoundError):
        place.restore(cycle)


def test_trash_is_put_back_through_no_link(root: pathlib.Path, place: Place, tmp_path: pathlib.Path) -> None:
    lost = root / ".devenv" / "trash" / "c1" / "sub"
    lost.mkdir(parents=True)
    (lost / "f").write_text("f")
    (tmp_path / "outside").mkdir()
    (root / "sub").symlink_to(tmp_path / "outside")
    assert place.restore("c1")["sub/f"] != ""
    assert list((tmp_path / "outside").iterdir()) == []


def test_old_trash_and_much_of_it_goes(tmp_path: pathlib.Path) -> None:
    for cycle in ("one", "two", "three"):
        (tmp_path / cycle / "deep").mkdir(parents=True)
        (tmp_path / cycle / "deep" / "f").write_bytes(bytes(100))
    (tmp_path / "empty").mkdir()
    now = max(at for _, at, _, _ in trash.trashed(str(tmp_path)))
    trash.prune(str(tmp_path), now)
    assert sorted(os.listdir(tmp_path)) == ["one", "three", "two"]
    trash.prune(str(tmp_path), now, most=250)
    assert len(os.listdir(tmp_path)) == 2
    trash.prune(str(tmp_path), now + 8 * 86400)
    assert os.listdir(tmp_path) == []


def test_without_inotify_everything_may_have_changed(
    root: pathlib.Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("devenv.sync.side.place.Watcher", none)
    place.watch(lambda: None)
    assert isinstance(place.watcher, Poller)
    place.scan(None)
    assert place.settle() == (set(), True)
    assert place.lacking == "folders cannot be watched here"


def test_a_poller_tells() -> None:
    told = threading.Semaphore(0)
    poller = Poller(told.release, lambda: 0.01)
    assert told.acquire(timeout=10) and told.acquire(timeout=10)
    poller.close()


def test_what_was_made_is_seen_without_a_hint(place: Place, root: pathlib.Path) -> None:
    (root / "d").mkdir()
    (root / "other").mkdir()
    place.scan(None)
    text = hashlib.sha256(b"x").digest()
    with place._applier() as applier:
        assert applier.stage(text, [b"x"])
    steps = [("d/new", None, ("f", text, False)), ("e", None, ("d", {})), ("e/f", None, ("d", {}))]
    assert place.apply(steps, "c1") == ["", "", ""]
    tree = place.scan({"other"})
    assert tree is not None and "new" in tree[1]["d"][1] and "f" in tree[1]["e"][1]


def test_what_is_known_is_kept_although_our_folder_was_tidied_away(root: pathlib.Path, place: Place) -> None:
    (root / "f").write_text("f")
    word = place.replica(new=True)
    shutil.rmtree(root / ".devenv")
    if place.replica() != word:
        pytest.skip("this file system has no attributes, and the folder is another one now")
    place.scanner._granularity = -3600 * 10**9
    place.scan(None)
    place.close()
    again = Place(str(root))
    again.scan(None)
    assert again.scanner.hashed == 0


def test_a_word_that_was_not_written_to_its_end_is_none(place: Place, root: pathlib.Path) -> None:
    (root / ".devenv").mkdir()
    (root / ".devenv" / "replica").touch()
    assert place.replica()[0] == ""
    word = place.replica(True)[0]
    assert len(word) == 32 and place.replica()[0] == word


def test_what_is_too_large_is_listed(root: pathlib.Path, place: Place) -> None:
    rules = {"groups": [], "outputs": [], "max_file": 10, "git": False}
    (root / "a").mkdir()
    for name in ("large", "a/large", "small", "grew"):
        (root / name).write_bytes(bytes(5 if name == "small" else 11))
    os.mkfifo(root / "pipe")
    assert place.large() == {}, "nobody has looked yet"
    place.use_rules(rules)
    place.scan(None)
    (root / "grew").write_bytes(b"")
    assert place.large() == {"large": 11, "a/large": 11}
