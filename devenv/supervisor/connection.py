"""One client's connection: JSON lines first, binary frames after a switch. See devenv.api.messages.

A connection's failure means that its client is gone; it never harms another one.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import Any

from devenv.api.messages import encode_line

STDIN, STDIN_EOF, SIGNAL, RESIZE = 0, 1, 2, 3
STDOUT, STDERR, NOTE, END, WINDOW, EVENTS = 1, 2, 4, 5, 6, 7

_HEADER = struct.Struct(">BI")
_MAX_FRAME = 1 << 20


class ClientGone(Exception):
    """The client hung up."""


class Connection:
    """Lines may be sent from any task; `recv_frame` belongs to one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.streaming = False

    async def read_line(self) -> bytes:
        line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise ClientGone
        return line

    def send(self, message: dict[str, Any]) -> None:
        """A JSON line, or as a frame once the connection streams. Never blocks; progress is small."""
        if self._writer.is_closing():
            return
        if not self.streaming:
            self._writer.write(encode_line(message))
        elif message["t"] == "note":
            self.note(message["text"])

    def start_stream(self) -> None:
        self._writer.write(b'{"t":"stream"}\n')
        self.streaming = True

    def note(self, text: str) -> None:
        """A sentence on the client's stderr."""
        if self.streaming:
            self.frame(NOTE, text.encode("utf-8", "replace"))
        else:
            self.send({"t": "note", "text": text, "level": "info"})

    def frame(self, kind: int, payload: bytes) -> None:
        self._writer.write(_HEADER.pack(kind, len(payload)))
        self._writer.write(payload)

    def grant(self, count: int) -> None:
        """Lets the client send `count` more bytes of stdin."""
        self.frame(WINDOW, count.to_bytes(4, "big"))

    def end(self, result: dict[str, Any]) -> None:
        self.frame(END, encode_line(result))

    async def drain(self) -> None:
        try:
            await self._writer.drain()
        except (ConnectionError, RuntimeError) as error:
            raise ClientGone from error

    async def recv_frame(self) -> tuple[int, bytes]:
        """The client's next frame; ClientGone at its end."""
        try:
            kind, size = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
            if size > _MAX_FRAME:
                raise ClientGone(f"frame of {size} bytes")
            return kind, await self._reader.readexactly(size) if size else b""
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ClientGone from error

    async def wait_gone(self) -> None:
        """Returns when the client hangs up; for verbs that read nothing more from it."""
        try:
            while await self._reader.read(4096):
                pass
        except ConnectionError:
            pass

    def duplicate(self) -> socket.socket:
        """The same connection as a socket of the caller's, to send descriptors; nothing else may be sent meanwhile."""
        return socket.socket(fileno=os.dup(self._writer.get_extra_info("socket").fileno()))

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except (ConnectionError, RuntimeError):
            pass
