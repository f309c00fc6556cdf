"""Archives of features and templates, which strangers made: read without trust, unpacked into a folder of their own.

Refused are paths and links that leave the folder, devices and pipes, and what grows beyond all measure. Links are made
after all files, so that nothing is ever written through one.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import pathlib
import posixpath
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, NamedTuple, cast

from devenv.errors import FeatureError

UNPACKED_LIMIT = 512 * 1024 * 1024  # bytes; a feature is a script and a few files
MEMBER_LIMIT = 20_000
_PIECE = 1024 * 1024


class Member(NamedTuple):
    """A file, folder or link of an archive. `data` can be read until the next member is asked for."""

    path: str  # relative, normalised, "/" between
    kind: str  # "file", "folder", "link", "copy" (a hard link)
    executable: bool
    target: str  # of a link: as written; of a copy: the path of an earlier file
    data: IO[bytes] | None


class Content(NamedTuple):
    data: bytes
    executable: bool


def members(archive: pathlib.Path, what: str) -> Iterator[Member]:
    """Everything in a tar file, compressed with gzip or not. Raises FeatureError, naming `what`, at the first doubt."""
    count = 0
    with _opened(archive, what) as tar:
        for entry in _entries(tar, what):
            count += 1
            if count > MEMBER_LIMIT:
                raise _refused(what, f"more than {MEMBER_LIMIT} files")
            path = _path(entry.name, what)
            if not path:
                continue  # the folder itself
            yield _member(tar, entry, path, what)


def read(archive: pathlib.Path, name: str, what: str, limit: int = 4 * 1024 * 1024) -> bytes | None:
    """The content of one file, None when it is not there."""
    for member in members(archive, what):
        if member.path == name and member.data is not None:
            with _readable(what):
                content = member.data.read(limit + 1)
            if len(content) > limit:
                raise _refused(what, f"{name} is larger than {limit} bytes")
            return content
    return None


def unpack(
    archive: pathlib.Path, folder: pathlib.Path, what: str, keep: Callable[[str], bool] = lambda path: True
) -> list[str]:
    """Unpacks into `folder`, which must be new or empty; the paths of the files. Files are 0644 or 0755, folders 0755.

    `keep` says which files and links are wanted. After an error the folder is to be thrown away.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    links: list[Member] = []
    for member in members(archive, what):
        if member.kind == "folder":
            _folder(folder, member.path, what)
        elif not keep(member.path):
            continue
        elif member.kind == "link":
            links.append(member)
        elif member.kind == "copy":
            _copy(folder, member, what)
            written.append(member.path)
        else:
            place = _place(folder, member.path, what)
            _write(place, member, what)
            written.append(member.path)
    for member in links:
        _place(folder, member.path, what).symlink_to(member.target)
        written.append(member.path)
    root = os.path.realpath(folder)
    for member in links:  # each is harmless by itself; several together may still lead out
        if not _within(os.path.realpath(folder / member.path), root):
            raise _refused(what, f"the link {member.path} leads out of it")
    return list(dict.fromkeys(written))


def contents(archive: pathlib.Path, what: str) -> dict[str, Content]:
    """All files of an archive by path, in memory; a link is the file that it leads to. Raises FeatureError."""
    found: dict[str, Content] = {}
    links: dict[str, str] = {}
    for member in members(archive, what):
        if member.data is not None:
            with _readable(what):
                found[member.path] = Content(member.data.read(), member.executable)
        elif member.kind == "copy":
            links[member.path] = member.target
        elif member.kind == "link":
            links[member.path] = posixpath.normpath(posixpath.join(posixpath.dirname(member.path), member.target))
    for path, target in links.items():
        seen = {path}
        while target in links and target not in seen:
            seen.add(target)
            target = links[target]
        if target not in found:
            raise _refused(what, f"the link {path} leads to no file of it")
        found[path] = found[target]
    return found


def _member(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: str, what: str) -> Member:
    if entry.isdir():
        return Member(path, "folder", True, "", None)
    if entry.issym():
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.linkname))
        if entry.linkname.startswith("/") or inside.startswith("../") or inside == "..":
            raise _refused(what, f"the link {path} leads out of it")
        return Member(path, "link", False, entry.linkname, None)
    if entry.islnk():
        return Member(path, "copy", False, _path(entry.linkname, what), None)
    if not entry.isreg() or entry.issparse():
        raise _refused(what, f"{path} is neither a file nor a folder")
    with _readable(what):
        data = tar.extractfile(entry)
    return Member(path, "file", bool(entry.mode & 0o100), "", data)


def _entries(tar: tarfile.TarFile, what: str) -> Iterator[tarfile.TarInfo]:
    while True:
        with _readable(what):
            entry = tar.next()
        if entry is None:
            return
        tar.members = []  # type: ignore[attr-defined]  # it keeps every header otherwise
        yield entry


def _path(name: str, what: str) -> str:
    if name.startswith("/") or "\0" in name or ".." in name.split("/"):
        raise _refused(what, f"the path {name!r} leads out of it")
    path = posixpath.normpath(name)
    return "" if path == "." else path


def _place(folder: pathlib.Path, path: str, what: str) -> pathlib.Path:
    """Where a file goes, with the folders above it; what an earlier member put there is gone."""
    _folder(folder, posixpath.dirname(path), what)
    place = folder / path
    if place.is_dir() and not place.is_symlink():
        raise _refused(what, f"{path} is both a file and a folder")
    place.unlink(missing_ok=True)
    return place


def _folder(folder: pathlib.Path, path: str, what: str) -> None:
    place = folder
    for part in path.split("/") if path else ():
        place = place / part
        if not place.is_dir():
            try:
                place.mkdir()
            except FileExistsError:
                raise _refused(what, f"{path} is both a file and a folder") from None
            place.chmod(0o755)


def _write(place: pathlib.Path, member: Member, what: str) -> None:
    data = cast(IO[bytes], member.data)
    with place.open("wb") as file:
        while True:
            with _readable(what):
                piece = data.read(_PIECE)
            if not piece:
                break
            file.write(piece)
    place.chmod(0o755 if member.executable else 0o644)


def _copy(folder: pathlib.Path, member: Member, what: str) -> None:
    source = folder / member.target
    if not member.target or not source.is_file():  # no link exists yet, so this is a file of the archive itself
        raise _refused(what, f"{member.path} is a link to {member.target}, which did not come before it")
    if member.target != member.path:
        shutil.copy(source, _place(folder, member.path, what))


@contextlib.contextmanager
def _opened(archive: pathlib.Path, what: str) -> Iterator[tarfile.TarFile]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(_readable(what))
        file: BinaryIO = stack.enter_context(archive.open("rb"))
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        plain = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=file))) if packed else file
        # Read as a stream: what was not counted is not looked at.
        tar = stack.enter_context(tarfile.open(fileobj=cast(BinaryIO, _Measured(plain, what)), mode="r|"))
        yield tar


@contextlib.contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
        raise _refused(what, f"it is no readable archive ({type(error).__name__})") from error


class _Measured:
    """Counts what comes out of the decompressor."""

    def __init__(self, file: BinaryIO, what: str) -> None:
        self._file = file
        self._what = what
        self._seen = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._seen += len(data)
        if self._seen > UNPACKED_LIMIT:
            raise _refused(self._what, f"it unpacks to more than {UNPACKED_LIMIT} bytes")
        return data


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root + os.sep)


def _refused(what: str, why: str) -> FeatureError:
    return FeatureError(
        f"the archive of {what} is refused: {why}", "whoever publishes it must mend it", details={"feature": what}
    )
