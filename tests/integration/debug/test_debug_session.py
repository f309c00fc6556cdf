"""Debug runs under a keeper, behind the forward's door: what an IDE does, on both tiers of a real link."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest

from devenv.api.context import ClientContext
from devenv.config import DevenvConfig
from devenv.debug.cache import DebugpyCache
from devenv.debug.delivery import Delivery
from devenv.debug.door import door_port
from devenv.debug.sessions import DebugSessions
from devenv.debug.spec import DebugOptions, debug_spec, endpoints_path
from devenv.errors import DebugError
from devenv.forward.forwarder import Forwarder
from devenv.forward.settings import ForwardSettings
from devenv.link.fakes import open_local_link
from devenv.link.port import Link, Tier
from devenv.runs.resolve import LinkFiles, resolve_run
from devenv.runs.workspace import WorkspacePaths
from tests.kit.dap import DapClient

T = TypeVar("T")

LOOP = """import sys, time
import helper

step = 0
while not helper.finished(step):
    step += 1
    time.sleep(0.01)
print("steps done")
"""
HELPER = """import pathlib

def finished(step):
    doubled = step * 2
    return pathlib.Path("stop").exists()
"""
CHILDREN = """import multiprocessing

def work(number):
    square = number * number
    return square

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [6, 7]))
"""


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
            probed=Probe(),
            ctx=ctx,
            kind="debug",
        )
        interpreter = await self.delivery.interpreter(self.link, spec.program.python, env=spec.env, cwd=spec.cwd)
        spec = debug_spec(
            spec,
            interpreter=interpreter,
            debugpy=await self.delivery.debugpy(self.link, interpreter),
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


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> DebugpyCache:
    return DebugpyCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(params=[Tier.DIRECT, Tier.STREAM])
async def bench(request: pytest.FixtureRequest, tmp_path: pathlib.Path, cache: DebugpyCache) -> AsyncIterator[Bench]:
    link = await open_local_link(tmp_path, request.param)
    made = Bench(tmp_path, link, cache)
    await made.open()
    try:
        yield made
    finally:
        for record in await link.request("runs.list"):
            if record["state"] in ("starting", "running"):
                with contextlib.suppress(Exception):
                    await link.request("runs.end", run=record["id"], force=True)
        await made.forwarder.close()
        await link.close()


async def test_a_whole_session(bench: Bench) -> None:
    bench.write("train.py", LOOP)
    helper = bench.write("helper.py", HELPER)
    run = await bench.debug("train.py", "--epochs", "3")
    view = bench.sessions.view(bench.door)
    assert (view.run, view.waiting) == (run, True)

    def first(client: DapClient) -> None:
        placed = client.attach({helper: [5]}, mappings=bench.mappings)
        assert [item["verified"] for item in placed[str(helper)]] == [True]
        stop = client.stopped("breakpoint")
        top, caller, *_ = client.frames(stop["threadId"])
        assert (top["name"], top["line"], top["source"]["path"]) == ("finished", 5, str(helper))
        assert caller["source"]["path"] == str(helper.with_name("train.py"))
        assert client.variables(top["id"])["doubled"] == "0"
        assert client.evaluate("doubled + step + 40", top["id"]) == "40"
        stepped = client.step_over(stop["threadId"])
        client.step_over(stepped["threadId"])
        assert client.frames(stop["threadId"])[0]["name"] in ("finished", "<module>")
        client.breakpoints(helper, [])
        client.resume(stop["threadId"])
        client.disconnect()

    def again(client: DapClient) -> None:
        client.attach({helper: [5]}, mappings=bench.mappings)
        stop = client.stopped("breakpoint")
        frame = client.frames(stop["threadId"])[0]
        assert int(client.variables(frame["id"])["step"]) > 0  # the same program, further on
        client.breakpoints(helper, [])
        client.resume(stop["threadId"])
        client.disconnect()

    await bench.client(first)
    assert not bench.sessions.view(bench.door).waiting
    await bench.client(again)
    bench.write("stop", "")
    record = await bench.end(run)
    assert (record["state"], record["exit_code"]) == ("exited", 0)
    assert await bench.output(run) == "steps done\n"
    assert await bench.sessions.target() is None


async def test_a_second_run_takes_the_door_and_the_first_goes_on(bench: Bench) -> None:
    bench.write("train.py", LOOP)
    helper = bench.write("helper.py", HELPER)
    first = await bench.debug("train.py", wait=False)
    second = await bench.debug("train.py")

    def drive(client: DapClient) -> int:
        client.attach({helper: [5]}, mappings=bench.mappings)
        stop = client.stopped("breakpoint")
        step = int(client.variables(client.frames(stop["threadId"])[0]["id"])["step"])
        client.breakpoints(helper, [])
        client.resume(stop["threadId"])
        client.disconnect()
        return step

    assert await bench.client(drive) == 0  # the one that waited
    assert bench.sessions.view(bench.door).run == second
    await bench.link.request("runs.end", run=second)
    assert (await bench.end(second))["state"] in ("exited", "signaled")
    assert bench.sessions.view(bench.door).run == first
    assert await bench.client(drive) > 0  # the first one is still there, and the door leads back to it
    bench.write("stop", "")
    assert (await bench.end(first))["exit_code"] == 0


async def test_children_join_through_the_same_door(bench: Bench) -> None:
    script = bench.write("pool.py", CHILDREN)
    run = await bench.debug("pool.py")

    def drive(client: DapClient) -> list[str]:
        client.attach({script: [5]}, mappings=bench.mappings)
        found = []
        for _ in range(2):
            child = _child(client)
            stop = child.stopped("breakpoint")
            found.append(child.variables(child.frames(stop["threadId"])[0]["id"])["square"])
            child.resume(stop["threadId"])
        client.event("terminated")
        client.disconnect()
        return found

    def _child(client: DapClient) -> DapClient:
        client._pump(lambda: bool(client.children), "a child session", None)
        return client.children[0]

    assert await bench.client(drive) == ["36", "49"]
    assert (await bench.end(run))["exit_code"] == 0
    assert await bench.output(run) == "[36, 49]\n"


async def test_children_run_free_when_subprocess_debugging_is_off(bench: Bench) -> None:
    bench.write("pool.py", CHILDREN)
    run = await bench.debug("pool.py", subprocess=False)
    await bench.client(lambda client: (client.attach({}, mappings=bench.mappings), client.event("terminated")))
    assert (await bench.end(run))["exit_code"] == 0
    assert await bench.output(run) == "[36, 49]\n"


async def test_the_adapter_ends_with_the_run(bench: Bench) -> None:
    bench.write("train.py", LOOP)
    bench.write("helper.py", HELPER)
    run = await bench.debug("train.py")  # waits for a debugger, so nothing of it has run
    record = await bench.link.request("runs.end", run=run)
    assert record["state"] in ("exited", "signaled")
    left = [
        line
        for line in await asyncio.to_thread(_command_lines)
        if bench.paths.container in line or bench.link.hello.state_dir in line
    ]
    assert not [line for line in left if "debugpy" in line], left


def _command_lines() -> list[str]:
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


async def test_a_script_that_does_not_start(bench: Bench) -> None:
    bench.write("train.py", "")
    (pathlib.Path(bench.paths.container) / "sitecustomize.py").write_text("raise SystemExit('no licence')")
    ctx = ClientContext(cwd=bench.paths.host, umask=0o022, env={}, uid=os.getuid())
    spec = await resolve_run(
        DevenvConfig(),
        "train.py",
        [],
        workspace=bench.paths,
        files=LinkFiles(bench.link),
        probed=Probe(),
        ctx=ctx,
    )
    interpreter = await bench.delivery.interpreter(bench.link, sys.executable, env=spec.env, cwd="/")
    broken = dataclasses.replace(spec, env={**spec.env, "PYTHONPATH": bench.paths.container})
    broken = debug_spec(
        broken,
        interpreter=interpreter,
        debugpy=await bench.delivery.debugpy(bench.link, interpreter),
        endpoints=endpoints_path(bench.link.hello.state_dir),
        options=DebugOptions(),
    )
    record = await bench.link.request("runs.start", run=broken.to_wire())
    bench.sessions.update([record])
    with pytest.raises(DebugError, match="ended with exit code 1 before a debugger could attach") as error:
        await asyncio.wait_for(bench.sessions.ready(record["id"]), 60)
    assert "no licence" in error.value.hint
