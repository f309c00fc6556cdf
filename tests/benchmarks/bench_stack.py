"""Where 16 processes stand, beside `py-spy dump` of each one by hand in the container.

By hand means the py-spy of devenv's own wheel, copied into the container, once for each process in one `docker exec`:
what a person does who knows the process ids. Both read the same hung training.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.ground import Ground
from tests.kit import installed
from tests.kit.waiting import eventually

PROCESSES = 16
PROGRAM = f"""\
import multiprocessing as mp, threading

def wait(lock):
    lock.acquire()

def work(number):
    lock = threading.Lock()
    lock.acquire()
    threading.Thread(target=wait, args=(lock,), name="reducer", daemon=True).start()
    wait(lock)

if __name__ == "__main__":
    found = [mp.Process(target=work, args=(n,)) for n in range({PROCESSES - 1})]
    for process in found:
        process.start()
    for process in found:
        process.join()
"""
GOAL = 1.0  # seconds


def measure(ground: Ground, scale: float) -> Iterator[Figure]:
    place = ground.place("stack", {"hung.py": PROGRAM})
    place.devenv("up")
    container = place.container()
    program = installed.dependencies().parents[2] / "bin" / "py-spy"
    place.docker("cp", str(program), f"{container}:/opt/py-spy")
    place.devenv("run", "-d", "hung.py")

    def hung() -> list[int]:
        found = place.json("stack")["processes"]
        assert len(found) == PROCESSES
        return [process["pid"] for process in found]

    pids = eventually(hung, "the training")
    user = place.json("status")["environment"]["remote_user"]
    loop = "for pid; do /opt/py-spy dump --pid $pid; done"
    by_hand = ["docker", "exec", "-u", user, container, "sh", "-c", loop, "sh", *map(str, pids)]
    rounds = max(3, round(12 * scale))
    ours, peer = place.pairs(rounds, ["devenv", "stack"], by_hand, warm=2)
    yield Figure.of(f"stack of {PROCESSES} processes", "s", ours, "py-spy dump of each", peer, Goal(GOAL, of="value"))
