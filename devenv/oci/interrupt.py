"""Ends from outside what threads do on the network. The one way in which a blocked call is cancelled.

A thread that reads or writes wakes at once, because its socket is shut down. One that still resolves a name or
connects cannot be reached; it ends by its own time limit, and whoever waited for it has long gone on.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref


class Interrupted(Exception):
    """Raised in the thread that was told to end. Never shown to a person."""


class Interrupt:
    """Set once and for good. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def watch(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.add(sock)
        if self._event.is_set():
            self.set()

    def set(self) -> None:
        self._event.set()
        with self._lock:
            watched = list(self._sockets)
        for sock in watched:
            with contextlib.suppress(OSError):  # closed in the meantime
                # Not SSLSocket's own: it forgets the session that the other thread is reading from.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def is_set(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        if self._event.is_set():
            raise Interrupted

    def pause(self, seconds: float) -> None:
        """Between two attempts; ends early when told to."""
        if self._event.wait(seconds):
            raise Interrupted
