"""Forwarding beside `docker run -p` and a raw exec, over the supervisor of a user: both tiers, both directions.

One server in the container listens on two ports: one is forwarded by devenv, the other was published when the
container was made. Clients are processes of their own, so that they share no interpreter with anything measured.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.ground import Ground, Place
from tests.kit.waiting import eventually

FORWARDED, PUBLISHED = 9000, 9001
CONNECTIONS = 400
ECHO = 200_000  # bytes each of the 400 connections sends and gets back
MOST = 1 << 30  # bytes of one transfer, at scale 1

# One thread per connection; 'g' sends `size` bytes, 'p' takes them and answers, 'e' echoes to the half-close.
SERVER = f"""
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
def listen(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", port))
    s.listen(1024)
    while True:
        threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
threading.Thread(target=listen, args=({PUBLISHED},), daemon=True).start()
listen({FORWARDED})
"""


def head(kind: str, size: int) -> bytes:
    return kind.encode() + str(size).rjust(15).encode()


def get(port: int, size: int) -> float:
    """MB/s from the container."""
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
    """MB/s into the container."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        data = bytes(1 << 20)
        began = time.perf_counter()
        client.sendall(head("p", size))
        for _ in range(size // len(data)):
            client.sendall(data)
        assert client.recv(1) == b"k"
        return size / 1e6 / (time.perf_counter() - began)


def trip(port: int, size: int) -> float:
    """Median microseconds for `size` bytes there and back."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(head("e", 0))
        times = []
        for _ in range(1000):
            began = time.perf_counter()
            client.sendall(b"x" * size)
            left = size
            while left:
                left -= len(client.recv(left))
            times.append(time.perf_counter() - began)
        return statistics.median(times) * 1e6


def many(port: int, count: int) -> float:
    """Seconds for `count` connections at once, each echoing ECHO bytes with a half-close; all must arrive."""

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head("e", 0) + b"y" * ECHO)
        writer.write_eof()
        assert len(await reader.read(-1)) == ECHO
        writer.close()
        await writer.wait_closed()

    async def all_of_them() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(count)))
        return time.perf_counter() - began

    return asyncio.run(all_of_them())


CLIENTS: dict[str, Callable[[int, int], float]] = {"get": get, "put": put, "trip": trip, "many": many}


def client(what: str, port: int, number: int) -> float:
    words = [sys.executable, __file__, what, str(port), str(number)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{what} on port {port}: {done.stderr}"
    return float(done.stdout)


def raw_get(container: str, size: int) -> float:
    began = time.perf_counter()
    words = ["docker", "exec", container, "head", "-c", str(size), "/dev/zero"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return size / 1e6 / (time.perf_counter() - began)


def raw_put(container: str, size: int) -> float:
    began = time.perf_counter()
    with subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE) as zeros:
        words = ["docker", "exec", "-i", container, "sh", "-c", "cat >/dev/null"]
        subprocess.run(words, check=True, stdin=zeros.stdout)
    return size / 1e6 / (time.perf_counter() - began)


def host_port(place: Place) -> int:
    """Where devenv forwards the port now."""

    def found() -> int:
        view = next(port for port in place.json("ports")["ports"] if port["port"] == FORWARDED)
        get(view["host_port"], 1)
        return int(view["host_port"])

    return eventually(found, f"the forward of port {FORWARDED}")


def measure(ground: Ground, scale: float) -> Iterator[Figure]:
    place = ground.place(
        "forward",
        {"server.py": SERVER},
        runArgs=["-p", f"127.0.0.1::{PUBLISHED}"],
        forwardPorts=[FORWARDED],
    )
    place.devenv("up", "--tier", "direct")
    place.devenv("run", "-d", "server.py")
    container = place.container()
    published = int(place.docker("port", container, str(PUBLISHED)).splitlines()[0].rpartition(":")[2])
    size = max(64 << 20, int(MOST * scale) >> 20 << 20)
    rounds = max(3, int(5 * scale))
    for tier in ("direct", "stream"):
        place.devenv("up", "--tier", tier)
        assert place.json("status")["environment"]["tier"] == tier
        ours_at = host_port(place)
        for what, words, unit, number in (
            ("get", "container to host", "MB/s", size),
            ("put", "host to container", "MB/s", size),
            ("trip", "64 bytes there and back", "µs", 64),
            ("many", f"{CONNECTIONS} connections at once", "s", CONNECTIONS),
        ):
            ours: list[float] = []
            peer: list[float] = []
            raw: list[float] = []
            for _ in range(rounds):
                ours.append(client(what, ours_at, number))
                peer.append(client(what, published, number))
                if tier == "stream" and what in ("get", "put"):
                    raw.append((raw_get if what == "get" else raw_put)(container, number))
            label = f"forward, {tier} tier, {words}"
            if raw:
                yield Figure.of(label, unit, ours, "docker exec", raw, Goal(0.5, most=False))
            else:
                goal = Goal(1.0, most=False) if what in ("get", "put") else None
                yield Figure.of(label, unit, ours, "docker run -p", peer, goal)
    place.devenv("kill", "server.py")


if __name__ == "__main__":
    print(CLIENTS[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3])))
