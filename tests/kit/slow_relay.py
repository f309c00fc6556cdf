"""A network with a delay, in front of one port: what `tc netem` does, where the kernel has none.

Every byte arrives `delay` seconds after it was sent, in each direction, however many are under way. It can be cut:
then nothing comes through and nobody is told, as when a laptop sleeps. A process of its own, so that it ends whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

from tests.kit import rig

_PIECE = 64 << 10
_UNDER_WAY = 4 << 20  # bytes of one direction of one connection: what a network of that delay would hold


class SlowRelay:
    """Made by `slow_relay`: connect to `port` of 127.0.0.1 instead."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self.port = port

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        self._say(signal.SIGUSR1)
        try:
            yield
        finally:
            self._say(signal.SIGUSR2)

    def _say(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)
        assert self._process.stdout is not None
        self._process.stdout.readline()


@contextlib.contextmanager
def slow_relay(host: str, port: int, delay: float) -> Iterator[SlowRelay]:
    """`delay` in seconds, each way: the round trip is twice that."""
    words = [sys.executable, "-m", "tests.kit.slow_relay", host, str(port), str(delay)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=rig.ROOT) as process:
        assert process.stdout is not None
        try:
            yield SlowRelay(process, int(process.stdout.readline()))
        finally:
            process.kill()


class _Network:
    def __init__(self, host: str, port: int, delay: float) -> None:
        self._target = (host, port)
        self._delay = delay
        self._through = asyncio.Event()
        self._through.set()

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._set, False)
        loop.add_signal_handler(signal.SIGUSR2, self._set, True)
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    def _set(self, through: bool) -> None:
        if through:
            self._through.set()
        else:
            self._through.clear()
        print("done", flush=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._through.wait()
        try:
            there, to = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pump(reader, to), self._pump(there, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Reads on while earlier bytes are still under way."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_UNDER_WAY // _PIECE)

        async def deliver() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self._through.wait()
                if not data:
                    return
                sink.write(data)
                await sink.drain()

        async with asyncio.TaskGroup() as group:
            task = group.create_task(deliver())
            with contextlib.suppress(OSError):
                while data := await source.read(_PIECE):
                    await queue.put((loop.time() + self._delay, data))
            await queue.put((loop.time() + self._delay, b""))
            with contextlib.suppress(OSError):
                await task
        with contextlib.suppress(OSError):
            sink.close()


if __name__ == "__main__":
    asyncio.run(_Network(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])).serve())
