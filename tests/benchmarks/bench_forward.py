"""Forwarding against its peers in one run: the direct tier beside `docker run -p`, the stream tier beside a raw exec.

`python tests/benchmarks/bench_forward.py [--image IMAGE] [--size MB]` prints MB/s and ratios; targets are at the end
of each line. Needs an engine and an image with python3. Removes what it makes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator

from devenv.engine.docker_adapter import DockerEngine
from devenv.forward.forwarder import Forwarder
from devenv.forward.settings import ForwardSettings
from devenv.link.dial import open_link
from devenv.link.direct_tier import prepare_folder
from devenv.link.port import Tier

PORT = 9000
ROUNDS = 3
CONNECTIONS = 400
ECHO = 200_000  # bytes each of the 400 connections sends and gets back

# One thread per connection; 'g' sends `size` bytes, 'p' takes them and answers, 'e' echoes to the half-close.
SERVER = """
import socket, threading
data = bytes(1 << 20)
def serve(c):
    with c:
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = b""
        while len(head) < 16:
            piece = c.recv(16 - len(head))
            if not piece:
                return
            head += piece
        kind, size = head[:1], int(head[1:])
        if kind == b"g":
            while size:
                size -= c.send(data[:min(size, len(data))])
        elif kind == b"p":
            buffer = bytearray(1 << 20)
            while size:
                size -= c.recv_into(buffer)
            c.sendall(b"k")
        else:
            while True:
                piece = c.recv(65536)
                if not piece:
                    return
                c.sendall(piece)
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 9000))
s.listen(1024)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""


def head(kind: str, size: int) -> bytes:
    return kind.encode() + str(size).rjust(15).encode()


def get(port: int, size: int) -> float:
    """MB/s."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        buffer = bytearray(1 << 20)
        began = time.perf_counter()
        client.sendall(head("g", size))
        left = size
        while left:
            got = client.recv_into(buffer)
            if not got:
                raise ConnectionResetError("the connection ended early")
            left -= got
        return size / 1e6 / (time.perf_counter() - began)


def put(port: int, size: int) -> float:
    with socket.create_connection(("127.0.0.1", port)) as client:
        data = bytes(1 << 20)
        began = time.perf_counter()
        client.sendall(head("p", size))
        for _ in range(size // len(data)):
            client.sendall(data)
        assert client.recv(1) == b"k"
        return size / 1e6 / (time.perf_counter() - began)


def round_trip(port: int) -> float:
    """Median microseconds for 64 bytes there and back."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(head("e", 0))
        times = []
        for _ in range(1000):
            began = time.perf_counter()
            client.sendall(b"x" * 64)
            left = 64
            while left:
                left -= len(client.recv(left))
            times.append(time.perf_counter() - began)
        return statistics.median(times) * 1e6


async def many(port: int) -> float:
    """Seconds for CONNECTIONS at once, each echoing ECHO bytes with a half-close."""

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head("e", 0) + b"y" * ECHO)
        writer.write_eof()
        assert len(await reader.read(-1)) == ECHO
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return time.perf_counter() - began


def _client(what: str, port: int, size: int) -> str:
    """In another process, so that the client does not share the forwarder's interpreter."""
    return subprocess.run(
        [sys.executable, __file__, "--client", what, str(port), str(size)], check=True, capture_output=True, text=True
    ).stdout


class ForwarderProcess:
    """The forwarder with its loop in a thread; clients are other processes."""

    def __init__(self, container: str, link_dir: pathlib.Path, tier: Tier, folder: pathlib.Path) -> None:
        self._arguments = (container, link_dir, tier, folder)
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._ready.wait(60)

    async def _run(self) -> None:
        container, link_dir, tier, folder = self._arguments
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        engine = await DockerEngine.connect(dict(os.environ))
        snapshot = await engine.inspect(container)
        assert snapshot is not None
        link = await open_link(engine, snapshot, user="", link_dir=link_dir, tier=tier)
        forwarder = Forwarder(
            "bench", folder / f"{tier}.json", ForwardSettings(detect=False), time.monotonic, lambda: None
        )
        await forwarder.set_link(link)
        view = await forwarder.expose(PORT)
        assert view.host_port is not None
        self.port = view.host_port
        self._ready.set()
        await self._stop.wait()
        self.traffic = link.traffic
        await forwarder.close()
        await link.close()
        await engine.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


@contextlib.contextmanager
def container(image: str, pub: pathlib.Path) -> Iterator[tuple[str, int]]:
    name = f"link-bench-{uuid.uuid4().hex[:8]}"
    subprocess.run(
        [
            *("docker", "run", "-d", "--rm", "--name", name, "-p", f"127.0.0.1::{PORT}"),
            *("-v", f"{pub}:/run/devenv:ro", image, "python3", "-c", SERVER),
        ],
        check=True,
        capture_output=True,
    )
    try:
        said = subprocess.run(["docker", "port", name, str(PORT)], check=True, capture_output=True, text=True).stdout
        published = int(said.splitlines()[0].rpartition(":")[2])
        while True:
            with contextlib.suppress(OSError):
                get(published, 1)
                break
        yield name, published
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)


def raw_exec(name: str, size: int) -> float:
    began = time.perf_counter()
    subprocess.run(
        ["docker", "exec", name, "head", "-c", str(size), "/dev/zero"], check=True, stdout=subprocess.DEVNULL
    )
    return size / 1e6 / (time.perf_counter() - began)


def raw_exec_in(name: str, size: int) -> float:
    began = time.perf_counter()
    with subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE) as zeros:
        subprocess.run(["docker", "exec", "-i", name, "sh", "-c", "cat >/dev/null"], check=True, stdin=zeros.stdout)
    return size / 1e6 / (time.perf_counter() - began)


def compare(what: str, ours: list[float], theirs: list[float], peer: str, target: str, *, less: bool = False) -> None:
    mine, peers = statistics.median(ours), statistics.median(theirs)
    print(
        f"{what:34} {mine:9.1f}   {peer} {peers:9.1f}   ratio {mine / peers:5.2f}"
        f"   {'at most' if less else 'at least'} {target}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", default="python:3.11")
    parser.add_argument("--size", type=int, default=1000, help="MB per transfer")
    parser.add_argument("--client", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        what, port, size = options.client[0], int(options.client[1]), int(options.client[2])
        calls = {"get": get, "put": put}
        if what in calls:
            print(calls[what](port, size))
        else:
            print(round_trip(port) if what == "trip" else asyncio.run(many(port)))
        return
    size = options.size << 20
    with tempfile.TemporaryDirectory(prefix="bench-forward-") as made:
        folder = pathlib.Path(made)
        folder.chmod(0o755)
        pub = prepare_folder(folder / "link")
        with container(options.image, pub) as (name, published):
            for tier in (Tier.DIRECT, Tier.STREAM):
                forward = ForwarderProcess(name, pub, tier, folder)
                try:
                    figures: dict[str, tuple[list[float], list[float]]] = {}
                    raw: dict[str, list[float]] = {"get": [], "put": []}
                    for what in ("get", "put", "trip", "many"):
                        ours, theirs = figures.setdefault(what, ([], []))
                        for _ in range(ROUNDS):
                            ours.append(float(_client(what, forward.port, size)))
                            theirs.append(float(_client(what, published, size)))
                            if tier is Tier.STREAM and what in raw:
                                raw[what].append((raw_exec if what == "get" else raw_exec_in)(name, size))
                    peer = "docker run -p"
                    bar = "1.0" if tier is Tier.DIRECT else "(not a target)"
                    compare(f"{tier}: container to host, MB/s", *figures["get"], peer, bar)
                    compare(f"{tier}: host to container, MB/s", *figures["put"], peer, bar)
                    compare(f"{tier}: 64 B round trip, us", *figures["trip"], peer, "(no target)", less=True)
                    compare(f"{tier}: {CONNECTIONS} at once, s", *figures["many"], peer, "(no target)", less=True)
                    if tier is Tier.STREAM:
                        compare(
                            "stream: container to host, MB/s", figures["get"][0], raw["get"], "docker exec  ", "0.5"
                        )
                        compare(
                            "stream: host to container, MB/s", figures["put"][0], raw["put"], "docker exec  ", "0.5"
                        )
                finally:
                    forward.close()
                print(f"{tier}: through the agent {forward.traffic / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
