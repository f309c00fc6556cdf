"""Frames as the container names them, with the host's file where there is one. Pure.

Every text here was chosen by a program in the container and ends in a terminal or a page: control characters go.
"""

from __future__ import annotations

import functools
import posixpath
import re
from typing import NamedTuple

from devenv.api.profiling import FrameView
from devenv.runs.workspace import WorkspacePaths

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LIBRARY = re.compile(r"/(site-packages|dist-packages|node_modules|\.tox|\.nox)/|/lib/python3[^/]*/")
_ADDRESS = re.compile(r"0x[0-9a-f]+$")
_LONGEST = 500


class Frame(NamedTuple):
    """One place in a program. `line` is 0 where it is not known. `values`: names and texts of local variables."""

    name: str
    file: str
    line: int
    values: tuple[tuple[str, str], ...] = ()


def clean(text: object) -> str:
    """A text for a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))[:_LONGEST]


def function(text: object) -> str:
    """A function's name. An address, of code without symbols, differs from process to process and says nothing."""
    return "(no symbol)" if _ADDRESS.match(str(text)) else clean(text)


class Sources:
    """Knows which files are the project's. `cwd` is where the program started: older Pythons name scripts by it."""

    def __init__(self, paths: WorkspacePaths, cwd: str = "") -> None:
        self._paths = paths
        self._cwd = cwd or paths.workspace
        self.view = functools.lru_cache(maxsize=4096)(self._view)

    def _view(self, frame: Frame) -> FrameView:
        file = frame.file
        if file.endswith(".py") and not file.startswith(("/", "<")):
            file = posixpath.normpath(posixpath.join(self._cwd, file))
        host = self._paths.to_host(file) if file.startswith("/") else None
        own = host is not None and not _LIBRARY.search(file)
        return FrameView(
            name=frame.name,
            file=file,
            line=frame.line,
            host=host or "",
            own=own,
            short=short(file),
            values=list(frame.values),
        )


def short(file: str) -> str:
    """A library's file below its folder, as import statements know it."""
    for mark in ("/site-packages/", "/dist-packages/"):
        if mark in file:
            return file.rpartition(mark)[2]
    _, mark, tail = file.partition("/lib/python3")
    return tail.partition("/")[2] if mark and "/" in tail else file
