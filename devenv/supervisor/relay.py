"""Moves bytes between a client's terminal or pipes and a channel into the container.

Signals and window sizes overtake stdin that waits for credit. A client that is slow holds back only its own channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from devenv.link.port import Channel, Stream, WindowSize
from devenv.supervisor import connection as wire
from devenv.supervisor.connection import ClientGone, Connection

_KINDS = {Stream.OUT: wire.STDOUT, Stream.ERR: wire.STDERR, Stream.EVENTS: wire.EVENTS}


class ClientStream:
    """One streaming client. It may outlive a channel: after a lost link it is bound to the next one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel: Channel | None = None
        self._stdin: asyncio.Queue[bytes] = asyncio.Queue()
        self._arrived = asyncio.Event()
        self._eof_sent = False
        self.sent: dict[int, int] = {}  # bytes given to the client, by sub-stream

    async def run(self, channel: Channel) -> Mapping[str, Any]:
        """Until the channel ends (its result) or the client is gone (ClientGone; the channel is closed then)."""
        self._channel = channel
        try:
            async with asyncio.TaskGroup() as group:
                client = group.create_task(self._from_client())
                feed = group.create_task(self._feed(channel))
                await self._to_client(channel)
                client.cancel()
                feed.cancel()
        except BaseExceptionGroup as failed:
            gone, other = failed.split(ClientGone)
            await channel.close()
            if gone is not None and other is None:
                raise ClientGone from gone
            raise
        return channel.result

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
            channel = self._channel
            if channel is None:
                continue
            if kind == wire.STDIN:
                self._stdin.put_nowait(payload)
            elif kind == wire.STDIN_EOF:
                self._stdin.put_nowait(b"")
            elif kind == wire.SIGNAL and len(payload) == 1:
                await channel.signal(payload[0])
            elif kind == wire.RESIZE and len(payload) == 4:
                rows, columns = int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:], "big")
                await channel.resize(WindowSize(rows, columns))

    async def _feed(self, channel: Channel) -> None:
        if self._eof_sent:
            await channel.send_eof()
        while True:
            data = await self._stdin.get()
            if not data:
                self._eof_sent = True
                await channel.send_eof()
                continue
            await channel.send(data)
            self._connection.grant(len(data))
