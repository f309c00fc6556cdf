"""Moves bytes between a client's terminal or pipes and a channel into the container.

Signals and window sizes overtake stdin that waits for credit. A client that is slow holds back only its own channel.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Self

from devenv.api.context import ClientContext
from devenv.errors import DevenvError, LinkError, NotFound
from devenv.link.answers import AgentRefusal
from devenv.link.port import Channel, Stream, WindowSize
from devenv.supervisor import connection as wire
from devenv.supervisor.connection import ClientGone, Connection

_KINDS = {Stream.OUT: wire.STDOUT, Stream.ERR: wire.STDERR, Stream.EVENTS: wire.EVENTS}


class ClientStream:
    """One streaming client. It may outlive a channel: after a lost link it is bound to the next one. Use with
    `async with`: from then on the client is read, without a pause between two channels."""

    def __init__(self, connection: Connection, ctx: ClientContext) -> None:
        self._connection = connection
        self._channel: Channel | None = None
        self._stdin: deque[bytes] = deque()  # b"" is the end
        self._arrived = asyncio.Event()
        self._signals: list[int] = []  # for the next channel: there was none when they came
        self._reading: asyncio.Task[None] | None = None
        self.size = WindowSize(ctx.rows, ctx.columns) if ctx.rows and ctx.columns else None
        self.sent: dict[int, int] = {}  # bytes given to the client, by sub-stream

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._from_client())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def run(self, channel: Channel) -> Mapping[str, Any]:
        """Until the channel ends (its result), the link is lost (LinkError) or the client is gone (ClientGone; the
        channel is closed then)."""
        assert self._reading is not None
        self._channel = channel
        output = asyncio.create_task(self._to_client(channel))
        feed = asyncio.create_task(self._feed(channel))
        try:
            await asyncio.wait({output, self._reading}, return_when=asyncio.FIRST_COMPLETED)
            if output.done():
                output.result()
                return channel.result
            self._reading.result()
            raise ClientGone
        finally:
            self._channel = None
            output.cancel()
            feed.cancel()
            await asyncio.gather(output, feed, return_exceptions=True)
            await channel.close()

    async def pause(self, seconds: float) -> None:
        """Waits between two attempts to reach the container; ClientGone when nobody waits any more."""
        assert self._reading is not None
        await asyncio.wait({self._reading}, timeout=seconds)
        if self._reading.done():
            raise ClientGone

    async def _to_client(self, channel: Channel) -> None:
        while (item := await channel.recv()) is not None:
            stream, data = item
            kind = _KINDS.get(Stream(stream))
            if not data or kind is None:
                continue
            self.sent[stream] = self.sent.get(stream, 0) + len(data)
            self._connection.frame(kind, data)
            await self._connection.drain()

    async def _from_client(self) -> None:
        while True:
            kind, payload = await self._connection.recv_frame()
            if kind in (wire.STDIN, wire.STDIN_EOF):
                self._stdin.append(payload if kind == wire.STDIN else b"")
                self._arrived.set()
            elif kind == wire.SIGNAL and len(payload) == 1:
                await self._signal(payload[0])
            elif kind == wire.RESIZE and len(payload) == 4:
                self.size = WindowSize(int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:], "big"))
                await self._resize()

    async def _signal(self, number: int) -> None:
        if self._channel is None:
            self._signals.append(number)
            return
        try:
            await self._channel.signal(number)
        except (AgentRefusal, NotFound):
            pass  # the program has just ended
        except LinkError:
            self._signals.append(number)

    async def _resize(self) -> None:
        try:
            if self._channel is not None and self.size is not None:
                await self._channel.resize(self.size)
        except DevenvError:
            pass  # the next channel starts with this size; a program that has ended needs none

    async def _feed(self, channel: Channel) -> None:
        """A piece leaves the queue when the channel has taken it, so that a lost link loses no input here."""
        signals, self._signals = self._signals, []
        for number in signals:
            await self._signal(number)
        try:
            while True:
                while not self._stdin:
                    self._arrived.clear()
                    await self._arrived.wait()
                data = self._stdin[0]
                if not data:
                    await channel.send_eof()
                    return  # the end stays in the queue, for the next channel
                await channel.send(data)
                self._stdin.popleft()
                self._connection.grant(len(data))
        except (BrokenPipeError, LinkError):
            pass  # the program or the link has ended: the output tells which
