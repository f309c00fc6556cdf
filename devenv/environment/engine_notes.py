"""What a person should know of the engine that a container was made on: whose its files are, and when it ends. Pure."""

from __future__ import annotations

from devenv.engine.port import EngineInfo
from devenv.environment.arguments import option_values
from devenv.environment.shape import Shape, is_root

_DISABLED = ("label=disable", "label:disable")


def notes(wanted: Shape, info: EngineInfo, *, own_uid: int = 0, lingers: bool = True) -> list[str]:
    """Sentences to read once.

    `own_uid` is who the host's user is in a rootless engine's container (`Engine.own_ids`). `lingers`: his processes go
    on when he logs out.
    """
    found = []
    if info.is_local_socket and wanted.synced is None:
        found += _in_a_virtual_machine(info)
        found += _rootless(wanted, info, own_uid)
        found += _selinux(wanted, info)
    if info.is_podman and info.rootless and not lingers:
        found.append("rootless Podman ends its containers when you log out: `loginctl enable-linger` keeps them")
    if not info.live_restore and not info.is_podman:  # Podman's containers belong to no daemon
        found.append(
            "the engine runs without live-restore: when it restarts, the container and its runs end "
            '("live-restore": true in daemon.json prevents that)'
        )
    return found


def _in_a_virtual_machine(info: EngineInfo) -> list[str]:
    if info.raw.get("OperatingSystem") != "Docker Desktop":
        return []
    return [
        "Docker Desktop shares folders slowly: `sync: {on: always}` in devenv.yaml keeps the files in a volume instead"
    ]


def _rootless(wanted: Shape, info: EngineInfo, own_uid: int) -> list[str]:
    user = wanted.remote_user
    if not info.rootless or is_root(user) or own_uid:
        return []
    cure = '"remoteUser": "root" avoids that'
    if info.is_podman:
        cure = f'`userns = "keep-id"` below [containers] in ~/.config/containers/containers.conf gives {user} your id'
    return [
        f"the engine is rootless: in the container root is you, so {user} may not write to the project, and files that "
        f"it makes belong to a subordinate uid; {cure}"
    ]


def _selinux(wanted: Shape, info: EngineInfo) -> list[str]:
    """Of mounts in Docker's `--mount` form nothing can be relabelled, so the project stays closed to the container."""
    if not any(option.startswith("name=selinux") for option in info.security_options):
        return []
    merged = wanted.merged
    said = [*merged.security_opt, *option_values(wanted.target.config.run_args, "--security-opt")]
    if merged.privileged or any(word in _DISABLED for word in said):
        return []
    return [
        "SELinux is on: if the container may not read the project, "
        '"securityOpt": ["label=disable"] opens it (a mount cannot be relabelled here)'
    ]
