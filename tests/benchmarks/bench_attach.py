"""From `devenv debug --attach` to the end of the command, and to a client that is attached, beside debugpy by hand.

By hand is `python -m debugpy --listen --pid` by `docker exec`, where it works without a gdb: with Python 3.14 and its
remote exec, into a program that computes. It returns before its debugger is there, so both are measured to the answer
that a client gets to its attach. Each attach meets a new process, with a debugpy that is compiled. Below 3.14 there is
no way by hand in an image of Debian 12: its gdb kills programs on new processors.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.benchmarks.bench_debug import put_debugpy
from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.ground import Ground, Place
from tests.kit.dap import DapClient

PROGRAMS = {
    "computes.py": "import threading\nnumber = 0\nwhile True:\n    number += 1\n",
    "waits.py": "import time\nwhile True:\n    time.sleep(3600)\n",
}
NEWEST = "devenv-rig/python:3.14"


def attach(place: Place, program: str, door: int = 0) -> float:
    """Seconds of the command, into a run that was started for it; with `door` up to a client that is attached."""
    place.devenv("run", "-d", program)
    time.sleep(0.3)
    began = time.perf_counter()
    place.devenv("debug", "--attach", program)
    if door:
        come("127.0.0.1", door)
    took = time.perf_counter() - began
    place.devenv("kill", "--force", program)
    return took


def come(host: str, port: int) -> None:
    """A client tries the port until its attach is answered."""
    until = time.monotonic() + 30
    while True:
        try:
            with DapClient(port, host) as client:
                client.attach()
                return
        except (OSError, AssertionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.005)


def by_hand(place: Place, program: str, address: str, port: int) -> float:
    place.devenv("run", "-d", program)
    time.sleep(0.3)
    container = place.container()
    (pid,) = place.docker("exec", container, "pgrep", "-f", f"[p]ython.*{program}").split()[-1:]
    words = ("-m", "debugpy", "--listen", f"0.0.0.0:{port}", "--pid", pid)
    began = time.perf_counter()
    place.docker("exec", "-e", "PYTHONPATH=/opt", container, "python3", *words)
    come(address, port)
    took = time.perf_counter() - began
    place.devenv("kill", "--force", program)
    return took


def measure(ground: Ground, scale: float) -> Iterator[Figure]:
    rounds = max(3, int(9 * scale))
    place = ground.place("attach", PROGRAMS)
    place.devenv("up")
    for program in PROGRAMS:
        attach(place, program)  # delivers debugpy
        took = [attach(place, program) for _ in range(rounds)]
        yield Figure.of(f"attach to a program that {program[:-3]}, Python 3.11", "s", took, goal=Goal(3.0, "value"))
    newest = ground.place("attach-newest", {**PROGRAMS, ".devcontainer/devcontainer.json": f'{{"image": "{NEWEST}"}}'})
    newest.devenv("up")
    put_debugpy(newest, newest.container())
    ours: list[float] = []
    peer: list[float] = []
    door = newest.json("status")["debug"]["port"]
    networks = newest.docker.inspect(newest.container())["NetworkSettings"]["Networks"]
    address = next(iter(networks.values()))["IPAddress"]
    for index in range(1 + rounds):
        first = attach(newest, "computes.py", door)
        second = by_hand(newest, "computes.py", address, 5700 + index)
        if index:
            ours.append(first)
            peer.append(second)
    yield Figure.of("the same, to a client that is attached, Python 3.14", "s", ours, "debugpy --pid", peer, Goal(1.5))
