"""One channel of the link: a process, an attachment or a connection inside the container.

Credit flows both ways: a side that does not read stops the other side's sender of this channel and of no other.
The host's window grows by itself on links with a long round trip. One reader and any number of senders per channel.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from devenv.errors import LinkError
from devenv.link.codec import INITIAL_CREDIT, WINDOW, Kind, ProtocolViolation, data_header, encode
from devenv.link.port import Stream, WindowSize

if TYPE_CHECKING:
    from devenv.link.multiplex import Multiplex

MAX_WINDOW = 16 << 20
_QUANTUM = 256 << 10  # most bytes of one DATA frame: what a channel may put before its neighbours' turn


class AgentChannel:
    """Implements `devenv.link.port.Channel`. Made by `Multiplex.open_channel` only."""

    def __init__(self, multiplex: Multiplex, number: int) -> None:
        self.number = number
        self.opened: Mapping[str, Any] = {}  # what the far side said when it opened, e.g. {"start": n, "gap": [a, b]}
        self._multiplex = multiplex
        self._queue: deque[tuple[int, bytes]] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._sink: Callable[[int, bytes], bool] | None = None
        self._result: Mapping[str, Any] = {}
        self._error: LinkError | None = None
        self._ended = False  # the far side has closed, or the link is lost
        self._closed = False  # our side gave it up
        self._credit = INITIAL_CREDIT  # that we may still send
        self._senders: deque[asyncio.Future[None]] = deque()
        self._window = INITIAL_CREDIT  # of the far side, as large as it is now
        self._allowance = INITIAL_CREDIT  # that the far side may still send
        self._ungranted = 0  # consumed and not yet granted again
        self._granted_at = multiplex.now()

    # --- the user's side

    async def recv(self) -> tuple[int, bytes] | None:
        while not self._queue:
            if self._ended or self._closed:
                if self._error is not None:
                    raise self._error
                return None
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        stream, data = self._queue.popleft()
        self.consumed(len(data))
        return stream, data

    async def send(self, data: bytes, stream: int = Stream.IN) -> None:
        """Waits for credit. Raises BrokenPipeError when the channel has ended."""
        if len(data) <= _QUANTUM and self._credit >= len(data) and not self._senders:
            self._require_open()
            self._put(data, stream)
            await self._multiplex.transport.drain()
            return
        view = memoryview(data)
        position = 0
        while position < len(view):
            while self._credit <= 0 and not self._ended and not self._closed:
                waiter = asyncio.get_running_loop().create_future()
                self._senders.append(waiter)
                try:
                    await waiter
                finally:
                    if waiter in self._senders:
                        self._senders.remove(waiter)
            self._require_open()
            piece = view[position : position + min(_QUANTUM, self._credit)]
            position += len(piece)
            self._put(piece, stream)
            await self._multiplex.transport.drain()

    def try_send(self, data: bytes, stream: int = Stream.IN) -> bool:
        """Sends all of `data` now, or nothing when there is no credit for it or the link is congested."""
        if self._ended or self._closed or self._credit < len(data) or self._senders or self._multiplex.congested:
            return False
        self._put(data, stream)
        return True

    async def send_eof(self, stream: int = Stream.IN) -> None:
        if not self._ended and not self._closed:
            self._multiplex.transport.write(encode(Kind.EOF, self.number, bytes((stream,))))

    async def signal(self, number: int) -> None:
        await self._multiplex.request("signal", channel=self.number, signal=int(number))

    async def resize(self, size: WindowSize) -> None:
        await self._multiplex.request("resize", channel=self.number, rows=size.rows, columns=size.columns)

    async def close(self) -> None:
        self.abandon()

    def abandon(self) -> None:
        """`close` for callers that cannot wait."""
        if self._closed:
            return
        self._closed = True
        self._sink = None
        self._queue.clear()
        if not self._ended:
            self._multiplex.transport.write(encode(Kind.CLOSE, self.number, b"{}"))
        self._multiplex.return_window(self._window - INITIAL_CREDIT)
        self._wake()

    @property
    def result(self) -> Mapping[str, Any]:
        return self._result

    @property
    def ended(self) -> bool:
        return self._ended or self._closed

    def set_sink(self, sink: Callable[[int, bytes], bool] | None) -> None:
        """Bytes go straight to `sink(stream, data)` instead of `recv`, without a task between (a relay's hot path).

        The sink says whether it has consumed the data; if not it calls `consumed(len(data))` when it has. The end
        of a stream is `b""`; the end of the channel is stream -1. What has already arrived is delivered at once.
        """
        self._sink = sink
        while sink is not None and self._queue:
            stream, data = self._queue.popleft()
            if sink(stream, data):
                self.consumed(len(data))
        if sink is not None and self._ended:
            sink(-1, b"")

    def consumed(self, size: int) -> None:
        """Gives the far side credit for bytes that have left our memory, in steps of a quarter of the window."""
        self._ungranted += size
        if self._ungranted * 4 < self._window or self._ended:
            return
        now = self._multiplex.now()
        grant = self._ungranted
        if not self._queue and now - self._granted_at < 2 * self._multiplex.round_trip:
            # A quarter was used up within two round trips: the window, not our reader, is what holds the sender.
            more = self._multiplex.take_window(min(self._window, MAX_WINDOW - self._window))
            self._window += more
            grant += more
        self._granted_at = now
        self._ungranted = 0
        self._allowance += grant
        self._multiplex.transport.write(encode(Kind.WINDOW, self.number, WINDOW.pack(grant)), urgent=True)

    # --- the multiplexer's side

    def on_data(self, stream: int, data: bytes) -> None:
        self._allowance -= len(data)
        if self._allowance < 0:
            raise ProtocolViolation(f"channel {self.number} sent more than its credit")
        if self._closed:
            self.consumed(len(data))
        elif self._sink is not None:
            if self._sink(stream, data):
                self.consumed(len(data))
        elif data:
            self._queue.append((stream, data))
            self._wake_reader()

    def on_eof(self, stream: int) -> None:
        if self._sink is not None:
            self._sink(stream, b"")
        elif not self._closed:
            self._queue.append((stream, b""))
            self._wake_reader()

    def on_close(self, result: Mapping[str, Any], error: LinkError | None = None) -> None:
        if self._ended:
            return
        self._result = result
        self._error = error
        self._ended = True
        if not self._closed:
            self._multiplex.return_window(self._window - INITIAL_CREDIT)
        if self._sink is not None:
            self._sink(-1, b"")
        self._wake()

    def on_window(self, credit: int) -> None:
        self._credit += credit
        while self._senders and self._credit > 0:
            waiter = self._senders.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break

    def _put(self, data: bytes | memoryview, stream: int) -> None:
        size = len(data)
        self._credit -= size
        if size:
            self._multiplex.transport.write(data_header(self.number, stream, size), data)
        if self._credit > 0 and self._senders:
            self.on_window(0)

    def _require_open(self) -> None:
        if self._error is not None:
            raise self._error
        if self._ended or self._closed:
            raise BrokenPipeError("the channel has ended")

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _wake(self) -> None:
        self._wake_reader()
        while self._senders:
            waiter = self._senders.popleft()
            if not waiter.done():
                waiter.set_result(None)
