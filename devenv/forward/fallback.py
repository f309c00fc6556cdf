"""Forwards into a container without a usable Python: one engine exec per connection, through bash, nc or socat.

The last resort: 40 to 60 ms for each connection, no detection, and no half-close (an engine's exec has none, so a
client that has sent all and waits for the answer works; a service that waits for the client's end does not see it).
OpenBSD's nc does not end when the service does: a client that waits for that waits until it gives up itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable, Mapping
from typing import Any

from devenv.engine.port import Engine, ExecStream
from devenv.errors import DevenvError
from devenv.link.answers import AgentRefusal
from devenv.link.port import Stream, Tier, WindowSize

_OPEN = "devenv-connected\n"
_PROBE = 'for p in bash socat nc; do command -v "$p" >/dev/null 2>&1 && { echo "$p"; exit 0; }; done; exit 1'

# Each says _OPEN on stderr once connected, so that the answer's own bytes stay untouched.
_BASH = (
    'exec 3<>"/dev/tcp/$1/$2" || exit 97; printf "devenv-connected\\n" >&2; '
    "exec 4<&0; cat <&3 & reader=$!; cat <&4 >&3 & writer=$!; wait $reader; kill $writer 2>/dev/null; exit 0"
)
# These connect by themselves: that they were refused shows only in their end.
_SOCAT = 'printf "devenv-connected\\n" >&2; exec socat STDIO "TCP:$1:$2"'
_NC = 'printf "devenv-connected\\n" >&2; exec nc "$1" "$2"'


def _argv(tool: str, host: str, port: int) -> list[str]:
    address = f"[{host}]" if ":" in host and tool == "socat" else host
    if tool == "bash":
        return ["bash", "-c", _BASH, "bash", host, str(port)]
    return ["sh", "-c", _SOCAT if tool == "socat" else _NC, "sh", address, str(port)]


async def probe_tool(engine: Engine, container: str, user: str) -> str | None:
    """`bash`, `socat` or `nc`, whichever the image has first; None: forwarding is impossible there."""
    try:
        found = await engine.exec_capture(container, ["sh", "-c", _PROBE], user=user)
    except DevenvError:
        return None
    word = found.stdout.decode("ascii", "replace").strip()
    return word if found.exit_code == 0 and word in ("bash", "socat", "nc") else None


class ExecDialer:
    """What `Forwarder.set_link` takes in place of a link. `note` is what the table says of its forwards."""

    tier = Tier.STREAM

    def __init__(self, engine: Engine, container: str, user: str, tool: str | None) -> None:
        self._engine = engine
        self._container = container
        self._user = user
        self._tool = tool
        self.note = (
            f"no usable Python in the image: each connection is a {tool} of its own"
            if tool
            else "no usable Python, bash, nc or socat in the image: nothing can be forwarded"
        )
        self.closed = False

    @classmethod
    async def probe(cls, engine: Engine, container: str, *, user: str) -> ExecDialer:
        return cls(engine, container, user, await probe_tool(engine, container, user))

    async def connect(self, port: int, host: str = "127.0.0.1") -> ExecChannel:
        if self._tool is None:
            raise OSError(errno.EOPNOTSUPP, self.note)
        if host == "localhost":
            host = "127.0.0.1"
        stream = await self._engine.exec_stream(self._container, _argv(self._tool, host, port), user=self._user)
        try:
            return ExecChannel(stream, await _wait_open(stream))
        except BaseException:
            with contextlib.suppress(OSError, DevenvError):
                await stream.close()
            raise

    async def request(self, op: str, **params: Any) -> Any:
        raise AgentRefusal("there is no agent in this container", details={"code": "no-agent", "errno": None})

    def subscribe(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        return lambda: None

    async def close(self) -> None:
        self.closed = True


async def _wait_open(stream: ExecStream) -> list[tuple[int, bytes]]:
    """Output that came before or together with the word that the connection stands. Raises ConnectionRefusedError."""
    said = b""
    early: list[tuple[int, bytes]] = []
    async with asyncio.timeout(20):
        while (chunk := await stream.read()) is not None:
            if chunk[0] != 2:
                early.append(chunk)
                continue
            said += chunk[1]
            if _OPEN.encode() in said:
                return early
    raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


class ExecChannel:
    """`Channel` over one exec. Its end is the service's end."""

    def __init__(self, stream: ExecStream, early: list[tuple[int, bytes]]) -> None:
        self._stream = stream
        self._early = early
        self._ended = False
        self._result: Mapping[str, Any] = {}

    async def recv(self) -> tuple[int, bytes] | None:
        if self._early:
            return self._early.pop(0)
        while not self._ended:
            try:
                chunk = await self._stream.read()
            except OSError:
                chunk = None
            if chunk is None:
                self._ended = True
                return Stream.OUT, b""
            if chunk[0] == 1:
                return Stream.OUT, chunk[1]
        return None

    async def send(self, data: bytes, stream: int = Stream.IN) -> None:
        try:
            await self._stream.write(data)
        except (ConnectionResetError, BrokenPipeError):
            raise BrokenPipeError("the channel has ended") from None

    async def send_eof(self, stream: int = Stream.IN) -> None:
        """Nothing can be sent: see the module."""

    async def signal(self, number: int) -> None:
        raise AgentRefusal("there is no agent in this container", details={"code": "no-agent", "errno": None})

    async def resize(self, size: WindowSize) -> None:
        return None

    async def close(self) -> None:
        self._ended = True
        with contextlib.suppress(OSError, DevenvError):
            await self._stream.close()

    @property
    def result(self) -> Mapping[str, Any]:
        return self._result
