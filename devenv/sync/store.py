"""What both sides agreed on last, on disk. A file that cannot be trusted counts as none: then nothing is deleted."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import pathlib
import tempfile

import msgspec

from devenv.sync.core.entries import Tree
from devenv.sync.core.given import Untrustworthy, as_node, parse
from devenv.sync.core.guards import NOBODY, Replica

log = logging.getLogger("devenv.sync")

_MAGIC = b"devenv ancestor 1\n"
_DIGEST = hashlib.sha256().digest_size


@dataclasses.dataclass(frozen=True, slots=True)
class Ancestor:
    """`tree` None: nothing was agreed on yet. The replicas say which two folders it was."""

    tree: Tree = None
    host: Replica = NOBODY
    container: Replica = NOBODY


class Store:
    """Belongs to one pair of folders. Blocks."""

    def __init__(self, file: pathlib.Path) -> None:
        self._file = file

    def load(self) -> Ancestor:
        """A damaged file is kept beside, for whoever looks into it."""
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return Ancestor()
        head, body = data[: len(_MAGIC) + _DIGEST], data[len(_MAGIC) + _DIGEST :]
        try:
            if head != _MAGIC + hashlib.sha256(body).digest():
                raise ValueError("its checksum does not fit")
            said = msgspec.msgpack.decode(body)
            return Ancestor(parse(said["tree"]), Replica(*said["host"]), Replica(*said["container"]))
        except (ValueError, KeyError, TypeError, msgspec.DecodeError, Untrustworthy) as error:
            log.warning("%s is not used: %s; the next synchronisation is as a first one", self._file, error)
            os.replace(self._file, self._file.with_suffix(".corrupt"))  # noqa: PTH105
            return Ancestor()

    def save(self, ancestor: Ancestor) -> None:
        """Old or new, never half of it, and durable when it returns. Raises OSError, and then it is the old one."""
        said = {
            "tree": as_node(ancestor.tree),
            "host": dataclasses.astuple(ancestor.host),
            "container": dataclasses.astuple(ancestor.container),
        }
        body = msgspec.msgpack.encode(said)
        handle, temporary = tempfile.mkstemp(prefix=f".{self._file.name}.", dir=self._file.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + hashlib.sha256(body).digest() + body)
                file.flush()
                os.fsync(file.fileno())
            pathlib.Path(temporary).replace(self._file)
        except BaseException:
            pathlib.Path(temporary).unlink(missing_ok=True)
            raise
        folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
