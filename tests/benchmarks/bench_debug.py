"""From the command to the first breakpoint, and a question and a step there, beside debugpy by hand.

Both clients do the same: they try the port until an adapter answers, attach, set one breakpoint by the host's path,
and wait for the stop. By hand means `python -m debugpy --listen` by `docker exec` in the same container, with a
debugpy that is compiled as pip would have left it, reached on the container's own address. The pass-through alone is
measured on this machine: see through.py.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import through
from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.ground import Ground, Place
from tests.kit.dap import DapClient
from tests.kit.waiting import eventually

PROGRAM = "total = 0\nfor step in range(9):\n    total += step\nprint(total)\n"
LINE = 3


def round_trips(client: DapClient, thread: int) -> tuple[list[float], list[float]]:
    """Seconds of evaluations, and of steps with their stop."""
    frame = client.frames(thread)[0]["id"]
    evaluations, steps = [], []
    for _ in range(60):
        began = time.perf_counter()
        client.evaluate("total", frame)
        evaluations.append(time.perf_counter() - began)
    for _ in range(4):
        began = time.perf_counter()
        client.step_over(thread)
        steps.append(time.perf_counter() - began)
    return evaluations, steps


Trips = tuple[list[float], list[float]]


def to_breakpoint(
    place: Place, argv: list[str], host: str, port: int, inside: str, trips: Trips | None = None
) -> float:
    """Seconds from the start of the command to the stop; the program then runs to its end. `trips` gets
    `round_trips`."""
    nothing = subprocess.DEVNULL
    began = time.perf_counter()
    with place.shell.start(*argv, stdin=nothing, stdout=nothing, stderr=nothing) as process:
        deadline = time.monotonic() + 30
        while True:
            # A door without a debugger behind it closes the connection; a port without a listener refuses it.
            client = None
            try:
                client = DapClient(port, host)
                client.attach({place.folder / "app.py": [LINE]}, mappings=[(place.folder, inside)])
                break
            except (OSError, AssertionError):
                if client is not None:
                    client.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        stop = client.stopped("breakpoint")
        took = time.perf_counter() - began
        client.breakpoints(place.folder / "app.py", [])
        if trips is not None:
            for kept, came in zip(trips, round_trips(client, stop["threadId"]), strict=True):
                kept += came
        client.resume(stop["threadId"])
        with contextlib.suppress(AssertionError, OSError):
            client.event("terminated")
        client.close()
        process.wait(30)
    return took


def put_debugpy(place: Place, container: str) -> None:
    """This interpreter's debugpy in the container's /opt, compiled by the container's Python."""
    import debugpy

    place.docker("cp", str(Path(debugpy.__file__).parent), f"{container}:/opt/debugpy")
    place.docker("exec", "-u", "0", container, "chmod", "-R", "a+rX", "/opt/debugpy")
    place.docker("exec", "-u", "0", container, "python3", "-m", "compileall", "-qq", "-f", "/opt/debugpy")


def measure(ground: Ground, scale: float) -> Iterator[Figure]:
    place = ground.place("debug", {"app.py": PROGRAM})
    place.devenv("up")
    container = place.container()
    put_debugpy(place, container)
    facts = place.docker.inspect(container)
    address = next(iter(facts["NetworkSettings"]["Networks"].values()))["IPAddress"]
    place.devenv("debug", "-d", "app.py")
    status = place.json("status")
    place.devenv("kill", "app.py")
    door, inside = status["debug"]["port"], status["environment"]["workspace_folder"]
    user = status["environment"]["remote_user"]
    by_hand = [
        *("docker", "exec", "-u", user, "-w", inside, "-e", "PYTHONPATH=/opt", container, "python3", "-m", "debugpy"),
        *("--listen", "0.0.0.0:5678", "--wait-for-client", "app.py"),
    ]
    ours_trips: Trips = ([], [])
    peer_trips: Trips = ([], [])
    ours: list[float] = []
    peer: list[float] = []
    for index in range(1 + max(3, int(9 * scale))):
        first = to_breakpoint(place, ["devenv", "debug", "app.py"], "127.0.0.1", door, inside, ours_trips)
        second = to_breakpoint(place, by_hand, address, 5678, inside, peer_trips)
        eventually(lambda: "debugpy" not in place.docker("top", container, "-eo", "pid,args"), "the end of both")
        if index:
            ours.append(first)
            peer.append(second)
    yield Figure.of("debug to the first breakpoint", "s", ours, "python -m debugpy", peer, Goal(1.3))
    names = ("evaluate at a breakpoint", "step over")
    for name, mine, theirs in zip(names, ours_trips, peer_trips, strict=True):
        yield Figure.of(name, "ms", mine, "python -m debugpy", theirs, Goal(0.25), scale=1e3)
    yield from through.measure(scale)
