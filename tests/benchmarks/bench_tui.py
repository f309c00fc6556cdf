"""The terminal UI: time to the first screen, and its share of a core while a run prints 10,000 lines a second.

    python tests/benchmarks/bench_tui.py [--seconds 10] [--repeat 7] [-- COMMAND ...]

Without a command the demonstration over the fake client is measured (its output is made when it is read, so that the
writer costs nothing). With one, that command is: for example `devenv` in a project whose run prints fast.
Budgets: 0.7 s and 5 %. The peer of the first number is a Textual program that shows one word.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import re
import select
import signal
import statistics
import struct
import sys
import termios
import time

PEER = """
from textual.app import App
from textual.widgets import Static
class Peer(App):
    def compose(self):
        yield Static("digits-pytorch")
Peer().run()
"""
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[^\[]")


class Terminal:
    """A child on a terminal of 200 by 50."""

    def __init__(self, argv: list[str]) -> None:
        self.began = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execvp(argv[0], argv)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.seen = b""
        self.bytes = 0

    def read(self, seconds: float, until: bytes | None = None) -> float:
        """Reads for so long, or until the text was drawn. Returns the seconds since the start of the child."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                break
            data = os.read(self.fd, 65536)
            self.bytes += len(data)
            if until is not None:
                self.seen += data
                if until in ESCAPES.sub(b"", self.seen):
                    return time.perf_counter() - self.began
        if until is not None:
            raise SystemExit(f"{until!r} did not appear in {seconds} s; seen: {ESCAPES.sub(b'', self.seen)[-500:]!r}")
        return time.perf_counter() - self.began

    def cpu(self) -> float:
        """CPU seconds used so far, children included."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def first_screens(argv: list[str], word: bytes, repeat: int) -> tuple[float, float]:
    """Medians of our first screen and the peer's, taken in turns so that both meet the same load of the machine."""
    ours: list[float] = []
    peers: list[float] = []
    for _ in range(repeat):
        for times, command, text in (
            (ours, argv, word),
            (peers, [sys.executable, "-c", PEER], b"digits-pytorch"),
        ):
            terminal = Terminal(command)
            times.append(terminal.read(20, text))
            terminal.close()
    return statistics.median(ours), statistics.median(peers)


def share(argv: list[str], word: bytes, seconds: float) -> tuple[float, float]:
    """(share of a core, bytes a second written to the terminal) once it stands."""
    terminal = Terminal(argv)
    terminal.read(20, word)
    terminal.read(2)
    cpu, count, began = terminal.cpu(), terminal.bytes, time.perf_counter()
    terminal.read(seconds)
    took = time.perf_counter() - began
    result = (terminal.cpu() - cpu) / took, (terminal.bytes - count) / took
    terminal.close()
    return result


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--word", default="digits-pytorch", help="text that shows that the first screen stands")
    parser.add_argument("command", nargs="*")
    options = parser.parse_args()
    word = options.word.encode()
    demo = [sys.executable, "-m", "tui.demo"]
    fast = options.command or [*demo, "rushing"]
    screen, peer = first_screens(options.command or [*demo, "busy"], word, options.repeat)
    used, written = share(fast, word, options.seconds)
    idle, _ = (0.0, 0.0) if options.command else share([*demo, "ready"], word, options.seconds)
    bare = f"a bare Textual program {peer:.3f}, ratio {screen / peer:.2f}"
    rest = f"idle {idle:.1%}; {written / 1024:.0f} KiB/s drawn"
    print(f"first screen            {screen:.3f} s   (budget 0.700; {bare})")
    print(f"10,000 lines a second   {used:.1%} of a core   (budget 5 %; {rest})")
    print(json.dumps({"first_screen_s": screen, "peer_s": peer, "cpu_share": used, "idle_share": idle}))
    return 0 if screen < 0.7 and used < 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
