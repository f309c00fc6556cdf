"""Contents that travel while the first look is still being taken: an empty side will want them all, and each file is
then read once."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable

from devenv.sync.side import pack

_WAITING = 4 << 20  # bytes that nobody has taken yet
_TOGETHER = 96 << 10  # bytes: what is larger gets new pages from the kernel each time


class Ahead:
    """A stream of `side.pack` between the thread that scans and the loop. Whoever says something waits while too much
    is not taken. After `close` nothing is kept and nobody waits."""

    def __init__(self, goes: Callable[[str], bool]) -> None:
        self.said: set[bytes] = set()
        """Digests of what is in the stream."""
        self._goes = goes
        self._loop = asyncio.get_running_loop()
        self._moved = asyncio.Event()
        self._room = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._parts = [pack.beginning(0)]
        self._size = 0
        self._ended = self._closed = False

    def say(self, path: str, digest: bytes, data: bytes) -> None:
        """From the scan's thread, of a file that stood still while it was read."""
        if self._closed or digest in self.said or not self._goes(path):
            return
        self.said.add(digest)
        self._parts += pack.whole(digest, data)
        self._size += len(data)
        if self._size < _TOGETHER:
            return
        with self._room:
            while self._waiting >= _WAITING and not self._closed:
                self._room.wait()
            self._hand_on()
        self._loop.call_soon_threadsafe(self._moved.set)

    def end(self) -> None:
        """Nothing more is said."""
        self._parts.append(pack.ENDING)
        with self._room:
            self._hand_on()
            self._ended = True
        self._moved.set()

    def close(self) -> None:
        """Nobody takes any more of it."""
        with self._room:
            self._closed = True
            self._pieces.clear()
            self._room.notify_all()
        self._moved.set()

    def _hand_on(self) -> None:
        if not self._closed:
            self._pieces.append(b"".join(self._parts))
            self._waiting += len(self._pieces[-1])
        self._parts.clear()
        self._size = 0

    async def stream(self) -> AsyncIterator[bytes]:
        try:
            while not self._closed:
                self._moved.clear()
                with self._room:
                    data = self._pieces.popleft() if self._pieces else b""
                    self._waiting -= len(data)
                    self._room.notify_all()
                    ended = self._ended
                if data:
                    yield data
                elif ended:
                    return
                else:
                    await self._moved.wait()
        finally:
            self.close()
