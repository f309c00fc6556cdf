"""Whole commands of the thin client, warm, beside the engine's own client."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.ground import Ground


def measure(ground: Ground, scale: float) -> Iterator[Figure]:
    place = ground.place("exec", {"noop.py": ""})
    place.devenv("up")
    container = place.container()
    rounds = max(5, int(100 * scale))
    ours, peer = place.pairs(rounds, ["devenv", "exec", "--", "true"], ["docker", "exec", container, "true"], warm=5)
    yield Figure.of("exec -- true", "ms", ours, "docker exec C true", peer, Goal(0.6), scale=1e3)
    rounds = max(5, int(30 * scale))
    ours, peer = place.pairs(rounds, ["devenv", "status"], ["docker", "inspect", container], warm=3)
    yield Figure.of("status", "ms", ours, "docker inspect C", peer, scale=1e3)
    detached = ["docker", "exec", "-d", "-w", "/tmp", container, "python3", "-c", ""]
    ours, peer = place.pairs(rounds, ["devenv", "run", "-d", "noop.py"], detached, warm=3)
    yield Figure.of("run -d noop.py", "ms", ours, "docker exec -d C python3", peer, scale=1e3)
    ours, peer = place.pairs(rounds, ["devenv", "--help"], [str(place.shell.path[0] / "python"), "-c", ""], warm=3)
    yield Figure.of("--help", "ms", ours, "python3 -c ''", peer, scale=1e3)
