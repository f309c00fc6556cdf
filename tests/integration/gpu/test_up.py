"""`up` with stand-in GPUs, all three kinds of configuration: no card is here, and nothing computes."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from devenv import gpu
from devenv.api.context import ClientContext
from devenv.engine.docker_adapter import DockerEngine
from devenv.environment.environments import Environments
from devenv.errors import EngineError, GpuMissing
from tests.integration.environment.conftest import HOST_UID, OWNER, Site
from tests.kit.fixtures import Images
from tests.kit.gpus import NVIDIA_DEVICES, GpuEngine, cdi_spec
from tests.kit.project import Content

pytestmark = pytest.mark.engine

NETWORK = {"runArgs": ["--network", "none"]}  # the stand-ins' engine has no other


@pytest.fixture
def machine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A root folder in which a machine with two NVIDIA cards shows them. `gather` looks there."""
    root = tmp_path / "machine"
    (root / "dev").mkdir(parents=True)
    for node in ("nvidia0", "nvidia1", "nvidiactl", "null"):
        (root / "dev" / node).touch()
    (root / "proc/driver/nvidia").mkdir(parents=True)
    (root / "proc/driver/nvidia/version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  x\n")
    monkeypatch.setattr(gpu, "gather", functools.partial(gpu.gather, root=root, path=""))
    return root


@pytest.fixture
async def gpu_site(tmp_path: pathlib.Path, stand_ins: GpuEngine, machine: pathlib.Path) -> AsyncIterator[Site]:
    (machine / str(stand_ins.cdi).lstrip("/")).parent.mkdir(parents=True)
    (machine / str(stand_ins.cdi).lstrip("/")).symlink_to(stand_ins.cdi)
    env = {**os.environ, "DOCKER_HOST": stand_ins.host}
    engine = await DockerEngine.connect(env)

    async def engine_for(ctx: ClientContext) -> DockerEngine:
        return engine

    root = tmp_path / f"project-{uuid.uuid4().hex[:8]}"
    root.mkdir()
    rooms = Environments(engine_for, tmp_path / "state", OWNER, time.time)
    site = Site(engine, rooms, root, ClientContext(str(root), 0o022, env, HOST_UID))
    yield site
    for file in stand_ins.cdi.iterdir():
        file.unlink()
    await site.rooms.down(await site.target(), site.ctx, site.told, volumes=True)
    await engine.close()


def with_spec(stand_ins: GpuEngine) -> None:
    stand_ins.write_spec("nvidia.json", cdi_spec("nvidia.com/gpu", NVIDIA_DEVICES))


async def given(site: Site, **options: Any) -> str:
    """The device nodes of the container. (What a spec sets in the environment only the first process has.)"""
    made = await site.up(**options)
    return await site.run(made, "ls -d /dev/nvidia? 2>/dev/null || true", user="root")


async def test_by_cdi_and_a_choice_of_cards(gpu_site: Site, stand_ins: GpuEngine, images: Images) -> None:
    with_spec(stand_ins)
    gpu_site.configure({"image": images.busybox, **NETWORK, "hostRequirements": {"gpu": True}})
    assert await given(gpu_site) == "/dev/nvidia0\n/dev/nvidia1"
    told = "\n".join(gpu_site.told.notes)
    assert "CDI" in told and "--gpus" in told and "--runtime" in told  # which way, and why not each other one
    assert await given(gpu_site, rebuild=True, gpus="device=1") == "/dev/nvidia1"
    assert await given(gpu_site, rebuild=True, gpus="none") == ""


async def test_a_dry_run_says_the_same_with_all_defaults(gpu_site: Site, stand_ins: GpuEngine, images: Images) -> None:
    from devenv.environment.plan import UpOptions

    with_spec(stand_ins)
    gpu_site.configure({"image": images.busybox, **NETWORK, "hostRequirements": {"gpu": True}})
    plan = await gpu_site.rooms.plan(await gpu_site.target(), gpu_site.ctx, UpOptions())
    assert "nvidia.com/gpu=all" in plan.create
    for words in ("shared memory:", "limits:", "init", "IPC", "CDI"):
        assert any(words in note for note in plan.notes), (words, plan.notes)


async def test_in_a_compose_service(gpu_site: Site, stand_ins: GpuEngine, images: Images) -> None:
    with_spec(stand_ins)
    service = {"image": images.busybox, "command": ["sleep", "1000"], "init": True, "network_mode": "none"}
    files: dict[str, Content] = {".devcontainer/c.yml": json.dumps({"services": {"app": service}})}
    gpu_site.configure({"dockerComposeFile": "c.yml", "service": "app", "hostRequirements": {"gpu": True}}, files)
    assert await given(gpu_site) == "/dev/nvidia0\n/dev/nvidia1"
    assert (gpu_site.root / ".devcontainer/c.yml").read_text() == files[".devcontainer/c.yml"]


async def test_a_requirement_of_the_image_counts(gpu_site: Site, stand_ins: GpuEngine, images: Images) -> None:
    label = json.dumps([{"hostRequirements": {"gpu": True}}])
    context = gpu_site.root / "image"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {images.busybox}\n")
    stand_ins.docker("build", "-q", "--label", f"devcontainer.metadata={label}", "-t", "asks-for-gpu", str(context))
    gpu_site.configure({"image": "asks-for-gpu", **NETWORK})
    with_spec(stand_ins)
    assert await given(gpu_site) == "/dev/nvidia0\n/dev/nvidia1"


async def test_required_and_missing_is_three_lines_and_nothing_is_made(
    gpu_site: Site, machine: pathlib.Path, images: Images
) -> None:
    for path in (*(machine / "dev").glob("nvidia*"), machine / "proc/driver/nvidia/version"):
        path.unlink()
    gpu_site.configure({"image": images.busybox, **NETWORK, "hostRequirements": {"gpu": True}})
    with pytest.raises(GpuMissing) as caught:
        await gpu_site.up()
    assert len([*caught.value.message.splitlines(), *caught.value.hint.splitlines()]) == 3
    assert await gpu_site.containers() == []
    gpu_site.configure({"image": images.busybox, **NETWORK, "hostRequirements": {"gpu": "optional"}})
    assert await given(gpu_site) == "" and any("GPU" in note for note in (gpu_site.told.notes))
    with pytest.raises(GpuMissing):
        await gpu_site.up(rebuild=True, gpus="all")
    assert len(await gpu_site.containers()) == 1  # refused before the old one was touched


async def test_a_refused_requirement_is_a_warning_for_scripts(
    gpu_site: Site, machine: pathlib.Path, images: Images
) -> None:
    for path in (*(machine / "dev").glob("nvidia*"), machine / "proc/driver/nvidia/version"):
        path.unlink()
    gpu_site.configure({"image": images.busybox, **NETWORK, "hostRequirements": {"gpu": True}})
    made = await gpu_site.up(gpu_missing_refuses=False)
    assert made.created and any("hostRequirements" in note for note in made.notes)


async def test_a_way_that_fails_at_the_start_is_followed_by_another(
    gpu_site: Site, stand_ins: GpuEngine, images: Images
) -> None:
    # A spec whose device the engine cannot make: the container is created, and does not start.
    stand_ins.write_spec("nvidia.json", cdi_spec("nvidia.com/gpu", NVIDIA_DEVICES, host_path="/dev/gone-since"))
    gpu_site.configure({"image": images.busybox, **NETWORK, "hostRequirements": {"gpu": True}})
    (pathlib.Path(str(gpu_site.root)).parent / "machine/dev/gone-since").touch()  # seen from here, not by the engine
    stand_ins.take_record()
    made = await gpu_site.up()
    assert made.container.status == "running" and len(await gpu_site.containers()) == 1
    assert any("CDI failed; trying" in note for note in gpu_site.told.notes), gpu_site.told.notes
    assert any("NVIDIA_VISIBLE_DEVICES" in line for line in stand_ins.take_record())


async def test_a_failure_that_no_other_way_mends_is_told_as_it_was(
    gpu_site: Site, stand_ins: GpuEngine, images: Images
) -> None:
    with_spec(stand_ins)
    gpu_site.configure(
        {"image": images.busybox, "runArgs": ["--network", "no-such-network"], "hostRequirements": {"gpu": True}}
    )
    with pytest.raises(EngineError, match="no-such-network"):
        await gpu_site.up()
    assert await gpu_site.containers() == []
