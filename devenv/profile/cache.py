"""The host's store of profilers, one folder per release and machine, made once and never changed.

py-spy is installed beside devenv, so that `devenv stack` needs no network where host and container are alike; what is
missing is downloaded on the host. All calls block (disk, network): use a thread.
"""

from __future__ import annotations

import pathlib
import platform
import re
import sys
import tempfile

from devenv.delivery import wheels
from devenv.delivery.trees import making, place_file
from devenv.errors import ProfileError
from devenv.profile.tools import Tool, py_spy


def own_py_spy() -> tuple[str, pathlib.Path] | None:
    """(release, program) of the py-spy installed beside devenv; None when it would not run in a Linux container."""
    if not sys.platform.startswith("linux"):
        return None
    import importlib.metadata

    try:
        found = importlib.metadata.distribution("py-spy")
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in found.files or ():
        path = pathlib.Path(str(file.locate()))
        if path.name == "py-spy" and path.is_file():
            return found.version, path.resolve()
    return None


class ToolCache:
    """`<folder>/<tool>-<release>-<kind>/...`."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def py_spy(self, machine: str) -> pathlib.Path:
        """The folder that holds the program `py-spy` for a machine. Raises ProfileError."""
        own = own_py_spy() if machine == platform.machine() else None
        if own is None or not re.fullmatch(r"[\w.]+", own[0]):
            return self.tree(py_spy(machine))
        target = self.folder / py_spy(machine, own[0]).folder
        if not target.is_dir():
            with making(target) as work:
                place_file(own[1], work / "py-spy", mode=0o755)
        return target

    def tree(self, tool: Tool) -> pathlib.Path:
        """The tool's folder, downloaded when it is not there. Raises ProfileError."""
        target = self.folder / tool.folder
        if target.is_dir():
            return target
        try:
            with making(target) as work, tempfile.TemporaryDirectory(dir=self.folder, prefix=".download.") as folder:
                wheel = wheels.download(tool.requirement, tool.python, folder, tool.options)
                wheels.unpack(wheel, work, tool.keep)
        except wheels.NoWheel as error:
            raise ProfileError(
                f"{tool.name} {tool.version} ({tool.folder}) is not in the cache and did not download: {error}",
                f"with network: devenv profile --fetch, in a project like this one; it fills {self.folder}",
                details={"tool": tool.name, "version": tool.version, "cache": str(self.folder)},
            ) from error
        except OSError as error:
            raise ProfileError(
                f"{tool.name} cannot be kept in {self.folder}: {error.strerror}", "make room there, then try again"
            ) from error
        return target
