"""An engine that goes away and comes back, behind a relay that the test can cut; and one that may not be used."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import socket
from collections.abc import AsyncIterator

import pytest

from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.port import EngineEvent
from devenv.errors import DevenvError, EngineDenied, EngineMissing

pytestmark = pytest.mark.engine


class Relay:
    """A socket in front of the engine's own."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))

    async def cut(self) -> None:
        """Nobody listens any more, and every connection breaks."""
        assert self._server is not None
        self._server.close()
        self.path.unlink(missing_ok=True)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_unix_connection("/var/run/docker.sock")
            ways = [
                asyncio.create_task(self._copy(reader, far_writer)),
                asyncio.create_task(self._copy(far_reader, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                far_writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@pytest.fixture
async def relay(tmp_path: pathlib.Path) -> AsyncIterator[Relay]:
    made = Relay(tmp_path / "engine.sock")
    await made.open()
    yield made
    await made.cut()


async def test_lost_and_back(relay: Relay) -> None:
    engine = await DockerEngine.connect({**os.environ, "DOCKER_HOST": f"unix://{relay.path}"})
    seen: asyncio.Queue[EngineEvent] = asyncio.Queue()

    async def watch() -> None:
        async for event in engine.events():
            if event.type == "engine":
                seen.put_nowait(event)

    task = asyncio.create_task(watch())
    try:
        await asyncio.sleep(0.3)  # the engine says nothing when a subscription has begun
        assert seen.empty()
        await relay.cut()
        assert (await asyncio.wait_for(seen.get(), 20)).action == "lost"
        with pytest.raises(EngineMissing):
            await engine.info()
        with pytest.raises(EngineMissing):
            await engine.exec_capture("any", ["true"])
        await relay.open()
        assert (await asyncio.wait_for(seen.get(), 20)).action == "back"
        assert (await engine.info()).version
        assert seen.empty()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await engine.close()


@pytest.mark.users
def test_no_permission_on_the_socket(tmp_path: pathlib.Path) -> None:
    """As a user who is not in the engine's group; the child leaves before anything of the test process ends."""
    path = tmp_path / "closed.sock"
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    reading, writing = os.pipe()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o600)
        child = os.fork()
        if child == 0:
            said = "nothing"
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                asyncio.run(DockerEngine.connect({"DOCKER_HOST": f"unix://{path}"}))
            except DevenvError as error:
                said = f"{type(error).__name__}\n{error.message}\n{error.hint}"
            finally:
                os.write(writing, said.encode())
                os._exit(0)
        os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        kind, message, hint = file.read().decode().split("\n")
    assert kind == EngineDenied.__name__
    assert str(path) in message and "group `docker`" in hint
