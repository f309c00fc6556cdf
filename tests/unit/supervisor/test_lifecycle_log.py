"""What lifecycle commands print is kept beside the build log."""

from __future__ import annotations

import asyncio
import pathlib

import pytest

from devenv.supervisor import lifecycle_log
from devenv.supervisor.operation import Operation, Telling


async def run(folder: pathlib.Path, *lines: str, key: str = "hook:postCreateCommand:") -> None:
    async def work(telling: Telling) -> None:
        telling.step(key, "postCreateCommand: make")
        for line in lines:
            telling.line(key, line)
        telling.done(key)

    operation = Operation("up", work)
    lifecycle_log.keep(operation, folder)
    done = asyncio.Event()
    operation.when_done(done.set)
    await done.wait()
    await asyncio.sleep(0)


async def test_the_last_time_is_kept(tmp_path: pathlib.Path) -> None:
    assert lifecycle_log.read(tmp_path) == b""
    await run(tmp_path, "old")
    await run(tmp_path, "one", "two\n")
    assert lifecycle_log.read(tmp_path) == b"postCreateCommand: make\none\ntwo\n"
    await run(tmp_path, "a step of the image", key="image")
    assert lifecycle_log.read(tmp_path) == b"postCreateCommand: make\none\ntwo\n"


async def test_it_does_not_grow_without_end(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle_log, "_MOST", 40)
    await run(tmp_path, "x" * 30, "more")
    kept = lifecycle_log.read(tmp_path).decode()
    assert kept.endswith("[what follows was not kept]\n") and "more" not in kept


async def test_a_folder_that_is_gone_is_no_error(tmp_path: pathlib.Path) -> None:
    await run(tmp_path / "gone", "line")
    assert lifecycle_log.read(tmp_path / "gone") == b""
