"""Environments on Podman, reached through its Docker-compatible socket."""

from __future__ import annotations

import contextlib
import os
import pathlib
import time
import uuid
from collections.abc import AsyncIterator

import pytest

from devenv.api.context import ClientContext
from devenv.engine.docker_adapter import DockerEngine
from devenv.environment.environments import Environments
from devenv.errors import DevenvError
from tests.integration.environment.conftest import HOST_UID, OWNER, Site
from tests.kit.podman import Podman


async def site_at(folder: pathlib.Path, host: str, *, uid: int = HOST_UID) -> Site:
    """A project of a client whose DOCKER_HOST is `host`."""
    env = {**os.environ, "DOCKER_HOST": host}
    engine = await DockerEngine.connect(env)

    async def engine_for(ctx: ClientContext) -> DockerEngine:
        return engine

    root = folder / f"project-{uuid.uuid4().hex[:8]}"
    root.mkdir()
    os.chown(root, uid, uid)
    rooms = Environments(engine_for, folder / "state", OWNER, time.time)
    return Site(engine, rooms, root, ClientContext(str(root), 0o022, env, uid))


async def remove_site(site: Site) -> None:
    with contextlib.suppress(DevenvError):
        await site.rooms.down(await site.target(), site.ctx, site.told, volumes=True)
    for identity in await site.containers():
        await site.engine.remove(identity, force=True, volumes=True)
    await site.engine.close()


@pytest.fixture
async def site(tmp_path: pathlib.Path, podman: Podman) -> AsyncIterator[Site]:
    made = await site_at(tmp_path, podman.host)
    yield made
    await remove_site(made)
