"""Debug runs under a keeper, behind the forward's door: what an IDE does, on both tiers of a real link."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import sys
from collections.abc import AsyncIterator

import pytest

from devenv.api.context import ClientContext
from devenv.config import DevenvConfig
from devenv.debug import pass_through
from devenv.debug.cache import DebugpyCache
from devenv.debug.spec import DebugOptions, debug_spec, endpoints_path
from devenv.errors import DebugError
from devenv.link.fakes import open_local_link
from devenv.link.port import Tier
from devenv.runs.resolve import LinkFiles, resolve_run
from tests.integration.debug.bench import Bench, Probe
from tests.kit.dap import DapClient

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
PARENT = """import subprocess, sys
print(subprocess.check_output([sys.executable, "child.py", "6"], text=True).strip())
"""
CHILD = """import sys
square = int(sys.argv[1]) ** 2
print("square", square)
"""


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


async def test_a_child_joins_through_the_same_door(bench: Bench) -> None:
    bench.write("parent.py", PARENT)
    script = bench.write("child.py", CHILD)
    run = await bench.debug("parent.py")

    def drive(client: DapClient) -> str:
        client.attach({script: [3]}, mappings=bench.mappings)
        client._pump(lambda: bool(client.children), "a child session", None)
        child = client.children[0]
        stop = child.stopped("breakpoint")
        frame = child.frames(stop["threadId"])[0]
        assert frame["source"]["path"] == str(script)
        square = child.evaluate("square", frame["id"])
        child.resume(stop["threadId"])
        client.event("terminated")
        client.request("disconnect")
        return square

    assert await bench.client(drive) == "36"
    assert (await bench.end(run))["exit_code"] == 0
    assert await bench.output(run) == "square 36\n"


async def test_children_run_free_when_subprocess_debugging_is_off(bench: Bench) -> None:
    bench.write("parent.py", PARENT)
    bench.write("child.py", CHILD)
    run = await bench.debug("parent.py", subprocess=False)
    await bench.client(lambda client: (client.attach({}, mappings=bench.mappings), client.event("terminated")))
    assert (await bench.end(run))["exit_code"] == 0
    assert await bench.output(run) == "square 36\n"


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
        proxy=await bench.delivery.place(bench.link, *pass_through.payload()),
        endpoints=endpoints_path(bench.link.hello.state_dir),
        options=DebugOptions(),
    )
    record = await bench.link.request("runs.start", run=broken.to_wire())
    bench.sessions.update([record])
    with pytest.raises(DebugError, match="ended with exit code 1 before a debugger could attach") as error:
        await asyncio.wait_for(bench.sessions.ready(record["id"]), 60)
    assert "no licence" in error.value.hint
