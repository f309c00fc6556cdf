"""What a scanner knows, across restarts: a file of ours with its own checksum. One that is damaged is none."""

import hashlib
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    Known = dict[str, dict[str, bytes]]

_MAGIC = b"devenv scan 2\n"
_HEAD = struct.Struct(">III")
_SUM = 32


def save(path: str, known: "Known", size: int, word: bytes) -> None:
    """`size` is that of each record; `word`, of 32 bytes, comes back as it is. Old or new, never half of it that would
    count. Raises OSError."""
    parts = []
    for folder, names in known.items():
        where = os.fsencode(folder)
        joined = b"\0".join(map(os.fsencode, names))
        parts.append(_HEAD.pack(len(where), len(joined), len(names)))
        parts.append(where)
        parts.append(joined)
        parts.extend(names.values())
    body = struct.pack(">I", size) + word + b"".join(parts)
    number = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(number, "wb") as file:
        file.write(_MAGIC + hashlib.sha256(body).digest())
        file.write(body)
    os.rename(path + ".new", path)


def load(path: str, size: int) -> "tuple[Known, bytes]":
    """What was known, and the word. Nothing where there is nothing that can be trusted."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(number, "rb") as file:
            data = file.read()
    except OSError:
        return {}, b""
    at = len(_MAGIC) + _SUM
    if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : at] != hashlib.sha256(memoryview(data)[at:]).digest():
        return {}, b""
    known = {}  # type: Known
    record = struct.Struct("%ds" % size)
    try:
        if struct.unpack_from(">I", data, at)[0] != size:
            return {}, b""
        at += 4
        word = data[at : at + _SUM]
        at += _SUM
        while at < len(data):
            where, joined, count = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            folder = os.fsdecode(data[at : at + where])
            at += where
            names = os.fsdecode(data[at : at + joined]).split("\0")
            at += joined
            if len(names) != count or at + count * size > len(data):
                return {}, b""
            records = record.iter_unpack(data[at : at + count * size])
            known[folder] = {name: next(records)[0] for name in names}
            at += count * size
    except struct.error:
        return {}, b""
    return known, word
