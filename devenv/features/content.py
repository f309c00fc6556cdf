"""Files by digest, in a folder that several processes share: the `blobs` of an OCI image layout.

A file appears by a rename, so what is there is whole; it is verified again whenever it is used, because disks and
people change files. Nothing here knows what a file means.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import secrets
from collections.abc import Iterator

from devenv.oci.digests import is_digest

_PIECE = 1024 * 1024


class ContentFolder:
    """`<folder>/blobs/sha256/<hex>`. Blocking; calls may overlap, in other processes too."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> pathlib.Path:
        """Where content of this digest lies, or would. Raises ValueError for what is no digest."""
        if not is_digest(digest):
            raise ValueError(f"{digest!r} is not a digest")
        algorithm, _, value = digest.partition(":")
        return self.folder / "blobs" / algorithm / value

    def find(self, digest: str) -> pathlib.Path | None:
        """The file with exactly this content, else None. A file that has changed counts as missing."""
        path = self.path(digest)
        try:
            with path.open("rb") as file:
                running = hashlib.new(digest.partition(":")[0])
                while piece := file.read(_PIECE):
                    running.update(piece)
        except OSError:
            return None
        return path if running.hexdigest() == path.name else None

    def read(self, digest: str) -> bytes | None:
        """The same for a small file, as bytes."""
        path = self.path(digest)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        return content if hashlib.new(digest.partition(":")[0], content).hexdigest() == path.name else None

    def add(self, content: bytes) -> str:
        """Keeps content; its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        with self.incoming() as file:
            file.write_bytes(content)
            self.adopt(file, digest)
        return digest

    def adopt(self, file: pathlib.Path, digest: str) -> pathlib.Path:
        """Moves a file from `incoming` to its place. Its content has been verified by who wrote it."""
        path = self.path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        file.replace(path)
        return path

    @contextlib.contextmanager
    def incoming(self) -> Iterator[pathlib.Path]:
        """The name of a new file on the same file system, which is removed in the end unless it was adopted."""
        folder = self.folder / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
