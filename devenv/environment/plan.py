"""What `up` would do, as a value: ordered steps and the exact argument list of `docker create`. Pure.

`runArgs` are passed, not parsed; they are only searched for the few options that would contradict ours.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import pathlib
import re
from collections.abc import Mapping, Sequence

from devcontainer import identity, keepalive, metadata, mounts
from devcontainer.merge import Merged, merge
from devcontainer.model import Kind
from devcontainer.mounts import Mount
from devenv.api.views import DriftView
from devenv.engine.port import BuildRequest, EngineInfo, ImageSnapshot
from devenv.environment import link_folder, properties, state_volume
from devenv.environment.target import Target
from devenv.errors import ConfigError, NotFound

KEY_LABEL = "devenv.key"
OWNER_LABEL = "devenv.owner"
VERSION_LABEL = "devenv.version"

_GIB = 1024**3
_SHM_MOST = 8 * _GIB


class StepKind(enum.StrEnum):
    INITIALIZE = "initialize"
    REMOVE = "remove"
    PULL = "pull"
    BUILD = "build"
    CREATE = "create"
    USERS = "users"
    START = "start"
    UNPAUSE = "unpause"
    HOOK = "hook"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    kind: StepKind
    title: str


@dataclasses.dataclass(frozen=True, slots=True)
class UpOptions:
    """`trust`: the user allows initializeCommand. `rebuild`: a new container even if there is one."""

    trust: bool = False
    rebuild: bool = False
    no_cache: bool = False
    pull: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerPlan:
    """All that `create` needs. `secret_env` holds the values of the `-e NAME` arguments."""

    name: str
    image: str
    args: tuple[str, ...]
    secret_env: Mapping[str, str] = dataclasses.field(repr=False)
    merged: Merged = dataclasses.field(repr=False)  # with values of the client's environment
    container_user: str
    remote_user: str
    read_only: bool
    host_network: bool
    properties: properties.Properties
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What `devenv up --dry-run` shows. `create` is None while nothing is to be created, or the image is not known."""

    key: str
    steps: tuple[Step, ...]
    create: ContainerPlan | None
    drift: tuple[DriftView, ...] = ()
    notes: tuple[str, ...] = ()


def container_name(target: Target) -> str:
    """`devenv-<folder>-<8 hex>`: the engine lets one container only have it, so that a second `up` cannot make two."""
    return f"devenv-{_sanitised(pathlib.PurePath(target.local_folder).name)}-{target.key[:8]}"


def image_name(target: Target) -> str:
    """What the image of a Dockerfile configuration is called."""
    return f"{container_name(target)}:latest".lower()


def check_supported(target: Target) -> None:
    """One clear answer for what is not built yet, before anything is made."""
    if not target.configured:
        raise NotFound(
            f"there is no devcontainer.json in {target.local_folder}",
            "`devenv init` writes one from what the project shows",
        )
    if target.config.kind is Kind.COMPOSE:
        raise ConfigError([target.problem("dockerComposeFile", "not supported yet: Docker Compose configurations")])
    if target.config.features:
        names = ", ".join(target.config.features)
        raise ConfigError([target.problem("features", f"not supported yet: features ({names})")])
    if target.config.kind is Kind.IMAGE and not target.config.image:
        raise ConfigError([target.problem("", "names neither an image nor a Dockerfile", 'add "image" or "build"')])


def reference(target: Target) -> str:
    """The image that the container is created from."""
    return target.config.image or "" if target.config.kind is Kind.IMAGE else image_name(target)


def build_request(target: Target, options: UpOptions, *, log_path: str) -> BuildRequest | None:
    """The build of a Dockerfile configuration; None for an image. Raises `ConfigError` for a missing file."""
    build, written = target.config.build, target.written.build
    if target.config.kind is not Kind.DOCKERFILE or build is None or written is None:
        return None
    folder = pathlib.Path(target.config_file).parent
    dockerfile = os.path.normpath(folder / build.dockerfile)
    context = os.path.normpath(folder / build.context)
    if not pathlib.Path(dockerfile).is_file():
        raise ConfigError([target.problem("build.dockerfile", f"there is no file {dockerfile}")])
    if not pathlib.Path(context).is_dir():
        raise ConfigError([target.problem("build.context", f"there is no folder {context}")])
    secret = {name for name, value in written.args.items() if properties.uses_host_variables(value)}
    return BuildRequest(
        context=context,
        dockerfile=dockerfile,
        tags=(image_name(target),),
        args={name: value for name, value in build.args.items() if name not in secret},
        secret_args={name: value for name, value in build.args.items() if name in secret},
        target=build.target,
        cache_from=build.cache_from,
        options=build.options,
        no_cache=options.no_cache,
        pull=options.pull,
        log_path=log_path,
    )


def entries_for_new(target: Target, image: ImageSnapshot) -> tuple[list[metadata.Entry], int]:
    """(metadata entries as written, how many of them are the image's)."""
    own = [entry for entry in metadata.read(image.labels.get(identity.METADATA)) if entry]
    return metadata.for_new(own, target.written.raw), len(own)


def container_plan(
    target: Target,
    image: ImageSnapshot,
    info: EngineInfo,
    *,
    owner: str,
    version: str,
    link: str | None,
    uid: int,
    image_reference: str = "",
    tail: str = "",
) -> ContainerPlan:
    """The container that this configuration means, on this engine.

    `link` is the host folder to mount at /run/devenv (None: the engine cannot see our files). `uid` is the host user's.
    `tail` is added to our names when another owner's container of the same path has them already.
    """
    entries, own = entries_for_new(target, image)
    merged = merge([target.substitution.apply_entry(entry) for entry in entries])
    container_user, remote_user = merged.users(image.user)
    run_args, secret_env = _run_args(target)
    own_name = option(run_args, "--name")
    name = own_name or container_name(target) + tail
    asked = properties.wanted(target, merged, image_entries=own)
    notes: list[str] = []

    args: list[str] = ["--pull", "never"]
    if own_name is None:
        args += ["--name", name]
    for port in target.config.publish:
        args += ["-p", port]
    if target.workspace_mount:
        args += ["--mount", target.workspace_mount]
    for mount in merged.mounts:
        args += ["--mount", mounts.format(mount)]
    args += ["--mount", f"type=volume,source={state_volume.name(target.key, tail)},target={state_volume.MOUNT_POINT}"]
    if link is not None:
        args += ["--mount", mounts.format(Mount("bind", link, link_folder.MOUNT_POINT, (("readonly", None),)))]
    for label, value in _labels(target, entries, asked, owner, version).items():
        args += ["--label", f"{label}={value}"]
    secret = _secret_names(entries)
    for variable, value in merged.container_env.items():
        if variable in secret:
            args += ["-e", variable]
            secret_env[variable] = value
        else:
            args += ["-e", f"{variable}={value}"]
    if merged.container_user:
        args += ["-u", merged.container_user]
    foreign_ipc = (option(run_args, "--ipc") or "").startswith(("host", "container:"))
    if (
        not has_option(run_args, "--shm-size")
        and not foreign_ipc
        and "/dev/shm" not in {m.target for m in merged.mounts}
    ):
        # 64 MB, the engine's default, stops DataLoader workers; tmpfs takes only what is used.
        size = min(_SHM_MOST, info.memory // 2) if info.memory else _GIB
        args.append(f"--shm-size={max(64, size // 1024**2)}m")
    args += run_args
    args += _gpu(merged, info, run_args, notes)
    if _wants_init(merged, entries):
        args.append("--init")
    if merged.privileged:
        args.append("--privileged")
    for capability in merged.cap_add:
        args += ["--cap-add", capability]
    for security in merged.security_opt:
        args += ["--security-opt", security]
    command = keepalive.argv(merged.entrypoints, merged.override_command, image.entrypoint, image.cmd)
    args += ["--entrypoint", command[0], image_reference or reference(target), *command[1:]]

    host_network = option(run_args, "--network", "--net") == "host"
    _notes(target, merged, info, remote_user, uid, host_network, notes)
    return ContainerPlan(
        name=name,
        image=image_reference or reference(target),
        args=tuple(args),
        secret_env=secret_env,
        merged=merged,
        container_user=container_user,
        remote_user=remote_user,
        read_only=has_option(run_args, "--read-only") and option(run_args, "--read-only") != "false",
        host_network=host_network,
        properties=asked,
        notes=tuple(notes),
    )


def has_option(args: Sequence[str], *names: str) -> bool:
    return any(word in names or word.split("=", 1)[0] in names for word in args)


def option(args: Sequence[str], *names: str) -> str | None:
    """The last value of `--name value` or `--name=value`."""
    found = None
    for at, word in enumerate(args):
        head, equals, value = word.partition("=")
        if head in names:
            found = value if equals else (args[at + 1] if at + 1 < len(args) else "")
    return found


def _run_args(target: Target) -> tuple[list[str], dict[str, str]]:
    """`runArgs` as they are, except that `-e NAME=<from the client's environment>` becomes `-e NAME`."""
    args: list[str] = []
    secret: dict[str, str] = {}
    for written, word in zip(target.written.run_args, target.config.run_args, strict=True):
        if properties.uses_host_variables(written):
            head, _, rest = word.partition("=")
            if head == "--env" and "=" in rest:
                variable, _, value = rest.partition("=")
                secret[variable] = value
                args.append(f"--env={variable}")
                continue
            if args and args[-1] in ("-e", "--env") and "=" in word:
                secret[head] = rest
                args.append(head)
                continue
        args.append(word)
    return args, secret


def _secret_names(entries: Sequence[metadata.Entry]) -> set[str]:
    """Variables whose value comes from the client's environment. The last entry that sets one decides."""
    found: dict[str, bool] = {}
    for entry in entries:
        values = entry.get("containerEnv")
        if isinstance(values, dict):
            found.update({name: properties.uses_host_variables(value) for name, value in values.items()})
    return {name for name, secret in found.items() if secret}


def _labels(
    target: Target, entries: Sequence[metadata.Entry], asked: properties.Properties, owner: str, version: str
) -> dict[str, str]:
    return {
        **target.labels,
        identity.METADATA: metadata.write(entries),
        KEY_LABEL: target.key,
        OWNER_LABEL: owner,
        VERSION_LABEL: version,
        properties.PLAN_LABEL: json.dumps(asked, separators=(",", ":"), ensure_ascii=False),
    }


def _wants_init(merged: Merged, entries: Sequence[metadata.Entry]) -> bool:
    """An init reaps what runs leave behind, so it is there unless the configuration says false, or keeps the image's
    own command (which may be an init itself)."""
    if merged.init:
        return True
    return merged.override_command is not False and not any(entry.get("init") is False for entry in entries)


def _gpu(merged: Merged, info: EngineInfo, run_args: Sequence[str], notes: list[str]) -> list[str]:
    gpu = merged.host_requirements.gpu
    if gpu is None or has_option(run_args, "--gpus", "--device"):
        return []
    if "nvidia" in info.runtimes:
        return ["--gpus", "all"]
    if gpu.required:
        notes.append("hostRequirements asks for a GPU, but this engine has no NVIDIA runtime: going on without one")
    return []


def _notes(
    target: Target,
    merged: Merged,
    info: EngineInfo,
    remote_user: str,
    uid: int,
    host_network: bool,
    notes: list[str],
) -> None:
    if is_root(remote_user) and outputs_belong_to_root(target, info, uid):
        notes.append(
            'the container works as root: files it makes in the project will belong to root; set "remoteUser" '
            "to an ordinary user of the image"
        )
    if host_network:
        notes.append("host networking: ports of the container are ports of this machine, so nothing is forwarded")
    if not info.live_restore:
        notes.append(
            "the engine runs without live-restore: when it restarts, the container and its runs end "
            '("live-restore": true in daemon.json prevents that)'
        )
    needs = merged.host_requirements
    if needs.cpus > info.cpus > 0:
        notes.append(f"hostRequirements asks for {needs.cpus} CPUs; the engine has {info.cpus}")
    if needs.memory > info.memory > 0:
        notes.append(
            f"hostRequirements asks for {needs.memory / _GIB:.1f} GiB of memory; the engine has "
            f"{info.memory / _GIB:.1f} GiB"
        )


def outputs_belong_to_root(target: Target, info: EngineInfo, uid: int) -> bool:
    """Whether what root makes in the container's workspace belongs to root on the host, for an ordinary host user."""
    mapped = info.rootless or info.userns_remap
    return uid != 0 and not mapped and info.is_local_socket and bool(target.workspace_mount)


def is_root(user: str) -> bool:
    return user.partition(":")[0] in ("", "root", "0")


def _sanitised(name: str) -> str:
    """For a container's name: [a-zA-Z0-9][a-zA-Z0-9_.-]*; short, so that `docker ps` stays readable."""
    return re.sub(r"[^a-z0-9_.-]+", "-", name.lower()).strip("-._")[:32] or "project"
