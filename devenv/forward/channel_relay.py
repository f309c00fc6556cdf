"""Bytes between an accepted socket and a channel of the link (stream tier). One connection's end is its own."""

from __future__ import annotations

import asyncio
import socket

from devenv.errors import LinkError
from devenv.forward.relay import no_delay, reset
from devenv.link.port import Channel, Stream

_READ = 256 << 10


async def relay_channel(connection: socket.socket, channel: Channel) -> None:
    """Returns when both directions have ended; takes both over. Half-close and reset are passed on."""
    no_delay(connection)
    whole = False
    try:
        async with asyncio.TaskGroup() as group:
            upward = group.create_task(_upward(connection, channel))
            await _downward(connection, channel)
            upward.cancel()  # the service is gone: what the client still sends has no reader
        whole = not channel.result.get("errno")
    except* (OSError, LinkError):
        pass  # a reset, or a lost link: this connection only
    finally:
        await channel.close()
        if whole:
            connection.close()
        else:
            reset(connection)


async def _upward(connection: socket.socket, channel: Channel) -> None:
    """What the client sends. A client that goes on after the service has closed is not an error."""
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(connection, _READ):
        try:
            await channel.send(data)
        except BrokenPipeError:
            return  # what the service sent before it closed is still on its way down
    await channel.send_eof(Stream.IN)


async def _downward(connection: socket.socket, channel: Channel) -> None:
    loop = asyncio.get_running_loop()
    while (received := await channel.recv()) is not None:
        stream, data = received
        if stream != Stream.OUT:
            continue
        if data:
            await loop.sock_sendall(connection, data)
        else:
            connection.shutdown(socket.SHUT_WR)
