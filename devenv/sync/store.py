"""What both sides agreed on last, on disk: a snapshot, and behind it in a journal what has changed since.

A snapshot that cannot be trusted counts as none: then nothing is deleted. A journal counts up to its first record that
is not whole: an ancestor that is older than it could be, from which nothing wrong follows either.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import pathlib
import secrets
import struct
import tempfile
from typing import Any

from devenv.sync.core.entries import Tree, count_files, is_folder
from devenv.sync.core.given import Untrustworthy, received
from devenv.sync.core.guards import NOBODY, Replica
from devenv.sync.core.told import difference, size, tell

log = logging.getLogger("devenv.sync")

_MAGIC = b"devenv ancestor 1\n"
_LOG_MAGIC = b"devenv journal 1\n"
_DIGEST = hashlib.sha256().digest_size
_RECORD = struct.Struct(">I32s")
_LONGEST = 8 << 20  # bytes of a journal; then a snapshot is written
_SHARE = 4  # a change of more than a quarter of all files is written as a snapshot


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
        self._journal = file.with_name(file.name + ".journal")
        self._saved: Ancestor | None = None  # what is on disk; None: the next one is written whole
        self._name = b""  # of the snapshot, for its journal
        self._length = 0  # of the journal
        self._link = b""  # the last record's digest: each one vouches for all before it

    def load(self) -> Ancestor:
        """A damaged file is kept beside, for whoever looks into it. What this object has saved is not read again."""
        if self._saved is not None:
            return self._saved
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return Ancestor()
        head, body = data[: len(_MAGIC) + _DIGEST], data[len(_MAGIC) + _DIGEST :]
        try:
            if head != _MAGIC + hashlib.sha256(body).digest():
                raise ValueError("its checksum does not fit")
            said = json.loads(body)
            ancestor = Ancestor(received(None, said["tree"], whole=True), *_replicas(said))
        except (ValueError, KeyError, TypeError, Untrustworthy, RecursionError) as error:
            log.warning("%s is not used: %s; the next synchronisation is as a first one", self._file, error)
            os.replace(self._file, self._file.with_suffix(".corrupt"))  # noqa: PTH105
            return Ancestor()
        self._name = head[len(_MAGIC) :]
        return self._replayed(ancestor)

    def _replayed(self, ancestor: Ancestor) -> Ancestor:
        try:
            data = self._journal.read_bytes()
        except FileNotFoundError:
            data = b""
        start = len(_LOG_MAGIC) + _DIGEST
        if data[:start] != _LOG_MAGIC + self._name:
            self._saved, self._length = ancestor, 0
            return ancestor
        at = start
        link = self._name
        while at < len(data):
            try:
                length, digest = _RECORD.unpack_from(data, at)
                body = data[at + _RECORD.size : at + _RECORD.size + length]
                if len(body) != length or hashlib.sha256(link + body).digest() != digest:
                    raise ValueError("a record is not whole")
                said = json.loads(body)
                ancestor = Ancestor(received(ancestor.tree, said["tree"]), *_replicas(said))
            except (struct.error, ValueError, KeyError, TypeError, Untrustworthy, RecursionError) as error:
                log.warning("%s is used up to byte %d: %s", self._journal, at, error)
                return ancestor  # and is not appended to: the next one is written whole
            link = digest
            at += _RECORD.size + length
        self._saved, self._length, self._link = ancestor, at, link
        return ancestor

    def save(self, ancestor: Ancestor) -> None:
        """Old or new, never half of it, and durable when it returns. Raises OSError, and then it is the old one, or on
        disk already the new one."""
        old, self._saved = self._saved, None
        if old is None or not (is_folder(old.tree) and is_folder(ancestor.tree)):
            self._write(ancestor)
        else:
            change = difference(old.tree, ancestor.tree)
            if self._length > _LONGEST or size(change) > 1000 + count_files(ancestor.tree) // _SHARE:
                self._write(ancestor)
            else:
                self._append(ancestor, change)
        self._saved = ancestor

    def _append(self, ancestor: Ancestor, change: Any) -> None:
        body = _body(change, ancestor)
        new = not self._length
        if new:
            self._link = self._name
        digest = hashlib.sha256(self._link + body).digest()
        record = _RECORD.pack(len(body), digest) + body
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if new else os.O_APPEND)
        with open(os.open(self._journal, flags, 0o600), "ab" if not new else "wb", buffering=0) as file:
            file.write(_LOG_MAGIC + self._name + record if new else record)
            os.fsync(file.fileno())
            self._length = file.tell()
        if new:
            self._sync_folder()
        self._link = digest

    def _write(self, ancestor: Ancestor) -> None:
        body = _body(tell(ancestor.tree), ancestor)
        digest = hashlib.sha256(body).digest()
        handle, temporary = tempfile.mkstemp(prefix=f".{self._file.name}.", dir=self._file.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + digest + body)
                file.flush()
                os.fsync(file.fileno())
            pathlib.Path(temporary).replace(self._file)
        except BaseException:
            pathlib.Path(temporary).unlink(missing_ok=True)
            raise
        self._sync_folder()
        self._name, self._length = digest, 0

    def _sync_folder(self) -> None:
        folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _body(told: Any, ancestor: Ancestor) -> bytes:
    said = {
        "tree": told,
        "host": dataclasses.astuple(ancestor.host),
        "container": dataclasses.astuple(ancestor.container),
        "salt": secrets.token_hex(8),  # the same tree twice is two snapshots: each has a journal of its own
    }
    return json.dumps(said, separators=(",", ":")).encode("ascii")


def _replicas(said: Any) -> tuple[Replica, Replica]:
    (host, there), (container, elsewhere) = said["host"], said["container"]
    return Replica(str(host), int(there)), Replica(str(container), int(elsewhere))
