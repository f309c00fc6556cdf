"""GPUs that are asked for and cannot be given: three lines, always. What is missing, what was looked at and found, what
to do about it. Pure; decided by what was seen, never by the words of an engine's error.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import NamedTuple

from devenv.engine.port import EngineInfo
from devenv.errors import GpuMissing
from devenv.gpu import cdi, engine_facts, ways
from devenv.gpu.cards import gib
from devenv.gpu.engine_facts import Cdi
from devenv.gpu.request import HOST_REQUIREMENT, Asked, By
from devenv.gpu.selection import NotThere
from devenv.gpu.survey import HostDevices
from devenv.gpu.ways import Offer, Way

GENERATE = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
CONFIGURE = "sudo nvidia-ctk runtime configure --runtime=docker"
_TOOLKIT = "install the NVIDIA Container Toolkit"
_RESTART = "restart the engine"
_NOTHING_WRONG = "nothing wrong is seen from here: read the engine's own words, or see whether `--gpus none` starts"


class Refusal(NamedTuple):
    """One line each."""

    missing: str
    found: str
    todo: str

    def error(self) -> GpuMissing:
        return GpuMissing(f"{self.missing}\n{self.found}", self.todo)


def nothing_possible(
    asked: Asked, info: EngineInfo, devices: HostDevices | None, offers: Sequence[Offer], forced: str
) -> Refusal:
    """No way can be gone."""
    missing = f"{asked.origin} asks for {asked}, and this engine can give the container none"
    if asked.choice.by is By.CDI and engine_facts.cdi(info) is Cdi.ON:
        return _no_cdi_device(asked, info, devices, offers[0].doubt)
    if forced:
        doubt = next((offer.doubt for offer in offers if offer.way == forced), "there is no such way here")
        return Refusal(
            f"{missing} by {Way(forced).phrase}", f"found: {doubt}", "leave out --gpu-via: devenv looks for a way"
        )
    return Refusal(missing, f"found: {found(info, devices)}", todo(asked, info, devices))


def _no_cdi_device(asked: Asked, info: EngineInfo, devices: HostDevices | None, doubt: str) -> Refusal:
    told = engine_facts.discovered(info)
    known = (
        [device.name for device in devices.cdi.devices] if told is None and devices is not None else list(told or ())
    )
    close = [name for asked_for in asked.choice.names for name in difflib.get_close_matches(asked_for, known, n=1)]
    todo = (
        f"did you mean --gpus {','.join(dict.fromkeys(close))}?"
        if close
        else "write a CDI spec for it with its vendor's tool"
    )
    if any(name in known for name in asked.choice.names):
        todo = "write the CDI spec anew with its vendor's tool"
    return Refusal(f"{asked.origin} asks for a CDI device that this engine cannot give", f"found: {doubt}", todo)


def not_there(asked: Asked, error: NotThere) -> Refusal:
    return Refusal(
        f"{asked.origin} asks for GPUs that this machine does not have: {error.message}",
        f"found: {error.there}",
        "choose among these with --gpus",
    )


def too_little_memory(asked: Asked, sizes: Sequence[str]) -> Refusal:
    return Refusal(
        f"{HOST_REQUIREMENT} asks for a GPU with {gib(asked.memory)} of memory, and no chosen one has that much",
        f"found: {', '.join(sizes)}",
        "choose a larger card with --gpus, use a machine that has one, or ask for less in hostRequirements",
    )


def found(info: EngineInfo, devices: HostDevices | None) -> str:
    """What was looked at, in one line."""
    if devices is None:
        told = engine_facts.discovered(info)
        cdi_told = "its CDI devices unknown" if told is None else f"CDI devices: {_some(told)}"
        return f"engine {info.name or info.endpoint} is elsewhere; runtimes: {_some(info.runtimes)}; {cdi_told}"
    smi = devices.smi
    if not smi.path:
        told_smi = "no nvidia-smi"
    elif not smi.answered:
        told_smi = "nvidia-smi gives no answer"
    else:
        told_smi = f"nvidia-smi: {smi.failure or _number(len(smi.working), 'card')}"
    parts = [
        f"{_number(len(devices.nvidia_nodes), 'node')} /dev/nvidia*" if devices.nvidia_nodes else "no /dev/nvidia*",
        told_smi,
        f"CDI: {_some(devices.cdi.kinds)} in {', '.join(devices.cdi.folders) or 'no folder'}",
        f"runtimes: {_some(info.runtimes)}",
        _number(len(devices.amd), "AMD card") if devices.kfd else "no /dev/kfd",
    ]
    return "; ".join(parts)


def todo(asked: Asked, info: EngineInfo, devices: HostDevices | None) -> str:
    """The one step that helps most."""
    optional = 'or let it go on without: "hostRequirements": {"gpu": "optional"}, or `--gpus none` this once'
    if devices is None:
        where = f"on {info.name}" if info.name else "there"
        return (
            f"{_TOOLKIT} {where}, `{CONFIGURE}` and {_RESTART}; if it has it: `--gpu-via gpus` tries without being sure"
        )
    if info.is_podman and engine_facts.cdi(info) is not Cdi.ON:
        return f"use Podman 5.4 or later, {optional}"
    if devices.smi.failure:
        return "make `nvidia-smi` work on this machine first (after an update of the driver: restart it)"
    if stale := next((d for d in devices.cdi.of(cdi.NVIDIA_GPU) if d.missing), None):
        return f"write {stale.file} anew: sudo nvidia-ctk cdi generate --output={stale.file}"
    if devices.cdi.devices and engine_facts.cdi(info) is Cdi.OFF:
        return f'switch CDI on: "features": {{"cdi": true}} in the engine\'s daemon.json, and {_RESTART}'
    if not ways.nvidia_doubt(devices):
        return install(info)
    if not devices.nvidia_shown and devices.kfd:
        return f"make the AMD cards visible (`ls -l /dev/dri`), {optional}"
    return f"use a machine with a GPU and its driver, {optional}"


def install(info: EngineInfo) -> str:
    """There are cards, and the engine has nothing to give them by."""
    if engine_facts.cdi(info) is Cdi.ON:
        return f"{_TOOLKIT}, then `{GENERATE}`"
    return f"{_TOOLKIT}, then `{CONFIGURE}` and {_RESTART}"


def start_failed(way: Way, info: EngineInfo, devices: HostDevices | None) -> Refusal:
    """The engine took the container and could not start it, with GPUs by `way`. `devices` is a look from after that."""
    missing = f"the engine could not start the container with GPUs by {way.phrase}"
    looked = f"found: {found(info, devices)}"
    if devices is None:
        return Refusal(missing, looked, _on_the_other_machine(way, info))
    return Refusal(missing, looked, _here(way, info, devices))


def _here(way: Way, info: EngineInfo, devices: HostDevices) -> str:
    if devices.smi.failure:
        return "make `nvidia-smi` work on this machine first (after an update of the driver: restart it)"
    if way is Way.AMD:
        return "see that the engine may open /dev/kfd and the render nodes (`ls -l /dev/kfd /dev/dri`)"
    if way is Way.CDI:
        stale = next((d for d in devices.cdi.devices if d.missing), None)
        if stale is not None:
            return (
                f"{stale.file} names {stale.missing[0]}, which is gone: write the file anew (`nvidia-ctk cdi generate`)"
            )
        if not devices.cdi.devices:
            return f"the CDI specs are gone: `{GENERATE}`"
        return _NOTHING_WRONG
    if not devices.nvidia_shown:
        return "this machine shows no NVIDIA card: use one that has it, or `--gpus none`"
    if way is Way.GPUS and not devices.hook:
        return install(info)
    if way is Way.RUNTIME and not engine_facts.nvidia_runtime(info):
        return f"`{CONFIGURE}` and {_RESTART}"
    if info.rootless:
        return (
            "`sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place` (rootless), or `--gpu-via cdi`"
        )
    if way is Way.GPUS:
        return f"{_RESTART}: it looks for the toolkit's hook ({devices.hook}) only when it starts"
    return _NOTHING_WRONG


def _on_the_other_machine(way: Way, info: EngineInfo) -> str:
    where = f"on {info.name}" if info.name else "on the engine's machine"
    if way is Way.CDI:
        return f"{where}: `{GENERATE}`; or choose another way with --gpu-via"
    return f"{where}: see that `nvidia-smi` works, {_TOOLKIT}, `{CONFIGURE}` and {_RESTART}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"
