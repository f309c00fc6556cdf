"""A unix socket in front of another one: what goes through is counted, and can be cut off in the middle."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

_PIECE = 256 << 10


class CountingRelay:
    """Made by `counting_relay`. `path` is where to connect instead."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.sent = 0  # bytes to the target, of all connections
        self._target = target
        self._limit: int | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)

    def cut_after(self, size: int | None) -> None:
        """All connections end once `size` more bytes were sent; new ones find nobody. None: never."""
        with self._lock:
            self._limit = self.sent + size if size is not None else None

    def serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            there = socket.socket(socket.AF_UNIX)
            with self._lock:
                self._open |= {client, there}
                cut = self._limit is not None and self.sent >= self._limit
            if cut:
                self._end()
                continue
            try:
                there.connect(str(self._target))
            except OSError:
                client.close()
                continue
            for pump in ((client, there, True), (there, client, False)):
                thread = threading.Thread(target=self._pump, args=pump, name="counting relay")
                thread.start()
                self._threads.append(thread)

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(_PIECE):
                if counted:
                    with self._lock:
                        self.sent += len(data)
                        cut = self._limit is not None and self.sent >= self._limit
                    if cut:
                        self._end()
                        return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)  # each direction ends by itself: a build's session needs that
        except OSError:
            pass  # one of the two ends is gone

    def _end(self) -> None:
        with self._lock:
            ends, self._open = self._open, set()
        for one in ends:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._end()
        for thread in self._threads:
            thread.join(10)


@contextlib.contextmanager
def counting_relay(path: Path, target: Path) -> Iterator[CountingRelay]:
    relay = CountingRelay(path, target)
    server = threading.Thread(target=relay.serve, name="counting relay")
    server.start()
    try:
        yield relay
    finally:
        relay.close()
        server.join(10)
