"""An image as engines write it to a tar archive and read it from one, without the layers that its receiver has.

Two layouts: since Engine 25 an OCI layout, whose layers are `blobs/sha256/<diff id>`; before, and from Podman, a file
or folder for each layer. In both, `manifest.json` names the files, in the order of the image's layers. It comes after
them, so everything is kept in a file until it is known. Nothing is ever unpacked here.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tarfile
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import IO, Any

from devenv.errors import EngineError

PIECE = 1024 * 1024
_MANIFEST = "manifest.json"
_MOST_TEXT = 16 * 1024**2  # bytes of the manifest
_MOST_ENTRIES = 10_000
_END = bytes(2 * tarfile.BLOCKSIZE)

_HEX = "[0-9a-f]{64}"
_FILE = re.compile(
    rf"(manifest\.json|index\.json|repositories|oci-layout|{_HEX}\.(json|tar)|{_HEX}/(VERSION|json|layer\.tar)"
    rf"|blobs/sha256/{_HEX})"
)
_LINK = re.compile(rf"{_HEX}/layer\.tar"), re.compile(rf"\.\./({_HEX}/layer\.tar|{_HEX}\.tar)")


@dataclasses.dataclass(frozen=True, slots=True)
class _Entry:
    header: tarfile.TarInfo
    offset: int  # in the spool


class Spool:
    """One image's archive in a file of ours, unbuffered, without those layers of `leave` that their names tell."""

    def __init__(self, file: IO[bytes], leave: Collection[str] = ()) -> None:
        self._file = file
        self._named = {f"blobs/sha256/{diff.removeprefix('sha256:')}" for diff in leave}
        self._entries: dict[str, _Entry] = {}
        self._written = 0

    def take(self, source: IO[bytes], tell: Callable[[int], None] = lambda size: None) -> None:
        """Reads an archive to its end; `tell` hears of bytes read. Blocking.

        Raises `EngineError` for one that no engine writes, and when there is no room for it.
        """
        try:
            with tarfile.open(fileobj=source, mode="r|", bufsize=PIECE) as archive:
                for entry in archive:
                    self._add(archive, entry, tell)
        except tarfile.TarError as error:
            raise EngineError(f"the engine's archive of the image cannot be read: {error}") from error

    def _add(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, tell: Callable[[int], None]) -> None:
        name = entry.name.removeprefix("./")
        if entry.isdir():
            return  # engines make the folders that files need
        if not _is_known(entry, name) or name in self._entries or len(self._entries) >= _MOST_ENTRIES:
            raise EngineError(f"the engine's archive of the image holds something else: {entry.name!r:.200}")
        if name in self._named:
            tell(entry.size)
            return
        self._entries[name] = _Entry(entry, self._written)
        file = archive.extractfile(entry) if entry.isfile() else None
        while file is not None and (piece := file.read(PIECE)):
            self._write(piece)
            tell(len(piece))

    def _write(self, piece: bytes) -> None:
        left = memoryview(piece)
        try:
            while left:
                size = self._file.write(left)
                self._written += size
                left = left[size:]
        except OSError as error:
            raise EngineError(
                f"the image cannot be put down on its way: {error.strerror}", "make room on this machine's disk"
            ) from error

    def layers(self, config: str) -> list[str]:
        """Names of the layers' files, in order, of the image with this id. Raises `EngineError`."""
        manifest = self._entries.get(_MANIFEST)
        if manifest is None or manifest.header.size > _MOST_TEXT:
            raise EngineError("the engine's archive of the image has no manifest.json")
        self._file.seek(manifest.offset)
        try:
            images: Any = json.loads(self._file.read(manifest.header.size))
            found = [one for one in images if config.removeprefix("sha256:") in str(one["Config"])] or images
            (image,) = found
            return [str(name) for name in image["Layers"]]
        except (ValueError, TypeError, KeyError) as error:
            raise EngineError("the engine's archive of the image has a manifest.json that cannot be read") from error

    def size_of(self, name: str) -> int:
        """Bytes of a file; 0 for a link, and for what is not there."""
        entry = self._entries.get(name)
        return entry.header.size if entry is not None and entry.header.isfile() else 0

    def require(self, names: Sequence[str]) -> None:
        """Raises `EngineError` unless all are there: an archive may end too soon."""
        for name in names:
            if name not in self._entries:
                raise EngineError(f"the engine's archive of the image lacks a layer: {name!r:.200}")

    def archive(self, without: Collection[str]) -> tuple[int, Iterator[bytes]]:
        """(bytes in all, those bytes) of the archive without some of its files."""
        kept = [entry for name, entry in self._entries.items() if name not in without]
        headers = [entry.header.tobuf(tarfile.PAX_FORMAT) for entry in kept]
        total = sum(map(len, headers)) + sum(_padded(entry.header) for entry in kept) + len(_END)
        return total, self._pieces(kept, headers)

    def _pieces(self, kept: Sequence[_Entry], headers: Sequence[bytes]) -> Iterator[bytes]:
        for entry, header in zip(kept, headers, strict=True):
            yield header
            self._file.seek(entry.offset)
            left = entry.header.size if entry.header.isfile() else 0
            while left:
                piece = self._file.read(min(PIECE, left))
                if not piece:
                    raise EngineError("the image's archive has become shorter")
                left -= len(piece)
                yield piece
            yield bytes(-entry.header.size % tarfile.BLOCKSIZE if entry.header.isfile() else 0)
        yield _END


def _is_known(entry: tarfile.TarInfo, name: str) -> bool:
    if entry.issym():
        return bool(_LINK[0].fullmatch(name) and _LINK[1].fullmatch(entry.linkname))
    return entry.isreg() and bool(_FILE.fullmatch(name))


def _padded(header: tarfile.TarInfo) -> int:
    return -(-header.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE if header.isfile() else 0
