"""How long one question to an engine takes, over a connection that is there already."""

from __future__ import annotations

import asyncio
import pathlib
import time

_ASK = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nUser-Agent: devenv\r\n\r\n"
_MOST = 64 * 1024


async def round_trip(path: pathlib.Path, limit: float) -> float:
    """Seconds. The first question opens the way, the second is timed. Raises `OSError` and `TimeoutError`."""
    async with asyncio.timeout(limit):
        reader, writer = await asyncio.open_unix_connection(path, limit=_MOST)
        try:
            await _ask(reader, writer)
            began = time.monotonic()
            await _ask(reader, writer)
            return time.monotonic() - began
        finally:
            writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_ASK)
    await writer.drain()
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        if not head.startswith("http/1.") or " 200 " not in head.partition("\r\n")[0] + " ":
            raise ConnectionError("what answers is no engine")
        fields = dict(line.partition(":")[::2] for line in head.split("\r\n")[1:] if line)
        length = fields.get("content-length", "0").strip()
        if "chunked" in fields.get("transfer-encoding", ""):
            await reader.readuntil(b"0\r\n\r\n")
        elif length.isdigit() and int(length) <= _MOST:
            await reader.readexactly(int(length))
        else:
            raise ConnectionError("what answers is no engine")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise ConnectionResetError("the engine hung up") from error
