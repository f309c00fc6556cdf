"""The engine's socket where a server forwards none: each connection is a command of its own there.

`docker system dial-stdio` joins its pipes to the engine. It costs a process here and there for every connection, and
a server gives few sessions to one connection (MaxSessions, 10 as a rule): beyond them `ssh` logs in again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pathlib

from devenv.hosts.ssh import Master

log = logging.getLogger("devenv.hosts")

_CHUNK = 256 * 1024


class Dialler:
    """A listening socket at `path`; `command` joins its pipes to the engine. `close` ends what goes through it, too."""

    def __init__(self, master: Master, path: pathlib.Path, command: str) -> None:
        self._master = master
        self._path = path
        self._command = command
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._accept, self._path, limit=_CHUNK)
        finally:
            os.umask(before)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer), name="dial-stdio")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        process: asyncio.subprocess.Process | None = None
        try:
            process = await self._master.open(self._command)
            assert process.stdin is not None and process.stdout is not None and process.stderr is not None
            up = asyncio.create_task(_pump(reader, process.stdin))
            words = asyncio.create_task(process.stderr.read(4096))
            try:
                await _pump(process.stdout, writer)
            finally:
                up.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await up
                if words.done() and (said := words.result()):
                    log.warning("[host=%s] %s", self._master.to.shown, said.decode("utf-8", "replace").strip())
                words.cancel()
        except OSError as error:
            log.warning("[host=%s] no connection to the engine: %s", self._master.to.shown, error)
        finally:
            if process is not None and process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            writer.close()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """To the end, which is passed on where it can be."""
    try:
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()
