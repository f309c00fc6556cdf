"""An engine that gives stand-in GPUs, and containers on it. No test here uses a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from devcontainer import compose
from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.port import EngineInfo
from devenv.environment.training import engine_limits
from devenv.environment.training.container_settings import ContainerSettings
from devenv.environment.training.training_defaults import Said, TrainingDefaults, decide
from devenv.gpu.wiring import Wiring
from tests.kit.engine import Docker, DockerFailed
from tests.kit.fixtures import Images
from tests.kit.gpus import GpuEngine, gpu_engine

SHOW = """
env | grep -e STAND_IN -e NVIDIA | sort
ls -d /dev/nvidia* /dev/kfd /dev/dri/* 2>/dev/null
echo "groups $(id -G)"
df -k /dev/shm | tail -n 1
for limit in 'open files' 'locked memory' 'stack size'; do grep -i "$limit" /proc/self/limits; done
nvidia-smi -L 2>/dev/null || true
"""


@pytest.fixture(scope="module")
def stand_ins(images: Images) -> Iterator[GpuEngine]:
    """CDI, NVIDIA's runtime and hook, and an AMD card's nodes: all stand-ins, in an engine of their own."""
    if os.getuid() != 0:
        pytest.skip("an engine of the test's own needs root")
    with gpu_engine((images.busybox,), amd_nodes=True) as made:
        yield made


@pytest.fixture
async def stand_in_info(stand_ins: GpuEngine) -> AsyncIterator[EngineInfo]:
    """What that engine says of itself, through our own adapter."""
    engine = await DockerEngine.connect({**os.environ, "DOCKER_HOST": stand_ins.host})
    yield await engine.info()
    await engine.close()


def created(docker: Docker, wiring: Wiring, image: str, *more: str) -> tuple[str, dict[str, Any]]:
    """What a container that is made with the wiring's words shows, and what the engine says of it."""
    name = f"rig-gpu-{uuid.uuid4().hex[:8]}"
    environment = [word for variable, value in wiring.environment.items() for word in ("-e", f"{variable}={value}")]
    words = ["--name", name, "--network", "none", "--init", *wiring.args, *environment, *more]
    docker("create", *words, image, "sh", "-c", SHOW)
    try:
        return docker("start", "--attach", name), docker.inspect(name)
    finally:
        docker("rm", "--force", "--volumes", name)


@pytest.fixture
def composed(tmp_path: Path, stand_ins: GpuEngine, images: Images) -> Iterator[Callable[..., str]]:
    """`composed(patch, ...)`: what the service of a project shows with the patches in our override file."""
    project = f"rig-gpu-{uuid.uuid4().hex[:8]}"
    service = {
        "image": images.busybox,
        "network_mode": "none",
        "init": True,
        "command": ["sh", "-c", SHOW.replace("$", "$$")],
    }
    (tmp_path / "compose.yaml").write_text(json.dumps({"services": {"app": service}}))

    def run(*words: str) -> str:
        files = ["-f", str(tmp_path / "compose.yaml"), "-f", str(tmp_path / "override.json")]
        done = subprocess.run(
            ["docker", "--host", stand_ins.host, "compose", "-p", project, *files, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        if done.returncode:
            raise DockerFailed(words, done.returncode, done.stderr)
        return done.stdout

    def show(*patches: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> str:
        wanted = compose.Override("app", environment=environment or {}, patches=patches)
        (tmp_path / "override.json").write_text(compose.text(compose.override(wanted)))
        run("up", "--no-start")
        return stand_ins.docker("start", "--attach", f"{project}-app-1")

    yield show
    run("down", "--timeout", "0")


async def plain_defaults(info: EngineInfo) -> TrainingDefaults:
    """Where nobody says anything, on this engine."""
    return decide(ContainerSettings(), info, Said(), await engine_limits.gather(info))
