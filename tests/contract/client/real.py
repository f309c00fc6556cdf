"""The real client, a real supervisor, a real container. The supervisor runs in the test, over a folder of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from devenv.api import paths
from devenv.api.client import SupervisorClient
from devenv.supervisor.wiring import build
from tests.contract.client.world import World
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.project import devcontainer, write_project

# Prints what is laid before it, byte for byte: a terminal in raw mode adds no carriage returns.
TRAIN = """
import os, time, tty
tty.setraw(1)
while True:
    try:
        with open("lay", "rb") as file:
            data = file.read()
        os.remove("lay")
        while data:
            data = data[os.write(1, data):]
    except FileNotFoundError:
        time.sleep(0.01)
"""


@contextlib.asynccontextmanager
async def real_world() -> AsyncIterator[World]:
    """An environment of the present user, up and idle; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="devenv-") as name, pytest.MonkeyPatch.context() as patch:
        folder, state = Path(name, f"p-{uuid.uuid4().hex[:8]}"), Path(name, "state")
        state.mkdir(0o700)
        settings = "version: 1\nruns:\n  train:\n    script: train.py\n"
        write_project(folder, {**devcontainer(Images().python), "devenv.yaml": settings, "train.py": TRAIN})
        patch.setattr(paths, "state_folder", lambda uid=None: str(state))
        lock = os.open(state / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        supervisor = build(state, lock)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(paths.socket_path(str(state)))
            listener.listen()
            serving = asyncio.create_task(supervisor.run(listener))
            try:
                client = SupervisorClient(str(folder))
                await client.up(lambda item: None)
                yield World(client, "train", _printer(client, folder))
                await client.close()
            finally:
                supervisor.server.stopping.set()
                await serving
                os.close(lock)
                Docker().remove_project(folder)
                # What was being copied in a thread when its task was cancelled is copied to the end.
                await asyncio.get_running_loop().shutdown_default_executor()


def _printer(client: SupervisorClient, folder: Path) -> Callable[[str, bytes], Awaitable[None]]:
    async def print_bytes(run: str, data: bytes) -> None:
        before = (await client.read_output(run, tail=0)).size
        (folder / "laying").write_bytes(data)
        os.replace(folder / "laying", folder / "lay")
        while (await client.read_output(run, tail=0)).size < before + len(data):
            await asyncio.sleep(0.02)  # a program in a container tells nobody here that it has printed

    return print_bytes
