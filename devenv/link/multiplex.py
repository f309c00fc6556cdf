"""Many requests and channels over one transport, and the heartbeat that notices when the far side is gone.

Everything happens in callbacks of the loop; the only task is the heartbeat. A far side that breaks the protocol, goes
silent or closes ends the link for ever: every open request and channel then gets a `LinkError`, exactly once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from devenv.errors import LinkError
from devenv.link.answers import failure
from devenv.link.channel import AgentChannel
from devenv.link.codec import MAX_PAYLOAD, WINDOW, Frame, FrameReader, Kind, ProtocolViolation, encode
from devenv.link.direct_tier import adopt_descriptor
from devenv.link.transport import Transport

PING_EVERY = 5.0  # seconds
DEAD_AFTER = 15.0  # seconds without a byte
EXTRA_WINDOW = 64 << 20  # bytes that all channels together may hold beyond their initial windows
_STAMP = struct.Struct(">d")

_log = logging.getLogger(__name__)


class _Pending:
    """A request on its way. `wants_descriptor`: its reply must bring exactly one."""

    __slots__ = ("future", "wants_descriptor")

    def __init__(self, future: asyncio.Future[Any], wants_descriptor: bool) -> None:
        self.future = future
        self.wants_descriptor = wants_descriptor


class Multiplex:
    """`is_paused` is asked before a silent far side is given up: a paused container keeps its link."""

    def __init__(
        self,
        transport: Transport,
        reader: FrameReader,
        *,
        is_paused: Callable[[], Awaitable[bool]],
        ping_every: float = PING_EVERY,
        dead_after: float = DEAD_AFTER,
    ) -> None:
        self.transport = transport
        self.round_trip = 0.001  # seconds, the least one seen lately
        self.now = time.monotonic
        self._reader = reader
        self._is_paused = is_paused
        self._ping_every = ping_every
        self._dead_after = dead_after
        self._channels: dict[int, AgentChannel] = {}
        self._pending: dict[int, _Pending] = {}
        self._listeners: list[Callable[[dict[str, Any]], None]] = []
        self._next_request = 2  # 1 was the hello
        self._next_channel = 1
        self._extra_window = EXTRA_WINDOW
        self._bytes_seen = False
        self._heartbeat_task: asyncio.Task[None] | None = None
        self._error: LinkError | None = None
        self._gone = asyncio.Event()

    def start(self, early: Iterable[bytes] = ()) -> None:
        """`early`: whole frames that arrived together with the handshake's last one."""
        self.transport.start(self._on_bytes, lambda reason: self.fail(reason))
        for piece in early:
            self._on_bytes(piece)
        self._ping()
        self._heartbeat_task = asyncio.create_task(self._heartbeat(), name="link heartbeat")

    # --- requests and channels

    async def request(self, op: str, **params: Any) -> Any:
        return await self._ask(op, params, wants_descriptor=False)

    async def request_descriptor(self, op: str, **params: Any) -> socket.socket:
        """A request whose reply hands over one connected socket."""
        future = self._ask(op, params, wants_descriptor=True)
        try:
            received = await future
        except asyncio.CancelledError:
            # The reply may have been delivered in the same turn of the loop.
            if future.done() and not future.cancelled() and future.exception() is None:
                future.result().close()
            raise
        assert isinstance(received, socket.socket)
        return received

    def open_channel(self) -> AgentChannel:
        if self._error is not None:
            raise self._error
        channel = AgentChannel(self, self._next_channel)
        self._channels[channel.number] = channel
        self._next_channel += 2
        return channel

    def forget_channel(self, channel: AgentChannel) -> None:
        """For a channel whose request was refused: the far side never knew it."""
        self._channels.pop(channel.number, None)

    def subscribe(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        self._listeners.append(callback)

        def unsubscribe() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return unsubscribe

    # --- for channels

    @property
    def congested(self) -> bool:
        return self.transport.congested

    def take_window(self, wanted: int) -> int:
        taken = max(0, min(wanted, self._extra_window))
        self._extra_window -= taken
        return taken

    def return_window(self, size: int) -> None:
        self._extra_window += size

    # --- the end

    @property
    def closed(self) -> bool:
        return self._gone.is_set()

    async def wait_closed(self) -> None:
        await self._gone.wait()

    def fail(self, reason: str) -> None:
        """Ends everything with `LinkError(reason)`. Idempotent."""
        if self._error is not None:
            return
        self._error = LinkError(reason, "the environment reconnects by itself while its container runs")
        for pending in list(self._pending.values()):
            if not pending.future.done():
                pending.future.set_exception(self._error)
        self._pending.clear()
        for channel in list(self._channels.values()):
            channel.on_close({}, self._error)
        self._channels.clear()
        if self._heartbeat_task is not None and self._heartbeat_task is not asyncio.current_task():
            self._heartbeat_task.cancel()
        self.transport.abort()
        self._gone.set()

    async def close(self) -> None:
        self.fail("the link was closed")
        if self._heartbeat_task is not None and self._heartbeat_task is not asyncio.current_task():
            await asyncio.gather(self._heartbeat_task, return_exceptions=True)
        await self.transport.close()

    # --- what arrives

    def _on_bytes(self, piece: bytes | memoryview) -> None:
        if self._error is not None:
            return
        self._bytes_seen = True
        try:
            for frame in self._reader.feed(piece):
                self._on_frame(frame)
            if self.transport.descriptors and not self._reader.mid_frame:
                raise ProtocolViolation("a descriptor that no reply announced")
        except ProtocolViolation as error:
            while (descriptor := self.transport.take_descriptor()) is not None:
                socket.close(descriptor)
            self.fail(f"the agent broke the protocol: {error}")

    def _on_frame(self, frame: Frame) -> None:
        number, kind, payload = frame
        if kind == Kind.DATA:
            if not payload:
                raise ProtocolViolation("DATA without a sub-stream")
            channel = self._channels.get(number)
            if channel is not None:
                channel.on_data(payload[0], bytes(payload[1:]))
        elif kind == Kind.WINDOW:
            channel = self._channels.get(number)
            if channel is not None and len(payload) == WINDOW.size:
                channel.on_window(WINDOW.unpack(payload)[0])
        elif kind == Kind.REPLY:
            self._on_reply(_json(payload))
        elif kind == Kind.EOF:
            channel = self._channels.get(number)
            if channel is not None and payload:
                channel.on_eof(payload[0])
        elif kind == Kind.CLOSE:
            channel = self._channels.pop(number, None)
            if channel is not None:
                channel.on_close(_json(payload) if payload else {})
        elif kind == Kind.EVENT:
            self._on_event(_json(payload))
        elif kind == Kind.PING:
            self.transport.write(encode(Kind.PONG, 0, bytes(payload)), urgent=True)
        elif kind == Kind.PONG and len(payload) == _STAMP.size:
            seen = self.now() - _STAMP.unpack(payload)[0]
            if seen >= 0:
                self.round_trip = min(seen, self.round_trip * 2) if self.round_trip > 0.001 else seen
        # A kind of a later version is passed over: the protocol only ever grows.

    def _on_reply(self, reply: dict[str, Any]) -> None:
        number = reply.get("id")
        if not isinstance(number, int):
            raise ProtocolViolation("a reply without a number")
        pending = self._pending.get(number)
        result = reply.get("result")
        ok = bool(reply.get("ok"))
        brings = ok and isinstance(result, dict) and result.get("fd") is True
        # A violation is raised with the request still pending: the end of the link then answers it.
        if pending is None:
            if brings:
                raise ProtocolViolation("a descriptor for a request that was never made")
            return
        if ok and pending.wants_descriptor:
            result = self._received() if brings else None
            if result is None:
                raise ProtocolViolation("a reply without the descriptor that was asked for")
        elif brings and self.transport.descriptors:
            raise ProtocolViolation("a descriptor that was not asked for")
        del self._pending[number]
        if pending.future.done():  # nobody waits any more
            if isinstance(result, socket.socket):
                result.close()
        elif ok:
            pending.future.set_result(result)
        else:
            pending.future.set_exception(failure(reply.get("error")))

    def _received(self) -> socket.socket | None:
        descriptor = self.transport.take_descriptor()
        if descriptor is None:
            return None
        try:
            return adopt_descriptor(descriptor)
        except ValueError as error:
            raise ProtocolViolation(f"the received descriptor: {error}") from None

    def _on_event(self, event: dict[str, Any]) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:  # a listener's defect must not end the link of everyone else
                _log.exception("a listener of agent events failed")

    # --- what leaves

    def _ask(self, op: str, params: dict[str, Any], *, wants_descriptor: bool) -> asyncio.Future[Any]:
        if self._error is not None:
            raise self._error
        number = self._next_request
        self._next_request += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # `id` is the request's own on the wire; the run that an operation is about is called `run` there.
        named = {"run" if key == "id" else key: value for key, value in params.items()}
        payload = json.dumps({**named, "id": number, "op": op}, separators=(",", ":")).encode("ascii")
        frame = encode_request(payload)
        self._pending[number] = _Pending(future, wants_descriptor)
        self.transport.write(frame, urgent=True)
        return future

    def _ping(self) -> None:
        self.transport.write(encode(Kind.PING, 0, _STAMP.pack(self.now())), urgent=True)

    async def _heartbeat(self) -> None:
        silent = 0
        while self._error is None:
            await asyncio.sleep(self._ping_every)
            if self._bytes_seen:
                self._bytes_seen = False
                silent = 0
            else:
                # Counted in ticks, not in clock time: a supervisor that was itself stopped must not blame the agent.
                silent += 1
                if silent * self._ping_every >= self._dead_after:
                    if not await self._is_paused():
                        self.fail(f"the agent has not answered for {self._dead_after:.0f} seconds")
                        return
                    silent = 0
            self._ping()


def encode_request(payload: bytes) -> bytes:
    """A REQUEST frame. Raises LinkError when it does not fit into one."""
    if len(payload) > MAX_PAYLOAD:
        raise LinkError("the request is larger than 1 MiB", "its arguments and environment must be smaller")
    return encode(Kind.REQUEST, 0, payload)


def _json(payload: memoryview) -> dict[str, Any]:
    try:
        value = json.loads(bytes(payload))
    except ValueError as error:
        raise ProtocolViolation(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ProtocolViolation("JSON that is no object")
    return value
