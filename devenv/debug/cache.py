"""The host's store of debugpy trees, one folder per version and build, made once and never changed.

Our own installed copy serves new interpreters without any network; for older ones a wheel is downloaded with pip, on
the host, never in a container. A tree appears by a rename, so what is there is complete.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable

from devenv.debug.versions import LAST_RELEASES, Choice, Interpreter, OwnCopy, choose, needed_glibc
from devenv.errors import DebugError

_FOREIGN_SUFFIXES = (".dll", ".pyd", ".exe", ".pdb", ".lib", ".dylib", ".pyc")
_FOREIGN_FOLDERS = frozenset({"__pycache__", "winappdbg", "windows", "linux_and_mac", "tests"})
_COMPILED = re.compile(r"\.cpython-(\d)(\d+)m?-(\w+)-linux-gnu\.so$")
# Lets threads that exist already be traced. pydevd complains on the program's stderr where the file is missing, and
# says nothing where it is there and does not load, so every tree has it.
_ALL_THREADS = re.compile(r"(^|/)pydevd_attach_to_process/attach_linux_\w+\.so$")


def own_copy() -> OwnCopy:
    """The debugpy installed beside devenv, found through its metadata and never imported (importing it patches us)."""
    import importlib.metadata  # 20 ms that a start of the supervisor does not wait for
    import importlib.util

    try:
        distribution = importlib.metadata.distribution("debugpy")
        found = importlib.util.find_spec("debugpy")
    except (importlib.metadata.PackageNotFoundError, ImportError):
        found = None
    if found is None or not found.submodule_search_locations:
        raise DebugError("devenv's own debugpy is missing", "install it again: pipx reinstall devenv")
    root = found.submodule_search_locations[0]
    names = (match for match in (_COMPILED.search(name) for name in _so_names(root)) if match)
    compiled = frozenset((f"cp{m[1]}{m[2]}", m[3]) for m in names)
    return OwnCopy(root, distribution.version, distribution.metadata["Requires-Python"] or "", compiled)


def _so_names(root: str) -> Iterable[str]:
    for _, _, files in os.walk(root):
        yield from (name for name in files if name.endswith(".so"))


def wanted(relative: str, interpreter: Interpreter, *, compiled: bool) -> bool:
    """Whether a file of a debugpy tree is of use in a Linux container with this interpreter."""
    parts = relative.split("/")
    if relative.endswith(_FOREIGN_SUFFIXES) or not _FOREIGN_FOLDERS.isdisjoint(parts[:-1]):
        return False
    if not relative.endswith(".so") or _ALL_THREADS.search(relative):
        return True
    match = _COMPILED.search(relative)
    return (
        compiled
        and match is not None
        and (f"cp{match[1]}{match[2]}", match[3])
        == (
            interpreter.tag,
            interpreter.machine,
        )
    )


def copy_tree(source: pathlib.Path, target: pathlib.Path, *, link: bool = False) -> None:
    """Copies a tree so that anyone can read it whatever the umask: folders 0755, files 0644.

    `link` makes hard links where both lie on one file system. `target` appears whole, by a rename; if it is there
    already, or another process is faster, that one stays.
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for folder, folders, files in os.walk(source):
            folders[:] = [name for name in folders if name != "__pycache__"]
            here = work / os.path.relpath(folder, source)
            here.mkdir(exist_ok=True)
            here.chmod(0o755)
            for name in files:
                _place(pathlib.Path(folder, name), here / name, link=link)
        work.chmod(0o755)
        _publish(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _place(source: pathlib.Path, target: pathlib.Path, *, link: bool) -> None:
    if link:
        try:
            target.hardlink_to(source)
            return
        except OSError:
            pass  # another file system, or a file system without links
    shutil.copyfile(source, target)
    target.chmod(0o644)


def _publish(work: pathlib.Path, target: pathlib.Path) -> None:
    try:
        work.rename(target)
    except OSError:
        if not target.is_dir():
            raise


class DebugpyCache:
    """`<folder>/debugpy-<version>-<build>/debugpy/...`. All calls block (disk, network): use a thread."""

    def __init__(self, folder: pathlib.Path, own: OwnCopy | None = None) -> None:
        self.folder = folder
        self.own = own or own_copy()

    def tree(self, choice: Choice) -> pathlib.Path:
        """The folder that holds a `debugpy` package for this choice; made or downloaded when it is not there."""
        target = self.folder / choice.folder
        if target.is_dir():
            return target
        self.folder.mkdir(parents=True, exist_ok=True)
        work = pathlib.Path(tempfile.mkdtemp(prefix=f".{choice.folder}.", dir=self.folder))
        try:
            if choice.own_copy:
                self._copy_own(choice, work)
            else:
                self._download(choice, work)
            work.chmod(0o755)
            _publish(work, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return target

    def _copy_own(self, choice: Choice, work: pathlib.Path) -> None:
        root = pathlib.Path(self.own.root)
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if name not in _FOREIGN_FOLDERS]
            relative = pathlib.Path(folder).relative_to(root)
            here = work / "debugpy" / relative
            here.mkdir(exist_ok=True)
            here.chmod(0o755)
            for name in files:
                if wanted((relative / name).as_posix(), choice.interpreter, compiled=choice.compiled):
                    _place(pathlib.Path(folder, name), here / name, link=False)

    def _download(self, choice: Choice, work: pathlib.Path) -> None:
        import zipfile

        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".download.") as folder:
            wheel = _pip_download(choice, folder)
            with zipfile.ZipFile(wheel) as archive:
                for entry in archive.infolist():
                    name = entry.filename
                    if entry.is_dir() or not name.startswith("debugpy/") or ".." in name.split("/"):
                        continue
                    if not wanted(name.removeprefix("debugpy/"), choice.interpreter, compiled=choice.compiled):
                        continue
                    path = work / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(entry))
                    path.chmod(0o644)
            for folder_path, _, _ in os.walk(work):
                pathlib.Path(folder_path).chmod(0o755)

    def fetch(self, interpreters: Iterable[Interpreter] = ()) -> list[str]:
        """Fills the cache for a host that will have no network; the names of the folders that are there then.

        Without `interpreters`: our own copy and the last release for each older Python, in pure builds, which run on
        every machine. Raises DebugError.
        """
        wanted_for = list(interpreters) or [
            Interpreter("", (*minor, 0), "any", None) for minor in ((3, 10), *(first for first, _, _ in LAST_RELEASES))
        ]
        choices = [choose(interpreter, self.own) for interpreter in wanted_for]
        for choice in choices:
            self.tree(choice)
        return list(dict.fromkeys(choice.folder for choice in choices))

    def cached(self, choice: Choice) -> pathlib.Path | None:
        """The tree if it is there, else the pure one of that version (it runs everywhere), else None."""
        for name in (choice.folder, f"debugpy-{choice.version}-pure"):
            if (self.folder / name).is_dir():
                return self.folder / name
        return None


def platforms(choice: Choice) -> list[str]:
    """pip's names of the platforms whose wheels load there; none for a pure build."""
    interpreter = choice.interpreter
    if not choice.compiled or interpreter.glibc is None:
        return []
    newest, machine = min(interpreter.glibc[1], needed_glibc(choice.version)[1] + 6), interpreter.machine
    named = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, 4, -1)]
    return [*named, f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]


def _pip_download(choice: Choice, folder: str) -> str:
    """The wheel's path. pip's own configuration (index, proxy, certificates) applies."""
    interpreter = choice.interpreter
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    argv += [
        "--disable-pip-version-check",
        "--retries",
        "2",
        "--dest",
        folder,
        "--python-version",
        ".".join(map(str, interpreter.minor)),
    ]
    if choice.compiled:
        argv += ["--implementation", "cp", "--abi", interpreter.abi]
        for platform in platforms(choice):
            argv += ["--platform", platform]
    else:
        argv += ["--implementation", "py", "--abi", "none", "--platform", "any"]
    done = subprocess.run(
        [*argv, f"debugpy=={choice.version}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    with contextlib.suppress(IndexError):
        if done.returncode == 0:
            return str(next(iter(sorted(pathlib.Path(folder).glob("*.whl")))))
    last = done.stdout.strip().splitlines()[-1:] or ["pip said nothing"]
    raise DebugError(
        f"debugpy {choice.version} (for Python {'.'.join(map(str, interpreter.minor))}) did not download: {last[0]}",
        "on a machine with network run `devenv debugpy fetch`, then copy its cache folder here",
        details={"version": choice.version, "cache": str(pathlib.Path(folder).parent)},
    )
