"""Images between Docker and Podman, which takes whole ones only and writes their configuration its own way."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.moving import layers_of, move
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.podman import Podman
from tests.unit.engine.recorder import Recorder

pytestmark = [pytest.mark.engine, pytest.mark.podman]


async def test_there_and_back(engine: Docker, podman: Podman, images: Images, tmp_path: Path) -> None:
    name = f"rig-moving:{uuid.uuid4().hex[:12]}"
    engine("build", "--tag", name, "-", stdin=f"FROM {images.busybox}\nRUN echo {name} > /made\n".encode())
    here = await DockerEngine.connect(dict(os.environ))
    there = await DockerEngine.connect({**os.environ, "DOCKER_HOST": podman.host})
    try:
        moved = await move(here, there, name, Recorder(), to="podman", folder=tmp_path)
        ours = await here.image(name)
        assert ours is not None and layers_of(moved.image) == layers_of(ours)
        assert moved.layers_there == 0, "Podman wants every layer"
        engine("image", "rm", name)
        back = await move(there, here, name, Recorder(), to="docker", folder=tmp_path)
        assert back.layers_there == 1, "busybox is here"
        assert engine("run", "--rm", "--network=none", name, "cat", "/made") == name
    finally:
        for place in (here, there):
            await place.remove_image(name)
            await place.close()
