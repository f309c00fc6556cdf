"""GPUs that the configuration wires itself: then devenv adds nothing, because two requests for GPUs are an error or
give more than was asked for. Pure; options are searched for, not interpreted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from devenv.gpu import cdi

_NODES = ("/dev/nvidia", "/dev/kfd", "/dev/dxg")  # /dev/dri alone is a display


def of_run_args(args: Sequence[str]) -> str:
    """The words of `runArgs` that give GPUs, as they are written; "" when none does."""
    for at, word in enumerate(args):
        name, equals, value = word.partition("=")
        after = value if equals else (args[at + 1] if at + 1 < len(args) else "")
        said = word if equals else f"{word} {after}"
        if name == "--gpus" or (name == "--runtime" and _is_nvidia(after)) or (name == "--device" and _is_gpu(after)):
            return said
    return ""


def of_service(raw: Mapping[str, Any]) -> str:
    """The key of a Compose service that gives GPUs, with its value; "" when none does. `raw` is as Compose resolved
    it."""
    if raw.get("gpus"):
        return f"gpus: {raw['gpus']}"
    if _is_nvidia(str(raw.get("runtime") or "")):
        return f"runtime: {raw['runtime']}"
    for device in _list(raw.get("devices")):
        path = str(device.get("source") or "") if isinstance(device, Mapping) else str(device)
        if _is_gpu(path):
            return f"devices: {path}"
    for device in _list(_at(raw, "deploy", "resources", "reservations", "devices")):
        if not isinstance(device, Mapping):
            continue
        words = {str(word) for word in _list(device.get("capabilities"))}
        if words & {"gpu", "nvidia", "compute", "utility"} or device.get("driver") in ("nvidia", "cdi", "amd"):
            return "deploy.resources.reservations.devices"
    return ""


def _is_nvidia(runtime: str) -> bool:
    return runtime.startswith("nvidia")


def _is_gpu(device: str) -> bool:
    """A node of a GPU, or a CDI device of a class that is called after GPUs."""
    if device.startswith(_NODES):
        return True
    return cdi.is_name(device) and "gpu" in cdi.kind_of(device).partition("/")[2].lower()


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
