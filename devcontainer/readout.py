"""A configuration as the reference prints it: `configuration`, `workspace` and `mergedConfiguration` of its JSON.

Its `read-configuration`, `up` and `set-up` print these, and tools read them; so which keys are there, their order and
their values are the reference's. Values are as written, with variables resolved by the caller: nothing is checked
here, and what has a type that no entry may have is passed through or left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from devcontainer import mounts, ports, requirements
from devcontainer.jsonc import JsonValue
from devcontainer.lifecycle import CONTAINER_STAGES

Entry: TypeAlias = Mapping[str, JsonValue]

DISCOVERED, GIVEN = "vscode-fileHost", "file"
"""Schemes of a configuration's address: found in its usual place, or named by the caller."""

_REPLACED = (
    "customizations",
    "entrypoint",
    *(stage.value for stage in CONTAINER_STAGES),
    "shutdownAction",
)
"""What the merged configuration has in another form, or only from the entries."""


def address(path: str, scheme: str = DISCOVERED) -> dict[str, JsonValue]:
    """A file's address as editors serialise it."""
    return {"$mid": 1, "fsPath": path, "path": path, "scheme": scheme}


def configuration(raw: Entry, file: str, scheme: str = DISCOVERED) -> dict[str, JsonValue]:
    """`configuration`: what the file says, and where it is. `raw` has its variables resolved."""
    return {**raw, "configFilePath": address(file, scheme)}


def workspace(folder: str, mount: str | None, additional_mount: str = "") -> dict[str, JsonValue]:
    """`workspace`. `mount` None: there is none to speak of (Compose); "": the configuration wants none."""
    found: dict[str, JsonValue] = {"workspaceFolder": folder}
    if mount is not None:
        found["workspaceMount"] = mount
    if additional_mount:
        found["additionalMountString"] = additional_mount
    return found


def merged_configuration(config: Entry, entries: Sequence[Entry]) -> dict[str, JsonValue]:
    """`mergedConfiguration`: `config` as of `configuration`, over it what the metadata entries come to.

    Entries in the order of the label, variables resolved. A key that no entry says anything about is left out.
    """
    last = list(reversed(entries))
    found: dict[str, JsonValue] = {key: value for key, value in config.items() if key not in _REPLACED}
    merged: dict[str, JsonValue] = {
        "init": any(_is_true(entry.get("init")) for entry in entries),
        "privileged": any(_is_true(entry.get("privileged")) for entry in entries),
        "capAdd": _union(entries, "capAdd"),
        "securityOpt": _union(entries, "securityOpt"),
        "entrypoints": _given(entries, "entrypoint") or None,
        "mounts": _mounts(entries),
        "customizations": _customizations(entries),
        **{f"{stage.value}s": _given(entries, stage.value) for stage in CONTAINER_STAGES},
        **{key: _last(last, key) for key in ("waitFor", "remoteUser", "containerUser", "userEnvProbe")},
        "remoteEnv": _per_key(entries, "remoteEnv"),
        "containerEnv": _per_key(entries, "containerEnv"),
        "overrideCommand": _last_switch(last, "overrideCommand"),
        "portsAttributes": _per_key(entries, "portsAttributes"),
        "otherPortsAttributes": _last(last, "otherPortsAttributes"),
        "forwardPorts": ports.merge([_items(entry.get("forwardPorts")) for entry in entries]) or None,
        "shutdownAction": _last(last, "shutdownAction"),
        "updateRemoteUserUID": _last_switch(last, "updateRemoteUserUID"),
        "hostRequirements": _requirements(entries),
    }
    for key, value in merged.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = value
    return found


def _is_true(value: JsonValue) -> bool:
    """As JavaScript sees it: an empty object and an empty list are something."""
    return bool(value) or isinstance(value, dict | list)


def _given(entries: Iterable[Entry], key: str) -> list[JsonValue]:
    return [value for value in (entry.get(key) for entry in entries) if _is_true(value)]


def _last(last: Iterable[Entry], key: str) -> JsonValue:
    return next((value for value in (entry.get(key) for entry in last) if _is_true(value)), None)


def _last_switch(last: Iterable[Entry], key: str) -> JsonValue:
    return next((value for value in (entry.get(key) for entry in last) if isinstance(value, bool)), None)


def _items(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _union(entries: Iterable[Entry], key: str) -> JsonValue:
    found: list[JsonValue] = []
    for entry in entries:
        for item in _items(entry.get(key)):
            if item not in found:
                found.append(item)
    return found or None


def _mounts(entries: Iterable[Entry]) -> JsonValue:
    """As written; of several at one target the last one, in its own place."""
    last: dict[str | None, JsonValue] = {}
    for entry in entries:
        for value in _items(entry.get("mounts")):
            target = _target(value)
            last.pop(target, None)
            last[target] = value
    return list(last.values()) or None


def _target(value: JsonValue) -> str | None:
    try:
        return mounts.parse(value).target
    except mounts.MountError:
        return None


def _customizations(entries: Iterable[Entry]) -> JsonValue:
    found: dict[str, JsonValue] = {}
    for entry in entries:
        value = entry.get("customizations")
        for tool, settings in value.items() if isinstance(value, dict) else ():
            found[tool] = [*_items(found.get(tool)), settings]
    return found or None


def _per_key(entries: Iterable[Entry], key: str) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for entry in entries:
        value = entry.get(key)
        if isinstance(value, dict):
            found.update(value)
    return found


def _requirements(entries: Sequence[Entry]) -> JsonValue:
    """The highest of each; sizes in bytes, as text."""
    wanted = [value for value in (entry.get("hostRequirements") for entry in entries) if isinstance(value, dict)]
    cpus = max((_number(value.get("cpus")) for value in wanted), default=0)
    memory = max((_size(value.get("memory")) for value in wanted), default=0)
    storage = max((_size(value.get("storage")) for value in wanted), default=0)
    gpu: JsonValue = None
    for value in wanted:
        gpu = _gpu(gpu, value.get("gpu"))
    if not (cpus or memory or storage or _is_true(gpu)):
        return None
    found: dict[str, JsonValue] = {"cpus": cpus}
    if memory:
        found["memory"] = str(memory)
    if storage:
        found["storage"] = str(storage)
    if gpu is not None:
        found["gpu"] = gpu
    return found


def _gpu(one: JsonValue, other: JsonValue) -> JsonValue:
    if one is None or one is False:
        return other
    if other is None or other is False:
        return one
    if one == other == "optional":
        return "optional"
    first, second = (value if isinstance(value, dict) else {} for value in (one, other))
    found: dict[str, JsonValue] = {}
    cores = max(_number(first.get("cores")), _number(second.get("cores")))
    memory = max(_size(first.get("memory")), _size(second.get("memory")))
    if cores:
        found["cores"] = cores
    if memory:
        found["memory"] = str(memory)
    return found


def _number(value: JsonValue) -> int | float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _size(value: JsonValue) -> int:
    return requirements.size_in_bytes(value) if isinstance(value, str) else 0
