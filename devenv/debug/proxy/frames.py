"""Messages of the Debug Adapter Protocol on a socket: a header with the length, then JSON. Blocking."""

import json
import socket
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PARSED = 1 << 20  # bytes; a longer body (a huge value) passes as it is
_HEADER_MOST = 4096
_BODY_MOST = 1 << 30
_READ = 1 << 16


class FrameError(Exception):
    """What came is not the protocol."""


class Reader:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()

    def line(self, prefix: bytes) -> "bytes | None":
        """The first line, taken off, if the stream begins with `prefix`; None when it begins otherwise or ends."""
        buffer = self._buffer
        while len(buffer) < len(prefix) and prefix.startswith(bytes(buffer)):
            if not self._fill():
                return None
        if not buffer.startswith(prefix):
            return None
        while b"\n" not in buffer:
            if len(buffer) > _HEADER_MOST or not self._fill():
                return None
        end = buffer.index(b"\n")
        found = bytes(buffer[:end])
        del buffer[: end + 1]
        return found

    def read(self) -> "bytes | None":
        """The next body; None at the end of the stream, also within a message."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        while end < 0:
            if len(buffer) > _HEADER_MOST:
                raise FrameError("a header without an end")
            if buffer and not _may_be_header(buffer):
                raise FrameError("no header")
            if not self._fill():
                return None
            end = buffer.find(b"\r\n\r\n")
        length = _length(bytes(buffer[:end]))
        del buffer[: end + 4]
        if len(buffer) >= length:
            body = bytes(buffer[:length])
            del buffer[:length]
            return body
        return self._long(length)

    def _long(self, length: int) -> "bytes | None":
        whole = bytearray(length)
        have = len(self._buffer)
        whole[:have] = self._buffer
        del self._buffer[:]
        rest = memoryview(whole)
        while have < length:
            count = self._sock.recv_into(rest[have:])
            if not count:
                return None
            have += count
        return bytes(whole)

    def _fill(self) -> bool:
        data = self._sock.recv(_READ)
        self._buffer += data
        return bool(data)


def _may_be_header(buffer: bytearray) -> bool:
    """Whether this can begin a header: nonsense is answered at once, not after 4 KiB of it."""
    start = bytes(buffer[:12]).lower()
    return b"content-".startswith(start[:8]) if len(start) < 8 else start.startswith(b"content-")


def _length(header: bytes) -> int:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            try:
                length = int(value)
            except ValueError:
                break
            if 0 < length <= _BODY_MOST:
                return length
            break
    raise FrameError("a header without a length")


class Writer:
    """Whole messages from any thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def body(self, body: bytes) -> bool:
        """False when the far side is gone."""
        try:
            with self._lock:
                self._sock.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        except OSError:
            return False
        return True

    def message(self, message: "dict[str, Any]") -> bool:
        return self.body(encode(message))


def encode(message: "dict[str, Any]") -> bytes:
    return json.dumps(message, separators=(",", ":")).encode("utf-8", "surrogatepass")


def decode(body: bytes) -> "dict[str, Any] | None":
    """None for what is no JSON object, or longer than is read here."""
    if len(body) > PARSED:
        return None
    try:
        message = json.loads(body.decode("utf-8", "replace"))
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def no_delay(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        pass  # reset in the meantime: the first read says so


def shut(sock: socket.socket) -> None:
    """Wakes whoever reads it."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
