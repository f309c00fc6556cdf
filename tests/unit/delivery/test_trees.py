"""What is placed keeps its programs executable, appears whole, and never leaves its folder."""

from __future__ import annotations

import pathlib
import tarfile
import zipfile
from io import BytesIO

import pytest

from devenv.delivery.interpreter import Interpreter
from devenv.delivery.trees import copy_tree, making, tar_of
from devenv.delivery.wheels import platforms, unpack


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "tool"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "run").write_text("x")
    (folder / "bin" / "run").chmod(0o700)
    (folder / "notes").write_text("y")
    (folder / "notes").chmod(0o600)
    return folder


def test_a_copy_can_be_read_by_anyone_and_keeps_its_programs(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    copy_tree(tree, tmp_path / "copy")
    modes = {name: (tmp_path / "copy" / name).stat().st_mode & 0o777 for name in ("bin", "bin/run", "notes")}
    assert modes == {"bin": 0o755, "bin/run": 0o755, "notes": 0o644}


def test_a_tar_keeps_its_programs(tree: pathlib.Path) -> None:
    with tarfile.open(fileobj=BytesIO(tar_of(tree))) as archive:
        assert {entry.name: entry.mode for entry in archive} == {"bin": 0o755, "bin/run": 0o755, "notes": 0o644}


def test_nothing_is_left_of_what_failed(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OSError, match="full"), making(tmp_path / "made") as work:
        (work / "half").write_text("x")
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []


def test_whoever_was_faster_stays(tmp_path: pathlib.Path) -> None:
    with making(tmp_path / "made") as work:
        (work / "ours").touch()
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / "theirs").touch()
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["theirs"]


def test_a_wheel_does_not_leave_its_folder(tmp_path: pathlib.Path) -> None:
    wheel = tmp_path / "tool.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        program = zipfile.ZipInfo("tool.data/scripts/tool")
        program.external_attr = 0o755 << 16
        archive.writestr(program, "x")
        archive.writestr("tool/plain.py", "y")
        archive.writestr("../outside", "z")
        archive.writestr("tool/unused.txt", "z")
    target = tmp_path / "out"
    target.mkdir()
    unpack(wheel, target, lambda name: None if name.endswith(".txt") else name.replace("tool.data/scripts", "bin"))
    found = {path.relative_to(target).as_posix(): path.stat().st_mode & 0o777 for path in target.rglob("*.*")}
    assert found == {"tool/plain.py": 0o644}
    assert (target / "bin" / "tool").stat().st_mode & 0o777 == 0o755
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    ("glibc", "first", "last"),
    [((2, 31), "manylinux_2_31_x86_64", "manylinux1_x86_64"), (None, "musllinux_1_2_x86_64", "musllinux_1_1_x86_64")],
)
def test_platforms_best_first(glibc: tuple[int, int] | None, first: str, last: str) -> None:
    named = platforms(Interpreter("", (3, 11, 0), "x86_64", glibc))
    assert (named[0], named[-1]) == (first, last)
