"""What of a configuration is fixed when the container is made: the values that drift compares.

Stored in the label `devenv.plan` at creation. Environment values are stored as digests only: labels are public to
everyone who can use the engine. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from devcontainer import metadata, mounts, variables
from devcontainer.jsonc import JsonValue
from devcontainer.merge import Merged
from devcontainer.model import Kind
from devcontainer.requirements import Gpu
from devenv.engine.port import ContainerSnapshot
from devenv.environment import image_label
from devenv.environment.target import Target

PLAN_LABEL = "devenv.plan"
_NONE_USER = ""

Properties = dict[str, Any]


def digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def uses_host_variables(value: JsonValue) -> bool:
    """Whether a written value takes something from the client's environment, so that it may be a secret."""
    return bool(variables.names_used(value, "localEnv") or variables.names_used(value, "env"))


def wanted(target: Target, merged: Merged, *, image_entries: int) -> Properties:
    """The properties of a container that this configuration asks for. `image_entries`: how many entries of the metadata
    came with the image and its features."""
    config, written = target.config, target.written
    found: Properties = {
        "containerEnv": {name: digest(value) for name, value in sorted(merged.container_env.items())},
        "mounts": {mount.target: mounts.format(mount) for mount in merged.mounts},
        "workspaceMount": target.workspace_mount,
        "workspaceFolder": target.workspace_folder,
        "containerUser": merged.container_user or _NONE_USER,
        "remoteUser": merged.remote_user or _NONE_USER,
        "updateRemoteUserUID": merged.update_remote_user_uid is not False,
        "hostRequirements.gpu": _gpu(merged.host_requirements.gpu),
        "init": merged.init,
        "privileged": merged.privileged,
        "capAdd": sorted(merged.cap_add),
        "securityOpt": sorted(merged.security_opt),
        "overrideCommand": merged.override_command is not False,
        "runArgs": list(written.run_args),
        "appPort": list(config.publish),
        "imageEntries": image_entries,
    }
    if written.features:
        found["features"] = {
            name: json.dumps(value, sort_keys=True, ensure_ascii=False) for name, value in written.features.items()
        }
    if config.kind is Kind.COMPOSE:
        found["overrideCommand"] = merged.override_command is True
        for name in ("runArgs", "appPort", "workspaceMount"):
            del found[name]
    elif config.kind is Kind.DOCKERFILE and config.build is not None and written.build is not None:
        found["build.dockerfile"] = config.build.dockerfile
        found["build.context"] = config.build.context
        found["build.target"] = config.build.target or ""
        found["build.args"] = {name: digest(value) for name, value in sorted(config.build.args.items())}
        found["build.options"] = list(written.build.options)
    else:
        found["image"] = config.image or ""
    return found


def _gpu(asked: Gpu | None) -> str:
    if asked is None:
        return ""
    parts = ["required" if asked.required else "optional"]
    parts += [f"{asked.cores} cores"] if asked.cores else []
    parts += [f"{asked.memory} bytes"] if asked.memory else []
    return ", ".join(parts)


def stored(container: ContainerSnapshot) -> Properties | None:
    """What we noted at creation; None for a container that another tool made."""
    try:
        value = json.loads(container.labels.get(PLAN_LABEL, ""))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def keeps_itself_up(container: ContainerSnapshot) -> bool:
    """False when the container runs its image's (or service's) own command, as we noted at creation."""
    known = stored(container)
    return known is None or known.get("overrideCommand") is not False


def observed(container: ContainerSnapshot, asked: Properties) -> Properties:
    """What the engine tells of a container that another tool made, as far as it can be compared with `asked`."""
    host: Mapping[str, Any] = container.raw.get("HostConfig") or {}
    places = {str(m.get("Destination", "")): m for m in container.mounts}
    found: Properties = {
        "containerEnv": {
            name: digest(container.env[name]) for name in asked.get("containerEnv", {}) if name in container.env
        },
        "mounts": {t: text for t, text in asked.get("mounts", {}).items() if _mounted(places.get(t), text)},
        "privileged": bool(host.get("Privileged")),
        "capAdd": sorted(str(c).removeprefix("CAP_") for c in host.get("CapAdd") or ()),
    }
    for target, place in places.items():
        if target in asked.get("mounts", {}) and target not in found["mounts"]:
            found["mounts"][target] = f"type={place.get('Type')},source={place.get('Name') or place.get('Source')}"
    if asked.get("containerUser"):
        found["containerUser"] = container.user
    return found


def _mounted(place: Mapping[str, Any] | None, text: str) -> bool:
    if place is None:
        return False
    try:
        mount = mounts.parse(text)
    except mounts.MountError:
        return True
    source = place.get("Name") if mount.type == "volume" else place.get("Source")
    return place.get("Type") == mount.type and (not mount.source or mount.source == source)


def container_entries(container: ContainerSnapshot) -> list[metadata.Entry]:
    return image_label.entries(container.labels)


def image_part(entries: Sequence[metadata.Entry], known: Properties | None, project: Sequence[metadata.Entry]) -> int:
    """How many of a container's metadata entries came from its image and features; the rest is the project's own."""
    if known is not None and isinstance(known.get("imageEntries"), int):
        return min(int(known["imageEntries"]), len(entries))
    return max(0, len(entries) - 1) if project else len(entries)
