"""The connections of an environment's forwards: each finds its way into the container, and ends alone.

Concurrency: everything runs in the loop that made it, except the relay's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from devenv.errors import DevenvError
from devenv.forward.channel_relay import relay_channel
from devenv.forward.detection import Heard, dial_address
from devenv.forward.relay import RelayThread, reset
from devenv.forward.same_user import PeerCheck
from devenv.forward.table import LOCAL, Forward
from devenv.link.answers import AgentRefusal
from devenv.link.port import Channel, Tier

GRACE = 3.0  # seconds for which a connection waits for a service that is just coming up
LINK_WAIT = 5.0  # seconds for which it waits for the next link
RETRY = 0.25  # seconds between two looks, when no listing says that something has changed
MOST_CONNECTIONS = 4096  # of one forward

_log = logging.getLogger(__name__)


class Dialer(Protocol):
    """What forwards need of a link. `Link` is one; `ExecDialer` is one for images without Python."""

    @property
    def tier(self) -> Tier: ...
    @property
    def closed(self) -> bool: ...
    async def connect(self, port: int, host: str = "127.0.0.1") -> socket.socket | Channel: ...
    async def request(self, op: str, **params: Any) -> Any: ...
    def subscribe(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]: ...


class Connections:
    """`link`, `heard` and `same_user` are as they are now; `news` wakes the connections that wait for a change."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.link: Dialer | None = None
        self.heard: Mapping[int, list[Heard]] = {}
        self.same_user = True
        self._clock = clock
        self._changed = asyncio.Event()  # replaced at each change: who waits, waits for the next one
        self._relay = RelayThread()
        self._peers = PeerCheck()
        self._serving: set[asyncio.Task[None]] = set()
        self._established = 0  # those of withdrawn forwards too
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._loop = asyncio.get_running_loop()

    def news(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def idle(self) -> bool:
        return not self._established

    async def wait_idle(self) -> None:
        await self._idle.wait()

    def accept(self, forward: Forward, connection: socket.socket) -> None:
        if self.same_user and not self._peers.allows(connection):
            reset(connection)
            return
        if forward.connections >= MOST_CONNECTIONS:
            reset(connection)
            return
        forward.connections += 1
        self._established += 1
        self._idle.clear()
        task = self._loop.create_task(self._serve(forward, connection), name=f"forward {forward.name}")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        """Resets what is established."""
        self._closed = True
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await asyncio.to_thread(self._relay.close)
        self._peers.close()

    async def _serve(self, forward: Forward, connection: socket.socket) -> None:
        handed_over = False
        try:
            far = await self._dial(forward)
            if far is None:
                reset(connection)
            elif isinstance(far, socket.socket):
                handed_over = True
                self._relay.add(connection, far, lambda: self._ended_in_thread(forward))
            else:
                await relay_channel(connection, far)
        except asyncio.CancelledError:
            if not handed_over:
                reset(connection)
            raise
        except Exception:  # a defect here must not take the other connections along
            _log.exception("a forwarded connection to %s failed", forward.name)
            if not handed_over:
                reset(connection)
        finally:
            if not handed_over:
                self._ended(forward)

    def _ended_in_thread(self, forward: Forward) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._ended, forward)

    def _ended(self, forward: Forward) -> None:
        forward.connections -= 1
        self._established -= 1
        if not self._established:
            self._idle.set()

    async def _dial(self, forward: Forward) -> socket.socket | Channel | None:
        """None: nothing answers. Waits for a link, and for a service that is just starting."""
        began = self._clock()
        while not self._closed:
            changed = self._changed
            link = self.link
            left = began + LINK_WAIT - self._clock()
            if link is None or link.closed:
                if left <= 0:
                    return None
                await _wait(changed, left)
                continue
            greeting = b""
            port = forward.port
            if forward.target is not None:
                found = await forward.target()
                if found is None:
                    return None
                port, greeting = found.port, found.greeting
            try:
                far = await link.connect(port, self._host(forward, port))
                await self._greet(far, greeting)
                return far
            except ConnectionRefusedError:
                left = began + GRACE - self._clock()
                if left <= 0:
                    return None
                await _wait(changed, min(RETRY, left))
            except (AgentRefusal, OSError):
                return None
            except DevenvError:
                if not link.closed:
                    return None
                began = self._clock()  # the link was lost under us: the wait for the next one begins now
        return None

    async def _greet(self, far: socket.socket | Channel, greeting: bytes) -> None:
        if not greeting:
            return
        if isinstance(far, socket.socket):
            await self._loop.sock_sendall(far, greeting)
        else:
            await far.send(greeting)

    def _host(self, forward: Forward, port: int) -> str:
        return forward.host if forward.host not in LOCAL else dial_address(self.heard.get(port, ()))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
