"""A stream of `pack` taken apart, as it comes: what is in it is verified and staged, and nothing else is believed."""

import os

from .pack import BLOCK, FLAGS, GONE, LENGTH, PIECE, PLACE, REUSE, RUN, TOTAL, Broken, full
from .stage import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .stage import Stage

RESERVE = 256 << 20
UNASKED = 16 << 20  # bytes of what nobody asked for, from one look at the disk to the next
SMALL = 1 << 20  # so much is always taken: a save on a full disk says itself what is wrong


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
        self._next: "Callable[[memoryview], int]" = self._begin
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
        if len(view) < TOTAL.size:
            return 0
        (self._left,) = TOTAL.unpack_from(view)
        if self._left > SMALL or self._wanted is None:
            self._look_for_room(self._left)
        self._next = self._head
        return TOTAL.size

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
        size = 1 + length + PLACE.size
        if len(view) < size:
            return 0
        self._digest = bytes(view[1 : 1 + length])
        if self._wanted is not None and self._digest not in self._wanted:
            raise Broken("a content that nobody asked for")
        self._offset, self._size = PLACE.unpack_from(view, 1 + length)
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
            last = size + LENGTH.size + self._size
            here = len(view) >= last + LENGTH.size and LENGTH.unpack_from(view, size)[0] == self._size
            if here and not LENGTH.unpack_from(view, last)[0]:
                self._take(view[size + LENGTH.size : last])
                return last + LENGTH.size
        self._next = self._piece
        return size

    def _piece(self, view: memoryview) -> int:
        if len(view) < LENGTH.size:
            return 0
        (length,) = LENGTH.unpack_from(view)
        if length == REUSE:
            if len(view) < LENGTH.size + RUN.size:
                return 0
            self._again(*RUN.unpack_from(view, LENGTH.size))
            return LENGTH.size + RUN.size
        if length in (0, GONE):
            self._finish(length == 0)
            self._next = self._head
            return LENGTH.size
        if length > PIECE:
            raise Broken("a piece that is too big")
        if len(view) < LENGTH.size + length:
            return 0
        self._take(view[LENGTH.size : LENGTH.size + length])
        return LENGTH.size + int(length)

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
            with open(os.open(path, FLAGS), "rb", buffering=0) as file:
                file.seek(first * BLOCK)
                for _ in range(count):
                    data = full(file.read, BLOCK)
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
