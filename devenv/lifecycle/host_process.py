"""A command of the repository on this machine itself. It leads a session, so that all of it can be ended.

What it leaves behind on purpose (`agent &`) holds its output open: as an engine does for a command in a container, that
is listened to for a moment more and then left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence

_GRACE = 5.0  # seconds between TERM and KILL
_LINGER = 2.0  # seconds for output that comes after the command's own end


async def run(
    argv: Sequence[str], *, folder: str, env: Mapping[str, str], umask: int, take: Callable[[bytes, str], None]
) -> int:
    """The exit code (negative: signal). `take` gets output with the stream's name. Raises OSError if it cannot begin.

    Cancelled: it and what it started are ended before this returns.
    """
    watch = _Watch(take)
    transport, _ = await asyncio.get_running_loop().subprocess_exec(
        lambda: watch,
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env=dict(env),
        umask=umask,
        start_new_session=True,
    )
    try:
        await watch.exited.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(watch.quiet.wait(), _LINGER)
        return transport.get_returncode() or 0
    except BaseException:
        await _end(transport.get_pid(), watch)
        raise
    finally:
        transport.close()


async def _end(pid: int, watch: _Watch) -> None:
    """TERM to the whole group; KILL for what is still there after the grace."""
    _signal(pid, signal.SIGTERM)
    # A time limit inside a cancelled task is what Python 3.11.2 takes for the outer cancellation: so this way.
    ended = asyncio.ensure_future(watch.ended())
    await asyncio.wait({ended}, timeout=_GRACE)
    if not ended.done():
        _signal(pid, signal.SIGKILL)
        ended.cancel()
    await watch.exited.wait()


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


class _Watch(asyncio.SubprocessProtocol):
    """`exited`: the command itself; `quiet`: nobody holds its output open any more."""

    def __init__(self, take: Callable[[bytes, str], None]) -> None:
        self.exited, self.quiet = asyncio.Event(), asyncio.Event()
        self._take = take
        self._open = {1, 2}

    async def ended(self) -> None:
        await self.exited.wait()
        await self.quiet.wait()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._take(data, "stderr" if fd == 2 else "stdout")

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open:
            self.quiet.set()

    def process_exited(self) -> None:
        self.exited.set()
