"""Who holds a host port that a container wants to publish. Reads /proc; on other systems it only tries the port."""

from __future__ import annotations

import errno
import pathlib
import socket
from collections.abc import Mapping
from typing import Any


def published_loopback(raw: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(host address, host port) of every fixed tcp publication of a container."""
    bindings = (raw.get("HostConfig") or {}).get("PortBindings") or {}
    found: list[tuple[str, int]] = []
    for container_port, places in bindings.items():
        if str(container_port).endswith("/udp"):
            continue
        found += [
            (place.get("HostIp") or "0.0.0.0", int(place["HostPort"]))
            for place in places or ()
            if str(place.get("HostPort", "")).isdigit()
        ]
    return found


def holder(address: str, port: int) -> str | None:
    """Who listens on (address, port): "name (pid N)", or "another program"; None when the port is free."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return None
        else:
            return None
    inodes = _listeners(port)
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if any(_points_to(fd, inodes) for fd in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue  # another user's process, or one that has just ended
    return "another program"


def _points_to(descriptor: pathlib.Path, inodes: set[str]) -> bool:
    try:
        target = str(descriptor.readlink())
    except OSError:
        return False  # closed meanwhile, as the one that lists the folder
    return target.startswith("socket:[") and target[8:-1] in inodes


def _listeners(port: int) -> set[str]:
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = pathlib.Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(fields[9])
    return inodes
