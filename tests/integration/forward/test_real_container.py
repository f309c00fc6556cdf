"""Forwards into real containers: reach, sums, what passes through the agent, restarts."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pathlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from devenv.engine.docker_adapter import DockerEngine
from devenv.forward.fallback import ExecDialer
from devenv.forward.forwarder import Forwarder
from devenv.forward.settings import ConfiguredPort, ForwardSettings
from devenv.link.agent_link import AgentLink
from devenv.link.port import Tier
from tests.kit.engine import Docker
from tests.kit.fixtures import Images

pytestmark = pytest.mark.engine

Dial = Callable[..., Awaitable[AgentLink]]
Make = Callable[..., Awaitable[Forwarder]]

# argv: address, port. Echoes to the half-close; "GET n" is answered with n deterministic bytes, then the end.
SERVICE = """
import socket, sys, threading
BLOCK = bytes(range(256)) * 4096
def serve(c):
    with c:
        first = c.recv(65536)
        if first.startswith(b"GET "):
            left = int(first[4:])
            while left:
                left -= c.send(BLOCK[:min(left, len(BLOCK))])
            return
        while first:
            c.sendall(first)
            first = c.recv(65536)
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if family == socket.AF_INET6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.bind((sys.argv[1], int(sys.argv[2])))
s.listen(1024)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
PORT = 8765
GIGABYTE = 1_000_000_000
IPV6 = ("--sysctl", "net.ipv6.conf.all.disable_ipv6=0", "--sysctl", "net.ipv6.conf.lo.disable_ipv6=0")


@pytest.fixture
async def make(tmp_path: pathlib.Path) -> AsyncIterator[Make]:
    made: list[Forwarder] = []

    async def create(link: Any, *configured: ConfiguredPort, **settings: Any) -> Forwarder:
        forwarder = Forwarder(
            "key",
            tmp_path / "ports.json",
            ForwardSettings(configured=configured, **settings),
            time.monotonic,
            lambda: None,
        )
        made.append(forwarder)
        await forwarder.set_link(link)
        return forwarder

    yield create
    for forwarder in made:
        await forwarder.close()


async def serve(link: AgentLink, address: str = "127.0.0.1", port: int = PORT) -> None:
    """Starts the service and waits until it listens."""
    listening = asyncio.Event()

    def on_event(event: dict[str, Any]) -> None:
        if event.get("event") == "ports" and any(row["port"] == port for row in event["listeners"]):
            listening.set()

    stop = link.subscribe(on_event)
    await link.request("ports.watch", interval=0.1)
    await link.spawn(["python3", "-c", SERVICE, address, str(port)], env={"PATH": os.environ["PATH"]}, cwd="/")
    await asyncio.wait_for(listening.wait(), 20)
    stop()


async def echo(port: int | None, data: bytes = b"hello", host: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        writer.write_eof()
        return await reader.read(-1)
    finally:
        writer.close()


def expected_digest(size: int) -> str:
    block = bytes(range(256)) * 4096
    digest = hashlib.sha256()
    left = size
    while left:
        piece = block[: min(left, len(block))]
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest()


async def fetch_digest(port: int | None, size: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(b"GET %d" % size)
    digest = hashlib.sha256()
    while data := await reader.read(1 << 20):
        digest.update(data)
    writer.close()
    return digest.hexdigest()


@pytest.mark.parametrize("tier", [Tier.DIRECT, Tier.STREAM])
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])
async def test_wherever_the_service_listens(
    box: Any, dial: Dial, make: Make, images: Images, address: str, tier: Tier
) -> None:
    link = await dial(box(images.python, *(IPV6 if ":" in address else ())), tier)
    await serve(link, address)
    forwarder = await make(link, ConfiguredPort(PORT))
    (view,) = forwarder.table()
    assert view.listening and "python3 -c" in view.process
    for host in {listener.getsockname()[0] for _, _, listener in forwarder.export_listeners()}:
        assert await echo(view.host_port, b"x" * 100_000, host) == b"x" * 100_000


@pytest.mark.parametrize("tier", [Tier.DIRECT, Tier.STREAM])
async def test_a_gigabyte_arrives_whole(box: Any, dial: Dial, make: Make, images: Images, tier: Tier) -> None:
    link = await dial(box(images.python), tier)
    await serve(link)
    forwarder = await make(link, ConfiguredPort(PORT))
    before = link.traffic
    assert await fetch_digest(forwarder.table()[0].host_port, GIGABYTE) == expected_digest(GIGABYTE)
    if tier is Tier.DIRECT:
        assert link.traffic - before < 1_000_000
    else:
        assert link.traffic - before > GIGABYTE


@pytest.mark.parametrize("tier", [Tier.DIRECT, Tier.STREAM])
async def test_four_hundred_at_once_beside_one_that_does_not_read(
    box: Any, dial: Dial, make: Make, images: Images, tier: Tier
) -> None:
    link = await dial(box(images.python), tier)
    await serve(link)
    forwarder = await make(link, ConfiguredPort(PORT))
    port = forwarder.table()[0].host_port
    stuck_reader, stuck = await asyncio.open_connection("127.0.0.1", port, limit=1000)
    stuck.write(b"GET %d" % GIGABYTE)
    data = os.urandom(200_000)
    found = await asyncio.gather(*(echo(port, data) for _ in range(400)))
    assert all(one == data for one in found)
    assert await stuck_reader.read(1)
    stuck.transport.abort()


@pytest.mark.parametrize("tier", [Tier.DIRECT, Tier.STREAM])
async def test_thousands_one_after_the_other_leave_no_descriptor(
    box: Any, dial: Dial, make: Make, images: Images, tier: Tier
) -> None:
    link = await dial(box(images.python), tier)
    await serve(link)
    forwarder = await make(link, ConfiguredPort(PORT))
    port = forwarder.table()[0].host_port
    await echo(port)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(2000):
        if number % 10:
            assert await echo(port) == b"hello"
        else:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.transport.abort()
    async with asyncio.timeout(20):
        while forwarder.table()[0].connections:
            await asyncio.sleep(0.05)
    assert len(os.listdir("/proc/self/fd")) <= before + 2
    assert not link.closed


@pytest.mark.parametrize("tier", [Tier.DIRECT, Tier.STREAM])
async def test_a_restarted_container_keeps_its_host_port(
    engine: Docker, box: Any, dial: Dial, make: Make, images: Images, tier: Tier
) -> None:
    made = box(images.python)
    link = await dial(made, tier)
    await serve(link)
    forwarder = await make(link, ConfiguredPort(PORT))
    port = forwarder.table()[0].host_port
    assert await echo(port) == b"hello"
    await asyncio.to_thread(engine, "restart", "--time", "0", made.id)
    await asyncio.wait_for(link.wait_closed(), 20)
    await forwarder.set_link(None)
    waiting = asyncio.create_task(echo(port))
    again = await dial(made, tier)
    await serve(again)
    await forwarder.set_link(again)
    assert await waiting == b"hello"
    assert forwarder.table()[0].host_port == port


async def test_servers_are_found_before_and_after_the_link(box: Any, dial: Dial, make: Make, images: Images) -> None:
    made = box(images.python)
    first = await dial(made)
    await serve(first, "0.0.0.0", 8001)
    link = await dial(made)
    forwarder = await make(link)
    await serve(link, "127.0.0.1", 8002)
    await serve(link, "127.0.0.1", 40001)  # as a kernel or a test would: not forwarded
    async with asyncio.timeout(20):
        while len(forwarder.table()) < 2:
            await asyncio.sleep(0.05)
    await asyncio.sleep(1.2)
    views = forwarder.table()
    assert [view.port for view in views] == [8001, 8002]
    for view in views:
        assert await echo(view.host_port) == b"hello"


async def test_an_udp_service_does_no_harm(box: Any, dial: Dial, make: Make, images: Images) -> None:
    link = await dial(box(images.python))
    code = "import socket,time; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('',5353)); time.sleep(60)"
    await link.spawn(["python3", "-c", code], env={"PATH": os.environ["PATH"]}, cwd="/")
    await serve(link)
    forwarder = await make(link, ConfiguredPort(PORT))
    assert [view.port for view in forwarder.table()] == [PORT]
    assert await echo(forwarder.table()[0].host_port) == b"hello"


async def test_a_busybox_without_python_is_reached_through_nc(
    engine: Docker, adapter: DockerEngine, make: Make, images: Images
) -> None:
    with engine.container(images.busybox, command=("sh", "-c", "while :; do echo served | nc -l -p 8080; done")) as box:
        dialer = await ExecDialer.probe(adapter, box, user="")
        forwarder = await make(dialer, ConfiguredPort(8080))
        (view,) = forwarder.table()
        assert "nc" in view.note
        async with asyncio.timeout(30):
            while True:
                reader, writer = await asyncio.open_connection("127.0.0.1", view.host_port)
                found = await reader.read(7)
                writer.close()
                if found == b"served\n":
                    break
