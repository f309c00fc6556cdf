"""Containers with a link folder mounted, and links into them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from devenv.engine.docker_adapter import DockerEngine
from devenv.link.agent_link import AgentLink
from devenv.link.dial import open_link
from devenv.link.direct_tier import prepare_folder
from devenv.link.port import Tier
from tests.kit.engine import Docker


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """A running container; `pub` is the folder that it sees at /run/devenv."""

    id: str
    pub: pathlib.Path


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """Outside pytest's own folder, which other uids may not enter."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="link-test-", dir="/var/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def box(engine: Docker, folder: pathlib.Path) -> Iterator[Callable[..., Box]]:
    """`box(image, *options)`."""
    with contextlib.ExitStack() as stack:

        def make(image: str, *options: str) -> Box:
            pub = prepare_folder(folder / "link")
            mount = f"type=bind,source={pub},target=/run/devenv,readonly"
            return Box(stack.enter_context(engine.container(image, "--mount", mount, *options)), pub)

        yield make


@pytest.fixture
async def adapter() -> AsyncIterator[DockerEngine]:
    made = await DockerEngine.connect(dict(os.environ))
    yield made
    await made.close()


Dial = Callable[..., Awaitable[AgentLink]]


@pytest.fixture
async def dial(adapter: DockerEngine) -> AsyncIterator[Dial]:
    """`dial(box, tier, user=...)`: a link that is closed when the test ends."""
    made: list[AgentLink] = []

    async def make(box: Box, tier: Tier = Tier.AUTO, *, user: str = "", mounted: bool = True) -> AgentLink:
        snapshot = await adapter.inspect(box.id)
        assert snapshot is not None
        link = await open_link(adapter, snapshot, user=user, link_dir=box.pub if mounted else None, tier=tier)
        made.append(link)
        return link

    yield make
    for link in made:
        await link.close()
