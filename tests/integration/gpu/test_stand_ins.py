"""Our words and patches on a real engine. Every GPU in this file is a STAND-IN: device nodes are /dev/null by another
name, NVIDIA's runtime and hook are scripts that note what they are asked for (tests/rig/gpus). What is proved is that
the engine takes what devenv says, and does with it what it would do with cards.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devcontainer.requirements import Gpu
from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.port import EngineInfo
from devenv.environment.training import engine_limits
from devenv.environment.training.container_settings import ContainerSettings
from devenv.environment.training.training_defaults import Said, TrainingDefaults, decide
from devenv.errors import EngineError
from devenv.gpu import Way, Wiring, explain_start_failure, gather, next_way, request, wire
from devenv.gpu.survey import HostDevices
from tests.integration.gpu.conftest import created, plain_defaults
from tests.kit.engine import Docker, DockerFailed
from tests.kit.fixtures import Images
from tests.kit.gpus import NVIDIA_DEVICES, RENDER_GROUP, GpuEngine, cdi_spec, smi_program

pytestmark = pytest.mark.engine

REQUIRED = request.asked(Gpu(True))


def chosen(text: str) -> request.Asked:
    return request.asked(None, option=text)


@pytest.fixture
def specs(stand_ins: GpuEngine) -> GpuEngine:
    """Two stand-in NVIDIA cards, described as the vendor's tool describes them."""
    stand_ins.take_record()
    for file in stand_ins.cdi.iterdir():
        file.unlink()
    program = stand_ins.programs / "nvidia-smi"
    stand_ins.write_spec("nvidia.json", cdi_spec("nvidia.com/gpu", NVIDIA_DEVICES, program=program))
    return stand_ins


async def look(info: EngineInfo, *, root: Path = Path("/")) -> HostDevices:
    """A real look; with another root at a folder that stands in for the machine."""
    found = await gather(info, root=root)
    assert found is not None
    return found


def machine_with_cards(tmp_path: Path, *, hook: bool = True) -> Path:
    """A folder that shows two cards, the stand-in nvidia-smi, and the hook if there is one."""
    for place in ("dev/nvidia0", "dev/nvidia1"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("")
    programs = tmp_path / "usr/bin"
    programs.mkdir(parents=True)
    (programs / "nvidia-smi").symlink_to(smi_program())
    if hook:
        (programs / "nvidia-container-runtime-hook").symlink_to(
            smi_program().with_name("nvidia-container-runtime-hook")
        )
    return tmp_path


async def test_the_engines_specs_are_found(specs: GpuEngine, stand_in_info: EngineInfo) -> None:
    found = await look(stand_in_info)
    assert found.cdi.folders == (str(specs.cdi),)
    assert [(d.name, d.missing) for d in found.cdi.devices] == [
        ("nvidia.com/gpu=0", ()), ("nvidia.com/gpu=1", ()), ("nvidia.com/gpu=all", ()),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "inside", "outside"),
    [
        (REQUIRED, ["STAND_IN_ALL=given", "/dev/nvidia0", "/dev/nvidia1"], ["STAND_IN_0"]),
        (chosen("device=1"), ["STAND_IN_1=given", "/dev/nvidia1"], ["/dev/nvidia0", "STAND_IN_ALL"]),
        (chosen("2"), ["STAND_IN_0=given", "STAND_IN_1=given"], ["STAND_IN_ALL"]),
        (chosen("nvidia.com/gpu=0"), ["STAND_IN_0=given"], ["STAND_IN_1", "STAND_IN_ALL"]),
    ],
    ids=["all", "one card", "a count", "by CDI name"],
)
async def test_cdi_in_a_container(
    specs: GpuEngine,
    stand_in_info: EngineInfo,
    images: Images,
    asked: request.Asked,
    inside: list[str],
    outside: list[str],
) -> None:
    wiring = wire(asked, stand_in_info, await look(stand_in_info))
    assert wiring.way is Way.CDI
    text, _ = created(specs.docker, wiring, images.busybox)
    assert all(word in text for word in inside) and not any(word in text for word in outside)
    assert "GPU 0: NVIDIA L4" in text  # the stand-in nvidia-smi that the spec mounts
    assert specs.take_record() == []  # neither runtime nor hook had a part in it


async def test_cdi_in_a_compose_service(
    specs: GpuEngine, stand_in_info: EngineInfo, composed: Callable[..., str]
) -> None:
    wiring = wire(chosen("2"), stand_in_info, await look(stand_in_info))
    text = composed(wiring.compose)
    assert "STAND_IN_0=given" in text and "STAND_IN_1=given" in text and "/dev/nvidia1" in text


def test_why_compose_gets_a_device_request_and_no_device(specs: GpuEngine, composed: Callable[..., str]) -> None:
    """Compose takes a CDI name in `devices:` for a path until 2.30; whichever is here, ours is the form that works."""
    version = specs.docker("compose", "version", "--short").lstrip("v").split(".")
    devices: dict[str, Any] = {"devices": ["nvidia.com/gpu=all"]}
    if (int(version[0]), int(version[1])) >= (2, 30):
        assert "STAND_IN_ALL=given" in composed(devices)
    else:
        with pytest.raises(DockerFailed, match="custom device"):
            composed(devices)


async def test_a_spec_that_names_what_is_gone_is_passed_over(
    specs: GpuEngine, stand_in_info: EngineInfo, images: Images, tmp_path: Path
) -> None:
    """As after an update of the driver. The engine does fail with it; devenv does not get that far."""
    specs.write_spec("nvidia.json", cdi_spec("nvidia.com/gpu", {"all": ["/dev/nvidia0"]}, host_path="/dev/nvidia-gone"))
    found = await look(stand_in_info)
    assert found.cdi.devices[0].missing == ("/dev/nvidia-gone",)
    devices = dataclasses.replace(await look(stand_in_info, root=machine_with_cards(tmp_path)), cdi=found.cdi)
    assert wire(REQUIRED, stand_in_info, devices).way is Way.GPUS
    forced = wire(REQUIRED, stand_in_info, devices, forced="cdi")
    with pytest.raises(DockerFailed):
        created(specs.docker, forced, images.busybox)
    assert "/dev/nvidia-gone, which is gone" in explain_start_failure(Way.CDI, stand_in_info, devices).todo


@pytest.mark.parametrize(
    ("text", "visible"),
    [("all", "all"), ("2", "0,1"), ("0,1", "0,1"), ("GPU-1111", "GPU-11111111-aaaa-bbbb-cccc-111111111111")],
)
async def test_gpus_option_with_a_stand_in_hook(
    stand_ins: GpuEngine, stand_in_info: EngineInfo, images: Images, tmp_path: Path, text: str, visible: str
) -> None:
    stand_ins.take_record()
    devices = await look(stand_in_info, root=machine_with_cards(tmp_path))
    wiring = wire(chosen(text), stand_in_info, devices, forced="gpus")
    shown, raw = created(stand_ins.docker, wiring, images.busybox)
    assert stand_ins.take_record() == [f"hook NVIDIA_VISIBLE_DEVICES={visible}"]
    assert f"NVIDIA_VISIBLE_DEVICES={visible}" in shown and raw["HostConfig"]["DeviceRequests"]


@pytest.mark.parametrize(("text", "visible"), [("all", "all"), ("2", "0,1"), ("1,0", "1,0")])
async def test_gpus_reservation_with_a_stand_in_hook(
    stand_ins: GpuEngine,
    stand_in_info: EngineInfo,
    tmp_path: Path,
    composed: Callable[..., str],
    text: str,
    visible: str,
) -> None:
    stand_ins.take_record()
    devices = await look(stand_in_info, root=machine_with_cards(tmp_path / "machine"))
    wiring = wire(chosen(text), stand_in_info, devices, forced="gpus")
    assert f"NVIDIA_VISIBLE_DEVICES={visible}" in composed(wiring.compose, environment=wiring.environment)
    assert stand_ins.take_record() == [f"hook NVIDIA_VISIBLE_DEVICES={visible}"]


async def test_the_old_runtime_with_a_stand_in(
    stand_ins: GpuEngine, stand_in_info: EngineInfo, images: Images, tmp_path: Path, composed: Callable[..., str]
) -> None:
    stand_ins.take_record()
    old = dataclasses.replace(stand_in_info, api_version="1.39", raw={**stand_in_info.raw, "CDISpecDirs": []})
    devices = await look(stand_in_info, root=machine_with_cards(tmp_path / "machine"))
    wiring = wire(chosen("device=1"), old, devices)
    assert wiring.way is Way.RUNTIME
    noted = ["runtime NVIDIA_DRIVER_CAPABILITIES=compute,utility", "runtime NVIDIA_VISIBLE_DEVICES=1"]
    created(stand_ins.docker, wiring, images.busybox)
    assert sorted(stand_ins.take_record()) == noted
    composed(wiring.compose, environment=wiring.environment)
    assert sorted(stand_ins.take_record()) == noted


async def test_amd_nodes_with_stand_ins(
    stand_ins: GpuEngine, stand_in_info: EngineInfo, images: Images, tmp_path: Path, composed: Callable[..., str]
) -> None:
    """The nodes belong to a group that no image has: a process that is not root gets in by its number."""
    for node in ("kfd", "dri/renderD128", "dri/renderD129"):
        place = tmp_path / "machine/dev" / node
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
        os.chown(place, 0, RENDER_GROUP)
    devices = await look(stand_in_info, root=tmp_path / "machine")
    wiring = wire(chosen("device=1"), stand_in_info, devices)
    assert wiring.way is Way.AMD
    text, _ = created(stand_ins.docker, wiring, images.busybox, "--user", "1234:1234")
    for shown in (text, composed(wiring.compose)):
        assert "/dev/kfd" in shown and "/dev/dri/renderD129" in shown and "renderD128" not in shown
        assert str(RENDER_GROUP) in next(line for line in shown.splitlines() if line.startswith("groups ")).split()


async def test_gpus_all_without_a_toolkit_is_answered(engine: Docker, images: Images, tmp_path: Path) -> None:
    """`could not select device driver "" with capabilities: [[gpu]]`, the error that most people meet."""
    ours = await DockerEngine.connect(dict(os.environ))
    try:
        info = await ours.info()
        if (await look(info)).hook:
            pytest.skip("this machine has the NVIDIA Container Toolkit")
        devices = await look(info, root=machine_with_cards(tmp_path, hook=False))
        refused = wire(REQUIRED, dataclasses.replace(info, runtimes=("runc",)), devices)
        assert refused.refusal is not None and "NVIDIA Container Toolkit" in refused.refusal.todo
        wiring = wire(REQUIRED, info, devices, forced="gpus")
        identity = await ours.create(["--label", "devenv.test", *wiring.args, images.busybox, "true"])
        try:
            with pytest.raises(EngineError):
                await ours.start(identity)
        finally:
            await ours.remove(identity, force=True)
        answer = explain_start_failure(wiring.way, info, devices)
        assert answer.missing == "the engine could not start the container with GPUs by --gpus"
        assert "install the NVIDIA Container Toolkit" in answer.todo
        gone = next_way(REQUIRED, info, devices, [wiring.way])
        assert gone.way is Way.NONE and gone.refusal == answer
    finally:
        await ours.close()


async def test_a_failed_way_is_followed_by_one_that_works(
    specs: GpuEngine, stand_in_info: EngineInfo, images: Images, tmp_path: Path
) -> None:
    """The spec is taken away between the look and the start; the second way then is `--gpus`."""
    machine = machine_with_cards(tmp_path)
    spec = (await look(stand_in_info)).cdi
    devices = await look(stand_in_info, root=machine)
    first = wire(REQUIRED, stand_in_info, dataclasses.replace(devices, cdi=spec))
    assert first.way is Way.CDI
    (specs.cdi / "nvidia.json").unlink()
    with pytest.raises(DockerFailed):
        created(specs.docker, first, images.busybox)
    second = next_way(REQUIRED, stand_in_info, devices, [first.way])
    assert second.way is Way.GPUS
    created(specs.docker, second, images.busybox)
    assert specs.take_record() == ["hook NVIDIA_VISIBLE_DEVICES=all"]


def check_defaults(shown: str, found: TrainingDefaults) -> None:
    """What processes of the container have is what the lines and words say."""
    lines = shown.splitlines()
    size = found.shm.compose["shm_size"]
    assert isinstance(size, int) and str(size // 1024) in next(line for line in lines if "/dev/shm" in line).split()
    limits = found.ulimits.compose["ulimits"]
    assert isinstance(limits, dict) and set(limits) == {"nofile", "memlock", "stack"}
    for name, row in (("nofile", "Max open files"), ("memlock", "Max locked memory"), ("stack", "Max stack size")):
        wanted = limits[name]
        assert isinstance(wanted, dict)
        values = ["unlimited" if wanted[kind] == -1 else str(wanted[kind]) for kind in ("soft", "hard")]
        assert next(line for line in lines if line.startswith(row)).split()[3:5] == values


async def test_training_defaults_in_a_container(
    stand_ins: GpuEngine, stand_in_info: EngineInfo, images: Images
) -> None:
    found = await plain_defaults(stand_in_info)
    text, raw = created(stand_ins.docker, Wiring(args=found.args), images.busybox)
    assert raw["HostConfig"]["IpcMode"] == "private"
    check_defaults(text, found)


async def test_training_defaults_in_a_compose_service(stand_in_info: EngineInfo, composed: Callable[..., str]) -> None:
    found = await plain_defaults(stand_in_info)
    check_defaults(composed(found.compose), found)


async def test_an_engine_that_may_not_raise_limits_is_not_asked_to(
    stand_ins: GpuEngine, stand_in_info: EngineInfo, images: Images
) -> None:
    """The defaults start wherever the tests run; without the look they would not, on a machine without the right."""
    limits = await engine_limits.gather(stand_in_info)
    bold = decide(ContainerSettings(), stand_in_info, Said())
    if limits.may_raise:
        created(stand_ins.docker, Wiring(args=bold.ulimits.args), images.busybox)
        return
    with pytest.raises(DockerFailed, match="rlimit"):
        created(stand_ins.docker, Wiring(args=bold.ulimits.args), images.busybox)
