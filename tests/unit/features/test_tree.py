"""A local feature's folder: what belongs to it, what must not, and when two are the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from devenv.errors import FeatureError
from devenv.features import tree
from tests.kit.project import write_project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "project" / ".devcontainer"
    write_project(root, {"shared/lib.sh": "lib", "f/install.sh": "#!/bin/sh\n", "f/sub/data": "data"})
    return root / "f"


def test_copied_with_modes(folder: Path, tmp_path: Path) -> None:
    (folder / "install.sh").chmod(0o700)
    (folder / "sub" / "data").chmod(0o600)
    assert tree.copy(folder, tmp_path / "out", "f") == ["install.sh", "sub/data"]
    assert (tmp_path / "out" / "install.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out" / "sub" / "data").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "out" / "sub").stat().st_mode & 0o777 == 0o755


def test_a_link_inside_the_folder_is_what_it_leads_to(folder: Path, tmp_path: Path) -> None:
    (folder / "lib.sh").symlink_to("../shared/lib.sh")
    (folder / "all").symlink_to("../shared")
    tree.copy(folder, tmp_path / "out", "f")
    assert (tmp_path / "out" / "lib.sh").read_text() == "lib"
    assert (tmp_path / "out" / "all" / "lib.sh").read_text() == "lib"
    assert not (tmp_path / "out" / "lib.sh").is_symlink()


def outside(folder: Path) -> None:
    (folder / "leak").symlink_to(folder.parents[1] / "secret")
    (folder.parents[1] / "secret").write_text("s")


def nowhere(folder: Path) -> None:
    (folder / "gone").symlink_to("nothing")


def above(folder: Path) -> None:
    (folder / "sub" / "up").symlink_to("..")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(outside, "outside of"), (nowhere, "cannot be read"), (above, "above itself"), (pipe, "neither a file")],
)
def test_what_is_refused(folder: Path, tmp_path: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(folder)
    with pytest.raises(FeatureError, match=words):
        tree.copy(folder, tmp_path / "out", "f")
    with pytest.raises(FeatureError, match=words):
        tree.digest(folder, "f")


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="cannot be read"):
        tree.digest(tmp_path / "gone", "f")


def test_an_equal_copy_has_an_equal_digest(folder: Path, tmp_path: Path) -> None:
    before = tree.digest(folder, "f")
    tree.copy(folder, tmp_path / "out", "f")
    assert tree.digest(tmp_path / "out", "f") == before
    os.utime(folder / "install.sh", (1, 1))
    assert tree.digest(folder, "f") == before


def content(folder: Path) -> None:
    (folder / "sub" / "data").write_text("date")


def mode(folder: Path) -> None:
    (folder / "sub" / "data").chmod(0o755)


def name(folder: Path) -> None:
    (folder / "sub" / "data").rename(folder / "sub" / "date")


def moved(folder: Path) -> None:
    (folder / "sub" / "data").rename(folder / "data")


def more(folder: Path) -> None:
    (folder / "sub" / "empty").touch()


@pytest.mark.parametrize("change", [content, mode, name, moved, more])
def test_any_change_has_another_digest(folder: Path, change: Callable[[Path], None]) -> None:
    before = tree.digest(folder, "f")
    change(folder)
    assert tree.digest(folder, "f") != before
