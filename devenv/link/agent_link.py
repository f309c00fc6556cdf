"""`Link` over a multiplexer: the agent's operations as calls. No framing and no engine here."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from devenv.engine.port import ExecStream
from devenv.errors import DevenvError
from devenv.link.answers import AgentRefusal, connect_failure
from devenv.link.channel import AgentChannel
from devenv.link.multiplex import Multiplex
from devenv.link.port import AgentHello, Tier, WindowSize

_UNPACK_PIECE = 256 << 10


class AgentLink:
    """Implements `devenv.link.port.Link`. Made by `open_link`.

    `lifeline` is the exec stream of the direct tier: it carries nothing any more, and its end is the agent's end.
    """

    def __init__(
        self, multiplex: Multiplex, hello: AgentHello, tier: Tier, reason: str, lifeline: ExecStream | None
    ) -> None:
        self.tier = tier
        self.reason = reason
        self.hello = hello
        self._multiplex = multiplex
        self._lifeline = lifeline
        self._watches = [asyncio.create_task(self._watch_end(), name="link end")]
        if lifeline is not None:
            self._watches.append(asyncio.create_task(self._watch_lifeline(lifeline), name="link lifeline"))

    async def request(self, op: str, **params: Any) -> Any:
        return await self._multiplex.request(op, **params)

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        tty: WindowSize | None = None,
        umask: int | None = None,
        expect: Mapping[str, Any] | None = None,
        door: str = "",
    ) -> AgentChannel:
        params: dict[str, Any] = {"argv": list(argv), "env": dict(env), "cwd": cwd, "tty": _window(tty)}
        if umask is not None:
            params["umask"] = umask
        if expect:
            params["expect"] = dict(expect)
        if door:
            params["door"] = door
        channel, _ = await self._on_channel("spawn", params)
        return channel

    async def attach(
        self,
        run: str,
        *,
        offset: int = 0,
        tail_bytes: int | None = None,
        input: bool = True,
        size: WindowSize | None = None,
    ) -> AgentChannel:
        params: dict[str, Any] = {"id": run, "offset": offset, "input": input}
        if tail_bytes is not None:
            params["tail_bytes"] = tail_bytes
        if size is not None:
            params.update(rows=size.rows, columns=size.columns)
        channel, answer = await self._on_channel("runs.attach", params)
        channel.opened = answer
        return channel

    async def connect(self, port: int, host: str = "127.0.0.1") -> socket.socket | AgentChannel:
        try:
            if self.tier is Tier.DIRECT:
                return await self._multiplex.request_descriptor(
                    "connect", channel=0, port=port, host=host, pass_fd=True
                )
            channel, _ = await self._on_channel("connect", {"port": port, "host": host, "pass_fd": False})
            return channel
        except AgentRefusal as refusal:
            raise connect_failure(refusal) or refusal from None

    async def take(self, connection: int) -> socket.socket | AgentChannel:
        if self.tier is Tier.DIRECT:
            return await self._multiplex.request_descriptor(
                "reverse.take", channel=0, connection=connection, pass_fd=True
            )
        channel, _ = await self._on_channel("reverse.take", {"connection": connection, "pass_fd": False})
        return channel

    async def unpack(self, destination: str, tar: bytes) -> None:
        channel, _ = await self._on_channel("unpack", {"dest": destination})
        try:
            view = memoryview(tar)
            try:
                for start in range(0, len(view), _UNPACK_PIECE):
                    await channel.send(bytes(view[start : start + _UNPACK_PIECE]))
                await channel.send_eof()
            except BrokenPipeError:
                pass  # the far side gave up early: its result says why
            while await channel.recv() is not None:
                pass
            if channel.result.get("exit") != 0:
                error = channel.result.get("error", "the transfer was cut off")
                text = error.get("message", error) if isinstance(error, dict) else error
                raise AgentRefusal(f"cannot unpack into {destination}: {text}", details={"code": "unpack"})
        finally:
            await channel.close()

    def subscribe(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        return self._multiplex.subscribe(callback)

    @property
    def closed(self) -> bool:
        return self._multiplex.closed

    async def wait_closed(self) -> None:
        await self._multiplex.wait_closed()

    @property
    def traffic(self) -> int:
        """Bytes that went through the agent so far, both directions."""
        transport = self._multiplex.transport
        return transport.received + transport.sent

    async def close(self) -> None:
        """Ends the agent (the runs go on). Idempotent."""
        if not self._multiplex.closed:
            try:
                async with asyncio.timeout(1):
                    await self._multiplex.request("bye")
            except (DevenvError, TimeoutError):
                pass  # it ends anyway when its stdin does
        await self._multiplex.close()
        await asyncio.gather(*self._watches, return_exceptions=True)

    async def _on_channel(self, op: str, params: dict[str, Any]) -> tuple[AgentChannel, Mapping[str, Any]]:
        channel = self._multiplex.open_channel()
        try:
            answer = await self._multiplex.request(op, channel=channel.number, **params)
        except asyncio.CancelledError:
            await channel.close()
            raise
        except DevenvError:
            self._multiplex.forget_channel(channel)
            raise
        return channel, answer if isinstance(answer, dict) else {}

    async def _watch_lifeline(self, lifeline: ExecStream) -> None:
        said = b""
        try:
            while (chunk := await lifeline.read()) is not None:
                said = (said + chunk[1])[-4096:]
            last = said.decode("utf-8", "replace").strip().splitlines()
            reason = "the agent ended" + (f": {last[-1]}" if last else "")
        except (OSError, DevenvError) as error:
            reason = f"the agent's lifeline broke: {error}"
        self._multiplex.fail(reason)

    async def _watch_end(self) -> None:
        """However the link ends, the exec goes with it, and so does the agent: its stdin is its lifeline."""
        await self._multiplex.wait_closed()
        await self._multiplex.transport.close()
        if self._lifeline is not None:
            self._watches[1].cancel()
            await asyncio.gather(self._watches[1], return_exceptions=True)
            with contextlib.suppress(OSError, DevenvError):
                await self._lifeline.close()


def _window(size: WindowSize | None) -> dict[str, int] | None:
    return None if size is None else {"rows": size.rows, "columns": size.columns}
