"""The container can write the project's folder: what it plants there is neither followed nor replaced."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

from devenv.ide.project_file import FileProblem, Found, is_tracked, read, write

FILE = ".editor/deep/settings"


def found(project: pathlib.Path) -> Found:
    there = read(project, FILE)
    assert there is not None
    return there


def test_a_new_file_gets_the_clients_modes_and_an_old_one_keeps_its_own(tmp_path: pathlib.Path) -> None:
    assert read(tmp_path, FILE) is None
    write(tmp_path, FILE, "é\r\n", None, umask=0o027)
    path = tmp_path / FILE
    assert path.read_bytes() == "é\r\n".encode()
    assert [p.stat().st_mode & 0o777 for p in (path.parent.parent, path.parent, path)] == [0o750, 0o750, 0o640]
    path.chmod(0o600)
    write(tmp_path, FILE, "two", found(tmp_path), umask=0)
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["settings"]


@pytest.mark.parametrize("what", ["file", "dangling", "folder", "inner", "fifo", "device", "directory"])
def test_what_was_planted(tmp_path: pathlib.Path, what: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "settings").write_text("host's own")
    project = tmp_path / "project"
    project.mkdir()
    if what == "folder":
        (project / ".editor").symlink_to(outside)
    elif what == "inner":
        (project / ".editor").mkdir()
        (project / ".editor/deep").symlink_to(outside)
    else:
        (project / FILE).parent.mkdir(parents=True)
        target = project / FILE
        if what == "file":
            target.symlink_to(outside / "settings")
        elif what == "dangling":
            target.symlink_to(outside / "new")
        elif what == "fifo":
            os.mkfifo(target)
        elif what == "device":
            target.symlink_to("/dev/zero")
        else:
            target.mkdir()
    with pytest.raises(FileProblem) as problem:
        read(project, FILE)
    assert "link" in str(problem.value) or "folder" in str(problem.value) or "regular" in str(problem.value)
    with pytest.raises(FileProblem):
        write(project, FILE, "text", None)
    assert os.listdir(outside) == ["settings"]
    assert (outside / "settings").read_text() == "host's own"


def test_a_change_of_somebody_else_is_not_lost(tmp_path: pathlib.Path) -> None:
    write(tmp_path, FILE, "one", None)
    before = found(tmp_path)
    (tmp_path / FILE).write_text("the editor's")
    with pytest.raises(FileProblem, match="changed by somebody else"):
        write(tmp_path, FILE, "two", before)
    with pytest.raises(FileProblem, match="changed by somebody else"):
        write(tmp_path, FILE, "two", None)
    assert (tmp_path / FILE).read_text() == "the editor's"
    assert os.listdir((tmp_path / FILE).parent) == ["settings"]


def test_a_read_only_file_stays(tmp_path: pathlib.Path) -> None:
    write(tmp_path, FILE, "one", None)
    (tmp_path / FILE).chmod(0o444)
    with pytest.raises(FileProblem, match="read-only"):
        write(tmp_path, FILE, "two", found(tmp_path))
    assert (tmp_path / FILE).read_text() == "one"


def test_what_is_no_text_or_too_large(tmp_path: pathlib.Path) -> None:
    write(tmp_path, FILE, "one", None)
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(FileProblem, match="UTF-8"):
        read(tmp_path, FILE)
    with open(tmp_path / FILE, "wb") as file:
        file.truncate(5 << 20)
    with pytest.raises(FileProblem, match="4 MiB"):
        read(tmp_path, FILE)


def test_tracked_or_not(tmp_path: pathlib.Path) -> None:
    git = ["git", "-C", str(tmp_path)]
    assert not is_tracked(tmp_path, FILE)
    subprocess.run([*git, "init", "-q"], check=True)
    write(tmp_path, FILE, "one", None)
    assert not is_tracked(tmp_path, FILE)
    subprocess.run([*git, "add", FILE], check=True)
    assert is_tracked(tmp_path, FILE)
