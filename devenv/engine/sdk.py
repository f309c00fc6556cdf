"""The Docker SDK's client and errors. The only file that imports the SDK, which takes 140 ms, when it is needed."""

from __future__ import annotations

import socket
import urllib.parse
from typing import TYPE_CHECKING, Any

from devenv.engine.endpoint import Endpoint, unreachable
from devenv.errors import ContainerGone, DevenvError, EngineError, EngineMissing, ImageMissing, InternalError

if TYPE_CHECKING:
    from docker import APIClient as APIClient


_REACHED = 10.0  # seconds for a connection over a network


def map_error(error: BaseException, endpoint: Endpoint, what: str) -> DevenvError:
    """Every error of the SDK and of the HTTP library under it. `what` says the deed, e.g. "start container x"."""
    import docker.errors
    import requests.exceptions

    if isinstance(error, DevenvError):
        return error
    if isinstance(error, docker.errors.APIError):
        status = error.response.status_code if error.response is not None else 0
        said = str(error.explanation or error).strip()
        details = {"status": status, "reason": said}
        if isinstance(error, docker.errors.ImageNotFound):
            return ImageMissing(f"cannot {what}: {said}", "check the image's name", details=details)
        if status == 404:
            return ContainerGone(f"cannot {what}: {said}", "run `devenv up`", details=details)
        return EngineError(f"cannot {what}: {said}", details=details)
    if isinstance(error, requests.exceptions.Timeout):
        return EngineMissing(
            f"the container engine at {endpoint.url} does not answer in time (cannot {what})",
            "see `docker info`; a restart of the engine may help",
        )
    if isinstance(error, docker.errors.DockerException | requests.exceptions.RequestException | OSError):
        return unreachable(endpoint, _root_cause(error))
    return InternalError(f"cannot {what}: {type(error).__name__}: {error}")


def _root_cause(error: BaseException) -> BaseException:
    """The OSError that libraries have wrapped, in causes or in arguments, or the error itself."""
    seen: set[int] = set()
    queue: list[BaseException] = [error]
    while queue:
        one = queue.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OSError) and one.errno is not None:
            return one
        queue += [e for e in (one.__cause__, one.__context__, *one.args) if isinstance(e, BaseException)]
        queue += [e for e in (getattr(one, "reason", None),) if isinstance(e, BaseException)]
    return error


def knock(endpoint: Endpoint, timeout: float = 10.0) -> None:
    """Raises `EngineMissing` or `EngineDenied` when nobody opens: the SDK wraps that in three layers, and leaves its
    socket open. A tenth of a millisecond."""
    if path := endpoint.socket_path:
        with socket.socket(socket.AF_UNIX) as hand:
            hand.settimeout(timeout)
            try:
                hand.connect(path)
            except OSError as error:
                raise unreachable(endpoint, error) from error


def _reach(endpoint: Endpoint) -> None:
    """Raises `EngineMissing` when nobody is at a tcp address."""
    parts = urllib.parse.urlsplit(endpoint.url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 2375), _REACHED):
            pass
    except OSError as error:
        raise unreachable(endpoint, error) from error


def dial(endpoint: Endpoint, timeout: float) -> APIClient:
    """The SDK's client of an engine that has answered. Blocking. Raises `EngineMissing`, `EngineDenied`."""
    import docker
    import docker.tls

    knock(endpoint, timeout)
    if endpoint.url.startswith("tcp://"):
        _reach(endpoint)  # the SDK's own limit is that of slow answers
    tls: Any = False
    if endpoint.tls_dir:
        tls = docker.tls.TLSConfig(
            client_cert=(f"{endpoint.tls_dir}/cert.pem", f"{endpoint.tls_dir}/key.pem"),
            ca_cert=f"{endpoint.tls_dir}/ca.pem" if endpoint.tls_verify else None,
            verify=endpoint.tls_verify,
        )
    try:
        return docker.APIClient(base_url=endpoint.url, version="auto", timeout=int(timeout), tls=tls)
    except Exception as error:  # the boundary of the SDK: whatever it raises is mapped
        raise map_error(error, endpoint, "connect to the engine") from error


def not_found() -> type[Exception]:
    """What the SDK raises for a container, image or volume that is not there."""
    import docker.errors

    return docker.errors.NotFound


def api_error() -> type[Exception]:
    """What the SDK raises for every answer that is none."""
    import docker.errors

    return docker.errors.APIError


def said(error: Exception) -> str:
    """The engine's own words in an `api_error`."""
    return str(getattr(error, "explanation", "") or error)
