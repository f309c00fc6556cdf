"""From metadata entries to one configuration (spec, *Image metadata, merge logic*).

Entries come in the order of the label: base image first, project last. They may stem from images that others made,
so a value of the wrong type counts as absent; the project's own file is checked by `model`. Substitute before merging.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from devcontainer import lifecycle, mounts, ports, requirements
from devcontainer.jsonc import JsonValue
from devcontainer.lifecycle import LifecycleCommand, Stage

PROJECT = "devcontainer.json"
"""The origin of a hook that no feature brought."""

DEFAULT_USER_ENV_PROBE = "loginInteractiveShell"


class Hook(NamedTuple):
    origin: str  # id of the feature, or PROJECT
    command: LifecycleCommand


@dataclasses.dataclass(frozen=True, slots=True)
class Merged:
    """The outcome. None means that no entry says anything; the defaults of the specification are properties."""

    init: bool = False
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    entrypoints: tuple[str, ...] = ()
    mounts: tuple[mounts.Mount, ...] = ()
    hooks: Mapping[Stage, tuple[Hook, ...]] = dataclasses.field(default_factory=dict)
    customizations: Mapping[str, tuple[JsonValue, ...]] = dataclasses.field(default_factory=dict)
    wait_for: Stage | None = None
    remote_user: str | None = None
    container_user: str | None = None
    user_env_probe: str | None = None
    remote_env: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    container_env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    override_command: bool | None = None
    ports_attributes: Mapping[str, JsonValue] = dataclasses.field(default_factory=dict)
    other_ports_attributes: JsonValue = None
    forward_ports: tuple[ports.ForwardPort, ...] = ()
    shutdown_action: str | None = None
    update_remote_user_uid: bool | None = None
    host_requirements: requirements.HostRequirements = dataclasses.field(default_factory=requirements.HostRequirements)

    @property
    def updates_uid(self) -> bool:
        return self.update_remote_user_uid is not False

    @property
    def probe(self) -> str:
        return self.user_env_probe or DEFAULT_USER_ENV_PROBE

    @property
    def waits_for(self) -> Stage:
        return self.wait_for or lifecycle.DEFAULT_WAIT_FOR

    def users(self, image_user: str = "") -> tuple[str, str]:
        """(container user, remote user): the remote user defaults to the container's, that to the image's, to root.
        An image may say 0 for root: features leave it so, for images without names."""
        container = self.container_user or (image_user if image_user != "0" else "") or "root"
        return container, self.remote_user or container


def merge(entries: Sequence[Mapping[str, JsonValue]]) -> Merged:
    """One configuration from all entries; rules per property as the table of the specification has them."""
    last = list(reversed(entries))
    stage = _last_text(last, "waitFor")
    return Merged(
        init=any(entry.get("init") is True for entry in entries),
        privileged=any(entry.get("privileged") is True for entry in entries),
        cap_add=_union(entries, "capAdd"),
        security_opt=_union(entries, "securityOpt"),
        entrypoints=tuple(e for e in (entry.get("entrypoint") for entry in entries) if isinstance(e, str) and e),
        mounts=mounts.merge(mounts.parse_all([m for values in _lists(entries, "mounts") for m in values])),
        hooks={stage: _hooks(entries, stage) for stage in lifecycle.CONTAINER_STAGES},
        customizations=_customizations(entries),
        wait_for=Stage(stage) if stage in tuple(lifecycle.WAIT_FOR) else None,
        remote_user=_last_text(last, "remoteUser"),
        container_user=_last_text(last, "containerUser"),
        user_env_probe=_last_text(last, "userEnvProbe"),
        remote_env={k: v for k, v in _per_key(entries, "remoteEnv").items() if v is None or isinstance(v, str)},
        container_env={k: v for k, v in _per_key(entries, "containerEnv").items() if isinstance(v, str)},
        override_command=_last_bool(last, "overrideCommand"),
        ports_attributes=_per_key(entries, "portsAttributes"),
        other_ports_attributes=next((v for v in (e.get("otherPortsAttributes") for e in last) if v), None),
        forward_ports=ports.parse_all(ports.merge(list(_lists(entries, "forwardPorts")))),
        shutdown_action=_last_text(last, "shutdownAction"),
        update_remote_user_uid=_last_bool(last, "updateRemoteUserUID"),
        host_requirements=requirements.merge([requirements.parse(e.get("hostRequirements")) for e in entries]),
    )


def _lists(entries: Iterable[Mapping[str, JsonValue]], key: str) -> Iterable[list[JsonValue]]:
    for entry in entries:
        value = entry.get(key)
        if isinstance(value, list):
            yield value


def _union(entries: Sequence[Mapping[str, JsonValue]], key: str) -> tuple[str, ...]:
    texts = (item for values in _lists(entries, key) for item in values if isinstance(item, str))
    return tuple(dict.fromkeys(texts))


def _last_text(last: Sequence[Mapping[str, JsonValue]], key: str) -> str | None:
    return next((v for v in (entry.get(key) for entry in last) if isinstance(v, str) and v), None)


def _last_bool(last: Sequence[Mapping[str, JsonValue]], key: str) -> bool | None:
    return next((v for v in (entry.get(key) for entry in last) if isinstance(v, bool)), None)


def _per_key(entries: Iterable[Mapping[str, JsonValue]], key: str) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for entry in entries:
        value = entry.get(key)
        if isinstance(value, Mapping):
            found.update(value)
    return found


def _customizations(entries: Iterable[Mapping[str, JsonValue]]) -> dict[str, tuple[JsonValue, ...]]:
    """Per tool all values in order; how they merge is the tool's business."""
    found: dict[str, list[JsonValue]] = {}
    for entry in entries:
        value = entry.get("customizations")
        if isinstance(value, Mapping):
            for tool, settings in value.items():
                found.setdefault(tool, []).append(settings)
    return {tool: tuple(values) for tool, values in found.items()}


def _hooks(entries: Iterable[Mapping[str, JsonValue]], stage: Stage) -> tuple[Hook, ...]:
    found: list[Hook] = []
    for entry in entries:
        try:
            command = lifecycle.parse(entry.get(stage.value))
        except lifecycle.LifecycleError:
            continue
        if command:
            origin = entry.get("id")
            found.append(Hook(origin if isinstance(origin, str) else PROJECT, command))
    return tuple(found)
