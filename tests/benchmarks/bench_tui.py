"""The terminal UI over a real environment: its first screen, and what it and the rest cost while a run prints fast.

The peer of the first screen is a Textual program that shows one word. Costs are CPU seconds of the processes by the
kernel's account, per second that passes: with the UI attached, and with a foreground `devenv run` in its stead.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from typing import Self

from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.ground import Ground, Place, cpu_seconds
from tests.kit.waiting import eventually

LINES = 10_000  # a second
PRINTER = f"""
import sys, time
began, written = time.monotonic(), 0
while True:
    due = int((time.monotonic() - began) * {LINES})
    sys.stdout.write("".join(f"epoch 3 step {{n:>9}} loss 0.12345 accuracy 0.98765\\n" for n in range(written, due)))
    sys.stdout.flush()
    written = due
    time.sleep(0.01)
"""
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("one-word")
Bare().run()
"""
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[^\[]")


class Reader:
    """What comes out of a descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.count = 0

    def shows(self, *words: str, timeout: float = 30.0) -> None:
        """Reads until all words came."""
        seen = b""
        while True:
            if not select.select([self.fd], [], [], timeout)[0]:
                raise AssertionError(f"{words} did not appear: {ESCAPES.sub(b'', seen)[-2000:]!r}")
            seen += os.read(self.fd, 65536)
            text = ESCAPES.sub(b"", seen)
            if all(word.encode() in text for word in words):
                return

    def drain(self, seconds: float) -> None:
        """Reads what comes for so long."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                self.count += len(os.read(self.fd, 65536))


class Screen(Reader):
    """A command on a terminal of 200 by 50. Use with `with`: leaving ends it."""

    def __init__(self, place: Place, *argv: str) -> None:
        master, slave = pty.openpty()
        super().__init__(master)
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        os.fchown(slave, place.shell.user.uid, -1)
        shell = place.shell.having(COLORTERM="truecolor")
        self.began = time.perf_counter()
        self._process = shell.start(*argv, stdin=slave, stdout=slave, stderr=slave, session=("setsid", "--ctty"))
        os.close(slave)
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self.fd)

    def age(self) -> float:
        """Seconds since the start of the process."""
        return time.perf_counter() - self.began


def shares(pids: Mapping[str, int], reader: Reader, seconds: float) -> dict[str, float]:
    """Percent of a core that each process takes while that is read."""
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    began = time.perf_counter()
    reader.drain(seconds)
    took = time.perf_counter() - began
    return {name: 100 * (cpu_seconds(pid) - before[name]) / took for name, pid in pids.items()}


def behind(place: Place) -> dict[str, int]:
    """Host pids of what works between the run and the client: supervisor, agent, the run's keeper."""
    pids = {"supervisor": int(place.json("supervisor")["pid"])}
    listing = place.docker("top", place.container(), "-eo", "pid,ppid,args").splitlines()[1:]
    rows = [line.split(None, 2) for line in listing]
    program = next(int(parent) for _, parent, command in rows if "printer.py" in command and " -I -S " not in command)
    for pid, _, command in rows:
        if int(pid) == program:
            pids["keeper"] = int(pid)
        elif " -I -S -u -c " in command:
            pids["agent"] = int(pid)
    assert len(pids) == 3, listing
    return pids


def first_screens(place: Place, rounds: int) -> Figure:
    ours: list[float] = []
    peer: list[float] = []
    python = str(place.shell.path[0] / "python")
    for index in range(1 + rounds):
        with Screen(place, "devenv") as screen:
            # The header, a run configuration, the history and the footer: every part of the first screen.
            screen.shows(place.folder.name, "running", "printer.py", "noop.py", "quit")
            mine = screen.age()
        with Screen(place, python, "-c", BARE) as screen:
            screen.shows("one-word")
            theirs = screen.age()
        if index:
            ours.append(mine)
            peer.append(theirs)
    return Figure.of("TUI, first screen", "s", ours, "a bare Textual program", peer, Goal(0.7, "value"))


@contextlib.contextmanager
def printing(place: Place) -> Iterator[None]:
    place.devenv("run", "-d", "printer.py")
    try:
        yield
    finally:
        place.devenv("kill", "printer.py")


def measure(ground: Ground, scale: float) -> Iterator[Figure]:
    place = ground.place("screen", {"printer.py": PRINTER, "noop.py": ""})
    place.devenv("up")
    place.devenv("run", "noop.py")
    yield first_screens(place, max(3, int(9 * scale)))
    seconds = max(4.0, 15 * scale)
    with printing(place), Screen(place, "devenv") as screen:
        screen.shows("epoch 3 step")
        pids = behind(place)
        screen.drain(2)
        taken = shares({"TUI": screen.pid, **pids}, screen, seconds)
        assert screen.count > 1000 * seconds, "the output pane stands still"
        yield Figure("TUI while a run prints 10,000 lines/s", "% of a core", taken.pop("TUI"), goal=Goal(5, "value"))
        yield from _behind("TUI attached", taken)
    with Screen(place, "devenv", "run", "printer.py") as screen:
        screen.shows("epoch 3 step")
        pids = behind(place)
        screen.drain(2)
        taken = shares({"client": screen.pid, **pids}, screen, seconds)
        yield Figure("`devenv run` client, the same run", "% of a core", taken.pop("client"))
        yield from _behind("`devenv run` on a terminal", taken)
    place.devenv("kill", "printer.py")
    quiet = subprocess.DEVNULL
    with place.shell.start("devenv", "run", "printer.py", stdin=quiet, stdout=subprocess.PIPE, stderr=quiet) as process:
        assert process.stdout is not None
        eventually(lambda: place.json("runs")["runs"][0]["state"] == "running", "the run")
        pids = behind(place)
        reader = Reader(process.stdout.fileno())
        reader.drain(2)
        taken = shares(pids, reader, seconds)
        yield from _behind("`devenv run` into a pipe", taken)
        place.devenv("kill", "printer.py")
        process.kill()


def _behind(what: str, taken: Mapping[str, float]) -> Iterator[Figure]:
    parts = ", ".join(f"{name} {share:.1f}" for name, share in taken.items())
    whole = sum(taken.values())
    yield Figure(f"behind it, {what} ({parts})", "% of a core", whole, goal=Goal(15, "value"))
