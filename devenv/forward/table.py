"""One forward as it is held, and as `devenv ports` and the screens show it. Values in, a view out."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence

from devenv.api.views import PortView
from devenv.forward.detection import Heard
from devenv.forward.listener import HostListener
from devenv.forward.settings import Traits

LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclasses.dataclass(frozen=True, slots=True)
class Destination:
    """Where a door leads: a port of the container's loopback, and what is said there ahead of each connection."""

    port: int
    greeting: bytes = b""


@dataclasses.dataclass(slots=True, eq=False)
class Forward:
    """`label`, `protocol` and what is wanted of it stand here where somebody asked for them; else its traits say."""

    name: str  # "8000", "db:5432", "door:debug": what the host port is remembered under
    port: int
    host: str
    label: str
    source: str
    protocol: str
    host_port: int | None = None  # asked for by number
    require_local: bool = False
    listener: HostListener | None = None
    note: str = ""
    connections: int = 0
    target: Callable[[], Awaitable[Destination | None]] | None = None

    @property
    def local(self) -> bool:
        """Whether it leads to a port of the container itself, always the same one."""
        return self.host in LOCAL and self.target is None

    @property
    def exact(self) -> int | None:
        """The one host port that will do; None: any."""
        return self.host_port or (self.port if self.require_local else None)


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a forward is reached on this machine."""

    source: str
    host_port: int | None
    host: str = "127.0.0.1"
    tier: str = ""
    note: str = ""  # of the link


def action(forward: Forward, traits: Traits) -> str:
    """What a front end does when something begins to listen. Doors, other hosts' ports and services that the project
    says nothing about have their own places on the screen."""
    if not forward.local or (forward.source == "service" and not traits.asked):
        return "silent"
    return traits.auto_forward


def is_told(forward: Forward, traits: Traits) -> bool:
    """Whether somebody who follows a run hears of its start: the project names the port, and not to have it silent."""
    return traits.asked and action(forward, traits) not in ("silent", "ignore")


def name_of(host: str, port: int) -> str:
    """Of a forward to a fixed port; see `Forward.name`."""
    return str(port) if host in LOCAL else f"{host}:{port}"


def port_view(
    forward: Forward, place: Place, heard: Sequence[Heard], traits: Traits, since: float | None = None
) -> PortView:
    process = next((one for one in heard if one.command), None)
    protocol = forward.protocol if forward.protocol != "tcp" else traits.protocol
    return PortView(
        port=forward.port,
        host_port=place.host_port,
        host=place.host,
        container_host=forward.host,
        label=forward.label or traits.label,
        source=place.source,
        protocol=protocol,
        process=process.command_line if process else "",
        pid=process.pid if process else None,
        listening=bool(heard),
        url=_url(protocol, place.host, place.host_port),
        note=forward.note or place.note,
        tier=place.tier,
        connections=forward.connections,
        auto_forward=action(forward, traits),
        since=since,
    )


def command_line(heard: Sequence[Heard]) -> str:
    return next((one.command_line for one in heard if one.command), "")


def _url(protocol: str, host: str, host_port: int | None) -> str:
    if host_port is None or protocol not in ("http", "https"):
        return ""
    return f"{protocol}://{host}:{host_port}/"
