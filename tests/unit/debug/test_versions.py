from __future__ import annotations

import pathlib

import pytest

from devenv.debug.cache import own_copy, platforms, wanted
from devenv.debug.tuning import REVISION
from devenv.debug.versions import Interpreter, OwnCopy, choose
from devenv.delivery.trees import copy_tree
from devenv.errors import DebugError

OWN = OwnCopy("/x/debugpy", "1.8.22", ">=3.10", frozenset({("cp311", "x86_64")}))


def interpreter(version: str, machine: str = "x86_64", glibc: tuple[int, int] | None = (2, 36)) -> Interpreter:
    major, minor, patch = map(int, version.split("."))
    return Interpreter("/usr/bin/python3", (major, minor, patch), machine, glibc)


@pytest.mark.parametrize(
    ("python", "machine", "glibc", "version", "own", "compiled", "why"),
    [
        ("3.6.15", "x86_64", (2, 27), "1.5.1", False, True, "TensorFlow 1 images"),
        ("3.7.16", "x86_64", (2, 28), "1.7.0", False, True, "old wheels load on old glibc"),
        ("3.8.18", "x86_64", (2, 31), "1.8.21", False, False, "Ubuntu 20.04: wheels need glibc 2.34"),
        ("3.9.18", "x86_64", (2, 36), "1.8.21", False, True, ""),
        ("3.9.18", "aarch64", (2, 36), "1.8.21", False, False, "no wheels for ARM"),
        ("3.10.1", "x86_64", (2, 36), "1.8.22", True, False, "our own speed-ups are for 3.11"),
        ("3.11.7", "x86_64", (2, 36), "1.8.22", True, True, ""),
        ("3.11.7", "x86_64", (2, 31), "1.8.22", True, False, "too old a glibc"),
        ("3.11.7", "x86_64", None, "1.8.22", True, False, "Alpine"),
        ("3.15.0", "x86_64", (2, 41), "1.8.22", True, False, "newer than anything known"),
    ],
)
def test_which_debugpy(
    python: str, machine: str, glibc: tuple[int, int] | None, version: str, own: bool, compiled: bool, why: str
) -> None:
    choice = choose(interpreter(python, machine, glibc), OWN)
    assert (choice.version, choice.own_copy, choice.compiled) == (version, own, compiled), why
    assert bool(platforms(choice)) == compiled


@pytest.mark.parametrize("python", ["2.7.18", "3.5.10"])
def test_too_old(python: str) -> None:
    with pytest.raises(DebugError, match=python):
        choose(interpreter(python), OWN)


def test_an_older_copy_of_ours_is_not_forced_on_what_it_does_not_support() -> None:
    newer = OwnCopy("/x", "1.9.0", ">=3.12", frozenset())
    with pytest.raises(DebugError):
        choose(interpreter("3.11.7"), newer)


def test_folders_differ_exactly_when_contents_do() -> None:
    names = {choose(interpreter(python), OWN).folder for python in ("3.10.1", "3.12.1", "3.13.0")}
    assert names == {f"debugpy-1.8.22-pure-{REVISION}"}
    assert choose(interpreter("3.11.1"), OWN).folder == f"debugpy-1.8.22-cp311-x86_64-{REVISION}"


def test_files_of_use() -> None:
    linux = interpreter("3.11.7")
    so = "_vendored/pydevd/_pydevd_bundle/pydevd_cython.cpython-311-x86_64-linux-gnu.so"
    assert wanted(so, linux, compiled=True)
    assert not wanted(so, linux, compiled=False)
    assert not wanted(so, interpreter("3.12.1"), compiled=True)
    assert wanted("server/cli.py", linux, compiled=False)
    threads = "_vendored/pydevd/pydevd_attach_to_process/attach_linux_amd64.so"
    assert wanted(threads, linux, compiled=True)
    assert wanted(threads, linux, compiled=False), "pydevd complains in the program's stderr where it is missing"
    for foreign in (
        "a/x.dll",
        "a/x.pyd",
        "a/inject.exe",
        "__pycache__/x.py",
        "p/pydevd_attach_to_process/winappdbg/x.py",
    ):
        assert not wanted(foreign, linux, compiled=True)


def test_our_own_copy_is_found_and_not_imported() -> None:
    import sys

    before = "debugpy" in sys.modules
    own = own_copy()
    assert (pathlib.Path(own.root) / "__main__.py").exists()
    assert ("debugpy" in sys.modules) == before


def test_a_copied_tree_is_readable_by_anyone_whatever_the_umask(tmp_path: pathlib.Path) -> None:
    import os

    source = tmp_path / "source"
    (source / "a/b").mkdir(parents=True)
    (source / "a/b/c.py").write_text("x")
    (source / "a/b/c.py").chmod(0o600)
    (source / "a/__pycache__").mkdir()
    old = os.umask(0o077)
    try:
        copy_tree(source, tmp_path / "payload" / "target")
        copy_tree(source, tmp_path / "payload" / "target")
    finally:
        os.umask(old)
    target = tmp_path / "payload/target"
    assert {path.relative_to(target).as_posix(): oct(path.stat().st_mode & 0o777) for path in target.rglob("*")} == {
        "a": "0o755",
        "a/b": "0o755",
        "a/b/c.py": "0o644",
    }
    assert target.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in (tmp_path / "payload").iterdir()] == ["target"]
