"""A start that failed, answered from the way that was taken and a fresh look, never from the engine's words."""

from __future__ import annotations

import dataclasses

import pytest

from devenv.engine.port import EngineInfo
from devenv.errors import ExitCode, GpuMissing
from devenv.gpu import explain_start_failure
from devenv.gpu.answers import Refusal
from devenv.gpu.survey import HostDevices
from devenv.gpu.ways import Way
from tests.unit.gpu import machine
from tests.unit.gpu.machine import NVIDIA_CDI, amd, cards, cdi_devices, info

WITH_NVIDIA = ("runc", "nvidia")
GOOD_CDI = cards(cdi=NVIDIA_CDI)


@pytest.mark.parametrize(
    ("way", "engine", "devices", "todo"),
    [
        (Way.GPUS, info(), machine.BARE, "shows no NVIDIA card"),
        (Way.GPUS, info(runtimes=WITH_NVIDIA), machine.TOOLKIT_WITHOUT_CARD, "shows no NVIDIA card"),
        (Way.GPUS, info(), cards(toolkit=False), "runtime configure --runtime=docker"),
        (Way.GPUS, info(cdi=True), cards(toolkit=False), "cdi generate"),
        (Way.GPUS, info(), cards(), "restart the engine: it looks for the toolkit's hook"),
        (Way.GPUS, info(security=("name=rootless",)), cards(), "no-cgroups"),
        (Way.GPUS, info(), machine.BROKEN, "make `nvidia-smi` work"),
        (Way.RUNTIME, info(), cards(), "runtime configure --runtime=docker"),
        (Way.RUNTIME, info(runtimes=WITH_NVIDIA), machine.TOOLKIT_WITHOUT_CARD, "shows no NVIDIA card"),
        (Way.RUNTIME, info(runtimes=WITH_NVIDIA), cards(), "nothing wrong is seen from here"),
        (Way.CDI, info(cdi=True), GOOD_CDI, "nothing wrong is seen from here"),
        (Way.CDI, info(cdi=True), cards(), "the CDI specs are gone"),
        (
            Way.CDI,
            info(cdi=True),
            cards(cdi=cdi_devices("nvidia.com/gpu=0", missing="/dev/nvidia0")),
            "/dev/nvidia0, which is gone",
        ),
        (Way.CDI, info(cdi=True), dataclasses.replace(machine.BROKEN, cdi=NVIDIA_CDI), "make `nvidia-smi` work"),
        (Way.AMD, info(), amd(16), "ls -l /dev/kfd"),
        (Way.CDI, info(endpoint="tcp://x", cdi=True), None, "on box: `sudo nvidia-ctk cdi generate"),
        (Way.GPUS, info(endpoint="tcp://x"), None, "on box: see that `nvidia-smi` works"),
        (Way.GPUS, info(endpoint="tcp://x", Name=""), None, "on the engine's machine"),
    ],
)
def test_what_to_do(way: Way, engine: EngineInfo, devices: HostDevices | None, todo: str) -> None:
    answer = explain_start_failure(way, engine, devices)
    assert answer.missing == f"the engine could not start the container with GPUs by {way.phrase}"
    assert answer.found.startswith("found: ") and todo in answer.todo
    assert all("\n" not in line for line in answer)


def test_a_refusal_is_an_error_of_three_lines() -> None:
    error = Refusal("no card", "found: nothing", "buy one").error()
    assert isinstance(error, GpuMissing) and error.code is ExitCode.REFUSED
    assert (error.message, error.hint) == ("no card\nfound: nothing", "buy one")
