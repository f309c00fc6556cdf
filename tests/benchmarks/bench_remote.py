"""A container on another machine, across a network of 50 ms there and back: a command, and a save in either direction.

Every word between this machine and the other one goes through the delay; what is seen there is told past it.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import statistics
import time
from collections.abc import Iterator

from tests.benchmarks.bench_sync import big_place, counted, saves
from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.ground import IMAGE, Ground, Place
from tests.kit.remote_host import RemoteHost, remote_host
from tests.kit.slow_relay import slow_relay

ROUND_TRIP = 50.0  # milliseconds
PEER = "ssh HOST docker exec"
_NAME = "far-box"


def measure(ground: Ground, scale: float) -> Iterator[Figure]:
    user = ground.shell.user
    with remote_host("26", (IMAGE,)) as host, slow_relay(host.address, 22, ROUND_TRIP / 2e3) as network:
        host.introduce(user, _NAME, address="127.0.0.1", port=network.port)
        trip = round_trip(network.port)
        yield Figure("the way to the other machine, there and back", "ms", trip)
        trips = Goal(round(trip) + 30, "value")
        volume = ground.place(
            "far",
            workspaceMount="source=devenv-benchmark-far,target=/workspaces/far,type=volume",
            workspaceFolder="/workspaces/far",
        )
        with there(volume):
            ours, peer = pairs(volume, host, scale)
            yield Figure.of("exec -- true, 50 ms away", "ms", ours, PEER, peer, trips, scale=1e3)
        files = counted(50_000, scale)
        place = big_place(ground, files)
        with there(place):
            ours, peer = pairs(place, host, scale)
            what = f"exec -- true, 50 ms away, {files:,} files kept the same"
            yield Figure.of(what, "ms", ours, PEER, peer, trips, scale=1e3)
            to = ["docker", "exec", "-i", host.name, "docker", "exec", "-i", only_container(host)]
            inside = f"/workspaces/{place.folder.name}"
            most = (40 + 2 * ROUND_TRIP, 100 + 2 * ROUND_TRIP)
            yield from saves(place, to, inside, files, scale, most, where=" 50 ms away")
        shutil.rmtree(place.folder)


@contextlib.contextmanager
def there(place: Place) -> Iterator[None]:
    """Up on the other machine, all files copied."""
    try:
        place.devenv("up", "--host", _NAME, "--send", "all", timeout=300)
        yield
    finally:
        place.shell.run("devenv", "down", "--force", "--volumes")


def pairs(place: Place, host: RemoteHost, scale: float) -> list[list[float]]:
    """Our connection is held by the supervisor; the peer makes one each time, as `ssh` without a master does."""
    peer = ["ssh", _NAME, "docker", "exec", only_container(host), "true"]
    return place.pairs(max(5, int(20 * scale)), ["devenv", "exec", "--", "true"], peer)


def only_container(host: RemoteHost) -> str:
    (found,) = host.docker("ps", "--quiet", "--filter", "label=devcontainer.local_folder").split()
    return found


def round_trip(port: int) -> float:
    """Milliseconds until the ssh server behind `port` has answered a client that told its name."""
    taken = []
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.recv(256)
            began = time.perf_counter()
            client.sendall(b"SSH-2.0-benchmark\r\n")
            client.recv(1)
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e3
