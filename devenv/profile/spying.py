"""Running py-spy in the container by the way that a process allows.

Concurrency: calls may overlap. A process that goes away meanwhile is a problem of its own line, never an error.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from devenv.delivery.inspect import collect
from devenv.engine.exec_exit import exit_of
from devenv.errors import EngineError, ProfileError
from devenv.link.answers import AgentRefusal
from devenv.profile.dump import Thread, parse
from devenv.profile.frames import clean
from devenv.profile.reach import Process, Way, refusal, remedy, ways

if TYPE_CHECKING:
    from devenv.engine.port import Engine
    from devenv.link.port import Channel, Link

_LIMIT = 32 << 20  # bytes of one process's stacks
_PATIENCE = 4.0  # seconds for one process; with its symbols (`native`) ten times that
_AT_ONCE = 4
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


class Spy:
    """`program` is py-spy's path in the container; `mounted`: where the container cannot change it."""

    def __init__(
        self, link: Link, engine: Engine, container: str, program: str, *, mounted: bool, uid: int, yama: int
    ) -> None:
        self._link = link
        self.engine = engine
        self.container = container
        self.program = program
        self._mounted = mounted
        self._uid = uid
        self._yama = yama

    def ways(self, process: Process) -> list[Way]:
        """Raises ProfileError with what is missing."""
        return ways(process, uid=self._uid, yama=self._yama, mounted=self._mounted)

    async def dump(
        self, processes: Sequence[Process], *, native: bool = False, variables: bool = False
    ) -> tuple[dict[int, list[Thread]], dict[int, tuple[str, str]]]:
        """(threads, problems) by process id. Programs without Python in them have neither."""
        threads: dict[int, list[Thread]] = {}
        problems: dict[int, tuple[str, str]] = {}
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(process: Process) -> None:
            async with gate:
                try:
                    threads[process.pid] = await self._dump(process, native, variables)
                except ProfileError as error:
                    if process.python or process.attach:
                        problems[process.pid] = (error.message, error.hint)

        async with asyncio.TaskGroup() as group:
            for process in processes:
                if process.state not in ("Z", "X"):
                    group.create_task(one(process))
        return threads, problems

    async def _dump(self, process: Process, native: bool, variables: bool) -> list[Thread]:
        argv = [self.program, "dump", "--json", "--pid", str(process.pid), *(["--native"] if native else [])]
        argv += ["--locals"] if variables else []
        # A thread in a system call that cannot be interrupted (a driver, a file server) cannot be paused either.
        blocking = process.state != "D"
        last = ""
        for way in self.ways(process):
            for pause in (True, False) if blocking else (False,):
                try:
                    async with asyncio.timeout(_PATIENCE * (10 if native else 1)):
                        code, out, err = await self.run(way, process, argv if pause else [*argv, "--nonblocking"])
                except TimeoutError:
                    last = "it did not answer in time"
                    continue
                except EngineError as error:
                    last = error.message
                    break
                if code == 0:
                    found = parse(out)
                    # Not paused, every thread seems to run.
                    return found if pause else [dataclasses.replace(t, active=False, gil=False) for t in found]
                last = said(err) or f"it ended with code {code}"
                break
        if process.attach:
            raise ProfileError(refusal(process, uid=self._uid, yama=self._yama), remedy(self._yama))
        if not process.python:
            raise ProfileError(f"no Python was found in process {process.pid} ({clean(process.name)}): {last}")
        raise ProfileError(
            f"py-spy cannot read process {process.pid} ({clean(process.name)}): {last}",
            "a static or stripped interpreter hides where its threads are; one from python.org, conda or a distribution"
            " does not",
        )

    async def run(self, way: Way, process: Process, argv: Sequence[str]) -> tuple[int, bytes, bytes]:
        """py-spy to its end: exit code (128 and more for a signal), stdout, stderr."""
        if way is Way.LINK:
            channel = await self.spawn(argv)
            try:
                await channel.send_eof()
                out, err, result = await collect(channel, _LIMIT)
            finally:
                await channel.close()
            return int(result.get("exit", 128 + int(result.get("signal", 0)))), out, err
        stream = await self.engine.exec_stream(
            self.container,
            argv,
            user=user_of(way, process),
            env=ENV,
            workdir="/",
            stdin=False,
            privileged=way is Way.PRIVILEGED,
        )
        parts = {1: bytearray(), 2: bytearray()}
        try:
            while (piece := await stream.read()) is not None:
                kept = parts[1 if piece[0] == 1 else 2]
                kept += piece[1][: max(0, _LIMIT - len(kept))]
            code = await exit_of(stream)
        finally:
            await stream.close()
        return code, bytes(parts[1]), bytes(parts[2])

    async def interrupt(self, argv: Sequence[str]) -> None:
        """Ctrl-C for a py-spy that the engine started with exactly these words."""
        listed = await self._link.request("processes", program=argv[0])
        for item in listed["processes"]:
            if item["argv"] == list(argv):
                words = ["/bin/sh", "-c", 'kill -INT "$1"', "sh", str(item["pid"])]
                await self.engine.exec_capture(self.container, words, user="0", timeout=10.0)

    async def spawn(self, argv: Sequence[str]) -> Channel:
        try:
            return await self._link.spawn(argv, env=ENV, cwd="/")
        except AgentRefusal as refusal:
            raise ProfileError(
                f"py-spy cannot be started in the container: {refusal.message}",
                "its folder there may forbid programs (noexec); `devenv rebuild` mounts devenv's own",
            ) from refusal


def user_of(way: Way, process: Process) -> str:
    return "0:0" if way is Way.PRIVILEGED else f"{process.uid}:{process.gid}"


def said(stderr: bytes) -> str:
    """The line of py-spy's stderr that says what went wrong."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    for line in lines:
        if line.startswith(("Error:", "Permission")):
            return clean(line.removeprefix("Error:").strip())
    return clean(lines[-1]) if lines else ""
