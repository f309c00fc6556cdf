"""One environment as the supervisor holds it, reduced to debugging: link, sessions, delivery and the door."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from devenv.api.context import ClientContext
from devenv.config import DevenvConfig
from devenv.debug import pass_through
from devenv.debug.cache import DebugpyCache
from devenv.debug.delivery import Delivery
from devenv.debug.door import door_port
from devenv.debug.sessions import DebugSessions
from devenv.debug.spec import DebugOptions, debug_spec, endpoints_path
from devenv.forward.forwarder import Forwarder
from devenv.forward.settings import ForwardSettings
from devenv.link.port import Link
from devenv.runs.resolve import LinkFiles, resolve_run
from devenv.runs.workspace import WorkspacePaths
from tests.kit.dap import DapClient

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Probe:
    python: str = sys.executable
    shell: str = "/bin/sh"

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}


class Bench:
    """One environment: link, sessions, door. The "container" is this machine with the project in another folder."""

    def __init__(self, tmp_path: pathlib.Path, link: Link, cache: DebugpyCache) -> None:
        self.link = link
        self.paths = WorkspacePaths(str(tmp_path / "host"), str(tmp_path / "inside"))
        self.sessions = DebugSessions()
        self.sessions.set_link(link)
        self.delivery = Delivery(cache, None)
        self.records: dict[str, dict[str, Any]] = {}
        self.ended: dict[str, asyncio.Event] = {}
        link.subscribe(self._on_event)
        store = tmp_path / "ports.json"
        settings = ForwardSettings(detect=False)
        self.forwarder = Forwarder("key", store, settings, time.monotonic, lambda: None)
        self.door = 0
        self.probe = Probe()

    def write(self, name: str, text: str) -> pathlib.Path:
        """The host's path of a file of the project."""
        for root in (self.paths.host, self.paths.container):
            path = pathlib.Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return pathlib.Path(self.paths.host, name)

    def _on_event(self, event: dict[str, Any]) -> None:
        if event.get("event") == "run":
            record = event["record"]
            self.sessions.update([record])
            self.records[record["id"]] = record
            if record["state"] not in ("starting", "running"):
                self.ended.setdefault(record["id"], asyncio.Event()).set()

    async def open(self) -> None:
        await self.forwarder.set_link(self.link)
        view = await self.forwarder.expose_door("debug", door_port(str(self.paths.host)), self.sessions.target)
        assert view.host_port is not None
        self.door = view.host_port

    async def debug(self, target: str, *args: str, wait: bool = True, subprocess: bool = True) -> str:
        ctx = ClientContext(cwd=self.paths.host, umask=0o022, env={}, uid=os.getuid())
        spec = await resolve_run(
            DevenvConfig(),
            target,
            args,
            workspace=self.paths,
            files=LinkFiles(self.link),
            probed=self.probe,
            ctx=ctx,
            kind="debug",
        )
        interpreter = await self.delivery.interpreter(self.link, spec.program.python, env=spec.env, cwd=spec.cwd)
        spec = debug_spec(
            spec,
            interpreter=interpreter,
            debugpy=await self.delivery.debugpy(self.link, interpreter),
            proxy=await self.delivery.place(self.link, *pass_through.payload()),
            endpoints=endpoints_path(self.link.hello.state_dir),
            options=DebugOptions(wait=wait, subprocess=subprocess),
        )
        record = await self.link.request("runs.start", run=spec.to_wire())
        self.sessions.update([record])
        run: str = record["id"]
        await asyncio.wait_for(self.sessions.ready(run), 60)
        return run

    async def client(self, drive: Callable[[DapClient], T]) -> T:
        """A debugger of an IDE, which blocks, in a thread of its own."""

        def work() -> T:
            with DapClient(self.door) as client:
                return drive(client)

        return await asyncio.to_thread(work)

    async def end(self, run: str) -> dict[str, Any]:
        await asyncio.wait_for(self.ended.setdefault(run, asyncio.Event()).wait(), 60)
        return self.records[run]

    async def output(self, run: str) -> str:
        channel = await self.link.attach(run, input=False)
        out = b""
        while (received := await channel.recv()) is not None:
            out += received[1] if received[0] == 1 else b""
        return out.decode()

    @property
    def mappings(self) -> list[tuple[str | pathlib.Path, str]]:
        return [(self.paths.host, self.paths.container)]
