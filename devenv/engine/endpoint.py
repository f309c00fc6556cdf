"""Which engine a client means, read from the client's own environment as the `docker` command reads it.

Order: DOCKER_HOST, DOCKER_CONTEXT, `currentContext` of the client's config.json, the default socket.
No connection is made here, and the supervisor's own environment is never looked at. What devenv has beyond that, its
own names of hosts and the connections to them, is in devenv.hosts.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import stat
from collections.abc import Mapping
from typing import Any

from devenv.errors import EngineDenied, EngineError, EngineMissing

DEFAULT_URL = "unix:///var/run/docker.sock"


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    url: str  # unix:///path, tcp://host:port; ssh://... until devenv.hosts has a socket that leads there
    source: str  # for people: "DOCKER_HOST", "context NAME", "default"
    tls_dir: str = ""  # folder with ca.pem, cert.pem, key.pem; "" without TLS
    tls_verify: bool = False
    ssh: str = ""  # the destination whose connection carries `url`, a socket of this machine
    name: str = ""  # what the host is called by whoever asked for it

    @property
    def remote(self) -> bool:
        """Whether the engine is another machine's: no folder of this one can be mounted there."""
        return not self.url.startswith("unix://") or bool(self.ssh)

    @property
    def shown(self) -> str:
        """The address for people."""
        return self.ssh or self.url

    @property
    def socket_path(self) -> str | None:
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else None


def config_dir(env: Mapping[str, str]) -> pathlib.Path | None:
    """The client's Docker configuration folder; None when the environment names neither it nor a home."""
    if env.get("DOCKER_CONFIG"):
        return pathlib.Path(env["DOCKER_CONFIG"])
    return pathlib.Path(env["HOME"]) / ".docker" if env.get("HOME") else None


def resolve(env: Mapping[str, str]) -> Endpoint:
    """Raises `EngineError` for a context that does not exist or a kind of address that is not supported."""
    if host := env.get("DOCKER_HOST"):
        tls = bool(env.get("DOCKER_TLS_VERIFY"))
        folder = config_dir(env)
        tls_dir = (env.get("DOCKER_CERT_PATH") or (str(folder) if folder else "")) if tls else ""
        return checked(Endpoint(host, "DOCKER_HOST", tls_dir, tls))
    folder = config_dir(env)
    name = env.get("DOCKER_CONTEXT") or (_current_context(folder) if folder else "")
    if not name or name == "default" or folder is None:
        return Endpoint(DEFAULT_URL, "default")
    return of_context(folder, name)


def of_context(folder: pathlib.Path, name: str) -> Endpoint:
    """The engine of a Docker context; `folder` is the client's configuration folder. Raises `EngineError`."""
    return checked(_from_context(folder, name))


def has_context(folder: pathlib.Path, name: str) -> bool:
    return _meta_file(folder, name).is_file()


def _current_context(folder: pathlib.Path) -> str:
    try:
        value = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""  # the docker command, too, goes on with defaults when there is no configuration
    name = value.get("currentContext", "") if isinstance(value, dict) else ""
    return name if isinstance(name, str) else ""


def _from_context(folder: pathlib.Path, name: str) -> Endpoint:
    meta_file = _meta_file(folder, name)
    try:
        meta: Any = json.loads(meta_file.read_text(encoding="utf-8"))
        docker = meta["Endpoints"]["docker"]
        url = str(docker["Host"])
        skip_verify = bool(docker.get("SkipTLSVerify"))
    except FileNotFoundError:
        raise EngineError(
            f"Docker context {name!r} does not exist",
            "see `docker context ls`, or unset DOCKER_CONTEXT",
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"Docker context {name!r} cannot be read: {error}", f"see {meta_file}") from error
    tls_dir = folder / "contexts" / "tls" / meta_file.parent.name / "docker"
    has_tls = tls_dir.is_dir()
    return Endpoint(url, f"context {name}", str(tls_dir) if has_tls else "", has_tls and not skip_verify)


def _meta_file(folder: pathlib.Path, name: str) -> pathlib.Path:
    return folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"


def checked(endpoint: Endpoint) -> Endpoint:
    """Raises `EngineError` for a kind of address that is not supported."""
    if endpoint.url.startswith(("unix://", "tcp://", "http://", "https://", "ssh://")):
        return endpoint
    kind = endpoint.url.split(":", 1)[0]
    raise EngineError(
        f"not supported: an engine reached by {kind} ({endpoint.source})",
        "use a unix socket, or an ssh or tcp address",
    )


def same_place(one: str, other: str) -> bool:
    """Whether two addresses mean one engine: equal, or the same socket under two names."""
    if one == other:
        return True
    scheme = "unix://"
    if not (one.startswith(scheme) and other.startswith(scheme)):
        return False
    return os.path.realpath(one[len(scheme) :]) == os.path.realpath(other[len(scheme) :])


def client_environment(endpoint: Endpoint, env: Mapping[str, str]) -> dict[str, str]:
    """The environment for a `docker` command that must reach exactly this endpoint."""
    made = {k: v for k, v in env.items() if k not in ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")}
    made["DOCKER_HOST"] = endpoint.url
    if endpoint.tls_dir:
        made["DOCKER_CERT_PATH"] = endpoint.tls_dir
        made["DOCKER_TLS"] = "1"
        if endpoint.tls_verify:
            made["DOCKER_TLS_VERIFY"] = "1"
    return made


def unreachable(endpoint: Endpoint, error: BaseException) -> EngineError:
    """The one answer to "the engine cannot be spoken to": no right to its socket, or nobody behind it."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if endpoint.ssh or endpoint.name:
        return EngineMissing(
            f"the engine of {endpoint.shown} does not answer ({endpoint.source}): {reason}",
            f"see what is wrong: devenv host check {endpoint.name or endpoint.shown}",
            details={"endpoint": endpoint.shown},
        )
    if isinstance(error, PermissionError) or getattr(error, "errno", None) in (errno.EACCES, errno.EPERM):
        where = endpoint.socket_path or endpoint.url
        group = _group(where)
        name = group or "docker"  # the usual name is the best guess
        hint = f"join the group `{name}` (`sudo usermod -aG {name} $USER`), then log in again"
        return EngineDenied(
            f"no permission to use the container engine's socket {where}",
            _OWN_PODMAN if _is_podmans(endpoint) and not group else hint,
            details={"endpoint": endpoint.url},
        )
    start = "sudo systemctl start docker"
    if _is_podmans(endpoint):
        roots = (endpoint.socket_path or "").startswith(("/run/podman/", "/var/run/podman/"))
        start = f"{'sudo systemctl' if roots else 'systemctl --user'} start podman.socket"
    return EngineMissing(
        f"no container engine answers at {endpoint.url} ({endpoint.source}): {reason}",
        f"start it (`{start}`), or name another with DOCKER_HOST",
        details={"endpoint": endpoint.url},
    )


_OWN_PODMAN = (
    "use a Podman of your own: `systemctl --user start podman.socket`, and "
    "DOCKER_HOST=unix://$XDG_RUNTIME_DIR/podman/podman.sock"
)


def _is_podmans(endpoint: Endpoint) -> bool:
    """By the name that Podman's own units give the socket."""
    return "podman" in pathlib.PurePath(endpoint.socket_path or "").name


def _group(path: str) -> str:
    """Who may use the socket; "" where that is nobody but its owner."""
    try:
        info = pathlib.Path(path).stat()
        if stat.S_IMODE(info.st_mode) & stat.S_IWGRP and info.st_gid != 0:
            return pathlib.Path(path).group()
    except (OSError, KeyError):
        pass  # the socket itself may not be looked at
    return ""
