"""One conversation over descriptors that do not block: frames in, frames out, in two queues.

Control frames (requests, replies, events, WINDOW, PONG) overtake channel frames (DATA, EOF, CLOSE), so that a big
transfer never delays a small answer. Channels ask `congested` before they produce: what waits here stays bounded.
"""

import collections
import errno
import os
import socket
import struct

from . import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from .loop import Loop

_READ = 1 << 18
_WRITE = 1 << 19
_HIGH = 1 << 20  # bytes waiting above which channels stop producing
_LOW = 1 << 18
_LIMIT = 1 << 26  # a far side that asks and never reads


class Peer:
    """`on_frame(kind, channel, payload)` may raise `ProtocolError`; `on_end(reason)` is called exactly once."""

    def __init__(
        self,
        loop: "Loop",
        read_fd: int,
        write_fd: int,
        sock: "socket.socket | None",
        on_frame: "Callable[[int, int, bytes], None]",
        on_end: "Callable[[str], None]",
    ) -> None:
        self.loop = loop
        self.read_fd = read_fd
        self.write_fd = write_fd
        self.sock = sock
        self._on_frame = on_frame
        self._on_end = on_end
        self._decoder = frames.Decoder()
        self._control: "collections.deque[tuple[bytes, int]]" = collections.deque()
        self._data: "collections.deque[tuple[bytes, int]]" = collections.deque()
        self._rest = b""  # what the kernel did not take of a frame that is under way
        self._waiting = 0
        self._blocked: "list[Callable[[], None]]" = []
        self.closed = False
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        loop.add_reader(read_fd, self._readable)

    # in

    def _readable(self) -> None:
        try:
            data = os.read(self.read_fd, _READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.end(os.strerror(error.errno or 0))
            return
        if not data:
            self.end("the other side closed the stream")
            return
        self.feed(data)

    def feed(self, data: bytes) -> None:
        try:
            for kind, channel, payload in self._decoder.feed(data):
                if kind == frames.PING:
                    self.control(frames.encode(frames.PONG, channel, payload))
                elif kind != frames.PONG:
                    self._on_frame(kind, channel, payload)
                if self.closed:
                    return
        except frames.ProtocolError as error:
            self.end("protocol error: %s" % error)

    # out

    @property
    def congested(self) -> bool:
        return self._waiting >= _HIGH

    @property
    def idle(self) -> bool:
        """Everything queued has gone to the kernel."""
        return self._waiting == 0

    def when_clear(self, callback: "Callable[[], None]") -> None:
        """Calls `callback` once, when there is room again."""
        self._blocked.append(callback)

    def control(self, frame: bytes, fd: int = -1) -> None:
        """Queues a control frame. `fd` is passed along with its first byte, and closed here."""
        if self.closed:
            if fd >= 0:
                os.close(fd)
            return
        self._control.append((frame, fd))
        self._queued(len(frame))

    def data(self, frame: bytes) -> None:
        if not self.closed:
            self._data.append((frame, -1))
            self._queued(len(frame))

    def reply(self, id: "Any", result: "Any", fd: int = -1) -> None:
        self.control(frames.encode_json(frames.REPLY, 0, {"id": id, "ok": True, "result": result}), fd)

    def fail(self, id: "Any", code: str, message: str, number: "int | None" = None) -> None:
        error: "dict[str, Any]" = {"code": code, "message": message}
        if number is not None:
            error["errno"] = number
        self.control(frames.encode_json(frames.REPLY, 0, {"id": id, "ok": False, "error": error}))

    def event(self, value: "dict[str, Any]") -> None:
        self.control(frames.encode_json(frames.EVENT, 0, value))

    def _queued(self, size: int) -> None:
        before, self._waiting = self._waiting, self._waiting + size
        if self._waiting > _LIMIT:
            self.end("the other side does not read")
        elif not before:
            # Written at once when the kernel has room: one wake-up less for each small answer.
            self._writable()
            if self._waiting and not self.closed:
                self.loop.add_writer(self.write_fd, self._writable)

    def _writable(self) -> None:
        try:
            while self._waiting:
                if not self._write_some():
                    break
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self.end(os.strerror(error.errno or 0))
            return
        if not self._waiting:
            self.loop.remove_writer(self.write_fd)
        if self._blocked and self._waiting <= _LOW:
            # Everyone gets one turn; who still has something comes back at the end of the line.
            turn, self._blocked = self._blocked, []
            for callback in turn:
                callback()

    def _write_some(self) -> bool:
        """One system call; False when the kernel took less than was offered."""
        batch: "list[bytes]" = []
        size = 0
        fd = -1
        if self._rest:
            batch.append(self._rest)
            size = len(self._rest)
        taken: "list[tuple[collections.deque[tuple[bytes, int]], tuple[bytes, int]]]" = []
        while size < _WRITE and len(batch) < 64:
            queue = self._control or self._data
            if not queue:
                break
            if queue[0][1] >= 0:
                if batch:
                    break
                fd = queue[0][1]
            entry = queue.popleft()
            taken.append((queue, entry))
            batch.append(entry[0])
            size += len(entry[0])
            if fd >= 0:
                break
        try:
            if fd >= 0 and self.sock is not None:
                written = self.sock.sendmsg(batch, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))])
                os.close(fd)
            else:
                written = os.writev(self.write_fd, batch)
        except OSError as error:
            for queue, entry in reversed(taken):
                queue.appendleft(entry)
            if error.errno == errno.ETOOMANYREFS and fd >= 0:
                # Too many descriptors in flight for this user: wait until the far side has taken some.
                return False
            raise
        self._waiting -= written
        if written == size:
            self._rest = b""
            return True
        # The kernel took a part: whole frames that were not begun go back to the heads of their queues, in order.
        offset = len(self._rest)
        rest = self._rest[written:]
        back: "list[tuple[collections.deque[tuple[bytes, int]], tuple[bytes, int]]]" = []
        for queue, entry in taken:
            size = len(entry[0])
            if offset >= written:
                back.append((queue, entry))
            elif offset + size > written:
                rest = entry[0][written - offset :]
            offset += size
        self._rest = rest
        for queue, entry in reversed(back):
            queue.appendleft(entry)
        return False

    # end

    def end(self, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        self.loop.forget(self.read_fd)
        self.loop.forget(self.write_fd)
        for queue in (self._control, self._data):
            for _, fd in queue:
                if fd >= 0:
                    os.close(fd)
            queue.clear()
        self._blocked = []
        self._on_end(reason)

    def flush(self, seconds: float) -> None:
        """Writes what is queued, waiting at most `seconds`: the last thing before the process ends."""
        limit = self.loop.now() + seconds
        while self._waiting and not self.closed and self.loop.now() < limit:
            try:
                self._write_some()
            except BlockingIOError:
                _wait_writable(self.write_fd, max(0.0, limit - self.loop.now()))
            except OSError:
                return


def _wait_writable(fd: int, seconds: float) -> None:
    import select

    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll(int(seconds * 1000))
