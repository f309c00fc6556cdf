"""The old supervisor's half of an upgrade: it gives away what listens, and lives until what is established has ended.

A newer client found us, so a successor of its version asks for the listening sockets. Nothing is given up before the
successor says that it has them: until then this process serves as if nothing had been asked. Afterwards it writes no
record and opens no listener any more. The other half is devenv.supervisor.succession.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import socket

from devenv.api.context import ClientContext
from devenv.api.messages import HandOverArgs, encode_line
from devenv.errors import Refused
from devenv.forward.handover import Listener, send_listeners
from devenv.supervisor.connection import ClientGone, Connection
from devenv.supervisor.registry import Registry
from devenv.supervisor.server import Server
from devenv.version import VERSION, newer

log = logging.getLogger("devenv.supervisor")

_PATIENCE = 10.0  # seconds for the successor's next word


class HandOver:
    """`lock`: the descriptor whose lock makes a supervisor the only one."""

    def __init__(self, registry: Registry, lock: int) -> None:
        self._registry = registry
        self._lock = lock
        self._asked = False
        self.done = asyncio.Event()
        self.server: Server | None = None  # set by the wiring: it is built from this verb too

    async def hand_over(self, args: HandOverArgs, ctx: ClientContext, connection: Connection) -> dict[str, str]:
        """A line, the listeners, then its word `taken`; the answer tells that nothing is ours any more.

        Who is not newer gets our version instead: another successor was faster.
        """
        assert self.server is not None
        if not newer(args.version, VERSION):
            return {"version": VERSION}
        if self._asked:
            raise Refused("another successor takes over at this moment")
        self._asked = True
        listeners = {bench.target.key: bench.forwarder.export_listeners() for bench in self._registry.all()}
        raw = connection.duplicate()
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.to_thread(_send, raw, listeners)
                await connection.read_line()
        except BaseException as error:
            self._resume(error)
            raise
        finally:
            raw.close()
        log.info("handing over to version %s", args.version)
        self._registry.retire()
        await self.server.stop_listening()
        self.done.set()
        return {}

    def _resume(self, error: BaseException) -> None:
        """The successor went away before it had anything: we stay the supervisor, unless another one is."""
        assert self.server is not None
        self._asked = False
        if not isinstance(error, ClientGone):
            log.warning("the hand-over failed: %s", error)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.server.stopping.set()

    async def drain(self) -> None:
        """After a hand-over, returns when the last client and the last forwarded connection have ended."""
        assert self.server is not None
        await self.done.wait()
        # Front ends that only look are sent on to the successor; they come back by themselves.
        self.server.cut("watch")
        await self.server.wait_idle()
        for bench in self._registry.all():
            if bench.forwarder.idle:
                await bench.drop_links()
        for bench in self._registry.all():
            await bench.forwarder.wait_idle()


def _send(raw: socket.socket, listeners: dict[str, list[Listener]]) -> None:
    raw.settimeout(_PATIENCE)
    raw.sendall(encode_line({"t": "hand-over"}))
    send_listeners(raw, listeners)
