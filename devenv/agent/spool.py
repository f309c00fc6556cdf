"""The spool: a run's output on disk, as bytes in the order they arrived.

The folder holds segments. `seg-<offset>` has the raw bytes from that offset on, `seg-<offset>.idx` says which stream
owns them (`>QdB`: offset, time, stream; each mark holds until the next). An offset counts every byte that the program
wrote, kept or not, so that a place in the output keeps its number for ever. What is missing is simply between segments:
the middle that the cap removed (the head and the newest are kept), or what a full disk did not take.

Writing never waits and never raises: what the disk refuses is dropped, counted and kept in memory for live viewers.
"""

import bisect
import collections
import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

MARK = struct.Struct(">QdB")
SEGMENT = 1 << 24  # bytes
HEAD = 1 << 26  # bytes at the beginning that are kept for ever
CAP = 1 << 30
RING = 1 << 20  # bytes that the disk refused, kept in memory
_MARK_EVERY = 1.0  # seconds between marks of the same stream
_RETRY = 1.0  # seconds before a disk that refused is asked again
_PREFIX = "seg-"
_INDEX = ".idx"


def segment_name(offset: int) -> str:
    return "%s%016d" % (_PREFIX, offset)


def segments(folder: str) -> "list[int]":
    """The offsets at which segments start, in order."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(int(name[4:]) for name in names if name.startswith(_PREFIX) and name[4:].isdigit())


def extent(folder: str) -> "tuple[int, list[list[int]]]":
    """(the offset after the last byte on disk, the ranges before it that are not there)."""
    position = 0
    holes = []
    for start in segments(folder):
        try:
            size = os.stat(os.path.join(folder, segment_name(start))).st_size
        except OSError:
            continue  # the cap has removed it just now
        if start > position:
            holes.append([position, start])
        position = max(position, start + size)
    return position, holes


def largest(holes: "list[list[int]]") -> "list[int] | None":
    return max(holes, key=lambda hole: hole[1] - hole[0]) if holes else None


class SpoolWriter:
    """One writer per folder: the keeper."""

    def __init__(self, folder: str, cap: int = CAP) -> None:
        self.folder = folder
        self.cap = max(cap, 1 << 18)
        self._segment_size = min(SEGMENT, max(1 << 14, self.cap >> 4))
        self._head = min(HEAD, self.cap >> 2)
        self.end = 0  # the next offset
        self.dropped = 0  # bytes that are not on disk
        self.trouble = ""  # why the disk refused, last time
        self.ring: "collections.deque[tuple[int, int, bytes]]" = collections.deque()
        self._ring_size = 0
        self._sizes: "collections.deque[list[int]]" = collections.deque()  # [start, raw bytes, index bytes]
        self._stored = 0
        self._data_fd = -1
        self._index_fd = -1
        self._mark_stream = -1
        self._mark_time = 0.0
        self._retry_at = 0.0

    def write(self, stream: int, data: bytes, now: float) -> bool:
        """Appends; False when some of it could not be kept on disk."""
        view = memoryview(data)
        while view:
            kept = self._store(stream, view, now)
            if kept <= 0:
                break
            self.end += kept
            view = view[kept:]
        if not view:
            return True
        self._refused(stream, bytes(view))
        return False

    def _store(self, stream: int, view: memoryview, now: float) -> int:
        """Bytes that the disk took, 0 when it refused."""
        if self._data_fd < 0 and (now < self._retry_at or not self._open(now)):
            return 0
        current = self._sizes[-1]
        if current[1] >= self._segment_size:
            self._close()
            return self._store(stream, view, now)
        try:
            if stream != self._mark_stream or now - self._mark_time >= _MARK_EVERY or now < self._mark_time:
                # The mark goes first: a keeper killed in between leaves a mark without bytes, which harms nobody.
                if os.write(self._index_fd, MARK.pack(self.end, now, stream)) != MARK.size:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                self._mark_stream = stream
                self._mark_time = now
                current[2] += MARK.size
                self._stored += MARK.size
            count = os.write(self._data_fd, view[: self._segment_size - current[1]])
        except OSError as error:
            self.trouble = os.strerror(error.errno or 0)
            self._close()
            self._retry_at = now + _RETRY
            return 0
        current[1] += count
        self._stored += count
        if self._stored > self.cap:
            self._trim()
        return count

    def _open(self, now: float) -> bool:
        path = os.path.join(self.folder, segment_name(self.end))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        try:
            self._data_fd = os.open(path, flags, 0o600)
            self._index_fd = os.open(path + _INDEX, flags, 0o600)
        except OSError as error:
            self.trouble = os.strerror(error.errno or 0)
            if self._data_fd >= 0:
                os.close(self._data_fd)
                self._data_fd = -1
            self._retry_at = now + _RETRY
            return False
        self._mark_stream = -1
        if self._sizes and not self._sizes[-1][1]:
            self._sizes.pop()  # an empty segment of the same offset
        self._sizes.append([self.end, 0, 0])
        return True

    def _close(self) -> None:
        for fd in (self._data_fd, self._index_fd):
            if fd >= 0:
                os.close(fd)
        self._data_fd = self._index_fd = -1

    def _trim(self) -> None:
        """Removes the oldest segments behind the head until the cap holds."""
        while self._stored > self.cap:
            victim = None
            for item in self._sizes:
                if item[0] >= self._head and item is not self._sizes[-1]:
                    victim = item
                    break
            if victim is None:
                return
            self._sizes.remove(victim)
            self._stored -= victim[1] + victim[2]
            self.dropped += victim[1]
            path = os.path.join(self.folder, segment_name(victim[0]))
            for name in (path, path + _INDEX):
                try:
                    os.unlink(name)
                except OSError:
                    pass

    def _refused(self, stream: int, data: bytes) -> None:
        self.dropped += len(data)
        self.ring.append((self.end, stream, data))
        self.end += len(data)
        self._ring_size += len(data)
        while self._ring_size > RING and len(self.ring) > 1:
            self._ring_size -= len(self.ring.popleft()[2])

    def holes(self) -> "list[list[int]]":
        position = 0
        holes = []
        for start, size, _ in self._sizes:
            if start > position:
                holes.append([position, start])
            position = start + size
        if self.end > position:
            holes.append([position, self.end])
        return holes

    def close(self) -> None:
        self._close()


class SpoolReader:
    """Reads by offset, also while the keeper writes."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._start = -1
        self._fd = -1
        self._index_fd = -1
        self._marks: "list[tuple[int, int]]" = []
        self._index_at = 0

    def read(self, offset: int, limit: int) -> "tuple[int, int, bytes]":
        """(offset, stream, data) of the first bytes on disk at or after `offset`, all of one stream, at most `limit`.

        Data is empty when there is nothing (yet).
        """
        for _ in range(2):
            if self._fd >= 0 and offset >= self._start:
                data = self._pread(offset, limit)
                if data:
                    return self._attribute(offset, data)
            found = self._seek(offset)
            if found < 0:
                break
            offset = found
        return offset, 1, b""

    def _pread(self, offset: int, limit: int) -> bytes:
        try:
            return os.pread(self._fd, limit, offset - self._start)
        except OSError:
            return b""

    def _seek(self, offset: int) -> int:
        """Opens the segment with the first byte at or after `offset`; -1 when there is none but the present one."""
        starts = segments(self.folder)
        first = max(0, bisect.bisect_right(starts, offset) - 1)
        for start in starts[first:]:
            path = os.path.join(self.folder, segment_name(start))
            try:
                size = os.stat(path).st_size
                if start + size <= offset or not size:
                    continue
                if start == self._start:
                    return max(offset, start)
                fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            except OSError:
                continue  # removed by the cap in between
            self.close()
            self._fd, self._start = fd, start
            try:
                self._index_fd = os.open(path + _INDEX, os.O_RDONLY | os.O_NOFOLLOW)
            except OSError:
                self._index_fd = -1
            return max(offset, start)
        return -1

    def _attribute(self, offset: int, data: bytes) -> "tuple[int, int, bytes]":
        if self._index_fd >= 0:
            more = os.pread(self._index_fd, 1 << 20, self._index_at)
            more = more[: len(more) - len(more) % MARK.size]
            self._index_at += len(more)
            for at, _, stream in MARK.iter_unpack(more):
                if not self._marks or self._marks[-1][1] != stream:
                    self._marks.append((at, stream))
        place = bisect.bisect_right(self._marks, (offset, 255)) - 1
        stream = self._marks[place][1] if place >= 0 else 1
        if place + 1 < len(self._marks):
            data = data[: self._marks[place + 1][0] - offset]
        return offset, stream, data

    def close(self) -> None:
        for fd in (self._fd, self._index_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._index_fd = self._start = -1
        self._marks = []
        self._index_at = 0
