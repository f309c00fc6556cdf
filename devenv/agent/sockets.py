"""Connections to what listens in the container: as a channel, or handed to the host as a descriptor.

A failure of one connection is told on that connection only.
"""

import errno
import os
import socket
import struct

from . import frames, jsontext
from .channels import Channel, Inlet, window
from .source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from .loop import Loop
    from .peer import Peer

TIMEOUT = 10.0  # seconds for one connection
_CHUNK = 1 << 17
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class ConnectError(Exception):
    def __init__(self, code: str, message: str, number: int) -> None:
        Exception.__init__(self, message)
        self.code = code
        self.number = number


def _error(number: int, where: str) -> ConnectError:
    codes = {errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "timeout"}
    return ConnectError(codes.get(number, "unreachable"), "%s: %s" % (where, os.strerror(number)), number)


class Dialer:
    """Connects to the first address that answers. Exactly one of `done` and `failed` is called, once."""

    def __init__(
        self,
        loop: "Loop",
        host: str,
        port: int,
        done: "Callable[[socket.socket], None]",
        failed: "Callable[[ConnectError], None]",
        timeout: float = TIMEOUT,
    ) -> None:
        self.loop = loop
        self._where = "%s:%d" % (host, port)
        self._port = port
        self._done = done
        self._failed = failed
        self._sock: "socket.socket | None" = None
        self._number = errno.EHOSTUNREACH
        self._addresses: "list[tuple[int, str]]" = []
        self._resolving = -1
        self._timer = loop.call_later(timeout, self._too_long)
        family = _literal(host)
        if host == "localhost":
            self._addresses = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
        elif family:
            self._addresses = [(family, host)]
        else:
            self._resolve(host)
            return
        self._next()

    def _resolve(self, host: str) -> None:
        # The resolver blocks, so a child asks it: one name must not stop every channel.
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                found = socket.getaddrinfo(host, None, 0, socket.SOCK_STREAM)
                text = jsontext.dumps([[int(item[0]), item[4][0]] for item in found])
                os.write(write, text.encode("ascii")[:4096])
            except BaseException:  # any failure means: no address
                pass
            os._exit(0)
        os.close(write)
        self._resolving = read
        self.loop.add_reader(read, self._resolved)

    def _resolved(self) -> None:
        data = os.read(self._resolving, 4096)
        self._stop_resolving()
        try:
            self._addresses = [(int(family), str(address)) for family, address in jsontext.loads(data.decode("ascii"))]
        except ValueError:
            pass
        self._next()

    def _stop_resolving(self) -> None:
        if self._resolving >= 0:
            self.loop.forget(self._resolving)
            os.close(self._resolving)
            self._resolving = -1

    def _next(self) -> None:
        while self._addresses:
            family, address = self._addresses.pop(0)
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
            except OSError as error:
                self._number = error.errno or self._number
                continue
            sock.setblocking(False)
            number = sock.connect_ex((address, self._port))
            if number == 0:
                self._finish(sock)
                return
            if number == errno.EINPROGRESS:
                self._sock = sock
                self.loop.add_writer(sock.fileno(), self._writable)
                return
            sock.close()
            self._number = number
        self._timer.cancel()
        self._failed(_error(self._number, self._where))

    def _writable(self) -> None:
        sock = self._sock
        if sock is None:
            return
        self.loop.forget(sock.fileno())
        self._sock = None
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number == 0:
            self._finish(sock)
            return
        sock.close()
        self._number = number
        self._next()

    def _finish(self, sock: socket.socket) -> None:
        self._timer.cancel()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            pass  # reset in the meantime: the first read will say so
        self._done(sock)

    def _too_long(self) -> None:
        self.cancel()
        self._failed(_error(errno.ETIMEDOUT, self._where))

    def cancel(self) -> None:
        self._timer.cancel()
        self._stop_resolving()
        if self._sock is not None:
            self.loop.forget(self._sock.fileno())
            self._sock.close()
            self._sock = None


def _literal(host: str) -> int:
    """The family of an address written as numbers, or 0."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return int(family)
    return 0


class SocketChannel(Channel):
    """A connection whose bytes pass through the agent. CLOSE says `{}` or `{"errno": n}`."""

    def __init__(self, loop: "Loop", peer: "Peer", id: int, sock: socket.socket) -> None:
        Channel.__init__(self, peer, id)
        self._sock = sock
        self._sent_all = False
        # Read and written through two descriptors, so that each has one owner.
        self._inlet = Inlet(loop, os.dup(sock.fileno()), window(peer, id), self._no_more)
        self._source = Source(loop, self, os.dup(sock.fileno()), frames.OUT, self._read_ended, _CHUNK, False)

    def resume(self) -> None:
        self._source.resume()

    def received(self, stream: int, data: bytes) -> None:
        if stream != frames.IN:
            raise frames.ProtocolError("a connection takes stream 0 only")
        self._inlet.put(data)

    def received_eof(self, stream: int) -> None:
        self._inlet.put_eof()

    def _no_more(self) -> None:
        self._sent_all = True
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        if not self._source.open:
            self._end(0)

    def _read_ended(self, number: int) -> None:
        if number or self._sent_all or self._inlet.broken:
            self._end(number)

    def _end(self, number: int) -> None:
        self._inlet.close()
        self._source.close()
        self._sock.close()
        self.finish({"errno": number} if number else {})

    def closed(self) -> None:
        Channel.closed(self)
        if not self._sent_all or self._source.open:
            try:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            except OSError:
                pass
        self._inlet.close()
        self._source.close()
        self._sock.close()


def check_target(params: "dict[str, Any]") -> "tuple[str, int]":
    host = params.get("host", "127.0.0.1")
    port = params.get("port")
    if not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError("no such port: %r" % (port,))
    if not isinstance(host, str) or not host or "\0" in host:
        raise ValueError("no such host: %r" % (host,))
    return host, port
