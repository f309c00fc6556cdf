"""Each way to give a container GPUs: its words for `docker create`, its keys for a Compose service, and why it cannot
be gone here. Pure; which one is taken is decided in `devenv.gpu.wiring`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence

from devcontainer.jsonc import JsonValue
from devenv.engine.port import EngineInfo
from devenv.gpu import cdi, engine_facts, selection
from devenv.gpu.cards import RenderNode
from devenv.gpu.engine_facts import Cdi
from devenv.gpu.request import Asked
from devenv.gpu.selection import NotThere, Picked
from devenv.gpu.survey import HostDevices

CAPABILITIES = "compute,utility"
"""What CUDA and `nvidia-smi` need, and the default of NVIDIA's own tools. A project that draws or encodes says so
itself, with NVIDIA_DRIVER_CAPABILITIES in containerEnv or its image."""


class Way(enum.StrEnum):
    """The words of `--gpu-via`."""

    CDI = "cdi"
    GPUS = "gpus"
    RUNTIME = "runtime"
    AMD = "amd"
    NONE = "none"

    @property
    def phrase(self) -> str:
        return {
            Way.CDI: "CDI",
            Way.GPUS: "--gpus",
            Way.RUNTIME: "--runtime",
            Way.AMD: "AMD device nodes",
            Way.NONE: "nothing",
        }[self]


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """One way, looked at. `doubt` says why it cannot be gone, "" when it can; then `args` are what it takes.

    `args` are empty where the way cannot even be tried.
    """

    way: Way
    doubt: str = ""
    args: tuple[str, ...] = ()
    compose: Mapping[str, JsonValue] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    lines: tuple[str, ...] = ()  # what a person should know when it is taken
    kind: str = ""  # of CDI devices

    @property
    def title(self) -> str:
        return f"{self.way.phrase} ({self.kind})" if self.kind and self.kind != cdi.NVIDIA_GPU else self.way.phrase

    @property
    def shown(self) -> str:
        return " ".join([*self.args, *(f"{name}={value}" for name, value in self.environment.items())])


def by_cdi(kind: str, names: Sequence[str], doubt: str = "", gids: Sequence[int] = ()) -> Offer:
    """`names` are full. In Compose always as a device request of driver `cdi`: its `devices:` takes CDI names only from
    2.30 on, and takes them for paths before (measured with 2.26)."""
    requests: list[JsonValue] = [{"driver": "cdi", "device_ids": list(names), "capabilities": ["gpu"]}]
    compose: dict[str, JsonValue] = {"deploy": {"resources": {"reservations": {"devices": requests}}}}
    groups = [str(gid) for gid in gids]
    if groups:
        compose["group_add"] = list(groups)
    args = [word for name in names for word in ("--device", name)]
    args += [word for group in groups for word in ("--group-add", group)]
    return Offer(Way.CDI, doubt, tuple(args), compose, kind=kind)


def named_cdi(asked: Asked, info: EngineInfo, devices: HostDevices | None) -> Offer:
    """The CDI devices that were asked for by their full names, of any vendor."""
    names = asked.choice.names
    kinds = dict.fromkeys(cdi.kind_of(name) for name in names)
    doubt = _cdi_doubt(info)
    if not doubt:
        doubt = next((found for name in names if (found := _device_doubt(name, info, devices))), "")
    gids = _amd_gids(devices) if cdi.AMD_GPU in kinds else ()
    return by_cdi(", ".join(kinds), names, doubt, gids)


def vendor_cdi(kind: str, asked: Asked, picked: Picked, info: EngineInfo, devices: HostDevices | None) -> Offer:
    """Cards of one vendor by CDI."""
    local = [name.partition("=")[2] for name in cdi_known(kind, info, devices)]
    names = selection.cdi_names(picked, local)
    if doubt := _cdi_doubt(info) or _driver_doubt(kind, devices):
        pass
    elif not local:
        doubt = _no_device(kind, info, devices)
    elif names is None:
        doubt = f"{kind} has no device for {asked.choice} (it has {', '.join(local)})"
    else:
        doubt = next((found for name in names if (found := _device_doubt(f"{kind}={name}", info, devices))), "")
    if names is None:  # for one who forces it: the plain names
        names = [pick.names[0] for pick in picked.picks] or [str(n) for n in range(picked.count)] or [selection.ALL]
    gids = _amd_gids(devices) if kind == cdi.AMD_GPU else ()
    return by_cdi(kind, [f"{kind}={name}" for name in names], doubt, gids)


def by_gpus(picked: Picked, info: EngineInfo, devices: HostDevices | None) -> Offer:
    """`docker create --gpus`: a request that the engine answers with NVIDIA's hook."""
    request: dict[str, JsonValue] = {"driver": "nvidia", "capabilities": ["gpu"]}
    lines: list[str] = []
    if picked.picks:
        ids = [pick.names[0] for pick in picked.picks]
        value = f'"device={",".join(ids)}"' if len(ids) > 1 else f"device={ids[0]}"  # quotes: the option is a CSV line
        request["device_ids"] = list(ids)
    elif picked.count:
        value, request["count"] = str(picked.count), picked.count
    else:
        value, request["count"] = "all", "all"
    if info.rootless:
        lines.append("rootless engine: NVIDIA's hook needs `no-cgroups = true` in its config.toml; CDI does not")
    compose: dict[str, JsonValue] = {"deploy": {"resources": {"reservations": {"devices": [request]}}}}
    doubt = nvidia_doubt(devices) or _gpus_doubt(info, devices)
    return Offer(Way.GPUS, doubt, ("--gpus", value), compose, lines=tuple(lines))


def by_runtime(picked: Picked, info: EngineInfo, devices: HostDevices | None) -> Offer:
    """NVIDIA's runtime, which reads what it is to do from the container's environment. The values go with the
    container's other variables, so that containerEnv can say otherwise."""
    runtime = engine_facts.nvidia_runtime(info)
    doubt = nvidia_doubt(devices)
    if info.is_podman:
        doubt = "Podman's Docker API ignores the runtime of a container"
    elif not doubt and not runtime:
        doubt = f"the engine has no runtime nvidia (it has {', '.join(info.runtimes) or 'none'})"
    visible = ",".join(pick.names[0] for pick in picked.picks) or ",".join(str(n) for n in range(picked.count)) or "all"
    return Offer(
        Way.RUNTIME,
        doubt,
        (f"--runtime={runtime or 'nvidia'}",),
        {"runtime": runtime or "nvidia"},
        {"NVIDIA_VISIBLE_DEVICES": visible, "NVIDIA_DRIVER_CAPABILITIES": CAPABILITIES},
    )


def by_amd_nodes(asked: Asked, info: EngineInfo, devices: HostDevices | None) -> Offer:
    """/dev/kfd and the cards' render nodes, and the groups that may open them, by number: the names of the host's
    groups need not be in the container. All of /dev/dri would give the display and other vendors' cards as well."""
    if devices is None:
        return Offer(Way.AMD, "the device nodes of another machine cannot be seen from here")
    if not devices.kfd:
        return Offer(Way.AMD, "there is no /dev/kfd")
    if not devices.amd:
        return Offer(Way.AMD, "there is /dev/kfd, and no AMD card in /dev/dri")
    try:
        nodes = selection.amd(asked, devices.amd)
    except NotThere as error:
        return Offer(Way.AMD, f"{error.message} ({error.there})")
    paths = ["/dev/kfd", *(node.path for node in nodes)]
    groups = [str(gid) for gid in _amd_gids(devices, nodes)]
    args = [word for path in paths for word in ("--device", path)]
    args += [word for group in groups for word in ("--group-add", group)]
    compose: dict[str, JsonValue] = {"devices": [f"{path}:{path}" for path in paths]}
    if groups:
        compose["group_add"] = list(groups)
    lines = [
        "ROCm: tools that bind memory to NUMA nodes also need `--security-opt seccomp=unconfined` (runArgs or "
        "securityOpt); devenv loosens no security option by itself"
    ]
    if info.rootless or info.userns_remap:
        lines.append("the engine maps user ids: the device nodes' groups may mean nothing in the container")
    return Offer(Way.AMD, "", tuple(args), compose, lines=tuple(lines))


def forgotten(own: str, info: EngineInfo) -> str:
    """What becomes of a configuration's own wiring that the engine takes and drops without a word; "" if nothing is
    dropped. Device nodes come through on every engine."""
    if not info.is_podman:
        return ""
    device = own.removeprefix("--device").lstrip(" =") if own.startswith("--device") else ""
    device = device or (own.removeprefix("devices: ") if own.startswith("devices: ") else "")
    if device and (not cdi.is_name(device) or engine_facts.cdi(info) is Cdi.ON):
        return ""
    return f"Podman {info.version} drops `{own}` without a word: the container has no GPU by it"


def cdi_known(kind: str, info: EngineInfo, devices: HostDevices | None) -> list[str]:
    """Full names of a kind, by what the engine says itself, else by the specs on this machine; in order."""
    told = engine_facts.discovered(info)
    if told is None:
        told = tuple(device.name for device in devices.cdi.devices) if devices is not None else ()
    return sorted((name for name in told if cdi.kind_of(name) == kind), key=cdi.order)


def nvidia_doubt(devices: HostDevices | None) -> str:
    """Why no NVIDIA card of this machine can be used; "" when one can, or where this cannot be seen."""
    if devices is None or devices.smi.working:
        return ""
    if not devices.nvidia_shown:
        return "no NVIDIA device is present" + (" (/dev/dxg without its CUDA driver)" if devices.dxg else "")
    return _driver_doubt(cdi.NVIDIA_GPU, devices)


def _driver_doubt(kind: str, devices: HostDevices | None) -> str:
    failure = devices.smi.failure if devices is not None and kind == cdi.NVIDIA_GPU else ""
    return f"the NVIDIA driver does not work (nvidia-smi: {failure})" if failure else ""


def _gpus_doubt(info: EngineInfo, devices: HostDevices | None) -> str:
    if info.is_podman:
        return "Podman's Docker API forgets such requests"
    if not engine_facts.has_gpus_option(info):
        return f"the engine's API is {info.api_version}; it came with 1.40 (Docker 19.03)"
    if engine_facts.nvidia_runtime(info) or (devices is not None and devices.hook):
        return ""
    if devices is None:
        return "the engine has no runtime nvidia, and whether it has the toolkit's hook cannot be seen from here"
    return "the NVIDIA Container Toolkit is missing (neither its hook on PATH nor a runtime nvidia)"


def _cdi_doubt(info: EngineInfo) -> str:
    state = engine_facts.cdi(info)
    if state is Cdi.ON:
        return ""
    if state is Cdi.OFF:
        return 'the engine has CDI switched off ("features": {"cdi": true} in daemon.json)'
    if info.is_podman:
        return f"Podman {info.version} forgets CDI devices that come by its Docker API (5.4 does not)"
    return f"Docker {info.version} does not know CDI (25 does)"


def _no_device(kind: str, info: EngineInfo, devices: HostDevices | None) -> str:
    if engine_facts.discovered(info) is not None:
        return f"the engine has found no CDI device of {kind}"
    if devices is None:
        return "the engine does not tell which CDI devices it has (Docker 28.2 does)"
    return f"no CDI spec of {kind} in {', '.join(devices.cdi.folders) or 'any folder'}"


def _device_doubt(name: str, info: EngineInfo, devices: HostDevices | None) -> str:
    kind = cdi.kind_of(name)
    known = cdi_known(kind, info, devices)
    if not known:
        return _no_device(kind, info, devices)
    if name not in known:
        return f"there is no CDI device {name} (there is {', '.join(known)})"
    for device in devices.cdi.devices if devices is not None else ():
        if device.name == name and device.missing:
            return f"{device.file} is out of date: it names {device.missing[0]}, which is not there"
    return ""


def _amd_gids(devices: HostDevices | None, nodes: Sequence[RenderNode] | None = None) -> tuple[int, ...]:
    if devices is None:
        return ()
    gids = [devices.kfd_gid, *(node.gid for node in (devices.amd if nodes is None else nodes))]
    return tuple(sorted({gid for gid in gids if gid}))
