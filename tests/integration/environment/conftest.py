"""Environments on the real engine: a project, a client, and nothing left behind."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from devenv.api.context import ClientContext
from devenv.engine.docker_adapter import DockerEngine
from devenv.environment.environments import Environments
from devenv.environment.plan import UpOptions
from devenv.environment.results import UpResult
from devenv.environment.target import Target
from devenv.errors import DevenvError
from tests.kit.project import Content, write_project
from tests.unit.engine.recorder import Recorder

OWNER = "4242@0123456789ab"
HOST_UID = 3001  # an ordinary user of the host: neither 0 nor 1000, and no account is needed for it


@dataclasses.dataclass
class Site:
    """One project and one client of it. Everything that it makes on the engine goes at the end."""

    engine: DockerEngine
    rooms: Environments
    root: pathlib.Path
    ctx: ClientContext
    told: Recorder = dataclasses.field(default_factory=Recorder)

    def configure(self, config: Mapping[str, Any], files: Mapping[str, Content] | None = None) -> None:
        write_project(self.root, {".devcontainer/devcontainer.json": config, **(files or {})})

    async def target(self, config: str | None = None) -> Target:
        return await self.rooms.resolve(str(self.root), self.ctx, config=config)

    async def up(self, **options: Any) -> UpResult:
        return await self.rooms.up(await self.target(), self.ctx, UpOptions(**options), self.told)

    async def run(self, result: UpResult, script: str, *, user: str | None = None) -> str:
        done = await self.engine.exec_capture(
            result.container.id, ["/bin/sh", "-c", script], user=result.remote_user if user is None else user
        )
        assert done.exit_code == 0, (done.stdout, done.stderr)
        return done.stdout.decode().strip()

    async def containers(self) -> list[str]:
        return [c.id for c in await self.engine.find({"devcontainer.local_folder": str(self.root)})]


async def make_site(tmp_path: pathlib.Path, *, uid: int = HOST_UID) -> Site:
    engine = await DockerEngine.connect(dict(os.environ))

    async def engine_for(ctx: ClientContext) -> DockerEngine:
        return engine

    root = tmp_path / f"project-{uuid.uuid4().hex[:8]}"
    root.mkdir()
    os.chown(root, uid, uid)
    rooms = Environments(engine_for, tmp_path / "state", OWNER, time.time)
    return Site(engine, rooms, root, ClientContext(str(root), 0o022, dict(os.environ), uid))


@pytest.fixture
async def site(tmp_path: pathlib.Path) -> AsyncIterator[Site]:
    made = await make_site(tmp_path)
    yield made
    try:
        await made.rooms.down(await made.target(), made.ctx, made.told, volumes=True)
    except DevenvError:
        pass
    for identity in await made.containers():
        await made.engine.remove(identity, force=True, volumes=True)
    await made.engine.close()


def reference_cli(*arguments: str) -> dict[str, Any]:
    """Runs the reference CLI; its last line is a JSON object."""
    from tests.kit.rig import node_program

    env = {**os.environ, "HOME": str(pathlib.Path.home())}
    done = subprocess.run(
        [str(node_program("devcontainer")), *arguments], capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    value = json.loads(done.stdout.strip().splitlines()[-1])
    assert isinstance(value, dict)
    return value


def git() -> str:
    found = shutil.which("git")
    assert found
    return found
