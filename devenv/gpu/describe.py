"""What a look at this machine's GPUs found, for people: one line per thing. Pure."""

from __future__ import annotations

from devenv.gpu.cards import gib
from devenv.gpu.survey import HostDevices


def describe(devices: HostDevices) -> list[str]:
    """Never empty: a machine without GPUs has a line that says so."""
    lines = [*_nvidia(devices), *_amd(devices)]
    if devices.dxg:
        driver = "with" if devices.wsl_cuda else "without"
        lines.append(f"WSL: /dev/dxg, {driver} the Windows host's CUDA driver")
    for kind in devices.cdi.kinds:
        found = devices.cdi.of(kind)
        files = ", ".join(dict.fromkeys(device.file for device in found))
        lines.append(f"CDI {kind}: {', '.join(device.local for device in found)} ({files})")
        lines += [f"{device.name} needs {device.missing[0]}, which is not there" for device in found if device.missing]
    lines += devices.cdi.troubles
    return lines or ["no GPU: no device node, no driver, no CDI spec"]


def _nvidia(devices: HostDevices) -> list[str]:
    lines: list[str] = []
    if devices.nvidia_shown:
        driver = f"driver {devices.nvidia_driver}" if devices.nvidia_driver else "driver not loaded"
        lines.append(f"NVIDIA: {driver}, {len(devices.nvidia_nodes)} device nodes")
    for card in devices.smi.cards:
        lines.append(f"NVIDIA {card.title}: {card.uuid or 'no UUID'}")
        lines += [f"  slice {card.index}:{part.index} ({part.profile}): {part.uuid}" for part in card.slices]
    if devices.smi.path:
        lines += [f"nvidia-smi: {line}" for line in devices.smi.troubles]
        if devices.smi.failure:
            lines.append(f"nvidia-smi finds no card that works ({devices.smi.failure})")
    if devices.nvidia_shown or devices.hook:
        lines.append(f"NVIDIA Container Toolkit: {devices.hook or 'its hook is not on PATH'}")
    return lines


def _amd(devices: HostDevices) -> list[str]:
    if not devices.kfd:
        return []
    lines = [f"AMD: /dev/kfd, {len(devices.amd)} cards"]
    for at, node in enumerate(devices.amd):
        memory = f", {gib(node.memory)}" if node.memory is not None else ""
        lines.append(f"AMD card {at}: {node.path}, group {node.gid}{memory}")
    return lines
