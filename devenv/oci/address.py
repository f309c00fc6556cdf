"""Where a registry is spoken to. Pure: a host as it stands in a reference, an address out."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

DOCKER_HUB = "registry-1.docker.io"
_HUB_NAMES = frozenset({"docker.io", "index.docker.io", DOCKER_HUB})


class Origin(NamedTuple):
    """Scheme, host and port: what must be equal for credentials to be sent."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}.get(self.scheme)
        return f"{self.scheme}://{host}" + ("" if self.port == usual else f":{self.port}")


def base_url(registry: str) -> str:
    """`https://HOST[:PORT]` of a registry; plain HTTP only for this machine's own loopback, as Docker does.

    Docker Hub is called docker.io in references, and has its registry elsewhere.
    """
    if is_hub(registry):
        return f"https://{DOCKER_HUB}"
    host = host_of(registry)
    return f"{'http' if is_loopback(host) else 'https'}://{registry}"


def is_hub(registry: str) -> bool:
    return registry.lower() in _HUB_NAMES


def host_of(registry: str) -> str:
    """The host of `host`, `host:port` or `[v6]:port`, in lower case and without brackets."""
    if registry.startswith("["):
        return registry[1:].partition("]")[0].lower()
    return registry.partition(":")[0].lower()


def is_loopback(host: str) -> bool:
    """`localhost`, 127.0.0.0/8 or ::1. A name that merely resolves to one of them is not: names can be given away."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url: str) -> Origin:
    """Raises ValueError for anything but an http or https address with a host."""
    import urllib.parse

    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not a web address")
    return Origin(parts.scheme, parts.hostname.lower(), parts.port or (443 if parts.scheme == "https" else 80))


def may_carry_secrets(where: Origin) -> bool:
    """Whether credentials may be sent there at all: encrypted, or never leaving this machine."""
    return where.scheme == "https" or is_loopback(where.host)
