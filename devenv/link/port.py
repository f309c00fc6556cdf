"""The link as the rest of devenv sees it: one agent, one container, one user.

Concurrency: all calls may overlap. After `LinkError` from any call the link is dead for ever: make a new one.
A channel's failure never harms another channel.
"""

from __future__ import annotations

import dataclasses
import enum
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class Tier(enum.StrEnum):
    DIRECT = "direct"  # the agent dials a unix socket of ours and hands over descriptors
    STREAM = "stream"  # multiplexed over one exec stream
    AUTO = "auto"


class Stream(enum.IntEnum):
    """Sub-streams of a channel."""

    IN = 0
    OUT = 1
    ERR = 2
    EVENTS = 3  # structured lines of a run (test results)


@dataclasses.dataclass(frozen=True, slots=True)
class AgentHello:
    version: int
    python: tuple[int, int, int]
    executable: str
    uid: int
    gid: int
    user: str
    home: str
    shell: str
    hostname: str
    pid: int
    state_dir: str  # where runs live in the container
    state_kept: bool  # on a named volume: outlives the container
    features: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class WindowSize:
    rows: int
    columns: int


class Channel(Protocol):
    """One process, one attachment or one connection inside the container. Bytes only."""

    async def recv(self) -> tuple[int, bytes] | None:
        """Next (stream, data); (stream, b"") is the end of that stream; None when the channel has ended."""

    async def send(self, data: bytes, stream: int = Stream.IN) -> None:
        """Waits for credit."""

    async def send_eof(self, stream: int = Stream.IN) -> None: ...
    async def signal(self, number: int) -> None: ...
    async def resize(self, size: WindowSize) -> None: ...
    async def close(self) -> None:
        """Gives the channel up. A spawned process gets HUP, then KILL; an attached run goes on."""

    @property
    def result(self) -> Mapping[str, Any]:
        """What the far side said at the end, e.g. {"exit": 0}, {"signal": 9}, {"record": {...}}, {"errno": 111}."""


class Link(Protocol):
    tier: Tier
    reason: str  # why this tier
    hello: AgentHello

    async def request(self, op: str, **params: Any) -> Any:
        """One request, one reply. Errors of the agent come as `LinkError` subclasses or `NotFound`."""

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
    ) -> Channel:
        """`expect`: path to [size, mtime] (None: not there). Where one differs nothing is started: `AgentRefusal` with
        the code "stale". `door`: where the agent asks, after the program's end, how far the host has been told of the
        files (`devenv.sync.endpoint.Telling`); the result then has the answer as "told", if there was one."""

    async def attach(
        self,
        run: str,
        *,
        offset: int = 0,
        tail_bytes: int | None = None,
        input: bool = True,
        size: WindowSize | None = None,
    ) -> Channel: ...
    async def connect(self, port: int, host: str = "127.0.0.1") -> socket.socket | Channel:
        """Direct tier: the connected, non-blocking socket itself. Stream tier: a channel. Raises OSError kinds."""

    async def take(self, connection: int) -> socket.socket | Channel:
        """A connection from the container that an `incoming` event told of, as `connect` gives one. After
        `request("reverse.listen", port=...)`; an `AgentRefusal` when it was given up meanwhile."""

    async def unpack(self, destination: str, tar: bytes) -> None:
        """Extracts the tar to `destination` as the link's user, atomically (a rename)."""

    def subscribe(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Agent events ({"event": "ports" | "run" | ...}); returns the unsubscriber."""

    @property
    def closed(self) -> bool: ...
    async def wait_closed(self) -> None: ...
    async def close(self) -> None: ...
