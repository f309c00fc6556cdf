"""Ports that the engine itself publishes, read from the container's snapshot. They are listed, not forwarded again."""

from __future__ import annotations

from collections.abc import Mapping

from devenv.engine.port import ContainerSnapshot

_EVERYWHERE = ("", "0.0.0.0", "::")


def published_ports(container: ContainerSnapshot) -> dict[int, tuple[str, int]]:
    """{container port: (host address to connect to, host port)}, TCP only."""
    network = container.raw.get("NetworkSettings")
    ports = network.get("Ports") if isinstance(network, Mapping) else None
    found: dict[int, tuple[str, int]] = {}
    for key, bindings in (ports or {}).items():
        number, _, protocol = str(key).partition("/")
        if protocol != "tcp" or not number.isdigit() or not bindings:
            continue
        address, host_port = bindings[0].get("HostIp", ""), str(bindings[0].get("HostPort", ""))
        if host_port.isdigit():
            found[int(number)] = ("127.0.0.1" if address in _EVERYWHERE else address, int(host_port))
    return found
