"""The exit code of an exec whose streams have ended. The engine books it a moment after it closes them."""

from __future__ import annotations

import asyncio

from devenv.engine.port import ExecStream


async def exit_of(stream: ExecStream, *, patience: float = 5.0) -> int:
    """-1 when it does not come within `patience` seconds: a child of the process still holds the exec.

    No event tells this connection, so the engine is asked again, in growing steps.
    """
    loop = asyncio.get_running_loop()
    deadline, delay = loop.time() + patience, 0.002
    while (code := await stream.exit_code()) is None:
        if loop.time() > deadline:
            return -1
        await asyncio.sleep(delay)
        delay = min(0.25, delay * 2)
    return code
