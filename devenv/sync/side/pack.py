"""Many contents in one stream of bytes, small ones together. Pure but for the files that are read and staged.

stream = total:u64 file* 0x00                   total: bytes of content that will come, at most; 0: nobody knows
file   = length:u8 digest offset:u64 size:u64 piece* end
piece  = length:u32 bytes | REUSE first:u32 count:u32      blocks of what the receiver has at the path now
end    = 0:u32 | GONE:u32                       GONE: it is not there any more, or not what it was
"""

import hashlib
import os
import stat
import struct

from .stage import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

    from .stage import Stage

    Wanted = tuple[bytes, str, int, bytes]  # digest, path, offset, block digests of the receiver's old version

PIECE = 256 << 10
TOGETHER = 512 << 10  # bytes that are handed on at once, about
BLOCK = 1 << 20
BLOCK_DIGEST = 16
REUSE, GONE = 0xFFFFFFFE, 0xFFFFFFFF
ENDING = b"\0"
RESERVE = 256 << 20
UNASKED = 16 << 20  # bytes of what nobody asked for, from one look at the disk to the next
SMALL = 1 << 20  # so much is always taken: a save on a full disk says itself what is wrong

_TOTAL, _LENGTH, _RUN = struct.Struct(">Q"), struct.Struct(">I"), struct.Struct(">II")
_PLACE = struct.Struct(">QQ")
_LAST = _LENGTH.pack(0)
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Broken(ValueError):
    """What came is no such stream."""


def blocks(path: str, algorithm: str = "sha256") -> bytes:
    """The digests of a file's blocks, one after the other. Raises OSError."""
    found = []  # type: list[bytes]
    number = os.open(path, _FLAGS)
    with open(number, "rb", buffering=0) as file:
        while True:
            data = _full(file.read, BLOCK)
            if not data:
                return b"".join(found)
            found.append(hashlib.new(algorithm, data).digest()[:BLOCK_DIGEST])


def beginning(total: int) -> bytes:
    return _TOTAL.pack(total)


def whole(digest: bytes, data: bytes) -> "tuple[bytes, ...]":
    """A small file of which all is at hand, at most `PIECE` bytes, in parts that follow each other."""
    size = len(data)
    place = bytes([len(digest)]) + digest + _PLACE.pack(0, size)
    return (place + _LENGTH.pack(size), data, _LAST) if size else (place, _LAST)


def _full(read: "Callable[[int], bytes | None]", size: int) -> bytes:
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
            number = os.open(os.path.join(root, path), _FLAGS)
            info = os.fstat(number)
            if not stat.S_ISREG(info.st_mode) or info.st_size < offset:
                raise OSError("another one")
            size = info.st_size
            if offset:
                os.lseek(number, offset, os.SEEK_SET)
        except OSError:
            size, offset = -1, 0
        buffer += bytes([len(digest)]) + digest + _PLACE.pack(offset, max(0, size))
        try:
            if size < 0:
                buffer += _LENGTH.pack(GONE)
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
        number = os.open(os.path.join(root, path), _FLAGS)
    except OSError:
        return None
    with open(number, "rb", buffering=0) as file:
        info = os.fstat(number)
        if not stat.S_ISREG(info.st_mode) or info.st_size > most:
            return None
        try:
            data = _full(file.read, most + 1)
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
            yield _LENGTH.pack(GONE)
            return
        left -= len(data)
        yield _LENGTH.pack(len(data)) + data
    yield _LENGTH.pack(0)


def _changed(number: int, left: int, old: bytes, algorithm: str) -> "Iterator[bytes]":
    """Blocks that the receiver has are named; a block keeps its number in what is appended to or changed in place."""
    known = {}  # type: dict[bytes, int]
    for at in range(0, len(old), BLOCK_DIGEST):
        known.setdefault(old[at : at + BLOCK_DIGEST], at // BLOCK_DIGEST)
    first = count = at = 0
    while left:
        try:
            data = _full(lambda size: os.read(number, size), min(BLOCK, left))
        except OSError:
            data = b""
        if not data:
            yield _LENGTH.pack(GONE)
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
            yield _LENGTH.pack(REUSE) + _RUN.pack(first, count)
            count = 0
        if found >= 0:
            first, count = found, 1
            continue
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            yield _LENGTH.pack(len(piece)) + piece
    if count:
        yield _LENGTH.pack(REUSE) + _RUN.pack(first, count)
    yield _LENGTH.pack(0)


async def single(stream: "AsyncIterator[bytes]", most: int) -> "bytes | None":
    """The one content of a stream, b"" where it is not there any more; None where it is longer than `most` bytes.
    Raises Broken."""
    told = bytearray()
    async for data in stream:
        told += data
        if len(told) > most + (most // PIECE + 2) * _LENGTH.size + 256:
            return None
    at = _TOTAL.size
    if len(told) < at + 1 or len(told) < at + 1 + told[at] + _PLACE.size:
        raise Broken("it ends too early")
    at += 1 + told[at] + _PLACE.size
    found = bytearray()
    while True:
        if len(told) < at + _LENGTH.size:
            raise Broken("it ends too early")
        (length,) = _LENGTH.unpack_from(told, at)
        if length in (0, GONE):
            return bytes(found) if not length else b""
        if length > PIECE:
            raise Broken("a piece that is too big")
        at += _LENGTH.size
        found += told[at : at + length]
        at += length
        if len(found) > most:
            return None


class Receiver:
    """Stages what comes, of the contents that were asked for and no others. `wanted` gives for each the file whose
    blocks may be used again, "" for none; where it is None nobody has asked, and anything is taken. Raises Broken, and
    OSError when the disk does.

    `failed` says why a content is not staged.
    """

    def __init__(self, stage: "Stage", wanted: "Mapping[bytes, str] | None") -> None:
        self._stage = stage
        self._wanted = wanted
        self._buffer = bytearray()
        self._next = self._begin  # type: Callable[[memoryview], int]
        self._left = 0  # of all
        self._unasked = 0  # bytes since it was seen that there is room
        self._digest = b""
        self._part = None  # type: Part | None
        self._rest = 0  # of this content
        self._size = 0
        self._offset = 0
        self.failed = {}  # type: dict[bytes, str]
        self.refused = ""
        self.ended = False

    def feed(self, data: bytes) -> None:
        self._buffer += data
        at = 0
        with memoryview(self._buffer) as view:
            while not self.ended:
                with view[at:] as rest:
                    used = self._next(rest)
                if not used:
                    break
                at += used
            if self.ended and at < len(view):
                raise Broken("more comes than the stream holds")
        del self._buffer[:at]

    def close(self) -> None:
        """What has come of a content stays, for the next time."""
        if self._part is not None:
            self._part.close()
            self._part = None

    def _begin(self, view: memoryview) -> int:
        if len(view) < _TOTAL.size:
            return 0
        (self._left,) = _TOTAL.unpack_from(view)
        if self._left > SMALL or self._wanted is None:
            self._look_for_room(self._left)
        self._next = self._head
        return _TOTAL.size

    def _look_for_room(self, needed: int) -> None:
        disk = os.statvfs(self._stage.folder)
        free, keep = disk.f_bavail * disk.f_frsize, max(RESERVE, disk.f_blocks * disk.f_frsize // 100)
        if free < needed + keep:
            self.refused = "not enough room on the disk: %d MB are needed, %d MB are free, %d MB are to stay so" % (
                needed >> 20,
                free >> 20,
                keep >> 20,
            )

    def _head(self, view: memoryview) -> int:
        if not view:
            return 0
        length = int(view[0])
        if not length:
            self.ended = True
            return 1
        size = 1 + length + _PLACE.size
        if len(view) < size:
            return 0
        self._digest = bytes(view[1 : 1 + length])
        if self._wanted is not None and self._digest not in self._wanted:
            raise Broken("a content that nobody asked for")
        self._offset, self._size = _PLACE.unpack_from(view, 1 + length)
        if self._offset > self._size:
            raise Broken("a content that begins behind its end")
        self._rest = self._size - self._offset
        if self._wanted is None:
            self._unasked += self._size
            if self._unasked > UNASKED:
                self._look_for_room(self._unasked)
                self._unasked = 0
        if self.refused:
            self.failed[self._digest] = self.refused
        if 0 < self._size <= PIECE and not self._offset:
            # Nearly all are small, and here as a whole: what goes for each piece of them needs no turn of its own.
            last = size + _LENGTH.size + self._size
            here = len(view) >= last + _LENGTH.size and _LENGTH.unpack_from(view, size)[0] == self._size
            if here and not _LENGTH.unpack_from(view, last)[0]:
                self._take(view[size + _LENGTH.size : last])
                return last + _LENGTH.size
        self._next = self._piece
        return size

    def _piece(self, view: memoryview) -> int:
        if len(view) < _LENGTH.size:
            return 0
        (length,) = _LENGTH.unpack_from(view)
        if length == REUSE:
            if len(view) < _LENGTH.size + _RUN.size:
                return 0
            self._again(*_RUN.unpack_from(view, _LENGTH.size))
            return _LENGTH.size + _RUN.size
        if length in (0, GONE):
            self._finish(length == 0)
            self._next = self._head
            return _LENGTH.size
        if length > PIECE:
            raise Broken("a piece that is too big")
        if len(view) < _LENGTH.size + length:
            return 0
        self._take(view[_LENGTH.size : _LENGTH.size + length])
        return _LENGTH.size + int(length)

    def _take(self, data: memoryview) -> None:
        length = len(data)
        self._left -= length
        self._rest -= length
        if self._rest < 0:
            raise Broken("more than was announced")
        if self._digest in self.failed:
            return
        try:
            if length == self._size:  # all of it
                if not self._stage.keep(self._digest, data):
                    self.failed[self._digest] = ""
                return
            self._open().write(data)
        except OSError as error:
            self._give_up(os.strerror(error.errno or 0))

    def _again(self, first: int, count: int) -> None:
        path = self._wanted[self._digest] if self._wanted is not None else ""
        if not path or count < 1:
            raise Broken("blocks of nothing")
        if self._digest in self.failed:
            return
        try:
            part = self._open()
            with open(os.open(path, _FLAGS), "rb", buffering=0) as file:
                file.seek(first * BLOCK)
                for _ in range(count):
                    data = _full(file.read, BLOCK)
                    self._rest -= len(data)
                    if self._rest < 0:
                        raise Broken("more than was announced")
                    if not data:
                        self._give_up("")
                        return
                    part.write(data)
        except OSError as error:
            self._give_up(os.strerror(error.errno or 0))

    def _open(self) -> Part:
        if self._part is None:
            self._part = Part(self._stage, self._digest, self._offset)
        return self._part

    def _give_up(self, why: str) -> None:
        self.close()
        self._stage.drop(self._digest)
        self.failed[self._digest] = why

    def _finish(self, whole: bool) -> None:
        part, self._part = self._part, None
        if self._digest in self.failed:
            return
        if not whole or self._rest:
            if part is not None:
                part.close()
            self._stage.drop(self._digest)
            self.failed[self._digest] = ""
            return
        try:
            if part is None and (self._size == 0 or self._offset):
                part = Part(self._stage, self._digest, self._offset)
            if part is not None and not part.done():
                self.failed[self._digest] = ""
        except OSError as error:
            self._give_up(os.strerror(error.errno or 0))
