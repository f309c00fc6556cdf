"""debugpy for every interpreter at hand: delivered, started, joined by a real client, without pip in the target."""

from __future__ import annotations

import asyncio
import os
import pathlib
import re
import sys
import uuid

import pytest

from devenv.debug import pass_through
from devenv.debug.cache import DebugpyCache
from devenv.debug.delivery import Delivery
from devenv.debug.sessions import DebugSessions
from devenv.debug.spec import DebugOptions, debug_spec, endpoints_path
from devenv.errors import DebugError
from devenv.forward.table import Destination
from devenv.runs.spec import Program, ProgramKind, RunSpec
from tests.integration.debug.interpreters import interpreter
from tests.integration.debug.local_link import LocalChannel, LocalLink
from tests.kit.dap import DapClient

MINORS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
SCRIPT = """import sys

def add(a, b):
    total = a + b
    return total

print(add(40, 2), sys.argv[1])
"""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> DebugpyCache:
    return DebugpyCache(tmp_path_factory.mktemp("debugpy-cache"))


def record(spec: RunSpec, run: str, **more: object) -> dict[str, object]:
    return {
        "id": run,
        "name": spec.name,
        "kind": "debug",
        "state": "running",
        "started": 1.0,
        "meta": spec.meta,
        **more,
    }


async def start(
    link: LocalLink, cache: DebugpyCache, project: pathlib.Path, python: str, script: str, *, wait: bool = True
) -> tuple[RunSpec, LocalChannel]:
    delivery = Delivery(cache, None)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(project / "own")}
    found = await delivery.interpreter(link, python, env=env, cwd=str(project))
    folder = await delivery.debugpy(link, found)
    program = Program(ProgramKind.SCRIPT, script, ("argument",), python)
    spec = RunSpec("train", "run", program, env, str(project), program.argv)
    state = link.hello.state_dir
    spec = debug_spec(
        spec,
        interpreter=found,
        debugpy=folder,
        proxy=await delivery.place(link, *pass_through.payload()),
        endpoints=endpoints_path(state),
        options=DebugOptions(wait=wait),
    )
    return spec, await link.spawn(spec.argv, env=spec.env, cwd=spec.cwd)


async def drain(channel: LocalChannel) -> tuple[str, str]:
    out, err = b"", b""
    while (received := await channel.recv()) is not None:
        if received[0] == 1:
            out += received[1]
        else:
            err += received[1]
    return out.decode(), err.decode()


@pytest.mark.parametrize("minor", MINORS)
async def test_breakpoint_by_host_path_is_hit(minor: str, cache: DebugpyCache, tmp_path: pathlib.Path) -> None:
    python = interpreter(minor)
    container, host = tmp_path / "container", tmp_path / "host"
    for folder in (container, host):
        folder.mkdir()
        (folder / "train.py").write_text(SCRIPT)
    link = LocalLink(tmp_path)
    sessions = DebugSessions()
    sessions.set_link(link)
    spec, channel = await start(link, cache, container, python, "train.py")
    try:
        sessions.update([record(spec, "r1")])
        port = await sessions.ready("r1")
        assert await sessions.target() == Destination(port)

        def drive() -> tuple[dict[str, str], str]:
            with DapClient(port) as client:
                placed = client.attach(
                    {host / "train.py": [5]},
                    mappings=[(host, str(container))],
                    connect={"host": "127.0.0.1", "port": port},
                )
                assert [item["verified"] for item in placed[str(host / "train.py")]] == [True]
                stop = client.stopped("breakpoint")
                frame = client.frames(stop["threadId"])[0]
                assert frame["source"]["path"] == str(host / "train.py")
                found = client.variables(frame["id"])
                value = client.evaluate("total * 2", frame["id"])
                client.resume(stop["threadId"])
                client.event("terminated")
                client.disconnect()
                return found, value

        found, value = await asyncio.to_thread(drive)
        assert (found["total"], value) == ("42", "84")
        out, err = await drain(channel)
        assert out == "42 argument\n"
        assert channel.result == {"exit": 0}, err
        assert "frozen modules" not in err
    finally:
        await channel.close()


async def test_delivery_is_made_once_and_mounted_payload_needs_no_unpacking(
    cache: DebugpyCache, tmp_path: pathlib.Path
) -> None:
    link = LocalLink(tmp_path / "state")
    own = interpreter(f"3.{sys.version_info[1]}")
    unpacked = Delivery(cache, None)
    found = await unpacked.interpreter(link, own, env={}, cwd="/")
    first = await unpacked.debugpy(link, found)
    assert await unpacked.debugpy(link, found) == first
    assert link.requests.count("unpack") == 1
    assert pathlib.Path(first, "debugpy", "__init__.py").exists()

    link.requests.clear()
    mounted = Delivery(cache, tmp_path / "payload")
    name = await mounted.debugpy(link, found)
    assert name == f"/run/devenv/payload/{pathlib.Path(first).name}"
    assert "unpack" not in link.requests
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "payload").rglob("*") if path.is_file()} == {0o644}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "payload").rglob("*") if path.is_dir()} == {0o755}
    kinds = {path.suffix for path in (tmp_path / "payload").rglob("*") if path.is_file()}
    assert kinds.isdisjoint({".dll", ".pyd", ".exe", ".pyc", ".dylib"})


@pytest.mark.parametrize("minor", ["3.6", "3.8", "3.12"])
@pytest.mark.parametrize("mounted", [True, False], ids=["mounted", "sent"])
async def test_bytecode_is_made_ahead_and_used(
    minor: str, mounted: bool, cache: DebugpyCache, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = interpreter(minor)
    link = LocalLink(tmp_path / "state")
    payload = tmp_path / "payload"
    monkeypatch.setattr("devenv.delivery.placing.MOUNTED_PAYLOAD", str(payload))  # the same folder under both names
    delivery = Delivery(cache, payload if mounted else None)
    env = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    await delivery.prepare(link, python, env=env, cwd="/")
    found = await delivery.interpreter(link, python, env=env, cwd="/")
    folder = await delivery.debugpy(link, found)
    module = pathlib.Path(folder, "debugpy", "server", "cli.py")
    made = module.parent / "__pycache__" / f"cli.{found.cache_tag}.pyc"
    assert made.exists()
    # The interpreter takes it: the source is compiled again only when the bytecode does not fit.
    channel = await link.spawn([python, "-v", "-c", "import debugpy"], env={**env, "PYTHONPATH": folder}, cwd="/")
    _, err = await drain(channel)
    await channel.close()
    assert f"matches {folder}/debugpy/__init__.py" in err
    link.requests.clear()
    await delivery.prepare(link, python, env=env, cwd="/")
    assert "spawn" not in link.requests


async def test_a_script_that_dies_before_a_debugger_attaches(cache: DebugpyCache, tmp_path: pathlib.Path) -> None:
    (tmp_path / "train.py").write_text("import sys\nprint('no data set')\nsys.exit(3)\n")
    link = LocalLink(tmp_path / "state")
    (tmp_path / "state").mkdir()
    sessions = DebugSessions()
    sessions.set_link(link)
    spec, channel = await start(link, cache, tmp_path, sys.executable, "missing.py", wait=False)
    run = uuid.uuid4().hex
    sessions.update([record(spec, run)])
    waiting = asyncio.create_task(sessions.ready(run))
    _, err = await drain(channel)
    link.output[run] = err.encode()
    await channel.close()
    sessions.update([record(spec, run, state="exited", exit_code=channel.result["exit"])])
    # The adapter may have been ready for a moment: then the run was reachable, and its end is the run's own news.
    try:
        assert isinstance(await waiting, int)
    except DebugError as error:
        assert "ended with exit code 1 before a debugger could attach" in error.message
        assert re.search("missing.py", error.hint)
    assert await sessions.target() is None
