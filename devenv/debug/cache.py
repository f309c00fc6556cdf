"""The host's store of debugpy trees, one folder per version and build, made once and never changed.

Our own installed copy serves new interpreters without any network; for older ones a wheel is downloaded with pip, on
the host, never in a container. A tree appears by a rename, so what is there is complete.
"""

from __future__ import annotations

import os
import pathlib
import re
import tempfile
from collections.abc import Iterable

from devenv.debug.tuning import REVISION, tune
from devenv.debug.versions import LAST_RELEASES, Choice, Interpreter, OwnCopy, choose, needed_glibc
from devenv.delivery import wheels
from devenv.delivery.trees import making, place_file
from devenv.delivery.wheels import unpack
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
        with making(target) as work:
            if choice.own_copy:
                self._copy_own(choice, work)
            else:
                self._download(choice, work)
            tune(work)
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
                    place_file(pathlib.Path(folder, name), here / name, mode=0o644)

    def _download(self, choice: Choice, work: pathlib.Path) -> None:
        def keep(name: str) -> str | None:
            inside = name.removeprefix("debugpy/")
            of_use = inside != name and wanted(inside, choice.interpreter, compiled=choice.compiled)
            return name if of_use else None

        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".download.") as folder:
            unpack(_pip_download(choice, folder), work, keep)

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
        for name in (choice.folder, f"debugpy-{choice.version}-pure-{REVISION}"):
            if (self.folder / name).is_dir():
                return self.folder / name
        return None


def platforms(choice: Choice) -> list[str]:
    """pip's names of the platforms whose wheels load there; none for a pure build."""
    if not choice.compiled or choice.interpreter.glibc is None:
        return []
    return wheels.platforms(choice.interpreter, needed_glibc(choice.version)[1] + 6)


def _pip_download(choice: Choice, folder: str) -> pathlib.Path:
    interpreter = choice.interpreter
    named = platforms(choice)
    options = wheels.for_interpreter(interpreter, named) if choice.compiled else wheels.PURE
    try:
        return wheels.download(f"debugpy=={choice.version}", interpreter.minor, folder, options)
    except wheels.NoWheel as error:
        raise DebugError(
            f"debugpy {choice.version} (for Python {'.'.join(map(str, interpreter.minor))}) did not download: {error}",
            "on a machine with network run `devenv debugpy fetch`, then copy its cache folder here",
            details={"version": choice.version, "cache": str(pathlib.Path(folder).parent)},
        ) from error
