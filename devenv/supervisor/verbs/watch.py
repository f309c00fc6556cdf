"""watch: snapshots for a front end, as they change. And the supervisor's own status and end."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import msgspec

from devenv.api.context import ClientContext
from devenv.api.messages import LogsArgs, ServiceArgs, WatchArgs
from devenv.engine.port import Engine
from devenv.errors import DevenvError
from devenv.supervisor import lifecycle_log
from devenv.supervisor.connection import Connection
from devenv.supervisor.live import Live
from devenv.supervisor.operation import Operation
from devenv.supervisor.registry import Registry
from devenv.supervisor.workbench import Workbench
from devenv.version import VERSION

_INTERVAL = 0.1  # seconds between two snapshots at least
_USAGE_EVERY = 2.0  # seconds


class WatchVerbs:
    def __init__(self, registry: Registry, live: Live, stop: Callable[[], None]) -> None:
        self._registry = registry
        self._live = live
        self._stop = stop
        self._started = time.time()

    async def watch(self, args: WatchArgs, ctx: ClientContext, connection: Connection) -> None:
        """Until the client goes: one snapshot at once, then one after each change; progress of long work as it is."""
        bench = await self._registry.find(args, ctx)
        if args.remember:
            self._registry.remember(bench)
        if bench.running:
            bench.start(self._connect(bench), "connect for a watcher")
        front = args.front
        bench.fronts.append(front)
        try:
            async with asyncio.TaskGroup() as group:
                usage = group.create_task(self._usage(bench))
                sender = group.create_task(self._send(bench, connection))
                await connection.wait_gone()
                usage.cancel()
                sender.cancel()
        finally:
            bench.fronts.remove(front)

    async def _connect(self, bench: Workbench) -> None:
        try:
            await self._live.connect(bench, None)
        except DevenvError as error:
            if error.message not in bench.notes:
                bench.notes.append(error.message)
            bench.changes.touch()

    async def _usage(self, bench: Workbench) -> None:
        while True:
            await bench.sample_usage()
            bench.changes.touch()
            await asyncio.sleep(_USAGE_EVERY)

    async def _send(self, bench: Workbench, connection: Connection) -> None:
        seen = -1
        heard: Operation | None = None
        while True:
            seen = await bench.changes.wait(seen)
            if bench.operation is not None and bench.operation is not heard:
                heard = bench.operation
                heard.listen(lambda message: bench.changes.touch())
                heard.when_done(bench.changes.touch)
            view = self._live.snapshot(bench)
            connection.send({"t": "event", "snapshot": msgspec.to_builtins(view)})
            await connection.drain()
            await asyncio.sleep(_INTERVAL)  # the rate limit: changes in between are in the next snapshot

    async def supervisor(self, args: ServiceArgs, ctx: ClientContext, connection: Connection) -> Any:
        benches = self._registry.all()
        facts = {
            "pid": os.getpid(),
            "version": VERSION,
            "started": self._started,
            "environments": [bench.target.local_folder for bench in benches],
            "state": str(self._registry.state),
        }
        if args.action in ("stop", "restart"):
            self._stop()
            return {**facts, "text": "the supervisor stops; runs go on, forwards come back with the next command"}
        folders = "\n".join(f"  {bench.target.name}  {bench.target.local_folder}" for bench in benches)
        return {**facts, "text": f"supervisor {VERSION}, pid {os.getpid()}, {len(benches)} environments\n{folders}"}

    async def build_log(self, args: LogsArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        path = bench.folder / "build.log"
        data = await asyncio.to_thread(path.read_bytes) if path.is_file() else b""
        data += await asyncio.to_thread(lifecycle_log.read, bench.folder)
        if args.tail is not None:
            data = data[-args.tail :]
        return {"text": data.decode("utf-8", "replace") or "no build yet\n"}

    async def container_log(self, args: LogsArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        engine: Engine = bench.engine
        container = bench.container
        data = await engine.logs(container.id, tail_lines=args.tail) if container is not None else b""
        return {"text": data.decode("utf-8", "replace")}
