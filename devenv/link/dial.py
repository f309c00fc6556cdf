"""`open_link`: from a running container to a working link. Probe, boot, handshake, choice of the tier.

The agent speaks second. Whatever the image prints before the agent's magic is noise: read past, shown when no magic
comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from devenv.engine.port import ContainerSnapshot, Engine, ExecStream
from devenv.errors import DevenvError, EngineError, LinkError
from devenv.link import bundle
from devenv.link.agent_link import AgentLink
from devenv.link.bootstrap import DEFAULT_PYTHONS, boot_argv, find_python, search_argv
from devenv.link.codec import HEADER, MAGIC, MAX_NOISE, MAX_PAYLOAD, FrameReader, Kind, encode
from devenv.link.direct_tier import DirectTransport, Door
from devenv.link.multiplex import DEAD_AFTER, PING_EVERY, Multiplex
from devenv.link.port import AgentHello, Tier
from devenv.link.stream_tier import StreamTransport
from devenv.link.transport import Transport

MOUNT = "/run/devenv"  # where the container sees `link_dir`
STATE = "/var/lib/devenv"
HANDSHAKE = 20.0  # seconds for a cold interpreter on a busy machine
DIAL = 5.0  # seconds between "I have dialled" and the connection


async def open_link(
    engine: Engine,
    container: ContainerSnapshot,
    *,
    user: str,
    link_dir: pathlib.Path | None,
    pythons: Sequence[str] = DEFAULT_PYTHONS,
    tier: Tier = Tier.AUTO,
    env: Mapping[str, str] = {},
    mount: str = MOUNT,
    state: str = STATE,
    ping_every: float = PING_EVERY,
    dead_after: float = DEAD_AFTER,
) -> AgentLink:
    """A link to an agent started as `user`.

    `link_dir` is the host's folder that the container sees read-only at `mount`, None when it has none.
    Raises NoPython, LinkError (with `details["noise"]` when something else than the agent spoke) and engine errors.
    """
    modules = bundle.required_modules()
    boot = search_argv(pythons, modules)
    opener = _Opener(engine, container.id, user, boot, env, mount, state, ping_every, dead_after)
    try:
        return await _open(opener, link_dir, tier)
    except (LinkError, EngineError) as error:
        if isinstance(error, LinkError) and "noise" not in error.details:
            raise
        # No shell, no interpreter that fits, or one that fails: the long way finds out which.
        python = await find_python(engine, container.id, user=user, pythons=pythons, modules=modules)
    return await _open(dataclasses.replace(opener, boot=boot_argv(python)), link_dir, tier)


async def _open(opener: _Opener, link_dir: pathlib.Path | None, tier: Tier) -> AgentLink:
    if tier is Tier.STREAM:
        return await opener.stream("asked for")
    if link_dir is None:
        if tier is Tier.DIRECT:
            raise LinkError("the direct tier needs the link folder, and this container has none mounted")
        return await opener.stream("no link folder is mounted in this container")
    try:
        return await opener.direct(link_dir, fall_back=tier is Tier.AUTO)
    except _DirectFailed as failed:
        if tier is Tier.DIRECT:
            raise LinkError(f"the direct tier does not work here: {failed}", "use the stream tier") from None
        return await opener.stream(str(failed))


class _DirectFailed(Exception):
    """The agent runs or could run, but not on the direct tier."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Opener:
    engine: Engine
    container: str
    user: str
    boot: Sequence[str]
    env: Mapping[str, str]
    mount: str
    state: str
    ping_every: float
    dead_after: float

    async def stream(self, reason: str) -> AgentLink:
        stream = await self._start()
        try:
            greeting = await self._greet(stream, {"token": "0" * 64, "tier": str(Tier.STREAM)})
        except BaseException:
            await _quietly_close(stream)
            raise
        return self._over_stream(stream, greeting, reason)

    async def direct(self, link_dir: pathlib.Path, *, fall_back: bool) -> AgentLink:
        """`fall_back`: an agent that could not dial goes on over its exec stream at once."""
        try:
            door = Door.open(link_dir)
        except OSError as error:
            raise _DirectFailed(f"cannot listen in the link folder: {error.strerror or error}") from None
        stream: ExecStream | None = None
        try:
            stream = await self._start()
            greeting = await self._greet(
                stream,
                {
                    "token": door.token,
                    "tier": str(Tier.DIRECT),
                    "socket": f"{self.mount}/{door.name}",
                    "nonce": f"{self.mount}/nonce",
                },
            )
            if not greeting.reply.get("direct"):
                why = str(greeting.reply.get("direct_error") or "the agent could not dial")
                if not fall_back:
                    raise _DirectFailed(why)
                return self._over_stream(stream, greeting, f"direct is not possible: {why}")
            if str(greeting.reply.get("nonce", "")).strip() != door.nonce:
                raise _DirectFailed("the agent sees another machine's link folder")
            try:
                connection = await door.guest(DIAL)
            except TimeoutError:
                raise _DirectFailed("the agent's connection did not arrive") from None
            transport = DirectTransport(connection)
            multiplex = self._multiplex(transport, greeting.rest)
            return AgentLink(
                multiplex, greeting.hello, Tier.DIRECT, "same machine, link folder mounted", lifeline=stream
            )
        except BaseException:
            if stream is not None:
                await _quietly_close(stream)
            raise
        finally:
            await door.close()

    def _over_stream(self, stream: ExecStream, greeting: _Greeting, reason: str) -> AgentLink:
        multiplex = self._multiplex(StreamTransport(stream), greeting.rest)
        return AgentLink(multiplex, greeting.hello, Tier.STREAM, reason, lifeline=None)

    def _multiplex(self, transport: Transport, early: bytes) -> Multiplex:
        multiplex = Multiplex(
            transport,
            FrameReader(),
            is_paused=self._is_paused,
            ping_every=self.ping_every,
            dead_after=self.dead_after,
        )
        multiplex.start([early] if early else [])
        return multiplex

    async def _start(self) -> ExecStream:
        return await self.engine.exec_stream(self.container, self.boot, user=self.user, env=self.env)

    async def _greet(self, stream: ExecStream, hello: dict[str, Any]) -> _Greeting:
        request = {"id": 1, "op": "hello", "version": 1, "state": self.state, **hello}
        frame = encode(Kind.REQUEST, 0, json.dumps(request).encode("ascii"))
        try:
            async with asyncio.timeout(HANDSHAKE):
                await stream.write(bundle.payload() + frame)
                return await _read_greeting(stream)
        except TimeoutError:
            raise LinkError("the agent did not answer in time", "is the container very busy, or paused?") from None

    async def _is_paused(self) -> bool:
        try:
            snapshot = await self.engine.inspect(self.container)
        except DevenvError:
            return False
        return snapshot is not None and snapshot.status == "paused"


@dataclasses.dataclass(frozen=True, slots=True)
class _Greeting:
    hello: AgentHello
    reply: Mapping[str, Any]
    rest: bytes  # what arrived behind the reply


async def _read_greeting(stream: ExecStream) -> _Greeting:
    received = bytearray()
    errors = b""
    start = -1
    while True:
        chunk = await stream.read()
        if chunk is None:
            raise _no_agent("the agent did not start", bytes(received), errors)
        number, data = chunk
        if number == 2:
            errors = (errors + data)[-MAX_NOISE:]
            continue
        received += data
        if start < 0:
            start = received.find(MAGIC)
            if start < 0:
                if len(received) > MAX_NOISE:
                    raise _no_agent("something else than the agent answers", bytes(received), errors)
                continue
        frame = start + len(MAGIC)
        if len(received) < frame + HEADER.size:
            continue
        length, _, kind = HEADER.unpack_from(received, frame)
        if kind != Kind.REPLY or length > MAX_PAYLOAD:
            raise LinkError("the agent broke the protocol: its first frame is no reply")
        end = frame + HEADER.size + length
        if len(received) >= end:
            return _greeting(bytes(received[frame + HEADER.size : end]), bytes(received[end:]))


def _greeting(payload: bytes, rest: bytes) -> _Greeting:
    try:
        answer = json.loads(payload)
        if not answer["ok"]:
            error = answer.get("error") or {}
            raise LinkError(f"the agent refused: {error.get('message', 'no reason given')}")
        result = answer["result"]
        major, minor, micro = (int(part) for part in result["python"][:3])
        hello = AgentHello(
            version=int(result["version"]),
            python=(major, minor, micro),
            executable=str(result["executable"]),
            uid=int(result["uid"]),
            gid=int(result["gid"]),
            user=str(result["user"]),
            home=str(result["home"]),
            shell=str(result["shell"]),
            hostname=str(result["hostname"]),
            pid=int(result["pid"]),
            state_dir=str(result["state_dir"]),
            state_kept=bool(result["state_kept"]),
            features=tuple(str(word) for word in result.get("features", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LinkError(f"the agent broke the protocol: its greeting is incomplete ({error!r})") from None
    return _Greeting(hello, result, rest)


def _no_agent(message: str, noise: bytes, errors: bytes) -> LinkError:
    text = (noise + errors).decode("utf-8", "replace").strip()
    last = text.splitlines()[-1][:300] if text else ""
    return LinkError(
        f"{message}: {last}" if last else message,
        "the interpreter or the image prints something in its place" if noise else "",
        details={"noise": text[-4000:]},
    )


async def _quietly_close(stream: ExecStream) -> None:
    with contextlib.suppress(OSError, DevenvError):
        await stream.close()
