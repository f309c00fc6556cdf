"""Many contents in one stream of bytes, small ones together. Pure but for the files that are read.

stream = total:u64 file* 0x00                   total: bytes of content that will come, at most; 0: nobody knows
file   = length:u8 digest offset:u64 size:u64 piece* end
piece  = length:u32 bytes | REUSE first:u32 count:u32      blocks of what the receiver has at the path now
end    = 0:u32 | GONE:u32                       GONE: it is not there any more, or not what it was
"""

import hashlib
import os
import stat
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    Wanted = tuple[bytes, str, int, bytes]  # digest, path, offset, block digests of the receiver's old version

PIECE = 256 << 10
TOGETHER = 512 << 10  # bytes that are handed on at once, about
BLOCK = 1 << 20
BLOCK_DIGEST = 16
REUSE, GONE = 0xFFFFFFFE, 0xFFFFFFFF
ENDING = b"\0"

TOTAL, LENGTH, RUN = struct.Struct(">Q"), struct.Struct(">I"), struct.Struct(">II")
PLACE = struct.Struct(">QQ")
_LAST = LENGTH.pack(0)
FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Broken(ValueError):
    """What came is no such stream."""


def blocks(path: str, algorithm: str = "sha256") -> bytes:
    """The digests of a file's blocks, one after the other. Raises OSError."""
    found = []  # type: list[bytes]
    number = os.open(path, FLAGS)
    with open(number, "rb", buffering=0) as file:
        while True:
            data = full(file.read, BLOCK)
            if not data:
                return b"".join(found)
            found.append(hashlib.new(algorithm, data).digest()[:BLOCK_DIGEST])


def beginning(total: int) -> bytes:
    return TOTAL.pack(total)


def whole(digest: bytes, data: bytes) -> "tuple[bytes, ...]":
    """A small file of which all is at hand, at most `PIECE` bytes, in parts that follow each other."""
    size = len(data)
    place = bytes([len(digest)]) + digest + PLACE.pack(0, size)
    return (place + LENGTH.pack(size), data, _LAST) if size else (place, _LAST)


def full(read: "Callable[[int], bytes | None]", size: int) -> bytes:
    parts = []
    while size:
        data = read(size)
        if not data:
            break
        parts.append(data)
        size -= len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def write(root: str, wanted: "Iterable[Wanted]", algorithm: str = "sha256") -> "Iterator[bytes]":
    """The stream of these files below `root`. What changes meanwhile is found out where it arrives."""
    wanted = list(wanted)
    buffer = bytearray(beginning(sum(max(0, _size(root, path) - offset) for _, path, offset, _ in wanted)))
    for digest, path, offset, old in wanted:
        number = -1
        size = 0
        try:
            number = os.open(os.path.join(root, path), FLAGS)
            info = os.fstat(number)
            if not stat.S_ISREG(info.st_mode) or info.st_size < offset:
                raise OSError("another one")
            size = info.st_size
            if offset:
                os.lseek(number, offset, os.SEEK_SET)
        except OSError:
            size, offset = -1, 0
        buffer += bytes([len(digest)]) + digest + PLACE.pack(offset, max(0, size))
        try:
            if size < 0:
                buffer += LENGTH.pack(GONE)
                continue
            left = size - offset
            for piece in _changed(number, left, old, algorithm) if old and not offset else _pieces(number, left):
                buffer += piece
                if len(buffer) >= TOGETHER:
                    yield bytes(buffer)
                    buffer.clear()
        finally:
            if number >= 0:
                os.close(number)
    buffer += ENDING
    yield bytes(buffer)


def small(root: str, path: str, digest: bytes, most: int, algorithm: str = "sha256") -> "bytes | None":
    """The content if it is that one and no larger."""
    try:
        number = os.open(os.path.join(root, path), FLAGS)
    except OSError:
        return None
    with open(number, "rb", buffering=0) as file:
        info = os.fstat(number)
        if not stat.S_ISREG(info.st_mode) or info.st_size > most:
            return None
        try:
            data = full(file.read, most + 1)
        except OSError:
            return None
    return data if len(data) <= most and hashlib.new(algorithm, data).digest() == digest else None


def of_contents(contents: "Iterable[tuple[bytes, bytes]]") -> bytes:
    """The stream of (digest, content), small ones."""
    contents = list(contents)
    parts = [beginning(sum(len(data) for _, data in contents))]
    for digest, data in contents:
        parts += whole(digest, data)
    return b"".join(parts + [ENDING])


def _size(root: str, path: str) -> int:
    try:
        return os.lstat(os.path.join(root, path)).st_size
    except OSError:
        return 0


def _pieces(number: int, left: int) -> "Iterator[bytes]":
    while left:
        try:
            data = os.read(number, min(PIECE, left))
        except OSError:
            data = b""
        if not data:
            yield LENGTH.pack(GONE)
            return
        left -= len(data)
        yield LENGTH.pack(len(data)) + data
    yield LENGTH.pack(0)


def _changed(number: int, left: int, old: bytes, algorithm: str) -> "Iterator[bytes]":
    """Blocks that the receiver has are named; a block keeps its number in what is appended to or changed in place."""
    known = {}  # type: dict[bytes, int]
    for at in range(0, len(old), BLOCK_DIGEST):
        known.setdefault(old[at : at + BLOCK_DIGEST], at // BLOCK_DIGEST)
    first = count = at = 0
    while left:
        try:
            data = full(lambda size: os.read(number, size), min(BLOCK, left))
        except OSError:
            data = b""
        if not data:
            yield LENGTH.pack(GONE)
            return
        left -= len(data)
        digest = hashlib.new(algorithm, data).digest()[:BLOCK_DIGEST]
        same = old[at * BLOCK_DIGEST : (at + 1) * BLOCK_DIGEST] == digest
        found = at if same else known.get(digest, -1)
        at += 1
        if count and found == first + count:
            count += 1
            continue
        if count:
            yield LENGTH.pack(REUSE) + RUN.pack(first, count)
            count = 0
        if found >= 0:
            first, count = found, 1
            continue
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            yield LENGTH.pack(len(piece)) + piece
    if count:
        yield LENGTH.pack(REUSE) + RUN.pack(first, count)
    yield LENGTH.pack(0)


async def single(stream: "AsyncIterator[bytes]", most: int) -> "bytes | None":
    """The one content of a stream, b"" where it is not there any more; None where it is longer than `most` bytes.
    Raises Broken."""
    told = bytearray()
    async for data in stream:
        told += data
        if len(told) > most + (most // PIECE + 2) * LENGTH.size + 256:
            return None
    at = TOTAL.size
    if len(told) < at + 1 or len(told) < at + 1 + told[at] + PLACE.size:
        raise Broken("it ends too early")
    at += 1 + told[at] + PLACE.size
    found = bytearray()
    while True:
        if len(told) < at + LENGTH.size:
            raise Broken("it ends too early")
        (length,) = LENGTH.unpack_from(told, at)
        if length in (0, GONE):
            return bytes(found) if not length else b""
        if length > PIECE:
            raise Broken("a piece that is too big")
        at += LENGTH.size
        found += told[at : at + length]
        at += length
        if len(found) > most:
            return None
