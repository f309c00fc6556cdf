"""A look at machines that are folders. Device nodes are files there, `nvidia-smi` is what the test says it prints."""

from __future__ import annotations

import asyncio
import os
import pathlib
import time
from collections.abc import Sequence

import pytest

from devenv.gpu import describe, nvidia_smi, survey
from devenv.gpu.cards import AMD
from devenv.gpu.survey import HostDevices
from tests.kit import gpus
from tests.unit.gpu import machine

CDI = """
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- {name: '0', containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}}
"""
VERSION = """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023
GCC version:  gcc version 12.2.0
"""


async def silent(argv: Sequence[str]) -> tuple[int, str]:
    raise AssertionError(f"nothing should be run: {argv}")


async def two_cards(argv: Sequence[str]) -> tuple[int, str]:
    return 0, machine.TWO_LISTED if "-L" in argv else machine.TWO


async def gather(root: pathlib.Path, run: survey.Runner = silent, **more: object) -> HostDevices:
    found = await survey.gather(
        machine.info(cdi=True),
        root=root,
        run=run,
        path="/opt/bin",
        kernel=machine.KERNEL,
        **more,  # type: ignore[arg-type]
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("endpoint", "kernel"),
    [
        ("tcp://10.0.0.5:2376", machine.KERNEL),
        ("ssh://box", machine.KERNEL),
        ("unix:///home/u/.docker/desktop/docker.sock", "6.6.0-linuxkit"),
    ],
    ids=["tcp", "ssh", "a virtual machine behind a local socket"],
)
async def test_an_engine_elsewhere_is_not_looked_for_here(tmp_path: pathlib.Path, endpoint: str, kernel: str) -> None:
    info = machine.info(endpoint=endpoint, kernel=kernel)
    assert await survey.gather(info, root=tmp_path, run=silent, kernel=machine.KERNEL) is None


async def test_a_bare_machine(tmp_path: pathlib.Path) -> None:
    found = await gather(tmp_path)
    assert found == HostDevices(cdi=found.cdi) and found.cdi.devices == () and found.cdi.folders
    assert describe(found) == ["no GPU: no device node, no driver, no CDI spec"]


async def test_nvidia_cards(tmp_path: pathlib.Path) -> None:
    nodes = ["nvidia10", "nvidia2", "nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-caps/nvidia-cap1"]
    machine.write_machine(
        tmp_path,
        files={
            **{f"/dev/{node}": "" for node in nodes},
            "/proc/driver/nvidia/version": VERSION,
            "/etc/cdi/n.yaml": CDI,
        },
        programs=[machine.SMI, machine.HOOK],
    )
    asked: list[Sequence[str]] = []

    async def run(argv: Sequence[str]) -> tuple[int, str]:
        asked.append(argv)
        return await two_cards(argv)

    found = await gather(tmp_path, run)
    assert asked[0][0] == str(tmp_path / "usr/bin/nvidia-smi") and len(asked) == 2
    assert found.nvidia_nodes == ("/dev/nvidia0", "/dev/nvidia2", "/dev/nvidia10")
    assert found.nvidia_driver == "535.104.05" and found.hook == machine.HOOK and found.nvidia_shown
    assert found.smi.path == machine.SMI and len(found.smi.working) == 2
    assert [device.name for device in found.cdi.devices] == ["nvidia.com/gpu=0"]
    assert found.cdi.devices[0].missing == ()


async def test_a_spec_that_names_what_is_gone(tmp_path: pathlib.Path) -> None:
    machine.write_machine(tmp_path, files={"/var/run/cdi/nvidia.yaml": CDI})
    found = await gather(tmp_path)
    assert found.cdi.devices[0].missing == ("/dev/nvidia0",) and not found.nvidia_shown
    assert "nvidia.com/gpu=0 needs /dev/nvidia0, which is not there" in describe(found)


async def test_files_that_are_no_specs(tmp_path: pathlib.Path) -> None:
    machine.write_machine(
        tmp_path,
        files={"/etc/cdi/a.json": "{", "/etc/cdi/b.yml": CDI, "/etc/cdi/README": "x", "/var/run/cdi": "not a folder"},
    )
    (tmp_path / "etc/cdi/c.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "etc/cdi/d.yaml").mkdir()
    found = await gather(tmp_path)
    assert found.cdi.devices == ()
    troubles = "\n".join(found.cdi.troubles)
    for words in (
        "a.json is not JSON",
        "b.yml is not read by engines",
        "c.yaml cannot be read",
        "d.yaml cannot be read",
    ):
        assert words in troubles
    assert "/var/run/cdi cannot be read" in troubles


async def test_amd_cards_beside_another_vendors(tmp_path: pathlib.Path) -> None:
    drm = "/sys/class/drm"
    machine.write_machine(
        tmp_path,
        files={
            "/dev/kfd": "",
            "/dev/dri/card0": "",
            "/dev/dri/renderD128": "",
            "/dev/dri/renderD129": "",
            f"{drm}/renderD128/device/vendor": "0x8086\n",
            f"{drm}/renderD129/device/vendor": "0x1002\n",
            f"{drm}/renderD129/device/mem_info_vram_total": "17163091968\n",
        },
    )
    found = await gather(tmp_path)
    (node,) = found.amd
    assert (node.path, node.vendor, node.memory) == ("/dev/dri/renderD129", AMD, 17163091968)
    assert found.kfd and found.kfd_gid == os.getgid() and found.amd_only
    assert any("card 0: /dev/dri/renderD129" in line for line in describe(found))


async def test_render_nodes_without_kfd_are_no_amd_cards(tmp_path: pathlib.Path) -> None:
    machine.write_machine(tmp_path, files={"/dev/dri/renderD128": ""})
    assert (await gather(tmp_path)).amd == ()


async def test_wsl(tmp_path: pathlib.Path) -> None:
    machine.write_machine(
        tmp_path,
        files={"/dev/dxg": "", "/usr/lib/wsl/lib/libcuda.so.1": ""},
        programs=["/usr/lib/wsl/lib/nvidia-smi"],
    )
    found = await gather(tmp_path, two_cards)
    assert found.dxg and found.wsl_cuda and found.nvidia_shown and found.smi.path == "/usr/lib/wsl/lib/nvidia-smi"
    assert any("with the Windows host's CUDA driver" in line for line in describe(found))


async def test_nvidia_smi_that_hangs_is_given_up(tmp_path: pathlib.Path) -> None:
    machine.write_machine(tmp_path, files={"/dev/nvidia0": ""}, programs=[machine.SMI])
    ended = asyncio.Event()

    async def run(argv: Sequence[str]) -> tuple[int, str]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 0, ""

    found = await gather(tmp_path, run, limit=0.01)
    assert ended.is_set() and not found.smi.answered and found.smi.failure == "" and found.nvidia_shown


async def test_nvidia_smi_that_cannot_be_started(tmp_path: pathlib.Path) -> None:
    machine.write_machine(tmp_path, programs=["/opt/bin/nvidia-smi"])

    async def run(argv: Sequence[str]) -> tuple[int, str]:
        raise OSError(8, "Exec format error")

    found = await gather(tmp_path, run)
    assert found.smi.path == "/opt/bin/nvidia-smi"
    assert found.smi.failure == "exit code 126: nvidia-smi cannot be started: Exec format error"


async def test_a_file_that_is_not_executable_is_no_program(tmp_path: pathlib.Path) -> None:
    machine.write_machine(tmp_path, files={machine.SMI: "", machine.HOOK: ""})
    found = await gather(tmp_path)
    assert not found.smi.path and not found.hook


@pytest.mark.parametrize(
    ("scene", "working", "slices", "failure"),
    [
        ("two", 2, 0, ""),
        ("mig", 2, 2, ""),
        ("lost", 3, 0, ""),
        ("broken", 0, 0, f"exit code 18: {machine.MISMATCH}"),
        ("none", 0, 0, "exit code 6: No devices were found"),
    ],
)
async def test_the_stand_in_program(
    monkeypatch: pytest.MonkeyPatch, scene: str, working: int, slices: int, failure: str
) -> None:
    """tests/rig/gpus/nvidia-smi is a stand-in: it is run for real, its cards do not exist."""
    monkeypatch.setenv("STAND_IN_GPUS", scene)
    program = str(gpus.smi_program())
    code, table = await survey.run_program((program, *nvidia_smi.QUERY))
    _, listing = await survey.run_program((program, *nvidia_smi.LIST))
    found = nvidia_smi.parse(program, code, table, listing)
    assert len(found.working) == working and found.failure == failure
    assert sum(len(card.slices) for card in found.cards) == slices


async def test_a_cancelled_program_is_ended(tmp_path: pathlib.Path) -> None:
    mark = tmp_path / "pid"
    task = asyncio.create_task(survey.run_program(("/bin/sh", "-c", f"echo $$ > {mark}; exec sleep 600")))
    deadline = time.monotonic() + 20
    while not (mark.exists() and mark.read_text().strip()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_describe_nvidia() -> None:
    lines = describe(machine.cards(found=machine.smi(machine.MIG, machine.MIG_LISTED), cdi=machine.NVIDIA_CDI))
    assert lines[0] == "NVIDIA: driver 535.104.05, 2 device nodes"
    assert any(line.startswith("  slice 0:1 (2g.10gb): MIG-22222222") for line in lines)
    assert f"NVIDIA Container Toolkit: {machine.HOOK}" in lines
    assert any(line.startswith("CDI nvidia.com/gpu: 0, 1, ") for line in lines)


def test_describe_what_does_not_work() -> None:
    lines = describe(machine.BROKEN)
    assert f"nvidia-smi: {machine.MISMATCH}" in lines
    assert any(line.startswith("nvidia-smi finds no card that works (exit code 18") for line in lines)
