"""How long a save takes to be visible at another place: one small program at both, on the kernel's one clock.

Containers, and the rig's other machine, are processes of this kernel: CLOCK_MONOTONIC is the same everywhere.
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from tests.benchmarks.figures import Figure, Goal

# Python 3.6. Looks every half millisecond, which is what one look at a small file may cost.
_PROGRAM = """
import sys, time
path = sys.argv[1]
for line in iter(sys.stdin.readline, ""):
    what, word = line.split()
    now = time.monotonic()
    if what == "save":
        with open(path, "w") as file:
            file.write(word)
    else:
        late = now + 30
        while now < late:
            now = time.monotonic()
            try:
                with open(path) as file:
                    if file.read() == word:
                        break
            except FileNotFoundError:
                pass
            time.sleep(0.0005)
        else:
            sys.exit("not seen within 30 s")
    print(repr(now), flush=True)
"""


class Hand:
    """A process at one place that saves and sees one file."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._in: IO[bytes] = process.stdin
        self._out: IO[bytes] = process.stdout

    def ask(self, what: str, word: str) -> None:
        self._in.write(f"{what} {word}\n".encode())
        self._in.flush()

    def when(self) -> float:
        """Of the save: just before the file was opened. Of the sight: just before the look that found it."""
        line = self._out.readline()
        assert line, "the program that saves and sees ended"
        return float(line)


@contextlib.contextmanager
def hand(start: Callable[..., subprocess.Popen[bytes]], prefix: Sequence[str], path: str) -> Iterator[Hand]:
    """`start` is `subprocess.Popen` or a shell's; `prefix` leads to the place (`docker exec -i C`)."""
    words = [*prefix, "python3", "-c", _PROGRAM, path]
    with start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Hand(process)
        finally:
            process.kill()


def latencies(here: Hand, there: Hand, rounds: int) -> list[float]:
    """Seconds from each save here until it is seen there."""
    taken = []
    for number in range(rounds + 2):
        word = f"{number}-{random.randrange(10**9)}"
        there.ask("see", word)
        time.sleep(random.uniform(0.1, 0.3))  # by then it looks, and whatever the last save caused is over
        here.ask("save", word)
        saved = here.when()
        took = there.when() - saved
        if number >= 2:
            taken.append(took)
    return taken


def figures(what: str, taken: Sequence[float], most: tuple[float, float]) -> Iterator[Figure]:
    """Their p50 and p95, in milliseconds, with the goals of each."""
    ordered = sorted(taken)
    for share, bound in zip((50, 95), most, strict=True):
        at = min(len(ordered) - 1, len(ordered) * share // 100)
        yield Figure(f"{what}, p{share} of {len(ordered)}", "ms", ordered[at] * 1e3, goal=Goal(bound, "value"))
