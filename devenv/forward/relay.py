"""Bytes between two connected sockets: one thread for all connections, so that bulk data never delays the loop.

Half-close goes both ways; a reset is passed on as a reset. Memory per connection and direction is bounded by one read.
Nothing here knows what a forward is.
"""

from __future__ import annotations

import collections
import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable

READ = 1 << 20  # bytes
_RESET = struct.pack("ii", 1, 0)


def reset(connection: socket.socket) -> None:
    """Closes so that the peer sees RST, not the end of data."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


def no_delay(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _End:
    """One of the two sockets of a pair. `waiting` is what its peer sent and it did not take yet."""

    __slots__ = ("ended", "events", "other", "pair", "sock", "waiting")

    other: _End

    def __init__(self, sock: socket.socket, pair: _Pair) -> None:
        self.sock = sock
        self.pair = pair
        self.waiting: memoryview | None = None
        self.ended = False  # it will send nothing more
        self.events = 0


class _Pair:
    __slots__ = ("first", "on_end", "second")

    def __init__(self, first: socket.socket, second: socket.socket, on_end: Callable[[], None]) -> None:
        self.first = _End(first, self)
        self.second = _End(second, self)
        self.first.other, self.second.other = self.second, self.first
        self.on_end = on_end


class RelayThread:
    """Thread-safe. `on_end` of a pair is called in the relay's thread, once, after both sockets are closed."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector.register(self._wake_out, selectors.EVENT_READ, None)
        self._arriving: collections.deque[_Pair] = collections.deque()
        self._pairs: set[_Pair] = set()
        self._buffer = memoryview(bytearray(READ))
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, first: socket.socket, second: socket.socket, on_end: Callable[[], None]) -> None:
        """Takes both sockets over."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="forward relay", daemon=True)
            self._thread.start()
        no_delay(first)
        no_delay(second)
        self._arriving.append(_Pair(first, second, on_end))
        self._wake()

    def close(self) -> None:
        """Resets every connection and ends the thread. Idempotent."""
        if self._stopping:
            return
        self._stopping = True
        if self._thread is not None:
            self._wake()
            self._thread.join()
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_in.send(b"\0")

    def _run(self) -> None:
        while not self._stopping:
            for key, mask in self._selector.select():
                end = key.data
                if end is None:
                    self._welcome()
                    continue
                if mask & selectors.EVENT_WRITE and end.events & selectors.EVENT_WRITE:
                    self._flush(end)
                if mask & selectors.EVENT_READ and end.events & selectors.EVENT_READ:
                    self._move(end)
        while self._arriving:
            self._pairs.add(self._arriving.popleft())
        for pair in list(self._pairs):
            self._finish(pair, broken=True)

    def _welcome(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_out.recv(4096)
        while self._arriving:
            pair = self._arriving.popleft()
            self._pairs.add(pair)
            try:
                self._watch(pair.first, selectors.EVENT_READ)
                self._watch(pair.second, selectors.EVENT_READ)
            except (OSError, ValueError):
                self._finish(pair, broken=True)

    def _move(self, end: _End) -> None:
        """Reads what `end` sent and gives it to the other one, at most one buffer per turn."""
        other = end.other
        try:
            size = end.sock.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._finish(end.pair, broken=True)
            return
        if not size:
            end.ended = True
            self._watch(end, end.events & ~selectors.EVENT_READ)
            self._ended(other)
            return
        try:
            sent = other.sock.send(self._buffer[:size])
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._finish(end.pair, broken=True)
            return
        if sent < size:
            other.waiting = memoryview(bytes(self._buffer[sent:size]))
            self._watch(end, end.events & ~selectors.EVENT_READ)
            self._watch(other, other.events | selectors.EVENT_WRITE)

    def _flush(self, end: _End) -> None:
        assert end.waiting is not None
        try:
            sent = end.sock.send(end.waiting)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._finish(end.pair, broken=True)
            return
        if sent < len(end.waiting):
            end.waiting = end.waiting[sent:]
            return
        end.waiting = None
        self._watch(end, end.events & ~selectors.EVENT_WRITE)
        if end.other.ended:
            self._ended(end)
        else:
            self._watch(end.other, end.other.events | selectors.EVENT_READ)

    def _ended(self, end: _End) -> None:
        """The other one sends nothing more: `end` is told, once it has taken all."""
        if end.waiting is not None:
            return
        if end.ended and end.other.waiting is None:
            self._finish(end.pair, broken=False)
            return
        try:
            end.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._finish(end.pair, broken=True)

    def _watch(self, end: _End, events: int) -> None:
        if events == end.events:
            return
        if not end.events:
            self._selector.register(end.sock, events, end)
        elif not events:
            self._selector.unregister(end.sock)
        else:
            self._selector.modify(end.sock, events, end)
        end.events = events

    def _finish(self, pair: _Pair, *, broken: bool) -> None:
        if pair not in self._pairs:
            return
        self._pairs.discard(pair)
        for end in (pair.first, pair.second):
            if end.events:
                self._selector.unregister(end.sock)
                end.events = 0
            if broken:
                reset(end.sock)
            else:
                end.sock.close()
        pair.on_end()
