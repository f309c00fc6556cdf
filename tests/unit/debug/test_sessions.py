from __future__ import annotations

import asyncio
import json
import os
import pathlib
from typing import Any

import pytest

from devenv.debug.attach.book import Entry
from devenv.debug.sessions import DebugSessions
from devenv.errors import DebugError
from devenv.forward.table import Destination
from tests.integration.debug.local_link import LocalLink


def record(tmp_path: pathlib.Path, run: str, started: float, *, wait: bool = True, **more: Any) -> dict[str, Any]:
    debug = {"endpoints": str(tmp_path / f"{run}.json"), "wait": wait}
    base = {
        "id": run,
        "name": "train",
        "kind": "debug",
        "state": "running",
        "started": started,
        "meta": {"debug": debug},
    }
    return {**base, **more}


def ready(tmp_path: pathlib.Path, run: str, port: int) -> None:
    (tmp_path / f"{run}.json").write_text(json.dumps({"client": {"host": "127.0.0.1", "port": port}}))


async def test_the_door_leads_to_who_waits_then_to_the_newest(tmp_path: pathlib.Path) -> None:
    sessions = DebugSessions()
    assert await sessions.target() is None
    sessions.set_link(LocalLink(tmp_path))
    sessions.update([record(tmp_path, "a", 1.0), {"id": "x", "kind": "run", "state": "running"}])
    assert await sessions.target() is None  # not ready yet
    ready(tmp_path, "a", 4001)
    assert sessions.view(20000).waiting
    assert await sessions.target() == Destination(4001)
    assert not sessions.view(20000).waiting
    assert await sessions.target() == Destination(4001)  # disconnected and back

    sessions.update([record(tmp_path, "b", 2.0)])
    ready(tmp_path, "b", 4002)
    assert await sessions.target() == Destination(4002)
    assert sessions.view(20000).run == "b"

    sessions.update([record(tmp_path, "c", 3.0, wait=False)])
    ready(tmp_path, "c", 4003)
    assert await sessions.target() == Destination(4003)

    sessions.update([record(tmp_path, "c", 3.0, state="exited", exit_code=0)])
    assert await sessions.target() == Destination(4002)
    sessions.forget("b")
    assert await sessions.target() == Destination(4001)
    sessions.set_link(None)
    assert await sessions.target() is None


async def test_a_waiting_run_comes_before_a_newer_one_that_does_not_wait(tmp_path: pathlib.Path) -> None:
    sessions = DebugSessions()
    sessions.set_link(LocalLink(tmp_path))
    sessions.update([record(tmp_path, "old", 1.0), record(tmp_path, "new", 2.0, wait=False)])
    ready(tmp_path, "old", 4001)
    ready(tmp_path, "new", 4002)
    assert await sessions.target() == Destination(4001)
    assert await sessions.target() == Destination(4002)


async def test_ready_waits_for_the_whole_file(tmp_path: pathlib.Path) -> None:
    sessions = DebugSessions()
    sessions.set_link(LocalLink(tmp_path))
    sessions.update([record(tmp_path, "a", 1.0)])
    waiting = asyncio.create_task(sessions.ready("a"))
    (tmp_path / "a.json").write_text('{"client": {"ho')
    await asyncio.wait({waiting}, timeout=0.1)
    assert not waiting.done()
    ready(tmp_path, "a", 4001)
    assert await asyncio.wait_for(waiting, 20) == 4001


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ({"state": "exited", "exit_code": 2}, "ended with exit code 2"),
        ({"state": "signaled", "signal": 11}, "was ended by signal 11"),
        ({"state": "oom"}, "ran out of memory"),
        ({"state": "failed", "reason": "no such file"}, "did not run (no such file)"),
        ({"state": "lost"}, "did not run (lost)"),
    ],
)
async def test_death_before_a_debugger_came(tmp_path: pathlib.Path, end: dict[str, Any], words: str) -> None:
    link = LocalLink(tmp_path)
    link.output["a"] = b"Traceback\nModuleNotFoundError: No module named 'torch'\n\xff\n"
    sessions = DebugSessions()
    sessions.set_link(link)
    sessions.update([record(tmp_path, "a", 1.0)])
    waiting = asyncio.create_task(sessions.ready("a"))
    await asyncio.sleep(0)
    sessions.update([record(tmp_path, "a", 1.0, **end)])
    with pytest.raises(DebugError) as error:
        await asyncio.wait_for(waiting, 20)
    assert words in error.value.message
    assert "No module named 'torch'" in error.value.hint


async def test_without_a_link(tmp_path: pathlib.Path) -> None:
    sessions = DebugSessions()
    sessions.update([record(tmp_path, "a", 1.0)])
    with pytest.raises(DebugError, match="does not answer"):
        await sessions.ready("a")


async def test_a_program_that_was_attached_to(tmp_path: pathlib.Path) -> None:
    """Its run is no debug run; it ends with its process, its adapter, or its run."""
    sessions, link = DebugSessions(), LocalLink(tmp_path)
    sessions.set_link(link)
    for key, port in (("20260101-100000-abcd", 4001), ("process-1", 4002)):
        (tmp_path / f"{key}.json").write_text("{}")  # the adapter's
        (tmp_path / f"{key}.json.front").write_text(json.dumps({"client": {"host": "127.0.0.1", "port": port}}))
    run = {"id": "20260101-100000-abcd", "name": "train.py", "kind": "run", "state": "running", "started": 1.0}
    files = [str(tmp_path / f"{key}.json.front") for key in ("20260101-100000-abcd", "process-1")]
    sessions.adopt(Entry("box", "10:00", run["id"], "train.py", os.getpid(), files[0], 2.0), run)  # type: ignore[arg-type]
    found = await sessions.target()
    assert found is not None and found.port == 4001
    sessions.adopt(Entry("box", "10:00", "process-1", "process 1", os.getpid(), files[1], 3.0), None)
    found = await sessions.target()
    assert found is not None and found.port == 4002
    assert sessions.knows("process-1")

    (tmp_path / "process-1.json").unlink()  # the adapter was killed
    found = await sessions.target()
    assert found is not None and found.port == 4001
    sessions.update([{**run, "state": "exited", "exit_code": 0}])
    assert await sessions.target() is None
