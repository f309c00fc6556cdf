"""What `docker info` says about GPUs. Pure; the only place that knows the engine's own keys for them.

| key               | since               | says                                                              |
|-------------------|---------------------|-------------------------------------------------------------------|
| CDISpecDirs       | 25 (API 1.44)       | folders of CDI specs; empty where CDI is off (the default to 28.1) |
| DiscoveredDevices | 28.2 (API 1.50)     | the CDI devices that the engine has found                          |
| Runtimes          | always              | names and programs of runtimes                                    |
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any

from devenv.engine.port import EngineInfo

DEFAULT_CDI_FOLDERS = ("/etc/cdi", "/var/run/cdi")
_GPUS_API = (1, 40)  # Docker 19.03
_PODMAN_CDI = (5, 4)  # before, its Docker API takes device requests and forgets them


class Cdi(enum.Enum):
    """Whether the engine gives CDI devices."""

    ON = enum.auto()
    OFF = enum.auto()  # it could
    UNKNOWN_TO_IT = enum.auto()  # it is too old


def cdi(info: EngineInfo) -> Cdi:
    if info.is_podman:
        return Cdi.ON if version(info.version) >= _PODMAN_CDI else Cdi.UNKNOWN_TO_IT
    if "CDISpecDirs" not in info.raw:
        return Cdi.UNKNOWN_TO_IT
    return Cdi.ON if info.raw["CDISpecDirs"] else Cdi.OFF


def cdi_folders(info: EngineInfo) -> tuple[str, ...]:
    """Where the engine looks for specs; the usual folders while it looks nowhere, to tell what it would find."""
    named = info.raw.get("CDISpecDirs")
    folders = tuple(str(folder) for folder in named) if isinstance(named, list) else ()
    return folders or DEFAULT_CDI_FOLDERS


def discovered(info: EngineInfo) -> tuple[str, ...] | None:
    """Full names of the CDI devices that the engine has found itself; None where it does not tell."""
    listed = info.raw.get("DiscoveredDevices")
    if not isinstance(listed, list):
        return None
    return tuple(
        str(one["ID"]) for one in listed if isinstance(one, Mapping) and one.get("Source") == "cdi" and one.get("ID")
    )


def has_gpus_option(info: EngineInfo) -> bool:
    """Whether its API knows device requests (`--gpus`)."""
    return version(info.api_version) >= _GPUS_API


def nvidia_runtime(info: EngineInfo) -> str:
    """The name under which NVIDIA's runtime is registered; "" when it is not."""
    if "nvidia" in info.runtimes:
        return "nvidia"
    table: Any = info.raw.get("Runtimes")
    for name, entry in table.items() if isinstance(table, Mapping) else ():
        program = entry.get("path") if isinstance(entry, Mapping) else ""
        if str(program).rpartition("/")[2] == "nvidia-container-runtime":
            return str(name)
    return ""


def default_is_nvidia(info: EngineInfo) -> bool:
    """Whether every container goes through NVIDIA's runtime, so that an image's own variables can ask for GPUs."""
    runtime = nvidia_runtime(info)
    return bool(runtime) and info.raw.get("DefaultRuntime") == runtime


def on_this_machine(info: EngineInfo, kernel: str) -> bool:
    """Whether this machine's devices are the engine's: a local socket may lead into a virtual machine (Docker Desktop),
    or through ssh to another host. `kernel` is this machine's, "" if unknown."""
    theirs = info.raw.get("KernelVersion")
    return info.is_local_socket and (not theirs or not kernel or theirs == kernel)


def version(text: str) -> tuple[int, int]:
    """`26.1.5+dfsg1` to (26, 1); (0, 0) for what is none."""
    match = re.match(r"v?([0-9]+)\.([0-9]+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)
