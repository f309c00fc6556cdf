"""The stream tier: frames over the stdin and stdout of one engine exec. Works wherever the engine works.

Writes of one loop turn leave together. The exec's stderr is kept (its end only) to explain an agent that died.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from devenv.engine.port import ExecStream
from devenv.errors import DevenvError
from devenv.link.transport import HIGH_WATER

_BATCH = 512 << 10  # bytes joined into one write
_STDERR_KEPT = 8 << 10


class StreamTransport:
    """Owns the exec stream from `start` on."""

    def __init__(self, stream: ExecStream) -> None:
        self._stream = stream
        self._bulk: deque[tuple[bytes | memoryview, ...]] = deque()
        self._urgent: deque[tuple[bytes | memoryview, ...]] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._on_lost: Callable[[str], None] | None = None
        self._lost = False
        self._closed = False
        self.stderr = b""
        self.received = 0  # bytes, both counts for tests and figures
        self.sent = 0

    def start(self, on_bytes: Callable[[bytes | memoryview], None], on_lost: Callable[[str], None]) -> None:
        self._on_lost = on_lost
        self._tasks = [
            asyncio.create_task(self._read(on_bytes), name="link stream reader"),
            asyncio.create_task(self._write(), name="link stream writer"),
        ]

    def write(self, *parts: bytes | memoryview, urgent: bool = False) -> None:
        if self._lost:
            return
        (self._urgent if urgent else self._bulk).append(parts)
        self._queued += sum(map(len, parts))
        if self._queued >= HIGH_WATER:
            self._drained.clear()
        self._wake.set()

    async def drain(self) -> None:
        await self._drained.wait()

    @property
    def congested(self) -> bool:
        return self._queued >= HIGH_WATER

    def take_descriptor(self) -> int | None:
        return None

    @property
    def descriptors(self) -> int:
        return 0

    def abort(self) -> None:
        self._lose(None)
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()

    async def close(self) -> None:
        self._lose(None)
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not self._closed:
            self._closed = True
            await self._stream.close()

    async def _read(self, on_bytes: Callable[[bytes | memoryview], None]) -> None:
        try:
            while (chunk := await self._stream.read()) is not None:
                number, data = chunk
                if number == 2:
                    self.stderr = (self.stderr + data)[-_STDERR_KEPT:]
                    continue
                self.received += len(data)
                on_bytes(data)
        except (OSError, DevenvError) as error:
            self._lose(f"the agent's stream broke: {error}")
        else:
            last = self.stderr.decode("utf-8", "replace").strip().splitlines()
            self._lose("the agent ended" + (f": {last[-1]}" if last else ""))

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                while batch := self._next_batch():
                    self.sent += len(batch)
                    await self._stream.write(batch)
                    self._queued -= len(batch)
                    if self._queued < HIGH_WATER:
                        self._drained.set()
                self._wake.clear()
        except (OSError, DevenvError) as error:
            self._lose(f"the agent's stream broke: {error}")

    def _next_batch(self) -> bytes:
        """Whole frames only, so that urgent ones may stand before bulk ones at any batch."""
        taken: list[bytes | memoryview] = []
        while self._urgent:
            taken.extend(self._urgent.popleft())
        size = 0
        while self._bulk and size < _BATCH:
            frame = self._bulk.popleft()
            taken.extend(frame)
            size += sum(map(len, frame))
        return b"".join(taken)

    def _lose(self, reason: str | None) -> None:
        if self._lost:
            return
        self._lost = True
        self._bulk.clear()
        self._urgent.clear()
        self._drained.set()
        if reason is not None and self._on_lost is not None:
            self._on_lost(reason)
