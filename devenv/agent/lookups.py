"""Questions about files: where a program is, what a path is."""

import os
import stat

from . import runs
from .launch import search, to_bytes, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFSOCK: "socket"}
_MOST = 4096  # names or paths in one request


def _texts(value: "Any", what: str) -> "list[str]":
    if not isinstance(value, list) or len(value) > _MOST or not all(isinstance(item, str) for item in value):
        raise ValueError("%s must be a list of texts" % what)
    return value


def which(params: "dict[str, Any]") -> "dict[str, str | None]":
    path = to_bytes(str(params.get("path") or os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")))
    cwd = to_bytes(str(params.get("cwd") or "/"))
    found: "dict[str, str | None]" = {}
    for name in _texts(params.get("names"), "names"):
        where = search(to_bytes(name), path, cwd) if name else None
        found[name] = None if where is None else to_text(where)
    return found


def expect(stamps: "Any") -> None:
    """`stamps`: path to [size, mtime], None for a path that is not there. One that differs is a "stale" request: the
    asker goes by what is not so any more."""
    if not isinstance(stamps, dict):
        raise ValueError("expect must be a table of paths")
    found = stat_paths({"paths": list(stamps)})
    for path, stamp in stamps.items():
        entry = found[path]
        if (None if entry is None else [entry["size"], entry["mtime"]]) != stamp:
            raise runs.RunError("stale", "%s has changed" % path)


def stat_paths(params: "dict[str, Any]") -> "dict[str, Any]":
    """Links are followed; a link that leads nowhere is a "link"."""
    found: "dict[str, Any]" = {}
    for path in _texts(params.get("paths"), "paths"):
        try:
            try:
                info = os.stat(to_bytes(path))
            except FileNotFoundError:
                info = os.lstat(to_bytes(path))
        except OSError:
            found[path] = None
            continue
        found[path] = {
            "type": _TYPES.get(stat.S_IFMT(info.st_mode), "other"),
            "size": info.st_size,
            "mode": stat.S_IMODE(info.st_mode),
            "uid": info.st_uid,
            "mtime": info.st_mtime,
        }
    return found
