"""Reverse forwards: what connects to a port of the container's loopback reaches a port of this host's.

Only ports that a person asked for, one by one: a container must not find its way to the host by itself. They are for
programs that connect to a listening IDE. They outlive the link, and end with the container or the supervisor.

Concurrency: everything runs in the loop that made it, except the relay's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from devenv.errors import DevenvError, PortTaken
from devenv.forward.channel_relay import relay_channel
from devenv.forward.relay import RelayThread, reset
from devenv.link.answers import AgentRefusal

if TYPE_CHECKING:
    from devenv.link.port import Link

log = logging.getLogger("devenv.supervisor")


class ReverseForwards:
    """Those of one environment."""

    def __init__(self) -> None:
        self._link: Link | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._ports: dict[int, int] = {}  # of the container -> of the host
        self._relay: RelayThread | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def ports(self) -> dict[int, int]:
        """Port in the container -> port of this host."""
        return dict(self._ports)

    async def set_link(self, link: Link | None) -> None:
        """The next agent listens on the same ports."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._link = link
        if link is None:
            return
        self._unsubscribe = link.subscribe(self._on_event)
        for port in list(self._ports):
            try:
                await link.request("reverse.listen", port=port)
            except DevenvError as error:
                log.warning("the reverse forward of port %d is lost: %s", port, error)

    async def add(self, port: int, host_port: int) -> None:
        """From now on; again with the same port, another host port is meant. PortTaken when something in the
        container listens there, LinkError without a link."""
        assert self._link is not None, "the caller has connected"
        try:
            await self._link.request("reverse.listen", port=port)
        except AgentRefusal as refusal:
            raise PortTaken(
                f"port {port} of the container cannot be listened on: {refusal.message}",
                "choose another one: devenv forward --reverse HOST_PORT:PORT",
            ) from None
        self._ports[port] = host_port

    def forget(self) -> None:
        """The container was removed: the next one is let in by a person again."""
        self._ports.clear()

    async def close(self) -> None:
        await self.set_link(None)
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        if self._relay is not None:
            await asyncio.to_thread(self._relay.close)

    def _on_event(self, event: dict[str, Any]) -> None:
        link = self._link
        if event.get("event") != "incoming" or link is None:
            return
        port, connection = event.get("port"), event.get("connection")
        host_port = self._ports.get(port) if isinstance(port, int) else None
        if host_port is None or not isinstance(connection, int):
            return  # the agent is not trusted with a choice: nobody takes it, and it is reset
        task = asyncio.get_running_loop().create_task(self._serve(link, connection, host_port), name="reverse forward")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, link: Link, connection: int, host_port: int) -> None:
        try:
            far = await link.take(connection)
        except (DevenvError, OSError):
            return  # given up, or the link is lost
        here = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        here.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(here, ("127.0.0.1", host_port))
        except OSError:
            # Nothing listens on the host: the program is told as if it had asked there.
            here.close()
            if isinstance(far, socket.socket):
                reset(far)
            else:
                await far.close()
            return
        except BaseException:
            here.close()
            if isinstance(far, socket.socket):
                reset(far)
            raise
        if isinstance(far, socket.socket):
            self._relay = self._relay or RelayThread()
            self._relay.add(here, far, lambda: None)
            return
        with contextlib.suppress(OSError):
            await relay_channel(here, far)
