"""Servers that begin to listen while somebody watches: which are news, and what is said of them. No secret here."""

from __future__ import annotations

from devenv.api.views import PortView, Snapshot
from tui.model.ports import key_of
from tui.model.spans import clean
from tui.model.state import Opening, State

BROWSER = ("openBrowser", "openBrowserOnce", "openPreview")
MOST = 3  # messages at once


def openings(snapshot: Snapshot) -> frozenset[Opening]:
    """All starts of servers that the snapshot tells of."""
    found = ((port.port, port.container_host, port.since) for port in snapshot.ports)
    return frozenset((port, host, since) for port, host, since in found if since is not None)


def begun(before: State, after: State) -> list[PortView]:
    """Those that began since the first look, and that somebody wants to hear of."""
    if after.snapshot is None or after.openings is None or before.openings is None:
        return []
    fresh = after.openings - before.openings
    return [
        port
        for port in after.snapshot.ports
        if (port.port, port.container_host, port.since) in fresh and port.auto_forward not in ("silent", "ignore")
    ]


def row_key(state: State, port: PortView) -> str:
    """The row that has its address: that of the service behind it, for services know the token."""
    for service in state.snapshot.services if state.snapshot else ():
        if service.port == port.port:
            return f"service:{service.name}"
    return key_of(port)


def name(port: PortView) -> str:
    return clean(f"port {port.port} ({port.label})" if port.label else f"port {port.port}")


def place(port: PortView) -> str:
    """Where it is reached, without a token."""
    return port.url or f"{port.host}:{port.host_port}"


def messages(ports: list[PortView]) -> list[tuple[str, str, bool]]:
    """(title, text, whether it is bad) for ports that are said and not opened; many at once are one."""
    said = [(f"{_upper(name(port))} is open", place(port), False) for port in ports if port.host_port is not None]
    if len(said) > MOST:
        names = ", ".join(name(port).removeprefix("port ") for port in ports if port.host_port is not None)
        said = [(f"{len(said)} ports are open", names, False)]
    return said + [
        (f"{_upper(name(port))} is not forwarded", clean(port.note), True) for port in ports if port.host_port is None
    ]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
