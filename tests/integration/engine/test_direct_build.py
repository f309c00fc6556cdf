"""Builds through the engine's API beside Buildx, on the real engine."""

from __future__ import annotations

import asyncio
import os
import pathlib
import uuid
from collections.abc import AsyncIterator

import pytest

from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.port import BuildRequest
from devenv.errors import BuildFailed
from tests.unit.engine.recorder import Recorder

pytestmark = pytest.mark.engine

IMAGE = "devenv-rig/busybox"


@pytest.fixture
async def engine() -> AsyncIterator[DockerEngine]:
    made = await DockerEngine.connect(dict(os.environ))
    yield made
    await made.close()


@pytest.fixture
async def name(engine: DockerEngine) -> AsyncIterator[str]:
    made = f"devenv-test-direct:{uuid.uuid4().hex[:12]}"
    yield made
    await engine.remove_image(made)


def request(folder: pathlib.Path, name: str, dockerfile: str, *, direct: bool = True, log: str = "") -> BuildRequest:
    folder.mkdir(exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "file").write_text("content")
    (folder / "data" / "file").chmod(0o755)
    (folder / "Dockerfile").write_text(dockerfile)
    return BuildRequest(
        context=str(folder),
        dockerfile=str(folder / "Dockerfile"),
        tags=(name,),
        args={"BASE": IMAGE},
        base_is_local=direct,
        masked=("s3cret",),
        log_path=log,
    )


async def test_both_ways_share_their_layers(engine: DockerEngine, name: str, tmp_path: pathlib.Path) -> None:
    text = f"ARG BASE\nFROM $BASE\nCOPY data /data\nRUN --mount=type=bind,source=data,target=/in echo {name} >/made\n"
    progress, log = Recorder(), tmp_path / "log"
    one = await engine.build(request(tmp_path / "context", name, text, log=str(log)), progress)
    other = await engine.build(request(tmp_path / "context", name, text, direct=False), Recorder())
    assert one is not None and other is not None
    assert one.raw["RootFS"]["Layers"] == other.raw["RootFS"]["Layers"]
    titles = [title for _, title in progress.steps]
    assert any("RUN" in title for title in titles) and all(ok for _, ok, _ in progress.ended)
    assert f"RUN echo {name}" in log.read_text()


async def test_a_step_that_fails_is_named_with_its_lines(
    engine: DockerEngine, name: str, tmp_path: pathlib.Path
) -> None:
    text = f"FROM {IMAGE}\nRUN echo first s3cret; echo {name}; exit 3\n"
    log = tmp_path / "log"
    with pytest.raises(BuildFailed, match="RUN echo first") as caught:
        await engine.build(request(tmp_path / "context", name, text, log=str(log)), Recorder())
    assert caught.value.details["lines"] == ["first ********", name]
    assert "s3cret" not in log.read_text() and "first ********" in log.read_text()


async def test_a_dockerfile_that_cannot_be_read(engine: DockerEngine, name: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(BuildFailed, match="RNU"):
        await engine.build(request(tmp_path / "context", name, f"FROM {IMAGE}\nRNU x\n"), Recorder())


async def test_a_build_that_is_given_up_ends_in_the_engine(
    engine: DockerEngine, name: str, tmp_path: pathlib.Path
) -> None:
    mark = f"sleep 98{uuid.uuid4().int % 10**6}"
    progress = Recorder()
    work = asyncio.create_task(
        engine.build(request(tmp_path / "context", name, f"FROM {IMAGE}\nRUN {mark}\n"), progress)
    )
    for _ in range(200):
        if _running(mark):
            break
        await asyncio.sleep(0.05)
    assert _running(mark)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    for _ in range(100):
        if not _running(mark):
            break
        await asyncio.sleep(0.05)
    assert not _running(mark) and await engine.image(name) is None


def _running(command: str) -> bool:
    wanted = command.encode().replace(b" ", b"\0")
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cmdline").read_bytes().startswith(wanted):
                    return True
            except OSError:
                continue
    return False
