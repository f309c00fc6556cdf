"""What a side is, on a real file system."""

from __future__ import annotations

import hashlib
import os
import pathlib
import socket
import subprocess
import sys
from typing import Any

import pytest

from devenv.sync.side.scan import Scanner


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def nothing_ignored(path: str, is_folder: bool) -> bool:
    return False


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "root"
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("a")
    (folder / "src" / "deep" / "b.py").write_text("b")
    (folder / "run.sh").write_text("run")
    (folder / "run.sh").chmod(0o755)
    return folder


def old(root: pathlib.Path) -> None:
    """As if everything had been written a day ago, as far as that can be feigned: ctime cannot."""
    for path in root.rglob("*"):
        os.utime(path, (1_000_000, 1_000_000), follow_symlinks=False)


def scanner(root: pathlib.Path, **more: Any) -> Scanner:
    return Scanner(str(root), more.pop("ignored", nothing_ignored), **more)


def test_files_folders_and_links(root: pathlib.Path) -> None:
    (root / "here").symlink_to("src")
    (root / "away").symlink_to("/etc/passwd")
    (root / "nowhere").symlink_to("gone")
    (root / "empty").mkdir()
    (root / os.fsdecode(b"caf\xe9 \n\t-")).write_text("")
    assert scanner(root).scan() == (
        "d",
        {
            "src": ("d", {"a.py": ("f", digest("a"), False), "deep": ("d", {"b.py": ("f", digest("b"), False)})}),
            "run.sh": ("f", digest("run"), True),
            "here": ("l", "src"),
            "away": ("l", "/etc/passwd"),
            "nowhere": ("l", "gone"),
            "empty": ("d", {}),
            os.fsdecode(b"caf\xe9 \n\t-"): ("f", digest(""), False),
        },
    )


def test_what_cannot_be_copied_is_not_tracked_and_a_pipe_does_not_block(root: pathlib.Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s"))
        tree = scanner(root).scan()
    assert tree is not None and (tree[1]["pipe"], tree[1]["s"]) == (("u",), ("u",))


def test_ignored_folders_are_not_looked_into(root: pathlib.Path) -> None:
    asked = []

    def ignored(path: str, is_folder: bool) -> bool:
        asked.append((path, is_folder))
        return path == "src"

    tree = scanner(root, ignored=ignored).scan()
    assert tree is not None and tree[1]["src"] == ("u",)
    assert sorted(asked) == [("run.sh", False), ("src", True)]


def test_contents_are_read_again_only_where_nothing_vouches_for_them(root: pathlib.Path) -> None:
    old(root)
    subject = scanner(root, granularity=0)
    first = subject.scan()
    assert subject.hashed == 3
    assert (subject.scan(), subject.hashed) == (first, 0)
    (root / "src" / "a.py").write_text("c")
    tree = subject.scan()
    assert subject.hashed == 1
    assert tree is not None and tree[1]["src"][1]["a.py"] == ("f", digest("c"), False)
    (root / "src" / "a.py").chmod(0o700)
    tree = subject.scan()
    assert tree is not None and tree[1]["src"][1]["a.py"] == ("f", digest("c"), True)


def test_an_edit_with_its_time_put_back_is_seen(root: pathlib.Path) -> None:
    old(root)
    subject = scanner(root, granularity=0)
    subject.scan()
    (root / "src" / "a.py").write_text("z")
    old(root)
    tree = subject.scan()
    assert tree is not None and tree[1]["src"][1]["a.py"][1] == digest("z")


def test_what_was_written_just_before_it_was_read_is_not_believed(root: pathlib.Path) -> None:
    """On a file system that rounds times, a second write of the same size would leave no trace."""
    subject = scanner(root, granularity=3600 * 10**9)
    first = subject.scan()
    assert (subject.scan(), subject.hashed) == (first, 3)
    settled = scanner(root, granularity=0)
    settled.scan()
    settled.scan()
    assert settled.hashed == 0


def test_a_file_that_changes_while_it_is_read_is_no_deletion(
    root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = scanner(root)
    growing = root / "src" / "a.py"
    read = os.read

    def grows(number: int, size: int) -> bytes:
        if os.readlink(f"/proc/self/fd/{number}") == str(growing):
            with growing.open("a") as file:
                file.write("more")
        return read(number, size)

    monkeypatch.setattr(os, "read", grows)
    tree = subject.scan()
    assert tree is not None and tree[1]["src"][1]["a.py"] == ("p", "it changes while it is read")
    assert subject.unstable == ["src/a.py"]
    monkeypatch.undo()
    tree = subject.scan()
    assert tree is not None and tree[1]["src"][1]["a.py"][0] == "f"


@pytest.mark.parametrize("there", ["link", "pipe"])
def test_a_file_that_becomes_something_else_under_the_scan_is_not_followed(
    there: str, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open
    subject = scanner(root)

    def swapped(path: str, *args: Any) -> int:
        if str(path).endswith("a.py"):
            os.unlink(path)
            os.symlink("/etc/passwd", path) if there == "link" else os.mkfifo(path)
        return opened(path, *args)

    monkeypatch.setattr(os, "open", swapped)
    tree = subject.scan()
    assert tree is not None and tree[1]["src"][1]["a.py"][0] == "p"


def test_only_what_is_dirty_is_listed(root: pathlib.Path) -> None:
    subject = scanner(root)
    before = subject.scan()
    (root / "src" / "deep" / "new.py").write_text("n")
    (root / "src" / "a.py").unlink()
    (root / "run.sh").write_text("unseen: nobody said so")
    tree = subject.scan(before, {"src/deep"})
    assert tree is not None
    assert tree[1]["src"][1]["deep"][1].keys() == {"b.py", "new.py"}
    assert "a.py" not in tree[1]["src"][1]  # what is above is listed as well
    (root / "src" / "deep" / "c").mkdir()
    (root / "src" / "deep" / "c" / "d.py").write_text("d")
    whole = subject.scan(tree, {"src/deep"})
    assert whole is not None and whole[1]["src"][1]["deep"][1]["c"] == ("d", {"d.py": ("f", digest("d"), False)})
    assert subject.scan(whole, {"gone/for/ever"}) == whole
    assert subject.scan() == whole


def test_a_root_that_is_gone_or_no_folder(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert scanner(tmp_path / "none").scan() is None
    assert scanner(root / "run.sh").scan() == ("f", digest("run"), True)
    (tmp_path / "there").symlink_to(root)
    assert scanner(tmp_path / "there").scan() == ("l", str(root))  # not followed


def test_what_may_not_be_read_is_a_problem_and_the_rest_is_there(root: pathlib.Path) -> None:
    """As an ordinary user: root reads everything."""
    if os.getuid() != 0:
        pytest.skip("needs root, to become an ordinary user")
    (root / "src" / "deep").chmod(0)
    (root / "run.sh").chmod(0)
    for folder in [root, *root.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o55)
    code = (
        "import os, sys\n"
        f"sys.path.insert(0, {str(pathlib.Path(__file__).parents[3])!r})\n"
        "from devenv.sync.side.scan import Scanner\nos.setuid(65534)\n"
        f"tree = Scanner({str(root)!r}, lambda path, folder: False).scan()\n"
        "print(tree[1]['src'][1]['deep'], tree[1]['run.sh'], tree[1]['src'][1]['a.py'][0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "('p', 'Permission denied') ('p', 'Permission denied') f\n", done.stderr
