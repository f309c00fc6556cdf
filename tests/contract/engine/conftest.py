"""Every engine there is: the fake one and, where the rig has them, Docker's and Podman's."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator

import pytest

from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.fake import FakeEngine, FakeFile
from devenv.engine.port import Engine
from tests.kit.podman import Podman

IMAGE = "devenv-rig/python-user:latest"
PASSWD = b"root:x:0:0:root:/root:/bin/bash\ndev:x:1000:1000::/home/dev:/bin/bash\n"


@pytest.fixture(
    params=[
        "fake",
        pytest.param("docker", marks=pytest.mark.engine),
        pytest.param("podman", marks=[pytest.mark.engine, pytest.mark.podman]),
    ]
)
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    made: Engine
    if request.param == "fake":
        config = {"User": "dev", "Env": ["RIG_IMAGE_VARIABLE=from the image"], "Cmd": ["bash"]}
        files = {"/etc/passwd": FakeFile(PASSWD), "/etc/group": FakeFile(b"root:x:0:\ndev:x:1000:\n")}
        made = FakeEngine({IMAGE: config}, files=files)
    elif request.param == "podman":
        podman: Podman = request.getfixturevalue("podman")
        made = await DockerEngine.connect({**os.environ, "DOCKER_HOST": podman.host})
    else:
        made = await DockerEngine.connect(dict(os.environ))
    yield made
    await made.close()


@pytest.fixture
async def name(place: Engine) -> AsyncIterator[str]:
    """A container name of this test; what has it at the end is removed."""
    made = f"rig-engine-{uuid.uuid4().hex[:10]}"
    yield made
    await place.remove(made, force=True, volumes=True)
    await place.remove_volume(made)
