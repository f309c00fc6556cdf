"""The host folder that the container sees read-only at /run/devenv: where the link's socket will be.

The outer folder (0700) keeps other users of the host out; the inner one (0755) is what is mounted. It is made anew
before every start, because an engine refuses to start a container whose bind source is gone.
"""

from __future__ import annotations

import os
import pathlib
import secrets

from devenv.engine.port import ContainerSnapshot

MOUNT_POINT = "/run/devenv"


def folder(environment: pathlib.Path) -> pathlib.Path:
    return environment / "link" / "pub"


def mounted(environment: pathlib.Path, container: ContainerSnapshot) -> pathlib.Path | None:
    """The host's folder that this container sees at /run/devenv; None when it has no such mount."""
    inner = folder(environment)
    has_mount = any(mount.get("Destination") == MOUNT_POINT for mount in container.mounts)
    return inner if has_mount and inner.is_dir() else None


def ensure(environment: pathlib.Path) -> pathlib.Path:
    """Makes what is missing and sets the modes, whatever the umask is. What is there keeps its content."""
    outer, inner = environment / "link", folder(environment)
    for path, mode in ((environment, 0o700), (outer, 0o700), (inner, 0o755), (inner / "payload", 0o755)):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    nonce = inner / "nonce"
    if not nonce.exists():
        descriptor = os.open(nonce, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(secrets.token_hex(16))
    return inner
