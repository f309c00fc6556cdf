"""Reading where a debug adapter listens from the file that it writes when it is ready.

The file is written by the container, so only a port number is taken from it, and nothing is opened by its contents.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from devenv.delivery.inspect import collect
from devenv.errors import DevenvError

if TYPE_CHECKING:
    from devenv.link.port import Link

POLL_FIRST = 0.01  # seconds between looks at the file; the agent answers in well under a millisecond
POLL_MOST = 0.1


def parse_endpoints(data: bytes) -> int | None:
    """The client port, or None while the file is incomplete."""
    try:
        said = json.loads(data)
        port = said["client"]["port"]
    except (ValueError, KeyError, TypeError):
        return None
    return port if isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536 else None


async def read_endpoints(link: Link, path: str) -> int | None:
    """The adapter's port if its file is there and complete, else None."""
    said = await read_file(link, path)
    return None if said is None else parse_endpoints(said)


async def read_file(link: Link, path: str, most: int = 4096) -> bytes | None:
    """The first `most` bytes of a file in the container; None when it is not there."""
    found: Mapping[str, Any] = await link.request("stat", paths=[path])
    if not found.get(path):
        return None
    channel = await link.spawn(["cat", path], env={"PATH": "/usr/local/bin:/usr/bin:/bin"}, cwd="/")
    try:
        await channel.send_eof()
        out, _, _ = await collect(channel, most)
    finally:
        await channel.close()
    return out


async def await_endpoints(link: Link, path: str, ended: asyncio.Event) -> int | None:
    """The adapter's port as soon as it is known; None when the run ended first. Cancel it to give up."""
    pause = POLL_FIRST
    while True:
        over = ended.is_set()
        port = await read_endpoints(link, path)
        if port is not None or over:
            return port
        try:
            async with asyncio.timeout(pause):
                await ended.wait()
        except TimeoutError:
            pause = min(POLL_MOST, pause * 1.5)


async def last_output(link: Link, run: str, lines: int = 12, most_bytes: int = 8192) -> str:
    """The last lines that a run printed, for an error message; "" when they cannot be had."""
    import base64

    try:
        chunk = await link.request("runs.read", run=run, tail_bytes=most_bytes)
        text = base64.b64decode(chunk["data"]).decode("utf-8", "replace")
    except (DevenvError, KeyError, TypeError, ValueError):
        return ""  # the message is complete without them
    return "\n".join(text.strip().splitlines()[-lines:])
