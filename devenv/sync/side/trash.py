"""What steps did away with, by the cycle that did it: seen, put back, and in the end forgotten."""

import os
import stat

from . import renaming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

KEEP = 7 * 86400.0  # seconds
MOST = 1 << 30  # bytes
_SHOWN = 10000  # paths of a cycle


def _files(top: str) -> "Iterator[tuple[str, os.stat_result]]":
    for folder, _, names in os.walk(top):
        for name in names:
            full = os.path.join(folder, name)
            try:
                yield os.path.relpath(full, top), os.lstat(full)
            except OSError:
                continue


def trashed(trash: str) -> "list[tuple[str, float, list[str], int]]":
    """(cycle, when in seconds since the epoch, paths, bytes), the newest first."""
    found = []
    try:
        cycles = os.listdir(trash)
    except FileNotFoundError:
        return []
    for cycle in cycles:
        top = os.path.join(trash, cycle)
        try:
            info = os.lstat(top)
        except OSError:
            continue
        if not stat.S_ISDIR(info.st_mode):
            continue
        files = list(_files(top))
        if files:
            at = max(each.st_ctime for _, each in files)
            paths = sorted(path for path, _ in files)[:_SHOWN]
            found.append((cycle, at, paths, sum(each.st_size for _, each in files)))
    return sorted(found, key=lambda one: one[1], reverse=True)


def prune(trash: str, now: float, keep: float = KEEP, most: int = MOST) -> None:
    """What is older than `keep` seconds goes, and of the rest the oldest, until it is no more than `most` bytes."""
    total = 0
    for cycle, at, _, size in trashed(trash):
        total += size
        if now - at > keep or total > most:
            _remove(os.path.join(trash, cycle))
    try:
        left = os.listdir(trash)
    except FileNotFoundError:
        return
    for cycle in left:
        try:
            os.rmdir(os.path.join(trash, cycle))  # of which nothing is left
        except OSError:
            pass


def _remove(top: str) -> None:
    for folder, folders, names in os.walk(top, topdown=False):
        for name in names:
            _quietly(os.unlink, os.path.join(folder, name))
        for name in folders:
            full = os.path.join(folder, name)
            _quietly(os.unlink if os.path.islink(full) else os.rmdir, full)
    _quietly(os.rmdir, top)


def _quietly(function: "object", path: str) -> None:
    try:
        function(path)  # type: ignore[operator]
    except OSError:
        pass


def restore(root: int, trash: int, cycle: str) -> "dict[str, str]":
    """Puts back what a cycle did away with; what is there now takes its place in the trash. Both are descriptors of
    folders. "" for each path, or why not. Raises OSError when there is no such cycle."""
    results = {}
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    if "/" in cycle or cycle in ("", ".", ".."):
        raise FileNotFoundError(2, os.strerror(2), cycle)
    top = os.open(cycle, flags, dir_fd=trash)
    try:
        for folder, folders, names, here in os.fwalk(".", dir_fd=top, follow_symlinks=False):
            below = folder[2:]
            links = [name for name in folders if stat.S_ISLNK(os.lstat(name, dir_fd=here).st_mode)]
            for name in names + links:
                path = below + "/" + name if below else name
                try:
                    _put_back(root, below, here, name)
                    results[path] = ""
                except OSError as error:
                    results[path] = os.strerror(error.errno or 0)
    finally:
        os.close(top)
    return results


def _put_back(root: int, below: str, here: int, name: str) -> None:
    there = os.dup(root)
    try:
        for part in below.split("/") if below else []:
            try:
                os.mkdir(part, 0o777, dir_fd=there)
            except FileExistsError:
                pass
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(part, flags, dir_fd=there)
            os.close(there)
            there = inner
        try:
            renaming.move(here, name, there, name)
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(name, dir_fd=there).st_mode):
                raise
            renaming.exchange(here, name, there, name)
    finally:
        os.close(there)
