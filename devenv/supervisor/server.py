"""The supervisor's socket: accepts clients, checks their messages, hands them to verbs.

No verb's meaning stands here, and no object of the product is built here (see wiring).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from devenv.api.context import ClientContext
from devenv.api.messages import PROTOCOL, Args, Request
from devenv.errors import DevenvError, InternalError, Refused, UsageError
from devenv.supervisor.connection import ClientGone, Connection
from devenv.version import VERSION, newer

log = logging.getLogger("devenv.supervisor")

_ANY_VERSION = ("supervisor", "hand-over")  # verbs for clients of every version
_TURNS = 8  # of the loop: more than asyncio takes from a readable listener to a client's task

Handler = Callable[[Any, ClientContext, Connection], Awaitable[Any]]
"""(typed arguments, client, connection) -> result; None when the handler has ended the connection itself."""


Place = Callable[[str, Args, ClientContext], ClientContext]
"""(verb, arguments, client) -> the client, with what is remembered for its project."""


class Server:
    """Serves one listening unix socket. `verbs`: name -> (argument type, handler)."""

    def __init__(
        self, verbs: dict[str, tuple[type[Args], Handler]], place: Place = lambda verb, args, ctx: ctx
    ) -> None:
        self._verbs = verbs
        self._place = place
        self._request = msgspec.json.Decoder(Request)
        self._clients: dict[asyncio.Task[None], str] = {}  # with the verb
        self._listening: asyncio.Server | None = None
        self.stopping = asyncio.Event()

    async def serve(self, listener: socket.socket) -> None:
        """Until `stopping` is set; then clients in the middle of something are cut off."""
        server = await asyncio.start_unix_server(self._accept, sock=listener, limit=16 << 20)
        self._listening = server
        async with server:
            await self.stopping.wait()
            server.close()
            for task in list(self._clients):
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def stop_listening(self) -> None:
        """Another process has the path now. Who had connected before is still served, and nobody is cut off."""
        assert self._listening is not None
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._listening.close()

    def cut(self, verb: str) -> None:
        """Hangs up on the clients of a verb."""
        for task, asked in self._clients.items():
            if asked == verb:
                task.cancel()

    async def wait_idle(self) -> None:
        """Returns when no client is served, the caller's own aside."""
        while others := [task for task in self._clients if task is not asyncio.current_task()]:
            await asyncio.wait(others)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = ""
        connection = Connection(reader, writer)
        try:
            _same_user(writer.get_extra_info("socket"))
            await self._serve_client(connection)
        except (ClientGone, ConnectionError):
            pass
        except asyncio.CancelledError:
            if not self.stopping.is_set():
                raise  # else `serve` has cut this client off, and asyncio would log that as an error
        except DevenvError as error:
            connection.send({"t": "error", "error": error.to_wire()})
        finally:
            self._clients.pop(task, None)
            await connection.close()

    async def _serve_client(self, connection: Connection) -> None:
        line = await connection.read_line()
        try:
            answer = await self._answer(line, connection)
        except ClientGone:
            raise
        except asyncio.CancelledError:
            raise
        except Exception as error:
            failed = _one(error)
            if isinstance(failed, ClientGone):
                raise ClientGone from error
            if not isinstance(failed, DevenvError):
                log.error("a verb failed:\n%s", "".join(traceback.format_exception(error)))
                failed = InternalError(
                    f"{type(failed).__name__}: {failed}",
                    "this is a defect of devenv; the supervisor's log has the details",
                )
            wire = failed.to_wire()
            if connection.streaming:
                connection.end({"error": wire})
            else:
                connection.send({"t": "error", "error": wire})
        else:
            if answer is not None:
                connection.send({"t": "result", "result": msgspec.to_builtins(answer)})
        await connection.drain()

    async def _answer(self, line: bytes, connection: Connection) -> Any:
        try:
            request = self._request.decode(line)
        except msgspec.MsgspecError as error:
            raise UsageError(f"not a request: {error}") from error
        if request.v > PROTOCOL:
            raise Refused(
                f"the supervisor is older than this client (protocol {PROTOCOL}, asked {request.v})",
                "run: devenv supervisor restart",
            )
        if request.verb not in _ANY_VERSION and newer(request.client, VERSION):
            connection.send({"t": "outdated", "version": VERSION})
            return None
        task = asyncio.current_task()
        if task in self._clients:
            self._clients[task] = request.verb
        known = self._verbs.get(request.verb)
        if known is None:
            raise UsageError(
                f"the supervisor does not know {request.verb!r}", "it may be older: devenv supervisor restart"
            )
        kind, handler = known
        try:
            args = msgspec.json.decode(request.args, type=kind)
        except msgspec.MsgspecError as error:
            raise UsageError(f"{request.verb}: {error}") from error
        sent = request.context
        context = ClientContext(sent.cwd, sent.umask, sent.env, sent.uid, sent.rows, sent.columns, sent.asides)
        return await handler(args, self._place(request.verb, args, context), connection)


def _one(error: BaseException) -> BaseException:
    """The error that matters of a group: a task group wraps even a single one."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


def _same_user(sock: Any) -> None:
    """The socket is 0600 in a 0700 folder; this is the second lock."""
    if sys.platform != "linux":
        return
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid not in (os.getuid(), 0):
        raise Refused(f"this supervisor serves uid {os.getuid()}, not {uid}")
