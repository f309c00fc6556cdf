"""What container a configuration means, whoever makes it: the engine by an argument list, or Compose by its files.

Everything that both kinds share is decided here once: users, environment, labels, first process, mounts of ours. Pure.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from devcontainer import identity, keepalive, metadata, mounts
from devcontainer.compose import Service
from devcontainer.jsonc import JsonValue
from devcontainer.merge import Merged, merge
from devcontainer.mounts import Mount
from devenv.engine.port import EngineInfo, ImageSnapshot
from devenv.environment import files, image_label, link_folder, properties, state_volume
from devenv.environment.files import Synced
from devenv.environment.target import Target

KEY_LABEL = "devenv.key"
OWNER_LABEL = "devenv.owner"
VERSION_LABEL = "devenv.version"

_GIB = 1024**3


@dataclasses.dataclass(frozen=True, slots=True)
class Additions:
    """What devenv adds of its own: GPU wiring and what training needs. `lines` say each, and how to change it."""

    args: tuple[str, ...] = ()  # words for `docker create`
    patches: tuple[Mapping[str, JsonValue], ...] = ()  # keys of a Compose service
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    init: bool | None = None  # None: nobody says
    lines: tuple[str, ...] = ()  # of GPUs: told whenever a container is made
    defaults: tuple[str, ...] = ()  # of the rest: told by `up --dry-run`
    notes: tuple[str, ...] = ()  # what a person should read at `up`


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """The image that the container is made from, and the metadata entries that came with it and its features."""

    reference: str
    image: ImageSnapshot
    entries: tuple[metadata.Entry, ...] = ()
    installed: int = 0  # how many of the entries, the last ones, are of features that were installed on it
    features: Mapping[str, str] = dataclasses.field(default_factory=dict)  # id as written: version and digest
    local_features: Mapping[str, str] = dataclasses.field(default_factory=dict)  # id as written: digest of its files
    dockerfile: str = ""  # text of the Dockerfile that it was built from

    @classmethod
    def plain(cls, reference: str, image: ImageSnapshot, dockerfile: str = "") -> Made:
        return cls(reference, image, image_entries(image), dockerfile=dockerfile)


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """Who asks, and what of this machine the container may see. `link` is the host folder for /run/devenv, None where
    the engine cannot see our files. `syncs`: the project is copied into a volume and kept the same."""

    owner: str
    version: str
    uid: int
    link: str | None
    syncs: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """One container as it is wanted. `environment` may hold secrets: those named in `secret` stay out of arguments."""

    target: Target
    made: Made
    merged: Merged = dataclasses.field(repr=False)  # with values of the client's environment
    container_user: str
    remote_user: str
    environment: Mapping[str, str] = dataclasses.field(repr=False)
    secret: frozenset[str]
    labels: Mapping[str, str]
    command: tuple[str, ...] | None  # of PID 1; None keeps what the image or service has
    init: bool
    link_mount: Mount | None
    state_volume: str
    properties: properties.Properties
    additions: Additions
    mounts: tuple[Mount, ...] = ()  # all of the configuration's and the caller's
    synced: Synced | None = None  # in place of the workspace's bind mount

    @property
    def workspace_mounts(self) -> tuple[str, ...]:
        """Values of `--mount` that bring the project into a container which is made from an argument list."""
        if self.synced is not None:
            return (mounts.format(self.synced.mount),)
        return tuple(text for text in (self.target.workspace_mount, *self.target.extra_mounts) if text)


def image_entries(image: ImageSnapshot) -> tuple[metadata.Entry, ...]:
    return tuple(entry for entry in image_label.entries(image.labels) if entry)


def shape(
    target: Target,
    made: Made,
    host: Host,
    additions: Additions,
    *,
    service: Service | None = None,
    tail: str = "",
    extra: Mapping[str, object] | None = None,
    more_mounts: Sequence[str] = (),
) -> Shape:
    """`service` is that of a Compose project. `tail` is added to our names when another owner's container of the same
    path has them already. `extra` are further properties to compare later (a Compose service's own). `more_mounts` are
    the caller's, for this container only: no label tells of them."""
    entries = [entry for entry in (*made.entries, *target.entries) if entry]
    merged = merge([target.substitution.apply_entry(entry) for entry in entries])
    container_user, remote_user = merged.users((service.user if service is not None else "") or made.image.user)
    own = len(made.entries)
    asked = properties.wanted(target, merged, image_entries=own)
    asked.update(extra or {})
    init = _wants_init(merged, entries, additions.init, composed=service is not None)
    link = Mount("bind", host.link, link_folder.MOUNT_POINT, (("readonly", None),)) if host.link is not None else None
    synced = files.synced(target, service, tail=tail) if host.syncs else None
    return Shape(
        target=target,
        made=made,
        merged=merged,
        container_user=container_user,
        remote_user=remote_user,
        environment={**additions.environment, **merged.container_env},
        secret=frozenset(secret_names(entries)),
        labels=_labels(target, entries, asked, host, synced),
        command=_command(merged, made.image, service),
        init=init,
        link_mount=link,
        state_volume=state_volume.name(target.key, tail),
        properties=asked,
        additions=additions,
        mounts=mounts.merge([*merged.mounts, *mounts.parse_all(list(more_mounts))]),
        synced=synced,
    )


def _command(merged: Merged, image: ImageSnapshot, service: Service | None) -> tuple[str, ...] | None:
    """The keep-alive script, around the process that is to run if that is kept. A Compose service keeps its own unless
    `overrideCommand` says otherwise; without features' entrypoints there is nothing to put around it."""
    if service is None:
        return tuple(keepalive.argv(merged.entrypoints, merged.override_command, image.entrypoint, image.cmd))
    keeps = merged.override_command is not True
    entrypoint, command = service.process(image.entrypoint, image.cmd)
    if keeps and not merged.entrypoints and (entrypoint or command):
        return None
    return tuple(keepalive.argv(merged.entrypoints, not keeps, entrypoint, command))


def _wants_init(merged: Merged, entries: Sequence[metadata.Entry], said: bool | None, *, composed: bool) -> bool:
    """An init reaps what runs leave behind, so it is there unless somebody says false, or the container keeps its own
    command (which may be an init itself)."""
    if merged.init:
        return True
    if said is not None:
        return said
    keeps = merged.override_command is not True if composed else merged.override_command is False
    return not keeps and not any(entry.get("init") is False for entry in entries)


def secret_names(entries: Sequence[metadata.Entry]) -> set[str]:
    """Variables whose value comes from the client's environment. The last entry that sets one decides."""
    found: dict[str, bool] = {}
    for entry in entries:
        values = entry.get("containerEnv")
        if isinstance(values, dict):
            found.update({name: properties.uses_host_variables(value) for name, value in values.items()})
    return {name for name, secret in found.items() if secret}


def _labels(
    target: Target, entries: Sequence[metadata.Entry], asked: properties.Properties, host: Host, synced: Synced | None
) -> dict[str, str]:
    return {
        **({files.LABEL: synced.label(target)} if synced is not None else {}),
        **target.labels,
        identity.METADATA: metadata.write(entries),
        KEY_LABEL: target.key,
        OWNER_LABEL: host.owner,
        VERSION_LABEL: host.version,
        properties.PLAN_LABEL: json.dumps(asked, separators=(",", ":"), ensure_ascii=False),
    }


def notes(wanted: Shape, info: EngineInfo, host: Host, *, host_network: bool, storage: int | None = None) -> list[str]:
    """Sentences to read once; those of the engine itself are in `engine_notes`. `storage`: free bytes where the engine
    keeps its images, None if unknown."""
    target, found = wanted.target, []
    if is_root(wanted.remote_user) and outputs_belong_to_root(target, info, host.uid):
        found.append(
            'the container works as root: files it makes in the project will belong to root; set "remoteUser" '
            "to an ordinary user of the image"
        )
    if host_network:
        found.append("host networking: ports of the container are ports of this machine, so nothing is forwarded")
    needs = wanted.merged.host_requirements
    if needs.cpus > info.cpus > 0:
        found.append(f"hostRequirements asks for {needs.cpus} CPUs; the engine has {info.cpus}")
    for name, asked, there in (("memory", needs.memory, info.memory), ("storage", needs.storage, storage)):
        if there is not None and asked > there > 0:
            kind = "of free storage" if name == "storage" else "of memory"
            found.append(
                f"hostRequirements asks for {asked / _GIB:.1f} GiB {kind}; the engine has {there / _GIB:.1f} GiB"
            )
    return found


def outputs_belong_to_root(target: Target, info: EngineInfo, uid: int) -> bool:
    """Whether what root makes in the container's workspace belongs to root on the host, for an ordinary host user."""
    mapped = info.rootless or info.userns_remap
    mounted = bool(target.workspace_mount) or target.is_compose
    return uid != 0 and not mapped and info.is_local_socket and mounted


def is_root(user: str) -> bool:
    return user.partition(":")[0] in ("", "root", "0")
