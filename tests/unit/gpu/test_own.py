"""GPUs that the configuration wires itself."""

from __future__ import annotations

from typing import Any

import pytest

from devenv.gpu import own


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], ""),
        (["--gpus", "all"], "--gpus all"),
        (["--gpus=all"], "--gpus=all"),
        (["--gpus"], "--gpus "),
        (["--runtime", "nvidia"], "--runtime nvidia"),
        (["--runtime=nvidia"], "--runtime=nvidia"),
        (["--runtime=nvidia-experimental"], "--runtime=nvidia-experimental"),
        (["--runtime=runsc"], ""),
        (["--device=nvidia.com/gpu=all"], "--device=nvidia.com/gpu=all"),
        (["--device", "amd.com/gpu=0"], "--device amd.com/gpu=0"),
        (["--device", "/dev/nvidia0:/dev/nvidia0"], "--device /dev/nvidia0:/dev/nvidia0"),
        (["--device=/dev/kfd", "--device=/dev/dri"], "--device=/dev/kfd"),
        (["--device=/dev/dri"], ""),
        (["--device=/dev/fuse", "--ipc=host"], ""),
        (["--device", "vendor.com/net=nic0"], ""),
        (["-e", "NVIDIA_VISIBLE_DEVICES=all"], ""),
    ],
)
def test_run_args(args: list[str], said: str) -> None:
    assert own.of_run_args(args) == said


def reservation(**device: Any) -> dict[str, Any]:
    return {"deploy": {"resources": {"reservations": {"devices": [device]}}}}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, ""),
        ({"gpus": "all"}, "gpus: all"),
        ({"runtime": "nvidia"}, "runtime: nvidia"),
        ({"runtime": "runc"}, ""),
        ({"devices": ["nvidia.com/gpu=all"]}, "devices: nvidia.com/gpu=all"),
        ({"devices": [{"source": "/dev/kfd", "target": "/dev/kfd"}]}, "devices: /dev/kfd"),
        ({"devices": ["/dev/fuse:/dev/fuse"]}, ""),
        (reservation(capabilities=["gpu"]), "deploy.resources.reservations.devices"),
        (reservation(driver="nvidia", count=1), "deploy.resources.reservations.devices"),
        (reservation(driver="cdi", device_ids=["amd.com/gpu=0"]), "deploy.resources.reservations.devices"),
        (reservation(capabilities=["tpu"]), ""),
        ({"deploy": {"resources": None}}, ""),
        ({"deploy": []}, ""),
        ({"devices": "all", "deploy": {"resources": {"reservations": {"devices": ["x"]}}}}, ""),
    ],
)
def test_services(raw: dict[str, Any], said: str) -> None:
    assert own.of_service(raw) == said
