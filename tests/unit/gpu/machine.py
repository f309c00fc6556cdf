"""Machines and engines as values and as folders, for the tables of the GPU tests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devenv.engine import snapshots
from devenv.engine.port import EngineInfo
from devenv.gpu import nvidia_smi
from devenv.gpu.cards import AMD, RenderNode
from devenv.gpu.cdi import CdiDevice, CdiDevices
from devenv.gpu.nvidia_smi import Smi
from devenv.gpu.survey import HostDevices

GIB = 1024**3
KERNEL = "6.1.0-test"
UUIDS = ("GPU-00000000-aaaa-bbbb-cccc-000000000000", "GPU-11111111-aaaa-bbbb-cccc-111111111111")

TWO = "\n".join(f"{index}, {uuid}, 23034, NVIDIA L4" for index, uuid in enumerate(UUIDS))
TWO_LISTED = "\n".join(f"GPU {index}: NVIDIA L4 (UUID: {uuid})" for index, uuid in enumerate(UUIDS))
MIG = f"0, {UUIDS[0]}, 40960, NVIDIA A100-SXM4-40GB\n1, {UUIDS[1]}, 40960, NVIDIA A100-SXM4-40GB"
MIG_LISTED = f"""\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: {UUIDS[0]})
  MIG 3g.20gb     Device  0: (UUID: MIG-33333333-aaaa-bbbb-cccc-000000000000)
  MIG 2g.10gb     Device  1: (UUID: MIG-22222222-aaaa-bbbb-cccc-000000000000)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: {UUIDS[1]})
"""
LOST = f"0, {UUIDS[0]}, 23034, NVIDIA L4\n1, [Unknown Error], [Unknown Error], [Unknown Error]"
LOST_LISTED = f"""\
GPU 0: NVIDIA L4 (UUID: {UUIDS[0]})
Unable to determine the device handle for gpu 0000:01:00.0: Unknown Error
"""
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch"

SMI = "/usr/bin/nvidia-smi"
HOOK = "/usr/bin/nvidia-container-runtime-hook"


def info(
    *,
    api: str = "1.45",
    version: str = "26.1.5",
    runtimes: Sequence[str] = ("runc",),
    cdi: bool | None = False,
    discovered: Sequence[str] | None = None,
    endpoint: str = "unix:///var/run/docker.sock",
    kernel: str = KERNEL,
    security: Sequence[str] = ("name=seccomp,profile=builtin",),
    **raw: Any,
) -> EngineInfo:
    """`cdi`: True on, False off, None an engine that does not know it."""
    told: dict[str, Any] = {
        "ServerVersion": version,
        "Name": "box",
        "KernelVersion": kernel,
        "Runtimes": {name: {"path": name} for name in runtimes},
        "SecurityOptions": list(security),
        "NCPU": 8,
        "MemTotal": 32 * GIB,
        **raw,
    }
    if cdi is not None:
        told["CDISpecDirs"] = ["/etc/cdi", "/var/run/cdi"] if cdi else []
    if discovered is not None:
        told["DiscoveredDevices"] = [{"Source": "cdi", "ID": name} for name in discovered]
    return snapshots.info(told, endpoint=endpoint, api_version=api, has_buildx=True, has_compose=True)


def podman(version: str) -> EngineInfo:
    return info(cdi=None, version=version, api="1.41", runtimes=("crun", "nvidia"), BuildahVersion="1.33.7")


def smi(table: str = TWO, listing: str = TWO_LISTED, code: int | None = 0) -> Smi:
    return nvidia_smi.parse(SMI, code, table, listing)


def cdi_devices(*names: str, missing: str = "", file: str = "/etc/cdi/nvidia.yaml") -> CdiDevices:
    gone = (missing,) if missing else ()
    return CdiDevices(("/etc/cdi", "/var/run/cdi"), tuple(CdiDevice(name, file, gone) for name in names))


NVIDIA_CDI = cdi_devices("nvidia.com/gpu=0", "nvidia.com/gpu=1", f"nvidia.com/gpu={UUIDS[0]}", "nvidia.com/gpu=all")


def cards(*, toolkit: bool = True, found: Smi | None = None, cdi: CdiDevices | None = None) -> HostDevices:
    """A machine with NVIDIA cards."""
    return HostDevices(
        nvidia_nodes=("/dev/nvidia0", "/dev/nvidia1"),
        nvidia_driver="535.104.05",
        smi=smi() if found is None else found,
        hook=HOOK if toolkit else "",
        cdi=cdi or CdiDevices(("/etc/cdi", "/var/run/cdi")),
    )


def amd(*memory: int, cdi: CdiDevices | None = None) -> HostDevices:
    """A machine with AMD cards only, one for each size in GiB."""
    nodes = [RenderNode(f"/dev/dri/renderD{128 + at}", 109, AMD, size * GIB) for at, size in enumerate(memory)]
    return HostDevices(kfd=True, kfd_gid=44, render=tuple(nodes), cdi=cdi or CdiDevices())


BARE = HostDevices(cdi=CdiDevices(("/etc/cdi", "/var/run/cdi")))
TOOLKIT_WITHOUT_CARD = HostDevices(hook=HOOK, cdi=CdiDevices(("/etc/cdi",)))
BROKEN = cards(found=smi(MISMATCH, MISMATCH, 18))
UNASKED = cards(found=Smi())  # no nvidia-smi on PATH
SLOW = cards(found=Smi(SMI, None, (), ("no answer",)))
WSL = HostDevices(smi=smi(), hook=HOOK, dxg=True, wsl_cuda=True)


def write_machine(root: Path, *, files: dict[str, str] | None = None, programs: Sequence[str] = ()) -> Path:
    """`files` by path, nodes as empty files; `programs` are executable."""
    for path, text in (files or {}).items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for path in programs:
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("#!/bin/sh\n")
        os.chmod(place, 0o755)
    return root
