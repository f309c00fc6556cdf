"""The way back: a port of the container's loopback whose connections the host takes over, one by one.

The host asks for each port by name; nothing in the container can open one. A connection that nobody takes is reset.
"""

import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .loop import Loop, Timer
    from .peer import Peer

WAIT = 10.0  # seconds until a connection that the host does not take is given up
MOST = 64  # connections that wait to be taken; further ones stay in the kernel's queue
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Reverse:
    """All reverse ports of one conversation with the host; they end with it."""

    def __init__(self, loop: "Loop", peer: "Peer") -> None:
        self._loop = loop
        self._peer = peer
        self._listeners: "dict[int, socket.socket]" = {}
        self._waiting: "dict[int, tuple[socket.socket, Timer]]" = {}
        self._last = 0

    @property
    def inodes(self) -> "set[int]":
        """Of our own listening sockets: the host must not forward what leads to itself."""
        return {os.fstat(sock.fileno()).st_ino for sock in self._listeners.values()}

    def listen(self, port: int) -> None:
        """Again with the same port changes nothing. OSError when it is taken."""
        if not 0 < port < 65536:
            raise ValueError("no such port: %r" % (port,))
        if port in self._listeners:
            return
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            sock.listen(128)
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
        self._listeners[port] = sock
        self._loop.add_reader(sock.fileno(), lambda: self._accept(port))

    def stop(self, port: int) -> None:
        sock = self._listeners.pop(port, None)
        if sock is not None:
            self._loop.forget(sock.fileno())
            sock.close()

    def take(self, connection: int) -> socket.socket:
        """The connection that an event told of, now the caller's. KeyError when it was given up."""
        sock, timer = self._waiting.pop(connection)
        timer.cancel()
        self._set_reading()
        return sock

    def _accept(self, port: int) -> None:
        listener = self._listeners[port]
        try:
            sock, _ = listener.accept()
        except OSError:
            return  # it went away again, or there is no descriptor left: asked again at the next turn
        sock.setblocking(False)
        self._last += 1
        number = self._last
        self._waiting[number] = (sock, self._loop.call_later(WAIT, lambda: self._give_up(number)))
        self._set_reading()
        self._peer.event({"event": "incoming", "port": port, "connection": number})

    def _give_up(self, number: int) -> None:
        sock, _ = self._waiting.pop(number)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.close()
        self._set_reading()

    def _set_reading(self) -> None:
        full = len(self._waiting) >= MOST
        for port, sock in self._listeners.items():
            if full:
                self._loop.remove_reader(sock.fileno())
            else:
                self._loop.add_reader(sock.fileno(), lambda port=port: self._accept(port))  # type: ignore[misc]
