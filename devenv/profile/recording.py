"""Recording a running program with py-spy, until the time is over, the program ends, or somebody has seen enough.

What was recorded by then is kept in every case but one: when the link to the container breaks, py-spy is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from devenv.engine.exec_exit import exit_of
from devenv.errors import DevenvError, ProfileError
from devenv.profile.frames import clean
from devenv.profile.reach import Process, Way
from devenv.profile.spying import ENV, Spy, said, user_of

if TYPE_CHECKING:
    from devenv.link.port import Channel

_STDOUT = "/proc/self/fd/1"  # not /dev/stdout, which the container's root can point elsewhere
_IN_ORDER = 120.0  # seconds
_LIMIT = 512 << 20  # bytes of a recording
_BEGIN = b'{"$schema"'


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    seconds: float = 0.0  # 0: to the end
    rate: int = 100
    native: bool = False
    idle: bool = False
    gil: bool = False
    nonblocking: bool = False

    @property
    def folded(self) -> bool:
        """A long recording is kept as counted stacks, without the order of time: its size does not grow with it."""
        return not self.seconds or self.seconds > _IN_ORDER

    def argv(self, program: str, pid: int) -> list[str]:
        kind = "raw" if self.folded else "speedscope"
        words = [program, "record", "--format", kind, "--output", _STDOUT, "--full-filenames"]
        words += ["--subprocesses", "--rate", str(self.rate), "--pid", str(pid)]
        if self.seconds:
            words += ["--duration", str(max(1, round(self.seconds)))]
        chosen = {"native": self.native, "idle": self.idle, "gil": self.gil, "nonblocking": self.nonblocking}
        return words + [f"--{name}" for name, on in chosen.items() if on]


async def record(spy: Spy, process: Process, options: Options, enough: asyncio.Event) -> bytes:
    """What py-spy saw of a process and its children: folded stacks, or a speedscope file. `enough` ends it early.

    Raises ProfileError.
    """
    argv = options.argv(spy.program, process.pid)
    failure = ""
    for way in spy.ways(process):
        code, out, err = await _once(spy, way, process, argv, enough)
        begin = out.find(_BEGIN)
        if code == 0 and options.folded:
            return out
        if code == 0 and begin >= 0:
            return out[begin : out.rfind(b"}") + 1]  # py-spy's own remarks stand around it
        failure = said(err) or f"it ended with code {code}"
        if len(out) >= _LIMIT:
            raise ProfileError(
                "the recording is too big to be kept", "record for a shorter time, or with a lower --rate"
            )
        if enough.is_set():
            break
    raise ProfileError(
        f"py-spy could not record process {process.pid} ({clean(process.name)}): {failure}",
        "a program that ends within a moment cannot be caught; else see `devenv stack`, which says what is in the way",
    )


async def _once(
    spy: Spy, way: Way, process: Process, argv: Sequence[str], enough: asyncio.Event
) -> tuple[int, bytes, bytes]:
    parts = {1: bytearray(), 2: bytearray()}
    if way is Way.LINK:
        channel = await spy.spawn(argv)
        try:
            await channel.send_eof()
            async with _ended_by(enough, lambda: _signal(channel)):
                while (received := await channel.recv()) is not None:
                    _keep(parts, received)
            result = channel.result
        finally:
            await channel.close()
        return int(result.get("exit", 128 + int(result.get("signal", 0)))), bytes(parts[1]), bytes(parts[2])
    stream = await spy.engine.exec_stream(
        spy.container,
        argv,
        user=user_of(way, process),
        env=ENV,
        workdir="/",
        stdin=False,
        privileged=way is Way.PRIVILEGED,
    )
    try:
        async with _ended_by(enough, lambda: spy.interrupt(argv)):
            while (piece := await stream.read()) is not None:
                _keep(parts, piece)
        code = await exit_of(stream)
    finally:
        await stream.close()
    return code, bytes(parts[1]), bytes(parts[2])


async def _signal(channel: Channel) -> None:
    await channel.signal(signal.SIGINT)


def _keep(parts: dict[int, bytearray], piece: tuple[int, bytes]) -> None:
    kept = parts[1 if piece[0] == 1 else 2]
    kept += piece[1][: max(0, _LIMIT - len(kept))]


@contextlib.asynccontextmanager
async def _ended_by(enough: asyncio.Event, end: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    async def watch() -> None:
        await enough.wait()
        with contextlib.suppress(DevenvError):  # it has just ended by itself
            await end()

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
