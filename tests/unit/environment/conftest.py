"""A project on disk, an engine in memory, and a client."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from devenv.api.context import ClientContext
from devenv.engine.fake import FakeEngine, FakeFile
from devenv.engine.port import Engine, ExecResult
from devenv.environment.environments import Environments
from devenv.environment.plan import UpOptions
from devenv.environment.results import UpResult
from devenv.environment.target import Target
from tests.unit.engine.recorder import Recorder

IMAGE = "python:3.11"
PASSWD = b"root:x:0:0:root:/root:/bin/bash\ndev:x:1000:1000::/home/dev:/bin/bash\n"
GROUP = b"root:x:0:\ndev:x:1000:\n"
FILES = {"/etc/passwd": FakeFile(PASSWD), "/etc/group": FakeFile(GROUP)}
OWNER = "3001@0123456789ab"
HOST_UID = 3001


def new_engine(**more: Any) -> FakeEngine:
    images = {IMAGE: {"User": "", "Env": ["PATH=/bin"]}, "user": {"User": "dev", "Env": ["PATH=/bin"]}}
    return FakeEngine(images, files=FILES, **more)


@dataclasses.dataclass
class Site:
    root: pathlib.Path
    state: pathlib.Path
    engine: FakeEngine
    told: Recorder = dataclasses.field(default_factory=Recorder)
    env: Mapping[str, str] = dataclasses.field(default_factory=lambda: {"HOME": "/home/me", "TOKEN": "s3cret"})
    uid: int = HOST_UID

    @property
    def ctx(self) -> ClientContext:
        return ClientContext(str(self.root), 0o022, self.env, self.uid)

    def configure(self, config: Mapping[str, Any] | str, name: str = ".devcontainer/devcontainer.json") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(config if isinstance(config, str) else json.dumps(config))

    def rooms(self, engine: Engine | None = None, owner: str = OWNER) -> Environments:
        async def engine_for(ctx: ClientContext) -> Engine:
            return engine or self.engine

        return Environments(engine_for, self.state, owner, lambda: 1000.0)

    async def target(self) -> Target:
        return await self.rooms().resolve(str(self.root), self.ctx)

    async def up(self, engine: Engine | None = None, **options: Any) -> UpResult:
        rooms = self.rooms(engine)
        return await rooms.up(await self.target(), self.ctx, UpOptions(**options), self.told)


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    root = tmp_path / "project"
    root.mkdir()
    return Site(root, tmp_path / "state", new_engine())


@pytest.fixture
def shell() -> Callable[..., ExecResult]:
    """An `on_exec` that answers the probe and lets everything else succeed."""

    def answer(container: str, argv: list[str], user: str, env: Mapping[str, str], workdir: str) -> ExecResult:
        if "DEVENV_PROBE_MARK" in env:
            mark = f"devenv:{env['DEVENV_PROBE_MARK']}"
            output = f"77\n/bin/bash\n{mark}PATH=/bin\0HOME=/home/dev\0{mark}/usr/bin/python3\n3.11.2\nx86_64\n"
            return ExecResult(0, output.encode(), b"")
        return ExecResult(0, b"", b"")

    return answer
