"""The pass-through alone: one debugpy behind it, one without it, asked the same things in turns on this machine.

Both programs stand at a breakpoint under the same delivered debugpy. What counts is the answer to one small request,
there and back; the machine's other work meets both, so that a p99 is looked at for each hundred of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import devenv.debug.proxy
from devenv.debug.cache import DebugpyCache
from devenv.debug.versions import Interpreter, choose
from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.ground import cpu_seconds
from tests.kit.dap import DapClient
from tests.kit.waiting import eventually

PROGRAM = "total = 0\nfor step in range(9):\n    total += step\n"
LINE = 3
BLOCK = 100  # pairs
LARGE = 50_000_000  # bytes of one value

Ask = Callable[["Side"], tuple[str, Mapping[str, Any]]]


class Side:
    """A program that stands at a breakpoint, and a client that is quick: it reads no JSON but what it waits for."""

    def __init__(self, folder: Path, debugpy: Path, *, through: bool) -> None:
        (folder / "program.py").write_text(PROGRAM)
        adapter, endpoints = folder / "adapter.json", folder / "endpoints.json"
        words = [sys.executable, "-Xfrozen_modules=off", str(debugpy / "debugpy"), "--listen", "127.0.0.1:0"]
        words += ["--wait-for-client", "program.py"]
        if through:
            start = Path(devenv.debug.proxy.__file__).with_name("start.py")
            files = ["--adapter", str(adapter), "--endpoints", str(endpoints)]
            words = [sys.executable, "-E", "-s", "-S", str(start), "wrap", *files, "--", *words]
        env = {**os.environ, "DEBUGPY_ADAPTER_ENDPOINTS": str(adapter), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        self.process = subprocess.Popen(words, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        told = endpoints if through else adapter
        port = eventually(lambda: int(json.loads(told.read_text())["client"]["port"]), "the port", 30)
        self.client = DapClient(port)
        self.client.attach({f"/elsewhere{folder}/program.py": [LINE]}, mappings=[(f"/elsewhere{folder}", str(folder))])
        self.thread = self.client.stopped("breakpoint")["threadId"]
        self.frame = self.client.frames(self.thread)[0]["id"]
        self._left = self.client._received
        self._number = 1 << 20

    def close(self) -> None:
        self.client.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, command: str, arguments: Mapping[str, Any]) -> float:
        """Seconds from the request to the last byte of its answer."""
        self._number += 1
        body = json.dumps({"seq": self._number, "type": "request", "command": command, "arguments": arguments}).encode()
        began = time.perf_counter()
        self.client._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        while True:
            answer = self._message()
            if answer[:200].replace(b" ", b"").find(b'"request_seq":%d,' % self._number) > 0:
                took = time.perf_counter() - began
                assert b'"success":true' in answer[:200].replace(b" ", b""), answer[:200]
                return took

    def _message(self) -> bytes:
        while (end := self._left.find(b"\r\n\r\n")) < 0:
            self._left += self._read()
        length = int(self._left[:end].rpartition(b":")[2])
        whole = bytearray(self._left[end + 4 :])
        while len(whole) < length:
            whole += self._read()
        self._left = bytes(whole[length:])
        return bytes(whole[:length])

    def _read(self) -> bytes:
        piece = self.client._socket.recv(1 << 20)
        assert piece, "the adapter closed the connection"
        return piece


@contextlib.contextmanager
def sides() -> Iterator[tuple[Side, Side]]:
    """(debugpy's adapter itself, the same behind the pass-through)"""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        cache = DebugpyCache(Path(name, "cache"))
        version = (sys.version_info[0], sys.version_info[1], sys.version_info[2])
        debugpy = cache.tree(choose(Interpreter(sys.executable, version, os.uname().machine, (2, 36)), cache.own))
        made = []
        for word in ("direct", "through"):
            folder = Path(name, word)
            folder.mkdir()
            made.append(stack.enter_context(contextlib.closing(Side(folder, debugpy, through=word == "through"))))
        yield made[0], made[1]


def in_turns(direct: Side, through: Side, count: int, ask: Ask) -> tuple[list[float], list[float]]:
    """Milliseconds of each; who is first changes."""
    found: dict[Side, list[float]] = {direct: [], through: []}
    for index in range(BLOCK + count):
        for side in (direct, through) if index % 2 else (through, direct):
            took = side.ask(*ask(side)) * 1e3
            if index >= BLOCK:
                found[side].append(took)
    return found[direct], found[through]


def p99(values: Sequence[float]) -> float:
    return sorted(values)[max(0, -(-len(values) * 99 // 100) - 1)]


def added(direct: Sequence[float], through: Sequence[float]) -> float:
    """How much higher the p99 is: of each hundred, and the median of those."""
    starts = range(0, len(direct) - BLOCK + 1, BLOCK)
    return statistics.median(p99(through[at : at + BLOCK]) - p99(direct[at : at + BLOCK]) for at in starts)


def pass_through_of(program: int) -> int:
    """It is forked before the program is executed, and carries the program's words."""
    words = Path(f"/proc/{program}/cmdline").read_bytes().split(b"\0")
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            said = path.read_bytes().split(b"\0")
            if b"wrap" in said and said[said.index(b"--") + 1 :] == words:
                return int(path.parent.name)
    raise AssertionError("no pass-through")


SMALL: Mapping[str, Ask] = {
    "threads": lambda side: ("threads", {}),
    "evaluate": lambda side: ("evaluate", {"expression": "total", "frameId": side.frame, "context": "watch"}),
    "stackTrace": lambda side: ("stackTrace", {"threadId": side.thread}),  # the one with paths
}


def measure(scale: float) -> Iterator[Figure]:
    count = max(2, round(20 * scale)) * BLOCK
    peer = "debugpy's adapter"
    with sides() as (direct, through):
        process = pass_through_of(through.process.pid)
        before = cpu_seconds(process)
        for name, ask in SMALL.items():
            theirs, ours = in_turns(direct, through, count, ask)
            what = f"pass-through, {name}"
            yield Figure.of(f"{what}, p50", "ms", ours, peer, theirs)
            yield Figure(f"{what}, p99", "ms", p99(ours), peer, p99(theirs))
            differences = [mine - other for mine, other in zip(ours, theirs, strict=True)]
            yield Figure.of(f"{what}, adds to p50", "ms", differences)
            yield Figure(f"{what}, adds to p99", "ms", added(theirs, ours), goal=Goal(1.0, of="value"))
        trips = len(SMALL) * (count + BLOCK)
        spent = (cpu_seconds(process) - before) / trips * 1e3
        yield Figure("pass-through, its CPU for a request and the answer", "ms", spent)
        theirs, ours = [], []
        for _ in range(5):
            for side, kept in ((direct, theirs), (through, ours)):
                large = {"expression": f"'x' * {LARGE}", "frameId": side.frame, "context": "clipboard"}
                kept.append(side.ask("evaluate", large))
        yield Figure.of(f"pass-through, a value of {LARGE // 1_000_000} MB", "s", ours, peer, theirs)
