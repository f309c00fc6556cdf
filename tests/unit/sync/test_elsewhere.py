"""Hints where there is no inotify: the same contract, by watchdog's observer of the platform."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Iterator

import pytest

from devenv.sync.elsewhere import ObserverWatcher
from devenv.sync.side import place
from devenv.sync.side.place import Place


@pytest.fixture
def told() -> threading.Event:
    return threading.Event()


@pytest.fixture
def here(tmp_path: pathlib.Path, told: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    def none(*_: object) -> None:
        raise OSError("no inotify")

    monkeypatch.setattr(place, "Watcher", none)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "f").write_text("1")
    made = Place(str(tmp_path))
    made.other = ObserverWatcher
    made.replica(True)
    made.watch(told.set)
    assert isinstance(made.watcher, ObserverWatcher)
    made.scan(None)
    made.settle()
    told.clear()
    yield made
    made.close()


def test_what_was_written_before_is_known(here: Place, told: threading.Event) -> None:
    root = pathlib.Path(here.root)
    for number in range(20):
        (root / "old" / "f").write_text(str(number))
        dirty, lost = here.settle()
        assert "old" in dirty
        assert not lost
        assert here.scan(dirty) == here.scan(None)
    assert told.is_set()
    here.settle()
    assert here.settle() == (set(), False), "our own file is no news"


def test_folders_that_come_to_be(here: Place) -> None:
    root = pathlib.Path(here.root)
    (root / "a" / "b" / "c").mkdir(parents=True)
    (root / "a" / "b" / "c" / "f").write_text("x")
    dirty, _ = here.settle()
    assert here.scan(dirty) == here.scan(None)
    (root / "a" / "b" / "c" / "f").write_text("y")
    dirty, _ = here.settle()
    assert here.scan(dirty) == here.scan(None)


def test_a_folder_that_moves_is_looked_at_with_everything(here: Place) -> None:
    pathlib.Path(here.root, "old").rename(pathlib.Path(here.root, "new"))
    assert here.settle()[1]


def test_a_folder_that_is_gone_loses_nothing_in_silence(here: Place) -> None:
    pathlib.Path(here.root, ".devenv", "replica").unlink()
    for path in pathlib.Path(here.root, ".devenv").iterdir():
        path.unlink()
    pathlib.Path(here.root, ".devenv").rmdir()
    assert here.settle()[1], "who cannot ask does not know"
